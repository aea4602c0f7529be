/*
 * views: what people see of the queue besides the failed list: what waits and why, what was
 * exported, the connection log, the failures by cause, a task, and the explanation of one order.
 * Owns their reading and their JSON; changes nothing. Everything is bounded: one call looks at
 * 20,000 rows at most and then gives a cursor. Trails and the log show no e-mail address.
 * Functions take a connection, so any thread with one of its own may call them.
 */
#pragma once

#include "queue/rds.h"
#include <stdbool.h>
#include <stdint.h>

/* Empty = any. STORE: "shopify/x". */
struct view_filter {
    struct str connection, store;
};

/* One page of a list, as asked for. CONNECTIONS: all names, used when the filter names none.
 * CURSOR: opaque, of an earlier page of the same list, or {NULL,0}. */
struct view_page {
    struct view_filter filter;
    const struct str *connections;
    size_t connection_count;
    struct str cursor;
    int64_t limit;
};

/* Each appends one JSON object to OUT. ERR_RANGE: not a cursor of this list. */

/* What is exported at the moment, then what waits, connection by connection, with counts of all. */
enum err view_queue(struct rds *r, const struct view_page *asked, struct buf *out,
                    struct errinfo *info) MUST_CHECK;
/* How many orders wait to be read from the shops of a connection. */
struct view_unread {
    struct str connection;
    int64_t orders;
};
/* Of CONNECTION ("" all) those that have any, sorted by name; *OUT lives in ARENA. */
enum err view_unread(struct rds *r, struct str connection, struct arena *arena,
                     struct view_unread **out, size_t *n, struct errinfo *info) MUST_CHECK;
/* What was exported, newest first. */
enum err view_synced(struct rds *r, const struct view_page *asked, struct buf *out,
                     struct errinfo *info) MUST_CHECK;
/* The connection log of the last 7 days, newest first. LEVEL "error", "info" or empty; Q: literal,
 * letters without regard to case, in message, event, order and store. */
enum err view_log(struct rds *r, const struct view_page *asked, struct str level, struct str q,
                  struct buf *out, struct errinfo *info) MUST_CHECK;
/* Failures by root cause, the most frequent first. Under a store they are counted row by row. */
enum err view_groups(struct rds *r, const struct view_page *asked, struct buf *out,
                     struct errinfo *info) MUST_CHECK;
/* A task: kind, status and result. ERR_NOT_FOUND. */
enum err view_task(struct rds *r, struct str id, struct buf *out, struct errinfo *info) MUST_CHECK;
/* Where the order of KEY ("shopify/x/1") stands, why, what to do, and its trail; one that never
 * came has the status never_received. */
enum err view_order(struct rds *r, struct str key, struct buf *out,
                    struct errinfo *info) MUST_CHECK;
/* The orders of that name in STORES ("shopify/x"), without their trails, by store and id. NAME with
 * or without "#", letters without regard to case. */
enum err view_named(struct rds *r, struct str name, const struct str *stores, size_t n,
                    struct str cursor, int64_t limit, struct buf *out,
                    struct errinfo *info) MUST_CHECK;
