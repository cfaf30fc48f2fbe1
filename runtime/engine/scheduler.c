/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/scheduler.h"

static void push_sequence(aim_sequence_list *l, aim_sequence *q)
{
    q->next = NULL;
    *l->tail = q;
    l->tail = &q->next;
}

static void push_group(aim_group_list *l, aim_group *g)
{
    g->next = NULL;
    *l->tail = g;
    l->tail = &g->next;
}

static aim_group *pop_group(aim_group_list *l)
{
    aim_group *g = l->head;
    l->head = g->next;
    if (!l->head)
        l->tail = &l->head;
    return g;
}

void aim__scheduler_init(aim_scheduler *s, const aim_engine_config *config,
                         const aim_hf_config *model, aim_kv_cache *kv, int score_rows)
{
    *s = (aim_scheduler){.config = config, .model = model, .kv = kv, .score_rows = score_rows};
    s->urgent.tail = &s->urgent.head;
    s->waiting.tail = &s->waiting.head;
    s->live.tail = &s->live.head;
    s->running.tail = &s->running.head;
    s->preempted.tail = &s->preempted.head;
}

void aim__scheduler_add(aim_scheduler *s, aim_group *g)
{
    push_group(g->request->urgent ? &s->urgent : &s->waiting, g);
}

/* ---- preemption ---------------------------------------------------------- */

static void unlink_sequence(aim_sequence_list *l, aim_sequence **at)
{
    *at = (*at)->next;
    if (!*at)
        l->tail = at;
}

/* The sequence that suffers least: the youngest whose reader is slow anyway,
 * else the youngest. (A paused one has no rows in the step being planned.) */
static aim_sequence *take_victim(aim_sequence_list *l)
{
    aim_sequence **victim = &l->head;
    for (aim_sequence **at = &l->head; *at; at = &(*at)->next)
        if ((*at)->group->paused || !(*victim)->group->paused)
            victim = at;
    aim_sequence *q = *victim;
    unlink_sequence(l, victim);
    return q;
}

/* The list of preempted sequences is resumed oldest first; the youngest is
 * preempted first, so the next one goes in front of it. */
static void push_front(aim_sequence_list *l, aim_sequence *q)
{
    q->next = l->head;
    l->head = q;
    if (!q->next)
        l->tail = &q->next;
}

static aim_sequence *preempt_one(aim_scheduler *s)
{
    aim_sequence *q = take_victim(&s->running);
    aim__sequence_release(q, s->kv);
    q->state = AIM_SEQ_PREEMPTED;
    q->step_rows = 0;
    push_front(&s->preempted, q);
    s->preemptions++;
    return q;
}

/* Reserve rows for q, at the cost of younger sequences, which have no rows in
 * this step yet. false if q itself had to go. */
static bool reserve(aim_scheduler *s, aim_sequence *q, int rows)
{
    while (!aim__sequence_reserve(q, s->kv, rows))
        if (preempt_one(s) == q)
            return false;
    return true;
}

static bool has_paused(const aim_sequence_list *l)
{
    const aim_sequence *q = l->head;
    while (q && !q->group->paused)
        q = q->next;
    return q;
}

/* ---- admission ------------------------------------------------------------ */

/* Blocks of the tokens so far and one more, unless nothing else runs: then there
 * is nobody to wait for. */
static bool blocks_suffice(const aim_scheduler *s, int tokens)
{
    return !s->running.head || aim_kv_available(s->kv) > aim_kv_blocks_for(tokens);
}

/* The same, at the cost of sequences whose readers are slow. */
static bool make_room(aim_scheduler *s, int tokens)
{
    while (!blocks_suffice(s, tokens)) {
        if (!has_paused(&s->running))
            return false;
        preempt_one(s);
    }
    return true;
}

static aim_sequence **first_to_resume(aim_scheduler *s)
{
    aim_sequence **at = &s->preempted.head;
    while (*at && (*at)->group->paused)
        at = &(*at)->next;
    return at;
}

static void resume_preempted(aim_scheduler *s)
{
    for (aim_sequence *q; (q = *first_to_resume(s)) && make_room(s, q->n_tokens);) {
        unlink_sequence(&s->preempted, first_to_resume(s));
        q->state = AIM_SEQ_RUNNING;
        aim__sequence_match(q, s->kv, s->model);
        push_sequence(&s->running, q);
    }
}

static bool can_start(aim_scheduler *s, const aim_group *g)
{
    return s->slots_used + g->request->n <= s->config->max_sequences &&
           make_room(s, g->request->n_tokens);
}

/* So many urgent groups start in a row while others wait: searches, whose rounds are
 * urgent, get on, and those that came to wait besides do so too. */
enum { URGENT_IN_A_ROW = 3 };

/* The list whose head is the next group, or is empty because all are. */
static aim_group_list *next_list(aim_scheduler *s)
{
    bool turn = s->waiting.head && s->passed >= URGENT_IN_A_ROW;
    return s->urgent.head && !turn ? &s->urgent : &s->waiting;
}

static aim_group *take_next(aim_scheduler *s)
{
    aim_group_list *l = next_list(s);
    s->passed = l == &s->urgent && s->waiting.head ? s->passed + 1 : 0;
    return pop_group(l);
}

/* The first sequence of the next group, or NULL if that could not start. */
static aim_sequence *start_next(aim_scheduler *s, uint64_t now_ns, aim_start_fn *start, void *arg)
{
    aim_group *g = take_next(s);
    aim_sequence *leader = &g->sequences[0];
    push_group(&s->live, g);
    s->slots_used += g->request->n;
    g->started_ns = now_ns;
    if (!start(arg, g))
        return NULL;
    g->cached_tokens = aim__sequence_match(leader, s->kv, s->model);
    s->prefix_queries += (uint64_t)leader->n_tokens;
    s->prefix_hits += (uint64_t)g->cached_tokens;
    push_sequence(&s->running, leader);
    return leader;
}

/* ---- planning a step ------------------------------------------------------ */

typedef struct budget {
    int rows;    /* rows left in the step */
    int prefill; /* of them, prompt rows */
    int score;   /* prompt rows whose logits are wanted; every sequence has room
                    for the logits of its next token besides */
} budget;

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

int aim__step_logits(const aim_sequence *q)
{
    bool last = q->computed + q->step_rows == q->n_tokens;
    bool chooses = last && q->group->request->max_tokens > 0;
    return aim__sequence_wanted(q, q->step_rows) + chooses;
}

/* Of the next `rows` rows of q, those in front of the first whose logits have no room. */
static int rows_in_score_room(const aim_sequence *q, int rows, int room)
{
    const aim_group *g = q->group;
    if (aim__sequence_wanted(q, rows) <= room)
        return rows;
    return aim__request_wanted_row(g->request, g->scored + room) - q->computed;
}

static int possible_rows(const aim_sequence *q, const budget *b)
{
    int need = q->n_tokens - q->computed;
    int rows = min_int(need, b->rows);
    if (need > 1)
        rows = min_int(rows, b->prefill);
    return rows_in_score_room(q, rows, b->score);
}

static void plan_one(aim_scheduler *s, aim_sequence *q, budget *b)
{
    q->step_rows = 0;
    int need = q->n_tokens - q->computed;
    int rows = q->group->paused ? 0 : possible_rows(q, b);
    if (rows == 0 || !reserve(s, q, rows))
        return;
    q->step_rows = rows;
    b->rows -= rows;
    if (need > 1)
        b->prefill -= rows;
    b->score -= aim__sequence_wanted(q, rows);
}

static int decoding(const aim_scheduler *s)
{
    int n = 0;
    for (const aim_sequence *q = s->running.head; q; q = q->next)
        n += !q->group->paused && q->n_tokens - q->computed == 1;
    return n;
}

/* Rows are kept back for sequences that decode, so that prompts cannot starve them. */
static int prefill_rows(const aim_scheduler *s)
{
    const aim_engine_config *c = s->config;
    int others = decoding(s), most = min_int(c->prefill_chunk, c->max_batch_tokens - others);
    if (others > 0 && c->prefill_beside > 0)
        return min_int(c->prefill_beside, most);
    return aim__pace_rows(&s->pace, others, most);
}

static void plan_running(aim_scheduler *s, budget *b)
{
    for (aim_sequence *q = s->running.head; q; q = q->next) {
        plan_one(s, q, b);
        if (q->state != AIM_SEQ_RUNNING) /* gave itself up: it was the last */
            return;
    }
}

/* Sequences that outgrew their rotary factors keep their place and are prefilled
 * anew. Candidates of one prompt that do so in one step find nothing of each other in
 * the cache, so each computes the prompt: right, at n times the work, and rare. */
static void restart_outgrown(aim_scheduler *s)
{
    for (aim_sequence *q = s->running.head; q; q = q->next) {
        if (!aim__sequence_outgrown(q, s->model))
            continue;
        aim__sequence_release(q, s->kv);
        aim__sequence_match(q, s->kv, s->model);
    }
}

static int count_planned(aim_scheduler *s)
{
    s->decode_rows = s->prompt_rows = 0;
    for (const aim_sequence *q = s->running.head; q; q = q->next) {
        bool decodes = q->n_tokens - q->computed == 1;
        s->decode_rows += decodes ? q->step_rows : 0;
        s->prompt_rows += decodes ? 0 : q->step_rows;
    }
    return s->decode_rows + s->prompt_rows;
}

static bool has_room(const budget *b)
{
    return b->rows > 0 && b->prefill > 0 && b->score > 0;
}

int aim__scheduler_plan(aim_scheduler *s, uint64_t now_ns, aim_start_fn *start, void *arg)
{
    restart_outgrown(s);
    resume_preempted(s);
    budget b = {s->config->max_batch_tokens, prefill_rows(s), s->score_rows};
    plan_running(s, &b);
    for (const aim_group *g;
         (g = next_list(s)->head) && !*first_to_resume(s) && has_room(&b) && can_start(s, g);) {
        aim_sequence *leader = start_next(s, now_ns, start, arg);
        if (leader)
            plan_one(s, leader, &b);
    }
    return count_planned(s);
}

void aim__scheduler_took(aim_scheduler *s, double seconds)
{
    aim__pace_observe(&s->pace, s->decode_rows, s->prompt_rows, seconds);
}

/* ---- what a step leads to -------------------------------------------------- */

void aim__scheduler_fork(aim_scheduler *s, aim_sequence *leader)
{
    aim_group *g = leader->group;
    for (int i = 1; i < g->request->n; i++) {
        aim_sequence *q = &g->sequences[i];
        if (q->state != AIM_SEQ_FORK)
            continue;
        aim__sequence_fork(q, leader, s->kv);
        push_sequence(&s->running, q);
    }
}

void aim__scheduler_end(aim_scheduler *s, aim_sequence *q)
{
    aim__sequence_release(q, s->kv);
    q->state = AIM_SEQ_ENDED;
    q->step_rows = 0;
    q->group->alive--;
    if (q->group->started_ns)
        s->slots_used--;
}

static void sweep_sequences(aim_sequence_list *l)
{
    aim_sequence **at = &l->head;
    while (*at)
        if ((*at)->state == AIM_SEQ_ENDED)
            *at = (*at)->next;
        else
            at = &(*at)->next;
    l->tail = at;
}

static void sweep_groups(aim_group_list *l)
{
    aim_group **at = &l->head;
    while (*at) {
        aim_group *g = *at;
        if (g->alive == 0) {
            *at = g->next;
            aim__group_free(g);
        } else {
            at = &g->next;
        }
    }
    l->tail = at;
}

void aim__scheduler_sweep(aim_scheduler *s)
{
    sweep_sequences(&s->running);
    sweep_sequences(&s->preempted);
    sweep_groups(&s->urgent);
    sweep_groups(&s->waiting);
    sweep_groups(&s->live);
}

static int count_sequences(const aim_sequence_list *l, bool only_paused)
{
    int n = 0;
    for (const aim_sequence *q = l->head; q; q = q->next)
        n += q->group->paused || !only_paused;
    return n;
}

int aim__scheduler_running(const aim_scheduler *s)
{
    return count_sequences(&s->running, false) + count_sequences(&s->preempted, false);
}

int aim__scheduler_paused(const aim_scheduler *s)
{
    return count_sequences(&s->running, true) + count_sequences(&s->preempted, true);
}

static int count_groups(const aim_group_list *l)
{
    int n = 0;
    for (const aim_group *g = l->head; g; g = g->next)
        n++;
    return n;
}

int aim__scheduler_waiting(const aim_scheduler *s)
{
    return count_groups(&s->urgent) + count_groups(&s->waiting);
}
