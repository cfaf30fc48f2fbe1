/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - analogd(8). */
#include "config.h"

#include "base/json.h"
#include "server/check_config.h"
#include "server/lifecycle.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

/* A model file that was cut short while it is mapped: the weights are gone. */
static void on_sigbus(int number)
{
    static const char text[] = "analogd: a model file was truncated or cannot be read, exiting\n";
    (void)number;
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    _exit(EX_SOFTWARE);
}

static int report(const aim_error *err, int status)
{
    fprintf(stderr, "analogd: %s\n", err->text);
    return status;
}

static int run(aimd_options *o)
{
    aim_error err = {0};
    if (aimd_log_open(o->log_format, o->log_level, o->log_file, &err))
        return report(&err, AIMD_EXIT_CONFIG);
    if (geteuid() == 0)
        aimd_log(AIMD_LOG_WARNING, "running_as_root",
                 AIMD_STR("advice", "analogd needs no privileges; run it as a user of its own"));
    signal(SIGBUS, on_sigbus);
    int status = aimd_run(o);
    aimd_log_close();
    return status;
}

int main(int argc, char **argv)
{
    aimd_options options;
    aim_json_init();
    int rc = aimd_options_parse(argc, argv, &options);
    if (rc)
        return rc < 0 ? -rc : EXIT_SUCCESS;
    int status = options.check_config ? aimd_check_config(&options) : run(&options);
    aimd_options_free(&options);
    return status;
}
