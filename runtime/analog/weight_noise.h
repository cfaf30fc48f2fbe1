/* SPDX-License-Identifier: Apache-2.0 */
/* weight_noise.h - noise models that change weights directly, one channel of a
 * tile at a time (analog-foundation-models, apply_noise_model.py).
 *
 * Weights are scaled so that the channel's largest becomes g_max, a normal number
 * with a deviation that depends on the magnitude is added, and they are scaled
 * back. Nothing is limited: noise may flip a sign and may exceed the largest. All
 * arithmetic is float32, in the order written here. */
#ifndef AIM_ANALOG_WEIGHT_NOISE_H
#define AIM_ANALOG_WEIGHT_NOISE_H

/* A weight held by one device if it is small and by two if it is large. g is its
 * scaled magnitude. The constants are a profile's. */
typedef struct aim_pcm_noise {
    float g_max;
    float largest_offset;    /* is added to the largest weight before scaling by it */
    float dead_zone;         /* g below it: the weight becomes 0 */
    float two_devices_above; /* g above it: the second polynomial */
    float one_device[4];     /* deviation as a polynomial of g, highest power first */
    float two_devices[4];
} aim_pcm_noise;

/* The deviation for a magnitude g >= 0 outside the dead zone, in units of g,
 * rounded to float16 as its authors do. */
float aim_pcm_deviation(const aim_pcm_noise *noise, float g);

/* weight [n]: one channel of a tile, changed in place; z [n]: standard normals. */
void aim_pcm_noise_add(const aim_pcm_noise *noise, const float *z, float *weight, int n);

/* weight += share * largest weight * z. */
void aim_additive_noise_add(float share, const float *z, float *weight, int n);

#endif
