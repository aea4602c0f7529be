#include "service/sync/shopify.h"

#include "service/sync/shopify_parts.h"

/* A time as it was written; "" for anything that is none. */
static void read_time(const struct js_value *v, const char *key, char out[36])
{
    struct str text;
    int64_t seconds;

    out[0] = '\0';
    if (js_string(js_get(v, key), &text) && text.n < 36 && ord_time(text, &seconds, NULL)) {
        memcpy(out, text.p, text.n);
        out[text.n] = '\0';
    }
}

static struct str person_name(struct reader *r, const struct js_value *v)
{
    struct str first = shp_read_name(r, v, "first_name");
    struct str last = shp_read_name(r, v, "last_name");
    char *both = arena_printf(r->arena, "%.*s %.*s", STR_FMT(first), STR_FMT(last));
    struct str name = str_trim(str_cut(str_of(both), LIM_NAME));

    return name.n > 0 ? name : shp_read_name(r, v, "name");
}

/* The first text that is not empty. */
static struct str first_of(struct str a, struct str b, struct str c)
{
    return a.n > 0 ? a : b.n > 0 ? b : c;
}

static void read_party(struct reader *r, const struct js_value *root)
{
    const struct js_value *customer = js_get(root, "customer");
    const struct js_value *billing = js_get(root, "billing_address");
    const struct js_value *shipping = js_get(root, "shipping_address");
    const struct js_value *company = js_get(root, "company");
    struct ord_party *party = &r->o->party;

    party->customer_id = shp_read_part_id(r, customer, "id");
    party->name =
        first_of(person_name(r, customer), person_name(r, billing), person_name(r, shipping));
    party->is_company = !js_is_null(company);
    party->company_id = shp_read_part_id(r, company, "id");
    /* A private parcel sent to somebody's workplace has that company in its shipping address. */
    party->company =
        first_of(shp_read_name(r, company, "name"), shp_read_name(r, billing, "company"),
                 party->is_company ? shp_read_name(r, shipping, "company") : STR(""));
    party->email =
        first_of(shp_read_name(r, root, "email"), shp_read_name(r, root, "contact_email"),
                 shp_read_name(r, customer, "email"));
    r->o->country = first_of(shp_read_name(r, shipping, "country_code"),
                             shp_read_name(r, billing, "country_code"), STR(""));
    if (r->o->country.n != 2)
        r->o->country = STR("");
}

static void read_terms(struct reader *r, const struct js_value *root)
{
    const struct js_value *terms = js_get(root, "payment_terms");
    const struct js_value *schedules = js_get(terms, "payment_schedules");

    r->o->po_number = shp_read_name(r, root, "po_number");
    r->o->due_days = -1;
    if (js_int64(js_get(terms, "due_in_days"), &r->o->due_days) &&
        (r->o->due_days < 0 || r->o->due_days > 3660))
        r->o->due_days = -1;
    for (size_t i = 0; i < js_len(schedules); i++) {
        char day[11];

        shp_read_day(js_at(schedules, i), "due_at", NULL, day);
        if (strcmp(day, r->o->due_day) > 0)
            memcpy(r->o->due_day, day, sizeof(day));
    }
}

static void read_gateways(struct reader *r, const struct js_value *root)
{
    const struct js_value *array = js_get(root, "payment_gateway_names");
    size_t n = js_len(array);
    struct str *gateways = arena_array(r->arena, n, sizeof(*gateways));
    size_t found = 0;

    for (size_t i = 0; i < n; i++) {
        struct str name = shp_read_words(r, js_at(array, i));

        if (name.n > 0)
            gateways[found++] = name;
    }
    r->o->state.gateways = gateways;
    r->o->state.gateway_count = found;
}

static void read_state(struct reader *r, const struct js_value *root)
{
    struct ord_state *s = &r->o->state;
    struct str cancelled, tags;

    if (shp_is_word(root, "financial_status", "paid") ||
        shp_is_word(root, "financial_status", "partially_refunded") ||
        shp_is_word(root, "financial_status", "refunded"))
        s->paid = ORD_PAID;
    else if (shp_is_word(root, "financial_status", "partially_paid"))
        s->paid = ORD_PARTLY_PAID;
    if (shp_is_word(root, "fulfillment_status", "fulfilled"))
        s->fulfilment = ORD_FULFILLED;
    else if (shp_is_word(root, "fulfillment_status", "partial"))
        s->fulfilment = ORD_PARTLY_FULFILLED;
    s->kept = s->paid != ORD_UNPAID && !shp_is_word(root, "financial_status", "refunded");
    s->refunded = shp_is_word(root, "financial_status", "partially_refunded") ||
                  shp_is_word(root, "financial_status", "refunded");
    s->cancelled = js_string(js_get(root, "cancelled_at"), &cancelled) && cancelled.n > 0;
    s->test = js_true(js_get(root, "test"));
    s->third_party = !js_is_null(js_get(root, "merchant_of_record_app_id"));
    shp_read_day(root, "created_at", NULL, s->created_day);
    shp_read_day(root, "cancelled_at", NULL, r->o->cancelled_day);
    if (js_string(js_get(root, "tags"), &tags))
        s->tags = arena_str(r->arena, tags);
    s->source = shp_read_name(r, root, "source_name");
    read_gateways(r, root);
    r->o->shop_status = shp_read_name(r, root, "financial_status");
}

static enum err read_currency(struct reader *r, const struct js_value *root, enum shp_money money)
{
    struct order *o = r->o;
    struct str text;
    enum err e;

    if (!js_string(js_get(root, "currency"), &text))
        return err_set(r->info, js_is_null(js_get(root, "currency")) ? ERR_MISSING : ERR_TYPE,
                       "currency is missing or no text.");
    e = mon_currency(text, o->shop_currency, r->info);
    if (e != ERR_OK)
        return err_prefix(r->info, ERR_RANGE, "currency");
    if (!js_string(js_get(root, "presentment_currency"), &text) ||
        mon_currency(text, o->presentment_currency, NULL) != ERR_OK)
        memcpy(o->presentment_currency, o->shop_currency, sizeof(o->currency));
    memcpy(o->currency, money == SHP_PRESENTMENT_MONEY ? o->presentment_currency : o->shop_currency,
           sizeof(o->currency));
    return ERR_OK;
}

static enum err read_total_set(struct reader *r, const struct js_value *root, const char *key,
                               struct money *out)
{
    return shp_read_set(r, js_get(root, key), key, out);
}

/* What is outstanding is stated in the shop's money alone. In the buyer's it is known where it is
 * all or nothing, or just what edits took off; else nothing is claimed to be paid that no
 * transaction shows. */
static struct money outstanding_of_buyer(struct reader *r, const struct js_value *root,
                                         struct money other)
{
    struct reader quiet = {.o = r->o};
    const char *shop = r->o->shop_currency;
    struct money outstanding, total, current, taken, result = other;

    if (js_is_null(js_get(root, "total_outstanding")) ||
        shp_read_plain(&quiet, root, "total_outstanding", shop, &outstanding) != ERR_OK ||
        shp_read_plain(&quiet, root, "total_price", shop, &total) != ERR_OK ||
        shp_read_plain(&quiet, root, "current_total_price", shop, &current) != ERR_OK ||
        mon_sub(current, total, &taken) != ERR_OK)
        return other;
    if (outstanding.units == 0)
        return mon_zero(r->o->currency);
    if (mon_cmp(outstanding, current) == 0)
        return r->o->current_total;
    if (mon_cmp(outstanding, total) == 0)
        return r->o->total;
    if (mon_cmp(outstanding, taken) == 0 &&
        mon_sub(r->o->current_total, r->o->total, &result) != ERR_OK)
        return other;
    return result;
}

static enum err read_totals(struct reader *r, const struct js_value *root)
{
    struct order *o = r->o;
    struct money unsaid;
    enum err e = shp_need_amount(r, root, "total_price", &o->total);

    if (e == ERR_OK)
        e = shp_read_amount(r, root, "total_tax", &o->total_tax);
    if (e == ERR_OK)
        e = read_total_set(r, root, "original_total_duties_set", &o->duties);
    if (e == ERR_OK)
        e = read_total_set(r, root, "original_total_additional_fees_set", &o->fees);
    if (e == ERR_OK)
        e = read_total_set(r, root, "total_cash_rounding_payment_adjustment_set",
                           &o->cash_rounding);
    if (e != ERR_OK)
        return e;
    o->duties_included = js_true(js_get(root, "duties_included"));
    o->state.zero_value = o->total.units == 0;
    o->current_total = shp_guess_amount(r, root, "current_total_price", o->total);
    /* Old bodies do not say what is outstanding: without the word "paid", all of it. */
    unsaid = o->state.paid == ORD_PAID ? mon_zero(o->currency) : o->current_total;
    o->outstanding = shp_in_presentment(o) ? outstanding_of_buyer(r, root, unsaid)
                                           : shp_guess_amount(r, root, "total_outstanding", unsaid);
    return ERR_OK;
}

/* The tips of the order's lines, in the order's money; and in the shop's as the body has them. */
static enum err sum_tips(struct reader *r, const struct js_value *root, struct money *tips,
                         struct money *shop_tips)
{
    const struct js_value *items = js_get(root, "line_items");
    struct order *o = r->o;
    struct money part;
    enum err e = ERR_OK;

    *tips = mon_zero(o->currency);
    *shop_tips = mon_zero(o->shop_currency);
    for (size_t i = 0; i < js_len(items) && e == ERR_OK; i++) {
        const struct ord_line *line = &o->lines[i]; /* the first lines are the items */

        if (line->kind != ORD_TIP)
            continue;
        e = mon_mul(line->price, line->quantity, &part);
        if (e == ERR_OK)
            e = shp_add_up(r, part, tips);
        if (e == ERR_OK)
            e = shp_read_plain(r, js_at(items, i), "price", o->shop_currency, &part);
        if (e == ERR_OK)
            e = mon_mul(part, line->quantity, &part);
        if (e == ERR_OK)
            e = shp_add_up(r, part, shop_tips);
    }
    return e == ERR_OK ? ERR_OK : err_prefix(r->info, e, "tips");
}

/* The total of tips has no money of the buyer's; where tips are lines, those say it. */
static enum err read_tip(struct reader *r, const struct js_value *root)
{
    struct order *o = r->o;
    struct money shop_tip = {0}, tips = {0}, shop_tips = {0};
    enum err e;

    if (!shp_in_presentment(o) || !js_is_null(js_get(root, "total_tip_received_set")))
        return shp_read_amount(r, root, "total_tip_received", &o->tip);
    e = shp_read_plain(r, root, "total_tip_received", o->shop_currency, &shop_tip);
    if (e == ERR_OK)
        e = sum_tips(r, root, &tips, &shop_tips);
    if (e != ERR_OK)
        return e;
    if (shop_tip.units == 0 || mon_cmp(shop_tip, shop_tips) != 0)
        return shp_read_amount(r, root, "total_tip_received", &o->tip);
    o->tip = tips;
    return ERR_OK;
}

static enum err read_identity(struct reader *r, const struct js_value *root, struct str store)
{
    struct order *o = r->o;

    o->platform = STR("shopify");
    o->store = arena_str(r->arena, store);
    o->id = shp_read_part_id(r, root, "id");
    o->name = shp_read_name(r, root, "name");
    if (o->name.n == 0)
        o->name = o->id;
    if (js_is_null(js_get(root, "id")))
        return err_set(r->info, ERR_MISSING, "id is missing.");
    if (o->id.n == 0)
        return err_set(r->info, ERR_TYPE, "id is no positive whole number.");
    return ERR_OK;
}

/* All that has money in it. */
static enum err read_amounts(struct reader *r, const struct js_value *root)
{
    struct order *o = r->o;
    enum err e = read_totals(r, root);

    if (e == ERR_OK)
        e = shp_read_lines(r, root);
    if (e == ERR_OK)
        e = read_tip(r, root);
    if (e == ERR_OK)
        e = shp_read_shipments(r, root);
    if (e == ERR_OK)
        e = shp_read_refunds(r, root);
    if (e != ERR_OK)
        return e;
    /* Of an order that cost nothing there is no money to keep. */
    o->state.kept = o->state.kept && (o->total.units != 0 || o->current_total.units != 0);
    shp_note_refunds(o);
    shp_read_payments(r, root);
    return ERR_OK;
}

enum err shp_read_order(const struct js_value *root, struct str store, enum shp_money money,
                        struct arena *arena, struct order *out, struct errinfo *info)
{
    struct reader r = {.arena = arena, .info = info, .o = out};
    enum err e;

    *out = (struct order){.due_days = -1};
    e = read_identity(&r, root, store);
    if (e != ERR_OK)
        return e;
    read_state(&r, root);
    read_time(root, "created_at", out->created_at);
    read_time(root, "updated_at", out->updated_at);
    read_time(root, "processed_at", out->processed_at);
    read_party(&r, root);
    read_terms(&r, root);
    out->taxes_included = js_true(js_get(root, "taxes_included"));
    out->tax_exempt = js_true(js_get(root, "tax_exempt"));
    e = read_currency(&r, root, money);
    return e == ERR_OK ? read_amounts(&r, root) : e;
}

char *shp_order_link(struct str store, struct str order_id, struct arena *arena)
{
    return arena_printf(arena, "https://%.*s/admin/orders/%.*s", STR_FMT(store), STR_FMT(order_id));
}
