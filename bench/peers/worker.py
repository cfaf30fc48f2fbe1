# SPDX-License-Identifier: Apache-2.0
"""What the workers of the peers share: the protocol with run.py, prompts, clocks.

A worker loads one model, says {"ready": true, "version": ...} and answers each line
that it reads, a JSON object with the key "figure", with one of its own:

  decode      sequences, prompt, seconds    -> rate (tokens a second of all together)
  prefill     tokens                        -> seconds, until the first token is there
  candidates  n, prompt, tokens             -> seconds, until the last answer is there
  memory                                    -> peak and resident, in bytes

A request that the peer cannot do is answered with {"unsupported": "why"}.
"""
import json
import os
import sys
import time

VOCABULARY = 128256
MIN_STEPS = 3  # of a decode figure, however slow

calls = 0


def prompt(length):
    """Token ids that no earlier call got, so that no cache of prefixes helps."""
    global calls
    calls += 1
    return [(calls * 7919 + i * 104729) % (VOCABULARY - 2000) + 1000 for i in range(length)]


def timed_steps(step, sequences, seconds):
    """Tokens a second of `sequences` that `step` gives one token each."""
    start, steps = time.perf_counter(), 0
    while True:
        step()
        steps += 1
        elapsed = time.perf_counter() - start
        if elapsed >= seconds and steps >= MIN_STEPS:
            return sequences * steps / elapsed


def memory(pid=None):
    with open(f"/proc/{pid or os.getpid()}/status", encoding="ascii") as f:
        kib = {name: text.split()[0] for name, text in (line.split(":", 1) for line in f)
               if name in ("VmHWM", "VmRSS")}
    return {"peak": int(kib["VmHWM"]) * 1024, "resident": int(kib["VmRSS"]) * 1024}


def answer(figures, request):
    figure = figures.get(request.pop("figure"))
    if not figure:
        return {"unsupported": "not offered"}
    value = figure(**request)
    return value if isinstance(value, dict) else {"value": value}


def serve(version, **figures):
    """Answer requests until standard input ends. Libraries that print to standard
    output must not disturb the protocol: it gets a descriptor of its own."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    figures.setdefault("memory", memory)

    def say(message):
        out.write(json.dumps(message) + "\n")
        out.flush()

    say({"ready": True, "version": version})
    for line in sys.stdin:
        say(answer(figures, json.loads(line)))
