#include "service/sync/shopify_parts.h"

/* ---- one line ---- */

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

/* The taxes of V behind those that the line has; TAXES has room for them. */
static enum err add_taxes(struct reader *r, const struct js_value *v, struct ord_tax *taxes,
                          struct ord_line *line)
{
    const struct js_value *array = js_get(v, "tax_lines");
    size_t n;
    enum err e = shp_count(r, v, "tax_lines", &n);

    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        const struct js_value *v_tax = js_at(array, i);
        struct ord_tax *tax = &taxes[line->tax_count++];

        tax->title = shp_read_name(r, v_tax, "title");
        tax->channel_liable = js_true(js_get(v_tax, "channel_liable"));
        e = read_rate(r, v_tax, &tax->rate);
        if (e == ERR_OK)
            e = shp_read_amount(r, v_tax, "price", &tax->amount);
        e = shp_in_element(r, "tax_lines", i, e);
    }
    line->taxes = taxes;
    return e;
}

static enum err read_taxes(struct reader *r, const struct js_value *v, struct ord_line *line)
{
    size_t n = js_len(js_get(v, "tax_lines"));

    if (n > LIM_LINE_TAXES) /* refused before there is room for them */
        return err_set(r->info, ERR_TOO_BIG, "it has more than %d taxes.", LIM_LINE_TAXES);
    return add_taxes(r, v, arena_array(r->arena, n, sizeof(struct ord_tax)), line);
}

/* The line's discount is the sum of its allocations; total_discount is not kept up by the shop. */
static enum err read_discount(struct reader *r, const struct js_value *v, struct ord_line *line)
{
    const struct js_value *array = js_get(v, "discount_allocations");
    size_t n;
    enum err e = shp_count(r, v, "discount_allocations", &n);

    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        struct money part;

        e = shp_read_amount(r, js_at(array, i), "amount", &part);
        if (e == ERR_OK)
            e = shp_add_up(r, part, &line->discount);
        e = shp_in_element(r, "discount_allocations", i, e);
    }
    return e;
}

static struct str read_title(struct reader *r, const struct js_value *v)
{
    struct str title = shp_read_name(r, v, "title");
    struct str variant = shp_read_name(r, v, "variant_title");

    if (title.n == 0)
        return shp_read_name(r, v, "name");
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
    if (line->quantity > LIM_QUANTITY)
        return err_set(r->info, ERR_RANGE, "quantity is above %d.", LIM_QUANTITY);
    e = mon_mul(line->price, line->quantity, &gross);
    if (e != ERR_OK)
        return err_set(r->info, e, "quantity times price does not fit.");
    return ERR_OK;
}

/* The next line of the order, of one unit that costs nothing so far. */
static struct ord_line *next_line(struct reader *r, enum ord_line_kind kind)
{
    struct ord_line *line = &r->lines[r->o->line_count++];
    struct money zero = mon_zero(r->o->currency);

    *line = (struct ord_line){.kind = kind, .quantity = 1, .price = zero, .discount = zero};
    line->removed_subtotal = zero;
    line->removed_tax = zero;
    return line;
}

/* A product, voucher or tip; or, by KIND, a shipping line. */
static enum err read_line(struct reader *r, const struct js_value *v, enum ord_line_kind kind)
{
    struct ord_line *line = next_line(r, kind);
    int64_t current;
    bool ships = true;
    enum err e;

    if (js_type(js_get(v, "tip_payment_gateway")) !=
        JS_ABSENT) /* the key alone marks a tip; its value may be null */
        line->kind = ORD_TIP;
    else if (js_true(js_get(v, "gift_card")))
        line->kind = ORD_GIFT_CARD;
    line->id = shp_read_part_id(r, v, "id");
    line->title = read_title(r, v);
    line->sku = shp_read_name(r, v, "sku");
    line->vendor = shp_read_name(r, v, "vendor");
    line->product_type = shp_read_name(r, v, "product_type");
    line->ships = (line->kind == ORD_PRODUCT || line->kind == ORD_GIFT_CARD) &&
                  (!js_bool(js_get(v, "requires_shipping"), &ships) || ships);
    e = shp_need_amount(r, v, "price", &line->price);
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

/* ---- duties and fees ---- */

/* All duties of one product as one line: Xero has one account for them. */
static enum err read_duty(struct reader *r, const struct js_value *item, struct str item_id,
                          struct str title)
{
    const struct js_value *duties = js_get(item, "duties");
    struct ord_line *line = next_line(r, ORD_DUTY);
    struct ord_tax *taxes;
    size_t n, tax_n = 0;
    enum err e = shp_count(r, item, "duties", &n);

    for (size_t i = 0; i < n && tax_n <= LIM_LINE_TAXES; i++)
        tax_n += js_len(js_get(js_at(duties, i), "tax_lines"));
    if (e == ERR_OK && tax_n > LIM_LINE_TAXES)
        e = err_set(r->info, ERR_TOO_BIG, "duties have more than %d taxes.", LIM_LINE_TAXES);
    if (e != ERR_OK)
        return e;
    taxes = arena_array(r->arena, tax_n, sizeof(*taxes));
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        const struct js_value *v = js_at(duties, i);
        struct money part;

        e = shp_has_amount(v, "amount") ? shp_read_amount(r, v, "amount", &part)
                                        : shp_read_set(r, v, "duty", &part);
        if (e == ERR_OK)
            e = shp_add_up(r, part, &line->price);
        if (e == ERR_OK)
            e = add_taxes(r, v, taxes, line);
        e = shp_in_element(r, "duties", i, e);
    }
    line->id = str_of(arena_printf(r->arena, "duty:%.*s", STR_FMT(item_id)));
    line->title =
        str_trim(str_cut(str_of(arena_printf(r->arena, "Duties: %.*s", STR_FMT(title))), LIM_NAME));
    return e;
}

/* One line for a total of which no parts are known. */
static void add_total(struct reader *r, enum ord_line_kind kind, struct money total, struct str id,
                      struct str title)
{
    struct ord_line *line = next_line(r, kind);

    line->price = total;
    line->id = id;
    line->title = title;
}

/* The lines of KIND from FIRST on that cost nothing go again; what the others cost into SUM. */
static enum err keep_costly(struct reader *r, size_t first, struct money *sum)
{
    size_t kept = first;

    *sum = mon_zero(r->o->currency);
    for (size_t i = first; i < r->o->line_count; i++) {
        enum err e = shp_add_up(r, r->lines[i].price, sum);

        if (e != ERR_OK)
            return e;
        if (r->lines[i].price.units != 0)
            r->lines[kept++] = r->lines[i];
    }
    r->o->line_count = kept;
    return ERR_OK;
}

static enum err read_duties(struct reader *r, const struct js_value *items, size_t n)
{
    struct order *o = r->o;
    size_t first = o->line_count;
    struct money sum = {0};
    enum err e = ERR_OK;

    if (o->duties_included) /* they are in the prices of the products */
        return ERR_OK;
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        if (js_len(js_get(js_at(items, i), "duties")) > 0)
            e = shp_in_element(r, "line_items", i,
                               read_duty(r, js_at(items, i), o->lines[i].id, o->lines[i].title));
    }
    if (e == ERR_OK)
        e = keep_costly(r, first, &sum);
    if (e != ERR_OK)
        return e;
    if (o->line_count == first && o->duties.units != 0)
        add_total(r, ORD_DUTY, o->duties, STR("duty:order"), STR("Duties"));
    if (o->duties.units == 0)
        o->duties = sum;
    return ERR_OK;
}

static enum err read_fee(struct reader *r, const struct js_value *v, size_t i)
{
    struct ord_line *line = next_line(r, ORD_FEE);
    struct str id = shp_read_part_id(r, v, "id");
    enum err e;

    line->id = id.n > 0 ? str_of(arena_printf(r->arena, "fee:%.*s", STR_FMT(id)))
                        : str_of(arena_printf(r->arena, "fee:-%zu", i + 1));
    line->title = read_title(r, v);
    if (line->title.n == 0)
        line->title = STR("Additional fee");
    e = shp_has_amount(v, "price") ? shp_read_amount(r, v, "price", &line->price)
                                   : shp_read_amount(r, v, "amount", &line->price);
    return e == ERR_OK ? read_taxes(r, v, line) : e;
}

static enum err read_fees(struct reader *r, const struct js_value *root, size_t n)
{
    const struct js_value *fees = js_get(root, "additional_fees");
    struct order *o = r->o;
    size_t first = o->line_count;
    struct money sum = {0};
    enum err e = ERR_OK;

    for (size_t i = 0; i < n && e == ERR_OK; i++)
        e = shp_in_element(r, "additional_fees", i, read_fee(r, js_at(fees, i), i));
    if (e == ERR_OK)
        e = keep_costly(r, first, &sum);
    if (e != ERR_OK)
        return e;
    if (o->line_count == first && o->fees.units != 0)
        add_total(r, ORD_FEE, o->fees, STR("fee:order"), STR("Additional fees"));
    if (o->fees.units == 0)
        o->fees = sum;
    return ERR_OK;
}

/* ---- all lines ---- */

enum err shp_read_lines(struct reader *r, const struct js_value *root)
{
    const struct js_value *items = js_get(root, "line_items");
    const struct js_value *shipping = js_get(root, "shipping_lines");
    size_t n, shipping_n = 0, fee_n = 0;
    enum err e;

    if (js_type(items) != JS_ARRAY)
        return err_set(r->info, js_is_null(items) ? ERR_MISSING : ERR_TYPE,
                       "line_items is missing or no array.");
    e = shp_count(r, root, "line_items", &n);
    if (e == ERR_OK)
        e = shp_count(r, root, "shipping_lines", &shipping_n);
    if (e == ERR_OK)
        e = shp_count(r, root, "additional_fees", &fee_n);
    if (e != ERR_OK)
        return e;
    /* A product, its duties; shipping; fees; one each for a total of duties and of fees. */
    r->lines = arena_array(r->arena, 2 * n + shipping_n + fee_n + 2, sizeof(*r->lines));
    r->o->lines = r->lines;
    for (size_t i = 0; i < n && e == ERR_OK; i++)
        e = shp_in_element(r, "line_items", i, read_line(r, js_at(items, i), ORD_PRODUCT));
    for (size_t i = 0; i < shipping_n && e == ERR_OK; i++) {
        const struct js_value *line = js_at(shipping, i);

        if (!js_true(js_get(line, "is_removed")))
            e = shp_in_element(r, "shipping_lines", i, read_line(r, line, ORD_SHIPPING));
    }
    if (e == ERR_OK)
        e = read_duties(r, items, n);
    if (e == ERR_OK)
        e = read_fees(r, root, fee_n);
    return e;
}

bool shp_is_item(const struct ord_line *line)
{
    return line->kind == ORD_PRODUCT || line->kind == ORD_GIFT_CARD || line->kind == ORD_TIP;
}

struct ord_line *shp_find_line(struct reader *r, struct str id)
{
    for (size_t i = 0; i < r->o->line_count; i++) {
        struct ord_line *line = &r->lines[i];

        if (id.n > 0 && shp_is_item(line) && str_eq(line->id, id))
            return line;
    }
    return NULL;
}

/* ---- shipments ---- */

static void ship_line(struct reader *r, const struct js_value *v)
{
    struct ord_line *line;
    struct str id;
    int64_t quantity;

    if (!shp_read_id(js_get(v, "id"), &id))
        return;
    line = shp_find_line(r, id);
    if (!line || !js_int64(js_get(v, "quantity"), &quantity) || quantity <= 0)
        return;
    line->shipped =
        quantity < line->quantity - line->shipped ? line->shipped + quantity : line->quantity;
}

static bool went(const struct js_value *shipment)
{
    return !shp_is_word(shipment, "status", "cancelled") &&
           !shp_is_word(shipment, "status", "error") && !shp_is_word(shipment, "status", "failure");
}

enum err shp_read_shipments(struct reader *r, const struct js_value *root)
{
    const struct js_value *array = js_get(root, "fulfillments");
    struct order *o = r->o;
    size_t n, line_n, all = 0;
    enum err e = shp_count(r, root, "fulfillments", &n);

    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        const struct js_value *v = js_at(array, i), *lines = js_get(v, "line_items");
        char day[11];

        if (!went(v))
            continue;
        shp_read_day(v, "created_at", NULL, day);
        if (day[0] && (!o->fulfilled_day[0] || strcmp(day, o->fulfilled_day) < 0))
            memcpy(o->fulfilled_day, day, sizeof(day));
        e = shp_in_element(r, "fulfillments", i, shp_count(r, v, "line_items", &line_n));
        all += line_n;
        if (e == ERR_OK && all > LIM_ORDER_LINES)
            e = err_set(r->info, ERR_TOO_BIG, "fulfillments have more than %d lines.",
                        LIM_ORDER_LINES);
        for (size_t k = 0; k < line_n && e == ERR_OK; k++)
            ship_line(r, js_at(lines, k));
    }
    /* A body without its shipments: then the shop's word for the whole has to do. */
    for (size_t i = 0; i < o->line_count && js_type(array) != JS_ARRAY; i++) {
        if (o->state.fulfilment == ORD_FULFILLED && shp_is_item(&r->lines[i]))
            r->lines[i].shipped = r->lines[i].quantity;
    }
    return e;
}
