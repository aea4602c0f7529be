/*
 * DESIGN: prices that may hold a VAT which the shop does not state get the one that the store's
 * settings name for the order's country, as if the shop had stated it. Nothing behind this step
 * knows the difference. What stands in Xero already keeps the VAT that it was written with: other
 * rates in the settings rewrite no books.
 */
#include "service/sync/invoice.h"

#include "service/sync/invoice_parts.h"

/* The rate of the order's country, else of all others. False: neither is named. */
static bool rate_of_country(const struct inv_work *w, struct rate *out)
{
    struct str rate = inv_find(&w->s->vat_rates, w->o->country, true);

    *out = (struct rate){0};
    if (rate.n == 0)
        rate = inv_find(&w->s->vat_rates, STR("*"), false);
    return mon_rate_parse(rate, out, NULL) == ERR_OK;
}

static bool is_any_unstated(const struct order *o)
{
    for (size_t i = 0; i < o->line_count; i++)
        if (o->lines[i].vat_unstated)
            return true;
    return false;
}

/* What Xero will make the whole line's amount. */
static enum err amount_of(const struct ord_line *line, struct money *out)
{
    struct inv_line sold = {.quantity = line->quantity, .unit = line->price};

    RETURN_IF(mon_round(line->discount, INV_DECIMALS, &sold.discount));
    return inv_line_amount(&sold, out);
}

/* States TAX of rate R on the line, as "VAT DE". */
static void state_tax(struct inv_work *w, struct ord_line *line, struct money tax, struct rate r)
{
    struct ord_tax *row = arena_array(w->arena, 1, sizeof *row);
    struct str country = w->o->country;

    *row = (struct ord_tax){.title = STR("VAT"), .rate = r, .amount = tax};
    if (country.n > 0)
        row->title = str_of(arena_printf(w->arena, "VAT %.*s", STR_FMT(country)));
    line->taxes = row;
    line->tax_count = tax.units != 0;
    line->vat_unstated = false;
}

/* States the VAT of LINE, if it is known: by what is written, else by RATE (NULL: there is none).
 */
static enum err state_line(struct inv_work *w, const struct rate *rate, struct ord_line *line,
                           const struct inv_line *written, struct money *total_tax)
{
    struct rate r = rate ? *rate : (struct rate){0};
    struct money amount, tax;

    RETURN_IF(amount_of(line, &amount));
    RETURN_IF(mon_tax_in(amount, r, INV_DECIMALS, &tax));
    if (written && written->amount.units == amount.units)
        tax = written->tax;
    else if (!rate)
        return ERR_OK;
    state_tax(w, line, tax, r);
    return mon_add(*total_tax, tax, total_tax);
}

enum err inv_state_vat(struct inv_work *w)
{
    const struct order *said = w->o;
    struct order *o;
    struct ord_line *lines;
    struct rate rate;
    bool known = rate_of_country(w, &rate);

    if (!is_any_unstated(said))
        return ERR_OK;
    o = arena_array(w->arena, 1, sizeof *o);
    lines = arena_array(w->arena, said->line_count, sizeof *lines);
    *o = *said;
    o->lines = lines;
    for (size_t i = 0; i < said->line_count; i++) {
        struct str key = inv_line_key(w, &said->lines[i]);

        lines[i] = said->lines[i];
        if (lines[i].vat_unstated)
            RETURN_IF(state_line(w, known ? &rate : NULL, &lines[i],
                                 inv_written_line(w->known, key), &o->total_tax));
    }
    w->o = o;
    return ERR_OK;
}
