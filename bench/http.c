/* SPDX-License-Identifier: Apache-2.0 */
/* http.c - the same load over HTTP as into the engine, taking turns: what HTTP costs,
 * and where that goes. */
#include "bench/http.h"

#include "bench/engine_load.h"
#include "bench/http_load.h"
#include "bench/options.h"
#include "bench/roofline.h"

#include <stdlib.h>

static struct {
    daemon_process process;
    enum model_shape shape;
    bool started;
} served;

const daemon_process *served_daemon(const bench_case *c)
{
    const bench_options *o = options_get();
    const char *shape = model_shape_name(c->shape);
    const char *args[] = {
        "--model", o->model, "--max-context", "512", shape ? "--random-weights" : NULL,
        shape,     NULL};
    if (served.started && served.shape == c->shape)
        return &served.process;
    served_daemon_close();
    served.started = daemon_start(&served.process, o->program, args) == 0;
    served.shape = c->shape;
    return served.started ? &served.process : NULL;
}

void served_daemon_close(void)
{
    if (served.started)
        daemon_stop(&served.process);
    served.started = false;
}

/* CPU time of the daemon's threads, to tell what HTTP is made of. */
typedef struct cpu_split {
    double loop, engine, workers;
} cpu_split;

static cpu_split cpu_now(const daemon_process *d)
{
    return (cpu_split){daemon_cpu_seconds(d, "analogd"), daemon_cpu_seconds(d, "engine"),
                       daemon_cpu_seconds(d, "worker")};
}

enum { RATE, COST, CPU_LOOP, CPU_ENGINE, FIGURES };

static void run_turn(const bench_case *c, aim_model *m, const daemon_process *d, figure *f)
{
    load_request r = {.prompt_tokens = c->prompt, .candidates = 1, .tokens = c->answer};
    double bytes = (double)aim_decoder_weight_bytes(m->decoder);
    double tokens = (double)c->sequences * c->answer;
    double engine = engine_load_run(m, &r, c->sequences).rate;
    machine_limits before = machine_probe(0, bytes);
    cpu_split from = cpu_now(d);
    double http = http_load_run(d->port, c->sequences, c->prompt, c->answer);
    cpu_split to = cpu_now(d);
    machine_limits during = machine_between(before, machine_probe(0, bytes));
    if (http <= 0)
        bench_fail("a request failed");
    step_work step = work_of_decoding(m, INT8, c->sequences, c->prompt + c->answer / 2.0);
    figure_add(&f[RATE], http, c->sequences / roofline_seconds(&during, step));
    figure_add(&f[COST], 100 * (1 - http / engine), 0);
    figure_add(&f[CPU_LOOP], 1e6 * (to.loop - from.loop) / tokens, 0);
    figure_add(&f[CPU_ENGINE], 1e6 * (to.engine + to.workers - from.engine - from.workers) / tokens,
               0);
}

void bench_http(const bench_case *c)
{
    aim_error err = {0};
    aim_model *m = models_get(c->shape, INT8, 0, &err);
    const daemon_process *d = m ? served_daemon(c) : NULL;
    if (!d) {
        report_skipped(c->name, m ? "no daemon" : err.text);
        return;
    }
    figure f[FIGURES] = {
        [RATE] = case_figure(c, RATE, "tokens/s", false),
        [COST] = case_figure(c, COST, "percent", true),
        [CPU_LOOP] = case_figure(c, CPU_LOOP, "us/token", true),
        [CPU_ENGINE] = case_figure(c, CPU_ENGINE, "us/token", true),
    };
    http_load_run(d->port, c->sequences, c->prompt, 4); /* warm up */
    for (int i = 0; i < cases_rounds(); i++)
        run_turn(c, m, d, f);
    for (int i = 0; i < FIGURES; i++)
        figure_report(&f[i]);
}
