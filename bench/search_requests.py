# SPDX-License-Identifier: Apache-2.0
"""Best-of-N requests to a daemon: who answers them, which candidates they had, and
whether the daemon chooses as the model of tests/search does."""

import concurrent.futures
import contextlib
import os
import sys

import evaluate
from search_statistics import CHOICES, SIZES, finished_search

REWARD_MODEL = "wordmath-2m-prm"
REWARD_DIR = os.path.join(evaluate.TOP, "models", REWARD_MODEL)
TEMPERATURE = 0.8
CLIENTS = 8
CHECK_EVERY = 40  # problems: of them one is asked for each N and way to choose


def models(ranges):
    """Sections of the configuration: those of docs/accuracy.md and the reward model."""
    return (evaluate.digital_models(ranges)
            + evaluate.model_section(REWARD_MODEL, "int8", 'role = "reward"', REWARD_DIR))


# ---- who answers --------------------------------------------------------------------

class Generator:
    """Runs differ by the seeds of their samples, those on chips by the chip as well."""

    def __init__(self, name, model=None):
        self.name = name
        self.model = model  # the digital one; None: chips

    @contextlib.contextmanager
    def served(self, daemon, run):
        """The id of the model of this run."""
        if self.model:
            yield self.model
        else:
            with chip(daemon, "wordmath-2m", run) as model:
                yield model


@contextlib.contextmanager
def chip(daemon, model, seed):
    """A chip as those of docs/accuracy.md, with 16 conductance bits and dynamic ranges."""
    made = daemon.call("POST", "/v1/chips", {
        "model": model, "profile": "pcm-hermes", "seed": seed, "name": f"chip-{seed}",
        "conductance_bits": 16, "out_bound": evaluate.OUT_BOUND})
    daemon.wait_for_chip(made["id"])
    yield made["model"]
    daemon.call("DELETE", f"/v1/chips/{made['id']}")


# ---- what they answer ------------------------------------------------------------------

def text_of(answer):
    return answer["choices"][0]["message"]["content"]


def is_right(text, problem):
    return evaluate.final_answer(text) == problem["answer"]


def ask(daemon, model, run, tasks, fields):
    """The daemon's answers. tasks: pairs of a number, which the seed is made of, and a
    problem."""
    def one(task):
        number, problem = task
        return daemon.call("POST", "/v1/chat/completions", {
            "model": model, "messages": [{"role": "user", "content": problem["question"]}],
            "temperature": TEMPERATURE, "max_tokens": evaluate.MAX_TOKENS,
            "seed": 1000 * run + number} | fields)
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(one, tasks))


def sample(daemon, model, run, tasks, reward_model):
    """The candidates of each problem in the order of their numbers, with all that a choice
    may look at, and whether they are `right`."""
    answers = ask(daemon, model, run, tasks, {
        "best_of": SIZES[-1], "select": "self_certainty", "reward_model": reward_model,
        "return_candidates": True})
    return [[c | {"right": is_right(c["text"], problem)}
             for c in sorted(answer["candidates"], key=lambda c: c["index"])]
            for answer, (_, problem) in zip(answers, tasks)]


def greedy(daemon, model, run, tasks):
    """For each problem: is the one answer at temperature 0 right?"""
    answers = ask(daemon, model, run, tasks, {"temperature": 0})
    return [is_right(text_of(answer), problem) for answer, (_, problem) in zip(answers, tasks)]


# ---- the daemon's own choice -----------------------------------------------------------

def check_answer(answer, candidates, select, aggregation):
    """The same samples, the same scores, and the order that tests/search puts them in?"""
    what = f"best of {len(candidates)} by {select}, {aggregation}"
    for c in answer["candidates"]:
        sampled = candidates[c["index"]]
        if (c["text"], c["rewards"]) != (sampled["text"], sampled["rewards"]):
            sys.exit(f"{what}: candidate {c['index']} differs from that of a larger N")
    ranked = finished_search(candidates, select, aggregation).ranked
    told = [(c["index"], c["answer"]) for c in answer["candidates"]]
    expected = [(c.number, c.answer) for c in ranked]
    if told != expected or text_of(answer) != ranked[0].text:
        sys.exit(f"{what}: the daemon has the order {told}, not {expected}")


def check(daemon, model, run, tasks, sampled, reward_model):
    """Ends the program if the daemon chooses otherwise. Returns how many it chose."""
    some = tasks[::CHECK_EVERY]
    for select, aggregation in CHOICES:
        for n in SIZES[1:]:
            fields = {"best_of": n, "select": select, "reward_model": reward_model,
                      "return_candidates": True}
            if aggregation:
                fields["reward_aggregation"] = aggregation
            for (number, _), answer in zip(some, ask(daemon, model, run, some, fields)):
                check_answer(answer, sampled[number][:n], select, aggregation)
    return len(CHOICES) * len(SIZES[1:]) * len(some)
