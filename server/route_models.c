/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/models, /v1/models/{id} and /tokenizer_info. */
#include "server/routes.h"

#include "server/json_out.h"

#include <stdbool.h>
#include <string.h>

static void send_json(aimd_exchange *x, aim_buf *out)
{
    aim_error err = {0};
    if (!out->failed) {
        aimd_respond(x, 200, "application/json", out->data, out->len);
    } else {
        aim_fail_nomem(&err, "response");
        aimd_respond_error(x, &err, NULL);
    }
    aim_buf_free(out);
}

/* ---- /v1/models --------------------------------------------------------- */

static bool is_on_chip(const aimd_model *m)
{
    return m->chip && aimd_is_analog(m->options.backend);
}

/* A profile is also that of digital weights between converters. */
static void write_chip(aim_buf *out, const aimd_model *m)
{
    const aim_chip *c = m->chip;
    aim_buf_puts(out, ",\"profile\":");
    aimd_json_cstring(out, c->profile.name);
    aim_buf_printf(out, ",\"out_bound\":%.15g,\"input_ranges\":", c->profile.tile.out_bound);
    aimd_json_cstring(out, aim_decoder_range_source(m->model->decoder));
    if (is_on_chip(m))
        aim_buf_printf(out, ",\"seed\":%llu,\"age\":%.15g,\"conductance_bits\":%d",
                       (unsigned long long)c->seed, atomic_load(&m->age),
                       c->profile.conductance_bits);
}

/* How a request to a generator is searched for if it does not say. */
static void write_defaults(aim_buf *out, const aimd_search_defaults *s)
{
    const struct {
        const char *name, *value;
    } texts[] = {
        {"select", s->select},
        {"reward_model", s->reward_model},
        {"reward_aggregation", s->reward_aggregation},
        {"search", s->search},
        {"step_separator", s->step_separator},
        {"answer_pattern", s->answer_pattern},
    };
    aim_buf_printf(out, ",\"defaults\":{\"best_of\":%d,\"beam_width\":%d", s->best_of,
                   s->beam_width);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        aim_buf_printf(out, ",\"%s\":", texts[i].name);
        aimd_json_cstring(out, texts[i].value);
    }
    aim_buf_puts(out, "}");
}

static void write_role(aim_buf *out, const aimd_model *m)
{
    aim_buf_printf(out, ",\"role\":\"%s\"", m->options.role);
    if (m->reward) {
        aim_buf_printf(out, ",\"reward_layout\":\"%s\",\"step_separator\":",
                       aim_reward_layout_name(aim_reward_layout_of(m->reward)));
        aimd_json_cstring(out, aim_reward_separator(m->reward));
    } else {
        write_defaults(out, &m->options.search);
    }
}

/* What llama-server and vLLM say beyond OpenAI's four fields. */
static void write_loaded(aim_buf *out, const aimd_model *m)
{
    const aim_model *loaded = m->model;
    const aim_hf_config *c = &loaded->config;
    aim_buf_printf(out, ",\"max_model_len\":%d,\"meta\":{\"n_vocab\":%d,\"n_ctx_train\":%d,",
                   aim_engine_max_context(loaded->engine), c->vocab, c->max_positions);
    aim_buf_printf(out, "\"n_embd\":%d,\"n_params\":%zu,\"size\":%zu,\"backend\":", c->hidden,
                   aim_hf_config_parameters(c),
                   loaded->checkpoint ? aim_checkpoint_bytes(loaded->checkpoint) : 0);
    aimd_json_cstring(out, aim_decoder_backend(loaded->decoder)->name);
    aim_buf_puts(out, ",\"chat_template\":");
    aimd_json_cstring(out, loaded->chat ? aim_chat_template_name(loaded->chat) : NULL);
    if (m->chip)
        write_chip(out, m);
    write_role(out, m);
    aim_buf_puts(out, "}");
}

/* What a chip was made of: all of its id before the '@', if there is one. */
static void write_parent(aim_buf *out, const aimd_model *m)
{
    const char *at = is_on_chip(m) ? strrchr(m->id, '@') : NULL;
    if (at)
        aimd_json_string(out, m->id, (size_t)(at - m->id));
    else
        aim_buf_puts(out, "null");
}

static void write_model(aim_buf *out, const aimd_model *m)
{
    aim_buf_puts(out, "{\"id\":");
    aimd_json_cstring(out, m->id);
    aim_buf_printf(out, ",\"object\":\"model\",\"created\":%lld,\"owned_by\":\"analogd\",\"root\":",
                   (long long)m->created);
    aimd_json_cstring(out, m->id);
    aim_buf_puts(out, ",\"parent\":");
    write_parent(out, m);
    write_loaded(out, m);
    aim_buf_puts(out, "}");
}

/* The ready ones of a role; *separator is what stands in front of the next. */
static void write_role_models(aim_buf *out, const aimd_daemon *d, bool reward,
                              const char **separator)
{
    for (const aimd_model *m = aimd_models_first(&d->models); m; m = aimd_models_next(m)) {
        if (!aimd_model_is_ready(m) || aimd_is_reward(&m->options) != reward)
            continue;
        aim_buf_puts(out, *separator);
        write_model(out, m);
        *separator = ",";
    }
}

/* Generators first: clients take the first model for the one to talk to. */
void aimd_get_models(aimd_daemon *d, aimd_exchange *x)
{
    aim_buf out = AIM_BUF_INIT;
    const char *separator = "";
    aim_buf_puts(&out, "{\"object\":\"list\",\"data\":[");
    write_role_models(&out, d, false, &separator);
    write_role_models(&out, d, true, &separator);
    aim_buf_puts(&out, "]}");
    send_json(x, &out);
}

void aimd_get_model(aimd_daemon *d, aimd_exchange *x)
{
    static const char prefix[] = "/v1/models/";
    const char *path = aimd_exchange_path(x);
    bool named = strncmp(path, prefix, sizeof prefix - 1) == 0 && path[sizeof prefix - 1];
    const aimd_model *m = named ? aimd_models_look_up(&d->models, path + sizeof prefix - 1) : NULL;
    aim_buf out = AIM_BUF_INIT;
    if (!m || !aimd_model_is_ready(m)) {
        aim_error err = {0};
        aim_fail_param(&err, AIM_ENOTFOUND, "model", "there is no such model");
        aimd_respond_error(x, &err, "model_not_found");
        return;
    }
    write_model(&out, m);
    send_json(x, &out);
}

/* ---- /tokenizer_info ---------------------------------------------------- */

/* What lm_eval reads to work without the tokenizer's files. */
void aimd_get_tokenizer_info(aimd_daemon *d, aimd_exchange *x)
{
    const aimd_model *generator = aimd_models_look_up_first(&d->models, false);
    const aim_model *m = (generator ? generator : aimd_models_first(&d->models))->model;
    aim_buf out = AIM_BUF_INIT;
    aim_buf_puts(&out, "{\"tokenizer_class\":\"PreTrainedTokenizerFast\",\"bos_token\":");
    aimd_json_cstring(&out, aim_tokenizer_bos(m->tokenizer));
    aim_buf_puts(&out, ",\"eos_token\":");
    aimd_json_cstring(&out, aim_tokenizer_eos(m->tokenizer));
    aim_buf_puts(&out, ",\"pad_token\":");
    aimd_json_cstring(&out, aim_tokenizer_pad(m->tokenizer));
    aim_buf_printf(
        &out, ",\"model_max_length\":%d,\"chat_template\":", aim_engine_max_context(m->engine));
    aimd_json_cstring(&out, aim_tokenizer_chat_template(m->tokenizer));
    aim_buf_puts(&out, "}");
    send_json(x, &out);
}
