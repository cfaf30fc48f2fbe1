# SPDX-License-Identifier: Apache-2.0
# Everything but main() is a library, so that tests can link it.
noinst_LIBRARIES += server/libserver.a
server_libserver_a_SOURCES = \
	server/auth.c \
	server/auth.h \
	server/daemon.h \
	server/http.h \
	server/log.h \
	server/metrics.def \
	server/metrics.h \
	server/options.c \
	server/options.def \
	server/options.h \
	server/options_file.c \
	server/options_flags.c \
	server/options_table.c \
	server/options_table.h \
	server/routes.h

SERVER_LDADD = server/libserver.a $(RUNTIME_LDADD) $(MICROHTTPD_LIBS) $(UV_LIBS) \
	$(CONFUSE_LIBS) $(SYSTEMD_LIBS)

sbin_PROGRAMS += analogd
analogd_SOURCES = server/main.c
analogd_LDADD = $(SERVER_LDADD)
