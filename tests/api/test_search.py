# SPDX-License-Identifier: Apache-2.0
"""Test-time compute over the API: which candidates there are, which are chosen, what is
told of them, what is refused, and that nothing is left when a client leaves."""

import json
import math
import os
import re
import sys
import unittest

import harness
from harness import MODEL_ID, TOP, Daemon, DaemonTest, in_parallel, parse_stream

sys.path.insert(0, os.path.join(TOP, "tests", "search"))
import search_model  # noqa: E402

URL = "/v1/completions"
CHAT = "/v1/chat/completions"
REWARD = os.path.join(TOP, "models", "wordmath-2m-prm")
REWARD_ID = "wordmath-2m-prm"
WITH_REWARDS = ("--reward-model", REWARD)
# Problems that the model is unsure of, so that candidates differ.
PROMPTS = [harness.problems()[i]["prompt"] for i in (7, 32, 49, 43, 42, 44)]
# What threads do is seen in the last two classes; the others tell ThreadSanitizer nothing.
without_threads = unittest.skipIf(harness.sanitized(by="thread"), "no threads meet here")
SELECTS = ("logprob", "reward", "majority", "weighted", "self_certainty")


def body(**fields):
    """A search among eight different candidates."""
    return {"model": MODEL_ID, "prompt": PROMPTS[0], "max_tokens": 80, "temperature": 1.4,
            "seed": 11, "best_of": 8, "return_candidates": True, **fields}


def ask(daemon, path=URL, **fields):
    answer = daemon.post(path, body(**fields))
    assert answer.status == 200, (answer.status, answer.body[:500], fields)
    return answer.json()


def told(answer):
    """What must not depend on anything but the request."""
    usage = {k: v for k, v in answer["usage"].items() if k != "prompt_tokens_details"}
    return json.dumps([answer["choices"], answer.get("candidates"), usage])


def by_number(answer):
    return {(c["prompt_index"], c["index"]): c for c in answer["candidates"]}


class Listed(search_model.Candidate):
    """A candidate as the answer lists it, for the independent model of searches."""

    def __init__(self, fields):
        super().__init__(fields["index"], None)
        self.fields = fields
        self.text = fields["text"]
        self.end = fields["finish_reason"]
        self.reward = math.nan if fields["reward"] is None else fields["reward"]

    def mean(self, which):
        return self.fields["logprob" if which == 1 else "self_certainty"]


def ranked(select, candidates):
    model = search_model.Search({"options": {"select": select, "scored": True},
                                 "simulation": {}})
    model.finish([Listed(c) for c in sorted(candidates, key=lambda c: c["index"])])
    return model.ranked


@without_threads
class Candidates(DaemonTest):
    args = WITH_REWARDS

    def test_fewer_are_a_prefix_of_more(self):
        many = by_number(ask(self.daemon, best_of=16, select="weighted"))
        few = by_number(ask(self.daemon, best_of=4, select="weighted"))
        self.assertEqual(len(many), 16)
        self.assertGreater(len({c["text"] for c in many.values()}), 4)
        for place, candidate in few.items():
            for field in ("text", "answer", "logprob", "rewards", "reward", "tokens"):
                self.assertEqual(candidate[field], many[place][field], (place, field))

    def test_they_are_the_choices_of_a_plain_request(self):
        plain = self.daemon.post(URL, {k: v for k, v in body(n=8).items()
                                       if k not in ("best_of", "return_candidates")}).json()
        candidates = by_number(ask(self.daemon))
        self.assertEqual([choice["text"] for choice in plain["choices"]],
                         [candidates[0, i]["text"] for i in range(8)])
        self.assertNotIn("candidates", plain)
        self.assertNotIn("reward_tokens", plain["usage"])

    def test_every_selector_chooses_as_the_model_does(self):
        for select in SELECTS:
            for prompt in PROMPTS[:2]:
                with self.subTest(select=select, prompt=prompt[9:40]):
                    answer = ask(self.daemon, select=select, n=2, prompt=prompt,
                                 reward_model=REWARD_ID)
                    listed = answer["candidates"]
                    expected = ranked(select, listed)
                    self.assertEqual([c["index"] for c in listed],
                                     [c.number for c in expected])
                    for candidate, model in zip(listed, expected):
                        self.assertEqual(candidate["answer"], model.answer)
                        self.assertAlmostEqual(candidate["score"], model.score, places=7)
                    self.assertEqual([c["text"] for c in answer["choices"]],
                                     [c["text"] for c in listed[:2]])

    def test_aggregations(self):
        how = {"last": lambda r: r[-1], "min": min, "product": math.prod,
               "mean": lambda r: sum(r) / len(r)}
        for name, aggregate in how.items():
            answer = ask(self.daemon, select="reward", reward_aggregation=name)
            for c in answer["candidates"]:
                self.assertAlmostEqual(c["reward"], aggregate(c["rewards"]), places=6)
            self.assertTrue(any(len(c["rewards"]) > 2 for c in answer["candidates"]))
            rewards = [c["reward"] for c in answer["candidates"]]
            self.assertEqual(rewards, sorted(rewards, reverse=True))

    def test_rewards_are_those_of_the_score_route(self):
        question = "How many legs have 3 cats?"
        listed = ask(self.daemon, select="reward", reward_question=question)["candidates"]
        scores = self.daemon.post("/v1/score", {
            "queries": question, "documents": [c["text"] for c in listed]}).json()["data"]
        for candidate, score in zip(listed, scores):
            self.assertAlmostEqual(candidate["reward"], score["score"], places=6)

    def test_the_question_is_the_last_user_turn(self):
        text = "Tom has 3 apples and buys 4. How many apples does Tom have?"
        messages = [{"role": "user", "content": text}]
        fields = {"select": "reward", "prompt": None, "messages": messages}
        chat = ask(self.daemon, CHAT, **fields)
        self.assertEqual(chat["candidates"],
                         ask(self.daemon, CHAT, **fields, reward_question=text)["candidates"])
        other = ask(self.daemon, CHAT, **fields, reward_question="What?")
        self.assertNotEqual([c["reward"] for c in by_number(chat).values()],
                            [c["reward"] for c in by_number(other).values()])
        # A rendered prompt is the same question without its special tokens.
        prompt = f"<|user|>\n{text}<|end|>\n<|assistant|>\n"
        self.assertEqual(ask(self.daemon, select="reward", prompt=prompt)["candidates"],
                         chat["candidates"])

    def test_prompts_and_choices_of_each(self):
        answer = ask(self.daemon, prompt=PROMPTS[:3], n=2, best_of=4, select="weighted",
                     reward_question=["a", "b", "c"])
        self.assertEqual([c["index"] for c in answer["choices"]], list(range(6)))
        listed = answer["candidates"]
        self.assertEqual([c["prompt_index"] for c in listed], [0] * 4 + [1] * 4 + [2] * 4)
        for i in range(3):
            own = [c for c in listed if c["prompt_index"] == i]
            self.assertEqual([c["text"] for c in answer["choices"][2 * i:2 * i + 2]],
                             [c["text"] for c in own[:2]])
            self.assertEqual([c.number for c in ranked("weighted", own)],
                             [c["index"] for c in own])

    def test_usage_counts_every_token(self):
        before = self.daemon.metrics()
        answer = ask(self.daemon, select="weighted")
        after = self.daemon.metrics()
        usage, listed = answer["usage"], answer["candidates"]
        sampled = sum(c["tokens"] for c in listed)
        self.assertEqual(usage["completion_tokens"], sampled)
        self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + sampled)

        def grown(name, model):
            key = f'analogd_{name}{{model_name="{model}"}}'
            return after[key] - before[key]
        self.assertEqual(grown("reward_tokens_total", REWARD_ID), usage["reward_tokens"])
        self.assertEqual(grown("search_total", MODEL_ID), 1)
        self.assertEqual(grown("search_tokens_not_chosen_total", MODEL_ID),
                         sampled - listed[0]["tokens"])
        self.assertEqual(grown("reward_time_seconds_count", REWARD_ID),
                         len({c["text"] for c in listed}))
        line = self.daemon.events("request")[-1]
        self.assertEqual(line["candidates"], "8")
        self.assertEqual(line["reward_tokens"], str(usage["reward_tokens"]))

    def test_equal_texts_are_scored_once(self):
        one, many = (ask(self.daemon, best_of=n, reward_model=REWARD_ID, temperature=0)
                     for n in (1, 4))
        self.assertEqual(many["usage"]["reward_tokens"], one["usage"]["reward_tokens"])
        self.assertEqual([c["rewards"] for c in many["candidates"]],
                         [one["candidates"][0]["rewards"]] * 4)

    def test_logprobs_echo_and_ids_of_the_chosen(self):
        answer = ask(self.daemon, n=2, logprobs=2, return_token_ids=True, echo=True)
        for choice, candidate in zip(answer["choices"], answer["candidates"]):
            self.assertTrue(choice["text"].endswith(candidate["text"]))
            self.assertGreater(len(choice["text"]), len(candidate["text"]))
            self.assertEqual(len(choice["token_ids"]), candidate["tokens"])
            own = choice["logprobs"]["token_logprobs"][-candidate["tokens"]:]
            self.assertAlmostEqual(sum(own) / len(own), candidate["logprob"], places=6)
            lengths = {len(values) for values in choice["logprobs"].values()}
            self.assertEqual(lengths, {len(choice["prompt_token_ids"]) + candidate["tokens"]})

    def test_numbers_have_nine_digits(self):
        text = self.daemon.post(URL, body(best_of=2, select="weighted")).body
        numbers = json.loads(text, parse_float=str)["candidates"]
        for c in numbers:
            for number in (c["logprob"], c["reward"], c["score"], *c["rewards"]):
                self.assertLessEqual(len(re.sub(r"e.*|\D", "", number).lstrip("0")), 9, number)

    def test_more_than_the_cache_holds(self):
        """They wait their turn, and are the same."""
        fields = {"best_of": 32, "select": "logprob", "ignore_eos": True, "max_tokens": 100}
        with Daemon(*WITH_REWARDS, "--kv-cache", "1M", "--best-of", "32") as daemon:
            expected = told(ask(self.daemon, **fields))
            self.assertEqual(told(ask(daemon, **fields)), expected)
            self.assertEqual(told(ask(daemon, **{**fields, "best_of": None})), expected)

    def test_patterns_find_answers(self):
        listed = ask(self.daemon, select="majority", answer_pattern=r"Step 1: (\d+)")
        for c in listed["candidates"]:
            first = c["text"].removeprefix("Step 1: ").split(" ")[0]
            self.assertEqual(c["answer"], first if first.isdigit() else None)

    def test_one_candidate_and_as_many_as_choices(self):
        one = ask(self.daemon, best_of=None, reward_model=REWARD_ID)
        self.assertEqual(len(one["candidates"]), 1)
        self.assertIsInstance(one["candidates"][0]["reward"], float)
        four = ask(self.daemon, n=4, best_of=4, select="reward")
        rewards = [c["reward"] for c in four["candidates"]]
        self.assertEqual(rewards, sorted(rewards, reverse=True))
        self.assertEqual(len(four["choices"]), 4)


@without_threads
class Steps(DaemonTest):
    args = WITH_REWARDS

    def check(self, search, **fields):
        answer = ask(self.daemon, search=search, **fields)
        listed = answer["candidates"]
        rewards = [c["reward"] for c in listed]
        self.assertEqual(rewards, sorted(rewards, reverse=True))
        self.assertEqual([c["text"] for c in answer["choices"]],
                         [c["text"] for c in listed[:len(answer["choices"])]])
        for c in listed:
            steps = [line for line in c["text"].split("\n") if line]
            self.assertEqual(len(c["rewards"]), len(steps), c)
        self.assertEqual(told(ask(self.daemon, search=search, **fields)), told(answer))
        return answer

    def test_beam(self):
        answer = self.check("beam", best_of=8, beam_width=4, n=2)
        self.assertGreaterEqual(len(answer["candidates"]), 2)
        # Beams have steps in common, which are sampled once.
        self.assertLess(answer["usage"]["completion_tokens"], 8 * 80)

    def test_as_many_beams_as_there_must_be(self):
        for n, count in ((1, 4), (5, 8)):
            answer = ask(self.daemon, search="dvts", best_of=None, n=n)
            self.assertEqual(len(answer["candidates"]), count)
            self.assertEqual(len(answer["choices"]), n)

    def test_dvts(self):
        answer = self.check("dvts", best_of=8, beam_width=2)
        self.assertEqual(len(answer["candidates"]), 8)

    def test_logprobs_of_copies(self):
        """A beam has the log-probabilities and ids of the one it goes on from."""
        answer = self.check("beam", best_of=4, beam_width=2, n=2, logprobs=1,
                            return_token_ids=True)
        for choice, candidate in zip(answer["choices"], answer["candidates"]):
            own = choice["logprobs"]["token_logprobs"]
            self.assertEqual(len(own), candidate["tokens"])
            self.assertEqual(len(choice["token_ids"]), candidate["tokens"])
            self.assertAlmostEqual(sum(own) / len(own), candidate["logprob"], places=6)
            self.assertEqual(self.daemon.post("/detokenize", {
                "tokens": choice["token_ids"][:-1]}).json()["prompt"], candidate["text"])

    def test_separators(self):
        """Without line breaks a step is the whole answer: one round."""
        answer = ask(self.daemon, search="beam", best_of=4, beam_width=2, step_separator="@@")
        self.assertEqual(len(answer["candidates"]), 4)
        self.assertEqual(answer["usage"]["completion_tokens"],
                         sum(c["tokens"] for c in answer["candidates"]))


@without_threads
class StopStrings(DaemonTest):
    """Text that one could begin with is held back; where a step ends it is text all the same."""
    args = WITH_REWARDS
    NEVER = ["\nQuestion: nobody", " nobody", "=nobody"]

    def test_one_that_never_comes_changes_nothing(self):
        for fields in ({"search": "beam"}, {"search": "dvts", "prompt": PROMPTS[2]},
                       {"search": "beam", "max_total_tokens": 150},
                       {"search": "dvts", "max_total_tokens": 97, "n": 3},
                       {"select": "reward", "early_stop": {"reject": 0.5, "every": 8}}):
            with self.subTest(**fields):
                self.assertEqual(told(ask(self.daemon, stop=self.NEVER, **fields)),
                                 told(ask(self.daemon, **fields)))


@without_threads
class EarlyStop(DaemonTest):
    args = WITH_REWARDS

    def both(self, **fields):
        """The answers with early_stop and without."""
        without = {k: v for k, v in fields.items() if k not in ("early_stop",
                                                                "max_total_tokens")}
        return tuple(ask(self.daemon, best_of=12, **request) for request in (fields, without))

    def test_certain_votes(self):
        easy = {"prompt": harness.PROMPT, "temperature": 0.8}
        for select in ("majority", "weighted"):
            stopped, whole = self.both(select=select, early_stop=True, **easy)
            self.assertEqual(stopped["choices"][0]["text"].split()[-1],
                             whole["choices"][0]["text"].split()[-1])
            self.assertLess(stopped["usage"]["completion_tokens"],
                            whole["usage"]["completion_tokens"])

    def test_likely_votes_stop_sooner(self):
        easy = {"prompt": harness.PROMPT, "temperature": 0.8, "select": "majority"}
        certain, likely = (ask(self.daemon, best_of=16, early_stop={"vote": p, "wave": 2}, **easy)
                           for p in (1, 0.9))
        self.assertLess(likely["usage"]["completion_tokens"],
                        certain["usage"]["completion_tokens"])

    def test_scores(self):
        stopped, whole = self.both(select="reward", early_stop={"score": 0.0})
        finished = [c for c in stopped["candidates"] if c["finish_reason"] == "stop"]
        self.assertLess(len(finished), len(whole["candidates"]))
        self.assertGreaterEqual(max(c["reward"] for c in finished), 0)

    def test_rejection(self):
        stopped, whole = self.both(select="reward", early_stop={"reject": 0.5, "every": 8})
        ends = [c["finish_reason"] for c in stopped["candidates"]]
        self.assertIn("rejected", ends)
        self.assertLess(stopped["usage"]["completion_tokens"],
                        whole["usage"]["completion_tokens"])
        # What was finished in rounds is what would have been without.
        all_of_them = by_number(whole)
        for place, c in by_number(stopped).items():
            if c["finish_reason"] == "stop":
                self.assertEqual(c["text"], all_of_them[place]["text"])
            else:
                self.assertTrue(all_of_them[place]["text"].startswith(c["text"]), c)

    def test_a_budget(self):
        """None is begun that what is left could not bring to its end."""
        stopped, whole = self.both(select="majority", max_total_tokens=500)
        self.assertLessEqual(stopped["usage"]["completion_tokens"], 500)
        all_of_them = [c for _, c in sorted(by_number(whole).items())]
        begun, rest = 0, 500
        while fit := min(rest // body()["max_tokens"], 12 - begun):
            rest -= sum(c["tokens"] for c in all_of_them[begun:begun + fit])
            begun += fit
        self.assertIn(begun, range(7, 12))
        self.assertEqual([c["text"] for _, c in sorted(by_number(stopped).items())],
                         [c["text"] for c in all_of_them[:begun]])

    def test_what_asks_for_nothing(self):
        plain = ask(self.daemon, best_of=4)
        for early_stop in (False, {}, {"vote": False, "every": 8, "wave": 1}):
            self.assertEqual(told(ask(self.daemon, best_of=4, early_stop=early_stop)), told(plain))
        steps = self.daemon.post(URL, body(search="beam", best_of=4, early_stop={"vote": False}))
        self.assertEqual(steps.status, 200, steps.body)

    def test_rounds_do_not_change_answers(self):
        rounds = ask(self.daemon, best_of=4, select="majority", logprobs=1,
                     early_stop={"vote": True, "every": 4})
        whole = by_number(ask(self.daemon, best_of=4, select="majority", logprobs=1))
        for place, c in by_number(rounds).items():
            if c["finish_reason"] == "stop":
                for field in ("text", "logprob", "tokens", "answer"):
                    self.assertEqual(c[field], whole[place][field])


@without_threads
class Streams(DaemonTest):
    args = (*WITH_REWARDS, "--best-of", "4", "--select", "weighted")

    def test_a_default_waits_and_sends_the_choice(self):
        fields = body(best_of=None, return_candidates=None)
        whole = self.daemon.post(URL, fields).json()
        self.assertIn("reward_tokens", whole["usage"])
        answer = self.daemon.post(URL, {**fields, "stream": True,
                                        "stream_options": {"include_usage": True}})
        chunks = parse_stream(answer.body)
        self.assertEqual(harness.join_completion_stream(chunks)[0]["text"],
                         whole["choices"][0]["text"])
        self.assertEqual(chunks[-1]["usage"]["completion_tokens"],
                         whole["usage"]["completion_tokens"])
        self.assertEqual(chunks[-1]["choices"], [])

    def test_defaults_leave_the_certain_alone(self):
        """One answer where all candidates would be one, or none is wanted."""
        for fields in ({"temperature": 0}, {"echo": True, "logprobs": 1, "max_tokens": 1},
                       {"max_tokens": 0, "echo": True}, {"prompt_logprobs": 1}):
            answer = self.daemon.post(URL, body(best_of=None, return_candidates=None, **fields))
            self.assertEqual(answer.status, 200, answer.body)
            self.assertNotIn("reward_tokens", answer.json()["usage"], fields)

    def test_a_request_overrules_the_default(self):
        answer = self.daemon.post(URL, body(best_of=1, return_candidates=None)).json()
        self.assertNotIn("reward_tokens", answer["usage"])
        self.assertEqual(len(ask(self.daemon, best_of=None, n=6)["candidates"]), 6)

    def check_candidates(self, path, piece, choice_of, **fields):
        whole = ask(self.daemon, path, **fields)
        sent = body(**fields, stream=True, stream_candidates=True)
        chunks = parse_stream(self.daemon.post(path, sent).body)
        texts, ends = {}, {}
        for chunk in chunks:
            if "candidate" in chunk:
                self.assertEqual(chunk["choices"], [])
                c = chunk["candidate"]
                place = c["prompt_index"], c["index"]
                start = texts.get((c["prompt_index"], c.get("parent")), "")
                texts[place] = texts.get(place, start) + piece(c)
                if c["finish_reason"]:
                    self.assertNotIn(place, ends)
                    ends[place] = c["finish_reason"]
        for place, c in by_number(whole).items():
            self.assertEqual(texts[place], c["text"])
            self.assertEqual(ends[place], c["finish_reason"])
        listed = [chunk["candidates"] for chunk in chunks if "candidates" in chunk]
        self.assertEqual(listed, [whole["candidates"]])
        self.assertEqual(set(texts), set(ends), "every candidate is told to have ended")
        choice = "".join(choice_of(chunk) for chunk in chunks if chunk["choices"])
        self.assertEqual(choice, whole["candidates"][0]["text"])

    def test_candidates_as_they_come(self):
        self.check_candidates(URL, lambda c: c["text"], lambda c: c["choices"][0]["text"],
                              best_of=8, early_stop={"reject": 0.5, "every": 8},
                              stop=StopStrings.NEVER)

    def test_candidates_of_a_step_search(self):
        self.check_candidates(URL, lambda c: c["text"], lambda c: c["choices"][0]["text"],
                              best_of=4, search="beam", beam_width=2, select="reward",
                              stop=StopStrings.NEVER, max_total_tokens=70)

    def test_candidates_of_a_chat(self):
        messages = [{"role": "user", "content": "2 + 3?"}]
        self.check_candidates(
            CHAT, lambda c: c["delta"]["content"],
            lambda c: c["choices"][0]["delta"].get("content", ""),
            best_of=4, prompt=None, messages=messages)


REFUSED = (
    ({"best_of": 2, "n": 3}, 400, "best_of", "less than n"),
    ({"best_of": 0}, 400, "best_of", "between 1 and 64"),
    ({"best_of": 65}, 400, "best_of", "between 1 and 64"),
    ({"max_tokens": 0, "echo": True}, 400, "max_tokens", "no candidates"),
    ({"best_of": 1, "select": "majority"}, 400, "select", "best_of greater than 1"),
    ({"best_of": None, "search": "best_of_n"}, 400, "search", "best_of greater than 1"),
    ({"best_of": None, "early_stop": True}, 400, "early_stop", "best_of greater than 1"),
    ({"extra_body": {"best_of": 4}}, 400, "extra_body", "beside the other fields"),
    ({"select": "best"}, 400, "select", "logprob"),
    ({"select": 1}, 400, "select", "string"),
    ({"search": "greedy"}, 400, "search", "best_of_n"),
    ({"reward_aggregation": "sum", "select": "reward"}, 400, "reward_aggregation", "product"),
    ({"reward_aggregation": "min"}, 400, "reward_aggregation", "reward_model"),
    ({"reward_question": "x"}, 400, "reward_question", "reward_model"),
    ({"select": "reward", "reward_question": 7}, 400, "reward_question", "string"),
    ({"select": "reward", "reward_question": ["a", "b"]}, 400, "reward_question", "has 2"),
    ({"select": "reward", "reward_question": "x " * 900}, 400, "reward_question", "context"),
    ({"reward_model": "none"}, 404, "reward_model", "does not exist"),
    ({"reward_model": MODEL_ID}, 400, "reward_model", "not a reward model"),
    ({"search": "beam", "beam_width": 3}, 400, "beam_width", "divide"),
    ({"search": "beam", "best_of": 6}, 400, "best_of", "divide"),
    ({"search": "beam", "best_of": None, "beam_width": 65}, 400, "beam_width", "max_best_of"),
    ({"beam_width": 2}, 400, "beam_width", "search"),
    ({"step_separator": "x"}, 400, "step_separator", "search"),
    ({"search": "dvts", "step_separator": ""}, 400, "step_separator", "1 to 64"),
    ({"answer_pattern": "("}, 400, "answer_pattern", "^answer_pattern does not compile"),
    ({"early_stop": 3}, 400, "early_stop", "object"),
    ({"early_stop": True}, 400, "early_stop", "majority or weighted"),
    ({"early_stop": {"votes": True}, "select": "majority"}, 400, "early_stop", "votes"),
    ({"early_stop": {"vote": 0.5}, "select": "majority"}, 400, "early_stop", "above 0.5"),
    ({"early_stop": {"vote": 0.9}, "select": "weighted"}, 400, "early_stop", "majority"),
    ({"early_stop": {"reject": 1}}, 400, "early_stop", "below 1"),
    ({"early_stop": {"reject": 0.5}, "search": "beam"}, 400, "early_stop", "best_of_n"),
    ({"early_stop": {"every": 0}}, 400, "early_stop", "every"),
    ({"early_stop": {"wave": 65}}, 400, "early_stop", "wave"),
    ({"max_total_tokens": 7, "search": "beam"}, 400, "max_total_tokens", "is 7"),
    ({"max_total_tokens": 159, "n": 2}, 400, "max_total_tokens", "160"),
    ({"stream": True}, 400, "stream", "stream_candidates"),
    ({"stream_candidates": True}, 400, "stream_candidates", "stream"),
    ({"best_of": 60, "max_tokens": 400, "prompt": ["a"] * 200}, 400, "best_of", "could have"),
    ({"best_of": 64, "max_tokens": 400, "logprobs": 20}, 400, "logprobs", "best_of"),
)


@without_threads
class Refusals(DaemonTest):
    args = (*WITH_REWARDS, "--max-logprob-entries", "100000")

    def test_each_names_the_field(self):
        for fields, status, param, says in REFUSED:
            with self.subTest(**fields):
                answer = self.daemon.post(URL, body(**fields))
                self.assert_error(answer, status, param, says=says)
        self.assertEqual(self.daemon.metric("analogd_generation_tokens_total"), 0)

    def test_members_of_early_stop_are_named(self):
        for early_stop, member in (({"vote": 2}, "vote"), ({"vote": True}, "vote"),
                                   ({"reject": 1}, "reject"), ({"wave": 65}, "wave")):
            answer = self.daemon.post(URL, body(early_stop=early_stop))
            self.assert_error(answer, 400, "early_stop")
            self.assertEqual(answer.error["param"], "early_stop." + member)

    def test_a_default_is_named_as_one(self):
        with Daemon("--best-of", "8", "--max-total-tokens", "1000") as daemon:
            fields = body(best_of=None, prompt=["a", "b"], return_candidates=None)
            self.assert_error(daemon.post(URL, fields), 400, "best_of", says="model's default")
            self.assertEqual(daemon.post(URL, {**fields, "best_of": 1}).status, 200)

    def test_null_is_absent(self):
        nulls = {field: None for field in (
            "select", "reward_model", "reward_aggregation", "reward_question", "search",
            "beam_width", "step_separator", "answer_pattern", "early_stop", "max_total_tokens",
            "stream_candidates")}
        self.assertEqual(told(ask(self.daemon, **nulls)), told(ask(self.daemon)))

    def test_a_small_total_shrinks_what_was_not_asked(self):
        with Daemon(*WITH_REWARDS, "--max-total-tokens", "80") as daemon:
            messages = [{"role": "user", "content": "x"}]
            fields = body(prompt=None, messages=messages, max_tokens=None)
            answer = daemon.post(CHAT, fields).json()
            self.assertLessEqual(max(c["tokens"] for c in answer["candidates"]), 10)
            self.assert_error(daemon.post(CHAT, {**fields, "max_tokens": 11}), 400, "best_of")


@without_threads
class RewardModels(DaemonTest):
    def test_none_is_served(self):
        self.assert_error(self.daemon.post(URL, body(select="weighted")), 404, "reward_model",
                          says="--reward-model")
        self.assert_error(self.daemon.post(URL, body(search="beam")), 404, "reward_model")
        self.assertEqual(len(ask(self.daemon, select="majority")["candidates"]), 8)

    def test_answers_longer_than_its_context(self):
        config = f"""model "{MODEL_ID}" {{ dir = "{harness.MODEL}" }}
model "prm" {{ dir = "{REWARD}"
 role = reward
 max_context = 96 }}
"""
        path = os.path.join(self.daemon.dir, "short.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write(config)
        with Daemon("--config", path, model=None) as daemon:
            long = {"max_tokens": 120, "ignore_eos": True, "reward_question": "?",
                    "return_candidates": True}
            votes = ask(daemon, **long, select="majority", reward_model="prm")
            for c in votes["candidates"]:
                self.assertIsNone(c["reward"])
                self.assertRegex(c["error"], "context is 96")
            answer = daemon.post(URL, body(**long, select="reward"))
            self.assert_error(answer, 400, says="context is 96")
            daemon.wait_idle()


class TheSameAnywhere(unittest.TestCase):
    """The same bytes, whatever the server does beside and however it is set up."""

    REQUESTS = (
        body(select="weighted", logprobs=1),
        body(select="weighted", early_stop={"reject": 0.5, "every": 8}),
        body(select="majority", early_stop={"vote": True, "wave": 3}, best_of=12),
        body(select="self_certainty", max_total_tokens=200),
        body(search="beam", beam_width=2, prompt=PROMPTS[:2], n=2),
        body(search="dvts", beam_width=4),
    )

    @staticmethod
    def answers(daemon):
        return [told(daemon.post(URL, fields).json()) for fields in TheSameAnywhere.REQUESTS]

    def test_alone_together_and_by_any_settings(self):
        settings = (("--max-sequences", "3"), ("--threads", "1", "--prefill-chunk", "5"),
                    ("--no-prefix-cache", "--max-sequences", "16", "--kv-cache", "3M"))
        clients = 4
        if harness.sanitized():  # many times slower
            settings, clients = settings[:1], 2
        with Daemon(*WITH_REWARDS) as daemon:
            expected = self.answers(daemon)
            for answers in in_parallel(clients, lambda _: self.answers(daemon)):
                self.assertEqual(answers, expected)
            daemon.wait_idle()
        for args in settings:
            with Daemon(*WITH_REWARDS, *args) as daemon:
                self.assertEqual(self.answers(daemon), expected, args)


class Leaving(DaemonTest):
    args = (*WITH_REWARDS, "--profile-dir", os.path.join(TOP, "conf", "profiles"))

    LONG = {"max_tokens": 200, "ignore_eos": True, "best_of": 8}

    SEARCHES = ({"select": "weighted", "early_stop": {"reject": 0.3, "every": 16}},
                {"search": "beam"}, {"search": "dvts"},
                {"select": "reward", "prompt": PROMPTS[:3]})

    def grows(self, daemon, name, model):
        """Waits until this counter is more than it is now."""
        name = f'analogd_{name}{{model_name="{model}"}}'
        before = daemon.metric(name)
        return lambda: daemon.wait_until(lambda: daemon.metric(name) > before, name + " grows")

    def leave(self, daemon, fields, stage):
        """Leave when the request has come so far."""
        reached = self.grows(daemon, *stage) if stage else None
        s = daemon.raw_post(URL, body(**self.LONG, **fields))
        if reached:
            reached()
        s.close()

    def check_stages(self, daemon, stages):
        searches = self.SEARCHES[::3] if harness.sanitized() else self.SEARCHES
        for fields in searches:
            for stage in stages:
                self.leave(daemon, fields, stage)
        daemon.wait_idle()
        self.assertGreater(daemon.metric("analogd_cancelled_total"), 0)
        ask(daemon, select="weighted")

    def test_while_it_is_read_and_sampled(self):
        self.check_stages(self.daemon, (None, ("generation_tokens_total", MODEL_ID)))

    def test_while_it_is_scored(self):
        """The reward model is so slow that this is where the request is."""
        with Daemon("--config", self.config("prefill_chunk = 1 prefix_cache = false"),
                    model=None) as daemon:
            self.check_stages(daemon, (("engine_steps_total", "prm"),))

    def test_while_scores_wait(self):
        """What is asked of the reward model first, and long, lets nothing else begin."""
        with Daemon("--config", self.config("prefill_chunk = 1 prefix_cache = false "
                                            "max_sequences = 1"), model=None) as daemon:
            busy = self.grows(daemon, "engine_steps_total", "prm")
            other = daemon.raw_post("/score", {"queries": "a", "documents": ["b " * 180] * 100})
            busy()
            self.check_waiting(daemon)
            other.close()
            daemon.wait_idle()

    def check_waiting(self, daemon):
        for fields in self.SEARCHES:
            sampled = self.grows(daemon, "generation_tokens_total", MODEL_ID)
            s = daemon.raw_post(URL, body(**self.LONG, **fields))
            sampled()
            s.close()
        daemon.wait_until(lambda: daemon.metric("analogd_cancelled_total") == len(self.SEARCHES),
                          "all have left")

    def config(self, reward_options):
        path = os.path.join(self.daemon.dir, "slow.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f'model "{MODEL_ID}" {{ dir = "{harness.MODEL}" }}\n'
                    f'model "prm" {{ dir = "{REWARD}" role = reward {reward_options} }}\n')
        return path

    def test_in_the_middle_of_candidates(self):
        s = self.daemon.raw_post(URL, body(**self.LONG, stream=True, stream_candidates=True,
                                           select="weighted"))
        got = b""
        while b'"candidate"' not in got:
            got += s.recv(4096)
        s.close()
        self.daemon.wait_idle()

    def test_a_chip_that_is_deleted_finishes(self):
        made = self.daemon.post("/v1/chips", {"model": REWARD_ID, "profile": "pcm-hermes",
                                              "seed": 1, "name": "r"})
        self.assertEqual(made.status, 202, made.body)
        self.daemon.wait_until(
            lambda: self.daemon.get("/v1/chips/r").json()["state"] == "ready", "the chip is")
        chip = f"{REWARD_ID}@r"
        fields = body(select="weighted", reward_model=chip, best_of=8)
        expected = told(self.daemon.post(URL, fields).json())
        begun = self.grows(self.daemon, "engine_steps_total", chip)

        def client(i):
            if i == 3:
                begun()
                return self.daemon.request("DELETE", "/v1/chips/r").status
            answer = self.daemon.post(URL, fields)
            return told(answer.json()) if answer.status == 200 else answer.status
        *answers, deleted = in_parallel(4, client)
        self.assertEqual(deleted, 200)
        self.assertIn(expected, answers, "one was under way")
        for answer in answers:
            self.assertIn(answer, (expected, 404))
        self.assert_error(self.daemon.post(URL, fields), 404, "reward_model")
        self.daemon.wait_idle()


if __name__ == "__main__":
    harness.main()
