# One program a module; each links only the libraries it may use.
UNIT_TESTS =
if HAVE_CHECK
check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS)
endif
UNIT_LDADD = $(CHECK_LIBS)
