/* The lines of an order's shares: what was sold, what edits left of it, what has shipped. */
#include "service/sync/invoice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "service/sync/invoice_parts.h"

/* Two mugs less 1.00, three plates, shipping: 20 % on top. 20.00 + 30.00 + 5.00, tax 11.00. */
struct scene {
    struct arena arena;
    struct errinfo info;
    struct ord_tax taxes[5][2];
    struct ord_line lines[6];
    struct order o;
    struct inv_pair rates[3];
    struct inv_settings s;
    struct inv_known known;
    struct inv_work w;
    struct inv_lines out;
};

static const char *currency = "EUR";

static struct money amount(const char *text)
{
    struct money m;

    assert_int_equal(mon_parse(str_of(text), currency, &m, NULL), ERR_OK);
    return m;
}

static struct rate rate_of(const char *text)
{
    struct rate r;

    assert_int_equal(mon_rate_parse(str_of(text), &r, NULL), ERR_OK);
    return r;
}

static struct ord_line *add_line(struct scene *c, enum ord_line_kind kind, const char *id,
                                 const char *title, int64_t quantity, const char *price,
                                 const char *discount, const char *tax)
{
    size_t i = c->o.line_count++;
    struct ord_line *line = &c->lines[i];

    *line = (struct ord_line){.kind = kind,
                              .id = str_of(id),
                              .title = str_of(title),
                              .quantity = quantity,
                              .ships = kind == ORD_PRODUCT,
                              .price = amount(price),
                              .discount = amount(discount),
                              .removed_subtotal = amount("0"),
                              .removed_tax = amount("0"),
                              .taxes = c->taxes[i],
                              .tax_count = tax[0] != '\0'};
    if (tax[0])
        c->taxes[i][0] =
            (struct ord_tax){.title = STR("VAT"), .rate = rate_of("0.2"), .amount = amount(tax)};
    return line;
}

static void start(struct scene *c)
{
    struct money zero = amount("0");

    c->o = (struct order){.platform = STR("shopify"),
                          .store = STR("mugs.myshopify.com"),
                          .id = STR("900"),
                          .name = STR("#1050"),
                          .lines = c->lines,
                          .total = zero,
                          .total_tax = zero,
                          .tip = zero,
                          .cash_rounding = zero,
                          .duties = zero,
                          .fees = zero,
                          .due_days = -1};
    memcpy(c->o.currency, currency, 4);
    c->rates[0] = (struct inv_pair){STR("0.2"), STR("T20")};
    c->rates[1] = (struct inv_pair){STR("0.1"), STR("T10")};
    c->s = (struct inv_settings){.rounding_limit = 5,
                                 .account_default = STR("200"),
                                 .account_rounding = STR("860"),
                                 .tax_by_rate = {c->rates, 2},
                                 .tax_exempt = STR("NONE")};
}

static void say(struct scene *c, const char *total, const char *tax)
{
    c->o.total = amount(total);
    c->o.total_tax = amount(tax);
}

static int set_up(void **state)
{
    struct scene *c = x_alloc(sizeof *c);

    currency = "EUR";
    start(c);
    add_line(c, ORD_PRODUCT, "11", "Mug", 2, "10.50", "1.00", "4.00");
    add_line(c, ORD_PRODUCT, "12", "Plate", 3, "10.00", "0", "6.00");
    add_line(c, ORD_SHIPPING, "13", "Post", 1, "5.00", "0", "1.00");
    say(c, "66.00", "11.00");
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

static void make(struct scene *c, enum inv_share share)
{
    arena_free(&c->arena);
    c->arena = (struct arena){0};
    c->w = (struct inv_work){
        .o = &c->o, .s = &c->s, .known = &c->known, .arena = &c->arena, .info = &c->info};
    assert_int_equal(inv_make_lines(&c->w, share, &c->out), ERR_OK);
}

static void print_lines(const struct inv_lines *lines, struct buf *b)
{
    for (size_t i = 0; i < lines->count; i++) {
        const struct inv_line *l = &lines->rows[i];

        buf_printf(b, "%.*s: %lld x %s", STR_FMT(l->key), (long long)l->quantity,
                   mon_text(l->unit).z);
        if (l->discount.units != 0)
            buf_printf(b, " - %s", mon_text(l->discount).z);
        buf_printf(b, " = %s on %.*s %.*s %s%s\n", mon_text(l->amount).z, STR_FMT(l->account),
                   STR_FMT(l->tax_type), mon_text(l->tax).z, l->send_tax ? " sent" : "");
    }
    buf_printf(b, "total %s tax %s\n", mon_text(lines->total).z, mon_text(lines->total_tax).z);
}

static void expect(struct scene *c, enum inv_share share, const char *want)
{
    struct buf b = BUF_CAP(1 << 16);

    make(c, share);
    if (c->w.problem_count > 0)
        fail_msg("%s", c->w.problems[0].text.p);
    print_lines(&c->out, &b);
    if (!str_eq(buf_str(&b), str_of(want)))
        fail_msg("\n%sis not\n%s", buf_z(&b), want);
    buf_free(&b);
}

static void expect_problem(struct scene *c, enum inv_share share, const char *id, const char *part)
{
    make(c, share);
    if (c->w.problem_count != 1)
        fail_msg("%zu problems, not one about \"%s\"", c->w.problem_count, part);
    assert_int_equal(c->w.problems[0].doc, INV_DOC_INVOICE);
    assert_string_equal(c->w.problems[0].catalogue, id);
    if (!strstr(c->w.problems[0].text.p, part))
        fail_msg("\"%s\" does not say \"%s\"", c->w.problems[0].text.p, part);
}

/* ---- shares ---- */

static const char whole[] = "11: 2 x 10.50 - 1.00 = 20.00 on 200 T20 4.00\n"
                            "12: 3 x 10.00 = 30.00 on 200 T20 6.00\n"
                            "13: 1 x 5.00 = 5.00 on 200 T20 1.00\n"
                            "total 66.00 tax 11.00\n";

static void edits_leave_less_than_was_sold(void **state)
{
    struct scene *c = *state;

    expect(c, INV_LEFT, whole);
    c->lines[0].removed = 1; /* takes its half of the discount with it */
    c->lines[0].removed_subtotal = amount("10.00");
    c->lines[0].removed_tax = amount("2.00");
    expect(c, INV_SOLD, whole);
    expect(c, INV_LEFT,
           "11: 1 x 10.50 - 0.50 = 10.00 on 200 T20 2.00\n"
           "12: 3 x 10.00 = 30.00 on 200 T20 6.00\n"
           "13: 1 x 5.00 = 5.00 on 200 T20 1.00\n"
           "total 54.00 tax 9.00\n");
    c->lines[1].removed = 3;
    c->lines[1].removed_subtotal = amount("30.00");
    c->lines[1].removed_tax = amount("6.00");
    c->lines[2].removed_subtotal = amount("2.00"); /* of shipping a part, without a quantity */
    c->lines[2].removed_tax = amount("0.40");
    expect(c, INV_LEFT,
           "11: 1 x 10.50 - 0.50 = 10.00 on 200 T20 2.00\n"
           "13: 1 x 3.00 = 3.00 on 200 T20 0.60\n"
           "total 15.60 tax 2.60\n");
    c->lines[1].removed_subtotal = amount("31.00");
    expect_problem(c, INV_LEFT, "total-does-not-reconcile",
                   "The order's total is 14.60 EUR (66.00 less 51.40 that edits removed), but its "
                   "parts come to 15.60: lines 10.50, discounts -0.50, shipping 3.00, tips 0.00, "
                   "tax 2.60.");
}

static void nothing_is_left_of_what_edits_removed_whole(void **state)
{
    struct scene *c = *state;

    c->lines[0].removed = 2;
    c->lines[0].removed_subtotal = amount("20.00");
    c->lines[0].removed_tax = amount("4.00");
    c->lines[1].removed = 3;
    c->lines[1].removed_subtotal = amount("30.00");
    c->lines[1].removed_tax = amount("6.00");
    expect(c, INV_LEFT, "13: 1 x 5.00 = 5.00 on 200 T20 1.00\ntotal 6.00 tax 1.00\n");
    c->lines[2].removed_subtotal = amount("5.00");
    c->lines[2].removed_tax = amount("1.00");
    expect(c, INV_LEFT, "total 0.00 tax 0.00\n");
    expect(c, INV_SHIPPED, "total 0.00 tax 0.00\n");
    expect(c, INV_SOLD, whole);
}

static void free_shipping_alone_is_no_invoice(void **state)
{
    struct scene *c = *state;

    c->lines[0].removed = 2;
    c->lines[0].removed_subtotal = amount("20.00");
    c->lines[0].removed_tax = amount("4.00");
    c->o.line_count = 1;
    add_line(c, ORD_SHIPPING, "13", "Free", 1, "0", "0", "");
    c->o.cash_rounding = amount("0.02");
    say(c, "24.00", "4.00");
    expect(c, INV_LEFT, "total 0.00 tax 0.00\n");
}

static void shipments_bring_their_share_and_together_the_whole(void **state)
{
    struct scene *c = *state;

    expect(c, INV_SHIPPED, "total 0.00 tax 0.00\n");
    assert_false(inv_all_shipped(&c->o));
    c->lines[0].discount = amount("0.99"); /* a half is 0.495 */
    say(c, "66.01", "11.00");
    c->lines[0].shipped = 1;
    expect(c, INV_SHIPPED,
           "11: 1 x 10.50 - 0.50 = 10.00 on 200 T20 2.00\n"
           "13: 1 x 5.00 = 5.00 on 200 T20 1.00\n"
           "total 18.00 tax 3.00\n");
    c->lines[0].shipped = 2;
    c->lines[1].shipped = 1;
    expect(c, INV_SHIPPED,
           "11: 2 x 10.50 - 0.99 = 20.01 on 200 T20 4.00\n"
           "12: 1 x 10.00 = 10.00 on 200 T20 2.00\n"
           "13: 1 x 5.00 = 5.00 on 200 T20 1.00\n"
           "total 42.01 tax 7.00\n");
    c->lines[1].removed = 2; /* the rest is taken out: all has shipped */
    c->lines[1].removed_subtotal = amount("20.00");
    c->lines[1].removed_tax = amount("4.00");
    assert_true(inv_all_shipped(&c->o));
    expect(c, INV_SHIPPED,
           "11: 2 x 10.50 - 0.99 = 20.01 on 200 T20 4.00\n"
           "12: 1 x 10.00 = 10.00 on 200 T20 2.00\n"
           "13: 1 x 5.00 = 5.00 on 200 T20 1.00\n"
           "total 42.01 tax 7.00\n");
    c->lines[1].shipped = 3; /* more than is left: it went before it was taken out */
    assert_true(inv_all_shipped(&c->o));
    c->lines[1].removed = 0;
    c->lines[1].removed_subtotal = c->lines[1].removed_tax = amount("0");
    c->o.total = amount("66.03"); /* the order's odd cents come with the whole alone */
    expect(c, INV_SHIPPED,
           "11: 2 x 10.50 - 0.99 = 20.01 on 200 T20 4.00\n"
           "12: 3 x 10.00 = 30.00 on 200 T20 6.00\n"
           "13: 1 x 5.00 = 5.00 on 200 T20 1.00\n"
           "rounding: 1 x 0.02 = 0.02 on 860 NONE 0.00\n"
           "total 66.03 tax 11.00\n");
    c->lines[1].shipped = 1;
    expect(c, INV_SHIPPED,
           "11: 2 x 10.50 - 0.99 = 20.01 on 200 T20 4.00\n"
           "12: 1 x 10.00 = 10.00 on 200 T20 2.00\n"
           "13: 1 x 5.00 = 5.00 on 200 T20 1.00\n"
           "total 42.01 tax 7.00\n");
    c->o.total = amount("67.00"); /* what does not add up is not begun with */
    expect_problem(c, INV_SHIPPED, "total-does-not-reconcile", "total is 67.00 EUR, but");
}

static void what_does_not_ship_comes_with_the_first_shipment(void **state)
{
    struct scene *c = *state;

    c->lines[1].ships = false;
    expect(c, INV_SHIPPED, "total 0.00 tax 0.00\n");
    c->lines[0].shipped = 1;
    expect(c, INV_SHIPPED,
           "11: 1 x 10.50 - 0.50 = 10.00 on 200 T20 2.00\n"
           "12: 3 x 10.00 = 30.00 on 200 T20 6.00\n"
           "13: 1 x 5.00 = 5.00 on 200 T20 1.00\n"
           "total 54.00 tax 9.00\n");
    c->lines[0].ships = false; /* nothing of it has to be shipped */
    c->lines[0].shipped = 0;
    expect(c, INV_SHIPPED, whole);
}

static void zero_decimals_and_three_decimals_are_shared_in_their_own(void **state)
{
    struct scene *c = *state;

    currency = "JPY";
    start(c);
    add_line(c, ORD_PRODUCT, "11", "Mug", 3, "1000", "100", "580")->shipped = 1;
    say(c, "3480", "580");
    expect(c, INV_SHIPPED, "11: 1 x 1000 - 33 = 967 on 200 T20 193 sent\ntotal 1160 tax 193\n");
    currency = "KWD";
    start(c);
    add_line(c, ORD_PRODUCT, "11", "Mug", 3, "1.005", "0.010", "0.601")->shipped = 1;
    say(c, "3.606", "0.601");
    expect(c, INV_SOLD, "11: 3 x 1.005 - 0.010 = 3.010 on 200 T20 0.600\ntotal 3.610 tax 0.600\n");
    expect(c, INV_SHIPPED,
           "11: 1 x 1.005 = 1.010 on 200 T20 0.200\n"
           "rounding: 1 x -0.010 = -0.010 on 860 NONE 0.000\n"
           "total 1.200 tax 0.200\n");
}

/* ---- keys ---- */

static void keys_are_stable_and_unique(void **state)
{
    struct scene *c = *state;

    c->lines[1].id = STR("11");
    c->lines[2].id = STR("");
    make(c, INV_SOLD);
    assert_true(str_eq(c->out.rows[0].key, STR("11")));
    assert_true(str_eq(c->out.rows[1].key, STR("product:-2")));
    assert_true(str_eq(c->out.rows[2].key, STR("shipping:-1")));
    c->lines[0].removed = 2;
    c->lines[0].removed_subtotal = amount("20.00");
    c->lines[0].removed_tax = amount("4.00");
    make(c, INV_LEFT);
    assert_true(str_eq(c->out.rows[0].key, STR("product:-2")));
    assert_true(str_eq(inv_line_key(&c->w, &c->lines[2]), STR("shipping:-1")));
}

/* ---- kinds ---- */

static void tips_stand_once_under_a_key_of_their_own(void **state)
{
    struct scene *c = *state;

    c->o.tip = amount("3.00");
    say(c, "69.00", "11.00");
    make(c, INV_SOLD); /* told as an amount alone */
    assert_int_equal(c->w.problem_count, 0);
    assert_true(str_eq(c->out.rows[3].key, STR("tip")));
    assert_true(str_eq(c->out.rows[3].account, STR("200")));
    c->s.account_tips = STR("203");
    add_line(c, ORD_TIP, "14", "Tip for Ada", 1, "1.00", "0", "");
    add_line(c, ORD_TIP, "15", "Tip for Bo", 1, "2.00", "0", "");
    make(c, INV_SOLD); /* and by lines */
    assert_int_equal(c->w.problem_count, 0);
    assert_int_equal(c->out.count, 5);
    assert_true(str_eq(c->out.rows[3].key, STR("tip")));
    assert_true(str_eq(c->out.rows[4].key, STR("tip:-2")));
    assert_true(str_eq(c->out.rows[4].account, STR("203")));
    c->o.tip = amount("4.00"); /* the amount counts */
    say(c, "70.00", "11.00");
    make(c, INV_SOLD);
    assert_int_equal(c->w.problem_count, 0);
    assert_int_equal(c->out.count, 4);
    assert_int_equal(c->out.rows[3].amount.units, 40000);
}

static void duties_and_fees_are_lines_if_they_are_in_the_total(void **state)
{
    struct scene *c = *state;

    add_line(c, ORD_DUTY, "duty:11", "Duties: Mug", 1, "3.00", "0", "0.60");
    add_line(c, ORD_FEE, "fee:1", "Recycling", 1, "0.50", "0", "");
    say(c, "70.10", "11.60");
    expect(c, INV_SOLD,
           "11: 2 x 10.50 - 1.00 = 20.00 on 200 T20 4.00\n"
           "12: 3 x 10.00 = 30.00 on 200 T20 6.00\n"
           "13: 1 x 5.00 = 5.00 on 200 T20 1.00\n"
           "duty:11: 1 x 3.00 = 3.00 on 200 T20 0.60\n"
           "fee:1: 1 x 0.50 = 0.50 on 200 NONE 0.00\n"
           "total 70.10 tax 11.60\n");
    c->s.account_duties = STR("204");
    c->s.account_fees = STR("270");
    make(c, INV_SOLD);
    assert_true(str_eq(c->out.rows[3].account, STR("204")));
    assert_true(str_eq(c->out.rows[4].account, STR("270")));
    say(c, "66.50", "11.00"); /* the fee alone */
    make(c, INV_SOLD);
    assert_int_equal(c->w.problem_count, 0);
    assert_true(str_eq(c->out.rows[3].key, STR("fee:1")));
    say(c, "66.00", "11.00"); /* neither */
    expect(c, INV_SOLD, whole);
    expect(c, INV_LEFT, whole);
    say(c, "68.00", "11.00"); /* neither way */
    make(c, INV_SOLD);
    assert_int_equal(c->w.problem_count, 2);
    assert_string_equal(c->w.problems[0].catalogue, "tax-does-not-reconcile");
    assert_string_equal(c->w.problems[1].text.p,
                        "The order's total is 68.00 EUR, but its parts come to 70.10: lines 51.00, "
                        "discounts -1.00, shipping 5.00, tips 0.00, duties 3.00, fees 0.50, tax "
                        "11.60.");
}

static void sold_gift_cards_are_owed_and_may_be_taxed(void **state)
{
    struct scene *c = *state;

    c->lines[1].kind = ORD_GIFT_CARD;
    expect_problem(c, INV_SOLD, "account-invalid",
                   "No account is mapped for sold gift cards, like \"Plate\" "
                   "(mappings.accounts.gift_cards): a liability account.");
    c->s.account_gift_cards = STR("835");
    make(c, INV_SOLD);
    assert_int_equal(c->w.problem_count, 0);
    assert_true(str_eq(c->out.rows[1].account, STR("835")));
    assert_true(str_eq(c->out.rows[1].tax_type, STR("T20")));
}

static void tax_of_a_marketplace_is_left_out_or_cleared(void **state)
{
    struct scene *c = *state;

    c->taxes[0][1] = (struct ord_tax){STR("City"), rate_of("0.1"), amount("2.00"), true};
    c->lines[0].tax_count = 2;
    c->taxes[1][0].channel_liable = true; /* all of the plates' tax */
    say(c, "68.00", "13.00");
    expect(c, INV_SOLD,
           "11: 2 x 10.50 - 1.00 = 20.00 on 200 T20 4.00\n"
           "12: 3 x 10.00 = 30.00 on 200 NONE 0.00\n"
           "13: 1 x 5.00 = 5.00 on 200 T20 1.00\n"
           "total 60.00 tax 5.00\n");
    c->s.marketplace_tax_clearing = true;
    expect_problem(c, INV_SOLD, "account-invalid", "(mappings.accounts.marketplace_tax)");
    c->s.account_marketplace_tax = STR("840");
    expect(c, INV_SOLD,
           "11: 2 x 10.50 - 1.00 = 20.00 on 200 T20 4.00\n"
           "12: 3 x 10.00 = 30.00 on 200 NONE 0.00\n"
           "13: 1 x 5.00 = 5.00 on 200 T20 1.00\n"
           "marketplace-tax: 1 x 8.00 = 8.00 on 840 NONE 0.00\n"
           "total 68.00 tax 5.00\n");
    c->lines[0].removed = 1;
    c->lines[0].removed_subtotal = amount("10.00");
    c->lines[0].removed_tax = amount("3.00");
    c->lines[1].shipped = 2;
    expect(c, INV_LEFT,
           "11: 1 x 10.50 - 0.50 = 10.00 on 200 T20 2.00\n"
           "12: 3 x 10.00 = 30.00 on 200 NONE 0.00\n"
           "13: 1 x 5.00 = 5.00 on 200 T20 1.00\n"
           "marketplace-tax: 1 x 7.00 = 7.00 on 840 NONE 0.00\n"
           "total 55.00 tax 3.00\n");
    expect(c, INV_SHIPPED,
           "12: 2 x 10.00 = 20.00 on 200 NONE 0.00\n"
           "13: 1 x 5.00 = 5.00 on 200 T20 1.00\n"
           "marketplace-tax: 1 x 4.00 = 4.00 on 840 NONE 0.00\n"
           "total 30.00 tax 1.00\n");
}

static void tax_of_a_marketplace_in_the_price_is_taken_off_it(void **state)
{
    struct scene *c = *state;

    c->o.taxes_included = true;
    c->o.line_count = 0;
    add_line(c, ORD_PRODUCT, "11", "Mug", 2, "13.00", "0", "4.00");
    c->taxes[0][1] = (struct ord_tax){STR("City"), rate_of("0.1"), amount("2.00"), true};
    c->lines[0].tax_count = 2;
    say(c, "26.00", "6.00");
    expect(c, INV_SOLD, "11: 2 x 12.00 = 24.00 on 200 T20 4.00\ntotal 24.00 tax 4.00\n");
    c->lines[0].quantity = 3; /* does not divide: beside the discount, and off no discount line */
    c->lines[0].price = amount("10.00");
    c->lines[0].discount = amount("4.00");
    c->s.discount_lines = true;
    c->s.account_discounts = STR("202");
    expect(c, INV_SOLD,
           "11: 3 x 10.00 - 2.00 = 28.00 on 200 T20 4.67\n"
           "discount:0.2 VAT: 1 x -4.00 = -4.00 on 202 T20 -0.67\n"
           "total 24.00 tax 4.00\n");
    c->s.marketplace_tax_clearing = true;
    c->s.account_marketplace_tax = STR("840");
    c->s.discount_lines = false;
    expect(c, INV_SOLD,
           "11: 3 x 10.00 - 6.00 = 24.00 on 200 T20 4.00\n"
           "marketplace-tax: 1 x 2.00 = 2.00 on 840 NONE 0.00\n"
           "total 26.00 tax 4.00\n");
}

/* What Xero's tax type would charge is a guess: the tax is sent, and by_rate is not asked. */
static void a_tax_without_its_rate_is_sent_and_mapped_by_its_title(void **state)
{
    struct scene *c = *state;
    struct inv_pair title = {STR("VAT"), STR("T20")};

    for (int i = 0; i < 3; i++)
        c->taxes[i][0].rate.units = 0;
    c->rates[2] = (struct inv_pair){STR("0"), STR("ZERO")};
    c->s.tax_by_rate.count = 3;
    expect_problem(c, INV_SOLD, "tax-unmapped",
                   "[TaxCode VAT] is not mapped to an accounting tax: map the title \"VAT\" "
                   "(mappings.taxes.by_title); its rate is not stated.");
    c->s.tax_default = STR("T10");
    make(c, INV_SOLD);
    assert_true(str_eq(c->out.rows[0].tax_type, STR("T10")));
    c->s.tax_by_title = (struct inv_map){&title, 1};
    expect(c, INV_SOLD,
           "11: 2 x 10.50 - 1.00 = 20.00 on 200 T20 4.00 sent\n"
           "12: 3 x 10.00 = 30.00 on 200 T20 6.00 sent\n"
           "13: 1 x 5.00 = 5.00 on 200 T20 1.00 sent\n"
           "total 66.00 tax 11.00\n");
    c->s.discount_lines = true;
    c->s.account_discounts = STR("202");
    expect(c, INV_SOLD,
           "11: 2 x 10.50 = 21.00 on 200 T20 4.00 sent\n"
           "12: 3 x 10.00 = 30.00 on 200 T20 6.00 sent\n"
           "13: 1 x 5.00 = 5.00 on 200 T20 1.00 sent\n"
           "discount:0 VAT: 1 x -1.00 = -1.00 on 202 T20 0.00 sent\n"
           "total 66.00 tax 11.00\n");
    c->s.discount_lines = false;
    c->s.tax_by_title.count = 0;
    c->taxes[0][1] = (struct ord_tax){STR("City"), rate_of("0.2"), amount("1.00"), false};
    c->lines[0].tax_count = 2; /* of one the rate, of the other not: together neither */
    say(c, "67.00", "12.00");
    make(c, INV_SOLD);
    assert_true(str_eq(c->out.rows[0].tax_type, STR("T10")));
    c->s.tax_amounts_never = true;
    make(c, INV_SOLD); /* then nothing can be right */
    assert_int_equal(c->w.problem_count, 2);
    assert_string_equal(c->w.problems[0].catalogue, "tax-does-not-reconcile");
}

static void cash_rounding_is_a_line_beside_the_total(void **state)
{
    struct scene *c = *state;

    c->o.cash_rounding = amount("-0.02");
    say(c, "66.01", "11.00");
    expect(c, INV_SOLD,
           "11: 2 x 10.50 - 1.00 = 20.00 on 200 T20 4.00\n"
           "12: 3 x 10.00 = 30.00 on 200 T20 6.00\n"
           "13: 1 x 5.00 = 5.00 on 200 T20 1.00\n"
           "cash-rounding: 1 x -0.02 = -0.02 on 860 NONE 0.00\n"
           "rounding: 1 x 0.01 = 0.01 on 860 NONE 0.00\n"
           "total 65.99 tax 11.00\n");
    c->s.account_rounding = STR("");
    say(c, "66.00", "11.00");
    expect_problem(c, INV_SOLD, "account-invalid",
                   "No account is mapped for the line \"Cash rounding\" of -0.02 EUR "
                   "(mappings.accounts.rounding).");
}

static void item_codes_are_the_skus_that_xero_can_have(void **state)
{
    struct scene *c = *state;

    c->lines[0].sku = STR("MUG-1");
    c->lines[1].sku = STR("1234567890123456789012345678901");
    c->lines[2].sku = STR("POST");
    make(c, INV_SOLD);
    assert_int_equal(c->out.rows[0].item_code.n, 0);
    c->s.item_codes = true;
    make(c, INV_SOLD);
    assert_true(str_eq(c->out.rows[0].item_code, STR("MUG-1")));
    assert_int_equal(c->out.rows[1].item_code.n, 0);
    assert_int_equal(c->out.rows[2].item_code.n, 0);
}

static void discount_lines_keep_their_keys_whatever_is_mapped(void **state)
{
    struct scene *c = *state;

    c->s.discount_lines = true;
    c->s.account_discounts = STR("202");
    c->lines[1].discount = amount("3.00");
    c->taxes[1][0].amount = amount("5.40");
    say(c, "62.40", "10.40");
    expect(c, INV_SOLD,
           "11: 2 x 10.50 = 21.00 on 200 T20 4.20\n"
           "12: 3 x 10.00 = 30.00 on 200 T20 6.00\n"
           "13: 1 x 5.00 = 5.00 on 200 T20 1.00\n"
           "discount:0.2 VAT: 1 x -4.00 = -4.00 on 202 T20 -0.80\n"
           "total 62.40 tax 10.40\n");
    c->rates[0].value = STR("OTHER");
    make(c, INV_SOLD);
    assert_true(str_eq(c->out.rows[3].key, STR("discount:0.2 VAT")));
    c->lines[1].tax_count = 0;
    say(c, "57.00", "5.00");
    make(c, INV_SOLD);
    assert_int_equal(c->w.problem_count, 0);
    assert_true(str_eq(c->out.rows[4].key, STR("discount:exempt")));
}

static void negative_quantities_are_refused(void **state)
{
    struct scene *c = *state;

    c->lines[1].quantity = -3;
    say(c, "30.00", "5.00");
    expect_problem(c, INV_SOLD, "unsupported-kind", "The line \"Plate\" has the quantity -3.");
}

static void lines_of_no_value_stay(void **state)
{
    struct scene *c = *state;

    c->lines[0].price = c->lines[0].discount = amount("0");
    c->lines[0].tax_count = 0;
    c->lines[1].discount = amount("30.00");
    c->taxes[1][0].amount = amount("0.00");
    say(c, "6.00", "1.00");
    expect(c, INV_SOLD,
           "11: 2 x 0.00 = 0.00 on 200 NONE 0.00\n"
           "12: 3 x 10.00 - 30.00 = 0.00 on 200 NONE 0.00\n"
           "13: 1 x 5.00 = 5.00 on 200 T20 1.00\n"
           "total 6.00 tax 1.00\n");
}

/* ---- what other documents ask ---- */

static void the_largest_tax_is_by_value(void **state)
{
    struct scene *c = *state;
    struct inv_coding coding;

    make(c, INV_SOLD);
    inv_code_largest(&c->w, INV_DOC_CREDIT_NOTE, &coding);
    assert_true(str_eq(coding.tax_type, STR("T20")));
    assert_true(str_eq(coding.account, STR("200")));
    c->taxes[1][0].rate = rate_of("0.1");
    c->w.largest = NULL;
    inv_code_largest(&c->w, INV_DOC_CREDIT_NOTE, &coding);
    assert_true(str_eq(coding.tax_type, STR("T10"))); /* 30.00 against 25.00 */
    assert_int_equal(coding.rate.units, MON_RATE_SCALE / 10);
    for (size_t i = 0; i < 3; i++)
        c->lines[i].tax_count = 0;
    c->w.largest = NULL;
    inv_code_largest(&c->w, INV_DOC_CREDIT_NOTE, &coding);
    assert_true(str_eq(coding.tax_type, STR("NONE")));
    assert_null(inv_order_line(&c->o, STR("")));
    assert_ptr_equal(inv_order_line(&c->o, STR("12")), &c->lines[1]);
}

#define SCENE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(edits_leave_less_than_was_sold),
        SCENE_TEST(nothing_is_left_of_what_edits_removed_whole),
        SCENE_TEST(free_shipping_alone_is_no_invoice),
        SCENE_TEST(shipments_bring_their_share_and_together_the_whole),
        SCENE_TEST(what_does_not_ship_comes_with_the_first_shipment),
        SCENE_TEST(zero_decimals_and_three_decimals_are_shared_in_their_own),
        SCENE_TEST(keys_are_stable_and_unique),
        SCENE_TEST(tips_stand_once_under_a_key_of_their_own),
        SCENE_TEST(duties_and_fees_are_lines_if_they_are_in_the_total),
        SCENE_TEST(sold_gift_cards_are_owed_and_may_be_taxed),
        SCENE_TEST(tax_of_a_marketplace_is_left_out_or_cleared),
        SCENE_TEST(tax_of_a_marketplace_in_the_price_is_taken_off_it),
        SCENE_TEST(a_tax_without_its_rate_is_sent_and_mapped_by_its_title),
        SCENE_TEST(cash_rounding_is_a_line_beside_the_total),
        SCENE_TEST(item_codes_are_the_skus_that_xero_can_have),
        SCENE_TEST(discount_lines_keep_their_keys_whatever_is_mapped),
        SCENE_TEST(negative_quantities_are_refused),
        SCENE_TEST(lines_of_no_value_stay),
        SCENE_TEST(the_largest_tax_is_by_value),
    };

    return cmocka_run_group_tests_name("invoice_lines", tests, NULL, NULL);
}
