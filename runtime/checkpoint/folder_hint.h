/* SPDX-License-Identifier: Apache-2.0 */
/* folder_hint.h - what a folder is that is not a model's folder. */
#ifndef AIM_CHECKPOINT_FOLDER_HINT_H
#define AIM_CHECKPOINT_FOLDER_HINT_H

#include "base/error.h"

enum aim_folder_part { AIM_FOLDER_CONFIG, AIM_FOLDER_TOKENIZER, AIM_FOLDER_WEIGHTS };

/* Report that reading a part of folder dir failed with `cause`. Where a file is
 * missing, and what lies in the folder tells why, the text says so too. Returns
 * the code of cause. */
int aim_folder_explain(const char *dir, enum aim_folder_part part, const aim_error *cause,
                       aim_error *err);

#endif
