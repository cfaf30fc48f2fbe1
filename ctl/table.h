/* SPDX-License-Identifier: Apache-2.0 */
/* table.h - rows of cells, in columns as wide as their widest cell. Out of memory
 * shows at the end, as in a buffer (base/buf.h). */
#ifndef ACTL_TABLE_H
#define ACTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct actl_column {
    const char *title;
    bool right; /* figures stand at the right */
} actl_column;

typedef struct actl_table {
    const actl_column *columns;
    size_t n_columns;
    char **cells; /* row by row; the first are the titles */
    size_t n_cells, room;
    bool failed;
} actl_table;

/* An empty table; columns must stay as long as it does. */
void actl_table_init(actl_table *t, const actl_column *columns, size_t n_columns);
/* The next cell of the row, escaped (terminal.h). */
void actl_table_put(actl_table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Print it to stdout and free its cells. */
void actl_table_finish(actl_table *t);

#endif
