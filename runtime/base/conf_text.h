/* SPDX-License-Identifier: Apache-2.0 */
/* conf_text.h - configuration text as libconfuse should get to see it, so that the
 * lines in its errors are right and a text that ends too early is noticed. */
#ifndef AIM_BASE_CONF_TEXT_H
#define AIM_BASE_CONF_TEXT_H

/* libconfuse takes the end of the text for a closing brace and for the end of a
 * comment. A last line of ours tells: this option must arrive, and at the top
 * level. */
#define AIM_CONF_END "end_of_file"

/* A copy of text with blanks for comments, the lines of which libconfuse counts
 * more than once, and with the option AIM_CONF_END in a line of its own at the end.
 * The caller frees it with aim_free; NULL when out of memory. */
char *aim_conf_text(const char *text);

#endif
