# SPDX-License-Identifier: Apache-2.0
"""Best of N, beam search and DVTS, written down as plainly as they can be said: what
runtime/search is compared with. Candidates are sampled one after the other by a
simulation (simulation.h has the same); nothing waits and nothing is shared."""

import fractions
import functools
import itertools
import math
import re
import struct

MASK = (1 << 64) - 1
NAN = float("nan")


# ---- the simulated models ------------------------------------------------------------

def stir(x):
    x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ x >> 27) * 0x94D049BB133111EB) & MASK
    return x ^ x >> 31


def draw(seed, a, b):
    return stir((stir((stir(seed) + a) & MASK) + b) & MASK)


def float32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


class Simulation:
    def __init__(self, spec, options):
        self.recorded = spec.get("recorded")
        self.seed = spec.get("seed", 0)
        self.stop = spec.get("stop", 5)
        self.separator = spec.get("separator", 15)
        self.number = spec.get("number", 20)
        self.levels = spec.get("levels", 4)
        self.unscorable = spec.get("unscorable", 0)
        self.nan = spec.get("nan", 0)
        self.words = spec.get("words", [])
        self.step_end = spec.get("step_end", "\n\n")
        self.raw = options.get("raw_rewards", False)
        self.steps = options.get("step_rewards", False)

    def token(self, c):
        """Text, log-probability and certainty of its next token, and whether it is the end."""
        if self.recorded is not None:
            record = self.recorded[str(c.number)]
            if c.sampled < len(record["tokens"]):
                return (*record["tokens"][c.sampled], False)
            return (*record.get("stop", ["", 0, 0]), True)
        h = draw(self.seed, c.number, len(c.tokens))
        logprob = -0.1 * ((h >> 20) % self.levels)
        certainty = 0.3 * ((h >> 40) % self.levels)
        kind = h % 100
        if kind < self.stop:
            return "", logprob, certainty, True
        kind -= self.stop
        if kind < self.separator:
            return self.step_end, logprob, certainty, False
        if kind < self.separator + self.number:
            return self.words[(h >> 8) % len(self.words)], logprob, certainty, False
        return " so", logprob, certainty, False

    def steps_of(self, c):
        if not self.steps:
            return int(c.text != "")
        pieces = c.text.split(self.step_end)
        if c.end is None:
            pieces.pop()
        return sum(piece != "" for piece in pieces)

    def can_score(self, c):
        if self.recorded is not None:
            return "scores" in self.recorded[str(c.number)]
        return draw(self.seed + 1, text_digest(c.text), 0) % 100 >= self.unscorable

    def text_to(self, c, step):
        """Of its text, what goes to the end of a step."""
        if not self.steps:
            return c.text
        pieces = c.text.split(self.step_end)
        place = [i for i, piece in enumerate(pieces) if piece][step]
        return self.step_end.join(pieces[:place + 1])

    def score(self, c, step):
        if self.recorded is not None:
            return float32(self.recorded[str(c.number)]["scores"][step])
        h = draw(self.seed + 2, text_digest(self.text_to(c, step)), 0)
        if h % 100 < self.nan:
            return NAN
        level = (h >> 8) % self.levels
        return float32(0.7 * level - 1.3 if self.raw else 0.1 * level)


# ---- answers -------------------------------------------------------------------------

def extract(text):
    """The forms of answers that test cases have; all of them stands in answer.h."""
    found = re.findall(r"boxed\{((?:[^{}]|\{[^{}]*\})*)\}", text)
    if found:
        return found[-1].strip() or None
    if "he answer is" in text:
        sentence = text.rsplit("he answer is", 1)[1].strip().split("\n")[0]
        return re.split(r"\.\s", sentence)[0].rstrip(".").strip() or None
    found = re.findall(r"(?<![/.])-?\d+\s*/\s*\d+(?!\d|/|\.\d|,\d{3})|"
                       r"-?(?:\d{1,3}(?:,\d{3}(?!\d))+|\d+)(?:\.\d+)?|-?\.\d+", text)
    return found[-1] if found else None


def canonical(answer):
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", answer)
    fraction = re.fullmatch(r"\\frac\{(\d+)\}\{(\d+)\}", plain)
    if fraction:
        plain = "/".join(fraction.groups())
    try:
        return fractions.Fraction(plain)
    except ValueError:
        return plain


# ---- what both sides know of a candidate -----------------------------------------------

class Candidate:
    def __init__(self, number, parent):
        self.number = number
        self.parent = parent.number if parent else -1
        self.tokens = list(parent.tokens) if parent else []
        self.text = parent.text if parent else ""
        self.scores = list(parent.scores) if parent else []
        self.reward = parent.reward if parent else NAN
        self.reason = parent.reason if parent else None
        self.scored_anew = False
        self.sampled = 0
        self.end = None
        self.answer = None
        self.score = NAN

    def finished(self):
        return self.end in ("stop", "length")

    def mean(self, which):
        """Of log-probabilities (1) or certainties (2); sums go in order of the tokens."""
        total = 0.0
        for token in self.tokens:
            total += token[which]
        return total / len(self.tokens) if self.tokens else NAN


def best_first(candidates, value):
    """NaN behind all numbers, of equal ones the lower number first."""
    def key(c):
        x = value(c)
        return (1, 0, c.number) if math.isnan(x) else (0, -x, c.number)
    return sorted(candidates, key=key)


def aggregate(how, scores):
    if not scores:
        return NAN
    if how == "last":
        return scores[-1]
    if how == "min":
        least = scores[0]
        for x in scores:
            least = x if x < least else least
        return least
    total = 1.0 if how == "product" else 0.0
    for x in scores:
        total = total * x if how == "product" else total + x
    return total if how == "product" else total / len(scores)


def exponential(x):
    """base/fixmath.h's, whose bits are the same everywhere."""
    n = float(round(x * 1.44269504088896338700e+00))
    r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10
    p = 1.0 / math.factorial(13)
    for k in range(12, 1, -1):
        p = p * r + 1.0 / math.factorial(k)
    return math.ldexp(1.0 + (r + p * r * r), int(n))


def lead_probability(a, b):
    """Adaptive-Consistency's integral, exactly."""
    n = a + b + 1
    total = term = 1
    for k in range(1, a + 1):
        term = term * (n - k + 1) // k
        total += term
    return fractions.Fraction(total, 2 ** n)


class NoRewards(Exception):
    pass


# ---- the searches -----------------------------------------------------------------------

class Search:
    def __init__(self, case):
        o = case["options"]
        self.o = o
        self.early = o.get("early_stop", {})
        self.model = Simulation(case["simulation"], o)
        self.scored = o.get("scored", False)
        self.all = []
        self.scored_texts = []  # with the steps scored before, and whether they are whole
        self.lines = []
        self.ranked = []

    # -- rounds

    def sampled(self):
        return sum(c.sampled for c in self.all)

    def begin(self, parent, count):
        new = [Candidate(len(self.all) + i, parent) for i in range(count)]
        self.all += new
        return new

    def run_round(self, parts, one_step=False):
        """parts: candidates that go on together, with the tokens that each may sample.
        Says what is sampled, samples it, and scores what there is to score."""
        self.lines.append("round")
        to_score = []
        for together, limit in parts:
            first = together[0]
            room = self.o["max_tokens"] - len(first.tokens)
            limit = int(limit) if limit < room else 0
            self.lines.append(
                f"sample {first.number} {len(together)} {limit} {int(one_step)}")
        for together, limit in parts:
            for c in together:
                if self.sample(c, limit, one_step):
                    to_score.append(c)
        self.score(to_score)

    def sample(self, c, limit, one_step):
        """Is there something to be scored then?"""
        searching = self.o.get("search", "best_of_n") != "best_of_n"
        taken = 0
        while True:
            text, logprob, certainty, stop = self.model.token(c)
            c.tokens.append((text, logprob, certainty))
            c.text += text
            c.sampled += 1
            taken += 1
            if stop:
                c.end = "stop"
            elif len(c.tokens) == self.o["max_tokens"]:
                c.end = "length"
            step_done = one_step and text.endswith(self.model.step_end)
            c.cut = c.end is None and not step_done and taken == limit
            if c.end or step_done or c.cut:
                break
        compared = (searching and not c.cut) or self.early.get("reject", 0) > 0
        return c.end is not None or compared

    def score(self, candidates):
        if not self.scored:
            return
        first_of = {c: len(c.scores) if self.model.steps else 0 for c in candidates
                    if c.reason is None}
        self.say_scores({(c.text, first, c.end is not None) for c, first in first_of.items()})
        for c, first in first_of.items():
            if not self.model.can_score(c):
                c.reason = f"a text of {len(c.text.encode())} bytes is too long"
                c.reward = NAN
                continue
            del c.scores[first:]
            new = [self.model.score(c, k) for k in range(first, self.model.steps_of(c))]
            c.scores += new
            c.scored_anew = c.scored_anew or bool(new)
            c.reward = aggregate(self.o.get("aggregation", "last"), c.scores)

    def say_scores(self, texts):
        """None is scored twice in a round, and no whole one in a later round either."""
        new = [text for text in texts if text not in self.scored_texts]
        self.scored_texts += [text for text in new if text[2]]
        self.lines += sorted(f"score {text_digest(text):016x} {first}"
                             for text, first, whole in new)

    # -- votes

    def weight(self, c):
        if self.o["select"] == "majority":
            return 1
        if math.isnan(c.reward):
            return 0
        raw = self.o.get("raw_rewards", False)
        return 1 / (1 + exponential(-c.reward)) if raw else c.reward

    def votes(self):
        """Sums by answer; candidates vote in order of their numbers."""
        voters = [c for c in self.all if c.finished() and c.answer is not None]
        if self.o["select"] == "self_certainty":
            finished = [c for c in self.all if c.finished()]
            ranks = best_first(finished, lambda c: NAN if c.answer is None else c.mean(2))
            weights = {c.number: math.sqrt(len(ranks) - i) for i, c in enumerate(ranks)}
        else:
            weights = {c.number: self.weight(c) for c in voters}
        sums = {}
        for c in voters:
            sums[c.key] = sums.get(c.key, 0.0) + weights[c.number]
        return sums

    def find_answers(self):
        for c in self.all:
            if c.finished() and c.answer is None:
                c.answer = extract(c.text)
                if c.answer is not None:
                    c.key = canonical(c.answer)

    # -- the end

    def need_rewards(self, candidates):
        if all(math.isnan(c.reward) for c in candidates):
            for c in candidates:
                if c.reason is not None:
                    raise NoRewards(f"ECONTEXT: no candidate could be scored: {c.reason}")
            if all(c.end is not None for c in candidates):
                raise NoRewards("EINVAL: no candidate has a step that could be scored")

    def finish(self, candidates):
        """Rank those that a search ends with."""
        select = self.o.get("select", "logprob")
        finished = [c for c in candidates if c.finished()]
        for c in candidates:
            c.end = c.end or "unneeded"
        if select in ("reward", "weighted") or self.o.get("search", "best_of_n") != "best_of_n":
            self.need_rewards(finished)
        self.all = candidates
        self.find_answers()
        voting = select not in ("logprob", "reward")
        sums = self.votes() if voting else {}
        for c in candidates:
            if not voting:
                c.score = c.reward if select == "reward" else c.mean(1)
            elif c.finished():
                c.score = sums[c.key] if c.answer is not None else 0.0
        with_answer = [c for c in finished if c.answer is not None or not voting]
        without = [c for c in finished if c not in with_answer]
        unfinished = [c for c in candidates if c not in finished]
        for group in (with_answer, without, unfinished):
            self.ranked += best_first(group, lambda c: c.score)


    def choice(self):
        """As many as are wanted; where there are fewer, from the best on again."""
        return [self.ranked[i % len(self.ranked)] for i in range(self.o["n"])]


class BestOfN(Search):
    def border(self, c):
        """Tokens to the next border: at least `every`, and prompt and answer together are
        one more than a multiple of the block."""
        count = self.early.get("every", 32)
        block = max(self.o.get("block_tokens", 0), 1)
        while (self.o.get("prompt_tokens", 0) + len(c.tokens) + count - 1) % block:
            count += 1
        return count

    def limit(self, c):
        rounds = any(self.early.get(k) for k in ("vote", "reject")) or "score" in self.early
        return self.border(c) if rounds else math.inf

    def decided(self):
        finished = [c for c in self.all if c.finished()]
        if len(finished) < self.o["n"]:
            return False
        if "score" in self.early and any(c.reward >= self.early["score"] for c in finished):
            return True
        vote = self.early.get("vote", 0)
        if not vote:
            return False
        first, second = (sorted(self.votes().values(), reverse=True) + [0, 0])[:2]
        first, second = max(first, 0), max(second, 0)
        if first - second > self.o["best_of"] - sum(c.end is not None for c in self.all):
            return True
        return vote < 1 and lead_probability(*self.draws()) >= vote

    def draws(self):
        """The two highest counts of answers among the candidates in front of the first that
        has not ended."""
        ended = list(itertools.takewhile(lambda c: c.end is not None, self.all))
        keys = [c.key for c in ended if c.finished() and c.answer is not None]
        counts = sorted((keys.count(key) for key in set(keys)), reverse=True)
        return (counts + [0, 0])[:2]

    def reject(self):
        share = self.early.get("reject", 0)
        going = [c for c in self.all if c.end is None and c.reason is None]
        if not share or not all(c.scored_anew for c in going):
            return
        for c in self.all:
            c.scored_anew = False
        race = best_first([c for c in self.all if c.end != "rejected"], lambda c: c.reward)
        keep = max(math.floor((1 - share) * len(race) + 0.5), self.o["n"])
        for c in race[keep:]:
            if c.end is None and not math.isnan(c.reward):
                c.end = "rejected"

    def wave(self):
        """As many as the budget can bring to their ends."""
        n = self.o["best_of"] - len(self.all)
        if self.early.get("wave"):
            n = min(n, max(self.early["wave"], self.o["n"]))
        if self.o.get("max_total_tokens"):
            rest = self.o["max_total_tokens"] - self.sampled()
            n = min(n, rest // self.o["max_tokens"])
        return n

    def one_wave(self, count):
        """Is the whole search decided?"""
        new = self.begin(None, count)
        self.run_round([(new, self.limit(new[0]))])
        while True:
            self.find_answers()
            if self.decided():
                return True
            self.reject()
            going = [c for c in self.all if c.end is None]
            if not going:
                return False
            self.run_round([([c], self.limit(c)) for c in going])

    def run(self):
        while self.wave():
            if self.one_wave(self.wave()):
                break
        self.finish(self.all)


class StepSearch(Search):
    def share(self, count):
        budget = self.o.get("max_total_tokens", 0)
        return (budget - self.sampled()) // count if budget else math.inf

    def cut_off(self, candidates):
        """The budget is spent."""
        for c in candidates:
            c.end = "length"
        place = len(self.lines)
        self.score(candidates)
        if len(self.lines) > place:
            self.lines.insert(place, "round")

    def step(self, parts, number):
        """One step of all; where the budget's share cuts one, the rest of it follows."""
        one_step = number < (self.o.get("max_steps") or 40)
        self.run_round(parts, one_step)
        while True:
            cut = [c for together, _ in parts for c in together if c.end is None and c.cut]
            if not cut:
                return
            share = self.share(len(cut))
            if share < 1:
                self.cut_off(cut)
                return
            self.run_round([([c], share) for c in cut], one_step)


class Beam(StepSearch):
    def run(self):
        most, width = self.o["best_of"], self.o["beam_width"]
        completed, number = [], 1
        share = self.share(most)
        beams = self.begin(None, most)
        parts = [(beams, share)]
        while True:
            self.step(parts, number)
            completed += [c for c in beams if c.end is not None]
            going = [c for c in beams if c.end is None]
            self.need_rewards(sorted(completed + going, key=lambda c: c.number))
            if not going:
                break
            kept = best_first(going, lambda c: c.reward)[:most // width]
            kept.sort(key=lambda c: c.number)
            share = self.share(most)
            if share < 1:
                self.cut_off(kept)
                completed += kept
                self.need_rewards(sorted(completed, key=lambda c: c.number))
                break
            # Slot i of the next round belongs to beam i mod len(kept).
            slots = [i % len(kept) for i in range(most)]
            parts = [(self.begin(c, slots.count(i)), share) for i, c in enumerate(kept)]
            beams = [c for together, _ in parts for c in together]
            number += 1
        self.count, self.total = len(self.all), self.sampled()
        best = best_first(completed, lambda c: c.reward)[:most]
        self.finish(sorted(best, key=lambda c: c.number))


class Dvts(StepSearch):
    def run(self):
        most, width = self.o["best_of"], self.o["beam_width"]
        share = self.share(most)
        new = self.begin(None, most)
        parts, number, final = [(new, share)], 1, []
        trees = [new[i:i + width] for i in range(0, most, width)]
        while True:
            self.step(parts, number)
            self.need_rewards(sorted(final + sum(trees, []), key=lambda c: c.number))
            best = []
            for tree in trees:
                leader = best_first(tree, lambda c: c.reward)[0]
                if leader.end is not None or "boxed{" in leader.text:
                    final += tree
                else:
                    best.append((leader, tree))
            for c in final:
                c.end = c.end or "stop"
            if not best:
                break
            share = self.share(len(best) * width)
            if share < 1:
                rest = [c for _, tree in best for c in tree]
                self.cut_off([c for c in rest if c.end is None])
                final += rest
                self.need_rewards(sorted(final, key=lambda c: c.number))
                break
            trees = [self.begin(leader, width) for leader, _ in best]
            parts = [(tree, share) for tree in trees]
            number += 1
        self.count, self.total = len(self.all), self.sampled()
        self.finish(sorted(final, key=lambda c: c.number))


SEARCHES = {"best_of_n": BestOfN, "beam": Beam, "dvts": Dvts}


# ---- the same lines as search_case prints --------------------------------------------------

@functools.lru_cache(maxsize=None)
def text_digest(text):
    h = 0
    for byte in text.encode():
        h = draw(h, byte, 0)
    return h


def number_text(x):
    return "nan" if math.isnan(x) else f"{x:.17g}"


def candidate_line(c):
    answer = "-" if c.answer is None else c.answer
    return (f"{c.number} {c.parent} {c.end} {len(c.tokens)} {c.sampled} {len(c.scores)} "
            f"{number_text(c.reward)} {number_text(c.score)} {text_digest(c.text):016x} {answer}")


def run(case):
    """All that is decided, as lines."""
    search = SEARCHES[case["options"].get("search", "best_of_n")](case)
    try:
        search.run()
    except NoRewards as why:
        return search.lines + [f"failed {why}"]
    total = getattr(search, "total", None)
    if total is None:
        search.count, search.total = len(search.all), search.sampled()
    return (search.lines + [f"end {search.total} {search.count}"] +
            [candidate_line(c) for c in search.ranked] +
            [" ".join(["choice"] + [str(c.number) for c in search.choice()])])
