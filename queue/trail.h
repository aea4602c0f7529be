/*
 * trail: what people see of the queue: an order's trail, the failed list and its groups, the
 * connection log. Owns their reading; they are written inside the scripts of jobs, in the same step
 * as what they tell of. All bounded.
 * Functions take a connection, so any thread with one of its own may call them.
 */
#pragma once

#include "queue/rds.h"
#include "service/base/limits.h"
#include <stdbool.h>
#include <stdint.h>

/* The opaque id of a failed row: connection and order key. */
void trl_row_id(struct str connection, struct str order_key, struct buf *out);
/* Back; false if ID is none. CONNECTION and ORDER_KEY point into STORE. */
bool trl_row_id_read(struct str id, struct buf *store, struct str *connection,
                     struct str *order_key) MUST_CHECK;

/* Filter of the failed list; empty = any. STORE: "shopify/x"; Q: literal, ASCII letters without
 * regard to case, in item, errors and order key; ERROR: the id of a catalogue row. */
struct trl_filter {
    struct str connection, store, q, error;
};

/* One page as the API shows it, newest first: appends {"count":n,"rows":[...],"cursor":...}. CURSOR
 * is opaque, from an earlier page or {NULL,0}. CONNECTIONS: all names, used when the filter names
 * none. Under a filter a page looks at 20,000 rows at most: it may have fewer rows than LIMIT and
 * still a cursor, and its count is of what was seen so far. ERR_RANGE: not a cursor of ours. */
enum err trl_failed_page(struct rds *r, const struct trl_filter *f, const struct str *connections,
                         size_t connection_count, struct str cursor, int64_t limit, struct buf *out,
                         struct errinfo *info) MUST_CHECK;
/* Where a walk down one connection's failed list stands; {0} is its start. */
struct trl_walk {
    bool begun;
    int64_t at_ms;
    char order[LIM_ORDER_KEY + 1];
};
/* The next up to N order keys that match F, newest first; keys live in ARENA. Goes on where it was
 * even if all it gave has left the list since; what fails meanwhile is newer than the walk's start
 * and is not met. *COUNT 0: the end. For "all" in chunks. */
enum err trl_failed_next(struct rds *r, struct str connection, const struct trl_filter *f,
                         struct trl_walk *at, size_t n, struct arena *arena, struct str *keys,
                         size_t *count, struct errinfo *info) MUST_CHECK;
/* Writes a line for people into a connection's log. LEVEL is "error" or "info"; STORE_KEY is
 * "shopify/x"; MESSAGE has no secret and nothing of a buyer in it. */
enum err trl_note(struct rds *r, const char *connection, const char *level, const char *store_key,
                  const char *event, struct str message, struct errinfo *info) MUST_CHECK;
