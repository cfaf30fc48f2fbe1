# SPDX-License-Identifier: Apache-2.0
"""Folders that are no model's: what they are stands in the one line of the error."""

import os
import shutil
import subprocess
import tempfile
import unittest

import harness
from harness import BINARY, MODEL, PATIENCE

DATA = 65

GGUF = "GGUF is not read"
ADAPTER = "merge it into its base model"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
SAVE = "save_pretrained(DIR)"
NO_INDEX = "not the index that tells what is in them"

# What the shipped model's folder loses, what is put there (the content, or a folder
# for None), and what the error says.
FOLDERS = (
    (["config.json", "model.safetensors", "tokenizer.json"], {"m.Q4.gguf": b"GGUF"}, GGUF),
    (["model.safetensors"], {"m.Q4.gguf": b"GGUF"}, GGUF),
    (["config.json"], {"adapter_config.json": b"{}"}, ADAPTER),
    (["model.safetensors"], {"adapter_config.json": b"{}"}, ADAPTER),
    (["config.json"], {"snapshots": None, "refs": None}, "snapshots/REVISION"),
    (["config.json"], {"params.json": b"{}"}, "publisher's own format"),
    (["config.json"], {}, "config.json: No such file or directory\n"),
    (["tokenizer.json"], {"tokenizer.model": b"x"}, SAVE),
    (["tokenizer.json"], {"vocab.json": b"{}", "merges.txt": b"a b\n"}, SAVE),
    (["tokenizer.json"], {}, "the folder has no tokenizer"),
    (["model.safetensors"], {"model-00001-of-00002.safetensors": b""}, NO_INDEX),
    (["model.safetensors"], {"pytorch_model-00001-of-00002.bin": b""}, NO_INDEX),
    (["model.safetensors"], {}, "nor an index of shards"),
    (["model.safetensors"],
     {"model.safetensors.index.json": b'{"weight_map": {"a": "model-00001-of-00001.safetensors"}}',
      "m.gguf": b""}, "model-00001-of-00001.safetensors: No such file or directory; its index"),
    ([], {"config.json": POINTER}, "config.json: a Git LFS pointer"),
    ([], {"tokenizer.json": POINTER}, "tokenizer.json: a Git LFS pointer"),
    ([], {"model.safetensors": POINTER}, "model.safetensors: a Git LFS pointer"),
    ([], {"config.json": bytes(100)}, "config.json: begins with zeros"),
    ([], {"tokenizer.json": bytes(100)}, "tokenizer.json: begins with zeros"),
    ([], {"model.safetensors": bytes(100)}, "model.safetensors: begins with zeros"),
)


class Folders(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="analogd-test-")
        self.addCleanup(folder.cleanup)
        self.dir = folder.name
        self.model = os.path.join(self.dir, "model")

    def fresh(self):
        shutil.rmtree(self.model, ignore_errors=True)
        shutil.copytree(MODEL, self.model)

    def path(self, name):
        return os.path.join(self.model, name)

    def assert_refused(self, says, folder=None):
        done = subprocess.run([BINARY, "--check-config", "--model", folder or self.model],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=PATIENCE, check=False, cwd=self.dir)
        self.assertEqual((done.returncode, done.stdout), (DATA, ""), done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn(says, done.stderr)

    def test_what_a_folder_holds(self):
        for gone, put, says in FOLDERS:
            with self.subTest(gone=gone, put=list(put)):
                self.fresh()
                for name in gone:
                    os.unlink(self.path(name))
                for name, content in put.items():
                    if content is None:
                        os.mkdir(self.path(name))
                        continue
                    with open(self.path(name), "wb") as f:
                        f.write(content)
                self.assert_refused(says)

    def test_weights_cut_short(self):
        for size in (4000, 1000000, 20):
            with self.subTest(size=size):
                self.fresh()
                os.truncate(self.path("model.safetensors"), size)
                self.assert_refused("was the download finished?")

    def test_links_to_nothing(self):
        for name in ("config.json", "tokenizer.json", "model.safetensors"):
            with self.subTest(name=name):
                self.fresh()
                os.unlink(self.path(name))
                os.symlink("../../blobs/0123", self.path(name))
                self.assert_refused(f"{name} is a symbolic link to a file that is gone")

    def test_no_folder(self):
        self.assert_refused("/nowhere: no such folder\n", folder="/nowhere")
        self.assert_refused("nothing is downloaded", folder="meta-llama/Llama-3.2-1B")
        path = os.path.join(self.dir, "m.gguf")
        with open(path, "wb") as f:
            f.write(b"GGUF")
        self.assert_refused("m.gguf: not a folder; " + GGUF, folder=path)
        self.assert_refused("/etc/passwd: not a folder\n", folder="/etc/passwd")


if __name__ == "__main__":
    harness.main()
