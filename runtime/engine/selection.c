/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/selection.h"

#include "base/float_bits.h"

/* A positive number below which there is no other. */
#define LEAST 0x1p-149f

/* How far two sums of the same n positive numbers in different orders, or decisions made
 * from them, can be apart: each of n additions rounds by 2^-53 of at most `total`, and
 * so do those of the total. Twice that. */
static double slack_of(int n, double total)
{
    return n * 0x1p-50 * total;
}

static bool too_close(double a, double b, double slack)
{
    double apart = a > b ? a - b : b - a;
    return apart <= slack;
}

/* ---- where the tokens kept end ------------------------------------------- */

/* Looks for the greatest value such that the tokens from it on reach what is wanted: so
 * many of them, or such a sum. Bits of positive floats are in the order of the floats,
 * so that each round halves the range of bits that the value can be in; and values
 * outside the range are laid aside. */
typedef struct search {
    const aim_kernels *kernels;
    double wanted, slack; /* slack: that of sums; negative for counts, which are exact */
    bool count;           /* wanted is a number of tokens */
    const float *values;  /* those not laid aside */
    int n;
    double aside;       /* what those laid aside above the range measure */
    uint32_t low, high; /* the value is in [low, high) */
    double above;       /* what all from `high` on measure: less than is wanted */
    int n_low, n_high;  /* of `values` from low on, and from high on */
    float *room;
} search;

static double measure(const search *s, uint32_t from, int *count)
{
    double sum = s->kernels->sum_from(s->values, s->n, aim_bits_float(from), count);
    return s->aside + (s->count ? *count : sum);
}

static void lay_aside(search *s)
{
    s->n = s->kernels->keep_between(s->room, s->values, s->n, aim_bits_float(s->low),
                                    aim_bits_float(s->high));
    s->values = s->room;
    s->aside = s->above;
    s->n_low = s->n;
    s->n_high = 0;
}

/* false: too close to call. */
static bool halve(search *s)
{
    int count;
    uint32_t middle = s->low + (s->high - s->low) / 2;
    double reached = measure(s, middle, &count);
    if (too_close(reached, s->wanted, s->slack))
        return false;
    if (reached >= s->wanted) {
        s->low = middle;
        s->n_low = count;
    } else {
        s->high = middle;
        s->n_high = count;
        s->above = reached;
    }
    if (2 * (s->n_low - s->n_high) <= s->n)
        lay_aside(s);
    return true;
}

/* All of the n tokens above 0 reach what is wanted; none is above 1. */
static search begin(const aim_kernels *k, const float *p, int vocab, int n, void *room)
{
    return (search){.kernels = k,
                    .values = p,
                    .n = vocab,
                    .low = aim_float_bits(LEAST),
                    .high = aim_float_bits(1) + 1,
                    .n_low = n,
                    .room = room};
}

static bool find(search *s)
{
    while (s->high - s->low > 1)
        if (!halve(s))
            return false;
    return true;
}

/* Of the tokens equal to `value` keep the first `kept` ids. */
static void keep_equal(float *p, int vocab, float value, int kept)
{
    for (int i = 0; i < vocab; i++)
        if (p[i] == value && --kept < 0)
            p[i] = 0;
}

/* Drop all below the value that was found, and of those equal to it all but the first
 * `kept` ids. */
static void drop_behind(const search *s, float *p, int vocab, int kept)
{
    float value = aim_bits_float(s->low);
    s->kernels->zero_below(p, vocab, value);
    if (kept < s->n_low - s->n_high)
        keep_equal(p, vocab, value, kept);
}

void aim__keep_best(const aim_kernels *k, float *p, int vocab, int top_k, void *room)
{
    int n;
    k->sum_from(p, vocab, LEAST, &n);
    if (n <= top_k)
        return;
    search s = begin(k, p, vocab, n, room);
    s.count = true;
    s.wanted = top_k;
    s.slack = -1;
    find(&s);
    drop_behind(&s, p, vocab, top_k - (int)s.above);
}

/* How many of the tokens equal to the value found it takes; 0: too close to call. */
static int equal_wanted(const search *s)
{
    double sum = s->above, value = (double)aim_bits_float(s->low);
    for (int n = 1; n <= s->n_low - s->n_high; n++) {
        sum += value;
        if (too_close(sum, s->wanted, s->slack))
            return 0;
        if (sum >= s->wanted)
            return n;
    }
    return 0;
}

bool aim__keep_nucleus(const aim_kernels *k, float *p, int vocab, double share, void *room)
{
    int n;
    double total = k->sum_from(p, vocab, LEAST, &n);
    search s = begin(k, p, vocab, n, room);
    s.wanted = share * total;
    s.slack = slack_of(n, total);
    int kept = find(&s) ? equal_wanted(&s) : 0;
    if (kept > 0)
        drop_behind(&s, p, vocab, kept);
    return kept > 0;
}

/* ---- the draw -------------------------------------------------------------- */

/* Tokens whose sum is taken at once. */
enum { BLOCK = 1024 };

static double block_sum(const aim_kernels *k, const float *p, int vocab, int first)
{
    int n = vocab - first < BLOCK ? vocab - first : BLOCK, count;
    return k->sum_from(p + first, n, LEAST, &count);
}

int32_t aim__draw(const aim_kernels *k, const float *p, int vocab, double uniform)
{
    double total = 0, sum = 0, next;
    for (int b = 0; b < vocab; b += BLOCK)
        total += block_sum(k, p, vocab, b);
    double target = uniform * total, slack = slack_of(vocab, total);
    int i = 0;
    for (; i < vocab && (next = sum + block_sum(k, p, vocab, i)) < target - slack; i += BLOCK)
        sum = next;
    for (; i < vocab; i++) {
        sum += (double)p[i];
        if (p[i] > 0 && too_close(sum, target, slack))
            return -1;
        if (sum > target)
            return i;
    }
    return -1;
}
