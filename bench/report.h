/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - one figure a line, beside the limit measured in the same rounds. */
#ifndef AIM_BENCH_REPORT_H
#define AIM_BENCH_REPORT_H

#include "bench/machine.h"

#include <stdbool.h>

enum {
    MAX_ROUNDS = 9, /* --rounds */
    MAX_TURNS = 8,  /* of a round */
    MAX_MEASURED = MAX_ROUNDS * MAX_TURNS,
    FIGURE_NAME = 64
};

/* What the turns of one figure gave. Machines that others share change by a factor
 * of two within minutes, so each turn has a limit of its own. */
typedef struct figure {
    char name[FIGURE_NAME];
    const char *unit;
    bool lower; /* smaller values are better: the share is limit / value */
    int rounds; /* turns of all rounds together */
    double value[MAX_MEASURED];
    double limit[MAX_MEASURED]; /* 0: it has none */
    /* The machine's limits that `limit` was made from; zeros: it was not. */
    double bandwidth[MAX_MEASURED], int8_macs[MAX_MEASURED];
} figure;

/* json: one JSON object a line, else a table. only: comma-separated patterns of
 * fnmatch(3) that choose figures by name; NULL: all. */
void report_setup(bool json, const char *only);
/* Is this figure asked for? */
bool report_wants(const char *name);
/* Ends the program with 2 if one of the patterns fits no figure: is_figure tells. */
void report_check_patterns(bool (*is_figure)(const char *pattern));
/* Was --only given, so that figures outside the usual run count as well? */
bool report_is_choosy(void);

/* A heading of the table, printed with the first figure below it; constant. */
void report_title(const char *text);
/* The machine that everything below was measured on. cpu: of cpu_describe. */
void report_machine(const char *cpu, const char *kernels, int threads);

figure figure_named(const char *name, const char *unit, bool lower);
void figure_add(figure *f, double value, double limit);
/* The same with a limit that was made from these limits of the machine. */
void figure_add_beside(figure *f, double value, double limit, machine_limits machine);
/* Prints the medians of value, limit and share, and what the middle half of the shares
 * (of the values, without a limit) lies between, if the figure is asked for. */
void figure_report(const figure *f);
/* A figure of one round. */
void report(const char *name, double value, const char *unit, double limit, bool lower);
/* A figure that could not be measured here, and why. */
void report_skipped(const char *name, const char *why);

/* A message, and the end of the program. */
_Noreturn void bench_fail(const char *text);

#endif
