/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cgroup.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { PATH_ROOM = 4608, LINE_ROOM = 4352 };

struct walk {
    const char *root, *controller;
    aim_cgroup_fn *fn;
    void *arg;
};

/* The group and all around it. In a container the path can be that of the host,
 * and only its end, the mount itself, be there. */
static void visit_groups(const struct walk *w, int version, char *group)
{
    char folder[PATH_ROOM];
    bool apart = version == 1; /* each controller has a tree of its own */
    for (;;) {
        snprintf(folder, sizeof folder, "%s/sys/fs/cgroup%s%s%s", w->root, apart ? "/" : "",
                 apart ? w->controller : "", group);
        w->fn(w->arg, version, folder);
        char *slash = strrchr(group, '/');
        if (!slash)
            return;
        *slash = '\0';
    }
}

/* Is a name in a list such as "cpu,memory"? */
static bool contains(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (;;) {
        size_t length = strcspn(list, ",");
        if (length == n && memcmp(list, name, n) == 0)
            return true;
        if (list[length] == '\0')
            return false;
        list += length + 1;
    }
}

/* A line of /proc/self/cgroup: "0::/path" for version 2, "4:memory:/path". */
static void visit_line(const struct walk *w, char *line)
{
    char *list = strchr(line, ':');
    char *group = list ? strchr(list + 1, ':') : NULL;
    if (!group)
        return;
    *group++ = '\0';
    if (list[1] == '\0')
        visit_groups(w, 2, group);
    else if (contains(list + 1, w->controller))
        visit_groups(w, 1, group);
}

void aim_cgroup_each(const char *root, const char *controller, aim_cgroup_fn *fn, void *arg)
{
    char path[PATH_ROOM], line[LINE_ROOM];
    struct walk walk = {root, controller, fn, arg};
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        visit_line(&walk, line);
    }
    if (f)
        fclose(f);
}
