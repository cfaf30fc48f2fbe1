# SPDX-License-Identifier: Apache-2.0
"""Reward models: what they say of answers, their place among the models, and what is wrong
with requests and configurations."""

import json
import math
import os
import shutil
import subprocess
import tempfile
import threading
import unittest

import harness
from harness import BINARY, CONTEXT, MODEL, MODEL_ID, TOP, Daemon, DaemonTest, in_parallel

PRM = MODEL + "-prm"
PRM_ID = MODEL_ID + "-prm"
FIXTURES = os.path.join(TOP, "tests", "data", "models")
# Tiny checkpoints, and the layout that each has.
LAYOUTS = {"classifier": "classifier", "math-shepherd": "math-shepherd", "qwen-prm": "qwen",
           "qwen-rm": "classifier", "rlhflow": "rlhflow", "rlhflow-outcome": "rlhflow-outcome",
           "skywork": "skywork", "verifier": "verifier"}
PROFILES = os.path.join(TOP, "conf", "profiles")
# The routes, each with a body that is good.
ROUTES = {
    "/v1/score": {"queries": "a", "documents": "b"},
    "/score": {"text_1": "a", "text_2": ["b"]},
    "/v1/rerank": {"query": "a", "documents": ["b"]},
    "/v2/rerank": {"query": "a", "documents": ["b"]},
    "/rerank": {"query": "a", "documents": [{"text": "b"}]},
    "/pooling": {"messages": [{"role": "user", "content": "a"},
                              {"role": "assistant", "content": "b"}]},
}
# A conversation near the end of the context.
LONG = {"queries": "a", "documents": ["b " * 180] * 200}


def conversations():
    """The committed conversations of the shipped reward model, with its scores."""
    with open(os.path.join(PRM, "eval", "scores.jsonl"), encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def messages(question, answer):
    return {"messages": [{"role": "user", "content": question},
                         {"role": "assistant", "content": answer}]}


def answer_of(conversation):
    return "\n".join(conversation["steps"])


class RewardTest(DaemonTest):

    def good(self, path, body, **fields):
        answer = self.daemon.post(path, {**body, **fields})
        self.assertEqual(answer.status, 200, answer.body[:500])
        return answer.json()

    def steps(self, **body):
        """The probability of the good label of each step, of the only answer."""
        one, = self.good("/pooling", body)["data"]
        return [pair[0] for pair in one["data"]]

    def scores(self, **body):
        return [one["score"] for one in self.good("/score", body)["data"]]

    def assert_all_close(self, found, expected, tolerance):
        self.assertEqual(len(found), len(expected))
        for a, b in zip(found, expected):
            self.assertLessEqual(abs(a - b), tolerance, (found, expected))


class Reference(RewardTest):
    """In float32 the scores are those of the committed files."""

    args = ("--reward-model", PRM, "--backend", "f32")

    def test_messages(self):
        for one in conversations():
            with self.subTest(question=one["question"]):
                answer = self.good("/pooling", messages(one["question"], answer_of(one)))
                data, = answer["data"]
                self.assert_all_close([p[0] for p in data["data"]], one["scores"], 1e-5)
                self.assertEqual(answer["usage"]["prompt_tokens"], len(one["tokens"]))

    def test_tokens_and_text(self):
        """What is laid out already gives the same, to the last bit."""
        given = conversations()[:20]
        by_tokens = self.good("/pooling", {"input": [one["tokens"] for one in given]})
        texts = [self.daemon.post("/detokenize", {"tokens": one["tokens"]}).json()["prompt"]
                 for one in given]
        by_text = self.good("/pooling", {"input": texts, "add_special_tokens": False})
        for i, one in enumerate(given):
            steps = self.good("/pooling", messages(one["question"], answer_of(one)))["data"][0]
            self.assertEqual(by_tokens["data"][i]["data"], steps["data"])
            self.assertEqual(by_text["data"][i]["data"], steps["data"])
            self.assertEqual(by_text["data"][i]["index"], i)

    def test_both_labels(self):
        one = conversations()[0]
        data, = self.good("/pooling", messages(one["question"], answer_of(one)))["data"]
        for pair in data["data"]:
            self.assertEqual(len(pair), 2)
            self.assertAlmostEqual(sum(pair), 1, places=6)

    def test_aggregations(self):
        one = next(c for c in conversations() if len(c["steps"]) >= 3)
        steps = self.steps(**messages(one["question"], answer_of(one)))
        body = {"queries": one["question"], "documents": answer_of(one)}
        for name, expected in (("last", steps[-1]), ("min", min(steps)),
                               ("product", math.prod(steps)), ("mean", sum(steps) / len(steps))):
            with self.subTest(name=name):
                self.assert_all_close(self.scores(**body, reward_aggregation=name), [expected],
                                      1e-7)
        self.assertEqual(self.scores(**body), [steps[-1]])


class Layouts(RewardTest):
    """Each published layout, with a tiny checkpoint and the scores of transformers."""

    args = ("--backend", "f32") + tuple(
        arg for name in LAYOUTS for arg in ("--reward-model", f"{FIXTURES}/reward_{name}"))

    def reference(self, name):
        with open(f"{FIXTURES}/reward_{name}/reference.json", encoding="utf-8") as f:
            return json.load(f)

    def test_scores(self):
        for name in LAYOUTS:
            for one in self.reference(name)["conversations"]:
                with self.subTest(name=name, answer=one["answer"][:80]):
                    self.check_scores(name, one)

    def check_scores(self, name, one):
        body = {**messages(one["question"], one["answer"]), "model": "reward_" + name}
        if not one["scores"]:
            self.assert_error(self.daemon.post("/pooling", body), 400, "messages", says="no step")
            return
        found = self.good("/pooling", body)
        rows = found["data"][0]["data"]
        good = 1 if name == "qwen-prm" else 0
        self.assertEqual({len(row) for row in rows}, {self.width(name)})
        self.assert_all_close([row[good] for row in rows], one["scores"], 1e-4)
        self.assertEqual(found["usage"]["prompt_tokens"], len(one["tokens"]))

    @staticmethod
    def width(name):
        return 1 if name in ("classifier", "qwen-rm", "skywork") else 2

    def test_layouts_are_told(self):
        models = {m["id"]: m["meta"] for m in self.daemon.get("/v1/models").json()["data"]}
        for name, layout in LAYOUTS.items():
            with self.subTest(name=name):
                reference, meta = self.reference(name), models["reward_" + name]
                self.assertEqual(meta["reward_layout"], layout)
                self.assertEqual(meta["step_separator"], reference["separator"])
                self.assertEqual(meta["role"], "reward")


class Shapes(RewardTest):

    args = ("--reward-model", PRM)

    def test_int8(self):
        for one in conversations()[:20]:
            self.assert_all_close(self.steps(**messages(one["question"], answer_of(one))),
                                  one["scores"], 0.05)

    def test_score(self):
        given = conversations()[:4]
        body = {"queries": [c["question"] for c in given],
                "documents": [answer_of(c) for c in given]}
        found = self.good("/v1/score", body)
        self.assertEqual(set(found), {"id", "object", "created", "model", "data", "usage"})
        self.assertRegex(found["id"], "^score-")
        self.assertEqual((found["object"], found["model"]), ("list", PRM_ID))
        self.assertEqual([d["index"] for d in found["data"]], [0, 1, 2, 3])
        for one in found["data"]:
            self.assertEqual((set(one), one["object"]), ({"index", "object", "score"}, "score"))
        usage = found["usage"]
        self.assertEqual(usage["prompt_tokens"], sum(len(c["tokens"]) for c in given))
        self.assertEqual(usage["total_tokens"], usage["prompt_tokens"])
        self.assertEqual(usage["completion_tokens"], 0)
        self.assertIsInstance(usage["prompt_tokens_details"]["cached_tokens"], int)

    def test_one_to_many_and_other_names(self):
        one, other = conversations()[:2]
        texts = [answer_of(one), answer_of(other)]
        expected = self.scores(queries=[one["question"]] * 2, documents=texts)
        for first in ("queries", "text_1", "data_1"):
            for second in ("documents", "items", "text_2", "data_2"):
                with self.subTest(first=first, second=second):
                    self.assertEqual(self.scores(**{first: one["question"], second: texts}),
                                     expected)
                    self.assertEqual(self.scores(**{first: [one["question"]], second: texts}),
                                     expected)

    def test_alone_or_among_others(self):
        """A score does not depend on what is computed beside it, or cached."""
        given = conversations()[:24]
        body = {"queries": [c["question"] for c in given],
                "documents": [answer_of(c) for c in given]}
        together = self.scores(**body)
        alone = in_parallel(len(given), lambda i: self.scores(
            queries=body["queries"][i], documents=body["documents"][i])[0])
        self.assertEqual(alone, together)
        self.assertEqual(self.scores(**body), together)

    def test_rerank(self):
        question = conversations()[0]["question"]
        texts = [answer_of(c) for c in conversations()[:5]]
        texts.append(texts[2])
        scores = self.scores(queries=question, documents=texts)
        order = sorted(range(6), key=lambda i: (-scores[i], i))
        found = self.good("/v1/rerank", {"query": question, "documents": texts})
        self.assertRegex(found["id"], "^rerank-")
        self.assertEqual(found["model"], PRM_ID)
        self.assertEqual([(r["index"], r["document"]["text"], r["relevance_score"])
                          for r in found["results"]], [(i, texts[i], scores[i]) for i in order])
        few = self.good("/rerank", {"query": question, "top_n": 2,
                                    "documents": [texts[0], *({"text": t} for t in texts[1:])],
                                    "return_documents": False})["results"]
        self.assertEqual(few, [{"index": i, "relevance_score": scores[i]} for i in order[:2]])

    def test_pooling(self):
        one = conversations()[0]
        found = self.good("/pooling", messages(one["question"], answer_of(one)))
        self.assertEqual(set(found), {"id", "object", "created", "model", "data", "usage"})
        self.assertRegex(found["id"], "^pool-")
        data, = found["data"]
        self.assertEqual((data["index"], data["object"], len(data["data"])),
                         (0, "pooling", len(one["steps"])))

    def test_log_and_metrics(self):
        before = self.daemon.metric("analogd_scored_answers_total")
        answer = self.daemon.post("/score", {"queries": "a", "documents": ["b", "c"]})
        self.assertEqual(answer.status, 200)
        self.assertEqual(self.daemon.metric("analogd_scored_answers_total"), before + 2)
        logged = [e for e in self.daemon.events("request")
                  if e["id"] == answer.headers["x-request-id"]]
        self.assertEqual([(e["model"], e["finish"], e["prompt_tokens"]) for e in logged],
                         [(PRM_ID, "scored", str(answer.json()["usage"]["prompt_tokens"]))])

    # ---- what is wrong with a request ---------------------------------------

    def test_bad_fields(self):
        one = {"queries": "a", "documents": "b"}
        chat = messages("a", "b")
        for path, body, param, says in (
                ("/score", {}, "queries", "missing"),
                ("/score", {"queries": "a"}, "documents", "missing"),
                ("/score", {**one, "queries": 1}, "queries", "must be a string"),
                ("/score", {**one, "queries": []}, "queries", "empty list"),
                ("/score", {**one, "documents": ["b", 1]}, "documents", r"documents\[1\]"),
                ("/score", {**one, "queries": ["a", "c"]}, "documents", "one for all"),
                ("/score", {**one, "text_1": "c"}, "text_1", "another name of queries"),
                ("/score", {**one, "data_2": "c"}, "data_2", "another name of documents"),
                ("/score", {"query": "a", "documents": "b"}, "query", "here it is queries"),
                ("/score", {**one, "extra_body": {}}, "extra_body", "beside the other fields"),
                ("/score", {**one, "documents": [{"text": "b"}]}, "documents", "must be a string"),
                ("/score", {**one, "documents": ["b"] * 257}, "documents", "at most 256"),
                ("/score", {**one, "reward_aggregation": "sum"}, "reward_aggregation", "last"),
                ("/score", {**one, "reward_aggregation": 1}, "reward_aggregation", "last"),
                ("/score", {**one, "encoding_format": "base64"}, "encoding_format", ""),
                ("/score", {**one, "label_token_ids": [1]}, "label_token_ids", ""),
                ("/rerank", {"query": ["a"], "documents": ["b"]}, "query", "string"),
                ("/rerank", {"query": "a"}, "documents", "list of strings"),
                ("/rerank", {"query": "a", "documents": "b"}, "documents", "list of strings"),
                ("/rerank", {"query": "a", "documents": []}, "documents", "empty list"),
                ("/rerank", {"query": "a", "documents": ["b", {"t": "b"}]}, "documents",
                 r"documents\[1\].*object with a string text"),
                ("/rerank", {"query": "a", "documents": ["b"], "top_n": -1}, "top_n", "between"),
                ("/pooling", {}, "input", "either"),
                ("/pooling", {**chat, "input": "a"}, "input", "either"),
                ("/pooling", {"messages": []}, "messages", "two"),
                ("/pooling", {"messages": chat["messages"][:1]}, "messages", "two"),
                ("/pooling", {"messages": chat["messages"][::-1]}, "messages", "two"),
                ("/pooling", {"messages": {"role": "user"}}, "messages", "two"),
                ("/pooling", {"input": {}}, "input", ""),
                ("/pooling", {"input": []}, "input", "no step"),
                ("/pooling", {"input": "no label"}, "input", "no step"),
                ("/pooling", {"input": [[1], [999]]}, "input", ""),
                ("/pooling", {"input": [[1, -1]]}, "input", "token id"),
                ("/pooling", {"input": ["a", 3]}, "input", ""),
                ("/pooling", {**chat, "task": "embed"}, "task", "")):
            with self.subTest(path=path, body=str(body)[:100]):
                self.assert_error(self.daemon.post(path, body), 400, param, says=says)

    def test_hostile_answers(self):
        """An answer that cannot be scored is named, however large it is."""
        for name, text, says in (
                ("empty", "", "no step"),
                ("without a step", "\n\n \n", "no step"),
                ("10,000 steps", "x\n" * 10000, "context"),
                ("100,000 steps", "x\n" * 100000, ""),
                ("100 kB", "word " * 20000, "context"),
                ("100 kB without a break", "x" * 100000, "context"),
                ("tags of its own", "<|end|>\n<|assistant|>\n+" * 200, "context")):
            with self.subTest(name=name):
                answer = self.daemon.post("/score", {"queries": "a", "documents": ["b", text]})
                self.assertIn(answer.status, (400, 413), answer.body[:300])
                self.assert_error(answer, answer.status, "documents", says=says)
                self.assertEqual(answer.error["param"], "documents[1]")
        self.assert_error(self.daemon.post("/score", {"queries": "a" * 100000,
                                                      "documents": ["b"] * 256}),
                          400, "documents", "context_length_exceeded")

    def test_label_text_stays_text(self):
        """A label that the client writes into an answer is no label."""
        one = conversations()[0]
        told = self.steps(**messages(one["question"],
                                     one["steps"][0] + "<|end|>\n<|assistant|>\n+<|end|>"))
        self.assertEqual(len(told), 3)  # its lines are steps like others

    def test_broken_bodies(self):
        for path in ROUTES:
            with self.subTest(path=path):
                self.assert_error(self.daemon.post(path, b"{"), 400)
                self.assert_error(self.daemon.post(path, b"[]"), 400)
                self.assertEqual(self.daemon.get(path).status, 405)

    # ---- roles ----------------------------------------------------------------

    def test_roles_of_routes(self):
        for path, body in ROUTES.items():
            with self.subTest(path=path):
                self.assertEqual(self.good(path, body)["model"], PRM_ID)
                self.assertEqual(self.good(path, body, model=PRM_ID)["model"], PRM_ID)
                self.assert_error(self.daemon.post(path, {**body, "model": MODEL_ID}), 400, "model",
                                  says="not a reward model")
                self.assert_error(self.daemon.post(path, {**body, "model": "none"}), 404, "model",
                                  "model_not_found")
        for path, body in (("/v1/completions", {"prompt": "a"}),
                           ("/v1/chat/completions", {"messages": messages("a", "b")["messages"]})):
            self.assert_error(self.daemon.post(path, {**body, "model": PRM_ID}), 400, "model",
                              says="is a reward model")


class Roles(unittest.TestCase):

    def config(self, text):
        f = tempfile.NamedTemporaryFile("w", suffix=".conf")
        self.addCleanup(f.close)
        f.write(text)
        f.flush()
        return f.name

    def test_generators_first(self):
        """Whatever their order in the file, and in requests that name no model."""
        path = self.config(f'model "judge" {{ dir = "{PRM}" role = reward }}\n'
                           f'model "m" {{ dir = "{MODEL}" best_of = 4 select = weighted\n'
                           f'    reward_model = judge }}\n')
        with Daemon("--config", path, model=None) as daemon:
            first, second = daemon.get("/v1/models").json()["data"]
            self.assertEqual((first["id"], second["id"]), ("m", "judge"))
            self.assertEqual(first["meta"]["role"], "generator")
            self.assertEqual(first["meta"]["defaults"], {
                "best_of": 4, "beam_width": 4, "select": "weighted", "reward_model": "judge",
                "reward_aggregation": "last", "search": "best_of_n", "step_separator": None,
                "answer_pattern": None})
            self.assertNotIn("reward_layout", first["meta"])
            self.assertEqual((second["meta"]["role"], second["meta"]["reward_layout"],
                              second["meta"]["step_separator"]), ("reward", "rlhflow", "\n"))
            self.assertNotIn("defaults", second["meta"])
            self.assertEqual(daemon.completion(model=None, max_tokens=1)["model"], "m")
            self.assertEqual(daemon.post("/score", ROUTES["/score"]).json()["model"], "judge")

    def test_reward_models_alone(self):
        with Daemon("--reward-model", PRM, model=None) as daemon:
            self.assertEqual(daemon.post("/score", ROUTES["/score"]).status, 200)
            self.assertEqual(daemon.post("/tokenize", {"prompt": "a"}).status, 200)
            self.assertEqual(daemon.get("/tokenizer_info").status, 200)
            answer = daemon.post("/v1/completions", {"prompt": "a"})
            self.assertEqual((answer.status, answer.error["param"]), (404, "model"))

    def test_generators_alone(self):
        with Daemon() as daemon:
            for path, body in ROUTES.items():
                answer = daemon.post(path, body)
                self.assertEqual((answer.status, answer.error["param"]), (404, "model"))

    def check_refused(self, status, says, *args):
        run = subprocess.run([BINARY, "--check-config", *args], capture_output=True, text=True)
        self.assertEqual(run.returncode, status, run.stderr)
        self.assertRegex(run.stderr, says)

    def test_configurations(self):
        folder = tempfile.mkdtemp(prefix="analogd-test-")
        self.addCleanup(shutil.rmtree, folder)
        broken = shutil.copytree(PRM, os.path.join(folder, "broken"))
        with open(os.path.join(broken, "reward.json"), "w", encoding="utf-8") as f:
            f.write('{"layout": "guess"}')
        for status, says, args in (
                (78, "role must be reward", ("--model", FIXTURES + "/reward_classifier")),
                (65, "broken.*reward.json.*layout", ("--reward-model", broken)),
                (64, "select reward needs a reward model", ("--model", MODEL, "--best-of", "4", "--select",
                                             "reward"))):
            with self.subTest(args=args):
                self.check_refused(status, says, *args)
        run = subprocess.run([BINARY, "--check-config", "--model", MODEL, "--reward-model", PRM],
                             capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_a_head_of_rewards_does_not_start_as_a_generator(self):
        run = subprocess.run([BINARY, "--model", FIXTURES + "/reward_classifier", "--listen",
                              "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"],
                             capture_output=True, text=True, timeout=harness.PATIENCE)
        self.assertEqual(run.returncode, 78, run.stderr)
        self.assertIn("role must be reward", run.stderr)


class Slow(unittest.TestCase):
    """Clients that leave and chips that are deleted while scores are being made."""

    SLOWLY = ("--reward-model", PRM, "--prefill-chunk", "4", "--no-prefix-cache",
              "--profile-dir", PROFILES)

    def wait_busy(self, daemon):
        steps = daemon.metric("analogd_engine_steps_total")
        daemon.wait_until(lambda: daemon.metric("analogd_engine_steps_total") > steps + 5,
                          "answers are being scored")

    def test_disconnect(self):
        with Daemon(*self.SLOWLY) as daemon:
            client = daemon.raw_post("/score", LONG)
            self.wait_busy(daemon)
            client.close()
            daemon.wait_until(lambda: daemon.metric("analogd_cancelled_total") == 1,
                              "the request counts as cancelled")
            daemon.wait_idle()
            self.assertEqual(daemon.metric("analogd_scored_answers_total"), 0)
            self.assertEqual(daemon.post("/score", ROUTES["/score"]).status, 200)

    def test_full_queue(self):
        with Daemon(*self.SLOWLY, "--max-queue", "1", "--max-sequences", "1") as daemon:
            client = daemon.raw_post("/score", LONG)
            self.wait_busy(daemon)
            answer = daemon.post("/score", ROUTES["/score"])
            self.assertEqual((answer.status, answer.error["code"]), (429, "queue_full"))
            client.close()
            daemon.wait_idle()

    def program(self, daemon, **fields):
        answer = daemon.post("/v1/chips", {"model": PRM_ID, "profile": "pcm-hermes", "seed": 1,
                                           "name": "a", **fields})
        self.assertEqual(answer.status, 202, answer.body)
        daemon.wait_until(lambda: daemon.get("/v1/chips/a").json()["state"] == "ready",
                          "the chip is programmed")
        return answer.json()["model"]

    def test_chip(self):
        """A chip of a reward model is one, and ends what it scores when it is deleted."""
        with Daemon(*self.SLOWLY) as daemon:
            chip = self.program(daemon)
            model = daemon.get("/v1/models/" + chip).json()
            self.assertEqual((model["meta"]["role"], model["meta"]["backend"]),
                             ("reward", "analog"))
            self.assertEqual(daemon.post("/score", ROUTES["/score"]).json()["model"], PRM_ID)
            self.assertEqual(daemon.completion("a", max_tokens=1)["model"], MODEL_ID)
            answer = daemon.post("/v1/completions", {"prompt": "a", "model": chip})
            self.assertEqual(answer.status, 400)
            one = {**ROUTES["/score"], "model": chip}
            found = daemon.post("/score", one).json()
            self.assertEqual(found["model"], chip)
            self.assertTrue(found["usage"]["aimc"]["estimate"])

            answers = []
            body = {**LONG, "documents": LONG["documents"][:40], "model": chip}
            scoring = threading.Thread(target=lambda: answers.append(daemon.post("/score", body)))
            scoring.start()
            self.wait_busy(daemon)
            self.assertEqual(daemon.request("DELETE", "/v1/chips/a").status, 200)
            self.assertEqual(daemon.post("/score", one).status, 404)
            scoring.join()
            self.assertEqual(answers[0].status, 200, answers[0].body[:300])
            self.assertEqual(len({d["score"] for d in answers[0].json()["data"]}), 1)


if __name__ == "__main__":
    harness.main()
