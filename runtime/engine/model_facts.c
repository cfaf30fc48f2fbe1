/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/model_facts.h"

static const char *const rope_names[] = {
    [AIM_ROPE_DEFAULT] = "default",
    [AIM_ROPE_LINEAR] = "linear",
    [AIM_ROPE_LLAMA3] = "llama3",
    [AIM_ROPE_LONGROPE] = "longrope",
};

static const char *chat_template_name(const aim_model *m)
{
    if (m->chat)
        return aim_chat_template_name(m->chat);
    return aim_tokenizer_chat_template(m->tokenizer) ? "unknown" : "none";
}

aim_model_facts aim_model_describe(const aim_model *m)
{
    const aim_checkpoint *c = m->checkpoint; /* NULL: random weights */
    return (aim_model_facts){
        .architecture = m->config.architecture,
        .parameters = aim_hf_config_parameters(&m->config),
        .checkpoint = c ? aim_checkpoint_format(c) : "random",
        .checkpoint_bytes = c ? aim_checkpoint_bytes(c) : 0,
        .tied_head = m->config.tied_embeddings,
        .rope = rope_names[m->config.rope.kind],
        .learned_ranges = aim_decoder_learned_ranges(m->decoder),
        .chip = aim_decoder_chip(m->decoder),
        .input_ranges = aim_decoder_range_source(m->decoder),
        .missing_ranges = aim_decoder_missing_ranges(m->decoder),
        .chat_template = chat_template_name(m),
    };
}
