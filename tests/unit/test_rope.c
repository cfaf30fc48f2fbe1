/* SPDX-License-Identifier: Apache-2.0 */
/* Rotary frequencies of every kind against those transformers 5 computes, and the
 * angles of positions. */
#include "model/rope.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* One unit in the last place, which is what torch's own power is good for. */
static void check_frequencies(const aim_rope *r, bool is_long, const float *want)
{
    float got[AIM_MAX_HEAD_DIM / 2];
    aim__rope_frequencies(got, r, is_long);
    for (int i = 0; i < r->dim / 2; i++)
        ck_assert_msg(fabsf(got[i] / want[i] - 1) < 1.3e-7f, "frequency %d is %.9g, not %.9g", i,
                      (double)got[i], (double)want[i]);
}

/* Llama-3.2-1B. */
START_TEST(llama3_frequencies)
{
    static const float want[] = {
        1.0f,
        0.663601279f,
        0.440366626f,
        0.292227834f,
        0.193922758f,
        0.128687382f,
        0.0853971019f,
        0.0566696189f,
        0.0376060307f,
        0.0249554086f,
        0.0165604409f,
        0.0109895291f,
        0.00729266508f,
        0.00483942125f,
        0.00321144611f,
        0.00129054801f,
        0.000429556705f,
        9.70828623e-05f,
        1.94616387e-05f,
        1.29147675e-05f,
        8.57025589e-06f,
        5.68723226e-06f,
        3.77405445e-06f,
        2.50446715e-06f,
        1.66196742e-06f,
        1.10288363e-06f,
        7.31874934e-07f,
        4.85673127e-07f,
        3.22293289e-07f,
        2.1387423e-07f,
        1.41927202e-07f,
        9.41830649e-08f,
    };
    const aim_rope r = {.kind = AIM_ROPE_LLAMA3,
                        .dim = 64,
                        .theta = 500000,
                        .factor = 32,
                        .low_freq_factor = 1,
                        .high_freq_factor = 4,
                        .original_positions = 8192};
    check_frequencies(&r, false, want);
    check_frequencies(&r, true, want);
}
END_TEST

START_TEST(linear_frequencies)
{
    static const float want[] = {0.400000006f,   0.1264911f,     0.0399999991f,   0.0126491114f,
                                 0.00399999972f, 0.00126491114f, 0.000400000019f, 0.000126491112f};
    const aim_rope r = {.kind = AIM_ROPE_LINEAR, .dim = 16, .theta = 10000, .factor = 2.5};
    check_frequencies(&r, false, want);
}
END_TEST

START_TEST(longrope_frequencies)
{
    static const float of_short[] = {1.0f,           0.310027212f,   0.0970873833f,
                                     0.0287479796f,  0.00833333284f, 0.00243252143f,
                                     0.00066666666f, 0.000158113893f};
    static const float of_long[] = {0.934579372f,    0.282346219f,   0.0869565234f,
                                    0.0222695637f,   0.00332225906f, 0.00053507241f,
                                    2.68240346e-05f, 4.88307205e-06f};
    const aim_rope r = {
        .kind = AIM_ROPE_LONGROPE,
        .dim = 16,
        .theta = 10000,
        .n_factors = 8,
        .short_factor = {1.0f, 1.02f, 1.03f, 1.1f, 1.2f, 1.3f, 1.5f, 2.0f},
        .long_factor = {1.07f, 1.12f, 1.15f, 1.42f, 3.01f, 5.91f, 37.28f, 64.76f},
    };
    check_frequencies(&r, false, of_short);
    check_frequencies(&r, true, of_long);
}
END_TEST

/* Every angle is the float32 product; cos and sin are right to float32, and both
 * are scaled by the attention factor. */
START_TEST(angles)
{
    static const int positions[] = {0, 1, 511, 4095, 131071, 1048575};
    static const double scales[] = {1, 1.1902380714238083};
    enum { DIM = 64 };
    float inv_freq[DIM / 2], cosines[DIM / 2], sines[DIM / 2];
    aim_rope r = {.dim = DIM, .theta = 500000};
    aim__rope_frequencies(inv_freq, &r, false);
    ck_assert_float_eq(inv_freq[0], 1.0f);
    for (int i = 0; i < DIM / 2; i++)
        ck_assert_double_eq_tol(inv_freq[i] / pow(500000.0, -2.0 * i / DIM), 1, 1.3e-7);
    for (size_t p = 0; p < COUNT(positions) * COUNT(scales); p++) {
        int position = positions[p / COUNT(scales)];
        r.attention_factor = scales[p % COUNT(scales)];
        aim__rope_angles(&r, inv_freq, position, cosines, sines);
        for (int i = 0; i < DIM / 2; i++) {
            float angle = (float)position * inv_freq[i];
            ck_assert_double_eq_tol(cosines[i], cos((double)angle) * r.attention_factor, 2e-7);
            ck_assert_double_eq_tol(sines[i], sin((double)angle) * r.attention_factor, 2e-7);
        }
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("rope");
    TCase *t = tcase_create("rope");
    tcase_add_test(t, llama3_frequencies);
    tcase_add_test(t, linear_frequencies);
    tcase_add_test(t, longrope_frequencies);
    tcase_add_test(t, angles);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
