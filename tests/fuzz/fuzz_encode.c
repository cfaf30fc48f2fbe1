/* SPDX-License-Identifier: Apache-2.0 */
/* Text to encode, with a vocabulary of the 256 bytes, a few merges and a
 * special token. Text is refused as invalid UTF-8, or its ids decode to the
 * same text. The first byte picks the pattern and the flags. */
#include "tests/fuzz/fuzz.h"

#include "base/json.h"
#include "text/scan.h"
#include "text/tokenizer.h"

#include <string.h>

enum { TOKENIZERS = 6 }; /* five published patterns, and one for PCRE2 */

static aim_tokenizer *tokenizers[TOKENIZERS];

/* Append byte b as byte-level vocabularies write it. */
static void put_byte_char(aim_buf *out, int b)
{
    int cp = 0, others = 0;
    for (int i = 0; i <= b; i++) {
        bool printable = (i >= '!' && i <= '~') || (i >= 0xA1 && i <= 0xAC) || i >= 0xAE;
        cp = printable ? i : 256 + others++;
    }
    if (cp == '"' || cp == '\\')
        aim_buf_puts(out, "\\");
    if (cp < 0x80)
        aim_buf_printf(out, "%c", cp);
    else
        aim_buf_printf(out, "%c%c", 0xC0 | cp >> 6, 0x80 | (cp & 0x3F));
}

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
    for (int b = 0; b < 256; b++) {
        aim_buf_puts(&doc, "\"");
        put_byte_char(&doc, b);
        aim_buf_printf(&doc, "\":%d,", b);
    }
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

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    aim_json_init();
    for (int i = 0; i < TOKENIZERS - 1; i++)
        tokenizers[i] = make(aim__known_patterns[i].pattern);
    tokenizers[TOKENIZERS - 1] = make("[\\p{L}\\p{M}]+|\\p{N}{1,3}|[^\\s\\p{L}]+|\\s+(?!\\S)|\\s+");
    for (int i = 0; i < TOKENIZERS; i++)
        FUZZ_EXPECT(tokenizers[i] != NULL);
    return 0;
}

/* Decoded whole and token by token, the ids must give the text again. */
static void expect_text(const aim_tokenizer *t, const aim_ids *ids, const char *text, size_t len)
{
    aim_buf whole = AIM_BUF_INIT, pieces = AIM_BUF_INIT;
    aim_detok d;
    FUZZ_EXPECT(aim_tokenizer_decode(t, ids->v, ids->n, false, &whole, NULL) == AIM_OK);
    FUZZ_EXPECT(whole.len == len && (len == 0 || memcmp(whole.data, text, len) == 0));
    aim_detok_init(&d, t, false);
    for (size_t i = 0; i < ids->n; i++)
        aim_detok_push(&d, ids->v[i], &pieces);
    aim_detok_flush(&d, &pieces);
    aim_detok_free(&d);
    FUZZ_EXPECT(pieces.len == len && (len == 0 || memcmp(pieces.data, text, len) == 0));
    aim_buf_free(&whole);
    aim_buf_free(&pieces);
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
    if (code == AIM_OK)
        expect_text(t, &ids, text, len);
    else
        FUZZ_EXPECT(code == AIM_EINVAL && err.text[0] != '\0' && ids.n == 0);
    aim_ids_free(&ids);
    return 0;
}
