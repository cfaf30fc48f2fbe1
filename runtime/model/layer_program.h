/* SPDX-License-Identifier: Apache-2.0 */
/* layer_program.h - the weights of a linear layer, read in parallel and programmed on
 * a chip (analog/program.h), handed channel by channel to what will hold them. */
#ifndef AIM_MODEL_LAYER_PROGRAM_H
#define AIM_MODEL_LAYER_PROGRAM_H

#include "analog/program.h"
#include "model/backend.h"

/* Whoever holds programmed weights: now [in] is what channel `channel` of a part is
 * read as. Called once for each, from any thread; scratch is for this call alone,
 * aligned to 64 bytes. */
typedef void aim__hold_channel_fn(void *arg, int part, int channel, const float *now,
                                  void *scratch);
typedef struct aim__weight_holder {
    aim__hold_channel_fn *hold;
    void *arg;
    size_t scratch_bytes;
} aim__weight_holder;

/* Programs of the parts, whose largest weights and gains are complete when all
 * channels are held. Release with fini, on failure too. Errors are those of
 * aim_layer_program_init and of reading weights. */
typedef struct aim__layer_program {
    aim_layer_program part[AIM_MAX_PARTS];
} aim__layer_program;

int aim__layer_program_run(aim__layer_program *p, const aim_linear_source *source,
                           const aim_compute *c, const aim__weight_holder *holder, aim_error *err);
void aim__layer_program_fini(aim__layer_program *p); /* also of a zeroed one */

#endif
