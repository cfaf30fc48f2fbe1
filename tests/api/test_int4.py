# SPDX-License-Identifier: Apache-2.0
"""The backend int4: digital weights of 4 bits, alone and between the converters of a
profile, with ranges that the calibration of a chip found."""

import glob
import json
import os
import re
import shutil
import tempfile
import unittest

import harness
from harness import MODEL_ID, PROMPT, TOP, Daemon, problems
from test_determinism import has_kernels

FOLDERS = ("--profile-dir", os.path.join(TOP, "conf", "profiles"))
INT4 = FOLDERS + ("--backend", "int4")
PAPER = INT4 + ("--profile", "afm-paper", "--out-bound", "24")
SETTINGS = ("profile", "out_bound", "input_ranges")


def choices(daemon):
    """Likely tokens with their log-probabilities: what differs a little is seen."""
    return daemon.post("/v1/completions", {
        "prompt": [p["prompt"] for p in problems()[:3]], "max_tokens": 8, "temperature": 0,
        "ignore_eos": True, "logprobs": 3}).json()["choices"]


def meta(daemon):
    model, = daemon.get("/v1/models").json()["data"]
    return model["meta"]


class Digital(unittest.TestCase):

    def test_it_is_no_chip(self):
        with Daemon(*INT4) as daemon:
            self.assertEqual(meta(daemon)["backend"], "int4")
            loaded, = daemon.events("loaded")
            for name in ("profile", "out_bound", "input_ranges"):
                self.assertNotIn(name, loaded)
            for name in ("profile", "out_bound", "seed", "age", "conductance_bits"):
                self.assertNotIn(name, meta(daemon))
            self.assertNotIn("aimc", daemon.completion(max_tokens=5)["usage"])
            self.assertEqual(daemon.get("/v1/chips").json()["data"], [])
            self.assertFalse([name for name in daemon.metrics()
                              if name.startswith("analogd_chip_info")])
            int4, = daemon.events("loading")
        with Daemon() as daemon:
            int8, = daemon.events("loading")
        share = int(int4["weights_bytes"]) / int(int8["weights_bytes"])
        self.assertTrue(0.5 < share < 0.7, share)

    def test_kernels_agree(self):
        expected = None
        for name in ("portable", "avx2", "avx512vnni"):
            if not has_kernels(name):
                continue
            with self.subTest(kernels=name), Daemon(*INT4, "--kernels", name) as daemon:
                got = choices(daemon)
                expected = expected or got
                self.assertEqual(got, expected)


class BetweenConverters(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        """The ranges of a chip without noise, as a calibration leaves them."""
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        with Daemon(*FOLDERS, "--state-dir", cls.folder) as daemon:
            def wait(key, value):
                daemon.wait_until(lambda: daemon.get("/v1/chips/lab").json()[key] == value,
                                  f"{key} is {value}")
            daemon.post("/v1/chips", {"model": MODEL_ID, "profile": "afm-paper", "name": "lab"})
            wait("state", "ready")
            daemon.post("/v1/chips/lab/calibrate", {"texts": [PROMPT], "method": "max"})
            wait("input_ranges", "calibrated")
            wait("state", "ready")
        cls.ranges, = glob.glob(os.path.join(cls.folder, "**", "*.ranges.json"), recursive=True)

    def test_ranges_of_a_file(self):
        with Daemon(*PAPER, "--input-ranges", self.ranges) as daemon:
            self.assertEqual([meta(daemon)[name] for name in SETTINGS],
                             ["afm-paper", 24, "calibrated"])
            loaded, = daemon.events("loaded")
            self.assertEqual([loaded[name] for name in SETTINGS],
                             ["afm-paper", "24", "calibrated"])
            self.assertEqual(loaded["input_ranges_file"], self.ranges)
            self.assertEqual(loaded["fingerprint"], daemon.completion()["system_fingerprint"])
            self.assertNotIn("seed", meta(daemon))
            self.assertEqual(daemon.get("/v1/chips").json()["data"], [])
            self.assertFalse(daemon.events("input_ranges_missing"))
            static = choices(daemon)
        with Daemon(*PAPER) as daemon:
            self.assertEqual(meta(daemon)["input_ranges"], "dynamic")
            missing, = daemon.events("input_ranges_missing")
            self.assertIn("name a file of calibrated ranges", missing["advice"])
            self.assertNotIn("input_ranges_file", daemon.events("loaded")[0])
            self.assertNotEqual(choices(daemon), static)
        with Daemon(*PAPER, "--input-ranges", self.ranges, "--kernels", "portable") as daemon:
            self.assertEqual(choices(daemon), static)

    def changed_ranges(self, change):
        """A file of the ranges after change(layers)."""
        with open(self.ranges, encoding="utf-8") as f:
            document = json.load(f)
        change(document["layers"])
        path = os.path.join(self.folder, "changed.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(document, f)
        return path

    def test_a_layer_that_the_file_lacks(self):
        path = self.changed_ranges(lambda layers: layers.pop())
        with Daemon(*PAPER, "--input-ranges", path) as daemon:
            self.assertEqual(meta(daemon)["input_ranges"], "mixed")
            missing, = daemon.events("input_ranges_missing")
            self.assertIn("the file of input_ranges lacks them", missing["advice"])

    def test_no_output_converters(self):
        """The paper's SI8-W4, made as docs/research.md says."""
        path = os.path.join(self.folder, "si8.conf")
        with open(os.path.join(TOP, "conf", "profiles", "afm-paper.conf"), encoding="utf-8") as f:
            text = re.sub(r"(?ms)^adc \{.*?^\}\n", "", f.read())
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        with Daemon(*INT4, "--profile", path, "--input-ranges", self.ranges) as daemon:
            self.assertEqual([meta(daemon)[name] for name in SETTINGS], ["si8", 0, "calibrated"])
            self.assertTrue(daemon.completion(max_tokens=3)["choices"])

    def test_a_chip_may_be_made_of_it(self):
        with Daemon(*PAPER, "--input-ranges", self.ranges) as daemon:
            chip = daemon.post("/v1/chips", {"model": MODEL_ID, "profile": "afm-paper",
                                             "name": "twin", "seed": 1}).json()
            daemon.wait_until(lambda: daemon.get("/v1/chips/twin").json()["state"] == "ready",
                              "the chip is ready")
            self.assertEqual((chip["backend"], chip["input_ranges"]), ("analog", None))
            self.assertEqual(daemon.get("/v1/chips/twin").json()["input_ranges"], "dynamic")

    def test_ranges_of_other_tiles(self):
        """A check finds what a start would find while it loads."""
        path = self.changed_ranges(lambda layers: layers[0]["ranges"].append(1.0))
        with self.assertRaises(AssertionError) as raised:
            Daemon(*PAPER, "--input-ranges", path, "--check-config")
        self.assertIn("layer 0 (model.layers.0.self_attn.q_proj.weight) are for 2 tiles",
                      str(raised.exception))

    def test_what_makes_no_sense_is_refused(self):
        text = os.path.join(self.folder, "text")
        with open(text, "w", encoding="utf-8") as f:
            f.write("no ranges")
        for arguments, says in (
                (INT4 + ("--profile", "ideal", "--input-ranges", self.ranges),
                 "input_ranges: those of the profile ideal are not static"),
                (PAPER + ("--input-ranges", text), "text: line 1 column 2"),
                (PAPER + ("--input-ranges", text + "s"), "No such file"),
                (INT4 + ("--profile", "ideal", "--out-bound", "3"), "no output converters"),
                (PAPER + ("--chip-seed", "3"), "chip_seed is of use to the backends analog")):
            for check in ((), ("--check-config",)):
                with self.subTest(arguments=arguments, check=check):
                    with self.assertRaises(AssertionError) as raised:
                        Daemon(*arguments, *check)
                    self.assertIn(says, str(raised.exception))


if __name__ == "__main__":
    harness.main()
