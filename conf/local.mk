# SPDX-License-Identifier: Apache-2.0
# The examples go beside the documents; the first becomes the configuration where
# there is none yet.
exampledir = $(docdir)/examples
dist_example_DATA = conf/analogd.conf \
	conf/analog-llama-3.2-1b.conf \
	conf/analog-phi-3-mini.conf

# Found by their names.
profiledir = $(pkgdatadir)/profiles
dist_profile_DATA = \
	conf/profiles/afm-paper.conf \
	conf/profiles/gaussian.conf \
	conf/profiles/ideal.conf \
	conf/profiles/pcm-aihwkit.conf \
	conf/profiles/pcm-hermes.conf \
	conf/profiles/reram-wan2022.conf

CONFIG_FILE = $(DESTDIR)$(sysconfdir)/analogd/analogd.conf

install-data-hook:
	test -e '$(CONFIG_FILE)' || { \
		$(MKDIR_P) '$(DESTDIR)$(sysconfdir)/analogd' && \
		sed 's|/usr/share/analogd|$(pkgdatadir)|' '$(srcdir)/conf/analogd.conf' \
			>'$(CONFIG_FILE)'; }

# Taken away only as it was put there.
uninstall-hook:
	sed 's|/usr/share/analogd|$(pkgdatadir)|' '$(srcdir)/conf/analogd.conf' | \
		cmp -s - '$(CONFIG_FILE)' && rm -f '$(CONFIG_FILE)' || :
