/* SPDX-License-Identifier: Apache-2.0 */
/* What tokenizer.json and tokenizer_config.json may hold: settings that are
 * honoured, settings that are refused, and a lack of memory at any point. */
#include "tests/unit/text_fixture.h"

#include "base/alloc.h"

#include <unistd.h>

#define FILE_NAME "tokenizer.json: "

static aim_tokenizer *parse(json_t *doc, const char *config, aim_error *err)
{
    char *text = dump(doc);
    aim_tokenizer *t =
        aim_tokenizer_parse(text, strlen(text), config, config ? strlen(config) : 0, err);
    free_text(text);
    return t;
}

static aim_tokenizer *must_parse(json_t *doc, const char *config)
{
    aim_error err = {0};
    aim_tokenizer *t = parse(doc, config, &err);
    ck_assert_msg(t != NULL, "%s", err.text);
    return t;
}

/* The ids of text, written with blanks between. */
static const char *ids_of(const aim_tokenizer *t, const char *text, unsigned flags)
{
    static char shown[4096];
    aim_ids ids = {0};
    aim_error err = {0};
    int code = aim_tokenizer_encode(t, text, strlen(text), flags, NULL, 0, &ids, &err);
    ck_assert_msg(code == AIM_OK, "%s", err.text);
    shown[0] = '\0';
    for (size_t i = 0, at = 0; i < ids.n; i++)
        at += (size_t)snprintf(shown + at, sizeof shown - at, i ? " %d" : "%d", (int)ids.v[i]);
    aim_ids_free(&ids);
    return shown;
}

/* ---- refused ----------------------------------------------------------------- */

#define NESTED(list) "{\"type\":\"Sequence\",\"normalizers\":[" list "]}"
#define NFC_2 "{\"type\":\"NFC\"},{\"type\":\"NFC\"}"
#define NFC_4 NFC_2 "," NFC_2
#define REPLACE(pattern, content)                                                                  \
    "{\"type\":\"Replace\",\"pattern\":" pattern ",\"content\":\"" content "\"}"
#define STRIP(left, right) "{\"type\":\"Strip\",\"strip_left\":" left ",\"strip_right\":" right "}"

static const struct refusal {
    const char *path, *value;
    enum aim_code code;
    const char *text;
} refusals[] = {
    {"model/type", "\"Unigram\"", AIM_EUNSUPPORTED,
     FILE_NAME "model: \"type\" is \"Unigram\", which is not supported"},
    {"model/type", "7", AIM_EFORMAT, FILE_NAME "model: \"type\" must be a string"},
    {"model/dropout", "0.1", AIM_EUNSUPPORTED,
     FILE_NAME "model: \"dropout\" is 0.10000000000000001, which is not supported"},
    {"model/continuing_subword_prefix", "\"##\"", AIM_EUNSUPPORTED,
     FILE_NAME "model: \"continuing_subword_prefix\" is \"##\", which is not supported"},
    {"model/end_of_word_suffix", "\"</w>\"", AIM_EUNSUPPORTED,
     FILE_NAME "model: \"end_of_word_suffix\" is \"</w>\", which is not supported"},
    {"model/dropout", "2", AIM_EFORMAT,
     FILE_NAME "model: \"dropout\" is 2, must be between 0 and 1"},
    {"model/ignore_merges", "\"yes\"", AIM_EFORMAT,
     FILE_NAME "model: \"ignore_merges\" must be true or false"},
    {"model", "[]", AIM_EFORMAT, FILE_NAME "\"model\" must be an object"},
    {"model/vocab", NULL, AIM_EFORMAT, FILE_NAME "model: \"vocab\" must be an object"},
    {"model/vocab", "{}", AIM_EFORMAT,
     FILE_NAME "model.vocab: no token for byte 0x00, which a byte-level vocabulary must have"},
    {"model/vocab/z", NULL, AIM_EFORMAT,
     FILE_NAME "model.vocab: no token for byte 0x7A, which a byte-level vocabulary must have"},
    {"model/vocab/ab", "-1", AIM_EFORMAT,
     FILE_NAME "model.vocab: the id of \"ab\" must be an integer between 0 and 1048575"},
    {"model/vocab/ab", "1048576", AIM_EFORMAT,
     FILE_NAME "model.vocab: the id of \"ab\" must be an integer between 0 and 1048575"},
    {"model/vocab/ab", "1.5", AIM_EFORMAT,
     FILE_NAME "model.vocab: the id of \"ab\" must be an integer between 0 and 1048575"},
    {"model/vocab/ab", "257", AIM_EFORMAT,
     FILE_NAME "model.vocab: id 257 stands for more than one token, one is \"abc\""},
    {"model/merges", "{}", AIM_EFORMAT, FILE_NAME "model: \"merges\" must be an array"},
    {"model/merges/1", "\"ab\"", AIM_EFORMAT,
     FILE_NAME "model.merges[1]: must be \"left right\" or [\"left\", \"right\"]"},
    {"model/merges/1", "\"a b c\"", AIM_EFORMAT,
     FILE_NAME "model.merges[1]: must be \"left right\" or [\"left\", \"right\"]"},
    {"model/merges/1", "[\"a\", 1]", AIM_EFORMAT,
     FILE_NAME "model.merges[1]: must be \"left right\" or [\"left\", \"right\"]"},
    {"model/merges/1", "\"xy z\"", AIM_EFORMAT,
     FILE_NAME "model.merges[1]: \"xy\" is not in the vocabulary"},
    {"model/merges/1", "\"a \xE2\x96\x81\"", AIM_EFORMAT,
     FILE_NAME "model.merges[1]: \"\xE2\x96\x81\" is not in the vocabulary"},
    {"model/merges/1", "\"a c\"", AIM_EFORMAT,
     FILE_NAME "model.merges[1]: the merge of \"a\" and \"c\" is not in the vocabulary"},
    {"normalizer", "{\"type\":\"Lowercase\"}", AIM_EUNSUPPORTED,
     FILE_NAME "normalizer: \"type\" is \"Lowercase\", which is not supported"},
    {"normalizer", "[]", AIM_EFORMAT, FILE_NAME "normalizer: must be an object"},
    {"normalizer",
     "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"Nmt\"}]}",
     AIM_EUNSUPPORTED,
     FILE_NAME "normalizer.normalizers[1]: \"type\" is \"Nmt\", which is not supported"},
    {"normalizer", "{\"type\":\"Sequence\"}", AIM_EFORMAT,
     FILE_NAME "normalizer: \"normalizers\" must be an array"},
    {"normalizer", NESTED(NESTED(NESTED(NESTED(NESTED("{\"type\":\"NFC\"}"))))), AIM_ETOOLARGE,
     FILE_NAME "normalizer.normalizers[0].normalizers[0].normalizers[0].normalizers[0]: a Sequence "
               "within 4 others is not supported"},
    {"normalizer",
     NESTED(NFC_4 "," NFC_4 "," NFC_4 "," NFC_4 ","
                  "{\"type\":\"NFD\"}"),
     AIM_ETOOLARGE, FILE_NAME "normalizer.normalizers[16]: at most 16 steps are allowed"},
    {"normalizer", "{\"type\":\"Prepend\"}", AIM_EFORMAT,
     FILE_NAME "normalizer: \"prepend\" is missing"},
    {"normalizer", REPLACE("{\"String\":\"\"}", "x"), AIM_EUNSUPPORTED,
     FILE_NAME "normalizer: \"pattern\" is {\"String\":\"\"}, which is not supported"},
    {"normalizer", REPLACE("{\"Regex\":\"\\\\w\"}", "x"), AIM_EUNSUPPORTED,
     FILE_NAME "normalizer: the pattern has \"\\w\" at 0, which is not supported"},
    {"normalizer", "{\"type\":\"Strip\",\"strip_left\":true}", AIM_EFORMAT,
     FILE_NAME "normalizer: \"strip_right\" is missing"},
    {"pre_tokenizer", "null", AIM_EUNSUPPORTED,
     FILE_NAME "model: a vocabulary of characters without byte_fallback and without an unk_token "
               "in it is not supported"},
    {"pre_tokenizer/type", "\"Punctuation\"", AIM_EUNSUPPORTED,
     FILE_NAME "pre_tokenizer: \"type\" is \"Punctuation\", which is not supported"},
    {"decoder/type", "\"WordPiece\"", AIM_EUNSUPPORTED,
     FILE_NAME "decoder: \"type\" is \"WordPiece\", which is not supported"},
    {"decoder", "{\"type\":\"Fuse\"}", AIM_EUNSUPPORTED,
     FILE_NAME "decoder: another than ByteLevel is not supported where the pre_tokenizer is "
               "ByteLevel"},
    {"post_processor", "{\"type\":\"BertProcessing\"}", AIM_EUNSUPPORTED,
     FILE_NAME "post_processor: \"type\" is \"BertProcessing\", which is not supported"},
    {"post_processor", "{\"type\":\"TemplateProcessing\",\"single\":[]}", AIM_EFORMAT,
     FILE_NAME "post_processor: single: must hold sequence A once"},
    {"post_processor",
     "{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"B\"}}]}", AIM_EFORMAT,
     FILE_NAME "post_processor: single: must hold sequence A once"},
    {"post_processor", "{\"type\":\"TemplateProcessing\",\"single\":[{}]}", AIM_EFORMAT,
     FILE_NAME "post_processor: single: each piece must be a SpecialToken or a Sequence"},
    {"post_processor",
     "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}}]}",
     AIM_EFORMAT, FILE_NAME "post_processor: \"special_tokens\" has no ids for \"x\""},
    {"post_processor",
     "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}}],"
     "\"special_tokens\":{\"x\":{\"ids\":[264]}}}",
     AIM_EFORMAT, FILE_NAME "post_processor: an id of \"x\" is not in the vocabulary"},
    {"post_processor", "{\"type\":\"Sequence\",\"processors\":{}}", AIM_EFORMAT,
     FILE_NAME "post_processor: \"processors\" must be an array of at most 8"},
    {"added_tokens", "{}", AIM_EFORMAT, FILE_NAME "\"added_tokens\" must be an array"},
    {"added_tokens/0", "3", AIM_EFORMAT,
     FILE_NAME "added_tokens: the id of \"\" must be an integer between 0 and 1048575"},
    {"added_tokens/0/id", "-3", AIM_EFORMAT,
     FILE_NAME "added_tokens: the id of \"<|end|>\" must be an integer between 0 and 1048575"},
    {"added_tokens/0/content", "\"\"", AIM_EFORMAT,
     FILE_NAME "added_tokens[0]: \"content\" has 0 bytes, must have 1 to 1024"},
    {"added_tokens/0/content", NULL, AIM_EFORMAT,
     FILE_NAME "added_tokens[0]: \"content\" is missing"},
    {"added_tokens/1/content", "\"<|end|>\"", AIM_EFORMAT,
     FILE_NAME "added_tokens: \"<|end|>\" is there twice"},
    {"added_tokens/1/id", "262", AIM_EFORMAT,
     FILE_NAME "added_tokens[1]: \"id\" is 262, which another token has"},
    {"added_tokens/1/id", "97", AIM_EFORMAT,
     FILE_NAME "added_tokens[1]: \"id\" is 97, which another token has"},
    {"added_tokens/1/content", "\"ab\"", AIM_EFORMAT,
     FILE_NAME "added_tokens[1]: \"id\" is 263, but the vocabulary has 256"},
    {"added_tokens/1/lstrip", "1", AIM_EFORMAT,
     FILE_NAME "added_tokens[1]: \"lstrip\" must be true or false"},
};

START_TEST(setting_is_refused_by_name)
{
    const struct refusal *r = &refusals[_i];
    json_t *doc = byte_vocab();
    aim_error err = {0};
    edit(doc, r->path, r->value);
    aim_tokenizer *t = parse(doc, NULL, &err);
    ck_assert_ptr_null(t);
    ck_assert_str_eq(err.text, r->text);
    ck_assert_int_eq(err.code, r->code);
}
END_TEST

/* What Oniguruma and PCRE2 read differently, and what neither reads. */
static const struct {
    const char *regex;
    const char *text;
} patterns[] = {
    {"[a&&[^b]]", "the pattern has \"&&[^b]]\" at 2, which is not supported"},
    {"[[:alpha:]]", "the pattern has \"[:alpha:\" at 1, which is not supported"},
    {"a\\h", "the pattern has \"\\h\" at 1, which is not supported"},
    {"\\w+", "the pattern has \"\\w+\" at 0, which is not supported"},
    {"[\\S]", "the pattern has \"\\S]\" at 1, which is not supported"},
    {"(?m:a)", "the pattern has \"(?m:a)\" at 0, which is not supported"},
    {"(?<x>a)", "the pattern has \"(?<x>a)\" at 0, which is not supported"},
    {"(*COMMIT)a", "the pattern has \"(*COMMIT\" at 0, which is not supported"},
    {"^a", "the pattern has \"^a\" at 0, which is not supported"},
    {"a{1,2}+", "the pattern has \"}+\" at 5, which is not supported"},
    {"[]a]", "the pattern has \"]a]\" at 1, which is not supported"},
    {"a\\", "the pattern has \"\\\" at 1, which is not supported"},
    {"(a", "the pattern does not compile: missing closing parenthesis"},
    {"[a", "the pattern does not compile: missing terminating ] for character class"},
};

/* A pre-tokenizer of one pattern and then the bytes. */
static json_t *with_pattern(const char *regex)
{
    json_t *doc = byte_vocab();
    json_object_set_new(doc, "pre_tokenizer",
                        json_pack("{s:s,s:[{s:s,s:{s:s},s:s,s:b},{s:s,s:b,s:b}]}", "type",
                                  "Sequence", "pretokenizers", "type", "Split", "pattern", "Regex",
                                  regex, "behavior", "Isolated", "invert", 0, "type", "ByteLevel",
                                  "add_prefix_space", 0, "use_regex", 0));
    return doc;
}

START_TEST(pattern_is_refused)
{
    char want[256];
    aim_error err = {0};
    snprintf(want, sizeof want, FILE_NAME "pre_tokenizer.pretokenizers[0]: %s", patterns[_i].text);
    ck_assert_ptr_null(parse(with_pattern(patterns[_i].regex), NULL, &err));
    ck_assert_str_eq(err.text, want);
}
END_TEST

/* A pattern that takes exponential time ends with an error instead. */
START_TEST(pattern_runs_into_its_limit)
{
    aim_tokenizer *t = must_parse(with_pattern("(a+)+[cd]"), NULL);
    const char text[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
    aim_ids ids = {0};
    aim_error err = {0};
    int code = aim_tokenizer_encode(t, text, sizeof text - 1, 0, NULL, 0, &ids, &err);
    ck_assert_int_eq(code, AIM_EINVAL);
    ck_assert_str_eq(err.text,
                     "the tokenizer's pattern cannot split this text: match limit exceeded");
    ck_assert_uint_eq(ids.n, 0);
    aim_ids_free(&ids);
    aim_tokenizer_free(t);
}
END_TEST

START_TEST(counts_are_capped)
{
    json_t *doc = byte_vocab(), *added = json_object_get(doc, "added_tokens");
    char name[16];
    aim_error err = {0};
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof name, "<%d>", i);
        json_array_append_new(added, json_pack("{s:i,s:s}", "id", 300 + i, "content", name));
    }
    ck_assert_ptr_null(parse(doc, NULL, &err));
    ck_assert_str_eq(err.text, FILE_NAME "\"added_tokens\" has 100002 entries, at most 100000 are "
                                         "allowed");
    ck_assert_int_eq(err.code, AIM_ETOOLARGE);

    char content[1025 + 1];
    memset(content, 'x', 1025);
    content[1025] = '\0';
    doc = byte_vocab();
    json_object_set_new(json_array_get(json_object_get(doc, "added_tokens"), 0), "content",
                        json_string(content));
    err = (aim_error){0};
    ck_assert_ptr_null(parse(doc, NULL, &err));
    ck_assert_str_eq(err.text,
                     FILE_NAME "added_tokens[0]: \"content\" has 1025 bytes, must have 1 to 1024");
}
END_TEST

START_TEST(token_length_is_capped)
{
    json_t *doc = byte_vocab(), *vocab = json_object_get(json_object_get(doc, "model"), "vocab");
    static char name[65537 + 1];
    aim_error err = {0};
    memset(name, 'x', 65537);
    json_object_set_new(vocab, name, json_integer(270));
    ck_assert_ptr_null(parse(json_incref(doc), NULL, &err));
    ck_assert_str_eq(err.text,
                     FILE_NAME "model.vocab: token 270 has 65537 bytes, at most 65536 are allowed");
    json_object_del(vocab, name);
    name[65536] = '\0';
    json_object_set_new(vocab, name, json_integer(270));
    aim_tokenizer_free(must_parse(doc, NULL));
}
END_TEST

START_TEST(not_json)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"", FILE_NAME "line 1 column 0: '[' or '{' expected near end of file"},
        {"[]", FILE_NAME "must be an object"},
        {"{\"a\":1,\"a\":2}", FILE_NAME "line 1 column 10: duplicate object key near '\"a\"'"},
    };
    for (int i = 0; i < COUNT(rows); i++) {
        aim_error err = {0};
        ck_assert_ptr_null(aim_tokenizer_parse(rows[i].text, strlen(rows[i].text), NULL, 0, &err));
        ck_assert_str_eq(err.text, rows[i].want);
        ck_assert_int_eq(err.code, AIM_EFORMAT);
        ck_assert_ptr_null(aim_tokenizer_parse(rows[i].text, strlen(rows[i].text), NULL, 0, NULL));
    }
}
END_TEST

START_TEST(missing_folder)
{
    aim_error err = {0};
    ck_assert_ptr_null(aim_tokenizer_load("/nowhere", &err));
    ck_assert_int_eq(err.code, AIM_ENOTFOUND);
    ck_assert_str_eq(err.text, "/nowhere/tokenizer.json: No such file or directory");
}
END_TEST

/* ---- honoured ------------------------------------------------------------------ */

#define AB_SPLIT "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"b\"},\"behavior\":\"Isolated\"}"
#define TEMPLATE                                                                                   \
    "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"e\"}},"              \
    "{\"Sequence\":{\"id\":\"A\"}},{\"SpecialToken\":{\"id\":\"p\"}}],"                            \
    "\"special_tokens\":{\"e\":{\"ids\":[262,65]},\"p\":{\"ids\":[263]}}}"

static const struct {
    const char *path, *value, *text;
    unsigned flags;
    const char *ids;
} settings[] = {
    {"added_tokens/0/id", "262", "abc", 0, "257"},
    {"model/type", NULL, "abc", 0, "257"},
    {"model/dropout", "null", "abc", 0, "257"},
    {"model/continuing_subword_prefix", "\"\"", "abc", 0, "257"},
    {"decoder", "null", "abc", 0, "257"},
    {"added_tokens", "null", "<pad>", AIM_PARSE_SPECIAL, "60 112 97 100 62"},
    {"added_tokens", NULL, "ab", 0, "256"},
    /* the rank of a merge decides; a later one of the same pair replaces it */
    {"model/merges/0", "\"b c\"", "abc", 0, "97 261"},
    {"model/merges/0", "[\"b\", \"c\"]", "abc", 0, "97 261"},
    {"model/merges/5", "\"a b\"", "aab", 0, "258 98"},
    /* with a word that no merge makes */
    {"model/vocab/xyz", "270", "xyz", 0, "120 121 122"},
    {"model/ignore_merges", "true", "bc abc", 0, "261 32 257"},
    {"pre_tokenizer/add_prefix_space", "true", "ab<|end|>ab", 0,
     "260 60 124 101 110 100 124 62 256"},
    {"pre_tokenizer/add_prefix_space", "true", "ab<|end|>ab", AIM_PARSE_SPECIAL, "260 262 260"},
    {"pre_tokenizer/add_prefix_space", "true", " ab", 0, "260"},
    {"pre_tokenizer/use_regex", "false", "a ab", 0, "97 260"},
    {"pre_tokenizer",
     "{\"type\":\"Sequence\",\"pretokenizers\":[" AB_SPLIT
     ",{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}",
     "aabc", 0, "258 98 99"},
    {"pre_tokenizer",
     "{\"type\":\"Sequence\",\"pretokenizers\":[" AB_SPLIT
     ",{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"use_regex\":false}]}",
     "ab", 0, "32 97 32 98"},
    {"post_processor", "{\"type\":\"ByteLevel\",\"trim_offsets\":true}", "ab", AIM_ADD_SPECIAL,
     "256"},
    {"post_processor", TEMPLATE, "ab", 0, "256"},
    {"post_processor", TEMPLATE, "ab", AIM_ADD_SPECIAL, "262 65 256 263"},
    {"post_processor",
     "{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\"}," TEMPLATE "]}", "ab",
     AIM_ADD_SPECIAL, "262 65 256 263"},
    {"normalizer", "{\"type\":\"NFC\"}", "e\xCC\x81", 0, "195 169"},
    {"normalizer", "{\"type\":\"NFD\"}", "\xC3\xA9", 0, "101 204 129"},
    {"normalizer", "{\"type\":\"NFKC\"}", "\xEF\xAC\x81 e\xCC\x81", 0, "102 105 32 195 169"},
    {"normalizer", "{\"type\":\"NFKD\"}", "\xEF\xAC\x81 \xC3\xA9", 0, "102 105 32 101 204 129"},
    /* a mark that is newer than the reference's tables stops composition */
    {"normalizer", "{\"type\":\"NFC\"}", "e\xE1\xB7\xB6\xCC\x81", 0, "101 225 183 182 204 129"},
    {"normalizer", "{\"type\":\"Prepend\",\"prepend\":\"a\"}", "b<|end|>c", AIM_PARSE_SPECIAL,
     "256 262 97 99"},
    {"normalizer", "{\"type\":\"Prepend\",\"prepend\":\"a\"}", "", 0, ""},
    {"normalizer", REPLACE("{\"String\":\"xy\"}", "ab"), "xyxxyx", 0, "256 120 256 120"},
    {"normalizer", REPLACE("{\"Regex\":\"x+\"}", "b"), "axxxcx", 0, "257 98"},
    /* an empty match counts, at the end of the text too, but not behind another */
    {"normalizer", REPLACE("{\"Regex\":\"a*\"}", "x"), "b", 0, "120 98 120"},
    {"normalizer", REPLACE("{\"Regex\":\"a*\"}", "x"), "baa", 0, "120 98 120"},
    {"normalizer", REPLACE("{\"Regex\":\"(?<=b)\"}", "x"), "ab", 0, "256 120"},
    {"normalizer", REPLACE("{\"String\":\"x\"}", ""), "axbxc", 0, "257"},
    {"normalizer", STRIP("true", "false"),
     " \t\xC2\xA0"
     "b ",
     0, "98 32"},
    {"normalizer", STRIP("false", "true"), " b \t\n", 0, "32 98"},
    {"normalizer", STRIP("true", "true"), " \n ", 0, ""},
    {"normalizer", NESTED(STRIP("true", "true") "," REPLACE("{\"String\":\"b\"}", " b")), " b ", 0,
     "32 98"},
    {"normalizer", NESTED(REPLACE("{\"String\":\"b\"}", " b") "," NESTED(STRIP("true", "true"))),
     " b ", 0, "98"},
    /* flags of added tokens */
    {"added_tokens/0", "{\"id\":256,\"content\":\"ab\"}", "xabab", 0, "120 256 256"},
    {"added_tokens/0", "{\"id\":264,\"content\":\"bb\",\"special\":false}", "abbab", 0,
     "97 264 256"},
    {"added_tokens/0", "{\"id\":264,\"content\":\"QQ\",\"lstrip\":true}", "a \t\xC2\xA0QQ b", 0,
     "97 264 32 98"},
    {"added_tokens/0", "{\"id\":264,\"content\":\"QQ\",\"rstrip\":true}", "aQQ \t\u3000b", 0,
     "97 264 98"},
    {"added_tokens/0", "{\"id\":264,\"content\":\"QQ\",\"single_word\":true}",
     "aQQ QQ QQb QQ_ \xC3\xA9QQ QQ", 0,
     "97 81 81 32 264 32 81 81 98 32 81 81 95 32 195 169 81 81 32 264"},
    /* the longest wins, and one that does not count gives way to a shorter one */
    {"added_tokens/0", "{\"id\":264,\"content\":\"<p\"}", "<pad><pa", AIM_PARSE_SPECIAL,
     "263 264 97"},
    {"added_tokens/0", "{\"id\":264,\"content\":\"<p\"}", "<pad><pa", 0, "264 97 100 62 264 97"},
    /* white space that two tokens want goes to the first, and may be found again */
    {"added_tokens/0", "{\"id\":264,\"content\":\"QQ\",\"rstrip\":true,\"lstrip\":true}",
     " QQ  QQ b", 0, "264 264 98"},
    {"added_tokens",
     "[{\"id\":264,\"content\":\"QQ\",\"rstrip\":true},{\"id\":265,\"content\":\" \"}]", "QQ  b", 0,
     "264 265 265 98"},
    {"added_tokens",
     "[{\"id\":264,\"content\":\"QQ\",\"rstrip\":true},{\"id\":265,\"content\":\" "
     "\",\"lstrip\":true}]",
     "QQ  b", 0, "264 98"},
    /* those searched after the others lose where they overlap */
    {"added_tokens/0", "{\"id\":264,\"content\":\"a<\",\"normalized\":true}", "a<pad>a<",
     AIM_PARSE_SPECIAL, "97 263 264"},
};

START_TEST(setting_is_honoured)
{
    json_t *doc = byte_vocab();
    edit(doc, settings[_i].path, settings[_i].value);
    aim_tokenizer *t = must_parse(doc, NULL);
    ck_assert_str_eq(ids_of(t, settings[_i].text, settings[_i].flags), settings[_i].ids);
    aim_tokenizer_free(t);
}
END_TEST

/* A special token that is searched in normalised text, and what of that is
 * plain. */
static const struct {
    const char *normalizer, *text;
    aim_span plain[2];
    size_t n_plain;
    const char *expect; /* of each id: 'E' for <|end|>, '.' for another */
} spans[] = {
    {"{\"type\":\"NFC\"}", "a<|end|>b", {{0}}, 0, ".E."},
    {"{\"type\":\"NFC\"}", "a<|end|>b", {{0, 9}}, 1, "........."},
    {"{\"type\":\"NFC\"}", "a<|end|>b", {{3, 4}}, 1, "........."},
    /* the text before gets shorter, or longer */
    {"{\"type\":\"NFC\"}", "e\xCC\x81<|end|><|end|>", {{0, 3}}, 1, "..EE"},
    {"{\"type\":\"NFC\"}", "e\xCC\x81<|end|><|end|>", {{0, 10}}, 1, ".........E"},
    {REPLACE("{\"String\":\"x\"}", "yyy"),
     "x<|end|><|end|>x",
     {{0, 1}, {8, 16}},
     2,
     "...E.........."},
    {"{\"type\":\"Prepend\",\"prepend\":\"y\"}", "y<|end|>y<|end|>", {{8, 16}}, 1, ".E........"},
    {STRIP("true", "true"), "  <|end|><|end|>", {{2, 9}}, 1, ".......E"},
    {STRIP("true", "true"), "  <|end|>  ", {{0, 2}, {9, 11}}, 2, "E"},
    /* '>' and U+0338 compose across the start of the plain text: not followed */
    {"{\"type\":\"NFC\"}", "<|end|><|end|>\xCC\xB8", {{14, 16}}, 1, "................"},
};

START_TEST(plain_spans_are_followed)
{
    json_t *doc = byte_vocab();
    aim_error err = {0};
    aim_ids ids = {0};
    edit(doc, "normalizer", spans[_i].normalizer);
    edit(doc, "added_tokens/0/normalized", "true");
    aim_tokenizer *t = must_parse(doc, NULL);
    ck_assert_int_eq(aim_tokenizer_encode(t, spans[_i].text, strlen(spans[_i].text),
                                          AIM_PARSE_SPECIAL, spans[_i].plain, spans[_i].n_plain,
                                          &ids, &err),
                     AIM_OK);
    char shown[64] = "";
    for (size_t i = 0; i < ids.n && i < sizeof shown - 1; i++)
        shown[i] = ids.v[i] == 262 ? 'E' : '.';
    ck_assert_str_eq(shown, spans[_i].expect);
    aim_ids_free(&ids);
    aim_tokenizer_free(t);
}
END_TEST

START_TEST(sparse_ids)
{
    json_t *doc = byte_vocab();
    edit(doc, "model/vocab/ab", "1048575");
    aim_tokenizer *t = must_parse(doc, NULL);
    size_t len;
    ck_assert_int_eq(aim_tokenizer_size(t), 1048576);
    ck_assert_str_eq(ids_of(t, "ab", 0), "1048575");
    ck_assert_str_eq(aim_tokenizer_bytes(t, 1048574, &len), "");
    ck_assert_uint_eq(len, 0);
    aim_tokenizer_free(t);
}
END_TEST

START_TEST(tokens_and_their_bytes)
{
    aim_tokenizer *t = must_parse(byte_vocab(), NULL);
    static const struct {
        int32_t id;
        const char *bytes;
        size_t len;
        bool special;
    } rows[] = {
        {-1, "", 0, false},     {0, "\0", 1, false},       {255, "\xFF", 1, false},
        {260, " ab", 3, false}, {262, "<|end|>", 7, true}, {264, "", 0, false},
    };
    for (int i = 0; i < COUNT(rows); i++) {
        size_t len;
        const char *bytes = aim_tokenizer_bytes(t, rows[i].id, &len);
        ck_assert_uint_eq(len, rows[i].len);
        ck_assert_mem_eq(bytes, rows[i].bytes, len);
        ck_assert(aim_tokenizer_is_special(t, rows[i].id) == rows[i].special);
    }
    ck_assert_int_eq(aim_tokenizer_size(t), 264);
    ck_assert_int_eq(aim_tokenizer_find(t, " ab"), 260);
    ck_assert_int_eq(aim_tokenizer_find(t, "<|end|>"), 262);
    ck_assert_int_eq(aim_tokenizer_find(t, "<|end"), -1);
    ck_assert_int_eq(aim_tokenizer_find(t, ""), -1);
    aim_tokenizer_free(t);
}
END_TEST

/* ---- tokenizer_config.json ------------------------------------------------------ */

static const struct {
    const char *config;
    const char *bos, *eos, *chat, *ids; /* ids: of "ab" with AIM_ADD_SPECIAL */
    int32_t bos_id;
} configs[] = {
    {NULL, NULL, NULL, NULL, "256", -1},
    {"{}", NULL, NULL, NULL, "256", -1},
    {"{\"bos_token\":null,\"chat_template\":null}", NULL, NULL, NULL, "256", -1},
    {"{\"bos_token\":\"<pad>\",\"eos_token\":{\"content\":\"<|end|>\"}}", "<pad>", "<|end|>", NULL,
     "256", 263},
    {"{\"bos_token\":\"<pad>\",\"add_bos_token\":true}", "<pad>", NULL, NULL, "263 256", 263},
    {"{\"bos_token\":\"<pad>\",\"add_bos_token\":false}", "<pad>", NULL, NULL, "256", 263},
    /* What transformers writes for "no limit"; it fits into no 64 bits. */
    {"{\"model_max_length\":1000000000000000019884624838656,\"bos_token\":\"<pad>\"}", "<pad>",
     NULL, NULL, "256", 263},
    {"{\"bos_token\":\"none\"}", "none", NULL, NULL, "256", -1},
    {"{\"eos_token\":\"<|end|>\",\"add_eos_token\":true}", NULL, "<|end|>", NULL, "256 262", -1},
    {"{\"chat_template\":\"x\"}", NULL, NULL, "x", "256", -1},
    {"{\"chat_template\":[{\"name\":\"rag\",\"template\":\"y\"},"
     "{\"name\":\"default\",\"template\":\"z\"}]}",
     NULL, NULL, "z", "256", -1},
};

static void expect_text(const char *got, const char *want)
{
    if (!want)
        ck_assert_ptr_null(got);
    else
        ck_assert_str_eq(got, want);
}

START_TEST(config_is_read)
{
    aim_tokenizer *t = must_parse(byte_vocab(), configs[_i].config);
    expect_text(aim_tokenizer_bos(t), configs[_i].bos);
    expect_text(aim_tokenizer_eos(t), configs[_i].eos);
    expect_text(aim_tokenizer_pad(t), NULL);
    expect_text(aim_tokenizer_chat_template(t), configs[_i].chat);
    ck_assert_int_eq(aim_tokenizer_bos_id(t), configs[_i].bos_id);
    ck_assert_str_eq(ids_of(t, "ab", AIM_ADD_SPECIAL), configs[_i].ids);
    aim_tokenizer_free(t);
}
END_TEST

/* BOS is not put before a template that has it already. */
START_TEST(bos_comes_once)
{
    json_t *doc = byte_vocab();
    edit(doc, "post_processor", TEMPLATE);
    aim_tokenizer *t = must_parse(doc, "{\"bos_token\":\"<|end|>\",\"add_bos_token\":true}");
    ck_assert_str_eq(ids_of(t, "ab", AIM_ADD_SPECIAL), "262 65 256 263");
    aim_tokenizer_free(t);
}
END_TEST

static const struct {
    const char *config, *text;
} bad_configs[] = {
    {"[]", "must be an object"},
    {"{", "line 1 column 1: string or '}' expected near end of file"},
    {"{\"bos_token\":1}", "\"bos_token\" must be a string"},
    {"{\"bos_token\":{}}", "\"content\" is missing"},
    {"{\"chat_template\":{}}", "\"chat_template\" must be a string"},
    {"{\"chat_template\":[{\"name\":\"default\"}]}", "chat_template: \"template\" is missing"},
    {"{\"add_bos_token\":\"yes\"}", "\"add_bos_token\" must be true or false"},
    {"{\"add_bos_token\":true}", "\"add_bos_token\" is true, but \"bos_token\" is not a token"},
    {"{\"add_eos_token\":true,\"eos_token\":\"no\"}",
     "\"add_eos_token\" is true, but \"eos_token\" is not a token"},
};

START_TEST(config_is_refused)
{
    aim_error err = {0};
    char want[256];
    snprintf(want, sizeof want, "tokenizer_config.json: %s", bad_configs[_i].text);
    ck_assert_ptr_null(parse(byte_vocab(), bad_configs[_i].config, &err));
    ck_assert_str_eq(err.text, want);
    ck_assert_int_eq(err.code, AIM_EFORMAT);
}
END_TEST

/* ---- a folder ---------------------------------------------------------------------- */

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static void remove_folder(const char *dir)
{
    static const char *const names[] = {"tokenizer.json", "tokenizer_config.json",
                                        "chat_template.jinja"};
    char path[128];
    for (int i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

START_TEST(template_has_a_file_of_its_own)
{
    char dir[] = "/tmp/test_tokenizer.XXXXXX", *json = dump(byte_vocab());
    aim_error err = {0};
    ck_assert_ptr_nonnull(mkdtemp(dir));
    write_file(dir, "tokenizer.json", json);
    write_file(dir, "tokenizer_config.json", "{\"chat_template\":\"in the configuration\"}");
    aim_tokenizer *t = aim_tokenizer_load(dir, NULL);
    expect_text(aim_tokenizer_chat_template(t), "in the configuration");
    aim_tokenizer_free(t);
    write_file(dir, "chat_template.jinja", "alone\n");
    t = aim_tokenizer_load(dir, NULL);
    expect_text(aim_tokenizer_chat_template(t), "alone\n");
    aim_tokenizer_free(t);
    write_file(dir, "chat_template.jinja", "ab\xC3");
    ck_assert_ptr_null(aim_tokenizer_load(dir, &err));
    ck_assert_str_eq(err.text, "chat_template.jinja: not valid UTF-8 at byte 2");
    remove_folder(dir);
    free_text(json);
}
END_TEST

/* ---- no memory ------------------------------------------------------------------- */

/* A document that makes every reader allocate. */
static char *rich_document(void)
{
    json_t *doc = with_pattern("[\\p{L}\\s]+|[^\\s]");
    edit(doc, "normalizer", "{\"type\":\"NFC\"}");
    edit(doc, "post_processor", TEMPLATE);
    edit(doc, "added_tokens/1", "{\"id\":263,\"content\":\"\xC3\xA9!\",\"normalized\":true}");
    return dump(doc);
}

#define RICH_CONFIG                                                                                \
    "{\"bos_token\":\"<|end|>\",\"eos_token\":{\"content\":\"x\"},\"add_bos_token\":true,"         \
    "\"chat_template\":[{\"name\":\"default\",\"template\":\"t\"}]}"

START_TEST(parse_survives_every_failed_allocation)
{
    char *text = rich_document();
    aim_tokenizer *t = NULL;
    for (long n = 0; !t; n++) {
        aim_error err = {0};
        aim_alloc_fail_after(n);
        t = aim_tokenizer_parse(text, strlen(text), RICH_CONFIG, strlen(RICH_CONFIG), &err);
        aim_alloc_fail_after(-1);
        if (!t)
            ck_assert_msg(err.code == AIM_ENOMEM, "allocation %ld: %s", n, err.text);
    }
    aim_tokenizer_free(t);
    free_text(text);
}
END_TEST

START_TEST(encode_survives_every_failed_allocation)
{
    char *json = rich_document(), text[200];
    aim_tokenizer *t = aim_tokenizer_parse(json, strlen(json), NULL, 0, NULL);
    int code = AIM_ENOMEM;
    ck_assert_ptr_nonnull(t);
    memset(text, 'a', sizeof text);
    memcpy(text + 150, "<|end|>e\xCC\x81!", 11);
    for (long n = 0; code; n++) {
        aim_error err = {0};
        aim_ids ids = {0};
        ck_assert(aim_ids_push(&ids, 1));
        aim_alloc_fail_after(n);
        code = aim_tokenizer_encode(t, text, sizeof text, AIM_PARSE_SPECIAL | AIM_ADD_SPECIAL, NULL,
                                    0, &ids, &err);
        aim_alloc_fail_after(-1);
        ck_assert_int_eq(code, err.code);
        ck_assert_msg(code == AIM_OK || code == AIM_ENOMEM, "%s", err.text);
        ck_assert(code == AIM_OK ? ids.n > 1 : ids.n == 1);
        aim_ids_free(&ids);
    }
    aim_tokenizer_free(t);
    free_text(json);
}
END_TEST

static Suite *tokenizer_file_suite(void)
{
    Suite *s = suite_create("tokenizer file");
    TCase *refused = tcase_create("refused");
    tcase_add_loop_test(refused, setting_is_refused_by_name, 0, COUNT(refusals));
    tcase_add_loop_test(refused, pattern_is_refused, 0, COUNT(patterns));
    tcase_add_test(refused, pattern_runs_into_its_limit);
    tcase_add_test(refused, counts_are_capped);
    tcase_add_test(refused, token_length_is_capped);
    tcase_add_test(refused, not_json);
    tcase_add_test(refused, missing_folder);
    tcase_set_timeout(refused, 60);
    suite_add_tcase(s, refused);

    TCase *honoured = tcase_create("honoured");
    tcase_add_loop_test(honoured, setting_is_honoured, 0, COUNT(settings));
    tcase_add_loop_test(honoured, plain_spans_are_followed, 0, COUNT(spans));
    tcase_add_test(honoured, sparse_ids);
    tcase_add_test(honoured, tokens_and_their_bytes);
    suite_add_tcase(s, honoured);

    TCase *config = tcase_create("config");
    tcase_add_loop_test(config, config_is_read, 0, COUNT(configs));
    tcase_add_test(config, bos_comes_once);
    tcase_add_loop_test(config, config_is_refused, 0, COUNT(bad_configs));
    tcase_add_test(config, template_has_a_file_of_its_own);
    suite_add_tcase(s, config);

    TCase *memory = tcase_create("memory");
    tcase_add_test(memory, parse_survives_every_failed_allocation);
    tcase_add_test(memory, encode_survives_every_failed_allocation);
    tcase_set_timeout(memory, 120);
    suite_add_tcase(s, memory);
    return s;
}

int main(void)
{
    return run_suite(tokenizer_file_suite());
}
