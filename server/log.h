/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - structured lines on standard error or a file: text (logfmt) or JSON.
 * Any thread may log. With text on a terminal or under the journal one line is
 * one event; a <N> priority prefix is written when the journal reads us. */
#ifndef AIMD_LOG_H
#define AIMD_LOG_H

#include "base/error.h"

#include <stdint.h>

enum aimd_log_level { AIMD_LOG_ERROR, AIMD_LOG_WARNING, AIMD_LOG_INFO, AIMD_LOG_DEBUG };

/* file NULL: standard error. */
int aimd_log_open(const char *format, const char *level, const char *file, aim_error *err);
/* Could a log be written to this file? Nothing is made or changed. */
int aimd_log_check(const char *file, aim_error *err);
void aimd_log_reopen(void); /* on SIGHUP: after log rotation */
void aimd_log_close(void);

/* One field of a line. */
typedef struct aimd_field {
    const char *key;
    enum { AIMD_FIELD_END, AIMD_FIELD_STRING, AIMD_FIELD_INT, AIMD_FIELD_NUMBER } kind;
    const char *string;
    int64_t integer;
    double number;
} aimd_field;
#define AIMD_STR(k, v) ((aimd_field){.key = (k), .kind = AIMD_FIELD_STRING, .string = (v)})
#define AIMD_INT(k, v) ((aimd_field){.key = (k), .kind = AIMD_FIELD_INT, .integer = (v)})
#define AIMD_NUM(k, v) ((aimd_field){.key = (k), .kind = AIMD_FIELD_NUMBER, .number = (v)})

/* aimd_log(AIMD_LOG_INFO, "ready", AIMD_STR("model", id), AIMD_INT("port", p)); */
#define aimd_log(level, event, ...)                                                                \
    aimd_log_fields((level), (event),                                                              \
                    (const aimd_field[]){__VA_ARGS__ __VA_OPT__(, ){.kind = AIMD_FIELD_END}})
void aimd_log_fields(enum aimd_log_level level, const char *event, const aimd_field *fields);

#endif
