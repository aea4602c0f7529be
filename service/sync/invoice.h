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

/* A tracking category of every line: a fixed option, or what stands behind TAG_PREFIX in the tag of
 * the order that begins so. */
struct inv_tracking {
    struct str category, option, tag_prefix;
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
    const struct inv_tracking *tracking;
    size_t tracking_count;
    struct str account_default, account_shipping, account_discounts, account_tips, account_duties,
        account_gift_cards, account_fees, account_rounding, account_marketplace_tax;
    struct inv_map account_by_sku, account_by_product_type, account_by_vendor;
    struct inv_map tax_by_title, tax_by_rate, tax_by_country;
    struct inv_map vat_rates; /* country or "*" -> rate */
    struct str tax_default, tax_exempt;
    struct str payment_default;
    struct inv_map payment_by_gateway;
    const struct str *payment_off;
    size_t payment_off_count;
};

/* A line of a document. Its KEY names what of the order it stands for: the order line's id, "tip",
 * "duty:<id>", "rounding"...; each document has a key once, and the same thing has the same key in
 * every build. There is no comma in it. */
struct inv_line {
    struct str key;
    struct str item_id; /* LineItemID of a line that Xero holds; "" of a new one */
    struct str description;
    int64_t quantity;
    struct money unit;
    struct money discount; /* 0 = none */
    struct str account, item_code, tax_type;
    bool send_tax;       /* TaxAmount is sent: Xero's own arithmetic would give another */
    struct money amount; /* quantity x unit - discount, as Xero will compute it */
    struct money tax;    /* as Xero will compute it, or as sent */
};

/* What is to be done with a document. */
enum inv_action {
    INV_KEEP,   /* Xero holds it as it should be, or it may not be touched */
    INV_CREATE, /* there is none yet */
    INV_UPDATE, /* the same document with other lines */
    INV_VOID    /* it should be void (deleted, if a draft) */
};

/* An invoice or a credit note. NAME is its own within the order: "invoice" the sale, "A1", "A2"...
 * what edits added after the documents before it were locked, "C1"... what edits took away then,
 * "R<refund id>" a refund. */
struct inv_document {
    struct str name;
    bool credit; /* a credit note */
    enum inv_action action;
    struct str id; /* Xero's; "" with INV_CREATE */
    struct str number, reference, url;
    char date[11], due_date[11]; /* a credit note has no due date */
    char currency[4];
    bool inclusive;
    enum inv_status status; /* with INV_CREATE */
    struct str branding_theme;
    const struct inv_tracking *tracking; /* of every line */
    size_t tracking_count;
    const struct inv_line *lines;
    size_t line_count;
    struct money total, total_tax; /* what Xero must return */
};

/* A payment of an invoice, or money paid back from a credit note. */
struct inv_payment {
    struct str mark;    /* its own within the order: the transaction's id, or "order" for the one
                         * payment of a paid order ("order-2" for what was paid later); with
                         * "@<document>" behind it if DOC is not the sale's invoice, and "-2" behind
                         * that for a second part of the same on the same document */
    struct str doc;     /* name of the document that is paid */
    bool made;          /* Xero holds it; the members below may then be empty, but not AMOUNT */
    struct str account; /* code */
    char date[11];
    struct money amount;
    struct str reference; /* order name + transaction id */
};

/* What of a credit note counts against an invoice. */
struct inv_allocation {
    struct str mark;      /* "<note>@<document>", a second one of the pair with "-2"... */
    struct str note, doc; /* their names */
    bool made;
    char date[11];
    struct money amount;
};

/* Room for a ContactNumber of ours. */
#define INV_MARK 41

/* Who the documents go to. NUMBER is our mark (ContactNumber): a hash of store and customer. */
struct inv_contact {
    char number[INV_MARK];
    struct str name;          /* cleaned to Xero's syntax, never empty */
    struct str distinct_name; /* NAME with a suffix made of NUMBER: for when NAME is taken */
    struct str first_name, last_name, email;
    bool by_email; /* EMAIL tells who it is: a person, not whoever bought for a company */
    struct str account_number; /* for a contact that is made; "" none */
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

/* A document that Xero was last seen to hold. */
struct inv_known_doc {
    struct str name, id, number;
    struct str status; /* Xero's word */
    bool credit;
    bool gone;               /* voided or deleted */
    bool withdrawn;          /* gone, and it was us, not a person */
    struct str contact_id;   /* "" unknown */
    struct money total, tax; /* currency "" in TOTAL: not known */
    char date[11];
    bool inclusive;
    bool has_lines; /* false: written before lines were recorded, or adopted without them */
    const struct inv_line *lines; /* as written; without descriptions and item codes */
    size_t line_count;
    /* only once it was looked at */
    struct str changes; /* what a person changed in it, both versions, as a sentence; "" nothing */
    struct money foreign; /* paid or credited on it by others than us; 0 if not looked at */
};

/* What Xero was last seen to hold for this order. */
struct inv_known {
    const struct inv_known_doc *docs; /* at most one that is not gone for each name */
    size_t doc_count;
    const struct inv_payment *payments; /* made by us: mark, doc and amount count */
    size_t payment_count;
    const struct inv_allocation *allocations; /* made by us */
    size_t allocation_count;
    char paid_day[11];  /* when the order was first seen paid; "" unknown */
    char open_from[11]; /* first day that is not in a locked period, where one was met; else "" */
    bool lines_may_change; /* a decision since the last export allows it */
    bool split_wait_over;  /* the wait for the transactions of a split payment has ended */
    bool looked;           /* DOCS are what Xero holds at this moment */
    bool again;            /* by hand: a new invoice in place of the one that was voided in Xero */
};
/* The document NAME that is not gone; failing that, the one that is; NULL: none. */
const struct inv_known_doc *inv_known_doc(const struct inv_known *known, struct str name);

/* What Xero should hold. */
struct inv_wanted {
    /* Nothing to do but what PROBLEMS say: cancelled before anything existed, nothing is left of
     * it, nothing has shipped yet. */
    bool nothing;
    /* What there is to do rests on what Xero holds: look at the known documents first, then build
     * again with known.looked. */
    bool look_first;
    const struct inv_document *docs; /* the sale first, where there is one */
    size_t doc_count;
    struct inv_contact contact;
    const struct inv_payment *payments; /* all that should exist, made already or not */
    size_t payment_count;
    const struct inv_allocation *allocations; /* as well */
    size_t allocation_count;
    bool wait_for_split; /* several gateways, transactions not known yet: look again later */
    const struct inv_problem *problems;
    size_t problem_count;
};
/* The document NAME that should exist; NULL: none. */
const struct inv_document *inv_wanted_doc(const struct inv_wanted *wanted, struct str name);

/* Builds what Xero should hold. ERR_OK also when there are problems: a problem of the invoice means
 * that nothing may be sent for the order; one of a payment or credit note leaves the other
 * documents standing. ORDER_LINK is the shop's page of the order, written into the invoice's Url
 * (the caller gives another where that contains "xero"). Memory from ARENA; texts are borrowed from
 * the order, the settings and KNOWN. Errors: ERR_OVERFLOW, ERR_CURRENCY for amounts that cannot be
 * added. */
enum err inv_build(const struct order *o, const struct inv_settings *s,
                   const struct inv_known *known, const char *order_link, struct arena *arena,
                   struct inv_wanted *out, struct errinfo *info) MUST_CHECK;

/* One element of PUT /Invoices or PUT /CreditNotes (INV_CREATE), with its contact by id only; or of
 * POST /Invoices (INV_UPDATE), by its id, with the LineItemID of the lines that are there. */
void inv_write_document(struct js_out *w, const struct inv_document *doc, struct str contact_id);
/* One element of PUT /Payments; ID is that of the invoice, or of the credit note if CREDIT. */
void inv_write_payment(struct js_out *w, const struct inv_payment *p, struct str id, bool credit);
/* One element of PUT /CreditNotes/{id}/Allocations. */
void inv_write_allocation(struct js_out *w, const struct inv_allocation *a, struct str invoice_id);
/* One element of PUT /Contacts, under its own or its distinct name. */
void inv_write_contact(struct js_out *w, const struct inv_contact *c, bool distinct);

/* Writes our mark of CUSTOMER of a store: the customer's id in the shop; "company-" and the id of a
 * company, or its name where the shop gives it no id; "guest" for all who have neither, or "single"
 * where the store has one contact. The same party has the same mark for ever. */
void inv_contact_mark(struct str platform, struct str store, struct str customer,
                      char out[INV_MARK]);
/* Whether NUMBER is our mark of a company. */
bool inv_is_company_mark(struct str number);
