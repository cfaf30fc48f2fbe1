/* SPDX-License-Identifier: Apache-2.0 */
/* chunk.inc.h - the entry of an integer kernel that works on some rows at a time and
 * takes off each row's sums what making its codes unsigned has added. Who includes it has
 * defined
 *   KERNEL         the name of the kernel
 *   OFFSET(bits)   what the kernel adds to each code of 4 bits, or to each int8; 0: nothing
 * and defines the two functions declared here. */

enum { CHUNK_ROWS = 1024 }; /* rows whose offsets are held on the stack */

/* Some rows of a product, not more than CHUNK_ROWS. */
struct chunk {
    const struct product *product;
    int row0, rows;
    int32_t offset[CHUNK_ROWS]; /* what OFFSET has added to the sums of each row */
};

/* Of one row x [in_padded], whose padding is zero, so that it may be summed too. */
INLINE int32_t sum_of_inputs(const int8_t *x, int in_padded);

/* Outputs of the rows of a chunk for panels [panel0, panel1). bits: 4 or 8, a constant,
 * 16 bits being two planes of 8. */
INLINE void multiply_chunk(const struct chunk *c, int panel0, int panel1, const int bits);

INLINE void run_chunk(struct chunk *c, int panel0, int panel1, const int bits)
{
    const struct product *p = c->product;
    for (int r = 0; OFFSET(bits) != 0 && r < c->rows; r++) {
        const int8_t *x = p->x + (size_t)(c->row0 + r) * p->ldx;
        c->offset[r] = OFFSET(bits) * sum_of_inputs(x, p->w->in_padded);
    }
    multiply_chunk(c, panel0, panel1, bits);
}

void KERNEL(const aim_packed *w, int panel0, int panel1, const int8_t *x, size_t ldx,
            const float *x_step, int rows, const aim_adc *adc, const aim_output *out)
{
    const struct product product = {w, x, ldx, x_step, adc, out};
    struct chunk c;
    c.product = &product;
    for (c.row0 = 0; c.row0 < rows; c.row0 += CHUNK_ROWS) {
        c.rows = rows - c.row0 < CHUNK_ROWS ? rows - c.row0 : CHUNK_ROWS;
        if (w->bits == 4)
            run_chunk(&c, panel0, panel1, 4);
        else
            run_chunk(&c, panel0, panel1, 8);
    }
}
