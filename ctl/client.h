/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - HTTP to the server, over libcurl: one request at a time, JSON both
 * ways. Answers are bounded in size and time; redirects are not followed and no
 * proxy is used, so that the key goes to the server and nowhere else. */
#ifndef ACTL_CLIENT_H
#define ACTL_CLIENT_H

#include "base/buf.h"
#include "base/error.h"

#include <jansson.h>
#include <signal.h>

typedef struct actl_client actl_client;

/* url: http:// or https:// and host, perhaps a port and a path. key may be NULL.
 * timeout: seconds for a whole answer. Once *stop is not 0, requests end early,
 * with ACTL_INTERRUPTED and nothing in err.
 * Copies its arguments but for stop. */
int actl_client_open(const char *url, const char *key, double timeout,
                     const volatile sig_atomic_t *stop, actl_client **c, aim_error *err);
void actl_client_close(actl_client *c);
const char *actl_client_url(const actl_client *c);

/* Send body (NULL: none) as JSON; *answer gets the object that comes back, for the
 * caller to json_decref. If the status is none of 200 to 299, ACTL_REFUSED with the
 * server's own text, and its code in err->param; ACTL_UNREACHABLE if there is no such
 * text: whatever that was, it was no analogd. */
int actl_call(actl_client *c, const char *method, const char *path, const json_t *body,
              json_t **answer, aim_error *err);

/* GET something that is not JSON; appends it to text. */
int actl_fetch(actl_client *c, const char *path, aim_buf *text, aim_error *err);

#endif
