/*
 * DESIGN: a refund record with money says two things: what was taken back (lines, adjustments,
 * duties, fees) and what was given back. They are the same, or the difference has a reason in the
 * order's money: the buyer had paid for what an edit then took away, or had not paid all. Any other
 * difference is a problem that names every term.
 */
#include "service/sync/invoice.h"

#include "service/sync/invoice_books.h"

/* ---- what records say ---- */

/* The terms of a record, for the sum and for the sentence that says they do not add up. */
struct terms {
    struct money lines, tax, adjustments;
};

/* What was taken back, positive. Adjustments are negative where they give something back. */
static enum err add_terms(struct inv_books *b, struct inv_back *back, struct terms *t)
{
    const struct ord_refund *r = back->refund;

    *t = (struct terms){inv_zero(b), inv_zero(b), inv_zero(b)};
    for (size_t i = 0; i < r->line_count; i++) {
        RETURN_IF(inv_plus(&t->lines, r->lines[i].subtotal));
        if (!b->w->o->taxes_included)
            RETURN_IF(inv_plus(&t->tax, r->lines[i].tax));
    }
    for (size_t i = 0; i < r->adjustment_count; i++) {
        RETURN_IF(inv_less(&t->adjustments, r->adjustments[i].amount));
        RETURN_IF(inv_less(&t->adjustments, r->adjustments[i].tax));
    }
    RETURN_IF(mon_add(t->lines, t->tax, &back->docs));
    RETURN_IF(inv_plus(&back->docs, t->adjustments));
    if (r->duties.units != 0)
        RETURN_IF(inv_plus(&back->docs, r->duties));
    if (r->fees.units != 0)
        RETURN_IF(inv_plus(&back->docs, r->fees));
    return mon_round(back->docs, INV_DECIMALS, &back->docs);
}

/* How far sums may be apart. Where the shop counts in a third decimal, which Xero does not have,
 * each line and its tax may be half a cent off as well. */
static struct money tolerance(const struct inv_books *b, size_t lines)
{
    struct money m = mon_minor(b->w->o->currency);
    const int64_t cent = MON_SCALE / 100;

    if (m.units < cent)
        m.units = cent * (b->w->s->rounding_limit + (int64_t)lines + 1);
    else
        m.units *= b->w->s->rounding_limit;
    return m;
}

static size_t line_count(const struct ord_refund *r)
{
    return r->line_count + r->adjustment_count;
}

static struct inv_entry *known_note(struct inv_books *b, const struct ord_refund *r)
{
    for (size_t i = 1; i < b->entry_count; i++) {
        struct str name = b->entries[i].doc.name;

        if (*name.p == 'R' && str_eq((struct str){name.p + 1, name.n - 1}, r->id))
            return &b->entries[i];
    }
    return NULL;
}

/* The record came before the order that has all its lines: what they are is not known yet. */
static bool is_early(const struct inv_books *b, const struct ord_refund *r)
{
    for (size_t i = 0; i < r->line_count && r->apart; i++)
        if (!inv_order_line(b->w->o, r->lines[i].line_id))
            return true;
    return false;
}

static enum err read_back(struct inv_books *b, struct inv_back *back)
{
    struct terms t;

    back->note = known_note(b, back->refund);
    back->refused = is_early(b, back->refund);
    RETURN_IF(add_terms(b, back, &t));
    RETURN_IF(mon_round(back->refund->amount, INV_DECIMALS, &back->money));
    if (back->refund->other_currency)
        back->money = back->docs;
    RETURN_IF(mon_sub(back->money, back->docs, &back->excess));
    if (mon_cmp(mon_abs(back->excess), tolerance(b, line_count(back->refund))) <= 0)
        back->excess = inv_zero(b);
    return ERR_OK;
}

/* ---- what was received ---- */

/* Sums over records. */
struct sums {
    struct money docs, money;
    struct money over; /* of the excesses above 0 */
};

/* APART: of those, too, that came by their own message. The order's figures may be older. */
static enum err sum_backs(struct inv_books *b, bool apart, struct sums *s)
{
    *s = (struct sums){inv_zero(b), inv_zero(b), inv_zero(b)};
    for (size_t i = 0; i < b->back_count; i++) {
        const struct inv_back *back = &b->backs[i];

        if (back->refund->apart && !apart)
            continue;
        RETURN_IF(inv_plus(&s->docs, back->docs));
        RETURN_IF(inv_plus(&s->money, back->money));
        if (back->excess.units > 0)
            RETURN_IF(inv_plus(&s->over, back->excess));
    }
    return ERR_OK;
}

/* What the shop's own balance says is left of the order: S less what was taken back. */
static enum err settled_total(const struct inv_books *b, const struct sums *s, struct money *out)
{
    return mon_sub(b->left.total, s->docs, out);
}

/* Whether what the shop says is outstanding can be relied on. Of a paid order it may be just the
 * total, or not told at all; then it has to agree with what is left of the order. */
static enum err trusts_balance(const struct inv_books *b, const struct sums *s, bool *out)
{
    const struct order *o = b->w->o;
    struct money gap;

    *out = o->state.paid == ORD_PARTLY_PAID || o->outstanding.units < 0 ||
           (s->money.units > 0 && o->outstanding.units > 0 &&
            mon_cmp(o->outstanding, o->current_total) < 0);
    if (*out || o->outstanding.units != 0)
        return ERR_OK;
    RETURN_IF(settled_total(b, s, &gap));
    RETURN_IF(inv_less(&gap, o->current_total));
    *out = mon_cmp(mon_abs(gap), tolerance(b, o->line_count)) <= 0;
    return ERR_OK;
}

/* What the shop's state says was received. Where nothing is kept, that is what was given back. What
 * is left and not outstanding has been paid, with what was given back of it; where the balance
 * cannot be relied on, the word "paid" says that all of it was, and what was given back of what
 * edits took away. */
static enum err received_by_state(struct inv_books *b, const struct sums *s)
{
    const struct order *o = b->w->o;
    struct money *out = &b->by_state, removed;
    bool trusted;

    *out = inv_zero(b);
    RETURN_IF(trusts_balance(b, s, &trusted));
    if (b->dropped || (s->money.units > 0 && !o->state.kept)) {
        *out = s->money;
    } else if (o->state.paid == ORD_UNPAID) {
        return ERR_OK;
    } else if (trusted && o->outstanding.units == 0) {
        RETURN_IF(settled_total(b, s, out));
        RETURN_IF(inv_plus(out, s->money));
    } else if (trusted) {
        RETURN_IF(mon_sub(o->current_total, o->outstanding, out));
        RETURN_IF(inv_plus(out, s->money));
    } else {
        RETURN_IF(mon_sub(b->sold.total, b->left.total, &removed));
        RETURN_IF(mon_add(b->left.total, inv_least(s->over, removed), out));
    }
    return mon_round(*out, INV_DECIMALS, out);
}

static enum err count_received(struct inv_books *b, const struct sums *s)
{
    const struct order *o = b->w->o;
    struct money by_transactions = inv_zero(b);

    for (size_t i = 0; i < o->payment_count && !b->dropped; i++)
        if (strcmp(o->payments[i].amount.currency, o->currency) == 0)
            RETURN_IF(inv_plus(&by_transactions, o->payments[i].amount));
    RETURN_IF(mon_round(by_transactions, INV_DECIMALS, &by_transactions));
    RETURN_IF(received_by_state(b, s));
    b->received = inv_most(b->by_state, by_transactions);
    b->payable = b->dropped ? b->received : inv_least(b->received, b->sold.total);
    return ERR_OK;
}

/* ---- which records the money bears out ---- */

static enum err refuse(struct inv_books *b, struct inv_back *back)
{
    const struct ord_refund *r = back->refund;
    const char *currency = b->w->o->currency;
    struct terms t;

    back->refused = true;
    RETURN_IF(add_terms(b, back, &t));
    inv_fail(b->w, INV_DOC_CREDIT_NOTE, "refund-does-not-reconcile",
             "Refund %.*s%s%s gave back %s %s, but what it took back comes to %s: lines %s, tax "
             "%s%s, adjustments %s, duties %s, fees %s. The order comes to %s, and %s was "
             "received.",
             STR_FMT(r->id), r->day[0] ? " of " : "", r->day, mon_text(back->money).z, currency,
             mon_text(back->docs).z, mon_text(t.lines).z, mon_text(t.tax).z,
             b->w->o->taxes_included ? " (included)" : "", mon_text(t.adjustments).z,
             mon_text(r->duties).z, mon_text(r->fees).z, mon_text(b->left.total).z,
             mon_text(b->received).z);
    return ERR_OK;
}

/* Money back is recorded already, or its note is written: the record stands. */
static bool stands(const struct inv_books *b, const struct inv_back *back)
{
    const struct inv_known *k = b->w->known;

    for (size_t i = 0; i < back->refund->transaction_count; i++)
        for (size_t n = 0; n < k->payment_count; n++)
            if (inv_has_base(k->payments[n].mark, back->refund->transactions[i].id))
                return true;
    return back->note || b->dropped;
}

/* How far money may be more (OVER) or less (UNDER) than what was taken back: more by what the buyer
 * had paid too much, or by what edits took away, for it may have been charged anew since; less by
 * what was not paid. Where the shop's balance ties with the money received, that is of all that was
 * ever sold; else of what is left, and what was too much pays for nothing. */
static enum err excess_rooms(struct inv_books *b, const struct sums *s, struct money *over,
                             struct money *under)
{
    struct money gap, removed;

    RETURN_IF(mon_sub(b->received, b->left.total, over));
    RETURN_IF(mon_sub(s->over, *over, under));
    RETURN_IF(mon_sub(b->sold.total, b->left.total, &removed));
    *over = inv_most(*over, removed);
    RETURN_IF(settled_total(b, s, &gap));
    RETURN_IF(inv_less(&gap, b->w->o->outstanding));
    RETURN_IF(inv_less(&gap, b->received));
    RETURN_IF(inv_plus(&gap, s->money));
    if (mon_cmp(mon_abs(gap), tolerance(b, b->w->o->line_count + b->back_count)) > 0)
        return ERR_OK;
    return mon_sub(b->sold.total, b->received, under);
}

static enum err check_backs(struct inv_books *b, const struct sums *s)
{
    struct money over, under;

    RETURN_IF(excess_rooms(b, s, &over, &under));
    for (size_t i = 0; i < b->back_count; i++) {
        struct inv_back *back = &b->backs[i];
        struct money *room = back->excess.units > 0 ? &over : &under;
        struct money size = mon_abs(back->excess);

        if (!stands(b, back) &&
            (back->docs.units < 0 || (size.units != 0 && mon_cmp(size, *room) > 0)))
            RETURN_IF(refuse(b, back));
        else
            RETURN_IF(inv_less(room, size));
    }
    return ERR_OK;
}

enum err inv_read_money(struct inv_books *b)
{
    const struct order *o = b->w->o;
    struct sums sums;

    b->backs = arena_array(b->w->arena, o->refund_count + 1, sizeof *b->backs);
    for (size_t i = 0; i < o->refund_count; i++) {
        if (!o->refunds[i].has_money || o->refunds[i].id.n == 0)
            continue;
        b->backs[b->back_count].refund = &o->refunds[i];
        RETURN_IF(read_back(b, &b->backs[b->back_count++]));
    }
    RETURN_IF(sum_backs(b, false, &sums));
    RETURN_IF(count_received(b, &sums));
    RETURN_IF(sum_backs(b, true, &sums));
    b->has_excess = sums.over.units > 0;
    return b->partial ? ERR_OK : check_backs(b, &sums);
}

/* ---- credit notes ---- */

/* The lines of one note as they come. */
struct note {
    struct inv_books *b;
    struct inv_line *lines;
    size_t count;
};

/* A line of AMOUNT, tax included where the order's is, for N things; its key is made the note's
 * own. Nothing for nothing. */
static enum err add_line(struct note *note, struct str key, int64_t n, struct str what,
                         const struct inv_coding *coding, struct money amount, struct money tax)
{
    struct inv_work *w = note->b->w;
    struct inv_line *line = &note->lines[note->count];

    RETURN_IF(mon_round(amount, INV_DECIMALS, &amount));
    RETURN_IF(mon_round(tax, INV_DECIMALS, &tax));
    if (amount.units == 0 && tax.units == 0)
        return ERR_OK;
    *line = (struct inv_line){.key = key,
                              .description = what,
                              .discount = inv_zero(note->b),
                              .account = coding->account,
                              .tax_type = coding->tax_type};
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
        RETURN_IF(add_line(note, shipping ? STR("shipping-refund") : STR("difference"), 1,
                           shipping ? STR("Shipping") : STR("Refund difference"), &coding, amount,
                           tax));
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
    struct money tax, amount = sum;

    if (sum.units == 0)
        return ERR_OK;
    code_kind(note, kind, line && line->tax_count > 0, &coding);
    RETURN_IF(mon_tax_in(sum, coding.rate, INV_DECIMALS, &tax));
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
    if (mon_cmp(mon_abs(rest), tolerance(b, line_count(r))) > 0)
        return refuse(b, back);
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
