/*
 * DESIGN: Amazon states what each item's pieces cost together, and beside it a tax; whether the
 * prices hold that tax already it does not say. So both sums are made, and the one that is the
 * order's total tells. Where it states no tax at all, the prices may hold one all the same.
 */
#include "service/sync/amazon.h"

#include "service/sync/amazon_parts.h"

/* ---- amounts ---- */

/* All amounts are in the one that the marketplace sells in. */
static void set_currency(struct order *o, const char code[4])
{
    memcpy(o->currency, code, sizeof o->currency);
    memcpy(o->shop_currency, code, sizeof o->shop_currency);
    memcpy(o->presentment_currency, code, sizeof o->presentment_currency);
    o->tip = o->fees = o->duties = o->cash_rounding = mon_zero(code);
}

enum err amz_amount(struct amz_reader *r, const struct js_value *v, const char *key,
                    struct money *out)
{
    const struct js_value *amount = js_get(v, key);
    struct order *o = r->o;
    struct str number, currency;
    char code[4];
    enum err e;

    *out = mon_zero(o->currency);
    if (js_is_null(amount))
        return ERR_OK;
    if (!js_text(js_get(amount, js_get(amount, "Amount") ? "Amount" : "amount"), &number) ||
        !js_string(js_get(amount, js_get(amount, "CurrencyCode") ? "CurrencyCode" : "currencyCode"),
                   &currency))
        return err_set(r->info, ERR_TYPE, "%s is no amount with its currency.", key);
    e = mon_currency(currency, code, r->info);
    if (e != ERR_OK)
        return err_prefix(r->info, ERR_RANGE, "%s", key);
    if (!o->currency[0]) {
        set_currency(o, code);
    } else if (strcmp(o->currency, code) != 0) {
        return err_set(r->info, ERR_CURRENCY, "%s is in %s, but the order's total in %s.", key,
                       code, o->currency);
    }
    e = mon_parse(number, o->currency, out, r->info);
    return e == ERR_OK ? ERR_OK : err_prefix(r->info, e == ERR_SYNTAX ? ERR_TYPE : e, "%s", key);
}

static enum err add_up(struct amz_reader *r, struct money m, struct money *sum)
{
    enum err e = mon_add(*sum, m, sum);

    return e == ERR_OK ? ERR_OK : err_set(r->info, e, "The sum of the amounts does not fit.");
}

/* ---- lines ---- */

void amz_make_room(struct amz_reader *r, size_t n)
{
    struct ord_line *lines = arena_array(r->arena, r->o->line_count + n, sizeof *lines);

    if (r->o->line_count > 0)
        memcpy(lines, r->lines, r->o->line_count * sizeof *lines);
    r->lines = lines;
    r->o->lines = lines;
    r->room = r->o->line_count + n;
}

/* What one piece costs. Where that has more than four decimals it is rounded up, and the line's
 * discount takes back what is too much, less than a cent in all but thousands of pieces. */
static enum err price_of(struct money total, int64_t quantity, struct ord_line *line)
{
    struct money gross;
    enum err e;

    line->price = total;
    line->price.units = total.units / quantity + (total.units % quantity != 0);
    e = mon_mul(line->price, quantity, &gross);
    if (e == ERR_OK)
        e = mon_sub(gross, total, &gross);
    return e == ERR_OK ? mon_add(line->discount, gross, &line->discount) : e;
}

/* "Shipping: Mug". */
static struct str title_of(struct amz_reader *r, const struct amz_item *item,
                           const struct amz_charge *c)
{
    if (c->kind == ORD_PRODUCT)
        return item->title;
    if (item->title.n == 0)
        return str_of(c->title);
    return str_cut(str_of(arena_printf(r->arena, "%s: %.*s", c->title, STR_FMT(item->title))),
                   LIM_NAME);
}

static void add_tax(struct amz_reader *r, struct ord_line *line, struct money amount, bool withheld)
{
    struct ord_tax *tax = arena_array(r->arena, 1, sizeof *tax);

    *tax = (struct ord_tax){.title = STR("Tax"), .amount = amount, .channel_liable = withheld};
    line->taxes = tax;
    line->tax_count = 1;
}

static enum err count_charge(struct amz_reader *r, const struct amz_item *item,
                             const struct amz_charge *c)
{
    struct money other = mon_zero(r->o->currency), net;
    struct money *own = c->kind == ORD_FEE ? &r->o->fees : c->kind == ORD_TIP ? &r->o->tip : &other;
    enum err e = mon_sub(c->price, mon_abs(c->discount), &net);

    if (e != ERR_OK)
        return err_set(r->info, e, "Its price does not fit.");
    e = add_up(r, net, &r->base);
    if (e == ERR_OK)
        e = add_up(r, net, own);
    if (e == ERR_OK)
        e = add_up(r, c->tax, &r->tax);
    if (e == ERR_OK && item->withheld)
        e = add_up(r, c->tax, &r->withheld);
    return e;
}

/* The line of a charge, without what it costs. */
static struct ord_line *next_line(struct amz_reader *r, const struct amz_item *item,
                                  const struct amz_charge *c)
{
    struct ord_line *line = &r->lines[r->o->line_count++];

    *line = (struct ord_line){.kind = c->kind, .quantity = 1, .discount = mon_abs(c->discount)};
    line->removed_subtotal = line->removed_tax = mon_zero(r->o->currency);
    line->title = title_of(r, item, c);
    line->sku = STR("");
    line->id = str_of(c->what);
    if (c->kind == ORD_PRODUCT) {
        line->id = item->id;
        line->sku = item->sku;
        line->quantity = item->quantity;
        line->shipped = item->shipped < item->quantity ? item->shipped : item->quantity;
        line->ships = true;
    } else if (item->id.n > 0) {
        line->id = str_of(arena_printf(r->arena, "%s:%.*s", c->what, STR_FMT(item->id)));
    }
    return line;
}

enum err amz_add_charge(struct amz_reader *r, const struct amz_item *item,
                        const struct amz_charge *c)
{
    bool pieces = c->kind == ORD_PRODUCT && item->quantity > 0;
    struct ord_line *line = NULL;
    enum err e = ERR_OK;

    if (!pieces && c->price.units == 0 && c->discount.units == 0 && c->tax.units == 0)
        return ERR_OK;
    if (c->price.units < 0)
        return err_set(r->info, ERR_RANGE, "%s is negative.", c->title);
    if (c->kind == ORD_PRODUCT && !pieces)
        return err_set(r->info, ERR_RANGE, "It costs %s %s, but its quantity is 0.",
                       mon_text(c->price).z, r->o->currency);
    if (r->o->line_count == r->room)
        return err_set(r->info, ERR_INTERNAL, "There is no room for another line.");
    line = next_line(r, item, c);
    e = price_of(c->price, line->quantity, line);
    if (e != ERR_OK)
        return err_set(r->info, e, "Its price does not fit.");
    if (c->tax.units != 0)
        add_tax(r, line, c->tax, item->withheld);
    else
        line->vat_unstated =
            c->kind != ORD_TIP && !item->withheld && c->price.units != mon_abs(c->discount).units;
    return count_charge(r, item, c);
}

/* ---- the order's total ---- */

static bool is_north_american(const struct amz_reader *r)
{
    return str_eq(r->home, STR("US")) || str_eq(r->home, STR("CA"));
}

/* Whether TOTAL is one of the sums that it may be, but for what is pending. */
static bool lacks_pending(const struct amz_reader *r, struct money total, struct money on_top)
{
    struct money sum = total, net = total;

    if (r->pending.units == 0 || mon_add(total, r->pending, &sum) != ERR_OK ||
        mon_sub(on_top, r->withheld, &net) != ERR_OK)
        return false;
    return mon_cmp(sum, r->base) == 0 || mon_cmp(sum, on_top) == 0 || mon_cmp(sum, net) == 0;
}

static enum err fits_neither(struct amz_reader *r, struct money total, struct money on_top)
{
    const char *why = "";

    if (r->hidden_wrap)
        why = " It has a gift whose wrapping is not priced: fetch the order by the Orders API "
              "2026-01-01.";
    else if (lacks_pending(r, total, on_top))
        why = arena_printf(r->arena,
                           " The delivery tip of %s %s is not in the total yet: once Amazon "
                           "finalises it, the order is read again, and this resolves itself.",
                           mon_text(r->pending).z, r->o->currency);
    else if (is_north_american(r) && mon_cmp(r->base, total) == 0)
        why = " In the United States and Canada no price holds a tax.";
    return err_set(r->info, ERR_RANGE,
                   "The order's total is %s %s, but its parts come to %s with the tax in the "
                   "prices and to %s with the tax of %s on top.%s",
                   mon_text(total).z, r->o->currency, mon_text(r->base).z, mon_text(on_top).z,
                   mon_text(r->tax).z, why);
}

/* Prices in the United States and Canada hold no tax. Elsewhere they hold the VAT; where Amazon
 * states what of it the seller owes, it does so for each line, and none means none. */
static void settle_unstated(struct amz_reader *r)
{
    bool on_top = is_north_american(r);
    bool stated = r->tax.units != r->withheld.units;

    for (size_t i = 0; i < r->o->line_count; i++)
        if (on_top || stated || !r->o->taxes_included)
            r->lines[i].vat_unstated = false;
}

enum err amz_reconcile(struct amz_reader *r, struct money total, bool net)
{
    struct order *o = r->o;
    struct money on_top, left = total;
    enum err e = mon_add(r->base, r->tax, &on_top);

    if (e == ERR_OK)
        e = mon_sub(on_top, r->withheld, &left);
    if (e != ERR_OK)
        return err_set(r->info, e, "The sum of the amounts does not fit.");
    if (r->tax.units != 0 && mon_cmp(on_top, total) == 0) {
        o->taxes_included = false;
    } else if (net && r->withheld.units != 0 && mon_cmp(left, total) == 0) {
        /* The seller receives TOTAL; the buyer paid the withheld tax as well. */
        o->taxes_included = false;
        total = on_top;
    } else if (mon_cmp(r->base, total) == 0 && (r->tax.units == 0 || !is_north_american(r))) {
        o->taxes_included = true;
    } else {
        return fits_neither(r, total, on_top);
    }
    settle_unstated(r);
    o->total = total;
    o->total_tax = r->tax;
    o->current_total = total;
    o->outstanding = o->state.paid == ORD_PAID ? mon_zero(o->currency) : total;
    o->state.zero_value = total.units == 0;
    return ERR_OK;
}
