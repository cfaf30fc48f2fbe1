/* SPDX-License-Identifier: Apache-2.0 */
/* analog_linear.h - a linear layer of the backends "analog" and "int4": the arithmetic of
 * analog/integer_linear.h, by the kernels that also serve int8.
 *
 * The parts of a layer stand on tiles of their own, since each has its own ranges,
 * bounds and noise. What the tiles are driven with they share, where ranges are
 * equal. */
#ifndef AIM_MODEL_ANALOG_LINEAR_H
#define AIM_MODEL_ANALOG_LINEAR_H

#include "analog/tile_split.h"
#include "model/backend.h"

/* Inputs behind a DAC. */
typedef struct aim__tile_inputs {
    aim_tile_span span;
    float range, step;   /* of a fixed range; 0: it follows each row */
    int padded;          /* codes of a row, and the zeros behind them */
    size_t codes_before; /* codes of a row of the inputs listed before these */
} aim__tile_inputs;

/* One tile of a part. Arrays are [w.n_panels * 16], as aim_adc has them; NULL: not
 * needed. */
typedef struct aim__tile {
    aim_packed w;
    int inputs; /* index of what drives it */
    float *full_scale, *step, *largest, *gain;
} aim__tile;

typedef struct aim__tile_part {
    aim_tiling tiling;
    aim__tile *tile;                         /* [tiling.tiles] */
    int first_output, first_panel, n_panels; /* among those of the layer */
    unsigned char *memory;                   /* behind the tiles */
    size_t bytes;
} aim__tile_part;

struct aim_linear {
    const aim_chip *chip;       /* outlives the layer */
    const aim_profile *profile; /* of it */
    aim_linear_shape shape;
    int layer; /* number of the first part */
    enum aim_adc_kind adc;
    aim__tile_part part[AIM_MAX_PARTS];
    int n_panels;
    aim__tile_inputs *inputs; /* [n_inputs] */
    int n_inputs;
    size_t row_codes; /* codes of a row of all inputs */
};

/* One product, as its tasks see it. */
typedef struct aim__tile_call {
    const aim_linear *l;
    const aim_kernels *kernels;
    int rows;
    const aim_row_noise *noise; /* [rows]; NULL: none */
    const aim_output *out;
    /* In the scratch: */
    int8_t *codes;                /* of each of the inputs [rows, padded] */
    float *range, *step, *factor; /* [n_inputs, rows]; factor = range * out_bound */
    float *noise_sums;            /* [rows, n_panels * 16] of a tile at a time */
    int panels_a_task;
} aim__tile_call;

/* Panels of 16 channels, [first, end). */
typedef struct aim__panel_range {
    int first, end;
} aim__panel_range;

size_t aim__tile_scratch(const aim_chip *chip, const aim_linear_shape *shape, int max_rows,
                         int threads);
aim__tile_call aim__tile_call_of(const aim_linear *l, const aim_compute *c, int rows,
                                 const aim_row_noise *noise, const aim_output *out, void *scratch);
/* What stands behind the channels of a tile. */
aim_adc aim__tile_adc(const aim__tile_call *call, const aim__tile_part *part, int tile);
/* Some panels of a part through one of its tiles and an ADC to `out`, which begins at the
 * part's first channel, with the noise of this read. */
void aim__tile_multiply(const aim__tile_call *call, const aim__tile_part *part, int tile,
                        aim__panel_range panels, const aim_adc *adc, const aim_output *out);

/* Cut the panels of all parts into tasks, and run fn(arg, task, worker) for each. */
void aim__tile_run(aim__tile_call *call, aim_pool *pool, aim_task_fn *fn, void *arg);
/* Panels of a part that belong to a task: none, if end is not above first. */
aim__panel_range aim__tile_task(const aim__tile_call *call, const aim__tile_part *part, int task);

/* As of aim_backend. */
aim_linear *aim__analog_load(const aim_compute *c, const aim_linear_source *source, aim_error *err);
void aim__analog_free(aim_linear *l);
size_t aim__analog_bytes(const aim_linear *l);
size_t aim__analog_load_bytes(const aim_chip *chip, const aim_linear_shape *shape);
aim_tiling aim__analog_tiling(const aim_linear *l, int part);
void aim__analog_convert_row(const aim_linear *l, const aim_compute *c, const float *x, int row,
                             int rows, void *scratch);
void aim__analog_multiply(const aim_linear *l, const aim_compute *c, const float *x, int rows,
                          const aim_row_noise *noise, const aim_output *out, void *scratch);
int aim__analog_count_limits(const aim_linear *l, const aim_compute *c, const float *x, int rows,
                             const aim_row_noise *noise, aim_converter_counts *counts,
                             aim_error *err);

#endif
