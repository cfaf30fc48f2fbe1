/* SPDX-License-Identifier: Apache-2.0 */
/* Answers: one is a part of its text, and the canonical form of a form is that form. Up to
 * the first line end the input is a pattern, if it compiles; the rest is the text. No pattern takes
 * more work than it may. */
#include "config.h" /* memmem */

#include "tests/fuzz/fuzz.h"

#include "base/alloc.h"
#include "text/answer_internal.h"

#include <string.h>

static void check_form(const char *answer, size_t len)
{
    aim_buf once = AIM_BUF_INIT, twice = AIM_BUF_INIT;
    aim_answer_canonical(answer, len, &once);
    aim_answer_canonical(once.data, once.len, &twice);
    FUZZ_EXPECT(!once.failed && !twice.failed);
    FUZZ_EXPECT(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    FUZZ_EXPECT(len == 0 || once.len > 0);
    aim_buf_free(&once);
    aim_buf_free(&twice);
}

static void check_extraction(const char *text, size_t len, const aim_answer_pattern *p)
{
    aim_buf answer = AIM_BUF_INIT;
    bool any = aim_answer_extract(text, len, p, &answer);
    FUZZ_EXPECT(!answer.failed && any == (answer.len > 0) && answer.len <= AIM_MAX_ANSWER);
    if (any) {
        FUZZ_EXPECT(memmem(text, len, answer.data, answer.len) != NULL);
        check_form(answer.data, answer.len);
    }
    aim_buf_free(&answer);
}

/* Whatever the pattern, the work is counted, and ends where it gives up. */
static void check_work(const char *text, size_t len, const aim_answer_pattern *p)
{
    if (len == 0)
        return;
    struct aim__answer_match m = aim__answer_match(p, (struct aim__slice){text, len});
    FUZZ_EXPECT(!m.no_memory && m.work <= AIM__ANSWER_WORK);
    FUZZ_EXPECT(!m.any || !m.gave_up);
}

/* The same over and over, behind a letter that is not there: ways that all fail. */
static void check_repeated(const char *pattern, size_t n, const char *text, size_t len)
{
    aim_error err = {0};
    aim_buf many = AIM_BUF_INIT;
    aim_buf_puts(&many, "(?:y");
    while (many.len + n + 2 <= AIM_MAX_ANSWER_PATTERN) {
        aim_buf_puts(&many, "|");
        aim_buf_append(&many, pattern, n);
    }
    aim_buf_puts(&many, ")");
    aim_answer_pattern *p = aim_answer_pattern_new(many.data, many.len, &err);
    if (p)
        check_work(text, len, p);
    aim_answer_pattern_free(p);
    aim_buf_free(&many);
}

static void check_pattern(const char *pattern, size_t n, const char *text, size_t len)
{
    aim_error err = {0};
    aim_answer_pattern *p = aim_answer_pattern_new(pattern, n, &err);
    FUZZ_EXPECT((p != NULL) == (err.code == AIM_OK) && (p || err.text[0]));
    if (p) {
        check_extraction(text, len, p);
        check_work(text, len, p);
        check_repeated(pattern, n, text, len);
    }
    aim_answer_pattern_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = aim_malloc(size), *rest;
    FUZZ_EXPECT(text);
    if (size > 0)
        memcpy(text, data, size);
    check_form(text, size);
    check_extraction(text, size, NULL);
    rest = size > 0 ? memchr(text, '\n', size) : NULL;
    if (rest)
        check_pattern(text, (size_t)(rest - text), rest + 1, size - (size_t)(rest + 1 - text));
    aim_free(text);
    return 0;
}
