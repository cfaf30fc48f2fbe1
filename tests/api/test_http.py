# SPDX-License-Identifier: Apache-2.0
"""The HTTP listener over real sockets, with a toy application behind it.

Each test class of a rule of libmicrohttpd says which failure it guards against;
without the code that keeps the rule the test hangs, burns CPU or finds a dead
process. Waiting is always for a fact, with a patience that only a bug exhausts.
"""

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
        return int(lines[0].split()[1]), {k.lower(): v for k, v in pairs}

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


# ---- the nine rules ---------------------------------------------------------


class Rule1WakeFromAnotherThread(Case):
    """Resuming wakes nobody by itself: events of a second thread must come out
    although nothing else happens on any socket."""

    def test_stream_of_a_thread(self):
        r = self.connect().get("/stream/20/2")
        self.assertEqual(r.body.count(b"data: 00000007\n\n"), 20)
        self.assertTrue(r.body.endswith(b"data: [DONE]\n\n"))


class Rule2RunAfterResume(Case):
    """An answer given outside of libmicrohttpd's callbacks must be sent now."""

    def test_answer_from_a_timer(self):
        c = self.connect()
        for _ in range(3):
            self.assertEqual(c.get("/later/5").body, b"later\n")


class Rule3Timeout(Case):
    """Client sockets are edge-triggered: input left in the socket makes no
    event, and without honouring the timeout a large upload stalls."""

    def test_large_upload(self):
        body = os.urandom(1 << 20)
        self.assertEqual(self.connect().post("/echo", body).body, body)

    def test_uploads_side_by_side(self):
        body = b"y" * (1 << 20)
        clients = [self.connect() for _ in range(8)]
        for c in clients:
            c.request("POST", "/later/1", body)
        for c in clients:
            self.assertEqual(c.response().status, 200)


class Rule4NoBusyLoop(Case):
    """CPU time, which does not depend on how busy the machine is."""

    def cpu(self, action):
        before = self.server.stats()["cpu_ms"]
        action()
        return self.server.stats()["cpu_ms"] - before

    def test_slow_stream(self):
        c = self.connect()
        self.assertLess(self.cpu(lambda: c.get("/stream/10/100")), 100)

    def test_idle_with_connections_of_all_kinds(self):
        idle, waiting, streaming, headless = (self.connect() for _ in range(4))
        idle.get("/hello")
        waiting.request("GET", "/never")
        streaming.request("GET", "/endless/900")
        streaming.head()
        headless.send("GET / HT")
        self.assertLess(self.cpu(lambda: time.sleep(1.5)), 100)

    def test_pipelined_input_behind_a_waiting_request(self):
        c = self.connect()
        c.send("GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2)
        self.server.wait(exchanges=1)
        self.assertLess(self.cpu(lambda: time.sleep(1)), 100)

    def test_reader_that_does_not_read(self):
        c = self.connect(receive_buffer=4096)
        c.request("GET", "/big/20000000")
        c.head()
        self.assertLess(self.cpu(lambda: time.sleep(1)), 100)


class Rule5NoReentry(Case):
    """A handler may answer other requests, or stop the listener."""

    def test_handler_answers_others(self):
        waiting = [self.connect() for _ in range(5)]
        for c in waiting:
            c.request("GET", "/never")
        self.server.wait(exchanges=5)
        self.assertEqual(self.connect().get("/wake").body, b"ok\n")
        for c in waiting:
            self.assertEqual(c.response().body, b"woken\n")

    def test_handler_stops_the_listener(self):
        waiting = self.connect()
        waiting.request("GET", "/never")
        self.server.wait(exchanges=1)
        c = self.connect()
        c.request("GET", "/stop")
        self.assertTrue(c.ended())
        self.assertTrue(waiting.ended())
        self.server.stop(signum=None)


class Rule6ConnectionLimit(Case):
    """A place that becomes free must be usable at once, not at the next event."""
    options = {"max_connections": 4}

    def test_freed_place(self):
        held = [self.connect() for _ in range(4)]
        for c in held:
            self.assertEqual(c.get("/hello").status, 200)
        extra = self.connect()  # waits in the backlog
        extra.request("GET", "/hello")
        extra.socket.settimeout(0.2)
        with self.assertRaises(socket.timeout):
            extra.more()
        extra.socket.settimeout(PATIENCE)
        held[2].socket.close()
        self.assertEqual(extra.response().body, b"hello\n")

    def test_place_freed_by_a_client_that_left_while_waiting(self):
        held = [self.connect() for _ in range(4)]
        for c in held:
            c.request("GET", "/never")
        self.server.wait(exchanges=4)
        extra = self.connect()
        extra.request("GET", "/hello")
        held[0].socket.close()
        self.assertEqual(extra.response().body, b"hello\n")


class Rule7StopWithSuspendedConnections(Case):
    """libmicrohttpd aborts the process if one is left suspended."""

    def test_stop(self):
        clients = [self.connect() for _ in range(9)]
        for i, c in enumerate(clients):
            c.request("GET", ("/never", "/endless/50", "/pump")[i % 3])
            c.send("GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.server.wait(exchanges=9)
        self.server.stop()
        for c in clients:
            self.assertTrue(c.ended())


class Rule8ClientGone(Case):
    """libmicrohttpd does not look at suspended connections."""

    def leave(self, path, how):
        c = self.connect()
        c.request("GET", path)
        if path != "/never":
            c.head()
        self.server.wait(exchanges=1)
        how(c)
        self.server.wait(exchanges=0, connections=0, gone=1)

    def test_before_the_response(self):
        self.leave("/never", lambda c: c.socket.close())

    def test_before_the_response_by_reset(self):
        self.leave("/never", Client.reset)

    def test_in_a_slow_stream(self):
        self.leave("/endless/900", lambda c: c.socket.close())

    def test_in_a_fast_stream(self):
        self.leave("/pump", lambda c: c.socket.close())

    def test_in_a_stream_by_reset(self):
        self.leave("/endless/5", Client.reset)

    def test_with_more_input_waiting(self):
        self.leave("/never", lambda c: (c.send("GET / HTTP/1.1\r\n"), c.socket.close()))

    def test_half_close_counts_as_gone(self):
        self.leave("/never", lambda c: c.socket.shutdown(socket.SHUT_WR))

    def test_half_close_in_a_stream(self):
        self.leave("/endless/5", lambda c: c.socket.shutdown(socket.SHUT_WR))

    def test_during_the_upload(self):
        c = self.connect()
        c.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc")
        self.server.wait(exchanges=1)
        c.socket.close()
        self.assertEqual(self.server.wait(exchanges=0, connections=0)["last_status"], 0)

    def test_descriptor_reused_at_once(self):
        for _ in range(50):
            c = self.connect()
            c.request("GET", "/never")
            c.socket.close()
        self.server.wait(exchanges=0, connections=0)
        self.assertEqual(self.connect().get("/later/5").body, b"later\n")


class Rule9Sigpipe(Case):
    """A write to a closed connection must not kill the process."""

    def test_reset_in_a_large_response(self):
        for _ in range(5):
            c = self.connect(receive_buffer=4096)
            c.request("GET", "/big/20000000")
            c.head()
            c.reset()
        self.server.wait(exchanges=0, connections=0)
        self.assertEqual(self.connect().get("/hello").status, 200)


# ---- the header check -------------------------------------------------------


class HeaderCheck(Case):
    # what, request, status (of libmicrohttpd itself where the body is HTML)
    table = [
        ("length and chunks", "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n"
         "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n",
         400),
        ("two lengths", "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
         "Content-Length: 43\r\n\r\nGET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("two equal lengths", "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
         "Content-Length: 2\r\n\r\nab", 400),
        ("xchunked", "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n"
         "\r\n", 400),
        ("chunked twice", "POST /echo HTTP/1.1\r\nHost: localhost\r\n"
         "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("gzip, chunked", "POST /echo HTTP/1.1\r\nHost: localhost\r\n"
         "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
        ("chunks in HTTP/1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"
         "0\r\n\r\n", 400),
        ("space before colon", "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length : 2\r\n"
         "\r\nab", 400),
        ("no Host", "GET /hello HTTP/1.1\r\n\r\n", 400),
        ("two Hosts", "GET /hello HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
        ("length -1", "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
        ("length +2", "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: +2\r\n\r\nab", 400),
        ("length 0x2", "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0x2\r\n\r\nab",
         400),
        ("19 digits", "POST /echo HTTP/1.1\r\nHost: localhost\r\n"
         "Content-Length: 0000000000000000002\r\n\r\nab", 400),
        ("length 2^64", "POST /echo HTTP/1.1\r\nHost: localhost\r\n"
         "Content-Length: 18446744073709551616\r\n\r\n", 413),
        ("chunk of 2^72", "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
         "\r\n1000000000000000000\r\n", 413),
        ("40 k header", "GET /hello HTTP/1.1\r\nHost: localhost\r\nX: " + "x" * 40000 + "\r\n\r\n",
         431),
        ("40 k URI", "GET /" + "x" * 40000 + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        ("2000 headers", "GET /hello HTTP/1.1\r\nHost: localhost\r\n" + "X-Y: 1234567890\r\n" * 2000
         + "\r\n", 431),
        ("control character in a value", "GET /hello HTTP/1.1\r\nHost: localhost\r\nX: a\x01b\r\n"
         "\r\n", 400),
        ("broken escape in the path", "GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("NUL in the path", "GET /hello%00x HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("relative path", "GET hello HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ]

    def test_refused_and_closed(self):
        for what, request, status in self.table:
            with self.subTest(what):
                c = self.connect()
                c.send(request)
                self.assertEqual(c.head()[0], status)
                rest = c.buffer
                while True:
                    try:
                        data = c.more()
                    except ConnectionError:
                        break
                    if not data:
                        break
                    rest += data
                self.assertNotIn(b"hello\n", rest, "a smuggled request was answered")
                self.assertNotIn(b" 200 ", rest)

    def test_error_has_the_shape_of_openai(self):
        c = self.connect()
        c.send("GET /hello HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n")
        r = c.response()
        self.assertEqual(r.headers["connection"], "close")
        self.assertEqual(r.headers["content-type"], "application/json")
        self.assertEqual(r.error(), {"message": "more than one Host header",
                                     "type": "invalid_request_error", "param": None, "code": None})

    def test_accepted(self):
        for what, request in [
                ("bare LF", "GET /hello HTTP/1.1\nHost: localhost\n\n"),
                ("HTTP/1.0 without Host", "GET /hello HTTP/1.0\r\n\r\n"),
                ("upper case", "GET /hello HTTP/1.1\r\nHOST: LOCALHOST\r\n\r\n"),
                ("escape", "GET /h%65llo HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                ("query", "GET /hello?a=%00&b HTTP/1.1\r\nHost: localhost\r\n\r\n")]:
            with self.subTest(what):
                c = self.connect()
                c.send(request)
                self.assertEqual(c.response().body, b"hello\n")


class Hosts(Case):
    options = {"hosts": "llm.example"}

    def test_table(self):
        for host, status in [("localhost", 200), ("localhost:80", 200), ("127.0.0.1:8080", 200),
                             ("[::1]:9", 200), ("[::1]", 200), ("llm.example", 200),
                             ("LLM.example:8443", 200), ("evil.example", 403),
                             ("localhost.evil.example", 403), ("evil.example:80", 403),
                             ("localhost:80@evil.example", 403), ("", 403), ("[::1", 403)]:
            with self.subTest(host):
                c = self.connect()
                c.send("GET /hello HTTP/1.1\r\nHost: %s\r\n\r\n" % host)
                r = c.response()
                self.assertEqual(r.status, status)
                if status == 403:
                    self.assertEqual(r.error()["type"], "permission_error")
                    self.assertIn('"%s"' % host, r.error()["message"])


class AnyHost(Case):
    options = {"hosts": "*"}

    def test_star(self):
        c = self.connect()
        c.send("GET /hello HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        self.assertEqual(c.response().status, 200)


# ---- ordinary HTTP ----------------------------------------------------------


class Requests(Case):
    def test_keep_alive(self):
        c = self.connect()
        for _ in range(5):
            self.assertEqual(c.get("/hello").body, b"hello\n")
            self.assertEqual(c.post("/echo", b"abc").body, b"abc")
        self.assertEqual(self.server.stats()["connections"], 1)

    def test_connection_close(self):
        c = self.connect()
        c.get("/hello", "Connection: close\r\n")
        self.assertTrue(c.ended())

    def test_pipelining_keeps_the_order(self):
        c = self.connect()
        for path in ("/later/20", "/hello", "/stream/2", "/later/1", "/hello"):
            c.request("GET", path)
        bodies = [c.response().body for _ in range(5)]
        self.assertEqual(bodies[:2] + bodies[3:], [b"later\n", b"hello\n", b"later\n", b"hello\n"])
        self.assertTrue(bodies[2].endswith(b"[DONE]\n\n"))

    def test_what_the_handler_sees(self):
        r = self.connect().get("/a%20b%2Fc?x=1", "User-Agent: probe/1\r\n")
        self.assertEqual(r.body, b"GET /a b/c 127.0.0.1 probe/1\n")

    def test_head(self):
        c = self.connect()
        c.request("HEAD", "/hello")
        r = c.response(body=False)
        self.assertEqual((r.status, r.headers["content-length"]), (200, "6"))
        self.assertEqual(c.get("/hello").body, b"hello\n")

    def test_head_of_a_large_answer_and_of_a_stream(self):
        for path in ("/big/100000", "/endless/5"):
            c = self.connect()
            c.request("HEAD", path)
            self.assertEqual(c.response(body=False).status, 200)
            self.assertEqual(c.get("/hello").body, b"hello\n")

    def test_other_methods(self):
        for method in ("OPTIONS", "PUT", "DELETE", "TRACE", "PATCH", "get"):
            r = self.connect()
            r.request(method, "/hello")
            r = r.response()
            self.assertEqual((r.status, r.headers["allow"]), (405, "GET, HEAD, POST"))
            self.assertEqual(r.error()["type"], "invalid_request_error")

    def test_large_response(self):
        for n in (16384, 16385, 5000000):
            r = self.connect().get("/big/%d" % n)
            self.assertEqual((len(r.body), int(r.headers["content-length"])), (n, n))

    def test_http_1_0_stream_ends_with_the_connection(self):
        c = self.connect()
        c.send("GET /stream/3 HTTP/1.0\r\n\r\n")
        _, headers = c.head()
        self.assertNotIn("transfer-encoding", headers)
        text = c.buffer
        while True:
            data = c.socket.recv(65536)
            if not data:
                break
            text += data
        self.assertTrue(text.endswith(b"[DONE]\n\n"))

    def test_request_id(self):
        c = self.connect()
        self.assertEqual(c.get("/hello", "X-Request-ID: my-id_1\r\n").headers["x-request-id"],
                         "my-id_1")
        for bad in ("a b", "x" * 129, "caf\u00e9"):
            sent = c.get("/hello", "X-Request-Id: %s\r\n" % bad).headers["x-request-id"]
            self.assertRegex(sent, "^req_[0-9a-f]{24}$")
        ids = {c.get("/hello").headers["x-request-id"] for _ in range(10)}
        self.assertEqual(len(ids), 10)


class Bodies(Case):
    CAP = 2 << 20

    def test_chunked_upload(self):
        c = self.connect()
        c.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in ("5\r\nhello\r\n", "1;ext=1\r\n,\r\n", "0", "6\r\n world\r\n"[:0], "\r\n\r\n"):
            c.send(part)
        self.assertEqual(c.response().body, b"hello,")
        self.assertEqual(c.get("/hello").body, b"hello\n")

    def test_byte_by_byte(self):
        c = self.connect()
        for byte in b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc":
            c.send(bytes([byte]))
        self.assertEqual(c.response().body, b"abc")

    def test_at_the_cap(self):
        self.assertEqual(self.connect().post("/echo", b"x" * self.CAP).status, 200)

    def test_over_the_cap_by_its_length(self):
        c = self.connect()
        c.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" %
               (self.CAP + 1))
        r = c.response()
        self.assertEqual(r.status, 413)
        self.assertIn(str(self.CAP), r.error()["message"])

    def test_over_the_cap_client_that_sends_on_hears_it(self):
        for _ in range(5):
            c = self.connect()
            try:
                c.request("POST", "/echo", b"x" * (self.CAP + 1000000))
            except ConnectionError:
                pass
            self.assertEqual(c.response().status, 413)

    def test_chunked_over_the_cap(self):
        c = self.connect()
        c.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(33):
            c.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        c.send("0\r\n\r\n")
        self.assertEqual(c.response().status, 413)

    def test_chunked_without_end(self):
        c = self.connect()
        c.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        with self.assertRaises(ConnectionError):
            for _ in range(1000):
                c.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    def test_compressed(self):
        for coding, status in (("gzip", 415), ("identity", 200), ("Identity", 200), ("br", 415),
                               ("identity, gzip", 415)):
            with self.subTest(coding):
                r = self.connect().post("/echo", b"abc", "Content-Encoding: %s\r\n" % coding)
                self.assertEqual(r.status, status)

    def test_expect_continue(self):
        c = self.connect()
        c.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
               "Expect: 100-continue\r\n\r\n")
        self.assertEqual(c.head()[0], 100)
        c.send("abc")
        self.assertEqual(c.response().body, b"abc")

    def test_expect_continue_refused(self):
        for path, length, status in (("/refuse", 3, 401), ("/echo", self.CAP + 1, 413)):
            c = self.connect()
            c.send("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n"
                   "Expect: 100-continue\r\n\r\n" % (path, length))
            self.assertEqual(c.head()[0], status)

    def test_early_refusal_keeps_the_connection(self):
        c = self.connect()
        r = c.post("/refuse", b"x" * 60000)
        self.assertEqual((r.status, r.error()["code"]), (401, "invalid_api_key"))
        self.assertEqual(r.headers["www-authenticate"], "Bearer")
        self.assertEqual(c.get("/hello").body, b"hello\n")

    def test_early_refusal_of_a_large_body(self):
        c = self.connect()
        c.send("POST /refuse HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
        self.assertEqual(c.response().status, 401)
        self.assertTrue(c.ended())

    def test_get_with_a_body(self):
        c = self.connect()
        c.request("GET", "/hello", b"x")
        self.assertEqual(c.response().status, 413)


class Errors(Case):
    def test_retry_after(self):
        for path, status, kind, code in (("/busy", 429, "rate_limit_error", "queue_full"),
                                         ("/down", 503, "unavailable_error", None)):
            r = self.connect().get(path)
            self.assertEqual((r.status, r.error()["type"], r.error()["code"]), (status, kind, code))
            self.assertRegex(r.headers["retry-after"], "^[1-9][0-9]?$")
            self.assertLessEqual(int(r.headers["retry-after"]), 60)

    def test_param_and_escapes(self):
        r = self.connect().get("/wrong")
        self.assertEqual((r.status, r.error()["param"]), (400, "top_p"))
        self.assertEqual(r.error()["message"], 'must be "0"..1, not \ufffd')
        self.assertNotIn("retry-after", r.headers)

    def test_request_nobody_answers(self):
        r = self.connect().get("/orphan")
        self.assertEqual((r.status, r.error()["type"]), (500, "server_error"))

    def test_stream_nobody_ends(self):
        c = self.connect()
        c.request("GET", "/unheld-stream")
        self.assertTrue(c.ended())


# ---- streams ----------------------------------------------------------------


class Streams(Case):
    def test_headers(self):
        r = self.connect().get("/stream/1")
        self.assertEqual(r.headers["content-type"], "text/event-stream")
        self.assertEqual(r.headers["cache-control"], "no-cache")
        self.assertEqual(r.headers["x-accel-buffering"], "no")

    def test_writes_of_one_iteration_go_out_together(self):
        c = self.connect()
        c.request("GET", "/burst/100")
        c.head()
        self.assertEqual(c.chunks(), [b"data: {}\n\n" * 100])

    def test_long_burst(self):
        self.assertEqual(self.connect().get("/burst/20000").body, b"data: {}\n\n" * 20000)

    def test_many_streams(self):
        clients = [self.connect() for _ in range(50)]
        for c in clients:
            c.request("GET", "/stream/30")
        for c in clients:
            self.assertEqual(c.response().body.count(b"data: "), 31)

    def test_back_pressure_stops_the_producer(self):
        c = self.connect(receive_buffer=4096)
        c.request("GET", "/pump")
        c.head()
        before, now = -1, 0
        while before != now:  # kernel buffers, then ours, then no more
            time.sleep(0.3)
            before, now = now, self.server.stats()["produced"]
        stats = self.server.stats()
        self.assertEqual((stats["exchanges"], stats["gone"]), (1, 0))
        drained = stats["drained"]
        received = len(c.buffer)
        while received < (now + 100) * 4096:  # reading lets it go on
            received += len(c.socket.recv(1 << 20))
        self.assertGreater(self.server.stats()["drained"], drained)
        c.socket.close()
        self.server.wait(gone=1)

    def test_producer_that_does_not_listen_is_cancelled(self):
        c = self.connect(receive_buffer=4096)
        c.request("GET", "/flood")
        self.server.wait(gone=1, exchanges=0, connections=0)
        self.assertTrue(c.ended())


# ---- deadlines and limits ---------------------------------------------------


class Deadlines(Case):
    options = {"header_timeout": 1, "body_timeout": 1, "idle_timeout": 1, "send_timeout": 1}

    def trickle(self, c, data):
        """Send slowly, never idle for long, until the server hangs up."""
        for byte in data:
            try:
                c.send(byte)
            except ConnectionError:
                return
            c.socket.settimeout(0.1)
            try:
                if not c.socket.recv(1):
                    return
            except socket.timeout:
                pass
            except ConnectionError:
                return
        self.fail("still open")

    def test_whole_header(self):
        c = self.connect()
        self.trickle(c, "GET /hello HTTP/1.1\r\nHost: localhost\r\nX: " + "x" * 300)

    def test_nothing_at_all(self):
        self.assertTrue(self.connect().ended())

    def test_second_header(self):
        c = self.connect()
        c.get("/hello")
        self.trickle(c, "GET /hello HTTP/1.1\r\nHost: localhost\r\nX: " + "x" * 300)

    def test_whole_body(self):
        c = self.connect()
        c.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
        self.trickle(c, "x" * 300)

    def test_idle(self):
        c = self.connect()
        c.get("/hello")
        self.assertTrue(c.ended())

    def test_a_waiting_request_has_no_deadline(self):
        self.assertEqual(self.connect().get("/later/2500").body, b"later\n")

    def test_a_slow_stream_has_no_deadline(self):
        r = self.connect().get("/stream/3/990")
        self.assertEqual(r.body.count(b"data: "), 4)

    def test_stuck_reader_of_a_stream(self):
        c = self.connect(receive_buffer=4096)
        c.request("GET", "/pump")
        c.head()
        self.server.wait(gone=1, exchanges=0, connections=0)

    def test_stuck_reader_of_a_response(self):
        c = self.connect(receive_buffer=4096)
        c.request("GET", "/big/20000000")
        c.head()
        self.server.wait(done=1, exchanges=0, connections=0)

    def test_slow_reader_is_not_stuck(self):
        c = self.connect(receive_buffer=65536)
        c.request("GET", "/big/8000000")
        _, headers = c.head()
        left = int(headers["content-length"]) - len(c.buffer)
        while left > 0:
            time.sleep(0.02)
            data = c.socket.recv(min(left, 100000))
            self.assertTrue(data)
            left -= len(data)


class PerAddressLimit(Case):
    options = {"max_connections_per_ip": 2}

    def test_third_is_refused(self):
        first, second = self.connect(), self.connect()
        self.assertEqual(first.get("/hello").status, 200)
        self.assertEqual(second.get("/hello").status, 200)
        self.assertTrue(self.connect().ended())
        first.socket.close()
        self.server.wait(connections=1)
        self.assertEqual(self.connect().get("/hello").status, 200)


class Quiesce(Case):
    def test_running_requests_finish(self):
        stream, later, idle = self.connect(), self.connect(), self.connect()
        idle.get("/hello")
        stream.request("GET", "/stream/20/20")
        stream.head()
        later.request("GET", "/later/100")
        self.server.wait(exchanges=2)
        self.server.process.send_signal(signal.SIGUSR1)
        while True:  # the socket is closed at once
            try:
                self.server.connect().socket.close()
            except ConnectionError:
                break
        r = later.response()
        self.assertEqual((r.body, r.headers["connection"]), (b"later\n", "close"))
        self.assertTrue(b"".join(stream.chunks()).endswith(b"[DONE]\n\n"))
        self.server.stop(signum=None)


class Abuse(Case):
    """All at once, several times; setUp and cleanup compare descriptors."""

    def test_mix(self):
        for _ in range(4):
            clients = [self.connect() for _ in range(48)]
            for i, c in enumerate(clients):
                c.request("GET", ("/never", "/endless/1", "/pump", "/stream/5", "/later/3",
                                  "/big/3000000", "/hello", "/flood")[i % 8])
            for i, c in enumerate(clients):
                how = i % 3
                if i % 8 in (3, 4, 6):
                    self.assertEqual(c.response().status, 200)
                elif how == 0:
                    c.reset()
                elif how == 1:
                    c.socket.shutdown(socket.SHUT_WR)
                    self.assertTrue(c.ended())
                c.socket.close()
            self.server.wait(exchanges=0, connections=0)
        self.assertEqual(self.connect().get("/hello").body, b"hello\n")


if __name__ == "__main__":
    unittest.main()
