#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""analogd as run.py's worker: a daemon of its own, asked over HTTP by one client.

  peer_analogd.py ANALOGD MODEL_FOLDER THREADS [DAEMON_FLAG]...

The daemon serves random weights in the shape of Llama-3.2-1B; MODEL_FOLDER gives the
tokenizer. Standard library only.
"""
import json
import re
import socket
import subprocess
import sys
import time

import worker

EVENT = b"data: {"
FLAGS = ["--random-weights", "llama-3.2-1b", "--listen", "127.0.0.1:0", "--admin-listen", "none",
         "--max-context", "2048", "--no-prefix-cache", "--log-format", "json"]

daemon = port = None


def start(program, model, threads, flags):
    """The daemon once it is ready, and its port. Its log goes to a pipe that a short
    run does not fill."""
    command = [program, "--model", model, "--threads", threads, *FLAGS, *flags]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for line in process.stderr:
        event = json.loads(line)
        if event["event"] == "ready":
            return process, event["port"]
    raise SystemExit(f"{program} did not start")


def request(**body):
    """A socket on which the answer is about to come. HTTP/1.0: it ends with the bytes."""
    text = json.dumps(body).encode()
    s = socket.create_connection(("127.0.0.1", port))
    s.sendall(b"POST /v1/completions HTTP/1.0\r\nHost: localhost\r\n"
              b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
    return s


def events(s):
    """(time, number of tokens) of each piece of a stream; every token is one event."""
    tail = b""
    while piece := s.recv(1 << 16):
        piece = tail + piece
        yield time.perf_counter(), piece.count(EVENT)
        tail = piece[-len(EVENT) + 1:]


def decode(sequences, prompt, seconds):
    """Leaves after the time; the daemon frees the sequences of a client that left."""
    prompts = [worker.prompt(prompt) for _ in range(sequences)]
    s = request(prompt=prompts, max_tokens=1000, temperature=0, ignore_eos=True, stream=True)
    seen, begin, counted = 0, None, 0
    for now, tokens in events(s):
        seen += tokens
        if begin is None:
            begin, counted = (now, seen) if seen >= sequences else (None, 0)
        elif now - begin >= seconds and seen - counted >= worker.MIN_STEPS * sequences:
            break
    s.close()
    return (seen - counted) / (now - begin)


def whole(**body):
    start_time = time.perf_counter()
    s = request(temperature=body.pop("temperature", 0), ignore_eos=True, **body)
    text = b"".join(iter(lambda: s.recv(1 << 16), b""))
    seconds = time.perf_counter() - start_time
    if b" 200 " not in text[:20]:
        raise SystemExit(f"analogd answered {text[:500]}")
    return seconds


def prefill(tokens):
    return whole(prompt=worker.prompt(tokens), max_tokens=1)


def candidates(n, prompt, tokens):
    return whole(prompt=worker.prompt(prompt), max_tokens=tokens, n=n, temperature=1)


def main():
    global daemon, port
    daemon, port = start(*sys.argv[1:4], sys.argv[4:])
    version = subprocess.check_output([sys.argv[1], "--version"], text=True).split()[1]
    worker.serve(version, decode=decode, prefill=prefill, candidates=candidates,
                 memory=lambda: worker.memory(daemon.pid))
    daemon.terminate()
    daemon.wait()


if __name__ == "__main__":
    main()
