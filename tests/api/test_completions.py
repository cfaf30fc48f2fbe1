# SPDX-License-Identifier: Apache-2.0
"""POST /v1/completions, without streaming."""

import math

import harness
from harness import ANSWER, BOS, EOS, MODEL_ID, PROMPT, DaemonTest

URL = "/v1/completions"


class Prompts(DaemonTest):
    """The four forms of a prompt."""

    def test_text(self):
        answer = self.daemon.completion(max_tokens=64)
        self.assertEqual(answer["object"], "text_completion")
        self.assertTrue(answer["id"].startswith("cmpl-"))
        self.assertEqual(answer["model"], MODEL_ID)
        self.assertIsInstance(answer["created"], int)
        choice, = answer["choices"]
        self.assertEqual(choice["index"], 0)
        self.assertEqual(choice["text"], ANSWER)
        self.assertEqual(choice["finish_reason"], "stop")
        self.assertIsNone(choice["logprobs"])

    def test_all_forms_give_the_same_answer(self):
        ids = [BOS] + self.daemon.tokenize(PROMPT)
        for prompt in (PROMPT, [PROMPT], ids, [ids]):
            with self.subTest(form=str(type(prompt[0]))):
                answer = self.daemon.completion(prompt, max_tokens=64)
                self.assertEqual([c["text"] for c in answer["choices"]], [ANSWER])
                self.assertEqual(answer["usage"]["prompt_tokens"], len(ids))

    def test_ids_are_taken_as_they_are(self):
        ids = self.daemon.tokenize(PROMPT)
        answer = self.daemon.completion(ids, max_tokens=1)
        self.assertEqual(answer["usage"]["prompt_tokens"], len(ids))
        answer = self.daemon.completion(PROMPT, max_tokens=1, add_special_tokens=False)
        self.assertEqual(answer["usage"]["prompt_tokens"], len(ids))
        answer = self.daemon.completion(PROMPT, max_tokens=1)
        self.assertEqual(answer["usage"]["prompt_tokens"], len(ids) + 1)

    def test_batch_order(self):
        """Choice index is prompt_i * n + j, and equals what each prompt gives alone."""
        prompts = [p["prompt"] for p in harness.problems()[:3]]
        fields = {"max_tokens": 12, "temperature": 1, "seed": 5, "n": 2}
        together = self.daemon.completion(prompts, **fields)
        self.assertEqual([c["index"] for c in together["choices"]], list(range(6)))
        alone = self.daemon.completion(prompts[0], **fields)
        self.assertEqual([c["text"] for c in together["choices"][:2]],
                         [c["text"] for c in alone["choices"]])
        greedy = self.daemon.completion(prompts, max_tokens=64)
        for problem, choice in zip(harness.problems(), greedy["choices"]):
            alone = self.daemon.completion(problem["prompt"], max_tokens=64)
            self.assertEqual(choice["text"], alone["choices"][0]["text"])

    def test_absent_prompt_is_end_of_text(self):
        answer = self.daemon.post(URL, {"model": MODEL_ID, "max_tokens": 1})
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.json()["usage"]["prompt_tokens"], 1)

    def test_unicode(self):
        for text in ("Grüße, 世界! 🙂", "a\u0301e\u0308", "\u200b\t  x\n\n", "'re 'LL", "٣٤٥"):
            with self.subTest(text=text):
                answer = self.daemon.completion(text, max_tokens=0, echo=True)
                self.assertEqual(answer["choices"][0]["text"], text)

    def test_many_prompts(self):
        """lm_eval sends batches of unequal lengths."""
        ids = self.daemon.tokenize(PROMPT)
        prompts = [ids[:2 + i % 20] for i in range(256)]
        answer = self.daemon.completion(prompts, max_tokens=1, echo=True, logprobs=1)
        self.assertEqual([c["index"] for c in answer["choices"]], list(range(256)))
        for prompt, choice in zip(prompts, answer["choices"]):
            self.assertEqual(len(choice["logprobs"]["tokens"]), len(prompt) + 1)


class Logprobs(DaemonTest):
    """The rules that lm_eval's loglikelihood rests on."""

    def score(self, prompts, **fields):
        body = {"max_tokens": 1, "logprobs": 1, "seed": 1234, "echo": True, **fields}
        return self.daemon.completion(prompts, **body)["choices"]

    def test_shape(self):
        ids = self.daemon.tokenize(PROMPT)
        prompts = [ids, ids[:5], ids[:1]]
        for prompt, choice in zip(prompts, self.score(prompts)):
            logprobs = choice["logprobs"]
            self.assertEqual(set(logprobs), {"tokens", "token_logprobs", "top_logprobs",
                                             "text_offset"})
            for array in logprobs.values():
                self.assertEqual(len(array), len(prompt) + 1)
            self.assertIsNone(logprobs["token_logprobs"][0])
            self.assertIsNone(logprobs["top_logprobs"][0])
            for i in range(1, len(prompt) + 1):
                value, top = logprobs["token_logprobs"][i], logprobs["top_logprobs"][i]
                self.assertLessEqual(value, 0.0)
                self.assertIn(len(top), (1, 2))
                self.assertEqual(top[logprobs["tokens"][i]], value)
                self.assertLessEqual(value, max(top.values()))

    def test_greedy_flag(self):
        """The model's own greedy answer scores as greedy by exact equality, and
        a wrong answer does not."""
        ids = [BOS] + self.daemon.tokenize(PROMPT)
        right = self.daemon.tokenize(ANSWER)
        wrong = self.daemon.tokenize(ANSWER.replace("42", "43"))
        for answer, greedy in ((right, True), (wrong, False)):
            choice, = self.score([ids + answer])
            values = choice["logprobs"]["token_logprobs"][len(ids):-1]
            tops = choice["logprobs"]["top_logprobs"][len(ids):-1]
            self.assertEqual(len(values), len(answer))
            self.assertEqual(all(v == max(t.values()) for v, t in zip(values, tops)), greedy)

    def test_generated_end_of_sequence_is_there(self):
        ids = [BOS] + self.daemon.tokenize(PROMPT) + self.daemon.tokenize(ANSWER)
        choice, = self.score([ids])
        self.assertEqual(len(choice["logprobs"]["token_logprobs"]), len(ids) + 1)
        self.assertEqual(choice["logprobs"]["tokens"][-1], "<|end|>")
        self.assertEqual(choice["finish_reason"], "stop")
        self.assertGreater(choice["logprobs"]["token_logprobs"][-1], math.log(0.5))

    def test_stop_token_is_there(self):
        nine = self.daemon.tokenize("9")
        choice, = self.score([self.daemon.tokenize(PROMPT)], stop_token_ids=nine,
                             logit_bias={str(nine[0]): 100})
        self.assertEqual(choice["logprobs"]["tokens"][-1], "9")
        self.assertEqual(choice["finish_reason"], "stop")
        self.assertEqual(choice["stop_reason"], nine[0])

    def test_scores_only(self):
        ids = self.daemon.tokenize(PROMPT)
        choice, = self.score([ids], max_tokens=0)
        self.assertEqual(len(choice["logprobs"]["tokens"]), len(ids))
        full, = self.score([ids])
        self.assertEqual(choice["logprobs"]["token_logprobs"],
                         full["logprobs"]["token_logprobs"][:-1])

    def test_no_generation_without_echo(self):
        answer = self.daemon.post(URL, {"prompt": PROMPT, "max_tokens": 0})
        self.assert_error(answer, 400, "max_tokens")

    def test_scores_are_of_the_raw_distribution(self):
        """Temperature, penalties, bias and cuts do not reach the scores."""
        ids = self.daemon.tokenize(PROMPT)
        plain, = self.score([ids])
        bent, = self.score([ids], temperature=1.7, top_p=0.5, top_k=3, frequency_penalty=1.5,
                           repetition_penalty=1.5, logit_bias={"10": 5})
        n = len(ids)
        for key in ("token_logprobs", "top_logprobs"):
            self.assertEqual(plain["logprobs"][key][:n], bent["logprobs"][key][:n])

    def test_scores_are_a_distribution(self):
        """Five best and the rest: probabilities sum to at most one, best first."""
        choice, = self.score([self.daemon.tokenize(PROMPT)], logprobs=5)
        for top in choice["logprobs"]["top_logprobs"][1:]:
            self.assertIn(len(top), (5, 6))
            self.assertLessEqual(sum(math.exp(v) for v in top.values()), 1 + 1e-4)

    def test_chosen_only(self):
        answer = self.daemon.completion(max_tokens=4, logprobs=0)
        logprobs = answer["choices"][0]["logprobs"]
        self.assertEqual(len(logprobs["tokens"]), 4)
        for token, value, top in zip(logprobs["tokens"], logprobs["token_logprobs"],
                                     logprobs["top_logprobs"]):
            self.assertEqual(top, {token: value})

    def test_offsets_count_characters(self):
        text = "Grüße 世界 12"
        choice, = self.score(text)
        tokens, offsets = choice["logprobs"]["tokens"], choice["logprobs"]["text_offset"]
        self.assertEqual(offsets[0], 0)
        self.assertEqual(offsets, sorted(offsets))
        whole = [i for i, token in enumerate(tokens)
                 if "\ufffd" not in token and token not in ("<|endoftext|>", "<|end|>")]
        for i in whole:
            self.assertEqual(choice["text"][offsets[i]:offsets[i] + len(tokens[i])], tokens[i], i)

    def test_same_text_keeps_the_larger(self):
        """Tokens that decode to the same text share a key: the larger value stays."""
        ids = self.daemon.tokenize("世")
        choice, = self.score([ids], logprobs=5)
        for value, top in zip(choice["logprobs"]["token_logprobs"][1:],
                              choice["logprobs"]["top_logprobs"][1:]):
            self.assertLessEqual(value, max(top.values()))

    def test_prompt_logprobs(self):
        ids = self.daemon.tokenize(PROMPT)
        answer = self.daemon.completion(ids, max_tokens=1, prompt_logprobs=2)
        entries = answer["choices"][0]["prompt_logprobs"]
        self.assertEqual(len(entries), len(ids))
        self.assertIsNone(entries[0])
        scored, = self.score([ids])
        for i in range(1, len(ids)):
            own = entries[i][str(ids[i])]
            self.assertEqual(own["logprob"], scored["logprobs"]["token_logprobs"][i])
            self.assertGreaterEqual(own["rank"], 1)
            best = [e for e in entries[i].values() if e["rank"] == 1]
            self.assertEqual(len(best), 1)
            self.assertIsInstance(own["decoded_token"], str)


class Reference(DaemonTest):
    """float32 logits against those of another implementation."""

    args = ("--backend", "f32")

    def test_last_logits(self):
        import json
        import os
        with open(os.path.join(harness.MODEL, "eval", "logits.json"), encoding="utf-8") as f:
            cases = json.load(f)
        for case in cases:
            logits = case["last_logits"]
            top = max(logits)
            norm = top + math.log(sum(math.exp(v - top) for v in logits))
            answer = self.daemon.completion(case["tokens"], max_tokens=1, logprobs=5,
                                            return_token_ids=True)
            choice = answer["choices"][0]
            best = max(range(len(logits)), key=lambda i: logits[i])
            self.assertEqual(choice["token_ids"], [best])
            # The reference computes in another order and prints six decimals.
            self.assertAlmostEqual(choice["logprobs"]["token_logprobs"][0], logits[best] - norm,
                                   delta=2e-3)
            expected = sorted((v - norm for v in logits), reverse=True)[:5]
            got = sorted(choice["logprobs"]["top_logprobs"][0].values(), reverse=True)[:5]
            for a, b in zip(got, expected):
                self.assertAlmostEqual(a, b, delta=2e-2)


class Sampling(DaemonTest):
    """Fields that steer generation."""

    def texts(self, **fields):
        return [c["text"] for c in self.daemon.completion(**fields)["choices"]]

    def test_n_differ_and_repeat(self):
        fields = {"n": 4, "temperature": 1.5, "seed": 7, "max_tokens": 24}
        first = self.texts(**fields)
        self.assertGreater(len(set(first)), 1)
        self.assertEqual(first, self.texts(**fields))
        self.assertNotEqual(first, self.texts(**{**fields, "seed": 8}))

    def test_candidate_does_not_depend_on_n(self):
        fields = {"temperature": 1.5, "seed": 7, "max_tokens": 24}
        self.assertEqual(self.texts(n=1, **fields), self.texts(n=4, **fields)[:1])

    def test_seed_is_told(self):
        """Without a seed one is drawn; sending it back repeats the answer."""
        fields = {"temperature": 1.5, "max_tokens": 24}
        drawn = self.daemon.completion(**fields)
        again = self.daemon.completion(seed=drawn["seed"], **fields)
        self.assertEqual(again["choices"], drawn["choices"])
        self.assertEqual(again["seed"], drawn["seed"])

    def test_extreme_seeds(self):
        for seed in (0, -1, 2**63 - 1, -2**63 + 1):
            with self.subTest(seed=seed):
                fields = {"temperature": 1, "seed": seed, "max_tokens": 8}
                self.assertEqual(self.texts(**fields), self.texts(**fields))

    def test_greedy_ignores_the_seed(self):
        self.assertEqual(self.texts(seed=1, max_tokens=64), [ANSWER])
        self.assertEqual(self.texts(seed=2, max_tokens=64), [ANSWER])

    def test_cuts_to_the_best_token(self):
        for cut in ({"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1.0}):
            with self.subTest(cut=cut):
                self.assertEqual(self.texts(temperature=1.9, seed=3, max_tokens=64, **cut),
                                 [ANSWER])

    def test_off_values(self):
        neutral = {"top_p": 1, "top_k": 0, "min_p": 0, "presence_penalty": 0,
                   "frequency_penalty": 0, "repetition_penalty": 1.0, "logit_bias": {},
                   "stop": [], "stop_token_ids": [], "min_tokens": 0, "ignore_eos": False}
        fields = {"temperature": 1.3, "seed": 11, "max_tokens": 24}
        self.assertEqual(self.texts(**fields), self.texts(**fields, **neutral))
        self.assertEqual(self.texts(**fields), self.texts(**fields, top_k=-1))

    def test_logit_bias(self):
        nine, = self.daemon.tokenize("9")
        self.assertEqual(self.texts(max_tokens=5, logit_bias={str(nine): 100}), ["99999"])
        ban = {str(EOS): -100}
        answer = self.daemon.completion(max_tokens=40, logit_bias=ban)
        self.assertEqual(answer["usage"]["completion_tokens"], 40)

    def test_penalties_change_the_answer(self):
        fields = {"temperature": 1.8, "seed": 2, "max_tokens": 100, "ignore_eos": True}
        plain = self.texts(**fields)
        for name, value in (("presence_penalty", 2), ("frequency_penalty", 2),
                            ("repetition_penalty", 3.0)):
            with self.subTest(penalty=name):
                self.assertNotEqual(self.texts(**fields, **{name: value}), plain)

    def test_lengths(self):
        answer = self.daemon.completion()
        self.assertEqual(answer["usage"]["completion_tokens"], 16)  # OpenAI's default
        self.assertEqual(answer["choices"][0]["finish_reason"], "length")
        answer = self.daemon.completion(max_tokens=100, ignore_eos=True)
        self.assertEqual(answer["usage"]["completion_tokens"], 100)
        answer = self.daemon.completion(max_tokens=60, min_tokens=50)
        self.assertGreaterEqual(answer["usage"]["completion_tokens"], 50)

    def test_stop_strings(self):
        table = (  # stop, text, which
            ("\n", "Step 1: 6 * 7 = 42", "\n"),
            (["zzz", "= 4"], "Step 1: 6 * 7 ", "= 4"),
            (["Answer", "wer"], "Step 1: 6 * 7 = 42\n", "Answer"),
            ("Step", "", "Step"),
        )
        for stop, text, which in table:
            with self.subTest(stop=stop):
                choice, = self.daemon.completion(max_tokens=64, stop=stop)["choices"]
                self.assertEqual(choice["text"], text)
                self.assertEqual(choice["finish_reason"], "stop")
                self.assertEqual(choice["stop_reason"], which)
                choice, = self.daemon.completion(max_tokens=64, stop=stop,
                                                 include_stop_str_in_output=True)["choices"]
                self.assertEqual(choice["text"], text + which)

    def test_many_stop_strings(self):
        """lm_eval sends more than OpenAI's four."""
        stop = [f"zz{i}" for i in range(15)] + ["\n"]
        choice, = self.daemon.completion(max_tokens=64, stop=stop)["choices"]
        self.assertEqual(choice["text"], "Step 1: 6 * 7 = 42")

    def test_stop_token(self):
        newline, = self.daemon.tokenize("\n")
        choice, = self.daemon.completion(max_tokens=64, stop_token_ids=[newline])["choices"]
        self.assertEqual(choice["text"], "Step 1: 6 * 7 = 42")
        self.assertEqual((choice["finish_reason"], choice["stop_reason"]), ("stop", newline))

    def test_end_of_sequence_has_no_reason(self):
        choice, = self.daemon.completion(max_tokens=64)["choices"]
        self.assertEqual(choice["finish_reason"], "stop")
        self.assertIsNone(choice["stop_reason"])

    def test_echo(self):
        choice, = self.daemon.completion(max_tokens=64, echo=True)["choices"]
        self.assertEqual(choice["text"], PROMPT + ANSWER)

    def test_usage_counts_every_sample(self):
        one = self.daemon.completion(max_tokens=10, ignore_eos=True)["usage"]
        many = self.daemon.completion([PROMPT, PROMPT], max_tokens=10, ignore_eos=True,
                                      n=3)["usage"]
        self.assertEqual(one["completion_tokens"], 10)
        self.assertEqual(many["completion_tokens"], 60)
        self.assertEqual(many["prompt_tokens"], 2 * one["prompt_tokens"])
        for usage in (one, many):
            self.assertEqual(usage["total_tokens"],
                             usage["prompt_tokens"] + usage["completion_tokens"])

    def test_token_ids_are_returned(self):
        ids = self.daemon.tokenize(PROMPT)
        choice, = self.daemon.completion(ids, max_tokens=64, return_token_ids=True)["choices"]
        self.assertEqual(choice["prompt_token_ids"], ids)
        self.assertEqual(choice["token_ids"][-1], EOS)
        text = self.daemon.post("/detokenize", {"tokens": choice["token_ids"][:-1]}).json()
        self.assertEqual(text["prompt"], choice["text"])

    def test_truncated_prompt(self):
        ids = self.daemon.tokenize(PROMPT)
        kept = self.daemon.completion(ids, max_tokens=4, truncate_prompt_tokens=10)
        alone = self.daemon.completion(ids[-10:], max_tokens=4)
        self.assertEqual(kept["usage"]["prompt_tokens"], 10)
        self.assertEqual(kept["choices"][0]["text"], alone["choices"][0]["text"])


# Every optional field and what OpenAI or vLLM takes it to be when absent.
OPTIONAL = (
    "best_of", "echo", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs",
    "max_tokens", "n", "seed", "stop", "stream", "stream_options", "suffix", "temperature",
    "top_p", "user", "top_k", "min_p", "repetition_penalty", "ignore_eos", "min_tokens",
    "stop_token_ids", "include_stop_str_in_output", "add_special_tokens", "return_token_ids",
    "prompt_logprobs", "truncate_prompt_tokens", "select", "reward_model", "reward_aggregation",
    "reward_question", "search", "beam_width", "step_separator", "answer_pattern", "early_stop",
    "max_total_tokens", "return_candidates", "stream_candidates")

# Fields, and the param the refusal must name.
REFUSED = (
    ({"prompt": []}, "prompt"),
    ({"prompt": [[]]}, "prompt"),
    ({"prompt": [1, "a"]}, "prompt"),
    ({"prompt": ["a", 1]}, "prompt"),
    ({"prompt": [[1], "a"]}, "prompt"),
    ({"prompt": [-1]}, "prompt"),
    ({"prompt": [512]}, "prompt"),
    ({"prompt": [2**40]}, "prompt"),
    ({"prompt": [1.5]}, "prompt"),
    ({"prompt": {"a": 1}}, "prompt"),
    ({"prompt": 7}, "prompt"),
    ({"model": 7}, "model"),
    ({"n": 0}, "n"),
    ({"n": 100000}, "n"),
    ({"n": "2"}, "n"),
    ({"n": 1.5}, "n"),
    ({"n": True}, "n"),
    ({"best_of": 2, "n": 3}, "best_of"),
    ({"best_of": 0}, "best_of"),
    ({"temperature": -0.1}, "temperature"),
    ({"temperature": 2.1}, "temperature"),
    ({"temperature": "hot"}, "temperature"),
    ({"top_p": -0.1}, "top_p"),
    ({"top_p": 1.1}, "top_p"),
    ({"top_k": -2}, "top_k"),
    ({"min_p": 1.5}, "min_p"),
    ({"presence_penalty": 2.5}, "presence_penalty"),
    ({"frequency_penalty": -2.5}, "frequency_penalty"),
    ({"repetition_penalty": 0}, "repetition_penalty"),
    ({"repetition_penalty": -1}, "repetition_penalty"),
    ({"logit_bias": {"512": 1}}, "logit_bias"),
    ({"logit_bias": {"-1": 1}}, "logit_bias"),
    ({"logit_bias": {"2147483648": 1}}, "logit_bias"),
    ({"logit_bias": {"a": 1}}, "logit_bias"),
    ({"logit_bias": {"1": 101}}, "logit_bias"),
    ({"logit_bias": {"1": "x"}}, "logit_bias"),
    ({"logit_bias": [1]}, "logit_bias"),
    ({"prompt": [[1] * 500] * 32, "echo": True, "logprobs": 20, "n": 16, "max_tokens": 0},
     "logprobs"),  # 5 million entries
    ({"logprobs": -1}, "logprobs"),
    ({"logprobs": 100}, "logprobs"),
    ({"logprobs": True}, "logprobs"),
    ({"logprobs": "1"}, "logprobs"),
    ({"prompt_logprobs": -2}, "prompt_logprobs"),
    ({"prompt_logprobs": 1, "stream": True}, "prompt_logprobs"),
    ({"max_tokens": -1}, "max_tokens"),
    ({"max_tokens": 1e30}, "max_tokens"),
    ({"max_tokens": 2**62}, "max_tokens"),
    ({"min_tokens": -1}, "min_tokens"),
    ({"min_tokens": 20, "max_tokens": 10}, "min_tokens"),
    ({"seed": 1.5}, "seed"),
    ({"seed": "1"}, "seed"),
    ({"stop": 5}, "stop"),
    ({"stop": [5]}, "stop"),
    ({"stop": [""]}, "stop"),
    ({"stop": ["x"] * 1000}, "stop"),
    ({"stop_token_ids": [512]}, "stop_token_ids"),
    ({"stop_token_ids": ["a"]}, "stop_token_ids"),
    ({"stop_token_ids": 3}, "stop_token_ids"),
    ({"stream": "yes"}, "stream"),
    ({"stream_options": {"include_usage": True}}, "stream_options"),
    ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options"),
    ({"stream": True, "stream_options": 1}, "stream_options"),
    ({"echo": 1}, "echo"),
    ({"ignore_eos": "no"}, "ignore_eos"),
    ({"suffix": "after"}, "suffix"),
    ({"truncate_prompt_tokens": 0}, "truncate_prompt_tokens"),
    ({"truncate_prompt_tokens": -2}, "truncate_prompt_tokens"),
)


class Validation(DaemonTest):
    """What is refused, and that the refusal names the field."""

    def post(self, **fields):
        return self.daemon.post(URL, {"model": MODEL_ID, "prompt": PROMPT, "max_tokens": 2,
                                      **fields})

    def test_refused(self):
        for fields, param in REFUSED:
            with self.subTest(fields=str(fields)[:60]):
                self.assert_error(self.post(**fields), 400, param)

    def test_null_is_absent(self):
        expected = self.daemon.completion(max_tokens=16)["choices"]
        for field in OPTIONAL:
            if field == "temperature":
                continue
            with self.subTest(field=field):
                answer = self.daemon.completion(**{field: None})
                self.assertEqual(answer["choices"], expected)
        self.daemon.completion(**{field: None for field in OPTIONAL})

    def test_unknown_fields_are_ignored(self):
        answer = self.daemon.completion(max_tokens=64, not_a_field={"x": [1]}, foo=None)
        self.assertEqual(answer["choices"][0]["text"], ANSWER)

    def test_best_of_one(self):
        self.assertEqual(self.post(best_of=1).status, 200)

    def test_unknown_model(self):
        self.assert_error(self.post(model="gpt-4"), 404, "model", "model_not_found")

    def test_model_may_be_absent(self):
        answer = self.daemon.post(URL, {"prompt": "a", "max_tokens": 1})
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json()["model"], MODEL_ID)

    def test_longer_than_the_context(self):
        long = [1] * (harness.CONTEXT + 1)
        self.assert_error(self.post(prompt=long), 400, "prompt", "context_length_exceeded")
        self.assert_error(self.post(prompt="1" * 4000), 400, "prompt", "context_length_exceeded")
        answer = self.post(prompt=[1] * 500, max_tokens=13)
        self.assert_error(answer, 400, "prompt", "context_length_exceeded")
        self.assertEqual(self.post(prompt=[1] * 500, max_tokens=12).status, 200)

    def test_truncation_makes_it_fit(self):
        answer = self.post(prompt=[1] * 600, truncate_prompt_tokens=-1, max_tokens=1)
        self.assertEqual(answer.status, 200, answer.body)

    def test_not_json(self):
        for body in (b"", b"{", b"[]", b"7", b'"x"', b"null", b"{'a': 1}", b'{"prompt": NaN}'):
            with self.subTest(body=body):
                self.assert_error(self.daemon.post(URL, body), 400)

    def test_duplicate_keys(self):
        answer = self.daemon.post(URL, b'{"prompt": "a", "n": 1, "n": 2}')
        self.assertEqual(answer.status, 400)

    def test_huge_seed(self):
        self.assertEqual(self.post(seed=2**63).status, 400)

    def test_empty_text_is_the_bos(self):
        answer = self.post(prompt="")
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.json()["usage"]["prompt_tokens"], 1)
        self.assert_error(self.post(prompt="", add_special_tokens=False), 400, "prompt")


class Strict(DaemonTest):
    args = ("--strict-params",)

    def test_unknown_fields_are_refused(self):
        answer = self.daemon.post(URL, {"prompt": "a", "not_a_field": 1})
        self.assert_error(answer, 400, "not_a_field", says="not_a_field")

    def test_known_fields_are_not(self):
        body = {"model": MODEL_ID, "prompt": PROMPT}
        body.update({field: None for field in OPTIONAL})
        self.assertEqual(self.daemon.post(URL, body).status, 200)


class SpecialText(DaemonTest):
    """Special-token text is parsed in prompts of this route."""

    def test_parsed(self):
        for text, token in (("<|endoftext|>", 508), ("<|user|>", 509), ("<|end|>", 511)):
            answer = self.daemon.completion(text, max_tokens=1, add_special_tokens=False,
                                            return_token_ids=True)
            self.assertEqual(answer["choices"][0]["prompt_token_ids"], [token])


if __name__ == "__main__":
    harness.main()
