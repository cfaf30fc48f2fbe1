/* SPDX-License-Identifier: Apache-2.0 */
/* fake_tree.h - trees of files like those of the kernel, below a temporary folder. */
#ifndef TESTS_FAKE_TREE_H
#define TESTS_FAKE_TREE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FAKE_FILES = 8 };
#define FAKE_ROOT "/tmp/analogd-test-XXXXXX" /* what make_tree gets, to write the name in */

struct fake_file {
    const char *path, *text;
};

static inline void write_file(const char *root, const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *at = full + strlen(root) + 1; (at = strchr(at, '/')); *at++ = '/') {
        *at = '\0';
        mkdir(full, 0700);
    }
    FILE *f = fopen(full, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

/* The file and every folder above it that it leaves empty. */
static inline void remove_file(const char *root, const char *path)
{
    char full[512];
    snprintf(full, sizeof full, "%s%s", root, path);
    remove(full);
    for (char *slash; (slash = strrchr(full, '/')) > full + strlen(root);) {
        *slash = '\0';
        rmdir(full);
    }
}

/* files: up to one without a path. */
static inline void make_tree(char *root, const struct fake_file files[MAX_FAKE_FILES])
{
    ck_assert_ptr_nonnull(mkdtemp(root));
    for (int i = 0; i < MAX_FAKE_FILES && files[i].path; i++)
        write_file(root, files[i].path, files[i].text);
}

static inline void remove_tree(const char *root, const struct fake_file files[MAX_FAKE_FILES])
{
    for (int i = 0; i < MAX_FAKE_FILES && files[i].path; i++)
        remove_file(root, files[i].path);
    ck_assert_int_eq(rmdir(root), 0);
}

#endif
