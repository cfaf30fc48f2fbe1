/* SPDX-License-Identifier: Apache-2.0 */
/* metrics_text.h - the lines of the Prometheus text format. Labels are given as they
 * stand between the braces, and may be "". */
#ifndef AIMD_METRICS_TEXT_H
#define AIMD_METRICS_TEXT_H

#include "server/metrics.h"

#define AIMD_METRICS_PREFIX "analogd_"

/* Append name="value" with the three escapes the format knows, and a comma in front
 * unless it is the first. */
void aimd__put_label(aim_buf *labels, const char *name, const char *value);

/* What a metric is called, and what it means. */
void aimd__put_head(aim_buf *out, const char *name, const char *type, const char *help);
void aimd__put_sample(aim_buf *out, const char *name, const char *labels, double value);

/* A histogram: its buckets by rising bound with what is at or below it, then the rest. */
void aimd__put_bucket(aim_buf *out, const char *name, const char *labels, double bound,
                      uint64_t count);
void aimd__put_totals(aim_buf *out, const char *name, const char *labels, uint64_t count,
                      double sum);

/* What is read from models when the page is asked for (metrics_models.c). */
void aimd__put_models(aim_buf *out, const aimd_model_stats *models, int n_models);

#endif
