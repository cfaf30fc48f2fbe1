/* SPDX-License-Identifier: Apache-2.0 */
/* json_out.h - JSON written straight into a buffer: the one way numbers and
 * strings of responses are printed. Structure is
 * the caller's business, but for errors, which all routes answer alike. */
#ifndef AIMD_JSON_OUT_H
#define AIMD_JSON_OUT_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

/* The inside of a string, escaped. Bytes that are not UTF-8 become U+FFFD.
 * Control characters are escaped, and so are U+0085, U+2028 and U+2029, which
 * some clients take for the end of an event's line. */
void aimd_json_escape(aim_buf *out, const char *s, size_t n);
/* A whole string with quotes. */
void aimd_json_string(aim_buf *out, const char *s, size_t n);
/* A C string, or null if s is NULL. */
void aimd_json_cstring(aim_buf *out, const char *s);

void aimd_json_int(aim_buf *out, int64_t v);
/* A log-probability: nine significant digits, which name a float exactly.
 * JSON has no infinities; minus infinity (and NaN) becomes -9999.0. */
void aimd_json_logprob(aim_buf *out, float v);
/* The shortest decimal that names this double; null if it is not finite. */
void aimd_json_number(aim_buf *out, double v);
/* A score: nine significant digits likewise; null if there is none (NaN). */
void aimd_json_score(aim_buf *out, double v);
/* An error as OpenAI writes it: {"error":{"message","type","param","code"}};
 * param and code may be NULL, or param "", for null. */
void aimd_json_error(aim_buf *out, const char *message, const char *type, const char *param,
                     const char *code);
/* [1,2,3] */
void aimd_json_ids(aim_buf *out, const int32_t *ids, size_t n);

#endif
