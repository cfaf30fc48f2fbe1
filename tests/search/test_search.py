#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Searches in C against the model of them in search_model.py: which work is handed out,
how candidates end, and in which order they are ranked, to the last bit of the scores."""

import glob
import json
import os
import random
import subprocess
import sys
import tempfile
import unittest

SOURCE = os.environ.get("top_srcdir", os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.environ.get("top_builddir", os.path.join(SOURCE, "build/release"))
PROGRAM = os.path.join(BUILD, "tests/search_case")
RECORDED = os.path.join(SOURCE, "tests/data/search")

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import search_model  # noqa: E402  (found beside this file)

WORDS = [" 7", " 8", " 0.5", " 1/2", " \\boxed{7}", " \\boxed{8}", " \\boxed{1/2}",
         " \\boxed{\\frac{1}{2}}", " 3,000", " 3000", " the answer is 8. So", " \\boxed{}"]
SELECTORS = ["logprob", "reward", "majority", "weighted", "self_certainty"]
AGGREGATIONS = ["last", "min", "product", "mean"]


def run_cases(cases):
    """Name of each case: the lines that search_case prints for it."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(cases, file)
        file.flush()
        result = subprocess.run([PROGRAM, file.name], capture_output=True, text=True,
                                timeout=300, check=False)
    if result.returncode != 0:
        raise AssertionError(f"status {result.returncode}: {result.stderr}")
    lines = {}
    for line in result.stdout.splitlines():
        if line.startswith("case "):
            of_case = lines.setdefault(line[5:], [])
        else:
            of_case.append(line)
    return lines


def read_cases(path):
    """Where there are several searches of one simulation, each is a case."""
    with open(path, encoding="utf-8") as file:
        cases = json.load(file)
    return [case if "options" in case else
            {"name": f"{case['name']} {options}", "simulation": case["simulation"],
             "options": options}
            for case in cases for options in case.get("searches", [None])]


class Draw:
    """Random cases; few distinct values, so that many are equal."""

    def __init__(self, seed):
        self.r = random.Random(seed)

    def simulation(self):
        r = self.r
        return {"seed": r.randrange(1 << 30), "stop": r.choice([2, 10, 40]),
                "separator": r.choice([5, 30]), "number": r.choice([0, 20, 50]),
                "levels": r.choice([1, 2, 5]), "unscorable": r.choice([0, 0, 30, 90]),
                "nan": r.choice([0, 0, 20]), "words": r.sample(WORDS, r.choice([1, 3, 8]))}

    def options(self, select, scored):
        r = self.r
        best_of = r.randint(1, 9)
        options = {"best_of": best_of, "n": r.choice([1, 1, r.randint(1, best_of)]),
                   "select": select, "scored": scored, "step_rewards": r.random() < 0.8,
                   "raw_rewards": r.random() < 0.3, "aggregation": r.choice(AGGREGATIONS),
                   "max_tokens": r.choice([1, 8, 25]), "prompt_tokens": r.randrange(40),
                   "block_tokens": r.choice([0, 1, 4, 16])}
        if r.random() < 0.3:
            options["max_total_tokens"] = options["max_tokens"] * r.randint(
                options["n"], best_of) + r.randrange(30)
        return options

    def early_stop(self, o):
        """What goes with the options."""
        r, early = self.r, {}
        vote = o["select"] == "majority" or (o["select"] == "weighted" and not o["raw_rewards"])
        if vote and r.random() < 0.7:
            below = [0.6, 0.75, 0.9, 0.9375, 0.95] if o["select"] == "majority" else [1]
            early["vote"] = r.choice([1, r.choice(below)])
        if o["scored"] and r.random() < 0.4:
            early["score"] = r.choice([0, 0.1, float.fromhex("0x1.99999ap-3"), 0.3])
        if o["scored"] and r.random() < 0.5:
            early["reject"] = r.choice([0.1, 0.5, 0.75, 0.9])
        if r.random() < 0.5:
            early["wave"] = r.randint(1, 5)
        if r.random() < 0.8:
            early["every"] = r.choice([1, 3, 8])
        return early

    def best_of_n(self):
        select = self.r.choice(SELECTORS)
        scored = select in ("reward", "weighted") or self.r.random() < 0.5
        options = self.options(select, scored)
        if self.r.random() < 0.7:
            options["early_stop"] = self.early_stop(options)
        return options

    def steps(self, search):
        r = self.r
        options = self.options(r.choice(SELECTORS), True)
        width = r.choice([1, 2, 4])
        options.update(search=search, beam_width=width, best_of=width * r.randint(1, 3),
                       max_steps=r.choice([0, 1, 3]))
        options["n"] = r.randint(1, options["best_of"])
        if "max_total_tokens" in options:
            options["max_total_tokens"] = options["best_of"] * r.randint(1, 20)
        return options

    def case(self, name):
        search = self.r.choice(["best_of_n", "best_of_n", "beam", "dvts"])
        options = self.best_of_n() if search == "best_of_n" else self.steps(search)
        return {"name": name, "options": options, "simulation": self.simulation(),
                "order": self.r.choice([0, self.r.randrange(1, 1 << 30)])}


class Random(unittest.TestCase):
    CASES = 3000

    def test_same_as_the_model(self):
        draw = Draw(20261121)
        cases = [draw.case(str(i)) for i in range(self.CASES)]
        got = run_cases(cases)
        for case in cases:
            self.assertEqual(got[case["name"]], search_model.run(case), json.dumps(case))


class Leads(unittest.TestCase):
    """Adaptive-Consistency's probability against exact fractions."""

    def test_probabilities(self):
        draw = random.Random(5)
        pairs = [(a, b) for a in range(40) for b in range(a + 1)]
        pairs += [sorted(draw.choices(range(k), k=2), reverse=True)
                  for k in (100, 1000, 2048) for _ in range(10)]
        pairs += [(4096, 0), (2048, 2048), (4000, 96), (2100, 1996)]
        got = run_cases([{"name": "leads", "leads": pairs}])["leads"]
        for (a, b), text in zip(pairs, got, strict=True):
            exact = search_model.lead_probability(a, b)
            if a + b < 50:
                self.assertEqual(float(text), float(exact), (a, b))
            self.assertLess(abs(float(text) - exact), 1e-13, (a, b))


class Recorded(unittest.TestCase):
    """The cases of tests/data/search; those of which a person has said who should win."""

    def check(self, case, got):
        self.assertEqual(got, search_model.run(case), case["name"])
        if "first" in case:
            end = next(i for i, line in enumerate(got) if line.startswith("end "))
            ranking = [int(line.split()[0]) for line in got[end + 1:-1]]
            self.assertEqual(ranking[:len(case["first"])], case["first"], case["name"])

    def test_files(self):
        files = sorted(glob.glob(os.path.join(RECORDED, "*.json")))
        self.assertTrue(files)
        for path in files:
            cases = read_cases(path)
            got = run_cases(cases)
            for case in cases:
                with self.subTest(case["name"]):
                    self.check(case, got[case["name"]])


if __name__ == "__main__":
    unittest.main()
