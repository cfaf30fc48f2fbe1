/* SPDX-License-Identifier: Apache-2.0 */
#include "text/chat_template.h"

#include "text/chat_program.h"
#include "text/chat_rows.h"

#include <string.h>

/* The digests of the programs (chat_program.h) of published templates. */
static const struct {
    const char *digest, *name;
} published[] = {
#define PUBLISHED(name, digest) {digest, name},
#include "text/chat_published.def"
#undef PUBLISHED
};

static const aim_chat_template *recognise(const char *text)
{
    char digest[AIM_SHA256_HEX];
    if (!aim__chat_program(text, strlen(text), digest))
        return NULL;
    for (size_t i = 0; i < sizeof published / sizeof *published; i++)
        if (strcmp(published[i].digest, digest) == 0)
            return aim__chat_row(published[i].name);
    return NULL;
}

/* The text fits an aim_error, with room for the model's name in front. */
#define ADVICE                                                                                     \
    "; set chat_template (--chat-template) to one of " AIM_CHAT_TEMPLATE_NAMES                     \
    ", or send the whole prompt to /v1/completions"

const aim_chat_template *aim_chat_template_find(const aim_tokenizer *t, const char *name,
                                                aim_error *err)
{
    const char *text = aim_tokenizer_chat_template(t);
    const aim_chat_template *found = NULL;
    if (name) {
        if (!(found = aim__chat_row(name)))
            aim_fail(err, AIM_EINVAL, "chat template \"%.64s\" is not one of %s", name,
                     AIM_CHAT_TEMPLATE_NAMES);
    } else if (!text) {
        aim_fail(err, AIM_EUNSUPPORTED, "the model has no chat template" ADVICE);
    } else if (!(found = recognise(text))) {
        aim_fail(err, AIM_EUNSUPPORTED, "the model's chat template is none of those known" ADVICE);
    }
    return found;
}

const char *aim_chat_template_name(const aim_chat_template *c)
{
    return c->name;
}
