/* SPDX-License-Identifier: Apache-2.0 */
#include "server/chip_files.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RANGES_DIGITS = 16 };

static const char record_suffix[] = ".json", ranges_suffix[] = ".ranges.json";

/* ---- names --------------------------------------------------------------- */

static char *steal(aim_buf *path)
{
    char *text = aim_buf_steal(path, NULL);
    aim_buf_free(path);
    return text;
}

char *aimd_chip_record_path(const char *folder, const char *id)
{
    aim_buf path = AIM_BUF_INIT;
    aim_buf_printf(&path, "%s/%s%s", folder, id, record_suffix);
    return steal(&path);
}

char *aimd_chip_ranges_path(const char *folder, const char *id, const char *digest)
{
    aim_buf path = AIM_BUF_INIT;
    aim_buf_printf(&path, "%s/%s.%.*s%s", folder, id, RANGES_DIGITS, digest, ranges_suffix);
    return steal(&path);
}

bool aimd_chip_of_file(const char *file, char id[AIMD_CHIP_NAME + 1])
{
    size_t len = strlen(file), suffix = sizeof record_suffix - 1;
    if (len <= suffix || len - suffix > AIMD_CHIP_NAME ||
        strcmp(file + len - suffix, record_suffix) != 0)
        return false;
    memcpy(id, file, len - suffix);
    id[len - suffix] = '\0';
    return aimd_is_chip_name(id);
}

/* Are these ranges of the chip, and other ones than those of digest? */
static bool is_old_ranges(const char *file, const char *id, const char *digest)
{
    size_t n = strlen(id);
    if (strncmp(file, id, n) != 0 || file[n] != '.')
        return false;
    const char *digits = file + n + 1;
    return strspn(digits, "0123456789abcdef") == RANGES_DIGITS &&
           strcmp(digits + RANGES_DIGITS, ranges_suffix) == 0 &&
           strncmp(digits, digest, RANGES_DIGITS) != 0;
}

/* aim_save_file writes to the name with a dot and six letters or digits behind it. */
static bool is_left_over(const char *file)
{
    static const char ours[] = ".json.";
    size_t len = strlen(file), tail = sizeof ours - 1 + 6;
    return len > tail && strncmp(file + len - tail, ours, sizeof ours - 1) == 0 &&
           !strchr(file + len - 6, '.');
}

/* ---- removing ------------------------------------------------------------ */

/* Some file systems cannot do this for folders. */
static void flush_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)!fsync(fd);
    close(fd);
}

int aimd_chip_record_remove(const char *folder, const char *id, aim_error *err)
{
    char *path = aimd_chip_record_path(folder, id);
    int rc = 0;
    if (!path)
        rc = aim_fail_nomem(err, "chip");
    else if (unlink(path) == 0)
        flush_folder(folder);
    else if (errno != ENOENT)
        rc = aim_fail(err, AIM_EIO, "%s: %s", path, strerror(errno));
    aim_free(path);
    return rc;
}

static void remove_from(const char *folder, const char *file)
{
    char *path = aim_path_join(folder, file);
    if (path)
        unlink(path);
    aim_free(path);
}

void aimd_chip_ranges_remove(const char *folder, const char *id, const char *digest)
{
    struct dirent **files = NULL;
    int n = scandir(folder, &files, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        if (is_old_ranges(files[i]->d_name, id, digest))
            remove_from(folder, files[i]->d_name);
        free(files[i]);
    }
    free(files);
}

/* ---- the folder ---------------------------------------------------------- */

static int fail_folder(const char *path, int reason, aim_error *err)
{
    return aim_fail(err, reason == ENOENT ? AIM_ENOTFOUND : AIM_EINVAL, "state_dir: %s: %s", path,
                    strerror(reason));
}

int aimd_chip_folder_check(const char *path, aim_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return fail_folder(path, errno, err);
    if (!S_ISDIR(info.st_mode))
        return fail_folder(path, ENOTDIR, err);
    if (info.st_mode & S_IWOTH)
        return aim_fail(err, AIM_EINVAL,
                        "state_dir: %s: every user may write to it; chmod o-w makes it safe", path);
    return access(path, R_OK | W_OK | X_OK) ? fail_folder(path, errno, err) : 0;
}

int aimd_chip_folder_make(const char *path, aim_error *err)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return aim_fail(err, AIM_EINVAL, "state_dir: %s: %s", path, strerror(errno));
    return aimd_chip_folder_check(path, err);
}

void aimd_chip_folder_sweep(const char *path)
{
    struct dirent **files = NULL;
    int n = scandir(path, &files, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        if (is_left_over(files[i]->d_name))
            remove_from(path, files[i]->d_name);
        free(files[i]);
    }
    free(files);
}

int aimd_chip_folder_lock(const char *path, aim_error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    if (fd >= 0 && errno == EWOULDBLOCK)
        aim_fail(err, AIM_EINVAL, "state_dir: %s is in use by another analogd", path);
    else
        aim_fail(err, AIM_EINVAL, "state_dir: %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}
