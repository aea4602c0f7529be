/*
 * scripts: the Lua scripts of queue/scripts/, embedded by the build. Each .lua file states its
 * KEYS, ARGV, what it returns and why it may be sent twice. The SHA1 is the one Redis gives the
 * script.
 */
#pragma once

#include <stddef.h>

struct script {
    const char *name; /* file name without .lua */
    const char *sha1; /* 40 hex digits */
    const char *text;
    size_t size;
};

/* Ends with a row whose name is NULL. */
extern const struct script lua_scripts[];
