#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Things a reviewer should not have to look for: licence lines, paths of
# somebody's machine, package registries in lock files, generated files in git.
set -euo pipefail
cd "${top_srcdir:-$(dirname "$0")/..}"
if ! git rev-parse --git-dir >/dev/null 2>&1 || [ ! -e .git ]; then
    echo "not a git checkout: skipped"
    exit 77
fi

failed=0
complain()
{
    echo "$1"
    failed=1
}

# The brackets keep the patterns from matching this file.
private='/wor[k]/|/home/[a-z]+/|/roo[t]/|/bash_job[s]'
registries='registry[.]npmjs|pypi[.]org|files[.]pythonhosted'
if git grep -nIE "$private" -- . ':!tests/data'; then
    complain "paths of one machine"
fi
if git grep -nIE "$registries" -- . ':!tests/check_tree.sh'; then
    complain "hosts of package registries"
fi
while read -r file; do
    head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' ||
        complain "$file: no SPDX line"
done < <(git ls-files '*.[ch]' '*.def' '*.sh' '*.py' '*.mjs' '*.mk' '*.am' '*.ac' \
    quickstart runtests .ci/run)
if git ls-files | grep -E '(\.o|\.a|\.log|\.trs|\.pyc|/Makefile|^configure)$'; then
    complain "generated files in git"
fi
if git grep -nI ' $' -- '*.[ch]' '*.def' '*.sh' '*.py' '*.mk' '*.am' quickstart runtests; then
    complain "spaces at line ends"
fi
for script in quickstart runtests .ci/run $(git ls-files '*.sh'); do
    bash -n "$script" || complain "$script: syntax"
done
exit $failed
