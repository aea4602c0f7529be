/*
 * DESIGN: all orders of the lease go through the stages together, so that a call carries the same
 * kind of document for up to 50 of them. Each stage gathers what its kind of call has to do from
 * what is wanted and what is known, so an order that needs nothing costs nothing. What a stage
 * learns (a contact that is of no use, a locked period) sends the orders concerned through another
 * round.
 */
#include "service/export/export.h"
#include "service/export/export_work.h"

/* Each round learns something new; one that goes on learning is not to go on for ever. */
#define ROUNDS 5
#define AGAIN_MS 5000

static bool works(const struct work_order *x)
{
    return !x->ended && !x->another_try && !x->rests;
}

/* Elements of one kind of call. */
struct gathered {
    struct element *rows;
    size_t n;
};

/* Which of the open orders' documents a stage is about. */
struct pick {
    const struct call_kind *kind;
    enum inv_action action;
    bool credit;
    bool doubted; /* those only of which a call may have gone out before */
};

/* ---- documents ---- */

static struct str status_text(enum inv_status s)
{
    return s == INV_AUTHORISED ? STR("AUTHORISED")
           : s == INV_DRAFT    ? STR("DRAFT")
                               : STR("SUBMITTED");
}

static struct str keys_of(struct work *w, const struct inv_document *doc)
{
    struct buf keys = BUF_CAP(LIM_XERO_BODY);
    struct str out;

    for (size_t i = 0; i < doc->line_count; i++) {
        if (i > 0)
            buf_addc(&keys, ',');
        buf_add_str(&keys, doc->lines[i].key);
    }
    out = arena_str(&w->arena, buf_str(&keys));
    buf_free(&keys);
    return out;
}

static struct element element_of(struct work *w, struct work_order *x,
                                 const struct inv_document *doc)
{
    const struct inv_known_doc *live = exp_live(x, doc->name);
    struct element el = {.x = x,
                         .doc = doc->name,
                         .list = doc->credit ? STR("CreditNotes") : STR("Invoices"),
                         .document = doc,
                         .number = doc->number,
                         .url = doc->url,
                         .status = status_text(doc->status),
                         .currency = str_of(doc->currency),
                         .total = exp_amount(w, doc->total),
                         .tax = exp_amount(w, doc->total_tax)};

    if (live) {
        el.invoice_id = live->id;
        el.number = doc->number.n > 0 ? doc->number : live->number;
        el.currency = str_of(live->total.currency);
    }
    if (doc->action == INV_VOID)
        el.status =
            live && str_eq(live->status, STR("AUTHORISED")) ? STR("VOIDED") : STR("DELETED");
    else
        el.keys = keys_of(w, doc);
    return el;
}

static bool is_first_try(const struct work_order *x)
{
    return !x->o->doubt && x->o->attempts == 0;
}

static struct gathered documents(struct work *w, const struct pick *p)
{
    struct gathered g = {NULL, 0};
    size_t room = 1;

    for (size_t i = 0; i < w->count; i++)
        room += w->orders[i].wanted.doc_count;
    g.rows = arena_array(&w->arena, room, sizeof(*g.rows));
    for (size_t i = 0; i < w->count; i++) {
        struct work_order *x = &w->orders[i];

        for (size_t k = 0; k < x->wanted.doc_count && works(x); k++) {
            const struct inv_document *doc = &x->wanted.docs[k];
            bool live = exp_live(x, doc->name) != NULL;

            if (doc->action != p->action || doc->credit != p->credit ||
                live == (p->action == INV_CREATE) || (p->doubted && is_first_try(x)))
                continue;
            if (p->action != INV_VOID && exp_contact(x).n == 0) {
                exp_fail_one(w, x, inv_doc_text(INV_DOC_INVOICE), "internal-fault",
                             "It is not known which contact %.*s goes to.", STR_FMT(doc->number));
                continue;
            }
            g.rows[g.n] = element_of(w, x, doc);
            g.rows[g.n++].open = p->doubted;
        }
    }
    return g;
}

/* ---- payments and allocations ---- */

/* The document NAME that can be paid or credited; NULL: it is not there, or not what it should be.
 */
static const struct inv_known_doc *sound(struct work *w, struct work_order *x, struct str name)
{
    const struct inv_known_doc *doc = exp_live(x, name);

    return doc && !exp_doc(w, x, name)->bad ? doc : NULL;
}

static bool is_paid(const struct work_order *x, struct str mark)
{
    for (size_t i = 0; i < x->known.payment_count; i++)
        if (str_eq(x->known.payments[i].mark, mark))
            return true;
    return false;
}

static bool is_allocated(const struct work_order *x, struct str mark)
{
    for (size_t i = 0; i < x->known.allocation_count; i++)
        if (str_eq(x->known.allocations[i].mark, mark))
            return true;
    return false;
}

static struct gathered payments(struct work *w, const struct pick *p)
{
    struct gathered g = {NULL, 0};
    size_t room = 1;

    for (size_t i = 0; i < w->count; i++)
        room += w->orders[i].wanted.payment_count;
    g.rows = arena_array(&w->arena, room, sizeof(*g.rows));
    for (size_t i = 0; i < w->count; i++) {
        struct work_order *x = &w->orders[i];

        for (size_t k = 0; k < x->wanted.payment_count && works(x); k++) {
            const struct inv_payment *pay = &x->wanted.payments[k];
            const struct inv_known_doc *doc = sound(w, x, pay->doc);

            if (!doc || is_paid(x, pay->mark) || (p->doubted && !x->o->doubt))
                continue;
            g.rows[g.n++] =
                (struct element){.x = x,
                                 .payment = pay,
                                 .doc = pay->doc,
                                 .list = doc->credit ? STR("CreditNotes") : STR("Invoices"),
                                 .invoice_id = doc->id,
                                 .mark = pay->mark,
                                 .reference = pay->reference,
                                 .number = pay->reference,
                                 .currency = str_of(pay->amount.currency),
                                 .total = exp_amount(w, pay->amount),
                                 .open = p->doubted};
        }
    }
    return g;
}

static struct gathered allocations(struct work *w, const struct pick *p)
{
    struct gathered g = {NULL, 0};
    size_t room = 1;

    for (size_t i = 0; i < w->count; i++)
        room += w->orders[i].wanted.allocation_count;
    g.rows = arena_array(&w->arena, room, sizeof(*g.rows));
    for (size_t i = 0; i < w->count; i++) {
        struct work_order *x = &w->orders[i];

        for (size_t k = 0; k < x->wanted.allocation_count && works(x); k++) {
            const struct inv_allocation *one = &x->wanted.allocations[k];
            const struct inv_known_doc *note = sound(w, x, one->note), *doc = sound(w, x, one->doc);

            if (!note || !doc || is_allocated(x, one->mark) || (p->doubted && !x->o->doubt))
                continue;
            g.rows[g.n++] = (struct element){.x = x,
                                             .allocation = one,
                                             .doc = one->doc,
                                             .number = note->number,
                                             .invoice_id = doc->id,
                                             .note_id = note->id,
                                             .mark = one->mark,
                                             .currency = str_of(one->amount.currency),
                                             .total = exp_amount(w, one->amount),
                                             .open = p->doubted};
        }
    }
    return g;
}

/* ---- the stages ---- */

/* Nothing in Xero keeps a credit note, a payment or an allocation from being made twice. An order
 * that was failed while a call's outcome was not known may have some of which nothing is recorded:
 * so look before any is made. */
static enum work_next make_careful(struct work *w,
                                   struct gathered (*gather)(struct work *w, const struct pick *p),
                                   struct pick p)
{
    struct gathered g;
    enum work_next next;

    p.doubted = true;
    g = gather(w, &p);
    next = exp_look_up(w, p.kind, g.rows, g.n);
    if (next != WORK_GO)
        return next;
    p.doubted = false;
    g = gather(w, &p);
    return exp_make(w, p.kind, g.rows, g.n);
}

static enum work_next make_plain(struct work *w, struct pick p)
{
    struct gathered g = documents(w, &p);

    return exp_make(w, p.kind, g.rows, g.n);
}

/* Everything of the orders that work, each kind of call once. */
static enum work_next one_round(struct work *w)
{
    enum work_next next = exp_resolve_contacts(w);

    if (next == WORK_GO)
        next = exp_resolve_items(w);
    if (next == WORK_GO)
        next = make_plain(w, (struct pick){.kind = &exp_invoices, .action = INV_CREATE});
    if (next == WORK_GO)
        next = make_plain(w, (struct pick){.kind = &exp_updates, .action = INV_UPDATE});
    if (next == WORK_GO)
        next = make_plain(w, (struct pick){.kind = &exp_voids, .action = INV_VOID});
    if (next == WORK_GO)
        next = make_plain(
            w, (struct pick){.kind = &exp_note_voids, .action = INV_VOID, .credit = true});
    if (next == WORK_GO)
        next = make_careful(
            w, documents, (struct pick){.kind = &exp_notes, .action = INV_CREATE, .credit = true});
    if (next == WORK_GO)
        next = make_careful(w, payments, (struct pick){.kind = &exp_payments});
    if (next == WORK_GO)
        next = make_careful(w, allocations, (struct pick){.kind = &exp_allocations});
    return next;
}

/* Lets the orders that learnt something work again, and the others rest. False: there is none. */
static bool begin_again(struct work *w)
{
    bool any = false;

    for (size_t i = 0; i < w->count; i++) {
        struct work_order *x = &w->orders[i];

        x->rests = !x->another_try;
        if (x->ended || !x->another_try)
            continue;
        x->another_try = false;
        exp_build(w, x);
        any = any || !x->ended;
    }
    return any;
}

enum work_next exp_stages(struct work *w)
{
    enum work_next next = exp_look_first(w);

    if (next == WORK_GO)
        next = exp_look_at_lost(w);
    for (int round = 0; round < ROUNDS && next == WORK_GO; round++) {
        next = one_round(w);
        if (next != WORK_GO || !begin_again(w))
            break;
        next = exp_look_first(w);
    }
    for (size_t i = 0; i < w->count; i++) /* the last round learnt something again */
        if (w->orders[i].another_try)
            exp_again(&w->orders[i], AGAIN_MS);
    return next;
}
