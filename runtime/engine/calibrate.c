/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/calibrate.h"

#include "analog/tile_split.h"
#include "base/alloc.h"
#include "engine/input_statistics.h"
#include "engine/measure_run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- methods ---------------------------------------------------------------------- */

/* The usual one is first. */
static const struct {
    const char *name;
    aim_calibration usual;
} methods[] = {
    {"quantile", {AIM_CALIBRATE_QUANTILE, 0.9999}},
    {"max", {AIM_CALIBRATE_MAX, 0}},
    {"std", {AIM_CALIBRATE_STD, 18}},
};
enum { N_METHODS = sizeof methods / sizeof methods[0] };

int aim_calibration_find(const char *name, aim_calibration *out, aim_error *err)
{
    for (size_t i = 0; i < N_METHODS; i++)
        if (!name || strcmp(methods[i].name, name) == 0) {
            *out = methods[i].usual;
            return AIM_OK;
        }
    return aim_fail_param(err, AIM_EINVAL, "method",
                          "method \"%.50s\" is not one of: quantile, max, std", name);
}

int aim_calibration_check(const aim_calibration *c, aim_error *err)
{
    if (c->method == AIM_CALIBRATE_QUANTILE && !(c->value > 0 && c->value <= 1))
        return aim_fail_param(err, AIM_EINVAL, "value",
                              "value is %g, but a quantile is above 0 and at most 1", c->value);
    if (c->method == AIM_CALIBRATE_STD && !(c->value > 0 && isfinite(c->value)))
        return aim_fail_param(err, AIM_EINVAL, "value",
                              "value is %g, but a factor is above 0 and finite", c->value);
    return AIM_OK;
}

/* ---- statistics of the tiles -------------------------------------------------------- */

/* Of a linear layer, whose parts have the same inputs. */
typedef struct layer_inputs {
    int layer; /* number of the first part */
    int n_parts, tiles;
    aim_input_statistics *of_tile; /* [tiles] */
} layer_inputs;

typedef struct calibrator {
    const aim_chip *chip;
    layer_inputs *layers; /* [n_layers], in the order of their use */
    size_t n_layers, room;
} calibrator;

static layer_inputs *add_layer(calibrator *c, const aim_linear_view *v)
{
    if (!aim_grow(&c->layers, &c->room, c->n_layers + 1, sizeof *c->layers))
        return NULL;
    layer_inputs *l = &c->layers[c->n_layers];
    *l = (layer_inputs){.layer = v->layer, .n_parts = v->shape->n_parts};
    l->tiles = v->backend->tiling(v->linear, 0).tiles;
    l->of_tile = aim_calloc((size_t)l->tiles, sizeof *l->of_tile);
    if (!l->of_tile)
        return NULL;
    c->n_layers++;
    return l;
}

static layer_inputs *inputs_of(calibrator *c, const aim_linear_view *v)
{
    for (size_t i = 0; i < c->n_layers; i++)
        if (c->layers[i].layer == v->layer)
            return &c->layers[i];
    return add_layer(c, v);
}

/* The inputs of a call, as the tasks see them. */
typedef struct call {
    const calibrator *c;
    const aim_linear_view *view;
    layer_inputs *layer;
} call;

static void add_tile(void *arg, int tile, int worker)
{
    (void)worker;
    const call *k = arg;
    const aim_linear_view *v = k->view;
    aim_tile_span span =
        aim_tile_span_of(v->shape->in, k->c->chip->profile.tile.max_input_size, tile);
    for (int r = 0; r < v->rows; r++)
        aim__input_statistics_add(&k->layer->of_tile[tile],
                                  v->x + (size_t)r * (size_t)v->shape->in + span.first, span.width);
}

static int on_layer(void *arg, const aim_linear_view *v, const aim_compute *compute, aim_error *err)
{
    calibrator *c = arg;
    if (!v->backend->on_tiles)
        return AIM_OK;
    call k = {.c = c, .view = v, .layer = inputs_of(c, v)};
    if (!k.layer)
        return aim_fail_nomem(err, "calibration");
    aim_pool_run(compute->pool, add_tile, &k, k.layer->tiles);
    return AIM_OK;
}

static void on_text_end(void *arg)
{
    const calibrator *c = arg;
    for (size_t i = 0; i < c->n_layers; i++)
        for (int t = 0; t < c->layers[i].tiles; t++)
            aim__input_statistics_end_text(&c->layers[i].of_tile[t]);
}

/* ---- ranges ------------------------------------------------------------------------- */

static bool add_ranges(aim_input_ranges_set *set, const layer_inputs *l, const aim_calibration *how)
{
    for (int part = 0; part < l->n_parts; part++) {
        float *range = aim_input_ranges_add(set, l->layer + part, l->tiles);
        if (!range)
            return false;
        for (int t = 0; t < l->tiles; t++)
            range[t] = aim__input_statistics_range(&l->of_tile[t], how);
    }
    return true;
}

static aim_ranges_origin origin_of(const aim_calibration *how, const aim_token_list *texts,
                                   size_t n_texts)
{
    bool has_value = how->method != AIM_CALIBRATE_MAX;
    aim_ranges_origin origin = {.value = has_value ? how->value : 0, .texts = (int64_t)n_texts};
    for (size_t i = 0; i < N_METHODS; i++)
        if (methods[i].usual.method == how->method)
            snprintf(origin.method, sizeof origin.method, "%s", methods[i].name);
    for (size_t i = 0; i < n_texts; i++)
        origin.tokens += texts[i].n;
    return origin;
}

static aim_input_ranges_set *make_ranges(const calibrator *c, const aim_calibration *how,
                                         aim_error *err)
{
    aim_input_ranges_set *set = aim_calloc(1, sizeof *set);
    bool ok = set;
    for (size_t i = 0; ok && i < c->n_layers; i++)
        ok = add_ranges(set, &c->layers[i], how);
    if (ok)
        return set;
    aim_input_ranges_free(set);
    aim_fail_nomem(err, "input ranges");
    return NULL;
}

/* ---- the whole ---------------------------------------------------------------------- */

/* Tiles of all layers, those off the tiles too. */
static size_t count_tiles(const aim_hf_config *c, int max_input_size)
{
    int q = c->heads * c->head_dim;
    int hidden = aim_tile_count(c->hidden, max_input_size);
    int block =
        2 * hidden + aim_tile_count(q, max_input_size) + aim_tile_count(c->ffn, max_input_size);
    return (size_t)c->layers * (size_t)block + (size_t)hidden;
}

/* The texts in pieces of at most `context` tokens; *n becomes their number. NULL when
 * out of memory. */
static aim_token_list *cut(const aim_token_list *texts, size_t *n, int context)
{
    aim_token_list *pieces = NULL;
    size_t count = 0, room = 0;
    for (size_t i = 0; i < *n; i++)
        for (int first = 0, left; (left = texts[i].n - first) > 0; first += context) {
            if (!aim_grow(&pieces, &room, count + 1, sizeof *pieces)) {
                aim_free(pieces);
                return NULL;
            }
            pieces[count++] =
                (aim_token_list){texts[i].tokens + first, left < context ? left : context};
        }
    *n = count;
    return pieces;
}

static int check(const aim_model *m, const aim_calibration *how, aim_error *err)
{
    const aim_chip *chip = aim_decoder_chip(m->decoder);
    if (!chip)
        return aim_fail(err, AIM_EUNSUPPORTED, "the model is not on a chip");
    if (chip->profile.tile.input_range == AIM_RANGE_NONE)
        return aim_fail(err, AIM_EUNSUPPORTED, "the inputs of profile %s have no range",
                        chip->profile.name);
    return aim_calibration_check(how, err);
}

static int collect(calibrator *c, const aim_model *m, const aim_token_list *texts, size_t n_texts,
                   const aim_measure_options *options, aim_error *err)
{
    size_t tiles = count_tiles(&m->config, c->chip->profile.tile.max_input_size);
    aim_measure_observer observer = {.layer = on_layer,
                                     .text_end = on_text_end,
                                     .arg = c,
                                     .bytes = tiles * sizeof(aim_input_statistics)};
    aim_token_list *pieces = cut(texts, &n_texts, aim_engine_max_context(m->engine));
    if (!pieces && n_texts > 0)
        return aim_fail_nomem(err, "calibration");
    int code = aim__measure_run(m, pieces, n_texts, options, &observer, err);
    aim_free(pieces);
    return code;
}

aim_input_ranges_set *aim_model_calibrate(const aim_model *m, const aim_token_list *texts,
                                          size_t n_texts, const aim_calibration *calibration,
                                          const aim_measure_options *options, aim_error *err)
{
    if (check(m, calibration, err) != AIM_OK)
        return NULL;
    calibrator c = {.chip = aim_decoder_chip(m->decoder)};
    aim_input_ranges_set *set = NULL;
    if (collect(&c, m, texts, n_texts, options, err) == AIM_OK)
        set = make_ranges(&c, calibration, err);
    if (set)
        set->origin = origin_of(calibration, texts, n_texts);
    for (size_t i = 0; i < c.n_layers; i++)
        aim_free(c.layers[i].of_tile);
    aim_free(c.layers);
    return set;
}
