/*
 * Fuzzes the reading of what Shopify sends: one body, taken as every topic's. An order that is
 * accepted must keep what its header promises, also when the same body is added to it as a refund
 * and as a transaction.
 */
#include "service/sync/shopify.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_order(const struct order *o)
{
    char stamp[ORD_STAMP + 1];
    struct money sum;
    int64_t id;

    must(str_int64(o->id, &id) && id > 0);
    must(o->name.n > 0 && o->name.n <= LIM_NAME && strlen(o->currency) == 3);
    must(o->line_count <= 2 * LIM_ORDER_LINES);
    for (size_t i = 0; i < o->line_count; i++) {
        const struct ord_line *l = &o->lines[i];

        must(l->quantity >= 0 && l->removed >= 0 && l->removed <= l->quantity);
        must(mon_mul(l->price, l->quantity, &sum) == ERR_OK);
        must(strcmp(l->price.currency, o->currency) == 0);
        must(l->title.n <= LIM_NAME);
    }
    for (size_t i = 0; i < o->payment_count; i++)
        must(strcmp(o->payments[i].amount.currency, o->currency) == 0);
    ord_stamp(o, STR("2026-09-01T10:00:00Z"), stamp);
    must(stamp[0] == '\0' || strlen(stamp) == ORD_STAMP);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct js_doc doc = {NULL};
    struct arena arena = {NULL, 0};
    struct errinfo info = {""};
    struct order o;
    struct str id;

    if (js_parse((struct str){(const char *)data, n}, LIM_JSON_BYTES, &doc, &info) != ERR_OK)
        return 0;
    for (int t = 0; t <= SHP_OTHER; t++) {
        if (shp_body_fits((enum shp_topic)t, doc.root))
            must(js_type(doc.root) == JS_OBJECT);
        if (shp_order_id((enum shp_topic)t, doc.root, &id))
            must(id.n > 0 && id.p[0] != '0');
    }
    if (shp_read_order(doc.root, STR("a.myshopify.com"), SHP_SHOP_MONEY, &arena, &o, &info) ==
        ERR_OK) {
        check_order(&o);
        err_ignore(shp_add_refund(doc.root, &arena, &o, &info), "either way the order holds");
        err_ignore(shp_add_transaction(doc.root, &arena, &o, &info), "either way the order holds");
        check_order(&o);
    } else {
        must(info.text[0] != '\0');
    }
    arena_free(&arena);
    js_free(&doc);
    return 0;
}
