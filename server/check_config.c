/* SPDX-License-Identifier: Apache-2.0 */
#include "server/check_config.h"

#include "base/alloc.h"
#include "base/file.h"
#include "server/auth.h"
#include "server/chip.h"
#include "server/chip_files.h"
#include "server/load.h"
#include "server/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int check_keys(const char *file, aim_error *err)
{
    aimd_keys *keys = aimd_keys_load(file, err);
    if (!keys)
        return (int)err->code;
    aimd_keys_free(keys);
    return 0;
}

/* ---- state_dir ----------------------------------------------------------- */

static int check_folder(const char *path, bool *exists, aim_error *err)
{
    aim_error cause = {0};
    *exists = aimd_chip_folder_check(path, &cause) == 0;
    return *exists || cause.code == AIM_ENOTFOUND ? 0 : aim_fail(err, AIM_EINVAL, "%s", cause.text);
}

/* It could be made if the folder that it stands in can be written. */
static int check_parent(const char *path, aim_error *err)
{
    char *parent = aim_strdup(path);
    if (!parent)
        return aim_fail_nomem(err, "state_dir");
    size_t len = strlen(parent);
    while (len > 1 && parent[len - 1] == '/')
        parent[--len] = '\0';
    char *slash = strrchr(parent, '/');
    if (slash)
        slash[slash == parent] = '\0';
    int rc = 0;
    if (access(slash ? parent : ".", W_OK | X_OK))
        rc = aim_fail(err, AIM_EINVAL, "state_dir: %s: %s", path, strerror(errno));
    aim_free(parent);
    return rc;
}

/* As a start finds it (chip_store.h), which makes it and folders in it. */
static int check_state_dir(const char *path, aim_error *err)
{
    static const char *const inside[] = {"chips", "configured"};
    bool exists, unused;
    int rc = check_folder(path, &exists, err);
    if (rc || !exists)
        return rc ? rc : check_parent(path, err);
    for (size_t i = 0; rc == 0 && i < sizeof inside / sizeof inside[0]; i++) {
        char *folder = aim_path_join(path, inside[i]);
        rc = folder ? check_folder(folder, &unused, err) : aim_fail_nomem(err, "state_dir");
        aim_free(folder);
    }
    return rc;
}

/* ---- chips --------------------------------------------------------------- */

/* The chips of wm@lab and other@lab would both be called lab. */
static int check_name(const aimd_options *o, size_t model, aim_error *err)
{
    char name[AIMD_CHIP_NAME + 1], other[AIMD_CHIP_NAME + 1];
    aimd_chip_name_of_model(o->models[model].id, name);
    for (size_t i = 0; i < model; i++) {
        aimd_chip_name_of_model(o->models[i].id, other);
        if (aimd_is_analog(o->models[i].backend) && strcmp(name, other) == 0)
            return aim_fail(err, AIM_EINVAL, "model %s: another chip is called %s too",
                            o->models[model].id, name);
    }
    return 0;
}

static int check_names(const aimd_options *o, aim_error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < o->n_models; i++)
        if (aimd_is_analog(o->models[i].backend))
            rc = check_name(o, i, err);
    return rc;
}

/* ---- all ----------------------------------------------------------------- */

static int check_all(const aimd_options *o, aim_error *err)
{
    int rc = o->log_file ? aimd_log_check(o->log_file, err) : 0;
    if (rc == 0 && o->api_key_file)
        rc = check_keys(o->api_key_file, err);
    if (rc == 0 && o->state_dir)
        rc = check_state_dir(o->state_dir, err);
    if (rc == 0)
        rc = check_names(o, err);
    return rc;
}

int aimd_check_config(const aimd_options *o)
{
    aim_error err = {0};
    int status = EXIT_SUCCESS;
    if (check_all(o, &err))
        status = AIMD_EXIT_CONFIG;
    else if (aimd_load_check(o, 0, &err))
        status = aimd_exit_status(err.code);
    if (status)
        fprintf(stderr, "analogd: %s\n", err.text);
    else
        puts("analogd: the configuration is good");
    return status;
}
