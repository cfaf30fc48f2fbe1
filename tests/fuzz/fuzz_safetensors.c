/* SPDX-License-Identifier: Apache-2.0 */
/* A safetensors file: header rules, and reading every float tensor found. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_tensor.h"

#include "base/json.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    aim_json_init();
    return 0;
}

static int read_tensor(void *arg, const aim_tensor *t, aim_error *err)
{
    (void)err;
    size_t *total = arg;
    *total += t->bytes;
    fuzz_read_tensor(t);
    return AIM_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    aim_error err = {0};
    size_t total = 0;
    int code = aim_safetensors_parse(data, size, "fuzz", read_tensor, &total, &err);
    FUZZ_EXPECT((code == AIM_OK) == (err.code == AIM_OK));
    FUZZ_EXPECT(code == AIM_OK || err.text[0] != '\0');
    FUZZ_EXPECT(code != AIM_OK || total < size);
    return 0;
}
