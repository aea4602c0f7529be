/*
 * invoice: neutral order + the store's document settings + what was exported before -> the
 * documents Xero should hold, or problems with catalogue ids; and those documents as Xero's JSON.
 * Xero's own arithmetic is reproduced before anything is sent. Pure: no I/O, no clock.
 */
#pragma once

#include "service/base/json.h"
#include "service/base/money.h"
#include "service/sync/order.h"

enum inv_date_from { INV_DATE_PROCESSED, INV_DATE_PAID, INV_DATE_FULFILLED };
enum inv_status { INV_AUTHORISED, INV_DRAFT, INV_SUBMITTED };

/* key -> code, as in mappings.accounts.by_sku. */
struct inv_pair {
    struct str key, value;
};
struct inv_map {
    const struct inv_pair *pairs;
    size_t count;
};

/* The store's document settings and mappings; texts borrowed, "" or {NULL,0} = not set. */
struct inv_settings {
    struct str prefix;
    struct str reference; /* template with {name}, {po_number} */
    enum inv_date_from invoice_date;
    int64_t due_days;
    enum inv_status status;
    bool quantities_fulfilled;
    bool lock_next_open_day;
    bool contact_single;
    struct str contact_name; /* with contact_single: its name; default the store's handle */
    bool send_customer_code;
    bool record_payments;
    bool presentment_currency;
    bool discount_lines;
    bool item_codes;
    bool tax_amounts_never;
    bool marketplace_tax_clearing;
    int64_t rounding_limit; /* minor units */
    struct str branding_theme;
    struct str account_default, account_shipping, account_discounts, account_tips, account_duties,
        account_gift_cards, account_fees, account_rounding, account_marketplace_tax;
    struct inv_map account_by_sku, account_by_product_type, account_by_vendor;
    struct inv_map tax_by_title, tax_by_rate, tax_by_country;
    struct str tax_default, tax_exempt;
    struct str payment_default;
    struct inv_map payment_by_gateway;
    const struct str *payment_off;
    size_t payment_off_count;
};

struct inv_line {
    struct str description;
    int64_t quantity;
    struct money unit;
    struct money discount; /* 0 = none */
    struct str account, item_code, tax_type;
    bool send_tax;       /* TaxAmount is sent: Xero's own arithmetic would give another */
    struct money amount; /* quantity x unit - discount, as Xero will compute it */
    struct money tax;    /* as Xero will compute it, or as sent */
};

struct inv_invoice {
    struct str number, reference, url;
    char date[11], due_date[11];
    char currency[4];
    bool inclusive;
    enum inv_status status;
    struct str branding_theme;
    const struct inv_line *lines;
    size_t line_count;
    struct money total, total_tax; /* what Xero must return */
};

struct inv_payment {
    struct str mark;    /* transaction id, or "order" for the one payment of a paid order ("order-2"
                         * for what a partly paid one paid later) */
    struct str account; /* code */
    char date[11];
    struct money amount;
    struct str reference; /* order name + transaction id */
};

/* Who the documents go to. NUMBER is our mark (ContactNumber): a hash of store and customer. */
struct inv_contact {
    char number[41];
    struct str name;          /* cleaned to Xero's syntax, never empty */
    struct str distinct_name; /* NAME with a suffix made of NUMBER: for when NAME is taken */
    struct str first_name, last_name, email;
};

enum inv_doc { INV_DOC_INVOICE, INV_DOC_CREDIT_NOTE, INV_DOC_PAYMENT, INV_DOC_CONTACT };
/* "Sales invoice", "Credit note", "Payment", "Contact": as the failed list shows them. */
const char *inv_doc_text(enum inv_doc d);

/* Something that keeps a document from being made. */
struct inv_problem {
    enum inv_doc doc;
    const char *catalogue; /* row id */
    struct str text;       /* a full sentence with the figures, titles, codes concerned */
};

/* What Xero was last seen to hold for this order. */
struct inv_known {
    bool has_invoice;
    struct str invoice_id, invoice_number, invoice_hash; /* "" if it was adopted without one */
    bool voided;
    struct money invoice_total;
    const struct inv_payment *payments; /* made by us: mark and amount count */
    size_t payment_count;
    char paid_day[11];     /* when the order was first seen paid; "" unknown */
    bool lines_may_change; /* a decision since the last export allows it */
    bool split_wait_over;  /* the wait for the transactions of a split payment has ended */
    bool split_waiting;    /* out: see inv_wanted.wait_for_split */
};

/* What Xero should hold. */
struct inv_wanted {
    /* Nothing to do but what PROBLEMS say: cancelled before anything existed or after we booked its
     * payment (then only its refunds follow), or nothing is left of it. */
    bool nothing;
    bool void_invoice; /* the invoice should be voided (or deleted, if a draft) */
    struct inv_invoice invoice;
    /* Of what the order says: lines, amounts, taxes. Not of mappings, dates and texts, which an
     * invoice keeps once it is written. To be handed back as inv_known.invoice_hash. */
    char invoice_hash[17];
    bool invoice_differs; /* INVOICE is to be written: there is none yet */
    struct inv_contact contact;
    const struct inv_payment *payments; /* all that should exist, made already or not */
    size_t payment_count;
    bool wait_for_split; /* several gateways, transactions not known yet: look again later */
    const struct inv_problem *problems;
    size_t problem_count;
};

/* Builds what Xero should hold. ERR_OK also when there are problems: a problem of the invoice means
 * that nothing may be sent for the order; one of a payment or credit note leaves the invoice
 * standing. ORDER_LINK is the shop's page of the order, written into the invoice's Url (the caller
 * gives another where that contains "xero"). Memory from ARENA; texts are borrowed from the order,
 * the settings and KNOWN. Errors: ERR_OVERFLOW, ERR_CURRENCY for amounts that cannot be added. */
enum err inv_build(const struct order *o, const struct inv_settings *s,
                   const struct inv_known *known, const char *order_link, struct arena *arena,
                   struct inv_wanted *out, struct errinfo *info) MUST_CHECK;

/* One element of PUT /Invoices, with its contact by id only. */
void inv_write_invoice(struct js_out *w, const struct inv_invoice *inv, const char *contact_id);
/* One element of PUT /Payments. */
void inv_write_payment(struct js_out *w, const struct inv_payment *p, const char *invoice_id);
/* One element of PUT /Contacts, under its own or its distinct name. */
void inv_write_contact(struct js_out *w, const struct inv_contact *c, bool distinct);
