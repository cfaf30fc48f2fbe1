/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/wait.h"

#include "base/alloc.h"
#include "ctl/chip.h"
#include "ctl/outcome.h"
#include "ctl/progress.h"

#include <stdio.h>
#include <time.h>

/* Between two questions: short at first, for small chips, then longer. */
enum { FIRST_PAUSE_MS = 50, LAST_PAUSE_MS = 500 };

volatile sig_atomic_t actl_interrupted;

static void on_interrupt(int number)
{
    (void)number;
    actl_interrupted = 1;
}

/* Without SA_RESTART, so that a pause ends at once. */
static void catch_interrupts(struct sigaction *before)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, before);
}

static void pause_ms(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

static int ask_again(actl_client *c, const char *path, json_t **chip, aim_error *err)
{
    json_t *now;
    int rc = actl_call(c, "GET", path, NULL, &now, err);
    if (rc != ACTL_OK)
        return rc;
    json_decref(*chip);
    *chip = now;
    return ACTL_OK;
}

static void draw(actl_progress *progress, const actl_chip *state)
{
    char text[128];
    snprintf(text, sizeof text, "%s %s", state->state, state->id);
    actl_progress_draw(progress, text, state->progress);
}

static int follow(actl_client *c, const char *path, json_t **chip, actl_progress *progress,
                  aim_error *err)
{
    actl_chip state;
    int rc, pause = FIRST_PAUSE_MS;
    while ((rc = actl_chip_read(*chip, &state, err)) == ACTL_OK && !actl_chip_at_rest(&state)) {
        draw(progress, &state);
        pause_ms(pause);
        pause = 2 * pause < LAST_PAUSE_MS ? 2 * pause : LAST_PAUSE_MS;
        rc = actl_interrupted ? ACTL_INTERRUPTED : ask_again(c, path, chip, err);
        if (rc != ACTL_OK)
            return rc;
    }
    return rc;
}

int actl_wait(actl_client *c, json_t **chip, bool bar, aim_error *err)
{
    struct sigaction before;
    actl_progress progress;
    actl_chip state;
    int rc = actl_chip_read(*chip, &state, err);
    char *path = rc == ACTL_OK ? actl_chip_path(state.id, "", err) : NULL;
    if (!path)
        return rc ? rc : ACTL_UNREACHABLE;
    actl_progress_init(&progress, bar);
    catch_interrupts(&before);
    rc = follow(c, path, chip, &progress, err);
    sigaction(SIGINT, &before, NULL);
    actl_progress_end(&progress);
    aim_free(path);
    return rc;
}
