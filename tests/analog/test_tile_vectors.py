#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tests/tile_vectors on the vectors of the tree, on results that are wrong, and
on files that are bad."""
import json
import os
import random
import shutil
import struct
import subprocess
import tempfile
import unittest

SOURCE = os.environ.get("top_srcdir", os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.environ.get("top_builddir", os.path.join(SOURCE, "build/release"))
PROGRAM = os.path.join(BUILD, "tests/tile_vectors")
VECTORS = os.path.join(SOURCE, "tests/data/analog")


def run(folder):
    return subprocess.run([PROGRAM, folder], capture_output=True, text=True, errors="replace",
                          timeout=120)


def next_float(value):
    """The float32 after value, away from zero."""
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    return struct.unpack("<f", struct.pack("<I", bits + 1))[0]


def load(name):
    with open(os.path.join(VECTORS, name), encoding="utf-8") as file:
        return json.load(file)


class FolderTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def run_text(self, name, text):
        with open(os.path.join(self.folder, name), "wb") as file:
            file.write(text)
        return run(self.folder)

    def run_changed(self, name, change):
        vectors = load(name)
        change(vectors)
        return self.run_text(name, json.dumps(vectors).encode())

    def check_fails(self, result, *texts):
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        for text in texts:
            self.assertIn(text, result.stdout)


class Good(FolderTest):
    def test_vectors_of_the_tree(self):
        result = run(VECTORS)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("mismatches 0 bad files 0", result.stdout)
        self.check_integer_cases(result.stdout)

    def check_integer_cases(self, text):
        """Every case with both converters whose DAC codes are int8."""
        ties = with_ints = 0
        for name in os.listdir(VECTORS):
            if not name.startswith("lin_"):
                continue
            vectors = load(name)
            config = vectors["config"]
            steps = [r if r > 1 else 1 / r if r > 0 else 0
                     for r in (config["inp_res"], config["out_res"])]
            if not 0 < steps[0] <= 254 or not steps[1]:
                continue
            if vectors["expect"]["stats"].get("adc_exact_ties", 0):
                ties += 1
            else:
                with_ints += 1
        self.assertGreater(with_ints, 10)
        self.assertIn(f"16 bits: cases {with_ints} ", text)
        self.assertIn(f"16 bits, exact ties: cases {ties} ", text)
        self.assertIn(f"8 bits: cases {with_ints} ", text)
        self.assertIn("4 bits: cases 5\n", text)  # lin_22, lin_23, and three of weights

    def test_a_dac_that_integer_tiles_do_not_have_is_no_failure(self):
        def change(vectors):
            vectors["x"] = [0.0] * len(vectors["x"])
            vectors["config"].update(inp_res=1022)
            vectors["expect"] = {"bit_exact": True, "atol": 0, "stats": {}, "y": vectors["bias"]}
        result = self.run_changed("lin_01_tiny_static.json", change)
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertIn("16 bits: cases 0 (1 not done)", result.stdout)

    def test_a_folder_without_vectors_is_a_wrong_call(self):
        self.assertEqual(run(self.folder).returncode, 2)
        self.assertEqual(run(os.path.join(self.folder, "missing")).returncode, 2)


class Wrong(FolderTest):
    """A result that is another number, if only by its last bit, is seen."""

    def change_one(self, name, key, change):
        def apply(vectors):
            vectors["expect"][key][0] = change(vectors["expect"][key][0])
        self.check_fails(self.run_changed(name, apply), name + ": " + key + "[0] is",
                         "mismatches 1 ")

    def test_output(self):
        self.change_one("lin_02_afm_static_per_channel.json", "y", next_float)

    def test_output_without_an_adc(self):
        self.change_one("lin_09_no_adc_static.json", "y", lambda y: y + 1e-6)

    def test_output_of_4_bits(self):
        """Both evaluators of the same weights."""
        def change(vectors):
            vectors["expect"]["y"][0] = next_float(vectors["expect"]["y"][0])
        self.check_fails(self.run_changed("lin_23_rtn_w4_si8_adc.json", change), "mismatches 2 ")

    def test_codes(self):
        for key in ("dac_codes", "adc_codes"):
            self.change_one("lin_02_afm_static_per_channel.json", key, lambda code: code + 1)

    def test_bound_and_step(self):
        def change(vectors):
            for key in ("adc_bound", "adc_lsb"):
                vectors["expect"][key][0][3] = next_float(vectors["expect"][key][0][3])
        self.check_fails(self.run_changed("lin_02_afm_static_per_channel.json", change),
                         "mismatches 4 ")  # both, in both rows

    def test_quantised_and_clipped_weights(self):
        for name, key, evaluators in (("quantize_weights.json", "w_quantized", 2),
                                      ("clip_weights.json", "w_clipped", 1)):
            def change(vectors, key=key):
                values = vectors["cases"][1][key]
                values[2] = values[2] * (1 + 1e-5) + 1e-9
            self.check_fails(self.run_changed(name, change), name + " case 1: " + key + "[2]",
                             f"mismatches {evaluators} ")
            os.remove(os.path.join(self.folder, name))

    def test_split(self):
        def change(vectors):
            vectors["cases"][6]["in_sizes"] = [433, 434, 433]
        self.check_fails(self.run_changed("split_sizes.json", change), "case 6: tile 0")


def without(*path):
    def change(vectors):
        for key in path[:-1]:
            vectors = vectors[key]
        del vectors[path[-1]]
    return change


def with_value(value, *path):
    def change(vectors):
        for key in path[:-1]:
            vectors = vectors[key]
        vectors[path[-1]] = value
    return change


BAD_LINEAR = [
    (without("config"), '"config" must be an object'),
    (without("x"), '"x"'),
    (without("expect"), '"expect" must be an object'),
    (without("expect", "y"), '"y"'),
    (without("expect", "bit_exact"), '"bit_exact"'),
    (with_value([], "expect", "y"), '"y" must be an array of 3'),
    (with_value([1, "two", 3], "expect", "y"), "y[1]"),
    (with_value([1, 1e39, 3], "expect", "y"), "y[1]"),
    (with_value([None] * 7, "x"), "x[0]"),
    (with_value({"a": 1}, "w"), '"w"'),
    (with_value(0, "batch"), '"batch" is 0'),
    (with_value(1 << 40, "out"), '"out" is'),
    (with_value(7.5, "in"), '"in" must be an integer'),
    (with_value([8], "in_sizes"), "tile 0"),
    (with_value([4, 3], "in_sizes"), '"in_sizes"'),
    (with_value(None, "input_range"), '"input_range"'),
    (with_value([-1], "input_range"), "input_range: value 0 is -1"),
    (with_value("fancy", "config", "clip_type"), '"clip_type" is "fancy"'),
    (with_value("learnable_per_channel", "config", "clip_type"), '"learnable_weight_clip"'),
    (with_value("discretize", "config", "weight_quant"), "weight_res is 0"),
    (with_value(0, "config", "out_bound"), "out_bound"),
    (with_value(1e7, "config", "out_bound"), "out_bound is 1e+07"),
    (with_value(1e-9, "config", "inp_res"), "inp_res is 1e-09"),
    (with_value("254", "config", "inp_res"), '"inp_res" must be a number'),
    (with_value(False, "config", "input_range_enable"), "need an input range"),
    (with_value([[1, 2]], "expect", "adc_bound"), "adc_bound[0]"),
    (with_value([1], "expect", "adc_lsb"), "adc_lsb[0]"),
    (with_value("many", "expect", "stats"), '"stats" must be an object'),
]


class Bad(FolderTest):
    def test_linear_fields(self):
        name = "lin_01_tiny_static.json"
        for change, text in BAD_LINEAR:
            with self.subTest(text):
                self.check_fails(self.run_changed(name, change), name, text, "bad files 1")

    def test_weight_fields(self):
        for name, change, text in (
                ("clip_weights.json", with_value([], "cases"), '"cases"'),
                ("clip_weights.json", with_value([3], "cases"), "case 0"),
                ("clip_weights.json", with_value("x", "cases", 0, "sigma"), '"sigma"'),
                ("quantize_weights.json", with_value(0, "cases", 0, "weight_quant_res"), "weight"),
                ("quantize_weights.json", without("cases", 1, "w"), '"w"'),
                ("split_sizes.json", with_value(-1, "cases", 0, "size"), '"size"')):
            with self.subTest(name + text):
                self.check_fails(self.run_changed(name, change), name, text, "bad files 1")
                os.remove(os.path.join(self.folder, name))

    def test_no_json(self):
        for text in (b"", b"{", b"[1, 2]", b"[" * 5000, b'"lin"', b"\xff\xfe{}"):
            self.check_fails(self.run_text("lin_bad.json", text), "lin_bad.json", "bad files 1")

    def test_damaged_bytes(self):
        """Agrees, differs or is refused; never crashes."""
        with open(os.path.join(VECTORS, "lin_01_tiny_static.json"), "rb") as file:
            text = file.read()
        chance = random.Random(1)
        for _ in range(60):
            damaged = bytearray(text)
            for _ in range(chance.randint(1, 4)):
                damaged[chance.randrange(len(damaged))] = chance.choice(b'09-[]{},."e\0')
            result = self.run_text("lin_damaged.json", bytes(damaged))
            self.assertIn(result.returncode, (0, 1), result.stdout + result.stderr)
            self.assertNotIn("Sanitizer", result.stderr)


if __name__ == "__main__":
    unittest.main()
