/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/alloc.h"
#include "base/file.h"

#include <math.h>
#include <string.h>

/* The budget of the document this thread is parsing. Only what is allocated
 * between parse begin and end is counted. */
static _Thread_local ptrdiff_t budget_left;
static _Thread_local bool budget_on, budget_hit, memory_out;

/* jansson 2.14 reads and writes wild memory when the buffer in which it collects
 * a string cannot grow: it loses the closing quote. Requests that may be such
 * growth therefore succeed beyond the budget, which costs a small multiple of
 * the document at most, and out of a reserve when memory runs out. */
static _Thread_local char *reserve;
static _Thread_local size_t reserve_left;

/* In front of every block. */
struct head {
    size_t total;
    bool reserved;
};
enum { HEAD = 16 }; /* keeps the alignment of malloc */
_Static_assert(sizeof(struct head) <= HEAD, "a block's head");

/* The buffer starts with 16 bytes and doubles. */
static bool may_be_string_growth(size_t size)
{
    return size >= 32 && (size & (size - 1)) == 0;
}

static char *from_reserve(size_t total)
{
    if (total > reserve_left)
        return NULL;
    reserve_left -= total; /* from its end; all totals are multiples of 16 here */
    return reserve + reserve_left;
}

static void *counted_malloc(size_t size)
{
    size_t total;
    bool growth = may_be_string_growth(size);
    if (!aim_add(size, HEAD, &total) || total > PTRDIFF_MAX)
        return NULL;
    if (budget_on && (ptrdiff_t)total > budget_left) {
        budget_hit = true;
        if (!growth)
            return NULL;
    }
    struct head head = {total, false};
    char *p = aim_malloc(total);
    if (!p) {
        memory_out = true;
        head.reserved = true;
        p = budget_on && growth ? from_reserve(total) : NULL;
    }
    if (!p)
        return NULL;
    if (budget_on)
        budget_left -= (ptrdiff_t)total;
    memcpy(p, &head, sizeof head);
    return p + HEAD;
}

static void counted_free(void *p)
{
    struct head head;
    if (!p)
        return;
    memcpy(&head, (char *)p - HEAD, sizeof head);
    if (budget_on)
        budget_left += (ptrdiff_t)head.total;
    if (!head.reserved)
        aim_free((char *)p - HEAD);
}

void aim_json_init(void)
{
    json_set_alloc_funcs(counted_malloc, counted_free);
}

static json_t *parse(const char *bytes, size_t len, size_t flags, size_t budget, const char *what,
                     aim_error *err)
{
    json_error_t e;
    /* Room for the buffer to grow to the whole document, step by step. */
    reserve_left = (4 * len + 1024) & ~(size_t)(HEAD - 1);
    reserve = aim_malloc(reserve_left);
    if (!reserve) {
        aim_fail_nomem(err, what);
        return NULL;
    }
    budget_left = (ptrdiff_t)(budget ? budget : ((size_t)8 << 20) + 6 * len);
    budget_hit = memory_out = false;
    budget_on = true;
    json_t *doc = json_loadb(bytes, len, JSON_REJECT_DUPLICATES | flags, &e);
    budget_on = false;
    bool whole = doc && !budget_hit && !memory_out;
    if (!whole)
        json_decref(doc); /* it may hold blocks of the reserve */
    aim_free(reserve);
    reserve = NULL;
    if (whole)
        return doc;
    if (budget_hit)
        aim_fail(err, AIM_ETOOLARGE, "%s: the JSON document needs too much memory", what);
    else if (memory_out) /* jansson does not always say so */
        aim_fail_nomem(err, what);
    else
        aim_fail(err, AIM_EFORMAT, "%s: line %d column %d: %s", what, e.line, e.column, e.text);
    return NULL;
}

json_t *aim_json_parse(const char *bytes, size_t len, size_t budget, const char *what,
                       aim_error *err)
{
    return parse(bytes, len, 0, budget, what, err);
}

json_t *aim_json_parse_as_reals(const char *bytes, size_t len, const char *what, aim_error *err)
{
    return parse(bytes, len, JSON_DECODE_INT_AS_REAL, 0, what, err);
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
