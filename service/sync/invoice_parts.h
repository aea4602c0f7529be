/*
 * invoice_parts: what the files of the invoice module share: the work on one order and its steps.
 * Nobody else includes it but tests. Pure; the work belongs to one thread.
 */
#pragma once

#include "service/sync/invoice.h"

/* Xero's summary values have two decimals in every currency (unit prices have four). */
#define INV_DECIMALS 2

#define RETURN_IF(e)                                                                               \
    do {                                                                                           \
        enum err failed_ = (e);                                                                    \
        if (failed_ != ERR_OK)                                                                     \
            return failed_;                                                                        \
    } while (0)

/* *SUM += M and *SUM -= M. */
static inline enum err inv_plus(struct money *sum, struct money m)
{
    return mon_add(*sum, m, sum);
}
static inline enum err inv_less(struct money *sum, struct money m)
{
    return mon_sub(*sum, m, sum);
}

/* One order on its way to documents. */
struct inv_work {
    const struct order *o;
    const struct inv_settings *s;
    const struct inv_known *known;
    struct arena *arena;
    struct errinfo *info;
    struct inv_problem *problems; /* grows by doubling */
    size_t problem_count, problem_room;
    const struct str *keys;           /* of the order's lines, once they were asked for */
    const struct inv_coding *largest; /* inv_code_largest, once it was asked for */
};

/* Records a problem of document DOC. CATALOGUE is a row's id; the text is a full sentence. The same
 * text again is dropped. */
void inv_fail(struct inv_work *w, enum inv_doc doc, const char *catalogue, const char *fmt, ...)
    PRINTF(4, 5);

/* "sample-store" of "sample-store.myshopify.com": how a store is called in short. */
struct str inv_handle(const struct order *o);
/* The value of KEY; {NULL,0} if it has none. NOCASE ignores the case of ASCII letters. */
struct str inv_find(const struct inv_map *map, struct str key, bool nocase);

/* The line KEY as it was written in a document that is not gone; NULL: none. */
const struct inv_line *inv_written_line(const struct inv_known *known, struct str key);

/* ---- invoice_head.c ---- */

/* What stands above the lines of the sale: number, reference, link, dates, currency, status, theme
 * and tracking. What Xero would not take is recorded as a problem of the invoice. */
void inv_make_head(struct inv_work *w, const char *order_link, struct inv_document *doc);
/* Dates DOC with DAY, or with the first day that is not in a locked period; DAY is then added to
 * its reference, which has to be in place: "#1042 (dated 2026-01-31)". */
void inv_set_date(struct inv_work *w, const char day[11], struct inv_document *doc);

/* ---- invoice_vat.c ---- */

/* Makes w->o an order in which the VAT that the shop does not state is stated, by the store's
 * settings, or as it is written. A line whose VAT neither tells stays `vat_unstated`: it cannot be
 * booked. */
enum err inv_state_vat(struct inv_work *w) MUST_CHECK;

/* ---- invoice_unsaid.c ---- */

/* What an Amazon order says with its amounts alone, one that was cancelled, or has lost all with a
 * tax, says no more: w->o then has the currency of its sale in Xero, and its prices include tax as
 * there. */
void inv_go_on_as_written(struct inv_work *w);

/* ---- invoice_accounts.c ---- */

/* How something is booked. RATE is the sum of the shop's own rates: what Xero's tax type is taken
 * to charge; 0 where it is exempt, and where the shop states a tax without its rate. */
struct inv_coding {
    struct str account, tax_type;
    struct str titles; /* of the taxes, sorted and joined by " + "; "" where it is exempt */
    struct rate rate;
};

/* The order's line of that id; NULL: none. */
const struct ord_line *inv_order_line(const struct order *o, struct str id);
/* What a line is called in a document: never empty. */
struct str inv_line_title(const struct ord_line *line);
/* How a line of the order is booked: the same in every document and every build; as it was written,
 * if it was. What is not mapped is recorded as a problem of DOC. */
void inv_code_line(struct inv_work *w, enum inv_doc doc, const struct ord_line *line,
                   struct inv_coding *out);
/* The tax type of what has no tax; WHAT names it where none is mapped: "\"Mug\"". */
struct str inv_code_exempt(struct inv_work *w, enum inv_doc doc, const char *what);
/* The tax type and rate that most of the order's value stands under, with the default account;
 * exempt if no line is taxed. */
void inv_code_largest(struct inv_work *w, enum inv_doc doc, struct inv_coding *out);

/* ---- invoice_draft.c ---- */

/* How much of an order. */
enum inv_share {
    INV_SOLD,   /* all that was ever sold */
    INV_LEFT,   /* less what edits removed */
    INV_SHIPPED /* of that, what has shipped; with shipping, tips, duties, fees once anything has */
};

/* Nothing is left that has to be shipped and has not been: INV_SHIPPED is then INV_LEFT. */
bool inv_all_shipped(const struct order *o);
/* The key that a line of w->o has in every document: its id, or one made of its place. */
struct str inv_line_key(struct inv_work *w, const struct ord_line *line);

/* A line of a share, with what the shop says of it. */
struct inv_draft {
    const struct ord_line *from;
    struct inv_line line;     /* not mapped, nothing computed yet */
    struct money off;         /* to be taken off its amount, and no discount */
    struct money tax;         /* what the shop charges, at Xero's decimals */
    struct inv_coding coding; /* once it is mapped */
};

/* What a total is made of, at full precision; REMOVED and CHANNEL (what a marketplace remits) with
 * their tax. */
struct inv_terms {
    struct money goods, discounts, shipping, tips, duties, fees, tax, channel, removed, cash;
};

/* The drafts of a share, and what they have to come to in Xero. */
struct inv_drafts {
    struct inv_draft *rows;
    size_t count; /* 0: nothing of this share is there */
    struct inv_terms terms;
    struct money total, total_tax;
};

/* What the shop says of SHARE; errors as inv_make_lines. */
enum err inv_draft_lines(struct inv_work *w, enum inv_share share,
                         struct inv_drafts *out) MUST_CHECK;

/* ---- invoice_lines.c ---- */

/* How far sums of LINES lines may be apart: rounding_limit times the currency's smallest amount.
 * Where the shop counts in a third decimal, which Xero does not have, half a cent more for the
 * amount and for the tax of each line. */
struct money inv_tolerance(const struct inv_work *w, size_t lines);

/* quantity x unit - discount, as Xero rounds it. */
enum err inv_line_amount(const struct inv_line *line, struct money *out) MUST_CHECK;
/* What Xero computes as the tax of AMOUNT at rate R: included in it where the order's prices
 * include tax, else on top. */
enum err inv_line_tax(const struct inv_work *w, struct money amount, struct rate r,
                      struct money *out) MUST_CHECK;
/* Fills amount, tax and send_tax of a mapped line whose tax has to be WANTED: TaxAmount is sent
 * where Xero's own would differ (unless the store never sends it). What Xero would refuse is
 * recorded as a problem of DOC. */
enum err inv_finish_line(struct inv_work *w, enum inv_doc doc, struct inv_line *line, struct rate r,
                         struct money wanted) MUST_CHECK;

/* Lines as Xero would hold them, and what they come to. */
struct inv_lines {
    const struct inv_line *rows;
    size_t count; /* 0 without a problem: nothing of this share is there */
    struct money total, total_tax;
};

/* The lines of SHARE: accounts, tax types, Xero's arithmetic, the invariant. What keeps them from
 * coming right is recorded as a problem. ERR_OVERFLOW and ERR_CURRENCY for amounts that cannot be
 * added. */
enum err inv_make_lines(struct inv_work *w, enum inv_share share, struct inv_lines *out) MUST_CHECK;

/* ---- invoice_contact.c ---- */

/* Who the documents go to. */
void inv_make_contact(struct inv_work *w, struct inv_contact *c);
