#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The model of docs/scaling.md (bench/scaling.py), with a machine made up here."""

import json
import os
import sys
import types
import unittest

TOP = os.environ.get("top_srcdir") or os.path.join(os.path.dirname(__file__), "..", "..")
sys.path.insert(0, os.path.join(TOP, "bench"))

import figures as bench_figures  # noqa: E402
import scaling  # noqa: E402

TRUE = {"memory": 0.91, "peak": 0.63, "overlap": 3.0, "attention": 0.02}


def true_model():
    model = scaling.Model(barrier=0.5e-6, serial=2e-6)
    for name, value in TRUE.items():
        setattr(model, name, value)
    return model


def points_of(model):
    conditions = [(t, n, 32) for t in (1, 2) for n in (1, 2, 4, 8, 16, 32, 64)]
    conditions += [(2, 1, c) for c in (512, 2048, 8192)]
    for threads, n, context in conditions:
        bandwidth, macs = 30e9 * threads, 0.2e12 * threads
        yield types.SimpleNamespace(
            threads=threads, sequences=n, context=context, bandwidth=bandwidth, macs=macs,
            rate=model.rate(threads, n, context, bandwidth, macs))


class Fit(unittest.TestCase):
    def test_finds_the_constants_again(self):
        model = scaling.Model(barrier=0.5e-6, serial=2e-6)
        scaling.fit(model, list(points_of(true_model())))
        for name, value in TRUE.items():
            with self.subTest(name):
                self.assertAlmostEqual(getattr(model, name) / value, 1, delta=0.02)


class Rates(unittest.TestCase):
    def test_one_sequence_is_limited_by_memory(self):
        model = true_model()
        model.barrier = model.serial = 0
        rate = model.rate(8, 1, 0, 100e9, 10e12)
        self.assertAlmostEqual(rate, 0.91 * 100e9 / scaling.WEIGHTS, delta=0.01 * rate)

    def test_batches_are_limited_by_the_multipliers(self):
        model = true_model()
        model.barrier = model.serial = 0
        rate = model.rate(8, 1024, 0, 100e9, 1e12)
        self.assertAlmostEqual(rate, 0.63 * 1e12 / scaling.MACS, delta=0.01 * rate)

    def test_runs_of_the_pool_grow_with_the_batch(self):
        # A row alone: four products and attention a layer, and the vocabulary. From ten
        # rows on also two norms, rotation, conversion and gate.
        runs = [scaling.runs(n) for n in (1, 2, 6, 7, 9, 10, 64)]
        self.assertEqual(runs, [16 * n + 1 for n in (5, 6, 6, 7, 7, 10, 10)])

    def test_waits_grow_with_the_threads(self):
        waits = [true_model().parts(t, 1, 32, 1e11, 1e12)["waits"] for t in (1, 2, 64)]
        self.assertEqual(waits[0], 0)
        self.assertAlmostEqual(waits[2] / waits[1], 32)


NEEDED = ["scaling_threads_1_decode_1_int8", "scaling_threads_2_barrier", "shipped_64_overhead",
          "shipped_decode_64_int8", "prefill_256_int8", "scaling_context_512_int8"]


def run_of(names, cpus=("Test CPU",)):
    rows = [{"name": "machine", "value": 2, "cpu": cpu, "kernels": "portable"} for cpu in cpus]
    rows += [{"name": name, "value": 10, "share": 0.5, "read_bandwidth": 40, "int8_peak": 1}
             for name in names]
    return bench_figures.Figures(json.dumps(row) for row in rows)


class Figures(unittest.TestCase):
    """Which files are refused."""

    def test_one_run_with_all_it_needs_is_taken(self):
        scaling.check_figures(run_of(NEEDED), joined=False)

    def test_each_needed_figure(self):
        for name in NEEDED:
            with self.subTest(name), self.assertRaisesRegex(SystemExit, name):
                scaling.check_figures(run_of(n for n in NEEDED if n != name), joined=False)

    def test_several_runs_only_if_told(self):
        twice = run_of(NEEDED, ["Test CPU"] * 2)
        scaling.check_figures(twice, joined=True)
        with self.assertRaisesRegex(SystemExit, "--joined"):
            scaling.check_figures(twice, joined=False)

    def test_never_those_of_two_machines(self):
        with self.assertRaisesRegex(SystemExit, "different machines"):
            scaling.check_figures(run_of(NEEDED, ["Test CPU", "Another CPU"]), joined=True)


class Curves(unittest.TestCase):
    def test_no_line_beyond_the_measured_contexts(self):
        model = true_model()
        points = [p for p in points_of(model) if p.context < 4096]
        measured = run_of(NEEDED)
        _, by_context, _ = scaling.curves(measured, points, model, scaling.Server(measured))
        _, dots, line = by_context[0]
        self.assertEqual([c for c, _ in line], sorted(c for c, _ in dots))


if __name__ == "__main__":
    unittest.main()
