#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""OpenVINO GenAI as run.py's worker: the continuous batching pipeline on the CPU.

  peer_openvino.py MODEL_FOLDER THREADS
"""
import sys
import time

import numpy
import openvino
import openvino_genai

import worker

BATCH_TOKENS = 512  # of one step, at most
CACHE_GB = 1

pipe = None


def submit(ids, request, **options):
    config = openvino_genai.GenerationConfig(ignore_eos=True, eos_token_id=-1, **options)
    return pipe.add_request(request, openvino.Tensor(numpy.array([ids], numpy.int64)), config)


def finish():
    """The first step takes in what was submitted."""
    pipe.step()
    while pipe.has_non_finished_requests():
        pipe.step()


def drop(handles):
    for h in handles:
        h.cancel()
    finish()


def decode(sequences, prompt, seconds):
    handles = [submit(worker.prompt(prompt), i, max_new_tokens=1000, do_sample=False)
               for i in range(sequences)]
    waiting = list(handles)
    while waiting:
        pipe.step()
        waiting = [h for h in waiting if not h.can_read()]
    rate = worker.timed_steps(pipe.step, sequences, seconds)
    drop(handles)
    return rate


def run_to_end(ids, **options):
    start = time.perf_counter()
    handle = submit(ids, 0, **options)  # kept: a request without one is given up
    finish()
    seconds = time.perf_counter() - start
    del handle
    return seconds


def prefill(tokens):
    return run_to_end(worker.prompt(tokens), max_new_tokens=1, do_sample=False)


def candidates(n, prompt, tokens):
    return run_to_end(worker.prompt(prompt), max_new_tokens=tokens, do_sample=True,
                      temperature=1.0, num_return_sequences=n)


def main():
    global pipe
    scheduler = openvino_genai.SchedulerConfig()
    scheduler.cache_size = CACHE_GB
    scheduler.max_num_batched_tokens = BATCH_TOKENS
    scheduler.enable_prefix_caching = False
    pipe = openvino_genai.ContinuousBatchingPipeline(
        sys.argv[1], scheduler, "CPU", {"INFERENCE_NUM_THREADS": int(sys.argv[2])})
    worker.serve(openvino_genai.get_version(), decode=decode, prefill=prefill,
                 candidates=candidates)


if __name__ == "__main__":
    main()
