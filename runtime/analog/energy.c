/* SPDX-License-Identifier: Apache-2.0 */
#include "analog/energy.h"

#include "analog/tile_split.h"

static uint64_t divide_up(int n, int size)
{
    return ((uint64_t)n + (uint64_t)size - 1) / (uint64_t)size;
}

/* Arrays beside each other that take the inputs of all tiles. */
static uint64_t arrays_across(const aim_energy *e, int max_input_size, int in)
{
    uint64_t n = 0;
    for (int t = 0; t < aim_tile_count(in, max_input_size); t++)
        n += divide_up(aim_tile_span_of(in, max_input_size, t).width, e->rows);
    return n;
}

aim_chip_cost aim_energy_of_layer(const aim_energy *e, int max_input_size, int out, int in)
{
    aim_chip_cost cost = {0};
    if (e->rows <= 0 || e->columns <= 0)
        return cost;
    uint64_t across = arrays_across(e, max_input_size, in), along = divide_up(out, e->columns);
    cost.mvms = across * along;
    /* Inputs go to each of the arrays beside each other, outputs come from each of
     * those on top of each other. */
    cost.dac_conversions = along * (uint64_t)in;
    cost.adc_conversions = across * (uint64_t)out;
    cost.joule = (double)cost.mvms * e->mvm_joule + (double)cost.dac_conversions * e->dac_joule +
                 (double)cost.adc_conversions * e->adc_joule;
    return cost;
}

void aim_chip_cost_add(aim_chip_cost *sum, const aim_chip_cost *cost, uint64_t times)
{
    sum->mvms += times * cost->mvms;
    sum->dac_conversions += times * cost->dac_conversions;
    sum->adc_conversions += times * cost->adc_conversions;
    sum->joule += (double)times * cost->joule;
    sum->seconds += (double)times * cost->seconds;
}
