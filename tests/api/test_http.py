# SPDX-License-Identifier: Apache-2.0
"""The HTTP listener over real sockets, with a toy application behind it: the
rules of libmicrohttpd, streams, deadlines and limits.

Each test class of a rule says which failure it guards against; without the code
that keeps the rule the test hangs, burns CPU or finds a dead process. Waiting is
always for a fact, with a patience that only a bug exhausts.
"""

import os
import signal
import socket
import time
import unittest

from http_client import PATIENCE, Case, Client

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
        """Much more than buffer_hard, before anything can be sent."""
        self.assertEqual(self.connect().get("/burst/200000").body, b"data: {}\n\n" * 200000)

    def test_large_events(self):
        """Each is more than buffer_hard; a client that reads gets them all."""
        body = self.connect().get("/large/8/1000000").body
        self.assertEqual(body.count(b"data: "), 9)
        self.assertEqual(len(body), 8 * 1000000 + len("data: [DONE]\n\n"))

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
