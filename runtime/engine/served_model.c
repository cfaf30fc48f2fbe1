/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/served_model.h"

#include "base/alloc.h"
#include "engine/random_shapes.h"

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
    m->tokenizer = aim_tokenizer_load(m->dir, err);
    if (!m->tokenizer)
        return AIM_EFORMAT;
    m->chat = aim_chat_template_find(m->tokenizer, chat_template, &m->chat_error);
    if (!m->chat && chat_template)
        return aim_fail(err, m->chat_error.code, "%s", m->chat_error.text);
    return check_vocabulary(m, err);
}

static int start_compute(aim_model *m, const aim_model_options *o, aim_error *err)
{
    m->compute.kernels = aim_kernels_pick(o->kernels, err);
    if (!m->compute.kernels)
        return AIM_EUNSUPPORTED;
    int threads = o->engine.threads > 0 ? o->engine.threads : aim_cpu_count();
    m->compute.pool = aim_pool_new(threads, err);
    return m->compute.pool ? AIM_OK : AIM_ENOMEM;
}

/* The seed is fixed: two runs of a benchmark measure the same numbers. */
static int random_decoder(aim_model *m, const char *shape, const aim_backend *backend,
                          aim_error *err)
{
    if (aim_random_shape(shape, &m->config, err) != AIM_OK)
        return AIM_EUNSUPPORTED;
    m->decoder = aim_decoder_random(&m->config, backend, &m->compute, 1, err);
    return m->decoder ? AIM_OK : AIM_ENOMEM;
}

static int load_decoder(aim_model *m, const aim_model_options *o, aim_progress_fn *progress,
                        void *progress_arg, aim_error *err)
{
    const aim_backend *backend = o->backend ? aim_backend_find(o->backend, err) : aim_backends()[0];
    if (!backend)
        return AIM_EUNSUPPORTED;
    if (o->random_weights)
        return random_decoder(m, o->random_weights, backend, err);
    m->checkpoint = aim_checkpoint_open(m->dir, err);
    if (m->checkpoint)
        m->decoder = aim_decoder_load(&m->config, m->checkpoint, backend, &m->compute, progress,
                                      progress_arg, err);
    return m->decoder ? AIM_OK : AIM_EFORMAT;
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
    if (aim_hf_config_load(m->dir, &m->config, err) == AIM_OK &&
        load_text(m, o->chat_template, err) == AIM_OK && start_compute(m, o, err) == AIM_OK &&
        load_decoder(m, o, progress, progress_arg, err) == AIM_OK)
        m->engine =
            aim_engine_new(&o->engine, m->decoder, m->tokenizer, &m->compute, sink, sink_arg, err);
    if (m->engine)
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
