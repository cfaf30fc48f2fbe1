/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of the HTTP front that are pure functions, and API keys. */
#include "base/alloc.h"
#include "server/auth.h"
#include "server/header_check.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))

/* ---- headers ------------------------------------------------------------- */

static const struct {
    const char *what, *version;
    const char *headers[4]; /* "name:value", as they are after the parser */
    int status;
    unsigned long long length;
} requests[] = {
    {"plain", "HTTP/1.1", {"Host:h"}, 0, 0},
    {"length", "HTTP/1.1", {"Host:h", "content-length:0012"}, 0, 12},
    {"chunks", "HTTP/1.1", {"Host:h", "Transfer-Encoding:Chunked"}, 0, 0},
    {"18 digits",
     "HTTP/1.1",
     {"Host:h", "Content-Length:999999999999999999"},
     0,
     999999999999999999ULL},
    {"tab in a value", "HTTP/1.1", {"Host:h", "X:a\tb"}, 0, 0},
    {"UTF-8 in a value", "HTTP/1.1", {"Host:h", "X:caf\xc3\xa9"}, 0, 0},
    {"empty value", "HTTP/1.1", {"Host:h", "X:"}, 0, 0},
    {"1.0 without Host", "HTTP/1.0", {"X:y"}, 0, 0},
    {"identity", "HTTP/1.1", {"Host:h", "Content-Encoding:IDENTITY"}, 0, 0},
    {"no Host", "HTTP/1.1", {"X:y"}, 400, 0},
    {"two Hosts", "HTTP/1.1", {"Host:h", "host:h"}, 400, 0},
    {"two Hosts in 1.0", "HTTP/1.0", {"Host:h", "host:h"}, 400, 0},
    {"two lengths", "HTTP/1.1", {"Host:h", "Content-Length:1", "Content-Length:1"}, 400, 1},
    {"length and chunks",
     "HTTP/1.1",
     {"Host:h", "Content-Length:1", "Transfer-Encoding:chunked"},
     400,
     1},
    {"19 digits", "HTTP/1.1", {"Host:h", "Content-Length:1000000000000000000"}, 400, 0},
    {"empty length", "HTTP/1.1", {"Host:h", "Content-Length:"}, 400, 0},
    {"negative length", "HTTP/1.1", {"Host:h", "Content-Length:-1"}, 400, 0},
    {"list of lengths", "HTTP/1.1", {"Host:h", "Content-Length:1,1"}, 400, 1},
    {"blank in a length", "HTTP/1.1", {"Host:h", "Content-Length:1 1"}, 400, 1},
    {"xchunked", "HTTP/1.1", {"Host:h", "Transfer-Encoding:xchunked"}, 400, 0},
    {"identity as transfer coding", "HTTP/1.1", {"Host:h", "Transfer-Encoding:identity"}, 400, 0},
    {"chunked twice",
     "HTTP/1.1",
     {"Host:h", "Transfer-Encoding:chunked", "Transfer-Encoding:chunked"},
     400,
     0},
    {"chunks in 1.0", "HTTP/1.0", {"Host:h", "Transfer-Encoding:chunked"}, 400, 0},
    {"blank in a name", "HTTP/1.1", {"Host:h", "Content-Length :2"}, 400, 0},
    {"empty name", "HTTP/1.1", {"Host:h", ":2"}, 400, 0},
    {"high byte in a name", "HTTP/1.1", {"Host:h", "X\xe9:2"}, 400, 0},
    {"control in a value", "HTTP/1.1", {"Host:h", "X:a\rb"}, 400, 0},
    {"DEL in a value", "HTTP/1.1", {"Host:h", "X:a\x7f"}, 400, 0},
    {"gzip", "HTTP/1.1", {"Host:h", "Content-Encoding:gzip"}, 415, 0},
    {"framing outranks coding",
     "HTTP/1.1",
     {"Host:h", "Content-Encoding:gzip", "Content-Length:x"},
     400,
     0},
};

START_TEST(headers_are_judged)
{
    aimd_header_check c = {0};
    for (int i = 0; i < 4 && requests[_i].headers[i]; i++) {
        const char *name = requests[_i].headers[i], *colon = strchr(name, ':');
        aimd_header_check_add(&c, name, (size_t)(colon - name), colon + 1, strlen(colon + 1));
    }
    ck_assert_msg(aimd_header_check_end(&c, requests[_i].version) == requests[_i].status,
                  "%s: status %d", requests[_i].what, c.status);
    ck_assert_msg(c.length == requests[_i].length, "%s: length %llu", requests[_i].what,
                  (unsigned long long)c.length);
    ck_assert_msg((c.status == 0) == (c.why == NULL), "%s: reason", requests[_i].what);
}
END_TEST

START_TEST(nul_in_a_header_is_refused)
{
    aimd_header_check name = {0}, value = {0};
    aimd_header_check_add(&name, "a\0b", 3, "x", 1);
    aimd_header_check_add(&value, "a", 1, "x\0y", 3);
    ck_assert_int_eq(name.status, 400);
    ck_assert_int_eq(value.status, 400);
}
END_TEST

/* ---- hosts, paths, ids --------------------------------------------------- */

static const char *const configured[] = {"llm.example", "10.0.0.5:8080", "[fd00::1]", NULL};
static const struct {
    const char *host;
    bool ok;
} hosts[] = {
    {"localhost", true},
    {"LocalHost:1", true},
    {"127.0.0.1", true},
    {"127.0.0.1:65535", true},
    {"[::1]", true},
    {"[::1]:80", true},
    {"localhost:", true},
    {"llm.example", true},
    {"llm.example:443", true},
    {"10.0.0.5:8080", true},
    {"[fd00::1]:8080", true},
    {"10.0.0.5", false},
    {"10.0.0.5:80", false},
    {"evil.example", false},
    {"localhost.evil.example", false},
    {"xlocalhost", false},
    {"localhost:80x", false},
    {"localhost:80:80", false},
    {"", false},
    {":80", false},
    {"[::1", false},
    {"[::1]x", false},
    {"[]", false},
    {"localhost@evil.example", false},
    {"127.0.0.1.evil", false},
    {"localhost evil", false},
    {"llm.example.evil", false},
};

START_TEST(hosts_are_judged)
{
    ck_assert_msg(aimd_host_allowed(hosts[_i].host, configured) == hosts[_i].ok, "%s",
                  hosts[_i].host);
}
END_TEST

START_TEST(hosts_without_a_list)
{
    static const char *const any[] = {"*", NULL};
    ck_assert(aimd_host_allowed("localhost", NULL));
    ck_assert(!aimd_host_allowed("llm.example", NULL));
    ck_assert(aimd_host_allowed("evil.example:1", any));
}
END_TEST

static const struct {
    const char *raw, *decoded; /* NULL: refused */
} paths[] = {
    {"/", "/"},
    {"/v1/models", "/v1/models"},
    {"/a%2Fb%2fc", "/a/b/c"},
    {"/%41%c3%a9", "/A\xc3\xa9"},
    {"/%25", "/%"},
    {"/a+b", "/a+b"},
    {"", NULL},
    {"*", NULL},
    {"v1", NULL},
    {"http://h/v1", NULL},
    {"/%", NULL},
    {"/%4", NULL},
    {"/%zz", NULL},
    {"/%4g", NULL},
    {"/%00", NULL},
    {"/%0a", NULL},
    {"/%7f", NULL},
    {"/\x01", NULL},
};

START_TEST(paths_are_decoded)
{
    char out[64];
    bool ok = aimd_path_decode(paths[_i].raw, out);
    ck_assert_msg(ok == (paths[_i].decoded != NULL), "%s", paths[_i].raw);
    if (ok)
        ck_assert_str_eq(out, paths[_i].decoded);
}
END_TEST

START_TEST(request_ids)
{
    char id[131];
    memset(id, 'x', sizeof id);
    id[129] = '\0';
    ck_assert(!aimd_request_id_ok(id));
    id[128] = '\0';
    ck_assert(aimd_request_id_ok(id));
    ck_assert(aimd_request_id_ok("!~"));
    ck_assert(!aimd_request_id_ok(""));
    ck_assert(!aimd_request_id_ok("a b"));
    ck_assert(!aimd_request_id_ok("a\tb"));
    ck_assert(!aimd_request_id_ok("a\x7f"));
    ck_assert(!aimd_request_id_ok("caf\xc3\xa9"));
}
END_TEST

/* ---- keys ---------------------------------------------------------------- */

static char path[64];

static void write_keys(const char *text, size_t len, mode_t mode)
{
    snprintf(path, sizeof path, "test_http_rules.%d.keys", (int)getpid());
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
    ck_assert_int_eq(fchmod(fd, mode), 0);
    close(fd);
}

static void remove_keys(void)
{
    unlink(path);
}

static aimd_keys *load(const char *text, aim_error *err)
{
    write_keys(text, strlen(text), 0600);
    return aimd_keys_load(path, err);
}

static const char good_keys[] = "# comment\n"
                                "\n"
                                "sk-user\n"
                                "  sk-boss \tadmin  # the operator\r\n"
                                "sk-user2#not part of the key\n"
                                "last";
static const struct {
    const char *authorization;
    enum aimd_access access;
} checks[] = {
    {"Bearer sk-user", AIMD_ACCESS_USER},
    {"bearer   sk-user", AIMD_ACCESS_USER},
    {"Bearer sk-boss", AIMD_ACCESS_ADMIN},
    {"Bearer sk-user2", AIMD_ACCESS_USER},
    {"Bearer last", AIMD_ACCESS_USER},
    {NULL, AIMD_ACCESS_NONE},
    {"", AIMD_ACCESS_NONE},
    {"Bearer", AIMD_ACCESS_NONE},
    {"Bearer ", AIMD_ACCESS_NONE},
    {"sk-user", AIMD_ACCESS_NONE},
    {"Basic sk-user", AIMD_ACCESS_NONE},
    {"Bearer sk-use", AIMD_ACCESS_NONE},
    {"Bearer sk-user3", AIMD_ACCESS_NONE},
    {"Bearer SK-USER", AIMD_ACCESS_NONE},
    {"Bearer sk-user ", AIMD_ACCESS_NONE},
    {"Bearer sk-boss admin", AIMD_ACCESS_NONE},
    {"Bearer comment", AIMD_ACCESS_NONE},
    {"Bearer admin", AIMD_ACCESS_NONE},
};

START_TEST(keys_are_checked)
{
    aim_error err = {0};
    aimd_keys *k = load(good_keys, &err);
    ck_assert_msg(k != NULL, "%s", err.text);
    ck_assert_int_eq(aimd_keys_check(k, checks[_i].authorization), checks[_i].access);
    aimd_keys_free(k);
}
END_TEST

START_TEST(key_of_full_length)
{
    char text[512] = "Bearer ", *key = text + 7;
    memset(key, 'k', 257);
    write_keys(key, 256, 0600);
    aimd_keys *k = aimd_keys_load(path, NULL);
    ck_assert_ptr_nonnull(k);
    ck_assert_int_eq(aimd_keys_check(k, text), AIMD_ACCESS_NONE);
    key[256] = '\0';
    ck_assert_int_eq(aimd_keys_check(k, text), AIMD_ACCESS_USER);
    key[255] = '\0';
    ck_assert_int_eq(aimd_keys_check(k, text), AIMD_ACCESS_NONE);
    aimd_keys_free(k);
}
END_TEST

static const struct {
    const char *text, *message;
} bad_files[] = {
    {"", "no key"},
    {"# nothing\n\n", "no key"},
    {"good\nkey user\n", ":2: after the key only the word admin"},
    {"key admin admin\n", ":1: more than a key"},
    {"a\nb\nk\x01y\n", ":3: the key holds a byte"},
    {"a\ncl\xc3\xa9\n", ":2: the key holds a byte"},
    {"same\n\nsame admin\n", ":3: this key stands in the file twice"},
};

START_TEST(bad_files_are_refused)
{
    aim_error err = {0};
    ck_assert_ptr_null(load(bad_files[_i].text, &err));
    ck_assert_msg(strstr(err.text, bad_files[_i].message) && strstr(err.text, path), "%s",
                  err.text);
}
END_TEST

START_TEST(overlong_key_is_refused)
{
    char key[300];
    aim_error err = {0};
    memset(key, 'k', sizeof key);
    write_keys(key, 257, 0600);
    ck_assert_ptr_null(aimd_keys_load(path, &err));
    ck_assert_msg(strstr(err.text, ":1: the key is longer than 256") != NULL, "%s", err.text);
}
END_TEST

static const struct {
    mode_t mode;
    bool ok, ok_as_credential;
} modes[] = {
    {0600, true, true},   {0400, true, true},   {0700, true, true},   {0640, false, true},
    {0440, false, true},  {0604, false, false}, {0620, false, false}, {0601, false, false},
    {0644, false, false}, {0666, false, false},
};

START_TEST(modes_are_checked)
{
    char full[128], dir[64] = ".";
    aim_error err = {0};
    write_keys("key\n", 4, modes[_i].mode);
    aimd_keys *k = aimd_keys_load(path, &err);
    ck_assert_msg((k != NULL) == modes[_i].ok, "%s", err.text);
    ck_assert(k || strstr(err.text, "mode 0"));
    aimd_keys_free(k);
    setenv("CREDENTIALS_DIRECTORY", dir, 1);
    snprintf(full, sizeof full, "./%s", path);
    k = aimd_keys_load(full, NULL);
    ck_assert((k != NULL) == modes[_i].ok_as_credential);
    aimd_keys_free(k);
}
END_TEST

START_TEST(only_regular_files)
{
    aim_error none = {0}, folder = {0}, fifo = {0};
    snprintf(path, sizeof path, "test_http_rules.%d.keys", (int)getpid());
    ck_assert_ptr_null(aimd_keys_load(path, &none));
    ck_assert_ptr_null(aimd_keys_load("/", &folder));
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_ptr_null(aimd_keys_load(path, &fifo));
    ck_assert(none.text[0] && folder.text[0]);
    ck_assert_msg(strstr(fifo.text, "not a regular file") != NULL, "%s", fifo.text);
}
END_TEST

START_TEST(loading_survives_lack_of_memory)
{
    aimd_keys *k = NULL;
    write_keys(good_keys, strlen(good_keys), 0600);
    for (long n = 0; !k; n++) {
        aim_error err = {0};
        aim_alloc_fail_after(n);
        k = aimd_keys_load(path, &err);
        aim_alloc_fail_after(-1);
        if (!k)
            ck_assert_int_eq(err.code, AIM_ENOMEM);
        ck_assert_int_lt(n, 100);
    }
    aimd_keys_free(k);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("http_rules");
    TCase *rules = tcase_create("rules"), *keys = tcase_create("keys");
    tcase_add_loop_test(rules, headers_are_judged, 0, COUNT(requests));
    tcase_add_test(rules, nul_in_a_header_is_refused);
    tcase_add_loop_test(rules, hosts_are_judged, 0, COUNT(hosts));
    tcase_add_test(rules, hosts_without_a_list);
    tcase_add_loop_test(rules, paths_are_decoded, 0, COUNT(paths));
    tcase_add_test(rules, request_ids);
    tcase_add_checked_fixture(keys, NULL, remove_keys);
    tcase_add_loop_test(keys, keys_are_checked, 0, COUNT(checks));
    tcase_add_test(keys, key_of_full_length);
    tcase_add_loop_test(keys, bad_files_are_refused, 0, COUNT(bad_files));
    tcase_add_test(keys, overlong_key_is_refused);
    tcase_add_loop_test(keys, modes_are_checked, 0, COUNT(modes));
    tcase_add_test(keys, only_regular_files);
    tcase_add_test(keys, loading_survives_lack_of_memory);
    suite_add_tcase(s, rules);
    suite_add_tcase(s, keys);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
