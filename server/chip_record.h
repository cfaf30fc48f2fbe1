/* SPDX-License-Identifier: Apache-2.0 */
/* chip_record.h - what is kept of a chip, as JSON: what it is made from, and digests
 * that tell whether that is still the same. Any thread. */
#ifndef AIMD_CHIP_RECORD_H
#define AIMD_CHIP_RECORD_H

#include "base/buf.h"
#include "base/json.h"
#include "base/sha256.h"
#include "server/chip_store.h"
#include "server/fingerprint.h"

/* Texts are borrowed, of a record that was read from its document. */
typedef struct aimd_chip_record {
    const char *id, *base_model, *backend, *profile;
    char profile_digest[AIM_SHA256_HEX];    /* of its numbers, as they are used */
    char weights[AIMD_WEIGHTS_DIGEST_SIZE]; /* of the checkpoint */
    char ranges[AIM_SHA256_HEX];            /* of the calibrated ranges; "": none */
    int64_t seed, conductance_bits, created;
    double age, out_bound;
} aimd_chip_record;

/* Reads files of the model's folder. */
void aimd_chip_record_make(const aimd_kept_chip *chip, aimd_chip_record *out);
void aimd_chip_record_write(const aimd_chip_record *r, aim_buf *out);
/* path names the file in errors, AIM_EFORMAT; file outlives *out. */
int aimd_chip_record_read(const json_t *file, const char *path, aimd_chip_record *out,
                          aim_error *err);
/* Is m, which has its chip, what the record was made of? Ranges are not looked at.
 * AIM_EFORMAT says what has changed. */
int aimd_chip_record_check(const aimd_chip_record *r, const aimd_model *m, aim_error *err);

#endif
