/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/memory_plan.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "engine/engine_impl.h"

#include <string.h>

/* A tokenizer in memory (vocabulary, merges, their tables), relative to the text of
 * its file: 2.7 to 3.3 with vocabularies of 500 to 400,000 entries. */
enum { TOKENIZER_FACTOR = 4 };

/* A cache whose size nobody asked for leaves this share of the memory alone, for
 * the pages of the embedding table and whatever else runs here. */
enum { RESERVE = 16 };

static void set_kv_blocks(aim_memory_plan *p, int n)
{
    p->kv_blocks = n;
    p->kv_cache = aim_kv_bytes(&p->kv_shape, n);
}

/* Weights are most of a model: what holds them in fewer bytes. */
static const char *smaller_than(const aim_backend *backend, const aim_chip *chip)
{
    if (backend->analog && strcmp(backend->name, "analog") != 0)
        return "the backend analog";
    if (backend->on_tiles)
        return chip && chip->profile.conductance_bits > 8 ? "8 conductance_bits" : NULL;
    return strcmp(backend->name, "int8") != 0 ? "the backend int8" : "the backend int4";
}

int aim_memory_plan_make(const char *name, const aim_hf_config *model, const aim_backend *backend,
                         const aim_chip *chip, const aim_engine_config *config, size_t tokenizer,
                         aim_memory_plan *out, aim_error *err)
{
    aim_engine_config c = *config;
    bool asked = c.kv_blocks || c.kv_bytes;
    int code = aim__engine_resolve_config(&c, model, backend, err);
    if (code)
        return code;
    *out = (aim_memory_plan){
        .model = name,
        .weights = aim_decoder_load_bytes(model, backend, chip),
        .tokenizer = TOKENIZER_FACTOR * tokenizer,
        .workspace = aim_add_saturating(aim__stepper_need(&c, model, backend, chip),
                                        aim__sequences_need(c.max_sequences)),
        .kv_least = asked ? c.kv_blocks : aim_kv_blocks_for(c.max_context),
        .kv_context = aim_kv_blocks_for(c.max_context),
        .kv_shape = aim_hf_config_kv_shape(model, backend),
        .smaller = smaller_than(backend, chip),
    };
    set_kv_blocks(out, c.kv_blocks);
    return AIM_OK;
}

/* With a cache of so many bytes. A workspace that cannot be counted is SIZE_MAX. */
static size_t total_with(const aim_memory_plan *p, size_t kv_cache)
{
    size_t total = aim_add_saturating(p->weights, p->tokenizer);
    total = aim_add_saturating(total, p->workspace);
    return aim_add_saturating(total, kv_cache);
}

size_t aim_memory_plan_total(const aim_memory_plan *p)
{
    return total_with(p, p->kv_cache);
}

/* ---- fitting ------------------------------------------------------------------ */

static size_t least_total(const aim_memory_plan *p)
{
    return total_with(p, aim_kv_bytes(&p->kv_shape, p->kv_least));
}

static void put_size(aim_buf *b, const char *before, size_t bytes)
{
    if (bytes >= (size_t)1 << 30)
        aim_buf_printf(b, "%s%.1f GiB", before, (double)bytes / (1 << 30));
    else
        aim_buf_printf(b, "%s%.1f MiB", before, (double)bytes / (1 << 20));
}

/* "model m needs 5.1 GiB (weights 3.2 GiB, ...". */
static void put_parts(aim_buf *b, const aim_memory_plan *p, size_t need)
{
    aim_buf_printf(b, "model %s needs", p->model);
    put_size(b, " ", need);
    put_size(b, " (weights ", p->weights);
    put_size(b, ", KV cache ", aim_kv_bytes(&p->kv_shape, p->kv_least));
    put_size(b, ", workspace ", p->workspace);
    put_size(b, ", tokenizer ", p->tokenizer);
}

/* "the 2 models together need 9.1 GiB (a 5.1 GiB, b 4.0 GiB". */
static void put_models(aim_buf *b, const aim_memory_plan *plans, size_t n, size_t need)
{
    aim_buf_printf(b, "the %zu models together need", n);
    put_size(b, " ", need);
    for (size_t i = 0; i < n; i++) {
        aim_buf_printf(b, "%s%s", i ? ", " : " (", plans[i].model);
        put_size(b, " ", least_total(&plans[i]));
    }
}

/* Each is told once. */
static void put_smaller(aim_buf *b, const aim_memory_plan *plans, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool told = !plans[i].smaller;
        for (size_t j = 0; j < i && !told; j++)
            told = plans[j].smaller && strcmp(plans[j].smaller, plans[i].smaller) == 0;
        if (!told)
            aim_buf_printf(b, ", or use %s", plans[i].smaller);
    }
}

/* What would help: only what can, as the caches are sized. */
static void put_advice(aim_buf *b, const aim_memory_plan *plans, size_t n, size_t need,
                       uint64_t available)
{
    size_t cacheless = need, least = need; /* least: caches of one context each */
    for (size_t i = 0; i < n; i++) {
        const aim_memory_plan *p = &plans[i];
        size_t planned = aim_kv_bytes(&p->kv_shape, p->kv_least);
        cacheless -= planned;
        least -= planned - aim_kv_bytes(&p->kv_shape, p->kv_context);
    }
    if (cacheless > available)
        aim_buf_puts(b, "; that is too much even without a KV cache");
    else
        aim_buf_printf(b, "; lower %s%s%s", least < need ? "kv_cache" : "",
                       least < need && least > available ? " and " : "",
                       least > available ? "max_context" : "");
    put_smaller(b, plans, n);
}

static int refuse(const aim_memory_plan *plans, size_t n, size_t need, uint64_t available,
                  aim_error *err)
{
    aim_buf b = AIM_BUF_INIT;
    if (n == 1)
        put_parts(&b, &plans[0], need);
    else
        put_models(&b, plans, n, need);
    put_size(&b, ") but ", available);
    aim_buf_puts(&b, " are available");
    put_advice(&b, plans, n, need, available);
    aim_fail(err, AIM_ENOMEM, "%s", b.failed ? "not enough memory" : b.data);
    aim_buf_free(&b);
    return AIM_ENOMEM;
}

/* Lower the cache of p to what fits into `room` bytes beside its least size.
 * Returns what it takes of them. */
static size_t grow_from_least(aim_memory_plan *p, size_t room)
{
    size_t least = aim_kv_bytes(&p->kv_shape, p->kv_least);
    int most = p->kv_blocks, low = p->kv_least;
    while (low < most) { /* the bookkeeping grows in steps: search */
        int middle = low + (most - low + 1) / 2;
        if (aim_kv_bytes(&p->kv_shape, middle) - least <= room)
            low = middle;
        else
            most = middle - 1;
    }
    set_kv_blocks(p, low);
    return p->kv_cache - least;
}

int aim_memory_plan_fit(aim_memory_plan *plans, size_t n, uint64_t available, aim_error *err)
{
    size_t need = 0, growing = 0;
    for (size_t i = 0; i < n; i++) {
        need = aim_add_saturating(need, least_total(&plans[i]));
        growing += plans[i].kv_blocks > plans[i].kv_least;
    }
    if (need > available)
        return refuse(plans, n, need, available, err);
    uint64_t most = available - available / RESERVE;
    size_t room = most > need ? most - need : 0;
    for (size_t i = 0; i < n; i++)
        if (plans[i].kv_blocks > plans[i].kv_least)
            room -= grow_from_least(&plans[i], room / growing--);
    return AIM_OK;
}
