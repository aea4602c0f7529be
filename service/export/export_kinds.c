/*
 * DESIGN: every document carries a mark that can be computed again: an invoice its number and the
 * order's link, a credit note its number, a payment its reference and amount on its document, an
 * allocation its amount between its two. So whatever an answer leaves in doubt is looked up by
 * these, and what is found is ours only if the mark is. Where Xero says that a number is taken,
 * that nothing is left to pay, or that a status cannot change any more, the document may well be
 * our own from a lost answer: those are doubts too, not refusals.
 */
#include "service/export/export.h"
#include "service/export/export_work.h"
#include "service/sync/catalogue.h"

/* Xero's front end answers 404 to a query of more than 2,048 bytes; one number of 255 may have
 * more when it is percent-encoded, and stands alone then. */
#define QUERY_MOST 2048
#define QUERY_TAIL "&unitdp=4&page=1&pageSize=100"
#define PATH_ROOM (8u << 10)

const struct call_kind *exp_kind(struct str name)
{
    static const struct call_kind *const kinds[] = {&exp_contacts, &exp_invoices,   &exp_updates,
                                                    &exp_voids,    &exp_notes,      &exp_note_voids,
                                                    &exp_payments, &exp_allocations};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (str_eq(name, str_of(kinds[i]->name)))
            return kinds[i];
    }
    return NULL;
}

/* ---- doubts ---- */

void exp_keep_doubts(struct work *w, struct element *el, const struct xero_element *v)
{
    el->doubts = arena_array(&w->arena, v->message_count, sizeof(*el->doubts));
    el->doubt_count = v->message_count;
    for (size_t i = 0; i < v->message_count; i++)
        el->doubts[i] = arena_str(&w->arena, v->messages[i]);
}

bool exp_is_row(struct str message, const char *id)
{
    return strcmp(cat_match(message)->id, id) == 0;
}

bool exp_doubtful(struct work *w, struct element *el, const struct xero_element *v, const char *a,
                  const char *b)
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

/* ---- asking ---- */

static bool of_notes(enum ask how)
{
    return how == ASK_NOTE_NUMBERS || how == ASK_NOTE_IDS;
}

/* How a document is called where it is asked for. */
static struct str asked_by(const struct element *el, enum ask how)
{
    if (how == ASK_INVOICE_NUMBERS || how == ASK_NOTE_NUMBERS)
        return el->number;
    return how == ASK_NOTE_IDS && el->note_id.n > 0 ? el->note_id : el->invoice_id;
}

static bool is_asked(const struct element *el, enum ask how)
{
    return el->open && el->x && of_notes(how) == (exp_is_note(el) || el->note_id.n > 0);
}

/* A text inside a filter, in its quotes. */
static void add_quoted(struct buf *path, struct str text)
{
    struct buf quoted = BUF_CAP(PATH_ROOM);

    buf_addc(&quoted, '"');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"' || text.p[i] == '\\')
            buf_addc(&quoted, '\\');
        buf_addc(&quoted, text.p[i]);
    }
    buf_addc(&quoted, '"');
    buf_add_percent(path, buf_str(&quoted));
    buf_free(&quoted);
}

/* One document in a question. */
static void add_key(struct buf *path, struct str key, enum ask how, bool first)
{
    if (of_notes(how))
        buf_addz(path, first ? "" : "%20OR%20");
    else
        buf_addz(path, first ? "" : ",");
    if (how == ASK_NOTE_NUMBERS) {
        buf_addz(path, "CreditNoteNumber==");
        add_quoted(path, key);
    } else if (how == ASK_NOTE_IDS) {
        buf_addz(path, "CreditNoteID==Guid(");
        add_quoted(path, key);
        buf_addc(path, ')');
    } else {
        buf_add_percent(path, key);
    }
}

/* Whether one of the elements from FROM up to I asks for the same document. */
static bool is_asked_before(const struct element *elements, size_t from, size_t i, enum ask how)
{
    for (size_t k = from; k < i; k++)
        if (is_asked(&elements[k], how) &&
            str_eq(asked_by(&elements[k], how), asked_by(&elements[i], how)))
            return true;
    return false;
}

/* A question for as many of N elements from FROM on as it has room for. Returns the first that it
 * does not cover; PATH stays empty if none of them is asked for. */
static size_t compose(struct buf *path, const struct element *elements, size_t from, size_t n,
                      enum ask how)
{
    static const char *const heads[] = {
        "Invoices?InvoiceNumbers=", "Invoices?IDs=", "CreditNotes?where=", "CreditNotes?where="};
    struct buf one = BUF_CAP(PATH_ROOM);
    size_t i = from;

    buf_reset(path);
    for (; i < n; i++) {
        bool first = path->n == 0;

        if (!is_asked(&elements[i], how) || is_asked_before(elements, from, i, how))
            continue;
        buf_reset(&one);
        add_key(&one, asked_by(&elements[i], how), how, first);
        if (!first && path->n + one.n + strlen(QUERY_TAIL) > QUERY_MOST)
            break;
        buf_addz(path, first ? heads[how] : "");
        buf_add_str(path, buf_str(&one));
    }
    if (path->n > 0)
        buf_addz(path, QUERY_TAIL);
    buf_free(&one);
    return i;
}

/* One question and its answer. */
static enum work_next ask_once(struct work *w, const char *path, enum ask how,
                               struct xero_answer *a, struct xero_element **found, size_t *count)
{
    struct errinfo info = {0};
    enum work_next next = exp_send(w, "GET", path, NULL, a);

    *count = 0;
    if (next != WORK_GO ||
        (a->verdict == XERO_ANSWERED && xero_elements(a, of_notes(how) ? "CreditNotes" : "Invoices",
                                                      found, count, &info) == ERR_OK))
        return next;
    /* A look-up that is refused tells nothing: it may not be taken for "there is none". */
    exp_hold(w, exp_down_ms(w), "Xero does not answer look-ups: %.*s",
             STR_FMT(str_cut(a->message, 200)));
    return WORK_HAND_BACK;
}

enum work_next exp_ask(struct work *w, struct element *elements, size_t n, enum ask how,
                       exp_see_fn *see)
{
    struct buf path = BUF_CAP(PATH_ROOM);
    enum work_next next = WORK_GO;

    for (size_t from = 0, end = 0; from < n && next == WORK_GO; from = end) {
        struct xero_element *found = NULL;
        struct xero_answer a = {0};
        size_t count = 0;

        end = compose(&path, elements, from, n, how);
        if (path.n > 0)
            next = ask_once(w, buf_z(&path), how, &a, &found, &count);
        for (size_t i = from; i < end && next == WORK_GO; i++)
            if (is_asked(&elements[i], how))
                see(w, &elements[i], found, count);
        xero_answer_free(&a);
    }
    buf_free(&path);
    return next;
}

const struct xero_element *exp_find(const struct xero_element *found, size_t count, struct str id)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq_nocase(found[i].id, id))
            return &found[i];
    return NULL;
}

/* ---- amounts ---- */

bool exp_same_amount(struct str a, struct str b, struct str currency)
{
    struct money x = exp_money(a, currency), y = exp_money(b, currency);

    return x.currency[0] && y.currency[0] && mon_cmp(x, y) == 0;
}

void exp_check_total(struct work *w, const struct call_kind *kind, const struct element *el,
                     const struct xero_element *v)
{
    bool sale = str_eq(el->doc, STR("invoice"));

    if (!el->x || (exp_same_amount(v->total, el->total, el->currency) &&
                   exp_same_amount(v->total_tax, el->tax, el->currency)))
        return;
    exp_doc(w, el->x, el->doc)->bad = true;
    exp_doc_failed(w, kind, el, "total-does-not-reconcile",
                   "Xero's total of %s %.*s is %.*s %.*s with %.*s tax, and %s is %.*s %.*s with "
                   "%.*s tax.",
                   exp_is_note(el) ? "credit note" : "invoice", STR_FMT(el->number),
                   STR_FMT(v->total), STR_FMT(el->currency), STR_FMT(v->total_tax),
                   sale ? "the order's" : "what was sent", STR_FMT(el->total),
                   STR_FMT(el->currency), STR_FMT(el->tax));
}

/* ---- writing ---- */

struct str exp_contact(const struct work_order *x)
{
    const struct inv_known_doc *sale = exp_live(x, STR("invoice"));

    return sale && sale->contact_id.n > 0 ? sale->contact_id : x->contact_id;
}

void exp_write_document(struct js_out *out, const struct element *el)
{
    inv_write_document(out, el->document, exp_contact(el->x));
}

void exp_write_void(struct js_out *out, const struct element *el)
{
    jw_begin_object(out);
    jw_kstr(out, exp_is_note(el) ? "CreditNoteID" : "InvoiceID", el->invoice_id);
    jw_kstr(out, "Status", el->status);
    jw_end_object(out);
}
