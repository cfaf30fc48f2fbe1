/* SPDX-License-Identifier: Apache-2.0 */
/* The hand-written scanners against PCRE2, over random text and all of
 * Unicode. */
#include "tests/unit/text_fixture.h"

#include "text/char_class.h"
#include "text/scan.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

static uint64_t random_state;

static size_t put_utf8(uint32_t cp, char *out)
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; cp >>= 6)
        out[i] = (char)(0x80 | (cp & 0x3F));
    out[0] = (char)(cp | (n == 2 ? 0xC0 : n == 3 ? 0xE0 : 0xF0));
    return n;
}

static bool is_scalar(uint32_t cp)
{
    return cp < 0xD800 || (cp > 0xDFFF && cp < 0x110000);
}

/* A passed ck_assert writes to a file, so the loops over all of Unicode below
 * only report failures. */

static pcre2_code *compile(const char *pattern)
{
    int code;
    PCRE2_SIZE offset;
    pcre2_code *p = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP,
                                  &code, &offset, NULL);
    ck_assert_msg(p != NULL, "%s", pattern);
    return p;
}

/* End of the match at pos, or 0. */
static size_t match_at(const pcre2_code *p, pcre2_match_data *data, const char *s, size_t pos,
                       size_t n)
{
    int code =
        pcre2_match(p, (PCRE2_SPTR)s, n, pos, PCRE2_NO_UTF_CHECK | PCRE2_ANCHORED, data, NULL);
    return code < 0 ? 0 : pcre2_get_ovector_pointer(data)[1];
}

/* PCRE2 counts U+180E as white space, as Unicode did before 6.3; and a younger
 * utf8proc knows characters that PCRE2 does not. */
static bool libraries_agree(const pcre2_code *unassigned, pcre2_match_data *data, uint32_t cp)
{
    char s[4];
    size_t n = put_utf8(cp, s), m;
    bool known = aim__class_at((unsigned char *)s, &m) != AIM__OTHER ||
                 aim__letter_at((unsigned char *)s, &m) != AIM__NO_LETTER;
    return cp != 0x180E && !(known && match_at(unassigned, data, s, 0, n) > 0);
}

START_TEST(classes_equal_pcre2)
{
    static const struct {
        const char *pattern;
        unsigned classes;
    } rows[] = {
        {"\\p{L}", 1 << AIM__LETTER},
        {"\\p{N}", 1 << AIM__NUMBER},
        {"\\s", 1 << AIM__SPACE | 1 << AIM__NEWLINE},
        {"[\\r\\n]", 1 << AIM__NEWLINE},
    };
    pcre2_code *unassigned = compile("\\p{Cn}"), *p = compile(rows[_i].pattern);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    for (uint32_t cp = 0; cp < 0x110000; cp++) {
        char s[4];
        size_t n, m;
        if (!is_scalar(cp) || !libraries_agree(unassigned, data, cp))
            continue;
        n = put_utf8(cp, s);
        bool want = match_at(p, data, s, 0, n) > 0;
        bool got = rows[_i].classes >> aim__class_at((unsigned char *)s, &m) & 1;
        if (got != want || m != n)
            ck_abort_msg("U+%04X in %s: %d", cp, rows[_i].pattern, got);
    }
    pcre2_match_data_free(data);
    pcre2_code_free(p);
    pcre2_code_free(unassigned);
}
END_TEST

static void check_words(const struct aim__known_pattern *known, const pcre2_code *p,
                        pcre2_match_data *data, const char *s, size_t n)
{
    for (size_t pos = 0, stop; pos < n; pos = stop) {
        stop = match_at(p, data, s, pos, n);
        if (known->scan((const unsigned char *)s, pos, n) != stop)
            ck_abort_msg("%s at %zu of \"%.*s\"", known->name, pos, (int)n, s);
    }
}

/* A few characters, half of them such that the patterns care. */
static size_t random_text(const pcre2_code *unassigned, pcre2_match_data *data, char *out)
{
    static const char *const pieces[] = {
        "'",
        "s",
        "S",
        "t",
        "re",
        "VE",
        "ll",
        "lL",
        "d",
        "m",
        "\xC5\xBF",
        " ",
        "  ",
        "\t",
        "\n",
        "\r",
        "\r\n",
        "\xC2\xA0",
        "\xC2\x85",
        "\xE3\x80\x80",
        "\xE2\x80\xA8",
        "0",
        "123",
        "12345",
        "\xD9\xA3",
        "a",
        "Z",
        "\xC3\xA9",
        "\xE4\xBD\xA0",
        "!",
        "...",
        "\xF0\x9F\x98\x80",
        "e\xCC\x81",
    };
    size_t n = 0;
    for (uint32_t left = 1 + random_below(&random_state, 12); left > 0; left--) {
        uint32_t cp = random_below(&random_state, 2) ? random_below(&random_state, 0x3000)
                                                     : random_below(&random_state, 0x110000);
        if (random_below(&random_state, 3) > 0) {
            const char *piece = pieces[random_below(&random_state, COUNT(pieces))];
            memcpy(out + n, piece, strlen(piece));
            n += strlen(piece);
        } else if (is_scalar(cp) && libraries_agree(unassigned, data, cp)) {
            n += put_utf8(cp, out + n);
        }
    }
    return n;
}

enum { KNOWN_PATTERNS = 5 };

START_TEST(scanner_equals_pcre2)
{
    const struct aim__known_pattern *known = &aim__known_patterns[_i];
    pcre2_code *unassigned = compile("\\p{Cn}"), *p = compile(known->pattern);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    char text[128];
    random_state = 1 + (uint64_t)_i;
    for (int i = 0; i < 50000; i++)
        check_words(known, p, data, text, random_text(unassigned, data, text));
    /* Every character between an apostrophe, a space or nothing, and a letter. */
    for (uint32_t cp = 0; cp < 0x110000; cp++) {
        size_t n = put_utf8(cp, text + 1);
        if (!is_scalar(cp) || !libraries_agree(unassigned, data, cp))
            continue;
        text[0] = '\'';
        text[1 + n] = 'x';
        check_words(known, p, data, text, n + 2);
        text[0] = ' ';
        check_words(known, p, data, text, n + 2);
    }
    pcre2_match_data_free(data);
    pcre2_code_free(p);
    pcre2_code_free(unassigned);
}
END_TEST

/* Quadratic work would take many minutes here. */
START_TEST(long_texts_end)
{
    static const char *const units[] = {"a",         "A",         "aA", " ",  "\n",
                                        " \n",       "1",         "'",  "!",  "\xF0\x9F\x98\x80",
                                        "e\xCC\x81", "A\xD7\x90", "'s", "! ", "\xCC\x81"};
    aim__scan_fn *scan = aim__known_patterns[_i].scan;
    static unsigned char text[1 << 20];
    for (int u = 0; u < COUNT(units); u++) {
        size_t unit = strlen(units[u]), end = sizeof text - sizeof text % unit;
        for (size_t i = 0; i < end; i++)
            text[i] = (unsigned char)units[u][i % unit];
        for (size_t pos = 0, stop; pos < end; pos = stop) {
            stop = scan(text, pos, end);
            if (stop <= pos || stop > end)
                ck_abort_msg("from %zu to %zu of %zu", pos, stop, end);
        }
    }
}
END_TEST

START_TEST(every_pattern_has_its_test)
{
    ck_assert_ptr_null(aim__known_patterns[KNOWN_PATTERNS].name);
    ck_assert_ptr_null(aim__scan_for("\\s+"));
    for (int i = 0; i < KNOWN_PATTERNS; i++)
        ck_assert(aim__scan_for(aim__known_patterns[i].pattern) == aim__known_patterns[i].scan);
}
END_TEST

static Suite *scan_suite(void)
{
    Suite *s = suite_create("scan");
    TCase *scanners = tcase_create("scanners");
    tcase_add_loop_test(scanners, classes_equal_pcre2, 0, 4);
    tcase_add_loop_test(scanners, scanner_equals_pcre2, 0, KNOWN_PATTERNS);
    tcase_add_loop_test(scanners, long_texts_end, 0, KNOWN_PATTERNS);
    tcase_add_test(scanners, every_pattern_has_its_test);
    tcase_set_timeout(scanners, 300);
    suite_add_tcase(s, scanners);
    return s;
}

int main(void)
{
    return run_suite(scan_suite());
}
