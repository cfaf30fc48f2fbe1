#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: run.sh SECONDS [BUILDDIR]
# Search with every libFuzzer target for SECONDS each, starting from a scratch
# copy of its corpus. BUILDDIR (default: .) was configured with CC=clang and
# --enable-fuzzing, and `make check` was run there. Inputs that crash are left in
# the current folder as fuzz-NAME-crash-*; the exit status is then not 0.
set -eu
seconds=${1:?usage: run.sh SECONDS [BUILDDIR]}
builddir=${2:-.}
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
status=0
for corpus in "$here"/corpus/*/; do
    name=$(basename "$corpus")
    echo "== $name: $seconds s"
    cp -R "$corpus" "$scratch/$name"
    "$builddir/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=10 \
        -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="fuzz-$name-" "$scratch/$name" || status=1
done
exit $status
