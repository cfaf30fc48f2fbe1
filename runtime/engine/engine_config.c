/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_impl.h"

#include "base/memory.h"
#include "base/pool.h"

void aim_engine_config_init(aim_engine_config *c)
{
    *c = (aim_engine_config){
        .max_sequences = 64,
        .max_batch_tokens = 512,
        .prefill_chunk = 256,
        .max_queue = 128,
        .prefix_cache = true,
    };
}

/* The tokens of a cache are counted in an int. */
enum { MAX_BLOCKS = INT32_MAX / AIM_KV_BLOCK };

static int blocks_in(size_t bytes, size_t block)
{
    size_t n = bytes / block;
    return n > MAX_BLOCKS ? MAX_BLOCKS : (int)n;
}

/* Room for 16 full contexts, but at most a quarter of the memory, and at least
 * one context. */
static int default_blocks(int context_blocks, size_t block)
{
    int wish = context_blocks > INT32_MAX / 16 ? context_blocks : 16 * context_blocks;
    int most = blocks_in(aim_memory_read("").total / 4, block);
    int n = wish < most ? wish : most;
    return n > context_blocks ? n : context_blocks;
}

int aim__engine_threads(const aim_engine_config *c)
{
    return c->threads > 0 ? c->threads : aim_cpu_count();
}

/* A chunk, but at most 64 MiB of logits. */
int aim__engine_score_rows(const aim_engine_config *c, int outputs)
{
    int most = (64 << 20) / (int)sizeof(float) / outputs;
    int rows = c->prefill_chunk < most ? c->prefill_chunk : most;
    return rows > 0 ? rows : 1;
}

int aim__engine_resolve_config(aim_engine_config *c, const aim_hf_config *model,
                               const aim_backend *backend, aim_error *err)
{
    aim_kv_shape shape = aim_hf_config_kv_shape(model, backend);
    size_t block = aim_kv_block_bytes(&shape);
    int positions = model->max_positions;
    if (c->max_context == 0)
        c->max_context = positions;
    if (c->max_context > positions)
        return aim_fail(err, AIM_EINVAL, "max_context %d is more than the model's %d positions",
                        c->max_context, positions);
    if (c->max_sequences < 1 || c->prefill_chunk < 1 || c->prefill_beside < 0)
        return aim_fail(err, AIM_EINVAL,
                        "max_sequences (%d) and prefill_chunk (%d) must be at least 1, "
                        "prefill_beside (%d) at least 0",
                        c->max_sequences, c->prefill_chunk, c->prefill_beside);
    if (c->max_batch_tokens < c->max_sequences)
        return aim_fail(err, AIM_EINVAL,
                        "max_batch_tokens (%d) must be at least max_sequences (%d)",
                        c->max_batch_tokens, c->max_sequences);
    int context_blocks = aim_kv_blocks_for(c->max_context);
    size_t given = c->kv_blocks ? (size_t)c->kv_blocks * block : c->kv_bytes;
    if (given / block > MAX_BLOCKS)
        return aim_fail(err, AIM_EINVAL,
                        "a KV cache of %zu GiB is too large: at most %zu GiB can be used",
                        given >> 30, (MAX_BLOCKS * block) >> 30);
    if (c->kv_blocks == 0)
        c->kv_blocks = given ? blocks_in(given, block) : default_blocks(context_blocks, block);
    c->kv_bytes = (size_t)c->kv_blocks * block;
    if (c->kv_blocks < context_blocks)
        return aim_fail(err, AIM_EINVAL,
                        "a KV cache of %zu KiB is too small for one context of %d tokens, which "
                        "needs %zu KiB: raise kv_cache or lower max_context",
                        given >> 10, c->max_context, ((size_t)context_blocks * block) >> 10);
    return AIM_OK;
}
