/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz.h - what a fuzz target defines, and how it reports a finding. */
#ifndef AIM_TESTS_FUZZ_FUZZ_H
#define AIM_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Every target defines this one; it returns 0. data is exactly size bytes, with
 * no NUL behind them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A target may define this one; it is called once, before the first input. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Stop with a crash, which is what libFuzzer records, unless ok holds. */
#define FUZZ_EXPECT(ok)                                                                            \
    do {                                                                                           \
        if (!(ok)) {                                                                               \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #ok);                       \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
