# SPDX-License-Identifier: Apache-2.0
# Fuzz targets. Each is one file with LLVMFuzzerTestOneInput (see fuzz.h) and a
# committed corpus. With --enable-fuzzing (CC=clang) it becomes a libFuzzer
# program, and tests/fuzz/run.sh searches with it. Otherwise it gets a plain main
# that replays files. Either way `make check` replays the corpus (replay.sh).
#
# To add a target NAME: write tests/fuzz/fuzz_NAME.c, put a few inputs, good and
# bad, into tests/fuzz/corpus/NAME/, and append
#   FUZZ_TARGETS += tests/fuzz/fuzz_NAME
#   tests_fuzz_fuzz_NAME_SOURCES = tests/fuzz/fuzz_NAME.c $(FUZZ_SOURCES)
#   tests_fuzz_fuzz_NAME_LDADD = <libraries> $(FUZZ_LDADD)
if FUZZING
FUZZ_SOURCES = tests/fuzz/fuzz.h
else
FUZZ_SOURCES = tests/fuzz/fuzz.h tests/fuzz/replay_main.c
endif
FUZZ_LDADD = $(FUZZ_LDFLAGS)
FUZZ_TARGETS =
check_PROGRAMS += $(FUZZ_TARGETS)
TESTS += tests/fuzz/replay.sh
dist_noinst_SCRIPTS += tests/fuzz/replay.sh tests/fuzz/run.sh
EXTRA_DIST += tests/fuzz/corpus

FUZZ_TARGETS += tests/fuzz/fuzz_safetensors
tests_fuzz_fuzz_safetensors_SOURCES = tests/fuzz/fuzz_safetensors.c tests/fuzz/fuzz_tensor.h \
	$(FUZZ_SOURCES)
tests_fuzz_fuzz_safetensors_LDADD = runtime/libcheckpoint.a runtime/libbase.a \
	$(JANSSON_LIBS) $(PTHREAD_LIBS) -lm $(FUZZ_LDADD)

FUZZ_TARGETS += tests/fuzz/fuzz_torch
tests_fuzz_fuzz_torch_SOURCES = tests/fuzz/fuzz_torch.c tests/fuzz/fuzz_tensor.h \
	tests/unit/torch_archive.h $(FUZZ_SOURCES)
tests_fuzz_fuzz_torch_LDADD = runtime/libcheckpoint.a runtime/libbase.a \
	$(JANSSON_LIBS) $(PTHREAD_LIBS) -lm $(FUZZ_LDADD)

FUZZ_TARGETS += tests/fuzz/fuzz_hf_config
tests_fuzz_fuzz_hf_config_SOURCES = tests/fuzz/fuzz_hf_config.c $(FUZZ_SOURCES)
tests_fuzz_fuzz_hf_config_LDADD = runtime/libcheckpoint.a runtime/libbase.a \
	$(JANSSON_LIBS) $(PTHREAD_LIBS) -lm $(FUZZ_LDADD)

FUZZ_TARGETS += tests/fuzz/fuzz_config
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c $(FUZZ_SOURCES)
tests_fuzz_fuzz_config_LDADD = $(SERVER_LDADD) $(FUZZ_LDADD)

FUZZ_TARGETS += tests/fuzz/fuzz_http
tests_fuzz_fuzz_http_SOURCES = tests/fuzz/fuzz_http.c $(FUZZ_SOURCES)
tests_fuzz_fuzz_http_LDADD = $(SERVER_LDADD) $(FUZZ_LDADD)

TEXT_FUZZ_LDADD = runtime/libtext.a runtime/libbase.a $(JANSSON_LIBS) $(PCRE2_LIBS) \
	$(UTF8PROC_LIBS) $(PTHREAD_LIBS) -lm $(FUZZ_LDADD)
FUZZ_TARGETS += tests/fuzz/fuzz_tokenizer tests/fuzz/fuzz_encode
tests_fuzz_fuzz_tokenizer_SOURCES = tests/fuzz/fuzz_tokenizer.c $(FUZZ_SOURCES)
tests_fuzz_fuzz_tokenizer_LDADD = $(TEXT_FUZZ_LDADD)
tests_fuzz_fuzz_encode_SOURCES = tests/fuzz/fuzz_encode.c tests/fuzz/fuzz_vocabulary.h \
	$(FUZZ_SOURCES)
tests_fuzz_fuzz_encode_LDADD = $(TEXT_FUZZ_LDADD)

FUZZ_TARGETS += tests/fuzz/fuzz_chat
tests_fuzz_fuzz_chat_SOURCES = tests/fuzz/fuzz_chat.c $(FUZZ_SOURCES)
tests_fuzz_fuzz_chat_LDADD = $(TEXT_FUZZ_LDADD)

FUZZ_TARGETS += tests/fuzz/fuzz_answer
tests_fuzz_fuzz_answer_SOURCES = tests/fuzz/fuzz_answer.c $(FUZZ_SOURCES)
tests_fuzz_fuzz_answer_LDADD = $(TEXT_FUZZ_LDADD)

FUZZ_TARGETS += tests/fuzz/fuzz_request
tests_fuzz_fuzz_request_SOURCES = tests/fuzz/fuzz_request.c $(FUZZ_SOURCES)
tests_fuzz_fuzz_request_LDADD = $(SERVER_LDADD) $(FUZZ_LDADD)

FUZZ_TARGETS += tests/fuzz/fuzz_profile
tests_fuzz_fuzz_profile_SOURCES = tests/fuzz/fuzz_profile.c $(FUZZ_SOURCES)
tests_fuzz_fuzz_profile_LDADD = $(ANALOG_LIBS) runtime/libbase.a $(CONFUSE_LIBS) \
	$(PTHREAD_LIBS) -lm $(FUZZ_LDADD)

FUZZ_TARGETS += tests/fuzz/fuzz_reward
tests_fuzz_fuzz_reward_SOURCES = tests/fuzz/fuzz_reward.c tests/fuzz/fuzz_vocabulary.h \
	$(FUZZ_SOURCES)
tests_fuzz_fuzz_reward_LDADD = runtime/libsearch.a $(TEXT_FUZZ_LDADD)
