/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - the command line of analogd-bench, for all who need a path of it. */
#ifndef AIM_BENCH_OPTIONS_H
#define AIM_BENCH_OPTIONS_H

#include <stdbool.h>

typedef struct bench_options {
    const char *program;         /* analogd */
    const char *model;           /* folder of the shipped model */
    const char *profile;         /* file, of chips */
    const char *make_checkpoint; /* tests/reference/make_random_checkpoint.py */
    const char *only;            /* patterns of names; NULL: the usual run */
    int rounds;                  /* 1 to MAX_ROUNDS */
    bool json;
    /* Two tools of their own, instead of the cases: */
    const char *load, *backend;   /* a checkpoint folder and how it is served */
    const char *tokenizer, *text; /* a folder with a tokenizer, a file it encodes */
} bench_options;

/* Ends the program if they make no sense. */
void options_parse(int argc, char **argv);
const bench_options *options_get(void);

#endif
