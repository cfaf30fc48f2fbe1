/* SPDX-License-Identifier: Apache-2.0 */
/* cases.h - what `make bench` measures: one row a case; docs/benchmarks.md defines the
 * names. */
#ifndef AIM_BENCH_CASES_H
#define AIM_BENCH_CASES_H

#include "bench/models.h"
#include "bench/report.h"

typedef struct bench_case bench_case;
struct bench_case {
    /* Of the figure, or what its figures begin with: "_" and the names of contestants
     * follow where they take turns, else these suffixes where there are any. */
    const char *name;
    const char *suffixes[4];
    void (*run)(const bench_case *c);
    enum model_shape shape;
    unsigned contestants; /* mask */
    int sequences;
    int prompt;  /* tokens */
    int answer;  /* tokens of each */
    int threads; /* 0: all */
    /* Turns a round: short ones, each beside limits of its own, where the machine's
     * bandwidth changes within a second, MAX_TURNS at most; 0: one. */
    int turns;
    bool extra; /* not in the usual run: only if asked for by name */
};

/* How often everything is measured, MAX_ROUNDS at most; the medians count. */
void cases_set_rounds(int rounds);
int cases_rounds(void);

/* Does this pattern of fnmatch(3) fit the name of any figure? */
bool cases_have_figure(const char *pattern);
/* All cases with a figure that is asked for, in the order of the table. */
void cases_run(void);

/* A figure of a case that has suffixes: number i of them. */
figure case_figure(const bench_case *c, int i, const char *unit, bool lower);
/* The name [FIGURE_NAME] of figure i of a case in which contestants take turns; "" where
 * they do not take part in this one. false: there is no figure i. */
bool contest_figure_name(const bench_case *c, int i, char *name);

/* ---- the ways to measure; each reports the figures of a case ---------------------- */

/* Tokens a second of `sequences` answers while all of them decode, contestants taking
 * turns, and the ratios between them. */
void bench_decode(const bench_case *c);
/* Tokens a second of a new prompt, from its submission to its first token. */
void bench_prefill(const bench_case *c);
/* Wall time of `sequences` candidates of one prompt over that of one. */
void bench_best_of(const bench_case *c);
/* p99 gap between tokens of `sequences` answers while a prompt prefills beside them. */
void bench_gap(const bench_case *c);
/* How much sooner the first token comes with the prompt in the prefix cache. */
void bench_prefix(const bench_case *c);
/* What a decoding step takes beside the forward pass. */
void bench_overhead(const bench_case *c);
/* From weights to a chip, beside drawing as many bare normals. */
void bench_programming(const bench_case *c);
/* The same rate as of bench_decode, of streams of a daemon, beside the engine's, and
 * what HTTP costs. */
void bench_http(const bench_case *c);
/* GET /health of the daemon against libmicrohttpd's own internal-thread mode serving the
 * same bytes, both under wrk. */
void bench_health(const bench_case *c);
/* From the start of a daemon to its readiness, with a checkpoint of the shape made for
 * it. */
void bench_load_ready(const bench_case *c);
/* What a run of the work pool takes beside its work. */
void bench_barrier(const bench_case *c);

#endif
