/* SPDX-License-Identifier: Apache-2.0 */
/* reward_tokens.c - the text of a layout, and its tokens. */
#include "search/reward_impl.h"

#include "base/alloc.h"

#include <string.h>

void aim__put(aim_prompt *p, const char *text)
{
    aim_buf_puts(&p->text, text);
}

void aim__put_plain(aim_prompt *p, struct aim__text x)
{
    size_t start = p->text.len;
    if (x.len == 0)
        return;
    if (!aim_grow(&p->plain, &p->room_plain, p->n_plain + 1, sizeof *p->plain)) {
        p->text.failed = true;
        return;
    }
    aim_buf_append(&p->text, x.s, x.len);
    p->plain[p->n_plain++] = (aim_span){start, start + x.len};
}

void aim__cut_prompt(aim_prompt *p, size_t len)
{
    while (p->n_plain > 0 && p->plain[p->n_plain - 1].start >= len)
        p->n_plain--;
    if (p->n_plain > 0 && p->plain[p->n_plain - 1].end > len)
        p->plain[p->n_plain - 1].end = len;
    if (p->text.data && !p->text.failed) {
        p->text.len = len;
        p->text.data[len] = '\0';
    }
}

/* ---- tokens ------------------------------------------------------------------------ */

int aim__learn_bos(aim_reward *r, aim_error *err)
{
    aim_ids ids = {0};
    int32_t bos = aim_tokenizer_bos_id(r->tokenizer);
    int code = aim_tokenizer_encode(r->tokenizer, "", 0, AIM_ADD_SPECIAL, NULL, 0, &ids, err);
    bool adds = r->layout->adds_bos && ids.n > 0 && ids.v[0] == bos;
    r->bos = adds ? bos : -1;
    aim_ids_free(&ids);
    return code;
}

int aim__encode_prompt(const aim_reward *r, const aim_prompt *p, bool start, aim_ids *out,
                       aim_error *err)
{
    size_t had = out->n;
    bool adds = start && r->bos >= 0;
    if (p->text.failed || (adds && !aim_ids_push(out, r->bos)))
        return aim_fail_nomem(err, "the input of a reward model");
    int code = aim_tokenizer_encode(r->tokenizer, p->text.data ? p->text.data : "", p->text.len,
                                    AIM_PARSE_SPECIAL, p->plain, p->n_plain, out, err);
    /* Where a chat template writes BOS itself, once is enough. */
    if (!code && adds && out->n > had + 1 && out->v[had + 1] == r->bos) {
        out->n--;
        memmove(out->v + had, out->v + had + 1, (out->n - had) * sizeof *out->v);
    }
    return code;
}

size_t aim__common_prefix(const aim_ids *a, const aim_ids *b)
{
    size_t n = 0;
    while (n < a->n && n < b->n && a->v[n] == b->v[n])
        n++;
    return n;
}

int aim__find_scored(const aim_reward *r, struct aim__draft *d, aim_error *err)
{
    int n = (int)d->tokens.n;
    bool in_head = r->layout->line_by_line;
    for (int i = 0; i < n; i++) {
        bool scored = r->layout->is_scored(r, d->tokens.v, n, i);
        if (scored && !in_head && !aim_ids_push(&d->score_at, i))
            return aim_fail_nomem(err, "positions of scores");
        in_head &= !scored;
    }
    return AIM_OK;
}

int aim__encode_last(const aim_reward *r, const char *text, int32_t *id, aim_error *err)
{
    aim_ids ids = {0};
    int code = aim_tokenizer_encode(r->tokenizer, text, strlen(text), AIM_PARSE_SPECIAL, NULL, 0,
                                    &ids, err);
    if (!code && ids.n == 0)
        code = aim_fail(err, AIM_EUNSUPPORTED, "\"%.64s\" has no tokens", text);
    if (!code)
        *id = ids.v[ids.n - 1];
    aim_ids_free(&ids);
    return code;
}

int aim__fail_same_labels(aim_error *err)
{
    return aim_fail_param(err, AIM_EFORMAT, "labels",
                          AIM__REWARD_JSON ": both labels begin with the same token");
}

/* ---- what stays ------------------------------------------------------------------- */

/* Text is cut into words before it is cut into tokens, and a space between two other
 * characters always begins a word: the place of the last such space, 0 if there is none. */
static size_t last_word(const aim_buf *text)
{
    for (size_t i = text->len; i-- > 2;) {
        const char *s = text->data + i - 1;
        if (s[0] == ' ' && (unsigned char)s[-1] > ' ' && (unsigned char)s[1] > ' ')
            return i - 1;
    }
    return 0;
}

/* The tokens up to the last special one. */
static size_t count_to_special(const aim_tokenizer *t, const aim_ids *ids)
{
    size_t n = ids->n;
    while (n > 0 && !aim_tokenizer_is_special(t, ids->v[n - 1]))
        n--;
    return n;
}

/* Nothing behind the head changes what is in front of its last special token, or of its
 * last word; the later of the two counts. */
int aim__encode_fixed(const aim_reward *r, aim_prompt *head, aim_ids *out, aim_error *err)
{
    aim_ids words = {0};
    int code = aim__encode_prompt(r, head, true, out, err);
    if (code || r->layout->line_by_line)
        return code;
    aim__cut_prompt(head, last_word(&head->text));
    code = aim__encode_prompt(r, head, true, &words, err);
    size_t special = count_to_special(r->tokenizer, out), same = aim__common_prefix(out, &words);
    out->n = special > same ? special : same;
    aim_ids_free(&words);
    return code;
}
