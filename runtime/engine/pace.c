/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pace.h"

#include <stdbool.h>

/* A step with prompt rows over one without, on the average: single ones last longer. */
#define STRETCH 1.8

/* How much longer a step may seem to have become at once, as one may be held up. */
#define RISE 1.25

/* Where the number of those who decode goes to and fro, most steps must still take
 * more than one row. */
static bool stale(const aim_pace *p, int decoding)
{
    bool others = decoding > 2 * p->alone_rows || 2 * decoding < p->alone_rows;
    return p->alone_rows == 0 || p->since_alone >= AIM_PACE_REMEASURE ||
           (others && p->since_alone >= AIM_PACE_APART);
}

static int clamp(double rows, int least, int most)
{
    int low = least < most ? least : most;
    return rows >= most ? most : rows <= low ? low : (int)rows;
}

int aim__pace_rows(const aim_pace *p, int decoding, int most)
{
    if (decoding == 0 || most <= 1)
        return most;
    if (stale(p, decoding))
        return 1;
    /* Rows may cost more in a longer step than in the short ones measured so far. */
    double rows = 2.0 * p->tried;
    double affordable = (STRETCH - 1) * p->alone_seconds;
    if (p->row_seconds * rows > affordable)
        rows = affordable / p->row_seconds;
    return clamp(rows, AIM_PACE_LEAST, most);
}

/* The longest that a step without prompt rows is believed to take. */
static double believable(const aim_pace *p, int decoding)
{
    int more = decoding > p->alone_rows ? decoding : p->alone_rows;
    return RISE * p->alone_seconds * more / p->alone_rows;
}

/* Falls at once; what rises by more than is believed is soon measured again. */
static void observe_alone(aim_pace *p, int decoding, double seconds)
{
    bool held_up = p->alone_rows > 0 && seconds > believable(p, decoding);
    p->alone_seconds = held_up ? believable(p, decoding) : seconds;
    p->alone_rows = decoding;
    p->since_alone = held_up ? AIM_PACE_REMEASURE - AIM_PACE_APART : 0;
}

/* Without its prompt rows the step would not have been longer. Where it was far shorter,
 * the step measured was held up: another is, and soon. */
static void lower_alone(aim_pace *p, double seconds)
{
    if (2 * seconds < p->alone_seconds)
        p->since_alone = AIM_PACE_REMEASURE;
    if (seconds < p->alone_seconds)
        p->alone_seconds = seconds;
}

/* Rises at once and falls slowly: a step that is too long is felt, one that could have
 * been longer is not. */
static void observe_rows(aim_pace *p, int prompt_rows, double seconds)
{
    p->since_alone++;
    lower_alone(p, seconds);
    double change = (seconds - p->alone_seconds) / prompt_rows - p->row_seconds;
    p->row_seconds += change > 0 ? change : change / 8;
    p->tried = prompt_rows > p->tried / 2 ? prompt_rows : p->tried / 2;
}

void aim__pace_observe(aim_pace *p, int decoding, int prompt_rows, double seconds)
{
    if (decoding > 0 && prompt_rows <= 1)
        observe_alone(p, decoding, seconds);
    else if (decoding > 0 && p->alone_rows > 0)
        observe_rows(p, prompt_rows, seconds);
    else if (decoding == 0 && prompt_rows > 0 && p->row_seconds == 0)
        p->row_seconds = seconds / prompt_rows;
}
