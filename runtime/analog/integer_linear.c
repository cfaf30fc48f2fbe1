/* SPDX-License-Identifier: Apache-2.0 */
#include "analog/integer_linear.h"

#include "analog/conductances.h"
#include "analog/tiled_forward.h"
#include "base/alloc.h"

#include <math.h>

struct aim_integer_linear {
    const aim_tiled_linear *layer;
    aim_conductances *tile; /* [tiles] */
};

/* One call: the evaluator and where it keeps the codes of a tile's inputs. */
struct integer_call {
    const aim_integer_linear *l;
    int8_t *code; /* [width of the widest tile] */
};

static int load_tile(aim_integer_linear *l, int tile, int bits, aim_error *err)
{
    aim_tile_span span = aim_tiled_linear_span(l->layer, tile);
    return aim_conductances_init(&l->tile[tile], bits, l->layer->weight + span.first, l->layer->out,
                                 span.width, (size_t)l->layer->in, err);
}

aim_integer_linear *aim_integer_linear_new(const aim_tiled_linear *layer, int conductance_bits,
                                           aim_error *err)
{
    if (aim_tile_settings_check_integer(&layer->settings, err))
        return NULL;
    aim_integer_linear *l = aim_calloc(1, sizeof *l);
    if (!l || !(l->tile = aim_calloc((size_t)layer->tiles, sizeof *l->tile))) {
        aim_free(l);
        aim_fail_nomem(err, "integer tiles");
        return NULL;
    }
    l->layer = layer;
    for (int t = 0; t < layer->tiles; t++)
        if (load_tile(l, t, conductance_bits, err)) {
            aim_integer_linear_free(l);
            return NULL;
        }
    return l;
}

void aim_integer_linear_free(aim_integer_linear *l)
{
    if (!l)
        return;
    for (int t = 0; t < l->layer->tiles; t++)
        aim_conductances_fini(&l->tile[t]);
    aim_free(l->tile);
    aim_free(l);
}

static void integer_sums(const void *evaluator, const aim__tile_input *in, float *sum)
{
    const struct integer_call *call = evaluator;
    const aim_conductances *tile = &call->l->tile[in->tile];
    float input_step = aim__integer_codes(in, call->code) ? in->step : NAN;
    for (int o = 0; o < tile->out; o++)
        sum[o] = (float)aim_conductance_sum(tile, o, call->code) * (input_step * tile->step[o]);
}

static size_t code_floats(const aim_integer_linear *l)
{
    return ((size_t)l->tile[0].width + sizeof(float) - 1) / sizeof(float);
}

size_t aim_integer_scratch(const aim_integer_linear *l)
{
    return code_floats(l) + aim__tiled_scratch(l->layer);
}

void aim_integer_forward(const aim_integer_linear *l, const float *x, int rows, float *y,
                         float *scratch, const aim_tile_trace *trace)
{
    struct integer_call call = {l, (int8_t *)scratch};
    aim__tiled_forward(l->layer, integer_sums, &call, x, rows, y, scratch + code_floats(l), trace);
}
