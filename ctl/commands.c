/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/commands.h"

#include <stddef.h>

enum { USUAL = 60, LONG = 600 }; /* seconds */

const actl_command actl_commands[] = {
    {"status", "", "Tell how the server is doing, and what it serves", 0, 0, 0, USUAL, actl_status},
    {"chips", "[ID]", "List the chips, or show one", 0, 1, 0, USUAL, actl_chips},
    {"program", "MODEL PROFILE", "Program a model on a chip", 2, 2,
     ACTL_GROUP_PROGRAM | ACTL_GROUP_WAIT, USUAL, actl_program},
    {"age", "CHIP AGE", "Set the age of a chip: the time since its first use", 2, 2,
     ACTL_GROUP_WAIT, USUAL, actl_age},
    {"probe", "CHIP", "Compare the layers of a chip with ideal ones", 1, 1, ACTL_GROUP_PROBE, LONG,
     actl_probe},
    {"calibrate", "CHIP [FILE]", "Find the input ranges of a chip from texts", 1, 2,
     ACTL_GROUP_CALIBRATE | ACTL_GROUP_WAIT, USUAL, actl_calibrate},
    {"delete", "CHIP", "Take a chip away", 1, 1, 0, USUAL, actl_delete},
    {0},
};
