/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/roofline.h"

#include "base/cpu.h"
#include "bench/limits.h"
#include "bench/report.h"

#define FITS_THE_CACHES 16e6 /* bytes */

/* The pool of a model belongs to its engine: measuring takes one of its own. */
static aim_pool *new_pool(void)
{
    aim_error err = {0};
    aim_pool *pool = aim_pool_new(aim_cpu_count(), &err);
    if (!pool)
        bench_fail(err.text);
    return pool;
}

static double read_bandwidth(aim_pool *pool, size_t bytes)
{
    aim_error err = {0};
    double bandwidth = aim_limit_read_bandwidth(pool, bytes, &err);
    if (bandwidth == 0)
        bench_fail(err.text);
    return bandwidth;
}

machine_limits machine_measure(void)
{
    aim_pool *pool = new_pool();
    machine_limits m = {read_bandwidth(pool, 0), aim_limit_int8_macs(pool)};
    report_title("Limits of this machine");
    report("read_bandwidth", m.bandwidth * 1e-9, "GB/s", 0, false);
    report("int8_peak", 2 * m.int8_macs * 1e-12, "Tops", 0, false);
    aim_pool_free(pool);
    return m;
}

static double bandwidth_for(const machine_limits *machine, double weights)
{
    if (weights >= FITS_THE_CACHES)
        return machine->bandwidth;
    aim_pool *pool = new_pool();
    double bandwidth = read_bandwidth(pool, (size_t)weights);
    aim_pool_free(pool);
    return bandwidth;
}

double roofline_decode(const machine_limits *machine, const aim_model *m, int n, double context)
{
    const aim_hf_config *c = &m->config;
    double weights = (double)aim_decoder_weight_bytes(m->decoder);
    double kv = 2.0 * 2 * c->layers * c->kv_heads * c->head_dim * context * n;
    double memory_time = (weights + kv) / bandwidth_for(machine, weights);
    double math_time = (double)aim_decoder_macs(m->decoder, true) * n / machine->int8_macs;
    return n / (memory_time > math_time ? memory_time : math_time);
}
