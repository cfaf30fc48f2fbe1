# SPDX-License-Identifier: Apache-2.0
"""Chips as resources: programmed, aged, calibrated, probed, deleted and kept, while
requests run. What makes an answer is the state of the chip that it began on.

    test_chips.py [--clients N] [--seconds S]"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import tempfile
import threading
import time
import unittest

import harness
from harness import (MODEL, MODEL_ID, PROMPT, TOP, Daemon, in_parallel, join_completion_stream,
                     parse_stream, sanitized)

# ThreadSanitizer is many times slower, and what it is for shows in little work.
THREADS_ONLY = sanitized("thread")
OPTIONS = argparse.Namespace(clients=6 if THREADS_ONLY else 12 if sanitized() else 32,
                             seconds=6.0)
PROFILES = os.path.join(TOP, "conf", "profiles")
DRIFTS = "pcm-aihwkit"  # a profile under which age matters
CHIPS = "/v1/chips"
HOUR, DAY = 3600, 86400
FIELDS = {"id", "object", "model", "base_model", "profile", "seed", "age", "conductance_bits",
          "out_bound", "backend", "state", "progress", "error", "input_ranges", "calibration", "memory",
          "created", "source", "persistent"}
PROBLEMS = [p["prompt"] for p in harness.problems()[:2 if THREADS_ONLY else 6]]
TOKENS = 8 if THREADS_ONLY else 24
ROUNDS = 3  # of the operator, at least


class ChipDaemon(Daemon):
    """A daemon with the profiles of the sources, and words for what chips do."""

    def __init__(self, *args, **kwargs):
        super().__init__("--profile-dir", PROFILES, "--queue-timeout", "300", *args, **kwargs)

    def change(self, path, **body):
        """A POST that must be accepted; the chip as it is then."""
        answer = self.post(CHIPS + path, body)
        assert answer.status == 202, (path, answer.status, answer.body)
        return answer.json()

    def chip(self, name):
        return self.get(f"{CHIPS}/{name}").json()

    def wait_chip(self, name, state="ready"):
        self.wait_until(lambda: self.chip(name).get("state") in (state, "failed"),
                        f"chip {name} is {state}")
        chip = self.chip(name)
        assert chip["state"] == state, chip
        return chip

    def program(self, name, profile="pcm-hermes", **fields):
        self.change("", model=MODEL_ID, profile=profile, name=name, **fields)
        return self.wait_chip(name)

    def age(self, name, age):
        self.change(f"/{name}/age", age=age)
        return self.wait_chip(name)

    def delete(self, name):
        answer = self.request("DELETE", f"{CHIPS}/{name}")
        assert answer.status == 200, answer.body
        return answer.json()

    def names(self):
        return [chip["id"] for chip in self.get(CHIPS).json()["data"]]

    def answers(self, model):
        """Fingerprint and what is generated, to the last bit of its logprobs."""
        found = self.completion(PROBLEMS, model=model, max_tokens=TOKENS, temperature=0.7, seed=5,
                                logprobs=1, ignore_eos=True)
        return found["system_fingerprint"], [(c["text"], c["logprobs"]["token_logprobs"])
                                             for c in found["choices"]]

    def keep_busy(self, name):
        """Something that takes the chip, and whoever waits behind it, a while."""
        texts = [f"{p} {i}" for i in range(1000 // len(PROBLEMS)) for p in PROBLEMS]
        return self.change(f"/{name}/calibrate", texts=texts, method="max")


class StateDirectory(unittest.TestCase):
    """Tests with a state directory of their own."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="analogd-test-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.chips = os.path.join(self.dir, "chips")

    def daemon(self, *args, **kwargs):
        return ChipDaemon("--state-dir", self.dir, *args, **kwargs)

    def files(self):
        return sorted(os.listdir(self.chips))

    def read(self, name):
        with open(os.path.join(self.chips, name), encoding="utf-8") as f:
            return f.read()

    @staticmethod
    def replace(path, pattern, text):
        with open(path, encoding="utf-8") as f:
            content, n = re.subn(pattern, text, f.read())
        assert n, (path, pattern)
        with open(path, "w", encoding="utf-8") as f:
            f.write(content)

    def write(self, name, content):
        with open(os.path.join(self.chips, name), "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())


class Shared(harness.DaemonTest):

    @classmethod
    def setUpClass(cls):
        cls.daemon = ChipDaemon()

    def tearDown(self):
        for name in self.daemon.names():
            self.daemon.delete(name)


class Lifecycle(Shared):

    def test_from_programming_to_deletion(self):
        daemon = self.daemon
        answer = daemon.post(CHIPS, {"model": MODEL_ID, "profile": "pcm-hermes", "seed": 7,
                                     "name": "a", "conductance_bits": 8})
        self.assertEqual(answer.status, 202, answer.body)
        self.assertEqual(answer.headers["location"], CHIPS + "/a")
        self.assertEqual(answer.json()["state"], "programming")
        chip = daemon.wait_chip("a")
        self.assertEqual(set(chip), FIELDS)
        self.assertEqual({k: chip[k] for k in ("id", "object", "model", "base_model", "profile",
                                               "seed", "age", "conductance_bits", "backend",
                                               "progress", "error", "source", "persistent")},
                         {"id": "a", "object": "chip", "model": MODEL_ID + "@a",
                          "base_model": MODEL_ID, "profile": "pcm-hermes", "seed": 7, "age": 0,
                          "conductance_bits": 8, "backend": "analog", "progress": 1,
                          "error": None, "source": "api", "persistent": False})
        memory = chip["memory"]
        self.assertGreater(memory["total_bytes"], memory["weights_bytes"] +
                           memory["kv_cache_bytes"] + memory["workspace_bytes"] - 1)
        self.assertEqual(daemon.get(CHIPS).json(), {"object": "list", "data": [chip]})
        found = daemon.chat([{"role": "user", "content": harness.QUESTION}], model=chip["model"])
        self.assertEqual(found["model"], chip["model"])
        self.assertTrue(found["usage"]["aimc"]["estimate"])
        self.assertIn(f'model_name="{chip["model"]}"', str(daemon.metrics()))
        self.assertEqual(daemon.delete("a"), {"id": "a", "object": "chip", "deleted": True})
        self.assert_error(daemon.get(CHIPS + "/a"), 404, None, "chip_not_found")
        self.assert_error(daemon.post("/v1/completions", {"model": chip["model"], "prompt": "a"}),
                          404, "model", "model_not_found")
        daemon.wait_until(lambda: chip["model"] not in str(daemon.metrics()),
                          "the chip's metrics are gone")

    @unittest.skipIf(THREADS_ONLY, "no threads meet")
    def test_models_tell_of_chips(self):
        self.daemon.program("m", seed=3, age="1d", conductance_bits=16)
        twin, chip = self.daemon.get("/v1/models").json()["data"]
        self.assertEqual((twin["id"], twin["parent"]), (MODEL_ID, None))
        self.assertEqual((chip["id"], chip["parent"]), (MODEL_ID + "@m", MODEL_ID))
        self.assertEqual({k: chip["meta"][k] for k in ("backend", "profile", "seed", "age",
                                                       "conductance_bits")},
                         {"backend": "analog", "profile": "pcm-hermes", "seed": 3, "age": DAY,
                          "conductance_bits": 16})
        # No model named: the first of the configuration, as without chips.
        answer = self.daemon.post("/v1/completions", {"prompt": "a", "max_tokens": 1})
        self.assertEqual(answer.json()["model"], MODEL_ID)

    @unittest.skipIf(THREADS_ONLY, "no threads meet")
    def test_defaults(self):
        chip = self.daemon.change("", model=MODEL_ID, profile="ideal")
        self.assertEqual(chip["id"], f"ideal-{chip['seed']}")
        self.daemon.wait_chip(chip["id"])
        other = self.daemon.change("", model=MODEL_ID, profile="ideal")
        self.assertNotEqual(chip["seed"], other["seed"])
        self.daemon.wait_chip(other["id"])

    def test_a_seed_is_a_chip(self):
        for name, seed in (("a", 1), ("b", 1), ("c", 2)):
            self.daemon.program(name, seed=seed)
        a, b, c = (self.daemon.answers(f"{MODEL_ID}@{name}") for name in "abc")
        self.assertEqual(a, b)
        self.assertNotEqual(a[0], c[0])
        self.assertNotEqual(a[1], c[1])

    def test_ages_are_absolute(self):
        daemon, model = self.daemon, MODEL_ID + "@old"
        daemon.program("old", DRIFTS, seed=4)
        fresh = daemon.answers(model)
        self.assertEqual(daemon.age("old", "1h")["age"], HOUR)
        hour = daemon.answers(model)
        self.assertEqual(daemon.age("old", DAY)["age"], DAY)
        day = daemon.answers(model)
        self.assertNotEqual(fresh[1], hour[1])
        self.assertNotEqual(hour[1], day[1])
        daemon.program("born-old", DRIFTS, seed=4, age="1d")
        self.assertEqual(daemon.answers(MODEL_ID + "@born-old"), day)
        daemon.age("old", 0)
        self.assertEqual(daemon.answers(model), fresh)

    def test_calibration(self):
        daemon, model = self.daemon, MODEL_ID + "@k"
        self.assertEqual(daemon.program("k", seed=2)["input_ranges"], "dynamic")
        warned = [e["model"] for e in daemon.events("input_ranges_missing")]
        self.assertIn(model, warned)
        before = daemon.answers(model)
        self.assertEqual(daemon.change("/k/calibrate", texts=PROBLEMS)["state"], "calibrating")
        self.assertEqual(daemon.wait_chip("k")["input_ranges"], "calibrated")
        after = daemon.answers(model)
        self.assertNotEqual(before, after)
        self.assertEqual(daemon.age("k", 0)["input_ranges"], "calibrated")
        self.assertEqual(daemon.answers(model), after)

    @unittest.skipIf(THREADS_ONLY, "no threads meet")
    def test_calibrations_do_not_depend_on_each_other(self):
        daemon, model = self.daemon, MODEL_ID + "@k"
        daemon.program("k", seed=2)
        answers = []
        for texts in (PROBLEMS, PROBLEMS[:1], PROBLEMS):
            daemon.change("/k/calibrate", texts=texts, method="max")
            daemon.wait_chip("k")
            answers.append(daemon.answers(model))
        self.assertNotEqual(answers[0], answers[1])
        self.assertEqual(answers[0], answers[2])

    @unittest.skipIf(THREADS_ONLY, "no threads meet")
    def test_an_age_that_changes_nothing(self):
        daemon = self.daemon
        daemon.program("timeless", "gaussian")
        before = daemon.answers(MODEL_ID + "@timeless")
        self.assertEqual(daemon.change("/timeless/age", age="30d")["state"], "ready")
        self.assertEqual(daemon.chip("timeless")["age"], 30 * DAY)
        self.assertEqual(daemon.get("/v1/models").json()["data"][1]["meta"]["age"], 30 * DAY)
        self.assertEqual(daemon.answers(MODEL_ID + "@timeless"), before)
        daemon.program("drifting", DRIFTS, age="1d")
        self.assertEqual(daemon.change("/drifting/age", age=DAY)["state"], "ready")

    @unittest.skipIf(THREADS_ONLY, "no threads meet")
    def test_a_line_of_the_log_makes_the_chip_again(self):
        daemon = self.daemon
        daemon.change("", model=MODEL_ID, profile=DRIFTS, name="l", age=1234567,
                      conductance_bits=8, out_bound=9.5)
        daemon.wait_chip("l")
        line = [e for e in daemon.events("chip_ready") if e["chip"] == "l"][-1]
        self.assertEqual((line["operation"], line["input_ranges"]), ("program", "dynamic"))
        daemon.program("again", line["profile"], seed=int(line["seed"]), age=float(line["age"]),
                       conductance_bits=int(line["conductance_bits"]),
                       out_bound=float(line["out_bound"]), backend=line["backend"])
        answers = daemon.answers(MODEL_ID + "@again")
        self.assertEqual(answers, daemon.answers(MODEL_ID + "@l"))
        self.assertEqual(answers[0], line["fingerprint"])

    def test_probe(self):
        self.daemon.program("p")
        answer = self.daemon.post(CHIPS + "/p/probe", {"prompt": PROMPT})
        self.assertEqual(answer.status, 200, answer.body)
        probe = answer.json()
        self.assertEqual((probe["object"], probe["chip"]), ("chip.probe", "p"))
        self.assertGreater(probe["prompt_tokens"], 10)
        names = [layer["name"] for layer in probe["layers"]]
        self.assertIn("layers.0.q_proj", names)
        self.assertEqual(names[-1], "lm_head")
        for layer in probe["layers"]:
            self.assertTrue(0 <= layer["dac_clipped"] <= 1 and 0 <= layer["adc_saturated"] <= 1)
            self.assertTrue(0 < layer["rms_error"] < 1, layer)
        self.assertEqual(self.daemon.post(CHIPS + "/p/probe", {"prompt": PROMPT}).json(), probe)


class Running(Shared):
    """What runs ends on the state it began on."""

    BODY = {"prompt": PROMPT, "max_tokens": 100 if THREADS_ONLY else 400, "temperature": 1,
            "seed": 1, "ignore_eos": True}

    def started(self, model):
        """A stream of which a part has come, with its socket, and the whole expected."""
        expected = self.daemon.completion(model=model, **self.BODY)
        client = self.daemon.raw_post("/v1/completions",
                                      {**self.BODY, "model": model, "stream": True})
        return client, client.recv(600), expected

    def finish(self, client, head, expected):
        data = head
        while part := client.recv(1 << 16):
            data += part
        client.close()
        body = b""
        _, rest = data.split(b"\r\n\r\n", 1)
        while rest:  # the chunks of HTTP
            size, rest = rest.split(b"\r\n", 1)
            body += rest[:int(size, 16)]
            rest = rest[int(size, 16) + 2:]
        chunks = parse_stream(body)
        self.assertEqual({c["system_fingerprint"] for c in chunks},
                         {expected["system_fingerprint"]})
        self.assertEqual(join_completion_stream(chunks)[0]["text"],
                         expected["choices"][0]["text"])

    def test_a_deleted_chip(self):
        self.daemon.program("gone", seed=1)
        stream = self.started(MODEL_ID + "@gone")
        self.daemon.delete("gone")
        self.daemon.program("gone", seed=2)  # the name is free at once
        self.finish(*stream)

    def test_an_ageing_chip(self):
        self.daemon.program("ageing", DRIFTS, seed=1)
        stream = self.started(MODEL_ID + "@ageing")
        self.daemon.age("ageing", "1y")
        self.finish(*stream)

    def test_a_calibrated_chip(self):
        self.daemon.program("tuned", seed=1)
        stream = self.started(MODEL_ID + "@tuned")
        self.daemon.change("/tuned/calibrate", texts=PROBLEMS)
        self.daemon.wait_chip("tuned")
        self.finish(*stream)


class Refusals(Shared):

    @unittest.skipIf(THREADS_ONLY, "no threads meet")
    def test_what_is_not_there(self):
        self.assert_error(self.daemon.get(CHIPS + "/none"), 404, None, "chip_not_found")
        self.assert_error(self.daemon.request("DELETE", CHIPS + "/none"), 404, None,
                          "chip_not_found")
        for action in ("age", "probe", "calibrate"):
            self.assert_error(self.daemon.post(f"{CHIPS}/none/{action}", {}), 404, None,
                              "chip_not_found")
        self.assertEqual(self.daemon.get(CHIPS + "/").status, 404)
        self.assertEqual(self.daemon.post(CHIPS + "/none/other", {}).status, 404)
        self.assert_error(self.daemon.post(CHIPS, {"model": "none", "profile": "ideal"}), 404,
                          "model", "model_not_found")

    @unittest.skipIf(THREADS_ONLY, "no threads meet")
    def test_methods(self):
        self.daemon.program("m", "ideal")
        for method, path, allowed in (("DELETE", CHIPS, "GET, HEAD, POST"),
                                      ("POST", CHIPS + "/m", "GET, HEAD, DELETE"),
                                      ("GET", CHIPS + "/m/age", "POST"),
                                      ("DELETE", CHIPS + "/m/probe", "POST")):
            with self.subTest(method=method, path=path):
                answer = self.daemon.request(method, path)
                self.assertEqual((answer.status, answer.headers["allow"]), (405, allowed))

    @unittest.skipIf(THREADS_ONLY, "no threads meet")
    def test_bodies_of_new_chips(self):
        good = {"model": MODEL_ID, "profile": "ideal"}
        for param, value in (("model", None), ("model", 1), ("profile", None), ("profile", ""),
                             ("profile", "none"), ("profile", "/etc/passwd"), ("profile", ".."),
                             ("profile", PROFILES + "/ideal.conf"), ("seed", -1), ("seed", 1.5),
                             ("seed", 2**53 + 1), ("seed", "1"), ("age", -1), ("age", "1 week"),
                             ("age", 1e300), ("age", []), ("conductance_bits", 9),
                             ("conductance_bits", 32), ("out_bound", -1), ("out_bound", 1e9),
                             ("backend", "int8"), ("backend", 8), ("name", 1)):
            with self.subTest(param=param, value=value):
                self.assert_error(self.daemon.post(CHIPS, {**good, param: value}), 400, param)
        self.assertEqual(self.daemon.names(), [])

    @unittest.skipIf(THREADS_ONLY, "no threads meet")
    def test_hostile_names(self):
        for name in ("", ".", "..", "../a", "a/b", "/a", ".a", "-a", "_a", "a b", "a\n", "ä",
                     "a\u0000b", "a" * 65, "x.ranges", "a%2fb", "a\"b", "@", "a@b", "a\\b"):
            with self.subTest(name=name):
                answer = self.daemon.post(CHIPS, {"model": MODEL_ID, "profile": "ideal",
                                                  "name": name})
                self.assertEqual(answer.status, 400, answer.body)
        for path in ("/..", "/%2e%2e%2fa", "/a%00", "/" + "a" * 3000, "/a%2fage"):
            with self.subTest(path=path):
                self.assertIn(self.daemon.get(CHIPS + path).status, (400, 404, 405))

    @unittest.skipIf(THREADS_ONLY, "no threads meet")
    def test_other_bodies(self):
        self.daemon.program("b")
        table = (("age", {}, "age"), ("age", {"age": None}, "age"), ("age", {"age": True}, "age"),
                 ("age", {"age": "-1d"}, "age"), ("probe", {}, "prompt"),
                 ("probe", {"prompt": 3}, "prompt"), ("calibrate", {}, "texts"),
                 ("calibrate", {"texts": []}, "texts"), ("calibrate", {"texts": "a"}, "texts"),
                 ("calibrate", {"texts": ["a", 1]}, "texts"),
                 ("calibrate", {"texts": ["a"] * 4097}, "texts"),
                 ("calibrate", {"texts": ["a"], "method": "best"}, "method"),
                 ("calibrate", {"texts": ["a"], "value": 2}, "value"))
        for action, body, param in table:
            with self.subTest(action=action, body=str(body)[:60]):
                self.assert_error(self.daemon.post(f"{CHIPS}/b/{action}", body), 400, param)
        long = {"prompt": "word " * 4000}
        self.assert_error(self.daemon.post(CHIPS + "/b/probe", long), 400, "prompt",
                          "context_length_exceeded")

    def test_conflicts(self):
        self.daemon.program("taken")
        again = {"model": MODEL_ID, "profile": "ideal", "name": "taken"}
        self.assert_error(self.daemon.post(CHIPS, again), 409, "name", "chip_exists")
        self.daemon.keep_busy("taken")
        for action, body in (("age", {"age": 1}), ("calibrate", {"texts": ["a"]})):
            self.assert_error(self.daemon.post(f"{CHIPS}/taken/{action}", body), 409, None,
                              "chip_busy")

    def test_a_chip_that_is_not_ready(self):
        """It waits for its turn behind another; requests are told to come back."""
        daemon = self.daemon
        daemon.program("first")
        daemon.keep_busy("first")
        chip = daemon.change("", model=MODEL_ID, profile="ideal", name="second")
        self.assertEqual((chip["state"], chip["progress"]), ("queued", 0))
        answer = daemon.post("/v1/completions", {"model": MODEL_ID + "@second", "prompt": "a"})
        self.assert_error(answer, 503, None, "chip_not_ready")
        self.assertIn("retry-after", answer.headers)
        self.assertEqual(len(daemon.get("/v1/models").json()["data"]), 2)
        self.assertEqual(daemon.post(CHIPS + "/first/probe", {"prompt": "a"}).status, 200)
        daemon.delete("second")
        self.assertEqual(daemon.names(), ["first"])
        daemon.delete("first")  # its calibration ends with it
        daemon.program("second", "ideal")

    @unittest.skipIf(THREADS_ONLY, "no threads meet")
    def test_memory(self):
        """A cache that one model can have, and a second one cannot."""
        with open("/proc/meminfo", encoding="ascii") as f:
            kib = next(int(line.split()[1]) for line in f if line.startswith("MemAvailable"))
        limit = min([kib << 10] + [int(text) for text in cgroup_limits()])
        with ChipDaemon("--kv-cache", str(limit * 6 // 10)) as daemon:
            answer = daemon.post(CHIPS, {"model": MODEL_ID, "profile": "pcm-hermes"})
            self.assert_error(answer, 409, None, "insufficient_memory",
                              r"needs .*weights .*KV cache .* are available; lower kv_cache, "
                              r"or use 8 conductance_bits$")
            self.assertEqual(daemon.names(), [])


def cgroup_limits():
    """Limits on memory that the kernel tells of, where it tells."""
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(path, encoding="ascii") as f:
                text = f.read().strip()
        except OSError:
            continue
        if text.isdigit():
            yield text


@unittest.skipIf(THREADS_ONLY, "no threads meet")
class Keys(StateDirectory):

    def test_an_admin_key_is_needed(self):
        path = os.path.join(self.dir, "keys")
        with open(path, "w", encoding="ascii") as f:
            f.write("user-key\nadmin-key admin\n")
        os.chmod(path, 0o600)
        body = {"model": MODEL_ID, "profile": "ideal", "name": "a"}
        with self.daemon("--api-key-file", path) as daemon:
            for method, where in (("GET", ""), ("POST", ""), ("GET", "/a"), ("DELETE", "/a"),
                                  ("POST", "/a/age"), ("POST", "/a/probe"),
                                  ("POST", "/a/calibrate")):
                for key, status in ((None, 401), ("wrong", 401), ("user-key", 403)):
                    with self.subTest(method=method, where=where, key=key):
                        headers = {"Authorization": "Bearer " + key} if key else {}
                        answer = daemon.request(method, CHIPS + where, headers=headers)
                        self.assertEqual(answer.status, status)
            admin = {"Authorization": "Bearer admin-key"}
            self.assertEqual(daemon.post(CHIPS, body, headers=admin).status, 202)
            self.assertEqual(daemon.request("DELETE", CHIPS + "/a", headers=admin).status, 200)


class Restart(StateDirectory):

    def kept(self, daemon):
        """The chips, but for their workspace, which depends on the threads."""
        chips = daemon.get(CHIPS).json()["data"]
        for chip in chips:
            self.assertTrue(chip["persistent"])
            del chip["memory"]
        return chips

    def test_chips_come_back(self):
        with self.daemon() as daemon:
            daemon.program("a", DRIFTS, seed=11)
            daemon.age("a", "30d")
            daemon.program("b", seed=12, conductance_bits=8)
            daemon.change("/b/calibrate", texts=PROBLEMS, method="max")
            daemon.wait_chip("b")
            daemon.program("c", "ideal")
            daemon.delete("c")
            chips = self.kept(daemon)
            answers = [daemon.answers(f"{MODEL_ID}@{name}") for name in "ab"]
        ranges, = [name for name in self.files() if name.endswith(".ranges.json")]
        self.assertRegex(ranges, "^b[.][0-9a-f]{16}[.]ranges[.]json$")
        self.assertEqual(self.files(), sorted(["a.json", "b.json", ranges]))
        other = ["--threads", "3"] + ([] if THREADS_ONLY else ["--kernels", "portable"])
        for more in (["--threads", "1"], other):
            with self.daemon(*more) as daemon:
                for name in "ab":
                    daemon.wait_chip(name)
                self.assertEqual([daemon.answers(f"{MODEL_ID}@{name}") for name in "ab"], answers)
                self.assertEqual(self.kept(daemon), chips)

    def test_a_crash_while_programming(self):
        """What was accepted is there again, and what was not is no harm."""
        daemon = self.daemon()
        accepted = []
        for i in range(5):
            daemon.change("", model=MODEL_ID, profile="pcm-hermes", name=f"chip-{i}", seed=i)
            accepted.append(f"chip-{i}")
        daemon.kill(signal.SIGKILL)
        daemon.process.wait()
        shutil.rmtree(daemon.dir)
        self.write(".chip-9.json.tmp", "{")
        with self.daemon() as daemon:
            for name in accepted:
                daemon.wait_chip(name)
            daemon.program("reference", seed=4)
            self.assertEqual(daemon.answers(MODEL_ID + "@chip-4"),
                             daemon.answers(MODEL_ID + "@reference"))

    @unittest.skipIf(THREADS_ONLY, "no threads meet")
    def test_files_that_are_no_chips(self):
        with self.daemon() as daemon:
            daemon.program("good", "ideal")
        good = self.read("good.json")
        wrong = {
            "empty": "", "text": "hello", "list": "[]", "deep": "[" * 5000, "nul": b"\0" * 100,
            "utf8": b'{"id": "\xff"}', "short": good[:-20], "large": good + " " * 70000,
            "named": good, "seed": good.replace('"seed":', '"seed": -1, "x":'),
            "backend": good.replace('"analog"', '"int8"'),
            "age": good.replace('"age": 0', '"age": 1e300'),
            "path": good.replace('"profile": "ideal"', '"profile": "/etc/passwd"'),
            "version": good.replace('"version": 1', '"version": 2'),
        }
        for name, content in wrong.items():
            if isinstance(content, str) and name != "named":
                content = content.replace('"good"', f'"{name}"')
            self.write(name + ".json", content)
        self.write("..json", good)
        self.write("-x.json", good)
        os.symlink("/dev/zero", os.path.join(self.chips, "device.json"))
        os.mkdir(os.path.join(self.chips, "folder.json"))
        before = self.files()
        self.write("a.json.Xy12Zz", "half a chip")  # what a crash leaves goes away
        with self.daemon() as daemon:
            daemon.wait_chip("good")
            bad = set(wrong) | {"device", "folder"}
            self.assertEqual(set(daemon.names()), bad | {"good"})
            for name in bad:
                chip = daemon.chip(name)
                self.assertEqual((chip["state"], chip["id"]), ("failed", name))
                self.assertIn(name + ".json", chip["error"])
            self.assertEqual({e["chip"] for e in daemon.events("chip_failed")}, bad)
            self.assertEqual(self.files(), before)
            answer = daemon.post(CHIPS, {"model": MODEL_ID, "profile": "ideal", "name": "empty"})
            self.assertEqual((answer.status, answer.error["code"]), (409, "chip_exists"))
            self.assertEqual(daemon.request("DELETE", CHIPS + "/folder").status, 500)
            daemon.delete("empty")
            daemon.program("empty", "ideal")

    @unittest.skipIf(THREADS_ONLY, "no threads meet")
    def test_what_cannot_be_programmed_again(self):
        """It says why, is not served, can be deleted, and its file stays until then."""
        profiles = os.path.join(self.dir, "profiles")
        shutil.copytree(PROFILES, profiles)
        args = ("--profile-dir", profiles)
        with self.daemon(*args) as daemon:
            for name, profile in (("same", "ideal"), ("changed", "gaussian"),
                                  ("lost", "reram-wan2022"), ("moved", "ideal"),
                                  ("torn", "pcm-hermes"), ("swapped", "pcm-hermes"),
                                  ("emptied", "pcm-hermes")):
                daemon.program(name, profile)
            for name in ("torn", "swapped", "emptied"):
                daemon.change(f"/{name}/calibrate", texts=PROBLEMS[:1])
                daemon.wait_chip(name)
        with open(os.path.join(profiles, "ideal.conf"), "a", encoding="utf-8") as f:
            f.write("# a comment changes nothing\n")
        self.replace(os.path.join(profiles, "gaussian.conf"), r"inp_res = \d+", "inp_res = 62")
        os.unlink(os.path.join(profiles, "reram-wan2022.conf"))
        self.write("moved.json", self.read("moved.json").replace(
            f'"base_model": "{MODEL_ID}"', '"base_model": "other"'))
        for name in self.files():
            if name.startswith("torn.") and "ranges" in name:
                os.truncate(os.path.join(self.chips, name), 100)
            elif name.startswith("swapped.") and "ranges" in name:
                self.replace(os.path.join(self.chips, name), r"\[[0-9.]+", "[0.5")
            elif name.startswith("emptied.") and "ranges" in name:
                os.unlink(os.path.join(self.chips, name))
        says = {"changed": "numbers of profile gaussian", "lost": "reram-wan2022",
                "moved": "not configured", "torn": "ranges.json",
                "swapped": "not the ranges of the chip", "emptied": "ranges.json"}
        with self.daemon(*args) as daemon:
            daemon.wait_chip("same")
            for name, text in says.items():
                chip = daemon.chip(name)
                self.assertEqual(chip["state"], "failed", chip)
                self.assertRegex(chip["error"], text)
                body = {"model": chip["model"], "prompt": "a"}
                answer = daemon.post("/v1/completions", body)
                self.assertEqual((answer.status, answer.error["code"]), (409, "chip_failed"))
                self.assertIn(text, answer.error["message"])
                self.assertNotIn("retry-after", answer.headers)
                self.assertEqual(daemon.post(f"{CHIPS}/{name}/age", {"age": 1}).status, 409)
                self.assertEqual(daemon.post(f"{CHIPS}/{name}/probe", {"prompt": "a"}).status, 409)
            self.assertEqual(daemon.metric("analogd_chips"), 7)
            daemon.delete("changed")
            self.assertNotIn("changed.json", self.files())
            self.assertIn("lost.json", self.files())

    @unittest.skipIf(THREADS_ONLY, "no threads meet")
    def test_what_fitted_fits_again(self):
        third = {"model": MODEL_ID, "profile": "ideal", "name": "c"}
        with self.daemon() as daemon:
            available = int(daemon.events("loading")[0]["available_bytes"])
        cache = ("--kv-cache", str(available * 27 // 100))  # three of them fit, and no fourth
        with self.daemon(*cache) as daemon:
            daemon.program("a", "ideal")
            daemon.program("b", "ideal")
            answer = daemon.post(CHIPS, third)
            self.assertEqual((answer.status, answer.error["code"]), (409, "insufficient_memory"))
            self.assertRegex(answer.error["message"], "lower kv_cache, or delete a chip$")
        with self.daemon(*cache) as daemon:
            daemon.wait_chip("a")
            daemon.wait_chip("b")
        with self.daemon("--kv-cache", str(available * 40 // 100)) as daemon:
            daemon.wait_chip("a")
            chip = daemon.wait_chip("b", "failed")
            self.assertRegex(chip["error"], "needs .* are available")
            self.assertEqual(chip["memory"]["total_bytes"], 0)
            daemon.delete("a")  # what failed holds no memory
            daemon.wait_until(lambda: daemon.post(CHIPS, third).status == 202, "c has room")
            daemon.wait_chip("c")

    @unittest.skipIf(THREADS_ONLY, "no threads meet")
    def test_a_state_that_cannot_be_kept(self):
        """It is not served; the one before is, and the next attempt is a new one."""
        away = self.chips + ".away"
        with self.daemon() as daemon:
            daemon.program("a", DRIFTS, seed=3)
            before = daemon.answers(MODEL_ID + "@a")
            os.rename(self.chips, away)
            with open(self.chips, "w", encoding="ascii"):
                pass
            for action, body in (("age", {"age": "1d"}), ("calibrate", {"texts": PROBLEMS})):
                daemon.change(f"/a/{action}", **body)
                chip = daemon.wait_chip("a")
                self.assertRegex(chip["error"], "a[.].*json.*: Not a directory")
                self.assertEqual((chip["age"], chip["input_ranges"]), (0, "dynamic"))
                self.assertEqual(daemon.answers(MODEL_ID + "@a"), before)
            self.assertEqual([e["operation"] for e in daemon.events("chip_unchanged")],
                             ["age", "calibrate"])
            refused = daemon.post(CHIPS, {"model": MODEL_ID, "profile": "ideal", "name": "b"})
            self.assertEqual(refused.status, 500, refused.body)
            self.assertEqual(daemon.names(), ["a"])
            os.unlink(self.chips)
            os.rename(away, self.chips)
            chip = daemon.age("a", "1d")
            self.assertEqual((chip["error"], chip["persistent"]), (None, True))
        with self.daemon() as daemon:
            self.assertEqual(daemon.wait_chip("a")["age"], DAY)
            self.assertEqual(daemon.names(), ["a"])

    @unittest.skipIf(THREADS_ONLY, "no threads meet")
    def test_a_file_that_cannot_be_removed(self):
        """The chip is served still; what was being done to it has ended."""
        path = os.path.join(self.chips, "a.json")
        with self.daemon() as daemon:
            daemon.program("a")
            daemon.keep_busy("a")
            os.rename(path, path + ".away")
            os.makedirs(os.path.join(path, "full"))
            answer = daemon.request("DELETE", CHIPS + "/a")
            self.assertEqual(answer.status, 500, answer.body)
            chip = daemon.wait_chip("a")
            self.assertEqual(chip["input_ranges"], "dynamic")
            daemon.answers(MODEL_ID + "@a")
            shutil.rmtree(path)
            os.rename(path + ".away", path)
            daemon.delete("a")
            self.assertEqual((daemon.names(), self.files()), ([], []))

    def test_a_stop_while_a_body_is_read(self):
        """What is asked for is not begun any more."""
        daemon = self.daemon("--drain-timeout", "0")
        daemon.program("a")
        texts = ["word " * 80] * 2500
        client = daemon.raw_post(CHIPS + "/a/calibrate", {"texts": texts})
        client.settimeout(60)
        time.sleep(0.05)
        daemon.kill(signal.SIGTERM)
        head = client.recv(1000)
        client.close()
        self.assertEqual(daemon.process.wait(timeout=60), 0)
        if head:
            self.assertRegex(head, rb"HTTP/1.1 (202|503) ")
        shutil.rmtree(daemon.dir)

    def test_stopping_does_not_wait_for_chips(self):
        with self.daemon() as daemon:
            daemon.program("a")
            daemon.keep_busy("a")
            for i in range(4):
                daemon.change("", model=MODEL_ID, profile="pcm-hermes", name=f"w-{i}")
        # stop() has proved that the process ended by itself, with status 0.
        with self.daemon() as daemon:
            self.assertEqual(daemon.wait_chip("a")["input_ranges"], "dynamic")
            self.assertEqual(len(daemon.names()), 5)

    @unittest.skipIf(THREADS_ONLY, "no threads meet")
    def test_a_state_directory_of_no_use(self):
        path = os.path.join(self.dir, "file")
        with open(path, "w", encoding="ascii"):
            pass
        with self.assertRaisesRegex(AssertionError, "state_dir"):
            ChipDaemon("--state-dir", path)
        os.chmod(self.dir, 0o777)
        with self.assertRaisesRegex(AssertionError, "every user may write"):
            self.daemon()
        os.chmod(self.dir, 0o755)
        with self.daemon():
            with self.assertRaisesRegex(AssertionError, "in use by another"):
                self.daemon()

    @unittest.skipIf(THREADS_ONLY, "no threads meet")
    def test_another_model_in_the_folder(self):
        model = os.path.join(self.dir, MODEL_ID)
        shutil.copytree(MODEL, model)
        with self.daemon(model=model) as daemon:
            daemon.program("a", "ideal")
        with open(os.path.join(model, "generation_config.json"), "a", encoding="utf-8") as f:
            f.write("\n")
        with self.daemon(model=model) as daemon:
            daemon.wait_chip("a")
        with open(os.path.join(model, "config.json"), "a", encoding="utf-8") as f:
            f.write("\n")
        with self.daemon(model=model) as daemon:
            self.assertIn("another model", daemon.wait_chip("a", "failed")["error"])


@unittest.skipIf(THREADS_ONLY, "no threads meet")
class Configured(StateDirectory):

    ARGS = ("--backend", "analog", "--profile", "pcm-hermes", "--chip-seed", "3")

    def test_a_model_on_a_chip(self):
        with ChipDaemon() as daemon:
            daemon.program("c", seed=3)
            expected = daemon.answers(MODEL_ID + "@c")
        with self.daemon(*self.ARGS) as daemon:
            chip, = daemon.get(CHIPS).json()["data"]
            self.assertEqual({k: chip[k] for k in ("id", "model", "source", "state", "seed")},
                             {"id": MODEL_ID, "model": MODEL_ID, "source": "configuration",
                              "state": "ready", "seed": 3})
            self.assertEqual(daemon.answers(MODEL_ID), expected)
            answer = daemon.request("DELETE", f"{CHIPS}/{MODEL_ID}")
            self.assertEqual((answer.status, answer.error["code"]), (409, "chip_configured"))
            self.assertEqual(
                daemon.post(f"{CHIPS}/{MODEL_ID}/probe", {"prompt": "a"}).status, 200)
            self.assertTrue(chip["persistent"])
            self.assertIn(MODEL_ID, [e["chip"] for e in daemon.events("chip_ready")])
            chip = daemon.age(MODEL_ID, "1h")
            self.assertEqual((chip["age"], chip["persistent"]), (HOUR, False))
            daemon.age(MODEL_ID, 0)
            self.assertEqual(daemon.answers(MODEL_ID), expected)
            daemon.change(f"/{MODEL_ID}/calibrate", texts=PROBLEMS)
            self.assertEqual(daemon.wait_chip(MODEL_ID)["input_ranges"], "calibrated")
            calibrated = daemon.answers(MODEL_ID)
        with self.daemon(*self.ARGS) as daemon:
            self.assertEqual(daemon.chip(MODEL_ID)["input_ranges"], "calibrated")
            self.assertEqual(daemon.answers(MODEL_ID), calibrated)
        other_seed = self.ARGS[:-1] + ("4",)
        with self.daemon(*other_seed) as daemon:
            chip = daemon.chip(MODEL_ID)
            self.assertEqual((chip["state"], chip["input_ranges"]), ("ready", "dynamic"))
            self.assertRegex(chip["error"], "ranges are not used: .* the seed 3")
            self.assertEqual(len(daemon.events("input_ranges_ignored")), 1)
        with self.daemon() as daemon:  # a chip of the API by the same name is another one
            daemon.program(MODEL_ID, seed=3)
            self.assertEqual(daemon.answers(f"{MODEL_ID}@{MODEL_ID}"), expected)
            daemon.delete(MODEL_ID)
        self.chips = os.path.join(self.dir, "configured")
        self.write(MODEL_ID + ".json", "torn")
        with self.daemon(*self.ARGS) as daemon:
            self.assertIn("not used", daemon.chip(MODEL_ID)["error"])
            self.assertEqual(daemon.answers(MODEL_ID), expected)

    def test_chips_beside_one(self):
        with self.daemon(*self.ARGS, "--out-bound", "9") as daemon:
            self.assertEqual(daemon.program("d", "ideal")["model"], MODEL_ID + "@d")
            self.assertEqual(daemon.program("e")["out_bound"], 9)
            self.assertEqual(daemon.program("f", out_bound=10)["out_bound"], 10)

    def test_profiles_of_ones_own(self):
        """They stand beside those of other folders, and a broken one is no error of ours."""
        own = os.path.join(self.dir, "own")
        os.makedirs(os.path.join(own, "folder.conf"))
        os.symlink("/nonexistent", os.path.join(own, "link.conf"))
        with open(os.path.join(PROFILES, "ideal.conf"), encoding="utf-8") as f:
            ideal = f.read()
        for name, text in (("mine", ideal), ("gaussian", ideal), ("broken", "tile {\n")):
            with open(os.path.join(own, name + ".conf"), "w", encoding="utf-8") as f:
                f.write(text)
        with self.daemon("--profile-dir", own + "," + PROFILES) as daemon:
            for name in ("mine", "gaussian", "afm-paper"):
                daemon.program(name, name)
            self.assertEqual(daemon.answers(MODEL_ID + "@gaussian")[1],
                             daemon.answers(MODEL_ID + "@mine")[1])
            for name in ("folder", "link", "broken"):
                with self.subTest(name=name):
                    answer = daemon.post(CHIPS, {"model": MODEL_ID, "profile": name})
                    self.assertEqual((answer.status, answer.error["param"]), (400, "profile"))
                    self.assertIn(name + ".conf", answer.error["message"])

    def test_profiles_of_no_use(self):
        for profile, says in (("none", "none"), ("/none.conf", "none.conf")):
            with self.assertRaisesRegex(AssertionError, says):
                ChipDaemon("--backend", "analog", "--profile", profile)


class Load(unittest.TestCase):
    """Clients stream while chips come, age, are probed and go."""

    BODY = {"max_tokens": TOKENS, "temperature": 0.8, "seed": 9, "ignore_eos": True,
            "logprobs": 1}

    def one(self, daemon, model, problem):
        """(fingerprint, answer to the last bit) of one stream, or None if the chip is not
        there just now."""
        answer = daemon.post("/v1/completions", {**self.BODY, "model": model, "stream": True,
                                                 "prompt": PROBLEMS[problem]})
        if model.endswith("@guest") and answer.status in (404, 409, 503):
            return None  # 409: it was to be deleted while it was programmed
        self.assertEqual(answer.status, 200, answer.body)
        chunks = parse_stream(answer.body)
        fingerprints = {chunk["system_fingerprint"] for chunk in chunks}
        self.assertEqual(len(fingerprints), 1)
        choice, = join_completion_stream(chunks)
        return fingerprints.pop(), (choice["text"], tuple(choice["logprobs"]["token_logprobs"]))

    def learn(self, daemon, model):
        """{(fingerprint, problem): answer} of the state that a model is in."""
        answers = [self.one(daemon, model, i) for i in range(len(PROBLEMS))]
        return {(fingerprint, i): found for i, (fingerprint, found) in enumerate(answers)}

    def references(self, daemon):
        expected = self.learn(daemon, MODEL_ID)
        daemon.program("x", DRIFTS, seed=1)
        for age in (DAY, 0):
            expected.update(self.learn(daemon, MODEL_ID + "@x"))
            daemon.age("x", age)
        daemon.program("guest", seed=2)
        expected.update(self.learn(daemon, MODEL_ID + "@guest"))
        daemon.delete("guest")
        # Four states, and no two answer alike.
        self.assertEqual(len({fingerprint for fingerprint, _ in expected}), 4)
        self.assertEqual(len(set(expected.values())), 4 * len(PROBLEMS))
        return expected

    def client(self, daemon, seed, over, expected):
        pick = random.Random(seed)
        counts = {}
        while not over.is_set():
            model = MODEL_ID + pick.choice(("", "@x", "@x", "@guest"))
            problem = pick.randrange(len(PROBLEMS))
            answer = self.one(daemon, model, problem)
            if answer:
                fingerprint, found = answer
                self.assertEqual(found, expected.get((fingerprint, problem)), model)
                counts[fingerprint] = counts.get(fingerprint, 0) + 1
        return counts

    def operator(self, daemon, end):
        rounds = 0
        while rounds < ROUNDS or time.monotonic() < end:
            daemon.age("x", (DAY, 0)[rounds % 2])
            daemon.change("", model=MODEL_ID, profile="pcm-hermes", name="guest", seed=2)
            if rounds % 3:
                daemon.wait_chip("guest")
            answer = daemon.post(CHIPS + "/x/probe", {"prompt": PROMPT})
            self.assertEqual(answer.status, 200, answer.body)
            daemon.delete("guest")
            rounds += 1
        return rounds

    def test_no_answer_of_two_states(self):
        with ChipDaemon() as daemon:
            expected = self.references(daemon)
            daemon.wait_idle()
            descriptors = daemon.descriptors()
            over = threading.Event()

            def work(i):
                if i:
                    return self.client(daemon, i, over, expected)
                try:
                    return self.operator(daemon, time.monotonic() + OPTIONS.seconds)
                finally:
                    over.set()
            rounds, *counts = in_parallel(1 + OPTIONS.clients, work)
            states = {f: sum(c.get(f, 0) for c in counts) for f in {k for c in counts for k in c}}
            print(json.dumps({"clients": OPTIONS.clients, "rounds": rounds,
                              "answers_by_state": sorted(states.values())}))
            self.assertGreaterEqual(len(states), 3)
            daemon.wait_idle()
            daemon.wait_until(lambda: daemon.descriptors() <= descriptors,
                              "no descriptor is left over")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=OPTIONS.clients)
    parser.add_argument("--seconds", type=float, default=OPTIONS.seconds)
    known, rest = parser.parse_known_args(namespace=OPTIONS)
    unittest.main(argv=["test_chips.py", *rest], verbosity=2)
