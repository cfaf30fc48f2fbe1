/* SPDX-License-Identifier: Apache-2.0 */
/* search_case.c - runs searches on simulated models and prints all that they decide:
 *     search_case FILE
 * The file is an array of cases: options, the simulation, and the order in which results
 * are reported (0: one after the other; else the seed of a shuffle). Or a case is an array
 * of pairs of votes, for which it prints the probability of the lead. */
#include "simulation.h"

#include "base/alloc.h"
#include "base/json.h"
#include "search/search_impl.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *what)
{
    fprintf(stderr, "search_case: %s\n", what);
    exit(2);
}

/* ---- options --------------------------------------------------------------------------- */

static int integer(const json_t *json, const char *key)
{
    return (int)json_integer_value(json_object_get(json, key));
}

static double number(const json_t *json, const char *key)
{
    return json_number_value(json_object_get(json, key));
}

static const char *name(const json_t *json, const char *key, const char *standard)
{
    const json_t *x = json_object_get(json, key);
    return x ? json_string_value(x) : standard;
}

static aim_early_stop read_early_stop(const json_t *json)
{
    return (aim_early_stop){
        .vote = number(json, "vote"),
        .score = number(json, "score"),
        .has_score = json_object_get(json, "score") != NULL,
        .reject = number(json, "reject"),
        .every = integer(json, "every"),
        .wave = integer(json, "wave"),
    };
}

static aim_search_options read_options(const json_t *json)
{
    return (aim_search_options){
        .kind = (enum aim_search_kind)aim_search_find(name(json, "search", "best_of_n")),
        .best_of = integer(json, "best_of"),
        .n = integer(json, "n"),
        .beam_width = integer(json, "beam_width"),
        .max_steps = integer(json, "max_steps"),
        .select = (enum aim_select)aim_select_find(name(json, "select", "logprob")),
        .scored = json_is_true(json_object_get(json, "scored")),
        .step_rewards = json_is_true(json_object_get(json, "step_rewards")),
        .raw_rewards = json_is_true(json_object_get(json, "raw_rewards")),
        .aggregation =
            (enum aim_aggregation)aim_aggregation_find(name(json, "aggregation", "last")),
        .early = read_early_stop(json_object_get(json, "early_stop")),
        .max_tokens = integer(json, "max_tokens"),
        .max_total_tokens = integer(json, "max_total_tokens"),
        .prompt_tokens = integer(json, "prompt_tokens"),
        .block_tokens = integer(json, "block_tokens"),
    };
}

/* ---- one case ---------------------------------------------------------------------------- */

/* A candidate under way: its segment, or its scores. */
typedef struct unit {
    aim_search_work work;
    int number, taken;
} unit;

typedef struct handed_out {
    aim_search_work work;
    uint64_t text; /* digest of what is to be scored */
} handed_out;

typedef struct run {
    aim_search *search;
    simulation model;
    uint64_t order, draws;
    unit *units; /* [n_units] under way */
    size_t units_room;
    int n_units;
    handed_out *round; /* [n_round] since the last decision */
    size_t round_room;
    int n_round;
} run;

static void take_work(run *r)
{
    aim_search_work w;
    while ((w = aim_search_next(r->search)).task != AIM_TASK_NONE) {
        if (!aim_grow(&r->round, &r->round_room, (size_t)r->n_round + 1, sizeof *r->round) ||
            !aim_grow(&r->units, &r->units_room, (size_t)(r->n_units + w.n), sizeof(unit)))
            die("out of memory");
        const aim_buf *text = &aim_search_candidate(r->search, w.number)->text;
        r->round[r->n_round++] = (handed_out){w, simulate_digest(text->data, text->len)};
        for (int i = 0; i < w.n; i++)
            r->units[r->n_units++] = (unit){w, w.number + i, 0};
    }
}

/* One token. Is the segment done? */
static bool sample(run *r, unit *u)
{
    const aim_candidate *c = aim_search_candidate(r->search, u->number);
    simulated_token t = simulate_token(&r->model, c);
    if (!aim_search_token(r->search, u->number, 7, t.text, strlen(t.text), t.logprob, t.certainty))
        die("out of memory");
    u->taken++;
    bool step = u->work.to_separator && simulated_step_end(&r->model, t.text);
    bool full = c->n_tokens == u->work.max_tokens;
    if (!t.stop && !full && !step && u->taken != u->work.segment_tokens)
        return false;
    aim_search_sampled(r->search, u->number,
                       t.stop ? AIM_SAMPLED_STOP
                       : full ? AIM_SAMPLED_LENGTH
                       : step ? AIM_SAMPLED_STEP
                              : AIM_SAMPLED_SEGMENT);
    return true;
}

static void score(run *r, const unit *u)
{
    const aim_candidate *c = aim_search_candidate(r->search, u->number);
    if (!simulate_can_score(&r->model, c)) {
        aim_error why = {0};
        aim_fail(&why, AIM_ECONTEXT, "a text of %zu bytes is too long", c->text.len);
        if (!aim_search_not_scored(r->search, u->number, &why))
            die("out of memory");
        return;
    }
    int first = u->work.first_step, n = simulate_steps(&r->model, c) - first;
    float *scores = aim_array(n > 0 ? (size_t)n : 1, sizeof *scores);
    if (!scores)
        die("out of memory");
    for (int i = 0; i < n; i++)
        scores[i] = simulate_score(&r->model, c, first + i);
    if (!aim_search_scored(r->search, u->number, scores, n))
        die("out of memory");
    aim_free(scores);
}

/* One report of one candidate. */
static void report(run *r)
{
    int i =
        r->order == 0 ? 0 : (int)(simulate_hash(r->order, r->draws++, 0) % (uint64_t)r->n_units);
    unit *u = &r->units[i];
    if (u->work.task == AIM_TASK_SAMPLE && !sample(r, u))
        return;
    if (u->work.task == AIM_TASK_SCORE)
        score(r, u);
    r->n_units--;
    memmove(u, u + 1, (size_t)(r->n_units - i) * sizeof *u);
}

/* Samples by number, then scores by text: which of several candidates with the same one
 * is scored goes by the order of reports. */
static int by_task(const void *a, const void *b)
{
    const handed_out *x = a, *y = b;
    if (x->work.task != y->work.task)
        return x->work.task < y->work.task ? -1 : 1;
    if (x->work.task == AIM_TASK_SAMPLE)
        return (x->work.number > y->work.number) - (x->work.number < y->work.number);
    if (x->text != y->text)
        return x->text < y->text ? -1 : 1;
    return (x->work.first_step > y->work.first_step) - (x->work.first_step < y->work.first_step);
}

static void print_round(run *r)
{
    qsort(r->round, (size_t)r->n_round, sizeof *r->round, by_task);
    puts("round");
    for (int i = 0; i < r->n_round; i++) {
        const aim_search_work *w = &r->round[i].work;
        if (w->task == AIM_TASK_SCORE)
            printf("score %016" PRIx64 " %d\n", r->round[i].text, w->first_step);
        else
            printf("sample %d %d %d %d\n", w->number, w->n, w->segment_tokens, w->to_separator);
    }
    r->n_round = 0;
}

/* A NaN may have a sign, which says nothing. */
static void print_number(double x)
{
    if (isnan(x))
        printf(" nan");
    else
        printf(" %.17g", x);
}

static void print_candidate(const aim_candidate *c)
{
    printf("%d %d %s %d %d %d", c->number, c->parent, aim_candidate_end_name(c->end), c->n_tokens,
           c->sampled, c->n_steps);
    print_number(c->reward);
    print_number(c->score);
    uint64_t text = simulate_digest(c->text.data, c->text.len);
    printf(" %016" PRIx64 " %s\n", text, c->has_answer ? c->answer.data : "-");
}

static void print_end(const aim_search *s, int wanted)
{
    int n;
    const aim_candidate *const *ranking = aim_search_ranking(s, &n);
    printf("end %" PRId64 " %d\n", aim_search_tokens(s), aim_search_count(s));
    for (int i = 0; i < n; i++)
        print_candidate(ranking[i]);
    printf("choice");
    for (int i = 0; i < wanted; i++)
        printf(" %d", ranking[i]->number);
    puts("");
}

/* Work, reports and decisions until it is over. */
static void finish(run *r, int wanted)
{
    aim_error err = {0};
    while (!aim_search_is_over(r->search)) {
        take_work(r);
        if (r->n_units > 0) {
            report(r);
            continue;
        }
        if (!aim_search_wants_decision(r->search))
            die("nothing to do and nothing to decide");
        print_round(r);
        if (aim_search_decide(r->search, &err) != 0) {
            printf("failed %s: %s\n", aim_code_name(err.code), err.text);
            return;
        }
    }
    print_end(r->search, wanted);
}

static void print_leads(const json_t *pairs)
{
    size_t i;
    const json_t *pair;
    json_array_foreach(pairs, i, pair)
    {
        int most = (int)json_integer_value(json_array_get(pair, 0));
        int second = (int)json_integer_value(json_array_get(pair, 1));
        printf("%.17g\n", aim__lead_probability(most, second));
    }
}

static void run_search(const json_t *json)
{
    aim_error err = {0};
    aim_search_options options = read_options(json_object_get(json, "options"));
    run r = {.search = aim_search_new(&options, &err), .order = (uint64_t)integer(json, "order")};
    if (!r.search) {
        printf("refused %s: %s\n", err.param, err.text);
        return;
    }
    simulation_read(&r.model, json_object_get(json, "simulation"), &options);
    finish(&r, options.n);
    aim_search_free(r.search);
    aim_free(r.units);
    aim_free(r.round);
}

static void run_case(const json_t *json)
{
    printf("case %s\n", name(json, "name", "?"));
    const json_t *leads = json_object_get(json, "leads");
    if (leads)
        print_leads(leads);
    else
        run_search(json);
}

enum { MAX_FILE = 64 << 20 };

int main(int argc, char **argv)
{
    if (argc != 2)
        die("usage: search_case FILE");
    aim_json_init();
    aim_error err = {0};
    json_t *cases = aim_json_load(argv[1], MAX_FILE, &err);
    if (!cases)
        die(err.text);
    size_t i;
    const json_t *json;
    json_array_foreach(cases, i, json)
    {
        run_case(json);
    }
    json_decref(cases);
    return 0;
}
