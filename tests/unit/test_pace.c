/* SPDX-License-Identifier: Apache-2.0 */
/* How many prompt rows a step takes beside sequences that decode: on made-up machines
 * whose steps take a known time. */
#include "engine/pace.h"

#include <check.h>

enum { MOST = 256, DECODING = 15 };

/* A step takes `fixed` and, behind the `covered` rows that it bears for nothing, `row`
 * for each. */
typedef struct machine {
    const char *name;
    double fixed, row;
    int covered;
    int least, most; /* rows that the pace should settle between */
} machine;

static const machine machines[] = {
    {"two cores, 1B parameters", 45e-3, 2.2e-3, 0, 14, 19},
    {"weights read slowly", 45e-3, 2.2e-3, 12, 20, 29},
    {"many cores", 10e-3, 0.02e-3, 0, MOST, MOST},
    {"costly rows", 10e-3, 9e-3, 0, AIM_PACE_LEAST, AIM_PACE_LEAST},
    {"free rows", 10e-3, 0, 0, MOST, MOST},
};

static double step_time(const machine *m, int prompt_rows)
{
    int paid = prompt_rows > m->covered ? prompt_rows - m->covered : 0;
    return m->fixed + paid * m->row;
}

static int run_step_beside(aim_pace *p, const machine *m, int decoding)
{
    int rows = aim__pace_rows(p, decoding, MOST);
    aim__pace_observe(p, decoding, rows, step_time(m, rows));
    return rows;
}

static int run_step(aim_pace *p, const machine *m)
{
    return run_step_beside(p, m, DECODING);
}

/* From the first step on, no step with more than the least rows takes much more than
 * twice the time of one without. */
START_TEST(settles_at_twice_the_time)
{
    const machine *m = &machines[_i];
    aim_pace p = {0};
    int rows = 0, measured = 0;
    for (int i = 0; i < 200; i++) {
        int now = run_step(&p, m);
        measured += now == 1;
        if (now > AIM_PACE_LEAST)
            ck_assert_msg(step_time(m, now) <= 2.3 * m->fixed, "%s: %d rows in step %d", m->name,
                          now, i);
        if (now > 1)
            rows = now;
    }
    ck_assert_msg(rows >= m->least && rows <= m->most, "%s: %d rows", m->name, rows);
    ck_assert_int_eq(measured, 1 + 199 / (AIM_PACE_REMEASURE + 1));
}
END_TEST

START_TEST(measures_anew_when_others_decode)
{
    aim_pace p = {0};
    ck_assert_int_eq(aim__pace_rows(&p, 4, MOST), 1);
    aim__pace_observe(&p, 4, 0, 10e-3);
    ck_assert_int_eq(aim__pace_rows(&p, 4, MOST), AIM_PACE_LEAST);
    ck_assert_int_eq(aim__pace_rows(&p, 9, MOST), AIM_PACE_LEAST);
    for (int i = 0; i < AIM_PACE_APART; i++)
        aim__pace_observe(&p, 4, AIM_PACE_LEAST, 20e-3);
    ck_assert_int_eq(aim__pace_rows(&p, 8, MOST), AIM_PACE_LEAST);
    ck_assert_int_eq(aim__pace_rows(&p, 9, MOST), 1);
    ck_assert_int_eq(aim__pace_rows(&p, 2, MOST), AIM_PACE_LEAST);
    ck_assert_int_eq(aim__pace_rows(&p, 1, MOST), 1);
}
END_TEST

START_TEST(whole_chunks_where_nobody_waits)
{
    aim_pace p = {0};
    ck_assert_int_eq(aim__pace_rows(&p, 0, MOST), MOST);
    aim__pace_observe(&p, 0, MOST, 0.5);
    ck_assert_int_eq(aim__pace_rows(&p, 0, MOST), MOST);
    /* The time of those rows is known, so that the first step beside others is short. */
    aim__pace_observe(&p, 4, 1, 45e-3);
    ck_assert_int_eq(aim__pace_rows(&p, 4, MOST), AIM_PACE_LEAST);
}
END_TEST

START_TEST(never_more_than_there_is_room_for)
{
    aim_pace p = {0};
    for (int most = 0; most < 2 * AIM_PACE_LEAST; most++) {
        ck_assert_int_eq(aim__pace_rows(&p, 0, most), most);
        ck_assert_int_le(aim__pace_rows(&p, 3, most), most);
    }
}
END_TEST

/* One step that was held up must not slow a prompt down for long. */
START_TEST(recovers_from_a_step_held_up)
{
    const machine *m = &machines[0];
    aim_pace p = {0};
    for (int i = 0; i < 30; i++)
        run_step(&p, m);
    aim__pace_observe(&p, DECODING, 20, 1.0);
    ck_assert_int_eq(aim__pace_rows(&p, DECODING, MOST), AIM_PACE_LEAST);
    int steps = 0;
    while (run_step(&p, m) < m->least - 2)
        steps++;
    ck_assert_int_le(steps, 40);
}
END_TEST

/* Nor may a step without prompt rows that was held up make others long: it is the first
 * one measured, one like those before, or the first with others who decode. */
START_TEST(recovers_from_a_measured_step_held_up)
{
    static const struct {
        int steps, decoding; /* before, and how many decoded in them */
        int long_steps;      /* that may follow */
    } rows[] = {{0, DECODING, 0}, {30, DECODING, 0}, {30, 1, 1}};
    const machine *m = &machines[0];
    aim_pace p = {0};
    for (int i = 0; i < rows[_i].steps; i++)
        run_step_beside(&p, m, rows[_i].decoding);
    aim__pace_observe(&p, DECODING, 1, 5.0);
    int long_steps = 0, last = 0;
    for (int i = 0; i < 40; i++) {
        int now = run_step(&p, m);
        long_steps += step_time(m, now) > 2.3 * m->fixed;
        last = now > 1 ? now : last;
    }
    ck_assert_int_le(long_steps, rows[_i].long_steps);
    ck_assert_msg(last >= m->least && last <= m->most, "%d rows", last);
}
END_TEST

/* Every step differs from the one before: a prompt goes on all the same. */
START_TEST(numbers_that_alternate_do_not_hold_a_prompt_up)
{
    aim_pace p = {0};
    int rows = 0;
    for (int i = 0; i < 200; i++)
        rows += run_step_beside(&p, &machines[0], i % 2 ? 3 : 1);
    ck_assert_int_ge(rows, 200 * machines[0].least / 2);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pace");
    TCase *tc = tcase_create("pace");
    tcase_add_loop_test(tc, settles_at_twice_the_time, 0, sizeof machines / sizeof machines[0]);
    tcase_add_test(tc, measures_anew_when_others_decode);
    tcase_add_test(tc, whole_chunks_where_nobody_waits);
    tcase_add_test(tc, never_more_than_there_is_room_for);
    tcase_add_test(tc, recovers_from_a_step_held_up);
    tcase_add_loop_test(tc, recovers_from_a_measured_step_held_up, 0, 3);
    tcase_add_test(tc, numbers_that_alternate_do_not_hold_a_prompt_up);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
