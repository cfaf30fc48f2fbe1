# SPDX-License-Identifier: Apache-2.0
"""Models whose chat template is unknown or missing, and the option chat_template."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

import harness
from harness import ANSWER, MODEL, MODEL_ID, PROMPT, QUESTION, Daemon

ASK = [{"role": "user", "content": QUESTION}]
CHAT_ROUTES = ("/v1/chat/completions", "/apply-template", "/tokenize")


def edited_model(folder, edit):
    """The shipped model under another tokenizer_config.json; edit changes its fields."""
    model = os.path.join(folder, MODEL_ID)
    os.mkdir(model)
    for name in os.listdir(MODEL):
        if name != "tokenizer_config.json":
            os.symlink(os.path.join(MODEL, name), os.path.join(model, name))
    with open(os.path.join(MODEL, "tokenizer_config.json"), encoding="utf-8") as f:
        config = json.load(f)
    edit(config)
    with open(os.path.join(model, "tokenizer_config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f)
    return model


def forget(config):
    del config["chat_template"]


def misspell(config):
    config["chat_template"] = config["chat_template"].replace("<|end|>", "<|stop|>")


class ChatTemplate(unittest.TestCase):

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="analogd-test-")
        self.addCleanup(shutil.rmtree, self.dir)

    def meta(self, daemon):
        return daemon.get("/v1/models").json()["data"][0]["meta"]

    def check_without_template(self, edit, reason):
        model = edited_model(self.dir, edit)
        with Daemon(model=model) as daemon:
            warning, = daemon.events("no_chat_template")
            self.assertEqual((warning["level"], warning["model"]), ("warning", MODEL_ID))
            self.assertIn(reason, warning["reason"])
            self.assertIsNone(self.meta(daemon)["chat_template"])
            for route in CHAT_ROUTES:
                error = daemon.post(route, {"messages": ASK})
                self.assertEqual((error.status, error.error["param"]), (400, "messages"))
                for part in (reason, "chat_template", "--chat-template", "llama-3|", "|plain",
                             "/v1/completions"):
                    self.assertIn(part, error.error["message"])
            answer = daemon.completion(PROMPT, max_tokens=32)
            self.assertEqual(answer["choices"][0]["text"], ANSWER)
        with Daemon("--chat-template", "role-tags", model=model) as daemon:
            self.assertEqual(daemon.events("no_chat_template"), [])
            self.assertEqual(self.meta(daemon)["chat_template"], "role-tags")
            self.assertEqual(daemon.chat(ASK)["choices"][0]["message"]["content"], ANSWER)

    def test_unknown(self):
        self.check_without_template(misspell, "is none of those known")

    def test_missing(self):
        self.check_without_template(forget, "has no chat template")

    def test_the_models_own(self):
        with Daemon() as daemon:
            self.assertEqual(daemon.events("no_chat_template"), [])
            self.assertEqual(self.meta(daemon)["chat_template"], "role-tags")

    def test_another_one(self):
        """Its roles and its rules are those of the template that was asked for."""
        with Daemon("--chat-template", "gemma") as daemon:
            answer = daemon.post("/apply-template", {"messages": [
                {"role": "user", "content": " a "}, {"role": "assistant", "content": "b\n"},
                {"role": "user", "content": "c"}]})
            self.assertEqual(answer.json()["prompt"],
                             "<|endoftext|><start_of_turn>user\na<end_of_turn>\n"
                             "<start_of_turn>model\nb<end_of_turn>\n"
                             "<start_of_turn>user\nc<end_of_turn>\n<start_of_turn>model\n")
            for roles, param in ((["system", "user"], "messages[0].role"),
                                 (["user", "user"], "messages[1].role"),
                                 (["user", "assistant", "tool"], "messages[2].role")):
                messages = [{"role": role, "content": "a"} for role in roles]
                error = daemon.post("/v1/chat/completions", {"messages": messages})
                self.assertEqual((error.status, error.error["param"]), (400, param))
                self.assertIn("gemma", error.error["message"])

    def test_in_the_file(self):
        """One model's section does not concern another."""
        path = os.path.join(self.dir, "conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f'model "a" {{ dir = "{MODEL}"\n chat_template = plain }}\n'
                    f'model "b" {{ dir = "{MODEL}" }}\n')
        with Daemon("--config", path, model=None) as daemon:
            prompts = [daemon.post("/apply-template", {"model": name, "messages": ASK}).json()
                       for name in "ab"]
            self.assertEqual([p["prompt"] for p in prompts],
                             ["<|endoftext|>" + QUESTION, "<|endoftext|>" + PROMPT])
            tokens = [daemon.post("/tokenize", {"model": "a", **fields}).json()["tokens"]
                      for fields in ({"messages": ASK}, {"prompt": QUESTION})]
            self.assertEqual(tokens[0], tokens[1])

    def test_bad_name(self):
        run = subprocess.run([harness.BINARY, "--model", MODEL, "--chat-template", "alpaca"],
                             capture_output=True, timeout=harness.PATIENCE, check=False)
        self.assertEqual(run.returncode, 64)
        self.assertIn(b'--chat-template: "alpaca" is not one of auto|llama-3|', run.stderr)


if __name__ == "__main__":
    harness.main()
