/* SPDX-License-Identifier: Apache-2.0 */
/* error.h - a return code for control flow, a text for the human.
 *
 * Functions that can fail return 0 or an enum aim_code (pointers: NULL) and
 * take an aim_error. The first failure wins: a later one never overwrites the
 * text of the cause. Low layers report facts in the caller's words (file,
 * field, value, reason); only server/ decides on log level and HTTP answer. */
#ifndef AIM_BASE_ERROR_H
#define AIM_BASE_ERROR_H

/* code, HTTP status, OpenAI error type */
#define AIM_CODES(X)                                                           \
    X(EINVAL, 400, "invalid_request_error")      /* the request is wrong */    \
    X(EUNSUPPORTED, 400, "invalid_request_error") /* legal, but not done here */ \
    X(ECONTEXT, 400, "invalid_request_error")    /* longer than the context */ \
    X(ENOTFOUND, 404, "invalid_request_error")   /* no such model or file */   \
    X(ECONFLICT, 409, "invalid_request_error")   /* as things stand, not now */ \
    X(ETOOLARGE, 413, "invalid_request_error")   /* over a size cap */         \
    X(EBUSY, 429, "rate_limit_error")            /* the queue is full */       \
    X(EUNAVAILABLE, 503, "unavailable_error")    /* loading, draining */       \
    X(ENOMEM, 503, "server_error")               /* out of memory */           \
    X(EIO, 500, "server_error")                  /* the system refused */      \
    X(EFORMAT, 500, "server_error")              /* a file breaks its format */\
    X(ECANCELED, 499, "server_error")            /* the client went away */    \
    X(EINTERNAL, 500, "server_error")            /* our own bug */

enum aim_code {
    AIM_OK,
#define X(code, http, type) AIM_##code,
    AIM_CODES(X)
#undef X
};

typedef struct aim_error {
    enum aim_code code;
    char param[64];  /* the request field or file field at fault, or "" */
    char text[512];
} aim_error;

/* Record a failure unless err (may be NULL) holds one already; returns code,
 * so that `return aim_fail(err, AIM_EIO, ...)` reads well. */
int aim_fail(aim_error *err, enum aim_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As aim_fail, and names the field at fault. */
int aim_fail_param(aim_error *err, enum aim_code code, const char *param, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* "out of memory: what". */
int aim_fail_nomem(aim_error *err, const char *what);

const char *aim_code_name(enum aim_code code);
int aim_code_http_status(enum aim_code code);
const char *aim_code_openai_type(enum aim_code code);

#endif
