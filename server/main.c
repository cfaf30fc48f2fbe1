/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - analogd(8). */
#include "config.h"

#include "base/json.h"
#include "server/lifecycle.h"
#include "server/load.h"

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

/* What --check-config looks at beside the options: the files they name, and all of
 * a model but the values of its weights. */
static int check_config(const aimd_options *o)
{
    aim_error err = {0};
    if (o->log_file && aimd_log_check(o->log_file, &err))
        return report(&err, AIMD_EXIT_CONFIG);
    if (o->api_key_file) {
        aimd_keys *keys = aimd_keys_load(o->api_key_file, &err);
        if (!keys)
            return report(&err, AIMD_EXIT_CONFIG);
        aimd_keys_free(keys);
    }
    if (aimd_load_check(o, 0, &err))
        return report(&err, aimd_exit_status(err.code));
    puts("analogd: the configuration is good");
    return EXIT_SUCCESS;
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
    int status = options.check_config ? check_config(&options) : run(&options);
    aimd_options_free(&options);
    return status;
}
