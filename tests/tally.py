#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Count the tests behind the automake results of a build tree.

    tally.py [--failures] DIR

Prints "PASSED FAILED SKIPPED". A program or script that counts its own cases
(Check, Python's unittest, the replay of a fuzz corpus) counts with these;
any other counts as one."""

import os
import re
import sys

CHECK = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)", re.M)
UNITTEST = re.compile(r"^Ran (\d+) tests? in ", re.M)
UNITTEST_END = re.compile(r"^(?:OK|FAILED)(?: \((.*)\))?$", re.M)


def cases(log):
    """(passed, failed, skipped) as the log itself counts, or None."""
    found = CHECK.findall(log)
    if found:
        total, failed = 0, 0
        for checks, failures, errors in found:
            total += int(checks)
            failed += int(failures) + int(errors)
        return total - failed, failed, 0
    ran = UNITTEST.search(log)
    if ran:
        ends = UNITTEST_END.findall(log)
        notes = dict(note.split("=") for note in (ends[-1] if ends else "").split(", ") if note)
        failed = int(notes.get("failures", 0)) + int(notes.get("errors", 0))
        skipped = int(notes.get("skipped", 0))
        # Sub-tests can fail or be skipped several times within one test.
        return max(int(ran.group(1)) - failed - skipped, 0), failed, skipped
    return None


def result(trs_path):
    """(passed, failed, skipped) of one automake test."""
    with open(trs_path, encoding="utf-8") as f:
        verdicts = re.findall(r"^:test-result: (\w+)", f.read(), re.M)
    broken = any(v in ("FAIL", "ERROR", "XPASS") for v in verdicts)
    try:
        with open(trs_path[:-len(".trs")] + ".log", encoding="utf-8", errors="replace") as f:
            counted = cases(f.read())
    except OSError:
        counted = None
    if counted is None:
        if broken or not verdicts:
            return 0, 1, 0
        return (0, 0, 1) if verdicts == ["SKIP"] else (1, 0, 0)
    if broken and counted[1] == 0:  # it broke outside its cases
        return counted[0], 1, counted[2]
    return counted


def main():
    failures_only = sys.argv[1] == "--failures"
    top = sys.argv[-1]
    totals, names = [0, 0, 0], []
    for folder, _, files in sorted(os.walk(top)):
        for name in sorted(files):
            if name.endswith(".trs"):
                counts = result(os.path.join(folder, name))
                totals = [a + b for a, b in zip(totals, counts)]
                if counts[1]:
                    names.append(os.path.join(os.path.relpath(folder, top), name[:-4]))
    for line in names if failures_only else [" ".join(map(str, totals))]:
        print(line)


if __name__ == "__main__":
    main()
