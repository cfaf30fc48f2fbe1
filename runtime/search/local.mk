# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += runtime/libsearch.a
runtime_libsearch_a_SOURCES = \
	runtime/search/reward.h \
	runtime/search/reward_aggregate.c \
	runtime/search/search.h
