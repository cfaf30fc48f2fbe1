/* SPDX-License-Identifier: Apache-2.0 */
/* header_check.h - the rules a request must keep before anything believes it.
 *
 * libmicrohttpd lets through requests that two parsers read differently (two
 * lengths, a length and chunks, a space before a colon), which is how requests
 * are smuggled past a proxy, and it knows nothing of DNS rebinding. These are
 * pure functions: bytes in, verdict out. */
#ifndef AIMD_HEADER_CHECK_H
#define AIMD_HEADER_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Collects the headers of one request; start from {0}. */
typedef struct aimd_header_check {
    int status;       /* 0, or the HTTP status that refuses the request */
    const char *why;  /* for status != 0: a sentence for the client */
    const char *host; /* borrowed value of Host, NULL if none */
    unsigned hosts, lengths, encodings;
    uint64_t length; /* Content-Length */
    bool chunked;
    bool expects_continue;
} aimd_header_check;

/* One header. The value need not end in NUL, but host borrows it as a string. */
void aimd_header_check_add(aimd_header_check *c, const char *name, size_t name_len,
                           const char *value, size_t value_len);
/* After the last header: returns c->status. version is "HTTP/1.0" or
 * "HTTP/1.1"; only the former may come without Host. */
int aimd_header_check_end(aimd_header_check *c, const char *version);

/* Is the value of Host (name or address, optional port) a loopback name or
 * among allowed (NULL-terminated, NULL for none, "*" for all)? An entry with a
 * port matches only that port. */
bool aimd_host_allowed(const char *host, const char *const *allowed);

/* Undo %XX in a path. false if it is not an absolute path, if an escape is
 * broken or if a control character comes out. out needs strlen(raw) + 1. */
bool aimd_path_decode(const char *raw, char *out);

/* May a client's x-request-id be echoed: 1 to 128 visible ASCII characters. */
bool aimd_request_id_ok(const char *id);

#endif
