/* SPDX-License-Identifier: Apache-2.0 */
#include "model/layer_program.h"

#include "model/backend_impl.h"
#include "model/weight_rows.h"

/* What the tasks of one pass over the weights see. */
struct programming {
    aim__layer_program *programs;
    const aim_linear_shape *shape;
    const aim__weight_holder *holder;
    size_t holder_offset; /* of the holder's scratch behind the program's */
};

/* The part that a row of the stack belongs to, and its channel there. */
static int part_of(const aim_linear_shape *shape, int row, int *channel)
{
    int part = 0;
    while (row >= shape->part_out[part])
        row -= shape->part_out[part++];
    *channel = row;
    return part;
}

static void survey_row(void *arg, int row, const float *values, void *scratch)
{
    (void)scratch;
    const struct programming *p = arg;
    int channel, part = part_of(p->shape, row, &channel);
    aim_layer_program *program = &p->programs->part[part];
    if (aim_layer_program_needs_survey(program))
        aim_layer_program_survey(program, channel, values);
}

/* scratch: the weights now, the program's scratch, the holder's. */
static void program_row(void *arg, int row, const float *values, void *scratch)
{
    const struct programming *p = arg;
    int channel, part = part_of(p->shape, row, &channel);
    float *now = scratch;
    aim_layer_program_channel(&p->programs->part[part], channel, values, now, now + p->shape->in);
    p->holder->hold(p->holder->arg, part, channel, now,
                    (unsigned char *)scratch + p->holder_offset);
}

static int init(aim__layer_program *p, const aim_linear_source *source, aim_error *err)
{
    const aim_linear_shape *shape = &source->shape;
    int code = AIM_OK;
    for (int i = 0; i < shape->n_parts && !code; i++)
        code = aim_layer_program_init(&p->part[i], source->chip, source->layer + i,
                                      shape->part_out[i], shape->in, err);
    return code;
}

/* The first pass over the weights, if the profile asks for one. It is not reported:
 * the second takes most of the time. */
static int survey(aim__layer_program *p, const aim_weight_rows *rows, const aim_compute *c,
                  struct programming *programming, aim_error *err)
{
    if (!aim_layer_program_needs_survey(&p->part[0]))
        return AIM_OK;
    aim_compute silent = *c;
    silent.weights_read = NULL;
    aim_row_store store = {survey_row, programming, 0};
    int code = aim__weight_rows_load(rows, &silent, &store, err);
    for (int i = 0; i < programming->shape->n_parts && !code; i++)
        aim_layer_program_survey_end(&p->part[i]);
    return code;
}

int aim__layer_program_run(aim__layer_program *p, const aim_linear_source *source,
                           const aim_compute *c, const aim__weight_holder *holder, aim_error *err)
{
    *p = (aim__layer_program){0};
    struct programming programming = {.programs = p, .shape = &source->shape, .holder = holder};
    aim_weight_rows rows = aim__weight_rows_of(source);
    int code = init(p, source, err);
    if (!code)
        code = survey(p, &rows, c, &programming, err);
    if (code)
        return code;
    size_t floats = (size_t)source->shape.in + aim_layer_program_scratch(&p->part[0]);
    programming.holder_offset = aim__whole_lines(floats * sizeof(float));
    aim_row_store store = {program_row, &programming,
                           programming.holder_offset + holder->scratch_bytes};
    code = aim__weight_rows_load(&rows, c, &store, err);
    for (int i = 0; i < source->shape.n_parts && !code; i++)
        aim_layer_program_end(&p->part[i]);
    return code;
}

void aim__layer_program_fini(aim__layer_program *p)
{
    for (int i = 0; i < AIM_MAX_PARTS; i++)
        aim_layer_program_fini(&p->part[i]);
}
