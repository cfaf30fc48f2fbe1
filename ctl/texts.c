/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/texts.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { MAX_FILE = 64 << 20 };

/* Where the next line begins. */
static const char *next_line(const char *line)
{
    line += strcspn(line, "\n");
    return *line ? line + 1 : line;
}

static bool is_blank(const char *line)
{
    line += strspn(line, " \t\r");
    return *line == '\n' || *line == '\0';
}

/* Append n bytes; number is the line they begin in. */
static int add_text(json_t *list, const char *text, size_t n, const char *path, size_t number,
                    aim_error *err)
{
    json_t *string = json_stringn(text, n);
    if (!string)
        return aim_fail(err, AIM_EFORMAT, "%s:%zu: the text is not UTF-8", path, number);
    return json_array_append_new(list, string) ? aim_fail_nomem(err, path) : 0;
}

/* ---- paragraphs ---------------------------------------------------------- */

static int add_paragraphs(json_t *list, const char *text, size_t limit, const char *path,
                          aim_error *err)
{
    size_t number = 1;
    while (*text && json_array_size(list) < limit) {
        const char *start = text, *end = text;
        size_t first = number;
        for (; *text && !is_blank(text); number++) {
            end = text + strcspn(text, "\r\n");
            text = next_line(text);
        }
        if (end > start && add_text(list, start, (size_t)(end - start), path, first, err))
            return -1;
        for (; *text && is_blank(text); number++)
            text = next_line(text);
    }
    return 0;
}

/* ---- problems ------------------------------------------------------------ */

/* The text of one problem, or NULL. */
static const char *find_text(const json_t *problem, const char *where, aim_error *err)
{
    static const char *const keys[] = {"prompt", "question", "text"};
    const char *text = NULL;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0] && !text; i++)
        if (aim_json_string(problem, keys[i], false, where, &text, err))
            return NULL;
    if (!text)
        aim_fail(err, AIM_EFORMAT, "%s: there is no \"prompt\", \"question\" or \"text\"", where);
    return text;
}

static int add_problem(json_t *list, const char *line, size_t n, const char *path, size_t number,
                       aim_error *err)
{
    char where[300];
    snprintf(where, sizeof where, "%.250s:%zu", path, number);
    json_t *problem = aim_json_parse(line, n, 0, where, err);
    const char *text = problem ? find_text(problem, where, err) : NULL;
    int rc = text ? add_text(list, text, strlen(text), path, number, err) : -1;
    json_decref(problem);
    return rc;
}

static int add_problems(json_t *list, const char *text, size_t limit, const char *path,
                        aim_error *err)
{
    for (size_t number = 1; *text && json_array_size(list) < limit; number++) {
        if (!is_blank(text) && add_problem(list, text, strcspn(text, "\n"), path, number, err))
            return -1;
        text = next_line(text);
    }
    return 0;
}

/* ---- files --------------------------------------------------------------- */

static bool is_jsonl(const char *path)
{
    const char *end = strrchr(path, '.');
    return end && strcmp(end, ".jsonl") == 0;
}

/* NUL-terminated, and with no NUL before its end: nothing would be read behind it. */
static char *read_text(const char *path, aim_error *err)
{
    size_t len;
    char *text = aim_read_file(path, MAX_FILE, &len, err);
    if (!text || strlen(text) == len)
        return text;
    aim_fail(err, AIM_EFORMAT, "%s: holds a zero byte: not a text file", path);
    aim_free(text);
    return NULL;
}

static int split(const char *text, size_t limit, const char *path, json_t *list, aim_error *err)
{
    int rc = is_jsonl(path) ? add_problems(list, text, limit, path, err)
                            : add_paragraphs(list, text, limit, path, err);
    if (rc == 0 && json_array_size(list) == 0)
        rc = aim_fail(err, AIM_EFORMAT, "%s: holds no text", path);
    return rc;
}

json_t *actl_texts_read(const char *path, size_t limit, aim_error *err)
{
    char *text = read_text(path, err);
    if (!text)
        return NULL;
    json_t *list = json_array();
    int rc = list ? split(text, limit, path, list, err) : aim_fail_nomem(err, path);
    aim_free(text);
    if (rc == 0)
        return list;
    json_decref(list);
    return NULL;
}

json_t *actl_text_read(const char *path, aim_error *err)
{
    char *text = read_text(path, err);
    if (!text)
        return NULL;
    size_t n = strlen(text);
    n -= n > 0 && text[n - 1] == '\n';
    json_t *string = json_stringn(text, n);
    if (!string)
        aim_fail(err, AIM_EFORMAT, "%s: the text is not UTF-8", path);
    aim_free(text);
    return string;
}
