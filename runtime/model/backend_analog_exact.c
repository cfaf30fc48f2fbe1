/* SPDX-License-Identifier: Apache-2.0 */
/* analog-exact: the weights that "analog" holds as integers in float32, computed by
 * the reference evaluator (analog/exact_linear.h): what serves is measured against
 * it. Rows are spread over the pool; nothing else is done for speed. */
#include "analog/exact_linear.h"
#include "base/alloc.h"
#include "model/backend_impl.h"
#include "model/converter_counts.h"
#include "model/layer_program.h"
#include "model/tile_ranges.h"

#include <string.h>

struct aim_linear {
    const aim_chip *chip; /* outlives the layer */
    aim_linear_shape shape;
    int layer; /* number of the first part */
    aim_tiling tiling[AIM_MAX_PARTS];
    aim_tiled_linear part[AIM_MAX_PARTS]; /* their weights are pieces of ... */
    float *weights;                       /* [out, in] */
};

static size_t weight_bytes(const aim_linear_shape *shape)
{
    return (size_t)shape->out * (size_t)shape->in * sizeof(float);
}

/* Weights, and the largest and the gain of each channel of each tile. */
static size_t exact_load_bytes(const aim_chip *chip, const aim_linear_shape *shape)
{
    const aim_profile *p = &chip->profile;
    size_t tiles = (size_t)aim_tile_count(shape->in, p->tile.max_input_size);
    size_t arrays = aim_layer_program_has_gain(p) ? 2 : 1;
    return weight_bytes(shape) + arrays * tiles * (size_t)shape->out * sizeof(float);
}

static size_t exact_bytes(const aim_linear *l)
{
    return exact_load_bytes(l->chip, &l->shape);
}

/* ---- loading -------------------------------------------------------------------------- */

static void exact_free(aim_linear *l)
{
    if (!l)
        return;
    for (int i = 0; i < AIM_MAX_PARTS; i++) {
        aim__tiling_fini(&l->tiling[i]);
        aim_free(l->part[i].largest);
        aim_free(l->part[i].gain);
    }
    aim_big_free(l->weights, weight_bytes(&l->shape));
    aim_free(l);
}

/* A part as the evaluator sees it, without its numbers. */
static aim_tiled_linear outline(const aim_chip *chip, const aim_linear_shape *shape, int part)
{
    const aim_tile_settings *settings = &chip->profile.tile;
    return (aim_tiled_linear){
        .settings = *settings,
        .out = shape->part_out[part],
        .in = shape->in,
        .tiles = aim_tile_count(shape->in, settings->max_input_size),
    };
}

static int reserve(aim_linear *l, const aim_linear_source *source, aim_error *err)
{
    l->chip = source->chip;
    l->shape = source->shape;
    l->layer = source->layer;
    l->weights = aim_big_alloc(weight_bytes(&l->shape));
    if (!l->weights)
        return aim_fail_nomem(err, "analog-exact weights");
    size_t first = 0;
    for (int i = 0; i < l->shape.n_parts; i++) {
        aim_tiled_linear *part = &l->part[i];
        int code = aim__tiling_init(&l->tiling[i], source, i, err);
        if (code)
            return code;
        *part = outline(l->chip, &l->shape, i);
        part->weight = l->weights + first;
        part->input_range = (float *)l->tiling[i].ranges;
        if (l->tiling[i].source == AIM_RANGES_DYNAMIC)
            part->settings.input_range = AIM_RANGE_DYNAMIC;
        first += (size_t)part->out * (size_t)part->in;
    }
    return AIM_OK;
}

static void hold_channel(void *arg, int part, int channel, const float *now, void *scratch)
{
    (void)scratch;
    const aim_linear *l = arg;
    size_t in = (size_t)l->shape.in;
    memcpy(l->part[part].weight + (size_t)channel * in, now, in * sizeof *now);
}

/* A copy of v [n], or NULL if that is. */
static int copy_floats(float **to, const float *v, size_t n, aim_error *err)
{
    if (!v)
        return AIM_OK;
    *to = aim_array(n, sizeof **to);
    if (!*to)
        return aim_fail_nomem(err, "analog-exact channels");
    memcpy(*to, v, n * sizeof *v);
    return AIM_OK;
}

static int program(aim_linear *l, const aim_linear_source *source, const aim_compute *c,
                   aim_error *err)
{
    aim__layer_program programs;
    aim__weight_holder holder = {hold_channel, l, 0};
    int code = aim__layer_program_run(&programs, source, c, &holder, err);
    for (int i = 0; i < l->shape.n_parts && !code; i++) {
        aim_tiled_linear *part = &l->part[i];
        size_t n = (size_t)part->tiles * (size_t)part->out;
        code = aim__tiling_check(&l->tiling[i], source, i, programs.part[i].largest, err);
        if (!code)
            code = copy_floats(&part->largest, programs.part[i].largest, n, err);
        if (!code)
            code = copy_floats(&part->gain, programs.part[i].gain, n, err);
    }
    aim__layer_program_fini(&programs);
    return code;
}

static bool is_noisy(const aim_chip *chip)
{
    return aim_profile_reads_are_noisy(&chip->profile);
}

static aim_linear *exact_load(const aim_compute *c, const aim_linear_source *source, aim_error *err)
{
    const aim_tile_settings *settings = &source->chip->profile.tile;
    if (is_noisy(source->chip) && aim_tile_settings_check_integer(settings, err))
        return NULL;
    aim_linear *l = aim_calloc(1, sizeof *l);
    if (!l) {
        aim_fail_nomem(err, "analog-exact layer");
        return NULL;
    }
    if (reserve(l, source, err) || program(l, source, c, err)) {
        exact_free(l);
        return NULL;
    }
    return l;
}

/* ---- running -------------------------------------------------------------------------- */

/* Bytes of scratch of a thread. */
static size_t thread_scratch(const aim_chip *chip, const aim_linear_shape *shape)
{
    size_t most = 0;
    for (int i = 0; i < shape->n_parts; i++) {
        aim_tiled_linear part = outline(chip, shape, i);
        size_t floats = aim_exact_scratch(&part);
        most = floats > most ? floats : most;
    }
    return aim__whole_lines(most * sizeof(float));
}

static size_t exact_scratch(const aim_chip *chip, const aim_linear_shape *shape, int max_rows,
                            int threads)
{
    (void)max_rows;
    return (size_t)threads * thread_scratch(chip, shape);
}

/* One call, as its tasks see it. */
struct evaluation {
    const aim_linear *l;
    const float *x;             /* [rows, in] */
    const aim_row_noise *noise; /* [rows]; NULL: none */
    float *y;                   /* [rows] of [out], ldy floats apart */
    size_t ldy;
    unsigned char *scratch; /* [threads, thread_scratch] */
    size_t thread_scratch;
};

static void evaluate_part(const struct evaluation *e, int part, int row, float *y, float *scratch,
                          const aim_tile_trace *trace)
{
    const aim_linear *l = e->l;
    aim_read_noise_source noise = {&l->chip->profile, l->layer + part,
                                   e->noise ? e->noise + row : NULL};
    aim_exact_forward_noisy(&l->part[part], e->noise ? &noise : NULL,
                            e->x + (size_t)row * (size_t)l->shape.in, 1, y, scratch, trace);
}

static void evaluate_row(void *arg, int row, int worker)
{
    const struct evaluation *e = arg;
    float *scratch = (float *)(void *)(e->scratch + (size_t)worker * e->thread_scratch);
    float *y = e->y + (size_t)row * e->ldy;
    for (int i = 0; i < e->l->shape.n_parts; y += e->l->shape.part_out[i++])
        evaluate_part(e, i, row, y, scratch, NULL);
}

static struct evaluation evaluation_of(const aim_linear *l, const float *x,
                                       const aim_row_noise *noise, float *y, size_t ldy,
                                       void *scratch)
{
    return (struct evaluation){
        .l = l,
        .x = x,
        .noise = is_noisy(l->chip) ? noise : NULL,
        .y = y,
        .ldy = ldy,
        .scratch = scratch,
        .thread_scratch = thread_scratch(l->chip, &l->shape),
    };
}

static void exact_multiply(const aim_linear *l, const aim_compute *c, const float *x, int rows,
                           const aim_row_noise *noise, const aim_output *out, void *scratch)
{
    struct evaluation e = evaluation_of(l, x, noise, out->y, out->ldy, scratch);
    aim_pool_run(c->pool, evaluate_row, &e, rows);
    aim__finish_output(c, rows, l->shape.out, out);
}

/* ---- probes ----------------------------------------------------------------------------- */

static aim_tiling exact_tiling(const aim_linear *l, int part)
{
    return l->tiling[part];
}

/* One row through a part; trace holds what its tiles read. */
static void count_row(const struct evaluation *e, int part, int row, const aim_tile_trace *trace,
                      aim_converter_counts *counts)
{
    const aim_tiled_linear *p = &e->l->part[part];
    evaluate_part(e, part, row, e->y, (float *)(void *)e->scratch, trace);
    for (int t = 0; t < p->tiles; t++) {
        aim_tile_span span = aim_tiled_linear_span(p, t);
        aim__count_inputs(e->x + (size_t)row * (size_t)p->in + span.first, span.width,
                          p->input_range ? p->input_range[t] : 0.0f, counts);
    }
    size_t readings = (size_t)p->tiles * (size_t)p->out;
    bool limited = p->settings.out_bound > 0; /* else nothing is traced */
    for (size_t i = 0; limited && i < readings; i++)
        counts->saturated +=
            aim__is_saturated(&p->settings, trace->adc_input[i], trace->adc_bound[i]);
    counts->readings += readings;
}

static int exact_count_limits(const aim_linear *l, const aim_compute *c, const float *x, int rows,
                              const aim_row_noise *noise, aim_converter_counts *counts,
                              aim_error *err)
{
    (void)c;
    size_t readings = (size_t)l->part[0].tiles * (size_t)l->shape.out;
    float *y = aim_array((size_t)l->shape.out, sizeof *y);
    float *scratch = aim_malloc(thread_scratch(l->chip, &l->shape));
    aim_tile_trace trace = {.adc_input = aim_array(readings, sizeof(float)),
                            .adc_bound = aim_array(readings, sizeof(float))};
    bool room = y && scratch && trace.adc_input && trace.adc_bound;
    struct evaluation e = evaluation_of(l, x, noise, y, 0, scratch);
    for (int i = 0; room && i < l->shape.n_parts; i++) {
        counts[i] = (aim_converter_counts){0};
        for (int r = 0; r < rows; r++)
            count_row(&e, i, r, &trace, &counts[i]);
    }
    aim_free(y);
    aim_free(scratch);
    aim_free(trace.adc_input);
    aim_free(trace.adc_bound);
    return room ? AIM_OK : aim_fail_nomem(err, "counting what converters cut off");
}

const aim_backend aim__backend_analog_exact = {
    .name = "analog-exact",
    .kv_bf16 = false,
    .on_tiles = true,
    .analog = true,
    .load = exact_load,
    .free = exact_free,
    .bytes = exact_bytes,
    .load_bytes = exact_load_bytes,
    .scratch = exact_scratch,
    .multiply = exact_multiply,
    .tiling = exact_tiling,
    .count_limits = exact_count_limits,
};
