/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_internal.h - the parts of a tokenizer, between the files of this
 * folder. In the order in which text passes them: added tokens, normalizer,
 * pre-tokenizer, model, post-processor.
 *
 * The model is a BPE over the bytes of a word, or over its characters, in the
 * manner of sentencepiece (spelling.h). */
#ifndef AIM_TEXT_TOKENIZER_INTERNAL_H
#define AIM_TEXT_TOKENIZER_INTERNAL_H

#include "base/json.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/decoder.h"
#include "text/normalizer.h"
#include "text/pretokenizer.h"
#include "text/tokenizer.h"
#include "text/vocab.h"

struct aim_tokenizer {
    struct aim__vocab vocab;
    struct aim__bpe bpe;
    /* Added tokens searched before ([0]) and after ([1]) normalisation. */
    struct aim__added_set added[2];
    struct aim__normalizer normalizer;
    struct aim__pretokenizer pretokenizer;
    struct aim__decoder decoder;
    aim_ids before, after;                 /* what the post-processor puts around the text */
    char *bos, *eos, *pad, *chat_template; /* NULL if not given */
    int32_t bos_id;
};

/* The names of the files. */
#define AIM__TOKENIZER_JSON "tokenizer.json"
#define AIM__TOKENIZER_CONFIG "tokenizer_config.json"
#define AIM__CHAT_TEMPLATE "chat_template.jinja"

/* Caps on what a file may ask for. */
enum {
    AIM__MAX_FILE = 64 << 20, /* bytes of one file */
    AIM__MAX_IDS = 1 << 20,
    AIM__MAX_TOKEN = 1 << 16, /* bytes of one entry of the vocabulary */
    AIM__MAX_MERGES = 1 << 21,
    AIM__MAX_ADDED = 100000,
    AIM__MAX_ADDED_LENGTH = 1024,  /* bytes */
    AIM__MAX_READINGS = 256 << 20, /* bytes of all tokens as they read */
};

/* Readers of one part of tokenizer.json each. Errors: EFORMAT, EUNSUPPORTED,
 * ETOOLARGE or ENOMEM, with file, field and value. */
int aim__read_model(aim_tokenizer *t, const json_t *root, aim_error *err);
int aim__read_vocab(aim_tokenizer *t, const json_t *root, json_t *vocab, aim_error *err);
int aim__read_merges(aim_tokenizer *t, const json_t *merges, aim_error *err);
int aim__read_added_tokens(aim_tokenizer *t, const json_t *root, aim_error *err);
int aim__read_normalizer(aim_tokenizer *t, const json_t *root, aim_error *err);
int aim__read_pretokenizer(aim_tokenizer *t, const json_t *root, aim_error *err);
int aim__read_post_processor(aim_tokenizer *t, const json_t *root, aim_error *err);
int aim__read_decoder(aim_tokenizer *t, const json_t *root, aim_error *err);
/* tokenizer_config.json, after all of these. */
int aim__read_config(aim_tokenizer *t, const char *config, size_t len, aim_error *err);

/* EUNSUPPORTED: where: "key" is <value>, which is not supported. */
int aim__refuse(const json_t *value, const char *where, const char *key, aim_error *err);
/* As this, if the field is there and neither null, false nor "". */
int aim__refuse_if_set(const json_t *obj, const char *key, const char *where, aim_error *err);
/* The field "type" of an object; EFORMAT if there is none. */
int aim__read_type(const json_t *obj, const char *where, const char **type, aim_error *err);

/* Takes a step of a part, an object of this type. */
typedef int aim__step_fn(void *arg, const json_t *obj, const char *type, const char *where,
                         aim_error *err);
/* Hand obj to fn; if it is a Sequence the elements of its array key, which may
 * be Sequences again, a few in one another. Errors: those of fn, EFORMAT and
 * ETOOLARGE. */
int aim__read_steps(const json_t *obj, const char *key, const char *where, aim__step_fn *fn,
                    void *arg, aim_error *err);
/* The field "pattern" of an object: a text or a regular expression, which is not
 * empty; the other is NULL. */
int aim__read_pattern(const json_t *obj, const char *where, const char **text, const char **regex,
                      aim_error *err);
/* The field key of an object, which must be one character. */
int aim__read_character(const json_t *obj, const char *key, const char *where, char out[5],
                        aim_error *err);
/* The fields of a Metaspace, as pre-tokenizer and as decoder. */
int aim__read_metaspace(const json_t *obj, const char *where, struct aim__metaspace *m, bool *split,
                        aim_error *err);

/* Let a token, whose text is given, read as the decoder has it. */
int aim__set_reading(aim_tokenizer *t, int32_t id, const char *text, size_t len, aim_error *err);

#endif
