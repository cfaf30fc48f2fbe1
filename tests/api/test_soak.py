# SPDX-License-Identifier: Apache-2.0
"""Many clients that stream, and leave when they like.

    test_soak.py [--clients N] [--seconds S] [--seed K]

Every answer that is not cut must be complete and correct, and at the end no
sequence, KV block, connection or descriptor is left."""

import argparse
import json
import random
import socket
import time
import unittest

import harness
from harness import (MODEL_ID, Daemon, in_parallel, join_completion_stream, parse_stream)

OPTIONS = argparse.Namespace(clients=16, seconds=5.0, seed=1)
URL = "/v1/completions"


def requests():
    problems = [p["prompt"] for p in harness.problems()[:24]]
    table = [{"prompt": prompt, "max_tokens": 64, "temperature": 0} for prompt in problems[:8]]
    table += [{"prompt": prompt, "max_tokens": 120, "temperature": 1.2, "seed": i,
               "ignore_eos": True} for i, prompt in enumerate(problems[8:16])]
    table += [{"prompt": problems[16:18], "max_tokens": 60, "temperature": 1, "seed": 7, "n": 2}]
    return [{"model": MODEL_ID, **fields} for fields in table]


class Client:
    """One client: takes a request at random, streams it or not, cuts it or not."""

    def __init__(self, daemon, table, expected, seed):
        self.daemon, self.table, self.expected = daemon, table, expected
        self.random = random.Random(seed)
        self.complete = self.cut = 0

    def run(self, end):
        while time.monotonic() < end:
            i = self.random.randrange(len(self.table))
            stream = self.random.random() < 0.8
            if self.random.random() < 0.4:
                self.leave_early({**self.table[i], "stream": stream})
            else:
                self.read_all(i, stream)

    def read_all(self, i, stream):
        answer = self.daemon.post(URL, {**self.table[i], "stream": stream})
        assert answer.status == 200, answer.body
        choices = (join_completion_stream(parse_stream(answer.body)) if stream
                   else answer.json()["choices"])
        assert [c["text"] for c in choices] == self.expected[i], self.table[i]
        assert all(c["finish_reason"] in ("stop", "length") for c in choices)
        self.complete += 1

    def leave_early(self, body):
        client = self.daemon.raw_post(URL, body)
        try:
            if self.random.random() < 0.7:
                for _ in range(self.random.randrange(1, 12)):
                    if not client.recv(512):
                        break
            else:
                time.sleep(self.random.random() * 0.05)
            if self.random.random() < 0.3:  # a reset instead of a close
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        finally:
            client.close()
        self.cut += 1


class Soak(unittest.TestCase):

    def test_clients_come_and_go(self):
        with Daemon() as daemon:
            table = requests()
            expected = [[c["text"] for c in daemon.completion(**fields)["choices"]]
                        for fields in table]
            daemon.wait_idle()
            descriptors = daemon.descriptors()
            clients = [Client(daemon, table, expected, f"{OPTIONS.seed}/{c}")
                       for c in range(OPTIONS.clients)]
            end = time.monotonic() + OPTIONS.seconds
            in_parallel(len(clients), lambda c: clients[c].run(end))
            daemon.wait_idle()
            daemon.wait_until(lambda: daemon.descriptors() <= descriptors,
                              "no descriptor is left over")
            complete = sum(client.complete for client in clients)
            cut = sum(client.cut for client in clients)
            print(json.dumps({"clients": len(clients), "seconds": OPTIONS.seconds,
                              "complete": complete, "cut": cut}))
            self.assertGreater(complete, 0)
            self.assertGreater(cut, 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=OPTIONS.clients)
    parser.add_argument("--seconds", type=float, default=OPTIONS.seconds)
    parser.add_argument("--seed", type=int, default=OPTIONS.seed)
    parser.parse_args(namespace=OPTIONS)
    unittest.main(argv=["test_soak.py"], verbosity=2)
