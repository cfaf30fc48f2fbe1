# SPDX-License-Identifier: Apache-2.0
"""Server-sent events, byte by byte: what SDKs and load generators rely on."""

import collections
import json
import unittest

import harness
from harness import (ANSWER, MODEL_ID, PROMPT, QUESTION, DaemonTest, in_parallel,
                     join_completion_stream, parse_events, parse_stream, sanitized)

THREADS_ONLY = sanitized("thread")

ASK = [{"role": "user", "content": QUESTION}]
COMPLETIONS, CHAT = "/v1/completions", "/v1/chat/completions"
BODIES = ((COMPLETIONS, {"prompt": PROMPT, "max_tokens": 64}), (CHAT, {"messages": ASK}))


@unittest.skipIf(THREADS_ONLY, "no threads meet")
class Wire(DaemonTest):
    """The bytes."""

    def body(self, path, **fields):
        answer = self.daemon.post(path, {"model": MODEL_ID, "temperature": 0, "stream": True,
                                         **fields})
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.headers["content-type"].split(";")[0], "text/event-stream")
        return answer.body

    def test_events_are_data_lines_only(self):
        """No event, id or retry field, no comment, no carriage return."""
        for path, fields in BODIES:
            with self.subTest(path=path):
                body = self.body(path, **fields)
                self.assertTrue(body.endswith(b"data: [DONE]\n\n"))
                self.assertNotIn(b"\r", body)
                events = parse_events(body)  # strict about the frame
                self.assertEqual(events.count("[DONE]"), 1)

    def test_constant_fields(self):
        for path, fields in BODIES:
            with self.subTest(path=path):
                chunks = parse_stream(self.body(path, **fields))
                for key in ("id", "object", "created", "model", "system_fingerprint"):
                    self.assertEqual(len({chunk[key] for chunk in chunks}), 1, key)
                self.assertEqual(chunks[0]["object"],
                                 "text_completion" if path == COMPLETIONS
                                 else "chat.completion.chunk")

    def test_one_event_a_token(self):
        chunks = parse_stream(self.body(COMPLETIONS, prompt=PROMPT, max_tokens=20,
                                        ignore_eos=True))
        self.assertEqual(len([c for c in chunks if c["choices"]]), 20)

    def test_characters_are_never_split(self):
        """Byte tokens of a three-byte character arrive as one character."""
        ids = self.daemon.tokenize("世")
        self.assertGreater(len(ids), 1)
        seen = ""
        for chunk in parse_stream(self.body(COMPLETIONS, prompt=ids[:1], max_tokens=30,
                                            temperature=2, seed=1, ignore_eos=True)):
            chunk["choices"][0]["text"].encode()  # no lone surrogates
            seen += chunk["choices"][0]["text"]
        whole = self.daemon.completion(ids[:1], max_tokens=30, temperature=2, seed=1,
                                       ignore_eos=True)
        self.assertEqual(seen, whole["choices"][0]["text"])

    def test_keep_alive_after_a_stream(self):
        connection = self.daemon.connect()
        for _ in range(3):
            answer = self.daemon.post(COMPLETIONS, {"prompt": PROMPT, "stream": True,
                                                    "max_tokens": 3}, connection=connection)
            self.assertEqual(len(parse_stream(answer.body)), 3)
        connection.close()

    def test_errors_before_the_stream_are_plain(self):
        answer = self.daemon.post(COMPLETIONS, {"prompt": PROMPT, "stream": True, "n": 0})
        self.assert_error(answer, 400, "n")


@unittest.skipIf(THREADS_ONLY, "no threads meet")
class ChatStream(DaemonTest):

    def test_deltas(self):
        chunks = self.daemon.stream(CHAT, messages=ASK)
        first, last = chunks[0]["choices"][0], chunks[-1]["choices"][0]
        self.assertEqual(first["delta"], {"role": "assistant", "content": ""})
        self.assertEqual(last["delta"], {})
        self.assertEqual(last["finish_reason"], "stop")
        content = ""
        for chunk in chunks[1:-1]:
            choice, = chunk["choices"]
            self.assertEqual(set(choice["delta"]), {"content"})
            self.assertIsNone(choice["finish_reason"])
            content += choice["delta"]["content"]
        self.assertEqual(content, ANSWER)

    def test_several_candidates(self):
        fields = {"n": 3, "temperature": 1.3, "seed": 9, "max_tokens": 24}
        chunks = self.daemon.stream(CHAT, messages=ASK, **fields)
        whole = self.daemon.chat(ASK, **fields)
        for choice in whole["choices"]:
            own = [c["choices"][0] for c in chunks if c["choices"][0]["index"] == choice["index"]]
            self.assertEqual(own[0]["delta"], {"role": "assistant", "content": ""})
            self.assertEqual("".join(c["delta"].get("content", "") for c in own),
                             choice["message"]["content"])
            self.assertEqual([c["finish_reason"] for c in own if c["finish_reason"]],
                             [choice["finish_reason"]])

    def test_logprobs(self):
        chunks = self.daemon.stream(CHAT, messages=ASK, logprobs=True, top_logprobs=2)
        whole = self.daemon.chat(ASK, logprobs=True, top_logprobs=2)
        streamed = [entry for chunk in chunks
                    if chunk["choices"][0].get("logprobs")
                    for entry in chunk["choices"][0]["logprobs"]["content"]]
        self.assertEqual(streamed, whole["choices"][0]["logprobs"]["content"])


@unittest.skipIf(THREADS_ONLY, "no threads meet")
class Usage(DaemonTest):

    def test_absent_by_default(self):
        for path, fields in BODIES:
            for chunk in self.daemon.stream(path, **fields):
                self.assertIsNone(chunk.get("usage"))
                self.assertEqual(len(chunk["choices"]), 1)

    def test_last_chunk(self):
        for path, fields in BODIES:
            with self.subTest(path=path):
                chunks = self.daemon.stream(path, **fields,
                                            stream_options={"include_usage": True})
                self.assertEqual(chunks[-1]["choices"], [])
                usage = chunks[-1]["usage"]
                for chunk in chunks[:-1]:
                    self.assertIsNone(chunk.get("usage"))
                    self.assertEqual(len(chunk["choices"]), 1)
                body = {"model": MODEL_ID, "temperature": 0, **fields}
                whole = self.daemon.post(path, body).json()["usage"]
                for key in ("prompt_tokens", "completion_tokens", "total_tokens"):
                    self.assertEqual(usage[key], whole[key])

    def test_continuous(self):
        chunks = self.daemon.stream(COMPLETIONS, prompt=PROMPT, max_tokens=6, stream_options={
            "include_usage": True, "continuous_usage_stats": True})
        counts = [chunk["usage"]["completion_tokens"] for chunk in chunks]
        self.assertEqual(counts, [1, 2, 3, 4, 5, 6, 6])


@unittest.skipIf(THREADS_ONLY, "no threads meet")
class Equality(DaemonTest):
    """A stream amounts to the answer without streaming, to the byte."""

    TABLE = (
        {"max_tokens": 64},
        {"max_tokens": 64, "logprobs": 3},
        {"max_tokens": 20, "echo": True},
        {"max_tokens": 5, "echo": True, "logprobs": 2},
        {"max_tokens": 0, "echo": True, "logprobs": 1},
        {"max_tokens": 40, "temperature": 1.4, "seed": 3, "n": 4},
        {"max_tokens": 40, "temperature": 1.4, "seed": 3, "n": 2, "logprobs": 2,
         "prompt": [PROMPT, "Vera starts with 8"]},
        {"max_tokens": 64, "stop": ["= 4", "Answer"]},
        {"max_tokens": 64, "stop": ["= 42\nAns"]},
        {"max_tokens": 64, "stop": ["7 = 42"], "include_stop_str_in_output": True},
        {"max_tokens": 64, "stop": ["Answer: 42 and more"]},  # never completed
        {"max_tokens": 60, "temperature": 2, "seed": 12, "ignore_eos": True},
    )

    def test_table(self):
        for fields in self.TABLE:
            with self.subTest(fields=str(fields)[:70]):
                fields = {"prompt": PROMPT, **fields}
                streamed = join_completion_stream(self.daemon.stream(COMPLETIONS, **fields))
                whole = self.daemon.completion(**fields)["choices"]
                self.assertEqual(streamed, whole)

    def test_a_stop_string_never_shows(self):
        """Text that may be the beginning of a stop string is held back."""
        chunks = self.daemon.stream(COMPLETIONS, prompt=PROMPT, max_tokens=64, stop=["= 42\nAns"])
        text = "".join(c["choices"][0]["text"] for c in chunks)
        self.assertEqual(text, "Step 1: 6 * 7 ")
        for chunk in chunks:
            self.assertNotIn("=", chunk["choices"][0]["text"])

    def test_token_ids(self):
        chunks = self.daemon.stream(COMPLETIONS, prompt=PROMPT, max_tokens=64,
                                    return_token_ids=True)
        whole = self.daemon.completion(max_tokens=64, return_token_ids=True)["choices"][0]
        self.assertEqual(chunks[0]["choices"][0]["prompt_token_ids"], whole["prompt_token_ids"])
        for chunk in chunks[1:]:
            self.assertIsNone(chunk["choices"][0].get("prompt_token_ids"))
        ids = [i for chunk in chunks for i in chunk["choices"][0]["token_ids"]]
        self.assertEqual(ids, whole["token_ids"])


class Large(DaemonTest):
    """However much comes at once, a client that reads gets all of it."""

    IDS = [40 + i % 400 for i in range(480)]
    TOKENS = 40 if THREADS_ONLY else 150

    def test_a_large_event(self):
        """The whole prompt with 20 alternatives a token is one event."""
        fields = {"prompt": self.IDS, "echo": True, "logprobs": 20, "max_tokens": 1,
                  "return_tokens_as_token_ids": True}
        chunks = self.daemon.stream(COMPLETIONS, **fields)
        self.assertGreater(len(json.dumps(chunks[0])), 256 * 1024)
        self.assertEqual(join_completion_stream(chunks),
                         self.daemon.completion(**fields)["choices"])

    def test_large_events_together(self):
        """The same prompt in the first event of each of 16 choices."""
        fields = {"prompt": self.IDS, "echo": True, "logprobs": 5, "max_tokens": 20, "n": 16,
                  "temperature": 1, "seed": 4, "ignore_eos": True}
        streamed = join_completion_stream(self.daemon.stream(COMPLETIONS, **fields))
        self.assertEqual(streamed, self.daemon.completion(**fields)["choices"])

    def test_several_wide_streams(self):
        fields = {"messages": ASK, "n": 16, "logprobs": True, "top_logprobs": 20,
                  "max_tokens": self.TOKENS, "temperature": 1, "seed": 5, "ignore_eos": True}
        for chunks in in_parallel(3, lambda _: self.daemon.stream(CHAT, **fields)):
            counts = collections.Counter(
                c["choices"][0]["index"] for c in chunks if c["choices"][0].get("logprobs"))
            self.assertEqual(counts, {i: self.TOKENS for i in range(16)})
            self.assertEqual(len([c for c in chunks if c["choices"][0]["finish_reason"]]), 16)


if __name__ == "__main__":
    harness.main()
