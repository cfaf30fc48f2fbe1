/* SPDX-License-Identifier: Apache-2.0 */
/* hf_config_internal.h - what the readers of config.json share. Each reads its
 * part of the parsed file into the configuration; errors name file and field. */
#ifndef AIM_CHECKPOINT_HF_CONFIG_INTERNAL_H
#define AIM_CHECKPOINT_HF_CONFIG_INTERNAL_H

#include "base/json.h"
#include "checkpoint/hf_config.h"

#define AIM__CONFIG "config.json"
#define AIM__GENERATION "generation_config.json"

enum {
    /* Positions times the highest frequency stay within the range of aim_sin. */
    AIM__MAX_POSITIONS = 1 << 20,
};

/* Which layers a sliding window applies to. */
enum aim__window_rule {
    AIM__WINDOW_NEVER,   /* the family has none */
    AIM__WINDOW_ALL,     /* to all, if sliding_window is set */
    AIM__WINDOW_BY_LAYER /* where use_sliding_window, max_window_layers or layer_types say so */
};

/* What an architecture means beyond the fields of the file: as its configuration
 * and model classes in transformers have it. */
typedef struct aim__family {
    const char *name;    /* the first half of an architecture's: "Llama" */
    bool fused;          /* qkv_proj and gate_up_proj instead of five tensors */
    bool qkv_bias;       /* whatever the file says */
    bool attention_bias; /* the file's field of this name is read: q, k, v and o */
    bool mlp_bias;       /* likewise */
    bool qk_norm;
    bool partial_rotary; /* partial_rotary_factor may be below 1 */
    enum aim__window_rule window;
    unsigned rope_kinds; /* bit 1 << kind for each enum aim_rope_kind it can have */
    /* Values of fields that are absent. */
    int sliding_window;     /* 0: none */
    int kv_heads;           /* 0: as many as heads */
    int head_dim;           /* 0: hidden_size / heads */
    int original_positions; /* 0: max_position_embeddings */
    double rms_eps;
    int bos, eos; /* -1: none */
} aim__family;

/* What stands behind the decoder. */
typedef struct aim__head_class {
    const char *suffix; /* the second half of an architecture's name: "ForCausalLM" */
    const char *family; /* that has it; NULL: all do */
    enum aim_head_kind kind;
    int outputs; /* of a reward head; 0: the file tells */
    bool value_head;
} aim__head_class;

/* The family and the head that config.json names; NULL with the list of those known. The
 * prefix AnalogWrapper, of aihwkit-lightning's converted models, makes no difference. */
const aim__family *aim__family_find(const char *architecture, const aim__head_class **head,
                                    aim_error *err);
/* NULL: there is none of this name in the family. */
const aim__head_class *aim__head_class_find(const char *family, const char *suffix);
/* ", Qwen2ForRewardModel" and so on: the architectures of single families. */
void aim__head_classes_list(char *text, size_t room);

/* Rotary settings; head_dim and max_positions are settled. */
int aim__read_rope(const json_t *config, const aim__family *f, aim_hf_config *out, aim_error *err);
/* The sliding window; layers is settled. */
int aim__read_window(const json_t *config, const aim__family *f, aim_hf_config *out,
                     aim_error *err);
/* Kind and outputs of the head. */
int aim__read_head(const json_t *config, const aim__head_class *c, aim_hf_config *out,
                   aim_error *err);
/* A causal language model whose weights in dir have a value head (trl's
 * AutoModelForCausalLMWithValueHead) is that: its config.json does not tell. Weights that
 * cannot be read have none; who loads them hears why. */
int aim__find_value_head(const char *dir, aim_hf_config *out, aim_error *err);
/* Everything in generation_config.json. */
int aim__read_generation(const json_t *generation, aim_hf_config *out, aim_error *err);

/* BOS and EOS, which either file may hold; absent or null: left as they are. */
int aim__read_eos(const json_t *obj, const char *what, aim_hf_config *out, aim_error *err);
int aim__read_bos(const json_t *obj, const char *what, aim_hf_config *out, aim_error *err);

/* Every key of the file: one that changes results and is not implemented must
 * have its neutral value; one that is not known goes to out->unknown_settings. */
int aim__check_config_keys(const json_t *config, aim_hf_config *out, aim_error *err);
int aim__check_generation_keys(const json_t *generation, aim_hf_config *out, aim_error *err);

/* AIM_EUNSUPPORTED: 'what: "key": value is not implemented', then `more`. */
int aim__not_implemented(const char *what, const char *key, const json_t *v, const char *more,
                         aim_error *err);

#endif
