/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json, and behind the first NUL byte, if there is one,
 * tokenizer_config.json. What loads must also encode and decode. */
#include "tests/fuzz/fuzz.h"

#include "base/json.h"
#include "text/tokenizer.h"

#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    aim_json_init();
    return 0;
}

/* Patterns and prefix spaces may change or refuse a text, so that only ranges
 * and errors are checked here; fuzz_encode looks for the same text back. */
static void use(const aim_tokenizer *t)
{
    static const char text[] = "It's 12 o'clock:\r\n  <|end|> \xC3\xA9\xE4\xBD\xA0 e\xCC\x81\t \n";
    aim_ids ids = {0};
    aim_buf back = AIM_BUF_INIT;
    aim_error err = {0};
    int code = aim_tokenizer_encode(t, text, sizeof text - 1, AIM_PARSE_SPECIAL | AIM_ADD_SPECIAL,
                                    NULL, 0, &ids, &err);
    FUZZ_EXPECT(code == (int)err.code);
    FUZZ_EXPECT(code || ids.n > 0);
    for (size_t i = 0; i < ids.n; i++)
        FUZZ_EXPECT(ids.v[i] >= 0 && ids.v[i] < aim_tokenizer_size(t));
    FUZZ_EXPECT(aim_tokenizer_decode(t, ids.v, ids.n, false, &back, &err) == AIM_OK);
    FUZZ_EXPECT(aim_tokenizer_bos_id(t) < aim_tokenizer_size(t));
    aim_buf_free(&back);
    aim_ids_free(&ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *json = (const char *)data;
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    size_t json_len = nul ? (size_t)(nul - data) : size;
    const char *config = nul ? (const char *)nul + 1 : NULL;
    aim_error err = {0};
    aim_tokenizer *t =
        aim_tokenizer_parse(json, json_len, config, nul ? size - json_len - 1 : 0, &err);
    FUZZ_EXPECT((t != NULL) == (err.code == AIM_OK));
    if (t)
        use(t);
    else
        FUZZ_EXPECT(err.text[0] != '\0');
    aim_tokenizer_free(t);
    return 0;
}
