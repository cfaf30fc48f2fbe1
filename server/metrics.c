/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c - counting, and the page in Prometheus text format.
 *
 * A metric is a list of series, one for each set of labels seen. There are few,
 * so they are searched in order. */
#include "config.h"

#include "server/metrics.h"

#include "base/alloc.h"
#include "server/process_stats.h"

#include <string.h>
#include <time.h>

#define PREFIX "analogd_"

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
BUCKETS(STEP_ROWS, 1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384);
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
#define GAUGE(id, name, scope, help) {GAUGE_KIND, scope, PREFIX name, "", NULL, help},
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

/* name="value" with the three escapes the format knows. */
static void put_label(aim_buf *b, const char *name, const char *value)
{
    aim_buf_printf(b, "%s%s=\"", b->len ? "," : "", name);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            aim_buf_puts(b, "\\");
        if (*value == '\n')
            aim_buf_puts(b, "\\n");
        else
            aim_buf_append(b, value, 1);
    }
    aim_buf_puts(b, "\"");
}

static char *format_labels(const row *r, const char *model, const char *label)
{
    aim_buf b = AIM_BUF_INIT;
    aim_buf_puts(&b, "");
    if (model)
        put_label(&b, "model_name", model);
    if (label && strcmp(r->label, "*") == 0)
        aim_buf_printf(&b, "%s%s", b.len ? "," : "", label);
    else if (label)
        put_label(&b, r->label, label);
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

void aimd_count(aimd_metrics *m, enum aimd_metric id, const char *model, const char *label,
                double by)
{
    series *s = find(m, id, model, label);
    if (s)
        s->value += by;
}

void aimd_gauge(aimd_metrics *m, enum aimd_metric id, const char *model, double value)
{
    series *s = find(m, id, model, NULL);
    if (s)
        s->value = value;
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

static void put_head(aim_buf *out, const char *name, const char *type, const char *help)
{
    aim_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* One sample; labels may be "". */
static void put_sample(aim_buf *out, const char *name, const char *labels, double value)
{
    bool any = *labels;
    aim_buf_printf(out, "%s%s%s%s %.15g\n", name, any ? "{" : "", labels, any ? "}" : "", value);
}

static void put_bucket(aim_buf *out, const char *name, const char *labels, double bound,
                       uint64_t count)
{
    aim_buf_printf(out, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, labels, *labels ? "," : "", bound,
                   (unsigned long long)count);
}

/* Everything of a histogram but the bounded buckets. */
static void put_totals(aim_buf *out, const char *name, const char *labels, uint64_t count,
                       double sum)
{
    const char *open = *labels ? "{" : "", *close = *labels ? "}" : "";
    unsigned long long n = count;
    aim_buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, labels, *labels ? "," : "", n);
    aim_buf_printf(out, "%s_sum%s%s%s %.15g\n", name, open, labels, close, sum);
    aim_buf_printf(out, "%s_count%s%s%s %llu\n", name, open, labels, close, n);
}

static void put_series(aim_buf *out, const row *r, const series *s)
{
    if (r->kind != HISTOGRAM_KIND) {
        put_sample(out, r->name, s->labels, s->value);
        return;
    }
    uint64_t below = 0;
    for (int i = 0; i < r->buckets->n; i++)
        put_bucket(out, r->name, s->labels, r->buckets->bounds[i], below += s->counts[i]);
    put_totals(out, r->name, s->labels, s->count, s->value);
}

static void put_counted(const aimd_metrics *m, aim_buf *out)
{
    for (int i = 0; i < AIMD_N_METRICS; i++) {
        put_head(out, rows[i].name, kind_names[rows[i].kind], rows[i].help);
        for (size_t j = 0; j < m->metrics[i].n; j++)
            put_series(out, &rows[i], &m->metrics[i].series[j]);
    }
}

static double ratio(int part, int whole)
{
    return whole > 0 ? (double)part / whole : 0;
}

/* One function a row of ENGINE, named after its line. */
typedef double engine_figure(const aim_engine_stats *s);
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define ENGINE(name, type, value, help)                                                            \
    static double PASTE(figure_, __LINE__)(const aim_engine_stats *s)                              \
    {                                                                                              \
        return (double)(value);                                                                    \
    }
#include "server/metrics.def"

static const struct {
    const char *name, *type, *help;
    engine_figure *figure;
} engine_rows[] = {
#define ENGINE(name, type, value, help) {PREFIX name, type, help, PASTE(figure_, __LINE__)},
#include "server/metrics.def"
};
enum { N_ENGINE_ROWS = sizeof engine_rows / sizeof engine_rows[0] };

/* The model_name label of each engine, NULL where memory ran out. */
static void put_engine_row(aim_buf *out, int i, const aimd_model_stats *models, char *const *labels,
                           int n_models)
{
    put_head(out, engine_rows[i].name, engine_rows[i].type, engine_rows[i].help);
    for (int k = 0; k < n_models; k++)
        put_sample(out, engine_rows[i].name, labels[k], engine_rows[i].figure(&models[k].stats));
}

/* The engine counts steps by powers of two; the page has vLLM's bounds, all of
 * which are among them. */
static void put_steps(aim_buf *out, const char *name, const char *labels, const aim_engine_stats *s)
{
    uint64_t below = 0;
    int bucket = 0;
    for (int i = 0; i < STEP_ROWS.n; i++) {
        while (bucket < AIM_BATCH_BUCKETS && (double)(1 << bucket) <= STEP_ROWS.bounds[i])
            below += s->step_rows[bucket++];
        put_bucket(out, name, labels, STEP_ROWS.bounds[i], below);
    }
    put_totals(out, name, labels, s->steps, s->step_rows_sum);
}

static void put_engines(aim_buf *out, const aimd_model_stats *models, char *const *labels,
                        int n_models)
{
    for (int i = 0; i < N_ENGINE_ROWS; i++)
        put_engine_row(out, i, models, labels, n_models);
#define STEPS(name, help)                                                                          \
    put_head(out, PREFIX name, "histogram", help);                                                 \
    for (int k = 0; k < n_models; k++)                                                             \
        put_steps(out, PREFIX name, labels[k], &models[k].stats);
#include "server/metrics.def"
}

static void put_models(aim_buf *out, const aimd_model_stats *models, int n_models)
{
    static const row by_model = {.label = ""};
    char **labels = aim_calloc((size_t)n_models + 1, sizeof *labels);
    bool whole = labels;
    for (int i = 0; whole && i < n_models; i++)
        whole = (labels[i] = format_labels(&by_model, models[i].model, NULL)) != NULL;
    if (whole)
        put_engines(out, models, labels, n_models);
    else
        out->failed = true;
    for (int i = 0; labels && i < n_models; i++)
        aim_free(labels[i]);
    aim_free(labels);
}

static void put_process(const aimd_metrics *m, aim_buf *out)
{
    aimd_process_stats p = {.start_time = m->start_time};
    aimd_process_stats_read(&p);
#define INFO(name, labels, help)                                                                   \
    put_head(out, PREFIX name, "gauge", help);                                                     \
    put_sample(out, PREFIX name, labels, 1);
#define PROCESS(name, type, field, help)                                                           \
    put_head(out, name, type, help);                                                               \
    put_sample(out, name, "", p.field);
#include "server/metrics.def"
}

void aimd_metrics_write(const aimd_metrics *m, const aimd_model_stats *models, int n_models,
                        aim_buf *out)
{
    put_counted(m, out);
    put_models(out, models, n_models);
    put_process(m, out);
}
