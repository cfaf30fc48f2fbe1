/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/options.h"

#include "bench/report.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static bench_options given = {
    .program = "./analogd",
    .model = "models/wordmath-2m",
    .profile = "conf/profiles/pcm-hermes.conf",
    .make_checkpoint = "tests/reference/make_random_checkpoint.py",
    .rounds = 5,
    .backend = "int8",
    .text = "LICENSE",
};

/* Options with a text as value, and where it goes. */
static const struct {
    const char *name, **value;
} texts[] = {
    {"program", &given.program}, {"model", &given.model},
    {"profile", &given.profile}, {"make-checkpoint", &given.make_checkpoint},
    {"only", &given.only},       {"load", &given.load},
    {"backend", &given.backend}, {"tokenizer", &given.tokenizer},
    {"text", &given.text},
};
enum { TEXTS = sizeof texts / sizeof texts[0], JSON = TEXTS, QUICK, ROUNDS, OPTIONS };

static int parse_rounds(const char *text)
{
    char *end;
    errno = 0;
    long rounds = strtol(text, &end, 10);
    if (errno || end == text || *end || rounds < 1 || rounds > MAX_ROUNDS) {
        fprintf(stderr, "bench: --rounds \"%s\": a number from 1 to %d\n", text, MAX_ROUNDS);
        exit(2);
    }
    return (int)rounds;
}

void options_parse(int argc, char **argv)
{
    struct option options[OPTIONS + 1] = {[JSON] = {"json", no_argument, NULL, JSON},
                                          [QUICK] = {"quick", no_argument, NULL, QUICK},
                                          [ROUNDS] = {"rounds", required_argument, NULL, ROUNDS}};
    for (int i = 0; i < TEXTS; i++)
        options[i] = (struct option){texts[i].name, required_argument, NULL, i};
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (o == '?')
            exit(2);
        if (o < TEXTS)
            *texts[o].value = optarg;
        else if (o == JSON)
            given.json = true;
        else
            given.rounds = o == QUICK ? 1 : parse_rounds(optarg);
    }
    if (optind < argc) {
        fprintf(stderr, "bench: what is \"%s\"?\n", argv[optind]);
        exit(2);
    }
}

const bench_options *options_get(void)
{
    return &given;
}
