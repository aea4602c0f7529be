#include "service/sync/options.h"

#include "service/sync/options_parts.h"

_Static_assert(sizeof(enum rul_auto_sync) == sizeof(int) &&
                   sizeof(enum inv_date_from) == sizeof(int) &&
                   sizeof(enum inv_status) == sizeof(int) && sizeof(enum opt_region) == sizeof(int),
               "OPT_WORD writes an int");

/* ---- checks of texts ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Only what stands in an invoice number without trouble: no comma (Xero's look-up by numbers
 * separates with it), nothing that ends a link or opens markup. */
const char *opt_check_prefix(struct str in, struct arena *arena, struct str *out)
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

static const char *check_vat_country(struct str in, struct arena *arena, struct str *out)
{
    *out = in;
    return str_eq(in, STR("*")) || !check_country(in, arena, out)
               ? NULL
               : "have country codes of two letters, or \"*\" for all others, for its keys";
}

/* Under 1: whoever writes "20" for 20 %, or "5" for 5 %, is to be told. */
static const char *check_vat_rate(struct str in, struct arena *arena, struct str *out)
{
    struct rate r;

    *out = in;
    if (mon_rate_parse(in, &r, NULL) != ERR_OK || r.units >= MON_RATE_SCALE)
        return "map to tax rates as fractions in text, like \"0.2\" for 20 %";
    *out = arena_str(arena, str_of(mon_rate_text(r).z));
    return NULL;
}

/* ---- the table ---- */

#define RULE(member) .at = offsetof(struct opt_store, rules.member)
#define INV(member) .at = offsetof(struct opt_store, invoice.member)
#define LIST(member, count)                                                                        \
    .kind = OPT_LIST, .at = offsetof(struct opt_store, member),                                    \
    .count_at = offsetof(struct opt_store, count)
#define WORDS(...)                                                                                 \
    .words = (const char *const[])                                                                 \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define CODE(member) .kind = OPT_TEXT, INV(member), .max = OPT_MAX_TEXT, .check = check_code
#define TAX_TYPE(member) .kind = OPT_TEXT, INV(member), .max = OPT_MAX_TEXT, .check = check_tax_type
#define MAP(member, keys, values)                                                                  \
    .kind = OPT_MAP, INV(member), .check_key = (keys), .check = (values)

/* clang-format off: a field is one or two lines */
const struct opt_field opt_fields[] = {
    {OPT_SETTINGS, "accounting_system_invoice", .kind = OPT_BOOL, .def = 1,
     RULE(accounting_system_invoice)},
    {OPT_SETTINGS, "auto_sync", .kind = OPT_WORD, RULE(auto_sync),
     WORDS("exclude_unpaid", "include_unpaid", "off")},
    {OPT_SETTINGS, "sync_on_fulfilled", .kind = OPT_BOOL, RULE(sync_on_fulfilled)},
    {OPT_SETTINGS, "only_sync_fulfilled", .kind = OPT_BOOL, RULE(only_sync_fulfilled)},
    {OPT_SETTINGS, "sync_on_updated", .kind = OPT_BOOL, .def = 1, RULE(sync_on_updated)},
    {OPT_SETTINGS, "partially_paid_is_paid", .kind = OPT_BOOL, RULE(partially_paid_is_paid)},
    {OPT_SETTINGS, "export_test_orders", .kind = OPT_BOOL, RULE(export_test_orders)},
    {OPT_SETTINGS, "export_zero_value", .kind = OPT_BOOL, .def = 1, RULE(export_zero_value)},
    {OPT_SETTINGS, "start_date", .kind = OPT_DAY, RULE(start_date)},
    {OPT_SETTINGS, "exclude_tags", LIST(rules.exclude_tags, rules.tag_count)},
    {OPT_SETTINGS, "exclude_sources", LIST(rules.exclude_sources, rules.source_count)},
    {OPT_SETTINGS, "exclude_gateways", LIST(rules.exclude_gateways, rules.gateway_count)},
    {OPT_SETTINGS, "prefix", .kind = OPT_TEXT, INV(prefix), .max = 50, .check = opt_check_prefix},
    {OPT_SETTINGS, "reference", .kind = OPT_TEXT, INV(reference), .max = OPT_MAX_TEXT,
     .text_def = "{name}", .check = check_reference},
    {OPT_SETTINGS, "invoice_date", .kind = OPT_WORD, INV(invoice_date),
     WORDS("processed", "paid", "fulfilled")},
    {OPT_SETTINGS, "due_days", .kind = OPT_INT, INV(due_days), .max = 365},
    {OPT_SETTINGS, "status", .kind = OPT_WORD, INV(status),
     WORDS("AUTHORISED", "DRAFT", "SUBMITTED")},
    {OPT_SETTINGS, "quantities", .kind = OPT_CHECK, INV(quantities_fulfilled),
     WORDS("ordered", "fulfilled")},
    {OPT_SETTINGS, "lock_date_policy", .kind = OPT_CHECK, INV(lock_next_open_day),
     WORDS("fail", "next_open_day")},
    {OPT_SETTINGS, "contact", .kind = OPT_CHECK, INV(contact_single), WORDS("customer", "single")},
    {OPT_SETTINGS, "contact_name", .kind = OPT_TEXT, INV(contact_name), .max = OPT_MAX_TEXT,
     .check = check_contact_name},
    {OPT_SETTINGS, "send_customer_code", .kind = OPT_BOOL, INV(send_customer_code)},
    {OPT_SETTINGS, "record_payments", .kind = OPT_BOOL, .def = 1, INV(record_payments)},
    {OPT_SETTINGS, "currency", .kind = OPT_CHECK, INV(presentment_currency),
     WORDS("shop", "presentment")},
    {OPT_SETTINGS, "discount_lines", .kind = OPT_BOOL, INV(discount_lines)},
    {OPT_SETTINGS, "item_codes", .kind = OPT_BOOL, INV(item_codes)},
    {OPT_SETTINGS, "marketplace_tax", .kind = OPT_CHECK, INV(marketplace_tax_clearing),
     WORDS("leave_out", "clearing_account")},
    {OPT_SETTINGS, "vat_rates", MAP(vat_rates, check_vat_country, check_vat_rate)},
    {OPT_SETTINGS, "rounding_limit", .kind = OPT_INT, INV(rounding_limit), .def = 5, .max = 100},
    {OPT_SETTINGS, "tax_amounts", .kind = OPT_CHECK, INV(tax_amounts_never),
     WORDS("when_needed", "never")},
    {OPT_SETTINGS, "tracking", .kind = OPT_TRACKING, INV(tracking),
     .count_at = offsetof(struct opt_store, invoice.tracking_count)},
    {OPT_SETTINGS, "branding_theme", .kind = OPT_TEXT, INV(branding_theme), .max = OPT_MAX_TEXT,
     .check = check_theme},
    {OPT_SETTINGS, "region", .kind = OPT_WORD, .at = offsetof(struct opt_store, region),
     WORDS("na", "eu", "fe")},
    {OPT_ACCOUNTS, "default", CODE(account_default)},
    {OPT_ACCOUNTS, "shipping", CODE(account_shipping)},
    {OPT_ACCOUNTS, "discounts", CODE(account_discounts)},
    {OPT_ACCOUNTS, "tips", CODE(account_tips)},
    {OPT_ACCOUNTS, "duties", CODE(account_duties)},
    {OPT_ACCOUNTS, "gift_cards", CODE(account_gift_cards)},
    {OPT_ACCOUNTS, "fees", CODE(account_fees)},
    {OPT_ACCOUNTS, "rounding", CODE(account_rounding)},
    {OPT_ACCOUNTS, "marketplace_tax", CODE(account_marketplace_tax)},
    {OPT_ACCOUNTS, "by_sku", MAP(account_by_sku, NULL, check_code)},
    {OPT_ACCOUNTS, "by_product_type", MAP(account_by_product_type, NULL, check_code)},
    {OPT_ACCOUNTS, "by_vendor", MAP(account_by_vendor, NULL, check_code)},
    {OPT_TAXES, "by_title", MAP(tax_by_title, NULL, check_tax_type)},
    {OPT_TAXES, "by_rate", MAP(tax_by_rate, check_rate, check_tax_type)},
    {OPT_TAXES, "by_country", MAP(tax_by_country, check_country, check_tax_type)},
    {OPT_TAXES, "default", TAX_TYPE(tax_default)},
    {OPT_TAXES, "exempt", TAX_TYPE(tax_exempt)},
    {OPT_PAYMENTS, "default", CODE(payment_default)},
    {OPT_PAYMENTS, "gateways", MAP(payment_by_gateway, NULL, check_code)},
    {OPT_PAYMENTS, "off", LIST(invoice.payment_off, invoice.payment_off_count)},
};
/* clang-format on */

const char *opt_region_text(enum opt_region r)
{
    return r == OPT_EUROPE ? "eu" : r == OPT_FAR_EAST ? "fe" : "na";
}

const size_t opt_field_count = sizeof opt_fields / sizeof opt_fields[0];
