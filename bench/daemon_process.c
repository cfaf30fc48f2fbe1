/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/daemon_process.h"

#include "base/cpu.h"
#include "bench/http_load.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ARGS = 32, START_SECONDS = 900, POLL_MS = 5 };

static void run_child(const char *program, const char *const *args, const char *log)
{
    const char *argv[MAX_ARGS + 8] = {program, "--listen",       "127.0.0.1:0", "--log-format",
                                      "json",  "--admin-listen", "none"};
    int n = 7;
    for (int i = 0; args[i] && i < MAX_ARGS; i++)
        argv[n++] = args[i];
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd >= 0)
        dup2(fd, STDERR_FILENO);
    execv(program, (char *const *)argv);
    _exit(127);
}

static void pause_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* The first log line of this event; false if there is none. */
static bool find_event(const char *log, const char *event, char *line, int size)
{
    char mark[64];
    bool found = false;
    snprintf(mark, sizeof mark, "\"event\":\"%s\"", event);
    FILE *f = fopen(log, "re");
    while (f && !found && fgets(line, size, f))
        found = strstr(line, mark) != NULL;
    if (f)
        fclose(f);
    return found;
}

/* The port in the address of the event "listening", or 0. */
static int find_port(const char *log)
{
    char line[4096];
    const char *at = find_event(log, "listening", line, sizeof line) ? strrchr(line, ':') : NULL;
    return at ? atoi(at + 1) : 0;
}

double daemon_log_number(const daemon_process *d, const char *event, const char *key)
{
    char line[4096], mark[64];
    snprintf(mark, sizeof mark, "\"%s\":", key);
    const char *at = find_event(d->log, event, line, sizeof line) ? strstr(line, mark) : NULL;
    return at ? atof(at + strlen(mark)) : 0;
}

/* Keeps the highest figure seen: the kernel itself keeps that of all memory, the
 * pages of mapped files included. */
static void sample_memory(daemon_process *d)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%ld/status", (long)d->pid);
    FILE *f = fopen(path, "re");
    for (double kib; f && fgets(line, sizeof line, f);)
        if (sscanf(line, "RssAnon: %lf", &kib) == 1 && 1024 * kib > d->peak_anonymous)
            d->peak_anonymous = 1024 * kib;
    if (f)
        fclose(f);
}

static int wait_ready(daemon_process *d)
{
    uint64_t start = aim_now_ns(), end = start + (uint64_t)START_SECONDS * 1000000000u;
    while (aim_now_ns() < end && waitpid(d->pid, NULL, WNOHANG) == 0) {
        sample_memory(d);
        if (d->port == 0)
            d->port = find_port(d->log);
        if (d->port && http_get_status(d->port, "/readyz") == 200) {
            d->ready_seconds = (double)(aim_now_ns() - start) * 1e-9;
            return 0;
        }
        pause_ms(POLL_MS);
    }
    fprintf(stderr, "bench: analogd did not become ready; see %s\n", d->log);
    return -1;
}

int daemon_start(daemon_process *d, const char *program, const char *const *args)
{
    *d = (daemon_process){0};
    snprintf(d->log, sizeof d->log, "/tmp/analogd-bench.%ld.log", (long)getpid());
    unlink(d->log);
    d->pid = fork();
    if (d->pid == 0)
        run_child(program, args, d->log);
    return d->pid > 0 ? wait_ready(d) : -1;
}

void daemon_stop(daemon_process *d)
{
    if (d->pid <= 0)
        return;
    kill(d->pid, SIGTERM);
    waitpid(d->pid, NULL, 0);
    unlink(d->log);
    d->pid = 0;
}

/* First field of /proc/PID/task/TID/schedstat: time on a CPU in nanoseconds. */
static double task_seconds(const char *task)
{
    char path[300];
    double ns = 0;
    snprintf(path, sizeof path, "%s/schedstat", task);
    FILE *f = fopen(path, "re");
    if (f && fscanf(f, "%lf", &ns) != 1)
        ns = 0;
    if (f)
        fclose(f);
    return ns * 1e-9;
}

static int has_name(const char *task, const char *name)
{
    char path[300], comm[64] = "";
    snprintf(path, sizeof path, "%s/comm", task);
    FILE *f = fopen(path, "re");
    if (f && !fgets(comm, sizeof comm, f))
        comm[0] = '\0';
    if (f)
        fclose(f);
    return strncmp(comm, name, strlen(name)) == 0;
}

double daemon_cpu_seconds(const daemon_process *d, const char *name)
{
    char folder[64], task[256];
    double sum = 0;
    snprintf(folder, sizeof folder, "/proc/%ld/task", (long)d->pid);
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(task, sizeof task, "%s/%.100s", folder, e->d_name);
        if (has_name(task, name))
            sum += task_seconds(task);
    }
    if (dir)
        closedir(dir);
    return sum;
}
