/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/cpu_name.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

enum { LINE = 256, CACHES = 8 };

/* The value of a field of /proc/cpuinfo for the first CPU; false: it has none. */
static bool read_field(const char *field, char *value)
{
    char line[LINE];
    bool found = false;
    FILE *f = fopen("/proc/cpuinfo", "re");
    while (f && !found && fgets(line, sizeof line, f)) {
        if (strncmp(line, field, strlen(field)) != 0)
            continue;
        const char *at = line + strlen(field);
        at += strspn(at, " \t");
        found = *at == ':';
        at += found;
        at += strspn(at, " \t");
        snprintf(value, LINE, "%.*s", (int)strcspn(at, "\n"), at);
    }
    if (f)
        fclose(f);
    return found;
}

/* The first line of a file of sysfs about a cache of the first CPU. */
static bool read_cache(int index, const char *file, char *value)
{
    char path[LINE];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, file);
    FILE *f = fopen(path, "re");
    bool ok = f && fgets(value, LINE, f);
    if (f)
        fclose(f);
    return ok;
}

/* Of the cache of level 3; 0: unknown, or none. */
static long l3_kib(void)
{
    char level[LINE], size[LINE];
    for (int i = 0; i < CACHES; i++)
        if (read_cache(i, "level", level) && atoi(level) == 3 && read_cache(i, "size", size))
            return strtol(size, NULL, 10); /* "32768K" */
    return 0;
}

/* Of x86, then of Arm. */
static const struct {
    const char *field, *word;
} revisions[] = {
    {"cpu family", "family"},           {"model", "model"},   {"stepping", "stepping"},
    {"CPU implementer", "implementer"}, {"CPU part", "part"}, {"CPU revision", "revision"},
};

/* Each word with its value, and a space before all but the first. */
static void describe_revision(char *text, size_t size)
{
    char value[LINE];
    size_t used = 0;
    snprintf(text, size, "revision unknown");
    for (size_t i = 0; i < sizeof revisions / sizeof revisions[0]; i++)
        if (used < size && read_field(revisions[i].field, value))
            used += (size_t)snprintf(text + used, size - used, "%s%s %.16s", used ? " " : "",
                                     revisions[i].word, value);
}

static void describe_l3(char *text, size_t size)
{
    long kib = l3_kib();
    if (kib > 0)
        snprintf(text, size, "%.4g MiB L3", (double)kib / 1024);
    else
        snprintf(text, size, "L3 unknown");
}

void cpu_describe(char *text)
{
    char name[LINE], revision[128], l3[32];
    struct utsname system;
    if (!read_field("model name", name))
        snprintf(name, sizeof name, "%s", uname(&system) == 0 ? system.machine : "unknown");
    describe_revision(revision, sizeof revision);
    describe_l3(l3, sizeof l3);
    snprintf(text, CPU_NAME, "%.80s (%s, %s)", name, revision, l3);
}
