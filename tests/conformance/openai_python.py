# SPDX-License-Identifier: Apache-2.0
"""What users do with the official openai package for Python, against analogd."""

import asyncio
import os
import sys
import tempfile
import threading
import unittest

import openai
from openai import AsyncOpenAI, OpenAI

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api"))
import harness  # pylint: disable=wrong-import-position

MODEL = harness.MODEL_ID
REWARD_MODEL = "wordmath-2m-prm"
ASK = [{"role": "user", "content": harness.QUESTION}]


def client(**kwargs):
    kwargs.setdefault("base_url", os.environ["ANALOGD_URL"])
    kwargs.setdefault("api_key", "none")
    kwargs.setdefault("max_retries", 0)
    return OpenAI(**kwargs)


class Models(unittest.TestCase):

    def test_list(self):
        self.assertEqual([model.id for model in client().models.list()], [MODEL, REWARD_MODEL])

    def test_retrieve(self):
        model = client().models.retrieve(MODEL)
        self.assertEqual((model.id, model.object), (MODEL, "model"))
        with self.assertRaises(openai.NotFoundError) as caught:
            client().models.retrieve("none")
        self.assertEqual(caught.exception.code, "model_not_found")


class Chat(unittest.TestCase):

    def test_create(self):
        answer = client().chat.completions.create(model=MODEL, messages=ASK, temperature=0)
        self.assertEqual(answer.choices[0].message.content, harness.ANSWER)
        self.assertEqual(answer.choices[0].message.role, "assistant")
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertEqual(answer.usage.total_tokens,
                         answer.usage.prompt_tokens + answer.usage.completion_tokens)
        self.assertTrue(answer._request_id)

    def test_stream(self):
        stream = client().chat.completions.create(
            model=MODEL, messages=ASK, temperature=0, stream=True,
            stream_options={"include_usage": True})
        text, usage, roles = "", None, []
        for chunk in stream:
            for choice in chunk.choices:
                text += choice.delta.content or ""
                roles.append(choice.delta.role)
            usage = chunk.usage or usage
        self.assertEqual(text, harness.ANSWER)
        self.assertEqual(roles[0], "assistant")
        self.assertGreater(usage.completion_tokens, 0)

    def test_stream_helper(self):
        with client().chat.completions.stream(model=MODEL, messages=ASK, temperature=0) as stream:
            for _ in stream:
                pass
            final = stream.get_final_completion()
        self.assertEqual(final.choices[0].message.content, harness.ANSWER)

    def test_logprobs(self):
        answer = client().chat.completions.create(
            model=MODEL, messages=ASK, temperature=0, logprobs=True, top_logprobs=2, max_tokens=3)
        entries = answer.choices[0].logprobs.content
        self.assertEqual(len(entries), 3)
        self.assertEqual(entries[0].top_logprobs[0].token, entries[0].token)

    def test_candidates(self):
        answer = client().chat.completions.create(
            model=MODEL, messages=ASK, temperature=1.2, seed=4, n=3, max_completion_tokens=20)
        self.assertEqual([choice.index for choice in answer.choices], [0, 1, 2])

    def test_async(self):
        async def ask():
            async with AsyncOpenAI(base_url=os.environ["ANALOGD_URL"], api_key="none") as c:
                answers = await asyncio.gather(*[c.chat.completions.create(
                    model=MODEL, messages=ASK, temperature=0) for _ in range(8)])
                return {answer.choices[0].message.content for answer in answers}
        self.assertEqual(asyncio.run(ask()), {harness.ANSWER})

    def test_leaving_a_stream(self):
        with client() as c:
            for _ in range(5):
                stream = c.chat.completions.create(model=MODEL, messages=ASK, stream=True,
                                                   extra_body={"ignore_eos": True})
                next(iter(stream))
                stream.close()
            self.assertEqual(c.models.list().data[0].id, MODEL)


class Completions(unittest.TestCase):

    def test_prompts(self):
        c = client()
        ids = harness_tokens(c)
        for prompt in (ids, [ids], [ids, ids]):
            answer = c.completions.create(model=MODEL, prompt=prompt, temperature=0, max_tokens=64)
            self.assertEqual({choice.text for choice in answer.choices}, {harness.ANSWER})

    def test_stream(self):
        stream = client().completions.create(model=MODEL, prompt=harness.PROMPT, temperature=0,
                                             max_tokens=64, stream=True)
        self.assertEqual("".join(chunk.choices[0].text for chunk in stream), harness.ANSWER)

    def test_logprobs_and_echo(self):
        answer = client().completions.create(model=MODEL, prompt=harness.PROMPT, temperature=0,
                                             max_tokens=1, logprobs=1, echo=True)
        logprobs = answer.choices[0].logprobs
        self.assertIsNone(logprobs.token_logprobs[0])
        self.assertEqual(len(logprobs.tokens), answer.usage.total_tokens)
        self.assertTrue(answer.choices[0].text.startswith(harness.PROMPT))

    def test_extra_body(self):
        answer = client().completions.create(
            model=MODEL, prompt=harness.PROMPT, temperature=1.9, max_tokens=64,
            extra_body={"top_k": 1, "repetition_penalty": 1.0, "return_token_ids": True})
        self.assertEqual(answer.choices[0].text, harness.ANSWER)
        self.assertEqual(answer.choices[0].token_ids[-1], harness.EOS)

    def test_raw_response(self):
        raw = client().completions.with_raw_response.create(model=MODEL, prompt="a", max_tokens=1)
        self.assertTrue(raw.headers["x-request-id"])
        self.assertEqual(raw.parse().object, "text_completion")


class Errors(unittest.TestCase):

    def test_bad_request(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            client().chat.completions.create(model=MODEL, messages=ASK, temperature=9)
        self.assertEqual(caught.exception.param, "temperature")
        self.assertEqual(caught.exception.type, "invalid_request_error")

    def test_too_long(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            client().completions.create(model=MODEL, prompt=[1] * 1000)
        self.assertEqual(caught.exception.code, "context_length_exceeded")

    def test_not_found(self):
        with self.assertRaises(openai.NotFoundError):
            client().chat.completions.create(model="gpt-4", messages=ASK)

    def test_timeout(self):
        """The client gives up; the daemon drops the work."""
        with self.assertRaises(openai.APITimeoutError):
            client(timeout=0.05).completions.create(
                model=MODEL, prompt=[harness.PROMPT] * 100, max_tokens=400,
                extra_body={"ignore_eos": True})

    def test_authentication(self):
        with tempfile.NamedTemporaryFile("w", suffix=".keys") as keys:
            os.chmod(keys.name, 0o600)
            keys.write("sesame\n")
            keys.flush()
            with harness.Daemon("--api-key-file", keys.name) as daemon:
                url = f"http://127.0.0.1:{daemon.port}/v1"
                with self.assertRaises(openai.AuthenticationError):
                    client(base_url=url, api_key="wrong").models.list()
                self.assertEqual(client(base_url=url, api_key="sesame").models.list().data[0].id,
                                 MODEL)

    def test_full_queue(self):
        """RateLimitError without retries; with them the SDK comes back and succeeds."""
        with harness.Daemon("--max-sequences", "1", "--max-queue", "2") as daemon:
            url = f"http://127.0.0.1:{daemon.port}/v1"
            work = {"prompt": [harness.PROMPT] * 100, "max_tokens": 400, "ignore_eos": True}
            hold = []
            for waiting in range(2):  # a request holds its place until its last prompt starts
                hold.append(daemon.raw_post("/v1/completions", work))
                daemon.wait_until(
                    lambda n=waiting: daemon.metric("analogd_num_requests_running") == 1
                    and daemon.metric("analogd_num_requests_waiting") >= 100 * n,
                    "the request is in")
            with self.assertRaises(openai.RateLimitError) as caught:
                client(base_url=url).completions.create(model=MODEL, prompt="a", max_tokens=1)
            self.assertEqual(caught.exception.code, "queue_full")
            release = threading.Timer(0.5, lambda: [s.close() for s in hold])
            release.start()
            answer = client(base_url=url, max_retries=5).completions.create(
                model=MODEL, prompt="a", max_tokens=1)
            self.assertEqual(answer.usage.completion_tokens, 1)
            release.join()


class BestOfN(unittest.TestCase):
    """Test-time compute: the package passes fields that it does not know in extra_body."""

    def test_weighted_vote(self):
        answer = client().chat.completions.create(
            model=MODEL, messages=ASK, temperature=0.8, seed=1,
            extra_body={"best_of": 16, "select": "weighted", "return_candidates": True})
        self.assertEqual(len(answer.choices), 1)
        self.assertTrue(answer.choices[0].message.content.endswith("Answer: 42"))
        candidates = answer.candidates
        self.assertEqual(sorted(c["index"] for c in candidates), list(range(16)))
        self.assertEqual(candidates[0]["text"], answer.choices[0].message.content)
        self.assertEqual(answer.usage.completion_tokens, sum(c["tokens"] for c in candidates))
        self.assertGreater(answer.usage.model_dump()["reward_tokens"], 0)

    def test_completions_know_best_of(self):
        answer = client().completions.create(
            model=MODEL, prompt=harness.PROMPT, max_tokens=64, temperature=0.8, seed=1, n=2,
            best_of=4, extra_body={"select": "reward", "reward_model": REWARD_MODEL,
                                   "reward_aggregation": "min", "return_candidates": True})
        self.assertEqual([c.text for c in answer.choices],
                         [c["text"] for c in answer.candidates[:2]])
        rewards = [c["reward"] for c in answer.candidates]
        self.assertEqual(rewards, sorted(rewards, reverse=True))
        self.assertEqual(rewards[0], min(answer.candidates[0]["rewards"]))

    def test_beam_search(self):
        ask = dict(model=MODEL, messages=ASK, temperature=0.8, seed=1,
                   extra_body={"best_of": 4, "search": "beam", "beam_width": 2})
        first = client().chat.completions.create(**ask)
        again = client().chat.completions.create(**ask)
        self.assertEqual(first.choices[0].message.content, again.choices[0].message.content)

    def test_stream_of_candidates(self):
        ask = {"best_of": 4, "select": "majority", "stream_candidates": True}
        stream = client().chat.completions.create(model=MODEL, messages=ASK, temperature=0.8,
                                                  seed=1, stream=True, extra_body=ask)
        seen, chosen = set(), ""
        for chunk in stream:
            if not chunk.choices:
                seen.add(chunk.candidate["index"])
            for choice in chunk.choices:
                chosen += choice.delta.content or ""
        self.assertEqual(seen, {0, 1, 2, 3})
        self.assertIn("Answer: ", chosen)

    def test_errors(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            client().chat.completions.create(model=MODEL, messages=ASK, stream=True,
                                             extra_body={"best_of": 4})
        self.assertEqual(caught.exception.param, "stream")
        with self.assertRaises(openai.NotFoundError) as caught:
            client().chat.completions.create(
                model=MODEL, messages=ASK, extra_body={"best_of": 4, "reward_model": "none"})
        self.assertEqual(caught.exception.param, "reward_model")


def harness_tokens(c):
    """The ids of the known prompt, through the server's own tokenizer."""
    answer = c.post("/../tokenize", body={"prompt": harness.PROMPT}, cast_to=object)
    return answer["tokens"]


if __name__ == "__main__":
    unittest.main(verbosity=2)
