/* SPDX-License-Identifier: Apache-2.0 */
/* The work pool: each task once, memory ordered, idle threads asleep. Run
 * under ThreadSanitizer to check the ordering itself. */
#include "base/alloc.h"
#include "base/pool.h"

#include <check.h>
#include <stdatomic.h>
#include <time.h>

enum { MAX_TASKS = 1000 };

struct tally {
    int seen[MAX_TASKS]; /* plain: each task writes its own */
    int input, threads;  /* plain: written by the owner before the run */
    _Atomic int bad_worker;
};

static void count(void *arg, int task, int worker)
{
    struct tally *t = arg;
    t->seen[task] += t->input;
    if (worker < 0 || worker >= t->threads)
        atomic_fetch_add(&t->bad_worker, 1);
}

/* Runs in quick succession, of sizes from none to many, so that workers come
 * late, join a run that is closing, or sleep in between. */
START_TEST(each_task_runs_once)
{
    static const int sizes[] = {0, 1, 2, 3, 17, MAX_TASKS};
    aim_pool *pool = aim_pool_new(_i, NULL);
    static struct tally t;
    t.threads = aim_pool_threads(pool);
    ck_assert_int_eq(t.threads, _i);
    for (int round = 0; round < 3000; round++) {
        int n = sizes[round % 6];
        t.input = round;
        for (int i = 0; i < n; i++)
            t.seen[i] = 1;
        aim_pool_run(pool, count, &t, n);
        for (int i = 0; i < n; i++)
            if (t.seen[i] != 1 + round) /* no assertion: passed ones cost a system call each */
                ck_abort_msg("task %d of %d ran %d times", i, n,
                             (t.seen[i] - 1) / (round ? round : 1));
    }
    ck_assert_int_eq(t.bad_worker, 0);
    aim_pool_free(pool);
}
END_TEST

static void rest(long microseconds)
{
    nanosleep(&(struct timespec){.tv_nsec = microseconds * 1000}, NULL);
}

/* Pauses around the time workers go to sleep: no wake-up may be lost. */
START_TEST(sleeping_workers_wake)
{
    aim_pool *pool = aim_pool_new(4, NULL);
    static struct tally t;
    t.threads = 4;
    t.input = 1;
    for (int round = 0; round < 300; round++) {
        rest(round * 5 % 700);
        aim_pool_run(pool, count, &t, 8);
    }
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(t.seen[i], 300);
    aim_pool_free(pool);
}
END_TEST

struct meeting {
    _Atomic int present;
};

static void wait_for_the_other(void *arg, int task, int worker)
{
    struct meeting *m = arg;
    (void)task;
    (void)worker;
    atomic_fetch_add(&m->present, 1);
    while (atomic_load(&m->present) < 2)
        rest(50);
}

/* Two tasks that wait for each other end only if two threads work. */
START_TEST(workers_take_part)
{
    aim_pool *pool = aim_pool_new(2, NULL);
    for (int round = 0; round < 20; round++) {
        struct meeting m = {0};
        aim_pool_run(pool, wait_for_the_other, &m, 2);
        ck_assert_int_eq(m.present, 2);
        rest(round % 2 ? 0 : 1000);
    }
    aim_pool_free(pool);
}
END_TEST

enum { SHARERS = 4, SHARED_TASKS = 22 };

struct sharing {
    _Atomic int present, first[SHARERS], done;
};

/* Threads wait for each other at their first tasks. */
static void note_first(void *arg, int task, int worker)
{
    struct sharing *s = arg;
    int none = -1;
    if (atomic_compare_exchange_strong(&s->first[worker], &none, task))
        atomic_fetch_add(&s->present, 1);
    while (atomic_load(&s->present) < SHARERS)
        rest(50);
}

START_TEST(threads_begin_with_their_shares)
{
    aim_pool *pool = aim_pool_new(SHARERS, NULL);
    for (int round = 0; round < 20; round++) {
        struct sharing s = {.first = {-1, -1, -1, -1}};
        aim_pool_run(pool, note_first, &s, SHARED_TASKS);
        for (int i = 0; i < SHARERS; i++)
            ck_assert_int_eq(s.first[i], aim_pool_share(pool, SHARED_TASKS, i));
    }
    ck_assert_int_eq(aim_pool_share(pool, SHARED_TASKS, 0), 0);
    ck_assert_int_eq(aim_pool_share(pool, SHARED_TASKS, SHARERS), SHARED_TASKS);
    aim_pool_free(pool);
}
END_TEST

/* Pretended nodes: the CPUs of this process, cut in two. */
static void two_nodes(aim_cpu_map *map)
{
    aim_cpu_set mask;
    aim_cpu_affinity(&mask);
    aim_cpu_map_make("", &mask, map);
    for (int i = 0; i < map->n_cpus; i++)
        map->node[i] = i >= map->n_cpus / 2;
}

struct places {
    _Atomic int present;
    aim_cpu_set of[SHARERS];
};

/* Each thread has one task, since all wait for each other. */
static void note_place(void *arg, int task, int worker)
{
    struct places *p = arg;
    (void)task;
    aim_cpu_affinity(&p->of[worker]);
    atomic_fetch_add(&p->present, 1);
    while (atomic_load(&p->present) < SHARERS)
        rest(50);
}

/* With one CPU there is one node, and nothing happens. */
START_TEST(threads_keep_to_their_nodes)
{
    static struct places kept;
    aim_cpu_map map;
    aim_cpu_set all, before, place, now;
    two_nodes(&map);
    aim_cpu_affinity(&all);
    aim_pool *pool = aim_pool_new_on(&map, SHARERS, NULL);
    aim_pool_bind_owner(pool, &before);
    aim_pool_run(pool, note_place, &kept, SHARERS);
    aim_cpu_keep_to(&before, NULL);
    for (int i = 0; i < SHARERS; i++) {
        aim_cpu_place(&map, i, SHARERS, &place);
        ck_assert_mem_eq(&kept.of[i], map.n_cpus > 1 ? &place : &all, sizeof place);
    }
    aim_cpu_affinity(&now);
    ck_assert_mem_eq(&now, &all, sizeof now);
    aim_pool_free(pool);
}
END_TEST

/* A thread in its first task until all others are done: by threads that have long been
 * through with their own shares. */
static void linger(void *arg, int task, int worker)
{
    struct sharing *s = arg;
    (void)worker;
    while (task == 0 && atomic_load(&s->done) < SHARED_TASKS - 1)
        rest(50);
    atomic_fetch_add(&s->done, 1);
}

START_TEST(shares_of_the_slow_are_taken)
{
    aim_pool *pool = aim_pool_new(SHARERS, NULL);
    for (int round = 0; round < 50; round++) {
        struct sharing s = {0};
        aim_pool_run(pool, linger, &s, SHARED_TASKS);
        ck_assert_int_eq(s.done, SHARED_TASKS);
    }
    aim_pool_free(pool);
}
END_TEST

START_TEST(idle_pool_uses_no_cpu)
{
    aim_pool *pool = aim_pool_new(4, NULL);
    struct timespec before, after;
    rest(100000); /* past the spinning */
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    rest(300000);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    double used =
        (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) * 1e-9;
    ck_assert_double_lt(used, 0.03); /* four spinning workers would use up to 1.2 s */
    aim_pool_free(pool);
}
END_TEST

START_TEST(pools_come_and_go)
{
    for (int i = 0; i < 100; i++)
        aim_pool_free(aim_pool_new(1 + i % 5, NULL));
    aim_pool_free(NULL);
}
END_TEST

START_TEST(failures_are_reported)
{
    aim_error err = {0};
    ck_assert_ptr_null(aim_pool_new(0, &err));
    ck_assert_int_eq(err.code, AIM_EINVAL);
    aim_pool *pool = NULL;
    int n = 0;
    while (!pool) {
        err = (aim_error){0};
        aim_alloc_fail_after(n++);
        pool = aim_pool_new(3, &err);
        aim_alloc_fail_after(-1);
        ck_assert_int_eq(err.code, pool ? AIM_OK : AIM_ENOMEM);
    }
    ck_assert_int_eq(n, 6); /* the pool, its two lists and two workers, each failed once */
    aim_pool_free(pool);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pool");
    TCase *t = tcase_create("pool");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, each_task_runs_once, 1, 6);
    tcase_add_test(t, sleeping_workers_wake);
    tcase_add_test(t, workers_take_part);
    tcase_add_test(t, threads_begin_with_their_shares);
    tcase_add_test(t, threads_keep_to_their_nodes);
    tcase_add_test(t, shares_of_the_slow_are_taken);
    tcase_add_test(t, idle_pool_uses_no_cpu);
    tcase_add_test(t, pools_come_and_go);
    tcase_add_test(t, failures_are_reported);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
