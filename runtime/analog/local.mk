# SPDX-License-Identifier: Apache-2.0
# The loops of each instruction set are a library of their own, for their own flags.
noinst_LIBRARIES += runtime/libanalog.a
ANALOG_LIBS = runtime/libanalog.a
runtime_libanalog_a_CFLAGS = $(AM_CFLAGS) $(KERNEL_CFLAGS)
runtime_libanalog_a_SOURCES = \
	runtime/analog/chip.h \
	runtime/analog/chip_digest.c runtime/analog/chip_digest.h \
	runtime/analog/conductances.c runtime/analog/conductances.h \
	runtime/analog/converter.c runtime/analog/converter.h \
	runtime/analog/device_math.h \
	runtime/analog/device_model.c runtime/analog/device_model.h \
	runtime/analog/device_pairs.c runtime/analog/device_pairs.h \
	runtime/analog/digital_profile.c runtime/analog/digital_profile.h \
	runtime/analog/energy.c runtime/analog/energy.h \
	runtime/analog/exact_linear.c runtime/analog/exact_linear.h \
	runtime/analog/input_ranges.c runtime/analog/input_ranges.h \
	runtime/analog/input_ranges_file.c \
	runtime/analog/integer_linear.c runtime/analog/integer_linear.h \
	runtime/analog/noise_loops.c runtime/analog/noise_loops.h \
	runtime/analog/noise_loops.inc.h runtime/analog/noise_portable.c \
	runtime/analog/normal_groups.inc.h \
	runtime/analog/normals.c runtime/analog/normals.h \
	runtime/analog/pairs.inc.h \
	runtime/analog/profile.c runtime/analog/profile.h \
	runtime/analog/profile_check.c \
	runtime/analog/profile_keys.c runtime/analog/profile_keys.def \
	runtime/analog/profile_keys.h \
	runtime/analog/profile_parser.c runtime/analog/profile_parser.h \
	runtime/analog/program.c runtime/analog/program.h \
	runtime/analog/read_noise.c runtime/analog/read_noise.h \
	runtime/analog/tile_settings.c runtime/analog/tile_settings.h \
	runtime/analog/tile_split.c runtime/analog/tile_split.h \
	runtime/analog/tile_weights.c runtime/analog/tile_weights.h \
	runtime/analog/tiled_forward.c runtime/analog/tiled_forward.h \
	runtime/analog/tiled_linear.c runtime/analog/tiled_linear.h \
	runtime/analog/weight_noise.c runtime/analog/weight_noise.h

if X86_KERNELS
noinst_LIBRARIES += runtime/libanalog-avx2.a runtime/libanalog-avx512.a
ANALOG_LIBS += runtime/libanalog-avx512.a runtime/libanalog-avx2.a
runtime_libanalog_avx2_a_CFLAGS = $(AM_CFLAGS) $(KERNEL_CFLAGS) $(AVX2_CFLAGS)
runtime_libanalog_avx2_a_SOURCES = runtime/analog/noise_avx2.c
runtime_libanalog_avx512_a_CFLAGS = $(AM_CFLAGS) $(KERNEL_CFLAGS) $(AVX512VNNI_CFLAGS)
runtime_libanalog_avx512_a_SOURCES = runtime/analog/noise_avx512.c
endif
