#!/bin/sh
# A check that is broken finds nothing and looks like clean code. So each rule is shown a small file
# that breaks it, and one that does not, before it is believed.
set -u
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
mkdir -p service/base service/sync service/export queue handlers
bad=0

# finds RULE FILE EXPECTED: the file's text on stdin; EXPECTED is part of the finding, "" for none
finds() {
    rule=$1 file=$2 expected=$3
    cat >"$file"
    case $rule in
    includes) output=$(awk -f "$here/includes.awk" "$here/layers.txt" "$file") ;;
    *) output=$(awk -f "$here/$rule.awk" "$file") ;;
    esac
    status=$?
    rm "$file"
    if [ -n "$expected" ]; then
        case $status:$output in 1:*"$expected"*) return ;; esac
    elif [ $status -eq 0 ]; then
        return
    fi
    echo "selftest: $rule on $file: expected \"$expected\", got ($status) \"$output\""
    bad=1
}
lines() { seq "$1" | sed 's/.*/    x();/'; }

finds includes queue/jobs.c "" <<'X'
#include "queue/jobs.h"
#include <zstd.h>
#include "queue/rds.h"
X
echo '#include "queue/jobs.h"' | finds includes queue/rds.c "rds (level 3) may not include jobs"
echo '#include "queue/trail.h"' | finds includes queue/jobs.c "may not include trail"
echo '#include "service/base/json.h"' | finds includes service/sync/rules.c "may not include json"
echo '#include "queue/grants.h"' | finds includes handlers/api.c "may not include grants"
echo '#include "service/export/http.h"' | finds includes handlers/server.c "may not include http"
echo '#include "handlers/console_files.h"' | finds includes service/export/export.c "may not include"
echo '#include "service/sync/invoice_parts.h"' | finds includes service/sync/invoice_pay.c ""
echo '#include "service/sync/invoice_parts.h"' | finds includes service/sync/rules.c "may not include"
echo '#include "jobs.h"' | finds includes service/receiver_main.c "by the path from the top"
echo '#include <hiredis/async.h>' | finds includes queue/jobs.c "belongs to rds"
echo 'int x;' | finds includes queue/unheard_of.c "has no level"

finds headers good.h "" <<'X'
/*
 * good: owns nothing.
 */
#pragma once

#define TWICE(x) \
    ((x) + (x))

/* What it does. */
int good_one(struct buf *b,
             int n);
int good_two(void);

struct thing {
    int (*call)(int);
};
X
printf '#pragma once\n\n/* One. */\nint a(void);\n' | finds headers b.h "says too little"
printf '#pragma once\nint a;\n' | finds headers b.h "opens with a comment"
printf '/*\n * b: owns\n */\nint x;\n' | finds headers b.h "no #pragma once"
printf '/*\n * b: owns\n */\n#pragma once\n\nint bare(void);\n' | finds headers b.h "no contract above: int bare"
printf '/*\n * b: owns\n */\n#pragma once\n/* c */\n\nint bare(void);\n' | finds headers b.h "no contract above"
printf '/*\n * b: owns\n */\n#pragma once\ntypedef struct x x_t;\n' | finds headers b.h "no typedef"

printf 'int f(void)\n{\n    puts("strcpy(a)"); /* strcpy(a) */\n}\n' | finds code a.c ""
printf 'int f(void)\n{\n    strcpy(a, b);\n}\n' | finds code a.c "strcpy()"
printf 'int f(void)\n{\n    p = realloc(p, 2);\n}\n' | finds code service/base/buf.c "same pointer"
printf 'int f(void)\n{\n    p = realloc(q, 2);\n}\n' | finds code queue/rds.c "only in buf.c"
printf 'static double d;\n' | finds code service/sync/rules.c "floating point"
printf 'static double d;\n' | finds code service/base/metrics.c ""
printf '// no\n' | finds code a.c "comments are"
printf 'int x; \n' | finds code a.c "white space"
seq 101 | tr -d '\n' | sed 's/$/\n/' | finds code a.c "longer than 100 columns"
{ printf 'int long_one(void)\n{\n'; lines 97; printf '}\n'; } | finds code a.c ""
{ printf 'int long_one(void)\n{\n'; lines 98; printf '}\n'; } | finds code a.c "long_one() has 101 lines"
lines 900 | finds code a.c ""
lines 901 | finds code a.c "900 lines"
exit $bad
