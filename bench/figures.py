# SPDX-License-Identifier: Apache-2.0
"""What `analogd-bench --json` prints: one object a line."""

import json
import subprocess
import sys


class Figures:
    """The machine of a run, and its figures by name; of those measured twice the last.
    Lines may be of several runs one after the other: the machine is that of the last."""

    def __init__(self, lines):
        self.machine = None
        self.machines = []  # of every run
        self.by_name = {}
        self.skipped = {}
        for line in lines:
            if not line.startswith("{"):
                continue
            row = json.loads(line)
            if row["name"] == "machine":
                self.machine = {"cpu": row["cpu"], "kernels": row["kernels"],
                                "threads": row["value"]}
                self.machines.append(self.machine)
            elif "skipped" in row:
                self.skipped[row["name"]] = row["skipped"]
            else:
                self.by_name[row["name"]] = row


def read(path):
    with open(path, encoding="utf-8") as f:
        return Figures(f)


def measure(command, names=None):
    """Run the bench for these figures; None: for all of its usual run. The machine is
    always told."""
    only = ["--only", ",".join(names)] if names is not None else []
    run = subprocess.run(command + ["--json"] + only, stdout=subprocess.PIPE, text=True,
                         check=False)
    if run.returncode != 0:
        print(f"{command[0]} ended with {run.returncode}", file=sys.stderr)
        sys.exit(2)
    return Figures(run.stdout.splitlines())
