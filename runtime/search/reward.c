/* SPDX-License-Identifier: Apache-2.0 */
#include "search/reward_impl.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"

#include <string.h>

enum { MAX_FILE = 1 << 20 }; /* bytes of reward.json */

/* ---- does all go together? --------------------------------------------------------- */

static int refuse_key(const struct aim__layout *layout, enum aim__reward_key key, const char *why,
                      aim_error *err)
{
    const char *name = aim__reward_key_name(key);
    return aim_fail_param(err, AIM_EFORMAT, name, AIM__REWARD_JSON ": \"%s\" %s for the layout %s",
                          name, why, layout->name);
}

/* Settings of the file, else the layout's own. */
static int take_settings(aim_reward *r, struct aim__reward_settings *s, aim_error *err)
{
    const struct aim__layout *layout = r->layout;
    for (int i = 0; i < AIM__N_REWARD_KEYS; i++) {
        bool known = layout->keys & 1u << i;
        if (s->text[i] && !known)
            return refuse_key(layout, (enum aim__reward_key)i, "has no meaning", err);
        r->text[i] = s->text[i];
        s->text[i] = NULL;
        if (!r->text[i] && layout->text[i] && !(r->text[i] = aim_strdup(layout->text[i])))
            return aim_fail_nomem(err, AIM__REWARD_JSON);
        if (!r->text[i] && known && i == AIM__REWARD_TEMPLATE)
            return refuse_key(layout, (enum aim__reward_key)i, "is missing", err);
    }
    return AIM_OK;
}

static int check_model(const aim_reward *r, aim_error *err)
{
    const struct aim__layout *layout = r->layout;
    const aim_hf_config *c = r->config;
    bool language = c->head == AIM_HEAD_LANGUAGE;
    if (language != layout->language)
        return aim_fail(err, AIM_EUNSUPPORTED, "the layout %s needs a model with a head of %s",
                        layout->name, layout->language ? "language" : "rewards");
    if (!language &&
        (c->head_outputs < layout->outputs.least || c->head_outputs > layout->outputs.most))
        return aim_fail(err, AIM_EUNSUPPORTED, "the layout %s is not for models with %d outputs",
                        layout->name, c->head_outputs);
    if (layout->needs_chat && !r->chat)
        return aim_fail(err, AIM_EUNSUPPORTED,
                        "the layout %s needs a chat template, and the model's is missing or not "
                        "known; set chat_template",
                        layout->name);
    return AIM_OK;
}

/* Two steps, to see that they are found again. */
static int try_out(const aim_reward *r, aim_error *err)
{
    aim_buf answer = AIM_BUF_INIT;
    aim_reward_input in = {0};
    aim_buf_puts(&answer, "a");
    aim_buf_puts(&answer, r->text[AIM__REWARD_SEPARATOR]);
    aim_buf_puts(&answer, "b");
    int code = answer.failed
                   ? aim_fail_nomem(err, "a reward model's layout")
                   : aim_reward_lay_out(r, "q", 1, answer.data, answer.len, true, &in, err);
    if (!code && in.n_scores != (r->layout->has_steps ? 2 : 1))
        code = aim_fail(err, AIM_EUNSUPPORTED, "the layout %s does not find steps again",
                        r->layout->name);
    aim_reward_input_free(&in);
    aim_buf_free(&answer);
    return code;
}

/* ---- opening ------------------------------------------------------------------------ */

static int build(aim_reward *r, const char *name, const char *json, size_t len, aim_error *err)
{
    struct aim__reward_settings s = {0};
    int code = json ? aim__reward_settings_parse(json, len, &s, err) : AIM_OK;
    r->kind = s.has_layout ? s.layout : aim__reward_recognise(name, r->config);
    r->layout = &aim__layouts[r->kind];
    if (!code)
        code = take_settings(r, &s, err);
    aim__reward_settings_free(&s);
    if (!code)
        code = check_model(r, err);
    if (!code)
        code = aim__learn_bos(r, err);
    if (!code && r->layout->prepare)
        code = r->layout->prepare(r, err);
    return code ? code : try_out(r, err);
}

aim_reward *aim_reward_parse(const char *name, const char *json, size_t json_len,
                             const aim_hf_config *config, const aim_tokenizer *tokenizer,
                             const aim_chat_template *chat, aim_error *err)
{
    aim_reward *r = aim_calloc(1, sizeof *r);
    aim_error reason = {0};
    if (!r) {
        aim_fail_nomem(err, AIM__REWARD_JSON);
        return NULL;
    }
    r->config = config;
    r->tokenizer = tokenizer;
    r->chat = chat;
    int code = build(r, name, json, json_len, &reason);
    if (!code)
        return r;
    aim_fail_param(err, (enum aim_code)code, reason.param, "%s", reason.text);
    aim_reward_free(r);
    return NULL;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* What the model is called: by its folder, and by where config.json says it comes from. */
static void read_name(const char *dir, aim_buf *name)
{
    size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/')
        len--;
    size_t start = len;
    while (start > 0 && dir[start - 1] != '/')
        start--;
    aim_buf_append(name, dir + start, len - start);
    char *path = aim_path_join(dir, "config.json");
    json_t *config = path ? aim_json_load(path, MAX_FILE, NULL) : NULL;
    const char *from = json_string_value(json_object_get(config, "_name_or_path"));
    if (from)
        aim_buf_printf(name, " %s", base_name(from));
    json_decref(config);
    aim_free(path);
}

/* The text of dir/reward.json; NULL with code AIM_OK if there is no such file. */
static int read_file(const char *dir, char **text, size_t *len, aim_error *err)
{
    aim_error reason = {0};
    char *path = aim_path_join(dir, AIM__REWARD_JSON);
    if (!path)
        return aim_fail_nomem(err, AIM__REWARD_JSON);
    *text = aim_read_file(path, MAX_FILE, len, &reason);
    aim_free(path);
    if (*text || reason.code == AIM_ENOTFOUND)
        return AIM_OK;
    return aim_fail(err, reason.code, "%s", reason.text);
}

aim_reward *aim_reward_load(const char *dir, const aim_hf_config *config,
                            const aim_tokenizer *tokenizer, const aim_chat_template *chat,
                            aim_error *err)
{
    char *json = NULL;
    size_t len = 0;
    aim_buf name = AIM_BUF_INIT;
    aim_reward *r = NULL;
    read_name(dir, &name);
    if (name.failed)
        aim_fail_nomem(err, AIM__REWARD_JSON);
    else if (!read_file(dir, &json, &len, err))
        r = aim_reward_parse(name.data, json, len, config, tokenizer, chat, err);
    aim_buf_free(&name);
    aim_free(json);
    return r;
}

void aim_reward_free(aim_reward *r)
{
    if (!r)
        return;
    for (int i = 0; i < AIM__N_REWARD_KEYS; i++)
        aim_free(r->text[i]);
    aim_ids_free(&r->opening);
    aim_ids_free(&r->tagged);
    aim_buf_free(&r->tail);
    aim_free(r);
}

/* ---- asking --------------------------------------------------------------------------- */

enum aim_reward_layout aim_reward_layout_of(const aim_reward *r)
{
    return r->kind;
}

bool aim_reward_has_steps(const aim_reward *r)
{
    return r->layout->has_steps;
}

const char *aim_reward_separator(const aim_reward *r)
{
    return r->text[AIM__REWARD_SEPARATOR];
}

int aim_reward_output_ids(const aim_reward *r, int32_t ids[AIM_MAX_HEAD_OUTPUTS])
{
    if (!r->layout->language)
        return 0;
    ids[0] = r->labels[0];
    ids[1] = r->labels[1];
    return 2;
}
