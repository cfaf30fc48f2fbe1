/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h" /* memmem */

#include "engine/stop_match.h"

#include <string.h>

int aim__stop_find(const char *text, size_t len, char *const *stops, size_t n, size_t *at)
{
    int found = -1;
    size_t end = len; /* only an earlier beginning wins */
    for (size_t i = 0; i < n; i++) {
        const char *hit = memmem(text, len, stops[i], strlen(stops[i]));
        if (hit && (size_t)(hit - text) < end) {
            end = (size_t)(hit - text);
            found = (int)i;
        }
    }
    *at = end;
    return found;
}

static size_t common_end(const char *text, size_t len, const char *stop)
{
    size_t most = strlen(stop) - 1;
    for (size_t k = most < len ? most : len; k > 0; k--)
        if (memcmp(text + len - k, stop, k) == 0)
            return k;
    return 0;
}

size_t aim__stop_holdback(const char *text, size_t len, char *const *stops, size_t n)
{
    size_t hold = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = common_end(text, len, stops[i]);
        if (k > hold)
            hold = k;
    }
    return hold;
}
