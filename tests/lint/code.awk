# awk -f code.awk FILE.[ch]...: sizes (function 100 lines, file 900, line 100 columns), banned
# functions, no floating point near money. Comments and strings are taken out first.
function bad(msg) { printf "%s:%d: %s\n", FILENAME, FNR, msg; rc = 1 }
BEGIN {
    why["strcpy"] = why["strcat"] = why["sprintf"] = why["vsprintf"] = "write through struct buf"
    why["gets"] = why["strtok"] = "parse with a view and a limit"
    why["atoi"] = why["atol"] = why["atoll"] = why["atof"] = "no error can be seen: str_int64"
    why["system"] = why["popen"] = "no shell"
    why["alloca"] = "nothing of outside size on the stack"
    why["rand"] = why["srand"] = "use crypto's random bytes"
}
FNR == 1 { start = 0; comment = 0; name = "" }
FNR == 901 { bad("file longer than 900 lines") }
length($0) > 100 && !/https?:\/\// { bad("line longer than 100 columns") }
/[ \t]$/ { bad("white space at the end of the line") }
{
    line = $0
    gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
    if (comment) {
        if (!sub(/^.*\*\//, "", line)) next
        comment = 0
    }
    gsub(/\/\*([^*]|\*+[^*\/])*\*+\//, "", line)
    if (sub(/\/\*.*$/, "", line)) comment = 1
    if (line ~ /\/\//) bad("comments are /* */")
}
{
    rest = line
    while (match(rest, /[A-Za-z_][A-Za-z_0-9]*[ ]*\(/)) {
        call = substr(rest, RSTART, RLENGTH); sub(/[ ]*\($/, "", call)
        if (call in why) bad(call "(): " why[call])
        if (call == "realloc" && FILENAME !~ /service\/base\/buf\.c$/) bad("realloc() only in buf.c")
        rest = substr(rest, RSTART + RLENGTH)
    }
    if (line ~ /(^|[^A-Za-z_0-9])(double|float)([^A-Za-z_0-9]|$)/ &&
        FILENAME ~ /service\/(sync\/|base\/money)/) bad("no floating point near money")
    if (line ~ /^typedef[ \t]+(struct|enum|union)/) bad("no typedef of a struct or enum")
    if (match(line, /=[ ]*realloc[ ]*\(/)) {
        target = line; sub(/[ ]*=[ ]*realloc.*/, "", target); sub(/.*[ \t]/, "", target)
        given = line; sub(/.*realloc[ ]*\([ ]*/, "", given); sub(/[, ].*/, "", given)
        if (target == given) bad("realloc into the same pointer leaks when it fails")
    }
}
line ~ /^[A-Za-z_].*\(/ { name = line; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name); at = FNR }
line ~ /^\{/ { start = at ? at : FNR }
line ~ /^\}/ && start {
    if (FNR - start + 1 > 100) bad(name "() has " FNR - start + 1 " lines; 100 is the limit")
    start = at = 0
}
END { exit rc }
