/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "ctl/client.h"

#include "base/alloc.h"
#include "base/json.h"
#include "ctl/outcome.h"

#include <curl/curl.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    MAX_BODY = 8 << 20,     /* bytes of an answer */
    MAX_HEADERS = 64 << 10, /* bytes of its header lines */
    CONNECT_SECONDS = 10,
};

struct actl_client {
    CURL *curl;
    char *url; /* without a slash at its end */
    struct curl_slist *headers;
    long timeout_ms;
    const volatile sig_atomic_t *stop;
    char failure[CURL_ERROR_SIZE]; /* libcurl's text about the request */
};

/* What is collected of one answer. */
struct answer {
    aim_buf body;
    size_t header_bytes;
    bool too_large;
    long status;
};

/* ---- opening ------------------------------------------------------------- */

static int check_url(const char *url, aim_error *err)
{
    if (strchr(url, '@'))
        return aim_fail(err, AIM_EINVAL,
                        "the server's URL cannot hold a user name; keys have ways of their own");
    if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
        return aim_fail(err, AIM_EINVAL,
                        "the server's URL is '%s', must begin with http:// or "
                        "https://",
                        url);
    if (strpbrk(url, "?# \t\r\n"))
        return aim_fail(err, AIM_EINVAL, "the server's URL is '%s', must be an address alone", url);
    return 0;
}

__attribute__((format(printf, 2, 3))) static bool add_header(actl_client *c, const char *fmt, ...)
{
    char line[512];
    va_list ap;
    va_start(ap, fmt);
    int len = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    struct curl_slist *list =
        len < (int)sizeof line ? curl_slist_append(c->headers, line) : NULL; /* a copy */
    c->headers = list ? list : c->headers;
    return list;
}

/* Without an empty Expect libcurl would wait for permission to send a body. */
static bool add_headers(actl_client *c, const char *key)
{
    return add_header(c, "Content-Type: application/json") && add_header(c, "Expect:") &&
           (!key || add_header(c, "Authorization: Bearer %s", key));
}

int actl_client_open(const char *url, const char *key, double timeout,
                     const volatile sig_atomic_t *stop, actl_client **out, aim_error *err)
{
    if (check_url(url, err))
        return ACTL_USAGE;
    actl_client *c = aim_calloc(1, sizeof *c);
    size_t len = strlen(url);
    while (url[len - 1] == '/')
        len--;
    if (c && curl_global_init(CURL_GLOBAL_DEFAULT) == 0) {
        c->curl = curl_easy_init();
        c->url = aim_strndup(url, len);
        c->timeout_ms = lrint(fmin(fmax(timeout * 1000, 1), 1e9));
        c->stop = stop;
    }
    if (!c || !c->curl || !c->url || !add_headers(c, key)) {
        actl_client_close(c);
        aim_fail_nomem(err, "HTTP client");
        return ACTL_USAGE;
    }
    *out = c;
    return ACTL_OK;
}

void actl_client_close(actl_client *c)
{
    if (!c)
        return;
    curl_slist_free_all(c->headers);
    curl_easy_cleanup(c->curl);
    curl_global_cleanup();
    aim_free(c->url);
    aim_free(c);
}

const char *actl_client_url(const actl_client *c)
{
    return c->url;
}

/* ---- one exchange -------------------------------------------------------- */

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct answer *a = arg;
    a->too_large = n > MAX_BODY - a->body.len; /* size is 1, as libcurl promises */
    if (a->too_large)
        return 0;
    aim_buf_append(&a->body, bytes, n);
    return a->body.failed ? 0 : size * n;
}

static size_t on_header(char *bytes, size_t size, size_t n, void *arg)
{
    struct answer *a = arg;
    (void)bytes;
    a->header_bytes += n;
    a->too_large = a->header_bytes > MAX_HEADERS;
    return a->too_large ? 0 : size * n;
}

/* libcurl calls this about once a second, and when anything happens. */
static int on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up_now)
{
    const actl_client *c = arg;
    (void)total, (void)now, (void)up_total, (void)up_now;
    return *c->stop;
}

static void set_bounds(actl_client *c)
{
    curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c->curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(c->curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, c->timeout_ms);
    curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, c);
}

static void set_request(actl_client *c, const char *method, const char *url, const aim_buf *body,
                        struct answer *a)
{
    curl_easy_reset(c->curl); /* connections stay open */
    set_bounds(c);
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    curl_easy_setopt(c->curl, CURLOPT_USERAGENT, "analogctl/" PACKAGE_VERSION);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, c->headers);
    if (body) {
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body->data);
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
    }
    curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, a);
    curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, a);
    curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, c->failure);
    c->failure[0] = '\0';
}

static int explain(const actl_client *c, CURLcode code, const struct answer *a, aim_error *err)
{
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return ACTL_INTERRUPTED; /* whoever set *stop tells why */
    if (a->too_large)
        aim_fail(err, AIM_ETOOLARGE, "%s: the answer is too large", c->url);
    else if (a->body.failed || code == CURLE_OUT_OF_MEMORY)
        aim_fail_nomem(err, "answer");
    else if (code == CURLE_OPERATION_TIMEDOUT)
        aim_fail(err, AIM_EIO, "%s: no answer in time: %s", c->url, c->failure);
    else
        aim_fail(err, AIM_EIO, "cannot reach %s: %s", c->url,
                 c->failure[0] ? c->failure : curl_easy_strerror(code));
    return ACTL_UNREACHABLE;
}

/* Send and collect; a->body is the caller's, whatever is returned. */
static int exchange(actl_client *c, const char *method, const char *path, const aim_buf *body,
                    struct answer *a, aim_error *err)
{
    aim_buf url = AIM_BUF_INIT;
    aim_buf_printf(&url, "%s%s", c->url, path);
    *a = (struct answer){0};
    if (url.failed || (body && body->failed)) {
        aim_buf_free(&url);
        aim_fail_nomem(err, "request");
        return ACTL_USAGE;
    }
    set_request(c, method, url.data, body, a);
    CURLcode code = curl_easy_perform(c->curl);
    aim_buf_free(&url);
    if (code != CURLE_OK)
        return explain(c, code, a, err);
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &a->status);
    return ACTL_OK;
}

/* ---- answers ------------------------------------------------------------- */

/* {"error":{"message":...,"code":...}}; where it is not, that was no analogd. */
static int refusal(const actl_client *c, const struct answer *a, aim_error *err)
{
    const char *message = NULL, *code = NULL;
    json_t *doc = aim_json_parse(a->body.data ? a->body.data : "", a->body.len, 0, "answer", NULL);
    const json_t *error = json_object_get(doc, "error");
    aim_json_string(error, "message", false, "error", &message, NULL);
    aim_json_string(error, "code", false, "error", &code, NULL);
    if (message)
        aim_fail_param(err, AIM_EINVAL, code ? code : "", "%.400s (%.60s%sHTTP %ld)", message,
                       code ? code : "", code ? ", " : "", a->status);
    else
        aim_fail(err, AIM_EINVAL, "%s answers with HTTP status %ld, and not as an analogd", c->url,
                 a->status);
    int rc = message ? ACTL_REFUSED : ACTL_UNREACHABLE;
    json_decref(doc);
    return rc;
}

static int answered(const actl_client *c, const struct answer *a, aim_error *err)
{
    return a->status >= 200 && a->status < 300 ? ACTL_OK : refusal(c, a, err);
}

static int parse(const actl_client *c, const struct answer *a, json_t **answer, aim_error *err)
{
    *answer = aim_json_parse(a->body.data ? a->body.data : "", a->body.len, 0, c->url, err);
    if (json_is_object(*answer))
        return ACTL_OK;
    json_decref(*answer);
    *answer = NULL;
    aim_fail(err, AIM_EFORMAT, "%s: the answer is not an object", c->url);
    return ACTL_UNREACHABLE;
}

static int append(const char *bytes, size_t n, void *arg)
{
    aim_buf *b = arg;
    aim_buf_append(b, bytes, n);
    return b->failed ? -1 : 0;
}

int actl_call(actl_client *c, const char *method, const char *path, const json_t *body,
              json_t **answer, aim_error *err)
{
    aim_buf text = AIM_BUF_INIT;
    struct answer a;
    *answer = NULL;
    if (body && json_dump_callback(body, append, &text, JSON_COMPACT) != 0)
        text.failed = true;
    int rc = exchange(c, method, path, body ? &text : NULL, &a, err);
    if (rc == ACTL_OK)
        rc = answered(c, &a, err);
    if (rc == ACTL_OK)
        rc = parse(c, &a, answer, err);
    aim_buf_free(&a.body);
    aim_buf_free(&text);
    return rc;
}

int actl_fetch(actl_client *c, const char *path, aim_buf *text, aim_error *err)
{
    struct answer a;
    int rc = exchange(c, "GET", path, NULL, &a, err);
    if (rc == ACTL_OK)
        rc = answered(c, &a, err);
    if (rc == ACTL_OK)
        aim_buf_append(text, a.body.data, a.body.len);
    aim_buf_free(&a.body);
    return rc;
}
