/* SPDX-License-Identifier: Apache-2.0 */
/* The shipped reward model through its decoder, against the scores of its own evaluation
 * in PyTorch. */
#include "tests/unit/reward_fixture.h"

#undef COUNT
#include "tests/unit/decoder_rig.h"

#include <math.h>

/* They are printed with six digits by a float32 program that adds in another order; the
 * largest difference is 2e-6. */
static const double TOLERANCE = 1e-5;

static void score(struct rig *rig, const aim_reward *r, const aim_reward_input *in, float *scores)
{
    int32_t ids[AIM_MAX_HEAD_OUTPUTS];
    int width = aim_reward_output_ids(r, ids), outputs = aim_decoder_outputs(rig->decoder);
    float x[64][AIM_MAX_HEAD_OUTPUTS];
    struct sequence s;
    set_up(rig, &s, in->tokens, in->n_tokens);
    while (!finished(&s, 1))
        step(rig, &s, 1, 64);
    ck_assert_int_eq(width, 2);
    ck_assert_int_le(in->n_scores, 64);
    for (int i = 0; i < in->n_scores; i++) {
        for (int k = 0; k < width; k++)
            x[i][k] = s.logits[in->score_at[i] * outputs + ids[k]];
        aim_reward_scores(r, x[i], 1, width, &scores[i]);
    }
    tear_down(rig, &s);
}

START_TEST(the_shipped_evaluation_has_the_same_scores)
{
    struct rig rig;
    struct folder f;
    double worst = 0;
    int rows = 0;
    FILE *file = open_shipped();
    open_folder(&f, SHIPPED);
    rig_open_dir(&rig, source_path(SHIPPED), "f32", NULL, 1);
    for (json_t *row; (row = next_shipped(file)); rows++) {
        const json_t *want = json_object_get(row, "scores");
        aim_reward_input in = lay_out_shipped(f.reward, row);
        float scores[64];
        score(&rig, f.reward, &in, scores);
        ck_assert_int_eq(in.n_scores, (int)json_array_size(want));
        for (int i = 0; i < in.n_scores; i++)
            worst = fmax(worst, fabs(scores[i] - json_real_value(json_array_get(want, (size_t)i))));
        aim_reward_input_free(&in);
        json_decref(row);
    }
    ck_assert_int_eq(rows, N_SHIPPED);
    ck_assert_double_le(worst, TOLERANCE);
    fclose(file);
    rig_close(&rig);
    close_folder(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reward scores");
    TCase *cases = tcase_create("shipped");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, the_shipped_evaluation_has_the_same_scores);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
