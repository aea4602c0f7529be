/*
 * DESIGN: a draft (what the shop says of a line) gets its account and tax type, then Xero's
 * arithmetic is done on it: amount = round(quantity x unit - discount), tax of that amount by the
 * line's own rate. Where the shop's tax is another, TaxAmount is sent. Then the sums have to meet
 * the total; a few minor units go into a rounding line, more is a problem.
 */
#include "service/sync/invoice.h"

#include "service/sync/invoice_parts.h"

/* The lines of one share. */
struct lines {
    struct inv_work *w;
    enum inv_share share;
    struct inv_drafts drafts;
    struct inv_line *out;
    size_t out_count;
};

static struct money zero(const struct lines *l)
{
    return mon_zero(l->w->o->currency);
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

/* It is taxed at a rate that the shop does not state: what Xero's tax type would charge is not
 * known, so its tax has to be sent even where it is 0. */
static bool is_rate_unknown(const struct lines *l, const struct inv_coding *c)
{
    return c->titles.n > 0 && c->rate.units == 0 && !l->w->s->tax_amounts_never;
}

/* Takes OFF from the line's amount: from its unit price where that has the decimals for it, else
 * beside its discount. */
static enum err take_off(struct inv_line *line, struct money off)
{
    if (off.units % line->quantity == 0) {
        off.units /= line->quantity;
        return mon_sub(line->unit, off, &line->unit);
    }
    RETURN_IF(mon_round(off, INV_DECIMALS, &off));
    return inv_plus(&line->discount, off);
}

/* Puts a mapped line, whose tax has to be WANTED, behind the others. */
static enum err put_line(struct lines *l, const struct inv_draft *d, struct inv_line line,
                         struct money wanted)
{
    RETURN_IF(take_off(&line, d->off));
    RETURN_IF(inv_finish_line(l->w, INV_DOC_INVOICE, &line, d->coding.rate, wanted));
    line.send_tax = line.send_tax || is_rate_unknown(l, &d->coding);
    l->out[l->out_count++] = line;
    return ERR_OK;
}

/* Puts a line of one exempt AMOUNT behind the others, unless that is nothing. SETTING names the
 * mapping of its account. */
static void put_amount(struct lines *l, const char *key, const char *description,
                       struct money amount, struct str account, const char *setting)
{
    if (amount.units == 0)
        return;
    if (account.n == 0)
        inv_fail(l->w, INV_DOC_INVOICE, "account-invalid",
                 "No account is mapped for the line \"%s\" of %s %s (mappings.accounts.%s).",
                 description, mon_text(amount).z, l->w->o->currency, setting);
    l->out[l->out_count++] = (struct inv_line){
        .key = str_of(key),
        .description = str_of(description),
        .quantity = 1,
        .unit = amount,
        .discount = zero(l),
        .account = account,
        .tax_type = inv_code_exempt(l->w, INV_DOC_INVOICE,
                                    arena_printf(l->w->arena, "\"%s\"", description)),
        .amount = amount,
        .tax = zero(l),
    };
}

/* ---- discounts as lines of their own ---- */

/* The discounts under one tax: one negative line, whose tax is always Xero's own; none where the
 * rate is not known. What the shop calls the tax makes it, and its key, so that a mapping that
 * changes does not. */
struct group {
    struct inv_line line;
    const struct inv_coding *coding;
};

static struct str discount_key(const struct lines *l, const struct inv_coding *c)
{
    char *key =
        arena_printf(l->w->arena, "discount:%s %.*s", mon_rate_text(c->rate).z, STR_FMT(c->titles));

    for (char *comma = key; (comma = strchr(comma, ',')) != NULL;)
        *comma = ';';
    return str_of(key);
}

static struct group *group_of(const struct lines *l, const struct inv_draft *d,
                              struct group *groups, size_t *count)
{
    const struct inv_coding *c = &d->coding;
    struct str key;

    for (size_t i = 0; i < *count; i++)
        if (str_eq(groups[i].coding->titles, c->titles) &&
            groups[i].coding->rate.units == c->rate.units)
            return &groups[i];
    key = c->titles.n == 0 ? STR("discount:exempt") : discount_key(l, c);
    groups[*count] = (struct group){
        .line = {.key = key,
                 .description = STR("Discount"),
                 .quantity = 1,
                 .unit = zero(l),
                 .discount = zero(l),
                 .account = l->w->s->account_discounts,
                 .tax_type = c->tax_type,
                 .send_tax = is_rate_unknown(l, c),
                 .amount = zero(l),
                 .tax = zero(l)},
        .coding = c,
    };
    return &groups[(*count)++];
}

/* Moves a line's discount into its group. What that adds to the tax of the group's line (a negative
 * amount), the line itself has to carry on top of the shop's tax. */
static enum err put_undiscounted(struct lines *l, const struct inv_draft *d, struct group *g)
{
    struct inv_line line = d->line;
    struct money before = g->line.tax, added, wanted;

    RETURN_IF(mon_sub(g->line.unit, line.discount, &g->line.unit));
    RETURN_IF(inv_line_amount(&g->line, &g->line.amount));
    RETURN_IF(inv_line_tax(l->w, g->line.amount, g->coding->rate, &g->line.tax));
    RETURN_IF(mon_sub(g->line.tax, before, &added));
    RETURN_IF(mon_sub(d->tax, added, &wanted));
    line.discount = zero(l);
    return put_line(l, d, line, wanted);
}

static enum err put_with_discount_lines(struct lines *l)
{
    const struct inv_drafts *drafts = &l->drafts;
    struct group *groups = arena_array(l->w->arena, drafts->count + 1, sizeof *groups);
    size_t count = 0;

    for (size_t i = 0; i < drafts->count; i++) {
        const struct inv_draft *d = &drafts->rows[i];

        if (d->line.discount.units == 0)
            RETURN_IF(put_line(l, d, d->line, d->tax));
        else
            RETURN_IF(put_undiscounted(l, d, group_of(l, d, groups, &count)));
    }
    if (count > 0 && l->w->s->account_discounts.n == 0)
        inv_fail(l->w, INV_DOC_INVOICE, "account-invalid",
                 "No account is mapped for discounts (mappings.accounts.discounts).");
    for (size_t i = 0; i < count; i++)
        l->out[l->out_count++] = groups[i].line;
    return ERR_OK;
}

/* ---- the invariant ---- */

struct money inv_tolerance(const struct inv_work *w, size_t lines)
{
    struct money m = mon_minor(w->o->currency);
    const int64_t cent = MON_SCALE / 100;

    if (m.units < cent)
        m.units = cent * (w->s->rounding_limit + (int64_t)lines + 1);
    else
        m.units *= w->s->rounding_limit;
    return m;
}

/* ", duties 3.00": a term that most orders do not have. */
static const char *term(struct lines *l, const char *name, struct money m)
{
    return m.units == 0 ? "" : arena_printf(l->w->arena, ", %s %s", name, mon_text(m).z);
}

static void fail_total(struct lines *l, struct money sum, struct money total)
{
    const struct inv_terms *t = &l->drafts.terms;
    const struct order *o = l->w->o;
    const char *gone = "", *channel = "";

    if (l->share != INV_SOLD && t->removed.units != 0)
        gone = arena_printf(l->w->arena, " (%s less %s that edits removed)", mon_text(o->total).z,
                            mon_text(t->removed).z);
    if (t->channel.units != 0)
        channel = arena_printf(l->w->arena, ", tax that a marketplace collects %s%s",
                               mon_text(t->channel).z,
                               l->w->s->marketplace_tax_clearing ? "" : " (left out)");
    inv_fail(l->w, INV_DOC_INVOICE, "total-does-not-reconcile",
             "The order's total is %s %s%s, but its parts come to %s: lines %s, discounts "
             "-%s, shipping %s, tips %s%s%s%s, tax %s%s%s.",
             mon_text(total).z, o->currency, gone, mon_text(sum).z, mon_text(t->goods).z,
             mon_text(t->discounts).z, mon_text(t->shipping).z, mon_text(t->tips).z,
             term(l, "duties", t->duties), term(l, "fees", t->fees),
             term(l, "cash rounding", t->cash), mon_text(t->tax).z,
             o->taxes_included ? " (included)" : "", channel);
}

static enum err check_sums(struct lines *l, struct inv_lines *out)
{
    const struct order *o = l->w->o;
    const struct inv_drafts *d = &l->drafts;
    struct money sum = zero(l), tax = zero(l), shop_tax, rest, tax_rest,
                 limit = inv_tolerance(l->w, l->out_count);

    for (size_t i = 0; i < l->out_count; i++) {
        RETURN_IF(inv_plus(&sum, l->out[i].amount));
        RETURN_IF(inv_plus(&tax, l->out[i].tax));
    }
    if (!o->taxes_included)
        RETURN_IF(inv_plus(&sum, tax));
    RETURN_IF(mon_round(d->total, INV_DECIMALS, &out->total));
    RETURN_IF(mon_round(d->total_tax, INV_DECIMALS, &shop_tax));
    RETURN_IF(mon_sub(out->total, sum, &rest));
    RETURN_IF(mon_sub(shop_tax, tax, &tax_rest));
    out->total_tax = tax;
    if (mon_cmp(mon_abs(tax_rest), limit) > 0)
        inv_fail(l->w, INV_DOC_INVOICE, "tax-does-not-reconcile",
                 "The order's tax is %s %s, but the tax of its lines comes to %s in Xero.",
                 mon_text(d->total_tax).z, o->currency, mon_text(tax).z);
    if (out->total.units < 0)
        inv_fail(l->w, INV_DOC_INVOICE, "total-negative",
                 "The order's total is %s %s, and an invoice's cannot be negative.",
                 mon_text(out->total).z, o->currency);
    if (mon_cmp(mon_abs(rest), limit) > 0)
        fail_total(l, sum, d->total);
    else
        put_amount(l, "rounding", "Rounding", rest, l->w->s->account_rounding, "rounding");
    return ERR_OK;
}

/* ---- the whole ---- */

static enum err put_lines(struct lines *l)
{
    const struct inv_settings *s = l->w->s;
    const struct inv_terms *t = &l->drafts.terms;

    for (size_t i = 0; i < l->drafts.count; i++) {
        struct inv_draft *d = &l->drafts.rows[i];

        inv_code_line(l->w, INV_DOC_INVOICE, d->from, &d->coding);
        d->line.account = d->coding.account;
        d->line.tax_type = d->coding.tax_type;
        if (!s->discount_lines)
            RETURN_IF(put_line(l, d, d->line, d->tax));
    }
    if (s->discount_lines)
        RETURN_IF(put_with_discount_lines(l));
    if (s->marketplace_tax_clearing) {
        struct money channel;

        RETURN_IF(mon_round(t->channel, INV_DECIMALS, &channel));
        put_amount(l, "marketplace-tax", "Tax collected by the marketplace", channel,
                   s->account_marketplace_tax, "marketplace_tax");
    }
    put_amount(l, "cash-rounding", "Cash rounding", t->cash, s->account_rounding, "rounding");
    return ERR_OK;
}

/* Of shipments the whole is looked at first: an order that does not add up is not begun with. */
enum err inv_make_lines(struct inv_work *w, enum inv_share share, struct inv_lines *out)
{
    struct lines l = {.w = w, .share = share};
    size_t problems = w->problem_count;

    *out = (struct inv_lines){.total = zero(&l), .total_tax = zero(&l)};
    if (share == INV_SHIPPED) {
        RETURN_IF(inv_make_lines(w, INV_LEFT, out));
        if (w->problem_count > problems || inv_all_shipped(w->o))
            return ERR_OK;
    }
    RETURN_IF(inv_draft_lines(w, share, &l.drafts));
    /* Room for a discount line beside each line, the marketplace's tax and both roundings. */
    l.out = arena_array(w->arena, 2 * l.drafts.count + 3, sizeof *l.out);
    if (l.drafts.count == 0) {
        if (share == INV_SOLD && mon_cmp(mon_abs(l.drafts.total), inv_tolerance(w, 0)) > 0)
            fail_total(&l, zero(&l), l.drafts.total);
        *out = (struct inv_lines){.total = zero(&l), .total_tax = zero(&l)};
        return ERR_OK;
    }
    RETURN_IF(put_lines(&l));
    RETURN_IF(check_sums(&l, out));
    out->rows = l.out;
    out->count = l.out_count;
    return ERR_OK;
}
