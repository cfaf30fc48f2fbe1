# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += runtime/libbase.a
runtime_libbase_a_SOURCES = \
	runtime/base/alloc.c runtime/base/alloc.h \
	runtime/base/buf.c runtime/base/buf.h \
	runtime/base/cgroup.c runtime/base/cgroup.h \
	runtime/base/conf_text.c runtime/base/conf_text.h \
	runtime/base/cpu.c runtime/base/cpu.h \
	runtime/base/cpus.c runtime/base/cpus.h \
	runtime/base/decimal.c runtime/base/decimal.h \
	runtime/base/error.c runtime/base/error.h \
	runtime/base/file.c runtime/base/file.h \
	runtime/base/fixmath.c runtime/base/fixmath.h \
	runtime/base/float_bits.h \
	runtime/base/json.c runtime/base/json.h \
	runtime/base/memory.c runtime/base/memory.h \
	runtime/base/optimise.h \
	runtime/base/pool.c runtime/base/pool.h \
	runtime/base/rng.c runtime/base/rng.h \
	runtime/base/save_file.c \
	runtime/base/sha256.c runtime/base/sha256.h
