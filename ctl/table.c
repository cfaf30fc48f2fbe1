/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/table.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "ctl/terminal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { GAP = 2 };

void actl_table_init(actl_table *t, const actl_column *columns, size_t n_columns)
{
    *t = (actl_table){.columns = columns, .n_columns = n_columns};
    for (size_t i = 0; i < n_columns; i++)
        actl_table_put(t, "%s", columns[i].title);
}

void actl_table_put(actl_table *t, const char *fmt, ...)
{
    char text[256];
    aim_buf cell = AIM_BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    actl_escape(&cell, *text ? text : "-");
    if (cell.failed || !aim_grow(&t->cells, &t->room, t->n_cells + 1, sizeof *t->cells)) {
        aim_buf_free(&cell);
        t->failed = true;
        return;
    }
    t->cells[t->n_cells++] = aim_buf_steal(&cell, NULL);
}

/* Columns of the terminal that a text takes: one a character, near enough. */
static int width(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += (*text & 0xC0) != 0x80;
    return n;
}

static int column_width(const actl_table *t, size_t column)
{
    int widest = 0;
    for (size_t i = column; i < t->n_cells; i += t->n_columns)
        if (width(t->cells[i]) > widest)
            widest = width(t->cells[i]);
    return widest;
}

static void print_cell(const char *cell, int room, bool right, bool last)
{
    int pad = room - width(cell);
    printf("%*s%s%*s", right ? pad : 0, "", cell, last ? 0 : GAP + (right ? 0 : pad), "");
}

static void print(const actl_table *t, const int *widths)
{
    for (size_t i = 0; i < t->n_cells; i++) {
        size_t column = i % t->n_columns;
        bool last = column + 1 == t->n_columns;
        print_cell(t->cells[i], widths[column], t->columns[column].right, last);
        if (last)
            putchar('\n');
    }
}

void actl_table_finish(actl_table *t)
{
    int *widths = aim_array(t->n_columns, sizeof *widths);
    for (size_t i = 0; widths && i < t->n_columns; i++)
        widths[i] = column_width(t, i);
    if (widths && !t->failed)
        print(t, widths);
    else
        actl_complain("out of memory: table");
    for (size_t i = 0; i < t->n_cells; i++)
        aim_free(t->cells[i]);
    aim_free(t->cells);
    aim_free(widths);
}
