/*
 * fetch: the lanes on which orders are read from shops: one a store, apart from the connections'
 * lanes, so that neither ever waits for the other. Owns what waits to be read, the one lease a
 * store that reads it, the store's bucket of calls over all workers, and where its reconciliation
 * stands; every move is one script of queue/scripts/. Makes no call and knows no shop.
 * Functions take a connection, so any thread with one of its own may call them.
 *
 * Keys, by store S ("amazon/A1"):
 *   fetchdue        S -> earliest time worth a try       fetchwake   doorbell
 *   fetchwatch      the time that one thread waits for, and which
 *   fetch:S         order ids asked for -> time due      fetchlater:S   what may wait
 *   fetchfirst:S    what somebody waits for: goes before all
 *   fetchlease:S    token -> its end                     fetchbatch:S:<token>   item -> its place
 *   fetchstate:S    item -> what a worker is to be told  fetchdied:S   item -> deaths alone
 *   fetchtries:S    order -> tries at which its shop failed at it alone
 *   fetchtasks:S    items of tasks that are not over: what in fetchlater:S is no order
 *   seller:S        of each kind of call its bucket (rate, burst, tokens, at, need); nb, why, down,
 *                   turn, mended
 */
#pragma once

#include "queue/rds.h"
#include "service/base/limits.h"
#include <stdbool.h>
#include <stdint.h>

/* Items that are no order begin with '*'. */
#define FET_RECONCILE "*reconcile"
#define FET_BACKFILL "*backfill:" /* and the task's id */
#define FET_CHECK "*check:"       /* the same */

/* The state of an order that is exported by hand once it is read: this, ':' and who asked. AGAIN:
 * with another invoice if its own was voided in Xero. */
#define FET_EXPORT "export"
#define FET_EXPORT_AGAIN "again"

/* The state of an order that is read because what is stored of it, or came, lacks something. WHOLE:
 * nothing of it can be used; PARTS: it stands as it is if the shop gives no more. */
#define FET_WHOLE "whole"
#define FET_PARTS "parts"

/* One thing to do: read an order by its id in the shop, or what FET_... names. */
struct fet_item {
    struct str id;
    struct str state; /* what was kept for it; "" nothing */
};

struct fet_lease {
    char store[LIM_STORE_ID + 20]; /* "amazon/A1" */
    char token[37];
    int64_t until_ms; /* monotonic ms at which it ends, seen from here */
    int64_t failures; /* of the shop's present outage */
    struct fet_item *items;
    size_t count;
    struct arena arena; /* private */
};

/* Takes the store whose turn it is and up to MAX of its orders, no more than it has calls for, or
 * one other item: a check goes before them, the others behind. ERR_NOT_FOUND: nothing to do for
 * *WAIT_MS (at most 5,000; the wake key tells earlier). WHO names the thread that asks: only one is
 * told when the next store's time comes. Free with fet_lease_free. */
enum err fet_lease(struct rds *r, const char *who, int64_t lease_ms, int max, struct fet_lease *out,
                   int64_t *wait_ms, struct errinfo *info) MUST_CHECK;
void fet_lease_free(struct fet_lease *l);
/* The list to wait on for work (rds_wait_list). */
const char *fet_wake_key(void);

/* Kinds of calls, each with a bucket of its own. Shopify counts points of one bucket. */
#define FET_ORDER "order"
#define FET_SEARCH "search"
#define FET_COST "cost"

/* What a shop said of its limits; texts as it wrote them, "" unknown. KIND NULL: nothing. */
struct fet_said {
    const char *kind;
    char rate[24], burst[24], left[24]; /* a second, at once, left now */
};

enum fet_permit { FET_GO, FET_WAIT, FET_LOST };

/* Before every call: takes COST of KIND from the store's bucket and extends the lease. SAID (may be
 * NULL): of the call before. FET_WAIT: not for *WAIT_MS. Who waits asks again before the lease
 * ends; else what is left goes back by fet_done, and nothing of the kind is leased before its
 * bucket has COST. FET_LOST: the lease is another's, or the store was deleted. */
enum err fet_permit(struct rds *r, struct fet_lease *l, int64_t lease_ms, const char *kind,
                    int64_t cost, const struct fet_said *said, enum fet_permit *permit,
                    int64_t *wait_ms, struct errinfo *info) MUST_CHECK;

/* After FET_LOST or ERR_LOST: whoever held L lives, so none of its items has killed a worker. */
enum err fet_alive(struct rds *r, const struct fet_lease *l, struct errinfo *info) MUST_CHECK;

/* Counts a try at which the shop failed at ITEM while it gave others; *TRIES: since it was asked
 * for, 0 if L is over. Forgotten when it is read. */
enum err fet_tried(struct rds *r, const struct fet_lease *l, const struct fet_item *item,
                   int64_t *tries, struct errinfo *info) MUST_CHECK;

enum fet_outcome {
    FET_DONE,  /* read, or nothing to read; of a task: its end */
    FET_AGAIN, /* after delay_ms */
    FET_FAILED /* of a task: it fails with RESULT */
};

struct fet_report {
    struct str item;
    enum fet_outcome outcome;
    int64_t delay_ms;
    struct str state;    /* FET_AGAIN: kept for the next time; "" keeps what there is */
    struct str progress; /* of a task: JSON; "" as it was */
    struct str result;   /* the same, at its end */
};

/* How a lease ends. */
struct fet_end {
    int64_t hold_ms; /* > 0: the store is left alone so long, because of WHY (logged; "" is not);
                        else it is let go */
    bool refused;    /* the hold is since the store's token, or its want, was refused: counts only
                        if there is no other token meanwhile */
    const char *why;
    const struct fet_said *said;
    struct str reconciled_to; /* new; "" stays */
    const struct fet_report *reports;
    size_t count;
};
/* Ends the lease; what no report names goes back to its place. ERR_LOST: it was another's
 * already. */
enum err fet_done(struct rds *r, const struct fet_lease *l, const struct fet_end *end,
                  struct errinfo *info) MUST_CHECK;

/* Asks for order ID of STORE_KEY. STATE: for the worker, "" none. LATER: it may wait behind what
 * was asked for otherwise. ERR_NOT_FOUND: no such store. May be repeated. */
enum err fet_ask(struct rds *r, const char *store_key, struct str id, struct str state, bool later,
                 struct errinfo *info) MUST_CHECK;
/* Where an order stands on its store's lane. */
enum fet_place { FET_NOWHERE, FET_NO_STORE, FET_READING, FET_ASKED, FET_LATER };
struct fet_where {
    struct str store, id; /* in: "amazon/A1", and the order's id in the shop */
    enum fet_place place;
    int64_t due_ms;        /* Unix ms from which it is due; 0 unknown */
    int64_t not_before_ms; /* Unix ms until which the lane is held; 0 none */
    struct str why;        /* it is held, in ARENA; "" nobody needs to know */
};
/* Fills in where each of N orders stands. */
enum err fet_where(struct rds *r, struct fet_where *orders, size_t n, struct arena *arena,
                   struct errinfo *info) MUST_CHECK;
/* Whether order ID of STORE_KEY was asked for and not read yet. */
enum err fet_waits(struct rds *r, const char *store_key, struct str id, bool *waits,
                   struct errinfo *info) MUST_CHECK;
/* What held the store's lane is mended. */
enum err fet_release(struct rds *r, const char *store_key, struct errinfo *info) MUST_CHECK;
/* Until when a store is reconciled, as fet_done stored it, in ARENA; "" never. */
enum err fet_reconciled_to(struct rds *r, const char *store_key, struct arena *arena,
                           struct str *out, struct errinfo *info) MUST_CHECK;

/* Upkeep; takes a lock, so any worker may call it as often as it likes. RECONCILE: stores with a
 * token are to be reconciled. *REPAIRS: lanes that were missing from the due set. */
enum err fet_sweep(struct rds *r, bool reconcile, int64_t *repairs,
                   struct errinfo *info) MUST_CHECK;

/* A "backfill" or a "check" (KIND) of STORE_KEY as a task, whose id ID gets: INPUT (JSON) goes to
 * the worker, and is the item's first state. A check is made at once also where the shop's last
 * refusal holds the store. ERR_NOT_FOUND: no such store. */
enum err fet_task_add(struct rds *r, const char *kind, const char *store_key, struct str input,
                      const char *who, char id[37], struct errinfo *info) MUST_CHECK;
/* WHAT: "pause", "resume" or "cancel". May be repeated. ERR_NOT_FOUND: no such task; ERR_CONFLICT:
 * it is of another kind, or has ended. */
enum err fet_task_set(struct rds *r, const char *id, const char *what, const char *who,
                      struct errinfo *info) MUST_CHECK;
