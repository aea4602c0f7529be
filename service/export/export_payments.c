#include "service/export/export.h"
#include "service/export/export_work.h"

static void write_payment(struct js_out *out, const struct element *el)
{
    inv_write_payment(out, el->payment, el->invoice_id, exp_is_note(el));
}

static void apply_payment(struct work *w, struct element *el, const struct xero_element *v)
{
    if (v->ok && v->id.n > 0)
        exp_record_payment(w, el, v->id);
    else if (!exp_learn_open_day(w, el, v) &&
             !exp_doubtful(w, el, v, "payment-too-large", "payment-not-allowed") && el->x)
        exp_doc_refused(w, &exp_payments, el, v->messages, v->message_count);
}

/* Nothing is due on the document any more, and nothing left of a credit note. */
static bool is_settled(const struct element *el, const struct xero_element *document)
{
    struct str left = document->amount_due;

    if (exp_is_note(el) && !js_text(js_get(document->value, "RemainingCredit"), &left))
        return false;
    return exp_same_amount(left, STR("0"), el->currency);
}

/* Ours by reference and amount; or nothing is due any more, because a person settled it. */
static void adopt_payment(struct work *w, struct element *el, const struct xero_element *document)
{
    const struct js_value *list = js_get(document->value, "Payments");

    for (size_t i = 0; i < js_len(list); i++) {
        const struct js_value *p = js_at(list, i);
        struct str reference, amount, id;

        if (js_text(js_get(p, "Reference"), &reference) && js_text(js_get(p, "Amount"), &amount) &&
            js_text(js_get(p, "PaymentID"), &id) && str_eq(reference, el->reference) &&
            exp_same_amount(amount, el->total, el->currency)) {
            el->open = false;
            exp_record_payment(w, el, arena_str(&w->arena, id));
            return;
        }
    }
    if (el->doubt_count > 0 && is_settled(el, document)) {
        el->open = false;
        el->x->settled_by_hand = true;
    }
}

static void see_payment(struct work *w, struct element *el, const struct xero_element *found,
                        size_t n)
{
    const struct xero_element *v = exp_find(found, n, el->invoice_id);

    if (v)
        adopt_payment(w, el, v);
}

static enum work_next look_up_payments(struct work *w, struct call *c)
{
    enum work_next next = exp_ask(w, c->elements, c->n, ASK_INVOICE_IDS, see_payment);

    return next == WORK_GO ? exp_ask(w, c->elements, c->n, ASK_NOTE_IDS, see_payment) : next;
}

const struct call_kind exp_payments = {.name = "payments",
                                       .method = "PUT",
                                       .path = "Payments?summarizeErrors=false",
                                       .list = "Payments",
                                       .document = "Payment",
                                       .write = write_payment,
                                       .apply = apply_payment,
                                       .look_up = look_up_payments,
                                       .mark = "doc:pay:"};
