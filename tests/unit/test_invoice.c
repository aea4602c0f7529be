#include "service/sync/invoice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define LINK "https://mugs.myshopify.com/admin/orders/900"

/* A paid order of one mug and its shipping, 20 % on top, and what it is built with. */
struct scene {
    struct arena arena;
    struct errinfo info;
    struct ord_tax taxes[3][3];
    struct ord_line lines[3];
    struct str gateways[3];
    struct ord_transaction transactions[3];
    struct ord_refund refund;
    struct inv_pair rates[2], by_gateway[1];
    struct str off[1];
    struct order o;
    struct inv_settings s;
    struct inv_known known;
    struct inv_known_doc sale; /* what Xero holds, once it was exported */
    struct inv_wanted w;
};

static struct money eur(const char *text)
{
    struct money m;

    assert_int_equal(mon_parse(str_of(text), "EUR", &m, NULL), ERR_OK);
    return m;
}

static struct rate rate_of(const char *text)
{
    struct rate r;

    assert_int_equal(mon_rate_parse(str_of(text), &r, NULL), ERR_OK);
    return r;
}

static int set_up(void **state)
{
    struct scene *c = x_alloc(sizeof *c);

    c->taxes[0][0] = (struct ord_tax){STR("VAT"), rate_of("0.2"), eur("4.00"), false};
    c->taxes[1][0] = (struct ord_tax){STR("VAT"), rate_of("0.2"), eur("1.00"), false};
    c->lines[0] = (struct ord_line){.kind = ORD_PRODUCT,
                                    .id = STR("11"),
                                    .title = STR("Mug"),
                                    .sku = STR("MUG-1"),
                                    .quantity = 2,
                                    .price = eur("10.50"),
                                    .discount = eur("1.00"),
                                    .taxes = c->taxes[0],
                                    .tax_count = 1};
    c->lines[1] = (struct ord_line){.kind = ORD_SHIPPING,
                                    .id = STR("12"),
                                    .title = STR("Standard"),
                                    .quantity = 1,
                                    .price = eur("5.00"),
                                    .discount = eur("0"),
                                    .taxes = c->taxes[1],
                                    .tax_count = 1};
    c->gateways[0] = STR("stripe");
    c->o = (struct order){.platform = STR("shopify"),
                          .store = STR("mugs.myshopify.com"),
                          .id = STR("900"),
                          .name = STR("#1050"),
                          .created_at = "2026-08-31T23:30:00-05:00",
                          .processed_at = "2026-09-01T00:30:00+02:00",
                          .currency = "EUR",
                          .presentment_currency = "EUR",
                          .total = eur("30.00"),
                          .total_tax = eur("5.00"),
                          .tip = eur("0"),
                          .outstanding = eur("0"),
                          .current_total = eur("30.00"),
                          .cash_rounding = eur("0"),
                          .duties = eur("0"),
                          .fees = eur("0"),
                          .lines = c->lines,
                          .line_count = 2,
                          .country = STR("DE"),
                          .due_days = -1};
    c->o.state = (struct ord_state){
        .paid = ORD_PAID, .created_day = "2026-08-31", .gateways = c->gateways, .gateway_count = 1};
    c->o.party = (struct ord_party){
        .customer_id = STR("77"), .name = STR("Ada Example"), .email = STR("ada@example.com")};
    c->rates[0] = (struct inv_pair){STR("0.2"), STR("OUTPUT2")};
    c->s = (struct inv_settings){.prefix = STR("mugs-"),
                                 .reference = STR("{name}"),
                                 .record_payments = true,
                                 .rounding_limit = 5,
                                 .account_default = STR("200"),
                                 .account_rounding = STR("860"),
                                 .tax_by_rate = {c->rates, 1},
                                 .tax_exempt = STR("NONE"),
                                 .payment_default = STR("091")};
    *state = c;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *c = *state;

    arena_free(&c->arena);
    x_free(c);
    return 0;
}

static void build(struct scene *c)
{
    enum err e = inv_build(&c->o, &c->s, &c->known, LINK, &c->arena, &c->w, &c->info);

    if (e != ERR_OK)
        fail_msg("%s", c->info.text);
}

static void expect_text(struct str got, const char *want)
{
    if (!str_eq(got, str_of(want)))
        fail_msg("\"%.*s\" is not \"%s\"", STR_FMT(got), want);
}

static void expect_amount(struct money got, const char *want)
{
    assert_string_equal(mon_text(got).z, want);
}

/* Exactly one problem, of document DOC and catalogue row ID, whose text has PART in it. */
static void expect_problem(const struct scene *c, enum inv_doc doc, const char *id,
                           const char *part)
{
    if (c->w.problem_count != 1)
        fail_msg("%zu problems, not one about \"%s\"", c->w.problem_count, part);
    assert_int_equal(c->w.problems[0].doc, doc);
    assert_string_equal(c->w.problems[0].catalogue, id);
    if (!strstr(c->w.problems[0].text.p, part))
        fail_msg("\"%s\" does not say \"%s\"", c->w.problems[0].text.p, part);
}

static void build_and_expect(struct scene *c, const char *id, const char *part)
{
    build(c);
    expect_problem(c, INV_DOC_INVOICE, id, part);
    assert_int_equal(c->w.payment_count, 0);
}

static void an_ordinary_order_becomes_an_invoice_and_a_payment(void **state)
{
    struct scene *c = *state;
    const struct inv_document *inv;

    build(c);
    inv = c->w.docs;
    assert_int_equal(c->w.problem_count, 0);
    assert_int_equal(c->w.docs[0].action, INV_CREATE);
    expect_text(inv->number, "mugs-1050");
    expect_text(inv->reference, "#1050");
    expect_text(inv->url, LINK);
    assert_string_equal(inv->date, "2026-09-01");
    assert_string_equal(inv->due_date, "2026-09-01");
    assert_int_equal(inv->line_count, 2);
    expect_amount(inv->lines[0].amount, "20.00");
    expect_amount(inv->lines[0].tax, "4.00");
    assert_false(inv->lines[0].send_tax);
    expect_amount(inv->total, "30.00");
    expect_amount(inv->total_tax, "5.00");
    assert_int_equal(c->w.payment_count, 1);
    expect_text(c->w.payments[0].mark, "order");
    expect_text(c->w.payments[0].reference, "#1050 order");
    expect_text(c->w.payments[0].account, "091");
    expect_amount(c->w.payments[0].amount, "30.00");
    assert_string_equal(c->w.payments[0].date, "2026-09-01");
}

static void the_json_is_what_xero_takes(void **state)
{
    struct scene *c = *state;
    struct buf b = BUF_CAP(1 << 16);
    struct js_out w;

    c->taxes[1][0].amount = eur("1.01");
    c->o.total = eur("30.01");
    c->o.total_tax = eur("5.01");
    build(c);
    assert_int_equal(c->w.problem_count, 0);
    jw_init(&w, &b);
    jw_begin_array(&w);
    inv_write_document(&w, &c->w.docs[0], STR("c-1"));
    inv_write_payment(&w, &c->w.payments[0], STR("i-1"), false);
    inv_write_contact(&w, &c->w.contact, false);
    jw_end_array(&w);
    assert_string_equal(
        buf_z(&b),
        "[{\"Type\":\"ACCREC\",\"Contact\":{\"ContactID\":\"c-1\"},\"Date\":\"2026-09-01\","
        "\"DueDate\":\"2026-09-01\",\"LineAmountTypes\":\"Exclusive\","
        "\"InvoiceNumber\":\"mugs-1050\",\"Reference\":\"#1050\",\"Url\":\"" LINK "\","
        "\"CurrencyCode\":\"EUR\",\"Status\":\"AUTHORISED\",\"LineItems\":["
        "{\"Description\":\"Mug\",\"Quantity\":2,\"UnitAmount\":10.50,\"DiscountAmount\":1.00,"
        "\"AccountCode\":\"200\",\"TaxType\":\"OUTPUT2\"},"
        "{\"Description\":\"Standard\",\"Quantity\":1,\"UnitAmount\":5.00,\"AccountCode\":\"200\","
        "\"TaxType\":\"OUTPUT2\",\"TaxAmount\":1.01}]},"
        "{\"Invoice\":{\"InvoiceID\":\"i-1\"},\"Account\":{\"Code\":\"091\"},"
        "\"Date\":\"2026-09-01\",\"Amount\":30.01,\"Reference\":\"#1050 order\"},"
        "{\"Name\":\"Ada Example\",\"ContactNumber\":\"0255cc2ab365bb6e\","
        "\"EmailAddress\":\"ada@example.com\"}]");
    buf_free(&b);
}

/* What the lines of the invoice look like in JSON. */
static void expect_in_json(const struct scene *c, const char *part)
{
    struct buf b = BUF_CAP(1 << 16);
    struct js_out w;

    jw_init(&w, &b);
    inv_write_document(&w, &c->w.docs[0], STR("c-1"));
    if (!strstr(buf_z(&b), part))
        fail_msg("%s does not say %s", buf_z(&b), part);
    buf_free(&b);
}

static void tracking_is_fixed_or_behind_a_tags_prefix(void **state)
{
    struct scene *c = *state;
    struct inv_tracking rows[2] = {
        {.category = STR("Region"), .option = STR("North")},
        {.category = STR("Channel"), .tag_prefix = STR("channel:")},
    };

    c->s.tracking = rows;
    c->s.tracking_count = 2;
    c->o.state.tags = STR("vip, channel:, channels, Channel: Market, channel:Web");
    build(c);
    assert_int_equal(c->w.docs[0].tracking_count, 2);
    expect_in_json(c, "\"TaxType\":\"OUTPUT2\",\"Tracking\":[{\"Name\":\"Region\",\"Option\":"
                      "\"North\"},{\"Name\":\"Channel\",\"Option\":\"Market\"}]}]}");
    c->o.state.tags = STR("vip");
    build(c); /* no such tag: left out */
    assert_int_equal(c->w.docs[0].tracking_count, 1);
    expect_in_json(c, "\"Tracking\":[{\"Name\":\"Region\",\"Option\":\"North\"}]}]}");
}

static void item_codes_and_the_theme_are_written(void **state)
{
    struct scene *c = *state;

    c->s.item_codes = true;
    c->s.branding_theme = STR("dabc7637-62c1-4941-8a6e-ee44fa5090e7");
    build(c);
    expect_in_json(c, "\"AccountCode\":\"200\",\"ItemCode\":\"MUG-1\",\"TaxType\":\"OUTPUT2\"}");
    expect_in_json(c, "\"BrandingThemeID\":\"dabc7637-62c1-4941-8a6e-ee44fa5090e7\",\"LineItems\"");
}

static void accounts_go_from_special_to_general(void **state)
{
    struct scene *c = *state;
    struct inv_pair sku = {STR("MUG-1"), STR("210")}, vendor = {STR("Potter"), STR("211")},
                    type = {STR("Mugs"), STR("212")};

    c->lines[0].vendor = STR("Potter");
    c->lines[0].product_type = STR("Mugs");
    c->s.account_shipping = STR("201");
    c->s.account_by_product_type = (struct inv_map){&type, 1};
    build(c);
    expect_text(c->w.docs[0].lines[0].account, "212");
    expect_text(c->w.docs[0].lines[1].account, "201");
    c->s.account_by_vendor = (struct inv_map){&vendor, 1};
    build(c);
    expect_text(c->w.docs[0].lines[0].account, "211");
    c->s.account_by_sku = (struct inv_map){&sku, 1};
    build(c);
    expect_text(c->w.docs[0].lines[0].account, "210");
    c->s.account_by_sku.count = c->s.account_by_vendor.count = 0;
    c->s.account_by_product_type.count = 0;
    c->s.account_default = STR("");
    build_and_expect(c, "account-invalid", "\"Mug\"");
}

static void taxes_go_by_title_then_rate_then_country_then_default(void **state)
{
    struct scene *c = *state;
    struct inv_pair title = {STR("Alpha + VAT"), STR("T1")}, country = {STR("DE"), STR("T3")};

    c->taxes[0][0].amount = eur("3.00");
    c->taxes[0][1] = (struct ord_tax){STR("Alpha"), rate_of("0.05"), eur("1.00"), false};
    c->taxes[0][0].rate = rate_of("0.15");
    c->taxes[0][2] = (struct ord_tax){STR("Nothing"), rate_of("0.07"), eur("0"), false};
    c->lines[0].tax_count = 3;
    c->rates[1] = (struct inv_pair){STR("0.2"), STR("T2")};
    c->s.tax_by_rate = (struct inv_map){NULL, 0};
    build(c);
    assert_int_equal(c->w.problem_count, 2);
    expect_text(c->w.problems[0].text,
                "[TaxCode Alpha + VAT] is not mapped to an accounting tax: map the title \"Alpha + "
                "VAT\" (mappings.taxes.by_title) or the rate 0.2 (mappings.taxes.by_rate).");
    assert_string_equal(c->w.problems[0].catalogue, "tax-unmapped");
    c->s.tax_default = STR("T4");
    build(c);
    expect_text(c->w.docs[0].lines[0].tax_type, "T4");
    c->s.tax_by_country = (struct inv_map){&country, 1};
    build(c);
    expect_text(c->w.docs[0].lines[0].tax_type, "T3");
    c->s.tax_by_rate = (struct inv_map){&c->rates[1], 1};
    build(c);
    expect_text(c->w.docs[0].lines[0].tax_type, "T2");
    c->s.tax_by_title = (struct inv_map){&title, 1};
    build(c);
    expect_text(c->w.docs[0].lines[0].tax_type, "T1");
    expect_text(c->w.docs[0].lines[1].tax_type, "T2");
    assert_int_equal(c->w.problem_count, 0);
}

static void a_line_whose_taxes_sum_to_nothing_is_exempt(void **state)
{
    struct scene *c = *state;

    c->taxes[1][0].amount = eur("0");
    c->o.total = eur("29.00");
    c->o.total_tax = eur("4.00");
    build(c);
    assert_int_equal(c->w.problem_count, 0);
    expect_text(c->w.docs[0].lines[1].tax_type, "NONE");
    c->s.tax_exempt = STR("");
    build_and_expect(c, "tax-unmapped", "\"Standard\" has no tax");
}

static void tax_held_by_the_first_line_is_sent_as_it_is(void **state)
{
    struct scene *c = *state;

    c->taxes[0][0].amount = eur("5.00");
    c->lines[1].tax_count = 0;
    build(c);
    assert_int_equal(c->w.problem_count, 0);
    assert_true(c->w.docs[0].lines[0].send_tax);
    expect_amount(c->w.docs[0].lines[0].tax, "5.00");
    expect_text(c->w.docs[0].lines[1].tax_type, "NONE");
    expect_amount(c->w.docs[0].total, "30.00");

    c->s.tax_amounts_never = true;
    build(c);
    assert_int_equal(c->w.problem_count, 2);
    assert_string_equal(c->w.problems[0].catalogue, "tax-does-not-reconcile");
    assert_string_equal(c->w.problems[1].catalogue, "total-does-not-reconcile");

    c->s.tax_amounts_never = false;
    c->taxes[0][0].amount = eur("25.00");
    c->o.total = eur("50.00");
    c->o.total_tax = eur("25.00");
    build_and_expect(c, "tax-does-not-reconcile",
                     "25.00, which Xero does not take on a line of 20");
}

static void cents_that_are_missing_become_a_rounding_line(void **state)
{
    struct scene *c = *state;
    const struct inv_line *last;

    c->o.total = eur("30.05");
    build(c);
    assert_int_equal(c->w.problem_count, 0);
    last = &c->w.docs[0].lines[c->w.docs[0].line_count - 1];
    expect_amount(last->amount, "0.05");
    expect_text(last->account, "860");
    expect_text(last->tax_type, "NONE");
    c->o.total = eur("29.96");
    build(c);
    expect_amount(c->w.docs[0].lines[c->w.docs[0].line_count - 1].amount, "-0.04");
    c->s.account_rounding = STR("");
    build_and_expect(c, "account-invalid", "\"Rounding\" of -0.04 EUR");
    c->s.account_rounding = STR("860");
    c->o.total = eur("30.06");
    build_and_expect(c, "total-does-not-reconcile",
                     "The order's total is 30.06 EUR, but its parts come to 30.00: lines 21.00, "
                     "discounts -1.00, shipping 5.00, tips 0.00, tax 5.00.");
    c->o.total = eur("30.00");
    c->s.discount_lines = true;
    build_and_expect(c, "account-invalid", "mapped for discounts");
    c->s.discount_lines = false;
    c->lines[0].discount = eur("61.00"); /* a line of -40.00, told without tax */
    c->lines[0].tax_count = 0;
    c->o.total = eur("-34.00");
    c->o.total_tax = eur("1.00");
    build_and_expect(c, "total-negative", "-34.00 EUR");
    c->lines[0].discount = eur("1.00");
    c->lines[0].tax_count = 1;
    c->o.total = eur("30.00");
    c->o.total_tax = eur("5.06");
    build_and_expect(c, "tax-does-not-reconcile", "tax is 5.06 EUR");
}

static void discounts_can_stand_on_lines_of_their_own(void **state)
{
    struct scene *c = *state;
    const struct inv_line *lines;

    c->s.discount_lines = true;
    c->s.account_discounts = STR("202");
    c->lines[0].price = eur("10.49"); /* 20.98: tax 4.20; less 0.99: 19.99: tax 4.00 */
    c->lines[0].discount = eur("0.99");
    c->o.total = eur("29.99");
    build(c);
    assert_int_equal(c->w.problem_count, 0);
    assert_int_equal(c->w.docs[0].line_count, 3);
    lines = c->w.docs[0].lines;
    expect_amount(lines[0].discount, "0.00");
    expect_amount(lines[0].amount, "20.98");
    expect_amount(lines[0].tax, "4.20");
    expect_amount(lines[2].unit, "-0.99");
    expect_amount(lines[2].tax, "-0.20");
    assert_false(lines[2].send_tax);
    expect_text(lines[2].account, "202");
    expect_text(lines[2].tax_type, "OUTPUT2");
    c->taxes[0][0].amount = eur("4.01");
    c->o.total = eur("30.00");
    c->o.total_tax = eur("5.01");
    build(c);
    assert_int_equal(c->w.problem_count, 0);
    lines = c->w.docs[0].lines;
    expect_amount(lines[0].tax, "4.21"); /* what Xero's own tax of the discount leaves */
    assert_true(lines[0].send_tax);
    expect_amount(lines[2].tax, "-0.20");
    assert_false(lines[2].send_tax);
}

static void tips_count_once_and_gift_cards_need_an_account(void **state)
{
    struct scene *c = *state;

    c->lines[2] = (struct ord_line){.kind = ORD_TIP,
                                    .id = STR("13"),
                                    .title = STR("Tip"),
                                    .quantity = 1,
                                    .price = eur("3.00"),
                                    .discount = eur("0")};
    c->o.line_count = 3;
    c->o.tip = eur("3.00");
    c->o.total = eur("33.00");
    build(c);
    expect_text(c->w.docs[0].lines[2].account, "200");
    c->s.account_tips = STR("203");
    build(c); /* told by a line and as an amount, counted once */
    assert_int_equal(c->w.problem_count, 0);
    assert_int_equal(c->w.docs[0].line_count, 3);
    expect_text(c->w.docs[0].lines[2].account, "203");
    expect_text(c->w.docs[0].lines[2].tax_type, "NONE");
    c->o.line_count = 2;
    build(c); /* told as an amount alone */
    assert_int_equal(c->w.problem_count, 0);
    expect_amount(c->w.docs[0].lines[2].amount, "3.00");

    c->lines[2].kind = ORD_GIFT_CARD;
    c->o.line_count = 3;
    c->o.tip = eur("0");
    build_and_expect(c, "account-invalid", "(mappings.accounts.gift_cards)");
    c->s.account_gift_cards = STR("835");
    build(c);
    assert_int_equal(c->w.problem_count, 0);
    expect_text(c->w.docs[0].lines[2].account, "835");
}

static void numbers_references_and_links_are_what_xero_takes(void **state)
{
    struct scene *c = *state;

    c->o.name = STR("#EU,10 50");
    c->o.po_number = STR("PO 7");
    c->s.reference = STR("{po_number} for {name}");
    build(c);
    expect_text(c->w.docs[0].number, "mugs-EU-10 50");
    expect_text(c->w.docs[0].reference, "PO 7 for #EU,10 50");
    c->o.name = STR("");
    build(c);
    expect_text(c->w.docs[0].number, "mugs-900");
    c->o.name = str_of(arena_printf(&c->arena, "%0251d", 7));
    build_and_expect(c, "unusable-order", "256 bytes");
    c->o.name = STR("#1");
    assert_int_equal(inv_build(&c->o, &c->s, &c->known, "https://XeroShop.example/1", &c->arena,
                               &c->w, &c->info),
                     ERR_OK);
    expect_problem(c, INV_DOC_INVOICE, "unsupported-kind", "XeroShop");
}

static void dates_follow_the_setting_and_the_terms(void **state)
{
    struct scene *c = *state;

    c->s.due_days = 14;
    build(c);
    assert_string_equal(c->w.docs[0].due_date, "2026-09-15");
    c->o.due_days = 30;
    build(c);
    assert_string_equal(c->w.docs[0].due_date, "2026-10-01");
    memcpy(c->o.due_day, "2026-12-24", 11);
    build(c);
    assert_string_equal(c->w.docs[0].due_date, "2026-12-24");
    memcpy(c->o.due_day, "2026-08-01", 11);
    build(c);
    assert_string_equal(c->w.docs[0].due_date, "2026-09-01");
    c->s.invoice_date = INV_DATE_PAID;
    build(c);
    assert_string_equal(c->w.docs[0].date, "2026-09-01");
    memcpy(c->known.paid_day, "2026-09-03", 11);
    build(c);
    assert_string_equal(c->w.docs[0].date, "2026-09-03");
    c->s.invoice_date = INV_DATE_FULFILLED;
    memcpy(c->o.fulfilled_day, "2026-09-05", 11);
    build(c);
    assert_string_equal(c->w.docs[0].date, "2026-09-05");
    assert_string_equal(c->w.payments[0].date, "2026-09-05"); /* never before the invoice */
    c->s.invoice_date = INV_DATE_PROCESSED;
    c->o.processed_at[0] = '\0';
    build(c);
    assert_string_equal(c->w.docs[0].date, "2026-08-31");
    c->o.created_at[0] = c->o.state.created_day[0] = '\0';
    c->o.due_day[0] = '\0';
    build_and_expect(c, "unusable-order", "no day");
}

static void a_locked_period_moves_the_date_and_says_the_true_one(void **state)
{
    struct scene *c = *state;

    memcpy(c->known.open_from, "2026-10-01", 11);
    build(c);
    assert_string_equal(c->w.docs[0].date, "2026-09-01"); /* the policy: let it fail */
    c->s.lock_next_open_day = true;
    c->s.due_days = 14;
    build(c);
    assert_string_equal(c->w.docs[0].date, "2026-10-01");
    assert_string_equal(c->w.docs[0].due_date, "2026-10-01");
    expect_text(c->w.docs[0].reference, "#1050 (dated 2026-09-01)");
    c->s.due_days = 60;
    build(c);
    assert_string_equal(c->w.docs[0].due_date, "2026-10-31"); /* of the true date */
    c->s.reference = STR("");
    build(c);
    expect_text(c->w.docs[0].reference, "(dated 2026-09-01)");
    c->s.reference = str_of(arena_printf(&c->arena, "%0255d", 7));
    build(c);
    assert_int_equal(c->w.docs[0].reference.n, 255);
    assert_non_null(strstr(c->w.docs[0].reference.p, "0 (dated 2026-09-01)"));
    memcpy(c->known.open_from, "2026-09-01", 11);
    c->s.reference = STR("{name}");
    build(c);
    expect_text(c->w.docs[0].reference, "#1050");
}

/* ---- payments ---- */

static void add_transaction(struct scene *c, const char *id, const char *gateway,
                            const char *amount)
{
    struct ord_transaction *t = &c->transactions[c->o.payment_count++];

    *t = (struct ord_transaction){str_of(id), str_of(gateway), eur(amount), "2026-09-02"};
    c->o.payments = c->transactions;
}

static void payments_follow_the_transactions(void **state)
{
    struct scene *c = *state;

    c->by_gateway[0] = (struct inv_pair){STR("gift_card"), STR("835")};
    c->s.payment_by_gateway = (struct inv_map){c->by_gateway, 1};
    add_transaction(c, "t1", "Gift_Card", "10.00");
    add_transaction(c, "t2", "stripe", "15.00");
    add_transaction(c, "t3", "stripe", "15.00");
    build(c);
    assert_int_equal(c->w.payment_count, 3);
    expect_text(c->w.payments[0].account, "835");
    expect_text(c->w.payments[0].reference, "#1050 t1");
    assert_string_equal(c->w.payments[0].date, "2026-09-02");
    expect_amount(c->w.payments[1].amount, "15.00");
    expect_amount(c->w.payments[2].amount, "5.00"); /* never more than is due */
    c->off[0] = STR("gift_card");
    c->s.payment_off = c->off;
    c->s.payment_off_count = 1;
    build(c);
    assert_int_equal(c->w.payment_count, 2);
    expect_text(c->w.payments[0].mark, "t2");
}

static void no_payment_where_none_belongs(void **state)
{
    struct scene *c = *state;

    c->o.state.paid = ORD_UNPAID;
    build(c);
    assert_int_equal(c->w.payment_count, 0);
    c->o.state.paid = ORD_PAID;
    c->s.record_payments = false;
    build(c);
    assert_int_equal(c->w.payment_count, 0);
    c->s.record_payments = true;
    c->s.status = INV_DRAFT;
    build(c);
    assert_int_equal(c->w.payment_count, 0);
    c->s.status = INV_AUTHORISED;
    c->off[0] = STR("Stripe");
    c->s.payment_off = c->off;
    c->s.payment_off_count = 1;
    build(c);
    assert_int_equal(c->w.payment_count, 0);
    c->s.payment_off_count = 0;
    c->s.payment_default = STR("");
    build(c);
    assert_int_equal(c->w.payment_count, 0);
    expect_problem(c, INV_DOC_PAYMENT, "payment-account-unmapped", "payments by stripe");
    assert_int_equal(c->w.docs[0].action, INV_CREATE);
}

static void a_partly_paid_order_pays_its_part_and_then_the_rest(void **state)
{
    struct scene *c = *state;
    struct inv_payment first;

    c->gateways[0] = STR(""); /* an empty name is no gateway */
    c->o.state.paid = ORD_PARTLY_PAID;
    c->o.outstanding = eur("18.00");
    build(c);
    assert_int_equal(c->w.payment_count, 1);
    expect_amount(c->w.payments[0].amount, "12.00");
    first = c->w.payments[0];
    c->sale = (struct inv_known_doc){.name = STR("invoice")};
    c->known = (struct inv_known){
        .docs = &c->sale, .doc_count = 1, .payments = &first, .payment_count = 1};
    build(c);
    assert_int_equal(c->w.payment_count, 1);
    c->o.state.paid = ORD_PAID;
    c->o.outstanding = eur("0");
    build(c);
    assert_int_equal(c->w.payment_count, 2);
    expect_amount(c->w.payments[1].amount, "18.00");
    expect_text(c->w.payments[1].mark, "order-2");
    /* Transactions that come to be known later: the first is the part that was paid. */
    add_transaction(c, "t1", "stripe", "12.00");
    add_transaction(c, "t2", "stripe", "18.00");
    build(c);
    assert_int_equal(c->w.payment_count, 2);
    expect_text(c->w.payments[1].mark, "t2");
    expect_amount(c->w.payments[1].amount, "18.00");
}

static void what_was_paid_as_a_whole_is_not_paid_again(void **state)
{
    struct scene *c = *state;
    struct inv_payment first;

    build(c);
    first = c->w.payments[0];
    c->sale = (struct inv_known_doc){.name = STR("invoice")};
    c->known = (struct inv_known){
        .docs = &c->sale, .doc_count = 1, .payments = &first, .payment_count = 1};
    add_transaction(c, "t1", "stripe", "10.00");
    add_transaction(c, "t2", "gift_card", "20.00");
    build(c);
    assert_int_equal(c->w.payment_count, 1);
    assert_int_equal(c->w.problem_count, 0);
}

static void a_split_is_waited_for_and_never_guessed(void **state)
{
    struct scene *c = *state;

    c->gateways[1] = STR("gift_card");
    c->o.state.gateway_count = 2;
    build(c);
    assert_true(c->w.wait_for_split);
    assert_int_equal(c->w.payment_count + c->w.problem_count, 0);
    c->known.split_wait_over = true;
    build(c);
    assert_false(c->w.wait_for_split);
    assert_int_equal(c->w.payment_count, 0);
    expect_problem(c, INV_DOC_PAYMENT, "payment-split-unknown", "2 gateways");
    assert_int_equal(c->w.docs[0].action, INV_CREATE);
    add_transaction(c, "t1", "stripe", "30.00");
    build(c);
    assert_int_equal(c->w.payment_count, 1);
    assert_int_equal(c->w.problem_count, 0);
}

/* ---- after the first export ---- */

static void export_it(struct scene *c)
{
    build(c);
    c->sale = (struct inv_known_doc){
        .name = STR("invoice"), .number = c->w.docs[0].number, .total = c->w.docs[0].total};
    c->known = (struct inv_known){.docs = &c->sale, .doc_count = 1, .lines_may_change = true};
}

static void a_written_invoice_stands_whatever_the_settings_become(void **state)
{
    struct scene *c = *state;

    export_it(c);
    c->s.account_default = STR("999");
    c->s.tax_by_rate.count = 0;
    c->s.prefix = STR("other-");
    build(c);
    assert_int_equal(c->w.problem_count, 0);
    assert_int_equal(c->w.docs[0].action, INV_KEEP);
    expect_text(c->w.docs[0].number, "mugs-1050");
    assert_int_equal(c->w.payment_count, 1);
}

static void lines_that_change_after_the_export_are_not_ignored(void **state)
{
    struct scene *c = *state;

    export_it(c);
    c->lines[0].quantity = 3;
    c->o.total = eur("40.50");
    build_and_expect(c, "unsupported-kind", "changed after its export as mugs-1050");
    c->known.lines_may_change = false;
    build(c); /* money follows what was written */
    assert_int_equal(c->w.problem_count, 0);
    assert_int_equal(c->w.docs[0].action, INV_KEEP);
    expect_amount(c->w.payments[0].amount, "30.00");
    c->sale.gone = true;
    build_and_expect(c, "voided-in-xero", "mugs-1050 was voided in Xero");
}

static void a_cancellation_voids_what_was_not_paid(void **state)
{
    struct scene *c = *state;
    struct inv_payment made;

    c->o.state.cancelled = true;
    build(c);
    assert_true(c->w.nothing && c->w.doc_count == 0);
    c->o.state.cancelled = false;
    export_it(c);
    made = c->w.payments[0];
    c->o.state.cancelled = true;
    c->refund = (struct ord_refund){
        .id = STR("r1"), .day = "2026-09-04", .has_money = true, .amount = eur("30.00")};
    c->o.refunds = &c->refund;
    c->o.refund_count = 1;
    build(c);
    assert_int_equal(c->w.docs[0].action, INV_VOID);
    assert_int_equal(c->w.problem_count, 0);
    c->known.payments = &made;
    c->known.payment_count = 1;
    build(c);
    assert_true(c->w.nothing && c->w.doc_count == 0);
    expect_problem(c, INV_DOC_CREDIT_NOTE, "unsupported-kind", "30.00 EUR of this order");
    c->sale.gone = true;
    build(c);
    assert_true(c->w.nothing && c->w.problem_count == 0);
}

static void a_refund_leaves_the_invoice_standing(void **state)
{
    struct scene *c = *state;

    c->refund = (struct ord_refund){
        .id = STR("r1"), .day = "2026-09-04", .has_money = true, .amount = eur("10.00")};
    c->o.refunds = &c->refund;
    c->o.refund_count = 1;
    build(c);
    assert_int_equal(c->w.docs[0].action, INV_CREATE);
    assert_int_equal(c->w.payment_count, 1);
    expect_problem(c, INV_DOC_CREDIT_NOTE, "unsupported-kind",
                   "10.00 EUR of this order was "
                   "refunded on 2026-09-04");
}

/* ---- contacts ---- */

static void expect_contact(struct scene *c, const char *name)
{
    build(c);
    expect_text(c->w.contact.name, name);
    assert_int_equal(strlen(c->w.contact.number), 16);
}

static void contacts_get_names_that_xero_takes(void **state)
{
    static const struct {
        const char *name, *want;
    } rows[] = {
        {"  Ada   Lovelace ", "Ada Lovelace"},
        {"<Ada>\tLovelace\n", "Ada Lovelace"},
        {"Ada\xc2\xa0\xc2\xa0Lovelace", "Ada Lovelace"},
        {"Zo\xc3\xab \xff Smith", "Zo\xc3\xab Smith"},
        {"<>", "ada@example.com"},
        {"", "ada@example.com"},
    };
    struct scene *c = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        c->o.party.name = str_of(rows[i].name);
        expect_contact(c, rows[i].want);
    }
    c->o.party.email = STR("");
    expect_contact(c, "Customer 77");
    c->o.party.company = STR("Mugs & Co");
    expect_contact(c, "Customer 77");
    c->o.party.is_company = true;
    expect_contact(c, "Mugs & Co");
    c->o.party.company = str_of(arena_printf(&c->arena, "%0254d\xc3\xab", 0));
    build(c);
    assert_int_equal(c->w.contact.name.n, 254); /* cut before the letter, not inside it */
    assert_int_equal(c->w.contact.distinct_name.n, 255);
}

static void contacts_are_told_apart_by_their_mark(void **state)
{
    struct scene *c = *state;
    struct inv_contact ada, bob, guest, single;

    build(c);
    ada = c->w.contact;
    expect_text(ada.distinct_name, arena_printf(&c->arena, "Ada Example (%.8s)", ada.number));
    c->o.party.customer_id = STR("78");
    build(c);
    bob = c->w.contact;
    c->o.party.customer_id = STR("");
    build(c);
    guest = c->w.contact;
    expect_text(guest.name, "mugs guest");
    assert_int_equal(guest.email.n, 0);
    c->s.contact_single = true;
    build(c);
    single = c->w.contact;
    expect_text(single.name, "mugs");
    c->s.contact_name = STR("Web shop");
    build(c);
    expect_text(c->w.contact.name, "Web shop");
    assert_string_equal(c->w.contact.number, single.number);
    assert_string_not_equal(ada.number, bob.number);
    assert_string_not_equal(ada.number, guest.number);
    assert_string_not_equal(guest.number, single.number);
}

static void only_plain_addresses_are_sent(void **state)
{
    static const char *const good[] = {"a@b.co", "ada.l+x@mail.example.com", "o'x_y@b-c.de"};
    static const char *const bad[] = {
        "",         "ada",      "@b.co",          "a@",
        "a@b",      "a@b@c.de", "a b@c.de",       "a@c.de,b",
        "a@.de",    "a@c.de.",  "a..b@c.de",      ".a@c.de",
        "a.@c.de",  "a@c..de",  "J\xc3\xbc@c.de", "a@\xc3\xbc.de",
        "<a@c.de>", "a@c_d.de",
    };
    struct scene *c = *state;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        c->o.party.email = str_of(good[i]);
        build(c);
        expect_text(c->w.contact.email, good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        c->o.party.email = str_of(bad[i]);
        build(c);
        if (c->w.contact.email.n > 0)
            fail_msg("\"%s\" was taken", bad[i]);
    }
}

static void amounts_that_do_not_fit_are_an_error(void **state)
{
    struct scene *c = *state;

    c->lines[0].price.units = INT64_MAX / 2;
    c->lines[0].quantity = 1000;
    assert_int_equal(inv_build(&c->o, &c->s, &c->known, LINK, &c->arena, &c->w, &c->info),
                     ERR_OVERFLOW);
    assert_non_null(strstr(c->info.text, "#1050"));
}

#define SCENE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(an_ordinary_order_becomes_an_invoice_and_a_payment),
        SCENE_TEST(the_json_is_what_xero_takes),
        SCENE_TEST(accounts_go_from_special_to_general),
        SCENE_TEST(taxes_go_by_title_then_rate_then_country_then_default),
        SCENE_TEST(a_line_whose_taxes_sum_to_nothing_is_exempt),
        SCENE_TEST(tax_held_by_the_first_line_is_sent_as_it_is),
        SCENE_TEST(cents_that_are_missing_become_a_rounding_line),
        SCENE_TEST(discounts_can_stand_on_lines_of_their_own),
        SCENE_TEST(tracking_is_fixed_or_behind_a_tags_prefix),
        SCENE_TEST(item_codes_and_the_theme_are_written),
        SCENE_TEST(a_locked_period_moves_the_date_and_says_the_true_one),
        SCENE_TEST(tips_count_once_and_gift_cards_need_an_account),
        SCENE_TEST(numbers_references_and_links_are_what_xero_takes),
        SCENE_TEST(dates_follow_the_setting_and_the_terms),
        SCENE_TEST(payments_follow_the_transactions),
        SCENE_TEST(no_payment_where_none_belongs),
        SCENE_TEST(a_partly_paid_order_pays_its_part_and_then_the_rest),
        SCENE_TEST(what_was_paid_as_a_whole_is_not_paid_again),
        SCENE_TEST(a_split_is_waited_for_and_never_guessed),
        SCENE_TEST(a_written_invoice_stands_whatever_the_settings_become),
        SCENE_TEST(lines_that_change_after_the_export_are_not_ignored),
        SCENE_TEST(a_cancellation_voids_what_was_not_paid),
        SCENE_TEST(a_refund_leaves_the_invoice_standing),
        SCENE_TEST(contacts_get_names_that_xero_takes),
        SCENE_TEST(contacts_are_told_apart_by_their_mark),
        SCENE_TEST(only_plain_addresses_are_sent),
        SCENE_TEST(amounts_that_do_not_fit_are_an_error),
    };

    return cmocka_run_group_tests_name("invoice", tests, NULL, NULL);
}
