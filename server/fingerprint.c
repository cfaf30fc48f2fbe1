/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "server/fingerprint.h"

#include "analog/chip_digest.h"
#include "base/alloc.h"
#include "base/file.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_START 0xcbf29ce484222325u

/* FNV-1a, 64 bits: names builds and models apart, protects nothing. */
static uint64_t hash_bytes(uint64_t h, const void *bytes, size_t n)
{
    for (const unsigned char *p = bytes; n > 0; n--)
        h = (h ^ *p++) * 0x100000001b3u;
    return h;
}

static uint64_t hash_text(uint64_t h, const char *s)
{
    return hash_bytes(h, s, strlen(s) + 1);
}

enum { SAMPLE = 4096, SAMPLES = 256 };

/* Name, size, and SAMPLES pieces at equal distances, which is all of a file
 * of up to 1 MiB: reading all weights twice would double the start-up time. */
static uint64_t hash_file(uint64_t h, const char *dir, const char *name)
{
    aim_map map;
    if (aim_map_open(dir, name, &map, NULL))
        return h;
    uint64_t size = map.size;
    h = hash_bytes(hash_text(h, name), &size, sizeof size);
    size_t stride = map.size / SAMPLES > SAMPLE ? map.size / SAMPLES : SAMPLE;
    for (size_t at = 0; at < map.size; at += stride)
        h = hash_bytes(h, map.data + at, map.size - at < SAMPLE ? map.size - at : SAMPLE);
    aim_map_close(&map);
    return h;
}

static bool ends_in(const char *name, const char *const endings[])
{
    size_t len = strlen(name);
    for (int i = 0; endings[i]; i++) {
        size_t n = strlen(endings[i]);
        if (len > n && strcmp(name + len - n, endings[i]) == 0)
            return true;
    }
    return false;
}

static int is_model_file(const struct dirent *e)
{
    static const char *const endings[] = {".safetensors", ".bin", ".json", ".jinja", NULL};
    return ends_in(e->d_name, endings);
}

static int is_of_weights(const struct dirent *e)
{
    static const char *const endings[] = {".safetensors", ".bin", NULL};
    return ends_in(e->d_name, endings) || strcmp(e->d_name, "config.json") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static uint64_t hash_files(uint64_t h, const char *dir, int (*wanted)(const struct dirent *e))
{
    struct dirent **files = NULL;
    int n = scandir(dir, &files, wanted, by_name);
    for (int i = 0; i < n; i++) {
        h = hash_file(h, dir, files[i]->d_name);
        free(files[i]);
    }
    free(files);
    return h;
}

static uint64_t hash_chip(uint64_t h, const aim_chip *chip)
{
    char digest[AIM_SHA256_HEX];
    if (!chip)
        return h;
    aim_chip_digest(chip, digest);
    return hash_text(h, digest);
}

/* Integer sums are exact: answers do not depend on the kernels where they are used. */
static bool kernels_matter(const char *backend)
{
    static const char *const exact[] = {"int8", "int4", "analog", NULL};
    int i = 0;
    while (exact[i] && strcmp(exact[i], backend) != 0)
        i++;
    return !exact[i];
}

/* Defaults of searches that are not the usual ones: answers to requests that leave them
 * out depend on them. */
static uint64_t hash_search(uint64_t h, const aimd_search_defaults *s)
{
    const struct {
        const char *name, *value, *usual;
    } texts[] = {
        {"select", s->select, "auto"},
        {"reward_model", s->reward_model, NULL},
        {"reward_aggregation", s->reward_aggregation, "last"},
        {"search", s->search, "best_of_n"},
        {"step_separator", s->step_separator, NULL},
        {"answer_pattern", s->answer_pattern, NULL},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].value && (!texts[i].usual || strcmp(texts[i].value, texts[i].usual) != 0))
            h = hash_text(hash_text(h, texts[i].name), texts[i].value);
    if (s->best_of > 1)
        h = hash_bytes(hash_text(h, "best_of"), &s->best_of, sizeof s->best_of);
    if (s->beam_width > 0 && s->beam_width != 4)
        h = hash_bytes(hash_text(h, "beam_width"), &s->beam_width, sizeof s->beam_width);
    return h;
}

/* Those that answers depend on, of a model that is not told to be as its folder says. */
static uint64_t hash_options(uint64_t h, const aimd_model_options *m)
{
    if (m->random_weights)
        h = hash_text(hash_text(h, "random_weights"), m->random_weights);
    if (strcmp(m->chat_template, "auto") != 0)
        h = hash_text(hash_text(h, "chat_template"), m->chat_template);
    return hash_search(h, &m->search);
}

static void write_fingerprint(uint64_t h, char out[AIMD_FINGERPRINT_SIZE])
{
    snprintf(out, AIMD_FINGERPRINT_SIZE, "fp_%016llx", (unsigned long long)h);
}

void aimd_fingerprint(const aimd_model_options *m, const char *kernels, const aim_chip *chip,
                      const char *layout, char out[AIMD_FINGERPRINT_SIZE])
{
    uint64_t h = hash_text(HASH_START, PACKAGE_VERSION);
    h = hash_options(hash_chip(hash_text(h, m->backend), chip), m);
    if (layout)
        h = hash_text(hash_text(h, "layout"), layout);
    if (kernels_matter(m->backend))
        h = hash_text(h, kernels);
    h = hash_files(h, m->dir, is_model_file);
    write_fingerprint(h, out);
}

void aimd_fingerprint_join(const char *a, const char *b, char out[AIMD_FINGERPRINT_SIZE])
{
    write_fingerprint(hash_text(hash_text(HASH_START, a), b), out);
}

void aimd_weights_digest(const aimd_model_options *m, char out[AIMD_WEIGHTS_DIGEST_SIZE])
{
    uint64_t h = hash_text(HASH_START, m->random_weights ? m->random_weights : "");
    if (!m->random_weights)
        h = hash_files(h, m->dir, is_of_weights);
    snprintf(out, AIMD_WEIGHTS_DIGEST_SIZE, "%016llx", (unsigned long long)h);
}
