/* SPDX-License-Identifier: Apache-2.0 */
/* The zip format (PKWARE's APPNOTE 6.3), narrowed to what leaves no doubt which
 * bytes a name stands for:
 *
 *  1. The end record closes the file, comment included; the 64-bit one, if there
 *     is one, lies in front of it and does not contradict it; the directory ends
 *     where they begin and has as many entries as they say.
 *  2. A member is on this disk, stored (method 0), not encrypted, of one size
 *     packed and unpacked.
 *  3. Its local header lies in front of the directory and tells the same name,
 *     method, flags and sizes.
 *  4. No two members share a name, no two share a byte, none reaches into the
 *     directory.
 *
 * Bytes between members are legal: torch pads there, and writes checksums. */
#include "checkpoint/zip_archive.h"

#include "base/alloc.h"
#include "checkpoint/crc32.h"
#include "checkpoint/little_endian.h"
#include "checkpoint/plain_text.h"

#include <stdlib.h>
#include <string.h>

enum {
    END_BYTES = 22,
    MAX_COMMENT = 65535,
    LOCATOR_BYTES = 20,
    END64_BYTES = 56,
    ENTRY_BYTES = 46,
    LOCAL_BYTES = 30,
    MAX_MEMBERS = 1 << 17,
};

enum { ENCRYPTED = 1 << 0, SIZES_FOLLOW = 1 << 3, UTF8_NAMES = 1 << 11 };

#define END_SIGNATURE 0x06054b50u
#define LOCATOR_SIGNATURE 0x07064b50u
#define END64_SIGNATURE 0x06064b50u
#define ENTRY_SIGNATURE 0x02014b50u
#define LOCAL_SIGNATURE 0x04034b50u

/* All ones in a field of 16 or 32 bits: see the 64-bit form. */
#define SEE64_16 0xFFFFu
#define SEE64_32 0xFFFFFFFFu

struct reader {
    const unsigned char *data;
    size_t size;
    const char *file;
    aim_error *err;
};

/* Where the directory lies. */
struct directory {
    uint64_t begin, size, entries;
};

/* The fields of a directory entry that the local header repeats. */
struct entry {
    aim__zip_member member;
    uint32_t flags;
    uint64_t packed, unpacked, header;
};

static int bad(const struct reader *r, const char *why)
{
    aim_fail(r->err, AIM_EFORMAT, "%s: zip archive: %s", r->file, why);
    return AIM_EFORMAT;
}

static int bad_member(const struct reader *r, const aim__zip_member *m, const char *why)
{
    return aim_fail(r->err, AIM_EFORMAT, "%s: member \"%.*s\": %s", r->file,
                    m->name_len < 200 ? (int)m->name_len : 200, m->name, why);
}

/* ---- rule 1: the end records ---------------------------------------------- */

/* The end record is found from behind by its comment's length. */
static bool find_end(const struct reader *r, size_t *at)
{
    if (r->size < END_BYTES)
        return false;
    size_t last = r->size - END_BYTES;
    size_t first = last > MAX_COMMENT ? last - MAX_COMMENT : 0;
    for (size_t pos = last + 1; pos-- > first;) {
        const unsigned char *p = r->data + pos;
        if (aim__load32(p) == END_SIGNATURE && aim__load16(p + 20) == last - pos) {
            *at = pos;
            return true;
        }
    }
    return false;
}

static bool agrees(uint64_t narrow, uint64_t see64, uint64_t wide)
{
    return narrow == see64 || narrow == wide;
}

/* The 64-bit end record in front of the locator at `locator`; end is the old one. */
static int read_end64(const struct reader *r, size_t locator, const unsigned char *end,
                      struct directory *dir)
{
    const unsigned char *l = r->data + locator;
    if (locator < END64_BYTES || aim__load64(l + 8) != locator - END64_BYTES)
        return bad(r, "the 64-bit end record is not where its locator says");
    const unsigned char *p = l - END64_BYTES;
    if (aim__load32(p) != END64_SIGNATURE || aim__load64(p + 4) != END64_BYTES - 12)
        return bad(r, "the 64-bit end record is malformed");
    *dir = (struct directory){aim__load64(p + 48), aim__load64(p + 40), aim__load64(p + 32)};
    if (aim__load32(l + 4) != 0 || aim__load32(l + 16) > 1 || aim__load32(p + 16) != 0 ||
        aim__load32(p + 20) != 0 || aim__load64(p + 24) != dir->entries)
        return bad(r, "it spans several disks");
    if (!agrees(aim__load16(end + 10), SEE64_16, dir->entries) ||
        !agrees(aim__load32(end + 12), SEE64_32, dir->size) ||
        !agrees(aim__load32(end + 16), SEE64_32, dir->begin))
        return bad(r, "the 64-bit end record contradicts the end record");
    return AIM_OK;
}

static int read_end(const struct reader *r, struct directory *dir)
{
    size_t at;
    if (!find_end(r, &at))
        return bad(r, "no end record closes it: cut short, or bytes behind it");
    const unsigned char *p = r->data + at;
    size_t dir_end = at;
    if (at >= LOCATOR_BYTES && aim__load32(p - LOCATOR_BYTES) == LOCATOR_SIGNATURE) {
        int code = read_end64(r, at - LOCATOR_BYTES, p, dir);
        if (code)
            return code;
        dir_end = at - LOCATOR_BYTES - END64_BYTES;
    } else {
        *dir = (struct directory){aim__load32(p + 16), aim__load32(p + 12), aim__load16(p + 10)};
    }
    if (aim__load16(p + 4) != 0 || aim__load16(p + 6) != 0 ||
        aim__load16(p + 8) != aim__load16(p + 10))
        return bad(r, "it spans several disks");
    if (dir->begin > dir_end || dir->size != dir_end - dir->begin)
        return bad(r, "the directory does not end where the end record begins");
    if (dir->entries > MAX_MEMBERS || dir->entries > dir->size / ENTRY_BYTES)
        return bad(r, "it says to have more members than are read or fit its directory");
    return AIM_OK;
}

/* ---- rule 2: an entry of the directory ------------------------------------ */

/* Replace fields that hold all ones by those of the 64-bit block among the extra
 * fields, where they stand in this order. */
static int widen(const struct reader *r, struct entry *e, const unsigned char *extra, size_t n)
{
    uint64_t *const fields[] = {&e->unpacked, &e->packed, &e->header};
    const unsigned char *block = NULL;
    size_t left = 0;
    for (size_t len; n >= 4 && !block; extra += 4 + len, n -= 4 + len) {
        len = aim__load16(extra + 2);
        if (len > n - 4)
            return bad_member(r, &e->member, "the extra fields are malformed");
        if (aim__load16(extra) == 1) {
            block = extra + 4;
            left = len;
        }
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (*fields[i] != SEE64_32)
            continue;
        if (left < 8)
            return bad_member(r, &e->member, "a 64-bit field is missing");
        *fields[i] = aim__load64(block);
        block += 8;
        left -= 8;
    }
    return AIM_OK;
}

static int check_entry(const struct reader *r, const struct entry *e, const unsigned char *p)
{
    uint32_t method = aim__load16(p + 10);
    if (e->flags & ENCRYPTED)
        return bad_member(r, &e->member, "is encrypted");
    if (e->flags & ~(uint32_t)(SIZES_FOLLOW | UTF8_NAMES))
        return bad_member(r, &e->member, "has unknown flags");
    if (method != 0)
        return bad_member(r, &e->member, "is compressed; torch stores members as they are");
    if (e->packed != e->unpacked)
        return bad_member(r, &e->member, "is stored, but has two sizes");
    if (aim__load16(p + 34) != 0)
        return bad_member(r, &e->member, "lies on another disk");
    return AIM_OK;
}

/* The entry at *pos of the directory that ends at end; *pos moves behind it. */
static int read_entry(const struct reader *r, uint64_t *pos, uint64_t end, struct entry *e)
{
    const unsigned char *p = r->data + *pos;
    if (end - *pos < ENTRY_BYTES || aim__load32(p) != ENTRY_SIGNATURE)
        return bad(r, "the directory is malformed");
    size_t name_len = aim__load16(p + 28), extra_len = aim__load16(p + 30);
    size_t length = ENTRY_BYTES + name_len + extra_len + aim__load16(p + 32);
    if (length > end - *pos)
        return bad(r, "the directory is malformed");
    *e = (struct entry){
        .member = {.name = (const char *)p + ENTRY_BYTES,
                   .name_len = name_len,
                   .crc = aim__load32(p + 16)},
        .flags = aim__load16(p + 8),
        .packed = aim__load32(p + 20),
        .unpacked = aim__load32(p + 24),
        .header = aim__load32(p + 42),
    };
    if (!aim__is_plain_text(e->member.name, name_len))
        return bad(r, "the name of a member is not printable ASCII");
    *pos += length;
    int code = widen(r, e, p + ENTRY_BYTES + name_len, extra_len);
    return code ? code : check_entry(r, e, p);
}

/* ---- rule 3: the local header --------------------------------------------- */

static bool local_size_agrees(uint64_t local, const struct entry *e)
{
    return agrees(local, SEE64_32, e->packed) || (local == 0 && e->flags & SIZES_FOLLOW);
}

/* Find the member's data, in front of the directory that begins at limit. */
static int read_local(const struct reader *r, struct entry *e, uint64_t limit)
{
    aim__zip_member *m = &e->member;
    if (e->header > limit || limit - e->header < LOCAL_BYTES)
        return bad_member(r, m, "the local header lies outside of the archive");
    const unsigned char *p = r->data + e->header;
    size_t name_len = aim__load16(p + 26);
    uint64_t room = limit - e->header - LOCAL_BYTES, before = name_len + aim__load16(p + 28);
    if (aim__load32(p) != LOCAL_SIGNATURE)
        return bad_member(r, m, "there is no local header where the directory says");
    if (before > room || e->packed > room - before)
        return bad_member(r, m, "reaches into the directory");
    if (name_len != m->name_len || memcmp(p + LOCAL_BYTES, m->name, name_len) != 0)
        return bad_member(r, m, "the local header has another name");
    if (aim__load16(p + 6) != e->flags || aim__load16(p + 8) != 0)
        return bad_member(r, m, "the local header has another method or other flags");
    if (!local_size_agrees(aim__load32(p + 18), e) || !local_size_agrees(aim__load32(p + 22), e))
        return bad_member(r, m, "the local header has another size");
    m->header = (size_t)e->header;
    m->data = p + LOCAL_BYTES + before;
    m->size = (size_t)e->packed;
    return AIM_OK;
}

/* ---- rule 4: all members together ----------------------------------------- */

static int by_header(const void *left, const void *right)
{
    const aim__zip_member *a = left, *b = right;
    return (a->header > b->header) - (a->header < b->header);
}

static int by_name(const void *left, const void *right)
{
    const aim__zip_member *a = left, *b = right;
    size_t common = a->name_len < b->name_len ? a->name_len : b->name_len;
    int order = memcmp(a->name, b->name, common);
    return order ? order : (a->name_len > b->name_len) - (a->name_len < b->name_len);
}

/* Leaves the members sorted by name. */
static int check_members(const struct reader *r, aim__zip *zip)
{
    aim__zip_member *m = zip->members;
    qsort(m, zip->n_members, sizeof *m, by_header);
    for (size_t i = 1; i < zip->n_members; i++)
        if (m[i - 1].data + m[i - 1].size > r->data + m[i].header)
            return bad_member(r, &m[i], "overlaps another member");
    qsort(m, zip->n_members, sizeof *m, by_name);
    for (size_t i = 1; i < zip->n_members; i++)
        if (by_name(&m[i - 1], &m[i]) == 0)
            return bad_member(r, &m[i], "is there twice");
    return AIM_OK;
}

static int read_members(const struct reader *r, const struct directory *dir, aim__zip *zip)
{
    uint64_t pos = dir->begin, end = dir->begin + dir->size;
    while (zip->n_members < dir->entries) {
        struct entry e;
        int code = read_entry(r, &pos, end, &e);
        if (!code)
            code = read_local(r, &e, dir->begin);
        if (code)
            return code;
        zip->members[zip->n_members++] = e.member;
    }
    if (pos != end)
        return bad(r, "the directory has more entries than the end record says");
    return check_members(r, zip);
}

/* ---- for the rest of the folder ------------------------------------------- */

int aim__zip_open(const unsigned char *data, size_t size, const char *file, aim__zip *zip,
                  aim_error *err)
{
    struct reader r = {data, size, file, err};
    struct directory dir = {0};
    *zip = (aim__zip){0};
    int code = read_end(&r, &dir);
    if (code)
        return code;
    zip->members = aim_calloc((size_t)dir.entries, sizeof *zip->members);
    code = zip->members ? read_members(&r, &dir, zip) : aim_fail_nomem(err, file);
    if (code)
        aim__zip_close(zip);
    return code;
}

void aim__zip_close(aim__zip *zip)
{
    aim_free(zip->members);
    *zip = (aim__zip){0};
}

const aim__zip_member *aim__zip_find(const aim__zip *zip, const char *name)
{
    aim__zip_member key = {.name = name, .name_len = strlen(name)};
    if (zip->n_members == 0)
        return NULL;
    return bsearch(&key, zip->members, zip->n_members, sizeof key, by_name);
}

bool aim__zip_member_is_intact(const aim__zip_member *member)
{
    return aim__crc32(member->data, member->size) == member->crc;
}
