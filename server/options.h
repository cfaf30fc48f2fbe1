/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - what the operator asked for: built-in defaults, the configuration
 * file over them, flags over both. options.def holds one row an option. */
#ifndef AIMD_OPTIONS_H
#define AIMD_OPTIONS_H

#include "base/error.h"
#include "engine/engine.h"
#include "text/chat_template.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AIMD_MAX_SEPARATOR_BYTES = 64 };

/* What requests for several candidates to choose from have where they do not say. */
typedef struct aimd_search_defaults {
    int best_of;
    char *select;                      /* "auto", or a name of AIM_SELECT_NAMES */
    char *reward_model;                /* id; NULL: the first one */
    char *reward_aggregation, *search; /* of AIM_AGGREGATION_NAMES and AIM_SEARCH_NAMES */
    int beam_width;
    char *step_separator; /* of 1 to AIMD_MAX_SEPARATOR_BYTES; NULL: the reward model's */
    char *answer_pattern; /* NULL: the usual places */
} aimd_search_defaults;

typedef struct aimd_model_options {
    char *id; /* served model id; default: name of the directory */
    char *dir;
    char *role;           /* "generator" or "reward" */
    char *backend;        /* "int8", "int4", "f32", "analog", "analog-exact" */
    char *chat_template;  /* "auto", or a name of AIM_CHAT_TEMPLATE_NAMES */
    char *random_weights; /* shape to measure with instead of the weights; NULL: none */
    /* Of a chip; all unset for a digital backend. */
    char *profile; /* a name, or with a '/' a file */
    uint64_t chip_seed;
    double chip_age;      /* seconds */
    int conductance_bits; /* 0: the profile's */
    double out_bound;     /* 0: the profile's */
    char *input_ranges;   /* NULL: those of the checkpoint, or of a calibration */
    aim_engine_config engine;
    aimd_search_defaults search; /* of a generator */
} aimd_model_options;

typedef struct aimd_address {
    char *host; /* "127.0.0.1", "::1", "0.0.0.0" */
    int port;   /* 0: a free one */
} aimd_address;

typedef struct aimd_options {
    aimd_model_options *models;
    size_t n_models;
    aimd_address listen;
    aimd_address admin; /* second listener for health and metrics; host NULL: none */
    char *kernels;      /* "auto" */
    char *api_key_file;
    char **hosts; /* NULL-terminated; NULL: loopback names only */
    bool strict_params;
    char *log_format; /* "text" or "json" */
    char *log_level;  /* "error", "warning", "info", "debug" */
    char *log_file;   /* NULL: standard error */
    bool log_prompts;
    char **profile_dirs; /* of profiles by name, the package's last; NULL-terminated */
    char *state_dir;     /* NULL: nothing is kept over a restart */
    size_t max_body_bytes;
    int max_connections, max_connections_per_ip;
    int header_timeout, body_timeout, idle_timeout, send_timeout;
    int drain_timeout;
    int queue_timeout; /* seconds a request may wait to start */
    /* caps of request fields */
    int max_n, max_prompts, max_stop_strings, max_logit_bias, max_top_logprobs;
    int max_logprob_entries; /* of one answer */
    int max_best_of, max_total_tokens;
    bool check_config; /* --check-config: parse, report, exit */
    bool test_hooks;   /* --test-hooks: POST /debug/hang for the watchdog test */
} aimd_options;

/* Exit statuses of sysexits.h that the unit file treats as not worth a restart. */
enum { AIMD_EXIT_USAGE = 64, AIMD_EXIT_DATA = 65, AIMD_EXIT_CONFIG = 78 };

/* The exit status for a model that cannot be served, at the start and for
 * --check-config: 78 if an option is wrong, 71 if the system lacks something, 65
 * if the folder is of no use. */
int aimd_exit_status(enum aim_code code);

/* Parse argv (and the file it names). Returns 0, or 1 if help or version was
 * printed and the program should exit 0, or a negated exit status after writing
 * an error that names file and line, or the flag, to standard error. *o is then
 * empty. */
int aimd_options_parse(int argc, char **argv, aimd_options *o);
void aimd_options_free(aimd_options *o);
/* Parse configuration text from memory, as --config does (tests, fuzzing); name
 * stands for the file in errors. One thread at a time. On failure *o is empty. */
int aimd_options_parse_text(const char *text, const char *name, aimd_options *o, aim_error *err);

/* Does a model of this backend stand on a simulated chip? */
bool aimd_is_analog(const char *backend);
/* Does it score answers instead of giving them? */
bool aimd_is_reward(const aimd_model_options *m);
/* What must hold between the options of one model, such as that a chip has a
 * profile. AIM_EINVAL with the option in err->param. */
int aimd_model_options_check(const aimd_model_options *m, aim_error *err);
/* A model's options that share nothing with `from`. 0, or AIM_ENOMEM: *to is then
 * empty. */
int aimd_model_options_copy(aimd_model_options *to, const aimd_model_options *from, aim_error *err);
void aimd_model_options_free(aimd_model_options *m); /* what it points to */

/* Only programs on this host can reach it: 127.0.0.0/8 or ::1. */
bool aimd_is_loopback(const char *host);
/* Names in the Host header to accept on a listener at this address, as
 * aimd_http_limits wants them. */
const char *const *aimd_allowed_hosts(const aimd_options *o, const char *host);

#endif
