/* SPDX-License-Identifier: Apache-2.0 */
#include "server/json_out.h"

#include "server/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The value of a character of `len` bytes of valid UTF-8, as far as needed to
 * know it from the few that are escaped. */
static unsigned escaped_value(const char *s, size_t len)
{
    const unsigned char *u = (const unsigned char *)s;
    if (len == 1)
        return u[0] < 0x20 || u[0] == '"' || u[0] == '\\' || u[0] == 0x7F ? u[0] : 0x100;
    if (len == 2 && u[0] == 0xC2 && u[1] == 0x85)
        return 0x85;
    if (len == 3 && u[0] == 0xE2 && u[1] == 0x80 && (u[2] == 0xA8 || u[2] == 0xA9))
        return 0x2000u + (u[2] & 0x3F);
    return 0x100;
}

static void append_escape(aim_buf *out, unsigned value)
{
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (const char *p = letters; *p; p += 2) {
        if (value == (unsigned char)p[0]) {
            aim_buf_append(out, (char[]){'\\', p[1]}, 2);
            return;
        }
    }
    aim_buf_printf(out, "\\u%04x", value);
}

void aimd_json_escape(aim_buf *out, const char *s, size_t n)
{
    size_t done = 0; /* bytes of s already in out; what follows is copied in runs */
    for (size_t i = 0; i < n;) {
        bool valid;
        size_t len = aimd_utf8_next(s + i, n - i, &valid);
        unsigned value = valid ? escaped_value(s + i, len) : 0x100;
        if (!valid || value != 0x100) {
            aim_buf_append(out, s + done, i - done);
            if (valid)
                append_escape(out, value);
            else
                aim_buf_puts(out, "\xEF\xBF\xBD");
            done = i + len;
        }
        i += len;
    }
    if (n > done)
        aim_buf_append(out, s + done, n - done);
}

void aimd_json_string(aim_buf *out, const char *s, size_t n)
{
    aim_buf_puts(out, "\"");
    aimd_json_escape(out, s, n);
    aim_buf_puts(out, "\"");
}

void aimd_json_cstring(aim_buf *out, const char *s)
{
    if (s)
        aimd_json_string(out, s, strlen(s));
    else
        aim_buf_puts(out, "null");
}

void aimd_json_int(aim_buf *out, int64_t v)
{
    aim_buf_printf(out, "%lld", (long long)v);
}

/* Nine significant digits, as a float for clients that tell it from an integer. */
static void write_real(aim_buf *out, double v)
{
    char text[32];
    snprintf(text, sizeof text, "%.9g", v);
    aim_buf_puts(out, text);
    if (!strpbrk(text, ".e"))
        aim_buf_puts(out, ".0");
}

void aimd_json_number(aim_buf *out, double v)
{
    char text[32];
    if (!isfinite(v)) {
        aim_buf_puts(out, "null");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) { /* 17 name any */
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    aim_buf_puts(out, text);
}

void aimd_json_logprob(aim_buf *out, float v)
{
    write_real(out, isfinite(v) && v >= -9999.0f ? (double)v : -9999.0);
}

void aimd_json_score(aim_buf *out, double v)
{
    if (isfinite(v))
        write_real(out, v);
    else
        aim_buf_puts(out, "null");
}

void aimd_json_ids(aim_buf *out, const int32_t *ids, size_t n)
{
    aim_buf_puts(out, "[");
    for (size_t i = 0; i < n; i++)
        aim_buf_printf(out, i ? ",%d" : "%d", (int)ids[i]);
    aim_buf_puts(out, "]");
}

void aimd_json_error(aim_buf *out, const char *message, const char *type, const char *param,
                     const char *code)
{
    aim_buf_puts(out, "{\"error\":{\"message\":");
    aimd_json_cstring(out, message);
    aim_buf_puts(out, ",\"type\":");
    aimd_json_cstring(out, type);
    aim_buf_puts(out, ",\"param\":");
    aimd_json_cstring(out, param && *param ? param : NULL);
    aim_buf_puts(out, ",\"code\":");
    aimd_json_cstring(out, code);
    aim_buf_puts(out, "}}");
}
