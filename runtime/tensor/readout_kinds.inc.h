/* SPDX-License-Identifier: Apache-2.0 */
/* readout_kinds.inc.h - the loop over the rows of a readout, once for every kind of ADC,
 * with what it depends on made constants. Who includes it has defined
 *   read_rows(out, two_planes, kind, by_row) */

INLINE void read_planes(const struct readout *out, bool two_planes)
{
    const bool by_row = !out->product->adc->full_scale;
    switch (out->product->adc->kind) {
    case AIM_ADC_NONE:
        read_rows(out, two_planes, AIM_ADC_NONE, false);
        break;
    case AIM_ADC_LIMIT:
        if (by_row)
            read_rows(out, two_planes, AIM_ADC_LIMIT, true);
        else
            read_rows(out, two_planes, AIM_ADC_LIMIT, false);
        break;
    case AIM_ADC_ROUND:
        if (by_row)
            read_rows(out, two_planes, AIM_ADC_ROUND, true);
        else
            read_rows(out, two_planes, AIM_ADC_ROUND, false);
        break;
    }
}

INLINE void read_all_rows(const struct readout *out)
{
    if (aim_packed_planes(out->product->w) == 1)
        read_planes(out, false);
    else
        read_planes(out, true);
}
