#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The tables in the documents are those of options.def and metrics.def.
set -eu
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir "$copy/man" "$copy/docs" "$copy/conf"
for file in man/analogd.8 man/analogd.conf.5 docs/metrics.md conf/analogd.conf; do
    cat "$top_srcdir/$file" >"$copy/$file"
done
"$top_srcdir/man/update_tables.sh" "$top_builddir/man/write-tables" "$copy"
for file in man/analogd.8 man/analogd.conf.5 docs/metrics.md conf/analogd.conf; do
    diff -u "$top_srcdir/$file" "$copy/$file" || {
        echo "$file is out of date: run 'make update-tables'"
        exit 1
    }
done
