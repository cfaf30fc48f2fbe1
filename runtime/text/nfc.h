/* SPDX-License-Identifier: Apache-2.0 */
/* nfc.h - Unicode normalisation form C in O(n log n), for text of any shape. */
#ifndef AIM_TEXT_NFC_H
#define AIM_TEXT_NFC_H

#include "base/alloc.h"

/* The normal form of well-formed text in new memory (aim_free), its length in
 * *out_len; NULL when out of memory. */
AIM_MUST_USE char *aim__nfc(const char *text, size_t len, size_t *out_len);

#endif
