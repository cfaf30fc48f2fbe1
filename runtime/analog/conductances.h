/* SPDX-License-Identifier: Apache-2.0 */
/* conductances.h - the weights of one tile as integers: what serves in place of
 * float weights. The backend takes its codes from aim_conductance_codes and packs them
 * for the kernels (tensor/packed.h); the rest here belongs to the plain evaluator that
 * tests hold the kernels against (integer_linear.h).
 *
 * A column of the tile (one output channel) is held as codes with one float
 * step: weight = code * step. 8 bits are one plane of int8; 16 bits are two, code
 * = 256 * high + low, through the same int8 products; 4 bits are the digital weights
 * of the backend int4. Sums are exact, so a tile gives the same reading whatever the
 * order of adding is. */
#ifndef AIM_ANALOG_CONDUCTANCES_H
#define AIM_ANALOG_CONDUCTANCES_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum {
    AIM_CONDUCTANCE_MAX_4 = 7,
    AIM_CONDUCTANCE_MAX_8 = 127,
    AIM_CONDUCTANCE_MAX_16 = 32639, /* 256 * 127 + 127: both planes fit int8 */
};

typedef struct aim_conductances {
    int out, width;
    int8_t *low;  /* [out, width] the codes of up to 8 bits, the lower half of 16 */
    int8_t *high; /* [out, width], NULL with up to 8 bits */
    float *step;  /* [out] */
} aim_conductances;

/* The codes of one channel of a tile, n weights; high NULL: 8 bits, else 16. step =
 * largest weight / largest code, code = rint(weight / step), ties to even. Zeros have
 * step 0; a NaN or an infinity among the weights makes the step NaN and the codes 0. */
void aim_conductance_codes(const float *weight, int n, int8_t *low, int8_t *high, float *step);

/* The same rounded to nearest on 15 levels, from -7 to 7: what aihwkit-lightning makes of
 * a channel with DISCRETIZE_PER_CHANNEL and res = 14 (quant_utils.py clip_and_quantize),
 * step for step; but never with steps of 2 / half_step, which it takes where the weights
 * of all channels go beyond 14 (tile_weights.h). */
void aim_round_to_4_bits(const float *weight, int n, int8_t *codes, float *step);

/* From weights [out, width], rows `stride` floats apart, each as aim_conductance_codes or
 * aim_round_to_4_bits. bits: 4, 8 or 16. AIM_EINVAL (bits, a shape that packed.h would
 * refuse) or AIM_ENOMEM. */
int aim_conductances_init(aim_conductances *c, int bits, const float *weight, int out, int width,
                          size_t stride, aim_error *err);
void aim_conductances_fini(aim_conductances *c); /* also of a zeroed one */

/* sum over j of x[j] * code[channel, j], exact. x [width] in [-127, 127]. */
int64_t aim_conductance_sum(const aim_conductances *c, int channel, const int8_t *x);

#endif
