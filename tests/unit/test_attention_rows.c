/* SPDX-License-Identifier: Apache-2.0 */
/* Attention of whole batches: rows whose block tables begin alike attend together, and
 * each gets the bits that it would get alone. */
#include "plain_attention.h"

#include "base/alloc.h"
#include "base/pool.h"
#include "base/rng.h"
#include "model/attention.h"
#include "model/attention_rows.h"
#include "tests/unit/kernels_under_test.h"
#include "tests/unit/tsan.h"

#include <check.h>
#include <stdbool.h>
#include <string.h>

enum {
    TOKENS = AIM_KV_BLOCK,
    MAX_BLOCKS = 40, /* of a table */
    MAX_LENGTH = MAX_BLOCKS * TOKENS,
    CACHE_BLOCKS = 160,
    MAX_ROWS = 96,
    MAX_WIDTH = 768, /* heads * head_dim */
    MAX_THREADS = 16,
};

static const struct shape {
    int heads, kv_heads, dim, bf16;
} shapes[] = {
    {6, 2, 32, 1},  /* the shipped model */
    {8, 2, 64, 1},  /* groups of four */
    {3, 3, 96, 1},  /* groups of one */
    {24, 2, 16, 0}, /* groups of twelve: two tasks */
    {4, 1, 40, 1},
};
enum { N_SHAPES = sizeof shapes / sizeof shapes[0] };

/* Numbers below n, the same in every run. */
static uint64_t draws;
static int below(int n)
{
    return (int)(aim_rng_draw(11, AIM_STREAM_WEIGHTS, draws++, 0).v[0] % (unsigned)n);
}

static float unit(void)
{
    return (float)below(1 << 16) * 0x1p-15f - 1.0f;
}

/* ---- a cache and a batch ------------------------------------------------------- */

static struct rig {
    aim_attention a;
    unsigned char *memory;
    int32_t tables[MAX_ROWS][MAX_BLOCKS];
    int n_tables;
    int32_t position[MAX_ROWS];
    const int32_t *blocks[MAX_ROWS];
    aim_batch batch;
    float q[MAX_ROWS * MAX_WIDTH], got[MAX_ROWS * MAX_WIDTH], want[MAX_WIDTH];
} rig;

static void rig_init(const struct shape *s)
{
    size_t half = (size_t)(s->kv_heads * TOKENS * s->dim) * (s->bf16 ? 2 : 4);
    rig.memory = aim_malloc(2 * half * CACHE_BLOCKS);
    for (size_t i = 0; i < half * CACHE_BLOCKS; i++) {
        float x = unit(); /* its upper half is as good a number */
        uint16_t upper = (uint16_t)(aim_float_bits(x) >> 16);
        if (s->bf16)
            memcpy(rig.memory + 2 * i, &upper, sizeof upper);
        else if (i % 2 == 0)
            memcpy(rig.memory + 2 * i, &x, sizeof x);
    }
    rig.a = (aim_attention){s->heads, s->kv_heads, s->dim,   TOKENS, 0.3f,
                            s->bf16,  rig.memory,  2 * half, half};
    for (int i = 0; i < MAX_ROWS * MAX_WIDTH; i++)
        rig.q[i] = unit();
    rig.n_tables = 0;
    rig.batch = (aim_batch){.position = rig.position, .blocks = rig.blocks};
}

/* A table that begins with `shared` blocks of another one (-1: of none). */
static int add_table(int other, int shared)
{
    int32_t *table = rig.tables[rig.n_tables];
    for (int i = 0; i < MAX_BLOCKS; i++)
        table[i] = other >= 0 && i < shared ? rig.tables[other][i] : below(CACHE_BLOCKS);
    return rig.n_tables++;
}

static void add_rows(int table, int from, int n)
{
    for (int i = 0; i < n; i++) {
        rig.position[rig.batch.n_rows] = from + i;
        rig.blocks[rig.batch.n_rows++] = rig.tables[table];
    }
}

/* The rows of the batch in any order. */
static void shuffle(void)
{
    for (int i = rig.batch.n_rows - 1; i > 0; i--) {
        int j = below(i + 1);
        int32_t position = rig.position[i];
        const int32_t *blocks = rig.blocks[i];
        rig.position[i] = rig.position[j];
        rig.blocks[i] = rig.blocks[j];
        rig.position[j] = position;
        rig.blocks[j] = blocks;
    }
}

/* ---- running it ------------------------------------------------------------------ */

static size_t q_width(void)
{
    return (size_t)(rig.a.heads * rig.a.head_dim);
}

static size_t usual_room(void)
{
    return aim__attention_room(rig.a.heads, rig.a.kv_heads, rig.a.head_dim, MAX_LENGTH);
}

/* What the scores of the longest row take and no more, whatever usually stays in a cache:
 * beyond that, the room grows evenly with the positions. */
static size_t room_of_one_row(void)
{
    enum { MANY = 1 << 20 };
    size_t many = aim__attention_room(rig.a.heads, rig.a.kv_heads, rig.a.head_dim, MANY);
    size_t twice = aim__attention_room(rig.a.heads, rig.a.kv_heads, rig.a.head_dim, 2 * MANY);
    int longest = 0;
    for (int r = 0; r < rig.batch.n_rows; r++)
        longest = rig.position[r] + 1 > longest ? rig.position[r] + 1 : longest;
    return many - (twice - many) / MANY * (size_t)(MANY - (longest + 15) / 16 * 16);
}

/* All bytes are as attend has set them. */
static bool untouched(const float *scratch, size_t floats)
{
    const unsigned char *bytes = (const unsigned char *)scratch;
    for (size_t i = 0; i < floats * sizeof *scratch; i++)
        if (bytes[i] != 0xff)
            return false;
    return true;
}

/* room: floats of scratch of each thread. What lies behind is nobody's. */
static void attend(const aim_kernels *k, aim_pool *pool, int window, size_t room)
{
    size_t used = (size_t)aim_pool_threads(pool) * room, behind = usual_room();
    float *scratch = aim_malloc((used + behind) * sizeof *scratch);
    void *plan = aim_malloc(MAX_ROWS * AIM__ATTENTION_PLAN_BYTES);
    memset(scratch, 0xff, (used + behind) * sizeof *scratch);
    const aim_compute compute = {.kernels = k, .pool = pool};
    const aim_attention_call call = {
        .geometry = &rig.a,
        .compute = &compute,
        .batch = &rig.batch,
        .window = window,
        .q = rig.q,
        .ldq = MAX_WIDTH,
        .out = rig.got,
        .ldout = q_width(),
        .plan = plan,
        .scratch = scratch,
        .scratch_room = room,
    };
    aim__attention(&call);
    ck_assert_msg(untouched(scratch + used, behind), "wrote behind %zu floats of scratch", used);
    aim_free(scratch);
    aim_free(plan);
}

static void check(const char *what, int window)
{
    for (int r = 0; r < rig.batch.n_rows; r++) {
        int length = rig.position[r] + 1;
        int first = window > 0 && length > window ? length - window : 0;
        plain_attend(&rig.a, rig.blocks[r], first, length, rig.q + r * MAX_WIDTH, rig.want);
        int different =
            plain_first_difference(rig.got + (size_t)r * q_width(), rig.want, (int)q_width());
        ck_assert_msg(different < 0, "%s, window %d, row %d at %d: [%d]", what, window, r,
                      rig.position[r], different);
    }
}

/* Races show on three threads, in one window, and whatever the bits are. */
static void run_for_races(const aim_kernels *k, size_t room)
{
    aim_pool *pool = aim_pool_new(3, NULL);
    attend(k, pool, 40, room);
    aim_pool_free(pool);
}

static void run_and_check(const aim_kernels *k, const char *what, size_t room)
{
    static const int windows[] = {0, 5, 40, 200}, threads[] = {1, 3, MAX_THREADS};
    if (TSAN) {
        run_for_races(k, room);
        return;
    }
    for (size_t t = 0; t < sizeof threads / sizeof threads[0]; t++) {
        aim_pool *pool = aim_pool_new(threads[t], NULL);
        for (size_t w = 0; w < sizeof windows / sizeof windows[0]; w++) {
            attend(k, pool, windows[w], room);
            check(what, windows[w]);
        }
        aim_pool_free(pool);
    }
}

/* ---- batches ------------------------------------------------------------------------ */

static void candidates_of_one_prompt(void)
{
    int prompt = add_table(-1, 0);
    for (int i = 0; i < 16; i++) {
        int position = 9 * TOKENS + below(30); /* the order of draws is not the compiler's */
        add_rows(add_table(prompt, 9), position, 1);
    }
}

static void chunk_that_begins_within_a_block(void)
{
    add_rows(add_table(-1, 0), 37, 60);
}

static void whole_prompt(void)
{
    add_rows(add_table(-1, 0), 0, 70);
}

static void long_sequence(void)
{
    add_rows(add_table(-1, 0), MAX_LENGTH - 1, 1);
}

static void strangers(void)
{
    for (int i = 0; i < 10; i++) {
        int position = below(200);
        add_rows(add_table(-1, 0), position, 1);
    }
}

static void decoding_beside_a_chunk(void)
{
    int other = add_table(-1, 0);
    for (int i = 0; i < 8; i++) {
        int position = 100 + below(60);
        add_rows(add_table(other, below(6)), position, 1);
    }
    add_rows(add_table(other, 5), 5 * TOKENS, 40);
}

/* Every table begins with some blocks of an earlier one, or with none; rows of a table
 * and of different tables in any order. */
static void tree_of_tables(void)
{
    for (int i = 0; i < 14; i++) {
        int table = i == 0 ? add_table(-1, 0) : add_table(below(i), below(12));
        add_rows(table, below(180), 1 + below(4));
    }
    shuffle();
}

static const struct kind {
    const char *name;
    void (*fill)(void);
} kinds[] = {
    {"candidates", candidates_of_one_prompt},
    {"chunk", chunk_that_begins_within_a_block},
    {"prompt", whole_prompt},
    {"long sequence", long_sequence},
    {"strangers", strangers},
    {"decoding beside a chunk", decoding_beside_a_chunk},
    {"tree", tree_of_tables},
    {"another tree", tree_of_tables},
};
enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

START_TEST(rows_together_get_the_bits_of_rows_alone)
{
    const aim_kernels *k = row_or_skip(_i);
    if (TSAN && k && k->needs) /* only the portable ones are watched inside */
        return;
    draws = 0;
    for (int i = 0; k && i < N_KINDS; i++) {
        rig_init(&shapes[i % N_SHAPES]);
        kinds[i].fill();
        run_and_check(k, kinds[i].name, usual_room());
        aim_free(rig.memory);
    }
}
END_TEST

START_TEST(scratch_of_one_row_is_enough_for_all)
{
    draws = 0;
    rig_init(&shapes[_i % N_SHAPES]);
    kinds[_i].fill();
    run_and_check(aim_kernels_pick("auto", NULL), kinds[_i].name, room_of_one_row());
    aim_free(rig.memory);
}
END_TEST

/* ---- what is shared ---------------------------------------------------------------- */

/* The best kernels, counting the positions whose keys are loaded. */
static const aim_kernels *counted;
static int loaded;

static void count_scores(const aim_attention_span *span, const float *q)
{
    loaded += span->end - span->first;
    counted->attend_scores(span, q);
}

static int loaded_positions(const struct shape *s, void (*fill)(void), int window)
{
    aim_pool *pool = aim_pool_new(1, NULL);
    counted = aim_kernels_pick("auto", NULL);
    aim_kernels k = *counted;
    k.attend_scores = count_scores;
    loaded = 0;
    draws = 0;
    rig_init(s);
    fill();
    attend(&k, pool, window, usual_room());
    aim_free(rig.memory);
    aim_pool_free(pool);
    return loaded / s->kv_heads;
}

static int own_positions(int rows)
{
    int n = 0;
    for (int r = 0; r < rows; r++)
        n += rig.position[r] + 1;
    return n;
}

START_TEST(a_shared_prefix_is_loaded_once)
{
    int n = loaded_positions(&shapes[1], candidates_of_one_prompt, 0);
    ck_assert_int_eq(n, own_positions(16) - 15 * 9 * TOKENS);
}
END_TEST

START_TEST(a_chunk_is_loaded_once_for_sixteen_rows)
{
    int n = loaded_positions(&shapes[1], chunk_that_begins_within_a_block, 0);
    ck_assert_int_eq(n, 53 + 69 + 85 + 97);
}
END_TEST

START_TEST(strangers_share_nothing)
{
    int n = loaded_positions(&shapes[1], strangers, 0);
    ck_assert_int_eq(n, own_positions(10));
}
END_TEST

static void interleaved_groups(void)
{
    int a = add_table(-1, 0), b = add_table(-1, 0);
    for (int i = 0; i < 8; i++) {
        add_rows(add_table(a, 6), 6 * TOKENS, 1);
        add_rows(add_table(b, 4), 4 * TOKENS, 1);
    }
}

START_TEST(interleaved_groups_are_found)
{
    int n = loaded_positions(&shapes[1], interleaved_groups, 0);
    ck_assert_int_eq(n, 6 * TOKENS + 8 + 4 * TOKENS + 8);
}
END_TEST

START_TEST(what_lies_before_a_window_is_not_loaded)
{
    int n = loaded_positions(&shapes[1], candidates_of_one_prompt, 8);
    ck_assert_int_le(n, 16 * 8);
}
END_TEST

/* ---- sets -------------------------------------------------------------------------- */

enum { CUT_ROWS = 6, MUCH = 1 << 30 };

/* Row i attends to positions [slide * i, 20 + grow * i) and shares `shared` blocks of 16
 * with the row before it. */
static const struct cut_case {
    const char *what;
    int slide, grow, shared;
    aim__attention_limits limits;
    int sets[CUT_ROWS + 1]; /* the rows of each, in order; 0: no more */
} cut_cases[] = {
    {"no limit", 0, 0, 1, {MUCH, MUCH, MUCH}, {6}},
    {"nothing shared", 0, 0, 0, {MUCH, MUCH, MUCH}, {1, 1, 1, 1, 1, 1}},
    {"windows that leave what is shared", 4, 4, 1, {MUCH, MUCH, MUCH}, {4, 1, 1}},
    {"six rows", 0, 0, 1, {6, MUCH, MUCH}, {6}},
    {"four rows", 0, 0, 1, {4, MUCH, MUCH}, {4, 2}},
    {"two rows", 0, 0, 1, {2, MUCH, MUCH}, {2, 2, 2}},
    {"one row", 0, 0, 1, {1, MUCH, MUCH}, {1, 1, 1, 1, 1, 1}},
    {"scores of three rows", 0, 0, 1, {MUCH, 60, MUCH}, {3, 3}},
    {"scores of nearly three rows", 0, 0, 1, {MUCH, 59, MUCH}, {2, 2, 2}},
    {"scores of less than a row", 0, 0, 1, {MUCH, 19, MUCH}, {1, 1, 1, 1, 1, 1}},
    {"scores below zero", 0, 0, 1, {MUCH, -300, MUCH}, {1, 1, 1, 1, 1, 1}},
    {"as many as the longest has", 0, 4, 1, {MUCH, 84, MUCH}, {3, 2, 1}},
    {"nearly as many", 0, 4, 1, {MUCH, 83, MUCH}, {2, 2, 2}},
    {"from the first window on", 4, 4, 2, {MUCH, 84, MUCH}, {3, 3}},
    {"nearly from there", 4, 4, 2, {MUCH, 83, MUCH}, {2, 2, 2}},
    /* 40 for a row that begins a set, 24 for one that shares. */
    {"cost of three rows", 0, 0, 1, {MUCH, MUCH, 88}, {3, 3}},
    {"cost of two rows", 0, 0, 1, {MUCH, MUCH, 87}, {2, 2, 2}},
    {"cost of nearly two rows", 0, 0, 1, {MUCH, MUCH, 63}, {1, 1, 1, 1, 1, 1}},
    {"cost of less than a row", 0, 0, 1, {MUCH, MUCH, 0}, {1, 1, 1, 1, 1, 1}},
};
enum { N_CUT_CASES = sizeof cut_cases / sizeof cut_cases[0] };

START_TEST(sets_keep_within_limits)
{
    const struct cut_case *c = &cut_cases[_i];
    aim__attention_row rows[CUT_ROWS];
    aim__attention_set sets[CUT_ROWS];
    for (int i = 0; i < CUT_ROWS; i++)
        rows[i] = (aim__attention_row){i, c->slide * i, 20 + c->grow * i, i ? c->shared : 0};
    int n = aim__attention_cut(rows, CUT_ROWS, 16, &c->limits, sets), begin = 0;
    for (int i = 0; i < n; i++, begin = sets[i - 1].end) {
        ck_assert_msg(sets[i].begin == begin && sets[i].end - begin == c->sets[i],
                      "%s: set %d has rows %d to %d", c->what, i, sets[i].begin, sets[i].end);
        ck_assert_int_eq(rows[begin].shared, 0);
        ck_assert_int_eq(sets[i].first, rows[begin].first);
        ck_assert_int_eq(sets[i].length, rows[sets[i].end - 1].length);
    }
    ck_assert_int_eq(begin, CUT_ROWS);
}
END_TEST

int main(void)
{
    int n = row_count();
    Suite *s = suite_create("attention of rows");
    TCase *t = tcase_create("rows");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, rows_together_get_the_bits_of_rows_alone, 0, n);
    tcase_add_loop_test(t, scratch_of_one_row_is_enough_for_all, 0, N_KINDS);
    tcase_add_loop_test(t, sets_keep_within_limits, 0, N_CUT_CASES);
    tcase_add_test(t, a_shared_prefix_is_loaded_once);
    tcase_add_test(t, a_chunk_is_loaded_once_for_sixteen_rows);
    tcase_add_test(t, strangers_share_nothing);
    tcase_add_test(t, interleaved_groups_are_found);
    tcase_add_test(t, what_lies_before_a_window_is_not_loaded);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
