/* SPDX-License-Identifier: Apache-2.0 */
/* health.c - GET /health of the daemon and of libmicrohttpd alone. */
#include "bench/http.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char body[] = "{\"status\":\"ok\"}";

static enum MHD_Result answer(void *arg, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **state)
{
    static int seen;
    (void)arg, (void)url, (void)method, (void)version, (void)upload, (void)upload_size;
    if (!*state) { /* answering on this first call makes the library close the connection */
        *state = &seen;
        return MHD_YES;
    }
    struct MHD_Response *r =
        MHD_create_response_from_buffer(sizeof body - 1, (void *)body, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(r, "Content-Type", "application/json");
    enum MHD_Result ok = MHD_queue_response(c, 200, r);
    MHD_destroy_response(r);
    return ok;
}

static struct MHD_Daemon *start_baseline(int *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_Daemon *d = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer,
                                            NULL, MHD_OPTION_SOCK_ADDR, &at, MHD_OPTION_END);
    if (d)
        *port = MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port;
    return d;
}

/* Requests a second that wrk reports; 0 if it is not there. */
static double wrk(int port)
{
    char command[128], line[256];
    double rate = 0;
    snprintf(command, sizeof command, "wrk -t1 -c50 -d2s http://127.0.0.1:%d/health 2>&1", port);
    FILE *f = popen(command, "re");
    while (f && fgets(line, sizeof line, f))
        if (strstr(line, "Requests/sec:"))
            rate = atof(strchr(line, ':') + 1);
    if (f)
        pclose(f);
    return rate;
}

void bench_health(const bench_case *c)
{
    figure f = figure_named(c->name, "requests/s", false);
    int baseline_port;
    const daemon_process *daemon = served_daemon(c);
    struct MHD_Daemon *baseline = daemon ? start_baseline(&baseline_port) : NULL;
    for (int i = 0; baseline && i < cases_rounds(); i++) {
        double alone = wrk(baseline_port), own = wrk(daemon->port);
        if (alone > 0 && own > 0)
            figure_add(&f, own, alone);
    }
    if (baseline)
        MHD_stop_daemon(baseline);
    if (f.rounds == 0)
        report_skipped(c->name, "no daemon, or no wrk");
    figure_report(&f);
}
