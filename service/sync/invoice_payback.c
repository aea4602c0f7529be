/*
 * DESIGN: money that was given back is paid out of its refund's credit note; what the note does not
 * have comes out of the credit notes of edits. The rest of all notes counts against what is due,
 * but neither side touches what is somebody else's to enter: money received or given back through
 * gateways that are turned off, or whose part is not known yet. So what counts against what is the
 * same however often it was looked at.
 */
#include "service/sync/invoice.h"

#include "service/sync/invoice_books.h"

/* ---- refund payments ---- */

/* What is paid back by the transaction, made or about to be. */
static enum err paid_back(const struct inv_books *b, struct str id, struct money *out)
{
    *out = inv_zero(b);
    for (size_t i = 0; i < b->payment_count; i++)
        if (inv_has_base(b->payments[i].mark, id))
            RETURN_IF(inv_plus(out, b->payments[i].amount));
    return ERR_OK;
}

/* AMOUNT of a transaction out of one note, as far as it goes. */
static enum err pay_out(struct inv_books *b, struct inv_entry *note,
                        const struct ord_transaction *t, struct str account, struct money *amount)
{
    struct money part = inv_least(*amount, note->left);
    size_t before = b->payment_count;

    RETURN_IF(inv_pay_on(b, note, t->id, account, t->day, part));
    return b->payment_count > before ? inv_less(amount, part) : ERR_OK;
}

/* What of AMOUNT is not recorded yet is paid out of the record's own note, or, if not OWN, out of
 * the notes of edits, then of what other refunds' notes do not give back themselves. */
static enum err pay_back(struct inv_books *b, const struct inv_back *back,
                         const struct ord_transaction *t, struct money amount, bool own)
{
    struct money made;
    struct str account;

    RETURN_IF(mon_round(amount, INV_DECIMALS, &amount));
    RETURN_IF(paid_back(b, t->id, &made));
    RETURN_IF(inv_less(&amount, made));
    if (amount.units <= 0 || !inv_records(b, t->gateway))
        return ERR_OK;
    account = inv_pay_account(b, t->gateway);
    if (account.n == 0)
        return ERR_OK;
    if (own)
        return back->note ? pay_out(b, back->note, t, account, &amount) : ERR_OK;
    for (size_t i = 1; i < b->entry_count; i++)
        if (*b->entries[i].doc.name.p == 'C' && inv_is_live(&b->entries[i]))
            RETURN_IF(pay_out(b, &b->entries[i], t, account, &amount));
    for (size_t i = 0; i < b->back_count; i++)
        if (b->backs[i].note && b->backs[i].note != back->note)
            RETURN_IF(pay_out(b, b->backs[i].note, t, account, &amount));
    return ERR_OK;
}

/* The money of one record. Where a part of it is in another currency, that part is what the rest
 * leaves of the documents' value, by the first such transaction. */
static enum err pay_record(struct inv_books *b, const struct inv_back *back, bool own)
{
    const struct ord_refund *r = back->refund;
    const char *currency = b->w->o->currency;
    const struct ord_transaction *other = NULL;
    struct money rest = back->money;

    for (size_t i = 0; i < r->transaction_count; i++) {
        const struct ord_transaction *t = &r->transactions[i];

        if (strcmp(t->amount.currency, currency) != 0) {
            other = other ? other : t;
            continue;
        }
        RETURN_IF(pay_back(b, back, t, t->amount, own));
        RETURN_IF(inv_less(&rest, t->amount));
    }
    return other ? pay_back(b, back, other, rest, own) : ERR_OK;
}

/* What of the record's money nobody has entered as given back. */
static enum err open_money(const struct inv_books *b, const struct inv_back *back,
                           struct money *out)
{
    struct money made;

    *out = back->money;
    for (size_t i = 0; i < back->refund->transaction_count; i++) {
        RETURN_IF(paid_back(b, back->refund->transactions[i].id, &made));
        RETURN_IF(inv_less(out, made));
    }
    if (back->note && back->note->known)
        RETURN_IF(inv_less(out, inv_most(back->note->known->foreign, inv_zero(b))));
    *out = inv_most(*out, inv_zero(b));
    return ERR_OK;
}

/* Holds back in each record's own note what others have to enter as given back. */
static enum err reserve_own(struct inv_books *b)
{
    for (size_t i = 0; i < b->back_count; i++) {
        struct inv_back *back = &b->backs[i];

        back->reserved = inv_zero(b);
        if (!back->note)
            continue;
        RETURN_IF(open_money(b, back, &back->reserved));
        back->reserved = inv_least(back->reserved, inv_most(back->note->left, inv_zero(b)));
        RETURN_IF(inv_less(&back->note->left, back->reserved));
    }
    return ERR_OK;
}

/* First each record out of its own note; then what one gave back beyond it. */
enum err inv_make_paybacks(struct inv_books *b)
{
    if (!b->has_sale || b->partial)
        return ERR_OK;
    for (size_t i = 0; i < b->back_count; i++)
        if (!b->backs[i].refused)
            RETURN_IF(pay_record(b, &b->backs[i], true));
    RETURN_IF(reserve_own(b));
    for (size_t i = 0; i < b->back_count; i++)
        if (!b->backs[i].refused)
            RETURN_IF(pay_record(b, &b->backs[i], false));
    return ERR_OK;
}

/* ---- what is somebody else's to enter ---- */

/* Takes up to AMOUNT from what is left of the documents of one kind; what it took is subtracted. */
static enum err reserve(struct inv_books *b, char letter, struct money *amount)
{
    for (size_t i = 0; i < b->entry_count; i++) {
        struct inv_entry *e = &b->entries[i];
        bool invoice = inv_is_live(e) && !e->doc.credit;
        struct money part = inv_least(*amount, e->left);

        if (!inv_is_live(e) || part.units <= 0 ||
            (letter == 'A' ? !invoice : *e->doc.name.p != letter))
            continue;
        RETURN_IF(inv_less(&e->left, part));
        RETURN_IF(inv_less(amount, part));
    }
    return ERR_OK;
}

static enum err reserve_received(struct inv_books *b)
{
    struct money open = b->payable;

    for (size_t i = 0; i < b->payment_count; i++) {
        const struct inv_payment *p = &b->payments[i];

        if (*p->doc.p == 'i' || *p->doc.p == 'A')
            RETURN_IF(inv_less(&open, p->amount));
    }
    for (size_t i = 0; i < b->entry_count; i++)
        if (b->entries[i].known && !b->entries[i].doc.credit)
            RETURN_IF(inv_less(&open, inv_most(b->entries[i].known->foreign, inv_zero(b))));
    return reserve(b, 'A', &open);
}

/* What records gave back beyond their own notes and nobody has entered. */
static enum err reserve_excess(struct inv_books *b)
{
    struct money all = inv_zero(b), open;

    for (size_t i = 0; i < b->back_count; i++) {
        if (b->backs[i].refused)
            continue;
        RETURN_IF(open_money(b, &b->backs[i], &open));
        RETURN_IF(inv_less(&open, b->backs[i].reserved));
        RETURN_IF(inv_plus(&all, inv_most(open, inv_zero(b))));
    }
    RETURN_IF(reserve(b, 'C', &all));
    return reserve(b, 'R', &all);
}

/* ---- allocations ---- */

/* "C1@invoice", then "C1@invoice-2". */
static struct str pair_mark(const struct inv_books *b, struct str note, struct str doc)
{
    size_t n = 1;

    for (size_t i = 0; i < b->allocation_count; i++)
        n += str_eq(b->allocations[i].note, note) && str_eq(b->allocations[i].doc, doc);
    if (n == 1)
        return str_of(arena_printf(b->w->arena, "%.*s@%.*s", STR_FMT(note), STR_FMT(doc)));
    return str_of(arena_printf(b->w->arena, "%.*s@%.*s-%zu", STR_FMT(note), STR_FMT(doc), n));
}

/* A further allocation of B: zeroed. */
static struct inv_allocation *new_allocation(struct inv_books *b)
{
    b->allocations = inv_grown(b->w->arena, b->allocations, b->allocation_count,
                               &b->allocation_room, sizeof *b->allocations);
    return &b->allocations[b->allocation_count++];
}

static enum err allocate(struct inv_books *b, struct inv_entry *note)
{
    for (size_t i = 0; i < b->entry_count; i++) {
        struct inv_entry *e = &b->entries[i];
        struct money part = inv_least(note->left, e->left);
        struct inv_allocation *a;
        struct str mark;

        if (!inv_is_live(e) || e->doc.credit || part.units <= 0)
            continue;
        mark = pair_mark(b, note->doc.name, e->doc.name);
        a = new_allocation(b);
        *a = (struct inv_allocation){
            .mark = mark, .note = note->doc.name, .doc = e->doc.name, .amount = part};
        inv_late_day(b, note->doc.date, e->doc.date, a->date);
        RETURN_IF(inv_less(&note->left, part));
        RETURN_IF(inv_less(&e->left, part));
    }
    return ERR_OK;
}

enum err inv_make_allocations(struct inv_books *b)
{
    const struct inv_known *k = b->w->known;

    for (size_t i = 0; i < k->allocation_count; i++) {
        const struct inv_known_doc *note = inv_known_doc(k, k->allocations[i].note);
        struct inv_allocation *a;

        if (!note || note->gone)
            continue;
        a = new_allocation(b);
        *a = k->allocations[i];
        a->made = true;
    }
    if (!b->has_sale || b->partial || b->wait_for_split || b->w->s->status != INV_AUTHORISED)
        return ERR_OK;
    RETURN_IF(reserve_received(b));
    RETURN_IF(reserve_excess(b));
    for (size_t i = 1; i < b->entry_count; i++)
        if (inv_is_live(&b->entries[i]) && b->entries[i].doc.credit)
            RETURN_IF(allocate(b, &b->entries[i]));
    return ERR_OK;
}
