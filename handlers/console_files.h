/*
 * console_files: the console's files as they lie in handlers/console/, embedded by the build.
 * Owns nothing else; who serves them, and under which headers, is pages' business.
 * Constant data: may be read from any thread.
 */
#pragma once

#include <stddef.h>

struct console_file {
    const char *path; /* "/index.html": a slash and the file's name */
    const char *type; /* the value of Content-Type */
    const unsigned char *bytes;
    size_t size;
    const char *sha; /* SHA-256 of the bytes in hex: fit for an ETag */
};

/* Sorted by path; ends with an element whose path is NULL. */
extern const struct console_file console_files[];
