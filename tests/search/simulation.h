/* SPDX-License-Identifier: Apache-2.0 */
/* simulation.h - a generator and a reward model made up for a test: drawn from a hash
 * function, or read from a record. The model in search_model.py has the same. */
#ifndef SEARCH_SIMULATION_H
#define SEARCH_SIMULATION_H

#include "search/search.h"

#include <jansson.h>

typedef struct simulation {
    uint64_t seed;
    /* Of 100 tokens so many end the answer, end a step, write a number. */
    int stop, separator, number;
    int levels; /* of values: few of them tie often */
    /* Of 100 texts so many cannot be scored; of 100 scores so many are not numbers. */
    int unscorable, nan;
    bool raw, steps;
    const char *step_end;   /* the text between steps */
    const json_t *words;    /* numbers */
    const json_t *recorded; /* by number of candidate, equal texts with equal scores; NULL:
                               drawn */
} simulation;

/* Borrows from json, which must be good. */
void simulation_read(simulation *m, const json_t *json, const aim_search_options *o);

typedef struct simulated_token {
    const char *text; /* borrowed */
    double logprob, certainty;
    bool stop;
} simulated_token;
simulated_token simulate_token(const simulation *m, const aim_candidate *c);
/* Does a step end here? */
bool simulated_step_end(const simulation *m, const char *text);

/* Steps of its text that have scores. */
int simulate_steps(const simulation *m, const aim_candidate *c);
/* false: it cannot be scored. */
bool simulate_can_score(const simulation *m, const aim_candidate *c);
float simulate_score(const simulation *m, const aim_candidate *c, int step);

uint64_t simulate_hash(uint64_t seed, uint64_t a, uint64_t b);
uint64_t simulate_digest(const char *text, size_t len);

#endif
