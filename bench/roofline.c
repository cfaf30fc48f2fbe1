/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/roofline.h"

double roofline_seconds(const machine_limits *machine, step_work work)
{
    double memory_time = work.bytes / machine->bandwidth;
    double math_time = work.macs / machine->int8_macs;
    return memory_time > math_time ? memory_time : math_time;
}

/* Keys and values of one token in all layers. */
static double kv_bytes(const aim_model *m)
{
    const aim_hf_config *c = &m->config;
    double element = m->backend->kv_bf16 ? 2 : 4;
    return 2.0 * element * c->layers * c->kv_heads * c->head_dim;
}

step_work work_of_decoding(const aim_model *m, enum contestant c, int n, double context)
{
    return (step_work){
        .bytes = (double)aim_decoder_weight_bytes(m->decoder) + kv_bytes(m) * context * n,
        .macs = (double)aim_decoder_macs(m->decoder, true) * n * contestant_products(c),
    };
}

step_work work_of_prefill(const aim_model *m, enum contestant c, int tokens)
{
    double block_macs = (double)aim_decoder_macs(m->decoder, false);
    double head_macs = (double)aim_decoder_macs(m->decoder, true) - block_macs;
    return (step_work){
        .bytes = (double)aim_decoder_weight_bytes(m->decoder),
        .macs = (block_macs * tokens + head_macs) * contestant_products(c),
    };
}
