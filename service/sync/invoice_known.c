#include "service/sync/invoice.h"

#include <stdlib.h>

#include "service/sync/invoice_books.h"

bool inv_is_live(const struct inv_entry *e)
{
    return e->doc.name.n > 0 && e->doc.action != INV_VOID;
}

/* ---- what is known ---- */

const struct inv_known_doc *inv_known_doc(const struct inv_known *known, struct str name)
{
    const struct inv_known_doc *gone = NULL;

    for (size_t i = 0; i < known->doc_count; i++) {
        if (!str_eq(known->docs[i].name, name))
            continue;
        if (!known->docs[i].gone)
            return &known->docs[i];
        gone = &known->docs[i];
    }
    return gone;
}

const struct inv_line *inv_written_line(const struct inv_known *known, struct str key)
{
    for (size_t i = 0; i < known->doc_count; i++) {
        const struct inv_known_doc *doc = &known->docs[i];

        for (size_t k = 0; k < doc->line_count && !doc->gone; k++)
            if (str_eq(doc->lines[k].key, key))
                return &doc->lines[k];
    }
    return NULL;
}

/* The sale, then A's, C's, R's, each by its number. */
static int compare_entries(const void *a, const void *b)
{
    static const char ranks[] = "iACR";
    const struct str x = ((const struct inv_entry *)a)->doc.name;
    const struct str y = ((const struct inv_entry *)b)->doc.name;
    const char *p = strchr(ranks, *x.p), *q = strchr(ranks, *y.p);

    if (p != q)
        return p < q ? -1 : 1;
    if (x.n != y.n)
        return x.n < y.n ? -1 : 1;
    return str_compare(x, y);
}

/* What is left of a document that Xero holds: less what was paid on it, paid out of it, or counted
 * against another, by us or others. */
static enum err count_left(const struct inv_books *b, struct inv_entry *e)
{
    const struct inv_known *k = b->w->known;

    e->left = e->doc.total;
    if (e->known->foreign.units > 0)
        RETURN_IF(inv_less(&e->left, e->known->foreign));
    for (size_t i = 0; i < k->payment_count; i++)
        if (str_eq(k->payments[i].doc, e->doc.name))
            RETURN_IF(inv_less(&e->left, k->payments[i].amount));
    for (size_t i = 0; i < k->allocation_count; i++)
        if (str_eq(k->allocations[i].note, e->doc.name) ||
            str_eq(k->allocations[i].doc, e->doc.name))
            RETURN_IF(inv_less(&e->left, k->allocations[i].amount));
    return ERR_OK;
}

/* A document that Xero holds, as it was written. */
static struct inv_entry known_entry(const struct inv_known_doc *k)
{
    struct inv_entry e = {.known = k,
                          .doc = {.name = k->name,
                                  .credit = k->credit,
                                  .action = INV_KEEP,
                                  .id = k->id,
                                  .number = k->number,
                                  .inclusive = k->inclusive,
                                  .lines = k->lines,
                                  .line_count = k->line_count,
                                  .total = k->total,
                                  .total_tax = k->tax}};

    memcpy(e.doc.date, k->date, sizeof e.doc.date);
    memcpy(e.doc.currency, k->total.currency, sizeof e.doc.currency);
    return e;
}

/* Place 0 is the sale's, whether there is one or not. */
static void open_entries(struct inv_books *b)
{
    const struct inv_known *k = b->w->known;

    b->entries =
        arena_array(b->w->arena, k->doc_count + b->w->o->refund_count + 4, sizeof *b->entries);
    b->entry_count = 1;
    for (size_t i = 0; i < k->doc_count; i++) {
        struct str name = k->docs[i].name;

        if (k->docs[i].gone || name.n == 0 || !strchr("iACR", *name.p))
            continue;
        if (str_eq(name, STR("invoice")))
            b->entries[0] = known_entry(&k->docs[i]);
        else
            b->entries[b->entry_count++] = known_entry(&k->docs[i]);
    }
    qsort(b->entries + 1, b->entry_count - 1, sizeof *b->entries, compare_entries);
}

bool inv_has_later(const struct inv_books *b)
{
    for (size_t i = 1; i < b->entry_count; i++)
        if (*b->entries[i].doc.name.p != 'R')
            return true;
    return false;
}

static bool has_live(const struct inv_books *b)
{
    return b->entries[0].known || b->entry_count > 1;
}

bool inv_is_locked(const struct inv_books *b, const struct inv_entry *e)
{
    const struct inv_known *k = b->w->known;

    for (size_t i = 0; i < k->payment_count; i++)
        if (str_eq(k->payments[i].doc, e->doc.name))
            return true;
    for (size_t i = 0; i < k->allocation_count; i++)
        if (str_eq(k->allocations[i].note, e->doc.name) ||
            str_eq(k->allocations[i].doc, e->doc.name))
            return true;
    if (b->w->s->lock_next_open_day && e->doc.date[0] && strcmp(e->doc.date, k->open_from) < 0)
        return true;
    return e->known->foreign.units > 0 || str_eq(e->known->status, STR("PAID"));
}

bool inv_is_changed(struct inv_books *b)
{
    bool changed = false;

    for (size_t i = 0; i < b->entry_count; i++) {
        const struct inv_known_doc *k = b->entries[i].known;

        if (!k || k->changes.n == 0 || (*k->name.p == 'R' && !b->dropped))
            continue;
        changed = true;
        inv_fail(b->w, INV_DOC_INVOICE, "changed-in-xero",
                 "%.*s was changed in Xero after its export, so it was left as it is. %.*s",
                 STR_FMT(k->number), STR_FMT(k->changes));
    }
    return changed;
}

bool inv_is_withheld(struct inv_books *b, enum inv_doc kind, struct str name)
{
    const struct inv_known_doc *gone = inv_known_doc(b->w->known, name);

    if (!gone || !gone->gone || gone->withdrawn || b->w->known->again)
        return false;
    inv_fail(b->w, kind, "voided-in-xero",
             "%.*s was voided or deleted in Xero, and the order still needs it.",
             STR_FMT(gone->number));
    return true;
}

/* ---- the lines that the sale should have ---- */

/* Nothing of the order waits to be shipped: it has gone, was taken out, or its money was given
 * back. */
static bool is_settled(const struct order *o)
{
    if (o->state.cancelled || o->state.fulfilment == ORD_FULFILLED)
        return true;
    for (size_t i = 0; i < o->line_count; i++) {
        const struct ord_line *line = &o->lines[i];
        int64_t gone = line->shipped + line->removed;

        for (size_t k = 0; k < o->refund_count; k++)
            for (size_t n = 0; n < o->refunds[k].line_count && o->refunds[k].has_money; n++)
                if (str_eq(o->refunds[k].lines[n].line_id, line->id))
                    gone += o->refunds[k].lines[n].quantity;
        if (line->ships && gone < line->quantity)
            return false;
    }
    return true;
}

static bool has_removed(const struct order *o)
{
    for (size_t i = 0; i < o->line_count; i++)
        if (o->lines[i].removed != 0 || o->lines[i].removed_subtotal.units != 0 ||
            o->lines[i].removed_tax.units != 0)
            return true;
    return false;
}

/* The lines of SHARE; a key that is written in Xero keeps its account and tax type, whatever the
 * settings say now. */
static enum err make_share(struct inv_books *b, enum inv_share share, struct inv_lines *out)
{
    struct inv_line *rows;

    RETURN_IF(inv_make_lines(b->w, share, out));
    rows = arena_array(b->w->arena, out->count + 1, sizeof *rows);
    for (size_t i = 0; i < out->count; i++) {
        const struct inv_line *written = inv_written_line(b->w->known, out->rows[i].key);

        rows[i] = out->rows[i];
        if (written && written->account.n > 0)
            rows[i].account = written->account;
        if (written && written->tax_type.n > 0)
            rows[i].tax_type = written->tax_type;
        if (written && written->tax.units != 0 && rows[i].tax.units == 0)
            rows[i].send_tax = true; /* it is taxed no more, under a tax type that is */
    }
    out->rows = rows;
    if (!out->total.currency[0])
        out->total = out->total_tax = inv_zero(b);
    return ERR_OK;
}

/* What the invoices less the credit notes of edits come to in Xero. False: not known. */
static bool known_net(const struct inv_books *b, struct money *net)
{
    *net = inv_zero(b);
    for (size_t i = 0; i < b->entry_count; i++) {
        const struct inv_document *doc = &b->entries[i].doc;
        enum err e = ERR_OK;

        if (doc->name.n == 0 || *doc->name.p == 'R')
            continue;
        if (!doc->total.currency[0])
            return false;
        e = doc->credit ? inv_less(net, doc->total) : inv_plus(net, doc->total);
        if (e != ERR_OK)
            return false;
    }
    return true;
}

/* Lines that are not recorded are those that the order gives the same total. Without them nothing
 * can be followed: what is there stays, and a problem says so if it should be another. */
static void assume_lines(struct inv_books *b, bool same)
{
    struct inv_entry *sale = &b->entries[0];
    const struct inv_lines *lines = &b->left;

    if (sale->known && !sale->known->has_lines && !inv_has_later(b) && !b->frozen) {
        if (!sale->doc.total.currency[0])
            sale->doc.total = b->left.total;
        if (mon_cmp(sale->doc.total, b->left.total) != 0)
            lines = &b->sold;
        if (mon_cmp(sale->doc.total, lines->total) == 0) {
            sale->doc.lines = lines->rows;
            sale->doc.line_count = lines->count;
            return;
        }
    }
    for (size_t i = 0; i < b->entry_count; i++) {
        const struct inv_known_doc *k = b->entries[i].known;

        if (!k || k->has_lines || *k->name.p == 'R')
            continue;
        if (!b->frozen && !same && b->w->known->lines_may_change)
            inv_fail(b->w, INV_DOC_INVOICE, "lines-unknown",
                     "The order's lines changed after its export as %.*s, whose lines were not "
                     "recorded: the order now comes to %s %s.",
                     STR_FMT(sale->doc.number), mon_text(b->left.total).z, b->w->o->currency);
        b->frozen = true;
    }
}

/* A written invoice stands, whatever stands in the way of making it anew, unless the order comes to
 * another total and may be followed. */
static enum err make_shares(struct inv_books *b)
{
    struct inv_work *w = b->w;
    size_t before = w->problem_count;
    bool failed, same;
    struct money net;

    RETURN_IF(make_share(b, b->partial ? INV_SHIPPED : INV_LEFT, &b->left));
    b->sold = b->left;
    if (!b->partial && has_removed(w->o))
        RETURN_IF(make_share(b, INV_SOLD, &b->sold));
    failed = w->problem_count > before;
    if (!b->entries[0].known)
        return ERR_OK;
    same = !known_net(b, &net) || mon_cmp(net, b->left.total) == 0;
    if (failed && (same || !w->known->lines_may_change)) {
        w->problem_count = before;
        b->left = b->sold = (struct inv_lines){.total = b->left.total, .total_tax = inv_zero(b)};
    }
    b->frozen = failed || !w->known->lines_may_change;
    assume_lines(b, same);
    return ERR_OK;
}

enum err inv_open_books(struct inv_books *b, const char *order_link)
{
    struct inv_work *w = b->w;
    const struct inv_known *known = w->known;
    struct inv_known plain = *known;

    b->dropped = (w->o->state.cancelled && !w->o->state.kept) || w->o->state.nothing_left;
    b->partial = w->s->quantities_fulfilled && !b->dropped && !is_settled(w->o);
    b->left = b->sold = (struct inv_lines){.total = inv_zero(b), .total_tax = inv_zero(b)};
    open_entries(b);
    if (b->dropped && !has_live(b))
        return ERR_OK;
    plain.open_from[0] = '\0'; /* each document dates itself */
    w->known = &plain;
    inv_make_head(w, order_link, &b->head);
    w->known = known;
    if (b->entries[0].known)
        w->problem_count = 0; /* it has its number */
    if (!b->dropped)
        RETURN_IF(make_shares(b));
    for (size_t i = 0; i < b->entry_count; i++) {
        struct inv_document *doc = &b->entries[i].doc;

        if (!b->entries[i].known)
            continue;
        if (!doc->total.currency[0])
            doc->total = *doc->name.p == 'R' ? inv_zero(b) : b->left.total;
        memcpy(doc->currency, w->o->currency, sizeof doc->currency);
        RETURN_IF(count_left(b, &b->entries[i]));
    }
    return ERR_OK;
}
