/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP listener over a socket pair, with a toy application that answers in
 * every way an application can. Input: one byte that says in how many pieces
 * the client's bytes are sent, one that, if not 0, says which allocation fails,
 * then those bytes. After each piece the loop turns and one waiting request is
 * answered. At the end the client leaves, and nothing of it may be left. */
#include "tests/fuzz/fuzz.h"

#include "base/alloc.h"
#include "server/http_private.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_BODY = 4096, MAX_BYTES = 60000, MAX_WAITING = 16, TURNS = 64 };

static uv_loop_t loop;
static aimd_http *http;
static aimd_exchange *waiting[MAX_WAITING];

/* ---- the application ----------------------------------------------------- */

static void on_gone(void *user)
{
    aimd_exchange **slot = user;
    aimd_exchange_release(*slot);
    *slot = NULL;
}

static void hold(aimd_exchange *x)
{
    for (int i = 0; i < MAX_WAITING; i++) {
        if (waiting[i])
            continue;
        waiting[i] = x;
        aimd_exchange_hold(x);
        aimd_exchange_set_user(x, &waiting[i], on_gone);
        return;
    }
}

static bool is(const aimd_exchange *x, const char *path)
{
    return strcmp(aimd_exchange_path(x), path) == 0;
}

static void answer_one(void)
{
    for (int i = 0; i < MAX_WAITING; i++) {
        aimd_exchange *x = waiting[i];
        if (!x)
            continue;
        if (is(x, "/s")) {
            aimd_stream_write(x, "data: 1\n\n", 9);
            aimd_stream_end(x);
        } else {
            aimd_respond(x, 200, "text/plain", "later\n", 6);
        }
        /* An answer that memory ran out for still ends with on_gone. */
        aimd_exchange_set_user(x, NULL, NULL);
        aimd_exchange_release(x);
        waiting[i] = NULL;
        return;
    }
}

static int on_headers(void *arg, aimd_exchange *x, size_t *max_body)
{
    (void)arg;
    *max_body = MAX_BODY;
    if (!is(x, "/r"))
        return 0;
    aimd_respond_status(x, 401, "authentication_error", NULL, "no");
    return 1;
}

static void on_request(void *arg, aimd_exchange *x)
{
    size_t n;
    const char *body = aimd_exchange_body(x, &n);
    (void)arg;
    FUZZ_EXPECT(n <= MAX_BODY);
    if (is(x, "/e"))
        aimd_respond(x, 200, "text/plain", body, n);
    else if (is(x, "/l"))
        hold(x);
    else if (is(x, "/s"))
        aimd_stream_begin(x, NULL), hold(x);
    else if (!is(x, "/o"))
        aimd_respond_status(x, 404, "invalid_request_error", NULL, aimd_exchange_path(x));
}

static void on_done(void *arg, aimd_exchange *x, int status)
{
    (void)arg;
    FUZZ_EXPECT(status == 0 || (status >= 200 && status < 600));
    FUZZ_EXPECT(aimd_exchange_id(x)[0]);
}

/* ---- the client ---------------------------------------------------------- */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const aimd_http_limits limits = {.max_connections = 4,
                                            .header_bytes = 4096,
                                            .header_timeout = 60,
                                            .body_timeout = 60,
                                            .idle_timeout = 60,
                                            .send_timeout = 60,
                                            .buffer_soft = 1024,
                                            .buffer_hard = 4096};
    static const aimd_http_app app = {NULL, on_headers, on_request, on_done};
    (void)argc, (void)argv;
    FUZZ_EXPECT(uv_loop_init(&loop) == 0);
    http = aimd__http_new_detached(&loop, &limits, &app, NULL);
    FUZZ_EXPECT(http != NULL);
    return 0;
}

static void turn(int client)
{
    char sink[4096];
    uv_run(&loop, UV_RUN_NOWAIT);
    while (recv(client, sink, sizeof sink, 0) > 0)
        ;
    answer_one();
    uv_run(&loop, UV_RUN_NOWAIT);
}

static void send_in_pieces(int client, const uint8_t *data, size_t size, unsigned pieces)
{
    size_t piece = size / pieces + 1;
    while (size > 0) {
        size_t n = piece < size ? piece : size;
        if (send(client, data, n, MSG_NOSIGNAL) <= 0)
            return;
        data += n;
        size -= n;
        turn(client);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd[2];
    if (size < 2 || size > MAX_BYTES)
        return 0;
    FUZZ_EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0);
    aim_alloc_fail_after(data[1] - 1L);
    FUZZ_EXPECT(aimd__http_adopt(http, fd[0]));
    send_in_pieces(fd[1], data + 2, size - 2, data[0] % 32u + 1);
    for (int i = 0; i < 4; i++)
        turn(fd[1]);
    close(fd[1]);
    for (int i = 0; i < TURNS && aimd_http_connections(http) > 0; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    aim_alloc_fail_after(-1);
    FUZZ_EXPECT(aimd_http_connections(http) == 0);
    FUZZ_EXPECT(aimd_http_exchanges(http) == 0);
    for (int i = 0; i < MAX_WAITING; i++)
        FUZZ_EXPECT(waiting[i] == NULL);
    return 0;
}
