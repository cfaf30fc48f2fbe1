#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What bench/search_statistics.py makes of candidates, with candidates made up here."""

import itertools
import os
import statistics
import sys
import unittest

TOP = os.environ.get("top_srcdir") or os.path.join(os.path.dirname(__file__), "..", "..")
sys.path.insert(0, os.path.join(TOP, "bench"))

import search_statistics  # noqa: E402
from search_statistics import COVERAGE, PERFECT, SIZES, Curves  # noqa: E402


def candidate(index, answer, right, reward=0.5, logprob=-1.0):
    return {"index": index, "text": f"Answer: {answer}", "answer": answer, "right": right,
            "logprob": logprob, "self_certainty": 1.0, "rewards": [reward], "reward": reward,
            "finish_reason": "stop", "error": None}


def problem_of(*first):
    """32 candidates: these, and then wrong ones that nobody likes."""
    rest = [candidate(i, str(1000 + i), False, 0.01, -9.0) for i in range(len(first), SIZES[-1])]
    return list(first) + rest


class Chance(unittest.TestCase):
    def test_counts_subsets(self):
        for right in ([0] * 5, [1] * 5, [1, 0, 0, 1, 0], [0, 0, 0, 0, 1]):
            for n in range(1, 6):
                subsets = list(itertools.combinations(right, n))
                self.assertAlmostEqual(search_statistics.chance(right, n),
                                       sum(map(any, subsets)) / len(subsets))


class Errors(unittest.TestCase):
    def test_over_runs_and_over_problems(self):
        got = search_statistics.summary([[1, 0, 1, 0], [1, 1, 1, 0], [1, 0, 1, 1]])
        self.assertEqual(got["percent"], [50, 75, 75])
        self.assertAlmostEqual(got["mean"], 200 / 3, 3)
        self.assertAlmostEqual(got["error"], statistics.stdev([50, 75, 75]) / 3 ** 0.5, 3)
        by_problem = [100, 100 / 3, 100, 100 / 3]
        self.assertAlmostEqual(got["error_problems"], statistics.stdev(by_problem) / 2, 3)

    def test_one_run_has_none(self):
        self.assertIsNone(search_statistics.summary([[1, 0]])["error"])

    def test_gain_compares_pairs(self):
        single = [[0.5, 0, 1, 0.25]]
        got = search_statistics.gain([[1, 0.5, 1.5, 0.75]], single)
        self.assertEqual((got["gain"], got["gain_error_problems"]), (50, 0))


class Choices(unittest.TestCase):
    """Two problems of one run: the right answer is candidate 1, and votes find it from
    the fourth candidate on."""

    def setUp(self):
        problems = [problem_of(candidate(0, "7", False, 0.6, -2.0), candidate(1, "8", True),
                               candidate(2, "9", False, 0.9, -3.0), candidate(3, "8", True))
                    for _ in range(2)]
        self.curves = Curves([problems])

    def test_only_the_first_n_count(self):
        for (select, aggregation, n), right in {
                ("logprob", None, 1): False, ("logprob", None, 2): True,
                ("reward", "last", 2): False, ("reward", "last", 4): False,
                ("majority", None, 2): False, ("majority", None, 4): True,
                ("weighted", "mean", 4): True}.items():
            with self.subTest(select=select, n=n):
                self.assertEqual(self.curves.solved(select, aggregation, n), [[right] * 2])

    def test_results(self):
        results = list(self.curves.results("made up"))
        self.assertEqual(len(results), len(SIZES) * (len(search_statistics.CHOICES) + 2))
        of = {(r["select"], r["aggregation"], r["n"]): r for r in results}
        self.assertEqual(of[PERFECT, None, 1]["mean"], 0)
        self.assertEqual(of[PERFECT, None, 2]["mean"], 100)
        self.assertEqual(of[COVERAGE, None, 1]["mean"], 6.25)
        self.assertEqual(of[COVERAGE, None, 32]["mean"], 100)
        self.assertEqual(of["majority", None, 4]["gain"], 93.75)


if __name__ == "__main__":
    unittest.main()
