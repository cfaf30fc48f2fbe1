/* SPDX-License-Identifier: Apache-2.0 */
/* hf_config.h - config.json and generation_config.json of a checkpoint folder,
 * read into the switches of the decoder. Every number is range-checked: these
 * fields drive allocations. A setting this program does not implement is an
 * error that names it, never silently ignored. */
#ifndef AIM_CHECKPOINT_HF_CONFIG_H
#define AIM_CHECKPOINT_HF_CONFIG_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AIM_MAX_EOS = 16 };

typedef struct aim_hf_config {
    char architecture[64]; /* "LlamaForCausalLM" */
    int hidden;            /* width of the residual stream */
    int layers;
    int heads, kv_heads, head_dim;
    int ffn; /* width of the feed-forward part */
    int vocab;
    int max_positions;
    float rms_eps;
    double rope_theta;
    bool tied_embeddings; /* lm_head shares embed_tokens */
    int32_t bos;          /* -1: none */
    int n_eos;
    int32_t eos[AIM_MAX_EOS];
    /* Defaults for sampling from generation_config.json; -1: not given. */
    double default_temperature, default_top_p;
    int default_top_k;
} aim_hf_config;

/* Read dir/config.json and, if there, dir/generation_config.json (whose EOS
 * ids win; a number or a list). do_sample false means temperature 0. */
int aim_hf_config_load(const char *dir, aim_hf_config *out, aim_error *err);
/* The same from memory; generation may be NULL. */
int aim_hf_config_parse(const char *config, size_t config_len, const char *generation,
                        size_t generation_len, aim_hf_config *out, aim_error *err);

#endif
