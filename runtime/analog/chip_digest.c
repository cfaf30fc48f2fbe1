/* SPDX-License-Identifier: Apache-2.0 */
#include "analog/chip_digest.h"

#include "analog/profile_keys.h"

/* The fields of one section, one by one: what lies between them is not theirs. */
static void add_fields(aim_sha256 *h, enum aim__key_group group, const char *home)
{
    for (int k = 0; k < AIM__N_PROFILE_KEYS; k++) {
        const aim__profile_key *key = &aim__profile_keys[k];
        if (key->group == group && key->type != AIM__KEY_TEXT)
            aim_sha256_update(h, home + key->offset, key->size);
    }
}

static void add_profile(aim_sha256 *h, const aim_profile *profile)
{
    aim_profile p = *profile;
    for (int s = 0; s < AIM__N_SECTIONS; s++) {
        const aim__profile_section *section = &aim__profile_sections[s];
        for (int nth = 0; nth < section->most && section->group != AIM__KEYS_ENERGY; nth++)
            add_fields(h, section->group, aim__profile_home(&p, (enum aim__section_id)s, nth));
    }
}

static void add_ranges(aim_sha256 *h, const aim_input_ranges_set *set)
{
    for (size_t i = 0; set && i < set->n_layers; i++) {
        const aim_layer_ranges *r = &set->layers[i];
        aim_sha256_update(h, &r->layer, sizeof r->layer);
        aim_sha256_update(h, &r->tiles, sizeof r->tiles);
        aim_sha256_update(h, r->range, (size_t)r->tiles * sizeof *r->range);
    }
}

void aim_chip_digest(const aim_chip *chip, char hex[AIM_SHA256_HEX])
{
    aim_sha256 h;
    double age = chip->age + 0.0; /* -0 is the same age as 0 */
    aim_sha256_init(&h);
    add_profile(&h, &chip->profile);
    aim_sha256_update(&h, &chip->seed, sizeof chip->seed);
    if (aim_profile_ages(&chip->profile))
        aim_sha256_update(&h, &age, sizeof age);
    if (chip->profile.tile.input_range == AIM_RANGE_STATIC)
        add_ranges(&h, chip->ranges);
    aim_sha256_final(&h, hex);
}

void aim_profile_digest(const aim_profile *profile, char hex[AIM_SHA256_HEX])
{
    aim_sha256 h;
    aim_sha256_init(&h);
    add_profile(&h, profile);
    aim_sha256_final(&h, hex);
}

void aim_input_ranges_digest(const aim_input_ranges_set *set, char hex[AIM_SHA256_HEX])
{
    aim_sha256 h;
    aim_sha256_init(&h);
    add_ranges(&h, set);
    aim_sha256_final(&h, hex);
}
