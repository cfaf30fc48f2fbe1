# SPDX-License-Identifier: Apache-2.0
dist_systemdsystemunit_DATA = systemd/analogd.socket
nodist_systemdsystemunit_DATA = systemd/analogd.service
EXTRA_DIST += systemd/analogd.service.in
CLEANFILES += systemd/analogd.service

systemd/analogd.service: systemd/analogd.service.in Makefile
	$(AM_V_GEN)mkdir -p systemd && sed -e 's|@sbindir[@]|$(sbindir)|g' \
		-e 's|@sysconfdir[@]|$(sysconfdir)|g' \
		'$(srcdir)/systemd/analogd.service.in' >$@.tmp && mv $@.tmp $@
