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

static size_t code_bytes(int out, int in, int planes)
{
    return panels_of(out) * (size_t)planes * AIM_PANEL * aim_packed_row_bytes(in);
}

static size_t scale_bytes(int out)
{
    return panels_of(out) * AIM_PANEL * sizeof(float);
}

/* out and in are ints and in is at most AIM_K_MAX: the products stay below 2^51. */
size_t aim_packed_bytes(int out, int in, int planes)
{
    return code_bytes(out, in, planes) + scale_bytes(out);
}

static int set_shape(aim_packed *w, int out, int in, int planes, aim_error *err)
{
    *w = (aim_packed){0};
    if (out < 1 || in < 1 || in > AIM_K_MAX || planes < 1 || planes > AIM_MAX_PLANES)
        return aim_fail(err, AIM_EINVAL,
                        "integer matrix of %d x %d in %d planes: needs at least 1 output, 1 to %d "
                        "inputs and 1 or 2 planes",
                        out, in, planes, AIM_K_MAX);
    w->out = out;
    w->in = in;
    w->planes = planes;
    w->n_panels = (int)panels_of(out);
    w->in_padded = (int)aim_packed_row_bytes(in);
    return AIM_OK;
}

int aim_packed_place(aim_packed *w, int out, int in, int planes, void *memory, aim_error *err)
{
    if (set_shape(w, out, in, planes, err))
        return AIM_EINVAL;
    w->codes = memory;
    w->scale = (float *)(void *)(w->codes + code_bytes(out, in, planes));
    return AIM_OK;
}

int aim_packed_init(aim_packed *w, int out, int in, int planes, aim_error *err)
{
    if (set_shape(w, out, in, planes, err))
        return AIM_EINVAL;
    w->codes = aim_big_alloc(code_bytes(out, in, planes));
    w->scale = aim_big_alloc(scale_bytes(out));
    if (w->codes && w->scale)
        return AIM_OK;
    aim_packed_fini(w);
    return aim_fail_nomem(err, "integer weights");
}

void aim_packed_fini(aim_packed *w)
{
    aim_big_free(w->codes, code_bytes(w->out, w->in, w->planes));
    aim_big_free(w->scale, scale_bytes(w->out));
    *w = (aim_packed){0};
}

void aim_packed_set_channel(aim_packed *w, int channel, int plane, const int8_t *codes)
{
    size_t row = (size_t)(channel / AIM_PANEL) * (size_t)w->planes + (size_t)plane;
    int8_t *to =
        w->codes + row * AIM_PANEL * (size_t)w->in_padded + channel % AIM_PANEL * AIM_K_GROUP;
    int groups = w->in / AIM_K_GROUP, rest = w->in % AIM_K_GROUP;
    for (int g = 0; g < groups; g++)
        memcpy(to + (size_t)g * AIM_PANEL * AIM_K_GROUP, codes + g * AIM_K_GROUP, AIM_K_GROUP);
    if (rest)
        memcpy(to + (size_t)groups * AIM_PANEL * AIM_K_GROUP, codes + groups * AIM_K_GROUP,
               (size_t)rest);
}

void aim_packed_set_scale(aim_packed *w, int channel, float scale)
{
    w->scale[channel] = scale;
}
