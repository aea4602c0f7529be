#include <stdio.h>

#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/export/export.h"
#include "service/export/export_work.h"

#define UNSAID "Xero did not say what became of a call."

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
        struct element *el = &c->elements[i];

        if (!el->open || !el->x || el->doubt_count == 0)
            continue;
        exp_doc_refused(w, c->kind, el, el->doubts, el->doubt_count);
        el->open = false;
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
            n == c->n ? element_for(el, i, c->kind->by_id, found, n) : NULL;

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
    if (!gone || c->kind != &exp_invoices || !exp_renew_contact(w, el->x))
        exp_doc_refused(w, c->kind, el, gone ? &not_found : a->messages,
                        gone ? 1 : a->message_count);
    return WORK_GO;
}

void exp_put_off(struct work *w, struct work_order *const *orders, size_t n, const char *document)
{
    struct str unsaid = STR(UNSAID);
    struct str half = str_of(arena_printf(&w->arena, "%zu", w->count > 1 ? w->count / 2 : 1));

    if (n > 0)
        exp_hold(w, exp_down_ms(w), UNSAID);
    for (size_t i = 0; i < n; i++) {
        if (w->fails_anew)
            exp_update(w, orders[i], STR("sus"), half);
        if (w->fails_anew && orders[i]->o->alone)
            exp_refused(w, orders[i], document, &unsaid, 1);
        else
            exp_again(orders[i], 0);
    }
}

/* Elements without any verdict: Xero does not hold them (or a mark of doubt says so). Their orders
 * are put off, the others go on. */
static void put_off(struct work *w, const struct call *c)
{
    struct work_order **orders = arena_array(&w->arena, c->n + 1, sizeof(struct work_order *));
    size_t n = 0;

    for (size_t i = 0; i < c->n; i++) {
        struct work_order *x = c->elements[i].x;

        if (c->elements[i].open && x && !x->ended && (n == 0 || orders[n - 1] != x))
            orders[n++] = x;
    }
    exp_put_off(w, orders, n, c->kind->document);
}

/* Xero may be at C this very moment: it is neither sent again nor looked up for a while. */
static enum work_next leave_in_doubt(struct work *w, const struct call *c)
{
    for (size_t i = 0; i < c->n; i++) {
        exp_mark(w, c->kind, &c->elements[i]);
        exp_again(c->elements[i].x, w->e->lease_ms);
    }
    exp_hold(w, exp_down_ms(w), UNSAID);
    w->again_ms = 0;
    return WORK_HAND_BACK;
}

static enum work_next too_large(struct work *w, struct call *c)
{
    if (c->n > 1)
        return halve(w, c);
    c->elements[0].open = false;
    exp_doc_failed(w, c->kind, &c->elements[0], "request-too-large",
                   "The document is larger than Xero takes in one call.");
    return WORK_GO;
}

const char *exp_path(struct work *w, const struct call *c)
{
    if (!c->kind->by_note)
        return c->kind->path;
    return arena_printf(&w->arena, "CreditNotes/%.*s/%s", STR_FMT(c->elements[0].note_id),
                        c->kind->path);
}

/* What was not there when it was looked up may still come: it is looked up again before it is made
 * again. */
static void mark_late(struct work *w, const struct call *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->elements[i].open)
            exp_mark(w, c->kind, &c->elements[i]);
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
    next = exp_send(w, kind->method, exp_path(w, &c), &c, &a);
    if (next == WORK_GO && a.verdict == XERO_ANSWERED) {
        met_add(MET_XERO_BATCH, (int64_t)n, kind->list, NULL, NULL);
        next = exp_apply(w, &c, &a);
        put_off(w, &c);
    } else if (next == WORK_GO) {
        next = refused(w, &c, &a);
    } else if (next == WORK_UNKNOWN && a.in_progress) {
        next = leave_in_doubt(w, &c);
    } else if (next == WORK_UNKNOWN) {
        next = exp_settle(w, &c, true);
        if (next == WORK_GO) {
            mark_late(w, &c);
            put_off(w, &c);
        }
    }
    xero_answer_free(&a);
    return next;
}

/* How many of the first of N elements go into one call. */
static size_t batch_of(const struct call_kind *kind, const struct element *elements, size_t n)
{
    size_t k = 1;

    while (k < n && k < LIM_XERO_BATCH &&
           (!kind->by_note || str_eq(elements[k].note_id, elements[0].note_id)))
        k++;
    return k < n ? k : n;
}

enum work_next exp_make(struct work *w, const struct call_kind *kind, struct element *elements,
                        size_t n)
{
    enum work_next next = WORK_GO;

    for (size_t i = 0, k = 0; i < n && next == WORK_GO; i += k) {
        k = batch_of(kind, elements + i, n - i);
        next = make_batch(w, kind, elements + i, k);
    }
    return next;
}

enum work_next exp_look_up(struct work *w, const struct call_kind *kind, struct element *elements,
                           size_t n)
{
    enum work_next next = WORK_GO;

    for (size_t i = 0; i < n && next == WORK_GO; i += LIM_XERO_BATCH) {
        struct call c = {.kind = kind, .elements = elements + i};

        c.n = n - i < LIM_XERO_BATCH ? n - i : LIM_XERO_BATCH;
        next = exp_resolve(w, &c);
    }
    return next;
}
