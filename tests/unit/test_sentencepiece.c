/* SPDX-License-Identifier: Apache-2.0 */
/* Vocabularies of characters in the manner of sentencepiece: spelling, cutting
 * at spaces, decoders. Rows of ids and texts are the reference library's. */
#include "tests/unit/text_fixture.h"

#include "base/alloc.h"

#define SPACE "\xE2\x96\x81"
#define R "\xEF\xBF\xBD"
#define E_ACUTE "\xC3\xA9"

/* 0 <unk>, 1 <s>, 2 </s>, 3 to 258 the bytes, then from 259 on: */
static const char *const pieces[] = {
    SPACE, "a", "b", SPACE "a", "ab", SPACE "ab", SPACE SPACE, SPACE SPACE SPACE SPACE, E_ACUTE,
};
enum { FIRST_PIECE = 259, BYTE_0 = 3 };

static json_t *character_vocab(void)
{
    json_t *doc = json_loads(
        "{\"added_tokens\":[{\"id\":0,\"content\":\"<unk>\",\"special\":true},"
        "{\"id\":1,\"content\":\"<s>\",\"special\":true},"
        "{\"id\":2,\"content\":\"</s>\",\"special\":true}],"
        "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":["
        "{\"type\":\"Prepend\",\"prepend\":\"" SPACE "\"},"
        "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"" SPACE "\"}]},"
        "\"pre_tokenizer\":null,"
        "\"decoder\":{\"type\":\"Sequence\",\"decoders\":["
        "{\"type\":\"Replace\",\"pattern\":{\"String\":\"" SPACE "\"},\"content\":\" \"},"
        "{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},"
        "{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}]},"
        "\"model\":{\"type\":\"BPE\",\"unk_token\":\"<unk>\",\"fuse_unk\":true,"
        "\"byte_fallback\":true,\"vocab\":{\"<unk>\":0,\"<s>\":1,\"</s>\":2},"
        "\"merges\":[\"" SPACE " a\",\"a b\",\"" SPACE " ab\",\"" SPACE "a b\",\"" SPACE " " SPACE
        "\",\"" SPACE SPACE " " SPACE SPACE "\"]}}",
        0, NULL);
    ck_assert_ptr_nonnull(doc);
    json_t *vocab = json_object_get(json_object_get(doc, "model"), "vocab");
    for (int b = 0; b < 256; b++) {
        char name[16];
        snprintf(name, sizeof name, "<0x%02X>", (unsigned)b);
        json_object_set_new(vocab, name, json_integer(BYTE_0 + b));
    }
    for (int i = 0; i < COUNT(pieces); i++)
        json_object_set_new(vocab, pieces[i], json_integer(FIRST_PIECE + i));
    return doc;
}

/* What a row puts into the vocabulary's document; a path of NULL is nothing. */
struct change {
    const char *path, *value;
};
enum { CHANGES = 3 };

static json_t *changed(const struct change changes[CHANGES])
{
    json_t *doc = character_vocab();
    for (int i = 0; i < CHANGES; i++)
        if (changes[i].path)
            edit(doc, changes[i].path, changes[i].value);
    return doc;
}

/* ---- encoding -------------------------------------------------------------------- */

#define NO_FALLBACK                                                                                \
    {                                                                                              \
        "model/byte_fallback", "false"                                                             \
    }
#define NO_FUSING                                                                                  \
    {                                                                                              \
        "model/fuse_unk", "false"                                                                  \
    }
#define NO_NEWLINE                                                                                 \
    {                                                                                              \
        "model/vocab/<0x0A>", NULL                                                                 \
    }
#define METASPACE(scheme)                                                                          \
    "{\"type\":\"Metaspace\",\"replacement\":\"" SPACE "\",\"prepend_scheme\":\"" scheme "\"}"
#define NO_NORMALIZER                                                                              \
    {                                                                                              \
        "normalizer", "null"                                                                       \
    }

static const struct {
    struct change changes[CHANGES];
    const char *text;
    int32_t ids[12];
    size_t n;
} encodings[] = {
    {{{0}}, "ab a", {264, 262}, 2},
    {{{0}}, "aab", {262, 263}, 2},
    {{{0}}, "    a", {266, 262}, 2},
    {{{0}}, E_ACUTE "\n", {259, 267, 13}, 3},
    {{{0}}, "\xE4\xBD\xA0", {259, 231, 192, 163}, 4},
    {{{0}}, "<s>ab</s> ab", {1, 264, 2, 259, 264}, 5},
    {{{0}}, "<0x0A>", {259, 63, 51, 123, 51, 68, 65}, 7},
    {{{0}}, "", {0}, 0},
    {{NO_FALLBACK}, "x\ny", {259, 0}, 2},
    {{NO_FALLBACK}, "xyaz", {259, 0, 260, 0}, 4},
    {{NO_FALLBACK, NO_FUSING}, "xyaz", {259, 0, 0, 260, 0}, 5},
    /* unknown characters come behind the bytes that follow them */
    {{NO_NEWLINE}, "\nxa", {259, 123, 0, 260}, 4},
    {{NO_NEWLINE}, "\n\nxa\nx", {259, 123, 0, 260, 123, 0}, 6},
    {{NO_NEWLINE, NO_FUSING}, "\n\nxa\n\nx", {259, 0, 123, 0, 260, 0, 123, 0}, 8},
    {{{"model/ignore_merges", "true"}, NO_NORMALIZER}, "<0x0A>", {13}, 1},
    {{{"model/ignore_merges", "true"}}, "ab", {264}, 1},
    {{NO_NORMALIZER, {"pre_tokenizer", METASPACE("first")}}, "ab<s>ab", {264, 1, 263}, 3},
    {{NO_NORMALIZER, {"pre_tokenizer", METASPACE("always")}}, "ab<s>ab", {264, 1, 264}, 3},
    {{NO_NORMALIZER, {"pre_tokenizer", METASPACE("never")}}, "ab<s> ab", {263, 1, 264}, 3},
    /* white space in front that is gone leaves nothing "first" */
    {{{"normalizer", "{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true}"},
      {"pre_tokenizer", METASPACE("first")}},
     " ab ",
     {263},
     1},
    {{{"normalizer", "{\"type\":\"Replace\",\"pattern\":{\"String\":\"  \"},\"content\":\"b\"}"},
      {"pre_tokenizer", METASPACE("first")}},
     "  a",
     {261, 260},
     2},
};

START_TEST(spelled_and_merged)
{
    aim_tokenizer *t = small(changed(encodings[_i].changes));
    aim_ids ids = encode(t, encodings[_i].text, strlen(encodings[_i].text), AIM_PARSE_SPECIAL);
    ck_assert_uint_eq(ids.n, encodings[_i].n);
    for (size_t i = 0; i < ids.n; i++)
        ck_assert_int_eq(ids.v[i], encodings[_i].ids[i]);
    aim_ids_free(&ids);
    aim_tokenizer_free(t);
}
END_TEST

/* ---- cutting at spaces -------------------------------------------------------------- */

struct rule {
    const char *left, *right;
};

static const struct rule within[] = {{SPACE, "a"},     {"a", "b"},     {SPACE, "ab"},
                                     {SPACE "a", "b"}, {SPACE, SPACE}, {SPACE SPACE, SPACE SPACE}};
/* One of these joins what is left of a space to it. */
static const struct rule across[] = {{SPACE, "a"}, {"a", "b"}, {"b", SPACE "a"}, {SPACE, SPACE}};

/* A text as pieces of itself. */
struct split {
    const char *at[64];
    size_t len[64], n;
};

static bool is_pair(const struct split *s, size_t i, const struct rule *r)
{
    size_t left = strlen(r->left), right = strlen(r->right);
    return s->len[i] == left && s->len[i + 1] == right && !memcmp(s->at[i], r->left, left) &&
           !memcmp(s->at[i + 1], r->right, right);
}

/* Byte-pair encoding as the paper writes it. */
static void merge_plainly(struct split *s, const struct rule *rules, int n_rules)
{
    for (int rank = 0; rank < n_rules;) {
        size_t i = 0;
        while (i + 1 < s->n && !is_pair(s, i, &rules[rank]))
            i++;
        if (i + 1 >= s->n) {
            rank++;
            continue;
        }
        s->len[i] += s->len[i + 1];
        s->n--;
        memmove(&s->at[i + 1], &s->at[i + 2], (s->n - i - 1) * sizeof *s->at);
        memmove(&s->len[i + 1], &s->len[i + 2], (s->n - i - 1) * sizeof *s->len);
        rank = 0;
    }
}

static aim_tokenizer *with_rules(const struct rule *rules, int n)
{
    json_t *doc = character_vocab(), *model = json_object_get(doc, "model");
    json_t *merges = json_array(), *vocab = json_object_get(model, "vocab");
    for (int i = 0; i < n; i++)
        json_array_append_new(merges, json_pack("[s, s]", rules[i].left, rules[i].right));
    json_object_set_new(model, "merges", merges);
    json_object_set_new(vocab, "b" SPACE "a", json_integer(300));
    json_object_set_new(doc, "normalizer", json_null());
    return small(doc);
}

static const struct {
    const struct rule *rules;
    int n;
} rule_sets[] = {{within, COUNT(within)}, {across, COUNT(across)}};

START_TEST(cut_words_merge_as_whole_texts)
{
    static const char *const letters[] = {SPACE, "a", "b", SPACE};
    aim_tokenizer *t = with_rules(rule_sets[_i].rules, rule_sets[_i].n);
    uint64_t state = 9;
    for (int round = 0; round < 1000; round++) {
        char text[256] = "";
        struct split s = {.n = 1 + random_below(&state, 63)};
        for (size_t i = 0; i < s.n; i++) {
            const char *letter = letters[random_below(&state, COUNT(letters))];
            s.at[i] = text + strlen(text);
            s.len[i] = strlen(letter);
            strcat(text, letter);
        }
        merge_plainly(&s, rule_sets[_i].rules, rule_sets[_i].n);
        aim_ids got = encode(t, text, strlen(text), 0);
        ck_assert_uint_eq(got.n, s.n);
        for (size_t i = 0; i < s.n; i++) {
            char piece[256];
            snprintf(piece, sizeof piece, "%.*s", (int)s.len[i], s.at[i]);
            ck_assert_int_eq(got.v[i], aim_tokenizer_find(t, piece));
        }
        aim_ids_free(&got);
    }
    aim_tokenizer_free(t);
}
END_TEST

static const struct {
    const char *unit; /* repeated up to a megabyte */
    size_t tokens;    /* for all of it */
} long_texts[] = {
    {"a", 1 << 20},        {" ", (1 << 18) + 1},
    {"\n", (1 << 20) + 1}, {"\xF0\x9F\x98\x80", (1 << 20) + 1},
    {"ab", 1 << 19},       {"ab ", 349526},
};

START_TEST(long_texts_end)
{
    aim_tokenizer *t = small(character_vocab());
    expect_long_text(t, long_texts[_i].unit, long_texts[_i].tokens);
    aim_tokenizer_free(t);
}
END_TEST

/* ---- decoding ------------------------------------------------------------------------ */

#define DECODERS(list)                                                                             \
    {                                                                                              \
        "decoder", "{\"type\":\"Sequence\",\"decoders\":[" list "]}"                               \
    }
#define REPLACE(a, b)                                                                              \
    "{\"type\":\"Replace\",\"pattern\":{\"String\":\"" a "\"},\"content\":\"" b "\"}"
#define STRIP(c, start, stop)                                                                      \
    "{\"type\":\"Strip\",\"content\":\"" c "\",\"start\":" start ",\"stop\":" stop "}"
#define FUSE "{\"type\":\"Fuse\"}"

static const struct {
    struct change changes[CHANGES];
    int32_t ids[8];
    size_t n;
    bool skip_special;
    const char *text;
} decodings[] = {
    {{{0}}, {264, 259, 262}, 3, false, "ab  a"},
    {{{0}}, {1, 264, 262}, 3, false, "<s> ab a"},
    {{{0}}, {260, 259, 264}, 3, false, "a  ab"},
    {{{0}}, {13}, 1, false, "\n"},
    {{{0}}, {198, 172}, 2, false, E_ACUTE},
    {{{0}}, {198}, 1, false, R},
    {{{0}}, {198, 13, 13}, 3, false, R R R},
    {{{0}}, {260, 198, 172, 198, 172, 261}, 6, false, "a" E_ACUTE E_ACUTE "b"},
    {{{0}}, {198, 1, 172}, 3, false, R "<s>" R},
    {{{0}}, {198, 1, 172}, 3, true, E_ACUTE},
    {{{0}}, {1, 262}, 2, true, "a"},
    {{{0}}, {259, 259, 260}, 3, false, " a"},
    {{{0}}, {262, -1, 999, 13, 262}, 5, false, "a\n a"},
    {{{0}}, {267, 259}, 2, false, E_ACUTE " "},
    {{{0}}, {259}, 1, false, ""},
    {{{0}}, {0}, 0, false, ""},
    {{{"decoder", METASPACE("always")}}, {265, 264, 262}, 3, false, " ab a"},
    {{{"decoder", METASPACE("always")}}, {1, 262}, 2, false, "<s> a"},
    {{{"decoder", METASPACE("first")}}, {1, 262}, 2, true, "a"},
    /* a normalised added token reads as it is searched for, in front too */
    {{{"decoder", METASPACE("always")},
      {"normalizer", "{\"type\":\"Prepend\",\"prepend\":\"b\"}"},
      {"added_tokens/1", "{\"id\":1,\"content\":\"<s>\",\"normalized\":true}"}},
     {1, 260, 1},
     3,
     false,
     "b<s>ab<s>"},
    {{{"decoder", METASPACE("never")}}, {262, 13}, 2, false, " a<0x0A>"},
    {{{"decoder", "null"}}, {262, 264, 13}, 3, false, SPACE "a " SPACE "ab <0x0A>"},
    {{DECODERS(STRIP(SPACE, "1", "0") "," REPLACE(SPACE, "_"))},
     {266, 262, 264},
     3,
     false,
     "___aab"},
    {{DECODERS(STRIP("b", "0", "1") "," REPLACE("a", "xyz") "," REPLACE("y", ""))},
     {263, 261},
     2,
     false,
     "xz"},
    {{DECODERS(REPLACE(SPACE, " ") "," FUSE "," STRIP(" ", "3", "0"))},
     {266, 262},
     2,
     false,
     "  a"},
    {{DECODERS(REPLACE(SPACE, " ") "," FUSE)}, {13, 262}, 2, false, "<0x0A> a"},
    {{DECODERS(METASPACE("always") ",{\"type\":\"ByteFallback\"}," FUSE)},
     {262, 13, 262},
     3,
     false,
     "a\n a"},
    /* what reads as a byte only in front */
    {{DECODERS(METASPACE("always") ",{\"type\":\"ByteFallback\"}," FUSE),
      {"model/vocab/" SPACE "<0xC3>", "268"}},
     {268, 172, 268},
     3,
     false,
     E_ACUTE " <0xC3>"},
    {{{"decoder", "{\"type\":\"ByteLevel\"}"}}, {267, 262}, 2, false, R SPACE "a"},
};

/* Whole, and token by token. */
START_TEST(decoded)
{
    aim_tokenizer *t = small(changed(decodings[_i].changes));
    aim_buf split = AIM_BUF_INIT;
    aim_detok d;
    aim_buf whole = decode(t, decodings[_i].ids, decodings[_i].n, decodings[_i].skip_special);
    expect_bytes(&whole, decodings[_i].text, strlen(decodings[_i].text));
    aim_detok_init(&d, t, decodings[_i].skip_special);
    for (size_t i = 0; i < decodings[_i].n; i++)
        aim_detok_push(&d, decodings[_i].ids[i], &split);
    aim_detok_flush(&d, &split);
    expect_bytes(&split, whole.data, whole.len);
    aim_detok_free(&d);
    aim_buf_free(&whole);
    aim_buf_free(&split);
    aim_tokenizer_free(t);
}
END_TEST

/* Text goes out as soon as no later token can change it. */
START_TEST(certain_text_goes_out)
{
    static const struct {
        int32_t id;
        const char *text; /* that it adds */
    } steps[] = {
        {262, "a"}, {198, ""},  {172, ""}, {13, ""},   {262, E_ACUTE "\n a"},
        {198, ""},  {198, R R}, {172, R},  {260, "a"}, {13, ""},
    };
    aim_tokenizer *t = small(character_vocab());
    aim_buf out = AIM_BUF_INIT;
    aim_detok d;
    aim_detok_init(&d, t, true);
    for (int i = 0; i < COUNT(steps); i++) {
        aim_buf_clear(&out);
        aim_detok_push(&d, steps[i].id, &out);
        expect_bytes(&out, steps[i].text, strlen(steps[i].text));
    }
    aim_buf_clear(&out);
    aim_detok_flush(&d, &out);
    expect_bytes(&out, "\n", 1);
    aim_detok_free(&d);
    aim_buf_free(&out);
    aim_tokenizer_free(t);
}
END_TEST

START_TEST(tokens_and_their_bytes)
{
    static const struct {
        int32_t id;
        const char *bytes;
        size_t len;
    } rows[] = {{1, "<s>", 3}, {3, "\0", 1}, {258, "\xFF", 1}, {264, " ab", 3}, {267, E_ACUTE, 2}};
    aim_tokenizer *t = small(character_vocab());
    for (int i = 0; i < COUNT(rows); i++) {
        size_t len;
        const char *bytes = aim_tokenizer_bytes(t, rows[i].id, &len);
        ck_assert_uint_eq(len, rows[i].len);
        ck_assert_mem_eq(bytes, rows[i].bytes, len);
    }
    ck_assert_int_eq(aim_tokenizer_find(t, SPACE "ab"), 264);
    ck_assert_int_eq(aim_tokenizer_find(t, "</s>"), 2);
    ck_assert_int_eq(aim_tokenizer_find(t, " ab"), -1);
    aim_tokenizer_free(t);
}
END_TEST

/* ---- refused --------------------------------------------------------------------------- */

#define PLACE(where, type) where ": \"type\" is \"" type "\" in a place where that is not supported"

static const struct {
    struct change changes[CHANGES];
    const char *text; /* behind "tokenizer.json: " */
} refusals[] = {
    {{NO_FALLBACK, {"model/unk_token", "null"}},
     "model: a vocabulary of characters without byte_fallback and without an unk_token in it is "
     "not supported"},
    {{NO_NEWLINE, {"model/unk_token", "\"<none>\""}},
     "model.vocab: no token <0x0A> for byte_fallback, and no unk_token"},
    {{{"model/unk_token", "1"}}, "model: \"unk_token\" must be a string"},
    {{{"model/byte_fallback", "1"}}, "model: \"byte_fallback\" must be true or false"},
    {{{"model/fuse_unk", "1"}}, "model: \"fuse_unk\" must be true or false"},
    {{{"decoder", "[]"}}, "decoder: must be an object"},
    {{{"decoder", "{\"type\":\"Sequence\"}"}}, "decoder: \"decoders\" must be an array"},
    {{{"decoder/decoders/0", "{\"type\":\"CTC\"}"}},
     "decoder.decoders[0]: \"type\" is \"CTC\", which is not supported"},
    {{{"decoder/decoders/1", "{\"type\":\"BPEDecoder\"}"}},
     "decoder.decoders[1]: \"type\" is \"BPEDecoder\", which is not supported"},
    {{{"decoder/decoders/0",
       "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"a\"},\"content\":\"\"}"}},
     "decoder.decoders[0]: \"pattern\" is {\"Regex\":\"a\"}, which is not supported"},
    {{{"decoder/decoders/0",
       "{\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},\"content\":\"\"}"}},
     "decoder.decoders[0]: \"pattern\" is {\"String\":\"\"}, which is not supported"},
    {{{"decoder/decoders/0", FUSE}}, PLACE("decoder.decoders[1]", "ByteFallback")},
    {{{"decoder/decoders/1", FUSE}, {"decoder/decoders/2", REPLACE("a", "b")}},
     PLACE("decoder.decoders[2]", "Replace")},
    {{{"decoder/decoders/1", "{\"type\":\"ByteLevel\"}"}},
     PLACE("decoder.decoders[1]", "ByteLevel")},
    {{{"decoder/decoders/2", STRIP("a", "1", "0")}}, PLACE("decoder.decoders[2]", "Strip")},
    {{{"decoder/decoders/3/stop", "1"}},
     "decoder.decoders[3]: \"stop\" is 1, which is not supported"},
    {{{"decoder/decoders/3/content", "\"ab\""}},
     "decoder.decoders[3]: \"content\" must be one character"},
    {{{"decoder/decoders/3/start", "-1"}},
     "decoder.decoders[3]: \"start\" is -1, must be between 0 and 4294967295"},
};

START_TEST(setting_is_refused_by_name)
{
    char *text = dump(changed(refusals[_i].changes)), want[256];
    aim_error err = {0};
    snprintf(want, sizeof want, "tokenizer.json: %s", refusals[_i].text);
    ck_assert_ptr_null(aim_tokenizer_parse(text, strlen(text), NULL, 0, &err));
    ck_assert_str_eq(err.text, want);
    ck_assert(err.code == AIM_EUNSUPPORTED || err.code == AIM_EFORMAT);
    free_text(text);
}
END_TEST

/* Two steps make 4 MiB of the token "a". */
START_TEST(readings_are_capped)
{
    json_t *doc = character_vocab(), *steps = json_array();
    char many[2048 + 1];
    memset(many, 'a', 2048);
    many[2048] = '\0';
    for (int i = 0; i < 2; i++)
        json_array_append_new(steps, json_pack("{s:s,s:{s:s},s:s}", "type", "Replace", "pattern",
                                               "String", "a", "content", many));
    json_object_set_new(json_object_get(doc, "decoder"), "decoders", steps);
    char *text = dump(doc);
    aim_error err = {0};
    ck_assert_ptr_null(aim_tokenizer_parse(text, strlen(text), NULL, 0, &err));
    ck_assert_str_eq(err.text, "tokenizer.json: decoder: a token reads as more than 1048576 bytes");
    ck_assert_int_eq(err.code, AIM_ETOOLARGE);
    free_text(text);
}
END_TEST

/* ---- no memory ---------------------------------------------------------------------------- */

static char *rich_document(void)
{
    json_t *doc = character_vocab();
    edit(doc, "added_tokens/1", "{\"id\":1,\"content\":\"<s>\",\"normalized\":true}");
    edit(doc, "decoder",
         "{\"type\":\"Sequence\",\"decoders\":[" METASPACE(
             "first") ","
                      "{\"type\":\"ByteFallback\"}," FUSE "," STRIP(" ", "1", "0") "]}");
    return dump(doc);
}

START_TEST(parse_survives_every_failed_allocation)
{
    char *text = rich_document();
    aim_tokenizer *t = NULL;
    for (long n = 0; !t; n++) {
        aim_error err = {0};
        aim_alloc_fail_after(n);
        t = aim_tokenizer_parse(text, strlen(text), NULL, 0, &err);
        aim_alloc_fail_after(-1);
        if (!t)
            ck_assert_msg(err.code == AIM_ENOMEM, "allocation %ld: %s", n, err.text);
    }
    aim_tokenizer_free(t);
    free_text(text);
}
END_TEST

START_TEST(use_survives_every_failed_allocation)
{
    static const int32_t ids[] = {262, 198, 172, 198, 198, 260};
    char *json = rich_document();
    const char text[] = "ab ab \xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80"
                        "\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80"
                        "\xF0\x9F\x98\x80 <s>a";
    aim_tokenizer *t = aim_tokenizer_parse(json, strlen(json), NULL, 0, NULL);
    int there = AIM_ENOMEM, back = AIM_ENOMEM;
    ck_assert_ptr_nonnull(t);
    for (long n = 0; there || back; n++) {
        aim_ids out = {0};
        aim_buf text_back = AIM_BUF_INIT;
        aim_alloc_fail_after(n);
        there = aim_tokenizer_encode(t, text, strlen(text), 0, NULL, 0, &out, NULL);
        aim_alloc_fail_after(n);
        back = aim_tokenizer_decode(t, ids, COUNT(ids), true, &text_back, NULL);
        aim_alloc_fail_after(-1);
        ck_assert(there == AIM_OK || (there == AIM_ENOMEM && out.n == 0));
        ck_assert(back == AIM_OK || back == AIM_ENOMEM);
        aim_ids_free(&out);
        aim_buf_free(&text_back);
    }
    aim_tokenizer_free(t);
    free_text(json);
}
END_TEST

static Suite *sentencepiece_suite(void)
{
    Suite *s = suite_create("sentencepiece");
    TCase *encoding = tcase_create("encoding");
    tcase_add_loop_test(encoding, spelled_and_merged, 0, COUNT(encodings));
    tcase_add_loop_test(encoding, cut_words_merge_as_whole_texts, 0, COUNT(rule_sets));
    tcase_add_loop_test(encoding, long_texts_end, 0, COUNT(long_texts));
    tcase_set_timeout(encoding, 300);
    suite_add_tcase(s, encoding);

    TCase *decoding = tcase_create("decoding");
    tcase_add_loop_test(decoding, decoded, 0, COUNT(decodings));
    tcase_add_test(decoding, certain_text_goes_out);
    tcase_add_test(decoding, tokens_and_their_bytes);
    suite_add_tcase(s, decoding);

    TCase *refused = tcase_create("refused");
    tcase_add_loop_test(refused, setting_is_refused_by_name, 0, COUNT(refusals));
    tcase_add_test(refused, readings_are_capped);
    tcase_set_timeout(refused, 60);
    suite_add_tcase(s, refused);

    TCase *memory = tcase_create("memory");
    tcase_add_test(memory, parse_survives_every_failed_allocation);
    tcase_add_test(memory, use_survives_every_failed_allocation);
    tcase_set_timeout(memory, 120);
    suite_add_tcase(s, memory);
    return s;
}

int main(void)
{
    return run_suite(sentencepiece_suite());
}
