# SPDX-License-Identifier: Apache-2.0
# Built and run by `make bench` alone: make bench BENCH=--json
EXTRA_PROGRAMS = bench/analogd-bench
bench_analogd_bench_SOURCES = \
	bench/answers.c \
	bench/barrier.c \
	bench/cases.c bench/cases.h \
	bench/checkpoint_load.c \
	bench/contest.c \
	bench/cpu_name.c bench/cpu_name.h \
	bench/daemon_process.c bench/daemon_process.h \
	bench/engine_load.c bench/engine_load.h \
	bench/health.c \
	bench/http.c bench/http.h \
	bench/http_load.c bench/http_load.h \
	bench/limits.h \
	bench/load.c bench/load.h \
	bench/machine.c bench/machine.h \
	bench/main.c \
	bench/models.c bench/models.h \
	bench/multiply_limit.c \
	bench/options.c bench/options.h \
	bench/programming.c \
	bench/prompt.h \
	bench/rate.c bench/rate.h \
	bench/read_limit.c \
	bench/report.c bench/report.h \
	bench/roofline.c bench/roofline.h \
	bench/statistics.c bench/statistics.h \
	bench/tokenizer.c bench/tokenizer.h
bench_analogd_bench_LDADD = $(RUNTIME_LDADD) $(MICROHTTPD_LIBS)
CLEANFILES += bench/analogd-bench
EXTRA_DIST += tests/reference/make_random_checkpoint.py

RUN_BENCH = bench/analogd-bench --program ./analogd --model '$(srcdir)/models/wordmath-2m' \
	--profile '$(srcdir)/conf/profiles/pcm-hermes.conf' --text '$(srcdir)/LICENSE' \
	--make-checkpoint '$(srcdir)/tests/reference/make_random_checkpoint.py'

.PHONY: bench bench-check bench-docs bench-update
bench: bench/analogd-bench analogd
	@$(RUN_BENCH) $(BENCH)

# Compares shares with the committed ones; writes those of this machine. A part of them:
# make bench-check CHECK='--only decode_1_*'
SHARES = python3 -B '$(srcdir)/bench/shares.py'
bench-check: bench/analogd-bench analogd
	$(SHARES) $(CHECK) check '$(srcdir)/bench/shares.json' $(RUN_BENCH)
bench-update: bench/analogd-bench analogd
	$(SHARES) $(CHECK) update '$(srcdir)/bench/shares.json' $(RUN_BENCH)

# Writes the tables of docs/benchmarks.md.
bench-docs: bench/analogd-bench analogd
	$(RUN_BENCH) --json $(BENCH) >'$(srcdir)/docs/benchmarks.json'
	python3 -B '$(srcdir)/bench/figures_page.py' '$(srcdir)/docs/benchmarks.json' \
		'$(srcdir)/docs/benchmarks.md'

# Writes docs/scaling.*: measured curves, and a model of larger machines.
SCALING_FIGURES = scaling_*,decode_*_int8,prefill_*_int8,shipped_decode_64_int8,shipped_64_overhead
.PHONY: bench-scaling
bench-scaling: bench/analogd-bench analogd
	$(RUN_BENCH) --json --only '$(SCALING_FIGURES)' >'$(srcdir)/docs/scaling.json'
	python3 -B '$(srcdir)/bench/scaling.py' '$(srcdir)/docs/scaling.json' --out '$(srcdir)/docs'
EXTRA_DIST += bench/figures.py bench/figures_page.py bench/scaling.py \
	bench/scaling_figure.py bench/shares.json bench/shares.py

BENCH_TESTS = tests/bench/test_scaling.py tests/bench/test_search_statistics.py \
	tests/bench/test_shares.py
if !SANITIZING
TESTS += $(BENCH_TESTS)
endif
EXTRA_DIST += $(BENCH_TESTS)

# analogd beside other engines, by hand: bench/peers/README.md.
EXTRA_DIST += bench/peers/README.md bench/peers/contestants.py bench/peers/distinct_weights.py \
	bench/peers/make_gguf.py bench/peers/page.py bench/peers/peer_analogd.py \
	bench/peers/peer_llamacpp.mjs bench/peers/peer_onnxruntime.py \
	bench/peers/peer_openvino.py bench/peers/run.py bench/peers/worker.py

# Writes docs/accuracy.*: the shipped model's problems, digitally and on chips.
.PHONY: evaluate
evaluate: analogd
	python3 -B '$(srcdir)/bench/evaluate.py' --program ./analogd $(EVALUATE)
EXTRA_DIST += bench/accuracy_figure.py bench/evaluate.py

# Writes docs/test-time-compute.*: what best-of-N requests gain on chips, and what they
# cost. A part of it: make evaluate-search EVALUATE_SEARCH='--only "early stopping"'
.PHONY: evaluate-search
evaluate-search: analogd
	python3 -B '$(srcdir)/bench/evaluate_search.py' --program ./analogd $(EVALUATE_SEARCH)
EXTRA_DIST += bench/evaluate_search.py bench/search_cost.py bench/search_figure.py \
	bench/search_page.py bench/search_requests.py bench/search_statistics.py
