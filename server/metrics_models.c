/* SPDX-License-Identifier: Apache-2.0 */
/* metrics_models.c - the part of the page that is read from engines and chips. */
#include "base/alloc.h"
#include "server/metrics_text.h"

#include <stdio.h>

#define PREFIX AIMD_METRICS_PREFIX

/* ---- one number a model ------------------------------------------------- */

static double ratio(int part, int whole)
{
    return whole > 0 ? (double)part / whole : 0;
}

/* One function a row of ENGINE and CHIP, named after its line. */
typedef double model_figure(const aimd_model_stats *m);
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define ENGINE(name, type, value, help)                                                            \
    static double PASTE(figure_, __LINE__)(const aimd_model_stats *m)                              \
    {                                                                                              \
        const aim_engine_stats *s = &m->stats;                                                     \
        return (double)(value);                                                                    \
    }
#define CHIP(name, type, value, help)                                                              \
    static double PASTE(figure_, __LINE__)(const aimd_model_stats *m)                              \
    {                                                                                              \
        return (double)(value);                                                                    \
    }
#include "server/metrics.def"

typedef struct model_row {
    const char *name, *type, *help;
    bool of_chips; /* digital models have no such figure */
    model_figure *figure;
} model_row;

static const model_row model_rows[] = {
#define ENGINE(name, type, value, help) {PREFIX name, type, help, false, PASTE(figure_, __LINE__)},
#define CHIP(name, type, value, help) {PREFIX name, type, help, true, PASTE(figure_, __LINE__)},
#include "server/metrics.def"
};
enum { N_MODEL_ROWS = sizeof model_rows / sizeof model_rows[0] };

/* labels: model_name="...", of each model. */
static void put_row(aim_buf *out, const model_row *r, const aimd_model_stats *models,
                    const aim_buf *labels, int n_models)
{
    aimd__put_head(out, r->name, r->type, r->help);
    for (int i = 0; i < n_models; i++)
        if (models[i].chip || !r->of_chips)
            aimd__put_sample(out, r->name, labels[i].data, r->figure(&models[i]));
}

/* ---- the others --------------------------------------------------------- */

/* The engine counts steps by powers of two; the page has vLLM's bounds, all of
 * which are among them. */
static void put_steps(aim_buf *out, const char *name, const char *labels, const aim_engine_stats *s)
{
    static const int bounds[] = {1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384};
    uint64_t below = 0;
    int bucket = 0;
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        while (bucket < AIM_BATCH_BUCKETS && 1 << bucket <= bounds[i])
            below += s->step_rows[bucket++];
        aimd__put_bucket(out, name, labels, bounds[i], below);
    }
    aimd__put_totals(out, name, labels, s->steps, s->step_rows_sum);
}

static void put_chip_info(aim_buf *out, const char *name, const char *model_label,
                          const aim_chip *chip)
{
    char seed[24], bits[16];
    aim_buf labels = AIM_BUF_INIT;
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)chip->seed);
    snprintf(bits, sizeof bits, "%d", chip->profile.conductance_bits);
    aim_buf_puts(&labels, model_label);
    aimd__put_label(&labels, "profile", chip->profile.name);
    aimd__put_label(&labels, "seed", seed);
    aimd__put_label(&labels, "conductance_bits", bits);
    if (labels.failed)
        out->failed = true;
    else
        aimd__put_sample(out, name, labels.data, 1);
    aim_buf_free(&labels);
}

static void put_all(aim_buf *out, const aimd_model_stats *models, const aim_buf *labels,
                    int n_models)
{
    for (int i = 0; i < N_MODEL_ROWS; i++)
        put_row(out, &model_rows[i], models, labels, n_models);
#define STEPS(name, help)                                                                          \
    aimd__put_head(out, PREFIX name, "histogram", help);                                           \
    for (int i = 0; i < n_models; i++)                                                             \
        put_steps(out, PREFIX name, labels[i].data, &models[i].stats);
#define CHIP_INFO(name, labels_, help)                                                             \
    aimd__put_head(out, PREFIX name, "gauge", help);                                               \
    for (int i = 0; i < n_models; i++)                                                             \
        if (models[i].chip)                                                                        \
            put_chip_info(out, PREFIX name, labels[i].data, models[i].chip);
#include "server/metrics.def"
}

void aimd__put_models(aim_buf *out, const aimd_model_stats *models, int n_models)
{
    aim_buf *labels = aim_calloc((size_t)n_models + 1, sizeof *labels);
    bool whole = labels;
    for (int i = 0; whole && i < n_models; i++) {
        aimd__put_label(&labels[i], "model_name", models[i].model);
        whole = !labels[i].failed;
    }
    if (whole)
        put_all(out, models, labels, n_models);
    else
        out->failed = true;
    for (int i = 0; labels && i < n_models; i++)
        aim_buf_free(&labels[i]);
    aim_free(labels);
}
