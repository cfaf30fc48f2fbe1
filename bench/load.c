/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load.h"

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/file.h"
#include "bench/daemon_process.h"
#include "bench/http_load.h"
#include "bench/report.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER = 8 << 20 };
static const double MIB = 1 << 20;

/* What the weights are in: model*.safetensors, pytorch_model*.bin. */
static int is_weights(const char *name)
{
    const char *end = strrchr(name, '.');
    return end && (strcmp(end, ".safetensors") == 0 || strcmp(end, ".bin") == 0);
}

/* One visit to a file of weights. Returns the bytes it saw. */
typedef size_t file_fn(int fd, char *buffer);

/* Clean pages that nobody maps leave the page cache. */
static size_t evict(int fd, char *buffer)
{
    (void)buffer;
    fdatasync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    return 0;
}

static size_t read_through(int fd, char *buffer)
{
    size_t all = 0;
    for (ssize_t n; (n = read(fd, buffer, BUFFER)) > 0;)
        all += (size_t)n;
    return all;
}

static size_t visit_file(const char *dir, const char *name, file_fn *visit, char *buffer)
{
    char *path = aim_path_join(dir, name);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    size_t bytes = fd >= 0 ? visit(fd, buffer) : 0;
    if (fd >= 0)
        close(fd);
    aim_free(path);
    return bytes;
}

static size_t visit_weights(const char *dir, file_fn *visit)
{
    size_t bytes = 0;
    char *buffer = aim_malloc(BUFFER);
    DIR *d = opendir(dir);
    for (struct dirent *e; buffer && d && (e = readdir(d));)
        if (is_weights(e->d_name))
            bytes += visit_file(dir, e->d_name, visit, buffer);
    if (d)
        closedir(d);
    aim_free(buffer);
    return bytes;
}

size_t load_read(const char *dir)
{
    return visit_weights(dir, read_through);
}

/* Seconds of one read of all files; *bytes: what they have. */
static double read_seconds(const char *dir, size_t *bytes)
{
    uint64_t start = aim_now_ns();
    *bytes = load_read(dir);
    return (double)(aim_now_ns() - start) * 1e-9;
}

static void report_memory(const daemon_process *d)
{
    double weights = daemon_log_number(d, "loading", "weights_bytes");
    double cache = daemon_log_number(d, "loading", "kv_cache_bytes");
    report("load_weights", weights / MIB, "MiB", 0, true);
    report("load_kv_cache_reserved", cache / MIB, "MiB", 0, true);
    report("load_peak_anonymous", d->peak_anonymous / MIB, "MiB", 0, true);
    report("load_peak_to_weights", d->peak_anonymous / weights, "ratio", 0, true);
    report("load_peak_to_weights_and_cache", d->peak_anonymous / (weights + cache), "ratio", 0,
           true);
}

/* The first request: 16 tokens of prompt, one of answer. */
static int report_first_answer(const daemon_process *d)
{
    uint64_t start = aim_now_ns();
    if (http_load_run(d->port, 1, 16, 1) < 0)
        return -1;
    report("load_first_answer", (double)(aim_now_ns() - start) * 1e-9, "s", 0, true);
    return 0;
}

/* One start. The figure beside the time to ready is one read of the files. */
static int run_once(const char *program, const char *dir, const char *backend, const char *name,
                    bool cold)
{
    const char *args[] = {"--model", dir, "--backend", backend, NULL};
    char row[64];
    daemon_process d;
    size_t bytes;
    if (cold)
        visit_weights(dir, evict);
    double read = read_seconds(dir, &bytes);
    if (cold)
        visit_weights(dir, evict);
    if (bytes == 0 || daemon_start(&d, program, args) != 0) {
        fprintf(stderr, "bench: cannot load %s\n", dir);
        return -1;
    }
    snprintf(row, sizeof row, "load_%s_ready", name);
    report(row, d.ready_seconds, "s", read, true);
    snprintf(row, sizeof row, "load_%s_rate", name);
    report(row, (double)bytes * 1e-9 / d.ready_seconds, "GB/s", (double)bytes * 1e-9 / read, false);
    int rc = 0;
    if (!cold) {
        report_memory(&d);
        rc = report_first_answer(&d);
    }
    daemon_stop(&d);
    return rc;
}

int bench_load(const char *program, const char *dir, const char *backend)
{
    char title[512];
    snprintf(title, sizeof title, "Loading %s, %s (limit: one read of its files)", dir, backend);
    report_title(title);
    return run_once(program, dir, backend, "cold", true) ||
                   run_once(program, dir, backend, "warm", false)
               ? -1
               : 0;
}
