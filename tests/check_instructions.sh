#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# No instruction of bfloat16 arithmetic is in the libraries: CPUs without them would give
# other bits than CPUs with them (docs/research.md). The kernels of AVX-VNNI have its
# instruction in the encoding that needs no AVX-512.
set -euo pipefail
cd "${top_builddir:?}"
if ! command -v objdump >/dev/null 2>&1; then
    echo "no objdump: skipped"
    exit 77
fi

failed=0
for library in runtime/*.a; do
    if objdump -d --no-show-raw-insn "$library" |
        grep -E '[[:space:]](vdpbf16ps|vcvtne2?ps2bf16|bf(dot|mmla|mlal[bt]|cvt)[a-z0-9]*)[[:space:]]'; then
        echo "$library: an instruction of bfloat16 arithmetic"
        failed=1
    fi
done
library=runtime/libtensor-avxvnni.a
if [ -e $library ] &&
    ! objdump -d --no-show-raw-insn $library | grep -E '\{vex3?\} vpdpbusd' >/dev/null; then
    echo "$library: no VPDPBUSD in the encoding of AVX-VNNI"
    failed=1
fi
exit $failed
