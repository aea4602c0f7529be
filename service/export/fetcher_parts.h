/*
 * fetcher_parts: what the files of the fetcher share: one lease being worked, and how the shops'
 * clients are asked and answer alike. Only fetcher*.c include it. One thread at a time.
 */
#pragma once

#include "queue/grants.h"
#include "queue/intake.h"
#include "service/export/fetcher.h"
#include "service/export/shop_call.h"

struct reading;

struct ftc {
    struct aapi *amazon;
    struct sapi *shopify;
    struct reading *at; /* the lease at work: whom Shopify's client asks for permits */
    struct rds_pool *redis;
    struct set_cache *stores;
    const struct cry_keys *master;
    int64_t lease_ms, reconcile_ms, max_attempts;
    const _Atomic bool *stopping; /* may be NULL */
};

/* How the work on a lease goes on. */
enum read_next {
    READ_GO,
    READ_NONE,    /* the shop knows no such order */
    READ_REFUSED, /* it would be refused again: W->why says it */
    READ_STOP     /* nothing more under this lease: what is not reported goes back, after `wait_ms`,
                     or the hold */
};

struct shop;

/* One lease at work. */
struct reading {
    struct ftc *f;
    struct fet_lease *lease;
    struct rds *r;
    const struct shop *shop;
    struct set_store *store;
    struct grt_token opens; /* the store's shop */
    struct fet_said said;   /* by the last call, not told to the queue yet */
    struct fet_report *reports;
    size_t report_count;
    int64_t hold_ms, wait_ms;
    int64_t calls; /* Shopify: made for the item at hand */
    bool denied;   /* the hold needs somebody to mend it */
    bool away;     /* the hold is since the shop gave no answer that can be used */
    bool lost;     /* the lease is another's */
    bool logged;   /* the hold is for people to see */
    char why[512];
    struct str reconciled_to;
    struct arena arena; /* as long as the lease */
};

/* One order as the shop gave it, in the form in which it is stored; or, where a shop only lists
 * what has changed (ROOT NULL), which one. */
struct read_order {
    const struct js_value *root;
    struct str body; /* ROOT's bytes */
    struct str
        id; /* only listed: its id, the stamp of its last change, and the day it was created on by
                        the shop's own clock */
    char stamp[ORD_STAMP + 1], created_day[11];
};

/* What one call gave. */
struct read_page {
    struct shc_answer answer;
    struct read_order *orders;
    size_t count;
    struct js_doc *docs; /* private: of orders that were taken out of a page */
    struct str next;     /* what to ask for the next page with; "" after the last */
    struct arena arena;
};
void ftc_page_free(struct read_page *p);

/* Orders that changed from AFTER to BEFORE (RFC 3339). */
struct read_range {
    const char *after, *before;
    struct str page; /* "" the first */
};

/* What a check is asked for. */
struct check {
    bool create;    /* webhooks that are missing */
    struct str url; /* where they are to go; "" not known */
    bool shut;      /* nothing more may be asked of the shop: w->why says why */
};

/* What differs between the platforms. PAGE is always to be freed. */
struct shop {
    const char *platform;
    int64_t recent_s; /* a check asks for what has changed since */
    enum read_next (*one)(struct reading *w, struct str id, struct read_page *page);
    enum read_next (*some)(struct reading *w, const struct read_range *range,
                           struct read_page *page);
    void (*look)(struct reading *w); /* at what announces orders, after a pass; NULL: nothing */
    /* The same for a check: members of its result. READ_STOP: w says why the shop is to be left
     * alone; what is written is good all the same, unless ftc_comes_back. */
    enum read_next (*webhooks)(struct reading *w, const struct check *c, struct js_out *out);
};
extern const struct shop ftc_amazon, ftc_shopify;

/* ---- fetcher.c ---- */

/* A permit for a call of KIND. READ_STOP: there is none now. */
enum read_next ftc_permit(struct reading *w, const char *kind, int64_t cost);
/* What a call of KIND came to: notes what it said of limits, and holds the lane where it has to. */
enum read_next ftc_judge(struct reading *w, const char *kind, const struct shc_answer *a);
/* Reports an item of the lease, once. The report's texts must live as long as the lease. */
void ftc_report(struct reading *w, struct fet_report report);
/* How an order is wanted: as it is, or behind live ones, or because what is stored of it lacks
 * something; PARTS: what cannot be used is not taken. */
enum read_how { READ_LIVE, READ_LATER, READ_WHOLE, READ_PARTS };
/* Hands ORDER to the queue. TOPIC says how it came. WANTED: its id in the shop, "" any.
 * READ_REFUSED: it is another order or none. */
enum read_next ftc_take(struct reading *w, const struct read_order *order, const char *topic,
                        struct str wanted, enum read_how how);
/* Writes a line into the connection's log. */
void ftc_note(struct reading *w, const char *level, const char *event, const char *fmt, ...)
    PRINTF(4, 5);

/* Redis does not take it: what is left of the lease goes back. READ_STOP. */
enum read_next ftc_no_redis(struct reading *w, const struct errinfo *info);

/* ---- fetcher_shopify.c ---- */

/* What Shopify's client asks before every call; ARG: the struct ftc. */
bool ftc_shopify_permit(void *arg, int64_t cost, const struct sapi_points *said);
/* Whom to ask. */
struct sapi_shop ftc_shopify_shop(const struct reading *w);
/* What the shop said of its points, for the queue. */
void ftc_note_points(struct reading *w, const struct sapi_points *said);

/* ---- fetcher_webhooks.c: what a Shopify app is subscribed to ---- */

/* struct shop's `look`. */
void ftc_webhooks_look(struct reading *w);
/* struct shop's `webhooks`. */
enum read_next ftc_webhooks_check(struct reading *w, const struct check *c, struct js_out *out);

/* ---- fetcher_check.c ---- */

/* Whether the store's orders can be read, and what announces them: the result of a task. */
enum read_next ftc_check(struct reading *w, const struct fet_item *item);
/* After READ_STOP: nothing was learnt of the shop (no permit now, its limit, no Redis), so the item
 * is due again. */
bool ftc_comes_back(const struct reading *w);

/* ---- fetcher_pages.c ---- */

/* Shops list what changed a moment ago with a delay, and Amazon nothing of its last two minutes,
 * less a minute that its clock may be behind; the next pass looks at this much again. */
#define FTC_SETTLE_S 180

/* Unix SECONDS as RFC 3339. */
void ftc_print_time(int64_t seconds, char out[36]);

/* One page of a reconciliation or of a backfill. */
enum read_next ftc_reconcile(struct reading *w, const struct fet_item *item);
enum read_next ftc_backfill(struct reading *w, const struct fet_item *item);
