/* SPDX-License-Identifier: Apache-2.0 */
/* replay_main.c - stands in for libFuzzer: runs the target once on each file
 * named on the command line. */
#include "tests/fuzz/fuzz.h"

#pragma weak LLVMFuzzerInitialize

static size_t file_size(FILE *f)
{
    fseek(f, 0, SEEK_END);
    long end = ftell(f);
    rewind(f);
    return end > 0 ? (size_t)end : 0;
}

/* The input lies in a block of its exact size, so that a sanitizer sees a read
 * behind its end. */
static int replay(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return -1;
    }
    size_t size = file_size(f);
    uint8_t *data = malloc(size ? size : 1);
    int rc = data && fread(data, 1, size, f) == size ? 0 : -1;
    if (rc == 0)
        LLVMFuzzerTestOneInput(data, size);
    else
        fprintf(stderr, "%s: cannot read\n", path);
    free(data);
    fclose(f);
    return rc;
}

int main(int argc, char **argv)
{
    if (LLVMFuzzerInitialize)
        LLVMFuzzerInitialize(&argc, &argv);
    int failed = 0;
    for (int i = 1; i < argc; i++)
        failed |= replay(argv[i]);
    printf("%s: %d inputs\n", argv[0], argc - 1);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
