/* SPDX-License-Identifier: Apache-2.0 */
/* attention.inc.h - softmax attention of one query row over a paged cache.
 * Included by float_kernels.inc.h.
 *
 * Query heads that read the same key and value head go together, up to
 * AIM__ATTEND_GROUP of them, so that a cache element is loaded and widened
 * once. Each head computes on its own: scores in order of position, softmax,
 * then the weighted sum of values, position after position in each lane. The
 * result depends on the positions [first, length) and their values alone, not on
 * where blocks lie or which heads went together. */

enum { VALUE_CHUNKS = NATIVE_LANES / 4 }; /* 16-lane chunks of a value in registers at once */

/* The heads that go together, and their scores. */
struct group {
    const aim_attention *a;
    const int32_t *blocks;
    int first, length; /* positions [first, length) */
    int kv_head;
    float *scores; /* [heads of the group][stride], of position first + i */
    size_t stride;
};

INLINE size_t element_size(const aim_attention *a)
{
    return a->kv_is_bf16 ? sizeof(uint16_t) : sizeof(float);
}

/* The group's head's key of position `at`; those of the same block follow each
 * other head_dim elements apart. */
static const unsigned char *keys_from(const struct group *g, int at)
{
    const aim_attention *a = g->a;
    size_t slot = (size_t)g->kv_head * (size_t)a->block_tokens + (size_t)(at % a->block_tokens);
    size_t block = (size_t)g->blocks[at / a->block_tokens];
    return a->base + block * a->block_stride + slot * (size_t)a->head_dim * element_size(a);
}

/* Positions from `at` to the end of its block that are in use. */
static int block_used(const struct group *g, int at)
{
    int left = g->length - at, room = g->a->block_tokens - at % g->a->block_tokens;
    return left < room ? left : room;
}

INLINE lanes load_cached(const unsigned char *row, int i, const bool bf16)
{
    return bf16 ? lanes_load_bf16((const uint16_t *)(const void *)row + i)
                : lanes_load((const float *)(const void *)row + i);
}

INLINE lanes load_cached_some(const unsigned char *row, int i, int n, const bool bf16)
{
    if (!bf16)
        return lanes_load_some((const float *)(const void *)row + i, n);
    uint16_t padded[LANES] = {0};
    memcpy(padded, row + (size_t)i * sizeof padded[0], (size_t)n * sizeof padded[0]);
    return lanes_load_bf16(padded);
}

/* Scores of one position for all heads of the group. */
INLINE void score(const struct group *g, const float *q, const unsigned char *key, int at,
                  const int heads, const bool bf16)
{
    const int dim = g->a->head_dim;
    lanes acc[AIM__ATTEND_GROUP];
    for (int h = 0; h < heads; h++)
        acc[h] = lanes_set(0);
    int i = 0;
    for (; i + LANES <= dim; i += LANES) {
        lanes k = load_cached(key, i, bf16);
        for (int h = 0; h < heads; h++)
            acc[h] = lanes_mul_add(acc[h], lanes_load(q + (size_t)h * (size_t)dim + i), k);
    }
    if (i < dim) {
        lanes k = load_cached_some(key, i, dim - i, bf16);
        for (int h = 0; h < heads; h++) {
            const float *rest = q + (size_t)h * (size_t)dim + i;
            acc[h] = lanes_mul_add(acc[h], lanes_load_some(rest, dim - i), k);
        }
    }
    for (int h = 0; h < heads; h++)
        g->scores[(size_t)h * g->stride + (size_t)(at - g->first)] =
            lanes_sum(acc[h]) * g->a->scale;
}

INLINE void score_all(const struct group *g, const float *q, const int heads, const bool bf16)
{
    const size_t step = (size_t)g->a->head_dim * (bf16 ? sizeof(uint16_t) : sizeof(float));
    for (int at = g->first, used; at < g->length; at += used) {
        const unsigned char *key = keys_from(g, at);
        used = block_used(g, at);
        for (int t = 0; t < used; t++)
            score(g, q, key + (size_t)t * step, at + t, heads, bf16);
    }
}

/* out[head][i ..] = sum over positions of weight * value, for `chunks` chunks
 * of 16 elements, of which the last holds `last`. */
INLINE void weigh(const struct group *g, float *out, int i, int last, const int chunks,
                  const int heads, const bool bf16)
{
    const aim_attention *a = g->a;
    const size_t step = (size_t)a->head_dim * (bf16 ? sizeof(uint16_t) : sizeof(float));
    lanes acc[AIM__ATTEND_GROUP][VALUE_CHUNKS];
    for (int h = 0; h < heads; h++)
        for (int c = 0; c < chunks; c++)
            acc[h][c] = lanes_set(0);
    for (int at = g->first, used; at < g->length; at += used) {
        const unsigned char *value = keys_from(g, at) + a->v_offset;
        const float *weights = g->scores + (at - g->first);
        used = block_used(g, at);
        for (int t = 0; t < used; t++, value += step)
            for (int c = 0; c < chunks; c++) {
                int from = i + c * LANES;
                lanes v = last < LANES ? load_cached_some(value, from, last, bf16)
                                       : load_cached(value, from, bf16);
                for (int h = 0; h < heads; h++) {
                    float weight = weights[(size_t)h * g->stride + (size_t)t];
                    acc[h][c] = lanes_mul_add(acc[h][c], lanes_set(weight), v);
                }
            }
    }
    for (int h = 0; h < heads; h++)
        for (int c = 0; c < chunks; c++) {
            float *to = out + (size_t)h * (size_t)a->head_dim + i + c * LANES;
            float rest[LANES];
            lanes_store(rest, acc[h][c]);
            memcpy(to, rest, (size_t)last * sizeof *to);
        }
}

INLINE void weigh_all(const struct group *g, float *out, const int heads, const bool bf16)
{
    const int dim = g->a->head_dim;
    int i = 0;
    for (; i + VALUE_CHUNKS * LANES <= dim; i += VALUE_CHUNKS * LANES)
        weigh(g, out, i, LANES, VALUE_CHUNKS, heads, bf16);
    for (; i + LANES <= dim; i += LANES)
        weigh(g, out, i, LANES, 1, heads, bf16);
    if (i < dim)
        weigh(g, out, i, dim - i, 1, heads, bf16);
}

/* Scores to weights that add up to one. */
static void softmax(float *x, int n)
{
    float max = max_of(x, n);
    for (int i = 0; i < n; i++)
        x[i] = aim_expf(x[i] - max);
    lanes acc = lanes_set(0);
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        acc = lanes_add(acc, lanes_load(x + i));
    if (i < n)
        acc = lanes_add(acc, lanes_load_some(x + i, n - i));
    float inverse = 1.0f / lanes_sum(acc);
    for (i = 0; i < n; i++)
        x[i] *= inverse;
}

INLINE void attend_group(const struct group *g, const float *q, float *out, const int heads,
                         const bool bf16)
{
    score_all(g, q, heads, bf16);
    for (int h = 0; h < heads; h++)
        softmax(g->scores + (size_t)h * g->stride, g->length - g->first);
    weigh_all(g, out, heads, bf16);
}

/* The number of heads made a constant, so that the sums stay in registers. */
INLINE void attend_heads(const struct group *g, const float *q, float *out, int heads,
                         const bool bf16)
{
    switch (heads) {
    case 1:
        attend_group(g, q, out, 1, bf16);
        break;
    case 2:
        attend_group(g, q, out, 2, bf16);
        break;
    case 3:
        attend_group(g, q, out, 3, bf16);
        break;
    default:
        attend_group(g, q, out, 4, bf16);
        break;
    }
}

static void attend_bf16(const struct group *g, const float *q, float *out, int heads)
{
    attend_heads(g, q, out, heads, true);
}

static void attend_f32(const struct group *g, const float *q, float *out, int heads)
{
    attend_heads(g, q, out, heads, false);
}

static void attend(const aim_attention *a, const int32_t *blocks, int first, int length,
                   const float *q, float *out, int head0, int head1, float *scratch)
{
    const int per_kv = a->heads / a->kv_heads;
    for (int head = head0; head < head1;) {
        size_t stride = aim_attention_scratch(length - first) / AIM__ATTEND_GROUP;
        struct group g = {a, blocks, first, length, head / per_kv, scratch, stride};
        int heads = (g.kv_head + 1) * per_kv - head;
        heads = heads < head1 - head ? heads : head1 - head;
        heads = heads < AIM__ATTEND_GROUP ? heads : AIM__ATTEND_GROUP;
        size_t at = (size_t)head * (size_t)a->head_dim;
        if (a->kv_is_bf16)
            attend_bf16(&g, q + at, out + at, heads);
        else
            attend_f32(&g, q + at, out + at, heads);
        head += heads;
    }
}
