/* SPDX-License-Identifier: Apache-2.0 */
/* input_ranges_file.c - calibrated ranges as JSON:
 *
 *     {"format": "analogd input ranges", "version": 1,
 *      "origin": {"method": "quantile", "value": 0.9999, "texts": 2, "tokens": 90},
 *      "layers": [{"layer": 0, "ranges": [3.25, 2.5]}, ...]}
 *
 * The origin may be missing. */
#include "analog/input_ranges.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define FORMAT "analogd input ranges"
#define MAX_VALUE 1e9

enum {
    VERSION = 1,
    MAX_BYTES = 16 << 20,
    MAX_LAYER = 65535, /* numbers of layers and tiles, as program.h has them */
    MAX_TILES = 65535,
};

/* ---- writing ---------------------------------------------------------------- */

/* 17 digits are what a float widened to a double needs to come back as it was. */
static void write_layer(aim_buf *out, const aim_layer_ranges *l)
{
    aim_buf_printf(out, "  {\"layer\": %d, \"ranges\": [", l->layer);
    for (int t = 0; t < l->tiles; t++)
        aim_buf_printf(out, "%s%.17g", t ? ", " : "", (double)l->range[t]);
    aim_buf_puts(out, "]}");
}

static void write_origin(aim_buf *out, const aim_ranges_origin *o)
{
    if (o->method[0])
        aim_buf_printf(out,
                       " \"origin\": {\"method\": \"%s\", \"value\": %.17g, \"texts\": %lld, "
                       "\"tokens\": %lld},\n",
                       o->method, o->value, (long long)o->texts, (long long)o->tokens);
}

int aim_input_ranges_save(const aim_input_ranges_set *set, const char *path, aim_error *err)
{
    aim_buf out = AIM_BUF_INIT;
    aim_buf_printf(&out, "{\"format\": \"%s\", \"version\": %d,\n", FORMAT, VERSION);
    write_origin(&out, &set->origin);
    aim_buf_puts(&out, " \"layers\": [\n");
    for (size_t i = 0; i < set->n_layers; i++) {
        aim_buf_puts(&out, i ? ",\n" : "");
        write_layer(&out, &set->layers[i]);
    }
    aim_buf_puts(&out, "\n]}\n");
    int code = out.failed ? aim_fail_nomem(err, path) : aim_save_file(path, out.data, out.len, err);
    aim_buf_free(&out);
    return code;
}

/* ---- reading ---------------------------------------------------------------- */

/* Only the keys that this file knows: another may change what the others mean. */
static int check_keys(const json_t *object, const char *const known[], const char *what,
                      aim_error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        int i = 0;
        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (!known[i])
            return aim_fail_param(err, AIM_EFORMAT, key, "%s: unknown field \"%.64s\"", what, key);
    }
    return AIM_OK;
}

static int read_range(const json_t *value, int layer, size_t tile, float *range, const char *what,
                      aim_error *err)
{
    double number = json_number_value(value); /* 0 if it is none */
    *range = (float)number;
    if (*range > 0.0f && isfinite(*range))
        return AIM_OK;
    return aim_fail_param(err, AIM_EFORMAT, "ranges",
                          "%s: layer %d: \"ranges\": number %zu must be a number above 0", what,
                          layer, tile);
}

static int read_layer(const json_t *object, aim_input_ranges_set *set, const char *what,
                      aim_error *err)
{
    static const char *const known[] = {"layer", "ranges", NULL};
    int64_t next = set->n_layers ? set->layers[set->n_layers - 1].layer + 1 : 0, layer = 0;
    if (!json_is_object(object))
        return aim_fail_param(err, AIM_EFORMAT, "layers",
                              "%s: \"layers\" must be a list of objects", what);
    int code = check_keys(object, known, what, err);
    if (code == AIM_OK) /* ascending */
        code = aim_json_int(object, "layer", next, MAX_LAYER, true, what, &layer, err);
    if (code)
        return code;
    const json_t *list = json_object_get(object, "ranges");
    size_t tiles = json_array_size(list); /* 0 if it is none */
    if (tiles < 1 || tiles > MAX_TILES)
        return aim_fail_param(err, AIM_EFORMAT, "ranges",
                              "%s: layer %d: \"ranges\" must be a list of 1 to %d numbers", what,
                              (int)layer, MAX_TILES);
    float *range = aim_input_ranges_add(set, (int)layer, (int)tiles);
    if (!range)
        return aim_fail_nomem(err, what);
    for (size_t t = 0; t < tiles && code == AIM_OK; t++)
        code = read_range(json_array_get(list, t), (int)layer, t, &range[t], what, err);
    return code;
}

static bool is_method(const char *name)
{
    size_t letters = strspn(name, "abcdefghijklmnopqrstuvwxyz");
    return letters > 0 && !name[letters] && letters < sizeof((aim_ranges_origin *)0)->method;
}

static int read_origin(const json_t *object, aim_ranges_origin *o, const char *what, aim_error *err)
{
    static const char *const known[] = {"method", "value", "texts", "tokens", NULL};
    const char *method = "";
    if (!object)
        return AIM_OK;
    if (!json_is_object(object))
        return aim_fail_param(err, AIM_EFORMAT, "origin", "%s: \"origin\" must be an object", what);
    if (check_keys(object, known, what, err) ||
        aim_json_string(object, "method", true, what, &method, err) ||
        aim_json_number(object, "value", 0, MAX_VALUE, true, what, &o->value, err) ||
        aim_json_int(object, "texts", 0, INT64_MAX, true, what, &o->texts, err) ||
        aim_json_int(object, "tokens", 0, INT64_MAX, true, what, &o->tokens, err))
        return (int)AIM_EFORMAT;
    if (!is_method(method))
        return aim_fail_param(err, AIM_EFORMAT, "method", "%s: \"method\" must be one word", what);
    strcpy(o->method, method);
    return AIM_OK;
}

static int read_document(const json_t *doc, aim_input_ranges_set *set, const char *what,
                         aim_error *err)
{
    static const char *const known[] = {"format", "version", "origin", "layers", NULL};
    const char *format = json_string_value(json_object_get(doc, "format"));
    if (!format || strcmp(format, FORMAT) != 0)
        return aim_fail_param(err, AIM_EFORMAT, "format", "%s: \"format\" must be \"%s\"", what,
                              FORMAT);
    int64_t version;
    int code = aim_json_int(doc, "version", VERSION, VERSION, true, what, &version, err);
    if (code == AIM_OK)
        code = check_keys(doc, known, what, err);
    if (code == AIM_OK)
        code = read_origin(json_object_get(doc, "origin"), &set->origin, what, err);
    const json_t *layers = json_object_get(doc, "layers");
    if (code == AIM_OK && !json_is_array(layers))
        code = aim_fail_param(err, AIM_EFORMAT, "layers", "%s: \"layers\" must be a list", what);
    for (size_t i = 0; i < json_array_size(layers) && code == AIM_OK; i++)
        code = read_layer(json_array_get(layers, i), set, what, err);
    return code;
}

aim_input_ranges_set *aim_input_ranges_load(const char *path, aim_error *err)
{
    json_t *doc = aim_json_load(path, MAX_BYTES, err);
    if (!doc)
        return NULL;
    aim_input_ranges_set *set = aim_calloc(1, sizeof *set);
    if (!set)
        aim_fail_nomem(err, path);
    if (set && read_document(doc, set, path, err)) {
        aim_input_ranges_free(set);
        set = NULL;
    }
    json_decref(doc);
    return set;
}
