#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/shopify_sample.h"

#define EDIT(lines) "{'id':5,'refund_line_items':[" lines "],'transactions':[]}"
#define REMOVED(quantity, subtotal)                                                                \
    "{'line_item_id':11,'quantity':" quantity ",'subtotal':" subtotal ",'total_tax':0.5}"

static void a_refund_without_transactions_is_an_edit(void **state)
{
    struct sample s;

    (void)state;
    assert_int_equal(read_text(&s, "{" HEAD ONE_LINE ",'refunds':[" EDIT(REMOVED("1", "4.8")) "]}"),
                     ERR_OK);
    assert_int_equal(s.o.lines[0].removed, 1);
    assert_string_equal(mon_text(s.o.lines[0].removed_subtotal).z, "4.80");
    assert_string_equal(mon_text(s.o.lines[0].removed_tax).z, "0.50");
    assert_true(s.o.edited);
    assert_false(s.o.state.nothing_left || s.o.state.refunded || s.o.refunds[0].has_money);
    close_sample(&s);

    /* Never more than there was, and other lines not at all. */
    assert_int_equal(read_text(&s,
                               "{" HEAD ONE_LINE
                               ",'refunds':[" EDIT(REMOVED("9223372036854775807", "5") "," REMOVED(
                                   "1", "5") ","
                                             "{'line_item_id':12,'quantity':1,'subtotal':'1'},"
                                             "{'line_item_id':11,'quantity':-5}") "]}"),
                     ERR_OK);
    assert_int_equal(s.o.lines[0].removed, 2);
    assert_string_equal(mon_text(s.o.lines[0].removed_subtotal).z, "10.00");
    assert_true(s.o.state.nothing_left);
    close_sample(&s);

    /* Paid shipping is still something to invoice. */
    assert_int_equal(
        read_text(&s, "{" HEAD ONE_LINE ",'shipping_lines':[{'price':'3'}],'refunds':[" EDIT(
                          REMOVED("2", "10")) "]}"),
        ERR_OK);
    assert_false(s.o.state.nothing_left);
    close_sample(&s);
}

static void an_edit_that_does_not_say_what_it_took_off_is_named(void **state)
{
    static const struct {
        const char *lines;
        enum err e;
        const char *sentence;
    } cases[] = {
        {"{'line_item_id':11,'quantity':1}", ERR_MISSING,
         "refunds[0]: refund_line_items[0]: subtotal is missing."},
        {"7,{'line_item_id':11,'quantity':1,'subtotal':-1}", ERR_RANGE,
         "refunds[0]: refund_line_items[1]: subtotal or total_tax is negative."},
        {"{'line_item_id':11,'quantity':1,'subtotal':[]}", ERR_TYPE,
         "refunds[0]: refund_line_items[0]: subtotal is no amount."},
        {"{'line_item_id':11,'quantity':1,'subtotal':1,'total_tax_set':"
         "{'shop_money':{'amount':'1','currency_code':'USD'}}}",
         ERR_CURRENCY, "refunds[0]: refund_line_items[0]: total_tax_set.shop_money: it is in USD"},
    };
    char text[600];
    struct sample s;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(text, sizeof(text), "{" HEAD ONE_LINE ",'refunds':[" EDIT("%s") "]}",
                 cases[i].lines);
        assert_int_equal(read_text(&s, text), cases[i].e);
        if (!str_starts(str_of(s.info.text), str_of(cases[i].sentence)))
            fail_msg("%s: %s", cases[i].lines, s.info.text);
        close_sample(&s);
    }
}

static void goods_that_came_back_without_money_are_no_edit(void **state)
{
    struct sample s;

    (void)state;
    assert_int_equal(
        read_text(
            &s,
            "{" HEAD ONE_LINE ",'financial_status':'paid','refunds':[{'id':5,"
            "'transactions':[],'refund_line_items':[" REMOVED(
                "1",
                "5.00") "],"
                        "'order_adjustments':[{'kind':'refund_discrepancy','amount':'5.50'}]}]}"),
        ERR_OK);
    assert_int_equal(s.o.lines[0].removed, 0);
    assert_int_equal(s.o.lines[0].removed_subtotal.units, 0);
    assert_false(s.o.edited || s.o.state.refunded);
    assert_int_equal(s.o.refunds[0].adjustment_count, 1);
    close_sample(&s);
}

#define CHARGES                                                                                    \
    "'line_items':[{'id':11,'quantity':1,'price':'5.00','duties':[{'shop_money':{'amount':"        \
    "'1.00'}}]}],'shipping_lines':[{'id':14,'price':'3.00','tax_lines':[{'rate':0.2,'price':"      \
    "'0.60'}]},{'id':15,'price':'2.00'}],'additional_fees':[{'id':16,'price':'0.40'}]"

static void an_edit_takes_off_shipping_duties_and_fees(void **state)
{
    struct sample s;

    (void)state;
    assert_int_equal(
        read_text(&s, "{" HEAD CHARGES ",'refunds':[{'id':5,'transactions':[],'refund_line_items':["
                      "{'line_item_id':11,'quantity':1,'subtotal':'5.00'}],'order_adjustments':["
                      "{'kind':'shipping_refund','amount':'-4.00','tax_amount':'-0.60'}],"
                      "'total_duties_set':{'shop_money':{'amount':'1.00'}},"
                      "'total_additional_fees_set':{'shop_money':{'amount':'0.30'}}}]}"),
        ERR_OK);
    assert_int_equal(s.o.line_count, 5);
    assert_int_equal(s.o.lines[1].removed, 1);
    assert_string_equal(mon_text(s.o.lines[1].removed_subtotal).z, "3.00");
    assert_string_equal(mon_text(s.o.lines[1].removed_tax).z, "0.60");
    assert_int_equal(s.o.lines[2].removed, 0); /* a part of it */
    assert_string_equal(mon_text(s.o.lines[2].removed_subtotal).z, "1.00");
    assert_int_equal(s.o.lines[3].kind, ORD_DUTY);
    assert_int_equal(s.o.lines[3].removed, 1);
    assert_int_equal(s.o.lines[4].removed, 0);
    assert_string_equal(mon_text(s.o.lines[4].removed_subtotal).z, "0.30");
    assert_false(s.o.state.nothing_left);
    close_sample(&s);

    /* An adjustment is without its tax, also where prices are with it. */
    assert_int_equal(
        read_text(&s, "{" HEAD "'line_items':[],'taxes_included':true,'shipping_lines':[{'id':14,"
                      "'price':'3.60','tax_lines':[{'rate':0.2,'price':'0.60'}]}],'refunds':["
                      "{'id':5,'order_adjustments':[{'kind':'shipping_refund','amount':'-3.00',"
                      "'tax_amount':'-0.60'}]}]}"),
        ERR_OK);
    assert_int_equal(s.o.lines[0].removed, 1);
    assert_string_equal(mon_text(s.o.lines[0].removed_subtotal).z, "3.60");
    assert_true(s.o.state.nothing_left);
    close_sample(&s);
}

static void a_refund_is_read_with_all_that_it_gives_back(void **state)
{
    const struct ord_refund *f;
    struct sample s;

    (void)state;
    assert_int_equal(
        read_text(&s, "{" HEAD ONE_LINE ",'refunds':[{'id':5,'processed_at':'2026-09-03T01:00:00Z',"
                      "'refund_line_items':[{'line_item_id':11,'quantity':1,'subtotal':9.99,"
                      "'subtotal_set':{'shop_money':{'amount':'4.10'}},'total_tax':1,"
                      "'total_tax_set':{'shop_money':{'amount':'0.82'}}},{'line_item_id':null,"
                      "'quantity':2,'subtotal':4.100000000000001,'total_tax':0.8199999999999999}],"
                      "'order_adjustments':["
                      "{'kind':'shipping_refund','amount':'-3.00','tax_amount':'-0.60'},"
                      "{'kind':'refund_discrepancy','amount':'9','amount_set':"
                      "{'shop_money':{'amount':0.25}}},{'kind':'other','amount':'-0.05'}],"
                      "'duties':[{'duty_id':1,'amount_set':{'shop_money':{'amount':'1.00'}},"
                      "'tax_lines':[{'price':'0.20'}]}],"
                      "'total_additional_fees_set':{'shop_money':{'amount':'0.30'}},"
                      "'transactions':[{'id':61,'kind':'refund','status':'success','amount':'4.00',"
                      "'currency':'EUR','gateway':'visa','processed_at':'2026-09-04T01:00:00Z'},"
                      "{'kind':'refund','status':'success','amount':'7.5','currency':'USD'},"
                      "{'kind':'refund','status':'success','amount':'7.5','currency':'?'}]}]}"),
        ERR_OK);
    f = &s.o.refunds[0];
    assert_int_equal(f->line_count, 2);
    assert_true(str_eq(f->lines[0].line_id, STR("11")) && f->lines[1].line_id.n == 0);
    assert_int_equal(f->lines[1].quantity, 2);
    assert_string_equal(mon_text(f->lines[0].subtotal).z, "4.10"); /* the set, not the number */
    assert_string_equal(mon_text(f->lines[0].tax).z, "0.82");
    assert_string_equal(mon_text(f->lines[1].subtotal).z, "4.10"); /* without the binary noise */
    assert_string_equal(mon_text(f->lines[1].tax).z, "0.82");
    assert_int_equal(f->adjustment_count, 3);
    assert_int_equal(f->adjustments[0].kind, ORD_ADJUST_SHIPPING);
    assert_string_equal(mon_text(f->adjustments[0].amount).z, "-3.00");
    assert_string_equal(mon_text(f->adjustments[0].tax).z, "-0.60");
    assert_int_equal(f->adjustments[1].kind, ORD_ADJUST_DISCREPANCY);
    assert_string_equal(mon_text(f->adjustments[1].amount).z, "0.25");
    assert_int_equal(f->adjustments[2].kind, ORD_ADJUST_DISCREPANCY);
    assert_string_equal(mon_text(f->duties).z, "1.20");
    assert_string_equal(mon_text(f->fees).z, "0.30");
    assert_true(f->has_money && f->other_currency);
    assert_string_equal(mon_text(f->amount).z, "4.00");
    assert_int_equal(f->transaction_count, 2); /* an amount of no currency is none */
    assert_true(str_eq(f->transactions[0].id, STR("61")));
    assert_true(str_eq(f->transactions[0].gateway, STR("visa")));
    assert_string_equal(f->transactions[0].day, "2026-09-04");
    assert_true(str_eq(f->transactions[1].id, STR("5-2")));
    assert_string_equal(f->transactions[1].amount.currency, "USD");
    assert_int_equal(s.o.lines[0].removed, 0);
    close_sample(&s);
}

/* Since API version 2024-10 shipping has an array of its own; both may be there. */
static void shipping_given_back_counts_once(void **state)
{
    static const struct {
        const char *fields;
        bool included;
        const char *amount, *tax;
    } cases[] = {
        {"'refund_shipping_lines':[{'shipping_line_id':14,'subtotal_amount_set':{'shop_money':"
         "{'amount':'3.00'}}}]",
         false, "-3.00", "-0.61"}, /* all of it: its tax as it is */
        {"'refund_shipping_lines':[{'shipping_line_id':14,'subtotal_amount_set':{'shop_money':"
         "{'amount':'1.50'}}}]",
         false, "-1.50", "-0.30"},
        {"'refund_shipping_lines':[{'shipping_line_id':14,'subtotal_amount_set':{'shop_money':"
         "{'amount':'1.50'}}}]",
         true, "-1.25", "-0.25"},
        {"'refund_shipping_lines':[{'shipping_line_id':14,'subtotal_amount_set':{'shop_money':"
         "{'amount':'1.50'}},'tax_amount_set':{'shop_money':{'amount':'0.29'}}}]",
         false, "-1.50", "-0.29"},
        {"'refund_shipping_lines':[{'shipping_line_id':99,'subtotal_amount_set':{'shop_money':"
         "{'amount':'1.50'}}}]",
         false, "-1.50", "0.00"},
        {"'refund_shipping_lines':[{'shipping_line_id':14,'subtotal_amount_set':{'shop_money':"
         "{'amount':'9.00'}}}],'order_adjustments':[{'kind':'shipping_refund','amount':'-2.00',"
         "'tax_amount':'-0.40'}]",
         false, "-2.00", "-0.40"},
    };
    char text[1000];
    struct sample s;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(text, sizeof(text),
                 "{" HEAD "'line_items':[],'taxes_included':%s,'shipping_lines':[{'id':14,'price':"
                 "'3.00','tax_lines':[{'rate':0.2,'price':'0.61'}]}],'refunds':[{'id':5,"
                 "'transactions':[{'id':6,'kind':'refund','status':'success','amount':'1'}],%s}]}",
                 cases[i].included ? "true" : "false", cases[i].fields);
        assert_int_equal(read_text(&s, text), ERR_OK);
        assert_int_equal(s.o.refunds[0].adjustment_count, 1);
        assert_int_equal(s.o.refunds[0].adjustments[0].kind, ORD_ADJUST_SHIPPING);
        assert_string_equal(mon_text(s.o.refunds[0].adjustments[0].amount).z, cases[i].amount);
        assert_string_equal(mon_text(s.o.refunds[0].adjustments[0].tax).z, cases[i].tax);
        close_sample(&s);
    }
}

static void a_refund_in_the_buyers_money_is_read_from_its_sets(void **state)
{
    static const char text[] =
        "{'id':1,'currency':'EUR','presentment_currency':'USD','total_price_set':"
        "{'presentment_money':{'amount':'12.00'}},'line_items':[],'refunds':[{'id':5,"
        "'refund_line_items':[{'line_item_id':11,'quantity':1,'subtotal':5.0,'subtotal_set':"
        "{'shop_money':{'amount':'5.00'},'presentment_money':{'amount':'6.00'}}}],"
        "'transactions':[{'id':6,'kind':'refund','status':'success','amount':'6.00'}]}],"
        "'transactions':[{'id':7,'kind':'sale','status':'success','amount':'12.00'}]}";
    struct sample s;

    (void)state;
    assert_int_equal(read_text_in(&s, text, SHP_PRESENTMENT_MONEY), ERR_OK);
    assert_string_equal(mon_text(s.o.refunds[0].lines[0].subtotal).z, "6.00");
    assert_string_equal(mon_text(s.o.refunds[0].amount).z, "6.00");
    assert_false(s.o.refunds[0].other_currency);
    assert_int_equal(s.o.payment_count, 1);
    assert_string_equal(s.o.payments[0].amount.currency, "USD");
    close_sample(&s);
}

static void a_record_is_taken_once_and_needs_its_id_for_money(void **state)
{
    struct sample s;

    (void)state;
    assert_int_equal(read_text(&s, "{" HEAD ONE_LINE ",'refunds':[" EDIT(
                                       REMOVED("1", "5")) "," EDIT(REMOVED("1", "5")) ",{},7]}"),
                     ERR_OK);
    assert_int_equal(s.o.refund_count, 3);
    assert_int_equal(s.o.lines[0].removed, 1);
    close_sample(&s);
    assert_int_equal(read_text(&s, "{" HEAD ONE_LINE
                                   ",'refunds':[{'transactions':[{'id':6,'kind':'refund',"
                                   "'status':'success','amount':'1'}]}]}"),
                     ERR_MISSING);
    assert_string_equal(s.info.text, "refunds[0]: id is missing.");
    close_sample(&s);
}

static void only_successful_refund_transactions_are_money(void **state)
{
    struct sample s;

    (void)state;
    assert_int_equal(
        read_text(&s, "{" HEAD ONE_LINE ",'financial_status':'paid','refunds':["
                      "{'id':5,'created_at':'2026-09-03T01:00:00+02:00','processed_at':null,"
                      "'refund_line_items':[{'line_item_id':11,'quantity':1}],'transactions':["
                      "{'kind':'refund','status':'success','amount':'4.00','currency':'EUR'},"
                      "{'kind':'refund','status':'success','amount':'1.00'},"
                      "{'kind':'refund','status':'failure','amount':'9.00'},"
                      "{'kind':'void','status':'success','amount':'9.00'},"
                      "{'kind':'refund','status':'success','amount':'7.00','currency':'USD'}]},"
                      "{'id':6,'refund_line_items':[{'line_item_id':11,'quantity':1}],"
                      "'transactions':[{'kind':'refund','status':'pending','amount':'4.00'}]}]}"),
        ERR_OK);
    assert_int_equal(s.o.lines[0].removed, 0);
    assert_false(s.o.edited);
    assert_true(s.o.state.refunded);
    assert_true(s.o.refunds[0].has_money && !s.o.refunds[1].has_money);
    assert_string_equal(mon_text(s.o.refunds[0].amount).z, "5.00");
    assert_string_equal(s.o.refunds[0].day, "2026-09-03");
    close_sample(&s);
}

#define PAID(extra) "{'id':21,'kind':'sale','status':'success','amount':'6.00'" extra "}"

static void payments_are_taken_all_or_none(void **state)
{
    static const char three[] =
        "{" HEAD ONE_LINE ",'transactions':[{'id':21,'kind':'sale','status':'success',"
        "'amount':'6.00','gateway':'visa','processed_at':'2026-09-01T10:00:00Z'},"
        "{'id':22,'kind':'authorization','status':'success','amount':'4'},"
        "{'id':23,'kind':'capture','status':'failure','amount':'4'},"
        "{'id':24,'kind':'capture','status':'success','amount':'4'}]}";
    struct sample s;
    char text[1024];

    (void)state;
    assert_int_equal(read_text(&s, three), ERR_OK);
    assert_int_equal(s.o.payment_count, 2);
    assert_true(str_eq(s.o.payments[0].id, STR("21")) &&
                str_eq(s.o.payments[0].gateway, STR("visa")));
    assert_string_equal(s.o.payments[0].day, "2026-09-01");
    assert_string_equal(mon_text(s.o.payments[1].amount).z, "4.00");
    close_sample(&s);
    /* A foreign one; a foreign buyer's without a word about its currency; one without an id. */
    static const char *const unusable[] = {
        ",'transactions':[" PAID("") "," PAID(",'currency':'USD'") "]}",
        ",'presentment_currency':'USD','transactions':[" PAID("") "]}",
        ",'transactions':[" PAID("") "," PAID(",'id':null") "]}"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "{" HEAD ONE_LINE "%s", unusable[i]);
        assert_int_equal(read_text(&s, text), ERR_OK);
        assert_int_equal(s.o.payment_count, 0);
        close_sample(&s);
    }
}

static void a_payment_that_stands_twice_counts_once(void **state)
{
    struct sample s;

    (void)state;
    assert_int_equal(
        read_text(&s, "{" HEAD ONE_LINE ",'transactions':[" PAID("") "," PAID("") "]}"), ERR_OK);
    assert_int_equal(s.o.payment_count, 1);
    close_sample(&s);
}

/* Counts of things are added up over lines and records. */
static void quantities_are_no_more_than_can_be_added(void **state)
{
    struct sample s;

    (void)state;
    assert_int_equal(
        read_text(&s, "{" HEAD "'line_items':[{'id':11,'quantity':1000000001,'price':'0'}]}"),
        ERR_RANGE);
    close_sample(&s);
    assert_int_equal(read_text(&s,
                               "{" HEAD ONE_LINE ",'refunds':[{'id':5,'transactions':[{'id':6}],"
                               "'refund_line_items':[" REMOVED("9223372036854775807", "5") "]}]}"),
                     ERR_OK);
    assert_int_equal(s.o.refunds[0].lines[0].quantity, 1000000000);
    close_sample(&s);
}

static void an_edit_touches_no_shipping_line_of_the_same_id(void **state)
{
    struct sample s;

    (void)state;
    assert_int_equal(read_text(&s, "{" HEAD "'line_items':[],'shipping_lines':[{'id':11,'price':'3'"
                                   "}],'refunds':[" EDIT(REMOVED("1", "3")) "]}"),
                     ERR_OK);
    assert_int_equal(s.o.lines[0].removed, 0);
    close_sample(&s);
}

/* ---- records of their own ---- */

static void a_refund_of_its_own_message_is_added_once(void **state)
{
    struct sample s;
    struct js_doc edit = {0}, money = {0};

    (void)state;
    assert_int_equal(read_text(&s, "{" HEAD ONE_LINE "}"), ERR_OK);
    parse_record(&edit, EDIT(REMOVED("2", "10")));
    parse_record(&money, "{'id':6,'transactions':[{'kind':'refund','status':'success',"
                         "'amount':'2.50'}]}");
    for (int twice = 0; twice < 2; twice++) {
        assert_int_equal(shp_add_refund(edit.root, &s.arena, &s.o, &s.info), ERR_OK);
        assert_int_equal(s.o.lines[0].removed, 2);
        assert_true(s.o.edited && s.o.state.nothing_left);
    }
    assert_false(s.o.state.refunded);
    assert_int_equal(shp_add_refund(money.root, &s.arena, &s.o, &s.info), ERR_OK);
    assert_int_equal(shp_add_refund(money.root, &s.arena, &s.o, &s.info), ERR_OK);
    assert_int_equal(s.o.refund_count, 2);
    assert_true(s.o.state.refunded);
    assert_string_equal(mon_text(s.o.refunds[1].amount).z, "2.50");
    js_free(&edit);
    js_free(&money);
    parse_record(&edit, "{'transactions':[]}");
    assert_int_equal(shp_add_refund(edit.root, &s.arena, &s.o, &s.info), ERR_MISSING);
    js_free(&edit);
    /* After an error the order is as before. */
    parse_record(&edit, "{'id':7,'transactions':[],'refund_line_items':[" REMOVED(
                            "1", "1") ","
                                      "{'line_item_id':11,'quantity':1}]}");
    assert_int_equal(shp_add_refund(edit.root, &s.arena, &s.o, &s.info), ERR_MISSING);
    assert_int_equal(s.o.refund_count, 2);
    assert_string_equal(mon_text(s.o.lines[0].removed_subtotal).z, "10.00");
    js_free(&edit);
    close_sample(&s);
}

static void a_transaction_of_its_own_message_is_added_once(void **state)
{
    static const char *const nothing[] = {
        "{'id':31,'kind':'authorization','status':'success','amount':'1'}",
        "{'id':32,'kind':'sale','status':'pending','amount':'1'}",
        "{'id':33,'kind':'refund','status':'success','amount':'1'}",
    };
    struct js_doc doc = {0};
    struct sample s;

    (void)state;
    assert_int_equal(read_text(&s, "{" HEAD ONE_LINE "}"), ERR_OK);
    for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++) {
        parse_record(&doc, nothing[i]);
        assert_int_equal(shp_add_transaction(doc.root, &s.arena, &s.o, &s.info), ERR_OK);
        assert_int_equal(s.o.payment_count, 0);
        js_free(&doc);
    }
    parse_record(&doc, PAID(",'currency':null"));
    assert_int_equal(shp_add_transaction(doc.root, &s.arena, &s.o, &s.info), ERR_OK);
    assert_int_equal(shp_add_transaction(doc.root, &s.arena, &s.o, &s.info), ERR_OK);
    assert_int_equal(s.o.payment_count, 1);
    js_free(&doc);
    parse_record(&doc, "{'id':41,'kind':'sale','status':'success','amount':'1','currency':'USD'}");
    assert_int_equal(shp_add_transaction(doc.root, &s.arena, &s.o, &s.info), ERR_CURRENCY);
    assert_int_equal(s.o.payment_count, 1);
    js_free(&doc);
    close_sample(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refund_without_transactions_is_an_edit),
        cmocka_unit_test(an_edit_that_does_not_say_what_it_took_off_is_named),
        cmocka_unit_test(goods_that_came_back_without_money_are_no_edit),
        cmocka_unit_test(an_edit_takes_off_shipping_duties_and_fees),
        cmocka_unit_test(a_refund_is_read_with_all_that_it_gives_back),
        cmocka_unit_test(shipping_given_back_counts_once),
        cmocka_unit_test(a_refund_in_the_buyers_money_is_read_from_its_sets),
        cmocka_unit_test(a_record_is_taken_once_and_needs_its_id_for_money),
        cmocka_unit_test(only_successful_refund_transactions_are_money),
        cmocka_unit_test(payments_are_taken_all_or_none),
        cmocka_unit_test(a_payment_that_stands_twice_counts_once),
        cmocka_unit_test(quantities_are_no_more_than_can_be_added),
        cmocka_unit_test(an_edit_touches_no_shipping_line_of_the_same_id),
        cmocka_unit_test(a_refund_of_its_own_message_is_added_once),
        cmocka_unit_test(a_transaction_of_its_own_message_is_added_once),
    };

    return cmocka_run_group_tests_name("shopify_refunds", tests, NULL, NULL);
}
