/* SPDX-License-Identifier: Apache-2.0 */
/* alloc.h - every allocation of the project goes through here, so that sizes
 * are multiplied without overflow and a test can make the n-th one fail. */
#ifndef AIM_BASE_ALLOC_H
#define AIM_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AIM_MUST_USE __attribute__((warn_unused_result))

/* All return NULL on failure. Free with aim_free. */
AIM_MUST_USE void *aim_malloc(size_t size);
AIM_MUST_USE void *aim_calloc(size_t count, size_t size);
AIM_MUST_USE void *aim_realloc(void *p, size_t size);
/* Room for count elements of size bytes; NULL on overflow. */
AIM_MUST_USE void *aim_array(size_t count, size_t size);
AIM_MUST_USE void *aim_rearray(void *p, size_t count, size_t size);
AIM_MUST_USE char *aim_strdup(const char *s);
AIM_MUST_USE char *aim_strndup(const char *s, size_t n);
void aim_free(void *p);

/* Make *p hold at least want elements of size bytes, growing by doubling.
 * *p and *room are unchanged on failure (false). */
AIM_MUST_USE bool aim_grow(void *p, size_t *room, size_t want, size_t size);

/* Zeroed memory aligned to 64 bytes, for weights, caches and activations:
 * large pieces are mapped apart and may sit on huge pages. The size must be
 * handed back to aim_big_free. */
AIM_MUST_USE void *aim_big_alloc(size_t size);
void aim_big_free(void *p, size_t size);
/* Bytes that such pieces have now, over all threads, touched or not. */
size_t aim_big_held(void);

/* Give freed memory back to the system: after a phase that took much of it. */
void aim_trim(void);

/* Test hook: let the next n allocations of this thread succeed and fail the
 * one after; n < 0 switches the hook off. Returns nothing, affects only the
 * calling thread. */
void aim_alloc_fail_after(long n);

/* Test hook: how often memory was asked for here so far, by any thread. */
uint64_t aim_alloc_count(void);

/* Checked arithmetic: false on overflow, *out then unspecified. */
static inline bool aim_mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool aim_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}
/* a + b, or SIZE_MAX if that is larger still: for sizes that are only compared with
 * what there is. */
static inline size_t aim_add_saturating(size_t a, size_t b)
{
    size_t sum;
    return aim_add(a, b, &sum) ? sum : SIZE_MAX;
}

#endif
