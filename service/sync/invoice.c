#include "service/sync/invoice.h"

#include <stdio.h>

#include "service/sync/invoice_books.h"

const char *inv_doc_text(enum inv_doc d)
{
    static const char *const texts[] = {
        [INV_DOC_INVOICE] = "Sales invoice",
        [INV_DOC_CREDIT_NOTE] = "Credit note",
        [INV_DOC_PAYMENT] = "Payment",
        [INV_DOC_CONTACT] = "Contact",
    };

    return texts[d];
}

void *inv_grown(struct arena *arena, void *rows, size_t count, size_t *room, size_t size)
{
    void *larger;

    if (count < *room)
        return rows;
    *room = *room ? 2 * *room : 4;
    larger = arena_array(arena, *room, size);
    if (count > 0)
        memcpy(larger, rows, count * size);
    return larger;
}

/* ---- problems ---- */

void inv_fail(struct inv_work *w, enum inv_doc doc, const char *catalogue, const char *fmt, ...)
{
    char text[1024];
    struct str s;
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    s = str_cut(str_of(text), sizeof text);
    for (size_t i = 0; i < w->problem_count; i++)
        if (str_eq(w->problems[i].text, s))
            return;
    w->problems =
        inv_grown(w->arena, w->problems, w->problem_count, &w->problem_room, sizeof *w->problems);
    w->problems[w->problem_count++] = (struct inv_problem){doc, catalogue, arena_str(w->arena, s)};
}

struct str inv_find(const struct inv_map *map, struct str key, bool nocase)
{
    for (size_t i = 0; i < map->count && key.n > 0; i++)
        if (nocase ? str_eq_nocase(map->pairs[i].key, key) : str_eq(map->pairs[i].key, key))
            return map->pairs[i].value;
    return (struct str){NULL, 0};
}

/* ---- the whole ---- */

static bool has_invoice_problem(const struct inv_work *w)
{
    for (size_t i = 0; i < w->problem_count; i++)
        if (w->problems[i].doc == INV_DOC_INVOICE)
            return true;
    return false;
}

const struct inv_document *inv_wanted_doc(const struct inv_wanted *wanted, struct str name)
{
    for (size_t i = 0; i < wanted->doc_count; i++)
        if (str_eq(wanted->docs[i].name, name))
            return &wanted->docs[i];
    return NULL;
}

/* What is decided rests on what Xero holds: a document is changed, voided, or followed by another.
 */
static bool rests_on_xero(const struct inv_books *b)
{
    bool known = false, later = false;

    for (size_t i = 0; i < b->entry_count; i++) {
        const struct inv_entry *e = &b->entries[i];

        if (e->known && (e->doc.action == INV_UPDATE || e->doc.action == INV_VOID))
            return true;
        known = known || e->known;
        later = later || (!e->known && i > 0 && *e->doc.name.p != 'R');
    }
    return known && later;
}

static void close_books(const struct inv_books *b, struct inv_wanted *out)
{
    struct inv_document *docs = arena_array(b->w->arena, b->entry_count, sizeof *docs);

    for (size_t i = 0; i < b->entry_count; i++)
        if (b->entries[i].doc.name.n > 0)
            docs[out->doc_count++] = b->entries[i].doc;
    out->docs = docs;
    out->nothing = out->doc_count == 0;
    out->look_first = !b->w->known->looked && rests_on_xero(b);
    out->payments = b->payments;
    out->payment_count = b->payment_count;
    out->allocations = b->allocations;
    out->allocation_count = b->allocation_count;
    out->wait_for_split = b->wait_for_split;
}

/* Each step rests on those before it. A problem of the invoice ends them: nothing may be sent. */
static enum err fill_books(struct inv_books *b, const char *order_link)
{
    RETURN_IF(inv_state_vat(b->w));
    inv_go_on_as_written(b->w);
    RETURN_IF(inv_open_books(b, order_link));
    if (has_invoice_problem(b->w))
        return ERR_OK;
    RETURN_IF(inv_take_back_unsaid(b));
    RETURN_IF(inv_read_money(b));
    RETURN_IF(inv_make_sale(b));
    RETURN_IF(inv_make_refunds(b));
    RETURN_IF(inv_make_differences(b));
    if (has_invoice_problem(b->w))
        return ERR_OK;
    RETURN_IF(inv_make_payments(b));
    RETURN_IF(inv_make_paybacks(b));
    return inv_make_allocations(b);
}

enum err inv_build(const struct order *o, const struct inv_settings *s,
                   const struct inv_known *known, const char *order_link, struct arena *arena,
                   struct inv_wanted *out, struct errinfo *info)
{
    struct inv_work w = {.o = o, .s = s, .known = known, .arena = arena, .info = info};
    struct inv_books b = {.w = &w};
    enum err e;

    *out = (struct inv_wanted){.nothing = false};
    inv_make_contact(&w, &out->contact);
    e = fill_books(&b, order_link);
    close_books(&b, out);
    out->problems = w.problems;
    out->problem_count = w.problem_count;
    if (e != ERR_OK && info->text[0] == '\0')
        err_ignore(err_set(info, e, "The amounts of order %.*s cannot be added up: %s.",
                           STR_FMT(o->name), err_text(e)),
                   "the code is returned below");
    return e;
}
