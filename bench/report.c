/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/report.h"

#include "bench/statistics.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PATTERN = 128 };

static struct {
    bool json;
    const char *only, *title;
} style;

void report_setup(bool json, const char *only)
{
    style.json = json;
    style.only = only;
    setvbuf(stdout, NULL, _IOLBF, 0); /* a run that is cut short has told what it knew */
}

bool report_is_choosy(void)
{
    return style.only != NULL;
}

/* Takes the first pattern off a list with commas between them; false: there is none. */
static bool next_pattern(const char **list, char *pattern)
{
    int length = (int)strcspn(*list, ",");
    if (!**list)
        return false;
    snprintf(pattern, MAX_PATTERN, "%.*s", length, *list);
    *list += length + ((*list)[length] == ',');
    return true;
}

bool report_wants(const char *name)
{
    char pattern[MAX_PATTERN];
    if (!style.only)
        return true;
    for (const char *list = style.only; next_pattern(&list, pattern);)
        if (fnmatch(pattern, name, 0) == 0)
            return true;
    return false;
}

void report_check_patterns(bool (*is_figure)(const char *pattern))
{
    char pattern[MAX_PATTERN];
    for (const char *list = style.only ? style.only : ""; next_pattern(&list, pattern);) {
        if (is_figure(pattern))
            continue;
        fprintf(stderr, "bench: --only: no figure is named \"%s\"\n", pattern);
        exit(2);
    }
}

void report_title(const char *text)
{
    style.title = text;
}

static void print_title(void)
{
    if (style.title)
        printf("\n%s\n%-34s %12s %-10s %12s %7s  %s\n", style.title, "", "figure", "unit", "limit",
               "share", "rounds");
    style.title = NULL;
}

/* Quotes and backslashes do not occur in names of CPUs, but a text is a text. */
static void print_quoted(const char *text)
{
    putchar('"');
    for (; *text; text++)
        if ((unsigned char)*text >= ' ')
            printf(*text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    putchar('"');
}

void report_machine(const char *cpu, const char *kernels, int threads)
{
    if (!style.json) {
        printf("%s, %d threads, kernels %s\n", cpu, threads, kernels);
        return;
    }
    printf("{\"name\": \"machine\", \"value\": %d, \"unit\": \"threads\", \"cpu\": ", threads);
    print_quoted(cpu);
    printf(", \"kernels\": \"%s\"}\n", kernels);
}

/* ---- figures ------------------------------------------------------------------ */

figure figure_named(const char *name, const char *unit, bool lower)
{
    figure f = {.unit = unit, .lower = lower};
    snprintf(f.name, sizeof f.name, "%s", name);
    return f;
}

void figure_add(figure *f, double value, double limit)
{
    if (f->rounds == MAX_MEASURED)
        bench_fail("a figure was measured more often than there is room for");
    f->value[f->rounds] = value;
    f->limit[f->rounds++] = limit;
}

void figure_add_beside(figure *f, double value, double limit, machine_limits machine)
{
    figure_add(f, value, limit);
    f->bandwidth[f->rounds - 1] = machine.bandwidth;
    f->int8_macs[f->rounds - 1] = machine.int8_macs;
}

/* The medians, and the quartiles of what is compared. */
typedef struct summary {
    double value, limit, share, low, high;
    double bandwidth, int8_macs;
} summary;

static summary summarise(const figure *f)
{
    figure sorted = *f;
    double share[MAX_MEASURED];
    for (int i = 0; i < f->rounds; i++)
        share[i] = f->lower ? f->limit[i] / f->value[i] : f->value[i] / f->limit[i];
    summary s = {.value = median(sorted.value, f->rounds),
                 .limit = median(sorted.limit, f->rounds),
                 .bandwidth = median(sorted.bandwidth, f->rounds),
                 .int8_macs = median(sorted.int8_macs, f->rounds)};
    if (s.limit > 0)
        s.share = median(share, f->rounds);
    double *compared = s.limit > 0 ? share : sorted.value;
    s.low = quantile(compared, f->rounds, 0.25);
    s.high = quantile(compared, f->rounds, 0.75);
    return s;
}

static void print_json(const figure *f, const summary *s)
{
    printf("{\"name\": \"%s\", \"value\": %.6g, \"unit\": \"%s\", \"better\": \"%s\"", f->name,
           s->value, f->unit, f->lower ? "lower" : "higher");
    if (s->limit > 0)
        printf(", \"limit\": %.6g, \"share\": %.4g", s->limit, s->share);
    else
        printf(", \"limit\": null, \"share\": null");
    if (s->bandwidth > 0)
        printf(", \"read_bandwidth\": %.4g, \"int8_peak\": %.4g", s->bandwidth * 1e-9,
               s->int8_macs * 2e-12);
    printf(", \"rounds\": %d, \"low\": %.4g, \"high\": %.4g}\n", f->rounds, s->low, s->high);
}

static void print_row(const figure *f, const summary *s)
{
    print_title();
    printf("%-34s %12.4g %-10s", f->name, s->value, f->unit);
    if (s->limit > 0)
        printf(" %12.4g %6.1f%%", s->limit, 100 * s->share);
    else
        printf(" %12s %7s", "", "");
    if (f->rounds > 1 && s->limit > 0)
        printf("  %.1f%% to %.1f%%", 100 * s->low, 100 * s->high);
    else if (f->rounds > 1)
        printf("  %.4g to %.4g", s->low, s->high);
    printf("\n");
}

void figure_report(const figure *f)
{
    if (f->rounds == 0 || !report_wants(f->name))
        return;
    summary s = summarise(f);
    (style.json ? print_json : print_row)(f, &s);
}

void report(const char *name, double value, const char *unit, double limit, bool lower)
{
    figure f = figure_named(name, unit, lower);
    figure_add(&f, value, limit);
    figure_report(&f);
}

void report_skipped(const char *name, const char *why)
{
    if (style.json) {
        printf("{\"name\": \"%s\", \"value\": null, \"skipped\": ", name);
        print_quoted(why);
        printf("}\n");
        return;
    }
    print_title();
    printf("%-34s skipped: %s\n", name, why);
}

void bench_fail(const char *text)
{
    fprintf(stderr, "bench: %s\n", text);
    exit(1);
}
