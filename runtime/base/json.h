/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - jansson under a byte budget, and typed access with errors that name
 * file, field and reason.
 *
 * A hostile document can take 48 times its size on the heap, so every parse
 * runs under a budget for the calling thread. A json_t must be freed on the
 * thread that parsed it. */
#ifndef AIM_BASE_JSON_H
#define AIM_BASE_JSON_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Install the counting allocator; call once at the start of main, before any
 * other jansson call. */
void aim_json_init(void);

/* Parse one document (objects and arrays; duplicate keys refused). what names
 * it in errors ("config.json", "request body"). budget 0 means
 * 8 MiB + 6 * len. The caller owns the result (json_decref). Errors:
 * AIM_EFORMAT for bad text (with line and column), AIM_ETOOLARGE over budget. */
json_t *aim_json_parse(const char *bytes, size_t len, size_t budget, const char *what,
                       aim_error *err);

/* The same under the usual budget, with every integer as a real: for documents in
 * which integers beyond 64 bits stand where nobody reads them. */
json_t *aim_json_parse_as_reals(const char *bytes, size_t len, const char *what, aim_error *err);

/* Read and parse a regular file of at most max_bytes; ENOTFOUND if absent. */
json_t *aim_json_load(const char *path, size_t max_bytes, aim_error *err);

/* Typed fields of an object. A missing or null field leaves *out as it is
 * (so preset the default) unless required. Integers must be JSON integers
 * within [lo, hi]; numbers may be integers or reals, finite, within [lo, hi].
 * Errors: AIM_EFORMAT, "what: key ...". */
int aim_json_int(const json_t *obj, const char *key, int64_t lo, int64_t hi, bool required,
                 const char *what, int64_t *out, aim_error *err);
int aim_json_number(const json_t *obj, const char *key, double lo, double hi, bool required,
                    const char *what, double *out, aim_error *err);
int aim_json_bool(const json_t *obj, const char *key, bool required, const char *what, bool *out,
                  aim_error *err);
/* Borrowed string, valid as long as obj. */
int aim_json_string(const json_t *obj, const char *key, bool required, const char *what,
                    const char **out, aim_error *err);

#endif
