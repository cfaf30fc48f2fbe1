# SPDX-License-Identifier: Apache-2.0
# Scripts around the tests, and checks of the source tree itself.
dist_noinst_SCRIPTS += quickstart runtests .ci/run tests/arm_sysroot.sh tests/build.sh \
	tests/install_packages.sh tests/tally.py tests/conformance/run.sh tests/conformance/with_daemon.py
TREE_TESTS = tests/check_includes.sh tests/check_instructions.sh tests/check_man.sh \
	tests/check_tree.sh
EXTRA_DIST += $(TREE_TESTS) tests/tsan.supp .clang-format \
	tests/conformance/README.md \
	tests/conformance/lm_eval \
	tests/conformance/lm_eval_hf.py \
	tests/conformance/openai_node.mjs \
	tests/conformance/openai_python.py \
	tests/conformance/package-lock.json \
	tests/conformance/package.json \
	tests/conformance/requirements.txt \
	tests/reference/requirements.txt
if !SANITIZING
TESTS += $(TREE_TESTS)
endif

# A minute of clients that come and go.
soak: all
	$(AM_TESTS_ENVIRONMENT) python3 -B $(srcdir)/tests/api/test_soak.py --clients 64 --seconds 60
.PHONY: soak
