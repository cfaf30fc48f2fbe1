/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/analog.h"

#include "analog/normals.h"
#include "base/cpu.h"
#include "bench/engine_load.h"
#include "bench/report.h"

#include <stdio.h>

enum {
    MAX_ROUNDS = 5,
    PROMPT = 16,
    WARM_UP = 16,
    NORMALS_A_ROW = 2048, /* the width of a typical layer */
    ROWS_A_TASK = 16,
};

/* What is compared; the first is the yardstick. */
static const struct contestant {
    const char *name, *backend;
    int conductance_bits; /* 0: no chip */
} contestants[] = {{"int8", "int8", 0}, {"analog8", "analog", 8}, {"analog16", "analog", 16}};
enum { CONTESTANTS = sizeof contestants / sizeof contestants[0] };

static const struct size {
    int sequences, tokens; /* tokens of an answer: on the big shape, on the shipped model */
    int tokens_shipped;
} sizes[] = {{1, 64, 400}, {8, 64, 400}, {32, 32, 300}};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

/* ---- drawing normals ---------------------------------------------------------- */

static void draw_rows(void *arg, int task, int worker)
{
    (void)arg;
    (void)worker;
    float row[NORMALS_A_ROW];
    for (int i = 0; i < ROWS_A_TASK; i++) {
        aim_device_row at = {.seed = 1, .channel = (uint32_t)(task * ROWS_A_TASK + i)};
        aim_normals(&at, AIM_STREAM_PROGRAMMING, NORMALS_A_ROW, row);
    }
}

/* Seconds that all cores need for n normals that nobody keeps. */
static double draw_normals(size_t n)
{
    aim_error err = {0};
    aim_pool *pool = aim_pool_new(aim_cpu_count(), &err);
    if (!pool)
        bench_fail(err.text);
    uint64_t start = aim_now_ns();
    aim_pool_run(pool, draw_rows, NULL, (int)(n / (NORMALS_A_ROW * ROWS_A_TASK)) + 1);
    double seconds = (double)(aim_now_ns() - start) * 1e-9;
    aim_pool_free(pool);
    return seconds;
}

/* ---- programming and decoding ---------------------------------------------------- */

static aim_model *open_contestant(const struct contestant *c, const char *model, const char *shape,
                                  const aim_profile *profile, double *seconds)
{
    aim_chip chip = {.profile = *profile, .seed = 1};
    aim_model_options o = {.dir = model, .backend = c->backend, .random_weights = shape};
    aim_error err = {0};
    chip.profile.conductance_bits = c->conductance_bits;
    if (c->conductance_bits)
        o.chip = &chip;
    aim_engine_config_init(&o.engine);
    o.engine.max_context = 512;
    uint64_t start = aim_now_ns();
    aim_model *m = engine_load_open(&o, &err);
    *seconds = (double)(aim_now_ns() - start) * 1e-9;
    if (!m)
        bench_fail(err.text);
    return m;
}

/* Until a chip is ready, and what of it is the noise: the rest, reading or making up
 * the weights and packing them, is what a chip without noise takes. The limit is
 * drawing as many bare normals. */
static void report_programming(const char *title, const struct contestant *c, const char *model,
                               const char *shape, const aim_profile *profile, double seconds)
{
    char name[64];
    double noiseless;
    aim_profile without = *profile;
    if (!c->conductance_bits)
        return;
    without.programming = AIM_PROGRAMMING_EXACT;
    aim_model *m = open_contestant(c, model, shape, &without, &noiseless);
    double normals = draw_normals(aim_decoder_macs(m->decoder, true));
    aim_model_close(m);
    snprintf(name, sizeof name, "%s_%s_ready", title, c->name);
    report(name, seconds, "s", normals, true);
    snprintf(name, sizeof name, "%s_%s_noise", title, c->name);
    report(name, seconds - noiseless, "s", normals, true);
}

/* Contestants take turns, so that what else the machine does meets them all. */
static void run_size(const machine_limits *machine, const char *title, const struct size *size,
                     int tokens, aim_model *const models[], int rounds)
{
    double rate[CONTESTANTS][MAX_ROUNDS], ratio[CONTESTANTS][MAX_ROUNDS];
    char name[64];
    for (int c = 0; c < CONTESTANTS; c++)
        engine_load_run(models[c], size->sequences, PROMPT, WARM_UP);
    for (int r = 0; r < rounds; r++)
        for (int c = 0; c < CONTESTANTS; c++) {
            rate[c][r] = engine_load_run(models[c], size->sequences, PROMPT, tokens);
            ratio[c][r] = rate[c][r] / rate[0][r];
        }
    for (int c = 0; c < CONTESTANTS; c++) {
        double limit = roofline_decode(machine, models[c], size->sequences, PROMPT + tokens / 2.0);
        snprintf(name, sizeof name, "%s_%s_%d", title, contestants[c].name, size->sequences);
        report(name, median(rate[c], rounds), "tokens/s", limit, false);
    }
    for (int c = 1; c < CONTESTANTS; c++) {
        snprintf(name, sizeof name, "%s_%s_%d_to_int8", title, contestants[c].name,
                 size->sequences);
        report(name, median(ratio[c], rounds), "ratio", 1, false);
    }
}

static void run_shape(const machine_limits *machine, const char *title, const char *model,
                      const char *shape, const aim_profile *profile, int rounds)
{
    aim_model *models[CONTESTANTS];
    double seconds;
    for (int c = 0; c < CONTESTANTS; c++) {
        models[c] = open_contestant(&contestants[c], model, shape, profile, &seconds);
        report_programming(title, &contestants[c], model, shape, profile, seconds);
    }
    for (int s = 0; s < SIZES; s++)
        run_size(machine, title, &sizes[s], shape ? sizes[s].tokens : sizes[s].tokens_shipped,
                 models, rounds);
    for (int c = 0; c < CONTESTANTS; c++)
        aim_model_close(models[c]);
}

void bench_analog(const machine_limits *machine, const char *model, const char *profile, int rounds)
{
    aim_profile p;
    aim_error err = {0};
    if (aim_profile_load(profile, &p, &err))
        bench_fail(err.text);
    rounds = rounds < MAX_ROUNDS ? rounds : MAX_ROUNDS;
    report_title("Chips of the shipped model beside int8");
    run_shape(machine, "shipped", model, NULL, &p, rounds);
    report_title("Chips of the Llama-3.2-1B shape, random weights, beside int8");
    run_shape(machine, "1b", model, "llama-3.2-1b", &p, rounds);
}
