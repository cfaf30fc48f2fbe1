/* SPDX-License-Identifier: Apache-2.0 */
/* torch_archive.h - zip archives as torch writes them, made in memory for the unit
 * test and the fuzz target of torch files. */
#ifndef AIM_TESTS_UNIT_TORCH_ARCHIVE_H
#define AIM_TESTS_UNIT_TORCH_ARCHIVE_H

#include "checkpoint/crc32.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ARCHIVE_MEMBERS = 4 }; /* at most */

/* Bytes of the extra field with 64-bit sizes and offset. */
enum { WIDE_EXTRA = 28 };

/* Bytes of the records. */
enum {
    LOCAL_RECORD = 30,
    ENTRY_RECORD = 46,
    END64_RECORD = 56,
    LOCATOR_RECORD = 20,
    END_RECORD = 22
};

struct archive_member {
    const char *name;
    const void *data;
    size_t size;
};

/* The archive and where its records lie, for a test to break them. */
struct archive {
    unsigned char *data; /* size bytes, from malloc */
    size_t size;
    size_t local[ARCHIVE_MEMBERS], entry[ARCHIVE_MEMBERS], end64, locator, end;
};

static inline void archive_put(unsigned char *at, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

/* Sizes and the rest of a record's fields that local header and entry share. */
static inline void archive_put_member(unsigned char *at, const struct archive_member *m)
{
    archive_put(at, 0x0800, 2); /* flags: names are UTF-8 */
    archive_put(at + 8, aim__crc32(m->data, m->size), 4);
    archive_put(at + 12, m->size, 4);
    archive_put(at + 16, m->size, 4);
    archive_put(at + 20, strlen(m->name), 2);
}

static inline size_t archive_add_local(struct archive *a, size_t at, const struct archive_member *m)
{
    unsigned char *p = a->data + at;
    size_t name = strlen(m->name);
    archive_put(p, 0x04034b50, 4);
    archive_put_member(p + 6, m);
    memcpy(p + LOCAL_RECORD, m->name, name);
    if (m->size)
        memcpy(p + LOCAL_RECORD + name, m->data, m->size);
    return at + LOCAL_RECORD + name + m->size;
}

/* Sizes and offset move into an extra field, as they do above 4 GiB. */
static inline void archive_widen(unsigned char *entry, unsigned char *extra, size_t size,
                                 size_t local)
{
    archive_put(entry + 20, UINT64_MAX, 8);
    archive_put(entry + 30, WIDE_EXTRA, 2);
    archive_put(entry + 42, UINT32_MAX, 4);
    archive_put(extra, 1, 2);
    archive_put(extra + 2, WIDE_EXTRA - 4, 2);
    archive_put(extra + 4, size, 8);
    archive_put(extra + 12, size, 8);
    archive_put(extra + 20, local, 8);
}

static inline size_t archive_add_entry(struct archive *a, size_t at, const struct archive_member *m,
                                       size_t local, bool wide)
{
    unsigned char *p = a->data + at;
    size_t name = strlen(m->name);
    archive_put(p, 0x02014b50, 4);
    archive_put_member(p + 8, m);
    archive_put(p + 42, local, 4);
    memcpy(p + ENTRY_RECORD, m->name, name);
    if (wide)
        archive_widen(p, p + ENTRY_RECORD + name, m->size, local);
    return at + ENTRY_RECORD + name + (wide ? WIDE_EXTRA : 0);
}

/* The three records that close the archive. */
static inline void archive_add_end(struct archive *a, size_t at, size_t dir, size_t n)
{
    a->end64 = at;
    a->locator = at + END64_RECORD;
    a->end = a->locator + LOCATOR_RECORD;
    unsigned char *p = a->data + a->end64, *locator = a->data + a->locator;
    archive_put(p, 0x06064b50, 4);
    archive_put(p + 4, END64_RECORD - 12, 8);
    archive_put(p + 24, n, 8);
    archive_put(p + 32, n, 8);
    archive_put(p + 40, at - dir, 8);
    archive_put(p + 48, dir, 8);
    archive_put(locator, 0x07064b50, 4);
    archive_put(locator + 8, at, 8);
    archive_put(locator + 16, 1, 4);
    p = a->data + a->end;
    archive_put(p, 0x06054b50, 4);
    archive_put(p + 8, n, 2);
    archive_put(p + 10, n, 2);
    archive_put(p + 12, at - dir, 4);
    archive_put(p + 16, dir, 4);
}

static inline struct archive archive_build(const struct archive_member *members, size_t n,
                                           bool wide)
{
    struct archive a = {.size = END64_RECORD + LOCATOR_RECORD + END_RECORD};
    a.size += wide ? n * WIDE_EXTRA : 0;
    for (size_t i = 0; i < n; i++)
        a.size += LOCAL_RECORD + ENTRY_RECORD + 2 * strlen(members[i].name) + members[i].size;
    a.data = calloc(a.size, 1);
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        a.local[i] = at;
        at = archive_add_local(&a, at, &members[i]);
    }
    size_t dir = at;
    for (size_t i = 0; i < n; i++) {
        a.entry[i] = at;
        at = archive_add_entry(&a, at, &members[i], a.local[i], wide);
    }
    archive_add_end(&a, at, dir, n);
    return a;
}

/* The pickle beside two storages, of 24 and 8 bytes. */
static inline struct archive archive_around(const void *pickle, size_t size, bool wide)
{
    static const float six[6] = {1, 2, 3, 4, 5, 6};
    static const unsigned char eight[8] = {0x80, 0x3f, 0, 0x40, 0x40, 0x40, 0x80, 0x40};
    const struct archive_member members[] = {
        {"r/data.pkl", pickle, size},
        {"r/byteorder", "little", 6},
        {"r/data/0", six, sizeof six},
        {"r/data/1", eight, sizeof eight},
    };
    return archive_build(members, sizeof members / sizeof members[0], wide);
}

#endif
