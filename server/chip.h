/* SPDX-License-Identifier: Apache-2.0 */
/* chip.h - chips as resources: what can be programmed, aged, calibrated, probed and
 * deleted while requests run.
 *
 * A state of a chip is an aimd_model. A new state is made beside the old one and takes
 * its place in the model table when it is ready; what runs on the old one ends on it.
 * What is slow goes through three lanes, so that neither a probe nor a file need wait
 * for a chip that is being programmed. Loop thread only, unless it says otherwise. */
#ifndef AIMD_CHIP_H
#define AIMD_CHIP_H

#include "engine/calibrate.h"
#include "server/chip_settings.h"
#include "server/lane.h"
#include "server/model_table.h"

enum { AIMD_MAX_CHIPS = 256, AIMD_MAX_PROBES = 8 /* that run or wait */ };

enum aimd_chip_state {
    AIMD_CHIP_QUEUED,      /* others come first; a state before is served */
    AIMD_CHIP_PROGRAMMING, /* for the first time */
    AIMD_CHIP_READY,
    AIMD_CHIP_AGEING,      /* from here its state before is served ... */
    AIMD_CHIP_CALIBRATING, /* ... to here */
    AIMD_CHIP_FAILED,      /* it could not be programmed */
    AIMD_N_CHIP_STATES
};
const char *aimd_chip_state_name(enum aimd_chip_state state);

typedef struct aimd_chip_operation aimd_chip_operation;

typedef struct aimd_chip {
    struct aimd_chip *next;
    aimd_daemon *daemon;
    char id[AIMD_CHIP_NAME + 1];
    char *base_model; /* id of the configured model that it was made from; NULL: unknown */
    enum aimd_chip_state state;
    aim_error error;                /* why FAILED, or why the last operation came to nothing */
    bool leaving;                   /* it is being deleted: nothing is begun with it */
    bool configured;                /* a model of the configuration: it cannot be deleted */
    bool kept;                      /* there is a folder for it, or for its ranges */
    int64_t created;                /* unix time */
    aimd_model *model;              /* as it is served, or will be; held */
    aimd_chip_operation *operation; /* under way; NULL: none */
} aimd_chip;

typedef struct aimd_chips {
    aimd_chip *first;
    aimd_chip_operation *operations; /* all that run or wait, also of deleted chips */
    struct aimd_chip_probe *probes;  /* route_chip_probe.c */
    aimd_lane programming, probing, files;
    char *folder;            /* where chips of the API are kept; NULL: nowhere */
    char *configured_folder; /* ... and ranges of those of the configuration */
    int lock;                /* of state_dir, against other daemons; -1: none */
} aimd_chips;

/* Texts to calibrate with, as tokens. */
typedef struct aimd_token_texts {
    aim_token_list *texts; /* [n], each with tokens of its own */
    size_t n;
} aimd_token_texts;
void aimd_token_texts_free(aimd_token_texts *t);

/* ---- the daemon's life --------------------------------------------------- */

/* Make the folder of state_dir, and chips of the configured models that are on one, with
 * the ranges kept for them; the model table is filled. */
int aimd_chips_init(aimd_daemon *d, aim_error *err);
/* The configured models are ready. */
void aimd_chips_loaded(aimd_daemon *d);
/* Program the chips of an earlier run, which are taken over, one after the other. */
struct aimd_stored_chip;
void aimd_chips_restore(aimd_daemon *d, struct aimd_stored_chip *list);
/* Let what is being programmed, aged or calibrated end early; with probes that too. */
void aimd_chips_cancel(aimd_daemon *d, bool probes);
void aimd_chip_probes_cancel(aimd_daemon *d); /* route_chip_probe.c */
/* Nothing runs or waits. */
bool aimd_chips_idle(const aimd_daemon *d);
void aimd_chips_fini(aimd_daemon *d);

/* ---- chips --------------------------------------------------------------- */

/* What is asked for. Borrowed. */
typedef struct aimd_chip_request {
    const char *name, *profile, *backend;
    uint64_t seed;
    double age;           /* seconds */
    int conductance_bits; /* 0: the profile's */
    double out_bound;     /* 0: the profile's */
} aimd_chip_request;

/* The name of the chip that a configured model of this id stands on: what follows its last
 * '@', else all of it; what a chip's name may not hold becomes '-'. */
void aimd_chip_name_of_model(const char *model_id, char name[AIMD_CHIP_NAME + 1]);
/* The length of what stands before that '@', else of all of it. */
size_t aimd_chip_base_length(const char *model_id);
/* The options of the configured model of this id; NULL: there is none. */
const aimd_model_options *aimd_chip_base(const aimd_options *o, const char *id);
/* The first state of a chip, without its profile: base with other options, called
 * BASE_ID@NAME. Any thread. NULL on failure. */
aimd_model *aimd_chip_model_new(aimd_daemon *d, const aimd_model_options *base, const char *base_id,
                                const aimd_chip_request *r, aim_error *err);

/* In the place of a chip of which nothing but the name is known. Any thread. NULL when out
 * of memory. */
aimd_model *aimd_chip_unknown_model(aimd_daemon *d, const char *id);

/* id need not end with a NUL. NULL: there is no such chip. */
aimd_chip *aimd_chip_find(const aimd_daemon *d, const char *id, size_t len);
/* Could there be a chip of this id, served as this model? AIM_ECONFLICT with param "name"
 * if either is taken, or without if there are too many. */
int aimd_chip_check_free(const aimd_daemon *d, const char *id, const char *model_id,
                         aim_error *err);
/* A chip with its first state, which goes into the model table. The caller's reference
 * is taken over, also on failure, which is NULL. */
aimd_chip *aimd_chip_add(aimd_daemon *d, const char *id, const char *base_model, aimd_model *first,
                         aim_error *err);
/* Take it out and free it. What runs on it ends on it. */
void aimd_chip_delete(aimd_chip *c);
/* Its deletion begins, and what is done to it ends; or came to nothing. */
void aimd_chip_leave(aimd_chip *c);
void aimd_chip_stay(aimd_chip *c, const aim_error *why);
/* It is as good as programmed, but could not be. */
void aimd_chip_fail(aimd_chip *c, const aim_error *err);

/* ---- operations ---------------------------------------------------------- */

/* Does `coming` fit beside all that is planned for? Its cache may be lowered.
 * AIM_ECONFLICT with all figures. */
int aimd_chip_reserve(aimd_daemon *d, aimd_model *coming, aim_error *err);
/* Program the first state. */
int aimd_chip_program(aimd_chip *c, aim_error *err);
/* Put coming, which is held for the operation, in the place of what is served; if it
 * computes alike, only the age that is told changes. */
int aimd_chip_age(aimd_chip *c, aimd_model *coming, aim_error *err);
/* The same, with ranges from these texts, which are taken over. They are measured on the
 * chip without calibrated ranges, whatever it has now. calibration NULL: without
 * calibrated ranges, and without texts. */
int aimd_chip_calibrate(aimd_chip *c, aimd_model *coming, aimd_token_texts *texts,
                        const aim_calibration *calibration, aim_error *err);
/* A new state for c, in the making: as `of` but for the age, and for the ranges if they
 * are not to be kept. Any thread. NULL on failure. */
aimd_model *aimd_chip_next_state(const aimd_model *of, double age, bool keep_ranges,
                                 aim_error *err);

/* Would coming, from aimd_chip_next_state with the ranges kept, compute what served does?
 * It need not be made then. */
bool aimd_chip_computes_alike(const aimd_model *served, const aimd_model *coming);

/* ---- what is told -------------------------------------------------------- */

/* Of the operation under way; 1 if there is none, 0 if the chip failed. */
double aimd_chip_progress(const aimd_chip *c);
/* Does a restart bring it back as it is? */
bool aimd_chip_is_persistent(const aimd_chip *c);
/* Log that a state is served, with all that makes the same chip again. */
void aimd_chip_log_ready(const aimd_chip *c, const char *operation, double seconds);
/* The chip object of the API (chip_json.c). */
void aimd_chip_write(aim_buf *out, const aimd_chip *c);

#endif
