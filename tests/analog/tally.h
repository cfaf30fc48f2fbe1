/* SPDX-License-Identifier: Apache-2.0 */
/* tally.h - what tile_vectors counts, and the values it compares. */
#ifndef AIM_TESTS_TALLY_H
#define AIM_TESTS_TALLY_H

#include "analog/tile_settings.h"
#include "vector_file.h"

#include <stdbool.h>
#include <stddef.h>

/* Outputs of the integer evaluator against the reference evaluator's. */
typedef struct integer_tally {
    long cases, outputs;
    long not_done;        /* cases whose DAC codes are no int8 */
    long off;             /* outputs with a reading that is another ADC code */
    long far_readings;    /* readings more than one ADC code off */
    double error_squares; /* each divided by the mean square of its case's outputs */
} integer_tally;

typedef struct tally {
    long cases, outputs, mismatches;
    long with_converters; /* linear cases with a DAC and an ADC, read without an error */
    integer_tally bits8, bits16;
    integer_tally ties; /* 16 bits over the cases made of exact ties, counted apart */
    long four_bits;     /* cases whose weights are 4-bit codes, which the integer evaluator must
                           reproduce as the files have them: what differs is a mismatch */
} tally;

/* How close two numbers must be: |got - expected| <= absolute + relative * |expected|. */
typedef struct tolerance {
    double absolute, relative;
} tolerance;

/* Compare n numbers, count those that differ as mismatches and print the first. */
void tally_compare(tally *t, vector_source from, const char *name, const float *got,
                   const float *expected, size_t n, tolerance within);

/* Are weights [n] rounded as the backend int4 does it? Beyond 14 the simulator may take
 * other steps (analog/conductances.h). */
bool rounds_to_4_bits(const aim_tile_settings *s, const float *weight, size_t n);

/* One file of vectors; adds to the tally. AIM_OK also with mismatches. */
int run_linear_case(vector_source file, tally *t, aim_error *err);
int run_quantise_weights(vector_source file, tally *t, aim_error *err);
int run_clip_weights(vector_source file, tally *t, aim_error *err);
int run_split_sizes(vector_source file, tally *t, aim_error *err);

#endif
