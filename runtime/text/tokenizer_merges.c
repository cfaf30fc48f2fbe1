/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_merges.c - the merges of tokenizer.json. */
#include "text/tokenizer_internal.h"

#include "base/alloc.h"
#include "text/byte_alphabet.h"

#include <string.h>

#define MODEL AIM__TOKENIZER_JSON ": model"

/* Where the bytes of a merge are put together; as long as the longest. */
struct joint {
    unsigned char *bytes;
    size_t room;
};

/* The token of one side of a merge, what it is made of appended at bytes + *n;
 * -1 if there is none. */
static int32_t side(const aim_tokenizer *t, const char *text, size_t len, unsigned char *bytes,
                    size_t *n)
{
    ptrdiff_t got = (ptrdiff_t)len;
    if (t->pretokenizer.byte_level)
        got = aim__byte_alphabet_decode(text, len, bytes + *n);
    else if (len > 0)
        memcpy(bytes + *n, text, len);
    if (got < 0)
        return -1;
    const char *from = (const char *)bytes + *n;
    *n += (size_t)got;
    return aim__vocab_find(&t->vocab, from, (size_t)got);
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

/* The first line of a merges.txt, which older files have kept. */
static bool is_version(const json_t *merge)
{
    const char *text = json_string_value(merge);
    return text && strncmp(text, "#version", strlen("#version")) == 0;
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
    if (!aim_grow(&j->bytes, &j->room, len[0] + len[1] + 1, 1))
        return aim_fail_nomem(err, MODEL ".merges");
    int32_t id[2];
    for (int i = 0; i < 2; i++) {
        id[i] = side(t, text[i], len[i], j->bytes, &n);
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

int aim__read_merges(aim_tokenizer *t, const json_t *merges, aim_error *err)
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
    for (size_t rank = 0; rank < n && !code; rank++) {
        const json_t *merge = json_array_get(merges, rank);
        if (!is_version(merge))
            code = read_merge(t, merge, rank, &j, err);
    }
    aim_free(j.bytes);
    return code;
}
