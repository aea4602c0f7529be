/*
 * walk: goes through lists of several connections as if they were one, newest first, and the opaque
 * cursors by which a reader comes back to its place. Owns how such lists are read in windows; does
 * not know what their rows mean. A list is a sorted set by time (`failed:C`, `synced:C`) or a
 * stream (`log:C`).
 * A walk belongs to one thread.
 */
#pragma once

#include "queue/rds.h"
#include "service/base/limits.h"
#include <stdbool.h>
#include <stdint.h>

/* DESIGN. A place is the last row taken (time, member, connection), never a rank, so rows that come
 * and go meanwhile move nothing. Of one instant the greater member comes first, then the smaller
 * connection. */
struct wlk_place {
    bool set; /* false: the start */
    int64_t at_ms;
    char member[LIM_ORDER_KEY + 1];
    char connection[LIM_CONN_NAME + 1];
};

struct wlk_row {
    struct str connection, member; /* an order's key, or a stream's id */
    int64_t at_ms;
    const struct rds_reply *fields; /* of a stream's entry: until the next wlk_next */
};

struct wlk_lane;
struct wlk {
    struct rds *r;
    bool stream;
    bool begun;
    int64_t since_ms; /* rows older than this are not met */
    size_t window;
    struct wlk_lane *lanes;
    size_t n;
    struct arena arena;
};

/* Over the lists LIST:<connection> ("failed", "synced": sorted sets; "log": streams) from behind
 * FROM back to SINCE_MS. CONNECTIONS and R are borrowed. Reads nothing yet. */
void wlk_init(struct wlk *w, struct rds *r, const char *list, bool stream,
              const struct str *connections, size_t n, const struct wlk_place *from,
              int64_t since_ms);
void wlk_free(struct wlk *w);
/* The next row of all lists, its member copied into ARENA; *FOUND false at the end. The first call
 * reads all lists in one round trip. */
enum err wlk_next(struct wlk *w, struct arena *arena, struct wlk_row *out, bool *found,
                  struct errinfo *info) MUST_CHECK;
/* P becomes the place of ROW. */
void wlk_place_at(struct wlk_place *p, const struct wlk_row *row);

/* A place of LIST as a cursor, with how many rows were counted up to it, and back: false if it is
 * no cursor of that list. */
void wlk_cursor(const char *list, const struct wlk_place *at, int64_t seen, struct buf *out);
bool wlk_cursor_read(struct str cursor, const char *list, struct wlk_place *at,
                     int64_t *seen) MUST_CHECK;

/* Bytes as text that needs no escaping in a URL, and back: false for text that is none, or too
 * long. OUT is appended to. */
void wlk_opaque(struct str bytes, struct buf *out);
bool wlk_opaque_read(struct str text, struct buf *out) MUST_CHECK;
