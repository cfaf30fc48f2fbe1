/* SPDX-License-Identifier: Apache-2.0 */
#include "text/pattern_code.h"

#include "base/alloc.h"

static void *pattern_malloc(size_t size, void *unused)
{
    (void)unused;
    return aim_malloc(size);
}

static void pattern_free(void *p, void *unused)
{
    (void)unused;
    aim_free(p);
}

static int compile(struct aim__pattern_code *c, const char *pattern, size_t len, uint32_t options,
                   const char *what, struct aim__pattern_fault *fault, aim_error *err)
{
    int number;
    pcre2_compile_context *context = pcre2_compile_context_create(c->memory);
    if (!context)
        return aim_fail_nomem(err, what);
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    c->code = pcre2_compile((PCRE2_SPTR)pattern, len, options, &number, &fault->offset, context);
    pcre2_compile_context_free(context);
    if (c->code)
        return AIM_OK;
    if (number == PCRE2_ERROR_HEAP_FAILED)
        return aim_fail_nomem(err, what);
    pcre2_get_error_message(number, (PCRE2_UCHAR *)fault->reason, sizeof fault->reason);
    return AIM_EFORMAT;
}

int aim__pattern_code_init(struct aim__pattern_code *c, const char *pattern, size_t len,
                           uint32_t options, struct aim__pattern_limits limits, const char *what,
                           struct aim__pattern_fault *fault, aim_error *err)
{
    c->memory = pcre2_general_context_create(pattern_malloc, pattern_free, NULL);
    if (c->memory)
        c->limits = pcre2_match_context_create(c->memory);
    if (!c->limits)
        return aim_fail_nomem(err, what);
    pcre2_set_match_limit(c->limits, limits.steps);
    pcre2_set_depth_limit(c->limits, limits.depth);
    pcre2_set_heap_limit(c->limits, limits.heap_kib);
    return compile(c, pattern, len, options, what, fault, err);
}

void aim__pattern_code_fini(struct aim__pattern_code *c)
{
    pcre2_code_free(c->code);
    pcre2_match_context_free(c->limits);
    pcre2_general_context_free(c->memory);
}
