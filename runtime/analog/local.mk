# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += runtime/libanalog.a
runtime_libanalog_a_CFLAGS = $(AM_CFLAGS) $(KERNEL_CFLAGS)
runtime_libanalog_a_SOURCES = \
	runtime/analog/conductances.c runtime/analog/conductances.h \
	runtime/analog/converter.c runtime/analog/converter.h \
	runtime/analog/device_model.c runtime/analog/device_model.h \
	runtime/analog/device_pairs.c runtime/analog/device_pairs.h \
	runtime/analog/exact_linear.c runtime/analog/exact_linear.h \
	runtime/analog/integer_linear.c runtime/analog/integer_linear.h \
	runtime/analog/normals.c runtime/analog/normals.h \
	runtime/analog/tile_settings.c runtime/analog/tile_settings.h \
	runtime/analog/tile_split.c runtime/analog/tile_split.h \
	runtime/analog/tile_weights.c runtime/analog/tile_weights.h \
	runtime/analog/tiled_forward.c runtime/analog/tiled_forward.h \
	runtime/analog/tiled_linear.c runtime/analog/tiled_linear.h \
	runtime/analog/weight_noise.c runtime/analog/weight_noise.h
