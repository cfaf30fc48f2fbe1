/* SPDX-License-Identifier: Apache-2.0 */
/* scheduler.h - who takes part in the next step. Engine thread only.
 *
 * Groups wait in order of arrival, urgent ones apart from the others and in front of them, but
 * for one in a few. A group starts when a slot for each of its candidates and the blocks of
 * its prompt are there. Running sequences are served oldest
 * first: one row each while decoding, and together at most prefill_chunk prompt rows a
 * step, and beside decoding sequences as many as pace.h has it, so that a long prompt
 * does not hold up the answers of others. When blocks run out, a sequence whose reader is
 * slow, else the youngest, gives its blocks up and is recomputed later, to the same bits.
 * A slow reader keeps its slot, but no blocks that others want. A sequence whose length
 * comes to need other rotary factors is recomputed in the same way. */
#ifndef AIM_ENGINE_SCHEDULER_H
#define AIM_ENGINE_SCHEDULER_H

#include "engine/pace.h"
#include "engine/sequence.h"

typedef struct aim_sequence_list {
    aim_sequence *head, **tail;
} aim_sequence_list;

typedef struct aim_group_list {
    aim_group *head, **tail;
} aim_group_list;

typedef struct aim_scheduler {
    const aim_engine_config *config;
    const aim_hf_config *model;
    aim_kv_cache *kv;
    int score_rows;              /* prompt rows a step can score */
    aim_group_list urgent;       /* not started */
    aim_group_list waiting;      /* not started, not urgent */
    int passed;                  /* urgent groups that started since one waits that is not */
    aim_group_list live;         /* started, not over */
    aim_sequence_list running;   /* oldest first */
    aim_sequence_list preempted; /* oldest first */
    int slots_used;
    aim_pace pace;
    int decode_rows, prompt_rows; /* of the planned step */
    uint64_t preemptions, prefix_queries, prefix_hits;
} aim_scheduler;

void aim__scheduler_init(aim_scheduler *s, const aim_engine_config *config,
                         const aim_hf_config *model, aim_kv_cache *kv, int score_rows);
void aim__scheduler_add(aim_scheduler *s, aim_group *g);

/* Choose the rows of the next step: sets step_rows of the running sequences and
 * returns the number of rows. start is called for each group that leaves the
 * queue; false: it could not start and has ended. */
typedef bool aim_start_fn(void *arg, aim_group *g);
int aim__scheduler_plan(aim_scheduler *s, uint64_t now_ns, aim_start_fn *start, void *arg);
/* The planned step took so long. */
void aim__scheduler_took(aim_scheduler *s, double seconds);
/* Logit rows of sequence q in the planned step. */
int aim__step_logits(const aim_sequence *q);

/* Put the other candidates of a prefilled leader behind it. */
void aim__scheduler_fork(aim_scheduler *s, aim_sequence *leader);
/* A sequence is over: give back its blocks and its slot; it stays in its list
 * until aim__scheduler_sweep. */
void aim__scheduler_end(aim_scheduler *s, aim_sequence *q);
/* Drop ended sequences from the lists and free groups that are over. */
void aim__scheduler_sweep(aim_scheduler *s);
int aim__scheduler_running(const aim_scheduler *s);
int aim__scheduler_waiting(const aim_scheduler *s);
int aim__scheduler_paused(const aim_scheduler *s);

#endif
