/* SPDX-License-Identifier: Apache-2.0 */
/* hf_config_rope.c - the rotary settings of config.json: "rope_scaling" beside
 * "rope_theta" in older files, "rope_parameters" in newer ones. Meaning and
 * defaults are those of transformers' modeling_rope_utils.py. */
#include "base/fixmath.h"
#include "checkpoint/hf_config_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = {
    [AIM_ROPE_DEFAULT] = "default",
    [AIM_ROPE_LINEAR] = "linear",
    [AIM_ROPE_LLAMA3] = "llama3",
    [AIM_ROPE_LONGROPE] = "longrope",
};

enum { N_KINDS = sizeof kind_names / sizeof kind_names[0] };

/* The settings each kind has beside those of all. */
static const char *const kind_keys[N_KINDS][6] = {
    [AIM_ROPE_LINEAR] = {"factor"},
    [AIM_ROPE_LLAMA3] = {"factor", "low_freq_factor", "high_freq_factor",
                         "original_max_position_embeddings"},
    [AIM_ROPE_LONGROPE] = {"factor", "attention_factor", "short_factor", "long_factor",
                           "original_max_position_embeddings"},
};

/* What the reader works on. */
struct rope_source {
    const json_t *config;
    const json_t *obj; /* the object with the settings, or NULL */
    const char *name;  /* its key, for errors */
    const aim__family *family;
};

/* Number n in both places it may stand in, which must agree; *out stays as it is
 * if it is in neither. */
static int read_twice(const struct rope_source *s, const char *key, double lo, double hi,
                      double *out, aim_error *err)
{
    double outer = NAN, inner = NAN;
    int code = aim_json_number(s->config, key, lo, hi, false, AIM__CONFIG, &outer, err);
    if (!code)
        code = aim_json_number(s->obj, key, lo, hi, false, AIM__CONFIG, &inner, err);
    if (code)
        return code;
    if (!isnan(outer) && !isnan(inner) && outer != inner)
        return aim_fail_param(err, AIM_EFORMAT, key, AIM__CONFIG ": \"%s\" is both %g and %g", key,
                              outer, inner);
    if (!isnan(outer) || !isnan(inner))
        *out = isnan(inner) ? outer : inner;
    return AIM_OK;
}

/* ---- which kind --------------------------------------------------------------- */

/* "su" is the first name of longrope; files of Phi-3 with "yarn" mean it too. */
static int kind_of(const char *name, const aim__family *f)
{
    bool longrope = f->rope_kinds & 1u << AIM_ROPE_LONGROPE;
    if (longrope && (strcmp(name, "su") == 0 || strcmp(name, "yarn") == 0))
        return AIM_ROPE_LONGROPE;
    for (int i = 0; i < N_KINDS; i++)
        if (strcmp(name, kind_names[i]) == 0 && f->rope_kinds & 1u << i)
            return i;
    return -1;
}

static int unknown_kind(const struct rope_source *s, const char *key, aim_error *err)
{
    char list[128];
    size_t used = (size_t)snprintf(list, sizeof list, " for this architecture; implemented: ");
    for (int i = 0; i < N_KINDS; i++)
        if (s->family->rope_kinds & 1u << i)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "",
                                     kind_names[i]);
    return aim__not_implemented(AIM__CONFIG, key, json_object_get(s->obj, key), list, err);
}

/* "rope_type", or its older name "type"; both may be there and agree. */
static int read_kind(const struct rope_source *s, aim_rope *out, aim_error *err)
{
    static const char *const keys[] = {"rope_type", "type"};
    int found = -1;
    for (int i = 0; i < 2; i++) {
        const json_t *v = json_object_get(s->obj, keys[i]);
        if (!v || json_is_null(v))
            continue;
        int kind = json_is_string(v) ? kind_of(json_string_value(v), s->family) : -1;
        if (kind < 0 || (found >= 0 && kind != found))
            return unknown_kind(s, keys[i], err);
        found = kind;
    }
    out->kind = found < 0 ? AIM_ROPE_DEFAULT : (enum aim_rope_kind)found;
    return AIM_OK;
}

static bool belongs_to(enum aim_rope_kind kind, const char *key)
{
    static const char *const always[] = {"rope_type", "type", "rope_theta",
                                         "partial_rotary_factor"};
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        if (strcmp(key, always[i]) == 0)
            return true;
    for (int i = 0; kind_keys[kind][i]; i++)
        if (strcmp(key, kind_keys[kind][i]) == 0)
            return true;
    return false;
}

/* A rotary setting always changes results: one that the kind does not have is an
 * error. A factor of 1 says that nothing is scaled. */
static int check_settings(const struct rope_source *s, enum aim_rope_kind kind, aim_error *err)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)s->obj, key, v)
    {
        bool one = strcmp(key, "factor") == 0 && json_number_value(v) == 1;
        if (json_is_null(v) || one || belongs_to(kind, key))
            continue;
        char more[96];
        snprintf(more, sizeof more, " in \"%s\" of type %s", s->name, kind_names[kind]);
        return aim__not_implemented(AIM__CONFIG, key, v, more, err);
    }
    return AIM_OK;
}

/* ---- the settings of a kind ------------------------------------------------------ */

static int read_original_positions(const struct rope_source *s, aim_hf_config *out, aim_error *err)
{
    const char *key = "original_max_position_embeddings";
    int usual = s->family->original_positions;
    double n = usual ? usual : out->max_positions;
    int code = read_twice(s, key, 2, AIM__MAX_POSITIONS, &n, err);
    /* A family with a value of its own goes by the outer field, given or not. */
    if (!code && usual && n != usual && !json_object_get(s->config, key))
        return aim_fail_param(err, AIM_EFORMAT, key,
                              AIM__CONFIG ": \"%s\" is %g in \"%s\", and %d outside by default",
                              key, n, s->name, usual);
    if (!code && n != floor(n))
        return aim_fail_param(err, AIM_EFORMAT, key, AIM__CONFIG ": \"%s\" must be an integer",
                              key);
    out->rope.original_positions = (int)n;
    return code;
}

static int read_llama3(const struct rope_source *s, aim_hf_config *out, aim_error *err)
{
    aim_rope *r = &out->rope;
    int code = aim_json_number(s->obj, "low_freq_factor", 1e-3, 1e6, true, AIM__CONFIG,
                               &r->low_freq_factor, err);
    if (!code)
        code = aim_json_number(s->obj, "high_freq_factor", 1e-3, 1e6, true, AIM__CONFIG,
                               &r->high_freq_factor, err);
    if (!code && r->high_freq_factor <= r->low_freq_factor)
        return aim_fail_param(err, AIM_EFORMAT, "high_freq_factor",
                              AIM__CONFIG ": \"high_freq_factor\" (%g) must be greater than "
                                          "\"low_freq_factor\" (%g)",
                              r->high_freq_factor, r->low_freq_factor);
    return code ? code : read_original_positions(s, out, err);
}

/* A divisor for each frequency. One so small that an angle would leave the range
 * of aim_sin is refused. */
static int read_factors(const struct rope_source *s, const char *key, int positions, int n,
                        float *out, aim_error *err)
{
    const json_t *list = json_object_get(s->obj, key);
    double least = (double)positions / AIM__MAX_POSITIONS;
    if (!json_is_array(list) || json_array_size(list) != (size_t)n)
        return aim_fail_param(err, AIM_EFORMAT, key,
                              AIM__CONFIG ": \"%s\" must be a list of %d numbers", key, n);
    for (int i = 0; i < n; i++) {
        const json_t *v = json_array_get(list, (size_t)i);
        double factor = json_number_value(v);
        if (!json_is_number(v) || !(factor >= least && factor <= 1e6))
            return aim_fail_param(err, AIM_EFORMAT, key,
                                  AIM__CONFIG ": \"%s\": number %d must be between %g and 1e6", key,
                                  i, least);
        out[i] = (float)factor;
    }
    return AIM_OK;
}

/* sqrt(1 + ln(factor) / ln(original length)), where factor is how much longer
 * the context became (Ding et al. 2024, as Phi-3 uses it). */
static double longrope_attention_factor(double factor, int original)
{
    return factor <= 1 ? 1 : sqrt(1 + aim_log(factor) / aim_log(original));
}

static int read_longrope(const struct rope_source *s, aim_hf_config *out, aim_error *err)
{
    aim_rope *r = &out->rope;
    int code = read_original_positions(s, out, err);
    r->n_factors = r->dim / 2;
    if (!code)
        code =
            read_factors(s, "short_factor", out->max_positions, r->n_factors, r->short_factor, err);
    if (!code)
        code =
            read_factors(s, "long_factor", out->max_positions, r->n_factors, r->long_factor, err);
    if (code)
        return code;
    if (r->factor == 0)
        r->factor = (double)out->max_positions / r->original_positions;
    r->attention_factor = longrope_attention_factor(r->factor, r->original_positions);
    return aim_json_number(s->obj, "attention_factor", 1e-3, 1e3, false, AIM__CONFIG,
                           &r->attention_factor, err);
}

static int read_by_kind(const struct rope_source *s, aim_hf_config *out, aim_error *err)
{
    enum aim_rope_kind kind = out->rope.kind;
    bool required = kind == AIM_ROPE_LINEAR || kind == AIM_ROPE_LLAMA3;
    int code = check_settings(s, kind, err);
    if (!code && kind != AIM_ROPE_DEFAULT)
        code = aim_json_number(s->obj, "factor", 1, 1e6, required, AIM__CONFIG, &out->rope.factor,
                               err);
    if (code)
        return code;
    if (kind == AIM_ROPE_LLAMA3)
        return read_llama3(s, out, err);
    return kind == AIM_ROPE_LONGROPE ? read_longrope(s, out, err) : AIM_OK;
}

/* ---- all of it --------------------------------------------------------------------- */

/* The share of a head that is rotated. */
static int read_dim(const struct rope_source *s, aim_hf_config *out, aim_error *err)
{
    const char *key = "partial_rotary_factor";
    double share = 1;
    int code = read_twice(s, key, 0, 1, &share, err);
    if (code)
        return code;
    if (share != 1 && !s->family->partial_rotary) {
        const json_t *inner = json_object_get(s->obj, key);
        return aim__not_implemented(AIM__CONFIG, key,
                                    inner ? inner : json_object_get(s->config, key),
                                    " for this architecture", err);
    }
    out->rope.dim = (int)(out->head_dim * share);
    if (out->rope.dim < 2 || out->rope.dim % 2 != 0)
        return aim_fail_param(err, AIM_EFORMAT, key,
                              AIM__CONFIG ": \"%s\" %g of head_dim %d is not an even number", key,
                              share, out->head_dim);
    return AIM_OK;
}

static bool is_given(const json_t *v)
{
    return v && !json_is_null(v) && !(json_is_object(v) && json_object_size(v) == 0);
}

/* The object with the settings, under one of its two names. */
static int find_object(struct rope_source *s, aim_error *err)
{
    const json_t *older = json_object_get(s->config, "rope_scaling");
    const json_t *newer = json_object_get(s->config, "rope_parameters");
    if (is_given(older) && is_given(newer) && !json_equal(older, newer))
        return aim_fail_param(err, AIM_EFORMAT, "rope_parameters",
                              AIM__CONFIG ": \"rope_scaling\" and \"rope_parameters\" differ");
    s->name = is_given(older) ? "rope_scaling" : "rope_parameters";
    const json_t *v = json_object_get(s->config, s->name);
    if (!is_given(v))
        return AIM_OK;
    if (!json_is_object(v))
        return aim__not_implemented(AIM__CONFIG, s->name, v, "", err);
    s->obj = v;
    return AIM_OK;
}

int aim__read_rope(const json_t *config, const aim__family *f, aim_hf_config *out, aim_error *err)
{
    struct rope_source s = {.config = config, .family = f};
    out->rope = (aim_rope){.theta = 10000.0, .attention_factor = 1};
    int code = find_object(&s, err);
    if (!code)
        code = read_twice(&s, "rope_theta", 1, 1e12, &out->rope.theta, err);
    if (!code)
        code = read_dim(&s, out, err);
    if (!code)
        code = read_kind(&s, &out->rope, err);
    return code ? code : read_by_kind(&s, out, err);
}
