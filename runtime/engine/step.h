/* SPDX-License-Identifier: Apache-2.0 */
/* step.h - carry out a planned step: one forward, then a token for each
 * sequence that is up to date. Engine thread only. */
#ifndef AIM_ENGINE_STEP_H
#define AIM_ENGINE_STEP_H

#include "engine/scheduler.h"

typedef struct aim_stepper aim_stepper;

/* Events in order, appended as a step goes on. */
typedef struct aim_event_list {
    aim_event *head, **tail;
} aim_event_list;

typedef struct aim_step_times {
    uint64_t forward_ns, sample_ns;
    uint64_t prompt_tokens, generated_tokens;
    uint64_t scored_positions;
    uint64_t rows, head_rows;
} aim_step_times;

aim_stepper *aim__stepper_new(const aim_engine_config *config, const aim_decoder *decoder,
                              const aim_compute *compute, aim_error *err);
/* Bytes that aim__stepper_new will take, SIZE_MAX if they cannot be counted. config is
 * resolved. */
size_t aim__stepper_need(const aim_engine_config *config, const aim_hf_config *model,
                         const aim_backend *backend, const aim_chip *chip);
void aim__stepper_free(aim_stepper *st);
/* Run what the scheduler has planned; adds to times. */
void aim__stepper_run(aim_stepper *st, aim_scheduler *s, _Atomic uint64_t *heartbeat,
                      aim_event_list *events, aim_step_times *times);

/* End q without a token: its last event, with the reason. error: a constant, or NULL. */
void aim__end_sequence(aim_scheduler *s, aim_sequence *q, enum aim_finish finish,
                       const aim_error *error, aim_event_list *events);
void aim__event_list_init(aim_event_list *l);

#endif
