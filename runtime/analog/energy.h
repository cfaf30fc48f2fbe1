/* SPDX-License-Identifier: Apache-2.0 */
/* energy.h - what a chip is estimated to spend on a layer: products of matrix and
 * vector (MVMs) of its crossbar arrays, conversions, joules, seconds.
 *
 * A layer's inputs are cut into the tiles of its profile (tile_split.h), each of which
 * stands on arrays of its own. Arrays have a size in both directions, so a tile takes
 * ceil(width / rows) * ceil(out / columns) of them; one that is partly used costs as
 * much as a full one. Each converts its own inputs and outputs. */
#ifndef AIM_ANALOG_ENERGY_H
#define AIM_ANALOG_ENERGY_H

#include <stdint.h>

enum { AIM_ENERGY_SOURCE = 200 };

/* Figures of a profile. */
typedef struct aim_energy {
    int rows, columns;              /* inputs and outputs of an array; 0: no figures */
    double mvm_joule, mvm_seconds;  /* of one product of a whole array, converters included
                                       unless they are told apart */
    double dac_joule, adc_joule;    /* of one conversion, beside mvm_joule; usually 0 */
    char source[AIM_ENERGY_SOURCE]; /* where the figures come from */
} aim_energy;

/* What some work takes. Arrays of one stage work at the same time, stages one
 * after the other: seconds counts stages. */
typedef struct aim_chip_cost {
    uint64_t mvms, dac_conversions, adc_conversions;
    double joule, seconds;
} aim_chip_cost;

/* One row through a layer [out, in] on tiles of max_input_size inputs (<= 0: one tile
 * takes all), without its time: that is the stage's. */
aim_chip_cost aim_energy_of_layer(const aim_energy *e, int max_input_size, int out, int in);
/* sum += times * cost */
void aim_chip_cost_add(aim_chip_cost *sum, const aim_chip_cost *cost, uint64_t times);

#endif
