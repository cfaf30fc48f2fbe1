/* SPDX-License-Identifier: Apache-2.0 */
/* projection.c - loading a linear layer with its bias and input ranges. */
#include "model/decoder_impl.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

float *aim__load_vector(const aim_tensor *t, int n, aim_error *err)
{
    float *v = aim_array((size_t)n, sizeof *v);
    if (!v) {
        aim_fail_nomem(err, t->name);
        return NULL;
    }
    aim_tensor_read(t, 0, (size_t)n, v);
    for (int i = 0; i < n; i++)
        if (!isfinite(v[i])) {
            aim_fail(err, AIM_EFORMAT, "tensor \"%s\" holds NaN or infinity", t->name);
            aim_free(v);
            return NULL;
        }
    return v;
}

/* The biases of the parts, stacked as their weights are; a part without one has
 * zeros. */
static bool load_bias(aim_projection *p, const aim_linear_part *parts, int n_parts, int out,
                      aim_error *err)
{
    bool any = false;
    for (int i = 0; i < n_parts; i++)
        any |= parts[i].bias != NULL;
    if (!any)
        return true;
    p->bias = aim_calloc((size_t)out, sizeof *p->bias);
    if (!p->bias)
        return aim_fail_nomem(err, "bias") == AIM_OK;
    float *to = p->bias;
    for (int i = 0; i < n_parts; to += parts[i++].weight->shape[0]) {
        if (!parts[i].bias)
            continue;
        int n = (int)parts[i].bias->shape[0];
        float *values = aim__load_vector(parts[i].bias, n, err);
        if (!values)
            return false;
        memcpy(to, values, (size_t)n * sizeof *to);
        aim_free(values);
    }
    return true;
}

static bool load_ranges(aim_input_ranges *r, const aim_tensor *t, aim_error *err)
{
    if (!t)
        return true;
    r->n = (int)t->shape[0];
    r->values = aim__load_vector(t, r->n, err);
    for (int i = 0; r->values && i < r->n; i++)
        if (r->values[i] < 0) {
            aim_fail(err, AIM_EFORMAT, "tensor \"%s\" holds a range below 0", t->name);
            return false;
        }
    return r->values;
}

bool aim__projection_load(aim_projection *p, const aim_backend *backend, const aim_compute *compute,
                          const aim_linear_part *parts, int n_parts, aim_linear_shape shape,
                          uint64_t random_seed, aim_error *err)
{
    for (int i = 0; parts && i < n_parts; i++)
        if (!load_ranges(&p->ranges[i], parts[i].input_range, err))
            return false;
    if (parts && !load_bias(p, parts, n_parts, shape.out, err))
        return false;
    p->linear = backend->load(compute, parts, n_parts, shape.out, shape.in, random_seed, err);
    return p->linear;
}

void aim__projection_free(aim_projection *p, const aim_backend *backend)
{
    backend->free(p->linear);
    aim_free(p->bias);
    for (int i = 0; i < AIM_MAX_PARTS; i++)
        aim_free(p->ranges[i].values);
}
