/* SPDX-License-Identifier: Apache-2.0 */
#include "analog/input_ranges.h"

#include "base/alloc.h"

#include <string.h>

const aim_layer_ranges *aim_input_ranges_find(const aim_input_ranges_set *set, int layer)
{
    size_t low = 0, high = set ? set->n_layers : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->layers[middle].layer < layer)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = set && low < set->n_layers && set->layers[low].layer == layer;
    return found ? &set->layers[low] : NULL;
}

float *aim_input_ranges_add(aim_input_ranges_set *set, int layer, int tiles)
{
    aim_layer_ranges *layers =
        aim_rearray(set->layers, set->n_layers + 1, sizeof *layers); /* a few hundred at most */
    if (!layers)
        return NULL;
    set->layers = layers;
    float *range = aim_calloc((size_t)tiles, sizeof *range);
    if (range)
        layers[set->n_layers++] = (aim_layer_ranges){layer, tiles, range};
    return range;
}

void aim_input_ranges_free(aim_input_ranges_set *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->n_layers; i++)
        aim_free(set->layers[i].range);
    aim_free(set->layers);
    aim_free(set);
}

aim_input_ranges_set *aim_input_ranges_copy(const aim_input_ranges_set *set)
{
    aim_input_ranges_set *copy = aim_calloc(1, sizeof *copy);
    if (copy)
        copy->origin = set->origin;
    for (size_t i = 0; copy && i < set->n_layers; i++) {
        const aim_layer_ranges *from = &set->layers[i];
        float *range = aim_input_ranges_add(copy, from->layer, from->tiles);
        if (!range) {
            aim_input_ranges_free(copy);
            return NULL;
        }
        memcpy(range, from->range, (size_t)from->tiles * sizeof *range);
    }
    return copy;
}
