/* SPDX-License-Identifier: Apache-2.0 */
/* pickle_machine.h - the state of pickle.c while it decodes, and what every opcode
 * does with it: take bytes of the pickle, push and pop values.
 *
 * Functions that return int give 0 or a code with an error recorded; the others
 * tell failure by NULL. */
#ifndef AIM_CHECKPOINT_PICKLE_MACHINE_H
#define AIM_CHECKPOINT_PICKLE_MACHINE_H

#include "checkpoint/pickle.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AIM__PICKLE_STACK = 100000 }; /* values and marks at the most */

#define AIM__TO_MARK SIZE_MAX /* as an operand: as many as lie above the last mark */

struct aim__pickle_machine {
    const unsigned char *begin, *p, *end;
    const unsigned char *opcode; /* the one at work, for errors */
    const char *file;
    aim_error *err;
    aim__value *stack;
    size_t depth, stack_room;
    size_t *marks; /* depths of the stack, rising */
    size_t n_marks, marks_room;
    aim__value *memo;
    size_t n_memo, memo_room;
    size_t metadata; /* where on the stack a "_metadata" was pushed last */
    bool stopped;
    aim__pickle *out;
};

/* Record "file: pickle, byte n: why"; returns AIM_EFORMAT. */
int aim__pickle_fail(struct aim__pickle_machine *m, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- the pickle's bytes --------------------------------------------------- */

/* The next n bytes; NULL if there are fewer. */
const unsigned char *aim__pickle_take(struct aim__pickle_machine *m, size_t n);
/* An unsigned number of 1, 2 or 4 bytes. */
int aim__pickle_take_number(struct aim__pickle_machine *m, size_t width, uint32_t *number);
/* Printable text up to the line's end, which is passed over. */
int aim__pickle_take_line(struct aim__pickle_machine *m, const char **text, size_t *len);

/* ---- the stack ------------------------------------------------------------ */

int aim__pickle_push(struct aim__pickle_machine *m, aim__value v);
/* Values that an opcode may take: those above the last mark. */
size_t aim__pickle_available(const struct aim__pickle_machine *m);
/* Borrowed until the next push; NULL if no value may be taken. */
aim__value *aim__pickle_top(struct aim__pickle_machine *m);
int aim__pickle_pop(struct aim__pickle_machine *m, aim__value *v);
int aim__pickle_push_mark(struct aim__pickle_machine *m);
/* How many values an opcode folds: `operand`, or those above the last mark, which
 * goes. The stack then has that many. */
int aim__pickle_take_count(struct aim__pickle_machine *m, size_t operand, size_t *count);

/* Is a value pushed now a part of what the `_metadata` of an OrderedDict will be
 * set to? Its attributes are a dict, and the value follows its key. */
bool aim__pickle_below_metadata(const struct aim__pickle_machine *m);

#endif
