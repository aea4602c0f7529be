#!/bin/sh
# What compilers and analyzers find. No tool sees everything: a leaked descriptor only cppcheck, an
# unchecked allocation only -fanalyzer at -O0, an uninitialised path clang. So all of them run.
set -u
cd "$(dirname "$0")/../.."

jobs=${JOBS:-2}
failed=
step() { # step NAME COMMAND...: output only on failure
    name=$1
    shift
    start=$(date +%s)
    if output=$("$@" 2>&1); then
        echo "analyze: $name: clean ($(($(date +%s) - start)) s)"
    else
        printf '%s\n' "---- $name" "$output"
        failed="$failed $name"
    fi
}
# Product code only: what tests do to themselves is found by running them under the sanitizers.
c_files=$(find service queue handlers -name '*.c' | sort)
flags="-std=gnu11 -D_GNU_SOURCE -I. -DLH_VERSION=\"analyze\""

build() { make --no-print-directory -j"$jobs" CC="$1" EXTRA=-Werror all build-unit; }
analyzer() { # one process a file; -O0 because optimising hides an unchecked allocation
    echo "$c_files" | xargs -P "$jobs" -n 1 gcc $flags -O0 -fanalyzer -Werror -include tests/lint/own.h \
        -c -o /dev/null
}
# A suppression stands at its line, with its reason: /* cppcheck-suppress id ; why */
check() {
    cppcheck -q -j "$jobs" --std=c11 --enable=warning,portability,performance --inconclusive \
        --library=posix --inline-suppr --error-exitcode=1 --suppress=missingIncludeSystem \
        -D_GNU_SOURCE -DLH_VERSION='"analyze"' -I. $c_files
}
tidy() { echo "$c_files" | xargs -P "$jobs" -I{} clang-tidy --quiet {} -- $flags; }

step gcc build gcc
step clang build clang
step fanalyzer analyzer
step cppcheck check
step clang-tidy tidy
[ -z "$failed" ] || { echo "analyze: failed:$failed"; exit 1; }
