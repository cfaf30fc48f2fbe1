/* SPDX-License-Identifier: Apache-2.0 */
/* POST /tokenize, /detokenize and /apply-template: answered by the worker
 * thread that reads the body. */
#include "server/routes.h"

#include "base/alloc.h"
#include "server/json_out.h"
#include "server/offload.h"

/* A small request: its whole answer is made on the worker thread. */
typedef struct text_request {
    aimd_offload offload; /* first: the two share an address */
    int (*answer)(const aimd_body *b, aim_buf *out, aim_error *err);
    aim_buf out;
} text_request;

static void run(aimd_offload *o)
{
    text_request *r = (text_request *)o;
    aimd_body b;
    int code = aimd_body_open(o, &b);
    if (!code)
        code = r->answer(&b, &r->out, &o->error);
    if (!code && r->out.failed)
        aim_fail_nomem(&o->error, "response");
    aimd_body_close(&b);
}

static void done(aimd_offload *o)
{
    text_request *r = (text_request *)o;
    if (o->exchange && o->error.code == AIM_OK)
        aimd_respond_take(o->exchange, 200, "application/json", &r->out);
    else
        aimd_offload_fail(o);
    aimd_offload_end(o);
    aim_buf_free(&r->out);
    aim_free(r);
}

static void start(aimd_daemon *d, aimd_exchange *x, enum aimd_body_route route,
                  int (*answer)(const aimd_body *b, aim_buf *out, aim_error *err))
{
    text_request *r = aim_calloc(1, sizeof *r);
    if (!r) {
        aim_error err = {0};
        aim_fail_nomem(&err, "request");
        aimd_respond_error(x, &err, NULL);
        return;
    }
    r->answer = answer;
    r->offload.route = route;
    r->offload.run = run;
    r->offload.done = done;
    aimd_offload_start(&r->offload, d, x);
}

/* ---- /tokenize ---------------------------------------------------------- */

static int encode_messages(const aimd_body *b, bool add_special, aimd_prompt *out, aim_error *err)
{
    aim_prompt rendered = {0};
    int code = aimd_render_messages(b->json, &b->scope, &b->params, &rendered, err);
    if (!code)
        code = aimd_encode_rendered(&b->scope, &rendered, add_special, out, err);
    aim_prompt_free(&rendered);
    return code;
}

/* vLLM's prompt gets BOS by default, llama-server's content and messages, whose
 * template writes it, do not. */
static int encode(const aimd_body *b, aimd_prompt *out, aim_error *err)
{
    const json_t *prompt = json_object_get(b->json, "prompt");
    const json_t *content = json_object_get(b->json, "content");
    int64_t asked = b->params.add_special_tokens;
    if (asked == AIMD_UNSET)
        asked = b->params.add_special;
    if (prompt && !json_is_null(prompt))
        return aimd_encode_text(&b->scope, prompt, asked != 0, "prompt", out, err);
    bool add_special = asked != AIMD_UNSET && asked != 0;
    if (content && !json_is_null(content))
        return aimd_encode_text(&b->scope, content, add_special, "content", out, err);
    if (json_object_get(b->json, "messages"))
        return encode_messages(b, add_special, out, err);
    return aim_fail_param(err, AIM_EINVAL, "prompt", "prompt, content or messages is needed");
}

static void write_piece(aim_buf *out, const aimd_body *b, int32_t id)
{
    size_t len;
    const char *bytes = aim_tokenizer_bytes(b->scope.tokenizer, id, &len);
    aimd_json_string(out, bytes, len);
}

static void write_pieces(aim_buf *out, const aimd_body *b, const aimd_prompt *p)
{
    aim_buf_puts(out, "[");
    for (int i = 0; i < p->n_tokens; i++) {
        aim_buf_printf(out, "%s{\"id\":%d,\"piece\":", i ? "," : "", (int)p->tokens[i]);
        write_piece(out, b, p->tokens[i]);
        aim_buf_puts(out, "}");
    }
    aim_buf_puts(out, "]");
}

static void write_token_strs(aim_buf *out, const aimd_body *b, const aimd_prompt *p)
{
    aim_buf_puts(out, ",\"token_strs\":[");
    for (int i = 0; i < p->n_tokens; i++) {
        if (i)
            aim_buf_puts(out, ",");
        write_piece(out, b, p->tokens[i]);
    }
    aim_buf_puts(out, "]");
}

static int tokenize(const aimd_body *b, aim_buf *out, aim_error *err)
{
    aimd_prompt p = {0};
    int code = encode(b, &p, err);
    if (!code) {
        aim_buf_printf(out, "{\"count\":%d,\"max_model_len\":%d,\"tokens\":", p.n_tokens,
                       b->scope.max_context);
        if (b->params.with_pieces)
            write_pieces(out, b, &p);
        else
            aimd_json_ids(out, p.tokens, (size_t)p.n_tokens);
        if (b->params.return_token_strs)
            write_token_strs(out, b, &p);
        aim_buf_puts(out, "}");
    }
    aim_free(p.tokens);
    return code;
}

void aimd_post_tokenize(aimd_daemon *d, aimd_exchange *x)
{
    start(d, x, AIMD_TOKENIZE, tokenize);
}

/* ---- /detokenize -------------------------------------------------------- */

static int detokenize(const aimd_body *b, aim_buf *out, aim_error *err)
{
    aim_buf text = AIM_BUF_INIT;
    int32_t *ids = NULL;
    size_t n = 0;
    const json_t *tokens = json_object_get(b->json, "tokens");
    int code = aimd_read_ids(tokens, &b->scope, "tokens", &ids, &n, err);
    if (!code)
        code = aim_tokenizer_decode(b->scope.tokenizer, ids, n, false, &text, err);
    if (!code) { /* vLLM's key and llama-server's */
        aim_buf_puts(out, "{\"prompt\":");
        aimd_json_string(out, text.data, text.len);
        aim_buf_puts(out, ",\"content\":");
        aimd_json_string(out, text.data, text.len);
        aim_buf_puts(out, "}");
    }
    aim_buf_free(&text);
    aim_free(ids);
    return code;
}

void aimd_post_detokenize(aimd_daemon *d, aimd_exchange *x)
{
    start(d, x, AIMD_DETOKENIZE, detokenize);
}

/* ---- /apply-template ---------------------------------------------------- */

static int apply_template(const aimd_body *b, aim_buf *out, aim_error *err)
{
    aim_prompt rendered = {0};
    int code = aimd_render_messages(b->json, &b->scope, &b->params, &rendered, err);
    if (!code) {
        aim_buf_puts(out, "{\"prompt\":");
        aimd_json_string(out, rendered.text.data, rendered.text.len);
        aim_buf_puts(out, "}");
    }
    aim_prompt_free(&rendered);
    return code;
}

void aimd_post_apply_template(aimd_daemon *d, aimd_exchange *x)
{
    start(d, x, AIMD_APPLY_TEMPLATE, apply_template);
}
