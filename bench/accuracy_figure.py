# SPDX-License-Identifier: Apache-2.0
"""Draws the results of evaluate.py as SVG: on the left the profiles as programmed, on
the right the fall with age. Written without a drawing library: the same results give
the same bytes everywhere."""

import math

WIDTH, HEIGHT = 980, 450
TOP, BOTTOM = 50, 330
LEFT_PANEL = (60, 540)
RIGHT_PANEL = (620, 960)
COLOURS = {16: "#1f5fa8", 8: "#d1742a"}
INK, GRID = "#333333", "#dddddd"


def y_of(percent):
    return BOTTOM - (BOTTOM - TOP) * percent / 100


def text(x, y, content, size=12, anchor="middle", extra=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'fill="{INK}"{extra}>{content}</text>')


def line(x1, y1, x2, y2, colour=INK, width=1.0, dash=""):
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{colour}" stroke-width="{width}"{dashes}/>')


def dot(x, y, colour):
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'


def grid(panel, title):
    out = [text((panel[0] + panel[1]) / 2, TOP - 20, title, 14)]
    for percent in range(0, 101, 20):
        y = y_of(percent)
        out.append(line(panel[0], y, panel[1], y, GRID))
        out.append(text(panel[0] - 8, y + 4, f"{percent} %", 11, "end"))
    return out


def with_error(x, result, colour):
    """The mean, and one standard deviation to both sides."""
    out = [dot(x, y_of(result["mean"]), colour)]
    if result["deviation"]:
        high = min(100, result["mean"] + result["deviation"])
        low = max(0, result["mean"] - result["deviation"])
        out.append(line(x, y_of(low), x, y_of(high), colour, 1.5))
    return out


def label_of(result):
    ranges = ", calibrated" if result["input_ranges"] == "calibrated" else ""
    return result["name"] + ranges


def profiles_panel(results):
    fresh = [r for r in results if r["age_seconds"] in (None, 1)]
    labels = list(dict.fromkeys(label_of(r) for r in fresh))
    step = (LEFT_PANEL[1] - LEFT_PANEL[0]) / len(labels)
    out = grid(LEFT_PANEL, "as programmed (aihwkit: 1 s)")
    for i, label in enumerate(labels):
        x = LEFT_PANEL[0] + (i + 0.5) * step
        out.append(text(x + 4, BOTTOM + 16, label, 11, "end",
                        f' transform="rotate(-30 {x:.1f} {BOTTOM + 16})"'))
        for r in fresh:
            if label_of(r) != label:
                continue
            shift = {None: 0, 16: -5, 8: 5}[r["conductance_bits"]]
            out += with_error(x + shift, r, COLOURS.get(r["conductance_bits"], INK))
    return out


def age_x(seconds):
    left, right = RIGHT_PANEL[0] + 15, RIGHT_PANEL[1] - 15
    return left + (right - left) * math.log10(seconds) / math.log10(365 * 86400)


def ages_panel(results):
    aged = [r for r in results if r["age_seconds"]]
    out = grid(RIGHT_PANEL, "pcm-aihwkit over its age")
    for label, seconds in dict.fromkeys((r["age"], r["age_seconds"]) for r in aged):
        out.append(text(age_x(seconds), BOTTOM + 16, label, 11))
    series = {}
    for r in aged:
        series.setdefault((r["name"], r["conductance_bits"]), []).append(r)
    for (name, bits), points in series.items():
        dash = "5 4" if "no compensation" in name else ""
        for a, b in zip(points, points[1:]):
            out.append(line(age_x(a["age_seconds"]), y_of(a["mean"]), age_x(b["age_seconds"]),
                            y_of(b["mean"]), COLOURS[bits], 1.5, dash))
        for r in points:
            out += with_error(age_x(r["age_seconds"]), r, COLOURS[bits])
    return out


def legend():
    y = HEIGHT - 14
    out = []
    for x, bits in ((510, 16), (670, 8)):
        out.append(dot(x, y - 4, COLOURS[bits]))
        out.append(text(x + 10, y, f"{bits} conductance bits", 12, "start"))
    out.append(line(830, y - 4, 856, y - 4, INK, 1.5, "5 4"))
    out.append(text(862, y, "uncompensated", 12, "start"))
    return out


def draw(results):
    body = profiles_panel(results) + ages_panel(results) + legend()
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'font-family="sans-serif">\n<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n'
            + "\n".join(body) + "\n</svg>\n")
