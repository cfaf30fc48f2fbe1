# SPDX-License-Identifier: Apache-2.0
# Analog tiles against vectors made with the simulators they follow.
check_PROGRAMS += tests/tile_vectors
tests_tile_vectors_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests/analog
tests_tile_vectors_SOURCES = \
	tests/analog/linear_case.c tests/analog/linear_case.h \
	tests/analog/linear_vectors.c \
	tests/analog/tally.c tests/analog/tally.h \
	tests/analog/tile_vectors.c \
	tests/analog/vector_file.c tests/analog/vector_file.h \
	tests/analog/weight_vectors.c
tests_tile_vectors_LDADD = $(ANALOG_LIBS) runtime/libbase.a $(JANSSON_LIBS) \
	$(PTHREAD_LIBS) -lm
if !TSAN
TESTS += tests/analog/test_tile_vectors.py
endif
EXTRA_DIST += tests/analog/test_tile_vectors.py tests/data/analog
