#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The comparing of `make bench-check` (bench/shares.py), with figures made up here."""

import contextlib
import io
import json
import os
import sys
import unittest

TOP = os.environ.get("top_srcdir") or os.path.join(os.path.dirname(__file__), "..", "..")
sys.path.insert(0, os.path.join(TOP, "bench"))

import figures as bench_figures  # noqa: E402
import figures_page  # noqa: E402
import shares  # noqa: E402

MACHINE = {"cpu": "Test CPU", "kernels": "portable", "threads": 2}


def share(name, value):
    return {"name": name, "value": 100 * value, "unit": "tokens/s", "better": "higher",
            "limit": 100, "share": value, "rounds": 5, "low": value, "high": value}


def ratio(name, value, better):
    return {"name": name, "value": value, "unit": "ratio", "better": better, "limit": None,
            "share": None, "rounds": 5, "low": value, "high": value}


def run_of(*rows, machine=MACHINE):
    first = {"name": "machine", "value": machine["threads"], "unit": "threads",
             "cpu": machine["cpu"], "kernels": machine["kernels"]}
    return bench_figures.Figures(json.dumps(row) for row in [first, *rows])


def committed(*rows):
    all_shares = []
    shares.update(all_shares, run_of(*rows))
    return all_shares


def check(all_shares, measured, only=None):
    """Exit status and what was said; measured: a run, or a function of names."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        status = shares.check(all_shares, measured if callable(measured) else lambda _: measured,
                              only)
    return status, said.getvalue()


class Compare(unittest.TestCase):
    def test_a_tenth_is_the_limit(self):
        for was, now, status in [(0.80, 0.80, 0), (0.80, 0.721, 0), (0.80, 0.719, 1),
                                 (0.80, 0.95, 0)]:
            with self.subTest(was=was, now=now):
                got, said = check(committed(share("decode_1_int8", was)),
                                  run_of(share("decode_1_int8", now)))
                self.assertEqual(got, status)
                self.assertEqual("decode_1_int8:" in said, status == 1)

    def test_ratios_in_their_own_direction(self):
        for better, was, now, status in [("lower", 2.0, 2.2, 0), ("lower", 2.0, 2.3, 1),
                                         ("lower", 2.0, 1.0, 0), ("higher", 20, 17.9, 1),
                                         ("higher", 20, 40, 0)]:
            with self.subTest(better=better, now=now):
                got, _ = check(committed(ratio("r", was, better)),
                               run_of(ratio("r", now, better)))
                self.assertEqual(got, status)

    def test_what_is_skipped_has_fallen(self):
        skipped = {"name": "decode_1_int8", "value": None, "skipped": "no such backend"}
        status, said = check(committed(share("decode_1_int8", 0.8)), run_of(skipped))
        self.assertEqual(status, 1)
        self.assertIn("decode_1_int8: not measured: no such backend", said)

    def test_only_shares_and_ratios_count(self):
        absolute = dict(ratio("read_bandwidth", 60, "higher"), unit="GB/s")
        all_shares = committed(absolute, share("http_1", 0.5), share("decode_1_int8", 0.8))
        self.assertEqual(list(all_shares[0]["figures"]), ["decode_1_int8"])

    def test_another_machine_is_refused(self):
        other = dict(MACHINE, cpu="Another CPU")
        status, said = check(committed(share("decode_1_int8", 0.8)),
                             run_of(share("decode_1_int8", 0.8), machine=other))
        self.assertEqual(status, 2)
        for text in ("Another CPU", "Test CPU", "bench-update"):
            self.assertIn(text, said)


class Again(unittest.TestCase):
    """Figures that fell are measured again, and count if they fall each time."""

    def check_with(self, *values):
        asked = []

        def measured(names):
            asked.append(names)
            return run_of(share("slow", values[max(len(asked) - 2, 0)]), share("fine", 0.5))

        status, _ = check(committed(share("slow", 0.8), share("fine", 0.5)), measured)
        return status, asked[1:]

    def test_noise_passes(self):
        self.assertEqual(self.check_with(0.6, 0.61, 0.79),
                         (0, [["slow", "fine"], ["slow"], ["slow"]]))

    def test_a_fall_stays(self):
        self.assertEqual(self.check_with(0.6, 0.61, 0.62),
                         (1, [["slow", "fine"], ["slow"], ["slow"]]))

    def test_what_is_well_is_measured_once(self):
        self.assertEqual(self.check_with(0.8), (0, [["slow", "fine"]]))

    def test_a_part_by_name(self):
        all_shares = committed(share("decode_1", 0.8), share("prefill_256", 0.5))
        measured = run_of(share("decode_1", 0.1), share("prefill_256", 0.5))
        self.assertEqual(check(all_shares, measured, "prefill_*,gap_*")[0], 0)
        self.assertEqual(check(all_shares, measured, "decode_*")[0], 1)

    def test_a_name_that_chooses_nothing_is_refused(self):
        all_shares = committed(share("decode_1", 0.8))
        status, said = check(all_shares, run_of(share("decode_1", 0.8)), "decoed_*")
        self.assertEqual(status, 2)
        self.assertIn("decoed_*", said)


class Update(unittest.TestCase):
    def test_takes_what_is_chosen(self):
        all_shares = committed(share("a", 0.5), share("b", 0.6))
        shares.update(all_shares, run_of(share("a", 0.1), share("b", 0.7)), "b")
        values = {name: row["value"] for name, row in all_shares[0]["figures"].items()}
        self.assertEqual(values, {"a": 0.5, "b": 0.7})

    def test_a_name_that_chooses_nothing_is_refused(self):
        all_shares, said = [], io.StringIO()
        with contextlib.redirect_stdout(said):
            status = shares.update(all_shares, run_of(share("a", 0.5)), "decoed_*")
        self.assertEqual((status, all_shares), (2, []))
        self.assertIn("decoed_*", said.getvalue())

    def test_keeps_what_was_not_measured(self):
        all_shares = committed(share("a", 0.5), share("b", 0.6))
        shares.update(all_shares, run_of(share("b", 0.7)))
        values = {name: row["value"] for name, row in all_shares[0]["figures"].items()}
        self.assertEqual(values, {"a": 0.5, "b": 0.7})

    def test_another_machine_gets_a_row(self):
        all_shares = committed(share("a", 0.5))
        shares.update(all_shares, run_of(share("a", 0.9), machine=dict(MACHINE, threads=64)))
        self.assertEqual([row["machine"]["threads"] for row in all_shares], [2, 64])


class Page(unittest.TestCase):
    def test_tables_between_the_marks(self):
        measured = run_of(share("decode_1_int8", 0.8), share("phi3_decode_16_analog8", 0.5),
                          ratio("gap_p99_ratio", 2.25, "lower"))
        old = f"# Page\n{figures_page.BEGIN}\nold\n{figures_page.END}\nend\n"
        page = figures_page.fill(old, "\n".join(figures_page.tables(measured)))
        self.assertNotIn("old", page)
        self.assertTrue(page.endswith(f"{figures_page.END}\nend\n"))
        self.assertIn("| 1 | 80, 80% |  |  |  |", page)
        self.assertIn("| 16 |  |  | 50, 50% |  |", page)
        self.assertIn("| `gap_p99_ratio` | 2.25 ratio |", page)


if __name__ == "__main__":
    unittest.main()
