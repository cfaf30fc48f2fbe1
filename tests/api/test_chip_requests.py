# SPDX-License-Identifier: Apache-2.0
"""What the routes of chips take and refuse, and what they say of it."""

import json
import os
import unittest

import harness
from harness import MODEL, MODEL_ID
from test_chips import CHIPS, PROFILES, ChipDaemon, StateDirectory


class Reading(StateDirectory):
    """Chips can be looked at from the end of the load to the end of the daemon."""

    CHIP = ("--backend", "analog", "--profile", "ideal")

    def test_while_loading(self):
        path = os.path.join(self.dir, "analogd.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write("".join(f'model "m{i}" {{ dir = "{MODEL}" }}\n' for i in range(30)))
        with ChipDaemon("--config", path, *self.CHIP, model=None, wait=False) as daemon:
            answers = [daemon.get(CHIPS), daemon.get(CHIPS + "/m0")]
            if not daemon.events("ready"):
                for answer in answers:
                    self.assertEqual((answer.status, answer.error["code"]), (503, "loading"))
                    self.assertIn("retry-after", answer.headers)
            daemon.wait_ready()
            self.assertEqual(len(daemon.get(CHIPS).json()["data"]), 30)

    def test_while_draining(self):
        with ChipDaemon() as daemon:
            daemon.program("a", "ideal")
            body = {"prompt": "a", "n": 16, "max_tokens": 400, "ignore_eos": True, "stream": True}
            with daemon.raw_post("/v1/completions", body) as stream:
                stream.recv(1)
                daemon.kill()
                daemon.wait_until(lambda: daemon.events("draining"), "it drains")
                self.assertEqual(daemon.get(CHIPS).status, 200)
                self.assertEqual(daemon.post(CHIPS, {}).status, 503)
                while stream.recv(1 << 16):
                    pass
            daemon.process.wait(harness.PATIENCE)


class Types(harness.DaemonTest):

    @classmethod
    def setUpClass(cls):
        cls.daemon = ChipDaemon()

    def test_a_page_cannot_make_chips(self):
        """What a page of another origin can send unasked."""
        body = json.dumps({"model": MODEL_ID, "profile": "ideal"}).encode()
        for kind in ("", "Content-Type: text/plain\r\n", "Content-Type:\r\n",
                     "Content-Type: multipart/form-data\r\n"):
            with self.subTest(kind=kind):
                request = (f"POST {CHIPS} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                           f"{kind}Content-Length: {len(body)}\r\n\r\n").encode()
                with self.daemon.raw(request + body) as s:
                    self.assertTrue(s.recv(100).startswith(b"HTTP/1.1 415 "))
        self.assertEqual(self.daemon.names(), [])

    def test_methods(self):
        for method, path, allowed in (("PUT", CHIPS, "GET, HEAD, POST"),
                                      ("PATCH", CHIPS + "/a", "GET, HEAD, DELETE"),
                                      ("OPTIONS", CHIPS + "/a/age", "POST")):
            with self.subTest(method=method, path=path):
                answer = self.daemon.request(method, path)
                self.assertEqual((answer.status, answer.headers["allow"]), (405, allowed))
        self.assertEqual(self.daemon.request("PUT", "/nothing").status, 404)


if __name__ == "__main__":
    unittest.main(verbosity=2)
