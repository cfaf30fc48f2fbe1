/* SPDX-License-Identifier: Apache-2.0 */
/* attention_rows.h - which rows of a batch attend together.
 *
 * Rows whose block tables begin with the same blocks read the same keys and values
 * there: the rows of one prompt, the candidates of one prompt, prompts with a common
 * beginning. Rows are put into the order of their tables, so that those which share
 * follow each other, and cut into sets. Within a set it is enough to know of each row
 * how many blocks it shares with the row before it: two rows share as many as the
 * least of those behind the first up to the second. */
#ifndef AIM_MODEL_ATTENTION_ROWS_H
#define AIM_MODEL_ATTENTION_ROWS_H

#include "model/decoder.h"

typedef struct aim__attention_row {
    int row;           /* of the batch */
    int first, length; /* attends to positions [first, length) */
    int shared;        /* blocks at the beginning of its table that the row before it has too */
} aim__attention_row;

/* Rows [begin, end) of the order, which attend together. */
typedef struct aim__attention_set {
    int begin, end;
    int first, length; /* their positions lie in [first, length) */
} aim__attention_set;

/* What a set may hold; one row may always be a set. */
typedef struct aim__attention_limits {
    int rows;
    int64_t scores; /* rows times positions */
    int64_t cost;   /* as aim__attention_cost counts */
} aim__attention_limits;

/* The rows of a batch in order. window: of the layer, 0: none. rows and spare have room
 * for batch->n_rows each. */
void aim__attention_order(const aim_batch *batch, int block_tokens, int window,
                          aim__attention_row *rows, aim__attention_row *spare);

/* What a row costs: its positions, and those that no row before it has loaded for it
 * a second time, since loading one takes about as long as attending to it. */
int64_t aim__attention_cost(const aim__attention_row *row, int block_tokens);

/* Cut n rows into sets of rows that share, each with those before it, and return the
 * number of sets, which have room for n. A row that begins a set shares nothing from
 * then on. */
int aim__attention_cut(aim__attention_row *rows, int n, int block_tokens,
                       const aim__attention_limits *limits, aim__attention_set *sets);

#endif
