/* SPDX-License-Identifier: Apache-2.0 */
#include "model/attention.h"

#include "model/attention_rows.h"

#include <string.h>

enum {
    SMALL_STEP = 1 << 14,       /* multiply-adds below which waking the pool costs more than it
                                   brings */
    MOST_HEADS = 8,             /* query heads of one key and value head in a task */
    MOST_QUERIES = 64,          /* of a task, rows times heads */
    CACHED_SCORES = 128 * 1024, /* floats that stay in a second-level cache */
    TASKS_A_THREAD = 2,         /* at least, so that threads end at about the same time */
};

_Static_assert(AIM__ATTENTION_PLAN_BYTES ==
                   2 * sizeof(aim__attention_row) + sizeof(aim__attention_set),
               "what a row takes of the plan");

/* One call, cut: a task is one set of rows and up to MOST_HEADS query heads that share a
 * key and value head. */
struct plan {
    const aim_attention_call *call;
    aim__attention_row *rows;
    aim__attention_set *sets;
    int n_sets;
    int heads; /* of a task */
    int parts; /* tasks of a key and value head */
};

/* A task, and its share of the scratch memory. */
struct task {
    const struct plan *plan;
    aim__attention_set set;
    int kv_head, head0, heads;
    size_t width, stride;
    float *tile;   /* [width][AIM_ATTENTION_POSITIONS] */
    float *q;      /* [rows][heads][width] */
    float *out;    /* [rows][heads][width] */
    float *scores; /* [rows][heads][stride], of positions from set.first on */
};

/* ---- sizes ------------------------------------------------------------------ */

/* Tasks that the heads of a group are shared out to. */
static int parts_of(int heads, int kv_heads)
{
    return (heads / kv_heads + MOST_HEADS - 1) / MOST_HEADS;
}

static int heads_of_task(int heads, int kv_heads)
{
    int parts = parts_of(heads, kv_heads);
    return (heads / kv_heads + parts - 1) / parts;
}

/* Whole cache lines. */
static size_t padded(size_t floats)
{
    return (floats + 15) / 16 * 16;
}

/* All but the scores. */
static size_t room_of_queries(size_t width)
{
    return width * (AIM_ATTENTION_POSITIONS + 2 * MOST_QUERIES);
}

size_t aim__attention_room(int heads, int kv_heads, int head_dim, int max_positions)
{
    size_t one_row = (size_t)heads_of_task(heads, kv_heads) * padded((size_t)max_positions);
    size_t scores = one_row > CACHED_SCORES ? one_row : CACHED_SCORES;
    return room_of_queries(aim_attention_width(head_dim)) + scores;
}

/* ---- rows that share --------------------------------------------------------- */

/* Rows [begin, end) of the order over positions [from, to) of blocks they share. */
struct run {
    int begin, end, from, to;
};

static struct run clipped(const struct plan *p, struct run run)
{
    int first = INT32_MAX, length = 0;
    for (int i = run.begin; i < run.end; i++) {
        const aim__attention_row *r = &p->rows[i];
        first = r->first < first ? r->first : first;
        length = r->length > length ? r->length : length;
    }
    run.from = run.from > first ? run.from : first;
    run.to = run.to < length ? run.to : length;
    return run;
}

typedef void run_fn(const struct task *t, struct run run);

/* Every position of every row of the set once, those of a row ascending: a block is met
 * with the first row that has it, for all behind that share it. */
static void for_runs(const struct task *t, run_fn *fn)
{
    const struct plan *p = t->plan;
    int tokens = p->call->geometry->block_tokens;
    for (int i = t->set.begin; i < t->set.end; i++) {
        int blocks = (p->rows[i].length + tokens - 1) / tokens;
        for (int b = p->rows[i].shared, until; b < blocks; b = until) {
            int end = i + 1;
            until = blocks;
            for (; end < t->set.end && p->rows[end].shared > b; end++)
                until = p->rows[end].shared < until ? p->rows[end].shared : until;
            struct run run = clipped(p, (struct run){i, end, b * tokens, until * tokens});
            if (run.from < run.to)
                fn(t, run);
        }
    }
}

/* Where the queries of row i of the order begin among those of the task. */
static size_t query_of(const struct task *t, int i)
{
    return (size_t)(i - t->set.begin) * (size_t)t->heads;
}

static aim_attention_span span_of(const struct task *t, struct run run)
{
    const struct plan *p = t->plan;
    size_t at = query_of(t, run.begin) * t->stride + (size_t)(run.from - t->set.first);
    return (aim_attention_span){
        .cache = p->call->geometry,
        .blocks = p->call->batch->blocks[p->rows[run.begin].row],
        .kv_head = t->kv_head,
        .first = run.from,
        .end = run.to,
        .queries = (run.end - run.begin) * t->heads,
        .scores = t->scores + at,
        .stride = t->stride,
        .tile = t->tile,
    };
}

/* ---- the three steps ---------------------------------------------------------- */

/* Scores of positions that a row does not attend to are among them: a row of a prompt
 * gets those of its successors in the same block. Nobody reads them. */
static void score_run(const struct task *t, struct run run)
{
    const aim_attention_span span = span_of(t, run);
    t->plan->call->compute->kernels->attend_scores(&span, t->q + query_of(t, run.begin) * t->width);
}

static void softmax(const struct task *t)
{
    const struct plan *p = t->plan;
    for (int i = t->set.begin; i < t->set.end; i++) {
        const aim__attention_row *r = &p->rows[i];
        float *scores = t->scores + query_of(t, i) * t->stride + (r->first - t->set.first);
        for (int h = 0; h < t->heads; h++, scores += t->stride)
            p->call->compute->kernels->softmax(scores, r->length - r->first);
    }
}

/* The part of the run that row i attends to. */
static struct run own_part(const struct plan *p, struct run run, int i)
{
    const aim__attention_row *r = &p->rows[i];
    run.from = r->first > run.from ? r->first : run.from;
    run.to = r->length < run.to ? r->length : run.to;
    return run;
}

/* Rows from `begin` on that attend to the same part of the run. */
static struct run alike(const struct plan *p, struct run run, int begin)
{
    struct run first = own_part(p, run, begin);
    first.begin = begin;
    for (first.end = begin + 1; first.end < run.end; first.end++) {
        struct run next = own_part(p, run, first.end);
        if (next.from != first.from || next.to != first.to)
            break;
    }
    return first;
}

/* Weights stop exactly where a row's positions do: what lies behind may be no number. */
static void weigh_alike(const struct task *t, struct run run)
{
    const struct plan *p = t->plan;
    for (struct run part = {.end = run.begin}; part.end < run.end;) {
        part = alike(p, run, part.end);
        if (part.from >= part.to)
            continue;
        const aim_attention_span span = span_of(t, part);
        p->call->compute->kernels->attend_values(&span, t->out + query_of(t, part.begin) * t->width,
                                                 0, (int)t->width);
    }
}

/* Where rows begin or end within the run, it is taken block by block: most blocks are
 * in use by all rows as a whole. */
static void weigh_run(const struct task *t, struct run run)
{
    const struct plan *p = t->plan;
    bool even = alike(p, run, run.begin).end == run.end;
    int tokens = p->call->geometry->block_tokens, to = run.to;
    for (; run.from < to; run.from = run.to) {
        int block_end = (run.from / tokens + 1) * tokens;
        run.to = even || block_end > to ? to : block_end;
        weigh_alike(t, run);
    }
}

/* ---- a task ---------------------------------------------------------------------- */

static void load_queries(const struct task *t)
{
    const aim_attention_call *c = t->plan->call;
    size_t dim = (size_t)c->geometry->head_dim;
    float *to = t->q;
    for (int i = t->set.begin; i < t->set.end; i++) {
        const float *q = c->q + (size_t)t->plan->rows[i].row * c->ldq + (size_t)t->head0 * dim;
        for (int h = 0; h < t->heads; h++, q += dim, to += t->width) {
            memcpy(to, q, dim * sizeof *to);
            memset(to + dim, 0, (t->width - dim) * sizeof *to);
        }
    }
}

static void store_results(const struct task *t)
{
    const aim_attention_call *c = t->plan->call;
    size_t dim = (size_t)c->geometry->head_dim;
    const float *from = t->out;
    for (int i = t->set.begin; i < t->set.end; i++) {
        float *out = c->out + (size_t)t->plan->rows[i].row * c->ldout + (size_t)t->head0 * dim;
        for (int h = 0; h < t->heads; h++, out += dim, from += t->width)
            memcpy(out, from, dim * sizeof *out);
    }
}

static struct task task_of(const struct plan *p, int number, int worker)
{
    const aim_attention *a = p->call->geometry;
    int per_group = a->heads / a->kv_heads, part = number % p->parts;
    struct task t = {.plan = p,
                     .set = p->sets[number / p->parts / a->kv_heads],
                     .kv_head = number / p->parts % a->kv_heads,
                     .width = aim_attention_width(a->head_dim)};
    int left = per_group - part * p->heads;
    t.heads = left < p->heads ? left : p->heads;
    t.head0 = t.kv_head * per_group + part * p->heads;
    t.stride = padded((size_t)(t.set.length - t.set.first));
    t.tile = p->call->scratch + (size_t)worker * p->call->scratch_room;
    t.q = t.tile + t.width * AIM_ATTENTION_POSITIONS;
    t.out = t.q + t.width * MOST_QUERIES;
    t.scores = t.out + t.width * MOST_QUERIES;
    return t;
}

static void run_task(void *arg, int number, int worker)
{
    const struct task t = task_of(arg, number, worker);
    size_t queries = query_of(&t, t.set.end);
    load_queries(&t);
    for_runs(&t, score_run);
    softmax(&t);
    memset(t.out, 0, queries * t.width * sizeof *t.out);
    for_runs(&t, weigh_run);
    store_results(&t);
}

/* ---- the plan --------------------------------------------------------------------- */

/* Of one set: sets as large as can be share most, but threads want tasks. */
static int64_t most_cost(const struct plan *p)
{
    const aim_attention *a = p->call->geometry;
    int threads = aim_pool_threads(p->call->compute->pool);
    if (threads == 1)
        return INT64_MAX;
    int64_t all = 0;
    for (int i = 0; i < p->call->batch->n_rows; i++)
        all += aim__attention_cost(&p->rows[i], a->block_tokens);
    int tasks_of_a_set = a->kv_heads * p->parts;
    return all * tasks_of_a_set / (TASKS_A_THREAD * threads);
}

static struct plan plan_of(const aim_attention_call *c)
{
    const aim_attention *a = c->geometry;
    int n = c->batch->n_rows;
    struct plan p = {.call = c,
                     .rows = c->plan,
                     .sets = (void *)((aim__attention_row *)c->plan + 2 * n),
                     .heads = heads_of_task(a->heads, a->kv_heads),
                     .parts = parts_of(a->heads, a->kv_heads)};
    aim__attention_order(c->batch, a->block_tokens, c->window, p.rows, p.rows + n);
    size_t room = c->scratch_room - room_of_queries(aim_attention_width(a->head_dim));
    const aim__attention_limits limits = {
        .rows = MOST_QUERIES / p.heads,
        /* Every row's scores begin with a cache line of their own. */
        .scores = (int64_t)(room / (size_t)p.heads) - MOST_QUERIES / p.heads * 15,
        .cost = most_cost(&p),
    };
    p.n_sets = aim__attention_cut(p.rows, n, a->block_tokens, &limits, p.sets);
    return p;
}

static bool is_small(const struct plan *p)
{
    const aim_attention *a = p->call->geometry;
    int64_t positions = 0;
    for (int i = 0; i < p->call->batch->n_rows; i++)
        positions += p->rows[i].length - p->rows[i].first;
    return positions * a->heads * a->head_dim <= SMALL_STEP;
}

void aim__attention(const aim_attention_call *c)
{
    struct plan p = plan_of(c);
    int tasks = p.n_sets * c->geometry->kv_heads * p.parts;
    if (!is_small(&p))
        aim_pool_run(c->compute->pool, run_task, &p, tasks);
    else
        for (int i = 0; i < tasks; i++)
            run_task(&p, i, 0);
}
