#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the tables of docs/benchmarks.md, so that no figure is typed by hand.

    bench/figures_page.py FIGURES PAGE

FIGURES is what `make bench BENCH=--json` printed, or several of its runs one after the
other; the tables take the place of what stands between the marks in PAGE."""

import re
import sys

import figures as bench_figures

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
CONTESTANTS = ["int8", "int4", "analog8", "analog16"]
RATE = re.compile(r"(phi3_|shipped_)?(decode|prefill)_(\d+)_(int8|int4|analog8|analog16)")
MODELS = {"": "Llama-3.2-1B shape", "phi3_": "Phi-3-mini shape", "shipped_": "shipped model"}


def number(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def rate_cell(row):
    return f"{number(row['value'])}, {row['share']:.0%}" if row else ""


def rate_tables(figures):
    """A table for each model and kind of work: a line a size, a column a contestant."""
    groups = {}
    for name, row in figures.items():
        match = RATE.fullmatch(name)
        if match:
            model, work, size, contestant = match.groups()
            sizes = groups.setdefault((model or "", work), {})
            sizes.setdefault(int(size), {})[contestant] = row
    for (model, work), sizes in groups.items():
        yield f"`{model}{work}_N_*`, {MODELS[model]}: tokens/s, share of the limit\n"
        yield "| N | " + " | ".join(CONTESTANTS) + " |"
        yield "|---:|" + "---:|" * len(CONTESTANTS)
        for size, row in sorted(sizes.items()):
            cells = [rate_cell(row.get(contestant)) for contestant in CONTESTANTS]
            yield f"| {size} | " + " | ".join(cells) + " |"
        yield ""


def other_table(figures):
    yield "| figure | value | limit | share | its rounds |"
    yield "|---|---:|---:|---:|---:|"
    for name, row in figures.items():
        if RATE.fullmatch(name):
            continue
        has_limit = row["share"] is not None
        limit = f"{number(row['limit'])} | {row['share']:.0%}" if has_limit else " | "
        span = (f"{row['low']:.0%} to {row['high']:.0%}" if has_limit
                else f"{number(row['low'])} to {number(row['high'])}")
        span = span if row["rounds"] > 1 else ""
        yield f"| `{name}` | {number(row['value'])} {row['unit']} | {limit} | {span} |"


def tables(measured):
    machine = measured.machine
    yield (f"{machine['cpu']}, {machine['threads']} threads, kernels {machine['kernels']}; "
           "medians of the rounds.\n")
    yield from rate_tables(measured.by_name)
    yield from other_table(measured.by_name)


def fill(page, text):
    head, rest = page.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    return f"{head}{BEGIN}\n{text}\n{END}{tail}"


def main():
    figures_path, page_path = sys.argv[1:]
    with open(page_path, encoding="utf-8") as f:
        page = f.read()
    text = "\n".join(tables(bench_figures.read(figures_path)))
    with open(page_path, "w", encoding="utf-8") as f:
        f.write(fill(page, text))


if __name__ == "__main__":
    main()
