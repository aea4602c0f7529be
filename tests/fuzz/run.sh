#!/bin/sh
# Runs libFuzzer targets: tests/fuzz/run.sh SECONDS BINARY...
# First every input of tests/fuzz/regression/<name> (a crash found once is a test for ever), then
# SECONDS of fuzzing from tests/fuzz/corpus/<name>. What is found stays below build/fuzz.
set -eu

seconds=$1
shift
[ $# -gt 0 ] || { echo "fuzz: no targets" >&2; exit 1; }
for binary in "$@"; do
    name=$(basename "$binary" | sed 's/^fuzz_//')
    found=build/fuzz/found/$name
    log=build/fuzz/$name.log
    mkdir -p "$found"
    old=$(find "tests/fuzz/regression/$name" -type f 2>/dev/null || true)
    seeds=
    [ ! -d "tests/fuzz/corpus/$name" ] || seeds=tests/fuzz/corpus/$name
    if { [ -z "$old" ] || "$binary" $old; } >"$log" 2>&1 &&
        "$binary" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 \
            -artifact_prefix="build/fuzz/crash-$name-" "$found" $seeds >>"$log" 2>&1; then
        echo "fuzz: $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, no crash"
    else
        cat "$log"
        echo "fuzz: $name: FAILED; keep its input (build/fuzz/crash-$name-*) in tests/fuzz/regression/$name/"
        exit 1
    fi
done
