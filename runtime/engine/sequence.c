/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/sequence.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <string.h>

int aim__request_prompt(const aim_request *r)
{
    return r->n_tokens - r->n_answered;
}

int aim__request_max_tokens(const aim_request *r)
{
    return aim__request_prompt(r) + r->max_tokens;
}

int aim__request_wanted(const aim_request *r)
{
    return r->prompt_logprobs >= 0 ? r->n_tokens - 1 : r->n_scores;
}

int aim__request_wanted_row(const aim_request *r, int i)
{
    return r->prompt_logprobs >= 0 ? i : r->score_at[i];
}

int aim__request_score_width(const aim_request *r, int outputs)
{
    return r->n_score_ids > 0 ? r->n_score_ids : outputs;
}

static bool sequence_init(aim_sequence *s, aim_group *g, int index, const aim_tokenizer *t)
{
    const aim_request *r = g->request;
    s->group = g;
    s->candidate = r->first_candidate + index;
    s->state = index == 0 ? AIM_SEQ_RUNNING : AIM_SEQ_FORK;
    s->seed = aim_candidate_seed(r->seed, (uint32_t)r->prompt_index, (uint32_t)s->candidate);
    s->n_tokens = r->n_tokens;
    s->last = aim_calloc(1, sizeof *s->last);
    aim_detok_init(&s->detok, t, r->skip_special);
    if (r->continues)
        aim_detok_continue(&s->detok);
    return s->last;
}

aim_group *aim__group_new(aim_request *r, const aim_tokenizer *t, size_t token_room,
                          const aim_decoder *d)
{
    aim_group *g = aim_calloc(1, sizeof *g);
    if (!g) {
        aim_request_free(r);
        return NULL;
    }
    g->request = r;
    g->alive = r->n;
    g->read_noise = aim_decoder_has_read_noise(d);
    g->score_width = aim__request_score_width(r, aim_decoder_outputs(d));
    g->token_room = token_room;
    g->sequences = aim_calloc((size_t)r->n, sizeof *g->sequences);
    bool ok = g->sequences;
    for (int i = 0; ok && i < r->n; i++)
        ok = sequence_init(&g->sequences[i], g, i, t);
    if (ok)
        return g;
    aim__group_free(g);
    return NULL;
}

/* Of tokens up to 128 bytes and a stop string of 100. */
enum { USUAL_TEXT_ROOM = 512 };

/* Room for the text of a token and what was held back before: a byte can become the
 * three of a U+FFFD, and those of an unfinished character come on top. */
static size_t text_room(const aim_group *g)
{
    size_t longest = 0;
    for (size_t i = 0; i < g->request->n_stop; i++) {
        size_t n = strlen(g->request->stop[i]);
        longest = n > longest ? n : longest;
    }
    return longest + 3 * (g->token_room + sizeof g->sequences->detok.pending);
}

size_t aim__sequences_need(int n)
{
    size_t each = sizeof(aim_sequence) + sizeof(aim_event) + 2 * USUAL_TEXT_ROOM +
                  aim__event_pool_need(USUAL_TEXT_ROOM, 0);
    return (size_t)n * each;
}

static bool sequence_allocate(aim_sequence *s, const aim_request *r)
{
    int most = aim__request_max_tokens(r);
    size_t room = text_room(s->group);
    aim_buf_reserve(&s->held, room);
    aim_buf_reserve(&s->detok.run, room);
    if (r->separator)
        aim_buf_reserve(&s->segment, strlen(r->separator) + room);
    s->tokens = aim_array((size_t)most, sizeof *s->tokens);
    s->table = aim_array((size_t)aim_kv_blocks_for(most), sizeof *s->table);
    if (!s->tokens || !s->table || s->held.failed || s->detok.run.failed || s->segment.failed)
        return false;
    memcpy(s->tokens, r->tokens, (size_t)r->n_tokens * sizeof *s->tokens);
    return true;
}

static bool prompt_logprobs_allocate(aim_group *g)
{
    const aim_request *r = g->request;
    if (r->prompt_logprobs < 0)
        return true;
    size_t n = (size_t)r->n_tokens;
    g->prompt_logprob = aim_calloc(n, sizeof *g->prompt_logprob);
    g->prompt_rank = aim_calloc(n, sizeof *g->prompt_rank);
    g->prompt_top = aim_calloc(n, ((size_t)r->prompt_logprobs + 1) * sizeof *g->prompt_top);
    return g->prompt_logprob && g->prompt_rank && g->prompt_top;
}

static bool scores_allocate(aim_group *g)
{
    if (g->request->n_scores == 0)
        return true;
    g->scores =
        aim_calloc((size_t)g->request->n_scores, (size_t)g->score_width * sizeof *g->scores);
    return g->scores;
}

bool aim__group_allocate(aim_group *g)
{
    const aim_request *r = g->request;
    g->events = aim__event_pool_new(r->n, text_room(g) + 2, r->logprobs > 0 ? r->logprobs : 0);
    bool ok = g->events && prompt_logprobs_allocate(g) && scores_allocate(g);
    for (int i = 0; ok && i < r->n; i++)
        ok = sequence_allocate(&g->sequences[i], r);
    return ok;
}

void aim__group_free(aim_group *g)
{
    if (!g)
        return;
    for (int i = 0; g->sequences && i < g->request->n; i++) {
        aim_free(g->sequences[i].tokens);
        aim_free(g->sequences[i].table);
        aim_buf_free(&g->sequences[i].held);
        aim_buf_free(&g->sequences[i].segment);
        aim_detok_free(&g->sequences[i].detok);
        aim_event_free(g->sequences[i].last);
    }
    aim_free(g->sequences);
    aim__event_pool_free(g->events);
    aim_free(g->prompt_logprob);
    aim_free(g->prompt_rank);
    aim_free(g->prompt_top);
    aim_free(g->scores);
    if (g->submission && --g->submission->alive == 0)
        aim_free(g->submission);
    aim_request_free(g->request);
    aim_free(g);
}

void aim__sequence_release(aim_sequence *s, aim_kv_cache *kv)
{
    /* Last block first: the beginning of a prompt is worth keeping longest. */
    while (s->n_blocks > 0)
        aim_kv_release(kv, s->table[--s->n_blocks]);
    s->computed = s->registered = 0;
}

bool aim__sequence_wants_prompt_logits(const aim_sequence *s)
{
    const aim_group *g = s->group;
    return s == g->sequences && g->scored < aim__request_wanted(g->request);
}

int aim__sequence_wanted(const aim_sequence *s, int rows)
{
    const aim_group *g = s->group;
    if (!aim__sequence_wants_prompt_logits(s))
        return 0;
    int i = g->scored, all = aim__request_wanted(g->request);
    while (i < all && aim__request_wanted_row(g->request, i) < s->computed + rows)
        i++;
    return i - g->scored;
}

aim_row_noise aim__sequence_noise(const aim_sequence *s, int position)
{
    const aim_request *r = s->group->request;
    uint64_t seed = position < aim__request_prompt(r) ? r->seed : s->seed;
    return (aim_row_noise){.seed = seed, .position = position};
}

/* Blocks computed with other rotary factors or other read noise are never shared. */
static uint64_t prefix_salt(const aim_sequence *s)
{
    return s->group->read_noise ? s->group->request->seed : s->long_rope;
}

/* Of the first n tokens, those whose blocks the salt tells apart: with read noise at
 * most the prompt's, and none if there are rotary factors to tell apart besides. */
static int shareable_tokens(const aim_sequence *s, int n)
{
    if (!s->group->read_noise)
        return n;
    int most = s->long_rope ? 0 : aim__request_prompt(s->group->request);
    return n < most ? n : most;
}

bool aim__sequence_outgrown(const aim_sequence *s, const aim_hf_config *model)
{
    return !s->long_rope && aim_decoder_long_rope(model, s->n_tokens);
}

int aim__sequence_match(aim_sequence *s, aim_kv_cache *kv, const aim_hf_config *model)
{
    s->long_rope = aim_decoder_long_rope(model, s->n_tokens);
    /* A row whose logits are wanted must be computed. */
    const aim_group *g = s->group;
    int last_row = s->n_tokens - 1;
    if (aim__sequence_wants_prompt_logits(s))
        last_row = aim__request_wanted_row(g->request, g->scored);
    int most = shareable_tokens(s, last_row);
    s->n_blocks = aim_kv_match(kv, prefix_salt(s), s->tokens, most, s->table);
    s->registered = s->n_blocks;
    s->computed = s->n_blocks * AIM_KV_BLOCK;
    return s->computed;
}

bool aim__sequence_reserve(aim_sequence *s, aim_kv_cache *kv, int rows)
{
    int first = s->computed / AIM_KV_BLOCK;
    if (first < s->n_blocks && !aim_kv_make_writable(kv, &s->table[first]))
        return false;
    int want = aim_kv_blocks_for(s->computed + rows);
    while (s->n_blocks < want) {
        int32_t block = aim_kv_take(kv);
        if (block < 0)
            return false;
        s->table[s->n_blocks++] = block;
    }
    return true;
}

void aim__sequence_register(aim_sequence *s, aim_kv_cache *kv)
{
    int most = shareable_tokens(s, s->computed);
    for (; (s->registered + 1) * AIM_KV_BLOCK <= most; s->registered++)
        aim_kv_register(kv, prefix_salt(s), s->table, s->registered, s->tokens);
}

void aim__sequence_fork(aim_sequence *s, const aim_sequence *leader, aim_kv_cache *kv)
{
    const aim_request *r = s->group->request;
    bool alike = !s->group->read_noise || r->n_answered == 0;
    s->n_blocks = alike ? leader->n_blocks : aim__request_prompt(r) / AIM_KV_BLOCK;
    s->computed = alike ? leader->computed : s->n_blocks * AIM_KV_BLOCK;
    s->registered = leader->registered;
    memcpy(s->table, leader->table, (size_t)s->n_blocks * sizeof *s->table);
    for (int i = 0; i < s->n_blocks; i++)
        aim_kv_hold(kv, s->table[i]);
    s->long_rope = leader->long_rope;
    s->state = AIM_SEQ_RUNNING;
}
