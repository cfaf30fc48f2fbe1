/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/commands.h"

#include "base/alloc.h"
#include "base/json.h"
#include "ctl/chip.h"
#include "ctl/outcome.h"
#include "ctl/table.h"
#include "ctl/terminal.h"
#include "ctl/texts.h"
#include "ctl/words.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>

static const char usual_prompt[] =
    "Dan makes 6 stickers a day for 7 days. How many stickers does Dan make?";

/* ---- reading ------------------------------------------------------------- */

struct layer {
    const char *name;
    int64_t outputs, inputs, tiles;
    char range[32];                               /* a figure, or how it is found */
    double dac_clipped, adc_saturated, rms_error; /* NaN: not told */
};

static int read_range(const json_t *object, struct layer *l, aim_error *err)
{
    const json_t *range = json_object_get(object, "input_range");
    if (json_is_number(range))
        snprintf(l->range, sizeof l->range, "%.4g", json_number_value(range));
    else if (json_is_string(range))
        snprintf(l->range, sizeof l->range, "%s", json_string_value(range));
    else if (range && !json_is_null(range))
        return aim_fail(err, AIM_EFORMAT, "a layer: \"input_range\" must be a number or a string");
    return 0;
}

static int read_layer(const json_t *o, struct layer *l, aim_error *err)
{
    static const char what[] = "a layer of the server's answer";
    *l = (struct layer){.dac_clipped = NAN, .adc_saturated = NAN, .rms_error = NAN};
    bool bad = aim_json_string(o, "name", true, what, &l->name, err) ||
               aim_json_int(o, "outputs", 0, INT64_MAX, false, what, &l->outputs, err) ||
               aim_json_int(o, "inputs", 0, INT64_MAX, false, what, &l->inputs, err) ||
               aim_json_int(o, "tiles", 0, INT64_MAX, false, what, &l->tiles, err) ||
               aim_json_number(o, "dac_clipped", 0, 1, false, what, &l->dac_clipped, err) ||
               aim_json_number(o, "adc_saturated", 0, 1, false, what, &l->adc_saturated, err) ||
               aim_json_number(o, "rms_error", 0, DBL_MAX, false, what, &l->rms_error, err) ||
               read_range(o, l, err);
    return bad ? ACTL_UNREACHABLE : ACTL_OK;
}

/* ---- the table ----------------------------------------------------------- */

static const actl_column columns[] = {
    {"LAYER", false}, {"OUTPUTS", true},     {"INPUTS", true},        {"TILES", true},
    {"RANGE", true},  {"DAC CLIPPED", true}, {"ADC SATURATED", true}, {"RMS ERROR", true},
};
enum { N_COLUMNS = sizeof columns / sizeof columns[0] };

static void put_layer(actl_table *t, const struct layer *l)
{
    char words[ACTL_WORDS];
    actl_table_put(t, "%s", l->name);
    actl_table_put(t, "%" PRId64, l->outputs);
    actl_table_put(t, "%" PRId64, l->inputs);
    actl_table_put(t, "%" PRId64, l->tiles);
    actl_table_put(t, "%s", l->range);
    actl_table_put(t, "%s", actl_percent_words(l->dac_clipped, words));
    actl_table_put(t, "%s", actl_percent_words(l->adc_saturated, words));
    actl_table_put(t, "%s", actl_percent_words(l->rms_error, words));
}

/* The largest of a figure, and the layer that has it. */
struct worst {
    double value;
    const char *layer;
};

struct summary {
    size_t layers;
    struct worst dac, adc, rms;
};

static void note(struct worst *w, double value, const char *layer)
{
    if (!w->layer || isnan(w->value) || value > w->value)
        *w = (struct worst){value, layer};
}

static void summarise(struct summary *s, const struct layer *l)
{
    s->layers++;
    note(&s->dac, l->dac_clipped, l->name);
    note(&s->adc, l->adc_saturated, l->name);
    note(&s->rms, l->rms_error, l->name);
}

static void print_worst(const char *what, const struct worst *w)
{
    char words[ACTL_WORDS];
    if (w->value == 0)
        actl_say("  %-14s%9s", what, "none");
    else
        actl_say("  %-14s%9s  %s", what, actl_percent_words(w->value, words), w->layer);
}

static void print_summary(const struct summary *s, int64_t tokens)
{
    actl_say("%zu layers, %" PRId64 " tokens; the worst:", s->layers, tokens);
    print_worst("DAC clipped", &s->dac);
    print_worst("ADC saturated", &s->adc);
    print_worst("RMS error", &s->rms);
}

static int print_layers(const json_t *answer, aim_error *err)
{
    size_t i;
    const json_t *item;
    struct layer layer;
    struct summary summary = {0};
    actl_table table;
    int64_t tokens = 0;
    int rc = aim_json_int(answer, "prompt_tokens", 0, INT64_MAX, false, "the server's answer",
                          &tokens, err)
                 ? ACTL_UNREACHABLE
                 : ACTL_OK;
    actl_table_init(&table, columns, N_COLUMNS);
    json_array_foreach(json_object_get(answer, "layers"), i, item)
    {
        if (rc == ACTL_OK)
            rc = read_layer(item, &layer, err);
        if (rc != ACTL_OK)
            break;
        put_layer(&table, &layer);
        summarise(&summary, &layer);
    }
    actl_table_finish(&table);
    if (summary.layers && rc == ACTL_OK)
        print_summary(&summary, tokens);
    return rc;
}

/* ---- the command --------------------------------------------------------- */

static json_t *make_body(const actl_options *o, aim_error *err)
{
    const char *text = o->values[ACTL_PROMPT], *file = o->values[ACTL_PROMPT_FILE];
    if (text && file) {
        aim_fail(err, AIM_EINVAL, "--prompt and --prompt-file exclude each other");
        return NULL;
    }
    json_t *prompt = file ? actl_text_read(file, err) : json_string(text ? text : usual_prompt);
    json_t *body = prompt ? json_pack("{s:o}", "prompt", prompt) : NULL;
    if (!body)
        aim_fail(err, AIM_EINVAL, "the prompt is not UTF-8");
    return body;
}

int actl_probe(actl_client *c, const actl_options *o, aim_error *err)
{
    json_t *answer = NULL, *body = make_body(o, err);
    char *path = body ? actl_chip_path(o->arguments[0], "/probe", err) : NULL;
    int rc = path ? actl_call(c, "POST", path, body, &answer, err) : ACTL_USAGE;
    if (rc == ACTL_OK && o->values[ACTL_JSON])
        actl_print_json(answer);
    else if (rc == ACTL_OK)
        rc = print_layers(answer, err);
    json_decref(answer);
    json_decref(body);
    aim_free(path);
    return rc;
}
