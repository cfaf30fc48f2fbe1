#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Talk to analogd through the official openai packages, or compare the scores that
# lm-evaluation-harness gets from it with those of the reference implementation:
#   tests/conformance/run.sh python|node|lm_eval
#   tests/conformance/run.sh lm_eval install
# The packages go below build/, those of lm_eval (gigabytes) only when told to
# install them; REFERENCE_VENV names an environment that has them already. Exit
# status 77: the registry cannot be reached, or lm_eval is not installed.
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

# Run a program of Python's unittest into a log and count its cases.
python_tests()
{
    local log=$1
    shift
    "$@" 2>&1 | tee "$log" || status=$?
    local ran failed
    ran=$(sed -nE 's/^Ran ([0-9]+) tests? in .*/\1/p' "$log")
    failed=$(grep -cE '^(FAIL|ERROR): ' "$log" || true)
    echo "$((ran > failed ? ran - failed : 0)) passed, $failed failed"
}

status=0
case $1 in
python)
    [ -x "$build/venv/bin/pip" ] || python3 -m venv "$build/venv"
    install_once "$here/requirements.txt" "$build/venv/installed" \
        "$build/venv/bin/pip" install -q -r "$here/requirements.txt"
    python_tests "$build/venv/result" \
        "$here/with_daemon.py" "$build/venv/bin/python" "$here/openai_python.py"
    ;;
node)
    mkdir -p "$build/node"
    install_once "$here/package-lock.json" "$build/node/installed" npm_install
    cp "$here/openai_node.mjs" "$build/node"
    "$here/with_daemon.py" node --test --test-reporter=tap "$build/node/openai_node.mjs" 2>&1 |
        tee "$build/node/result" || status=$?
    echo "$(sed -n 's/^# pass //p' "$build/node/result") passed," \
        "$(sed -n 's/^# fail //p' "$build/node/result") failed"
    ;;
lm_eval)
    venv=${REFERENCE_VENV:-$build/reference}
    if [ "${2:-}" = install ]; then
        [ -x "$venv/bin/pip" ] || python3 -m venv "$venv"
        install_once "$here/../reference/requirements.txt" "$venv/installed" \
            "$venv/bin/pip" install -q -r "$here/../reference/requirements.txt"
    elif [ ! -x "$venv/bin/lm_eval" ]; then
        echo "lm_eval and torch are not installed; to do that: tests/conformance/run.sh lm_eval install"
        exit 77
    fi
    mkdir -p "$build"
    python_tests "$build/lm_eval-result" "$venv/bin/python" "$here/lm_eval_hf.py"
    ;;
*)
    echo "usage: run.sh python|node|lm_eval [install]" >&2
    exit 2
    ;;
esac
exit $status
