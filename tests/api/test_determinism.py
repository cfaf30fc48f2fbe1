# SPDX-License-Identifier: Apache-2.0
"""A seeded request gives the same `choices`, byte for byte: alone or in company,
whatever the threads, the prefill chunks, the prefix cache and, on int8, the
instruction set."""

import json
import unittest

import harness
from harness import MODEL_ID, PROMPT, Daemon, in_parallel, join_completion_stream

URL = "/v1/completions"


def requests():
    """A mix that reaches every path: greedy, sampled, several candidates, cuts,
    penalties, scores, long and short prompts, common beginnings."""
    problems = [p["prompt"] for p in harness.problems()[:12]]
    long = "".join(problems[:3])
    table = [
        {"prompt": PROMPT, "max_tokens": 40, "temperature": 0, "logprobs": 5},
        {"prompt": PROMPT, "max_tokens": 40, "temperature": 1, "seed": 1, "logprobs": 2},
        {"prompt": PROMPT, "max_tokens": 30, "temperature": 1.5, "seed": 2, "n": 4},
        {"prompt": problems[:3], "max_tokens": 20, "temperature": 1, "seed": 3, "n": 2},
        {"prompt": long, "max_tokens": 24, "temperature": 0.8, "seed": 4, "logprobs": 3,
         "echo": True},
        {"prompt": long + problems[4], "max_tokens": 24, "temperature": 0.8, "seed": 4},
        {"prompt": PROMPT, "max_tokens": 40, "temperature": 1.2, "seed": 5, "top_p": 0.9,
         "top_k": 20, "min_p": 0.01, "presence_penalty": 0.5, "frequency_penalty": 0.5,
         "repetition_penalty": 1.1, "logit_bias": {"10": 1.5}, "logprobs": 1},
        {"prompt": "x", "max_tokens": 60, "temperature": 2, "seed": 6, "ignore_eos": True},
    ]
    table += [{"prompt": prompt, "max_tokens": 32, "temperature": 0.9, "seed": 100 + i,
               "logprobs": 1} for i, prompt in enumerate(problems[4:])]
    return [{"model": MODEL_ID, **fields} for fields in table]


REQUESTS = requests()
CROWDS = (8, 32)
CHUNKS = ("1", "7", "64")
without_sanitizers = unittest.skipIf(
    harness.sanitized(), "what a sanitizer could find on these paths it finds in other tests")


def choices_bytes(body):
    """The bytes of the `choices` member as they were sent."""
    start = body.index(b'"choices":')
    value, end = json.JSONDecoder().raw_decode(body[start + len(b'"choices":'):].decode())
    return body[start:start + len(b'"choices":')] + json.dumps(value).encode(), value


def ask(daemon, fields):
    answer = daemon.post(URL, fields)
    assert answer.status == 200, answer.body[:500]
    return choices_bytes(answer.body)[0]


def alone(daemon):
    return [ask(daemon, fields) for fields in REQUESTS]


def together(daemon, clients):
    """The answers while `clients` clients send the same set, each in an order of its own."""
    def client(c):
        order = [(i * 5 + c) % len(REQUESTS) for i in range(len(REQUESTS))]
        answers = [None] * len(REQUESTS)
        share = order if clients < 8 else order[:6]
        for i in share:
            answers[i] = ask(daemon, REQUESTS[i])
        return answers
    return in_parallel(clients, client)


def has_kernels(name):
    flags = {"portable": set(), "avx2": {"avx2"}, "avxvnni": {"avx2", "avx_vnni"},
             "avx512vnni": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni"}}
    with open("/proc/cpuinfo", encoding="ascii") as f:
        return flags[name] <= set(f.read().split())


class Determinism:
    """One set of answers and everything that must not change it."""

    backend = None
    small_cache = None  # bytes of 40 blocks, where one context takes 32

    @classmethod
    def setUpClass(cls):
        with cls.start() as daemon:
            cls.expected = alone(daemon)

    @classmethod
    def start(cls, *args):
        return Daemon("--backend", cls.backend, *args)

    def check(self, answers, what):
        for fields, got, expected in zip(REQUESTS, answers, self.expected):
            if got is not None:
                self.assertEqual(got, expected, f"{what}: {fields}")

    def test_in_company(self):
        with self.start() as daemon:
            for clients in CROWDS:
                for answers in together(daemon, clients):
                    self.check(answers, f"{clients} clients")

    def test_little_room(self):
        """More sequences than the cache has room for: they give way to one another."""
        # Ten answers of seven blocks each, which start together however busy the machine is.
        crowd = {"model": MODEL_ID, "prompt": ["x"] * 10, "max_tokens": 100,
                 "temperature": 1, "seed": 7, "ignore_eos": True}
        with self.start() as daemon:
            expected = ask(daemon, crowd)
        with self.start("--max-sequences", "16", "--kv-cache", self.small_cache) as daemon:
            for answers in together(daemon, 6):
                self.check(answers, "preemption")
            self.assertEqual(ask(daemon, crowd), expected)
            self.assertGreater(daemon.metric("analogd_num_preemptions_total"), 0)

    def test_threads(self):
        for threads in ("1", "2"):
            with self.start("--threads", threads) as daemon:
                self.check(alone(daemon), f"{threads} threads")

    def test_prefill_chunks(self):
        for chunk in CHUNKS:
            with self.start("--prefill-chunk", chunk) as daemon:
                self.check(alone(daemon), f"prefill chunk {chunk}")

    def test_prefix_cache(self):
        with self.start("--no-prefix-cache") as daemon:
            self.check(alone(daemon), "no prefix cache")
            self.assertEqual(daemon.metric("analogd_prefix_cache_hits_total"), 0)
        with self.start() as daemon:
            self.check(alone(daemon), "first pass")
            hits = daemon.metric("analogd_prefix_cache_hits_total")
            self.check(alone(daemon), "prefix cache hit")
            self.assertGreater(daemon.metric("analogd_prefix_cache_hits_total"), hits)

    def test_streams(self):
        with self.start() as daemon:
            for fields, expected in zip(REQUESTS, self.expected):
                streamed = join_completion_stream(
                    daemon.stream(URL, **fields))
                whole = json.loads(expected[len(b'"choices":'):])
                self.assertEqual(streamed, whole, fields)


@without_sanitizers
class Int8(Determinism, unittest.TestCase):
    backend = "int8"
    small_cache = str(40 * 24576)

    def test_kernels(self):
        for name in ("portable", "avx2", "avxvnni", "avx512vnni"):
            with self.subTest(kernels=name):
                if not has_kernels(name):
                    self.skipTest(f"this CPU has no {name}")
                with self.start("--kernels", name) as daemon:
                    self.check(alone(daemon), name)


@without_sanitizers
class F32(Determinism, unittest.TestCase):
    backend = "f32"
    small_cache = str(40 * 49152)


if __name__ == "__main__":
    harness.main()
