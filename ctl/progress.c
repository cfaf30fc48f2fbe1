/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/progress.h"

#include "base/buf.h"
#include "ctl/terminal.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    USUAL_COLUMNS = 80, /* where the terminal does not tell */
    MAX_BAR = 40,
    MIN_BAR = 10,
    FIGURE = 7, /* " 100 %", and the last column, where the line would wrap */
    BRACKETS = 3,
    TEXT = 128,
};

void actl_progress_init(actl_progress *p, bool wanted)
{
    *p = (actl_progress){.on = wanted && isatty(STDERR_FILENO)};
}

static int terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return USUAL_COLUMNS;
}

/* "[====>    ]" with `columns` between the brackets. */
static void put_bar(aim_buf *line, int columns, double done)
{
    int full = (int)(done * columns);
    aim_buf_puts(line, "[");
    for (int i = 0; i < columns; i++)
        aim_buf_puts(line, i < full ? "=" : i == full ? ">" : " ");
    aim_buf_puts(line, "] ");
}

/* What fits: text, bar and figure, or text and figure, or the figure alone. */
static void compose(aim_buf *line, const char *what, double done)
{
    char text[TEXT];
    snprintf(text, sizeof text, "%s", what);
    int room = terminal_columns() - (int)strlen(text) - FIGURE, bar = room - BRACKETS;
    if (room >= 0)
        aim_buf_printf(line, "%s ", text);
    if (bar >= MIN_BAR)
        put_bar(line, bar < MAX_BAR ? bar : MAX_BAR, done);
    aim_buf_printf(line, "%3d %%", (int)(100 * done));
}

void actl_progress_draw(actl_progress *p, const char *what, double done)
{
    aim_buf line = AIM_BUF_INIT, text = AIM_BUF_INIT;
    if (!p->on)
        return;
    actl_escape(&text, what);
    if (!text.failed)
        compose(&line, text.data ? text.data : "", done < 0 ? 0 : done > 1 ? 1 : done);
    if (!text.failed && !line.failed) {
        int len = (int)line.len;
        fprintf(stderr, "\r%s%*s", line.data, p->drawn > len ? p->drawn - len : 0, "");
        p->drawn = len;
    }
    aim_buf_free(&line);
    aim_buf_free(&text);
}

void actl_progress_end(actl_progress *p)
{
    if (p->drawn)
        fprintf(stderr, "\r%*s\r", p->drawn, "");
    p->drawn = 0;
}
