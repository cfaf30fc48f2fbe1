#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The manual pages are free of mandoc's warnings.
set -euo pipefail
cd "${top_srcdir:-$(dirname "$0")/..}"
command -v mandoc >/dev/null || { echo "no mandoc: skipped" && exit 77; }
mandoc -T lint -W warning man/*.[1-9]
