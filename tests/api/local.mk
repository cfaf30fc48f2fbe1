# SPDX-License-Identifier: Apache-2.0
# Scripts of the Python standard library; each starts the program it talks to
# and finds it through $top_builddir.
TEST_EXTENSIONS = .py
PY_LOG_COMPILER = python3
AM_PY_LOG_FLAGS = -B

API_TESTS =
# Those in which threads meet: the others tell ThreadSanitizer nothing new.
THREADED_API_TESTS = \
	tests/api/test_chips.py \
	tests/api/test_search.py \
	tests/api/test_soak.py \
	tests/api/test_stream.py
if TSAN
TESTS += $(THREADED_API_TESTS)
else
TESTS += $(API_TESTS)
endif
EXTRA_DIST += $(API_TESTS)

# The HTTP listener alone, with a toy application behind it.
check_PROGRAMS += tests/api/http_server
tests_api_http_server_SOURCES = tests/api/http_server.c
tests_api_http_server_LDADD = $(SERVER_LDADD)
API_TESTS += tests/api/test_http.py tests/api/test_http_requests.py
EXTRA_DIST += tests/api/http_client.py

# The client, with a server made for the test.
API_TESTS += tests/api/test_analogctl.py

# The daemon itself.
API_TESTS += \
	tests/api/test_chat.py \
	tests/api/test_chat_template.py \
	tests/api/test_chip_requests.py \
	tests/api/test_chip_usage.py \
	tests/api/test_chips.py \
	tests/api/test_completions.py \
	tests/api/test_determinism.py \
	tests/api/test_disconnect.py \
	tests/api/test_folders.py \
	tests/api/test_hostile.py \
	tests/api/test_int4.py \
	tests/api/test_models.py \
	tests/api/test_reward.py \
	tests/api/test_search.py \
	tests/api/test_search_abuse.py \
	tests/api/test_sentencepiece.py \
	tests/api/test_soak.py \
	tests/api/test_stream.py \
	tests/api/test_tokenize.py
EXTRA_DIST += tests/api/harness.py tests/api/test_eval.py
if !SANITIZING
# Figures of the arithmetic, which is the same under a sanitizer.
TESTS += tests/api/test_eval.py
endif
API_TESTS += tests/api/test_lifecycle.py tests/api/test_systemd.py
