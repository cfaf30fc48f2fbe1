/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the tables of request fields; `make update-tables` puts them into
 * docs/api.md. */
#include "server/params.h"

#include <stdio.h>

int main(void)
{
    aim_buf out = AIM_BUF_INIT;
    aimd_params_write_doc(&out);
    int failed = out.failed || fwrite(out.data, 1, out.len, stdout) != out.len;
    aim_buf_free(&out);
    return failed;
}
