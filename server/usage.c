/* SPDX-License-Identifier: Apache-2.0 */
#include "server/usage.h"

void aimd_usage_add_prompt(aimd_usage *u, int64_t tokens, int64_t cached_tokens, bool scored,
                           bool answered)
{
    uint64_t rows = (uint64_t)(tokens - cached_tokens);
    u->cached_tokens += cached_tokens;
    u->rows += rows;
    u->head_rows += (scored ? rows - 1 : 0) + answered;
}

void aimd_usage_add_scored(aimd_usage *u, int64_t tokens, int64_t cached_tokens, int n_scores)
{
    u->cached_tokens += cached_tokens;
    u->rows += (uint64_t)(tokens - cached_tokens);
    u->head_rows += (uint64_t)n_scores;
}

void aimd_usage_add_token(aimd_usage *u, bool first_of_choice)
{
    u->completion_tokens++;
    u->rows += !first_of_choice;
    u->head_rows += !first_of_choice;
}

void aimd_usage_go_on(aimd_usage *u)
{
    u->rows++;
    u->head_rows++;
}

aimd_chip_rates aimd_chip_rates_of(const aim_decoder *d)
{
    return (aimd_chip_rates){.on_chip = aim_decoder_backend(d)->analog,
                             .row = aim_decoder_chip_cost(d, 1, 0),
                             .head_row = aim_decoder_chip_cost(d, 0, 1)};
}

aim_chip_cost aimd_usage_chip_cost(const aimd_usage *u, const aimd_chip_rates *rates)
{
    aim_chip_cost sum = {0};
    aim_chip_cost_add(&sum, &rates->row, u->rows);
    aim_chip_cost_add(&sum, &rates->head_row, u->head_rows);
    return sum;
}

/* Ten digits: the figures behind them are estimates. */
static void write_chip_cost(aim_buf *out, const aim_chip_cost *c)
{
    aim_buf_printf(out,
                   ",\"aimc\":{\"tile_mvms\":%llu,\"dac_conversions\":%llu,"
                   "\"adc_conversions\":%llu,\"energy_joule\":%.10g,\"latency_seconds\":%.10g,"
                   "\"estimate\":true}",
                   (unsigned long long)c->mvms, (unsigned long long)c->dac_conversions,
                   (unsigned long long)c->adc_conversions, c->joule, c->seconds);
}

void aimd_write_usage(aim_buf *out, const aimd_usage *u, const aimd_chip_rates *rates)
{
    aim_buf_printf(out,
                   "{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,\"total_tokens\":%lld,"
                   "\"prompt_tokens_details\":{\"cached_tokens\":%lld}",
                   (long long)u->prompt_tokens, (long long)u->completion_tokens,
                   (long long)(u->prompt_tokens + u->completion_tokens),
                   (long long)u->cached_tokens);
    if (u->with_rewards)
        aim_buf_printf(out, ",\"reward_tokens\":%lld", (long long)u->reward_tokens);
    if (rates->on_chip) {
        aim_chip_cost cost = aimd_usage_chip_cost(u, rates);
        write_chip_cost(out, &cost);
    }
    aim_buf_puts(out, "}");
}
