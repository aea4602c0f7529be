#include "service/sync/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#ifndef SOURCE_DIR
#define SOURCE_DIR "."
#endif

#define SMALLEST                                                                                   \
    "{\"mappings\":{\"accounts\":{\"default\":\"200\"},\"taxes\":{\"exempt\":\"NONE\"}}}"

/* One opt_read with everything it leaves. */
struct run {
    struct js_doc doc, base, stored;
    struct arena arena;
    struct opt_store store;
    struct opt_errors errors;
    struct buf canonical;
    enum err result;
};

static void parse(const char *text, struct js_doc *doc)
{
    struct errinfo info = {""};

    if (text && js_parse(str_of(text), 1 << 20, doc, &info) != ERR_OK)
        fail_msg("%s: %s", text, info.text);
}

static void run_read(struct run *r, const char *doc, const char *base)
{
    struct errinfo info = {""};

    *r = (struct run){.canonical = BUF_CAP(1 << 20)};
    parse(doc, &r->doc);
    parse(base, &r->base);
    r->result = opt_read(r->doc.root, r->base.root, "2026-09-01", STR("sample-store-"), &r->arena,
                         &r->store, &r->errors, &r->canonical);
    if (r->result == ERR_OK)
        assert_int_equal(js_parse(buf_str(&r->canonical), 1 << 20, &r->stored, &info), ERR_OK);
}

static void run_free(struct run *r)
{
    js_free(&r->doc);
    js_free(&r->base);
    js_free(&r->stored);
    buf_free(&r->canonical);
    arena_free(&r->arena);
}

/* ---- the table ---- */

static int line_number;

static void text_of(const struct js_value *v, struct buf *out)
{
    struct js_out w;

    buf_reset(out);
    jw_init(&w, out);
    if (v)
        jw_value(&w, v);
}

static void check_stored(const struct run *r, const char *path, const struct js_value *want)
{
    struct buf a = BUF_CAP(1 << 16), b = BUF_CAP(1 << 16);

    text_of(js_path(r->stored.root, path), &a);
    text_of(want, &b);
    if (!str_eq(buf_str(&a), buf_str(&b)))
        fail_msg("options.table:%d: %s is stored as %s, not %s", line_number, path, buf_z(&a),
                 buf_z(&b));
    buf_free(&a);
    buf_free(&b);
}

struct members {
    const struct run *run;
    const char *path;
};

static bool check_member(struct str key, const struct js_value *v, void *arg)
{
    struct members *m = arg;
    char path[200];

    snprintf(path, sizeof path, "%s.%.*s", m->path, STR_FMT(key));
    check_stored(m->run, path, v);
    return true;
}

static void check_row(const char *path, const char *value, const char *want)
{
    struct run r;
    struct js_doc stored = {0};
    struct str rest = str_of(path), field = str_of(path);
    struct buf doc = BUF_CAP(1 << 16);
    int depth = 0;

    while (rest.p) {
        struct str key = str_split(&rest, '.');

        buf_printf(&doc, "{\"%.*s\":", STR_FMT(key));
        depth++;
    }
    buf_addz(&doc, value);
    while (depth-- > 0)
        buf_addc(&doc, '}');
    run_read(&r, buf_z(&doc), SMALLEST);
    if (strncmp(want, "ok", 2) == 0) {
        if (r.result != ERR_OK)
            fail_msg("options.table:%d: refused: %.*s %.*s", line_number,
                     STR_FMT(r.errors.rows[0].field), STR_FMT(r.errors.rows[0].message));
        parse(want[2] ? want + 3 : value, &stored);
        if (strchr(path, '.'))
            check_stored(&r, path, stored.root);
        else
            js_each(stored.root, check_member, &(struct members){&r, path});
    } else {
        if (*want == '@') {
            field = (struct str){want + 1, strcspn(want + 1, ":")};
            want = field.p + field.n + 2;
        }
        if (r.result != ERR_RANGE || r.errors.count != 1 ||
            !str_eq(r.errors.rows[0].field, field) ||
            !str_eq(r.errors.rows[0].message, str_of(want)))
            fail_msg("options.table:%d: %zu complaints, not one about %.*s; the first: %.*s: %.*s",
                     line_number, r.errors.count, STR_FMT(field),
                     STR_FMT(r.errors.count ? r.errors.rows[0].field : STR("-")),
                     STR_FMT(r.errors.count ? r.errors.rows[0].message : STR("-")));
        assert_int_equal(r.canonical.n, 0);
    }
    js_free(&stored);
    buf_free(&doc);
    run_free(&r);
}

static void every_row_of_the_table_holds(void **state)
{
    FILE *f = fopen(SOURCE_DIR "/tests/data/options.table", "r");
    char line[1000];
    int rows = 0;

    (void)state;
    assert_non_null(f);
    for (line_number = 1; fgets(line, sizeof line, f); line_number++) {
        char *value = strstr(line, " | "), *want = value ? strstr(value + 3, " | ") : NULL;

        line[strcspn(line, "\n")] = '\0';
        if (*line == '\0' || *line == '#')
            continue;
        assert_non_null(want);
        *value = *want = '\0';
        check_row(line, value + 3, want + 3);
        rows++;
    }
    fclose(f);
    assert_true(rows > 100);
}

/* ---- documents as a whole ---- */

static void the_smallest_store_has_every_default(void **state)
{
    static const char want[] =
        "{\"settings\":{\"accounting_system_invoice\":true,\"auto_sync\":\"exclude_unpaid\","
        "\"sync_on_fulfilled\":false,\"only_sync_fulfilled\":false,\"sync_on_updated\":true,"
        "\"partially_paid_is_paid\":false,\"export_test_orders\":false,\"export_zero_value\":true,"
        "\"start_date\":\"2026-09-01\",\"exclude_tags\":[],\"exclude_sources\":[],"
        "\"exclude_gateways\":[],\"prefix\":\"sample-store-\",\"reference\":\"{name}\","
        "\"invoice_date\":\"processed\",\"due_days\":0,\"status\":\"AUTHORISED\","
        "\"quantities\":\"ordered\",\"lock_date_policy\":\"fail\",\"contact\":\"customer\","
        "\"contact_name\":null,\"send_customer_code\":false,\"record_payments\":true,"
        "\"currency\":\"shop\",\"discount_lines\":false,\"item_codes\":false,"
        "\"marketplace_tax\":\"leave_out\",\"vat_rates\":{},\"rounding_limit\":5,"
        "\"tax_amounts\":\"when_needed\",\"tracking\":[],\"branding_theme\":null,"
        "\"region\":\"na\"},"
        "\"mappings\":{\"accounts\":{\"default\":\"200\",\"shipping\":null,\"discounts\":null,"
        "\"tips\":null,\"duties\":null,\"gift_cards\":null,\"fees\":null,\"rounding\":null,"
        "\"marketplace_tax\":null,\"by_sku\":{},\"by_product_type\":{},\"by_vendor\":{}},"
        "\"taxes\":{\"by_title\":{},\"by_rate\":{},\"by_country\":{},\"default\":null,"
        "\"exempt\":\"NONE\"},\"payments\":{\"default\":null,\"gateways\":{},\"off\":[]}}}";
    struct run r;

    (void)state;
    run_read(&r, SMALLEST, NULL);
    assert_int_equal(r.result, ERR_OK);
    assert_string_equal(buf_z(&r.canonical), want);
    assert_true(r.store.rules.accounting_system_invoice && r.store.rules.sync_on_updated &&
                r.store.rules.export_zero_value && r.store.invoice.record_payments);
    assert_string_equal(r.store.rules.start_date, "2026-09-01");
    assert_int_equal(r.store.invoice.rounding_limit, 5);
    run_free(&r);
}

static void settings_reach_the_structs(void **state)
{
    struct run r;
    const struct rul_settings *rules = &r.store.rules;
    const struct inv_settings *inv = &r.store.invoice;

    (void)state;
    run_read(
        &r,
        "{\"connection\":\"ignored\",\"settings\":{\"auto_sync\":\"off\",\"start_date\":null,"
        "\"exclude_tags\":[\"a\",\"b\"],\"prefix\":\"X\",\"invoice_date\":\"fulfilled\","
        "\"status\":\"SUBMITTED\",\"record_payments\":false,\"contact\":\"single\","
        "\"contact_name\":\"Web\",\"discount_lines\":true,\"tax_amounts\":\"never\","
        "\"vat_rates\":{\"*\":\"0.190\"},"
        "\"due_days\":14},\"mappings\":{\"accounts\":{\"default\":\"200\",\"discounts\":\"202\","
        "\"by_sku\":{\"S\":\"210\"}},\"taxes\":{\"by_rate\":{\"0.20\":\"OUTPUT2\"}},"
        "\"payments\":{\"default\":\"091\",\"gateways\":{\"manual\":\"092\"},"
        "\"off\":[\"cash\"]}}}",
        NULL);
    assert_int_equal(r.result, ERR_OK);
    assert_int_equal(rules->auto_sync, RUL_OFF);
    assert_string_equal(rules->start_date, "");
    assert_int_equal(rules->tag_count, 2);
    assert_true(str_eq(rules->exclude_tags[1], STR("b")));
    assert_true(str_eq(inv->prefix, STR("X")));
    assert_int_equal(inv->invoice_date, INV_DATE_FULFILLED);
    assert_int_equal(inv->status, INV_SUBMITTED);
    assert_true(str_eq(inv->vat_rates.pairs[0].value, STR("0.19")));
    assert_true(inv->contact_single && inv->discount_lines && inv->tax_amounts_never);
    assert_false(inv->record_payments);
    assert_int_equal(inv->due_days, 14);
    assert_true(str_eq(inv->account_discounts, STR("202")));
    assert_true(str_eq(inv->account_by_sku.pairs[0].value, STR("210")));
    assert_true(str_eq(inv->tax_by_rate.pairs[0].key, STR("0.2")));
    assert_true(str_eq(inv->payment_by_gateway.pairs[0].key, STR("manual")));
    assert_int_equal(inv->payment_off_count, 1);
    run_free(&r);
}

static void the_documents_settings_reach_the_struct(void **state)
{
    struct run r;
    const struct inv_settings *inv = &r.store.invoice;

    (void)state;
    run_read(&r,
             "{\"settings\":{\"quantities\":\"fulfilled\",\"lock_date_policy\":\"next_open_day\","
             "\"send_customer_code\":true,\"currency\":\"presentment\",\"item_codes\":true,"
             "\"marketplace_tax\":\"clearing_account\",\"tracking\":["
             "{\"category\":\"Region\",\"option\":\"North\"},"
             "{\"category\":\"Channel\",\"tag_prefix\":\"channel:\"}]},"
             "\"mappings\":{\"accounts\":{\"marketplace_tax\":\"840\"}}}",
             SMALLEST);
    assert_int_equal(r.result, ERR_OK);
    assert_true(inv->quantities_fulfilled && inv->lock_next_open_day && inv->send_customer_code &&
                inv->presentment_currency && inv->item_codes && inv->marketplace_tax_clearing);
    assert_int_equal(inv->tracking_count, 2);
    assert_true(str_eq(inv->tracking[0].option, STR("North")));
    assert_true(str_eq(inv->tracking[1].category, STR("Channel")));
    assert_true(str_eq(inv->tracking[1].tag_prefix, STR("channel:")));
    run_free(&r);
}

static void payments_and_an_unapproved_status_are_not_asked_for_together(void **state)
{
    static const char draft[] =
        "{\"settings\":{\"status\":\"DRAFT\"},\"mappings\":{\"accounts\":{\"default\":\"200\"},"
        "\"taxes\":{\"exempt\":\"NONE\"}}}";
    static const char paying[] =
        "{\"settings\":{\"record_payments\":true},\"mappings\":{\"accounts\":{\"default\":\"200\"},"
        "\"taxes\":{\"exempt\":\"NONE\"}}}";
    struct run r;

    (void)state;
    run_read(&r, "{\"settings\":{\"status\":\"DRAFT\",\"record_payments\":true}}", SMALLEST);
    assert_int_equal(r.result, ERR_RANGE);
    assert_int_equal(r.errors.count, 2);
    assert_true(str_eq(r.errors.rows[0].field, STR("settings.status")));
    assert_true(str_eq(r.errors.rows[1].field, STR("settings.record_payments")));
    run_free(&r);
    /* What a change does not name gives way; its answer shows it. */
    run_read(&r, "{\"settings\":{\"status\":\"DRAFT\"}}", paying);
    assert_int_equal(r.result, ERR_OK);
    assert_false(r.store.invoice.record_payments);
    run_free(&r);
    run_read(&r, "{\"settings\":{\"record_payments\":true}}", draft);
    assert_int_equal(r.result, ERR_RANGE);
    assert_int_equal(r.errors.count, 2);
    run_free(&r);
}

static void a_stored_document_reads_back_as_itself(void **state)
{
    struct run first, second;
    char *text = NULL;

    (void)state;
    run_read(&first,
             "{\"settings\":{\"start_date\":null,\"prefix\":\"\",\"reference\":\"\","
             "\"exclude_tags\":[\"x\"]},"
             "\"mappings\":{\"taxes\":{\"by_country\":{\"de\":\"T\"}}}}",
             SMALLEST);
    assert_int_equal(first.result, ERR_OK);
    text = x_strdup(buf_z(&first.canonical));
    run_read(&second, text, NULL);
    assert_int_equal(second.result, ERR_OK);
    assert_string_equal(buf_z(&second.canonical), text);
    run_free(&first);
    run_free(&second);

    /* And as the base of a change it keeps what the change does not name; a map goes as a whole. */
    run_read(&first, "{\"mappings\":{\"taxes\":{\"by_country\":{\"FR\":\"U\"}}}}", text);
    assert_int_equal(first.result, ERR_OK);
    assert_int_equal(first.store.rules.tag_count, 1);
    assert_string_equal(first.store.rules.start_date, "");
    assert_int_equal(first.store.invoice.prefix.n, 0);
    assert_int_equal(first.store.invoice.tax_by_country.count, 1);
    assert_true(str_eq(first.store.invoice.tax_by_country.pairs[0].key, STR("FR")));
    run_free(&first);
    x_free(text);
}

static void all_faults_are_named_at_once(void **state)
{
    static const char *const want[] = {
        "settings.colour",   "mappings.payments.bank", "settings.auto_sync",
        "settings.due_days", "mappings.accounts.tips", "mappings.accounts.default",
        "mappings.taxes",
    };
    struct run r;

    (void)state;
    run_read(&r,
             "{\"settings\":{\"auto_sync\":1,\"due_days\":-4,\"colour\":\"red\"},"
             "\"mappings\":{\"accounts\":{\"tips\":7},\"payments\":{\"bank\":\"1\"}}}",
             NULL);
    assert_int_equal(r.result, ERR_RANGE);
    assert_int_equal(r.errors.count, sizeof want / sizeof want[0]);
    for (size_t i = 0; i < r.errors.count; i++)
        assert_true(str_eq(r.errors.rows[i].field, str_of(want[i])));
    run_free(&r);
}

static void a_hostile_document_gets_a_bounded_answer(void **state)
{
    struct buf doc = BUF_CAP(1 << 20);
    struct run r;

    (void)state;
    buf_addz(&doc, "{\"settings\":{");
    for (int i = 0; i < 20000; i++)
        buf_printf(&doc, "%s\"f%d\":1", i ? "," : "", i);
    buf_addz(&doc, "}}");
    run_read(&r, buf_z(&doc), NULL);
    assert_int_equal(r.result, ERR_RANGE);
    assert_int_equal(r.errors.count, 100);
    run_free(&r);
    buf_free(&doc);
}

static void a_default_prefix_that_cannot_stand_is_refused(void **state)
{
    struct opt_store store;
    struct opt_errors errors = {NULL, 0, 0};
    struct arena arena = {0};
    struct buf canonical = BUF_CAP(1 << 16);
    struct js_doc doc = {0};

    (void)state;
    parse(SMALLEST, &doc);
    assert_int_equal(opt_read(doc.root, NULL, "2026-09-01",
                              STR("a-shop-with-a-name-of-more-than-fifty-characters-altogether-"),
                              &arena, &store, &errors, &canonical),
                     ERR_RANGE);
    assert_int_equal(errors.count, 1);
    assert_true(str_eq(errors.rows[0].field, STR("settings.prefix")));
    js_free(&doc);
    buf_free(&canonical);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_table_holds),
        cmocka_unit_test(the_smallest_store_has_every_default),
        cmocka_unit_test(settings_reach_the_structs),
        cmocka_unit_test(the_documents_settings_reach_the_struct),
        cmocka_unit_test(payments_and_an_unapproved_status_are_not_asked_for_together),
        cmocka_unit_test(a_stored_document_reads_back_as_itself),
        cmocka_unit_test(all_faults_are_named_at_once),
        cmocka_unit_test(a_hostile_document_gets_a_bounded_answer),
        cmocka_unit_test(a_default_prefix_that_cannot_stand_is_refused),
    };

    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
