/* SPDX-License-Identifier: Apache-2.0 */
/* conf_text.h - configuration text through libconfuse, with lines in errors that are
 * right, and none taken for whole that ends too early. */
#ifndef AIM_BASE_CONF_TEXT_H
#define AIM_BASE_CONF_TEXT_H

#include "base/error.h"

#include <confuse.h>

/* libconfuse takes the end of the text for a closing brace and for the end of a
 * comment. A last line of ours tells: every section must know an option of this name
 * and refuse it, and the top level gets it. */
#define AIM_CONF_END "end_of_file"

/* A copy of text with blanks for comments, the lines of which libconfuse counts
 * more than once, and with the option AIM_CONF_END in a line of its own at the end.
 * The caller frees it with aim_free; NULL when out of memory. */
char *aim_conf_text(const char *text);

/* Parse what aim_conf_text made. What libconfuse finds, and what callbacks tell by
 * cfg_error, becomes an AIM_EINVAL that begins with "name:line: ". */
int aim_conf_parse(cfg_t *cfg, const char *text, const char *name, aim_error *err);

#endif
