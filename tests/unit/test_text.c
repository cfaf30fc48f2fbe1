/* SPDX-License-Identifier: Apache-2.0 */
/* Text to ids and back: against the reference library's ids, and where no
 * reference exists against plain models of what is meant. */
#include "tests/unit/text_fixture.h"

#include "base/alloc.h"
#include "text/utf8.h"

#include <pthread.h>

#define END_ID 262 /* of "<|end|>" in byte_vocab */

/* ---- the reference library ---------------------------------------------------- */

static const struct fixture {
    const char *tokenizer, *cases;
} fixtures[] = {
    {"tests/data/text/gpt2", "tests/data/text/gpt2/cases.jsonl"},
    {"tests/data/text/llama3", "tests/data/text/llama3/cases.jsonl"},
    {"tests/data/text/qwen2", "tests/data/text/qwen2/cases.jsonl"},
    {"tests/data/text/o200k", "tests/data/text/o200k/cases.jsonl"},
    {"models/wordmath-2m", "tests/data/text/wordmath-2m/cases.jsonl"},
};

/* Read the next line of a file of JSON; NULL at its end. */
static json_t *next_row(FILE *f)
{
    char line[1 << 14];
    if (!fgets(line, sizeof line, f))
        return NULL;
    json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL);
    ck_assert_msg(row != NULL, "not JSON: %.60s", line);
    return row;
}

static void check_around(const aim_tokenizer *t, const json_t *row)
{
    const json_t *before = json_object_get(row, "before"), *after = json_object_get(row, "after");
    size_t n_before = json_array_size(before), n_after = json_array_size(after);
    aim_ids with = encode(t, "a b", 3, AIM_ADD_SPECIAL), bare = encode(t, "a b", 3, 0);
    ck_assert_uint_eq(with.n, n_before + bare.n + n_after);
    ck_assert(same_ids(before, with.v, n_before));
    ck_assert_mem_eq(with.v + n_before, bare.v, bare.n * sizeof *bare.v);
    ck_assert(same_ids(after, with.v + n_before + bare.n, n_after));
    aim_ids_free(&with);
    aim_ids_free(&bare);
}

static void check_encoding(const aim_tokenizer *t, const json_t *text, const json_t *want)
{
    aim_ids ids = encode(t, json_string_value(text), json_string_length(text), AIM_PARSE_SPECIAL);
    ck_assert_msg(same_ids(want, ids.v, ids.n), "%s", json_string_value(text));
    aim_ids_free(&ids);
}

/* Whole, and token by token: every piece is whole characters. */
static void check_decoding(const aim_tokenizer *t, const json_t *from, const json_t *want)
{
    aim_detok d;
    aim_buf pieces = AIM_BUF_INIT;
    int32_t ids[64];
    size_t n = json_array_size(from);
    ck_assert_uint_le(n, 64);
    aim_detok_init(&d, t, false);
    for (size_t i = 0; i < n; i++) {
        size_t had = pieces.len;
        ids[i] = (int32_t)json_integer_value(json_array_get(from, i));
        aim_detok_push(&d, ids[i], &pieces);
        if (pieces.len > had)
            ck_assert_uint_eq(aim__utf8_check(pieces.data + had, pieces.len - had),
                              pieces.len - had);
    }
    aim_detok_flush(&d, &pieces);
    aim_detok_free(&d);
    aim_buf whole = decode(t, ids, n, false);
    expect_bytes(&whole, json_string_value(want), json_string_length(want));
    expect_bytes(&pieces, whole.data, whole.len);
    aim_buf_free(&whole);
    aim_buf_free(&pieces);
}

static void check_fixture(const aim_tokenizer *t, const char *cases)
{
    FILE *f = fopen(source_path(cases), "r");
    int n = 0;
    ck_assert_msg(f != NULL, "%s is missing", cases);
    for (json_t *row; (row = next_row(f)) != NULL; n++) {
        if (json_object_get(row, "before"))
            check_around(t, row);
        else if (json_object_get(row, "text"))
            check_encoding(t, json_object_get(row, "text"), json_object_get(row, "ids"));
        else
            check_decoding(t, json_object_get(row, "from"), json_object_get(row, "to"));
        json_decref(row);
    }
    fclose(f);
    ck_assert_int_gt(n, 1000);
}

START_TEST(equals_the_reference)
{
    aim_tokenizer *t = load(fixtures[_i].tokenizer);
    check_fixture(t, fixtures[_i].cases);
    aim_tokenizer_free(t);
}
END_TEST

/* What the threads share. Only the main thread may use Check. */
struct shared {
    const aim_tokenizer *t;
    json_t *rows; /* an array of the fixture's rows with a text */
    pthread_barrier_t start;
};

static bool encodes_as(const aim_tokenizer *t, const json_t *row)
{
    const json_t *text = json_object_get(row, "text");
    aim_ids ids = {0};
    int code = aim_tokenizer_encode(t, json_string_value(text), json_string_length(text),
                                    AIM_PARSE_SPECIAL, NULL, 0, &ids, NULL);
    bool same = code == AIM_OK && same_ids(json_object_get(row, "ids"), ids.v, ids.n);
    aim_ids_free(&ids);
    return same;
}

static void *encode_all(void *arg)
{
    struct shared *s = arg;
    size_t wrong = 0;
    pthread_barrier_wait(&s->start);
    for (size_t i = 0; i < json_array_size(s->rows); i++)
        wrong += !encodes_as(s->t, json_array_get(s->rows, i));
    return (void *)wrong;
}

static json_t *rows_with_text(const char *cases)
{
    FILE *f = fopen(source_path(cases), "r");
    json_t *rows = json_array();
    ck_assert_msg(f != NULL, "%s is missing", cases);
    for (json_t *row; (row = next_row(f)) != NULL; json_decref(row))
        if (json_object_get(row, "text"))
            json_array_append(rows, row);
    fclose(f);
    ck_assert_uint_gt(json_array_size(rows), 0);
    return rows;
}

START_TEST(threads_share_a_tokenizer)
{
    pthread_t threads[4];
    aim_tokenizer *t = load(fixtures[_i].tokenizer);
    struct shared s = {.t = t, .rows = rows_with_text(fixtures[_i].cases)};
    pthread_barrier_init(&s.start, NULL, COUNT(threads));
    for (int i = 0; i < COUNT(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, encode_all, &s), 0);
    for (int i = 0; i < COUNT(threads); i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        ck_assert_uint_eq((size_t)wrong, 0);
    }
    pthread_barrier_destroy(&s.start);
    json_decref(s.rows);
    aim_tokenizer_free(t);
}
END_TEST

/* A generator for test inputs (xorshift64*). */
static uint64_t random_state;
static uint32_t random_below(uint32_t n)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)((random_state * UINT64_C(2685821657736338717) >> 33) % n);
}

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
        size_t n = 1 + random_below(80);
        for (size_t i = 0; i < n; i++)
            want[i] = word[i] = "aaabbc "[random_below(7)];
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

/* Quadratic work would take many minutes here. */
START_TEST(long_words_end)
{
    size_t len = 1 << 20, unit = strlen(long_words[_i].unit);
    json_t *doc = byte_vocab();
    edit(doc, "normalizer", "{\"type\":\"NFC\"}");
    aim_tokenizer *t = small(doc);
    char *text = malloc(len);
    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < len; i++)
        text[i] = long_words[_i].unit[i % unit];
    aim_ids ids = encode(t, text, len, 0);
    ck_assert_uint_eq(ids.n, long_words[_i].tokens);
    aim_ids_free(&ids);
    free(text);
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
    TCase *reference = tcase_create("reference");
    tcase_add_loop_test(reference, equals_the_reference, 0, COUNT(fixtures));
    /* one with an NFC normalizer, one with a pattern for PCRE2 */
    tcase_add_loop_test(reference, threads_share_a_tokenizer, 2, 4);
    tcase_set_timeout(reference, 120);
    suite_add_tcase(s, reference);

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
