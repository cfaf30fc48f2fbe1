/* SPDX-License-Identifier: Apache-2.0 */
/* analogd.conf: any text is either a configuration or an error with a text. */
#include "base/alloc.h"
#include "server/options.h"

#include "tests/fuzz/fuzz.h"

#include <string.h>

static void expect_sound_chip(const aimd_model_options *m)
{
    FUZZ_EXPECT(aimd_is_analog(m->backend) == (m->profile != NULL));
    FUZZ_EXPECT(m->chip_seed <= UINT64_C(1) << 53);
    FUZZ_EXPECT(m->chip_age >= 0 && m->chip_age <= 1e11); /* no NaN either */
    FUZZ_EXPECT(m->out_bound >= 0 && m->out_bound <= 1000);
    FUZZ_EXPECT(m->conductance_bits == 0 || m->conductance_bits == 8 || m->conductance_bits == 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    aimd_options o;
    aim_error err = {0};
    char *text = aim_strndup((const char *)data, size);
    FUZZ_EXPECT(text);
    int rc = aimd_options_parse_text(text, "fuzz.conf", &o, &err);
    if (rc == 0) {
        FUZZ_EXPECT(o.n_models > 0 && o.models[0].id && o.models[0].dir && o.listen.host);
        FUZZ_EXPECT(o.api_key_file || aimd_is_loopback(o.listen.host));
        FUZZ_EXPECT(o.max_n >= 1 && o.max_body_bytes >= 1024);
        FUZZ_EXPECT(o.profile_dirs && o.profile_dirs[0]);
        for (size_t i = 0; i < o.n_models; i++)
            expect_sound_chip(&o.models[i]);
    } else {
        FUZZ_EXPECT(err.code && err.text[0]);
    }
    aimd_options_free(&o);
    aim_free(text);
    return 0;
}
