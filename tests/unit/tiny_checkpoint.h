/* SPDX-License-Identifier: Apache-2.0 */
/* tiny_checkpoint.h - safetensors files of a few small float32 tensors. */
#ifndef AIM_TESTS_UNIT_TINY_CHECKPOINT_H
#define AIM_TESTS_UNIT_TINY_CHECKPOINT_H

#include "checkpoint/checkpoint.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct tiny_tensor {
    const char *name;
    int rows, cols; /* cols 0: one dimension */
};

static inline size_t elements(const struct tiny_tensor *t)
{
    return (size_t)t->rows * (size_t)(t->cols ? t->cols : 1);
}

/* A file under construction. */
struct file {
    char header[32768];
    size_t used;
    float data[8192];
    size_t n;
};

/* Element i of a file: tensors that follow each other hold what one tensor in
 * their place would. */
static inline float tiny_value(size_t i)
{
    return sinf((float)(8 * i)) * 0.5f;
}

static inline void add_tensor(struct file *f, const struct tiny_tensor *t, const char *dtype)
{
    char shape[64];
    snprintf(shape, sizeof shape, t->cols ? "[%d,%d]" : "[%d]", t->rows, t->cols);
    size_t n = elements(t);
    f->used +=
        (size_t)snprintf(f->header + f->used, sizeof f->header - f->used,
                         "%s\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}",
                         f->used ? "," : "{", t->name, dtype, shape, 4 * f->n, 4 * (f->n + n));
    ck_assert_uint_lt(f->used, sizeof f->header);
    ck_assert_uint_le(f->n + n, sizeof f->data / sizeof f->data[0]);
    for (size_t i = 0; i < n; i++, f->n++)
        f->data[f->n] = tiny_value(f->n);
}

static inline aim_checkpoint *save_and_open(struct file *f)
{
    char dir[] = "/tmp/aim-model-XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    FILE *out = fopen(path, "wb");
    uint64_t length = f->used + 1;
    fwrite(&length, sizeof length, 1, out);
    fwrite(f->header, 1, f->used, out);
    fputc('}', out);
    fwrite(f->data, sizeof(float), f->n, out);
    fclose(out);
    aim_error err = {0};
    aim_checkpoint *c = aim_checkpoint_open(dir, &err);
    ck_assert_msg(c != NULL, "%s", err.text);
    unlink(path);
    rmdir(dir);
    return c;
}

#endif
