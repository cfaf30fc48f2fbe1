/* SPDX-License-Identifier: Apache-2.0 */
/* config.json, and behind the first NUL byte, if there is one,
 * generation_config.json. */
#include "tests/fuzz/fuzz.h"

#include "base/json.h"
#include "checkpoint/hf_config.h"

#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    aim_json_init();
    return 0;
}

static void check_ranges(const aim_hf_config *c)
{
    FUZZ_EXPECT(c->hidden > 0 && c->layers > 0 && c->ffn > 0 && c->vocab > 0);
    FUZZ_EXPECT(c->kv_heads > 0 && c->heads % c->kv_heads == 0);
    FUZZ_EXPECT(c->head_dim > 0 && c->head_dim % 2 == 0);
    FUZZ_EXPECT(c->max_positions > 0 && c->rms_eps > 0 && c->rope.theta >= 1);
    FUZZ_EXPECT(c->rope.dim > 0 && c->rope.dim % 2 == 0 && c->rope.dim <= c->head_dim);
    FUZZ_EXPECT(c->rope.n_factors == 0 || c->rope.n_factors == c->rope.dim / 2);
    for (int i = 0; i < c->rope.n_factors; i++)
        FUZZ_EXPECT(c->rope.short_factor[i] > 0 && c->rope.long_factor[i] > 0);
    FUZZ_EXPECT(c->rope.attention_factor > 0 && c->sliding_window >= 0);
    for (int i = 0; i < AIM_MAX_LAYERS; i++)
        FUZZ_EXPECT(c->window_layer[i] <= (i < c->layers && c->sliding_window > 0));
    FUZZ_EXPECT(c->head_outputs >= 0 && c->head_outputs <= AIM_MAX_HEAD_OUTPUTS);
    FUZZ_EXPECT((c->head == AIM_HEAD_LANGUAGE) == (c->head_outputs == 0));
    FUZZ_EXPECT(!c->value_head || c->head == AIM_HEAD_LINEAR);
    FUZZ_EXPECT(c->bos >= -1 && c->bos < c->vocab);
    FUZZ_EXPECT(c->n_eos >= 0 && c->n_eos <= AIM_MAX_EOS);
    for (int i = 0; i < c->n_eos; i++)
        FUZZ_EXPECT(c->eos[i] >= 0 && c->eos[i] < c->vocab);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *config = (const char *)data;
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    size_t config_len = nul ? (size_t)(nul - data) : size;
    const char *generation = nul ? (const char *)nul + 1 : NULL;
    size_t generation_len = nul ? size - config_len - 1 : 0;
    aim_hf_config out;
    aim_error err = {0};
    int code = aim_hf_config_parse(config, config_len, generation, generation_len, &out, &err);
    FUZZ_EXPECT((code == AIM_OK) == (err.code == AIM_OK));
    if (code == AIM_OK)
        check_ranges(&out);
    else
        FUZZ_EXPECT(err.text[0] != '\0');
    return 0;
}
