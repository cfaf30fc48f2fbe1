/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h - figures out of the server's Prometheus page. */
#ifndef ACTL_METRICS_H
#define ACTL_METRICS_H

/* Over all label sets of a metric; 0 if the page has none, or what it has is no
 * number. */
double actl_metric_sum(const char *page, const char *name);
double actl_metric_max(const char *page, const char *name);

#endif
