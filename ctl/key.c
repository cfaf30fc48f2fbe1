/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/key.h"

#include "base/alloc.h"
#include "base/file.h"
#include "ctl/outcome.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_FILE = 1 << 20 };

static const char blanks[] = " \t\r\n";

/* Where the first word is; lines that begin with # are comments. */
static const char *skip_comments(const char *text)
{
    text += strspn(text, blanks);
    while (*text == '#') {
        text += strcspn(text, "\n");
        text += strspn(text, blanks);
    }
    return text;
}

/* Visible ASCII alone can stand in a header. */
static int keep_key(const char *word, size_t len, const char *from, char key[ACTL_KEY_BYTES],
                    aim_error *err)
{
    if (len == 0 || len >= ACTL_KEY_BYTES)
        return aim_fail(err, AIM_EINVAL, "%s: a key has 1 to %d characters", from,
                        ACTL_KEY_BYTES - 1);
    for (size_t i = 0; i < len; i++)
        if (word[i] <= ' ' || word[i] > '~')
            return aim_fail(err, AIM_EINVAL, "%s: a key has visible ASCII characters only", from);
    memcpy(key, word, len);
    key[len] = '\0';
    return 0;
}

static int check_mode(const char *file, aim_error *err)
{
    struct stat st;
    if (stat(file, &st) != 0)
        return aim_fail(err, AIM_EIO, "%s: %s", file, strerror(errno));
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return aim_fail(err, AIM_EINVAL,
                        "%s: mode %04o lets others at the key; make it 0600 (chmod go= %s)", file,
                        (unsigned)(st.st_mode & 07777), file);
    return 0;
}

static int read_file(const char *file, char key[ACTL_KEY_BYTES], aim_error *err)
{
    size_t len;
    if (check_mode(file, err))
        return ACTL_USAGE;
    char *text = aim_read_file(file, MAX_FILE, &len, err);
    if (!text)
        return ACTL_USAGE;
    const char *word = skip_comments(text);
    int rc = keep_key(word, strcspn(word, blanks), file, key, err);
    aim_free(text);
    return rc ? ACTL_USAGE : ACTL_OK;
}

int actl_key_read(const char *file, char key[ACTL_KEY_BYTES], aim_error *err)
{
    static const char variable[] = "ANALOGCTL_API_KEY";
    key[0] = '\0';
    if (file)
        return read_file(file, key, err);
    const char *value = getenv(variable);
    if (!value || !*value)
        return ACTL_OK;
    return keep_key(value, strlen(value), variable, key, err) ? ACTL_USAGE : ACTL_OK;
}
