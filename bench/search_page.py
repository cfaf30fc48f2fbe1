# SPDX-License-Identifier: Apache-2.0
"""The page of evaluate_search.py: every number in it is a result."""

from search_statistics import CHOICES, COVERAGE, GREEDY, PERFECT, SIZES

CURVES = ["pcm-hermes", "float32", "int4, static inputs"]
JUDGED = [("digital", "pcm-hermes"), ("on a chip", "reward model on a chip")]
GAIN_AT = 16

PAGE = """<!-- SPDX-License-Identifier: Apache-2.0 -->
# Test-time compute on simulated chips

Written by `make evaluate-search` (bench/evaluate_search.py). The shipped model,
wordmath-2m, samples up to 32 answers to each of 200 word problems at temperature 0.8, and
one of the first N is chosen. Answers come from {chips} chips of the profile pcm-hermes
(seeds 1 to {chips}, 16 conductance bits, dynamic ranges, `out_bound` 24, as in
[accuracy.md](accuracy.md)), and for comparison from the digital model in float32 and in
int4 with static 8-bit inputs, with as many sampling seeds. The judge is
[wordmath-2m-prm](../models/wordmath-2m-prm/README.md), a small and weak process reward
model, in int8. Every single figure is in [test-time-compute.json](test-time-compute.json).

![percent of problems solved over N, by the way to choose](test-time-compute.svg)

Figures are percent of problems solved: the mean over chips or seeds and its standard error.
One problem of one chip is {step:.2f} points. Candidate j is the same sample whatever N is,
so best of 4 is the beginning of best of 16. Which candidate is chosen was computed by the
model in Python in `tests/search`, from the candidates of one request of 32; for one problem
in {check_every}, every N and every way to choose, the daemon was asked as well: it must put
all candidates in the same order, or no page is written.

{headline}

- **Votes win, this judge does not.** Majority and weighted votes rise with N and level off
  near 16. What weights add to plain votes is within their errors.
- **The highest reward falls with N**: the more candidates, the likelier is one among them
  that a weak judge wrongly believes. A perfect judge would find the dashed curve: there is
  that much to gain from a better one.
- **The highest mean log probability** is as good as votes here, and needs no reward model.
- **One answer at temperature 0** solves about as much as best of 16 at 0.8, at a sixteenth
  of the tokens: candidates must differ to be chosen from, and on problems as easy as these
  the temperature takes what the votes give back.

## Gain
What best of {gain_at} solves beyond a single answer at this temperature (the mean of all 32
candidates), in points. The first error is that of the mean over chips or seeds; the second
one that of the mean over problems, which is what another set of problems would change.
Pairs of the same chip and problem are compared.

{gains}

## Every way to choose
Rewards of an answer's steps become one by `last`, `min`, `product` or `mean`
(`reward_aggregation`); `logprob`, `self_certainty` and `majority` need no reward model.
A perfect judge takes a right one among the first N wherever there is one; coverage is the
same for N of the 32 taken at random (pass@N).

{curves}

## The reward model on a chip
The same candidates of the same chips, judged by the digital reward model and by one on a
chip of its own (pcm-hermes as above, seeds {judge_seeds}).

{judged}

## Step by step
`beam` and `dvts` with `beam_width` 4, a step is a line, on the same chips, beside best of N.
Tokens are the mean of a problem: those sampled, and those that the reward model read (equal
texts once). Step searches ask the judge after every step, so they end as near to the best
judged answer, and as far from the right one, as their judge takes them.

{steps}

## Stopping early
Best of 16 on the same chips, stopped by `early_stop`. A vote that is certain cannot change
any answer; one that is 95 % sure hardly does. Rejection follows the judge, and with a weak
one costs what votes had gained.

{early}

## Time and memory
Medians of turns that all ways take in one run, in milliseconds and over a single answer;
prompts of about 256 tokens that no cache knows, answers of 64 tokens. The generator is a
chip (pcm-hermes, 8 conductance bits), the reward model digital (int8). Tokens and KV blocks
(16 tokens each; the most that sequences held at a time) were counted in a turn of their own.
Requests at once find the prompt in the prefix cache too, as soon as the first of them has
computed it, so they hold hardly more blocks than one request does; without sharing it would
be 16 times those of one answer. Time is this machine's, and moves with what else runs there;
the ratios less so.

{costs}
"""


def pick(results, **wanted):
    return [r for r in results if all(r[key] == value for key, value in wanted.items())]


def with_error(mean, error):
    return f"{mean:.1f}" if error is None else f"{mean:.1f} ± {error:.1f}"


def row(cells):
    return "| " + " | ".join(cells) + " |"


def header(first, rest):
    """first: of texts, to the left; rest: of numbers."""
    return [row(first + rest), "|" + "---|" * len(first) + "---:|" * len(rest)]


def way(select, aggregation):
    return f"{select}, {aggregation}" if aggregation else select


def headline(results):
    def on_chips(select, aggregation, n):
        return pick([r for r in results if "select" in r], of=CURVES[0], select=select,
                    aggregation=aggregation, n=n)[0]
    votes = on_chips("weighted", "last", GAIN_AT)
    single, greedy = on_chips(COVERAGE, None, 1), on_chips(GREEDY, None, 1)
    return (f"On the chips a single answer at temperature 0.8 solves {single['mean']:.1f} %, "
            f"weighted votes (`select`\n`weighted`, `reward_aggregation` `last`) of {GAIN_AT} "
            f"{votes['mean']:.1f} %: {votes['gain']:.1f} ± {votes['gain_error']:.1f} points "
            f"more over\nthe chips, ± {votes['gain_error_problems']:.1f} over the problems. "
            f"One answer at temperature 0 solves {greedy['mean']:.1f} %.")


# ---- the tables ---------------------------------------------------------------------

def gain_table(results):
    lines = header(["chosen by"], CURVES)
    for select, aggregation in CHOICES + [(PERFECT, None)]:
        found = pick([r for r in results if "select" in r], select=select,
                     aggregation=aggregation, n=GAIN_AT)
        cells = [f"{r['gain']:+.1f} ± {r['gain_error']:.1f} (± {r['gain_error_problems']:.1f})"
                 for of in CURVES for r in pick(found, of=of)]
        lines.append(row([way(select, aggregation)] + cells))
    return "\n".join(lines)


def curve_lines(results, ways, *labels):
    for select, aggregation in ways:
        cells = [with_error(r["mean"], r["error"])
                 for r in pick(results, select=select, aggregation=aggregation)]
        blank = [""] * (len(SIZES) - len(cells))
        yield row([way(select, aggregation), *labels] + cells + blank)


def sizes():
    return [f"N = {n}" for n in SIZES]


def curve_table(results, of):
    ways = [(GREEDY, None)] + CHOICES + [(PERFECT, None), (COVERAGE, None)]
    return "\n".join([f"### {of}", *header(["chosen by"], sizes()),
                      *curve_lines(pick(results, of=of), ways)])


def judged_table(results):
    lines = header(["chosen by", "reward model"], sizes())
    for select, aggregation in CHOICES:
        for words, of in JUDGED if aggregation else []:
            lines += curve_lines(pick(results, of=of), [(select, aggregation)], words)
    return "\n".join(lines)


def tokens(result):
    return [f"{result['tokens']:,.0f}", f"{result['reward_tokens']:,.0f}"]


def step_table(results):
    lines = header(["search", "select"], ["N", "solved", "tokens", "reward tokens"])
    beside = [r | {"name": "best_of_n"} for r in pick(results, of="early stopping")
              if "early_stop" not in r["request"]]
    for r in beside + pick(results, of="step search"):
        lines.append(row([r["name"], r["request"]["select"], str(r["request"]["best_of"]),
                          with_error(r["mean"], r["error"])] + tokens(r)))
    return "\n".join(lines)


def early_table(results):
    lines = header(["select, stop"], ["solved", "tokens", "saved", "reward tokens"])
    for r in pick(results, of="early stopping"):
        if "early_stop" not in r["request"]:
            whole = r
        sampled, scored = tokens(r)
        saved = "" if r is whole else f"{1 - r['tokens'] / whole['tokens']:.0%}"
        lines.append(row([r["name"], with_error(r["mean"], r["error"]), sampled, saved, scored]))
    return "\n".join(lines)


def cost_table(results, of, words):
    lines = [f"### {words[0].upper()}{words[1:]}",
             *header(["way"], ["ms", "ratio", "prompt tokens", "sampled", "reward tokens",
                               "KV blocks", "of the reward model"])]
    for r in pick(results, of=of):
        lines.append(row([r["name"], f"{1000 * r['seconds']:,.0f}", f"{r['ratio']:.2f}",
                          f"{r['prompt_tokens']:,}", f"{r['completion_tokens']:,}",
                          f"{r['reward_tokens']:,}", f"{r['kv_blocks']:,}",
                          f"{r['reward_kv_blocks']:,}"]))
    return "\n".join(lines)


def page(results, n_problems, check_every, first_judge, settings):
    """settings: pairs of a cost measurement and words for its models."""
    runs = len(results[0]["percent"])
    return PAGE.format(
        chips=runs, check_every=check_every, headline=headline(results), step=100 / n_problems, gain_at=GAIN_AT, gains=gain_table(results),
        curves="\n\n".join(curve_table(results, of) for of in CURVES),
        judge_seeds=f"{first_judge} to {first_judge + runs - 1}", judged=judged_table(results),
        steps=step_table(results), early=early_table(results),
        costs="\n\n".join(cost_table(results, of, words) for of, words in settings))
