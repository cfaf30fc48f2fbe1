/* SPDX-License-Identifier: Apache-2.0 */
/* byte_vocab.h - a small byte-level tokenizer.json to start from, and edits to
 * it. */
#ifndef AIM_TESTS_UNIT_BYTE_VOCAB_H
#define AIM_TESTS_UNIT_BYTE_VOCAB_H

#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The 256 characters that stand for bytes, made as GPT-2's program does. */
static inline void byte_char(int byte, char out[3])
{
    int cp = 0, others = 0;
    for (int b = 0; b <= byte; b++) {
        int printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
        cp = printable ? b : 256 + others++;
    }
    if (cp < 0x80) {
        out[0] = (char)cp;
        out[1] = '\0';
    } else {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        out[2] = '\0';
    }
}

/* Bytes 0-255 are ids 0-255; then "ab" 256, "abc" 257, "aa" 258, "aaaa" 259,
 * " ab" 260, "bc" 261; the special token "<|end|>" is 262, "<pad>" 263. */
static inline json_t *byte_vocab(void)
{
    json_t *doc =
        json_pack("{s:[{s:i,s:s,s:b},{s:i,s:s,s:b}], s:n, s:{s:s,s:b,s:b}, s:n, s:{s:s},"
                  " s:{s:s, s:{}, s:[s,s,s,s,s,s]}}",
                  "added_tokens", "id", 262, "content", "<|end|>", "special", 1, "id", 263,
                  "content", "<pad>", "special", 1, "normalizer", "pre_tokenizer", "type",
                  "ByteLevel", "add_prefix_space", 0, "use_regex", 1, "post_processor", "decoder",
                  "type", "ByteLevel", "model", "type", "BPE", "vocab", "merges", "a b", "ab c",
                  "a a", "aa aa", "\u0120 ab", "b c");
    static const char *const more[] = {"ab", "abc", "aa", "aaaa", "\u0120ab", "bc"};
    json_t *vocab = json_object_get(json_object_get(doc, "model"), "vocab");
    ck_assert_ptr_nonnull(vocab);
    for (int b = 0; b < 256; b++) {
        char name[3];
        byte_char(b, name);
        json_object_set_new(vocab, name, json_integer(b));
    }
    for (int i = 0; i < 6; i++)
        json_object_set_new(vocab, more[i], json_integer(256 + i));
    return doc;
}

/* Put value (JSON; NULL to remove the field) at path, "model/merges/0". */
static inline void edit(json_t *doc, const char *path, const char *value)
{
    char copy[128], *rest = copy, *key;
    json_t *at = doc, *new_value = value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;
    snprintf(copy, sizeof copy, "%s", path);
    ck_assert_msg(!value || new_value, "not JSON: %s", value);
    key = strsep(&rest, "/");
    for (; rest; key = strsep(&rest, "/"))
        at = json_is_array(at) ? json_array_get(at, (size_t)atoi(key)) : json_object_get(at, key);
    if (json_is_array(at))
        json_array_set_new(at, (size_t)atoi(key), new_value);
    else if (new_value)
        json_object_set_new(at, key, new_value);
    else
        json_object_del(at, key);
}

/* Its text, to be freed with free_text. */
static inline char *dump(json_t *doc)
{
    char *text = json_dumps(doc, JSON_COMPACT);
    ck_assert_ptr_nonnull(text);
    json_decref(doc);
    return text;
}

static inline void free_text(char *text)
{
    json_free_t release;
    json_get_alloc_funcs(NULL, &release);
    release(text);
}

#endif
