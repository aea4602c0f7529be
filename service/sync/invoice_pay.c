/*
 * DESIGN: payments only ever go up. What we made before stays; from the order's transactions, or
 * from its state where it has at most one gateway, follows what is missing, never more than is due.
 * A split between gateways is never guessed. What was paid by the state alone (its marks begin with
 * "order") is the money of the first transactions that turn up later.
 */
#include "service/sync/invoice.h"

#include "service/sync/invoice_books.h"

#define WHOLE_MARK "order"

/* ---- gateways ---- */

/* The gateways that are named: an empty name is none. */
static size_t named_gateways(const struct order *o, struct str *first)
{
    size_t n = 0;

    *first = (struct str){NULL, 0};
    for (size_t i = 0; i < o->state.gateway_count; i++) {
        struct str name = str_trim(o->state.gateways[i]);

        if (name.n == 0 || (n > 0 && str_eq_nocase(name, *first)))
            continue;
        if (n++ == 0)
            *first = name;
    }
    return n;
}

static bool is_off(const struct inv_settings *s, struct str gateway)
{
    for (size_t i = 0; i < s->payment_off_count; i++)
        if (str_eq_nocase(s->payment_off[i], gateway))
            return true;
    return false;
}

/* The gateways of the order are all turned off (and there is one). */
static bool all_off(const struct order *o, const struct inv_settings *s)
{
    size_t named = 0, off = 0;

    for (size_t i = 0; i < o->state.gateway_count; i++) {
        struct str name = str_trim(o->state.gateways[i]);

        named += name.n > 0;
        off += name.n > 0 && is_off(s, name);
    }
    return named > 0 && named == off;
}

bool inv_records(const struct inv_books *b, struct str gateway)
{
    const struct inv_settings *s = b->w->s;

    return s->record_payments && s->status == INV_AUTHORISED && !is_off(s, gateway);
}

struct str inv_pay_account(struct inv_books *b, struct str gateway)
{
    const struct inv_settings *s = b->w->s;
    struct str account = inv_find(&s->payment_by_gateway, gateway, true);

    if (account.n == 0)
        account = s->payment_default;
    if (account.n == 0)
        inv_fail(b->w, INV_DOC_PAYMENT, "payment-account-unmapped",
                 "No account is mapped for payments by %.*s: map the gateway "
                 "(mappings.payments.gateways) or a default (mappings.payments.default).",
                 STR_FMT(gateway.n ? gateway : STR("an unnamed gateway")));
    return account;
}

/* ---- one payment ---- */

bool inv_has_base(struct str mark, struct str base)
{
    return str_starts(mark, base) && (mark.n == base.n || mark.p[base.n] == '@');
}

static bool is_there(const struct inv_books *b, struct str mark)
{
    for (size_t i = 0; i < b->payment_count; i++)
        if (str_eq(b->payments[i].mark, mark))
            return true;
    return false;
}

/* "#1050 51": a payment is found again by it, so a long name is cut before the mark. */
static struct str reference_of(const struct inv_work *w, struct str mark)
{
    size_t room = mark.n < LIM_NAME ? LIM_NAME - mark.n - 1 : 0;
    struct str name = str_cut(w->o->name, room);

    return str_cut(str_of(arena_printf(w->arena, "%.*s %.*s", STR_FMT(name), STR_FMT(mark))),
                   LIM_NAME);
}

/* The mark of money by BASE on the document: "BASE", "BASE@A1"; a further part of it, which another
 * payment was taken for before, "BASE@A1-2". N: which one. */
static struct str part_mark(const struct inv_books *b, struct str base, struct str doc, size_t n)
{
    if (n == 1 && str_eq(doc, STR("invoice")))
        return base;
    if (n == 1)
        return str_of(arena_printf(b->w->arena, "%.*s@%.*s", STR_FMT(base), STR_FMT(doc)));
    return str_of(arena_printf(b->w->arena, "%.*s@%.*s-%zu", STR_FMT(base), STR_FMT(doc), n));
}

/* A further payment of B: zeroed. */
static struct inv_payment *new_payment(struct inv_books *b)
{
    b->payments = inv_grown(b->w->arena, b->payments, b->payment_count, &b->payment_room,
                            sizeof *b->payments);
    return &b->payments[b->payment_count++];
}

enum err inv_pay_on(struct inv_books *b, struct inv_entry *e, struct str base, struct str account,
                    const char *day, struct money amount)
{
    struct inv_work *w = b->w;
    struct inv_payment *made = NULL;
    size_t n = 1;
    struct str mark = part_mark(b, base, e->doc.name, n), told = base;

    if (amount.units <= 0)
        return ERR_OK;
    while (is_there(b, mark))
        mark = part_mark(b, base, e->doc.name, ++n);
    if (n > 1)
        told = str_of(arena_printf(w->arena, "%.*s-%zu", STR_FMT(base), n));
    made = new_payment(b);
    *made = (struct inv_payment){
        .mark = mark, .doc = e->doc.name, .account = account, .amount = amount};
    made->reference = reference_of(w, told);
    inv_late_day(b, day, e->doc.date, made->date);
    return inv_less(&e->left, amount);
}

/* ---- the payments of an order ---- */

struct pay {
    struct inv_books *b;
    struct money made; /* on invoices so far */
};

/* AMOUNT by the gateway, on the invoices that are due, in their order. */
static enum err pay(struct pay *p, struct str gateway, struct str base, const char *day,
                    struct money amount)
{
    struct inv_books *b = p->b;
    struct money open;
    struct str account;

    RETURN_IF(mon_sub(b->payable, p->made, &open));
    amount = inv_least(amount, open);
    if (amount.units <= 0)
        return ERR_OK;
    account = inv_pay_account(b, gateway);
    if (!day[0])
        day = b->w->known->paid_day;
    for (size_t i = 0; i < b->entry_count && account.n > 0; i++) {
        struct inv_entry *e = &b->entries[i];
        struct money part = inv_least(amount, e->left);
        size_t before = b->payment_count;

        if (!inv_is_live(e) || e->doc.credit)
            continue;
        RETURN_IF(inv_pay_on(b, e, base, account, day, part));
        if (b->payment_count == before)
            continue;
        RETURN_IF(inv_plus(&p->made, part));
        RETURN_IF(inv_less(&amount, part));
    }
    return ERR_OK;
}

/* What is recorded of transaction ID, or of the whole by the state if it is NULL. */
static enum err recorded(const struct inv_books *b, const struct str *id, struct money *out)
{
    const struct inv_known *k = b->w->known;

    *out = inv_zero(b);
    for (size_t i = 0; i < k->payment_count; i++) {
        const struct inv_payment *p = &k->payments[i];

        if (id ? inv_has_base(p->mark, *id) : str_starts(p->mark, STR(WHOLE_MARK)))
            RETURN_IF(inv_plus(out, p->amount));
    }
    return ERR_OK;
}

/* One payment a transaction, as far as it is not recorded. WHOLE is what was paid by the state and
 * becomes what of it is no transaction's money. */
static enum err pay_transactions(struct pay *p, struct money *whole)
{
    struct inv_books *b = p->b;
    const struct order *o = b->w->o;

    for (size_t i = 0; i < o->payment_count; i++) {
        const struct ord_transaction *t = &o->payments[i];
        struct money rest, made, covered;

        if (is_off(b->w->s, t->gateway))
            continue;
        if (strcmp(t->amount.currency, o->currency) != 0) {
            inv_fail(b->w, INV_DOC_PAYMENT, "unsupported-kind",
                     "The payment %.*s is in %s and the invoice in %s. Payments in another "
                     "currency are not supported yet.",
                     STR_FMT(t->id), t->amount.currency, o->currency);
            continue;
        }
        RETURN_IF(mon_round(t->amount, INV_DECIMALS, &rest));
        RETURN_IF(recorded(b, &t->id, &made));
        RETURN_IF(inv_less(&rest, made));
        if (rest.units <= 0)
            continue;
        covered = inv_least(rest, *whole);
        RETURN_IF(inv_less(whole, covered));
        RETURN_IF(inv_less(&rest, covered));
        RETURN_IF(pay(p, t->gateway, t->id, t->day, rest));
    }
    return ERR_OK;
}

/* The mark of money that only the state knows of: its own, whatever came before. */
static struct str whole_mark(const struct inv_books *b)
{
    size_t n = b->w->known->payment_count;

    return n == 0 ? STR(WHOLE_MARK) : str_of(arena_printf(b->w->arena, WHOLE_MARK "-%zu", n + 1));
}

/* What the state says beyond the transactions that are known, less what was paid so: WHOLE. */
static enum err pay_by_state(struct pay *p, struct str gateway, struct money whole)
{
    struct inv_books *b = p->b;
    const struct order *o = b->w->o;
    struct money rest = b->by_state;

    if (is_off(b->w->s, gateway))
        return ERR_OK;
    for (size_t i = 0; i < o->payment_count; i++)
        if (strcmp(o->payments[i].amount.currency, o->currency) == 0)
            RETURN_IF(inv_less(&rest, o->payments[i].amount));
        else
            return ERR_OK;
    RETURN_IF(inv_less(&rest, whole));
    RETURN_IF(mon_round(rest, INV_DECIMALS, &rest));
    return pay(p, gateway, whole_mark(b), "", rest);
}

static enum err pay_all(struct pay *p)
{
    struct inv_books *b = p->b;
    const struct order *o = b->w->o;
    struct str gateway;
    size_t named = named_gateways(o, &gateway);
    struct money whole;

    RETURN_IF(recorded(b, NULL, &whole));
    if (o->payment_count > 0)
        RETURN_IF(pay_transactions(p, &whole));
    if (b->by_state.units <= 0 || all_off(o, b->w->s) || mon_cmp(p->made, b->payable) >= 0)
        return ERR_OK;
    if (named <= 1)
        return pay_by_state(p, gateway, whole);
    if (o->payment_count > 0)
        return ERR_OK;
    if (!b->w->known->split_wait_over)
        b->wait_for_split = true;
    else
        inv_fail(b->w, INV_DOC_PAYMENT, "payment-split-unknown",
                 "%.*s was paid through %zu gateways, and how much through each is not "
                 "known. The invoice stands without payments.",
                 STR_FMT(o->name), named);
    return ERR_OK;
}

/* Lists what was made on documents that are still there; MADE: of invoices. */
static enum err list_made(struct inv_books *b, struct money *made)
{
    const struct inv_known *k = b->w->known;

    for (size_t i = 0; i < k->payment_count; i++) {
        const struct inv_known_doc *doc = inv_known_doc(k, k->payments[i].doc);
        struct inv_payment *p;

        if (!doc || doc->gone)
            continue;
        p = new_payment(b);
        *p = k->payments[i];
        p->made = true;
        if (!doc->credit)
            RETURN_IF(inv_plus(made, k->payments[i].amount));
    }
    return ERR_OK;
}

enum err inv_make_payments(struct inv_books *b)
{
    struct pay p = {.b = b, .made = inv_zero(b)};

    RETURN_IF(list_made(b, &p.made));
    if (!b->has_sale || b->partial || !b->w->s->record_payments ||
        b->w->s->status != INV_AUTHORISED)
        return ERR_OK;
    return pay_all(&p);
}
