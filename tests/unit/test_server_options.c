/* SPDX-License-Identifier: Apache-2.0 */
/* analogd.conf and the flags: values, precedence, and what errors say. */
#include "server/options_table.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ONE_MODEL "model \"m\" { dir = \"/m\" }\n"

static void parse_good(const char *text, aimd_options *o)
{
    aim_error err = {0};
    int rc = aimd_options_parse_text(text, "test.conf", o, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
}

/* ---- the file ------------------------------------------------------------- */

/* Field by field: there is padding between them. */
static void check_same(const aim_engine_config *a, const aim_engine_config *b)
{
    ck_assert_int_eq(a->max_sequences, b->max_sequences);
    ck_assert_int_eq(a->max_batch_tokens, b->max_batch_tokens);
    ck_assert_int_eq(a->prefill_chunk, b->prefill_chunk);
    ck_assert_int_eq(a->prefill_beside, b->prefill_beside);
    ck_assert_int_eq(a->max_context, b->max_context);
    ck_assert_int_eq(a->kv_blocks, b->kv_blocks);
    ck_assert_uint_eq(a->kv_bytes, b->kv_bytes);
    ck_assert_int_eq(a->max_queue, b->max_queue);
    ck_assert_int_eq(a->threads, b->threads);
    ck_assert(a->prefix_cache == b->prefix_cache);
}

START_TEST(defaults_are_those_of_the_table)
{
    aimd_options o;
    aim_engine_config engine;
    parse_good(ONE_MODEL, &o);
    ck_assert_str_eq(o.listen.host, "127.0.0.1");
    ck_assert_int_eq(o.listen.port, 8080);
    ck_assert_str_eq(o.admin.host, "127.0.0.1");
    ck_assert_int_eq(o.admin.port, 8081);
    ck_assert_uint_eq(o.max_body_bytes, 8 << 20);
    ck_assert_ptr_null(o.hosts);
    ck_assert_ptr_null(o.api_key_file);
    ck_assert_str_eq(o.models[0].backend, "int8");
    /* The manual must not promise other defaults than the engine's own. */
    aim_engine_config_init(&engine);
    check_same(&o.models[0].engine, &engine);
    aimd_options_free(&o);
}
END_TEST

START_TEST(file_sets_values_of_every_type)
{
    aimd_options o;
    parse_good("# comment\n"
               "listen = \"[::1]:9000\"\n"
               "admin_listen = \"none\"\n"
               "hosts = {\"a.example\", \"b.example\"}\n"
               "strict_params = true\n"
               "max_body_bytes = 64K\n"
               "log_format = json\n"
               "max_queue = 7\n"
               "backend = f32\n"
               "model \"one\" { dir = \"/x\"\n kv_cache = 2G\n prefix_cache = off }\n"
               "model \"two\" { dir = \"/y\"\n backend = int8\n max_queue = 9 }\n",
               &o);
    ck_assert_str_eq(o.listen.host, "::1");
    ck_assert_int_eq(o.listen.port, 9000);
    ck_assert_ptr_null(o.admin.host);
    ck_assert_str_eq(o.hosts[0], "a.example");
    ck_assert_str_eq(o.hosts[1], "b.example");
    ck_assert_ptr_null(o.hosts[2]);
    ck_assert(o.strict_params);
    ck_assert_uint_eq(o.max_body_bytes, 65536);
    ck_assert_str_eq(o.log_format, "json");
    ck_assert_uint_eq(o.n_models, 2);
    ck_assert_str_eq(o.models[0].id, "one");
    ck_assert_str_eq(o.models[0].backend, "f32");
    ck_assert_int_eq(o.models[0].engine.max_queue, 7);
    ck_assert_uint_eq(o.models[0].engine.kv_bytes, 2ull << 30);
    ck_assert(!o.models[0].engine.prefix_cache);
    ck_assert_str_eq(o.models[1].backend, "int8");
    ck_assert_int_eq(o.models[1].engine.max_queue, 9);
    ck_assert(o.models[1].engine.prefix_cache);
    aimd_options_free(&o);
}
END_TEST

START_TEST(a_chip_is_a_model_with_a_profile)
{
    aimd_options o;
    parse_good("profile_dir = {/profiles, /more}\nstate_dir = /state\n"
               "model \"twin\" { dir = \"/x\" }\n"
               "model \"twin@a\" { dir = \"/x\"\n backend = analog\n profile = pcm-hermes\n"
               "    chip_seed = 9007199254740992\n chip_age = 1d\n conductance_bits = 8\n"
               "    out_bound = 12.5 }\n"
               "model \"twin@b\" { dir = \"/x\"\n backend = analog-exact\n"
               "    profile = \"./my.conf\" }\n",
               &o);
    const aimd_model_options *a = &o.models[1], *b = &o.models[2];
    ck_assert_str_eq(o.profile_dirs[0], "/profiles");
    ck_assert_str_eq(o.profile_dirs[1], "/more");
    ck_assert_str_eq(o.profile_dirs[2], AIM_PKGDATADIR "/profiles");
    ck_assert_ptr_null(o.profile_dirs[3]);
    ck_assert_str_eq(o.state_dir, "/state");
    ck_assert(!aimd_is_analog(o.models[0].backend));
    ck_assert(aimd_is_analog(a->backend) && aimd_is_analog(b->backend));
    ck_assert_ptr_null(o.models[0].profile);
    ck_assert_str_eq(a->profile, "pcm-hermes");
    ck_assert(a->chip_seed == UINT64_C(1) << 53);
    ck_assert_double_eq(a->chip_age, 86400);
    ck_assert_int_eq(a->conductance_bits, 8);
    ck_assert_double_eq(a->out_bound, 12.5);
    ck_assert_str_eq(b->profile, "./my.conf");
    ck_assert(b->chip_seed == 0 && b->chip_age == 0 && b->conductance_bits == 0);
    aimd_options_free(&o);
}
END_TEST

START_TEST(models_have_roles_and_searches)
{
    aimd_options o;
    parse_good("reward_aggregation = min\nmax_best_of = 32\n"
               "model \"prm\" { dir = \"/p\"\n role = reward\n best_of = 7 }\n"
               "model \"m\" { dir = \"/m\"\n best_of = 16\n select = weighted\n"
               "    reward_model = prm\n search = beam\n beam_width = 8\n"
               "    step_separator = \"\\n\" }\n"
               "model \"plain\" { dir = \"/m\"\n search = dvts }\n",
               &o);
    const aimd_search_defaults *s = &o.models[1].search, *plain = &o.models[2].search;
    ck_assert(aimd_is_reward(&o.models[0]) && !aimd_is_reward(&o.models[1]));
    ck_assert_int_eq(o.max_best_of, 32);
    ck_assert_int_eq(o.max_total_tokens, 1 << 20);
    ck_assert_int_eq(s->best_of, 16);
    ck_assert_int_eq(s->beam_width, 8);
    ck_assert_str_eq(s->select, "weighted");
    ck_assert_str_eq(s->reward_model, "prm");
    ck_assert_str_eq(s->reward_aggregation, "min");
    ck_assert_str_eq(s->search, "beam");
    ck_assert_str_eq(s->step_separator, "\n");
    ck_assert_int_eq(plain->best_of, 1);
    ck_assert_int_eq(plain->beam_width, 4);
    ck_assert_str_eq(plain->select, "auto");
    ck_assert_ptr_null(plain->reward_model);
    ck_assert_ptr_null(plain->step_separator);
    ck_assert_ptr_null(plain->answer_pattern);
    aimd_options_free(&o);
}
END_TEST

START_TEST(folders_are_found_if_not_given)
{
    aimd_options o;
    ck_assert_int_eq(setenv("STATE_DIRECTORY", "/var/lib/analogd:/var/lib/more", 1), 0);
    parse_good(ONE_MODEL, &o);
    ck_assert_str_eq(o.state_dir, "/var/lib/analogd");
    ck_assert_str_eq(o.profile_dirs[0], AIM_PKGDATADIR "/profiles");
    ck_assert_ptr_null(o.profile_dirs[1]);
    aimd_options_free(&o);
    parse_good("state_dir = /mine\n" ONE_MODEL, &o);
    ck_assert_str_eq(o.state_dir, "/mine");
    aimd_options_free(&o);
    ck_assert_int_eq(unsetenv("STATE_DIRECTORY"), 0);
    parse_good(ONE_MODEL, &o);
    ck_assert_ptr_null(o.state_dir);
    aimd_options_free(&o);
}
END_TEST

START_TEST(a_copy_shares_nothing)
{
    aimd_options o;
    aimd_model_options copy = {0};
    parse_good("backend = analog\nprofile = p\nmax_queue = 7\n" ONE_MODEL, &o);
    int rc = -1;
    for (long n = 0; rc != 0; n++) {
        aim_error err = {0};
        ck_assert_int_lt(n, 100);
        aim_alloc_fail_after(n);
        rc = aimd_model_options_copy(&copy, &o.models[0], &err);
        aim_alloc_fail_after(-1);
        ck_assert(rc == 0 || (rc == AIM_ENOMEM && !copy.profile && !copy.id));
    }
    aimd_options_free(&o);
    ck_assert_str_eq(copy.id, "m");
    ck_assert_str_eq(copy.dir, "/m");
    ck_assert_str_eq(copy.profile, "p");
    ck_assert_str_eq(copy.chat_template, "auto");
    ck_assert_int_eq(copy.engine.max_queue, 7);
    aimd_model_options_free(&copy);
    ck_assert_ptr_null(copy.profile);
}
END_TEST

static const struct {
    const char *text, *error;
} bad_files[] = {
    {"", "no model"},
    {"\n\nnothing = 1\n", "test.conf:3: no such option 'nothing'"},
    {"# one\n// two\n/* three\nfour */\nnothing = 1\n", "test.conf:5: no such option 'nothing'"},
    {"log_file = \"# no // comment /*\"\nlog_file = 'it\\'s # not'\nnothing = 1 # five\n",
     "test.conf:2: "},
    {"log_file = a//b#c\n# two\nnothing = 1\n", "test.conf:3: no such option 'nothing'"},
    {"# one\nlisten = \"127.0.0.1:0\" # two\n# three\nnothing = 1\n",
     "test.conf:4: no such option 'nothing'"},
    {"listen = \"127.0.0.1:8080\"\nlisten = \"127.0.0.1:8081\"\n",
     "test.conf:2: listen is set twice"},
    {"max_n = 0\n", "test.conf:1: max_n: 0 is not between 1 and 128"},
    {"\nmax_n = 129\n", "test.conf:2: max_n: 129 is not between 1 and 128"},
    {"max_n = -1\n", "max_n: -1 is not between"},
    {"max_n = 1.5\n", "max_n: \"1.5\" is not a whole number"},
    {"max_n = 99999999999999999999\n", "is not between 1 and 128"},
    {"max_n = \"\"\n", "max_n: \"\" is not a whole number"},
    {"max_n = {1, 2}\n", "test.conf:1: "},
    {"strict_params = maybe\n", "strict_params: \"maybe\" is neither true nor false"},
    {"max_body_bytes = 8X\n", "max_body_bytes: \"8X\" is not a size"},
    {"max_body_bytes = 9999999999G\n", "is not between 1024 and 1073741824"},
    {"backend = int2\n", "backend: \"int2\" is not one of int8|int4|f32|analog|analog-exact"},
    {"backend = \"int8|f32\"\n", "is not one of int8|int4|f32"},
    {"conductance_bits = 12\n", "conductance_bits: \"12\" is not one of 0|8|16"},
    {"conductance_bits = 32\n", "conductance_bits: 32 is not between 0 and 16"},
    {"conductance_bits = 08\n", "conductance_bits: \"08\" is not one of 0|8|16"},
    {"out_bound = 1001\n", "out_bound: 1001 is not between 0 and 1000"},
    {"out_bound = 1e1\n", "out_bound: \"1e1\" is not a number"},
    {"out_bound = nan\n", "out_bound: \"nan\" is not a number"},
    {"chip_seed = -1\n", "chip_seed: -1 is not between 0 and 9007199254740992"},
    {"chip_seed = 9007199254740993\n", "chip_seed: 9007199254740993 is not between 0 and"},
    {"chip_seed = 99999999999999999999\n", "chip_seed: 99999999999999999999 is not between 0 and"},
    {"chip_seed = 0x1\n", "chip_seed: \"0x1\" is not a whole number"},
    {"chip_age = 1w\n", "test.conf:1: chip_age: \"1w\" is not an age"},
    {"chip_age = 2000y\n", "chip_age: an age is between 0 seconds and 1000 years"},
    {"backend = analog\n" ONE_MODEL, "model m: the backend analog needs a profile"},
    {"backend = analog\nprofile = \"\"\n" ONE_MODEL, "the backend analog needs a profile"},
    {"model \"m\" { dir = x\n backend = analog-exact }\n",
     "model m: the backend analog-exact needs a profile"},
    {"profile = ideal\n" ONE_MODEL,
     "model m: profile is of use to the backends int4, analog and analog-exact alone, not to int8"},
    {"backend = int4\nprofile = ideal\nchip_age = 1\n" ONE_MODEL,
     "model m: chip_age is of use to the backends analog and analog-exact alone, not to int4"},
    {"backend = int4\nchip_seed = 1\n" ONE_MODEL, "model m: chip_seed is of use to the backends"},
    {"backend = int4\nconductance_bits = 8\n" ONE_MODEL, "m: conductance_bits is of use to the"},
    {"backend = int4\nout_bound = 9\n" ONE_MODEL, "model m: out_bound needs a profile"},
    {"backend = int4\ninput_ranges = x\n" ONE_MODEL, "model m: input_ranges needs a profile"},
    {"backend = analog\nprofile = ideal\ninput_ranges = x\n" ONE_MODEL,
     "model m: input_ranges is of use to the backend int4 alone"},
    {"backend = f32\nchip_seed = 1\n" ONE_MODEL, "model m: chip_seed is of use to the backends"},
    {"chip_age = 1\n" ONE_MODEL, "model m: chip_age is of use to the backends"},
    {"conductance_bits = 8\n" ONE_MODEL, "model m: conductance_bits is of use to the backends"},
    {"out_bound = 0.5\n" ONE_MODEL, "model m: out_bound is of use to the backends"},
    {"model \"m\" { dir = x\n role = judge }\n", "test.conf:2: role: \"judge\" is not one of"},
    {"select = best\n",
     "select: \"best\" is not one of auto|logprob|reward|majority|weighted|self_"},
    {"search = greedy\n", "search: \"greedy\" is not one of best_of_n|beam|dvts"},
    {"reward_aggregation = sum\n", "is not one of last|min|product|mean"},
    {"best_of = 0\n", "best_of: 0 is not between 1 and 1024"},
    {"max_total_tokens = -1\n", "max_total_tokens: -1 is not between 0 and"},
    {"best_of = 65\n" ONE_MODEL, "model m: best_of is 65, more than max_best_of (64)"},
    {"best_of = 4\nselect = weighted\n" ONE_MODEL, "model m: select weighted needs a reward model"},
    {"best_of = 4\nsearch = dvts\n" ONE_MODEL, "model m: beam and dvts need a reward model"},
    {"answer_pattern = \"(\"\n" ONE_MODEL, "model m: answer_pattern does not compile"},
    {"best_of = 6\nsearch = beam\n" ONE_MODEL "model \"p\" { dir = \"/p\"\n role = reward }\n",
     "model m: best_of is 6, not a multiple of beam_width, which is 4"},
    {"reward_model = p\n" ONE_MODEL, "model m: reward_model: there is no model called \"p\""},
    {"reward_model = p\n" ONE_MODEL "model \"p\" { dir = \"/p\" }\n",
     "model m: reward_model: the role of model p is generator, not reward"},
    {"profile_dir = x\nmodel \"m\" { dir = x\n state_dir = y }\n",
     "test.conf:3: state_dir belongs outside of model sections"},
    {"log_level = \"\"\n", "log_level: \"\" is not one of"},
    {"log_file = \"x\nlisten = \"127.0.0.1:8080\"\n",
     "test.conf:1: a quotation mark is not closed in its line"},
    {"listen = \"8080\"\n", "listen: \"8080\" is not ADDRESS:PORT"},
    {"listen = \"127.0.0.1:\"\n", "is not ADDRESS:PORT"},
    {"listen = \"127.0.0.1:70000\"\n", "is not ADDRESS:PORT"},
    {"listen = \"127.0.0.1:-1\"\n", "is not ADDRESS:PORT"},
    {"listen = \"::1:8080\"\n", "is not ADDRESS:PORT"},
    {"listen = \"[::1]8080\"\n", "is not ADDRESS:PORT"},
    {"listen = \"[]:80\"\n", "must be numeric"},
    {"listen = \"example.org:80\"\n", "the address must be numeric"},
    {"listen = \"auto\"\n", "is not ADDRESS:PORT"},
    {"listen = \"127.0.0.1:65535\"\n" ONE_MODEL, "admin_listen must be given"},
    {"listen = \"0.0.0.0:8080\"\n" ONE_MODEL, "listen: other hosts can reach 0.0.0.0"},
    {"listen = \"[::]:8080\"\n" ONE_MODEL, "listen: other hosts can reach ::"},
    {"listen = \"[::1]:8080\"\nadmin_listen = \"[::1]:8080\"\n" ONE_MODEL,
     "admin_listen: ::1:8080 is the address of listen"},
    {"admin_listen = \"192.0.2.1:8081\"\n" ONE_MODEL, "admin_listen: other hosts can reach"},
    {"model { dir = x }\n", "test.conf:1: missing title"},
    {"\nmodel \"m\" { }\n", "test.conf:2: model \"m\" has no dir"},
    {"model \"m\" { dir = \"\" }\n", "model \"m\" has no dir"},
    {"model \"m\" { dir = x\n listen = \"127.0.0.1:1\" }\n",
     "test.conf:2: listen belongs outside of model sections"},
    {"model \"m\" { dir = x\n hosts = {a} }\n",
     "test.conf:2: hosts belongs outside of model sections"},
    {"model \"m\" { dir = x\n max_queue = 0 }\n", "test.conf:2: max_queue: 0 is not between"},
    {"model \"\" { dir = x }\n", "the id must be"},
    {"model \"a\tb\" { dir = x }\n", "the id must be"},
    {"model \"\xff\" { dir = x }\n", "the id must be"},
    {ONE_MODEL ONE_MODEL, "test.conf:2: found duplicate title 'm'"},
    {"model \"m\" { dir = x\n", "the section of model \"m\" is not closed"},
    {"/* " ONE_MODEL, "a comment is not closed"},
    {"log_file = \"x\n", "test.conf:"},
    {"}", "test.conf:1: unexpected closing brace"},
    {"max_n", "test.conf:"},
    {"include(\"/etc/hostname\")\n", "no such option 'include'"},
};

START_TEST(bad_file_is_refused_with_the_place)
{
    aimd_options o;
    aim_error err = {0};
    int rc = aimd_options_parse_text(bad_files[_i].text, "test.conf", &o, &err);
    ck_assert_msg(rc != 0, "accepted: %s", bad_files[_i].text);
    ck_assert_msg(strstr(err.text, bad_files[_i].error), "\"%s\" for %s", err.text,
                  bad_files[_i].text);
    ck_assert_ptr_null(o.models); /* nothing is left to free */
}
END_TEST

START_TEST(a_bad_file_leaves_nothing_for_the_next)
{
    aimd_options o;
    aim_error err = {0};
    ck_assert_int_ne(aimd_options_parse_text("log_file = \"open", "bad", &o, &err), 0);
    parse_good("max_n = 3\n" ONE_MODEL, &o);
    ck_assert_int_eq(o.max_n, 3);
    aimd_options_free(&o);
}
END_TEST

START_TEST(public_address_is_fine_with_keys)
{
    aimd_options o;
    parse_good("listen = \"0.0.0.0:80\"\napi_key_file = \"/k\"\n" ONE_MODEL, &o);
    ck_assert_str_eq(aimd_allowed_hosts(&o, "0.0.0.0")[0], "*");
    ck_assert_ptr_null(aimd_allowed_hosts(&o, "127.0.0.1"));
    ck_assert_str_eq(o.admin.host, "127.0.0.1");
    ck_assert_int_eq(o.admin.port, 81);
    aimd_options_free(&o);
}
END_TEST

static const struct {
    const char *host;
    bool loopback;
} hosts[] = {
    {"127.0.0.1", true}, {"127.255.0.9", true}, {"::1", true},        {"0.0.0.0", false},
    {"::", false},       {"192.0.2.7", false},  {"128.0.0.1", false}, {"::ffff:1.2.3.4", false},
    {"", false},         {"localhost", false},
};

START_TEST(loopback_is_told_from_the_rest)
{
    ck_assert_int_eq(aimd_is_loopback(hosts[_i].host), hosts[_i].loopback);
}
END_TEST

/* ---- flags ---------------------------------------------------------------- */

enum { MAX_ARGS = 8 };

static int parse_args(const char *const args[MAX_ARGS], aimd_options *o)
{
    static char name[] = "analogd";
    char *argv[MAX_ARGS + 2] = {name};
    int argc = 1;
    for (; args[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)args[argc - 1];
    return aimd_options_parse(argc, argv, o);
}

START_TEST(flags_make_a_chip)
{
    aimd_options o;
    const char *args[MAX_ARGS] = {"--model=/models/small",
                                  "--backend=analog",
                                  "--profile",
                                  "pcm-hermes",
                                  "--chip-seed=7",
                                  "--chip-age=1.5h",
                                  "--conductance-bits=16",
                                  NULL};
    ck_assert_int_eq(parse_args(args, &o), 0);
    ck_assert_str_eq(o.models[0].backend, "analog");
    ck_assert_str_eq(o.models[0].profile, "pcm-hermes");
    ck_assert(o.models[0].chip_seed == 7);
    ck_assert_double_eq(o.models[0].chip_age, 5400);
    ck_assert_int_eq(o.models[0].conductance_bits, 16);
    aimd_options_free(&o);
}
END_TEST

START_TEST(flags_need_no_file)
{
    aimd_options o;
    const char *args[MAX_ARGS] = {
        "--model",         "/models/small/",      "-m", "/models/other", "--no-prefix-cache",
        "--kv-cache=512M", "--listen=127.0.0.1:0"};
    ck_assert_int_eq(parse_args(args, &o), 0);
    ck_assert_uint_eq(o.n_models, 2);
    ck_assert_str_eq(o.models[0].id, "small");
    ck_assert_str_eq(o.models[0].dir, "/models/small/");
    ck_assert_str_eq(o.models[1].id, "other");
    ck_assert(!o.models[1].engine.prefix_cache);
    ck_assert_uint_eq(o.models[1].engine.kv_bytes, 512u << 20);
    ck_assert_int_eq(o.admin.port, 0);
    aimd_options_free(&o);
}
END_TEST

START_TEST(reward_models_stand_beside_the_others)
{
    aimd_options o;
    const char *args[MAX_ARGS] = {"--reward-model",    "/r/one",
                                  "--model=/m",        "--best-of=8",
                                  "--select=weighted", "--reward-model=/r/two"};
    ck_assert_int_eq(parse_args(args, &o), 0);
    ck_assert_uint_eq(o.n_models, 3);
    ck_assert_str_eq(o.models[0].id, "m");
    ck_assert_str_eq(o.models[1].id, "one");
    ck_assert_str_eq(o.models[2].dir, "/r/two");
    ck_assert(!aimd_is_reward(&o.models[0]));
    ck_assert(aimd_is_reward(&o.models[1]) && aimd_is_reward(&o.models[2]));
    ck_assert_int_eq(o.models[0].search.best_of, 8);
    aimd_options_free(&o);

    const char *alone[MAX_ARGS] = {"--reward-model=/r/one"};
    ck_assert_int_eq(parse_args(alone, &o), 0);
    ck_assert_uint_eq(o.n_models, 1);
    aimd_options_free(&o);
}
END_TEST

static void write_file(char path[64], const char *text)
{
    snprintf(path, 64, "/tmp/analogd-options-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

START_TEST(flags_override_the_file)
{
    aimd_options o;
    char path[64];
    write_file(path, "max_n = 4\nmax_prompts = 5\nbackend = int8\n"
                     "model \"a\" { dir = \"/a\" backend = int8 max_queue = 3 }\n");
    const char *args[MAX_ARGS] = {"--config",      path,          "--max-n", "6",
                                  "--backend=f32", "--test-hooks"};
    ck_assert_int_eq(parse_args(args, &o), 0);
    ck_assert_int_eq(o.max_n, 6);
    ck_assert_int_eq(o.max_prompts, 5);
    ck_assert_uint_eq(o.n_models, 1);
    ck_assert_str_eq(o.models[0].backend, "f32");
    ck_assert_int_eq(o.models[0].engine.max_queue, 3);
    ck_assert(o.test_hooks);
    aimd_options_free(&o);

    const char *models[MAX_ARGS] = {"--config", path, "--model", "/b"};
    ck_assert_int_eq(parse_args(models, &o), 0);
    ck_assert_uint_eq(o.n_models, 1);
    ck_assert_str_eq(o.models[0].id, "b");
    ck_assert_int_eq(o.max_n, 4);
    aimd_options_free(&o);

    const char *reward[MAX_ARGS] = {"--config", path, "--reward-model", "/b"};
    ck_assert_int_eq(parse_args(reward, &o), 0);
    ck_assert_uint_eq(o.n_models, 2);
    ck_assert_str_eq(o.models[0].id, "a");
    aimd_options_free(&o);
    unlink(path);
}
END_TEST

static const struct {
    const char *args[MAX_ARGS];
    int rc;
} exits[] = {
    {{"--help"}, 1},
    {{"--version"}, 1},
    {{"-V"}, 1},
    {{"--nothing"}, -AIMD_EXIT_USAGE},
    {{"--model"}, -AIMD_EXIT_USAGE},
    {{"--model", "/m", "extra"}, -AIMD_EXIT_USAGE},
    {{"--model", "/m", "--max-n", "0"}, -AIMD_EXIT_USAGE},
    {{"--model", "/m", "--max-n"}, -AIMD_EXIT_USAGE},
    {{"--model", "/m", "--backend", "x"}, -AIMD_EXIT_USAGE},
    {{"--model", "/m", "--prefix-cache"}, -AIMD_EXIT_USAGE},
    {{"--model", "/m", "--profile", "ideal"}, -AIMD_EXIT_USAGE},
    {{"--model", "/m", "--backend", "analog"}, -AIMD_EXIT_USAGE},
    {{"--model", "/m", "--chip-age", "soon"}, -AIMD_EXIT_USAGE},
    {{"--model", "/m", "--listen", "0.0.0.0:1"}, -AIMD_EXIT_USAGE},
    {{"--model", "/a/m", "--model", "/b/m"}, -AIMD_EXIT_USAGE},
    {{"--model", "/"}, -AIMD_EXIT_USAGE},
    {{NULL}, -AIMD_EXIT_USAGE},
    {{"--config", "/nonexistent/analogd.conf"}, -AIMD_EXIT_CONFIG},
};

START_TEST(flags_end_the_program)
{
    aimd_options o;
    ck_assert_int_eq(parse_args(exits[_i].args, &o), exits[_i].rc);
    ck_assert_ptr_null(o.models);
}
END_TEST

/* ---- the example, and memory ------------------------------------------------ */

static char *read_example(const char *name)
{
    const char *top = getenv("top_srcdir");
    size_t len;
    char *path = aim_path_join(top ? top : ".", name);
    aim_error err = {0};
    char *text = aim_read_file(path, 1 << 20, &len, &err);
    ck_assert_msg(text != NULL, "%s", err.text);
    aim_free(path);
    return text;
}

/* Take the '#' off every line that sets an option. */
static void uncomment(char *text)
{
    for (char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        char *sign = line + strspn(line, " ");
        if (*sign == '#' && sign[1] != ' ' && sign[1] != '\n')
            *sign = ' ';
    }
}

START_TEST(example_sets_every_option_to_its_default)
{
    aimd_options plain, example;
    char *text = read_example("conf/analogd.conf");
    uncomment(text);
    for (int i = 0; i < AIMD_N_OPTIONS; i++)
        ck_assert_msg(strstr(text, aimd__options[i].name), "%s is missing", aimd__options[i].name);
    parse_good(text, &example);
    parse_good(ONE_MODEL, &plain);
    ck_assert_str_eq(example.models[0].id, "wordmath-2m");
    ck_assert_str_eq(example.models[1].id, "wordmath-2m-prm");
    ck_assert(aimd_is_reward(&example.models[1]));
    ck_assert_str_eq(example.models[2].id, "wordmath-2m@chip");
    ck_assert(aimd_is_analog(example.models[2].backend));
    check_same(&example.models[0].engine, &plain.models[0].engine);
    ck_assert_int_eq(example.drain_timeout, plain.drain_timeout);
    ck_assert_int_eq(example.admin.port, plain.admin.port);
    ck_assert_ptr_null(example.hosts);
    aimd_options_free(&plain);
    aimd_options_free(&example);
    aim_free(text);
}
END_TEST

static const struct {
    const char *file;
    double out_bound;
} checkpoints[] = {{"conf/analog-llama-3.2-1b.conf", 14}, {"conf/analog-phi-3-mini.conf", 12}};

START_TEST(examples_of_published_checkpoints)
{
    aimd_options o;
    char *text = read_example(checkpoints[_i].file);
    parse_good(text, &o);
    ck_assert_uint_eq(o.n_models, 2);
    for (size_t i = 0; i < o.n_models; i++) {
        ck_assert_str_eq(o.models[i].backend, "analog");
        ck_assert_double_eq(o.models[i].out_bound, checkpoints[_i].out_bound);
    }
    aimd_options_free(&o);
    aim_free(text);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    static const char text[] = "hosts = {a, b}\nlog_file = \"x\"\nlisten = \"[::1]:1\"\n"
                               "profile_dir = /p\nstate_dir = /s\n"
                               "model \"m\" { dir = \"/m\" backend = analog profile = p }\n"
                               "model \"n\" { dir = \"/n\" }\n";
    aimd_options o = {0};
    int rc = -1;
    for (long n = 0; rc != 0; n++) {
        aim_error err = {0};
        ck_assert_int_lt(n, 1000);
        aim_alloc_fail_after(n);
        rc = aimd_options_parse_text(text, "test.conf", &o, &err);
        aim_alloc_fail_after(-1);
        if (rc)
            ck_assert_msg(strstr(err.text, "out of memory"), "%ld: %s", n, err.text);
    }
    aimd_options_free(&o);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("options");
    TCase *file = tcase_create("file"), *flags = tcase_create("flags");
    TCase *rest = tcase_create("example and memory");
    tcase_add_test(file, defaults_are_those_of_the_table);
    tcase_add_test(file, file_sets_values_of_every_type);
    tcase_add_test(file, a_chip_is_a_model_with_a_profile);
    tcase_add_test(file, models_have_roles_and_searches);
    tcase_add_test(file, folders_are_found_if_not_given);
    tcase_add_test(file, a_copy_shares_nothing);
    tcase_add_loop_test(file, bad_file_is_refused_with_the_place, 0,
                        sizeof bad_files / sizeof bad_files[0]);
    tcase_add_test(file, a_bad_file_leaves_nothing_for_the_next);
    tcase_add_test(file, public_address_is_fine_with_keys);
    tcase_add_loop_test(file, loopback_is_told_from_the_rest, 0, sizeof hosts / sizeof hosts[0]);
    tcase_add_test(flags, flags_need_no_file);
    tcase_add_test(flags, flags_make_a_chip);
    tcase_add_test(flags, reward_models_stand_beside_the_others);
    tcase_add_test(flags, flags_override_the_file);
    tcase_add_loop_test(flags, flags_end_the_program, 0, sizeof exits / sizeof exits[0]);
    tcase_add_test(rest, example_sets_every_option_to_its_default);
    tcase_add_loop_test(rest, examples_of_published_checkpoints, 0, 2);
    tcase_add_test(rest, every_allocation_may_fail);
    suite_add_tcase(suite, file);
    suite_add_tcase(suite, flags);
    suite_add_tcase(suite, rest);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
