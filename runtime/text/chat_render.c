/* SPDX-License-Identifier: Apache-2.0 */
/* chat_render.c - a conversation as a row of chat_rows.c writes it. */
#include "text/chat_rows.h"

#include "base/alloc.h"
#include "text/chat_slice.h"

#include <stdio.h>
#include <string.h>

void aim_prompt_free(aim_prompt *p)
{
    aim_buf_free(&p->text);
    aim_free(p->plain);
    *p = (aim_prompt){0};
}

struct render {
    const aim_chat_template *c;
    const aim_tokenizer *t;
    const aim_message *messages;
    size_t n;
    bool continue_final;
    aim_prompt *out;
    bool failed; /* out of memory, unless out->text tells so */
};

/* ---- writing ------------------------------------------------------------ */

/* Does the tokenizer put BOS in front of any text? */
static bool adds_bos(struct render *r)
{
    aim_ids ids = {0};
    int32_t bos = aim_tokenizer_bos_id(r->t);
    int code = aim_tokenizer_encode(r->t, "", 0, AIM_ADD_SPECIAL, NULL, 0, &ids, NULL);
    bool adds = bos >= 0 && ids.n > 0 && ids.v[0] == bos;
    r->failed |= code != AIM_OK;
    aim_ids_free(&ids);
    return adds;
}

/* Text of the row, in which marks stand for special tokens; NULL is "". */
static void put(struct render *r, const char *text)
{
    for (; text && *text; text++) {
        const char *token = NULL;
        if (*text == *AIM__BOS || (*text == *AIM__OWN_BOS && adds_bos(r)))
            token = aim_tokenizer_bos(r->t);
        else if (*text == *AIM__EOS)
            token = aim_tokenizer_eos(r->t);
        else if (*text != *AIM__OWN_BOS)
            aim_buf_append(&r->out->text, text, 1);
        if (token)
            aim_buf_puts(&r->out->text, token);
    }
}

/* Part of a message, in which nothing is a special token. */
static void put_plain(struct render *r, struct aim__slice x)
{
    aim_prompt *out = r->out;
    size_t start = out->text.len;
    if (x.len == 0)
        return;
    if (!aim_grow(&out->plain, &out->room_plain, out->n_plain + 1, sizeof *out->plain)) {
        r->failed = true;
        return;
    }
    aim_buf_append(&out->text, x.s, x.len);
    out->plain[out->n_plain++] = (aim_span){start, start + x.len};
}

/* Take white space of the row's own text back, down to `floor` bytes. */
static void take_back_space(struct render *r, size_t floor)
{
    aim_buf *text = &r->out->text;
    if (!text->failed && text->len > floor)
        text->len =
            floor +
            aim__slice_trim_end((struct aim__slice){text->data + floor, text->len - floor}).len;
    if (text->data)
        text->data[text->len] = '\0';
}

/* ---- who may speak ------------------------------------------------------ */

static const char *const role_names[] = {
    [AIM__SYSTEM] = "system",
    [AIM__USER] = "user",
    [AIM__ASSISTANT] = "assistant",
    [AIM__TOOL] = "tool",
};

/* AIM__N_ROLES if it is none. A developer's message is what a system message
 * was before that role came up; no template knows the word. */
static enum aim__chat_role find_role(const char *name)
{
    int i = 0;
    if (strcmp(name, "developer") == 0)
        return AIM__SYSTEM;
    while (i < AIM__N_ROLES && strcmp(name, role_names[i]) != 0)
        i++;
    return (enum aim__chat_role)i;
}

static enum aim__chat_role role_of(const struct render *r, size_t i)
{
    return find_role(r->messages[i].role);
}

static bool begins_with_system(const struct render *r)
{
    return role_of(r, 0) == AIM__SYSTEM;
}

static bool second_system(const struct render *r, size_t i)
{
    bool second = false;
    for (size_t k = 0; k < i && role_of(r, i) == AIM__SYSTEM && !second; k++)
        second = role_of(r, k) == AIM__SYSTEM;
    return second;
}

/* Why message i cannot be written, or NULL. */
static const char *objection(const struct render *r, size_t i, char *room, size_t size)
{
    const aim_chat_template *c = r->c;
    enum aim__chat_role role = role_of(r, i);
    if (role == AIM__N_ROLES)
        return "must be system, developer, user, assistant or tool";
    if (!c->turns[role].before) {
        snprintf(room, size, "which the chat template %s does not have", c->name);
        return room;
    }
    if (c->switches & AIM__SYSTEM_TO_FRONT && second_system(r, i)) {
        snprintf(room, size, "of which the chat template %s has only one", c->name);
        return room;
    }
    bool system = begins_with_system(r);
    if (!(c->switches & AIM__ALTERNATE) || (system && i == 0))
        return NULL;
    enum aim__chat_role want = (i - system) % 2 == 0 ? AIM__USER : AIM__ASSISTANT;
    snprintf(room, size, "must be %s: in the chat template %s user and assistant take turns",
             role_names[want], c->name);
    return role == want ? NULL : room;
}

static int check_roles(const struct render *r, aim_error *err)
{
    for (size_t i = 0; i < r->n; i++) {
        char param[64], room[128];
        const char *why = objection(r, i, room, sizeof room);
        if (!why)
            continue;
        snprintf(param, sizeof param, "messages[%zu].role", i);
        return aim_fail_param(err, AIM_EINVAL, param, "%s is \"%.64s\", %s", param,
                              r->messages[i].role, why);
    }
    if (r->c->switches & AIM__SYSTEM_IN_USER && r->n == 1 && begins_with_system(r))
        return aim_fail_param(err, AIM_EINVAL, "messages",
                              "messages must have a user message, of which the chat template %s "
                              "makes the system message a part",
                              r->c->name);
    return AIM_OK;
}

static int check_ending(const struct render *r, bool add_generation_prompt, aim_error *err)
{
    if (!r->continue_final)
        return AIM_OK;
    if (add_generation_prompt)
        return aim_fail_param(
            err, AIM_EINVAL, "continue_final_message",
            "continue_final_message and add_generation_prompt exclude each other");
    if (role_of(r, r->n - 1) != AIM__ASSISTANT)
        return aim_fail_param(err, AIM_EINVAL, "continue_final_message",
                              "continue_final_message needs a last message of the assistant");
    return AIM_OK;
}

/* ---- turns -------------------------------------------------------------- */

static struct aim__slice content_of(const struct render *r, size_t i)
{
    return (struct aim__slice){r->messages[i].content, r->messages[i].content_len};
}

/* Is message i the one to be continued? */
static bool is_open(const struct render *r, size_t i)
{
    return r->continue_final && i + 1 == r->n;
}

static void put_content(struct render *r, size_t i)
{
    struct aim__slice content = content_of(r, i);
    if (r->c->switches & AIM__FORGET_THINK && role_of(r, i) == AIM__ASSISTANT)
        content = aim__slice_after_last(content, "</think>");
    if (r->c->switches & AIM__TRIM)
        content = is_open(r, i) ? aim__slice_trim_start(content)
                                : aim__slice_trim_end(aim__slice_trim_start(content));
    put_plain(r, content);
}

static void put_default_system(struct render *r)
{
    const struct aim__chat_turn *turn = &r->c->turns[AIM__SYSTEM];
    put(r, turn->before);
    put(r, r->c->prelude);
    put(r, r->c->default_system);
    put(r, turn->after);
}

static void put_system_in_front(struct render *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (role_of(r, i) == AIM__SYSTEM)
            put_plain(r, content_of(r, i));
}

/* The system message and the user's are trimmed as one. */
static void put_system_and_user(struct render *r)
{
    const struct aim__chat_turn *system = &r->c->turns[AIM__SYSTEM];
    const struct aim__chat_turn *user = &r->c->turns[AIM__USER];
    put(r, user->before);
    size_t start = r->out->text.len;
    put(r, system->before);
    put_plain(r, content_of(r, 0));
    put(r, system->after);
    put_plain(r, aim__slice_trim_end(content_of(r, 1)));
    take_back_space(r, start);
    put(r, user->after);
}

/* Where the message to be continued stops. transformers marks its end with a
 * word and a space; where it finds both again the prompt is cut there, else the
 * template has trimmed it, and white space at the cut goes too. */
static void leave_open(struct render *r, const char *after)
{
    if (!(r->c->switches & AIM__TRIM) || *after == ' ')
        return;
    aim_prompt *out = r->out;
    take_back_space(r, 0);
    if (out->n_plain > 0 && out->plain[out->n_plain - 1].end > out->text.len)
        out->plain[out->n_plain - 1].end = out->text.len;
    while (out->n_plain > 0 && out->plain[out->n_plain - 1].start >= out->text.len)
        out->n_plain--;
}

/* ---- <think> ------------------------------------------------------------ */

/* The number of the last question, or of the last message if there is none.
 * What a tool answered is no question. */
static size_t last_question(const struct render *r)
{
    for (size_t i = r->n; i-- > 0;) {
        struct aim__slice x = content_of(r, i);
        if (role_of(r, i) == AIM__USER && !(aim__slice_starts_with(x, "<tool_response>") &&
                                            aim__slice_ends_with(x, "</tool_response>")))
            return i;
    }
    return r->n - 1;
}

static void put_thoughtful(struct render *r, size_t i, size_t question)
{
    struct aim__slice answer = content_of(r, i), thought = {"", 0};
    if (aim__slice_contains(answer, (struct aim__slice){"</think>", 8})) {
        thought = aim__slice_after_last(
            aim__slice_strip_end_lines(aim__slice_before_first(answer, "</think>")), "<think>");
        thought = aim__slice_strip_start_lines(thought);
        answer = aim__slice_strip_start_lines(aim__slice_after_last(answer, "</think>"));
    }
    if (i > question && (i + 1 == r->n || thought.len > 0)) {
        put(r, "<think>\n");
        put_plain(r, aim__slice_strip_end_lines(thought));
        put(r, "\n</think>\n\n");
        answer = aim__slice_strip_start_lines(answer);
    }
    put_plain(r, answer);
}

/* ---- the whole ---------------------------------------------------------- */

/* Is system message i left out, or written already? */
static bool is_left_out(const struct render *r, size_t i)
{
    bool empty = r->messages[i].content_len == 0;
    return r->c->switches & AIM__SYSTEM_TO_FRONT ||
           (empty && r->c->switches & AIM__SKIP_EMPTY_SYSTEM);
}

static void put_message(struct render *r, size_t i, size_t question)
{
    enum aim__chat_role role = role_of(r, i);
    const struct aim__chat_turn *turn = &r->c->turns[role];
    if (role == AIM__SYSTEM && is_left_out(r, i))
        return;
    put(r, turn->before);
    if (role == AIM__SYSTEM && i == 0)
        put(r, r->c->prelude);
    if (role == AIM__ASSISTANT && r->c->switches & AIM__THINK)
        put_thoughtful(r, i, question);
    else
        put_content(r, i);
    if (is_open(r, i))
        leave_open(r, turn->after);
    else if (i + 1 < r->n || !(r->c->switches & AIM__BETWEEN))
        put(r, turn->after);
}

static void put_conversation(struct render *r, bool add_generation_prompt)
{
    bool system = begins_with_system(r);
    size_t done = 0, question = last_question(r);
    put(r, r->c->start);
    if (r->c->switches & AIM__SYSTEM_TO_FRONT)
        put_system_in_front(r);
    if (system && r->c->switches & AIM__SYSTEM_IN_USER) {
        put_system_and_user(r);
        done = 2;
    } else if (!system && r->c->default_system) {
        put_default_system(r);
    }
    for (size_t i = done; i < r->n; i++)
        put_message(r, i, question);
    if (!r->continue_final)
        put(r, add_generation_prompt ? r->c->opening : r->c->closing);
}

/* A template that takes a message apart may not write what is to be continued. */
static int check_final(const struct render *r, aim_error *err)
{
    const aim_buf *text = &r->out->text;
    struct aim__slice whole = {text->data, text->len}, final = content_of(r, r->n - 1);
    final = aim__slice_trim_end(aim__slice_trim_start(final));
    if (!r->continue_final || aim__slice_contains(whole, final))
        return AIM_OK;
    return aim_fail_param(err, AIM_EINVAL, "continue_final_message",
                          "continue_final_message: the chat template %s does not write the last "
                          "message as it stands",
                          r->c->name);
}

int aim_chat_render(const aim_chat_template *c, const aim_tokenizer *t, const aim_message *messages,
                    size_t n, bool add_generation_prompt, bool continue_final, aim_prompt *out,
                    aim_error *err)
{
    struct render r = {c, t, messages, n, continue_final, out, false};
    *out = (aim_prompt){0};
    if (n == 0)
        return aim_fail_param(err, AIM_EINVAL, "messages", "messages must not be empty");
    int code = check_roles(&r, err);
    if (!code)
        code = check_ending(&r, add_generation_prompt, err);
    if (code)
        return code;
    put_conversation(&r, add_generation_prompt);
    code = r.failed || out->text.failed ? aim_fail_nomem(err, "the prompt") : check_final(&r, err);
    if (code)
        aim_prompt_free(out);
    return code;
}
