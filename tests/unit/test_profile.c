/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles: those that are shipped, every rule of their files, and what a chip is
 * estimated to spend. */
#include "device_constants.h"

#include "analog/profile.h"
#include "base/alloc.h"
#include "base/file.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* ---- the shipped ones --------------------------------------------------------- */

static const char *shipped_folder(void)
{
    static char folder[4096];
    const char *top = getenv("top_srcdir");
    snprintf(folder, sizeof folder, "%s/conf/profiles", top ? top : ".");
    return folder;
}

/* By name from one folder. */
static int load_from(const char *folder, const char *name, aim_profile *p, aim_error *err)
{
    char *path = aim_profile_path((const char *const[]){folder, NULL}, name, err);
    int code = path ? aim_profile_load(path, p, err) : (int)err->code;
    aim_free(path);
    return code;
}

static aim_profile shipped(const char *name)
{
    aim_profile p;
    aim_error err = {0};
    ck_assert_msg(load_from(shipped_folder(), name, &p, &err) == AIM_OK, "%s", err.text);
    ck_assert_str_eq(p.name, name);
    ck_assert_int_gt((int)strlen(p.description), 10);
    ck_assert_int_eq(p.on_tiles,
                     AIM_ON_TILES_ATTENTION | AIM_ON_TILES_FEED_FORWARD | AIM_ON_TILES_LM_HEAD);
    ck_assert_int_eq(p.read_noise, AIM_READ_NOISE_NONE);
    ck_assert_int_eq(p.tile.clip, AIM_CLIP_NONE);
    ck_assert_int_eq(aim_tile_settings_check_integer(&p.tile, &err), AIM_OK);
    return p;
}

static void check_afm_converters(const aim_profile *p)
{
    ck_assert_int_le(p->tile.max_input_size, 0);
    ck_assert_int_eq(p->tile.input_range, AIM_RANGE_STATIC);
    ck_assert_double_eq(p->tile.inp_res, 254);
    ck_assert_double_eq(p->tile.out_res, 254);
    ck_assert_double_eq(p->tile.out_bound, 14);
    ck_assert_int_eq(p->tile.adc_bound, AIM_BOUND_PER_CHANNEL);
    ck_assert_int_eq(p->conductance_bits, 16);
    ck_assert(!p->drift);
}

START_TEST(ideal_is_the_int8_backend)
{
    aim_profile p = shipped("ideal");
    ck_assert_int_le(p.tile.max_input_size, 0);
    ck_assert_int_eq(p.tile.input_range, AIM_RANGE_DYNAMIC);
    ck_assert_double_eq(p.tile.inp_res, 254);
    ck_assert(p.tile.out_res <= 0 && p.tile.out_bound <= 0);
    ck_assert_int_eq(p.conductance_bits, 8);
    ck_assert_int_eq(p.programming, AIM_PROGRAMMING_EXACT);
    ck_assert_int_eq(p.energy.rows, 0);
}
END_TEST

START_TEST(afm_profiles)
{
    aim_profile paper = shipped("afm-paper");
    check_afm_converters(&paper);
    ck_assert_int_eq(paper.programming, AIM_PROGRAMMING_EXACT);
    aim_profile gaussian = shipped("gaussian");
    check_afm_converters(&gaussian);
    ck_assert_int_eq(gaussian.programming, AIM_PROGRAMMING_GAUSSIAN);
    ck_assert_float_eq(gaussian.gaussian_share, 0.05f);
    ck_assert_int_eq(gaussian.adc_weights, AIM_ADC_OF_PROGRAMMED);
    aim_profile hermes = shipped("pcm-hermes");
    check_afm_converters(&hermes);
    ck_assert_int_eq(hermes.programming, AIM_PROGRAMMING_PCM);
    ck_assert_int_eq(hermes.adc_weights, AIM_ADC_OF_PROGRAMMED);
    ck_assert_mem_eq(&hermes.pcm, &AFM_PCM, sizeof AFM_PCM);
}
END_TEST

static void check_aihwkit_converters(const aim_profile *p)
{
    ck_assert_int_eq(p->tile.max_input_size, 512);
    ck_assert_int_eq(p->tile.input_range, AIM_RANGE_STATIC);
    ck_assert_double_eq(p->tile.inp_res, 254);
    ck_assert_double_eq(p->tile.out_res, 254);
    ck_assert_double_eq(p->tile.out_bound, 10);
    ck_assert_int_eq(p->tile.adc_bound, AIM_BOUND_PER_CHANNEL);
    ck_assert_int_eq(p->adc_weights, AIM_ADC_OF_TARGET);
    ck_assert_int_eq(p->programming, AIM_PROGRAMMING_DEVICES);
    ck_assert_float_eq(p->g_min, 0);
    ck_assert(p->drift);
}

static void check_spreads(const aim_device_model *m, const aim_device_model *want)
{
    ck_assert_float_eq(m->g_max, want->g_max);
    ck_assert_float_eq(m->fitted_g_max, want->fitted_g_max);
    ck_assert_float_eq(m->programming_scale, want->programming_scale);
    ck_assert_int_eq(m->n_spreads, want->n_spreads);
    for (int i = 0; i < want->n_spreads; i++) {
        ck_assert_double_eq(m->spread[i].age, want->spread[i].age);
        for (int c = 0; c < 5; c++)
            ck_assert_float_eq(m->spread[i].polynomial[c], want->spread[i].polynomial[c]);
    }
}

static void check_curve(const aim_device_curve *c, const aim_device_curve *want)
{
    ck_assert_mem_eq(c, want, sizeof *want);
}

START_TEST(aihwkit_profiles)
{
    aim_profile pcm = shipped("pcm-aihwkit");
    check_aihwkit_converters(&pcm);
    check_spreads(&pcm.device, &PCM_LIKE);
    check_curve(&pcm.device.drift_mean, &PCM_LIKE.drift_mean);
    check_curve(&pcm.device.drift_deviation, &PCM_LIKE.drift_deviation);
    check_curve(&pcm.device.read, &PCM_LIKE.read);
    ck_assert_double_eq(pcm.device.t_0, PCM_LIKE.t_0);
    ck_assert_double_eq(pcm.device.t_read, PCM_LIKE.t_read);
    ck_assert_float_eq(pcm.device.drift_scale, 1);
    ck_assert_float_eq(pcm.device.read_scale, 1);
    ck_assert_int_eq(pcm.compensation, AIM_COMPENSATION_GLOBAL);
    aim_profile reram = shipped("reram-wan2022");
    check_aihwkit_converters(&reram);
    check_spreads(&reram.device, &RERAM_WAN);
    ck_assert_int_eq(reram.compensation, AIM_COMPENSATION_NONE);
    ck_assert_int_eq(reram.energy.rows, 0);
}
END_TEST

/* The one in the manual is what somebody would begin with. */
START_TEST(example_of_the_manual)
{
    char path[4096];
    const char *top = getenv("top_srcdir");
    snprintf(path, sizeof path, "%s/man/analogd-profile.5", top ? top : ".");
    size_t len;
    aim_profile p;
    aim_error err = {0};
    char *page = aim_read_file(path, 1 << 20, &len, &err);
    ck_assert_msg(page != NULL, "%s", err.text);
    char *example = strstr(page, ".Bd -literal\n");
    ck_assert_ptr_nonnull(example);
    example += strlen(".Bd -literal\n");
    char *end = strstr(example, ".Ed\n");
    ck_assert_ptr_nonnull(end);
    *end = '\0';
    ck_assert_msg(aim_profile_parse(example, "example.conf", &p, &err) == AIM_OK, "%s", err.text);
    ck_assert_double_eq(p.tile.weight_res, 14);
    ck_assert_int_eq(p.read_noise, AIM_READ_NOISE_OUTPUT);
    aim_free(page);
}
END_TEST

/* ---- rules of the file -------------------------------------------------------- */

#define HEAD "description = \"d\"\nsource = \"s\"\n"
#define TILE "tile { input_range = static }\n"
#define GOOD HEAD TILE
#define ADC "adc { out_bound = 14 adc_bound = per_channel "
#define PCM                                                                                        \
    "pcm { g_max = 180 largest_offset = 0 dead_zone = 0.6 two_devices_above = 50\n"                \
    "one_device = {1} two_devices = {2, 0.1} "
#define DEVICES HEAD TILE "programming = devices\ndevices { g_max = 25 fitted_g_max = 25 "
#define SPREAD "spread { polynomial = {1} } "
#define CURVE "{ lowest = 0 highest = 1 }"
#define DRIFT "drift { mean " CURVE " deviation " CURVE " }\n"

static int parse(const char *text, aim_profile *p, aim_error *err)
{
    return aim_profile_parse(text, "dir/test.conf", p, err);
}

START_TEST(everything_has_a_default_but_what_must_stand)
{
    aim_profile p;
    aim_error err = {0};
    ck_assert_msg(parse(GOOD, &p, &err) == AIM_OK, "%s", err.text);
    ck_assert_str_eq(p.name, "test");
    ck_assert_str_eq(p.description, "d");
    ck_assert_int_eq(p.tile.max_input_size, -1);
    ck_assert(p.tile.inp_res <= 0 && p.tile.out_res <= 0 && p.tile.out_bound <= 0);
    ck_assert_int_eq(p.conductance_bits, 16);
    ck_assert_int_eq(p.on_tiles, 7);
    ck_assert_int_eq(p.programming, AIM_PROGRAMMING_EXACT);
    ck_assert_int_eq(p.tile.weight_quantisation, AIM_WEIGHTS_FLOAT);
    ck_assert(!p.drift);
}
END_TEST

START_TEST(keys_land_in_their_fields)
{
    aim_profile p;
    aim_error err = {0};
    const char *text = HEAD
        "tile { input_range = dynamic layers = {lm_head, attention} max_input_size = 256 }\n"
        "weights { clip = gaussian clip_sigma = 2.5 weight_quantisation = per_channel\n"
        "          weight_res = 14 }\n"
        "dac { inp_res = 0.003937007874015748 }\n"
        "read_noise { read_noise = weights read_noise_share = 0.0175 }\n"
        "programming = devices\n"
        "devices { g_max = 20 g_min = 1 fitted_g_max = 25 t_0 = 20 t_read = 1e-6\n"
        "          programming_scale = 0.5 " SPREAD " }\n"
        "flicker_noise { read_scale = 2 share { split = 0.5 polynomial = {1, 2, 3, 4}\n"
        "                lowest = 0.25 highest = 0.5 scale = -1 constant = 3 } }\n"
        "energy { rows = 100 columns = 50 mvm_joule = 1e-9 mvm_seconds = 2e-7 dac_joule = 1e-12\n"
        "         adc_joule = 2e-12 energy_source = \"paper\" }\n";
    ck_assert_msg(parse(text, &p, &err) == AIM_OK, "%s", err.text);
    ck_assert_int_eq(p.on_tiles, AIM_ON_TILES_LM_HEAD | AIM_ON_TILES_ATTENTION);
    ck_assert_int_eq(p.tile.max_input_size, 256);
    ck_assert_int_eq(p.tile.clip, AIM_CLIP_GAUSSIAN);
    ck_assert_double_eq(p.clip_sigma, 2.5);
    ck_assert_int_eq(p.tile.weight_quantisation, AIM_WEIGHTS_DISCRETIZE_PER_CHANNEL);
    ck_assert_double_eq(p.tile.weight_res, 14);
    ck_assert_double_eq(p.tile.inp_res, 1.0 / 254);
    ck_assert_int_eq(p.read_noise, AIM_READ_NOISE_WEIGHTS);
    ck_assert_float_eq(p.read_noise_share, 0.0175f);
    ck_assert_float_eq(p.g_min, 1);
    ck_assert_float_eq(p.device.programming_scale, 0.5f);
    ck_assert_float_eq(p.device.read_scale, 2);
    const aim_device_curve read = {0.5f, -1, 3, 0, 0.25f, 0.5f, {1, 2, 3, 4}};
    check_curve(&p.device.read, &read);
    ck_assert(p.drift); /* the fluctuation is another one at each age */
    ck_assert_int_eq(p.energy.rows, 100);
    ck_assert_int_eq(p.energy.columns, 50);
    ck_assert_double_eq(p.energy.adc_joule, 2e-12);
    ck_assert_str_eq(p.energy.source, "paper");
}
END_TEST

static const struct {
    const char *text, *error;
} bad_profiles[] = {
    {"", "dir/test.conf:1: description: is missing"},
    {"description = \"d\"\n" TILE, "test.conf:1: source: is missing"},
    {HEAD, "test.conf:1: tile: the section is missing"},
    {HEAD "tile {\n}\n", "test.conf:4: input_range: is missing"},
    {GOOD "nothing = 1\n", "test.conf:4: no such option 'nothing'"},
    {GOOD "# one\n/* two\nthree */\nnothing = 1\n", "test.conf:7: no such option 'nothing'"},
    {GOOD "dac { inp_rse = 254 }", "test.conf:4: no such option 'inp_rse'"},
    {GOOD "inp_res = 254\n", "test.conf:4: no such option 'inp_res'"},
    {GOOD "dac {\n inp_res = 254\n inp_res = 254\n}", "test.conf:6: inp_res: is set twice"},
    {GOOD "dac { inp_res = 254 }\ndac { inp_res = 254 }\n",
     "test.conf:5: dac: the section stands too often"},
    {GOOD "dac { inp_res = 254 }\ndac { }\n", "test.conf:5: dac: the section stands too often"},
    {GOOD "dac { inp_res = 254\n", "dac: the section is not closed"},
    {GOOD "adc { out_bound = 3", "the section is not closed"},
    {GOOD "/* ", "a comment is not closed"},
    {"description = \"a\nsource = \"b\"\n", "test.conf:1: a quotation mark is not closed"},
    {"description = \"a\"\nsource = 'b\n", "test.conf:2: a quotation mark is not closed"},
    {"description = a\n# don't\nsource = b\"\n", "test.conf:3: a quotation mark is not closed"},
    {GOOD "source = \"s\"\n", "test.conf:4: source: is set twice"},
    {GOOD "}\n", "test.conf:4: "},
    {GOOD "= 3\n", "test.conf:4: "},
    {GOOD "dac = 3\n", "test.conf:4: "},
    {"description = \"open\n", "test.conf:"},
    {"description = {\"a\", \"b\"}\n", "test.conf:1: "},
    /* What libconfuse could read beside the file. */
    {GOOD "include(\"/etc/hostname\")\n", "test.conf:4: no such option 'include'"},
    {"description = \"${HOME}\"\n", "test.conf:1: a profile cannot hold the character $"},
    {"\ndescription = ${HOME}\n", "test.conf:2: a profile cannot hold the character $"},
    /* Texts. */
    {"description = \"\"\n", "test.conf:1: description: 0 characters: must be from 1 to 255"},
    {"description = \"a\\nb\"\n", "test.conf:1: description: only printable ASCII"},
    {"description = \"\xc3\xa4\"\n", "test.conf:1: description: only printable ASCII"},
    /* Numbers. */
    {GOOD "dac { inp_res = nan }\n", "test.conf:4: inp_res: \"nan\" is not a number"},
    {GOOD "dac { inp_res = inf }\n", "inp_res: \"inf\" is not a number"},
    {GOOD "dac { inp_res = 1e999 }\n", "inp_res: \"1e999\" is not a number"},
    {GOOD "dac { inp_res = 0x10 }\n", "inp_res: \"0x10\" is not a number"},
    {GOOD "dac { inp_res = \"\" }\n", "inp_res: \"\" is not a number"},
    {GOOD "dac { inp_res = 8bit }\n", "inp_res: \"8bit\" is not a number"},
    {GOOD "dac { inp_res = 1e }\n", "inp_res: \"1e\" is not a number"},
    {GOOD "dac { inp_res = 1-2 }\n", "inp_res: \"1-2\" is not a number"},
    {GOOD "dac { inp_res = 16777217 }\n", "inp_res: 16777217 is not between -1 and 16777216"},
    {GOOD "dac { inp_res = 1e-9 }\n", "test.conf:4: inp_res is 1e-09"},
    {GOOD "adc { out_bound = 1e7 adc_bound = per_tile }\n",
     "test.conf:4: out_bound: 1e7 is not between 0 and 1000000"},
    {HEAD "tile { input_range = static\n max_input_size = 1.5 }\n",
     "test.conf:4: max_input_size: 1.5 is not a whole number"},
    {HEAD "tile { input_range = static max_input_size = -2 }\n", "is not between -1 and 131072"},
    {HEAD "tile { input_range = static max_input_size = 99999999999999999999 }\n", "not between"},
    {GOOD "programming = gaussian\ngaussian { noise_share = 1e39 }\n",
     "noise_share: \"1e39\" is not a number"}, /* above float32 */
    {GOOD "programming = gaussian\ngaussian { noise_share = -0.1 }\n", "not between 0 and 10"},
    /* Choices and sets. */
    {HEAD "tile { input_range = often }\n",
     "test.conf:3: input_range: \"often\" is not one of none|static|dynamic"},
    {HEAD "tile { input_range = \"static|dynamic\" }\n", "is not one of"},
    {HEAD "tile { input_range = \"\" }\n", "is not one of"},
    {HEAD "tile { input_range = static layers = {attention, mlp} }\n", "\"mlp\" is not one of"},
    {HEAD "tile { input_range = static\n layers = {} }\n",
     "test.conf:4: layers: the list is empty"},
    {HEAD "tile { input_range = static\n layers = {lm_head}\n layers = {attention} }\n",
     "test.conf:5: layers: is set twice"},
    {HEAD "tile { input_range = static conductance_bits = 12 }\n",
     "test.conf:3: conductance_bits is 12: must be 8 or 16"},
    {HEAD "tile { input_range = static conductance_bits = 32 }\n", "32 is not between 8 and 16"},
    /* Settings that do not fit each other. */
    {HEAD "tile {\n input_range = none }\ndac { inp_res = 254 }\n",
     "test.conf:4: converters need an input range"},
    {GOOD "adc {\n out_bound = 0\n out_res = 254 adc_bound = per_tile }\n",
     "test.conf:5: an ADC (out_res 254) needs an out_bound"},
    {GOOD "adc { adc_bound = per_tile }\n", "test.conf:4: out_bound: is missing"},
    {GOOD "adc { out_bound = 1 }\n", "test.conf:4: adc_bound: is missing"},
    {GOOD "weights { clip = learnable }\n",
     "clip: \"learnable\" is not one of none|gaussian|gaussian_per_channel"},
    {GOOD "weights { clip = gaussian }\n", "clip_sigma is 0"},
    {GOOD "weights { weight_quantisation = per_tile }\n", "weight_res is 0"},
    {GOOD "weights { weight_quantisation = per_tile\n weight_res = 15 }\n",
     "test.conf:5: weight_res is 15: must be an even number of steps"},
    {GOOD "weights { weight_quantisation = per_tile\n weight_res = 0.2 }\n",
     "test.conf:5: weight_res is 0.2: must be an even number of steps"},
    {GOOD "programming = pcm\n", "test.conf:1: pcm: the section is missing"},
    {GOOD PCM "}\n", "test.conf:5: pcm: the section belongs to programming = pcm"},
    {GOOD "programming = gaussian\n" PCM "}\ngaussian { noise_share = 1 }",
     "pcm: the section belongs to programming = pcm"},
    {GOOD DRIFT, "test.conf:4: drift: the section belongs to programming = devices"},
    {GOOD "programming = pcm\n" PCM "dead_zone = 1 }", "dead_zone: is set twice"},
    {GOOD "programming = pcm\npcm {\n g_max = 180 largest_offset = 0\n dead_zone = 60\n"
          "two_devices_above = 50 one_device = {1} two_devices = {1} }",
     "test.conf:7: dead_zone (60) is above two_devices_above (50)"},
    {GOOD "programming = pcm\npcm { g_max = 180 largest_offset = 0 dead_zone = 0\n"
          "two_devices_above = 50\n one_device = {1, -1}\n two_devices = {1} }",
     "test.conf:7: one_device: the standard deviation at a conductance of 1.8 is -0.799"},
    {GOOD "programming = pcm\npcm { one_device = {1, 2, 3, 4, 5} }",
     "one_device: more than 4 coefficients"},
    {GOOD "programming = pcm\npcm { one_device = {1, x} }", "one_device: \"x\" is not a number"},
    {DEVICES "}\n", "test.conf:5: spread: the section is missing"},
    {DEVICES "spread { } }\n", "test.conf:5: polynomial: is missing"},
    {DEVICES "spread { polynomial = {} } }\n", "test.conf:5: polynomial: the list is empty"},
    {DEVICES "spread { polynomial = {1, -2} } }\n",
     "test.conf:5: spread: the standard deviation at a conductance of 12.625 is -0.01"},
    {DEVICES SPREAD "spread { age = 1 polynomial = {1} }\n spread { age = 1 polynomial = {1} } }\n",
     "test.conf:6: age 1 does not come after 1"},
    {DEVICES SPREAD SPREAD SPREAD SPREAD "\n" SPREAD "}\n",
     "test.conf:6: spread: the section stands too often"},
    {DEVICES SPREAD "g_min = 25 }\n", "test.conf:5: g_min (25) is not less than g_max (25)"},
    {DEVICES SPREAD "}\n" DRIFT,
     "test.conf:5: devices that drift or fluctuate need t_0 and t_read"},
    {DEVICES SPREAD "t_read = 2\n t_0 = 1 }\n" DRIFT, "test.conf:6: t_0 (1) is less than t_read"},
    {DEVICES SPREAD "t_read = 1 t_0 = 2 }\ndrift { mean " CURVE " }\n",
     "test.conf:6: deviation: the section is missing"},
    {DEVICES SPREAD "t_read = 1 t_0 = 2 }\ndrift { deviation " CURVE "\nmean {\n"
                    "lowest = 2 highest = 1 } }\n",
     "test.conf:8: mean: lowest (2) is above highest (1)"},
    {DEVICES SPREAD "t_read = 1 t_0 = 2 }\nflicker_noise { share { lowest = 0 highest = 1\n"
                    "split = 0.5 } }\n",
     "share: split is 0.5, but there is no polynomial"},
    {DEVICES SPREAD "spread { age = 9 polynomial = {1} } t_read = 1 t_0 = 2 }\n" DRIFT,
     "devices with several spreads neither drift nor fluctuate"},
    {DEVICES SPREAD "spread { age = 9 polynomial = {1} } t_read = 1 t_0 = 2 }\n"
                    "flicker_noise { share { lowest = 0 highest = 0 split = 0.5\n"
                    "polynomial = {1} } }\n",
     "devices with several spreads neither drift nor fluctuate"},
    {DEVICES SPREAD "spread { age = 9 polynomial = {1} } t_read = 1 t_0 = 2 }\n"
                    "drift { mean { lowest = 0 highest = 0 } deviation " CURVE " }\n",
     "devices with several spreads neither drift nor fluctuate"},
    {HEAD "tile { input_range = none }\nread_noise { read_noise = output read_noise_share = 1 }\n",
     "test.conf:4: noise that grows with the range"},
    {GOOD "energy { rows = 256 }\n", "test.conf:4: columns: is missing"},
    {GOOD "energy { rows = 0 }\n", "rows: 0 is not between 1 and 131072"},
};

START_TEST(bad_profile_is_refused_with_the_place)
{
    aim_profile p, before;
    memset(&p, 7, sizeof p);
    before = p;
    aim_error err = {0};
    int code = parse(bad_profiles[_i].text, &p, &err);
    ck_assert_msg(code == AIM_EINVAL, "%s: %s", bad_profiles[_i].text, err.text);
    ck_assert_msg(strstr(err.text, bad_profiles[_i].error), "\"%s\" for %s", err.text,
                  bad_profiles[_i].text);
    ck_assert_mem_eq(&p, &before, sizeof p);
}
END_TEST

START_TEST(texts_of_all_lengths_they_may_have)
{
    aim_profile p;
    aim_error err = {0};
    char text[1024], word[AIM_PROFILE_TEXT + 1];
    memset(word, 'x', sizeof word);
    word[AIM_PROFILE_TEXT - 1] = '\0';
    snprintf(text, sizeof text, "description = \"%s\"\nsource = s\n" TILE, word);
    ck_assert_msg(parse(text, &p, &err) == AIM_OK, "%s", err.text);
    ck_assert_str_eq(p.description, word);
    word[AIM_PROFILE_TEXT - 1] = 'x';
    word[AIM_PROFILE_TEXT] = '\0';
    snprintf(text, sizeof text, "description = \"%s\"\nsource = s\n" TILE, word);
    ck_assert_int_eq(parse(text, &p, &err), AIM_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "256 characters: must be from 1 to 255"));
}
END_TEST

/* A parse that failed in the middle of a word, a string or a section. */
START_TEST(a_bad_profile_leaves_nothing_for_the_next)
{
    aim_profile p;
    aim_error err = {0};
    ck_assert_int_eq(parse("description = \"open", &p, &err), AIM_EINVAL);
    err = (aim_error){0};
    ck_assert_int_eq(parse(GOOD "dac { inp_res = 30 inp_res = ", &p, &err), AIM_EINVAL);
    err = (aim_error){0};
    ck_assert_msg(parse(GOOD, &p, &err) == AIM_OK, "%s", err.text);
    ck_assert(p.tile.inp_res <= 0);
}
END_TEST

START_TEST(override_is_checked)
{
    aim_profile p = shipped("afm-paper");
    aim_error err = {0};
    p.tile.out_bound = 12;
    p.conductance_bits = 8;
    ck_assert_int_eq(aim_profile_check(&p, &err), AIM_OK);
    p.conductance_bits = 9;
    ck_assert_int_eq(aim_profile_check(&p, &err), AIM_EINVAL);
    ck_assert_str_eq(err.param, "conductance_bits");
    p.conductance_bits = 8;
    p.tile.clip = AIM_CLIP_LEARNABLE;
    err = (aim_error){0};
    ck_assert_int_eq(aim_profile_check(&p, &err), AIM_EINVAL);
    ck_assert_str_eq(err.param, "clip");
    p.tile.clip = AIM_CLIP_NONE;
    p.tile.out_bound = (double)NAN;
    err = (aim_error){0};
    ck_assert_int_eq(aim_profile_check(&p, &err), AIM_EINVAL);
    ck_assert_str_eq(err.param, "out_bound");
}
END_TEST

START_TEST(integer_tiles_need_a_dac_of_8_bits)
{
    aim_profile p;
    aim_error err = {0};
    ck_assert_int_eq(parse(GOOD "dac { inp_res = 510 }\n", &p, &err), AIM_OK);
    ck_assert_int_eq(aim_tile_settings_check_integer(&p.tile, &err), AIM_EUNSUPPORTED);
    ck_assert_str_eq(err.param, "inp_res");
}
END_TEST

/* ---- files and folders --------------------------------------------------------- */

static char folder[64];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/analogd-profiles-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void write_file(const char *name, const char *bytes, size_t len)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
    ck_assert_int_eq(fclose(f), 0);
}

static int find(const char *name, aim_error *err)
{
    aim_profile p;
    *err = (aim_error){0};
    return load_from(folder, name, &p, err);
}

START_TEST(names_in_a_folder)
{
    aim_error err;
    write_file("b.conf", GOOD, strlen(GOOD));
    write_file("a.conf", GOOD, strlen(GOOD));
    write_file("notes.txt", GOOD, strlen(GOOD));
    write_file(".hidden.conf", GOOD, strlen(GOOD));
    ck_assert_msg(find("a", &err) == AIM_OK, "%s", err.text);
    ck_assert_int_eq(find("c", &err), AIM_ENOTFOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "no profile \"c\""));
    ck_assert_ptr_nonnull(strstr(err.text, "there is: a, b"));
    static const char *const bad[] = {"", "../a", "a/b", ".hidden", "a b", "\xff"};
    for (size_t i = 0; i < COUNT(bad); i++)
        ck_assert_int_eq(find(bad[i], &err), AIM_EINVAL);
    char longest[AIM_PROFILE_NAME + 1] = {0};
    memset(longest, 'n', AIM_PROFILE_NAME);
    ck_assert_int_eq(find(longest, &err), AIM_EINVAL);
    aim_profile p;
    err = (aim_error){0};
    ck_assert_int_eq(load_from("/nonexistent", "a", &p, &err), AIM_ENOTFOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "there is: none"));
}
END_TEST

START_TEST(the_first_folder_counts)
{
    aim_error err = {0};
    char expected[256], *path;
    const char *folders[] = {"/nonexistent", folder, shipped_folder(), NULL};
    write_file("ideal.conf", "broken", 6);
    snprintf(expected, sizeof expected, "%s/ideal.conf", folder);
    path = aim_profile_path(folders, "ideal", &err);
    ck_assert_pstr_eq(path, expected);
    aim_free(path);
    path = aim_profile_path(folders, "gaussian", &err);
    ck_assert_msg(path && strncmp(path, folders[2], strlen(folders[2])) == 0, "%s", err.text);
    aim_free(path);
    ck_assert_ptr_null(aim_profile_path(folders, "own", &err));
    ck_assert_int_eq(err.code, AIM_ENOTFOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "there is: ideal, afm-paper, gaussian"));
}
END_TEST

START_TEST(hostile_files)
{
    aim_error err;
    char *large = aim_malloc((64 << 10) + 1);
    ck_assert_ptr_nonnull(large);
    memset(large, '\n', (64 << 10) + 1);
    memcpy(large, GOOD, strlen(GOOD));
    write_file("fits.conf", large, 64 << 10);
    write_file("large.conf", large, (64 << 10) + 1);
    aim_free(large);
    write_file("nul.conf", GOOD "\0", strlen(GOOD) + 1);
    write_file("bad.conf", GOOD "x = 1\n", strlen(GOOD "x = 1\n"));
    ck_assert_msg(find("fits", &err) == AIM_OK, "%s", err.text);
    ck_assert_int_eq(find("large", &err), AIM_ETOOLARGE);
    ck_assert_int_eq(find("nul", &err), AIM_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "NUL"));
    ck_assert_int_eq(find("bad", &err), AIM_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "/bad.conf:4: no such option 'x'"));
    char path[256];
    aim_profile p;
    snprintf(path, sizeof path, "%s/notes.txt", folder);
    write_file("notes.txt", GOOD, strlen(GOOD));
    err = (aim_error){0};
    ck_assert_int_eq(aim_profile_load(path, &p, &err), AIM_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "is called NAME.conf"));
    snprintf(path, sizeof path, "%s/folder.conf", folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(find("folder", &err), AIM_EIO);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    int code = AIM_ENOMEM;
    for (long n = 0; code != AIM_OK; n++) {
        aim_profile p;
        aim_error err = {0};
        aim_alloc_fail_after(n);
        code = load_from(shipped_folder(), "pcm-aihwkit", &p, &err);
        aim_alloc_fail_after(-1);
        ck_assert_msg(code == AIM_OK || code == AIM_ENOMEM, "%s", err.text);
        ck_assert_int_eq(code, err.code);
    }
}
END_TEST

/* ---- energy -------------------------------------------------------------------- */

/* analog.md's sum over Llama-3.2-1B is here in figures of HERMES: 18 856 arrays. */
START_TEST(a_token_of_llama_1b_on_hermes)
{
    static const struct {
        int out, in, times;
    } layers[] = {
        {2048, 2048, 32}, {512, 2048, 32}, {8192, 2048, 32}, {2048, 8192, 16}, {128256, 2048, 1}};
    aim_profile p = shipped("pcm-hermes");
    aim_chip_cost sum = {0};
    for (size_t i = 0; i < COUNT(layers); i++) {
        aim_chip_cost cost =
            aim_energy_of_layer(&p.energy, p.tile.max_input_size, layers[i].out, layers[i].in);
        ck_assert_double_eq(cost.seconds, 0);
        aim_chip_cost_add(&sum, &cost, (uint64_t)layers[i].times);
    }
    ck_assert_uint_eq(sum.mvms, 18856);
    ck_assert_double_eq_tol(sum.joule, 0.9966e-3, 0.0001e-3);
    /* Every array is full: each converts 256 inputs and 256 outputs. */
    ck_assert_uint_eq(sum.dac_conversions, 18856 * 256);
    ck_assert_uint_eq(sum.adc_conversions, 18856 * 256);
}
END_TEST

START_TEST(partly_used_arrays_cost_as_full_ones)
{
    const aim_energy e = {
        .rows = 100, .columns = 50, .mvm_joule = 3, .dac_joule = 0.5, .adc_joule = 0.25};
    aim_chip_cost cost = aim_energy_of_layer(&e, -1, 51, 101);
    ck_assert_uint_eq(cost.mvms, 4);
    ck_assert_uint_eq(cost.dac_conversions, 2 * 101);
    ck_assert_uint_eq(cost.adc_conversions, 2 * 51);
    ck_assert_double_eq(cost.joule, 4 * 3 + 202 * 0.5 + 102 * 0.25);
    const aim_energy none = {0};
    cost = aim_energy_of_layer(&none, -1, 51, 101);
    ck_assert_uint_eq(cost.mvms + cost.dac_conversions + cost.adc_conversions, 0);
}
END_TEST

/* 300 inputs on tiles of 150 are twice 150, which take two arrays of 100 rows each. */
START_TEST(tiles_stand_on_arrays_of_their_own)
{
    const aim_energy e = {.rows = 100, .columns = 50, .mvm_joule = 1};
    static const struct {
        int max_input_size, in, across;
    } cases[] = {{-1, 301, 4}, {128, 301, 4}, {101, 301, 4}, {75, 300, 4}, {0, 300, 3},
                 {60, 300, 5}, {150, 300, 4}, {300, 300, 3}, {1, 7, 7}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        aim_chip_cost cost = aim_energy_of_layer(&e, cases[i].max_input_size, 51, cases[i].in);
        ck_assert_uint_eq(cost.mvms, 2 * cases[i].across);
        ck_assert_uint_eq(cost.adc_conversions, 51 * cases[i].across);
        ck_assert_uint_eq(cost.dac_conversions, 2 * cases[i].in);
    }
}
END_TEST

static Suite *profile_suite(void)
{
    Suite *s = suite_create("profile");
    TCase *shipped_ones = tcase_create("shipped");
    tcase_add_test(shipped_ones, ideal_is_the_int8_backend);
    tcase_add_test(shipped_ones, afm_profiles);
    tcase_add_test(shipped_ones, aihwkit_profiles);
    tcase_add_test(shipped_ones, example_of_the_manual);
    suite_add_tcase(s, shipped_ones);
    TCase *rules = tcase_create("rules");
    tcase_add_test(rules, everything_has_a_default_but_what_must_stand);
    tcase_add_test(rules, keys_land_in_their_fields);
    tcase_add_loop_test(rules, bad_profile_is_refused_with_the_place, 0, COUNT(bad_profiles));
    tcase_add_test(rules, texts_of_all_lengths_they_may_have);
    tcase_add_test(rules, a_bad_profile_leaves_nothing_for_the_next);
    tcase_add_test(rules, override_is_checked);
    tcase_add_test(rules, integer_tiles_need_a_dac_of_8_bits);
    suite_add_tcase(s, rules);
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, make_folder, remove_folder);
    tcase_add_test(files, names_in_a_folder);
    tcase_add_test(files, the_first_folder_counts);
    tcase_add_test(files, hostile_files);
    tcase_add_test(files, every_allocation_may_fail);
    suite_add_tcase(s, files);
    TCase *energy = tcase_create("energy");
    tcase_add_test(energy, a_token_of_llama_1b_on_hermes);
    tcase_add_test(energy, partly_used_arrays_cost_as_full_ones);
    tcase_add_test(energy, tiles_stand_on_arrays_of_their_own);
    suite_add_tcase(s, energy);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(profile_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
