#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Install what is missing of the Debian packages that analogd needs:
#   tests/install_packages.sh build         to build and run it
#   tests/install_packages.sh build test    to run every test as well
#   tests/install_packages.sh arm           to build and test it for 64-bit Arm as well
# Needs root or sudo only when something is missing.
set -euo pipefail

# COMMAND=PACKAGE is wanted only where the command is missing: it may come from
# elsewhere than from a Debian package. Of PACKAGE|OTHER|... one is enough.
build_packages=(
    cc=gcc make=make autoconf=autoconf automake=automake autoconf-archive
    pkg-config=pkg-config xz=xz-utils curl=curl libc6-dev
    libmicrohttpd-dev libuv1-dev libjansson-dev libopenblas-dev libconfuse-dev
    libpcre2-dev libutf8proc-dev librandom123-dev libsystemd-dev
    'libcurl4-openssl-dev|libcurl4-gnutls-dev'
)
test_packages=(
    check clang=clang libclang-rt-dev git=git procps mandoc=mandoc python3=python3 python3-venv
    systemd-analyze=systemd node=nodejs npm=npm
)
arm_packages=(aarch64-linux-gnu-gcc=gcc-aarch64-linux-gnu qemu-aarch64=qemu-user)

has_package()
{
    local state
    state=$(dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null) || return 1
    [[ $state == ii* ]]
}

has_one()
{
    local names name
    IFS='|' read -ra names <<<"$1"
    for name in "${names[@]}"; do
        if has_package "$name"; then return 0; fi
    done
    return 1
}

missing=()
for set_name in "$@"; do
    declare -n packages="${set_name}_packages"
    for entry in "${packages[@]}"; do
        command=${entry%%=*} package=${entry#*=}
        if [[ $entry == *=* ]]; then
            command -v "$command" >/dev/null 2>&1 || missing+=("$package")
        elif command -v dpkg-query >/dev/null 2>&1; then
            has_one "$package" || missing+=("${package%%|*}")
        fi
    done
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "install_packages: these are missing and there is no apt-get to install them: ${missing[*]}" >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "install_packages: please run as root: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
echo "installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
