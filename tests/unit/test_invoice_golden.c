#include "service/sync/invoice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "service/sync/options.h"
#include "service/sync/shopify.h"
#include "tests/unit/amazon_sample.h"

#ifndef SOURCE_DIR
#define SOURCE_DIR "."
#endif
#define ORDERS SOURCE_DIR "/tests/data/orders/"
#define GOLDEN SOURCE_DIR "/tests/data/invoices/"

/* The whole of a file; false if there is none. */
static bool read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    char chunk[2048];
    size_t n;

    if (!f)
        return false;
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        buf_add(out, chunk, n);
    fclose(f);
    assert_int_equal(buf_check(out), ERR_OK);
    return true;
}

static const char *const samples[] = {
    "01_doc_test_order_cancelled_voided",
    "02_ruby_partially_refunded_discount_3lines",
    "03_ruby_unpaid_pending",
    "04_ruby_partially_paid",
    "05_ruby_eur_tax_exclusive_qty3",
    "06_ruby_discount_code_fulfilled_no",
    "07_ruby_three_lines_tax",
    "08_ruby_fulfilled",
    "09_ruby_cancelled_refunded",
    "10_ita_hkd_two_stacked_discounts_shipping",
    "11_jpy_zero_decimal_tax_exclusive",
    "20_con_gbp_tax_incl_partial_fulfilment_code",
    "21_con_eur_shop_gbp_presentment_gift_card_paid",
    "22_con_gift_card_line_and_tip_line",
    "23_con_b2b_net30_unpaid_tax_exempt",
    "24_con_free_order_zero_total",
};

/* Amazon's, of both APIs: an order of v0 has its items in a file of their own. */
static const struct {
    const char *golden, *order, *items;
} amazon[] = {
    {"amazon_2026_01_gbp_tax_on_top", "orders_2026-01-01/getOrder_01_gbp_103_97", NULL},
    {"amazon_2026_02_brl_vat_0", "orders_2026-01-01/getOrder_02_brl_299_90", NULL},
    {"amazon_2026_03_try_facilitator", "orders_2026-01-01/getOrder_03_try_facilitator_125_00",
     NULL},
    {"amazon_2026_04_usd", "orders_2026-01-01/getOrder_04_usd_49_99", NULL},
    {"amazon_2026_05_usd_company_and_tip", "orders_2026-01-01/searchOrders_05_usd_154_99_tip",
     NULL},
    {"amazon_2026_06_jpy_vat_unstated", "orders_2026-01-01/searchOrders_06_jpy_19940", NULL},
    {"amazon_2026_07_gbp_vat_unstated", "orders_2026-01-01/searchOrders_07_gbp_34_99", NULL},
    {"amazon_2026_08_brl_company_vat_0", "orders_2026-01-01/searchOrders_08_brl_1599_90", NULL},
    {"amazon_v0_02_facilitator_tax", "orders_v0/getOrder_02_sandbox_total_11_01",
     "orders_v0/getOrderItems_02_sandbox_10_00_plus_1_01"},
    {"amazon_v0_10_facilitator_tax_two_items", "orders_v0/getOrder_10_us_facilitator_tax_two_items",
     "orders_v0/getOrderItems_10_us_facilitator_tax_two_items"},
    {"amazon_v0_11_gbp_vat_unstated", "orders_v0/getOrder_11_uk_vat_inclusive",
     "orders_v0/getOrderItems_11_uk_vat_inclusive"},
};

static void print_line(struct buf *b, const struct inv_line *l)
{
    char left[80];
    size_t at = b->n;

    buf_printf(b, "  %lld x %s", (long long)l->quantity, mon_text(l->unit).z);
    if (l->discount.units != 0)
        buf_printf(b, " - %s", mon_text(l->discount).z);
    snprintf(left, sizeof left, "%s", b->p + at);
    b->n = at;
    buf_printf(b, "%-24s = %9s  account %-4s %-16s tax %6s%-7s %.*s\n", left, mon_text(l->amount).z,
               l->account.p, l->tax_type.p, mon_text(l->tax).z, l->send_tax ? " (sent)" : "",
               STR_FMT(l->description));
}

static void print_document(struct buf *b, const struct inv_document *doc)
{
    static const char *const statuses[] = {"AUTHORISED", "DRAFT", "SUBMITTED"};

    buf_printf(b, "%s    %.*s, %s%s\n", doc->credit ? "credit " : "invoice", STR_FMT(doc->number),
               statuses[doc->status], doc->action == INV_CREATE ? "" : ", stands as it is");
    buf_printf(b, "reference  %.*s\n", STR_FMT(doc->reference));
    if (!doc->credit)
        buf_printf(b, "link       %.*s\n", STR_FMT(doc->url));
    buf_printf(b, "date       %s%s%s\n", doc->date, doc->credit ? "" : ", due ", doc->due_date);
    buf_printf(b, "lines      in %s, tax %s\n", doc->currency,
               doc->inclusive ? "included" : "on top");
    for (size_t i = 0; i < doc->line_count; i++)
        print_line(b, &doc->lines[i]);
    buf_printf(b, "total      %s, tax %s\n", mon_text(doc->total).z, mon_text(doc->total_tax).z);
}

static void print_wanted(struct buf *b, const struct inv_wanted *w)
{
    const struct inv_contact *c = &w->contact;

    buf_printf(b, "contact    %.*s%s%.*s%s, number %s, else %.*s\n", STR_FMT(c->name),
               c->email.n ? " <" : "", STR_FMT(c->email), c->email.n ? ">" : "", c->number,
               STR_FMT(c->distinct_name));
    if (w->nothing)
        buf_addz(b, "nothing to export\n");
    for (size_t i = 0; i < w->doc_count; i++)
        print_document(b, &w->docs[i]);
    for (size_t i = 0; i < w->payment_count; i++)
        buf_printf(b, "payment    %s on %s to %.*s, \"%.*s\", of %.*s\n",
                   mon_text(w->payments[i].amount).z, w->payments[i].date,
                   STR_FMT(w->payments[i].account), STR_FMT(w->payments[i].reference),
                   STR_FMT(w->payments[i].doc));
    for (size_t i = 0; i < w->allocation_count; i++)
        buf_printf(b, "counted    %s on %s, %.*s\n", mon_text(w->allocations[i].amount).z,
                   w->allocations[i].date, STR_FMT(w->allocations[i].mark));
    if (w->wait_for_split)
        buf_addz(b, "payments   wait: how much went through which gateway is not known yet\n");
    for (size_t i = 0; i < w->problem_count; i++)
        buf_printf(b, "problem    %s: %s: %.*s\n", inv_doc_text(w->problems[i].doc),
                   w->problems[i].catalogue, STR_FMT(w->problems[i].text));
}

/* The settings of tests/data/invoices/settings.json. */
static void golden_settings(struct arena *arena, struct inv_settings *out)
{
    struct buf text = BUF_CAP(1 << 16), canonical = BUF_CAP(1 << 16);
    struct js_doc doc = {0};
    struct errinfo info = {""};
    struct opt_store store;
    struct opt_errors errors = {NULL, 0, 0};

    assert_true(read_file(GOLDEN "settings.json", &text));
    assert_int_equal(js_parse(buf_str(&text), 1 << 16, &doc, &info), ERR_OK);
    assert_int_equal(opt_read(doc.root, NULL, "2026-09-01", STR("sample-store-"), arena, &store,
                              &errors, &canonical),
                     ERR_OK);
    *out = store.invoice;
    js_free(&doc);
    buf_free(&text);
    buf_free(&canonical);
}

/* What is built of the order, against the file of that name. */
static void check_golden(const char *name, const struct order *o, const char *link,
                         const struct inv_settings *s, struct arena *arena)
{
    static const struct inv_known fresh;
    struct buf got = BUF_CAP(1 << 20), want = BUF_CAP(1 << 20);
    struct errinfo info = {""};
    struct inv_wanted w;
    char path[300];

    if (inv_build(o, s, &fresh, link, arena, &w, &info) != ERR_OK)
        fail_msg("%s: %s", name, info.text);
    print_wanted(&got, &w);
    snprintf(path, sizeof path, GOLDEN "%s.golden", name);
    if (getenv("GOLDEN_UPDATE")) {
        FILE *f = fopen(path, "w");

        assert_non_null(f);
        assert_int_equal(fwrite(got.p, 1, got.n, f), got.n);
        fclose(f);
    } else if (!read_file(path, &want) || !str_eq(buf_str(&got), buf_str(&want))) {
        fail_msg("%s is not what is built (GOLDEN_UPDATE=1 writes it anew):\n%s", path,
                 buf_z(&got));
    }
    buf_free(&got);
    buf_free(&want);
}

static void check_sample(const char *name, const struct inv_settings *s)
{
    struct buf body = BUF_CAP(1 << 20);
    struct str store = STR("sample-store.myshopify.com");
    struct arena arena = {0};
    struct js_doc doc = {0};
    struct errinfo info = {""};
    struct order o;
    char path[300];

    snprintf(path, sizeof path, ORDERS "%s.json", name);
    if (!read_file(path, &body))
        fail_msg("%s is missing", path);
    assert_int_equal(js_parse(buf_str(&body), 1 << 20, &doc, &info), ERR_OK);
    if (shp_read_order(doc.root, store, SHP_SHOP_MONEY, &arena, &o, &info) != ERR_OK)
        fail_msg("%s: %s", name, info.text);
    check_golden(name, &o, shp_order_link(store, o.id, &arena), s, &arena);
    js_free(&doc);
    arena_free(&arena);
    buf_free(&body);
}

static void every_sample_gives_its_golden_document(void **state)
{
    struct arena arena = {0};
    struct inv_settings s;

    (void)state;
    golden_settings(&arena, &s);
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        check_sample(samples[i], &s);
    arena_free(&arena);
}

static void every_sample_of_amazon_gives_its_golden_document(void **state)
{
    struct arena arena = {0};
    struct inv_settings s;

    (void)state;
    golden_settings(&arena, &s);
    for (size_t i = 0; i < sizeof amazon / sizeof amazon[0]; i++) {
        struct sample a;

        if (amazon[i].items) {
            load_v0(&a, amazon[i].order, amazon[i].items);
        } else {
            begin(&a);
            load_named(amazon[i].order, &a.text);
        }
        if (read_order(&a) != ERR_OK)
            fail_msg("%s: %s", amazon[i].order, a.info.text);
        check_golden(amazon[i].golden, &a.o, amz_order_link(a.o.id, &a.arena), &s, &a.arena);
        end(&a);
    }
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_gives_its_golden_document),
        cmocka_unit_test(every_sample_of_amazon_gives_its_golden_document),
    };

    return cmocka_run_group_tests_name("invoice_golden", tests, NULL, NULL);
}
