/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/cases.h"

#include "bench/http.h"

#include <fnmatch.h>
#include <stdio.h>

enum {
    SHORT_PROMPT = 17, /* a block of the prefix cache, and the row that decodes first */
    INT8_ALONE = 1 << INT8,
};

#define DECODE(prefix, of, n, tokens, each_round, who)                                             \
    {                                                                                              \
        .name = prefix "decode_" #n, .run = bench_decode, .shape = of, .contestants = who,         \
        .sequences = n, .prompt = SHORT_PROMPT, .answer = tokens, .turns = each_round              \
    }
#define PREFILL(n, who)                                                                            \
    {                                                                                              \
        .name = "prefill_" #n, .run = bench_prefill, .shape = LLAMA_1B, .contestants = who,        \
        .sequences = 1, .prompt = n, .answer = 1                                                   \
    }

#define HTTP(prefix, of, n, tokens)                                                                \
    {                                                                                              \
        .name = prefix "http_" #n, .suffixes = {"", "_cost", "_cpu_loop", "_cpu_engine"},          \
        .run = bench_http, .shape = of, .sequences = n, .prompt = SHORT_PROMPT, .answer = tokens   \
    }

/* Curves for docs/scaling.md, beside what the usual run has. */
#define CONTEXT(n)                                                                                 \
    {                                                                                              \
        .name = "scaling_context_" #n, .run = bench_decode, .shape = LLAMA_1B,                     \
        .contestants = INT8_ALONE, .sequences = 1, .prompt = (n)-16, .answer = 8, .turns = 4,      \
        .extra = true                                                                              \
    }
#define SEQUENCES(n, tokens, on)                                                                   \
    {                                                                                              \
        .name = "scaling_threads_" #on "_decode_" #n, .run = bench_decode, .shape = LLAMA_1B,      \
        .contestants = INT8_ALONE, .sequences = n, .prompt = SHORT_PROMPT, .answer = tokens,       \
        .threads = on, .extra = true                                                               \
    }
#define THREADS(on)                                                                                \
    SEQUENCES(1, 32, on), SEQUENCES(4, 24, on), SEQUENCES(16, 12, on), SEQUENCES(32, 8, on),       \
        SEQUENCES(64, 6, on),                                                                      \
        {.name = "scaling_threads_" #on "_prefill_256",                                            \
         .run = bench_prefill,                                                                     \
         .shape = LLAMA_1B,                                                                        \
         .contestants = INT8_ALONE,                                                                \
         .sequences = 1,                                                                           \
         .prompt = 256,                                                                            \
         .answer = 1,                                                                              \
         .threads = on,                                                                            \
         .extra = true},                                                                           \
    {                                                                                              \
        .name = "scaling_threads_" #on "_barrier", .run = bench_barrier, .threads = on,            \
        .extra = true                                                                              \
    }

static const bench_case cases[] = {
    DECODE("", LLAMA_1B, 1, 6, 8, ALL_CONTESTANTS),
    DECODE("", LLAMA_1B, 2, 6, 6, INT8_ALONE),
    DECODE("", LLAMA_1B, 4, 6, 6, INT8_ALONE),
    DECODE("", LLAMA_1B, 8, 6, 4, INT8_ALONE),
    DECODE("", LLAMA_1B, 16, 6, 4, ALL_CONTESTANTS),
    DECODE("", LLAMA_1B, 32, 6, 2, ALL_CONTESTANTS),
    DECODE("", LLAMA_1B, 64, 6, 1, ALL_CONTESTANTS),
    PREFILL(256, 1 << INT8 | 1 << INT4 | 1 << ANALOG8),
    PREFILL(1024, 1 << INT8 | 1 << INT4 | 1 << ANALOG8),
    {.name = "best_of_16_ratio",
     .run = bench_best_of,
     .shape = LLAMA_1B,
     .sequences = 16,
     .prompt = 64,
     .answer = 128},
    {.name = "gap_p99",
     .suffixes = {"_ratio", "_ratio_own", "_prefill"},
     .run = bench_gap,
     .shape = LLAMA_1B,
     .sequences = 15,
     .prompt = 1024,
     .answer = 480},
    {.name = "prefix_cached_speedup", .run = bench_prefix, .shape = LLAMA_1B, .prompt = 1024},
    {.name = "decode_8192",
     .run = bench_decode,
     .shape = LLAMA_1B,
     .contestants = INT8_ALONE,
     .sequences = 1,
     .prompt = 8192 - 16,
     .answer = 8,
     .turns = 4},
    {.name = "program_1b_analog8",
     .suffixes = {"_ready", "_noise"},
     .run = bench_programming,
     .shape = LLAMA_1B},
    /* Few at a time, for the sake of memory. */
    DECODE("phi3_", PHI3_MINI, 1, 4, 4, 1 << INT8 | 1 << ANALOG8),
    DECODE("phi3_", PHI3_MINI, 16, 6, 1, 1 << INT8 | 1 << ANALOG8),
    DECODE("phi3_", PHI3_MINI, 1, 4, 4, 1 << INT4),
    DECODE("phi3_", PHI3_MINI, 16, 6, 1, 1 << INT4),
    DECODE("phi3_", PHI3_MINI, 1, 4, 4, 1 << ANALOG16),
    DECODE("phi3_", PHI3_MINI, 16, 6, 1, 1 << ANALOG16),
    DECODE("shipped_", SHIPPED, 1, 400, 1, ALL_CONTESTANTS),
    DECODE("shipped_", SHIPPED, 8, 400, 1, ALL_CONTESTANTS),
    DECODE("shipped_", SHIPPED, 64, 200, 1, ALL_CONTESTANTS),
    {.name = "shipped_64_overhead",
     .run = bench_overhead,
     .shape = SHIPPED,
     .sequences = 64,
     .prompt = SHORT_PROMPT,
     .answer = 300},
    HTTP("shipped_", SHIPPED, 1, 400),
    HTTP("shipped_", SHIPPED, 8, 400),
    HTTP("shipped_", SHIPPED, 32, 300),
    {.name = "health", .run = bench_health, .shape = SHIPPED},
    HTTP("", LLAMA_1B, 1, 48),
    HTTP("", LLAMA_1B, 8, 24),
    HTTP("", LLAMA_1B, 32, 12),
    {.name = "load_1b_ready", .run = bench_load_ready, .shape = LLAMA_1B},
    CONTEXT(512),
    CONTEXT(1024),
    CONTEXT(2048),
    CONTEXT(4096),
    THREADS(1),
    THREADS(2),
};
enum { CASES = sizeof cases / sizeof cases[0], SUFFIXES = sizeof cases->suffixes / sizeof(char *) };

static const char *const titles[SHAPES] = {
    [SHIPPED] = "Shipped model (wordmath-2m)",
    [LLAMA_1B] = "Llama-3.2-1B shape, random weights",
    [PHI3_MINI] = "Phi-3-mini shape, random weights",
};

static int rounds = 1;

void cases_set_rounds(int n)
{
    rounds = n;
}

int cases_rounds(void)
{
    return rounds;
}

static void name_figure(char *name, const bench_case *c, int i)
{
    snprintf(name, FIGURE_NAME, "%s%s", c->name, c->suffixes[i] ? c->suffixes[i] : "");
}

figure case_figure(const bench_case *c, int i, const char *unit, bool lower)
{
    char name[FIGURE_NAME];
    name_figure(name, c, i);
    return figure_named(name, unit, lower);
}

/* The name of figure i of a case, "" for one it leaves out; false: it has no more. */
static bool get_name(const bench_case *c, int i, char *name)
{
    if (c->contestants)
        return contest_figure_name(c, i, name);
    if (i == SUFFIXES || (i > 0 && !c->suffixes[i]))
        return false;
    name_figure(name, c, i);
    return true;
}

static bool is_wanted(const bench_case *c)
{
    char name[FIGURE_NAME];
    if (c->extra && !report_is_choosy())
        return false;
    for (int i = 0; get_name(c, i, name); i++)
        if (name[0] && report_wants(name))
            return true;
    return false;
}

static bool has_figure(const bench_case *c, const char *pattern)
{
    char name[FIGURE_NAME];
    for (int i = 0; get_name(c, i, name); i++)
        if (name[0] && fnmatch(pattern, name, 0) == 0)
            return true;
    return false;
}

bool cases_have_figure(const char *pattern)
{
    for (int i = 0; i < CASES; i++)
        if (has_figure(&cases[i], pattern))
            return true;
    return false;
}

void cases_run(void)
{
    int shape = SHAPES;
    for (int i = 0; i < CASES; i++) {
        if (!is_wanted(&cases[i]))
            continue;
        if ((int)cases[i].shape != shape) {
            shape = (int)cases[i].shape;
            report_title(titles[shape]);
        }
        cases[i].run(&cases[i]);
        models_release();
    }
    served_daemon_close();
    models_close();
}
