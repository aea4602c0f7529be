/* The document of a sale: what stands above its lines, how they are booked, sums and JSON. */
#include "service/sync/invoice.h"

#include "tests/unit/invoice_scene.h"

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
    c->o.name = STR("a\"b\\c\td");
    build(c);
    expect_text(c->w.docs[0].number, "mugs-a-b-c d");
    c->o.name = str_of(arena_printf(&c->arena, "%0215d", 7));
    build(c);
    assert_int_equal(c->w.problem_count, 0);
    c->o.name = str_of(arena_printf(&c->arena, "%0219d", 7)); /* "-R<id>-2" has to fit behind it */
    build_and_expect(c, "unusable-order", "224 bytes");
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

/* ---- later documents ---- */

/* Xero holds the sale as it was wanted last, and what was paid on it. */
static void export_sale(struct scene *c)
{
    const struct inv_document *doc = &c->w.docs[0];

    c->sale = (struct inv_known_doc){.name = STR("invoice"),
                                     .id = STR("id-1"),
                                     .number = doc->number,
                                     .status = STR("PAID"),
                                     .total = doc->total,
                                     .tax = doc->total_tax,
                                     .has_lines = true,
                                     .lines = doc->lines,
                                     .line_count = doc->line_count};
    c->known.docs = &c->sale;
    c->known.doc_count = 1;
    c->known.payments = c->w.payments;
    c->known.payment_count = c->w.payment_count;
    c->known.lines_may_change = true;
}

/* The refund 9 of AMOUNT. */
static void give_back(struct scene *c, struct ord_refund_line *line, struct ord_adjustment *a,
                      const char *amount)
{
    c->transactions[0] =
        (struct ord_transaction){STR("91"), STR("stripe"), eur(amount), "2026-09-05"};
    c->refund = (struct ord_refund){.id = STR("9"),
                                    .day = "2026-09-05",
                                    .has_money = true,
                                    .amount = eur(amount),
                                    .lines = line,
                                    .line_count = 1,
                                    .adjustments = a,
                                    .adjustment_count = a ? 1 : 0,
                                    .duties = eur("0"),
                                    .fees = eur("0"),
                                    .transactions = c->transactions,
                                    .transaction_count = 1};
    c->o.refunds = &c->refund;
    c->o.refund_count = 1;
}

static void a_tip_is_given_back_from_where_it_was_written(void **state)
{
    struct scene *c = *state;
    struct ord_refund_line tip = {STR("13"), 1, eur("2.00"), eur("0")};

    c->lines[2] = (struct ord_line){.kind = ORD_TIP,
                                    .id = STR("13"),
                                    .title = STR("Tip"),
                                    .quantity = 1,
                                    .price = eur("2.00"),
                                    .discount = eur("0")};
    c->o.line_count = 3;
    c->o.tip = eur("2.00");
    c->o.total = c->o.current_total = eur("32.00");
    c->s.account_tips = STR("280");
    c->o.state.kept = true;
    build(c);
    export_sale(c);
    c->s.account_tips = STR("281");
    c->s.tax_exempt = STR("OTHER");
    c->o.current_total = eur("30.00");
    give_back(c, &tip, NULL, "2.00");
    build(c);
    assert_int_equal(c->w.problem_count, 0);
    assert_int_equal(c->w.doc_count, 2);
    expect_text(c->w.docs[1].lines[0].account, "280");
    expect_text(c->w.docs[1].lines[0].tax_type, "NONE");
}

/* A cancelled order whose money went back whole, its shipping by an adjustment. */
static void cancel_and_give_back(struct scene *c, struct ord_refund_line *line,
                                 struct ord_adjustment *a)
{
    *line = (struct ord_refund_line){STR("11"), 2, eur("20.00"), eur("4.00")};
    *a = (struct ord_adjustment){ORD_ADJUST_SHIPPING, eur("-5.00"), eur("-1.00")};
    build(c);
    export_sale(c);
    c->o.state.cancelled = c->o.state.refunded = true;
    c->o.current_total = eur("0.00");
    give_back(c, line, a, "30.00");
    build(c);
    assert_int_equal(c->w.problem_count, 0);
}

static void shipping_given_back_needs_no_more_documents(void **state)
{
    struct scene *c = *state;
    struct ord_refund_line line;
    struct ord_adjustment shipping;

    cancel_and_give_back(c, &line, &shipping);
    assert_int_equal(c->w.doc_count, 2);
    expect_text(c->w.docs[1].name, "R9");
    assert_int_equal(c->w.payment_count, 2);
}

static void what_a_note_of_unknown_lines_says_is_not_said_again(void **state)
{
    struct scene *c = *state;
    struct inv_known_doc docs[2];
    struct ord_refund_line line;
    struct ord_adjustment shipping;

    cancel_and_give_back(c, &line, &shipping);
    docs[0] = c->sale;
    docs[1] = (struct inv_known_doc){.name = STR("R9"),
                                     .id = STR("id-2"),
                                     .number = STR("mugs-1050-R9"),
                                     .status = STR("PAID"),
                                     .credit = true,
                                     .total = eur("30.00"),
                                     .tax = eur("5.00")};
    c->known.docs = docs;
    c->known.doc_count = 2;
    build(c);
    assert_int_equal(c->w.problem_count, 0);
    assert_int_equal(c->w.doc_count, 2);
    docs[1].total = eur("29.00");
    build(c);
    expect_problem(c, INV_DOC_CREDIT_NOTE, "lines-unknown", "mugs-1050-R9");
    assert_int_equal(c->w.doc_count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(the_json_is_what_xero_takes),
        SCENE_TEST(tracking_is_fixed_or_behind_a_tags_prefix),
        SCENE_TEST(item_codes_and_the_theme_are_written),
        SCENE_TEST(accounts_go_from_special_to_general),
        SCENE_TEST(taxes_go_by_title_then_rate_then_country_then_default),
        SCENE_TEST(a_line_whose_taxes_sum_to_nothing_is_exempt),
        SCENE_TEST(tax_held_by_the_first_line_is_sent_as_it_is),
        SCENE_TEST(cents_that_are_missing_become_a_rounding_line),
        SCENE_TEST(discounts_can_stand_on_lines_of_their_own),
        SCENE_TEST(tips_count_once_and_gift_cards_need_an_account),
        SCENE_TEST(numbers_references_and_links_are_what_xero_takes),
        SCENE_TEST(dates_follow_the_setting_and_the_terms),
        SCENE_TEST(a_locked_period_moves_the_date_and_says_the_true_one),
        SCENE_TEST(a_tip_is_given_back_from_where_it_was_written),
        SCENE_TEST(shipping_given_back_needs_no_more_documents),
        SCENE_TEST(what_a_note_of_unknown_lines_says_is_not_said_again),
    };

    return cmocka_run_group_tests_name("invoice_sale", tests, NULL, NULL);
}
