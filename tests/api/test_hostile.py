# SPDX-License-Identifier: Apache-2.0
"""Bytes nobody should send. After each the process lives and answers."""

import json
import re
import socket
import time
import unittest

import harness
from harness import MODEL_ID, PROMPT, Daemon, DaemonTest

COMPLETIONS, CHAT = "/v1/completions", "/v1/chat/completions"
POSTS = (COMPLETIONS, CHAT, "/tokenize", "/detokenize", "/apply-template")


class Hostile(DaemonTest):

    def tearDown(self):
        self.assertEqual(self.daemon.get("/livez").status, 200)
        self.assertIsNone(self.daemon.process.poll())

    def statuses(self, data):
        """The status of every response to these bytes until the server closes."""
        with self.daemon.raw(data) as s:
            received = b""
            try:
                while part := s.recv(65536):
                    received += part
            except ConnectionResetError:
                pass
        return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", received)]


class Bodies(Hostile):

    def test_not_json(self):
        bodies = (
            b"", b"{", b"}", b"[", b"\0", b"\xff\xfe", b"{}}", b"[]", b"1", b"true", b"nul",
            b'{"prompt"', b'{"prompt":}', b'{"prompt": "\xff"}', b'{"prompt": "a\0b"}',
            b'{"prompt": "\\u0000"}', b'{"prompt": "\\ud800"}', b'{"prompt": "\xed\xa0\x80"}',
            b'{"prompt": "\xc0\x80"}', b'{"prompt": 1e999}', b'{"prompt": NaN}',
            b'{"prompt": -}', b'{"max_tokens": 99999999999999999999}', b'\xef\xbb\xbf{}',
            b'{"prompt": "a"} x', b'{"prompt": "a", "prompt": "b"}', b"{" * 100000,
            b"[" * 100000, b'{"a":' * 5000 + b"1" + b"}" * 5000,
            b'{"prompt": ' + b"[" * 3000 + b"]" * 3000 + b"}",
        )
        for path in POSTS:
            for body in bodies:
                with self.subTest(path=path, body=body[:40]):
                    answer = self.daemon.post(path, body)
                    self.assertEqual(answer.status, 400, answer.body[:200])
                    self.assertEqual(answer.error["type"], "invalid_request_error")

    def test_many_values(self):
        """Four megabytes of small values cost a bounded multiple of themselves."""
        for body in (b"[" + b"[]," * 1300000 + b"[]]",
                     b'{"prompt": [' + b"[]," * 1300000 + b"[]]}",
                     b'{"prompt": [' + b"0," * 2000000 + b"0]}",
                     b'{"messages": [' + b"{}," * 1300000 + b"{}]}"):
            with self.subTest(body=body[:16]):
                answer = self.daemon.post(COMPLETIONS, body)
                self.assertIn(answer.status, (400, 413))

    def test_over_the_cap(self):
        """413, with a length in advance or without, and while the client goes on sending."""
        head = (b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/json\r\n")
        megabyte = b" " * (1 << 20)
        table = (
            (head + b"Content-Length: %d\r\n\r\n" % (9 << 20), [megabyte] * 9),
            (head + b"Transfer-Encoding: chunked\r\n\r\n",
             [b"%x\r\n%s\r\n" % (len(megabyte), megabyte)] * 9 + [b"0\r\n\r\n"]),
        )
        for start, parts in table:
            with self.subTest(start=start), self.daemon.raw(start) as s:
                try:
                    for part in parts:
                        s.sendall(part)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # it has answered and closed
                self.assertTrue(s.recv(65536).startswith(b"HTTP/1.1 413 "))

    def test_chunked(self):
        body = json.dumps({"prompt": PROMPT, "max_tokens": 1}).encode()
        data = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
        self.assertEqual(self.statuses(
            b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + data + b"0\r\n\r\n"), [200])

    def test_encoded_bodies_are_refused(self):
        answer = self.daemon.post(COMPLETIONS, b"x", headers={"Content-Encoding": "gzip"})
        self.assertEqual(answer.status, 415)

    def test_expect_continue(self):
        body = json.dumps({"prompt": PROMPT, "max_tokens": 1}).encode()
        with self.daemon.raw(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
                             b"Connection: close\r\nExpect: 100-continue\r\n"
                             b"Content-Type: application/json\r\n"
                             b"Content-Length: %d\r\n\r\n" % len(body)) as s:
            self.assertTrue(s.recv(1024).startswith(b"HTTP/1.1 100"))
            s.sendall(body)
            self.assertTrue(s.recv(65536).startswith(b"HTTP/1.1 200"))


# Values that have broken servers of this kind in the field.
EXTREMES = (
    0, 1, -1, -2, 127, 128, 255, 256, 511, 512, 2**31 - 1, 2**31, -2**31, -2**31 - 1, 2**32,
    2**53, 2**63 - 1, -2**63, 1e300, -1e300, 1e-300, 0.5, -0.0, "", "1", "-1", True, False, [],
    [[]], [None], {}, {"a": 1}, [2**62], ["\u0001"])

FIELDS = {
    COMPLETIONS: (
        "model", "prompt", "best_of", "echo", "frequency_penalty", "presence_penalty",
        "logit_bias", "logprobs", "max_tokens", "n", "seed", "stop", "stream", "stream_options",
        "suffix", "temperature", "top_p", "user", "top_k", "min_p", "repetition_penalty",
        "ignore_eos", "min_tokens", "stop_token_ids", "include_stop_str_in_output",
        "add_special_tokens", "return_token_ids", "prompt_logprobs", "truncate_prompt_tokens",
        "skip_special_tokens", "select", "reward_aggregation", "reward_question", "beam_width",
        "step_separator", "early_stop", "max_total_tokens", "return_candidates"),
    CHAT: (
        "best_of", "reward_model", "search", "answer_pattern", "stream_candidates",
        "messages", "max_completion_tokens", "logprobs", "top_logprobs", "n", "tools",
        "tool_choice", "response_format", "add_generation_prompt", "continue_final_message",
        "max_tokens", "chat_template", "chat_template_kwargs"),
    "/tokenize": ("prompt", "content", "messages", "add_special_tokens", "return_token_strs"),
    "/detokenize": ("tokens",),
    "/apply-template": ("messages", "add_generation_prompt", "continue_final_message"),
}

VALID = {
    COMPLETIONS: {"model": MODEL_ID, "prompt": PROMPT, "max_tokens": 2},
    CHAT: {"messages": [{"role": "user", "content": "x"}], "max_tokens": 2},
    "/tokenize": {"prompt": "x"},
    "/detokenize": {"tokens": [1]},
    "/apply-template": {"messages": [{"role": "user", "content": "x"}]},
}


class Values(Hostile):

    def test_every_field_at_its_extremes(self):
        """Each gives an answer or a 400 that names the field, never a 500."""
        connection = self.daemon.connect()
        for path, fields in FIELDS.items():
            for field in fields:
                for value in EXTREMES:
                    body = {**VALID[path], field: value}
                    answer = self.daemon.post(path, body, connection=connection)
                    where = f"{path} {field}={value!r}: {answer.status} {answer.body[:200]}"
                    if field in ("model", "reward_model"):
                        self.assertIn(answer.status, (200, 400, 404), where)
                        continue
                    self.assertIn(answer.status, (200, 400), where)
                    if answer.status == 400 and answer.error["param"] is not None:
                        self.assertNotEqual(answer.error["param"], "", where)
        connection.close()

    def test_integers_past_64_bits(self):
        for field in ("n", "max_tokens", "seed", "top_k", "logprobs"):
            for value in (b"9223372036854775808", b"-9223372036854775809", b"1" + b"0" * 400):
                body = b'{"prompt": "a", "%s": %s}' % (field.encode(), value)
                self.assertEqual(self.daemon.post(COMPLETIONS, body).status, 400, (field, value))

    def test_pairs(self):
        """Every sampling field with every other, each at a legal but odd value."""
        odd = {"temperature": 2, "top_p": 0, "top_k": 1, "min_p": 1, "presence_penalty": 2,
               "frequency_penalty": -2, "repetition_penalty": 10, "min_tokens": 3,
               "ignore_eos": True, "logit_bias": {"0": -100}, "stop": ["\n"], "logprobs": 5,
               "echo": True, "n": 3, "stop_token_ids": [0], "prompt_logprobs": 1,
               "return_token_ids": True, "stream": True, "max_tokens": 0}
        names = sorted(odd)
        for i, a in enumerate(names):
            for b in names[i + 1:]:
                body = {"model": MODEL_ID, "prompt": "ab", "max_tokens": 3, a: odd[a], b: odd[b]}
                answer = self.daemon.post(COMPLETIONS, body)
                self.assertIn(answer.status, (200, 400), (a, b, answer.body[:200]))

    def test_ranges_of_lists(self):
        bodies = (
            {"logit_bias": {str(i): 1 for i in range(512)}},
            {"prompt": ["x"] * 5000},
            {"prompt": [[1]] * 5000},
            {"stop": ["x"] * 5000},
            {"stop_token_ids": [1] * 5000},
            {"stop": ["x" * 100000]},
            {"n": 16, "prompt": ["x"] * 5000},
        )
        for body in bodies:
            answer = self.daemon.post(COMPLETIONS, {**VALID[COMPLETIONS], **body})
            self.assertIn(answer.status, (200, 400), str(body)[:60])


class Routes(Hostile):

    def test_unknown(self):
        for path in ("/", "/v1", "/v1/", "/v2/models", "/v1/completions/", "/V1/MODELS",
                     "//v1/models", "/../etc/passwd", "/%2e%2e/", "/v1/embeddings2", "/" * 2000):
            with self.subTest(path=path[:30]):
                answer = self.daemon.get(path)
                self.assertEqual(answer.status, 404)
                self.assertEqual(answer.error["type"], "invalid_request_error")

    def test_wrong_method(self):
        table = (("GET", COMPLETIONS, "POST"), ("PUT", COMPLETIONS, "POST"),
                 ("POST", "/v1/models", "GET, HEAD"), ("get", "/v1/models", "GET, HEAD"),
                 ("DELETE", "/v1/models/" + MODEL_ID, "GET, HEAD"),
                 ("OPTIONS", "/v1/chips", "GET, HEAD, POST"), ("PUT", "/v1/chips/a", "GET, HEAD, DELETE"),
                 ("PATCH", "/tokenize", "POST"))
        for method, path, allowed in table:
            with self.subTest(method=method, path=path):
                answer = self.daemon.request(method, path)
                self.assertEqual(answer.status, 405)
                self.assertEqual(answer.headers["allow"], allowed)
                self.assertEqual(answer.error["type"], "invalid_request_error")

    def test_odd_methods(self):
        for method in (b"TRACE", b"CONNECT", b"BREW", b"get", b"PRI"):
            for status in self.statuses(method + b" /health HTTP/1.1\r\nHost: localhost\r\n"
                                        b"Connection: close\r\n\r\n"):
                self.assertGreaterEqual(status, 400, method)

    def test_query_is_no_part_of_the_path(self):
        self.assertEqual(self.daemon.get("/v1/models?limit=1").status, 200)

    def test_only_known_routes_exist(self):
        """Nothing that manages models or reads files, whatever peers offer."""
        for path in ("/api/pull", "/api/create", "/slots", "/props", "/v1/load_lora_adapter",
                     "/start_profile", "/sleep", "/collective_rpc", "/debug/hang"):
            answer = self.daemon.post(path, {})
            self.assertIn(answer.status, (404, 405), path)


class Headers(Hostile):

    args = ("--header-timeout", "1", "--idle-timeout", "1")
    REQUEST = b"POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\n"
    HIDDEN = b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n"

    def test_smuggling(self):
        """Ambiguous framing is refused and the connection closed: what stands
        behind it never counts as a second request."""
        table = {
            "both framings": b"Host: localhost\r\nContent-Length: 4\r\n"
                             b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "two lengths": b"Host: localhost\r\nContent-Length: 0\r\nContent-Length: 4\r\n\r\n",
            "unknown coding": b"Host: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n",
            "two codings": b"Host: localhost\r\nTransfer-Encoding: chunked\r\n"
                           b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
            "space before the colon": b"Host: localhost\r\nContent-Length : 4\r\n\r\n",
            "negative length": b"Host: localhost\r\nContent-Length: -1\r\n\r\n",
            "signed length": b"Host: localhost\r\nContent-Length: +4\r\n\r\n",
            "length past 64 bits": b"Host: localhost\r\n"
                                   b"Content-Length: 18446744073709551616\r\n\r\n",
            "length in hexadecimal": b"Host: localhost\r\nContent-Length: 0x4\r\n\r\n",
            "two lengths in one": b"Host: localhost\r\nContent-Length: 4, 4\r\n\r\n",
            "no host": b"Content-Length: 0\r\n\r\n",
            "two hosts": b"Host: localhost\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
            "odd name": b"Host: localhost\r\nX{y}: 1\r\nContent-Length: 0\r\n\r\n",
        }
        for name, headers in table.items():
            with self.subTest(case=name):
                statuses = self.statuses(self.REQUEST + headers + self.HIDDEN)
                self.assertTrue(statuses)
                self.assertNotIn(200, statuses)
                self.assertTrue(all(400 <= status < 500 for status in statuses), statuses)

    def test_huge_chunk(self):
        statuses = self.statuses(self.REQUEST + b"Host: localhost\r\n"
                                 b"Transfer-Encoding: chunked\r\n\r\n"
                                 b"1" + b"0" * 30 + b"\r\n" + b"x" * 100)
        self.assertNotIn(200, statuses)

    def test_large_headers(self):
        table = (
            (431, b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 40000 + b"\r\n\r\n"),
            (431, b"GET /health HTTP/1.1\r\nHost: localhost\r\n" +
             b"".join(b"X-%d: aaaaaaaaaaaaaaa\r\n" % i for i in range(2000)) + b"\r\n"),
            (414, b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        )
        for status, data in table:
            with self.subTest(status=status):
                self.assertIn(self.statuses(data), ([status], []))

    def test_garbage(self):
        for data in (b"\0" * 1000, b"\r\n" * 1000, b"HELO\r\n\r\n", b"\x16\x03\x01" * 100,
                     b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", b"GET\r\n\r\n",
                     b"GET /health HTTP/1.1\r\nHost\r\n\r\n"):
            with self.subTest(data=data[:20]):
                self.assertNotIn(200, self.statuses(data))

    def test_hosts(self):
        """A page of another origin that points its name at us is turned away."""
        for host in ("evil.example", "evil.example:80", "localhost.evil.example", "", "127.0.0.2",
                     "localhost:x", "a b"):
            with self.subTest(host=host):
                answer = self.daemon.get("/v1/models", headers={"Host": host})
                self.assertIn(answer.status, (400, 403, 421))
        for host in ("localhost", "127.0.0.1", "[::1]", f"localhost:{self.daemon.port}",
                     "LOCALHOST"):
            with self.subTest(host=host):
                self.assertEqual(self.daemon.get("/v1/models", headers={"Host": host}).status,
                                 200)

    def test_no_origin_is_let_in(self):
        answer = self.daemon.get("/v1/models", headers={"Origin": "https://evil.example"})
        self.assertNotIn("access-control-allow-origin", answer.headers)

    def test_pipelined(self):
        self.assertEqual(self.statuses(
            b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3), [200] * 3)

    def test_request_id_is_not_echoed_blindly(self):
        for value in ("a" * 5000, "x\tz", "x y", "x\u00fcz"):
            answer = self.daemon.get("/health", headers={"X-Request-Id": value})
            self.assertEqual(answer.status, 200)
            self.assertNotEqual(answer.headers["x-request-id"], value)


class Slow(unittest.TestCase):
    """Total deadlines, and a health listener that a full main one cannot starve."""

    def closed_within(self, s, seconds):
        s.settimeout(seconds)
        try:
            while s.recv(4096):
                pass
            return True
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def test_header_and_body_deadlines(self):
        with Daemon("--header-timeout", "1", "--body-timeout", "1") as daemon:
            for head in (b"GET /health HTTP/1.1\r\n",
                         b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
                         b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"):
                s = daemon.raw(head)
                # A byte now and then must not keep it open.
                closed = False
                for _ in range(60):
                    time.sleep(0.1)
                    try:
                        s.sendall(b"a")
                    except (BrokenPipeError, ConnectionResetError):
                        closed = True
                        break
                self.assertTrue(closed or self.closed_within(s, 5), head)
                s.close()
            self.assertEqual(daemon.get("/health").status, 200)

    def test_health_when_full(self):
        with Daemon("--max-connections", "8") as daemon:
            idle = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(8)]
            self.assertEqual(daemon.get("/health", admin=True).status, 200)
            self.assertEqual(daemon.get("/metrics", admin=True).status, 200)
            idle[0].close()
            # A place that became free is used at once.
            self.assertEqual(daemon.get("/health").status, 200)
            for s in idle:
                s.close()


if __name__ == "__main__":
    harness.main()
