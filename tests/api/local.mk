# SPDX-License-Identifier: Apache-2.0
# Scripts of the Python standard library; each starts the program it talks to
# and finds it through $top_builddir.
TEST_EXTENSIONS = .py
PY_LOG_COMPILER = python3

API_TESTS =
TESTS += $(API_TESTS)
EXTRA_DIST += $(API_TESTS)
