/* SPDX-License-Identifier: Apache-2.0 */
/* lifecycle.c - the daemon's states and what moves it between them: the end of
 * the load, signals, and a tick of the loop. */
#include "config.h"

#include "server/lifecycle.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "server/job.h"
#include "server/listeners.h"
#include "server/load.h"
#include "server/mailbox.h"
#include "server/notify.h"
#include "server/routes.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    TICK_MS = 1000,          /* engine progress, watchdog */
    DRAIN_TICK_MS = 20,      /* is the last request done? */
    EXTEND_USEC = 120000000, /* more time to start, as long as the load goes on */
    FLUSH_MS = 1000,
    STOP_SECONDS = 20, /* for everything after the last request */
};

static const int signal_numbers[] = {SIGTERM, SIGINT, SIGHUP};
enum { N_SIGNALS = sizeof signal_numbers / sizeof signal_numbers[0] };

typedef struct lifecycle {
    aimd_daemon daemon;
    uv_loop_t loop;
    aimd_loader *loader;
    aimd_activation sockets;
    uv_timer_t tick;
    uv_signal_t signals[N_SIGNALS];
    uint64_t watchdog_ms;  /* between two pings; 0: none */
    uint64_t pinged_ms;    /* loop time of the last ping */
    double told_progress;  /* of the load; below 0: nothing told yet */
    uint64_t drain_end_ms; /* loop time */
    bool stopping;         /* engines are told to stop, waiting for jobs and clients */
    uint64_t stop_end_ms;  /* loop time; no longer for clients */
    int exit_status;
} lifecycle;

static void on_tick(uv_timer_t *timer);

static lifecycle *of_daemon(aimd_daemon *d)
{
    return (lifecycle *)((char *)d - offsetof(lifecycle, daemon));
}

/* ---- stopping ------------------------------------------------------------ */

/* A stop that does not end is a bug or an engine that hangs; the service
 * manager must not have to find out. */
static void on_stop_overdue(int number)
{
    static const char text[] = "analogd: the stop takes too long, exiting\n";
    (void)number;
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    _exit(EX_SOFTWARE);
}

static void close_handles(lifecycle *l)
{
    uv_close((uv_handle_t *)&l->tick, NULL);
    uv_close((uv_handle_t *)&l->daemon.wake, NULL);
    for (int i = 0; i < N_SIGNALS; i++)
        uv_close((uv_handle_t *)&l->signals[i], NULL);
    aimd_load_detach(l->loader);
}

/* No job is left: close the listeners, join the engines, let the loop run out. */
static void finish(lifecycle *l)
{
    aimd_daemon *d = &l->daemon;
    if (d->main_listener)
        aimd_http_stop(d->main_listener);
    if (d->admin_listener)
        aimd_http_stop(d->admin_listener);
    d->main_listener = d->admin_listener = NULL;
    aimd_models_close(&d->models);
    if (d->mailbox) /* NULL: the start failed */
        aimd_deliver_events(d);
    close_handles(l);
}

/* End what runs. The engines say so to the jobs, and the jobs to the clients,
 * who get FLUSH_MS to take it in. */
static void stop_now(lifecycle *l)
{
    if (l->stopping)
        return;
    l->stopping = true;
    l->stop_end_ms = uv_now(&l->loop) + FLUSH_MS;
    signal(SIGALRM, on_stop_overdue);
    alarm(STOP_SECONDS);
    aimd_chips_cancel(&l->daemon, true);
    aimd_daemon_stop_models(&l->daemon);
    uv_timer_start(&l->tick, on_tick, DRAIN_TICK_MS, DRAIN_TICK_MS);
}

static void tick_stopping(lifecycle *l)
{
    aimd_http *main_listener = l->daemon.main_listener;
    aimd_jobs_fail_paused(&l->daemon);
    bool flushed = !main_listener || aimd_http_exchanges(main_listener) == 0;
    if (l->daemon.jobs == 0 && aimd_chips_idle(&l->daemon) &&
        (flushed || uv_now(&l->loop) >= l->stop_end_ms))
        finish(l);
}

static void begin_drain(lifecycle *l, const char *signal_name)
{
    aimd_daemon *d = &l->daemon;
    aimd_log(AIMD_LOG_INFO, "draining", AIMD_STR("signal", signal_name), AIMD_INT("jobs", d->jobs),
             AIMD_INT("exchanges", aimd_http_exchanges(d->main_listener)),
             AIMD_INT("timeout", d->options->drain_timeout));
    aimd_notify("STOPPING=1\nSTATUS=Draining");
    d->state = AIMD_DRAINING;
    aimd_chips_cancel(d, false);
    /* A socket of the service manager's keeps new clients waiting for the next
     * process; on our own one they are told to come back. */
    if (l->sockets.main_fd >= 0)
        aimd_http_quiesce(d->main_listener);
    l->drain_end_ms = uv_now(&l->loop) + 1000 * (uint64_t)d->options->drain_timeout;
    uv_timer_start(&l->tick, on_tick, 0, DRAIN_TICK_MS);
}

static void tick_draining(lifecycle *l)
{
    aimd_daemon *d = &l->daemon;
    bool idle = d->jobs == 0 && aimd_http_exchanges(d->main_listener) == 0;
    if (!idle && uv_now(&l->loop) < l->drain_end_ms)
        return;
    if (!idle)
        aimd_log(AIMD_LOG_WARNING, "drain_timeout", AIMD_INT("jobs", d->jobs));
    stop_now(l);
}

/* ---- the tick ------------------------------------------------------------ */

static void ping_watchdog(lifecycle *l)
{
    int running, waiting;
    if (!l->watchdog_ms || uv_now(&l->loop) - l->pinged_ms < l->watchdog_ms)
        return;
    l->pinged_ms = uv_now(&l->loop);
    if (l->daemon.state != AIMD_READY) { /* the status tells of something else */
        aimd_notify("WATCHDOG=1");
        return;
    }
    aimd_daemon_load(&l->daemon, &running, &waiting);
    aimd_notify("WATCHDOG=1\nSTATUS=%d running, %d waiting", running, waiting);
}

/* A load that still makes progress may take longer than the start timeout. */
static void tick_loading(lifecycle *l)
{
    aimd_daemon *d = &l->daemon;
    char text[256];
    double progress = aimd_daemon_progress(d);
    if (progress <= l->told_progress || !aimd_daemon_unready(d, text, sizeof text))
        return;
    l->told_progress = progress;
    aimd_notify("EXTEND_TIMEOUT_USEC=%d\nSTATUS=%s", EXTEND_USEC, text);
}

static void on_tick(uv_timer_t *timer)
{
    lifecycle *l = timer->data;
    bool stalled = aimd_daemon_stalled(&l->daemon);
    if (!stalled)
        ping_watchdog(l);
    if (l->stopping)
        tick_stopping(l);
    else if (l->daemon.state == AIMD_DRAINING)
        tick_draining(l);
    else if (l->daemon.state == AIMD_LOADING)
        tick_loading(l);
}

static void start_tick(lifecycle *l)
{
    uint64_t period = TICK_MS;
    l->watchdog_ms = aimd_watchdog_usec() / 3 / 1000;
    if (l->watchdog_ms && l->watchdog_ms < period)
        period = l->watchdog_ms;
    l->told_progress = -1;
    uv_timer_start(&l->tick, on_tick, 0, period);
}

/* ---- the end of the load ------------------------------------------------- */

/* Chips of an earlier run are in the table too, and programmed from now on. */
static void log_ready(const aimd_daemon *d)
{
    aim_buf ids = AIM_BUF_INIT;
    const aimd_model *first = aimd_models_first(&d->models);
    for (const aimd_model *m = first; m; m = aimd_models_next(m))
        if (aimd_model_is_ready(m))
            aim_buf_printf(&ids, "%s%s", m != first ? "," : "", m->id);
    aimd_log(AIMD_LOG_INFO, "ready", AIMD_STR("models", ids.data),
             AIMD_STR("address", d->options->listen.host),
             AIMD_INT("port", aimd_http_port(d->main_listener)),
             AIMD_STR("kernels", first->model->compute.kernels->name));
    aim_buf_free(&ids);
}

/* What is no failure but good to know: completions work without a chat template;
 * settings that nobody here knows have no effect. */
static void log_remarks(const aimd_model *m)
{
    const char *settings = m->model->config.unknown_settings;
    if (!m->model->chat)
        aimd_log(AIMD_LOG_WARNING, "no_chat_template", AIMD_STR("model", m->id),
                 AIMD_STR("reason", m->model->chat_error.text));
    if (*settings)
        aimd_log(AIMD_LOG_WARNING, "unknown_settings", AIMD_STR("model", m->id),
                 AIMD_STR("settings", settings));
}

static void on_loaded(aimd_daemon *d, const aim_error *err)
{
    lifecycle *l = of_daemon(d);
    if (err->code) {
        aimd_log(AIMD_LOG_ERROR, "load_failed", AIMD_STR("reason", err->text));
        aimd_notify("STATUS=%s", err->text);
        d->state = AIMD_FAILED;
        d->failure = *err;
        l->exit_status = aimd_exit_status(err->code);
        stop_now(l);
        return;
    }
    d->state = AIMD_READY;
    log_ready(d);
    for (const aimd_model *m = aimd_models_first(&d->models); m; m = aimd_models_next(m))
        if (aimd_model_is_ready(m))
            log_remarks(m);
    aimd_notify("READY=1\nSTATUS=Serving");
}

/* ---- signals ------------------------------------------------------------- */

/* New keys and a log file that was rotated away. Models stay as they are. */
static void reload(aimd_daemon *d)
{
    aim_error err = {0};
    struct timespec now;
    bool tell = d->state == AIMD_READY;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (tell)
        aimd_notify("RELOADING=1\nMONOTONIC_USEC=%lld",
                    (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    aimd_log_reopen();
    const char *keys = d->options->api_key_file ? "read" : "none";
    if (aimd_daemon_reload_keys(d, &err)) {
        aimd_log(AIMD_LOG_ERROR, "keys_kept", AIMD_STR("reason", err.text));
        keys = "kept";
    }
    aimd_log(AIMD_LOG_INFO, "reloaded", AIMD_STR("keys", keys));
    if (tell)
        aimd_notify("READY=1");
}

static void stop_asked(lifecycle *l, const char *signal_name)
{
    switch (l->daemon.state) {
    case AIMD_LOADING:
        /* The load cannot be interrupted, and there is nothing to save. */
        aimd_log(AIMD_LOG_INFO, "stopped", AIMD_STR("signal", signal_name));
        aimd_notify("STOPPING=1");
        _exit(EXIT_SUCCESS);
    case AIMD_READY:
        begin_drain(l, signal_name);
        break;
    case AIMD_DRAINING:
        aimd_log(AIMD_LOG_WARNING, "stopping_now", AIMD_STR("signal", signal_name),
                 AIMD_INT("jobs", l->daemon.jobs));
        stop_now(l);
        break;
    case AIMD_FAILED:
        break;
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    lifecycle *l = handle->data;
    if (number == SIGHUP)
        reload(&l->daemon);
    else
        stop_asked(l, number == SIGTERM ? "SIGTERM" : "SIGINT");
}

static void on_wake(uv_async_t *handle)
{
    aimd_deliver_events(handle->data);
}

/* ---- the run ------------------------------------------------------------- */

static void init_handles(lifecycle *l)
{
    aimd_daemon *d = &l->daemon;
    uv_timer_init(&l->loop, &l->tick);
    uv_async_init(&l->loop, &d->wake, on_wake);
    l->tick.data = l;
    d->wake.data = d;
    for (int i = 0; i < N_SIGNALS; i++) {
        uv_signal_init(&l->loop, &l->signals[i]);
        l->signals[i].data = l;
        uv_signal_start(&l->signals[i], on_signal, signal_numbers[i]);
    }
}

/* Returns the exit status, 0 to go on. */
static int start(lifecycle *l, aimd_options *options, aim_error *err)
{
    aimd_daemon *d = &l->daemon;
    int rc = aimd_daemon_init(d, options, &l->loop, err);
    init_handles(l);
    if (rc)
        return AIMD_EXIT_CONFIG;
    if (aimd_listeners_open(d, &l->sockets, err))
        return err->code == AIM_EINVAL ? AIMD_EXIT_CONFIG : EX_OSERR;
    l->loader = aimd_load_new(d, on_loaded, err);
    if (!l->loader || aimd_load_start(l->loader, err))
        return EX_OSERR;
    start_tick(l);
    return EXIT_SUCCESS;
}

static void run(lifecycle *l, aimd_options *options)
{
    aim_error err = {0};
    l->exit_status = start(l, options, &err);
    if (l->exit_status) {
        aimd_log(AIMD_LOG_ERROR, "start_failed", AIMD_STR("reason", err.text));
        stop_now(l);
    }
    uv_run(&l->loop, UV_RUN_DEFAULT);
    aimd_load_free(l->loader);
    aimd_daemon_fini(&l->daemon);
    uv_loop_close(&l->loop);
}

int aimd_run(aimd_options *options)
{
    signal(SIGPIPE, SIG_IGN);
    lifecycle *l = aim_calloc(1, sizeof *l);
    if (!l || uv_loop_init(&l->loop)) {
        aim_free(l);
        aimd_log(AIMD_LOG_ERROR, "start_failed", AIMD_STR("reason", "out of memory"));
        return EX_OSERR;
    }
    run(l, options);
    aimd_log(AIMD_LOG_INFO, "stopped");
    int status = l->exit_status;
    aim_free(l);
    return status;
}
