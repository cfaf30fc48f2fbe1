# SPDX-License-Identifier: Apache-2.0
"""Draws the curves of scaling.py as SVG: three panels with logarithmic axes. Colours
follow the reader's light or dark scheme."""

import math

from accuracy_figure import GRID, INK, dot, line, text

WIDTH, HEIGHT = 980, 405
TOP, BOTTOM = 50, 320
PANELS = [(60, 320), (390, 650), (720, 960)]
COLOURS = ["#3b7fc4", "#d1742a", "#2f9e62", "#a05fb8"]

STYLE = f"""<style>
@media (prefers-color-scheme: dark) {{
  rect {{ fill: #0d1117 }}
  text {{ fill: #d7dce2 }}
  line[stroke="{GRID}"] {{ stroke: #30363d }}
  line[stroke="{INK}"] {{ stroke: #d7dce2 }}
}}
</style>"""


def document(width, height, body):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'font-family="sans-serif">\n{STYLE}\n'
            f'<rect width="{width}" height="{height}" fill="white"/>\n'
            + "\n".join(body) + "\n</svg>\n")


class Scale:
    """A logarithmic axis from low to high between two positions."""

    def __init__(self, low, high, start, end):
        self.low, self.high, self.start, self.end = low, high, start, end

    def at(self, value):
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + (self.end - self.start) * part


def rate_ticks(series):
    """1, 2 and 5 times powers of ten around all rates."""
    rates = [rate for _, dots, points in series for _, rate in dots + points]
    ticks = [m * 10 ** e for e in range(-1, 7) for m in (1, 2, 5)]
    first = max(i for i, t in enumerate(ticks) if t <= min(rates))
    last = min(i for i, t in enumerate(ticks) if t >= max(rates))
    return ticks[first:last + 1]


def axes(panel, title, x_title, x_ticks, y_ticks):
    x = Scale(x_ticks[0], x_ticks[-1], panel[0] + 8, panel[1] - 8)
    y = Scale(y_ticks[0], y_ticks[-1], BOTTOM, TOP)
    out = [text((panel[0] + panel[1]) / 2, TOP - 22, title, 14)]
    for tick in y_ticks:
        out.append(line(panel[0], y.at(tick), panel[1], y.at(tick), GRID))
        out.append(text(panel[0] - 6, y.at(tick) + 4, f"{tick:,g}", 11, "end"))
    for tick in x_ticks:
        out.append(line(x.at(tick), BOTTOM, x.at(tick), BOTTOM + 4))
        out.append(text(x.at(tick), BOTTOM + 17, f"{tick:g}", 10))
    out.append(line(panel[0], BOTTOM, panel[1], BOTTOM))
    out.append(text((panel[0] + panel[1]) / 2, BOTTOM + 35, x_title, 12))
    out.append(text(panel[0], TOP - 14, "tokens/s", 11, "end"))
    return out, x, y


def legend(panel, series):
    """Two names a line."""
    out = []
    for i, (name, _, _) in enumerate(series):
        left = panel[0] + i % 2 * (panel[1] - panel[0]) / 2
        y = BOTTOM + 58 + i // 2 * 16
        out.append(line(left, y - 4, left + 16, y - 4, COLOURS[i], 2))
        out.append(text(left + 21, y, name, 11, "start"))
    return out


def curve_panel(panel, title, x_title, x_ticks, series):
    out, x, y = axes(panel, title, x_title, x_ticks, rate_ticks(series))
    for (_, dots, points), colour in zip(series, COLOURS):
        for (x1, y1), (x2, y2) in zip(points, points[1:]):
            out.append(line(x.at(x1), y.at(y1), x.at(x2), y.at(y2), colour, 1.5))
        out += [dot(x.at(px), y.at(py), colour) for px, py in dots]
    return out + legend(panel, series)


def draw(by_threads, by_context, by_cores):
    body = [
        *curve_panel(PANELS[0], "short contexts", "sequences that decode together",
                     [1, 2, 4, 8, 16, 32, 64], by_threads),
        *curve_panel(PANELS[1], "long contexts", "tokens of context",
                     [512, 1024, 2048, 4096, 8192], by_context),
        *curve_panel(PANELS[2], "model of a server", "cores, 12 channels of memory",
                     [1, 2, 4, 8, 16, 32, 64, 128], by_cores),
    ]
    return document(WIDTH, HEIGHT, body)
