/* SPDX-License-Identifier: Apache-2.0 */
#include "server/chip_settings.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"

#include <pthread.h>
#include <string.h>

enum { MAX_PROFILE_BYTES = 1 << 20 };

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool aimd_is_chip_name(const char *name)
{
    static const char taken[] = ".ranges"; /* NAME.ranges.json is the ranges of NAME */
    size_t len = strlen(name), n_taken = sizeof taken - 1;
    bool good = len <= AIMD_CHIP_NAME && is_letter_or_digit(*name);
    for (const char *c = name; *c; c++)
        good &= is_letter_or_digit(*c) || strchr("._-", *c) != NULL;
    return good && (len < n_taken || strcmp(name + len - n_taken, taken) != 0);
}

static char *profile_path(const aimd_options *o, const char *profile)
{
    aim_buf path = AIM_BUF_INIT;
    if (strchr(profile, '/'))
        aim_buf_puts(&path, profile);
    else
        aim_buf_printf(&path, "%s/%s.conf", o->profile_dir, profile);
    char *text = aim_buf_steal(&path, NULL);
    aim_buf_free(&path);
    return text;
}

static int digest_file(const char *path, char digest[AIM_SHA256_HEX], aim_error *err)
{
    size_t len;
    aim_sha256 hash;
    char *text = aim_read_file(path, MAX_PROFILE_BYTES, &len, err);
    if (!text)
        return (int)err->code;
    aim_sha256_init(&hash);
    aim_sha256_update(&hash, text, len);
    aim_sha256_final(&hash, digest);
    aim_free(text);
    return 0;
}

/* The parser of profiles is for one thread at a time. */
static int read_profile(const aimd_options *o, const char *profile, aim_profile *out,
                        aim_error *err)
{
    static pthread_mutex_t parser = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&parser);
    int rc = strchr(profile, '/') ? aim_profile_load(profile, out, err)
                                  : aim_profile_find(o->profile_dir, profile, out, err);
    pthread_mutex_unlock(&parser);
    return rc;
}

/* The digest first: if the file changes between the two, that shows at the next start
 * as a changed profile. But the profile's error goes before, since it tells which names
 * there are. */
static int read_all(const aimd_options *o, const char *profile, aim_profile *out, char *digest,
                    aim_error *err)
{
    aim_error unread = {0};
    char *path = profile_path(o, profile);
    int rc = path ? 0 : aim_fail_nomem(err, "profile");
    if (rc == 0 && digest)
        digest_file(path, digest, &unread);
    aim_free(path);
    if (rc == 0)
        rc = read_profile(o, profile, out, err);
    return rc || !unread.code ? rc : aim_fail(err, unread.code, "%s", unread.text);
}

/* Tiles are computed in integers; the reference evaluator needs that only of noisy reads. */
static int check_converters(const aimd_model_options *m, const aim_profile *p, aim_error *err)
{
    aim_error cause = {0};
    bool noisy = p->read_noise != AIM_READ_NOISE_NONE && p->read_noise_share > 0;
    if ((!noisy && strcmp(m->backend, "analog-exact") == 0) ||
        aim_tile_settings_check_integer(&p->tile, &cause) == 0)
        return 0;
    return aim_fail_param(err, AIM_EINVAL, "profile", "profile %s: %s", p->name, cause.text);
}

int aimd_chip_settings(const aimd_options *o, const aimd_model_options *m, aim_chip *chip,
                       char digest[AIM_SHA256_HEX], aim_error *err)
{
    aim_error cause = {0};
    *chip = (aim_chip){.seed = m->chip_seed, .age = m->chip_age};
    if (read_all(o, m->profile, &chip->profile, digest, &cause))
        return aim_fail_param(err, cause.code, "profile", "%s", cause.text);
    if (m->conductance_bits)
        chip->profile.conductance_bits = m->conductance_bits;
    if (m->out_bound > 0)
        chip->profile.tile.out_bound = m->out_bound;
    int rc = aim_profile_check(&chip->profile, err);
    return rc ? rc : check_converters(m, &chip->profile, err);
}
