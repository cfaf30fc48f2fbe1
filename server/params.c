/* SPDX-License-Identifier: Apache-2.0 */
#include "server/params_rows.h"

#include "base/json.h"
#include "server/utf8.h"

#include <stdbool.h>
#include <string.h>

json_t *aimd_body_parse(const char *bytes, size_t len, aim_error *err)
{
    aim_error e = {0};
    json_t *body = aim_json_parse(bytes, len, 0, "request body", &e);
    if (!body) { /* a broken file is the server's fault, a broken body the client's */
        aim_fail(err, e.code == AIM_EFORMAT ? AIM_EINVAL : e.code, "%s", e.text);
        return NULL;
    }
    if (!json_is_object(body)) {
        aim_fail(err, AIM_EINVAL, "the request body must be a JSON object");
        json_decref(body);
        return NULL;
    }
    return body;
}

/* The value a dotted name stands for, NULL if it or its object is missing. */
static const json_t *lookup(const json_t *body, const char *name)
{
    const char *dot = strchr(name, '.');
    if (!dot)
        return json_object_get(body, name);
    char object[64];
    size_t n = (size_t)(dot - name);
    if (n >= sizeof object)
        return NULL;
    memcpy(object, name, n);
    object[n] = '\0';
    return json_object_get(json_object_get(body, object), dot + 1);
}

static int read_bool(const aimd_param *p, const json_t *v, int64_t *out, aim_error *err)
{
    if (!json_is_boolean(v))
        return aim_fail_param(err, AIM_EINVAL, p->name, "%s must be true or false", p->name);
    *out = json_is_true(v);
    return AIM_OK;
}

static int read_int(const aimd_param *p, const json_t *v, const aimd_options *options, int64_t *out,
                    aim_error *err)
{
    int64_t hi = p->hi;
    if (p->cap)
        hi = *(const int *)((const char *)options + p->cap_offset);
    if (!json_is_integer(v))
        return aim_fail_param(err, AIM_EINVAL, p->name, "%s must be an integer", p->name);
    int64_t n = json_integer_value(v);
    if (n < p->lo || n > hi)
        return aim_fail_param(err, AIM_EINVAL, p->name, "%s is %lld, must be between %lld and %lld",
                              p->name, (long long)n, (long long)p->lo, (long long)hi);
    *out = n;
    return AIM_OK;
}

static int read_number(const aimd_param *p, const json_t *v, double *out, aim_error *err)
{
    if (!json_is_number(v))
        return aim_fail_param(err, AIM_EINVAL, p->name, "%s must be a number", p->name);
    double n = json_number_value(v);
    if (!(n >= p->min && n <= p->max))
        return aim_fail_param(err, AIM_EINVAL, p->name, "%s is %g, must be between %g and %g",
                              p->name, n, p->min, p->max);
    *out = n;
    return AIM_OK;
}

/* Let a field that is not done here pass only if it asks for nothing. */
static int check_refused(const aimd_param *p, const json_t *v, aim_error *err)
{
    bool neutral = false;
    json_t *list = aim_json_parse(p->neutral, strlen(p->neutral), 0, p->name, err);
    if (!list)
        return (int)err->code;
    for (size_t i = 0; i < json_array_size(list) && !neutral; i++)
        neutral = json_equal(json_array_get(list, i), v);
    json_decref(list);
    if (neutral)
        return AIM_OK;
    size_t len = strlen(p->help);
    len -= len && p->help[len - 1] == '.';
    return aim_fail_param(err, AIM_EUNSUPPORTED, p->name, "%s is not supported here (%.*s)",
                          p->name, (int)len, p->help);
}

/* Store the value if there is one. */
static int read_row(const aimd_param *p, const json_t *body, const aimd_options *options,
                    aimd_params *out, aim_error *err)
{
    void *member = (char *)out + p->offset;
    const json_t *v = lookup(body, p->name);
    if (!v || json_is_null(v))
        return AIM_OK;
    switch (p->kind) {
    case AIMD_PARAM_BOOL:
        return read_bool(p, v, member, err);
    case AIMD_PARAM_INT:
        return read_int(p, v, options, member, err);
    case AIMD_PARAM_NUMBER:
        return read_number(p, v, member, err);
    case AIMD_PARAM_REFUSED:
        return check_refused(p, v, err);
    default:
        return AIM_OK;
    }
}

/* Members of rows of other routes get their defaults too, so that nothing in
 * aimd_params is ever undefined. */
static void set_defaults(aimd_params *out)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < aimd__n_params; i++) {
        const aimd_param *p = &aimd__params[i];
        void *member = (char *)out + p->offset;
        if (p->kind == AIMD_PARAM_BOOL || p->kind == AIMD_PARAM_INT)
            *(int64_t *)member = p->def;
        else if (p->kind == AIMD_PARAM_NUMBER)
            *(double *)member = p->number_def;
    }
}

static bool is_known(const char *name, enum aimd_body_route route)
{
    for (size_t i = 0; i < aimd__n_params; i++)
        if (aimd__params[i].routes & route && strcmp(aimd__params[i].name, name) == 0)
            return true;
    return false;
}

enum { UNKNOWN_LIST_BYTES = 256, UNKNOWN_NAME_BYTES = 40 };

/* Note the fields of object that no row knows. prefix: "stream_options." or "". */
static int find_unknown(const json_t *object, const char *prefix, enum aimd_body_route route,
                        bool strict, aim_buf *unknown, aim_error *err)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)object, key, v)
    {
        aim_buf name = AIM_BUF_INIT;
        size_t len = strlen(key);
        aim_buf_puts(&name, prefix);
        aimd_utf8_append(&name, key, len < UNKNOWN_NAME_BYTES ? len : UNKNOWN_NAME_BYTES);
        if (name.failed) {
            aim_buf_free(&name);
            return aim_fail_nomem(err, "field name");
        }
        bool known = len < UNKNOWN_NAME_BYTES && is_known(name.data, route);
        if (!known && strict)
            aim_fail_param(err, AIM_EINVAL, name.data, "unknown field %s", name.data);
        else if (!known && unknown->len + name.len <= UNKNOWN_LIST_BYTES)
            aim_buf_printf(unknown, "%s%s", unknown->len ? ", " : "", name.data);
        aim_buf_free(&name);
        if (!known && strict)
            return AIM_EINVAL;
    }
    return AIM_OK;
}

/* Fields that are objects with fields of their own. A misspelt one of early_stop would
 * have everything sampled that the client wants to save. */
static const struct object_field {
    const char *name, *prefix;
    bool strict;
} objects[] = {
    {"stream_options", "stream_options.", false},
    {"early_stop", "early_stop.", true},
};

static int find_unknown_nested(const json_t *body, const struct object_field *f,
                               enum aimd_body_route route, bool strict, aim_buf *unknown,
                               aim_error *err)
{
    const json_t *nested = json_object_get(body, f->name);
    if (!json_is_object(nested) || !is_known(f->name, route))
        return AIM_OK;
    return find_unknown(nested, f->prefix, route, strict || f->strict, unknown, err);
}

int aimd_params_read(const json_t *body, enum aimd_body_route route, const aimd_options *options,
                     aimd_params *out, aim_buf *unknown, aim_error *err)
{
    bool strict = options->strict_params || (route & AIMD_CHIP_BODIES);
    set_defaults(out);
    for (size_t i = 0; i < aimd__n_params; i++) {
        const aimd_param *p = &aimd__params[i];
        if (!(p->routes & route))
            continue;
        int code = read_row(p, body, options, out, err);
        if (code)
            return code;
    }
    int code = find_unknown(body, "", route, strict, unknown, err);
    for (size_t i = 0; i < sizeof objects / sizeof objects[0] && !code; i++)
        code = find_unknown_nested(body, &objects[i], route, strict, unknown, err);
    return code;
}
