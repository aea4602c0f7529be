#include "service/sync/invoice.h"

#include "service/sync/invoice_books.h"

/* ---- new documents ---- */

void inv_late_day(const struct inv_books *b, const char *day, const char *doc_day, char out[11])
{
    const char *open = b->w->s->lock_next_open_day ? b->w->known->open_from : "";

    if (strcmp(day, doc_day) < 0)
        day = doc_day;
    memcpy(out, strcmp(day, open) < 0 ? open : day, 11);
}

/* The number of what takes the place of a document that is gone: "mugs-1050-2" for BASE, then
 * "mugs-1050-3"; Xero never gives a number again. */
static struct str next_number(struct inv_books *b, struct str base, struct str name)
{
    const struct inv_known_doc *gone = inv_known_doc(b->w->known, name);
    int64_t n = 1;

    if (!gone || !gone->gone)
        return base;
    if (gone->number.n > base.n + 1 && str_starts(gone->number, base) &&
        !str_int64((struct str){gone->number.p + base.n + 1, gone->number.n - base.n - 1}, &n))
        n = 1;
    return str_of(
        arena_printf(b->w->arena, "%.*s-%lld", STR_FMT(base), (long long)(n > 0 ? n + 1 : 2)));
}

struct inv_entry *inv_add_entry(struct inv_books *b, struct str name, bool credit, const char *day)
{
    struct inv_entry *e = &b->entries[b->entry_count++];
    const struct inv_document *sale = &b->entries[0].doc;
    struct str number;

    *e = (struct inv_entry){.doc = b->head};
    number = str_of(arena_printf(b->w->arena, "%.*s-%.*s", STR_FMT(sale->number), STR_FMT(name)));
    e->doc.name = name;
    e->doc.credit = credit;
    e->doc.number = next_number(b, number, name);
    inv_set_date(b->w, day, &e->doc);
    if (strcmp(e->doc.date, sale->date) < 0)
        memcpy(e->doc.date, sale->date, sizeof e->doc.date);
    if (credit)
        e->doc.due_date[0] = '\0';
    else if (strcmp(e->doc.due_date, e->doc.date) < 0)
        memcpy(e->doc.due_date, e->doc.date, sizeof e->doc.due_date);
    return e;
}

enum err inv_set_lines(struct inv_books *b, struct inv_entry *e, const struct inv_line *lines,
                       size_t count)
{
    struct inv_document *doc = &e->doc;

    doc->lines = lines;
    doc->line_count = count;
    doc->total = doc->total_tax = inv_zero(b);
    for (size_t i = 0; i < count; i++) {
        RETURN_IF(inv_plus(&doc->total, lines[i].amount));
        RETURN_IF(inv_plus(&doc->total_tax, lines[i].tax));
    }
    if (!doc->inclusive)
        RETURN_IF(inv_plus(&doc->total, doc->total_tax));
    e->left = doc->total;
    return ERR_OK;
}

/* ---- the sale ---- */

static const struct inv_line *line_of(const struct inv_line *lines, size_t count, struct str key)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(lines[i].key, key))
            return &lines[i];
    return NULL;
}

static bool lines_differ(const struct inv_document *doc, const struct inv_lines *lines)
{
    if (doc->line_count != lines->count)
        return true;
    for (size_t i = 0; i < lines->count; i++) {
        const struct inv_line *now = &lines->rows[i];
        const struct inv_line *was = line_of(doc->lines, doc->line_count, now->key);

        if (!was || was->quantity != now->quantity || was->unit.units != now->unit.units ||
            was->discount.units != now->discount.units || was->amount.units != now->amount.units ||
            was->tax.units != now->tax.units)
            return true;
    }
    return false;
}

/* Fills the sale's entry: a new invoice, or the known one with other lines. */
static enum err write_sale(struct inv_books *b, const struct inv_lines *lines)
{
    struct inv_entry *e = &b->entries[0];
    const struct inv_document was = e->doc;
    struct inv_line *rows = arena_array(b->w->arena, lines->count, sizeof *rows);
    const struct inv_line *old;

    e->doc = b->head;
    inv_set_date(b->w, b->head.date, &e->doc);
    if (e->known) {
        e->doc.action = INV_UPDATE;
        e->doc.id = was.id;
        e->doc.number = was.number;
        if (was.date[0])
            memcpy(e->doc.date, was.date, sizeof was.date);
    } else {
        e->doc.number = next_number(b, b->head.number, STR("invoice"));
    }
    if (strcmp(e->doc.due_date, e->doc.date) < 0)
        memcpy(e->doc.due_date, e->doc.date, sizeof e->doc.due_date);
    for (size_t i = 0; i < lines->count; i++) {
        rows[i] = lines->rows[i];
        old = line_of(was.lines, was.line_count, rows[i].key);
        if (old)
            rows[i].item_id = old->item_id;
    }
    return inv_set_lines(b, e, rows, lines->count);
}

/* The shop keeps nothing of the order. What nothing was paid on is voided; what is locked is
 * credited by refunds and differences. */
static void drop_documents(struct inv_books *b)
{
    bool locked = false;

    for (size_t i = 0; i < b->entry_count; i++)
        locked = locked || (b->entries[i].known && inv_is_locked(b, &b->entries[i]));
    b->has_sale = locked && b->entries[0].known;
    if (locked || inv_is_changed(b))
        return;
    for (size_t i = 0; i < b->entry_count; i++)
        b->entries[i].doc.action = INV_VOID;
}

enum err inv_make_sale(struct inv_books *b)
{
    struct inv_entry *e = &b->entries[0];
    const struct inv_lines *lines = &b->left;

    if (b->dropped) {
        drop_documents(b);
        return ERR_OK;
    }
    if (!b->partial && (b->has_excess || mon_cmp(b->received, b->left.total) > 0) &&
        mon_cmp(b->sold.total, b->left.total) > 0)
        lines = &b->sold;
    if (!e->known) {
        b->has_sale = lines->count > 0 && !inv_is_withheld(b, INV_DOC_INVOICE, STR("invoice"));
        return b->has_sale ? write_sale(b, lines) : ERR_OK;
    }
    b->has_sale = true;
    if (b->frozen || inv_has_later(b) || inv_is_locked(b, e) || !lines_differ(&e->doc, lines) ||
        inv_is_changed(b))
        return ERR_OK;
    if (lines->count > 0)
        return write_sale(b, lines);
    e->doc.action = INV_VOID;
    b->has_sale = false;
    return ERR_OK;
}
