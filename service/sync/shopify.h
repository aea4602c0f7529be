/*
 * shopify: what Shopify sends -> event and neutral order. The only file that knows Shopify's topic,
 * header and field names. Pure: bytes in, structs out; no I/O, no clock, no settings.
 * Facts: Shopify's webhook and REST Admin Order references.
 */
#pragma once

#include "service/base/json.h"
#include "service/sync/order.h"
#include "service/sync/rules.h"

enum shp_topic {
    SHP_ORDERS_CREATE,
    SHP_ORDERS_PAID,
    SHP_ORDERS_UPDATED,
    SHP_ORDERS_PARTIALLY_FULFILLED,
    SHP_ORDERS_FULFILLED,
    SHP_ORDERS_CANCELLED,
    SHP_ORDERS_EDITED,
    SHP_ORDERS_DELETE,
    SHP_REFUNDS_CREATE,
    SHP_TRANSACTIONS_CREATE,
    SHP_APP_UNINSTALLED,
    SHP_CUSTOMERS_DATA_REQUEST,
    SHP_CUSTOMERS_REDACT,
    SHP_SHOP_REDACT,
    SHP_OTHER
};

/* "orders/create" -> topic; SHP_OTHER for any other. */
enum shp_topic shp_topic(struct str text);
/* For metrics and the log: the topic's text, "other" for SHP_OTHER. */
const char *shp_topic_text(enum shp_topic t);
/* True if the topic's body is a whole order; then EVENT is the rules' event. */
bool shp_topic_is_order(enum shp_topic t, enum rul_event *event) MUST_CHECK;
/* A shop's domain in lower case into OUT: [a-z0-9][a-z0-9.-]*, at most LIM_STORE_ID. Else false. */
bool shp_shop(struct str header, char out[LIM_STORE_ID + 1]) MUST_CHECK;

/* True if ROOT looks like the body of TOPIC (only the body is signed, not the topic header): an
 * object with an order's / refund's / transaction's / order_edit's own fields and an integer id. */
bool shp_body_fits(enum shp_topic t, const struct js_value *root) MUST_CHECK;
/* The order's id in text, for any topic about one order ("order_id" of refunds and transactions).
 * False if absent or no integer. Borrowed from the document. */
bool shp_order_id(enum shp_topic t, const struct js_value *root, struct str *id) MUST_CHECK;
/* The id of a refund or transaction body itself. */
bool shp_record_id(const struct js_value *root, struct str *id) MUST_CHECK;

/* The orders that a customer's data is asked for of: the ids of the first MAX into IDS, borrowed.
 * Returns how many there are. */
size_t shp_orders_requested(const struct js_value *root, struct str *ids, size_t max);

/* The same of those whose buyer's data is to be erased. */
size_t shp_orders_to_redact(const struct js_value *root, struct str *ids, size_t max);
/* An order, a refund or a transaction without its buyer: no name, address (but its country and
 * province, which taxes go by), e-mail, telephone, device, note or payment details. A shop's own
 * words about its lines stay. False: BODY is not a JSON object. */
bool shp_redact(struct str body, struct buf *out) MUST_CHECK;

/* Which money of an order its amounts are read in: the shop's, or what the buyer saw. */
enum shp_money { SHP_SHOP_MONEY, SHP_PRESENTMENT_MONEY };

/* Reads a whole order, all its amounts in MONEY. STORE is copied. On ERR_MISSING, ERR_TYPE,
 * ERR_RANGE, ERR_OVERFLOW, ERR_CURRENCY or ERR_TOO_BIG the order lacks what an invoice needs: INFO
 * names the field; `id`, `name` (the id if it has none), platform and store are still filled in.
 * An amount that the body states in the shop's money only is ERR_MISSING when the buyer's is wanted
 * and is another. Unknown fields are ignored, absent ones tolerated wherever an invoice can do
 * without. All memory comes from ARENA. */
enum err shp_read_order(const struct js_value *root, struct str store, enum shp_money money,
                        struct arena *arena, struct order *out, struct errinfo *info) MUST_CHECK;
/* Adds a refund (body of refunds/create) or a transaction (body of order_transactions/create) that
 * came by its own message, in the money that O was read in, unless the order already has one of
 * that id. A failed or pending transaction, or one that is no sale or capture, adds nothing.
 * ERR_MISSING: it has no id or amount, or an edit does not say what it took off; ERR_CURRENCY: a
 * payment in another currency than the order's; ERR_TYPE, ERR_RANGE, ERR_OVERFLOW, ERR_TOO_BIG: as
 * above. After an error O is as before. */
enum err shp_add_refund(const struct js_value *root, struct arena *arena, struct order *o,
                        struct errinfo *info) MUST_CHECK;
enum err shp_add_transaction(const struct js_value *root, struct arena *arena, struct order *o,
                             struct errinfo *info) MUST_CHECK;
/* The shop's admin page of an order: "https://<shop>/admin/orders/<id>". */
char *shp_order_link(struct str store, struct str order_id, struct arena *arena);
