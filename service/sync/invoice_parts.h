/*
 * invoice_parts: what the files of the invoice module share: the work on one order and its steps.
 * Nobody else includes it. Pure; the work belongs to one thread.
 */
#pragma once

#include "service/sync/invoice.h"

/* Xero's summary values have two decimals in every currency (unit prices have four). */
#define INV_DECIMALS 2

/* One order on its way to documents. */
struct inv_work {
    const struct order *o;
    const struct inv_settings *s;
    const struct inv_known *known;
    struct arena *arena;
    struct errinfo *info;
    struct inv_problem *problems; /* grows by doubling */
    size_t problem_count, problem_room;
};

/* Records a problem of document DOC. CATALOGUE is a row's id; the text is a full sentence. The same
 * text again is dropped. */
void inv_fail(struct inv_work *w, enum inv_doc doc, const char *catalogue, const char *fmt, ...)
    PRINTF(4, 5);

/* "sample-store" of "sample-store.myshopify.com": how a store is called in short. */
struct str inv_handle(const struct order *o);
/* The value of KEY; {NULL,0} if it has none. NOCASE ignores the case of ASCII letters. */
struct str inv_find(const struct inv_map *map, struct str key, bool nocase);

/* ---- invoice_lines.c ---- */

/* How much of an order. */
enum inv_share {
    INV_SOLD,   /* all that was ever sold */
    INV_LEFT,   /* less what edits removed */
    INV_SHIPPED /* of that, what has shipped; with shipping, tips, duties, fees once anything has */
};

/* Lines as Xero would hold them, and what they come to. */
struct inv_lines {
    const struct inv_line *rows;
    size_t count;
    struct money total, total_tax;
};

/* The lines of SHARE: accounts, tax types, Xero's arithmetic, the invariant. What keeps them from
 * coming right is recorded as a problem. ERR_OVERFLOW and ERR_CURRENCY for amounts that cannot be
 * added. */
enum err inv_make_lines(struct inv_work *w, enum inv_share share, struct inv_lines *out) MUST_CHECK;

/* ---- invoice_pay.c ---- */

/* Fills payments and wait_for_split of OUT for the documents in OUT; errors as above. */
enum err inv_make_payments(struct inv_work *w, struct inv_wanted *out) MUST_CHECK;

/* ---- invoice_contact.c ---- */

/* Who the documents go to. */
void inv_make_contact(struct inv_work *w, struct inv_contact *c);
