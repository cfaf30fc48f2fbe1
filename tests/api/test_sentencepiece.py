# SPDX-License-Identifier: Apache-2.0
"""A vocabulary in the manner of sentencepiece, whose decoder cuts a space off the start
of a text: an answer that goes on from the client's text keeps it."""

import json
import os
import shutil
import tempfile
import unittest

from harness import MODEL, Daemon

LETTERS = "abcdefghijklmnopqrstuvwxyz"
PIECES = ["▁", *LETTERS, "▁t", "▁th", "▁the"]
VOCABULARY = ["<unk>", "<s>", "</s>", *("<0x%02X>" % b for b in range(256)), *PIECES]
THE = VOCABULARY.index("▁the")


def tokenizer():
    return {
        "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True,
                  "vocab": {piece: i for i, piece in enumerate(VOCABULARY)},
                  "merges": ["▁ t", "▁t h", "▁th e"]},
        "added_tokens": [{"id": i, "content": VOCABULARY[i], "special": True} for i in range(3)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    }


class Sentencepiece(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="analogd-test-")
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        model = os.path.join(cls.dir, "pieces")
        os.mkdir(model)
        for name in ("config.json", "model.safetensors"):
            os.symlink(os.path.join(MODEL, name), os.path.join(model, name))
        with open(os.path.join(model, "tokenizer.json"), "w", encoding="utf-8") as f:
            json.dump(tokenizer(), f)
        cls.daemon = Daemon("--chat-template", "plain", model=model)
        cls.addClassCleanup(cls.daemon.stop)

    def ask(self, path, **body):
        """The choice of an answer that is "▁the" twice."""
        answer = self.daemon.post(path, {"max_tokens": 2, "temperature": 0,
                                         "logit_bias": {THE: 100}, **body})
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()["choices"][0]

    def test_ids(self):
        for text, pieces in (("the", ["▁the"]), ("x the", ["▁", "x", "▁the"]),
                             ("é", ["▁", "<0xC3>", "<0xA9>"])):
            ids = self.daemon.post("/tokenize", {"prompt": text}).json()["tokens"]
            self.assertEqual(ids, [VOCABULARY.index(piece) for piece in pieces])
            text_of = self.daemon.post("/detokenize", {"tokens": ids}).json()["prompt"]
            self.assertEqual(text_of, text)

    def test_completion_goes_on(self):
        self.assertEqual(self.ask("/v1/completions", prompt="x")["text"], " the the")
        self.assertEqual(self.ask("/v1/completions", prompt="x", echo=True)["text"], "x the the")

    def test_stream(self):
        chunks = self.daemon.stream("/v1/completions", model="pieces", prompt="x", max_tokens=2,
                                    logit_bias={THE: 100})
        self.assertEqual("".join(chunk["choices"][0]["text"] for chunk in chunks
                                 if chunk["choices"]), " the the")

    def test_log_probabilities_count_the_space(self):
        choice = self.ask("/v1/completions", prompt="x", echo=True, logprobs=1)
        self.assertEqual(choice["logprobs"]["text_offset"][-2:], [1, 5])

    def test_message_is_a_text_of_its_own(self):
        ask = [{"role": "user", "content": "x"}]
        choice = self.ask("/v1/chat/completions", messages=ask)
        self.assertEqual(choice["message"]["content"], "the the")

    def test_message_that_goes_on(self):
        choice = self.ask("/v1/chat/completions", add_generation_prompt=False,
                          continue_final_message=True,
                          messages=[{"role": "user", "content": "x"},
                                    {"role": "assistant", "content": "a"}])
        self.assertEqual(choice["message"]["content"], " the the")


if __name__ == "__main__":
    unittest.main()
