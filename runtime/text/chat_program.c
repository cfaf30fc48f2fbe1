/* SPDX-License-Identifier: Apache-2.0 */
/* The rules are those of Jinja 3.1, lexer.py. */
#include "text/chat_program.h"

#include <string.h>

/* The program is digested as a row of pieces, each a separator, its kind and
 * its bytes. */
enum piece {
    TEXT = 't', /* between tags */
    WORD = 'w', /* names and numbers */
    STRING = 's',
    OPERATOR = 'o',
    OUTPUT = '{', /* the start of {{ ... }} */
    BLOCK = '%',  /* of {% ... %} */
    CLOSE = '}',  /* the end of either */
};

/* A byte that UTF-8 does not have. */
#define SEPARATOR '\xff'

struct reader {
    const char *at, *end;
    bool line_start; /* does `at` follow a line break that a tag took with it? */
    enum piece open; /* the last piece begun, 0: none */
    aim_sha256 sha;
};

/* Pieces of text that meet, for example around a comment, are one. */
static void add(struct reader *r, enum piece kind, const char *bytes, size_t n)
{
    if (kind != TEXT || r->open != TEXT)
        aim_sha256_update(&r->sha, (const char[]){SEPARATOR, (char)kind}, 2);
    r->open = kind;
    aim_sha256_update(&r->sha, bytes, n);
}

static bool is_space(char c)
{
    return strchr(" \t\n\v\f", c) != NULL;
}

static bool is_word(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Is s next? */
static bool sees(const struct reader *r, const char *s)
{
    size_t n = strlen(s);
    return (size_t)(r->end - r->at) >= n && memcmp(r->at, s, n) == 0;
}

static void skip_spaces(struct reader *r)
{
    while (r->at < r->end && is_space(*r->at))
        r->at++;
}

/* ---- between tags ------------------------------------------------------- */

/* The next "{{", "{%" or "{#", or the end. */
static const char *find_tag(const struct reader *r)
{
    for (const char *p = r->at; r->end - p >= 2; p++) {
        p = memchr(p, '{', (size_t)(r->end - p));
        if (!p || r->end - p < 2)
            break;
        if (strchr("{%#", p[1]))
            return p;
    }
    return r->end;
}

/* lstrip_blocks: the indentation of a tag that begins its line. */
static const char *without_indent(const struct reader *r, const char *tag)
{
    const char *line = tag;
    while (line > r->at && line[-1] != '\n' && is_space(line[-1]))
        line--;
    bool begins = line > r->at ? line[-1] == '\n' : r->line_start;
    return begins ? line : tag;
}

/* Text up to the tag, less what the tag strips. */
static void read_text(struct reader *r, const char *tag)
{
    const char *stop = tag;
    char sign = r->end - tag > 2 ? tag[2] : '\0';
    if (tag < r->end && sign == '-')
        while (stop > r->at && is_space(stop[-1]))
            stop--;
    else if (tag < r->end && sign != '+' && tag[1] != '{')
        stop = without_indent(r, tag);
    if (stop > r->at)
        add(r, TEXT, r->at, (size_t)(stop - r->at));
    r->at = tag;
}

/* ---- inside tags -------------------------------------------------------- */

static bool read_escape(struct reader *r, char *c)
{
    static const char written[] = "nt\\'\"", meant[] = "\n\t\\'\"";
    const char *found = r->at < r->end ? strchr(written, *r->at) : NULL;
    if (!found)
        return false;
    *c = meant[found - written];
    r->at++;
    return true;
}

static bool read_string(struct reader *r)
{
    char quote = *r->at++;
    add(r, STRING, "", 0);
    while (r->at < r->end && *r->at != quote) {
        char c = *r->at++;
        if (c == '\\' && !read_escape(r, &c))
            return false;
        aim_sha256_update(&r->sha, &c, 1);
    }
    if (r->at == r->end)
        return false;
    r->at++;
    return true;
}

static void read_word(struct reader *r)
{
    const char *start = r->at;
    while (r->at < r->end && is_word(*r->at))
        r->at++;
    add(r, WORD, start, (size_t)(r->at - start));
}

static void read_operator(struct reader *r)
{
    static const char *const pairs[] = {"==", "!=", "<=", ">=", "//", "**"};
    size_t n = 1;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (sees(r, pairs[i]))
            n = 2;
    add(r, OPERATOR, r->at, n);
    r->at += n;
}

/* Is this the end of the tag? Not inside brackets: {{ {'a': {}}}}. */
static bool at_close(const struct reader *r, enum piece kind)
{
    return kind == OUTPUT ? sees(r, "}}") || sees(r, "-}}")
                          : sees(r, "%}") || sees(r, "-%}") || sees(r, "+%}");
}

/* Step over the close and over the white space that goes with it: all after a
 * '-', one line break after a block or a comment. */
static void step_over(struct reader *r, char sign, bool trims)
{
    r->at += sign == '-' || sign == '+' ? 3 : 2;
    const char *start = r->at;
    if (sign == '-')
        skip_spaces(r);
    else if (trims && sign != '+' && sees(r, "\n"))
        r->at++;
    r->line_start = r->at > start && r->at[-1] == '\n';
}

static bool read_expression(struct reader *r, enum piece kind)
{
    int depth = 0;
    for (skip_spaces(r); r->at < r->end; skip_spaces(r)) {
        char c = *r->at;
        if (depth == 0 && at_close(r, kind)) {
            add(r, CLOSE, "", 0);
            step_over(r, c, kind == BLOCK);
            return true;
        }
        depth += (c == '(' || c == '[' || c == '{') - (c == ')' || c == ']' || c == '}');
        if (depth < 0)
            return false;
        if (c == '\'' || c == '"') {
            if (!read_string(r))
                return false;
        } else if (is_word(c)) {
            read_word(r);
        } else {
            read_operator(r);
        }
    }
    return false;
}

static bool skip_comment(struct reader *r)
{
    const char *start = r->at;
    while (r->at < r->end && !sees(r, "#}"))
        r->at++;
    if (r->at == r->end)
        return false;
    char sign = r->at > start && strchr("+-", r->at[-1]) ? r->at[-1] : '\0';
    r->at -= sign != '\0';
    step_over(r, sign, true);
    return true;
}

static bool read_tag(struct reader *r)
{
    char kind = r->at[1];
    r->at += 2;
    if (sees(r, "-") || sees(r, "+"))
        r->at++;
    if (kind == '#')
        return skip_comment(r);
    add(r, (enum piece)kind, "", 0);
    return read_expression(r, (enum piece)kind);
}

bool aim__chat_program(const char *text, size_t len, char hex[AIM_SHA256_HEX])
{
    struct reader r = {.at = text, .end = text + len, .line_start = true};
    hex[0] = '\0';
    if (len == 0 || len > AIM__MAX_CHAT_TEMPLATE || memchr(text, '\0', len) ||
        memchr(text, '\r', len) || memchr(text, SEPARATOR, len))
        return false;
    if (text[len - 1] == '\n') /* Jinja drops it */
        r.end--;
    aim_sha256_init(&r.sha);
    while (r.at < r.end) {
        const char *tag = find_tag(&r);
        read_text(&r, tag);
        if (tag < r.end && !read_tag(&r))
            return false;
    }
    aim_sha256_final(&r.sha, hex);
    return true;
}
