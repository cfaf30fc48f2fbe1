/* SPDX-License-Identifier: Apache-2.0 */
#include "simulation.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int integer(const json_t *json, const char *key, int standard)
{
    const json_t *x = json_object_get(json, key);
    return x ? (int)json_integer_value(x) : standard;
}

static const char *string(const json_t *json, const char *key, const char *standard)
{
    const json_t *x = json_object_get(json, key);
    return x ? json_string_value(x) : standard;
}

void simulation_read(simulation *m, const json_t *json, const aim_search_options *o)
{
    *m = (simulation){
        .seed = (uint64_t)integer(json, "seed", 0),
        .stop = integer(json, "stop", 5),
        .separator = integer(json, "separator", 15),
        .number = integer(json, "number", 20),
        .levels = integer(json, "levels", 4),
        .unscorable = integer(json, "unscorable", 0),
        .nan = integer(json, "nan", 0),
        .raw = o->raw_rewards,
        .steps = o->step_rewards,
        .step_end = string(json, "step_end", "\n\n"),
        .words = json_object_get(json, "words"),
        .recorded = json_object_get(json, "recorded"),
    };
}

static uint64_t stir(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint64_t simulate_hash(uint64_t seed, uint64_t a, uint64_t b)
{
    return stir(stir(stir(seed) + a) + b);
}

/* ---- the generator ------------------------------------------------------------------ */

static const json_t *record(const simulation *m, const aim_candidate *c)
{
    char number[16];
    snprintf(number, sizeof number, "%d", c->number);
    return json_object_get(m->recorded, number);
}

/* Entries are [text, logprob, certainty]; behind the last the answer stops with a token
 * that has no text. */
static simulated_token recorded_token(const simulation *m, const aim_candidate *c)
{
    const json_t *entry =
        json_array_get(json_object_get(record(m, c), "tokens"), (size_t)c->sampled);
    bool stop = entry == NULL;
    if (stop)
        entry = json_object_get(record(m, c), "stop");
    return (simulated_token){
        .text = stop ? "" : json_string_value(json_array_get(entry, 0)),
        .logprob = json_number_value(json_array_get(entry, 1)),
        .certainty = json_number_value(json_array_get(entry, 2)),
        .stop = stop,
    };
}

simulated_token simulate_token(const simulation *m, const aim_candidate *c)
{
    if (m->recorded)
        return recorded_token(m, c);
    uint64_t h = simulate_hash(m->seed, (uint64_t)c->number, (uint64_t)c->n_tokens);
    int kind = (int)(h % 100);
    simulated_token t = {
        .text = " so",
        .logprob = -0.1 * (int)((h >> 20) % (uint64_t)m->levels),
        .certainty = 0.3 * (int)((h >> 40) % (uint64_t)m->levels),
        .stop = kind < m->stop,
    };
    if (t.stop)
        t.text = "";
    else if (kind < m->stop + m->separator)
        t.text = m->step_end;
    else if (kind < m->stop + m->separator + m->number)
        t.text = json_string_value(json_array_get(m->words, (h >> 8) % json_array_size(m->words)));
    return t;
}

bool simulated_step_end(const simulation *m, const char *text)
{
    size_t len = strlen(text), end = strlen(m->step_end);
    return len >= end && strcmp(text + len - end, m->step_end) == 0;
}

/* ---- the reward model ----------------------------------------------------------------- */

int simulate_steps(const simulation *m, const aim_candidate *c)
{
    const char *text = c->text.len ? c->text.data : "";
    if (!m->steps)
        return text[0] != '\0';
    int n = 0;
    for (;;) {
        const char *end = strstr(text, m->step_end);
        if (!end)
            break;
        n += end > text;
        text = end + strlen(m->step_end);
    }
    return n + (c->end != AIM_CANDIDATE_OPEN && text[0] != '\0');
}

/* Bytes of the text to the end of a step; of all of it, if it is scored as one. */
static size_t step_bytes(const simulation *m, const aim_candidate *c, int step)
{
    const char *text = c->text.len ? c->text.data : "", *end;
    while (m->steps && (end = strstr(text, m->step_end))) {
        if (end > text && step-- == 0)
            return (size_t)(end - c->text.data);
        text = end + strlen(m->step_end);
    }
    return c->text.len;
}

uint64_t simulate_digest(const char *text, size_t len)
{
    uint64_t h = 0;
    for (size_t i = 0; i < len; i++)
        h = simulate_hash(h, (unsigned char)text[i], 0);
    return h;
}

bool simulate_can_score(const simulation *m, const aim_candidate *c)
{
    if (m->recorded)
        return json_is_array(json_object_get(record(m, c), "scores"));
    uint64_t text = simulate_digest(c->text.data, c->text.len);
    return (int)(simulate_hash(m->seed + 1, text, 0) % 100) >= m->unscorable;
}

float simulate_score(const simulation *m, const aim_candidate *c, int step)
{
    if (m->recorded) {
        const json_t *scores = json_object_get(record(m, c), "scores");
        return (float)json_number_value(json_array_get(scores, (size_t)step));
    }
    uint64_t text = simulate_digest(c->text.data, step_bytes(m, c, step));
    uint64_t h = simulate_hash(m->seed + 2, text, 0);
    if ((int)(h % 100) < m->nan)
        return NAN;
    int level = (int)((h >> 8) % (uint64_t)m->levels);
    return (float)(m->raw ? 0.7 * level - 1.3 : 0.1 * level);
}
