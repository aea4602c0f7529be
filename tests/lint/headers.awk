# awk -f headers.awk FILE.h...: a header opens with a comment of 3 to 12 lines and has #pragma once;
# each prototype has a comment directly above it or stands directly below a commented one.
function bad(msg) { printf "%s:%d: %s\n", FILENAME, FNR, msg; rc = 1 }
function close_file() {
    if (file == "") return
    if (!once) { printf "%s:1: no #pragma once\n", file; rc = 1 }
}
FNR == 1 { close_file(); file = FILENAME; once = opened = commented = comment = depth = macro = 0 }
/^#pragma once/ { once = 1; next }
!opened && NF {
    opened = 1; top = FNR
    if ($0 !~ /^\/\*/) bad("a header opens with a comment: what it owns, what not, who may call")
}
macro { macro = /\\$/; next }
/^[ \t]*#/ { macro = /\\$/; if (/^#define/) commented = 0; next }
/^[ \t]*\/\*/ && !depth { comment = 1; commented = 1 }
comment {
    if (/\*\//) {
        comment = 0
        if (top && FNR - top < 2) bad("the header's first comment says too little")
        top = 0
    }
    next
}
!NF { if (!depth) commented = 0; next }
{
    line = $0
    gsub(/\/\*.*\*\//, "", line)
    gsub(/"([^"\\]|\\.)*"/, "", line)
    if (!depth && line ~ /^[a-z_].*\(/ && line !~ /^(typedef|extern|_Static_assert|struct [a-z_]+ \{)/ && !commented)
        bad("no contract above: " $0)
    if (!depth && line ~ /^typedef/ && line !~ /\(/) bad("no typedef of a struct or enum: " $0)
    depth += gsub(/[{(]/, "", line) - gsub(/[})]/, "", line)
}
END { close_file(); exit rc }
