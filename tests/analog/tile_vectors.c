/* SPDX-License-Identifier: Apache-2.0 */
/* tile_vectors.c - run every file of test vectors of a folder through the
 * evaluators of analog tiles and say how many outputs differ.
 *
 *   tile_vectors DIR
 *
 * Files: lin_*.json, quantize_weights*.json, clip_weights*.json and
 * split_sizes*.json; others are left alone. Exit status: 0 if all agree, 1 if
 * something differs or a file is bad, 2 for a wrong call. */
#include "tally.h"

#include "base/alloc.h"
#include "base/file.h"

#include <dirent.h>
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE = 64 << 20, HEAP_PER_BYTE = 64 };

/* The integer evaluator with 16 bits may miss one output of a thousand. */
static const double MAX_OFF = 0.001;

typedef int run_file_fn(vector_source file, tally *t, aim_error *err);

static const struct file_kind {
    const char *pattern;
    run_file_fn *run;
} KINDS[] = {
    {"lin_*.json", run_linear_case},
    {"quantize_weights*.json", run_quantise_weights},
    {"clip_weights*.json", run_clip_weights},
    {"split_sizes*.json", run_split_sizes},
};

static const struct file_kind *kind_of(const char *name)
{
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++)
        if (!fnmatch(KINDS[i].pattern, name, 0))
            return &KINDS[i];
    return NULL;
}

static int is_vector_file(const struct dirent *entry)
{
    return kind_of(entry->d_name) != NULL;
}

static json_t *load(const char *folder, const char *name, aim_error *err)
{
    size_t len;
    char *path = aim_path_join(folder, name);
    if (!path) {
        aim_fail_nomem(err, name);
        return NULL;
    }
    char *text = aim_read_file(path, MAX_FILE, &len, err);
    aim_free(path);
    if (!text)
        return NULL;
    json_t *doc = aim_json_parse(text, len, HEAP_PER_BYTE * (len + 1024), name, err);
    aim_free(text);
    return doc;
}

static int run_file(const char *folder, const char *name, tally *t)
{
    aim_error err = {0};
    json_t *doc = load(folder, name, &err);
    int code = doc ? kind_of(name)->run((vector_source){doc, name}, t, &err) : (int)err.code;
    json_decref(doc);
    if (code && !strncmp(err.text, name, strlen(name)))
        printf("%s\n", err.text);
    else if (code)
        printf("%s: %s\n", name, err.text);
    return code;
}

static void print_integer(const char *name, const integer_tally *t)
{
    printf("integer evaluator, %s: cases %ld (%ld not done) outputs %ld, off %ld (%.4f %%), "
           "readings more than "
           "one ADC step off %ld, RMS error %.3g of the outputs\n",
           name, t->cases, t->not_done, t->outputs, t->off,
           t->outputs ? 100.0 * t->off / t->outputs : 0.0, t->far_readings,
           t->outputs ? sqrt(t->error_squares / t->outputs) : 0.0);
}

/* A case that the integer evaluator never saw must not count as agreement. */
static bool is_integer_complete(const tally *t)
{
    long seen = t->bits16.cases + t->bits16.not_done + t->ties.cases + t->ties.not_done;
    if (seen != t->with_converters)
        printf("integer evaluator, 16 bits: saw %ld of %ld cases with a DAC and an ADC\n", seen,
               t->with_converters);
    return seen == t->with_converters;
}

static int report(const tally *t, int bad_files)
{
    bool integer_ok = t->bits16.off <= MAX_OFF * t->bits16.outputs && !t->bits16.far_readings;
    bool complete = is_integer_complete(t);
    printf("cases %ld outputs %ld mismatches %ld bad files %d\n", t->cases, t->outputs,
           t->mismatches, bad_files);
    print_integer("16 bits", &t->bits16);
    print_integer("16 bits, exact ties", &t->ties);
    print_integer("8 bits", &t->bits8);
    printf("integer evaluator, 4 bits: cases %ld\n", t->four_bits);
    if (!integer_ok)
        printf("integer evaluator, 16 bits: more than %g of the outputs are off, or one by more "
               "than an ADC step\n",
               MAX_OFF);
    return t->mismatches || bad_files || !integer_ok || !complete;
}

int main(int argc, char **argv)
{
    struct dirent **files;
    tally t = {0};
    int bad_files = 0;
    if (argc != 2) {
        fprintf(stderr, "usage: %s DIR\n", argv[0]);
        return 2;
    }
    aim_json_init();
    int n = scandir(argv[1], &files, is_vector_file, alphasort);
    if (n <= 0) {
        fprintf(stderr, "%s: no files of vectors\n", argv[1]);
        return 2;
    }
    for (int i = 0; i < n; i++) {
        bad_files += run_file(argv[1], files[i]->d_name, &t) != AIM_OK;
        free(files[i]);
    }
    free(files);
    return report(&t, bad_files);
}
