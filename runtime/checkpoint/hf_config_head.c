/* SPDX-License-Identifier: Apache-2.0 */
/* hf_config_head.c - what stands behind the decoder: lm_head, or the head of a reward
 * model, which the second half of an architecture's name tells. */
#include "checkpoint/hf_config_internal.h"

#include "checkpoint/checkpoint.h"

#include <stdio.h>
#include <string.h>

/* Sources: transformers 5 of the first two; modeling_qwen2_rm.py in the folders of
 * Qwen2.5-Math-PRM-7B and Qwen2.5-Math-RM-72B, as vLLM has it too; model_utils/
 * prm_model.py of skywork-o1-prm-inference. */
static const aim__head_class classes[] = {
    {.suffix = "ForCausalLM", .kind = AIM_HEAD_LANGUAGE},
    {.suffix = "ForSequenceClassification", .kind = AIM_HEAD_LINEAR},
    {.suffix = "ForProcessRewardModel", .family = "Qwen2", .kind = AIM_HEAD_MLP, .outputs = 2},
    {.suffix = "ForRewardModel", .family = "Qwen2", .kind = AIM_HEAD_MLP, .outputs = 1},
    {.suffix = "ForPrmModel",
     .family = "Qwen2",
     .kind = AIM_HEAD_LINEAR,
     .outputs = 1,
     .value_head = true}, /* Skywork-o1-Open-PRM */
};

enum { N_CLASSES = sizeof classes / sizeof classes[0] };

const aim__head_class *aim__head_class_find(const char *family, const char *suffix)
{
    for (int i = 0; i < N_CLASSES; i++) {
        const aim__head_class *c = &classes[i];
        bool fits = !c->family || strcmp(c->family, family) == 0;
        if (fits && strcmp(c->suffix, suffix) == 0)
            return c;
    }
    return NULL;
}

void aim__head_classes_list(char *text, size_t room)
{
    size_t used = 0;
    for (int i = 0; i < N_CLASSES && used < room; i++)
        if (classes[i].family)
            used += (size_t)snprintf(text + used, room - used, ", %s%s", classes[i].family,
                                     classes[i].suffix);
}

/* As transformers has it: as many as id2label has names, else num_labels, else 2. */
static int read_outputs(const json_t *config, aim_hf_config *out, aim_error *err)
{
    int64_t n = 2;
    const char *key = "id2label";
    const json_t *names = json_object_get(config, key);
    if (!names || json_is_null(names)) {
        int code = aim_json_int(config, "num_labels", 1, AIM_MAX_HEAD_OUTPUTS, false, AIM__CONFIG,
                                &n, err);
        out->head_outputs = (int)n;
        return code;
    }
    size_t count = json_object_size(names);
    if (count < 1 || count > AIM_MAX_HEAD_OUTPUTS)
        return aim_fail_param(err, AIM_EFORMAT, key,
                              AIM__CONFIG ": \"%s\" must name 1 to %d outputs", key,
                              AIM_MAX_HEAD_OUTPUTS);
    out->head_outputs = (int)count;
    return AIM_OK;
}

int aim__read_head(const json_t *config, const aim__head_class *c, aim_hf_config *out,
                   aim_error *err)
{
    out->head = c->kind;
    out->head_outputs = c->outputs;
    out->value_head = c->value_head;
    return c->kind == AIM_HEAD_LINEAR && !c->outputs ? read_outputs(config, out, err) : AIM_OK;
}

int aim__find_value_head(const char *dir, aim_hf_config *out, aim_error *err)
{
    if (out->head != AIM_HEAD_LANGUAGE)
        return AIM_OK;
    aim_error cause = {0};
    aim_checkpoint *c = aim_checkpoint_open(dir, &cause);
    if (c && aim_checkpoint_find(c, "v_head.summary.weight")) {
        out->head = AIM_HEAD_LINEAR;
        out->head_outputs = 1;
        out->value_head = true;
        out->tied_embeddings = false;
    }
    aim_checkpoint_close(c);
    return cause.code == AIM_ENOMEM ? aim_fail(err, AIM_ENOMEM, "%s", cause.text) : AIM_OK;
}
