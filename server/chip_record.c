/* SPDX-License-Identifier: Apache-2.0 */
#include "server/chip_record.h"

#include "analog/chip_digest.h"
#include "base/decimal.h"
#include "server/json_out.h"

#include <string.h>

enum { VERSION = 1 };

void aimd_chip_record_make(const aimd_kept_chip *chip, aimd_chip_record *out)
{
    const aimd_model *m = chip->model;
    *out = (aimd_chip_record){
        .id = chip->id,
        .base_model = chip->base_model,
        .backend = m->options.backend,
        .profile = m->options.profile,
        .seed = (int64_t)m->chip->seed,
        .conductance_bits = m->options.conductance_bits,
        .created = chip->created,
        .age = chip->age,
        .out_bound = m->options.out_bound,
    };
    aim_profile_digest(&m->chip->profile, out->profile_digest);
    aimd_weights_digest(&m->options, out->weights);
    if (m->chip->ranges)
        aim_input_ranges_digest(m->chip->ranges, out->ranges);
}

/* ---- writing ------------------------------------------------------------- */

static void put_line(aim_buf *out, const char *key, const char *value)
{
    aim_buf_printf(out, "  \"%s\": ", key);
    aimd_json_cstring(out, value);
    aim_buf_puts(out, ",\n");
}

void aimd_chip_record_write(const aimd_chip_record *r, aim_buf *out)
{
    aim_buf_printf(out, "{\n  \"version\": %d,\n", VERSION);
    put_line(out, "id", r->id);
    put_line(out, "base_model", r->base_model);
    put_line(out, "weights", r->weights);
    put_line(out, "backend", r->backend);
    put_line(out, "profile", r->profile);
    put_line(out, "profile_sha256", r->profile_digest);
    put_line(out, "ranges_sha256", r->ranges[0] ? r->ranges : NULL);
    aim_buf_printf(out, "  \"seed\": %lld,\n  \"age\": %.17g,\n", (long long)r->seed, r->age);
    aim_buf_printf(out, "  \"conductance_bits\": %d,\n  \"out_bound\": %.17g,\n",
                   (int)r->conductance_bits, r->out_bound);
    aim_buf_printf(out, "  \"created\": %lld\n}\n", (long long)r->created);
}

/* ---- reading ------------------------------------------------------------- */

/* Lower-case hexadecimal digits that fill `to`; null, where it may be, leaves it empty. */
static int read_digest(const json_t *file, const char *key, bool required, const char *path,
                       char *to, size_t size, aim_error *err)
{
    const char *text = NULL;
    if (aim_json_string(file, key, required, path, &text, err))
        return AIM_EFORMAT;
    if (text && (strlen(text) != size - 1 || strspn(text, "0123456789abcdef") != size - 1))
        return aim_fail(err, AIM_EFORMAT, "%s: \"%s\" is no digest", path, key);
    memcpy(to, text ? text : "", text ? size : 1);
    return 0;
}

static int read_texts(const json_t *file, const char *path, aimd_chip_record *r, aim_error *err)
{
    return aim_json_string(file, "id", true, path, &r->id, err) ||
           aim_json_string(file, "base_model", true, path, &r->base_model, err) ||
           aim_json_string(file, "backend", true, path, &r->backend, err) ||
           aim_json_string(file, "profile", true, path, &r->profile, err) ||
           read_digest(file, "weights", true, path, r->weights, sizeof r->weights, err) ||
           read_digest(file, "profile_sha256", true, path, r->profile_digest,
                       sizeof r->profile_digest, err) ||
           read_digest(file, "ranges_sha256", false, path, r->ranges, sizeof r->ranges, err);
}

static int read_numbers(const json_t *file, const char *path, aimd_chip_record *r, aim_error *err)
{
    return aim_json_int(file, "seed", 0, AIMD_MAX_CHIP_SEED, true, path, &r->seed, err) ||
           aim_json_number(file, "age", 0, AIM_MAX_AGE, true, path, &r->age, err) ||
           aim_json_int(file, "conductance_bits", 0, 16, true, path, &r->conductance_bits, err) ||
           aim_json_number(file, "out_bound", 0, AIMD_MAX_OUT_BOUND, true, path, &r->out_bound,
                           err) ||
           aim_json_int(file, "created", 0, INT64_MAX, true, path, &r->created, err);
}

int aimd_chip_record_read(const json_t *file, const char *path, aimd_chip_record *out,
                          aim_error *err)
{
    int64_t version;
    *out = (aimd_chip_record){0};
    if (aim_json_int(file, "version", VERSION, VERSION, true, path, &version, err) ||
        read_texts(file, path, out, err) || read_numbers(file, path, out, err))
        return AIM_EFORMAT;
    if (!aimd_is_analog(out->backend))
        return aim_fail(err, AIM_EFORMAT, "%s: \"backend\" is not one of a chip", path);
    return 0;
}

int aimd_chip_record_check(const aimd_chip_record *r, const aimd_model *m, aim_error *err)
{
    char digest[AIM_SHA256_HEX], weights[AIMD_WEIGHTS_DIGEST_SIZE];
    aim_profile_digest(&m->chip->profile, digest);
    if (strcmp(digest, r->profile_digest) != 0)
        return aim_fail(err, AIM_EFORMAT,
                        "the numbers of profile %.64s are not those that the chip was made with",
                        m->options.profile);
    aimd_weights_digest(&m->options, weights);
    if (strcmp(weights, r->weights) != 0)
        return aim_fail(err, AIM_EFORMAT, "%.256s holds another model than the chip was made from",
                        m->options.dir);
    if (m->chip->seed != (uint64_t)r->seed)
        return aim_fail(err, AIM_EFORMAT, "the chip was made with the seed %lld",
                        (long long)r->seed);
    return 0;
}
