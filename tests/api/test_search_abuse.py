# SPDX-License-Identifier: Apache-2.0
"""Searches under abuse: readers that stop, reward models that are busy, deleted or of a
short context, patterns made to burn time, and clients that leave by the hundred."""

import json
import os
import socket
import tempfile
import time
import unittest

import harness
from harness import (MODEL, MODEL_ID, PROMPT, TOP, Daemon, DaemonTest, in_parallel,
                     join_completion_stream, parse_stream)

URL = "/v1/completions"
REWARD, REWARD_ID = MODEL + "-prm", MODEL_ID + "-prm"
STREAM_BUFFER = 64 << 10  # bytes above which who writes a stream waits for its reader
PROFILES = os.path.join(TOP, "conf", "profiles")
# What a search may be, each with more than one round but the first.
SEARCHES = (
    {"select": "weighted"},
    {"select": "majority", "early_stop": {"vote": True, "every": 1}},
    {"select": "reward", "early_stop": {"reject": 0.3, "every": 1}},
    {"select": "weighted", "early_stop": {"score": 2, "wave": 3}},
    {"search": "beam", "beam_width": 2},
    {"search": "dvts", "beam_width": 2},
)


def body(**fields):
    return {"model": MODEL_ID, "prompt": PROMPT, "max_tokens": 64, "temperature": 1.3, "seed": 5,
            "best_of": 8, "return_candidates": True, **fields}


def told(answer):
    """What must not depend on anything but the request."""
    assert answer.status == 200, (answer.status, answer.body[:500])
    whole = answer.json()
    usage = {k: v for k, v in whole["usage"].items() if k != "prompt_tokens_details"}
    return [whole["choices"], whole["candidates"], usage]


class SearchTest(DaemonTest):
    args = ("--reward-model", REWARD, "--profile-dir", PROFILES)

    def ask(self, **fields):
        return self.daemon.post(URL, body(**fields))

    def candidates(self, **fields):
        answer = self.ask(**fields)
        self.assertEqual(answer.status, 200, answer.body[:500])
        return answer.json()["candidates"]


class Readers(unittest.TestCase):
    """A reader of candidates that stops: every token is a round, so nothing of the search
    is under way while it waits."""

    FIELDS = {"prompt": [PROMPT] * 16, "max_tokens": 1, "best_of": 256, "select": "majority",
              "early_stop": {"wave": 1}}

    def slow(self, daemon, **fields):
        data = json.dumps(body(**{**self.FIELDS, **fields}, stream=True,
                               stream_candidates=True)).encode()
        client = socket.socket()
        # Small segments and a small window: the kernel holds little of the answer.
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(harness.PATIENCE)
        client.connect(("127.0.0.1", daemon.port))
        client.sendall(b"POST /v1/completions HTTP/1.0\r\nHost: localhost\r\n"
                       b"Content-Type: application/json\r\n"
                       b"Content-Length: %d\r\n\r\n" % len(data) + data)
        self.wait_quiet(daemon)
        return client

    def wait_quiet(self, daemon):
        steps, since = 0, time.monotonic()
        while time.monotonic() < since + 0.3 or steps == 0:
            now = daemon.metric("analogd_engine_steps_total")
            if now != steps:
                steps, since = now, time.monotonic()
            time.sleep(0.02)
        self.assertLess(daemon.metric("analogd_generation_tokens_total"), 16 * 256)

    def test_catches_up(self):
        with Daemon("--max-best-of", "256") as daemon:
            client = self.slow(daemon)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            received = []
            while part := client.recv(65536):
                received.append(part)
            client.close()
            chunks = parse_stream(b"".join(received).split(b"\r\n\r\n", 1)[1])
            whole = daemon.post(URL, body(**self.FIELDS)).json()
            self.assertEqual([c for c in chunks if "error" in c], [])
            self.assertEqual(sum("candidate" in c for c in chunks), 16 * 256)
            self.assertEqual([c["text"] for c in join_completion_stream(chunks)],
                             [c["text"] for c in whole["choices"]])
            daemon.wait_idle()

    def test_falls_behind_at_a_decision(self):
        """The ends of all that a step prunes are more than a stream holds: the next step
        begins, as copies of what was kept, when the reader has caught up."""
        fields = {"best_of": 256, "search": "beam", "n": 3}
        with Daemon("--reward-model", REWARD, "--max-best-of", "256") as daemon:
            whole = daemon.post(URL, body(**fields)).json()
            answer = daemon.post(URL, body(**fields, stream=True, stream_candidates=True),
                                 headers={"X-Request-Id": "x" * 128})
            chunks = parse_stream(answer.body)
            self.assertEqual([c for c in chunks if "error" in c], [])
            self.assertEqual([c["text"] for c in join_completion_stream(chunks)],
                             [c["text"] for c in whole["choices"]])
            pruned = [json.dumps(c) for c in chunks
                      if "candidate" in c and c["candidate"]["finish_reason"] == "pruned"]
            self.assertGreater(sum(map(len, pruned[:192])), STREAM_BUFFER)

    def test_does_not_hold_up_the_stop(self):
        """With one prompt its engine has nothing that could be ended."""
        with Daemon("--max-best-of", "1024", "--drain-timeout", "0") as daemon:
            client = self.slow(daemon, prompt=PROMPT, best_of=1024)
        client.close()

    def test_leaves(self):
        """That the daemon ends well proves that nothing of the request is left."""
        with Daemon("--max-best-of", "256") as daemon:
            self.slow(daemon).close()
            daemon.wait_until(lambda: daemon.metric("analogd_cancelled_total") == 1,
                              "the request counts as cancelled")
            daemon.wait_idle()


class RewardModels(unittest.TestCase):

    def test_overloaded(self):
        """429 before work starts, and only for searches that need it."""
        slowly = ("--max-queue", "1", "--max-sequences", "1", "--prefill-chunk", "4",
                  "--no-prefix-cache")
        scoring = {"queries": "a", "documents": ["b " * 180] * 200}
        with Daemon("--reward-model", REWARD, *slowly) as daemon:
            client = daemon.raw_post("/score", scoring)
            daemon.wait_until(lambda: daemon.metric("analogd_num_requests_running") > 0,
                              "answers are being scored")
            for fields in SEARCHES:
                answer = daemon.post(URL, body(**fields))
                needs = fields.get("select") != "majority"
                self.assertEqual(answer.status, 429 if needs else 200, (fields, answer.body))
                if needs:
                    self.assertEqual((answer.error["param"], answer.error["code"]),
                                     ("reward_model", "queue_full"))
                    self.assertIn(REWARD_ID, answer.error["message"])
            client.close()
            daemon.wait_idle()
            self.assertEqual(daemon.post(URL, body(**SEARCHES[0])).status, 200)

    def test_busy(self):
        """An answer waits for its scores alone, which go before other requests: not for its
        question, which stands in the queue behind them."""
        scoring = {"queries": "a", "documents": ["b " * 180] * 1000}
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
            f.write(f'model "m" {{ dir = "{MODEL}" }}\n'
                    f'model "r" {{ dir = "{REWARD}" role = reward max_sequences = 1\n'
                    'prefill_chunk = 4 prefix_cache = false max_queue = 2000 }\n')
            f.flush()
            with Daemon("--config", f.name, "--max-prompts", "1000", model=None) as daemon:
                expected = told(daemon.post(URL, body(model="m", select="weighted")))
                client = daemon.raw_post("/score", scoring)
                waiting = 'analogd_num_requests_waiting{model_name="r"}'
                daemon.wait_until(lambda: daemon.metrics()[waiting] > 900, "answers are scored")
                self.assertEqual(told(daemon.post(URL, body(model="m", select="weighted"))),
                                 expected)
                self.assertGreater(daemon.metrics()[waiting], 0)
                client.close()
                daemon.wait_idle()

    def test_hangs(self):
        """Searches with rewards wait, clients may leave, and the daemon says that it is not
        well; with its end who has waited learns why."""
        args = ("--reward-model", REWARD, "--test-hooks", "--drain-timeout", "0")
        with Daemon(*args) as daemon:
            self.assertEqual(daemon.post(f"/debug/hang/{REWARD_ID}", None).status, 200)
            leaves, stays = (daemon.raw_post(URL, body(**SEARCHES[0])) for _ in range(2))
            generator = f'{{model_name="{MODEL_ID}"}}'
            daemon.wait_until(
                lambda: daemon.metric("analogd_generation_tokens_total") > 0 and
                daemon.metrics()["analogd_num_requests_running" + generator] == 0,
                "candidates wait for scores")
            leaves.close()
            daemon.wait_until(lambda: daemon.metric("analogd_cancelled_total") == 1,
                              "the request counts as cancelled")
            self.assertEqual(daemon.post(URL, body(select="majority")).status, 200)
            daemon.wait_until(lambda: daemon.get("/readyz").status == 503, "it is stalled")
            self.assertEqual(daemon.get("/readyz").error["code"], "stalled")
            daemon.kill()
            answer = b"".join(iter(lambda: stays.recv(65536), b""))
            stays.close()
            self.assertIn(f"The reward model {REWARD_ID} could not score".encode(), answer)
            self.assertIn(b" 503 ", answer.split(b"\r\n")[0])

    def test_short_context(self):
        """Candidates that do not fit say so, and are never chosen for want of others."""
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
            f.write(f'model "m" {{ dir = "{MODEL}" }}\n'
                    f'model "r" {{ dir = "{REWARD}" role = reward max_context = 80 }}\n')
            f.flush()
            with Daemon("--config", f.name, model=None) as daemon:
                self.check_short_context(daemon)

    def check_short_context(self, daemon):
        long = {"model": "m", "max_tokens": 120, "ignore_eos": True, "best_of": 4}
        for fields in ({"select": "reward"}, {"select": "weighted"}, {"search": "beam"}):
            with self.subTest(fields=fields):
                answer = daemon.post(URL, body(**long, **fields))
                self.assertEqual((answer.status, answer.error["code"]),
                                 (400, "context_length_exceeded"), answer.body)
                self.assertIn("no candidate could be scored", answer.error["message"])
        # A vote does not need them.
        answer = daemon.post(URL, body(**long, select="majority", reward_model="r"))
        self.assertEqual(answer.status, 200, answer.body[:300])
        for candidate in answer.json()["candidates"]:
            self.assertIsNone(candidate["reward"])
            self.assertIn("context", candidate["error"])
        answer = daemon.post(URL, body(model="m", reward_question="a " * 80, select="reward"))
        self.assertEqual((answer.status, answer.error["param"]), (400, "reward_question"))

    def test_sigterm(self):
        """A search under way ends as it would have, round by round."""
        for fields in (SEARCHES[2], SEARCHES[4]):
            with Daemon("--reward-model", REWARD) as daemon:
                asked = body(ignore_eos=True, **{**fields, "max_tokens": 160, "best_of": 32})
                expected = told(daemon.post(URL, asked))
                client = daemon.raw_post(URL, asked)
                daemon.wait_until(lambda d=daemon: d.metric("analogd_num_requests_running") > 0,
                                  "the search runs")
                daemon.kill()
                received = b"".join(iter(lambda c=client: c.recv(65536), b""))
                head, whole = received.split(b"\r\n\r\n", 1)
                self.assertIn(b" 200 ", head.split(b"\r\n")[0], whole[:300])
                self.assertEqual(told(harness.Response(200, {}, whole)), expected)
                client.close()


class Fields(SearchTest):

    def test_patterns(self):
        """Bad ones are named; those that would take for ever only find nothing."""
        for pattern in ("", "[", "\\", "(?<=a*)x", "a{65536}", "\\C", "\\p{Foo}", "(?=a\\K)",
                        "\\x{110000}", "(" * 500, "x" * 1025):
            with self.subTest(pattern=pattern[:20]):
                self.assert_error(self.ask(answer_pattern=pattern), 400, "answer_pattern")
        for pattern in ("(\\w+\\s?)+$", "(*LIMIT_MATCH=4000000000)(?:\\D+|\\d+)*!", "(?R)",
                        "(?:(?R))*x", "(.*.*.*.*.*.*)*x", "(a{1000}){60}", "(?C1)x", "()", "\\b",
                        "|".join(map(str, range(300)))[:1024], "(" * 250 + ")" * 250):
            with self.subTest(pattern=pattern[:20]):
                self.assertEqual(self.ask(select="majority", answer_pattern=pattern).status, 200)

    def test_broken_json(self):
        for field in (b'"answer_pattern":"\xff"', b'"answer_pattern":"\\ud800"',
                      b'"step_separator":"\\u0000"', b'"early_stop":{"score":NaN}',
                      b'"early_stop":{"reject":-Infinity}', b'"early_stop":{"score":1e999}',
                      b'"max_total_tokens":1e30', b'"best_of":99999999999999999999',
                      b'"early_stop":' + b'{"vote":' * 3000 + b"1" + b"}" * 3000,
                      b'"early_stop":' + b"[" * 3000 + b"]" * 3000):
            with self.subTest(field=field[:40]):
                answer = self.daemon.post(URL, b'{"prompt":"a",' + field + b"}")
                self.assertEqual(answer.status, 400, answer.body[:200])

    def test_empty_and_identical_candidates(self):
        """All are equal: the lowest number is the choice."""
        eos = str(harness.EOS)
        for forced in ({"logit_bias": {eos: 100}}, {"logit_bias": {"65": 100}},
                       {"temperature": 0}, {"stop": ["S"]}):
            for fields in SEARCHES:
                with self.subTest(forced=forced, fields=fields):
                    self.check_identical(**forced, **fields)

    def check_identical(self, **fields):
        answer = self.ask(max_tokens=8, **fields)
        if fields.get("select") != "majority" and self.is_empty(fields):
            self.assertEqual(answer.status, 400, answer.body)
            self.assertRegex(answer.error["message"], "^no candidate .*step")
            return
        self.assertEqual(answer.status, 200, answer.body)
        candidates = answer.json()["candidates"]
        self.assertEqual(len({c["text"] for c in candidates}), 1)
        numbers = [c["index"] for c in candidates]
        if "search" not in fields:
            self.assertEqual(numbers, sorted(numbers))

    def is_empty(self, fields):
        """Of such texts there is nothing to be scored."""
        forced = {k: fields[k] for k in ("logit_bias", "temperature", "stop") if k in fields}
        answer = self.daemon.post(URL, {**body(max_tokens=8, **forced), "best_of": 1})
        return answer.json()["choices"][0]["text"] == ""


class Many(SearchTest):

    def test_clients_that_leave(self):
        """Two hundred, at every stage: nothing is held, and memory does not grow."""
        for _ in range(60):
            self.leave(0)
        self.daemon.wait_idle()
        before = self.daemon.metric("process_resident_memory_bytes")
        for i in range(15 if harness.sanitized() else 200):
            self.leave(i)
        self.daemon.wait_idle()
        if not harness.sanitized():  # a sanitizer keeps what was freed for a while
            grown = self.daemon.metric("process_resident_memory_bytes") - before
            self.assertLess(grown, 16 << 20)
        self.assertEqual(self.ask(**SEARCHES[0]).status, 200)

    def leave(self, i):
        streaming = {"stream": True, "stream_candidates": True} if i % 3 == 0 else {}
        client = self.daemon.raw_post(URL, body(ignore_eos=True, max_tokens=200, **streaming,
                                                **SEARCHES[i % len(SEARCHES)]))
        time.sleep((i % 10) * 0.001)
        client.close()

    def test_fingerprints(self):
        """That of a choice which a reward model has made covers both."""
        loaded = {e["model"]: e["fingerprint"] for e in self.daemon.events("loaded")}
        for fields in SEARCHES:
            found = self.ask(**fields).json()["system_fingerprint"]
            self.assertRegex(found, "^fp_[0-9a-f]{16}$")
            if fields.get("select") == "majority":
                self.assertEqual(found, loaded[MODEL_ID])
            else:
                self.assertNotIn(found, loaded.values())
        self.assertEqual(self.daemon.completion()["system_fingerprint"], loaded[MODEL_ID])

    def test_all_at_once(self):
        """Searches say the same beside each other, scores, and a chip that is made."""
        scores = {"queries": PROMPT, "documents": ["Step 1: 6 * 7 = 42\nAnswer: 42", "1"]}
        chip = {"model": REWARD_ID, "profile": "pcm-hermes", "seed": 1, "name": "a"}

        def client(i):
            if i < 2 * len(SEARCHES):
                return told(self.ask(**SEARCHES[i % len(SEARCHES)]))
            if i == 2 * len(SEARCHES):
                return self.daemon.post("/v1/chips", chip).status
            return [d["score"] for d in self.daemon.post("/score", scores).json()["data"]]
        alone = [client(i) for i in range(len(SEARCHES))]
        scored = client(-1 + 3 * len(SEARCHES))
        found = in_parallel(3 * len(SEARCHES), client)
        self.assertEqual(found[:2 * len(SEARCHES)], alone * 2)
        self.assertEqual(found[2 * len(SEARCHES)], 202)
        self.assertEqual(found[2 * len(SEARCHES) + 1:], [scored] * (len(SEARCHES) - 1))


if __name__ == "__main__":
    harness.main()
