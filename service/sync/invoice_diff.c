/*
 * DESIGN: what the documents should say, key by key, less what they say. Two documents can come of
 * it: A for the keys that went up, C for those that went down. Discounts and roundings are no
 * goods: they go with the goods, as lines of the other sign. Where the money of one side finds no
 * room (it was received before an edit took lines away, or counted against before it came), both
 * documents say the same more, which changes no account: what edits took away, as often as it
 * takes.
 */
#include "service/sync/invoice.h"

#include <stdlib.h>

#include "service/sync/invoice_books.h"

/* ---- keys ---- */

static struct inv_diff *diff_of(struct inv_diffs *d, const struct inv_line *line)
{
    for (size_t i = 0; i < d->count; i++) {
        struct inv_diff *row = &d->rows[(d->at + i) % d->count];

        if (str_eq(row->like->key, line->key)) {
            d->at = (d->at + i + 1) % d->count;
            return row;
        }
    }
    d->rows[d->count] = (struct inv_diff){.like = line,
                                          .amount = inv_zero(d->b),
                                          .tax = inv_zero(d->b),
                                          .more = inv_zero(d->b),
                                          .more_tax = inv_zero(d->b)};
    return &d->rows[d->count++];
}

static enum err count_lines(struct inv_diffs *d, const struct inv_line *lines, size_t count,
                            bool less)
{
    for (size_t i = 0; i < count; i++) {
        struct inv_diff *row = diff_of(d, &lines[i]);
        struct money amount = lines[i].amount, tax = lines[i].tax;

        RETURN_IF(inv_plus(&row->amount, less ? mon_neg(amount) : amount));
        RETURN_IF(inv_plus(&row->tax, less ? mon_neg(tax) : tax));
    }
    return ERR_OK;
}

static enum err count_more(struct inv_diffs *d, const struct inv_lines *lines, bool less)
{
    for (size_t i = 0; i < lines->count; i++) {
        struct inv_diff *row = diff_of(d, &lines->rows[i]);
        struct money amount = lines->rows[i].amount, tax = lines->rows[i].tax;

        RETURN_IF(inv_plus(&row->more, less ? mon_neg(amount) : amount));
        RETURN_IF(inv_plus(&row->more_tax, less ? mon_neg(tax) : tax));
    }
    return ERR_OK;
}

/* Every line that takes part, first as it is in Xero: the account and tax type written there hold.
 * Refunds take part only where nothing at all is to be left. */
static enum err count_documents(struct inv_diffs *d)
{
    struct inv_books *b = d->b;

    d->room = b->left.count + b->sold.count;
    for (size_t i = 0; i < b->entry_count; i++)
        d->room += b->entries[i].doc.line_count;
    d->rows = arena_array(b->w->arena, d->room + 1, sizeof *d->rows);
    for (size_t i = 0; i < b->entry_count; i++) {
        const struct inv_entry *e = &b->entries[i];

        if (inv_is_live(e) && (b->dropped || *e->doc.name.p != 'R'))
            RETURN_IF(count_lines(d, e->doc.lines, e->doc.line_count, !e->doc.credit));
    }
    return b->dropped ? ERR_OK : count_lines(d, b->left.rows, b->left.count, false);
}

bool inv_is_goods(struct str key)
{
    return !str_starts(key, STR("discount:")) && !str_eq(key, STR("rounding")) &&
           !str_eq(key, STR("cash-rounding"));
}

/* Xero takes no tax without an amount, none of the other sign, and none above its line. */
static bool can_stand(int64_t tax, int64_t amount)
{
    return tax == 0 || ((tax < 0) == (amount < 0) && llabs(tax) <= llabs(amount));
}

/* A row that can carry the tax of a row of the same tax type as well, on its account if there is
 * one; NULL: none. */
static struct inv_diff *carrier_of(struct inv_diffs *d, const struct inv_diff *bare)
{
    struct inv_diff *found = NULL;

    for (size_t i = 0; i < d->count; i++) {
        struct inv_diff *row = &d->rows[i];

        if (row == bare || row->amount.units == 0 ||
            !str_eq(row->like->tax_type, bare->like->tax_type) ||
            !can_stand(row->tax.units + bare->tax.units, row->amount.units))
            continue;
        if (str_eq(row->like->account, bare->like->account))
            return row;
        found = found ? found : row;
    }
    return found;
}

/* What no row of the tax type of ROW could carry is a problem, unless it is nothing in sum. A store
 * that never sends TaxAmount has such cents always, the share of what has shipped until all has,
 * and a currency with a third decimal, which Xero does not have, in its roundings. */
static enum err drop_bare_taxes(struct inv_diffs *d, const struct inv_diff *row)
{
    struct inv_books *b = d->b;
    struct str type = row->like->tax_type;
    struct money sum = inv_zero(b), limit = inv_zero(b);

    for (size_t i = 0; i < d->count; i++) {
        struct inv_diff *bare = &d->rows[i];

        if (can_stand(bare->tax.units, bare->amount.units) || !str_eq(bare->like->tax_type, type))
            continue;
        RETURN_IF(inv_plus(&sum, bare->tax));
        bare->tax = inv_zero(b);
    }
    if (mon_decimals(b->w->o->currency) > INV_DECIMALS)
        limit = inv_tolerance(b->w, d->count);
    if (mon_cmp(mon_abs(sum), limit) > 0 && !b->w->s->tax_amounts_never && !b->partial)
        inv_fail(b->w, INV_DOC_CREDIT_NOTE, "tax-does-not-reconcile",
                 "After %.*s was locked, the tax of %.*s alone changed by %s %s, and Xero takes no "
                 "tax without an amount.",
                 STR_FMT(b->entries[0].doc.number), STR_FMT(type), mon_text(sum).z,
                 b->w->o->currency);
    return ERR_OK;
}

/* A tax that cannot stand on its own row goes to another of its tax type, and may lie there. */
static enum err move_bare_taxes(struct inv_diffs *d)
{
    for (size_t i = 0; i < d->count; i++) {
        struct inv_diff *row = &d->rows[i], *carrier = NULL;

        if (can_stand(row->tax.units, row->amount.units))
            continue;
        carrier = carrier_of(d, row);
        if (!carrier) {
            RETURN_IF(drop_bare_taxes(d, row));
            continue;
        }
        RETURN_IF(inv_plus(&carrier->tax, row->tax));
        row->tax = inv_zero(d->b);
    }
    return ERR_OK;
}

/* Where nothing is to be left, only accounts and tax types count: a refund may call by another key
 * what the sale did, as shipping that was given back. */
static enum err offset_rows(struct inv_diffs *d)
{
    for (size_t i = 0; i < d->count; i++) {
        struct inv_diff *row = &d->rows[i];

        for (size_t k = 0; k < d->count && row->amount.units != 0; k++) {
            struct inv_diff *other = &d->rows[k];

            if (other->amount.units == 0 || (other->amount.units < 0) == (row->amount.units < 0) ||
                !str_eq(other->like->account, row->like->account) ||
                !str_eq(other->like->tax_type, row->like->tax_type))
                continue;
            RETURN_IF(inv_plus(&row->amount, other->amount));
            RETURN_IF(inv_plus(&row->tax, other->tax));
            other->amount = other->tax = inv_zero(d->b);
        }
    }
    return ERR_OK;
}

static void take_sides(struct inv_diffs *d)
{
    bool up = false, down = false;

    for (size_t i = 0; i < d->count; i++) {
        struct inv_diff *row = &d->rows[i];

        row->side = (row->amount.units > 0) - (row->amount.units < 0);
        up = up || (row->side > 0 && inv_is_goods(row->like->key));
        down = down || (row->side < 0 && inv_is_goods(row->like->key));
    }
    for (size_t i = 0; i < d->count && (up || down); i++)
        if (d->rows[i].side != 0 && !inv_is_goods(d->rows[i].like->key))
            d->rows[i].side = down ? -1 : 1;
}

/* What the rows of a side come to, as a document's total; SIDE 0: all rows, as an invoice's. */
static enum err sum_side(const struct inv_diffs *d, int side, struct money *out)
{
    *out = inv_zero(d->b);
    for (size_t i = 0; i < d->count; i++) {
        const struct inv_diff *row = &d->rows[i];

        if (side != 0 && row->side != side)
            continue;
        RETURN_IF(inv_plus(out, row->amount));
        if (!d->b->head.inclusive)
            RETURN_IF(inv_plus(out, row->tax));
    }
    if (side < 0)
        *out = mon_neg(*out);
    return ERR_OK;
}

/* No document's total may be negative. If one would be, all differences go into one; so they do
 * where nothing is to be left. */
static enum err join_sides(struct inv_diffs *d, struct money *up, struct money *down)
{
    struct money all;
    int side;

    RETURN_IF(sum_side(d, 1, up));
    RETURN_IF(sum_side(d, -1, down));
    if (up->units >= 0 && down->units >= 0 && !d->b->dropped)
        return ERR_OK;
    RETURN_IF(sum_side(d, 0, &all));
    side = all.units > 0 ? 1 : -1;
    for (size_t i = 0; i < d->count; i++)
        if (d->rows[i].side != 0)
            d->rows[i].side = side;
    RETURN_IF(sum_side(d, 1, up));
    return sum_side(d, -1, down);
}

/* ---- room for the money ---- */

/* What all documents of one side come to, less what of them counts against the other side. */
static enum err room_of(const struct inv_books *b, bool credit, struct money *out)
{
    const struct inv_known *k = b->w->known;

    *out = inv_zero(b);
    for (size_t i = 0; i < b->entry_count; i++)
        if (inv_is_live(&b->entries[i]) && b->entries[i].doc.credit == credit)
            RETURN_IF(inv_plus(out, b->entries[i].doc.total));
    for (size_t i = 0; i < k->allocation_count; i++)
        RETURN_IF(inv_less(out, k->allocations[i].amount));
    return ERR_OK;
}

/* What the credit notes have to give back: all that was given back, but what was paid beyond all
 * that was ever sold and so stands on no document. */
static enum err money_back(const struct inv_books *b, struct money *out)
{
    struct money excess = inv_zero(b), beyond;

    *out = inv_zero(b);
    for (size_t i = 0; i < b->back_count; i++) {
        if (b->backs[i].refused)
            continue;
        RETURN_IF(inv_plus(out, b->backs[i].money));
        if (b->backs[i].excess.units > 0)
            RETURN_IF(inv_plus(&excess, b->backs[i].excess));
    }
    RETURN_IF(mon_sub(b->received, b->payable, &beyond));
    return inv_less(out, inv_least(excess, beyond));
}

/* Raises both sides where the money needs more room than UP and DOWN leave it. */
static enum err make_room(struct inv_diffs *d, struct money up, struct money down)
{
    struct inv_books *b = d->b;
    struct money in, out, back, lack, quantum = inv_zero(b);
    int64_t times;

    RETURN_IF(room_of(b, false, &in));
    RETURN_IF(inv_plus(&in, up));
    RETURN_IF(mon_sub(b->payable, in, &lack));
    RETURN_IF(room_of(b, true, &out));
    RETURN_IF(inv_plus(&out, down));
    RETURN_IF(money_back(b, &back));
    RETURN_IF(mon_sub(back, out, &back));
    lack = inv_most(lack, back);
    if (lack.units <= 0)
        return ERR_OK;
    RETURN_IF(mon_sub(b->sold.total, b->left.total, &quantum));
    RETURN_IF(count_more(d, &b->sold, false));
    if (quantum.units > 0)
        RETURN_IF(count_more(d, &b->left, true));
    else
        quantum = b->sold.total;
    times = quantum.units > 0 ? 1 + (lack.units - 1) / quantum.units : 0;
    for (size_t i = 0; i < d->count; i++) {
        RETURN_IF(mon_mul(d->rows[i].more, times, &d->rows[i].more));
        RETURN_IF(mon_mul(d->rows[i].more_tax, times, &d->rows[i].more_tax));
    }
    return ERR_OK;
}

/* ---- the whole ---- */

/* Nothing is left to the shop, but somebody else paid on a document, or out of one: what is to
 * become of that money, a person has to say. */
static bool is_foreign(struct inv_diffs *d)
{
    struct inv_books *b = d->b;
    bool lacks = false;

    for (size_t i = 0; i < d->count; i++)
        lacks = lacks || d->rows[i].side != 0;
    for (size_t i = 0; i < b->entry_count && b->dropped && lacks; i++) {
        const struct inv_known_doc *k = b->entries[i].known;

        if (!k || k->foreign.units <= 0)
            continue;
        inv_fail(b->w, INV_DOC_CREDIT_NOTE, "paid-by-others",
                 "The order is cancelled, and on %.*s in Xero stand %s %s that were not entered "
                 "from here.",
                 STR_FMT(k->number), mon_text(k->foreign).z, b->w->o->currency);
        return true;
    }
    return false;
}

/* All that was recorded as paid has been given back. Of a currency with a third decimal, which Xero
 * does not have, each sum of money may be half a cent off. */
static bool is_covered(const struct inv_books *b)
{
    const int64_t cent = MON_SCALE / 100;
    struct money paid = inv_zero(b), back = inv_zero(b);
    const struct inv_known *k = b->w->known;
    enum err e = ERR_OK;

    for (size_t i = 0; i < k->payment_count && e == ERR_OK; i++) {
        const struct inv_known_doc *doc = inv_known_doc(k, k->payments[i].doc);

        if (doc && !doc->credit && !doc->gone)
            e = inv_plus(&paid, k->payments[i].amount);
    }
    for (size_t i = 0; i < b->back_count && e == ERR_OK; i++)
        e = inv_plus(&back, b->backs[i].money);
    if (mon_minor(b->w->o->currency).units < cent)
        back.units += cent * (int64_t)(k->payment_count + b->back_count);
    return e == ERR_OK && mon_cmp(back, paid) >= 0;
}

/* The lines of a document are not recorded, so what would be left of it cannot be taken off: a
 * problem, unless the documents' totals leave nothing. */
static enum err check_unknown(struct inv_books *b, bool *unknown)
{
    const struct inv_known_doc *of = NULL;
    struct money sum = inv_zero(b);

    for (size_t i = 0; i < b->entry_count; i++) {
        const struct inv_entry *e = &b->entries[i];

        if (!inv_is_live(e))
            continue;
        RETURN_IF(e->doc.credit ? inv_less(&sum, e->doc.total) : inv_plus(&sum, e->doc.total));
        of = e->known && !e->known->has_lines ? e->known : of;
    }
    *unknown = of != NULL;
    if (of && sum.units != 0)
        inv_fail(b->w, INV_DOC_CREDIT_NOTE, "lines-unknown",
                 "The order is cancelled, and its documents in Xero still come to %s %s; the lines "
                 "of %.*s were not recorded.",
                 mon_text(sum).z, b->w->o->currency, STR_FMT(of->number));
    return ERR_OK;
}

/* Prices that include tax cannot be taken from others that do not: a problem. */
static bool is_other_kind(struct inv_books *b)
{
    for (size_t i = 0; i < b->entry_count; i++) {
        const struct inv_document *doc = &b->entries[i].doc;

        if (!b->entries[i].known || !inv_is_live(&b->entries[i]) || doc->total_tax.units == 0 ||
            doc->inclusive == b->head.inclusive)
            continue;
        inv_fail(b->w, INV_DOC_INVOICE, "prices-changed-kind",
                 "%.*s was written with prices %s tax, and the order's prices are now %s: what "
                 "changed between them cannot be told.",
                 STR_FMT(doc->number), doc->inclusive ? "that include" : "without",
                 b->head.inclusive ? "with tax" : "without it");
        return true;
    }
    return false;
}

enum err inv_make_differences(struct inv_books *b)
{
    struct inv_diffs d = {.b = b};
    struct money up = inv_zero(b), down = inv_zero(b);
    bool lacks = false, unknown = false;

    if (!b->has_sale)
        return ERR_OK;
    if (b->dropped && is_covered(b))
        RETURN_IF(check_unknown(b, &unknown));
    if (unknown)
        return ERR_OK;
    RETURN_IF(count_documents(&d));
    if ((b->frozen && !b->dropped) || (b->dropped && !is_covered(b)))
        for (size_t i = 0; i < d.count; i++)
            d.rows[i].amount = d.rows[i].tax = inv_zero(b);
    if (b->dropped)
        RETURN_IF(offset_rows(&d));
    RETURN_IF(move_bare_taxes(&d));
    take_sides(&d);
    if (is_foreign(&d))
        return ERR_OK;
    RETURN_IF(join_sides(&d, &up, &down));
    if (!b->partial && b->w->s->status == INV_AUTHORISED)
        RETURN_IF(make_room(&d, up, down));
    for (size_t i = 0; i < d.count; i++)
        lacks = lacks || d.rows[i].side != 0 || d.rows[i].more.units != 0;
    if (!lacks || (b->entries[0].known && inv_is_changed(b)) || is_other_kind(b))
        return ERR_OK;
    return inv_make_later(&d);
}
