/* SPDX-License-Identifier: Apache-2.0 */
/* The integer kernel for AVX-512 VNNI.
 *
 * VPDPBUSD multiplies unsigned by signed bytes. The weights are made unsigned
 * by adding 128 (flipping the top bit), once a load whatever the number of
 * rows, and 128 times the sum of the row is taken off at the end:
 * sum (w + 128) x - 128 sum x. The accumulators wrap modulo 2^32, so the
 * difference is exact. */
#include "base/optimise.h"

#include "tensor/readout.inc.h"

#include <immintrin.h>

enum {
    /* 5 rows x 3 panels: 15 sums in flight hide the latency of VPDPBUSD (4 or 5
     * cycles, 1 or 2 a cycle). From 18 on, GCC 12 and clang 14 both spill. */
    MAX_ROWS = 5,
    MAX_PANELS = 3,
    STREAM_ROWS = 4,   /* so few rows wait for memory, not for the multipliers */
    CHUNK_ROWS = 1024, /* rows whose sums are held on the stack */
    PREFETCH = 2048,   /* bytes ahead */
};

/* Some rows of a product, not more than CHUNK_ROWS. */
struct chunk {
    const struct product *product;
    int row0, rows;
    bool plain;                 /* y is the scaled sum and nothing else */
    int32_t offset[CHUNK_ROWS]; /* 128 * sum of each row */
};

INLINE __m512i load_codes(const int8_t *codes)
{
    return _mm512_xor_si512(_mm512_loadu_si512(codes), _mm512_set1_epi8((char)0x80));
}

INLINE __m512i broadcast_group(const int8_t *x)
{
    int32_t group;
    memcpy(&group, x, sizeof group);
    return _mm512_set1_epi32(group);
}

/* A product without converters leaves from the registers, as read_out would have it:
 * y = 0 + v. */
static bool is_plain(const struct product *p)
{
    return aim_packed_planes(p->w) == 1 && p->adc->kind == AIM_ADC_NONE && !p->adc->noise && !p->adc->gain &&
           p->out->first && !p->out->bias && !p->out->residual;
}

INLINE void store_scaled(const struct product *p, int row, int panel, __m512i sums)
{
    const float *scale = p->w->scale + panel * AIM_PANEL;
    __m512 scales = _mm512_mul_ps(_mm512_set1_ps(p->x_step[row]), _mm512_loadu_ps(scale));
    __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), scales);
    __mmask16 mask = (__mmask16)((1u << aim__panel_channels(p->w, panel)) - 1);
    float *y = p->out->y + (size_t)row * p->out->ldy + (size_t)panel * AIM_PANEL;
    _mm512_mask_storeu_ps(y, mask, _mm512_add_ps(_mm512_setzero_ps(), v));
}

/* One plane of one row and panel is summed up: what the weights' offset has added
 * is taken off. */
INLINE void finish(const struct chunk *c, int row, int panel, int plane, __m512i acc,
                   struct sums *sums)
{
    acc = _mm512_sub_epi32(acc, _mm512_set1_epi32(c->offset[row]));
    if (c->plain)
        store_scaled(c->product, c->row0 + row, panel, acc);
    else
        _mm512_store_si512(sums->plane[plane], acc);
}

/* Few rows: run along one plane of a panel, so that memory is read in one straight
 * line; `unroll` groups at a time keep enough sums in flight. */
INLINE void stream_plane(const struct chunk *c, int panel, int plane, const int rows,
                         const int unroll, struct sums *sums)
{
    const struct product *p = c->product;
    __m512i acc[STREAM_ROWS][4];
    for (int r = 0; r < rows; r++)
        for (int u = 0; u < unroll; u++)
            acc[r][u] = _mm512_setzero_si512();
    const int8_t *codes = aim__plane(p->w, panel, plane);
    const int8_t *x = p->x + (size_t)c->row0 * p->ldx;
    for (int k = 0; k < p->w->in_padded; k += AIM_K_GROUP * unroll)
        for (int u = 0; u < unroll; u++) {
            _mm_prefetch((const char *)((uintptr_t)codes + PREFETCH), _MM_HINT_T0);
            __m512i w = load_codes(codes);
            codes += AIM__PANEL_ROW;
            for (int r = 0; r < rows; r++) {
                const int8_t *group = x + (size_t)r * p->ldx + k + u * AIM_K_GROUP;
                acc[r][u] = _mm512_dpbusd_epi32(acc[r][u], w, broadcast_group(group));
            }
        }
    for (int r = 0; r < rows; r++) {
        for (int u = 1; u < unroll; u++)
            acc[r][0] = _mm512_add_epi32(acc[r][0], acc[r][u]);
        finish(c, r, panel, plane, acc[r][0], &sums[r]);
    }
}

INLINE void stream_tile(const struct chunk *c, int panel, const int rows, const int unroll)
{
    struct sums sums[STREAM_ROWS];
    for (int plane = 0; plane < aim_packed_planes(c->product->w); plane++)
        stream_plane(c, panel, plane, rows, unroll, sums);
    if (!c->plain)
        read_out(c->product, panel, c->row0, rows, sums);
}

/* Many rows: each code loaded serves `rows` products, each input `panels`. */
INLINE void block_plane(const struct chunk *c, int row, int panel, int plane, const int rows,
                        const int panels, struct sums sums[][MAX_ROWS])
{
    const struct product *product = c->product;
    __m512i acc[MAX_ROWS][MAX_PANELS], w[MAX_PANELS];
    for (int r = 0; r < rows; r++)
        for (int p = 0; p < panels; p++)
            acc[r][p] = _mm512_setzero_si512();
    const int8_t *codes = aim__plane(product->w, panel, plane);
    const size_t panel_bytes = aim__panel_bytes(product->w);
    const int8_t *x = product->x + (size_t)(c->row0 + row) * product->ldx;
    for (int k = 0; k < product->w->in_padded; k += AIM_K_GROUP) {
        for (int p = 0; p < panels; p++)
            w[p] = load_codes(codes + (size_t)p * panel_bytes);
        codes += AIM__PANEL_ROW;
        for (int r = 0; r < rows; r++) {
            __m512i group = broadcast_group(x + (size_t)r * product->ldx + k);
            for (int p = 0; p < panels; p++)
                acc[r][p] = _mm512_dpbusd_epi32(acc[r][p], w[p], group);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int p = 0; p < panels; p++)
            finish(c, row + r, panel + p, plane, acc[r][p], &sums[p][r]);
}

INLINE void block_tile(const struct chunk *c, int row, int panel, const int rows, const int panels)
{
    struct sums sums[MAX_PANELS][MAX_ROWS];
    for (int plane = 0; plane < aim_packed_planes(c->product->w); plane++)
        block_plane(c, row, panel, plane, rows, panels, sums);
    for (int p = 0; !c->plain && p < panels; p++)
        read_out(c->product, panel + p, c->row0 + row, rows, sums[p]);
}

/* Below, the sizes of tiles become constants. */

static void stream(const struct chunk *c, int panel0, int panel1)
{
    for (int p = panel0; p < panel1; p++)
        switch (c->rows) {
        case 1:
            stream_tile(c, p, 1, 4);
            break;
        case 2:
            stream_tile(c, p, 2, 2);
            break;
        case 3:
            stream_tile(c, p, 3, 2);
            break;
        default:
            stream_tile(c, p, STREAM_ROWS, 2);
            break;
        }
}

INLINE void block_panels(const struct chunk *c, int row, int panel, const int rows, int panels)
{
    switch (panels) {
    case 1:
        block_tile(c, row, panel, rows, 1);
        break;
    case 2:
        block_tile(c, row, panel, rows, 2);
        break;
    default:
        block_tile(c, row, panel, rows, MAX_PANELS);
        break;
    }
}

static void block(const struct chunk *c, int row, int panel, int rows, int panels)
{
    switch (rows) {
    case 1:
        block_panels(c, row, panel, 1, panels);
        break;
    case 2:
        block_panels(c, row, panel, 2, panels);
        break;
    case 3:
        block_panels(c, row, panel, 3, panels);
        break;
    case 4:
        block_panels(c, row, panel, 4, panels);
        break;
    default:
        block_panels(c, row, panel, MAX_ROWS, panels);
        break;
    }
}

/* The padding of a row is zero, so it may be summed too. */
static int32_t row_offset(const int8_t *x, int in_padded)
{
    const __m512i ones = _mm512_set1_epi8(1);
    __m512i sum = _mm512_setzero_si512();
    for (int k = 0; k < in_padded; k += AIM_K_ALIGN)
        sum = _mm512_dpbusd_epi32(sum, ones, _mm512_loadu_si512(x + k));
    return (int32_t)(128u * (uint32_t)_mm512_reduce_add_epi32(sum));
}

/* Panels outside, rows inside: the panels of a tile stay in the second-level
 * cache while all rows pass. Tiles are of nearly equal height: 6 rows are
 * 3 + 3 and not 5 + 1. */
static void block_all(const struct chunk *c, int panel0, int panel1)
{
    int tiles = (c->rows + MAX_ROWS - 1) / MAX_ROWS;
    for (int p = panel0; p < panel1; p += MAX_PANELS) {
        int panels = panel1 - p < MAX_PANELS ? panel1 - p : MAX_PANELS;
        for (int t = 0; t < tiles; t++) {
            int row = c->rows * t / tiles, end = c->rows * (t + 1) / tiles;
            block(c, row, p, end - row, panels);
        }
    }
}

void aim__matmul_tile_avx512vnni(const aim_packed *w, int panel0, int panel1, const int8_t *x,
                                 size_t ldx, const float *x_step, int rows, const aim_adc *adc,
                                 const aim_output *out)
{
    if (w->bits == 4) {
        aim__matmul_tile_portable(w, panel0, panel1, x, ldx, x_step, rows, adc, out);
        return;
    }
    const struct product product = {w, x, ldx, x_step, adc, out};
    struct chunk c;
    c.product = &product;
    c.plain = is_plain(&product);
    for (c.row0 = 0; c.row0 < rows; c.row0 += CHUNK_ROWS) {
        c.rows = rows - c.row0 < CHUNK_ROWS ? rows - c.row0 : CHUNK_ROWS;
        for (int r = 0; r < c.rows; r++)
            c.offset[r] = row_offset(x + (size_t)(c.row0 + r) * ldx, w->in_padded);
        (c.rows <= STREAM_ROWS ? stream : block_all)(&c, panel0, panel1);
    }
}
