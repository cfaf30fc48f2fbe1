/* SPDX-License-Identifier: Apache-2.0 */
/* What changes a fingerprint, and what does not. */
#include "server/fingerprint.h"

#include "analog/chip_digest.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

/* ---- the chip ------------------------------------------------------------- */

static float first_ranges[] = {1, 2}, second_ranges[] = {3};
static aim_layer_ranges layers[] = {{0, 2, first_ranges}, {3, 1, second_ranges}};
static aim_input_ranges_set ranges = {.layers = layers, .n_layers = 2};

static aim_chip a_chip(void)
{
    const char *top = getenv("top_srcdir");
    char path[4096];
    aim_chip chip = {.seed = 7, .age = 3600, .ranges = &ranges};
    aim_error err = {0};
    snprintf(path, sizeof path, "%s/conf/profiles/pcm-aihwkit.conf", top ? top : ".");
    ck_assert_msg(aim_profile_load(path, &chip.profile, &err) == 0, "%s", err.text);
    return chip;
}

static const char *digest_of(const aim_chip *chip)
{
    static char hex[2][AIM_SHA256_HEX];
    static int turn;
    turn = !turn;
    aim_chip_digest(chip, hex[turn]);
    return hex[turn];
}

static const struct {
    const char *what;
    size_t offset, size;
    bool matters;
} fields[] = {
#define FIELD(field, matters)                                                                      \
    {                                                                                              \
#field, offsetof(aim_chip, field), sizeof(((aim_chip *)NULL)->field), matters              \
    }
    FIELD(seed, true),
    FIELD(age, true),
    FIELD(profile.tile.max_input_size, true),
    FIELD(profile.tile.input_range, true),
    FIELD(profile.tile.inp_res, true),
    FIELD(profile.tile.out_res, true),
    FIELD(profile.tile.out_bound, true),
    FIELD(profile.tile.adc_bound, true),
    FIELD(profile.tile.clip, true),
    FIELD(profile.tile.weight_quantisation, true),
    FIELD(profile.tile.weight_res, true),
    FIELD(profile.clip_sigma, true),
    FIELD(profile.adc_weights, true),
    FIELD(profile.conductance_bits, true),
    FIELD(profile.on_tiles, true),
    FIELD(profile.programming, true),
    FIELD(profile.gaussian_share, true),
    FIELD(profile.pcm.g_max, true),
    FIELD(profile.pcm.two_devices[3], true),
    FIELD(profile.device.spread[0].polynomial[4], true),
    FIELD(profile.device.spread[3].age, true),
    FIELD(profile.device.t_0, true),
    FIELD(profile.device.drift_mean.split, true),
    FIELD(profile.device.read.polynomial[0], true),
    FIELD(profile.g_min, true),
    FIELD(profile.compensation, true),
    FIELD(profile.read_noise, true),
    FIELD(profile.read_noise_share, true),
    FIELD(profile.name[0], false),
    FIELD(profile.description[0], false),
    FIELD(profile.source[0], false),
    FIELD(profile.energy.rows, false),
    FIELD(profile.energy.mvm_joule, false),
    FIELD(profile.energy.source[0], false),
#undef FIELD
};

START_TEST(age_matters_where_devices_drift)
{
    aim_chip chip = a_chip(), older = chip;
    older.age = 86400;
    chip.profile.drift = older.profile.drift = false;
    ck_assert_str_eq(digest_of(&chip), digest_of(&older));
    chip.profile.drift = older.profile.drift = true;
    ck_assert_str_ne(digest_of(&chip), digest_of(&older));
}
END_TEST

START_TEST(each_field_that_matters_changes_the_digest)
{
    aim_chip chip = a_chip(), other = chip;
    unsigned char *field = (unsigned char *)&other + fields[_i].offset;
    for (size_t i = 0; i < fields[_i].size; i++) {
        field[i] ^= 0x10;
        ck_assert_msg((strcmp(digest_of(&chip), digest_of(&other)) != 0) == fields[_i].matters,
                      "%s, byte %zu", fields[_i].what, i);
        field[i] ^= 0x10;
    }
}
END_TEST

/* A chip that follows the largest input of each row has no use for ranges. */
START_TEST(ranges_count_where_they_are_used)
{
    aim_chip chip = a_chip(), other = chip;
    chip.profile.tile.input_range = other.profile.tile.input_range = AIM_RANGE_DYNAMIC;
    other.ranges = NULL;
    ck_assert_str_eq(digest_of(&chip), digest_of(&other));
}
END_TEST

START_TEST(there_is_one_age_of_zero)
{
    aim_chip chip = a_chip(), other = chip;
    chip.age = 0.0;
    other.age = -0.0;
    ck_assert_str_eq(digest_of(&chip), digest_of(&other));
}
END_TEST

START_TEST(ranges_count)
{
    aim_chip chip = a_chip(), other = chip;
    other.ranges = NULL;
    ck_assert_str_ne(digest_of(&chip), digest_of(&other));
    char before[AIM_SHA256_HEX];
    aim_chip_digest(&chip, before);
    second_ranges[0] = 4;
    ck_assert_str_ne(digest_of(&chip), before);
    second_ranges[0] = 3;
    layers[1].layer = 4;
    ck_assert_str_ne(digest_of(&chip), before);
    layers[1].layer = 3;
    ck_assert_str_eq(digest_of(&chip), before);
}
END_TEST

/* ---- the whole ------------------------------------------------------------ */

static char dir[64];

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static void setup(void)
{
    strcpy(dir, "/tmp/analogd-fingerprint-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    write_file("config.json", "{}");
    write_file("README.md", "not read");
}

static void teardown(void)
{
    static const char *const names[] = {"config.json", "README.md", "model.safetensors"};
    char path[128];
    for (int i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

static void print_of(const char *backend, const char *kernels, const aim_chip *chip,
                     char out[AIMD_FINGERPRINT_SIZE])
{
    aimd_model_options m = {
        .dir = dir, .backend = (char *)backend, .chat_template = (char *)"auto"};
    aimd_fingerprint(&m, kernels, chip, NULL, out);
}

/* Do the two differ? */
static bool differ(const char *backend_a, const char *kernels_a, const aim_chip *chip_a,
                   const char *backend_b, const char *kernels_b, const aim_chip *chip_b)
{
    char a[AIMD_FINGERPRINT_SIZE], b[AIMD_FINGERPRINT_SIZE];
    print_of(backend_a, kernels_a, chip_a, a);
    print_of(backend_b, kernels_b, chip_b, b);
    ck_assert_uint_eq(strlen(a), 19);
    ck_assert_int_eq(strncmp(a, "fp_", 3), 0);
    return strcmp(a, b) != 0;
}

START_TEST(backend_kernels_and_chip_count_where_they_matter)
{
    aim_chip chip = a_chip(), other = chip;
    other.seed++;
    ck_assert(differ("int8", "avx2", NULL, "f32", "avx2", NULL));
    ck_assert(!differ("int8", "avx2", NULL, "int8", "portable", NULL));
    ck_assert(differ("int8", "avx2", NULL, "int4", "avx2", NULL));
    ck_assert(!differ("int4", "avx2", NULL, "int4", "portable", NULL));
    ck_assert(differ("int4", "avx2", NULL, "int4", "avx2", &chip));
    ck_assert(differ("f32", "avx2", NULL, "f32", "portable", NULL));
    ck_assert(!differ("analog", "avx2", &chip, "analog", "portable", &chip));
    ck_assert(differ("analog", "avx2", &chip, "analog", "avx2", &other));
    ck_assert(differ("analog", "avx2", &chip, "analog-exact", "avx2", &chip));
    ck_assert(differ("analog", "avx2", &chip, "int8", "avx2", NULL));
}
END_TEST

START_TEST(options_of_the_model_count)
{
    enum { N = 9 };
    char prints[N][AIMD_FINGERPRINT_SIZE];
    const struct {
        const char *chat_template, *random_weights, *layout;
        aimd_search_defaults search;
    } options[N] = {
        {"auto", NULL, NULL, {0}},
        {"plain", NULL, NULL, {0}},
        {"auto", "phi-3-mini", NULL, {0}},
        {"auto", "llama-3.2-1b", NULL, {0}},
        {"auto", NULL, "rlhflow", {0}},
        {"auto", NULL, "qwen", {0}},
        {"auto", NULL, NULL, {.best_of = 16}},
        {"auto", NULL, NULL, {.select = (char *)"majority"}},
        {"auto", NULL, NULL, {.reward_model = (char *)"majority"}},
    };
    for (int i = 0; i < N; i++) {
        aimd_model_options m = {.dir = dir,
                                .backend = (char *)"int8",
                                .chat_template = (char *)options[i].chat_template,
                                .random_weights = (char *)options[i].random_weights,
                                .search = options[i].search};
        aimd_fingerprint(&m, "", NULL, options[i].layout, prints[i]);
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(prints[i], prints[j]);
    }
    aimd_model_options usual = {
        .dir = dir,
        .backend = (char *)"int8",
        .chat_template = (char *)"auto",
        .search = {.best_of = 1, .beam_width = 4, .select = (char *)"auto"},
    };
    char print[AIMD_FINGERPRINT_SIZE];
    aimd_fingerprint(&usual, "", NULL, NULL, print);
    ck_assert_str_eq(print, prints[0]);
}
END_TEST

START_TEST(files_of_the_model_count)
{
    char before[AIMD_FINGERPRINT_SIZE], after[AIMD_FINGERPRINT_SIZE];
    print_of("int8", "", NULL, before);
    write_file("README.md", "still not read");
    print_of("int8", "", NULL, after);
    ck_assert_str_eq(before, after);
    write_file("config.json", "[]");
    print_of("int8", "", NULL, after);
    ck_assert_str_ne(before, after);
    write_file("config.json", "{}");
    write_file("model.safetensors", "x");
    print_of("int8", "", NULL, after);
    ck_assert_str_ne(before, after);
}
END_TEST

START_TEST(weights_are_what_chips_are_made_of)
{
    char before[AIMD_WEIGHTS_DIGEST_SIZE], after[AIMD_WEIGHTS_DIGEST_SIZE];
    aimd_model_options m = {.dir = dir};
    aimd_weights_digest(&m, before);
    ck_assert_uint_eq(strlen(before), AIMD_WEIGHTS_DIGEST_SIZE - 1);
    write_file("README.md", "of no weight");
    aimd_weights_digest(&m, after);
    ck_assert_str_eq(before, after);
    write_file("config.json", "[]");
    aimd_weights_digest(&m, after);
    ck_assert_str_ne(before, after);
    write_file("config.json", "{}");
    write_file("model.safetensors", "x");
    aimd_weights_digest(&m, after);
    ck_assert_str_ne(before, after);
    m.random_weights = (char *)"phi-3-mini";
    aimd_weights_digest(&m, before);
    ck_assert_str_ne(before, after);
}
END_TEST

START_TEST(those_of_two_models_join)
{
    static const char *const prints[] = {"fp_0123456789abcdef", "fp_0123456789abcdee"};
    char seen[4][AIMD_FINGERPRINT_SIZE];
    for (int i = 0; i < 4; i++) {
        aimd_fingerprint_join(prints[i / 2], prints[i % 2], seen[i]);
        ck_assert_uint_eq(strlen(seen[i]), strlen(prints[0]));
        ck_assert_uint_eq(strncmp(seen[i], "fp_", 3), 0);
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(seen[j], seen[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fingerprint");
    TCase *chip = tcase_create("chip"), *whole = tcase_create("whole");
    tcase_add_loop_test(chip, each_field_that_matters_changes_the_digest, 0, COUNT(fields));
    tcase_add_test(chip, ranges_count);
    tcase_add_test(chip, ranges_count_where_they_are_used);
    tcase_add_test(chip, there_is_one_age_of_zero);
    tcase_add_test(chip, age_matters_where_devices_drift);
    tcase_add_checked_fixture(whole, setup, teardown);
    tcase_add_test(whole, backend_kernels_and_chip_count_where_they_matter);
    tcase_add_test(whole, options_of_the_model_count);
    tcase_add_test(whole, files_of_the_model_count);
    tcase_add_test(whole, weights_are_what_chips_are_made_of);
    tcase_add_test(whole, those_of_two_models_join);
    suite_add_tcase(suite, chip);
    suite_add_tcase(suite, whole);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
