# SPDX-License-Identifier: Apache-2.0
"""The evaluation problems of the shipped model, over HTTP.

f32 must give the text of an independent float32 implementation (but for one in
200: sums in another order may tip a tie), int8 must solve as many, within two
points."""

import unittest

import harness
from harness import Daemon, in_parallel

CLIENTS = 8


def final_answer(text):
    lines = [line for line in text.splitlines() if line.startswith("Answer: ")]
    return lines[-1][len("Answer: "):] if lines else None


def answers(daemon, problems):
    texts = [None] * len(problems)

    def client(c):
        for i in range(c, len(problems), CLIENTS):
            answer = daemon.completion(problems[i]["prompt"], max_tokens=200)
            texts[i] = answer["choices"][0]["text"]
    in_parallel(CLIENTS, client)
    return texts


class Eval(unittest.TestCase):

    def test_f32_and_int8(self):
        problems = harness.problems()
        with Daemon("--backend", "f32") as daemon:
            f32 = answers(daemon, problems)
        with Daemon("--backend", "int8") as daemon:
            int8 = answers(daemon, problems)
        differ = [i for i, p in enumerate(problems) if f32[i] != p["greedy"]]
        right = {name: sum(final_answer(text) == p["answer"] for text, p in zip(texts, problems))
                 for name, texts in (("f32", f32), ("int8", int8))}
        print(f"f32: {len(differ)} of {len(problems)} differ from the reference, "
              f"{right['f32']} right; int8: {right['int8']} right")
        self.assertLessEqual(len(differ), len(problems) // 200, differ)
        self.assertLessEqual(abs(right["f32"] - right["int8"]), 0.02 * len(problems))


if __name__ == "__main__":
    harness.main()
