#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Configure and make out of tree:
#   tests/build.sh NAME [CONFIGURE-ARGUMENT...] -- [MAKE-ARGUMENT...]
# builds in build/NAME. Configures only when the arguments have changed, or the
# unit test library has come since: without it there are no unit tests.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

# Automake and make cannot live below a path with a space or a quote in it: go
# in through a symbolic link that has neither, the same at every run.
plain_path()
{
    local base=${TMPDIR:-/tmp}
    case $1 in
    *[!A-Za-z0-9/._+@-]*) ;;
    *) echo "$1" && return ;;
    esac
    case $base in *[!A-Za-z0-9/._+@-]*) base=/tmp ;; esac
    base=$base/analogd-$(id -u)
    mkdir -p -m 700 "$base"
    if [ -L "$base" ] || [ ! -O "$base" ]; then
        echo "build: $base belongs to somebody else" >&2
        return 1
    fi
    base=$base/$(printf %s "$1" | cksum | cut -d ' ' -f 1)
    ln -sfn "$1" "$base"
    echo "$base"
}

name=$1 && shift
configure_args=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do configure_args+=("$1") && shift; done
[ $# -gt 0 ] && shift

top=$(plain_path "$top")
if [ ! -x "$top/configure" ] || [ ! -e "$top/Makefile.in" ] || [ ! -e "$top/config.h.in" ]; then
    mkdir -p "$top/m4"
    (cd "$top" && autoreconf -fi)
fi
mkdir -p "$top/build/$name"
cd "$top/build/$name"
wanted=$(printf '%q ' "$top" "${configure_args[@]}")
wanted+="check $(pkg-config --modversion check 2>/dev/null || echo missing)"
if [ ! -e Makefile ] || [ "$wanted" != "$(cat configured-with 2>/dev/null)" ]; then
    if [ -e Makefile ]; then find . -mindepth 1 -delete; fi
    "$top/configure" "${configure_args[@]}"
    printf %s "$wanted" >configured-with
fi
exec make -j"$(nproc)" "$@"
