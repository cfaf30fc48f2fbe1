# SPDX-License-Identifier: Apache-2.0
"""What the candidates of best-of-N requests are worth: which of the first N each way to
choose takes, how many problems that solves, and with what error.

Candidate j is the same sample whatever N is, so the first N of many are the candidates of
a best of N. Who is chosen is found by the model of tests/search, which shares nothing
with the daemon."""

import math
import os
import statistics
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tests", "search"))

import search_model  # noqa: E402 (found through the line above)

SIZES = [1, 2, 4, 8, 16, 32]
AGGREGATIONS = ["last", "min", "product", "mean"]

# Beside the ways to choose: one answer of temperature 0, a right candidate if there is one
# among the first N, the chance of that among any N.
GREEDY, PERFECT, COVERAGE = "temperature 0", "perfect judge", "coverage"

# Ways to choose: select and reward_aggregation as in a request, None where no reward
# counts.
CHOICES = [("logprob", None), ("self_certainty", None), ("majority", None),
           *(("reward", a) for a in AGGREGATIONS), *(("weighted", a) for a in AGGREGATIONS)]


def finished_search(candidates, select, aggregation):
    """The model's best of N behind its last round. candidates: as a response has them."""
    search = search_model.BestOfN({"simulation": {}, "options": {
        "best_of": len(candidates), "n": 1, "select": select, "scored": True}})
    for told in candidates:
        c, = search.begin(None, 1)
        c.text, c.end = told["text"], told["finish_reason"]
        # One token with the means of all of them has the same means.
        c.tokens = [("", told["logprob"], told["self_certainty"])]
        c.reward = search_model.aggregate(aggregation or AGGREGATIONS[0],
                                          [search_model.float32(r) for r in told["rewards"]])
    search.finish(search.all)
    return search


def choose(candidates, select, aggregation):
    """The number of the candidate that is chosen."""
    return finished_search(candidates, select, aggregation).ranked[0].number


# ---- samples and their errors --------------------------------------------------------

def error_of_mean(values):
    """Standard error; None of a single value."""
    if len(values) < 2:
        return None
    return round(statistics.stdev(values) / math.sqrt(len(values)), 4)


def over_problems(by_run):
    """Values of each problem, the means over the runs."""
    return [statistics.fmean(values) for values in zip(*by_run)]


def summary(by_run):
    """Percent solved. by_run: for each run, for each problem, the part of it that was
    solved (0 or 1 of a choice)."""
    percent = [round(100 * statistics.fmean(run), 4) for run in by_run]
    return {"percent": percent, "mean": round(statistics.fmean(percent), 4),
            "error": error_of_mean(percent),
            "error_problems": error_of_mean([100 * p for p in over_problems(by_run)])}


def gain(by_run, single_by_run):
    """By how many points more are solved than by a single answer; pairs of the same chip
    and problem are compared."""
    difference = summary([[a - b for a, b in zip(run, single)]
                          for run, single in zip(by_run, single_by_run)])
    return {"gain": difference["mean"], "gain_error": difference["error"],
            "gain_error_problems": difference["error_problems"]}


# ---- curves ------------------------------------------------------------------------------

def chance(right, n):
    """That n of these candidates, taken at random, have a right one among them: pass@n of
    the Codex paper (Chen et al. 2021)."""
    wrong = len(right) - sum(right)
    return 1 - math.comb(wrong, n) / math.comb(len(right), n)


class Curves:
    """The candidates of all runs of a generator: by_run[run][problem] is a list of
    candidates in order of their numbers, each with whether it is `right`."""

    def __init__(self, by_run):
        self.by_run = by_run

    def _each(self, value):
        return [[value(candidates) for candidates in run] for run in self.by_run]

    def solved(self, select, aggregation, n):
        return self._each(
            lambda all_of_it: all_of_it[choose(all_of_it[:n], select, aggregation)]["right"])

    def covered(self, n):
        """Is there a right one among the first n? A perfect judge would choose it."""
        return self._each(lambda all_of_it: any(c["right"] for c in all_of_it[:n]))

    def covered_by_chance(self, n):
        return self._each(lambda all_of_it: chance([c["right"] for c in all_of_it], n))

    def results(self, of):
        """A result for each way to choose and each N, and for what there is to choose."""
        # One sample of temperature 0.8: the mean of all there are is known best.
        single = self.covered_by_chance(1)
        for n in SIZES:
            ways = [(select, aggregation, self.solved(select, aggregation, n))
                    for select, aggregation in CHOICES]
            ways += [(PERFECT, None, self.covered(n)),
                     (COVERAGE, None, self.covered_by_chance(n))]
            for select, aggregation, solved in ways:
                yield ({"of": of, "select": select, "aggregation": aggregation, "n": n}
                       | summary(solved) | gain(solved, single))
