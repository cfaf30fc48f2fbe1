/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_tensor.h - what the targets of both kinds of tensor files do with a tensor. */
#ifndef AIM_TESTS_FUZZ_FUZZ_TENSOR_H
#define AIM_TESTS_FUZZ_FUZZ_TENSOR_H

#include "checkpoint/checkpoint.h"

/* Read a tensor in pieces; a sanitizer sees any byte outside the input. */
static inline void fuzz_read_tensor(const aim_tensor *t)
{
    if (t->dtype == AIM_OTHER_DTYPE)
        return;
    size_t n = t->bytes / (t->dtype == AIM_F32 ? 4 : 2);
    float out[64];
    for (size_t start = 0; start < n; start += 64)
        aim_tensor_read(t, start, n - start < 64 ? n - start : 64, out);
}

#endif
