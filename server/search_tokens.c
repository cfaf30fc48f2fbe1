/* SPDX-License-Identifier: Apache-2.0 */
/* How many tokens all candidates of a request may have together. */
#include "server/search_request.h"

#include "server/request.h"

int64_t aimd_search_token_room(const aimd_scope *scope, const aimd_request *r)
{
    const aimd_search_request *s = &r->search;
    int64_t most = scope->options->max_total_tokens, each = INT64_MAX;
    if (!s->on)
        return each;
    if (s->budget == 0 && most > 0)
        each = most / ((int64_t)r->n_prompts * s->best_of);
    else if (s->budget > 0 && s->kind == AIM_SEARCH_BEST_OF_N)
        each = s->budget / r->params.n;
    return each > 1 ? each : 1;
}

/* Far from overflow: prompts < 2^17, best_of <= 2^10, max_tokens < 2^31. */
static int64_t total_tokens(const aimd_request *r)
{
    int64_t sum = 0;
    for (size_t i = 0; i < r->n_prompts; i++) {
        int64_t all = (int64_t)r->search.best_of * r->prompts[i].max_tokens;
        sum += r->search.budget > 0 && r->search.budget < all ? r->search.budget : all;
    }
    return sum;
}

int aimd_search_check_tokens(const aimd_scope *scope, const aimd_request *r, aim_error *err)
{
    int64_t most = scope->options->max_total_tokens;
    bool asked = r->params.best_of != AIMD_UNSET || r->search.best_of == r->params.n;
    if (!r->search.on || most == 0 || total_tokens(r) <= most)
        return AIM_OK;
    return aim_fail_param(err, AIM_EINVAL, "best_of",
                          "best_of%s: %zu prompts with %d candidates could have %lld tokens, at "
                          "most %lld are allowed: %s, send fewer prompts, lower max_tokens, or "
                          "give max_total_tokens",
                          asked ? "" : " is the model's default", r->n_prompts, r->search.best_of,
                          (long long)total_tokens(r), (long long)most,
                          asked ? "lower best_of" : "give a lower best_of (1: no choice is made)");
}
