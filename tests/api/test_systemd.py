# SPDX-License-Identifier: Apache-2.0
"""The unit file under systemd-analyze, and the messages a service manager gets."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import harness
from harness import BINARY, BUILD, MODEL, PATIENCE, TOP, Daemon

STALL_LIMIT = 10.0  # promised: a hang shows within so many seconds


class NotifySocket:
    """What the daemon tells its service manager: (time, {name: value})."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="analogd-test-")
        self.path = os.path.join(self.dir, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.messages = []
        self.on_ready = None
        self.thread = threading.Thread(target=self._receive, daemon=True)
        self.thread.start()

    def _receive(self):
        while data := self.socket.recv(65536):
            fields = dict(line.split("=", 1) for line in data.decode().splitlines())
            if fields.get("READY") == "1" and self.on_ready:
                self.on_ready()
            self.messages.append((time.monotonic(), fields))

    def all(self, name):
        return [at for at, fields in list(self.messages) if name in fields]

    def env(self, **more):
        return {"NOTIFY_SOCKET": self.path, **more}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(b"", self.path)
        self.thread.join()
        self.socket.close()
        shutil.rmtree(self.dir)


@unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze")
class Unit(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="analogd-test-")
        self.addCleanup(folder.cleanup)
        self.service = os.path.join(folder.name, "analogd.service")
        self.socket = os.path.join(folder.name, "analogd.socket")
        with open(os.path.join(BUILD, "systemd", "analogd.service"), encoding="utf-8") as f:
            text = f.read()
        # The binary lies where it was built; a path with a space must be quoted.
        text, n = re.subn(r"^ExecStart=\S+", lambda _: f'ExecStart="{BINARY}"', text,
                          flags=re.MULTILINE)
        self.assertEqual(n, 1)
        with open(self.service, "w", encoding="utf-8") as f:
            f.write(text)
        shutil.copy(os.path.join(TOP, "systemd", "analogd.socket"), self.socket)

    def analyze(self, *args):
        return subprocess.run(["systemd-analyze", *args], capture_output=True, text=True,
                              timeout=PATIENCE, check=False)

    def verify(self):
        return self.analyze("verify", "--man=no", self.service, self.socket)

    def test_verify_is_silent(self):
        done = self.verify()
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_verify_would_complain(self):
        """An unknown key is told on standard error alone."""
        with open(self.service, "a", encoding="utf-8") as f:
            f.write("[Service]\nNoSuchKey=1\n")
        self.assertIn("NoSuchKey", self.verify().stderr)

    def test_exposure(self):
        done = self.analyze("security", "--offline=true", "--threshold=15", "--no-pager",
                            self.service)
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr)
        self.assertRegex(done.stdout, r"Overall exposure level for analogd.service: [01]\.\d OK")


class Notify(unittest.TestCase):

    def test_ready_after_load_and_self_test(self):
        models = "".join(f'model "m{i}" {{ dir = "{MODEL}" }}\n' for i in range(40))
        with NotifySocket() as notify, tempfile.NamedTemporaryFile("w", suffix=".conf") as config:
            config.write(models)
            config.flush()
            daemon = Daemon("--config", config.name, model=None, wait=False, env=notify.env())
            with daemon:
                seen = []
                while not notify.all("READY"):
                    answer = daemon.get("/readyz", admin=True)
                    seen.append(answer.status)
                    if answer.status == 503:
                        self.assertEqual(answer.error["code"], "loading")
                        self.assertRegex(answer.error["message"], r"Loading model m\d+: \d+%")
                        self.assertGreater(int(answer.headers["retry-after"]), 0)
                    self.assertEqual(daemon.get("/livez", admin=True).status, 200)
                    if not notify.all("READY") and answer.status == 503:
                        refused = daemon.post("/v1/completions", {"model": "m0", "prompt": "a"})
                        self.assertIn(refused.status, (200, 503))
                self.assertIn(503, seen, "the load was over before it could be seen")
                self.assertEqual(daemon.get("/readyz").status, 200)
                # Every engine has made its self-test's token, and nothing else.
                steps = {k: v for k, v in daemon.metrics().items()
                         if k.startswith("analogd_engine_steps_total")}
                self.assertEqual(len(steps), 40)
                self.assertGreaterEqual(min(steps.values()), 1)
                self.assertFalse(notify.all("STOPPING"))
                daemon.kill(signal.SIGHUP)
                daemon.wait_until(lambda: len(notify.all("READY")) == 2, "READY follows")
                self.assertEqual(len(notify.all("RELOADING")), 1)
                daemon.kill()
                self.assertEqual(daemon.process.wait(PATIENCE), 0)
            self.assertEqual(len(notify.all("STOPPING")), 1)

    def test_progress_is_told(self):
        """A load of many models, in /health, in the log and to the service manager."""
        count = 30
        models = "".join(f'model "m{i}" {{ dir = "{MODEL}" }}\n' for i in range(count))
        with NotifySocket() as notify, tempfile.NamedTemporaryFile("w", suffix=".conf") as config:
            config.write(models)
            config.flush()
            # The tick that tells of the progress is as short as the watchdog wants it.
            env = notify.env(WATCHDOG_USEC="60000")
            with Daemon("--config", config.name, model=None, wait=False, env=env) as daemon:
                seen = []
                while (answer := daemon.get("/health", admin=True)).status == 503:
                    body = answer.json()
                    self.assertEqual(body["status"], "loading")
                    self.assertEqual(body["error"]["code"], "loading")
                    self.assertGreater(int(answer.headers["retry-after"]), 0)
                    self.assertEqual([m["id"] for m in body["models"]],
                                     [f"m{i}" for i in range(count)])
                    each = [m["progress"] for m in body["models"]]
                    self.assertEqual(each, sorted(each, reverse=True))  # one after the other
                    self.assertAlmostEqual(body["progress"], sum(each) / count, delta=1.01 / count)
                    seen.append(body["progress"])
                self.assertEqual(answer.json(), {"status": "ok"})
                self.assertEqual(seen, sorted(seen))
                self.assertGreater(len(set(seen)), 3, "the load was over before it could be seen")
                daemon.wait_until(lambda: notify.all("READY"), "READY is told")
                self.check_log(daemon, count)
            self.check_messages(notify)

    def check_log(self, daemon, count):
        loading, loaded = daemon.events("loading"), daemon.events("loaded")
        names = [f"m{i}" for i in range(count)]
        self.assertEqual([e["model"] for e in loading], names)
        self.assertEqual([e["model"] for e in loaded], names)
        for name in names:
            planned = {key: daemon.metrics()[f'analogd_model_{key}{{model_name="{name}"}}']
                       for key in ("weights_bytes", "kv_cache_bytes", "workspace_bytes")}
            line = loading[names.index(name)]
            self.assertEqual({key: float(line[key]) for key in planned}, planned)
            self.assertGreaterEqual(float(line["needed_bytes"]), sum(planned.values()))
        facts = {"architecture": "LlamaForCausalLM", "checkpoint": "safetensors",
                 "rope": "default", "learned_input_ranges": "0", "chat_template": "role-tags"}
        self.assertEqual({key: loaded[0][key] for key in facts}, facts)
        self.assertEqual(int(loaded[0]["checkpoint_bytes"]),
                         os.path.getsize(os.path.join(MODEL, "model.safetensors")))
        self.assertGreater(daemon.metric("analogd_anonymous_memory_bytes"), 1 << 20)

    def check_messages(self, notify):
        """More time is asked for as long as the load goes on, and not after."""
        ready = notify.all("READY")[0]
        extended = [(at, fields) for at, fields in notify.messages
                    if "EXTEND_TIMEOUT_USEC" in fields]
        self.assertGreater(len(extended), 2)
        done = []
        for at, fields in extended:
            self.assertLessEqual(at, ready)
            self.assertGreaterEqual(int(fields["EXTEND_TIMEOUT_USEC"]), 60000000)
            match = re.fullmatch(r"Loading model m\d+: (\d+)% \((\d+) of 30\)", fields["STATUS"])
            self.assertTrue(match, fields["STATUS"])
            done.append((int(match[2]), int(match[1])))
        self.assertEqual(done, sorted(done))
        early = [fields for at, fields in notify.messages if at < ready]
        self.assertFalse([f for f in early if "running" in f.get("STATUS", "")])

    def test_too_little_memory_is_told_before_loading(self):
        with NotifySocket() as notify, tempfile.NamedTemporaryFile("w", suffix=".conf") as config:
            config.write(f'model "small" {{ dir = "{MODEL}" }}\n'
                         f'model "big" {{\ndir = "{MODEL}"\nkv_cache = "2000G"\n}}\n')
            config.flush()
            done = subprocess.run([BINARY, "--config", config.name, "--listen", "127.0.0.1:0"],
                                  env=dict(os.environ, **notify.env()), capture_output=True,
                                  text=True, timeout=PATIENCE, check=False)
            self.assertEqual(done.returncode, 71)
            self.assertRegex(done.stderr, r"load_failed reason=\"the 2 models together need "
                             r"\d{4}\.\d GiB \(small [\d.]+ MiB, big \d{4}\.\d GiB\) but "
                             r"[\d.]+ [MG]iB are available; lower kv_cache")
            self.assertNotIn("event=loaded", done.stderr)
            self.assertFalse(notify.all("READY"))

    def test_no_ready_without_a_model(self):
        with NotifySocket() as notify, tempfile.TemporaryDirectory() as empty:
            env = dict(os.environ, **notify.env())
            done = subprocess.run([BINARY, "--model", empty, "--listen", "127.0.0.1:0"], env=env,
                                  capture_output=True, timeout=PATIENCE, check=False)
            self.assertEqual(done.returncode, 65)
            self.assertFalse(notify.all("READY"))

    def test_watchdog_starves_when_the_engine_hangs(self):
        with NotifySocket() as notify, \
                Daemon("--test-hooks", env=notify.env(WATCHDOG_USEC="600000")) as daemon:
            daemon.wait_until(lambda: len(notify.all("WATCHDOG")) >= 5, "the watchdog is fed")
            self.assertEqual(daemon.post("/debug/hang", None).status, 200)
            hung = time.monotonic()
            with daemon.raw_post("/v1/completions", {"prompt": "a"}):
                daemon.wait_until(lambda: daemon.get("/readyz", admin=True).status == 503,
                                  "the hang shows")
                self.assertLess(time.monotonic() - hung, STALL_LIMIT)
                answer = daemon.get("/readyz")
                self.assertEqual((answer.status, answer.error["code"]), (503, "stalled"))
                self.assertEqual(daemon.get("/health").status, 503)
                self.assertEqual(daemon.get("/livez").status, 200)
                self.assertEqual(daemon.get("/livez", admin=True).status, 200)
                fed = len(notify.all("WATCHDOG"))
                time.sleep(2)  # ten pings were due
                self.assertEqual(len(notify.all("WATCHDOG")), fed)
                self.assertLess(notify.all("WATCHDOG")[-1] - hung, STALL_LIMIT)
                daemon.kill()
                daemon.wait_until(lambda: notify.all("STOPPING"), "it drains")
                daemon.kill()
                self.assertEqual(daemon.process.wait(PATIENCE), 0)


class Activation(unittest.TestCase):

    def start(self, sockets, names=None, args=()):
        """An analogd that is handed these sockets as descriptors 3, 4, ..."""
        env = dict(os.environ, LISTEN_FDS=str(len(sockets)))
        if names:
            env["LISTEN_FDNAMES"] = names
        fds = [s.fileno() for s in sockets]
        # The shell moves the descriptors, which lie above their targets, and becomes the
        # process that LISTEN_PID names.
        moves = " ".join(f"{3 + i}<&{fd}" for i, fd in enumerate(fds))
        script = f'exec {moves}; LISTEN_PID=$$ exec "$0" "$@"'
        return subprocess.Popen(["bash", "-c", script, BINARY, "--model", MODEL, *args],
                                env=env, pass_fds=fds, stderr=subprocess.PIPE, text=True)

    def listening(self, backlog_fd=100):
        """A listening socket with a high descriptor."""
        with socket.create_server(("127.0.0.1", 0)) as s:
            fd = os.dup2(s.fileno(), backlog_fd)
        high = socket.socket(fileno=fd)
        self.addCleanup(high.close)
        return high

    def test_sockets_are_taken(self):
        main, admin = self.listening(100), self.listening(101)
        with self.start([main, admin], "api:admin") as process:
            for s, path, status in ((main, "/v1/models", 200), (admin, "/v1/models", 404),
                                    (admin, "/readyz", 200)):
                self.assertEqual(self.poll(s, path, status), status)
            process.terminate()
            self.assertEqual(process.wait(PATIENCE), 0, process.stderr.read())
        # The socket is not ours to close: clients wait for the next process.
        with socket.create_connection(main.getsockname()), self.start([main]) as process:
            self.assertEqual(self.poll(main, "/v1/models", 200), 200)
            process.terminate()
            self.assertEqual(process.wait(PATIENCE), 0)

    def poll(self, s, path, wanted):
        deadline = time.monotonic() + PATIENCE
        while True:
            connection = harness.http.client.HTTPConnection(*s.getsockname(), timeout=PATIENCE)
            connection.request("GET", path)
            status = connection.getresponse().status
            connection.close()
            if status == wanted or time.monotonic() > deadline:
                return status
            time.sleep(0.01)

    def test_wrong_sockets_are_refused(self):
        with socket.socket() as s:  # bound, but not listening
            s.bind(("127.0.0.1", 0))
            fd = os.dup2(s.fileno(), 102)
            deaf = socket.socket(fileno=fd)
        self.addCleanup(deaf.close)
        three = [self.listening(100), self.listening(101), self.listening(103)]
        for sockets in ([deaf], three):
            with self.subTest(n=len(sockets)), self.start(sockets) as process:
                self.assertEqual(process.wait(PATIENCE), 78)
                self.assertIn("socket activation", process.stderr.read())

    def test_public_socket_needs_keys(self):
        with socket.create_server(("0.0.0.0", 0)) as s:
            fd = os.dup2(s.fileno(), 100)
        public = socket.socket(fileno=fd)
        self.addCleanup(public.close)
        with self.start([public]) as process:
            self.assertEqual(process.wait(PATIENCE), 78)
            self.assertIn("api_key_file", process.stderr.read())


def main():
    with open(os.path.join(BUILD, "config.h"), encoding="utf-8") as f:
        if "#define HAVE_SYSTEMD 1" not in f.read():
            print("built without systemd: skipped")
            sys.exit(77)
    harness.main()


if __name__ == "__main__":
    main()
