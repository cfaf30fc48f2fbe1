/* SPDX-License-Identifier: Apache-2.0 */
/* normal_form.h - the normalisation forms of Unicode (UAX #15) in O(n), for
 * text of any shape. */
#ifndef AIM_TEXT_NORMAL_FORM_H
#define AIM_TEXT_NORMAL_FORM_H

#include "base/buf.h"

#include <stdbool.h>

enum aim__normal_form {
    AIM__NFC,
    AIM__NFD,
    AIM__NFKC,
    AIM__NFKD,
};

/* Append the normal form of well-formed text to out, which fails when memory
 * runs out. false, with a part of it appended, where that or the code points of
 * a stretch without ASCII take more than most bytes. */
bool aim__normal_form(enum aim__normal_form form, const char *text, size_t len, size_t most,
                      aim_buf *out);

#endif
