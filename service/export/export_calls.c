#include <stdio.h>

#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/export/export.h"
#include "service/export/export_work.h"

/* ---- one batch ---- */

/* {"Invoices":[...]}: false if it is too large for one call. */
static bool write_body(struct work *w, struct call *c)
{
    struct buf body = BUF_CAP(LIM_XERO_BODY);
    struct js_out out;
    bool fits;

    jw_init(&out, &body);
    jw_begin_object(&out);
    jw_key(&out, c->kind->list);
    jw_begin_array(&out);
    for (size_t i = 0; i < c->n; i++)
        c->kind->write(&out, &c->elements[i]);
    jw_end_array(&out);
    jw_end_object(&out);
    fits = buf_check(&body) == ERR_OK;
    if (fits)
        c->bytes = arena_str(&w->arena, buf_str(&body));
    buf_free(&body);
    return fits;
}

/* Xero keeps the order of the request; a number that says otherwise is believed. */
static const struct xero_element *element_for(const struct element *el, size_t i, bool by_id,
                                              const struct xero_element *found, size_t n)
{
    struct str mine = by_id ? el->invoice_id : el->number;

    if (i < n && (mine.n == 0 || str_eq(by_id ? found[i].id : found[i].number, mine)))
        return &found[i];
    for (size_t k = 0; k < n && mine.n > 0; k++) {
        if (str_eq(by_id ? found[k].id : found[k].number, mine))
            return &found[k];
    }
    return i < n ? &found[i] : NULL;
}

/* Doubts that the look-up could not clear: as Xero's words say. */
static void end_doubts(struct work *w, const struct call *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct element *el = &c->elements[i];

        if (el->open && el->x)
            exp_refused(w, el->x, c->kind->document, el->doubts, el->doubt_count);
    }
}

enum work_next exp_apply(struct work *w, struct call *c, struct xero_answer *a)
{
    struct xero_element *found = NULL;
    struct errinfo info = {0};
    enum work_next next = WORK_GO;
    bool doubts = false;
    size_t n = 0;

    if (xero_elements(a, c->kind->list, &found, &n, &info) != ERR_OK || n != c->n)
        log_error("xero_answer", "Xero's answer does not fit the call; its elements are looked up.",
                  LOG_Z("kind", c->kind->name), LOG_INT("sent", c->n), LOG_INT("got", n));
    for (size_t i = 0; i < c->n; i++) {
        struct element *el = &c->elements[i];
        const struct xero_element *v =
            n == c->n ? element_for(el, i, c->kind == &exp_voids, found, n) : NULL;

        el->open = v == NULL;
        if (v)
            c->kind->apply(w, el, v);
        doubts = doubts || el->open;
    }
    if (doubts)
        next = exp_resolve(w, c);
    else
        w->answered = true;
    if (next == WORK_GO)
        end_doubts(w, c);
    return next;
}

/* Halves of C find out whose fault it is. */
static enum work_next halve(struct work *w, const struct call *c)
{
    enum work_next next = exp_make(w, c->kind, c->elements, c->n / 2);

    if (next == WORK_GO)
        next = exp_make(w, c->kind, c->elements + c->n / 2, c->n - c->n / 2);
    return next;
}

/* The whole call was refused: nothing of it was stored. */
static enum work_next refused(struct work *w, struct call *c, struct xero_answer *a)
{
    static const struct str not_found = STR_INIT("Not found");
    bool gone = a->verdict == XERO_NOT_FOUND;
    struct element *el = &c->elements[0];

    w->answered = true;
    if (c->n > 1)
        return halve(w, c);
    el->open = false;
    if (gone && c->kind == &exp_invoices && exp_renew_contact(w, el->x))
        return WORK_GO;
    exp_fail(w, el->x, c->kind->document, gone ? &not_found : a->messages, NULL,
             gone ? 1 : a->message_count);
    return WORK_GO;
}

/* Elements without any verdict: Xero does not hold them (or a mark of doubt says so). Their orders
 * come back after the connection's hold, the others go on. */
static void put_off(struct work *w, const struct call *c, int64_t ms)
{
    bool any = false;

    for (size_t i = 0; i < c->n; i++) {
        struct work_order *x = c->elements[i].x;

        if (!c->elements[i].open || !x || x->ended)
            continue;
        exp_again(x, ms);
        any = true;
    }
    if (any)
        exp_hold(w, exp_down_ms(w), "Xero did not say what became of a call.");
}

static enum work_next too_large(struct work *w, struct call *c)
{
    if (c->n > 1)
        return halve(w, c);
    c->elements[0].open = false;
    exp_fail_one(w, c->elements[0].x, c->kind->document, "request-too-large",
                 "The document is larger than Xero takes in one call.");
    return WORK_GO;
}

static enum work_next make_batch(struct work *w, const struct call_kind *kind,
                                 struct element *elements, size_t n)
{
    struct call c = {.kind = kind, .elements = elements, .n = n};
    struct xero_answer a;
    enum work_next next;

    if (!write_body(w, &c))
        return too_large(w, &c);
    for (size_t i = 0; i < n; i++)
        elements[i].open = true;
    c.meta = exp_write_meta(w, &c);
    cry_uuid(c.key);
    next = exp_send(w, kind->method, kind->path, &c, &a);
    if (next == WORK_GO && a.verdict == XERO_ANSWERED) {
        met_add(MET_XERO_BATCH, (int64_t)n, kind->list, NULL, NULL);
        next = exp_apply(w, &c, &a);
        put_off(w, &c, 0);
    } else if (next == WORK_GO) {
        next = refused(w, &c, &a);
    } else if (next == WORK_UNKNOWN && a.in_progress) {
        /* Xero may be at it this very moment: neither sent again nor looked up for a while. */
        for (size_t i = 0; i < n && kind->unsure; i++)
            kind->unsure(w, &elements[i]);
        put_off(w, &c, w->e->lease_ms);
        w->again_ms = 0;
        next = WORK_HAND_BACK;
    } else if (next == WORK_UNKNOWN) {
        next = exp_settle(w, &c, true);
        put_off(w, &c, 0);
    }
    xero_answer_free(&a);
    return next;
}

enum work_next exp_make(struct work *w, const struct call_kind *kind, struct element *elements,
                        size_t n)
{
    enum work_next next = WORK_GO;

    for (size_t i = 0; i < n && next == WORK_GO; i += LIM_XERO_BATCH)
        next = make_batch(w, kind, elements + i, n - i < LIM_XERO_BATCH ? n - i : LIM_XERO_BATCH);
    return next;
}

/* ---- the stages ---- */

static struct str status_text(enum inv_status s)
{
    return s == INV_AUTHORISED ? STR("AUTHORISED")
           : s == INV_DRAFT    ? STR("DRAFT")
                               : STR("SUBMITTED");
}

/* The documents of all open orders that are to be made. */
static enum work_next make_invoices(struct work *w)
{
    struct element *elements = arena_array(&w->arena, w->count + 1, sizeof(*elements));
    size_t n = 0;

    for (size_t i = 0; i < w->count; i++) {
        struct work_order *x = &w->orders[i];
        const struct inv_document *doc = x->wanted.docs;

        if (x->ended || x->wanted.doc_count == 0 || doc->action != INV_CREATE)
            continue;
        elements[n++] = (struct element){.x = x,
                                         .doc = doc->name,
                                         .document = doc,
                                         .number = doc->number,
                                         .url = doc->url,
                                         .status = status_text(doc->status),
                                         .currency = str_of(doc->currency),
                                         .total = exp_amount(w, doc->total),
                                         .tax = exp_amount(w, doc->total_tax)};
    }
    return exp_make(w, &exp_invoices, elements, n);
}

static enum work_next make_voids(struct work *w)
{
    struct element *elements = arena_array(&w->arena, w->count + 1, sizeof(*elements));
    size_t n = 0;

    for (size_t i = 0; i < w->count; i++) {
        struct work_order *x = &w->orders[i];
        const struct inv_document *doc = x->wanted.docs;
        const struct inv_known_doc *sale = exp_sale(x);

        if (x->ended || x->wanted.doc_count == 0 || doc->action != INV_VOID || !sale || sale->gone)
            continue;
        elements[n++] = (struct element){
            .x = x,
            .doc = doc->name,
            .number = sale->number,
            .invoice_id = sale->id,
            .status = str_eq(sale->status, STR("AUTHORISED")) ? STR("VOIDED") : STR("DELETED"),
            .currency = str_of(sale->total.currency),
            .total = exp_amount(w, sale->total)};
    }
    return exp_make(w, &exp_voids, elements, n);
}

static bool is_made(const struct work_order *x, struct str mark)
{
    for (size_t i = 0; i < x->known.payment_count; i++) {
        if (str_eq(x->known.payments[i].mark, mark))
            return true;
    }
    return false;
}

/* The payments that Xero should hold and does not, as far as is recorded; only those of orders in
 * doubt if DOUBTED. */
static struct element *missing_payments(struct work *w, bool doubted, size_t *n)
{
    struct element *elements;
    size_t room = 1;

    for (size_t i = 0; i < w->count; i++)
        room += w->orders[i].wanted.payment_count;
    elements = arena_array(&w->arena, room, sizeof(*elements));
    *n = 0;
    for (size_t i = 0; i < w->count; i++) {
        struct work_order *x = &w->orders[i];

        if (x->ended || (doubted && !x->o->doubt))
            continue;
        for (size_t k = 0; k < x->wanted.payment_count; k++) {
            const struct inv_payment *p = &x->wanted.payments[k];
            const struct inv_known_doc *paid = inv_known_doc(&x->known, p->doc);

            if (!paid || paid->gone || is_made(x, p->mark))
                continue;
            elements[(*n)++] = (struct element){.x = x,
                                                .payment = p,
                                                .doc = p->doc,
                                                .invoice_id = paid->id,
                                                .mark = p->mark,
                                                .reference = p->reference,
                                                .number = p->reference,
                                                .currency = str_of(p->amount.currency),
                                                .total = exp_amount(w, p->amount),
                                                .open = doubted};
        }
    }
    return elements;
}

/* An order that was failed while a call's outcome was not known may have payments of which nothing
 * is recorded, and nothing in Xero keeps a payment from being made twice: so look before any is
 * made. */
static enum work_next adopt_doubted_payments(struct work *w)
{
    size_t n = 0;
    struct element *elements = missing_payments(w, true, &n);
    enum work_next next = WORK_GO;

    for (size_t i = 0; i < n && next == WORK_GO; i += LIM_XERO_BATCH) {
        struct call c = {.kind = &exp_payments, .elements = elements + i};

        c.n = n - i < LIM_XERO_BATCH ? n - i : LIM_XERO_BATCH;
        next = exp_resolve(w, &c);
    }
    return next;
}

static enum work_next make_payments(struct work *w)
{
    size_t n = 0;
    enum work_next next = adopt_doubted_payments(w);

    if (next != WORK_GO)
        return next;
    struct element *elements = missing_payments(w, false, &n);

    return exp_make(w, &exp_payments, elements, n);
}

/* Whether the documents of some order are to be sent again; each order is told so once for each
 * reason at most. */
static bool try_again(struct work *w)
{
    bool any = false;

    for (size_t i = 0; i < w->count; i++) {
        any = any || (w->orders[i].another_try && !w->orders[i].ended);
        w->orders[i].another_try = false;
    }
    return any;
}

enum work_next exp_stages(struct work *w)
{
    enum work_next next = exp_look_at_lost(w);

    do {
        if (next == WORK_GO)
            next = exp_resolve_contacts(w);
        if (next == WORK_GO)
            next = exp_resolve_items(w);
        if (next == WORK_GO)
            next = make_invoices(w);
    } while (next == WORK_GO && try_again(w));
    if (next == WORK_GO)
        next = make_voids(w);
    if (next == WORK_GO)
        next = make_payments(w);
    return next;
}
