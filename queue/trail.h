/*
 * trail: what people see of the queue: an order's trail, the failed list and its groups, the
 * connection log. Owns their reading; they are written inside the scripts of jobs, in the same step
 * as what they tell of. All bounded.
 * Functions take a connection, so any thread with one of its own may call them.
 */
#pragma once

#include "queue/rds.h"
#include <stdbool.h>
#include <stdint.h>

/* The opaque id of a failed row: connection and order key. */
void trl_row_id(struct str connection, struct str order_key, struct buf *out);
/* Back; false if ID is none. CONNECTION and ORDER_KEY point into STORE. */
bool trl_row_id_read(struct str id, struct buf *store, struct str *connection,
                     struct str *order_key) MUST_CHECK;

/* Filter of the failed list; {NULL,0} = any. Q: literal, case-insensitive, in item, error and order;
 * ERROR: a catalogue id. */
struct trl_filter {
    struct str connection, store, q, error;
};

/* One page as the API shows it: appends {"count":n,"rows":[...],"cursor":...}. CURSOR is opaque, from
 * an earlier page or {NULL,0}. CONNECTIONS: all names, used when the filter names none. ERR_RANGE: not
 * a cursor of ours. */
enum err trl_failed_page(struct rds *r, const struct trl_filter *f, const struct str *connections,
                         size_t connection_count, struct str cursor, int64_t limit, struct buf *out,
                         struct errinfo *info) MUST_CHECK;
/* The next up to N order keys of one connection's failed list that match F, in the order of the list,
 * behind AFTER ({NULL,0}: from its start); keys live in ARENA. For "all" in chunks. */
enum err trl_failed_keys(struct rds *r, struct str connection, const struct trl_filter *f,
                         struct str after, size_t n, struct arena *arena, struct str *keys,
                         size_t *count, struct errinfo *info) MUST_CHECK;
/* How many rows a connection's failed list has. */
enum err trl_failed_count(struct rds *r, struct str connection, int64_t *count,
                          struct errinfo *info) MUST_CHECK;
