/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_vocab.c - the vocabulary of tokenizer.json. */
#include "text/tokenizer_internal.h"

#include "base/alloc.h"
#include "text/byte_alphabet.h"

#define MODEL AIM__TOKENIZER_JSON ": model"
#define VOCAB AIM__TOKENIZER_JSON ": model.vocab"

/* What the file needs room for. */
struct extent {
    int32_t size; /* one more than the highest id */
    size_t bytes; /* of all token texts */
};

static int measure_token(struct extent *e, const char *where, const char *text, size_t len,
                         const json_t *id, aim_error *err)
{
    if (!json_is_integer(id) || json_integer_value(id) < 0 ||
        json_integer_value(id) >= AIM__MAX_IDS)
        return aim_fail_param(err, AIM_EFORMAT, "id",
                              "%s: the id of \"%.64s\" must be an integer between 0 and %d", where,
                              text, AIM__MAX_IDS - 1);
    if (len > AIM__MAX_TOKEN)
        return aim_fail_param(err, AIM_ETOOLARGE, "vocab",
                              "%s: token %d has %zu bytes, at most %d are allowed", where,
                              (int)json_integer_value(id), len, AIM__MAX_TOKEN);
    if (json_integer_value(id) >= e->size)
        e->size = (int32_t)json_integer_value(id) + 1;
    e->bytes += len;
    return AIM_OK;
}

static int measure_vocab(struct extent *e, json_t *vocab, aim_error *err)
{
    const char *text;
    size_t len;
    json_t *id;
    int code = AIM_OK;
    if (!json_is_object(vocab))
        return aim_fail_param(err, AIM_EFORMAT, "vocab", MODEL ": \"vocab\" must be an object");
    if (json_object_size(vocab) > AIM__MAX_IDS)
        return aim_fail_param(err, AIM_ETOOLARGE, "vocab",
                              MODEL ": \"vocab\" has %zu entries, at most %d are allowed",
                              json_object_size(vocab), AIM__MAX_IDS);
    json_object_keylen_foreach(vocab, text, len, id)
    {
        if (!code)
            code = measure_token(e, VOCAB, text, len, id, err);
    }
    return code;
}

/* Only sizes here; aim__read_added_tokens checks the rest. */
static int measure_added(struct extent *e, const json_t *added, aim_error *err)
{
    size_t n = json_array_size(added);
    int code = AIM_OK;
    if (n > AIM__MAX_ADDED)
        return aim_fail_param(err, AIM_ETOOLARGE, "added_tokens",
                              AIM__TOKENIZER_JSON ": \"added_tokens\" has %zu entries, at most %d "
                                                  "are allowed",
                              n, AIM__MAX_ADDED);
    for (size_t i = 0; i < n && !code; i++) {
        const json_t *token = json_array_get(added, i), *text = json_object_get(token, "content");
        const char *content = json_string_value(text);
        code = measure_token(e, AIM__TOKENIZER_JSON ": added_tokens", content ? content : "",
                             json_string_length(text), json_object_get(token, "id"), err);
    }
    return code;
}

/* ---- vocabulary ----------------------------------------------------------- */

static int set_reading(aim_tokenizer *t, const char *text, size_t len, bool first,
                       struct aim__reading *out, aim_error *err)
{
    struct aim__vocab *v = &t->vocab;
    size_t start = v->readings.len;
    int code = aim__decoder_read(&t->decoder, text, len, first, &v->readings, &out->byte, err);
    if (!code && v->readings.len > AIM__MAX_READINGS)
        code = aim_fail(err, AIM_ETOOLARGE,
                        AIM__TOKENIZER_JSON ": decoder: all tokens together read as more than %d "
                                            "bytes",
                        AIM__MAX_READINGS);
    if (code)
        return code;
    out->start = (uint32_t)start;
    out->len = (uint32_t)(v->readings.len - start);
    return AIM_OK;
}

int aim__set_reading(aim_tokenizer *t, int32_t id, const char *text, size_t len, aim_error *err)
{
    struct aim__reading *r = t->vocab.v[id].reading;
    int code = set_reading(t, text, len, false, &r[0], err);
    r[1] = r[0];
    if (!code && aim__decoder_first_differs(&t->decoder))
        code = set_reading(t, text, len, true, &r[1], err);
    return code;
}

/* A token that is not of bytes stays as it is written: the model never makes
 * it. */
static void set_byte_token(struct aim__vocab *v, const char *text, size_t len, int32_t id,
                           unsigned char *bytes)
{
    ptrdiff_t n = aim__byte_alphabet_decode(text, len, bytes);
    if (n < 0) {
        aim__vocab_set(v, id, text, len);
        return;
    }
    aim__vocab_set(v, id, (const char *)bytes, (size_t)n);
    aim__vocab_index(v, id);
}

static int add_token(aim_tokenizer *t, const char *text, size_t len, int32_t id,
                     unsigned char *bytes, aim_error *err)
{
    if (t->vocab.v[id].flags & AIM__TOKEN_PRESENT)
        return aim_fail_param(err, AIM_EFORMAT, "vocab",
                              VOCAB ": id %d stands for more than one token, one is \"%.64s\"",
                              (int)id, text);
    if (t->pretokenizer.byte_level) {
        set_byte_token(&t->vocab, text, len, id, bytes);
    } else {
        aim__vocab_set(&t->vocab, id, text, len);
        aim__vocab_index(&t->vocab, id);
    }
    return aim__set_reading(t, id, text, len, err);
}

static int fill_vocab(aim_tokenizer *t, json_t *vocab, aim_error *err)
{
    const char *text;
    size_t len;
    json_t *id;
    int code = AIM_OK;
    unsigned char *bytes = aim_malloc(t->vocab.room);
    if (!bytes)
        return aim_fail_nomem(err, VOCAB);
    json_object_keylen_foreach(vocab, text, len, id)
    {
        if (!code)
            code = add_token(t, text, len, (int32_t)json_integer_value(id), bytes, err);
    }
    aim_free(bytes);
    return code;
}

int aim__read_vocab(aim_tokenizer *t, const json_t *root, json_t *vocab, aim_error *err)
{
    struct extent e = {0};
    int code = measure_vocab(&e, vocab, err);
    if (!code)
        code = measure_added(&e, json_object_get(root, "added_tokens"), err);
    if (code)
        return code;
    if (!aim__vocab_init(&t->vocab, e.size, e.bytes, json_object_size(vocab)))
        return aim_fail_nomem(err, VOCAB);
    return fill_vocab(t, vocab, err);
}
