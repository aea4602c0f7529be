/*
 * DESIGN: what the shop says of each line of a share, before anything is computed as Xero does it.
 * The terms of the total are counted beside it at full precision, from the same figures, so that a
 * sentence about a total that is not met can name each of them.
 */
#include "service/sync/invoice.h"

#include <stdlib.h>

#include "service/sync/invoice_parts.h"

#define MAX_ITEM_CODE 30

/* The drafting of one share. */
struct drafting {
    struct inv_work *w;
    enum inv_share share;
    struct inv_drafts *out;
    bool skip[ORD_FEE + 1]; /* kinds of lines that do not take part */
    bool worth;             /* not only shipping and the like that have come to nothing */
};

/* How much of one line of the order is in the share, by the shop's words. */
struct part {
    int64_t quantity;
    struct money discount;
    struct money off;     /* what an edit took off a line that has no quantity */
    struct money tax;     /* all of it */
    struct money channel; /* of this, what a marketplace remits */
};

/* ---- keys ---- */

static int compare_lines(const void *a, const void *b)
{
    const struct ord_line *const *x = a, *const *y = b;
    int order = str_compare((*x)->id, (*y)->id);

    return order ? order : (*x > *y) - (*x < *y);
}

/* A line's place among those of its kind: edits add lines behind the others of their kind. */
static int64_t place_of(const struct order *o, const struct ord_line *line)
{
    int64_t n = 1;

    for (const struct ord_line *at = o->lines; at < line; at++)
        n += at->kind == line->kind;
    return n;
}

static struct str make_key(struct inv_work *w, const struct ord_line *line, bool doubled)
{
    static const char *const names[] = {
        [ORD_PRODUCT] = "product",   [ORD_GIFT_CARD] = "gift-card", [ORD_TIP] = "tip",
        [ORD_SHIPPING] = "shipping", [ORD_DUTY] = "duty",           [ORD_FEE] = "fee",
    };
    const char *name = names[line->kind];
    long long place = 0;

    if (line->kind != ORD_TIP && line->id.n > 0 && !doubled)
        return line->id;
    place = place_of(w->o, line);
    if (line->kind == ORD_TIP && place == 1)
        return str_of(name);
    return str_of(arena_printf(w->arena, "%s:-%lld", name, place));
}

struct str inv_line_key(struct inv_work *w, const struct ord_line *line)
{
    const struct order *o = w->o;
    const struct ord_line **sorted = NULL;
    struct str *keys = NULL;

    if (!w->keys) {
        keys = arena_array(w->arena, o->line_count + 1, sizeof *keys);
        sorted = arena_array(w->arena, o->line_count + 1, sizeof *sorted);
        for (size_t i = 0; i < o->line_count; i++)
            sorted[i] = &o->lines[i];
        qsort(sorted, o->line_count, sizeof *sorted, compare_lines);
        for (size_t i = 0; i < o->line_count; i++)
            keys[sorted[i] - o->lines] =
                make_key(w, sorted[i], i > 0 && str_eq(sorted[i]->id, sorted[i - 1]->id));
        w->keys = keys;
    }
    return w->keys[line - o->lines];
}

/* ---- parts of lines ---- */

static enum err tax_sums(const struct ord_line *line, struct part *p)
{
    for (size_t i = 0; i < line->tax_count; i++) {
        RETURN_IF(inv_plus(&p->tax, line->taxes[i].amount));
        if (line->taxes[i].channel_liable)
            RETURN_IF(inv_plus(&p->channel, line->taxes[i].amount));
    }
    return ERR_OK;
}

/* Takes off what edits removed. Allocations of discounts stay at the original quantity: what is
 * left of them is what the removed ones did not take with them. */
static enum err take_removed(const struct drafting *d, const struct ord_line *line, struct part *p)
{
    struct money gross, gone, sold_tax = p->tax;
    int decimals = mon_decimals(d->w->o->currency);

    p->quantity -= line->removed;
    if (line->removed > 0) {
        RETURN_IF(mon_mul(line->price, line->removed, &gross));
        RETURN_IF(mon_sub(gross, line->removed_subtotal, &gone));
        RETURN_IF(mon_sub(p->discount, gone, &p->discount));
    } else {
        p->off = line->removed_subtotal;
    }
    RETURN_IF(mon_sub(p->tax, line->removed_tax, &p->tax));
    if (p->channel.units != 0 && sold_tax.units != 0)
        RETURN_IF(mon_share(p->channel, p->tax.units, sold_tax.units, decimals, &p->channel));
    return ERR_OK;
}

/* Keeps of what is left what has shipped: cumulative shares, so that the last shipment brings the
 * whole. */
static enum err keep_shipped(const struct drafting *d, const struct ord_line *line, struct part *p)
{
    int64_t left = p->quantity, shipped = line->shipped < left ? line->shipped : left;
    int decimals = mon_decimals(d->w->o->currency);

    if (!line->ships || left <= 0)
        return ERR_OK;
    p->quantity = shipped;
    RETURN_IF(mon_share(p->discount, shipped, left, decimals, &p->discount));
    RETURN_IF(mon_share(p->tax, shipped, left, decimals, &p->tax));
    return mon_share(p->channel, shipped, left, decimals, &p->channel);
}

static enum err part_of(const struct drafting *d, const struct ord_line *line, struct part *p)
{
    struct money zero = mon_zero(d->w->o->currency);

    *p = (struct part){line->quantity, line->discount, zero, zero, zero};
    RETURN_IF(tax_sums(line, p));
    if (d->share != INV_SOLD)
        RETURN_IF(take_removed(d, line, p));
    return d->share == INV_SHIPPED ? keep_shipped(d, line, p) : ERR_OK;
}

bool inv_all_shipped(const struct order *o)
{
    for (size_t i = 0; i < o->line_count; i++)
        if (o->lines[i].ships && o->lines[i].shipped < o->lines[i].quantity - o->lines[i].removed)
            return false;
    return true;
}

static bool any_shipped(const struct order *o)
{
    for (size_t i = 0; i < o->line_count; i++)
        if (o->lines[i].shipped > 0 && o->lines[i].removed < o->lines[i].quantity)
            return true;
    return false;
}

/* ---- which lines take part ---- */

/* What a line comes to in the order's total at the sale. */
static enum err value_of(const struct order *o, const struct ord_line *line, struct money *out)
{
    struct part tax = {.quantity = 0};

    RETURN_IF(mon_mul(line->price, line->quantity, out));
    RETURN_IF(mon_sub(*out, line->discount, out));
    RETURN_IF(tax_sums(line, &tax));
    return o->taxes_included ? ERR_OK : inv_plus(out, tax.tax);
}

/* Whether duties and fees are in the order's total is not sure. REST is what it leaves for them: a
 * kind takes part unless the total is met without it, and not with it. */
static enum err choose_extras(struct drafting *d, struct money rest, struct money duties,
                              struct money fees)
{
    int64_t limit = mon_minor(d->w->o->currency).units * d->w->s->rounding_limit;
    struct money in_total[4] = {mon_zero(rest.currency), mon_zero(rest.currency), duties, fees};
    struct money gaps[4];
    size_t best = 0;

    RETURN_IF(mon_add(duties, fees, &in_total[0]));
    for (size_t i = 0; i < 4; i++) {
        RETURN_IF(mon_sub(rest, in_total[i], &gaps[i]));
        gaps[i] = mon_abs(gaps[i]);
        if (gaps[i].units < gaps[best].units)
            best = i;
    }
    if (gaps[0].units <= limit || gaps[best].units > limit)
        return ERR_OK;
    d->skip[ORD_DUTY] = best == 1 || best == 3;
    d->skip[ORD_FEE] = best == 1 || best == 2;
    return ERR_OK;
}

/* Tips are told twice, as lines and as one amount. The lines are used where they come to that
 * amount, else the amount alone: it is the one that the total is made of. */
static enum err choose_kinds(struct drafting *d)
{
    const struct order *o = d->w->o;
    struct money sums[ORD_FEE + 1], rest = o->total, tips = mon_zero(o->currency);

    for (size_t k = 0; k <= ORD_FEE; k++)
        sums[k] = mon_zero(o->currency);
    for (size_t i = 0; i < o->line_count; i++) {
        const struct ord_line *line = &o->lines[i];
        struct money value;

        if (line->quantity <= 0)
            continue;
        RETURN_IF(value_of(o, line, &value));
        RETURN_IF(inv_plus(&sums[line->kind], value));
        if (line->kind == ORD_TIP) {
            RETURN_IF(mon_mul(line->price, line->quantity, &value));
            RETURN_IF(inv_plus(&tips, value));
            RETURN_IF(mon_sub(tips, line->discount, &tips));
        }
    }
    d->skip[ORD_TIP] = tips.units != o->tip.units;
    if (d->skip[ORD_TIP])
        sums[ORD_TIP] = o->tip;
    for (size_t k = 0; k < ORD_DUTY; k++)
        RETURN_IF(mon_sub(rest, sums[k], &rest));
    return choose_extras(d, rest, sums[ORD_DUTY], sums[ORD_FEE]);
}

/* ---- drafts ---- */

/* Counts what was taken off a line, and what a marketplace remits of it, against the total and the
 * tax that have to be met. */
static enum err count_gone(struct drafting *d, const struct ord_line *line, const struct part *p)
{
    struct inv_drafts *out = d->out;

    if (d->share != INV_SOLD) {
        RETURN_IF(inv_plus(&out->terms.removed, line->removed_subtotal));
        if (!d->w->o->taxes_included)
            RETURN_IF(inv_plus(&out->terms.removed, line->removed_tax));
        RETURN_IF(mon_sub(out->total_tax, line->removed_tax, &out->total_tax));
    }
    RETURN_IF(mon_sub(out->total_tax, p->channel, &out->total_tax));
    return inv_plus(&out->terms.channel, p->channel);
}

static struct money *term_of(struct inv_terms *t, enum ord_line_kind kind)
{
    switch (kind) {
    case ORD_TIP:
        return &t->tips;
    case ORD_SHIPPING:
        return &t->shipping;
    case ORD_DUTY:
        return &t->duties;
    case ORD_FEE:
        return &t->fees;
    case ORD_PRODUCT:
    case ORD_GIFT_CARD:
        break;
    }
    return &t->goods;
}

/* Tax of a marketplace that is in the prices is no part of what the shop sells. */
static enum err draft_line(struct drafting *d, const struct ord_line *from, struct part *p)
{
    struct inv_terms *t = &d->out->terms;
    struct inv_draft *draft = &d->out->rows[d->out->count];
    struct money gross, tax;
    bool item = from->kind == ORD_PRODUCT || from->kind == ORD_GIFT_CARD;

    RETURN_IF(count_gone(d, from, p));
    RETURN_IF(mon_mul(from->price, p->quantity, &gross));
    if (p->quantity == 0 || (p->off.units != 0 && p->off.units == gross.units))
        return ERR_OK;
    RETURN_IF(mon_sub(p->tax, p->channel, &tax));
    RETURN_IF(inv_plus(&t->tax, tax));
    RETURN_IF(inv_plus(&t->discounts, p->discount));
    RETURN_IF(mon_sub(gross, p->off, &gross));
    RETURN_IF(inv_plus(term_of(t, from->kind), gross));
    d->worth = d->worth || item || gross.units != p->discount.units;
    if (d->w->o->taxes_included)
        RETURN_IF(inv_plus(&p->off, p->channel));

    *draft = (struct inv_draft){
        .from = from,
        .line = {.key = inv_line_key(d->w, from),
                 .description = inv_line_title(from),
                 .quantity = p->quantity,
                 .unit = from->price},
    };
    if (d->w->s->item_codes && item && from->sku.n <= MAX_ITEM_CODE)
        draft->line.item_code = from->sku;
    RETURN_IF(mon_round(p->discount, INV_DECIMALS, &draft->line.discount));
    RETURN_IF(mon_round(tax, INV_DECIMALS, &draft->tax));
    draft->off = p->off;
    d->out->count++;
    return ERR_OK;
}

static enum err draft_tip(struct drafting *d)
{
    static const struct ord_line tip = {.kind = ORD_TIP, .title = STR_INIT("Tip")};
    const struct order *o = d->w->o;
    struct money zero = mon_zero(o->currency);

    d->out->rows[d->out->count++] = (struct inv_draft){
        .from = &tip,
        .line = {.key = STR("tip"),
                 .description = tip.title,
                 .quantity = 1,
                 .unit = o->tip,
                 .discount = zero},
        .tax = zero,
        .off = zero,
    };
    d->worth = true;
    return inv_plus(&d->out->terms.tips, o->tip);
}

/* The total that the share has to meet. Of shipments it is the sum of their terms: the order's
 * total is told of all of it alone. */
static enum err set_total(struct drafting *d)
{
    const struct order *o = d->w->o;
    struct inv_drafts *out = d->out;
    const struct inv_terms *t = &out->terms;
    bool leave_out = !d->w->s->marketplace_tax_clearing;

    out->terms.cash = o->cash_rounding;
    if (d->share == INV_SHIPPED) {
        out->total = mon_zero(o->currency);
        RETURN_IF(inv_plus(&out->total, t->goods));
        RETURN_IF(inv_plus(&out->total, t->shipping));
        RETURN_IF(inv_plus(&out->total, t->tips));
        RETURN_IF(inv_plus(&out->total, t->duties));
        RETURN_IF(inv_plus(&out->total, t->fees));
        RETURN_IF(mon_sub(out->total, t->discounts, &out->total));
        out->total_tax = t->tax;
        if (!o->taxes_included) {
            RETURN_IF(inv_plus(&out->total, t->tax));
            RETURN_IF(inv_plus(&out->total, t->channel));
        }
    } else {
        RETURN_IF(mon_sub(o->total, t->removed, &out->total));
    }
    if (leave_out)
        RETURN_IF(mon_sub(out->total, t->channel, &out->total));
    return inv_plus(&out->total, o->cash_rounding);
}

enum err inv_draft_lines(struct inv_work *w, enum inv_share share, struct inv_drafts *out)
{
    const struct order *o = w->o;
    struct drafting d = {.w = w, .share = share, .out = out};
    struct money zero = mon_zero(o->currency);

    *out = (struct inv_drafts){
        .rows = arena_array(w->arena, o->line_count + 1, sizeof *out->rows),
        .terms = {zero, zero, zero, zero, zero, zero, zero, zero, zero, zero},
        .total = zero,
        .total_tax = o->total_tax,
    };
    if (share == INV_SHIPPED && !any_shipped(o))
        return ERR_OK;
    RETURN_IF(choose_kinds(&d));
    for (size_t i = 0; i < o->line_count; i++) {
        const struct ord_line *line = &o->lines[i];
        struct part p;

        if (line->quantity < 0)
            inv_fail(w, INV_DOC_INVOICE, "unsupported-kind",
                     "The line \"%.*s\" has the quantity %lld. Lines with a negative quantity are "
                     "not supported.",
                     STR_FMT(inv_line_title(line)), (long long)line->quantity);
        if (line->quantity <= 0 || d.skip[line->kind])
            continue;
        RETURN_IF(part_of(&d, line, &p));
        RETURN_IF(draft_line(&d, line, &p));
    }
    if (d.skip[ORD_TIP] && o->tip.units != 0)
        RETURN_IF(draft_tip(&d));
    if (!d.worth)
        out->count = 0;
    return set_total(&d);
}
