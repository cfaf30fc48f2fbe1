# SPDX-License-Identifier: Apache-2.0
"""Clients that leave, do not read, or come when the queue is full."""

import json
import socket
import unittest

import harness
from harness import MODEL_ID, PROMPT, Daemon, join_completion_stream, parse_stream

URL = "/v1/completions"


def work(prompts, **fields):
    """A request that keeps a daemon with one sequence busy for `prompts` answers."""
    return {"model": MODEL_ID, "prompt": [PROMPT] * prompts, "max_tokens": 400,
            "ignore_eos": True, "temperature": 1, "seed": 1, **fields}


class Disconnect(unittest.TestCase):
    """In each state a client that leaves frees everything its request held."""

    def start(self, *args):
        daemon = Daemon("--max-sequences", "1", *args)
        self.addCleanup(daemon.process.kill)
        return daemon

    def leave(self, daemon, client, cancelled):
        """Close the socket and prove that nothing of its request is left."""
        client.close()
        daemon.wait_until(lambda: daemon.metric("analogd_cancelled_total") == cancelled,
                          "the request counts as cancelled")
        daemon.wait_idle()
        generated = daemon.metric("analogd_engine_steps_total")
        self.assertEqual(daemon.get("/livez").status, 200)
        self.assertEqual(daemon.metric("analogd_engine_steps_total"), generated)
        answer = daemon.completion(max_tokens=64)
        self.assertEqual(answer["choices"][0]["text"], harness.ANSWER)

    def test_queued(self):
        daemon = self.start()
        first = daemon.raw_post(URL, work(100))
        daemon.wait_until(lambda: daemon.metric("analogd_num_requests_waiting") == 99,
                          "the first request runs")
        second = daemon.raw_post(URL, work(50))
        daemon.wait_until(lambda: daemon.metric("analogd_num_requests_waiting") > 120,
                          "the second request waits")
        second.close()
        daemon.wait_until(lambda: daemon.metric("analogd_num_requests_waiting") <= 99,
                          "the second request is gone")
        self.assertEqual(daemon.metric("analogd_num_requests_running"), 1)
        self.leave(daemon, first, 2)
        daemon.stop()

    def test_prefill(self):
        daemon = self.start("--prefill-chunk", "1", "--no-prefix-cache")
        prompt = [[i % 500] * 500 for i in range(200)]
        client = daemon.raw_post(URL, work(1, prompt=prompt, max_tokens=1))
        daemon.wait_until(lambda: daemon.metric("analogd_engine_steps_total") > 20,
                          "the prompt is being read")
        self.leave(daemon, client, 1)
        daemon.stop()

    def test_decode(self):
        daemon = self.start()
        steps = daemon.metric("analogd_engine_steps_total")
        client = daemon.raw_post(URL, work(100))
        daemon.wait_until(lambda: daemon.metric("analogd_engine_steps_total") > steps + 20,
                          "tokens are being generated")
        self.leave(daemon, client, 1)
        daemon.stop()

    def test_decode_streaming(self):
        daemon = self.start()
        client = daemon.raw_post(URL, work(100, stream=True))
        seen = b""
        while seen.count(b"data: ") < 10:
            part = client.recv(4096)
            self.assertTrue(part)
            seen += part
        self.leave(daemon, client, 1)
        daemon.stop()

    def test_reset(self):
        """A connection that is reset, not closed."""
        daemon = self.start()
        client = daemon.raw_post(URL, work(100, stream=True))
        self.assertTrue(client.recv(4096))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.leave(daemon, client, 1)
        daemon.stop()

    def test_upload(self):
        """Half a body: gone at the body's deadline at the latest."""
        daemon = self.start("--body-timeout", "2")
        client = daemon.raw(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
                            b"Content-Type: application/json\r\n"
                            b"Content-Length: 100000\r\n\r\n" + b"{" * 5000)
        client.close()
        daemon.completion(max_tokens=1)
        daemon.wait_idle()
        daemon.stop()


class Queue(unittest.TestCase):

    def test_full(self):
        """429 with Retry-After, and room again once the others have left."""
        with Daemon("--max-sequences", "1", "--max-queue", "4") as daemon:
            clients = []
            for i in range(4):  # a request holds its place until its last prompt has started
                clients.append(daemon.raw_post(URL, work(50)))
                daemon.wait_until(lambda i=i: daemon.metric("analogd_num_requests_running") == 1
                                  and daemon.metric("analogd_num_requests_waiting") >= 50 * i,
                                  "the request runs or waits")
            for path, body in ((URL, work(1)), ("/v1/chat/completions", {
                    "messages": [{"role": "user", "content": "x"}]})):
                answer = daemon.post(path, body)
                self.assertEqual(answer.status, 429, answer.body[:300])
                self.assertEqual(answer.error["type"], "rate_limit_error")
                self.assertEqual(answer.error["code"], "queue_full")
                self.assertIn(int(answer.headers["retry-after"]), range(1, 61))
            # What needs no queue is served.
            for path in ("/health", "/v1/models", "/metrics"):
                self.assertEqual(daemon.get(path).status, 200)
            self.assertEqual(daemon.post("/tokenize", {"prompt": "a"}).status, 200)
            self.assertGreaterEqual(daemon.metric("analogd_rejected_total"), 2)
            for client in clients:
                client.close()
            daemon.wait_idle()
            self.assertEqual(daemon.post(URL, work(1, max_tokens=4)).status, 200)

    def test_waiting_too_long(self):
        with Daemon("--max-sequences", "1", "--queue-timeout", "1") as daemon:
            first = daemon.raw_post(URL, work(200))
            daemon.wait_until(lambda: daemon.metric("analogd_num_requests_running") == 1,
                              "the first request runs")
            answer = daemon.post(URL, work(1, max_tokens=1))
            self.assertIn(answer.status, (429, 503), answer.body)
            self.assertIn(int(answer.headers["retry-after"]), range(1, 61))
            first.close()
            daemon.wait_idle()

    def test_a_long_prefill_is_no_wait(self):
        """The time to read the prompt does not count as time in the queue."""
        with Daemon("--queue-timeout", "1", "--prefill-chunk", "1",
                    "--no-prefix-cache") as daemon:
            # One prompt token a step, and steps that take their time.
            others = daemon.raw_post(URL, work(4, n=15, stream=False))
            daemon.wait_until(lambda: daemon.metric("analogd_num_requests_running") >= 60,
                              "the others run")
            tokens = 60 if harness.sanitized() else 500
            answer = daemon.post(URL, work(1, prompt=[7] * tokens, max_tokens=1))
            self.assertEqual(answer.status, 200, answer.body[:300])
            others.close()


class Log(unittest.TestCase):
    """Requests that got no answer say in the log what they cost."""

    def test_no_answer(self):
        with Daemon("--max-sequences", "2") as daemon:
            client = daemon.raw_post(URL, work(1, stream=True))
            self.assertTrue(client.recv(4096))
            client.close()
            self.assertEqual(daemon.post(URL, work(1, n=3)).status, 400)
            daemon.wait_until(lambda: len([e for e in daemon.events("request")
                                           if e["path"] == URL]) == 2, "both are logged")
            lines = {e["finish"]: e for e in daemon.events("request") if e["path"] == URL}
            self.assertEqual(set(lines), {"cancelled", "error"})
            for line in lines.values():
                self.assertEqual(line["model"], MODEL_ID)
                self.assertGreater(int(line["prompt_tokens"]), 0)
            self.assertGreater(int(lines["cancelled"]["completion_tokens"]), 0)


class SlowReader(unittest.TestCase):
    """A reader that stops reading must not cost the others memory or time."""

    FIELDS = {"prompt": [PROMPT] * 16, "max_tokens": 80, "ignore_eos": True, "temperature": 1,
              "seed": 1, "logprobs": 20}

    def slow(self, daemon):
        body = json.dumps({"model": MODEL_ID, "stream": True, **self.FIELDS}).encode()
        client = socket.socket()
        # Small segments and a small window: the kernel holds little of the answer.
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(harness.PATIENCE)
        client.connect(("127.0.0.1", daemon.port))
        client.sendall(b"POST /v1/completions HTTP/1.0\r\nHost: localhost\r\n"
                       b"Content-Type: application/json\r\n"
                       b"Content-Length: %d\r\n\r\n" % len(body) + body)
        # It may be given up on already: a busy machine takes its time.
        daemon.wait_until(lambda: daemon.metric("analogd_num_requests_paused") > 0 or
                          daemon.metric("analogd_cancelled_total") > 0,
                          "the reader holds its request back")
        return client

    def test_catches_up(self):
        with Daemon() as daemon:
            client = self.slow(daemon)
            answer = daemon.completion(max_tokens=64)  # the others go on
            self.assertEqual(answer["choices"][0]["text"], harness.ANSWER)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            received = []
            while part := client.recv(65536):
                received.append(part)
            client.close()
            body = b"".join(received).split(b"\r\n\r\n", 1)[1]
            streamed = join_completion_stream(parse_stream(body))
            whole = daemon.completion(**self.FIELDS)["choices"]
            self.assertEqual([c["text"] for c in streamed], [c["text"] for c in whole])
            daemon.wait_idle()

    def test_gives_up(self):
        with Daemon("--send-timeout", "1") as daemon:
            client = self.slow(daemon)
            daemon.wait_idle()
            self.assertEqual(daemon.metric("analogd_cancelled_total"), 1)
            client.close()


if __name__ == "__main__":
    harness.main()
