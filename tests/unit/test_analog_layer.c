/* SPDX-License-Identifier: Apache-2.0 */
/* Linear layers of the backends on tiles, against the evaluators of runtime/analog
 * fed with the same programmed weights, to the bit: whatever the settings, the
 * ranges of the parts, the threads and the instruction set. */
#include "tests/unit/linear_call.h"
#include "tests/unit/tile_reference.h"

static const char *const backend_names[] = {"analog", "analog-exact"};

/* ---- a layer with all it needs ---------------------------------------------------- */

struct rig {
    aim_chip chip;
    aim_compute compute;
    const aim_backend *backend;
    aim_linear *linear;
    void *scratch;
    size_t scratch_bytes;
};

static aim_linear_source source_of(const struct rig *r, int layer)
{
    return (aim_linear_source){
        .shape = SHAPE, .random_seed = WEIGHTS, .layer = layer, .chip = &r->chip};
}

/* Scratch for `rows` rows and not a byte more. */
static void make_scratch(struct rig *r, int rows)
{
    int threads = aim_pool_threads(r->compute.pool);
    r->scratch_bytes = r->backend->scratch(&r->chip, &SHAPE, rows, threads);
    r->scratch = aim_big_alloc(r->scratch_bytes);
    ck_assert_ptr_nonnull(r->scratch);
}

static void open_layer(struct rig *r, const aim_chip *chip, int layer, const char *backend,
                       const aim_kernels *kernels, int threads)
{
    aim_error err = {0};
    *r = (struct rig){.chip = *chip, .backend = aim_backend_find(backend, NULL)};
    r->compute.kernels = kernels;
    r->compute.pool = aim_pool_new(threads, NULL);
    aim_linear_source source = source_of(r, layer);
    r->linear = r->backend->load(&r->compute, &source, &err);
    ck_assert_msg(r->linear != NULL, "%s", err.text);
    make_scratch(r, ROWS);
}

static void close_layer(struct rig *r)
{
    aim_big_free(r->scratch, r->scratch_bytes);
    r->backend->free(r->linear);
    aim_pool_free(r->compute.pool);
}

static void forward(const struct rig *r, const float *x, int rows, const aim_row_noise *noise,
                    float *y)
{
    const aim_output out = {.y = y, .ldy = OUT, .first = true};
    call_linear(r->backend, r->linear, &SHAPE, &r->compute, x, rows, noise, &out, r->scratch);
}

static void check_same(const char *name, const float *want, const float *got, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool same = isnan(want[i]) ? isnan(got[i]) : memcmp(&want[i], &got[i], sizeof *want) == 0;
        ck_assert_msg(same, "%s: row %zu, output %zu: wanted %.9g, got %.9g", name, i / OUT,
                      i % OUT, (double)want[i], (double)got[i]);
    }
}

/* ---- tests ------------------------------------------------------------------------------ */

static aim_chip start(int index)
{
    aim_chip chip = chip_of(&cases[index]);
    make_inputs();
    if (cases[index].range == AIM_RANGE_STATIC)
        chip.ranges = some_ranges(aim_tile_count(IN, cases[index].max_input_size));
    return chip;
}

static void end(aim_chip *chip)
{
    aim_input_ranges_free((aim_input_ranges_set *)chip->ranges);
}

START_TEST(integers_are_those_of_the_evaluator)
{
    static float want[ROWS * OUT], got[ROWS * OUT];
    aim_chip chip = start(_i);
    const aim_row_noise *noise = cases[_i].noise ? row_noise : NULL;
    reference(&chip, cases[_i].bits, noise, want);
    ck_assert(isfinite(want[0]) && want[0] != 0.0f && isnan(want[NAN_ROW * OUT]));
    int n;
    const aim_kernels *const *kernels = aim_kernels_all(&n);
    for (int k = 0; k < n; k++)
        for (int threads = 1; threads <= 8; threads += 7) {
            if (!aim_kernels_pick(kernels[k]->name, NULL))
                continue; /* this CPU cannot run it */
            struct rig r;
            open_layer(&r, &chip, FIRST_LAYER, cases[_i].bits == 4 ? "int4" : "analog", kernels[k],
                       threads);
            forward(&r, inputs, ROWS, noise, got);
            check_same(cases[_i].name, want, got, ROWS * OUT);
            close_layer(&r);
        }
    end(&chip);
}
END_TEST

START_TEST(exact_layers_are_those_of_the_evaluator)
{
    static float want[ROWS * OUT], got[ROWS * OUT];
    aim_chip chip = start(_i);
    const aim_row_noise *noise = cases[_i].noise ? row_noise : NULL;
    reference(&chip, 0, noise, want);
    for (int threads = 1; threads <= 3; threads += 2) {
        struct rig r;
        open_layer(&r, &chip, FIRST_LAYER, "analog-exact", aim_kernels_pick(NULL, NULL), threads);
        forward(&r, inputs, ROWS, noise, got);
        check_same(cases[_i].name, want, got, ROWS * OUT);
        close_layer(&r);
    }
    end(&chip);
}
END_TEST

/* Whatever rows it is computed with. */
START_TEST(rows_do_not_know_each_other)
{
    static float together[ROWS * OUT], alone[OUT];
    aim_chip chip = start(_i / 2);
    const aim_row_noise *noise = cases[_i / 2].noise ? row_noise : NULL;
    struct rig r;
    open_layer(&r, &chip, FIRST_LAYER, backend_names[_i % 2], aim_kernels_pick(NULL, NULL), 2);
    forward(&r, inputs, ROWS, noise, together);
    for (int row = 0; row < ROWS; row++) {
        forward(&r, inputs + row * IN, 1, noise ? noise + row : NULL, alone);
        check_same(cases[_i / 2].name, together + row * OUT, alone, OUT);
    }
    close_layer(&r);
    end(&chip);
}
END_TEST

/* A product with a bias, a residual or both is the one without, and then sums of two in
 * the order of aim_output. */
static void check_ends(const struct rig *r, const char *name, const aim_row_noise *noise)
{
    static float plain[ROWS * OUT], y[ROWS * OUT], want[ROWS * OUT], got[ROWS * OUT];
    static float bias[OUT];
    forward(r, inputs, ROWS, noise, plain);
    for (int i = 0; i < OUT; i++)
        bias[i] = 0.1f * (float)(i % 7 - 3);
    for (int ends = 1; ends < 4; ends++) {
        bool biased = ends & 1, residual = ends & 2;
        const aim_output out = {.y = residual ? y : got,
                                .ldy = OUT,
                                .first = true,
                                .bias = biased ? bias : NULL,
                                .residual = residual ? got : NULL,
                                .ld_residual = OUT};
        for (int i = 0; i < ROWS * OUT; i++) {
            float sum = biased ? plain[i] + bias[i % OUT] : plain[i];
            got[i] = residual ? inputs[i] : NAN;
            want[i] = residual ? inputs[i] + sum : sum;
        }
        call_linear(r->backend, r->linear, &SHAPE, &r->compute, inputs, ROWS, noise, &out,
                    r->scratch);
        check_same(name, want, got, ROWS * OUT);
    }
}

START_TEST(products_end_in_bias_and_residual)
{
    aim_chip chip = start(_i);
    const aim_row_noise *noise = cases[_i].noise ? row_noise : NULL;
    const char *const names[] = {cases[_i].bits == 4 ? "int4" : "analog", "analog-exact", "int8",
                                 "f32"};
    int n;
    const aim_kernels *const *kernels = aim_kernels_all(&n);
    for (int k = 0; k < n; k++)
        for (size_t b = 0; b < COUNT(names) && aim_kernels_pick(kernels[k]->name, NULL); b++) {
            struct rig r;
            open_layer(&r, &chip, FIRST_LAYER, names[b], kernels[k], 2);
            check_ends(&r, names[b], noise);
            close_layer(&r);
        }
    end(&chip);
}
END_TEST

/* The first row with one thing changed. */
static void first_row(const aim_chip *chip, int layer, const char *backend,
                      const aim_row_noise *noise, float *y)
{
    struct rig r;
    open_layer(&r, chip, layer, backend, aim_kernels_pick(NULL, NULL), 1);
    forward(&r, inputs, 1, noise, y);
    close_layer(&r);
}

static int index_of(enum aim_programming programming, enum aim_read_noise noise)
{
    int i = 0;
    while (cases[i].programming != programming || cases[i].noise != noise)
        i++;
    return i;
}

START_TEST(programming_depends_on_chip_and_layer)
{
    enum { CHANGES = 4 };
    static float y[CHANGES][OUT];
    /* Ranges are those of random weights, the same for all layers. */
    aim_chip chip = chip_of(&cases[index_of(AIM_PROGRAMMING_DEVICES, AIM_READ_NOISE_NONE)]);
    aim_chip other = chip;
    make_inputs();
    first_row(&chip, FIRST_LAYER, backend_names[_i], NULL, y[0]);
    other.seed++;
    first_row(&other, FIRST_LAYER, backend_names[_i], NULL, y[1]);
    first_row(&chip, FIRST_LAYER + 8, backend_names[_i], NULL, y[2]);
    other = chip;
    other.age = 10 * chip.age;
    first_row(&other, FIRST_LAYER, backend_names[_i], NULL, y[3]);
    for (int i = 0; i < CHANGES; i++)
        for (int j = 0; j < i; j++)
            ck_assert_mem_ne(y[i], y[j], sizeof y[i]);
}
END_TEST

START_TEST(noise_depends_on_whose_it_is)
{
    static const aim_row_noise whose[] = {{1, 1}, {2, 1}, {1, 2}};
    static float y[COUNT(whose) + 1][OUT], again[OUT];
    aim_chip chip = start(index_of(AIM_PROGRAMMING_EXACT, AIM_READ_NOISE_WEIGHTS));
    for (size_t i = 0; i < COUNT(whose); i++)
        first_row(&chip, FIRST_LAYER, backend_names[_i], &whose[i], y[i]);
    first_row(&chip, FIRST_LAYER, backend_names[_i], NULL, y[COUNT(whose)]);
    for (size_t i = 0; i < COUNT(y); i++)
        for (size_t j = 0; j < i; j++)
            ck_assert_mem_ne(y[i], y[j], sizeof y[i]);
    first_row(&chip, FIRST_LAYER, backend_names[_i], &whose[0], again);
    ck_assert_mem_eq(again, y[0], sizeof again);
}
END_TEST

/* ---- what is refused ---------------------------------------------------------------------- */

static const struct {
    int bits;
    enum aim_read_noise noise;
    const char *param, *text;
} refused_by_int4[] = {
    {8, AIM_READ_NOISE_NONE, "conductance_bits", "holds weights in 4 bits, not in 8"},
    {4, AIM_READ_NOISE_WEIGHTS, "read_noise", "reads its weights without noise"},
    {4, AIM_READ_NOISE_OUTPUT, "read_noise", "reads its weights without noise"},
};

START_TEST(int4_takes_quiet_weights_of_4_bits_alone)
{
    aim_error err = {0};
    struct layer_case c = cases[0];
    c.bits = refused_by_int4[_i].bits;
    c.noise = refused_by_int4[_i].noise;
    struct rig r = {.chip = chip_of(&c), .backend = aim_backend_find("int4", NULL)};
    aim_linear_source source = source_of(&r, FIRST_LAYER);
    ck_assert_ptr_null(r.backend->load(&r.compute, &source, &err));
    ck_assert_int_eq(err.code, AIM_EINVAL);
    ck_assert_str_eq(err.param, refused_by_int4[_i].param);
    ck_assert_ptr_nonnull(strstr(err.text, refused_by_int4[_i].text));
}
END_TEST

/* ---- what converters cut off -------------------------------------------------------------- */

/* From what passed the converters of the evaluator. */
static aim_converter_counts count_part(const struct part *p, int bits)
{
    static float y[ROWS * OUT], scratch[8 * IN + 8 * OUT];
    static float code[MAX_TILES * ROWS * OUT], sum[COUNT(code)], bound[COUNT(code)];
    aim_tile_trace trace = {.adc_code = code, .adc_input = sum, .adc_bound = bound};
    size_t n = (size_t)p->l.tiles * ROWS * (size_t)p->l.out;
    if (bits) {
        aim_integer_linear *integer = aim_integer_linear_new(&p->l, bits, NULL);
        aim_integer_forward(integer, inputs, ROWS, y, scratch, &trace);
        aim_integer_linear_free(integer);
    } else {
        aim_exact_forward(&p->l, inputs, ROWS, y, scratch, &trace);
    }
    aim_converter_counts counts = {.inputs = ROWS * IN, .readings = n};
    double res = p->l.settings.out_res, most = (res > 1 ? res : 1 / res) / 2;
    for (size_t i = 0; i < n && p->l.settings.out_bound > 0; i++)
        counts.saturated += res > 0 ? fabs((double)code[i]) > most : fabsf(sum[i]) > bound[i];
    for (int t = 0; t < p->l.tiles && p->l.input_range; t++)
        for (int i = 0; i < ROWS * aim_tiled_linear_span(&p->l, t).width; i++) {
            aim_tile_span span = aim_tiled_linear_span(&p->l, t);
            float x = inputs[i / span.width * IN + span.first + i % span.width];
            counts.limited += fabsf(x) > p->l.input_range[t];
        }
    return counts;
}

START_TEST(limits_are_counted)
{
    aim_chip chip = start(_i / 2);
    struct rig r;
    aim_converter_counts got[AIM_MAX_PARTS];
    if (cases[_i / 2].noise) /* those of the evaluators are not noisy */
        chip.profile.read_noise = AIM_READ_NOISE_NONE;
    open_layer(&r, &chip, FIRST_LAYER, backend_names[_i % 2], aim_kernels_pick(NULL, NULL), 2);
    ck_assert_int_eq(r.backend->count_limits(r.linear, &r.compute, inputs, ROWS, NULL, got, NULL),
                     AIM_OK);
    for (int i = 0; i < SHAPE.n_parts; i++) {
        struct part p;
        program_part(&p, &chip, i);
        aim_converter_counts want = count_part(&p, _i % 2 ? 0 : cases[_i / 2].bits);
        ck_assert_msg(memcmp(&want, &got[i], sizeof want) == 0,
                      "%s, part %d: %llu limited, %llu saturated, wanted %llu and %llu",
                      cases[_i / 2].name, i, (unsigned long long)got[i].limited,
                      (unsigned long long)got[i].saturated, (unsigned long long)want.limited,
                      (unsigned long long)want.saturated);
        free_part(&p);
    }
    close_layer(&r);
    end(&chip);
}
END_TEST

/* With the noise that forward draws for the same rows: what it moves beyond the full
 * scale or back is counted. */
START_TEST(noise_is_counted_with)
{
    enum { KINDS = 3 };
    static const aim_row_noise others[ROWS] = {{99, 1}};
    const aim_row_noise *noise[KINDS] = {NULL, row_noise, others};
    aim_chip chip = start(index_of(AIM_PROGRAMMING_PCM, AIM_READ_NOISE_OUTPUT));
    aim_converter_counts counts[KINDS][AIM_MAX_PARTS], again[AIM_MAX_PARTS];
    struct rig r;
    chip.profile.tile.out_bound = 1;
    chip.profile.read_noise_share = 0.5f;
    open_layer(&r, &chip, FIRST_LAYER, backend_names[_i], aim_kernels_pick(NULL, NULL), 2);
    for (int k = 0; k < KINDS; k++)
        ck_assert_int_eq(
            r.backend->count_limits(r.linear, &r.compute, inputs, ROWS, noise[k], counts[k], NULL),
            AIM_OK);
    ck_assert_int_eq(
        r.backend->count_limits(r.linear, &r.compute, inputs, ROWS, row_noise, again, NULL),
        AIM_OK);
    for (int i = 0; i < SHAPE.n_parts; i++) {
        ck_assert_uint_eq(counts[1][i].saturated, again[i].saturated);
        ck_assert_uint_gt(counts[1][i].saturated, 0);
        for (int k = 0; k < KINDS; k++) {
            ck_assert_uint_eq(counts[k][i].limited, counts[0][i].limited);
            ck_assert(k == 1 || counts[k][i].saturated != counts[1][i].saturated);
        }
    }
    close_layer(&r);
    end(&chip);
}
END_TEST

/* ---- sizes and failures ---------------------------------------------------------------------- */

START_TEST(sizes_are_as_announced)
{
    aim_chip chip = start(_i / 2);
    struct rig r;
    open_layer(&r, &chip, FIRST_LAYER, backend_names[_i % 2], aim_kernels_pick(NULL, NULL), 2);
    ck_assert_uint_eq(r.backend->bytes(r.linear), r.backend->load_bytes(&chip, &SHAPE));
    for (int rows = 1; rows < 20; rows++)
        ck_assert_uint_ge(r.backend->scratch(&chip, &SHAPE, rows + 1, 2),
                          r.backend->scratch(&chip, &SHAPE, rows, 2));
    close_layer(&r);
    end(&chip);
}
END_TEST

START_TEST(loading_survives_every_failed_allocation)
{
    int index = index_of(AIM_PROGRAMMING_DEVICES, AIM_READ_NOISE_WEIGHTS), n = -1;
    aim_chip chip = start(index);
    chip.profile.tile.weight_quantisation = AIM_WEIGHTS_DISCRETIZE;
    chip.profile.tile.weight_res = 14;
    struct rig r = {.chip = chip, .backend = aim_backend_find(backend_names[_i], NULL)};
    r.compute.kernels = aim_kernels_pick(NULL, NULL);
    r.compute.pool = aim_pool_new(1, NULL);
    aim_linear_source source = source_of(&r, FIRST_LAYER);
    while (!r.linear) {
        aim_error err = {0};
        aim_alloc_fail_after(++n);
        r.linear = r.backend->load(&r.compute, &source, &err);
        aim_alloc_fail_after(-1);
        ck_assert_int_eq(err.code, r.linear ? AIM_OK : AIM_ENOMEM);
    }
    ck_assert_int_gt(n, 15);
    close_layer(&r);
    end(&chip);
}
END_TEST

START_TEST(counting_survives_every_failed_allocation)
{
    aim_chip chip = start(1);
    struct rig r;
    aim_converter_counts counts[AIM_MAX_PARTS];
    int n = 0, code = AIM_ENOMEM;
    open_layer(&r, &chip, FIRST_LAYER, backend_names[_i], aim_kernels_pick(NULL, NULL), 1);
    while (code) {
        aim_error err = {0};
        aim_alloc_fail_after(n++);
        code = r.backend->count_limits(r.linear, &r.compute, inputs, ROWS, NULL, counts, &err);
        aim_alloc_fail_after(-1);
        ck_assert_int_eq(err.code, code);
    }
    ck_assert_int_gt(n, 2);
    close_layer(&r);
}
END_TEST

/* ---- ranges of a checkpoint ---------------------------------------------------------------- */

enum { SMALL = 24 };
static float small_weights[SMALL * SMALL];

/* Can a layer of one part with these ranges in its checkpoint, none if n is 0, be
 * loaded? first: the range in use, 0 if it is dynamic. */
static bool load_small(const aim_chip *chip, const char *backend, const float *ranges, int n,
                       aim_tiling *tiling, float *first, aim_error *err)
{
    aim_compute compute = {.kernels = aim_kernels_pick(NULL, NULL), .pool = aim_pool_new(1, NULL)};
    char weight_name[] = "w.weight", range_name[] = "w.input_range";
    aim_tensor weight = {.name = weight_name,
                         .dtype = AIM_F32,
                         .dtype_name = "F32",
                         .rank = 2,
                         .shape = {SMALL, SMALL},
                         .stride = {SMALL, 1},
                         .data = (unsigned char *)small_weights,
                         .bytes = sizeof small_weights};
    aim_tensor range = {.name = range_name,
                        .dtype = AIM_F32,
                        .dtype_name = "F32",
                        .rank = 1,
                        .shape = {n},
                        .stride = {1},
                        .data = (const unsigned char *)ranges,
                        .bytes = (size_t)n * sizeof *ranges};
    aim_linear_part part = {.weight = &weight, .input_range = n ? &range : NULL};
    aim_linear_source source = {
        .shape = {SMALL, SMALL, 1, {SMALL}}, .parts = &part, .layer = 3, .chip = chip};
    const aim_backend *b = aim_backend_find(backend, NULL);
    for (int i = 0; i < SMALL * SMALL; i++)
        small_weights[i] = (float)(i % 7) - 3.0f;
    aim_linear *l = b->load(&compute, &source, err);
    if (l) {
        *tiling = b->tiling(l, 0);
        *first = tiling->ranges ? tiling->ranges[0] : 0.0f;
        for (int t = 1; n == 1 && tiling->ranges && t < tiling->tiles; t++)
            ck_assert(tiling->ranges[t] == *first);
    }
    bool loaded = l;
    b->free(l);
    aim_pool_free(compute.pool);
    return loaded;
}

static const struct {
    enum aim_input_range wanted;
    int n;
    float ranges[3];
    float calibrated; /* 0: not */
    const char *error;
    enum aim_range_source source;
    bool fallback;
    float first; /* range in use */
} range_cases[] = {
    {AIM_RANGE_STATIC, 2, {2, 3}, 0, NULL, AIM_RANGES_LEARNED, false, 2},
    {AIM_RANGE_STATIC, 2, {2, 3}, 1.5f, NULL, AIM_RANGES_CALIBRATED, false, 1.5f},
    {AIM_RANGE_STATIC, 0, {0}, 1.5f, NULL, AIM_RANGES_CALIBRATED, false, 1.5f},
    {AIM_RANGE_STATIC, 0, {0}, 0, NULL, AIM_RANGES_DYNAMIC, true, 0},
    {AIM_RANGE_DYNAMIC, 2, {2, 3}, 0, NULL, AIM_RANGES_DYNAMIC, false, 0},
    {AIM_RANGE_DYNAMIC, 1, {0}, 1.5f, NULL, AIM_RANGES_DYNAMIC, false, 0},
    {AIM_RANGE_STATIC, 1, {2}, 0, NULL, AIM_RANGES_LEARNED, false, 2}, /* all tiles' */
    {AIM_RANGE_STATIC,
     3,
     {2, 2, 2},
     0,
     "\"w.input_range\" has 3 ranges, but profile test cuts 24 inputs into 2 tiles "
     "(max_input_size 16)",
     0,
     false,
     0},
    {AIM_RANGE_STATIC, 1, {0}, 0, "range 0 is 0, must be above 0", 0, false, 0},
    {AIM_RANGE_STATIC,
     2,
     {2, 0},
     0,
     "\"w.input_range\": range 1 is 0, must be above 0",
     0,
     false,
     0},
    {AIM_RANGE_STATIC, 2, {-1, 2}, 0, "range 0 is -1, must be above 0", 0, false, 0},
    {AIM_RANGE_STATIC, 2, {1, NAN}, 0, "NaN or infinity", 0, false, 0},
    {AIM_RANGE_STATIC, 2, {INFINITY, 1}, 0, "NaN or infinity", 0, false, 0},
};

START_TEST(ranges_are_calibrated_learned_or_dynamic)
{
    for (size_t b = 0; b < COUNT(backend_names); b++) {
        aim_chip chip = chip_of(&cases[1]);
        aim_input_ranges_set *set = aim_calloc(1, sizeof *set);
        aim_tiling tiling;
        float first = -1;
        aim_error err = {0};
        chip.profile.tile.max_input_size = 16;
        chip.profile.tile.input_range = range_cases[_i].wanted;
        if (range_cases[_i].calibrated > 0) {
            float *range = aim_input_ranges_add(set, 3, 2);
            range[0] = range[1] = range_cases[_i].calibrated;
        }
        chip.ranges = set;
        bool loaded = load_small(&chip, backend_names[b], range_cases[_i].ranges, range_cases[_i].n,
                                 &tiling, &first, &err);
        aim_input_ranges_free(set);
        ck_assert_msg(loaded == !range_cases[_i].error, "%s", err.text);
        if (range_cases[_i].error) {
            ck_assert_msg(strstr(err.text, range_cases[_i].error), "%s", err.text);
            ck_assert_int_eq(err.code, AIM_EFORMAT);
            continue;
        }
        ck_assert_int_eq(tiling.tiles, 2);
        ck_assert_int_eq(tiling.source, range_cases[_i].source);
        ck_assert_int_eq(tiling.fallback, range_cases[_i].fallback);
        ck_assert(first == range_cases[_i].first);
    }
}
END_TEST

/* Calibrated on other tiles: the ranges are nobody's. */
START_TEST(calibrated_ranges_must_fit)
{
    aim_chip chip = chip_of(&cases[1]);
    aim_input_ranges_set *set = aim_calloc(1, sizeof *set);
    const float learned[2] = {2, 3};
    aim_tiling tiling;
    float first;
    aim_error err = {0};
    chip.profile.tile.max_input_size = 16;
    chip.profile.tile.input_range = AIM_RANGE_STATIC;
    *aim_input_ranges_add(set, 3, 1) = 1.5f;
    chip.ranges = set;
    ck_assert(!load_small(&chip, backend_names[_i], learned, 2, &tiling, &first, &err));
    ck_assert_int_eq(err.code, AIM_EINVAL);
    ck_assert_str_eq(err.text,
                     "calibrated ranges of linear layer 3 (w.weight) are for 1 tiles, but profile "
                     "test cuts 24 inputs into 2 (max_input_size 16)");
    aim_input_ranges_free(set);
}
END_TEST

/* Weights go to 3. */
static const struct {
    double out_bound;
    float range;
    bool loads;
} large_ranges[] = {
    {0, 3e37f, true},   {0, 1e38f, false},   {10, 5e36f, true},      {10, 6e36f, false},
    {0.5, 3e37f, true}, {0.5, 2e38f, false}, {1e-6, 1.8e38f, false},
};

START_TEST(ranges_that_overflow_converters_are_refused)
{
    for (size_t i = 0; i < COUNT(large_ranges); i++) {
        aim_chip chip = chip_of(&cases[1]);
        const float ranges[2] = {1, large_ranges[i].range};
        aim_tiling tiling;
        float first;
        aim_error err = {0};
        chip.profile.programming = AIM_PROGRAMMING_EXACT;
        chip.profile.tile.max_input_size = 16;
        chip.profile.tile.input_range = AIM_RANGE_STATIC;
        chip.profile.tile.out_bound = large_ranges[i].out_bound;
        chip.profile.tile.out_res = large_ranges[i].out_bound > 0 ? 254 : 0;
        bool loaded = load_small(&chip, backend_names[_i], ranges, 2, &tiling, &first, &err);
        ck_assert_msg(loaded == large_ranges[i].loads, "case %zu: %s", i, err.text);
        if (loaded)
            continue;
        ck_assert_int_eq(err.code, AIM_EINVAL);
        ck_assert_msg(strstr(err.text, "input range 1 of linear layer 3 (w.weight) is"), "%s",
                      err.text);
    }
}
END_TEST

/* What integers cannot hold the reference evaluator computes. */
START_TEST(fine_dacs_are_for_the_reference_alone)
{
    aim_chip chip = chip_of(&cases[1]);
    aim_tiling tiling;
    float first;
    aim_error err = {0}, none = {0};
    chip.profile.tile.inp_res = 1022;
    ck_assert(!load_small(&chip, "analog", NULL, 0, &tiling, &first, &err));
    ck_assert_int_eq(err.code, AIM_EUNSUPPORTED);
    ck_assert_str_eq(err.param, "inp_res");
    ck_assert(load_small(&chip, "analog-exact", NULL, 0, &tiling, &first, &none));
    chip.profile.read_noise = AIM_READ_NOISE_INPUT;
    chip.profile.read_noise_share = 0.1f;
    ck_assert(!load_small(&chip, "analog-exact", NULL, 0, &tiling, &first, &none));
    ck_assert_int_eq(none.code, AIM_EUNSUPPORTED);
}
END_TEST

int main(void)
{
    const int n = COUNT(cases), both = COUNT(backend_names);
    Suite *s = suite_create("analog layer");
    TCase *t = tcase_create("bits");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, integers_are_those_of_the_evaluator, 0, n);
    tcase_add_loop_test(t, exact_layers_are_those_of_the_evaluator, 0, n);
    tcase_add_loop_test(t, rows_do_not_know_each_other, 0, both * n);
    tcase_add_loop_test(t, products_end_in_bias_and_residual, 0, n);
    tcase_add_loop_test(t, programming_depends_on_chip_and_layer, 0, both);
    tcase_add_loop_test(t, noise_depends_on_whose_it_is, 0, both);
    tcase_add_loop_test(t, limits_are_counted, 0, both * n);
    tcase_add_loop_test(t, noise_is_counted_with, 0, both);
    suite_add_tcase(s, t);
    t = tcase_create("loading");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, sizes_are_as_announced, 0, both * n);
    tcase_add_loop_test(t, loading_survives_every_failed_allocation, 0, both);
    tcase_add_loop_test(t, counting_survives_every_failed_allocation, 0, both);
    tcase_add_loop_test(t, ranges_are_calibrated_learned_or_dynamic, 0, COUNT(range_cases));
    tcase_add_loop_test(t, calibrated_ranges_must_fit, 0, both);
    tcase_add_loop_test(t, ranges_that_overflow_converters_are_refused, 0, both);
    tcase_add_test(t, fine_dacs_are_for_the_reference_alone);
    tcase_add_loop_test(t, int4_takes_quiet_weights_of_4_bits_alone, 0, COUNT(refused_by_int4));
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
