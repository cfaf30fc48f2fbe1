/* SPDX-License-Identifier: Apache-2.0 */
/* Tokenizers of published families against the reference library, both ways:
 * a few hundred texts with all of their ids, and twenty thousand by digest. */
#include "tests/unit/text_fixture.h"
#include "tests/unit/tsan.h"

#include "text/utf8.h"

#include <pthread.h>

#define DATA "tests/data/text/"

static const struct fixture {
    const char *tokenizer, *results; /* folders */
} fixtures[] = {
    {DATA "gpt-2", DATA "gpt-2"},           {DATA "llama-spm", DATA "llama-spm"},
    {DATA "phi-3", DATA "phi-3"},           {DATA "llama3", DATA "llama3"},
    {DATA "qwen2", DATA "qwen2"},           {DATA "o200k", DATA "o200k"},
    {DATA "digits", DATA "digits"},         {DATA "deepseek", DATA "deepseek"},
    {DATA "whitespace", DATA "whitespace"}, {DATA "spm-first", DATA "spm-first"},
    {DATA "spm-always", DATA "spm-always"}, {DATA "spm-never", DATA "spm-never"},
    {DATA "gemma", DATA "gemma"},           {"models/wordmath-2m", DATA "wordmath-2m"},
};

/* A file of a folder of the source tree. */
static FILE *open_data(const char *folder, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(source_path(path), "rb");
    ck_assert_msg(f != NULL, "%s is missing", path);
    return f;
}

/* Read the next line of a file of JSON; NULL at its end. */
static json_t *next_row(FILE *f)
{
    char line[1 << 14];
    if (!fgets(line, sizeof line, f))
        return NULL;
    json_t *row = json_loads(line, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    ck_assert_msg(row != NULL, "not JSON: %.60s", line);
    return row;
}

/* ---- all of the ids ----------------------------------------------------------- */

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

/* Ids as JSON, for messages. */
static char *shown_ids(const int32_t *ids, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_integer(ids[i]));
    return dump(list);
}

static char *shown_text(const json_t *text)
{
    return json_dumps(text, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
}

static void check_encoding(const aim_tokenizer *t, const json_t *text, const json_t *want)
{
    aim_ids ids = encode(t, json_string_value(text), json_string_length(text), AIM_PARSE_SPECIAL);
    if (!same_ids(want, ids.v, ids.n))
        ck_abort_msg("%s becomes %s", shown_text(text), shown_ids(ids.v, ids.n));
    aim_ids_free(&ids);
}

/* What the ids decode to, at once and one by one: every piece is whole
 * characters. A passed ck_assert writes to a file, so that the functions that
 * are called often only report failures. */
static aim_buf decode_both_ways(const aim_tokenizer *t, const int32_t *ids, size_t n,
                                bool skip_special)
{
    aim_detok d;
    aim_buf pieces = AIM_BUF_INIT, whole = decode(t, ids, n, skip_special);
    aim_detok_init(&d, t, skip_special);
    for (size_t i = 0; i < n; i++) {
        size_t had = pieces.len;
        aim_detok_push(&d, ids[i], &pieces);
        size_t more = pieces.len - had;
        if (more > 0 && aim__utf8_check(pieces.data + had, more) < more)
            ck_abort_msg("%s: a part of a character after %zu", shown_ids(ids, n), i);
    }
    aim_detok_flush(&d, &pieces);
    aim_detok_free(&d);
    if (pieces.len != whole.len || (whole.len > 0 && memcmp(pieces.data, whole.data, whole.len)))
        ck_abort_msg("%s reads differently at once and one by one", shown_ids(ids, n));
    aim_buf_free(&pieces);
    return whole;
}

static void check_decoding(const aim_tokenizer *t, const json_t *from, const json_t *want)
{
    int32_t ids[64];
    size_t n = json_array_size(from);
    ck_assert_uint_le(n, COUNT(ids));
    for (size_t i = 0; i < n; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(from, i));
    aim_buf got = decode_both_ways(t, ids, n, false);
    expect_bytes(&got, json_string_value(want), json_string_length(want));
    aim_buf_free(&got);
}

START_TEST(equals_the_reference)
{
    aim_tokenizer *t = load(fixtures[_i].tokenizer);
    FILE *f = open_data(fixtures[_i].results, "cases.jsonl");
    int n = 0;
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
    ck_assert_int_gt(n, 250);
    aim_tokenizer_free(t);
}
END_TEST

/* ---- digests ------------------------------------------------------------------- */

/* FNV-1a; start with FNV_START. */
#define FNV_START UINT32_C(0x811C9DC5)
static uint32_t fnv(uint32_t h, uint8_t byte)
{
    return (h ^ byte) * UINT32_C(0x01000193);
}

static uint32_t digest_of_ids(const int32_t *ids, size_t n)
{
    uint32_t h = FNV_START;
    for (size_t i = 0; i < n; i++)
        for (int shift = 0; shift < 32; shift += 8)
            h = fnv(h, (uint8_t)((uint32_t)ids[i] >> shift));
    return h;
}

static uint32_t digest_of_text(const aim_buf *text)
{
    uint32_t h = FNV_START;
    for (size_t i = 0; i < text->len; i++)
        h = fnv(h, (uint8_t)text->data[i]);
    return h;
}

/* The next digest of the file, little-endian. */
static uint32_t next_digest(FILE *f)
{
    uint8_t b[4];
    if (fread(b, 1, sizeof b, f) != sizeof b)
        ck_abort_msg("the file of digests is too short");
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static uint32_t digest_of_decoding(const aim_tokenizer *t, const int32_t *ids, size_t n,
                                   bool skip_special)
{
    aim_buf text = decode_both_ways(t, ids, n, skip_special);
    uint32_t h = digest_of_text(&text);
    aim_buf_free(&text);
    return h;
}

static void check_texts(const aim_tokenizer *t, FILE *digests)
{
    FILE *texts = open_data(DATA, "strings.jsonl");
    int n = 0;
    for (json_t *text; (text = next_row(texts)) != NULL; n++) {
        aim_ids ids =
            encode(t, json_string_value(text), json_string_length(text), AIM_PARSE_SPECIAL);
        if (digest_of_ids(ids.v, ids.n) != next_digest(digests))
            ck_abort_msg("text %d, %s, becomes %s", n, shown_text(text), shown_ids(ids.v, ids.n));
        if (digest_of_decoding(t, ids.v, ids.n, false) != next_digest(digests))
            ck_abort_msg("text %d, %s, is not read back from %s", n, shown_text(text),
                         shown_ids(ids.v, ids.n));
        aim_ids_free(&ids);
        json_decref(text);
    }
    ck_assert_int_eq(n, 20480);
    fclose(texts);
}

/* Ids in an order that no text has: characters are broken off. */
static void check_random_ids(const aim_tokenizer *t, FILE *digests)
{
    uint32_t size = (uint32_t)aim_tokenizer_size(t);
    uint64_t state = 1;
    for (int k = 0; k < 4096; k++) {
        int32_t ids[12];
        size_t n = 1 + random_below(&state, COUNT(ids));
        for (size_t i = 0; i < n; i++)
            ids[i] = (int32_t)random_below(&state, size);
        if (digest_of_decoding(t, ids, n, k % 2 == 1) != next_digest(digests))
            ck_abort_msg("sequence %d, %s, reads otherwise", k, shown_ids(ids, n));
    }
}

START_TEST(equals_the_digests)
{
    aim_tokenizer *t = load(fixtures[_i].tokenizer);
    FILE *digests = open_data(fixtures[_i].results, "digests.bin");
    check_texts(t, digests);
    check_random_ids(t, digests);
    ck_assert_int_eq(fgetc(digests), EOF);
    fclose(digests);
    aim_tokenizer_free(t);
}
END_TEST

/* ---- threads -------------------------------------------------------------------- */

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

static json_t *rows_with_text(const char *folder)
{
    FILE *f = open_data(folder, "cases.jsonl");
    json_t *rows = json_array();
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
    struct shared s = {.t = t, .rows = rows_with_text(fixtures[_i].results)};
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

static Suite *tokenizers_suite(void)
{
    Suite *s = suite_create("tokenizers");
    TCase *reference = tcase_create("reference");
    if (!TSAN) { /* on one thread */
        tcase_add_loop_test(reference, equals_the_reference, 0, COUNT(fixtures));
        tcase_add_loop_test(reference, equals_the_digests, 0, COUNT(fixtures));
    }
    /* small ones: a pattern for PCRE2, both normal forms, sentencepiece's manner */
    tcase_add_loop_test(reference, threads_share_a_tokenizer, 7, COUNT(fixtures));
    tcase_set_timeout(reference, 120);
    suite_add_tcase(s, reference);
    return s;
}

int main(void)
{
    return run_suite(tokenizers_suite());
}
