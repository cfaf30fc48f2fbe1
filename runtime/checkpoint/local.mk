# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += runtime/libcheckpoint.a
runtime_libcheckpoint_a_SOURCES = \
	runtime/checkpoint/checkpoint.c runtime/checkpoint/checkpoint.h \
	runtime/checkpoint/crc32.c runtime/checkpoint/crc32.h \
	runtime/checkpoint/dtype.c runtime/checkpoint/dtype.h \
	runtime/checkpoint/folder_hint.c runtime/checkpoint/folder_hint.h \
	runtime/checkpoint/hf_config.c runtime/checkpoint/hf_config.h \
	runtime/checkpoint/hf_config_family.c runtime/checkpoint/hf_config_generation.c \
	runtime/checkpoint/hf_config_head.c runtime/checkpoint/hf_config_internal.h runtime/checkpoint/hf_config_keys.c \
	runtime/checkpoint/hf_config_rope.c \
	runtime/checkpoint/little_endian.h \
	runtime/checkpoint/pickle.c runtime/checkpoint/pickle.h \
	runtime/checkpoint/pickle_globals.c runtime/checkpoint/pickle_globals.h \
	runtime/checkpoint/pickle_machine.c runtime/checkpoint/pickle_machine.h \
	runtime/checkpoint/plain_text.h \
	runtime/checkpoint/safetensors.c \
	runtime/checkpoint/shard_index.c runtime/checkpoint/shard_index.h \
	runtime/checkpoint/tensor_read.c \
	runtime/checkpoint/torch_file.c \
	runtime/checkpoint/zip_archive.c runtime/checkpoint/zip_archive.h
