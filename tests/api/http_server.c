/* SPDX-License-Identifier: Apache-2.0 */
/* The listener of analogd with a toy application behind it, for test_http.py:
 *
 *     http_server [max_connections=N] [hosts=NAME] [send_timeout=S] ...
 *
 * prints the ports of its two listeners. The second one, as in analogd, tells
 * how the first is doing: GET /stats. SIGTERM stops at once, SIGUSR1 once the
 * running requests are done. */
#include "server/http.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { MAX_BODY = 2 << 20 };

/* A request that is answered later. */
typedef struct job {
    struct job *next;
    aimd_exchange *x;
    uv_timer_t timer;
    /* Streams: guarded by `lock`, shared with the producer thread. */
    long left;     /* events still to make, -1: no end */
    long interval; /* milliseconds between two */
    long ready;    /* made, not yet written by the loop thread */
    size_t event_bytes;
    bool stream, obeys, paused, gone;
} job;

static uv_loop_t loop;
static uv_async_t wake;
static uv_signal_t on_term, on_usr1;
static aimd_http *listeners[2];
static job *jobs;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool finish, draining;
static long produced, gone, done, drained;
static int last_status;

/* ---- jobs ---------------------------------------------------------------- */

static void on_timer_closed(uv_handle_t *h)
{
    free(h->data);
}

static void end_job(job *j)
{
    pthread_mutex_lock(&lock);
    job **p = &jobs;
    while (*p != j)
        p = &(*p)->next;
    *p = j->next;
    pthread_mutex_unlock(&lock);
    aimd_exchange_release(j->x);
    uv_close((uv_handle_t *)&j->timer, on_timer_closed);
}

static void on_gone(void *user)
{
    gone++;
    end_job(user);
}

static void on_drain(void *user)
{
    job *j = user;
    drained++;
    pthread_mutex_lock(&lock);
    j->paused = false;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static job *new_job(aimd_exchange *x)
{
    job *j = calloc(1, sizeof *j);
    if (!j)
        abort();
    j->x = x;
    uv_timer_init(&loop, &j->timer);
    j->timer.data = j;
    aimd_exchange_hold(x);
    aimd_exchange_set_user(x, j, on_gone);
    pthread_mutex_lock(&lock);
    j->next = jobs;
    jobs = j;
    pthread_mutex_unlock(&lock);
    return j;
}

static void answer(job *j, const char *text)
{
    if (draining) /* as analogd does; the listener, which does too, must not repeat it */
        aimd_exchange_add_header(j->x, "Connection", "close");
    aimd_respond(j->x, 200, "text/plain", text, strlen(text));
    end_job(j);
}

static void on_later(uv_timer_t *t)
{
    answer(t->data, "later\n");
}

/* ---- a thread that makes events, as the engine does ---------------------- */

static bool make_events(void)
{
    bool any = false;
    for (job *j = jobs; j; j = j->next) {
        if (!j->stream || j->left == 0 || (j->obeys && j->paused))
            continue;
        j->ready++;
        j->left -= j->left > 0;
        produced++;
        any = true;
    }
    return any;
}

static long interval(void)
{
    long ms = 1;
    for (job *j = jobs; j; j = j->next)
        if (j->interval > ms)
            ms = j->interval;
    return ms;
}

static void *producer(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&lock);
    while (!finish) {
        if (!make_events()) {
            pthread_cond_wait(&changed, &lock);
            continue;
        }
        struct timespec pause = {0, interval() % 1000 * 1000000};
        pthread_mutex_unlock(&lock);
        uv_async_send(&wake);
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&lock);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* Write what is ready. Returns true once the stream is over. */
static bool deliver(job *j)
{
    aim_buf event = AIM_BUF_INIT;
    aim_buf_printf(&event, "data: %0*d\n\n", (int)j->event_bytes - 8, 7);
    pthread_mutex_lock(&lock);
    long ready = j->ready;
    bool last = j->left == 0;
    j->ready = 0;
    pthread_mutex_unlock(&lock);
    while (ready-- > 0)
        if (!aimd_stream_write(j->x, event.data, event.len)) {
            pthread_mutex_lock(&lock);
            j->paused = true;
            pthread_mutex_unlock(&lock);
        }
    aim_buf_free(&event);
    return last;
}

static void on_wake(uv_async_t *a)
{
    (void)a;
    for (job *j = jobs, *next; j; j = next) {
        next = j->next;
        if (j->stream && deliver(j)) {
            aimd_stream_write(j->x, "data: [DONE]\n\n", 14);
            aimd_stream_end(j->x);
            end_job(j);
        }
    }
}

static void start_stream(aimd_exchange *x, long left, long every_ms, size_t bytes, bool obeys)
{
    job *j = new_job(x);
    aimd_stream_begin(x, on_drain);
    pthread_mutex_lock(&lock);
    j->stream = true;
    j->obeys = obeys;
    j->left = left;
    j->interval = every_ms;
    j->event_bytes = bytes;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

/* ---- the end ------------------------------------------------------------- */

static void stop_listeners(void)
{
    for (int i = 0; i < 2; i++) {
        aimd_http_stop(listeners[i]);
        listeners[i] = NULL;
    }
    if (!uv_is_closing((uv_handle_t *)&on_term)) {
        uv_close((uv_handle_t *)&on_term, NULL);
        uv_close((uv_handle_t *)&on_usr1, NULL);
    }
}

static void on_stop(uv_signal_t *s, int signum)
{
    (void)s, (void)signum;
    stop_listeners();
}

static void on_quiesce(uv_signal_t *s, int signum)
{
    (void)s, (void)signum;
    draining = true;
    aimd_http_quiesce(listeners[0]);
    if (aimd_http_exchanges(listeners[0]) == 0)
        stop_listeners();
}

/* ---- the application ----------------------------------------------------- */

static void wake_all(void)
{
    for (job *j = jobs, *next; j; j = next) {
        next = j->next;
        if (!j->stream)
            answer(j, "woken\n");
    }
}

static void get_big(aimd_exchange *x, size_t n)
{
    char *text = malloc(n + 1);
    if (!text)
        abort();
    memset(text, 'x', n);
    aimd_respond(x, 200, "text/plain", text, n);
    free(text);
}

static void get_burst(aimd_exchange *x, long n)
{
    aimd_stream_begin(x, NULL);
    while (n-- > 0)
        aimd_stream_write(x, "data: {}\n\n", 10);
    aimd_stream_end(x);
}

static void get_request(aimd_exchange *x)
{
    aim_buf b = AIM_BUF_INIT;
    const char *agent = aimd_exchange_header(x, "user-agent");
    aim_buf_printf(&b, "%s %s %s %s\n", aimd_exchange_method(x), aimd_exchange_path(x),
                   aimd_exchange_peer(x), agent ? agent : "-");
    aimd_respond(x, 200, "text/plain", b.data, b.len);
    aim_buf_free(&b);
}

static void post_echo(aimd_exchange *x)
{
    size_t n;
    const char *body = aimd_exchange_body(x, &n);
    aimd_respond(x, 200, "application/octet-stream", body, n);
}

static void fail(aimd_exchange *x, enum aim_code code, const char *param, const char *text)
{
    aim_error err = {0};
    aim_fail_param(&err, code, param, "%s", text);
    aimd_respond_error(x, &err, code == AIM_EBUSY ? "queue_full" : NULL);
}

static bool is(const aimd_exchange *x, const char *path)
{
    return strcmp(aimd_exchange_path(x), path) == 0;
}

static void on_plain_request(aimd_exchange *x)
{
    if (is(x, "/hello"))
        aimd_respond(x, 200, "text/plain", "hello\n", 6);
    else if (is(x, "/echo"))
        post_echo(x);
    else if (is(x, "/never"))
        new_job(x);
    else if (is(x, "/wake"))
        wake_all(), aimd_respond(x, 200, "text/plain", "ok\n", 3);
    else if (is(x, "/busy"))
        fail(x, AIM_EBUSY, "", "the queue is full");
    else if (is(x, "/down"))
        fail(x, AIM_EUNAVAILABLE, "", "loading");
    else if (is(x, "/wrong"))
        fail(x, AIM_EINVAL, "top_p", "must be \"0\"..1, not \xff");
    else if (is(x, "/unheld-stream"))
        aimd_stream_begin(x, NULL);
    else if (is(x, "/stop"))
        stop_listeners();
    else if (!is(x, "/orphan"))
        get_request(x);
}

static void on_request(void *arg, aimd_exchange *x)
{
    long n = 0, ms = 1, bytes = 0;
    const char *path = aimd_exchange_path(x);
    (void)arg;
    if (sscanf(path, "/later/%ld", &n) == 1)
        uv_timer_start(&new_job(x)->timer, on_later, (uint64_t)n, 0);
    else if (sscanf(path, "/big/%ld", &n) == 1)
        get_big(x, (size_t)n);
    else if (sscanf(path, "/burst/%ld", &n) == 1)
        get_burst(x, n);
    else if (sscanf(path, "/stream/%ld/%ld", &n, &ms) >= 1)
        start_stream(x, n, ms, 16, true);
    else if (sscanf(path, "/large/%ld/%ld", &n, &bytes) == 2)
        start_stream(x, n, 1, (size_t)bytes, true);
    else if (sscanf(path, "/endless/%ld", &ms) == 1)
        start_stream(x, -1, ms, 16, true);
    else if (is(x, "/pump"))
        start_stream(x, -1, 1, 4096, true);
    else if (is(x, "/flood"))
        start_stream(x, -1, 1, 4096, false);
    else
        on_plain_request(x);
}

static int on_stats_headers(void *arg, aimd_exchange *x, size_t *max_body)
{
    (void)arg, (void)x;
    *max_body = 0;
    return 0;
}

static int on_headers(void *arg, aimd_exchange *x, size_t *max_body)
{
    (void)arg;
    *max_body = strcmp(aimd_exchange_method(x), "POST") == 0 ? MAX_BODY : 0;
    if (!is(x, "/refuse"))
        return 0;
    aimd_exchange_add_header(x, "WWW-Authenticate", "Bearer");
    aimd_respond_status(x, 401, "authentication_error", "invalid_api_key", "no");
    return 1;
}

/* After the last request: stop takes effect once its handler has returned. */
static void stop_if_drained(void)
{
    if (draining && aimd_http_exchanges(listeners[0]) == 0)
        stop_listeners();
}

static void on_done(void *arg, aimd_exchange *x, int status)
{
    (void)arg, (void)x;
    done++;
    last_status = status;
    stop_if_drained();
}

static void on_stats(void *arg, aimd_exchange *x)
{
    struct rusage u;
    aim_buf b = AIM_BUF_INIT;
    aimd_http *h = listeners[0];
    (void)arg;
    getrusage(RUSAGE_SELF, &u);
    pthread_mutex_lock(&lock);
    long made = produced;
    pthread_mutex_unlock(&lock);
    aim_buf_printf(&b,
                   "{\"connections\":%d,\"exchanges\":%d,\"gone\":%ld,\"done\":%ld,"
                   "\"last_status\":%d,\"produced\":%ld,\"drained\":%ld,\"cpu_ms\":%ld}",
                   h ? aimd_http_connections(h) : 0, h ? aimd_http_exchanges(h) : 0, gone, done,
                   last_status, made, drained,
                   (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
                       (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000);
    aimd_respond(x, 200, "application/json", b.data, b.len);
    aim_buf_free(&b);
}

static void on_stats_done(void *arg, aimd_exchange *x, int status)
{
    (void)arg, (void)x, (void)status;
}

/* ---- start --------------------------------------------------------------- */

static const char *hosts[] = {NULL, NULL};
static aimd_http_limits limits = {.max_connections = 100,
                                  .header_bytes = 32 << 10,
                                  .header_timeout = 10,
                                  .body_timeout = 30,
                                  .idle_timeout = 60,
                                  .send_timeout = 30,
                                  .buffer_soft = 64 << 10,
                                  .buffer_hard = 256 << 10};

static void set_limit(const char *arg)
{
    const struct {
        const char *name;
        unsigned *value;
    } numbers[] = {{"max_connections", &limits.max_connections},
                   {"max_connections_per_ip", &limits.max_connections_per_ip},
                   {"header_timeout", &limits.header_timeout},
                   {"body_timeout", &limits.body_timeout},
                   {"idle_timeout", &limits.idle_timeout},
                   {"send_timeout", &limits.send_timeout}};
    const char *value = strchr(arg, '=');
    if (!value++)
        return;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (strncmp(arg, numbers[i].name, (size_t)(value - arg - 1)) == 0 &&
            arg + strlen(numbers[i].name) + 1 == value)
            *numbers[i].value = (unsigned)atoi(value);
    if (strncmp(arg, "hosts=", 6) == 0) {
        hosts[0] = value;
        limits.hosts = hosts;
    }
}

static aimd_http *listen_on(const char *address, const aimd_http_app *app)
{
    aim_error err = {0};
    aimd_http *h = aimd_http_new(&loop, address, 0, -1, &limits, app, &err);
    if (!h) {
        fprintf(stderr, "http_server: %s\n", err.text);
        exit(1);
    }
    return h;
}

static void start_signals(void)
{
    uv_signal_init(&loop, &on_term);
    uv_signal_init(&loop, &on_usr1);
    uv_signal_start(&on_term, on_stop, SIGTERM);
    uv_signal_start(&on_usr1, on_quiesce, SIGUSR1);
}

/* Returns 0 if nothing is left: no job, no handle. */
static int run(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, producer, NULL) != 0)
        return 1;
    uv_unref((uv_handle_t *)&wake);
    uv_run(&loop, UV_RUN_DEFAULT);
    pthread_mutex_lock(&lock);
    finish = true;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
    uv_close((uv_handle_t *)&wake, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    return jobs || uv_loop_close(&loop) != 0;
}

int main(int argc, char **argv)
{
    const aimd_http_app app = {NULL, on_headers, on_request, on_done};
    const aimd_http_app stats = {NULL, on_stats_headers, on_stats, on_stats_done};
    for (int i = 1; i < argc; i++)
        set_limit(argv[i]);
    uv_loop_init(&loop);
    uv_async_init(&loop, &wake, on_wake);
    start_signals();
    listeners[0] = listen_on("127.0.0.1", &app);
    limits.max_connections = 8;
    limits.max_connections_per_ip = 0;
    listeners[1] = listen_on("127.0.0.1", &stats);
    printf("%d %d\n", aimd_http_port(listeners[0]), aimd_http_port(listeners[1]));
    fflush(stdout);
    return run();
}
