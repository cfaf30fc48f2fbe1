# SPDX-License-Identifier: Apache-2.0
"""/tokenize, /detokenize, /apply-template and /tokenizer_info."""

import json
import os

import harness
from harness import BOS, EOS, PROMPT, QUESTION, DaemonTest

TEXTS = ("", "a", "Dan's 12 pens", "  two  spaces\n\n\ttab ", "Grüße 世界 🙂", "x" * 2000,
         "e\u0301", "line\r\nline", "don't WON'T i'Ll", "1234567890", "\u0000\u0001")


class Tokenize(DaemonTest):

    def post(self, path, **body):
        answer = self.daemon.post(path, body)
        self.assertEqual(answer.status, 200, answer.body[:300])
        return answer.json()

    def test_reference_ids(self):
        """The ids that came with the reference logits."""
        with open(os.path.join(harness.MODEL, "eval", "logits.json"), encoding="utf-8") as f:
            for case in json.load(f):
                answer = self.post("/tokenize", prompt=case["prompt"])
                self.assertEqual(answer["tokens"], case["tokens"])
                self.assertEqual(answer["count"], len(case["tokens"]))
                self.assertEqual(answer["max_model_len"], harness.CONTEXT)

    def test_there_and_back(self):
        for text in TEXTS:
            if "\0" in text:
                continue  # refused: JSON_ALLOW_NUL is off
            with self.subTest(text=text[:20]):
                tokens = self.post("/tokenize", prompt=text, add_special_tokens=False)["tokens"]
                answer = self.post("/detokenize", tokens=tokens)
                self.assertEqual(answer["prompt"], text)
                self.assertEqual(answer["content"], text)

    def test_special_tokens(self):
        plain = self.post("/tokenize", prompt=PROMPT, add_special_tokens=False)["tokens"]
        self.assertEqual(self.post("/tokenize", prompt=PROMPT)["tokens"], [BOS] + plain)
        # lm_eval finds the end-of-sequence id by tokenizing its text.
        self.assertEqual(self.post("/tokenize", prompt="<|end|>",
                                   add_special_tokens=False)["tokens"], [EOS])

    def test_llama_server_form(self):
        """`content` and no special tokens unless asked for."""
        plain = self.post("/tokenize", prompt="a b", add_special_tokens=False)["tokens"]
        self.assertEqual(self.post("/tokenize", content="a b", add_special=False)["tokens"], plain)

    def test_pieces(self):
        answer = self.post("/tokenize", prompt="Dan makes", add_special_tokens=False,
                           return_token_strs=True)
        self.assertEqual(len(answer["token_strs"]), answer["count"])
        self.assertEqual("".join(answer["token_strs"]), "Dan makes")

    def test_messages(self):
        messages = [{"role": "user", "content": QUESTION}]
        rendered = self.post("/tokenize", messages=messages)["tokens"]
        self.assertEqual(rendered, self.post("/tokenize", prompt=PROMPT)["tokens"])
        answer = self.post("/apply-template", messages=messages)
        self.assertEqual(answer["prompt"], "<|endoftext|>" + PROMPT)
        open_end = self.post("/apply-template", messages=messages, add_generation_prompt=False)
        self.assertEqual(open_end["prompt"], "<|endoftext|><|user|>\n" + QUESTION + "<|end|>\n")

    def test_info(self):
        """lm_eval reads these keys."""
        answer = self.daemon.get("/tokenizer_info")
        self.assertEqual(answer.status, 200)
        info = answer.json()
        self.assertEqual((info["eos_token"], info["bos_token"], info["pad_token"]),
                         ("<|end|>", "<|endoftext|>", "<|endoftext|>"))
        self.assertIn("messages", info["chat_template"])

    def test_refused(self):
        table = (
            ("/tokenize", {}, "prompt"),
            ("/tokenize", {"prompt": 5}, "prompt"),
            ("/tokenize", {"prompt": "a", "add_special_tokens": 1}, "add_special_tokens"),
            ("/tokenize", {"prompt": "a", "model": "gpt-4"}, "model"),
            ("/tokenize", {"messages": []}, "messages"),
            ("/detokenize", {}, "tokens"),
            ("/detokenize", {"tokens": "a"}, "tokens"),
            ("/detokenize", {"tokens": [512]}, "tokens"),
            ("/detokenize", {"tokens": [-1]}, "tokens"),
            ("/detokenize", {"tokens": [1.5]}, "tokens"),
            ("/apply-template", {}, "messages"),
            ("/apply-template", {"messages": "x"}, "messages"),
        )
        for path, body, param in table:
            with self.subTest(path=path, body=str(body)):
                self.assert_error(self.daemon.post(path, body), 404 if param == "model" else 400,
                                  param)

    def test_a_megabyte_of_one_letter(self):
        """Merging takes less than quadratic time: the daemon answers meanwhile."""
        answer = self.post("/tokenize", prompt="a" * 1000000, add_special_tokens=False)
        self.assertGreater(answer["count"], 0)


if __name__ == "__main__":
    harness.main()
