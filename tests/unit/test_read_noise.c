/* SPDX-License-Identifier: Apache-2.0 */
/* Noise of reads: its three formulas, its distribution, and that draws of different
 * tokens, layers, tiles and channels have nothing to do with each other. Limits are
 * 6.5 standard errors, 8e-11 for a comparison; there are fewer than a hundred. */
#include "analog/normals.h"
#include "analog/read_noise.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 1000000, WIDTH = 2052, PANEL = 16 };
static const double LIMIT = 6.5;

static const aim_row_noise HERE = {.seed = 21, .position = 300};

static float *draw(aim_row_noise row, int layer, int tile, int first)
{
    float *z = malloc(N * sizeof *z);
    ck_assert_ptr_nonnull(z);
    aim_read_noise_normals(&row, layer, tile, first, N, z);
    return z;
}

START_TEST(draws_are_standard_normals)
{
    static const double moment[] = {0, 1, 0, 3}, variance[] = {1, 2, 15, 96};
    double sum[4] = {0};
    float *z = draw(HERE, 3, 1, 0);
    for (int i = 0; i < N; i++) {
        double power = 1;
        for (int k = 0; k < 4; k++)
            sum[k] += power *= (double)z[i];
    }
    for (int k = 0; k < 4; k++)
        ck_assert_double_eq_tol(sum[k] / N, moment[k], LIMIT * sqrt(variance[k] / N));
    free(z);
}
END_TEST

static const struct {
    aim_row_noise row;
    int layer, tile, first;
} others[] = {
    {{22, 300}, 3, 1, 0}, /* another request or candidate */
    {{21 | 1ull << 32, 300}, 3, 1, 0},
    {{21, 299}, 3, 1, 0}, /* the token before, the first one, and a late one */
    {{21, 301}, 3, 1, 0},
    {{21, 0}, 3, 1, 0},
    {{21, 131071}, 3, 1, 0},
    {{21, 300}, 2, 1, 0}, /* another layer, that of another block, another tile */
    {{21, 300}, 11, 1, 0},
    {{21, 300}, 3, 0, 0},
    {{21, 300}, 1, 3, 0},
    {{21, 300}, 3, 1, 1}, /* channels further on */
    {{21, 300}, 3, 1, 16},
    {{21, 300}, 3, 1, 64},
};
enum { N_OTHERS = sizeof others / sizeof others[0] };

START_TEST(draws_are_not_correlated)
{
    float *z = draw(HERE, 3, 1, 0);
    float *other = draw(others[_i].row, others[_i].layer, others[_i].tile, others[_i].first);
    double product = 0, squares = 0;
    for (int i = 0; i < N; i++) {
        double a = (double)z[i], b = (double)other[i];
        product += a * b;
        squares += (a * a - 1) * (b * b - 1) / 2;
    }
    ck_assert_double_eq_tol(product / N, 0, LIMIT / sqrt(N));
    ck_assert_double_eq_tol(squares / N, 0, LIMIT / sqrt(N));
    free(z);
    free(other);
}
END_TEST

/* Threads cut the channels anywhere. */
START_TEST(cuts_change_nothing)
{
    float all[300], piece[300];
    aim_read_noise_normals(&HERE, 3, 1, 0, 300, all);
    for (int first = 0; first < 300; first += 13)
        for (int n = 1; first + n <= 300; n += 29) {
            aim_read_noise_normals(&HERE, 3, 1, first, n, piece);
            ck_assert(!memcmp(piece, all + first, (size_t)n * sizeof *all));
        }
}
END_TEST

/* Noise of chips and noise of reads never meet, were their seeds the same. */
START_TEST(chips_draw_from_another_stream)
{
    float z[64], device[64];
    aim_device_row row = {.seed = HERE.seed, .layer = 3, .tile = 1, .channel = 300};
    aim_read_noise_normals(&HERE, 3, 1, 0, 64, z);
    for (enum aim_stream s = AIM_STREAM_PROGRAMMING; s <= AIM_STREAM_READ; s++) {
        aim_normals(&row, s, 64, device);
        for (int j = 0; j < 64; j++)
            ck_assert(z[j] != device[j]);
    }
}
END_TEST

/* ---- formulas -------------------------------------------------------------- */

static int8_t codes[WIDTH];

/* Inputs and where they go. */
static aim_tile_drive drive(int width)
{
    for (int j = 0; j < WIDTH; j++)
        codes[j] = (int8_t)(j * 37 % 255 - 127);
    return (aim_tile_drive){
        .layer = 3, .tile = 1, .range = 2.5f, .step = 2.5f / 127, .codes = codes, .width = width};
}

static double length_of_inputs(const aim_tile_drive *d)
{
    double sum = 0;
    for (int j = 0; j < d->width; j++)
        sum += (double)d->codes[j] * d->codes[j];
    return sqrt(sum) * (double)d->step;
}

/* What is added to each sum, over the normal it is made of. */
START_TEST(noise_is_as_large_as_the_formula_says)
{
    enum { CHANNELS = 100 };
    aim_tile_drive d = drive(WIDTH - _i);
    float largest[CHANNELS], spread[CHANNELS], sum[CHANNELS], z[CHANNELS], scratch[CHANNELS];
    for (int o = 0; o < CHANNELS; o++) {
        largest[o] = 0.01f * (float)(o + 1);
        spread[o] = 0.3f + (float)o;
    }
    aim_read_noise_normals(&HERE, 3, 1, 7, CHANNELS, z);
    for (enum aim_read_noise kind = AIM_READ_NOISE_NONE; kind <= AIM_READ_NOISE_WEIGHTS; kind++) {
        aim_profile profile = {.read_noise = kind, .read_noise_share = 0.04f};
        bool by_weights = kind == AIM_READ_NOISE_WEIGHTS;
        for (int o = 0; o < CHANNELS; o++)
            sum[o] = 0;
        aim_read_noise_add(&profile, &HERE, &d, 7, CHANNELS, largest, by_weights ? spread : NULL,
                           sum, scratch);
        for (int o = 0; o < CHANNELS; o++) {
            double m = (double)largest[o];
            double sigma = kind == AIM_READ_NOISE_OUTPUT  ? (double)d.range * m
                           : kind == AIM_READ_NOISE_INPUT ? length_of_inputs(&d) * m
                           : by_weights                   ? sqrt(m * (double)spread[o])
                                                          : 0;
            double expected = 0.04 * sigma * (double)z[o];
            ck_assert_double_eq_tol((double)sum[o], expected, 1e-6 * fabs(expected) + 1e-30);
        }
    }
}
END_TEST

/* sum_j |w_j| x_j^2 in plain arithmetic, of packed codes. */
static double plain_spread(const aim_tile_drive *d, const int8_t *low, const int8_t *high,
                           int channel, float weight_step)
{
    double sum = 0;
    for (int j = 0; j < d->width; j++) {
        int at = j / 4 * 64 + channel * 4 + j % 4;
        double x = (double)d->codes[j] * (double)d->step;
        sum += fabs((high ? 256.0 * high[at] : 0) + low[at]) * x * x;
    }
    return sum * (double)weight_step;
}

START_TEST(spread_is_the_sum_over_the_weights)
{
    static int8_t low[WIDTH * PANEL], high[WIDTH * PANEL];
    static const int widths[] = {1, 4, 63, 64, 512, 2047, 2048, WIDTH};
    float step[PANEL], spread[PANEL];
    aim_tile_drive d = drive(widths[_i / 2]);
    const int8_t *upper = _i % 2 ? high : NULL;
    for (int j = 0; j < WIDTH * PANEL; j++) {
        low[j] = (int8_t)(j * 91 % 255 - 127);
        high[j] = (int8_t)(j * 53 % 255 - 127);
    }
    for (int o = 0; o < PANEL; o++)
        step[o] = 0.001f * (float)(o + 1);
    aim_read_noise_spread(&d, low, upper, step, spread);
    for (int o = 0; o < PANEL; o++) {
        double expected = plain_spread(&d, low, upper, o, step[o]);
        ck_assert_double_eq_tol((double)spread[o], expected, 1e-6 * expected);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("read_noise");
    TCase *t = tcase_create("read_noise");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, draws_are_standard_normals);
    tcase_add_loop_test(t, draws_are_not_correlated, 0, N_OTHERS);
    tcase_add_test(t, cuts_change_nothing);
    tcase_add_test(t, chips_draw_from_another_stream);
    tcase_add_loop_test(t, noise_is_as_large_as_the_formula_says, 0, 3);
    tcase_add_loop_test(t, spread_is_the_sum_over_the_weights, 0, 16);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
