/* SPDX-License-Identifier: Apache-2.0 */
/* probe.h - how well a model's linear layers do on a given prompt: what converters
 * cut off, and how far outputs are from those of the checkpoint's own weights. */
#ifndef AIM_ENGINE_PROBE_H
#define AIM_ENGINE_PROBE_H

#include "engine/measure.h"

/* One linear layer; query, key and value apart where the checkpoint has them so. */
typedef struct aim_layer_probe {
    char name[AIM_LINEAR_NAME]; /* "layers.0.q_proj", "lm_head" */
    int outputs, inputs;
    int tiles;               /* 0: the layer is computed digitally */
    const char *input_range; /* "learned", "calibrated", "dynamic" or "none"; constant */
    double dac_clipped;      /* share of the inputs beyond the DAC's range */
    double adc_saturated;    /* share of the readings beyond the ADC's full scale */
    /* RMS of y - ideal over RMS of ideal, where y is what the layer gave for its
     * inputs x, before a bias, and ideal is x W^T with the weights of the checkpoint
     * in float32. 0 if ideal is 0 throughout, NaN if an output was not finite. */
    double rms_error;
} aim_layer_probe;

typedef struct aim_probe {
    int n_tokens;
    aim_layer_probe *layers; /* [n_layers], in the order of their use */
    size_t n_layers;
} aim_probe;

/* Run a prompt. All its rows count, in lm_head too. Read noise, if the model has
 * it, is that of a request with seed 0. NULL on failure: AIM_ECONTEXT (longer than
 * the engine's context), AIM_EINVAL (no tokens, or one outside the vocabulary),
 * AIM_EUNSUPPORTED (random weights), AIM_ENOMEM with figures before anything big is
 * taken, AIM_ECANCELED. */
aim_probe *aim_model_probe(const aim_model *m, aim_token_list prompt,
                           const aim_measure_options *options, aim_error *err);
void aim_probe_free(aim_probe *p); /* NULL is fine */

#endif
