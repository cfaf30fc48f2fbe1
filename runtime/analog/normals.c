/* SPDX-License-Identifier: Apache-2.0 */
#include "analog/normals.h"

#include "analog/noise_loops.h"

#include <string.h>

enum { GROUP = AIM__NORMAL_GROUP };

/* Columns [first, first + n) of one group. */
static void part_of_group(const aim_device_row *row, enum aim_stream stream, int first, int n,
                          float *out)
{
    float group[GROUP];
    aim__noise_loops_pick()->normal_groups(row, stream, first / GROUP, 1, group);
    memcpy(out, group + first % GROUP, (size_t)n * sizeof *out);
}

void aim_normals_from(const aim_device_row *row, enum aim_stream stream, int first, int n,
                      float *out)
{
    int lead = (GROUP - first % GROUP) % GROUP;
    if (lead) {
        lead = lead < n ? lead : n;
        part_of_group(row, stream, first, lead, out);
    }
    int whole = (n - lead) / GROUP, rest = (n - lead) % GROUP;
    if (whole)
        aim__noise_loops_pick()->normal_groups(row, stream, (first + lead) / GROUP, whole,
                                               out + lead);
    if (rest)
        part_of_group(row, stream, first + n - rest, rest, out + n - rest);
}

void aim_normals(const aim_device_row *row, enum aim_stream stream, int n, float *out)
{
    aim_normals_from(row, stream, 0, n, out);
}

void aim_random_blocks(uint64_t seed, enum aim_stream stream, uint64_t first, int n,
                       aim_rng_block *out)
{
    aim__noise_loops_pick()->random_blocks(seed, stream, first, n, out);
}
