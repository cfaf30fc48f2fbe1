/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h" /* mkostemp */

#include "base/file.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

/* A rename is kept over a loss of power once its folder is on the disk too. Some file
 * systems cannot do that for folders; the file is in place all the same. */
static void flush_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? aim_strndup(path, (size_t)(slash - path) + 1) : aim_strdup(".");
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)!fsync(fd);
        close(fd);
    }
    aim_free(folder);
}

/* Takes the open temporary file. */
static bool finish(int fd, const char *temporary, const char *path, const char *bytes, size_t len)
{
    bool written = write_all(fd, bytes, len) && fsync(fd) == 0;
    int reason = errno;
    if (close(fd) != 0 && written) {
        written = false;
        reason = errno;
    }
    if (written && rename(temporary, path) == 0)
        return true;
    if (!written)
        errno = reason;
    return false;
}

int aim_save_file(const char *path, const void *bytes, size_t len, aim_error *err)
{
    aim_buf temporary = AIM_BUF_INIT;
    aim_buf_printf(&temporary, "%s.XXXXXX", path);
    if (temporary.failed)
        return aim_fail_nomem(err, path);
    int code = AIM_OK;
    int fd = mkostemp(temporary.data, O_CLOEXEC);
    if (fd < 0) {
        code = aim_fail(err, AIM_EIO, "%s: %s", temporary.data, strerror(errno));
    } else if (!finish(fd, temporary.data, path, bytes, len)) {
        code = aim_fail(err, AIM_EIO, "%s: cannot be written: %s", path, strerror(errno));
        unlink(temporary.data);
    } else {
        flush_folder(path);
    }
    aim_buf_free(&temporary);
    return code;
}
