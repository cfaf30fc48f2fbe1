# SPDX-License-Identifier: Apache-2.0
dist_man_MANS += man/analogd.8 man/analogd.conf.5 man/analogd-profile.5

# What the documents take from options.def, metrics.def and profile_keys.def.
noinst_PROGRAMS += man/write-tables
man_write_tables_SOURCES = man/write_tables.c man/write_tables.h man/profile_tables.c
man_write_tables_LDADD = $(SERVER_LDADD)
dist_noinst_SCRIPTS += man/update_tables.sh man/check_tables.sh
TESTS += man/check_tables.sh

update-tables:: man/write-tables$(EXEEXT)
	$(srcdir)/man/update_tables.sh man/write-tables$(EXEEXT) '$(srcdir)'
.PHONY: update-tables
