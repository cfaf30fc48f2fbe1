#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Headers and libraries of 64-bit Arm in a folder of their own, for a cross compiler and
# an emulator; Debian's packages are unpacked there and not installed:
#   tests/arm_sysroot.sh DIR
# Exits with 77 where the cross compiler, the emulator or the packages cannot be had;
# the last line says which.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
packages=(
    libc6-dev libgcc-12-dev libmicrohttpd-dev libuv1-dev libjansson-dev libopenblas-pthread-dev
    libconfuse-dev libpcre2-dev libutf8proc-dev librandom123-dev check
)

skip()
{
    echo "$1"
    exit 77
}

# apt for Arm, within so many seconds, with lists and archives apart from the machine's own.
apt()
{
    timeout "$1" apt-get -q -o APT::Architecture=arm64 -o APT::Architectures=arm64 \
        -o Dir::State="$2/apt" -o Dir::State::status="$2/apt/status" -o Dir::Cache="$2/apt" \
        "${@:3}"
}

# Links to /lib/... would lead out of the folder.
keep_links_inside()
{
    find "$1" -type l -lname '/*' | while read -r link; do
        ln -sfn "$1$(readlink "$link")" "$link"
    done
}

unpack()
{
    local archive
    mkdir -p "$1/apt/lists/partial" "$1/apt/archives/partial"
    touch "$1/apt/status"
    apt 60 "$1" update || return 1
    apt 120 "$1" install -y --no-install-recommends --download-only "${packages[@]}" || return 1
    for archive in "$1"/apt/archives/*.deb; do dpkg-deb -x "$archive" "$1" || return 1; done
    rm -rf "$1/apt"
    keep_links_inside "$1"
}

mkdir -p "$1"
root=$(cd "$1" && pwd)
command -v dpkg-deb >/dev/null 2>&1 || skip "only Debian's packages are known, and there is no dpkg"
"$here/install_packages.sh" arm ||
    skip "no cross compiler for 64-bit Arm or no emulator, and they cannot be installed"
[ ! -e "$root/complete" ] || exit 0
find "$root" -mindepth 1 -delete
unpack "$root" || skip "no packages for 64-bit Arm could be fetched"
touch "$root/complete"
