/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - analogctl(1). */
#include "base/json.h"
#include "ctl/key.h"
#include "ctl/options.h"
#include "ctl/outcome.h"
#include "ctl/terminal.h"
#include "ctl/wait.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static int run(const actl_options *o, aim_error *err)
{
    char key[ACTL_KEY_BYTES];
    const char *url = o->values[ACTL_URL] ? o->values[ACTL_URL] : getenv("ANALOGD_URL");
    actl_client *client;
    int rc = actl_key_read(o->values[ACTL_API_KEY_FILE], key, err);
    if (rc != ACTL_OK)
        return rc;
    rc = actl_client_open(url && *url ? url : "http://127.0.0.1:8080", *key ? key : NULL,
                          actl_option_number(o, ACTL_TIMEOUT, o->command->timeout),
                          &actl_interrupted, &client, err);
    if (rc != ACTL_OK)
        return rc;
    rc = o->command->run(client, o, err);
    actl_client_close(client);
    return rc;
}

static void point_to_help(const actl_command *command)
{
    char text[64];
    snprintf(text, sizeof text, "try 'analogctl %s%s--help'", command ? command->name : "",
             command ? " " : "");
    actl_complain(text);
}

/* A full disk must not look like success. */
static int flush(int rc, aim_error *err)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return rc;
    aim_fail(err, AIM_EIO, "cannot write the output");
    return rc == ACTL_OK ? ACTL_USAGE : rc;
}

int main(int argc, char **argv)
{
    aim_error err = {0};
    actl_options options;
    aim_json_init();
    int rc = actl_options_parse(argc, argv, &options, &err);
    bool wrong_usage = rc != ACTL_OK;
    if (rc == ACTL_OK && options.command)
        rc = run(&options, &err);
    rc = flush(rc, &err);
    if (err.code)
        actl_complain(err.text);
    if (wrong_usage)
        point_to_help(options.command);
    if (rc == ACTL_INTERRUPTED) {
        signal(SIGINT, SIG_DFL); /* the shell shall see it */
        raise(SIGINT);
    }
    return rc;
}
