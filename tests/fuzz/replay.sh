#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run every fuzz target once on each file of its committed corpus.
set -eu
: "${top_srcdir:=.}" "${top_builddir:=.}"
seen=0
for corpus in "$top_srcdir"/tests/fuzz/corpus/*/; do
    name=$(basename "$corpus")
    echo "== $name"
    "$top_builddir/tests/fuzz/fuzz_$name" "$corpus"*
    seen=$((seen + 1))
done
test "$seen" -gt 0
