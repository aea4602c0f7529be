/*
 * order: the neutral order that both platforms' adapters fill and everything behind them reads.
 * Nothing here knows Shopify's or Amazon's field names. All texts and arrays live in the arena that
 * was given to the adapter. Pure data; no I/O, no clock.
 */
#pragma once

#include "service/base/buf.h"
#include "service/base/err.h"
#include "service/base/limits.h"
#include "service/base/money.h"
#include <stdbool.h>
#include <stdint.h>

enum ord_paid { ORD_UNPAID, ORD_PARTLY_PAID, ORD_PAID };
enum ord_fulfilment { ORD_UNFULFILLED, ORD_PARTLY_FULFILLED, ORD_FULFILLED };

/* What the sync rules look at. */
struct ord_state {
    enum ord_paid paid;
    enum ord_fulfilment fulfilment;
    bool cancelled;
    bool refunded; /* anything of it: a refund record with money, or the shop's status says so */
    bool test;
    bool kept;            /* cancelled or not: the shop keeps money of it (paid, partly paid, or
                             refunded in part only) */
    bool zero_value;      /* the total at the sale is 0 */
    bool nothing_left;    /* every line was removed by edits, and no money is kept */
    bool replacement;     /* Amazon */
    bool unfulfillable;   /* Amazon */
    bool third_party;     /* sold by another party (merchant of record), or elsewhere */
    bool unpriced;        /* Amazon: states no prices before the payment is authorised */
    char created_day[11]; /* YYYY-MM-DD in the offset the shop wrote; "" unknown */
    struct str tags;      /* separated by commas, as the shop wrote them */
    struct str source;
    const struct str *gateways;
    size_t gateway_count;
};

/* One tax on one line. */
struct ord_tax {
    struct str title;
    struct rate rate;
    struct money amount; /* of the whole line after discounts */
    bool channel_liable; /* a marketplace remits it */
};

enum ord_line_kind {
    ORD_PRODUCT,
    ORD_GIFT_CARD, /* sale of a voucher */
    ORD_TIP,
    ORD_SHIPPING,
    ORD_DUTY,
    ORD_FEE
};

struct ord_line {
    enum ord_line_kind kind;
    struct str id;
    struct str title; /* with its variant: what the buyer saw */
    struct str sku, vendor, product_type;
    int64_t quantity; /* sold */
    int64_t removed;  /* of these, taken out again by edits (refund records without money) */
    struct money removed_subtotal, removed_tax; /* what the shop says was taken off: after
                                                   discounts; the tax, included or on top. Of
                                                   shipping, duties and fees it may be a part, with
                                                   REMOVED still 0 */
    int64_t shipped;                            /* of these, in shipments that really went */
    bool ships;                                 /* it has to be shipped at all */
    struct money price;                         /* of one, before discounts */
    struct money discount;                      /* of the whole line: its allocations */
    const struct ord_tax *taxes;
    size_t tax_count;
    bool vat_unstated; /* its price may hold a VAT that the shop does not state (Amazon) */
};

struct ord_transaction {
    struct str id, gateway;
    struct money amount;
    char day[11]; /* YYYY-MM-DD */
};

/* One refunded line, as its record says. */
struct ord_refund_line {
    struct str line_id;
    int64_t quantity;
    struct money subtotal, tax; /* of the quantity, after discounts; tax included or on top */
};

enum ord_adjustment_kind { ORD_ADJUST_SHIPPING, ORD_ADJUST_DISCREPANCY };

/* Money of a refund that is no line's. Negative: given back to the buyer. */
struct ord_adjustment {
    enum ord_adjustment_kind kind;
    struct money amount, tax;
};

/* A refund record. The amounts of a record with money become a credit note; one without any
 * transaction is an edit, already counted in what was removed of the lines. */
struct ord_refund {
    struct str id;
    char day[11];
    bool apart; /* it came by its own message: the order's figures may not know of it yet */
    bool has_money;
    bool other_currency; /* some of its money is in another currency: AMOUNT is not all of it */
    struct money amount; /* of its successful refund transactions in the order's currency */
    const struct ord_refund_line *lines;
    size_t line_count;
    const struct ord_adjustment *adjustments;
    size_t adjustment_count;
    struct money duties, fees;                  /* given back, with their tax */
    const struct ord_transaction *transactions; /* the successful refunds among its own, each in
                                                   the currency that it was paid in */
    size_t transaction_count;
};

struct ord_party {
    struct str customer_id; /* "" = guest */
    struct str name;        /* of the person; may be empty */
    struct str company;     /* of the billing address or the B2B company; may be empty */
    struct str company_id;  /* of the B2B company in the shop; may be empty */
    struct str email;
    bool is_company; /* B2B order: the company is the buyer */
};

/* One order of a shop, in its newest state. */
struct order {
    struct str platform; /* "shopify" or "amazon" */
    struct str store;
    struct str id;
    struct str name; /* "#1042" */
    struct ord_state state;
    struct str shop_status; /* the payment status in the shop's own word */
    char created_at[36], updated_at[36], processed_at[36]; /* as written; "" when absent */
    char fulfilled_day[11];                                /* of the first shipment; "" none */
    char cancelled_day[11];
    char currency[4];             /* of all amounts here, but those of refunds' transactions */
    char shop_currency[4];        /* the shop's own; if CURRENCY is another, it is the buyer's */
    char presentment_currency[4]; /* what the buyer paid in */
    bool taxes_included;
    bool tax_exempt;
    struct money total; /* at the sale */
    struct money total_tax;
    struct money tip;           /* total tips at the sale */
    struct money outstanding;   /* still to be paid, as the shop says */
    struct money current_total; /* after edits and refunds, as the shop says */
    struct money cash_rounding;
    struct money duties, fees;    /* totals at the sale */
    bool duties_included;         /* in the prices: no lines of their own, and never given back
                                     but with their product */
    const struct ord_line *lines; /* products and tip lines, shipping, duties, fees */
    size_t line_count;
    const struct ord_refund *refunds;
    size_t refund_count;
    const struct ord_transaction
        *payments; /* successful sales and captures, by their own records */
    size_t payment_count;
    struct ord_party party;
    struct str country; /* of the shipping, else billing address: two letters, may be empty */
    struct str po_number;
    char due_day[11];      /* from payment terms; "" none */
    int64_t due_days;      /* from payment terms; -1 none */
    bool edited;           /* lines were added or removed after the sale */
    bool tells_no_refunds; /* the shop says what the order comes to, not what was given back: of a
                              cancelled one or part of one nothing was received (Amazon) */
};

/* Digits of a stamp: 12 for the second of the change, 2 and 1 for the states, 20 for the delivery.
 */
#define ORD_STAMP 35

/* Writes a text of ORD_STAMP digits by which snapshots of one order compare: later change, then
 * further payment state (cancelled > refunded > partially refunded > paid > partially paid > voided
 * > authorised > every other word), then further fulfilment, then later TRIGGERED_AT (RFC 3339,
 * may be empty). "" if the order has no usable updated_at. */
void ord_stamp(const struct order *o, struct str triggered_at, char out[ORD_STAMP + 1]);
/* The calendar day YYYY-MM-DD of an RFC 3339 time, in the offset that it was written with. False
 * (and "") when TEXT does not begin with a real date. */
bool ord_day(struct str text, char out[11]) MUST_CHECK;
/* Unix seconds of an RFC 3339 time; NS (may be NULL) gets its nanoseconds. False if not one. */
bool ord_time(struct str text, int64_t *seconds, int32_t *ns) MUST_CHECK;
/* DAY plus N days (N may be negative). False if DAY is no date or the result's year has not four
 * digits. */
bool ord_day_add(const char day[11], int64_t n, char out[11]) MUST_CHECK;
/* A shop's TEXT as people are shown it, in ARENA: control characters become spaces, none at the
 * ends, at most LIM_NAME bytes. */
struct str ord_words(struct str text, struct arena *arena);
