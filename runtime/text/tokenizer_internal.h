/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_internal.h - the parts of a tokenizer, between the files of this
 * folder. In the order in which text passes them: added tokens, normalizer,
 * pre-tokenizer, model, post-processor.
 *
 * The model is a byte-level BPE. A vocabulary in the manner of sentencepiece
 * (byte_fallback) will be a second model: it needs its own reader beside
 * tokenizer_model.c, its own encoder beside bpe.c, chosen in encode.c, and a
 * detokenizer that drops the first space (aim_detok.started). */
#ifndef AIM_TEXT_TOKENIZER_INTERNAL_H
#define AIM_TEXT_TOKENIZER_INTERNAL_H

#include "base/json.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/pretokenizer.h"
#include "text/tokenizer.h"
#include "text/vocab.h"

struct aim_tokenizer {
    struct aim__vocab vocab;
    struct aim__bpe bpe;
    /* Added tokens searched before ([0]) and after ([1]) normalisation. */
    struct aim__added_set added[2];
    bool nfc;
    struct aim__pretokenizer pretokenizer;
    aim_ids before, after;                 /* what the post-processor puts around the text */
    char *bos, *eos, *pad, *chat_template; /* NULL if not given */
    int32_t bos_id;
};

/* The name of the file in errors. */
#define AIM__TOKENIZER_JSON "tokenizer.json"
#define AIM__TOKENIZER_CONFIG "tokenizer_config.json"

/* Caps on what a file may ask for. */
enum {
    AIM__MAX_IDS = 1 << 20,
    AIM__MAX_TOKEN = 1 << 16, /* bytes of one entry of the vocabulary */
    AIM__MAX_MERGES = 1 << 21,
    AIM__MAX_ADDED = 100000,
    AIM__MAX_ADDED_LENGTH = 1024, /* bytes */
};

/* Readers of one part of tokenizer.json each. Errors: EFORMAT, EUNSUPPORTED,
 * ETOOLARGE or ENOMEM, with file, field and value. */
int aim__read_model(aim_tokenizer *t, const json_t *root, aim_error *err);
int aim__read_added_tokens(aim_tokenizer *t, const json_t *root, aim_error *err);
int aim__read_normalizer(aim_tokenizer *t, const json_t *root, aim_error *err);
int aim__read_pretokenizer(aim_tokenizer *t, const json_t *root, aim_error *err);
int aim__read_post_processor(aim_tokenizer *t, const json_t *root, aim_error *err);
int aim__read_decoder(const json_t *root, aim_error *err);
/* tokenizer_config.json, after all of these. */
int aim__read_config(aim_tokenizer *t, const char *config, size_t len, aim_error *err);

/* EUNSUPPORTED: where: "key" is <value>, which is not supported. */
int aim__refuse(const json_t *value, const char *where, const char *key, aim_error *err);
/* As this, if the field is there and neither null, false nor "". */
int aim__refuse_if_set(const json_t *obj, const char *key, const char *where, aim_error *err);
/* The field "type" of an object; EFORMAT if there is none. */
int aim__read_type(const json_t *obj, const char *where, const char **type, aim_error *err);

#endif
