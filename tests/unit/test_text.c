/* SPDX-License-Identifier: Apache-2.0 */
/* Text to ids and back, against plain models of what is meant;
 * test_tokenizers.c does so against the reference library. */
#include "tests/unit/text_fixture.h"

#include "base/alloc.h"

#define END_ID 262 /* of "<|end|>" in byte_vocab */

static uint64_t random_state;

/* ---- merging ---------------------------------------------------------------------- */

/* Byte-pair encoding as the paper writes it, over the merges of byte_vocab. */
static size_t merge_plainly(int32_t *ids, size_t n)
{
    static const int32_t merges[][3] = {{'a', 'b', 256}, {256, 'c', 257}, {'a', 'a', 258},
                                        {258, 258, 259}, {' ', 256, 260}, {'b', 'c', 261}};
    for (int rank = 0; rank < COUNT(merges);) {
        size_t i = 0;
        while (i + 1 < n && (ids[i] != merges[rank][0] || ids[i + 1] != merges[rank][1]))
            i++;
        if (i + 1 >= n) {
            rank++;
            continue;
        }
        ids[i] = merges[rank][2];
        memmove(ids + i + 1, ids + i + 2, (n - i - 2) * sizeof *ids);
        n--;
        rank = 0;
    }
    return n;
}

START_TEST(merges_in_order_of_rank)
{
    json_t *doc = byte_vocab();
    edit(doc, "pre_tokenizer/use_regex", "false");
    aim_tokenizer *t = small(doc);
    random_state = 5;
    for (int round = 0; round < 3000; round++) {
        char word[80];
        int32_t want[80];
        size_t n = 1 + random_below(&random_state, 80);
        for (size_t i = 0; i < n; i++)
            want[i] = word[i] = "aaabbc "[random_below(&random_state, 7)];
        aim_ids got = encode(t, word, n, 0);
        size_t n_want = merge_plainly(want, n);
        ck_assert_uint_eq(got.n, n_want);
        ck_assert_mem_eq(got.v, want, n_want * sizeof *want);
        aim_ids_free(&got);
    }
    aim_tokenizer_free(t);
}
END_TEST

static const struct {
    const char *unit; /* repeated up to a megabyte */
    size_t tokens;    /* for all of it */
} long_words[] = {
    {"a", 1 << 18},
    {" ", 1 << 20},
    {"b", 1 << 20},
    {"\n", 1 << 20},
    {"\xF0\x9F\x98\x80", 1 << 20},
    {"ab", 1 << 19},
    {"\xCC\x81\xCC\xA3", 1 << 20}, /* marks in the wrong order, sorted by NFC */
};

START_TEST(long_words_end)
{
    json_t *doc = byte_vocab();
    edit(doc, "normalizer", "{\"type\":\"NFC\"}");
    aim_tokenizer *t = small(doc);
    expect_long_text(t, long_words[_i].unit, long_words[_i].tokens);
    aim_tokenizer_free(t);
}
END_TEST

/* ---- special tokens and plain spans ------------------------------------------------- */

static const struct {
    const char *text;
    unsigned flags;
    aim_span plain[2];
    size_t n_plain;
    const char *expect; /* of each id: 'E' for <|end|>, '.' for another */
} spans[] = {
    {"a<|end|>b", AIM_PARSE_SPECIAL, {{0}}, 0, ".E."},
    {"a<|end|>b", 0, {{0}}, 0, "........."},
    {"a<|end|>b", AIM_PARSE_SPECIAL, {{0, 9}}, 1, "........."},
    {"<|end|>", AIM_PARSE_SPECIAL, {{2, 3}}, 1, "......."},
    {"<|end|>", AIM_PARSE_SPECIAL, {{0, 1}}, 1, "......."},
    {"<|end|>", AIM_PARSE_SPECIAL, {{6, 7}}, 1, "......."},
    /* next to a span is not inside it */
    {"x<|end|>y", AIM_PARSE_SPECIAL, {{0, 1}, {8, 9}}, 2, ".E."},
    {"<|end|><|end|><|end|>", AIM_PARSE_SPECIAL, {{7, 14}}, 1, "E.......E"},
    {"<|end|><|end|><|end|>", AIM_PARSE_SPECIAL, {{0, 7}, {14, 21}}, 2, ".......E......."},
};

START_TEST(special_tokens_and_plain_spans)
{
    aim_tokenizer *t = small(byte_vocab());
    aim_ids ids = {0};
    aim_error err = {0};
    ck_assert_int_eq(aim_tokenizer_encode(t, spans[_i].text, strlen(spans[_i].text),
                                          spans[_i].flags, spans[_i].plain, spans[_i].n_plain, &ids,
                                          &err),
                     AIM_OK);
    ck_assert_uint_eq(ids.n, strlen(spans[_i].expect));
    for (size_t i = 0; i < ids.n; i++)
        ck_assert_int_eq(ids.v[i] == END_ID, spans[_i].expect[i] == 'E');
    aim_buf text = decode(t, ids.v, ids.n, false);
    expect_bytes(&text, spans[_i].text, strlen(spans[_i].text));
    aim_buf_free(&text);
    aim_ids_free(&ids);
    aim_tokenizer_free(t);
}
END_TEST

START_TEST(invalid_text_is_refused)
{
    static const struct {
        const char *text;
        const char *message;
    } rows[] = {
        {"\xFF", "the text is not valid UTF-8 at byte 0"},
        {"abcdefghij\xC3", "the text is not valid UTF-8 at byte 10"},
        {"\xE4\xBD\xA0\xED\xA0\x80", "the text is not valid UTF-8 at byte 3"},
        {"\xC0\xAF", "the text is not valid UTF-8 at byte 0"},
        {"\xF4\x90\x80\x80", "the text is not valid UTF-8 at byte 0"},
    };
    aim_tokenizer *t = small(byte_vocab());
    for (int i = 0; i < COUNT(rows); i++) {
        aim_ids ids = {0};
        aim_error err = {0};
        int code = aim_tokenizer_encode(t, rows[i].text, strlen(rows[i].text), AIM_ADD_SPECIAL,
                                        NULL, 0, &ids, &err);
        ck_assert_int_eq(code, AIM_EINVAL);
        ck_assert_str_eq(err.text, rows[i].message);
        ck_assert_uint_eq(ids.n, 0);
        aim_ids_free(&ids);
    }
    aim_tokenizer_free(t);
}
END_TEST

/* ---- back to text --------------------------------------------------------------------- */

#define R "\xEF\xBF\xBD"

/* bytes.decode("utf-8", errors="replace") of Python 3.11 */
static const struct {
    const char *bytes, *text;
} broken[] = {
    {"plain", "plain"},
    {"\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},
    {"\xF0\x9F\x98", R},
    {"\xF0\x9F\x98x", R "x"},
    {"\xE2\x82\xE2\x82\xAC", R "\xE2\x82\xAC"},
    {"\xED\xA0\x80", R R R},
    {"\xC0\xAF", R R},
    {"\xF4\x90\x80\x80", R R R R},
    {"\xF0\x80\x80", R R R},
    {"\x80\xBF\xFF", R R R},
    {"a\xE2\x28\xA1z", "a" R "(" R "z"},
    {"\xE1\x80\xC3\xA9", R "\xC3\xA9"},
};

START_TEST(broken_bytes_are_replaced)
{
    aim_tokenizer *t = small(byte_vocab());
    int32_t ids[16];
    size_t n = strlen(broken[_i].bytes);
    for (size_t i = 0; i < n; i++)
        ids[i] = (unsigned char)broken[_i].bytes[i];
    aim_buf text = decode(t, ids, n, true);
    expect_bytes(&text, broken[_i].text, strlen(broken[_i].text));
    aim_buf_free(&text);
    aim_tokenizer_free(t);
}
END_TEST

START_TEST(special_tokens_can_be_left_out)
{
    static const int32_t ids[] = {'a', END_ID, 0xC3, END_ID, 0xA9, -1, 999, 263};
    aim_tokenizer *t = small(byte_vocab());
    aim_buf without = decode(t, ids, COUNT(ids), true), with = decode(t, ids, COUNT(ids), false);
    expect_bytes(&without, "a\xC3\xA9", 3);
    expect_bytes(&with, "a<|end|>" R "<|end|>" R "<pad>", 1 + 7 + 3 + 7 + 3 + 5);
    aim_buf_free(&without);
    aim_buf_free(&with);
    aim_tokenizer_free(t);
}
END_TEST

START_TEST(decode_reports_lack_of_memory)
{
    static const int32_t ids[] = {'a', 'b'};
    aim_tokenizer *t = small(byte_vocab());
    aim_buf text = AIM_BUF_INIT;
    aim_error err = {0};
    aim_alloc_fail_after(0);
    int code = aim_tokenizer_decode(t, ids, 2, true, &text, &err);
    aim_alloc_fail_after(-1);
    ck_assert_int_eq(code, AIM_ENOMEM);
    ck_assert_int_eq(err.code, AIM_ENOMEM);
    aim_buf_free(&text);
    aim_tokenizer_free(t);
}
END_TEST

static Suite *text_suite(void)
{
    Suite *s = suite_create("text");
    TCase *merging = tcase_create("merging");
    tcase_add_test(merging, merges_in_order_of_rank);
    tcase_add_loop_test(merging, long_words_end, 0, COUNT(long_words));
    tcase_set_timeout(merging, 300);
    suite_add_tcase(s, merging);

    TCase *special = tcase_create("special");
    tcase_add_loop_test(special, special_tokens_and_plain_spans, 0, COUNT(spans));
    tcase_add_test(special, invalid_text_is_refused);
    suite_add_tcase(s, special);

    TCase *decoding = tcase_create("decoding");
    tcase_add_loop_test(decoding, broken_bytes_are_replaced, 0, COUNT(broken));
    tcase_add_test(decoding, special_tokens_can_be_left_out);
    tcase_add_test(decoding, decode_reports_lack_of_memory);
    suite_add_tcase(s, decoding);
    return s;
}

int main(void)
{
    return run_suite(text_suite());
}
