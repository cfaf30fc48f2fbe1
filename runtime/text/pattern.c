/* SPDX-License-Identifier: Apache-2.0 */
#include "text/pattern.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cpu.h"
#include "text/pattern_code.h"
#include "text/utf8.h"

#include <string.h>

/* The limits of one match, from one place, and of all of them. A match over a
 * megabyte that backtracks once per byte passes; one that doubles with every
 * byte stops within a second. */
enum {
    MATCH_LIMIT = 10000000,
    DEPTH_LIMIT = 10000000, /* in heap frames: the next limit binds first */
    HEAP_LIMIT = 64 * 1024, /* KiB */
    STARTS = 16,            /* bytes that one call may move on to start a match */
    SECONDS = 10,           /* for all of a text; a megabyte should take a tenth of one */
};

struct aim__pattern {
    struct aim__pattern_code compiled;
};

/* ---- what Oniguruma and PCRE2 read differently --------------------------- */

static bool starts(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

/* Groups with one meaning: plain, look-around, atomic, caseless. */
static bool is_common_group(const char *s)
{
    static const char *const known[] = {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:"};
    if (s[1] != '?')
        return s[1] != '*';
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (starts(s, known[i]))
            return true;
    return false;
}

/* Escapes with one meaning: categories, white space, digits, a few control
 * characters, code points, punctuation. */
static bool is_common_escape(const char *s)
{
    unsigned char c = (unsigned char)s[1];
    if (c == 'x')
        return s[2] == '{';
    bool is_alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    return (c != '\0' && c < 0x80 && !is_alnum) || (c && strchr("pPsSdDnrt", c));
}

/* Is the construct at s, inside brackets or not, read differently? */
static bool is_foreign(const char *s, bool in_class)
{
    if (*s == '\\')
        return !is_common_escape(s) || (in_class && s[1] == 'S');
    if (in_class)
        return *s == '[' || starts(s, "&&");
    return *s == '^' || *s == '$' || starts(s, "{,") || starts(s, "}+") ||
           (*s == '(' && !is_common_group(s));
}

/* White space as Unicode has it; \s of PCRE2 also holds U+180E. */
#define WHITE_SPACE "\\t-\\r\\x{85}\\p{Z}"

/* Bytes of the escape at s: a braced name or number belongs to it. */
static size_t escape_length(const char *s)
{
    const char *end = strchr("pPx", s[1]) && s[2] == '{' ? strchr(s, '}') : NULL;
    return end ? (size_t)(end + 1 - s) : 2;
}

/* Append the escape at s, n bytes, as PCRE2 has to see it. */
static void translate_escape(const char *s, size_t n, bool in_class, aim_buf *out)
{
    if (s[1] == 's')
        aim_buf_puts(out, in_class ? WHITE_SPACE : "[" WHITE_SPACE "]");
    else if (s[1] == 'S')
        aim_buf_puts(out, "[^" WHITE_SPACE "]");
    else
        aim_buf_append(out, s, n);
}

/* Append the pattern as PCRE2 has to see it. Returns the first construct that
 * the two languages read differently, or NULL. */
static const char *translate(const char *pattern, aim_buf *out)
{
    bool in_class = false;
    for (const char *s = pattern; *s; s++) {
        if (is_foreign(s, in_class))
            return s;
        if (*s == '\\') {
            size_t n = escape_length(s);
            translate_escape(s, n, in_class, out);
            s += n - 1;
            continue;
        }
        aim_buf_append(out, s, 1);
        if (!in_class && *s == '[') {
            in_class = true;
            if (s[1] == '^')
                aim_buf_append(out, ++s, 1);
            /* A bracket that comes first may end the class or be in it. */
            if (s[1] == ']')
                return s + 1;
        } else if (*s == ']') {
            in_class = false;
        }
    }
    return NULL;
}

/* ---- compiling ----------------------------------------------------------- */

/* No start optimisations: they look through the rest of the text at every call,
 * and a call is made for every few bytes. */
#define OPTIONS                                                                                    \
    (PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_AUTO_CAPTURE |                     \
     PCRE2_USE_OFFSET_LIMIT | PCRE2_NO_START_OPTIMIZE)

static int compile(aim__pattern *p, const aim_buf *pattern, const char *where, aim_error *err)
{
    static const struct aim__pattern_limits limits = {MATCH_LIMIT, DEPTH_LIMIT, HEAP_LIMIT};
    struct aim__pattern_fault fault;
    int code = aim__pattern_code_init(&p->compiled, pattern->data, pattern->len, OPTIONS, limits,
                                      where, &fault, err);
    if (code == AIM_EFORMAT)
        aim_fail_param(err, AIM_EFORMAT, "Regex", "%s: the pattern does not compile: %s", where,
                       fault.reason);
    return code;
}

static int compile_translated(const aim_buf *pattern, const char *where, aim__pattern **out,
                              aim_error *err)
{
    aim__pattern *p = aim_calloc(1, sizeof *p);
    if (pattern->failed || !p) {
        aim_free(p);
        return aim_fail_nomem(err, where);
    }
    int code = compile(p, pattern, where, err);
    if (code)
        aim__pattern_free(p);
    else
        *out = p;
    return code;
}

int aim__pattern_compile(const char *pattern, const char *where, aim__pattern **out, aim_error *err)
{
    aim_buf translated = AIM_BUF_INIT;
    const char *foreign = translate(pattern, &translated);
    int code;
    if (foreign)
        code = aim_fail_param(err, AIM_EUNSUPPORTED, "Regex",
                              "%s: the pattern has \"%.8s\" at %zu, which is not supported", where,
                              foreign, (size_t)(foreign - pattern));
    else
        code = compile_translated(&translated, where, out, err);
    aim_buf_free(&translated);
    return code;
}

void aim__pattern_free(aim__pattern *p)
{
    if (!p)
        return;
    aim__pattern_code_fini(&p->compiled);
    aim_free(p);
}

/* ---- matching ------------------------------------------------------------ */

static int fail_match(int result, aim_error *err)
{
    PCRE2_UCHAR reason[128];
    if (result == PCRE2_ERROR_NOMEMORY)
        return aim_fail_nomem(err, "splitting the text by the tokenizer's pattern");
    pcre2_get_error_message(result, reason, sizeof reason);
    return aim_fail(err, AIM_EINVAL, "the tokenizer's pattern cannot split this text: %s",
                    (const char *)reason);
}

uint64_t aim__pattern_deadline(void)
{
    return aim_now_ns() + (uint64_t)SECONDS * 1000000000;
}

/* Looking for the matches in one text. */
struct search {
    const aim__pattern *pattern;
    pcre2_match_data *data;
    pcre2_match_context *limits;
    const char *text;
    size_t len;
    uint64_t deadline;
    size_t start, stop; /* the match that was found last, if any */
    bool any;
};

/* Look for a match that starts in [pos, pos + STARTS]: one call may start in so
 * many places only, as the limits hold for each of them and not for all. */
static int match(struct search *s, size_t pos, aim_error *err)
{
    if (aim_now_ns() >= s->deadline)
        return aim_fail(err, AIM_EINVAL,
                        "the tokenizer's pattern takes too long to split this text");
    pcre2_set_offset_limit(s->limits, pos + STARTS);
    int result = pcre2_match(s->pattern->compiled.code, (PCRE2_SPTR)s->text, s->len, pos,
                             PCRE2_NO_UTF_CHECK, s->data, s->limits);
    s->any = result >= 0;
    if (result < 0)
        return result == PCRE2_ERROR_NOMATCH ? AIM_OK : fail_match(result, err);
    const PCRE2_SIZE *place = pcre2_get_ovector_pointer(s->data);
    s->start = place[0];
    s->stop = place[1];
    return AIM_OK;
}

/* Look for the next match at or after pos. */
static int find(struct search *s, size_t pos, aim_error *err)
{
    int code = match(s, pos, err);
    while (!code && !s->any && s->len - pos > STARTS + 1) {
        pos += STARTS + 1;
        while (pos < s->len && ((unsigned char)s->text[pos] & 0xC0) == 0x80)
            pos++;
        code = match(s, pos, err);
    }
    return code;
}

/* As Oniguruma's bindings do: the search ends with a match behind the last
 * character, which is empty; an empty match right behind another match does not
 * count, and the search goes on one character later. */
static int find_all(struct search *s, aim__stretch_fn *fn, void *arg, aim_error *err)
{
    size_t done = 0, from = 0;
    bool after_match = false;
    int code = AIM_OK;
    while (from <= s->len && !code) {
        code = find(s, from, err);
        if (code || !s->any)
            break;
        if (after_match && s->start == s->stop && s->stop == done) {
            from += from < s->len ? aim_utf8_length((unsigned char)s->text[from]) : 1;
            continue;
        }
        if (s->start > done)
            code = fn(arg, done, s->start, false);
        if (!code)
            code = fn(arg, s->start, s->stop, true);
        done = from = s->stop;
        after_match = true;
    }
    return code || done == s->len ? code : fn(arg, done, s->len, false);
}

int aim__pattern_find_all(const aim__pattern *p, const char *text, size_t len, uint64_t deadline,
                          aim__stretch_fn *fn, void *arg, aim_error *err)
{
    struct search s = {
        .pattern = p,
        .data = pcre2_match_data_create(1, p->compiled.memory),
        .limits = pcre2_match_context_copy(p->compiled.limits),
        .text = text,
        .len = len,
        .deadline = deadline,
    };
    int code = s.data && s.limits
                   ? find_all(&s, fn, arg, err)
                   : aim_fail_nomem(err, "splitting the text by the tokenizer's pattern");
    pcre2_match_data_free(s.data);
    pcre2_match_context_free(s.limits);
    return code;
}
