# SPDX-License-Identifier: Apache-2.0
"""The time, the tokens and the KV cache that a best of 16 takes in one request, in 16
requests of one answer each, and beside a single answer. All ways take turns in one run,
every time with a prompt that no cache knows."""

import concurrent.futures
import itertools
import re
import statistics
import threading
import time

import evaluate
import search_requests

N = 16
ANSWER_TOKENS = 64
WATCH_SECONDS = 0.003  # between two looks at the KV blocks
PROMPT_CHARACTERS = 830  # about 256 tokens of the shipped tokenizer

GENERATOR, JUDGE = "generator", "judge"
CHIP = 'profile = "pcm-hermes" chip_seed = 1 conductance_bits = 8 max_context = 512'
RANDOM_1B = 'random_weights = "llama-3.2-1b"'

# Random weights choose among 128,000 tokens: these keep to those of the tokenizer that are
# line breaks and printable characters, so that there is a text to be scored.
ORDINARY_TOKENS = {str(token): 100 for token in (10, *range(32, 127), *range(256, 508))}


class Setting:
    def __init__(self, words, shape, rounds, watched, fields, left_out=()):
        self.words = words  # of the page
        self.shape = shape  # of random weights, as the configuration has it
        self.rounds = rounds
        self.watched = watched  # turns in which KV blocks are counted
        self.fields = fields  # of every request
        self.left_out = left_out  # ways that take too long

    def ways(self):
        return {name: way for name, way in WAYS.items() if name not in self.left_out}

    def models(self):
        return (evaluate.model_section(GENERATOR, "analog", f"{CHIP} {self.shape}")
                + evaluate.model_section(JUDGE, "int8", f'role = "reward" max_context = 512 '
                                         f'{self.shape}', search_requests.REWARD_DIR))


# ---- ways to an answer ------------------------------------------------------------

def answer(daemon, setting, question, fields):
    return daemon.call("POST", "/v1/chat/completions", {
        "model": GENERATOR, "messages": [{"role": "user", "content": question}],
        "temperature": search_requests.TEMPERATURE, "max_tokens": ANSWER_TOKENS,
        "ignore_eos": True} | setting.fields | fields)


# Each gives the daemon's answers, or what of them has a usage.

def best_of(**fields):
    def run(daemon, setting, question):
        return [answer(daemon, setting, question, {"best_of": N, "seed": 1} | fields)]
    return run


def separate(clients):
    """N requests of one answer each, so many at a time."""
    def run(daemon, setting, question):
        with concurrent.futures.ThreadPoolExecutor(clients) as pool:
            return list(pool.map(lambda seed: answer(daemon, setting, question, {"seed": seed}),
                                 range(N)))
    return run


def separate_scored(daemon, setting, question):
    """N requests at once, and one for the scores of their answers."""
    answers = separate(N)(daemon, setting, question)
    texts = [a["choices"][0]["message"]["content"] for a in answers]
    scores = daemon.call("POST", "/v1/score", {"model": JUDGE, "queries": question,
                                               "documents": texts})
    return answers + [{"usage": {"reward_tokens": scores["usage"]["prompt_tokens"]}}]


ONE, IN_TURN = "one answer", "16 requests, one after the other"
WAYS = {
    ONE: best_of(best_of=1),
    "best of 16, majority": best_of(select="majority"),
    "16 requests at once": separate(N),
    IN_TURN: separate(1),
    "best of 16, weighted": best_of(select="weighted", reward_model=JUDGE),
    "16 requests at once, then one for scores": separate_scored,
}


SETTINGS = [
    ("cost, shipped model", Setting("the shipped model", "", 15, 5, {})),
    ("cost, 1B", Setting("random weights of Llama-3.2-1B's shape", RANDOM_1B, 3, 1,
                         {"logit_bias": ORDINARY_TOKENS}, [IN_TURN])),
]


# ---- one turn ---------------------------------------------------------------------

def questions():
    """Texts of one length that differ from their beginning on."""
    words = " ".join(problem["question"] for problem in evaluate.problems())
    for serial in itertools.count(100000):
        yield f"{serial} {words}"[:PROMPT_CHARACTERS]


def seconds_of(way, daemon, setting, question):
    begin = time.monotonic()
    way(daemon, setting, question)
    return time.monotonic() - begin


class BlockWatch:
    """The most KV blocks that sequences of each model hold at a time."""

    GAUGE = re.compile(r'^analogd_kv_blocks_held\{model_name="([^"]+)"\} (\S+)', re.M)

    def __init__(self, daemon):
        self.daemon = daemon
        self.most = {GENERATOR: 0, JUDGE: 0}
        self.over = threading.Event()

    def _watch(self):
        while not self.over.is_set():
            for model, held in self.GAUGE.findall(self.daemon.text("GET", "/metrics")):
                self.most[model] = max(self.most[model], int(float(held)))
            time.sleep(WATCH_SECONDS)

    def __enter__(self):
        self.over.clear()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def tokens_and_blocks(way, daemon, setting, fresh):
    """Of turns that are not timed, because watching takes time. Some, because a short peak
    may be missed."""
    watch = BlockWatch(daemon)
    for _ in range(setting.watched):
        with watch:
            usage = [a["usage"] for a in way(daemon, setting, next(fresh))]

    def total(key):
        return sum(u.get(key, 0) for u in usage)
    return {"prompt_tokens": total("prompt_tokens"),
            "completion_tokens": total("completion_tokens"),
            "reward_tokens": total("reward_tokens"),
            "kv_blocks": watch.most[GENERATOR], "reward_kv_blocks": watch.most[JUDGE]}


# ---- all turns --------------------------------------------------------------------

def measure(program, of, setting):
    options = f"max_logit_bias = {len(ORDINARY_TOKENS)}\n"
    daemon = evaluate.Daemon(program, setting.models(), options)
    fresh, ways = questions(), setting.ways()
    counted = {name: tokens_and_blocks(way, daemon, setting, fresh)
               for name, way in ways.items()}
    seconds = {name: [] for name in ways}
    for turn in range(setting.rounds):
        for name in list(ways)[::1 if turn % 2 else -1]:
            seconds[name].append(seconds_of(ways[name], daemon, setting, next(fresh)))
    daemon.stop()
    return [{"of": of, "name": name, "rounds": setting.rounds,
             "seconds": round(statistics.median(seconds[name]), 5),
             "ratio": round(statistics.median(a / b for a, b in
                                              zip(seconds[name], seconds[ONE])), 3)}
            | counted[name] for name in ways]
