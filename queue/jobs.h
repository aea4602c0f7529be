/*
 * jobs: the queue. An order that Xero has yet to match is a job; what waits in Redis is the order's
 * key, its newest snapshot and its revision, never a message. Owns the order's record, snapshots
 * (and libzstd), leases, permits and the moves between waiting, leased, failed and done; every move
 * is one script of queue/scripts/. Decides nothing about business and knows no Xero call.
 * Functions take a connection, so any thread with one of its own may call them.
 *
 * The record `order:<O>`, a hash, never expires. Its fields (format 1; adding one is compatible,
 * changing one's meaning needs a new format):
 *   conn    connection it is queued on       name, link  as shown to people
 *   st      waiting leased failed dismissed done skipped kept
 *   rev     counts decisions to export      drev    revision that was last exported whole
 *   on      0/1, the import stamp           snap    stamp of the stored snapshot (ord_stamp)
 *   dlv     last 16 delivery hashes, 8 bytes each
 *   reason  code of the last decision       paid    day it was first seen paid
 *   tok     lease token while leased        byhand  1: exported by hand
 *   att     attempts that failed            dth     deaths of workers while leased alone
 *   sus     largest batch it may be in      lines   1: its lines may change at the next export
 *   ff      when it first failed            fg      its group on the failed list
 *   wh      hash of what failed             dis     hash of what was dismissed
 *   inx     tenant that holds its invoice      wt      since when it waits, ms
 *   gone    1: deleted in the shop
 *   doubt   1: a call's outcome was never learnt: look before anything is sent
 *   again   1: another invoice is wanted in place of one that was voided in Xero, until exported
 *   pend    1: stored data that no decision to export has covered yet
 *   doc:<d> a document in Xero as JSON: doc:invoice, doc:A1 (a further invoice), doc:C1, doc:R<id>
 *           (credit notes), doc:pay:<mark>, doc:alloc:<mark>; with an empty id, and doc:upd:<d>: it
 *           is not known whether a call made or changed it; doc:split: how long to wait for a split
 */
#pragma once

#include "queue/rds.h"
#include "service/sync/order.h"
#include "service/sync/rules.h"
#include <stdbool.h>
#include <stdint.h>

/* "shopify/<store>/<id>" into OUT. ERR_TOO_BIG. */
enum err job_order_key(struct str platform, struct str store, struct str id,
                       char out[LIM_ORDER_KEY + 1]) MUST_CHECK;
/* The parts of an order key, borrowed. False if it is none. */
bool job_order_key_split(struct str key, struct str *platform, struct str *store,
                         struct str *id) MUST_CHECK;

/* Why an order is on the failed list. Texts are borrowed. */
struct job_failure {
    const char *failed_export;    /* "Sales invoice", "Credit note", "Payment", "Contact" */
    struct str exported_item;     /* order name, or customer */
    const struct str *errors;     /* Xero's own words, or ours; at least one */
    const char *const *catalogue; /* row id of each error */
    size_t error_count;
    struct str correlation; /* Xero's id of the answer, for its support; "" none */
};

/* ---- in ---- */

enum job_result {
    JOB_QUEUED,
    JOB_SKIPPED,
    JOB_HELD, /* queued on a connection that is paused or disconnected */
    JOB_DUPLICATE,
    JOB_STALE_EVENT,
    JOB_UNUSABLE,       /* parked on the failed list */
    JOB_KEPT,           /* a refund or payment record, kept for its order */
    JOB_STALE_SETTINGS, /* the store's version moved on: reload, verify and decide again */
    JOB_NO_STORE,       /* the store is gone */
    JOB_IGNORED         /* what was deleted was never seen */
};
/* "queued", ...: as the webhook's answer says it. */
const char *job_result_text(enum job_result r);

#define JOB_HISTORIES 4
/* An event is decided for each history that its order may have at the instant of ingest: number I,
 * from 0 to JOB_HISTORIES - 1. (That Xero was uninstalled, the script sees by itself.) */
struct rul_history job_history(int i);

struct job_event {
    const char *order_key, *store_key; /* "shopify/x/1", "shopify/x" */
    int64_t store_version;
    const char *connection;
    struct str delivery; /* what identifies the delivery; "" = no dedupe */
    enum rul_event event;
    const char *stamp; /* ord_stamp; "" = the body never replaces a stored one */
    const char *part;  /* "order", "refund:<id>", "txn:<id>", "cancelled"; "" none */
    struct str body;   /* that part's bytes */
    bool stamp_on;     /* the store's master switch, stamped on an order first seen */
    struct rul_decision decision[JOB_HISTORIES]; /* by job_history */
    const char *name, *link;                     /* as shown to people; "" = leave as stored */
    const char *paid_day; /* day of this state if paid or partly paid, else "" */
    struct str inputs;    /* the rules' inputs as JSON members ("k":v,...), for the trail */
    const struct job_failure *unusable; /* not NULL: park it with this row */
    bool later;                         /* it may wait behind live orders (backfill) */
    bool fuller; /* it was read because what is stored may lack something: it takes its place even
                    if both are of one state */
    const char *state; /* job_fetch: for the worker that reads it (FET_...); NULL none */
};

/* Takes one event: dedupe, snapshot, stamp, revision, decision by history, trail, queue; atomic and
 * durable when it returns. REASON gets the picked decision's code. May be repeated. */
enum err job_ingest(struct rds *r, const struct job_event *e, enum job_result *result,
                    enum cat_reason *reason, struct errinfo *info) MUST_CHECK;

/* The order of E changed, but E does not say how (key, store and its version, connection, delivery,
 * event, stamp_on, name, link, inputs, state; the rest does not count): puts it on its store's lane
 * of orders to be read (queue/fetch.h), with its trail, name and import stamp as job_ingest writes
 * them. JOB_QUEUED: it stands there; else JOB_SKIPPED with a reason that no state of the order
 * would change, JOB_DUPLICATE, JOB_STALE_SETTINGS, JOB_NO_STORE. May be repeated. */
enum err job_fetch(struct rds *r, const struct job_event *e, enum job_result *result,
                   enum cat_reason *reason, struct errinfo *info) MUST_CHECK;

/* The order of E (key, store and its version, delivery; the rest does not count) was deleted in the
 * shop: out of the queue, or, if it is in Xero, onto the failed list. No later event exports it.
 * ERR_CONFLICT: it is being exported at this moment; try again. May be repeated. */
enum err job_delete(struct rds *r, const struct job_event *e, enum job_result *result,
                    enum cat_reason *reason, struct errinfo *info) MUST_CHECK;

/* BODY without the buyer appended to OUT; false: it cannot be read, and is not kept. */
typedef bool job_redact_fn(struct str body, struct buf *out);
/* Takes the buyer's data out of what is stored of an order: its snapshot by FN, and Xero's words
 * from the failed row and the trail. Nothing to do is ERR_OK. ERR_CONFLICT: it is being exported at
 * this moment, or changes all the time; try again. */
enum err job_redact(struct rds *r, const char *order_key, job_redact_fn *fn,
                    struct errinfo *info) MUST_CHECK;

/* ---- out ---- */

struct job_part {
    struct str name, body; /* "order" or "refund:<id>"...; uncompressed */
};

struct job_order {
    struct str key; /* O */
    int64_t rev;    /* revision this lease exports */
    int64_t attempts;
    struct str name, link, paid_day;
    bool lines;
    bool byhand;
    bool again; /* by hand: another invoice in place of one that was voided in Xero */
    bool doubt; /* look in Xero before anything is sent for it */
    bool alone; /* under suspicion: it is leased alone */
    struct job_part *parts;
    size_t part_count;
    struct job_part *docs; /* name without "doc:", body JSON */
    size_t doc_count;
};

struct job_lease {
    char connection[LIM_CONN_NAME + 1];
    char token[37];
    int64_t until_ms; /* monotonic ms (job_now_ms) at which the lease ends, seen from here */
    bool settling;    /* taken over from a worker that died */
    /* settling: the request whose answer nobody recorded; key "" if there was none */
    struct str req_kind, req_bytes, req_key, req_meta;
    int64_t req_age_ms; /* since its first sending */
    bool req_look_up;   /* do not send it again, look up */
    struct job_order *orders;
    size_t count;
    struct arena arena;
};

/* Monotonic milliseconds of this process. */
int64_t job_now_ms(void);

/* Takes the next lane that may act and up to MAX of its orders, each loaded. ERR_NOT_FOUND: nothing
 * to do for *WAIT_MS (at most 5,000; wake key tells earlier). Free with job_lease_free. */
enum err job_lease(struct rds *r, int64_t lease_ms, int max, struct job_lease *out,
                   int64_t *wait_ms, struct errinfo *info) MUST_CHECK;
void job_lease_free(struct job_lease *l);
/* The list to wait on for work (rds_wait_list). */
const char *job_wake_key(void);

/* One field of one order's record: what the last call's answer said. */
struct job_update {
    struct str order, field, value; /* field "doc:..." or "sus"; value {NULL,0} deletes it */
};

struct job_call {
    const char *kind;      /* "invoices", "payments", "contacts", "void", "look_up" */
    struct str bytes, key; /* both empty for a look-up: the stored request stays as it is */
    struct str meta;       /* JSON: which element is which order's */
};

enum job_permit { JOB_GO, JOB_WAIT, JOB_PAUSED, JOB_LOST };

/* Before every call under a lease: stores UPDATES (answer of the call before), forgets the request
 * stored before if ANSWERED, stores CALL, extends the lease to LEASE_MS, takes one minute and one
 * day permit. DAY_LEFT is Xero's newest X-DayLimit-Remaining, -1 unknown. JOB_WAIT: *WAIT_MS until
 * there is room; nothing but the updates was stored. CALL may be NULL: only store. */
enum err job_permit(struct rds *r, struct job_lease *l, int64_t lease_ms,
                    const struct job_update *updates, size_t n, bool answered, int64_t day_left,
                    const struct job_call *call, enum job_permit *permit, int64_t *wait_ms,
                    struct errinfo *info) MUST_CHECK;

enum job_outcome {
    JOB_DONE,
    JOB_RETRY, /* again after delay_ms; counts as an attempt */
    JOB_AGAIN, /* again after delay_ms; does not count */
    JOB_FAILED /* onto the failed list with `failure` */
};

struct job_report {
    struct str order;
    enum job_outcome outcome;
    int64_t delay_ms;
    const struct job_failure *failure; /* JOB_FAILED, and JOB_RETRY for the trail */
    struct str summary;                /* one sentence for trail and connection log; "" none */
    struct str synced;      /* JSON of the synced row, JOB_DONE with documents; "" none */
    bool settled_lines;     /* lines were brought up to date */
    struct str wanted_hash; /* of the documents wanted, for dismissals */
};

/* Ends the lease. HOLD_MS > 0 keeps the connection from being leased for that long (HOLD_WHY is
 * logged). Orders whose token is no longer ours are left alone and counted in *FENCED. */
enum err job_complete(struct rds *r, struct job_lease *l, const struct job_update *updates,
                      size_t n, const struct job_report *reports, size_t count, int64_t day_left,
                      int64_t hold_ms, const char *hold_why, int64_t *fenced,
                      struct errinfo *info) MUST_CHECK;

/* ---- by hand ---- */

/* Failed orders of one connection back to ready, at the front. KEYS are order keys. ERR_CONFLICT if
 * the connection is paused, disconnected or uninstalled (INFO says which). *MOVED counts. */
enum err job_resync(struct rds *r, const char *connection, const struct str *keys, size_t n,
                    const char *who, int64_t *moved, struct errinfo *info) MUST_CHECK;
/* Off the failed list until the documents to be written have another hash. */
enum err job_dismiss(struct rds *r, const char *connection, const struct str *keys, size_t n,
                     const char *who, int64_t *moved, struct errinfo *info) MUST_CHECK;
/* One order by hand, whatever the rules, at the front while at most 20 are there; AGAIN: with
 * another invoice if its own was voided in Xero. ERR_NOT_FOUND: it
 * was never received, or its snapshot is gone, or its store (INFO says what to do); ERR_CONFLICT:
 * its connection is paused, disconnected or uninstalled; ERR_EXISTS: it is being exported at this
 * moment as the rules want it. CONNECTION gets the name of the connection it waits on. */
enum err job_export(struct rds *r, const char *order_key, bool again, const char *who,
                    char connection[LIM_CONN_NAME + 1], struct errinfo *info) MUST_CHECK;
/* Connection states. ERR_NOT_FOUND: no such connection; ERR_CONFLICT: not from its present state.
 * Pause ends the leases' next permit with JOB_PAUSED; resume lets waiting orders go. Repeatable. */
enum err job_pause(struct rds *r, const char *connection, const char *who,
                   struct errinfo *info) MUST_CHECK;
enum err job_resume(struct rds *r, const char *connection, const char *who,
                    struct errinfo *info) MUST_CHECK;
/* What upkeep goes by. */
struct job_upkeep {
    int64_t retention_days, log_days;
    int64_t day_reserve;  /* percent of a day's calls to Xero kept for exports by hand */
    int64_t linger_max_s; /* a batch that is not full waits at most so long for more orders */
};
/* One pass of upkeep over at most 1,000 entries a kind; takes a lock, so any worker may call it as
 * often as it likes (*DID false: another had it). *REPAIRS: lanes that were missing from the due
 * set. */
enum err job_sweep(struct rds *r, const struct job_upkeep *u, bool *did, int64_t *repairs,
                   struct errinfo *info) MUST_CHECK;
