/*
 * DESIGN: the order's record says what Xero holds: a field for each document, payment and
 * allocation. A document is written down as Xero's own answer shows it, with the key of each line
 * beside the id that Xero gave it; so a later build knows what stands where, and a look can tell
 * what a person changed. The same fields with an empty id are marks of doubt: a call was made for
 * it and nobody knows its outcome.
 */
#include "service/export/export.h"
#include "service/export/export_work.h"

/* A document of LIM_ORDER_LINES lines; one that is larger is recorded without them. */
#define DOC_MAX LIM_API_BODY

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

/* ---- what is known ---- */

const struct inv_known_doc *exp_sale(const struct work_order *x)
{
    return inv_known_doc(&x->known, STR("invoice"));
}

const struct inv_known_doc *exp_live(const struct work_order *x, struct str name)
{
    const struct inv_known_doc *doc = inv_known_doc(&x->known, name);

    return doc && !doc->gone ? doc : NULL;
}

struct work_doc *exp_doc(struct work *w, struct work_order *x, struct str name)
{
    struct work_doc *d = x->docs;

    while (d && !str_eq(d->name, name))
        d = d->next;
    if (!d) {
        d = arena_alloc(&w->arena, sizeof(*d));
        *d = (struct work_doc){.next = x->docs, .name = name};
        x->docs = d;
    }
    return d;
}

bool exp_is_note(const struct element *el)
{
    return str_eq(el->list, STR("CreditNotes"));
}

struct str exp_amount(struct work *w, struct money m)
{
    return arena_str(&w->arena, str_of(mon_text(m).z));
}

void *exp_grown(struct work *w, const void *array, size_t n, size_t size)
{
    char *copy = arena_array(&w->arena, n + 1, size);

    if (n > 0)
        memcpy(copy, array, n * size);
    return copy;
}

void exp_know(struct work *w, struct work_order *x, const struct inv_known_doc *doc)
{
    struct inv_known *known = &x->known;
    struct inv_known_doc *docs = exp_grown(w, known->docs, known->doc_count, sizeof(*docs));
    size_t i = 0;

    while (i < known->doc_count && !str_eq(docs[i].name, doc->name))
        i++;
    docs[i] = *doc;
    known->docs = docs;
    known->doc_count += i == known->doc_count;
}

/* The document that mark "<transaction>@<document>" pays, with "-2" behind it for a second part;
 * without a document the sale. */
static struct str paid_by(struct str mark)
{
    struct str rest = mark, doc;

    (void)str_split(&rest, '@');
    doc = str_split(&rest, '-');
    return doc.n > 0 ? doc : STR("invoice");
}

static void know_payment(struct work *w, const struct element *el)
{
    struct inv_known *known = &el->x->known;
    struct inv_payment *all = exp_grown(w, known->payments, known->payment_count, sizeof(*all));
    struct money amount = exp_money(el->total, el->currency);

    if (amount.currency[0] == '\0')
        return;
    all[known->payment_count++] = (struct inv_payment){
        .mark = el->mark, .doc = paid_by(el->mark), .made = true, .amount = amount};
    known->payments = all;
}

/* Mark "<note>@<document>", of a second one of the pair with "-2" behind it. */
static void know_allocation(struct work *w, const struct element *el)
{
    struct inv_known *known = &el->x->known;
    struct inv_allocation *all =
        exp_grown(w, known->allocations, known->allocation_count, sizeof(*all));
    struct money amount = exp_money(el->total, el->currency);
    struct str rest = el->mark, note = str_split(&rest, '@'), doc = str_split(&rest, '-');

    if (amount.currency[0] == '\0')
        return;
    all[known->allocation_count++] = (struct inv_allocation){
        .mark = el->mark, .note = note, .doc = doc, .made = true, .amount = amount};
    known->allocations = all;
}

/* ---- elements as JSON ---- */

/* The members of an element that another process needs. */
static const struct {
    const char *name;
    size_t at;
} members[] = {
#define MEMBER(field)                                                                              \
    {                                                                                              \
#field, offsetof(struct element, field)                                                    \
    }
    MEMBER(doc),  MEMBER(list), MEMBER(number),   MEMBER(invoice_id), MEMBER(note_id),
    MEMBER(keys), MEMBER(url),  MEMBER(status),   MEMBER(currency),   MEMBER(total),
    MEMBER(tax),  MEMBER(mark), MEMBER(reference)
#undef MEMBER
};

void exp_write_members(struct js_out *out, const struct element *el)
{
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        const struct str *text = (const void *)((const char *)el + members[i].at);

        if (text->n > 0)
            jw_kstr(out, members[i].name, *text);
    }
}

struct str exp_text(const struct js_value *v, const char *key, struct arena *arena)
{
    struct str text = STR("");

    if (!js_text(js_get(v, key), &text))
        return STR("");
    return arena_str(arena, text);
}

void exp_read_members(struct work *w, const struct js_value *v, struct element *el)
{
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        struct str *text = (void *)((char *)el + members[i].at);

        *text = exp_text(v, members[i].name, &w->arena);
    }
}

/* What is in doubt behind the field NAME. */
static const struct call_kind *doubted(struct str *name, const struct element *el)
{
    static const struct {
        const char *prefix;
        const struct call_kind *kind;
    } kinds[] = {{"pay:", &exp_payments}, {"alloc:", &exp_allocations}, {"upd:", &exp_updates}};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct str prefix = str_of(kinds[i].prefix);

        if (str_starts(*name, prefix)) {
            *name = (struct str){name->p + prefix.n, name->n - prefix.n};
            return kinds[i].kind;
        }
    }
    return exp_is_note(el) ? &exp_notes : &exp_invoices;
}

void exp_read_doc(struct work *w, struct work_order *x, struct str name, const struct js_value *v)
{
    struct str id = exp_text(v, "id", &w->arena);
    struct element el = {.x = x};
    bool settles;

    /* Ids count for the organisation that they were made in. */
    if (!str_eq(exp_text(v, "tenant", &w->arena), str_of(w->conn.tenant)))
        return;
    exp_read_members(w, v, &el);
    el.kind = doubted(&name, &el);
    settles = el.kind == &exp_payments || el.kind == &exp_allocations;
    if (settles) {
        el.mark = name;
        el.doc = el.doc.n > 0 ? el.doc : paid_by(name);
        /* As they were called before there were credit notes. */
        el.total = el.total.n > 0 ? el.total : exp_text(v, "amount", &w->arena);
        el.invoice_id = el.invoice_id.n > 0 ? el.invoice_id : exp_text(v, "invoice", &w->arena);
    } else {
        el.doc = name;
    }
    if (id.n == 0) {
        el.open = true;
        x->doubts[x->doubt_count++] = el;
        if (js_type(js_get(v, "was")) == JS_OBJECT)
            exp_read_known(w, x, name, js_get(v, "was"));
    } else if (el.kind == &exp_payments) {
        know_payment(w, &el);
    } else if (el.kind == &exp_allocations) {
        know_allocation(w, &el);
    } else {
        exp_read_known(w, x, name, v);
    }
}

/* ---- writing ---- */

static void record(struct work *w, const struct work_order *x, struct str field, struct buf *json)
{
    exp_update(w, x, field, arena_str(&w->arena, buf_str(json)));
    buf_free(json);
}

void exp_record_known(struct work *w, struct work_order *x, struct str name)
{
    const struct inv_known_doc *doc = inv_known_doc(&x->known, name);
    struct buf json = BUF_CAP(DOC_MAX);
    struct js_out out;

    jw_init(&out, &json);
    exp_write_known(w, &out, doc, exp_doc(w, x, name), true);
    if (buf_check(&json) != ERR_OK) {
        buf_free(&json);
        json = BUF_CAP(DOC_MAX);
        jw_init(&out, &json);
        exp_write_known(w, &out, doc, exp_doc(w, x, name), false);
    }
    record(w, x, str_of(arena_printf(&w->arena, "doc:%.*s", STR_FMT(name))), &json);
}

void exp_record_document(struct work *w, const struct element *el, const struct xero_element *v)
{
    struct work_order *x = el->x;
    struct arena *a = &w->arena;
    const struct inv_known_doc *before;
    struct inv_known_doc doc;
    struct work_doc *d;
    struct shown s;

    if (!x)
        return;
    before = inv_known_doc(&x->known, el->doc);
    d = exp_doc(w, x, el->doc);
    exp_show(w, v, exp_is_note(el), el->currency, &s);
    doc = (struct inv_known_doc){.name = el->doc,
                                 .id = arena_str(a, s.id),
                                 .number = el->number.n > 0 ? el->number : arena_str(a, s.number),
                                 .status = arena_str(a, s.status),
                                 .credit = s.credit,
                                 .gone = s.gone,
                                 .withdrawn = s.gone && el->withdrawn,
                                 .contact_id = arena_str(a, s.contact_id),
                                 .total = s.total,
                                 .tax = s.tax,
                                 .inclusive = s.inclusive};
    memcpy(doc.date, s.date, sizeof(doc.date));
    memcpy(d->due, s.due, sizeof(d->due));
    exp_take_lines(w, el->keys, before, &s, &doc);
    d->reference = arena_str(a, s.reference);
    d->face = doc.has_lines ? exp_face(w, &s) : STR("");
    d->lost = el->lost;
    if (str_eq(el->doc, STR("invoice")) && x->store)
        d->manner = exp_manner(w, &x->settings);
    exp_know(w, x, &doc);
    exp_record_known(w, x, el->doc);
    if (doc.gone)
        exp_forget_settled(w, x, el->doc);
}

/* "doc:pay:<mark>" and its like. */
static struct str field_of(struct work *w, const char *prefix, const struct element *el)
{
    struct str name = el->mark.n > 0 ? el->mark : el->doc;

    return str_of(arena_printf(&w->arena, "%s%.*s", prefix, STR_FMT(name)));
}

static void record_settled(struct work *w, const char *prefix, const struct element *el,
                           struct str id)
{
    struct buf json = BUF_CAP(DOC_MAX);
    struct js_out out;

    jw_init(&out, &json);
    jw_begin_object(&out);
    jw_kstr(&out, "id", id);
    jw_kstr(&out, "amount", el->total);
    jw_kstr(&out, "currency", el->currency);
    jw_kz(&out, "tenant", w->conn.tenant);
    jw_end_object(&out);
    record(w, el->x, field_of(w, prefix, el), &json);
}

void exp_record_payment(struct work *w, const struct element *el, struct str id)
{
    if (!el->x)
        return;
    record_settled(w, exp_payments.mark, el, id);
    know_payment(w, el);
    exp_doc(w, el->x, paid_by(el->mark))->paid = true;
}

void exp_record_allocation(struct work *w, const struct element *el, struct str id)
{
    struct str rest = el->mark;

    if (!el->x)
        return;
    record_settled(w, exp_allocations.mark, el, id);
    know_allocation(w, el);
    exp_doc(w, el->x, str_split(&rest, '@'))->allocated = true;
}

static void delete_settled(struct work *w, const struct work_order *x, const struct call_kind *kind,
                           struct str mark)
{
    const struct element el = {.mark = mark};

    exp_update(w, x, field_of(w, kind->mark, &el), (struct str){NULL, 0});
}

void exp_forget_settled(struct work *w, struct work_order *x, struct str name)
{
    struct inv_known *known = &x->known;
    struct inv_payment *payments =
        arena_array(&w->arena, known->payment_count + 1, sizeof(*payments));
    struct inv_allocation *allocations =
        arena_array(&w->arena, known->allocation_count + 1, sizeof(*allocations));
    size_t p = 0, a = 0;

    for (size_t i = 0; i < known->payment_count; i++) {
        if (str_eq(known->payments[i].doc, name))
            delete_settled(w, x, &exp_payments, known->payments[i].mark);
        else
            payments[p++] = known->payments[i];
    }
    for (size_t i = 0; i < known->allocation_count; i++) {
        const struct inv_allocation *one = &known->allocations[i];

        if (str_eq(one->doc, name) || str_eq(one->note, name))
            delete_settled(w, x, &exp_allocations, one->mark);
        else
            allocations[a++] = *one;
    }
    known->payments = payments;
    known->payment_count = p;
    known->allocations = allocations;
    known->allocation_count = a;
}

/* ---- marks of doubt ---- */

/* The document that the one of EL is to replace; NULL: none. */
static const struct inv_known_doc *replaced(const struct call_kind *kind, const struct element *el)
{
    const struct inv_known_doc *doc = NULL;

    if (kind == &exp_invoices || kind == &exp_notes)
        doc = inv_known_doc(&el->x->known, el->doc);
    return doc && doc->gone ? doc : NULL;
}

void exp_mark(struct work *w, const struct call_kind *kind, const struct element *el)
{
    struct buf json = BUF_CAP(DOC_MAX);
    struct js_out out;

    if (!el->x || !kind->mark)
        return;
    jw_init(&out, &json);
    jw_begin_object(&out);
    jw_kz(&out, "id", "");
    jw_kz(&out, "tenant", w->conn.tenant);
    exp_write_members(&out, el);
    if (replaced(kind, el)) {
        jw_key(&out, "was");
        exp_write_known(w, &out, replaced(kind, el), exp_doc(w, el->x, el->doc), false);
    }
    jw_end_object(&out);
    record(w, el->x, field_of(w, kind->mark, el), &json);
}

void exp_forget(struct work *w, const struct call_kind *kind, const struct element *el)
{
    if (!el->x || !kind->mark)
        return;
    if (replaced(kind, el))
        exp_record_known(w, el->x, el->doc);
    else
        exp_update(w, el->x, field_of(w, kind->mark, el), (struct str){NULL, 0});
}
