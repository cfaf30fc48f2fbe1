/* SPDX-License-Identifier: Apache-2.0 */
/* calibrate.h - input ranges for the tiles of a chip, from the inputs that texts
 * bring to them. */
#ifndef AIM_ENGINE_CALIBRATE_H
#define AIM_ENGINE_CALIBRATE_H

#include "engine/measure.h"

/* How the range of a tile follows from its inputs x. */
enum aim_calibration_method {
    /* The smallest range that leaves at least this share of the |x| inside. Counted
     * in bins of 1/128 of a power of two: the range is the upper edge of a bin, but
     * never above the largest |x|. */
    AIM_CALIBRATE_QUANTILE,
    AIM_CALIBRATE_MAX, /* the largest |x| */
    /* This many standard deviations: the mean over the texts of each text's own, as
     * aihwkit-lightning starts its ranges (torch_linear.py, init_std_alpha). */
    AIM_CALIBRATE_STD,
};

typedef struct aim_calibration {
    enum aim_calibration_method method;
    double value; /* the share, in (0, 1], or the factor, > 0; unused with MAX */
} aim_calibration;

/* The method called "quantile", "max" or "std" with its usual value: 0.9999, or the 18
 * standard deviations of the paper's training. name NULL: the quantile, which is best
 * as a rule (docs/research.md). AIM_EINVAL with param "method" and the list of names. */
int aim_calibration_find(const char *name, aim_calibration *out, aim_error *err);
/* AIM_EINVAL with param "value" if that is out of the method's range. */
int aim_calibration_check(const aim_calibration *c, aim_error *err);

/* Ranges for every tile of the model's chip: texts run through the chip as it is,
 * each from position 0; one longer than the engine's context goes in pieces, which
 * count as texts. The result depends on the texts and the chip, not on threads. A
 * profile with dynamic ranges (tile.input_range) has no use for it: a chip of that keeps
 * its dynamic ones, calibrated or not.
 * NULL on failure: AIM_EUNSUPPORTED (the model is not on a chip, or its profile has no
 * input converters), AIM_EINVAL (no tokens, or one outside the vocabulary; method),
 * AIM_ENOMEM with figures before anything big is taken, AIM_ECANCELED. */
aim_input_ranges_set *aim_model_calibrate(const aim_model *m, const aim_token_list *texts,
                                          size_t n_texts, const aim_calibration *calibration,
                                          const aim_measure_options *options, aim_error *err);

#endif
