# SPDX-License-Identifier: Apache-2.0
"""What the routes of chips take and refuse, and what they say of it."""

import json
import os
import shutil
import unittest

import harness
from harness import MODEL, MODEL_ID
from test_chips import CHIPS, PROBLEMS, PROFILES, ChipDaemon, Shared, StateDirectory


class Reading(StateDirectory):
    """Chips can be looked at from the end of the load to the end of the daemon."""

    CHIP = ("--backend", "analog", "--profile", "ideal")

    def test_while_loading(self):
        path = os.path.join(self.dir, "analogd.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write("".join(f'model "m{i}" {{ dir = "{MODEL}" }}\n' for i in range(30)))
        with ChipDaemon("--config", path, *self.CHIP, model=None, wait=False) as daemon:
            answers = [daemon.get(CHIPS), daemon.get(CHIPS + "/m0")]
            if not daemon.events("ready"):
                for answer in answers:
                    self.assertEqual((answer.status, answer.error["code"]), (503, "loading"))
                    self.assertIn("retry-after", answer.headers)
            daemon.wait_ready()
            self.assertEqual(len(daemon.get(CHIPS).json()["data"]), 30)

    def test_while_draining(self):
        with ChipDaemon() as daemon:
            daemon.program("a", "ideal")
            body = {"prompt": "a", "n": 16, "max_tokens": 400, "ignore_eos": True, "stream": True}
            with daemon.raw_post("/v1/completions", body) as stream:
                stream.recv(1)
                daemon.kill()
                daemon.wait_until(lambda: daemon.events("draining"), "it drains")
                self.assertEqual(daemon.get(CHIPS).status, 200)
                self.assertEqual(daemon.post(CHIPS, {}).status, 503)
                while stream.recv(1 << 16):
                    pass
            daemon.process.wait(harness.PATIENCE)


class Types(Shared):

    def test_a_page_cannot_make_chips(self):
        """What a page of another origin can send unasked."""
        body = json.dumps({"model": MODEL_ID, "profile": "ideal"}).encode()
        for kind in ("", "Content-Type: text/plain\r\n", "Content-Type:\r\n",
                     "Content-Type: multipart/form-data\r\n"):
            with self.subTest(kind=kind):
                request = (f"POST {CHIPS} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                           f"{kind}Content-Length: {len(body)}\r\n\r\n").encode()
                with self.daemon.raw(request + body) as s:
                    self.assertTrue(s.recv(100).startswith(b"HTTP/1.1 415 "))
        self.assertEqual(self.daemon.names(), [])

    def test_methods(self):
        for method, path, allowed in (("PUT", CHIPS, "GET, HEAD, POST"),
                                      ("PATCH", CHIPS + "/a", "GET, HEAD, DELETE"),
                                      ("OPTIONS", CHIPS + "/a/age", "POST")):
            with self.subTest(method=method, path=path):
                answer = self.daemon.request(method, path)
                self.assertEqual((answer.status, answer.headers["allow"]), (405, allowed))
        self.assertEqual(self.daemon.request("PUT", "/nothing").status, 404)


class Answers(Shared):
    """Who asks for what is not there, or not yet, hears what there is."""

    def test_misspelt_fields(self):
        """A sweep over "chip_seed" must not draw a seed for each of its chips."""
        self.daemon.program("f")
        for path, body in (("", {"model": MODEL_ID, "profile": "ideal", "chip_seed": 1}),
                           ("/f/age", {"age": 1, "ages": 2}),
                           ("/f/probe", {"prompt": "a", "text": "b"}),
                           ("/f/calibrate", {"texts": ["a"], "quantile": 0.9})):
            with self.subTest(path=path):
                field = list(body)[-1]
                self.assert_error(self.daemon.post(CHIPS + path, body), 400, field, None, field)
        self.assertEqual(self.daemon.names(), ["f"])

    def test_ids(self):
        """The id of a chip and that of its model, each where the other is asked for."""
        self.daemon.program("k", "ideal")
        self.assert_error(self.daemon.get(CHIPS + "/nobody"), 404, None, "chip_not_found",
                          '"nobody"')
        self.assert_error(self.daemon.get(f"{CHIPS}/{MODEL_ID}@k"), 404, None, "chip_not_found",
                          'the chip of this model is called "k"')
        self.assert_error(self.daemon.post("/v1/completions", {"model": "k", "prompt": "a"}), 404,
                          "model", "model_not_found", f"served as `{MODEL_ID}@k`")
        answer = self.daemon.get(CHIPS + "/" + "%e4" * 500)
        self.assert_error(answer, 404, None, "chip_not_found")

    def test_out_bound(self):
        for profile, value, says in (("pcm-hermes", 1e-4, "at least 0.001"),
                                     ("ideal", 10, "no output converters")):
            body = {"model": MODEL_ID, "profile": profile, "out_bound": value}
            self.assert_error(self.daemon.post(CHIPS, body), 400, "out_bound", None, says)
        self.assertEqual(self.daemon.program("o", out_bound=0.001)["out_bound"], 0.001)

    def test_prompts_of_probes(self):
        self.daemon.program("p", "ideal")
        for prompt, code in (("word " * 600, "context_length_exceeded"), (None, None)):
            with self.subTest(prompt=str(prompt)[:10]):
                answer = self.daemon.post(CHIPS + "/p/probe", {"prompt": prompt})
                self.assert_error(answer, 400, "prompt", code)

    def test_who_leaves_changes_nothing(self):
        """A body takes a while to read, and its client has left before that is over."""
        self.daemon.program("l")
        before = self.daemon.metric("analogd_cancelled_total")
        texts = [" ".join(PROBLEMS) * 20] * 100
        self.daemon.raw_post(CHIPS + "/l/calibrate", {"texts": texts, "method": "max"}).close()
        self.daemon.wait_until(
            lambda: self.daemon.metric("analogd_cancelled_total") > before, "it is noticed")
        chip = self.daemon.chip("l")
        self.assertEqual((chip["state"], chip["input_ranges"]), ("ready", "dynamic"))


class Profiles(StateDirectory):
    """Names that profiles may have and chips may not."""

    def test_names(self):
        profiles = os.path.join(self.dir, "profiles")
        os.mkdir(profiles)
        names = ("_x", "-", "p" * 60, "x.ranges")
        for name in names:
            shutil.copy(os.path.join(PROFILES, "ideal.conf"),
                        os.path.join(profiles, name + ".conf"))
        with self.daemon("--profile-dir", profiles) as daemon:
            for name in names:
                with self.subTest(profile=name):
                    chip = daemon.change("", model=MODEL_ID, profile=name, seed=2**53)
                    self.assertTrue(chip["id"].endswith(f"-{2**53}"), chip["id"])
                    self.assertEqual(chip["profile"], name)
                    daemon.wait_chip(chip["id"])
            chips = daemon.names()
            for name in ("", ".", ".hidden", "a b", "ä", "p" * 500, "/etc/passwd", "a@b"):
                with self.subTest(profile=name):
                    answer = daemon.post(CHIPS, {"model": MODEL_ID, "profile": name})
                    self.assertEqual((answer.status, answer.error["param"]), (400, "profile"))
        with self.daemon("--profile-dir", profiles) as daemon:
            for name in chips:
                daemon.wait_chip(name)

    def test_converters_of_no_use(self):
        """What integer tiles cannot compute is refused at once."""
        profiles = os.path.join(self.dir, "profiles")
        os.mkdir(profiles)
        with open(os.path.join(PROFILES, "ideal.conf"), encoding="utf-8") as f:
            ideal = f.read()
        with open(os.path.join(profiles, "fine.conf"), "w", encoding="utf-8") as f:
            f.write(ideal.replace("inp_res = 254", "inp_res = 1022"))
        with self.daemon("--profile-dir", profiles) as daemon:
            body = {"model": MODEL_ID, "profile": "fine"}
            answer = daemon.post(CHIPS, body)
            self.assertEqual((answer.status, answer.error["param"]), (400, "profile"))
            self.assertIn("254 steps", answer.error["message"])
            daemon.program("exact", "fine", backend="analog-exact")


class Calibration(StateDirectory):

    def kept_ranges(self):
        return [name for _, _, names in os.walk(self.dir) for name in names if ".ranges." in name]

    def test_bodies(self):
        with self.daemon() as daemon:
            daemon.program("c")
            for param, body in (("texts[1]", {"texts": ["a", ""]}),
                                ("value", {"texts": ["a"], "method": "max", "value": 1}),
                                ("value", {"method": "none", "value": 1}),
                                ("texts", {"texts": ["a"], "method": "none"}),
                                ("texts", {"method": "max"})):
                with self.subTest(body=body):
                    answer = daemon.post(CHIPS + "/c/calibrate", body)
                    self.assertEqual((answer.status, answer.error["param"]), (400, param))
            daemon.program("d", "ideal")
            answer = daemon.post(CHIPS + "/d/calibrate", {"texts": PROBLEMS})
            self.assertEqual((answer.status, answer.error["code"]), (400, "ranges_not_static"))

    def test_what_ranges_are_from(self):
        counts = {}
        with self.daemon() as daemon:
            for name, fields in (("q", {"value": 0.999}), ("m", {"method": "max"})):
                self.assertIsNone(daemon.program(name)["calibration"])
                daemon.change(f"/{name}/calibrate", texts=PROBLEMS, **fields)
                counts[name] = daemon.wait_chip(name)["calibration"]
            tokens = sum(len(daemon.tokenize(p)) + 1 for p in PROBLEMS)  # and BOS
            rest = {"texts": len(PROBLEMS), "tokens": tokens}
            self.assertEqual(counts["q"], {"method": "quantile", "value": 0.999, **rest})
            self.assertEqual(counts["m"], {"method": "max", "value": None, **rest})
        with self.daemon() as daemon:
            for name, expected in counts.items():
                self.assertEqual(daemon.wait_chip(name)["calibration"], expected)

    def test_ranges_are_taken_away(self):
        args = ("--backend", "analog", "--profile", "pcm-hermes", "--chip-seed", "4")
        names = ("c", MODEL_ID)  # one of the API, and the configured one
        with self.daemon(*args) as daemon:
            daemon.program("c", seed=3)
            answers = {}
            for name in names:
                model = daemon.chip(name)["model"]
                answers[model] = daemon.answers(model)
                daemon.change(f"/{name}/calibrate", texts=PROBLEMS)
                self.assertEqual(daemon.wait_chip(name)["input_ranges"], "calibrated")
                self.assertTrue(self.kept_ranges())
                daemon.change(f"/{name}/calibrate", method="none")
                chip = daemon.wait_chip(name)
                self.assertEqual((chip["input_ranges"], chip["calibration"]), ("dynamic", None))
                self.assertEqual(daemon.answers(model), answers[model])
                self.assertEqual(self.kept_ranges(), [])
        with self.daemon(*args) as daemon:
            daemon.wait_chip("c")
            for model, expected in answers.items():
                self.assertEqual(daemon.answers(model), expected)
            # Both kinds of chips are told of in the log.
            warned = {e["model"] for e in daemon.events("input_ranges_missing")}
            self.assertEqual(warned, set(answers))


if __name__ == "__main__":
    unittest.main(verbosity=2)
