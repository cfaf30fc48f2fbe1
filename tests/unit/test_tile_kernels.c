/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of analog tiles, DAC and products with an ADC behind them: every row
 * of the table against plain C written here, bit for bit. Loop index _i of a test
 * is the row of the table; rows this CPU lacks are skipped. */
#include "base/alloc.h"
#include "base/rng.h"
#include "tensor/kernels.h"
#include "tests/unit/kernels_under_test.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { MAX_ROWS = 70, MAX_OUT = 80, MAX_IN = 256, N_PADDED = 320 };

static uint32_t random_bits(uint64_t seed, uint64_t i)
{
    return aim_rng_draw(seed, AIM_STREAM_WEIGHTS, i, 0).v[0];
}

/* From -1 to 1. */
static float random_unit(uint64_t seed, uint64_t i)
{
    return (float)(random_bits(seed, i) >> 8) * 0x1p-23f - 1.0f;
}

/* Equal bits, or both NaN: which NaN is left open. */
static bool same(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

/* ---- a tile ----------------------------------------------------------------- */

enum fill { RANDOM, LOWEST, HIGHEST, ALTERNATE, N_FILLS };

/* The codes there are of one kind. */
struct codes {
    int lowest, highest;
};

static int8_t code_of(enum fill fill, struct codes all, uint64_t seed, uint64_t i)
{
    uint32_t n = (uint32_t)(all.highest - all.lowest + 1);
    switch (fill) {
    case LOWEST:
        return (int8_t)all.lowest;
    case HIGHEST:
        return (int8_t)all.highest;
    case ALTERNATE:
        return (int8_t)(i & 1 ? all.lowest : all.highest);
    default:
        return (int8_t)((int)(random_bits(seed, i) % n) + all.lowest);
    }
}

static const struct codes input_codes = {-127, 127};

/* Of one plane. */
static struct codes weight_codes(int bits)
{
    return bits == 4 ? (struct codes){-8, 7} : (struct codes){-128, 127};
}

static const int widths[] = {4, 8, 16};
enum { N_WIDTHS = sizeof widths / sizeof widths[0] };

struct tile {
    int out, in, rows, bits;
    enum fill weights, inputs;
    enum aim_adc_kind kind;
    double res;
    bool by_row, noise, gain, further; /* further: y holds the readings of other tiles */
    bool bias, residual;
};

static int8_t codes[AIM_MAX_PLANES][MAX_OUT][MAX_IN];
static _Alignas(64) int8_t inputs[MAX_ROWS][MAX_IN];
static float x_step[MAX_ROWS], row_factor[MAX_ROWS];
static float largest[MAX_OUT], full_scale[MAX_OUT], step[MAX_OUT], gain[MAX_OUT];
static float noise[MAX_ROWS][MAX_OUT];
static float bias[MAX_OUT], residual[MAX_ROWS][MAX_OUT], got_residual[MAX_ROWS][MAX_OUT];
static float before[MAX_ROWS][MAX_OUT], got[MAX_ROWS][MAX_OUT], want[MAX_ROWS][MAX_OUT];

/* An ADC's bound of every kind: beyond the sums, within them, so narrow that most
 * readings saturate, none at all, below what a float32 holds in full, no number. */
static float bound_of(int channel, float typical)
{
    switch (channel % 7) {
    case 0:
        return 3.0f * typical;
    case 1:
        return 0.01f * typical;
    case 2:
        return 0.0f;
    case 3:
        return 3e-40f;
    case 4:
        return channel == 4 ? NAN : typical;
    default:
        return (1.0f + 0.3f * random_unit(9, (uint64_t)channel)) * typical;
    }
}

static float step_of(double res, float bound)
{
    return res > 1.0 ? 2.0f * bound / (float)res : 2.0f * bound * (float)res;
}

static void fill_channels(const struct tile *t, aim_packed *w)
{
    float typical = 3.0f * sqrtf((float)t->in) *
                    (t->bits == 4   ? 4.5f
                     : t->bits == 8 ? 70.0f
                                    : 18000.0f);
    for (int c = 0; c < MAX_OUT; c++) {
        largest[c] = bound_of(c, typical * 0.001f);
        full_scale[c] = 0.3f * largest[c];
        step[c] = step_of(t->res, full_scale[c]);
        gain[c] = 1.0f + 0.1f * random_unit(5, (uint64_t)c);
        bias[c] = random_unit(10, (uint64_t)c);
    }
    for (int c = 0; c < t->out; c++) {
        aim_packed_set_scale(w, c, 0.001f * (1.0f + 0.5f * random_unit(6, (uint64_t)c)));
        for (int p = 0; p < aim_packed_planes(w); p++) {
            for (int k = 0; k < t->in; k++)
                codes[p][c][k] = code_of(t->weights, weight_codes(t->bits), (uint64_t)p + 1,
                                         (uint64_t)(c * t->in + k));
            aim_packed_set_channel(w, c, p, codes[p][c]);
        }
    }
}

static void fill_rows(const struct tile *t)
{
    memset(inputs, 0, sizeof inputs);
    for (int r = 0; r < t->rows; r++) {
        x_step[r] = r == 5 ? NAN : r == 6 ? 0.0f : 0.37f / (float)(r % 9 + 1);
        row_factor[r] = x_step[r];
        for (int k = 0; k < t->in; k++)
            inputs[r][k] = code_of(t->inputs, input_codes, 3, (uint64_t)(r * t->in + k));
        for (int c = 0; c < MAX_OUT; c++) {
            noise[r][c] = 0.05f * random_unit(7, (uint64_t)(r * MAX_OUT + c));
            before[r][c] = random_unit(8, (uint64_t)(r * MAX_OUT + c));
            residual[r][c] = random_unit(11, (uint64_t)(r * MAX_OUT + c));
        }
    }
}

static float plain_adc(const struct tile *t, float v, float bound, float lsb)
{
    if (t->kind == AIM_ADC_ROUND)
        v = nearbyintf(v / (isnan(lsb) ? NAN : fmaxf(lsb, FLT_MIN))) * lsb;
    if (t->kind != AIM_ADC_NONE && v > bound)
        v = bound;
    else if (t->kind != AIM_ADC_NONE && v < -bound)
        v = -bound;
    return v;
}

static float plain_reading(const struct tile *t, const aim_packed *w, int r, int c)
{
    int64_t sum = 0;
    for (int k = 0; k < t->in; k++) {
        int code = codes[0][c][k];
        if (t->bits == 16)
            code = 256 * code + codes[1][c][k];
        sum += (int64_t)code * inputs[r][k];
    }
    float v = (float)sum * (x_step[r] * w->scale[c]);
    if (t->noise)
        v += noise[r][c];
    float bound = t->by_row ? row_factor[r] * largest[c] : full_scale[c];
    v = plain_adc(t, v, bound, t->by_row ? step_of(t->res, bound) : step[c]);
    return t->gain ? v * gain[c] : v;
}

/* In the order of aim_output. */
static float plain_output(const struct tile *t, const aim_packed *w, int r, int c)
{
    float y = (t->further ? before[r][c] : 0.0f) + plain_reading(t, w, r, c);
    if (t->bias)
        y += bias[c];
    return t->residual ? residual[r][c] + y : y;
}

static aim_adc adc_of(const struct tile *t)
{
    aim_adc adc = {.kind = t->kind, .res = t->res};
    if (t->by_row) {
        adc.row_factor = row_factor;
        adc.largest = largest;
    } else if (t->kind != AIM_ADC_NONE) {
        adc.full_scale = full_scale;
        adc.step = t->kind == AIM_ADC_ROUND ? step : NULL;
    }
    if (t->noise) {
        adc.noise = noise[0];
        adc.noise_stride = MAX_OUT;
    }
    if (t->gain)
        adc.gain = gain;
    return adc;
}

/* Panels [p0, p1) of `to` hold the outputs, everything else is untouched. (Check reports
 * every passed assertion to its parent: inner loops only compare.) */
static void compare(const aim_kernels *k, const struct tile *t, float to[][MAX_OUT],
                    float was[][MAX_OUT], int p0, int p1)
{
    for (int r = 0; r < MAX_ROWS; r++)
        for (int c = 0; c < MAX_OUT; c++) {
            bool written = r < t->rows && c < t->out && c / AIM_PANEL >= p0 && c / AIM_PANEL < p1;
            float expect = written ? want[r][c] : was[r][c];
            if (!same(to[r][c], expect))
                ck_abort_msg("%s %dx%d rows %d bits %d kind %d res %g by row %d bias %d residual "
                             "%d panels %d-%d: y[%d][%d] is %a, not %a",
                             k->name, t->out, t->in, t->rows, t->bits, t->kind, t->res, t->by_row,
                             t->bias, t->residual, p0, p1, r, c, to[r][c], expect);
        }
}

static void check_panels(const aim_kernels *k, const struct tile *t, const aim_packed *w, int p0,
                         int p1)
{
    aim_adc adc = adc_of(t);
    aim_output out = {.y = got[0], .ldy = MAX_OUT, .first = !t->further};
    out.bias = t->bias ? bias : NULL;
    out.residual = t->residual ? got_residual[0] : NULL;
    out.ld_residual = MAX_OUT;
    memcpy(got, before, sizeof got);
    memcpy(got_residual, residual, sizeof got_residual);
    k->matmul_tile(w, p0, p1, inputs[0], MAX_IN, x_step, t->rows, &adc, &out);
    if (t->residual) {
        compare(k, t, got_residual, residual, p0, p1);
        ck_assert_mem_eq(got, before, sizeof got);
    } else {
        compare(k, t, got, before, p0, p1);
    }
}

static void run_tile(const aim_kernels *k, struct tile t)
{
    aim_packed w;
    ck_assert_int_eq(aim_packed_init(&w, t.out, t.in, t.bits, NULL), AIM_OK);
    fill_channels(&t, &w);
    fill_rows(&t);
    for (int r = 0; r < t.rows; r++)
        for (int c = 0; c < t.out; c++)
            want[r][c] = plain_output(&t, &w, r, c);
    check_panels(k, &t, &w, 0, w.n_panels);
    if (w.n_panels > 1)
        check_panels(k, &t, &w, 1, w.n_panels);
    aim_packed_fini(&w);
}

static const double resolutions[] = {254, 1.0 / 254, 30, 1022, 1.0 / 62};
enum { N_RESOLUTIONS = sizeof resolutions / sizeof resolutions[0] };

/* Bit b of a number that counts through all combinations. */
static bool bit(int combination, int b)
{
    return combination >> b & 1;
}

START_TEST(readings_are_exact_whatever_stands_behind_a_tile)
{
    const aim_kernels *k = row_or_skip(_i);
    for (int kind = AIM_ADC_NONE; k && kind <= AIM_ADC_ROUND; kind++)
        for (int res = 0; res < (kind == AIM_ADC_ROUND ? N_RESOLUTIONS : 1); res++)
            for (int i = 0; i < 16 * N_WIDTHS; i++)
                run_tile(k, (struct tile){.out = 37,
                                          .in = 70,
                                          .rows = 7,
                                          .bits = widths[i / 16],
                                          .kind = (enum aim_adc_kind)kind,
                                          .res = resolutions[res],
                                          .by_row = bit(i, 0),
                                          .noise = bit(i, 1),
                                          .gain = bit(i, 2),
                                          .further = bit(i, 3),
                                          .bias = i / 3 % 2,
                                          .residual = i / 5 % 2});
}
END_TEST

/* Every width, depth and number of rows, with what changes from case to case. */
static void run_shape(const aim_kernels *k, int out, int in, int rows, int i)
{
    for (int b = 0; b < N_WIDTHS; b++)
        run_tile(k, (struct tile){.out = out,
                                  .in = in,
                                  .rows = rows,
                                  .bits = widths[b],
                                  .kind = (i + b) % 4 ? AIM_ADC_ROUND : AIM_ADC_NONE,
                                  .res = resolutions[i % N_RESOLUTIONS],
                                  .by_row = bit(i, 1),
                                  .further = bit(i, 2),
                                  .gain = bit(i, 3),
                                  .bias = bit(i, 4),
                                  .residual = bit(i, 5)});
}

START_TEST(readings_are_exact_in_every_shape)
{
    const aim_kernels *k = row_or_skip(_i);
    for (int out = 1; k && out <= 70; out++)
        run_shape(k, out, 1 + out * 37 % 200, 1 + out * 7 % MAX_ROWS, out);
    for (int in = 1; k && in <= 200; in++)
        run_shape(k, 1 + in * 11 % 70, in, 1 + in % 9, in);
    for (int rows = 1; k && rows <= MAX_ROWS; rows++)
        run_shape(k, 70, 130, rows, rows);
}
END_TEST

/* Batches larger than any kernel's blocks: every row as if it were alone. */
START_TEST(a_row_of_a_large_batch_is_that_row_alone)
{
    enum { ROWS = 1040, OUT = 20, IN = 70, LDX = 128 };
    static _Alignas(64) int8_t x[ROWS][LDX];
    static float many[ROWS][OUT], alone[ROWS][OUT], steps[ROWS];
    const aim_kernels *k = row_or_skip(_i);
    const aim_adc none = {.kind = AIM_ADC_NONE};
    for (int r = 0; r < ROWS; r++) {
        steps[r] = 1.0f + (float)(r % 10);
        for (int i = 0; i < IN; i++)
            x[r][i] = code_of(RANDOM, input_codes, 12, (uint64_t)(r * IN + i));
    }
    for (int b = 0; k && b < N_WIDTHS; b++) {
        struct tile t = {.out = OUT, .in = IN, .bits = widths[b]};
        aim_packed w;
        ck_assert_int_eq(aim_packed_init(&w, OUT, IN, widths[b], NULL), AIM_OK);
        fill_channels(&t, &w);
        aim_output out = {.y = many[0], .ldy = OUT, .first = true};
        k->matmul_tile(&w, 0, w.n_panels, x[0], LDX, steps, ROWS, &none, &out);
        for (int r = 0; r < ROWS; r++) {
            out.y = alone[r];
            k->matmul_tile(&w, 0, w.n_panels, x[r], LDX, &steps[r], 1, &none, &out);
        }
        ck_assert_mem_eq(many, alone, sizeof many);
        aim_packed_fini(&w);
    }
}
END_TEST

START_TEST(readings_are_exact_for_extreme_codes)
{
    const aim_kernels *k = row_or_skip(_i);
    for (int i = 0; k && i < N_FILLS * N_FILLS * 2 * N_WIDTHS; i++)
        run_tile(k, (struct tile){.out = 33,
                                  .in = MAX_IN,
                                  .rows = 1 + i % 9,
                                  .bits = widths[i / 2 % N_WIDTHS],
                                  .by_row = bit(i, 0),
                                  .weights = (enum fill)(i / 2 / N_WIDTHS % N_FILLS),
                                  .inputs = (enum fill)(i / 2 / N_WIDTHS / N_FILLS),
                                  .kind = AIM_ADC_LIMIT,
                                  .res = 254});
}
END_TEST

/* Codes of one sign, all of them the largest in channel 0: its sum is the largest
 * there can be, 127 * 128 * 257 * AIM_K_MAX. */
static int8_t long_code(int channel, int plane, int k)
{
    uint32_t bits = random_bits((uint64_t)(40 + plane), (uint64_t)(channel * AIM_K_MAX + k));
    return (int8_t)(channel == 0 ? -128 : -128 + (int)(bits % 64));
}

/* Sums of 40 bits, which float32 must round once. */
START_TEST(the_longest_rows_are_exact)
{
    enum { CHANNELS = 5 };
    const aim_kernels *k = row_or_skip(_i);
    if (!k)
        return;
    aim_packed w;
    ck_assert_int_eq(aim_packed_init(&w, CHANNELS, AIM_K_MAX, 16, NULL), AIM_OK);
    int8_t *x = aim_big_alloc(AIM_K_MAX), *row = aim_malloc(AIM_K_MAX);
    memset(x, -127, AIM_K_MAX);
    int64_t sum[CHANNELS] = {0};
    for (int c = 0; c < CHANNELS; c++) {
        aim_packed_set_scale(&w, c, 1.0f);
        for (int plane = 0; plane < 2; plane++) {
            for (int i = 0; i < AIM_K_MAX; i++) {
                row[i] = long_code(c, plane, i);
                sum[c] += INT64_C(-127) * row[i] * (plane ? 1 : 256);
            }
            aim_packed_set_channel(&w, c, plane, row);
        }
    }
    ck_assert_int_eq(sum[0], INT64_C(127) * 128 * 257 * AIM_K_MAX);
    const float one = 1.0f;
    const aim_adc none = {.kind = AIM_ADC_NONE};
    float y[CHANNELS];
    const aim_output out = {.y = y, .ldy = CHANNELS, .first = true};
    k->matmul_tile(&w, 0, 1, x, AIM_K_MAX, &one, 1, &none, &out);
    for (int c = 0; c < CHANNELS; c++)
        ck_assert_float_eq(y[c], (float)sum[c]);
    aim_big_free(x, AIM_K_MAX);
    aim_free(row);
    aim_packed_fini(&w);
}
END_TEST

/* Sums from -8 to 7 in halves of a step, full scale 3 steps of 6. */
static void check_ties(const aim_kernels *k, int bits)
{
    static const float expect[] = {-3, -3, -3, -2, -2, -2, -1, -0.0f, 0, 0, 1, 2, 2, 2, 3, 3};
    float bound[AIM_PANEL], lsb[AIM_PANEL], y[AIM_PANEL];
    _Alignas(64) int8_t x[AIM_K_ALIGN] = {1};
    aim_packed w;
    ck_assert_int_eq(aim_packed_init(&w, AIM_PANEL, 1, bits, NULL), AIM_OK);
    for (int c = 0; c < AIM_PANEL; c++) {
        int8_t code = (int8_t)(c - 8);
        aim_packed_set_channel(&w, c, 0, &code);
        aim_packed_set_scale(&w, c, 0.5f);
        bound[c] = 3.0f;
        lsb[c] = 1.0f;
    }
    const aim_adc adc = {.kind = AIM_ADC_ROUND, .res = 6, .full_scale = bound, .step = lsb};
    const aim_output out = {.y = y, .ldy = AIM_PANEL, .first = true};
    const float one = 1.0f;
    k->matmul_tile(&w, 0, 1, x, AIM_K_ALIGN, &one, 1, &adc, &out);
    for (int c = 0; c < AIM_PANEL; c++)
        ck_assert_float_eq(y[c], expect[c]);
    aim_packed_fini(&w);
}

START_TEST(ties_go_to_the_even_code)
{
    const aim_kernels *k = row_or_skip(_i);
    for (int b = 0; k && b < 2; b++)
        check_ties(k, widths[b]);
}
END_TEST

/* A tile without ADC is the product of the digital kernel, and sets every bit alike. */
START_TEST(a_tile_without_adc_is_the_digital_product)
{
    const aim_kernels *k = row_or_skip(_i);
    struct tile t = {.out = 53, .in = 150};
    for (t.rows = 1; k && t.rows <= MAX_ROWS; t.rows += 3) {
        aim_packed w;
        t.bits = widths[t.rows % 2];
        ck_assert_int_eq(aim_packed_init(&w, t.out, t.in, t.bits, NULL), AIM_OK);
        fill_channels(&t, &w);
        fill_rows(&t);
        aim_packed_set_scale(&w, 7, 1e-45f); /* products that vanish: no negative zeros */
        memcpy(want, before, sizeof want);
        const aim_output out = {.y = want[0], .ldy = MAX_OUT, .first = true};
        k->matmul_i8(&w, 0, w.n_panels, inputs[0], MAX_IN, x_step, t.rows, &out);
        for (int r = 0; r < t.rows; r++)
            ck_assert(isnan(x_step[r]) || !signbit(want[r][7]));
        for (int c = 0; c < MAX_OUT; c++)
            full_scale[c] = INFINITY;
        check_panels(k, &t, &w, 0, w.n_panels);
        t.kind = AIM_ADC_LIMIT;
        check_panels(k, &t, &w, 0, w.n_panels);
        t.kind = AIM_ADC_NONE;
        aim_packed_fini(&w);
    }
}
END_TEST

/* ---- the DAC ------------------------------------------------------------------ */

enum values { ORDINARY, TIES, SMALL, TINY, ANY_BITS, WITH_NAN, WITH_INFINITY, ZEROS, N_VALUES };

static float value_of(enum values values, uint64_t i)
{
    uint32_t bits = random_bits(20 + values, i);
    float unit = random_unit(20 + values, i), any;
    memcpy(&any, &bits, sizeof any);
    switch (values) {
    case TIES:
        return 0.5f * (float)((int)(bits % 601) - 300);
    case SMALL:
        return unit * 1e-3f;
    case TINY:
        return unit * 1e-39f;
    case ANY_BITS:
        return any;
    case WITH_NAN:
        return bits % 29 == 0 ? NAN : unit;
    case WITH_INFINITY:
        return bits % 31 == 0 ? INFINITY : bits % 37 == 0 ? -INFINITY : unit;
    case ZEROS:
        return bits & 1 ? 0.0f : -0.0f;
    default:
        return unit * 4.0f;
    }
}

/* The code of one value, NaN if there is none. */
static float plain_code(float x, float range, float lsb)
{
    float limited = x > range ? range : x < -range ? -range : x;
    float code = nearbyintf(limited / (isnan(lsb) ? NAN : fmaxf(lsb, FLT_MIN)));
    return fabsf(code) <= 127.0f ? code : NAN;
}

static void check_dac(const aim_kernels *k, const float *x, int n, float range, double res)
{
    int8_t c[N_PADDED];
    float lsb = step_of(res, range), expect = lsb;
    memset(c, 99, sizeof c);
    float returned = k->dac_row(x, n, N_PADDED, range, lsb, c);
    for (int i = 0; i < N_PADDED; i++) {
        float code = i < n ? plain_code(x[i], range, lsb) : 0.0f;
        expect = isnan(code) ? NAN : expect;
        if (c[i] != (isnan(code) ? 0 : (int)code))
            ck_abort_msg("%s n %d range %a res %g: %a became %d, not %a", k->name, n, range, res,
                         i < n ? x[i] : 0, c[i], code);
    }
    if (!same(returned, expect))
        ck_abort_msg("%s n %d range %a res %g: step %a, not %a", k->name, n, range, res, returned,
                     expect);
}

START_TEST(inputs_become_codes_by_the_rule)
{
    static const double dac[] = {254, 1.0 / 254, 62, 6};
    static const float ranges[] = {127, 1.5f, 0.3f, 1e-38f, 0};
    static float x[300];
    const aim_kernels *k = row_or_skip(_i);
    for (int v = 0; k && v < N_VALUES; v++)
        for (int n = 1; n <= 300; n += n < 70 ? 1 : 23) {
            for (int i = 0; i < n; i++)
                x[i] = value_of((enum values)v, (uint64_t)(n * 300 + i));
            for (size_t d = 0; d < sizeof dac / sizeof dac[0]; d++) {
                for (size_t r = 0; r < sizeof ranges / sizeof ranges[0]; r++)
                    check_dac(k, x, n, ranges[r], dac[d]);
                check_dac(k, x, n, k->max_abs(x, n), dac[d]);
            }
        }
}
END_TEST

START_TEST(the_largest_magnitude_keeps_a_nan)
{
    static float x[300];
    const aim_kernels *k = row_or_skip(_i);
    for (int v = 0; k && v < N_VALUES; v++)
        for (int n = 1; n <= 300; n++) {
            float expect = 0.0f;
            for (int i = 0; i < n; i++) {
                x[i] = value_of((enum values)v, (uint64_t)(n * 300 + i));
                expect = isnan(x[i]) || isnan(expect) ? NAN : fmaxf(expect, fabsf(x[i]));
            }
            if (!same(k->max_abs(x, n), expect))
                ck_abort_msg("%s values %d n %d: %a, not %a", k->name, v, n, k->max_abs(x, n),
                             expect);
        }
}
END_TEST

int main(void)
{
    int n = row_count();
    Suite *s = suite_create("tile_kernels");
    TCase *t = tcase_create("tile_kernels");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, readings_are_exact_whatever_stands_behind_a_tile, 0, n);
    tcase_add_loop_test(t, readings_are_exact_in_every_shape, 0, n);
    tcase_add_loop_test(t, a_row_of_a_large_batch_is_that_row_alone, 0, n);
    tcase_add_loop_test(t, readings_are_exact_for_extreme_codes, 0, n);
    tcase_add_loop_test(t, the_longest_rows_are_exact, 0, n);
    tcase_add_loop_test(t, ties_go_to_the_even_code, 0, n);
    tcase_add_loop_test(t, a_tile_without_adc_is_the_digital_product, 0, n);
    tcase_add_loop_test(t, inputs_become_codes_by_the_rule, 0, n);
    tcase_add_loop_test(t, the_largest_magnitude_keeps_a_nan, 0, n);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
