#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How many of the shipped model's problems are solved, digitally and on simulated chips.

    bench/evaluate.py [--program ANALOGD] [--chips N] [--only NAME] [--out docs]

Starts a daemon, programs chips over its API as a researcher would, lets each answer
the 200 problems of models/wordmath-2m/eval greedily, and writes the table
(docs/accuracy.md), the figure (docs/accuracy.svg) and every single result
(docs/accuracy.json). The same build writes the same bytes on every machine but for
the row f32. With --only, rows whose names do not begin so keep the figures that the
folder has. Python's standard library is all that is needed."""

import argparse
import atexit
import glob
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import accuracy_figure

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MODEL = os.path.join(TOP, "models", "wordmath-2m")
PROFILES = os.path.join(TOP, "conf", "profiles")
UNCOMPENSATED = "pcm-aihwkit-uncompensated"
NO_ADC = "afm-paper-no-adc"
CALIBRATION_TEXTS = 50  # of the problems, with the answers of the float model
MAX_TOKENS = 200

# Full scale of the ADC for this model, as the paper's checkpoints have theirs (14 and
# 12): the page has the sweep that it was chosen from.
OUT_BOUND = 24
SWEEP = [6, 10, 14, 20, 24, 28, 40, 60]

PATIENCE = 120.0

AGES = [("1 s", 1), ("1 h", 3600), ("1 d", 86400), ("30 d", 30 * 86400),
        ("1 y", 365 * 86400)]


# ---- the daemon ------------------------------------------------------------------

def model_section(name, backend, settings="", folder=MODEL):
    return f'model "{name}" {{ dir = "{folder}" backend = "{backend}" {settings} }}\n'


def digital_models(ranges=None):
    """Sections of the digital models. ranges: the file of calibrated input ranges for
    weights of 4 bits between converters."""
    sections = (model_section("wordmath-2m", "int8") + model_section("float32", "f32")
                + model_section("int4", "int4"))
    if ranges:
        static = f'input_ranges = "{ranges}"'
        sections += model_section("int4-static", "int4", f'profile = "{NO_ADC}" {static}')
        sections += model_section("int4-adc", "int4",
                                  f'profile = "afm-paper" out_bound = {OUT_BOUND} {static}')
    return sections


class Daemon:
    """A daemon of our own with all profiles. models: their sections of its configuration,
    options: what stands in front of them."""

    def __init__(self, program, models, options=""):
        self.dir = tempfile.mkdtemp(prefix="analogd-evaluate-")
        profiles, state = os.path.join(self.dir, "profiles"), os.path.join(self.dir, "state")
        shutil.copytree(PROFILES, profiles)
        os.mkdir(state)
        write_uncompensated(profiles)
        write_without_adc(profiles)
        config = os.path.join(self.dir, "analogd.conf")
        with open(config, "w", encoding="utf-8") as f:
            f.write(f'listen = "127.0.0.1:0"\nadmin_listen = "none"\nprofile_dir = "{profiles}"\n'
                    f'state_dir = "{state}"\n{options}{models}')
        self.log_path = os.path.join(self.dir, "log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([program, "--config", config], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        atexit.register(self.process.kill)  # where a failure ends the program
        self.url = self._wait_ready()

    def _wait_ready(self):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            with open(self.log_path, encoding="utf-8", errors="replace") as f:
                log = f.read()
            address = re.search(r'event=listening.*listener=main.*address="?([^" \n]+)', log)
            if address and "event=ready" in log:
                return "http://" + address.group(1)
            time.sleep(0.05)
        sys.exit(f"analogd does not start, see {self.log_path}")

    def call(self, method, path, body=None):
        return json.loads(self.text(method, path, body))

    def text(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE * 5) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as e:
            sys.exit(f"{method} {path}: {e.code} {e.read().decode(errors='replace')}")

    def wait_for_chip(self, name):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            chip = self.call("GET", f"/v1/chips/{name}")
            if chip["state"] == "failed":
                sys.exit(f"chip {name}: {chip['error']}")
            if chip["state"] == "ready":
                return chip
            time.sleep(0.02)
        sys.exit(f"chip {name} is not ready after {PATIENCE:.0f} s")

    def stop(self):
        self.process.terminate()
        if self.process.wait(timeout=60) != 0:
            sys.exit(f"analogd ended badly, see {self.log_path}")
        shutil.rmtree(self.dir)


def write_uncompensated(profiles):
    """The profile with drift, without what makes up for it."""
    with open(os.path.join(PROFILES, "pcm-aihwkit.conf"), encoding="utf-8") as f:
        text, n = re.subn(r'(?m)^(\s*compensation\s*=\s*)"?global"?', r'\1"none"', f.read())
    if n != 1:
        sys.exit("pcm-aihwkit.conf: expected one line that sets the compensation")
    with open(os.path.join(profiles, UNCOMPENSATED + ".conf"), "w", encoding="utf-8") as f:
        f.write(text)


def write_without_adc(profiles):
    """The converters of the paper in front of the tiles alone."""
    with open(os.path.join(PROFILES, "afm-paper.conf"), encoding="utf-8") as f:
        text, n = re.subn(r"(?ms)^adc \{.*?^\}\n", "", f.read())
    if n != 1:
        sys.exit("afm-paper.conf: expected one section about the ADC")
    with open(os.path.join(profiles, NO_ADC + ".conf"), "w", encoding="utf-8") as f:
        f.write(text)


# ---- one figure ------------------------------------------------------------------

def problems():
    with open(os.path.join(MODEL, "eval", "problems.jsonl"), encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def final_answer(text):
    lines = [line for line in text.splitlines() if line.startswith("Answer: ")]
    return lines[-1][len("Answer: "):] if lines else None


def accuracy(daemon, model, tasks):
    """Percent of right greedy answers."""
    answer = daemon.call("POST", "/v1/completions", {
        "model": model, "prompt": [t["prompt"] for t in tasks], "temperature": 0,
        "max_tokens": MAX_TOKENS, "seed": 0})
    right = sum(final_answer(choice["text"]) == tasks[choice["index"]]["answer"]
                for choice in answer["choices"])
    return 100.0 * right / len(tasks)


# ---- the rows of the table -------------------------------------------------------

class Row:
    """What is measured: a digital model, or chips of a profile that differ by seed."""

    def __init__(self, name, profile=None, chips=1, bits=None, calibrated=False, ages=(None,),
                 out_bound=OUT_BOUND, model=None):
        self.name = name
        self.model = model  # the digital one
        self.profile = profile
        self.chips = chips
        self.bits = bits
        self.calibrated = calibrated
        self.out_bound = out_bound
        self.ages = ages  # pairs of words and seconds; None: as programmed


def rows(chips):
    yield Row("float32", model="float32")
    yield Row("int8", model="wordmath-2m")
    yield Row("int4", model="int4")
    yield Row("int4, static inputs", model="int4-static", calibrated=True)
    yield Row("int4, static inputs and ADC", model="int4-adc", calibrated=True)
    for bits in (16, 8):
        yield Row("ideal", "ideal", 1, bits, out_bound=None)
        for calibrated in (False, True):
            yield Row("afm-paper", "afm-paper", 1, bits, calibrated)
            yield Row("pcm-hermes", "pcm-hermes", chips, bits, calibrated)
        yield Row("gaussian", "gaussian", chips, bits)
        yield Row("reram-wan2022", "reram-wan2022", chips, bits)
        yield Row("pcm-aihwkit", "pcm-aihwkit", chips, bits, ages=AGES)
        yield Row("pcm-aihwkit, no compensation", UNCOMPENSATED, chips, bits, ages=AGES)


def sweep_rows():
    """The full scale of the ADC, where nothing else is wrong with the weights."""
    for calibrated in (False, True):
        for out_bound in SWEEP:
            yield Row("afm-paper", "afm-paper", 1, 16, calibrated, out_bound=out_bound)


def calibrate(daemon, name, tasks):
    texts = [t["prompt"] + t["greedy"] for t in tasks[:CALIBRATION_TEXTS]]
    daemon.call("POST", f"/v1/chips/{name}/calibrate", {"texts": texts})
    chip = daemon.wait_for_chip(name)
    if chip["input_ranges"] != "calibrated":
        sys.exit(f"chip {name}: {chip['input_ranges']} ranges after a calibration")


def measure_chip(daemon, row, seed, tasks):
    """Accuracy of one chip at each age of the row."""
    chip = daemon.call("POST", "/v1/chips", {
        "model": "wordmath-2m", "profile": row.profile, "seed": seed, "name": f"chip-{seed}",
        "conductance_bits": row.bits, "out_bound": row.out_bound})
    name = chip["id"]
    daemon.wait_for_chip(name)
    if row.calibrated:
        calibrate(daemon, name, tasks)
    figures = []
    for age in row.ages:
        if age:
            daemon.call("POST", f"/v1/chips/{name}/age", {"age": age[1]})
            daemon.wait_for_chip(name)
        figures.append(accuracy(daemon, chip["model"], tasks))
    daemon.call("DELETE", f"/v1/chips/{name}")
    return figures


def conditions(row, age):
    return {"name": row.name, "conductance_bits": row.bits,
            "out_bound": row.out_bound if row.profile else None,
            "input_ranges": "calibrated" if row.calibrated else
            "dynamic" if row.profile else None,
            "age": age[0] if age else None, "age_seconds": age[1] if age else None}


def measure(daemon, row, tasks):
    """A result for each age: the accuracies of all chips."""
    if row.model:
        per_chip = [[accuracy(daemon, row.model, tasks)]]
    else:
        per_chip = [measure_chip(daemon, row, seed, tasks) for seed in range(1, row.chips + 1)]
    for i, age in enumerate(row.ages):
        percent = [figures[i] for figures in per_chip]
        yield conditions(row, age) | {
            "percent": percent, "mean": statistics.fmean(percent),
            "deviation": statistics.stdev(percent) if len(percent) > 1 else None}


def keep(row, old):
    """The results that there are already."""
    for age in row.ages:
        wanted = conditions(row, age)
        found = [r for r in old if r.items() >= wanted.items()]
        if not found:
            sys.exit(f"accuracy.json has no result of {row.name}: measure it too")
        yield found[0]


# ---- the page --------------------------------------------------------------------

PAGE = """<!-- SPDX-License-Identifier: Apache-2.0 -->
# Accuracy on simulated chips

Written by `make evaluate` (bench/evaluate.py). The shipped model, wordmath-2m, solves
{problems} word problems greedily; a chip is one seed of its profile's noise. Figures are
percent of right answers: the mean over the chips and their standard deviation (n - 1).
One problem is {step:g} %. Every single figure is in [accuracy.json](accuracy.json).

![percent of problems solved, by profile and by age](accuracy.svg)

The model is a digital one: nothing in its training knew of noise, which is what
hardware-aware training is for. Its checkpoint has no input ranges, so ranges are
dynamic (the largest input of each row and tile) or calibrated on the first {texts} of
the problems with their answers (`analogctl calibrate` with its defaults).

Of the digital rows, int8 and int4 have 8-bit inputs with a range for each row. int4
rounds the weights of each channel to 15 levels; with static inputs it has the ranges that
calibrated a chip with the converters of afm-paper, with an ADC that profile's as well: what
the paper calls SI8-W4 and SI8-W4-O8.

{table}

## Full scale of the ADC
The bound of a reading, in units of input range times largest weight, belongs to a
model as much as to the hardware: too low, and readings saturate; too high, and a step
of the ADC is coarse. The table above was measured with {out_bound}; the paper's
checkpoints were trained for 14 and 12. Here is what the profile without noise solves:

{sweep}
"""


def cell(result):
    if result["deviation"] is None:
        return f"{result['mean']:.1f}"
    return f"{result['mean']:.1f} ± {result['deviation']:.1f}"


def table(results):
    lines = ["| weights on | input ranges | age | chips | 16 conductance bits "
             "| 8 conductance bits |",
             "|---|---|---|---:|---:|---:|"]
    cells = {}
    for r in results:
        key = (r["name"], r["input_ranges"], r["age"])
        cells.setdefault(key, {"chips": len(r["percent"])})[r["conductance_bits"]] = cell(r)
    for (name, ranges, age), by_bits in cells.items():
        if None in by_bits:
            lines.append(f"| {name} (digital) |{' ' + ranges if ranges else ''} | | | "
                         f"{by_bits[None]} | {by_bits[None]} |")
        else:
            lines.append(f"| {name} | {ranges} | {age or ''} | {by_bits['chips']} | "
                         f"{by_bits[16]} | {by_bits[8]} |")
    return "\n".join(lines)


def sweep_table(sweep):
    lines = ["| out_bound | " + " | ".join(f"{bound}" for bound in SWEEP) + " |",
             "|---|" + "---:|" * len(SWEEP)]
    for ranges in ("dynamic", "calibrated"):
        figures = [cell(r) for r in sweep if r["input_ranges"] == ranges]
        lines.append(f"| afm-paper, {ranges} ranges | " + " | ".join(figures) + " |")
    return "\n".join(lines)


def write_results(folder, results, sweep, n_problems):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "accuracy.json"), "w", encoding="utf-8") as f:
        f.write("[\n" + ",\n".join(json.dumps(r) for r in results + sweep) + "\n]\n")
    with open(os.path.join(folder, "accuracy.md"), "w", encoding="utf-8") as f:
        f.write(PAGE.format(problems=n_problems, step=100 / n_problems, texts=CALIBRATION_TEXTS,
                            table=table(results), out_bound=OUT_BOUND,
                            sweep=sweep_table(sweep)))
    with open(os.path.join(folder, "accuracy.svg"), "w", encoding="utf-8") as f:
        f.write(accuracy_figure.draw(results))


def make_ranges(program, tasks, folder):
    """The file of input ranges that a chip without noise has after a calibration."""
    daemon = Daemon(program, digital_models())
    chip = daemon.call("POST", "/v1/chips", {"model": "wordmath-2m", "profile": "afm-paper",
                                             "name": "ranges", "out_bound": OUT_BOUND})
    daemon.wait_for_chip(chip["id"])
    calibrate(daemon, chip["id"], tasks)
    path, = glob.glob(os.path.join(daemon.dir, "state", "**", "ranges.*.ranges.json"),
                      recursive=True)
    ranges = shutil.copy(path, folder)
    daemon.stop()
    return ranges


def measure_all(daemon, all_rows, tasks, only, old):
    results = []
    for row in all_rows:
        measured = not only or row.name.startswith(only)
        for result in measure(daemon, row, tasks) if measured else keep(row, old):
            results.append(result)
            print(f"{result['name']:30} {result['input_ranges'] or '':11} "
                  f"{result['age'] or '':8} {result['conductance_bits'] or '':>2} "
                  f"{result['out_bound'] or '':>2} {cell(result)}", flush=True)
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="./analogd")
    parser.add_argument("--chips", type=int, default=10, help="seeds of each noisy profile")
    parser.add_argument("--only", metavar="NAME", help="measure the rows that begin so")
    parser.add_argument("--out", default=os.path.join(TOP, "docs"))
    args = parser.parse_args()
    tasks, old = problems(), []
    if args.only:
        with open(os.path.join(args.out, "accuracy.json"), encoding="utf-8") as f:
            old = json.load(f)
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(args.program, digital_models(make_ranges(args.program, tasks, folder)))
        results = measure_all(daemon, rows(args.chips), tasks, args.only, old)
        sweep = measure_all(daemon, sweep_rows(), tasks, args.only, old)
        daemon.stop()
    write_results(args.out, results, sweep, len(tasks))


if __name__ == "__main__":
    main()
