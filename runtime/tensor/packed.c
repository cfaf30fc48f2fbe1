/* SPDX-License-Identifier: Apache-2.0 */
#include "base/optimise.h"

#include "tensor/kernels.h"

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

static size_t code_bytes(int out, int in)
{
    return panels_of(out) * AIM_PANEL * aim_packed_row_bytes(in);
}

static size_t channel_bytes(int out)
{
    return panels_of(out) * AIM_PANEL * sizeof(int32_t);
}

/* out and in are ints and in is at most AIM_K_MAX: the products stay below 2^50. */
size_t aim_packed_bytes(int out, int in)
{
    return code_bytes(out, in) + 2 * channel_bytes(out);
}

int aim_packed_init(aim_packed *w, int out, int in, aim_error *err)
{
    *w = (aim_packed){0};
    if (out < 1 || in < 1 || in > AIM_K_MAX)
        return aim_fail(err, AIM_EINVAL,
                        "int8 matrix of %d x %d: needs at least 1 output and 1 to %d inputs", out,
                        in, AIM_K_MAX);
    w->out = out;
    w->in = in;
    w->n_panels = (int)panels_of(out);
    w->in_padded = (int)aim_packed_row_bytes(in);
    w->codes = aim_big_alloc(code_bytes(out, in));
    w->sums = aim_big_alloc(channel_bytes(out));
    w->scale = aim_big_alloc(channel_bytes(out));
    if (w->codes && w->sums && w->scale)
        return AIM_OK;
    aim_packed_fini(w);
    return aim_fail_nomem(err, "int8 weights");
}

void aim_packed_fini(aim_packed *w)
{
    aim_big_free(w->codes, code_bytes(w->out, w->in));
    aim_big_free(w->sums, channel_bytes(w->out));
    aim_big_free(w->scale, channel_bytes(w->out));
    *w = (aim_packed){0};
}

void aim_packed_set_channel(aim_packed *w, int channel, const int8_t *codes, float scale)
{
    int8_t *panel = w->codes + (size_t)(channel / AIM_PANEL) * AIM_PANEL * (size_t)w->in_padded;
    int8_t *to = panel + channel % AIM_PANEL * AIM_K_GROUP;
    int groups = w->in / AIM_K_GROUP, rest = w->in % AIM_K_GROUP;
    int32_t sum = 0;
    for (int k = 0; k < w->in; k++)
        sum += codes[k];
    for (int g = 0; g < groups; g++)
        memcpy(to + (size_t)g * AIM_PANEL * AIM_K_GROUP, codes + g * AIM_K_GROUP, AIM_K_GROUP);
    if (rest)
        memcpy(to + (size_t)groups * AIM_PANEL * AIM_K_GROUP, codes + groups * AIM_K_GROUP,
               (size_t)rest);
    w->sums[channel] = sum;
    w->scale[channel] = scale;
}
