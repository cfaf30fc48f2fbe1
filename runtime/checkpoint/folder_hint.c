/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/folder_hint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define GGUF                                                                                       \
    "GGUF is not read: serve the original folder, with model.safetensors or pytorch_model.bin"
#define ADAPTER                                                                                    \
    "the folder holds an adapter (LoRA), not a model: merge it into its base model and serve "     \
    "what that saves"
#define ORIGINAL                                                                                   \
    "the folder has its publisher's own format: serve the one that Hugging Face's transformers "   \
    "read"
#define NO_TOKENIZER_JSON                                                                          \
    "make tokenizer.json with AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR) of "         \
    "Python's transformers"
#define UNFINISHED "its index names it: was the download finished?"
#define NO_INDEX "there are shards, but not the index that tells what is in them: fetch that too"

/* What a folder holds that lacks a part, and what it then is; the first row that
 * fits counts. Patterns are those of fnmatch(3). */
static const struct hint {
    enum aim_folder_part missing;
    const char *present;
    const char *text;
} hints[] = {
    {AIM_FOLDER_CONFIG, "adapter_config.json", ADAPTER},
    {AIM_FOLDER_CONFIG, "*.gguf", GGUF},
    {AIM_FOLDER_CONFIG, "snapshots",
     "a folder of the hub's cache: serve the folder snapshots/REVISION inside"},
    {AIM_FOLDER_CONFIG, "params.json", ORIGINAL},
    {AIM_FOLDER_TOKENIZER, "tokenizer.model", NO_TOKENIZER_JSON},
    {AIM_FOLDER_TOKENIZER, "vocab.json", NO_TOKENIZER_JSON},
    {AIM_FOLDER_TOKENIZER, "*",
     "the folder has no tokenizer: fetch tokenizer.json and tokenizer_config.json too"},
    {AIM_FOLDER_WEIGHTS, "model.safetensors.index.json", UNFINISHED},
    {AIM_FOLDER_WEIGHTS, "pytorch_model.bin.index.json", UNFINISHED},
    {AIM_FOLDER_WEIGHTS, "model-*-of-*.safetensors", NO_INDEX},
    {AIM_FOLDER_WEIGHTS, "pytorch_model-*-of-*.bin", NO_INDEX},
    {AIM_FOLDER_WEIGHTS, "adapter_config.json", ADAPTER},
    {AIM_FOLDER_WEIGHTS, "*.gguf", GGUF},
    {AIM_FOLDER_WEIGHTS, "consolidated*", ORIGINAL},
};

enum { N_HINTS = sizeof hints / sizeof hints[0] };

typedef bool entry_fn(DIR *folder, const char *name, const void *arg);

static bool matches(DIR *folder, const char *name, const void *pattern)
{
    (void)folder;
    return fnmatch(pattern, name, FNM_PERIOD) == 0;
}

static bool is_dangling(DIR *folder, const char *name, const void *arg)
{
    struct stat st;
    (void)arg;
    return fstatat(dirfd(folder), name, &st, 0) != 0 && errno == ENOENT &&
           fstatat(dirfd(folder), name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The first entry that fits, copied into name. */
static bool find_entry(const char *dir, entry_fn *fits, const void *arg, char name[NAME_MAX + 1])
{
    DIR *folder = opendir(dir);
    bool found = false;
    for (struct dirent *e; folder && !found && (e = readdir(folder));) {
        found = fits(folder, e->d_name, arg);
        snprintf(name, NAME_MAX + 1, "%s", e->d_name);
    }
    if (folder)
        closedir(folder);
    return found;
}

/* "org/name", as models are called on the hub. */
static bool is_hub_name(const char *dir)
{
    const char *slash = strchr(dir, '/');
    return slash && slash > dir && slash[1] && !strchr(slash + 1, '/') && dir[0] != '.';
}

int aim_folder_explain(const char *dir, enum aim_folder_part part, const aim_error *cause,
                       aim_error *err)
{
    struct stat st;
    char name[NAME_MAX + 1];
    bool there = stat(dir, &st) == 0;
    if (!there && errno == ENOENT)
        return aim_fail(err, cause->code, "%s: no such folder%s", dir,
                        is_hub_name(dir) ? "; nothing is downloaded: fetch the model first" : "");
    if (there && !S_ISDIR(st.st_mode))
        return aim_fail(err, cause->code, "%s: not a folder%s", dir,
                        fnmatch("*.gguf", dir, 0) == 0 ? "; " GGUF : "");
    if (cause->code == AIM_ENOTFOUND && find_entry(dir, is_dangling, NULL, name))
        return aim_fail(err, cause->code, "%s; %.100s is a symbolic link to a file that is gone",
                        cause->text, name);
    for (int i = 0; cause->code == AIM_ENOTFOUND && i < N_HINTS; i++)
        if (hints[i].missing == part && find_entry(dir, matches, hints[i].present, name))
            return aim_fail(err, cause->code, "%s; %s", cause->text, hints[i].text);
    return aim_fail_param(err, cause->code, cause->param, "%s", cause->text);
}
