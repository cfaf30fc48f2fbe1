/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h" /* memmem */

#include "text/answer_internal.h"

#include "base/alloc.h"
#include "text/answer_bytes.h"
#include "text/pattern_code.h"
#include "text/utf8.h"

#include <string.h>

/* The same pattern and text must give the same answer on every machine at any load, so
 * no clock ends a search. What it costs is counted instead, at the callouts which stand
 * before every item of the pattern. Each pays for itself, for the bytes that the place in
 * the text has moved by since the last one, and in advance for what its item may read
 * without moving: a fixed repeat or a back reference that fails leaves no other trace. One
 * unit takes some 5 ns at most. */
enum {
    COST_OF_MATCH = 64,
    COST_OF_CALLOUT = 32,
    FRAME_BYTES_PER_UNIT = 32, /* of the captures, which each step copies */
    CLASS_BYTES_PER_UNIT = 2,  /* of the longest item, which each character may go through */
    MAX_REPEAT = 65535,        /* as PCRE2 has it */
    LONGEST_CHARACTER = 4,     /* bytes of UTF-8 */
    MATCH_LIMIT = 1000000,
    DEPTH_LIMIT = 1000000,  /* in heap frames: the next limit binds first */
    HEAP_LIMIT = 16 * 1024, /* KiB */
};

struct aim_answer_pattern {
    struct aim__pattern_code compiled;
    char *text;               /* the pattern as it was given */
    uint64_t cost_of_callout; /* what each item pays at least */
    uint64_t cost_of_byte;    /* of text, that is read */
    bool refers_back;
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

/* Items are as long as what stands in the pattern for them. */
static int find_longest(pcre2_callout_enumerate_block *item, void *arg)
{
    size_t *longest = arg;
    if (item->next_item_length > *longest)
        *longest = item->next_item_length;
    return 0;
}

/* Each alternative of a look-behind goes back before its first callout. */
static uint64_t cost_of_looking_behind(const pcre2_code *code, const char *pattern, size_t len)
{
    uint32_t most = 0;
    uint64_t n_alternatives = 1;
    pcre2_pattern_info(code, PCRE2_INFO_MAXLOOKBEHIND, &most);
    for (size_t i = 0; i < len; i++)
        n_alternatives += pattern[i] == '|';
    return most * n_alternatives;
}

static void learn_costs(aim_answer_pattern *p, const char *pattern, size_t len)
{
    const pcre2_code *code = p->compiled.code;
    size_t frame = 0, longest = 0;
    uint32_t top_reference = 0;
    pcre2_pattern_info(code, PCRE2_INFO_FRAMESIZE, &frame);
    pcre2_pattern_info(code, PCRE2_INFO_BACKREFMAX, &top_reference);
    pcre2_callout_enumerate(code, find_longest, &longest);
    p->cost_of_callout =
        COST_OF_CALLOUT + frame / FRAME_BYTES_PER_UNIT + cost_of_looking_behind(code, pattern, len);
    p->cost_of_byte = 1 + longest / CLASS_BYTES_PER_UNIT;
    p->refers_back = top_reference > 0;
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
    p->text = aim_malloc(len);
    if (!p->text)
        aim_fail_nomem(err, "answer_pattern");
    if (!p->text || compile(p, pattern, len, err)) {
        aim_answer_pattern_free(p);
        return NULL;
    }
    memcpy(p->text, pattern, len);
    learn_costs(p, pattern, len);
    return p;
}

void aim_answer_pattern_free(aim_answer_pattern *p)
{
    if (!p)
        return;
    aim__pattern_code_fini(&p->compiled);
    aim_free(p->text);
    aim_free(p);
}

/* ---- what a search costs ------------------------------------------------------ */

struct search {
    const aim_answer_pattern *pattern;
    pcre2_match_data *data;
    pcre2_match_context *limits;
    struct aim__slice text;
    uint64_t work;
    size_t place; /* in the text, at the last callout */
};

/* The largest number that stands behind a brace in an item, but for "\x{2212}" and such;
 * 1 if there is none. */
static uint64_t repeats_of(struct aim__slice item)
{
    uint64_t most = 1;
    for (size_t i = 0; i < item.len; i++) {
        bool in_escape = i >= 2 && item.s[i - 2] == '\\' && strchr("xog", item.s[i - 1]);
        uint64_t n = 0;
        if (item.s[i] != '{' || in_escape)
            continue;
        for (size_t k = i + 1; k < item.len && aim__is_digit(item.s[k]) && n < MAX_REPEAT; k++)
            n = 10 * n + (uint64_t)(item.s[k] - '0');
        most = n > most ? n : most;
    }
    return most;
}

static size_t longest_capture(const pcre2_callout_block *block)
{
    size_t longest = 0;
    for (uint32_t i = 1; i < block->capture_top; i++) {
        size_t start = block->offset_vector[2 * i], end = block->offset_vector[2 * i + 1];
        if (end > start && end - start > longest)
            longest = end - start;
    }
    return longest;
}

/* Bytes of text that an item may read and then fail: each of its repeats reads a character,
 * a group once more or, as \X is, one with all its marks. */
static uint64_t bytes_ahead(const struct search *s, const pcre2_callout_block *block)
{
    struct aim__slice item = {s->pattern->text + block->pattern_position, block->next_item_length};
    uint64_t each = LONGEST_CHARACTER, n = repeats_of(item);
    size_t left = s->text.len - block->current_position;
    if (s->pattern->refers_back)
        each += longest_capture(block);
    if (n > 1 && memmem(item.s, item.len, "\\X", 2))
        return left;
    return n == 1 ? each : n * each < left + each ? n * each : left + each;
}

static bool spend(struct search *s, uint64_t cost)
{
    bool enough = cost <= AIM__ANSWER_WORK - s->work;
    s->work = enough ? s->work + cost : AIM__ANSWER_WORK;
    return enough;
}

/* PCRE2 calls this before every item; not 0 ends the match with that code. */
static int charge(pcre2_callout_block *block, void *arg)
{
    struct search *s = arg;
    size_t now = block->current_position;
    uint64_t moved = now > s->place ? now - s->place : s->place - now;
    uint64_t bytes = moved + bytes_ahead(s, block);
    s->place = now;
    bool enough = spend(s, s->pattern->cost_of_callout + bytes * s->pattern->cost_of_byte);
    return enough ? 0 : PCRE2_ERROR_MATCHLIMIT;
}

/* ---- matching ----------------------------------------------------------------- */

/* The stretch that the match means: its first group if that took part in it. */
static struct aim__slice meant(const struct search *s, int n_set)
{
    const PCRE2_SIZE *place = pcre2_get_ovector_pointer(s->data);
    bool grouped = n_set > 1 && place[2] != PCRE2_UNSET;
    size_t start = place[grouped ? 2 : 0], end = place[grouped ? 3 : 1];
    return (struct aim__slice){s->text.s + start, end > start ? end - start : 0};
}

/* Where to go on behind the match: forward by a character at least. */
static size_t next_place(const struct search *s, size_t from)
{
    size_t end = pcre2_get_ovector_pointer(s->data)[1];
    return end > from ? end : from + aim_utf8_length((unsigned char)s->text.s[from]);
}

static void last_match(struct search *s, struct aim__answer_match *out)
{
    size_t from = 0;
    while (from < s->text.len && !out->gave_up && !out->no_memory) {
        bool enough = spend(s, COST_OF_MATCH);
        int n_set = enough
                        ? pcre2_match(s->pattern->compiled.code, (PCRE2_SPTR)s->text.s, s->text.len,
                                      from, PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, s->data, s->limits)
                        : PCRE2_ERROR_MATCHLIMIT;
        if (n_set == PCRE2_ERROR_NOMATCH)
            return;
        out->no_memory = n_set == PCRE2_ERROR_NOMEMORY;
        out->gave_up = n_set < 0 && !out->no_memory;
        if (n_set < 0)
            return;
        out->found = meant(s, n_set);
        out->any = true;
        from = next_place(s, from);
    }
}

static void search(const aim_answer_pattern *p, struct aim__slice text,
                   struct aim__answer_match *out)
{
    struct search s = {
        .pattern = p,
        .data = pcre2_match_data_create(2, p->compiled.memory),
        .limits = pcre2_match_context_copy(p->compiled.limits),
        .text = text,
    };
    out->no_memory = !s.data || !s.limits;
    if (!out->no_memory) {
        pcre2_set_callout(s.limits, charge, &s);
        last_match(&s, out);
    }
    out->any &= !out->no_memory && !out->gave_up;
    out->work = s.work;
    pcre2_match_data_free(s.data);
    pcre2_match_context_free(s.limits);
}

/* The end of a text, from the start of a character. */
static struct aim__slice end_of(struct aim__slice text)
{
    size_t skip = text.len > AIM_MAX_ANSWER_SEARCH ? text.len - AIM_MAX_ANSWER_SEARCH : 0;
    for (int i = 1;
         skip > 0 && i < LONGEST_CHARACTER && ((unsigned char)text.s[skip] & 0xC0) == 0x80; i++)
        skip++;
    return (struct aim__slice){text.s + skip, text.len - skip};
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

struct aim__answer_match aim__answer_match(const aim_answer_pattern *p, struct aim__slice text)
{
    struct aim__answer_match out = {0};
    text = end_of(text);
    if (aim__utf8_check(text.s, text.len) == text.len) {
        search(p, text, &out);
        return out;
    }
    char *copy = mend(text);
    if (!copy) {
        out.no_memory = true;
        return out;
    }
    search(p, (struct aim__slice){copy, text.len}, &out);
    if (out.any)
        out.found.s = text.s + (out.found.s - copy);
    aim_free(copy);
    return out;
}
