/* SPDX-License-Identifier: Apache-2.0 */
/* search_impl.h - what the files of a search share. */
#ifndef AIM_SEARCH_SEARCH_IMPL_H
#define AIM_SEARCH_SEARCH_IMPL_H

#include "search/search.h"

#include <stddef.h>

/* What a candidate of the round waits for. */
enum aim__stage {
    AIM__IDLE,
    AIM__TO_SAMPLE, /* in the list of work */
    AIM__SAMPLING,
    AIM__TO_SCORE,
    AIM__SCORING,
};

/* A candidate with what nobody outside sees of it. */
typedef struct aim__slot {
    aim_candidate c;
    enum aim__stage stage;
    int segment;       /* tokens of the segment under way at most; 0: no limit */
    int segment_taken; /* tokens of it so far */
    bool cut;          /* step search: the segment ended before the step did */
    size_t own_text;   /* where the text of its own begins */
    bool looked_at;    /* for its answer */
    int group;         /* of candidates with the same answer; -1: none */
    double vote;       /* its weight */
    int rank_class;    /* candidates of a lower one come first, whatever their scores */
    int scored_text;   /* whose scores it takes when the round is complete; -1: none */
    bool scored_anew;  /* a further step has a score since candidates were last compared */
} aim__slot;

/* What the reward model reads: some text of a candidate, at some time. */
typedef struct aim__scored_text {
    uint64_t hash;  /* of the text and the next two */
    int first_step; /* as of aim_search_work */
    bool complete;
    int number; /* the candidate that is scored, whose text begins with it */
    size_t len;
    float *scores; /* [n_scores], NULL before it was scored */
    int n_scores;
    aim_error *failed; /* why it cannot be scored; NULL: it can */
} aim__scored_text;

/* Candidates with the same answer. */
typedef struct aim__group {
    int example; /* one of them */
    double sum;  /* of votes */
} aim__group;

typedef struct aim__strategy {
    const char *name;
    /* The first round. 0 or AIM_ENOMEM. */
    int (*begin)(aim_search *s, aim_error *err);
    /* A round is complete: begin another or finish. 0 or the reason of the failure. */
    int (*decide)(aim_search *s, aim_error *err);
} aim__strategy;
extern const aim__strategy aim__best_of_n, aim__beam, aim__dvts;

struct aim_search {
    aim_search_options o; /* with the usual values where these are 0 */
    const aim__strategy *strategy;
    aim__slot **slots; /* [n_slots], by number */
    size_t slots_room;
    int n_slots;
    int64_t tokens; /* sampled so far */
    /* The round: its work in the order in which it is handed out. */
    aim_search_work *work;
    size_t work_room;
    int n_work, next_work;
    int under_way; /* candidates that are not idle */
    /* Step search: which round it is, from 1 on, and the candidates begun in it. */
    int step, step_first, step_n;
    aim__scored_text *texts; /* [n_texts] of all rounds */
    size_t texts_room;
    int n_texts;
    int round_texts; /* of them, those of earlier rounds */
    int *places;     /* [n_places], a power of two: hash table of indices into texts; -1: free */
    size_t n_places;
    aim__group *groups;
    size_t groups_room;
    int n_groups;
    const aim_candidate **ranking; /* [max(n_ranked, o.n)] */
    int n_ranked;
    bool over, failed;
};

/* ---- candidate.c: one candidate ------------------------------------------------- */

/* A candidate with the next number: a copy of parent, NULL: of the prompt. NULL when out
 * of memory. */
aim__slot *aim__candidate_new(aim_search *s, const aim__slot *parent);
void aim__candidate_free(aim__slot *c);
/* Nobody needs it any more: its text and tokens go. */
void aim__candidate_prune(aim__slot *c);
/* Has its answer come to an end, as an answer does? */
bool aim__candidate_finished(const aim__slot *c);
bool aim__candidate_open(const aim__slot *c);
/* Does it belong to what a search ends with? */
bool aim__candidate_stays(const aim__slot *c);
/* How many of all candidates are? */
int aim__count(const aim_search *s, bool (*is)(const aim__slot *c));
/* A new array of those that are, by number, to be freed with aim_free; NULL when out of
 * memory. */
aim__slot **aim__list(const aim_search *s, bool (*is)(const aim__slot *c), int *n);

/* ---- round.c: the work of a round ------------------------------------------------- */

/* Begin a round in which at most so many candidates have work. 0 or AIM_ENOMEM. */
int aim__round_begin(aim_search *s, int candidates, aim_error *err);
/* Step search: an equal share of the budget's rest for so many candidates, in tokens;
 * INT_MAX: no limit. */
int aim__round_share(const aim_search *s, int candidates);
/* n new candidates that begin as copies of parent (NULL: of the prompt) go on for at most
 * `tokens`. 0 or AIM_ENOMEM. */
int aim__round_branch(aim_search *s, const aim__slot *parent, int n, int tokens, aim_error *err);
void aim__round_go_on(aim_search *s, aim__slot *c, int tokens);
/* The budget is spent: it ends as it is, and is scored as such. */
void aim__round_cut_off(aim_search *s, aim__slot *c);
/* Its segment has ended: it is scored next, or done. */
void aim__round_sampled(aim_search *s, aim__slot *c, enum aim_sampled how);
/* It has nothing to do any more in this round. */
void aim__round_done(aim_search *s, aim__slot *c);

/* ---- scored_text.c: each text is scored once ------------------------------------------- */

/* Make room for so many more texts, so that none of the calls below fails but where it says
 * so. false when out of memory. */
bool aim__texts_reserve(aim_search *s, int more);
/* The candidate is to take the scores of its text. true: nobody had this text before, and
 * this candidate is to be scored. */
bool aim__texts_add(aim_search *s, aim__slot *c);
/* What became of a candidate that was to be scored. false when out of memory. */
bool aim__texts_scored(aim_search *s, const aim__slot *c, const float *scores, int n);
bool aim__texts_failed(aim_search *s, const aim__slot *c, const aim_error *why);
/* The round is complete: every candidate takes the scores of its text. 0 or AIM_ENOMEM. */
int aim__texts_take_scores(aim_search *s, aim_error *err);
void aim__texts_free(aim_search *s);

/* ---- step_search.c: what beam and dvts share ----------------------------------------- */

/* The first step of all candidates. */
int aim__steps_begin(aim_search *s, aim_error *err);
/* Candidates whose step was cut by their share of the budget take up the rest of it.
 * *going: there are any, and the round is not complete. */
int aim__steps_complete(aim_search *s, bool *going, aim_error *err);
/* The budget is spent: the open candidates end as they are. */
int aim__steps_cut_off(aim_search *s, aim_error *err);
/* The next step of `children` candidates in all: each of n parents gets the same number of
 * them, where that does not come out even the first ones one more. Parents are pruned. */
int aim__steps_branch(aim_search *s, aim__slot **parents, int n, int children, aim_error *err);
/* ---- select.c: answers and votes ------------------------------------------------- */

typedef struct aim__selector {
    const char *name;
    bool votes;   /* candidates with the same answer count together */
    bool rewards; /* goes by them */
    /* Of one candidate: its score, or the weight of its vote. NULL: votes are weighted by
     * the order of certainty. */
    double (*value)(const aim_search *s, const aim_candidate *c);
} aim__selector;
extern const aim__selector aim__selectors[];
enum { AIM__N_SELECTORS = AIM_SELECT_SELF_CERTAINTY + 1 };

/* Find the answers of candidates that have finished. 0 or AIM_ENOMEM. */
int aim__find_answers(aim_search *s, aim_error *err);
/* Add up the votes of each group. 0 or AIM_ENOMEM. */
int aim__count_votes(aim_search *s, aim_error *err);

/* ---- rank.c: order ----------------------------------------------------------------------- */

/* Negative: x with value a comes before y with value b; equal values go by number, NaN comes
 * last. */
int aim__compare(double a, double b, const aim__slot *x, const aim__slot *y);
void aim__sort_by_reward(aim__slot **c, int n);
void aim__sort_by_number(aim__slot **c, int n);
/* Fails if none of those that finished (in a step search, or go on) has a reward, and one of
 * them for a reason or no candidate goes on. */
int aim__need_rewards(const aim_search *s, aim_error *err);
/* All is over: rank those who are left. 0 or the reason of the failure. */
int aim__finish(aim_search *s, aim_error *err);

/* ---- early_stop.c ------------------------------------------------------------------------ */

/* Are rounds of tokens wanted, so that it may be decided early? */
bool aim__early_rounds(const aim_early_stop *e);
/* After aim__find_answers: is it decided who wins? 0 or AIM_ENOMEM. */
int aim__early_decided(aim_search *s, bool *decided, aim_error *err);
/* End the open candidates that have fallen behind, if they have new steps to be compared by.
 * 0 or AIM_ENOMEM. */
int aim__early_reject(aim_search *s, aim_error *err);
/* The probability that the answer with `most` votes stays ahead of that with `second`,
 * most >= second >= 0: the integral of x^most (1-x)^second from 1/2 to 1 over that from 0
 * to 1 (Adaptive-Consistency). */
double aim__lead_probability(int most, int second);

#endif
