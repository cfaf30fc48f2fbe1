/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_model.c - the model of tokenizer.json but for its vocabulary and
 * its merges. */
#include "text/tokenizer_internal.h"

#include <stdio.h>
#include <string.h>

#define MODEL AIM__TOKENIZER_JSON ": model"
#define VOCAB AIM__TOKENIZER_JSON ": model.vocab"

static int refuse_options(const json_t *model, aim_error *err)
{
    static const char *const options[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    const char *type = "BPE";
    double dropout = 0;
    int code = aim_json_string(model, "type", false, MODEL, &type, err);
    if (!code && strcmp(type, "BPE") != 0)
        code = aim__refuse(json_object_get(model, "type"), MODEL, "type", err);
    for (size_t i = 0; i < sizeof options / sizeof *options && !code; i++)
        code = aim__refuse_if_set(model, options[i], MODEL, err);
    if (!code)
        code = aim_json_number(model, "dropout", 0, 1, false, MODEL, &dropout, err);
    if (!code && dropout > 0)
        code = aim__refuse(json_object_get(model, "dropout"), MODEL, "dropout", err);
    return code;
}

/* ---- bytes --------------------------------------------------------------------- */

static int read_byte_spelling(aim_tokenizer *t, aim_error *err)
{
    struct aim__spelling *s = &t->bpe.spelling;
    s->by_byte = true;
    for (int b = 0; b < 256; b++) {
        const char byte = (char)b;
        s->byte_id[b] = aim__vocab_find(&t->vocab, &byte, 1);
        if (s->byte_id[b] < 0)
            return aim_fail_param(err, AIM_EFORMAT, "vocab",
                                  VOCAB ": no token for byte 0x%02X, which a byte-level "
                                        "vocabulary must have",
                                  b);
    }
    return AIM_OK;
}

/* ---- characters ------------------------------------------------------------------ */

/* The tokens <0x00> to <0xFF>; returns the first byte without one, or 256. */
static int find_byte_tokens(aim_tokenizer *t)
{
    int missing = 256;
    for (int b = 255; b >= 0; b--) {
        char name[16];
        snprintf(name, sizeof name, "<0x%02X>", (unsigned)b);
        t->bpe.spelling.byte_id[b] = aim__vocab_find(&t->vocab, name, strlen(name));
        if (t->bpe.spelling.byte_id[b] < 0)
            missing = b;
    }
    return missing;
}

static int read_unknown(aim_tokenizer *t, const json_t *model, aim_error *err)
{
    const char *unknown = NULL;
    int code = aim_json_string(model, "unk_token", false, MODEL, &unknown, err);
    if (!code && unknown)
        t->bpe.spelling.unknown = aim__vocab_find(&t->vocab, unknown, strlen(unknown));
    return code;
}

/* No character may be lost. */
static int read_character_spelling(aim_tokenizer *t, const json_t *model, aim_error *err)
{
    struct aim__spelling *s = &t->bpe.spelling;
    bool fallback = false;
    int missing = -1, code = aim_json_bool(model, "fuse_unk", false, MODEL, &s->fuse_unknown, err);
    s->unknown = -1;
    for (int b = 0; b < 256; b++)
        s->byte_id[b] = -1;
    if (!code)
        code = aim_json_bool(model, "byte_fallback", false, MODEL, &fallback, err);
    if (!code)
        code = read_unknown(t, model, err);
    if (!code && fallback)
        missing = find_byte_tokens(t);
    if (code || missing == 256 || s->unknown >= 0)
        return code;
    if (fallback)
        return aim_fail_param(err, AIM_EFORMAT, "byte_fallback",
                              VOCAB ": no token <0x%02X> for byte_fallback, and no unk_token",
                              (unsigned)missing);
    return aim_fail_param(err, AIM_EUNSUPPORTED, "unk_token",
                          MODEL ": a vocabulary of characters without byte_fallback and without an "
                                "unk_token in it is not supported");
}

int aim__read_model(aim_tokenizer *t, const json_t *root, aim_error *err)
{
    const json_t *model = json_object_get(root, "model");
    if (!json_is_object(model))
        return aim_fail_param(err, AIM_EFORMAT, "model",
                              AIM__TOKENIZER_JSON ": \"model\" must be an object");
    int code = refuse_options(model, err);
    if (!code)
        code = aim_json_bool(model, "ignore_merges", false, MODEL, &t->bpe.ignore_merges, err);
    if (!code)
        code = aim__read_vocab(t, root, json_object_get(model, "vocab"), err);
    if (!code && t->pretokenizer.byte_level)
        code = read_byte_spelling(t, err);
    else if (!code)
        code = read_character_spelling(t, model, err);
    if (!code)
        code = aim__read_merges(t, json_object_get(model, "merges"), err);
    if (code)
        return code;
    aim__bpe_find_cuts(&t->bpe, &t->vocab);
    return aim__bpe_mark_whole(&t->bpe, &t->vocab) ? AIM_OK : aim_fail_nomem(err, MODEL);
}
