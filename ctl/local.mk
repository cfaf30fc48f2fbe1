# SPDX-License-Identifier: Apache-2.0
# analogctl, which talks to a server and shares nothing with it but runtime/base.
if ANALOGCTL
bin_PROGRAMS += analogctl
dist_man_MANS += man/analogctl.1
bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = ctl/completions/analogctl
endif
analogctl_SOURCES = \
	ctl/change.c \
	ctl/change.h \
	ctl/chip.c \
	ctl/chip.h \
	ctl/client.c \
	ctl/client.h \
	ctl/command_calibrate.c \
	ctl/command_chips.c \
	ctl/command_probe.c \
	ctl/command_program.c \
	ctl/command_status.c \
	ctl/commands.c \
	ctl/commands.h \
	ctl/key.c \
	ctl/key.h \
	ctl/main.c \
	ctl/metrics.c \
	ctl/metrics.h \
	ctl/options.c \
	ctl/options.h \
	ctl/outcome.h \
	ctl/progress.c \
	ctl/progress.h \
	ctl/table.c \
	ctl/table.h \
	ctl/terminal.c \
	ctl/terminal.h \
	ctl/texts.c \
	ctl/texts.h \
	ctl/wait.c \
	ctl/wait.h \
	ctl/words.c \
	ctl/words.h
analogctl_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
analogctl_LDADD = runtime/libbase.a $(CURL_LIBS) $(JANSSON_LIBS) $(PTHREAD_LIBS) -lm
