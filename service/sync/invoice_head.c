#include "service/sync/invoice.h"

#include "service/sync/invoice_parts.h"

/* Of the 255 that Xero takes: behind it stand "-R<refund id>" and "-2" in later documents. */
#define MAX_NUMBER 223

/* The prefix and the order's name without a leading "#" (which would have to be escaped in every
 * link). A comma separates numbers in Xero's look-up, a quote or backslash ends a text in its
 * filters: they become hyphens. */
static struct str make_number(struct inv_work *w)
{
    struct str name = str_trim(w->o->name), prefix = w->s->prefix;
    char *number = NULL;

    if (name.n > 1 && *name.p == '#')
        name = (struct str){name.p + 1, name.n - 1};
    if (name.n == 0)
        name = w->o->id;
    number = arena_printf(w->arena, "%.*s%.*s", STR_FMT(prefix), STR_FMT(name));
    for (char *p = number; *p; p++)
        if (strchr(",\"\\", *p))
            *p = '-';
        else if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    if (strlen(number) > MAX_NUMBER)
        inv_fail(w, INV_DOC_INVOICE, "unusable-order",
                 "The invoice number would have %zu bytes, and Xero takes %d with what its credit "
                 "notes add.",
                 strlen(number), MAX_NUMBER);
    return str_of(number);
}

static struct str make_reference(struct inv_work *w)
{
    struct str rest = w->s->reference;
    struct buf b = BUF_CAP(4096);
    struct str out;

    while (rest.n > 0) {
        if (str_starts(rest, STR("{name}"))) {
            buf_add_str(&b, w->o->name);
            str_split(&rest, '}');
        } else if (str_starts(rest, STR("{po_number}"))) {
            buf_add_str(&b, w->o->po_number);
            str_split(&rest, '}');
        } else {
            buf_addc(&b, *rest.p);
            rest = (struct str){rest.p + 1, rest.n - 1};
        }
    }
    out = arena_str(w->arena, str_trim(str_cut(str_trim(buf_str(&b)), LIM_NAME)));
    buf_free(&b);
    return out;
}

void inv_set_date(struct inv_work *w, const char day[11], struct inv_document *doc)
{
    const char *open_from = w->known->open_from;
    struct str reference = doc->reference;

    memcpy(doc->date, day, sizeof doc->date);
    if (!day[0] || !w->s->lock_next_open_day || strcmp(day, open_from) >= 0)
        return;
    memcpy(doc->date, open_from, sizeof doc->date);
    /* " (dated 2026-01-31)" is what must not be cut off. */
    reference = str_trim(str_cut(reference, LIM_NAME - 19));
    doc->reference = str_of(arena_printf(w->arena, "%.*s%s(dated %s)", STR_FMT(reference),
                                         reference.n > 0 ? " " : "", day));
}

/* The day that the sale is dated with, if no period is locked. "" if the order says none. */
static void sale_day(const struct inv_work *w, char out[11])
{
    const struct order *o = w->o;
    const char *day = "";

    if (w->s->invoice_date == INV_DATE_PAID)
        day = w->known->paid_day;
    else if (w->s->invoice_date == INV_DATE_FULFILLED)
        day = o->fulfilled_day;
    if (day[0])
        memcpy(out, day, sizeof o->fulfilled_day);
    else if (!ord_day(str_of(o->processed_at), out) && !ord_day(str_of(o->created_at), out))
        memcpy(out, o->state.created_day, sizeof o->state.created_day);
}

/* The terms of payment run from the true day; what they end at is never before the date. */
static void make_dates(struct inv_work *w, struct inv_document *inv)
{
    const struct order *o = w->o;
    int64_t days = o->due_days >= 0 ? o->due_days : w->s->due_days;
    char day[11];

    sale_day(w, day);
    inv_set_date(w, day, inv);
    if (o->due_day[0])
        memcpy(inv->due_date, o->due_day, sizeof inv->due_date);
    else if (!ord_day_add(day, days, inv->due_date))
        inv_fail(w, INV_DOC_INVOICE, "unusable-order",
                 "This order has no day for an invoice: neither processed_at nor created_at.");
    if (strcmp(inv->due_date, inv->date) < 0)
        memcpy(inv->due_date, inv->date, sizeof inv->due_date);
}

/* Xero refuses a link with its own name in it; without the link the invoice could not be told from
 * a stranger's after a lost answer. */
static struct str make_url(struct inv_work *w, const char *order_link)
{
    struct str link = str_of(order_link), rest = link;

    for (; rest.n >= 4; rest = (struct str){rest.p + 1, rest.n - 1})
        if (str_eq_nocase((struct str){rest.p, 4}, STR("xero")))
            inv_fail(w, INV_DOC_INVOICE, "unsupported-kind",
                     "Xero refuses links that contain its name, and this order's is %.*s.",
                     STR_FMT(str_cut(link, 300)));
    return arena_str(w->arena, link);
}

/* What follows the prefix of a tracking category in the first tag that begins with it. */
static struct str option_of(const struct order *o, struct str prefix)
{
    struct str rest = o->state.tags;

    while (rest.p) {
        struct str tag = str_trim(str_split(&rest, ','));

        if (tag.n > prefix.n && str_eq_nocase((struct str){tag.p, prefix.n}, prefix))
            return str_trim((struct str){tag.p + prefix.n, tag.n - prefix.n});
    }
    return (struct str){NULL, 0};
}

/* The categories that this order has an option in. */
static void make_tracking(struct inv_work *w, struct inv_document *inv)
{
    const struct inv_settings *s = w->s;
    struct inv_tracking *rows = arena_array(w->arena, s->tracking_count + 1, sizeof *rows);

    for (size_t i = 0; i < s->tracking_count; i++) {
        const struct inv_tracking *t = &s->tracking[i];
        struct str option = t->option.n > 0 ? t->option : option_of(w->o, t->tag_prefix);

        if (option.n > 0)
            rows[inv->tracking_count++] =
                (struct inv_tracking){.category = t->category, .option = option};
    }
    inv->tracking = rows;
}

void inv_make_head(struct inv_work *w, const char *order_link, struct inv_document *doc)
{
    *doc = (struct inv_document){
        .name = STR("invoice"),
        .action = INV_CREATE,
        .number = make_number(w),
        .reference = make_reference(w),
        .url = make_url(w, order_link),
        .inclusive = w->o->taxes_included,
        .status = w->s->status,
        .branding_theme = w->s->branding_theme,
    };
    memcpy(doc->currency, w->o->currency, sizeof doc->currency);
    make_dates(w, doc);
    make_tracking(w, doc);
}
