# SPDX-License-Identifier: Apache-2.0
"""What a chip is said to have taken: usage.aimc of each answer is what the engine
really ran, as /metrics counts it, as long as a request has the chip for itself."""

import os
import unittest

import harness
from harness import PROMPT, QUESTION, TOP, Daemon

PROFILES = os.path.join(TOP, "conf", "profiles")
MEMBERS = {
    "tile_mvms": "analogd_chip_tile_mvms_total",
    "dac_conversions": "analogd_chip_dac_conversions_total",
    "adc_conversions": "analogd_chip_adc_conversions_total",
    "energy_joule": "analogd_chip_energy_joules_total",
    "latency_seconds": "analogd_chip_busy_seconds_total",
}

COMPLETIONS, CHAT = "/v1/completions", "/v1/chat/completions"
MESSAGES = [{"role": "user", "content": QUESTION}]
# Every way in which rows come about: choices that share a prompt, several prompts, a
# prompt found in the cache, scored prompts, nothing generated, one token.
REQUESTS = [
    (COMPLETIONS, {"prompt": PROMPT, "max_tokens": 1}),
    (COMPLETIONS, {"prompt": PROMPT, "max_tokens": 20, "seed": 1, "temperature": 1}),
    (CHAT, {"messages": MESSAGES, "n": 3, "max_tokens": 20, "seed": 2}),
    (COMPLETIONS, {"prompt": ["a b c", "d e f g"], "n": 2, "max_tokens": 9, "ignore_eos": True}),
    (COMPLETIONS, {"prompt": "h i j", "max_tokens": 0, "echo": True, "logprobs": 1}),
    (COMPLETIONS, {"prompt": "k l m", "max_tokens": 5, "prompt_logprobs": 0}),
    (COMPLETIONS, {"prompt": "n o p", "max_tokens": 0, "echo": True}),
    (COMPLETIONS, {"prompt": [[5]], "max_tokens": 3, "prompt_logprobs": 1}),
]


def chip_metrics(daemon):
    return [name for name in daemon.metrics() if name.startswith("analogd_chip_")
            and not name.startswith("analogd_chip_operation_seconds")]


class Usage(unittest.TestCase):

    def took(self, daemon, request):
        """The usage of an answer, and by how much the metrics grew."""
        path, fields = request
        before = daemon.metrics()
        usage = daemon.post(path, fields).json()["usage"]
        after = daemon.metrics()
        label = '{model_name="wordmath-2m"}'
        return usage, {member: after[name + label] - before[name + label]
                       for member, name in MEMBERS.items()}

    def test_usage_is_what_the_engine_ran(self):
        with Daemon("--backend", "analog", "--profile", "pcm-hermes",
                    "--profile-dir", PROFILES) as daemon:
            cached = 0
            for request in REQUESTS:
                with self.subTest(request=request):
                    usage, grown = self.took(daemon, request)
                    aimc = usage["aimc"]
                    self.assertIs(aimc.pop("estimate"), True)
                    self.assertEqual(set(aimc), set(MEMBERS))
                    for member, value in aimc.items():
                        self.assertGreater(value, 0)
                        self.assertAlmostEqual(value, grown[member], delta=1e-9 * value)
                    cached += usage["prompt_tokens_details"]["cached_tokens"]
            self.assertGreater(cached, 0)

    def test_a_stream_tells_the_same(self):
        fields = {"prompt": PROMPT, "max_tokens": 20, "temperature": 0}
        options = {"include_usage": True, "continuous_usage_stats": True}
        with Daemon("--backend", "analog", "--profile", "pcm-hermes", "--no-prefix-cache",
                    "--profile-dir", PROFILES) as daemon:
            whole = daemon.post(COMPLETIONS, fields).json()["usage"]
            chunks = daemon.stream(COMPLETIONS, stream_options=options, **fields)
        self.assertEqual(chunks[-1]["choices"], [])
        self.assertEqual(chunks[-1]["usage"], whole)
        spent = [chunk["usage"]["aimc"]["energy_joule"] for chunk in chunks]
        self.assertEqual(spent, sorted(spent))
        self.assertLess(spent[0], spent[-1])

    def test_digital_models_say_nothing(self):
        with Daemon() as daemon:
            answer = daemon.post(COMPLETIONS, {"prompt": "a", "max_tokens": 2})
            self.assertNotIn("aimc", answer.json()["usage"])
            self.assertEqual(chip_metrics(daemon), [])


if __name__ == "__main__":
    harness.main()
