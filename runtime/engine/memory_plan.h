/* SPDX-License-Identifier: Apache-2.0 */
/* memory_plan.h - how much memory models will take, counted before any is taken.
 *
 * Counted is what a model holds while it serves. What the loader needs beside
 * the weights, a row for each thread, is given back before the cache is taken
 * and is less than that. Mapped files are not counted: their pages belong to the
 * page cache, which gives way. */
#ifndef AIM_ENGINE_MEMORY_PLAN_H
#define AIM_ENGINE_MEMORY_PLAN_H

#include "engine/engine.h"

typedef struct aim_memory_plan {
    const char *model; /* names it in errors; borrowed */
    size_t weights;    /* linear layers as the backend packs them, norms */
    size_t tokenizer;  /* an estimate */
    size_t workspace;  /* of a step: activations, logits, scratch; of sequences: texts, events */
    size_t kv_cache;   /* kv_blocks blocks with their bookkeeping */
    int kv_blocks;
    int kv_least;   /* may be lowered to this; kv_blocks if the size was asked for */
    int kv_context; /* of one full context: no cache can be smaller */
    aim_kv_shape kv_shape;
    const char *smaller; /* what would take less instead; constant; NULL: nothing */
} aim_memory_plan;

/* Count one model. name is kept, not copied. chip: of backends on tiles, else NULL.
 * tokenizer: bytes of its file. Errors are those of a configuration that cannot work
 * (AIM_EINVAL). */
int aim_memory_plan_make(const char *name, const aim_hf_config *model, const aim_backend *backend,
                         const aim_chip *chip, const aim_engine_config *config, size_t tokenizer,
                         aim_memory_plan *out, aim_error *err);
size_t aim_memory_plan_total(const aim_memory_plan *p);

/* Make n plans fit into `available` bytes together: caches whose size was not
 * asked for are lowered, each to one full context at least; each gets an equal
 * share of what the rest leaves. AIM_ENOMEM with all figures if that is not
 * enough; the plans are then as they were. */
int aim_memory_plan_fit(aim_memory_plan *plans, size_t n, uint64_t available, aim_error *err);

#endif
