/*
 * shopify_dump: an order as readable lines, as in the .expect files of tests/data/orders. For test
 * files only.
 */
#pragma once

#include "service/sync/order.h"

static inline void print_state(const struct order *o, struct buf *b)
{
    static const char *const paid[] = {"unpaid", "partly paid", "paid"};
    static const char *const shipped[] = {"unfulfilled", "partly fulfilled", "fulfilled"};
    const struct ord_state *s = &o->state;

    buf_printf(b, "state: %s, %s%s%s%s%s%s%s%s\n", paid[s->paid], shipped[s->fulfilment],
               s->cancelled ? ", cancelled" : "", s->refunded ? ", refunded" : "",
               s->kept ? ", money kept" : "", s->test ? ", test" : "",
               s->zero_value ? ", zero value" : "", s->nothing_left ? ", nothing left" : "",
               s->third_party ? ", third party" : "");
    buf_printf(b, "status: %.*s\ncreated: %s\nprocessed: %s\nshipped: %s\ncancelled: %s\n",
               STR_FMT(o->shop_status), s->created_day, o->processed_at, o->fulfilled_day,
               o->cancelled_day);
}

static inline void print_money(const struct order *o, struct buf *b)
{
    bool foreign = strcmp(o->currency, o->presentment_currency) != 0;

    buf_printf(b, "currency: %s", o->currency);
    if (strcmp(o->currency, o->shop_currency) != 0)
        buf_printf(b, " (shop: %s)", o->shop_currency);
    else if (foreign)
        buf_printf(b, " (buyer: %s)", o->presentment_currency);
    buf_printf(b, "\nprices: %s tax\nexempt: %s\ntotal: %s\n",
               o->taxes_included ? "with" : "without", o->tax_exempt ? "yes" : "no",
               mon_text(o->total).z);
    buf_printf(b, "tax: %s\ntip: %s\ncurrent: %s\noutstanding: %s\n", mon_text(o->total_tax).z,
               mon_text(o->tip).z, mon_text(o->current_total).z, mon_text(o->outstanding).z);
    if (o->duties.units != 0)
        buf_printf(b, "duties: %s\n", mon_text(o->duties).z);
    if (o->fees.units != 0)
        buf_printf(b, "fees: %s\n", mon_text(o->fees).z);
    if (o->cash_rounding.units != 0)
        buf_printf(b, "cash rounding: %s\n", mon_text(o->cash_rounding).z);
    buf_addz(b, "gateways: ");
    for (size_t i = 0; i < o->state.gateway_count; i++)
        buf_printf(b, "%s%.*s", i ? ", " : "", STR_FMT(o->state.gateways[i]));
}

static inline void print_party(const struct order *o, struct buf *b)
{
    const struct ord_party *p = &o->party;
    struct str customer = p->customer_id.n ? p->customer_id : STR("guest");

    buf_printf(b, "\nsource: %.*s\ntags: %.*s\ncustomer: %.*s\nperson: %.*s\ncompany: %.*s%s\n",
               STR_FMT(o->state.source), STR_FMT(o->state.tags), STR_FMT(customer),
               STR_FMT(p->name), STR_FMT(p->company), p->is_company ? " (buyer)" : "");
    buf_printf(b, "email: %.*s\ncountry: %.*s\npo: %.*s\ndue: %s", STR_FMT(p->email),
               STR_FMT(o->country), STR_FMT(o->po_number), o->due_day);
    if (o->due_days >= 0)
        buf_printf(b, " (%lld days)", (long long)o->due_days);
    buf_addc(b, '\n');
}

static inline void print_line(const struct ord_line *l, struct buf *b)
{
    static const char *const kinds[] = {"product", "gift card", "tip", "shipping", "duty", "fee"};

    buf_printf(b, "line: %s %.*s: %lld x %s - %s: %.*s", kinds[l->kind], STR_FMT(l->id),
               (long long)l->quantity, mon_text(l->price).z, mon_text(l->discount).z,
               STR_FMT(l->title));
    if (l->sku.n > 0)
        buf_printf(b, " [%.*s]", STR_FMT(l->sku));
    buf_addc(b, '\n');
    if (l->ships)
        buf_printf(b, "  ships: %lld of %lld\n", (long long)l->shipped, (long long)l->quantity);
    else if (l->kind == ORD_PRODUCT || l->kind == ORD_GIFT_CARD || l->kind == ORD_TIP)
        buf_addz(b, "  ships: no\n");
    if (l->removed > 0 || l->removed_subtotal.units != 0)
        buf_printf(b, "  removed: %lld for %s, tax %s\n", (long long)l->removed,
                   mon_text(l->removed_subtotal).z, mon_text(l->removed_tax).z);
    for (size_t i = 0; i < l->tax_count; i++)
        buf_printf(b, "  tax: %s %.*s %s%s\n", mon_text(l->taxes[i].amount).z,
                   STR_FMT(l->taxes[i].title), mon_rate_text(l->taxes[i].rate).z,
                   l->taxes[i].channel_liable ? " (marketplace)" : "");
}

static inline void print_refund(const struct ord_refund *r, struct buf *b)
{
    buf_printf(b, "refund: %.*s %s %s%s\n", STR_FMT(r->id), r->day,
               r->has_money ? mon_text(r->amount).z : "no money",
               r->other_currency ? " and other money" : "");
    for (size_t i = 0; i < r->line_count; i++) {
        const struct ord_refund_line *l = &r->lines[i];

        buf_printf(b, "  line: %.*s %lld for %s, tax %s\n", STR_FMT(l->line_id),
                   (long long)l->quantity, mon_text(l->subtotal).z, mon_text(l->tax).z);
    }
    for (size_t i = 0; i < r->adjustment_count; i++) {
        const struct ord_adjustment *a = &r->adjustments[i];

        buf_printf(b, "  %s: %s, tax %s\n",
                   a->kind == ORD_ADJUST_SHIPPING ? "shipping" : "discrepancy",
                   mon_text(a->amount).z, mon_text(a->tax).z);
    }
    if (r->duties.units != 0)
        buf_printf(b, "  duties: %s\n", mon_text(r->duties).z);
    if (r->fees.units != 0)
        buf_printf(b, "  fees: %s\n", mon_text(r->fees).z);
    for (size_t i = 0; i < r->transaction_count; i++) {
        const struct ord_transaction *t = &r->transactions[i];

        buf_printf(b, "  paid back: %.*s %.*s %s %s %s\n", STR_FMT(t->id), STR_FMT(t->gateway),
                   mon_text(t->amount).z, t->amount.currency, t->day);
    }
}

static inline void print_order(const struct order *o, struct buf *b)
{
    buf_printf(b, "id: %.*s\nname: %.*s\n", STR_FMT(o->id), STR_FMT(o->name));
    print_state(o, b);
    print_money(o, b);
    print_party(o, b);
    for (size_t i = 0; i < o->line_count; i++)
        print_line(&o->lines[i], b);
    for (size_t i = 0; i < o->refund_count; i++)
        print_refund(&o->refunds[i], b);
}

/* Compares line by line, without the spaces at the lines' ends; names the first that differs. */
static inline void compare(const char *name, struct str wanted, struct str got)
{
    while (wanted.p || got.p) {
        struct str a = str_split(&wanted, '\n'), b = str_split(&got, '\n');

        while (a.n > 0 && a.p[a.n - 1] == ' ')
            a.n--;
        while (b.n > 0 && b.p[b.n - 1] == ' ')
            b.n--;
        if (!str_eq(a, b))
            fail_msg("%s: expected \"%.*s\", read \"%.*s\"", name, STR_FMT(a), STR_FMT(b));
    }
}
