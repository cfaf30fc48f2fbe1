/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Open a regular file read-only and learn its size; -1 on failure. */
static int open_regular(const char *path, size_t *size, aim_error *err)
{
    /* O_NONBLOCK: opening a pipe somebody put there must not hang. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        aim_fail(err, errno == ENOENT ? AIM_ENOTFOUND : AIM_EIO, "%s: %s", path, strerror(errno));
        return -1;
    }
    struct stat st;
    if (fstat(fd, &st) != 0) {
        aim_fail(err, AIM_EIO, "%s: %s", path, strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        aim_fail(err, AIM_EIO, "%s: not a regular file", path);
    } else {
        *size = (size_t)st.st_size;
        return fd;
    }
    close(fd);
    return -1;
}

static int map_fd(int fd, const char *path, size_t size, aim_map *map, aim_error *err)
{
    map->size = size;
    map->data = NULL;
    if (size == 0)
        return AIM_OK;
    void *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return aim_fail(err, errno == ENOMEM ? AIM_ENOMEM : AIM_EIO, "%s: cannot map: %s", path,
                        strerror(errno));
    map->data = p;
    return AIM_OK;
}

int aim_map_open(const char *dir, const char *name, aim_map *map, aim_error *err)
{
    if (name[0] == '\0' || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return aim_fail(err, AIM_EFORMAT, "%s: \"%.100s\" is not a bare file name", dir, name);
    char *path = aim_path_join(dir, name);
    if (!path)
        return aim_fail_nomem(err, name);
    size_t size = 0;
    int code = AIM_EIO;
    int fd = open_regular(path, &size, err);
    if (fd >= 0) {
        code = map_fd(fd, path, size, map, err);
        close(fd);
    } else if (err) {
        code = (int)err->code;
    }
    aim_free(path);
    return code;
}

void aim_map_close(aim_map *map)
{
    if (map->data)
        munmap((void *)map->data, map->size);
    map->data = NULL;
    map->size = 0;
}

void aim_map_expect(const aim_map *map, enum aim_map_use use)
{
    if (!map->data)
        return;
    void *data = (void *)map->data;
    if (use == AIM_MAP_SEQUENTIAL) {
        madvise(data, map->size, MADV_SEQUENTIAL);
    } else {
        madvise(data, map->size, MADV_NORMAL);
        madvise(data, map->size, MADV_DONTNEED); /* read-only: nothing is lost */
    }
}

static bool read_all(int fd, char *to, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = read(fd, to + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

char *aim_read_file(const char *path, size_t max_bytes, size_t *len, aim_error *err)
{
    size_t size = 0;
    int fd = open_regular(path, &size, err);
    if (fd < 0)
        return NULL;
    char *text = NULL;
    if (size > max_bytes) {
        aim_fail(err, AIM_ETOOLARGE, "%s: %zu bytes, more than the cap of %zu", path, size,
                 max_bytes);
    } else if (!(text = aim_malloc(size + 1))) {
        aim_fail_nomem(err, path);
    } else if (!read_all(fd, text, size)) {
        aim_fail(err, AIM_EIO, "%s: cannot read", path);
        aim_free(text);
        text = NULL;
    } else {
        text[size] = '\0';
        *len = size;
    }
    close(fd);
    return text;
}

int aim_check_content(const void *bytes, size_t size, const char *name, aim_error *err)
{
    static const char pointer[] = "version https://git-lfs", zeros[8];
    if (size >= strlen(pointer) && memcmp(bytes, pointer, strlen(pointer)) == 0)
        return aim_fail(err, AIM_EFORMAT,
                        "%s: a Git LFS pointer, not the file it stands for: "
                        "fetch that with \"git lfs pull\"",
                        name);
    if (size >= sizeof zeros && memcmp(bytes, zeros, sizeof zeros) == 0)
        return aim_fail(err, AIM_EFORMAT, "%s: begins with zeros: was the download finished?",
                        name);
    return AIM_OK;
}

char *aim_path_join(const char *dir, const char *name)
{
    size_t a = strlen(dir), b = strlen(name);
    char *path = aim_malloc(a + b + 2);
    if (path)
        snprintf(path, a + b + 2, "%s/%s", dir, name);
    return path;
}
