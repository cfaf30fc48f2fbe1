#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Has analogd become slower? Shares of the machine's limits, compared with committed ones.

    bench/shares.py [--only PATTERNS] [--figures FILE] check  SHARES [COMMAND ...]
    bench/shares.py [--only PATTERNS] [--figures FILE] update SHARES [COMMAND ...]

COMMAND is analogd-bench with its paths; FILE is what it printed with --json, to compare
that instead of measuring. PATTERNS choose figures by name, with commas between them.
SHARES (bench/shares.json) has a row for each kind of machine: shares are of its own
limits, but caches, the number of cores and the instruction set change them all the same,
so a machine is compared with its own row alone. `check` fails (1) if a share or ratio is
more than a tenth worse than the committed one; figures that fell are measured twice more
and must have fallen each time. It refuses (2) machines without a row. `update` writes the
row. Both refuse (2) PATTERNS that choose nothing."""

import argparse
import fnmatch
import json
import sys

import figures as bench_figures

TOLERANCE = 0.10
ROUNDS = 3

# The client and wrk want cores of their own: these say more about how many there are.
LEFT_OUT = ["http_*", "shipped_http_*", "health"]


def matches(name, only):
    return only is None or any(fnmatch.fnmatch(name, pattern) for pattern in only.split(","))


def compared(row):
    """The number of a figure that is comparable between runs, and which way is better;
    None: it has none."""
    if any(fnmatch.fnmatch(row["name"], pattern) for pattern in LEFT_OUT):
        return None
    if row.get("share") is not None:
        return {"value": row["share"], "better": "higher"}
    if row.get("unit") == "ratio":
        return {"value": row["value"], "better": row["better"]}
    return None


def has_fallen(committed, value):
    if committed["better"] == "lower":
        return value > committed["value"] / (1 - TOLERANCE)
    return value < committed["value"] * (1 - TOLERANCE)


def compare(committed, measured):
    """Names of figures that have fallen, each with a text that tells how far."""
    fallen = {}
    for name, was in committed.items():
        row = measured.by_name.get(name)
        now = compared(row) if row else None
        if now is None:
            fallen[name] = f"not measured: {measured.skipped.get(name, 'there is no such figure')}"
        elif has_fallen(was, now["value"]):
            fallen[name] = f"{now['value']:.3g} now, {was['value']:.3g} committed"
    return fallen


def find_row(shares, machine):
    for row in shares:
        if row["machine"] == machine:
            return row
    return None


def describe(machine):
    return f"{machine['cpu']}, {machine['threads']} threads, kernels {machine['kernels']}"


def load(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def save(path, shares):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(shares, f, indent=1)
        f.write("\n")


def refuse(shares, machine):
    print(f"There are no shares of this machine ({describe(machine)}).")
    for known in shares:
        print(f"There are those of {describe(known['machine'])}.")
    print("`make bench-update` adds a row for it.")
    return 2


def refuse_nothing(only):
    print("There is no figure to compare" + (f" that {only} chooses." if only else "."))
    return 2


def check(shares, measured, only=None):
    """The exit status. measured(names) measures these figures; without names it tells of
    the machine alone."""
    machine = measured([]).machine
    row = find_row(shares, machine)
    if row is None:
        return refuse(shares, machine)
    chosen = {name: figure for name, figure in row["figures"].items() if matches(name, only)}
    if not chosen:
        return refuse_nothing(only)
    fallen = dict(chosen)
    for _ in range(ROUNDS):
        if fallen:
            fallen = compare({name: chosen[name] for name in fallen}, measured(list(fallen)))
    for name, text in fallen.items():
        print(f"{name}: {text}")
    print(f"{len(fallen)} of {len(chosen)} figures fell by more than {TOLERANCE:.0%}")
    return 1 if fallen else 0


def update(shares, measured, only=None):
    """The exit status. The row of this machine, with figures that were not measured or not
    chosen as they were."""
    chosen = {name: compared(figure) for name, figure in measured.by_name.items()
              if compared(figure) and matches(name, only)}
    if not chosen:
        return refuse_nothing(only)
    row = find_row(shares, measured.machine)
    if row is None:
        row = {"machine": measured.machine, "figures": {}}
        shares.append(row)
    row["figures"].update(chosen)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["check", "update"])
    parser.add_argument("shares")
    parser.add_argument("--only", metavar="PATTERNS")
    parser.add_argument("--figures", metavar="FILE")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    shares = load(args.shares)

    def measured(names):
        if args.figures:
            return bench_figures.read(args.figures)
        return bench_figures.measure(args.command, names)

    if args.action == "check":
        sys.exit(check(shares, measured, args.only))
    status = update(shares, measured(args.only.split(",") if args.only else None), args.only)
    if status == 0:
        save(args.shares, shares)
    sys.exit(status)


if __name__ == "__main__":
    main()
