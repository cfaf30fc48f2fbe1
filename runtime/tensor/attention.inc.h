/* SPDX-License-Identifier: Apache-2.0 */
/* attention.inc.h - scores of queries against cached keys, and weighted sums of
 * cached values. Included by float_kernels.inc.h.
 *
 * Up to QUERIES queries go together through a tile, the positions of a block that
 * are in use, up to sixteen: what is loaded of the cache is used for all of them.
 * Each result is still a sum of its own in an order that depends on nothing but the
 * positions: a score adds the products of each of 16 lanes in order of the dimension,
 * then the lanes by the tree; a weighted sum adds position after position, and is
 * kept in memory between tiles, exactly. So results depend neither on where blocks
 * lie, nor on which queries went together, nor on where a span was cut.
 *
 * (A lane begins with its first product and not with a zero, and the zeros behind the
 * last dimension are added: this can only change the sign of a score of zero, whose
 * exponential does not know it.) */

#include "tensor/attention_keys.inc.h"
#include "tensor/softmax.inc.h"

enum {
    QUERIES = 4,
    VALUE_PARTS = NATIVE_LANES == 16 ? 4 : 2, /* registers of a value taken at once */
};

/* ---- walking the cache ------------------------------------------------------- */

INLINE size_t row_bytes(const aim_attention *a)
{
    return (size_t)a->head_dim * (a->kv_is_bf16 ? sizeof(uint16_t) : sizeof(float));
}

/* The key of position `at`; those of the same block follow. */
INLINE const unsigned char *key_at(const aim_attention_span *s, int at)
{
    const aim_attention *a = s->cache;
    size_t slot = (size_t)s->kv_head * (size_t)a->block_tokens + (size_t)(at % a->block_tokens);
    size_t block = (size_t)s->blocks[at / a->block_tokens];
    return a->base + block * a->block_stride + slot * row_bytes(a);
}

/* Positions from `at` on that make up one tile. */
INLINE int tile_length(const aim_attention_span *s, int at)
{
    int room = s->cache->block_tokens - at % s->cache->block_tokens;
    room = room < LANES ? room : LANES;
    return s->end - at < room ? s->end - at : room;
}

/* Blocks lie far from each other, so that no prefetcher of the machine finds them. Two
 * blocks ahead, into the second-level cache: the first level has too few line fills for
 * a whole tile beside those of the loads. offset: of keys or of values. */
INLINE void prefetch_ahead(const aim_attention_span *s, int at, size_t offset)
{
    enum { CACHE_LINE = 64, BLOCKS_AHEAD = 2, READ = 0, SECOND_LEVEL = 2 };
    int ahead = at + BLOCKS_AHEAD * s->cache->block_tokens;
    if (ahead >= s->end)
        return;
    const unsigned char *rows = key_at(s, ahead) + offset;
    size_t bytes = row_bytes(s->cache) * (size_t)tile_length(s, ahead);
    for (size_t i = 0; i < bytes; i += CACHE_LINE)
        __builtin_prefetch(rows + i, READ, SECOND_LEVEL);
}

/* ---- scores ------------------------------------------------------------------ */

/* Some queries against the keys of a tile. */
struct score_job {
    const float *keys; /* [width][16] */
    const float *q;    /* [queries][width] */
    size_t width;
    int chunks; /* of 16 dimensions */
    int queries;
};

/* sum[query] = lanes `lane`, 4, 8 and 12 behind it, added as the tree has it, of the
 * scores of NATIVE_LANES positions. */
INLINE void four_lanes(const struct score_job *j, int lane, int position, vec sum[QUERIES],
                       const int queries)
{
    const float *q = j->q + lane, *keys = j->keys + lane * LANES + position;
    vec acc[4][QUERIES];
    for (int l = 0; l < 4; l++)
        for (int i = 0; i < queries; i++)
            acc[l][i] =
                q[(size_t)i * j->width + 4 * l] * *(const loose_vec *)(keys + 4 * l * LANES);
    for (int c = 1; c < j->chunks; c++) {
        q += LANES;
        keys += LANES * LANES;
        for (int l = 0; l < 4; l++)
            for (int i = 0; i < queries; i++)
                acc[l][i] +=
                    q[(size_t)i * j->width + 4 * l] * *(const loose_vec *)(keys + 4 * l * LANES);
    }
    for (int i = 0; i < queries; i++)
        sum[i] = (acc[0][i] + acc[2][i]) + (acc[1][i] + acc[3][i]);
}

INLINE void score_positions(const struct score_job *j, float scale, int position, float *scores,
                            size_t stride, const int queries)
{
    vec sum[4][QUERIES];
    for (int lane = 0; lane < 4; lane++)
        four_lanes(j, lane, position, sum[lane], queries);
    for (int i = 0; i < queries; i++)
        *(loose_vec *)(scores + (size_t)i * stride + position) =
            ((sum[0][i] + sum[2][i]) + (sum[1][i] + sum[3][i])) * scale;
}

INLINE void score_tile(const struct score_job *j, float scale, int n, float *scores, size_t stride,
                       const int queries)
{
    if (n == LANES) {
        for (int position = 0; position < LANES; position += NATIVE_LANES)
            score_positions(j, scale, position, scores, stride, queries);
        return;
    }
    float all[QUERIES][LANES];
    for (int position = 0; position < LANES; position += NATIVE_LANES)
        score_positions(j, scale, position, all[0], LANES, queries);
    for (int i = 0; i < queries; i++)
        memcpy(scores + (size_t)i * stride, all[i], (size_t)n * sizeof *scores);
}

/* The number of queries made a constant, so that the sums stay in registers. */
static void score_some(const struct score_job *j, float scale, int n, float *scores, size_t stride)
{
    switch (j->queries) {
    case 1:
        score_tile(j, scale, n, scores, stride, 1);
        break;
    case 2:
        score_tile(j, scale, n, scores, stride, 2);
        break;
    case 3:
        score_tile(j, scale, n, scores, stride, 3);
        break;
    default:
        score_tile(j, scale, n, scores, stride, QUERIES);
        break;
    }
}

static void turn_tile(const aim_attention_span *s, int at, int n)
{
    const aim_attention *a = s->cache;
    int width = (int)aim_attention_width(a->head_dim);
    if (a->kv_is_bf16)
        turn_keys(s->tile, width, key_at(s, at), row_bytes(a), n, true);
    else
        turn_keys(s->tile, width, key_at(s, at), row_bytes(a), n, false);
}

static void attend_scores(const aim_attention_span *s, const float *q)
{
    const aim_attention *a = s->cache;
    struct score_job j = {.keys = s->tile,
                          .width = aim_attention_width(a->head_dim),
                          .chunks = (a->head_dim + LANES - 1) / LANES};
    for (int at = s->first, n; at < s->end; at += n) {
        n = tile_length(s, at);
        prefetch_ahead(s, at, 0);
        turn_tile(s, at, n);
        for (int i = 0; i < s->queries; i += j.queries) {
            j.queries = s->queries - i < QUERIES ? s->queries - i : QUERIES;
            j.q = q + (size_t)i * j.width;
            score_some(&j, a->scale, n, s->scores + (size_t)i * s->stride + (at - s->first),
                       s->stride);
        }
    }
}

/* ---- weighted sums ------------------------------------------------------------ */

/* Some queries' weights for the values of a tile. */
struct weigh_job {
    const unsigned char *values; /* [n] rows of `step` bytes */
    size_t step;
    int n;
    const float *weights; /* [queries] of n, `stride` apart */
    size_t stride;
    float *out; /* [queries][width] */
    size_t width;
    int queries;
};

INLINE vec load_value(const unsigned char *row, int i, const bool bf16)
{
    if (!bf16)
        return *(const loose_vec *)(const void *)(row + (size_t)i * sizeof(float));
    half_vec bits = *(const loose_half_vec *)(const void *)(row + (size_t)i * sizeof(uint16_t));
    return (vec)(__builtin_convertvector(bits, uvec) << 16);
}

/* out[.., dim ..] += the weighted values, for `parts` registers of dimensions. */
INLINE void weigh_parts(const struct weigh_job *j, int dim, const int queries, const int parts,
                        const bool bf16)
{
    vec acc[QUERIES][VALUE_PARTS];
    for (int i = 0; i < queries; i++)
        for (int p = 0; p < parts; p++)
            acc[i][p] = *(loose_vec *)(j->out + (size_t)i * j->width + dim + p * NATIVE_LANES);
    const unsigned char *value = j->values;
    for (int t = 0; t < j->n; t++, value += j->step) {
        vec v[VALUE_PARTS];
        for (int p = 0; p < parts; p++)
            v[p] = load_value(value, dim + p * NATIVE_LANES, bf16);
        for (int i = 0; i < queries; i++) {
            vec weight = j->weights[(size_t)i * j->stride + (size_t)t] - (vec){0};
            for (int p = 0; p < parts; p++)
                acc[i][p] = acc[i][p] + weight * v[p];
        }
    }
    for (int i = 0; i < queries; i++)
        for (int p = 0; p < parts; p++)
            *(loose_vec *)(j->out + (size_t)i * j->width + dim + p * NATIVE_LANES) = acc[i][p];
}

INLINE void weigh_dims(const struct weigh_job *j, int dim0, int dim1, const int queries,
                       const bool bf16)
{
    int dim = dim0;
    for (; dim + VALUE_PARTS * NATIVE_LANES <= dim1; dim += VALUE_PARTS * NATIVE_LANES)
        weigh_parts(j, dim, queries, VALUE_PARTS, bf16);
    for (; dim < dim1; dim += 2 * NATIVE_LANES)
        weigh_parts(j, dim, queries, 2, bf16);
}

INLINE void weigh_tile(const struct weigh_job *j, int dim0, int dim1, const bool bf16)
{
    switch (j->queries) {
    case 1:
        weigh_dims(j, dim0, dim1, 1, bf16);
        break;
    case 2:
        weigh_dims(j, dim0, dim1, 2, bf16);
        break;
    case 3:
        weigh_dims(j, dim0, dim1, 3, bf16);
        break;
    default:
        weigh_dims(j, dim0, dim1, QUERIES, bf16);
        break;
    }
}

static void weigh_bf16(const struct weigh_job *j, int dim0, int dim1)
{
    weigh_tile(j, dim0, dim1, true);
}

static void weigh_f32(const struct weigh_job *j, int dim0, int dim1)
{
    weigh_tile(j, dim0, dim1, false);
}

/* n rows of values as floats, zeros behind each. */
static void widen_values(const aim_attention *a, const unsigned char *rows, int n, float *tile)
{
    size_t width = aim_attention_width(a->head_dim), dim = (size_t)a->head_dim;
    for (int t = 0; t < n; t++, rows += row_bytes(a), tile += width) {
        if (a->kv_is_bf16)
            bf16_to_f32(tile, (const uint16_t *)(const void *)rows, a->head_dim);
        else
            memcpy(tile, rows, dim * sizeof *tile);
        memset(tile + dim, 0, (width - dim) * sizeof *tile);
    }
}

/* Values for few queries are taken from the cache as they are. */
static bool taken_from_cache(const aim_attention_span *s)
{
    const aim_attention *a = s->cache;
    return (size_t)a->head_dim == aim_attention_width(a->head_dim) &&
           (!a->kv_is_bf16 || s->queries <= QUERIES);
}

static void attend_values(const aim_attention_span *s, float *out, int dim0, int dim1)
{
    const aim_attention *a = s->cache;
    const bool direct = taken_from_cache(s);
    struct weigh_job j = {.stride = s->stride, .width = aim_attention_width(a->head_dim)};
    for (int at = s->first; at < s->end; at += j.n) {
        j.n = tile_length(s, at);
        j.values = key_at(s, at) + a->v_offset;
        j.step = row_bytes(a);
        prefetch_ahead(s, at, a->v_offset);
        if (!direct) {
            widen_values(a, j.values, j.n, s->tile);
            j.values = (const unsigned char *)s->tile;
            j.step = j.width * sizeof *s->tile;
        }
        for (int i = 0; i < s->queries; i += j.queries) {
            j.queries = s->queries - i < QUERIES ? s->queries - i : QUERIES;
            j.weights = s->scores + (size_t)i * s->stride + (at - s->first);
            j.out = out + (size_t)i * j.width;
            if (direct && a->kv_is_bf16)
                weigh_bf16(&j, dim0, dim1);
            else
                weigh_f32(&j, dim0, dim1);
        }
    }
}
