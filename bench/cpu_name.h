/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_name.h - what kind of CPU this is, as precisely as the kernel knows: virtual
 * machines often have a name alike for all generations. */
#ifndef AIM_BENCH_CPU_NAME_H
#define AIM_BENCH_CPU_NAME_H

enum { CPU_NAME = 256 };

/* Writes the name, the revision and the last cache of the first CPU, such as "AMD EPYC
 * (family 25 model 17 stepping 1, 32 MiB L3)", to [CPU_NAME] characters. Where the
 * kernel tells no name the kind of machine stands for it; a revision or a cache that
 * it does not tell is called unknown. */
void cpu_describe(char *text);

#endif
