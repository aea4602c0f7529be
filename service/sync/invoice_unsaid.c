/*
 * DESIGN: a shop that tells no refunds (Amazon's orders) only says what it now comes to. What was
 * entered as paid by that word, and is no longer said, was never received: it is given back as if
 * by a refund record of its own, whose money is worked out anew each time and never gets less.
 */
#include "service/sync/invoice.h"

#include "service/sync/invoice_books.h"

#define UNSAID "cancelled"

/* What was paid on documents that are there, and given back out of them, by us. */
static enum err entered(const struct inv_books *b, struct money *paid, struct money *back)
{
    const struct inv_known *k = b->w->known;

    *paid = *back = inv_zero(b);
    for (size_t i = 0; i < k->payment_count; i++) {
        const struct inv_known_doc *doc = inv_known_doc(k, k->payments[i].doc);

        if (doc && !doc->gone)
            RETURN_IF(inv_plus(doc->credit ? back : paid, k->payments[i].amount));
    }
    return ERR_OK;
}

static void add_refund(struct inv_books *b, struct money amount)
{
    struct inv_work *w = b->w;
    struct order *o = arena_array(w->arena, 1, sizeof *o);
    struct ord_refund *r = arena_array(w->arena, 1, sizeof *r);
    struct ord_transaction *t = arena_array(w->arena, 1, sizeof *t);

    *t = (struct ord_transaction){.id = STR(UNSAID), .amount = amount};
    if (w->o->state.gateway_count > 0)
        t->gateway = w->o->state.gateways[0];
    if (!ord_day(str_of(w->o->updated_at), t->day))
        t->day[0] = '\0';
    *r = (struct ord_refund){.id = t->id,
                             .has_money = true,
                             .amount = amount,
                             .duties = inv_zero(b),
                             .fees = inv_zero(b),
                             .transactions = t,
                             .transaction_count = 1};
    memcpy(r->day, t->day, sizeof r->day);
    *o = *w->o;
    o->refunds = r;
    o->refund_count = 1;
    w->o = o;
}

enum err inv_take_back_unsaid(struct inv_books *b)
{
    const struct order *o = b->w->o;
    struct money paid, back, gone;

    if (!o->tells_no_refunds || b->partial || b->frozen ||
        (!b->dropped && o->state.paid != ORD_PAID))
        return ERR_OK;
    RETURN_IF(entered(b, &paid, &back));
    RETURN_IF(mon_sub(paid, b->dropped ? inv_zero(b) : b->left.total, &gone));
    gone = inv_most(gone, back);
    if (gone.units > 0)
        add_refund(b, gone);
    return ERR_OK;
}

static bool is_taxed(const struct order *o)
{
    for (size_t i = 0; i < o->line_count; i++)
        if (o->lines[i].tax_count > 0)
            return true;
    return o->total_tax.units != 0;
}

/* Whether prices include tax in the documents, by the first that has any. */
static bool is_inclusive(const struct inv_known *k, bool otherwise)
{
    for (size_t i = 0; i < k->doc_count; i++)
        if (!k->docs[i].gone && k->docs[i].has_lines && k->docs[i].tax.units != 0)
            return k->docs[i].inclusive;
    return otherwise;
}

void inv_go_on_as_written(struct inv_work *w)
{
    const struct inv_known_doc *sale = inv_known_doc(w->known, STR("invoice"));
    bool dropped = w->o->state.cancelled && !w->o->state.kept;
    struct order *o;

    if (!w->o->tells_no_refunds || !sale || sale->gone || !sale->has_lines ||
        (is_taxed(w->o) && !dropped))
        return;
    o = arena_array(w->arena, 1, sizeof *o);
    *o = *w->o;
    o->taxes_included = is_inclusive(w->known, sale->inclusive);
    if (!o->currency[0]) {
        memcpy(o->currency, sale->total.currency, sizeof o->currency);
        memcpy(o->shop_currency, o->currency, sizeof o->currency);
        memcpy(o->presentment_currency, o->currency, sizeof o->currency);
    }
    w->o = o;
}
