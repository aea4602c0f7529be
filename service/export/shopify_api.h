/*
 * shopify_api: calls to a shop's Admin API, which is GraphQL (REST is closed to new apps), and what
 * their answers mean. What is asked and how an answer is read is shopify_graphql's. Is handed what
 * opens the store's shop and keeps nothing of it; owns the access tokens that it got for apps'
 * pairs, in memory, by shop and pair, until 5 minutes before their end or an hour after their last
 * use. They do not rotate, so that several askers do no harm. Asks its caller before every call of
 * the API whether it may go, and tells what the shop said of its points. One struct a thread.
 * Facts: Shopify's GraphQL Admin API reference and its pages on rate limits, versions, and the
 * client credentials grant.
 */
#pragma once

#include "service/export/shop_call.h"
#include "service/sync/shopify_graphql.h"
#include "service/sync/shopify_webhooks.h"

/* The newest version that is stable, so that it lasts longest: each is supported for a year, until
 * 2027-10-01, and then answered by the oldest that still is. Refunds have the day they were
 * processed since 2026-07. */
#define SAPI_VERSION "2026-10"

/* What a shop said of its bucket of points, and what the call before cost; -1 not said. */
struct sapi_points {
    int64_t maximum, available, a_second;
    int64_t requested, actual;
};

/* Asked before every call, COST being the most that it may cost; SAID is of the call before. May
 * wait. False: no call now, which ends the whole with SHC_LIMITED. */
typedef bool sapi_permit_fn(void *arg, int64_t cost, const struct sapi_points *said);

struct sapi_options {
    const char *api_url;    /* root without path for all shops; NULL: each shop's own domain */
    const char *zones;      /* folder of time zones; NULL: the system's */
    sapi_permit_fn *permit; /* NULL: every call may go */
    void *arg;
};

struct sapi;
/* One thread's client; O is copied. ERR_NOMEM. sapi_free accepts NULL. */
enum err sapi_new(const struct sapi_options *o, struct sapi **out) MUST_CHECK;
void sapi_free(struct sapi *s);
/* What is asked from now on has its answer by UNTIL_MS (http_until). */
void sapi_until(struct sapi *s, int64_t until_ms);

/* Wipes the tokens that were not used for an hour, or are over: to be called now and then. */
void sapi_tend(struct sapi *s);

/* DOMAIN: <name>.myshopify.com; any host name where options.api_url is set. SECRET: an access
 * token; or, of the app CLIENT_ID, its client secret, which tokens are asked for with. */
struct sapi_shop {
    const char *domain;
    const char *client_id; /* "": SECRET is the token */
    struct str secret;
};

/* What the shop said last of its points. */
const struct sapi_points *sapi_points(const struct sapi *s);

/* One order, as a webhook would have it, into BODY. ANSWERED: it is there, all of one state of the
 * order, its times by the shop's own clock. NOT_FOUND: the shop has no such order, or the token
 * may not see it (of 60 days only, without read_all_orders). DENIED: no consent (the token), no
 * access (a scope is missing; the message names it), or no client (the app gets no token; the
 * message says what to do). A token that the shop takes no more is asked for once again. A buyer
 * whom the app is not approved to see is left out, as in webhooks. LIMITED: wait_ms says how long
 * the points need. ERR_SYNTAX: ORDER_ID or the domain is none; ERR_NOMEM. OUT, which is of the
 * last call, is always to be freed. */
enum err sapi_order(struct sapi *s, const struct sapi_shop *shop, struct str order_id,
                    struct buf *body, struct shc_answer *out, struct errinfo *info) MUST_CHECK;

/* A page of the orders updated from AFTER to BEFORE (RFC 3339; BEFORE may be ""), oldest change
 * first; PAGE: "" the first, else what the page before gave. Texts live in OUT. ERR_SYNTAX: a time
 * is none. The rest as above. */
struct sapi_page {
    struct shp_listed orders[SHP_LISTED];
    size_t count;
    struct str next; /* "" after the last */
};
enum err sapi_orders(struct sapi *s, const struct sapi_shop *shop, struct str after,
                     struct str before, struct str page, struct sapi_page *list,
                     struct shc_answer *out, struct errinfo *info) MUST_CHECK;

#define SAPI_SUBSCRIPTIONS 100
/* What the token's app has subscribed to: the first SAPI_SUBSCRIPTIONS; texts live in OUT. */
enum err sapi_subscriptions(struct sapi *s, const struct sapi_shop *shop,
                            struct shp_subscription list[SAPI_SUBSCRIPTIONS], size_t *n,
                            struct shc_answer *out, struct errinfo *info) MUST_CHECK;
/* Subscribes TOPIC to URI (https), as JSON. One that is there already is as good, and not FRESH.
 * REFUSED, or DENIED for want of access: the message has the shop's words. */
enum err sapi_subscribe(struct sapi *s, const struct sapi_shop *shop, enum shp_topic topic,
                        const char *uri, bool *fresh, struct shc_answer *out,
                        struct errinfo *info) MUST_CHECK;

/* What a whole answer means beyond its status: fills OUT's verdict, denial, wait and message from
 * its document, and POINTS. TOO_DEAR: the question costs more than one may. For tests too. */
void sapi_judge(struct shc_answer *out, struct sapi_points *points, bool *too_dear);

/* ---- shopify_api_token.c: tokens for apps' pairs ---- */

struct sapi_tokens;
/* Empty; one thread's. */
struct sapi_tokens *sapi_tokens_new(void);
/* Wipes; accepts NULL. */
void sapi_tokens_free(struct sapi_tokens *k);
/* SHOP's token into *TOKEN, borrowed until the next call of these: the one that was given, that is
 * kept, or (*FRESH) was asked for now, at ROOT. "": there is none, and OUT says why as after a
 * call; else OUT is as it was. ERR_NOMEM, ERR_SYNTAX, ERR_TOO_BIG. */
enum err sapi_token(struct sapi_tokens *k, struct http *http, const char *root,
                    const struct sapi_shop *shop, struct str *token, bool *fresh,
                    struct shc_answer *out, struct errinfo *info) MUST_CHECK;
/* SHOP takes its token no more; nothing happens if it was given. */
void sapi_token_drop(struct sapi_tokens *k, const struct sapi_shop *shop);
/* What sapi_tend does, at NOW_NS of met_now_ns. */
void sapi_tokens_tend(struct sapi_tokens *k, int64_t now_ns);

/* ---- shopify_api_zone.c ---- */

/* A time zone's changes, of a compiled file (RFC 8536). */
struct sapi_zone {
    size_t count;
    int64_t *at;     /* Unix seconds, ascending */
    int32_t *offset; /* from UTC in seconds, from at[i] on */
    int32_t first;   /* before all */
};
/* Reads BYTES of such a file. ERR_SYNTAX: they are none. Free with sapi_zone_free, which accepts an
 * empty one. */
enum err sapi_zone_read(struct str bytes, struct sapi_zone *out) MUST_CHECK;
void sapi_zone_free(struct sapi_zone *z);
/* The offset at T; OTHERWISE after the last change, which a short file leaves to a rule. */
int32_t sapi_zone_offset(const struct sapi_zone *z, int64_t t, int32_t otherwise);
/* The same of the file of zone NAME ("Europe/London") below FOLDER. ERR_SYNTAX: no such name;
 * ERR_NOT_FOUND: no such file. */
enum err sapi_zone_load(const char *folder, struct str name, struct sapi_zone *out) MUST_CHECK;
