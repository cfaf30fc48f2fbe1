#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The tables in the documents are those of options.def, metrics.def and profile_keys.def.
set -eu
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
files='man/analogd.8 man/analogd.conf.5 man/analogd-profile.5 docs/metrics.md conf/analogd.conf'
mkdir "$copy/man" "$copy/docs" "$copy/conf"
for file in $files; do
    cat "$top_srcdir/$file" >"$copy/$file"
done
"$top_srcdir/man/update_tables.sh" "$top_builddir/man/write-tables" "$copy"
for file in $files; do
    diff -u "$top_srcdir/$file" "$copy/$file" || {
        echo "$file is out of date: run 'make update-tables'"
        exit 1
    }
done
