# SPDX-License-Identifier: Apache-2.0
"""lm-evaluation-harness gets the same scores from analogd, in float32, as from its
own Hugging Face backend on the same checkpoint: to the last digit, and sample by
sample, with a tokenizer on its side and with the server's.

Run by run.sh with the Python that has lm_eval, transformers and torch.
"""

import glob
import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "api"))
import harness  # pylint: disable=wrong-import-position

LM_EVAL = os.path.join(os.path.dirname(sys.executable), "lm_eval")
FIXTURES = os.path.join(harness.TOP, "tests", "data", "models")

# Sums of float32 logarithms in another order; a choice that turns on less than
# this would show as a difference in the score.
TOLERANCE = 1e-3


class Run:
    """The scores and samples of one lm_eval."""

    def __init__(self, work, model, arguments, tasks):
        out = tempfile.mkdtemp(dir=work)
        env = dict(os.environ, HF_HOME=os.path.join(work, "cache"), HF_HUB_OFFLINE="1",
                   HF_DATASETS_OFFLINE="1", CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1")
        pairs = ",".join(f"{key}={value}" for key, value in arguments.items())
        command = [LM_EVAL, "--model", model, "--model_args", pairs, "--tasks", ",".join(tasks),
                   "--include_path", os.path.join(HERE, "lm_eval"), "--device", "cpu",
                   "--batch_size", "1", "--log_samples", "--output_path", out]
        done = subprocess.run(command, env=env, cwd=harness.TOP, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == 0, done.stderr[-4000:]
        print(done.stdout, flush=True)
        with open(glob.glob(f"{out}/*/results_*.json")[0], encoding="utf-8") as f:
            self.scores = json.load(f)["results"]
        self.samples = {}
        for task in tasks:
            with open(glob.glob(f"{out}/*/samples_{task}_*.jsonl")[0], encoding="utf-8") as f:
                for sample in map(json.loads, f):
                    self.samples[task, sample["doc_id"], sample["filter"]] = sample


class Comparison:
    """Tests of one folder; `folder` is served and read by transformers."""

    tasks = ()
    max_length = 0

    @classmethod
    def setUpClass(cls):
        cls.work = tempfile.TemporaryDirectory()
        cls.folder = cls.make_folder()
        cls.reference = Run(cls.work.name, "hf",
                            {"pretrained": cls.folder, "dtype": "float32"}, cls.tasks)
        cls.daemon = harness.Daemon("--backend", "f32", model=cls.folder)

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()
        cls.work.cleanup()

    @classmethod
    def make_folder(cls):
        raise NotImplementedError

    def compare(self, **tokenizer):
        got = Run(self.work.name, "local-completions",
                  {"model": os.path.basename(self.folder),
                   "base_url": f"http://127.0.0.1:{self.daemon.port}/v1/completions",
                   "num_concurrent": 8, "max_length": self.max_length, **tokenizer}, self.tasks)
        self.assertEqual(got.scores, self.reference.scores)
        self.assertEqual(got.samples.keys(), self.reference.samples.keys())
        apart = [self.compare_sample(key, got.samples[key]) for key in got.samples]
        print(f"{len(apart)} samples, log-likelihoods at most {max(apart):.2g} apart")

    def compare_sample(self, key, got):
        """Equal but for the digits of log-likelihoods; returns the largest difference."""
        want = self.reference.samples[key]
        for field in ("arguments", "target", *want["metrics"]):
            self.assertEqual(got[field], want[field], (key, field))
        if isinstance(want["filtered_resps"][0], str):
            self.assertEqual(got["resps"], want["resps"], key)
            return 0.0
        largest = 0.0
        for (a, a_greedy), (b, b_greedy) in zip(got["filtered_resps"], want["filtered_resps"],
                                                strict=True):
            self.assertEqual(a_greedy, b_greedy, key)
            largest = max(largest, abs(float(a) - float(b)))
        self.assertLess(largest, TOLERANCE, key)
        return largest

    def test_local_tokenizer(self):
        self.compare(tokenizer_backend="huggingface", tokenizer=self.folder)

    def test_remote_tokenizer(self):
        self.compare(tokenizer_backend="remote")


class ShippedModel(Comparison, unittest.TestCase):
    tasks = ("wordmath_answer", "wordmath_choice", "wordmath_step")
    max_length = harness.CONTEXT

    @classmethod
    def make_folder(cls):
        return harness.MODEL


class Fixture(Comparison):
    """A tiny checkpoint with random weights, beside the tokenizer made for them."""

    name = None
    tasks = ("bytes_choice",)
    max_length = 256

    @classmethod
    def make_folder(cls):
        folder = os.path.join(cls.work.name, cls.name)
        os.mkdir(folder)
        for source in (cls.name, "tokenizer"):
            for entry in os.scandir(os.path.join(FIXTURES, source)):
                os.symlink(entry.path, os.path.join(folder, entry.name))
        return folder


class Phi3(Fixture, unittest.TestCase):
    name = "phi3"


class Qwen2(Fixture, unittest.TestCase):
    name = "qwen2"


class Qwen3(Fixture, unittest.TestCase):
    name = "qwen3"


if __name__ == "__main__":
    harness.main()
