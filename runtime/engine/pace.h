/* SPDX-License-Identifier: Apache-2.0 */
/* pace.h - how many prompt rows a step takes beside sequences that decode.
 *
 * Each prompt row makes the step longer, and everybody who decodes waits for it. So
 * such a step may last about twice as long as one without prompt rows: the engine
 * measures its steps, and the rows follow from that. Results do not depend on them.
 * Engine thread only. */
#ifndef AIM_ENGINE_PACE_H
#define AIM_ENGINE_PACE_H

typedef struct aim_pace {
    double alone_seconds; /* of a step without prompt rows, of late */
    double row_seconds;   /* what a prompt row adds to it, running mean; 0: not known */
    int alone_rows;       /* decoding rows of that step; 0: never measured */
    int since_alone;      /* steps with prompt rows since then */
    int tried;            /* prompt rows of such steps, about the most of late */
} aim_pace;

enum {
    AIM_PACE_LEAST = 8,      /* prompt rows that a step takes however long they last */
    AIM_PACE_REMEASURE = 32, /* steps with prompt rows between two without, at most */
    AIM_PACE_APART = 4,      /* and at least, once it is known how long those last */
};

/* Prompt rows of the next step, in which `decoding` sequences have one row each: from 1
 * to most (or most, if that is below 1), and most if nobody decodes. It is 1 where the
 * time of a step without prompt rows has to be measured: one row hardly counts, and the
 * prompt goes on. */
int aim__pace_rows(const aim_pace *p, int decoding, int most);

/* A step with so many rows of either kind took so long. */
void aim__pace_observe(aim_pace *p, int decoding, int prompt_rows, double seconds);

#endif
