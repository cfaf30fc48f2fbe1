/* SPDX-License-Identifier: Apache-2.0 */
/* linear_call.h - one product of a backend, rows converted and multiplied. */
#ifndef TESTS_LINEAR_CALL_H
#define TESTS_LINEAR_CALL_H

#include "model/backend.h"

/* x [rows, in] through a layer of this shape to `out`; scratch as the backend asks for. */
static inline void call_linear(const aim_backend *backend, const aim_linear *l,
                               const aim_linear_shape *shape, const aim_compute *c, const float *x,
                               int rows, const aim_row_noise *noise, const aim_output *out,
                               void *scratch)
{
    for (int r = 0; backend->convert_row && r < rows; r++)
        backend->convert_row(l, c, x + (size_t)r * (size_t)shape->in, r, rows, scratch);
    backend->multiply(l, c, x, rows, noise, out, scratch);
}

#endif
