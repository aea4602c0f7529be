#include "service/export/export.h"
#include "service/export/export_work.h"

/* Xero's words for a draft's line that lacks its account, where only a look-up shows it. */
#define ACCOUNT_LOST                                                                               \
    "Account code 'unknown' has been removed as it does not match a recognised account."

static void fail_voided(struct work *w, const struct element *el)
{
    exp_doc_failed(w, &exp_invoices, el, "voided-in-xero",
                   "The invoice %.*s was voided or deleted in Xero.", STR_FMT(el->number));
}

/* ---- making them ---- */

/* A contact or an item is of no use: the document is sent again without it. */
static bool renew(struct work *w, const struct element *el, const struct xero_element *v)
{
    for (size_t i = 0; i < v->message_count; i++) {
        struct str m = v->messages[i];

        if ((exp_is_row(m, "contact-archived") && exp_renew_contact(w, el->x)) ||
            ((exp_is_row(m, "item-invalid") || exp_is_row(m, "item-stock")) &&
             exp_renew_items(w, el->x)))
            return true;
    }
    return false;
}

static void apply_invoice(struct work *w, struct element *el, const struct xero_element *v)
{
    if (v->id.n > 0) {
        if (!v->ok && !v->uncertain)
            el->lost = arena_str(&w->arena, v->messages[0]);
        exp_record_document(w, el, v);
        if (el->x)
            exp_doc(w, el->x, el->doc)->made = true;
    }
    if (v->ok && v->id.n > 0)
        exp_check_total(w, &exp_invoices, el, v);
    else if (!exp_learn_open_day(w, el, v) && !exp_doubtful(w, el, v, "number-taken", "") &&
             el->x && !renew(w, el, v))
        exp_doc_refused(w, &exp_invoices, el, v->messages, v->message_count);
}

static bool is_ours(const struct element *el, const struct xero_element *v)
{
    struct str url = STR("");

    return js_text(js_get(v->value, "Url"), &url) && str_eq(url, el->url);
}

/* An invoice of our number: ours if it links to our order. */
static void adopt_invoice(struct work *w, struct element *el, const struct xero_element *v)
{
    el->open = false;
    if (!is_ours(el, v)) {
        struct str taken = STR("Invoice # must be unique.");
        bool said = el->doubt_count > 0;

        exp_forget(w, &exp_invoices, el);
        exp_doc_refused(w, &exp_invoices, el, said ? el->doubts : &taken,
                        said ? el->doubt_count : 1);
        return;
    }
    if (exp_lacks_account(v))
        el->lost = STR(ACCOUNT_LOST);
    exp_record_document(w, el, v);
    exp_doc(w, el->x, el->doc)->made = true;
    if (exp_is_gone(v->status))
        fail_voided(w, el);
    else if (el->lost.n > 0)
        exp_fail_lost(w, el);
    else
        exp_check_total(w, &exp_invoices, el, v);
}

/* Of the invoices of EL's number, ours if it is among them: a bill may have the same number. */
static const struct xero_element *pick(const struct element *el, const struct xero_element *found,
                                       size_t n)
{
    const struct xero_element *other = NULL;

    for (size_t i = 0; i < n; i++) {
        if (!str_eq(found[i].number, el->number))
            continue;
        if (is_ours(el, &found[i]))
            return &found[i];
        other = &found[i];
    }
    return other;
}

static void see_invoice(struct work *w, struct element *el, const struct xero_element *found,
                        size_t n)
{
    const struct xero_element *v = pick(el, found, n);

    if (v)
        adopt_invoice(w, el, v);
}

static enum work_next look_up_invoices(struct work *w, struct call *c)
{
    return exp_ask(w, c->elements, c->n, ASK_INVOICE_NUMBERS, see_invoice);
}

/* ---- bringing them up to date ---- */

static void updated(struct work *w, struct element *el, const struct xero_element *v)
{
    el->open = false;
    exp_record_document(w, el, v);
    if (!el->x)
        return;
    exp_doc(w, el->x, el->doc)->updated = true;
    exp_check_total(w, &exp_updates, el, v);
}

static void apply_update(struct work *w, struct element *el, const struct xero_element *v)
{
    if (v->ok)
        updated(w, el, v);
    else if (!exp_learn_open_day(w, el, v) && !exp_doubtful(w, el, v, "", "") && el->x &&
             !renew(w, el, v))
        exp_doc_refused(w, &exp_updates, el, v->messages, v->message_count);
}

static size_t count_keys(struct str keys)
{
    size_t n = 0;

    for (; keys.n > 0; n++)
        (void)str_split(&keys, ',');
    return n;
}

/* Whether V is what was sent, and no longer what was recorded before. */
static bool was_updated(struct work *w, const struct element *el, const struct xero_element *v)
{
    const struct inv_known_doc *doc = inv_known_doc(&el->x->known, el->doc);
    struct shown s;

    exp_show(w, v, false, el->currency, &s);
    return exp_same_amount(v->total, el->total, el->currency) &&
           exp_same_amount(v->total_tax, el->tax, el->currency) &&
           s.line_count == count_keys(el->keys) &&
           !(doc && exp_doc(w, el->x, el->doc)->face.n > 0 &&
             exp_changes(w, el->x, doc, &s).n == 0);
}

static void see_update(struct work *w, struct element *el, const struct xero_element *found,
                       size_t n)
{
    const struct xero_element *v = exp_find(found, n, el->invoice_id);

    if (v && was_updated(w, el, v))
        updated(w, el, v);
}

static enum work_next look_up_updates(struct work *w, struct call *c)
{
    return exp_ask(w, c->elements, c->n, ASK_INVOICE_IDS, see_update);
}

/* ---- voiding them ---- */

static void voided(struct work *w, struct element *el, const struct xero_element *v)
{
    el->open = false;
    el->withdrawn = true;
    exp_record_document(w, el, v);
    if (el->x)
        exp_doc(w, el->x, el->doc)->voided = true;
}

static void apply_void(struct work *w, struct element *el, const struct xero_element *v)
{
    const struct call_kind *kind = exp_is_note(el) ? &exp_note_voids : &exp_voids;

    if (v->ok)
        voided(w, el, v);
    else if (!exp_learn_open_day(w, el, v) && !exp_doubtful(w, el, v, "status-locked", "") && el->x)
        exp_doc_refused(w, kind, el, v->messages, v->message_count);
}

static void see_void(struct work *w, struct element *el, const struct xero_element *found, size_t n)
{
    const struct xero_element *v = exp_find(found, n, el->invoice_id);

    if (v && exp_is_gone(v->status))
        voided(w, el, v);
}

static enum work_next look_up_voids(struct work *w, struct call *c)
{
    enum ask how = c->kind == &exp_note_voids ? ASK_NOTE_IDS : ASK_INVOICE_IDS;

    return exp_ask(w, c->elements, c->n, how, see_void);
}

/* ---- the table ---- */

const struct call_kind exp_invoices = {.name = "invoices",
                                       .method = "PUT",
                                       .path = "Invoices?summarizeErrors=false&unitdp=4",
                                       .list = "Invoices",
                                       .document = "Sales invoice",
                                       .write = exp_write_document,
                                       .apply = apply_invoice,
                                       .look_up = look_up_invoices,
                                       .mark = "doc:"};
const struct call_kind exp_updates = {.name = "updates",
                                      .method = "POST",
                                      .path = "Invoices?summarizeErrors=false&unitdp=4",
                                      .list = "Invoices",
                                      .document = "Sales invoice",
                                      .write = exp_write_document,
                                      .apply = apply_update,
                                      .look_up = look_up_updates,
                                      .mark = "doc:upd:",
                                      .by_id = true};
const struct call_kind exp_voids = {.name = "voids",
                                    .method = "POST",
                                    .path = "Invoices?summarizeErrors=false&unitdp=4",
                                    .list = "Invoices",
                                    .document = "Sales invoice",
                                    .write = exp_write_void,
                                    .apply = apply_void,
                                    .look_up = look_up_voids,
                                    .by_id = true};
const struct call_kind exp_note_voids = {.name = "note_voids",
                                         .method = "POST",
                                         .path = "CreditNotes?summarizeErrors=false&unitdp=4",
                                         .list = "CreditNotes",
                                         .document = "Credit note",
                                         .write = exp_write_void,
                                         .apply = apply_void,
                                         .look_up = look_up_voids,
                                         .by_id = true};
