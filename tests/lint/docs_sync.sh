#!/bin/sh
# The table of variables in config.c against what is written elsewhere: every LH_ variable of the
# table is in the README and in k8s/ (whose list of settings compose.yaml reads too), and nothing
# in the README, deploy/ and k8s/ names a variable that is not in the table.
set -eu

names() { grep -ohE '\bLH_[A-Z0-9_]*[A-Z0-9]\b' /dev/null "$@" | sed 's/_FILE$//; s/_PREVIOUS$//' | sort -u; }
table=$(names service/base/config.c | grep -vx LH_VERSION)
bad=0
for place in README.md k8s; do
    there=$(names $(find "$place" -type f))
    for name in $table; do
        echo "$there" | grep -qx "$name" || { echo "$name is not in $place"; bad=1; }
    done
done
for name in $(names README.md $(find deploy k8s -type f)); do
    echo "$table" | grep -qx "$name" || { echo "$name is in the documents, not in config.c"; bad=1; }
done
exit $bad
