/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/pickle_globals.h"

#include <string.h>

static const aim__global table[] = {
    {"collections", "OrderedDict", AIM__ORDERED_DICT, NULL},
    {"torch._utils", "_rebuild_tensor_v2", AIM__REBUILD_TENSOR, NULL},
    {"torch._utils", "_rebuild_parameter", AIM__REBUILD_PARAMETER, NULL},
    {"torch", "Size", AIM__SIZE, NULL},
    {"torch", "FloatStorage", AIM__STORAGE, "F32"},
    {"torch", "HalfStorage", AIM__STORAGE, "F16"},
    {"torch", "BFloat16Storage", AIM__STORAGE, "BF16"},
    {"torch", "DoubleStorage", AIM__STORAGE, "F64"},
    {"torch", "LongStorage", AIM__STORAGE, "I64"},
    {"torch", "IntStorage", AIM__STORAGE, "I32"},
    {"torch", "ShortStorage", AIM__STORAGE, "I16"},
    {"torch", "CharStorage", AIM__STORAGE, "I8"},
    {"torch", "ByteStorage", AIM__STORAGE, "U8"},
    {"torch", "BoolStorage", AIM__STORAGE, "BOOL"},
};

#define OPAQUE_PACKAGE "aihwkit_lightning."

static bool equals(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(text, word, len) == 0;
}

const aim__global *aim__global_find(const char *module, size_t module_len, const char *name,
                                    size_t name_len)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (equals(module, module_len, table[i].module) && equals(name, name_len, table[i].name))
            return &table[i];
    return NULL;
}

bool aim__global_is_opaque(const char *module, size_t module_len, const char *name, size_t name_len)
{
    size_t n = strlen(OPAQUE_PACKAGE);
    if (module_len > n && memcmp(module, OPAQUE_PACKAGE, n) == 0)
        return true;
    return equals(module, module_len, "__builtin__") && equals(name, name_len, "getattr");
}
