/* SPDX-License-Identifier: Apache-2.0 */
/* linear_vectors.c - a linear layer through both evaluators, against its file. */
#include "linear_case.h"

#include "analog/exact_linear.h"
#include "analog/integer_linear.h"
#include "base/alloc.h"

#include <math.h>

/* Outputs of an evaluator and what passed its converters. */
struct result {
    float *y; /* [batch, out] */
    aim_tile_trace trace;
};

static void free_result(struct result *r)
{
    aim_free(r->y);
    free_trace(&r->trace);
}

/* Also room for the evaluator's scratch: *scratch is the caller's. */
static int new_result(const linear_case *c, size_t scratch_floats, struct result *r,
                      float **scratch, aim_error *err)
{
    *scratch = aim_array(scratch_floats, sizeof **scratch);
    r->y = aim_array(linear_case_outputs(c), sizeof *r->y);
    if (!*scratch || !r->y)
        return aim_fail_nomem(err, c->file.what);
    return new_trace(c, &r->trace, err);
}

static int run_exact(const linear_case *c, const aim_tiled_linear *l, struct result *r,
                     aim_error *err)
{
    float *scratch;
    int code = new_result(c, aim_exact_scratch(l), r, &scratch, err);
    if (!code) {
        aim_exact_forward(l, c->x, c->batch, r->y, scratch, &r->trace);
        linear_case_limit_codes(c, r->trace.adc_code);
    }
    aim_free(scratch);
    return code;
}

static int run_integer(const linear_case *c, const aim_tiled_linear *l, int bits, struct result *r,
                       aim_error *err)
{
    float *scratch;
    aim_integer_linear *integer = aim_integer_linear_new(l, bits, err);
    if (!integer)
        return (int)err->code;
    int code = new_result(c, aim_integer_scratch(integer), r, &scratch, err);
    if (!code) {
        aim_integer_forward(integer, c->x, c->batch, r->y, scratch, &r->trace);
        linear_case_limit_codes(c, r->trace.adc_code);
    }
    aim_free(scratch);
    aim_integer_linear_free(integer);
    return code;
}

static void compare_array(tally *t, const linear_case *c, const char *name, const float *got,
                          const float *expected, size_t n)
{
    if (expected)
        tally_compare(t, c->file, name, got, expected, n, (tolerance){0, 0});
}

static void compare_with_file(const linear_case *c, const struct result *r, tally *t)
{
    size_t inputs = (size_t)c->batch * (size_t)c->source.in, readings = linear_case_readings(c);
    tally_compare(t, c->file, "y", r->y, c->y, linear_case_outputs(c), c->within);
    compare_array(t, c, "dac_codes", r->trace.dac_code, c->trace.dac_code, inputs);
    compare_array(t, c, "adc_codes", r->trace.adc_code, c->trace.adc_code, readings);
    compare_array(t, c, "adc_bound", r->trace.adc_bound, c->trace.adc_bound, readings);
    compare_array(t, c, "adc_lsb", r->trace.adc_step, c->trace.adc_step, readings);
    t->outputs += (long)linear_case_outputs(c);
}

static double mean_square(const float *v, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)v[i] * (double)v[i];
    return sum / (double)n;
}

static void count_integer(const linear_case *c, const struct result *exact,
                          const struct result *integer, integer_tally *t)
{
    size_t outputs = linear_case_outputs(c);
    double scale = mean_square(exact->y, outputs);
    for (size_t i = 0; i < outputs; i++) {
        double error = (double)integer->y[i] - (double)exact->y[i];
        t->off += !(error == 0);
        t->error_squares += scale > 0 ? error * error / scale : 0;
    }
    for (size_t i = 0; i < linear_case_readings(c); i++)
        t->far_readings += !(fabsf(integer->trace.adc_code[i] - exact->trace.adc_code[i]) <= 1);
    t->outputs += (long)outputs;
    t->cases++;
}

static int compare_integer(const linear_case *c, const aim_tiled_linear *l,
                           const struct result *exact, int bits, integer_tally *t, aim_error *err)
{
    struct result r = {0};
    int code = run_integer(c, l, bits, &r, err);
    if (!code)
        count_integer(c, exact, &r, t);
    free_result(&r);
    if (code != AIM_EUNSUPPORTED)
        return code;
    *err = (aim_error){0}; /* a DAC with more codes than an int8 has */
    t->not_done++;
    return AIM_OK;
}

static bool has_converters(const linear_case *c)
{
    return c->settings.inp_res > 0 && c->settings.out_res > 0;
}

/* Are the weights of the case what the backend int4 makes of them? Sums that lie on an
 * edge between two ADC codes are not told apart by any rounding but the simulator's. */
static bool has_four_bits(const linear_case *c)
{
    const aim_tile_settings *s = &c->settings;
    size_t n = (size_t)c->source.out * (size_t)c->source.in;
    return rounds_to_4_bits(s, c->weight, n) && s->clip != AIM_CLIP_LEARNABLE && !c->has_ties &&
           aim_tile_settings_check_integer(s, NULL) == AIM_OK;
}

/* The integer evaluator rounds the weights itself. */
static int compare_four_bits(const linear_case *c, tally *t, aim_error *err)
{
    if (!has_four_bits(c))
        return AIM_OK;
    aim_tile_settings unrounded = c->settings;
    unrounded.weight_quantisation = AIM_WEIGHTS_FLOAT;
    aim_tiled_linear *l = aim_tiled_linear_new(&unrounded, &c->source, err);
    if (!l)
        return (int)err->code;
    struct result r = {0};
    int code = run_integer(c, l, 4, &r, err);
    if (!code)
        compare_with_file(c, &r, t);
    free_result(&r);
    aim_tiled_linear_free(l);
    t->four_bits++;
    return code;
}

static int compare_all(const linear_case *c, const aim_tiled_linear *l, struct result *exact,
                       tally *t, aim_error *err)
{
    int code = run_exact(c, l, exact, err);
    if (code)
        return code;
    compare_with_file(c, exact, t);
    code = compare_four_bits(c, t, err);
    if (code)
        return code;
    if (!has_converters(c))
        return AIM_OK;
    if (c->has_ties)
        return compare_integer(c, l, exact, 16, &t->ties, err);
    code = compare_integer(c, l, exact, 16, &t->bits16, err);
    return code ? code : compare_integer(c, l, exact, 8, &t->bits8, err);
}

static int run_case(const linear_case *c, tally *t, aim_error *err)
{
    struct result exact = {0};
    t->with_converters += has_converters(c);
    aim_tiled_linear *l = aim_tiled_linear_new(&c->settings, &c->source, err);
    if (!l)
        return (int)err->code;
    int code = compare_all(c, l, &exact, t, err);
    free_result(&exact);
    aim_tiled_linear_free(l);
    t->cases++;
    return code;
}

int run_linear_case(vector_source file, tally *t, aim_error *err)
{
    linear_case c;
    int code = linear_case_read(file, &c, err);
    if (!code)
        code = run_case(&c, t, err);
    linear_case_free(&c);
    return code;
}
