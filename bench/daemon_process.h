/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_process.h - the real analogd as a child process. */
#ifndef AIM_BENCH_DAEMON_PROCESS_H
#define AIM_BENCH_DAEMON_PROCESS_H

#include <sys/types.h>

typedef struct daemon_process {
    pid_t pid;
    int port;
    char log[64];          /* path of its log file */
    double ready_seconds;  /* from the start to the first 200 of /readyz */
    double peak_anonymous; /* bytes of memory, mapped files aside, seen until then */
} daemon_process;

/* Start it on a free port with these arguments (NULL-terminated, without the
 * program and --listen) and wait until it is ready. 0, or -1 after a message. */
int daemon_start(daemon_process *d, const char *program, const char *const *args);
void daemon_stop(daemon_process *d);

/* A number in the first log line of this event; 0 if there is none. */
double daemon_log_number(const daemon_process *d, const char *event, const char *key);

/* CPU time in seconds, summed over the threads whose name begins with name. */
double daemon_cpu_seconds(const daemon_process *d, const char *name);

#endif
