/* SPDX-License-Identifier: Apache-2.0 */
/* options_table.c - the rows of options.def, and one reader for each type. */
#include "server/options_table.h"

#include "base/alloc.h"
#include "base/decimal.h"
#include "search/search.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOME_DAEMON aimd_options
#define HOME_MODEL aimd_model_options

const aimd_option aimd__options[] = {
#define OPTION(where, letter, type, name, field, standard, low, high, values, help)                \
    {AIMD_AT_##where,                                                                              \
     letter,                                                                                       \
     AIMD_OPTION_##type,                                                                           \
     name,                                                                                         \
     offsetof(HOME_##where, field),                                                                \
     standard,                                                                                     \
     low,                                                                                          \
     high,                                                                                         \
     values,                                                                                       \
     help},
#include "server/options.def"
};

const aimd_option *aimd__option_find(const char *name)
{
    for (int i = 0; i < AIMD_N_OPTIONS; i++)
        if (strcmp(aimd__options[i].name, name) == 0)
            return &aimd__options[i];
    return NULL;
}

void aimd__flag_name(const aimd_option *row, char name[AIMD_FLAG_NAME_SIZE])
{
    bool negative = row->type == AIMD_OPTION_BOOL && strcmp(row->standard, "true") == 0;
    snprintf(name, AIMD_FLAG_NAME_SIZE, "%s%s", negative ? "no-" : "", row->name);
    for (char *c = name; *c; c++)
        if (*c == '_')
            *c = '-';
}

/* ---- one reader a type: check value, store it at `place` unless NULL ------ */

static int read_bool(const aimd_option *row, void *place, const char *value, aim_error *err)
{
    (void)row;
    bool yes = strcmp(value, "true") == 0 || strcmp(value, "yes") == 0 || strcmp(value, "on") == 0;
    bool no = strcmp(value, "false") == 0 || strcmp(value, "no") == 0 || strcmp(value, "off") == 0;
    if (!yes && !no)
        return aim_fail(err, AIM_EINVAL, "\"%.64s\" is neither true nor false", value);
    if (place)
        *(bool *)place = yes;
    return 0;
}

static int check_range(const aimd_option *row, int64_t n, const char *value, aim_error *err)
{
    if (n < row->low || n > row->high)
        return aim_fail(err, AIM_EINVAL, "%.64s is not between %lld and %lld", value,
                        (long long)row->low, (long long)row->high);
    return 0;
}

/* Decimal digits only; a number too large for 64 bits becomes the largest one,
 * which no range holds. *rest is what follows the digits. */
static bool parse_digits(const char *value, int64_t *out, const char **rest)
{
    bool negative = *value == '-';
    const char *digits = value + negative;
    if (*digits < '0' || *digits > '9')
        return false;
    char *end;
    errno = 0;
    *out = strtoll(value, &end, 10);
    *rest = end;
    return true;
}

static int parse_whole(const aimd_option *row, const char *value, int64_t *n, aim_error *err)
{
    const char *rest;
    if (!parse_digits(value, n, &rest) || *rest)
        return aim_fail(err, AIM_EINVAL, "\"%.64s\" is not a whole number", value);
    return check_range(row, *n, value, err);
}

static bool is_choice(const char *choices, const char *value)
{
    size_t len = strlen(value);
    for (const char *c = choices; *c; c += *c == '|') {
        size_t n = strcspn(c, "|");
        if (n == len && memcmp(c, value, n) == 0)
            return true;
        c += n;
    }
    return false;
}

static int check_choice(const aimd_option *row, const char *value, aim_error *err)
{
    if (is_choice(row->values, value))
        return 0;
    return aim_fail(err, AIM_EINVAL, "\"%.64s\" is not one of %s", value, row->values);
}

static int read_int(const aimd_option *row, void *place, const char *value, aim_error *err)
{
    int64_t n;
    if (parse_whole(row, value, &n, err) ||
        (strchr(row->values, '|') && check_choice(row, value, err)))
        return AIM_EINVAL;
    if (place)
        *(int *)place = (int)n;
    return 0;
}

static int read_seed(const aimd_option *row, void *place, const char *value, aim_error *err)
{
    int64_t n;
    if (parse_whole(row, value, &n, err))
        return AIM_EINVAL;
    if (place)
        *(uint64_t *)place = (uint64_t)n;
    return 0;
}

static int read_real(const aimd_option *row, void *place, const char *value, aim_error *err)
{
    double x;
    const char *rest;
    if (!aim_parse_decimal(value, &x, &rest) || *rest)
        return aim_fail(err, AIM_EINVAL, "\"%.64s\" is not a number, such as 12 or 0.5", value);
    if (x < (double)row->low || x > (double)row->high)
        return aim_fail(err, AIM_EINVAL, "%.64s is not between %lld and %lld", value,
                        (long long)row->low, (long long)row->high);
    if (place)
        *(double *)place = x;
    return 0;
}

static int read_age(const aimd_option *row, void *place, const char *value, aim_error *err)
{
    (void)row;
    double seconds;
    if (aim_parse_age(value, &seconds, err))
        return AIM_EINVAL;
    if (place)
        *(double *)place = seconds;
    return 0;
}

/* The factor of a size's suffix; 0 if it is none. */
static int64_t unit_factor(const char *suffix)
{
    static const struct {
        const char *suffix;
        int64_t factor;
    } units[] = {{"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(suffix, units[i].suffix) == 0)
            return units[i].factor;
    return 0;
}

static int read_bytes(const aimd_option *row, void *place, const char *value, aim_error *err)
{
    int64_t n, factor;
    const char *rest;
    if (!parse_digits(value, &n, &rest) || !(factor = unit_factor(rest)))
        return aim_fail(err, AIM_EINVAL, "\"%.64s\" is not a size, such as 65536, 64K, 512M or 2G",
                        value);
    if (__builtin_mul_overflow(n, factor, &n))
        n = INT64_MAX;
    if (check_range(row, n, value, err))
        return AIM_EINVAL;
    if (place)
        *(size_t *)place = (size_t)n;
    return 0;
}

static int store_string(char **place, const char *value, size_t len, aim_error *err)
{
    char *copy = len ? aim_strndup(value, len) : NULL;
    if (len && !copy)
        return aim_fail_nomem(err, "option");
    aim_free(*place);
    *place = copy;
    return 0;
}

static int read_string(const aimd_option *row, void *place, const char *value, aim_error *err)
{
    (void)row;
    return place ? store_string(place, value, strlen(value), err) : 0;
}

static int read_choice(const aimd_option *row, void *place, const char *value, aim_error *err)
{
    return check_choice(row, value, err) ? AIM_EINVAL : read_string(row, place, value, err);
}

/* Split "127.0.0.1:80" or "[::1]:80"; *host and *len leave the brackets out. */
static bool split_address(const char *value, const char **host, size_t *len, const char **port)
{
    const char *colon = strrchr(value, ':');
    if (!colon)
        return false;
    bool bracketed = value[0] == '[' && colon > value + 1 && colon[-1] == ']';
    *host = value + bracketed;
    *len = (size_t)(colon - value) - 2 * (size_t)bracketed;
    *port = colon + 1;
    /* A bare IPv6 address must not lose its last group to the port. */
    return bracketed || !memchr(value, ':', *len);
}

static bool parse_port(const char *text, int *port)
{
    int64_t n;
    const char *rest;
    if (*text == '-' || !parse_digits(text, &n, &rest) || *rest || n > 65535)
        return false;
    *port = (int)n;
    return true;
}

/* Is the text of len bytes a numeric address? Names are not looked up: what
 * the daemon is reachable under must not depend on a resolver. */
static bool is_numeric_host(const char *text, size_t len, char host[INET6_ADDRSTRLEN])
{
    unsigned char binary[sizeof(struct in6_addr)];
    if (len >= INET6_ADDRSTRLEN)
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    return inet_pton(AF_INET, host, binary) == 1 || inet_pton(AF_INET6, host, binary) == 1;
}

/* "auto" and "none" are kept as the host, for the admin listener alone. */
static bool is_address_word(const aimd_option *row, const char *value)
{
    return strcmp(row->standard, "auto") == 0 &&
           (strcmp(value, "auto") == 0 || strcmp(value, "none") == 0);
}

static int read_address(const aimd_option *row, void *place, const char *value, aim_error *err)
{
    aimd_address unused = {0}, *address = place ? place : &unused;
    const char *text = value, *port_text = "0";
    size_t len = strlen(value);
    char host[INET6_ADDRSTRLEN];
    int port = 0;
    if (!is_address_word(row, value)) {
        if (!split_address(value, &text, &len, &port_text) || !parse_port(port_text, &port))
            return aim_fail(err, AIM_EINVAL,
                            "\"%.64s\" is not ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080",
                            value);
        if (len == 9 && memcmp(text, "localhost", 9) == 0)
            text = "127.0.0.1";
        else if (!is_numeric_host(text, len, host))
            return aim_fail(err, AIM_EINVAL, "\"%.64s\": the address must be numeric", value);
    }
    if (!place)
        return 0;
    address->port = port;
    return store_string(&address->host, text, len, err);
}

static void free_list(char **list)
{
    for (char **item = list; item && *item; item++)
        aim_free(*item);
    aim_free(list);
}

/* Items separated by commas; empty ones are left out. */
static char **split_list(const char *value, aim_error *err)
{
    size_t room = 2;
    for (const char *c = value; *c; c++)
        room += *c == ',';
    char **list = aim_calloc(room, sizeof *list);
    size_t n = 0;
    for (const char *c = value; list && *c; c += *c == ',') {
        size_t len = strcspn(c, ",");
        if (len && !(list[n++] = aim_strndup(c, len))) {
            free_list(list);
            list = NULL;
        }
        c += len;
    }
    if (!list)
        aim_fail_nomem(err, "option");
    return list;
}

static int read_list(const aimd_option *row, void *place, const char *value, aim_error *err)
{
    (void)row;
    if (!place)
        return 0;
    char **list = NULL;
    if (*value && !(list = split_list(value, err)))
        return AIM_ENOMEM;
    free_list(*(char ***)place);
    *(char ***)place = list;
    return 0;
}

typedef int option_reader(const aimd_option *row, void *place, const char *value, aim_error *err);

static option_reader *const readers[] = {
    [AIMD_OPTION_BOOL] = read_bool,       [AIMD_OPTION_INT] = read_int,
    [AIMD_OPTION_SEED] = read_seed,       [AIMD_OPTION_REAL] = read_real,
    [AIMD_OPTION_BYTES] = read_bytes,     [AIMD_OPTION_AGE] = read_age,
    [AIMD_OPTION_STRING] = read_string,   [AIMD_OPTION_CHOICE] = read_choice,
    [AIMD_OPTION_ADDRESS] = read_address, [AIMD_OPTION_LIST] = read_list,
};

int aimd__option_set(const aimd_option *row, void *target, const char *value, aim_error *err)
{
    return readers[row->type](row, target ? (char *)target + row->offset : NULL, value, err);
}

/* The string at the row's place; NULL if the row has none. */
static char **string_place(const aimd_option *row, void *target)
{
    void *place = (char *)target + row->offset;
    if (row->type == AIMD_OPTION_ADDRESS)
        return &((aimd_address *)place)->host;
    return row->type == AIMD_OPTION_STRING || row->type == AIMD_OPTION_CHOICE ? place : NULL;
}

void aimd__option_clear(const aimd_option *row, void *target)
{
    char **string = string_place(row, target);
    if (row->type == AIMD_OPTION_LIST) {
        char ***list = (char ***)((char *)target + row->offset);
        free_list(*list);
        *list = NULL;
    } else if (string) {
        aim_free(*string);
        *string = NULL;
    }
}

bool aimd__option_unshare(const aimd_option *row, void *target)
{
    char **string = string_place(row, target);
    if (!string || !*string)
        return true;
    *string = aim_strdup(*string);
    return *string;
}
