# SPDX-License-Identifier: Apache-2.0
# Searches on simulated models against an independent model of them.
check_PROGRAMS += tests/search_case
tests_search_case_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests/search
tests_search_case_SOURCES = \
	tests/search/search_case.c \
	tests/search/simulation.c tests/search/simulation.h
tests_search_case_LDADD = runtime/libsearch.a runtime/libtext.a runtime/libbase.a \
	$(JANSSON_LIBS) $(PCRE2_LIBS) $(UTF8PROC_LIBS) $(PTHREAD_LIBS) -lm
if !TSAN
TESTS += tests/search/test_search.py
endif
EXTRA_DIST += tests/search/test_search.py tests/search/search_model.py tests/data/search
