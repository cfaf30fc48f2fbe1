# SPDX-License-Identifier: Apache-2.0
"""A real analogd behind a real socket, for the end-to-end tests.

Python's standard library is all that is needed. A test file starts daemons with
`Daemon(...)`, talks to them through `request`, `stream` or a raw socket, and
stops them with `stop`, which proves that the process ended well: exit status 0
and not a line from a sanitizer.
"""

import glob
import http.client
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

TOP = os.environ.get("top_srcdir") or os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("top_builddir") or os.path.join(TOP, "build", "release")
BINARY = os.environ.get("ANALOGD") or os.path.join(BUILD, "analogd")
MODEL = os.path.join(TOP, "models", "wordmath-2m")
MODEL_ID = "wordmath-2m"
CONTEXT = 512
VOCAB = 512
BOS, EOS = 508, 511

# A sanitizer build is several times slower; nothing waits for this long in a
# test that passes.
PATIENCE = 120.0

# One word problem whose greedy answer is known, and its answer.
QUESTION = ("Dan makes 6 stickers a day for 7 days. The shop is 24 streets away. "
            "How many stickers does Dan make?")
PROMPT = "<|user|>\n" + QUESTION + "<|end|>\n<|assistant|>\n"
ANSWER = "Step 1: 6 * 7 = 42\nAnswer: 42"


def problems():
    """The evaluation problems of the shipped model, in file order."""
    with open(os.path.join(MODEL, "eval", "problems.jsonl"), encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def sanitized(by=""):
    """Is the binary under test built with a sanitizer, or with this one?"""
    with open(os.path.join(BUILD, "config.status"), encoding="utf-8") as f:
        return "-fsanitize=" + by in f.read()


class Response:
    """Status, headers (lower-case names) and body of one answer."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json()["error"]


def parse_events(body):
    """The `data:` payloads of a stream body, [DONE] included, as text.

    Strict: anything but `data: ...` blocks separated by one empty line is an
    error, because clients in the field are no less strict.
    """
    text = body.decode("utf-8")
    assert text.endswith("\n\n"), repr(text[-80:])
    blocks = text[:-2].split("\n\n")
    for block in blocks:
        assert block.startswith("data: ") and "\n" not in block, repr(block)
    return [block[len("data: "):] for block in blocks]


def parse_stream(body):
    """The JSON chunks of a stream that ended with [DONE]."""
    events = parse_events(body)
    assert events[-1] == "[DONE]", repr(events[-1])
    return [json.loads(event) for event in events[:-1]]


def join_completion_stream(chunks):
    """The choices of the non-streaming answer that these chunks amount to."""
    choices = {}
    for chunk in chunks:
        for part in chunk["choices"]:
            whole = choices.setdefault(part["index"], {
                "index": part["index"], "text": "", "logprobs": None, "finish_reason": None,
                "stop_reason": None})
            whole["text"] += part["text"]
            if part.get("logprobs"):
                if whole["logprobs"] is None:
                    whole["logprobs"] = {key: [] for key in part["logprobs"]}
                for key, values in part["logprobs"].items():
                    whole["logprobs"][key] += values or []
            if part["finish_reason"] is not None:
                assert whole["finish_reason"] is None, "two finish reasons"
                whole["finish_reason"] = part["finish_reason"]
                whole["stop_reason"] = part["stop_reason"]
    return [choices[index] for index in sorted(choices)]


class Daemon:
    """One running analogd on a port of its own choice."""

    def __init__(self, *args, model=MODEL, wait=True, env=None):
        self.dir = tempfile.mkdtemp(prefix="analogd-test-")
        self.log_path = os.path.join(self.dir, "log")
        command = [BINARY]
        if model is not None:
            command += ["--model", model]
        if "--listen" not in args:
            command += ["--listen", "127.0.0.1:0"]
        if "--admin-listen" not in args:
            command += ["--admin-listen", "127.0.0.1:0"]
        self.command = command + list(args)
        self.port = self.admin_port = None
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self._environment(env))
        try:
            self._wait_listening()
            if wait:
                self.wait_ready()
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise

    def _environment(self, extra):
        env = dict(os.environ)
        report = os.path.join(self.dir, "sanitizer")
        suppressions = os.path.join(TOP, "tests", "tsan.supp")
        env["ASAN_OPTIONS"] = f"detect_leaks=1:log_path={report}:exitcode=99"
        env["UBSAN_OPTIONS"] = f"print_stacktrace=1:log_path={report}"
        env["TSAN_OPTIONS"] = (f"log_path={report}:exitcode=99:halt_on_error=0:"
                               f"suppressions={suppressions}")
        env.update(extra or {})
        return env

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def events(self, name):
        """The fields of every logged event of this name, as dictionaries."""
        found = []
        for line in self.log().splitlines():
            try:
                fields = dict(word.split("=", 1) for word in shlex.split(line) if "=" in word)
            except ValueError:
                continue
            if fields.get("event") == name:
                found.append(fields)
        return found

    def _wait_listening(self):
        deadline = time.monotonic() + PATIENCE
        while self.port is None or self.admin_port is None:
            if self.process.poll() is not None:
                raise AssertionError(
                    f"analogd ended with {self.process.returncode}:\n{self.log()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"analogd does not listen:\n{self.log()}")
            for event in self.events("listening"):
                port = int(event["address"].rsplit(":", 1)[1])
                if event["listener"] == "main":
                    self.port = port
                else:
                    self.admin_port = port
            time.sleep(0.01)

    def wait_ready(self):
        self.wait_until(lambda: self.get("/readyz").status == 200, "analogd is ready")

    def wait_until(self, condition, what):
        """Poll until condition() is true; fails with the log after PATIENCE."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if self.process.poll() is not None:
                raise AssertionError(f"analogd died ({self.process.returncode}) while waiting "
                                     f"until {what}:\n{self.log()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"waited too long until {what}:\n{self.log()[-4000:]}")
            time.sleep(0.01)

    # ---- requests -------------------------------------------------------

    def connect(self, admin=False):
        return http.client.HTTPConnection(
            "127.0.0.1", self.admin_port if admin else self.port, timeout=PATIENCE)

    def request(self, method, path, body=None, headers=None, connection=None, admin=False):
        """One exchange. body: an object to be sent as JSON, or bytes as they are."""
        own = connection is None
        connection = connection or self.connect(admin)
        headers = dict(headers or {})
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
            if not isinstance(body, bytes):
                body = json.dumps(body).encode()
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()},
                            answer.read())
        finally:
            if own:
                connection.close()

    def get(self, path, **kwargs):
        return self.request("GET", path, **kwargs)

    def post(self, path, body, **kwargs):
        return self.request("POST", path, body, **kwargs)

    def completion(self, prompt=PROMPT, **fields):
        """The parsed answer of a completion that must succeed; greedy unless said."""
        body = {"model": MODEL_ID, "prompt": prompt, "temperature": 0, **fields}
        answer = self.post("/v1/completions", body)
        assert answer.status == 200, (answer.status, answer.body[:500], body)
        return answer.json()

    def chat(self, messages, **fields):
        body = {"model": MODEL_ID, "messages": messages, "temperature": 0, **fields}
        answer = self.post("/v1/chat/completions", body)
        assert answer.status == 200, (answer.status, answer.body[:500], body)
        return answer.json()

    def stream(self, path, **fields):
        """The chunks of a stream that must succeed."""
        body = {"model": MODEL_ID, "temperature": 0, "stream": True, **fields}
        answer = self.post(path, body)
        assert answer.status == 200, (answer.status, answer.body[:500], body)
        return parse_stream(answer.body)

    def raw(self, data, admin=False):
        """A socket on which data has been sent."""
        s = socket.create_connection(
            ("127.0.0.1", self.admin_port if admin else self.port), timeout=PATIENCE)
        s.sendall(data)
        return s

    def raw_post(self, path, body):
        """A socket on which a JSON POST has been sent and nothing was read."""
        body = json.dumps(body).encode()
        return self.raw(f"POST {path} HTTP/1.1\r\nHost: localhost\r\n"
                        f"Content-Type: application/json\r\nConnection: close\r\n"
                        f"Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def tokenize(self, text, **fields):
        answer = self.post("/tokenize", {"prompt": text, "add_special_tokens": False, **fields})
        assert answer.status == 200, answer.body
        return answer.json()["tokens"]

    # ---- what the daemon says of itself ---------------------------------

    def metrics(self):
        """{name or name{labels}: value} from the health listener."""
        answer = self.get("/metrics", admin=True)
        assert answer.status == 200, answer.body
        values = {}
        for line in answer.body.decode().splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                values[name] = float(value)
        return values

    def metric(self, name):
        """The sum over the label sets of one metric."""
        found = [value for key, value in self.metrics().items()
                 if key == name or key.startswith(name + "{")]
        assert found, f"no metric {name}"
        return sum(found)

    def wait_idle(self):
        """Until no sequence, queue entry or KV block is held."""
        names = ("analogd_num_requests_running", "analogd_num_requests_waiting",
                 "analogd_num_requests_paused", "analogd_kv_cache_usage_perc")
        self.wait_until(lambda: all(self.metric(name) == 0 for name in names),
                        "no sequence, queue entry and KV block is held")

    def descriptors(self):
        """How many file descriptors the process has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def sanitizer_reports(self):
        reports = []
        for path in glob.glob(os.path.join(self.dir, "sanitizer*")):
            with open(path, encoding="utf-8", errors="replace") as f:
                reports.append(f.read())
        return reports

    # ---- end ------------------------------------------------------------

    def kill(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)

    def stop(self, status=0):
        """End it and prove that it ended well."""
        if self.process.poll() is None:
            self.kill()
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"analogd does not stop:\n{self.log()[-4000:]}") from None
        reports = self.sanitizer_reports()
        assert not reports, "sanitizer:\n" + "\n".join(reports)[:8000]
        assert code == status, f"exit status {code}, not {status}:\n{self.log()[-4000:]}"
        shutil.rmtree(self.dir)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.stop()
        elif self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class DaemonTest(unittest.TestCase):
    """Tests that share one daemon, started with `args`."""

    args = ()
    longMessage = True

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(*cls.args)

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    def assert_error(self, answer, status, param=None, code=None, says=None):
        """An error of OpenAI's shape, with this param and code, that says so. A param
        may name an element of the field: prompt[1] is as good as prompt."""
        self.assertEqual(answer.status, status, answer.body[:500])
        self.assertEqual(answer.headers.get("content-type", "").split(";")[0], "application/json")
        error = answer.error
        self.assertEqual(set(error), {"message", "type", "param", "code"})
        self.assertIsInstance(error["message"], str)
        self.assertTrue(error["message"])
        self.assertIsInstance(error["type"], str)
        named = error["param"] and re.split(r"[\[.]", error["param"])[0]
        self.assertEqual(named, param, error)
        if code is not None:
            self.assertEqual(error["code"], code, error)
        if says is not None:
            self.assertRegex(error["message"], re.compile(says, re.I))


def in_parallel(count, work):
    """[work(0), ..., work(count - 1)], each on a thread; the first failure is raised."""
    results, failures = [None] * count, []

    def run(i):
        try:
            results[i] = work(i)
        except BaseException as failure:  # raised again below, on the caller's thread
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results


def main():
    """Run the tests of the calling file; automake reads the exit status."""
    unittest.main(module="__main__", verbosity=2)
