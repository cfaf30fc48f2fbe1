/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - one write(2) a line, so that lines of several threads never mix. */
#include "server/log.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "server/json_out.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const struct {
    const char *name;
    int priority; /* of syslog(3), which the journal reads from "<N>" */
} levels[] = {
    [AIMD_LOG_ERROR] = {"error", 3},
    [AIMD_LOG_WARNING] = {"warning", 4},
    [AIMD_LOG_INFO] = {"info", 6},
    [AIMD_LOG_DEBUG] = {"debug", 7},
};
enum { N_LEVELS = sizeof levels / sizeof levels[0] };

static struct {
    atomic_int level;
    bool json, journal;   /* set before the first thread starts */
    pthread_mutex_t lock; /* guards fd, and keeps lines whole */
    int fd;
    char *path; /* NULL: standard error */
} sink = {.level = AIMD_LOG_INFO, .lock = PTHREAD_MUTEX_INITIALIZER, .fd = STDERR_FILENO};

/* ---- where lines go ----------------------------------------------------- */

/* systemd names device and inode of the stream it gave us in JOURNAL_STREAM. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;
    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

/* Made only by a start: --check-config may run as another user than the daemon. */
int aimd_log_check(const char *file, aim_error *err)
{
    char *copy = NULL;
    bool good = access(file, W_OK) == 0;
    if (!good && errno == ENOENT && (copy = aim_strdup(file)))
        good = access(dirname(copy), W_OK | X_OK) == 0;
    int code = good ? 0 : aim_fail(err, AIM_EIO, "log_file %s: %s", file, strerror(errno));
    aim_free(copy);
    return code;
}

static int find_level(const char *name)
{
    for (int i = 0; i < N_LEVELS; i++)
        if (strcmp(levels[i].name, name) == 0)
            return i;
    return -1;
}

int aimd_log_open(const char *format, const char *level, const char *file, aim_error *err)
{
    int fd = STDERR_FILENO, least = find_level(level);
    if (least < 0)
        return aim_fail(err, AIM_EINVAL, "log_level: \"%.32s\" is no level", level);
    if (file && (fd = open_file(file)) < 0)
        return aim_fail(err, AIM_EIO, "log_file %s: %s", file, strerror(errno));
    char *path = file ? aim_strdup(file) : NULL;
    if (file && !path) {
        close(fd);
        return aim_fail_nomem(err, "log_file");
    }
    aimd_log_close();
    atomic_store(&sink.level, least);
    sink.json = strcmp(format, "json") == 0;
    sink.journal = !file && stderr_is_journal();
    sink.path = path;
    sink.fd = fd;
    return 0;
}

void aimd_log_reopen(void)
{
    if (!sink.path)
        return;
    int fd = open_file(sink.path);
    if (fd < 0) {
        aimd_log(AIMD_LOG_ERROR, "log_reopen_failed", AIMD_STR("file", sink.path),
                 AIMD_STR("reason", strerror(errno)));
        return;
    }
    pthread_mutex_lock(&sink.lock);
    close(sink.fd);
    sink.fd = fd;
    pthread_mutex_unlock(&sink.lock);
}

void aimd_log_close(void)
{
    if (sink.path)
        close(sink.fd);
    aim_free(sink.path);
    sink.path = NULL;
    sink.fd = STDERR_FILENO;
}

/* ---- the text of a line ------------------------------------------------- */

/* May a value stand in logfmt without quotes? Otherwise it is written as a JSON
 * string, so that no value can start a line or a field of its own. */
static bool is_plain(const char *s)
{
    if (!*s)
        return false;
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f || *s == '"' || *s == '=' ||
            *s == '\\')
            return false;
    return true;
}

static void put_string(aim_buf *b, const char *s)
{
    if (!sink.json && is_plain(s))
        aim_buf_puts(b, s);
    else
        aimd_json_cstring(b, s);
}

static void put_key(aim_buf *b, const char *key)
{
    aim_buf_printf(b, sink.json ? "\"%s\":" : "%s=", key);
}

static void put_separator(aim_buf *b)
{
    aim_buf_puts(b, sink.json ? "," : " ");
}

static void put_field(aim_buf *b, const aimd_field *f)
{
    put_key(b, f->key);
    switch (f->kind) {
    case AIMD_FIELD_INT:
        aim_buf_printf(b, "%lld", (long long)f->integer);
        break;
    case AIMD_FIELD_NUMBER:
        if (f->number == rint(f->number) && fabs(f->number) < 1e15)
            aim_buf_printf(b, "%.0f", f->number);
        else if (isfinite(f->number))
            aim_buf_printf(b, "%.6g", f->number);
        else
            aim_buf_puts(b, "null");
        break;
    default:
        put_string(b, f->string ? f->string : "");
    }
}

/* RFC 3339 with milliseconds, UTC. */
static void put_time(aim_buf *b)
{
    struct timespec now;
    struct tm utc;
    char text[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    put_key(b, "time");
    aim_buf_printf(b, sink.json ? "\"%s.%03ldZ\"" : "%s.%03ldZ", text, now.tv_nsec / 1000000);
}

static void put_line(aim_buf *b, enum aimd_log_level level, const char *event,
                     const aimd_field *fields)
{
    if (sink.journal)
        aim_buf_printf(b, "<%d>", levels[level].priority);
    if (sink.json)
        aim_buf_puts(b, "{");
    if (!sink.journal) { /* the journal has its own time */
        put_time(b);
        put_separator(b);
    }
    put_field(b, &AIMD_STR("level", levels[level].name));
    put_separator(b);
    put_field(b, &AIMD_STR("event", event));
    for (; fields->kind != AIMD_FIELD_END; fields++) {
        put_separator(b);
        put_field(b, fields);
    }
    aim_buf_puts(b, sink.json ? "}\n" : "\n");
}

static void write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* nobody left to tell */
        bytes += n;
        len -= (size_t)n;
    }
}

void aimd_log_fields(enum aimd_log_level level, const char *event, const aimd_field *fields)
{
    if ((int)level > atomic_load_explicit(&sink.level, memory_order_relaxed))
        return;
    aim_buf line = AIM_BUF_INIT;
    put_line(&line, level, event, fields);
    if (!line.failed) {
        pthread_mutex_lock(&sink.lock);
        write_all(sink.fd, line.data, line.len);
        pthread_mutex_unlock(&sink.lock);
    }
    aim_buf_free(&line);
}
