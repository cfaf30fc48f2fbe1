/* SPDX-License-Identifier: Apache-2.0 */
#include "text/tokenizer_internal.h"

#include "base/alloc.h"

#include <string.h>

void aim_ids_free(aim_ids *ids)
{
    aim_free(ids->v);
    *ids = (aim_ids){0};
}

bool aim_ids_push(aim_ids *ids, int32_t id)
{
    if (ids->n == ids->room && !aim_grow(&ids->v, &ids->room, ids->n + 1, sizeof *ids->v))
        return false;
    ids->v[ids->n++] = id;
    return true;
}

/* ---- loading ------------------------------------------------------------------ */

static int read_parts(aim_tokenizer *t, const json_t *root, aim_error *err)
{
    if (!json_is_object(root))
        return aim_fail(err, AIM_EFORMAT, AIM__TOKENIZER_JSON ": must be an object");
    /* truncation and padding say how to cut and fill batches, which is the
     * caller's business here; they are not read. */
    int code = aim__read_normalizer(t, root, err);
    if (!code)
        code = aim__read_pretokenizer(t, root, err);
    if (!code)
        code = aim__read_decoder(t, root, err);
    if (!code)
        code = aim__read_model(t, root, err);
    if (!code)
        code = aim__read_added_tokens(t, root, err);
    if (!code)
        code = aim__read_post_processor(t, root, err);
    return code;
}

/* A vocabulary needs more memory a byte of JSON than other documents: merges
 * written as pairs are an array and two strings each. */
static size_t json_budget(size_t len)
{
    return ((size_t)8 << 20) + 24 * (len < AIM__MAX_FILE / 4 ? len : AIM__MAX_FILE / 4) + 6 * len;
}

static int read_tokenizer(aim_tokenizer *t, const char *json, size_t len, aim_error *err)
{
    json_t *root = aim_json_parse(json, len, json_budget(len), AIM__TOKENIZER_JSON, err);
    if (!root)
        return AIM_EFORMAT;
    int code = read_parts(t, root, err);
    json_decref(root);
    return code;
}

aim_tokenizer *aim_tokenizer_parse(const char *json, size_t len, const char *config,
                                   size_t config_len, aim_error *err)
{
    aim_tokenizer *t = aim_calloc(1, sizeof *t);
    if (!t) {
        aim_fail_nomem(err, AIM__TOKENIZER_JSON);
        return NULL;
    }
    t->bos_id = -1;
    int code = read_tokenizer(t, json, len, err);
    if (!code && config)
        code = aim__read_config(t, config, config_len, err);
    if (!code)
        return t;
    aim_tokenizer_free(t);
    return NULL;
}

void aim_tokenizer_free(aim_tokenizer *t)
{
    if (!t)
        return;
    aim__vocab_fini(&t->vocab);
    aim__bpe_fini(&t->bpe);
    aim__normalizer_fini(&t->normalizer);
    aim__pretokenizer_fini(&t->pretokenizer);
    aim__decoder_fini(&t->decoder);
    aim__added_fini(&t->added[0]);
    aim__added_fini(&t->added[1]);
    aim_ids_free(&t->before);
    aim_ids_free(&t->after);
    aim_free(t->bos);
    aim_free(t->eos);
    aim_free(t->pad);
    aim_free(t->chat_template);
    aim_free(t);
}

/* ---- tokens --------------------------------------------------------------------- */

int32_t aim_tokenizer_size(const aim_tokenizer *t)
{
    return t->vocab.size;
}

const char *aim_tokenizer_bytes(const aim_tokenizer *t, int32_t id, size_t *len)
{
    *len = 0;
    if (id < 0 || id >= t->vocab.size)
        return "";
    const struct aim__reading *r = &t->vocab.v[id].reading[0];
    *len = r->len;
    return aim__vocab_read(&t->vocab, r);
}

bool aim_tokenizer_is_special(const aim_tokenizer *t, int32_t id)
{
    return id >= 0 && id < t->vocab.size && t->vocab.v[id].flags & AIM__TOKEN_SPECIAL;
}

int32_t aim_tokenizer_find(const aim_tokenizer *t, const char *text)
{
    size_t len = strlen(text);
    for (int s = 0; s < 2; s++) {
        for (size_t i = 0; i < t->added[s].n; i++) {
            const struct aim__token *token = &t->vocab.v[t->added[s].v[i].id];
            if (token->len == len && memcmp(token->text, text, len) == 0)
                return t->added[s].v[i].id;
        }
    }
    return aim__vocab_find(&t->vocab, text, len);
}

const char *aim_tokenizer_bos(const aim_tokenizer *t)
{
    return t->bos;
}

const char *aim_tokenizer_eos(const aim_tokenizer *t)
{
    return t->eos;
}

const char *aim_tokenizer_pad(const aim_tokenizer *t)
{
    return t->pad;
}

int32_t aim_tokenizer_bos_id(const aim_tokenizer *t)
{
    return t->bos_id;
}

const char *aim_tokenizer_chat_template(const aim_tokenizer *t)
{
    return t->chat_template;
}
