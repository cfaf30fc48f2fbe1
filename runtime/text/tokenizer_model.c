/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_model.c - the vocabulary, the merges and the added tokens of
 * tokenizer.json. */
#include "text/tokenizer_internal.h"

#include "base/alloc.h"
#include "text/byte_alphabet.h"

#include <string.h>

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

static int add_token(struct aim__vocab *v, const char *text, size_t len, int32_t id,
                     unsigned char *bytes, aim_error *err)
{
    if (v->v[id].flags & AIM__TOKEN_PRESENT)
        return aim_fail_param(err, AIM_EFORMAT, "vocab",
                              VOCAB ": id %d stands for more than one token, one is \"%.64s\"",
                              (int)id, text);
    ptrdiff_t n = aim__byte_alphabet_decode(text, len, bytes);
    if (n < 0) {
        /* Not a token of bytes: the model never makes it, and it reads as it
         * is written. */
        aim__vocab_set(v, id, text, len);
        return AIM_OK;
    }
    aim__vocab_set(v, id, (const char *)bytes, (size_t)n);
    aim__vocab_index(v, id);
    return AIM_OK;
}

static int fill_vocab(struct aim__vocab *v, json_t *vocab, aim_error *err)
{
    const char *text;
    size_t len;
    json_t *id;
    int code = AIM_OK;
    unsigned char *bytes = aim_malloc(v->room);
    if (!bytes)
        return aim_fail_nomem(err, VOCAB);
    json_object_keylen_foreach(vocab, text, len, id)
    {
        if (!code)
            code = add_token(v, text, len, (int32_t)json_integer_value(id), bytes, err);
    }
    aim_free(bytes);
    return code;
}

static int find_bytes(aim_tokenizer *t, aim_error *err)
{
    for (int b = 0; b < 256; b++) {
        const char byte = (char)b;
        t->bpe.byte_id[b] = aim__vocab_find(&t->vocab, &byte, 1);
        if (t->bpe.byte_id[b] < 0)
            return aim_fail_param(err, AIM_EFORMAT, "vocab",
                                  VOCAB ": no token for byte 0x%02X; only byte-level vocabularies "
                                        "are supported",
                                  b);
    }
    return AIM_OK;
}

static int read_vocab(aim_tokenizer *t, const json_t *root, json_t *vocab, aim_error *err)
{
    struct extent e = {0};
    int code = measure_vocab(&e, vocab, err);
    if (!code)
        code = measure_added(&e, json_object_get(root, "added_tokens"), err);
    if (code)
        return code;
    if (!aim__vocab_init(&t->vocab, e.size, e.bytes, json_object_size(vocab)))
        return aim_fail_nomem(err, VOCAB);
    code = fill_vocab(&t->vocab, vocab, err);
    return code ? code : find_bytes(t, err);
}

/* ---- merges ---------------------------------------------------------------- */

/* Where the bytes of a merge are put together; as long as the longest. */
struct joint {
    unsigned char *bytes;
    size_t room;
};

/* The token of one side of a merge, its bytes appended at bytes + *n; -1 if
 * there is none. */
static int32_t side(const struct aim__vocab *v, const char *text, size_t len, unsigned char *bytes,
                    size_t *n)
{
    ptrdiff_t got = aim__byte_alphabet_decode(text, len, bytes + *n);
    if (got < 0)
        return -1;
    const char *from = (const char *)bytes + *n;
    *n += (size_t)got;
    return aim__vocab_find(v, from, (size_t)got);
}

/* A merge is "left right" or ["left", "right"]. */
static bool sides(const json_t *merge, const char *text[2], size_t len[2])
{
    if (json_is_array(merge) && json_array_size(merge) == 2) {
        for (size_t i = 0; i < 2; i++) {
            const json_t *s = json_array_get(merge, i);
            text[i] = json_string_value(s);
            len[i] = json_string_length(s);
        }
        return text[0] && text[1];
    }
    const char *whole = json_string_value(merge), *space = whole ? strchr(whole, ' ') : NULL;
    if (!space || strchr(space + 1, ' '))
        return false;
    text[0] = whole;
    len[0] = (size_t)(space - whole);
    text[1] = space + 1;
    len[1] = strlen(space + 1);
    return true;
}

static int fail_merge(size_t rank, const char *text, size_t len, aim_error *err)
{
    return aim_fail_param(err, AIM_EFORMAT, "merges",
                          MODEL ".merges[%zu]: \"%.*s\" is not in the vocabulary", rank,
                          (int)(len < 64 ? len : 64), text);
}

static int read_merge(aim_tokenizer *t, const json_t *merge, size_t rank, struct joint *j,
                      aim_error *err)
{
    const char *text[2];
    size_t len[2], n = 0;
    if (!sides(merge, text, len))
        return aim_fail_param(err, AIM_EFORMAT, "merges",
                              MODEL ".merges[%zu]: must be \"left right\" or [\"left\", \"right\"]",
                              rank);
    if (!aim_grow(&j->bytes, &j->room, len[0] + len[1], 1))
        return aim_fail_nomem(err, MODEL ".merges");
    int32_t id[2];
    for (int i = 0; i < 2; i++) {
        id[i] = side(&t->vocab, text[i], len[i], j->bytes, &n);
        if (id[i] < 0)
            return fail_merge(rank, text[i], len[i], err);
    }
    int32_t result = aim__vocab_find(&t->vocab, (const char *)j->bytes, n);
    if (result < 0)
        return aim_fail_param(err, AIM_EFORMAT, "merges",
                              MODEL
                              ".merges[%zu]: the merge of \"%.*s\" and \"%.*s\" is not in the "
                              "vocabulary",
                              rank, (int)(len[0] < 64 ? len[0] : 64), text[0],
                              (int)(len[1] < 64 ? len[1] : 64), text[1]);
    aim__bpe_add(&t->bpe, id[0], id[1], result, (uint32_t)rank);
    return AIM_OK;
}

static int read_merges(aim_tokenizer *t, const json_t *merges, aim_error *err)
{
    struct joint j = {0};
    int code = AIM_OK;
    size_t n = json_array_size(merges);
    if (!json_is_array(merges))
        return aim_fail_param(err, AIM_EFORMAT, "merges", MODEL ": \"merges\" must be an array");
    if (n > AIM__MAX_MERGES)
        return aim_fail_param(err, AIM_ETOOLARGE, "merges",
                              MODEL ": \"merges\" has %zu entries, at most %d are allowed", n,
                              AIM__MAX_MERGES);
    if (!aim__bpe_init(&t->bpe, n))
        return aim_fail_nomem(err, MODEL ".merges");
    for (size_t rank = 0; rank < n && !code; rank++)
        code = read_merge(t, json_array_get(merges, rank), rank, &j, err);
    aim_free(j.bytes);
    return code;
}

/* ---- model ------------------------------------------------------------------ */

static int refuse_options(const json_t *model, aim_error *err)
{
    static const char *const options[] = {
        "dropout",  "unk_token",     "continuing_subword_prefix", "end_of_word_suffix",
        "fuse_unk", "byte_fallback",
    };
    const char *type = "BPE";
    int code = aim_json_string(model, "type", false, MODEL, &type, err);
    if (!code && strcmp(type, "BPE") != 0)
        code = aim__refuse(json_object_get(model, "type"), MODEL, "type", err);
    for (size_t i = 0; i < sizeof options / sizeof *options && !code; i++)
        code = aim__refuse_if_set(model, options[i], MODEL, err);
    return code;
}

int aim__read_model(aim_tokenizer *t, const json_t *root, aim_error *err)
{
    const json_t *model = json_object_get(root, "model");
    if (!json_is_object(model))
        return aim_fail_param(err, AIM_EFORMAT, "model",
                              AIM__TOKENIZER_JSON ": \"model\" must be an object");
    int code = refuse_options(model, err);
    if (!code)
        code = aim_json_bool(model, "ignore_merges", false, MODEL, &t->bpe.ignore_merges, err);
    if (!code)
        code = read_vocab(t, root, json_object_get(model, "vocab"), err);
    if (!code)
        code = read_merges(t, json_object_get(model, "merges"), err);
    if (!code && !aim__bpe_mark_whole(&t->bpe, &t->vocab))
        code = aim_fail_nomem(err, MODEL);
    return code;
}
