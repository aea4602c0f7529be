/*
 * DESIGN: how a line of the order is booked depends on that line as it was sold and on the
 * mappings, and on nothing else: not on how much of it a document speaks of. So each part of it,
 * and each refund, stands on the same account and tax type.
 */
#include "service/sync/invoice.h"

#include <stdlib.h>

#include "service/sync/invoice_parts.h"

#define MAX_DESCRIPTION 4000

/* Of joined titles: far above a mapping's longest key. Taxes that differ behind it only are told
 * apart by their rates. */
#define MAX_TITLES 4096

const struct ord_line *inv_order_line(const struct order *o, struct str id)
{
    for (size_t i = 0; i < o->line_count && id.n > 0; i++)
        if (str_eq(o->lines[i].id, id))
            return &o->lines[i];
    return NULL;
}

struct str inv_line_title(const struct ord_line *line)
{
    static const char *const names[] = {
        [ORD_PRODUCT] = "Item",      [ORD_GIFT_CARD] = "Gift card", [ORD_TIP] = "Tip",
        [ORD_SHIPPING] = "Shipping", [ORD_DUTY] = "Duties",         [ORD_FEE] = "Fee",
    };
    struct str s = str_trim(line->title);

    if (s.n == 0)
        s = str_trim(line->sku);
    if (s.n == 0)
        s = str_of(names[line->kind]);
    return str_cut(s, MAX_DESCRIPTION);
}

/* ---- tax types ---- */

/* Tax that the shop owes: what a marketplace remits is not on the line. */
static bool counts(const struct ord_tax *tax)
{
    return tax->amount.units != 0 && !tax->channel_liable;
}

static int compare_titles(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

/* "County tax + State tax": the titles of the taxes that took part, sorted. */
static struct str joined_titles(const struct ord_line *line, struct arena *arena)
{
    struct str *titles = arena_array(arena, line->tax_count + 1, sizeof *titles), out;
    struct buf joined = BUF_CAP(MAX_TITLES);
    size_t n = 0;

    for (size_t i = 0; i < line->tax_count; i++)
        if (counts(&line->taxes[i]))
            titles[n++] = line->taxes[i].title.n ? line->taxes[i].title : STR("(no title)");
    qsort(titles, n, sizeof *titles, compare_titles);
    for (size_t i = 0; i < n; i++) {
        buf_addz(&joined, i > 0 ? " + " : "");
        buf_add_str(&joined, titles[i]);
    }
    out = arena_str(arena, buf_str(&joined));
    buf_free(&joined);
    return out;
}

/* Whether its taxes come to anything in Xero's decimals, and the sum of the rates of those that
 * took part; 0 if one of them is not stated. Amounts that cannot be added are found with the sums.
 */
static bool is_taxed(const struct ord_line *line, struct rate *r)
{
    struct money sum = {0};
    bool stated = true, taxed = false;

    *r = (struct rate){0};
    for (size_t i = 0; i < line->tax_count && !taxed; i++) {
        if (!counts(&line->taxes[i]))
            continue;
        r->units += line->taxes[i].rate.units;
        stated = stated && line->taxes[i].rate.units != 0;
        taxed = mon_add(sum, line->taxes[i].amount, &sum) != ERR_OK;
    }
    taxed = taxed || mon_round(sum, INV_DECIMALS, &sum) != ERR_OK || sum.units != 0;
    if (!taxed || !stated)
        r->units = 0;
    return taxed;
}

struct str inv_code_exempt(struct inv_work *w, enum inv_doc doc, const char *what)
{
    if (w->s->tax_exempt.n == 0)
        inv_fail(w, doc, "tax-unmapped",
                 "[TaxCode exempt] is not mapped to an accounting tax: %s has no tax, and "
                 "mappings.taxes.exempt is not set.",
                 what);
    return w->s->tax_exempt;
}

/* By title, rate, country, default: the first that is mapped. A rate that is not stated is not one
 * of 0. */
static struct str code_tax(struct inv_work *w, enum inv_doc doc, struct str titles, struct rate r)
{
    const struct inv_settings *s = w->s;
    struct mon_text rate = mon_rate_text(r);
    struct str type = inv_find(&s->tax_by_title, titles, false);
    const char *by_rate = "; its rate is not stated";

    if (r.units != 0)
        by_rate = arena_printf(w->arena, " or the rate %s (mappings.taxes.by_rate)", rate.z);
    if (type.n == 0 && r.units != 0)
        type = inv_find(&s->tax_by_rate, str_of(rate.z), false);
    if (type.n == 0)
        type = inv_find(&s->tax_by_country, w->o->country, true);
    if (type.n == 0)
        type = s->tax_default;
    if (type.n == 0)
        inv_fail(w, doc, "tax-unmapped",
                 "[TaxCode %.*s] is not mapped to an accounting tax: map the title \"%.*s\" "
                 "(mappings.taxes.by_title)%s.",
                 STR_FMT(titles), STR_FMT(titles), by_rate);
    return type;
}

/* ---- accounts ---- */

/* A product's account: the most special mapping wins. */
static struct str product_account(const struct inv_settings *s, const struct ord_line *line)
{
    struct str account = inv_find(&s->account_by_sku, line->sku, false);

    if (account.n == 0)
        account = inv_find(&s->account_by_vendor, line->vendor, false);
    if (account.n == 0)
        account = inv_find(&s->account_by_product_type, line->product_type, false);
    return account;
}

/* What is income falls back to the default account. A sold gift card is owed to its holder: it
 * needs an account of its own. */
static struct str code_account(struct inv_work *w, enum inv_doc doc, const struct ord_line *line)
{
    const struct inv_settings *s = w->s;
    struct str account = {NULL, 0};

    switch (line->kind) {
    case ORD_PRODUCT:
        account = product_account(s, line);
        break;
    case ORD_SHIPPING:
        account = s->account_shipping;
        break;
    case ORD_TIP:
        account = s->account_tips;
        break;
    case ORD_DUTY:
        account = s->account_duties;
        break;
    case ORD_FEE:
        account = s->account_fees;
        break;
    case ORD_GIFT_CARD:
        if (s->account_gift_cards.n == 0)
            inv_fail(w, doc, "account-invalid",
                     "No account is mapped for sold gift cards, like \"%.*s\" "
                     "(mappings.accounts.gift_cards): a liability account.",
                     STR_FMT(inv_line_title(line)));
        return s->account_gift_cards;
    }
    if (account.n == 0)
        account = s->account_default;
    if (account.n == 0)
        inv_fail(w, doc, "account-invalid",
                 "No account is mapped for \"%.*s\" (mappings.accounts.default).",
                 STR_FMT(inv_line_title(line)));
    return account;
}

/* ---- both ---- */

static void fail_vat(struct inv_work *w, enum inv_doc doc)
{
    struct str country = w->o->country;
    const char *named = "a country that is not told: it takes the rate of \"*\"";

    if (country.n > 0)
        named = arena_printf(w->arena, "%.*s: it names neither \"%.*s\" nor \"*\"",
                             STR_FMT(country), STR_FMT(country));
    inv_fail(w, doc, "vat-rate-missing",
             "The prices may hold a VAT that the shop does not state, and settings.vat_rates has "
             "no rate for %s.",
             named);
}

void inv_code_line(struct inv_work *w, enum inv_doc doc, const struct ord_line *line,
                   struct inv_coding *out)
{
    struct str title = inv_line_title(line);
    const struct inv_line *written = line->id.n > 0 ? inv_written_line(w->known, line->id) : NULL;
    bool taxed = is_taxed(line, &out->rate);

    if (line->vat_unstated)
        fail_vat(w, doc);
    if (written && written->account.n > 0 && written->tax_type.n > 0) {
        *out = (struct inv_coding){
            .account = written->account, .tax_type = written->tax_type, .rate = out->rate};
        if (taxed)
            out->titles = joined_titles(line, w->arena);
        return;
    }
    *out = (struct inv_coding){.account = code_account(w, doc, line), .rate = out->rate};
    if (taxed) {
        out->titles = joined_titles(line, w->arena);
        out->tax_type = code_tax(w, doc, out->titles, out->rate);
    } else {
        out->tax_type = inv_code_exempt(w, doc, arena_printf(w->arena, "\"%.*s\"", STR_FMT(title)));
    }
}

static void find_largest(struct inv_work *w, enum inv_doc doc, struct inv_coding *out)
{
    const struct order *o = w->o;
    struct inv_coding *codings = arena_array(w->arena, o->line_count + 1, sizeof *codings);
    struct money *values = arena_array(w->arena, o->line_count + 1, sizeof *values);
    size_t n = 0, largest = 0;

    for (size_t i = 0; i < o->line_count; i++) {
        struct rate r;
        struct money value;
        size_t k = 0;

        if (!is_taxed(&o->lines[i], &r) ||
            mon_mul(o->lines[i].price, o->lines[i].quantity, &value) != ERR_OK ||
            mon_sub(value, o->lines[i].discount, &value) != ERR_OK)
            continue;
        inv_code_line(w, doc, &o->lines[i], &codings[n]);
        while (k < n && !(str_eq(codings[k].tax_type, codings[n].tax_type) &&
                          codings[k].rate.units == codings[n].rate.units))
            k++;
        n += k == n;
        if (mon_add(values[k], value, &values[k]) == ERR_OK)
            largest = mon_cmp(values[k], values[largest]) > 0 ? k : largest;
    }
    *out = (struct inv_coding){.account = w->s->account_default};
    if (n == 0) {
        out->tax_type = inv_code_exempt(w, doc, "a difference");
    } else {
        out->tax_type = codings[largest].tax_type;
        out->rate = codings[largest].rate;
    }
}

void inv_code_largest(struct inv_work *w, enum inv_doc doc, struct inv_coding *out)
{
    struct inv_coding *found = NULL;

    if (!w->largest) {
        found = arena_alloc(w->arena, sizeof *found);
        find_largest(w, doc, found);
        w->largest = found;
    }
    *out = *w->largest;
}
