/* SPDX-License-Identifier: Apache-2.0 */
#include "text/answer_internal.h"

void aim_answer_canonical(const char *answer, size_t len, aim_buf *out)
{
    aim_buf_append(out, answer, len);
}
