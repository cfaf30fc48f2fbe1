/* SPDX-License-Identifier: Apache-2.0 */
/* What must be the same on every machine: the elementary functions against
 * libm in long double, and with pinned bits; the counter-based generator with
 * the published vectors of Philox 4x32-10. */
#include "base/fixmath.h"
#include "base/rng.h"

#include <check.h>
#include <float.h>
#include <math.h>

enum { POINTS = 20000 };

static double between(double lo, double hi, uint64_t i)
{
    return lo + (hi - lo) * aim_rng_uniform(7, AIM_STREAM_WEIGHTS, i);
}

/* |got - want| in units of the last place of want. */
static double ulps(double got, long double want)
{
    double near = fabs((double)want);
    double unit = near < DBL_MIN ? 0x1p-1074 : nextafter(near, INFINITY) - near;
    return (double)(fabsl((long double)got - want) / (long double)unit);
}

/* ---- accuracy --------------------------------------------------------------- */

static const struct {
    const char *name;
    double (*fn)(double);
    long double (*want)(long double);
    double lo, hi;
} functions[] = {
    {"exp", aim_exp, expl, -0.4, 0.4},      {"exp", aim_exp, expl, -30, 30},
    {"exp", aim_exp, expl, -708, 709.7},    {"exp", aim_exp, expl, -745, -708},
    {"log", aim_log, logl, 0.5, 2},         {"log", aim_log, logl, 0.99, 1.01},
    {"log", aim_log, logl, 0, 1e6},         {"log", aim_log, logl, 1e300, 1.7e308},
    {"log", aim_log, logl, 1e-320, 1e-308}, {"sin", aim_sin, sinl, -0.8, 0.8},
    {"cos", aim_cos, cosl, -0.8, 0.8},
};

START_TEST(errors_stay_below_two_units)
{
    for (uint64_t i = 0; i < POINTS; i++) {
        double x = between(functions[_i].lo, functions[_i].hi, i);
        double error = ulps(functions[_i].fn(x), functions[_i].want(x));
        if (!(error < 2)) /* no assertion: passed ones cost a system call each */
            ck_abort_msg("%s(%a) is off by %g units", functions[_i].name, x, error);
    }
}
END_TEST

/* Beyond the first quadrant the error is absolute: two units of 1. */
START_TEST(sines_of_positions_are_right)
{
    static const double range[] = {10, 1000, 131072, 0x1p20};
    for (uint64_t i = 0; i < POINTS; i++) {
        double r = range[i % 4], x = between(-r, r, i);
        if (!(fabsl(aim_sin(x) - sinl(x)) < 2.3e-16L))
            ck_abort_msg("sin(%a) is %a", x, aim_sin(x));
        if (!(fabsl(aim_cos(x) - cosl(x)) < 2.3e-16L))
            ck_abort_msg("cos(%a) is %a", x, aim_cos(x));
    }
}
END_TEST

/* Rotary frequencies are pow(base, -2i / dim). */
START_TEST(powers_are_right)
{
    for (uint64_t i = 0; i < POINTS; i++) {
        double base = between(1, 1e6, i), exponent = between(-1, 1, i + POINTS);
        long double want = powl(base, exponent);
        if (!(fabsl(aim_pow(base, exponent) / want - 1) < 1e-14L))
            ck_abort_msg("pow(%a, %a) is %a", base, exponent, aim_pow(base, exponent));
    }
}
END_TEST

START_TEST(float_exp_is_right)
{
    for (uint64_t i = 0; i < POINTS; i++) {
        float x = (float)between(-87, 88, i);
        double want = exp((double)x);
        if (!(fabs((double)aim_expf(x) / want - 1) < 1e-7))
            ck_abort_msg("expf(%a) is %a", (double)x, (double)aim_expf(x));
    }
}
END_TEST

START_TEST(float_log_is_right)
{
    ck_assert_float_eq(aim_logf(1), 0);
    for (uint64_t i = 0; i < POINTS; i++) {
        float x = (float)aim_exp(i % 2 ? between(-87, 88, i) : between(-0.2, 0.2, i));
        double want = log((double)x);
        if (!(fabs((double)aim_logf(x) - want) <= 1e-7 * fabs(want)))
            ck_abort_msg("logf(%a) is %a", (double)x, (double)aim_logf(x));
    }
}
END_TEST

START_TEST(ends_of_the_range)
{
    ck_assert_double_eq(aim_exp(0), 1);
    ck_assert_double_eq(aim_exp(-746), 0);
    ck_assert_double_eq(aim_exp(-INFINITY), 0);
    ck_assert_double_infinite(aim_exp(710));
    ck_assert_double_nan(aim_exp(NAN));
    ck_assert_double_eq(aim_log(1), 0);
    ck_assert(aim_log(0) == -INFINITY);
    ck_assert(aim_log(INFINITY) == INFINITY);
    ck_assert_double_nan(aim_log(-1));
    ck_assert_double_nan(aim_log(NAN));
    ck_assert_double_eq(aim_sin(0), 0);
    ck_assert_double_eq(aim_cos(0), 1);
    ck_assert_float_eq(aim_expf(0), 1);
    ck_assert_float_nan(aim_expf(NAN));
    ck_assert_float_eq(aim_expf(-INFINITY), aim_expf(-87.3f));
    ck_assert_float_eq(aim_expf(INFINITY), aim_expf(88.3f));
    ck_assert(isnormal(aim_expf(-1000)) && isnormal(aim_expf(1000)));
}
END_TEST

/* The bits themselves: a change here changes every seeded response. */
START_TEST(bits_are_pinned)
{
    ck_assert_double_eq(aim_exp(1), 0x1.5bf0a8b14576ap+1);
    ck_assert_double_eq(aim_exp(-37.25), 0x1.3278bcd70e981p-54);
    ck_assert_double_eq(aim_log(10), 0x1.26bb1bbb55516p+1);
    ck_assert_double_eq(aim_sin(12345.678), -0x1.687d5890974a5p-1);
    ck_assert_double_eq(aim_cos(12345.678), 0x1.6b94c3bbe24b8p-1);
    ck_assert_double_eq(aim_pow(500000, -0.6875), 0x1.fa8b84a44fa04p-14);
    ck_assert_float_eq(aim_expf(-3.7f), 0x1.9511fcp-6f);
    ck_assert_float_eq(aim_logf(0.37f), -0x1.fd0ea2p-1f);
}
END_TEST

/* ---- the generator ----------------------------------------------------------- */

/* From kat_vectors of Random123: philox4x32 10. */
static const struct {
    uint32_t counter[4], key[2], out[4];
} vectors[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

START_TEST(draws_are_philox)
{
    const uint32_t *c = vectors[_i].counter, *key = vectors[_i].key;
    aim_rng_block b = aim_rng_draw((uint64_t)key[1] << 32 | key[0], (enum aim_stream)c[3],
                                   (uint64_t)c[1] << 32 | c[0], c[2]);
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(b.v[i], vectors[_i].out[i]);
}
END_TEST

/* Numbers of streams are part of the reproducibility contract. */
START_TEST(streams_are_pinned)
{
    ck_assert_int_eq(AIM_STREAM_CANDIDATE, 1);
    ck_assert_int_eq(AIM_STREAM_SAMPLER, 2);
    ck_assert_int_eq(AIM_STREAM_WEIGHTS, 3);
    ck_assert_double_eq(aim_rng_uniform(42, AIM_STREAM_SAMPLER, 0), 0x1.7fade2ba9e07ep-3);
    ck_assert_double_eq(aim_rng_uniform(42, AIM_STREAM_SAMPLER, 1), 0x1.ab19d37cc0c42p-1);
    ck_assert_uint_eq(aim_candidate_seed(42, 0, 0), 10954971055776832260u);
    ck_assert_uint_eq(aim_candidate_seed(42, 3, 5), 18334594376919374916u);
}
END_TEST

START_TEST(uniforms_fill_the_unit_interval)
{
    double sum = 0, squares = 0;
    for (uint64_t i = 0; i < POINTS; i++) {
        double u = aim_rng_uniform(99, AIM_STREAM_SAMPLER, i);
        if (!(u > 0 && u < 1))
            ck_abort_msg("uniform %d is %a", (int)i, u);
        sum += u;
        squares += u * u;
    }
    /* Four standard deviations: sqrt(1/12 / n) and sqrt(4/45 / n). */
    ck_assert_double_eq_tol(sum / POINTS, 0.5, 4 * sqrt(1.0 / 12 / POINTS));
    ck_assert_double_eq_tol(squares / POINTS, 1.0 / 3, 4 * sqrt(4.0 / 45 / POINTS));
}
END_TEST

START_TEST(every_part_of_the_key_counts)
{
    aim_rng_block base = aim_rng_draw(1, AIM_STREAM_SAMPLER, 2, 3);
    const aim_rng_block others[] = {
        aim_rng_draw(1ull << 32 | 1, AIM_STREAM_SAMPLER, 2, 3),
        aim_rng_draw(2, AIM_STREAM_SAMPLER, 2, 3),
        aim_rng_draw(1, AIM_STREAM_WEIGHTS, 2, 3),
        aim_rng_draw(1, AIM_STREAM_SAMPLER, 1ull << 40 | 2, 3),
        aim_rng_draw(1, AIM_STREAM_SAMPLER, 3, 3),
        aim_rng_draw(1, AIM_STREAM_SAMPLER, 2, 4),
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert_uint_ne(others[i].v[0], base.v[0]);
    ck_assert_uint_ne(aim_candidate_seed(1, 0, 1), aim_candidate_seed(1, 1, 0));
}
END_TEST

START_TEST(fresh_seeds_fit_a_double)
{
    uint64_t first = aim_rng_fresh_seed();
    int differ = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t seed = aim_rng_fresh_seed();
        ck_assert_uint_lt(seed, 1ull << 53);
        differ += seed != first;
    }
    ck_assert_int_gt(differ, 90);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fixmath and rng");
    TCase *math = tcase_create("fixmath");
    tcase_add_loop_test(math, errors_stay_below_two_units, 0,
                        (int)(sizeof functions / sizeof functions[0]));
    tcase_add_test(math, sines_of_positions_are_right);
    tcase_add_test(math, powers_are_right);
    tcase_add_test(math, float_exp_is_right);
    tcase_add_test(math, float_log_is_right);
    tcase_add_test(math, ends_of_the_range);
    tcase_add_test(math, bits_are_pinned);
    suite_add_tcase(s, math);
    TCase *rng = tcase_create("rng");
    tcase_add_loop_test(rng, draws_are_philox, 0, (int)(sizeof vectors / sizeof vectors[0]));
    tcase_add_test(rng, streams_are_pinned);
    tcase_add_test(rng, uniforms_fill_the_unit_interval);
    tcase_add_test(rng, every_part_of_the_key_counts);
    tcase_add_test(rng, fresh_seeds_fit_a_double);
    suite_add_tcase(s, rng);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
