/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *name, *type;
    int http;
} codes[] = {[AIM_OK] = {"OK", "", 200},
#define X(code, status, kind) [AIM_##code] = {#code, kind, status},
             AIM_CODES(X)
#undef X
};

__attribute__((format(printf, 4, 0))) static void
record(aim_error *err, enum aim_code code, const char *param, const char *fmt, va_list ap)
{
    if (!err || err->code != AIM_OK)
        return;
    err->code = code;
    snprintf(err->param, sizeof err->param, "%s", param);
    vsnprintf(err->text, sizeof err->text, fmt, ap);
}

int aim_fail(aim_error *err, enum aim_code code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    record(err, code, "", fmt, ap);
    va_end(ap);
    return (int)code;
}

int aim_fail_param(aim_error *err, enum aim_code code, const char *param, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    record(err, code, param, fmt, ap);
    va_end(ap);
    return (int)code;
}

int aim_fail_nomem(aim_error *err, const char *what)
{
    return aim_fail(err, AIM_ENOMEM, "out of memory: %s", what);
}

const char *aim_code_name(enum aim_code code)
{
    return codes[code].name;
}

int aim_code_http_status(enum aim_code code)
{
    return codes[code].http;
}

const char *aim_code_openai_type(enum aim_code code)
{
    return codes[code].type;
}
