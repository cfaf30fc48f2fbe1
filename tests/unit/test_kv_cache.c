/* SPDX-License-Identifier: Apache-2.0 */
/* The paged KV cache: counting, copy-on-write, the prefix cache, and random
 * sequences of operations beside a simple model of what must come out. */
#include "base/alloc.h"
#include "model/kv_cache.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { B = AIM_KV_BLOCK };

static const aim_kv_shape small = {.layers = 2, .kv_heads = 1, .head_dim = 2, .bf16 = false};

static aim_kv_cache *new_cache(int n_blocks)
{
    aim_error err = {0};
    aim_kv_cache *kv = aim_kv_new(&small, n_blocks, true, &err);
    ck_assert_msg(kv != NULL, "%s", err.text);
    return kv;
}

/* tokens[i] = first + i */
static void count_up(int32_t *tokens, int n, int first)
{
    for (int i = 0; i < n; i++)
        tokens[i] = first + i;
}

START_TEST(sizes_and_addresses)
{
    const aim_kv_shape shapes[] = {
        {.layers = 3, .kv_heads = 2, .head_dim = 32, .bf16 = true},
        {.layers = 1, .kv_heads = 5, .head_dim = 6, .bf16 = false},
    };
    for (int s = 0; s < 2; s++) {
        const aim_kv_shape *k = &shapes[s];
        size_t element = k->bf16 ? 2 : 4, head = B * (size_t)k->head_dim * element;
        size_t layer = 2 * (size_t)k->kv_heads * head;
        aim_kv_cache *kv = aim_kv_new(k, 4, true, NULL);
        ck_assert_uint_eq(aim_kv_block_bytes(k), (size_t)k->layers * layer);
        ck_assert_uint_eq(aim_kv_value_offset(kv), layer / 2);
        ck_assert_int_eq(aim_kv_is_bf16(kv), k->bf16);
        aim_attention a = {0};
        for (int l = 0; l < k->layers; l++) {
            aim_kv_layer(kv, l, &a);
            ck_assert_int_eq(a.kv_heads, k->kv_heads);
            ck_assert_int_eq(a.head_dim, k->head_dim);
            ck_assert_int_eq(a.block_tokens, B);
            ck_assert_int_eq(a.kv_is_bf16 != 0, k->bf16);
            /* What the attention kernel computes and where we write agree. */
            for (int32_t b = 0; b < 4; b++)
                for (int h = 0; h < k->kv_heads; h++)
                    ck_assert_ptr_eq(aim_kv_key(kv, l, b, h, 3),
                                     a.base + (size_t)b * a.block_stride + (size_t)h * head +
                                         3 * (size_t)k->head_dim * element);
        }
        aim_kv_free(kv);
    }
}
END_TEST

START_TEST(takes_until_empty)
{
    aim_kv_cache *kv = new_cache(5);
    bool seen[5] = {false};
    for (int i = 0; i < 5; i++) {
        int32_t b = aim_kv_take(kv);
        ck_assert(b >= 0 && b < 5 && !seen[b]);
        seen[b] = true;
        ck_assert_int_eq(aim_kv_held(kv), i + 1);
    }
    ck_assert_int_eq(aim_kv_take(kv), -1);
    ck_assert_int_eq(aim_kv_available(kv), 0);
    aim_kv_hold(kv, 3);
    aim_kv_release(kv, 3);
    ck_assert_int_eq(aim_kv_available(kv), 0);
    aim_kv_release(kv, 3);
    ck_assert_int_eq(aim_kv_available(kv), 1);
    ck_assert_int_eq(aim_kv_take(kv), 3);
    aim_kv_free(kv);
}
END_TEST

START_TEST(new_fails_cleanly)
{
    const aim_kv_shape huge = {.layers = 1024, .kv_heads = 1024, .head_dim = 1024, .bf16 = false};
    aim_error err = {0};
    ck_assert_ptr_null(aim_kv_new(&small, 0, true, &err));
    ck_assert_int_eq(err.code, AIM_EINVAL);
    err = (aim_error){0};
    ck_assert_ptr_null(aim_kv_new(&huge, 1 << 30, true, &err));
    ck_assert_int_ne(err.code, AIM_OK);
    aim_kv_cache *kv;
    int n = -1;
    do {
        err = (aim_error){0};
        aim_alloc_fail_after(++n);
        kv = aim_kv_new(&small, 8, true, &err);
        aim_alloc_fail_after(-1);
        ck_assert(kv || err.code == AIM_ENOMEM);
    } while (!kv);
    ck_assert_int_eq(n, 4);
    aim_kv_free(kv);
    aim_kv_free(NULL);
}
END_TEST

/* Nothing after aim_kv_new may allocate: the engine counts on it. */
START_TEST(operations_do_not_allocate)
{
    aim_kv_cache *kv = new_cache(8);
    int32_t tokens[3 * B], table[3], again[3];
    count_up(tokens, 3 * B, 0);
    aim_alloc_fail_after(0);
    for (int i = 0; i < 3; i++) {
        table[i] = aim_kv_take(kv);
        aim_kv_register(kv, 0, table, i, tokens);
    }
    ck_assert_int_eq(aim_kv_match(kv, 0, tokens, 3 * B, again), 3);
    ck_assert(aim_kv_make_writable(kv, &again[2]));
    aim_alloc_fail_after(-1);
    ck_assert_int_ge(again[2], 0);
    aim_kv_free(kv);
}
END_TEST

START_TEST(write_copies_what_is_shared)
{
    aim_kv_cache *kv = new_cache(4);
    int32_t a = aim_kv_take(kv), b = a;
    memset(aim_kv_key(kv, 0, a, 0, 0), 0x5A, aim_kv_block_bytes(&small));

    ck_assert(aim_kv_make_writable(kv, &b)); /* the only holder: in place */
    ck_assert_int_eq(b, a);

    aim_kv_hold(kv, a);
    ck_assert(aim_kv_make_writable(kv, &b));
    ck_assert_int_ne(b, a);
    ck_assert_int_eq(aim_kv_held(kv), 2);
    ck_assert_mem_eq(aim_kv_key(kv, 0, a, 0, 0), aim_kv_key(kv, 0, b, 0, 0),
                     aim_kv_block_bytes(&small));

    aim_kv_hold(kv, a); /* shared, and no room for a copy */
    aim_kv_take(kv);
    aim_kv_take(kv);
    b = a;
    ck_assert(!aim_kv_make_writable(kv, &b));
    ck_assert_int_eq(b, a);
    aim_kv_free(kv);
}
END_TEST

/* A registered block may be found by anybody at any time: its only holder does
 * not write it either. */
START_TEST(write_copies_what_is_registered)
{
    aim_kv_cache *kv = new_cache(4);
    int32_t tokens[B], table[1], found[1];
    count_up(tokens, B, 0);
    table[0] = aim_kv_take(kv);
    aim_kv_register(kv, 0, table, 0, tokens);
    int32_t mine = table[0];
    ck_assert(aim_kv_make_writable(kv, &mine));
    ck_assert_int_ne(mine, table[0]);
    ck_assert_int_eq(aim_kv_held(kv), 1);
    ck_assert_int_eq(aim_kv_match(kv, 0, tokens, B, found), 1);
    ck_assert_int_eq(found[0], table[0]);
    aim_kv_free(kv);
}
END_TEST

/* Take and register the whole blocks of tokens. */
static void fill(aim_kv_cache *kv, uint64_t salt, const int32_t *tokens, int n_blocks,
                 int32_t *table)
{
    for (int i = 0; i < n_blocks; i++) {
        table[i] = aim_kv_take(kv);
        ck_assert_int_ge(table[i], 0);
        aim_kv_register(kv, salt, table, i, tokens);
    }
}

static void release_all(aim_kv_cache *kv, const int32_t *table, int n)
{
    while (n > 0)
        aim_kv_release(kv, table[--n]);
}

/* How many blocks match, without keeping them. */
static int matched(aim_kv_cache *kv, uint64_t salt, const int32_t *tokens, int max_tokens)
{
    int32_t table[16];
    int n = aim_kv_match(kv, salt, tokens, max_tokens, table);
    release_all(kv, table, n);
    return n;
}

START_TEST(match_finds_whole_equal_blocks)
{
    aim_kv_cache *kv = new_cache(16);
    int32_t tokens[4 * B], table[4];
    count_up(tokens, 4 * B, 0);
    fill(kv, 0, tokens, 3, table);
    ck_assert_int_eq(matched(kv, 0, tokens, 4 * B), 3);
    ck_assert_int_eq(matched(kv, 0, tokens, 3 * B), 3);
    ck_assert_int_eq(matched(kv, 0, tokens, 3 * B - 1), 2);
    ck_assert_int_eq(matched(kv, 0, tokens, B - 1), 0);
    ck_assert_int_eq(matched(kv, 0, tokens, 0), 0);
    ck_assert_int_eq(matched(kv, 7, tokens, 3 * B), 0); /* another salt */
    for (int at = 0; at < 3 * B; at++) {                /* one token differs */
        tokens[at] ^= 1;
        ck_assert_int_eq(matched(kv, 0, tokens, 3 * B), at / B);
        tokens[at] ^= 1;
    }
    release_all(kv, table, 3);
    ck_assert_int_eq(aim_kv_held(kv), 0);
    ck_assert_int_eq(matched(kv, 0, tokens, 3 * B), 3); /* kept when nobody holds */
    aim_kv_free(kv);
}
END_TEST

/* The second block of one prompt has the tokens of the second block of another,
 * but another beginning: its keys and values differ. */
START_TEST(equal_block_under_another_beginning_is_not_equal)
{
    aim_kv_cache *kv = new_cache(16);
    int32_t one[2 * B], two[2 * B], table[2];
    count_up(one, 2 * B, 0);
    memcpy(two, one, sizeof two);
    two[0] = 99;
    fill(kv, 0, one, 2, table);
    ck_assert_int_eq(matched(kv, 0, two, 2 * B), 0);
    aim_kv_free(kv);
}
END_TEST

/* Nor does a second block match as a first one, nor a serial as a salt. Many
 * contents, so that some fall into the bucket that is searched. */
START_TEST(second_block_is_not_a_first_one)
{
    for (int content = 0; content < 500; content++) {
        aim_kv_cache *kv = new_cache(4);
        int32_t tokens[2 * B], table[2];
        count_up(tokens, 2 * B, content);
        fill(kv, 0, tokens, 2, table);
        for (uint64_t salt = 0; salt < 4; salt++)
            ck_assert_int_eq(matched(kv, salt, tokens + B, B), 0);
        aim_kv_free(kv);
    }
}
END_TEST

/* Two sequences compute the same prompt at the same time: the first to register
 * wins, and the second goes on registering behind the first one's chain. */
START_TEST(second_registration_keeps_the_first)
{
    aim_kv_cache *kv = new_cache(16);
    int32_t tokens[3 * B], one[3], two[3], found[3];
    count_up(tokens, 3 * B, 0);
    fill(kv, 0, tokens, 2, one);
    fill(kv, 0, tokens, 3, two); /* its third block is new */
    ck_assert_int_eq(aim_kv_match(kv, 0, tokens, 3 * B, found), 3);
    ck_assert_int_eq(found[0], one[0]);
    ck_assert_int_eq(found[1], one[1]);
    ck_assert_int_eq(found[2], two[2]);
    release_all(kv, found, 3);
    release_all(kv, two, 3);
    release_all(kv, one, 2);
    ck_assert_int_eq(aim_kv_held(kv), 0);
    ck_assert_int_eq(matched(kv, 0, tokens, 3 * B), 3);
    aim_kv_free(kv);
}
END_TEST

/* A block behind one of unknown content cannot be found by anybody: it is not
 * registered, so its holder may write it in place. */
static void check_not_registered(aim_kv_cache *kv, int32_t *table, const int32_t *tokens)
{
    int32_t before = table[1];
    aim_kv_register(kv, 0, table, 1, tokens);
    ck_assert(aim_kv_make_writable(kv, &table[1]));
    ck_assert_int_eq(table[1], before);
    ck_assert_int_lt(matched(kv, 0, tokens, 2 * B), 2);
}

START_TEST(chain_with_a_gap_is_not_registered)
{
    aim_kv_cache *kv = new_cache(8);
    int32_t tokens[2 * B], table[2];
    count_up(tokens, 2 * B, 0);
    table[0] = aim_kv_take(kv);
    table[1] = aim_kv_take(kv);
    check_not_registered(kv, table, tokens);
    aim_kv_free(kv);
}
END_TEST

/* The block before was equal to a registered one, until it was written. */
START_TEST(written_block_leaves_its_chain)
{
    aim_kv_cache *kv = new_cache(8);
    int32_t tokens[2 * B], first[1], table[2];
    count_up(tokens, 2 * B, 0);
    fill(kv, 0, tokens, 1, first);
    fill(kv, 0, tokens, 1, table);
    table[1] = aim_kv_take(kv);
    ck_assert(aim_kv_make_writable(kv, &table[0]));
    check_not_registered(kv, table, tokens);
    aim_kv_free(kv);
}
END_TEST

/* The block before held something registered, until it was evicted. */
START_TEST(evicted_block_leaves_its_chain)
{
    aim_kv_cache *kv = new_cache(2);
    int32_t tokens[2 * B], table[2];
    count_up(tokens, 2 * B, 0);
    fill(kv, 0, tokens, 1, table);
    aim_kv_release(kv, table[0]);
    table[1] = aim_kv_take(kv);
    table[0] = aim_kv_take(kv);
    check_not_registered(kv, table, tokens);
    aim_kv_free(kv);
}
END_TEST

/* The block before held a copy of something registered, until it was released. */
START_TEST(released_copy_leaves_its_chain)
{
    aim_kv_cache *kv = new_cache(2);
    int32_t tokens[2 * B], first[1], table[2];
    count_up(tokens, 2 * B, 0);
    fill(kv, 0, tokens, 1, first);
    fill(kv, 0, tokens, 1, table);
    aim_kv_release(kv, table[0]);
    table[0] = aim_kv_take(kv);
    aim_kv_release(kv, first[0]);
    table[1] = aim_kv_take(kv);
    check_not_registered(kv, table, tokens);
    aim_kv_free(kv);
}
END_TEST

START_TEST(evicts_oldest_released_first)
{
    aim_kv_cache *kv = new_cache(4);
    int32_t tokens[4][B], table[4][1];
    for (int i = 0; i < 4; i++) {
        count_up(tokens[i], B, 100 * i);
        fill(kv, 0, tokens[i], 1, table[i]);
    }
    const int order[] = {2, 0, 3, 1};
    for (int i = 0; i < 4; i++)
        aim_kv_release(kv, table[order[i]][0]);
    ck_assert_int_eq(aim_kv_available(kv), 4);
    for (int i = 0; i < 4; i++) {
        int32_t found[1];
        ck_assert_int_eq(aim_kv_take(kv), table[order[i]][0]);
        ck_assert_int_eq(aim_kv_match(kv, 0, tokens[order[i]], B, found), 0);
    }
    ck_assert_int_eq(aim_kv_take(kv), -1);
    aim_kv_free(kv);
}
END_TEST

START_TEST(a_match_saves_a_block_from_eviction)
{
    aim_kv_cache *kv = new_cache(2);
    int32_t tokens[2][B], table[2][1], found[1];
    for (int i = 0; i < 2; i++) {
        count_up(tokens[i], B, 100 * i);
        fill(kv, 0, tokens[i], 1, table[i]);
        aim_kv_release(kv, table[i][0]);
    }
    ck_assert_int_eq(aim_kv_match(kv, 0, tokens[0], B, found), 1);
    ck_assert_int_eq(aim_kv_take(kv), table[1][0]);
    ck_assert_int_eq(aim_kv_take(kv), -1);
    aim_kv_free(kv);
}
END_TEST

START_TEST(prefix_cache_off)
{
    aim_kv_cache *kv = aim_kv_new(&small, 4, false, NULL);
    int32_t tokens[B], table[1];
    count_up(tokens, B, 0);
    fill(kv, 0, tokens, 1, table);
    ck_assert_int_eq(matched(kv, 0, tokens, B), 0);
    int32_t mine = table[0];
    ck_assert(aim_kv_make_writable(kv, &mine)); /* not registered: in place */
    ck_assert_int_eq(mine, table[0]);
    aim_kv_free(kv);
}
END_TEST

/* ---- random operations beside a model --------------------------------------- */

/* Sequences over a tiny alphabet of blocks, so that prompts share beginnings all
 * the time. Each block of memory carries the tokens of the whole sequence up to
 * its end, as real keys and values depend on all of them: whatever the cache
 * hands out must carry what its new holder would have written. */
enum { BLOCKS = 24, SEQUENCES = 6, LONGEST = 8, STEPS = 60000 };

struct sequence {
    int n, registered;
    int32_t table[LONGEST];
    int32_t tokens[LONGEST * B];
};

static unsigned state;

static unsigned random_below(unsigned n)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % n;
}

static uint32_t content_of(const struct sequence *s, int block)
{
    uint32_t h = 2166136261u;
    for (int i = 0; i < (block + 1) * B; i++)
        h = (h ^ (uint32_t)s->tokens[i]) * 16777619u;
    return h;
}

static void write_content(aim_kv_cache *kv, const struct sequence *s, int block)
{
    uint32_t h = content_of(s, block);
    memcpy(aim_kv_key(kv, 1, s->table[block], 0, 5), &h, sizeof h);
}

static void check_content(aim_kv_cache *kv, const struct sequence *s)
{
    for (int i = 0; i < s->n; i++) {
        uint32_t h;
        memcpy(&h, aim_kv_key(kv, 1, s->table[i], 0, 5), sizeof h);
        ck_assert_uint_eq(h, content_of(s, i));
    }
}

static void invent_tokens(struct sequence *s)
{
    for (int block = 0; block < LONGEST; block++)
        count_up(s->tokens + block * B, B, 100 * (int)random_below(2));
}

static void start(aim_kv_cache *kv, struct sequence *s)
{
    invent_tokens(s);
    s->n = aim_kv_match(kv, 0, s->tokens, LONGEST * B, s->table);
    s->registered = s->n;
}

/* One more block, computed and perhaps registered. */
static void extend(aim_kv_cache *kv, struct sequence *s)
{
    if (s->n == LONGEST)
        return;
    int available = aim_kv_available(kv);
    int32_t b = aim_kv_take(kv);
    ck_assert_int_eq(b >= 0, available > 0);
    if (b < 0)
        return;
    s->table[s->n++] = b;
    write_content(kv, s, s->n - 1);
    while (random_below(3) && s->registered < s->n)
        aim_kv_register(kv, 0, s->table, s->registered++, s->tokens);
}

/* A candidate that shares everything, then writes its last block anew. */
static void fork_sequence(aim_kv_cache *kv, const struct sequence *from, struct sequence *to)
{
    *to = *from;
    for (int i = 0; i < to->n; i++)
        aim_kv_hold(kv, to->table[i]);
    if (to->n == 0 || !aim_kv_make_writable(kv, &to->table[to->n - 1]))
        return;
    to->tokens[to->n * B - 1] = 1000 + (int)random_below(3);
    to->registered = to->registered < to->n ? to->registered : to->n - 1;
    write_content(kv, to, to->n - 1);
}

static void finish(aim_kv_cache *kv, struct sequence *s)
{
    release_all(kv, s->table, s->n);
    s->n = s->registered = 0;
}

/* Blocks in some table, each counted once: that is what must be held. */
static void check_counts(const aim_kv_cache *kv, const struct sequence *all)
{
    bool held[BLOCKS] = {false};
    int n = 0;
    for (int s = 0; s < SEQUENCES; s++)
        for (int i = 0; i < all[s].n; i++) {
            n += !held[all[s].table[i]];
            held[all[s].table[i]] = true;
        }
    ck_assert_int_eq(aim_kv_held(kv), n);
    ck_assert_int_eq(aim_kv_available(kv), BLOCKS - n);
}

START_TEST(random_operations)
{
    state = (unsigned)_i + 1;
    aim_kv_cache *kv = new_cache(BLOCKS);
    struct sequence all[SEQUENCES] = {0};
    int hits = 0;
    for (int step = 0; step < STEPS; step++) {
        struct sequence *s = &all[random_below(SEQUENCES)], *t = &all[random_below(SEQUENCES)];
        switch (random_below(8)) {
        case 0:
            finish(kv, s);
            break;
        case 1:
            if (s->n == 0) {
                start(kv, s);
                hits += s->n;
            }
            break;
        case 2:
            if (s->n == 0 && t->n > 0)
                fork_sequence(kv, t, s);
            break;
        default:
            if (s->n > 0 || random_below(2))
                extend(kv, s);
        }
        check_content(kv, s);
        check_counts(kv, all);
    }
    ck_assert_int_gt(hits, 100);
    for (int i = 0; i < SEQUENCES; i++)
        finish(kv, &all[i]);
    ck_assert_int_eq(aim_kv_available(kv), BLOCKS);
    for (int i = 0; i < BLOCKS; i++) /* every block comes back */
        ck_assert_int_ge(aim_kv_take(kv), 0);
    ck_assert_int_eq(aim_kv_take(kv), -1);
    aim_kv_free(kv);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("kv_cache");
    TCase *t = tcase_create("blocks");
    tcase_add_test(t, sizes_and_addresses);
    tcase_add_test(t, takes_until_empty);
    tcase_add_test(t, new_fails_cleanly);
    tcase_add_test(t, operations_do_not_allocate);
    tcase_add_test(t, write_copies_what_is_shared);
    tcase_add_test(t, write_copies_what_is_registered);
    suite_add_tcase(s, t);
    t = tcase_create("prefix");
    tcase_add_test(t, match_finds_whole_equal_blocks);
    tcase_add_test(t, equal_block_under_another_beginning_is_not_equal);
    tcase_add_test(t, second_registration_keeps_the_first);
    tcase_add_test(t, second_block_is_not_a_first_one);
    tcase_add_test(t, chain_with_a_gap_is_not_registered);
    tcase_add_test(t, written_block_leaves_its_chain);
    tcase_add_test(t, evicted_block_leaves_its_chain);
    tcase_add_test(t, released_copy_leaves_its_chain);
    tcase_add_test(t, evicts_oldest_released_first);
    tcase_add_test(t, a_match_saves_a_block_from_eviction);
    tcase_add_test(t, prefix_cache_off);
    suite_add_tcase(s, t);
    t = tcase_create("random");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, random_operations, 0, 4);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
