/* SPDX-License-Identifier: Apache-2.0 */
/* pickle.h - a pickled state dict, decoded into plain values.
 *
 * A pickle is a program for a stack machine, and the original machine calls
 * whatever the program names. This one knows the few opcodes a state dict needs
 * and calls nothing: a call comes out as a value that says what was to be called
 * with what, and torch_file.c decides what that means. */
#ifndef AIM_CHECKPOINT_PICKLE_H
#define AIM_CHECKPOINT_PICKLE_H

#include "base/error.h"
#include "checkpoint/pickle_globals.h"

#include <stddef.h>
#include <stdint.h>

enum aim__value_kind {
    AIM__NONE,
    AIM__BOOL,
    AIM__INTEGER,
    AIM__FLOAT, /* which one is of no interest */
    AIM__STRING,
    AIM__TUPLE,
    AIM__LIST,         /* its items are of no interest */
    AIM__DICT,         /* a dict or, if ordered is set, an OrderedDict */
    AIM__GLOBAL,       /* one of pickle_globals.c */
    AIM__CALL,         /* of callee; the items are the arguments */
    AIM__PERSISTENT,   /* an object kept outside of the pickle: the items are its id */
    AIM__OPAQUE_CLASS, /* below `_metadata`: a global that may be called ... */
    AIM__OPAQUE,       /* ... and what comes out of calling it */
};

typedef struct aim__value {
    unsigned char kind;   /* enum aim__value_kind */
    unsigned char callee; /* of a call: enum aim__global_kind */
    bool ordered;         /* of a dict */
    uint32_t count;       /* bytes of a string; items of a tuple, call or persistent id */
    union {
        int64_t integer;  /* also of a bool */
        const char *text; /* into the pickle, no NUL behind it */
        size_t index;     /* of the first item; number of a dict */
        const aim__global *global;
    };
} aim__value;

/* One pair of a dict. The pairs of all dicts share a pool, in the order in which
 * they were set; a key may come twice. */
typedef struct aim__dict_entry {
    size_t dict; /* the number of the dict it belongs to */
    aim__value key, value;
} aim__dict_entry;

typedef struct aim__pickle {
    aim__value root;
    aim__value *items; /* of all tuples */
    size_t n_items, items_room;
    aim__dict_entry *entries;
    size_t n_entries, entries_room;
    size_t n_dicts;
} aim__pickle;

/* Decode the size bytes at data, which must outlive out. file stands for them in
 * errors, which tell the offset. AIM_EFORMAT; out then needs no fini. */
int aim__pickle_decode(const unsigned char *data, size_t size, const char *file, aim__pickle *out,
                       aim_error *err);
void aim__pickle_fini(aim__pickle *p);

/* The count items of a tuple, call or persistent id. */
static inline const aim__value *aim__pickle_items(const aim__pickle *p, const aim__value *v)
{
    return p->items + v->index;
}

#endif
