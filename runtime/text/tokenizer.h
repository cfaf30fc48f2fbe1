/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.h - text to token ids and back, as tokenizer.json describes.
 *
 * Threading: immutable after load; any number of threads may encode and
 * decode at once. */
#ifndef AIM_TEXT_TOKENIZER_H
#define AIM_TEXT_TOKENIZER_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct aim_tokenizer aim_tokenizer;

typedef struct aim_ids {
    int32_t *v;
    size_t n, room;
} aim_ids;
void aim_ids_free(aim_ids *ids);
/* false when out of memory */
bool aim_ids_push(aim_ids *ids, int32_t id);

/* Read dir/tokenizer.json and, if they are there, dir/tokenizer_config.json
 * (bos_token, eos_token, pad_token, add_bos_token, add_eos_token, chat_template)
 * and dir/chat_template.jinja. What is not supported is refused by name. */
aim_tokenizer *aim_tokenizer_load(const char *dir, aim_error *err);
/* From memory; config may be NULL. */
aim_tokenizer *aim_tokenizer_parse(const char *json, size_t len, const char *config,
                                   size_t config_len, aim_error *err);
void aim_tokenizer_free(aim_tokenizer *t); /* NULL is fine */

/* Bytes [start, end) of the text in which special-token text is plain text. */
typedef struct aim_span {
    size_t start, end;
} aim_span;

enum aim_encode_flag {
    AIM_PARSE_SPECIAL = 1 << 0, /* special-token text becomes its id */
    AIM_ADD_SPECIAL = 1 << 1,   /* what the post-processor adds (BOS) */
};

/* Append the ids of UTF-8 text to out. A special token is not recognised where
 * it touches a span of `plain` (sorted, n_plain may be 0); added tokens that
 * are not special always are. Errors: AIM_EINVAL for invalid UTF-8 and where a
 * pattern takes too long, AIM_ETOOLARGE where the tokenizer makes far too much of
 * the text, ENOMEM. */
int aim_tokenizer_encode(const aim_tokenizer *t, const char *text, size_t len, unsigned flags,
                         const aim_span *plain, size_t n_plain, aim_ids *out, aim_error *err);

/* Ids in [0, size); size is one more than the highest id. */
int32_t aim_tokenizer_size(const aim_tokenizer *t);
/* Raw bytes the id stands for behind other text ("" for ids without a token;
 * special tokens give their text, <0xE2> the byte). Borrowed, may hold partial
 * UTF-8 and NUL. */
const char *aim_tokenizer_bytes(const aim_tokenizer *t, int32_t id, size_t *len);
bool aim_tokenizer_is_special(const aim_tokenizer *t, int32_t id);
/* The id of a token by its exact text, or -1. */
int32_t aim_tokenizer_find(const aim_tokenizer *t, const char *text);

/* Whole-text decode, as the decoder of tokenizer.json has it. Invalid UTF-8 of
 * byte-level tokens becomes U+FFFD as Python's bytes.decode("utf-8",
 * errors="replace") does; byte tokens in a row (<0xE2>) that together are not
 * UTF-8 become one U+FFFD each. */
int aim_tokenizer_decode(const aim_tokenizer *t, const int32_t *ids, size_t n, bool skip_special,
                         aim_buf *out, aim_error *err);

/* Incremental decode: the pieces put together equal aim_tokenizer_decode. */
typedef struct aim_detok {
    const aim_tokenizer *t;
    bool skip_special;
    bool started;             /* a token was read */
    bool broken;              /* the byte tokens in a row are not UTF-8 */
    uint32_t to_strip;        /* how much may still be cut off the start of the text */
    unsigned char pending[8]; /* an unfinished UTF-8 character */
    size_t n_pending;
    aim_buf run; /* byte tokens in a row, for as long as they may be UTF-8 */
} aim_detok;
void aim_detok_init(aim_detok *d, const aim_tokenizer *t, bool skip_special);
/* The text goes on from other text: nothing is cut off its start. Call after init. */
void aim_detok_continue(aim_detok *d);
/* Append the text that has become certain to out, which fails when memory runs
 * out. */
void aim_detok_push(aim_detok *d, int32_t id, aim_buf *out);
/* The end: what is unfinished becomes U+FFFD. */
void aim_detok_flush(aim_detok *d, aim_buf *out);
void aim_detok_free(aim_detok *d);

/* From tokenizer_config.json; NULL or -1 if not given. */
const char *aim_tokenizer_bos(const aim_tokenizer *t);
const char *aim_tokenizer_eos(const aim_tokenizer *t);
const char *aim_tokenizer_pad(const aim_tokenizer *t);
int32_t aim_tokenizer_bos_id(const aim_tokenizer *t);
const char *aim_tokenizer_chat_template(const aim_tokenizer *t);

#endif
