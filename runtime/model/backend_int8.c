/* SPDX-License-Identifier: Apache-2.0 */
/* int8: weights as codes with one scale an output channel, activations as codes
 * with one scale a row (W8A8). Sums of products are exact in int32, so the
 * result does not depend on how the work is cut up. */
#include "model/backend_impl.h"

#include "base/alloc.h"
#include "model/weight_rows.h"

struct aim_linear {
    aim_packed w;
};

struct packing {
    aim_packed *w;
    const aim_kernels *kernels;
};

/* Weights are quantised as activations are: one scale a row. */
static void store_row(void *arg, int row, const float *values, void *scratch)
{
    const struct packing *p = arg;
    int8_t *codes = scratch;
    float scale;
    p->kernels->quantise_row(values, p->w->in, p->w->in_padded, codes, &scale);
    aim_packed_set_channel(p->w, row, 0, codes);
    aim_packed_set_scale(p->w, row, scale);
}

static void int8_free(aim_linear *l)
{
    if (!l)
        return;
    aim_packed_fini(&l->w);
    aim_free(l);
}

static aim_linear *int8_load(const aim_compute *c, const aim_linear_source *source, aim_error *err)
{
    aim_linear *l = aim_calloc(1, sizeof *l);
    if (!l) {
        aim_fail_nomem(err, "int8 layer");
        return NULL;
    }
    aim_weight_rows rows = aim__weight_rows_of(source);
    struct packing packing = {&l->w, c->kernels};
    aim_row_store store = {store_row, &packing, aim_packed_row_bytes(rows.in)};
    if (aim_packed_init(&l->w, rows.rows, rows.in, 8, err) != AIM_OK ||
        aim__weight_rows_load(&rows, c, &store, err) != AIM_OK) {
        int8_free(l);
        return NULL;
    }
    return l;
}

static size_t int8_load_bytes(const aim_chip *chip, const aim_linear_shape *shape)
{
    (void)chip;
    return aim_packed_bytes(shape->out, shape->in, 8);
}

static size_t int8_bytes(const aim_linear *l)
{
    return aim_packed_bytes(l->w.out, l->w.in, 8);
}

/* The codes of x come first, their scales behind them. */
static size_t codes_bytes(int in, int rows)
{
    return (size_t)rows * aim_packed_row_bytes(in);
}

static size_t int8_scratch(const aim_chip *chip, const aim_linear_shape *shape, int max_rows,
                           int threads)
{
    (void)chip, (void)threads;
    return codes_bytes(shape->in, max_rows) + (size_t)max_rows * sizeof(float);
}

/* Where the codes and the scales of so many rows are. */
static int8_t *codes_of(const aim_linear *l, void *scratch, int row)
{
    return (int8_t *)scratch + codes_bytes(l->w.in, row);
}

static float *scales_of(const aim_linear *l, void *scratch, int rows)
{
    return (float *)(void *)codes_of(l, scratch, rows);
}

static void int8_convert_row(const aim_linear *l, const aim_compute *c, const float *x, int row,
                             int rows, void *scratch)
{
    c->kernels->quantise_row(x, l->w.in, l->w.in_padded, codes_of(l, scratch, row),
                             scales_of(l, scratch, rows) + row);
}

/* One product, as its tasks see it. */
struct int8_product {
    const aim_packed *w;
    const aim_kernels *kernels;
    int rows;
    const int8_t *codes;  /* [rows, in_padded] */
    const float *x_scale; /* [rows] */
    const aim_output *out;
    int panels_a_task;
};

static void multiply(void *arg, int task, int worker)
{
    (void)worker;
    const struct int8_product *p = arg;
    int first = task * p->panels_a_task, end = first + p->panels_a_task;
    p->kernels->matmul_i8(p->w, first, end < p->w->n_panels ? end : p->w->n_panels, p->codes,
                          (size_t)p->w->in_padded, p->x_scale, p->rows, p->out);
}

static void int8_multiply(const aim_linear *l, const aim_compute *c, const float *x, int rows,
                          const aim_row_noise *noise, const aim_output *out, void *scratch)
{
    (void)x, (void)noise;
    int64_t work = (int64_t)rows * l->w.out * l->w.in;
    struct int8_product p = {
        .w = &l->w,
        .kernels = c->kernels,
        .rows = rows,
        .codes = codes_of(l, scratch, 0),
        .x_scale = scales_of(l, scratch, rows),
        .out = out,
        .panels_a_task = aim__panels_a_task(c->pool, l->w.n_panels, work),
    };
    aim_pool_run(c->pool, multiply, &p, (l->w.n_panels + p.panels_a_task - 1) / p.panels_a_task);
}

const aim_backend aim__backend_int8 = {
    .name = "int8",
    .kv_bf16 = true,
    .load = int8_load,
    .free = int8_free,
    .bytes = int8_bytes,
    .load_bytes = int8_load_bytes,
    .scratch = int8_scratch,
    .convert_row = int8_convert_row,
    .multiply = int8_multiply,
};
