/* SPDX-License-Identifier: Apache-2.0 */
/* decoder_chip.c - what a decoder tells of the chip that it is programmed on. */
#include "model/decoder_impl.h"

#include "base/alloc.h"

#include <stdio.h>

bool aim__decoder_take_chip(aim_decoder *d, const aim_chip *chip)
{
    if (!chip)
        return true;
    d->chip = aim_malloc(sizeof *d->chip);
    if (!d->chip)
        return false;
    *d->chip = *chip;
    d->chip->ranges = chip->ranges ? aim_input_ranges_copy(chip->ranges) : NULL;
    return d->chip->ranges || !chip->ranges;
}

void aim__decoder_free_chip(aim_decoder *d)
{
    if (d->chip)
        aim_input_ranges_free((aim_input_ranges_set *)d->chip->ranges);
    aim_free(d->chip);
}

const aim_chip *aim_decoder_chip(const aim_decoder *d)
{
    return d->chip;
}

bool aim_decoder_has_read_noise(const aim_decoder *d)
{
    return d->chip && aim_profile_reads_are_noisy(&d->chip->profile);
}

/* ---- input ranges ----------------------------------------------------------------- */

/* Parts of layers on tiles, by where their ranges come from. */
struct range_count {
    int of[AIM_RANGES_CALIBRATED + 1];
    int missing;
};

static struct range_count count_ranges(const aim_decoder *d)
{
    struct range_count count = {{0}, 0};
    for (int i = 0; i < aim__decoder_projections(d); i++) {
        const aim_projection *p = aim__decoder_projection(d, i);
        for (int part = 0; p->backend->tiling && part < p->source.shape.n_parts; part++) {
            aim_tiling t = p->backend->tiling(p->linear, part);
            count.of[t.source]++;
            count.missing += t.fallback;
        }
    }
    return count;
}

const char *aim_range_source_name(enum aim_range_source source)
{
    static const char *const names[] = {[AIM_RANGES_NONE] = "none",
                                        [AIM_RANGES_DYNAMIC] = "dynamic",
                                        [AIM_RANGES_LEARNED] = "learned",
                                        [AIM_RANGES_CALIBRATED] = "calibrated"};
    return names[source];
}

const char *aim_decoder_range_source(const aim_decoder *d)
{
    struct range_count count = count_ranges(d);
    const char *name = aim_range_source_name(AIM_RANGES_NONE);
    int kinds = 0;
    for (int i = 0; i <= AIM_RANGES_CALIBRATED; i++) {
        name = count.of[i] ? aim_range_source_name(i) : name;
        kinds += count.of[i] > 0;
    }
    return kinds > 1 ? "mixed" : name;
}

int aim_decoder_missing_ranges(const aim_decoder *d)
{
    return count_ranges(d).missing;
}

/* ---- names -------------------------------------------------------------------------- */

void aim_linear_name(const aim_hf_config *config, int number, char name[AIM_LINEAR_NAME])
{
    const char *const names[AIM_LAYERS_A_BLOCK] = {
        [AIM_LAYER_Q] = config->fused_qkv ? "qkv_proj" : "q_proj",
        [AIM_LAYER_K] = "k_proj",
        [AIM_LAYER_V] = "v_proj",
        [AIM_LAYER_O] = "o_proj",
        [AIM_LAYER_GATE] = config->fused_gate_up ? "gate_up_proj" : "gate_proj",
        [AIM_LAYER_UP] = "up_proj",
        [AIM_LAYER_DOWN] = "down_proj",
    };
    if (number == aim_lm_head_number(config->layers))
        snprintf(name, AIM_LINEAR_NAME, "lm_head");
    else
        snprintf(name, AIM_LINEAR_NAME, "layers.%d.%s", number / AIM_LAYERS_A_BLOCK,
                 names[number % AIM_LAYERS_A_BLOCK]);
}
