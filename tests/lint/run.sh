#!/bin/sh
# The project's own rules, the ones no compiler knows. Runs every check, then says which failed.
# One line a finding: file:line: what.
set -u
cd "$(dirname "$0")/../.."

failed=
check() { # check NAME COMMAND...: no output on success
    name=$1
    shift
    if output=$("$@" 2>&1); then return; fi
    printf '%s\n' "---- $name" "$output"
    failed="$failed $name"
}
list() { find "$@" -type f | sort; }
c_files=$(list service queue handlers -name '*.[ch]')
headers=$(echo "$c_files" | grep '\.h$')
test_c=$(list tests -name '*.[ch]')
py_files=$(list tests deploy -name '*.py')
sh_files="$(list tests deploy -name '*.sh') .ci/run"
text_files=$(list service queue handlers tests deploy k8s ! -path 'tests/data/*' ! -path '*/corpus/*' \
    ! -path '*/regression/*' ! -name '*.pyc')

top_level() { # the fixed set, dot-files, and what builds leave (ignored by git)
    odd=$(ls | grep -vxE 'service|handlers|queue|tests|deploy|k8s|Makefile|README\.md|ARCHITECTURE\.md|SECURITY\.md|CONTRIBUTING\.md|LICENSE|CHANGELOG\.md|build|var')
    [ -z "$odd" ] || { echo "not part of the top level:" $odd; return 1; }
}
no_matches() { # no_matches WHAT PATTERN FILE...
    what=$1 pattern=$2
    shift 2
    ! grep -nIE "$pattern" "$@" | sed "s/\$/   <- $what/" | grep .
}
headers_alone() {
    ok=0
    for h in $headers; do
        printf '#include "%s"\nextern int alone;\n' "$h" |
            ${CC:-gcc} -std=gnu11 -D_GNU_SOURCE -I. -Wall -Wextra -Wpedantic -Werror -fsyntax-only \
                -x c - || ok=1
    done
    return $ok
}
lua() {
    ok=0
    for f in $(list queue -name '*.lua'); do
        case $f in */lib.lua) ;; *) head -n1 "$f" | grep -qE '^#!lua( |$)' || { echo "$f:1: begins with #!lua"; ok=1; } ;; esac
    done
    return $ok
}
newlines() {
    ok=0
    for f in $text_files; do
        [ ! -s "$f" ] || [ -z "$(tail -c1 "$f")" ] || { echo "$f: no newline at the end"; ok=1; }
    done
    return $ok
}
python() {
    /usr/bin/python3 - $py_files <<'PY'
import ast, sys
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as f:
        ast.parse(f.read(), path)
PY
}
shell() {
    ok=0
    for f in $sh_files; do
        case $(head -n1 "$f") in *bash*) bash -n "$f" ;; *) sh -n "$f" ;; esac || ok=1
        [ -x "$f" ] || { echo "$f: not executable"; ok=1; }
    done
    return $ok
}

check selftest tests/lint/selftest.sh
check top-level top_level
check layers awk -f tests/lint/includes.awk tests/lint/layers.txt $c_files
check contracts awk -f tests/lint/headers.awk $headers
check headers-alone headers_alone
check code awk -f tests/lint/code.awk $c_files $test_c
check lua lua
check newlines newlines
check markers no_matches "finish it or write down why not" '\b(TO''DO|FIX''ME|XX''X)\b' $text_files *.md Makefile
check python python
check shell shell
check format clang-format --dry-run -Werror $c_files $test_c
[ ! -f service/base/config.c ] || check docs-sync tests/lint/docs_sync.sh

[ -z "$failed" ] || { echo "lint: failed:$failed"; exit 1; }
echo "lint: clean ($(echo "$c_files" | wc -l) C files)"
