# SPDX-License-Identifier: Apache-2.0
"""From the command line to the exit status: options, signals, keys, logs."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import harness
from harness import BINARY, MODEL, MODEL_ID, PATIENCE, PROMPT, Daemon

USAGE, DATA, OS_ERROR, CONFIG = 64, 65, 71, 78


def run(*args):
    """The finished process of an analogd that ends by itself."""
    env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:exitcode=99")
    return subprocess.run([BINARY, *args], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=PATIENCE, env=env, check=False)


def write(path, text, mode=0o600):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


class Folder(unittest.TestCase):
    """Tests with a folder of their own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="analogd-test-")
        self.addCleanup(folder.cleanup)
        self.dir = folder.name

    def file(self, name, text="", mode=0o600):
        return write(os.path.join(self.dir, name), text, mode)


def slow_stream(daemon):
    """A socket on which more of an answer waits than buffers hold, nothing read."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.settimeout(PATIENCE)
    s.connect(("127.0.0.1", daemon.port))
    body = json.dumps({"model": MODEL_ID, "prompt": PROMPT, "stream": True, "n": 16,
                               "max_tokens": 400, "ignore_eos": True, "logprobs": 5}).encode()
    s.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
              b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    return s


def read_all(s):
    data = b""
    while part := s.recv(1 << 16):
        data += part
    return data


class Options(Folder):

    def test_help_and_version(self):
        for flag in ("--help", "-h"):
            done = run(flag)
            self.assertEqual(done.returncode, 0)
            self.assertIn("--max-queue N", done.stdout)
        done = run("--version")
        self.assertRegex(done.stdout, r"^analogd \d+\.\d+\.\d+\n$")

    def test_wrong_flags(self):
        for args, says in ((["--nothing"], "unrecognized option"),
                           (["--model", MODEL, "--max-n", "0"], "--max-n: 0 is not between"),
                           (["--model", MODEL, "--kernels", "best"], "is not one of"),
                           ([], "no model"),
                           (["--model", MODEL, "--listen", "0.0.0.0:0"], "api_key_file")):
            with self.subTest(args=args):
                done = run(*args)
                self.assertEqual(done.returncode, USAGE, done.stderr)
                self.assertIn(says, done.stderr)
                self.assertEqual(done.stdout, "")

    def test_file_errors_name_the_line(self):
        for text, says in (("max_n = 1\nmax_n = x\n", ":2: "),
                           ("\n\nunknown = 1\n", ":3: no such option 'unknown'"),
                           ('listen = "192.0.2.1:80"\nmodel "a" { dir = "/a" }\n',
                            "other hosts can reach 192.0.2.1")):
            with self.subTest(text=text):
                path = self.file("analogd.conf", text)
                done = run("--config", path, "--check-config")
                self.assertEqual(done.returncode, CONFIG)
                self.assertIn(says, done.stderr)
                if ":" in says[:1]:
                    self.assertIn(path + says, done.stderr)

    def test_check_config(self):
        path = self.file("analogd.conf", f'model "a" {{ dir = "{MODEL}" }}\n')
        done = run("--config", path, "--check-config")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        path = self.file("analogd.conf", f'model "a" {{ dir = "{self.dir}" }}\n')
        done = run("--config", path, "--check-config")
        self.assertEqual(done.returncode, DATA)
        self.assertIn("model a: ", done.stderr)
        self.assertIn("config.json", done.stderr)
        path = self.file("analogd.conf", 'api_key_file = "/nonexistent"\n'
                         f'model "a" {{ dir = "{MODEL}" }}\n')
        done = run("--config", path, "--check-config")
        self.assertEqual(done.stderr, "analogd: api_key_file: /nonexistent: No such file or "
                         "directory\n")

    def test_check_config_makes_no_log_file(self):
        path = os.path.join(self.dir, "log")
        done = run("--check-config", "--model", MODEL, "--log-file", path)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertFalse(os.path.exists(path))
        for path in (os.path.join(self.dir, "gone", "log"), "/dev/null/log"):
            for more in ([], ["--check-config"]):
                with self.subTest(path=path, more=more):
                    done = run("--model", MODEL, "--log-file", path, *more)
                    self.assertEqual(done.returncode, CONFIG, done.stderr)
                    self.assertIn(f"log_file {path}: ", done.stderr)

    def test_check_config_looks_into_the_folder(self):
        """What a start would say before it reads the weights."""
        def change(name, old, new):
            path = os.path.join(folder, name)
            with open(path, "rb") as f:
                content = f.read()
            self.assertIn(old, content)
            with open(path, "wb") as f:
                f.write(content.replace(old, new, 1))

        for name, old, new, says in (
                ("config.json", b"LlamaForCausalLM", b"MixtralForCausalLM", "supported: Llama"),
                ("config.json", b'"intermediate_size": ', b'"intermediate_size": 1',
                 "the configuration needs"),
                ("tokenizer.json", b'"BPE"', b'"WordPiece"', "WordPiece"),
                ("model.safetensors", b'"BF16"', b'"BF61"', "model.safetensors")):
            with self.subTest(name=name, new=new):
                folder = os.path.join(self.dir, "model")
                shutil.rmtree(folder, ignore_errors=True)
                shutil.copytree(MODEL, folder)
                change(name, old, new)
                done = run("--check-config", "--model", folder)
                self.assertEqual((done.returncode, done.stdout), (DATA, ""))
                self.assertIn("analogd: model model: ", done.stderr)
                self.assertIn(says, done.stderr)

    def test_model_that_cannot_be_used(self):
        for model in (self.dir, "/nonexistent", "/etc/passwd"):
            done = run("--model", model, "--listen", "127.0.0.1:0")
            self.assertEqual(done.returncode, DATA, done.stderr)
            self.assertIn("event=load_failed", done.stderr)

    def test_all_models_are_checked_before_one_is_loaded(self):
        folder = os.path.join(self.dir, "second")
        shutil.copytree(MODEL, folder)
        write(os.path.join(folder, "tokenizer.json"), "{}")
        done = run("--model", MODEL, "--model", folder, "--listen", "127.0.0.1:0")
        self.assertEqual(done.returncode, DATA, done.stderr)
        self.assertIn("model second: tokenizer.json", done.stderr)
        self.assertNotIn("event=loading", done.stderr)

    def test_one_status_for_start_and_check(self):
        """What is wrong decides on the exit status, not when it is found."""
        for args, status, says in (
                (["--kv-cache", "1K"], CONFIG, "raise kv_cache"),
                (["--max-context", "100000"], CONFIG, "max_context 100000"),
                (["--max-batch-tokens", "1"], CONFIG, "max_batch_tokens"),
                (["--random-weights", "gpt-5"], CONFIG, "no shape is called"),
                (["--model", "/nonexistent"], DATA, "/nonexistent")):
            for more in (["--listen", "127.0.0.1:0"], ["--check-config"]):
                with self.subTest(args=args, more=more):
                    done = run("--model", MODEL, *args, *more)
                    self.assertEqual(done.returncode, status, done.stderr)
                    self.assertIn(says, done.stderr)

    def test_chips_that_cannot_be(self):
        profiles = os.path.join(harness.TOP, "conf", "profiles")
        with open(os.path.join(profiles, "ideal.conf"), encoding="utf-8") as f:
            ideal = f.read()
        for name, resolution in (("fine", "65534"), ("none", "0")):
            self.assertIn("inp_res = 254", ideal)
            write(os.path.join(self.dir, name + ".conf"),
                  ideal.replace("inp_res = 254", "inp_res = " + resolution))
        write(os.path.join(self.dir, "file"), "")

        def chip(model_id, profile):
            return (f'model "{model_id}" {{ dir = "{MODEL}"\n backend = analog\n'
                    f' profile = "{profile}" }}\n')

        for text, says in (
                (chip("m", self.dir + "/fine.conf"), "profile fine: inp_res is 65534"),
                (chip("m", self.dir + "/gone.conf"), "gone.conf: No such file"),
                (chip("m", "gone"), 'there is: afm-paper'),
                (chip("wm@lab", "ideal") + chip("other@lab", "ideal"),
                 "model other@lab: another chip is called lab too"),
                (f'state_dir = "{self.dir}/gone/state"\nmodel "m" {{ dir = "{MODEL}" }}\n',
                 "state_dir: "),
                (f'state_dir = "{self.dir}/file"\nmodel "m" {{ dir = "{MODEL}" }}\n',
                 "state_dir: "),
                (f'state_dir = "/tmp"\nmodel "m" {{ dir = "{MODEL}" }}\n',
                 "every user may write")):
            path = self.file("analogd.conf", f'profile_dir = "{profiles}"\n{text}')
            for more in (["--listen", "127.0.0.1:0"], ["--check-config"]):
                with self.subTest(text=text, more=more):
                    done = run("--config", path, *more)
                    self.assertEqual(done.returncode, CONFIG, done.stderr)
                    self.assertIn(says, done.stderr)

    def test_check_config_makes_no_state(self):
        state = os.path.join(self.dir, "state")
        done = run("--check-config", "--model", MODEL, "--state-dir", state)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertFalse(os.path.exists(state))

    def test_address_that_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            done = run("--model", MODEL, "--listen", address)
            self.assertEqual(done.returncode, OS_ERROR, done.stderr)
            self.assertIn(f"listen: {address}: ", done.stderr)
            done = run("--model", MODEL, "--listen", "127.0.0.1:0", "--admin-listen", address)
            self.assertEqual(done.returncode, OS_ERROR, done.stderr)
            self.assertIn("admin_listen", done.stderr)

    def test_flags_override_the_file(self):
        path = self.file("analogd.conf",
                         'strict_params = true\nbackend = "f32"\n'
                         f'model "one" {{ dir = "{MODEL}" }}\n'
                         f'model "two" {{ dir = "{MODEL}" max_context = 64 }}\n')
        with Daemon("--config", path, "--backend", "int8", model=None) as daemon:
            models = {m["id"]: m for m in daemon.get("/v1/models").json()["data"]}
            self.assertEqual(set(models), {"one", "two"})
            self.assertEqual(models["two"]["max_model_len"], 64)
            self.assertEqual(models["one"]["meta"]["backend"], "int8")
            answer = daemon.post("/v1/completions", {"model": "one", "prompt": "a", "nix": 1})
            self.assertEqual(answer.status, 400)
        with Daemon("--config", path) as daemon:
            self.assertEqual([m["id"] for m in daemon.get("/v1/models").json()["data"]],
                             [MODEL_ID])

    def test_random_weights(self):
        with Daemon("--random-weights", "llama-3.2-1b", "--max-context", "256",
                    wait=False) as daemon:
            daemon.wait_until(lambda: daemon.events("loading"), "the load begins")
            self.assertEqual(daemon.events("loading")[0]["random_weights"], "llama-3.2-1b")

    def test_ports(self):
        with Daemon() as daemon:
            self.assertGreater(daemon.port, 0)
            self.assertGreater(daemon.admin_port, 0)
            self.assertEqual(int(daemon.events("ready")[0]["port"]), daemon.port)
            warned = bool(daemon.events("running_as_root"))
            self.assertEqual(warned, os.geteuid() == 0)


class Signals(Folder):

    def test_idle(self):
        for sig in (signal.SIGTERM, signal.SIGINT):
            daemon = Daemon()
            daemon.kill(sig)
            daemon.stop()

    def test_while_loading(self):
        models = "".join(f'model "m{i}" {{ dir = "{MODEL}" }}\n' for i in range(60))
        daemon = Daemon("--config", self.file("analogd.conf", models), model=None, wait=False)
        daemon.stop()

    def test_drain_lets_answers_finish(self):
        with Daemon() as daemon:
            with slow_stream(daemon) as s:
                daemon.wait_until(lambda: daemon.metric("analogd_num_requests_running") > 0,
                                  "the stream runs")
                idle = daemon.connect()
                daemon.get("/livez", connection=idle)
                daemon.kill()
                daemon.wait_until(lambda: daemon.events("draining"), "it drains")
                for connection in (None, idle):
                    answer = daemon.post("/v1/completions", {"prompt": "a"},
                                         connection=connection)
                    self.assertEqual((answer.status, answer.error["code"]), (503, "draining"))
                    self.assertGreater(int(answer.headers["retry-after"]), 0)
                for path, status in (("/readyz", 503), ("/health", 503), ("/livez", 200)):
                    self.assertEqual(daemon.get(path).status, status)
                    self.assertEqual(daemon.get(path, admin=True).status, status)
                data = read_all(s)
                self.assertIn(b"data: [DONE]\n\n", data)
                self.assertEqual(data.count(b'"finish_reason":"length"'), 16)
            self.assertEqual(daemon.process.wait(PATIENCE), 0)
            self.assertFalse(daemon.events("drain_timeout"))

    def test_drain_ends(self):
        with Daemon("--drain-timeout", "1") as daemon:
            with slow_stream(daemon):
                daemon.wait_until(lambda: daemon.metric("analogd_num_requests_running") > 0,
                                  "the stream runs")
                daemon.kill()
                self.assertEqual(daemon.process.wait(PATIENCE), 0)
            self.assertTrue(daemon.events("drain_timeout"))

    def test_second_signal_stops_at_once(self):
        for second in (signal.SIGTERM, signal.SIGINT):
            with Daemon("--drain-timeout", "3600") as daemon, slow_stream(daemon):
                daemon.wait_until(lambda d=daemon: d.metric("analogd_num_requests_running") > 0,
                                  "the stream runs")
                daemon.kill()
                daemon.wait_until(lambda d=daemon: d.events("draining"), "it drains")
                daemon.kill(second)
                self.assertEqual(daemon.process.wait(PATIENCE), 0)
                self.assertTrue(daemon.events("stopping_now"))


class LogFileDaemon(Daemon):
    """One that logs into a file it is told of."""

    def __init__(self, path, *args):
        self.path = path
        super().__init__("--log-file", path, *args)

    def log(self):
        if not os.path.exists(self.path):
            return ""
        with open(self.path, encoding="utf-8") as f:
            return f.read()


class Reload(Folder):

    def hang_up(self, daemon):
        before = len(daemon.events("reloaded"))
        daemon.kill(signal.SIGHUP)
        daemon.wait_until(lambda: len(daemon.events("reloaded")) > before, "it has reloaded")

    def test_keys(self):
        path = self.file("keys", "user-key-0123456789\nadmin-key-0123456789 admin\n")

        def status(key, url="/v1/models", method="GET"):
            headers = {"Authorization": "Bearer " + key} if key else {}
            return daemon.request(method, url, headers=headers).status

        with Daemon("--api-key-file", path, "--test-hooks") as daemon:
            answer = daemon.get("/v1/models")
            self.assertEqual(answer.error["code"], "invalid_api_key")
            self.assertEqual(answer.error["type"], "authentication_error")
            self.assertEqual((answer.status, answer.headers["www-authenticate"]), (401, "Bearer"))
            self.assertEqual(status("wrong"), 401)
            self.assertEqual(status("user-key-0123456789"), 200)
            self.assertEqual(status("admin-key-0123456789"), 200)
            self.assertEqual(status("user-key-0123456789", "/debug/hang", "POST"), 403)
            for public in ("/health", "/livez", "/readyz", "/metrics", "/version"):
                self.assertEqual(status("", public), 200)
            # A file that is wrong changes nothing.
            for text, mode in (("new-key-0123456789\n", 0o644), ("too many words here\n", 0o600)):
                write(path, text, mode)
                before = len(daemon.events("keys_kept"))
                self.hang_up(daemon)
                self.assertEqual(len(daemon.events("keys_kept")), before + 1)
                self.assertEqual(daemon.events("reloaded")[-1]["keys"], "kept")
                self.assertEqual(status("user-key-0123456789"), 200)
                self.assertEqual(status("new-key-0123456789"), 401)
            write(path, "new-key-0123456789\n")
            self.hang_up(daemon)
            self.assertEqual(daemon.events("reloaded")[-1]["keys"], "read")
            self.assertEqual(status("new-key-0123456789"), 200)
            self.assertEqual(status("user-key-0123456789"), 401)
            self.assertEqual(daemon.get("/readyz").status, 200)
        done = run("--model", MODEL, "--api-key-file", self.file("open", "k\n", 0o644))
        self.assertEqual(done.returncode, CONFIG, done.stderr)

    def test_public_address_with_keys(self):
        path = self.file("keys", "user-key-0123456789\n")
        with Daemon("--api-key-file", path, "--listen", "0.0.0.0:0") as daemon:
            headers = {"Authorization": "Bearer user-key-0123456789", "Host": "llm.example"}
            self.assertEqual(daemon.get("/v1/models", headers=headers).status, 200)

    def test_log_file(self):
        path = os.path.join(self.dir, "analogd.log")
        with LogFileDaemon(path) as daemon:
            os.rename(path, path + ".1")
            self.hang_up(daemon)
            daemon.get("/version")
            daemon.wait_until(lambda: daemon.events("request"), "the request is logged")
            self.assertEqual([e["path"] for e in daemon.events("request")], ["/version"])


class Logs(Folder):

    def test_one_line_a_request(self):
        with Daemon() as daemon:
            daemon.completion(max_tokens=3)
            daemon.get("/no%20such%C3%A4%0A")
            # Probes are not, neither now nor while the model was loaded.
            probes = {"/health", "/livez", "/readyz", "/metrics"}
            for path in probes:
                daemon.get(path)
            daemon.get("/version")
            daemon.wait_until(lambda: "/version" in {e["path"] for e in daemon.events("request")},
                              "the last request is logged")
            self.assertFalse(probes & {e["path"] for e in daemon.events("request")})
            line, = [e for e in daemon.events("request") if e["path"] == "/v1/completions"]
            self.assertEqual((line["method"], line["status"], line["peer"]),
                             ("POST", "200", "127.0.0.1"))
            self.assertEqual((line["model"], line["completion_tokens"], line["finish"]),
                             (MODEL_ID, "3", "length"))
            self.assertGreater(int(line["prompt_tokens"]), 0)
            self.assertGreater(float(line["ttft_ms"]), 0)
            self.assertNotIn("stickers", daemon.log())

    def json_events(self, path):
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as f:
            return [json.loads(line) for line in f]

    def test_json(self):
        path = os.path.join(self.dir, "log")
        command = [BINARY, "--model", MODEL, "--listen", "127.0.0.1:0", "--admin-listen", "none",
                   "--log-format", "json", "--log-file", path]
        with subprocess.Popen(command) as process:
            deadline = time.monotonic() + PATIENCE
            while not any(e["event"] == "ready" for e in self.json_events(path)):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
            process.terminate()
            self.assertEqual(process.wait(PATIENCE), 0)
        events = self.json_events(path)
        self.assertEqual([e["listener"] for e in events if e["event"] == "listening"], ["main"])
        self.assertEqual(events[-1]["event"], "stopped")


class Refusals(Folder):

    def test_before_the_body_is_read(self):
        with Daemon("--max-body-bytes", "4096") as daemon:
            cases = (
                ("GET", "/nothing", None, {}, 404),
                ("GET", "/v1/completions", None, {}, 405),
                ("POST", "/health", None, {}, 405),
                ("POST", "/v1/completions", b"{}", {"Content-Type": "text/plain"}, 415),
                ("POST", "/v1/completions", b"{}",
                 {"Content-Type": "application/x-www-form-urlencoded"}, 415),
                ("POST", "/v1/completions", b"{}", {"Content-Type": ""}, 415),
                ("POST", "/v1/completions", b"{}",
                 {"Content-Type": "text/plain; application/json"}, 415),
                ("POST", "/v1/completions", b"{}", {"Content-Encoding": "gzip"}, 415),
                ("POST", "/v1/completions", b"x" * 4097, {}, 413),
                ("POST", "/debug/hang", None, {}, 404),
            )
            for method, path, body, headers, status in cases:
                with self.subTest(method=method, path=path, status=status):
                    answer = daemon.request(method, path, body, headers)
                    self.assertEqual(answer.status, status, answer.body)
                    self.assertEqual(set(answer.error), {"message", "type", "param", "code"})
            answer = daemon.get("/v1/completions")
            self.assertEqual(answer.headers["allow"], "POST")
            answer = daemon.request("HEAD", "/health")
            self.assertEqual((answer.status, answer.body), (200, b""))
            for kind in ("application/json; charset=utf-8", "Application/JSON"):
                answer = daemon.post("/tokenize", b'{"prompt":"a"}',
                                     headers={"Content-Type": kind})
                self.assertEqual(answer.status, 200, kind)

    def test_full_queue(self):
        """With an engine that hangs, one request waits and the next is refused."""
        with Daemon("--max-queue", "1", "--test-hooks", "--drain-timeout", "0") as daemon:
            daemon.post("/debug/hang", None)
            with contextlib.ExitStack() as held:
                def refused():
                    s = held.enter_context(daemon.raw_post("/v1/completions", {"prompt": "a"}))
                    s.settimeout(0.5)
                    try:
                        return s.recv(4096)
                    except TimeoutError:
                        return b""
                answers = []
                daemon.wait_until(lambda: answers.append(refused()) or answers[-1],
                                  "the queue is full")
            self.assertTrue(answers[-1].startswith(b"HTTP/1.1 429"), answers)
            self.assertIn(b"\nretry-after:", answers[-1].lower())
            self.assertIn(b'"queue_full"', answers[-1])
            self.assertEqual(daemon.metric('analogd_rejected_total{reason="queue_full"}'), 1)


if __name__ == "__main__":
    harness.main()
