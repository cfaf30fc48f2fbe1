#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Put the tables that WRITER prints into the documents below TOP:
#   update_tables.sh WRITER TOP
# A table stands between two marks, its name and "end of" its name in comments.
set -eu
writer=$1 top=$2
table=$(mktemp)
trap 'rm -f "$table"' EXIT

# put_table NAME FILE START END: START and END are what comments begin and end with.
put_table()
{
    "$writer" "$1" >"$table"
    sed -i -e "/^$3 $1$4\$/,/^$3 end of $1$4\$/{//!d}" -e "/^$3 $1$4\$/r $table" "$top/$2"
}

put_table flags man/analogd.8 '\.\\"' ''
put_table daemon-options man/analogd.conf.5 '\.\\"' ''
put_table model-options man/analogd.conf.5 '\.\\"' ''
put_table profile-keys man/analogd-profile.5 '\.\\"' ''
put_table metrics docs/metrics.md '<!--' ' -->'
"$writer" example >"$table"
cat "$table" >"$top/conf/analogd.conf"
