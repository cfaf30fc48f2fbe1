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
 * stay open while the decoder lives (the embedding table is read from it). */
aim_decoder *aim_decoder_load(const aim_hf_config *config, const aim_checkpoint *c,
                              const aim_backend *backend, const aim_compute *compute,
                              aim_progress_fn *progress, void *arg, aim_error *err);
/* Random weights of the given shape, for benchmarks. */
aim_decoder *aim_decoder_random(const aim_hf_config *config, const aim_backend *backend,
                                const aim_compute *compute, uint64_t seed, aim_error *err);
void aim_decoder_free(aim_decoder *d); /* NULL is fine */

/* Before loading: the bytes that the weights will take in memory. The embedding
 * table is not among them: its rows are read from the mapped file. */
size_t aim_decoder_load_bytes(const aim_hf_config *config, const aim_backend *backend);
/* Parameters of a model: what is shared by embedding and head counts once. */
size_t aim_hf_config_parameters(const aim_hf_config *config);
aim_kv_shape aim_hf_config_kv_shape(const aim_hf_config *config, const aim_backend *backend);

const aim_hf_config *aim_decoder_config(const aim_decoder *d);
const aim_backend *aim_decoder_backend(const aim_decoder *d);
aim_kv_shape aim_decoder_kv_shape(const aim_decoder *d);
/* Bytes of weights one decode step reads (lm_head included). */
size_t aim_decoder_weight_bytes(const aim_decoder *d);
/* Multiply-adds of the linear layers for one row, without and with lm_head. */
size_t aim_decoder_macs(const aim_decoder *d, bool with_lm_head);
/* Does the checkpoint hold all tensors that aim_decoder_load asks for, in the right
 * shapes, and no others? Their values are not looked at. */
int aim_decoder_check(const aim_hf_config *config, const aim_checkpoint *c, aim_error *err);

/* Linear layers (query, key and value apart, where the checkpoint has them so)
 * that came with learned input ranges: more than 0 in checkpoints trained for
 * analog hardware. */
int aim_decoder_learned_ranges(const aim_decoder *d);

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
    const bool *long_rope; /* as aim_decoder_long_rope has it; NULL: none */
    int n_logits;          /* rows whose logits are wanted ... */
    const int *logit_rows; /* ... ascending row numbers */
} aim_batch;

typedef struct aim_workspace aim_workspace;
/* Room for batches of at most max_rows rows and max_logits logit rows. */
aim_workspace *aim_workspace_new(const aim_decoder *d, int max_rows, int max_logits,
                                 const aim_compute *compute, aim_error *err);
/* The bytes that aim_workspace_new will take, SIZE_MAX if they cannot be counted. */
size_t aim_workspace_need(const aim_hf_config *config, const aim_backend *backend, int max_rows,
                          int max_logits, int threads);
void aim_workspace_free(aim_workspace *w);
size_t aim_workspace_bytes(const aim_workspace *w);

/* Returns logits [n_logits, vocab], valid until the next call. heartbeat (may
 * be NULL) is incremented once a layer: the watchdog reads it. */
const float *aim_decoder_forward(const aim_decoder *d, aim_workspace *w, aim_kv_cache *kv,
                                 const aim_compute *c, const aim_batch *batch,
                                 _Atomic uint64_t *heartbeat);

#endif
