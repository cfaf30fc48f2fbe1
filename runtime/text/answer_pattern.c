/* SPDX-License-Identifier: Apache-2.0 */
#include "text/answer_internal.h"

#include "base/alloc.h"
#include "text/pattern_code.h"
#include "text/utf8.h"

#include <string.h>

/* The same pattern and text must give the same answer on every machine at any load, so
 * no clock ends a search. What it costs is counted instead, at the callouts which stand
 * before every item of the pattern: so much for the callout, and one for each byte that
 * the place in the text has moved by since the last one. */
enum {
    COST_OF_CALLOUT = 16,
    COST_PER_BYTE = 256, /* of the text, that any search may spend */
    COST_AT_LEAST = 1 << 20,
    MATCH_LIMIT = 1000000,
    DEPTH_LIMIT = 1000000,  /* in heap frames: the next limit binds first */
    HEAP_LIMIT = 16 * 1024, /* KiB */
};

struct aim_answer_pattern {
    struct aim__pattern_code compiled;
};

/* ---- compiling ---------------------------------------------------------------- */

#define OPTIONS (PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_AUTO_CALLOUT)

static int compile(aim_answer_pattern *p, const char *pattern, size_t len, aim_error *err)
{
    static const struct aim__pattern_limits limits = {MATCH_LIMIT, DEPTH_LIMIT, HEAP_LIMIT};
    struct aim__pattern_fault fault;
    int code = aim__pattern_code_init(&p->compiled, pattern, len, OPTIONS, limits, "answer_pattern",
                                      &fault, err);
    if (code == AIM_EFORMAT)
        return aim_fail_param(err, AIM_EINVAL, "answer_pattern",
                              "answer_pattern does not compile, at byte %zu: %s", fault.offset,
                              fault.reason);
    return code;
}

aim_answer_pattern *aim_answer_pattern_new(const char *pattern, size_t len, aim_error *err)
{
    if (len == 0 || len > AIM_MAX_ANSWER_PATTERN) {
        aim_fail_param(err, AIM_EINVAL, "answer_pattern",
                       "answer_pattern has %zu bytes; it must have 1 to %d", len,
                       AIM_MAX_ANSWER_PATTERN);
        return NULL;
    }
    aim_answer_pattern *p = aim_calloc(1, sizeof *p);
    if (!p) {
        aim_fail_nomem(err, "answer_pattern");
        return NULL;
    }
    if (compile(p, pattern, len, err)) {
        aim_answer_pattern_free(p);
        return NULL;
    }
    return p;
}

void aim_answer_pattern_free(aim_answer_pattern *p)
{
    if (!p)
        return;
    aim__pattern_code_fini(&p->compiled);
    aim_free(p);
}

/* ---- matching ----------------------------------------------------------------- */

struct search {
    const pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *limits;
    const char *text;
    size_t len;
    uint64_t budget; /* of COST, what is left */
    size_t place;    /* in the text, at the last callout */
    bool no_memory;
};

/* PCRE2 calls this before every item; not 0 ends the match with that code. */
static int charge(pcre2_callout_block *block, void *arg)
{
    struct search *s = arg;
    size_t now = block->current_position;
    uint64_t cost = COST_OF_CALLOUT + (now > s->place ? now - s->place : s->place - now);
    s->place = now;
    if (cost > s->budget)
        return PCRE2_ERROR_MATCHLIMIT;
    s->budget -= cost;
    return 0;
}

/* The stretch that the match means: its first group if that took part in it. */
static struct aim__slice meant(const struct search *s, int n_set)
{
    const PCRE2_SIZE *place = pcre2_get_ovector_pointer(s->data);
    bool grouped = n_set > 1 && place[2] != PCRE2_UNSET;
    size_t start = place[grouped ? 2 : 0], end = place[grouped ? 3 : 1];
    return (struct aim__slice){s->text + start, end > start ? end - start : 0};
}

/* Where to go on behind the match: forward by a character at least. */
static size_t next_place(const struct search *s, size_t from)
{
    size_t end = pcre2_get_ovector_pointer(s->data)[1];
    return end > from ? end : from + aim_utf8_length((unsigned char)s->text[from]);
}

/* The last match. Work may grow with the square of the text until the budget ends it. */
static bool last_match(struct search *s, struct aim__slice *found)
{
    bool any = false;
    size_t from = 0;
    while (from < s->len) {
        int n_set = pcre2_match(s->code, (PCRE2_SPTR)s->text, s->len, from,
                                PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, s->data, s->limits);
        if (n_set == PCRE2_ERROR_NOMATCH)
            return any;
        if (n_set < 0) {
            s->no_memory = n_set == PCRE2_ERROR_NOMEMORY;
            return false;
        }
        *found = meant(s, n_set);
        any = true;
        from = next_place(s, from);
    }
    return any;
}

static bool search(const aim_answer_pattern *p, struct aim__slice text, struct aim__slice *found,
                   bool *no_memory)
{
    struct search s = {
        .code = p->compiled.code,
        .data = pcre2_match_data_create(2, p->compiled.memory),
        .limits = pcre2_match_context_copy(p->compiled.limits),
        .text = text.s,
        .len = text.len,
        .budget = COST_AT_LEAST + (uint64_t)COST_PER_BYTE * text.len,
    };
    bool any = false;
    if (s.data && s.limits) {
        pcre2_set_callout(s.limits, charge, &s);
        any = last_match(&s, found);
    }
    *no_memory = !s.data || !s.limits || s.no_memory;
    pcre2_match_data_free(s.data);
    pcre2_match_context_free(s.limits);
    return any;
}

/* A copy in which every byte that is not part of a character is a SUB: PCRE2 wants
 * well-formed text, and places stay what they are. */
static char *mend(struct aim__slice text)
{
    size_t at = 0;
    char *copy = aim_malloc(text.len);
    if (!copy)
        return NULL;
    memcpy(copy, text.s, text.len);
    while ((at += aim__utf8_check(copy + at, text.len - at)) < text.len)
        copy[at++] = '\x1a';
    return copy;
}

bool aim__answer_match(const aim_answer_pattern *p, struct aim__slice text,
                       struct aim__slice *found, bool *no_memory)
{
    if (aim__utf8_check(text.s, text.len) == text.len)
        return search(p, text, found, no_memory);
    char *copy = mend(text);
    *no_memory = !copy;
    bool any = copy && search(p, (struct aim__slice){copy, text.len}, found, no_memory);
    if (any)
        found->s = text.s + (found->s - copy);
    aim_free(copy);
    return any;
}
