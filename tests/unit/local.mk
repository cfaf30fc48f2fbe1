# One program a module; each links only the libraries it may use.
UNIT_TESTS =
if HAVE_CHECK
check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS)
endif
UNIT_LDADD = $(CHECK_LIBS)

UNIT_TESTS += tests/unit/test_checkpoint
tests_unit_test_checkpoint_SOURCES = tests/unit/test_checkpoint.c
tests_unit_test_checkpoint_LDADD = runtime/libcheckpoint.a runtime/libbase.a \
	$(UNIT_LDADD) $(JANSSON_LIBS) $(PTHREAD_LIBS) -lm

UNIT_TESTS += tests/unit/test_sampler tests/unit/test_engine
tests_unit_test_sampler_SOURCES = tests/unit/test_sampler.c
tests_unit_test_sampler_LDADD = $(RUNTIME_LDADD) $(UNIT_LDADD)
tests_unit_test_engine_SOURCES = tests/unit/test_engine.c
tests_unit_test_engine_LDADD = $(RUNTIME_LDADD) $(UNIT_LDADD)
