/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h" /* memmem */

#include "text/answer.h"

#include "text/answer_bytes.h"
#include "text/answer_internal.h"

#include <string.h>

static struct aim__slice trim(struct aim__slice x)
{
    while (x.len > 0 && aim__is_blank(x.s[0]))
        x = (struct aim__slice){x.s + 1, x.len - 1};
    while (x.len > 0 && aim__is_blank(x.s[x.len - 1]))
        x.len--;
    return x;
}

/* What stands behind the first (last) place of s in x. */
static bool after_first(struct aim__slice x, const char *s, struct aim__slice *rest)
{
    size_t n = strlen(s);
    const char *at = x.len ? memmem(x.s, x.len, s, n) : NULL;
    if (at)
        *rest = (struct aim__slice){at + n, x.len - (size_t)(at + n - x.s)};
    return at != NULL;
}

static bool after_last(struct aim__slice x, const char *s, struct aim__slice *rest)
{
    bool any = after_first(x, s, rest);
    while (any && after_first(*rest, s, rest))
        ;
    return any;
}

/* ---- the places of an answer, in their order ------------------------------------ */

/* "final answer is $...$. I hope", the wording that Minerva's prompts ask for. */
static bool in_minerva_sentence(struct aim__slice text, struct aim__slice *found)
{
    struct aim__slice rest;
    if (!after_first(text, "final answer is $", found) || !after_first(*found, "$. I hope", &rest))
        return false;
    found->len = (size_t)(rest.s - strlen("$. I hope") - found->s);
    return true;
}

/* Bytes up to the brace that closes what was open before x; all of x if none does. */
static size_t until_closed(struct aim__slice x)
{
    size_t depth = 1, i = 0;
    for (; i < x.len; i++) {
        if (x.s[i] == '{')
            depth++;
        else if (x.s[i] == '}' && --depth == 0)
            break;
    }
    return i;
}

/* The last \boxed{...}, or \boxed followed by anything up to a dollar sign. */
static bool in_box(struct aim__slice text, struct aim__slice *found)
{
    if (!after_last(text, "boxed", found))
        return false;
    if (found->len > 0 && found->s[0] == '{') {
        *found = (struct aim__slice){found->s + 1, found->len - 1};
        found->len = until_closed(*found);
        return true;
    }
    const char *dollar = found->len ? memchr(found->s, '$', found->len) : NULL;
    if (dollar)
        found->len = (size_t)(dollar - found->s);
    return true;
}

/* Does a sentence end with the period at i? */
static bool ends_sentence(struct aim__slice x, size_t i)
{
    return x.s[i] == '.' && i + 1 < x.len && aim__is_blank(x.s[i + 1]);
}

/* The rest of the sentence behind the last place of s; a colon may stand between. */
static bool behind_words(struct aim__slice text, const char *s, struct aim__slice *found)
{
    size_t i = 0;
    if (!after_last(text, s, found))
        return false;
    *found = trim(*found);
    if (found->len > 0 && found->s[0] == ':')
        *found = trim((struct aim__slice){found->s + 1, found->len - 1});
    while (i < found->len && found->s[i] != '\n' && !ends_sentence(*found, i))
        i++;
    found->len = i;
    return true;
}

/* Do three digits, and not a fourth, stand at i behind a comma? */
static bool is_thousands_group(struct aim__slice x, size_t i)
{
    return x.len - i >= 4 && x.s[i] == ',' && aim__is_digit(x.s[i + 1]) &&
           aim__is_digit(x.s[i + 2]) && aim__is_digit(x.s[i + 3]) &&
           (x.len - i == 4 || !aim__is_digit(x.s[i + 4]));
}

/* How many digits stand at i. */
static size_t digits_at(struct aim__slice x, size_t i)
{
    size_t end = i;
    while (end < x.len && aim__is_digit(x.s[end]))
        end++;
    return end - i;
}

/* Where the number -?\d*\.?\d+ that starts at i ends, i if none does. Commas may set
 * thousands apart. */
static size_t number_end(struct aim__slice x, size_t i)
{
    size_t end = i + (x.s[i] == '-');
    size_t n = digits_at(x, end);
    end += n;
    while (n >= 1 && n <= 3 && is_thousands_group(x, end))
        end += 4;
    if (end < x.len && x.s[end] == '.' && digits_at(x, end + 1) > 0)
        return end + 1 + digits_at(x, end + 1);
    return n > 0 ? end : i;
}

/* Blanks of one line at i. */
static size_t spaces_at(struct aim__slice x, size_t i)
{
    size_t end = i;
    while (end < x.len && (x.s[end] == ' ' || x.s[end] == '\t'))
        end++;
    return end - i;
}

/* Where the plain fraction a/b of digits that starts at i ends, i if there is none: of
 * "1/2/2020", "3/4.5" and "and/1" nothing is one. */
static size_t fraction_end(struct aim__slice x, size_t i)
{
    size_t start = i + (x.s[i] == '-'), slash = start + digits_at(x, start);
    if (slash == start || (i > 0 && (x.s[i - 1] == '/' || x.s[i - 1] == '.')))
        return i;
    slash += spaces_at(x, slash);
    if (slash == x.len || x.s[slash] != '/')
        return i;
    size_t divisor = slash + 1 + spaces_at(x, slash + 1), end = divisor + digits_at(x, divisor);
    if (end == divisor || number_end(x, divisor) != end || (end < x.len && x.s[end] == '/'))
        return i;
    return end;
}

static size_t value_end(struct aim__slice x, size_t i)
{
    size_t end = fraction_end(x, i);
    return end > i ? end : number_end(x, i);
}

static bool last_number(struct aim__slice text, struct aim__slice *found)
{
    bool any = false;
    for (size_t i = 0; i < text.len;) {
        size_t end = value_end(text, i);
        if (end > i) {
            *found = (struct aim__slice){text.s + i, end - i};
            any = true;
        }
        i = end > i ? end : i + 1;
    }
    return any;
}

static bool in_usual_places(struct aim__slice text, struct aim__slice *found)
{
    if (in_minerva_sentence(text, found)) {
        in_box(*found, found);
        return true;
    }
    return in_box(text, found) || behind_words(text, "he answer is", found) ||
           behind_words(text, "final answer is", found) || last_number(text, found);
}

/* ---- what is left of it --------------------------------------------------------- */

/* Without white space at the ends, one colon in front, one period and one slash behind. */
static struct aim__slice tidy(struct aim__slice x)
{
    x = trim(x);
    if (x.len > 0 && x.s[0] == ':')
        x = (struct aim__slice){x.s + 1, x.len - 1};
    if (x.len > 0 && x.s[x.len - 1] == '.')
        x.len--;
    if (x.len > 0 && x.s[x.len - 1] == '/')
        x.len--;
    return trim(x);
}

bool aim_answer_extract(const char *text, size_t len, const aim_answer_pattern *p, aim_buf *out)
{
    struct aim__slice all = {text, len}, found = {0};
    struct aim__answer_match match = {0};
    if (len > 0 && p)
        match = aim__answer_match(p, all);
    out->failed |= match.no_memory;
    if (p ? !match.any : len == 0 || !in_usual_places(all, &found))
        return false;
    found = p ? trim(match.found) : tidy(found);
    if (found.len == 0 || found.len > AIM_MAX_ANSWER)
        return false;
    aim_buf_append(out, found.s, found.len);
    return !out->failed;
}
