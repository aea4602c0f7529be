/*
 * DESIGN: an order of the Orders API v0, which ends on 2027-03-27, and which forwarders still send:
 * the order and the list of its items, each as its operation returns it. Amounts are of all pieces
 * of an item. What wrapping a gift costs is among the data of the buyer, which most do not get.
 */
#include "service/sync/amazon.h"

#include "service/sync/amazon_parts.h"

#define CHARGES 4

/* An amount is one member, its discount and its tax others; the discount has a tax of its own. */
static const struct {
    enum ord_line_kind kind;
    const char *what, *title;
    const char *price, *tax, *discount, *discount_tax; /* NULL: there is none */
    bool of_buyer;                                     /* within BuyerInfo */
} charges[CHARGES] = {
    {ORD_PRODUCT, "", "Its price", "ItemPrice", "ItemTax", "PromotionDiscount",
     "PromotionDiscountTax", false},
    {ORD_SHIPPING, "shipping", "Shipping", "ShippingPrice", "ShippingTax", "ShippingDiscount",
     "ShippingDiscountTax", false},
    {ORD_FEE, "wrap", "Gift wrap", "GiftWrapPrice", "GiftWrapTax", NULL, NULL, true},
    {ORD_FEE, "cod", "Cash on delivery fee", "CODFee", NULL, "CODFeeDiscount", NULL, false},
};

static enum err optional(struct amz_reader *r, const struct js_value *v, const char *key,
                         struct money *out)
{
    *out = mon_zero(r->o->currency);
    return key ? amz_amount(r, v, key, out) : ERR_OK;
}

static enum err read_charge(struct amz_reader *r, const struct js_value *v, size_t i,
                            struct amz_charge *out)
{
    struct money of_discount = {0};
    enum err e;

    if (charges[i].of_buyer)
        v = js_get(v, "BuyerInfo");
    *out = (struct amz_charge){
        .kind = charges[i].kind, .what = charges[i].what, .title = charges[i].title};
    e = optional(r, v, charges[i].price, &out->price);
    if (e == ERR_OK)
        e = optional(r, v, charges[i].tax, &out->tax);
    if (e == ERR_OK)
        e = optional(r, v, charges[i].discount, &out->discount);
    if (e == ERR_OK)
        e = optional(r, v, charges[i].discount_tax, &of_discount);
    if (e == ERR_OK && mon_sub(out->tax, mon_abs(of_discount), &out->tax) != ERR_OK)
        e = err_set(r->info, ERR_OVERFLOW, "The sum of the amounts does not fit.");
    return e;
}

static bool is_withheld(const struct js_value *v)
{
    struct str word;

    if (js_string(js_path(v, "TaxCollection.Model"), &word) &&
        str_eq_nocase(word, STR("MarketplaceFacilitator")))
        return true;
    return js_string(js_get(v, "DeemedResellerCategory"), &word) && word.n > 0;
}

static enum err read_item(struct amz_reader *r, const struct js_value *v)
{
    struct amz_item item = {.title = amz_words(r, v, "Title"),
                            .sku = amz_words(r, v, "SellerSKU"),
                            .withheld = is_withheld(v)};
    enum err e = amz_item_id(r, v, "OrderItemId", &item.id);

    if (e != ERR_OK)
        return e;
    if (!js_int64(js_get(v, "QuantityOrdered"), &item.quantity) || item.quantity < 0)
        return err_set(r->info, ERR_TYPE, "QuantityOrdered is no whole number from 0.");
    if (!js_int64(js_get(v, "QuantityShipped"), &item.shipped) || item.shipped < 0)
        item.shipped = 0;
    if (item.quantity > 0 && js_is_null(js_get(v, "ItemPrice")))
        return err_set(r->info, ERR_MISSING, "ItemPrice is missing.");
    if (amz_true(js_get(v, "IsGift")) && js_is_null(js_path(v, "BuyerInfo.GiftWrapPrice")))
        r->hidden_wrap = true;
    for (size_t i = 0; e == ERR_OK && i < CHARGES; i++) {
        struct amz_charge charge;

        e = read_charge(r, v, i, &charge);
        if (e == ERR_OK)
            e = amz_add_charge(r, &item, &charge);
    }
    return e;
}

static enum err read_money(struct amz_reader *r, const struct js_value *order,
                           const struct js_value *list)
{
    const struct js_value *items = js_get(list, "OrderItems");
    struct money total;
    enum err e = ERR_OK;

    if (js_is_null(js_get(order, "OrderTotal")))
        return err_set(r->info, ERR_MISSING, "OrderTotal is missing.");
    if (js_type(items) != JS_ARRAY)
        return err_set(r->info, ERR_MISSING,
                       "orderItemsResponse is missing: an order of v0 comes with its items.");
    if (!js_is_null(js_get(list, "NextToken")))
        return err_set(r->info, ERR_MISSING,
                       "Items are missing: these are the first page only (NextToken).");
    if (js_len(items) > LIM_ORDER_LINES)
        return err_set(r->info, ERR_TOO_BIG, "The order has more than %d items.", LIM_ORDER_LINES);
    e = amz_amount(r, order, "OrderTotal", &total);
    r->o->total = total;
    amz_make_room(r, js_len(items) * CHARGES);
    for (size_t i = 0; e == ERR_OK && i < js_len(items); i++) {
        e = read_item(r, js_at(items, i));
        if (e != ERR_OK)
            e = err_prefix(r->info, e, "OrderItems[%zu]", i);
    }
    return e == ERR_OK ? amz_reconcile(r, total, false) : e;
}

static void read_party(struct amz_reader *r, const struct js_value *order)
{
    const struct js_value *buyer = js_get(order, "BuyerInfo");
    struct order *o = r->o;

    o->party.name = amz_words(r, buyer, "BuyerName");
    o->party.email = amz_words(r, buyer, "BuyerEmail");
    if (amz_true(js_get(order, "IsBusinessOrder")))
        o->party.company = amz_words(r, js_get(buyer, "BuyerTaxInfo"), "CompanyLegalName");
    o->po_number = amz_words(r, buyer, "PurchaseOrderNumber");
    o->country = amz_words(r, js_get(order, "ShippingAddress"), "CountryCode");
    if (o->country.n != 2)
        o->country = r->home;
}

enum err amz_read_v0(struct amz_reader *r, const struct js_value *order,
                     const struct js_value *items)
{
    static const struct amz_names names = {"AmazonOrderId", "PurchaseDate", "LastUpdateDate"};
    struct str channel = amz_words(r, order, "SalesChannel");
    enum err e;

    amz_read_identity(r, order, &names);
    e = amz_read_state(r, amz_words(r, order, "OrderStatus"), channel,
                       str_starts(channel, STR("Non-Amazon")));
    if (e != ERR_OK)
        return e;
    r->home = amz_country(amz_words(r, order, "MarketplaceId"));
    r->o->state.replacement = amz_true(js_get(order, "IsReplacementOrder"));
    read_party(r, order);
    return read_money(r, order, items);
}
