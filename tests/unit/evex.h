/* SPDX-License-Identifier: Apache-2.0 */
/* evex.h - put in front of the files of the AVX-VNNI row (-include): the same kernel in
 * the encoding that CPUs with AVX-512 VNNI run, under names of its own. */
#ifndef TESTS_UNIT_EVEX_H
#define TESTS_UNIT_EVEX_H

#define aim__kernels_avxvnni aim__kernels_evex
#define aim__matmul_tile_avxvnni aim__matmul_tile_evex
#define DOT_BYTES _mm256_dpbusd_epi32

#endif
