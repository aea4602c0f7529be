#include "service/export/export.h"
#include "service/export/export_work.h"

/* What is recorded of an allocation that Xero shows without an id of its own. */
#define NO_ID "made"

/* ---- credit notes ---- */

static void apply_note(struct work *w, struct element *el, const struct xero_element *v)
{
    if (v->id.n > 0) {
        if (!v->ok && !v->uncertain)
            el->lost = arena_str(&w->arena, v->messages[0]);
        exp_record_document(w, el, v);
        if (el->x)
            exp_doc(w, el->x, el->doc)->made = true;
    }
    if (v->ok && v->id.n > 0)
        exp_check_total(w, &exp_notes, el, v);
    else if (!exp_learn_open_day(w, el, v) && !exp_doubtful(w, el, v, "", "") && el->x)
        exp_doc_refused(w, &exp_notes, el, v->messages, v->message_count);
}

/* Numbers of credit notes are not unique in Xero: of those with EL's, one that stands if there is
 * any. */
static const struct xero_element *pick(const struct element *el, const struct xero_element *found,
                                       size_t n)
{
    const struct xero_element *gone = NULL;

    for (size_t i = 0; i < n; i++) {
        if (!str_eq(found[i].number, el->number))
            continue;
        if (!exp_is_gone(found[i].status))
            return &found[i];
        gone = &found[i];
    }
    return gone;
}

static void adopt_note(struct work *w, struct element *el, const struct xero_element *v)
{
    el->open = false;
    exp_record_document(w, el, v);
    exp_doc(w, el->x, el->doc)->made = true;
    if (exp_is_gone(v->status))
        exp_doc_failed(w, &exp_notes, el, "voided-in-xero",
                       "The credit note %.*s was voided or deleted in Xero.", STR_FMT(el->number));
    else
        exp_check_total(w, &exp_notes, el, v);
}

static void see_note(struct work *w, struct element *el, const struct xero_element *found, size_t n)
{
    const struct xero_element *v = pick(el, found, n);

    if (v)
        adopt_note(w, el, v);
}

static enum work_next look_up_notes(struct work *w, struct call *c)
{
    return exp_ask(w, c->elements, c->n, ASK_NOTE_NUMBERS, see_note);
}

/* ---- what of them counts against an invoice ---- */

static void write_allocation(struct js_out *out, const struct element *el)
{
    inv_write_allocation(out, el->allocation, el->invoice_id);
}

static void apply_allocation(struct work *w, struct element *el, const struct xero_element *v)
{
    if (v->ok)
        exp_record_allocation(w, el, v->id.n > 0 ? arena_str(&w->arena, v->id) : STR(NO_ID));
    else if (!exp_learn_open_day(w, el, v) &&
             !exp_doubtful(w, el, v, "allocation-too-large", "payment-not-allowed") && el->x)
        exp_doc_refused(w, &exp_allocations, el, v->messages, v->message_count);
}

/* How many allocations of EL's note to its invoice over its amount are recorded. */
static size_t count_recorded(const struct element *el)
{
    const struct inv_known *known = &el->x->known;
    struct str rest = el->mark, note = str_split(&rest, '@'), doc = str_split(&rest, '-');
    size_t n = 0;

    for (size_t i = 0; i < known->allocation_count; i++) {
        const struct inv_allocation *one = &known->allocations[i];

        n += str_eq(one->note, note) && str_eq(one->doc, doc) &&
             str_eq(str_of(mon_text(one->amount).z),
                    str_of(mon_text(exp_money(el->total, el->currency)).z));
    }
    return n;
}

/* Ours by both documents and amount: one more than is recorded. */
static void adopt_allocation(struct work *w, struct element *el, const struct xero_element *note)
{
    const struct js_value *list = js_get(note->value, "Allocations");
    size_t before = count_recorded(el), n = 0;

    for (size_t i = 0; i < js_len(list); i++) {
        const struct js_value *one = js_at(list, i);
        struct str invoice, amount, id = STR("");

        if (!js_text(js_path(one, "Invoice.InvoiceID"), &invoice) ||
            !js_text(js_get(one, "Amount"), &amount) || !str_eq_nocase(invoice, el->invoice_id) ||
            !exp_same_amount(amount, el->total, el->currency) || n++ < before)
            continue;
        el->open = false;
        if (!js_text(js_get(one, "AllocationID"), &id) || id.n == 0)
            id = STR(NO_ID);
        exp_record_allocation(w, el, arena_str(&w->arena, id));
        return;
    }
}

static void see_allocation(struct work *w, struct element *el, const struct xero_element *found,
                           size_t n)
{
    const struct xero_element *note = exp_find(found, n, el->note_id);

    if (note)
        adopt_allocation(w, el, note);
}

static enum work_next look_up_allocations(struct work *w, struct call *c)
{
    return exp_ask(w, c->elements, c->n, ASK_NOTE_IDS, see_allocation);
}

/* ---- the table ---- */

const struct call_kind exp_notes = {.name = "notes",
                                    .method = "PUT",
                                    .path = "CreditNotes?summarizeErrors=false&unitdp=4",
                                    .list = "CreditNotes",
                                    .document = "Credit note",
                                    .write = exp_write_document,
                                    .apply = apply_note,
                                    .look_up = look_up_notes,
                                    .mark = "doc:"};
const struct call_kind exp_allocations = {.name = "allocations",
                                          .method = "PUT",
                                          .path = "Allocations?summarizeErrors=false",
                                          .list = "Allocations",
                                          .document = "Credit note",
                                          .write = write_allocation,
                                          .apply = apply_allocation,
                                          .look_up = look_up_allocations,
                                          .mark = "doc:alloc:",
                                          .by_note = true};
