/* SPDX-License-Identifier: Apache-2.0 */
/* The attention kernels: right by a computation in double, the bits of the plain
 * definition on every row of the table, wherever the blocks lie and however queries,
 * positions and dimensions are cut. Loop index _i of a test is the row of the table. */
#include "plain_attention.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "tests/unit/kernels_under_test.h"

#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { MAX_HEADS = 16, MAX_DIM = 144, MAX_LENGTH = 131 };

static const aim_kernels *portable(void)
{
    int n;
    const aim_kernels *const *rows = aim_kernels_all(&n);
    return rows[n - 1];
}

static const struct shape {
    int heads, kv_heads, dim, block, bf16;
} shapes[] = {
    {6, 2, 32, 16, 1},  /* the shipped model */
    {16, 4, 64, 16, 1}, /* groups of four */
    {14, 2, 64, 16, 0}, /* groups of seven: 4 + 3 */
    {5, 1, 16, 16, 1},  {4, 4, 128, 16, 0}, {2, 2, 144, 8, 1}, {3, 3, 1, 1, 0},
    {6, 3, 7, 5, 1},    {4, 2, 40, 16, 0},  {4, 1, 80, 16, 1}, {2, 1, 96, 7, 0},
};
enum { N_SHAPES = sizeof shapes / sizeof shapes[0] };

/* One sequence in a cache whose blocks lie in the order of a permutation. */
struct cache {
    aim_attention a;
    unsigned char *memory;
    int32_t blocks[MAX_LENGTH];
    int n_blocks;
};

static float unit(uint64_t seed, uint64_t i)
{
    return (float)(aim_rng_draw(seed, AIM_STREAM_WEIGHTS, i, 0).v[0] >> 8) * 0x1p-23f - 1.0f;
}

/* Element i of the key (or value) of a position. Bfloat16 values, so that both
 * kinds of cache hold the same numbers. */
static float element(int is_value, int kv_head, int at, int i)
{
    uint64_t index = (((uint64_t)kv_head * MAX_LENGTH + (uint64_t)at) * MAX_DIM + (uint64_t)i) * 2;
    float x = 2 * unit(5, index + (uint64_t)is_value);
    uint16_t half;
    portable()->f32_to_bf16(&half, &x, 1);
    portable()->bf16_to_f32(&x, &half, 1);
    return x;
}

static void put(const struct cache *c, int is_value, int kv_head, int at, int i)
{
    const aim_attention *a = &c->a;
    size_t slot = (size_t)(kv_head * a->block_tokens + at % a->block_tokens);
    size_t index = slot * (size_t)a->head_dim + (size_t)i;
    unsigned char *p = c->memory + (size_t)c->blocks[at / a->block_tokens] * a->block_stride +
                       (is_value ? a->v_offset : 0);
    float x = element(is_value, kv_head, at, i);
    if (a->kv_is_bf16)
        portable()->f32_to_bf16((uint16_t *)(void *)p + index, &x, 1);
    else
        memcpy(p + index * sizeof x, &x, sizeof x);
}

/* turn: how far the table is rotated. Slots that hold nothing are NaN. */
static void cache_init(struct cache *c, const struct shape *s, int length, int turn)
{
    size_t half = (size_t)(s->kv_heads * s->block * s->dim) * (s->bf16 ? 2 : 4);
    c->n_blocks = (length + s->block - 1) / s->block;
    c->memory = aim_malloc(2 * half * (size_t)c->n_blocks);
    memset(c->memory, 0xff, 2 * half * (size_t)c->n_blocks);
    c->a = (aim_attention){s->heads, s->kv_heads, s->dim,   s->block, 0.3f,
                           s->bf16,  c->memory,   2 * half, half};
    for (int i = 0; i < c->n_blocks; i++)
        c->blocks[i] = (i * 7 + turn) % c->n_blocks;
    if (c->n_blocks % 7 == 0)
        for (int i = 0; i < c->n_blocks; i++)
            c->blocks[i] = (i + turn) % c->n_blocks;
    for (int h = 0; h < s->kv_heads; h++)
        for (int at = 0; at < length; at++)
            for (int i = 0; i < s->dim; i++) {
                put(c, 0, h, at, i);
                put(c, 1, h, at, i);
            }
}

static float q[MAX_HEADS * MAX_DIM], got[MAX_HEADS * MAX_DIM], want[MAX_HEADS * MAX_DIM];

static void fill_query(void)
{
    for (int i = 0; i < MAX_HEADS * MAX_DIM; i++)
        q[i] = unit(6, (uint64_t)i);
}

/* Where spans, queries and dimensions are cut; 0: nowhere. */
static struct cuts {
    int positions, queries, dims;
} no_cuts;

enum { MAX_WIDTH = (MAX_DIM + 31) / 32 * 32, STRIDE = MAX_LENGTH + 3 };

static int cut_or_end(int at, int cut, int end)
{
    return cut > 0 && at + cut < end ? at + cut : end;
}

/* The scores of the span's queries, then (values) their weighted sums, in pieces. */
static void run_span(const aim_kernels *k, aim_attention_span span, const struct cuts *cuts,
                     const float *queries, float *sums, bool values)
{
    const aim_attention_span all = span;
    int width = (int)aim_attention_width(all.cache->head_dim);
    for (int n = 0; n < all.queries; n += span.queries)
        for (span.first = all.first; span.first < all.end; span.first = span.end) {
            span.queries = cut_or_end(n, cuts->queries, all.queries) - n;
            span.end = cut_or_end(span.first, cuts->positions, all.end);
            span.scores = all.scores + (size_t)n * all.stride + (span.first - all.first);
            if (!values)
                k->attend_scores(&span, queries + n * width);
            for (int dim = 0, to; values && dim < width; dim = to) {
                to = cut_or_end(dim, cuts->dims, width);
                k->attend_values(&span, sums + n * width, dim, to);
            }
        }
}

/* The heads of one group through the three steps. */
static void attend_group(const aim_kernels *k, const struct cache *c, int first, int length,
                         int kv_head, const struct cuts *cuts, float *out)
{
    static float queries[MAX_HEADS * MAX_WIDTH], sums[MAX_HEADS * MAX_WIDTH];
    static float scores[MAX_HEADS * STRIDE], tile[MAX_WIDTH * AIM_ATTENTION_POSITIONS];
    size_t dim = (size_t)c->a.head_dim, width = aim_attention_width(c->a.head_dim);
    int heads = c->a.heads / c->a.kv_heads;
    memset(queries, 0, sizeof queries);
    memset(sums, 0, sizeof sums);
    memset(scores, 0xff, sizeof scores);
    memset(tile, 0xff, sizeof tile);
    for (int h = 0; h < heads; h++)
        memcpy(queries + (size_t)h * width, q + (size_t)(kv_head * heads + h) * dim,
               dim * sizeof *q);
    const aim_attention_span span = {&c->a, c->blocks, kv_head, first, length,
                                     heads, scores,    STRIDE,  tile};
    run_span(k, span, cuts, queries, sums, false);
    for (int h = 0; h < heads; h++)
        k->softmax(scores + h * STRIDE, length - first);
    run_span(k, span, cuts, queries, sums, true);
    for (int h = 0; h < heads; h++)
        memcpy(out + (size_t)(kv_head * heads + h) * dim, sums + (size_t)h * width,
               dim * sizeof *q);
}

static void attend_cut(const aim_kernels *k, const struct cache *c, int first, int length,
                       const struct cuts *cuts, float *out)
{
    for (int kv_head = 0; kv_head < c->a.kv_heads; kv_head++)
        attend_group(k, c, first, length, kv_head, cuts, out);
}

static void attend_from(const aim_kernels *k, const struct cache *c, int first, int length,
                        float *out)
{
    attend_cut(k, c, first, length, &no_cuts, out);
}

static void attend_all(const aim_kernels *k, const struct cache *c, int length, float *out)
{
    attend_from(k, c, 0, length, out);
}

static void attend_in_double(const struct shape *s, int first, int length, int head, double *out)
{
    double score[MAX_LENGTH], max = -INFINITY, sum = 0;
    int kv = head / (s->heads / s->kv_heads);
    for (int t = first; t < length; t++) {
        score[t] = 0;
        for (int i = 0; i < s->dim; i++)
            score[t] += (double)q[head * s->dim + i] * element(0, kv, t, i);
        score[t] *= 0.3f;
        max = fmax(max, score[t]);
    }
    for (int t = first; t < length; t++)
        sum += score[t] = exp(score[t] - max);
    for (int i = 0; i < s->dim; i++) {
        out[i] = 0;
        for (int t = first; t < length; t++)
            out[i] += score[t] / sum * element(1, kv, t, i);
    }
}

static const int lengths[] = {1, 2, 15, 16, 17, 33, 100, MAX_LENGTH};
enum { N_LENGTHS = sizeof lengths / sizeof lengths[0] };

static void check_value(const struct shape *s, int first, int length)
{
    for (int h = 0; h < s->heads; h++) {
        double out[MAX_DIM];
        attend_in_double(s, first, length, h, out);
        for (int j = 0; j < s->dim; j++)
            if (!(fabs(got[h * s->dim + j] - out[j]) < 2e-5))
                ck_abort_msg("shape %td positions %d-%d: head %d [%d] is %g, not %g", s - shapes,
                             first, length - 1, h, j, got[h * s->dim + j], out[j]);
    }
}

START_TEST(attention_is_right)
{
    const aim_kernels *k = row_or_skip(_i);
    fill_query();
    for (int i = 0; k && i < N_SHAPES * N_LENGTHS; i++) {
        const struct shape *s = &shapes[i / N_LENGTHS];
        int length = lengths[i % N_LENGTHS];
        struct cache c;
        cache_init(&c, s, length, 0);
        attend_all(k, &c, length, got);
        check_value(s, 0, length);
        aim_free(c.memory);
    }
}
END_TEST

/* Positions before the window are poison, so that a look at one would show. */
static void poison_before(const struct cache *c, int first)
{
    const aim_attention *a = &c->a;
    size_t element = a->kv_is_bf16 ? 2 : 4, row = (size_t)a->head_dim * element;
    for (int at = 0; at < first; at++)
        for (int h = 0; h < a->kv_heads; h++) {
            size_t slot = (size_t)(h * a->block_tokens + at % a->block_tokens);
            unsigned char *key =
                c->memory + (size_t)c->blocks[at / a->block_tokens] * a->block_stride + slot * row;
            memset(key, 0xff, row);
            memset(key + a->v_offset, 0xff, row);
        }
}

START_TEST(a_window_hides_what_lies_before_it)
{
    static const int firsts[] = {1, 15, 16, 17, 40, 99};
    const aim_kernels *k = row_or_skip(_i);
    fill_query();
    for (int i = 0; k && i < N_SHAPES; i++)
        for (size_t f = 0; f < sizeof firsts / sizeof firsts[0]; f++) {
            struct cache c;
            cache_init(&c, &shapes[i], 100, 0);
            poison_before(&c, firsts[f]);
            attend_from(k, &c, firsts[f], 100, got);
            check_value(&shapes[i], firsts[f], 100);
            plain_attend(&c.a, c.blocks, firsts[f], 100, q, want);
            int n = shapes[i].heads * shapes[i].dim;
            ck_assert_int_eq(plain_first_difference(got, want, n), -1);
            aim_free(c.memory);
        }
}
END_TEST

START_TEST(attention_has_the_bits_of_the_definition)
{
    const aim_kernels *k = row_or_skip(_i);
    fill_query();
    for (int i = 0; k && i < N_SHAPES; i++)
        for (int length = 1; length <= MAX_LENGTH; length += length < 40 ? 1 : 13) {
            struct cache c;
            cache_init(&c, &shapes[i], length, 0);
            attend_all(k, &c, length, got);
            plain_attend(&c.a, c.blocks, 0, length, q, want);
            int different = plain_first_difference(got, want, shapes[i].heads * shapes[i].dim);
            ck_assert_msg(different < 0, "shape %d length %d: [%d]", i, length, different);
            aim_free(c.memory);
        }
}
END_TEST

START_TEST(placement_of_blocks_does_not_matter)
{
    const aim_kernels *k = row_or_skip(_i);
    fill_query();
    for (int i = 0; k && i < N_SHAPES; i++)
        for (int turn = 1; turn < 4; turn++) {
            struct cache first, second;
            cache_init(&first, &shapes[i], 100, 0);
            cache_init(&second, &shapes[i], 100, turn);
            ck_assert(first.n_blocks == 1 || first.blocks[0] != second.blocks[0]);
            attend_all(k, &first, 100, want);
            attend_all(k, &second, 100, got);
            size_t n = (size_t)(shapes[i].heads * shapes[i].dim);
            ck_assert_int_eq(memcmp(got, want, n * sizeof *got), 0);
            aim_free(first.memory);
            aim_free(second.memory);
        }
}
END_TEST

START_TEST(cuts_do_not_matter)
{
    static const struct cuts cuts[] = {{1, 0, 0},   {16, 1, 32}, {7, 2, 64},
                                       {40, 3, 96}, {0, 5, 32},  {99, 0, 128}};
    const aim_kernels *k = row_or_skip(_i);
    fill_query();
    for (int i = 0; k && i < N_SHAPES; i++) {
        struct cache c;
        cache_init(&c, &shapes[i], 100, 0);
        plain_attend(&c.a, c.blocks, 3, 100, q, want);
        for (size_t j = 0; j < sizeof cuts / sizeof cuts[0]; j++) {
            attend_cut(k, &c, 3, 100, &cuts[j], got);
            int different = plain_first_difference(got, want, shapes[i].heads * shapes[i].dim);
            ck_assert_msg(different < 0, "shape %d cuts %zu: [%d]", i, j, different);
        }
        aim_free(c.memory);
    }
}
END_TEST

/* Scores far apart: the largest takes all, nothing overflows; a NaN in the
 * query stays with its head. */
START_TEST(extreme_scores_are_survived)
{
    const aim_kernels *k = row_or_skip(_i);
    const struct shape *s = &shapes[1];
    struct cache c;
    fill_query();
    for (int i = 0; i < s->heads * s->dim; i++)
        q[i] *= 1e30f;
    q[0] = NAN;
    cache_init(&c, s, 60, 0);
    if (k) {
        attend_all(k, &c, 60, got);
        for (int i = 0; i < s->heads * s->dim; i++)
            ck_assert_int_eq(isnan(got[i]) != 0, i < s->dim);
        plain_attend(&c.a, c.blocks, 0, 60, q, want);
        ck_assert_int_eq(plain_first_difference(got, want, s->heads * s->dim), -1);
    }
    aim_free(c.memory);
}
END_TEST

int main(void)
{
    int n = row_count();
    Suite *s = suite_create("attention");
    TCase *t = tcase_create("attention");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, attention_is_right, 0, n);
    tcase_add_loop_test(t, a_window_hides_what_lies_before_it, 0, n);
    tcase_add_loop_test(t, attention_has_the_bits_of_the_definition, 0, n);
    tcase_add_loop_test(t, placement_of_blocks_does_not_matter, 0, n);
    tcase_add_loop_test(t, cuts_do_not_matter, 0, n);
    tcase_add_loop_test(t, extreme_scores_are_survived, 0, n);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
