/* SPDX-License-Identifier: Apache-2.0 */
/* device_pairs.h - a channel's weights on pairs of devices: one conducts for
 * positive weights, the other for negative ones, and the weight is what the two
 * differ by (aihwkit, converter/conductance.py SinglePairConductanceConverter,
 * with one digital scale a channel of a tile: its largest weight).
 *
 * What is read is a function of the weights asked for, of whose devices they are
 * and of their age. There is no state: ageing by an hour and then to a day is
 * ageing to a day. Unlike the simulator, which at each age spreads the programmed
 * weight over a fresh pair, both devices of a pair drift on as they were
 * programmed. */
#ifndef AIM_ANALOG_DEVICE_PAIRS_H
#define AIM_ANALOG_DEVICE_PAIRS_H

#include "analog/device_model.h"
#include "analog/normals.h"

#include <stddef.h>

typedef struct aim_device_pairs {
    const aim_device_model *model;
    float g_min; /* conductance of a weight of zero on both devices */
} aim_device_pairs;

/* What a channel answers to unit inputs, one at a time and without converters: the
 * mean magnitude of its weights, in units of the largest weight asked for. */
typedef struct aim_pair_readout {
    double then, now; /* right after programming, and at the age */
    float largest;    /* weight right after programming, not in that unit */
} aim_pair_readout;

/* weight [n]: those of one channel of a tile, in place: from what is asked for to
 * what the devices hold right after programming. row->device is not used. readout may
 * be NULL. */
void aim_device_pairs_program(const aim_device_pairs *p, const aim_device_row *row, float *weight,
                              int n, aim_pair_readout *readout);

/* The same, to what is read `seconds` >= 0 after the chip's first use: drifted, and
 * with 1/f noise, which is another draw for each age. Devices of several spreads
 * are drawn by the last that is not above the age. */
void aim_device_pairs_age(const aim_device_pairs *p, const aim_device_row *row, double seconds,
                          float *weight, int n, aim_pair_readout *readout);

#endif
