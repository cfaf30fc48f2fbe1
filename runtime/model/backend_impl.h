/* SPDX-License-Identifier: Apache-2.0 */
/* backend_impl.h - the rows of the table in backend.c. To add a backend, write
 * backend_NAME.c, declare its row here and list it there. */
#ifndef AIM_MODEL_BACKEND_IMPL_H
#define AIM_MODEL_BACKEND_IMPL_H

#include "model/backend.h"

extern const aim_backend aim__backend_int8;
extern const aim_backend aim__backend_f32;

#endif
