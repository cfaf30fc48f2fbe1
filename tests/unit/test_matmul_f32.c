/* SPDX-License-Identifier: Apache-2.0 */
/* The float product: right, and the same bits for a row whatever the number of
 * rows, its place among them, their content and the number of threads. */
#include "base/alloc.h"
#include "base/pool.h"
#include "base/rng.h"
#include "tensor/matmul_f32.h"

#include <check.h>
#include <math.h>
#include <string.h>

enum { MAX_ROWS = 12, MAX_IN = 16000, MAX_OUT = 300 };

static float x[MAX_ROWS * MAX_IN], y[MAX_ROWS * MAX_OUT], alone[MAX_OUT];

static float unit(uint64_t seed, uint64_t i)
{
    return (float)(aim_rng_draw(seed, AIM_STREAM_WEIGHTS, i, 0).v[0] >> 8) * 0x1p-23f - 1.0f;
}

static void build(aim_matrix_f32 *m, int out, int in)
{
    ck_assert_int_eq(aim_matrix_f32_init(m, out, in, NULL), AIM_OK);
    ck_assert_uint_eq((uintptr_t)m->w % 64, 0);
    for (int i = 0; i < out * in; i++)
        m->w[i] = unit(1, (uint64_t)i);
    ck_assert_int_eq(aim_matrix_f32_probe(m, NULL), AIM_OK);
    ck_assert_int_ge(m->row_tile, 1);
}

static void multiply(const aim_matrix_f32 *m, aim_pool *pool, const float *from, size_t ldx,
                     int rows, float *to, size_t ldy)
{
    size_t n = aim_matrix_f32_scratch(m->out, m->in);
    float *scratch = aim_array(n + 1, sizeof *scratch);
    memset(scratch, 0xff, (n + 1) * sizeof *scratch);
    aim_matrix_f32_mul(m, pool, from, ldx, rows, to, ldy, scratch);
    aim_free(scratch);
}

static const struct {
    int out, in;
} shapes[] = {{1, 1}, {7, 5}, {128, 64}, {129, 192}, {300, 700}, {256, 1}, {64, 2049}, {50, 16000}};
enum { N_SHAPES = sizeof shapes / sizeof shapes[0] };

START_TEST(product_is_right)
{
    aim_pool *pool = aim_pool_new(2, NULL);
    aim_matrix_f32 m;
    build(&m, shapes[_i].out, shapes[_i].in);
    for (int i = 0; i < MAX_ROWS * MAX_IN; i++)
        x[i] = unit(2, (uint64_t)i);
    for (int rows = 1; rows <= MAX_ROWS; rows += 3) {
        for (int i = 0; i < MAX_ROWS * MAX_OUT; i++)
            y[i] = -7;
        multiply(&m, pool, x, MAX_IN, rows, y, MAX_OUT);
        for (int r = 0; r < MAX_ROWS; r++)
            for (int c = 0; c < MAX_OUT; c++) {
                double sum = 0;
                for (int k = 0; k < m.in && c < m.out && r < rows; k++)
                    sum += (double)x[r * MAX_IN + k] * m.w[c * m.in + k];
                double expect = r < rows && c < m.out ? sum : -7;
                if (!(fabs(y[r * MAX_OUT + c] - expect) <= 5e-4))
                    ck_abort_msg("y[%d][%d] is %g, not %g", r, c, y[r * MAX_OUT + c], expect);
            }
    }
    aim_matrix_f32_fini(&m);
    aim_pool_free(pool);
}
END_TEST

/* The row under test goes to every place of batches of every size, among rows
 * that are random, huge or not numbers. */
START_TEST(company_does_not_change_a_row)
{
    static const float company[] = {1.0f, 1e30f, NAN};
    aim_pool *one = aim_pool_new(1, NULL), *two = aim_pool_new(2, NULL);
    aim_matrix_f32 m;
    build(&m, shapes[_i].out, shapes[_i].in);
    const size_t in = (size_t)m.in, out = (size_t)m.out;
    float row[MAX_IN];
    for (size_t k = 0; k < in; k++)
        row[k] = unit(3, k);
    multiply(&m, one, row, in, 1, alone, out);
    for (int rows = 1; rows <= 2 * m.row_tile + 1; rows++)
        for (int place = 0; place < rows; place++) {
            for (size_t i = 0; i < (size_t)rows * in; i++)
                x[i] = company[(rows + place) % 3] * unit(4, i);
            memcpy(x + (size_t)place * in, row, in * sizeof *row);
            multiply(&m, place & 1 ? two : one, x, in, rows, y, out);
            if (memcmp(y + (size_t)place * out, alone, out * sizeof *y) != 0)
                ck_abort_msg("%dx%d: row %d of %d differs", m.out, m.in, place, rows);
        }
    aim_matrix_f32_fini(&m);
    aim_pool_free(one);
    aim_pool_free(two);
}
END_TEST

START_TEST(lack_of_memory_is_reported)
{
    aim_matrix_f32 m;
    aim_error err = {0};
    ck_assert_int_eq(aim_matrix_f32_init(&m, 0, 4, &err), AIM_EINVAL);
    memset(&err, 0, sizeof err);
    aim_alloc_fail_after(0);
    ck_assert_int_eq(aim_matrix_f32_init(&m, 4, 4, &err), AIM_ENOMEM);
    aim_alloc_fail_after(-1);
    ck_assert_int_eq(aim_matrix_f32_init(&m, 4, 4, NULL), AIM_OK);
    memset(&err, 0, sizeof err);
    aim_alloc_fail_after(0);
    ck_assert_int_eq(aim_matrix_f32_probe(&m, &err), AIM_ENOMEM);
    ck_assert_int_eq(err.code, AIM_ENOMEM);
    aim_alloc_fail_after(-1);
    aim_matrix_f32_fini(&m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("matmul_f32");
    TCase *t = tcase_create("matmul_f32");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, product_is_right, 0, N_SHAPES);
    tcase_add_loop_test(t, company_does_not_change_a_row, 0, N_SHAPES);
    tcase_add_test(t, lack_of_memory_is_reported);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
