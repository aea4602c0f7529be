/*
 * DESIGN: `fields` below is the only place that knows a setting: where it stands in the document,
 * its type, default, allowed values, and where it goes. Reading, defaults, complaints and the
 * canonical document are four walks over it. A list or a map is one field: PATCH replaces it whole.
 */
#include "service/sync/options.h"

#include <stdio.h>

/* 422 names every wrong field, but a hostile document may hold a hundred thousand of them. */
#define MAX_ERRORS 100
#define MAX_ENTRIES 5000
#define MAX_TEXT 255

enum kind {
    K_BOOL,
    K_WORD,  /* one of `words`; the place is an enum and gets the word's number */
    K_CHECK, /* one of two words; the place is a bool and gets true for the second */
    K_INT,   /* from 0 to `max` */
    K_DAY,   /* a date, or null for none; the place is char[11] */
    K_TEXT,  /* text of at most `max` bytes; null is the same as "" */
    K_LIST,  /* of texts; the place is a pointer and, at `count_at`, a size_t */
    K_MAP,   /* of texts to texts; the place is a struct inv_map */
    K_LATER_LIST,
    K_LATER_MAP /* must be empty as yet; no place */
};

/* Looks at one text and gives its canonical form in OUT. Returns NULL, or how the complaint goes on
 * after "must ". */
typedef const char *check_fn(struct str in, struct arena *arena, struct str *out);

struct field {
    const char *group, *name;
    enum kind kind;
    size_t at;
    int64_t def;              /* K_BOOL, K_INT */
    const char *text_def;     /* K_TEXT; those of prefix and start_date come from the caller */
    const char *const *words; /* the first is the default; ended by NULL */
    int64_t max;
    check_fn *check;     /* of a text, a list's element, a map's value; NULL: any */
    check_fn *check_key; /* of a map's key; NULL: any */
    size_t count_at;     /* K_LIST */
    const char *later;   /* what any other value than the default is: it is not supported yet */
};

_Static_assert(sizeof(enum rul_auto_sync) == sizeof(int) &&
                   sizeof(enum inv_date_from) == sizeof(int) &&
                   sizeof(enum inv_status) == sizeof(int),
               "K_WORD writes an int");

/* ---- checks of texts ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    return false;
}

/* Only what stands in an invoice number without trouble: no comma (Xero's look-up by numbers
 * separates with it), nothing that ends a link or opens markup. */
static const char *check_prefix(struct str in, struct arena *arena, struct str *out)
{
    (void)arena;
    *out = in;
    for (size_t i = 0; i < in.n; i++)
        if (!is_letter(in.p[i]) && !is_digit(in.p[i]) && !memchr("-_./# ", in.p[i], 6))
            return "hold only letters from A to Z, digits, blanks and the characters - _ . / #";
    return in.n > 0 && in.p[0] == ' ' ? "not begin with a blank" : NULL;
}

static const char *check_reference(struct str in, struct arena *arena, struct str *out)
{
    struct str rest = in;

    (void)arena;
    *out = in;
    while (rest.n > 0) {
        if (str_starts(rest, STR("{name}")) || str_starts(rest, STR("{po_number}"))) {
            str_split(&rest, '}');
            continue;
        }
        if (*rest.p == '{' || *rest.p == '}')
            return "hold no braces other than {name} and {po_number}";
        rest = (struct str){rest.p + 1, rest.n - 1};
    }
    return NULL;
}

static const char *check_contact_name(struct str in, struct arena *arena, struct str *out)
{
    (void)arena;
    *out = in;
    for (size_t i = 0; i < in.n; i++)
        if (in.p[i] == '<' || in.p[i] == '>' ||
            (in.p[i] == ' ' && (i == 0 || i + 1 == in.n || in.p[i - 1] == ' ')))
            return "hold no angle brackets, and no blanks at its ends or two in a row (Xero "
                   "refuses such names)";
    return NULL;
}

static const char *check_theme(struct str in, struct arena *arena, struct str *out)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    bool ok = in.n == sizeof shape - 1;

    (void)arena;
    *out = in;
    for (size_t i = 0; ok && i < in.n; i++) {
        char c = (char)(in.p[i] | 0x20);

        ok = shape[i] == '-' ? in.p[i] == '-' : is_digit(in.p[i]) || (c >= 'a' && c <= 'f');
    }
    return ok ? NULL
              : "be a branding theme's id, 36 characters like "
                "\"dabc7637-62c1-4941-8a6e-ee44fa5090e7\", or null";
}

static const char *check_code(struct str in, struct arena *arena, struct str *out)
{
    (void)arena;
    *out = in;
    if (in.n > 10)
        return "be an account code, of at most 10 characters";
    for (size_t i = 0; i < in.n; i++)
        if ((unsigned char)in.p[i] <= ' ')
            return "be an account code, without blanks";
    return NULL;
}

static const char *check_tax_type(struct str in, struct arena *arena, struct str *out)
{
    (void)arena;
    *out = in;
    if (in.n > 50)
        return "be a tax type's code, of at most 50 characters";
    for (size_t i = 0; i < in.n; i++)
        if (!is_letter(in.p[i]) && !is_digit(in.p[i]) && in.p[i] != '_')
            return "be a tax type's code like \"OUTPUT2\", not its display name";
    return NULL;
}

static const char *check_rate(struct str in, struct arena *arena, struct str *out)
{
    struct rate r;

    *out = in;
    if (mon_rate_parse(in, &r, NULL) != ERR_OK)
        return "have tax rates as fractions in text, like \"0.2\" for 20 %, for its keys";
    *out = arena_str(arena, str_of(mon_rate_text(r).z));
    return NULL;
}

static const char *check_country(struct str in, struct arena *arena, struct str *out)
{
    char upper[2];

    *out = in;
    if (in.n != 2 || !is_letter(in.p[0]) || !is_letter(in.p[1]))
        return "have country codes of two letters for its keys";
    for (size_t i = 0; i < 2; i++)
        upper[i] = (char)(in.p[i] & ~0x20);
    *out = arena_str(arena, (struct str){upper, 2});
    return NULL;
}

/* ---- the table ---- */

#define SETTINGS "settings"
#define ACCOUNTS "mappings.accounts"
#define TAXES "mappings.taxes"
#define PAYMENTS "mappings.payments"
#define RULE(member) .at = offsetof(struct opt_store, rules.member)
#define INV(member) .at = offsetof(struct opt_store, invoice.member)
#define LIST(member, count)                                                                        \
    .kind = K_LIST, .at = offsetof(struct opt_store, member),                                      \
    .count_at = offsetof(struct opt_store, count)
#define WORDS(...)                                                                                 \
    .words = (const char *const[])                                                                 \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define CODE(member) .kind = K_TEXT, INV(member), .max = MAX_TEXT, .check = check_code
#define TAX_TYPE(member) .kind = K_TEXT, INV(member), .max = MAX_TEXT, .check = check_tax_type
#define MAP(member, keys, values) .kind = K_MAP, INV(member), .check_key = (keys), .check = (values)

/* clang-format off: a field is one or two lines */
static const struct field fields[] = {
    {SETTINGS, "accounting_system_invoice", .kind = K_BOOL, .def = 1,
     RULE(accounting_system_invoice)},
    {SETTINGS, "auto_sync", .kind = K_WORD, RULE(auto_sync),
     WORDS("exclude_unpaid", "include_unpaid", "off")},
    {SETTINGS, "sync_on_fulfilled", .kind = K_BOOL, RULE(sync_on_fulfilled)},
    {SETTINGS, "only_sync_fulfilled", .kind = K_BOOL, RULE(only_sync_fulfilled)},
    {SETTINGS, "sync_on_updated", .kind = K_BOOL, .def = 1, RULE(sync_on_updated)},
    {SETTINGS, "partially_paid_is_paid", .kind = K_BOOL, RULE(partially_paid_is_paid)},
    {SETTINGS, "export_test_orders", .kind = K_BOOL, RULE(export_test_orders)},
    {SETTINGS, "export_zero_value", .kind = K_BOOL, .def = 1, RULE(export_zero_value)},
    {SETTINGS, "start_date", .kind = K_DAY, RULE(start_date)},
    {SETTINGS, "exclude_tags", LIST(rules.exclude_tags, rules.tag_count)},
    {SETTINGS, "exclude_sources", LIST(rules.exclude_sources, rules.source_count)},
    {SETTINGS, "exclude_gateways", LIST(rules.exclude_gateways, rules.gateway_count)},
    {SETTINGS, "prefix", .kind = K_TEXT, INV(prefix), .max = 50, .check = check_prefix},
    {SETTINGS, "reference", .kind = K_TEXT, INV(reference), .max = MAX_TEXT, .text_def = "{name}",
     .check = check_reference},
    {SETTINGS, "invoice_date", .kind = K_WORD, INV(invoice_date),
     WORDS("processed", "paid", "fulfilled")},
    {SETTINGS, "due_days", .kind = K_INT, INV(due_days), .max = 365},
    {SETTINGS, "status", .kind = K_WORD, INV(status), WORDS("AUTHORISED", "DRAFT", "SUBMITTED")},
    {SETTINGS, "quantities", .kind = K_CHECK, INV(quantities_fulfilled),
     WORDS("ordered", "fulfilled"), .later = "Invoicing only what has shipped"},
    {SETTINGS, "lock_date_policy", .kind = K_CHECK, INV(lock_next_open_day),
     WORDS("fail", "next_open_day"), .later = "Moving a document behind a lock date"},
    {SETTINGS, "contact", .kind = K_CHECK, INV(contact_single), WORDS("customer", "single")},
    {SETTINGS, "contact_name", .kind = K_TEXT, INV(contact_name), .max = MAX_TEXT,
     .check = check_contact_name},
    {SETTINGS, "send_customer_code", .kind = K_BOOL, INV(send_customer_code),
     .later = "Sending the customer code as account number"},
    {SETTINGS, "record_payments", .kind = K_BOOL, .def = 1, INV(record_payments)},
    {SETTINGS, "currency", .kind = K_CHECK, INV(presentment_currency), WORDS("shop", "presentment"),
     .later = "Invoicing in the buyer's currency"},
    {SETTINGS, "discount_lines", .kind = K_BOOL, INV(discount_lines)},
    {SETTINGS, "item_codes", .kind = K_BOOL, INV(item_codes), .later = "Sending item codes"},
    {SETTINGS, "marketplace_tax", .kind = K_CHECK, INV(marketplace_tax_clearing),
     WORDS("leave_out", "clearing_account"), .later = "Showing tax that a marketplace collects"},
    {SETTINGS, "vat_rates", .kind = K_LATER_MAP,
     .later = "A VAT rate that the shop does not state"},
    {SETTINGS, "rounding_limit", .kind = K_INT, INV(rounding_limit), .def = 5, .max = 100},
    {SETTINGS, "tax_amounts", .kind = K_CHECK, INV(tax_amounts_never),
     WORDS("when_needed", "never")},
    {SETTINGS, "tracking", .kind = K_LATER_LIST, .later = "Tracking"},
    {SETTINGS, "branding_theme", .kind = K_TEXT, INV(branding_theme), .max = MAX_TEXT,
     .check = check_theme},
    {ACCOUNTS, "default", CODE(account_default)},
    {ACCOUNTS, "shipping", CODE(account_shipping)},
    {ACCOUNTS, "discounts", CODE(account_discounts)},
    {ACCOUNTS, "tips", CODE(account_tips)},
    {ACCOUNTS, "duties", CODE(account_duties)},
    {ACCOUNTS, "gift_cards", CODE(account_gift_cards)},
    {ACCOUNTS, "fees", CODE(account_fees)},
    {ACCOUNTS, "rounding", CODE(account_rounding)},
    {ACCOUNTS, "marketplace_tax", CODE(account_marketplace_tax)},
    {ACCOUNTS, "by_sku", MAP(account_by_sku, NULL, check_code)},
    {ACCOUNTS, "by_product_type", MAP(account_by_product_type, NULL, check_code)},
    {ACCOUNTS, "by_vendor", MAP(account_by_vendor, NULL, check_code)},
    {TAXES, "by_title", MAP(tax_by_title, NULL, check_tax_type)},
    {TAXES, "by_rate", MAP(tax_by_rate, check_rate, check_tax_type)},
    {TAXES, "by_country", MAP(tax_by_country, check_country, check_tax_type)},
    {TAXES, "default", TAX_TYPE(tax_default)},
    {TAXES, "exempt", TAX_TYPE(tax_exempt)},
    {PAYMENTS, "default", CODE(payment_default)},
    {PAYMENTS, "gateways", MAP(payment_by_gateway, NULL, check_code)},
    {PAYMENTS, "off", LIST(invoice.payment_off, invoice.payment_off_count)},
};
/* clang-format on */
#define FIELDS (sizeof fields / sizeof fields[0])

/* Every object on the way to a field. */
static const char *const groups[] = {SETTINGS, "mappings", ACCOUNTS, TAXES, PAYMENTS};
#define GROUPS (sizeof groups / sizeof groups[0])

static void *place(const struct field *f, struct opt_store *store)
{
    return (char *)store + f->at;
}

static const void *place_const(const struct field *f, const struct opt_store *store)
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
        (struct opt_error){arena_str(arena, str_cut(field, MAX_TEXT)),
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
    const struct field *field; /* the one at hand */
    struct inv_pair *pairs;    /* a map's entries so far */
    size_t count;
};

/* For what a message repeats of the document: printf("%.*s", SHOWN(s)). */
#define SHOWN(s) STR_FMT(str_cut((s), 60))

#define COMPLAIN(r, ...)                                                                           \
    opt_complain((r)->errors, (r)->arena, field_path((r)->field, (r)->arena), __VA_ARGS__)

static struct str field_path(const struct field *f, struct arena *arena)
{
    return str_of(arena_printf(arena, "%s.%s", f->group, f->name));
}

static size_t word_count(const struct field *f)
{
    size_t n = 0;

    while (f->words[n])
        n++;
    return n;
}

static int64_t read_word(struct reader *r, const struct js_value *v)
{
    const struct field *f = r->field;
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
    const struct field *f = r->field;
    int64_t n = f->def;
    bool b = false;

    if (!v)
        return f->def;
    if (f->kind == K_BOOL) {
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
static bool read_text(struct reader *r, const struct js_value *v, int64_t max, check_fn *check,
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
        if (!read_text(r, js_at(v, i), MAX_TEXT, NULL, "be a list of texts", &rows[i]))
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
    const struct field *f = r->field;
    struct str k = arena_str(r->arena, key), value;
    const char *complaint = NULL;

    if (k.n == 0 || k.n > MAX_TEXT || has_control(k)) {
        COMPLAIN(r, "must have keys of 1 to %d bytes without control characters.", MAX_TEXT);
        return false;
    }
    complaint = f->check_key ? f->check_key(k, r->arena, &k) : NULL;
    if (complaint) {
        COMPLAIN(r, "must %s, unlike \"%.*s\".", complaint, SHOWN(key));
        return true;
    }
    if (!read_text(r, v, MAX_TEXT, f->check, "map texts to texts", &value))
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
    enum js_type type = r->field->kind == K_LATER_LIST ? JS_ARRAY : JS_OBJECT;
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
    const struct field *f = r->field;
    void *at = place(f, r->out);
    int64_t n = 0;
    struct str text = {NULL, 0};

    switch (f->kind) {
    case K_BOOL:
    case K_CHECK:
        n = f->kind == K_BOOL ? read_number(r, v) : read_word(r, v);
        if (f->later && n != f->def)
            COMPLAIN(r, "%s is not supported yet: leave it %s.", f->later,
                     f->kind == K_BOOL ? "false" : "as it is by default");
        memcpy(at, &(bool){n != 0}, sizeof(bool));
        break;
    case K_WORD:
        memcpy(at, &(int){(int)read_word(r, v)}, sizeof(int));
        break;
    case K_INT:
        n = read_number(r, v);
        memcpy(at, &n, sizeof n);
        break;
    case K_DAY:
        read_day(r, v, at);
        break;
    case K_TEXT:
        if (v && js_type(v) != JS_NULL)
            (void)read_text(r, v, f->max, f->check, "be text", &text);
        if (v)
            memcpy(at, &text, sizeof text);
        break;
    case K_LIST:
        read_list(r, v);
        break;
    case K_MAP:
        read_map(r, v);
        break;
    case K_LATER_LIST:
    case K_LATER_MAP:
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
    for (size_t i = 0; i < FIELDS; i++)
        if (strcmp(fields[i].group, group) == 0 && str_eq(key, str_of(fields[i].name)))
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
    const char *complaint = check_prefix(inv->prefix, arena, &unused);

    if ((complaint || inv->prefix.n > 50) && !complained(errors, SETTINGS ".prefix"))
        opt_complain(errors, arena, STR(SETTINGS ".prefix"),
                     "must be given, of at most 50 plain characters: the store's own name does not "
                     "do as its default.");
    if (s->rules.only_sync_fulfilled && !s->rules.sync_on_fulfilled)
        opt_complain(errors, arena, STR(SETTINGS ".only_sync_fulfilled"),
                     "needs sync_on_fulfilled: it holds every order back until a fulfilment "
                     "exports it, and with that trigger off nothing ever would.");
    if (inv->account_default.n == 0 && !complained(errors, ACCOUNTS ".default"))
        opt_complain(errors, arena, STR(ACCOUNTS ".default"),
                     "is required: the account of every line that has no account of its own.");
    if (inv->tax_by_title.count + inv->tax_by_rate.count + inv->tax_by_country.count +
                inv->tax_default.n + inv->tax_exempt.n ==
            0 &&
        !complained(errors, TAXES))
        opt_complain(errors, arena, STR(TAXES),
                     "needs a tax for what the store sells: by_title, by_rate, by_country, default "
                     "or exempt.");
    if (inv->status != INV_AUTHORISED && inv->record_payments)
        opt_complain(errors, arena, STR(SETTINGS ".record_payments"),
                     "must be false with that status: Xero takes payments on AUTHORISED invoices "
                     "only.");
    if (inv->discount_lines && inv->account_discounts.n == 0 &&
        !complained(errors, ACCOUNTS ".discounts"))
        opt_complain(errors, arena, STR(ACCOUNTS ".discounts"),
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

static void write_list(struct js_out *w, const struct field *f, const struct opt_store *s)
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

static void write_field(struct js_out *w, const struct field *f, const struct opt_store *s)
{
    const void *at = place_const(f, s);
    int word = 0;

    jw_key(w, f->name);
    switch (f->kind) {
    case K_BOOL:
        jw_bool(w, *(const bool *)at);
        break;
    case K_CHECK:
        jw_z(w, f->words[*(const bool *)at]);
        break;
    case K_WORD:
        memcpy(&word, at, sizeof word);
        jw_z(w, f->words[word]);
        break;
    case K_INT:
        jw_int(w, *(const int64_t *)at);
        break;
    case K_DAY:
        write_text(w, str_of(at));
        break;
    case K_TEXT:
        write_text(w, *(const struct str *)at);
        break;
    case K_LIST:
        write_list(w, f, s);
        break;
    case K_MAP:
        write_map(w, at);
        break;
    case K_LATER_LIST:
        jw_raw(w, STR("[]"));
        break;
    case K_LATER_MAP:
        jw_raw(w, STR("{}"));
        break;
    }
}

static void write_group(struct js_out *w, const char *key, const char *group,
                        const struct opt_store *s)
{
    jw_key(w, key);
    jw_begin_object(w);
    for (size_t i = 0; i < FIELDS; i++)
        if (strcmp(fields[i].group, group) == 0)
            write_field(w, &fields[i], s);
    jw_end_object(w);
}

static void write_document(const struct opt_store *s, struct buf *out)
{
    struct js_out w;

    jw_init(&w, out);
    jw_begin_object(&w);
    write_group(&w, "settings", SETTINGS, s);
    jw_key(&w, "mappings");
    jw_begin_object(&w);
    write_group(&w, "accounts", ACCOUNTS, s);
    write_group(&w, "taxes", TAXES, s);
    write_group(&w, "payments", PAYMENTS, s);
    jw_end_object(&w);
    jw_end_object(&w);
}

enum err opt_read(const struct js_value *doc, const struct js_value *base, const char *added_day,
                  struct str prefix_default, struct arena *arena, struct opt_store *out,
                  struct opt_errors *errors, struct buf *canonical)
{
    struct reader r = {.doc = doc, .base = base, .arena = arena, .out = out, .errors = errors};

    *out = (struct opt_store){0};
    for (size_t i = 0; i < FIELDS; i++)
        if (fields[i].kind == K_TEXT)
            *(struct str *)place(&fields[i], out) = str_of(fields[i].text_def);
    out->invoice.prefix = arena_str(arena, prefix_default);
    if (!ord_day(str_of(added_day), out->rules.start_date))
        out->rules.start_date[0] = '\0';

    check_shape(&r);
    for (size_t i = 0; i < FIELDS; i++) {
        const struct js_value *v = js_get(js_path(doc, fields[i].group), fields[i].name);

        r.field = &fields[i];
        read_field(&r, v ? v : js_get(js_path(base, fields[i].group), fields[i].name));
    }
    check_whole(out, errors, arena);
    if (errors->count > 0)
        return ERR_RANGE;
    write_document(out, canonical);
    return buf_check(canonical);
}
