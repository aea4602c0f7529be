/*
 * shopify_graphql: an order as the Admin API's GraphQL tells it -> the body that a webhook of it
 * would have, so that shp_read_order reads both. Owns the questions (one order takes several: its
 * lines come in pages, refunds and shipments one by one) and what was answered so far. A pure state
 * machine: texts in, texts out; who sends them is not its business. One thread an order.
 *
 * What GraphQL says otherwise than a webhook, and what is made of it:
 * - times are UTC; a webhook has the shop's own, and the day of an invoice hangs on it: whoever
 *   writes the body gives the shop's offsets;
 * - no line says that it is a tip: lines of no product, tax or discount that add up to the total of
 *   tips are; if none do, none is, and the order does not reconcile;
 * - shipping that was given back stands in a list of its own, an adjustment is always a
 *   discrepancy;
 * - additional fees that were given back are not told, nor which of a duty's tax in part: such a
 *   refund does not reconcile.
 */
#pragma once

#include "service/base/json.h"
#include "service/sync/shopify.h"

/* Lines asked for at once: with all that hangs on a line 525 of the 1,000 points that one question
 * may cost, and the rest of an order 186. */
#define SHP_PAGE 25

/* Questions that one order may take: 5,000 lines, or a few hundred refunds and shipments. */
#define SHP_QUESTIONS 400

struct shp_gather;
/* Begins ORDER_ID, whose digits are copied. ERR_SYNTAX: it is no id. shp_gather_free accepts NULL.
 */
enum err shp_gather_new(struct str order_id, struct shp_gather **out,
                        struct errinfo *info) MUST_CHECK;
void shp_gather_free(struct shp_gather *g);

/* The body of the next question, {"query":...,"variables":...}, into BODY. False: all is there. The
 * same again until it is answered. */
bool shp_gather_ask(const struct shp_gather *g, struct buf *body) MUST_CHECK;
/* The most points that the next question may cost, by Shopify's rules; 0: there is none. */
int shp_gather_cost(const struct shp_gather *g);
/* The answer's "data", whose document is taken over (DOC is empty then); SIZE is of its text.
 * ERR_NOT_FOUND: the shop has no such order. ERR_CONFLICT: it changed three times while it was
 * being asked about; after the first two, all is asked anew. ERR_MISSING: not what was asked for.
 * ERR_TOO_BIG: more than is read of one order. */
enum err shp_gather_take(struct shp_gather *g, struct js_doc *doc, size_t size,
                         struct errinfo *info) MUST_CHECK;
/* Asks for half as much at once, after the shop found a question too dear. False: less is not
 * possible. */
bool shp_gather_smaller(struct shp_gather *g) MUST_CHECK;
/* What the first answer tells of the shop, NULL before. */
const struct js_value *shp_gather_shop(const struct shp_gather *g);
/* The SHOP's time zone by its IANA name; "" unknown. */
struct str shp_shop_zone(const struct js_value *shop);
/* The SHOP's offset from UTC now, in seconds: for a zone that is not known here. */
int32_t shp_shop_offset(const struct js_value *shop);

/* The shop's offset from UTC in seconds at UNIX second T. */
typedef int32_t shp_offset_fn(void *arg, int64_t t);
/* The webhook's body, once nothing is left to ask. OFFSET: NULL leaves times in UTC. Errors collect
 * in OUT. */
void shp_gather_write(const struct shp_gather *g, shp_offset_fn *offset, void *arg,
                      struct buf *out);

/* ---- lists ---- */

/* One order of a page of shp_list_take: enough to decide whether to ask for it. */
struct shp_listed {
    struct str id;
    char stamp[ORD_STAMP + 1]; /* ord_stamp's, as far as SHP_STAMP digits */
    char created_day[11];      /* by the shop's own clock; "" unknown */
};
/* Digits of a stamp that a list tells: the second of the last change, and the payment state. */
#define SHP_STAMP 14
/* Orders listed at once. */
#define SHP_LISTED 100

/* The question for the orders updated from AFTER to BEFORE (RFC 3339 with digits, '-', ':', 'T',
 * 'Z', '+', '.' only; BEFORE may be ""), oldest change first. CURSOR: "" the first page. False: a
 * time is none. */
bool shp_list_ask(struct str after, struct str before, struct str cursor,
                  struct buf *body) MUST_CHECK;
/* Points of that question. */
#define SHP_LIST_COST 103

/* Its "data", whose "shop" tells the zone for OFFSET: at most SHP_LISTED orders into LIST; CURSOR:
 * of the next page, "" after the last. Texts are borrowed from DATA. ERR_MISSING: not what was
 * asked for. */
enum err shp_list_take(const struct js_value *data, shp_offset_fn *offset, void *arg,
                       struct shp_listed list[SHP_LISTED], size_t *n, struct str *cursor,
                       struct errinfo *info) MUST_CHECK;
