/* SPDX-License-Identifier: Apache-2.0 */
/* device_model.h - one memory device: what conductance it has when another was
 * asked for, how that falls with time, and how it fluctuates (aihwkit,
 * inference/noise/pcm.py, hermes.py, reram.py).
 *
 * Conductances g in microsiemens, times in seconds, r = g / g_max. A model is
 * data; every number of it is a profile's. Randomness is an argument: z are
 * standard normals. All results are the same on every machine. */
#ifndef AIM_ANALOG_DEVICE_MODEL_H
#define AIM_ANALOG_DEVICE_MODEL_H

enum { AIM_DEVICE_MAX_SPREADS = 4 };

/* A coefficient as it depends on r. */
typedef struct aim_device_curve {
    /* r below split: scale * r^exponent, or, if exponent is 0, scale * ln(r) +
     * constant; then limited to [lowest, highest]. */
    float split, scale, constant, exponent, lowest, highest;
    float polynomial[4]; /* r from split on, lowest power first */
} aim_device_curve;

/* The deviation of the conductance from what was asked for, at an age. */
typedef struct aim_device_spread {
    double age;
    float polynomial[5]; /* of r, microsiemens, lowest power first */
} aim_device_spread;

typedef struct aim_device_model {
    float g_max;
    float fitted_g_max; /* the spreads were measured with; they scale with g_max */
    /* Devices with several spreads do not drift: at a later age they are drawn
     * anew from what was asked for (ReRAM). The first is that of programming. */
    int n_spreads;
    aim_device_spread spread[AIM_DEVICE_MAX_SPREADS];
    double t_0;    /* age of the chip's first use since programming */
    double t_read; /* duration of a read */
    aim_device_curve drift_mean, drift_deviation; /* of the drift's exponent */
    aim_device_curve read;                        /* of the 1/f noise */
    float programming_scale, drift_scale, read_scale;
} aim_device_model;

/* Conductance after programming the target, by spread number `spread`. */
float aim_device_program(const aim_device_model *m, int spread, float target, float z);

/* The exponent with which a device drifts, for good. */
float aim_device_drift_exponent(const aim_device_model *m, float target, float z);

/* What an age means for all devices of a model. */
typedef struct aim_device_age {
    float log_drift; /* ln((age + t_0) / t_0) */
    float read;      /* sqrt(ln((age + t_0 + t_read) / (2 t_read))) */
} aim_device_age;

/* seconds >= 0 since the chip's first use. */
aim_device_age aim_device_age_of(const aim_device_model *m, double seconds);

/* Conductance at an age without its fluctuation: programmed * ((age + t_0) / t_0)
 * ^ -exponent. */
float aim_device_drift(const aim_device_age *age, float programmed, float exponent);

/* The fluctuation (1/f noise) added to a drifted conductance, never below 0. */
float aim_device_read(const aim_device_model *m, const aim_device_age *age, float programmed,
                      float drifted, float z);

#endif
