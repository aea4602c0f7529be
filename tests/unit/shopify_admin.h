/*
 * shopify_admin: answers the questions of shopify_graphql about one order as the Admin API would,
 * from a webhook's body of that order, and remembers the offset of each time, which GraphQL leaves
 * out. For test files only.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "service/sync/shopify_graphql.h"

#define ADMIN_TIMES 256

struct admin {
    const struct js_value *order; /* the webhook's body */
    const char *updated_at;       /* instead of the order's; NULL: its own */
    struct js_out w;
    struct {
        int64_t t;
        int32_t offset;
    } times[ADMIN_TIMES];
    size_t time_count;
};

/* The shop's offset at T, as the order's own times tell. */
static inline int32_t admin_offset(void *arg, int64_t t)
{
    const struct admin *a = arg;

    for (size_t i = 0; i < a->time_count; i++) {
        if (a->times[i].t == t)
            return a->times[i].offset;
    }
    return 0;
}

/* ---- values ---- */

static inline void adm_time(struct admin *a, const char *key, const struct js_value *v)
{
    struct str text = STR("");
    int64_t t = 0, wall = 0;
    char utc[40] = "", as_utc[40];
    time_t s;
    struct tm tm;

    jw_key(&a->w, key);
    if (!js_string(v, &text) || !ord_time(text, &t, NULL) || text.n < 19) {
        jw_null(&a->w);
        return;
    }
    (void)snprintf(as_utc, sizeof(as_utc), "%.19sZ", text.p);
    if (ord_time(str_of(as_utc), &wall, NULL) && a->time_count < ADMIN_TIMES) {
        a->times[a->time_count].t = t;
        a->times[a->time_count++].offset = (int32_t)(wall - t);
    }
    s = (time_t)t;
    (void)strftime(utc, sizeof(utc), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&s, &tm));
    jw_z(&a->w, utc);
}

static inline void adm_copy(struct admin *a, const char *key, const struct js_value *v,
                            const char *from)
{
    jw_key(&a->w, key);
    if (js_is_null(js_get(v, from)))
        jw_null(&a->w);
    else
        jw_value(&a->w, js_get(v, from));
}

static inline void adm_bool(struct admin *a, const char *key, const struct js_value *v,
                            const char *from, bool otherwise)
{
    bool b = otherwise;

    (void)!js_bool(js_get(v, from), &b);
    jw_kbool(&a->w, key, b);
}

static inline void adm_gid(struct admin *a, const char *key, const char *kind,
                           const struct js_value *v)
{
    struct str id = STR("");
    char gid[80];

    jw_key(&a->w, key);
    if (!js_text(v, &id)) {
        jw_null(&a->w);
        return;
    }
    (void)snprintf(gid, sizeof(gid), "gid://shopify/%s/%.*s", kind, STR_FMT(id));
    jw_z(&a->w, gid);
}

static inline void adm_word(struct admin *a, const char *key, struct str text)
{
    char big[48] = "";

    for (size_t i = 0; i < text.n && i + 1 < sizeof(big); i++)
        big[i] = (char)(text.p[i] >= 'a' && text.p[i] <= 'z' ? text.p[i] - 'a' + 'A' : text.p[i]);
    jw_kz(&a->w, key, *big ? big : NULL);
}

static inline struct str adm_text(const struct js_value *v, const char *key)
{
    struct str text = STR("");

    return js_text(js_get(v, key), &text) ? text : STR("");
}

static inline void adm_money(struct admin *a, const char *key, struct str amount, struct str code)
{
    jw_key(&a->w, key);
    jw_begin_object(&a->w);
    jw_kstr(&a->w, "amount", amount);
    jw_kstr(&a->w, "currencyCode", code);
    jw_end_object(&a->w);
}

static inline void adm_bag(struct admin *a, const char *key, struct str shop, struct str buyer)
{
    jw_key(&a->w, key);
    jw_begin_object(&a->w);
    adm_money(a, "shopMoney", shop, adm_text(a->order, "currency"));
    adm_money(a, "presentmentMoney", buyer,
              adm_text(a->order, js_is_null(js_get(a->order, "presentment_currency"))
                                     ? "currency"
                                     : "presentment_currency"));
    jw_end_object(&a->w);
}

/* Member FROM of V with its set as a MoneyBag; null if there is neither and it MAY_BE_NULL. */
static inline void adm_amount(struct admin *a, const char *key, const struct js_value *v,
                              const char *from, bool may_be_null)
{
    char name[64];
    const struct js_value *set;
    struct str shop = STR(""), buyer = STR("");

    (void)snprintf(name, sizeof(name), "%s_set", from);
    set = js_get(v, name);
    shop = adm_text(js_get(set, "shop_money"), "amount");
    buyer = adm_text(js_get(set, "presentment_money"), "amount");
    if (adm_text(v, from).n > 0)
        shop = adm_text(v, from);
    if (shop.n == 0 && may_be_null) {
        jw_key(&a->w, key);
        jw_null(&a->w);
        return;
    }
    if (shop.n == 0)
        shop = STR("0.0");
    adm_bag(a, key, shop, buyer.n > 0 ? buyer : shop);
}

static inline void adm_taxes(struct admin *a, const struct js_value *v)
{
    const struct js_value *list = js_get(v, "tax_lines");

    jw_key(&a->w, "taxLines");
    jw_begin_array(&a->w);
    for (size_t i = 0; i < js_len(list); i++) {
        jw_begin_object(&a->w);
        adm_copy(a, "title", js_at(list, i), "title");
        adm_copy(a, "rate", js_at(list, i), "rate");
        adm_copy(a, "channelLiable", js_at(list, i), "channel_liable");
        adm_amount(a, "priceSet", js_at(list, i), "price", false);
        jw_end_object(&a->w);
    }
    jw_end_array(&a->w);
}

static inline void adm_discounts(struct admin *a, const struct js_value *v)
{
    const struct js_value *list = js_get(v, "discount_allocations");

    jw_key(&a->w, "discountAllocations");
    jw_begin_array(&a->w);
    for (size_t i = 0; i < js_len(list); i++) {
        jw_begin_object(&a->w);
        adm_amount(a, "allocatedAmountSet", js_at(list, i), "amount", false);
        jw_end_object(&a->w);
    }
    jw_end_array(&a->w);
}

/* An object with shop_money and presentment_money in itself, as duties are. */
static inline void adm_own_bag(struct admin *a, const char *key, const struct js_value *v)
{
    struct str shop = adm_text(js_get(v, "shop_money"), "amount");
    struct str buyer = adm_text(js_get(v, "presentment_money"), "amount");

    shop = shop.n > 0 ? shop : adm_text(v, "amount");
    adm_bag(a, key, shop, buyer.n > 0 ? buyer : shop);
}

/* ---- connections ---- */

typedef void adm_node_fn(struct admin *a, const struct js_value *v);

/* COUNT elements of LIST from FROM on, and whether there are more. */
static inline void adm_connection(struct admin *a, const char *key, const struct js_value *list,
                                  size_t from, size_t count, adm_node_fn *node)
{
    size_t n = js_len(list), end = from + count < n ? from + count : n;
    char cursor[32];

    (void)snprintf(cursor, sizeof(cursor), "%zu", end);
    jw_key(&a->w, key);
    jw_begin_object(&a->w);
    jw_key(&a->w, "pageInfo");
    jw_begin_object(&a->w);
    jw_kbool(&a->w, "hasNextPage", end < n);
    jw_kz(&a->w, "endCursor", cursor);
    jw_end_object(&a->w);
    jw_key(&a->w, "nodes");
    jw_begin_array(&a->w);
    for (size_t i = from; i < end; i++)
        node(a, js_at(list, i));
    jw_end_array(&a->w);
    jw_end_object(&a->w);
}

static inline void adm_line(struct admin *a, const struct js_value *v)
{
    const struct js_value *duties = js_get(v, "duties");

    jw_begin_object(&a->w);
    adm_gid(a, "id", "LineItem", js_get(v, "id"));
    adm_copy(a, "title", v, "title");
    adm_copy(a, "variantTitle", v, "variant_title");
    adm_copy(a, "name", v, "name");
    adm_copy(a, "sku", v, "sku");
    adm_copy(a, "vendor", v, "vendor");
    adm_copy(a, "quantity", v, "quantity");
    adm_copy(a, "currentQuantity", v,
             js_is_null(js_get(v, "current_quantity")) ? "quantity" : "current_quantity");
    adm_bool(a, "isGiftCard", v, "gift_card", false);
    adm_bool(a, "requiresShipping", v, "requires_shipping", true);
    jw_key(&a->w, "product");
    if (js_is_null(js_get(v, "product_id")) && js_is_null(js_get(v, "product_type"))) {
        jw_null(&a->w);
    } else {
        jw_begin_object(&a->w);
        adm_copy(a, "productType", v, "product_type");
        jw_end_object(&a->w);
    }
    adm_amount(a, "originalUnitPriceSet", v, "price", false);
    adm_discounts(a, v);
    adm_taxes(a, v);
    jw_key(&a->w, "duties");
    jw_begin_array(&a->w);
    for (size_t i = 0; i < js_len(duties); i++) {
        jw_begin_object(&a->w);
        adm_own_bag(a, "price", js_at(duties, i));
        adm_taxes(a, js_at(duties, i));
        jw_end_object(&a->w);
    }
    jw_end_array(&a->w);
    jw_end_object(&a->w);
}

static inline void adm_shipping(struct admin *a, const struct js_value *v)
{
    jw_begin_object(&a->w);
    adm_gid(a, "id", "ShippingLine", js_get(v, "id"));
    adm_copy(a, "title", v, "title");
    adm_copy(a, "code", v, "code");
    adm_bool(a, "isRemoved", v, "is_removed", false);
    adm_amount(a, "originalPriceSet", v, "price", false);
    adm_discounts(a, v);
    adm_taxes(a, v);
    jw_end_object(&a->w);
}

static inline void adm_transaction(struct admin *a, const struct js_value *v)
{
    struct str amount = adm_text(v, "amount"), gateway = adm_text(v, "gateway");
    char formatted[64];

    (void)snprintf(formatted, sizeof(formatted), "The %.*s", STR_FMT(gateway));
    jw_begin_object(&a->w);
    adm_gid(a, "id", "OrderTransaction", js_get(v, "id"));
    adm_word(a, "kind", adm_text(v, "kind"));
    adm_word(a, "status", adm_text(v, "status"));
    adm_copy(a, "gateway", v, "gateway");
    jw_kz(&a->w, "formattedGateway", formatted);
    adm_time(a, "createdAt", js_get(v, "created_at"));
    adm_time(a, "processedAt", js_get(v, "processed_at"));
    adm_bag(a, "amountSet", amount, amount);
    jw_end_object(&a->w);
}

/* ---- refunds ---- */

static inline void adm_back_line(struct admin *a, const struct js_value *v)
{
    jw_begin_object(&a->w);
    adm_copy(a, "quantity", v, "quantity");
    jw_key(&a->w, "lineItem");
    jw_begin_object(&a->w);
    adm_gid(a, "id", "LineItem", js_get(v, "line_item_id"));
    jw_end_object(&a->w);
    adm_amount(a, "subtotalSet", v, "subtotal", false);
    adm_amount(a, "totalTaxSet", v, "total_tax", false);
    jw_end_object(&a->w);
}

static inline bool adm_is_shipping(const struct js_value *adjustment)
{
    return str_eq(adm_text(adjustment, "kind"), STR("shipping_refund"));
}

/* An amount with the other sign. */
static inline struct str adm_positive(struct str amount)
{
    return amount.n > 0 && amount.p[0] == '-' ? (struct str){amount.p + 1, amount.n - 1} : amount;
}

/* Shipping given back: what older bodies have as an adjustment without its tax, and what newer ones
 * have in a list of its own. */
static inline void adm_back_shipping(struct admin *a, const struct js_value *refund)
{
    const struct js_value *old = js_get(refund, "order_adjustments");
    const struct js_value *list = js_get(refund, "refund_shipping_lines");
    bool included = js_true(js_get(a->order, "taxes_included"));
    const char *code = "EUR"; /* only to add up */

    jw_key(&a->w, "refundShippingLines");
    jw_begin_object(&a->w);
    jw_key(&a->w, "nodes");
    jw_begin_array(&a->w);
    for (size_t i = 0; i < js_len(list); i++) {
        jw_begin_object(&a->w);
        jw_key(&a->w, "shippingLine");
        jw_begin_object(&a->w);
        adm_gid(a, "id", "ShippingLine", js_get(js_at(list, i), "shipping_line_id"));
        jw_end_object(&a->w);
        adm_amount(a, "subtotalAmountSet", js_at(list, i), "subtotal_amount", false);
        adm_amount(a, "taxAmountSet", js_at(list, i), "tax_amount", false);
        jw_end_object(&a->w);
    }
    for (size_t i = 0; i < js_len(old) && js_len(list) == 0; i++) {
        const struct js_value *adjustment = js_at(old, i);
        struct str net = adm_positive(adm_text(adjustment, "amount"));
        struct str tax = adm_positive(adm_text(adjustment, "tax_amount"));
        struct money sum, part;
        struct buf gross = BUF_CAP(64);

        if (!adm_is_shipping(adjustment))
            continue;
        if (mon_parse(net, code, &sum, NULL) != ERR_OK ||
            mon_parse(tax, code, &part, NULL) != ERR_OK ||
            (included && mon_add(sum, part, &sum) != ERR_OK))
            abort();
        mon_print(sum, &gross);
        jw_begin_object(&a->w);
        jw_key(&a->w, "shippingLine");
        jw_begin_object(&a->w);
        adm_gid(a, "id", "ShippingLine",
                js_get(js_at(js_get(a->order, "shipping_lines"), 0), "id"));
        jw_end_object(&a->w);
        adm_bag(a, "subtotalAmountSet", buf_str(&gross), buf_str(&gross));
        adm_bag(a, "taxAmountSet", tax, tax);
        jw_end_object(&a->w);
        buf_free(&gross);
    }
    jw_end_array(&a->w);
    jw_end_object(&a->w);
}

static inline void adm_refund(struct admin *a, const struct js_value *v, size_t from, size_t count)
{
    const struct js_value *adjustments = js_get(v, "order_adjustments");
    const struct js_value *duties = js_get(v, "duties");

    adm_gid(a, "id", "Refund", js_get(v, "id"));
    adm_time(a, "createdAt", js_get(v, "created_at"));
    adm_time(a, "processedAt", js_get(v, "processed_at"));
    adm_connection(a, "refundLineItems", js_get(v, "refund_line_items"), from, count,
                   adm_back_line);
    jw_key(&a->w, "orderAdjustments");
    jw_begin_object(&a->w);
    jw_key(&a->w, "nodes");
    jw_begin_array(&a->w);
    for (size_t i = 0; i < js_len(adjustments); i++) {
        if (adm_is_shipping(js_at(adjustments, i)))
            continue;
        jw_begin_object(&a->w);
        adm_gid(a, "id", "OrderAdjustment", js_get(js_at(adjustments, i), "id"));
        adm_amount(a, "amountSet", js_at(adjustments, i), "amount", false);
        adm_amount(a, "taxAmountSet", js_at(adjustments, i), "tax_amount", false);
        jw_end_object(&a->w);
    }
    jw_end_array(&a->w);
    jw_end_object(&a->w);
    adm_back_shipping(a, v);
    jw_key(&a->w, "duties");
    jw_begin_array(&a->w);
    for (size_t i = 0; i < js_len(duties); i++) {
        jw_begin_object(&a->w);
        adm_amount(a, "amountSet", js_at(duties, i), "amount", false);
        jw_key(&a->w, "originalDuty");
        jw_null(&a->w);
        jw_end_object(&a->w);
    }
    jw_end_array(&a->w);
    adm_connection(a, "transactions", js_get(v, "transactions"), 0, 20, adm_transaction);
}

/* ---- shipments ---- */

static inline void adm_shipped_line(struct admin *a, const struct js_value *v)
{
    jw_begin_object(&a->w);
    adm_copy(a, "quantity", v, "quantity");
    jw_key(&a->w, "lineItem");
    jw_begin_object(&a->w);
    adm_gid(a, "id", "LineItem", js_get(v, "id"));
    jw_end_object(&a->w);
    jw_end_object(&a->w);
}

static inline void adm_shipment_head(struct admin *a, const struct js_value *v)
{
    adm_gid(a, "id", "Fulfillment", js_get(v, "id"));
    adm_word(a, "status", adm_text(v, "status"));
    adm_time(a, "createdAt", js_get(v, "created_at"));
}

/* ---- the order ---- */

static inline void adm_address(struct admin *a, const char *key, const char *from)
{
    const struct js_value *v = js_get(a->order, from);

    jw_key(&a->w, key);
    if (js_is_null(v)) {
        jw_null(&a->w);
        return;
    }
    jw_begin_object(&a->w);
    adm_copy(a, "firstName", v, "first_name");
    adm_copy(a, "lastName", v, "last_name");
    adm_copy(a, "name", v, "name");
    adm_copy(a, "company", v, "company");
    adm_copy(a, "countryCodeV2", v, "country_code");
    adm_copy(a, "provinceCode", v, "province_code");
    jw_end_object(&a->w);
}

static inline void adm_buyer(struct admin *a)
{
    const struct js_value *customer = js_get(a->order, "customer");
    const struct js_value *company = js_get(a->order, "company");

    jw_key(&a->w, "customer");
    if (js_is_null(customer)) {
        jw_null(&a->w);
    } else {
        jw_begin_object(&a->w);
        adm_gid(a, "id", "Customer", js_get(customer, "id"));
        adm_copy(a, "firstName", customer, "first_name");
        adm_copy(a, "lastName", customer, "last_name");
        jw_key(&a->w, "defaultEmailAddress");
        jw_begin_object(&a->w);
        adm_copy(a, "emailAddress", customer, "email");
        jw_end_object(&a->w);
        jw_end_object(&a->w);
    }
    jw_key(&a->w, "purchasingEntity");
    jw_begin_object(&a->w);
    if (!js_is_null(company)) {
        jw_key(&a->w, "company");
        jw_begin_object(&a->w);
        adm_gid(a, "id", "Company", js_get(company, "id"));
        jw_kz(&a->w, "name", "A company by its own name");
        jw_end_object(&a->w);
        jw_key(&a->w, "location");
        jw_begin_object(&a->w);
        adm_gid(a, "id", "CompanyLocation", js_get(company, "location_id"));
        jw_end_object(&a->w);
    }
    jw_end_object(&a->w);
    adm_address(a, "billingAddress", "billing_address");
    adm_address(a, "shippingAddress", "shipping_address");
}

static inline void adm_states(struct admin *a)
{
    struct str status = adm_text(a->order, "fulfillment_status"), rest = adm_text(a->order, "tags");
    const struct js_value *names = js_get(a->order, "payment_gateway_names");
    bool told = js_len(js_get(a->order, "transactions")) > 0;

    adm_word(a, "displayFinancialStatus", adm_text(a->order, "financial_status"));
    if (str_eq(status, STR("partial")))
        status = STR("partially_fulfilled");
    adm_word(a, "displayFulfillmentStatus", status.n > 0 ? status : STR("unfulfilled"));
    jw_key(&a->w, "tags");
    jw_begin_array(&a->w);
    while (rest.p && rest.n > 0)
        jw_str(&a->w, str_trim(str_split(&rest, ',')));
    jw_end_array(&a->w);
    jw_key(&a->w, "paymentGatewayNames");
    jw_begin_array(&a->w);
    for (size_t i = 0; i < js_len(names); i++) {
        struct str name = STR("");
        char formatted[64];

        (void)!js_text(js_at(names, i), &name);
        (void)snprintf(formatted, sizeof(formatted), "%s%.*s", told ? "The " : "", STR_FMT(name));
        jw_z(&a->w, formatted);
    }
    jw_end_array(&a->w);
}

static inline void adm_totals(struct admin *a)
{
    adm_amount(a, "totalPriceSet", a->order, "total_price", false);
    adm_amount(a, "totalTaxSet", a->order, "total_tax", true);
    adm_amount(a, "totalTipReceivedSet", a->order, "total_tip_received", false);
    adm_amount(a, "totalOutstandingSet", a->order, "total_outstanding", true);
    adm_amount(a, "currentTotalPriceSet", a->order,
               js_is_null(js_get(a->order, "current_total_price")) ? "total_price"
                                                                   : "current_total_price",
               false);
    adm_amount(a, "originalTotalDutiesSet", a->order, "original_total_duties", true);
    adm_amount(a, "originalTotalAdditionalFeesSet", a->order, "original_total_additional_fees",
               true);
    jw_key(&a->w, "totalCashRoundingAdjustment");
    jw_begin_object(&a->w);
    adm_amount(a, "paymentSet", a->order, "total_cash_rounding_payment_adjustment", false);
    jw_end_object(&a->w);
}

static inline void adm_terms(struct admin *a)
{
    const struct js_value *terms = js_get(a->order, "payment_terms");
    const struct js_value *schedules = js_get(terms, "payment_schedules");

    jw_key(&a->w, "paymentTerms");
    if (js_is_null(terms)) {
        jw_null(&a->w);
        return;
    }
    jw_begin_object(&a->w);
    adm_copy(a, "dueInDays", terms, "due_in_days");
    jw_key(&a->w, "paymentSchedules");
    jw_begin_object(&a->w);
    jw_key(&a->w, "nodes");
    jw_begin_array(&a->w);
    for (size_t i = 0; i < js_len(schedules); i++) {
        jw_begin_object(&a->w);
        adm_time(a, "dueAt", js_get(js_at(schedules, i), "due_at"));
        jw_end_object(&a->w);
    }
    jw_end_array(&a->w);
    jw_end_object(&a->w);
    jw_end_object(&a->w);
}

static inline void adm_lists(struct admin *a)
{
    const struct js_value *list = js_get(a->order, "transactions");

    jw_key(&a->w, "transactions");
    jw_begin_array(&a->w);
    for (size_t i = 0; i < js_len(list); i++)
        adm_transaction(a, js_at(list, i));
    jw_end_array(&a->w);
    jw_key(&a->w, "refunds");
    jw_begin_array(&a->w);
    list = js_get(a->order, "refunds");
    for (size_t i = 0; i < js_len(list); i++) {
        jw_begin_object(&a->w);
        adm_gid(a, "id", "Refund", js_get(js_at(list, i), "id"));
        jw_end_object(&a->w);
    }
    jw_end_array(&a->w);
    jw_key(&a->w, "fulfillments");
    jw_begin_array(&a->w);
    list = js_get(a->order, "fulfillments");
    for (size_t i = 0; i < js_len(list); i++) {
        jw_begin_object(&a->w);
        adm_shipment_head(a, js_at(list, i));
        jw_end_object(&a->w);
    }
    jw_end_array(&a->w);
    jw_key(&a->w, "additionalFees");
    jw_begin_array(&a->w);
    list = js_get(a->order, "additional_fees");
    for (size_t i = 0; i < js_len(list); i++) {
        jw_begin_object(&a->w);
        adm_gid(a, "id", "AdditionalFee", js_get(js_at(list, i), "id"));
        adm_copy(a, "name", js_at(list, i), "title");
        adm_amount(a, "price", js_at(list, i), "price", false);
        adm_taxes(a, js_at(list, i));
        jw_end_object(&a->w);
    }
    jw_end_array(&a->w);
}

static inline void adm_updated(struct admin *a)
{
    if (a->updated_at)
        jw_kz(&a->w, "updatedAt", a->updated_at);
    else
        adm_time(a, "updatedAt", js_get(a->order, "updated_at"));
}

static inline void adm_order(struct admin *a, size_t count)
{
    adm_gid(a, "id", "Order", js_get(a->order, "id"));
    adm_copy(a, "name", a->order, "name");
    adm_time(a, "createdAt", js_get(a->order, "created_at"));
    adm_time(a, "processedAt", js_get(a->order, "processed_at"));
    adm_time(a, "cancelledAt", js_get(a->order, "cancelled_at"));
    adm_bool(a, "test", a->order, "test", false);
    adm_copy(a, "currencyCode", a->order, "currency");
    adm_copy(a, "presentmentCurrencyCode", a->order,
             js_is_null(js_get(a->order, "presentment_currency")) ? "currency"
                                                                  : "presentment_currency");
    adm_bool(a, "taxesIncluded", a->order, "taxes_included", false);
    adm_bool(a, "taxExempt", a->order, "tax_exempt", false);
    adm_bool(a, "dutiesIncluded", a->order, "duties_included", false);
    adm_copy(a, "sourceName", a->order, "source_name");
    adm_copy(a, "email", a->order, "email");
    adm_copy(a, "poNumber", a->order, "po_number");
    jw_key(&a->w, "merchantOfRecordApp");
    if (js_is_null(js_get(a->order, "merchant_of_record_app_id"))) {
        jw_null(&a->w);
    } else {
        jw_begin_object(&a->w);
        adm_gid(a, "id", "App", js_get(a->order, "merchant_of_record_app_id"));
        jw_end_object(&a->w);
    }
    adm_states(a);
    adm_totals(a);
    adm_buyer(a);
    adm_terms(a);
    adm_connection(a, "shippingLines", js_get(a->order, "shipping_lines"), 0, 10, adm_shipping);
    adm_connection(a, "lineItems", js_get(a->order, "line_items"), 0, count, adm_line);
    adm_lists(a);
}

/* ---- questions ---- */

/* The element of LIST whose id ends GID. */
static inline const struct js_value *adm_find(const struct js_value *list, struct str gid)
{
    for (size_t i = 0; i < js_len(list); i++) {
        struct str id = adm_text(js_at(list, i), "id");

        if (id.n > 0 && gid.n > id.n && gid.p[gid.n - id.n - 1] == '/' &&
            str_eq((struct str){gid.p + gid.n - id.n, id.n}, id))
            return js_at(list, i);
    }
    return NULL;
}

static inline void adm_record(struct admin *a, const char *root, const struct js_value *v,
                              size_t from, size_t count)
{
    jw_key(&a->w, root);
    if (!v) {
        jw_null(&a->w);
        return;
    }
    jw_begin_object(&a->w);
    jw_key(&a->w, "order");
    jw_begin_object(&a->w);
    adm_updated(a);
    jw_end_object(&a->w);
    if (strcmp(root, "refund") == 0) {
        adm_refund(a, v, from, count);
    } else {
        adm_shipment_head(a, v);
        adm_connection(a, "fulfillmentLineItems", js_get(v, "line_items"), from, count,
                       adm_shipped_line);
    }
    jw_end_object(&a->w);
}

/* The answer to ASKED, {"data":...}, into OUT. */
static inline void admin_answer(struct admin *a, struct str asked, struct buf *out)
{
    struct js_doc doc = {0};
    const struct js_value *variables;
    struct str query, id;
    int64_t first = 0, after = 0;

    if (js_parse(asked, LIM_JSON_BYTES, &doc, NULL) != ERR_OK)
        abort();
    variables = js_get(doc.root, "variables");
    query = adm_text(doc.root, "query");
    id = adm_text(variables, "id");
    if (!js_int64(js_get(variables, "first"), &first))
        abort();
    if (!str_int64(adm_text(variables, "after"), &after))
        after = 0;
    jw_init(&a->w, out);
    jw_begin_object(&a->w);
    jw_key(&a->w, "data");
    jw_begin_object(&a->w);
    if (str_starts(query, STR("query Refund"))) {
        adm_record(a, "refund", adm_find(js_get(a->order, "refunds"), id), (size_t)after,
                   (size_t)first);
    } else if (str_starts(query, STR("query Fulfillment"))) {
        adm_record(a, "fulfillment", adm_find(js_get(a->order, "fulfillments"), id), (size_t)after,
                   (size_t)first);
    } else {
        jw_key(&a->w, "shop");
        jw_begin_object(&a->w);
        jw_kz(&a->w, "ianaTimezone", "Europe/London");
        jw_kint(&a->w, "timezoneOffsetMinutes", 60);
        jw_end_object(&a->w);
        jw_key(&a->w, "order");
        jw_begin_object(&a->w);
        adm_updated(a);
        if (str_starts(query, STR("query Order(")))
            adm_order(a, (size_t)first);
        else
            adm_connection(a, "lineItems", js_get(a->order, "line_items"), (size_t)after,
                           (size_t)first, adm_line);
        jw_end_object(&a->w);
    }
    jw_end_object(&a->w);
    jw_end_object(&a->w);
    js_free(&doc);
}
