/* SPDX-License-Identifier: Apache-2.0 */
/* The field early_stop: which of its tests are asked for, and in what rounds. */
#include "server/search_request.h"

#include "server/request.h"

#include <math.h>

/* Candidates begun together where ends are waited for: of candidates that are all begun at
 * once the first ends hardly before the last, and nothing is saved. */
enum { DEFAULT_WAVE = 4 };

/* *vote: the probability that ends the search, 0: none does. */
static int read_vote(const json_t *v, double *vote, aim_error *err)
{
    double p = json_is_true(v) ? 1 : json_is_number(v) ? json_number_value(v) : 0;
    *vote = 0;
    if (!v || json_is_null(v) || json_is_false(v))
        return AIM_OK;
    if (!(p > 0.5 && p <= 1))
        return aimd__bad_field("early_stop.vote",
                               "must be true, false or a number above 0.5, at most 1", err);
    *vote = p;
    return AIM_OK;
}

static int default_wave(const aim_early_stop *early)
{
    return early->vote > 0 || early->has_score ? DEFAULT_WAVE : 0;
}

bool aimd__search_stops_early(const aim_early_stop *early)
{
    return early->vote > 0 || early->has_score || early->reject > 0;
}

int aimd__search_read_early_stop(const json_t *body, const aimd_params *p, aim_early_stop *out,
                                 aim_error *err)
{
    const json_t *v = json_object_get(body, "early_stop");
    aim_early_stop early = {.every = (int)p->early_every, .reject = p->early_reject};
    *out = (aim_early_stop){0};
    if (!v || json_is_null(v) || json_is_false(v))
        return AIM_OK;
    if (!json_is_true(v) && !json_is_object(v))
        return aimd__bad_field("early_stop", "must be true, false or an object", err);
    if (early.reject >= 1)
        return aimd__bad_field("early_stop.reject", "must be below 1", err);
    early.has_score = !isnan(p->early_score);
    early.score = early.has_score ? p->early_score : 0;
    if (read_vote(json_is_true(v) ? v : json_object_get(v, "vote"), &early.vote, err))
        return (int)err->code;
    early.wave = p->early_wave != AIMD_UNSET ? (int)p->early_wave : default_wave(&early);
    if (aimd__search_stops_early(&early))
        *out = early;
    return AIM_OK;
}
