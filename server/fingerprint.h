/* SPDX-License-Identifier: Apache-2.0 */
/* fingerprint.h - system_fingerprint: equal as long as the same request gives
 * the same answer. */
#ifndef AIMD_FINGERPRINT_H
#define AIMD_FINGERPRINT_H

#include "analog/chip.h"
#include "server/options.h"

enum { AIMD_FINGERPRINT_SIZE = 32 };

/* "fp_" and 16 hexadecimal digits: a hash of this build, of the model's backend, random
 * weights, chat template and defaults of searches, the kernels where they decide the last
 * bits, the files of the model's folder, what makes the chip, NULL if there is none, and
 * the layout of a reward model, NULL for a generator. Reads at most 1 MiB of each file,
 * spread over it. */
void aimd_fingerprint(const aimd_model_options *m, const char *kernels, const aim_chip *chip,
                      const char *layout, char out[AIMD_FINGERPRINT_SIZE]);

/* Of answers that two models make together: a hash of both fingerprints, of the same form. */
void aimd_fingerprint_join(const char *a, const char *b, char out[AIMD_FINGERPRINT_SIZE]);

/* 16 hexadecimal digits that tell apart what chips are programmed from: the weights in
 * the model's folder, sampled likewise, and its configuration; or its random weights. */
enum { AIMD_WEIGHTS_DIGEST_SIZE = 17 };
void aimd_weights_digest(const aimd_model_options *m, char out[AIMD_WEIGHTS_DIGEST_SIZE]);

#endif
