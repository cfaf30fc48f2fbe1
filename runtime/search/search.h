/* SPDX-License-Identifier: Apache-2.0 */
/* search.h - test-time compute for one prompt: how many candidates are sampled, which
 * go on, which are chosen. A state machine without engine, clock or threads: it says
 * what is to be done next, is told the results, and says the rest. What it decides
 * depends on the candidates alone and never on the order in which results come in:
 * decisions are taken when a round is complete.
 *
 *   best_of_n  N candidates, each on its own. With early stopping or a token budget in
 *              rounds of some tokens, else in one.
 *   beam       rounds of one step; of N beams the N / width best go on, each with width
 *              continuations (Snell et al. 2024; search-and-learn). The children of one
 *              parent have consecutive numbers where search-and-learn replicates all parents
 *              in turn: each has as many there, but ties, which go by number, fall
 *              differently.
 *   dvts       N / width separate trees, each of which goes on with its best step
 *              (Beeching et al. 2024). */
#ifndef AIM_SEARCH_SEARCH_H
#define AIM_SEARCH_SEARCH_H

#include "base/error.h"
#include "search/reward.h"
#include "text/answer.h"

#include <stdbool.h>
#include <stdint.h>

enum aim_search_kind { AIM_SEARCH_BEST_OF_N, AIM_SEARCH_BEAM, AIM_SEARCH_DVTS };
#define AIM_SEARCH_NAMES "best_of_n|beam|dvts"
int aim_search_find(const char *name); /* -1: none */

/* How candidates are compared; of equal ones that with the lower number comes first. */
enum aim_select {
    AIM_SELECT_LOGPROB,        /* mean log-probability of a token */
    AIM_SELECT_REWARD,         /* aggregated reward */
    AIM_SELECT_MAJORITY,       /* votes for the answer, one a candidate */
    AIM_SELECT_WEIGHTED,       /* votes for the answer, weighted by reward */
    AIM_SELECT_SELF_CERTAINTY, /* Borda votes: of m candidates that have finished the r-th most
                                  certain gives (m - r + 1)^0.5; those without an answer rank
                                  last and give none (Kang et al. 2025) */
};
#define AIM_SELECT_NAMES "logprob|reward|majority|weighted|self_certainty"
int aim_select_find(const char *name); /* -1: none */

/* When to stop before all is done; best_of_n alone. Zero: off. vote and score decide
 * nothing before n candidates have finished. */
typedef struct aim_early_stop {
    /* Majority and weighted: when no candidate that has not finished could change the
     * winning answer. Below 1 (and above 0.5; majority alone), also when the answer leads
     * with this probability (Adaptive-Consistency, Aggarwal et al. 2023). That takes votes
     * for draws one after the other, and who ends first has a short answer: only those of
     * candidates 0 to k count, as far as all of them have ended. */
    double vote;
    double score; /* with has_score: when a finished candidate's reward is at least this */
    bool has_score;
    /* Below 1: of M candidates that were not rejected each round keeps the (1 - reject) M,
     * rounded, with the highest rewards, but at least n. Who has finished or cannot be
     * scored stays (speculative rejection, Sun et al. 2024). A round in which an open
     * candidate has no further step scored since the last time rejects nobody. */
    double reject;
    int every; /* tokens of a round at least; 0: 32 */
    int wave;  /* candidates begun together, the next when they are done; 0: all. At
                  least n are begun. */
} aim_early_stop;

enum {
    AIM_MAX_BEST_OF = 4096,
    AIM_SEARCH_STEPS = 40, /* the most */
};

typedef struct aim_search_options {
    enum aim_search_kind kind;
    int best_of;    /* N */
    int n;          /* wanted in the end, at most N */
    int beam_width; /* beam and dvts: divides N */
    int max_steps;  /* beam and dvts: rounds; the last goes to the end of the answer. 0:
                       AIM_SEARCH_STEPS */
    enum aim_select select;
    bool scored;       /* candidates are scored by a reward model */
    bool step_rewards; /* step by step (aim_reward_has_steps); else one score for the whole
                          text, which that of a longer text replaces */
    bool raw_rewards;  /* not probabilities: as the weights of votes they go through the
                          logistic function (aim_reward_is_probability) */
    enum aim_aggregation aggregation;
    const aim_answer_pattern *pattern; /* NULL: the usual places; borrowed */
    aim_early_stop early;
    int max_tokens; /* of one answer */
    /* Sampled by all candidates together; 0: no limit. best_of_n begins none that could not
     * come to its end: as many as the rest holds answers of max_tokens, and more when these
     * have ended; at least n fit. best_of is the most then. A step search, of at least best_of
     * tokens, gives every open candidate of a round an equal share of the rest. */
    int64_t max_total_tokens;
    /* Rounds of best_of_n end where the KV cache has whole blocks of so many tokens, of
     * prompt and answer together, so that nothing is computed twice. */
    int prompt_tokens, block_tokens;
} aim_search_options;

/* Do the options go together? AIM_EINVAL with the field's name in the API. */
int aim_search_options_check(const aim_search_options *o, aim_error *err);

enum aim_candidate_end {
    AIM_CANDIDATE_OPEN,
    AIM_CANDIDATE_STOP,     /* as a choice ends */
    AIM_CANDIDATE_LENGTH,   /* max_tokens; in a step search also max_total_tokens */
    AIM_CANDIDATE_REJECTED, /* fell behind */
    AIM_CANDIDATE_UNNEEDED, /* the search was decided before */
    AIM_CANDIDATE_PRUNED,   /* a beam that others displaced, a branch not taken */
};
const char *aim_candidate_end_name(enum aim_candidate_end e); /* as in the API */

/* One candidate, as told and as found. Of beams and trees each continuation is a
 * candidate of its own that begins as a copy of another (`parent`). */
typedef struct aim_candidate {
    int number; /* of its sampling seed; candidates are listed by it */
    int parent; /* the candidate whose tokens and text it begins with; -1: the prompt */
    /* Where it is ended at the end of a segment, without what its last tokens have of a
     * character. */
    aim_buf text;
    size_t held; /* so many bytes of it, the last ones, were told by aim_search_held */
    int32_t *tokens;
    int n_tokens; /* those of the parent included */
    size_t tokens_room;
    int sampled;                       /* of them, its own */
    double logprob_sum, certainty_sum; /* over all its tokens */
    enum aim_candidate_end end;
    float *step_scores; /* [n_steps], NULL before it was scored */
    int n_steps;
    double reward;             /* aggregated; NaN: not scored, or without a step */
    const aim_error *unscored; /* why it cannot be scored, NULL if it can; lives as long as
                                  the search */
    aim_buf answer, canonical; /* found at its end; has_answer says whether */
    bool has_answer;
    double score; /* what it was ranked by, at the end of the search; NaN: none */
} aim_candidate;

typedef struct aim_search aim_search;
/* options are copied. NULL when out of memory or options do not go together. */
aim_search *aim_search_new(const aim_search_options *options, aim_error *err);
void aim_search_free(aim_search *s); /* NULL is fine */

/* ---- what is to be done ---------------------------------------------------- */

enum aim_search_task {
    AIM_TASK_NONE,   /* nothing until more is reported or decided */
    AIM_TASK_SAMPLE, /* candidates [number, number + n), all with the same tokens so far, go
                        on for at most segment_tokens (0: to the end) and, if to_separator,
                        at most to the next step separator */
    AIM_TASK_SCORE,  /* the steps of candidate `number` from first_step on are to be scored;
                        those in front of it have their scores from its parent or from an
                        earlier round. It is complete unless its end is AIM_CANDIDATE_OPEN.
                        Each text is scored once: of candidates with the same one, as many steps
                        to be scored and the same completeness one is handed out, whose scores,
                        or failure, are those of all */
};

typedef struct aim_search_work {
    enum aim_search_task task;
    int number, n;
    int segment_tokens;
    bool to_separator;
    int max_tokens; /* of the whole answer */
    int first_step;
} aim_search_work;

/* The next piece of work, which is then under way until it is reported below; many may
 * be at the same time, and those of one round may be reported in any order. */
aim_search_work aim_search_next(aim_search *s);

/* ---- what became of it -------------------------------------------------------- */

/* What is reported of a candidate that is not under way in this manner is ignored. */

/* A token that was sampled, its text (may be empty: part of a character, or hidden), its
 * log-probability and, for self_certainty, its certainty. false when out of memory. */
bool aim_search_token(aim_search *s, int number, int32_t token, const char *text, size_t len,
                      double logprob, double certainty);
/* The segment that ends here has this text besides, which a stop string could begin with: of
 * the next segment's tokens, whose text it is if none does. The candidate has it for as long
 * as it stays where it is. false when out of memory. */
bool aim_search_held(aim_search *s, int number, const char *text, size_t len);
enum aim_sampled {
    AIM_SAMPLED_SEGMENT, /* it has segment_tokens and could go on */
    AIM_SAMPLED_STEP,    /* at a step separator, and could go on */
    AIM_SAMPLED_STOP,
    AIM_SAMPLED_LENGTH,
};
/* The segment of a candidate is done. */
void aim_search_sampled(aim_search *s, int number, enum aim_sampled how);
/* Scores of the steps from first_step on; n is 0 if none has ended since. They must be a
 * function of the text; candidates take them at the next decision. false when out of
 * memory. */
bool aim_search_scored(aim_search *s, int number, const float *scores, int n);
/* It cannot be scored, for a reason of its own such as its length: it ranks behind all that
 * can. false when out of memory. */
bool aim_search_not_scored(aim_search *s, int number, const aim_error *why);

/* Is a round complete, so that aim_search_decide is to be called? */
bool aim_search_wants_decision(const aim_search *s);
/* Find answers, compare, and choose who goes on or that all is over. May take a while:
 * any thread, while nobody else calls anything of this search. 0, AIM_ENOMEM, or the
 * reason why no candidate has a reward where the choice needs one, AIM_EINVAL if none has a
 * step; after a failure there is nothing more to do and no ranking. */
int aim_search_decide(aim_search *s, aim_error *err);

/* ---- the end -------------------------------------------------------------------- */

bool aim_search_is_over(const aim_search *s);
/* Once it is over: the candidates, best first, those alone that were not pruned; how many
 * goes to *count. The first n are the choice: where *count is less, as a step search may
 * end with fewer, the list goes on to n with the same ones from the best on. NULL before.
 * Valid as long as s. */
const aim_candidate *const *aim_search_ranking(const aim_search *s, int *count);
int aim_search_count(const aim_search *s); /* candidates so far */
/* Stays where it is as long as s; NULL if there is no such number. A pruned one has lost
 * its text and tokens. */
const aim_candidate *aim_search_candidate(const aim_search *s, int number);
int64_t aim_search_tokens(const aim_search *s); /* sampled by all candidates */

#endif
