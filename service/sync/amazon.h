/*
 * amazon: what Amazon, and whatever a seller puts behind its queue, sends -> notifications and
 * neutral orders. The only module that knows Amazon's field names and the wrappings they come in.
 * Pure: bytes in, structs out; no I/O, no clock, no settings.
 * Facts: Selling Partner API, schema of ORDER_CHANGE 1.0, Orders API v0 and 2026-01-01.
 */
#pragma once

#include "service/base/json.h"
#include "service/sync/order.h"
#include "service/sync/rules.h"

/* Longest id of a seller that is taken; Amazon's have 13 or 14 characters. */
#define AMZ_SELLER 32

/* ---- before anything is trusted ---- */

/* A seller's id into OUT: 5 to AMZ_SELLER capital letters and digits. Else false, and "". */
bool amz_seller(struct str text, char out[AMZ_SELLER + 1]) MUST_CHECK;
/* The sellers that BODY names as "SellerId" or "sellerId", each once, in their order, at most MAX;
 * in JSON within JSON too. One pass over the bytes, no tree: whether BODY is JSON at all is not
 * looked at, so what is found says only whose key to ask for. Returns how many. */
size_t amz_scan_sellers(struct str body, char (*out)[AMZ_SELLER + 1], size_t max);

/* ---- wrappings ---- */

/* Texts that hold JSON, one in another, and objects around a record: more is no record. */
#define AMZ_TEXTS 4
#define AMZ_WRAPPINGS 6
/* Records of one body. SQS hands over 10 at once where nobody asked for more. */
#define AMZ_RECORDS 1000

/* A body, opened: one record, or several of a batch (Records[], orders[], an array). */
struct amz_body {
    bool batch;
    size_t count;
    struct js_doc docs[AMZ_TEXTS]; /* private, as are the rest */
    size_t doc_count;
    const struct js_value *root;
};

/* Parses BODY down to its records. ERR_SYNTAX, ERR_TOO_BIG: no JSON, too deep, too many records.
 * Nothing to free after an error; else amz_body_free. */
enum err amz_open(struct str body, struct amz_body *out, struct errinfo *info) MUST_CHECK;
void amz_body_free(struct amz_body *b);

enum amz_kind {
    AMZ_NOTICE, /* ORDER_CHANGE: says that an order changed, not what it is now */
    AMZ_ORDER,  /* a whole order, fetched by somebody else */
    AMZ_OTHER   /* another NotificationType */
};

/* One record without its wrappings. Texts are borrowed from it and its body. */
struct amz_record {
    enum amz_kind kind;
    struct str id;     /* its envelope's: SQS messageId or EventBridge id; "" none */
    struct str seller; /* "" where it names none, as orders do */
    struct str type;   /* the NotificationType; "" of an order */
    const struct js_value *root, *items; /* an order of v0 has its items beside it */
    struct js_doc docs[AMZ_TEXTS];       /* private */
    size_t doc_count;
};

/* Record I of B. ERR_SYNTAX, ERR_TYPE, ERR_TOO_BIG: it is none of the wrappings; its id is given
 * where there is one. Always free with amz_record_free, before B. */
enum err amz_record(const struct amz_body *b, size_t i, struct amz_record *out,
                    struct errinfo *info) MUST_CHECK;
void amz_record_free(struct amz_record *r);

/* ---- notifications ---- */

struct amz_notice {
    struct str id; /* NotificationId, else its envelope's; "" none: no dedupe */
    struct str order_id, status, change;
    struct str marketplace;
    char time[36];          /* of the change, else of the event; "" none */
    enum rul_event event;   /* what the status announces; `updated` for any other change */
    struct ord_state state; /* as far as the status tells it */
};

/* Reads an AMZ_NOTICE. ERR_MISSING, ERR_TYPE: without an order's id in 3-7-7 digits or a status. */
enum err amz_read_notice(const struct amz_record *r, struct amz_notice *out,
                         struct errinfo *info) MUST_CHECK;

/* The part of a snapshot that says that an order was cancelled, for one that nobody can read:
 * Amazon's last word, after which it owes the seller nothing. */
#define AMZ_CANCELLED "cancelled"
/* Appends that part, made of a notice with such a status. */
void amz_write_cancelled(const struct amz_notice *n, struct buf *out);
/* Makes O, an order as it was before, the cancelled one. ERR_TYPE: ROOT is not such a part. */
enum err amz_cancel(const struct js_value *root, struct order *o, struct errinfo *info) MUST_CHECK;

/* ---- orders ---- */

/* The id of an AMZ_ORDER. False if it has none of 3-7-7 digits. */
bool amz_order_id(const struct amz_record *r, struct str *id) MUST_CHECK;
/* An AMZ_ORDER as it is stored: the JSON that amz_read_order takes, without what was around it. */
void amz_write_order(const struct amz_record *r, struct buf *out);
/* Reads a whole order as it is stored, or as the Orders API 2026-01-01 returns it. STORE is copied;
 * memory from ARENA. ERR_MISSING, ERR_TYPE, ERR_RANGE, ERR_OVERFLOW, ERR_CURRENCY or ERR_TOO_BIG:
 * it lacks what an invoice needs, INFO says what and what to do; identity and state are filled in
 * as far as they go. `state.unpriced`: Amazon states no prices yet, which will come with its next
 * status. Prices that fit neither with tax on top nor with tax included are ERR_RANGE with both
 * sums. An order that was cancelled, cannot be fulfilled or replaces another may do without money:
 * then it has no lines. */
enum err amz_read_order(const struct js_value *root, struct str store, struct arena *arena,
                        struct order *out, struct errinfo *info) MUST_CHECK;
/* The order's page in Seller Central. Of all regions' the American one, since the link is how an
 * invoice is known again as the order's: it has to come out of the order's id alone. */
char *amz_order_link(struct str order_id, struct arena *arena);
