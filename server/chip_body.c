/* SPDX-License-Identifier: Apache-2.0 */
#include "server/chip_body.h"

#include "base/alloc.h"
#include "base/decimal.h"
#include "base/rng.h"
#include "server/open_model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A string, or NULL if there is none. */
static int read_text(const aimd_body *b, const char *key, bool required, const char **out,
                     aim_error *err)
{
    const json_t *v = json_object_get(b->json, key);
    *out = json_string_value(v);
    if (v && !json_is_null(v) && !*out)
        return aim_fail_param(err, AIM_EINVAL, key, "%s must be a string", key);
    if (!*out && required)
        return aim_fail_param(err, AIM_EINVAL, key, "%s is needed", key);
    return 0;
}

/* Seconds, or a text such as "1d"; *age is left as it is if there is none. */
static int read_age(const json_t *v, double *age, aim_error *err)
{
    aim_error cause = {0};
    if (!v || json_is_null(v))
        return 0;
    if (json_is_string(v)) {
        aim_parse_age(json_string_value(v), age, &cause);
    } else if (json_is_number(v)) {
        *age = json_number_value(v);
        aim_check_age(*age, &cause);
    } else {
        aim_fail(&cause, AIM_EINVAL, "must be seconds, or a text such as \"1d\"");
    }
    return cause.code ? aim_fail_param(err, AIM_EINVAL, "age", "age: %s", cause.text) : 0;
}

int aimd_read_age(const aimd_body *b, double *age, aim_error *err)
{
    *age = NAN;
    int rc = read_age(json_object_get(b->json, "age"), age, err);
    return rc || !isnan(*age) ? rc : aim_fail_param(err, AIM_EINVAL, "age", "age is needed");
}

/* ---- a new chip ---------------------------------------------------------- */

static int read_base(const aimd_offload *o, const aimd_body *b, const aimd_model_options **base,
                     aim_error *err)
{
    const char *id;
    if (read_text(b, "model", true, &id, err))
        return (int)err->code;
    *base = aimd_chip_base(o->daemon->options, id);
    if (*base)
        return 0;
    return aim_fail_param(err, AIM_ENOTFOUND, "model",
                          "no model of the configuration is called \"%.128s\"", id);
}

/* Files are the operator's choice. Which names there are is known when one is looked up. */
static int read_profile(const aimd_body *b, const char **profile, aim_error *err)
{
    int rc = read_text(b, "profile", true, profile, err);
    if (rc == 0 && strchr(*profile, '/'))
        rc = aim_fail_param(err, AIM_EINVAL, "profile",
                            "profile must be the name of a profile, not a file");
    return rc;
}

static int read_backend(const aimd_body *b, const char **backend, aim_error *err)
{
    int rc = read_text(b, "backend", false, backend, err);
    if (rc == 0 && !*backend)
        *backend = "analog";
    if (rc == 0 && !aimd_is_analog(*backend))
        rc = aim_fail_param(err, AIM_EINVAL, "backend", "backend must be analog or analog-exact");
    return rc;
}

static int read_bits(const aimd_body *b, int *bits, aim_error *err)
{
    int64_t asked = b->params.conductance_bits;
    *bits = asked == AIMD_UNSET ? 0 : (int)asked;
    if (*bits == 0 || *bits == 8 || *bits == 16)
        return 0;
    return aim_fail_param(err, AIM_EINVAL, "conductance_bits", "conductance_bits must be 8 or 16");
}

/* PROFILE-SEED: as much of the profile as there is room for, and what a chip's name may
 * not hold replaced. */
static void derive_name(const aimd_chip_request *r, char name[AIMD_CHIP_NAME + 1])
{
    char seed[24], made[AIMD_CHIP_NAME + 1];
    int n = snprintf(seed, sizeof seed, "-%llu", (unsigned long long)r->seed);
    snprintf(made, sizeof made, "%.*s%s", AIMD_CHIP_NAME - n, r->profile, seed);
    aimd_chip_name_of_model(made, name);
}

static int read_name(const aimd_body *b, const aimd_chip_request *r, char name[AIMD_CHIP_NAME + 1],
                     aim_error *err)
{
    const char *asked;
    int rc = read_text(b, "name", false, &asked, err);
    if (rc)
        return rc;
    if (!asked) {
        derive_name(r, name);
        return 0;
    }
    if (!aimd_is_chip_name(asked))
        return aim_fail_param(err, AIM_EINVAL, "name",
                              "a name is 1 to %d letters, digits, '.', '_' and '-', begins with a "
                              "letter or digit, and does not end in .ranges",
                              AIMD_CHIP_NAME);
    memcpy(name, asked, strlen(asked) + 1);
    return 0;
}

static int read_request(const aimd_body *b, aimd_chip_request *r, aim_error *err)
{
    int64_t seed = b->params.chip_seed;
    *r = (aimd_chip_request){.out_bound = b->params.out_bound};
    /* One that is drawn is short, for people who write it down. */
    r->seed = seed != AIMD_UNSET ? (uint64_t)seed : aim_rng_fresh_seed() & UINT32_MAX;
    int rc = read_profile(b, &r->profile, err);
    if (rc == 0)
        rc = read_backend(b, &r->backend, err);
    if (rc == 0)
        rc = read_age(json_object_get(b->json, "age"), &r->age, err);
    return rc ? rc : read_bits(b, &r->conductance_bits, err);
}

/* A name that no profile has is the client's mistake, and so is an option that does not
 * go with the profile. */
static int make_chip(aimd_model *m, aim_error *err)
{
    aim_error cause = {0};
    if (aimd_model_make_chip(m, &cause) == 0)
        return 0;
    enum aim_code code = cause.code == AIM_ENOTFOUND ? AIM_EINVAL : cause.code;
    return aim_fail_param(err, code, cause.param, "%s", cause.text);
}

/* The base's, if none was asked for and the profile has output converters. */
static void inherit_out_bound(aimd_model *m, double of_base)
{
    aim_tile_settings *tile = &m->chip->profile.tile;
    if (m->options.out_bound == 0 && of_base > 0 && tile->out_bound > 0)
        tile->out_bound = m->options.out_bound = of_base;
}

int aimd_read_new_chip(aimd_offload *o, const aimd_body *b, aimd_new_chip *out, aim_error *err)
{
    aimd_chip_request r;
    int rc = read_base(o, b, &out->base, err);
    if (rc == 0)
        rc = read_request(b, &r, err);
    if (rc == 0)
        rc = read_name(b, &r, out->name, err);
    if (rc)
        return rc;
    r.name = out->name;
    out->model = aimd_chip_model_new(o->daemon, out->base, out->base->id, &r, err);
    if (!out->model)
        return (int)err->code;
    rc = make_chip(out->model, err);
    if (rc)
        return rc;
    inherit_out_bound(out->model, out->base->out_bound);
    return aimd_model_plan(out->model, err);
}

/* ---- a calibration ------------------------------------------------------- */

static bool takes_value(const aimd_asked_calibration *c)
{
    return !c->none && c->how.method != AIM_CALIBRATE_MAX;
}

static int read_method(const aimd_body *b, aimd_asked_calibration *out, aim_error *err)
{
    const char *method;
    int rc = read_text(b, "method", false, &method, err);
    out->none = method && strcmp(method, "none") == 0;
    if (rc == 0 && !out->none)
        rc = aim_calibration_find(method, &out->how, err);
    if (rc || isnan(b->params.value))
        return rc;
    if (!takes_value(out))
        return aim_fail_param(err, AIM_EINVAL, "value", "the method %s takes no value", method);
    out->how.value = b->params.value;
    return aim_calibration_check(&out->how, err);
}

static int encode_one(const aimd_body *b, const json_t *text, size_t index, aimd_token_texts *texts,
                      size_t *total, aim_error *err)
{
    char param[32];
    aimd_prompt p = {0};
    snprintf(param, sizeof param, "texts[%zu]", index);
    int rc = aimd_encode_text(&b->scope, text, true, param, &p, err);
    if (rc == 0 && p.n_tokens <= p.n_added)
        rc = aim_fail_param(err, AIM_EINVAL, param, "%s is empty", param);
    *total += (size_t)p.n_tokens;
    if (rc == 0 && *total > AIMD_MAX_TEXT_TOKENS)
        rc = aim_fail_param(err, AIM_EINVAL, "texts", "texts has more than %d tokens",
                            AIMD_MAX_TEXT_TOKENS);
    if (rc) {
        aim_free(p.tokens);
        return rc;
    }
    texts->texts[texts->n++] = (aim_token_list){p.tokens, p.n_tokens};
    return 0;
}

static int read_texts(const aimd_body *b, aimd_token_texts *texts, aim_error *err)
{
    const json_t *list = json_object_get(b->json, "texts");
    size_t n = json_array_size(list), total = 0;
    int rc = 0;
    if (n == 0 || n > AIMD_MAX_TEXTS)
        return aim_fail_param(err, AIM_EINVAL, "texts", "texts must be a list of 1 to %d texts",
                              AIMD_MAX_TEXTS);
    texts->texts = aim_calloc(n, sizeof *texts->texts);
    if (!texts->texts)
        return aim_fail_nomem(err, "texts");
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = encode_one(b, json_array_get(list, i), i, texts, &total, err);
    return rc;
}

int aimd_read_calibration(const aimd_body *b, aimd_asked_calibration *out, aim_error *err)
{
    const json_t *texts = json_object_get(b->json, "texts");
    int rc = read_method(b, out, err);
    if (rc == 0 && !out->none)
        rc = read_texts(b, &out->texts, err);
    else if (rc == 0 && texts && !json_is_null(texts))
        rc = aim_fail_param(err, AIM_EINVAL, "texts", "the method none takes no texts");
    return rc;
}
