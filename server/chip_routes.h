/* SPDX-License-Identifier: Apache-2.0 */
/* chip_routes.h - what the routes of a chip begin with. Each answers x where it returns
 * NULL or false. */
#ifndef AIMD_CHIP_ROUTES_H
#define AIMD_CHIP_ROUTES_H

#include "server/chip_body.h"

/* The chip that the path names, or 404. */
aimd_chip *aimd_chip_of_path(aimd_daemon *d, aimd_exchange *x);
/* Is a state of it served? Else 409, or 503 while it is programmed. */
bool aimd_chip_is_served(const aimd_chip *c, aimd_exchange *x);
/* The same, and nothing is being done to it; else 409. */
bool aimd_chip_is_free(const aimd_chip *c, aimd_exchange *x);

#endif
