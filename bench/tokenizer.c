/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/tokenizer.h"

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/file.h"
#include "bench/report.h"
#include "bench/statistics.h"
#include "text/tokenizer.h"

#include <stdio.h>
#include <string.h>

enum { ROUNDS = 5, PROSE = 100 * 1000, LONG = 1 << 20, MAX_FILE = 64 << 20 };

static const struct {
    const char *name, *unit; /* repeated; NULL: the text of the file */
    size_t len;
} inputs[] = {
    {"tokenizer.prose", NULL, PROSE},
    {"tokenizer.letters", "a", LONG},
    {"tokenizer.spaces", " ", LONG},
    {"tokenizer.newlines", "\n", LONG},
    {"tokenizer.emoji", "\xF0\x9F\x98\x80", LONG},
};

/* The pattern again and again, at most *len bytes and ending with a whole
 * character. */
static char *repeat(const char *pattern, size_t n, size_t *len)
{
    char *text = aim_malloc(*len);
    for (size_t i = 0; text && i < *len; i++)
        text[i] = pattern[i % n];
    while (*len % n > 0 && pattern[*len % n] & 0x80)
        --*len;
    return text;
}

/* Tokens a millisecond, the median of the rounds; negative after an error. */
static double measure(const aim_tokenizer *t, const char *text, size_t len, aim_error *err)
{
    double rates[ROUNDS];
    aim_ids ids = {0};
    int code = AIM_OK;
    for (int i = 0; i < ROUNDS && !code; i++) {
        ids.n = 0;
        uint64_t start = aim_now_ns();
        code = aim_tokenizer_encode(t, text, len, AIM_PARSE_SPECIAL, NULL, 0, &ids, err);
        rates[i] = (double)ids.n / ((double)(aim_now_ns() - start) / 1e6);
    }
    aim_ids_free(&ids);
    return code ? -1 : median(rates, ROUNDS);
}

static int measure_all(const aim_tokenizer *t, const char *prose, size_t prose_len, aim_error *err)
{
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        const char *unit = inputs[i].unit ? inputs[i].unit : prose;
        size_t len = inputs[i].len;
        char *text = repeat(unit, inputs[i].unit ? strlen(unit) : prose_len, &len);
        if (!text)
            return aim_fail_nomem(err, "the text");
        double rate = measure(t, text, len, err);
        aim_free(text);
        if (rate < 0)
            return -1;
        report(inputs[i].name, rate, "tok/ms", 0, false);
    }
    return 0;
}

int bench_tokenizer(const char *dir, const char *path)
{
    aim_error err = {0};
    size_t len = 0;
    int code = -1;
    aim_tokenizer *t = aim_tokenizer_load(dir, &err);
    char *prose = t ? aim_read_file(path, MAX_FILE, &len, &err) : NULL;
    if (prose && len > 0) {
        report_title(dir);
        code = measure_all(t, prose, len, &err);
    }
    if (code)
        fprintf(stderr, "bench: %s\n", err.text[0] ? err.text : "the text is empty");
    aim_free(prose);
    aim_tokenizer_free(t);
    return code;
}
