#include "service/sync/invoice.h"

#include <stdio.h>

#include "service/sync/invoice_parts.h"

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
    if (w->problem_count == w->problem_room) {
        size_t room = w->problem_room ? 2 * w->problem_room : 4;
        struct inv_problem *rows = arena_array(w->arena, room, sizeof *rows);

        if (w->problem_count > 0)
            memcpy(rows, w->problems, w->problem_count * sizeof *rows);
        w->problems = rows;
        w->problem_room = room;
    }
    w->problems[w->problem_count++] = (struct inv_problem){doc, catalogue, arena_str(w->arena, s)};
}

struct str inv_find(const struct inv_map *map, struct str key, bool nocase)
{
    for (size_t i = 0; i < map->count && key.n > 0; i++)
        if (nocase ? str_eq_nocase(map->pairs[i].key, key) : str_eq(map->pairs[i].key, key))
            return map->pairs[i].value;
    return (struct str){NULL, 0};
}

static void refuse_refunds(struct inv_work *w)
{
    for (size_t i = 0; i < w->o->refund_count; i++) {
        const struct ord_refund *r = &w->o->refunds[i];

        if (r->has_money)
            inv_fail(w, INV_DOC_CREDIT_NOTE, "unsupported-kind",
                     "%s %s of this order was refunded on %s (refund %.*s). Refunds are not "
                     "supported yet.",
                     mon_text(r->amount).z, w->o->currency,
                     r->day[0] ? r->day
                               : "a day "
                                 "that is not known",
                     STR_FMT(r->id));
    }
}

/* ---- the sale ---- */

static enum err make_invoice(struct inv_work *w, const char *order_link, struct inv_document *inv)
{
    struct inv_lines lines;
    enum err e;

    inv_make_head(w, order_link, inv);
    e = inv_make_lines(w, w->s->quantities_fulfilled ? INV_SHIPPED : INV_LEFT, &lines);
    inv->lines = lines.rows;
    inv->line_count = lines.count;
    inv->total = lines.total;
    inv->total_tax = lines.total_tax;
    return e;
}

/* ---- the whole ---- */

static bool has_invoice_problem(const struct inv_work *w)
{
    for (size_t i = 0; i < w->problem_count; i++)
        if (w->problems[i].doc == INV_DOC_INVOICE)
            return true;
    return false;
}

/* The invoice is in Xero. It stays as it was written, whatever stands in the way of making it anew,
 * unless the order's lines are another and may be followed. */
static void meet_known(struct inv_work *w, const struct inv_known_doc *doc,
                       struct inv_document *sale)
{
    bool told = doc->total.currency[0] != '\0';

    w->problem_count = 0;
    sale->action = INV_KEEP;
    sale->id = doc->id;
    if (doc->gone) {
        inv_fail(w, INV_DOC_INVOICE, "voided-in-xero",
                 "The invoice %.*s was voided in Xero, and the order is not cancelled. "
                 "Making another invoice for it is not supported yet.",
                 STR_FMT(doc->number));
        return;
    }
    if (told && mon_cmp(doc->total, sale->total) != 0 && w->known->lines_may_change) {
        inv_fail(w, INV_DOC_INVOICE, "unsupported-kind",
                 "The order's lines changed after its export as %.*s. Following such "
                 "changes is not supported yet.",
                 STR_FMT(doc->number));
        return;
    }
    if (doc->number.n > 0)
        sale->number = doc->number;
    if (told)
        sale->total = doc->total;
}

/* A cancellation voids the invoice that nothing was paid on, and makes no document by itself. */
static void meet_cancelled(struct inv_work *w, const struct inv_known_doc *doc,
                           struct inv_document *sale, struct inv_wanted *out)
{
    if (!doc || doc->gone) {
        out->nothing = true;
    } else if (w->known->payment_count == 0) {
        *sale = (struct inv_document){.name = STR("invoice"),
                                      .action = INV_VOID,
                                      .id = doc->id,
                                      .number = doc->number,
                                      .total = doc->total};
        out->docs = sale;
        out->doc_count = 1;
    } else {
        out->nothing = true;
        refuse_refunds(w);
    }
}

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

const struct inv_document *inv_wanted_doc(const struct inv_wanted *wanted, struct str name)
{
    for (size_t i = 0; i < wanted->doc_count; i++)
        if (str_eq(wanted->docs[i].name, name))
            return &wanted->docs[i];
    return NULL;
}

enum err inv_build(const struct order *o, const struct inv_settings *s,
                   const struct inv_known *known, const char *order_link, struct arena *arena,
                   struct inv_wanted *out, struct errinfo *info)
{
    struct inv_work w = {.o = o, .s = s, .known = known, .arena = arena, .info = info};
    const struct inv_known_doc *doc = inv_known_doc(known, STR("invoice"));
    struct inv_document *sale = arena_array(arena, 1, sizeof *sale);
    enum err e = ERR_OK;

    *out = (struct inv_wanted){.nothing = false};
    inv_make_contact(&w, &out->contact);
    if (o->state.cancelled) {
        meet_cancelled(&w, doc, sale, out);
        goto out;
    }
    if (o->state.nothing_left && !doc) {
        out->nothing = true;
        goto out;
    }
    e = make_invoice(&w, order_link, sale);
    if (e != ERR_OK)
        goto out;
    if (!doc && sale->line_count == 0 && w.problem_count == 0) {
        out->nothing = true;
        goto out;
    }
    out->docs = sale;
    out->doc_count = 1;
    if (doc)
        meet_known(&w, doc, sale);
    if (!has_invoice_problem(&w)) {
        e = inv_make_payments(&w, out);
        refuse_refunds(&w);
    }
out:
    out->problems = w.problems;
    out->problem_count = w.problem_count;
    if (e != ERR_OK && info->text[0] == '\0')
        err_ignore(err_set(info, e, "The amounts of order %.*s cannot be added up: %s.",
                           STR_FMT(o->name), err_text(e)),
                   "the code is returned below");
    return e;
}
