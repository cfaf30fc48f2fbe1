# SPDX-License-Identifier: Apache-2.0
# Everything but main() is a library, so that tests can link it.
noinst_LIBRARIES += server/libserver.a
server_libserver_a_SOURCES = \
	server/auth.c \
	server/auth.h \
	server/daemon.h \
	server/deadlines.c \
	server/exchange.c \
	server/header_check.c \
	server/header_check.h \
	server/http.c \
	server/http.h \
	server/http_connection.c \
	server/http_private.h \
	server/http_request.c \
	server/http_response.c \
	server/http_stream.c \
	server/json_out.c \
	server/json_out.h \
	server/listen.c \
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
	server/routes.h \
	server/utf8.c \
	server/utf8.h

SERVER_LDADD = server/libserver.a $(RUNTIME_LDADD) $(MICROHTTPD_LIBS) $(UV_LIBS) \
	$(CONFUSE_LIBS) $(SYSTEMD_LIBS)

sbin_PROGRAMS += analogd
analogd_SOURCES = server/main.c
analogd_LDADD = $(SERVER_LDADD)
