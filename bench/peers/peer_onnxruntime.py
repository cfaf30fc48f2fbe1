#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""onnxruntime-genai as run.py's worker: a static batch on the CPU.

  peer_onnxruntime.py MODEL_FOLDER THREADS

It returns several sequences for a prompt from beam search alone, so that there is no
figure of candidates.
"""
import json
import sys
import time

import onnxruntime_genai as og

import worker

ROOM = 200  # tokens after the prompt, at most: the KV cache is made for them

model = None


def generator(prompts, room=ROOM):
    params = og.GeneratorParams(model)
    length = len(prompts[0]) + room
    params.set_search_options(batch_size=len(prompts), do_sample=False,
                              min_length=length, max_length=length)
    return og.Generator(model, params)


def decode(sequences, prompt, seconds):
    prompts = [worker.prompt(prompt) for _ in range(sequences)]
    g = generator(prompts)
    g.append_tokens(prompts)
    g.generate_next_token()
    return worker.timed_steps(g.generate_next_token, sequences, seconds)


def prefill(tokens):
    ids = worker.prompt(tokens)
    g = generator([ids], room=2)
    start = time.perf_counter()
    g.append_tokens([ids])
    g.generate_next_token()
    return time.perf_counter() - start


def main():
    global model
    config = og.Config(sys.argv[1])
    config.overlay(json.dumps({"model": {"decoder": {"session_options": {
        "intra_op_num_threads": int(sys.argv[2])}}}}))
    model = og.Model(config)
    worker.serve(og.__version__, decode=decode, prefill=prefill)


if __name__ == "__main__":
    main()
