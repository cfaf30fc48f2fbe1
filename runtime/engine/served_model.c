/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/served_model.h"

#include "base/alloc.h"
#include "base/memory.h"
#include "checkpoint/folder_hint.h"
#include "engine/engine_impl.h"
#include "engine/random_shapes.h"

/* The shape to serve and the arithmetic to do it with. */
static int describe(const aim_model_options *o, aim_hf_config *config, const aim_backend **backend,
                    aim_error *err)
{
    *backend = o->backend ? aim_backend_find(o->backend, err) : aim_backends()[0];
    if (!*backend)
        return AIM_EUNSUPPORTED;
    if ((*backend)->analog && !o->chip)
        return aim_fail_param(err, AIM_EINVAL, "profile",
                              "the backend %s needs the profile of a chip", (*backend)->name);
    aim_error cause = {0};
    int code = aim_hf_config_load(o->dir, config, &cause);
    if (code)
        return aim_folder_explain(o->dir, AIM_FOLDER_CONFIG, &cause, err);
    return !o->random_weights ? AIM_OK : aim_random_shape(o->random_weights, config, err);
}

/* 0 if there is none: loading it tells why. */
static size_t tokenizer_bytes(const char *dir)
{
    aim_map map;
    if (aim_map_open(dir, "tokenizer.json", &map, NULL))
        return 0;
    size_t size = map.size;
    aim_map_close(&map);
    return size;
}

static int plan(const aim_model_options *o, const aim_hf_config *config, const aim_backend *backend,
                aim_memory_plan *out, aim_error *err)
{
    return aim_memory_plan_make(o->name ? o->name : o->dir, config, backend, o->chip, &o->engine,
                                tokenizer_bytes(o->dir), out, err);
}

int aim_model_plan(const aim_model_options *o, aim_memory_plan *out, aim_error *err)
{
    const aim_backend *backend;
    aim_hf_config config;
    int code = describe(o, &config, &backend, err);
    return code ? code : plan(o, &config, backend, out, err);
}

static int plan_memory(aim_model *m, const aim_model_options *o, aim_error *err)
{
    if (o->plan) {
        m->memory = *o->plan;
        return AIM_OK;
    }
    int code = plan(o, &m->config, m->backend, &m->memory, err);
    return code ? code : aim_memory_plan_fit(&m->memory, 1, aim_memory_read("").available, err);
}

/* Does every id that the model can produce have a token, and the other way
 * round? Tokenizers may have fewer (padded embedding tables), never more. */
static int check_vocabulary(const aim_model *m, aim_error *err)
{
    int size = aim_tokenizer_size(m->tokenizer);
    if (size > m->config.vocab)
        return aim_fail(err, AIM_EFORMAT,
                        "%s: tokenizer.json has ids up to %d, but config.json a vocab_size of %d",
                        m->dir, size - 1, m->config.vocab);
    return AIM_OK;
}

static int load_text(aim_model *m, const char *chat_template, aim_error *err)
{
    aim_error cause = {0};
    m->tokenizer = aim_tokenizer_load(m->dir, &cause);
    aim_trim(); /* the parsed JSON took several times the size of its text */
    if (!m->tokenizer)
        return aim_folder_explain(m->dir, AIM_FOLDER_TOKENIZER, &cause, err);
    m->chat = aim_chat_template_find(m->tokenizer, chat_template, &m->chat_error);
    if (!m->chat && chat_template)
        return aim_fail(err, m->chat_error.code, "%s", m->chat_error.text);
    return check_vocabulary(m, err);
}

static aim_checkpoint *open_checkpoint(const char *dir, aim_error *err)
{
    aim_error cause = {0};
    aim_checkpoint *c = aim_checkpoint_open(dir, &cause);
    if (!c)
        aim_folder_explain(dir, AIM_FOLDER_WEIGHTS, &cause, err);
    return c;
}

static int check_weights(const aim_model *m, const aim_chip *chip, aim_error *err)
{
    aim_checkpoint *c = open_checkpoint(m->dir, err);
    int code = c ? aim_decoder_check(&m->config, c, m->backend, chip, err) : AIM_EFORMAT;
    aim_checkpoint_close(c);
    return code;
}

/* Kernels that this CPU lacks are a wrong option, not a wrong model. */
static int pick_kernels(aim_model *m, const aim_model_options *o, aim_error *err)
{
    aim_error cause = {0};
    m->compute.kernels = aim_kernels_pick(o->kernels, &cause);
    return m->compute.kernels ? AIM_OK : aim_fail(err, AIM_EINVAL, "%s", cause.text);
}

int aim_model_check(const aim_model_options *o, aim_error *err)
{
    aim_model m = {.dir = (char *)o->dir};
    int code = describe(o, &m.config, &m.backend, err);
    if (!code)
        code = plan(o, &m.config, m.backend, &m.memory, err);
    if (!code)
        code = pick_kernels(&m, o, err);
    if (!code)
        code = load_text(&m, o->chat_template, err);
    if (!code && !o->random_weights)
        code = check_weights(&m, o->chip, err);
    aim_tokenizer_free(m.tokenizer);
    return code;
}

static int start_compute(aim_model *m, const aim_model_options *o, aim_error *err)
{
    int code = pick_kernels(m, o, err);
    if (code)
        return code;
    m->compute.pool = aim_pool_new(aim__engine_threads(&o->engine), err);
    return m->compute.pool ? AIM_OK : AIM_ENOMEM;
}

/* The seed is fixed: two runs of a benchmark measure the same numbers. */
static int random_decoder(aim_model *m, const aim_model_options *o, aim_error *err)
{
    m->decoder = aim_decoder_random(&m->config, m->backend, o->chip, &m->compute, 1, err);
    return m->decoder ? AIM_OK : AIM_ENOMEM;
}

static int load_decoder(aim_model *m, const aim_model_options *o, aim_progress_fn *progress,
                        void *progress_arg, aim_error *err)
{
    m->checkpoint = open_checkpoint(m->dir, err);
    if (!m->checkpoint)
        return AIM_EFORMAT;
    aim_checkpoint_expect(m->checkpoint, AIM_MAP_SEQUENTIAL);
    m->decoder = aim_decoder_load(&m->config, m->checkpoint, m->backend, o->chip, &m->compute,
                                  progress, progress_arg, err);
    aim_checkpoint_expect(m->checkpoint, AIM_MAP_IDLE);
    return m->decoder ? AIM_OK : AIM_EFORMAT;
}

/* The flag of the options is borrowed: the engine must not keep it. This thread is the
 * pool's owner while it loads, and then its own master again. */
static int make_decoder(aim_model *m, const aim_model_options *o, aim_progress_fn *progress,
                        void *progress_arg, aim_error *err)
{
    aim_cpu_set before;
    aim_pool_bind_owner(m->compute.pool, &before);
    m->compute.cancelled = o->cancelled;
    int code = o->random_weights ? random_decoder(m, o, err)
                                 : load_decoder(m, o, progress, progress_arg, err);
    m->compute.cancelled = NULL;
    aim_cpu_keep_to(&before, NULL);
    return code;
}

/* The cache is as large as planned, which may be less than the configuration's default. */
static int start_engine(aim_model *m, const aim_model_options *o, aim_event_sink *sink,
                        void *sink_arg, aim_error *err)
{
    aim_engine_config config = o->engine;
    config.kv_blocks = m->memory.kv_blocks;
    m->engine = aim_engine_new(&config, m->decoder, m->tokenizer, &m->compute, sink, sink_arg, err);
    return m->engine ? AIM_OK : AIM_ENOMEM;
}

/* Everything in the order of its cost, so that what is wrong shows early. */
static int build(aim_model *m, const aim_model_options *o, aim_event_sink *sink, void *sink_arg,
                 aim_progress_fn *progress, void *progress_arg, aim_error *err)
{
    int code = describe(o, &m->config, &m->backend, err);
    if (!code)
        code = plan_memory(m, o, err);
    if (!code)
        code = load_text(m, o->chat_template, err);
    if (!code)
        code = start_compute(m, o, err);
    if (!code)
        code = make_decoder(m, o, progress, progress_arg, err);
    return code ? code : start_engine(m, o, sink, sink_arg, err);
}

aim_model *aim_model_open(const aim_model_options *o, aim_event_sink *sink, void *sink_arg,
                          aim_progress_fn *progress, void *progress_arg, aim_error *err)
{
    aim_model *m = aim_calloc(1, sizeof *m);
    if (!m || !(m->dir = aim_strdup(o->dir))) {
        aim_free(m);
        aim_fail_nomem(err, o->dir);
        return NULL;
    }
    if (build(m, o, sink, sink_arg, progress, progress_arg, err) == AIM_OK)
        return m;
    aim_model_close(m);
    return NULL;
}

void aim_model_close(aim_model *m)
{
    if (!m)
        return;
    aim_engine_free(m->engine);
    aim_decoder_free(m->decoder);
    aim_checkpoint_close(m->checkpoint);
    aim_pool_free(m->compute.pool);
    aim_tokenizer_free(m->tokenizer);
    aim_free(m->dir);
    aim_free(m);
}
