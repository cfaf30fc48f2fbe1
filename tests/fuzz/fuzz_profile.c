/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles: any text is either a chip that can be computed with, or an error with a
 * place and a text. */
#include "tests/fuzz/fuzz.h"

#include "analog/profile.h"
#include "base/alloc.h"

#include <math.h>
#include <string.h>

static void check_texts(const aim_profile *p)
{
    FUZZ_EXPECT(strcmp(p->name, "fuzz") == 0);
    FUZZ_EXPECT(p->description[0] && memchr(p->description, '\0', sizeof p->description));
    FUZZ_EXPECT(p->source[0] && memchr(p->source, '\0', sizeof p->source));
    FUZZ_EXPECT(memchr(p->energy.source, '\0', sizeof p->energy.source));
}

static void check_device(const aim_profile *p)
{
    const aim_device_model *m = &p->device;
    FUZZ_EXPECT(m->n_spreads >= 1 && m->n_spreads <= AIM_DEVICE_MAX_SPREADS);
    FUZZ_EXPECT(m->g_max > 0 && m->fitted_g_max > 0 && p->g_min >= 0 && p->g_min < m->g_max);
    float g = aim_device_program(m, m->n_spreads - 1, m->g_max, 3);
    FUZZ_EXPECT(g >= 0 && isfinite(g));
    if (!p->drift || m->n_spreads > 1)
        return;
    aim_device_age age = aim_device_age_of(m, 31536e3);
    float drifted = aim_device_drift(&age, g, aim_device_drift_exponent(m, m->g_max, 3));
    g = aim_device_read(m, &age, g, drifted, 3);
    FUZZ_EXPECT(g >= 0 && isfinite(g));
}

static void check_profile(const aim_profile *p)
{
    check_texts(p);
    FUZZ_EXPECT(aim_profile_check(p, NULL) == AIM_OK);
    FUZZ_EXPECT(aim_tile_settings_check(&p->tile, NULL) == AIM_OK);
    FUZZ_EXPECT(p->conductance_bits == 8 || p->conductance_bits == 16);
    FUZZ_EXPECT(p->on_tiles > 0 && p->on_tiles < 8);
    if (p->programming == AIM_PROGRAMMING_PCM)
        FUZZ_EXPECT(aim_pcm_deviation(&p->pcm, p->pcm.g_max) >= 0);
    if (p->programming == AIM_PROGRAMMING_DEVICES)
        check_device(p);
    else
        FUZZ_EXPECT(!p->drift && p->compensation == AIM_COMPENSATION_NONE);
    aim_chip_cost cost = aim_energy_of_layer(&p->energy, p->tile.max_input_size, 128256, 8192);
    FUZZ_EXPECT(cost.joule >= 0 && isfinite(cost.joule));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    aim_profile p;
    aim_error err = {0};
    char *text = aim_strndup((const char *)data, size);
    FUZZ_EXPECT(text);
    int code = aim_profile_parse(text, "fuzz.conf", &p, &err);
    FUZZ_EXPECT(code == (int)err.code);
    if (code == AIM_OK)
        check_profile(&p);
    else
        FUZZ_EXPECT(strncmp(err.text, "fuzz.conf:", strlen("fuzz.conf:")) == 0);
    aim_free(text);
    return 0;
}
