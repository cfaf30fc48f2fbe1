/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c - counting, and the page in Prometheus text format.
 *
 * A metric is a list of series, one for each set of labels seen. There are few,
 * so they are searched in order. */
#include "config.h"

#include "server/metrics.h"

#include "base/alloc.h"
#include "server/metrics_text.h"
#include "server/process_stats.h"

#include <string.h>
#include <time.h>

#define PREFIX AIMD_METRICS_PREFIX

/* ---- what there is ------------------------------------------------------ */

enum kind { COUNTER_KIND, GAUGE_KIND, HISTOGRAM_KIND };
static const char *const kind_names[] = {"counter", "gauge", "histogram"};

typedef struct buckets {
    const double *bounds;
    int n;
} buckets;
#define BUCKETS(name, ...)                                                                         \
    static const double name##_bounds[] = {__VA_ARGS__};                                           \
    static const buckets name = {name##_bounds, sizeof name##_bounds / sizeof name##_bounds[0]}

/* clang-format off */
BUCKETS(FIRST_TOKEN, .001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560);
BUCKETS(BETWEEN_TOKENS, .01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5, 5, 7.5, 10, 20, 40, 80);
BUCKETS(REQUEST, .3, .5, .8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680);
BUCKETS(TOKENS, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000);
BUCKETS(CANDIDATES, 1, 2, 5, 10, 20);
BUCKETS(HTTP, .001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120);
BUCKETS(OPERATION, .01, .1, .5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640, 1280);
/* clang-format on */

enum scope { DAEMON, MODEL };

typedef struct row {
    enum kind kind;
    enum scope scope;
    const char *name, *label;
    const buckets *buckets;
    const char *help;
} row;

static const row rows[AIMD_N_METRICS] = {
#define COUNTER(id, name, scope, label, help) {COUNTER_KIND, scope, PREFIX name, label, NULL, help},
#define HISTOGRAM(id, name, scope, label, buckets, help)                                           \
    {HISTOGRAM_KIND, scope, PREFIX name, label, &buckets, help},
#define GAUGE(id, name, scope, label, help) {GAUGE_KIND, scope, PREFIX name, label, NULL, help},
#include "server/metrics.def"
};

/* ---- what was counted --------------------------------------------------- */

typedef struct series {
    char *model, *label;     /* as given; NULL: none */
    char *labels;            /* as on the page, without braces: model_name="a",reason="b" */
    double value;            /* histograms: the sum */
    uint64_t count, *counts; /* histograms: all samples, and those of each bucket alone */
} series;

typedef struct metric {
    series *series;
    size_t n, room;
} metric;

struct aimd_metrics {
    metric metrics[AIMD_N_METRICS];
    double start_time;
};

aimd_metrics *aimd_metrics_new(void)
{
    aimd_metrics *m = aim_calloc(1, sizeof *m);
    if (m)
        m->start_time = (double)time(NULL);
    return m;
}

static void free_series(series *s)
{
    aim_free(s->model);
    aim_free(s->label);
    aim_free(s->labels);
    aim_free(s->counts);
}

void aimd_metrics_free(aimd_metrics *m)
{
    for (int i = 0; m && i < AIMD_N_METRICS; i++) {
        for (size_t j = 0; j < m->metrics[i].n; j++)
            free_series(&m->metrics[i].series[j]);
        aim_free(m->metrics[i].series);
    }
    aim_free(m);
}

static char *format_labels(const row *r, const char *model, const char *label)
{
    aim_buf b = AIM_BUF_INIT;
    aim_buf_puts(&b, "");
    if (model)
        aimd__put_label(&b, "model_name", model);
    if (label && strcmp(r->label, "*") == 0)
        aim_buf_printf(&b, "%s%s", b.len ? "," : "", label);
    else if (label)
        aimd__put_label(&b, r->label, label);
    char *text = aim_buf_steal(&b, NULL);
    aim_buf_free(&b);
    return text;
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool init_series(series *s, const row *r, const char *model, const char *label)
{
    *s = (series){0};
    s->model = model ? aim_strdup(model) : NULL;
    s->label = label ? aim_strdup(label) : NULL;
    s->labels = format_labels(r, model, label);
    s->counts = r->buckets ? aim_calloc((size_t)r->buckets->n, sizeof *s->counts) : NULL;
    if ((!model || s->model) && (!label || s->label) && s->labels && (!r->buckets || s->counts))
        return true;
    free_series(s);
    return false;
}

/* The series of these labels, made if it is new; NULL when out of memory. */
static series *find(aimd_metrics *m, enum aimd_metric id, const char *model, const char *label)
{
    metric *x = &m->metrics[id];
    for (size_t i = 0; i < x->n; i++)
        if (same(x->series[i].model, model) && same(x->series[i].label, label))
            return &x->series[i];
    if (!aim_grow(&x->series, &x->room, x->n + 1, sizeof *x->series) ||
        !init_series(&x->series[x->n], &rows[id], model, label))
        return NULL;
    return &x->series[x->n++];
}

void aimd_metrics_add_model(aimd_metrics *m, const char *model)
{
    for (int i = 0; i < AIMD_N_METRICS; i++)
        if (rows[i].scope == MODEL && !*rows[i].label)
            find(m, (enum aimd_metric)i, model, NULL);
}

/* Drop the series of a model, the others stay in their order. */
static void remove_series(metric *x, const char *model)
{
    size_t kept = 0;
    for (size_t i = 0; i < x->n; i++) {
        if (same(x->series[i].model, model))
            free_series(&x->series[i]);
        else
            x->series[kept++] = x->series[i];
    }
    x->n = kept;
}

void aimd_metrics_remove_model(aimd_metrics *m, const char *model)
{
    for (int i = 0; i < AIMD_N_METRICS; i++)
        if (rows[i].scope == MODEL)
            remove_series(&m->metrics[i], model);
}

void aimd_count(aimd_metrics *m, enum aimd_metric id, const char *model, const char *label,
                double by)
{
    series *s = find(m, id, model, label);
    if (s)
        s->value += by;
}

void aimd_gauge_label(aimd_metrics *m, enum aimd_metric id, const char *model, const char *label,
                      double value)
{
    series *s = find(m, id, model, label);
    if (s)
        s->value = value;
}

void aimd_gauge(aimd_metrics *m, enum aimd_metric id, const char *model, double value)
{
    aimd_gauge_label(m, id, model, NULL, value);
}

void aimd_observe_label(aimd_metrics *m, enum aimd_metric id, const char *model, const char *label,
                        double value)
{
    const buckets *b = rows[id].buckets;
    series *s = find(m, id, model, label);
    if (!s || !b)
        return;
    int i = 0;
    while (i < b->n && value > b->bounds[i])
        i++;
    if (i < b->n)
        s->counts[i]++;
    s->count++;
    s->value += value;
}

void aimd_observe(aimd_metrics *m, enum aimd_metric id, const char *model, double value)
{
    aimd_observe_label(m, id, model, NULL, value);
}

/* ---- the page ----------------------------------------------------------- */

static void put_series(aim_buf *out, const row *r, const series *s)
{
    if (r->kind != HISTOGRAM_KIND) {
        aimd__put_sample(out, r->name, s->labels, s->value);
        return;
    }
    uint64_t below = 0;
    for (int i = 0; i < r->buckets->n; i++)
        aimd__put_bucket(out, r->name, s->labels, r->buckets->bounds[i], below += s->counts[i]);
    aimd__put_totals(out, r->name, s->labels, s->count, s->value);
}

static void put_counted(const aimd_metrics *m, aim_buf *out)
{
    for (int i = 0; i < AIMD_N_METRICS; i++) {
        aimd__put_head(out, rows[i].name, kind_names[rows[i].kind], rows[i].help);
        for (size_t j = 0; j < m->metrics[i].n; j++)
            put_series(out, &rows[i], &m->metrics[i].series[j]);
    }
}

static void put_process(const aimd_metrics *m, aim_buf *out)
{
    aimd_process_stats p = {.start_time = m->start_time};
    aimd_process_stats_read(&p);
#define INFO(name, labels, help)                                                                   \
    aimd__put_head(out, PREFIX name, "gauge", help);                                               \
    aimd__put_sample(out, PREFIX name, labels, 1);
#define PROCESS(name, type, field, help)                                                           \
    aimd__put_head(out, name, type, help);                                                         \
    aimd__put_sample(out, name, "", p.field);
#include "server/metrics.def"
}

void aimd_metrics_write(const aimd_metrics *m, const aimd_model_stats *models, int n_models,
                        aim_buf *out)
{
    put_counted(m, out);
    aimd__put_models(out, models, n_models);
    put_process(m, out);
}
