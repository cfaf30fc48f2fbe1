/* SPDX-License-Identifier: Apache-2.0 */
#include "base/optimise.h"

#include "tensor/packed.h"

#include "base/alloc.h"

#include <string.h>

static size_t panels_of(int out)
{
    return ((size_t)out + AIM_PANEL - 1) / AIM_PANEL;
}

size_t aim_packed_row_bytes(int in)
{
    return ((size_t)in + AIM_K_ALIGN - 1) / AIM_K_ALIGN * AIM_K_ALIGN;
}

static size_t code_bytes(int out, int in, int bits)
{
    return panels_of(out) * AIM_PANEL * aim_packed_row_bytes(in) * (size_t)bits / 8;
}

static size_t scale_bytes(int out)
{
    return panels_of(out) * AIM_PANEL * sizeof(float);
}

/* out and in are ints and in is at most AIM_K_MAX: the products stay below 2^51. */
size_t aim_packed_bytes(int out, int in, int bits)
{
    return code_bytes(out, in, bits) + scale_bytes(out);
}

static int set_shape(aim_packed *w, int out, int in, int bits, aim_error *err)
{
    *w = (aim_packed){0};
    if (out < 1 || in < 1 || in > AIM_K_MAX || (bits != 4 && bits != 8 && bits != 16))
        return aim_fail(err, AIM_EINVAL,
                        "integer matrix of %d x %d in codes of %d bits: needs at least 1 output, "
                        "1 to %d inputs and codes of 4, 8 or 16 bits",
                        out, in, bits, AIM_K_MAX);
    w->out = out;
    w->in = in;
    w->bits = bits;
    w->n_panels = (int)panels_of(out);
    w->in_padded = (int)aim_packed_row_bytes(in);
    return AIM_OK;
}

int aim_packed_place(aim_packed *w, int out, int in, int bits, void *memory, aim_error *err)
{
    if (set_shape(w, out, in, bits, err))
        return AIM_EINVAL;
    w->codes = memory;
    w->scale = (float *)(void *)(w->codes + code_bytes(out, in, bits));
    return AIM_OK;
}

int aim_packed_init(aim_packed *w, int out, int in, int bits, aim_error *err)
{
    if (set_shape(w, out, in, bits, err))
        return AIM_EINVAL;
    w->codes = aim_big_alloc(code_bytes(out, in, bits));
    w->scale = aim_big_alloc(scale_bytes(out));
    if (w->codes && w->scale)
        return AIM_OK;
    aim_packed_fini(w);
    return aim_fail_nomem(err, "integer weights");
}

void aim_packed_fini(aim_packed *w)
{
    aim_big_free(w->codes, code_bytes(w->out, w->in, w->bits));
    aim_big_free(w->scale, scale_bytes(w->out));
    *w = (aim_packed){0};
}

/* Inputs 4 * group .. of a channel, zero behind the last one. */
static void take_group(const aim_packed *w, const int8_t *codes, int group, int8_t *taken)
{
    for (int j = 0; j < AIM_K_GROUP; j++) {
        int k = group * AIM_K_GROUP + j;
        taken[j] = k < w->in ? codes[k] : 0;
    }
}

static void set_nibbles(const aim_packed *w, int8_t *to, const int8_t *codes)
{
    for (int g = 0; g < w->in_padded / AIM_K_GROUP; g += 2, to += AIM_PANEL * AIM_K_GROUP) {
        int8_t low[AIM_K_GROUP], high[AIM_K_GROUP];
        take_group(w, codes, g, low);
        take_group(w, codes, g + 1, high);
        for (int j = 0; j < AIM_K_GROUP; j++)
            to[j] = (int8_t)(uint8_t)((low[j] + 8) | (high[j] + 8) << 4);
    }
}

static void set_bytes(const aim_packed *w, int8_t *to, const int8_t *codes)
{
    int groups = w->in / AIM_K_GROUP, rest = w->in % AIM_K_GROUP;
    for (int g = 0; g < groups; g++)
        memcpy(to + (size_t)g * AIM_PANEL * AIM_K_GROUP, codes + g * AIM_K_GROUP, AIM_K_GROUP);
    if (rest)
        memcpy(to + (size_t)groups * AIM_PANEL * AIM_K_GROUP, codes + groups * AIM_K_GROUP,
               (size_t)rest);
}

void aim_packed_set_channel(aim_packed *w, int channel, int plane, const int8_t *codes)
{
    int8_t *to =
        aim_packed_plane(w, channel / AIM_PANEL, plane) + channel % AIM_PANEL * AIM_K_GROUP;
    if (w->bits == 4)
        set_nibbles(w, to, codes);
    else
        set_bytes(w, to, codes);
}

void aim_packed_set_scale(aim_packed *w, int channel, float scale)
{
    w->scale[channel] = scale;
}
