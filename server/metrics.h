/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h - the Prometheus metrics of the daemon. metrics.def holds one row
 * a metric: name, type, label, buckets, help. Loop thread only. */
#ifndef AIMD_METRICS_H
#define AIMD_METRICS_H

#include "base/buf.h"
#include "engine/engine.h"

#include <stdint.h>

/* Metrics that are counted as things happen, in the order of metrics.def. */
enum aimd_metric {
#define COUNTER(id, name, label, help) AIMD_M_##id,
#define HISTOGRAM(id, name, buckets, help) AIMD_M_##id,
#define GAUGE(id, name, help) AIMD_M_##id,
#include "metrics.def"
#undef COUNTER
#undef HISTOGRAM
#undef GAUGE
    AIMD_N_METRICS
};

typedef struct aimd_metrics aimd_metrics;
aimd_metrics *aimd_metrics_new(void);
void aimd_metrics_free(aimd_metrics *m);

/* model: the served id for per-model metrics, NULL for daemon-wide ones.
 * label: the value of the metric's own label (finished_reason, reason, ...),
 * NULL if it has none. Label values are made by us, never by clients. */
void aimd_count(aimd_metrics *m, enum aimd_metric id, const char *model, const char *label,
                double by);
void aimd_observe(aimd_metrics *m, enum aimd_metric id, const char *model, double value);
void aimd_gauge(aimd_metrics *m, enum aimd_metric id, const char *model, double value);

/* One served model's engine figures, read when /metrics is asked for. */
typedef struct aimd_model_stats {
    const char *model;
    aim_engine_stats stats;
} aimd_model_stats;

/* The page in Prometheus text format 0.0.4. */
void aimd_metrics_write(const aimd_metrics *m, const aimd_model_stats *models, int n_models,
                        aim_buf *out);

#endif
