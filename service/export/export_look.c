/*
 * DESIGN: before lines change or a document is voided, the order's documents are looked at, all of
 * the lease's at once. What a person did there is never overwritten: the builder gets it told and
 * leaves the document alone. Nothing that a look shows is kept but a status and a contact.
 */
#include "service/base/log.h"
#include "service/export/export.h"
#include "service/export/export_work.h"
#include "service/sync/catalogue.h"

/* A contact that was merged into one that was merged into one... */
#define MERGERS_MOST 10

/* Documents of orders, as elements to ask for. */
struct asked {
    struct element *rows;
    size_t n;
};

static void ask_for(struct asked *a, struct work_order *x, const struct inv_known_doc *doc)
{
    a->rows[a->n++] = (struct element){.x = x,
                                       .open = true,
                                       .doc = doc->name,
                                       .list = doc->credit ? STR("CreditNotes") : STR("Invoices"),
                                       .number = doc->number,
                                       .invoice_id = doc->id,
                                       .currency = str_of(doc->total.currency)};
}

static struct asked room_for_all(struct work *w)
{
    size_t room = 1;

    for (size_t i = 0; i < w->count; i++)
        room += w->orders[i].known.doc_count;
    return (struct asked){.rows = arena_array(&w->arena, room, sizeof(struct element))};
}

static enum work_next look_at(struct work *w, const struct asked *a, exp_see_fn *see)
{
    enum work_next next = exp_ask(w, a->rows, a->n, ASK_INVOICE_IDS, see);

    return next == WORK_GO ? exp_ask(w, a->rows, a->n, ASK_NOTE_IDS, see) : next;
}

/* ---- before anything is changed ---- */

/* Whether a later document is to be made and nobody knows for whom. */
static bool lacks_contact(const struct work_order *x)
{
    const struct inv_known_doc *sale = exp_live(x, STR("invoice"));

    if (!sale || sale->contact_id.n > 0)
        return false;
    for (size_t i = 0; i < x->wanted.doc_count; i++)
        if (x->wanted.docs[i].action == INV_CREATE)
            return true;
    return false;
}

/* What is paid and credited on document NAME by what is recorded as ours. */
static struct money ours(const struct work_order *x, const struct inv_known_doc *doc,
                         const char *currency)
{
    const struct inv_known *known = &x->known;
    struct money sum = mon_zero(currency);
    enum err e = ERR_OK;

    for (size_t i = 0; i < known->payment_count && e == ERR_OK; i++)
        if (str_eq(known->payments[i].doc, doc->name))
            e = mon_add(sum, known->payments[i].amount, &sum);
    for (size_t i = 0; i < known->allocation_count && e == ERR_OK; i++)
        if (str_eq(known->allocations[i].doc, doc->name) ||
            str_eq(known->allocations[i].note, doc->name))
            e = mon_add(sum, known->allocations[i].amount, &sum);
    return e == ERR_OK ? sum : mon_zero(currency);
}

/* What others than us paid or credited. */
static struct money foreign(const struct work_order *x, const struct inv_known_doc *doc,
                            const struct shown *s)
{
    struct money m = mon_zero(s->currency);

    if (mon_sub(s->settled, ours(x, doc, s->currency), &m) != ERR_OK || m.units < 0)
        m = mon_zero(s->currency);
    return m;
}

static void see(struct work *w, struct element *el, const struct xero_element *found, size_t n)
{
    const struct xero_element *v = exp_find(found, n, el->invoice_id);
    struct work_order *x = el->x;
    struct inv_known_doc doc = *inv_known_doc(&x->known, el->doc);
    bool news;
    struct shown s;

    if (!v) {
        doc.changes =
            str_of(arena_printf(&w->arena, "%s %.*s is no longer in Xero.",
                                doc.credit ? "Credit note" : "Invoice", STR_FMT(doc.number)));
        exp_know(w, x, &doc);
        return;
    }
    exp_show(w, v, doc.credit, el->currency, &s);
    news = !str_eq(doc.status, s.status) || doc.contact_id.n == 0;
    doc.status = arena_str(&w->arena, s.status);
    doc.gone = s.gone;
    if (doc.contact_id.n == 0)
        doc.contact_id = arena_str(&w->arena, s.contact_id);
    doc.changes = exp_changes(w, x, &doc, &s);
    doc.foreign = foreign(x, &doc, &s);
    if (s.contact_id.n > 0 && !str_eq_nocase(s.contact_id, doc.contact_id))
        exp_doc(w, x, doc.name)->moved = arena_str(&w->arena, s.contact_id);
    exp_know(w, x, &doc);
    if (news)
        exp_record_known(w, x, doc.name);
    if (doc.gone)
        exp_forget_settled(w, x, doc.name);
}

/* ---- contacts that were merged ---- */

/* A document that goes to another contact now. AT: where the search for it has come to. */
struct move {
    struct work_order *x;
    struct str name, to, at;
    bool open;
};

static struct move *list_moves(struct work *w, size_t *n)
{
    size_t room = 1;
    struct move *moves;

    for (size_t i = 0; i < w->count; i++)
        room += w->orders[i].known.doc_count;
    moves = arena_array(&w->arena, room, sizeof(*moves));
    *n = 0;
    for (size_t i = 0; i < w->count; i++) {
        struct work_order *x = &w->orders[i];

        for (size_t k = 0; k < x->known.doc_count && x->looks; k++) {
            const struct inv_known_doc *doc = &x->known.docs[k];
            struct str to = exp_doc(w, x, doc->name)->moved;

            if (to.n > 0 && !doc->gone)
                moves[(*n)++] = (struct move){x, doc->name, to, doc->contact_id, true};
        }
    }
    return moves;
}

/* It goes where its contact went, or where a person put it. */
static void end_move(struct work *w, struct move *m, bool merged)
{
    struct inv_known_doc doc = *inv_known_doc(&m->x->known, m->name);

    m->open = false;
    exp_doc(w, m->x, m->name)->moved = STR("");
    if (merged)
        doc.contact_id = m->to;
    else
        doc.changes = str_of(arena_printf(&w->arena, "%.*s%sIts contact is another one there.",
                                          STR_FMT(doc.changes), doc.changes.n > 0 ? " " : ""));
    exp_know(w, m->x, &doc);
    if (merged)
        exp_record_known(w, m->x, m->name);
}

/* One step: what the contacts that MOVES have come to were merged into. */
static enum work_next follow(struct work *w, struct move *moves, size_t n)
{
    struct buf path = BUF_CAP(LIM_XERO_BATCH * 64 + 100);
    struct xero_element *found = NULL;
    struct xero_answer a;
    struct errinfo info = {0};
    enum work_next next;
    size_t count = 0;

    buf_addz(&path, "Contacts?IDs=");
    for (size_t i = 0; i < n; i++)
        buf_printf(&path, "%s%.*s", i > 0 ? "," : "", STR_FMT(moves[i].at));
    buf_addz(&path, "&includeArchived=true&page=1&pageSize=100");
    next = exp_send(w, "GET", buf_z(&path), NULL, &a);
    if (next == WORK_GO && (a.verdict != XERO_ANSWERED ||
                            xero_elements(&a, "Contacts", &found, &count, &info) != ERR_OK)) {
        exp_hold(w, exp_down_ms(w), "Xero does not answer look-ups: %.*s",
                 STR_FMT(str_cut(a.message, 200)));
        next = WORK_HAND_BACK;
    }
    for (size_t i = 0; i < n && next == WORK_GO; i++) {
        const struct xero_element *v = exp_find(found, count, moves[i].at);
        struct str into = STR("");

        if (!v || !js_text(js_get(v->value, "MergedToContactID"), &into) || into.n == 0)
            end_move(w, &moves[i], false);
        else if (str_eq_nocase(into, moves[i].to))
            end_move(w, &moves[i], true);
        else
            moves[i].at = arena_str(&w->arena, into);
    }
    xero_answer_free(&a);
    buf_free(&path);
    return next;
}

/* A document of a contact that was merged moves with it, which is no change of the document. */
static enum work_next follow_mergers(struct work *w)
{
    size_t n = 0;
    struct move *moves = list_moves(w, &n);
    enum work_next next = WORK_GO;

    for (int step = 0; step < MERGERS_MOST && n > 0 && next == WORK_GO; step++) {
        size_t left = 0;

        for (size_t i = 0; i < n && next == WORK_GO; i += LIM_XERO_BATCH)
            next = follow(w, moves + i, n - i < LIM_XERO_BATCH ? n - i : LIM_XERO_BATCH);
        for (size_t i = 0; i < n; i++)
            if (moves[i].open)
                moves[left++] = moves[i];
        n = left;
    }
    for (size_t i = 0; i < n && next == WORK_GO; i++)
        end_move(w, &moves[i], false);
    return next;
}

/* ---- the look ---- */

enum work_next exp_look_first(struct work *w)
{
    struct asked a = room_for_all(w);
    enum work_next next;

    for (size_t i = 0; i < w->count; i++) {
        struct work_order *x = &w->orders[i];

        x->looks = !x->ended && !x->known.looked && (x->wanted.look_first || lacks_contact(x));
        for (size_t k = 0; k < x->known.doc_count && x->looks; k++)
            if (!x->known.docs[k].gone)
                ask_for(&a, x, &x->known.docs[k]);
    }
    next = look_at(w, &a, see);
    if (next == WORK_GO)
        next = follow_mergers(w);
    for (size_t i = 0; i < w->count && next == WORK_GO; i++) {
        if (!w->orders[i].looks)
            continue;
        w->orders[i].known.looked = true;
        exp_build(w, &w->orders[i]);
    }
    return next;
}

/* ---- documents that Xero stored without all of their data ---- */

static bool is_draft(const struct xero_element *v)
{
    return str_eq(v->status, STR("DRAFT")) || str_eq(v->status, STR("SUBMITTED"));
}

bool exp_lacks_account(const struct xero_element *v)
{
    const struct js_value *lines = js_get(v->value, "LineItems");
    struct str code;

    for (size_t i = 0; is_draft(v) && i < js_len(lines); i++)
        if (!js_text(js_get(js_at(lines, i), "AccountCode"), &code) || code.n == 0)
            return true;
    return false;
}

/* What Xero approves is whole; of what is still a draft only the accounts can be seen. */
static bool is_mended(struct str lost, const struct xero_element *v)
{
    return !is_draft(v) || (exp_is_row(lost, "account-removed") && !exp_lacks_account(v));
}

void exp_fail_lost(struct work *w, const struct element *el)
{
    const struct call_kind *kind = exp_is_note(el) ? &exp_notes : &exp_invoices;
    bool account = exp_is_row(el->lost, "account-removed");

    exp_doc(w, el->x, el->doc)->bad = true;
    exp_doc_failed(w, kind, el, cat_match(el->lost)->id,
                   "Xero holds the draft %.*s %s%.*s. A draft is not updated from here: mend %s in "
                   "Xero, then export again.",
                   STR_FMT(el->number),
                   account ? "with a line that has no account" : "without what was sent: ",
                   STR_FMT(account ? STR("") : str_cut(el->lost, 400)),
                   account ? "that line" : "and approve it");
}

static void see_lost(struct work *w, struct element *el, const struct xero_element *found, size_t n)
{
    const struct xero_element *v = exp_find(found, n, el->invoice_id);
    struct str lost = exp_doc(w, el->x, el->doc)->lost;

    if (v && (exp_is_gone(v->status) || is_mended(lost, v))) {
        exp_record_document(w, el, v);
        if (exp_is_gone(v->status))
            exp_doc_failed(w, exp_is_note(el) ? &exp_notes : &exp_invoices, el, "voided-in-xero",
                           "The %s %.*s was voided or deleted in Xero.",
                           exp_is_note(el) ? "credit note" : "invoice", STR_FMT(el->number));
        return;
    }
    el->lost = lost;
    exp_fail_lost(w, el);
}

static bool is_to_be_void(const struct work_order *x, struct str name)
{
    const struct inv_document *doc = inv_wanted_doc(&x->wanted, name);

    return !doc || doc->action == INV_VOID;
}

enum work_next exp_look_at_lost(struct work *w)
{
    struct asked a = room_for_all(w);

    for (size_t i = 0; i < w->count; i++) {
        struct work_order *x = &w->orders[i];

        for (size_t k = 0; k < x->known.doc_count && !x->ended; k++) {
            const struct inv_known_doc *doc = &x->known.docs[k];

            if (exp_doc(w, x, doc->name)->lost.n > 0 && !doc->gone && !is_to_be_void(x, doc->name))
                ask_for(&a, x, doc);
        }
    }
    return look_at(w, &a, see_lost);
}
