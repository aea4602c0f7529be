/*
 * err: the one set of error codes, their sentences, and the attributes every header uses.
 * An error has a code to switch on and, in the caller's `struct errinfo`, a sentence for people.
 * Deep code returns and fills in; only the place that decides what to do logs.
 * No state: everything here may be called from any thread.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define NORETURN __attribute__((noreturn))

/* name, sentence. The sentence says what kind of thing went wrong, without the detail. */
#define ERR_LIST(X)                                                                                \
    X(ERR_OK, "no error")                                                                          \
    X(ERR_NOMEM, "out of memory")                                                                  \
    X(ERR_TOO_BIG, "larger than its limit")                                                        \
    X(ERR_SYNTAX, "not well formed")                                                               \
    X(ERR_MISSING, "a needed field is missing")                                                    \
    X(ERR_TYPE, "a field has the wrong type")                                                      \
    X(ERR_RANGE, "a value is out of range")                                                        \
    X(ERR_OVERFLOW, "an amount does not fit")                                                      \
    X(ERR_CURRENCY, "amounts of different currencies")                                             \
    X(ERR_NOT_FOUND, "not found")                                                                  \
    X(ERR_EXISTS, "exists already")                                                                \
    X(ERR_DENIED, "not permitted")                                                                 \
    X(ERR_CONFLICT, "in conflict with the present state")                                          \
    X(ERR_CRYPTO, "cannot be decrypted or verified")                                               \
    X(ERR_CONFIG, "configuration is not usable")                                                   \
    X(ERR_IO, "input or output failed")                                                            \
    X(ERR_TIMEOUT, "took too long")                                                                \
    X(ERR_UNREACHABLE, "cannot be reached")                                                        \
    X(ERR_REDIS, "Redis refused")                                                                  \
    X(ERR_REDIS_FULL, "Redis is full")                                                             \
    X(ERR_REMOTE, "the other side refused")                                                        \
    X(ERR_LOST, "the lease is no longer ours")                                                     \
    X(ERR_STOPPED, "stopping")                                                                     \
    X(ERR_UNSUPPORTED, "not supported")                                                            \
    X(ERR_INTERNAL, "a fault of this program")

enum err {
#define ERR_ENUM(name, sentence) name,
    ERR_LIST(ERR_ENUM)
#undef ERR_ENUM
        ERR_COUNT
};

/* The detail of one failure, in one or two full sentences: what, where, what to do. Always
 * NUL-terminated, cut with "..." when too long. {0} is a valid empty one. */
struct errinfo {
    char text[400];
};

/* The sentence of CODE; never NULL, also for a number that is no code. */
const char *err_text(enum err code);

/* Writes the detail into INFO (NULL allowed) and returns CODE, so that a check reads
 * `return err_set(info, ERR_RANGE, "...")`. errno is left as it was. */
enum err err_set(struct errinfo *info, enum err code, const char *fmt, ...) PRINTF(3, 4);

/* Like err_set, from a va_list. */
enum err err_vset(struct errinfo *info, enum err code, const char *fmt, va_list ap) PRINTF(3, 0);

/* Puts "CONTEXT: " in front of the detail and returns CODE. */
enum err err_prefix(struct errinfo *info, enum err code, const char *fmt, ...) PRINTF(3, 4);

/* For the few results that need no look; WHY is for the reader. */
static inline void err_ignore(enum err code, const char *why)
{
    (void)code;
    (void)why;
}
