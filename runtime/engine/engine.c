/* SPDX-License-Identifier: Apache-2.0 */
/* engine.c - building an engine and taking it down. */
#include "engine/engine_impl.h"

#include "base/alloc.h"

/* 0 without a tokenizer: an engine that is only measured. */
static size_t longest_token(const aim_tokenizer *t)
{
    size_t longest = 0, n;
    for (int32_t id = 0; t && id < aim_tokenizer_size(t); id++) {
        aim_tokenizer_bytes(t, id, &n);
        longest = n > longest ? n : longest;
    }
    return longest;
}

static int build(aim_engine *e, aim_error *err)
{
    const aim_hf_config *model = aim_decoder_config(e->decoder);
    int code = aim__engine_resolve_config(&e->config, model, aim_decoder_backend(e->decoder), err);
    if (code != AIM_OK)
        return code;
    aim_kv_shape shape = aim_decoder_kv_shape(e->decoder);
    e->kv = aim_kv_new(&shape, e->config.kv_blocks, e->config.prefix_cache, err);
    if (e->kv)
        e->stepper = aim__stepper_new(&e->config, e->decoder, &e->compute, err);
    if (!e->stepper)
        return AIM_ENOMEM;
    aim__scheduler_init(&e->scheduler, &e->config, model, e->kv,
                        aim__engine_score_rows(&e->config, aim_decoder_outputs(e->decoder)));
    aim__event_list_init(&e->events);
    e->stats.kv_total = e->stats.kv_available = aim_kv_total(e->kv);
    if (pthread_create(&e->thread, NULL, aim__engine_main, e) != 0)
        return aim_fail(err, AIM_ENOMEM, "cannot start the engine thread");
    e->thread_started = true;
    return AIM_OK;
}

aim_engine *aim_engine_new(const aim_engine_config *config, const aim_decoder *decoder,
                           const aim_tokenizer *tokenizer, const aim_compute *compute,
                           aim_event_sink *sink, void *sink_arg, aim_error *err)
{
    aim_engine *e = aim_calloc(1, sizeof *e);
    if (!e) {
        aim_fail_nomem(err, "engine");
        return NULL;
    }
    e->config = *config;
    e->decoder = decoder;
    e->tokenizer = tokenizer;
    e->token_room = longest_token(tokenizer);
    e->compute = *compute;
    e->sink = sink;
    e->sink_arg = sink_arg;
    e->incoming_tail = &e->incoming;
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->wake, NULL);
    if (build(e, err) == AIM_OK)
        return e;
    aim_engine_free(e);
    return NULL;
}

void aim_engine_stop(aim_engine *e)
{
    pthread_mutex_lock(&e->lock);
    e->stop = true;
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->lock);
}

void aim_engine_free(aim_engine *e)
{
    if (!e)
        return;
    if (e->thread_started) {
        aim_engine_stop(e);
        pthread_join(e->thread, NULL);
    }
    aim__stepper_free(e->stepper);
    aim_kv_free(e->kv);
    aim_free(e->signals);
    pthread_cond_destroy(&e->wake);
    pthread_mutex_destroy(&e->lock);
    aim_free(e);
}
