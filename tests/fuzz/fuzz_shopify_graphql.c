/*
 * Fuzzes the gathering of an order by GraphQL: each line of the input is the answer to the next
 * question about order 1, the last one to all that follow. Whatever is gathered must become JSON
 * that is that order's body, and reading it must do what shopify.h says.
 */
#include "service/sync/shopify_graphql.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static int32_t offset_of(void *arg, int64_t t)
{
    (void)arg;
    return (int32_t)(t % 50400); /* both signs, up to 14 hours */
}

static void check_body(const struct shp_gather *g)
{
    struct buf body = BUF_CAP(4 * LIM_JSON_BYTES);
    struct js_doc doc = {0};
    struct arena arena = {NULL, 0};
    struct errinfo info = {""};
    struct order o;

    shp_gather_write(g, offset_of, NULL, &body);
    must(buf_check(&body) == ERR_OK);
    must(js_parse(buf_str(&body), 4 * LIM_JSON_BYTES, &doc, &info) == ERR_OK);
    must(shp_body_fits(SHP_ORDERS_UPDATED, doc.root));
    if (shp_read_order(doc.root, STR("a.myshopify.com"), SHP_SHOP_MONEY, &arena, &o, &info) !=
        ERR_OK)
        must(info.text[0] != '\0');
    must(str_eq(o.id, STR("1")));
    arena_free(&arena);
    js_free(&doc);
    buf_free(&body);
}

static void check_list(const struct js_value *data)
{
    struct shp_listed list[SHP_LISTED];
    struct str cursor;
    size_t n = 0;

    if (shp_list_take(data, NULL, NULL, list, &n, &cursor, NULL) != ERR_OK)
        return;
    for (size_t i = 0; i < n; i++)
        must(list[i].id.n > 0 && list[i].id.n < 20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str rest = {(const char *)data, n};
    struct shp_gather *g = NULL;
    struct buf ask = BUF_CAP(1u << 20);
    struct errinfo info = {""};
    enum err e = shp_gather_new(STR("1"), &g, &info);

    must(e == ERR_OK);
    for (int i = 0; i < 12 && e == ERR_OK && shp_gather_ask(g, &ask); i++) {
        struct str line = memchr(rest.p, '\n', rest.n) ? str_split(&rest, '\n') : rest;
        struct js_doc doc = {0};

        if (js_parse(line, LIM_JSON_BYTES, &doc, NULL) != ERR_OK)
            break;
        check_list(js_get(doc.root, "data"));
        e = shp_gather_take(g, &doc, line.n, &info);
        must(!doc.root);
        buf_reset(&ask);
    }
    buf_reset(&ask);
    if (e == ERR_OK && !shp_gather_ask(g, &ask))
        check_body(g);
    shp_gather_free(g);
    buf_free(&ask);
    return 0;
}
