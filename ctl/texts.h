/* SPDX-License-Identifier: Apache-2.0 */
/* texts.h - the texts of a file that chips are calibrated with. */
#ifndef ACTL_TEXTS_H
#define ACTL_TEXTS_H

#include "base/error.h"

#include <jansson.h>
#include <stddef.h>

/* A list of at most limit strings, for the caller to json_decref: of NAME.jsonl the
 * "prompt" of each line, else its "question", else its "text"; of any other file the
 * paragraphs, which blank lines part. NULL if the file cannot be read, is not UTF-8
 * or holds no text. */
json_t *actl_texts_read(const char *path, size_t limit, aim_error *err);

/* The whole file as one text, without the line's end at its end. */
json_t *actl_text_read(const char *path, aim_error *err);

#endif
