/* SPDX-License-Identifier: Apache-2.0 */
#include "base/conf_text.h"

#include "base/buf.h"

#include <stdbool.h>
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
