#!/bin/sh
# Line coverage by file from a build with MODE=coverage: tests/lint/coverage.sh BUILD_DIR
set -eu

find "$1" -path '*/tests/*' -prune -o -name '*.gcda' -print | sort | while read -r data; do
    gcov -n -o "$data" "$data" 2>/dev/null
done | awk '
    /^File / { split($0, q, "\x27"); file = q[2] }
    /^Lines executed:/ && file ~ /^(service|queue|handlers)\/.*\.c$/ {
        split($0, part, /[:% ]+/); percent = part[3]; n = part[5]
        if (!(file in lines)) { lines[file] = n; covered[file] = n * percent / 100 }
        file = ""
    }
    END {
        for (f in lines) {
            printf "%-40s %5.1f %% of %4d lines\n", f, lines[f] ? 100 * covered[f] / lines[f] : 100, lines[f] | "sort"
            all += lines[f]; hit += covered[f]
        }
        close("sort")
        if (all) printf "%-40s %5.1f %% of %4d lines\n", "all", 100 * hit / all, all
    }'
