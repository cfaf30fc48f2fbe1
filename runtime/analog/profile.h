/* SPDX-License-Identifier: Apache-2.0 */
/* profile.h - the description of a chip's hardware: every constant of it. Read
 * from a file of conf/profiles; analogd-profile(5) tells the keys. A profile is
 * plain data and may be copied. */
#ifndef AIM_ANALOG_PROFILE_H
#define AIM_ANALOG_PROFILE_H

#include "analog/device_model.h"
#include "analog/energy.h"
#include "analog/tile_settings.h"
#include "analog/weight_noise.h"
#include "base/error.h"

#include <stdbool.h>

/* What becomes of weights when they are programmed. */
enum aim_programming {
    AIM_PROGRAMMING_EXACT,    /* nothing */
    AIM_PROGRAMMING_GAUSSIAN, /* aim_additive_noise_add */
    AIM_PROGRAMMING_PCM,      /* aim_pcm_noise_add */
    AIM_PROGRAMMING_DEVICES,  /* pairs of devices, which also drift and fluctuate */
};

/* Noise of a read, drawn anew for every token, in front of the ADC. With x the
 * inputs behind the DAC, R their range, and m the largest weight that the channel's
 * bound is made from, share times a standard normal times ... */
enum aim_read_noise {
    AIM_READ_NOISE_NONE,
    AIM_READ_NOISE_OUTPUT,  /* ... R m (aihwkit out_noise) */
    AIM_READ_NOISE_INPUT,   /* ... |x|_2 m (aihwkit ADDITIVE_CONSTANT) */
    AIM_READ_NOISE_WEIGHTS, /* ... sqrt(m sum_j |w_j| x_j^2) (aihwkit PCM_READ) */
};

/* A digital factor on the readings of a tile, measured by what it answers to unit
 * inputs: right after programming, over now. */
enum aim_drift_compensation {
    AIM_COMPENSATION_NONE,
    AIM_COMPENSATION_GLOBAL,      /* one factor a tile */
    AIM_COMPENSATION_PER_CHANNEL, /* one a channel of a tile */
};

/* Which weights the full scale of the ADC is made from. */
enum aim_adc_weights {
    AIM_ADC_OF_TARGET,     /* those asked for: fixed when the chip is designed for them */
    AIM_ADC_OF_PROGRAMMED, /* those that the devices hold, as analog-foundation-models does */
};

/* Linear layers that stand on tiles; the others are computed digitally in int8. */
enum {
    AIM_ON_TILES_ATTENTION = 1 << 0,
    AIM_ON_TILES_FEED_FORWARD = 1 << 1,
    AIM_ON_TILES_LM_HEAD = 1 << 2,
};

enum { AIM_PROFILE_NAME = 64, AIM_PROFILE_TEXT = 256 };

typedef struct aim_profile {
    char name[AIM_PROFILE_NAME];        /* of the file, without .conf */
    char description[AIM_PROFILE_TEXT]; /* one line */
    char source[AIM_PROFILE_TEXT];      /* where the numbers come from */

    aim_tile_settings tile; /* clip is what is done when the chip is programmed */
    double clip_sigma;      /* of the two gaussian ways of clipping */
    enum aim_adc_weights adc_weights;
    int conductance_bits; /* 8 or 16 */
    unsigned on_tiles;    /* bits AIM_ON_TILES_... */

    enum aim_programming programming;
    float gaussian_share;    /* AIM_PROGRAMMING_GAUSSIAN, of the largest weight */
    aim_pcm_noise pcm;       /* AIM_PROGRAMMING_PCM */
    aim_device_model device; /* AIM_PROGRAMMING_DEVICES */
    float g_min;             /* the same: conductance of a weight of zero */
    bool drift;              /* the same: does age matter? */
    enum aim_drift_compensation compensation;

    enum aim_read_noise read_noise;
    float read_noise_share;

    aim_energy energy;
} aim_profile;

/* Is noise drawn anew for every token? */
static inline bool aim_profile_reads_are_noisy(const aim_profile *p)
{
    return p->read_noise != AIM_READ_NOISE_NONE && p->read_noise_share > 0;
}

/* Does the age of a chip matter to what it computes? */
static inline bool aim_profile_ages(const aim_profile *p)
{
    return p->programming == AIM_PROGRAMMING_DEVICES && p->drift;
}

/* A file by its path, which ends in NAME.conf. Errors name file, line and reason:
 * AIM_EINVAL for what the file says, AIM_ETOOLARGE above 64 KiB, AIM_ENOTFOUND,
 * AIM_EIO, AIM_ENOMEM. On an error *out is as it was. From any thread; they wait for
 * each other. */
int aim_profile_load(const char *path, aim_profile *out, aim_error *err);
/* Text in memory; name stands for the file. */
int aim_profile_parse(const char *text, const char *name, aim_profile *out, aim_error *err);
/* The file of a name, NAME.conf in the first of the folders (NULL-terminated) that has
 * it, for the caller to aim_free. Names are letters, digits, '.', '_', '-', and do not
 * begin with a dot. NULL: AIM_EINVAL, AIM_ENOMEM, or AIM_ENOTFOUND, which lists what
 * there is. */
char *aim_profile_path(const char *const *folders, const char *name, aim_error *err);
/* Do the settings fit each other? Also after one was changed. AIM_EINVAL with the
 * key in err->param. What integer tiles need beside: aim_tile_settings_check_integer. */
int aim_profile_check(const aim_profile *p, aim_error *err);

#endif
