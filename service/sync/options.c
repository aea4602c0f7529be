/*
 * DESIGN: the table of options_fields.c is the only place that knows a setting. Reading, defaults,
 * complaints and the canonical document are four walks over it. A list or a map is one field: PATCH
 * replaces it whole.
 */
#include "service/sync/options.h"

#include <stdio.h>

#include "service/sync/options_parts.h"

/* 422 names every wrong field, but a hostile document may hold a hundred thousand of them. */
#define MAX_ERRORS 100

/* Every object on the way to a field. */
static const char *const groups[] = {OPT_SETTINGS, "mappings", OPT_ACCOUNTS, OPT_TAXES,
                                     OPT_PAYMENTS};
#define GROUPS (sizeof groups / sizeof groups[0])

/* ---- complaints ---- */

void opt_complain(struct opt_errors *errors, struct arena *arena, struct str field, const char *fmt,
                  ...)
{
    char text[512];
    va_list ap;

    if (errors->count >= MAX_ERRORS)
        return;
    if (errors->count == errors->room) {
        size_t room = errors->room ? 2 * errors->room : 8;
        struct opt_error *rows = arena_array(arena, room, sizeof *rows);

        if (errors->count > 0)
            memcpy(rows, errors->rows, errors->count * sizeof *rows);
        errors->rows = rows;
        errors->room = room;
    }
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    errors->rows[errors->count++] =
        (struct opt_error){arena_str(arena, str_cut(field, OPT_MAX_TEXT)),
                           arena_str(arena, str_cut(str_of(text), sizeof text))};
}

/* Is there a complaint about FIELD, or about one that stands in the object FIELD? */
static bool complained(const struct opt_errors *errors, const char *field)
{
    for (size_t i = 0; i < errors->count; i++)
        if (str_starts(errors->rows[i].field, str_of(field)))
            return true;
    return false;
}

/* ---- documents as a whole ---- */

static bool refuse_unknown(struct str key, const struct js_value *v, void *arg)
{
    struct opt_reader *r = arg;
    const char *group = groups[r->count];
    size_t n = strlen(group);

    (void)v;
    for (size_t i = 0; i < opt_field_count; i++)
        if (strcmp(opt_fields[i].group, group) == 0 && str_eq(key, str_of(opt_fields[i].name)))
            return true;
    for (size_t i = 0; i < GROUPS; i++)
        if (strncmp(groups[i], group, n) == 0 && groups[i][n] == '.' &&
            str_eq(key, str_of(groups[i] + n + 1)))
            return true;
    opt_complain(r->errors, r->arena,
                 str_of(arena_printf(r->arena, "%s.%.*s", group, STR_FMT(str_cut(key, 100)))),
                 "is not a field that ledgerhook knows.");
    return r->errors->count < MAX_ERRORS;
}

static void check_shape(struct opt_reader *r)
{
    for (r->count = 0; r->count < GROUPS; r->count++) {
        const struct js_value *group = js_path(r->doc, groups[r->count]);

        if (group && js_type(group) != JS_OBJECT)
            opt_complain(r->errors, r->arena, str_of(groups[r->count]), "must be an object.");
        js_each(group, refuse_unknown, r);
    }
}

/* What no field shows alone. */
static void check_whole(struct opt_store *s, struct opt_errors *errors, struct arena *arena)
{
    const struct inv_settings *inv = &s->invoice;
    struct str unused;
    const char *complaint = opt_check_prefix(inv->prefix, arena, &unused);

    if ((complaint || inv->prefix.n > 50) && !complained(errors, OPT_SETTINGS ".prefix"))
        opt_complain(errors, arena, STR(OPT_SETTINGS ".prefix"),
                     "must be given, of at most 50 plain characters: the store's own name does not "
                     "do as its default.");
    if (s->rules.only_sync_fulfilled && !s->rules.sync_on_fulfilled)
        opt_complain(errors, arena, STR(OPT_SETTINGS ".only_sync_fulfilled"),
                     "needs sync_on_fulfilled: it holds every order back until a fulfilment "
                     "exports it, and with that trigger off nothing ever would.");
    if (inv->account_default.n == 0 && !complained(errors, OPT_ACCOUNTS ".default"))
        opt_complain(errors, arena, STR(OPT_ACCOUNTS ".default"),
                     "is required: the account of every line that has no account of its own.");
    if (inv->tax_by_title.count + inv->tax_by_rate.count + inv->tax_by_country.count +
                inv->tax_default.n + inv->tax_exempt.n ==
            0 &&
        !complained(errors, OPT_TAXES))
        opt_complain(errors, arena, STR(OPT_TAXES),
                     "needs a tax for what the store sells: by_title, by_rate, by_country, default "
                     "or exempt.");
    if (inv->quantities_fulfilled && !s->rules.sync_on_fulfilled && !s->rules.sync_on_updated)
        opt_complain(
            errors, arena, STR(OPT_SETTINGS ".quantities"),
            "needs sync_on_fulfilled or sync_on_updated to be \"fulfilled\": with both off "
            "nothing brings a later shipment to Xero.");
    if (inv->discount_lines && inv->account_discounts.n == 0 &&
        !complained(errors, OPT_ACCOUNTS ".discounts"))
        opt_complain(errors, arena, STR(OPT_ACCOUNTS ".discounts"),
                     "is required with discount_lines: the account of the discounts' own lines.");
    if (inv->marketplace_tax_clearing && inv->account_marketplace_tax.n == 0 &&
        !complained(errors, OPT_ACCOUNTS ".marketplace_tax"))
        opt_complain(
            errors, arena, STR(OPT_ACCOUNTS ".marketplace_tax"),
            "is required with marketplace_tax \"clearing_account\": the account of the tax "
            "that a marketplace collects.");
}

/* Xero takes payments on AUTHORISED invoices only. So payments are off by default where the status
 * is another, and whoever asks for both in one document is told of both. */
static void check_payments(const struct opt_reader *r)
{
    struct inv_settings *inv = &r->out->invoice;
    bool asked = false;

    if (inv->status == INV_AUTHORISED || !inv->record_payments)
        return;
    inv->record_payments =
        js_bool(js_path(r->doc, OPT_SETTINGS ".record_payments"), &asked) && asked;
    if (!inv->record_payments)
        return;
    opt_complain(
        r->errors, r->arena, STR(OPT_SETTINGS ".status"),
        "must be \"AUTHORISED\" with record_payments: Xero takes payments on such invoices "
        "only.");
    opt_complain(
        r->errors, r->arena, STR(OPT_SETTINGS ".record_payments"),
        "must be false with that status: Xero takes payments on AUTHORISED invoices only.");
}

enum err opt_read(const struct js_value *doc, const struct js_value *base, const char *added_day,
                  struct str prefix_default, struct arena *arena, struct opt_store *out,
                  struct opt_errors *errors, struct buf *canonical)
{
    struct opt_reader r = {.doc = doc, .base = base, .arena = arena, .out = out, .errors = errors};

    *out = (struct opt_store){0};
    for (size_t i = 0; i < opt_field_count; i++)
        if (opt_fields[i].kind == OPT_TEXT)
            *(struct str *)(void *)((char *)out + opt_fields[i].at) =
                str_of(opt_fields[i].text_def);
    out->invoice.prefix = arena_str(arena, prefix_default);
    if (!ord_day(str_of(added_day), out->rules.start_date))
        out->rules.start_date[0] = '\0';

    check_shape(&r);
    for (size_t i = 0; i < opt_field_count; i++) {
        const struct js_value *v = js_get(js_path(doc, opt_fields[i].group), opt_fields[i].name);

        r.field = &opt_fields[i];
        opt_read_field(&r, v ? v : js_get(js_path(base, opt_fields[i].group), opt_fields[i].name));
    }
    check_payments(&r);
    check_whole(out, errors, arena);
    if (errors->count > 0)
        return ERR_RANGE;
    opt_write_document(out, canonical);
    return buf_check(canonical);
}
