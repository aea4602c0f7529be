# awk -f includes.awk layers.txt FILE...: checks every #include of FILE against layers.txt.
function base(p,    whole) {
    sub(/.*\//, "", p); sub(/\.[ch]$/, "", p)
    whole = p
    while (!(p in level))
        if (!sub(/_[a-z0-9]+$/, "", p)) return whole
    return p
}
function bad(msg) { printf "%s:%d: %s\n", FILENAME, FNR, msg; rc = 1 }
# Is A (a path or a name) denied B? Rules name folders ("handlers/") or single files ("grants").
function denied(a, b,    i) {
    for (i = 1; i <= rules; i++)
        if (matches(a, who[i]) && matches(b, whom[i])) return 1
    return 0
}
function matches(path, rule) {
    return rule ~ /\/$/ ? index(path, rule) == 1 : base(path) == rule
}
FILENAME == ARGV[1] {
    if ($0 ~ /^#/ || NF == 0) next
    for (i = 3; i <= NF; i++) {
        if ($1 == "level") level[$i] = $2 + 0
        if ($1 == "deny") { who[++rules] = $2; whom[rules] = $i }
        if ($1 == "only") owner[$2] = $i
    }
    next
}
FNR == 1 && !(base(FILENAME) in level) { bad("has no level in layers.txt") }
/^#[ \t]*include[ \t]+"/ {
    split($0, q, "\""); a = base(FILENAME); b = base(q[2])
    if (q[2] !~ /\//) bad("include by the path from the top: \"" q[2] "\"")
    if (!(b in level)) bad(b " has no level in layers.txt")
    else if (a != b && (level[b] >= level[a] || denied(FILENAME, q[2])))
        bad(a " (level " level[a] ") may not include " b " (level " level[b] ")")
}
/^#[ \t]*include[ \t]+</ {
    split($0, q, /[<>]/)
    for (lib in owner)
        if ((lib ~ /\/$/ ? index(q[2], lib) == 1 : q[2] == lib) && owner[lib] != base(FILENAME))
            bad(q[2] " belongs to " owner[lib])
}
END { exit rc }
