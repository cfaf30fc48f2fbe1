/* SPDX-License-Identifier: Apache-2.0 */
#include "vector_file.h"

#include "analog/tile_split.h"
#include "base/alloc.h"

#include <float.h>
#include <math.h>
#include <string.h>

int vector_child(vector_source from, const char *key, vector_source *child, aim_error *err)
{
    *child = (vector_source){json_object_get(from.object, key), from.what};
    if (json_is_object(child->object))
        return AIM_OK;
    return aim_fail_param(err, AIM_EFORMAT, key, "%s: \"%s\" must be an object", from.what, key);
}

static int fill_floats(vector_source from, const char *key, const json_t *array, float *out,
                       aim_error *err)
{
    size_t i;
    const json_t *v;
    json_array_foreach(array, i, v)
    {
        double number = json_is_number(v) ? json_number_value(v) : NAN;
        if (!(fabs(number) <= (double)FLT_MAX))
            return aim_fail_param(err, AIM_EFORMAT, key, "%s: %s[%zu] is no float32", from.what,
                                  key, i);
        out[i] = (float)number;
    }
    return AIM_OK;
}

int vector_floats(vector_source from, const char *key, size_t n, bool required, float **out,
                  aim_error *err)
{
    *out = NULL;
    const json_t *array = json_object_get(from.object, key);
    if (!required && (!array || json_is_null(array)))
        return AIM_OK;
    if (!json_is_array(array) || json_array_size(array) != n)
        return aim_fail_param(err, AIM_EFORMAT, key, "%s: \"%s\" must be an array of %zu numbers",
                              from.what, key, n);
    float *values = aim_array(n ? n : 1, sizeof *values);
    if (!values)
        return aim_fail_nomem(err, from.what);
    int code = fill_floats(from, key, array, values, err);
    if (code)
        aim_free(values);
    else
        *out = values;
    return code;
}

static int read_int(vector_source from, const char *key, int lo, int *out, aim_error *err)
{
    int64_t value = 0;
    int code = aim_json_int(from.object, key, lo, VECTOR_MAX_SIZE, true, from.what, &value, err);
    *out = (int)value;
    return code;
}

int vector_size(vector_source from, const char *key, int *out, aim_error *err)
{
    return read_int(from, key, 1, out, err);
}

int vector_tile_width(vector_source from, int *out, aim_error *err)
{
    return read_int(from, "max_input_size", -1, out, err);
}

int vector_check_split(vector_source from, int in, int max_input_size, aim_error *err)
{
    float *sizes;
    int tiles = aim_tile_count(in, max_input_size), next = 0;
    int code = vector_floats(from, "in_sizes", (size_t)tiles, true, &sizes, err);
    for (int t = 0; !code && t < tiles; t++) {
        aim_tile_span span = aim_tile_span_of(in, max_input_size, t);
        if ((float)span.width != sizes[t] || span.first != next)
            code =
                aim_fail(err, AIM_EFORMAT, "%s: tile %d has inputs %d to %d, expected %g inputs",
                         from.what, t, span.first, span.first + span.width - 1, (double)sizes[t]);
        next += span.width;
    }
    aim_free(sizes);
    return code;
}

int vector_choice(vector_source from, const char *key, const char *const *names, int n, int *out,
                  aim_error *err)
{
    const char *name;
    if (aim_json_string(from.object, key, true, from.what, &name, err))
        return AIM_EFORMAT;
    for (*out = 0; *out < n; ++*out)
        if (!strcmp(name, names[*out]))
            return AIM_OK;
    return aim_fail_param(err, AIM_EFORMAT, key, "%s: \"%s\" is \"%s\", which is unknown",
                          from.what, key, name);
}

int vector_cases(vector_source from, const json_t **cases, aim_error *err)
{
    size_t i;
    const json_t *v;
    *cases = json_object_get(from.object, "cases");
    if (!json_is_array(*cases) || !json_array_size(*cases))
        return aim_fail(err, AIM_EFORMAT, "%s: \"cases\" must be an array of cases", from.what);
    json_array_foreach(*cases, i, v) if (!json_is_object(v)) return aim_fail(
        err, AIM_EFORMAT, "%s: case %zu is no object", from.what, i);
    return AIM_OK;
}
