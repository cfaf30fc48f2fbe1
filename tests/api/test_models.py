# SPDX-License-Identifier: Apache-2.0
"""GET routes that describe the daemon: models, health, version, metrics."""

import json
import os
import re
import shutil
import struct
import tempfile

import harness
from harness import MODEL, MODEL_ID, Daemon, DaemonTest


def add_tensor(path, name, count):
    """One more float32 vector, of zeros, in a safetensors file."""
    with open(path, "rb") as f:
        length, = struct.unpack("<Q", f.read(8))
        header, data = json.loads(f.read(length)), f.read()
    header[name] = {"dtype": "F32", "shape": [count],
                    "data_offsets": [len(data), len(data) + 4 * count]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data + bytes(4 * count))


class Models(DaemonTest):

    def test_list(self):
        answer = self.daemon.get("/v1/models").json()
        self.assertEqual(answer["object"], "list")
        model, = answer["data"]
        self.assertEqual((model["id"], model["object"], model["max_model_len"]),
                         (MODEL_ID, "model", harness.CONTEXT))
        self.assertIsInstance(model["created"], int)
        self.assertIsInstance(model["owned_by"], str)
        self.assertEqual(self.daemon.get("/v1/models/" + MODEL_ID).json(), model)

    def test_parameters_are_those_of_the_log(self):
        """A tensor of the file that the model does not use is none of them."""
        def count(daemon):
            model, = daemon.get("/v1/models").json()["data"]
            loaded, = daemon.events("loaded")
            self.assertEqual(model["meta"]["n_params"], int(loaded["parameters"]))
            return model["meta"]["n_params"]

        with tempfile.TemporaryDirectory() as parent:
            folder = shutil.copytree(MODEL, os.path.join(parent, MODEL_ID))
            add_tensor(os.path.join(folder, "model.safetensors"),
                       "model.layers.0.self_attn.rotary_emb.inv_freq", 16)
            daemon = Daemon(model=folder)
            try:
                self.assertEqual(count(daemon), count(self.daemon))
            finally:
                daemon.stop()

    def test_unknown(self):
        for path in ("/v1/models/none", "/v1/models/..%2f..%2fetc%2fpasswd", "/v1/models/"):
            with self.subTest(path=path):
                self.assertEqual(self.daemon.get(path).status, 404)
        self.assert_error(self.daemon.get("/v1/models/none"), 404, "model", "model_not_found")

    def test_health(self):
        for admin in (False, True):
            for path in ("/health", "/livez", "/readyz"):
                with self.subTest(path=path, admin=admin):
                    answer = self.daemon.get(path, admin=admin)
                    self.assertEqual(answer.status, 200)
        self.assertEqual(self.daemon.get("/health").json()["status"], "ok")

    def test_version(self):
        self.assertRegex(self.daemon.get("/version").json()["version"], r"^\d+\.\d+\.\d+")

    def test_health_listener_serves_nothing_else(self):
        self.assertEqual(self.daemon.get("/v1/models", admin=True).status, 404)
        answer = self.daemon.post("/v1/completions", {"prompt": "a"}, admin=True)
        self.assertEqual(answer.status, 404)

    def test_request_id(self):
        answer = self.daemon.get("/health", headers={"X-Request-Id": "abc-123"})
        self.assertEqual(answer.headers["x-request-id"], "abc-123")
        first = self.daemon.get("/health").headers["x-request-id"]
        self.assertNotEqual(first, self.daemon.get("/health").headers["x-request-id"])


class Metrics(DaemonTest):

    SAMPLE = re.compile(r'^[a-z_:][a-z0-9_:]*(\{[a-z_]+="[^"\\]*"(,[a-z_]+="[^"\\]*")*\})? '
                        r"(-?\d+(\.\d+)?(e[-+]?\d+)?|\+Inf|NaN)$")

    def test_format(self):
        """Every line is Prometheus text: a help, a type or a sample of a typed family."""
        self.daemon.completion(max_tokens=4)
        answer = self.daemon.get("/metrics", admin=True)
        self.assertIn("text/plain", answer.headers["content-type"])
        typed = {}
        for line in answer.body.decode().splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                self.assertNotIn(name, typed)
                typed[name] = kind
            elif not line.startswith("# HELP "):
                self.assertRegex(line, self.SAMPLE)
                name = re.split(r"[{ ]", line)[0]
                family = re.sub(r"_(bucket|sum|count)$", "", name)
                self.assertTrue(name in typed or typed.get(family) == "histogram", line)

    def test_counts(self):
        before = self.daemon.metrics()
        self.daemon.completion(max_tokens=7, ignore_eos=True, n=2)
        after = self.daemon.metrics()

        def grown(name):
            return sum(after[k] - before.get(k, 0) for k in after if k.startswith(name))
        self.assertEqual(grown("analogd_generation_tokens_total"), 14)
        self.assertEqual(grown("analogd_request_success_total"), 2)
        self.assertEqual(grown("analogd_e2e_request_latency_seconds_count"), 1)
        self.assertEqual(grown("analogd_time_to_first_token_seconds_count"), 1)

    def test_buckets(self):
        """Those of vLLM, cumulative, the last equal to the count."""
        self.daemon.completion(max_tokens=4)
        metrics = self.daemon.metrics()
        values = [(float(m.group(1)), v) for k, v in metrics.items()
                  for m in [re.match(r'analogd_time_to_first_token_seconds_bucket\{.*le="([^"]*)"',
                                     k)] if m]
        bounds = [bound for bound, _ in values]
        self.assertEqual(bounds, [.001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5,
                                  5, 7.5, 10, 20, 40, 80, 160, 640, 2560, float("inf")])
        counts = [count for _, count in values]
        self.assertEqual(counts, sorted(counts))
        self.assertEqual(counts[-1],
                         self.daemon.metric("analogd_time_to_first_token_seconds_count"))


if __name__ == "__main__":
    harness.main()
