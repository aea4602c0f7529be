/*
 * Fuzzes the reading of what Shopify sends: one body, taken as every topic's. An order that is
 * accepted, in either of its moneys, must keep what its header promises, also when the same body is
 * added to it as a refund and as a transaction.
 */
#include "service/sync/shopify.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void is_in(const struct order *o, struct money m)
{
    must(strcmp(m.currency, o->currency) == 0);
}

static void check_line(const struct order *o, const struct ord_line *l)
{
    struct money sum;

    must(l->quantity >= 0 && l->removed >= 0 && l->removed <= l->quantity);
    must(l->shipped >= 0 && l->shipped <= l->quantity);
    must(l->removed_subtotal.units >= 0 && l->removed_tax.units >= 0);
    must(mon_mul(l->price, l->quantity, &sum) == ERR_OK);
    must(l->title.n <= LIM_NAME);
    is_in(o, l->price);
    is_in(o, l->discount);
    is_in(o, l->removed_subtotal);
    is_in(o, l->removed_tax);
    for (size_t i = 0; i < l->tax_count; i++)
        is_in(o, l->taxes[i].amount);
    if (l->kind >= ORD_SHIPPING)
        must(l->quantity == 1 && !l->ships && l->shipped == 0);
}

static void check_refund(const struct order *o, const struct ord_refund *f)
{
    must(!f->has_money || f->id.n > 0);
    must(f->has_money || (f->transaction_count == 0 && f->amount.units == 0));
    is_in(o, f->amount);
    is_in(o, f->duties);
    is_in(o, f->fees);
    for (size_t i = 0; i < f->line_count; i++) {
        must(f->lines[i].quantity >= 0);
        is_in(o, f->lines[i].subtotal);
        is_in(o, f->lines[i].tax);
    }
    for (size_t i = 0; i < f->adjustment_count; i++) {
        is_in(o, f->adjustments[i].amount);
        is_in(o, f->adjustments[i].tax);
    }
    for (size_t i = 0; i < f->transaction_count; i++) {
        must(f->transactions[i].id.n > 0 && strlen(f->transactions[i].amount.currency) == 3);
        must(f->other_currency || strcmp(f->transactions[i].amount.currency, o->currency) == 0);
    }
}

static void check_order(const struct order *o)
{
    char stamp[ORD_STAMP + 1];
    int64_t id;

    must(str_int64(o->id, &id) && id > 0);
    must(o->name.n > 0 && o->name.n <= LIM_NAME && strlen(o->currency) == 3);
    must(strlen(o->shop_currency) == 3);
    must(o->line_count <= 4 * LIM_ORDER_LINES + 2);
    must(!(o->state.nothing_left && o->state.kept));
    is_in(o, o->total);
    is_in(o, o->tip);
    is_in(o, o->outstanding);
    is_in(o, o->current_total);
    for (size_t i = 0; i < o->line_count; i++)
        check_line(o, &o->lines[i]);
    for (size_t i = 0; i < o->refund_count; i++)
        check_refund(o, &o->refunds[i]);
    for (size_t i = 0; i < o->payment_count; i++)
        is_in(o, o->payments[i].amount);
    ord_stamp(o, STR("2026-09-01T10:00:00Z"), stamp);
    must(stamp[0] == '\0' || strlen(stamp) == ORD_STAMP);
}

static void read_in(const struct js_value *root, enum shp_money money)
{
    struct arena arena = {NULL, 0};
    struct errinfo info = {""};
    struct order o;

    if (shp_read_order(root, STR("a.myshopify.com"), money, &arena, &o, &info) == ERR_OK) {
        check_order(&o);
        err_ignore(shp_add_refund(root, &arena, &o, &info), "either way the order holds");
        err_ignore(shp_add_transaction(root, &arena, &o, &info), "either way the order holds");
        check_order(&o);
    } else {
        must(info.text[0] != '\0');
    }
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct js_doc doc = {0};
    struct errinfo info = {""};
    struct str id;

    if (js_parse((struct str){(const char *)data, n}, LIM_JSON_BYTES, &doc, &info) != ERR_OK)
        return 0;
    for (int t = 0; t <= SHP_OTHER; t++) {
        if (shp_body_fits((enum shp_topic)t, doc.root))
            must(js_type(doc.root) == JS_OBJECT);
        if (shp_order_id((enum shp_topic)t, doc.root, &id))
            must(id.n > 0 && id.p[0] != '0');
    }
    read_in(doc.root, SHP_SHOP_MONEY);
    read_in(doc.root, SHP_PRESENTMENT_MONEY);
    js_free(&doc);
    return 0;
}
