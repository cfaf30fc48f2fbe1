/* SPDX-License-Identifier: Apache-2.0 */
#include "text/spelling.h"

#include "text/utf8.h"

static size_t spell_bytes(const struct aim__spelling *s, const unsigned char *bytes, size_t len,
                          int32_t *ids)
{
    for (size_t i = 0; i < len; i++)
        ids[i] = s->byte_id[bytes[i]];
    return len;
}

/* Has every byte of a character a token? */
static bool has_bytes(const struct aim__spelling *s, const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (s->byte_id[bytes[i]] < 0)
            return false;
    return true;
}

/* The unknown characters before a character that falls back to bytes are put
 * behind these bytes, because the reference does so. */
static size_t spell_characters(const struct aim__spelling *s, const struct aim__vocab *v,
                               const char *word, size_t len, int32_t *ids)
{
    const unsigned char *bytes = (const unsigned char *)word;
    bool waiting = false; /* an unknown token is to be put */
    size_t count = 0, n;
    for (size_t pos = 0; pos < len; pos += n) {
        n = aim_utf8_length(bytes[pos]);
        int32_t id = aim__vocab_find(v, word + pos, n);
        if (id >= 0) {
            if (waiting)
                ids[count++] = s->unknown;
            waiting = false;
            ids[count++] = id;
        } else if (has_bytes(s, bytes + pos, n)) {
            count += spell_bytes(s, bytes + pos, n, ids + count);
        } else if (s->unknown >= 0) {
            if (waiting && !s->fuse_unknown)
                ids[count++] = s->unknown;
            waiting = true;
        }
    }
    if (waiting)
        ids[count++] = s->unknown;
    return count;
}

size_t aim__spell(const struct aim__spelling *s, const struct aim__vocab *v, const char *word,
                  size_t len, int32_t *ids)
{
    if (s->by_byte)
        return spell_bytes(s, (const unsigned char *)word, len, ids);
    return spell_characters(s, v, word, len, ids);
}
