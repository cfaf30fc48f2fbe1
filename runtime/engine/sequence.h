/* SPDX-License-Identifier: Apache-2.0 */
/* sequence.h - what the engine knows of work under way: a group is one prompt,
 * a sequence one of its candidates. Engine thread only. */
#ifndef AIM_ENGINE_SEQUENCE_H
#define AIM_ENGINE_SEQUENCE_H

#include "engine/engine.h"
#include "engine/event_pool.h"

typedef struct aim_group aim_group;
typedef struct aim_sequence aim_sequence;

/* Requests that came in one submit: they take one place in the queue until the
 * last of them has started. */
typedef struct aim_submission {
    bool queued;     /* takes that place: not all of them are urgent */
    int waiting;     /* groups not yet started */
    int alive;       /* groups not yet freed */
    uint64_t serial; /* counts submissions of the engine */
} aim_submission;

enum aim_sequence_state {
    AIM_SEQ_FORK,      /* waits for the first candidate to finish the prompt */
    AIM_SEQ_RUNNING,   /* holds blocks, takes part in steps */
    AIM_SEQ_PREEMPTED, /* lost its blocks, will be recomputed */
    AIM_SEQ_ENDED,
};

/* tokens[0, computed) have keys and values in the cache. A sequence whose
 * computed is n_tokens - 1 is decoding; with more to compute it is prefilling,
 * be it the first time or after preemption: there is no other difference. */
struct aim_sequence {
    aim_group *group;
    aim_sequence *next; /* in the scheduler's list */
    int candidate;      /* its number: aim_request.first_candidate + its index in the group */
    enum aim_sequence_state state;
    uint64_t seed;
    int32_t *tokens; /* prompt, then generated; room for the longest answer */
    int n_tokens, computed;
    int32_t *table; /* block numbers; room for the longest answer */
    int n_blocks, registered;
    bool long_rope; /* rows are computed as aim_decoder_long_rope has it */
    aim_detok detok;
    aim_buf held;    /* text that a stop string could still begin in */
    aim_buf segment; /* end of the text that the separator could begin with */
    aim_event *last; /* kept ready, so that the end is told even without memory */
    /* The step being made: */
    int step_rows; /* rows from position `computed` on, 0: none */
};

struct aim_group {
    aim_request *request;
    aim_submission *submission;
    aim_group *next;         /* in the scheduler's list of waiting or live groups */
    aim_sequence *sequences; /* [request->n] */
    int alive;               /* sequences not ended */
    bool paused;
    bool prompt_done; /* AIM_EVENT_PROMPT is out */
    bool read_noise;  /* the model has it: rows depend on seeds */
    uint64_t submitted_ns, started_ns;
    size_t token_room;      /* bytes of the longest token's text */
    aim_event_pool *events; /* of its tokens */
    int cached_tokens;
    int scored; /* of the prompt rows whose logits are wanted, those that were computed */
    /* Prompt logprobs, if asked for. */
    float *prompt_logprob;
    int *prompt_rank;
    aim_token_logprob *prompt_top;
    int score_width;
    float *scores; /* [request->n_scores][score_width] */
};

/* Takes over the request, also on failure. token_room: bytes of the longest token's
 * text. NULL when out of memory. */
aim_group *aim__group_new(aim_request *r, const aim_tokenizer *t, size_t token_room,
                          const aim_decoder *d);
/* What a group needs to run, taken only when it starts: many can wait. false
 * when out of memory. */
bool aim__group_allocate(aim_group *g);
void aim__group_free(aim_group *g); /* no sequence may hold blocks */
/* Bytes of n sequences with what they need to run, about: how long texts are is up to
 * the request and the tokenizer. Their tokens and block numbers are left out: of these
 * no more is touched than the cache has blocks for, which is little beside the cache. */
size_t aim__sequences_need(int n);
/* Tokens in front of the answer; those behind it were generated, be it for an earlier
 * request. */
int aim__request_prompt(const aim_request *r);
/* Longest number of tokens a sequence of this request can reach. */
int aim__request_max_tokens(const aim_request *r);
/* Prompt rows whose logits are wanted, for prompt logprobs or for scores: how many, and
 * the position of the i-th. Row i gives the logprob of token i + 1. */
int aim__request_wanted(const aim_request *r);
int aim__request_wanted_row(const aim_request *r, int i);
/* Outputs told of each position that is to be scored. */
int aim__request_score_width(const aim_request *r, int outputs);

/* Give all blocks back. */
void aim__sequence_release(aim_sequence *s, aim_kv_cache *kv);
/* Whose read noise the row at a position gets: the request's in the prompt, which
 * candidates share, and the candidate's own behind it. */
aim_row_noise aim__sequence_noise(const aim_sequence *s, int position);
/* Start from the longest cached beginning; tokens whose logits are still wanted
 * are computed anew. Returns the number of tokens found. */
int aim__sequence_match(aim_sequence *s, aim_kv_cache *kv, const aim_hf_config *model);
/* Has it grown into a length whose rotary factors are others than those its blocks
 * were computed with? It must then give them up and start again. */
bool aim__sequence_outgrown(const aim_sequence *s, const aim_hf_config *model);
/* Make positions [computed, computed + rows) writable: new blocks at the end, a
 * private copy of a shared last block. false if no block was left; what was
 * taken stays with the sequence. */
bool aim__sequence_reserve(aim_sequence *s, aim_kv_cache *kv, int rows);
/* Register the blocks that became full, unless no other request could use them. */
void aim__sequence_register(aim_sequence *s, aim_kv_cache *kv);
/* Turn s, a candidate in AIM_SEQ_FORK, into a copy of the prefilled leader. With read
 * noise rows of an answer are no candidate's but their own: s then has the prompt's blocks
 * and computes the rest. */
void aim__sequence_fork(aim_sequence *s, const aim_sequence *leader, aim_kv_cache *kv);
bool aim__sequence_wants_prompt_logits(const aim_sequence *s);
/* How many of its next rows are prompt rows whose logits are wanted. */
int aim__sequence_wanted(const aim_sequence *s, int rows);

#endif
