/* SPDX-License-Identifier: Apache-2.0 */
/* chat_program.h - what a chat template does, apart from how it is laid out.
 *
 * Publishers of one template indent it differently, write '\n' or a line break,
 * ' or ". Two texts have the same program if Jinja, set up as transformers sets
 * it up (trim_blocks, lstrip_blocks), reads the same from both: white space
 * inside tags, white space that it strips around them, comments, the kind of
 * quotes and the spelling of escapes do not count. Every word, operator and
 * string inside tags, and every byte between them, does. */
#ifndef AIM_TEXT_CHAT_PROGRAM_H
#define AIM_TEXT_CHAT_PROGRAM_H

#include "base/sha256.h"

#include <stdbool.h>

enum { AIM__MAX_CHAT_TEMPLATE = 1 << 16 }; /* bytes; published ones have up to 20,000 */

/* The digest of the template's program. false, with hex empty: the text is too
 * long, not closed, or has spellings that are not read here (carriage returns,
 * escapes other than \n \t \\ \' \"). Time is linear in len. */
bool aim__chat_program(const char *text, size_t len, char hex[AIM_SHA256_HEX]);

#endif
