/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - defaults, then the file, then flags, then what must hold between
 * options. */
#include "server/options.h"

#include "server/options_table.h"

#include "base/alloc.h"
#include "base/file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { MAX_CONFIG_BYTES = 1 << 20, MAX_ID_BYTES = 128, MAX_MODELS = 64 };

/* ---- models ------------------------------------------------------------- */

static void clear_rows(enum aimd_option_where where, void *target)
{
    for (int i = 0; i < AIMD_N_OPTIONS; i++)
        if (aimd__options[i].where == where)
            aimd__option_clear(&aimd__options[i], target);
}

void aimd_model_options_free(aimd_model_options *m)
{
    clear_rows(AIMD_AT_MODEL, m);
    aim_free(m->id);
    aim_free(m->dir);
    *m = (aimd_model_options){0};
}

int aimd_model_options_copy(aimd_model_options *to, const aimd_model_options *from, aim_error *err)
{
    bool whole = true;
    *to = *from;
    to->id = from->id ? aim_strdup(from->id) : NULL;
    to->dir = from->dir ? aim_strdup(from->dir) : NULL;
    for (int i = 0; i < AIMD_N_OPTIONS; i++) /* each, even after a failure: nothing stays shared */
        if (aimd__options[i].where == AIMD_AT_MODEL)
            whole &= aimd__option_unshare(&aimd__options[i], to);
    if (whole && !to->id == !from->id && !to->dir == !from->dir)
        return 0;
    aimd_model_options_free(to);
    return aim_fail_nomem(err, "models");
}

void aimd__config_drop_models(aimd_config *config)
{
    aimd_options *o = config->options;
    for (size_t i = 0; i < o->n_models; i++)
        aimd_model_options_free(&o->models[i]);
    aim_free(o->models);
    o->models = NULL;
    o->n_models = 0;
}

/* The last component of a folder's path; of "." and ".." that of the folder
 * they name. NULL on failure. */
static char *folder_name(const char *dir, aim_error *err)
{
    char real[PATH_MAX];
    size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/')
        len--;
    size_t start = len;
    while (start > 0 && dir[start - 1] != '/')
        start--;
    const char *name = dir + start;
    len -= start;
    if ((len == 1 && *name == '.') || (len == 2 && memcmp(name, "..", 2) == 0)) {
        if (!realpath(dir, real)) {
            aim_fail(err, AIM_EINVAL, "model folder %.256s: %s", dir, strerror(errno));
            return NULL;
        }
        name = strrchr(real, '/') + 1;
        len = strlen(name);
    }
    char *copy = aim_strndup(name, len);
    if (!copy)
        aim_fail_nomem(err, "models");
    return copy;
}

/* An id goes into JSON, log lines and metric labels. */
static int check_id(const char *id, aim_error *err)
{
    size_t len = strlen(id);
    bool plain = len > 0 && len <= MAX_ID_BYTES;
    for (const char *c = id; *c; c++)
        plain &= (unsigned char)*c >= 0x20 && *c != 0x7f;
    json_t *utf8 = plain ? json_stringn(id, len) : NULL;
    if (!utf8)
        return aim_fail(err, AIM_EINVAL,
                        "model \"%.128s\": the id must be 1 to %d bytes of UTF-8 without control "
                        "characters",
                        id, MAX_ID_BYTES);
    json_decref(utf8);
    return 0;
}

/* Append an empty model; NULL when out of memory. */
static aimd_model_options *grow_models(aimd_options *o)
{
    aimd_model_options *more = aim_rearray(o->models, o->n_models + 1, sizeof *more);
    if (!more)
        return NULL;
    o->models = more;
    memset(&more[o->n_models], 0, sizeof *more);
    return &more[o->n_models++];
}

int aimd__config_add_model(aimd_config *config, const char *id, const char *dir, aim_error *err)
{
    aimd_options *o = config->options;
    if (o->n_models == MAX_MODELS)
        return aim_fail(err, AIM_EINVAL, "more than %d models", MAX_MODELS);
    aimd_model_options *m = grow_models(o);
    if (!m)
        return aim_fail_nomem(err, "models");
    if (aimd_model_options_copy(m, &config->standard, err))
        return AIM_ENOMEM;
    m->dir = aim_strdup(dir);
    m->id = id ? aim_strdup(id) : folder_name(dir, err);
    if (!m->dir || !m->id)
        return aim_fail_nomem(err, "models"); /* unless folder_name has said why */
    return check_id(m->id, err);
}

/* ---- what must hold between options ------------------------------------- */

bool aimd_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

const char *const *aimd_allowed_hosts(const aimd_options *o, const char *host)
{
    static const char *const all[] = {"*", NULL};
    /* A page that rebinds its name to our address has no key, so that names
     * matter only where keys do not protect. */
    if (!o->hosts && o->api_key_file && !aimd_is_loopback(host))
        return all;
    return (const char *const *)o->hosts;
}

/* Turn the words "auto" and "none" of admin_listen into an address. */
static int resolve_admin(aimd_options *o, aim_error *err)
{
    if (strcmp(o->admin.host, "none") == 0) {
        aim_free(o->admin.host);
        o->admin.host = NULL;
    } else if (strcmp(o->admin.host, "auto") == 0) {
        if (o->listen.port == 65535)
            return aim_fail(err, AIM_EINVAL, "admin_listen must be given: no port after 65535");
        char *host = aim_strdup(strchr(o->listen.host, ':') ? "::1" : "127.0.0.1");
        if (!host)
            return aim_fail_nomem(err, "admin_listen");
        aim_free(o->admin.host);
        o->admin.host = host;
        o->admin.port = o->listen.port ? o->listen.port + 1 : 0;
    }
    return 0;
}

static int check_exposure(const aimd_options *o, const char *name, const aimd_address *a,
                          aim_error *err)
{
    if (!a->host || o->api_key_file || aimd_is_loopback(a->host))
        return 0;
    return aim_fail(err, AIM_EINVAL, "%s: other hosts can reach %s, so an api_key_file is needed",
                    name, a->host);
}

/* One of the two would find its address taken. */
static int check_listeners(const aimd_options *o, aim_error *err)
{
    const aimd_address *main = &o->listen, *admin = &o->admin;
    if (!admin->host || admin->port == 0 || admin->port != main->port ||
        strcmp(admin->host, main->host) != 0)
        return 0;
    return aim_fail(err, AIM_EINVAL, "admin_listen: %s:%d is the address of listen", admin->host,
                    admin->port);
}

bool aimd_is_analog(const char *backend)
{
    return strcmp(backend, "analog") == 0 || strcmp(backend, "analog-exact") == 0;
}

/* The first option that is set of those about converters, and of those that only a chip
 * has; NULL: none. */
static const char *converter_option(const aimd_model_options *m)
{
    return m->profile          ? "profile"
           : m->out_bound != 0 ? "out_bound"
           : m->input_ranges   ? "input_ranges"
                               : NULL;
}

static const char *chip_option(const aimd_model_options *m)
{
    return m->chip_seed != 0          ? "chip_seed"
           : m->chip_age != 0         ? "chip_age"
           : m->conductance_bits != 0 ? "conductance_bits"
                                      : NULL;
}

static int refuse_option(const aimd_model_options *m, const char *option, const char *backends,
                         aim_error *err)
{
    return aim_fail_param(err, AIM_EINVAL, option,
                          "model %.128s: %s is of use to the backends %s alone, not to %s", m->id,
                          option, backends, m->backend);
}

int aimd_model_options_check(const aimd_model_options *m, aim_error *err)
{
    const char *of_converters = converter_option(m), *of_chips = chip_option(m);
    bool analog = aimd_is_analog(m->backend), int4 = strcmp(m->backend, "int4") == 0;
    if (analog && !m->profile)
        return aim_fail_param(err, AIM_EINVAL, "profile",
                              "model %.128s: the backend %s needs a profile", m->id, m->backend);
    if (!analog && !int4 && of_converters)
        return refuse_option(m, of_converters, "int4, analog and analog-exact", err);
    if (!analog && of_chips)
        return refuse_option(m, of_chips, "analog and analog-exact", err);
    if (analog && m->input_ranges)
        return aim_fail_param(err, AIM_EINVAL, "input_ranges",
                              "model %.128s: input_ranges is of use to the backend int4 alone: "
                              "calibrate the chip",
                              m->id);
    if (of_converters && !m->profile)
        return aim_fail_param(err, AIM_EINVAL, "profile", "model %.128s: %s needs a profile", m->id,
                              of_converters);
    return 0;
}

static int check_each_model(const aimd_options *o, aim_error *err)
{
    int rc = 0;
    for (size_t i = 0; i < o->n_models && rc == 0; i++)
        rc = aimd_model_options_check(&o->models[i], err);
    return rc ? rc : aimd__options_check_roles(o, err);
}

static int check_models(const aimd_options *o, aim_error *err)
{
    if (o->n_models == 0)
        return aim_fail(err, AIM_EINVAL,
                        "no model: give --model DIR, or a file with a model "
                        "section by --config FILE");
    for (size_t i = 0; i < o->n_models; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(o->models[i].id, o->models[j].id) == 0)
                return aim_fail(err, AIM_EINVAL, "two models are called \"%s\"", o->models[i].id);
    return check_each_model(o, err);
}

/* The profiles of the package are found behind all others. */
static int add_profile_dir(aimd_options *o)
{
    size_t n = 0;
    while (o->profile_dirs && o->profile_dirs[n])
        n++;
    char **more = aim_rearray(o->profile_dirs, n + 2, sizeof *more);
    if (!more)
        return AIM_ENOMEM;
    o->profile_dirs = more;
    more[n] = aim_strdup(AIM_PKGDATADIR "/profiles");
    more[n + 1] = NULL;
    return more[n] ? 0 : AIM_ENOMEM;
}

/* What is not set is found with the package, and where systemd says. */
static int resolve_folders(aimd_options *o, aim_error *err)
{
    const char *state = getenv("STATE_DIRECTORY");
    bool take_state = !o->state_dir && state && *state;
    if (take_state) /* several are separated by colons */
        o->state_dir = aim_strndup(state, strcspn(state, ":"));
    if (add_profile_dir(o) || (take_state && !o->state_dir))
        return aim_fail_nomem(err, "folders");
    return 0;
}

static int finish(aimd_options *o, aim_error *err)
{
    int rc = check_models(o, err);
    if (rc == 0)
        rc = resolve_folders(o, err);
    if (rc == 0)
        rc = resolve_admin(o, err);
    if (rc == 0)
        rc = check_listeners(o, err);
    if (rc == 0)
        rc = check_exposure(o, "listen", &o->listen, err);
    if (rc == 0)
        rc = check_exposure(o, "admin_listen", &o->admin, err);
    return rc;
}

/* A model file that cannot be read is as little use to the next start as one
 * that is wrong: the service manager must not try for ever. */
int aimd_exit_status(enum aim_code code)
{
    if (code == AIM_EINVAL)
        return AIMD_EXIT_CONFIG;
    return code == AIM_ENOMEM || code == AIM_EINTERNAL ? EX_OSERR : AIMD_EXIT_DATA;
}

/* ---- from defaults to the end ------------------------------------------- */

static int set_defaults(aimd_config *config, aim_error *err)
{
    int rc = 0;
    aim_engine_config_init(&config->standard.engine);
    for (int i = 0; i < AIMD_N_OPTIONS && rc == 0; i++) {
        const aimd_option *row = &aimd__options[i];
        void *target = row->where == AIMD_AT_DAEMON ? (void *)config->options : &config->standard;
        if (row->standard)
            rc = aimd__option_set(row, target, row->standard, err);
    }
    return rc;
}

static int read_config(aimd_config *config, const char *path, aim_error *err)
{
    size_t len;
    char *text = aim_read_file(path, MAX_CONFIG_BYTES, &len, err);
    if (!text)
        return err->code;
    int rc = strlen(text) != len ? aim_fail(err, AIM_EINVAL, "%s: holds a NUL byte", path)
                                 : aimd__file_parse(config, text, path, err);
    aim_free(text);
    return rc;
}

/* text NULL: the file that the flags name, if any. flags NULL: none. */
static int build(aimd_options *o, const char *text, const char *name, const aimd_flags *flags,
                 aim_error *err)
{
    *o = (aimd_options){0};
    aimd_config config = {.options = o};
    int rc = set_defaults(&config, err);
    if (rc == 0 && text)
        rc = aimd__file_parse(&config, text, name, err);
    if (rc == 0 && flags && flags->config)
        rc = read_config(&config, flags->config, err);
    if (rc == 0 && flags)
        rc = aimd__flags_apply(flags, &config, err);
    if (rc == 0)
        rc = finish(o, err);
    aimd_model_options_free(&config.standard);
    if (rc)
        aimd_options_free(o);
    return rc;
}

int aimd_options_parse_text(const char *text, const char *name, aimd_options *o, aim_error *err)
{
    return build(o, text, name, NULL, err);
}

int aimd_options_parse(int argc, char **argv, aimd_options *o)
{
    aimd_flags flags;
    aim_error err = {0};
    *o = (aimd_options){0};
    int rc = aimd__flags_parse(argc, argv, &flags);
    if (rc == 0 && build(o, NULL, NULL, &flags, &err)) {
        fprintf(stderr, "analogd: %s\n", err.text);
        rc = flags.config ? -AIMD_EXIT_CONFIG : -AIMD_EXIT_USAGE;
    }
    aimd__flags_free(&flags);
    return rc;
}

void aimd_options_free(aimd_options *o)
{
    aimd__config_drop_models(&(aimd_config){.options = o});
    clear_rows(AIMD_AT_DAEMON, o);
    *o = (aimd_options){0};
}
