/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/http_load.h"

#include "base/buf.h"
#include "base/cpu.h"
#include "bench/prompt.h"
#include "bench/rate.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int dial(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static int send_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return -1;
        bytes += sent;
        n -= (size_t)sent;
    }
    return 0;
}

/* HTTP/1.0, so that the body comes without chunk headers. */
static int send_request(int fd, int sequence, int prompt_tokens, int tokens)
{
    aim_buf body = AIM_BUF_INIT, request = AIM_BUF_INIT;
    aim_buf_puts(&body, "{\"prompt\": [");
    for (int t = 0; t < prompt_tokens; t++)
        aim_buf_printf(&body, "%s%d", t ? "," : "", bench_prompt_token(sequence, t));
    aim_buf_printf(&body,
                   "], \"max_tokens\": %d, \"temperature\": 0, \"ignore_eos\": true, "
                   "\"stream\": true}",
                   tokens);
    aim_buf_printf(&request,
                   "POST /v1/completions HTTP/1.0\r\nHost: localhost\r\n"
                   "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                   body.len);
    aim_buf_append(&request, body.data, body.len);
    int rc = request.failed ? -1 : send_all(fd, request.data, request.len);
    aim_buf_free(&request);
    aim_buf_free(&body);
    return rc;
}

/* Finds "data: {" in a stream that arrives in pieces. */
typedef struct reader {
    int fd, matched, events;
} reader;

static void count_events(reader *r, int sequence, const char *bytes, ssize_t n, decode_rate *rate)
{
    static const char mark[] = "data: {";
    for (ssize_t i = 0; i < n; i++) {
        r->matched = bytes[i] == mark[r->matched] ? r->matched + 1 : bytes[i] == mark[0];
        if (r->matched == (int)sizeof mark - 1) {
            r->matched = 0;
            r->events++;
            rate_token(rate, sequence, aim_now_ns());
        }
    }
}

static int read_some(reader *r, struct pollfd *p, int sequence, decode_rate *rate)
{
    char bytes[16384];
    ssize_t n = recv(r->fd, bytes, sizeof bytes, 0);
    if (n > 0) {
        count_events(r, sequence, bytes, n, rate);
        return 0;
    }
    close(r->fd);
    p->fd = -1;
    return 1;
}

static int open_all(int port, int sequences, int prompt_tokens, int tokens, reader *readers,
                    struct pollfd *polls)
{
    for (int i = 0; i < sequences; i++) {
        readers[i] = (reader){.fd = dial(port)};
        polls[i] = (struct pollfd){.fd = readers[i].fd, .events = POLLIN};
        if (readers[i].fd < 0 || send_request(readers[i].fd, i, prompt_tokens, tokens) != 0)
            return -1;
    }
    return 0;
}

double http_load_run(int port, int sequences, int prompt_tokens, int tokens)
{
    static reader readers[RATE_MAX];
    static struct pollfd polls[RATE_MAX];
    decode_rate rate;
    rate_init(&rate, sequences, tokens);
    if (open_all(port, sequences, prompt_tokens, tokens, readers, polls) != 0) {
        fprintf(stderr, "bench: cannot send a request to port %d\n", port);
        return -1;
    }
    for (int open = sequences; open > 0;) {
        if (poll(polls, (nfds_t)sequences, 60000) <= 0)
            return -1;
        for (int i = 0; i < sequences; i++)
            if (polls[i].fd >= 0 && polls[i].revents)
                open -= read_some(&readers[i], &polls[i], i, &rate);
    }
    for (int i = 0; i < sequences; i++)
        if (readers[i].events != tokens) {
            fprintf(stderr, "bench: %d events for %d tokens\n", readers[i].events, tokens);
            return -1;
        }
    return rate_per_second(&rate);
}

int http_get_status(int port, const char *path)
{
    int fd = dial(port), status = 0;
    char text[512];
    snprintf(text, sizeof text, "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", path);
    if (fd < 0)
        return 0;
    if (send_all(fd, text, strlen(text)) == 0) {
        ssize_t n = recv(fd, text, sizeof text - 1, 0);
        text[n > 0 ? n : 0] = '\0';
        if (sscanf(text, "HTTP/%*s %d", &status) != 1)
            status = 0;
    }
    close(fd);
    return status;
}
