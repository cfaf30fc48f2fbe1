# SPDX-License-Identifier: Apache-2.0
"""analogctl against a server that answers what the test wants, hostile things too, and
against the daemon."""

import fcntl
import http.server
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import threading
import time
import unittest

import harness

BINARY = os.path.join(harness.BUILD, "analogctl")
KEY = "sk-of-the-test"
OK, REFUSED, USAGE, UNREACHABLE = range(4)

CHIP = {"id": "a", "object": "chip", "model": "m@a", "base_model": "m", "profile": "afm-paper",
        "seed": 7, "age": 0, "conductance_bits": 16, "out_bound": 14, "backend": "analog",
        "state": "ready", "progress": 1, "error": None, "input_ranges": "dynamic",
        "memory": {"weights_bytes": 1 << 20, "total_bytes": 3 << 20}, "created": 1,
        "source": "api", "persistent": True}


def chip(**changes):
    return {**CHIP, **changes}


def error(message, code=None):
    return {"error": {"message": message, "type": "x", "param": None, "code": code}}


class Handler(http.server.BaseHTTPRequestHandler):
    """Notes the request and gives the next answer of its route."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        answers = self.server.routes.get(f"{self.command} {self.path}")
        if not answers:
            self.send(404, error("no such route"))
            return
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(answer):
            self.close_connection = True
            answer(self)
        else:
            self.send(*answer)

    do_GET = do_POST = do_DELETE = answer

    def send(self, status, body, headers=()):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *unused):
        pass


class Server(http.server.ThreadingHTTPServer):
    """routes: "METHOD PATH" to a list of answers, of which the last one stays. An
    answer is (status, object or bytes[, headers]) or a function of the handler."""

    daemon_threads = True

    def __init__(self, routes):
        super().__init__(("127.0.0.1", 0), Handler)
        self.routes = {key: list(value) for key, value in routes.items()}
        self.seen = []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.server_port

    def handle_error(self, *unused):
        """A client that leaves in the middle is what some tests want."""

    def bodies(self, method="POST"):
        return [json.loads(body) for verb, _, _, body in self.seen if verb == method]

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.shutdown()
        self.server_close()


def environment(**variables):
    env = {k: v for k, v in os.environ.items() if not k.startswith("ANALOG")}
    return {**env, **variables}


class Case(unittest.TestCase):
    longMessage = True

    def run_it(self, *args, status=OK, url=None, warns=False, **env):
        """stdout and stderr; the key may be in neither."""
        if url:
            env["ANALOGD_URL"] = url
        done = subprocess.run([BINARY, *args], env=environment(**env), text=True, errors="replace",
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=harness.PATIENCE, check=False)
        self.assertEqual(done.returncode, status, (args, done.stdout[-2000:], done.stderr[-4000:]))
        self.assertNotIn(KEY, done.stdout + done.stderr)
        self.assertNotIn("Sanitizer", done.stderr)
        self.assertEqual(status == OK and not warns, not done.stderr, done.stderr)
        return done.stdout, done.stderr

    def ask(self, routes, *args, **how):
        with Server(routes) as server:
            out, err = self.run_it(*args, url=server.url, **how)
            return out, err, server

    def file(self, content, name="file", mode=0o600):
        folder = tempfile.mkdtemp(prefix="analogctl-test-")
        path = os.path.join(folder, name)
        self.addCleanup(os.rmdir, folder)
        self.addCleanup(os.unlink, path)
        with open(path, "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(path, mode)
        return path


class Usage(Case):

    COMMANDS = ("status", "chips", "program", "age", "probe", "calibrate", "delete")

    def test_help_and_manual_tell_the_same(self):
        texts = [self.run_it("--help")[0]]
        for command in self.COMMANDS:
            texts.append(self.run_it(command, "--help")[0])
            self.assertIn("analogctl " + command, texts[-1])
            self.assertRegex(texts[0], rf"\n  {command} ")
        with open(os.path.join(harness.TOP, "man", "analogctl.1"), encoding="utf-8") as f:
            manual = f.read()
        options = set(re.findall(r"--([a-z-]+)", " ".join(texts)))
        self.assertEqual(options, set(re.findall(r"Fl -([a-z-]+)", manual)))
        for command in self.COMMANDS:
            self.assertIn("\n.It Cm " + command, manual)

    def test_version(self):
        self.assertRegex(self.run_it("--version")[0], r"^analogctl \d+\.\d+\.\d+\n$")
        self.assertEqual(self.run_it("chips", "-V"), self.run_it("-V"))

    def test_wrong(self):
        for args, says in (
                ((), "command is missing"),
                (("frobnicate",), "no command 'frobnicate'"),
                (("program", "m"), "MODEL PROFILE"),
                (("chips", "a", "b"), "unexpected argument 'b'"),
                (("chips", "--seed", "1"), "unrecognized option"),
                (("--seed", "1", "program", "m", "p"), "unrecognized option"),
                (("program", "m", "p", "--seed", "1.5"), "'1.5' is not an integer"),
                (("program", "m", "p", "--seed", "-1"), "'-1' is not an integer"),
                (("program", "m", "p", "--seed", "9" * 19 + "9"), "not an integer"),
                (("program", "m", "p", "--out-bound", "inf"), "'inf' is not a number"),
                (("program", "m", "p", "--out-bound", "1x"), "'1x' is not a number"),
                (("--timeout", "", "chips"), "'' is not a number"),
                (("--timeout", "0", "chips"), "--timeout: must be more than 0"),
                (("calibrate", "a", "f", "--limit", "0"), "--limit: must be more than 0"),
                (("calibrate", "a"), "calibrate takes: CHIP FILE"),
                (("age", "a", "-5"), "'-5': numbers and ages cannot be negative"),
                (("age", "-55d", "a"), "'-55d': numbers and ages cannot be negative"),
                (("program", "m", "p", "--bogus"), "try 'analogctl program --help'"),
                (("--url", "ftp://h", "chips"), "must begin with http"),
                (("--url", "file:///etc/passwd", "chips"), "must begin with http"),
                (("--url", "localhost:8080", "chips"), "must begin with http"),
                (("--url", "http://h/?a=b", "chips"), "address alone"),
                (("delete", ""), "name of the chip is empty"),
                (("probe", "a", "--prompt", "x", "--prompt-file", "y"), "exclude each other"),
                (("probe", "a", "--prompt-file", "/nowhere"), "/nowhere"),
                (("calibrate", "a", "/nowhere"), "/nowhere"),
                (("--api-key-file", "/nowhere", "chips"), "/nowhere")):
            with self.subTest(args=args):
                out, err = self.run_it(*args, status=USAGE)
                self.assertIn(says, err)
                self.assertEqual(out, "")

    def test_a_name_in_the_url_is_not_repeated(self):
        _, err = self.run_it("--url", "http://user:secret@h", "chips", status=USAGE)
        self.assertNotIn("secret", err)

    def test_not_utf8(self):
        for args in (("age", "a", b"\xff"), ("program", b"\xff", "p"),
                     ("program", "m", "p", "--age", b"\xff"), ("probe", "a", "--prompt", b"\xff")):
            self.assertIn("not UTF-8", self.run_it(*args, status=USAGE)[1])

    def test_nobody_listens(self):
        with Server({}) as server:
            url = server.url
        for command in (("status",), ("chips",), ("program", "m", "p"), ("delete", "a")):
            self.assertIn("cannot reach " + url,
                          self.run_it("--url", url, *command, status=UNREACHABLE)[1])

    def test_output_that_cannot_be_written(self):
        with Server({"GET /v1/chips": [(200, {"data": [CHIP]})]}) as server, \
                open("/dev/full", "wb") as full:
            done = subprocess.run([BINARY, "--url", server.url, "chips"], stdout=full,
                                  stderr=subprocess.PIPE, env=environment(), check=False)
        self.assertEqual(done.returncode, USAGE)
        self.assertIn(b"cannot write", done.stderr)


class Keys(Case):

    def sent(self, *args, **env):
        _, _, server = self.ask({"GET /v1/chips": [(200, {"data": []})]}, *args, "chips", **env)
        return server.seen[0][2].get("Authorization")

    def test_where_it_is_from(self):
        path = self.file("# a comment\n\n  # another\n" + KEY + " admin\nother\n")
        self.assertIsNone(self.sent())
        self.assertEqual(self.sent("--api-key-file", path), "Bearer " + KEY)
        self.assertEqual(self.sent(ANALOGCTL_API_KEY=KEY), "Bearer " + KEY)
        self.assertEqual(self.sent("--api-key-file", path, ANALOGCTL_API_KEY="x"), "Bearer " + KEY)

    def test_no_key(self):
        for content, mode, says in (
                (KEY, 0o640, "mode 0640 lets others at the key"),
                ("", 0o600, "1 to 256 characters"),
                ("# only a comment", 0o600, "1 to 256 characters"),
                ("k" * 257, 0o600, "1 to 256 characters"),
                (KEY + "\x01", 0o600, "visible ASCII"),
                (KEY + "é", 0o600, "visible ASCII")):
            with self.subTest(says=says):
                path = self.file(content, mode=mode)
                self.assertIn(says, self.run_it("--api-key-file", path, "chips", status=USAGE)[1])
        for value in (KEY + "\r\nX-Injected: 1", "two words"):
            self.assertIn("ANALOGCTL_API_KEY: a key has visible",
                          self.run_it("chips", status=USAGE, ANALOGCTL_API_KEY=value)[1])

    def test_it_does_not_follow_a_redirect(self):
        with Server({"GET /v1/chips": [(200, {"data": []})]}) as other:
            for target in (other.url + "/v1/chips", "file:///etc/passwd"):
                _, err, _ = self.ask(
                    {"GET /v1/chips": [(302, b"", [("Location", target)])]}, "chips",
                    status=UNREACHABLE, ANALOGCTL_API_KEY=KEY)
                self.assertIn("HTTP status 302", err)
            self.assertEqual(other.seen, [])

    def test_it_goes_through_no_proxy(self):
        with Server({}) as proxy:
            self.sent(ANALOGCTL_API_KEY=KEY, http_proxy=proxy.url, no_proxy="")
            self.assertEqual(proxy.seen, [])


class Chips(Case):

    LIST = [CHIP,
            chip(id="old", model="m@old", seed=2**62, age=365 * 86400, input_ranges="learned",
                 backend="analog-exact", state="ageing", progress=0.42, memory={"total_bytes": 5 << 30}),
            chip(id="new", model="m@new", state="failed", error="no room", memory=None,
                 age=None, conductance_bits=8, out_bound=0)]

    def test_table(self):
        out, _, _ = self.ask({"GET /v1/chips": [(200, {"data": self.LIST})]}, "chips")
        self.assertEqual(out.splitlines(), [
            "ID   MODEL  PROFILE                   SEED  AGE  BACKEND       BITS  OUT BOUND"
            "  RANGES   STATE         MEMORY",
            "a    m@a    afm-paper                    7  0 s  analog          16         14"
            "  dynamic  ready        3.0 MiB",
            "old  m@old  afm-paper  4611686018427387904  1 y  analog-exact     -         14"
            "  learned  ageing 42 %  5.0 GiB",
            "new  m@new  afm-paper                    7  0 s  analog           8          -"
            "  dynamic  failed             -",
            "chip new: no room"])

    def test_ages(self):
        ages = {0: "0 s", 0.5: "0.5 s", 59: "59 s", 60: "1 min", 90: "1 min 30 s", 3600: "1 h",
                90000: "1 d 1 h", 30 * 86400: "30 d", 366 * 86400: "1 y 1 d", 86399: "23 h 59 min",
                1e12: "31709 y 289 d"}
        out, _, _ = self.ask({"GET /v1/chips": [(200, {"data": [chip(age=a) for a in ages]})]},
                             "chips")
        found = [re.search(r" 7  (.*?) +analog +16 ", line).group(1).strip()
                 for line in out.splitlines()[1:]]
        self.assertEqual(found, list(ages.values()))

    def test_one(self):
        out, _, server = self.ask({"GET /v1/chips/a%2Fb%3F%20%25": [(200, CHIP)]}, "chips",
                                  "a/b? %")
        self.assertEqual(len(out.splitlines()), 2)
        self.assertEqual(len(server.seen), 1)
        _, _, server = self.ask({"GET /v1/chips/..": [(200, CHIP)]}, "chips", "..")
        self.assertEqual(server.seen[0][1], "/v1/chips/..")

    def test_json(self):
        out, _, _ = self.ask({"GET /v1/chips": [(200, {"data": self.LIST})]}, "--json", "chips")
        self.assertEqual([json.loads(line) for line in out.splitlines()], self.LIST)
        self.assertIn('"progress":0.42,', out)
        out, _, _ = self.ask({"GET /v1/chips/a": [(200, CHIP)]}, "chips", "a", "--json")
        self.assertEqual(json.loads(out), CHIP)

    def test_nothing_there(self):
        out, _, _ = self.ask({"GET /v1/chips": [(200, {"data": []})]}, "chips")
        self.assertEqual(len(out.splitlines()), 1)
        out, _, _ = self.ask({"GET /v1/chips": [(200, {"data": []})]}, "chips", "--json")
        self.assertEqual(out, "")

    def test_delete(self):
        answer = {"id": "a", "object": "chip", "deleted": True}
        out, _, _ = self.ask({"DELETE /v1/chips/a": [(200, answer)]}, "delete", "a")
        self.assertEqual(out, "chip a is deleted\n")
        out, _, _ = self.ask({"DELETE /v1/chips/a": [(200, answer)]}, "--json", "delete", "a")
        self.assertEqual(json.loads(out), answer)

    def test_an_address_with_a_path(self):
        with Server({"GET /below/v1/chips": [(200, {"data": []})]}) as server:
            self.run_it("--url", server.url + "/below//", "chips")


class Changes(Case):

    def test_what_program_sends(self):
        routes = {"POST /v1/chips": [(202, CHIP)]}
        _, _, server = self.ask(routes, "program", "m", "p")
        self.assertEqual(server.bodies(), [{"model": "m", "profile": "p"}])
        self.assertEqual(server.seen[0][2]["Content-Type"], "application/json")
        _, _, server = self.ask(routes, "program", "m", "--seed", "18", "--name=x", "p", "--age",
                                "1d", "--conductance-bits", "8", "--out-bound", "12.5",
                                "--backend", "analog-exact")
        self.assertEqual(server.bodies(), [{
            "model": "m", "profile": "p", "seed": 18, "name": "x", "age": "1d",
            "conductance_bits": 8, "out_bound": 12.5, "backend": "analog-exact"}])
        _, _, server = self.ask(routes, "program", "m", "p", "--age", "86400")
        self.assertEqual(server.bodies()[0]["age"], 86400)

    def test_it_waits(self):
        busy = [(200, chip(state="programming", progress=p)) for p in (0.1, 0.5)]
        routes = {"POST /v1/chips": [(202, chip(state="programming", progress=0))],
                  "GET /v1/chips/a": busy + [(200, CHIP)]}
        out, _, server = self.ask(routes, "program", "m", "p")
        self.assertEqual(out, "chip a is ready: profile afm-paper, seed 7, age 0 s, "
                              "served as m@a\n")
        self.assertEqual(len(server.seen), 4)
        out, _, _ = self.ask(routes, "--json", "program", "m", "p")
        self.assertEqual(json.loads(out), CHIP)

    def test_it_cannot_be_saved(self):
        routes = {"POST /v1/chips": [(202, chip(state="programming", persistent=True))],
                  "GET /v1/chips/a": [(200, chip(persistent=False))]}
        for more in ((), ("--json",)):
            _, err, _ = self.ask(routes, *more, "program", "m", "p", warns=True)
            self.assertIn("chip a could not be saved", err)
        routes["POST /v1/chips"] = [(202, chip(state="programming", persistent=False))]
        self.ask(routes, "program", "m", "p")

    def test_it_need_not_wait(self):
        routes = {"POST /v1/chips/a/age": [(202, chip(state="ageing"))]}
        out, _, server = self.ask(routes, "age", "a", "30d", "--no-wait")
        self.assertEqual(out, "chip a: ageing; 'analogctl chips a' tells more\n")
        self.assertEqual((len(server.seen), server.bodies()), (1, [{"age": "30d"}]))

    def test_the_work_fails(self):
        for last in (chip(state="failed", error="out of memory"), chip(error="out of memory")):
            routes = {"POST /v1/chips/a/age": [(202, chip(state="ageing"))],
                      "GET /v1/chips/a": [(200, last)]}
            out, err, _ = self.ask(routes, "age", "a", "5", status=REFUSED)
            self.assertEqual((out, err), ("", "analogctl: chip a: out of memory\n"))
            out, err, _ = self.ask(routes, "--json", "age", "a", "5", status=REFUSED)
            self.assertEqual(json.loads(out), last)

    def test_the_chip_goes_away(self):
        routes = {"POST /v1/chips": [(202, chip(state="programming"))],
                  "GET /v1/chips/a": [(404, error("no such chip", "chip_not_found"))]}
        _, err, _ = self.ask(routes, "program", "m", "p", status=REFUSED)
        self.assertEqual(err, "analogctl: no such chip (chip_not_found, HTTP 404)\n")


class Calibrate(Case):

    def texts(self, content, *args, name="file.txt", status=OK):
        path = self.file(content, name)
        _, err, server = self.ask({"POST /v1/chips/a/calibrate": [(202, CHIP)]}, "calibrate", "a",
                                  path, *args, status=status)
        return server.bodies()[0]["texts"] if status == OK else err

    def test_paragraphs(self):
        self.assertEqual(self.texts("one\ntwo\n\n\n  \nthree é\n"), ["one\ntwo", "three é"])
        self.assertEqual(self.texts("\n\n one \r\n\r\ntwo\r\n"), [" one ", "two"])
        self.assertEqual(self.texts("one\n\ntwo\n\nthree", "--limit", "2"), ["one", "two"])
        self.assertIn("holds no text", self.texts(" \n\t\n", status=USAGE))
        self.assertIn("holds no text", self.texts("\n\n", status=USAGE))
        self.assertIn("file.txt:4: the text is not UTF-8",
                      self.texts(b"one\ntwo\n\n\xff\n", status=USAGE))
        self.assertIn("zero byte", self.texts("one\0two", status=USAGE))

    def test_problems(self):
        lines = [{"question": "q", "prompt": "p"}, {"question": "q"}, {"text": "t\n\nu"}]
        content = "\n".join(map(json.dumps, lines))
        self.assertEqual(self.texts(content, name="p.jsonl"), ["p", "q", "t\n\nu"])
        self.assertEqual(self.texts(content + "\n\n", "--limit", "1", name="p.jsonl"), ["p"])
        for line, says in (('{"answer": 1}', 'there is no "prompt", "question" or "text"'),
                           ('{"prompt": 1}', '"prompt" must be a string'),
                           ("{", "p.jsonl:3: line 1"), ("[]", "there is no")):
            bad = json.dumps(lines[0]) + "\n\n" + line + "\n"
            message = self.texts(bad, name="p.jsonl", status=USAGE)
            self.assertIn(says, message)
            self.assertIn("p.jsonl:3", message)

    def test_the_shipped_problems(self):
        path = os.path.join(harness.MODEL, "eval", "problems.jsonl")
        with open(path, encoding="utf-8") as f:
            self.assertEqual(self.texts(f.read(), name="p.jsonl"),
                             [p["prompt"] for p in harness.problems()])

    def test_method(self):
        path = self.file("x", "t")
        _, _, server = self.ask({"POST /v1/chips/a/calibrate": [(202, CHIP)]}, "calibrate", "a",
                                path, "--method", "quantile", "--value", "0.999")
        self.assertEqual(server.bodies(),
                         [{"texts": ["x"], "method": "quantile", "value": 0.999}])


    def test_undo(self):
        _, _, server = self.ask({"POST /v1/chips/a/calibrate": [(202, CHIP)]}, "calibrate", "a",
                                "--method", "none")
        self.assertEqual(server.bodies(), [{"method": "none"}])

    def test_too_many(self):
        message = self.texts("\n\n".join("x" * 4097), status=USAGE)
        self.assertIn("4097 texts, and a server takes 4096: give --limit", message)


class Probe(Case):

    LAYERS = [{"name": "layers.0.q_proj", "outputs": 64, "inputs": 32, "tiles": 1,
               "input_range": "dynamic", "dac_clipped": 0, "adc_saturated": 0.0002,
               "rms_error": 0.031},
              {"name": "lm_head", "outputs": 512, "inputs": 1300, "tiles": 3, "input_range": 2.5,
               "dac_clipped": 0.00125, "adc_saturated": None, "rms_error": 0.002}]
    ANSWER = {"object": "chip.probe", "chip": "a", "prompt_tokens": 17, "layers": LAYERS}

    def test_table(self):
        out, _, server = self.ask({"POST /v1/chips/a/probe": [(200, self.ANSWER)]}, "probe", "a",
                                  "--prompt", "2 + 2")
        self.assertEqual(server.bodies(), [{"prompt": "2 + 2"}])
        self.assertEqual(out.splitlines(), [
            "LAYER            OUTPUTS  INPUTS  TILES    RANGE  DAC CLIPPED  ADC SATURATED  RMS ERROR",
            "layers.0.q_proj       64      32      1  dynamic      0.000 %        0.020 %    3.100 %",
            "lm_head              512    1300      3      2.5      0.125 %              -    0.200 %",
            "2 layers, 17 tokens; the worst:",
            "  DAC clipped     0.125 %  lm_head",
            "  ADC saturated   0.020 %  layers.0.q_proj",
            "  RMS error       3.100 %  layers.0.q_proj"])

    def test_nothing_is_wrong(self):
        layer = {**self.LAYERS[0], "adc_saturated": 0}
        out, _, _ = self.ask({"POST /v1/chips/a/probe": [(200, {"layers": [layer]})]}, "probe", "a")
        self.assertEqual(out.splitlines()[-3:-1], ["  DAC clipped        none",
                                                   "  ADC saturated      none"])

    def test_prompts(self):
        routes = {"POST /v1/chips/a/probe": [(200, self.ANSWER)]}
        path = self.file("a\n\nb\n")
        _, _, server = self.ask(routes, "probe", "a", "--prompt-file", path)
        self.assertEqual(server.bodies(), [{"prompt": "a\n\nb"}])
        out, _, server = self.ask(routes, "probe", "a", "--json")
        self.assertTrue(server.bodies()[0]["prompt"])
        self.assertEqual(json.loads(out), self.ANSWER)

    def test_wrong_types(self):
        for field, value in (("name", 1), ("name", None), ("outputs", "x"), ("tiles", -1),
                             ("input_range", []), ("dac_clipped", "0"), ("adc_saturated", 1.5),
                             ("rms_error", {})):
            answer = {**self.ANSWER, "layers": [{**self.LAYERS[0], field: value}]}
            _, err, _ = self.ask({"POST /v1/chips/a/probe": [(200, answer)]}, "probe", "a",
                                 status=UNREACHABLE)
            self.assertIn(field, err)


class Status(Case):

    ROUTES = {
        "GET /health": [(200, {"status": "ok"})],
        "GET /version": [(200, {"version": "1.2.3"})],
        "GET /v1/models": [(200, {"data": [
            {"id": "m", "object": "model", "meta": {"backend": "int8"}},
            {"id": "m@a", "object": "model", "meta": {"backend": "analog", "profile": "ideal"}},
            {"id": "m@b", "object": "model"},
            {"id": "r", "object": "model", "meta": {"backend": "int8", "role": "reward"}}]})],
        "GET /v1/chips": [(200, {"data": [CHIP, chip(state="ageing")]})],
        "GET /metrics": [(200, b"# TYPE analogd_num_requests_running gauge\n"
                               b'analogd_num_requests_running{model_name="a b"} 2\n'
                               b'analogd_num_requests_running{model_name="c"} 3\n'
                               b'analogd_num_requests_running_x 100\n'
                               b'analogd_num_requests_waiting{model_name="c"} NaN\n'
                               b'analogd_kv_cache_usage_perc{model_name="c"} 0.25')],
    }

    def test_lines(self):
        with Server(self.ROUTES) as server:
            out, _ = self.run_it("status", url=server.url)
            self.assertEqual(out.splitlines(), [
                f"server  {server.url}: analogd 1.2.3, ok",
                "models  m (int8)",
                "        m@a (analog, ideal)",
                "        m@b (loading)",
                "        r (int8, reward model)",
                "chips   2: 1 ready, 1 at work, 0 failed",
                "load    5 running, 0 waiting, KV cache 25 % in use"])

    def test_json(self):
        out, _, _ = self.ask(self.ROUTES, "status", "--json")
        self.assertEqual([json.loads(line).get("object") for line in out.splitlines()],
                         [None, *["model"] * 4, *["chip"] * 2])

    def test_what_is_refused_hides_nothing_else(self):
        loading = (503, error("Loading model m: 50% (1 of 2)", "loading"))
        routes = {**self.ROUTES, "GET /health": [loading],
                  "GET /v1/chips": [(429, error("too many", "busy"))]}
        out, err, _ = self.ask(routes, "status", status=REFUSED)
        self.assertEqual([line.split()[0] for line in out.splitlines()],
                         ["models", "m@a", "m@b", "r", "load"])
        self.assertEqual(err.splitlines(), [
            "analogctl: Loading model m: 50% (1 of 2) (loading, HTTP 503)",
            "analogctl: too many (busy, HTTP 429)"])

    def test_chips_are_left_out_without_an_admin_key(self):
        refusal = error("needs an admin key", "admin_key_needed")
        out, _, _ = self.ask({**self.ROUTES, "GET /v1/chips": [(403, refusal)]}, "status")
        self.assertEqual([line.split()[0] for line in out.splitlines()],
                         ["server", "models", "m@a", "m@b", "r", "load"])


def without_end(handler):
    """A body in chunks, as long as somebody reads."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while True:
        handler.wfile.write(b"100000\r\n" + b" " * (1 << 20) + b"\r\n")


def headers_without_end(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        handler.wfile.write(b"X-Filler: " + b"x" * 1000 + b"\r\n")


def drop_by_drop(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while True:
        handler.wfile.write(b" ")
        time.sleep(0.05)


def silence(handler):
    handler.connection.recv(1)


def hang_up(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


def no_http(handler):
    handler.wfile.write(b"SSH-2.0-OpenSSH\r\n")


class Hostile(Case):

    def hostile(self, answer, *args, status=UNREACHABLE):
        out, err, _ = self.ask({"GET /v1/chips": [answer]}, *args, "chips", status=status)
        self.assertEqual(out, "")
        return err

    def test_no_end(self):
        self.assertIn("too large", self.hostile(without_end))
        self.assertIn("too large", self.hostile(headers_without_end))
        self.assertIn("too large", self.hostile((200, b" " * (9 << 20))))

    def test_no_answer_in_time(self):
        for answer in (silence, drop_by_drop):
            self.assertIn("no answer in time", self.hostile(answer, "--timeout", "0.3"))

    def test_no_answer(self):
        for answer in (hang_up, no_http):
            self.assertIn("cannot reach", self.hostile(answer))

    def test_no_object(self):
        for body in (b"", b"null", b"[]", b"{", b"<html>", b'{"data": []} x', b"\xff", b'"x"',
                     b"[" * 100000, b'{"a": 1e999}', b'{"data":[],"data":[]}', b'{"a\\u0000": 1}',
                     b"[" + b"1," * 3000000 + b"1]"):
            with self.subTest(body=body[:20]):
                self.hostile((200, body))
        self.assertIn("no list of chips", self.hostile((200, {"data": {}})))

    def test_wrong_types(self):
        for field, value in (("id", 1), ("id", None), ("state", []), ("seed", "x"), ("seed", 0.5),
                             ("age", "old"), ("age", -1), ("progress", 2), ("error", {}),
                             ("conductance_bits", 2**40), ("memory", {"total_bytes": "x"})):
            with self.subTest(field=field, value=value), \
                    Server({"POST /v1/chips": [(202, chip(**{field: value}))]}) as server:
                out, err = self.run_it("program", "m", "p", url=server.url, status=UNREACHABLE)
                self.assertIn(list(value)[0] if field == "memory" else field, err)
                self.assertEqual(out, "")

    def test_memory_of_another_type_is_none(self):
        out, _, _ = self.ask({"GET /v1/chips": [(200, {"data": [chip(memory=5)]})]}, "chips")
        self.assertTrue(out.endswith("ready       -\n"), out)

    def test_refusals(self):
        for status, body, says in (
                (401, error("A valid API key is needed", "invalid_api_key"),
                 "A valid API key is needed (invalid_api_key, HTTP 401)"),
                (404, error("no"), "no (HTTP 404)"),
                (409, error("needs 5 GiB, 1 GiB is left", "insufficient_memory"),
                 "needs 5 GiB, 1 GiB is left (insufficient_memory, HTTP 409)"),
                (400, error("m" * 5000, "c" * 500), "m" * 400 + " (" + "c" * 60 + ", HTTP 400)"),
                (404, {"error": {"message": "x", "code": 404}}, "x (HTTP 404)")):
            with self.subTest(status=status, body=str(body)[:60]):
                self.assertIn(says, self.hostile((status, body), status=REFUSED))

    def test_answers_of_others(self):
        for body in (b"<html>\x1b[2J</html>", {"error": "text"},
                     {"error": {"message": 5, "code": 7}}):
            with self.subTest(body=body):
                self.assertIn("HTTP status 500, and not as an analogd",
                              self.hostile((500, body), status=UNREACHABLE))

    NASTY = "a\x1b[2J\r\n\x07\x7f\x9b5m\u202eb\u2028\u2066é"
    SAFE = ("a\\x1b[2J\\x0d\\x0a\\x07\\x7f\\xc2\\x9b5m\\xe2\\x80\\xaeb\\xe2\\x80\\xa8"
            "\\xe2\\x81\\xa6é")

    def test_what_a_terminal_would_obey(self):
        err = self.hostile((400, error(self.NASTY, self.NASTY)), status=REFUSED)
        self.assertEqual(err, f"analogctl: {self.SAFE} ({self.SAFE}, HTTP 400)\n")
        nasty = chip(id=self.NASTY, profile=self.NASTY, state="failed", error=self.NASTY)
        out, _, _ = self.ask({"GET /v1/chips": [(200, {"data": [nasty]})]}, "chips")
        self.assertTrue(out.split("\n")[1].startswith(self.SAFE))
        self.assertTrue(all(c.isprintable() or c == "\n" for c in out), out)
        out, _, _ = self.ask({"GET /v1/chips": [(200, {"data": [nasty]})]}, "--json", "chips")
        self.assertEqual(json.loads(out), nasty)
        self.assertTrue(all(" " <= c <= "~" or c == "\n" for c in out), out)


class Terminal(Case):
    """With a terminal for standard error."""

    BUSY = {"POST /v1/chips": [(202, chip(state="programming", progress=0.25))],
            "GET /v1/chips/a": [(200, chip(state="programming", progress=0.5))]}

    def start(self, server, *args, columns=80):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen([BINARY, *args], stdout=subprocess.PIPE, stderr=theirs,
                                   env=environment(ANALOGD_URL=server.url))
        os.close(theirs)
        self.addCleanup(os.close, ours)
        return process, ours

    def read_until(self, terminal, mark):
        """What the terminal has shown when mark is there; all of it if mark is None."""
        text = b""
        deadline = time.monotonic() + harness.PATIENCE
        while mark is None or mark not in text:
            ready, _, _ = select.select([terminal], [], [], 0.1)
            try:
                data = os.read(terminal, 4096) if ready else None
            except OSError:  # the other side is closed
                data = b""
            text += data or b""
            if data == b"":
                self.assertIsNone(mark, text)
                break
            self.assertLess(time.monotonic(), deadline, text)
        return text

    def bar(self, columns, *args):
        routes = {**self.BUSY, "GET /v1/chips/a": [*self.BUSY["GET /v1/chips/a"], (200, CHIP)]}
        with Server(routes) as server:
            process, terminal = self.start(server, *args, "program", "m", "p", columns=columns)
            text = self.read_until(terminal, None).decode()
            out = process.communicate(timeout=harness.PATIENCE)[0]
        self.assertEqual(process.returncode, OK)
        self.assertTrue(out)
        return text

    def test_bar(self):
        text = self.bar(80)
        self.assertEqual(text.split("\r"), [
            "", "programming a [" + "=" * 10 + ">" + " " * 29 + "]  25 %",
            "programming a [" + "=" * 20 + ">" + " " * 19 + "]  50 %", " " * 62, ""])

    def test_it_fits(self):
        for columns in (30, 24, 21, 20, 10, 1):
            for line in self.bar(columns).split("\r"):
                self.assertLess(len(line), max(columns, 6), line)
        self.assertIn("programming a [=", self.bar(34))
        self.assertIn("\rprogramming a  25 %", self.bar(30))

    def test_no_bar_for_scripts(self):
        self.assertEqual(self.bar(80, "--json"), "")

    def test_interrupt(self):
        with Server(self.BUSY) as server:
            process, terminal = self.start(server, "program", "m", "p")
            self.read_until(terminal, b"50 %")
            process.send_signal(signal.SIGINT)
            text = self.read_until(terminal, None).decode()
            self.assertEqual(process.communicate(timeout=harness.PATIENCE)[0], b"")
            self.assertEqual(process.returncode, -signal.SIGINT)
            self.assertIn("analogctl: no longer waiting; the server goes on", text)
            self.assertEqual({method for method, *_ in server.seen[1:]}, {"GET"})

    def test_interrupt_of_a_question_without_answer(self):
        with Server({**self.BUSY, "GET /v1/chips/a": [silence]}) as server:
            process, terminal = self.start(server, "program", "m", "p")
            self.read_until(terminal, b"25 %")
            while len(server.seen) < 2:
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            self.assertIn(b"no longer waiting", self.read_until(terminal, None))
            process.communicate(timeout=harness.PATIENCE)
            self.assertEqual(process.returncode, -signal.SIGINT)


class Completion(Case):

    SCRIPT = """
        . "$0"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _analogctl "$1" "${@: -1}" "${@: -2:1}"
        printf '%s\\n' "${COMPREPLY[@]}"
    """

    def complete(self, *words, url=""):
        script = os.path.join(harness.TOP, "ctl", "completions", "analogctl")
        done = subprocess.run(["bash", "-c", self.SCRIPT, script, BINARY, *words],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=environment(ANALOGD_URL=url), check=True)
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_words(self):
        self.assertEqual(tuple(self.complete("")), Usage.COMMANDS)
        self.assertEqual(self.complete("--url", "x", "c"), ["chips", "calibrate"])
        self.assertEqual(self.complete("--api"), ["--api-key-file"])
        self.assertEqual(self.complete("program", "m", "--n"), ["--name", "--no-wait"])
        self.assertEqual(self.complete("chips", "--n"), [])
        path = self.file("", "problems.jsonl")
        self.assertEqual(self.complete("calibrate", "a", path[:-3]), [path])
        self.assertEqual(self.complete("--api-key-file", path[:-3]), [path])

    def test_names_of_chips(self):
        folder = tempfile.mkdtemp(prefix="analogctl-test-")
        self.addCleanup(os.rmdir, folder)
        names = ["a", "ab", f"$(touch {folder}/x)", f"`touch {folder}/y`", "b-1.c"]
        with Server({"GET /v1/chips": [(200, {"data": [chip(id=n) for n in names]})]}) as server:
            self.assertEqual(self.complete("age", "a", url=server.url), ["a", "ab"])
            self.assertEqual(self.complete("probe", "", url=server.url), ["a", "ab", "b-1.c"])
        self.assertEqual(os.listdir(folder), [])


class Daemon(Case):
    """The real one: a chip from its programming to its end."""

    def setUp(self):
        keys = self.file(KEY + " admin\nsk-of-a-client\n", "keys")
        self.daemon = harness.Daemon("--api-key-file", keys, "--profile-dir",
                                     os.path.join(harness.TOP, "conf", "profiles"))
        self.addCleanup(self.daemon.stop)

    def ctl(self, *args, status=OK, key=KEY):
        return self.run_it(*args, status=status, url=f"http://127.0.0.1:{self.daemon.port}",
                           ANALOGCTL_API_KEY=key)

    def objects(self, *args):
        return [json.loads(line) for line in self.ctl("--json", *args)[0].splitlines()]

    def test_life_of_a_chip(self):
        out, _ = self.ctl("program", harness.MODEL_ID, "pcm-hermes", "--seed", "5", "--name", "a",
                          "--conductance-bits", "8", "--out-bound", "12.5")
        self.assertEqual(out, "chip a is ready: profile pcm-hermes, seed 5, age 0 s, "
                              "served as wordmath-2m@a\n")
        chip_a, = self.objects("age", "a", "1d")
        told = {key: chip_a[key] for key in ("id", "state", "age", "seed", "conductance_bits",
                                             "out_bound", "backend", "input_ranges")}
        self.assertEqual(told, {
            "id": "a", "state": "ready", "age": 86400, "seed": 5, "conductance_bits": 8,
            "out_bound": 12.5, "backend": "analog", "input_ranges": "dynamic"})
        self.assertEqual(self.objects("chips"), [chip_a])
        problems = os.path.join(harness.MODEL, "eval", "problems.jsonl")
        chip_a, = self.objects("calibrate", "a", problems, "--limit", "3", "--method", "max")
        self.assertEqual((chip_a["state"], chip_a["input_ranges"]), ("ready", "calibrated"))
        self.assertRegex(self.ctl("chips", "a")[0], r"\na +wordmath-2m@a .* calibrated +ready ")
        self.assertRegex(self.ctl("status")[0], r"\nchips   1: 1 ready, 0 at work, 0 failed\n")
        self.assertEqual(self.ctl("delete", "a")[0], "chip a is deleted\n")
        self.assertEqual(self.objects("chips"), [])

    def test_probe(self):
        self.ctl("program", harness.MODEL_ID, "afm-paper", "--name", "a")
        self.assertRegex(self.ctl("probe", "a")[0], r"\nlm_head +512 +192 +1 +dynamic ")
        probe, = self.objects("probe", "a", "--prompt", harness.PROMPT)
        self.assertEqual(probe["layers"][-1]["name"], "lm_head")

    def test_refusals(self):
        for args, key, says in (
                (("chips",), "", "invalid_api_key, HTTP 401"),
                (("chips",), "sk-of-a-client", "admin_key_needed, HTTP 403"),
                (("chips", "nope"), KEY, "chip_not_found, HTTP 404"),
                (("program", "nope", "ideal"), KEY, "HTTP 404"),
                (("program", harness.MODEL_ID, "nope"), KEY, "afm-paper"),
                (("program", harness.MODEL_ID, "ideal", "--age", "soon"), KEY, "HTTP 400")):
            with self.subTest(args=args):
                self.assertIn(says, self.ctl(*args, status=REFUSED, key=key)[1])


if __name__ == "__main__":
    if not os.path.exists(BINARY):
        print("built without analogctl: skipped")
        raise SystemExit(77)
    harness.main()
