/* SPDX-License-Identifier: Apache-2.0 */
/* decoder_rig.h - a decoder with all it needs, and sequences run through it in
 * pieces of any size. */
#ifndef AIM_TESTS_UNIT_DECODER_RIG_H
#define AIM_TESTS_UNIT_DECODER_RIG_H

#include "model/decoder.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

enum { MAX_SEQUENCES = 8, MAX_ROWS = 512, MAX_TOKENS = 512, KV_BLOCKS = 64 };

/* ---- a decoder with all it needs ------------------------------------------- */

struct rig {
    aim_hf_config config;
    aim_checkpoint *checkpoint;
    aim_compute compute;
    aim_decoder *decoder;
    aim_workspace *workspace;
    aim_kv_cache *kv;
};

static inline void rig_start(struct rig *r, const char *kernels, int threads)
{
    aim_error err = {0};
    *r = (struct rig){0};
    r->compute.kernels = aim_kernels_pick(kernels, &err);
    ck_assert_msg(r->compute.kernels != NULL, "%s", err.text);
    r->compute.pool = aim_pool_new(threads, &err);
    ck_assert_msg(r->compute.pool != NULL, "%s", err.text);
}

/* The decoder is there: add room to run it. */
static inline void rig_finish(struct rig *r)
{
    aim_error err = {0};
    aim_kv_shape shape = aim_decoder_kv_shape(r->decoder);
    r->kv = aim_kv_new(&shape, KV_BLOCKS, true, &err);
    r->workspace = aim_workspace_new(r->decoder, MAX_ROWS, MAX_ROWS, &r->compute, &err);
    ck_assert_msg(r->kv && r->workspace, "%s", err.text);
    ck_assert_uint_gt(aim_workspace_bytes(r->workspace), 0);
}

/* The checkpoint in folder dir; chip NULL: digital; kernels NULL: the best there are. */
static inline void rig_open_chip(struct rig *r, const char *dir, const char *backend,
                                 const aim_chip *chip, const char *kernels, int threads)
{
    aim_error err = {0};
    rig_start(r, kernels, threads);
    ck_assert_msg(!aim_hf_config_load(dir, &r->config, &err), "%s", err.text);
    r->checkpoint = aim_checkpoint_open(dir, &err);
    ck_assert_msg(r->checkpoint != NULL, "%s", err.text);
    r->decoder = aim_decoder_load(&r->config, r->checkpoint, aim_backend_find(backend, NULL), chip,
                                  &r->compute, NULL, NULL, &err);
    ck_assert_msg(r->decoder != NULL, "%s", err.text);
    rig_finish(r);
}

static inline void rig_open_dir(struct rig *r, const char *dir, const char *backend,
                                const char *kernels, int threads)
{
    rig_open_chip(r, dir, backend, NULL, kernels, threads);
}

static inline void rig_close(struct rig *r)
{
    aim_workspace_free(r->workspace);
    aim_kv_free(r->kv);
    aim_decoder_free(r->decoder);
    aim_checkpoint_close(r->checkpoint);
    aim_pool_free(r->compute.pool);
}

/* ---- running sequences ------------------------------------------------------- */

struct sequence {
    const int32_t *tokens;
    int n, done;
    int32_t table[MAX_TOKENS / AIM_KV_BLOCK];
    float *logits; /* [n, outputs] */
};

/* One step: up to `chunk` rows of each sequence, a row of each in turn. */
static inline void step(struct rig *r, struct sequence *s, int n, int chunk)
{
    int32_t token[MAX_ROWS], position[MAX_ROWS];
    const int32_t *blocks[MAX_ROWS];
    bool long_rope[MAX_ROWS];
    int rows[MAX_ROWS], owner[MAX_ROWS], count = 0;
    for (int c = 0; c < chunk; c++)
        for (int i = 0; i < n; i++) {
            if (s[i].done == s[i].n)
                continue;
            ck_assert_int_lt(count, MAX_ROWS);
            token[count] = s[i].tokens[s[i].done];
            position[count] = s[i].done++;
            blocks[count] = s[i].table;
            long_rope[count] = aim_decoder_long_rope(&r->config, s[i].n);
            rows[count] = count;
            owner[count++] = i;
        }
    aim_batch batch = {.n_rows = count,
                       .token = token,
                       .position = position,
                       .blocks = blocks,
                       .long_rope = long_rope,
                       .n_logits = count,
                       .logit_rows = rows};
    const float *logits =
        aim_decoder_forward(r->decoder, r->workspace, r->kv, &r->compute, &batch, NULL);
    size_t outputs = (size_t)aim_decoder_outputs(r->decoder);
    for (int i = 0; i < count; i++)
        memcpy(s[owner[i]].logits + (size_t)position[i] * outputs, logits + (size_t)i * outputs,
               outputs * sizeof *logits);
}

static inline bool finished(const struct sequence *s, int n)
{
    for (int i = 0; i < n; i++)
        if (s[i].done < s[i].n)
            return false;
    return true;
}

static inline void set_up(struct rig *r, struct sequence *s, const int32_t *tokens, int n)
{
    *s = (struct sequence){.tokens = tokens, .n = n};
    s->logits = malloc((size_t)n * (size_t)aim_decoder_outputs(r->decoder) * sizeof *s->logits);
    for (int i = 0; i * AIM_KV_BLOCK < n; i++)
        s->table[i] = aim_kv_take(r->kv);
}

static inline void tear_down(struct rig *r, struct sequence *s)
{
    for (int i = 0; i * AIM_KV_BLOCK < s->n; i++)
        aim_kv_release(r->kv, s->table[i]);
    free(s->logits);
}

static inline int argmax(const float *x, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

#endif
