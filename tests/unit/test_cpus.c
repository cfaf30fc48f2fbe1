/* SPDX-License-Identifier: Apache-2.0 */
/* CPUs, their nodes and what control groups leave of them, out of trees of files like
 * those of the kernel. */
#include "base/cpus.h"
#include "tests/unit/fake_tree.h"

#define V2_GROUP "/sys/fs/cgroup/system.slice/analogd.service/"
#define V1_GROUP "/sys/fs/cgroup/cpu/outer/box/"

static const struct quota_case {
    const char *what;
    struct fake_file files[MAX_FAKE_FILES];
    int cpus;
} quotas[] = {
    {"nothing is known", {{0}}, 0},
    {"version 2, no quota",
     {{"/proc/self/cgroup", "0::/system.slice/analogd.service\n"},
      {V2_GROUP "cpu.max", "max 100000\n"}},
     0},
    {"version 2, whole CPUs",
     {{"/proc/self/cgroup", "0::/system.slice/analogd.service\n"},
      {V2_GROUP "cpu.max", "400000 100000\n"}},
     4},
    {"version 2, a part of a CPU counts as one",
     {{"/proc/self/cgroup", "0::/system.slice/analogd.service\n"},
      {V2_GROUP "cpu.max", "250000 100000\n"}},
     3},
    {"version 2, less than one CPU",
     {{"/proc/self/cgroup", "0::/system.slice/analogd.service\n"},
      {V2_GROUP "cpu.max", "1000 100000\n"}},
     1},
    {"version 2, the group around it is the narrower one",
     {{"/proc/self/cgroup", "0::/system.slice/analogd.service\n"},
      {V2_GROUP "cpu.max", "800000 100000\n"},
      {"/sys/fs/cgroup/system.slice/cpu.max", "100000 50000\n"}},
     2},
    {"version 2, the group around it is the wider one",
     {{"/proc/self/cgroup", "0::/system.slice/analogd.service\n"},
      {V2_GROUP "cpu.max", "200000 100000\n"},
      {"/sys/fs/cgroup/system.slice/cpu.max", "900000 100000\n"}},
     2},
    {"version 2 in a container: only the mount is there",
     {{"/proc/self/cgroup", "0::/somewhere/on/the:host\n"},
      {"/sys/fs/cgroup/cpu.max", "300000 100000\n"}},
     3},
    {"version 1, with another controller",
     {{"/proc/self/cgroup", "5:cpuset:/no\n4:cpuacct,cpu:/outer/box\n0::/no\n"},
      {V1_GROUP "cpu.cfs_quota_us", "500000\n"},
      {V1_GROUP "cpu.cfs_period_us", "100000\n"}},
     5},
    {"version 1, no quota inside, one outside",
     {{"/proc/self/cgroup", "4:cpu:/outer/box\n"},
      {V1_GROUP "cpu.cfs_quota_us", "-1\n"},
      {V1_GROUP "cpu.cfs_period_us", "100000\n"},
      {"/sys/fs/cgroup/cpu/outer/cpu.cfs_quota_us", "100000\n"},
      {"/sys/fs/cgroup/cpu/outer/cpu.cfs_period_us", "100000\n"}},
     1},
    {"a quota without a period",
     {{"/proc/self/cgroup", "4:cpu:/outer/box\n"}, {V1_GROUP "cpu.cfs_quota_us", "500000\n"}},
     0},
    {"a period of nothing",
     {{"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/cpu.max", "100000 0\n"}},
     0},
    {"numbers beyond all machines",
     {{"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/cpu.max", "1e300 0.001\n"}},
     AIM_MAX_CPUS},
    {"no numbers",
     {{"/proc/self/cgroup", "::::\n\n0\n0:\n0::/\n"}, {"/sys/fs/cgroup/cpu.max", "nan nan\n"}},
     0},
    {"an empty file", {{"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/cpu.max", ""}}, 0},
};
enum { N_QUOTAS = sizeof quotas / sizeof quotas[0] };

START_TEST(quotas_of_groups_are_read)
{
    char root[] = FAKE_ROOT;
    const struct quota_case *c = &quotas[_i];
    make_tree(root, c->files);
    int cpus = aim_cpu_quota(root);
    ck_assert_msg(cpus == c->cpus, "%s: %d CPUs, not %d", c->what, c->cpus, cpus);
    remove_tree(root, c->files);
}
END_TEST

#define NODE(i) "/sys/devices/system/node/node" #i "/cpulist"

static const struct node_case {
    const char *what;
    struct fake_file files[MAX_FAKE_FILES];
    int nodes;
    const char *of_cpus; /* of the first ones, a digit each */
} node_cases[] = {
    {"nothing is known", {{0}}, 1, "0000"},
    {"one node", {{NODE(0), "0-3\n"}}, 1, "0000"},
    {"two nodes with two threads a core",
     {{NODE(0), "0-1,4-5\n"}, {NODE(1), "2-3,6-7\n"}},
     2,
     "00110011"},
    {"nodes with gaps between them", {{NODE(0), "0\n"}, {NODE(7), "1,3\n"}}, 2, "0101"},
    {"a node of memory alone", {{NODE(0), "\n"}, {NODE(1), "0-1\n"}, {NODE(2), "2\n"}}, 2, "001"},
    {"not a list", {{NODE(0), "all\n"}, {NODE(1), "-1\n"}, {NODE(2), ",\n"}}, 1, "0000"},
    {"the good beginning of a list", {{NODE(0), "0\n"}, {NODE(1), "1-2,x,3\n"}}, 2, "0110"},
    {"a range that ends before it begins", {{NODE(0), "0\n"}, {NODE(1), "3-1\n"}}, 1, "0000"},
    {"CPUs that there cannot be",
     {{NODE(0), "0\n"}, {NODE(1), "1,0-99999999999999999999\n"}, {NODE(2), "2,1024\n"}},
     3,
     "012"},
};
enum { N_NODE_CASES = sizeof node_cases / sizeof node_cases[0] };

START_TEST(nodes_are_read)
{
    char root[] = FAKE_ROOT;
    const struct node_case *c = &node_cases[_i];
    int node[AIM_MAX_CPUS];
    make_tree(root, c->files);
    ck_assert_msg(aim_cpu_nodes(root, node) == c->nodes, "%s", c->what);
    for (int i = 0; i < AIM_MAX_CPUS; i++) {
        int want = i < (int)strlen(c->of_cpus) ? c->of_cpus[i] - '0' : 0;
        ck_assert_msg(node[i] == want, "%s: CPU %d is of node %d", c->what, i, node[i]);
    }
    remove_tree(root, c->files);
}
END_TEST

/* A line that does not end may have lost a part of its last number. */
START_TEST(lines_too_long_are_refused)
{
    char root[] = FAKE_ROOT;
    static char list[10000];
    const struct fake_file files[MAX_FAKE_FILES] = {{NODE(0), "0-1\n"}, {NODE(1), list}};
    int node[AIM_MAX_CPUS];
    for (size_t i = 0; i + 4 < sizeof list; i += 4)
        memcpy(list + i, "123,", 5);
    strcpy(list + 9000, "3\n");
    make_tree(root, files);
    ck_assert_int_eq(aim_cpu_nodes(root, node), 1);
    ck_assert_int_eq(node[123], 0);
    remove_tree(root, files);
}
END_TEST

static void set_of(const char *members, aim_cpu_set *set)
{
    *set = (aim_cpu_set){0};
    for (int i = 0; members[i]; i++)
        set->has[i] = members[i] == 'x';
}

static const struct place_case {
    const char *what;
    struct fake_file files[MAX_FAKE_FILES];
    const char *mask; /* CPUs of the process */
    int threads;
    const char *places[5]; /* [threads], the CPUs of each, or "" */
} place_cases[] = {
    {"one node", {{NODE(0), "0-3\n"}}, "xxxx", 2, {"", ""}},
    {"no node is known", {{0}}, "xxxx", 2, {"", ""}},
    {"no CPU is known", {{NODE(0), "0-1\n"}, {NODE(1), "2-3\n"}}, "", 2, {"", ""}},
    {"one thread", {{NODE(0), "0-1\n"}, {NODE(1), "2-3\n"}}, "xxxx", 1, {""}},
    {"a thread a node", {{NODE(0), "0-1\n"}, {NODE(1), "2-3\n"}}, "xxxx", 2, {"xx", "--xx"}},
    {"two threads a node, and numbers that take turns",
     {{NODE(0), "0,2\n"}, {NODE(1), "1,3\n"}},
     "xxxx",
     4,
     {"x-x", "x-x", "-x-x", "-x-x"}},
    {"fewer threads than CPUs",
     {{NODE(0), "0-1\n"}, {NODE(1), "2-3\n"}},
     "xxxx",
     3,
     {"xx", "xx", "--xx"}},
    {"more threads than CPUs",
     {{NODE(0), "0\n"}, {NODE(1), "1\n"}},
     "xx",
     5,
     {"x", "x", "x", "-x", "-x"}},
    {"nodes with gaps between them and in them",
     {{NODE(1), "0,3\n"}, {NODE(6), "5\n"}},
     "x--x-x",
     3,
     {"x--x", "x--x", "-----x"}},
    {"a mask of one node's CPUs", {{NODE(0), "0-1\n"}, {NODE(1), "2-3\n"}}, "--xx", 2, {"", ""}},
    {"a mask of some CPUs of both",
     {{NODE(0), "0-1\n"}, {NODE(1), "2-3\n"}},
     "-x-x",
     2,
     {"-x", "---x"}},
    {"a CPU that two nodes claim", {{NODE(0), "0-1\n"}, {NODE(1), "1\n"}}, "xx", 2, {"x", "-x"}},
    {"a node that claims all", {{NODE(0), "0-1\n"}, {NODE(1), "0-1023\n"}}, "xx", 2, {"", ""}},
    {"lists of nothing",
     {{NODE(0), "0--1\n"}, {NODE(1), "-\n"}, {NODE(2), "1-\n"}},
     "xx",
     2,
     {"", ""}},
};
enum { N_PLACE_CASES = sizeof place_cases / sizeof place_cases[0] };

START_TEST(threads_have_their_places)
{
    char root[] = FAKE_ROOT;
    const struct place_case *c = &place_cases[_i];
    aim_cpu_set mask, place, want;
    aim_cpu_map map;
    make_tree(root, c->files);
    set_of(c->mask, &mask);
    aim_cpu_map_make(root, &mask, &map);
    for (int i = 0; i < c->threads; i++) {
        aim_cpu_place(&map, i, c->threads, &place);
        set_of(c->places[i], &want);
        ck_assert_msg(memcmp(&place, &want, sizeof want) == 0, "%s: thread %d", c->what, i);
    }
    remove_tree(root, c->files);
}
END_TEST

START_TEST(this_machine_is_known)
{
    aim_cpu_set mask;
    aim_cpu_map map;
    aim_cpu_affinity(&mask);
    aim_cpu_map_make("", &mask, &map);
    ck_assert_int_ge(aim_cpu_count(), 1);
    ck_assert_int_ge(map.n_cpus, 1);
    for (int i = 1; i < map.n_cpus; i++) {
        ck_assert_int_ge(map.node[i], map.node[i - 1]);
        ck_assert(map.node[i] > map.node[i - 1] || map.cpu[i] > map.cpu[i - 1]);
    }
}
END_TEST

static void check_affinity(const aim_cpu_set *want)
{
    aim_cpu_set now;
    aim_cpu_affinity(&now);
    ck_assert_mem_eq(&now, want, sizeof now);
}

START_TEST(a_thread_is_kept_and_put_back)
{
    aim_cpu_set all, before, one = {0}, none = {0};
    int last = AIM_MAX_CPUS - 1;
    aim_cpu_affinity(&all);
    while (last > 0 && !all.has[last])
        last--;
    one.has[last] = true;
    aim_cpu_keep_to(&one, &before);
    check_affinity(&one);
    aim_cpu_keep_to(&before, NULL);
    check_affinity(&all);
    aim_cpu_keep_to(&none, &before);
    check_affinity(&all);
    aim_cpu_keep_to(&before, NULL);
    check_affinity(&all);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cpus");
    TCase *tc = tcase_create("cpus");
    tcase_add_loop_test(tc, quotas_of_groups_are_read, 0, N_QUOTAS);
    tcase_add_loop_test(tc, nodes_are_read, 0, N_NODE_CASES);
    tcase_add_test(tc, lines_too_long_are_refused);
    tcase_add_loop_test(tc, threads_have_their_places, 0, N_PLACE_CASES);
    tcase_add_test(tc, this_machine_is_known);
    tcase_add_test(tc, a_thread_is_kept_and_put_back);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
