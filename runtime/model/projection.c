/* SPDX-License-Identifier: Apache-2.0 */
/* projection.c - loading a linear layer with its bias. */
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
static bool load_bias(aim_projection *p, aim_error *err)
{
    const aim_linear_shape *shape = &p->source.shape;
    bool any = false;
    for (int i = 0; i < shape->n_parts; i++)
        any |= p->parts[i].bias != NULL;
    if (!any)
        return true;
    p->bias = aim_calloc((size_t)shape->out, sizeof *p->bias);
    if (!p->bias)
        return aim_fail_nomem(err, "bias") == AIM_OK;
    float *to = p->bias;
    for (int i = 0; i < shape->n_parts; to += shape->part_out[i++]) {
        if (!p->parts[i].bias)
            continue;
        int n = shape->part_out[i];
        float *values = aim__load_vector(p->parts[i].bias, n, err);
        if (!values)
            return false;
        memcpy(to, values, (size_t)n * sizeof *to);
        aim_free(values);
    }
    return true;
}

/* A file that is wrong is refused by every backend, also by those that have no use
 * for ranges. */
static bool check_ranges(const aim_tensor *t, aim_error *err)
{
    int n = (int)t->shape[0];
    float *ranges = aim__load_vector(t, n, err);
    bool good = ranges;
    for (int i = 0; good && i < n; i++)
        good = ranges[i] >= 0;
    if (ranges && !good)
        aim_fail(err, AIM_EFORMAT, "tensor \"%s\" holds a range below 0", t->name);
    aim_free(ranges);
    return good;
}

/* What comes with the weights. */
static bool load_extras(aim_projection *p, aim_error *err)
{
    for (int i = 0; i < p->source.shape.n_parts; i++) {
        if (!p->parts[i].input_range)
            continue;
        if (!check_ranges(p->parts[i].input_range, err))
            return false;
        p->n_trained++;
    }
    return load_bias(p, err);
}

bool aim__projection_load(aim_projection *p, const aim_backend *backend, const aim_compute *compute,
                          const aim_linear_source *source, aim_error *err)
{
    p->backend = backend;
    p->source = *source;
    if (source->parts) {
        for (int i = 0; i < source->shape.n_parts; i++)
            p->parts[i] = source->parts[i];
        p->source.parts = p->parts;
        if (!load_extras(p, err))
            return false;
    }
    p->linear = backend->load(compute, &p->source, err);
    return p->linear;
}

void aim__projection_free(aim_projection *p)
{
    if (p->linear)
        p->backend->free(p->linear);
    aim_free(p->bias);
}
