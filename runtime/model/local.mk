# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += runtime/libmodel.a
runtime_libmodel_a_SOURCES = \
	runtime/model/analog_forward.c runtime/model/analog_limits.c \
	runtime/model/analog_linear.h \
	runtime/model/attention.c runtime/model/attention.h \
	runtime/model/attention_rows.c runtime/model/attention_rows.h \
	runtime/model/backend.c runtime/model/backend.h \
	runtime/model/backend_analog.c runtime/model/backend_analog_exact.c \
	runtime/model/backend_impl.h \
	runtime/model/backend_f32.c runtime/model/backend_int4.c runtime/model/backend_int8.c \
	runtime/model/decoder.c runtime/model/decoder.h \
	runtime/model/decoder_impl.h runtime/model/decoder_chip.c runtime/model/decoder_cost.c \
	runtime/model/forward.c \
	runtime/model/converter_counts.h \
	runtime/model/layer_program.c runtime/model/layer_program.h \
	runtime/model/kv_cache.c runtime/model/kv_cache.h \
	runtime/model/projection.c \
	runtime/model/rope.c runtime/model/rope.h \
	runtime/model/score_head.c runtime/model/score_head.h \
	runtime/model/sizes.c \
	runtime/model/tile_ranges.c runtime/model/tile_ranges.h \
	runtime/model/weight_names.c runtime/model/weight_names.h \
	runtime/model/weight_rows.c runtime/model/weight_rows.h \
	runtime/model/workspace.c
