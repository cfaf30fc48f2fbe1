/* SPDX-License-Identifier: Apache-2.0 */
/* f32: float32 weights and products through OpenBLAS, the yardstick for the
 * correctness of the others. */
#include "model/backend_impl.h"

#include "base/alloc.h"
#include "model/weight_rows.h"
#include "tensor/matmul_f32.h"

#include <string.h>

struct aim_linear {
    aim_matrix_f32 m;
};

static void store_row(void *arg, int row, const float *values, void *scratch)
{
    (void)scratch;
    aim_matrix_f32 *m = arg;
    memcpy(m->w + (size_t)row * (size_t)m->in, values, (size_t)m->in * sizeof *values);
}

static void f32_free(aim_linear *l)
{
    if (!l)
        return;
    aim_matrix_f32_fini(&l->m);
    aim_free(l);
}

static aim_linear *f32_load(const aim_compute *c, const aim_linear_source *source, aim_error *err)
{
    aim_linear *l = aim_calloc(1, sizeof *l);
    if (!l) {
        aim_fail_nomem(err, "f32 layer");
        return NULL;
    }
    aim_weight_rows rows = aim__weight_rows_of(source);
    aim_row_store store = {store_row, &l->m, 0};
    if (aim_matrix_f32_init(&l->m, rows.rows, rows.in, err) != AIM_OK ||
        aim__weight_rows_load(&rows, c, &store, err) != AIM_OK ||
        aim_matrix_f32_probe(&l->m, err) != AIM_OK) {
        f32_free(l);
        return NULL;
    }
    return l;
}

static size_t matrix_bytes(int out, int in)
{
    return (size_t)out * (size_t)in * sizeof(float);
}

static size_t f32_load_bytes(const aim_chip *chip, const aim_linear_shape *shape)
{
    (void)chip;
    return matrix_bytes(shape->out, shape->in);
}

static size_t f32_bytes(const aim_linear *l)
{
    return matrix_bytes(l->m.out, l->m.in);
}

static size_t f32_scratch(const aim_chip *chip, const aim_linear_shape *shape, int max_rows,
                          int threads)
{
    /* What does not fill a tile is less than one, however many rows there are. */
    (void)chip, (void)max_rows, (void)threads;
    return aim_matrix_f32_scratch(shape->out, shape->in) * sizeof(float);
}

static void f32_multiply(const aim_linear *l, const aim_compute *c, const float *x, int rows,
                         const aim_row_noise *noise, const aim_output *out, void *scratch)
{
    (void)noise;
    aim_matrix_f32_mul(&l->m, c->pool, x, (size_t)l->m.in, rows, out->y, out->ldy, scratch);
    aim__finish_output(c, rows, l->m.out, out);
}

const aim_backend aim__backend_f32 = {
    .name = "f32",
    .kv_bf16 = false,
    .load = f32_load,
    .free = f32_free,
    .bytes = f32_bytes,
    .load_bytes = f32_load_bytes,
    .scratch = f32_scratch,
    .multiply = f32_multiply,
};
