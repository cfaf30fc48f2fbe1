/* SPDX-License-Identifier: Apache-2.0 */
/* The integer kernel for AVX-512 VNNI.
 *
 * VPDPBUSD multiplies unsigned by signed bytes. The weights are made unsigned by
 * adding 128 (flipping the top bit), codes of 4 bits lie with 8 added already; so
 * much times the sum of the row is taken off: sum (w + 128) x - 128 sum x. The
 * accumulators wrap modulo 2^32, so the difference is exact. */
#include "base/optimise.h"

#include "tensor/readout_avx512.inc.h"

#include <string.h>

enum {
    /* 8 rows x 3 panels: 24 sums in flight hide the latency of VPDPBUSD (4 or 5
     * cycles, 1 or 2 a cycle) and leave registers for 3 weights and an input. */
    MAX_ROWS = 8,
    MAX_PANELS = 3,
    STREAM_ROWS = 4,   /* so few rows wait for memory, not for the multipliers */
    STREAM_UNROLL = 4, /* loads at a time of a single row */
    PREFETCH = 8192,   /* bytes ahead of a stream */
    CACHE_LINE = 64,
};

/* Sums stay in registers only where every loop over them is unrolled, whatever the
 * compiler thinks of its size. */
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

/* What is added to a code to make it unsigned. */
#define OFFSET(bits) ((bits) == 4 ? 8 : 128)
#define KERNEL aim__matmul_tile_avx512vnni
#include "tensor/chunk.inc.h"

/* A part of the weights that is fetched into the second-level cache, step after
 * step, while another one is multiplied. */
struct ahead {
    uintptr_t at;
    size_t step; /* bytes, up to MAX_PANELS lines */
};

/* Of 4 bits a load holds two input groups of 16 channels. */
INLINE int groups_a_load(const int bits)
{
    return bits == 4 ? 2 : 1;
}

INLINE __m512i load_codes(const int8_t *codes, const int bits, const int group)
{
    __m512i loaded = _mm512_loadu_si512(codes);
    if (bits == 8)
        return _mm512_xor_si512(loaded, _mm512_set1_epi8((char)0x80));
    if (group == 1)
        loaded = _mm512_srli_epi16(loaded, 4);
    return _mm512_and_si512(loaded, _mm512_set1_epi8(0x0f));
}

INLINE __m512i broadcast_group(const int8_t *x)
{
    int32_t group;
    memcpy(&group, x, sizeof group);
    return _mm512_set1_epi32(group);
}

INLINE __m512i start_of(const struct chunk *c, int row)
{
    return _mm512_set1_epi32(-c->offset[row]);
}

/* ---- few rows --------------------------------------------------------------------- */

/* One plane of a panel, so that memory is read in one straight line; `unroll` loads
 * at a time keep enough sums in flight. */
INLINE void stream_plane(const struct chunk *c, const int8_t *codes, const int bits, const int rows,
                         const int unroll, int plane, struct sums *sums)
{
    const struct product *p = c->product;
    const int groups = groups_a_load(bits);
    __m512i acc[STREAM_ROWS][STREAM_UNROLL];
    UNROLL
    for (int r = 0; r < rows; r++) {
        UNROLL
        for (int u = 0; u < unroll; u++)
            acc[r][u] = u == 0 ? start_of(c, r) : _mm512_setzero_si512();
    }
    const int8_t *x = p->x + (size_t)c->row0 * p->ldx;
    for (int k = 0; k < p->w->in_padded; k += AIM_K_GROUP * groups * unroll) {
        UNROLL
        for (int u = 0; u < unroll; u++, codes += AIM__PANEL_ROW) {
            _mm_prefetch((const char *)((uintptr_t)codes + PREFETCH), _MM_HINT_T0);
            UNROLL
            for (int g = 0; g < groups; g++) {
                const int8_t *group = x + k + (u * groups + g) * AIM_K_GROUP;
                __m512i w = load_codes(codes, bits, g);
                UNROLL
                for (int r = 0; r < rows; r++)
                    acc[r][u] = _mm512_dpbusd_epi32(acc[r][u], w,
                                                    broadcast_group(group + (size_t)r * p->ldx));
            }
        }
    }
    UNROLL
    for (int r = 0; r < rows; r++) {
        UNROLL
        for (int u = 1; u < unroll; u++)
            acc[r][0] = _mm512_add_epi32(acc[r][0], acc[r][u]);
        _mm512_store_si512(sums[r].plane[plane], acc[r][0]);
    }
}

INLINE void stream_panels(const struct chunk *c, int panel0, int panel1, const int bits,
                          const int rows, const int unroll)
{
    const struct product *p = c->product;
    struct sums sums[STREAM_ROWS];
    for (int panel = panel0; panel < panel1; panel++) {
        for (int plane = 0; plane < aim_packed_planes(p->w); plane++)
            stream_plane(c, aim_packed_plane(p->w, panel, plane), bits, rows, unroll, plane, sums);
        read_out(p, panel, c->row0, rows, sums);
    }
}

/* Sizes become constants. */
INLINE void stream(const struct chunk *c, int panel0, int panel1, const int bits)
{
    switch (c->rows) {
    case 1:
        stream_panels(c, panel0, panel1, bits, 1, STREAM_UNROLL);
        break;
    case 2:
        stream_panels(c, panel0, panel1, bits, 2, 2);
        break;
    case 3:
        stream_panels(c, panel0, panel1, bits, 3, 2);
        break;
    default:
        stream_panels(c, panel0, panel1, bits, STREAM_ROWS, 2);
        break;
    }
}

/* ---- many rows -------------------------------------------------------------------- */

/* The next step of what is fetched. With the lines of the largest step, also where a
 * smaller one needs only the first: to ask how many was not faster. */
INLINE void fetch_step(struct ahead *ahead)
{
    UNROLL
    for (int p = 0; p < MAX_PANELS; p++)
        _mm_prefetch((const char *)(ahead->at + (size_t)p * CACHE_LINE), _MM_HINT_T1);
    ahead->at += ahead->step;
}

/* One plane of a register tile: each code loaded serves `rows` products, each input
 * `panels`. */
INLINE void tile_plane(const struct chunk *c, int row, const int8_t *codes, const int bits,
                       const int rows, const int panels, int plane, struct ahead *ahead,
                       struct sums sums[][MAX_ROWS])
{
    const struct product *product = c->product;
    const int groups = groups_a_load(bits), in_padded = product->w->in_padded;
    const size_t panel_bytes = aim_packed_panel_bytes(product->w), ldx = product->ldx;
    const int8_t *x = product->x + (size_t)(c->row0 + row) * ldx;
    struct ahead fetch = *ahead;
    __m512i acc[MAX_ROWS][MAX_PANELS], w[MAX_PANELS];
    UNROLL
    for (int r = 0; r < rows; r++) {
        UNROLL
        for (int p = 0; p < panels; p++)
            acc[r][p] = start_of(c, row + r);
    }
    for (int k = 0; k < in_padded; k += AIM_K_GROUP * groups, codes += AIM__PANEL_ROW) {
        fetch_step(&fetch);
        UNROLL
        for (int g = 0; g < groups; g++) {
            UNROLL
            for (int p = 0; p < panels; p++)
                w[p] = load_codes(codes + (size_t)p * panel_bytes, bits, g);
            UNROLL
            for (int r = 0; r < rows; r++) {
                __m512i group = broadcast_group(x + (size_t)r * ldx + k + g * AIM_K_GROUP);
                UNROLL
                for (int p = 0; p < panels; p++)
                    acc[r][p] = _mm512_dpbusd_epi32(acc[r][p], w[p], group);
            }
        }
    }
    *ahead = fetch;
    UNROLL
    for (int r = 0; r < rows; r++) {
        UNROLL
        for (int p = 0; p < panels; p++)
            _mm512_store_si512(sums[p][r].plane[plane], acc[r][p]);
    }
}

INLINE void tile(const struct chunk *c, int row, int panel, const int bits, const int rows,
                 const int panels, struct ahead *ahead)
{
    const struct product *product = c->product;
    struct sums sums[MAX_PANELS][MAX_ROWS];
    for (int plane = 0; plane < aim_packed_planes(product->w); plane++)
        tile_plane(c, row, aim_packed_plane(product->w, panel, plane), bits, rows, panels, plane,
                   ahead, sums);
    for (int p = 0; p < panels; p++)
        read_out(product, panel + p, c->row0 + row, rows, sums[p]);
}

/* Sizes become constants. */
INLINE void tile_of_panels(const struct chunk *c, int row, int panel, const int bits,
                           const int rows, int panels, struct ahead *ahead)
{
    switch (panels) {
    case 1:
        tile(c, row, panel, bits, rows, 1, ahead);
        break;
    case 2:
        tile(c, row, panel, bits, rows, 2, ahead);
        break;
    default:
        tile(c, row, panel, bits, rows, MAX_PANELS, ahead);
        break;
    }
}

INLINE void tile_of_rows(const struct chunk *c, int row, int panel, const int bits, int rows,
                         int panels, struct ahead *ahead)
{
    switch (rows) {
    case 4: /* the least that five rows and more are cut into */
        tile_of_panels(c, row, panel, bits, 4, panels, ahead);
        break;
    case 5:
        tile_of_panels(c, row, panel, bits, 5, panels, ahead);
        break;
    case 6:
        tile_of_panels(c, row, panel, bits, 6, panels, ahead);
        break;
    case 7:
        tile_of_panels(c, row, panel, bits, 7, panels, ahead);
        break;
    default:
        tile_of_panels(c, row, panel, bits, MAX_ROWS, panels, ahead);
        break;
    }
}

static int parts_of(int n, int largest)
{
    return (n + largest - 1) / largest;
}

/* Where part i begins of n cut into nearly equal parts: 9 rows are 4 + 5 and not 8 + 1. */
static int cut(int n, int i, int parts)
{
    return (int)((int64_t)n * i / parts);
}

/* What `tiles` register tiles of the panels before `panel` fetch: all of the panels from
 * there, each tile its part, rounded up, and so the last ones what lies behind. Without
 * such panels the same lines again and again. */
static struct ahead fetch_ahead(const aim_packed *w, int panel, int panels, int tiles)
{
    const int8_t *at = panels ? aim_packed_plane(w, panel, 0) : w->codes;
    return (struct ahead){(uintptr_t)at, (size_t)parts_of(panels * AIM__PANEL_ROW, tiles)};
}

/* Panels outside, rows inside: the panels of a tile stay in the second-level cache
 * while all rows pass, and memory is read evenly all the time. */
INLINE void tile_all(const struct chunk *c, int panel0, int panel1, const int bits)
{
    const int n = panel1 - panel0, parts = parts_of(n, MAX_PANELS);
    const int tiles = parts_of(c->rows, MAX_ROWS);
    for (int i = 0; i < parts; i++) {
        int panel = panel0 + cut(n, i, parts), next = panel0 + cut(n, i + 1, parts);
        int next_panels = i + 1 < parts ? panel0 + cut(n, i + 2, parts) - next : 0;
        struct ahead ahead = fetch_ahead(c->product->w, next, next_panels, tiles);
        for (int t = 0; t < tiles; t++) {
            int row = cut(c->rows, t, tiles), end = cut(c->rows, t + 1, tiles);
            tile_of_rows(c, row, panel, bits, end - row, next - panel, &ahead);
        }
    }
}

/* ---- all of them ------------------------------------------------------------------ */

INLINE int32_t sum_of_inputs(const int8_t *x, int in_padded)
{
    const __m512i ones = _mm512_set1_epi8(1);
    __m512i sum = _mm512_setzero_si512();
    for (int k = 0; k < in_padded; k += AIM_K_ALIGN)
        sum = _mm512_dpbusd_epi32(sum, ones, _mm512_loadu_si512(x + k));
    return _mm512_reduce_add_epi32(sum);
}

INLINE void multiply_chunk(const struct chunk *c, int panel0, int panel1, const int bits)
{
    if (c->rows <= STREAM_ROWS)
        stream(c, panel0, panel1, bits);
    else
        tile_all(c, panel0, panel1, bits);
}
