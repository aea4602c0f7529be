#include "service/export/export_work.h"

/* A document's JSON: ids, numbers and amounts only. */
#define DOC_MAX (64u << 10)

void exp_update(struct work *w, const struct work_order *x, struct str field, struct str value)
{
    if (w->update_count == w->update_room) {
        size_t room = w->update_room ? 2 * w->update_room : 64;
        struct job_update *grown = arena_array(&w->arena, room, sizeof(*grown));

        if (w->update_count > 0)
            memcpy(grown, w->updates, w->update_count * sizeof(*grown));
        w->updates = grown;
        w->update_room = room;
    }
    w->updates[w->update_count++] = (struct job_update){x->o->key, field, value};
}

/* ---- reading ---- */

static struct str text_of(const struct js_value *v, const char *key, struct arena *arena)
{
    struct str text = STR("");

    if (!js_text(js_get(v, key), &text))
        return STR("");
    return arena_str(arena, text);
}

const struct inv_known_doc *exp_sale(const struct work_order *x)
{
    return inv_known_doc(&x->known, STR("invoice"));
}

struct str exp_amount(struct work *w, struct money m)
{
    return arena_str(&w->arena, str_of(mon_text(m).z));
}

/* A copy of the N elements of ARRAY with room for one more. */
static void *grown(struct work *w, const void *array, size_t n, size_t size)
{
    char *copy = arena_array(&w->arena, n + 1, size);

    if (n > 0)
        memcpy(copy, array, n * size);
    return copy;
}

/* TEXT as an amount; a zero without a currency if it is none. */
static struct money read_money(struct str text, struct str currency)
{
    struct money m;
    char code[4] = "";

    if (mon_currency(currency, code, NULL) != ERR_OK || mon_parse(text, code, &m, NULL) != ERR_OK)
        m = mon_zero("");
    return m;
}

/* Takes the document into what is known, in place of the one of its name. */
static void know_document(struct work *w, struct work_order *x, const struct inv_known_doc *doc)
{
    struct inv_known *known = &x->known;
    struct inv_known_doc *docs = grown(w, known->docs, known->doc_count, sizeof(*docs));
    size_t i = 0;

    while (i < known->doc_count && !str_eq(docs[i].name, doc->name))
        i++;
    docs[i] = *doc;
    known->docs = docs;
    known->doc_count += i == known->doc_count;
}

static void know_invoice(struct work *w, const struct element *el, struct str id, struct str total,
                         struct str status)
{
    struct inv_known_doc doc = {.name = el->doc,
                                .id = id,
                                .number = el->number,
                                .status = status,
                                .gone =
                                    str_eq(status, STR("VOIDED")) || str_eq(status, STR("DELETED")),
                                .total = read_money(total, el->currency)};

    el->x->lost = el->lost;
    know_document(w, el->x, &doc);
}

static void know_payment(struct work *w, const struct element *el)
{
    struct inv_known *known = &el->x->known;
    struct inv_payment *all = grown(w, known->payments, known->payment_count, sizeof(*all));
    struct money amount = read_money(el->total, el->currency);

    if (amount.currency[0] == '\0')
        return;
    all[known->payment_count++] =
        (struct inv_payment){.mark = el->mark, .doc = el->doc, .made = true, .amount = amount};
    known->payments = all;
}

void exp_read_doc(struct work *w, struct work_order *x, struct str name, const struct js_value *v)
{
    struct arena *a = &w->arena;
    struct str id = text_of(v, "id", a), status = text_of(v, "status", a);
    struct element el = {.x = x,
                         .open = true,
                         .doc = STR("invoice"),
                         .number = text_of(v, "number", a),
                         .invoice_id = text_of(v, "invoice", a),
                         .url = text_of(v, "url", a),
                         .status = status,
                         .currency = text_of(v, "currency", a),
                         .total = text_of(v, "total", a),
                         .tax = text_of(v, "tax", a),
                         .reference = text_of(v, "reference", a),
                         .lost = text_of(v, "lost", a)};
    bool payment = str_starts(name, STR("pay:"));

    /* Ids count for the organisation that they were made in. */
    if (!str_eq(text_of(v, "tenant", a), str_of(w->conn.tenant)))
        return;
    if (payment) {
        el.mark = (struct str){name.p + 4, name.n - 4};
        el.total = text_of(v, "amount", a);
    } else if (!str_eq(name, STR("invoice"))) {
        return;
    }
    if (id.n == 0)
        x->doubts[x->doubt_count++] = el;
    else if (payment)
        know_payment(w, &el);
    else
        know_invoice(w, &el, id, el.total, status);
}

/* ---- writing ---- */

static void record(struct work *w, const struct element *el, struct str field, struct buf *json)
{
    exp_update(w, el->x, field, arena_str(&w->arena, buf_str(json)));
    buf_free(json);
}

void exp_record_document(struct work *w, const struct element *el, const struct xero_element *v)
{
    struct buf json = BUF_CAP(DOC_MAX);
    struct str id = v ? v->id : STR(""), total = v ? v->total : el->total;
    struct str status = v ? v->status : el->status;
    struct js_out out;

    if (!el->x)
        return;
    jw_init(&out, &json);
    jw_begin_object(&out);
    jw_kstr(&out, "id", id);
    jw_kstr(&out, "number", el->number);
    jw_kz(&out, "tenant", w->conn.tenant);
    jw_kstr(&out, "total", total);
    jw_kstr(&out, "tax", v ? v->total_tax : el->tax);
    jw_kstr(&out, "currency", el->currency);
    jw_kstr(&out, "status", status);
    if (el->lost.n > 0)
        jw_kstr(&out, "lost", el->lost);
    if (!v)
        jw_kstr(&out, "url", el->url);
    jw_end_object(&out);
    record(w, el, STR("doc:invoice"), &json);
    if (v)
        know_invoice(w, el, arena_str(&w->arena, id), arena_str(&w->arena, total),
                     arena_str(&w->arena, status));
}

static struct str payment_field(struct work *w, const struct element *el)
{
    return str_of(arena_printf(&w->arena, "doc:pay:%.*s", STR_FMT(el->mark)));
}

void exp_record_payment(struct work *w, const struct element *el, struct str id)
{
    struct buf json = BUF_CAP(DOC_MAX);
    struct js_out out;

    if (!el->x)
        return;
    jw_init(&out, &json);
    jw_begin_object(&out);
    jw_kstr(&out, "id", id);
    jw_kstr(&out, "amount", el->total);
    jw_kstr(&out, "currency", el->currency);
    jw_kz(&out, "tenant", w->conn.tenant);
    if (id.n == 0) {
        jw_kstr(&out, "invoice", el->invoice_id);
        jw_kstr(&out, "reference", el->reference);
    }
    jw_end_object(&out);
    record(w, el, payment_field(w, el), &json);
    if (id.n > 0) {
        know_payment(w, el);
        el->x->paid = true;
    }
}

void exp_forget(struct work *w, const struct element *el)
{
    if (el->x)
        exp_update(w, el->x, el->mark.n > 0 ? payment_field(w, el) : STR("doc:invoice"),
                   (struct str){NULL, 0});
}
