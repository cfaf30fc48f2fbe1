/* SPDX-License-Identifier: Apache-2.0 */
#include "analog/profile.h"

#include "analog/profile_parser.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_BYTES = 64 << 10 };

static const char SUFFIX[] = ".conf";
enum { SUFFIX_LEN = sizeof SUFFIX - 1 };

/* ---- names ------------------------------------------------------------------ */

static bool is_name(const char *name, size_t len)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789._-";
    return len > 0 && len < AIM_PROFILE_NAME && name[0] != '.' && strspn(name, letters) >= len;
}

/* The length of the name that a file has without its suffix; 0 if it has none. */
static size_t name_length(const char *file)
{
    size_t len = strlen(file);
    bool has = len > SUFFIX_LEN && strcmp(file + len - SUFFIX_LEN, SUFFIX) == 0;
    return has && is_name(file, len - SUFFIX_LEN) ? len - SUFFIX_LEN : 0;
}

static int take_name(const char *path, aim_profile *out, aim_error *err)
{
    const char *slash = strrchr(path, '/');
    const char *file = slash ? slash + 1 : path;
    size_t len = name_length(file);
    if (len == 0)
        return aim_fail(err, AIM_EINVAL,
                        "%s: a profile's file is called NAME.conf, with letters, digits, '.', '_' "
                        "and '-' in a name of at most %d characters that does not begin with '.'",
                        path, AIM_PROFILE_NAME - 1);
    memcpy(out->name, file, len);
    out->name[len] = '\0';
    return AIM_OK;
}

/* ---- reading ---------------------------------------------------------------- */

int aim_profile_parse(const char *text, const char *name, aim_profile *out, aim_error *err)
{
    aim_profile p;
    int code = aim__profile_parse_text(text, name, &p, err);
    if (code == AIM_OK)
        code = take_name(name, &p, err);
    if (code == AIM_OK)
        *out = p;
    return code;
}

int aim_profile_load(const char *path, aim_profile *out, aim_error *err)
{
    size_t len;
    aim_error own = {0};
    err = err ? err : &own;
    char *text = aim_read_file(path, MAX_BYTES, &len, err);
    if (!text)
        return (int)err->code;
    int code = strlen(text) == len
                   ? aim_profile_parse(text, path, out, err)
                   : aim_fail(err, AIM_EINVAL, "%s: not a text: it holds a NUL byte", path);
    aim_free(text);
    return code;
}

/* ---- folders --------------------------------------------------------------- */

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_profile(const struct dirent *entry)
{
    return name_length(entry->d_name) > 0;
}

/* The names in a folder, behind those that the list has. */
static void list_names(aim_buf *list, const char *folder)
{
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, is_profile, compare_names);
    for (int i = 0; i < n; i++) {
        aim_buf_puts(list, list->len ? ", " : "");
        aim_buf_append(list, entries[i]->d_name, name_length(entries[i]->d_name));
        free(entries[i]);
    }
    free(entries);
}

static int fail_not_found(const char *const *folders, const char *name, aim_error *err)
{
    aim_buf names = AIM_BUF_INIT, places = AIM_BUF_INIT;
    for (; *folders; folders++) {
        aim_buf_printf(&places, "%s%s", places.len ? ", " : "", *folders);
        list_names(&names, *folders);
    }
    int code =
        aim_fail_param(err, AIM_ENOTFOUND, "profile", "no profile \"%s\" in %s; there is: %s", name,
                       places.len && !places.failed ? places.data : "any folder",
                       names.len && !names.failed ? names.data : "none");
    aim_buf_free(&names);
    aim_buf_free(&places);
    return code;
}

/* Also of a link that leads nowhere: its error says more than that there is nothing. */
static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

char *aim_profile_path(const char *const *folders, const char *name, aim_error *err)
{
    if (!is_name(name, strlen(name))) {
        aim_fail_param(err, AIM_EINVAL, "profile", "\"%.64s\" cannot be the name of a profile",
                       name);
        return NULL;
    }
    for (const char *const *folder = folders; *folder; folder++) {
        aim_buf path = AIM_BUF_INIT;
        aim_buf_printf(&path, "%s/%s%s", *folder, name, SUFFIX);
        if (!path.failed && exists(path.data))
            return aim_buf_steal(&path, NULL);
        bool failed = path.failed;
        aim_buf_free(&path);
        if (failed) {
            aim_fail_nomem(err, "profile");
            return NULL;
        }
    }
    fail_not_found(folders, name, err);
    return NULL;
}
