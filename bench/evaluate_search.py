#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What best-of-N requests gain on simulated chips, and what they cost.

    bench/evaluate_search.py [--program ANALOGD] [--runs N] [--only NAME] [--out docs]

Samples 32 candidates for each of the shipped model's 200 problems, chooses among the
first N of them in every way that a request can, searches step by step, stops early, and
takes the time. Writes docs/test-time-compute.md, .svg and, with every figure, .json. The
same build writes the same bytes on every machine but for the row float32 and figures of
time. With --only, measurements whose names do not begin so keep the figures that the
folder has. Python's standard library is all that is needed."""

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile

import evaluate
import search_cost
import search_figure
import search_page
import search_requests
from search_requests import REWARD_MODEL, Generator
from search_statistics import GREEDY, Curves, summary

CHIPS = Generator("pcm-hermes")
GENERATORS = [CHIPS, Generator("float32", "float32"),
              Generator("int4, static inputs", "int4-static")]
JUDGE_SEED = 100  # the chip of the reward model in run r has the seed JUDGE_SEED + r

# Requests of 16 candidates that stop early, behind those that do not.
EARLY_STOPPING = [
    ("majority", "majority", None),
    ("majority, certain, waves of 4", "majority", {"vote": True, "wave": 4}),
    ("majority, 95 % sure, waves of 4", "majority", {"vote": 0.95, "wave": 4}),
    ("weighted", "weighted", None),
    ("weighted, certain, waves of 4", "weighted", {"vote": True, "wave": 4}),
    ("weighted, half rejected every 16 tokens", "weighted", {"reject": 0.5, "every": 16}),
    ("weighted, half rejected every 32 tokens", "weighted", {"reject": 0.5}),
    ("reward", "reward", None),
    ("reward, until 0.98, waves of 4", "reward", {"score": 0.98, "wave": 4}),
    ("reward, half rejected every 16 tokens", "reward", {"reject": 0.5, "every": 16}),
]
STEP_SEARCHES = ["beam", "dvts"]
STEP_SIZES = [4, 16]


# ---- measurements, each a generator of results ----------------------------------------

def curves(daemon, tasks, runs, of, generator):
    """Every way to choose among the first N candidates."""
    by_run, greedy, checked = [], [], 0
    for run in runs:
        with generator.served(daemon, run) as model:
            greedy.append(search_requests.greedy(daemon, model, run, tasks))
            by_run.append(search_requests.sample(daemon, model, run, tasks, REWARD_MODEL))
            checked += search_requests.check(daemon, model, run, tasks, by_run[-1],
                                             REWARD_MODEL)
    print(f"{of}: the daemon chose as tests/search does, {checked} times", flush=True)
    yield {"of": of, "select": GREEDY, "aggregation": None, "n": 1} | summary(greedy)
    yield from Curves(by_run).results(of)


def noisy_judge(daemon, tasks, runs, of):
    """The same candidates of the same chips, judged by a reward model on a chip too."""
    by_run = []
    for run in runs:
        with CHIPS.served(daemon, run) as model, \
                search_requests.chip(daemon, REWARD_MODEL, JUDGE_SEED + run) as judge:
            by_run.append(search_requests.sample(daemon, model, run, tasks, judge))
    yield from Curves(by_run).results(of)


def request_result(of, name, fields, tasks, by_run):
    """by_run: the answers of each run."""
    solved = [[search_requests.is_right(search_requests.text_of(a), problem)
               for a, (_, problem) in zip(answers, tasks)] for answers in by_run]
    usage = [a["usage"] for answers in by_run for a in answers]
    return {"of": of, "name": name, "request": fields} | summary(solved) | {
        "tokens": round(statistics.fmean(u["completion_tokens"] for u in usage), 4),
        "reward_tokens": round(statistics.fmean(u.get("reward_tokens", 0) for u in usage), 4)}


def requests(daemon, tasks, runs, of, kinds):
    """What requests of these kinds, pairs of a name and fields, solve on the chips, and
    how many tokens a problem takes them."""
    answers = [[] for _ in kinds]
    for run in runs:
        with CHIPS.served(daemon, run) as model:
            for (_, fields), so_far in zip(kinds, answers):
                so_far.append(search_requests.ask(daemon, model, run, tasks, fields))
    for (name, fields), by_run in zip(kinds, answers):
        yield request_result(of, name, fields, tasks, by_run)


def step_search(daemon, tasks, runs, of):
    yield from requests(daemon, tasks, runs, of, [
        (search, {"search": search, "best_of": n, "select": "reward"})
        for n in STEP_SIZES for search in STEP_SEARCHES])


def early_stopping(daemon, tasks, runs, of):
    yield from requests(daemon, tasks, runs, of, [
        (name, {"best_of": 16, "select": select} | ({"early_stop": stop} if stop else {}))
        for name, select, stop in EARLY_STOPPING])


MEASUREMENTS = [
    *((g.name, lambda *args, g=g: curves(*args, g)) for g in GENERATORS),
    ("reward model on a chip", noisy_judge),
    ("step search", step_search),
    ("early stopping", early_stopping),
]


# ---- all of them ------------------------------------------------------------------------

@contextlib.contextmanager
def daemon_of_models(program, problems):
    with tempfile.TemporaryDirectory() as folder:
        ranges = evaluate.make_ranges(program, problems, folder)
        daemon = evaluate.Daemon(program, search_requests.models(ranges))
        yield daemon
        daemon.stop()


def keep(of, old):
    found = [r for r in old if r["of"] == of]
    if not found:
        sys.exit(f"test-time-compute.json has no results of {of}: measure it too")
    return found


def measure_all(args, problems, old):
    """Results in the order of the measurements, fresh or kept."""
    tasks, runs = list(enumerate(problems)), range(1, args.runs + 1)
    wanted = [of for of, _ in MEASUREMENTS if of.startswith(args.only)]
    results = []
    with daemon_of_models(args.program, problems) if wanted else contextlib.nullcontext() as d:
        for of, measure in MEASUREMENTS:
            results += measure(d, tasks, runs, of) if of in wanted else keep(of, old)
    for of, setting in search_cost.SETTINGS:
        fresh = of.startswith(args.only)
        results += search_cost.measure(args.program, of, setting) if fresh else keep(of, old)
    return results


def write_results(folder, results, n_problems):
    def path(ending):
        return os.path.join(folder, "test-time-compute" + ending)
    os.makedirs(folder, exist_ok=True)
    with open(path(".json"), "w", encoding="utf-8") as f:
        f.write("[\n" + ",\n".join(json.dumps(r) for r in results) + "\n]\n")
    with open(path(".md"), "w", encoding="utf-8") as f:
        f.write(search_page.page(results, n_problems, search_requests.CHECK_EVERY,
                                 JUDGE_SEED + 1, [(of, s.words) for of, s in search_cost.SETTINGS]))
    with open(path(".svg"), "w", encoding="utf-8") as f:
        f.write(search_figure.draw([(g.name, [r for r in results if r["of"] == g.name])
                                    for g in GENERATORS]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="./analogd")
    parser.add_argument("--runs", type=int, default=3, help="chips, and seeds of digital models")
    parser.add_argument("--only", metavar="NAME", default="",
                        help="the measurements whose names begin so")
    parser.add_argument("--out", default=os.path.join(evaluate.TOP, "docs"))
    args = parser.parse_args()
    old = []
    if args.only:
        with open(os.path.join(args.out, "test-time-compute.json"), encoding="utf-8") as f:
            old = json.load(f)
    problems = evaluate.problems()
    write_results(args.out, measure_all(args, problems, old), len(problems))


if __name__ == "__main__":
    main()
