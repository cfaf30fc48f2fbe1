/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_added.c - the added tokens of tokenizer.json. */
#include "text/tokenizer_internal.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

/* One entry, and what the entry says beside what is kept. */
struct entry {
    struct aim__added_token token;
    bool normalized;
};

static int read_flags(struct entry *e, const json_t *obj, const char *where, aim_error *err)
{
    struct {
        const char *key;
        bool *value;
    } flags[] = {
        {"special", &e->token.special}, {"single_word", &e->token.single_word},
        {"lstrip", &e->token.lstrip},   {"rstrip", &e->token.rstrip},
        {"normalized", &e->normalized},
    };
    int code = AIM_OK;
    for (size_t i = 0; i < sizeof flags / sizeof *flags && !code; i++)
        code = aim_json_bool(obj, flags[i].key, false, where, flags[i].value, err);
    return code;
}

static int read_content(struct entry *e, const json_t *obj, const char *where, aim_error *err)
{
    int64_t id = 0;
    int code = aim_json_int(obj, "id", 0, AIM__MAX_IDS - 1, true, where, &id, err);
    if (!code)
        code = aim_json_string(obj, "content", true, where, &e->token.text, err);
    if (code)
        return code;
    size_t len = json_string_length(json_object_get(obj, "content"));
    if (len == 0 || len > AIM__MAX_ADDED_LENGTH)
        return aim_fail_param(err, AIM_EFORMAT, "content",
                              "%s: \"content\" has %zu bytes, must have 1 to %d", where, len,
                              AIM__MAX_ADDED_LENGTH);
    e->token.len = (uint32_t)len;
    e->token.id = (int32_t)id;
    return AIM_OK;
}

/* What is searched for in normalised text is normalised itself; the deadline is
 * for patterns. */
static int normalize_content(const aim_tokenizer *t, struct aim__added_token *token,
                             uint64_t deadline, const char *where, aim_error *err)
{
    struct aim__normal_text normal = {0};
    struct aim__allowance allowance = {AIM__MAX_NORMALIZERS * AIM__MAX_ADDED_LENGTH, deadline};
    int code = aim__normalize(&t->normalizer, token->text, token->len, &allowance, &normal, err);
    if (code == AIM_ETOOLARGE || normal.bytes.len > AIM__MAX_ADDED_LENGTH)
        code = aim_fail_param(err, AIM_ETOOLARGE, "content",
                              "%s: the normalizer makes more than %d bytes of \"content\"", where,
                              AIM__MAX_ADDED_LENGTH);
    if (!code && normal.bytes.len == 0)
        code = aim_fail_param(err, AIM_EUNSUPPORTED, "content",
                              "%s: nothing is left of \"content\" by the normalizer, which is not "
                              "supported",
                              where);
    if (!code) {
        size_t len = 0;
        token->owned = aim_buf_steal(&normal.bytes, &len);
        token->text = token->owned;
        token->len = (uint32_t)len;
        code = token->owned ? AIM_OK : aim_fail_nomem(err, where);
    }
    aim__normal_text_free(&normal);
    return code;
}

/* A token may stand in the vocabulary too, then with the same id; otherwise
 * its id must be free. */
static int check_id(const aim_tokenizer *t, const struct entry *e, const json_t *vocab,
                    const char *where, aim_error *err)
{
    const json_t *known = json_object_get(vocab, e->token.text);
    if (known && json_integer_value(known) != e->token.id)
        return aim_fail_param(err, AIM_EFORMAT, "id", "%s: \"id\" is %d, but the vocabulary has %d",
                              where, (int)e->token.id, (int)json_integer_value(known));
    if (!known && t->vocab.v[e->token.id].flags & AIM__TOKEN_PRESENT)
        return aim_fail_param(err, AIM_EFORMAT, "id", "%s: \"id\" is %d, which another token has",
                              where, (int)e->token.id);
    return AIM_OK;
}

/* From now on the id reads as it is searched for, whatever the vocabulary gave
 * it. */
static int add_entry(aim_tokenizer *t, struct entry *e, uint64_t deadline, const char *where,
                     aim_error *err)
{
    int code = AIM_OK;
    aim__vocab_set(&t->vocab, e->token.id, e->token.text, e->token.len);
    struct aim__token *token = &t->vocab.v[e->token.id];
    token->flags |= e->token.special ? AIM__TOKEN_SPECIAL : 0;
    e->token.text = token->text;
    if (e->normalized && t->normalizer.n > 0)
        code = normalize_content(t, &e->token, deadline, where, err);
    struct aim__added_set *set = &t->added[e->normalized];
    set->v[set->n++] = e->token;
    set->any_special |= e->token.special;
    return code ? code : aim__set_reading(t, e->token.id, e->token.text, e->token.len, err);
}

static int read_entry(aim_tokenizer *t, const json_t *obj, const json_t *vocab, uint64_t deadline,
                      const char *where, aim_error *err)
{
    struct entry e = {0};
    if (!json_is_object(obj))
        return aim_fail_param(err, AIM_EFORMAT, "added_tokens", "%s: must be an object", where);
    int code = read_content(&e, obj, where, err);
    if (!code)
        code = read_flags(&e, obj, where, err);
    if (!code)
        code = check_id(t, &e, vocab, where, err);
    return code ? code : add_entry(t, &e, deadline, where, err);
}

/* No two tokens may have the same content, or the same in normal form. */
static int check_twice(const aim_tokenizer *t, aim_error *err)
{
    for (int s = 0; s < 2; s++) {
        for (size_t i = 0; i < t->added[s].n; i++) {
            const struct aim__added_token *a = &t->added[s].v[i], *next = a + 1;
            const struct aim__token *token = &t->vocab.v[a->id];
            bool twice = i + 1 < t->added[s].n && a->len == next->len &&
                         memcmp(a->text, next->text, a->len) == 0;
            if (twice || (s == 1 && aim__added_find(&t->added[0], token->text, token->len)))
                return aim_fail_param(err, AIM_EFORMAT, "content",
                                      AIM__TOKENIZER_JSON ": added_tokens: \"%.*s\" is there twice",
                                      token->len < 64 ? (int)token->len : 64, token->text);
        }
    }
    return AIM_OK;
}

int aim__read_added_tokens(aim_tokenizer *t, const json_t *root, aim_error *err)
{
    const json_t *added = json_object_get(root, "added_tokens");
    const json_t *vocab = json_object_get(json_object_get(root, "model"), "vocab");
    uint64_t deadline = aim__pattern_deadline(); /* for all of them */
    size_t n = json_array_size(added);
    int code = AIM_OK;
    if (added && !json_is_null(added) && !json_is_array(added))
        return aim_fail_param(err, AIM_EFORMAT, "added_tokens",
                              AIM__TOKENIZER_JSON ": \"added_tokens\" must be an array");
    for (int s = 0; s < 2; s++) {
        t->added[s].v = aim_array(n, sizeof *t->added[s].v);
        if (!t->added[s].v)
            return aim_fail_nomem(err, AIM__TOKENIZER_JSON ": added_tokens");
    }
    for (size_t i = 0; i < n && !code; i++) {
        char where[80];
        snprintf(where, sizeof where, AIM__TOKENIZER_JSON ": added_tokens[%zu]", i);
        code = read_entry(t, json_array_get(added, i), vocab, deadline, where, err);
    }
    if (code)
        return code;
    for (int s = 0; s < 2; s++)
        aim__added_sort(&t->added[s]);
    return check_twice(t, err);
}
