/* SPDX-License-Identifier: Apache-2.0 */
/* decoder_cost.c - what the chip of a decoder is estimated to take for its work. */
#include "model/decoder_impl.h"

/* One row through the parts of a layer, which work at the same time. */
static aim_chip_cost cost_of(const aim_decoder *d, const aim_projection *p)
{
    const aim_profile *profile = &d->chip->profile;
    const aim_energy *e = &profile->energy;
    const aim_linear_shape *shape = &p->source.shape;
    aim_chip_cost sum = {0};
    if (!p->backend->on_tiles)
        return sum;
    for (int i = 0; i < shape->n_parts; i++) {
        aim_chip_cost part =
            aim_energy_of_layer(e, profile->tile.max_input_size, shape->part_out[i], shape->in);
        aim_chip_cost_add(&sum, &part, 1);
    }
    sum.seconds = e->rows > 0 ? e->mvm_seconds : 0.0;
    return sum;
}

aim_chip_cost aim_decoder_chip_cost(const aim_decoder *d, uint64_t rows, uint64_t head_rows)
{
    aim_chip_cost sum = {0};
    for (int i = 0; d->chip && i < aim__decoder_projections(d); i++) {
        const aim_projection *p = aim__decoder_projection(d, i);
        aim_chip_cost a_row = cost_of(d, p);
        aim_chip_cost_add(&sum, &a_row, p == &d->lm_head ? head_rows : rows);
    }
    return sum;
}
