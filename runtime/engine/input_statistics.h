/* SPDX-License-Identifier: Apache-2.0 */
/* input_statistics.h - what the inputs of a tile were over some texts, in bounded
 * memory, and the range that follows. */
#ifndef AIM_ENGINE_INPUT_STATISTICS_H
#define AIM_ENGINE_INPUT_STATISTICS_H

#include "engine/calibrate.h"

#include <stdint.h>

/* Bins of |x|: 128 a power of two, from 2^-24 up to 2^24; what is smaller is in the
 * first bin, what is larger in the last. Their borders are floats whose lower 16 bits
 * are 0, so that the bin is read off the bits. */
enum { AIM_INPUT_BINS = 48 * 128 };

/* Zeroed: nothing was seen. */
typedef struct aim_input_statistics {
    uint64_t bins[AIM_INPUT_BINS];
    uint64_t n; /* in all bins */
    float largest;
    /* Of the text under way: values, their sum and that of their squares. */
    uint64_t text_n;
    double text_sum, text_squares;
    /* Standard deviations of the texts that have one above 0: how many, their mean. */
    uint64_t n_deviations;
    double deviation;
} aim_input_statistics;

/* n more inputs of the text under way. Those that are not finite are left out. */
void aim__input_statistics_add(aim_input_statistics *s, const float *x, int n);
void aim__input_statistics_end_text(aim_input_statistics *s);
/* Finite and above 0: 1 if there was no input but 0. */
float aim__input_statistics_range(const aim_input_statistics *s, const aim_calibration *c);

#endif
