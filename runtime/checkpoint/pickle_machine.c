/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/pickle_machine.h"

#include "base/alloc.h"
#include "checkpoint/little_endian.h"
#include "checkpoint/plain_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define METADATA "_metadata"

int aim__pickle_fail(struct aim__pickle_machine *m, const char *fmt, ...)
{
    char why[360];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    aim_fail(m->err, AIM_EFORMAT, "%s: pickle, byte %zu: %s", m->file,
             (size_t)(m->opcode - m->begin), why);
    return AIM_EFORMAT;
}

/* ---- the pickle's bytes --------------------------------------------------- */

const unsigned char *aim__pickle_take(struct aim__pickle_machine *m, size_t n)
{
    if (n > (size_t)(m->end - m->p)) {
        aim__pickle_fail(m, "the pickle ends inside of an opcode");
        return NULL;
    }
    m->p += n;
    return m->p - n;
}

int aim__pickle_take_number(struct aim__pickle_machine *m, size_t width, uint32_t *number)
{
    const unsigned char *p = aim__pickle_take(m, width);
    if (!p)
        return AIM_EFORMAT;
    *number = width == 1 ? p[0] : width == 2 ? aim__load16(p) : aim__load32(p);
    return AIM_OK;
}

int aim__pickle_take_line(struct aim__pickle_machine *m, const char **text, size_t *len)
{
    const unsigned char *end = memchr(m->p, '\n', (size_t)(m->end - m->p));
    if (!end)
        return aim__pickle_fail(m, "the pickle ends inside of an opcode");
    *text = (const char *)m->p;
    *len = (size_t)(end - m->p);
    m->p = end + 1;
    if (!aim__is_plain_text(*text, *len))
        return aim__pickle_fail(m, "the name of a global is not printable ASCII");
    return AIM_OK;
}

/* ---- the stack ------------------------------------------------------------ */

static bool is_metadata_key(const aim__value *v)
{
    size_t len = strlen(METADATA);
    return v->kind == AIM__STRING && v->count == len && memcmp(v->text, METADATA, len) == 0;
}

int aim__pickle_push(struct aim__pickle_machine *m, aim__value v)
{
    if (m->depth >= AIM__PICKLE_STACK)
        return aim__pickle_fail(m, "more than %d values on the stack", AIM__PICKLE_STACK);
    if (!aim_grow(&m->stack, &m->stack_room, m->depth + 1, sizeof *m->stack))
        return aim_fail_nomem(m->err, m->file);
    if (is_metadata_key(&v))
        m->metadata = m->depth;
    m->stack[m->depth++] = v;
    return AIM_OK;
}

size_t aim__pickle_available(const struct aim__pickle_machine *m)
{
    return m->depth - (m->n_marks ? m->marks[m->n_marks - 1] : 0);
}

aim__value *aim__pickle_top(struct aim__pickle_machine *m)
{
    if (aim__pickle_available(m) > 0)
        return &m->stack[m->depth - 1];
    aim__pickle_fail(m, "the stack has no value to take");
    return NULL;
}

int aim__pickle_pop(struct aim__pickle_machine *m, aim__value *v)
{
    const aim__value *last = aim__pickle_top(m);
    if (!last)
        return AIM_EFORMAT;
    *v = *last;
    m->depth--;
    return AIM_OK;
}

int aim__pickle_take_count(struct aim__pickle_machine *m, size_t operand, size_t *count)
{
    *count = operand;
    if (operand != AIM__TO_MARK) {
        if (aim__pickle_available(m) < operand)
            return aim__pickle_fail(m, "the stack has no value to take");
    } else {
        if (m->n_marks == 0)
            return aim__pickle_fail(m, "no mark is set");
        *count = aim__pickle_available(m);
        m->n_marks--;
    }
    return AIM_OK;
}

int aim__pickle_push_mark(struct aim__pickle_machine *m)
{
    if (m->n_marks >= AIM__PICKLE_STACK)
        return aim__pickle_fail(m, "more than %d marks", AIM__PICKLE_STACK);
    if (!aim_grow(&m->marks, &m->marks_room, m->n_marks + 1, sizeof *m->marks))
        return aim_fail_nomem(m->err, m->file);
    m->marks[m->n_marks++] = m->depth;
    return AIM_OK;
}

bool aim__pickle_below_metadata(const struct aim__pickle_machine *m)
{
    size_t at = m->metadata;
    if (at < 2 || at >= m->depth)
        return false;
    const aim__value *v = &m->stack[at];
    return is_metadata_key(v) && v[-1].kind == AIM__DICT && !v[-1].ordered &&
           v[-2].kind == AIM__DICT && v[-2].ordered;
}
