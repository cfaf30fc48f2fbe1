/* SPDX-License-Identifier: Apache-2.0 */
/* The machine keeps its stack, its marks and its memo in arrays and never
 * recurses, so that no nesting can exhaust the C stack. Every opcode checks the
 * kinds of the values it takes; an opcode that is not in the table at the end of
 * this file is refused, and so is a global that is in neither list of
 * pickle_globals.c. The opcodes are those of Python's pickle protocol 2
 * (documented in Lib/pickletools.py). */
#include "checkpoint/pickle.h"

#include "base/alloc.h"
#include "checkpoint/pickle_machine.h"

#include <stdbool.h>

enum {
    MAX_MEMO = 1000000,
    MAX_OBJECTS = 2000000, /* items of tuples and pairs of dicts */
    PROTOCOL = 2,
};

enum { PROTO = 0x80 };

/* An opcode's work; operand tells opcodes of one kind apart: a width in bytes, a
 * number of values, or a flag. */
typedef int opcode_fn(struct aim__pickle_machine *m, size_t operand);

/* ---- opcodes -------------------------------------------------------------- */

static int op_mark(struct aim__pickle_machine *m, size_t operand)
{
    (void)operand;
    return aim__pickle_push_mark(m);
}

static int op_stop(struct aim__pickle_machine *m, size_t operand)
{
    (void)operand;
    if (m->depth != 1 || m->n_marks != 0)
        return aim__pickle_fail(m, "%zu values and %zu marks are left, not one value", m->depth,
                                m->n_marks);
    if (m->p != m->end)
        return aim__pickle_fail(m, "bytes follow the end of the pickle");
    m->out->root = m->stack[0];
    m->stopped = true;
    return AIM_OK;
}

static int op_none(struct aim__pickle_machine *m, size_t operand)
{
    (void)operand;
    return aim__pickle_push(m, (aim__value){.kind = AIM__NONE});
}

static int op_bool(struct aim__pickle_machine *m, size_t operand)
{
    return aim__pickle_push(m, (aim__value){.kind = AIM__BOOL, .integer = (int64_t)operand});
}

static int push_integer(struct aim__pickle_machine *m, int64_t n)
{
    return aim__pickle_push(m, (aim__value){.kind = AIM__INTEGER, .integer = n});
}

/* One and two bytes are unsigned, four are signed. */
static int op_integer(struct aim__pickle_machine *m, size_t width)
{
    uint32_t n;
    int code = aim__pickle_take_number(m, width, &n);
    return code ? code : push_integer(m, width == 4 ? (int64_t)(int32_t)n : (int64_t)n);
}

/* A signed number of as many bytes as the first byte says. */
static int op_long(struct aim__pickle_machine *m, size_t operand)
{
    (void)operand;
    uint32_t width;
    int code = aim__pickle_take_number(m, 1, &width);
    if (code)
        return code;
    if (width > sizeof(uint64_t))
        return aim__pickle_fail(m, "an integer of %u bytes; at most 8 are read", width);
    const unsigned char *p = aim__pickle_take(m, width);
    if (!p)
        return AIM_EFORMAT;
    uint64_t n = width > 0 && p[width - 1] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = width; i-- > 0;)
        n = n << 8 | p[i];
    return push_integer(m, (int64_t)n);
}

static int op_float(struct aim__pickle_machine *m, size_t width)
{
    return aim__pickle_take(m, width) ? aim__pickle_push(m, (aim__value){.kind = AIM__FLOAT})
                                      : AIM_EFORMAT;
}

/* A string; its length takes width bytes. */
static int op_string(struct aim__pickle_machine *m, size_t width)
{
    uint32_t len;
    int code = aim__pickle_take_number(m, width, &len);
    if (code)
        return code;
    const char *text = (const char *)aim__pickle_take(m, len);
    return text ? aim__pickle_push(m, (aim__value){.kind = AIM__STRING, .count = len, .text = text})
                : AIM_EFORMAT;
}

static int op_list(struct aim__pickle_machine *m, size_t operand)
{
    (void)operand;
    return aim__pickle_push(m, (aim__value){.kind = AIM__LIST});
}

static int push_dict(struct aim__pickle_machine *m, bool ordered)
{
    return aim__pickle_push(
        m, (aim__value){.kind = AIM__DICT, .ordered = ordered, .index = m->out->n_dicts++});
}

static int op_dict(struct aim__pickle_machine *m, size_t operand)
{
    (void)operand;
    return push_dict(m, false);
}

static int check_objects(struct aim__pickle_machine *m, size_t more)
{
    if (more > MAX_OBJECTS - m->out->n_items - m->out->n_entries)
        return aim__pickle_fail(m, "more than %d objects", MAX_OBJECTS);
    return AIM_OK;
}

/* Values become the items of one tuple. */
static int op_tuple(struct aim__pickle_machine *m, size_t operand)
{
    aim__pickle *out = m->out;
    size_t count;
    int code = aim__pickle_take_count(m, operand, &count);
    if (!code)
        code = check_objects(m, count);
    if (code)
        return code;
    if (!aim_grow(&out->items, &out->items_room, out->n_items + count, sizeof *out->items))
        return aim_fail_nomem(m->err, m->file);
    m->depth -= count;
    for (size_t i = 0; i < count; i++)
        out->items[out->n_items + i] = m->stack[m->depth + i];
    aim__value tuple = {.kind = AIM__TUPLE, .count = (uint32_t)count, .index = out->n_items};
    out->n_items += count;
    return aim__pickle_push(m, tuple);
}

/* Is there a value of this kind in front of the last count values? */
static bool is_before(const struct aim__pickle_machine *m, size_t count, enum aim__value_kind kind)
{
    return aim__pickle_available(m) > count && m->stack[m->depth - count - 1].kind == kind;
}

/* Values, in pairs, go into the dict in front of them. */
static int op_set_items(struct aim__pickle_machine *m, size_t operand)
{
    aim__pickle *out = m->out;
    size_t count;
    int code = aim__pickle_take_count(m, operand, &count);
    if (!code && count % 2 != 0)
        return aim__pickle_fail(m, "a key has no value");
    if (!code && !is_before(m, count, AIM__DICT))
        return aim__pickle_fail(m, "items are set on what is no dictionary");
    if (!code)
        code = check_objects(m, count / 2);
    if (code)
        return code;
    if (!aim_grow(&out->entries, &out->entries_room, out->n_entries + count / 2,
                  sizeof *out->entries))
        return aim_fail_nomem(m->err, m->file);
    m->depth -= count;
    const aim__value *v = &m->stack[m->depth];
    for (size_t i = 0; i < count; i += 2)
        out->entries[out->n_entries++] = (aim__dict_entry){v[-1].index, v[i], v[i + 1]};
    return AIM_OK;
}

/* Values go into the list in front of them, which does not keep them. */
static int op_append(struct aim__pickle_machine *m, size_t operand)
{
    size_t count;
    int code = aim__pickle_take_count(m, operand, &count);
    if (!code && !is_before(m, count, AIM__LIST))
        return aim__pickle_fail(m, "items are appended to what is no list");
    if (!code)
        m->depth -= count;
    return code;
}

/* Python numbers memo entries from 0 without a gap and writes each once. */
static int op_memo_put(struct aim__pickle_machine *m, size_t width)
{
    uint32_t at;
    int code = aim__pickle_take_number(m, width, &at);
    if (code)
        return code;
    const aim__value *v = aim__pickle_top(m);
    if (!v)
        return AIM_EFORMAT;
    if (at != m->n_memo)
        return aim__pickle_fail(m, "memo entry %u is written, the next one is %zu", at, m->n_memo);
    if (m->n_memo >= MAX_MEMO)
        return aim__pickle_fail(m, "more than %d memo entries", MAX_MEMO);
    if (!aim_grow(&m->memo, &m->memo_room, m->n_memo + 1, sizeof *m->memo))
        return aim_fail_nomem(m->err, m->file);
    m->memo[m->n_memo++] = *v;
    return AIM_OK;
}

static int op_memo_get(struct aim__pickle_machine *m, size_t width)
{
    uint32_t at;
    int code = aim__pickle_take_number(m, width, &at);
    if (code)
        return code;
    if (at >= m->n_memo)
        return aim__pickle_fail(m, "memo entry %u is read, there are %zu", at, m->n_memo);
    return aim__pickle_push(m, m->memo[at]);
}

static int op_global(struct aim__pickle_machine *m, size_t operand)
{
    (void)operand;
    const char *module, *name;
    size_t module_len, name_len;
    int code = aim__pickle_take_line(m, &module, &module_len);
    if (!code)
        code = aim__pickle_take_line(m, &name, &name_len);
    if (code)
        return code;
    const aim__global *global = aim__global_find(module, module_len, name, name_len);
    if (global)
        return aim__pickle_push(m, (aim__value){.kind = AIM__GLOBAL, .global = global});
    bool opaque = aim__global_is_opaque(module, module_len, name, name_len);
    if (opaque && aim__pickle_below_metadata(m))
        return aim__pickle_push(m, (aim__value){.kind = AIM__OPAQUE_CLASS});
    return aim__pickle_fail(
        m, "the global %.*s.%.*s is refused%s", module_len < 100 ? (int)module_len : 100, module,
        name_len < 100 ? (int)name_len : 100, name, opaque ? " outside of _metadata" : "");
}

static int call_global(struct aim__pickle_machine *m, const aim__global *g, aim__value arguments)
{
    if (g->kind == AIM__STORAGE)
        return aim__pickle_fail(m, "%s.%s is called", g->module, g->name);
    if (g->kind == AIM__ORDERED_DICT && arguments.count > 0)
        return aim__pickle_fail(m, "an OrderedDict is made with arguments");
    if (g->kind == AIM__ORDERED_DICT)
        return push_dict(m, true);
    arguments.kind = AIM__CALL;
    arguments.callee = (unsigned char)g->kind;
    return aim__pickle_push(m, arguments);
}

static int pop_call(struct aim__pickle_machine *m, aim__value *callee, aim__value *arguments)
{
    int code = aim__pickle_pop(m, arguments);
    if (!code)
        code = aim__pickle_pop(m, callee);
    if (!code && arguments->kind != AIM__TUPLE)
        return aim__pickle_fail(m, "the arguments of a call are no tuple");
    return code;
}

static int op_call(struct aim__pickle_machine *m, size_t operand)
{
    (void)operand;
    aim__value callee, arguments;
    int code = pop_call(m, &callee, &arguments);
    if (code)
        return code;
    if (callee.kind == AIM__GLOBAL)
        return call_global(m, callee.global, arguments);
    if (callee.kind == AIM__OPAQUE_CLASS)
        return aim__pickle_push(m, (aim__value){.kind = AIM__OPAQUE});
    return aim__pickle_fail(m, "what is called is no function");
}

static int op_new_object(struct aim__pickle_machine *m, size_t operand)
{
    (void)operand;
    aim__value callee, arguments;
    int code = pop_call(m, &callee, &arguments);
    if (code)
        return code;
    if (callee.kind != AIM__OPAQUE_CLASS)
        return aim__pickle_fail(m, "an object is made of what is no class");
    return aim__pickle_push(m, (aim__value){.kind = AIM__OPAQUE});
}

/* Sets attributes: the `_metadata` of an OrderedDict, the fields of a
 * configuration. Neither is kept. */
static int op_build(struct aim__pickle_machine *m, size_t operand)
{
    (void)operand;
    aim__value state;
    int code = aim__pickle_pop(m, &state);
    if (code)
        return code;
    const aim__value *object = aim__pickle_top(m);
    if (!object)
        return AIM_EFORMAT;
    if (object->kind == AIM__OPAQUE)
        return AIM_OK;
    if (object->kind != AIM__DICT || !object->ordered)
        return aim__pickle_fail(m, "attributes are set on what is no OrderedDict");
    if (state.kind != AIM__DICT)
        return aim__pickle_fail(m, "the attributes of an OrderedDict are no dictionary");
    return AIM_OK;
}

static int op_persistent(struct aim__pickle_machine *m, size_t operand)
{
    (void)operand;
    aim__value *id = aim__pickle_top(m);
    if (!id)
        return AIM_EFORMAT;
    if (id->kind != AIM__TUPLE)
        return aim__pickle_fail(m, "a persistent id is no tuple");
    id->kind = AIM__PERSISTENT;
    return AIM_OK;
}

static const struct {
    opcode_fn *work;
    size_t operand;
} opcodes[256] = {
    ['('] = {op_mark, 0},                 /* MARK */
    ['.'] = {op_stop, 0},                 /* STOP */
    ['N'] = {op_none, 0},                 /* NONE */
    [0x88] = {op_bool, 1},                /* NEWTRUE */
    [0x89] = {op_bool, 0},                /* NEWFALSE */
    ['K'] = {op_integer, 1},              /* BININT1 */
    ['M'] = {op_integer, 2},              /* BININT2 */
    ['J'] = {op_integer, 4},              /* BININT */
    [0x8a] = {op_long, 0},                /* LONG1 */
    ['G'] = {op_float, 8},                /* BINFLOAT */
    ['U'] = {op_string, 1},               /* SHORT_BINSTRING */
    ['X'] = {op_string, 4},               /* BINUNICODE */
    [']'] = {op_list, 0},                 /* EMPTY_LIST */
    ['}'] = {op_dict, 0},                 /* EMPTY_DICT */
    [')'] = {op_tuple, 0},                /* EMPTY_TUPLE */
    [0x85] = {op_tuple, 1},               /* TUPLE1 */
    [0x86] = {op_tuple, 2},               /* TUPLE2 */
    [0x87] = {op_tuple, 3},               /* TUPLE3 */
    ['t'] = {op_tuple, AIM__TO_MARK},     /* TUPLE */
    ['s'] = {op_set_items, 2},            /* SETITEM */
    ['u'] = {op_set_items, AIM__TO_MARK}, /* SETITEMS */
    ['a'] = {op_append, 1},               /* APPEND */
    ['e'] = {op_append, AIM__TO_MARK},    /* APPENDS */
    ['q'] = {op_memo_put, 1},             /* BINPUT */
    ['r'] = {op_memo_put, 4},             /* LONG_BINPUT */
    ['h'] = {op_memo_get, 1},             /* BINGET */
    ['j'] = {op_memo_get, 4},             /* LONG_BINGET */
    ['c'] = {op_global, 0},               /* GLOBAL */
    ['R'] = {op_call, 0},                 /* REDUCE */
    [0x81] = {op_new_object, 0},          /* NEWOBJ */
    ['b'] = {op_build, 0},                /* BUILD */
    ['Q'] = {op_persistent, 0},           /* BINPERSID */
};

/* ---- the run -------------------------------------------------------------- */

static int take_protocol(struct aim__pickle_machine *m)
{
    const unsigned char *p = aim__pickle_take(m, 2);
    if (!p)
        return AIM_EFORMAT;
    if (p[0] != PROTO)
        return aim__pickle_fail(m, "it does not begin with its protocol");
    if (p[1] != PROTOCOL)
        return aim__pickle_fail(
            m, "pickle protocol %d; torch.save writes %d, and only that is read", p[1], PROTOCOL);
    return AIM_OK;
}

static int run(struct aim__pickle_machine *m)
{
    int code = take_protocol(m);
    while (!code && !m->stopped) {
        m->opcode = m->p;
        if (m->p == m->end)
            return aim__pickle_fail(m, "the pickle has no end");
        unsigned char opcode = *m->p++;
        if (!opcodes[opcode].work)
            return aim__pickle_fail(m, "opcode 0x%02x is none that a state dict needs", opcode);
        code = opcodes[opcode].work(m, opcodes[opcode].operand);
    }
    return code;
}

int aim__pickle_decode(const unsigned char *data, size_t size, const char *file, aim__pickle *out,
                       aim_error *err)
{
    struct aim__pickle_machine m = {.begin = data, .p = data, .end = data + size};
    m.opcode = data;
    m.file = file;
    m.err = err;
    m.out = out;
    *out = (aim__pickle){0};
    int code = run(&m);
    aim_free(m.stack);
    aim_free(m.marks);
    aim_free(m.memo);
    if (code)
        aim__pickle_fini(out);
    return code;
}

void aim__pickle_fini(aim__pickle *p)
{
    aim_free(p->items);
    aim_free(p->entries);
    *p = (aim__pickle){0};
}
