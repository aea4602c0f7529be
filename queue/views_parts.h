/*
 * views_parts: what the files of views share: the state of connections, keys, times, and small
 * pieces of JSON. For views*.c alone.
 * Functions take a connection, so any thread with one of its own may call them.
 */
#pragma once

#include "queue/rds.h"
#include "queue/views.h"
#include "service/base/json.h"
#include "service/sync/catalogue.h"

/* Rows that one call may look at. */
#define VIEW_SCAN 20000

/* One connection at one moment of Redis' clock. */
struct view_conn {
    struct str name, status, why; /* status "" : there is no such connection */
    int64_t not_before_ms, now_ms;
    int64_t day_ends_ms; /* when the day's calls are used up: until when; 0 while some are left */
    bool day_by_hand;    /* but some are left for exports by hand */
};

/* Why a connection exports nothing at the moment. */
struct view_hold {
    const char *id; /* row of the catalogue */
    const char *sentence, *action;
    int64_t until_ms; /* 0: until somebody acts */
    bool not_by_hand; /* exports by hand go on */
};

/* Commands of one round trip and their replies. */
struct view_batch {
    struct rds *r;
    struct arena arena;
    struct rds_command *commands;
    struct rds_reply **replies;
    size_t n, room;
};
/* Room for up to ROOM commands. */
void view_batch_init(struct view_batch *b, struct rds *r, size_t room);
/* Adds a command of N words, the key being the second: it gets the prefix and is LIST:NAME. Words
 * are borrowed until the end of the batch. */
void view_ask(struct view_batch *b, const char *list, struct str name, const struct str *words,
              size_t n);
/* Sends what was added, if anything. */
enum err view_send(struct view_batch *b, struct errinfo *info) MUST_CHECK;
void view_batch_free(struct view_batch *b);

/* The connections NAMES as they are, in one round trip. Texts live in ARENA. */
enum err view_conns(struct rds *r, const struct str *names, size_t n, struct arena *arena,
                    struct view_conn **out, struct errinfo *info) MUST_CHECK;
/* Whether C holds its orders back, and why. */
bool view_held(const struct view_conn *c, struct arena *arena, struct view_hold *out);
/* Whether a store's lane of orders to be read is held at NOW_MS, until NOT_BEFORE_MS and because of
 * WHY ("": it only waits for its turn). Texts live in ARENA. */
bool view_shop_held(int64_t not_before_ms, struct str why, int64_t now_ms, struct arena *arena,
                    struct view_hold *out);
/* "sentence action" as one text. */
const char *view_hold_text(const struct view_hold *h, struct arena *arena);

/* What is to be read from one store's shop. Items that begin with '*' are tasks, not orders. */
struct view_reads {
    struct str store, connection;
    int64_t asked, later; /* orders that were asked for, and that may wait */
    struct str *leased;   /* what is being read, as keys of orders */
    size_t leased_count;
    bool over;         /* its lease has ended: it waits for the next worker */
    int64_t oldest_ms; /* since when the order in front waits; 0 none */
    bool held;
    struct view_hold hold;
};
/* What stores of CONNECTION ("" any) have to read at NOW_MS, by connection and store, in three
 * round trips; *OUT lives in ARENA. */
enum err view_reads(struct rds *r, struct str connection, int64_t now_ms, struct arena *arena,
                    struct view_reads **out, size_t *n, struct errinfo *info) MUST_CHECK;
/* Whether ITEM, or the key of an order that it would be, is a task of a lane. */
bool view_is_task(struct str item);

/* "shopify/x" of "shopify/x/1". */
struct str view_store_of(struct str order);
bool view_of_store(const struct view_filter *f, struct str order);
/* The connections a page is about. */
void view_connections(const struct view_page *p, const struct str **names, size_t *n);

/* Key and RFC 3339 text of Unix ms; null for 0. */
void view_time(struct js_out *w, const char *key, int64_t at_ms);
/* Key and text; null where it is empty. */
void view_text(struct js_out *w, const char *key, struct str s);
/* id, connection, store, order: how rows of all lists begin. */
void view_row_head(struct js_out *w, struct str connection, struct str order);
/* Xero's page of an invoice in ARENA; NULL without an id. */
const char *view_invoice_link(struct str id, struct arena *arena);
/* The same of a credit note, whose id is not empty. */
const char *view_note_link(struct str id, struct arena *arena);
/* S with every e-mail address in it replaced by "(e-mail)", in ARENA; S itself if it has none. */
struct str view_without_mail(struct str s, struct arena *arena);
/* S with ASCII and Latin-1 letters small (or, with UPPER, those of Latin-1 large), in ARENA. */
struct str view_fold(struct str s, bool upper, struct arena *arena);
