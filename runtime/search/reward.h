/* SPDX-License-Identifier: Apache-2.0 */
/* reward.h - how a reward model reads a question with its answer, and what its outputs
 * mean. The layouts are those that reward models were published with.
 *
 * Which one a folder has stands in its reward.json (docs/models.md). Without that a head of
 * rewards tells by its kind: a value head is of AIM_REWARD_SKYWORK, one of two layers and
 * two outputs of AIM_REWARD_QWEN, every other one of AIM_REWARD_CLASSIFIER. Of a language
 * model there is nothing to go by but its name, that of the folder or _name_or_path in
 * config.json: "math-shepherd" in it is AIM_REWARD_MATH_SHEPHERD, the word "orm" or
 * "outcome" AIM_REWARD_RLHFLOW_OUTCOME, all others are AIM_REWARD_RLHFLOW.
 *
 * What stands in front of a score depends on the question and on the steps up to that one
 * alone, so the inputs of an answer that grows share their beginnings. */
#ifndef AIM_SEARCH_REWARD_H
#define AIM_SEARCH_REWARD_H

#include "checkpoint/hf_config.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

enum aim_reward_layout {
    /* Process rewards: a score for each step. */
    AIM_REWARD_RLHFLOW,       /* a turn of the user a step, answered with a label token */
    AIM_REWARD_MATH_SHEPHERD, /* steps end with a tag, whose own row gives the labels */
    AIM_REWARD_SKYWORK,       /* lines of plain text, a value head at each line break; empty
                                 lines are steps */
    AIM_REWARD_QWEN,          /* a chat with a tag behind each step, a head of two outputs */
    /* Outcome rewards: one score. */
    AIM_REWARD_RLHFLOW_OUTCOME, /* as AIM_REWARD_RLHFLOW with the whole answer as one step */
    AIM_REWARD_CLASSIFIER,      /* a chat, a head of one output at its last token */
    AIM_REWARD_VERIFIER,        /* a prompt template, the probability of one of two words */
};

#define AIM_REWARD_LAYOUT_NAMES                                                                    \
    "rlhflow|math-shepherd|skywork|qwen|rlhflow-outcome|classifier|verifier"

/* What one layout needs to know; immutable after load, shared by threads. */
typedef struct aim_reward aim_reward;

/* Read the layout of the model in dir: its reward.json, else what config and tokenizer
 * say. All are borrowed for as long as it lives. chat: NULL if the model has none, which
 * is an error of layouts that need one. NULL on failure, with file, field and reason. */
aim_reward *aim_reward_load(const char *dir, const aim_hf_config *config,
                            const aim_tokenizer *tokenizer, const aim_chat_template *chat,
                            aim_error *err);
/* The same from text (tests, fuzzing): json NULL stands for a folder without the file;
 * name for the folder's name. */
aim_reward *aim_reward_parse(const char *name, const char *json, size_t json_len,
                             const aim_hf_config *config, const aim_tokenizer *tokenizer,
                             const aim_chat_template *chat, aim_error *err);
void aim_reward_free(aim_reward *r); /* NULL is fine */

enum aim_reward_layout aim_reward_layout_of(const aim_reward *r);
const char *aim_reward_layout_name(enum aim_reward_layout layout); /* as in reward.json */
/* Has it a score for each step? */
bool aim_reward_has_steps(const aim_reward *r);
/* Are its scores probabilities, 0 to 1? Raw values of a classifier are not; as weights
 * of votes these go through the logistic function (aim_reward_weight). */
bool aim_reward_is_probability(const aim_reward *r);
/* The text between two steps of an answer, such as "\n\n"; never empty. Outcome rewards
 * have one too, for searches that go step by step. */
const char *aim_reward_separator(const aim_reward *r);
/* Outputs to ask of the engine for each position: ids of label tokens, or none for all
 * outputs of a head (aim_request.score_ids). Returns how many. */
int aim_reward_output_ids(const aim_reward *r, int32_t ids[AIM_MAX_HEAD_OUTPUTS]);

/* A question and an answer as the model reads them. */
typedef struct aim_reward_input {
    int32_t *tokens; /* aim_free'd by aim_reward_input_free */
    int n_tokens;
    int n_question;    /* of tokens, those in front of anything of the answer: the same for
                          all answers to this question */
    int32_t *score_at; /* [n_scores] positions whose outputs are the scores, ascending */
    int n_scores;      /* steps; 1 of outcome rewards; 0: an answer without any step */
} aim_reward_input;
void aim_reward_input_free(aim_reward_input *in);

enum { AIM_MAX_REWARD_STEPS = 16384 }; /* of one answer */

/* Lay out one answer. A step has no white space around it, and what is empty then is none,
 * but for AIM_REWARD_SKYWORK. The published code of AIM_REWARD_QWEN puts the tag in the place
 * of each separator and takes nothing else away; here its steps are as all others: equal
 * for answers whose steps have neither white space around them nor nothing in them. complete: it
 * has ended; of an unfinished one the text behind the last separator is not a step yet, but layouts
 * of outcome rewards score what there is. Special-token text in question and answer stays text. Any
 * thread. Errors: AIM_ENOMEM, AIM_EINVAL for text that is not UTF-8 or whose steps the tokenizer
 * does not keep apart, AIM_ETOOLARGE (more steps than AIM_MAX_REWARD_STEPS). On failure *out is
 * empty. */
int aim_reward_lay_out(const aim_reward *r, const char *question, size_t question_len,
                       const char *answer, size_t answer_len, bool complete, aim_reward_input *out,
                       aim_error *err);
/* The question alone, to have it computed and cached before answers are there; n_scores
 * is 0. */
int aim_reward_lay_out_question(const aim_reward *r, const char *question, size_t len,
                                aim_reward_input *out, aim_error *err);
/* Ids that are laid out already, as vLLM's /pooling takes them: finds the positions that
 * the layout scores (step tags, places of labels, line breaks behind the first line, the
 * last token). tokens are copied, n_question is 0. Error: AIM_ENOMEM. */
int aim_reward_find_steps(const aim_reward *r, const int32_t *tokens, int n, aim_reward_input *out,
                          aim_error *err);

/* scores[n] of steps from the model's outputs [n][width], which are logits of the ids of
 * aim_reward_output_ids or all outputs of a head. */
void aim_reward_scores(const aim_reward *r, const float *outputs, int n, int width, float *scores);

/* ---- one score of many ---------------------------------------------------- */

enum aim_aggregation {
    AIM_AGGREGATE_LAST,
    AIM_AGGREGATE_MIN,
    AIM_AGGREGATE_PRODUCT,
    AIM_AGGREGATE_MEAN,
};
#define AIM_AGGREGATION_NAMES "last|min|product|mean"
/* The number of a name, -1 if it is none. */
int aim_aggregation_find(const char *name);
/* NaN if n is 0. In double, in order of steps. */
double aim_aggregate(enum aim_aggregation how, const float *scores, int n);
/* A score as the weight of a vote: itself or, if it is raw, which is no probability, its
 * logistic function. */
double aim_reward_weight(double score, bool raw);

#endif
