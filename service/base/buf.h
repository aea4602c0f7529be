/*
 * buf: growing memory with a compulsory cap, text views, an arena, and the allocation that may not
 * fail. Anything whose size comes from outside goes through struct buf; what lives as long as one
 * order or one request goes through an arena; small fixed things through x_alloc.
 * Does no I/O. An object belongs to one thread at a time.
 */
#pragma once

#include "service/base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A borrowed piece of text; may hold NUL bytes, is not NUL-terminated; p may be NULL if n is 0. */
struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
/* The same as an initialiser, for static tables. */
#define STR_INIT(literal)                                                                          \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }
/* printf("%.*s", STR_FMT(s)) */
#define STR_FMT(s) (int)(s).n, (s).p

/* View of a C string; NULL gives the empty view. */
static inline struct str str_of(const char *z)
{
    return (struct str){z, z ? strlen(z) : 0};
}

/* The same bytes. */
bool str_eq(struct str a, struct str b);
/* Below, at or above 0 as the bytes of A stand before B's, are B's, or stand behind them. */
int str_compare(struct str a, struct str b);
/* Compares ASCII letters without regard to case. */
bool str_eq_nocase(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
/* Without leading and trailing ASCII white space. */
struct str str_trim(struct str s);
/* Cuts *REST at the first SEP: returns what is before it and leaves what is after it in *REST; at
 * the end returns the rest and leaves {NULL, 0}. Loop while (rest.p). */
struct str str_split(struct str *rest, char sep);
/* Decimal integer, optional leading '-', nothing else. False: not a number or out of range. */
bool str_int64(struct str s, int64_t *out) MUST_CHECK;

/* Length of the well-formed UTF-8 character at the start of S (1 to 4), or 0: empty, or not UTF-8
 * (overlong forms, surrogates and values over U+10FFFF are not). */
size_t str_utf8(struct str s);
/* The longest start of S of at most MAX bytes that does not cut a UTF-8 character. */
struct str str_cut(struct str s, size_t max);

/* Growing bytes. Always NUL-terminated behind `n` once anything was appended. Must be given its cap
 * with buf_init (or BUF_CAP) before use; {0} is valid for buf_free only. */
struct buf {
    char *p;
    size_t n;
    size_t room;
    size_t cap;
    bool failed; /* an append did not fit; stays until buf_reset */
};

#define BUF_CAP(limit) ((struct buf){.cap = (limit)})

/* An empty object that may hold CAP bytes. Allocates nothing yet. */
void buf_init(struct buf *b, size_t cap);
/* Frees and leaves an empty object with the same cap. NULL-safe. */
void buf_free(struct buf *b);
/* Frees after wiping the memory: for secrets. */
void buf_free_secret(struct buf *b);
/* Empties without freeing. */
void buf_reset(struct buf *b);
/* Each append adds all or nothing. After a failure `failed` is set and every further append is
 * refused, so that a chain of appends may be checked once at its end with buf_check. */
void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_add_str(struct buf *b, struct str s);
void buf_addz(struct buf *b, const char *z);
void buf_addc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
/* S as a JSON string, quotes included; what is not UTF-8 becomes U+FFFD. */
void buf_add_quoted(struct buf *b, struct str s);
/* S percent-encoded for a query or a form: letters, digits and -._~ stay. */
void buf_add_percent(struct buf *b, struct str s);
/* Makes room for N more bytes and returns where they go, or NULL (failed is set). The caller then
 * calls buf_added with how many it wrote. */
char *buf_reserve(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);
/* ERR_OK, or ERR_TOO_BIG when an append did not fit. */
enum err buf_check(const struct buf *b) MUST_CHECK;
static inline struct str buf_str(const struct buf *b)
{
    return (struct str){b->p, b->n};
}
/* The bytes as a C string: "" when empty. Borrowed. */
static inline const char *buf_z(const struct buf *b)
{
    return b->p ? b->p : "";
}

/* Memory that ends as a whole. {0} is a valid empty arena. Blocks of 4 KiB and more; zeroed. Ends
 * the process when there is no memory: what is put into it has been capped before. */
struct arena {
    struct arena_block *head;
    size_t total;
};

/* N zeroed bytes, aligned for anything. */
void *arena_alloc(struct arena *a, size_t n);
/* N elements of SIZE; checked multiplication (ends the process on overflow). */
void *arena_array(struct arena *a, size_t n, size_t size);
/* Copy of S with a NUL behind it. */
struct str arena_str(struct arena *a, struct str s);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);
void arena_free(struct arena *a);
/* The same after wiping the memory: for secrets. */
void arena_free_secret(struct arena *a);

/* Zeroed memory that is always there: without memory the process writes one log-shaped line to
 * stderr and aborts (jobs are leased, nothing is lost). Free with x_free. */
void *x_alloc(size_t n);
char *x_strdup(const char *z);
void x_free(void *p);
/* Ends the process at once with one log-shaped line: for what leaves nothing sensible to do. Both
 * texts are literals without anything to escape. */
void x_die(const char *event, const char *message) NORETURN;
