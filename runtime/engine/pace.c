/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pace.h"

#include <stdbool.h>

/* A step with prompt rows over one without, on the average: single ones last longer. */
#define STRETCH 1.8

static bool stale(const aim_pace *p, int decoding)
{
    return p->alone_rows == 0 || p->since_alone >= AIM_PACE_REMEASURE ||
           decoding > 2 * p->alone_rows || 2 * decoding < p->alone_rows;
}

static int clamp(double rows, int least, int most)
{
    int low = least < most ? least : most;
    return rows >= most ? most : rows <= low ? low : (int)rows;
}

int aim__pace_rows(const aim_pace *p, int decoding, int most)
{
    if (decoding == 0 || most <= 1)
        return most;
    if (stale(p, decoding))
        return 1;
    /* Rows may cost more in a longer step than in the short ones measured so far. */
    double rows = 2.0 * p->tried;
    double affordable = (STRETCH - 1) * p->alone_seconds;
    if (p->row_seconds * rows > affordable)
        rows = affordable / p->row_seconds;
    return clamp(rows, AIM_PACE_LEAST, most);
}

static void observe_alone(aim_pace *p, int decoding, double seconds)
{
    bool like_before =
        p->alone_rows > 0 && decoding <= 2 * p->alone_rows && 2 * decoding >= p->alone_rows;
    p->alone_seconds = like_before ? p->alone_seconds + (seconds - p->alone_seconds) / 4 : seconds;
    p->alone_rows = decoding;
    p->since_alone = 0;
}

/* Rises at once and falls slowly: a step that is too long is felt, one that could have
 * been longer is not. */
static void observe_rows(aim_pace *p, int prompt_rows, double seconds)
{
    double each = seconds > p->alone_seconds ? (seconds - p->alone_seconds) / prompt_rows : 0;
    double change = each - p->row_seconds;
    p->row_seconds += change > 0 ? change : change / 8;
    p->tried = prompt_rows > p->tried / 2 ? prompt_rows : p->tried / 2;
    p->since_alone++;
}

void aim__pace_observe(aim_pace *p, int decoding, int prompt_rows, double seconds)
{
    if (decoding > 0 && prompt_rows <= 1)
        observe_alone(p, decoding, seconds);
    else if (decoding > 0 && p->alone_rows > 0)
        observe_rows(p, prompt_rows, seconds);
    else if (decoding == 0 && prompt_rows > 0 && p->row_seconds == 0)
        p->row_seconds = seconds / prompt_rows;
}
