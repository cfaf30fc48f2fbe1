/* SPDX-License-Identifier: Apache-2.0 */
#include "text/normalizer.h"

#include "base/alloc.h"
#include "text/split.h"
#include "text/utf8.h"
#include "text/white_space.h"

#include <string.h>

/* What the steps have in common. */
struct run {
    struct aim__allowance *allowance;
    aim_error *err;
};

static int fail_nomem(const struct run *r)
{
    return aim_fail_nomem(r->err, "normalising the text");
}

/* ---- replacing -------------------------------------------------------------- */

struct replacement {
    const char *text, *content;
    size_t n_content;
    struct aim__allowance *allowance;
    aim_buf *out;
    bool *at_start;
};

/* The reference lets what stands in the place of several characters count for
 * the last of them, which is not at the start of the text any more. */
static bool loses_start(const struct replacement *r, size_t start, size_t stop)
{
    size_t first = aim_utf8_length((unsigned char)r->text[start]);
    return start == 0 && stop > 0 && (r->n_content == 0 || stop > first);
}

static int on_stretch(void *arg, size_t start, size_t stop, bool match)
{
    const struct replacement *r = arg;
    if (match && loses_start(r, start, stop))
        *r->at_start = false;
    const char *from = match ? r->content : r->text + start;
    size_t n = match ? r->n_content : stop - start;
    int code = aim__allowance_take(r->allowance, n);
    if (!code)
        aim_buf_append(r->out, from, n);
    return code;
}

static int replace(const struct run *run, const struct aim__normalizer_step *s, const char *text,
                   size_t len, aim_buf *out, bool *at_start)
{
    struct replacement r = {text, s->content, strlen(s->content), run->allowance, out, at_start};
    return s->pattern ? aim__pattern_find_all(s->pattern, text, len, run->allowance->deadline,
                                              on_stretch, &r, run->err)
                      : aim__find_text(s->wanted, text, len, on_stretch, &r);
}

static int put_form(const struct run *r, enum aim__normal_form form, const char *text, size_t len,
                    aim_buf *out)
{
    size_t had = out->len;
    if (!aim__normal_form(form, text, len, r->allowance->bytes, out))
        return AIM_ETOOLARGE;
    return aim__allowance_take(r->allowance, out->len - had);
}

/* ---- following the plain spans ------------------------------------------------ */

/* A step that looks at characters and their neighbours only; *at_start becomes
 * false where the first of them goes. */
static int change(const struct run *r, const struct aim__normalizer_step *s, const char *text,
                  size_t len, aim_buf *out, bool *at_start)
{
    if (len == 0)
        return AIM_OK;
    return s->kind == AIM__REPLACE ? replace(r, s, text, len, out, at_start)
                                   : put_form(r, s->form, text, len, out);
}

static bool same(const aim_buf *a, const aim_buf *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* Move the ends of the plain spans to where they are after the step. For that
 * the pieces between the ends are changed one by one; if together they are not
 * the whole text changed, the step looked across an end, and all is plain. */
static int follow(const struct run *r, const struct aim__normalizer_step *s,
                  struct aim__normal_text *t, const aim_buf *whole)
{
    aim_buf pieces = AIM_BUF_INIT;
    bool ignored;
    size_t done = 0;
    int code = AIM_OK;
    for (size_t i = 0; i < 2 * t->n_plain && !code; i++) {
        size_t *end = i % 2 ? &t->plain[i / 2].end : &t->plain[i / 2].start;
        code = change(r, s, t->bytes.data + done, *end - done, &pieces, &ignored);
        done = *end;
        *end = pieces.len;
    }
    if (!code)
        code = change(r, s, t->bytes.data + done, t->bytes.len - done, &pieces, &ignored);
    if (!code && pieces.failed)
        code = fail_nomem(r);
    if (!code && !same(&pieces, whole)) {
        t->plain[0] = (aim_span){0, whole->len};
        t->n_plain = 1;
    }
    aim_buf_free(&pieces);
    return code;
}

static void move_spans(struct aim__normal_text *t, size_t forward, size_t back)
{
    for (size_t i = 0; i < 2 * t->n_plain; i++) {
        size_t *end = i % 2 ? &t->plain[i / 2].end : &t->plain[i / 2].start;
        size_t at = *end + forward < back ? 0 : *end + forward - back;
        *end = at < t->bytes.len ? at : t->bytes.len;
    }
}

/* ---- steps ---------------------------------------------------------------------- */

static int step_change(const struct run *r, const struct aim__normalizer_step *s,
                       struct aim__normal_text *t)
{
    aim_buf out = AIM_BUF_INIT;
    int code = change(r, s, t->bytes.data, t->bytes.len, &out, &t->at_start);
    if (!code && t->n_plain > 0)
        code = follow(r, s, t, &out);
    aim_buf_free(&t->bytes);
    t->bytes = out;
    return code;
}

static int step_prepend(const struct run *r, const struct aim__normalizer_step *s,
                        struct aim__normal_text *t)
{
    aim_buf out = AIM_BUF_INIT;
    size_t n = strlen(s->content);
    if (t->bytes.len == 0)
        return AIM_OK;
    int code = aim__allowance_take(r->allowance, n + t->bytes.len);
    if (code)
        return code;
    aim_buf_append(&out, s->content, n);
    aim_buf_append(&out, t->bytes.data, t->bytes.len);
    aim_buf_free(&t->bytes);
    t->bytes = out;
    move_spans(t, n, 0);
    return AIM_OK;
}

static void step_strip(const struct aim__normalizer_step *s, struct aim__normal_text *t)
{
    const unsigned char *text = (const unsigned char *)t->bytes.data;
    size_t start = s->left ? aim__spaces_after(text, 0, t->bytes.len) : 0;
    size_t stop = s->right ? aim__spaces_before(text, t->bytes.len, start) : t->bytes.len;
    if (start > 0)
        t->at_start = false;
    t->bytes.len = stop;
    aim_buf_consume(&t->bytes, start);
    move_spans(t, 0, start);
}

static int run_step(const struct run *r, const struct aim__normalizer_step *s,
                    struct aim__normal_text *t)
{
    int code = AIM_OK;
    if (s->kind == AIM__PREPEND)
        code = step_prepend(r, s, t);
    else if (s->kind == AIM__STRIP)
        step_strip(s, t);
    else
        code = step_change(r, s, t);
    return t->bytes.failed ? fail_nomem(r) : code;
}

int aim__normalize(const struct aim__normalizer *n, const char *text, size_t len,
                   struct aim__allowance *allowance, struct aim__normal_text *out, aim_error *err)
{
    const struct run r = {allowance, err};
    int code = AIM_OK;
    out->at_start = true;
    aim_buf_append(&out->bytes, text, len);
    if (out->bytes.failed)
        return fail_nomem(&r);
    for (int i = 0; i < n->n && !code; i++)
        code = run_step(&r, &n->step[i], out);
    return code;
}

void aim__normal_text_free(struct aim__normal_text *text)
{
    aim_buf_free(&text->bytes);
    aim_free(text->plain);
}

void aim__normalizer_fini(struct aim__normalizer *n)
{
    for (int i = 0; i < n->n; i++) {
        aim__pattern_free(n->step[i].pattern);
        aim_free(n->step[i].wanted);
        aim_free(n->step[i].content);
    }
}
