/* SPDX-License-Identifier: Apache-2.0 */
/* scored_text.c - what the reward model reads: each text once, however many candidates
 * have it. Its scores are kept until all of the round are there; then every candidate
 * takes those of its text. So nothing depends on which of them was asked for. */
#include "search/search_impl.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

/* ---- finding a text again ------------------------------------------------------------ */

/* FNV-1a. */
static uint64_t hash_bytes(uint64_t h, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

static aim__scored_text text_of(const aim_search *s, const aim_candidate *c)
{
    aim__scored_text t = {
        .number = c->number,
        .len = c->text.len,
        .first_step = s->o.step_rewards ? c->n_steps : 0,
        .complete = c->end != AIM_CANDIDATE_OPEN,
    };
    t.hash = hash_bytes(0xcbf29ce484222325u, c->text.data, c->text.len);
    t.hash = hash_bytes(t.hash, &t.first_step, sizeof t.first_step);
    t.hash = hash_bytes(t.hash, &t.complete, sizeof t.complete);
    return t;
}

/* Of candidates that went on since a round before the text may be another: what was held
 * back can be the beginning of a stop string. Of pruned ones nothing is left. */
static bool is_lasting(const aim_search *s, int text)
{
    return s->texts[text].complete || text >= s->round_texts;
}

static bool same(const aim_search *s, const aim__scored_text *a, const aim__scored_text *b)
{
    if (a->hash != b->hash || a->len != b->len || a->first_step != b->first_step ||
        a->complete != b->complete)
        return false;
    const aim_buf *x = &s->slots[a->number]->c.text, *y = &s->slots[b->number]->c.text;
    bool there = x->len >= a->len && y->len >= a->len;
    return there && (a->len == 0 || memcmp(x->data, y->data, a->len) == 0);
}

/* The place of its index in the table, or the free one where that goes. */
static int *find_place(const aim_search *s, const aim__scored_text *t)
{
    size_t mask = s->n_places - 1, i = (size_t)t->hash & mask;
    while (s->places[i] >= 0 &&
           !(is_lasting(s, s->places[i]) && same(s, &s->texts[s->places[i]], t)))
        i = (i + 1) & mask;
    return &s->places[i];
}

static bool grow_table(aim_search *s, size_t n_places)
{
    int *places = aim_array(n_places, sizeof *places);
    if (!places)
        return false;
    for (size_t i = 0; i < n_places; i++)
        places[i] = -1;
    aim_free(s->places);
    s->places = places;
    s->n_places = n_places;
    for (int i = 0; i < s->n_texts; i++)
        *find_place(s, &s->texts[i]) = i;
    return true;
}

bool aim__texts_reserve(aim_search *s, int more)
{
    size_t room = (size_t)s->n_texts + (size_t)more;
    size_t n_places = s->n_places > 0 ? s->n_places : 16;
    while (n_places < 2 * room)
        n_places *= 2;
    return aim_grow(&s->texts, &s->texts_room, room, sizeof *s->texts) &&
           (n_places == s->n_places || grow_table(s, n_places));
}

bool aim__texts_add(aim_search *s, aim__slot *c)
{
    aim__scored_text t = text_of(s, &c->c);
    int *place = find_place(s, &t);
    bool is_new = *place < 0;
    if (is_new) {
        *place = s->n_texts;
        s->texts[s->n_texts++] = t;
    }
    c->scored_text = *place;
    return is_new;
}

/* ---- scores ---------------------------------------------------------------------------- */

bool aim__texts_scored(aim_search *s, const aim__slot *c, const float *scores, int n)
{
    aim__scored_text *t = &s->texts[c->scored_text];
    if (n <= 0)
        return true;
    t->scores = aim_array((size_t)n, sizeof *scores);
    if (!t->scores)
        return false;
    memcpy(t->scores, scores, (size_t)n * sizeof *scores);
    t->n_scores = n;
    return true;
}

bool aim__texts_failed(aim_search *s, const aim__slot *c, const aim_error *why)
{
    aim_error *failed = aim_calloc(1, sizeof *failed);
    if (!failed)
        return false;
    *failed = *why;
    s->texts[c->scored_text].failed = failed;
    return true;
}

static bool add_scores(aim_candidate *c, const aim__scored_text *t)
{
    if (t->n_scores == 0)
        return true;
    size_t n = (size_t)c->n_steps + (size_t)t->n_scores;
    float *grown = aim_rearray(c->step_scores, n, sizeof *grown);
    if (!grown)
        return false;
    memcpy(grown + c->n_steps, t->scores, (size_t)t->n_scores * sizeof *grown);
    c->step_scores = grown;
    c->n_steps += t->n_scores;
    return true;
}

static bool take_scores(const aim_search *s, aim__slot *slot, const aim__scored_text *t)
{
    aim_candidate *c = &slot->c;
    if (t->failed) {
        c->unscored = t->failed;
        c->reward = NAN;
        return true;
    }
    if (!s->o.step_rewards)
        c->n_steps = 0;
    if (!add_scores(c, t))
        return false;
    slot->scored_anew |= t->n_scores > 0;
    c->reward = aim_aggregate(s->o.aggregation, c->step_scores, c->n_steps);
    return true;
}

int aim__texts_take_scores(aim_search *s, aim_error *err)
{
    for (int i = 0; i < s->n_slots; i++) {
        aim__slot *c = s->slots[i];
        if (c->scored_text >= 0 && !take_scores(s, c, &s->texts[c->scored_text]))
            return aim_fail_nomem(err, "the scores of a search");
        c->scored_text = -1;
    }
    return 0;
}

void aim__texts_free(aim_search *s)
{
    for (int i = 0; i < s->n_texts; i++) {
        aim_free(s->texts[i].scores);
        aim_free(s->texts[i].failed);
    }
    aim_free(s->texts);
    aim_free(s->places);
}
