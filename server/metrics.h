/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h - the Prometheus metrics of the daemon. metrics.def holds one row
 * a metric and is the source of docs/metrics.md. Loop thread only. */
#ifndef AIMD_METRICS_H
#define AIMD_METRICS_H

#include "base/buf.h"
#include "engine/engine.h"

#include <stdint.h>

/* Metrics that are counted as things happen, in the order of metrics.def. */
enum aimd_metric {
#define COUNTER(id, name, scope, label, help) AIMD_M_##id,
#define HISTOGRAM(id, name, scope, label, buckets, help) AIMD_M_##id,
#define GAUGE(id, name, scope, label, help) AIMD_M_##id,
#include "server/metrics.def"
    AIMD_N_METRICS
};

typedef struct aimd_metrics aimd_metrics;
aimd_metrics *aimd_metrics_new(void);
void aimd_metrics_free(aimd_metrics *m);

/* Show every per-model metric of this model from now on, at zero until counted. */
void aimd_metrics_add_model(aimd_metrics *m, const char *model);
/* Forget all of a model that is gone. */
void aimd_metrics_remove_model(aimd_metrics *m, const char *model);

/* model: the served id for per-model metrics, NULL for daemon-wide ones.
 * label: the value of the metric's own label (finished_reason, reason, ...),
 * NULL if it has none; for a metric whose label is "*", the whole list of
 * labels as it stands on the page (method="GET",status="200"). Label values
 * are made by us, never by clients. Out of memory the sample is dropped. */
void aimd_count(aimd_metrics *m, enum aimd_metric id, const char *model, const char *label,
                double by);
void aimd_observe(aimd_metrics *m, enum aimd_metric id, const char *model, double value);
void aimd_observe_label(aimd_metrics *m, enum aimd_metric id, const char *model, const char *label,
                        double value);
void aimd_gauge(aimd_metrics *m, enum aimd_metric id, const char *model, double value);
void aimd_gauge_label(aimd_metrics *m, enum aimd_metric id, const char *model, const char *label,
                      double value);

/* One served model's figures, read when /metrics is asked for. */
typedef struct aimd_model_stats {
    const char *model;
    aim_engine_stats stats;
    const aim_chip *chip; /* NULL: digital */
    aim_chip_cost cost;   /* of the chip, for all rows of the engine */
} aimd_model_stats;

/* The page in Prometheus text format 0.0.4. */
void aimd_metrics_write(const aimd_metrics *m, const aimd_model_stats *models, int n_models,
                        aim_buf *out);

#endif
