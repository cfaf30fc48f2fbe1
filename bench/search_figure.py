# SPDX-License-Identifier: Apache-2.0
"""Draws the curves of evaluate_search.py as SVG: a panel for each generator, percent
solved over N, with the standard error over runs."""

import search_statistics
from accuracy_figure import GRID, dot, line, text
from scaling_figure import Scale, document

WIDTH, HEIGHT = 980, 430
TOP, BOTTOM = 50, 340
PANELS = [(55, 325), (380, 650), (705, 975)]
LOWEST = 50  # percent

# Way to choose, its aggregation, words, colour, dashes; later ones are drawn over others.
SERIES = [
    (search_statistics.COVERAGE, None, "a right one among N", "#888888", "5 4"),
    ("logprob", None, "highest log probability", "#b8923b", ""),
    ("reward", "last", "highest reward", "#d1742a", ""),
    ("self_certainty", None, "self-certainty", "#a05fb8", ""),
    ("majority", None, "majority", "#2f9e62", ""),
    ("weighted", "last", "weighted votes", "#1f5fa8", ""),
]


def y_of(percent):
    return BOTTOM - (BOTTOM - TOP) * (max(percent, LOWEST) - LOWEST) / (100 - LOWEST)


def frame(panel, title, x):
    out = [text((panel[0] + panel[1]) / 2, TOP - 20, title, 14)]
    for percent in range(LOWEST, 101, 10):
        out.append(line(panel[0], y_of(percent), panel[1], y_of(percent), GRID))
        out.append(text(panel[0] - 6, y_of(percent) + 4, f"{percent} %", 11, "end"))
    for n in search_statistics.SIZES:
        out.append(line(x.at(n), BOTTOM, x.at(n), BOTTOM + 4))
        out.append(text(x.at(n), BOTTOM + 17, f"{n}", 11))
    out.append(line(panel[0], BOTTOM, panel[1], BOTTOM))
    out.append(text((panel[0] + panel[1]) / 2, BOTTOM + 34, "N", 12))
    return out


def curve(points, x, colour, dash):
    out = [line(x.at(a["n"]), y_of(a["mean"]), x.at(b["n"]), y_of(b["mean"]), colour, 1.8, dash)
           for a, b in zip(points, points[1:])]
    for p in points:
        out.append(dot(x.at(p["n"]), y_of(p["mean"]), colour))
        if p["error"]:
            out.append(line(x.at(p["n"]), y_of(p["mean"] - p["error"]), x.at(p["n"]),
                            y_of(min(100, p["mean"] + p["error"])), colour, 1.5))
    return out


def panel_of(panel, title, results):
    x = Scale(search_statistics.SIZES[0], search_statistics.SIZES[-1], panel[0] + 14,
              panel[1] - 14)
    out = frame(panel, title, x)
    for select, aggregation, _, colour, dash in SERIES:
        points = [r for r in results if r["select"] == select and r["aggregation"] == aggregation]
        out += curve(points, x, colour, dash)
    return out


def legend():
    out, x, y = [], PANELS[0][0], HEIGHT - 18
    for _, _, words, colour, dash in SERIES:
        out.append(line(x, y - 4, x + 22, y - 4, colour, 1.8, dash))
        out.append(text(x + 27, y, words, 12, "start"))
        x += 50 + 6.4 * len(words)
    return out


def draw(panels):
    """panels: pairs of a title and its results, three of them."""
    body = legend()
    for panel, (title, results) in zip(PANELS, panels):
        body += panel_of(panel, title, results)
    return document(WIDTH, HEIGHT, body)
