/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a chat template, as a model's files have it. What is read at all
 * keeps its digest when a comment is put behind it, and loses it with a letter. */
#include "tests/fuzz/fuzz.h"

#include "text/chat_program.h"

#include <string.h>

/* The digest of the text with `more` behind it. */
static void digest_with(const char *text, size_t size, const char *more, char hex[AIM_SHA256_HEX])
{
    size_t n = strlen(more);
    char *longer = malloc(size + n);
    FUZZ_EXPECT(longer != NULL);
    memcpy(longer, text, size);
    memcpy(longer + size, more, n);
    aim__chat_program(longer, size + n, hex);
    free(longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    char hex[AIM_SHA256_HEX], other[AIM_SHA256_HEX];
    bool known = aim__chat_program(text, size, hex);
    FUZZ_EXPECT(strlen(hex) == (known ? AIM_SHA256_HEX - 1 : 0));
    if (!known || size > AIM__MAX_CHAT_TEMPLATE - 16)
        return 0;
    digest_with(text, size, "x", other);
    FUZZ_EXPECT(strcmp(hex, other) != 0);
    /* White space before a comment may go with it, and "{{#" begins no comment. */
    if (strchr(" \t\n\v\f{", text[size - 1]))
        return 0;
    digest_with(text, size, "{# no #}", other);
    FUZZ_EXPECT(strcmp(hex, other) == 0);
    return 0;
}
