/* SPDX-License-Identifier: Apache-2.0 */
/* response.h - the JSON of completions and chat completions, as one body
 * or as server-sent events. Pure functions on buffers; a caller looks at
 * out->failed once. */
#ifndef AIMD_RESPONSE_H
#define AIMD_RESPONSE_H

#include "base/error.h"
#include "server/choice.h"

/* What names a response; the same in all its chunks. */
typedef struct aimd_response_id {
    const char *request_id, *model, *fingerprint;
    int64_t created; /* unix time */
} aimd_response_id;

/* Fill *f for a request that was read, of a digital model; for a chip set f->rates
 * behind it. 0 or ENOMEM. */
int aimd_format_init(aimd_format *f, const aimd_request *r, const aim_tokenizer *tokenizer,
                     const aimd_response_id *id, aim_error *err);
void aimd_format_free(aimd_format *f);

/* The whole body. parts [n_prompts], choices [n_prompts * n]. more: members that stand
 * behind the choices, each with a comma in front; may be empty. */
void aimd_write_body(aim_buf *out, const aimd_format *f, const aimd_prompt_part *parts,
                     const aimd_choice *choices, const aim_buf *more, const aimd_usage *usage);

/* The events of what one token added to a choice: completions one; chat up to
 * three (role before the first token, the token, the finish reason). token: the
 * step had a token (not so for max_tokens 0). usage: so far. */
void aimd_write_events(aim_buf *out, const aimd_format *f, const aimd_prompt_part *part,
                       const aimd_choice *c, bool token, const aimd_usage *usage);
/* An event without choices but with these members, as of aimd_write_body. */
void aimd_write_more_event(aim_buf *out, const aimd_format *f, const aim_buf *more,
                           const aimd_usage *usage);
/* The event with usage and no choices, if it was asked for. */
void aimd_write_usage_event(aim_buf *out, const aimd_format *f, const aimd_usage *usage);
/* An error inside a stream. code may be NULL. */
void aimd_write_error_event(aim_buf *out, const aim_error *error, const char *code);
void aimd_write_done(aim_buf *out);

#endif
