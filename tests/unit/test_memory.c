/* SPDX-License-Identifier: Apache-2.0 */
/* What is read about memory, out of trees of files like those of the kernel. */
#include "base/alloc.h"
#include "base/memory.h"
#include "tests/unit/fake_tree.h"

#include <check.h>

#define MEMINFO                                                                                    \
    "MemTotal:       1000 kB\nMemFree:  100 kB\nMemAvailable:    800 kB\nActive(file): 5 kB\n"
#define V2_GROUP "/sys/fs/cgroup/system.slice/analogd.service/"
#define V1_GROUP "/sys/fs/cgroup/memory/box/"
enum { KIB = 1024 };

static const struct memory_case {
    const char *what;
    struct fake_file files[MAX_FAKE_FILES];
    uint64_t total, available;
} cases[] = {
    {"the machine alone", {{"/proc/meminfo", MEMINFO}}, 1000 * KIB, 800 * KIB},
    {"nodes, where meminfo is hidden",
     {{"/sys/devices/system/node/node0/meminfo",
       "Node 0 MemTotal: 600 kB\nNode 0 MemFree: 100 kB\nNode 0 Active: 99 kB\n"
       "Node 0 Active(file): 20 kB\nNode 0 Inactive(file): 30 kB\nNode 0 SReclaimable: 4 kB\n"},
      {"/sys/devices/system/node/node1/meminfo",
       "Node 1 MemTotal: 400 kB\nNode 1 MemFree: 7 kB\n"}},
     1000 * KIB,
     161 * KIB},
    {"version 2, no limit",
     {{"/proc/meminfo", MEMINFO},
      {"/proc/self/cgroup", "0::/system.slice/analogd.service\n"},
      {V2_GROUP "memory.max", "max\n"},
      {V2_GROUP "memory.current", "999999\n"}},
     1000 * KIB,
     800 * KIB},
    {"version 2, a limit; file pages can be had back",
     {{"/proc/meminfo", MEMINFO},
      {"/proc/self/cgroup", "0::/system.slice/analogd.service\n"},
      {V2_GROUP "memory.max", "500000\n"},
      {V2_GROUP "memory.current", "300000\n"},
      {V2_GROUP "memory.stat", "anon 1\nactive_file 40000\ninactive_file 50000\nfile 123\n"
                               "slab_reclaimable 10000\n"}},
     500000,
     300000},
    {"version 2, memory.high is the smaller one",
     {{"/proc/meminfo", MEMINFO},
      {"/proc/self/cgroup", "0::/system.slice/analogd.service\n"},
      {V2_GROUP "memory.max", "500000\n"},
      {V2_GROUP "memory.high", "400000\n"},
      {V2_GROUP "memory.current", "300000\n"}},
     400000,
     100000},
    {"version 2, the group around it is the narrower one",
     {{"/proc/meminfo", MEMINFO},
      {"/proc/self/cgroup", "0::/system.slice/analogd.service\n"},
      {V2_GROUP "memory.max", "500000\n"},
      {V2_GROUP "memory.current", "0\n"},
      {"/sys/fs/cgroup/system.slice/memory.max", "200000\n"},
      {"/sys/fs/cgroup/system.slice/memory.current", "150000\n"}},
     200000,
     50000},
    {"version 2, the group around it is wider but nearly full",
     {{"/proc/meminfo", "MemTotal: 33554432 kB\nMemAvailable: 30000000 kB\n"},
      {"/proc/self/cgroup", "0::/system.slice/analogd.service\n"},
      {V2_GROUP "memory.max", "4294967296\n"},
      {V2_GROUP "memory.current", "1048576\n"},
      {"/sys/fs/cgroup/system.slice/memory.max", "8589934592\n"},
      {"/sys/fs/cgroup/system.slice/memory.current", "8283750400\n"}},
     4194304ULL * KIB,
     299008 * KIB},
    {"version 2 in a container: only the mount is there",
     {{"/proc/meminfo", MEMINFO},
      {"/proc/self/cgroup", "0::/somewhere/on/the:host\n"},
      {"/sys/fs/cgroup/memory.max", "250000\n"},
      {"/sys/fs/cgroup/memory.current", "400000\n"}},
     250000,
     0},
    {"version 1",
     {{"/proc/meminfo", MEMINFO},
      {"/proc/self/cgroup", "5:memory_other:/no\n4:cpu,memory:/box\n0::/no\n"},
      {V1_GROUP "memory.limit_in_bytes", "300000\n"},
      {V1_GROUP "memory.usage_in_bytes", "200000\n"},
      {V1_GROUP "memory.stat", "cache 9\ninactive_file 7\ntotal_active_file 1000\n"
                               "total_inactive_file 2000\n"}},
     300000,
     103000},
    {"version 1, no limit",
     {{"/proc/meminfo", MEMINFO},
      {"/proc/self/cgroup", "4:memory:/box\n"},
      {V1_GROUP "memory.limit_in_bytes", "9223372036854771712\n"},
      {V1_GROUP "memory.usage_in_bytes", "200000\n"}},
     1000 * KIB,
     800 * KIB},
    {"a group with more room than the machine has free",
     {{"/proc/meminfo", MEMINFO},
      {"/proc/self/cgroup", "0::/\n"},
      {"/sys/fs/cgroup/memory.max", "1000000\n"},
      {"/sys/fs/cgroup/memory.current", "10\n"}},
     1000000,
     800 * KIB},
};
enum { N_CASES = sizeof cases / sizeof cases[0] };

START_TEST(what_the_kernel_tells_is_read)
{
    char root[] = FAKE_ROOT;
    const struct memory_case *c = &cases[_i];
    make_tree(root, c->files);
    aim_memory m = aim_memory_read(root);
    ck_assert_msg(m.total == c->total && m.available == c->available, "%s: %llu of %llu", c->what,
                  (unsigned long long)m.available, (unsigned long long)m.total);
    remove_tree(root, c->files);
}
END_TEST

/* No file at all: the C library knows. */
START_TEST(a_bare_system_is_known)
{
    aim_memory m = aim_memory_read("/nonexistent");
    ck_assert_uint_gt(m.total, 1 << 20);
    ck_assert_uint_gt(m.available, 0);
    ck_assert_uint_le(m.available, m.total);
}
END_TEST

START_TEST(this_machine_is_known)
{
    aim_memory m = aim_memory_read("");
    ck_assert_uint_gt(m.total, 1 << 20);
    ck_assert_uint_le(m.available, m.total);
}
END_TEST

START_TEST(touched_memory_is_counted)
{
    enum { BYTES = 64 << 20 };
    uint64_t before = aim_memory_anonymous();
    volatile char *p = aim_big_alloc(BYTES);
    ck_assert_ptr_nonnull((void *)p);
    ck_assert_uint_lt(aim_memory_anonymous(), before + BYTES / 2);
    for (size_t i = 0; i < BYTES; i += 1024)
        p[i] = 1;
    ck_assert_uint_ge(aim_memory_anonymous(), before + BYTES / 2);
    aim_big_free((void *)p, BYTES);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("memory");
    TCase *tc = tcase_create("memory");
    tcase_add_loop_test(tc, what_the_kernel_tells_is_read, 0, N_CASES);
    tcase_add_test(tc, a_bare_system_is_known);
    tcase_add_test(tc, this_machine_is_known);
    tcase_add_test(tc, touched_memory_is_counted);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
