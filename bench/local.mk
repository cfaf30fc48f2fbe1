# SPDX-License-Identifier: Apache-2.0
# Built and run by `make bench` alone: make bench BENCH=--json
EXTRA_PROGRAMS = bench/analogd-bench
bench_analogd_bench_SOURCES = \
	bench/analog.c bench/analog.h \
	bench/daemon_process.c bench/daemon_process.h \
	bench/engine_load.c bench/engine_load.h \
	bench/health.c bench/health.h \
	bench/http_load.c bench/http_load.h \
	bench/limits.c bench/limits.h \
	bench/load.c bench/load.h \
	bench/main.c \
	bench/prompt.h \
	bench/rate.c bench/rate.h \
	bench/report.c bench/report.h \
	bench/roofline.c bench/roofline.h \
	bench/tokenizer.c bench/tokenizer.h
bench_analogd_bench_LDADD = $(RUNTIME_LDADD) $(MICROHTTPD_LIBS)
CLEANFILES += bench/analogd-bench

.PHONY: bench
bench: bench/analogd-bench analogd
	bench/analogd-bench --program ./analogd --model '$(srcdir)/models/wordmath-2m' \
		--text '$(srcdir)/LICENSE' --profile '$(srcdir)/conf/profiles/pcm-hermes.conf' \
		$(BENCH)
EXTRA_DIST += tests/reference/make_random_checkpoint.py

# Writes docs/accuracy.*: the shipped model's problems, digitally and on chips.
.PHONY: evaluate
evaluate: analogd
	python3 -B '$(srcdir)/bench/evaluate.py' --program ./analogd $(EVALUATE)
EXTRA_DIST += bench/accuracy_figure.py bench/evaluate.py
