/* SPDX-License-Identifier: Apache-2.0 */
#include "server/params_rows.h"

#include <math.h>

static void write_routes(aim_buf *out, unsigned routes)
{
    static const struct {
        unsigned bit;
        const char *word;
    } words[] = {
        {AIMD_COMPLETIONS, "completions"},
        {AIMD_CHAT, "chat"},
        {AIMD_TOKENIZE, "tokenize"},
        {AIMD_DETOKENIZE, "detokenize"},
        {AIMD_APPLY_TEMPLATE, "apply-template"},
        {AIMD_CHIP_CREATE, "chips"},
        {AIMD_CHIP_AGE, "age"},
        {AIMD_CHIP_PROBE, "probe"},
        {AIMD_CHIP_CALIBRATE, "calibrate"},
        {AIMD_SCORE, "score"},
        {AIMD_POOLING, "pooling"},
        {AIMD_RERANK, "rerank"},
    };
    const char *sep = "";
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!(routes & words[i].bit))
            continue;
        aim_buf_printf(out, "%s%s", sep, words[i].word);
        sep = ", ";
    }
}

/* A bound, as a power of two where the decimal would say nothing. */
static void write_bound(aim_buf *out, int64_t v)
{
    if (v == INT32_MAX)
        aim_buf_puts(out, "2^31-1");
    else if (v == AIMD_MAX_CHIP_SEED)
        aim_buf_puts(out, "2^53");
    else if (v == INT64_MAX)
        aim_buf_puts(out, "2^63-1");
    else if (v == INT64_MIN + 1)
        aim_buf_puts(out, "-2^63+1");
    else
        aim_buf_printf(out, "%lld", (long long)v);
}

static void write_type(aim_buf *out, const aimd_param *p)
{
    if (p->kind == AIMD_PARAM_BOOL) {
        aim_buf_puts(out, "bool");
    } else if (p->kind == AIMD_PARAM_NUMBER) {
        aim_buf_printf(out, "number %g..%g", p->min, p->max);
    } else if (p->kind == AIMD_PARAM_INT) {
        aim_buf_puts(out, "int ");
        write_bound(out, p->lo);
        aim_buf_puts(out, "..");
        if (p->cap)
            aim_buf_puts(out, p->cap);
        else
            write_bound(out, p->hi);
    } else {
        aim_buf_puts(out, p->type);
    }
}

static void write_default(aim_buf *out, const aimd_param *p)
{
    if (p->kind == AIMD_PARAM_VALUE)
        aim_buf_puts(out, p->def_text);
    else if (p->kind == AIMD_PARAM_NUMBER && isnan(p->number_def))
        aim_buf_puts(out, "null");
    else if (p->kind == AIMD_PARAM_NUMBER)
        aim_buf_printf(out, "%g", p->number_def);
    else if (p->def == AIMD_UNSET)
        aim_buf_puts(out, "null");
    else if (p->kind == AIMD_PARAM_BOOL)
        aim_buf_puts(out, p->def ? "true" : "false");
    else
        aim_buf_printf(out, "%lld", (long long)p->def);
}

static void write_row(aim_buf *out, const aimd_param *p)
{
    aim_buf_printf(out, "| `%s` | ", p->name);
    write_routes(out, p->routes);
    if (p->kind == AIMD_PARAM_REFUSED) {
        aim_buf_printf(out, " | `%s`", p->neutral);
    } else if (p->kind != AIMD_PARAM_IGNORED) {
        aim_buf_puts(out, " | ");
        write_type(out, p);
        aim_buf_puts(out, " | ");
        write_default(out, p);
    }
    aim_buf_printf(out, " | %s |\n", p->help);
}

static void write_rows(aim_buf *out, enum aimd_param_kind first, enum aimd_param_kind last)
{
    for (size_t i = 0; i < aimd__n_params; i++)
        if (aimd__params[i].kind >= first && aimd__params[i].kind <= last)
            write_row(out, &aimd__params[i]);
}

void aimd_params_write_doc(aim_buf *out)
{
    aim_buf_puts(out, "| field | routes | type | default | meaning |\n|---|---|---|---|---|\n");
    write_rows(out, AIMD_PARAM_BOOL, AIMD_PARAM_VALUE);
    aim_buf_puts(out, "\nAccepted, without effect:\n\n| field | routes | why |\n|---|---|---|\n");
    write_rows(out, AIMD_PARAM_IGNORED, AIMD_PARAM_IGNORED);
    aim_buf_puts(out,
                 "\nKnown, but not done here: only null and the values listed pass, anything else "
                 "is a 400 with code `unsupported_parameter`:\n\n"
                 "| field | routes | values that pass | what it would be |\n|---|---|---|---|\n");
    write_rows(out, AIMD_PARAM_REFUSED, AIMD_PARAM_REFUSED);
}
