/* SPDX-License-Identifier: Apache-2.0 */
/* pickle_globals.h - the few names of Python objects a pickled state dict may
 * mention. They are looked up in a table and never resolved by name. */
#ifndef AIM_CHECKPOINT_PICKLE_GLOBALS_H
#define AIM_CHECKPOINT_PICKLE_GLOBALS_H

#include <stdbool.h>
#include <stddef.h>

enum aim__global_kind {
    AIM__ORDERED_DICT,      /* collections.OrderedDict */
    AIM__REBUILD_TENSOR,    /* torch._utils._rebuild_tensor_v2 */
    AIM__REBUILD_PARAMETER, /* torch._utils._rebuild_parameter */
    AIM__SIZE,              /* torch.Size */
    AIM__STORAGE,           /* torch.FloatStorage and its like */
};

typedef struct aim__global {
    const char *module, *name;
    enum aim__global_kind kind;
    const char *dtype; /* of a storage, as dtype.h spells it; otherwise NULL */
} aim__global;

/* Not NUL-terminated; NULL if the table has no such row. */
const aim__global *aim__global_find(const char *module, size_t module_len, const char *name,
                                    size_t name_len);

/* Is it one of the names that configurations of analog layers are pickled with
 * (classes of aihwkit-lightning, and getattr, which spells its enumerations)?
 * They may stand below `_metadata` only and mean nothing here. */
bool aim__global_is_opaque(const char *module, size_t module_len, const char *name,
                           size_t name_len);

#endif
