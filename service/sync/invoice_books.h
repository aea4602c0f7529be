/*
 * invoice_books: what the files that reconcile an order with its documents in Xero share.
 *
 * DESIGN: everything follows from the order as it is now and from what is known to be in Xero, so
 * that the books end the same whenever exports took place.
 * - The sale should say what is left of the order (S). If more money was received than that, the
 *   invoice says all that was ever sold (F) instead, and a credit note takes the difference off.
 * - What may no longer be changed is followed by differences for each key: an invoice A<n> for what
 *   went up, a credit note C<n> for what went down. Invoices less these credit notes always say S.
 * - A refund record is a credit note R<id> of its own value.
 * - Payments are the money received, refund payments the money given back. Both sides are raised
 *   alike where one has no room for its money.
 * - Of the credit notes, what is not to be paid back counts against what is not to be paid.
 */
#pragma once

#include "service/sync/invoice_parts.h"

/* A document that exists or should. */
struct inv_entry {
    struct inv_document doc;
    const struct inv_known_doc *known; /* NULL: it is new */
    struct money left; /* of an invoice: still due; of a credit note: not used yet */
};

/* A refund record with money. */
struct inv_back {
    const struct ord_refund *refund;
    struct money docs;      /* what its lines, adjustments, duties and fees come to */
    struct money money;     /* what was given back */
    struct money excess;    /* MONEY - DOCS; 0 if it is no more than a rounding */
    struct money reserved;  /* in its note, for others to enter */
    bool refused;           /* no documents of it: a problem says why, or it is early */
    struct inv_entry *note; /* NULL: none, it is worth nothing but its money */
};

struct inv_books {
    struct inv_work *w;
    struct inv_document head;    /* what all documents of the order have in common */
    struct inv_lines sold, left; /* F and S; while not all has shipped, both what has */
    bool frozen;                 /* the lines in Xero stay what they are */
    bool partial;                /* not all has shipped: no refunds, no money yet */
    bool dropped;                /* the shop keeps neither goods sold nor money */
    bool has_sale;               /* there is an invoice, or there will be */
    struct money received;       /* all money of the buyer */
    struct money payable;        /* of that, what documents can say was paid: no more than was
                                      ever sold */
    struct money by_state;       /* received, as the shop's state alone says it */
    bool has_excess;             /* more was given back than what was taken back */
    struct inv_back *backs;
    size_t back_count;
    struct inv_entry *entries; /* the sale's first, without an id and number if there is none; then
                                  A's, C's, R's as far as known; then new ones */
    size_t entry_count;
    struct inv_payment *payments; /* these two grow by doubling */
    size_t payment_count, payment_room;
    struct inv_allocation *allocations;
    size_t allocation_count, allocation_room;
    bool wait_for_split;
};

/* The smaller and the larger of two; none of the order's currency. */
static inline struct money inv_least(struct money a, struct money b)
{
    return mon_cmp(a, b) < 0 ? a : b;
}
static inline struct money inv_most(struct money a, struct money b)
{
    return mon_cmp(a, b) > 0 ? a : b;
}
static inline struct money inv_zero(const struct inv_books *b)
{
    return mon_zero(b->w->o->currency);
}

/* ---- invoice.c ---- */

/* ROWS, of which COUNT are used, with room for one more; *ROOM is how many there is room for. */
void *inv_grown(struct arena *arena, void *rows, size_t count, size_t *room, size_t size);

/* ---- invoice_known.c ---- */

/* Reads what is known into B and makes the lines that the sale should have. */
enum err inv_open_books(struct inv_books *b, const char *order_link) MUST_CHECK;
/* Whether the entry is there: known or new, and not to be voided. */
bool inv_is_live(const struct inv_entry *e);
/* Beside the sale there are documents of edits. */
bool inv_has_later(const struct inv_books *b);
/* Xero does not take a change of a known entry: something was paid on it or out of it, or counts
 * against it; or its date is in a locked period. */
bool inv_is_locked(const struct inv_books *b, const struct inv_entry *e);
/* The document NAME was voided in Xero by a person, and nobody asked to make it again: records the
 * problem. */
bool inv_is_withheld(struct inv_books *b, enum inv_doc kind, struct str name);
/* Somebody changed what would have to be changed or followed: records the problem. */
bool inv_is_changed(struct inv_books *b);

/* ---- invoice_docs.c ---- */

/* Decides about the sale: made, kept, changed or voided. */
enum err inv_make_sale(struct inv_books *b) MUST_CHECK;
/* A new entry of B with everything but its lines: "<number>-<name>", dated with DAY but not before
 * the sale. NAME lives in the arena. */
struct inv_entry *inv_add_entry(struct inv_books *b, struct str name, bool credit, const char *day);
/* Gives a new entry its LINES, sums and what is left of it. */
enum err inv_set_lines(struct inv_books *b, struct inv_entry *e, const struct inv_line *lines,
                       size_t count) MUST_CHECK;
/* DAY, or the day of DOC, or the first open one: whichever is the latest. */
void inv_late_day(const struct inv_books *b, const char *day, const char *doc_day, char out[11]);

/* ---- invoice_diff.c ---- */

/* What one key lacks, and what raises both sides. */
struct inv_diff {
    const struct inv_line *like; /* with its account and tax type; as written, if it was */
    struct money amount, tax;
    struct money more, more_tax;
    int side; /* 1: up, -1: down, 0: nothing lacks */
};

struct inv_diffs {
    struct inv_books *b;
    struct inv_diff *rows;
    size_t count, room;
    size_t at; /* where the last key was found: lines come in the same order everywhere */
};

/* Adds the A and C that make the documents say what they should. */
enum err inv_make_differences(struct inv_books *b) MUST_CHECK;
/* Neither a discount nor a rounding. */
bool inv_is_goods(struct str key);

/* ---- invoice_later.c ---- */

/* Writes the rows of D into an A and a C: both or none, if a problem says why. */
enum err inv_make_later(struct inv_diffs *d) MUST_CHECK;
/* Fills quantity and unit of a line of AMOUNT for N things: N x unit where that is exact, else one
 * of the whole. Returns whether N x unit it is. */
bool inv_set_quantity(struct inv_line *line, int64_t n, struct money amount);

/* ---- invoice_unsaid.c ---- */

/* Makes w->o an order with a refund record of what was paid on its documents and the shop, which
 * tells no refunds, no longer says was paid. */
enum err inv_take_back_unsaid(struct inv_books *b) MUST_CHECK;

/* ---- invoice_money.c ---- */

/* Reads the refund records, counts what was received, and refuses records that the money does not
 * bear out. */
enum err inv_read_money(struct inv_books *b) MUST_CHECK;
/* How many lines a record makes. */
size_t inv_back_size(const struct ord_refund *r);
/* Records that the refund does not add up, with every term; it gets no documents. */
enum err inv_refuse_back(struct inv_books *b, struct inv_back *back) MUST_CHECK;

/* ---- invoice_refunds.c ---- */

/* The credit notes of refund records. */
enum err inv_make_refunds(struct inv_books *b) MUST_CHECK;

/* ---- invoice_pay.c ---- */

/* Payments are recorded for this gateway. */
bool inv_records(const struct inv_books *b, struct str gateway);
/* Account of payments by the gateway; a problem, and empty, if there is none. */
struct str inv_pay_account(struct inv_books *b, struct str gateway);
/* MARK is BASE, or BASE on one document: "BASE@C1". */
bool inv_has_base(struct str mark, struct str base);
/* Money by the transaction (or part of the whole) BASE on the entry; nothing if it is there. */
enum err inv_pay_on(struct inv_books *b, struct inv_entry *e, struct str base, struct str account,
                    const char *day, struct money amount) MUST_CHECK;
/* The payments of the invoices. */
enum err inv_make_payments(struct inv_books *b) MUST_CHECK;

/* ---- invoice_payback.c ---- */

/* Money paid back from credit notes, and what of them counts against invoices. */
enum err inv_make_paybacks(struct inv_books *b) MUST_CHECK;
enum err inv_make_allocations(struct inv_books *b) MUST_CHECK;
