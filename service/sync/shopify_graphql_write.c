#include <stdio.h>
#include <time.h>

#include "service/sync/shopify_graphql_parts.h"

/* What writing shares. */
struct writer {
    struct js_out w;
    const struct shp_gather *g;
    shp_offset_fn *offset;
    void *arg;
};

/* ---- values ---- */

/* A member as it was read; null if it is absent. */
static void copy(struct writer *w, const char *key, const struct js_value *v, const char *from)
{
    jw_key(&w->w, key);
    if (js_type(js_get(v, from)) == JS_ABSENT)
        jw_null(&w->w);
    else
        jw_value(&w->w, js_get(v, from));
}

/* The number in a gid; null for none. */
static void write_id(struct writer *w, const char *key, const struct js_value *v)
{
    struct str id = shp_gid(v);

    jw_key(&w->w, key);
    if (id.n > 0)
        jw_raw(&w->w, id);
    else
        jw_null(&w->w);
}

/* GraphQL's words are in capitals. */
static void write_word(struct writer *w, const char *key, const struct js_value *v)
{
    struct str text = STR("");
    char small[48];
    size_t n = 0;

    if (js_string(v, &text)) {
        for (; n < text.n && n < sizeof(small); n++)
            small[n] =
                (char)(text.p[n] >= 'A' && text.p[n] <= 'Z' ? text.p[n] - 'A' + 'a' : text.p[n]);
    }
    jw_key(&w->w, key);
    if (n > 0)
        jw_str(&w->w, (struct str){small, n});
    else
        jw_null(&w->w);
}

/* A time by the shop's own clock, as webhooks have it. */
static void write_time(struct writer *w, const char *key, const struct js_value *v)
{
    struct str text = STR("");
    int64_t t = 0;
    int32_t offset = 0, plain = 0;
    time_t local = 0;
    struct tm tm = {0};
    char out[48];

    jw_key(&w->w, key);
    if (!js_string(v, &text) || text.n == 0) {
        jw_null(&w->w);
        return;
    }
    if (!w->offset || !ord_time(text, &t, NULL)) {
        jw_str(&w->w, text);
        return;
    }
    offset = w->offset(w->arg, t);
    plain = offset < 0 ? -offset : offset;
    local = (time_t)(t + offset);
    if (!gmtime_r(&local, &tm) || strftime(out, 24, "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
        jw_str(&w->w, text);
        return;
    }
    (void)snprintf(out + strlen(out), 24, "%c%02d:%02d", offset < 0 ? '-' : '+',
                   (int)(plain / 3600 % 100), (int)(plain / 60 % 60));
    jw_z(&w->w, out);
}

static void write_money(struct writer *w, const char *key, const struct js_value *v)
{
    jw_key(&w->w, key);
    jw_begin_object(&w->w);
    copy(w, "amount", v, "amount");
    copy(w, "currency_code", v, "currencyCode");
    jw_end_object(&w->w);
}

/* A MoneyBag as "<key>_set"; nothing if there is none. */
static void write_set(struct writer *w, const char *key, const struct js_value *bag)
{
    char name[64];

    if (js_is_null(bag))
        return;
    (void)snprintf(name, sizeof(name), "%s_set", key);
    jw_key(&w->w, name);
    jw_begin_object(&w->w);
    write_money(w, "shop_money", js_get(bag, "shopMoney"));
    write_money(w, "presentment_money", js_get(bag, "presentmentMoney"));
    jw_end_object(&w->w);
}

/* The same with the shop's amount beside it. */
static void write_amount(struct writer *w, const char *key, const struct js_value *bag)
{
    if (js_is_null(bag))
        return;
    copy(w, key, js_get(bag, "shopMoney"), "amount");
    write_set(w, key, bag);
}

/* ---- parts of lines ---- */

static void write_taxes(struct writer *w, const struct js_value *v)
{
    const struct js_value *list = js_get(v, "taxLines");

    jw_key(&w->w, "tax_lines");
    jw_begin_array(&w->w);
    for (size_t i = 0; i < js_len(list); i++) {
        const struct js_value *tax = js_at(list, i);

        jw_begin_object(&w->w);
        copy(w, "title", tax, "title");
        copy(w, "rate", tax, "rate");
        copy(w, "channel_liable", tax, "channelLiable");
        write_amount(w, "price", js_get(tax, "priceSet"));
        jw_end_object(&w->w);
    }
    jw_end_array(&w->w);
}

static void write_discounts(struct writer *w, const struct js_value *v)
{
    const struct js_value *list = js_get(v, "discountAllocations");

    jw_key(&w->w, "discount_allocations");
    jw_begin_array(&w->w);
    for (size_t i = 0; i < js_len(list); i++) {
        jw_begin_object(&w->w);
        write_amount(w, "amount", js_get(js_at(list, i), "allocatedAmountSet"));
        jw_end_object(&w->w);
    }
    jw_end_array(&w->w);
}

static void write_duties(struct writer *w, const struct js_value *line)
{
    const struct js_value *list = js_get(line, "duties");

    if (js_len(list) == 0)
        return;
    jw_key(&w->w, "duties");
    jw_begin_array(&w->w);
    for (size_t i = 0; i < js_len(list); i++) {
        const struct js_value *price = js_get(js_at(list, i), "price");

        jw_begin_object(&w->w);
        write_money(w, "shop_money", js_get(price, "shopMoney"));
        write_money(w, "presentment_money", js_get(price, "presentmentMoney"));
        write_taxes(w, js_at(list, i));
        jw_end_object(&w->w);
    }
    jw_end_array(&w->w);
}

/* ---- tips ---- */

/* True if LINE may be a tip: nothing that is sold from a catalogue, shipped, taxed or discounted.
 */
static bool may_be_tip(const struct js_value *line)
{
    struct str sku = STR("");

    return js_is_null(js_get(line, "product")) && !js_true(js_get(line, "isGiftCard")) &&
           !js_true(js_get(line, "requiresShipping")) && js_len(js_get(line, "taxLines")) == 0 &&
           js_len(js_get(line, "discountAllocations")) == 0 &&
           (!js_string(js_get(line, "sku"), &sku) || sku.n == 0);
}

static bool shop_amount(const struct js_value *bag, const char *currency, struct money *out)
{
    struct str text;

    return js_text(js_path(bag, "shopMoney.amount"), &text) &&
           mon_parse(text, currency, out, NULL) == ERR_OK;
}

static bool line_amount(const struct js_value *line, const char *currency, struct money *out)
{
    int64_t quantity = 0;

    return js_int64(js_get(line, "quantity"), &quantity) && quantity >= 0 &&
           shop_amount(js_get(line, "originalUnitPriceSet"), currency, out) &&
           mon_mul(*out, quantity, out) == ERR_OK;
}

/* Which lines are the tips that the order says it has in total. */
struct tips {
    bool all;                   /* all that may be */
    const struct js_value *one; /* this one; NULL none */
};

static struct tips find_tips(const struct shp_gather *g)
{
    struct tips found = {0};
    struct money total, sum = mon_zero(""), part;
    struct str code;
    char currency[4];
    size_t equal = 0;

    if (!js_string(js_get(g->order, "currencyCode"), &code) ||
        mon_currency(code, currency, NULL) != ERR_OK ||
        !shop_amount(js_get(g->order, "totalTipReceivedSet"), currency, &total) || total.units == 0)
        return found;
    for (size_t p = 0; p < g->page_count; p++) {
        const struct js_value *nodes = shp_nodes(g->pages[p], "lineItems");

        for (size_t i = 0; i < js_len(nodes); i++) {
            const struct js_value *line = js_at(nodes, i);

            if (!may_be_tip(line) || !line_amount(line, currency, &part) ||
                mon_add(sum, part, &sum) != ERR_OK)
                continue;
            if (mon_cmp(part, total) == 0 && equal++ == 0)
                found.one = line;
        }
    }
    if (equal != 1)
        found.one = NULL;
    found.all = sum.units == total.units;
    return found;
}

/* ---- lines ---- */

/* A product's only variant is called this, and webhooks leave it out. */
static bool has_variant(const struct js_value *line)
{
    struct str title = STR("");

    return js_string(js_get(line, "variantTitle"), &title) && title.n > 0 &&
           !str_eq(title, STR("Default Title"));
}

static void write_line(struct writer *w, const struct js_value *line, bool tip)
{
    jw_begin_object(&w->w);
    write_id(w, "id", js_get(line, "id"));
    copy(w, "title", line, "title");
    if (has_variant(line))
        copy(w, "variant_title", line, "variantTitle");
    copy(w, "name", line, "name");
    copy(w, "sku", line, "sku");
    copy(w, "vendor", line, "vendor");
    copy(w, "product_type", js_get(line, "product"), "productType");
    copy(w, "quantity", line, "quantity");
    copy(w, "current_quantity", line, "currentQuantity");
    copy(w, "gift_card", line, "isGiftCard");
    copy(w, "requires_shipping", line, "requiresShipping");
    copy(w, "taxable", line, "taxable");
    write_amount(w, "price", js_get(line, "originalUnitPriceSet"));
    write_discounts(w, line);
    write_taxes(w, line);
    write_duties(w, line);
    if (tip) {
        jw_key(&w->w, "tip_payment_gateway");
        jw_null(&w->w);
    }
    jw_end_object(&w->w);
}

static void write_lines(struct writer *w)
{
    struct tips tips = find_tips(w->g);

    jw_key(&w->w, "line_items");
    jw_begin_array(&w->w);
    for (size_t p = 0; p < w->g->page_count; p++) {
        const struct js_value *nodes = shp_nodes(w->g->pages[p], "lineItems");

        for (size_t i = 0; i < js_len(nodes); i++) {
            const struct js_value *line = js_at(nodes, i);

            write_line(w, line, line == tips.one || (tips.all && may_be_tip(line)));
        }
    }
    jw_end_array(&w->w);
}

static void write_shipping(struct writer *w)
{
    const struct js_value *nodes = shp_nodes(w->g->order, "shippingLines");

    jw_key(&w->w, "shipping_lines");
    jw_begin_array(&w->w);
    for (size_t i = 0; i < js_len(nodes); i++) {
        const struct js_value *line = js_at(nodes, i);

        jw_begin_object(&w->w);
        write_id(w, "id", js_get(line, "id"));
        copy(w, "title", line, "title");
        copy(w, "code", line, "code");
        copy(w, "is_removed", line, "isRemoved");
        write_amount(w, "price", js_get(line, "originalPriceSet"));
        write_discounts(w, line);
        write_taxes(w, line);
        jw_end_object(&w->w);
    }
    jw_end_array(&w->w);
}

static void write_fees(struct writer *w)
{
    const struct js_value *list = js_get(w->g->order, "additionalFees");

    jw_key(&w->w, "additional_fees");
    jw_begin_array(&w->w);
    for (size_t i = 0; i < js_len(list); i++) {
        const struct js_value *fee = js_at(list, i);

        jw_begin_object(&w->w);
        write_id(w, "id", js_get(fee, "id"));
        copy(w, "title", fee, "name");
        write_amount(w, "price", js_get(fee, "price"));
        write_taxes(w, fee);
        jw_end_object(&w->w);
    }
    jw_end_array(&w->w);
}

/* ---- money that came and went ---- */

/* What the buyer's currency says, as a webhook of it does. */
static void write_transactions(struct writer *w, const struct js_value *list)
{
    jw_key(&w->w, "transactions");
    jw_begin_array(&w->w);
    for (size_t i = 0; i < js_len(list); i++) {
        const struct js_value *t = js_at(list, i);
        const struct js_value *paid = js_path(t, "amountSet.presentmentMoney");

        jw_begin_object(&w->w);
        write_id(w, "id", js_get(t, "id"));
        write_word(w, "kind", js_get(t, "kind"));
        write_word(w, "status", js_get(t, "status"));
        copy(w, "gateway", t, "gateway");
        copy(w, "amount", paid, "amount");
        copy(w, "currency", paid, "currencyCode");
        write_time(w, "created_at", js_get(t, "createdAt"));
        write_time(w, "processed_at", js_get(t, "processedAt"));
        jw_end_object(&w->w);
    }
    jw_end_array(&w->w);
}

/* NAME is what people read, where the transactions tell of one; webhooks have the gateway's own
 * name, which settings are made for. */
static struct str gateway_of(const struct shp_gather *g, struct str name)
{
    const struct js_value *list = js_get(g->order, "transactions");
    struct str plain, formatted;

    for (size_t i = 0; i < js_len(list); i++) {
        if (js_string(js_get(js_at(list, i), "gateway"), &plain) && plain.n > 0 &&
            js_string(js_get(js_at(list, i), "formattedGateway"), &formatted) &&
            str_eq(formatted, name))
            return plain;
    }
    return name;
}

static void write_gateways(struct writer *w)
{
    const struct js_value *list = js_get(w->g->order, "paymentGatewayNames");

    jw_key(&w->w, "payment_gateway_names");
    jw_begin_array(&w->w);
    for (size_t i = 0; i < js_len(list); i++) {
        struct str name;

        if (js_string(js_at(list, i), &name))
            jw_str(&w->w, gateway_of(w->g, name));
    }
    jw_end_array(&w->w);
}

static void write_refund_lines(struct writer *w, const struct shp_record *r)
{
    jw_key(&w->w, "refund_line_items");
    jw_begin_array(&w->w);
    for (size_t p = 0; p < r->page_count; p++) {
        const struct js_value *nodes = shp_nodes(r->pages[p], "refundLineItems");

        for (size_t i = 0; i < js_len(nodes); i++) {
            const struct js_value *line = js_at(nodes, i);

            jw_begin_object(&w->w);
            write_id(w, "line_item_id", js_path(line, "lineItem.id"));
            copy(w, "quantity", line, "quantity");
            write_set(w, "subtotal", js_get(line, "subtotalSet"));
            write_set(w, "total_tax", js_get(line, "totalTaxSet"));
            jw_end_object(&w->w);
        }
    }
    jw_end_array(&w->w);
}

static void write_adjustments(struct writer *w, const struct js_value *refund)
{
    const struct js_value *nodes = shp_nodes(refund, "orderAdjustments");

    jw_key(&w->w, "order_adjustments");
    jw_begin_array(&w->w);
    for (size_t i = 0; i < js_len(nodes); i++) {
        const struct js_value *a = js_at(nodes, i);

        jw_begin_object(&w->w);
        write_id(w, "id", js_get(a, "id"));
        jw_kz(&w->w, "kind", "refund_discrepancy");
        write_amount(w, "amount", js_get(a, "amountSet"));
        write_amount(w, "tax_amount", js_get(a, "taxAmountSet"));
        jw_end_object(&w->w);
    }
    jw_end_array(&w->w);
    nodes = shp_nodes(refund, "refundShippingLines");
    jw_key(&w->w, "refund_shipping_lines");
    jw_begin_array(&w->w);
    for (size_t i = 0; i < js_len(nodes); i++) {
        const struct js_value *line = js_at(nodes, i);

        jw_begin_object(&w->w);
        write_id(w, "shipping_line_id", js_path(line, "shippingLine.id"));
        write_set(w, "subtotal_amount", js_get(line, "subtotalAmountSet"));
        write_set(w, "tax_amount", js_get(line, "taxAmountSet"));
        jw_end_object(&w->w);
    }
    jw_end_array(&w->w);
}

/* A duty's taxes are told of the whole duty only: they go back with all of it. */
static void write_duties_back(struct writer *w, const struct js_value *refund)
{
    const struct js_value *list = js_get(refund, "duties");

    jw_key(&w->w, "duties");
    jw_begin_array(&w->w);
    for (size_t i = 0; i < js_len(list); i++) {
        const struct js_value *back = js_get(js_at(list, i), "amountSet");
        const struct js_value *duty = js_get(js_at(list, i), "originalDuty");
        struct str a = STR(""), b = STR("?");

        jw_begin_object(&w->w);
        write_set(w, "amount", back);
        if (js_text(js_path(back, "shopMoney.amount"), &a) &&
            js_text(js_path(js_get(duty, "price"), "shopMoney.amount"), &b) && str_eq(a, b))
            write_taxes(w, duty);
        jw_end_object(&w->w);
    }
    jw_end_array(&w->w);
}

static void write_refunds(struct writer *w)
{
    jw_key(&w->w, "refunds");
    jw_begin_array(&w->w);
    for (size_t i = 0; i < w->g->refund_count; i++) {
        const struct shp_record *r = &w->g->refunds[i];

        jw_begin_object(&w->w);
        write_id(w, "id", js_get(r->first, "id"));
        write_time(w, "created_at", js_get(r->first, "createdAt"));
        write_time(w, "processed_at", js_get(r->first, "processedAt"));
        write_refund_lines(w, r);
        write_adjustments(w, r->first);
        write_duties_back(w, r->first);
        write_transactions(w, shp_nodes(r->first, "transactions"));
        jw_end_object(&w->w);
    }
    jw_end_array(&w->w);
}

/* ---- shipments ---- */

static void write_shipments(struct writer *w)
{
    const struct js_value *list = js_get(w->g->order, "fulfillments");

    jw_key(&w->w, "fulfillments");
    jw_begin_array(&w->w);
    for (size_t i = 0; i < w->g->shipment_count; i++) {
        const struct shp_record *r = &w->g->shipments[i];

        jw_begin_object(&w->w);
        write_id(w, "id", js_get(js_at(list, i), "id"));
        write_word(w, "status", js_get(js_at(list, i), "status"));
        write_time(w, "created_at", js_get(js_at(list, i), "createdAt"));
        jw_key(&w->w, "line_items");
        jw_begin_array(&w->w);
        for (size_t p = 0; p < r->page_count; p++) {
            const struct js_value *nodes = shp_nodes(r->pages[p], "fulfillmentLineItems");

            for (size_t k = 0; k < js_len(nodes); k++) {
                jw_begin_object(&w->w);
                write_id(w, "id", js_path(js_at(nodes, k), "lineItem.id"));
                copy(w, "quantity", js_at(nodes, k), "quantity");
                jw_end_object(&w->w);
            }
        }
        jw_end_array(&w->w);
        jw_end_object(&w->w);
    }
    jw_end_array(&w->w);
}

/* Webhooks know three words. The other ones here tell what becomes of the rest of an order, of
 * which a part may have gone already. */
static void write_fulfilment(struct writer *w)
{
    struct str status = STR("");
    const char *word = NULL;

    if (!js_string(js_get(w->g->order, "displayFulfillmentStatus"), &status))
        status = STR("");
    if (str_eq(status, STR("FULFILLED")))
        word = "fulfilled";
    else if (str_eq(status, STR("RESTOCKED")))
        word = "restocked";
    else if (str_eq(status, STR("PARTIALLY_FULFILLED")))
        word = "partial";
    for (size_t i = 0; i < w->g->shipment_count && !word; i++) {
        if (w->g->shipments[i].first && !str_eq(status, STR("UNFULFILLED")))
            word = "partial";
    }
    jw_kz(&w->w, "fulfillment_status", word);
}

/* ---- the order itself ---- */

static void write_address(struct writer *w, const char *key, const char *from)
{
    const struct js_value *v = js_get(w->g->order, from);

    jw_key(&w->w, key);
    if (js_is_null(v)) {
        jw_null(&w->w);
        return;
    }
    jw_begin_object(&w->w);
    copy(w, "first_name", v, "firstName");
    copy(w, "last_name", v, "lastName");
    copy(w, "name", v, "name");
    copy(w, "company", v, "company");
    copy(w, "country_code", v, "countryCodeV2");
    copy(w, "province_code", v, "provinceCode");
    jw_end_object(&w->w);
}

static void write_buyer(struct writer *w)
{
    const struct js_value *order = w->g->order, *customer = js_get(order, "customer");
    const struct js_value *company = js_path(order, "purchasingEntity.company");

    jw_key(&w->w, "customer");
    if (js_is_null(customer)) {
        jw_null(&w->w);
    } else {
        jw_begin_object(&w->w);
        write_id(w, "id", js_get(customer, "id"));
        copy(w, "first_name", customer, "firstName");
        copy(w, "last_name", customer, "lastName");
        copy(w, "email", js_get(customer, "defaultEmailAddress"), "emailAddress");
        jw_end_object(&w->w);
    }
    jw_key(&w->w, "company");
    if (js_is_null(company)) {
        jw_null(&w->w);
    } else {
        jw_begin_object(&w->w);
        write_id(w, "id", js_get(company, "id"));
        write_id(w, "location_id", js_path(order, "purchasingEntity.location.id"));
        /* A webhook does not name the company; its name stands in the address as a rule. */
        if (js_is_null(js_path(order, "billingAddress.company")))
            copy(w, "name", company, "name");
        jw_end_object(&w->w);
    }
    write_address(w, "billing_address", "billingAddress");
    write_address(w, "shipping_address", "shippingAddress");
}

static void write_terms(struct writer *w)
{
    const struct js_value *terms = js_get(w->g->order, "paymentTerms");
    const struct js_value *nodes = shp_nodes(terms, "paymentSchedules");

    jw_key(&w->w, "payment_terms");
    if (js_is_null(terms)) {
        jw_null(&w->w);
        return;
    }
    jw_begin_object(&w->w);
    copy(w, "due_in_days", terms, "dueInDays");
    jw_key(&w->w, "payment_schedules");
    jw_begin_array(&w->w);
    for (size_t i = 0; i < js_len(nodes); i++) {
        jw_begin_object(&w->w);
        write_time(w, "due_at", js_get(js_at(nodes, i), "dueAt"));
        jw_end_object(&w->w);
    }
    jw_end_array(&w->w);
    jw_end_object(&w->w);
}

static void write_tags(struct writer *w)
{
    const struct js_value *list = js_get(w->g->order, "tags");
    struct buf tags = BUF_CAP(LIM_JSON_BYTES);

    for (size_t i = 0; i < js_len(list); i++) {
        struct str tag;

        if (!js_string(js_at(list, i), &tag))
            continue;
        if (tags.n > 0)
            buf_addz(&tags, ", ");
        buf_add_str(&tags, tag);
    }
    jw_kstr(&w->w, "tags", buf_str(&tags));
    buf_free(&tags);
}

static void write_head(struct writer *w)
{
    const struct js_value *order = w->g->order;

    jw_key(&w->w, "id");
    jw_raw(&w->w, str_of(w->g->id));
    copy(w, "name", order, "name");
    write_time(w, "created_at", js_get(order, "createdAt"));
    write_time(w, "updated_at", js_get(order, "updatedAt"));
    write_time(w, "processed_at", js_get(order, "processedAt"));
    write_time(w, "cancelled_at", js_get(order, "cancelledAt"));
    copy(w, "test", order, "test");
    copy(w, "currency", order, "currencyCode");
    copy(w, "presentment_currency", order, "presentmentCurrencyCode");
    write_word(w, "financial_status", js_get(order, "displayFinancialStatus"));
    write_fulfilment(w);
    copy(w, "taxes_included", order, "taxesIncluded");
    copy(w, "tax_exempt", order, "taxExempt");
    copy(w, "duties_included", order, "dutiesIncluded");
    copy(w, "source_name", order, "sourceName");
    copy(w, "email", order, "email");
    copy(w, "po_number", order, "poNumber");
    if (js_is_null(js_get(order, "merchantOfRecordApp")))
        copy(w, "merchant_of_record_app_id", NULL, "");
    else /* whoever it is: another party sells */
        copy(w, "merchant_of_record_app_id", js_get(order, "merchantOfRecordApp"), "id");
    write_tags(w);
    write_gateways(w);
}

static void write_totals(struct writer *w)
{
    const struct js_value *order = w->g->order;

    write_amount(w, "total_price", js_get(order, "totalPriceSet"));
    write_amount(w, "total_tax", js_get(order, "totalTaxSet"));
    write_amount(w, "total_tip_received", js_get(order, "totalTipReceivedSet"));
    write_amount(w, "total_outstanding", js_get(order, "totalOutstandingSet"));
    write_amount(w, "current_total_price", js_get(order, "currentTotalPriceSet"));
    write_set(w, "original_total_duties", js_get(order, "originalTotalDutiesSet"));
    write_set(w, "original_total_additional_fees", js_get(order, "originalTotalAdditionalFeesSet"));
    write_set(w, "total_cash_rounding_payment_adjustment",
              js_path(order, "totalCashRoundingAdjustment.paymentSet"));
}

void shp_gather_write(const struct shp_gather *g, shp_offset_fn *offset, void *arg, struct buf *out)
{
    struct writer w = {.g = g, .offset = offset, .arg = arg};

    jw_init(&w.w, out);
    jw_begin_object(&w.w);
    write_head(&w);
    write_totals(&w);
    write_buyer(&w);
    write_terms(&w);
    write_lines(&w);
    write_shipping(&w);
    write_fees(&w);
    write_refunds(&w);
    write_shipments(&w);
    write_transactions(&w, js_get(g->order, "transactions"));
    jw_end_object(&w.w);
}
