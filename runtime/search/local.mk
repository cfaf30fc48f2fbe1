# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += runtime/libsearch.a
runtime_libsearch_a_SOURCES = \
	runtime/search/reward.c runtime/search/reward.h runtime/search/reward_impl.h \
	runtime/search/reward_aggregate.c \
	runtime/search/reward_chat.c \
	runtime/search/reward_input.c \
	runtime/search/reward_json.c \
	runtime/search/reward_layouts.c \
	runtime/search/reward_lines.c \
	runtime/search/reward_outcome.c \
	runtime/search/reward_recognise.c \
	runtime/search/reward_scores.c \
	runtime/search/reward_steps.c \
	runtime/search/reward_tags.c \
	runtime/search/reward_tokens.c \
	runtime/search/reward_turns.c \
	runtime/search/beam.c \
	runtime/search/best_of_n.c \
	runtime/search/candidate.c \
	runtime/search/dvts.c \
	runtime/search/early_stop.c \
	runtime/search/rank.c \
	runtime/search/round.c \
	runtime/search/scored_text.c \
	runtime/search/search.c runtime/search/search.h \
	runtime/search/search_impl.h \
	runtime/search/search_options.c \
	runtime/search/select.c \
	runtime/search/step_search.c
