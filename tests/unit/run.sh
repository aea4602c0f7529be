#!/bin/sh
# Runs unit test binaries: tests/unit/run.sh JOBS BINARY...
# Each has a temporary directory of its own and its output is shown only if it fails, so that a
# crash takes one module's tests with it and not the run. Ends with one summary line.
set -eu

if [ "$1" = --one ]; then
    binary=$2 results=$3
    name=$(basename "$binary")
    mkdir -p "$results/$name.dir"
    cd "$results/$name.dir"
    status=0
    TMPDIR=$PWD timeout -k 5 "${UNIT_SECONDS:-120}" "$binary" >"$results/$name.out" 2>&1 || status=$?
    # cmocka ends each group with "[  PASSED  ] 12 test(s)." and "[  FAILED  ] 1 test(s), listed".
    count() { sed -n "s/^\[  $1  \] \([0-9]*\) test(s).*/\1/p" "$results/$name.out" |
        awk '{ n += $1 } END { print n + 0 }'; }
    passed=$(count PASSED)
    failed=$(count FAILED)
    if [ "$status" -ne 0 ]; then
        [ "$failed" -gt 0 ] || failed=1
        { echo "---- $name: exit status $status"; cat "$results/$name.out"; } >"$results/$name.bad"
    elif [ "$passed" -eq 0 ]; then
        failed=1
        echo "---- $name: ran no test" >"$results/$name.bad"
    fi
    echo "$passed $failed" >"$results/$name.count"
    exit 0
fi

jobs=$1
shift
[ $# -gt 0 ] || { echo "unit: no tests" >&2; exit 1; }
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
here=$(cd "$(dirname "$0")" && pwd)
for binary in "$@"; do echo "$PWD/$binary"; done |
    xargs -P "$jobs" -I{} sh "$here/run.sh" --one {} "$results"

cat "$results"/*.bad 2>/dev/null || true
[ "$(ls "$results" | grep -c '\.count$')" -eq $# ] || { echo "unit: a result is missing" >&2; exit 1; }
cat "$results"/*.count | awk -v n=$# '
    { passed += $1; failed += $2 }
    END { printf "unit: %d passed, %d failed in %d modules\n", passed, failed, n; exit failed > 0 }'
