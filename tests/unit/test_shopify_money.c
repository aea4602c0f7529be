#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/shopify_sample.h"

/* ---- the choice of money ---- */

#define SET(key, eur, usd)                                                                         \
    "'" key "_set':{'shop_money':{'amount':'" eur "','currency_code':'EUR'},"                      \
    "'presentment_money':{'amount':'" usd "','currency_code':'USD'}}"
#define FOREIGN_HEAD                                                                               \
    "'id':1,'currency':'EUR','presentment_currency':'USD','total_price':'10.00'," SET(             \
        "total_price", "10.00", "12.00") ","
#define FOREIGN_LINE                                                                               \
    "'line_items':[{'id':11,'title':'Mug','quantity':2,'price':'5.00'," SET("price", "5.00",       \
                                                                            "6.00") "}]"

#define PRICE SET("price", "5.10", "6.12")
#define REDUCTION SET("amount", "0.20", "0.24")
#define TAX SET("price", "1.00", "1.20")

static void an_amount_is_read_from_its_set_where_it_stands_nowhere_else(void **state)
{
    static const char text[] = "{'id':1,'currency':'EUR','presentment_currency':'USD'," SET(
        "total_price", "10.00", "12.00") ",'line_items':[{'id':11,'quantity':2," PRICE
                                         ",'discount_allocations':[{" REDUCTION
                                         "}],'tax_lines':[{'rate':0.2," TAX "}]}]}";
    struct sample s;

    (void)state;
    for (int money = SHP_SHOP_MONEY; money <= SHP_PRESENTMENT_MONEY; money++) {
        bool shop = money == SHP_SHOP_MONEY;

        assert_int_equal(read_text_in(&s, text, (enum shp_money)money), ERR_OK);
        assert_string_equal(s.o.currency, shop ? "EUR" : "USD");
        assert_string_equal(s.o.shop_currency, "EUR");
        assert_string_equal(mon_text(s.o.total).z, shop ? "10.00" : "12.00");
        assert_string_equal(mon_text(s.o.lines[0].price).z, shop ? "5.10" : "6.12");
        assert_string_equal(mon_text(s.o.lines[0].discount).z, shop ? "0.20" : "0.24");
        assert_string_equal(mon_text(s.o.lines[0].taxes[0].amount).z, shop ? "1.00" : "1.20");
        close_sample(&s);
    }
}

static void presentment_money_is_never_guessed(void **state)
{
    static const struct {
        const char *text;
        enum err e;
        const char *sentence;
    } cases[] = {
        {"{'id':1,'currency':'EUR','presentment_currency':'USD','total_price':'10.00'}",
         ERR_MISSING,
         "total_price_set.presentment_money is missing: the amount is stated in EUR only"},
        {"{" FOREIGN_HEAD ONE_LINE "}", ERR_MISSING,
         "line_items[0]: price_set.presentment_money is missing"},
        {"{" FOREIGN_HEAD FOREIGN_LINE ",'total_tax':'1.00'}", ERR_MISSING,
         "total_tax_set.presentment_money is missing"},
        {"{" FOREIGN_HEAD FOREIGN_LINE ",'total_tax':'0.00'}", ERR_OK, ""}, /* 0 in any money */
        {"{" FOREIGN_HEAD FOREIGN_LINE
         ",'shipping_lines':[{'price':'1.00'," SET("price", "1.00", "x") "}]}",
         ERR_TYPE, "shipping_lines[0]: price_set.presentment_money: amount: "},
        {"{" FOREIGN_HEAD FOREIGN_LINE
         ",'total_tax_set':{'presentment_money':{'amount':'1.00','currency_code':'GBP'}}}",
         ERR_CURRENCY, "total_tax_set.presentment_money: it is in GBP, not in USD."},
        {"{" FOREIGN_HEAD FOREIGN_LINE ",'refunds':[{'id':5,'transactions':[],'refund_line_items':"
         "[{'line_item_id':11,'quantity':1,'subtotal':5.0}]}]}",
         ERR_MISSING,
         "refunds[0]: refund_line_items[0]: subtotal_set.presentment_money is missing"},
    };
    struct sample s;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum err e = read_text_in(&s, cases[i].text, SHP_PRESENTMENT_MONEY);

        if (e != cases[i].e || !str_starts(str_of(s.info.text), str_of(cases[i].sentence)))
            fail_msg("%s: %d, \"%s\"", cases[i].text, e, s.info.text);
        close_sample(&s);
    }
    /* A buyer who paid in the shop's money has only one. */
    assert_int_equal(
        read_text_in(&s, "{" HEAD ONE_LINE ",'total_tax':'1.00'}", SHP_PRESENTMENT_MONEY), ERR_OK);
    assert_string_equal(s.o.currency, "EUR");
    close_sample(&s);
}

static void what_is_outstanding_of_the_buyers_money_is_claimed_only_if_known(void **state)
{
    static const struct {
        const char *outstanding, *status, *wanted;
    } cases[] = {
        {"'0.00'", "paid", "0.00"},           {"'8.00'", "pending", "9.60"}, /* all of it */
        {"'10.00'", "pending", "12.00"},                                     /* all of the sale */
        {"'-2.00'", "paid", "-2.40"}, /* what the edit took off */
        {"'3.00'", "partially_paid", "9.60"}, {"'-1.00'", "paid", "0.00"},
        {"null", "pending", "9.60"},          {"null", "paid", "0.00"},
        {"'x'", "pending", "9.60"},
    };
    char text[1000];
    struct sample s;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(text, sizeof(text),
                 "{" FOREIGN_HEAD FOREIGN_LINE ",'current_total_price':'8.00'," SET(
                     "current_total_price", "8.00",
                     "9.60") ",'financial_status':'%s','total_outstanding':%s}",
                 cases[i].status, cases[i].outstanding);
        assert_int_equal(read_text_in(&s, text, SHP_PRESENTMENT_MONEY), ERR_OK);
        assert_string_equal(mon_text(s.o.outstanding).z, cases[i].wanted);
        close_sample(&s);
    }
}

#define TIP_LINE(more)                                                                             \
    "{" FOREIGN_HEAD "'line_items':[{'id':12,'quantity':1,'price':'2.00','tip_payment_gateway':"   \
    "null," SET("price", "2.00", "2.40") "}]," more "}"

static void tips_in_the_buyers_money_are_those_of_the_lines(void **state)
{
    struct sample s;

    (void)state;
    assert_int_equal(
        read_text_in(&s, TIP_LINE("'total_tip_received':'2.00'"), SHP_PRESENTMENT_MONEY), ERR_OK);
    assert_string_equal(mon_text(s.o.tip).z, "2.40");
    close_sample(&s);
    assert_int_equal(
        read_text_in(&s, TIP_LINE("'total_tip_received':'0.00'"), SHP_PRESENTMENT_MONEY), ERR_OK);
    assert_string_equal(mon_text(s.o.tip).z, "0.00");
    close_sample(&s);
    assert_int_equal(
        read_text_in(&s, TIP_LINE("'total_tip_received':'3.00'"), SHP_PRESENTMENT_MONEY),
        ERR_MISSING);
    assert_true(str_starts(str_of(s.info.text), STR("total_tip_received_set.presentment_money")));
    close_sample(&s);
}

static void amounts_have_the_decimals_of_their_currency(void **state)
{
    struct sample s;

    (void)state;
    assert_int_equal(read_text(&s,
                               "{'id':1,'currency':'JPY','total_price':'14319','line_items':"
                               "[{'price':'14319','quantity':1,'tax_lines':[{'price':1302}]}]}"),
                     ERR_OK);
    assert_string_equal(mon_text(s.o.total).z, "14319");
    assert_string_equal(mon_text(s.o.lines[0].taxes[0].amount).z, "1302");
    close_sample(&s);
    assert_int_equal(read_text(&s, "{'id':1,'currency':'KWD','total_price':'1.255','line_items':"
                                   "[{'price':'1.255','quantity':1}]}"),
                     ERR_OK);
    assert_string_equal(mon_text(s.o.lines[0].price).z, "1.255");
    close_sample(&s);
}

static void current_totals_change_nothing_of_the_sale(void **state)
{
    struct sample s;

    (void)state;
    assert_int_equal(read_text(&s, "{" HEAD "'line_items':[{'id':11,'quantity':2,'price':'5.00',"
                                   "'current_quantity':0,'fulfillable_quantity':0}],"
                                   "'current_total_price':'0.00','current_subtotal_price':'0.00',"
                                   "'current_total_tax':'0.00','current_total_discounts':'9.00'}"),
                     ERR_OK);
    assert_string_equal(mon_text(s.o.total).z, "10.00");
    assert_string_equal(mon_text(s.o.current_total).z, "0.00");
    assert_int_equal(s.o.lines[0].quantity, 2);
    assert_int_equal(s.o.lines[0].removed, 0);
    assert_false(s.o.edited || s.o.state.nothing_left);
    close_sample(&s);
}

/* ---- shipments, duties, fees ---- */

static void shipments_count_what_went(void **state)
{
    struct sample s;

    (void)state;
    assert_int_equal(
        read_text(&s,
                  "{" HEAD "'line_items':[{'id':11,'quantity':5,'price':'1'},"
                  "{'id':12,'quantity':2,'price':'1','requires_shipping':false},"
                  "{'id':13,'quantity':2,'price':'1','requires_shipping':'no'}],'shipping_lines':"
                  "[{'id':14,'price':'1'}],'fulfillments':["
                  "{'status':'success','line_items':[{'id':11,'quantity':1},{'id':13,'quantity':9},"
                  "{'id':14,'quantity':1},{'id':99,'quantity':1},7,null]},"
                  "{'status':'pending','line_items':[{'id':11,'quantity':2}]},"
                  "{'status':'cancelled','line_items':[{'id':11,'quantity':1}]},"
                  "{'status':'error','line_items':[{'id':11,'quantity':1}]},"
                  "{'status':'failure','line_items':[{'id':11,'quantity':1}]},"
                  "{'line_items':[{'id':11,'quantity':-3},{'id':11,'quantity':'x'},{'id':11}]}]}"),
        ERR_OK);
    assert_int_equal(s.o.lines[0].shipped, 3);
    assert_int_equal(s.o.lines[1].shipped, 0);
    assert_int_equal(s.o.lines[2].shipped, 2); /* never more than was sold */
    assert_int_equal(s.o.lines[3].shipped, 0);
    assert_true(s.o.lines[0].ships && !s.o.lines[1].ships && s.o.lines[2].ships);
    assert_false(s.o.lines[3].ships);
    close_sample(&s);
    /* Without the shipments the shop's word counts; beside an empty list it does not. */
    assert_int_equal(read_text(&s, "{" HEAD ONE_LINE ",'fulfillment_status':'fulfilled'}"), ERR_OK);
    assert_int_equal(s.o.lines[0].shipped, 2);
    close_sample(&s);
    assert_int_equal(
        read_text(&s, "{" HEAD ONE_LINE ",'fulfillment_status':'fulfilled','fulfillments':[]}"),
        ERR_OK);
    assert_int_equal(s.o.lines[0].shipped, 0);
    close_sample(&s);
}

#define DUTIES                                                                                     \
    "'line_items':[{'id':11,'title':'Mug','quantity':1,'price':'5.00','duties':["                  \
    "{'shop_money':{'amount':'1.00','currency_code':'EUR'},'presentment_money':{'amount':'1.20'}," \
    "'tax_lines':[{'title':'VAT','rate':0.2,'price':'0.20','price_set':{'presentment_money':"      \
    "{'amount':'0.24'}}}]},"                                                                       \
    "{'shop_money':{'amount':'0.50'},'presentment_money':{'amount':'0.60'},'tax_lines':[]}]},"     \
    "{'id':12,'title':'Tea','quantity':1,'price':'5.00','duties':[{'shop_money':{'amount':"        \
    "'0.00'}}]}],'shipping_lines':[{'id':13,'title':'Post','price':'3.00'}]"

static void duties_become_a_line_for_each_product(void **state)
{
    struct sample s;
    const struct ord_line *l;

    (void)state;
    assert_int_equal(read_text(&s, "{" HEAD DUTIES "}"), ERR_OK);
    assert_int_equal(s.o.line_count, 4); /* one that costs nothing is none */
    assert_int_equal(s.o.lines[2].kind, ORD_SHIPPING);
    l = &s.o.lines[3];
    assert_int_equal(l->kind, ORD_DUTY);
    assert_true(str_eq(l->id, STR("duty:11")) && str_eq(l->title, STR("Duties: Mug")));
    assert_int_equal(l->quantity, 1);
    assert_string_equal(mon_text(l->price).z, "1.50");
    assert_int_equal(l->tax_count, 1);
    assert_string_equal(mon_text(l->taxes[0].amount).z, "0.20");
    assert_false(l->ships);
    assert_string_equal(mon_text(s.o.duties).z, "1.50");
    close_sample(&s);

    /* A total without its parts. */
    assert_int_equal(read_text(&s,
                               "{" HEAD ONE_LINE
                               ",'original_total_duties_set':{'shop_money':{'amount':'1.10'}}}"),
                     ERR_OK);
    assert_int_equal(s.o.line_count, 2);
    assert_true(str_eq(s.o.lines[1].id, STR("duty:order")));
    assert_int_equal(s.o.lines[1].kind, ORD_DUTY);
    assert_string_equal(mon_text(s.o.lines[1].price).z, "1.10");
    close_sample(&s);

    assert_int_equal(read_text(&s, "{" HEAD "'line_items':[{'quantity':1,'price':'5','duties':"
                                   "[{},{'shop_money':{'amount':'x'}}]}]}"),
                     ERR_TYPE);
    assert_true(
        str_starts(str_of(s.info.text), STR("line_items[0]: duties[1]: duty.shop_money: amount")));
    close_sample(&s);
}

static void duties_in_the_prices_are_no_lines(void **state)
{
    struct sample s;

    (void)state;
    assert_int_equal(
        read_text(&s, "{" HEAD DUTIES ",'duties_included':true,"
                      "'original_total_duties_set':{'shop_money':{'amount':'1.50'}},"
                      "'refunds':[{'id':5,'transactions':[{'id':6,'kind':'refund','status':"
                      "'success','amount':'5.00'}],'total_duties_set':{'shop_money':"
                      "{'amount':'1.50'}}}]}"),
        ERR_OK);
    assert_true(s.o.duties_included);
    assert_int_equal(s.o.line_count, 3);
    assert_string_equal(mon_text(s.o.duties).z, "1.50"); /* as the shop says it */
    assert_int_equal(s.o.refunds[0].duties.units, 0);    /* in what the line was worth */
    close_sample(&s);
}

static void fees_become_lines(void **state)
{
    struct sample s;

    (void)state;
    assert_int_equal(
        read_text(&s, "{" HEAD ONE_LINE ",'additional_fees':[{'id':7,'name':'Packing','price_set':"
                      "{'shop_money':{'amount':'1.00'}},'tax_lines':[{'rate':0.2,'price':'0.20'}]},"
                      "{'price':'2.00'},{'price':'0.00'}]}"),
        ERR_OK);
    assert_int_equal(s.o.line_count, 3);
    assert_int_equal(s.o.lines[1].kind, ORD_FEE);
    assert_true(str_eq(s.o.lines[1].id, STR("fee:7")));
    assert_true(str_eq(s.o.lines[1].title, STR("Packing")));
    assert_int_equal(s.o.lines[1].tax_count, 1);
    assert_true(str_eq(s.o.lines[2].id, STR("fee:-2")));
    assert_true(str_eq(s.o.lines[2].title, STR("Additional fee")));
    assert_string_equal(mon_text(s.o.fees).z, "3.00");
    close_sample(&s);
    assert_int_equal(
        read_text(&s, "{" HEAD ONE_LINE
                      ",'original_total_additional_fees_set':{'shop_money':{'amount':'2.20'}}}"),
        ERR_OK);
    assert_int_equal(s.o.line_count, 2);
    assert_true(str_eq(s.o.lines[1].id, STR("fee:order")));
    assert_string_equal(mon_text(s.o.lines[1].price).z, "2.20");
    close_sample(&s);
}

static void money_is_kept_by_the_shops_word(void **state)
{
    static const struct {
        const char *status;
        bool kept;
    } cases[] = {
        {"paid", true},      {"partially_paid", true}, {"partially_refunded", true},
        {"refunded", false}, {"pending", false},       {"authorized", false},
        {"voided", false},   {"paid_by_magic", false},
    };
    char text[400];
    struct sample s;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(text, sizeof(text),
                 "{'id':1,'currency':'EUR','total_price':'10.00','line_items':[],"
                 "'financial_status':'%s','cancelled_at':'2026-09-01T10:00:00Z'}",
                 cases[i].status);
        assert_int_equal(read_text(&s, text), ERR_OK);
        assert_int_equal(s.o.state.kept, cases[i].kept);
        /* Nothing of it is left, but what is kept has to be in the books. */
        assert_int_equal(s.o.state.nothing_left, !cases[i].kept);
        close_sample(&s);
    }
    assert_int_equal(read_text(&s, "{'id':1,'currency':'EUR','total_price':'0.00','line_items':[],"
                                   "'financial_status':'paid'}"),
                     ERR_OK);
    assert_false(s.o.state.kept); /* there is no money */
    close_sample(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_amount_is_read_from_its_set_where_it_stands_nowhere_else),
        cmocka_unit_test(presentment_money_is_never_guessed),
        cmocka_unit_test(what_is_outstanding_of_the_buyers_money_is_claimed_only_if_known),
        cmocka_unit_test(tips_in_the_buyers_money_are_those_of_the_lines),
        cmocka_unit_test(amounts_have_the_decimals_of_their_currency),
        cmocka_unit_test(current_totals_change_nothing_of_the_sale),
        cmocka_unit_test(shipments_count_what_went),
        cmocka_unit_test(duties_become_a_line_for_each_product),
        cmocka_unit_test(duties_in_the_prices_are_no_lines),
        cmocka_unit_test(fees_become_lines),
        cmocka_unit_test(money_is_kept_by_the_shops_word),
    };

    return cmocka_run_group_tests_name("shopify_money", tests, NULL, NULL);
}
