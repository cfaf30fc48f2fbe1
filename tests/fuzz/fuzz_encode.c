/* SPDX-License-Identifier: Apache-2.0 */
/* Text to encode, with a vocabulary of the 256 bytes, a few merges and a
 * special token, or one of characters in the manner of sentencepiece. Text is
 * refused as invalid UTF-8, or its ids decode to the same text. The first byte
 * picks the pattern and the flags; the others are also taken for ids. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_vocabulary.h"

#include "base/json.h"
#include "text/scan.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

#include <string.h>

/* Five published patterns, one for PCRE2, and one vocabulary of characters. */
enum { TOKENIZERS = 7, CHARACTERS = TOKENIZERS - 1 };

#define SPACE "\xE2\x96\x81"

static aim_tokenizer *tokenizers[TOKENIZERS];

static aim_tokenizer *make(const char *pattern)
{
    static const char *const merges[] = {"a a", "aa aa", "t h", "th e", "\u0120 \u0120"};
    static const char *const results[] = {"aa", "aaaa", "th", "the", "\u0120\u0120"};
    aim_buf doc = AIM_BUF_INIT;
    json_t *regex = json_string(pattern);
    char *quoted = json_dumps(regex, JSON_ENCODE_ANY);
    json_free_t release;
    json_get_alloc_funcs(NULL, &release);
    aim_buf_printf(&doc,
                   "{\"added_tokens\":[{\"id\":256,\"content\":\"<|end|>\",\"special\":true}],"
                   "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":"
                   "\"Split\",\"pattern\":{\"Regex\":%s},\"behavior\":\"Isolated\"},"
                   "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]},"
                   "\"model\":{\"vocab\":{",
                   quoted);
    put_byte_vocabulary(&doc);
    for (int i = 0; i < 5; i++)
        aim_buf_printf(&doc, "%s\"%s\":%d", i ? "," : "", results[i], 257 + i);
    aim_buf_puts(&doc, "},\"merges\":[");
    for (int i = 0; i < 5; i++)
        aim_buf_printf(&doc, "%s\"%s\"", i ? "," : "", merges[i]);
    aim_buf_puts(&doc, "]}}");
    release(quoted);
    json_decref(regex);
    aim_error err = {0};
    aim_tokenizer *t = aim_tokenizer_parse(doc.data, doc.len, NULL, 0, &err);
    if (!t)
        fprintf(stderr, "%s\n", err.text);
    aim_buf_free(&doc);
    return t;
}

static aim_tokenizer *make_of_characters(void)
{
    aim_buf doc = AIM_BUF_INIT;
    aim_buf_puts(&doc, "{\"added_tokens\":[{\"id\":0,\"content\":\"<s>\",\"special\":true}],"
                       "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":["
                       "{\"type\":\"Prepend\",\"prepend\":\"" SPACE "\"},{\"type\":\"Replace\","
                       "\"pattern\":{\"String\":\" \"},\"content\":\"" SPACE "\"}]},"
                       "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\","
                       "\"pattern\":{\"String\":\"" SPACE "\"},\"content\":\" \"},"
                       "{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},"
                       "{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}]},"
                       "\"model\":{\"byte_fallback\":true,\"vocab\":{");
    for (int b = 0; b < 256; b++)
        aim_buf_printf(&doc, "\"<0x%02X>\":%d,", (unsigned)b, b + 1);
    aim_buf_puts(&doc, "\"" SPACE "\":257,\"a\":258,\"aa\":259,\"" SPACE "a\":260,\"\u00E9\":261},"
                       "\"merges\":[\"a a\",\"" SPACE " a\"]}}");
    aim_error err = {0};
    aim_tokenizer *t = aim_tokenizer_parse(doc.data, doc.len, NULL, 0, &err);
    if (!t)
        fprintf(stderr, "%s\n", err.text);
    aim_buf_free(&doc);
    return t;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    aim_json_init();
    for (int i = 0; i < CHARACTERS - 1; i++)
        tokenizers[i] = make(aim__known_patterns[i].pattern);
    tokenizers[CHARACTERS] = make_of_characters();
    tokenizers[CHARACTERS - 1] = make("[\\p{L}\\p{M}]+|\\p{N}{1,3}|[^\\s\\p{L}]+|\\s+(?!\\S)|\\s+");
    for (int i = 0; i < TOKENIZERS; i++)
        FUZZ_EXPECT(tokenizers[i] != NULL);
    return 0;
}

/* Decoded whole and token by token, the ids must give the same; it goes to
 * text. */
static void decode(const aim_tokenizer *t, const int32_t *ids, size_t n, aim_buf *text)
{
    aim_buf pieces = AIM_BUF_INIT;
    aim_detok d;
    FUZZ_EXPECT(aim_tokenizer_decode(t, ids, n, false, text, NULL) == AIM_OK);
    aim_detok_init(&d, t, false);
    for (size_t i = 0; i < n; i++)
        aim_detok_push(&d, ids[i], &pieces);
    aim_detok_flush(&d, &pieces);
    aim_detok_free(&d);
    FUZZ_EXPECT(pieces.len == text->len);
    FUZZ_EXPECT(pieces.len == 0 || memcmp(pieces.data, text->data, text->len) == 0);
    aim_buf_free(&pieces);
}

static void expect_text(const aim_tokenizer *t, const aim_ids *ids, const char *text, size_t len)
{
    aim_buf back = AIM_BUF_INIT;
    decode(t, ids->v, ids->n, &back);
    FUZZ_EXPECT(back.len == len && (len == 0 || memcmp(back.data, text, len) == 0));
    aim_buf_free(&back);
}

/* The text of any ids is UTF-8. */
static void decode_bytes(const aim_tokenizer *t, const uint8_t *bytes, size_t n)
{
    aim_buf text = AIM_BUF_INIT;
    aim_ids ids = {0};
    for (size_t i = 0; i < n; i++)
        FUZZ_EXPECT(aim_ids_push(&ids, bytes[i] + (i % 2 ? 8 : 0)));
    decode(t, ids.v, ids.n, &text);
    FUZZ_EXPECT(aim__utf8_check(text.data, text.len) == text.len);
    aim_ids_free(&ids);
    aim_buf_free(&text);
}

/* The sign for a space reads as a space, and after a special token there is one
 * more. */
static bool reads_back(const aim_tokenizer *t, const aim_ids *ids, const char *text, size_t len)
{
    if (t != tokenizers[CHARACTERS])
        return true;
    for (size_t i = 0; i < ids->n; i++)
        if (ids->v[i] == 0)
            return false;
    for (size_t i = 0; i + 3 <= len; i++)
        if (memcmp(text + i, SPACE, 3) == 0)
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const aim_tokenizer *t = tokenizers[data[0] % TOKENIZERS];
    unsigned flags = data[0] & 0x80 ? AIM_PARSE_SPECIAL : 0;
    const char *text = (const char *)data + 1;
    size_t len = size - 1;
    aim_span half = {0, data[0] & 0x40 ? len / 2 : 0};
    aim_ids ids = {0};
    aim_error err = {0};
    int code = aim_tokenizer_encode(t, text, len, flags, &half, half.end > 0, &ids, &err);
    FUZZ_EXPECT(code == (int)err.code);
    if (code == AIM_OK && reads_back(t, &ids, text, len))
        expect_text(t, &ids, text, len);
    else if (code)
        FUZZ_EXPECT(code == AIM_EINVAL && err.text[0] != '\0' && ids.n == 0);
    aim_ids_free(&ids);
    decode_bytes(t, data + 1, size - 1);
    return 0;
}
