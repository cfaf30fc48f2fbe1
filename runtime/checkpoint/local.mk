# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += runtime/libcheckpoint.a
runtime_libcheckpoint_a_SOURCES = \
	runtime/checkpoint/checkpoint.c runtime/checkpoint/checkpoint.h \
	runtime/checkpoint/dtype.c runtime/checkpoint/dtype.h \
	runtime/checkpoint/hf_config.c runtime/checkpoint/hf_config.h \
	runtime/checkpoint/safetensors.c
