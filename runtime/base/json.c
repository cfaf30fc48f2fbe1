/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/alloc.h"
#include "base/file.h"

#include <math.h>
#include <string.h>

/* The budget of the document this thread is parsing. Blocks carry their size
 * in front; only what is allocated between parse begin and end is counted. */
static _Thread_local size_t budget_left;
static _Thread_local bool budget_on, budget_hit, memory_out;

enum { HEAD = 16 }; /* keeps the alignment of malloc */

static void *counted_malloc(size_t size)
{
    size_t total;
    if (!aim_add(size, HEAD, &total))
        return NULL;
    if (budget_on) {
        if (total > budget_left) {
            budget_hit = true;
            return NULL;
        }
        budget_left -= total;
    }
    char *p = aim_malloc(total);
    if (!p) {
        memory_out = true;
        return NULL;
    }
    memcpy(p, &total, sizeof total);
    return p + HEAD;
}

static void counted_free(void *p)
{
    if (!p)
        return;
    char *head = (char *)p - HEAD;
    size_t total;
    memcpy(&total, head, sizeof total);
    if (budget_on)
        budget_left += total;
    aim_free(head);
}

void aim_json_init(void)
{
    json_set_alloc_funcs(counted_malloc, counted_free);
}

json_t *aim_json_parse(const char *bytes, size_t len, size_t budget, const char *what,
                       aim_error *err)
{
    json_error_t e;
    budget_left = budget ? budget : ((size_t)8 << 20) + 6 * len;
    budget_hit = memory_out = false;
    budget_on = true;
    json_t *doc = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &e);
    budget_on = false;
    if (doc && !budget_hit && !memory_out)
        return doc;
    json_decref(doc); /* jansson can lose a byte of a string and go on */
    if (budget_hit)
        aim_fail(err, AIM_ETOOLARGE, "%s: the JSON document needs too much memory", what);
    else if (memory_out) /* jansson does not always say so */
        aim_fail_nomem(err, what);
    else
        aim_fail(err, AIM_EFORMAT, "%s: line %d column %d: %s", what, e.line, e.column, e.text);
    return NULL;
}

json_t *aim_json_load(const char *path, size_t max_bytes, aim_error *err)
{
    size_t len;
    char *text = aim_read_file(path, max_bytes, &len, err);
    if (!text)
        return NULL;
    json_t *doc = aim_json_parse(text, len, 0, path, err);
    aim_free(text);
    return doc;
}

/* The value of key, or NULL if it is missing or null; a failure if required. */
static int get(const json_t *obj, const char *key, bool required, const char *what,
               const json_t **out, aim_error *err)
{
    *out = json_object_get(obj, key);
    if (*out && json_is_null(*out))
        *out = NULL;
    if (!*out && required)
        return aim_fail_param(err, AIM_EFORMAT, key, "%s: \"%s\" is missing", what, key);
    return AIM_OK;
}

int aim_json_int(const json_t *obj, const char *key, int64_t lo, int64_t hi, bool required,
                 const char *what, int64_t *out, aim_error *err)
{
    const json_t *v;
    int code = get(obj, key, required, what, &v, err);
    if (code || !v)
        return code;
    if (!json_is_integer(v))
        return aim_fail_param(err, AIM_EFORMAT, key, "%s: \"%s\" must be an integer", what, key);
    json_int_t n = json_integer_value(v);
    if (n < lo || n > hi)
        return aim_fail_param(err, AIM_EFORMAT, key,
                              "%s: \"%s\" is %lld, must be between %lld and %lld", what, key,
                              (long long)n, (long long)lo, (long long)hi);
    *out = n;
    return AIM_OK;
}

int aim_json_number(const json_t *obj, const char *key, double lo, double hi, bool required,
                    const char *what, double *out, aim_error *err)
{
    const json_t *v;
    int code = get(obj, key, required, what, &v, err);
    if (code || !v)
        return code;
    if (!json_is_number(v))
        return aim_fail_param(err, AIM_EFORMAT, key, "%s: \"%s\" must be a number", what, key);
    double n = json_number_value(v);
    if (!(n >= lo && n <= hi))
        return aim_fail_param(err, AIM_EFORMAT, key, "%s: \"%s\" is %g, must be between %g and %g",
                              what, key, n, lo, hi);
    *out = n;
    return AIM_OK;
}

int aim_json_bool(const json_t *obj, const char *key, bool required, const char *what, bool *out,
                  aim_error *err)
{
    const json_t *v;
    int code = get(obj, key, required, what, &v, err);
    if (code || !v)
        return code;
    if (!json_is_boolean(v))
        return aim_fail_param(err, AIM_EFORMAT, key, "%s: \"%s\" must be true or false", what, key);
    *out = json_is_true(v);
    return AIM_OK;
}

int aim_json_string(const json_t *obj, const char *key, bool required, const char *what,
                    const char **out, aim_error *err)
{
    const json_t *v;
    int code = get(obj, key, required, what, &v, err);
    if (code || !v)
        return code;
    if (!json_is_string(v))
        return aim_fail_param(err, AIM_EFORMAT, key, "%s: \"%s\" must be a string", what, key);
    *out = json_string_value(v);
    return AIM_OK;
}
