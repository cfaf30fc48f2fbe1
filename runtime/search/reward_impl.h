/* SPDX-License-Identifier: Apache-2.0 */
/* reward_impl.h - the parts of a reward layout, between the files of this folder.
 *
 * Each layout is a row of functions (reward_layouts.c). Text goes to the tokenizer in
 * pieces that end where no token can reach across, so that what stands in front of a
 * score never depends on what comes behind it: that is what lets a search extend the
 * reward model's cache step by step. */
#ifndef AIM_SEARCH_REWARD_IMPL_H
#define AIM_SEARCH_REWARD_IMPL_H

#include "search/reward.h"

/* The name of the file, in errors. */
#define AIM__REWARD_JSON "reward.json"

/* Borrowed bytes. */
struct aim__text {
    const char *s;
    size_t len;
};

/* ---- settings: the keys of reward.json ----------------------------------------- */

enum aim__reward_key {
    AIM__REWARD_SEPARATOR,
    AIM__REWARD_POSITIVE, /* the labels, one behind the other */
    AIM__REWARD_NEGATIVE,
    AIM__REWARD_TAG,
    AIM__REWARD_TEMPLATE,
    AIM__REWARD_SYSTEM,
    AIM__N_REWARD_KEYS,
};

/* Texts owned with aim_free; NULL: not given. */
struct aim__reward_settings {
    bool has_layout;
    enum aim_reward_layout layout;
    char *text[AIM__N_REWARD_KEYS];
};

/* Read reward.json. Errors name file and key: AIM_EFORMAT, AIM_ETOOLARGE, AIM_ENOMEM. */
int aim__reward_settings_parse(const char *json, size_t len, struct aim__reward_settings *out,
                               aim_error *err);
void aim__reward_settings_free(struct aim__reward_settings *s);
/* The key as reward.json has it, "labels.positive". */
const char *aim__reward_key_name(enum aim__reward_key key);

/* ---- layouts --------------------------------------------------------------------- */

/* A question with the answer to it. */
struct aim__dialogue {
    struct aim__text question, answer;
    bool complete; /* the answer has ended */
    /* Its steps without the white space around them, none of them empty, unless the layout goes
     * line by line. */
    struct aim__text *steps;
    size_t n_steps, room_steps;
};

/* What a layout writes: tokens, and positions of scores among them. */
struct aim__draft {
    aim_ids tokens, score_at;
};

/* Does the layout suit tokenizer and template? Finds the ids that it needs. */
typedef int aim__prepare_fn(aim_reward *r, aim_error *err);
/* What stands in front of anything of the answer. */
typedef int aim__head_fn(const aim_reward *r, struct aim__text question, aim_prompt *out,
                         aim_error *err);
/* The whole. The dialogue has a step if the layout has steps. */
typedef int aim__lay_out_fn(const aim_reward *r, const struct aim__dialogue *d,
                            struct aim__draft *out, aim_error *err);
/* Does the model's output at position i have a score? */
typedef bool aim__is_scored_fn(const aim_reward *r, const int32_t *tokens, int n, int i);
/* The score from the outputs of one position. */
typedef float aim__score_fn(const float *outputs, int width);

struct aim__layout {
    const char *name; /* as in reward.json */
    bool has_steps;
    bool needs_chat;
    bool language; /* scores are made of the logits of label tokens */
    struct {
        int least, most;
    } outputs;         /* of a head that is none of language */
    bool adds_bos;     /* BOS comes in front as the tokenizer has it, if the text has none */
    bool line_by_line; /* the head and each step are lines, encoded on their own; steps are as
                          they stand, empty ones too */
    bool tag_in_text;  /* the tag is a word of the text, with the separator behind it; else it
                          takes the separator's place */
    unsigned keys;     /* of reward.json, 1 << enum aim__reward_key: others are errors */
    const char *text[AIM__N_REWARD_KEYS]; /* where reward.json is silent */
    aim__prepare_fn *prepare;             /* NULL: nothing to do */
    aim__head_fn *head;
    aim__lay_out_fn *lay_out;
    aim__is_scored_fn *is_scored;
    aim__score_fn *score;
};

extern const struct aim__layout aim__layouts[];
/* -1 if no layout has this name. */
int aim__layout_find(const char *name);

struct aim_reward {
    const struct aim__layout *layout;
    enum aim_reward_layout kind;
    const aim_hf_config *config;
    const aim_tokenizer *tokenizer;
    const aim_chat_template *chat;
    char *text[AIM__N_REWARD_KEYS]; /* settings with the defaults of the layout; may be NULL */
    int32_t bos;                    /* stands in front of the whole; -1: nothing does */
    int32_t labels[2];              /* tokens of the positive and of the negative label */
    aim_ids opening;                /* what stands in front of each label (reward_turns.c) */
    int32_t tag;                    /* the token that ends each step (reward_tags.c, _lines.c) */
    aim_ids tagged;                 /* "x" with its tag (reward_tags.c) */
    aim_buf tail;                   /* text behind the last tag */
};

/* The layout of a model without reward.json, or whose reward.json names none, by the kind
 * of its head and what it is called. */
enum aim_reward_layout aim__reward_recognise(const char *name, const aim_hf_config *config);

/* Fill in the steps of a dialogue (reward_steps.c). */
int aim__split_steps(const aim_reward *r, struct aim__dialogue *d, aim_error *err);

/* ---- prompts ------------------------------------------------------------------------- */

/* Append text of the layout's own, and text of a message, in which nothing is a special
 * token. Failure is left in p->text.failed. */
void aim__put(aim_prompt *p, const char *text);
void aim__put_plain(aim_prompt *p, struct aim__text x);
/* Drop what is behind the first len bytes. */
void aim__cut_prompt(aim_prompt *p, size_t len);

/* ---- tokens -------------------------------------------------------------------------- */

/* Fill in r->bos. */
int aim__learn_bos(aim_reward *r, aim_error *err);
/* Append the tokens of a prompt. start: it is the start of the whole, where BOS belongs. */
int aim__encode_prompt(const aim_reward *r, const aim_prompt *p, bool start, aim_ids *out,
                       aim_error *err);
/* Append those tokens of a head that stay what they are whatever comes behind it. The
 * head is cut short on the way. */
int aim__encode_fixed(const aim_reward *r, aim_prompt *head, aim_ids *out, aim_error *err);
/* How many tokens both begin with. */
size_t aim__common_prefix(const aim_ids *a, const aim_ids *b);
/* Fill in the positions of scores by the layout's is_scored. */
int aim__find_scored(const aim_reward *r, struct aim__draft *d, aim_error *err);

/* The id of the last token of a text on its own; AIM_EUNSUPPORTED if it has none. */
int aim__encode_last(const aim_reward *r, const char *text, int32_t *id, aim_error *err);
int aim__fail_same_labels(aim_error *err);

/* ---- a chat of question and answer (reward_chat.c) ------------------------------------- */

/* The system message, if there is one: returns how many messages that are. */
size_t aim__system_message(const aim_reward *r, aim_message *out);
int aim__render_chat(const aim_reward *r, struct aim__text question, struct aim__text answer,
                     aim_prompt *out, aim_error *err);
/* What stands in front of the answer, and what behind it. */
int aim__chat_head(const aim_reward *r, struct aim__text question, aim_prompt *out, aim_error *err);
int aim__chat_tail(const aim_reward *r, aim_buf *out, aim_error *err);

/* ---- the functions of the rows ----------------------------------------------------------- */

aim__prepare_fn aim__turns_prepare, aim__tagged_text_prepare, aim__tagged_chat_prepare,
    aim__lines_prepare, aim__verified_prepare;
aim__head_fn aim__turns_head, aim__tagged_text_head, aim__lines_head, aim__verified_head;
aim__lay_out_fn aim__turns_lay_out, aim__turn_lay_out, aim__tags_lay_out, aim__lines_lay_out,
    aim__classified_lay_out, aim__verified_lay_out;
aim__is_scored_fn aim__turns_is_scored, aim__tags_is_scored, aim__last_is_scored;
aim__score_fn aim__score_labels, aim__score_second, aim__score_sigmoid, aim__score_class;

#endif
