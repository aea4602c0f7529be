/*
 * DESIGN: what an edit changed after the documents were locked, as lines of an A and a C. They
 * carry differences of computed amounts, so that the sums are exact; TaxAmount is sent where Xero's
 * own would be another.
 */
#include "service/sync/invoice.h"

#include "service/sync/invoice_books.h"

bool inv_set_quantity(struct inv_line *line, int64_t n, struct money amount)
{
    bool exact = n > 0 && amount.units % n == 0;

    line->quantity = exact ? n : 1;
    line->unit = amount;
    if (exact)
        line->unit.units /= n;
    return exact;
}

/* The line of the order as it was sold: its price and what it is called. */
static const struct inv_line *sold_line(const struct inv_books *b, struct str key)
{
    for (size_t i = 0; i < b->sold.count; i++)
        if (str_eq(b->sold.rows[i].key, key))
            return &b->sold.rows[i];
    for (size_t i = 0; i < b->left.count; i++)
        if (str_eq(b->left.rows[i].key, key))
            return &b->left.rows[i];
    return NULL;
}

/* The rate that Xero's tax type of a line is taken to charge. False: not known. */
static bool rate_of(struct inv_books *b, enum inv_doc kind, const struct inv_line *like,
                    struct rate *out)
{
    const struct ord_line *line = inv_order_line(b->w->o, like->key);
    struct inv_coding coding;
    struct str key = like->key, text = key;

    *out = (struct rate){0};
    if (line) {
        inv_code_line(b->w, kind, line, &coding);
        *out = coding.rate;
        return out->units != 0 || like->tax.units == 0;
    }
    if (!str_starts(key, STR("discount:")) || str_eq(key, STR("discount:exempt")))
        return !inv_is_goods(key); /* exempt, as roundings are */
    (void)str_split(&text, ':');
    text = str_split(&text, ' '); /* "discount:0.2 VAT"; 0 where the shop does not state it */
    return mon_rate_parse(text, out, NULL) == ERR_OK && out->units != 0;
}

/* One line of AMOUNT and TAX on the account and tax type of ROW. */
static enum err write_diff(struct inv_books *b, enum inv_doc kind, const struct inv_diff *row,
                           struct money amount, struct money tax, struct inv_line *out)
{
    const struct inv_line *sold = sold_line(b, row->like->key);
    const struct ord_line *line = inv_order_line(b->w->o, row->like->key);
    struct rate rate;
    int64_t n = 1;

    *out = (struct inv_line){.key = row->like->key,
                             .account = row->like->account,
                             .tax_type = row->like->tax_type,
                             .discount = inv_zero(b),
                             .description = STR("Difference")};
    if (sold)
        out->description = sold->description;
    else if (line)
        out->description = inv_line_title(line);
    /* As many as were sold at their price, where that is what the amount is. */
    if (sold && sold->unit.units > 0 && amount.units % sold->unit.units == 0)
        n = amount.units / sold->unit.units;
    (void)inv_set_quantity(out, n, amount);
    if (rate_of(b, kind, row->like, &rate)) {
        RETURN_IF(inv_finish_line(b->w, kind, out, rate, tax));
    } else {
        out->amount = amount;
        out->tax = tax;
        out->send_tax = true;
    }
    if (out->tax.units != tax.units)
        inv_fail(b->w, kind, "tax-does-not-reconcile",
                 "The tax of \"%.*s\" has to be %s on a line of %s, which is not what Xero "
                 "computes, and this store never sends tax amounts (settings.tax_amounts).",
                 STR_FMT(out->description), mon_text(tax).z, mon_text(amount).z);
    return ERR_OK;
}

/* "A3": after the last of its letter, gone ones too. */
static struct str next_name(struct inv_books *b, char letter)
{
    const struct inv_known *k = b->w->known;
    int64_t last = 0, n;

    for (size_t i = 0; i < k->doc_count; i++) {
        struct str name = k->docs[i].name;

        if (name.n > 1 && *name.p == letter &&
            str_int64((struct str){name.p + 1, name.n - 1}, &n) && n > last)
            last = n;
    }
    return str_of(arena_printf(b->w->arena, "%c%lld", letter, (long long)last + 1));
}

/* The last document of the letter was voided by a person: what it said is not said again without
 * being asked for. */
static bool is_letter_withheld(struct inv_books *b, enum inv_doc kind, char letter)
{
    struct str next = next_name(b, letter);
    const struct inv_known *k = b->w->known;
    int64_t n, last;

    if (!str_int64((struct str){next.p + 1, next.n - 1}, &last))
        return false;
    for (size_t i = 0; i < k->doc_count; i++) {
        struct str name = k->docs[i].name;

        if (name.n > 1 && *name.p == letter &&
            str_int64((struct str){name.p + 1, name.n - 1}, &n) && n == last - 1)
            return inv_is_withheld(b, kind, name);
    }
    return false;
}

static void change_day(const struct inv_books *b, char out[11])
{
    const struct order *o = b->w->o;

    if (o->state.cancelled && o->cancelled_day[0])
        memcpy(out, o->cancelled_day, 11);
    else if (!ord_day(str_of(o->updated_at), out))
        memcpy(out, b->entries[0].doc.date, 11);
}

/* The lines of one side's document; 0: it needs none. */
static enum err write_side(struct inv_diffs *d, int side, struct inv_line **lines, size_t *count)
{
    struct inv_books *b = d->b;
    enum inv_doc kind = side > 0 ? INV_DOC_INVOICE : INV_DOC_CREDIT_NOTE;

    *lines = arena_array(b->w->arena, d->count + 1, sizeof **lines);
    *count = 0;
    for (size_t i = 0; i < d->count; i++) {
        const struct inv_diff *row = &d->rows[i];
        struct money amount = row->more, tax = row->more_tax;

        if (row->side == side) {
            RETURN_IF(inv_plus(&amount, side > 0 ? row->amount : mon_neg(row->amount)));
            RETURN_IF(inv_plus(&tax, side > 0 ? row->tax : mon_neg(row->tax)));
        }
        if (amount.units != 0 || tax.units != 0)
            RETURN_IF(write_diff(b, kind, row, amount, tax, &(*lines)[(*count)++]));
    }
    if (*count > 0)
        (void)is_letter_withheld(b, kind, side > 0 ? 'A' : 'C');
    return ERR_OK;
}

enum err inv_make_later(struct inv_diffs *d)
{
    struct inv_books *b = d->b;
    size_t before = b->w->problem_count, n_up = 0, n_down = 0;
    struct inv_line *up = NULL, *down = NULL;
    char day[11];

    RETURN_IF(write_side(d, 1, &up, &n_up));
    RETURN_IF(write_side(d, -1, &down, &n_down));
    if (b->w->problem_count > before)
        return ERR_OK;
    change_day(b, day);
    if (n_up > 0)
        RETURN_IF(inv_set_lines(b, inv_add_entry(b, next_name(b, 'A'), false, day), up, n_up));
    if (n_down > 0)
        RETURN_IF(inv_set_lines(b, inv_add_entry(b, next_name(b, 'C'), true, day), down, n_down));
    return ERR_OK;
}
