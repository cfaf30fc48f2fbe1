/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint_load.c - from the start of a daemon to its readiness, with a checkpoint of
 * a published shape that is made for it. */
#include "bench/cases.h"
#include "bench/daemon_process.h"
#include "bench/load.h"
#include "bench/machine.h"
#include "bench/options.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs a program to its end, its output to the standard error; true if it went well. */
static bool run_program(const char *const *argv)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        dup2(STDERR_FILENO, STDOUT_FILENO);
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

/* What is written is on the disk before anything is measured. */
static bool make_checkpoint(const char *shape, const char *dir)
{
    const bench_options *o = options_get();
    const char *argv[] = {"python3", o->make_checkpoint, shape, dir, "--tokenizer", o->model, NULL};
    bool made = run_program(argv);
    sync();
    return made;
}

static void remove_folder(const char *dir)
{
    const char *argv[] = {"rm", "-r", dir, NULL};
    run_program(argv);
}

/* One start; the limit is one read of the files at the bandwidth of memory. */
static bool start_once(const char *dir, double bytes, figure *f)
{
    const char *args[] = {"--model", dir, "--backend", "int8", NULL};
    daemon_process d;
    machine_limits before = machine_probe(0, 0);
    if (daemon_start(&d, options_get()->program, args) != 0)
        return false;
    daemon_stop(&d);
    machine_limits during = machine_between(before, machine_probe(0, 0));
    figure_add(f, d.ready_seconds, bytes / during.bandwidth);
    return true;
}

void bench_load_ready(const bench_case *c)
{
    const char *tmp = getenv("TMPDIR");
    char dir[256];
    figure f = figure_named(c->name, "s", true);
    snprintf(dir, sizeof dir, "%s/analogd-bench.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(dir)) {
        report_skipped(c->name, "no temporary folder");
        return;
    }
    double bytes = make_checkpoint(model_shape_name(c->shape), dir) ? (double)load_read(dir) : 0;
    for (int i = 0; bytes > 0 && i < cases_rounds(); i++)
        if (!start_once(dir, bytes, &f))
            break;
    if (f.rounds == 0)
        report_skipped(c->name, "no checkpoint (is python3 there?), or no daemon");
    figure_report(&f);
    remove_folder(dir);
}
