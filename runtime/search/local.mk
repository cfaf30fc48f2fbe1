# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += runtime/libsearch.a
runtime_libsearch_a_SOURCES = \
	runtime/search/reward.c runtime/search/reward.h runtime/search/reward_impl.h \
	runtime/search/reward_aggregate.c \
	runtime/search/reward_input.c \
	runtime/search/reward_json.c \
	runtime/search/reward_layouts.c \
	runtime/search/reward_recognise.c \
	runtime/search/reward_scores.c \
	runtime/search/reward_steps.c \
	runtime/search/reward_tokens.c \
	runtime/search/reward_turns.c \
	runtime/search/search.h
