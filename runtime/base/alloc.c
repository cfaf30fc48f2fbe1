/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

/* -1: off; 0: the next allocation fails. */
static _Thread_local long fail_after = -1;

void aim_alloc_fail_after(long n)
{
    fail_after = n;
}

static _Atomic uint64_t asked;

uint64_t aim_alloc_count(void)
{
    return asked;
}

/* Every allocation asks this first. */
static bool must_fail(void)
{
    atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed);
    if (fail_after < 0)
        return false;
    return fail_after-- == 0; /* the failure itself switches the hook off */
}

void *aim_malloc(size_t size)
{
    return must_fail() ? NULL : malloc(size ? size : 1);
}

void *aim_calloc(size_t count, size_t size)
{
    size_t total;
    if (!aim_mul(count, size, &total) || must_fail())
        return NULL;
    return calloc(total ? total : 1, 1);
}

void *aim_realloc(void *p, size_t size)
{
    return must_fail() ? NULL : realloc(p, size ? size : 1);
}

void *aim_array(size_t count, size_t size)
{
    size_t total;
    return aim_mul(count, size, &total) ? aim_malloc(total) : NULL;
}

void *aim_rearray(void *p, size_t count, size_t size)
{
    size_t total;
    return aim_mul(count, size, &total) ? aim_realloc(p, total) : NULL;
}

char *aim_strndup(const char *s, size_t n)
{
    size_t size;
    char *copy = aim_add(n, 1, &size) ? aim_malloc(size) : NULL;
    if (!copy)
        return NULL;
    memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

char *aim_strdup(const char *s)
{
    return aim_strndup(s, strlen(s));
}

void aim_free(void *p)
{
    free(p);
}

void aim_trim(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

bool aim_grow(void *p, size_t *room, size_t want, size_t size)
{
    if (want <= *room)
        return true;
    size_t next = *room < 8 ? 8 : *room;
    while (next < want)
        if (!aim_mul(next, 2, &next))
            return false;
    void *old, *grown;
    memcpy(&old, p, sizeof old);
    grown = aim_rearray(old, next, size);
    if (!grown)
        return false;
    memcpy(p, &grown, sizeof grown);
    *room = next;
    return true;
}

/* From this size on a mapping of its own pays, and huge pages can help: those of x86
 * and, with pages of 4 KiB, of Arm. */
enum { HUGE_PAGE = 2 << 20, BIG = HUGE_PAGE };

static _Atomic size_t big_held;

static size_t round_up(size_t size, size_t unit)
{
    return (size + unit - 1) / unit * unit;
}

/* Pages for size bytes that begin where a huge one can: a mapping with as much more
 * room, of which both ends go back. NULL on failure. */
static void *map_aligned(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = round_up(size, page);
    unsigned char *p =
        mmap(NULL, bytes + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    size_t before = round_up((uintptr_t)p, HUGE_PAGE) - (uintptr_t)p;
    if (before)
        munmap(p, before);
    if (before < HUGE_PAGE)
        munmap(p + before + bytes, HUGE_PAGE - before);
    return p + before;
}

void *aim_big_alloc(size_t size)
{
    if (must_fail() || size > SIZE_MAX / 2)
        return NULL;
    if (size < BIG) {
        size_t rounded = round_up(size ? size : 1, 64);
        void *p = aligned_alloc(64, rounded);
        if (!p)
            return NULL;
        memset(p, 0, rounded);
        big_held += size;
        return p;
    }
    void *p = map_aligned(size);
    if (!p)
        return NULL;
    big_held += size;
    madvise(p, size, MADV_HUGEPAGE); /* a hint: failure does not matter */
    return p;
}

void aim_big_free(void *p, size_t size)
{
    if (!p)
        return;
    big_held -= size;
    if (size < BIG)
        free(p);
    else
        munmap(p, size);
}

size_t aim_big_held(void)
{
    return big_held;
}
