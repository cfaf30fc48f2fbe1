/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/step.h"

#include "base/alloc.h"
#include "base/cpu.h"
#include "engine/deliver.h"
#include "engine/engine_impl.h"

#include <string.h>

/* One token to choose, or one token of a prompt to score. */
typedef struct pick {
    aim_sequence *q;
    const float *logits;
    aim_event *event; /* of the token, to fill; NULL when out of memory */
    int score;        /* > 0: index of the prompt token to score */
    int32_t token;
} pick;

struct aim_stepper {
    const aim_decoder *decoder;
    const aim_compute *compute;
    aim_workspace *workspace;
    int outputs; /* numbers in a row of logits */
    /* The batch: [max_batch_tokens] and [logit_room]. */
    int32_t *token, *position;
    const int32_t **blocks;
    bool *long_rope;
    aim_row_noise *noise;
    int *logit_rows;
    pick *picks; /* [logit_room + max_sequences] */
    int n_picks;
    unsigned char *scratch; /* of the sampler, one slice a thread */
    size_t scratch_slice, scratch_bytes;
};

/* Rows with logits in one step: one a sequence, and prompt rows to score. */
static int logit_room(const aim_engine_config *c, int outputs)
{
    return c->max_sequences + aim__engine_score_rows(c, outputs);
}

static size_t picks_room(const aim_engine_config *c, int outputs)
{
    return (size_t)logit_room(c, outputs) + (size_t)c->max_sequences;
}

static size_t scratch_slice(int outputs)
{
    return (aim_sampler_scratch(outputs) + 63) / 64 * 64;
}

size_t aim__stepper_need(const aim_engine_config *c, const aim_hf_config *model,
                         const aim_backend *backend, const aim_chip *chip)
{
    const aim_stepper *st;
    int threads = aim__engine_threads(c), outputs = aim_hf_config_outputs(model);
    int logits = logit_room(c, outputs);
    size_t a_row = sizeof *st->token + sizeof *st->position + sizeof *st->blocks +
                   sizeof *st->long_rope + sizeof *st->noise;
    size_t own = scratch_slice(outputs) * (size_t)threads + (size_t)c->max_batch_tokens * a_row +
                 (size_t)logits * sizeof *st->logit_rows +
                 picks_room(c, outputs) * sizeof *st->picks;
    return aim_add_saturating(
        aim_workspace_need(model, backend, chip, c->max_batch_tokens, logits, threads), own);
}

static bool allocate(aim_stepper *st, const aim_engine_config *c, aim_error *err)
{
    size_t rows = (size_t)c->max_batch_tokens;
    st->scratch_slice = scratch_slice(st->outputs);
    st->scratch_bytes = st->scratch_slice * (size_t)aim_pool_threads(st->compute->pool);
    st->token = aim_array(rows, sizeof *st->token);
    st->position = aim_array(rows, sizeof *st->position);
    st->blocks = aim_array(rows, sizeof *st->blocks);
    st->long_rope = aim_array(rows, sizeof *st->long_rope);
    st->noise = aim_array(rows, sizeof *st->noise);
    st->logit_rows = aim_array((size_t)logit_room(c, st->outputs), sizeof *st->logit_rows);
    st->picks = aim_array(picks_room(c, st->outputs), sizeof *st->picks);
    st->scratch = aim_big_alloc(st->scratch_bytes);
    if (st->token && st->position && st->blocks && st->long_rope && st->noise && st->logit_rows &&
        st->picks && st->scratch)
        return true;
    aim_fail_nomem(err, "engine");
    return false;
}

aim_stepper *aim__stepper_new(const aim_engine_config *config, const aim_decoder *decoder,
                              const aim_compute *compute, aim_error *err)
{
    aim_stepper *st = aim_calloc(1, sizeof *st);
    if (!st) {
        aim_fail_nomem(err, "engine");
        return NULL;
    }
    st->decoder = decoder;
    st->compute = compute;
    st->outputs = aim_decoder_outputs(decoder);
    if (allocate(st, config, err))
        st->workspace = aim_workspace_new(decoder, config->max_batch_tokens,
                                          logit_room(config, st->outputs), compute, err);
    if (st->workspace)
        return st;
    aim__stepper_free(st);
    return NULL;
}

void aim__stepper_free(aim_stepper *st)
{
    if (!st)
        return;
    aim_workspace_free(st->workspace);
    aim_big_free(st->scratch, st->scratch_bytes);
    aim_free(st->picks);
    aim_free(st->logit_rows);
    aim_free(st->noise);
    aim_free(st->long_rope);
    aim_free(st->blocks);
    aim_free(st->position);
    aim_free(st->token);
    aim_free(st);
}

/* ---- the batch ------------------------------------------------------------ */

static void add_rows(aim_stepper *st, aim_batch *b, const aim_sequence *q)
{
    const aim_group *g = q->group;
    int wanted = g->scored, end = wanted + aim__sequence_wanted(q, q->step_rows);
    for (int i = 0; i < q->step_rows; i++) {
        int position = q->computed + i, row = b->n_rows++;
        st->token[row] = q->tokens[position];
        st->position[row] = position;
        st->blocks[row] = q->table;
        st->long_rope[row] = q->long_rope;
        st->noise[row] = aim__sequence_noise(q, position);
        bool scored = wanted < end && position == aim__request_wanted_row(g->request, wanted);
        bool chooses = position == q->n_tokens - 1 && g->request->max_tokens > 0;
        if (scored || chooses)
            st->logit_rows[b->n_logits++] = row;
        wanted += scored;
    }
}

static aim_batch make_batch(aim_stepper *st, const aim_scheduler *s)
{
    aim_batch b = {.token = st->token,
                   .position = st->position,
                   .blocks = st->blocks,
                   .long_rope = st->long_rope,
                   .logit_rows = st->logit_rows};
    if (aim_decoder_has_read_noise(st->decoder))
        b.noise = st->noise;
    for (const aim_sequence *q = s->running.head; q; q = q->next)
        add_rows(st, &b, q);
    return b;
}

/* ---- who gets a token ------------------------------------------------------ */

static void add_pick(aim_stepper *st, aim_sequence *q, const float *logits)
{
    pick *p = &st->picks[st->n_picks++];
    *p = (pick){.q = q, .logits = logits};
    p->event = aim__token_event(q);
}

static void copy_scores(aim_group *g, const float *logits)
{
    const aim_request *r = g->request;
    float *scores = g->scores + (size_t)g->scored * (size_t)g->score_width;
    for (int i = 0; i < g->score_width; i++)
        scores[i] = logits[r->n_score_ids > 0 ? r->score_ids[i] : i];
}

/* The next n prompt rows whose logits were wanted have them. */
static void add_scores(aim_stepper *st, aim_sequence *q, const float *logits, int n)
{
    aim_group *g = q->group;
    for (int i = 0; i < n; i++, g->scored++, logits += st->outputs)
        if (g->scores)
            copy_scores(g, logits);
        else
            st->picks[st->n_picks++] = (pick){.q = q, .logits = logits, .score = g->scored + 1};
}

static void pick_candidates(aim_stepper *st, aim_scheduler *s, aim_sequence *leader,
                            const float *logits)
{
    aim_group *g = leader->group;
    aim__scheduler_fork(s, leader);
    for (int i = 0; i < g->request->n; i++) {
        aim_sequence *q = &g->sequences[i];
        if (q->state == AIM_SEQ_RUNNING && q->computed == q->n_tokens)
            add_pick(st, q, logits);
    }
}

/* Rows [computed, computed + step_rows) of q are in the cache now; logits are
 * those of its logit rows. */
static void advance(aim_stepper *st, aim_scheduler *s, aim_sequence *q, const float *logits)
{
    int scores = aim__sequence_wanted(q, q->step_rows);
    add_scores(st, q, logits, scores);
    q->computed += q->step_rows;
    q->step_rows = 0;
    aim__sequence_register(q, s->kv);
    if (q->computed < q->n_tokens || q->group->request->max_tokens == 0)
        return;
    const float *last = logits + (size_t)scores * (size_t)st->outputs;
    if (q->group->prompt_done)
        add_pick(st, q, last);
    else
        pick_candidates(st, s, q, last);
}

static void advance_all(aim_stepper *st, aim_scheduler *s, const float *logits)
{
    st->n_picks = 0;
    /* Candidates forked meanwhile are behind the end and have no rows. */
    for (aim_sequence *q = s->running.head; q; q = q->next) {
        if (q->step_rows == 0)
            continue;
        int n_logits = aim__step_logits(q);
        advance(st, s, q, logits);
        logits += (size_t)n_logits * (size_t)st->outputs;
    }
}

/* ---- choosing, in parallel -------------------------------------------------- */

static void score_prompt(aim_stepper *st, const pick *p, void *scratch)
{
    aim_group *g = p->q->group;
    int i = p->score, n_top = g->request->prompt_logprobs;
    aim_logprobs(st->compute->kernels, p->logits, st->outputs, g->request->tokens[i], n_top,
                 &g->prompt_logprob[i], &g->prompt_rank[i],
                 g->prompt_top + (size_t)i * (size_t)n_top, scratch);
}

static void choose(aim_stepper *st, pick *p, void *scratch)
{
    const aim_request *r = p->q->group->request;
    const aim_hf_config *config = aim_decoder_config(st->decoder);
    aim_sample_input in = {.kernels = st->compute->kernels,
                           .logits = p->logits,
                           .vocab = st->outputs,
                           .params = &r->sampling,
                           .tokens = p->q->tokens,
                           .n_prompt = aim__request_prompt(r),
                           .n_tokens = p->q->n_tokens,
                           .eos = config->eos,
                           .n_eos = config->n_eos,
                           .seed = p->q->seed,
                           .scratch = scratch};
    p->token = aim_sample(&in);
    if (p->event && r->logprobs >= 0)
        aim_logprobs(st->compute->kernels, p->logits, st->outputs, p->token, r->logprobs,
                     &p->event->logprob, &p->event->rank, p->event->top, scratch);
    if (p->event && r->self_certainty)
        p->event->certainty = aim_self_certainty(st->compute->kernels, p->logits, st->outputs);
}

static void pick_task(void *arg, int task, int worker)
{
    aim_stepper *st = arg;
    pick *p = &st->picks[task];
    void *scratch = st->scratch + (size_t)worker * st->scratch_slice;
    if (p->score > 0)
        score_prompt(st, p, scratch);
    else
        choose(st, p, scratch);
}

/* ---- telling ----------------------------------------------------------------- */

static void announce_prompts(aim_scheduler *s, aim_event_list *events, aim_step_times *times)
{
    for (aim_group *g = s->live.head; g; g = g->next) {
        aim_sequence *leader = &g->sequences[0];
        if (g->prompt_done || g->alive == 0 || leader->computed < g->request->n_tokens)
            continue;
        g->prompt_done = true;
        times->prompt_tokens += (uint64_t)g->request->n_tokens;
        times->scored_positions += (uint64_t)g->request->n_scores;
        aim__deliver_prompt(s, g, events);
    }
}

static void deliver_all(aim_stepper *st, aim_scheduler *s, aim_event_list *events,
                        aim_step_times *times)
{
    for (int i = 0; i < st->n_picks; i++) {
        pick *p = &st->picks[i];
        if (p->score > 0)
            continue;
        times->generated_tokens++;
        if (p->q->state == AIM_SEQ_ENDED) /* failed when its prompt was announced */
            aim_event_free(p->event);
        else
            aim__deliver_token(s, aim_decoder_config(st->decoder), p->q, p->token, p->event,
                               events);
    }
}

void aim__stepper_run(aim_stepper *st, aim_scheduler *s, _Atomic uint64_t *heartbeat,
                      aim_event_list *events, aim_step_times *times)
{
    uint64_t start = aim_now_ns();
    aim_batch b = make_batch(st, s);
    const float *logits =
        aim_decoder_forward(st->decoder, st->workspace, s->kv, st->compute, &b, heartbeat);
    uint64_t forward_done = aim_now_ns();
    times->rows += (uint64_t)b.n_rows;
    times->head_rows += (uint64_t)b.n_logits;
    advance_all(st, s, logits);
    aim_pool_run(st->compute->pool, pick_task, st, st->n_picks);
    announce_prompts(s, events, times);
    deliver_all(st, s, events, times);
    times->forward_ns += forward_done - start;
    times->sample_ns += aim_now_ns() - forward_done;
}
