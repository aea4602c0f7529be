/*
 * DESIGN: a refund record with money says two things: what was taken back (lines, adjustments,
 * duties, fees) and what was given back. They are the same, or the difference has a reason in the
 * order's money: the buyer had paid for what an edit then took away, or had not paid all. Any other
 * difference is a problem that names every term.
 */
#include "service/sync/invoice.h"

#include "service/sync/invoice_books.h"

/* ---- what records say ---- */

/* The terms of a record, for the sum and for the sentence that says they do not add up. */
struct terms {
    struct money lines, tax, adjustments;
};

/* What was taken back, positive. Adjustments are negative where they give something back. */
static enum err add_terms(struct inv_books *b, struct inv_back *back, struct terms *t)
{
    const struct ord_refund *r = back->refund;

    *t = (struct terms){inv_zero(b), inv_zero(b), inv_zero(b)};
    for (size_t i = 0; i < r->line_count; i++) {
        RETURN_IF(inv_plus(&t->lines, r->lines[i].subtotal));
        if (!b->w->o->taxes_included)
            RETURN_IF(inv_plus(&t->tax, r->lines[i].tax));
    }
    for (size_t i = 0; i < r->adjustment_count; i++) {
        RETURN_IF(inv_less(&t->adjustments, r->adjustments[i].amount));
        RETURN_IF(inv_less(&t->adjustments, r->adjustments[i].tax));
    }
    RETURN_IF(mon_add(t->lines, t->tax, &back->docs));
    RETURN_IF(inv_plus(&back->docs, t->adjustments));
    if (r->duties.units != 0)
        RETURN_IF(inv_plus(&back->docs, r->duties));
    if (r->fees.units != 0)
        RETURN_IF(inv_plus(&back->docs, r->fees));
    return mon_round(back->docs, INV_DECIMALS, &back->docs);
}

size_t inv_back_size(const struct ord_refund *r)
{
    return r->line_count + r->adjustment_count;
}

static struct inv_entry *known_note(struct inv_books *b, const struct ord_refund *r)
{
    for (size_t i = 1; i < b->entry_count; i++) {
        struct str name = b->entries[i].doc.name;

        if (*name.p == 'R' && str_eq((struct str){name.p + 1, name.n - 1}, r->id))
            return &b->entries[i];
    }
    return NULL;
}

/* The record came before the order that has all its lines: what they are is not known yet. */
static bool is_early(const struct inv_books *b, const struct ord_refund *r)
{
    for (size_t i = 0; i < r->line_count && r->apart; i++)
        if (!inv_order_line(b->w->o, r->lines[i].line_id))
            return true;
    return false;
}

static enum err read_back(struct inv_books *b, struct inv_back *back)
{
    struct terms t;

    back->note = known_note(b, back->refund);
    back->refused = is_early(b, back->refund);
    RETURN_IF(add_terms(b, back, &t));
    RETURN_IF(mon_round(back->refund->amount, INV_DECIMALS, &back->money));
    if (back->refund->other_currency)
        back->money = back->docs;
    RETURN_IF(mon_sub(back->money, back->docs, &back->excess));
    if (mon_cmp(mon_abs(back->excess), inv_tolerance(b->w, inv_back_size(back->refund))) <= 0)
        back->excess = inv_zero(b);
    return ERR_OK;
}

/* ---- what was received ---- */

/* Sums over records. */
struct sums {
    struct money docs, money;
    struct money over; /* of the excesses above 0 */
};

/* APART: of those, too, that came by their own message. The order's figures may be older. */
static enum err sum_backs(struct inv_books *b, bool apart, struct sums *s)
{
    *s = (struct sums){inv_zero(b), inv_zero(b), inv_zero(b)};
    for (size_t i = 0; i < b->back_count; i++) {
        const struct inv_back *back = &b->backs[i];

        if (back->refund->apart && !apart)
            continue;
        RETURN_IF(inv_plus(&s->docs, back->docs));
        RETURN_IF(inv_plus(&s->money, back->money));
        if (back->excess.units > 0)
            RETURN_IF(inv_plus(&s->over, back->excess));
    }
    return ERR_OK;
}

/* What the shop's own balance says is left of the order: S less what was taken back. Edits whose
 * record came before the order that knows of them are not in that balance. */
static enum err settled_total(struct inv_books *b, const struct sums *s, struct money *out)
{
    const struct order *o = b->w->o;
    struct terms t;

    RETURN_IF(mon_sub(b->left.total, s->docs, out));
    for (size_t i = 0; i < o->refund_count; i++) {
        struct inv_back edit = {.refund = &o->refunds[i]};

        if (!edit.refund->apart || edit.refund->has_money)
            continue;
        RETURN_IF(add_terms(b, &edit, &t));
        RETURN_IF(inv_plus(out, edit.docs));
    }
    return ERR_OK;
}

/* Whether what the shop says is outstanding can be relied on. Of a paid order it may be just the
 * total, or not told at all; then it has to agree with what is left of the order. */
static enum err trusts_balance(struct inv_books *b, const struct sums *s, bool *out)
{
    const struct order *o = b->w->o;
    struct money gap;

    *out = o->state.paid == ORD_PARTLY_PAID || o->outstanding.units < 0 ||
           (s->money.units > 0 && o->outstanding.units > 0 &&
            mon_cmp(o->outstanding, o->current_total) < 0);
    if (*out || o->outstanding.units != 0)
        return ERR_OK;
    RETURN_IF(settled_total(b, s, &gap));
    RETURN_IF(inv_less(&gap, o->current_total));
    *out = mon_cmp(mon_abs(gap), inv_tolerance(b->w, o->line_count)) <= 0;
    return ERR_OK;
}

/* What the shop's state says was received. Where nothing is kept, that is what was given back. What
 * is left and not outstanding has been paid, with what was given back of it; where the balance
 * cannot be relied on, the word "paid" says that all of it was, and what was given back of what
 * edits took away. */
static enum err received_by_state(struct inv_books *b, const struct sums *s)
{
    const struct order *o = b->w->o;
    struct money *out = &b->by_state, removed;
    bool trusted;

    *out = inv_zero(b);
    RETURN_IF(trusts_balance(b, s, &trusted));
    if (b->dropped || (s->money.units > 0 && !o->state.kept)) {
        *out = s->money;
    } else if (o->state.paid == ORD_UNPAID) {
        return ERR_OK;
    } else if (o->tells_no_refunds || (trusted && o->outstanding.units == 0)) {
        RETURN_IF(settled_total(b, s, out));
        RETURN_IF(inv_plus(out, s->money));
    } else if (trusted) {
        RETURN_IF(mon_sub(o->current_total, o->outstanding, out));
        RETURN_IF(inv_plus(out, s->money));
    } else {
        RETURN_IF(mon_sub(b->sold.total, b->left.total, &removed));
        RETURN_IF(mon_add(b->left.total, inv_least(s->over, removed), out));
    }
    return mon_round(*out, INV_DECIMALS, out);
}

static enum err count_received(struct inv_books *b, const struct sums *s)
{
    const struct order *o = b->w->o;
    struct money by_transactions = inv_zero(b);

    for (size_t i = 0; i < o->payment_count && !b->dropped; i++)
        if (strcmp(o->payments[i].amount.currency, o->currency) == 0)
            RETURN_IF(inv_plus(&by_transactions, o->payments[i].amount));
    RETURN_IF(mon_round(by_transactions, INV_DECIMALS, &by_transactions));
    RETURN_IF(received_by_state(b, s));
    b->received = inv_most(b->by_state, by_transactions);
    b->payable = b->received;
    if (!b->dropped && !o->tells_no_refunds)
        b->payable = inv_least(b->received, b->sold.total);
    return ERR_OK;
}

/* ---- which records the money bears out ---- */

enum err inv_refuse_back(struct inv_books *b, struct inv_back *back)
{
    const struct ord_refund *r = back->refund;
    const char *currency = b->w->o->currency;
    struct terms t;

    back->refused = true;
    RETURN_IF(add_terms(b, back, &t));
    inv_fail(b->w, INV_DOC_CREDIT_NOTE, "refund-does-not-reconcile",
             "Refund %.*s%s%s gave back %s %s, but what it took back comes to %s: lines %s, tax "
             "%s%s, adjustments %s, duties %s, fees %s. The order comes to %s, and %s was "
             "received.",
             STR_FMT(r->id), r->day[0] ? " of " : "", r->day, mon_text(back->money).z, currency,
             mon_text(back->docs).z, mon_text(t.lines).z, mon_text(t.tax).z,
             b->w->o->taxes_included ? " (included)" : "", mon_text(t.adjustments).z,
             mon_text(r->duties).z, mon_text(r->fees).z, mon_text(b->left.total).z,
             mon_text(b->received).z);
    return ERR_OK;
}

/* Money back is recorded already, or its note is written: the record stands. */
static bool stands(const struct inv_books *b, const struct inv_back *back)
{
    const struct inv_known *k = b->w->known;

    for (size_t i = 0; i < back->refund->transaction_count; i++)
        for (size_t n = 0; n < k->payment_count; n++)
            if (inv_has_base(k->payments[n].mark, back->refund->transactions[i].id))
                return true;
    return back->note || b->dropped;
}

/* How far money may be more (OVER) or less (UNDER) than what was taken back: more by what the buyer
 * had paid too much, or by what edits took away, for it may have been charged anew since; less by
 * what was not paid. Where the shop's balance ties with the money received, that is of all that was
 * ever sold; else of what is left, and what was too much pays for nothing. */
static enum err excess_rooms(struct inv_books *b, const struct sums *s, struct money *over,
                             struct money *under)
{
    struct money gap, removed;

    RETURN_IF(mon_sub(b->received, b->left.total, over));
    RETURN_IF(mon_sub(s->over, *over, under));
    RETURN_IF(mon_sub(b->sold.total, b->left.total, &removed));
    *over = inv_most(*over, removed);
    RETURN_IF(settled_total(b, s, &gap));
    RETURN_IF(inv_less(&gap, b->w->o->outstanding));
    RETURN_IF(inv_less(&gap, b->received));
    RETURN_IF(inv_plus(&gap, s->money));
    if (mon_cmp(mon_abs(gap), inv_tolerance(b->w, b->w->o->line_count + b->back_count)) > 0)
        return ERR_OK;
    return mon_sub(b->sold.total, b->received, under);
}

static enum err check_backs(struct inv_books *b, const struct sums *s)
{
    struct money over, under;

    RETURN_IF(excess_rooms(b, s, &over, &under));
    for (size_t i = 0; i < b->back_count; i++) {
        struct inv_back *back = &b->backs[i];
        struct money *room = back->excess.units > 0 ? &over : &under;
        struct money size = mon_abs(back->excess), beyond;

        RETURN_IF(mon_sub(size, *room, &beyond));
        if (!stands(b, back) &&
            (back->docs.units < 0 ||
             (size.units != 0 &&
              mon_cmp(beyond, inv_tolerance(b->w, inv_back_size(back->refund))) > 0)))
            RETURN_IF(inv_refuse_back(b, back));
        else
            RETURN_IF(inv_less(room, size));
    }
    return ERR_OK;
}

enum err inv_read_money(struct inv_books *b)
{
    const struct order *o = b->w->o;
    struct sums sums;

    b->backs = arena_array(b->w->arena, o->refund_count + 1, sizeof *b->backs);
    for (size_t i = 0; i < o->refund_count; i++) {
        if (!o->refunds[i].has_money || o->refunds[i].id.n == 0)
            continue;
        b->backs[b->back_count].refund = &o->refunds[i];
        RETURN_IF(read_back(b, &b->backs[b->back_count++]));
    }
    RETURN_IF(sum_backs(b, false, &sums));
    RETURN_IF(count_received(b, &sums));
    RETURN_IF(sum_backs(b, true, &sums));
    b->has_excess = sums.over.units > 0;
    return b->partial ? ERR_OK : check_backs(b, &sums);
}
