/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics_text.h"

void aimd__put_label(aim_buf *b, const char *name, const char *value)
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

void aimd__put_head(aim_buf *out, const char *name, const char *type, const char *help)
{
    aim_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void aimd__put_sample(aim_buf *out, const char *name, const char *labels, double value)
{
    bool any = *labels;
    aim_buf_printf(out, "%s%s%s%s %.15g\n", name, any ? "{" : "", labels, any ? "}" : "", value);
}

void aimd__put_bucket(aim_buf *out, const char *name, const char *labels, double bound,
                      uint64_t count)
{
    aim_buf_printf(out, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, labels, *labels ? "," : "", bound,
                   (unsigned long long)count);
}

void aimd__put_totals(aim_buf *out, const char *name, const char *labels, uint64_t count,
                      double sum)
{
    const char *open = *labels ? "{" : "", *close = *labels ? "}" : "";
    unsigned long long n = count;
    aim_buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, labels, *labels ? "," : "", n);
    aim_buf_printf(out, "%s_sum%s%s%s %.15g\n", name, open, labels, close, sum);
    aim_buf_printf(out, "%s_count%s%s%s %llu\n", name, open, labels, close, n);
}
