/* SPDX-License-Identifier: Apache-2.0 */
/* stop_match.h - finding stop strings in text that grows. */
#ifndef AIM_ENGINE_STOP_MATCH_H
#define AIM_ENGINE_STOP_MATCH_H

#include <stddef.h>

/* The stop string that begins first in text (of two that begin at the same
 * byte, the one listed first): its index, and where it begins in *at; -1 if
 * there is none. */
int aim__stop_find(const char *text, size_t len, char *const *stops, size_t n, size_t *at);

/* Length of the longest end of text that a stop string could still begin with:
 * bytes that must not be sent yet. */
size_t aim__stop_holdback(const char *text, size_t len, char *const *stops, size_t n);

#endif
