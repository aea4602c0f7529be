/*
 * DESIGN: an order's line becomes a draft (what the shop says), gets its account and tax type, then
 * Xero's arithmetic is done on it: amount = round(quantity x unit - discount), tax of that amount
 * by the line's own rate. Where the shop's tax is another, TaxAmount is sent. Then the sums have to
 * meet the order's total; a few minor units go into a rounding line, more is a problem.
 */
#include "service/sync/invoice.h"

#include "service/sync/invoice_parts.h"

#define RETURN_IF(e)                                                                               \
    do {                                                                                           \
        enum err failed_ = (e);                                                                    \
        if (failed_ != ERR_OK)                                                                     \
            return failed_;                                                                        \
    } while (0)

/* A line of the order with what the shop says of it. */
struct draft {
    const struct ord_line *from; /* NULL: the order's tips as one amount */
    struct inv_line line;
    struct rate rate;      /* sum of its taxes' rates; 0 when untaxed */
    struct money shop_tax; /* of the whole line, at Xero's decimals */
};

/* The terms of the order's total, for the sentence that says they do not add up. */
struct terms {
    struct money goods, discounts, shipping, tips, tax;
};

struct lines {
    struct inv_work *w;
    struct inv_lines *sum;
    struct draft *drafts;
    size_t draft_count;
    struct inv_line *out;
    size_t out_count;
    struct terms terms;
};

static enum err add_to(struct money *sum, struct money m)
{
    return mon_add(*sum, m, sum);
}

static struct money zero(const struct lines *l)
{
    return mon_zero(l->w->o->currency);
}

/* ---- drafts ---- */

/* What the shop says of one line; the terms of the total are counted at full precision. */
static enum err draft_line(struct lines *l, const struct ord_line *from, struct draft *d)
{
    struct terms *t = &l->terms;
    struct money gross, tax = zero(l);

    *d = (struct draft){.from = from};
    d->line.key = from->id;
    d->line.description = inv_line_title(from);
    d->line.quantity = from->quantity;
    d->line.unit = from->price;
    RETURN_IF(mon_round(from->discount, INV_DECIMALS, &d->line.discount));
    for (size_t i = 0; i < from->tax_count; i++) {
        const struct ord_tax *one = &from->taxes[i];

        if (one->amount.units != 0)
            d->rate.units += one->rate.units;
        RETURN_IF(add_to(&tax, one->amount));
    }
    RETURN_IF(mon_round(tax, INV_DECIMALS, &d->shop_tax));
    if (d->shop_tax.units == 0)
        d->rate.units = 0;

    RETURN_IF(mon_mul(from->price, from->quantity, &gross));
    RETURN_IF(add_to(&t->tax, tax));
    RETURN_IF(add_to(&t->discounts, from->discount));
    return add_to(from->kind == ORD_SHIPPING ? &t->shipping
                  : from->kind == ORD_TIP    ? &t->tips
                                             : &t->goods,
                  gross);
}

/* Tips are told twice, as lines and as one amount. The lines are used where they come to that
 * amount, else the amount alone: it is the one that the total is made of. */
static enum err draft_all(struct lines *l)
{
    const struct order *o = l->w->o;
    struct money tips = zero(l), tip = {0};
    bool tip_lines;

    l->drafts = arena_array(l->w->arena, o->line_count + 1, sizeof *l->drafts);
    for (size_t i = 0; i < o->line_count; i++) {
        if (o->lines[i].kind != ORD_TIP)
            continue;
        RETURN_IF(mon_mul(o->lines[i].price, o->lines[i].quantity, &tip));
        RETURN_IF(add_to(&tips, tip));
        RETURN_IF(mon_sub(tips, o->lines[i].discount, &tips));
    }
    tip_lines = tips.units == o->tip.units;
    for (size_t i = 0; i < o->line_count; i++) {
        if (o->lines[i].quantity == 0 || (o->lines[i].kind == ORD_TIP && !tip_lines))
            continue;
        RETURN_IF(draft_line(l, &o->lines[i], &l->drafts[l->draft_count++]));
    }
    if (!tip_lines && o->tip.units != 0) {
        l->drafts[l->draft_count++] = (struct draft){
            .line = {.key = STR("tip"),
                     .description = STR("Tip"),
                     .quantity = 1,
                     .unit = o->tip,
                     .discount = zero(l)},
            .shop_tax = zero(l),
        };
        RETURN_IF(add_to(&l->terms.tips, o->tip));
    }
    return ERR_OK;
}

/* ---- Xero's arithmetic ---- */

enum err inv_line_amount(const struct inv_line *line, struct money *out)
{
    struct money gross;

    RETURN_IF(mon_mul(line->unit, line->quantity, &gross));
    RETURN_IF(mon_sub(gross, line->discount, &gross));
    return mon_round(gross, INV_DECIMALS, out);
}

enum err inv_line_tax(const struct inv_work *w, struct money amount, struct rate r,
                      struct money *out)
{
    return w->o->taxes_included ? mon_tax_in(amount, r, INV_DECIMALS, out)
                                : mon_tax_on(amount, r, INV_DECIMALS, out);
}

/* Xero refuses a tax larger than its line, and one of the other sign. */
enum err inv_finish_line(struct inv_work *w, enum inv_doc doc, struct inv_line *line, struct rate r,
                         struct money wanted)
{
    RETURN_IF(inv_line_amount(line, &line->amount));
    RETURN_IF(inv_line_tax(w, line->amount, r, &line->tax));
    line->send_tax = line->tax.units != wanted.units && !w->s->tax_amounts_never;
    if (!line->send_tax)
        return ERR_OK;
    line->tax = wanted;
    if (mon_cmp(mon_abs(wanted), mon_abs(line->amount)) > 0 ||
        (wanted.units != 0 && (wanted.units < 0) != (line->amount.units < 0)))
        inv_fail(w, doc, "tax-does-not-reconcile",
                 "The shop's tax on \"%.*s\" is %s, which Xero does not take on a line of "
                 "%s %s.",
                 STR_FMT(line->description), mon_text(wanted).z, mon_text(line->amount).z,
                 w->o->currency);
    return ERR_OK;
}

/* Puts a mapped line, whose tax has to be WANTED, behind the others. */
static enum err put_line(struct lines *l, struct inv_line line, struct rate r, struct money wanted)
{
    RETURN_IF(inv_finish_line(l->w, INV_DOC_INVOICE, &line, r, wanted));
    l->out[l->out_count++] = line;
    return ERR_OK;
}

/* ---- discounts as lines of their own ---- */

/* The discounts of one tax type and rate: one negative line, whose tax is always Xero's own. */
struct group {
    struct inv_line line;
    struct rate rate;
};

static struct group *group_of(const struct lines *l, const struct draft *d, struct group *groups,
                              size_t *count)
{
    for (size_t i = 0; i < *count; i++)
        if (str_eq(groups[i].line.tax_type, d->line.tax_type) &&
            groups[i].rate.units == d->rate.units)
            return &groups[i];
    groups[*count] = (struct group){
        .line = {.key = str_of(arena_printf(l->w->arena, "discount:%.*s:%s",
                                            STR_FMT(d->line.tax_type), mon_rate_text(d->rate).z)),
                 .description = STR("Discount"),
                 .quantity = 1,
                 .unit = zero(l),
                 .discount = zero(l),
                 .account = l->w->s->account_discounts,
                 .tax_type = d->line.tax_type,
                 .amount = zero(l),
                 .tax = zero(l)},
        .rate = d->rate,
    };
    return &groups[(*count)++];
}

/* Moves a line's discount into its group. What that adds to the tax of the group's line (a negative
 * amount), the line itself has to carry on top of the shop's tax. */
static enum err finish_undiscounted(struct lines *l, const struct draft *d, struct group *g)
{
    struct inv_line line = d->line;
    struct money before = g->line.tax, added, wanted;

    RETURN_IF(mon_sub(g->line.unit, line.discount, &g->line.unit));
    RETURN_IF(inv_line_amount(&g->line, &g->line.amount));
    RETURN_IF(inv_line_tax(l->w, g->line.amount, g->rate, &g->line.tax));
    RETURN_IF(mon_sub(g->line.tax, before, &added));
    RETURN_IF(mon_sub(d->shop_tax, added, &wanted));
    line.discount = zero(l);
    return put_line(l, line, d->rate, wanted);
}

static enum err finish_with_discount_lines(struct lines *l)
{
    struct group *groups = arena_array(l->w->arena, l->draft_count + 1, sizeof *groups);
    size_t count = 0;

    for (size_t i = 0; i < l->draft_count; i++) {
        const struct draft *d = &l->drafts[i];

        if (d->line.discount.units == 0)
            RETURN_IF(put_line(l, d->line, d->rate, d->shop_tax));
        else
            RETURN_IF(finish_undiscounted(l, d, group_of(l, d, groups, &count)));
    }
    if (count > 0 && l->w->s->account_discounts.n == 0)
        inv_fail(l->w, INV_DOC_INVOICE, "account-invalid",
                 "No account is mapped for discounts (mappings.accounts.discounts).");
    for (size_t i = 0; i < count; i++)
        l->out[l->out_count++] = groups[i].line;
    return ERR_OK;
}

/* ---- the invariant ---- */

/* How far sums may be apart: rounding_limit of the smallest amounts that the currency has in Xero.
 * Where the shop counts in a third decimal, which Xero does not have, each line's amount and tax
 * may be half a cent off as well. */
static struct money tolerance(const struct lines *l)
{
    struct money m = mon_minor(l->w->o->currency);
    const int64_t cent = MON_SCALE / 100;

    if (m.units < cent)
        m.units = cent * (l->w->s->rounding_limit + (int64_t)l->out_count + 1);
    else
        m.units *= l->w->s->rounding_limit;
    return m;
}

static void fail_total(struct lines *l, struct money sum, struct money total)
{
    const struct terms *t = &l->terms;

    inv_fail(l->w, INV_DOC_INVOICE, "total-does-not-reconcile",
             "The order's total is %s %s, but its parts come to %s: lines %s, discounts "
             "-%s, shipping %s, tips %s, tax %s%s.",
             mon_text(total).z, l->w->o->currency, mon_text(sum).z, mon_text(t->goods).z,
             mon_text(t->discounts).z, mon_text(t->shipping).z, mon_text(t->tips).z,
             mon_text(t->tax).z, l->w->o->taxes_included ? " (included)" : "");
}

static void add_rounding_line(struct lines *l, struct money rest)
{
    const struct inv_settings *s = l->w->s;

    if (s->account_rounding.n == 0)
        inv_fail(l->w, INV_DOC_INVOICE, "account-invalid",
                 "The lines differ from the order's total by %s %s, and no account is "
                 "mapped for rounding (mappings.accounts.rounding).",
                 mon_text(rest).z, l->w->o->currency);
    l->out[l->out_count++] = (struct inv_line){
        .key = STR("rounding"),
        .description = STR("Rounding"),
        .quantity = 1,
        .unit = rest,
        .discount = zero(l),
        .account = s->account_rounding,
        .tax_type = inv_code_exempt(l->w, INV_DOC_INVOICE, "the rounding line"),
        .amount = rest,
        .tax = zero(l),
    };
}

static enum err check_sums(struct lines *l)
{
    const struct order *o = l->w->o;
    struct money sum = zero(l), tax = zero(l), total, shop_tax, rest, tax_rest;
    struct money limit = tolerance(l);

    for (size_t i = 0; i < l->out_count; i++) {
        RETURN_IF(add_to(&sum, l->out[i].amount));
        RETURN_IF(add_to(&tax, l->out[i].tax));
    }
    if (!l->w->o->taxes_included)
        RETURN_IF(add_to(&sum, tax));
    RETURN_IF(mon_round(o->total, INV_DECIMALS, &total));
    RETURN_IF(mon_round(o->total_tax, INV_DECIMALS, &shop_tax));
    RETURN_IF(mon_sub(total, sum, &rest));
    RETURN_IF(mon_sub(shop_tax, tax, &tax_rest));
    l->sum->total = total;
    l->sum->total_tax = tax;
    if (mon_cmp(mon_abs(tax_rest), limit) > 0)
        inv_fail(l->w, INV_DOC_INVOICE, "tax-does-not-reconcile",
                 "The order's tax is %s %s, but the tax of its lines comes to %s in Xero.",
                 mon_text(o->total_tax).z, o->currency, mon_text(tax).z);
    if (total.units < 0)
        inv_fail(l->w, INV_DOC_INVOICE, "total-negative",
                 "The order's total is %s %s, and an invoice's cannot be negative.",
                 mon_text(total).z, o->currency);
    if (mon_cmp(mon_abs(rest), limit) > 0)
        fail_total(l, sum, o->total);
    else if (rest.units != 0)
        add_rounding_line(l, rest);
    return ERR_OK;
}

/* Account and tax type of a draft. */
static void code_draft(struct lines *l, struct draft *d)
{
    static const struct ord_line tip = {.kind = ORD_TIP, .title = STR_INIT("Tip")};
    struct inv_coding coding;

    inv_code_line(l->w, INV_DOC_INVOICE, d->from ? d->from : &tip, &coding);
    d->line.account = coding.account;
    d->line.tax_type = coding.tax_type;
}

bool inv_all_shipped(const struct order *o)
{
    for (size_t i = 0; i < o->line_count; i++)
        if (o->lines[i].ships && o->lines[i].shipped < o->lines[i].quantity - o->lines[i].removed)
            return false;
    return true;
}

enum err inv_make_lines(struct inv_work *w, enum inv_share share, struct inv_lines *out)
{
    struct lines l = {.w = w, .sum = out};

    (void)share; /* what was removed by edits is refused as yet */
    *out = (struct inv_lines){.count = 0};

    l.terms = (struct terms){zero(&l), zero(&l), zero(&l), zero(&l), zero(&l)};
    RETURN_IF(draft_all(&l));
    /* Room for a discount line beside each line, and the rounding line. */
    l.out = arena_array(w->arena, 2 * l.draft_count + 1, sizeof *l.out);
    for (size_t i = 0; i < l.draft_count; i++) {
        code_draft(&l, &l.drafts[i]);
        if (!w->s->discount_lines)
            RETURN_IF(put_line(&l, l.drafts[i].line, l.drafts[i].rate, l.drafts[i].shop_tax));
    }
    if (w->s->discount_lines)
        RETURN_IF(finish_with_discount_lines(&l));
    if (l.out_count == 0)
        inv_fail(w, INV_DOC_INVOICE, "unsupported-kind", "This order has no lines to invoice.");
    else
        RETURN_IF(check_sums(&l));
    out->rows = l.out;
    out->count = l.out_count;
    return ERR_OK;
}
