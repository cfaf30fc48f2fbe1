/* SPDX-License-Identifier: Apache-2.0 */
#include "base/optimise.h"

#define ROW aim__noise_portable
#define ROW_NAME "portable"
#define ROW_NEEDS 0
#include "analog/noise_loops.inc.h"
