/* SPDX-License-Identifier: Apache-2.0 */
/* analogd-bench [--json] [--quick] [--program ANALOGD] [--model DIR]
 *               [--load DIR [--backend NAME]] [--tokenizer DIR [--text FILE]]
 *               [--analog [--profile FILE]]
 *
 * Measures the machine, then each figure beside the limit that this machine
 * sets: decoding through the engine and over HTTP at 1, 8 and 32 sequences, on
 * the shipped model and on the shape of Llama-3.2-1B with random weights, what
 * HTTP costs and where that goes, and /health against libmicrohttpd alone.
 * Every figure is the median of five, engine and HTTP taking turns. With --load
 * it measures instead how the checkpoint in DIR is loaded, with --tokenizer how
 * fast the tokenizer in DIR encodes FILE, with --analog chips beside int8. */
#include "config.h"

#include "base/alloc.h"
#include "base/json.h"
#include "bench/analog.h"
#include "bench/daemon_process.h"
#include "bench/engine_load.h"
#include "bench/health.h"
#include "bench/http_load.h"
#include "bench/load.h"
#include "bench/report.h"
#include "bench/roofline.h"
#include "bench/tokenizer.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 5, PROMPT = 16 };

static struct {
    const char *program, *model;
    const char *load, *backend; /* load NULL: measure decoding */
    const char *tokenizer, *text;
    const char *profile;
    bool json, quick, analog;
} args = {.program = "./analogd",
          .model = "models/wordmath-2m",
          .backend = "int8",
          .text = "LICENSE",
          .profile = "conf/profiles/pcm-hermes.conf"};

static machine_limits machine; /* measured in this run */

typedef struct workload {
    const char *shape; /* NULL: the shipped weights */
    const char *title, *name;
    int tokens[3]; /* a sequence, for each of `sequences` */
} workload;

static const int sequences[3] = {1, 8, 32};

static const workload workloads[] = {
    {NULL, "Shipped model (wordmath-2m), int8", "shipped", {400, 400, 300}},
    {"llama-3.2-1b", "Llama-3.2-1B shape, random weights, int8", "1b", {48, 24, 16}},
};

/* CPU time of the daemon's threads for one token, to tell what HTTP is made of. */
typedef struct cpu_split {
    double loop, engine, workers;
} cpu_split;

static cpu_split cpu_now(const daemon_process *d)
{
    return (cpu_split){daemon_cpu_seconds(d, "analogd"), daemon_cpu_seconds(d, "engine"),
                       daemon_cpu_seconds(d, "worker")};
}

static void report_split(const workload *w, int n, cpu_split a, cpu_split b, double tokens)
{
    char name[64];
    snprintf(name, sizeof name, "%s_http_%d_cpu_loop", w->name, n);
    report(name, 1e6 * (b.loop - a.loop) / tokens, "us/token", 0, true);
    snprintf(name, sizeof name, "%s_http_%d_cpu_engine", w->name, n);
    report(name, 1e6 * (b.engine + b.workers - a.engine - a.workers) / tokens, "us/token", 0, true);
}

static void run_size(const workload *w, int size, aim_model *m, const daemon_process *d)
{
    int n = sequences[size], tokens = w->tokens[size], rounds = args.quick ? 1 : ROUNDS;
    double engine[ROUNDS], http[ROUNDS], cost[ROUNDS];
    char name[64];
    engine_load_run(m, n, PROMPT, tokens < 32 ? tokens : 32); /* warm up */
    http_load_run(d->port, n, PROMPT, tokens < 32 ? tokens : 32);
    cpu_split before = cpu_now(d);
    for (int i = 0; i < rounds; i++) {
        engine[i] = engine_load_run(m, n, PROMPT, tokens);
        http[i] = http_load_run(d->port, n, PROMPT, tokens);
        if (http[i] <= 0)
            bench_fail("a request failed");
        cost[i] = 100 * (1 - http[i] / engine[i]);
    }
    cpu_split after = cpu_now(d);
    double limit = roofline_decode(&machine, m, n, PROMPT + tokens / 2.0);
    snprintf(name, sizeof name, "%s_engine_%d", w->name, n);
    report(name, median(engine, rounds), "tokens/s", limit, false);
    snprintf(name, sizeof name, "%s_http_%d", w->name, n);
    report(name, median(http, rounds), "tokens/s", limit, false);
    snprintf(name, sizeof name, "%s_http_%d_cost", w->name, n);
    report(name, median(cost, rounds), "percent", 0, true);
    report_split(w, n, before, after, (double)n * tokens * rounds);
}

static void run_workload(const workload *w)
{
    aim_error err = {0};
    aim_model_options o = {.dir = args.model, .random_weights = w->shape};
    aim_engine_config_init(&o.engine);
    o.engine.max_context = 512;
    aim_model *m = engine_load_open(&o, &err);
    if (!m)
        bench_fail(err.text);
    daemon_process d;
    const char *shipped[] = {"--model", args.model, "--max-context", "512", NULL};
    const char *random[] = {"--model", args.model, "--max-context", "512", "--random-weights",
                            w->shape,  NULL};
    if (daemon_start(&d, args.program, w->shape ? random : shipped) != 0)
        exit(1);
    report_title(w->title);
    for (int i = 0; i < 3; i++)
        run_size(w, i, m, &d);
    if (!w->shape)
        bench_health(d.port, args.quick ? 1 : ROUNDS);
    daemon_stop(&d);
    aim_model_close(m);
}

static void parse_args(int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                            {"quick", no_argument, NULL, 'q'},
                                            {"program", required_argument, NULL, 'p'},
                                            {"model", required_argument, NULL, 'm'},
                                            {"load", required_argument, NULL, 'l'},
                                            {"backend", required_argument, NULL, 'b'},
                                            {"tokenizer", required_argument, NULL, 't'},
                                            {"text", required_argument, NULL, 'x'},
                                            {"analog", no_argument, NULL, 'a'},
                                            {"profile", required_argument, NULL, 'f'},
                                            {0}};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (c) {
        case 'j':
            args.json = true;
            break;
        case 'q':
            args.quick = true;
            break;
        case 'p':
            args.program = optarg;
            break;
        case 'm':
            args.model = optarg;
            break;
        case 'l':
            args.load = optarg;
            break;
        case 'b':
            args.backend = optarg;
            break;
        case 't':
            args.tokenizer = optarg;
            break;
        case 'x':
            args.text = optarg;
            break;
        case 'a':
            args.analog = true;
            break;
        case 'f':
            args.profile = optarg;
            break;
        default:
            exit(2);
        }
}

int main(int argc, char **argv)
{
    parse_args(argc, argv);
    aim_json_init();
    report_format(args.json);
    if (args.load)
        return bench_load(args.program, args.load, args.backend) ? 1 : 0;
    if (args.tokenizer)
        return bench_tokenizer(args.tokenizer, args.text) ? 1 : 0;
    machine = machine_measure();
    if (args.analog) {
        bench_analog(&machine, args.model, args.profile, args.quick ? 1 : ROUNDS);
        return 0;
    }
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
        run_workload(&workloads[i]);
    return 0;
}
