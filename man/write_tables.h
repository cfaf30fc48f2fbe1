/* SPDX-License-Identifier: Apache-2.0 */
/* write_tables.h - what the files of write-tables share. */
#ifndef AIM_MAN_WRITE_TABLES_H
#define AIM_MAN_WRITE_TABLES_H

/* Print text in lines of at most 78 columns, each of which begins with `lead`. */
void print_wrapped(const char *lead, const char *text);

/* The sections and keys of analogd-profile(5). */
void print_profile_keys(void);

#endif
