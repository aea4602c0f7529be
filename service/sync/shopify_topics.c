#include "service/sync/shopify.h"

#include <stdio.h>

#include "service/sync/shopify_parts.h"

/* ---- topics ---- */

/* RUL_EVENT_COUNT stands for: no order in the body, no event of the rules. */
static const struct {
    const char *text;
    enum rul_event event;
} topics[] = {
    [SHP_ORDERS_CREATE] = {"orders/create", RUL_CREATED},
    [SHP_ORDERS_PAID] = {"orders/paid", RUL_PAID},
    [SHP_ORDERS_UPDATED] = {"orders/updated", RUL_UPDATED},
    [SHP_ORDERS_PARTIALLY_FULFILLED] = {"orders/partially_fulfilled", RUL_PARTIALLY_FULFILLED},
    [SHP_ORDERS_FULFILLED] = {"orders/fulfilled", RUL_FULFILLED},
    [SHP_ORDERS_CANCELLED] = {"orders/cancelled", RUL_CANCELLED},
    [SHP_ORDERS_EDITED] = {"orders/edited", RUL_EVENT_COUNT},
    [SHP_ORDERS_DELETE] = {"orders/delete", RUL_EVENT_COUNT},
    [SHP_REFUNDS_CREATE] = {"refunds/create", RUL_EVENT_COUNT},
    [SHP_TRANSACTIONS_CREATE] = {"order_transactions/create", RUL_EVENT_COUNT},
    [SHP_APP_UNINSTALLED] = {"app/uninstalled", RUL_EVENT_COUNT},
    [SHP_CUSTOMERS_DATA_REQUEST] = {"customers/data_request", RUL_EVENT_COUNT},
    [SHP_CUSTOMERS_REDACT] = {"customers/redact", RUL_EVENT_COUNT},
    [SHP_SHOP_REDACT] = {"shop/redact", RUL_EVENT_COUNT},
    [SHP_OTHER] = {"other", RUL_EVENT_COUNT},
};

enum shp_topic shp_topic(struct str text)
{
    for (int t = 0; t < SHP_OTHER; t++) {
        if (str_eq(text, str_of(topics[t].text)))
            return (enum shp_topic)t;
    }
    return SHP_OTHER;
}

const char *shp_topic_text(enum shp_topic t)
{
    return topics[(unsigned)t < SHP_OTHER ? t : SHP_OTHER].text;
}

bool shp_topic_is_order(enum shp_topic t, enum rul_event *event)
{
    if ((unsigned)t >= SHP_OTHER || topics[t].event == RUL_EVENT_COUNT)
        return false;
    *event = topics[t].event;
    return true;
}

bool shp_shop(struct str header, char out[LIM_STORE_ID + 1])
{
    out[0] = '\0';
    if (header.n == 0 || header.n > LIM_STORE_ID)
        return false;
    for (size_t i = 0; i < header.n; i++) {
        char c = header.p[i];

        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              (i > 0 && (c == '.' || c == '-')))) {
            out[0] = '\0';
            return false;
        }
        out[i] = c;
    }
    out[header.n] = '\0';
    return true;
}

/* ---- does a body belong to its topic ---- */

static bool has(const struct js_value *v, const char *key)
{
    return js_type(js_get(v, key)) != JS_ABSENT;
}

bool shp_read_id(const struct js_value *v, struct str *id)
{
    int64_t number;

    return js_int64(v, &number) && number > 0 && js_text(v, id) && id->p[0] != '0';
}

static bool has_id(const struct js_value *v, const char *key)
{
    struct str id;

    return shp_read_id(js_get(v, key), &id);
}

bool shp_body_fits(enum shp_topic t, const struct js_value *root)
{
    enum rul_event event;

    if (js_type(root) != JS_OBJECT)
        return false;
    if (shp_topic_is_order(t, &event))
        return has_id(root, "id") && !has(root, "order_id") &&
               (has(root, "line_items") || has(root, "total_price") ||
                has(root, "financial_status"));
    switch (t) {
    case SHP_ORDERS_EDITED:
        return has_id(js_get(root, "order_edit"), "id") &&
               has_id(js_get(root, "order_edit"), "order_id");
    case SHP_ORDERS_DELETE: /* a whole order's signature must not delete it */
        return has_id(root, "id") && !has(root, "order_id") && !has(root, "myshopify_domain") &&
               !shp_body_fits(SHP_ORDERS_PAID, root);
    case SHP_REFUNDS_CREATE:
        return has_id(root, "id") && has_id(root, "order_id") && !has(root, "kind") &&
               (has(root, "refund_line_items") || has(root, "transactions"));
    case SHP_TRANSACTIONS_CREATE:
        return has_id(root, "id") && has_id(root, "order_id") && has(root, "kind") &&
               has(root, "amount");
    case SHP_APP_UNINSTALLED:
        return has_id(root, "id") && !has(root, "order_id") && !has(root, "line_items") &&
               (has(root, "myshopify_domain") || has(root, "domain"));
    case SHP_CUSTOMERS_DATA_REQUEST:
        return has_id(root, "shop_id") && has(root, "customer") && !has(root, "orders_to_redact");
    case SHP_CUSTOMERS_REDACT:
        return has_id(root, "shop_id") && has(root, "customer") && !has(root, "data_request") &&
               !has(root, "orders_requested");
    case SHP_SHOP_REDACT:
        return has_id(root, "shop_id") && !has(root, "customer");
    default:
        return true;
    }
}

bool shp_order_id(enum shp_topic t, const struct js_value *root, struct str *id)
{
    enum rul_event event;

    if (shp_topic_is_order(t, &event) || t == SHP_ORDERS_DELETE)
        return shp_read_id(js_get(root, "id"), id);
    if (t == SHP_ORDERS_EDITED)
        return shp_read_id(js_path(root, "order_edit.order_id"), id);
    if (t == SHP_REFUNDS_CREATE || t == SHP_TRANSACTIONS_CREATE)
        return shp_read_id(js_get(root, "order_id"), id);
    return false;
}

bool shp_record_id(const struct js_value *root, struct str *id)
{
    return shp_read_id(js_get(root, "id"), id);
}

/* The ids in ORDERS. */
static size_t read_ids(const struct js_value *orders, struct str *ids, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < js_len(orders); i++) {
        struct str id;

        if (shp_read_id(js_at(orders, i), &id) && n++ < max)
            ids[n - 1] = id;
    }
    return n;
}

size_t shp_orders_requested(const struct js_value *root, struct str *ids, size_t max)
{
    return read_ids(js_get(root, "orders_requested"), ids, max);
}

size_t shp_orders_to_redact(const struct js_value *root, struct str *ids, size_t max)
{
    return read_ids(js_get(root, "orders_to_redact"), ids, max);
}
