/* SPDX-License-Identifier: Apache-2.0 */
/* http_load.h - the same batch over HTTP: one streaming completion a
 * connection, all read by one thread. */
#ifndef AIM_BENCH_HTTP_LOAD_H
#define AIM_BENCH_HTTP_LOAD_H

/* Tokens a second as the clients see them; negative after an error, which is
 * printed. */
double http_load_run(int port, int sequences, int prompt_tokens, int tokens);
/* GET path: the status code, or 0 if there was no answer. */
int http_get_status(int port, const char *path);

#endif
