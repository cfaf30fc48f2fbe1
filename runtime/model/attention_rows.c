/* SPDX-License-Identifier: Apache-2.0 */
#include "model/attention_rows.h"

#include <string.h>

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

static int max_int(int a, int b)
{
    return a > b ? a : b;
}

static int blocks_in_use(const aim__attention_row *r, int block_tokens)
{
    return (r->length + block_tokens - 1) / block_tokens;
}

/* ---- the order -------------------------------------------------------------- */

struct tables {
    const aim_batch *batch;
    int block_tokens;
};

/* Blocks that both tables begin with. */
static int common_blocks(const struct tables *t, const aim__attention_row *a,
                         const aim__attention_row *b)
{
    const int32_t *x = t->batch->blocks[a->row], *y = t->batch->blocks[b->row];
    int n = min_int(blocks_in_use(a, t->block_tokens), blocks_in_use(b, t->block_tokens));
    int i = x == y ? n : 0;
    while (i < n && x[i] == y[i])
        i++;
    return i;
}

/* The order of words in a dictionary, block numbers being the letters. */
static bool in_order(const struct tables *t, const aim__attention_row *a,
                     const aim__attention_row *b)
{
    int i = common_blocks(t, a, b);
    if (i < blocks_in_use(a, t->block_tokens) && i < blocks_in_use(b, t->block_tokens))
        return t->batch->blocks[a->row][i] < t->batch->blocks[b->row][i];
    return a->length <= b->length;
}

/* Merge [begin, middle) and [middle, end), each in order. */
static void merge(const struct tables *t, aim__attention_row *rows, int begin, int middle, int end,
                  aim__attention_row *spare)
{
    if (in_order(t, &rows[middle - 1], &rows[middle]))
        return;
    int left = 0, n_left = middle - begin, right = middle;
    memcpy(spare, rows + begin, (size_t)n_left * sizeof *spare);
    for (int to = begin; left < n_left; to++)
        if (right == end || in_order(t, &spare[left], &rows[right]))
            rows[to] = spare[left++];
        else
            rows[to] = rows[right++];
}

static void sort(const struct tables *t, aim__attention_row *rows, int n, aim__attention_row *spare)
{
    for (int width = 1; width < n; width *= 2)
        for (int begin = 0; begin + width < n; begin += 2 * width)
            merge(t, rows, begin, begin + width, min_int(begin + 2 * width, n), spare);
}

void aim__attention_order(const aim_batch *batch, int block_tokens, int window,
                          aim__attention_row *rows, aim__attention_row *spare)
{
    const struct tables t = {batch, block_tokens};
    for (int r = 0; r < batch->n_rows; r++) {
        int length = batch->position[r] + 1;
        int first = window > 0 && length > window ? length - window : 0;
        rows[r] = (aim__attention_row){.row = r, .first = first, .length = length};
    }
    sort(&t, rows, batch->n_rows, spare);
    for (int i = 1; i < batch->n_rows; i++)
        rows[i].shared = common_blocks(&t, &rows[i - 1], &rows[i]);
}

/* ---- sets ------------------------------------------------------------------- */

int64_t aim__attention_cost(const aim__attention_row *r, int block_tokens)
{
    int loaded = max_int(r->length - max_int(r->first, r->shared * block_tokens), 0);
    return (int64_t)r->length - r->first + loaded;
}

/* Does the row share positions with the row before it that both attend to? */
static bool shares(const aim__attention_row *r, int block_tokens)
{
    return r->shared * block_tokens > max_int(r->first, r[-1].first);
}

/* The set with one more row, the next of the order. */
static aim__attention_set joined(const aim__attention_set *s, const aim__attention_row *r)
{
    return (aim__attention_set){s->begin, s->end + 1, min_int(s->first, r->first),
                                max_int(s->length, r->length)};
}

static bool within(const aim__attention_set *s, const aim__attention_limits *limits)
{
    int rows = s->end - s->begin;
    return rows <= limits->rows && rows * (int64_t)(s->length - s->first) <= limits->scores;
}

int aim__attention_cut(aim__attention_row *rows, int n, int block_tokens,
                       const aim__attention_limits *limits, aim__attention_set *sets)
{
    int n_sets = 0;
    int64_t cost = 0;
    aim__attention_set set = {0};
    for (int i = 0; i < n; i++) {
        const aim__attention_set next = joined(&set, &rows[i]);
        cost += aim__attention_cost(&rows[i], block_tokens);
        if (i > 0 && shares(&rows[i], block_tokens) && within(&next, limits) &&
            cost <= limits->cost) {
            sets[n_sets - 1] = set = next;
            continue;
        }
        rows[i].shared = 0;
        cost = aim__attention_cost(&rows[i], block_tokens);
        sets[n_sets++] = set = (aim__attention_set){i, i + 1, rows[i].first, rows[i].length};
    }
    return n_sets;
}
