/* SPDX-License-Identifier: Apache-2.0 */
/* optimise.h - include first in a file of kernels.
 *
 * At the usual -O2 GCC neither unrolls the register tiles of the integer
 * kernels nor vectorises loops of unknown length; and -O3 among the CFLAGS of
 * a library would be overruled by the user's -O2, which follows them. Results
 * do not change: contraction stays off (configure.ac). */
#if defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__)
#pragma GCC optimize("O3")
#endif
