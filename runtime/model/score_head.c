/* SPDX-License-Identifier: Apache-2.0 */
#include "model/score_head.h"

#include "base/alloc.h"
#include "model/decoder_impl.h"
#include "model/weight_rows.h"

#include <string.h>

/* ---- sizes ---------------------------------------------------------------------- */

int aim__score_head_layers(const aim_hf_config *c)
{
    static const int layers[] = {
        [AIM_HEAD_LANGUAGE] = 0, [AIM_HEAD_LINEAR] = 1, [AIM_HEAD_MLP] = 2};
    return layers[c->head];
}

void aim__score_head_shape(const aim_hf_config *c, int i, int *out, int *in)
{
    *out = i == aim__score_head_layers(c) - 1 ? c->head_outputs : c->hidden;
    *in = c->hidden;
}

size_t aim__score_head_weights(const aim_hf_config *c)
{
    size_t total = 0;
    for (int i = 0; i < aim__score_head_layers(c); i++) {
        int out, in;
        aim__score_head_shape(c, i, &out, &in);
        total += (size_t)out * (size_t)in;
    }
    return total;
}

static bool has_bias(const aim_hf_config *c)
{
    return c->head == AIM_HEAD_MLP || c->value_head;
}

size_t aim__score_head_biases(const aim_hf_config *c)
{
    size_t total = 0;
    for (int i = 0; has_bias(c) && i < aim__score_head_layers(c); i++) {
        int out, in;
        aim__score_head_shape(c, i, &out, &in);
        total += (size_t)out;
    }
    return total;
}

/* ---- loading -------------------------------------------------------------------- */

static void store_row(void *arg, int row, const float *values, void *scratch)
{
    (void)scratch;
    const struct aim__score_layer *l = arg;
    memcpy(l->weight + (size_t)row * (size_t)l->in, values, (size_t)l->in * sizeof *values);
}

static bool load_layer(struct aim__score_layer *l, const aim_linear_part *part, uint64_t seed,
                       const aim_compute *c, aim_error *err)
{
    const aim_weight_rows rows = {part, 1, l->out, l->in, seed};
    const aim_row_store store = {store_row, l, 0};
    l->weight = aim_array((size_t)l->out * (size_t)l->in, sizeof *l->weight);
    if (!l->weight)
        return aim_fail_nomem(err, "head") == AIM_OK;
    if (aim__weight_rows_load(&rows, c, &store, err))
        return false;
    return !part || !part->bias || (l->bias = aim__load_vector(part->bias, l->out, err));
}

bool aim__score_head_load(aim__score_head *h, const aim_hf_config *config,
                          const aim_linear_part *parts, uint64_t seed, const aim_compute *c,
                          aim_error *err)
{
    h->n = aim__score_head_layers(config);
    bool good = true;
    for (int i = 0; good && i < h->n; i++) {
        struct aim__score_layer *l = &h->layers[i];
        aim__score_head_shape(config, i, &l->out, &l->in);
        good = load_layer(l, parts ? &parts[i] : NULL, seed + (uint64_t)i, c, err);
    }
    return good;
}

void aim__score_head_free(aim__score_head *h)
{
    for (int i = 0; i < h->n; i++) {
        aim_free(h->layers[i].weight);
        aim_free(h->layers[i].bias);
    }
}

/* ---- running -------------------------------------------------------------------- */

/* Output channels of a task, which reads their weights once for all rows. */
enum { CHANNELS_A_TASK = 64 };

struct product {
    const struct aim__score_layer *layer;
    const aim_kernels *kernels;
    const float *x; /* [rows, in] */
    float *y;       /* [rows, out] */
    int rows;
    bool relu;
};

static float output_of(const struct product *p, int row, int channel)
{
    const struct aim__score_layer *l = p->layer;
    size_t in = (size_t)l->in;
    float sum = p->kernels->dot(p->x + (size_t)row * in, l->weight + (size_t)channel * in, l->in);
    if (l->bias)
        sum += l->bias[channel];
    return p->relu && sum < 0 ? 0 : sum; /* a NaN stays one */
}

static void run_channels(void *arg, int task, int worker)
{
    (void)worker;
    const struct product *p = arg;
    int begin = task * CHANNELS_A_TASK, out = p->layer->out;
    int end = out - begin < CHANNELS_A_TASK ? out : begin + CHANNELS_A_TASK;
    for (int channel = begin; channel < end; channel++)
        for (int row = 0; row < p->rows; row++)
            p->y[(size_t)row * (size_t)out + (size_t)channel] = output_of(p, row, channel);
}

void aim__score_head_run(const aim__score_head *h, const aim_compute *c, const float *x, int rows,
                         float *between, float *out)
{
    for (int i = 0; i < h->n; i++) {
        bool last = i == h->n - 1;
        struct product p = {
            .layer = &h->layers[i],
            .kernels = c->kernels,
            .x = i == 0 ? x : between,
            .y = last ? out : between,
            .rows = rows,
            .relu = !last,
        };
        aim_pool_run(c->pool, run_channels, &p,
                     (p.layer->out + CHANNELS_A_TASK - 1) / CHANNELS_A_TASK);
    }
}
