# SPDX-License-Identifier: Apache-2.0
"""Starting the toy server of test_http*.py, and a client on a raw socket."""

import json
import os
import signal
import socket
import struct
import subprocess
import time
import unittest

BUILD = os.environ.get("top_builddir", "build")
PROGRAM = os.path.join(BUILD, "tests", "api", "http_server")
PATIENCE = 20


class Server:
    """One run of the toy server."""

    def __init__(self, **options):
        args = ["%s=%s" % item for item in options.items()]
        self.process = subprocess.Popen([PROGRAM] + args, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.port, self.stats_port = map(int, self.process.stdout.readline().split())

    def connect(self, port=None, receive_buffer=None):
        s = socket.socket()
        if receive_buffer:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        s.settimeout(PATIENCE)
        try:
            s.connect(("127.0.0.1", port or self.port))
        except OSError:
            s.close()
            raise
        return Client(s)

    def stats(self):
        with self.connect(self.stats_port) as c:
            return json.loads(c.get("/stats").body)

    def wait(self, **wanted):
        """Wait until the statistics hold these values."""
        end = time.monotonic() + PATIENCE
        while True:
            stats = self.stats()
            if all(stats[k] == v for k, v in wanted.items()):
                return stats
            if time.monotonic() > end:
                raise AssertionError("wanted %s, have %s" % (wanted, stats))
            time.sleep(0.01)

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))

    def stop(self, signum=signal.SIGTERM):
        """Stop it; it must leave nothing behind and say nothing."""
        if signum:
            self.process.send_signal(signum)
        _, errors = self.process.communicate(timeout=PATIENCE)
        if self.process.returncode != 0 or errors:
            raise AssertionError("status %d: %s" % (self.process.returncode, errors))


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def error(self):
        return json.loads(self.body)["error"]


class Client:
    """A socket, and just enough HTTP to read what comes back."""

    def __init__(self, s):
        self.socket, self.buffer = s, b""

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def more(self):
        data = self.socket.recv(65536)
        self.buffer += data
        return data

    def until(self, mark):
        while mark not in self.buffer:
            if not self.more():
                raise EOFError(self.buffer)
        text, self.buffer = self.buffer.split(mark, 1)
        return text

    def exactly(self, n):
        while len(self.buffer) < n:
            if not self.more():
                raise EOFError(self.buffer)
        text, self.buffer = self.buffer[:n], self.buffer[n:]
        return text

    def head(self):
        lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        pairs = [line.split(": ", 1) for line in lines[1:]]
        headers = {k.lower(): v for k, v in pairs}
        assert len(headers) == len(pairs), "a header stands twice: %s" % pairs
        return int(lines[0].split()[1]), headers

    def chunks(self):
        found = []
        while True:
            size = int(self.until(b"\r\n"), 16)
            data = self.exactly(size + 2)[:-2]
            if size == 0:
                return found
            found.append(data)

    def response(self, body=True):
        status, headers = self.head()
        while status == 100:
            status, headers = self.head()
        if not body:
            return Response(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            return Response(status, headers, b"".join(self.chunks()))
        return Response(status, headers, self.exactly(int(headers["content-length"])))

    def request(self, method, path, body=b"", headers=""):
        length = "Content-Length: %d\r\n" % len(body) if body or method == "POST" else ""
        self.send(("%s %s HTTP/1.1\r\nHost: localhost\r\n%s%s\r\n" %
                   (method, path, length, headers)).encode() + body)

    def get(self, path, headers=""):
        self.request("GET", path, headers=headers)
        return self.response()

    def post(self, path, body, headers=""):
        self.request("POST", path, body, headers)
        return self.response()

    def ended(self):
        """True once the server has closed; whatever it sent before is dropped."""
        try:
            while self.more():
                self.buffer = b""
        except ConnectionError:
            pass
        return True

    def reset(self):
        """Close so that the server sees a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Case(unittest.TestCase):
    options = {}

    def setUp(self):
        self.server = Server(**self.options)
        self.addCleanup(self.cleanup)
        self.baseline = self.server.descriptors()

    def no_descriptor_left(self):
        end = time.monotonic() + PATIENCE
        while self.server.descriptors() != self.baseline and time.monotonic() < end:
            time.sleep(0.01)
        self.assertEqual(self.server.descriptors(), self.baseline)

    def cleanup(self):
        if self.server.process.poll() is None:
            try:
                self.server.wait(connections=0, exchanges=0)
                self.no_descriptor_left()
            finally:
                self.server.stop()
        self.server.process.stdout.close()
        self.server.process.stderr.close()

    def connect(self, **how):
        client = self.server.connect(**how)
        self.addCleanup(client.socket.close)
        return client
