/* SPDX-License-Identifier: Apache-2.0 */
/* submit.c - what other threads ask of the engine: the queue in front of it,
 * signals to what is under way, and its figures. */
#include "engine/engine_impl.h"

#include "base/alloc.h"
#include "base/cpu.h"

int aim_engine_check_room(aim_engine *e, int requests, aim_error *err)
{
    pthread_mutex_lock(&e->lock);
    int queued = e->queued;
    pthread_mutex_unlock(&e->lock);
    if (queued + requests > e->config.max_queue)
        return aim_fail(err, AIM_EBUSY, "the queue is full (%d waiting)", queued);
    return AIM_OK;
}

int aim__check_tokens(const int32_t *tokens, int n, int vocab, aim_error *err)
{
    for (int i = 0; i < n; i++)
        if (tokens[i] < 0 || tokens[i] >= vocab)
            return aim_fail(err, AIM_EINVAL, "token id %d is outside the vocabulary of %d",
                            tokens[i], vocab);
    return AIM_OK;
}

/* Shared blocks, and for each candidate its tail and a private copy of the block where
 * both meet. answered: tokens at the end of n_tokens that are of the answer. */
static int64_t most_in_cache(const aim_engine *e, int n_tokens, int answered, int longest)
{
    bool read_noise = aim_decoder_has_read_noise(e->decoder);
    int shared = (read_noise ? n_tokens - answered : n_tokens) / AIM_KV_BLOCK;
    int64_t tail = aim_kv_blocks_for(longest) - shared, rest = e->config.kv_blocks - shared;
    if (rest < 0)
        return 0;
    return tail > 0 ? rest / tail : INT32_MAX;
}

static bool fits_cache(const aim_engine *e, const aim_request *r)
{
    return r->n <= most_in_cache(e, r->n_tokens, r->n_answered, aim__request_max_tokens(r));
}

int aim_engine_most_candidates(const aim_engine *e, int n_tokens, int n_answered, int max_tokens)
{
    aim_request r = {.n_tokens = n_tokens, .n_answered = n_answered, .max_tokens = max_tokens};
    int64_t most = most_in_cache(e, n_tokens, n_answered, aim__request_max_tokens(&r));
    return most < e->config.max_sequences ? (int)most : e->config.max_sequences;
}

/* What an answer that was interrupted goes on from, and where it is interrupted next. */
static int check_segment(const aim_request *r, aim_error *err)
{
    if (r->first_candidate < 0 || r->first_candidate > INT32_MAX - r->n)
        return aim_fail(err, AIM_EINVAL, "first_candidate is %d", r->first_candidate);
    if (r->n_answered < 0 || r->n_answered >= r->n_tokens)
        return aim_fail(err, AIM_EINVAL, "%d of %d tokens are said to be answered", r->n_answered,
                        r->n_tokens);
    if (r->n_answered > 0 && r->n_answered >= r->max_tokens)
        return aim_fail(err, AIM_EINVAL, "%d tokens are answered already, but max_tokens is %d",
                        r->n_answered, r->max_tokens);
    if (r->segment_tokens < 0)
        return aim_fail(err, AIM_EINVAL, "segment_tokens is %d", r->segment_tokens);
    if (r->separator && r->separator[0] == '\0')
        return aim_fail(err, AIM_EINVAL, "the separator is empty");
    return AIM_OK;
}

/* Scores of one request, as many as fit 64 MiB: what is told at once. */
enum { MAX_SCORES = (64 << 20) / sizeof(float) };

static int check_positions(const aim_request *r, aim_error *err)
{
    for (int i = 0; i < r->n_scores; i++) {
        int least = i == 0 ? 0 : r->score_at[i - 1] + 1;
        if (r->score_at[i] < least || r->score_at[i] >= r->n_tokens)
            return aim_fail(err, AIM_EINVAL,
                            "score position %d is %d, but must be at least %d and below %d", i,
                            r->score_at[i], least, r->n_tokens);
    }
    return AIM_OK;
}

static int check_scores(const aim_request *r, int outputs, aim_error *err)
{
    if (r->n_scores < 0 || r->n_scores > r->n_tokens || (r->n_scores > 0) != (r->score_at != NULL))
        return aim_fail(err, AIM_EINVAL, "%d score positions of %d tokens", r->n_scores,
                        r->n_tokens);
    if (r->n_scores > 0 && (r->max_tokens > 0 || r->prompt_logprobs >= 0))
        return aim_fail(err, AIM_EINVAL, "scores come without tokens and prompt logprobs");
    if (r->n_score_ids < 0 || r->n_score_ids > AIM_MAX_SCORE_IDS)
        return aim_fail(err, AIM_EINVAL,
                        "%d outputs to tell of each score, at most %d are possible", r->n_score_ids,
                        AIM_MAX_SCORE_IDS);
    for (int i = 0; i < r->n_score_ids; i++)
        if (r->score_ids[i] < 0 || r->score_ids[i] >= outputs)
            return aim_fail(err, AIM_EINVAL, "output %d to tell of each score, the model has %d",
                            r->score_ids[i], outputs);
    if (r->n_scores > MAX_SCORES / aim__request_score_width(r, outputs))
        return aim_fail(err, AIM_EINVAL, "%d positions of %d outputs are too many", r->n_scores,
                        aim__request_score_width(r, outputs));
    return check_positions(r, err);
}

static int check_head(const aim_engine *e, const aim_request *r, aim_error *err)
{
    bool language = aim_decoder_config(e->decoder)->head == AIM_HEAD_LANGUAGE;
    if (!language && (r->max_tokens > 0 || r->prompt_logprobs >= 0))
        return aim_fail(err, AIM_EUNSUPPORTED,
                        "the model gives rewards: it has no tokens to choose from");
    return check_scores(r, aim_decoder_outputs(e->decoder), err);
}

static int check_request(const aim_engine *e, const aim_request *r, aim_error *err)
{
    const aim_engine_config *c = &e->config;
    if (r->n_tokens < 1)
        return aim_fail(err, AIM_EINVAL, "the prompt is empty");
    if (r->n < 1 || r->n > c->max_sequences)
        return aim_fail(err, AIM_EINVAL, "%d candidates, but at most %d sequences run at once",
                        r->n, c->max_sequences);
    int code = check_segment(r, err);
    if (code == AIM_OK)
        code = check_head(e, r, err);
    if (code != AIM_OK)
        return code;
    int prompt = aim__request_prompt(r);
    if (prompt > c->max_context || r->max_tokens > c->max_context - prompt)
        return aim_fail(err, AIM_ECONTEXT,
                        "the prompt has %d tokens and max_tokens is %d, together more than the "
                        "context of %d",
                        prompt, r->max_tokens, c->max_context);
    int vocab = aim_decoder_config(e->decoder)->vocab;
    if (r->logprobs > vocab || r->prompt_logprobs > vocab)
        return aim_fail(err, AIM_EINVAL, "more logprobs than the vocabulary of %d has tokens",
                        vocab);
    if (!fits_cache(e, r))
        return aim_fail(err, AIM_EINVAL,
                        "%d candidates of %d + %d tokens do not fit the KV cache of %d tokens",
                        r->n, prompt, r->max_tokens, c->kv_blocks * AIM_KV_BLOCK);
    return aim__check_tokens(r->tokens, r->n_tokens, vocab, err);
}

static bool all_urgent(aim_request *const *requests, int n)
{
    bool urgent = true;
    for (int i = 0; i < n; i++)
        urgent &= requests[i]->urgent;
    return urgent;
}

static void free_groups(aim_group *g)
{
    for (aim_group *next; g; g = next) {
        next = g->next;
        aim__group_free(g);
    }
}

/* Requests [0, n) as a list of groups; takes all of them over. */
static aim_group *make_groups(aim_engine *e, aim_request **requests, int n, aim_error *err)
{
    aim_submission *submission = aim_malloc(sizeof *submission);
    aim_group *head = NULL, **tail = &head;
    bool ok = submission;
    if (ok)
        *submission =
            (aim_submission){.queued = !all_urgent(requests, n), .waiting = n, .alive = n};
    for (int i = 0; i < n; i++) {
        aim_group *g = NULL;
        if (ok)
            g = aim__group_new(requests[i], e->tokenizer, e->token_room, e->decoder);
        else
            aim_request_free(requests[i]);
        ok = g;
        if (!g)
            continue;
        g->submitted_ns = aim_now_ns();
        *tail = g;
        tail = &g->next;
    }
    if (ok) {
        for (aim_group *g = head; g; g = g->next)
            g->submission = submission;
        return head;
    }
    free_groups(head);
    aim_free(submission);
    aim_fail_nomem(err, "request");
    return NULL;
}

/* Under the lock: append the groups of one submission, or say why not. */
static int enqueue(aim_engine *e, aim_group *groups, aim_error *err)
{
    if (e->stop)
        return aim_fail(err, AIM_EUNAVAILABLE, "the engine is stopping");
    bool queued = groups->submission->queued;
    if (queued && e->queued >= e->config.max_queue)
        return aim_fail(err, AIM_EBUSY, "the queue is full (%d waiting)", e->queued);
    e->queued += queued;
    groups->submission->serial = ++e->serial;
    *e->incoming_tail = groups;
    for (; groups; groups = groups->next)
        e->incoming_tail = &groups->next;
    pthread_cond_signal(&e->wake);
    return AIM_OK;
}

int aim_engine_submit(aim_engine *e, aim_request **requests, int n, aim_error *err)
{
    aim_error own = {0};
    err = err ? err : &own;
    int code = AIM_OK;
    for (int i = 0; i < n && code == AIM_OK; i++)
        code = check_request(e, requests[i], err);
    if (code != AIM_OK) {
        for (int i = 0; i < n; i++)
            aim_request_free(requests[i]);
        return code;
    }
    aim_group *groups = make_groups(e, requests, n, err);
    if (!groups)
        return (int)err->code;
    pthread_mutex_lock(&e->lock);
    code = enqueue(e, groups, err);
    pthread_mutex_unlock(&e->lock);
    if (code != AIM_OK)
        free_groups(groups);
    return code;
}

static bool replaces(const aim_signal *old, enum aim_signal_kind kind, const void *user)
{
    return old->user == user && (old->kind == AIM_SIGNAL_CANCEL) == (kind == AIM_SIGNAL_CANCEL);
}

/* Without memory a signal is lost: a cancelled answer then runs to its end, a
 * slow reader meets the hard limit of its buffer. */
static void send_signal(aim_engine *e, enum aim_signal_kind kind, void *user)
{
    pthread_mutex_lock(&e->lock);
    size_t i = 0;
    while (i < e->n_signals && !replaces(&e->signals[i], kind, user))
        i++;
    if (aim_grow(&e->signals, &e->signals_room, i + 1, sizeof *e->signals)) {
        e->signals[i] = (aim_signal){kind, user, e->serial};
        if (i == e->n_signals)
            e->n_signals++;
    }
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->lock);
}

void aim_engine_cancel(aim_engine *e, void *user)
{
    send_signal(e, AIM_SIGNAL_CANCEL, user);
}

void aim_engine_pause(aim_engine *e, void *user, bool paused)
{
    send_signal(e, paused ? AIM_SIGNAL_PAUSE : AIM_SIGNAL_RESUME, user);
}

void aim_engine_hang(aim_engine *e)
{
    pthread_mutex_lock(&e->lock);
    e->hang = true;
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->lock);
}

void aim_engine_get_stats(aim_engine *e, aim_engine_stats *out)
{
    pthread_mutex_lock(&e->lock);
    *out = e->stats;
    pthread_mutex_unlock(&e->lock);
    out->heartbeat = atomic_load(&e->heartbeat);
}

uint64_t aim_engine_stalled_ns(aim_engine *e)
{
    uint64_t now = aim_now_ns(), beat = atomic_load(&e->heartbeat);
    pthread_mutex_lock(&e->lock);
    if (beat != e->seen_heartbeat || e->seen_at_ns == 0 || !atomic_load(&e->busy)) {
        e->seen_heartbeat = beat;
        e->seen_at_ns = now;
    }
    uint64_t stalled = now - e->seen_at_ns;
    pthread_mutex_unlock(&e->lock);
    return stalled;
}

int aim_engine_max_context(const aim_engine *e)
{
    return e->config.max_context;
}
