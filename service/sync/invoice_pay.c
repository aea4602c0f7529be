/*
 * DESIGN: payments only ever go up. What we made before stays; from the order's transactions, or
 * from its state where it has at most one gateway, follows what is missing, never more than the
 * invoice's total less what was made. A split between gateways is never guessed.
 */
#include "service/sync/invoice.h"

#include "service/sync/invoice_parts.h"

#define WHOLE_MARK "order"

struct pay {
    struct inv_work *w;
    struct str doc; /* name of the invoice */
    const char *invoice_day;
    struct inv_payment *out;
    size_t count;
    struct money due; /* what is left of the invoice */
};

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

static bool is_known(const struct inv_known *k, struct str mark)
{
    for (size_t i = 0; i < k->payment_count; i++)
        if (str_eq(k->payments[i].mark, mark))
            return true;
    return false;
}

/* Adds one payment of AMOUNT, or of what is due if that is less. DAY may be "". */
static enum err add_payment(struct pay *p, struct str gateway, struct str mark, const char *day,
                            struct money amount)
{
    const struct inv_settings *s = p->w->s;
    const struct inv_known *known = p->w->known;
    struct str account = inv_find(&s->payment_by_gateway, gateway, true);
    struct inv_payment *made = &p->out[p->count];
    enum err e = mon_round(amount, INV_DECIMALS, &amount);

    if (e != ERR_OK)
        return e;
    if (mon_cmp(amount, p->due) > 0)
        amount = p->due;
    if (amount.units <= 0)
        return ERR_OK;
    if (account.n == 0)
        account = s->payment_default;
    if (account.n == 0) {
        inv_fail(p->w, INV_DOC_PAYMENT, "payment-account-unmapped",
                 "No account is mapped for payments by %.*s: map the gateway "
                 "(mappings.payments.gateways) or a default (mappings.payments.default).",
                 STR_FMT(gateway.n ? gateway : STR("an unnamed gateway")));
        return ERR_OK;
    }
    *made = (struct inv_payment){.mark = mark, .doc = p->doc, .account = account, .amount = amount};
    made->reference = str_cut(
        str_of(arena_printf(p->w->arena, "%.*s %.*s", STR_FMT(p->w->o->name), STR_FMT(mark))),
        LIM_NAME);
    if (!day[0])
        day = known->paid_day[0] ? known->paid_day : p->invoice_day;
    memcpy(made->date, strcmp(day, p->invoice_day) < 0 ? p->invoice_day : day, sizeof made->date);
    p->count++;
    return mon_sub(p->due, amount, &p->due);
}

/* One payment a transaction. What was paid before as a part of the whole is the money of the first
 * of these transactions already: it is not paid again. */
static enum err pay_transactions(struct pay *p)
{
    const struct order *o = p->w->o;
    const struct inv_known *known = p->w->known;
    struct money paid_whole = mon_zero(o->currency);
    enum err e = ERR_OK;

    for (size_t i = 0; i < known->payment_count && e == ERR_OK; i++)
        if (str_starts(known->payments[i].mark, STR(WHOLE_MARK)))
            e = mon_add(paid_whole, known->payments[i].amount, &paid_whole);
    for (size_t i = 0; i < o->payment_count && e == ERR_OK; i++) {
        const struct ord_transaction *t = &o->payments[i];
        struct money amount = t->amount;

        if (is_known(known, t->id) || is_off(p->w->s, t->gateway))
            continue;
        if (strcmp(amount.currency, o->currency) != 0) {
            inv_fail(p->w, INV_DOC_PAYMENT, "unsupported-kind",
                     "The payment %.*s is in %s and the invoice in %s. Payments in another "
                     "currency are not supported yet.",
                     STR_FMT(t->id), amount.currency, o->currency);
            continue;
        }
        if (mon_cmp(amount, paid_whole) <= 0) {
            e = mon_sub(paid_whole, amount, &paid_whole);
            continue;
        }
        e = mon_sub(amount, paid_whole, &amount);
        paid_whole = mon_zero(o->currency);
        if (e == ERR_OK)
            e = add_payment(p, t->gateway, t->id, t->day, amount);
    }
    return e;
}

/* No transactions are known and at most one gateway is named: the state says how much was paid. */
static enum err pay_by_state(struct pay *p, struct str gateway, struct money total)
{
    const struct order *o = p->w->o;
    const struct inv_known *known = p->w->known;
    struct money paid = total, made = mon_zero(o->currency);
    struct str mark = STR(WHOLE_MARK);
    enum err e = ERR_OK;

    if (is_off(p->w->s, gateway))
        return ERR_OK;
    if (o->state.paid == ORD_PARTLY_PAID)
        e = mon_sub(o->current_total, o->outstanding, &paid);
    if (e == ERR_OK)
        e = mon_sub(total, p->due, &made);
    if (e == ERR_OK)
        e = mon_sub(paid, made, &paid);
    if (e != ERR_OK)
        return e;
    if (known->payment_count > 0) /* a later part: its mark must be its own */
        mark = str_of(arena_printf(p->w->arena, WHOLE_MARK "-%zu", known->payment_count + 1));
    return add_payment(p, gateway, mark, "", paid);
}

enum err inv_make_payments(struct inv_work *w, struct inv_wanted *out)
{
    const struct order *o = w->o;
    const struct inv_known *known = w->known;
    const struct inv_document *sale = &out->docs[0];
    struct pay p = {.w = w, .doc = sale->name, .invoice_day = sale->date, .due = sale->total};
    struct str gateway;
    size_t named = named_gateways(o, &gateway);
    enum err e = ERR_OK;

    p.out = arena_array(w->arena, known->payment_count + o->payment_count + 1, sizeof *p.out);
    for (size_t i = 0; i < known->payment_count && e == ERR_OK; i++) {
        p.out[p.count] = known->payments[i];
        p.out[p.count++].made = true;
        e = mon_sub(p.due, known->payments[i].amount, &p.due);
    }
    if (e != ERR_OK || !w->s->record_payments || w->s->status != INV_AUTHORISED || p.due.units <= 0)
        goto out;
    if (o->payment_count > 0)
        e = pay_transactions(&p);
    else if (o->state.paid == ORD_UNPAID || all_off(o, w->s))
        e = ERR_OK;
    else if (named <= 1)
        e = pay_by_state(&p, gateway, sale->total);
    else if (!known->split_wait_over)
        out->wait_for_split = true;
    else
        inv_fail(w, INV_DOC_PAYMENT, "payment-split-unknown",
                 "%.*s was paid through %zu gateways, and how much through each is not "
                 "known. The invoice stands without payments.",
                 STR_FMT(o->name), named);
out:
    out->payments = p.out;
    out->payment_count = p.count;
    return e;
}
