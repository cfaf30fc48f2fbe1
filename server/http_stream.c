/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events: the application appends to a buffer, libmicrohttpd reads
 * it out; when it is empty the connection sleeps until there is more. */
#include "server/http_private.h"

#include <string.h>

/* libmicrohttpd uses it only for HTTP/1.0 clients, which get no chunks. */
enum { BLOCK_BYTES = 4096 };

static size_t waiting(const aimd_exchange *x)
{
    return x->out.len - x->out_read;
}

/* The producer goes on at half of buffer_soft, so that it is not stopped again
 * by its next event. It may write, or end the stream, from in here. */
static void resume_producer(aimd_exchange *x)
{
    if (!x->paused || waiting(x) > x->connection->http->limits.buffer_soft / 2)
        return;
    x->paused = false;
    x->overrun = 0;
    if (x->on_drain && !x->complete)
        x->on_drain(x->user);
}

static ssize_t sleep_until_written(aimd_exchange *x)
{
    aimd__deadline_clear(x->connection);
    aimd__hangup_start(x->connection);
    x->suspended = true;
    MHD_suspend_connection(x->connection->mhd);
    return 0;
}

/* Returning 0 without suspending would make libmicrohttpd ask again at once,
 * for ever. */
static ssize_t read_stream(void *cls, uint64_t position, char *bytes, size_t max)
{
    aimd_exchange *x = cls;
    (void)position;
    if (x->cancelled)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (waiting(x) > 0) {
        size_t n = aimd__take_out(x, bytes, max);
        resume_producer(x);
        return (ssize_t)n;
    }
    if (x->complete)
        return MHD_CONTENT_READER_END_OF_STREAM;
    return sleep_until_written(x);
}

/* To HEAD libmicrohttpd would send the last chunk of the body it leaves out. */
static struct MHD_Response *make_stream(aimd_exchange *x)
{
    return strcmp(x->method, "HEAD") == 0
               ? MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT)
               : MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_stream, x,
                                                   NULL);
}

void aimd_stream_begin(aimd_exchange *x, void (*on_drain)(void *user))
{
    if (!aimd__may_answer(x))
        return;
    x->on_drain = on_drain;
    aimd_exchange_add_header(x, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
    aimd_exchange_add_header(x, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
    aimd_exchange_add_header(x, "X-Accel-Buffering", "no");
    aimd__answer(x, 200, make_stream(x));
}

/* Does a paused producer go on regardless? Only what it wrote in earlier loop
 * iterations speaks against it: until libmicrohttpd has run nothing can have
 * been sent, and what comes in one piece may be large because of the request,
 * not of the reader. Called before each write. */
static bool overruns(aimd_exchange *x, size_t len)
{
    const aimd_http *h = x->connection->http;
    bool first_of_run = x->written_run != h->runs;
    x->written_run = h->runs;
    if (!x->paused)
        return false;
    if (first_of_run && x->overrun > h->limits.buffer_hard)
        return true;
    if (first_of_run || x->overrun > 0) /* else it was paused in this very run */
        x->overrun += len;
    return false;
}

static void append(aimd_exchange *x, const char *bytes, size_t len)
{
    if (x->out_read > 0) {
        aim_buf_consume(&x->out, x->out_read);
        x->out_read = 0;
    }
    aim_buf_append(&x->out, bytes, len);
}

bool aimd_stream_write(aimd_exchange *x, const char *bytes, size_t len)
{
    if (x->cancelled || x->complete)
        return false;
    bool overrun = overruns(x, len);
    if (!overrun)
        append(x, bytes, len);
    if (overrun || x->out.failed) {
        aimd__exchange_cancel(x);
        return false;
    }
    aimd__exchange_wake(x);
    if (x->out.len > x->connection->http->limits.buffer_soft)
        x->paused = true;
    if (x->paused) /* a full socket alone makes no run, and `overruns` counts by them */
        aimd__http_schedule(x->connection->http);
    return !x->paused;
}

void aimd_stream_end(aimd_exchange *x)
{
    if (x->cancelled || x->complete)
        return;
    x->complete = true;
    aimd__exchange_wake(x);
}
