/*
 * log: one JSON object a line on stderr (or plain text with LH_LOG_FORMAT=text).
 * Owns level, format and the thread's context (connection, store, order, trace id). Redacts: a
 * field added as secret prints "***"; values are cut at 1,000 bytes. Never give it a body, a token,
 * a name of a buyer, an e-mail or an address. Keeps errno.
 * Every function may be called from any thread; the context is the calling thread's own.
 */
#pragma once

#include "service/base/buf.h"
#include "service/base/err.h"
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Called once by main before other threads start. Defaults: info, JSON. */
void log_setup(enum log_level level, bool json, const char *program);
/* "debug", "info", "warn", "error" -> level; false for anything else. */
bool log_level_parse(struct str s, enum log_level *out) MUST_CHECK;

/* Whose the next lines of this thread are; NULL clears a field. Texts are copied, cut at 320. */
void log_ctx_set(const char *connection, const char *store, const char *order, const char *trace);
void log_ctx_clear(void);

enum log_kind { LOG_K_TEXT, LOG_K_INT, LOG_K_SECRET };

struct log_field {
    const char *name;
    enum log_kind kind;
    struct str text;
    int64_t num;
};

#define LOG_STR(name, s) ((struct log_field){(name), LOG_K_TEXT, (s), 0})
#define LOG_Z(name, z) ((struct log_field){(name), LOG_K_TEXT, str_of(z), 0})
#define LOG_INT(name, i) ((struct log_field){(name), LOG_K_INT, {NULL, 0}, (int64_t)(i)})
#define LOG_SECRET(name) ((struct log_field){(name), LOG_K_SECRET, {NULL, 0}, 0})

/* Writes one line: EVENT is a fixed lower_case name, MESSAGE a sentence for people (may be NULL).
 * One write(2) a line, so lines of several threads never mix. */
void log_write(enum log_level level, const char *event, const char *message,
               const struct log_field *fields, size_t n);

#define log_event(level, event, message, ...)                                                      \
    log_write((level), (event), (message), (const struct log_field[]){__VA_ARGS__},                \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
#define log_debug(event, message, ...) log_event(LOG_DEBUG, (event), (message), __VA_ARGS__)
#define log_info(event, message, ...) log_event(LOG_INFO, (event), (message), __VA_ARGS__)
#define log_warn(event, message, ...) log_event(LOG_WARN, (event), (message), __VA_ARGS__)
#define log_error(event, message, ...) log_event(LOG_ERROR, (event), (message), __VA_ARGS__)

/* For lines that can repeat: at most one in EVERY_MS. Returns true when the caller may log and then
 * puts into *DROPPED how many were held back since. {0} is a valid start; threads may share it. */
struct log_rate {
    _Atomic int64_t last_ms;
    _Atomic int64_t dropped;
};
bool log_rate_ok(struct log_rate *rate, int64_t every_ms, int64_t *dropped) MUST_CHECK;
