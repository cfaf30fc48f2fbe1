/* SPDX-License-Identifier: Apache-2.0 */
/* packed.h - a weight matrix as the integer kernels read it.
 *
 * W [out, in] is held as integer codes with one float scale a channel. Codes of 8
 * bits are one int8; codes of 16 bits are two planes of int8, code = 256 * high +
 * low, which go through the same products one after the other; codes of 4 bits are
 * in [-8, 7] and lie two to a byte. */
#ifndef AIM_TENSOR_PACKED_H
#define AIM_TENSOR_PACKED_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum {
    AIM_PANEL = 16,     /* output channels a panel */
    AIM_K_GROUP = 4,    /* input codes one 32-bit lane holds */
    AIM_K_ALIGN = 64,   /* columns are padded with zeros to a multiple of this */
    AIM_K_MAX = 131072, /* 127 * 128 * k stays within int32 */
    AIM_MAX_PLANES = 2,
};

/* Panel p holds channels 16p .. 16p+15, and inside a plane of a panel the codes
 * lie as [in_padded / 4][16][4], so that one 64-byte load carries four inputs of
 * sixteen channels. The high plane of a panel is followed by its low plane:
 * both are read in one straight line. Codes of a plane may be any int8.
 *
 * Of 4 bits a panel is [in_padded / 8][16][4] bytes: the four of a channel hold code
 * + 8 of inputs 8g .. 8g+3 in their low halves and of 8g+4 .. 8g+7 in their high
 * halves, so that a mask and a shift make two loads of the order above. */
typedef struct aim_packed {
    int out, in;             /* logical shape */
    int bits;                /* of a code: 4, 8 or 16 */
    int n_panels, in_padded; /* ceil(out / 16), in rounded up to 64 */
    int8_t *codes;           /* [n_panels][planes] as above, 64-byte aligned */
    float *scale;            /* [n_panels * 16] weight = code * scale[channel] */
} aim_packed;

static inline int aim_packed_planes(const aim_packed *w)
{
    return w->bits == 16 ? 2 : 1;
}

static inline size_t aim_packed_panel_bytes(const aim_packed *w)
{
    return (size_t)w->in_padded * AIM_PANEL * (size_t)w->bits / 8;
}

/* The codes of one plane of a panel; of two planes, 0 is the high one. */
static inline int8_t *aim_packed_plane(const aim_packed *w, int panel, int plane)
{
    return w->codes + (size_t)panel * aim_packed_panel_bytes(w) +
           (size_t)plane * (size_t)w->in_padded * AIM_PANEL;
}

/* Reserve an empty matrix: every byte zero, so that channels need to be stored before
 * their codes mean something. 0 or AIM_ENOMEM / AIM_EINVAL. */
int aim_packed_init(aim_packed *w, int out, int in, int bits, aim_error *err);
/* The same in memory of the caller's, who keeps it: aim_packed_bytes zeroed bytes,
 * 64-byte aligned. Matrices that are read together lie together so. No fini. */
int aim_packed_place(aim_packed *w, int out, int in, int bits, void *memory, aim_error *err);
void aim_packed_fini(aim_packed *w); /* also of a zeroed one */
size_t aim_packed_bytes(int out, int in, int bits);
size_t aim_packed_row_bytes(int in); /* of a row of inputs' codes, padding included */

/* Store the codes [in] of a channel in one plane; of 4 bits, codes are in [-8, 7].
 * Different channels may be stored by different threads, channels of one panel too. */
void aim_packed_set_channel(aim_packed *w, int channel, int plane, const int8_t *codes);
void aim_packed_set_scale(aim_packed *w, int channel, float scale);

#endif
