/* SPDX-License-Identifier: Apache-2.0 */
#include "server/chip_settings.h"

#include "analog/digital_profile.h"
#include "base/alloc.h"

#include <string.h>

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

static char *profile_path(const aimd_options *o, const char *profile, aim_error *err)
{
    if (!strchr(profile, '/'))
        return aim_profile_path((const char *const *)o->profile_dirs, profile, err);
    char *path = aim_strdup(profile);
    if (!path)
        aim_fail_nomem(err, "profile");
    return path;
}

static int read_profile(const aimd_options *o, const char *profile, aim_profile *out,
                        aim_error *err)
{
    char *path = profile_path(o, profile, err);
    int rc = path ? aim_profile_load(path, out, err) : (int)err->code;
    aim_free(path);
    return rc;
}

/* Put the full scale that is asked for in the place of the profile's. */
static int set_out_bound(double out_bound, aim_profile *p, aim_error *err)
{
    if (out_bound == 0)
        return 0;
    if (out_bound < AIMD_MIN_OUT_BOUND)
        return aim_fail_param(err, AIM_EINVAL, "out_bound", "out_bound is %g, must be at least %g",
                              out_bound, AIMD_MIN_OUT_BOUND);
    if (p->tile.out_bound <= 0)
        return aim_fail_param(err, AIM_EINVAL, "out_bound",
                              "out_bound: the profile %s has no output converters", p->name);
    p->tile.out_bound = out_bound;
    return 0;
}

/* Tiles are computed in integers; the reference evaluator needs that only of noisy reads. */
static int check_converters(const aimd_model_options *m, const aim_profile *p, aim_error *err)
{
    aim_error cause = {0};
    bool noisy = aim_profile_reads_are_noisy(p);
    if ((!noisy && strcmp(m->backend, "analog-exact") == 0) ||
        aim_tile_settings_check_integer(&p->tile, &cause) == 0)
        return 0;
    return aim_fail_param(err, AIM_EINVAL, "profile", "profile %s: %s", p->name, cause.text);
}

static int read_ranges(const char *path, aim_chip *chip, aim_error *err)
{
    aim_error cause = {0};
    if (chip->profile.tile.input_range != AIM_RANGE_STATIC)
        return aim_fail_param(err, AIM_EINVAL, "input_ranges",
                              "input_ranges: those of the profile %s are not static",
                              chip->profile.name);
    chip->ranges = aim_input_ranges_load(path, &cause);
    if (chip->ranges)
        return 0;
    enum aim_code code = cause.code == AIM_ENOMEM ? AIM_ENOMEM : AIM_EINVAL;
    return aim_fail_param(err, code, "input_ranges", "%s", cause.text);
}

int aimd_chip_settings(const aimd_options *o, const aimd_model_options *m, aim_chip *chip,
                       aim_error *err)
{
    aim_error cause = {0};
    *chip = (aim_chip){.seed = m->chip_seed, .age = m->chip_age};
    if (read_profile(o, m->profile, &chip->profile, &cause)) { /* wherever it is wrong */
        enum aim_code code = cause.code == AIM_ENOMEM ? AIM_ENOMEM : AIM_EINVAL;
        return aim_fail_param(err, code, "profile", "%s", cause.text);
    }
    if (m->conductance_bits)
        chip->profile.conductance_bits = m->conductance_bits;
    int rc = set_out_bound(m->out_bound, &chip->profile, err);
    if (rc == 0)
        rc = aim_profile_check(&chip->profile, err);
    if (rc == 0)
        rc = check_converters(m, &chip->profile, err);
    if (rc == 0 && !aimd_is_analog(m->backend))
        aim_profile_make_digital(&chip->profile);
    return rc == 0 && m->input_ranges ? read_ranges(m->input_ranges, chip, err) : rc;
}
