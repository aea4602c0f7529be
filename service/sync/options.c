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
#define MAX_ENTRIES 5000

/* Every object on the way to a field. */
static const char *const groups[] = {OPT_SETTINGS, "mappings", OPT_ACCOUNTS, OPT_TAXES,
                                     OPT_PAYMENTS};
#define GROUPS (sizeof groups / sizeof groups[0])

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    return false;
}

static void *place(const struct opt_field *f, struct opt_store *store)
{
    return (char *)store + f->at;
}

static const void *place_const(const struct opt_field *f, const struct opt_store *store)
{
    return (const char *)store + f->at;
}

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

/* ---- reading ---- */

struct reader {
    const struct js_value *doc, *base;
    struct arena *arena;
    struct opt_store *out;
    struct opt_errors *errors;
    const struct opt_field *field; /* the one at hand */
    struct inv_pair *pairs;        /* a map's entries so far */
    size_t count;
};

/* For what a message repeats of the document: printf("%.*s", SHOWN(s)). */
#define SHOWN(s) STR_FMT(str_cut((s), 60))

#define COMPLAIN(r, ...)                                                                           \
    opt_complain((r)->errors, (r)->arena, field_path((r)->field, (r)->arena), __VA_ARGS__)

static struct str field_path(const struct opt_field *f, struct arena *arena)
{
    return str_of(arena_printf(arena, "%s.%s", f->group, f->name));
}

static size_t word_count(const struct opt_field *f)
{
    size_t n = 0;

    while (f->words[n])
        n++;
    return n;
}

static int64_t read_word(struct reader *r, const struct js_value *v)
{
    const struct opt_field *f = r->field;
    struct str s = {NULL, 0};
    struct buf list = BUF_CAP(400);

    if (!v)
        return 0;
    if (js_string(v, &s))
        for (size_t i = 0; i < word_count(f); i++)
            if (str_eq(s, str_of(f->words[i])))
                return (int64_t)i;
    for (size_t i = 0; i < word_count(f); i++)
        buf_printf(&list, "%s\"%s\"", i ? ", " : "", f->words[i]);
    COMPLAIN(r, "must be one of %s.", buf_z(&list));
    buf_free(&list);
    return 0;
}

static int64_t read_number(struct reader *r, const struct js_value *v)
{
    const struct opt_field *f = r->field;
    int64_t n = f->def;
    bool b = false;

    if (!v)
        return f->def;
    if (f->kind == OPT_BOOL) {
        if (js_bool(v, &b))
            return b;
        COMPLAIN(r, "must be true or false.");
    } else {
        if (js_type(v) == JS_NUMBER && js_int64(v, &n) && n >= 0 && n <= f->max)
            return n;
        COMPLAIN(r, "must be a whole number from 0 to %lld.", (long long)f->max);
    }
    return f->def;
}

/* A text that stands in a list or a map, or alone. WHAT names it in the complaint. */
static bool read_text(struct reader *r, const struct js_value *v, int64_t max, opt_check_fn *check,
                      const char *what, struct str *out)
{
    struct str s;
    const char *complaint = NULL;

    if (!js_string(v, &s)) {
        COMPLAIN(r, "must %s.", what);
        return false;
    }
    if (s.n > (size_t)max) {
        COMPLAIN(r, "must be at most %lld bytes long.", (long long)max);
        return false;
    }
    if (has_control(s)) {
        COMPLAIN(r, "must not hold control characters.");
        return false;
    }
    *out = arena_str(r->arena, s);
    complaint = check && s.n > 0 ? check(*out, r->arena, out) : NULL;
    if (complaint)
        COMPLAIN(r, "must %s, unlike \"%.*s\".", complaint, SHOWN(s));
    return !complaint;
}

static void read_day(struct reader *r, const struct js_value *v, char day[11])
{
    struct str s;

    if (!v)
        return;
    day[0] = '\0';
    if (js_type(v) == JS_NULL)
        return;
    if (!js_string(v, &s) || s.n != 10 || !ord_day(s, day)) {
        day[0] = '\0';
        COMPLAIN(r, "must be a date like \"2026-01-31\", or null for no limit.");
    }
}

static void read_list(struct reader *r, const struct js_value *v)
{
    size_t n = js_len(v), *count = (size_t *)(void *)((char *)r->out + r->field->count_at);
    struct str *rows = NULL;

    if (!v)
        return;
    if (js_type(v) != JS_ARRAY || n > MAX_ENTRIES) {
        COMPLAIN(r, "must be a list of at most %d texts.", MAX_ENTRIES);
        return;
    }
    rows = arena_array(r->arena, n + 1, sizeof *rows);
    for (size_t i = 0; i < n; i++) {
        if (!read_text(r, js_at(v, i), OPT_MAX_TEXT, NULL, "be a list of texts", &rows[i]))
            return;
        rows[i] = str_trim(rows[i]);
        if (rows[i].n == 0) {
            COMPLAIN(r, "must not hold an empty text.");
            return;
        }
    }
    memcpy(place(r->field, r->out), &(const struct str *){rows}, sizeof rows);
    *count = n;
}

static bool count_entry(struct str key, const struct js_value *v, void *arg)
{
    (void)key;
    (void)v;
    ++*(size_t *)arg;
    return true;
}

static bool read_entry(struct str key, const struct js_value *v, void *arg)
{
    struct reader *r = arg;
    const struct opt_field *f = r->field;
    struct str k = arena_str(r->arena, key), value;
    const char *complaint = NULL;

    if (k.n == 0 || k.n > OPT_MAX_TEXT || has_control(k)) {
        COMPLAIN(r, "must have keys of 1 to %d bytes without control characters.", OPT_MAX_TEXT);
        return false;
    }
    complaint = f->check_key ? f->check_key(k, r->arena, &k) : NULL;
    if (complaint) {
        COMPLAIN(r, "must %s, unlike \"%.*s\".", complaint, SHOWN(key));
        return true;
    }
    if (!read_text(r, v, OPT_MAX_TEXT, f->check, "map texts to texts", &value))
        return true;
    if (value.n == 0) {
        COMPLAIN(r, "must map \"%.*s\" to something.", SHOWN(key));
        return true;
    }
    /* Keys of one JSON object differ; two may still mean the same once they are canonical. */
    for (size_t i = 0; f->check_key && i < r->count; i++)
        if (str_eq(r->pairs[i].key, k)) {
            COMPLAIN(r, "must name \"%.*s\" once only.", SHOWN(k));
            return true;
        }
    r->pairs[r->count++] = (struct inv_pair){k, value};
    return true;
}

static void read_map(struct reader *r, const struct js_value *v)
{
    size_t n = 0;

    if (!v)
        return;
    js_each(v, count_entry, &n);
    if (js_type(v) != JS_OBJECT || n > MAX_ENTRIES) {
        COMPLAIN(r, "must be an object of at most %d entries.", MAX_ENTRIES);
        return;
    }
    r->pairs = arena_array(r->arena, n + 1, sizeof *r->pairs);
    r->count = 0;
    js_each(v, read_entry, r);
    memcpy(place(r->field, r->out), &(struct inv_map){r->pairs, r->count}, sizeof(struct inv_map));
}

/* A list or map of which nothing is supported yet: it may only be empty. */
static void read_later(struct reader *r, const struct js_value *v)
{
    enum js_type type = r->field->kind == OPT_LATER_LIST ? JS_ARRAY : JS_OBJECT;
    size_t n = js_len(v);

    if (!v)
        return;
    js_each(v, count_entry, &n);
    if (js_type(v) != type)
        COMPLAIN(r, "must be %s.", type == JS_ARRAY ? "a list" : "an object");
    else if (n > 0)
        COMPLAIN(r, "%s is not supported yet: leave it empty.", r->field->later);
}

/* V is NULL where neither document has the field: texts, days, lists and maps then keep the default
 * that is in place. */
static void read_field(struct reader *r, const struct js_value *v)
{
    const struct opt_field *f = r->field;
    void *at = place(f, r->out);
    int64_t n = 0;
    struct str text = {NULL, 0};

    switch (f->kind) {
    case OPT_BOOL:
    case OPT_CHECK:
        n = f->kind == OPT_BOOL ? read_number(r, v) : read_word(r, v);
        if (f->later && n != f->def)
            COMPLAIN(r, "%s is not supported yet: leave it %s.", f->later,
                     f->kind == OPT_BOOL ? "false" : "as it is by default");
        *(bool *)at = n != 0;
        break;
    case OPT_WORD:
        memcpy(at, &(int){(int)read_word(r, v)}, sizeof(int));
        break;
    case OPT_INT:
        *(int64_t *)at = read_number(r, v);
        break;
    case OPT_DAY:
        read_day(r, v, at);
        break;
    case OPT_TEXT:
        if (v && js_type(v) != JS_NULL)
            (void)read_text(r, v, f->max, f->check, "be text", &text);
        if (v)
            memcpy(at, &text, sizeof text);
        break;
    case OPT_LIST:
        read_list(r, v);
        break;
    case OPT_MAP:
        read_map(r, v);
        break;
    case OPT_LATER_LIST:
    case OPT_LATER_MAP:
        read_later(r, v);
        break;
    }
}

static bool refuse_unknown(struct str key, const struct js_value *v, void *arg)
{
    struct reader *r = arg;
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

static void check_shape(struct reader *r)
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
    if (inv->status != INV_AUTHORISED && inv->record_payments)
        opt_complain(errors, arena, STR(OPT_SETTINGS ".record_payments"),
                     "must be false with that status: Xero takes payments on AUTHORISED invoices "
                     "only.");
    if (inv->discount_lines && inv->account_discounts.n == 0 &&
        !complained(errors, OPT_ACCOUNTS ".discounts"))
        opt_complain(errors, arena, STR(OPT_ACCOUNTS ".discounts"),
                     "is required with discount_lines: the account of the discounts' own lines.");
}

/* ---- writing ---- */

static void write_text(struct js_out *w, struct str s)
{
    if (s.n > 0)
        jw_str(w, s);
    else
        jw_null(w);
}

static void write_list(struct js_out *w, const struct opt_field *f, const struct opt_store *s)
{
    const struct str *rows = NULL;
    size_t n = 0;

    memcpy(&rows, place_const(f, s), sizeof rows);
    memcpy(&n, (const char *)s + f->count_at, sizeof n);
    jw_begin_array(w);
    for (size_t i = 0; i < n; i++)
        jw_str(w, rows[i]);
    jw_end_array(w);
}

static void write_map(struct js_out *w, const struct inv_map *map)
{
    jw_begin_object(w);
    for (size_t i = 0; i < map->count; i++) {
        jw_key_str(w, map->pairs[i].key);
        jw_str(w, map->pairs[i].value);
    }
    jw_end_object(w);
}

static void write_field(struct js_out *w, const struct opt_field *f, const struct opt_store *s)
{
    const void *at = place_const(f, s);
    int word = 0;

    jw_key(w, f->name);
    switch (f->kind) {
    case OPT_BOOL:
        jw_bool(w, *(const bool *)at);
        break;
    case OPT_CHECK:
        jw_z(w, f->words[*(const bool *)at]);
        break;
    case OPT_WORD:
        memcpy(&word, at, sizeof word);
        jw_z(w, f->words[word]);
        break;
    case OPT_INT:
        jw_int(w, *(const int64_t *)at);
        break;
    case OPT_DAY:
        write_text(w, str_of(at));
        break;
    case OPT_TEXT:
        write_text(w, *(const struct str *)at);
        break;
    case OPT_LIST:
        write_list(w, f, s);
        break;
    case OPT_MAP:
        write_map(w, at);
        break;
    case OPT_LATER_LIST:
        jw_raw(w, STR("[]"));
        break;
    case OPT_LATER_MAP:
        jw_raw(w, STR("{}"));
        break;
    }
}

static void write_group(struct js_out *w, const char *key, const char *group,
                        const struct opt_store *s)
{
    jw_key(w, key);
    jw_begin_object(w);
    for (size_t i = 0; i < opt_field_count; i++)
        if (strcmp(opt_fields[i].group, group) == 0)
            write_field(w, &opt_fields[i], s);
    jw_end_object(w);
}

static void write_document(const struct opt_store *s, struct buf *out)
{
    struct js_out w;

    jw_init(&w, out);
    jw_begin_object(&w);
    write_group(&w, "settings", OPT_SETTINGS, s);
    jw_key(&w, "mappings");
    jw_begin_object(&w);
    write_group(&w, "accounts", OPT_ACCOUNTS, s);
    write_group(&w, "taxes", OPT_TAXES, s);
    write_group(&w, "payments", OPT_PAYMENTS, s);
    jw_end_object(&w);
    jw_end_object(&w);
}

enum err opt_read(const struct js_value *doc, const struct js_value *base, const char *added_day,
                  struct str prefix_default, struct arena *arena, struct opt_store *out,
                  struct opt_errors *errors, struct buf *canonical)
{
    struct reader r = {.doc = doc, .base = base, .arena = arena, .out = out, .errors = errors};

    *out = (struct opt_store){0};
    for (size_t i = 0; i < opt_field_count; i++)
        if (opt_fields[i].kind == OPT_TEXT)
            *(struct str *)place(&opt_fields[i], out) = str_of(opt_fields[i].text_def);
    out->invoice.prefix = arena_str(arena, prefix_default);
    if (!ord_day(str_of(added_day), out->rules.start_date))
        out->rules.start_date[0] = '\0';

    check_shape(&r);
    for (size_t i = 0; i < opt_field_count; i++) {
        const struct js_value *v = js_get(js_path(doc, opt_fields[i].group), opt_fields[i].name);

        r.field = &opt_fields[i];
        read_field(&r, v ? v : js_get(js_path(base, opt_fields[i].group), opt_fields[i].name));
    }
    check_whole(out, errors, arena);
    if (errors->count > 0)
        return ERR_RANGE;
    write_document(out, canonical);
    return buf_check(canonical);
}
