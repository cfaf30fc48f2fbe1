/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - what the operator asked for: analogd.conf, then flags over it.
 * options.def holds one row an option; it drives the parser, the range checks,
 * --help and the table in analogd.conf(5). */
#ifndef AIMD_OPTIONS_H
#define AIMD_OPTIONS_H

#include "base/error.h"
#include "engine/engine.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct aimd_model_options {
    char *id;      /* served model id; default: name of the directory */
    char *dir;
    char *backend; /* "int8" */
    aim_engine_config engine;
} aimd_model_options;

typedef struct aimd_options {
    aimd_model_options *models;
    size_t n_models;
    char *listen_address;
    int listen_port;
    char *admin_address; /* second listener for health and metrics; NULL or "" with port 0: none */
    int admin_port;
    char *kernels;       /* "auto" */
    char *api_key_file;
    char **hosts;        /* NULL-terminated */
    bool strict_params;
    char *log_format;    /* "text" or "json" */
    char *log_level;     /* "error", "warning", "info", "debug" */
    char *log_file;      /* NULL: standard error */
    bool log_prompts;
    size_t max_body_bytes;
    int max_connections, max_connections_per_ip;
    int header_timeout, body_timeout, idle_timeout, send_timeout;
    int drain_timeout;
    int queue_timeout;   /* seconds a request may wait to start */
    /* caps of request fields */
    int max_n, max_prompts, max_stop_strings, max_logit_bias, max_top_logprobs;
    bool check_config;   /* --check-config: parse, report, exit */
    bool test_hooks;     /* --test-hooks: POST /debug/hang for the watchdog test */
} aimd_options;

/* Parse argv (and the file it names). Returns 0, or 1 if help or version was
 * printed and the program should exit 0, or a negative number after writing an
 * error that names file and line, or the flag, to standard error. */
int aimd_options_parse(int argc, char **argv, aimd_options *o);
void aimd_options_free(aimd_options *o);
/* Parse configuration text from memory, as --config does (tests, fuzzing). */
int aimd_options_parse_text(const char *text, const char *name, aimd_options *o, aim_error *err);

#endif
