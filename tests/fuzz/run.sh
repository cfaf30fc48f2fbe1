#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: run.sh SECONDS [BUILDDIR]
# Search with every libFuzzer target for SECONDS each, as many side by side as there
# are processors, starting from a scratch copy of its corpus. BUILDDIR (default: .)
# was configured with CC=clang and --enable-fuzzing, and `make check` was run there.
# The log of each target is left in the current folder as fuzz-NAME.log, inputs that
# crash as fuzz-NAME-crash-*; the exit status is then not 0, and the end of that
# target's log and the input are printed last.
set -eu
seconds=${1:?usage: run.sh SECONDS [BUILDDIR]}
builddir=${2:-.}
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
cp -R "$here/corpus/." "$scratch"

# What is done with each; a file beside its corpus tells that it has failed.
export seconds builddir scratch
# shellcheck disable=SC2016 # the shells of xargs read the variables
search='echo "== $1: $seconds s"
"$builddir/tests/fuzz/fuzz_$1" -max_total_time="$seconds" -timeout=10 \
    -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix="fuzz-$1-" "$scratch/$1" >"fuzz-$1.log" 2>&1 ||
    : >"$scratch/$1.failed"'
ls "$here/corpus" | xargs -P "$(nproc)" -n 1 sh -c "$search" search
grep '^stat::number_of_executed_units' fuzz-*.log || true
failed=$(cd "$scratch" && ls | sed -n 's/\.failed$//p')
for name in $failed; do
    echo "FAILED: $name"
    grep -v '^"' "fuzz-$name.log" | tail -n 60
    for input in "fuzz-$name"-*-*; do
        [ -e "$input" ] || continue
        echo "input $input, base64:"
        base64 "$input" | head -n 40
    done
done
[ -z "$failed" ]
