/* SPDX-License-Identifier: Apache-2.0 */
/* contest.c - contestants measured in turns, so that what else the machine does meets
 * them all: their rates beside their rooflines, and the ratios between them. */
#include "bench/cases.h"
#include "bench/engine_load.h"
#include "bench/roofline.h"

#include <stdio.h>
#include <string.h>

/* What is compared, in turns. */
static const struct {
    enum contestant over, under;
} pairs[] = {{INT4, INT8}, {ANALOG8, INT8}, {ANALOG16, ANALOG8}};
enum { PAIRS = sizeof pairs / sizeof pairs[0] };

/* How a kind of case is measured, in tokens a second. */
typedef struct contest_kind {
    void (*warm_up)(const bench_case *c, const aim_model *m);
    double (*rate)(const bench_case *c, const aim_model *m);
    /* Tokens a second that the machine allows. */
    double (*limit)(const bench_case *c, const aim_model *m, enum contestant who,
                    const machine_limits *machine);
} contest_kind;

typedef struct contest {
    const bench_case *c;
    const contest_kind *kind;
    aim_model *models[CONTESTANTS]; /* NULL: does not take part */
    figure rates[CONTESTANTS], ratios[PAIRS];
} contest;

static void name_ratio(char *name, const bench_case *c, int pair)
{
    snprintf(name, FIGURE_NAME, "%s_%s_to_%s", c->name, contestant_name(pairs[pair].over),
             contestant_name(pairs[pair].under));
}

static bool takes_part(const bench_case *c, enum contestant who)
{
    return c->contestants & 1u << who;
}

static void name_rate(char *name, const bench_case *c, enum contestant who)
{
    snprintf(name, FIGURE_NAME, "%s_%s", c->name, contestant_name(who));
}

bool contest_figure_name(const bench_case *c, int i, char *name)
{
    int pair = i - CONTESTANTS;
    name[0] = '\0';
    if (i < CONTESTANTS && takes_part(c, i))
        name_rate(name, c, i);
    if (pair >= 0 && pair < PAIRS && takes_part(c, pairs[pair].over) &&
        takes_part(c, pairs[pair].under))
        name_ratio(name, c, pair);
    return pair < PAIRS;
}

/* Is its rate asked for, or a ratio it is part of? */
static bool is_needed(const bench_case *c, enum contestant who)
{
    char name[FIGURE_NAME];
    if (!takes_part(c, who))
        return false;
    name_rate(name, c, who);
    if (report_wants(name))
        return true;
    for (int i = 0; i < PAIRS; i++) {
        name_ratio(name, c, i);
        if ((pairs[i].over == who || pairs[i].under == who) && report_wants(name))
            return true;
    }
    return false;
}

static void enter(contest *t, enum contestant who)
{
    aim_error err = {0};
    char name[FIGURE_NAME];
    if (!is_needed(t->c, who))
        return;
    name_rate(name, t->c, who);
    t->rates[who] = figure_named(name, "tokens/s", false);
    t->models[who] = models_get(t->c->shape, who, t->c->threads, &err);
    if (!t->models[who])
        report_skipped(name, err.text);
    else
        t->kind->warm_up(t->c, t->models[who]);
}

/* The machine's limits before and after a turn count for it. Every other one goes
 * backwards, so that a machine that gets slower or faster meets all alike. */
static void run_turn(contest *t, int turn)
{
    double rate[CONTESTANTS] = {0};
    for (int i = 0; i < CONTESTANTS; i++) {
        int who = turn % 2 ? CONTESTANTS - 1 - i : i;
        const aim_model *m = t->models[who];
        if (!m)
            continue;
        double bytes = (double)aim_decoder_weight_bytes(m->decoder);
        machine_limits before = machine_probe(t->c->threads, bytes);
        rate[who] = t->kind->rate(t->c, m);
        machine_limits during = machine_between(before, machine_probe(t->c->threads, bytes));
        figure_add_beside(&t->rates[who], rate[who], t->kind->limit(t->c, m, who, &during), during);
    }
    for (int i = 0; i < PAIRS; i++)
        if (rate[pairs[i].over] > 0 && rate[pairs[i].under] > 0)
            figure_add(&t->ratios[i], rate[pairs[i].over] / rate[pairs[i].under], 0);
}

static void run_contest(const bench_case *c, const contest_kind *kind)
{
    contest t = {.c = c, .kind = kind};
    char name[FIGURE_NAME];
    for (int i = 0; i < PAIRS; i++) {
        name_ratio(name, c, i);
        t.ratios[i] = figure_named(name, "ratio", false);
    }
    for (int who = 0; who < CONTESTANTS; who++)
        enter(&t, who);
    int turns = cases_rounds() * (c->turns ? c->turns : 1);
    for (int turn = 0; turn < turns; turn++)
        run_turn(&t, turn);
    for (int who = 0; who < CONTESTANTS; who++)
        figure_report(&t.rates[who]);
    for (int i = 0; i < PAIRS; i++)
        figure_report(&t.ratios[i]);
}

/* ---- decoding ---------------------------------------------------------------------- */

static load_request decode_request(const bench_case *c, int answer)
{
    return (load_request){.prompt_tokens = c->prompt, .candidates = 1, .tokens = answer};
}

/* The same prompts every time: all but their last block is then in the prefix cache,
 * and a round is nothing but decoding. */
static void warm_up_decode(const bench_case *c, const aim_model *m)
{
    load_request r = decode_request(c, 4);
    engine_load_run(m, &r, c->sequences);
}

static double decode_rate_of(const bench_case *c, const aim_model *m)
{
    load_request r = decode_request(c, c->answer);
    return engine_load_run(m, &r, c->sequences).rate;
}

static double decode_limit(const bench_case *c, const aim_model *m, enum contestant who,
                           const machine_limits *machine)
{
    step_work step = work_of_decoding(m, who, c->sequences, c->prompt + c->answer / 2.0);
    return c->sequences / roofline_seconds(machine, step);
}

void bench_decode(const bench_case *c)
{
    static const contest_kind kind = {warm_up_decode, decode_rate_of, decode_limit};
    run_contest(c, &kind);
}

/* ---- prefill ----------------------------------------------------------------------- */

static double prefill_rate(const bench_case *c, const aim_model *m)
{
    load_request r = {.prompt = engine_load_new_prompt(),
                      .prompt_tokens = c->prompt,
                      .candidates = 1,
                      .tokens = 1};
    engine_log log = engine_load_run(m, &r, 1);
    return c->prompt / ((double)(log.last_ns - log.submitted_ns) * 1e-9);
}

static void warm_up_prefill(const bench_case *c, const aim_model *m)
{
    prefill_rate(c, m);
}

static double prefill_limit(const bench_case *c, const aim_model *m, enum contestant who,
                            const machine_limits *machine)
{
    return c->prompt / roofline_seconds(machine, work_of_prefill(m, who, c->prompt));
}

void bench_prefill(const bench_case *c)
{
    static const contest_kind kind = {warm_up_prefill, prefill_rate, prefill_limit};
    run_contest(c, &kind);
}
