#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Calls go downwards only: a folder may include headers of itself and of the
# folders listed for it, and of no other.
set -euo pipefail
cd "${top_srcdir:-$(dirname "$0")/..}"

declare -A may_include=(
    [runtime/base]="base"
    [runtime/tensor]="base tensor"
    [runtime/checkpoint]="base checkpoint"
    [runtime/text]="base text"
    [runtime/analog]="base tensor analog"
    [runtime/model]="base tensor checkpoint analog model"
    [runtime/engine]="base tensor analog checkpoint text model engine"
    [runtime/search]="base checkpoint text search"
    [server]="base analog checkpoint text engine search server"
    [ctl]="base ctl"
    [bench]="base tensor checkpoint text analog model engine bench"
)

failed=0
for folder in "${!may_include[@]}"; do
    allowed=" ${may_include[$folder]} "
    while IFS=: read -r file line included; do
        [ -n "$file" ] || continue
        if [[ $allowed != *" $included "* ]]; then
            echo "$file:$line: $folder may not include $included/"
            failed=1
        fi
    done < <(grep -rnoE --include='*.[ch]' --include='*.def' '^#include "[a-z_]+/' "$folder" |
        sed -E 's/#include "([a-z_]+)\//\1/')
done
exit $failed
