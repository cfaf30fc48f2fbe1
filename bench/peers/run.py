#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure analogd and its peers by turns, in one run on one machine.

  run.py --models DIR --python PYTHON --node DIR [--analogd FILE] [--bench FILE]
         [--rounds N] [--only NAME,...] [--figures NAME,...] [--out FILE] [--page FILE]

Each contestant loads its model in a process of its own, and all but the one whose turn
it is are stopped (SIGSTOP). In each round all contestants have their turn at each figure,
between two measurements of the machine; printed are the medians of the rounds, one JSON
object a line, beside the limit for that contestant's own format. A contestant that does
not start is left out with its message. README.md beside this file says how the models
are made.
Standard library only.
"""
import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import contestants
import page

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
DECODE_SECONDS = 0.5
DECODE_PROMPT = 4

# name -> what the worker is asked for
FIGURES = {f"decode_{n}": {"figure": "decode", "sequences": n, "prompt": DECODE_PROMPT,
                           "seconds": DECODE_SECONDS} for n in (1, 8, 16, 32)}
FIGURES.update({f"prefill_{n}": {"figure": "prefill", "tokens": n} for n in (256, 1024)})
FIGURES.update({f"candidates_{n}": {"figure": "candidates", "n": n, "prompt": 128, "tokens": 8}
                for n in (1, 16)})


class Worker:
    """A contestant's process, stopped whenever it is not asked."""

    def __init__(self, contestant, folder):
        self.contestant = contestant
        self.messages = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(contestant.command, cwd=folder, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.messages, start_new_session=True)
        self.version = self.read()["version"]
        self.ask({**FIGURES["decode_1"], "seconds": 0.1})
        self.signal(signal.SIGSTOP)

    def signal(self, number):
        os.killpg(self.process.pid, number)

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            self.messages.seek(0)
            raise RuntimeError(self.messages.read().strip()[-300:] or "no answer")
        return json.loads(line)

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.read()

    def turn(self, request):
        self.signal(signal.SIGCONT)
        answer = self.ask(request)
        self.signal(signal.SIGSTOP)
        return answer

    def end(self):
        self.signal(signal.SIGCONT)
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self.process.wait()


def measure_limits(args):
    """Bytes read and int8 operations a second: as analogd-bench measures them."""
    names = {"read_bandwidth": 1e9, "int8_peak": 1e12}
    limits = {}
    command = [args.bench, "--json", "--only", ",".join(names), "--model", args.model,
               "--profile", args.profile]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            figure = json.loads(line)
            if figure.get("name") in names:
                limits[figure["name"]] = figure["value"] * names[figure["name"]]
    return limits


def start_all(chosen, folder, workers):
    """Adds to workers; returns why others did not start."""
    failures = {}
    for c in chosen:
        try:
            workers.append(Worker(c, folder))
        except (OSError, RuntimeError, KeyError) as error:
            failures[c.name] = str(error)
            print(f"{c.name}: {error}", file=sys.stderr)
    return failures


def middle(before, after):
    return {name: (before[name] + after[name]) / 2 for name in before}


def measure_figure(args, workers, name, samples):
    """Every contestant's turn at one figure, between two measurements of the machine,
    whose mean is returned. Adds to samples, by contestant and figure, (value, limit)."""
    before = measure_limits(args)
    answers = [(w.contestant, w.turn(FIGURES[name])) for w in workers]
    limits = middle(before, measure_limits(args))
    for contestant, answer in answers:
        print(contestant.name, name, answer, file=sys.stderr)
        if "value" in answer:
            pair = answer["value"], limit_of(contestant, name, limits)
            samples.setdefault((contestant.name, name), []).append(pair)
    return limits


def limit_of(contestant, name, limits):
    """What the machine allows: the weights read once a step, or the operations."""
    kind, size = name.split("_")
    size = int(size)
    bandwidth, peak = limits["read_bandwidth"], limits["int8_peak"]
    if kind == "decode":
        step = max(contestant.weights / bandwidth, 2 * contestants.PARAMETERS * size / peak)
        return size / step
    if kind == "prefill":
        operations = 2 * (contestants.LAYERS * size + contestants.HEAD)
        return max(contestant.weights / bandwidth, operations / peak)
    return None


def figure_of(contestant, name, pairs):
    """The medians; each round's share is its value beside its own limit."""
    rate = name.startswith("decode")
    figure = {"name": f"{contestant.name}_{name}", "unit": "tokens/s" if rate else "s",
              "value": statistics.median(value for value, _ in pairs),
              "limit": None, "share": None, "rounds": [value for value, _ in pairs]}
    if pairs[0][1]:
        figure["limit"] = statistics.median(limit for _, limit in pairs)
        figure["share"] = statistics.median(value / limit if rate else limit / value
                                            for value, limit in pairs)
    return figure


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        names = [line.split(":", 1)[1].strip() for line in f if line.startswith("model name")]
    return names[0] if names else platform.processor()


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--models", required=True, help="folder of the converted models")
    parser.add_argument("--python", default=sys.executable, help="that has the peers' packages")
    parser.add_argument("--node", default=".", help="folder with node_modules")
    parser.add_argument("--analogd", default="./analogd")
    parser.add_argument("--bench", default="bench/analogd-bench")
    parser.add_argument("--model", default=os.path.join(TOP, "models/wordmath-2m"))
    parser.add_argument("--profile", default=os.path.join(TOP, "conf/profiles/pcm-hermes.conf"))
    parser.add_argument("--threads", default=str(len(os.sched_getaffinity(0))))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="names of contestants, with commas")
    parser.add_argument("--figures", default=",".join(FIGURES), help="with commas")
    parser.add_argument("--out", default=os.path.join(TOP, "docs/peers.json"))
    parser.add_argument("--page", default=os.path.join(TOP, "docs/peers.md"))
    args = parser.parse_args()
    args.this_python = sys.executable
    for name in ("models", "analogd", "bench", "model", "profile"):
        setattr(args, name, os.path.abspath(getattr(args, name)))
    if os.path.dirname(args.python):
        args.python = os.path.abspath(args.python)
    return args


def measure(args, workers):
    limits, samples = [], {}
    for _ in range(args.rounds):
        for name in args.figures.split(","):
            limits.append(measure_figure(args, workers, name, samples))
    median = {k: statistics.median(one[k] for one in limits) for k in limits[0]}
    figures = [figure_of(w.contestant, name, samples[w.contestant.name, name])
               for w in workers for name in FIGURES if (w.contestant.name, name) in samples]
    return median, figures


def main():
    args = parse_args()
    start = time.monotonic()
    chosen = [c for c in contestants.all_contestants(args)
              if not args.only or c.name in args.only.split(",")]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # no stopped process stays behind
    workers = []
    try:
        failures = start_all(chosen, args.node, workers)
        limits, figures = measure(args, workers)
        memory = {w.contestant.name: w.turn({"figure": "memory"}) for w in workers}
    finally:
        for w in workers:
            w.end()
    for f in figures:
        print(json.dumps(f))
    result = {"processor": processor(), "threads": int(args.threads), "limits": limits,
              "rounds": args.rounds, "failures": failures,
              "contestants": {w.contestant.name: {
                  "title": w.contestant.title, "bits": w.contestant.bits, "version": w.version,
                  "weights": w.contestant.weights, "memory": memory[w.contestant.name]}
                  for w in workers},
              "figures": figures}
    page.write(result, args.out, args.page)
    print(f"{time.monotonic() - start:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
