/*
 * order_life: the life of one order, told in words, and the books that come of it. A word is a
 * thing that happens in the shop ("take:a1" takes one of line a off) or an export. The exports of a
 * life are built by inv_build and carried out on a Xero of a few lines, which refuses what Xero
 * refuses. For test files only; one thread.
 *
 *   incl, state, lines, off, draft, never   prices include tax; no transactions are told; discounts
 *                         on lines of their own; payments are not recorded; drafts; TaxAmount is
 *                         never sent
 *   sell:2x10.00-1.00@20  a line (a, b, c...): quantity, price, discount, tax in percent (20)
 *   ship:5.00             a shipping line
 *   pay:30.00, pay:rest   money of the buyer; lose: the last transaction is not told; find: it is
 *   take:a1, take:ship    an edit takes a quantity, or the shipping, off
 *   back:a1,b1            a refund of what its lines cost; back:a1=9.00 of another sum;
 *                         back:=9.00 of money alone; back:~9.00 with an adjustment of that;
 *                         back:~9.00=5.00 both
 *   parts, sent:a1, sent:all   only what has shipped is invoiced; a shipment
 *   cancel
 *   void:invoice, change:invoice, other:invoice=9.00   a person voids a document in Xero, changes
 *                         it, or enters a payment on it
 *   again                 by hand: the next export makes what a person voided
 *   closed:2026-10-01     the books are closed before that day
 *   export, money         an export; one that may not change lines
 *   export:2              an export that dies after two calls
 */
#pragma once

#include "service/sync/invoice.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define LINK "https://mugs.myshopify.com/admin/orders/900"
#define LIFE_LINES 6
#define LIFE_REFUNDS 24
#define LIFE_PAYMENTS 12
#define LIFE_DOCS 64
#define LIFE_CALLS 160

/* Amounts in cents. */
struct life_line {
    int64_t quantity, price, discount, percent;
    int64_t net, tax;                    /* of the whole line */
    int64_t taken, taken_net, taken_tax; /* by edits and refunds */
    int64_t sent;
};

struct life {
    const char *story;
    bool inclusive, by_state, wants_draft;
    struct life_line rows[LIFE_LINES];
    size_t row_count, ship; /* SHIP: the row of the shipping, or LIFE_LINES */
    int64_t received, given_back, removed, refunded; /* REMOVED, REFUNDED: values */
    size_t told;                                     /* payments that are told */
    bool cancelled;
    /* the order */
    struct arena arena;
    struct ord_tax taxes[LIFE_LINES];
    struct ord_line lines[LIFE_LINES];
    struct ord_refund refunds[LIFE_REFUNDS];
    struct ord_transaction payments[LIFE_PAYMENTS];
    size_t payment_count;
    struct str gateway;
    struct order o;
    struct inv_pair rates[2];
    struct inv_settings s;
    /* Xero */
    struct inv_known_doc docs[LIFE_DOCS];
    struct inv_payment paid[LIFE_CALLS];
    struct inv_allocation allocated[LIFE_CALLS];
    struct inv_known known;
    struct inv_wanted w;
    size_t ids;
    struct str changes, foreign_doc; /* documents that persons changed, and paid on */
    struct money foreign;
    size_t looks;
    bool problems; /* of the last export */
};

static inline struct money cents(int64_t n)
{
    struct money m = mon_zero("EUR");

    m.units = n * 100;
    return m;
}

static inline int64_t half_up(int64_t a, int64_t b)
{
    return (2 * a + b) / (2 * b);
}

/* ---- words ---- */

static inline int64_t life_amount(const char **p)
{
    int64_t n = 0;
    int decimals = -1;

    for (; (**p >= '0' && **p <= '9') || **p == '.'; (*p)++) {
        if (**p == '.')
            decimals = 0;
        else
            n = n * 10 + (**p - '0');
        decimals += decimals >= 0 && **p != '.';
    }
    for (int i = decimals < 0 ? 0 : decimals; i < 2; i++)
        n *= 10;
    return n;
}

static inline int64_t life_number(const char **p)
{
    int64_t n = 0;

    for (; **p >= '0' && **p <= '9'; (*p)++)
        n = n * 10 + (**p - '0');
    return n;
}

static inline void life_sell(struct life *l, const char *p, bool shipping)
{
    struct life_line *row = &l->rows[l->row_count];
    int64_t net;

    assert_true(l->row_count < LIFE_LINES);
    *row = (struct life_line){.quantity = 1, .percent = 20};
    if (!shipping) {
        row->quantity = life_number(&p);
        assert_int_equal(*p++, 'x');
    } else {
        l->ship = l->row_count;
    }
    row->price = life_amount(&p);
    if (*p == '-') {
        p++;
        row->discount = life_amount(&p);
    }
    if (*p == '@') {
        p++;
        row->percent = life_number(&p);
    }
    net = row->quantity * row->price - row->discount;
    row->net = net;
    row->tax = l->inclusive ? net - half_up(net * 100, 100 + row->percent)
                            : half_up(net * row->percent, 100);
    l->lines[l->row_count].id = str_of(arena_printf(&l->arena, "%zu", 11 + l->row_count));
    l->lines[l->row_count].title =
        shipping ? STR("Shipping") : str_of(arena_printf(&l->arena, "%c", 'A' + (int)l->row_count));
    l->row_count++;
}

/* K more of a row go: cumulative shares, so that all of it is the whole. */
static inline void life_take(struct life_line *row, int64_t k, int64_t *net, int64_t *tax)
{
    int64_t all = row->taken + k;

    assert_true(k > 0 && all <= row->quantity);
    *net = half_up(row->net * all, row->quantity) - row->taken_net;
    *tax = half_up(row->tax * all, row->quantity) - row->taken_tax;
    row->taken = all;
    row->taken_net += *net;
    row->taken_tax += *tax;
}

static inline struct life_line *life_row(struct life *l, const char **p, int64_t *k)
{
    if (strncmp(*p, "ship", 4) == 0) {
        *p += 4;
        *k = 1;
        return &l->rows[l->ship];
    }
    assert_true(**p >= 'a' && **p < 'a' + LIFE_LINES);
    struct life_line *row = &l->rows[*(*p)++ - 'a'];

    *k = life_number(p);
    return row;
}

static inline void life_edit(struct life *l, const char *p)
{
    int64_t k, net, tax;
    struct life_line *row = life_row(l, &p, &k);
    struct ord_line *line = &l->lines[row - l->rows];

    life_take(row, k, &net, &tax);
    if (line->removed_subtotal.currency[0] == '\0')
        line->removed_subtotal = line->removed_tax = cents(0);
    line->removed += row == &l->rows[l->ship] ? 0 : k;
    line->removed_subtotal.units += net * 100;
    line->removed_tax.units += tax * 100;
    l->removed += net + (l->inclusive ? 0 : tax);
}

static inline void life_refund(struct life *l, const char *p)
{
    struct ord_refund *r = &l->refunds[l->o.refund_count++];
    struct ord_refund_line *lines = arena_array(&l->arena, LIFE_LINES, sizeof *lines);
    struct ord_adjustment *a = arena_array(&l->arena, 1, sizeof *a);
    struct ord_transaction *t = arena_array(&l->arena, 1, sizeof *t);
    int64_t value = 0, money, k, net, tax;

    assert_true(l->o.refund_count <= LIFE_REFUNDS);
    *r = (struct ord_refund){.id = str_of(arena_printf(&l->arena, "%zu", l->o.refund_count)),
                             .day = "2026-09-05",
                             .has_money = true,
                             .lines = lines,
                             .adjustments = a,
                             .transactions = t,
                             .transaction_count = 1,
                             .duties = cents(0),
                             .fees = cents(0)};
    while (*p && *p != '=' && *p != '~') {
        struct life_line *row = life_row(l, &p, &k);

        life_take(row, k, &net, &tax);
        lines[r->line_count++] =
            (struct ord_refund_line){l->lines[row - l->rows].id, k, cents(net), cents(tax)};
        value += net + (l->inclusive ? 0 : tax);
        p += *p == ',';
    }
    money = value;
    if (*p == '~') {
        p++;
        money = life_amount(&p);
        *a = (struct ord_adjustment){ORD_ADJUST_DISCREPANCY, cents(value - money), cents(0)};
        r->adjustment_count = 1;
        value = money;
    }
    if (*p == '=') {
        p++;
        money = life_amount(&p);
    }
    r->amount = cents(money);
    *t = (struct ord_transaction){.id = str_of(arena_printf(&l->arena, "9%zu", l->o.refund_count)),
                                  .gateway = l->gateway,
                                  .amount = cents(money),
                                  .day = "2026-09-05"};
    l->refunded += value;
    l->given_back += money;
}

static inline void life_send(struct life *l, const char *p)
{
    bool all = strcmp(p, "all") == 0;
    int64_t k = 0;
    size_t only = LIFE_LINES;

    if (!all)
        only = (size_t)(life_row(l, &p, &k) - l->rows);
    for (size_t i = 0; i < l->row_count; i++) {
        int64_t left = l->rows[i].quantity - l->rows[i].taken;

        if (i == l->ship || (!all && i != only))
            continue;
        if (all)
            k = left > l->rows[i].sent ? left - l->rows[i].sent : 0;
        l->rows[i].sent += k;
        l->lines[i].shipped = l->rows[i].sent;
    }
}

static inline int64_t life_sold(const struct life *l)
{
    int64_t sum = 0;

    for (size_t i = 0; i < l->row_count; i++)
        sum += l->rows[i].net + (l->inclusive ? 0 : l->rows[i].tax);
    return sum;
}

static inline int64_t life_current(const struct life *l)
{
    return life_sold(l) - l->removed - l->refunded;
}

static inline int64_t life_outstanding(const struct life *l)
{
    return life_current(l) - (l->received - l->given_back);
}

static inline void life_pay(struct life *l, const char *p)
{
    int64_t amount = strcmp(p, "rest") == 0 ? life_outstanding(l) : life_amount(&p);
    struct ord_transaction *t = &l->payments[l->payment_count++];

    if (l->payment_count > LIFE_PAYMENTS || amount <= 0)
        fail_msg("%s: pays %lld", l->story, (long long)amount);
    *t = (struct ord_transaction){.id = str_of(arena_printf(&l->arena, "5%zu", l->payment_count)),
                                  .gateway = l->gateway,
                                  .amount = cents(amount),
                                  .day = "2026-09-03"};
    l->told = l->payment_count;
    l->received += amount;
}

/* ---- the order as it is ---- */

/* The order's lines. Returns whether edits left anything of them; TAX is that of all. */
static inline bool life_fill_lines(struct life *l, int64_t *tax)
{
    bool left = false;

    *tax = 0;
    for (size_t i = 0; i < l->row_count; i++) {
        const struct life_line *row = &l->rows[i];
        struct ord_line *line = &l->lines[i];

        l->taxes[i] = (struct ord_tax){.title = STR("VAT"), .amount = cents(row->tax)};
        l->taxes[i].rate.units = row->percent * (MON_RATE_SCALE / 100);
        line->kind = i == l->ship ? ORD_SHIPPING : ORD_PRODUCT;
        line->ships = i != l->ship;
        line->quantity = row->quantity;
        line->price = cents(row->price);
        line->discount = cents(row->discount);
        line->taxes = &l->taxes[i];
        line->tax_count = row->tax != 0;
        if (line->removed_subtotal.currency[0] == '\0')
            line->removed_subtotal = line->removed_tax = cents(0);
        left = left || (i == l->ship ? line->removed_subtotal.units < row->net * 100
                                     : line->removed < row->quantity);
        *tax += row->tax;
    }
    return left;
}

static inline void life_order(struct life *l)
{
    struct order *o = &l->o;
    int64_t tax;
    bool left = life_fill_lines(l, &tax);

    *o = (struct order){.platform = STR("shopify"),
                        .store = STR("mugs.myshopify.com"),
                        .id = STR("900"),
                        .name = STR("#1050"),
                        .created_at = "2026-09-01T10:00:00+02:00",
                        .updated_at = "2026-09-04T10:00:00+02:00",
                        .currency = "EUR",
                        .shop_currency = "EUR",
                        .presentment_currency = "EUR",
                        .taxes_included = l->inclusive,
                        .total = cents(life_sold(l)),
                        .total_tax = cents(tax),
                        .tip = cents(0),
                        .outstanding = cents(life_outstanding(l)),
                        .current_total = cents(life_current(l)),
                        .cash_rounding = cents(0),
                        .duties = cents(0),
                        .fees = cents(0),
                        .lines = l->lines,
                        .line_count = l->row_count,
                        .due_days = -1,
                        .payments = l->payments,
                        .payment_count = l->by_state ? 0 : l->told,
                        .refunds = l->refunds,
                        .refund_count = o->refund_count};
    o->state = (struct ord_state){.created_day = "2026-09-01",
                                  .cancelled = l->cancelled,
                                  .refunded = l->given_back > 0,
                                  .gateways = &l->gateway,
                                  .gateway_count = 1};
    if (l->received > 0)
        o->state.paid = l->given_back == 0 && life_outstanding(l) > 0 ? ORD_PARTLY_PAID : ORD_PAID;
    o->state.kept = l->received > l->given_back;
    o->state.nothing_left = !left && !o->state.kept;
}

/* ---- Xero ---- */

static inline struct inv_known_doc *life_doc(struct life *l, struct str name)
{
    for (size_t i = 0; i < l->known.doc_count; i++)
        if (str_eq(l->docs[i].name, name) && !l->docs[i].gone)
            return &l->docs[i];
    fail_msg("%s: there is no %.*s", l->story, STR_FMT(name));
    return NULL;
}

/* What may still be paid on a document, out of it, or counted; -1 in LOCKED if nothing was yet. */
static inline int64_t life_open(const struct life *l, const struct inv_known_doc *doc, bool *locked)
{
    int64_t open = doc->total.units;

    *locked = false;
    for (size_t i = 0; i < l->known.payment_count; i++)
        if (str_eq(l->paid[i].doc, doc->name)) {
            open -= l->paid[i].amount.units;
            *locked = true;
        }
    for (size_t i = 0; i < l->known.allocation_count; i++)
        if (str_eq(l->allocated[i].note, doc->name) || str_eq(l->allocated[i].doc, doc->name)) {
            open -= l->allocated[i].amount.units;
            *locked = true;
        }
    return open;
}

/* The lines as Xero keeps them, after its own checks. */
static inline void life_write_lines(struct life *l, const struct inv_document *doc,
                                    struct inv_known_doc *k)
{
    struct inv_line *lines = arena_array(&l->arena, doc->line_count, sizeof *lines);
    int64_t total = 0, tax = 0;

    for (size_t i = 0; i < doc->line_count; i++) {
        const struct inv_line *x = &doc->lines[i];

        lines[i] = *x;
        if (x->item_id.n == 0)
            lines[i].item_id = str_of(arena_printf(&l->arena, "line-%zu", ++l->ids));
        lines[i].description = (struct str){NULL, 0};
        total += x->amount.units;
        tax += x->tax.units;
        if (llabs(x->tax.units) > llabs(x->amount.units) ||
            x->unit.units * x->quantity - x->discount.units != x->amount.units ||
            x->account.n == 0 || x->tax_type.n == 0 || (doc->credit && x->discount.units != 0))
            fail_msg("%s: Xero does not take \"%.*s\" of %.*s", l->story, STR_FMT(x->description),
                     STR_FMT(doc->name));
        for (size_t j = 0; j < i; j++)
            if (str_eq(lines[j].key, x->key))
                fail_msg("%s: key %.*s is twice in %.*s", l->story, STR_FMT(x->key),
                         STR_FMT(doc->name));
    }
    total += doc->inclusive ? 0 : tax;
    if (total != doc->total.units || tax != doc->total_tax.units || total < 0)
        fail_msg("%s: %.*s comes to %s", l->story, STR_FMT(doc->name), mon_text(doc->total).z);
    k->lines = lines;
    k->line_count = doc->line_count;
    k->total = doc->total;
    k->tax = doc->total_tax;
    memcpy(k->total.currency, "EUR", 4);
}

static inline void life_create(struct life *l, const struct inv_document *doc)
{
    struct inv_known_doc *k = &l->docs[l->known.doc_count++];

    assert_true(l->known.doc_count <= LIFE_DOCS);
    for (size_t i = 0; i + 1 < l->known.doc_count; i++)
        if (str_eq(l->docs[i].number, doc->number))
            fail_msg("%s: the number %.*s is taken", l->story, STR_FMT(doc->number));
    *k = (struct inv_known_doc){.name = arena_str(&l->arena, doc->name),
                                .id = str_of(arena_printf(&l->arena, "id-%zu", ++l->ids)),
                                .number = arena_str(&l->arena, doc->number),
                                .status =
                                    doc->status == INV_DRAFT ? STR("DRAFT") : STR("AUTHORISED"),
                                .credit = doc->credit,
                                .inclusive = doc->inclusive,
                                .has_lines = true};
    memcpy(k->date, doc->date, sizeof k->date);
    life_write_lines(l, doc, k);
}

static inline void life_change(struct life *l, const struct inv_document *doc)
{
    struct inv_known_doc *k = life_doc(l, doc->name);
    bool locked;

    (void)life_open(l, k, &locked);
    if (locked || !l->known.looked)
        fail_msg("%s: %.*s cannot be changed", l->story, STR_FMT(doc->name));
    if (doc->action == INV_VOID)
        k->gone = k->withdrawn = true;
    else
        life_write_lines(l, doc, k);
}

static inline void life_spend(struct life *l, struct str name, struct money amount)
{
    const struct inv_known_doc *k = life_doc(l, name);
    bool locked;

    if (amount.units <= 0 || amount.units > life_open(l, k, &locked))
        fail_msg("%s: %s is more than is left of %.*s", l->story, mon_text(amount).z,
                 STR_FMT(name));
}

/* Carries out up to CALLS of what is wanted. Returns how many there were. */
static inline size_t life_carry_out(struct life *l, size_t calls)
{
    size_t n = 0;

    for (size_t i = 0; i < l->w.doc_count; i++) {
        const struct inv_document *doc = &l->w.docs[i];

        if (doc->action == INV_KEEP || n++ >= calls)
            continue;
        if (doc->action == INV_CREATE)
            life_create(l, doc);
        else
            life_change(l, doc);
    }
    for (size_t i = 0; i < l->w.payment_count; i++) {
        const struct inv_payment *p = &l->w.payments[i];

        if (p->made || n++ >= calls)
            continue;
        life_spend(l, p->doc, p->amount);
        for (size_t k = 0; k < l->known.payment_count; k++)
            if (str_eq(l->paid[k].mark, p->mark))
                fail_msg("%s: %.*s is paid twice", l->story, STR_FMT(p->mark));
        l->paid[l->known.payment_count++] = *p;
    }
    for (size_t i = 0; i < l->w.allocation_count; i++) {
        const struct inv_allocation *a = &l->w.allocations[i];

        if (a->made || n++ >= calls)
            continue;
        life_spend(l, a->note, a->amount);
        life_spend(l, a->doc, a->amount);
        l->allocated[l->known.allocation_count++] = *a;
    }
    assert_true(l->known.payment_count < LIFE_CALLS && l->known.allocation_count < LIFE_CALLS);
    return n;
}

static inline void life_build(struct life *l)
{
    struct errinfo info = {""};

    life_order(l);
    if (inv_build(&l->o, &l->s, &l->known, LINK, &l->arena, &l->w, &info) != ERR_OK)
        fail_msg("%s: %s", l->story, info.text);
}

/* ---- what people do in Xero ---- */

static inline void life_meddle(struct life *l, char what, const char *p)
{
    size_t n = strcspn(p, "=");
    struct inv_known_doc *k = life_doc(l, (struct str){p, n});

    if (what == 'v')
        k->gone = true;
    else if (what == 'c')
        l->changes = k->name;
    else if (p[n] == '=') {
        p += n + 1;
        l->foreign_doc = k->name;
        l->foreign = cents(life_amount(&p));
    }
}

/* What only a look shows. */
static inline void life_look(struct life *l, bool looked)
{
    l->known.looked = looked;
    for (size_t i = 0; i < l->known.doc_count; i++) {
        struct inv_known_doc *k = &l->docs[i];

        if (str_eq(k->name, l->changes))
            k->changes = looked ? STR("The total is 1.00 there.") : STR("");
        if (str_eq(k->name, l->foreign_doc))
            k->foreign = looked ? l->foreign : cents(0);
    }
}

/* One export, of up to CALLS calls. Returns how many it wanted to make. */
static inline size_t life_export(struct life *l, size_t calls, bool lines)
{
    l->known.docs = l->docs;
    l->known.payments = l->paid;
    l->known.allocations = l->allocated;
    l->known.lines_may_change = lines;
    life_look(l, false);
    life_build(l);
    l->looks += l->w.look_first;
    if (l->w.look_first) {
        life_look(l, true);
        life_build(l);
        assert_false(l->w.look_first);
    }
    l->known.again = false;
    l->problems = l->w.problem_count > 0;
    for (size_t i = 0; i < l->w.problem_count; i++)
        if (l->w.problems[i].doc == INV_DOC_INVOICE)
            return 0;
    return life_carry_out(l, calls);
}

/* ---- the whole ---- */

static inline void life_start(struct life *l, const char *story)
{
    *l = (struct life){.story = story, .ship = LIFE_LINES, .gateway = STR("stripe")};
    l->rates[0] = (struct inv_pair){STR("0.2"), STR("OUTPUT2")};
    l->rates[1] = (struct inv_pair){STR("0.05"), STR("RROUTPUT")};
    l->s = (struct inv_settings){.prefix = STR("m-"),
                                 .reference = STR("{name}"),
                                 .record_payments = true,
                                 .rounding_limit = 0,
                                 .account_default = STR("200"),
                                 .account_shipping = STR("201"),
                                 .account_discounts = STR("202"),
                                 .account_rounding = STR("860"),
                                 .tax_by_rate = {l->rates, 2},
                                 .tax_exempt = STR("NONE"),
                                 .payment_default = STR("091")};
}

static inline bool life_is(const char *word, const char *name, const char **rest)
{
    size_t n = strlen(name);

    *rest = word + n + (word[n] == ':');
    return strncmp(word, name, n) == 0 && (word[n] == '\0' || word[n] == ':');
}

/* One word. Exports happen only if EXPORTS. */
static inline void life_word(struct life *l, const char *word, bool exports)
{
    const char *rest;

    if (life_is(word, "export", &rest) || life_is(word, "money", &rest)) {
        if (exports)
            (void)life_export(l, *rest ? (size_t)life_number(&rest) : SIZE_MAX, *word == 'e');
    } else if (life_is(word, "sell", &rest)) {
        life_sell(l, rest, false);
    } else if (life_is(word, "ship", &rest)) {
        life_sell(l, rest, true);
    } else if (life_is(word, "pay", &rest)) {
        life_pay(l, rest);
    } else if (life_is(word, "take", &rest)) {
        life_edit(l, rest);
    } else if (life_is(word, "back", &rest)) {
        life_refund(l, rest);
    } else if (life_is(word, "lose", &rest)) {
        l->told -= l->told > 0;
    } else if (life_is(word, "find", &rest)) {
        l->told = l->payment_count;
    } else if (life_is(word, "cancel", &rest)) {
        l->cancelled = true;
    } else if (life_is(word, "incl", &rest)) {
        l->inclusive = true;
    } else if (life_is(word, "state", &rest)) {
        l->by_state = true;
    } else if (life_is(word, "lines", &rest)) {
        l->s.discount_lines = true;
    } else if (life_is(word, "void", &rest) || life_is(word, "change", &rest) ||
               life_is(word, "other", &rest)) {
        life_meddle(l, *word, arena_str(&l->arena, str_of(rest)).p);
    } else if (life_is(word, "again", &rest)) {
        l->known.again = true;
    } else if (life_is(word, "closed", &rest)) {
        l->s.lock_next_open_day = true;
        memcpy(l->known.open_from, rest, 11);
    } else if (life_is(word, "parts", &rest)) {
        l->s.quantities_fulfilled = true;
    } else if (life_is(word, "sent", &rest)) {
        life_send(l, rest);
    } else if (life_is(word, "off", &rest)) {
        l->s.record_payments = false;
    } else if (life_is(word, "never", &rest)) {
        l->s.tax_amounts_never = true;
    } else if (life_is(word, "draft", &rest)) {
        l->s.status = INV_DRAFT;
    } else {
        fail_msg("%s: what is \"%s\"?", l->story, word);
    }
}

/* Lives through a story. */
static inline void life_run(struct life *l, const char *story, bool exports)
{
    char text[2048], *save = NULL;

    assert_true(strlen(story) < sizeof text);
    memcpy(text, story, strlen(story) + 1);
    life_start(l, story);
    for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save))
        life_word(l, word, exports);
}

/* ---- the books ---- */

struct life_sum {
    struct str account, tax_type;
    int64_t amount, tax;
};

struct life_books {
    struct life_sum sums[16];
    size_t count;
    int64_t paid, due, unused; /* UNUSED: what is left of credit notes */
};

static inline void life_count(struct life_books *b, const struct inv_line *line, int sign)
{
    size_t i = 0;

    while (i < b->count && !(str_eq(b->sums[i].account, line->account) &&
                             str_eq(b->sums[i].tax_type, line->tax_type)))
        i++;
    assert_true(i < 16);
    if (i == b->count)
        b->sums[b->count++] = (struct life_sum){line->account, line->tax_type, 0, 0};
    b->sums[i].amount += sign * line->amount.units;
    b->sums[i].tax += sign * line->tax.units;
}

static inline void life_books(const struct life *l, struct life_books *b)
{
    *b = (struct life_books){.count = 0};
    for (size_t i = 0; i < l->known.doc_count; i++) {
        const struct inv_known_doc *doc = &l->docs[i];
        bool locked;

        if (doc->gone)
            continue;
        for (size_t k = 0; k < doc->line_count; k++)
            life_count(b, &doc->lines[k], doc->credit ? -1 : 1);
        *(doc->credit ? &b->unused : &b->due) += life_open(l, doc, &locked);
    }
    for (size_t i = 0; i < l->known.payment_count; i++)
        for (size_t k = 0; k < l->known.doc_count; k++)
            if (!l->docs[k].gone && str_eq(l->docs[k].name, l->paid[i].doc))
                b->paid += (l->docs[k].credit ? -1 : 1) * l->paid[i].amount.units;
    /* What nobody has entered yet keeps both sides open: only their difference tells. */
    if (l->s.status == INV_DRAFT || !l->s.record_payments) {
        b->due -= b->unused;
        b->unused = 0;
    }
}

static inline int64_t life_of(const struct life_books *b, const struct life_sum *like, bool tax)
{
    for (size_t i = 0; i < b->count; i++)
        if (str_eq(b->sums[i].account, like->account) &&
            str_eq(b->sums[i].tax_type, like->tax_type))
            return tax ? b->sums[i].tax : b->sums[i].amount;
    return 0;
}

/* The tax of a tax type, on whatever accounts. */
static inline int64_t life_tax(const struct life_books *b, struct str type)
{
    int64_t sum = 0;

    for (size_t i = 0; i < b->count; i++)
        sum += str_eq(b->sums[i].tax_type, type) ? b->sums[i].tax : 0;
    return sum;
}

/* Between a line and its discount on another account, it is Xero's arithmetic that splits the tax:
 * only their sum is the shop's. */
static inline bool life_covers(const struct life *l, const struct life_books *a,
                               const struct life_books *b)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct life_sum *sum = &a->sums[i];

        if (sum->amount != life_of(b, sum, false) ||
            life_tax(a, sum->tax_type) != life_tax(b, sum->tax_type) ||
            (!l->s.discount_lines && sum->tax != life_of(b, sum, true)))
            return false;
    }
    return true;
}

/* "200 OUTPUT2 30.00 tax 6.00, ... paid 36.00, due 0.00, unused 0.00". */
static inline void life_print_books(const struct life_books *b, struct buf *out)
{
    for (size_t i = 0; i < b->count; i++)
        buf_printf(out, "%.*s %.*s %s tax %s, ", STR_FMT(b->sums[i].account),
                   STR_FMT(b->sums[i].tax_type), mon_text(cents(b->sums[i].amount / 100)).z,
                   mon_text(cents(b->sums[i].tax / 100)).z);
    buf_printf(out, "paid %s, due %s, unused %s", mon_text(cents(b->paid / 100)).z,
               mon_text(cents(b->due / 100)).z, mon_text(cents(b->unused / 100)).z);
}

static inline bool life_same(const struct life *l, const struct life_books *a,
                             const struct life_books *b)
{
    return a->paid == b->paid && a->due == b->due && a->unused == b->unused &&
           life_covers(l, a, b) && life_covers(l, b, a);
}

/* What Xero holds, in a line: "invoice 36.00 paid 36.00; C1 12.00 paid 12.00". */
static inline void life_print(const struct life *l, struct buf *out)
{
    for (size_t i = 0; i < l->known.doc_count; i++) {
        const struct inv_known_doc *doc = &l->docs[i];
        int64_t paid = 0, counted = 0;

        for (size_t k = 0; k < l->known.payment_count; k++)
            if (str_eq(l->paid[k].doc, doc->name))
                paid += l->paid[k].amount.units;
        for (size_t k = 0; k < l->known.allocation_count; k++)
            if (str_eq(l->allocated[k].note, doc->name) || str_eq(l->allocated[k].doc, doc->name))
                counted += l->allocated[k].amount.units;
        buf_printf(out, "%s%.*s ", out->n ? "; " : "", STR_FMT(doc->name));
        if (doc->gone) {
            buf_addz(out, "void");
            continue;
        }
        buf_printf(out, "%s", mon_text(doc->total).z);
        if (paid)
            buf_printf(out, " paid %s", mon_text(cents(paid / 100)).z);
        if (counted)
            buf_printf(out, " counted %s", mon_text(cents(counted / 100)).z);
    }
    for (size_t i = 0; i < l->w.problem_count; i++)
        buf_printf(out, "%s%s", out->n ? "; " : "", l->w.problems[i].catalogue);
}
