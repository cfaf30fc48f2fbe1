/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/checkpoint.h"

#include "checkpoint/dtype.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

enum { BLOCK = 256 }; /* elements gathered at a time */

static bool is_row_major(const aim_tensor *t)
{
    int64_t expected = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        if (t->shape[i] != 1 && t->stride[i] != expected)
            return false;
        expected *= t->shape[i];
    }
    return true;
}

/* Copy n elements that lie `step` bytes apart. The width is a constant where this
 * is called, so that each copy is one load and one store. */
static inline void copy_apart(unsigned char *to, const unsigned char *from, size_t step,
                              size_t width, size_t n)
{
    for (size_t i = 0; i < n; i++)
        memcpy(to + i * width, from + i * step, width);
}

/* Elements start to start + n of the flattened tensor, end to end in to. They are
 * taken in runs along the last dimension. */
static void gather(const aim_tensor *t, size_t width, size_t start, size_t n, unsigned char *to)
{
    int last = t->rank - 1;
    while (n > 0) {
        size_t rest = start, offset = 0;
        for (int i = last; i >= 0; i--) {
            offset += rest % (size_t)t->shape[i] * (size_t)t->stride[i];
            rest /= (size_t)t->shape[i];
        }
        size_t left = (size_t)t->shape[last] - start % (size_t)t->shape[last];
        size_t run = left < n ? left : n, step = (size_t)t->stride[last] * width;
        const unsigned char *from = t->data + offset * width;
        if (width == 2)
            copy_apart(to, from, step, 2, run);
        else
            copy_apart(to, from, step, 4, run);
        to += run * width;
        start += run;
        n -= run;
    }
}

void aim_tensor_read(const aim_tensor *t, size_t start, size_t n, float *out)
{
    if (n == 0) /* the sizes of a tensor without elements do not multiply */
        return;
    const aim_dtype_info *info = aim__dtype_find(t->dtype_name);
    assert(info && info->to_f32 && "the caller asks only for float tensors");
    size_t width = info->bits / 8;
    assert(start <= t->bytes / width && n <= t->bytes / width - start);
    if (is_row_major(t)) {
        info->to_f32(t->data + start * width, n, out);
        return;
    }
    unsigned char block[BLOCK * 4];
    for (size_t done = 0, piece; done < n; done += piece) {
        piece = n - done < BLOCK ? n - done : BLOCK;
        gather(t, width, start + done, piece, block);
        info->to_f32(block, piece, out + done);
    }
}
