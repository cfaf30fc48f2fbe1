/* SPDX-License-Identifier: Apache-2.0 */
/* Published chat templates: which text is which row, and that a row makes of a
 * conversation what the reference implementation makes of it with that text
 * (tests/data/chat, see its README). */
#include "tests/unit/text_fixture.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "text/chat_program.h"
#include "text/chat_template.h"

#define FOLDER "tests/data/chat/"

enum { MAX_MESSAGES = 16 };

/* A file of JSON, a value on each line, as an array. */
static json_t *read_lines(const char *name)
{
    json_t *all = json_array();
    FILE *f = fopen(source_path(name), "r");
    char *line = NULL;
    size_t room = 0;
    ck_assert_ptr_nonnull(f);
    while (getline(&line, &room, f) > 0)
        ck_assert_int_eq(json_array_append_new(all, json_loads(line, 0, NULL)), 0);
    free(line);
    fclose(f);
    ck_assert_uint_gt(json_array_size(all), 0);
    return all;
}

static char *read_text(const char *folder, const char *name, const char *ending)
{
    char path[256];
    snprintf(path, sizeof path, "%s%s%s", folder, name, ending);
    FILE *f = fopen(source_path(path), "rb");
    aim_buf text = AIM_BUF_INIT;
    char piece[4096];
    ck_assert_msg(f != NULL, "%s", path);
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;)
        aim_buf_append(&text, piece, n);
    fclose(f);
    return aim_buf_steal(&text, NULL);
}

static const char *string_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* The small vocabulary of a row of cases.jsonl. */
static aim_tokenizer *make_tokenizer(const json_t *row)
{
    char *vocabulary = read_text(FOLDER, string_of(row, "vocabulary"), ".json");
    bool plain = strcmp(string_of(row, "row"), "plain") == 0;
    char *config = dump(json_pack("{s:s*, s:s*, s:b}", "bos_token", string_of(row, "bos"),
                                  "eos_token", string_of(row, "eos"), "add_bos_token", plain));
    aim_error err = {0};
    aim_tokenizer *t =
        aim_tokenizer_parse(vocabulary, strlen(vocabulary), config, strlen(config), &err);
    ck_assert_msg(t != NULL, "%s", err.text);
    aim_free(vocabulary);
    free_text(config);
    return t;
}

/* ---- what a row writes --------------------------------------------------------- */

struct conversation {
    aim_message messages[MAX_MESSAGES];
    size_t n;
    bool open, continued;
};

static struct conversation read_conversation(const json_t *from)
{
    struct conversation c = {0};
    const json_t *messages = json_object_get(from, "messages");
    c.n = json_array_size(messages);
    ck_assert_uint_le(c.n, MAX_MESSAGES);
    for (size_t i = 0; i < c.n; i++) {
        const json_t *content = json_array_get(json_array_get(messages, i), 1);
        c.messages[i].role = json_string_value(json_array_get(json_array_get(messages, i), 0));
        c.messages[i].content = json_string_value(content);
        c.messages[i].content_len = json_string_length(content);
    }
    c.open = strcmp(string_of(from, "end"), "open") == 0;
    c.continued = strcmp(string_of(from, "end"), "continue") == 0;
    return c;
}

static int count_special(const aim_tokenizer *t, const char *text, size_t len,
                         const aim_span *plain, size_t n_plain)
{
    aim_ids ids = {0};
    int n = 0;
    ck_assert_int_eq(
        aim_tokenizer_encode(t, text, len, AIM_PARSE_SPECIAL, plain, n_plain, &ids, NULL), AIM_OK);
    for (size_t i = 0; i < ids.n; i++)
        n += aim_tokenizer_is_special(t, ids.v[i]);
    aim_ids_free(&ids);
    return n;
}

/* The special tokens of a prompt are those of the text around the contents. */
static void check_special(const aim_tokenizer *t, const aim_prompt *p)
{
    aim_buf around = AIM_BUF_INIT;
    size_t done = 0;
    for (size_t i = 0; i < p->n_plain; i++) {
        ck_assert_uint_ge(p->plain[i].start, done);
        ck_assert_uint_gt(p->plain[i].end, p->plain[i].start);
        aim_buf_append(&around, p->text.data + done, p->plain[i].start - done);
        done = p->plain[i].end;
    }
    ck_assert_uint_le(done, p->text.len);
    aim_buf_append(&around, p->text.data + done, p->text.len - done);
    ck_assert_int_eq(count_special(t, p->text.data, p->text.len, p->plain, p->n_plain),
                     count_special(t, around.data, around.len, NULL, 0));
    aim_buf_free(&around);
}

static void check_ids(const aim_tokenizer *t, const aim_prompt *p, const json_t *want)
{
    aim_ids ids = {0};
    if (json_is_null(want))
        return;
    ck_assert_int_eq(aim_tokenizer_encode(t, p->text.data, p->text.len, AIM_PARSE_SPECIAL, p->plain,
                                          p->n_plain, &ids, NULL),
                     AIM_OK);
    ck_assert_msg(same_ids(want, ids.v, ids.n), "other ids: %s", p->text.data);
    aim_ids_free(&ids);
}

/* want: [text, ids], or null where the reference refuses the conversation. */
static void check_case(const aim_chat_template *c, const aim_tokenizer *t, const json_t *from,
                       const json_t *want)
{
    struct conversation talk = read_conversation(from);
    aim_prompt p;
    aim_error err = {0};
    int code = aim_chat_render(c, t, talk.messages, talk.n, talk.open, talk.continued, &p, &err);
    if (json_is_null(want)) {
        ck_assert_int_eq(code, AIM_EINVAL);
        ck_assert(err.text[0] && err.param[0]);
        return;
    }
    const json_t *text = json_array_get(want, 0);
    ck_assert_msg(code == AIM_OK, "%s", err.text);
    ck_assert_str_eq(p.text.data, json_string_value(text));
    ck_assert_uint_eq(p.text.len, json_string_length(text));
    check_ids(t, &p, json_array_get(want, 1));
    check_special(t, &p);
    aim_prompt_free(&p);
}

START_TEST(rows_write_what_the_reference_writes)
{
    json_t *rows = read_lines(FOLDER "cases.jsonl");
    json_t *talks = read_lines(FOLDER "conversations.jsonl");
    for (size_t r = 0; r < json_array_size(rows); r++) {
        const json_t *row = json_array_get(rows, r), *cases = json_object_get(row, "cases");
        aim_tokenizer *t = make_tokenizer(row);
        const aim_chat_template *c = aim_chat_template_find(t, string_of(row, "row"), NULL);
        ck_assert_msg(c != NULL, "%s", string_of(row, "row"));
        ck_assert_uint_eq(json_array_size(cases), json_array_size(talks));
        for (size_t i = 0; i < json_array_size(cases); i++)
            check_case(c, t, json_array_get(talks, i), json_array_get(cases, i));
        aim_tokenizer_free(t);
    }
    json_decref(rows);
    json_decref(talks);
}
END_TEST

/* ---- which text is which row ------------------------------------------------- */

/* Call check for each published text. */
static void for_each_template(void (*check)(const json_t *row, const char *name, char *text))
{
    json_t *rows = read_lines(FOLDER "cases.jsonl");
    for (size_t r = 0; r < json_array_size(rows); r++) {
        const json_t *row = json_array_get(rows, r), *names = json_object_get(row, "templates");
        for (size_t i = 0; i < json_array_size(names); i++) {
            const char *name = json_string_value(json_array_get(names, i));
            if (strcmp(name, "plain") == 0) /* analogd's own, with no text */
                continue;
            char *text = read_text(FOLDER, name, ".jinja");
            check(row, name, text);
            aim_free(text);
        }
    }
    json_decref(rows);
}

static void check_known(const json_t *row, const char *name, char *text)
{
    char digest[AIM_SHA256_HEX];
    char *vocabulary = dump(byte_vocab()),
         *config = dump(json_pack("{s:s}", "chat_template", text));
    aim_tokenizer *t =
        aim_tokenizer_parse(vocabulary, strlen(vocabulary), config, strlen(config), NULL);
    const aim_chat_template *c = aim_chat_template_find(t, NULL, NULL);
    ck_assert(aim__chat_program(text, strlen(text), digest));
    ck_assert_msg(c != NULL, "%s is unknown: its digest is \"%s\"", name, digest);
    ck_assert_str_eq(aim_chat_template_name(c), string_of(row, "row"));
    aim_tokenizer_free(t);
    free_text(vocabulary);
    free_text(config);
}

START_TEST(published_texts_are_known)
{
    for_each_template(check_known);
}
END_TEST

/* Does byte i stand in a comment, behind its "{#"? */
static bool in_comment(const char *text, size_t i)
{
    for (const char *c = strstr(text, "{#"); c && c + 1 < text + i; c = strstr(c + 2, "{#"))
        if (text + i < strstr(c, "#}"))
            return true;
    return false;
}

/* The digests of all published texts, to look mutants up in. */
static char digests[64][AIM_SHA256_HEX];
static int n_digests;

static void keep_digest(const json_t *row, const char *name, char *text)
{
    (void)row;
    (void)name;
    ck_assert_int_lt(n_digests, COUNT(digests));
    aim__chat_program(text, strlen(text), digests[n_digests++]);
}

static int count_known(const char *text)
{
    char digest[AIM_SHA256_HEX];
    int n = 0;
    aim__chat_program(text, strlen(text), digest);
    for (int i = 0; i < n_digests; i++)
        n += strcmp(digest, digests[i]) == 0;
    return n;
}

/* Another letter in any place but a comment makes another program. */
static void check_letters(const json_t *row, const char *name, char *text)
{
    (void)row;
    size_t len = strlen(text);
    ck_assert_int_eq(count_known(text), 1);
    for (size_t i = 0; i < len; i++) {
        char was = text[i];
        text[i] = was == 'x' ? 'y' : 'x';
        bool known = count_known(text) > 0;
        text[i] = was;
        ck_assert_msg(!known || in_comment(text, i), "%s: byte %zu, %.20s", name, i, text + i);
    }
}

START_TEST(another_letter_is_another_template)
{
    for_each_template(keep_digest);
    for_each_template(check_letters);
}
END_TEST

/* What a hand may do to a template that is still nearly the same. */
static const struct {
    const char *template, *from, *to;
} edits[] = {
    {"llama-3.1", "December 2023", "December 2024"},
    {"llama-3.1", "26 Jul 2024", "27 Jul 2024"},
    {"llama-3.1", "{{- bos_token }}", ""},
    {"llama-3", " | trim", ""},
    {"llama-3", "loop.index0 == 0", "loop.index0 == 1"},
    {"llama-2", "content.strip()", "content.lstrip()"},
    {"llama-2", "% 2 == 0", "% 2 == 1"},
    {"phi-3", "{{ eos_token }}", "{{ bos_token }}"},
    {"phi-3", "{% else %}{{ eos_token }}", ""},
    {"phi-3", "'<|user|>", "'<|user|> "},
    {"chatml", "{% endfor %}", "{% if messages[0]['role'] == 'system' %}!{% endif %}{% endfor %}"},
    {"chatml", "'<|im_end|>'", "'<|im_end|>' + ' '"},
    {"qwen2", "You are a helpful assistant.", "You are a helpful pirate."},
    {"qwen2", "You are a helpful assistant.", "You are a helpful  assistant."},
    {"qwen2.5", "'You are Qwen, ", "'You are Owen, "},
    {"qwen3", "> ns.last_query_index", ">= ns.last_query_index"},
    {"qwen3", "enable_thinking is false", "enable_thinking is true"},
    {"zephyr", "{{ '<|assistant|>' }}", "{{ '<|assistant|>' -}}"},
    {"gemma", "set role = 'model'", "set role = 'assistant'"},
    {"role-tags", "{{ bos_token }}", "{{ bos_token }} "},
};

/* template with the first `from` replaced; free with aim_free. */
static char *replaced(const char *template, const char *from, const char *to)
{
    aim_buf out = AIM_BUF_INIT;
    const char *at = strstr(template, from);
    ck_assert_msg(at != NULL, "%s is not in the template", from);
    aim_buf_append(&out, template, (size_t)(at - template));
    aim_buf_puts(&out, to);
    aim_buf_puts(&out, at + strlen(from));
    return aim_buf_steal(&out, NULL);
}

START_TEST(an_edited_template_is_unknown)
{
    char *text = read_text(FOLDER, edits[_i].template, ".jinja");
    char *edited = replaced(text, edits[_i].from, edits[_i].to);
    for_each_template(keep_digest);
    ck_assert_int_eq(count_known(text), 1);
    ck_assert_int_eq(count_known(edited), 0);
    aim_free(text);
    aim_free(edited);
}
END_TEST

/* What does not change a template: ChatML in the hands of other publishers. */
static const char *const layouts[] = {
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
    "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' "
    "}}{% endif %}\n",
    "{% for message in messages %}{{\"<|im_start|>\" + message[\"role\"] + '\\n' + "
    "message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ "
    "'<|im_start|>assistant\\n' }}{% endif %}",
    "{#- ChatML -#}\n\n{%- for message in messages -%}\n    {{- "
    "'<|im_start|>'+message['role']+'\\n'"
    "+ message [ 'content' ] + '<|im_end|>' + '\\n' -}}\n{%- endfor -%}\n"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}",
    "{% for message in messages %}\n    {%- if true %}{# no #}{% endif %}",
    "{% for message in messages %}\n{{ '<|im_start|>' + message['role'] + '\n' + "
    "message['content'] + '<|im_end|>' + '\n' }}\n{% endfor %}\n{% if add_generation_prompt %}\n"
    "{{ '<|im_start|>assistant\n' }}\n{% endif %}",
    "{% for message in messages %}\n  {# turn #}\n  {% if 1 %}",
};
static const bool same_layout[] = {true, true, true, false, false, false};

START_TEST(layout_does_not_count)
{
    for_each_template(keep_digest);
    ck_assert_int_eq(count_known(layouts[_i]), same_layout[_i]);
}
END_TEST

static Suite *fixtures_suite(void)
{
    Suite *s = suite_create("chat fixtures");
    TCase *tc = tcase_create("templates");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, rows_write_what_the_reference_writes);
    tcase_add_test(tc, published_texts_are_known);
    tcase_add_test(tc, another_letter_is_another_template);
    tcase_add_loop_test(tc, an_edited_template_is_unknown, 0, COUNT(edits));
    tcase_add_loop_test(tc, layout_does_not_count, 0, COUNT(layouts));
    suite_add_tcase(s, tc);
    return s;
}

int main(void)
{
    return run_suite(fixtures_suite());
}
