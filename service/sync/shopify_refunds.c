#include "service/sync/shopify_parts.h"

/* A refund record while it is read. */
struct record {
    const struct js_value *v;
    struct ord_refund *refund;
    bool edit; /* without any transaction */
    struct money duties, duty_tax, fees, fee_tax;
};

/* ---- transactions ---- */

/* True if a transaction's amount is in the order's own currency. Without a word about it, it is if
 * the buyer paid in that currency. */
static bool in_order_currency(const struct order *o, const struct js_value *v)
{
    struct str currency;

    if (js_string(js_get(v, "currency"), &currency))
        return str_eq_nocase(currency, str_of(o->currency));
    return strcmp(o->currency, o->presentment_currency) == 0;
}

/* The currency of a transaction: its own word, else what the buyer paid in. "" if it is none. */
static void currency_of(const struct order *o, const struct js_value *v, char out[4])
{
    struct str text;

    memcpy(out, o->presentment_currency, 4);
    if (js_string(js_get(v, "currency"), &text) && mon_currency(text, out, NULL) != ERR_OK)
        out[0] = '\0';
}

static enum err read_transaction(struct reader *r, const struct js_value *v, const char *currency,
                                 struct ord_transaction *t)
{
    t->id = shp_read_part_id(r, v, "id");
    t->gateway = shp_read_name(r, v, "gateway");
    shp_read_day(v, "processed_at", "created_at", t->day);
    return shp_read_plain(r, v, "amount", currency, &t->amount);
}

static bool is_money_back(const struct js_value *v)
{
    return shp_is_word(v, "kind", "refund") && shp_is_word(v, "status", "success");
}

/* One that gave money back, as number I of its record. */
static enum err take_money_back(struct reader *r, const struct js_value *v, size_t i,
                                struct ord_refund *refund, struct ord_transaction *t)
{
    char currency[4];
    enum err e;

    currency_of(r->o, v, currency);
    refund->has_money = true;
    refund->other_currency = refund->other_currency || !in_order_currency(r->o, v);
    if (!currency[0])
        return ERR_OK;
    e = read_transaction(r, v, currency, t);
    if (e != ERR_OK)
        return e;
    if (t->id.n == 0)
        t->id = str_of(arena_printf(r->arena, "%.*s-%zu", STR_FMT(refund->id), i + 1));
    refund->transaction_count++;
    return in_order_currency(r->o, v) ? shp_add_up(r, t->amount, &refund->amount) : ERR_OK;
}

static enum err read_money_back(struct reader *r, struct record *rec)
{
    const struct js_value *array = js_get(rec->v, "transactions");
    struct ord_refund *refund = rec->refund;
    struct ord_transaction *found;
    size_t n;
    enum err e = shp_count(r, rec->v, "transactions", &n);

    if (e != ERR_OK)
        return e;
    found = arena_array(r->arena, n, sizeof(*found));
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        const struct js_value *v = js_at(array, i);

        if (is_money_back(v))
            e = shp_in_element(r, "transactions", i,
                               take_money_back(r, v, i, refund, &found[refund->transaction_count]));
    }
    refund->transactions = found;
    if (e == ERR_OK && refund->has_money && refund->id.n == 0) /* its note has no name without */
        e = err_set(r->info, ERR_MISSING, "id is missing.");
    return e;
}

/* ---- what was given back ---- */

static enum err read_refund_line(struct reader *r, const struct js_value *v, bool edit,
                                 struct ord_refund_line *line)
{
    enum err e;

    *line = (struct ord_refund_line){.line_id = shp_read_part_id(r, v, "line_item_id")};
    if (!js_int64(js_get(v, "quantity"), &line->quantity) || line->quantity < 0)
        line->quantity = 0;
    if (line->quantity > LIM_QUANTITY)
        line->quantity = LIM_QUANTITY;
    e = shp_read_refunded(r, v, "subtotal", &line->subtotal);
    if (e == ERR_OK)
        e = shp_read_refunded(r, v, "total_tax", &line->tax);
    /* What a removed line was worth is said nowhere else. */
    if (e == ERR_OK && edit && line->quantity > 0 && !shp_has_amount(v, "subtotal"))
        e = err_set(r->info, ERR_MISSING, "subtotal is missing.");
    if (e == ERR_OK && edit && (line->subtotal.units < 0 || line->tax.units < 0))
        e = err_set(r->info, ERR_RANGE, "subtotal or total_tax is negative.");
    return e;
}

static enum err read_refund_lines(struct reader *r, struct record *rec)
{
    const struct js_value *array = js_get(rec->v, "refund_line_items");
    struct ord_refund_line *lines;
    size_t n, found = 0;
    enum err e = shp_count(r, rec->v, "refund_line_items", &n);

    if (e != ERR_OK)
        return e;
    lines = arena_array(r->arena, n, sizeof(*lines));
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        if (js_type(js_at(array, i)) == JS_OBJECT)
            e = shp_in_element(r, "refund_line_items", i,
                               read_refund_line(r, js_at(array, i), rec->edit, &lines[found++]));
    }
    rec->refund->lines = lines;
    rec->refund->line_count = found;
    return e;
}

/* The tax of AMOUNT of a shipping line: all of it with all of its price, else by its rates. */
static enum err shipping_tax(struct reader *r, const struct ord_line *line, struct money amount,
                             struct money *tax)
{
    int decimals = mon_decimals(r->o->currency);
    struct money whole, part;
    enum err e = mon_sub(line->price, line->discount, &whole);
    bool all = e == ERR_OK && mon_cmp(whole, amount) == 0;

    for (size_t i = 0; i < line->tax_count && e == ERR_OK; i++) {
        const struct ord_tax *t = &line->taxes[i];

        if (all)
            part = t->amount;
        else if (r->o->taxes_included)
            e = mon_tax_in(amount, t->rate, decimals, &part);
        else
            e = mon_tax_on(amount, t->rate, decimals, &part);
        if (e == ERR_OK)
            e = mon_add(*tax, part, tax);
    }
    return e == ERR_OK ? ERR_OK : err_set(r->info, e, "The tax of the shipping does not fit.");
}

/* Since API version 2024-10 shipping that was given back has an array of its own. Its amount is
 * like a line's, with the tax if prices are; an adjustment's never is. */
static enum err read_shipping_back(struct reader *r, const struct js_value *v,
                                   struct ord_adjustment *adjustment)
{
    struct str id = shp_read_part_id(r, v, "shipping_line_id");
    struct money amount = {0}, tax = {0};
    enum err e = shp_read_refunded(r, v, "subtotal_amount", &amount);

    if (e == ERR_OK)
        e = shp_read_refunded(r, v, "tax_amount", &tax);
    for (size_t i = 0; i < r->o->line_count && e == ERR_OK && !shp_has_amount(v, "tax_amount");
         i++) {
        const struct ord_line *line = &r->o->lines[i];

        if (line->kind == ORD_SHIPPING && id.n > 0 && str_eq(line->id, id)) {
            e = shipping_tax(r, line, amount, &tax);
            break;
        }
    }
    if (e == ERR_OK && r->o->taxes_included && mon_sub(amount, tax, &amount) != ERR_OK)
        e = err_set(r->info, ERR_OVERFLOW, "subtotal_amount does not fit.");
    if (e == ERR_OK)
        *adjustment = (struct ord_adjustment){ORD_ADJUST_SHIPPING, mon_neg(amount), mon_neg(tax)};
    return e;
}

static enum err read_adjustment(struct reader *r, const struct js_value *v,
                                struct ord_adjustment *adjustment)
{
    enum err e;

    adjustment->kind =
        shp_is_word(v, "kind", "shipping_refund") ? ORD_ADJUST_SHIPPING : ORD_ADJUST_DISCREPANCY;
    e = shp_read_refunded(r, v, "amount", &adjustment->amount);
    return e == ERR_OK ? shp_read_refunded(r, v, "tax_amount", &adjustment->tax) : e;
}

static enum err read_adjustments(struct reader *r, struct record *rec)
{
    const struct js_value *array = js_get(rec->v, "order_adjustments");
    const struct js_value *shipping = js_get(rec->v, "refund_shipping_lines");
    struct ord_adjustment *found;
    size_t n, shipping_n = 0;
    bool has_shipping = false;
    enum err e = shp_count(r, rec->v, "order_adjustments", &n);

    if (e == ERR_OK)
        e = shp_count(r, rec->v, "refund_shipping_lines", &shipping_n);
    if (e != ERR_OK)
        return e;
    found = arena_array(r->arena, n + shipping_n, sizeof(*found));
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        e = shp_in_element(r, "order_adjustments", i,
                           read_adjustment(r, js_at(array, i), &found[i]));
        has_shipping = has_shipping || found[i].kind == ORD_ADJUST_SHIPPING;
    }
    /* Where both are there, they say the same. */
    for (size_t i = 0; i < shipping_n && e == ERR_OK && !has_shipping; i++)
        e = shp_in_element(r, "refund_shipping_lines", i,
                           read_shipping_back(r, js_at(shipping, i), &found[n + i]));
    rec->refund->adjustments = found;
    rec->refund->adjustment_count = has_shipping ? n : n + shipping_n;
    return e;
}

/* One duty or fee that was given back. */
static enum err add_back(struct reader *r, const struct js_value *v, struct money *amount,
                         struct money *tax)
{
    const struct js_value *taxes = js_get(v, "tax_lines");
    struct money part = {0};
    size_t n;
    enum err e = shp_count(r, v, "tax_lines", &n);

    if (e == ERR_OK)
        e = shp_read_refunded(r, v, shp_has_amount(v, "price") ? "price" : "amount", &part);
    if (e == ERR_OK)
        e = shp_add_up(r, part, amount);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        e = shp_read_refunded(r, js_at(taxes, i), "price", &part);
        if (e == ERR_OK)
            e = shp_add_up(r, part, tax);
    }
    return e;
}

/* What the record says of duties or fees: its total, else the sum of the parts; the tax is stated
 * with the parts only. */
static enum err read_back(struct reader *r, const struct js_value *v, const char *total,
                          const char *parts, struct money *amount, struct money *tax)
{
    const struct js_value *array = js_get(v, parts);
    size_t n = 0;
    enum err e;

    *amount = *tax = mon_zero(r->o->currency);
    if (js_type(array) == JS_OBJECT) { /* {"duties":{"duties":[]}}, as the reference shows it */
        v = array;
        array = js_get(v, parts);
    }
    e = shp_count(r, v, parts, &n);
    for (size_t i = 0; i < n && e == ERR_OK; i++)
        e = shp_in_element(r, parts, i, add_back(r, js_at(array, i), amount, tax));
    if (e == ERR_OK && shp_has_amount(v, total))
        e = shp_read_refunded(r, v, total, amount);
    return e;
}

/* Duties and fees into the record, with their tax where it is on top. */
static enum err read_charges_back(struct reader *r, struct record *rec)
{
    bool on_top = !r->o->taxes_included;
    enum err e = read_back(r, rec->v, "total_duties", "duties", &rec->duties, &rec->duty_tax);

    if (e == ERR_OK)
        e = read_back(r, rec->v, "total_additional_fees", "additional_fees", &rec->fees,
                      &rec->fee_tax);
    if (e == ERR_OK && r->o->duties_included)
        rec->duties = rec->duty_tax = mon_zero(r->o->currency);
    rec->refund->duties = rec->duties;
    rec->refund->fees = rec->fees;
    if (e == ERR_OK && on_top)
        e = shp_add_up(r, rec->duty_tax, &rec->refund->duties);
    if (e == ERR_OK && on_top)
        e = shp_add_up(r, rec->fee_tax, &rec->refund->fees);
    return e;
}

static enum err read_refund(struct reader *r, const struct js_value *v, struct record *rec,
                            struct ord_refund *refund)
{
    struct money zero = mon_zero(r->o->currency);
    enum err e;

    *refund = (struct ord_refund){.id = shp_read_part_id(r, v, "id"), .amount = zero};
    *rec = (struct record){.v = v, .refund = refund};
    rec->edit = js_len(js_get(v, "transactions")) == 0;
    shp_read_day(v, "processed_at", "created_at", refund->day);
    e = read_money_back(r, rec);
    if (e == ERR_OK)
        e = read_refund_lines(r, rec);
    if (e == ERR_OK)
        e = read_adjustments(r, rec);
    if (e == ERR_OK)
        e = read_charges_back(r, rec);
    return e;
}

/* ---- edits ---- */

/* What the record says was taken off, by all its parts. */
static enum err record_value(struct reader *r, const struct record *rec, struct money *value)
{
    const struct ord_refund *refund = rec->refund;
    enum err e = mon_add(refund->duties, refund->fees, value);

    for (size_t i = 0; i < refund->line_count && e == ERR_OK; i++) {
        e = mon_add(*value, refund->lines[i].subtotal, value);
        if (e == ERR_OK && !r->o->taxes_included)
            e = mon_add(*value, refund->lines[i].tax, value);
    }
    for (size_t i = 0; i < refund->adjustment_count && e == ERR_OK; i++) {
        e = mon_sub(*value, refund->adjustments[i].amount, value);
        if (e == ERR_OK)
            e = mon_sub(*value, refund->adjustments[i].tax, value);
    }
    return e == ERR_OK ? ERR_OK : err_set(r->info, e, "The sum of the amounts does not fit.");
}

static bool has_discrepancy(const struct ord_refund *refund)
{
    for (size_t i = 0; i < refund->adjustment_count; i++) {
        if (refund->adjustments[i].kind == ORD_ADJUST_DISCREPANCY &&
            refund->adjustments[i].amount.units != 0)
            return true;
    }
    return false;
}

static enum err remove_line(struct reader *r, const struct ord_refund_line *removed,
                            struct ord_line *line)
{
    enum err e = shp_add_up(r, removed->subtotal, &line->removed_subtotal);

    if (e == ERR_OK)
        e = shp_add_up(r, removed->tax, &line->removed_tax);
    line->removed = removed->quantity < line->quantity - line->removed
                        ? line->removed + removed->quantity
                        : line->quantity;
    return e;
}

/* The smaller of two. */
static struct money least(struct money a, struct money b)
{
    return mon_cmp(a, b) < 0 ? a : b;
}

/* What is left of a line that costs money by itself, and of its tax. */
static enum err left_of(const struct ord_line *line, struct money *left, struct money *tax)
{
    enum err e = mon_sub(line->price, line->discount, left);

    if (e == ERR_OK)
        e = mon_sub(*left, line->removed_subtotal, left);
    *tax = mon_neg(line->removed_tax);
    for (size_t i = 0; i < line->tax_count && e == ERR_OK; i++)
        e = mon_add(*tax, line->taxes[i].amount, tax);
    return e;
}

/* Takes AMOUNT and TAX off the lines of KIND, in their order, until nothing is left of either. */
static enum err take_off(struct reader *r, enum ord_line_kind kind, struct money amount,
                         struct money tax)
{
    enum err e = ERR_OK;

    for (size_t i = 0; i < r->o->line_count && amount.units > 0 && e == ERR_OK; i++) {
        struct ord_line *line = &r->lines[i];
        struct money left, tax_left, part;

        if (line->kind != kind)
            continue;
        e = left_of(line, &left, &tax_left);
        if (e != ERR_OK || left.units <= 0)
            continue;
        part = least(left, amount);
        line->removed = mon_cmp(part, left) == 0 ? 1 : 0;
        amount.units -= part.units;
        e = shp_add_up(r, part, &line->removed_subtotal);
        part = least(tax_left, tax);
        if (e == ERR_OK && part.units > 0) {
            tax.units -= part.units;
            e = shp_add_up(r, part, &line->removed_tax);
        }
    }
    return e == ERR_OK ? ERR_OK : err_set(r->info, e, "What was taken off does not fit.");
}

static enum err take_off_shipping(struct reader *r, const struct ord_adjustment *a)
{
    struct money amount = mon_neg(a->amount), tax = mon_neg(a->tax);
    enum err e = r->o->taxes_included ? shp_add_up(r, tax, &amount) : ERR_OK;

    return e == ERR_OK ? take_off(r, ORD_SHIPPING, amount, tax) : e;
}

/* A record without any transaction is an edit: what it names was taken out of the order. Not if its
 * discrepancy makes it worth nothing: goods that came back without money, or money that is still on
 * its way; the sale stands. */
static enum err apply_edit(struct reader *r, const struct record *rec)
{
    const struct ord_refund *refund = rec->refund;
    struct money value;
    enum err e = ERR_OK;

    if (!rec->edit)
        return ERR_OK;
    e = record_value(r, rec, &value);
    if (e != ERR_OK || (value.units == 0 && has_discrepancy(refund)))
        return e;
    for (size_t i = 0; i < refund->line_count && e == ERR_OK; i++) {
        struct ord_line *line = shp_find_line(r, refund->lines[i].line_id);

        if (line && refund->lines[i].quantity > 0)
            e = shp_in_element(r, "refund_line_items", i, remove_line(r, &refund->lines[i], line));
    }
    for (size_t i = 0; i < refund->adjustment_count && e == ERR_OK; i++) {
        const struct ord_adjustment *a = &refund->adjustments[i];

        if (a->kind == ORD_ADJUST_SHIPPING)
            e = take_off_shipping(r, a);
    }
    if (e == ERR_OK)
        e = take_off(r, ORD_DUTY, rec->duties, rec->duty_tax);
    return e == ERR_OK ? take_off(r, ORD_FEE, rec->fees, rec->fee_tax) : e;
}

/* True if something of the line is left to invoice. What costs money by itself is so only while it
 * costs something. */
static bool is_left(const struct ord_line *line)
{
    struct money left, tax;

    if (shp_is_item(line))
        return line->removed < line->quantity;
    return left_of(line, &left, &tax) != ERR_OK || left.units != 0;
}

void shp_note_refunds(struct order *o)
{
    bool left = false;

    for (size_t i = 0; i < o->refund_count; i++)
        o->state.refunded = o->state.refunded || o->refunds[i].has_money;
    for (size_t i = 0; i < o->line_count; i++) {
        const struct ord_line *line = &o->lines[i];

        o->edited = o->edited || line->removed > 0 || line->removed_subtotal.units != 0;
        left = left || is_left(line);
    }
    o->state.nothing_left = !left && !o->state.kept;
}

/* ---- all records of an order ---- */

static bool has_refund(const struct order *o, struct str id)
{
    for (size_t i = 0; i < o->refund_count; i++) {
        if (id.n > 0 && str_eq(o->refunds[i].id, id))
            return true;
    }
    return false;
}

enum err shp_read_refunds(struct reader *r, const struct js_value *root)
{
    const struct js_value *array = js_get(root, "refunds");
    struct ord_refund *refunds;
    size_t n, refund_lines = 0;
    enum err e = shp_count(r, root, "refunds", &n);

    if (e != ERR_OK)
        return e;
    for (size_t i = 0; i < n; i++)
        refund_lines += js_len(js_get(js_at(array, i), "refund_line_items"));
    if (refund_lines > LIM_ORDER_LINES)
        return err_set(r->info, ERR_TOO_BIG, "refunds have %zu lines; at most %d are read.",
                       refund_lines, LIM_ORDER_LINES);
    refunds = arena_array(r->arena, n, sizeof(*refunds));
    r->o->refunds = refunds;
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        struct ord_refund *refund = &refunds[r->o->refund_count];
        struct record rec;

        e = read_refund(r, js_at(array, i), &rec, refund);
        if (e == ERR_OK && !has_refund(r->o, refund->id)) {
            e = apply_edit(r, &rec);
            r->o->refund_count++;
        }
        e = shp_in_element(r, "refunds", i, e);
    }
    return e;
}

static bool is_payment(const struct js_value *v)
{
    return (shp_is_word(v, "kind", "sale") || shp_is_word(v, "kind", "capture")) &&
           shp_is_word(v, "status", "success");
}

static enum err read_payment(struct reader *r, const struct js_value *v, struct ord_transaction *t)
{
    enum err e = read_transaction(r, v, r->o->currency, t);

    if (t->id.n == 0) /* it would be told from others by nothing */
        return err_set(r->info, ERR_MISSING, "A payment has no id.");
    if (!in_order_currency(r->o, v))
        return err_set(r->info, ERR_CURRENCY, "A payment is not in %s.", r->o->currency);
    if (js_is_null(js_get(v, "amount")))
        return err_set(r->info, ERR_MISSING, "amount is missing.");
    return e;
}

static bool has_payment(const struct ord_transaction *payments, size_t n, struct str id)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(payments[i].id, id))
            return true;
    }
    return false;
}

void shp_read_payments(struct reader *r, const struct js_value *root)
{
    const struct js_value *array = js_get(root, "transactions");
    struct reader quiet = {.arena = r->arena, .o = r->o, .elements = r->elements};
    struct ord_transaction *payments;
    size_t n, found = 0;

    if (shp_count(&quiet, root, "transactions", &n) != ERR_OK)
        return;
    payments = arena_array(r->arena, n, sizeof(*payments));
    for (size_t i = 0; i < n; i++) {
        const struct js_value *v = js_at(array, i);

        if (!is_payment(v))
            continue;
        if (read_payment(&quiet, v, &payments[found]) != ERR_OK)
            return;
        found += !has_payment(payments, found, payments[found].id);
    }
    r->o->payments = payments;
    r->o->payment_count = found;
}

/* ---- records that came by a message of their own ---- */

enum err shp_add_refund(const struct js_value *root, struct arena *arena, struct order *o,
                        struct errinfo *info)
{
    struct order changed = *o;
    struct reader r = {.arena = arena, .info = info, .o = &changed};
    struct ord_refund *refunds;
    struct record rec;
    struct str id;
    enum err e;

    if (!shp_read_id(js_get(root, "id"), &id))
        return err_set(info, ERR_MISSING, "The refund has no id.");
    if (has_refund(o, id))
        return ERR_OK;
    if (o->refund_count >= LIM_ORDER_LINES)
        return err_set(info, ERR_TOO_BIG, "The order has more than %d refunds.", LIM_ORDER_LINES);
    r.lines = shp_grown(arena, o->lines, o->line_count, sizeof(*r.lines));
    refunds = shp_grown(arena, o->refunds, o->refund_count, sizeof(*refunds));
    changed.lines = r.lines;
    changed.refunds = refunds;
    e = read_refund(&r, root, &rec, &refunds[changed.refund_count++]);
    refunds[changed.refund_count - 1].apart = true;
    if (e == ERR_OK)
        e = apply_edit(&r, &rec);
    if (e != ERR_OK)
        return e;
    shp_note_refunds(&changed);
    *o = changed;
    return ERR_OK;
}

enum err shp_add_transaction(const struct js_value *root, struct arena *arena, struct order *o,
                             struct errinfo *info)
{
    struct reader r = {.arena = arena, .info = info, .o = o};
    struct ord_transaction payment = {.day = ""};
    struct ord_transaction *payments;
    struct str id;
    enum err e;

    if (!shp_read_id(js_get(root, "id"), &id))
        return err_set(info, ERR_MISSING, "The transaction has no id.");
    if (!is_payment(root))
        return ERR_OK;
    if (has_payment(o->payments, o->payment_count, id))
        return ERR_OK;
    e = read_payment(&r, root, &payment);
    if (e != ERR_OK)
        return e;

    payments = shp_grown(arena, o->payments, o->payment_count, sizeof(*payments));
    payments[o->payment_count++] = payment;
    o->payments = payments;
    return ERR_OK;
}
