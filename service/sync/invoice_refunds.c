/*
 * DESIGN: the credit note of a refund record says its lines, adjustments, duties and fees on the
 * accounts and tax types of what they take back. What its money says beyond that is no line of it.
 */
#include "service/sync/invoice.h"

#include "service/sync/invoice_books.h"

/* The lines of one note as they come. */
struct note {
    struct inv_books *b;
    struct inv_line *lines;
    size_t count;
};

/* A line of AMOUNT, tax included where the order's is, for N things; on its account and tax type as
 * written, if it was. Its key is made the note's own. Nothing for nothing. */
static enum err add_line(struct note *note, struct str key, int64_t n, struct str what,
                         const struct inv_coding *coding, struct money amount, struct money tax)
{
    struct inv_work *w = note->b->w;
    struct inv_line *line = &note->lines[note->count];
    const struct inv_line *written = inv_written_line(w->known, key);

    RETURN_IF(mon_round(amount, INV_DECIMALS, &amount));
    RETURN_IF(mon_round(tax, INV_DECIMALS, &tax));
    if (amount.units == 0 && tax.units == 0)
        return ERR_OK;
    *line = (struct inv_line){.key = key,
                              .description = what,
                              .discount = inv_zero(note->b),
                              .account = coding->account,
                              .tax_type = coding->tax_type};
    if (written && written->account.n > 0 && written->tax_type.n > 0) {
        line->account = written->account;
        line->tax_type = written->tax_type;
    }
    for (size_t i = 0; i < note->count; i++)
        if (str_eq(note->lines[i].key, key))
            line->key = str_of(arena_printf(w->arena, "%.*s:%zu", STR_FMT(key), note->count + 1));
    if (!inv_set_quantity(line, n, amount) && n > 1)
        line->description =
            str_of(arena_printf(w->arena, "%lld x %.*s", (long long)n, STR_FMT(what)));
    note->count++;
    return inv_finish_line(w, INV_DOC_CREDIT_NOTE, line, coding->rate, tax);
}

static enum err add_lines(struct note *note, const struct ord_refund *r)
{
    struct inv_work *w = note->b->w;
    struct inv_coding coding;

    for (size_t i = 0; i < r->line_count; i++) {
        const struct ord_refund_line *line = &r->lines[i];
        const struct ord_line *of = inv_order_line(w->o, line->line_id);
        struct str key = of ? inv_line_key(w, of) : line->line_id;
        struct str what = of ? inv_line_title(of) : STR("Item");

        if (of)
            inv_code_line(w, INV_DOC_CREDIT_NOTE, of, &coding);
        else
            inv_code_largest(w, INV_DOC_CREDIT_NOTE, &coding);
        RETURN_IF(add_line(note, key, line->quantity, what, &coding, line->subtotal, line->tax));
    }
    return ERR_OK;
}

/* The first line of a kind: its account and tax type are those of what has no line of its own. */
static const struct ord_line *first_of(const struct order *o, enum ord_line_kind kind)
{
    for (size_t i = 0; i < o->line_count; i++)
        if (o->lines[i].kind == kind)
            return &o->lines[i];
    return NULL;
}

/* The coding of what was given back of a KIND, with tax or without. */
static void code_kind(struct note *note, enum ord_line_kind kind, bool taxed,
                      struct inv_coding *out)
{
    struct inv_work *w = note->b->w;
    const struct ord_line *line = first_of(w->o, kind);
    const struct ord_line none = {.kind = kind, .title = STR("Refund")};
    struct inv_coding largest;

    inv_code_line(w, INV_DOC_CREDIT_NOTE, line ? line : &none, out);
    if (taxed && out->rate.units == 0) {
        inv_code_largest(w, INV_DOC_CREDIT_NOTE, &largest);
        out->tax_type = largest.tax_type;
        out->rate = largest.rate;
    } else if (!taxed && out->rate.units != 0) {
        out->tax_type = inv_code_exempt(w, INV_DOC_CREDIT_NOTE, "what was given back");
        out->rate.units = 0;
    }
}

static enum err add_adjustments(struct note *note, const struct ord_refund *r)
{
    struct inv_work *w = note->b->w;
    struct inv_coding coding;

    for (size_t i = 0; i < r->adjustment_count; i++) {
        const struct ord_adjustment *a = &r->adjustments[i];
        bool shipping = a->kind == ORD_ADJUST_SHIPPING;
        struct money amount = mon_neg(a->amount), tax = mon_neg(a->tax);
        struct str key;

        if (w->o->taxes_included)
            RETURN_IF(inv_plus(&amount, tax));
        if (shipping) {
            code_kind(note, ORD_SHIPPING, tax.units != 0, &coding);
        } else {
            inv_code_largest(w, INV_DOC_CREDIT_NOTE, &coding);
            if (tax.units == 0) {
                coding.tax_type = inv_code_exempt(w, INV_DOC_CREDIT_NOTE, "a difference");
                coding.rate.units = 0;
            }
        }
        /* With tax and without are two things: all that has one key is of one tax type. */
        if (shipping)
            key = tax.units != 0 ? STR("shipping-refund") : STR("shipping-refund-untaxed");
        else
            key = tax.units != 0 ? STR("difference") : STR("difference-untaxed");
        RETURN_IF(add_line(note, key, 1, shipping ? STR("Shipping") : STR("Refund difference"),
                           &coding, amount, tax));
    }
    return ERR_OK;
}

/* Duties or fees, told with the tax that is in them. */
static enum err add_sum(struct note *note, enum ord_line_kind kind, struct money sum)
{
    struct inv_work *w = note->b->w;
    const struct ord_line *line = first_of(w->o, kind);
    bool duties = kind == ORD_DUTY;
    struct inv_coding coding;
    struct money tax, amount;

    if (sum.units == 0)
        return ERR_OK;
    code_kind(note, kind, line && line->tax_count > 0, &coding);
    RETURN_IF(mon_round(sum, INV_DECIMALS, &amount));
    RETURN_IF(mon_tax_in(amount, coding.rate, INV_DECIMALS, &tax));
    if (!w->o->taxes_included)
        RETURN_IF(inv_less(&amount, tax));
    return add_line(note, duties ? STR("duties") : STR("fees"), 1,
                    duties ? STR("Duties") : STR("Fees"), &coding, amount, tax);
}

/* A difference of roundings on its own line. */
static enum err add_rounding(struct note *note, struct money rest)
{
    struct inv_work *w = note->b->w;
    struct inv_coding coding = {.account = w->s->account_rounding};

    if (rest.units == 0)
        return ERR_OK;
    if (coding.account.n == 0)
        inv_fail(w, INV_DOC_CREDIT_NOTE, "account-invalid",
                 "The refund differs from its lines by %s %s, and no account is mapped for "
                 "rounding (mappings.accounts.rounding).",
                 mon_text(rest).z, w->o->currency);
    coding.tax_type = inv_code_exempt(w, INV_DOC_CREDIT_NOTE, "the rounding line");
    return add_line(note, STR("rounding"), 1, STR("Rounding"), &coding, rest, inv_zero(note->b));
}

/* The lines of a note that comes to VALUE. */
static enum err write_note(struct note *note, struct inv_back *back, struct money value)
{
    struct inv_books *b = note->b;
    const struct ord_refund *r = back->refund;
    struct money sum = inv_zero(b), rest;

    note->lines =
        arena_array(b->w->arena, r->line_count + r->adjustment_count + 4, sizeof *note->lines);
    RETURN_IF(add_lines(note, r));
    RETURN_IF(add_adjustments(note, r));
    RETURN_IF(add_sum(note, ORD_DUTY, r->duties));
    RETURN_IF(add_sum(note, ORD_FEE, r->fees));
    for (size_t i = 0; i < note->count; i++) {
        RETURN_IF(inv_plus(&sum, note->lines[i].amount));
        if (!b->w->o->taxes_included)
            RETURN_IF(inv_plus(&sum, note->lines[i].tax));
    }
    RETURN_IF(mon_sub(value, sum, &rest));
    if (mon_cmp(mon_abs(rest), inv_tolerance(b->w, inv_back_size(r))) > 0)
        return inv_refuse_back(b, back);
    return add_rounding(note, rest);
}

static enum err make_note(struct inv_books *b, struct inv_back *back)
{
    struct note note = {.b = b};
    struct money value = back->excess.units == 0 ? back->money : back->docs;
    struct str name = str_of(arena_printf(b->w->arena, "R%.*s", STR_FMT(back->refund->id)));
    size_t before = b->w->problem_count;
    const char *day = back->refund->day;

    if (back->note || back->refused || value.units <= 0)
        return ERR_OK;
    RETURN_IF(write_note(&note, back, value));
    back->refused = b->w->problem_count > before || inv_is_withheld(b, INV_DOC_CREDIT_NOTE, name);
    if (back->refused || note.count == 0)
        return ERR_OK;
    back->note = inv_add_entry(b, name, true, day[0] ? day : b->entries[0].doc.date);
    return inv_set_lines(b, back->note, note.lines, note.count);
}

enum err inv_make_refunds(struct inv_books *b)
{
    for (size_t i = 0; i < b->back_count && b->has_sale && !b->partial; i++)
        RETURN_IF(make_note(b, &b->backs[i]));
    return ERR_OK;
}
