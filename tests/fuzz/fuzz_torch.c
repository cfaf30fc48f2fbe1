/* SPDX-License-Identifier: Apache-2.0 */
/* A torch file, and reading every float tensor found. An input that begins as a
 * zip archive does is one; any other is taken for a pickle and put into an archive
 * beside two storages, so that no checksum stands between a change of it and the
 * pickle's reader. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_tensor.h"
#include "tests/unit/torch_archive.h"

static int read_tensor(void *arg, const aim_tensor *t, aim_error *err)
{
    (void)err;
    size_t *largest = arg;
    if (*largest < t->bytes)
        *largest = t->bytes;
    fuzz_read_tensor(t);
    return AIM_OK;
}

static void parse(const uint8_t *data, size_t size)
{
    aim_error err = {0};
    size_t largest = 0;
    int code = aim_torch_parse(data, size, "fuzz", read_tensor, &largest, &err);
    FUZZ_EXPECT((code == AIM_OK) == (err.code == AIM_OK));
    FUZZ_EXPECT(code == AIM_OK || err.text[0] != '\0');
    FUZZ_EXPECT(largest < size || size == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 2 && data[0] == 'P' && data[1] == 'K') {
        parse(data, size);
    } else {
        struct archive a = archive_around(data, size, false);
        parse(a.data, a.size);
        free(a.data);
    }
    return 0;
}
