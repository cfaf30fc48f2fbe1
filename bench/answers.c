/* SPDX-License-Identifier: Apache-2.0 */
/* answers.c - what those who wait for answers see: of several candidates, beside a
 * long prompt, behind a prompt that is known already. */
#include "base/alloc.h"
#include "bench/cases.h"
#include "bench/engine_load.h"
#include "bench/rate.h"
#include "bench/roofline.h"
#include "bench/statistics.h"

/* The model of a case, int8 on all threads; NULL: the figure is reported as skipped. */
static aim_model *get_model(const bench_case *c)
{
    aim_error err = {0};
    aim_model *m = models_get(c->shape, INT8, c->threads, &err);
    if (!m)
        report_skipped(c->name, err.text);
    return m;
}

/* From the submission to the last token. */
static double wall_seconds(const aim_model *m, const load_request *r)
{
    engine_log log = engine_load_run(m, r, 1);
    return (double)(log.last_ns - log.submitted_ns) * 1e-9;
}

/* ---- best of n --------------------------------------------------------------------- */

static double candidates_seconds(const bench_case *c, const aim_model *m, int n)
{
    load_request r = {.prompt = engine_load_new_prompt(),
                      .prompt_tokens = c->prompt,
                      .candidates = n,
                      .tokens = c->answer,
                      .temperature = 1};
    return wall_seconds(m, &r);
}

/* The least time that the machine allows: the prompt, whose last row gives the first
 * tokens, then a step for each token more, in which all read the prompt's keys and values
 * at once and each its own. */
static double least_seconds(const bench_case *c, const aim_model *m, int n,
                            const machine_limits *machine)
{
    step_work prompt = work_of_prefill(m, INT8, c->prompt);
    double context = (double)c->prompt / n + c->answer / 2.0;
    step_work step = work_of_decoding(m, INT8, n, context);
    return roofline_seconds(machine, prompt) + (c->answer - 1) * roofline_seconds(machine, step);
}

void bench_best_of(const bench_case *c)
{
    figure f = figure_named(c->name, "ratio", true);
    aim_model *m = get_model(c);
    for (int i = 0; m && i < cases_rounds(); i++) {
        machine_limits before = machine_probe(0, 0);
        double one = candidates_seconds(c, m, 1);
        machine_limits between = machine_probe(0, 0);
        double all = candidates_seconds(c, m, c->sequences);
        machine_limits with_one = machine_between(before, between);
        machine_limits with_all = machine_between(between, machine_probe(0, 0));
        figure_add(&f, all / one,
                   least_seconds(c, m, c->sequences, &with_all) /
                       least_seconds(c, m, 1, &with_one));
    }
    figure_report(&f);
}

/* ---- the prefix cache ---------------------------------------------------------------- */

void bench_prefix(const bench_case *c)
{
    figure f = figure_named(c->name, "ratio", false);
    aim_model *m = get_model(c);
    for (int i = 0; m && i < cases_rounds(); i++) {
        load_request r = {.prompt = engine_load_new_prompt(),
                          .prompt_tokens = c->prompt,
                          .candidates = 1,
                          .tokens = 1};
        double without = wall_seconds(m, &r);
        figure_add(&f, without / wall_seconds(m, &r), 0);
    }
    figure_report(&f);
}

/* ---- a long prompt beside answers ------------------------------------------------------ */

enum { UNDISTURBED = 24 }; /* tokens of each answer before the prompt comes */

typedef struct gaps {
    double *seconds;
    int n;
} gaps;

/* The times between one token and the next of the same sequence, of those whose later
 * token came in (from, to]. */
static gaps gaps_between(const engine_log *log, int sequences, uint64_t from, uint64_t to)
{
    uint64_t last[RATE_MAX] = {0};
    gaps g = {aim_array((size_t)log->n_tokens, sizeof *g.seconds), 0};
    if (!g.seconds)
        bench_fail("out of memory");
    for (int i = 0; i < log->n_tokens; i++) {
        const token_time *t = &log->tokens[i];
        if (t->sequence >= sequences)
            continue;
        if (last[t->sequence] && t->ns > from && t->ns <= to)
            g.seconds[g.n++] = (double)(t->ns - last[t->sequence]) * 1e-9;
        last[t->sequence] = t->ns;
    }
    return g;
}

static uint64_t first_token_ns(const engine_log *log, int sequence)
{
    int i = 0;
    while (i < log->n_tokens - 1 && log->tokens[i].sequence != sequence)
        i++;
    return log->tokens[i].ns;
}

/* Answers decode undisturbed for a while, then with a new prompt beside them until its
 * first token. */
static engine_log disturb(const bench_case *c, const aim_model *m)
{
    load_request answers = {.prompt_tokens = 17, .candidates = 1, .tokens = c->answer};
    load_request prompt = {.prompt = engine_load_new_prompt(),
                           .prompt_tokens = c->prompt,
                           .candidates = 1,
                           .tokens = 1};
    engine_load_begin(m);
    engine_load_submit(&answers, c->sequences);
    engine_load_wait_tokens(UNDISTURBED);
    engine_load_wait_sequence(engine_load_submit(&prompt, 1));
    engine_load_cancel();
    return engine_load_end();
}

void bench_gap(const bench_case *c)
{
    figure over_undisturbed = case_figure(c, 0, "ratio", true);
    figure over_own = case_figure(c, 1, "ratio", true);
    figure prefill = case_figure(c, 2, "tokens/s", false);
    aim_model *m = get_model(c);
    for (int i = 0; m && i < cases_rounds(); i++) {
        engine_log log = disturb(c, m);
        uint64_t first = first_token_ns(&log, c->sequences);
        gaps before = gaps_between(&log, c->sequences, log.window.begin_ns, log.submitted_ns);
        gaps during = gaps_between(&log, c->sequences, log.submitted_ns, first);
        if (before.n > 0 && during.n > 0) {
            double p99 = quantile(during.seconds, during.n, 0.99);
            figure_add(&over_undisturbed, p99 / median(before.seconds, before.n), 0);
            figure_add(&over_own, p99 / median(during.seconds, during.n), 0);
            figure_add(&prefill, c->prompt / ((double)(first - log.submitted_ns) * 1e-9), 0);
        }
        aim_free(before.seconds);
        aim_free(during.seconds);
    }
    figure_report(&over_undisturbed);
    figure_report(&over_own);
    figure_report(&prefill);
}

/* ---- what is not the forward pass --------------------------------------------------------- */

void bench_overhead(const bench_case *c)
{
    figure f = figure_named(c->name, "ratio", true);
    aim_model *m = get_model(c);
    load_request r = {.prompt_tokens = c->prompt, .candidates = 1, .tokens = c->answer};
    for (int i = 0; m && i <= cases_rounds(); i++) {
        decode_window w = engine_load_run(m, &r, c->sequences).window;
        double wall = (double)(w.end_ns - w.begin_ns) * 1e-9;
        if (i > 0) /* the first one warms up */
            figure_add(&f, 1 - (w.end.forward_seconds - w.begin.forward_seconds) / wall, 0);
    }
    figure_report(&f);
}
