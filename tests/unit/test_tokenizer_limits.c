/* SPDX-License-Identifier: Apache-2.0 */
/* How much a tokenizer.json may make of a text, and how long that may take. */
#include "tests/unit/text_fixture.h"

#include "text/tokenizer_internal.h"

/* count times unit, to be freed. */
static char *repeated(const char *unit, size_t count)
{
    size_t n = strlen(unit);
    char *text = malloc(n * count + 1);
    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * n, unit, n);
    text[n * count] = '\0';
    return text;
}

static json_t *sequence(const char *key, json_t *steps)
{
    return json_pack("{s:s,s:o}", "type", "Sequence", key, steps);
}

static json_t *prepend(const char *text)
{
    return json_pack("{s:s,s:s}", "type", "Prepend", "prepend", text);
}

static json_t *replace(const char *kind, const char *pattern, const char *content)
{
    return json_pack("{s:s,s:{s:s},s:s}", "type", "Replace", "pattern", kind, pattern, "content",
                     content);
}

/* A vocabulary of bytes with another normalizer. */
static json_t *normalized_by(json_t *normalizer)
{
    json_t *doc = byte_vocab();
    json_object_set_new(doc, "normalizer", normalizer);
    return doc;
}

/* ---- texts ----------------------------------------------------------------------- */

/* An added token between any two stretches: each has a normal form of its own. */
static json_t *long_prefix(void)
{
    char *text = repeated("a", 1 << 20);
    json_t *doc = normalized_by(prepend(text));
    free(text);
    return doc;
}

static json_t *long_replacement(void)
{
    char *text = repeated("x", 100000);
    json_t *doc = normalized_by(replace("Regex", "(?=a)", text));
    free(text);
    return doc;
}

/* Two steps, each of which makes the text a thousand times as long. */
static json_t *long_steps(void)
{
    json_t *steps = json_array();
    char *text = repeated("a", 1000);
    for (int i = 0; i < 2; i++)
        json_array_append_new(steps, replace("String", "a", text));
    free(text);
    return normalized_by(sequence("normalizers", steps));
}

static json_t *compatible(void)
{
    return normalized_by(json_pack("{s:s}", "type", "NFKC"));
}

/* Each pair of steps makes two pieces of a piece, and those longer. */
static json_t *many_pieces(void)
{
    json_t *doc = byte_vocab(), *steps = json_array();
    for (int i = 0; i < 7; i++) {
        const char *sign = i % 2 ? "_" : "-";
        json_array_append_new(steps, json_pack("{s:s,s:s,s:b}", "type", "Metaspace", "replacement",
                                               sign, "split", 0));
        json_array_append_new(steps, json_pack("{s:s,s:{s:s},s:s}", "type", "Split", "pattern",
                                               "String", sign, "behavior", "Isolated"));
    }
    json_array_append_new(steps, json_pack("{s:s,s:b,s:b}", "type", "ByteLevel", "add_prefix_space",
                                           0, "use_regex", 0));
    json_object_set_new(doc, "pre_tokenizer", sequence("pretokenizers", steps));
    return doc;
}

static const struct {
    json_t *(*document)(void);
    const char *unit;
    size_t count;
    enum aim_code code;
} texts[] = {
    {long_prefix, "b<pad>", 2, AIM_OK},
    {long_prefix, "b<pad>", 1000, AIM_ETOOLARGE},
    {long_replacement, "a", 10, AIM_OK},
    {long_replacement, "a", 10000, AIM_ETOOLARGE},
    {long_steps, "a", 1, AIM_OK},
    {long_steps, "a", 10, AIM_ETOOLARGE},
    /* one character becomes eighteen */
    {compatible, "\xEF\xB7\xBA", 1 << 16, AIM_OK},
    {compatible, "\xEF\xB7\xBA", 1 << 20, AIM_ETOOLARGE},
    {many_pieces, "a b ", 1000, AIM_OK},
    {many_pieces, "a b ", 1 << 16, AIM_ETOOLARGE},
    /* all that the plain ways to tokens need, for a long text */
    {byte_vocab, "\n", 4 << 20, AIM_OK},
    {byte_vocab, "ab ", 1 << 20, AIM_OK},
};

START_TEST(growth_is_limited)
{
    aim_tokenizer *t = small(texts[_i].document());
    char *text = repeated(texts[_i].unit, texts[_i].count), want[96];
    aim_ids ids = {0};
    aim_error err = {0};
    size_t len = strlen(text);
    int code = aim_tokenizer_encode(t, text, len, AIM_PARSE_SPECIAL, NULL, 0, &ids, &err);
    snprintf(want, sizeof want, "the text grows to more than %zu bytes on its way to tokens",
             (16 << 20) + 8 * len);
    ck_assert_int_eq(code, texts[_i].code);
    ck_assert_str_eq(err.text, code ? want : "");
    ck_assert((code == AIM_OK) == (ids.n > 0));
    aim_ids_free(&ids);
    free(text);
    aim_tokenizer_free(t);
}
END_TEST

/* What each step takes of the allowance: no byte less is enough. */
static const struct {
    const char *json, *text;
    size_t need;
} costs[] = {
    {"{}", "abc", 0},
    {"{\"normalizer\":{\"type\":\"Prepend\",\"prepend\":\"xyz\"}}", "ab", 5},
    {"{\"normalizer\":{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true}}", " ab ", 0},
    {"{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"xyz\"}}",
     "abab", 8},
    {"{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"b*\"},\"content\":\"xyz\"}}",
     "abba", 11},
    {"{\"normalizer\":{\"type\":\"NFKC\"}}", "a\xEF\xB7\xBA", 34},
    {"{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},"
     "{\"type\":\"NFC\"}]}}",
     "\xC3\xA9", 2 + 2},
    /* the code points of the first two, 18 each */
    {"{\"normalizer\":{\"type\":\"NFKC\"}}", "\xEF\xB7\xBA\xEF\xB7\xBA\xEF\xB7\xBA", 144},
    {"{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\"}}", "a b", 4},
    {"{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true}}", "ab", 3},
};

static int ignore_word(void *arg, const char *word, size_t n)
{
    (void)arg;
    (void)word;
    (void)n;
    return AIM_OK;
}

/* Run the text through normalizer and pre-tokenizer with so many bytes. */
static int run_within(const aim_tokenizer *t, const char *text, size_t bytes)
{
    struct aim__allowance allowance = {bytes, UINT64_MAX};
    struct aim__normal_text normal = {0};
    int code = aim__normalize(&t->normalizer, text, strlen(text), &allowance, &normal, NULL);
    if (!code)
        code = aim__pretokenizer_run(&t->pretokenizer, normal.bytes.data, normal.bytes.len, true,
                                     &allowance, ignore_word, NULL, NULL);
    aim__normal_text_free(&normal);
    return code;
}

START_TEST(what_steps_write_is_counted)
{
    json_t *root = json_loads(costs[_i].json, 0, NULL);
    aim_tokenizer t = {0};
    ck_assert_int_eq(aim__read_normalizer(&t, root, NULL), AIM_OK);
    ck_assert_int_eq(aim__read_pretokenizer(&t, root, NULL), AIM_OK);
    ck_assert_int_eq(run_within(&t, costs[_i].text, costs[_i].need), AIM_OK);
    if (costs[_i].need > 0)
        ck_assert_int_eq(run_within(&t, costs[_i].text, costs[_i].need - 1), AIM_ETOOLARGE);
    aim__normalizer_fini(&t.normalizer);
    aim__pretokenizer_fini(&t.pretokenizer);
    json_decref(root);
}
END_TEST

/* ---- time ------------------------------------------------------------------------ */

/* A pattern of the normalizer has the time that is left for the whole text. */
START_TEST(deadline_ends_a_replacement)
{
    json_t *root = json_pack("{s:o}", "normalizer", replace("Regex", "a+", "x"));
    aim_tokenizer t = {0};
    struct aim__allowance late = {SIZE_MAX, 0};
    struct aim__normal_text out = {0};
    aim_error err = {0};
    ck_assert_int_eq(aim__read_normalizer(&t, root, NULL), AIM_OK);
    ck_assert_int_eq(aim__normalize(&t.normalizer, "ab", 2, &late, &out, &err), AIM_EINVAL);
    ck_assert_str_eq(err.text, "the tokenizer's pattern takes too long to split this text");
    aim__normal_text_free(&out);
    aim__normalizer_fini(&t.normalizer);
    json_decref(root);
}
END_TEST

/* ---- added tokens ------------------------------------------------------------------ */

static json_t *with_added(size_t len, json_t *normalizer)
{
    char *content = repeated("q", len);
    json_t *doc = normalized_by(normalizer);
    json_array_append_new(
        json_object_get(doc, "added_tokens"),
        json_pack("{s:i,s:s,s:b}", "id", 264, "content", content, "normalized", 1));
    free(content);
    return doc;
}

START_TEST(normalized_content_is_capped)
{
    static const struct {
        size_t len, factor; /* of the content, and how long a byte becomes */
        bool fits;
    } rows[] = {{2, 512, true}, {2, 513, false}, {512, 2, true}, {500, 200000, false}};
    for (int i = 0; i < COUNT(rows); i++) {
        char *longer = repeated("z", rows[i].factor);
        char *json = dump(with_added(rows[i].len, replace("String", "q", longer)));
        aim_error err = {0};
        aim_tokenizer *t = aim_tokenizer_parse(json, strlen(json), NULL, 0, &err);
        ck_assert_int_eq(err.code, rows[i].fits ? AIM_OK : AIM_ETOOLARGE);
        ck_assert_str_eq(err.text, rows[i].fits ? ""
                                                : "tokenizer.json: added_tokens[2]: the normalizer "
                                                  "makes more than 1024 bytes of \"content\"");
        aim_tokenizer_free(t);
        free_text(json);
        free(longer);
    }
}
END_TEST

static Suite *limits_suite(void)
{
    Suite *s = suite_create("tokenizer limits");
    TCase *limits = tcase_create("limits");
    tcase_add_loop_test(limits, growth_is_limited, 0, COUNT(texts));
    tcase_add_loop_test(limits, what_steps_write_is_counted, 0, COUNT(costs));
    tcase_add_test(limits, deadline_ends_a_replacement);
    tcase_add_test(limits, normalized_content_is_capped);
    tcase_set_timeout(limits, 120);
    suite_add_tcase(s, limits);
    return s;
}

int main(void)
{
    return run_suite(limits_suite());
}
