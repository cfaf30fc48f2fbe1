/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_BYTES = 256, FILE_BYTES = 1 << 20 };

struct key {
    unsigned char bytes[KEY_BYTES]; /* zero-padded; a key holds no zero byte */
    unsigned char access;           /* enum aimd_access */
};

struct aimd_keys {
    struct key *keys;
    size_t n, room;
};

/* ---- loading ------------------------------------------------------------- */

static bool is_visible(char c)
{
    return c > ' ' && c < 0x7f;
}

static bool in_credentials_directory(const char *path)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    size_t n = dir ? strlen(dir) : 0;
    return n && strncmp(path, dir, n) == 0 && path[n] == '/';
}

static int check_mode(int fd, const char *path, aim_error *err)
{
    struct stat st;
    mode_t refused = S_IRWXG | S_IRWXO;
    if (fstat(fd, &st) < 0)
        return aim_fail(err, AIM_EIO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return aim_fail(err, AIM_EIO, "%s: not a regular file", path);
    if (st.st_size > FILE_BYTES)
        return aim_fail(err, AIM_ETOOLARGE, "%s: larger than %d bytes", path, FILE_BYTES);
    if (in_credentials_directory(path))
        refused = S_IRWXO | S_IWGRP;
    if (st.st_mode & refused)
        return aim_fail(err, AIM_EINVAL,
                        "%s: mode %04o lets others at the keys; make it 0600 (chmod go= %s)", path,
                        (unsigned)(st.st_mode & 07777), path);
    return AIM_OK;
}

/* The text of the file, NUL-terminated, in a buffer of FILE_BYTES + 1. */
static char *read_text(int fd, const char *path, aim_error *err)
{
    char *text = aim_malloc(FILE_BYTES + 1);
    size_t len = 0;
    ssize_t n = 1;
    if (!text) {
        aim_fail_nomem(err, path);
        return NULL;
    }
    while (n != 0 && len < FILE_BYTES) {
        n = read(fd, text + len, FILE_BYTES - len);
        if (n < 0 && errno != EINTR) {
            aim_fail(err, AIM_EIO, "%s: %s", path, strerror(errno));
            aim_free(text);
            return NULL;
        }
        len += n > 0 ? (size_t)n : 0;
    }
    text[len] = '\0';
    return text;
}

/* No open of a FIFO may hang the start, hence O_NONBLOCK. */
static char *open_and_read(const char *path, aim_error *err)
{
    char *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        aim_fail(err, AIM_EIO, "%s: %s", path, strerror(errno));
        return NULL;
    }
    if (check_mode(fd, path, err) == AIM_OK)
        text = read_text(fd, path, err);
    close(fd);
    return text;
}

static unsigned differs(const struct key *a, const struct key *b)
{
    unsigned diff = 0;
    for (size_t i = 0; i < KEY_BYTES; i++)
        diff |= a->bytes[i] ^ b->bytes[i];
    return diff;
}

static int add_key(aimd_keys *k, const char *word, size_t len, enum aimd_access access,
                   const char *path, int line, aim_error *err)
{
    struct key key = {.access = (unsigned char)access};
    if (len > KEY_BYTES)
        return aim_fail(err, AIM_EINVAL, "%s:%d: the key is longer than %d characters", path, line,
                        KEY_BYTES);
    for (size_t i = 0; i < len; i++)
        if (!is_visible(word[i]))
            return aim_fail(err, AIM_EINVAL,
                            "%s:%d: the key holds a byte that is not visible ASCII", path, line);
    memcpy(key.bytes, word, len);
    for (size_t i = 0; i < k->n; i++)
        if (!differs(&k->keys[i], &key))
            return aim_fail(err, AIM_EINVAL, "%s:%d: this key stands in the file twice", path,
                            line);
    if (!aim_grow(&k->keys, &k->room, k->n + 1, sizeof *k->keys))
        return aim_fail_nomem(err, path);
    k->keys[k->n++] = key;
    explicit_bzero(&key, sizeof key);
    return AIM_OK;
}

/* One line without its newline: nothing, KEY, or KEY admin. */
static int parse_line(aimd_keys *k, char *text, const char *path, int line, aim_error *err)
{
    static const char blank[] = " \t\r";
    char *rest = text + strspn(text, blank);
    enum aimd_access access = AIMD_ACCESS_USER;
    rest[strcspn(rest, "#")] = '\0';
    size_t len = strcspn(rest, blank);
    const char *word = rest, *flag = rest + len + strspn(rest + len, blank);
    size_t flag_len = strcspn(flag, blank);
    if (len == 0)
        return AIM_OK;
    if (flag_len == strlen("admin") && strncmp(flag, "admin", flag_len) == 0)
        access = AIMD_ACCESS_ADMIN;
    else if (flag_len)
        return aim_fail(err, AIM_EINVAL, "%s:%d: after the key only the word admin may follow",
                        path, line);
    if (flag[flag_len + strspn(flag + flag_len, blank)] != '\0')
        return aim_fail(err, AIM_EINVAL, "%s:%d: more than a key and the word admin", path, line);
    return add_key(k, word, len, access, path, line, err);
}

static int parse_text(aimd_keys *k, char *text, const char *path, aim_error *err)
{
    int line = 1;
    for (char *p = text, *next; p; p = next, line++) {
        next = strchr(p, '\n');
        if (next)
            *next++ = '\0';
        if (parse_line(k, p, path, line, err) != AIM_OK)
            return (int)err->code;
    }
    if (k->n == 0)
        return aim_fail(err, AIM_EINVAL, "%s: no key in it", path);
    return AIM_OK;
}

static aimd_keys *load(const char *path, aim_error *err)
{
    aimd_keys *k = NULL;
    char *text = open_and_read(path, err);
    if (!text)
        return NULL;
    k = aim_calloc(1, sizeof *k);
    if (!k)
        aim_fail_nomem(err, path);
    else if (parse_text(k, text, path, err) != AIM_OK) {
        aimd_keys_free(k);
        k = NULL;
    }
    explicit_bzero(text, FILE_BYTES + 1);
    aim_free(text);
    return k;
}

aimd_keys *aimd_keys_load(const char *path, aim_error *err)
{
    aim_error cause = {0};
    aimd_keys *k = load(path, &cause);
    if (!k)
        aim_fail(err, cause.code, "api_key_file: %s", cause.text);
    return k;
}

void aimd_keys_free(aimd_keys *k)
{
    if (!k)
        return;
    if (k->keys)
        explicit_bzero(k->keys, k->n * sizeof *k->keys);
    aim_free(k->keys);
    aim_free(k);
}

/* ---- checking ------------------------------------------------------------ */

/* The key in "Bearer KEY", padded; false if there is none that could match. */
static bool parse_bearer(const char *authorization, struct key *key)
{
    static const char scheme[] = "Bearer ";
    *key = (struct key){0};
    if (!authorization || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
        return false;
    const char *word = authorization + sizeof scheme - 1;
    word += strspn(word, " ");
    size_t len = strlen(word);
    if (len == 0 || len > KEY_BYTES)
        return false;
    memcpy(key->bytes, word, len);
    return true;
}

/* No branch depends on a key: every key is compared in full, and a match is
 * turned into a mask (diff is 0..255, so diff - 1 borrows only for 0). */
enum aimd_access aimd_keys_check(const aimd_keys *k, const char *authorization)
{
    struct key given;
    unsigned access = AIMD_ACCESS_NONE;
    if (!parse_bearer(authorization, &given))
        return AIMD_ACCESS_NONE;
    for (size_t i = 0; i < k->n; i++) {
        unsigned equal = ((differs(&k->keys[i], &given) - 1u) >> 8) & 1u;
        access |= (0u - equal) & k->keys[i].access;
    }
    explicit_bzero(&given, sizeof given);
    return (enum aimd_access)access;
}
