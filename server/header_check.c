/* SPDX-License-Identifier: Apache-2.0 */
#include "server/header_check.h"

#include <string.h>
#include <strings.h>

enum { LENGTH_DIGITS = 18, ID_BYTES = 128 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_visible(char c)
{
    return c > ' ' && c < 0x7f;
}

/* ---- headers ------------------------------------------------------------- */

/* The first reason wins, except that a framing error outranks anything that
 * would let the connection live on. */
static void refuse(aimd_header_check *c, int status, const char *why)
{
    if (c->status == 0 || (c->status != 400 && status == 400)) {
        c->status = status;
        c->why = why;
    }
}

/* RFC 9110: a header name is a token. */
static bool is_token(const char *s, size_t len)
{
    static const char separators[] = "\"(),/:;<=>?@[\\]{}";
    for (size_t i = 0; i < len; i++)
        if (!is_visible(s[i]) || strchr(separators, s[i]))
            return false;
    return len > 0;
}

static bool has_control(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f)
            return true;
    return false;
}

static bool equals(const char *s, size_t len, const char *word)
{
    return len == strlen(word) && strncasecmp(s, word, len) == 0;
}

static void add_host(aimd_header_check *c, const char *value, size_t len)
{
    (void)len;
    c->host = value;
    if (++c->hosts > 1)
        refuse(c, 400, "more than one Host header");
}

static void add_length(aimd_header_check *c, const char *value, size_t len)
{
    if (++c->lengths > 1)
        refuse(c, 400, "more than one Content-Length header");
    if (len == 0 || len > LENGTH_DIGITS) {
        refuse(c, 400, "Content-Length must have 1 to 18 digits");
        return;
    }
    c->length = 0;
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(value[i])) {
            refuse(c, 400, "Content-Length must hold digits only");
            return;
        }
        c->length = c->length * 10 + (uint64_t)(value[i] - '0');
    }
}

static void add_transfer_encoding(aimd_header_check *c, const char *value, size_t len)
{
    c->chunked = true;
    if (++c->encodings > 1)
        refuse(c, 400, "more than one Transfer-Encoding header");
    if (!equals(value, len, "chunked"))
        refuse(c, 400, "Transfer-Encoding must be chunked");
}

/* A compressed body would have to be unpacked under a cap; none is accepted. */
static void add_content_encoding(aimd_header_check *c, const char *value, size_t len)
{
    if (!equals(value, len, "identity"))
        refuse(c, 415, "Content-Encoding must be identity");
}

static void add_expect(aimd_header_check *c, const char *value, size_t len)
{
    if (equals(value, len, "100-continue"))
        c->expects_continue = true;
}

static const struct {
    const char *name;
    void (*add)(aimd_header_check *c, const char *value, size_t len);
} rules[] = {
    {"Host", add_host},
    {"Content-Length", add_length},
    {"Transfer-Encoding", add_transfer_encoding},
    {"Content-Encoding", add_content_encoding},
    {"Expect", add_expect},
};

void aimd_header_check_add(aimd_header_check *c, const char *name, size_t name_len,
                           const char *value, size_t value_len)
{
    if (!is_token(name, name_len)) {
        refuse(c, 400, "a header name holds a character that is not allowed there");
        return;
    }
    if (has_control(value, value_len))
        refuse(c, 400, "a header value holds a control character");
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (equals(name, name_len, rules[i].name))
            rules[i].add(c, value, value_len);
}

int aimd_header_check_end(aimd_header_check *c, const char *version)
{
    bool old = strcmp(version, "HTTP/1.0") == 0;
    if (c->lengths && c->encodings)
        refuse(c, 400, "both Content-Length and Transfer-Encoding");
    if (old && c->encodings)
        refuse(c, 400, "HTTP/1.0 has no Transfer-Encoding");
    if (!old && c->hosts == 0)
        refuse(c, 400, "no Host header");
    return c->status;
}

/* ---- Host ---------------------------------------------------------------- */

/* Length of the name part of name[:port] or [v6][:port]; 0 if malformed. */
static size_t host_name_len(const char *host)
{
    size_t n = host[0] == '[' ? strcspn(host, "]") : strcspn(host, ":");
    if (host[0] == '[' && host[n++] != ']')
        return 0;
    const char *p = host + n;
    if (*p == '\0')
        return n;
    if (*p++ != ':')
        return 0;
    while (is_digit(*p))
        p++;
    return *p == '\0' ? n : 0;
}

bool aimd_host_allowed(const char *host, const char *const *allowed)
{
    static const char *const loopback[] = {"localhost", "127.0.0.1", "[::1]"};
    size_t n = host_name_len(host);
    if (n == 0)
        return false;
    for (size_t i = 0; i < sizeof loopback / sizeof loopback[0]; i++)
        if (equals(host, n, loopback[i]))
            return true;
    for (; allowed && *allowed; allowed++)
        if (strcmp(*allowed, "*") == 0 || strcasecmp(*allowed, host) == 0 ||
            equals(host, n, *allowed))
            return true;
    return false;
}

/* ---- path and request id ------------------------------------------------- */

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool aimd_path_decode(const char *raw, char *out)
{
    if (raw[0] != '/')
        return false;
    while (*raw) {
        char c = *raw++;
        if (c == '%') {
            int high = hex_value(raw[0]), low = high < 0 ? -1 : hex_value(raw[1]);
            if (low < 0)
                return false;
            c = (char)(high * 16 + low);
            raw += 2;
        }
        if ((unsigned char)c < ' ' || c == 0x7f)
            return false;
        *out++ = c;
    }
    *out = '\0';
    return true;
}

bool aimd_request_id_ok(const char *id)
{
    size_t n = 0;
    while (n <= ID_BYTES && is_visible(id[n]))
        n++;
    return n > 0 && n <= ID_BYTES && id[n] == '\0';
}
