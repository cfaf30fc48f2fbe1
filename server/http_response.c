/* SPDX-License-Identifier: Apache-2.0 */
/* Whole responses, and errors in OpenAI's shape. */
#include "server/http_private.h"

#include "base/alloc.h"
#include "server/json_out.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A body up to this size goes out with its header in one system call. A larger
 * one is handed on in blocks, so that a client that takes nothing for
 * send_timeout can be told from one that is slow. */
enum { BLOCK_BYTES = 16 * 1024 };

/* Seconds after which a refused client should come back. Clients honour 1..60
 * and take a longer one for "never". */
enum { RETRY_BUSY = 1, RETRY_UNAVAILABLE = 5 };

void aimd_exchange_add_header(aimd_exchange *x, const char *name, const char *value)
{
    if (!aimd__may_answer(x) || x->n_headers == AIMD__MAX_HEADERS)
        return;
    char *n = aim_strdup(name), *v = aim_strdup(value);
    if (!n || !v) {
        aim_free(n);
        aim_free(v);
        return;
    }
    x->headers[x->n_headers].name = n;
    x->headers[x->n_headers++].value = v;
}

static bool has_header(const aimd_exchange *x, const char *name)
{
    for (size_t i = 0; i < x->n_headers; i++)
        if (strcasecmp(x->headers[i].name, name) == 0)
            return true;
    return false;
}

bool aimd__may_answer(const aimd_exchange *x)
{
    return !x->answered && !x->cancelled && x->connection;
}

/* A connection whose framing is in doubt must not carry another request, and
 * while draining clients shall find their way elsewhere. */
static bool closes(const aimd_exchange *x)
{
    return x->check.status == 400 || x->connection->http->quiesced;
}

void aimd__answer(aimd_exchange *x, int status, struct MHD_Response *response)
{
    if (!response) {
        aimd__exchange_cancel(x);
        return;
    }
    for (size_t i = 0; i < x->n_headers; i++)
        MHD_add_response_header(response, x->headers[i].name, x->headers[i].value);
    MHD_add_response_header(response, "x-request-id", x->id);
    if (closes(x) && !has_header(x, MHD_HTTP_HEADER_CONNECTION))
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    x->response = response;
    x->answered = true;
    x->status = status;
    aimd__exchange_wake(x);
}

size_t aimd__take_out(aimd_exchange *x, char *bytes, size_t max)
{
    size_t n = x->out.len - x->out_read;
    if (n > max)
        n = max;
    memcpy(bytes, x->out.data + x->out_read, n);
    x->out_read += n;
    x->bytes_sent += n;
    if (x->out_read == x->out.len) {
        aim_buf_clear(&x->out);
        x->out_read = 0;
    }
    aimd__deadline_set(x->connection, x->connection->http->limits.send_timeout);
    return n;
}

static ssize_t read_block(void *cls, uint64_t position, char *bytes, size_t max)
{
    aimd_exchange *x = cls;
    (void)position;
    if (x->cancelled || x->out.len == 0)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    return (ssize_t)aimd__take_out(x, bytes, max);
}

/* Takes body's content, unless there is no need to. */
static struct MHD_Response *make_response(aimd_exchange *x, aim_buf *body)
{
    if (body->len <= BLOCK_BYTES) {
        x->bytes_sent = body->len;
        return MHD_create_response_from_buffer(body->len, body->data, MHD_RESPMEM_MUST_COPY);
    }
    x->out = *body;
    *body = (aim_buf)AIM_BUF_INIT;
    return MHD_create_response_from_callback(x->out.len, BLOCK_BYTES, read_block, x, NULL);
}

void aimd_respond_take(aimd_exchange *x, int status, const char *content_type, aim_buf *body)
{
    if (aimd__may_answer(x)) {
        if (content_type)
            aimd_exchange_add_header(x, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
        x->complete = true;
        aimd__answer(x, status, body->failed ? NULL : make_response(x, body));
    }
    aim_buf_free(body);
}

void aimd_respond(aimd_exchange *x, int status, const char *content_type, const char *body,
                  size_t len)
{
    aim_buf copy = AIM_BUF_INIT;
    aim_buf_append(&copy, body, len);
    aimd_respond_take(x, status, content_type, &copy);
}

/* ---- errors -------------------------------------------------------------- */

static void add_retry_after(aimd_exchange *x, int status)
{
    static const char *const name = MHD_HTTP_HEADER_RETRY_AFTER;
    char seconds[16];
    if ((status != 429 && status != 503) || has_header(x, name))
        return;
    snprintf(seconds, sizeof seconds, "%d", status == 429 ? RETRY_BUSY : RETRY_UNAVAILABLE);
    aimd_exchange_add_header(x, name, seconds);
}

static void respond_error(aimd_exchange *x, int status, const char *type, const char *param,
                          const char *code, const char *message)
{
    aim_buf b = AIM_BUF_INIT;
    aimd_json_error(&b, message, type, param, code);
    aim_buf_puts(&b, "\n");
    add_retry_after(x, status);
    aimd_respond_take(x, status, "application/json", &b);
}

void aimd_respond_error(aimd_exchange *x, const aim_error *err, const char *code)
{
    respond_error(x, aim_code_http_status(err->code), aim_code_openai_type(err->code), err->param,
                  code, err->text);
}

void aimd_respond_status(aimd_exchange *x, int status, const char *type, const char *code,
                         const char *message)
{
    respond_error(x, status, type, NULL, code, message);
}

void aimd_respond_unavailable(aimd_exchange *x, aim_buf *body)
{
    add_retry_after(x, 503);
    aimd_respond_take(x, 503, "application/json", body);
}
