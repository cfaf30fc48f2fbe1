/* SPDX-License-Identifier: Apache-2.0 */
/* hf_config_generation.c - generation_config.json: what ends an answer, and the
 * sampling its authors advise. */
#include "checkpoint/hf_config_internal.h"

#include <limits.h>

int aim__read_eos(const json_t *obj, const char *what, aim_hf_config *out, aim_error *err)
{
    const char *key = "eos_token_id";
    const json_t *v = json_object_get(obj, key);
    if (!v || json_is_null(v))
        return AIM_OK;
    size_t n = json_is_array(v) ? json_array_size(v) : 1;
    if (n > AIM_MAX_EOS)
        return aim_fail_param(err, AIM_EFORMAT, key, "%s: more than %d \"%s\"", what, AIM_MAX_EOS,
                              key);
    for (size_t i = 0; i < n; i++) {
        const json_t *id = json_is_array(v) ? json_array_get(v, i) : v;
        json_int_t number = json_integer_value(id);
        if (!json_is_integer(id) || number < 0 || number >= out->vocab)
            return aim_fail_param(err, AIM_EFORMAT, key, "%s: \"%s\" must be integers from 0 to %d",
                                  what, key, out->vocab - 1);
        out->eos[i] = (int32_t)number;
    }
    out->n_eos = (int)n;
    return AIM_OK;
}

int aim__read_bos(const json_t *obj, const char *what, aim_hf_config *out, aim_error *err)
{
    int64_t bos = out->bos;
    int code = aim_json_int(obj, "bos_token_id", 0, out->vocab - 1, false, what, &bos, err);
    out->bos = (int32_t)bos;
    return code;
}

/* The numbers a request may leave out, in the ranges it could say them in; absent:
 * -1 stays, which as top_k means all tokens, as without one. */
static int read_sampling(const json_t *generation, aim_hf_config *out, aim_error *err)
{
    const struct {
        const char *key;
        double lo, hi;
        double *to;
    } fields[] = {
        {"temperature", 0, 2, &out->default_temperature},
        {"top_p", 0, 1, &out->default_top_p},
        {"min_p", 0, 1, &out->default_min_p},
        {"repetition_penalty", 0.01, 100, &out->default_repetition_penalty},
    };
    int64_t top_k = -1;
    int code = aim_json_int(generation, "top_k", -1, INT_MAX, false, AIM__GENERATION, &top_k, err);
    out->default_top_k = (int)top_k;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0] && !code; i++)
        code = aim_json_number(generation, fields[i].key, fields[i].lo, fields[i].hi, false,
                               AIM__GENERATION, fields[i].to, err);
    return code;
}

int aim__read_generation(const json_t *generation, aim_hf_config *out, aim_error *err)
{
    if (!json_is_object(generation))
        return aim_fail(err, AIM_EFORMAT, AIM__GENERATION ": not a JSON object");
    bool sample = true;
    int code = aim__check_generation_keys(generation, out, err);
    if (!code)
        code = read_sampling(generation, out, err);
    if (!code)
        code = aim_json_bool(generation, "do_sample", false, AIM__GENERATION, &sample, err);
    if (!sample)
        out->default_temperature = 0;
    if (!code)
        code = aim__read_bos(generation, AIM__GENERATION, out, err);
    return code ? code : aim__read_eos(generation, AIM__GENERATION, out, err);
}
