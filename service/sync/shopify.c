#include "service/sync/shopify.h"

#include <stdio.h>

#include "service/sync/shopify_parts.h"

/* ---- reading values ---- */

static const struct str none = {"", 0};

/* What the readers below share: where memory and sentences go, the order being filled, its lines
 * while they may still be written. A sentence names the field; each loop on the way out puts the
 * element in front: "line_items[3]: tax_lines[0]: price is missing." */
struct reader {
    struct arena *arena;
    struct errinfo *info;
    struct order *o;
    struct ord_line *lines;
};

static enum err in_element(struct reader *r, const char *array, size_t i, enum err e)
{
    return e == ERR_OK ? ERR_OK : err_prefix(r->info, e, "%s[%zu]", array, i);
}

/* Text for people: control characters become spaces, at most MAX bytes. "" for what is no text. */
static struct str read_words(struct reader *r, const struct js_value *v, size_t max)
{
    struct str raw = {NULL, 0};
    char *clean;

    if (!js_text(v, &raw) || raw.n == 0)
        return none;
    raw = str_cut(raw, max);
    clean = arena_alloc(r->arena, raw.n + 1);
    for (size_t i = 0; i < raw.n; i++) {
        unsigned char c = (unsigned char)raw.p[i];
        unsigned char next = i + 1 < raw.n ? (unsigned char)raw.p[i + 1] : 0xff;

        clean[i] = raw.p[i];
        if (c < 0x20 || c == 0x7f) {
            clean[i] = ' ';
        } else if (c == 0xc2 && next < 0xa0) { /* U+0080 to U+009F */
            clean[i] = ' ';
            clean[++i] = ' ';
        }
    }
    return str_trim((struct str){clean, raw.n});
}

static struct str read_name(struct reader *r, const struct js_value *v, const char *key)
{
    return read_words(r, js_get(v, key), LIM_NAME);
}

/* The id of a part of the order; "" if it has none. */
static struct str read_part_id(struct reader *r, const struct js_value *v, const char *key)
{
    struct str id;

    return shp_read_id(js_get(v, key), &id) ? arena_str(r->arena, id) : none;
}

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

/* The day of the first of two times that is there. */
static void read_day(const struct js_value *v, const char *key, const char *other, char out[11])
{
    struct str text;

    if (!(js_string(js_get(v, key), &text) && ord_day(text, out)) &&
        !(other && js_string(js_get(v, other), &text) && ord_day(text, out)))
        out[0] = '\0';
}

/* An amount in the order's currency. Absent or null is 0; anything else must be an amount: a wrong
 * one may not turn into a wrong invoice. */
static enum err read_amount(struct reader *r, const struct js_value *v, const char *key,
                            struct money *out)
{
    const struct js_value *amount = js_get(v, key);
    struct str text;
    enum err e;

    *out = mon_zero(r->o->currency);
    if (js_is_null(amount))
        return ERR_OK;
    if (!js_text(amount, &text))
        return err_set(r->info, ERR_TYPE, "%s is no amount.", key);
    e = mon_parse(text, r->o->currency, out, r->info);
    return e == ERR_OK ? ERR_OK : err_prefix(r->info, e == ERR_SYNTAX ? ERR_TYPE : e, "%s", key);
}

static enum err need_amount(struct reader *r, const struct js_value *v, const char *key,
                            struct money *out)
{
    if (js_is_null(js_get(v, key)))
        return err_set(r->info, ERR_MISSING, "%s is missing.", key);
    return read_amount(r, v, key, out);
}

/* An amount that an invoice can do without: OTHER stands in for whatever is not one. */
static struct money guess_amount(struct reader *r, const struct js_value *v, const char *key,
                                 struct money other)
{
    struct money m;
    struct str text;

    if (!js_text(js_get(v, key), &text) || mon_parse(text, r->o->currency, &m, NULL) != ERR_OK)
        return other;
    return m;
}

/* Shop money of a "..._set": by its definition in the shop's currency. Absent or null is 0. */
static enum err read_set(struct reader *r, const struct js_value *v, const char *key,
                         struct money *out)
{
    enum err e = read_amount(r, js_get(js_get(v, key), "shop_money"), "amount", out);

    return e == ERR_OK ? ERR_OK : err_prefix(r->info, e, "%s.shop_money", key);
}

static enum err add_up(struct reader *r, struct money m, struct money *sum)
{
    enum err e = mon_add(*sum, m, sum);

    return e == ERR_OK ? ERR_OK : err_set(r->info, e, "The sum of the amounts does not fit.");
}

/* A copy of the N elements of ARRAY, with room for one more. */
static void *grown(struct arena *arena, const void *array, size_t n, size_t size)
{
    char *copy = arena_array(arena, n + 1, size);

    if (n > 0)
        memcpy(copy, array, n * size);
    return copy;
}

/* Elements of array KEY; a missing one has none. */
static enum err count(struct reader *r, const struct js_value *v, const char *key, size_t *n)
{
    *n = js_len(js_get(v, key));
    if (*n > LIM_ORDER_LINES)
        return err_set(r->info, ERR_TOO_BIG, "%s has %zu elements; at most %d are read.", key, *n,
                       LIM_ORDER_LINES);
    return ERR_OK;
}

/* ---- lines ---- */

/* Of a rate, the decimals behind the eighth are noise of the sender's arithmetic. */
static enum err read_rate(struct reader *r, const struct js_value *v, struct rate *out)
{
    struct str text;
    const char *point;
    enum err e;

    *out = (struct rate){0};
    if (!js_text(js_get(v, "rate"), &text) || text.n == 0)
        return ERR_OK;
    point = memchr(text.p, '.', text.n);
    if (point && (size_t)(text.p + text.n - point) > 9 && !memchr(text.p, 'e', text.n) &&
        !memchr(text.p, 'E', text.n))
        text.n = (size_t)(point - text.p) + 9;
    e = mon_rate_parse(text, out, r->info);
    if (e != ERR_OK)
        return err_prefix(r->info, e == ERR_SYNTAX ? ERR_TYPE : e, "rate");
    return ERR_OK;
}

static enum err read_taxes(struct reader *r, const struct js_value *v, struct ord_line *line)
{
    const struct js_value *array = js_get(v, "tax_lines");
    struct ord_tax *taxes;
    size_t n;
    enum err e = count(r, v, "tax_lines", &n);

    if (e != ERR_OK)
        return e;
    taxes = arena_array(r->arena, n, sizeof(*taxes));
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        const struct js_value *tax = js_at(array, i);

        taxes[i].title = read_name(r, tax, "title");
        taxes[i].channel_liable = js_true(js_get(tax, "channel_liable"));
        e = read_rate(r, tax, &taxes[i].rate);
        if (e == ERR_OK)
            e = read_amount(r, tax, "price", &taxes[i].amount);
        e = in_element(r, "tax_lines", i, e);
    }
    line->taxes = taxes;
    line->tax_count = n;
    return e;
}

/* The line's discount is the sum of its allocations; total_discount is not kept up by the shop. */
static enum err read_discount(struct reader *r, const struct js_value *v, struct ord_line *line)
{
    const struct js_value *array = js_get(v, "discount_allocations");
    size_t n;
    enum err e = count(r, v, "discount_allocations", &n);

    line->discount = mon_zero(r->o->currency);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        struct money part;

        e = read_amount(r, js_at(array, i), "amount", &part);
        if (e == ERR_OK)
            e = add_up(r, part, &line->discount);
        e = in_element(r, "discount_allocations", i, e);
    }
    return e;
}

static struct str read_title(struct reader *r, const struct js_value *v)
{
    struct str title = read_name(r, v, "title");
    struct str variant = read_name(r, v, "variant_title");

    if (title.n == 0)
        return read_name(r, v, "name");
    if (variant.n == 0)
        return title;
    title = str_of(arena_printf(r->arena, "%.*s - %.*s", STR_FMT(title), STR_FMT(variant)));
    return str_trim(str_cut(title, LIM_NAME));
}

static enum err read_quantity(struct reader *r, const struct js_value *v, struct ord_line *line)
{
    const struct js_value *quantity = js_get(v, "quantity");
    struct money gross;
    enum err e;

    if (js_is_null(quantity))
        return err_set(r->info, ERR_MISSING, "quantity is missing.");
    if (!js_int64(quantity, &line->quantity))
        return err_set(r->info, ERR_TYPE, "quantity is no whole number.");
    if (line->quantity < 0)
        return err_set(r->info, ERR_RANGE, "quantity is negative.");
    e = mon_mul(line->price, line->quantity, &gross);
    if (e != ERR_OK)
        return err_set(r->info, e, "quantity times price does not fit.");
    return ERR_OK;
}

/* A product, voucher or tip; or, by KIND, a shipping line. */
static enum err read_line(struct reader *r, const struct js_value *v, enum ord_line_kind kind,
                          struct ord_line *line)
{
    int64_t current;
    enum err e;

    line->kind = kind;
    if (js_type(js_get(v, "tip_payment_gateway")) !=
        JS_ABSENT) /* the key alone marks a tip; its value may be null */
        line->kind = ORD_TIP;
    else if (js_true(js_get(v, "gift_card")))
        line->kind = ORD_GIFT_CARD;
    line->id = read_part_id(r, v, "id");
    line->title = read_title(r, v);
    line->sku = read_name(r, v, "sku");
    line->vendor = read_name(r, v, "vendor");
    line->product_type = read_name(r, v, "product_type");
    line->quantity = 1;
    e = need_amount(r, v, "price", &line->price);
    if (e == ERR_OK && kind != ORD_SHIPPING)
        e = read_quantity(r, v, line);
    if (e == ERR_OK)
        e = read_discount(r, v, line);
    if (e == ERR_OK)
        e = read_taxes(r, v, line);
    if (e == ERR_OK && js_int64(js_get(v, "current_quantity"), &current) &&
        current > line->quantity)
        r->o->edited = true;
    return e;
}

static enum err read_lines(struct reader *r, const struct js_value *root)
{
    const struct js_value *items = js_get(root, "line_items");
    const struct js_value *shipping = js_get(root, "shipping_lines");
    size_t n, m = 0;
    enum err e;

    if (js_type(items) != JS_ARRAY)
        return err_set(r->info, js_is_null(items) ? ERR_MISSING : ERR_TYPE,
                       "line_items is missing or no array.");
    e = count(r, root, "line_items", &n);
    if (e == ERR_OK)
        e = count(r, root, "shipping_lines", &m);
    if (e != ERR_OK)
        return e;
    r->lines = arena_array(r->arena, n + m, sizeof(*r->lines));
    r->o->lines = r->lines;
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        e = read_line(r, js_at(items, i), ORD_PRODUCT, &r->lines[r->o->line_count++]);
        e = in_element(r, "line_items", i, e);
    }
    for (size_t i = 0; i < m && e == ERR_OK; i++) {
        const struct js_value *line = js_at(shipping, i);

        if (!js_true(js_get(line, "is_removed")))
            e = read_line(r, line, ORD_SHIPPING, &r->lines[r->o->line_count++]);
        e = in_element(r, "shipping_lines", i, e);
    }
    return e;
}

/* ---- refunds and payments ---- */

static bool is_word(const struct js_value *v, const char *key, const char *word)
{
    struct str text;

    return js_string(js_get(v, key), &text) && str_eq_nocase(text, str_of(word));
}

/* True if a transaction's amount is in the order's own currency. Without a word about it, it is if
 * the buyer paid in that currency. */
static bool in_order_currency(const struct order *o, const struct js_value *v)
{
    struct str currency;

    if (js_string(js_get(v, "currency"), &currency))
        return str_eq_nocase(currency, str_of(o->currency));
    return strcmp(o->currency, o->presentment_currency) == 0;
}

/* A refund without any transaction records an edit: its quantities were taken out of the order. */
static void remove_lines(struct reader *r, const struct js_value *refund_lines)
{
    for (size_t i = 0; i < js_len(refund_lines); i++) {
        const struct js_value *v = js_at(refund_lines, i);
        struct str id;
        int64_t quantity;

        if (!shp_read_id(js_get(v, "line_item_id"), &id) ||
            !js_int64(js_get(v, "quantity"), &quantity) || quantity <= 0)
            continue;
        for (size_t k = 0; k < r->o->line_count; k++) {
            struct ord_line *line = &r->lines[k];

            if (line->kind == ORD_SHIPPING || !str_eq(line->id, id))
                continue;
            line->removed = quantity < line->quantity - line->removed ? line->removed + quantity
                                                                      : line->quantity;
            break;
        }
    }
}

static enum err read_refund(struct reader *r, const struct js_value *v, struct ord_refund *refund)
{
    const struct js_value *transactions = js_get(v, "transactions");
    size_t n;
    enum err e = count(r, v, "transactions", &n);

    refund->id = read_part_id(r, v, "id");
    refund->amount = mon_zero(r->o->currency);
    read_day(v, "processed_at", "created_at", refund->day);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        const struct js_value *t = js_at(transactions, i);
        struct money m;

        if (!is_word(t, "kind", "refund") || !is_word(t, "status", "success"))
            continue;
        refund->has_money = true;
        if (!in_order_currency(r->o, t))
            continue;
        e = read_amount(r, t, "amount", &m);
        if (e == ERR_OK)
            e = add_up(r, m, &refund->amount);
        e = in_element(r, "transactions", i, e);
    }
    return e;
}

/* What follows from the refund records for the state as a whole. */
static void note_refunds(struct order *o)
{
    bool left = false;

    for (size_t i = 0; i < o->refund_count; i++)
        o->state.refunded = o->state.refunded || o->refunds[i].has_money;
    for (size_t i = 0; i < o->line_count; i++) {
        const struct ord_line *line = &o->lines[i];

        o->edited = o->edited || line->removed > 0;
        /* Shipping alone is something to invoice only if it costs something. */
        left = left || (line->kind == ORD_SHIPPING ? mon_cmp(line->price, line->discount) != 0
                                                   : line->removed < line->quantity);
    }
    o->state.nothing_left = !left;
}

static enum err read_refunds(struct reader *r, const struct js_value *root)
{
    const struct js_value *array = js_get(root, "refunds");
    struct ord_refund *refunds;
    size_t n, refund_lines = 0;
    enum err e = count(r, root, "refunds", &n);

    if (e != ERR_OK)
        return e;
    for (size_t i = 0; i < n; i++)
        refund_lines += js_len(js_get(js_at(array, i), "refund_line_items"));
    if (refund_lines > LIM_ORDER_LINES)
        return err_set(r->info, ERR_TOO_BIG, "refunds have %zu lines; at most %d are read.",
                       refund_lines, LIM_ORDER_LINES);
    refunds = arena_array(r->arena, n, sizeof(*refunds));
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        const struct js_value *v = js_at(array, i);

        e = in_element(r, "refunds", i, read_refund(r, v, &refunds[i]));
        if (js_len(js_get(v, "transactions")) == 0)
            remove_lines(r, js_get(v, "refund_line_items"));
    }
    r->o->refunds = refunds;
    r->o->refund_count = n;
    return e;
}

static bool is_payment(const struct js_value *v)
{
    return (is_word(v, "kind", "sale") || is_word(v, "kind", "capture")) &&
           is_word(v, "status", "success");
}

static enum err read_payment(struct reader *r, const struct js_value *v, struct ord_transaction *t)
{
    t->id = read_part_id(r, v, "id");
    t->gateway = read_name(r, v, "gateway");
    read_day(v, "processed_at", "created_at", t->day);
    if (t->id.n == 0) /* it would be told from others by nothing */
        return err_set(r->info, ERR_MISSING, "A payment has no id.");
    if (!in_order_currency(r->o, v))
        return err_set(r->info, ERR_CURRENCY, "A payment is not in %s.", r->o->currency);
    return need_amount(r, v, "amount", &t->amount);
}

/* Payments are taken all or none: a set with one that cannot be read is no basis for a booking, and
 * the order's own totals then have to do. */
static void read_payments(struct reader *r, const struct js_value *root)
{
    const struct js_value *array = js_get(root, "transactions");
    struct reader quiet = {r->arena, NULL, r->o, NULL};
    struct ord_transaction *payments;
    size_t n, found = 0;

    if (count(&quiet, root, "transactions", &n) != ERR_OK)
        return;
    payments = arena_array(r->arena, n, sizeof(*payments));
    for (size_t i = 0; i < n; i++) {
        const struct js_value *v = js_at(array, i);

        if (is_payment(v) && read_payment(&quiet, v, &payments[found++]) != ERR_OK)
            return;
    }
    r->o->payments = payments;
    r->o->payment_count = found;
}

/* ---- the order ---- */

static struct str person_name(struct reader *r, const struct js_value *v)
{
    struct str first = read_name(r, v, "first_name");
    struct str last = read_name(r, v, "last_name");
    char *both = arena_printf(r->arena, "%.*s %.*s", STR_FMT(first), STR_FMT(last));
    struct str name = str_trim(str_cut(str_of(both), LIM_NAME));

    return name.n > 0 ? name : read_name(r, v, "name");
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

    party->customer_id = read_part_id(r, customer, "id");
    party->name =
        first_of(person_name(r, customer), person_name(r, billing), person_name(r, shipping));
    party->is_company = !js_is_null(company);
    party->company_id = read_part_id(r, company, "id");
    /* A private parcel sent to somebody's workplace has that company in its shipping address. */
    party->company = first_of(read_name(r, company, "name"), read_name(r, billing, "company"),
                              party->is_company ? read_name(r, shipping, "company") : none);
    party->email = first_of(read_name(r, root, "email"), read_name(r, root, "contact_email"),
                            read_name(r, customer, "email"));
    r->o->country = first_of(read_name(r, shipping, "country_code"),
                             read_name(r, billing, "country_code"), none);
    if (r->o->country.n != 2)
        r->o->country = none;
}

static void read_terms(struct reader *r, const struct js_value *root)
{
    const struct js_value *terms = js_get(root, "payment_terms");
    const struct js_value *schedules = js_get(terms, "payment_schedules");

    r->o->po_number = read_name(r, root, "po_number");
    r->o->due_days = -1;
    if (js_int64(js_get(terms, "due_in_days"), &r->o->due_days) &&
        (r->o->due_days < 0 || r->o->due_days > 3660))
        r->o->due_days = -1;
    for (size_t i = 0; i < js_len(schedules); i++) {
        char day[11];

        read_day(js_at(schedules, i), "due_at", NULL, day);
        if (strcmp(day, r->o->due_day) > 0)
            memcpy(r->o->due_day, day, sizeof(day));
    }
}

/* The day of the first shipment that really went. */
static void read_fulfilments(struct order *o, const struct js_value *root)
{
    const struct js_value *array = js_get(root, "fulfillments");

    for (size_t i = 0; i < js_len(array); i++) {
        const struct js_value *v = js_at(array, i);
        char day[11];

        if (is_word(v, "status", "cancelled") || is_word(v, "status", "error") ||
            is_word(v, "status", "failure"))
            continue;
        read_day(v, "created_at", NULL, day);
        if (day[0] && (!o->fulfilled_day[0] || strcmp(day, o->fulfilled_day) < 0))
            memcpy(o->fulfilled_day, day, sizeof(day));
    }
}

static void read_gateways(struct reader *r, const struct js_value *root)
{
    const struct js_value *array = js_get(root, "payment_gateway_names");
    size_t n = js_len(array);
    struct str *gateways = arena_array(r->arena, n, sizeof(*gateways));
    size_t found = 0;

    for (size_t i = 0; i < n; i++) {
        struct str name = read_words(r, js_at(array, i), LIM_NAME);

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

    if (is_word(root, "financial_status", "paid") ||
        is_word(root, "financial_status", "partially_refunded") ||
        is_word(root, "financial_status", "refunded"))
        s->paid = ORD_PAID;
    else if (is_word(root, "financial_status", "partially_paid"))
        s->paid = ORD_PARTLY_PAID;
    if (is_word(root, "fulfillment_status", "fulfilled"))
        s->fulfilment = ORD_FULFILLED;
    else if (is_word(root, "fulfillment_status", "partial"))
        s->fulfilment = ORD_PARTLY_FULFILLED;
    s->refunded = is_word(root, "financial_status", "partially_refunded") ||
                  is_word(root, "financial_status", "refunded");
    s->cancelled = js_string(js_get(root, "cancelled_at"), &cancelled) && cancelled.n > 0;
    s->test = js_true(js_get(root, "test"));
    s->third_party = !js_is_null(js_get(root, "merchant_of_record_app_id"));
    read_day(root, "created_at", NULL, s->created_day);
    read_day(root, "cancelled_at", NULL, r->o->cancelled_day);
    if (js_string(js_get(root, "tags"), &tags))
        s->tags = arena_str(r->arena, tags);
    s->source = read_name(r, root, "source_name");
    read_gateways(r, root);
    r->o->shop_status = read_name(r, root, "financial_status");
}

static enum err read_currency(struct reader *r, const struct js_value *root)
{
    struct str text;
    enum err e;

    if (!js_string(js_get(root, "currency"), &text))
        return err_set(r->info, js_is_null(js_get(root, "currency")) ? ERR_MISSING : ERR_TYPE,
                       "currency is missing or no text.");
    e = mon_currency(text, r->o->currency, r->info);
    if (e != ERR_OK)
        return err_prefix(r->info, ERR_RANGE, "currency");
    if (!js_string(js_get(root, "presentment_currency"), &text) ||
        mon_currency(text, r->o->presentment_currency, NULL) != ERR_OK)
        memcpy(r->o->presentment_currency, r->o->currency, sizeof(r->o->currency));
    return ERR_OK;
}

static enum err read_totals(struct reader *r, const struct js_value *root)
{
    struct order *o = r->o;
    struct money zero = mon_zero(o->currency);
    enum err e = need_amount(r, root, "total_price", &o->total);

    if (e == ERR_OK)
        e = read_amount(r, root, "total_tax", &o->total_tax);
    if (e == ERR_OK)
        e = read_amount(r, root, "total_tip_received", &o->tip);
    if (e == ERR_OK)
        e = read_set(r, root, "original_total_duties_set", &o->duties);
    if (e == ERR_OK)
        e = read_set(r, root, "original_total_additional_fees_set", &o->fees);
    if (e == ERR_OK)
        e = read_set(r, root, "total_cash_rounding_payment_adjustment_set", &o->cash_rounding);
    if (e != ERR_OK)
        return e;
    o->state.zero_value = o->total.units == 0;
    o->current_total = guess_amount(r, root, "current_total_price", o->total);
    /* Old bodies do not say what is outstanding: without the word "paid", all of it. */
    o->outstanding = guess_amount(r, root, "total_outstanding",
                                  o->state.paid == ORD_PAID ? zero : o->current_total);
    return ERR_OK;
}

static enum err read_identity(struct reader *r, const struct js_value *root, struct str store)
{
    struct order *o = r->o;

    o->platform = STR("shopify");
    o->store = arena_str(r->arena, store);
    o->id = read_part_id(r, root, "id");
    o->name = read_name(r, root, "name");
    if (o->name.n == 0)
        o->name = o->id;
    if (js_is_null(js_get(root, "id")))
        return err_set(r->info, ERR_MISSING, "id is missing.");
    if (o->id.n == 0)
        return err_set(r->info, ERR_TYPE, "id is no positive whole number.");
    return ERR_OK;
}

enum err shp_read_order(const struct js_value *root, struct str store, struct arena *arena,
                        struct order *out, struct errinfo *info)
{
    struct reader r = {arena, info, out, NULL};
    enum err e;

    *out = (struct order){.due_days = -1};
    e = read_identity(&r, root, store);
    if (e != ERR_OK)
        return e;
    read_state(&r, root);
    read_time(root, "created_at", out->created_at);
    read_time(root, "updated_at", out->updated_at);
    read_time(root, "processed_at", out->processed_at);
    read_fulfilments(out, root);
    read_party(&r, root);
    read_terms(&r, root);
    out->taxes_included = js_true(js_get(root, "taxes_included"));
    out->tax_exempt = js_true(js_get(root, "tax_exempt"));
    e = read_currency(&r, root);
    if (e == ERR_OK)
        e = read_totals(&r, root);
    if (e == ERR_OK)
        e = read_lines(&r, root);
    if (e == ERR_OK)
        e = read_refunds(&r, root);
    if (e != ERR_OK)
        return e;
    note_refunds(out);
    read_payments(&r, root);
    return ERR_OK;
}

/* ---- records that came by a message of their own ---- */

enum err shp_add_refund(const struct js_value *root, struct arena *arena, struct order *o,
                        struct errinfo *info)
{
    struct reader r = {arena, info, o, NULL};
    struct ord_refund refund = {.has_money = false};
    struct ord_refund *refunds;
    size_t lines_n = js_len(js_get(root, "refund_line_items"));
    struct str id;
    enum err e;

    if (!shp_read_id(js_get(root, "id"), &id))
        return err_set(info, ERR_MISSING, "The refund has no id.");
    for (size_t i = 0; i < o->refund_count; i++) {
        if (str_eq(o->refunds[i].id, id))
            return ERR_OK;
    }
    if (o->refund_count >= LIM_ORDER_LINES || lines_n > LIM_ORDER_LINES)
        return err_set(info, ERR_TOO_BIG, "The order has more than %d refunds or refunded lines.",
                       LIM_ORDER_LINES);
    e = read_refund(&r, root, &refund);
    if (e != ERR_OK)
        return e;

    refunds = grown(arena, o->refunds, o->refund_count, sizeof(*refunds));
    refunds[o->refund_count++] = refund;
    o->refunds = refunds;
    if (js_len(js_get(root, "transactions")) == 0) {
        r.lines = grown(arena, o->lines, o->line_count, sizeof(*r.lines));
        o->lines = r.lines;
        remove_lines(&r, js_get(root, "refund_line_items"));
    }
    note_refunds(o);
    return ERR_OK;
}

enum err shp_add_transaction(const struct js_value *root, struct arena *arena, struct order *o,
                             struct errinfo *info)
{
    struct reader r = {arena, info, o, NULL};
    struct ord_transaction payment = {.day = ""};
    struct ord_transaction *payments;
    struct str id;
    enum err e;

    if (!shp_read_id(js_get(root, "id"), &id))
        return err_set(info, ERR_MISSING, "The transaction has no id.");
    if (!is_payment(root))
        return ERR_OK;
    for (size_t i = 0; i < o->payment_count; i++) {
        if (str_eq(o->payments[i].id, id))
            return ERR_OK;
    }
    e = read_payment(&r, root, &payment);
    if (e != ERR_OK)
        return e;

    payments = grown(arena, o->payments, o->payment_count, sizeof(*payments));
    payments[o->payment_count++] = payment;
    o->payments = payments;
    return ERR_OK;
}

char *shp_order_link(struct str store, struct str order_id, struct arena *arena)
{
    return arena_printf(arena, "https://%.*s/admin/orders/%.*s", STR_FMT(store), STR_FMT(order_id));
}
