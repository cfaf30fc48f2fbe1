/* SPDX-License-Identifier: Apache-2.0 */
/* decoder.h - the decoder of the Llama family and its relatives, by the switches
 * of the configuration: token ids in, logits out.
 *
 * Threading: a decoder is immutable after load; a workspace belongs to one
 * engine thread, which calls forward. */
#ifndef AIM_MODEL_DECODER_H
#define AIM_MODEL_DECODER_H

#include "checkpoint/hf_config.h"
#include "model/backend.h"
#include "model/kv_cache.h"

typedef struct aim_decoder aim_decoder;

/* progress (may be NULL) is told the share done, 0..1, from the loading thread. */
typedef void aim_progress_fn(void *arg, double done);

/* Load the weights of checkpoint c as config describes. The checkpoint must
 * stay open while the decoder lives (the embedding table is read from it). chip: what
 * they are programmed on, for backends on tiles; else NULL. It is copied. */
aim_decoder *aim_decoder_load(const aim_hf_config *config, const aim_checkpoint *c,
                              const aim_backend *backend, const aim_chip *chip,
                              const aim_compute *compute, aim_progress_fn *progress, void *arg,
                              aim_error *err);
/* Random weights of the given shape, for benchmarks. */
aim_decoder *aim_decoder_random(const aim_hf_config *config, const aim_backend *backend,
                                const aim_chip *chip, const aim_compute *compute, uint64_t seed,
                                aim_error *err);
void aim_decoder_free(aim_decoder *d); /* NULL is fine */

/* Before loading: the bytes that the weights will take in memory, and what programming
 * the largest layer of a chip takes for a moment. The embedding
 * table is not among them: its rows are read from the mapped file. */
size_t aim_decoder_load_bytes(const aim_hf_config *config, const aim_backend *backend,
                              const aim_chip *chip);
/* Parameters of a model: what is shared by embedding and head counts once. */
size_t aim_hf_config_parameters(const aim_hf_config *config);
/* Numbers in a row of logits: the vocabulary, or the outputs of a reward head. */
int aim_hf_config_outputs(const aim_hf_config *config);
aim_kv_shape aim_hf_config_kv_shape(const aim_hf_config *config, const aim_backend *backend);

const aim_hf_config *aim_decoder_config(const aim_decoder *d);
const aim_backend *aim_decoder_backend(const aim_decoder *d);
aim_kv_shape aim_decoder_kv_shape(const aim_decoder *d);
/* As aim_hf_config_outputs. */
int aim_decoder_outputs(const aim_decoder *d);
/* Bytes of weights one decode step reads (the head included). */
size_t aim_decoder_weight_bytes(const aim_decoder *d);
/* Multiply-adds of the linear layers for one row, without and with lm_head or the head of
 * a reward model. */
size_t aim_decoder_macs(const aim_decoder *d, bool with_head);
/* Does the checkpoint hold all tensors that aim_decoder_load asks for, in the right
 * shapes, and no others, and do learned and calibrated input ranges suit the tiles? The
 * values of weights are not looked at. */
int aim_decoder_check(const aim_hf_config *config, const aim_checkpoint *c,
                      const aim_backend *backend, const aim_chip *chip, aim_error *err);

/* Linear layers (query, key and value apart, where the checkpoint has them so)
 * that came with learned input ranges: more than 0 in checkpoints trained for
 * analog hardware. */
int aim_decoder_learned_ranges(const aim_decoder *d);

/* ---- the chip ------------------------------------------------------------------- */

/* What the layers on tiles stand on; NULL: there are none. Of the backend int4 it is no
 * chip but what analog/digital_profile.h leaves of one. */
const aim_chip *aim_decoder_chip(const aim_decoder *d);
/* Does every row need its own noise (aim_batch.noise)? */
bool aim_decoder_has_read_noise(const aim_decoder *d);
/* "learned", "calibrated", "dynamic" or "none"; constant. */
const char *aim_range_source_name(enum aim_range_source source);
/* Where the ranges of the inputs of its tiles come from: "learned", "calibrated",
 * "dynamic", "mixed" or "none" (no layers on tiles, or inputs without a limit). */
const char *aim_decoder_range_source(const aim_decoder *d);
/* Linear layers, parts counted apart, whose inputs have a dynamic range although the
 * profile wants fixed ones: neither the checkpoint nor a calibration has them. */
int aim_decoder_missing_ranges(const aim_decoder *d);
/* What the chip takes for so many rows through the blocks and through lm_head; zeros
 * if digital. Layers off the tiles do not count, and reward heads are never on them. Per row the
 * stages of a block are query, key and value together, o, gate and up together, down. */
aim_chip_cost aim_decoder_chip_cost(const aim_decoder *d, uint64_t rows, uint64_t head_rows);

enum { AIM_LINEAR_NAME = 48 };
/* The name of a linear layer by its number (analog/chip.h), such as
 * "layers.3.down_proj", "layers.0.qkv_proj" of families that store it so, "lm_head". */
void aim_linear_name(const aim_hf_config *config, int number, char name[AIM_LINEAR_NAME]);

/* ---- running -------------------------------------------------------------------- */

/* Must a sequence of so many tokens, the next one's row not counted, be computed
 * with the rotary factors for long sequences? All its rows then are: those of a
 * sequence that grows beyond this length are no longer of use. */
bool aim_decoder_long_rope(const aim_hf_config *config, int n_tokens);

/* One flat batch: rows of any number of sequences, in any order, but the rows
 * of one sequence in order of position. Row r is token[r] at position[r] of the
 * sequence with block table blocks[r]; its keys and values are written to the
 * cache first, then it attends to positions [0, position[r]], or the last of them
 * in layers with a sliding window. */
typedef struct aim_batch {
    int n_rows;
    const int32_t *token;
    const int32_t *position;
    const int32_t *const *blocks;
    const bool *long_rope;      /* as aim_decoder_long_rope has it; NULL: none */
    const aim_row_noise *noise; /* NULL: a model without read noise, or none is wanted */
    int n_logits;               /* rows whose logits are wanted ... */
    const int *logit_rows;      /* ... ascending row numbers */
} aim_batch;

typedef struct aim_workspace aim_workspace;
/* Room for batches of at most max_rows rows and max_logits logit rows. */
aim_workspace *aim_workspace_new(const aim_decoder *d, int max_rows, int max_logits,
                                 const aim_compute *compute, aim_error *err);
/* The bytes that aim_workspace_new will take, SIZE_MAX if they cannot be counted. */
size_t aim_workspace_need(const aim_hf_config *config, const aim_backend *backend,
                          const aim_chip *chip, int max_rows, int max_logits, int threads);
void aim_workspace_free(aim_workspace *w);
size_t aim_workspace_bytes(const aim_workspace *w);

/* Returns logits [n_logits, outputs], valid until the next call. heartbeat (may
 * be NULL) is incremented once a layer: the watchdog reads it. */
const float *aim_decoder_forward(const aim_decoder *d, aim_workspace *w, aim_kv_cache *kv,
                                 const aim_compute *c, const aim_batch *batch,
                                 _Atomic uint64_t *heartbeat);

#endif
