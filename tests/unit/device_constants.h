/* SPDX-License-Identifier: Apache-2.0 */
/* device_constants.h - published constants of device models, as profiles will
 * hold them. */
#ifndef AIM_TESTS_DEVICE_CONSTANTS_H
#define AIM_TESTS_DEVICE_CONSTANTS_H

#include "analog/device_model.h"
#include "analog/weight_noise.h"

/* analog-foundation-models, apply_noise_model.py. */
static const aim_pcm_noise AFM_PCM = {
    .g_max = 180.0f,
    .largest_offset = 6.103515625e-05f,
    .dead_zone = 0.6f,
    .two_devices_above = 52.5f,
    .one_device = {2.939751381126213e-05f, -0.00371581208142707f, 0.22419685954327148f,
                   2.5797410660159494f},
    .two_devices = {1.2329755395573392e-05f, -0.003054993405157235f, 0.2453487119885723f,
                    2.110295720240385f},
};

#define ALWAYS_BELOW 2.0f /* a split no r reaches */

/* aihwkit, pcm.py PCMLikeNoiseModel. */
static const aim_device_model PCM_LIKE = {
    .g_max = 25.0f,
    .fitted_g_max = 25.0f,
    .n_spreads = 1,
    .spread = {{0, {0.26348f, 1.9650f, -1.1731f}}},
    .t_0 = 20.0,
    .t_read = 250e-9,
    .drift_mean = {ALWAYS_BELOW, -0.0155f, 0.0244f, 0, 0.049f, 0.1f, {0}},
    .drift_deviation = {ALWAYS_BELOW, -0.0125f, -0.0059f, 0, 0.008f, 0.045f, {0}},
    .read = {ALWAYS_BELOW, 0.0088f, 0, -0.65f, 0, 0.2f, {0}},
    .programming_scale = 1,
    .drift_scale = 1,
    .read_scale = 1,
};

#define HERMES_DRIFT_MEAN                                                                          \
    {                                                                                              \
        0.0945f, -0.0387f, -0.0182f, 0, 0.0720f, 0.13f,                                            \
        {                                                                                          \
            0.0736f, -0.0126f, -0.0436f                                                            \
        }                                                                                          \
    }

/* aihwkit, hermes.py HermesNoiseModel, two devices a weight and one. */
static const aim_device_model HERMES_TWO = {
    .g_max = 20.7f,
    .fitted_g_max = 20.7f,
    .n_spreads = 1,
    .spread = {{0, {0.16603222f, 4.71806468f, -8.48101252f, 4.68961419f}}},
    .t_0 = 300.0,
    .t_read = 512e-9,
    .drift_mean = HERMES_DRIFT_MEAN,
    .drift_deviation =
        {0.3055f, -0.0117f, -0.0057f, 0, 0.0091f, 0.04f, {0.0073f, 0.0093f, -0.0118f}},
    .read = {0.16f, -0.0117f, -0.0069f, 0, 0.015f, 0.04f, {0.0123f, 0.0211f, -0.0280f, 0.0069f}},
    .programming_scale = 1,
    .drift_scale = 1,
    .read_scale = 1,
};

static const aim_device_model HERMES_ONE = {
    .g_max = 10.35f,
    .fitted_g_max = 10.35f,
    .n_spreads = 1,
    .spread = {{0, {0.15781817f, 2.32443916f, -2.16310839f, 0.68841818f}}},
    .t_0 = 200.0,
    .t_read = 512e-9,
    .drift_mean = HERMES_DRIFT_MEAN,
    .drift_deviation =
        {0.3039f, -0.0120f, -0.0023f, 0, 0.0124f, 0.04f, {0.0104f, 0.0116f, -0.0165f}},
    .read = {0.1591f, -0.0078f, 0.0038f, 0, 0.0179f, 0.04f, {0.0088f, 0.0768f, -0.1352f, 0.0664f}},
    .programming_scale = 1,
    .drift_scale = 1,
    .read_scale = 1,
};

/* aihwkit, reram.py ReRamWan2022NoiseModel: 1 s, 1 day, 2 days. */
static const aim_device_model RERAM_WAN = {
    .g_max = 40.0f,
    .fitted_g_max = 40.0f,
    .n_spreads = 3,
    .spread = {{1, {0.348f, 16.030f, -43.853f, 45.393f, -16.815f}},
               {86400, {0.701f, 22.086f, -50.773f, 47.095f, -16.458f}},
               {172800, {0.782f, 20.274f, -43.507f, 37.062f, -11.934f}}},
    .programming_scale = 1,
};

#endif
