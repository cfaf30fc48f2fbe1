/* SPDX-License-Identifier: Apache-2.0 */
/* terminal.h - what is printed. Text of the server can hold anything; nothing of it
 * reaches a terminal that would move its cursor or change its state. */
#ifndef ACTL_TERMINAL_H
#define ACTL_TERMINAL_H

#include "base/buf.h"

#include <jansson.h>

/* Append text with control characters, and those that reverse the direction of
 * writing, as \xNN for each of their bytes. */
void actl_escape(aim_buf *out, const char *text);

/* "analogctl: TEXT" on stderr, escaped. */
void actl_complain(const char *text);

/* A line of text on stdout, escaped. */
void actl_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The value on one line of stdout, in ASCII. */
void actl_print_json(const json_t *value);
/* Each item of a list so. */
void actl_print_json_list(const json_t *list);

#endif
