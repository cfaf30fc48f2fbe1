/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/probe.h"

#include "base/alloc.h"
#include "engine/measure_run.h"

#include <math.h>

/* Output channels a task compares. Sums are made for each task and then in the order
 * of the tasks, so that threads do not matter. */
enum { CHANNELS_A_TASK = 32 };

typedef struct squares {
    double error, ideal;
} squares;

/* What the figures of a layer are made of. */
typedef struct layer_sums {
    int layer;
    aim_converter_counts counts;
    squares squares;
} layer_sums;

typedef struct prober {
    const aim_model *model;
    aim_probe *probe;
    layer_sums *sums; /* [layers of the probe] */
    squares *of_task; /* [tasks of the widest layer] */
    float *weights;   /* [threads, widest] a row of the checkpoint's weights */
    size_t widest;
} prober;

static size_t most_layers(const aim_hf_config *c)
{
    return (size_t)c->layers * AIM_LAYERS_A_BLOCK + 1;
}

static size_t most_tasks(const aim_hf_config *c)
{
    int widest = c->vocab > 2 * c->ffn ? c->vocab : 2 * c->ffn;
    int qkv = (c->heads + 2 * c->kv_heads) * c->head_dim;
    return (size_t)(widest > qkv ? widest : qkv) / CHANNELS_A_TASK + 1;
}

static size_t most_inputs(const aim_hf_config *c)
{
    int widest = c->hidden > c->ffn ? c->hidden : c->ffn, q = c->heads * c->head_dim;
    return (size_t)(widest > q ? widest : q);
}

/* ---- the error of the outputs ------------------------------------------------------- */

/* One part of a layer and some rows, as the tasks see them. */
typedef struct comparison {
    const prober *p;
    const aim_linear_view *view;
    const aim_kernels *kernels;
    const aim_tensor *weight; /* [outputs, in] */
    int first, outputs;       /* columns of y */
} comparison;

static squares compare_channel(const comparison *c, int channel, float *w)
{
    const aim_linear_view *v = c->view;
    size_t in = (size_t)v->shape->in, out = (size_t)v->shape->out;
    squares sum = {0};
    aim_tensor_read(c->weight, (size_t)channel * in, in, w);
    for (size_t r = 0; r < (size_t)v->rows; r++) {
        double ideal = c->kernels->dot(v->x + r * in, w, v->shape->in);
        double error = v->y[r * out + (size_t)(c->first + channel)] - ideal;
        sum.error += error * error;
        sum.ideal += ideal * ideal;
    }
    return sum;
}

static void compare_task(void *arg, int task, int worker)
{
    const comparison *c = arg;
    float *w = c->p->weights + (size_t)worker * c->p->widest;
    int end = (task + 1) * CHANNELS_A_TASK;
    squares sum = {0};
    for (int channel = task * CHANNELS_A_TASK; channel < end && channel < c->outputs; channel++) {
        squares one = compare_channel(c, channel, w);
        sum.error += one.error;
        sum.ideal += one.ideal;
    }
    c->p->of_task[task] = sum;
}

static void compare_part(prober *p, const aim_linear_view *v, const aim_compute *compute, int part,
                         int first, squares *total)
{
    comparison c = {.p = p,
                    .view = v,
                    .kernels = compute->kernels,
                    .weight = v->parts[part].weight,
                    .first = first,
                    .outputs = v->shape->part_out[part]};
    int tasks = (c.outputs + CHANNELS_A_TASK - 1) / CHANNELS_A_TASK;
    aim_pool_run(compute->pool, compare_task, &c, tasks);
    for (int i = 0; i < tasks; i++) {
        total->error += p->of_task[i].error;
        total->ideal += p->of_task[i].ideal;
    }
}

/* ---- what a layer's call adds --------------------------------------------------------- */

static void describe_part(const prober *p, const aim_linear_view *v, int part,
                          aim_layer_probe *layer)
{
    aim_linear_name(&p->model->config, v->layer + part, layer->name);
    layer->outputs = v->shape->part_out[part];
    layer->inputs = v->shape->in;
    layer->input_range = aim_range_source_name(AIM_RANGES_NONE);
    if (!v->backend->on_tiles)
        return;
    aim_tiling tiling = v->backend->tiling(v->linear, part);
    layer->tiles = tiling.tiles;
    layer->input_range = aim_range_source_name(tiling.source);
}

/* The sums of a part, which is new in the first rows of the prompt. */
static layer_sums *sums_of(prober *p, const aim_linear_view *v, int part)
{
    size_t i = 0;
    while (i < p->probe->n_layers && p->sums[i].layer != v->layer + part)
        i++;
    if (i == p->probe->n_layers) {
        p->sums[i].layer = v->layer + part;
        describe_part(p, v, part, &p->probe->layers[i]);
        p->probe->n_layers++;
    }
    return &p->sums[i];
}

static void add_counts(aim_converter_counts *sum, const aim_converter_counts *c)
{
    sum->inputs += c->inputs;
    sum->limited += c->limited;
    sum->readings += c->readings;
    sum->saturated += c->saturated;
}

static int on_layer(void *arg, const aim_linear_view *v, const aim_compute *compute, aim_error *err)
{
    prober *p = arg;
    aim_converter_counts counts[AIM_MAX_PARTS] = {0};
    int code = AIM_OK;
    if (v->backend->on_tiles)
        code = v->backend->count_limits(v->linear, compute, v->x, v->rows, v->noise, counts, err);
    if (code)
        return code;
    for (int part = 0, first = 0; part < v->shape->n_parts; first += v->shape->part_out[part++]) {
        layer_sums *sums = sums_of(p, v, part);
        add_counts(&sums->counts, &counts[part]);
        compare_part(p, v, compute, part, first, &sums->squares);
    }
    return AIM_OK;
}

/* ---- the whole -------------------------------------------------------------------------- */

static double share(uint64_t some, uint64_t all)
{
    return all ? (double)some / (double)all : 0;
}

/* Of the root mean squares. Outputs that are no numbers are told even where the ideal is
 * zero throughout. */
static double relative_error(const squares *s)
{
    if (!isfinite(s->error) || !isfinite(s->ideal))
        return (double)NAN;
    return s->ideal > 0 ? sqrt(s->error / s->ideal) : 0;
}

static void finish(prober *p)
{
    for (size_t i = 0; i < p->probe->n_layers; i++) {
        const layer_sums *s = &p->sums[i];
        aim_layer_probe *layer = &p->probe->layers[i];
        layer->dac_clipped = share(s->counts.limited, s->counts.inputs);
        layer->adc_saturated = share(s->counts.saturated, s->counts.readings);
        layer->rms_error = relative_error(&s->squares);
    }
}

static bool allocate(prober *p, int threads)
{
    const aim_hf_config *c = &p->model->config;
    p->widest = most_inputs(c);
    p->probe = aim_calloc(1, sizeof *p->probe);
    p->sums = aim_calloc(most_layers(c), sizeof *p->sums);
    p->of_task = aim_array(most_tasks(c), sizeof *p->of_task);
    p->weights = aim_array((size_t)threads * p->widest, sizeof *p->weights);
    if (p->probe)
        p->probe->layers = aim_calloc(most_layers(c), sizeof *p->probe->layers);
    return p->probe && p->probe->layers && p->sums && p->of_task && p->weights;
}

static int check(const aim_model *m, const aim_token_list *prompt, aim_error *err)
{
    int context = aim_engine_max_context(m->engine);
    if (!m->checkpoint)
        return aim_fail(err, AIM_EUNSUPPORTED,
                        "a model with random weights has no others to compare them with");
    if (prompt->n > context)
        return aim_fail(err, AIM_ECONTEXT, "the prompt has %d tokens, the context %d", prompt->n,
                        context);
    return AIM_OK;
}

static int run(prober *p, const aim_token_list *prompt, const aim_measure_options *options,
               aim_error *err)
{
    int threads = aim__measure_threads(options);
    if (!allocate(p, threads))
        return aim_fail_nomem(err, "probe");
    aim_measure_observer observer = {
        .layer = on_layer, .arg = p, .bytes = (size_t)threads * p->widest * sizeof *p->weights};
    int code = aim__measure_run(p->model, prompt, 1, options, &observer, err);
    p->probe->n_tokens = prompt->n;
    finish(p);
    return code;
}

aim_probe *aim_model_probe(const aim_model *m, aim_token_list prompt,
                           const aim_measure_options *options, aim_error *err)
{
    prober p = {.model = m};
    int code = check(m, &prompt, err);
    if (!code)
        code = run(&p, &prompt, options, err);
    aim_free(p.sums);
    aim_free(p.of_task);
    aim_free(p.weights);
    if (!code)
        return p.probe;
    aim_probe_free(p.probe);
    return NULL;
}

void aim_probe_free(aim_probe *p)
{
    if (!p)
        return;
    aim_free(p->layers);
    aim_free(p);
}
