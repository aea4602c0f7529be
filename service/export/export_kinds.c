/*
 * DESIGN: every document carries a mark that can be computed again: an invoice its number and the
 * order's link, a payment its reference and amount on its invoice. So whatever an answer leaves in
 * doubt is looked up by these, and what is found is ours only if the mark is. Where Xero says that
 * a number is taken, that nothing is left to pay, or that a status cannot change any more, the
 * document may well be our own from a lost answer: those are doubts too, not refusals.
 */
#include "service/export/export.h"
#include "service/export/export_work.h"
#include "service/sync/catalogue.h"

/* Query of 50 numbers of 255 bytes, each percent-encoded. */
#define PATH_MAX_BYTES (48u << 10)

/* Xero's words for a draft's line that lacks its account, where only a look-up shows it. */
#define ACCOUNT_LOST                                                                               \
    "Account code 'unknown' has been removed as it does not match a recognised account."

/* ---- what the kinds share ---- */

static bool is_gone(struct str status)
{
    return str_eq(status, STR("VOIDED")) || str_eq(status, STR("DELETED"));
}

void exp_keep_doubts(struct work *w, struct element *el, const struct xero_element *v)
{
    el->doubts = arena_array(&w->arena, v->message_count, sizeof(*el->doubts));
    el->doubt_count = v->message_count;
    for (size_t i = 0; i < v->message_count; i++)
        el->doubts[i] = arena_str(&w->arena, v->messages[i]);
}

/* Leaves EL in doubt if one of V's messages is of row A or B, or says that Xero had a fault. */
static bool doubtful(struct work *w, struct element *el, const struct xero_element *v,
                     const char *a, const char *b)
{
    for (size_t i = 0; i < v->message_count; i++) {
        const struct cat_row *row = cat_match(v->messages[i]);

        if (row->retry == CAT_LOOK_UP || v->uncertain || strcmp(row->id, a) == 0 ||
            strcmp(row->id, b) == 0) {
            el->open = true;
            exp_keep_doubts(w, el, v);
            return true;
        }
    }
    return false;
}

static struct str number_of(const struct element *el)
{
    return el->number;
}

static struct str invoice_id_of(const struct element *el)
{
    return el->invoice_id;
}

/* Reads the invoices of C's open elements, by KEY, into FOUND (in A's memory). */
static enum work_next read_invoices(struct work *w, const struct call *c, const char *filter,
                                    struct str (*key)(const struct element *),
                                    struct xero_answer *a, struct xero_element **found, size_t *n)
{
    struct buf path = BUF_CAP(PATH_MAX_BYTES);
    struct errinfo info = {0};
    enum work_next next = WORK_GO;
    bool any = false;

    *n = 0;
    *a = (struct xero_answer){0};
    buf_printf(&path, "Invoices?%s=", filter);
    for (size_t i = 0; i < c->n; i++) {
        if (!c->elements[i].open)
            continue;
        if (any)
            buf_addc(&path, ',');
        buf_add_percent(&path, key(&c->elements[i]));
        any = true;
    }
    buf_addz(&path, "&unitdp=4&page=1&pageSize=100");
    if (any && buf_check(&path) == ERR_OK)
        next = exp_send(w, "GET", buf_z(&path), NULL, a);
    if (any && next == WORK_GO &&
        (a->verdict != XERO_ANSWERED || xero_elements(a, "Invoices", found, n, &info) != ERR_OK)) {
        /* A look-up that is refused tells nothing: it may not be taken for "there is none". */
        exp_hold(w, exp_down_ms(w), "Xero does not answer look-ups: %.*s",
                 STR_FMT(str_cut(a->message, 200)));
        next = WORK_HAND_BACK;
    }
    buf_free(&path);
    return next;
}

/* What Xero computed against what the order says; told once, with both figures. */
static void check_total(struct work *w, const struct element *el, const struct xero_element *v)
{
    struct money got = {0}, got_tax = {0}, want = {0}, want_tax = {0};
    char code[4] = "";

    if (!el->x || mon_currency(el->currency, code, NULL) != ERR_OK)
        return;
    if (mon_parse(el->total, code, &want, NULL) == ERR_OK &&
        mon_parse(el->tax, code, &want_tax, NULL) == ERR_OK &&
        mon_parse(v->total, code, &got, NULL) == ERR_OK &&
        mon_parse(v->total_tax, code, &got_tax, NULL) == ERR_OK && mon_cmp(got, want) == 0 &&
        mon_cmp(got_tax, want_tax) == 0)
        return;
    exp_fail_one(
        w, el->x, inv_doc_text(INV_DOC_INVOICE), "total-does-not-reconcile",
        "Xero's total of invoice %.*s is %.*s %s with %.*s tax, and the order's is %.*s %s "
        "with %.*s tax.",
        STR_FMT(el->number), STR_FMT(v->total), code, STR_FMT(v->total_tax), STR_FMT(el->total),
        code, STR_FMT(el->tax));
}

/* ---- invoices ---- */

static void write_invoice(struct js_out *out, const struct element *el)
{
    inv_write_document(out, el->document, el->x->contact_id);
}

static bool is_row(struct str message, const char *id)
{
    return strcmp(cat_match(message)->id, id) == 0;
}

static bool is_item(struct str message)
{
    return is_row(message, "item-invalid") || is_row(message, "item-stock");
}

static bool lacks_account(const struct xero_element *invoice)
{
    const struct js_value *lines = js_get(invoice->value, "LineItems");
    struct str code;

    for (size_t i = 0; i < js_len(lines); i++) {
        if (!js_text(js_get(js_at(lines, i), "AccountCode"), &code) || code.n == 0)
            return true;
    }
    return false;
}

/* What Xero approves is whole; a draft may lack an account. */
static bool is_draft(const struct xero_element *v)
{
    return str_eq(v->status, STR("DRAFT")) || str_eq(v->status, STR("SUBMITTED"));
}

static void fail_lost(struct work *w, const struct element *el, struct str lost)
{
    bool account = is_row(lost, "account-removed");

    exp_fail_one(w, el->x, "Sales invoice", cat_match(lost)->id,
                 "Xero holds the draft %.*s %s%.*s. A draft is not updated from here: mend %s in "
                 "Xero, then export again.",
                 STR_FMT(el->number),
                 account ? "with a line that has no account" : "without what was sent: ",
                 STR_FMT(account ? STR("") : str_cut(lost, 400)),
                 account ? "that line" : "and approve it");
}

static void apply_invoice(struct work *w, struct element *el, const struct xero_element *v)
{
    if (v->id.n > 0) {
        if (!v->ok && !v->uncertain)
            el->lost = arena_str(&w->arena, v->messages[0]);
        exp_record_document(w, el, v);
        if (el->x)
            el->x->made = true;
    }
    if (v->ok && v->id.n > 0)
        check_total(w, el, v);
    else if (!doubtful(w, el, v, "number-taken", "") && el->x) {
        for (size_t i = 0; i < v->message_count; i++)
            if ((is_row(v->messages[i], "contact-archived") && exp_renew_contact(w, el->x)) ||
                (is_item(v->messages[i]) && exp_renew_items(w, el->x)))
                return;
        exp_refused(w, el->x, "Sales invoice", v->messages, v->message_count);
    }
}

/* ---- invoices that Xero stored without all of their data ---- */

/* Whether a person has mended it: of what is still a draft only the accounts can be seen. */
static bool is_mended(struct str lost, const struct xero_element *v)
{
    return !is_draft(v) || (is_row(lost, "account-removed") && !lacks_account(v));
}

static void look_at_lost(struct work *w, struct element *el, const struct xero_element *v)
{
    struct str lost = el->x->lost;

    if (v && is_gone(v->status)) {
        exp_record_document(w, el, v);
        exp_fail_one(w, el->x, "Sales invoice", "voided-in-xero",
                     "The invoice %.*s was voided or deleted in Xero.", STR_FMT(el->number));
    } else if (v && is_mended(lost, v)) {
        exp_record_document(w, el, v);
    } else {
        fail_lost(w, el, lost);
    }
}

enum work_next exp_look_at_lost(struct work *w)
{
    struct element *elements = arena_array(&w->arena, w->count + 1, sizeof(*elements));
    struct call c = {.kind = &exp_invoices, .elements = elements};
    struct xero_element *found = NULL;
    struct xero_answer a;
    enum work_next next;
    size_t n = 0;

    for (size_t i = 0; i < w->count; i++) {
        struct work_order *x = &w->orders[i];
        const struct inv_known_doc *sale = exp_sale(x);

        if (x->lost.n > 0 && !x->ended && sale && x->wanted.doc_count > 0 &&
            x->wanted.docs[0].action != INV_VOID)
            elements[c.n++] = (struct element){.x = x,
                                               .open = true,
                                               .doc = sale->name,
                                               .number = sale->number,
                                               .invoice_id = sale->id,
                                               .currency = str_of(sale->total.currency)};
    }
    next = read_invoices(w, &c, "IDs", invoice_id_of, &a, &found, &n);
    for (size_t i = 0; i < c.n && next == WORK_GO; i++) {
        const struct xero_element *v = NULL;

        for (size_t k = 0; k < n && !v; k++)
            v = str_eq(found[k].id, elements[i].invoice_id) ? &found[k] : NULL;
        look_at_lost(w, &elements[i], v);
    }
    xero_answer_free(&a);
    return next;
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
    if (!el->x)
        return;
    if (!is_ours(el, v)) {
        struct str taken = STR("Invoice # must be unique.");
        bool said = el->doubt_count > 0;

        exp_forget(w, el);
        exp_fail(w, el->x, "Sales invoice", said ? el->doubts : &taken, NULL,
                 said ? el->doubt_count : 1);
        return;
    }
    if (is_draft(v) && lacks_account(v))
        el->lost = STR(ACCOUNT_LOST);
    exp_record_document(w, el, v);
    el->x->made = true;
    if (is_gone(v->status))
        exp_fail_one(w, el->x, "Sales invoice", "voided-in-xero",
                     "The invoice %.*s was voided or deleted in Xero.", STR_FMT(el->number));
    else if (el->lost.n > 0)
        fail_lost(w, el, el->lost);
    else
        check_total(w, el, v);
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

static enum work_next look_up_invoices(struct work *w, struct call *c)
{
    struct xero_answer a;
    struct xero_element *found = NULL;
    size_t n = 0;
    enum work_next next = read_invoices(w, c, "InvoiceNumbers", number_of, &a, &found, &n);

    for (size_t i = 0; i < c->n && next == WORK_GO; i++) {
        struct element *el = &c->elements[i];
        const struct xero_element *v = el->open ? pick(el, found, n) : NULL;

        if (v)
            adopt_invoice(w, el, v);
    }
    xero_answer_free(&a);
    return next;
}

static void unsure_invoice(struct work *w, const struct element *el)
{
    exp_record_document(w, el, NULL);
}

/* ---- voids ---- */

static void write_void(struct js_out *out, const struct element *el)
{
    jw_begin_object(out);
    jw_kstr(out, "InvoiceID", el->invoice_id);
    jw_kstr(out, "Status", el->status);
    jw_end_object(out);
}

static void voided(struct work *w, struct element *el, const struct xero_element *v)
{
    el->open = false;
    exp_record_document(w, el, v);
    if (el->x)
        el->x->voided = true;
}

static void apply_void(struct work *w, struct element *el, const struct xero_element *v)
{
    if (v->ok)
        voided(w, el, v);
    else if (!doubtful(w, el, v, "status-locked", "") && el->x)
        exp_refused(w, el->x, "Sales invoice", v->messages, v->message_count);
}

static enum work_next look_up_voids(struct work *w, struct call *c)
{
    struct xero_answer a;
    struct xero_element *found = NULL;
    size_t n = 0;
    enum work_next next = read_invoices(w, c, "IDs", invoice_id_of, &a, &found, &n);

    for (size_t i = 0; i < c->n && next == WORK_GO; i++) {
        struct element *el = &c->elements[i];

        for (size_t k = 0; k < n && el->open; k++)
            if (str_eq(found[k].id, el->invoice_id) && is_gone(found[k].status))
                voided(w, el, &found[k]);
    }
    xero_answer_free(&a);
    return next;
}

/* ---- payments ---- */

static void write_payment(struct js_out *out, const struct element *el)
{
    inv_write_payment(out, el->payment, el->invoice_id, false);
}

static void apply_payment(struct work *w, struct element *el, const struct xero_element *v)
{
    if (v->ok && v->id.n > 0)
        exp_record_payment(w, el, v->id);
    else if (!doubtful(w, el, v, "payment-too-large", "payment-not-allowed") && el->x)
        exp_refused(w, el->x, "Payment", v->messages, v->message_count);
}

static bool same_amount(struct str a, struct str b, struct str currency)
{
    struct money x, y;
    char code[4];

    return mon_currency(currency, code, NULL) == ERR_OK && mon_parse(a, code, &x, NULL) == ERR_OK &&
           mon_parse(b, code, &y, NULL) == ERR_OK && mon_cmp(x, y) == 0;
}

/* Ours by reference and amount; or nothing is due any more, because a person settled it. */
static void adopt_payment(struct work *w, struct element *el, const struct xero_element *invoice)
{
    const struct js_value *list = js_get(invoice->value, "Payments");

    for (size_t i = 0; i < js_len(list); i++) {
        const struct js_value *p = js_at(list, i);
        struct str reference, amount, id;

        if (js_text(js_get(p, "Reference"), &reference) && js_text(js_get(p, "Amount"), &amount) &&
            js_text(js_get(p, "PaymentID"), &id) && str_eq(reference, el->reference) &&
            same_amount(amount, el->total, el->currency)) {
            el->open = false;
            exp_record_payment(w, el, arena_str(&w->arena, id));
            return;
        }
    }
    if (el->doubt_count > 0 && same_amount(invoice->amount_due, STR("0"), el->currency)) {
        el->open = false;
        if (el->x)
            el->x->settled_by_hand = true;
    }
}

static enum work_next look_up_payments(struct work *w, struct call *c)
{
    struct xero_answer a;
    struct xero_element *found = NULL;
    size_t n = 0;
    enum work_next next = read_invoices(w, c, "IDs", invoice_id_of, &a, &found, &n);

    for (size_t i = 0; i < c->n && next == WORK_GO; i++) {
        struct element *el = &c->elements[i];

        for (size_t k = 0; k < n && el->open; k++)
            if (str_eq(found[k].id, el->invoice_id))
                adopt_payment(w, el, &found[k]);
    }
    xero_answer_free(&a);
    return next;
}

static void unsure_payment(struct work *w, const struct element *el)
{
    exp_record_payment(w, el, STR(""));
}

/* ---- the table ---- */

const struct call_kind exp_invoices = {"invoices",
                                       "PUT",
                                       "Invoices?summarizeErrors=false&unitdp=4",
                                       "Invoices",
                                       "Sales invoice",
                                       write_invoice,
                                       apply_invoice,
                                       look_up_invoices,
                                       unsure_invoice};
const struct call_kind exp_voids = {
    "voids",    "POST",          "Invoices?summarizeErrors=false&unitdp=4",
    "Invoices", "Sales invoice", write_void,
    apply_void, look_up_voids,   NULL};
const struct call_kind exp_payments = {"payments",
                                       "PUT",
                                       "Payments?summarizeErrors=false",
                                       "Payments",
                                       "Payment",
                                       write_payment,
                                       apply_payment,
                                       look_up_payments,
                                       unsure_payment};
