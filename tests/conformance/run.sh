#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Talk to analogd through the official openai package:
#   tests/conformance/run.sh python|node
# The packages go below build/. Exit status 77: the registry cannot be reached.
# The last line is "N passed, N failed".
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$here/../../build
export PYTHONDONTWRITEBYTECODE=1

# Install unless what the given file pins is installed already.
install_once()
{
    local pinned=$1 stamp=$2
    shift 2
    cmp -s "$pinned" "$stamp" && return
    rm -f "$stamp"
    if ! "$@"; then
        echo "the package registry cannot be reached"
        exit 77
    fi
    cp "$pinned" "$stamp"
}

# The package's own install folder: a copy of the package files beside node_modules.
npm_install()
{
    cp "$here/package.json" "$here/package-lock.json" "$here/openai_node.mjs" "$build/node"
    (cd "$build/node" && npm ci --no-audit --no-fund --ignore-scripts)
}

case $1 in
python)
    [ -x "$build/venv/bin/pip" ] || python3 -m venv "$build/venv"
    install_once "$here/requirements.txt" "$build/venv/installed" \
        "$build/venv/bin/pip" install -q -r "$here/requirements.txt"
    status=0
    "$here/with_daemon.py" "$build/venv/bin/python" "$here/openai_python.py" 2>&1 |
        tee "$build/venv/result" || status=$?
    ran=$(sed -nE 's/^Ran ([0-9]+) tests? in .*/\1/p' "$build/venv/result")
    failed=$(grep -cE '^(FAIL|ERROR): ' "$build/venv/result" || true)
    echo "$((ran - failed)) passed, $failed failed"
    ;;
node)
    mkdir -p "$build/node"
    install_once "$here/package-lock.json" "$build/node/installed" npm_install
    cp "$here/openai_node.mjs" "$build/node"
    status=0
    "$here/with_daemon.py" node --test --test-reporter=tap "$build/node/openai_node.mjs" 2>&1 |
        tee "$build/node/result" || status=$?
    echo "$(sed -n 's/^# pass //p' "$build/node/result") passed," \
        "$(sed -n 's/^# fail //p' "$build/node/result") failed"
    ;;
*)
    echo "usage: run.sh python|node" >&2
    exit 2
    ;;
esac
exit $status
