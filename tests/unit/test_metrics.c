/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics page: what is counted, how it is written. */
#include "server/metrics.h"

#include "base/alloc.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static aimd_metrics *m;
static aim_buf page;

static void setup(void)
{
    m = aimd_metrics_new();
    ck_assert_ptr_nonnull(m);
}

static void teardown(void)
{
    aimd_metrics_free(m);
    aim_buf_free(&page);
}

static void write_page(const aimd_model_stats *models, int n)
{
    aim_buf_clear(&page);
    aimd_metrics_write(m, models, n, &page);
    ck_assert(!page.failed);
}

/* Is this a whole line of the page? */
static bool has_line(const char *line)
{
    size_t len = strlen(line);
    for (const char *at = page.data; (at = strstr(at, line)); at += len)
        if ((at == page.data || at[-1] == '\n') && at[len] == '\n')
            return true;
    return false;
}

#define ASSERT_LINE(line) ck_assert_msg(has_line(line), "no line: %s\n%s", line, page.data)
#define ASSERT_NO(text) ck_assert_ptr_null(strstr(page.data, text))

START_TEST(counters_add_up_by_labels)
{
    aimd_count(m, AIMD_M_REQUEST_SUCCESS, "a", "stop", 1);
    aimd_count(m, AIMD_M_REQUEST_SUCCESS, "a", "stop", 2);
    aimd_count(m, AIMD_M_REQUEST_SUCCESS, "b", "length", 5);
    aimd_count(m, AIMD_M_CANCELLED, NULL, NULL, 1);
    aimd_count(m, AIMD_M_HTTP_REQUESTS, NULL, "handler=\"/x\",method=\"GET\",status=\"200\"", 4);
    write_page(NULL, 0);
    ASSERT_LINE("# TYPE analogd_request_success_total counter");
    ASSERT_LINE("analogd_request_success_total{model_name=\"a\",finished_reason=\"stop\"} 3");
    ASSERT_LINE("analogd_request_success_total{model_name=\"b\",finished_reason=\"length\"} 5");
    ASSERT_LINE("analogd_cancelled_total 1");
    ASSERT_LINE("analogd_http_requests_total{handler=\"/x\",method=\"GET\",status=\"200\"} 4");
}
END_TEST

START_TEST(gauges_keep_the_last_value)
{
    aimd_gauge(m, AIMD_M_HTTP_CONNECTIONS, NULL, 3);
    aimd_gauge(m, AIMD_M_HTTP_CONNECTIONS, NULL, 2);
    aimd_gauge(m, AIMD_M_LOAD_SECONDS, "a", 0.25);
    write_page(NULL, 0);
    ASSERT_LINE("# TYPE analogd_http_connections gauge");
    ASSERT_LINE("analogd_http_connections 2");
    ASSERT_LINE("analogd_model_load_seconds{model_name=\"a\"} 0.25");
}
END_TEST

START_TEST(histogram_buckets_are_cumulative)
{
    /* On a bound counts as below it; above all bounds counts in +Inf alone. */
    static const double values[] = {1, 2, 3, 20, 21};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        aimd_observe(m, AIMD_M_REQUEST_N, "a", values[i]);
    write_page(NULL, 0);
    ASSERT_LINE("# TYPE analogd_request_params_n histogram");
    ASSERT_LINE("analogd_request_params_n_bucket{model_name=\"a\",le=\"1\"} 1");
    ASSERT_LINE("analogd_request_params_n_bucket{model_name=\"a\",le=\"2\"} 2");
    ASSERT_LINE("analogd_request_params_n_bucket{model_name=\"a\",le=\"5\"} 3");
    ASSERT_LINE("analogd_request_params_n_bucket{model_name=\"a\",le=\"10\"} 3");
    ASSERT_LINE("analogd_request_params_n_bucket{model_name=\"a\",le=\"20\"} 4");
    ASSERT_LINE("analogd_request_params_n_bucket{model_name=\"a\",le=\"+Inf\"} 5");
    ASSERT_LINE("analogd_request_params_n_sum{model_name=\"a\"} 47");
    ASSERT_LINE("analogd_request_params_n_count{model_name=\"a\"} 5");
}
END_TEST

START_TEST(histogram_without_model_has_no_stray_comma)
{
    aimd_observe_label(m, AIMD_M_HTTP_DURATION, NULL, "/x", 0.2);
    write_page(NULL, 0);
    ASSERT_LINE("analogd_http_request_duration_seconds_bucket{handler=\"/x\",le=\"0.25\"} 1");
    ASSERT_LINE("analogd_http_request_duration_seconds_sum{handler=\"/x\"} 0.2");
    ASSERT_NO("{,");
    ASSERT_NO("{}");
}
END_TEST

START_TEST(a_model_shows_at_zero)
{
    aimd_metrics_add_model(m, "a");
    write_page(NULL, 0);
    ASSERT_LINE("analogd_generation_tokens_total{model_name=\"a\"} 0");
    ASSERT_LINE("analogd_time_to_first_token_seconds_bucket{model_name=\"a\",le=\"0.001\"} 0");
    ASSERT_LINE("analogd_time_to_first_token_seconds_bucket{model_name=\"a\",le=\"2560\"} 0");
    ASSERT_NO("finished_reason"); /* no reason is known yet */
}
END_TEST

START_TEST(engine_figures_are_read)
{
    aimd_model_stats models[2] = {{.model = "a"}, {.model = "b"}};
    aim_engine_stats *s = &models[0].stats;
    s->running = 3;
    s->waiting = 2;
    s->kv_total = 8;
    s->kv_held = 2;
    s->prefix_hits = 1ull << 40;
    s->steps = 6;
    s->step_rows[0] = 1;  /* 1 row */
    s->step_rows[2] = 2;  /* 3 or 4 rows: vLLM's bound above is 8 */
    s->step_rows[15] = 3; /* above 16384 */
    s->step_rows_sum = 90000;
    write_page(models, 2);
    ASSERT_LINE("analogd_num_requests_running{model_name=\"a\"} 3");
    ASSERT_LINE("analogd_num_requests_running{model_name=\"b\"} 0");
    ASSERT_LINE("analogd_num_requests_waiting{model_name=\"a\"} 2");
    ASSERT_LINE("analogd_kv_cache_usage_perc{model_name=\"a\"} 0.25");
    ASSERT_LINE("analogd_kv_cache_usage_perc{model_name=\"b\"} 0");
    ASSERT_LINE("analogd_prefix_cache_hits_total{model_name=\"a\"} 1099511627776");
    ASSERT_LINE("analogd_iteration_tokens_total_bucket{model_name=\"a\",le=\"1\"} 1");
    ASSERT_LINE("analogd_iteration_tokens_total_bucket{model_name=\"a\",le=\"8\"} 3");
    ASSERT_LINE("analogd_iteration_tokens_total_bucket{model_name=\"a\",le=\"16384\"} 3");
    ASSERT_LINE("analogd_iteration_tokens_total_bucket{model_name=\"a\",le=\"+Inf\"} 6");
    ASSERT_LINE("analogd_iteration_tokens_total_sum{model_name=\"a\"} 90000");
}
END_TEST

START_TEST(chips_tell_what_they_took)
{
    aim_chip chip = {.seed = 9007199254740992, .age = 86400};
    strcpy(chip.profile.name, "pcm-hermes");
    chip.profile.conductance_bits = 16;
    aimd_model_stats models[2] = {{.model = "twin"}, {.model = "twin@a"}};
    models[1].chip = &chip;
    models[1].cost = (aim_chip_cost){12, 1ull << 40, 345, 0.125, 2.5};
    write_page(models, 2);
    ASSERT_LINE("# TYPE analogd_chip_tile_mvms_total counter");
    ASSERT_LINE("analogd_chip_tile_mvms_total{model_name=\"twin@a\"} 12");
    ASSERT_LINE("analogd_chip_dac_conversions_total{model_name=\"twin@a\"} 1099511627776");
    ASSERT_LINE("analogd_chip_adc_conversions_total{model_name=\"twin@a\"} 345");
    ASSERT_LINE("analogd_chip_energy_joules_total{model_name=\"twin@a\"} 0.125");
    ASSERT_LINE("analogd_chip_busy_seconds_total{model_name=\"twin@a\"} 2.5");
    ASSERT_LINE("analogd_chip_age_seconds{model_name=\"twin@a\"} 86400");
    ASSERT_LINE("analogd_chip_info{model_name=\"twin@a\",profile=\"pcm-hermes\","
                "seed=\"9007199254740992\",conductance_bits=\"16\"} 1");
    ASSERT_NO("chip_energy_joules_total{model_name=\"twin\"}"); /* digital */
    ASSERT_NO("chip_info{model_name=\"twin\"");
    ASSERT_LINE("analogd_num_requests_running{model_name=\"twin\"} 0");
}
END_TEST

START_TEST(chips_are_counted_by_state)
{
    aimd_gauge_label(m, AIMD_M_CHIPS, NULL, "ready", 2);
    aimd_gauge_label(m, AIMD_M_CHIPS, NULL, "programming", 1);
    aimd_gauge_label(m, AIMD_M_CHIPS, NULL, "programming", 0);
    aimd_observe_label(m, AIMD_M_CHIP_OPERATION, NULL, "program", 3);
    write_page(NULL, 0);
    ASSERT_LINE("analogd_chips{state=\"ready\"} 2");
    ASSERT_LINE("analogd_chips{state=\"programming\"} 0");
    ASSERT_LINE("analogd_chip_operation_seconds_bucket{operation=\"program\",le=\"2.5\"} 0");
    ASSERT_LINE("analogd_chip_operation_seconds_bucket{operation=\"program\",le=\"5\"} 1");
}
END_TEST

START_TEST(a_model_that_is_gone_is_forgotten)
{
    static const char *const ids[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++) {
        aimd_metrics_add_model(m, ids[i]);
        aimd_count(m, AIMD_M_REQUEST_SUCCESS, ids[i], "stop", i + 1);
        aimd_count(m, AIMD_M_REQUEST_SUCCESS, ids[i], "length", 7);
    }
    aimd_count(m, AIMD_M_REJECTED, NULL, "b", 1); /* a label of that name is no model */
    aimd_metrics_remove_model(m, "b");
    aimd_metrics_remove_model(m, "never");
    write_page(NULL, 0);
    ASSERT_NO("model_name=\"b\"");
    ASSERT_LINE("analogd_rejected_total{reason=\"b\"} 1");
    ASSERT_LINE("analogd_request_success_total{model_name=\"a\",finished_reason=\"stop\"} 1");
    ASSERT_LINE("analogd_request_success_total{model_name=\"c\",finished_reason=\"stop\"} 3");
    aimd_metrics_add_model(m, "b"); /* and starts anew when it comes back */
    write_page(NULL, 0);
    ASSERT_LINE("analogd_generation_tokens_total{model_name=\"b\"} 0");
    ASSERT_NO("model_name=\"b\",finished_reason");
}
END_TEST

START_TEST(labels_are_escaped)
{
    aimd_model_stats one = {.model = "q\"b\\n\nx"};
    aimd_count(m, AIMD_M_PROMPT_TOKENS, one.model, NULL, 1);
    write_page(&one, 1);
    ASSERT_LINE("analogd_prompt_tokens_total{model_name=\"q\\\"b\\\\n\\nx\"} 1");
    ASSERT_LINE("analogd_num_requests_running{model_name=\"q\\\"b\\\\n\\nx\"} 0");
}
END_TEST

static double value_of(const char *name)
{
    const char *at = page.data;
    size_t len = strlen(name);
    while ((at = strstr(at, name)) && !(at[-1] == '\n' && at[len] == ' '))
        at += len;
    ck_assert_msg(at != NULL, "no sample of %s", name);
    return strtod(at + len, NULL);
}

START_TEST(process_figures_are_there)
{
    write_page(NULL, 0);
    ck_assert_double_gt(value_of("process_resident_memory_bytes"), 1e5);
    ck_assert_double_gt(value_of("process_virtual_memory_bytes"),
                        value_of("process_resident_memory_bytes"));
    ck_assert_double_ge(value_of("process_open_fds"), 1);
    ck_assert_double_lt(value_of("process_open_fds"), value_of("process_max_fds"));
    ck_assert_double_gt(value_of("process_start_time_seconds"), 1.6e9);
}
END_TEST

/* Every sample must follow its own TYPE line, and no metric may come twice. */
START_TEST(page_is_well_formed)
{
    char family[128] = "";
    aimd_model_stats one = {.model = "a"};
    aimd_metrics_add_model(m, "a");
    write_page(&one, 1);
    for (char *line = page.data, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        ck_assert_ptr_nonnull(end); /* the last line ends too */
        if (strncmp(line, "# TYPE ", 7) == 0) {
            size_t len = strcspn(line + 7, " ");
            snprintf(family, sizeof family, "%.*s", (int)len, line + 7);
            char again[160];
            snprintf(again, sizeof again, "\n# TYPE %s ", family);
            ck_assert_ptr_null(strstr(end, again));
        } else if (*line != '#') {
            ck_assert_int_eq(strncmp(line, family, strlen(family)), 0);
        }
    }
}
END_TEST

START_TEST(without_memory_samples_are_dropped)
{
    for (long n = 0; n < 8; n++) {
        aim_alloc_fail_after(n);
        aimd_count(m, AIMD_M_REJECTED, NULL, "queue_full", 1);
        aimd_observe(m, AIMD_M_TTFT, "a", 1);
        aim_alloc_fail_after(-1);
    }
    write_page(NULL, 0);
    ASSERT_LINE("# TYPE analogd_rejected_total counter");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tc = tcase_create("page");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, counters_add_up_by_labels);
    tcase_add_test(tc, gauges_keep_the_last_value);
    tcase_add_test(tc, histogram_buckets_are_cumulative);
    tcase_add_test(tc, histogram_without_model_has_no_stray_comma);
    tcase_add_test(tc, a_model_shows_at_zero);
    tcase_add_test(tc, engine_figures_are_read);
    tcase_add_test(tc, chips_tell_what_they_took);
    tcase_add_test(tc, chips_are_counted_by_state);
    tcase_add_test(tc, a_model_that_is_gone_is_forgotten);
    tcase_add_test(tc, labels_are_escaped);
    tcase_add_test(tc, process_figures_are_there);
    tcase_add_test(tc, page_is_well_formed);
    tcase_add_test(tc, without_memory_samples_are_dropped);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
