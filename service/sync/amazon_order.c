/*
 * DESIGN: an order of the Orders API 2026-01-01. An item's money is a list of heads (ITEM,
 * SHIPPING...) with two that cut across them, TAX and DISCOUNT, which say in their details how much
 * of them belongs to which head; what they leave open is the product's.
 */
#include "service/sync/amazon.h"

#include "service/sync/amazon_parts.h"

/* ---- what both shapes share ---- */

struct str amz_words(struct amz_reader *r, const struct js_value *v, const char *key)
{
    struct str text;

    return js_text(js_get(v, key), &text) ? ord_words(text, r->arena) : STR("");
}

enum err amz_item_id(struct amz_reader *r, const struct js_value *v, const char *key,
                     struct str *out)
{
    size_t digits = 0, others = 0;

    *out = amz_words(r, v, key);
    for (size_t i = 0; i < out->n; i++) {
        char c = out->p[i], small = (char)(c | 0x20);

        digits += c >= '0' && c <= '9';
        others += (small >= 'a' && small <= 'z') || c == '-' || c == '_';
    }
    if (digits == 0 || digits + others != out->n)
        return err_set(r->info, ERR_MISSING, "%s is missing, or is no id.", key);
    return ERR_OK;
}

void amz_time(const struct js_value *v, const char *key, char out[36])
{
    struct str text;
    int64_t seconds;

    out[0] = '\0';
    if (js_string(js_get(v, key), &text) && text.n < 36 && ord_time(text, &seconds, NULL)) {
        memcpy(out, text.p, text.n);
        out[text.n] = '\0';
    }
}

bool amz_true(const struct js_value *v)
{
    struct str text;

    return js_true(v) || (js_string(v, &text) && str_eq_nocase(text, STR("true")));
}

struct str amz_country(struct str marketplace)
{
    static const struct {
        const char *id, *country;
    } known[] = {
        {"A2EUQ1WTGCTBG2", "CA"}, {"ATVPDKIKX0DER", "US"},  {"A1AM78C64UM0Y8", "MX"},
        {"A2Q3Y263D00KWC", "BR"}, {"A28R8C7NBKEWEA", "IE"}, {"A1RKKUPIHCS9HS", "ES"},
        {"A1F83G8C2ARO7P", "GB"}, {"A13V1IB3VIYZZH", "FR"}, {"AMEN7PMS3EDWL", "BE"},
        {"A1805IZSGTT6HS", "NL"}, {"A1PA6795UKMFR9", "DE"}, {"APJ6JRA9NG5V4", "IT"},
        {"A2NODRKZP88ZB9", "SE"}, {"AE08WJ6YKNBMC", "ZA"},  {"A1C3SOZRARQ6R3", "PL"},
        {"ARBP9OOSHTCHU", "EG"},  {"A33AVAJ2PDY3EV", "TR"}, {"A17E79C6D8DWNP", "SA"},
        {"A2VIGQ35RCS4UG", "AE"}, {"A21TJRUUN4KGV", "IN"},  {"A19VAU5U5O7RUS", "SG"},
        {"A39IBJ37TRP1C6", "AU"}, {"A1VC38T7YXB528", "JP"},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (str_eq(marketplace, str_of(known[i].id)))
            return str_of(known[i].country);
    }
    return STR("");
}

void amz_read_identity(struct amz_reader *r, const struct js_value *order,
                       const struct amz_names *names)
{
    struct order *o = r->o;

    o->id = amz_words(r, order, names->id);
    o->name = o->id;
    amz_time(order, names->created, o->created_at);
    amz_time(order, names->updated, o->updated_at);
    memcpy(o->processed_at, o->created_at, sizeof o->created_at);
    if (!ord_day(str_of(o->created_at), o->state.created_day))
        o->state.created_day[0] = '\0';
}

enum err amz_read_state(struct amz_reader *r, struct str status, struct str channel, bool elsewhere)
{
    struct str *gateway = arena_array(r->arena, 1, sizeof *gateway);
    struct ord_state *s = &r->o->state;
    enum rul_event event;

    *gateway = STR("amazon");
    s->gateways = gateway;
    s->gateway_count = 1;
    s->source = channel;
    s->third_party = elsewhere;
    r->o->shop_status = status;
    if (status.n == 0)
        return err_set(r->info, ERR_MISSING, "The order has no status.");
    if (!amz_status(status, s, &event))
        return err_set(r->info, ERR_RANGE, "\"%.*s\" is no status of an order.", STR_FMT(status));
    s->kept = s->paid == ORD_PAID;
    if (s->cancelled && !ord_day(str_of(r->o->updated_at), r->o->cancelled_day))
        r->o->cancelled_day[0] = '\0';
    return ERR_OK;
}

/* ---- an item of 2026-01-01 ---- */

enum head { HEAD_ITEM, HEAD_SHIPPING, HEAD_WRAP, HEAD_COD, HEAD_OTHER, HEAD_COUNT };

static const struct {
    const char *word, *what, *title;
    enum ord_line_kind kind;
} heads[HEAD_COUNT] = {
    [HEAD_ITEM] = {"ITEM", "", "Its price", ORD_PRODUCT},
    [HEAD_SHIPPING] = {"SHIPPING", "shipping", "Shipping", ORD_SHIPPING},
    [HEAD_WRAP] = {"GIFT_WRAP", "wrap", "Gift wrap", ORD_FEE},
    [HEAD_COD] = {"COD_FEE", "cod", "Cash on delivery fee", ORD_FEE},
    [HEAD_OTHER] = {"OTHER", "other", "Other charges", ORD_FEE},
};

/* An item on its way. */
struct item {
    struct amz_reader *r;
    struct amz_item known;
    struct amz_charge charges[HEAD_COUNT];
};

/* The head of that name; HEAD_COUNT for another one. */
static enum head head_of(struct str word)
{
    enum head h = HEAD_ITEM;

    while (h < HEAD_COUNT && !str_eq_nocase(word, str_of(heads[h].word)))
        h++;
    return h;
}

static struct str word_of(const struct js_value *v, const char *key)
{
    struct str word;

    return js_string(js_get(v, key), &word) ? word : STR("");
}

static enum err add_up(struct amz_reader *r, struct money m, struct money *sum)
{
    enum err e = mon_add(*sum, m, sum);

    return e == ERR_OK ? ERR_OK : err_set(r->info, e, "The sum of the amounts does not fit.");
}

static bool has_head(const struct item *item, enum head h)
{
    return h < HEAD_COUNT && item->charges[h].price.units != 0;
}

/* Shares a head that cuts across the others: its details where they name a head that costs
 * something, the rest to the product. */
static enum err share(struct item *item, const struct js_value *breakdown, bool tax)
{
    const struct js_value *details = js_get(breakdown, "detailedBreakdowns");
    struct money rest = {0}, part;
    enum err e = amz_amount(item->r, breakdown, "subtotal", &rest);

    if (js_len(details) > LIM_ORDER_LINES)
        return err_set(item->r->info, ERR_TOO_BIG, "It has too many detailedBreakdowns.");
    for (size_t i = 0; e == ERR_OK && i < js_len(details); i++) {
        const struct js_value *detail = js_at(details, i);
        enum head h = head_of(word_of(detail, "subtype"));

        if (h == HEAD_ITEM || !has_head(item, h))
            continue;
        e = amz_amount(item->r, detail, "value", &part);
        if (e == ERR_OK)
            e = add_up(item->r, part, tax ? &item->charges[h].tax : &item->charges[h].discount);
        if (e == ERR_OK)
            e = add_up(item->r, mon_neg(part), &rest);
    }
    if (e != ERR_OK)
        return e;
    return add_up(item->r, rest,
                  tax ? &item->charges[HEAD_ITEM].tax : &item->charges[HEAD_ITEM].discount);
}

/* Without a list of heads an item is its pieces at their price. */
static enum err price_by_piece(struct item *item, const struct js_value *v)
{
    const struct js_value *price = js_path(v, "product.price");
    struct money piece;
    enum err e = ERR_OK;

    if (js_is_null(js_get(price, "unitPrice")))
        return err_set(item->r->info, ERR_MISSING,
                       "proceeds is missing: fetch the order with includedData=PROCEEDS.");
    e = amz_amount(item->r, price, "unitPrice", &piece);
    if (e != ERR_OK)
        return e;
    e = mon_mul(piece, item->known.quantity, &item->charges[HEAD_ITEM].price);
    return e == ERR_OK ? ERR_OK : err_set(item->r->info, e, "quantity times price does not fit.");
}

static enum err read_charges(struct item *item, const struct js_value *v)
{
    const struct js_value *list = js_path(v, "proceeds.breakdowns");
    enum err e = ERR_OK;

    if (js_len(list) > LIM_ORDER_LINES)
        return err_set(item->r->info, ERR_TOO_BIG, "It has too many breakdowns.");
    if (js_len(list) == 0)
        return price_by_piece(item, v);
    for (size_t i = 0; e == ERR_OK && i < js_len(list); i++) { /* the heads themselves first */
        struct str type = word_of(js_at(list, i), "type");
        enum head h = head_of(type);
        struct money part;

        if (str_eq(type, STR("TAX")) || str_eq(type, STR("DISCOUNT")))
            continue;
        e = amz_amount(item->r, js_at(list, i), "subtotal", &part);
        if (e == ERR_OK) /* a head that is new to us is a charge, too */
            e = add_up(item->r, part, &item->charges[h < HEAD_COUNT ? h : HEAD_OTHER].price);
    }
    for (size_t i = 0; e == ERR_OK && i < js_len(list); i++) {
        struct str type = word_of(js_at(list, i), "type");

        if (str_eq(type, STR("TAX")) || str_eq(type, STR("DISCOUNT")))
            e = share(item, js_at(list, i), str_eq(type, STR("TAX")));
    }
    return e;
}

/* Tax that Amazon collects and remits itself: as a marketplace facilitator, or as the deemed seller
 * of the EU's one stop shops. */
static bool is_withheld(const struct js_value *tax)
{
    const struct js_value *models = js_get(tax, "taxCollections");
    const struct js_value *schemes = js_get(tax, "taxCalculationBreakdowns");
    bool found = false;

    for (size_t i = 0; i < js_len(models); i++)
        found = found || str_eq(word_of(js_at(models, i), "model"), STR("MARKETPLACE_FACILITATOR"));
    for (size_t i = 0; i < js_len(schemes); i++)
        found = found || word_of(js_at(schemes, i), "reportingScheme").n > 0;
    return found;
}

static enum err read_item(struct amz_reader *r, const struct js_value *v)
{
    const struct js_value *product = js_get(v, "product"), *sent = js_get(v, "fulfillment");
    struct item item = {.r = r};
    struct money zero = mon_zero(r->o->currency);
    enum err e = amz_item_id(r, v, "orderItemId", &item.known.id);

    if (e != ERR_OK)
        return e;
    item.known.title = amz_words(r, product, "title");
    item.known.sku = amz_words(r, product, "sellerSku");
    item.known.withheld = is_withheld(js_get(v, "tax"));
    if (!js_int64(js_get(v, "quantityOrdered"), &item.known.quantity) || item.known.quantity < 0)
        return err_set(r->info, ERR_TYPE, "quantityOrdered is no whole number from 0.");
    if (!js_int64(js_get(sent, "quantityFulfilled"), &item.known.shipped) || item.known.shipped < 0)
        item.known.shipped = 0;
    for (int h = 0; h < HEAD_COUNT; h++)
        item.charges[h] =
            (struct amz_charge){heads[h].kind, heads[h].what, heads[h].title, zero, zero, zero};
    e = read_charges(&item, v);
    for (int h = 0; e == ERR_OK && h < HEAD_COUNT; h++)
        e = amz_add_charge(r, &item.known, &item.charges[h]);
    return e;
}

/* ---- the order of 2026-01-01 ---- */

/* The only charge of the order as a whole: the others are its items' summed up. */
static enum err read_tip(struct amz_reader *r, const struct js_value *list)
{
    const struct amz_item order = {.quantity = 1};
    struct money zero = mon_zero(r->o->currency), part;
    struct amz_charge tip = {ORD_TIP, "tip", "Delivery tip", zero, zero, zero};
    enum err e = ERR_OK;

    for (size_t i = 0; e == ERR_OK && i < js_len(list); i++) {
        if (!str_eq(word_of(js_at(list, i), "type"), STR("DELIVERY_TIP")))
            continue;
        e = amz_amount(r, js_at(list, i), "subtotal", &part);
        if (e == ERR_OK)
            e = add_up(r, part, &tip.price);
        if (e == ERR_OK && str_eq(word_of(js_at(list, i), "status"), STR("PENDING")))
            e = add_up(r, part, &r->pending);
    }
    return e == ERR_OK ? amz_add_charge(r, &order, &tip) : e;
}

static enum err read_money(struct amz_reader *r, const struct js_value *order)
{
    const struct js_value *proceeds = js_get(order, "proceeds");
    const struct js_value *items = js_get(order, "orderItems");
    const struct js_value *list = js_get(proceeds, "breakdowns");
    struct money total;
    enum err e = ERR_OK;

    if (js_is_null(js_get(proceeds, "grandTotal")))
        return err_set(r->info, ERR_MISSING,
                       "proceeds.grandTotal is missing: fetch the order with "
                       "includedData=PROCEEDS.");
    if (js_type(items) != JS_ARRAY)
        return err_set(r->info, ERR_MISSING, "orderItems is missing or no array.");
    if (js_len(items) > LIM_ORDER_LINES || js_len(list) > LIM_ORDER_LINES)
        return err_set(r->info, ERR_TOO_BIG, "The order has more than %d items.", LIM_ORDER_LINES);
    e = amz_amount(r, proceeds, "grandTotal", &total);
    r->o->total = total;
    amz_make_room(r, js_len(items) * HEAD_COUNT + 1);
    for (size_t i = 0; e == ERR_OK && i < js_len(items); i++) {
        e = read_item(r, js_at(items, i));
        if (e != ERR_OK)
            e = err_prefix(r->info, e, "orderItems[%zu]", i);
    }
    if (e == ERR_OK)
        e = read_tip(r, list);
    return e == ERR_OK ? amz_reconcile(r, total, true) : e;
}

static void read_party(struct amz_reader *r, const struct js_value *order)
{
    const struct js_value *buyer = js_get(order, "buyer");
    const struct js_value *address = js_path(order, "recipient.deliveryAddress");
    struct order *o = r->o;

    o->party.name = amz_words(r, buyer, "buyerName");
    o->party.email = amz_words(r, buyer, "buyerEmail");
    o->party.company = amz_words(r, buyer, "buyerCompanyName");
    o->po_number = amz_words(r, buyer, "buyerPurchaseOrderNumber");
    o->country = amz_words(r, address, "countryCode");
    if (o->country.n != 2)
        o->country = r->home;
}

static bool is_replacement(const struct js_value *order)
{
    const struct js_value *others = js_get(order, "associatedOrders");
    bool found = false;

    for (size_t i = 0; i < js_len(others); i++)
        found = found || str_eq(word_of(js_at(others, i), "associationType"),
                                STR("REPLACEMENT_ORIGINAL_ID"));
    return found;
}

/* The day on which the first package left. */
static void read_packages(struct order *o, const struct js_value *packages)
{
    for (size_t i = 0; i < js_len(packages); i++) {
        char day[11];

        if (ord_day(word_of(js_at(packages, i), "shipTime"), day) &&
            (!o->fulfilled_day[0] || strcmp(day, o->fulfilled_day) < 0))
            memcpy(o->fulfilled_day, day, sizeof day);
    }
}

enum err amz_read_2026(struct amz_reader *r, const struct js_value *order)
{
    static const struct amz_names names = {"orderId", "createdTime", "lastUpdatedTime"};
    const struct js_value *channel = js_get(order, "salesChannel");
    struct str market = amz_words(r, channel, "marketplaceName");
    struct str name = amz_words(r, channel, "channelName");
    enum err e;

    amz_read_identity(r, order, &names);
    e = amz_read_state(r, amz_words(r, js_get(order, "fulfillment"), "fulfillmentStatus"),
                       market.n > 0 ? market : name, str_eq(name, STR("NON_AMAZON")));
    if (e != ERR_OK)
        return e;
    r->home = amz_country(word_of(channel, "marketplaceId"));
    r->o->state.replacement = is_replacement(order);
    read_party(r, order);
    read_packages(r->o, js_get(order, "packages"));
    return read_money(r, order);
}
