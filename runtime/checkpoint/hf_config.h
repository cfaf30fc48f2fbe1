/* SPDX-License-Identifier: Apache-2.0 */
/* hf_config.h - config.json and generation_config.json of a checkpoint folder,
 * read into the switches of the decoder. Every number is range-checked: these
 * fields drive allocations. A setting that is known to change results and is not
 * implemented is an error that names it; one that is not known at all is listed in
 * unknown_settings. */
#ifndef AIM_CHECKPOINT_HF_CONFIG_H
#define AIM_CHECKPOINT_HF_CONFIG_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    AIM_MAX_EOS = 16,
    AIM_MAX_LAYERS = 1024,
    AIM_MAX_HEAD_DIM = 1024,
    AIM_MAX_HEAD_OUTPUTS = 16,
};

enum aim_rope_kind {
    AIM_ROPE_DEFAULT,  /* Su et al. 2021 */
    AIM_ROPE_LINEAR,   /* frequencies divided by factor */
    AIM_ROPE_LLAMA3,   /* low frequencies divided by factor, a ramp between */
    AIM_ROPE_LONGROPE, /* a divisor for each frequency, one set for short and one
                          for long sequences (Ding et al. 2024) */
};

/* Rotary positions, under the names of Hugging Face's configuration. */
typedef struct aim_rope {
    enum aim_rope_kind kind;
    int dim;      /* leading elements of a head that are rotated: head_dim, or less */
    double theta; /* base of the wavelengths */
    double factor, low_freq_factor, high_freq_factor;
    int original_positions;  /* length the model was first trained with */
    double attention_factor; /* multiplies cos and sin */
    int n_factors;           /* dim / 2 for AIM_ROPE_LONGROPE, else 0 */
    float short_factor[AIM_MAX_HEAD_DIM / 2], long_factor[AIM_MAX_HEAD_DIM / 2];
} aim_rope;

/* What stands on the last hidden state, behind the final norm. */
enum aim_head_kind {
    AIM_HEAD_LANGUAGE, /* lm_head: logits of the vocabulary */
    AIM_HEAD_LINEAR,   /* score.weight [outputs, hidden], without bias
                          (...ForSequenceClassification), or v_head.summary with bias [1, hidden]
                          (value heads of trl, Skywork-o1-Open-PRM) */
    AIM_HEAD_MLP,      /* score.0 [hidden, hidden], ReLU, score.2 [outputs, hidden], with biases
                          (Qwen2ForProcessRewardModel, Qwen2ForRewardModel) */
};

typedef struct aim_hf_config {
    char architecture[64]; /* as config.json names it: "LlamaForCausalLM" */
    int hidden;            /* width of the residual stream */
    int layers;
    int heads, kv_heads, head_dim;
    int ffn; /* width of the feed-forward part */
    int vocab;
    int max_positions;
    float rms_eps;
    aim_rope rope;
    bool tied_embeddings; /* lm_head shares embed_tokens; false if there is none */
    /* The checkpoint stores these parts as one tensor (Phi-3). */
    bool fused_qkv, fused_gate_up;
    /* Linear layers with a bias: query, key and value; output; feed-forward. */
    bool qkv_bias, o_bias, mlp_bias;
    bool qk_norm; /* RMSNorm of each head of queries and keys (Qwen3) */
    enum aim_head_kind head;
    int head_outputs;   /* of a head that is none of language: 1 to AIM_MAX_HEAD_OUTPUTS */
    bool value_head;    /* a linear head under the names v_head.summary.* */
    int sliding_window; /* positions a query sees, itself included; 0: all */
    unsigned char window_layer[AIM_MAX_LAYERS]; /* 1: the window applies to this layer */
    int32_t bos;                                /* -1: none */
    int n_eos;
    int32_t eos[AIM_MAX_EOS];
    /* Defaults for sampling from generation_config.json; -1: not given. */
    double default_temperature, default_top_p, default_min_p, default_repetition_penalty;
    int default_top_k;
    /* Names of settings in either file that this program does not know and that
     * therefore have no effect, for the log: "a, b"; "" if there are none. */
    char unknown_settings[256];
} aim_hf_config;

/* Read dir/config.json and, if there, dir/generation_config.json (whose EOS
 * ids win; a number or a list). do_sample false means temperature 0. Fields that
 * are absent have the defaults of transformers' configuration class of the
 * architecture. A causal language model whose weights, if they are there, hold a value
 * head is read as that. */
int aim_hf_config_load(const char *dir, aim_hf_config *out, aim_error *err);
/* The two files from memory; generation may be NULL. */
int aim_hf_config_parse(const char *config, size_t config_len, const char *generation,
                        size_t generation_len, aim_hf_config *out, aim_error *err);

#endif
