/* SPDX-License-Identifier: Apache-2.0 */
/* selection_impl.h - shared by the files of selection.h. */
#ifndef AIM_ENGINE_SELECTION_IMPL_H
#define AIM_ENGINE_SELECTION_IMPL_H

/* Of the tokens equal to `value` keep the first `kept` ids. */
void aim__keep_equal(float *p, int vocab, float value, int kept);

#endif
