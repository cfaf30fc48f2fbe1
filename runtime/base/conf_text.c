/* SPDX-License-Identifier: Apache-2.0 */
#include "base/conf_text.h"

#include "base/buf.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static char *blank(char *from, char *end)
{
    for (; from < end; from++)
        if (*from != '\n')
            *from = ' ';
    return end;
}

/* The end of the comment that begins at p, or NULL: none does, or it is never
 * closed, which libconfuse then finds. Inside a word only # begins one. */
static char *comment_end(char *p, bool inside_word)
{
    if (*p == '#' || (!inside_word && strncmp(p, "//", 2) == 0))
        return p + strcspn(p, "\n");
    char *end = !inside_word && strncmp(p, "/*", 2) == 0 ? strstr(p + 2, "*/") : NULL;
    return end ? end + 2 : NULL;
}

static char *skip_quoted(char *p)
{
    char quote = *p++;
    while (*p && *p != quote)
        p += *p == '\\' && p[1] ? 2 : 1;
    return *p ? p + 1 : p;
}

static void blank_comments(char *p)
{
    bool inside_word = false;
    while (*p) {
        char *end = comment_end(p, inside_word);
        if (end) {
            p = blank(p, end);
            continue;
        }
        inside_word = !strchr(" \t\r\n{}(),;=", *p);
        p = *p == '"' || *p == '\'' ? skip_quoted(p) : p + 1;
    }
}

char *aim_conf_text(const char *text)
{
    aim_buf whole = AIM_BUF_INIT;
    aim_buf_puts(&whole, text);
    aim_buf_puts(&whole, "\n" AIM_CONF_END " = reached\n");
    if (!whole.failed)
        blank_comments(whole.data);
    return aim_buf_steal(&whole, NULL);
}

/* Where a text in quotation marks goes on behind the end of its line, which is nearly
 * always a mark that was forgotten: everything behind it would be turned inside out.
 * NULL: nowhere. */
static const char *find_open_quote(const char *p)
{
    while (*p) {
        const char *start = p++;
        if (*start != '"' && *start != '\'')
            continue;
        while (*p && *p != '\n' && *p != *start)
            p += *p == '\\' && p[1] ? 2 : 1;
        if (*p != *start)
            return start;
        p++;
    }
    return NULL;
}

static int check_quotes(const char *text, const char *name, aim_error *err)
{
    const char *open = find_open_quote(text);
    int line = 1;
    if (!open)
        return AIM_OK;
    for (; text < open; text++)
        line += *text == '\n';
    return aim_fail(err, AIM_EINVAL, "%s:%d: a quotation mark is not closed in its line", name,
                    line);
}

/* libconfuse passes no user data to its error function. */
static _Thread_local struct {
    const char *name;
    aim_error *err;
} parsing;

__attribute__((format(printf, 2, 0))) static void on_parse_error(cfg_t *cfg, const char *fmt,
                                                                 va_list ap)
{
    char reason[256];
    vsnprintf(reason, sizeof reason, fmt, ap);
    int line = cfg && cfg->line > 0 ? cfg->line : 1;
    aim_fail(parsing.err, AIM_EINVAL, "%s:%d: %s", parsing.name, line, reason);
}

int aim_conf_parse(cfg_t *cfg, const char *text, const char *name, aim_error *err)
{
    if (check_quotes(text, name, err))
        return AIM_EINVAL;
    parsing.name = name;
    parsing.err = err;
    cfg_set_error_function(cfg, on_parse_error);
    /* on_parse_error has told where and why, unless memory ran out. */
    if (cfg_parse_buf(cfg, text) != CFG_SUCCESS)
        return aim_fail(err, AIM_ENOMEM, "%s: cannot be parsed", name);
    if (cfg_size(cfg, AIM_CONF_END) == 0)
        return aim_fail(err, AIM_EINVAL, "%s: a comment is not closed", name);
    return AIM_OK;
}
