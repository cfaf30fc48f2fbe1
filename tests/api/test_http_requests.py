# SPDX-License-Identifier: Apache-2.0
"""What the HTTP listener makes of requests, good and bad: the header check,
bodies, methods, errors.
"""

import unittest

from http_client import Case

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

if __name__ == "__main__":
    unittest.main()
