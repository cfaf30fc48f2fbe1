# SPDX-License-Identifier: Apache-2.0
# The dispatch table and what needs no instruction set come first; the kernels
# of each instruction set are a library of their own, for their own flags.
noinst_LIBRARIES += runtime/libtensor.a
TENSOR_LIBS = runtime/libtensor.a
runtime_libtensor_a_SOURCES = \
	runtime/tensor/kernels.c runtime/tensor/kernels.h \
	runtime/tensor/kernel_rows.h runtime/tensor/converter.h \
	runtime/tensor/packed.c runtime/tensor/packed.h \
	runtime/tensor/matmul_f32.c runtime/tensor/matmul_f32.h

noinst_LIBRARIES += runtime/libtensor-portable.a
TENSOR_LIBS += runtime/libtensor-portable.a
runtime_libtensor_portable_a_CFLAGS = $(AM_CFLAGS) $(KERNEL_CFLAGS)
runtime_libtensor_portable_a_SOURCES = \
	runtime/tensor/float_kernels.inc.h runtime/tensor/attention.inc.h \
	runtime/tensor/attention_keys.inc.h runtime/tensor/softmax.inc.h \
	runtime/tensor/lanes.inc.h runtime/tensor/float_portable.c \
	runtime/tensor/product.h runtime/tensor/chunk.inc.h \
	runtime/tensor/readout.inc.h runtime/tensor/readout_kinds.inc.h \
	runtime/tensor/panel_sums.inc.h \
	runtime/tensor/panel_tiles.inc.h runtime/tensor/sampling.inc.h \
	runtime/tensor/matmul_i8_portable.c

# The kernels read no errno and no exception flags: loops with square roots and
# comparisons may be vectorised. Results stay the same.
KERNEL_CFLAGS = -fno-math-errno -fno-trapping-math

if X86_KERNELS
noinst_LIBRARIES += runtime/libtensor-avx2.a runtime/libtensor-avx512.a
TENSOR_LIBS += runtime/libtensor-avx512.a runtime/libtensor-avx2.a
runtime_libtensor_avx2_a_CFLAGS = $(AM_CFLAGS) $(KERNEL_CFLAGS) $(AVX2_CFLAGS)
runtime_libtensor_avx2_a_SOURCES = \
	runtime/tensor/float_avx2.c runtime/tensor/matmul_i8_avx2.c \
	runtime/tensor/registers_avx2.inc.h
runtime_libtensor_avx512_a_CFLAGS = $(AM_CFLAGS) $(KERNEL_CFLAGS) $(AVX512VNNI_CFLAGS)
runtime_libtensor_avx512_a_SOURCES = \
	runtime/tensor/float_avx512.c runtime/tensor/matmul_i8_avx512vnni.c \
	runtime/tensor/readout_avx512.inc.h
endif

if AVXVNNI_KERNELS
noinst_LIBRARIES += runtime/libtensor-avxvnni.a
TENSOR_LIBS += runtime/libtensor-avxvnni.a
runtime_libtensor_avxvnni_a_CFLAGS = $(AM_CFLAGS) $(KERNEL_CFLAGS) $(AVXVNNI_CFLAGS)
runtime_libtensor_avxvnni_a_SOURCES = \
	runtime/tensor/float_avxvnni.c runtime/tensor/matmul_i8_avxvnni.c
endif

if ARM_KERNELS
noinst_LIBRARIES += runtime/libtensor-neondot.a
TENSOR_LIBS += runtime/libtensor-neondot.a
runtime_libtensor_neondot_a_CFLAGS = $(AM_CFLAGS) $(KERNEL_CFLAGS) $(NEONDOT_CFLAGS)
runtime_libtensor_neondot_a_SOURCES = \
	runtime/tensor/float_neondot.c runtime/tensor/matmul_i8_neondot.c
endif
