/* SPDX-License-Identifier: Apache-2.0 */
/* hf_config_keys.c - every key that is known in the two configuration files, and
 * what may be done about it. */
#include "checkpoint/hf_config_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* ---- keys that need nothing from here -------------------------------------- */

/* Keys that other files of this folder read. */
static const char *const config_read[] = {
    "architectures",
    "attention_bias",
    "bos_token_id",
    "eos_token_id",
    "head_dim",
    "hidden_size",
    "id2label",
    "intermediate_size",
    "layer_types",
    "max_position_embeddings",
    "max_window_layers",
    "mlp_bias",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "num_labels",
    "original_max_position_embeddings",
    "partial_rotary_factor",
    "rms_norm_eps",
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
    "sliding_window",
    "tie_word_embeddings",
    "use_sliding_window",
    "vocab_size",
    NULL,
};

/* Keys that say how a model was trained, stored or run elsewhere, and those of
 * heads for other tasks: no value of them changes a logit. */
static const char *const config_harmless[] = {
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_commit_hash",
    "_flash_attn_2_enabled",
    "_name_or_path",
    "attention_dropout",
    "attn_implementation",
    "attn_pdrop",
    "auto_map",
    "chunk_size_feed_forward",
    "classifier_dropout",
    "dtype",
    "embd_pdrop",
    "finetuning_task",
    "gradient_checkpointing",
    "hidden_dropout",
    "initializer_range",
    "is_decoder",
    "is_llama_config",
    "keys_to_ignore_at_inference",
    "label2id",
    "model_type",
    "name_or_path",
    "output_attentions",
    "output_hidden_states",
    "pad_token_id",
    "prefix",
    "pretraining_tp", /* slices of one matrix product, added up again */
    "problem_type",
    "resid_pdrop",
    "return_dict",
    "sep_token_id",
    "summary_dropout_prob",
    "task_specific_params",
    "tf_legacy_loss",
    "tie_encoder_decoder",
    "tokenizer_class",
    "torch_dtype",
    "torchscript",
    "transformers.js_config",
    "transformers_version",
    "unk_token_id",
    "unsloth_fixed",
    "unsloth_version",
    "use_bfloat16",
    "use_cache",
    NULL,
};

static const char *const generation_read[] = {
    "bos_token_id",       "do_sample", "eos_token_id", "min_p", "temperature",
    "repetition_penalty", "top_k",     "top_p",        NULL,
};

/* Lengths are the request's to choose; the rest concerns beams, of which there
 * is one, caches and what Python returns. */
static const char *const generation_harmless[] = {
    "_from_model_config",
    "assistant_confidence_threshold",
    "assistant_early_exit",
    "assistant_lookbehind",
    "cache_config",
    "cache_implementation",
    "compile_config",
    "decoder_start_token_id",
    "disable_compile",
    "diversity_penalty",
    "early_stopping",
    "generation_kwargs",
    "is_assistant",
    "length_penalty",
    "low_memory",
    "max_length",
    "max_matching_ngram_size",
    "max_new_tokens",
    "max_time",
    "num_assistant_tokens",
    "num_assistant_tokens_schedule",
    "num_beam_groups",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_logits",
    "output_scores",
    "pad_token_id",
    "prefill_chunk_size",
    "prompt_lookup_num_tokens",
    "remove_invalid_values",
    "renormalize_logits",
    "return_dict_in_generate",
    "return_legacy_cache",
    "target_lookbehind",
    "transformers_version",
    "trust_remote_code",
    "use_cache",
    NULL,
};

/* ---- settings that must be neutral ------------------------------------------ */

enum neutral_kind { ONLY_EMPTY, ONLY_FALSE, ONLY_NUMBER, ONLY_STRING };

/* A setting that changes results and is not implemented: it may be absent, null
 * or have the one value that does nothing. */
struct neutral {
    const char *key;
    enum neutral_kind kind;
    double number;
    const char *string;
};

/* Some of these belong to other architectures: a file that names one of ours but
 * holds such a key was written for a changed model. */
static const struct neutral config_neutral[] = {
    {"add_cross_attention", ONLY_FALSE, 0, NULL},
    {"alibi", ONLY_FALSE, 0, NULL},
    {"attention_chunk_size", ONLY_EMPTY, 0, NULL},
    {"attention_multiplier", ONLY_EMPTY, 0, NULL},
    {"attn_logit_softcapping", ONLY_EMPTY, 0, NULL},
    {"attn_temperature_tuning", ONLY_FALSE, 0, NULL},
    {"classifier_bias", ONLY_FALSE, 0, NULL},
    {"clip_qkv", ONLY_EMPTY, 0, NULL},
    {"embedding_multiplier", ONLY_NUMBER, 1, NULL},
    {"final_logit_softcapping", ONLY_EMPTY, 0, NULL},
    {"full_attn_mod", ONLY_NUMBER, 1, NULL},
    {"hidden_act", ONLY_STRING, 0, "silu"},
    {"hidden_activation", ONLY_STRING, 0, "silu"},
    {"interpolate_factor", ONLY_NUMBER, 1, NULL},
    {"is_encoder_decoder", ONLY_FALSE, 0, NULL},
    {"lm_head_bias", ONLY_FALSE, 0, NULL},
    {"logit_scale", ONLY_NUMBER, 1, NULL},
    {"logits_scaling", ONLY_NUMBER, 1, NULL},
    {"mtp_layer_types", ONLY_EMPTY, 0, NULL},
    {"no_rope_layers", ONLY_EMPTY, 0, NULL},
    {"normalize_reward", ONLY_FALSE, 0, NULL},
    {"num_experts", ONLY_EMPTY, 0, NULL},
    {"num_local_experts", ONLY_EMPTY, 0, NULL},
    {"parallel_attn", ONLY_FALSE, 0, NULL},
    {"per_layer_config", ONLY_EMPTY, 0, NULL},
    {"pruned_heads", ONLY_EMPTY, 0, NULL},
    {"qk_layernorm", ONLY_FALSE, 0, NULL},
    {"quantization_config", ONLY_EMPTY, 0, NULL},
    {"query_pre_attn_scalar", ONLY_EMPTY, 0, NULL},
    {"residual_multiplier", ONLY_NUMBER, 1, NULL},
    {"rope_interleaved", ONLY_FALSE, 0, NULL},
    {"rope_local_base_freq", ONLY_EMPTY, 0, NULL},
    {"scale_emb", ONLY_NUMBER, 1, NULL},
    {"score_bias", ONLY_FALSE, 0, NULL},
    {"sliding_window_pattern", ONLY_EMPTY, 0, NULL},
    {"tie_last_hidden_states", ONLY_EMPTY, 0, NULL},
    {"use_mrope", ONLY_FALSE, 0, NULL},
    {"use_parallel_residual", ONLY_FALSE, 0, NULL},
    {"use_qk_norm", ONLY_FALSE, 0, NULL},
    {NULL, ONLY_EMPTY, 0, NULL},
};

static const struct neutral generation_neutral[] = {
    {"bad_words_ids", ONLY_EMPTY, 0, NULL},
    {"begin_suppress_tokens", ONLY_EMPTY, 0, NULL},
    {"constraints", ONLY_EMPTY, 0, NULL},
    {"dola_layers", ONLY_EMPTY, 0, NULL},
    {"encoder_no_repeat_ngram_size", ONLY_NUMBER, 0, NULL},
    {"encoder_repetition_penalty", ONLY_NUMBER, 1, NULL},
    {"epsilon_cutoff", ONLY_NUMBER, 0, NULL},
    {"eta_cutoff", ONLY_NUMBER, 0, NULL},
    {"exponential_decay_length_penalty", ONLY_EMPTY, 0, NULL},
    {"force_words_ids", ONLY_EMPTY, 0, NULL},
    {"forced_bos_token_id", ONLY_EMPTY, 0, NULL},
    {"forced_decoder_ids", ONLY_EMPTY, 0, NULL},
    {"forced_eos_token_id", ONLY_EMPTY, 0, NULL},
    {"guidance_scale", ONLY_NUMBER, 1, NULL},
    {"min_length", ONLY_NUMBER, 0, NULL},
    {"min_new_tokens", ONLY_NUMBER, 0, NULL},
    {"no_repeat_ngram_size", ONLY_NUMBER, 0, NULL},
    {"num_beams", ONLY_NUMBER, 1, NULL},
    {"penalty_alpha", ONLY_NUMBER, 0, NULL},
    {"sequence_bias", ONLY_EMPTY, 0, NULL},
    {"stop_strings", ONLY_EMPTY, 0, NULL},
    {"suppress_tokens", ONLY_EMPTY, 0, NULL},
    {"token_healing", ONLY_FALSE, 0, NULL},
    {"top_h", ONLY_EMPTY, 0, NULL},
    {"typical_p", ONLY_NUMBER, 1, NULL},
    {"watermarking_config", ONLY_EMPTY, 0, NULL},
    {NULL, ONLY_EMPTY, 0, NULL},
};

static bool is_neutral(const struct neutral *n, const json_t *v)
{
    if (json_is_null(v))
        return true;
    switch (n->kind) {
    case ONLY_EMPTY:
        return json_is_object(v) ? json_object_size(v) == 0
                                 : json_is_array(v) && json_array_size(v) == 0;
    case ONLY_FALSE:
        return json_is_false(v);
    case ONLY_NUMBER:
        return json_is_number(v) && json_number_value(v) == n->number;
    case ONLY_STRING:
        return json_is_string(v) && strcmp(json_string_value(v), n->string) == 0;
    }
    return false;
}

/* The value as JSON text, cut to fit. */
static void value_text(char *text, size_t room, const json_t *v)
{
    size_t n = json_dumpb(v, text, room - 1, JSON_ENCODE_ANY | JSON_COMPACT);
    text[n < room ? n : room - 1] = '\0';
}

int aim__not_implemented(const char *what, const char *key, const json_t *v, const char *more,
                         aim_error *err)
{
    char text[64] = "";
    value_text(text, sizeof text, v);
    return aim_fail_param(err, AIM_EUNSUPPORTED, key, "%s: \"%s\": %s is not implemented%s", what,
                          key, text, more);
}

/* ---- the walk over a file ---------------------------------------------------- */

struct key_tables {
    const char *what;
    const char *const *read, *const *harmless;
    const struct neutral *neutral;
};

static bool contains(const char *const *list, const char *key)
{
    while (*list && strcmp(*list, key) != 0)
        list++;
    return *list;
}

/* Add a name to the list for the log, as far as there is room. Names come from an
 * untrusted file: only plain characters of them are kept. */
static void note_unknown(aim_hf_config *out, const char *key)
{
    size_t room = sizeof out->unknown_settings, used = strlen(out->unknown_settings);
    char plain[48];
    size_t n = 0;
    for (; key[n] && n < sizeof plain - 1; n++)
        plain[n] = isalnum((unsigned char)key[n]) || strchr("_.-", key[n]) ? key[n] : '?';
    plain[n] = '\0';
    if (used + n + sizeof ", ..." < room)
        snprintf(out->unknown_settings + used, room - used, "%s%s", used ? ", " : "", plain);
    else if (used < 3 || strcmp(out->unknown_settings + used - 3, "...") != 0)
        snprintf(out->unknown_settings + used, room - used, ", ...");
}

static int check_keys(const json_t *obj, const struct key_tables *t, aim_hf_config *out,
                      aim_error *err)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)obj, key, v)
    {
        if (contains(t->read, key) || contains(t->harmless, key))
            continue;
        const struct neutral *n = t->neutral;
        while (n->key && strcmp(n->key, key) != 0)
            n++;
        if (!n->key)
            note_unknown(out, key);
        else if (!is_neutral(n, v))
            return aim__not_implemented(t->what, key, v, "", err);
    }
    return AIM_OK;
}

int aim__check_config_keys(const json_t *config, aim_hf_config *out, aim_error *err)
{
    const struct key_tables t = {AIM__CONFIG, config_read, config_harmless, config_neutral};
    return check_keys(config, &t, out, err);
}

int aim__check_generation_keys(const json_t *generation, aim_hf_config *out, aim_error *err)
{
    const struct key_tables t = {AIM__GENERATION, generation_read, generation_harmless,
                                 generation_neutral};
    return check_keys(generation, &t, out, err);
}
