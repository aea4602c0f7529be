#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/shopify_dump.h"
#include "tests/unit/shopify_sample.h"

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

/* Of these, the one whose buyer paid in another money than the shop's. */
#define FOREIGN 12

static void check_sample(const char *name, enum shp_money money, const char *expected)
{
    struct sample s;
    struct buf got = BUF_CAP(LIM_JSON_BYTES), wanted;
    char path[300];

    open_sample(&s, name);
    if (read_sample_in(&s, money) != ERR_OK)
        fail_msg("%s: %s", name, s.info.text);
    print_order(&s.o, &got);
    snprintf(path, sizeof(path), ORDERS "%s.expect", expected);
    load(path, &wanted);
    compare(expected, buf_str(&wanted), buf_str(&got));
    buf_free(&got);
    buf_free(&wanted);
    close_sample(&s);
}

static void every_sample_order_reads_as_expected(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        bool foreign = i == FOREIGN;

        check_sample(samples[i], SHP_SHOP_MONEY, samples[i]);
        if (!foreign) /* both moneys are the same */
            check_sample(samples[i], SHP_PRESENTMENT_MONEY, samples[i]);
    }
    check_sample(samples[FOREIGN], SHP_PRESENTMENT_MONEY, "21_presentment");
}

static struct money lines_and_tax(const struct order *o)
{
    struct money sum = o->taxes_included ? mon_zero(o->currency) : o->total_tax, gross;

    for (size_t i = 0; i < o->line_count; i++) {
        assert_int_equal(mon_mul(o->lines[i].price, o->lines[i].quantity, &gross), ERR_OK);
        assert_int_equal(mon_add(sum, gross, &sum), ERR_OK);
        assert_int_equal(mon_sub(sum, o->lines[i].discount, &sum), ERR_OK);
    }
    return sum;
}

static void the_lines_of_every_sample_add_up_to_its_total(void **state)
{
    struct sample s;

    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        for (int money = SHP_SHOP_MONEY; money <= SHP_PRESENTMENT_MONEY; money++) {
            struct money sum;

            open_sample(&s, samples[i]);
            assert_int_equal(read_sample_in(&s, (enum shp_money)money), ERR_OK);
            sum = lines_and_tax(&s.o);
            if (mon_cmp(sum, s.o.total) != 0)
                fail_msg("%s: %s instead of %s", samples[i], mon_text(sum).z,
                         mon_text(s.o.total).z);
            close_sample(&s);
        }
    }
}

/* ---- what a body may lack, and what not ---- */

static void an_order_of_the_needed_fields_alone_is_read(void **state)
{
    struct sample s;

    (void)state;
    assert_int_equal(read_text(&s, "{" HEAD ONE_LINE "}"), ERR_OK);
    assert_true(str_eq(s.o.platform, STR("shopify")) && str_eq(s.o.id, STR("1")));
    assert_true(str_eq(s.o.store, STR("a.myshopify.com")) && str_eq(s.o.name, STR("1")));
    assert_string_equal(s.o.presentment_currency, "EUR");
    assert_int_equal(s.o.state.paid, ORD_UNPAID);
    assert_string_equal(mon_text(s.o.outstanding).z, "10.00"); /* nobody said it was paid */
    assert_int_equal(s.o.due_days, -1);
    assert_false(s.o.edited || s.o.state.nothing_left || s.o.state.third_party);
    close_sample(&s);
}

static void what_an_invoice_can_do_without_may_have_any_type(void **state)
{
    static const char *const keys[] = {
        "name",
        "customer",
        "billing_address",
        "shipping_address",
        "company",
        "email",
        "payment_terms",
        "po_number",
        "tags",
        "fulfillments",
        "payment_gateway_names",
        "refunds",
        "transactions",
        "shipping_lines",
        "tax_lines",
        "total_outstanding",
        "created_at",
        "updated_at",
        "processed_at",
        "cancelled_at",
        "source_name",
        "financial_status",
        "fulfillment_status",
        "current_total_price",
        "contact_email",
        "tax_exempt",
        "taxes_included",
        "presentment_currency",
    };
    static const char *const values[] = {"null",         "true", "7",      "'x'",       "[]",
                                         "{}",           "[7]",  "[null]", "{'id':{}}", "[[{}]]",
                                         "[{'id':null}]"};
    char text[400];
    struct sample s;

    (void)state;
    for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
        for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
            /* A shipping line is something to invoice: one that is there needs its price. */
            if (strcmp(keys[k], "shipping_lines") == 0 && values[v][0] == '[' &&
                values[v][1] != ']')
                continue;
            snprintf(text, sizeof(text), "{" HEAD ONE_LINE ",'%s':%s}", keys[k], values[v]);
            if (read_text(&s, text) != ERR_OK)
                fail_msg("%s: %s: %s", keys[k], values[v], s.info.text);
            close_sample(&s);
        }
    }
}

static void what_an_invoice_needs_is_named_where_it_is_missing(void **state)
{
    static const struct {
        const char *text;
        enum err e;
        const char *sentence;
    } cases[] = {
        {"{}", ERR_MISSING, "id is missing."},
        {"[]", ERR_MISSING, "id is missing."},
        {"{'id':'x'}", ERR_TYPE, "id is no positive whole number."},
        {"{'id':-1}", ERR_TYPE, "id is no positive whole number."},
        {"{'id':1.5}", ERR_TYPE, "id is no positive whole number."},
        {"{'id':1}", ERR_MISSING, "currency is missing or no text."},
        {"{'id':1,'currency':7}", ERR_TYPE, "currency is missing or no text."},
        {"{'id':1,'currency':'EURO'}", ERR_RANGE, "currency: "},
        {"{'id':1,'currency':'EUR'}", ERR_MISSING, "total_price is missing."},
        {"{'id':1,'currency':'EUR','total_price':{}}", ERR_TYPE, "total_price is no amount."},
        {"{'id':1,'currency':'EUR','total_price':'ten'}", ERR_TYPE, "total_price: "},
        {"{'id':1,'currency':'EUR','total_price':'1.23456'}", ERR_RANGE, "total_price: "},
        {"{" HEAD "'x':0}", ERR_MISSING, "line_items is missing or no array."},
        {"{" HEAD "'line_items':{}}", ERR_TYPE, "line_items is missing or no array."},
        {"{" HEAD "'line_items':[{'quantity':1}]}", ERR_MISSING,
         "line_items[0]: price is missing."},
        {"{" HEAD "'line_items':[{'price':'1'}]}", ERR_MISSING,
         "line_items[0]: quantity is missing."},
        {"{" HEAD "'line_items':[{'price':'1','quantity':1},{'price':'1','quantity':1.5}]}",
         ERR_TYPE, "line_items[1]: quantity is no whole number."},
        {"{" HEAD "'line_items':[{'price':'1','quantity':-1}]}", ERR_RANGE,
         "line_items[0]: quantity is negative."},
        {"{" HEAD "'line_items':[{'price':'999999999999','quantity':9999999}]}", ERR_OVERFLOW,
         "line_items[0]: quantity times price does not fit."},
        {"{" HEAD "'line_items':[{'price':'1','quantity':1,'tax_lines':[{'price':'?'}]}]}",
         ERR_TYPE, "line_items[0]: tax_lines[0]: price: "},
        {"{" HEAD "'line_items':[{'price':'1','quantity':1,'tax_lines':[{'rate':'?'}]}]}", ERR_TYPE,
         "line_items[0]: tax_lines[0]: rate: "},
        {"{" HEAD
         "'line_items':[{'price':'1','quantity':1,'discount_allocations':[{},{'amount':[]}]}]}",
         ERR_TYPE, "line_items[0]: discount_allocations[1]: amount is no amount."},
        {"{" HEAD ONE_LINE ",'shipping_lines':[{'title':'Post'}]}", ERR_MISSING,
         "shipping_lines[0]: price is missing."},
        {"{" HEAD ONE_LINE ",'total_tax':[]}", ERR_TYPE, "total_tax is no amount."},
        {"{" HEAD ONE_LINE ",'original_total_duties_set':{'shop_money':{'amount':'x'}}}", ERR_TYPE,
         "original_total_duties_set.shop_money: amount: "},
        {"{" HEAD ONE_LINE
         ",'refunds':[{'transactions':[{'kind':'refund','status':'success','amount':'x'}]}]}",
         ERR_TYPE, "refunds[0]: transactions[0]: amount: "},
    };
    struct sample s;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum err e = read_text(&s, cases[i].text);

        if (e != cases[i].e || !str_starts(str_of(s.info.text), str_of(cases[i].sentence)))
            fail_msg("%s: %d, \"%s\"", cases[i].text, e, s.info.text);
        assert_true(str_eq(s.o.platform, STR("shopify")));
        close_sample(&s);
    }
    /* Who it was stays known. */
    assert_int_equal(read_text(&s, "{'id':9007199254740993,'name':'#7'}"), ERR_MISSING);
    assert_true(str_eq(s.o.id, STR("9007199254740993")) && str_eq(s.o.name, STR("#7")));
    close_sample(&s);
}

static void more_lines_than_the_limit_are_refused(void **state)
{
    static const char *const arrays[] = {"line_items", "shipping_lines", "refunds",
                                         "additional_fees", "fulfillments"};
    struct buf text = BUF_CAP(LIM_JSON_BYTES);
    struct sample s;

    (void)state;
    for (size_t k = 0; k < sizeof(arrays) / sizeof(arrays[0]); k++) {
        buf_reset(&text);
        buf_addz(&text, "{" HEAD);
        if (k > 0)
            buf_addz(&text, ONE_LINE ",");
        buf_printf(&text, "'%s':[0", arrays[k]);
        for (int i = 0; i < LIM_ORDER_LINES; i++)
            buf_addz(&text, ",0");
        buf_addz(&text, "]}");
        assert_int_equal(read_text(&s, buf_z(&text)), ERR_TOO_BIG);
        assert_true(str_starts(str_of(s.info.text), str_of(arrays[k])));
        close_sample(&s);
    }
    /* All arrays together, and so whatever takes memory. */
    buf_reset(&text);
    buf_addz(&text, "{" HEAD "'line_items':[");
    for (int i = 0; i <= LIM_ORDER_ELEMENTS / LIM_ORDER_LINES; i++) {
        buf_printf(&text, "%s{'price':'0','quantity':1,'discount_allocations':[0", i ? "," : "");
        for (int k = 1; k < LIM_ORDER_LINES; k++)
            buf_addz(&text, ",0");
        buf_addz(&text, "]}");
    }
    buf_addz(&text, "]}");
    assert_int_equal(read_text(&s, buf_z(&text)), ERR_TOO_BIG);
    assert_true(str_starts(str_of(s.info.text), STR("line_items[19]: discount_allocations: ")));
    close_sample(&s);
    /* Taxes of one line, which are sorted for each document that speaks of it. */
    buf_reset(&text);
    buf_addz(&text, "{" HEAD "'line_items':[{'price':'0','quantity':1,'tax_lines':[0");
    for (int i = 0; i < LIM_LINE_TAXES; i++)
        buf_addz(&text, ",0");
    buf_addz(&text, "]}]}");
    assert_int_equal(read_text(&s, buf_z(&text)), ERR_TOO_BIG);
    assert_string_equal(s.info.text, "line_items[0]: it has more than 100 taxes.");
    close_sample(&s);
    /* Lines of refunds count together, however few each has. */
    buf_reset(&text);
    buf_addz(&text, "{" HEAD ONE_LINE ",'refunds':[{}");
    for (int i = 0; i < LIM_ORDER_LINES / 2; i++)
        buf_addz(&text, ",{'refund_line_items':[0,0,0]}");
    buf_addz(&text, "]}");
    assert_int_equal(read_text(&s, buf_z(&text)), ERR_TOO_BIG);
    close_sample(&s);
    buf_free(&text);
}

/* ---- the subtle fields ---- */

static void texts_are_cleaned_and_cut_for_people(void **state)
{
    char text[1500], title[600];
    struct sample s;

    (void)state;
    memset(title, 'a', sizeof(title) - 1);
    title[sizeof(title) - 1] = '\0';
    memcpy(title + 254, "\xc3\xa9", 2); /* the cut may not split a character */
    snprintf(text, sizeof(text),
             "{" HEAD "'name':' #1\\u0000\\t\\u0085\\u007f2 ','line_items':[{'title':'%s',"
             "'variant_title':'red','quantity':1,'price':'10'}]}",
             title);
    assert_int_equal(read_text(&s, text), ERR_OK);
    assert_true(str_eq(s.o.name, STR("#1     2")));
    assert_int_equal(s.o.lines[0].title.n, 254);
    close_sample(&s);
}

static void a_line_is_read_with_all_its_discounts_and_taxes(void **state)
{
    struct sample s;
    const struct ord_line *l;

    (void)state;
    assert_int_equal(
        read_text(&s, "{" HEAD "'line_items':[{'id':'11','title':'Mug','variant_title':'red',"
                      "'quantity':3,'price':4.10,'total_discount':'99','sku':'M','vendor':'V',"
                      "'discount_allocations':[{'amount':'1.00'},{'amount':0.30}],"
                      "'tax_lines':[{'title':'VAT','rate':0.0833333333333333,'price':'0.92',"
                      "'channel_liable':true},{'title':'City','price':null}]}],"
                      "'shipping_lines':[{'title':'Gone','price':'9','is_removed':true},"
                      "{'title':'Post','price':'3.00','discounted_price':'3.00',"
                      "'discount_allocations':[{'amount':'0.50'}]}]}"),
        ERR_OK);
    assert_int_equal(s.o.line_count, 2);
    l = &s.o.lines[0];
    assert_true(str_eq(l->title, STR("Mug - red")) && str_eq(l->id, STR("11")));
    assert_string_equal(mon_text(l->price).z, "4.10");
    assert_string_equal(mon_text(l->discount).z, "1.30");
    assert_int_equal(l->tax_count, 2);
    assert_int_equal(l->taxes[0].rate.units, 8333333);
    assert_true(l->taxes[0].channel_liable && !l->taxes[1].channel_liable);
    assert_int_equal(l->taxes[1].amount.units, 0);
    l = &s.o.lines[1];
    assert_int_equal(l->kind, ORD_SHIPPING);
    assert_int_equal(l->quantity, 1);
    assert_string_equal(mon_text(l->discount).z, "0.50");
    close_sample(&s);
}

static void the_key_alone_makes_a_tip(void **state)
{
    struct sample s;

    (void)state;
    assert_int_equal(read_text(&s, "{" HEAD "'line_items':[{'quantity':1,'price':'1',"
                                   "'tip_payment_gateway':null},"
                                   "{'quantity':1,'price':'1','gift_card':true},"
                                   "{'quantity':1,'price':'1','gift_card':'true'}]}"),
                     ERR_OK);
    assert_int_equal(s.o.lines[0].kind, ORD_TIP);
    assert_int_equal(s.o.lines[1].kind, ORD_GIFT_CARD);
    assert_int_equal(s.o.lines[2].kind, ORD_PRODUCT);
    close_sample(&s);
}

static void states_follow_the_shops_words(void **state)
{
    static const struct {
        const char *fields;
        enum ord_paid paid;
        enum ord_fulfilment fulfilment;
        bool refunded, cancelled;
    } cases[] = {
        {"'financial_status':'paid'", ORD_PAID, ORD_UNFULFILLED, false, false},
        {"'financial_status':'partially_refunded'", ORD_PAID, ORD_UNFULFILLED, true, false},
        {"'financial_status':'refunded'", ORD_PAID, ORD_UNFULFILLED, true, false},
        {"'financial_status':'partially_paid'", ORD_PARTLY_PAID, ORD_UNFULFILLED, false, false},
        {"'financial_status':'authorized'", ORD_UNPAID, ORD_UNFULFILLED, false, false},
        {"'financial_status':'paid_by_magic'", ORD_UNPAID, ORD_UNFULFILLED, false, false},
        {"'fulfillment_status':'partial'", ORD_UNPAID, ORD_PARTLY_FULFILLED, false, false},
        {"'fulfillment_status':'fulfilled'", ORD_UNPAID, ORD_FULFILLED, false, false},
        {"'fulfillment_status':'restocked'", ORD_UNPAID, ORD_UNFULFILLED, false, false},
        {"'cancelled_at':'2026-09-01T10:00:00Z'", ORD_UNPAID, ORD_UNFULFILLED, false, true},
        {"'cancelled_at':''", ORD_UNPAID, ORD_UNFULFILLED, false, false},
    };
    char text[400];
    struct sample s;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(text, sizeof(text), "{" HEAD ONE_LINE ",%s}", cases[i].fields);
        assert_int_equal(read_text(&s, text), ERR_OK);
        assert_int_equal(s.o.state.paid, cases[i].paid);
        assert_int_equal(s.o.state.fulfilment, cases[i].fulfilment);
        assert_int_equal(s.o.state.refunded, cases[i].refunded);
        assert_int_equal(s.o.state.cancelled, cases[i].cancelled);
        close_sample(&s);
    }
    assert_int_equal(read_text(&s, "{" HEAD ONE_LINE ",'merchant_of_record_app_id':7,'fulfillments'"
                                   ":[{'status':'cancelled','created_at':'2026-09-01T10:00:00Z'},"
                                   "{'status':'success','created_at':'2026-09-03T10:00:00Z'},"
                                   "{'status':'success','created_at':'2026-09-02T23:00:00-05:00'}]"
                                   ",'company':{'id':1,'name':'ACME'}}"),
                     ERR_OK);
    assert_true(s.o.state.third_party && s.o.party.is_company);
    assert_true(str_eq(s.o.party.company, STR("ACME")));
    assert_string_equal(s.o.fulfilled_day, "2026-09-02");
    close_sample(&s);
}

static void totals_beside_the_sale_are_read_from_the_shops_money(void **state)
{
    struct sample s;

    (void)state;
    assert_int_equal(
        read_text(&s, "{" HEAD ONE_LINE ",'financial_status':'paid',"
                      "'original_total_duties_set':{'shop_money':{'amount':'1.10'}},"
                      "'original_total_additional_fees_set':{'shop_money':{'amount':'2.20'},"
                      "'presentment_money':{'amount':'9'}},"
                      "'total_cash_rounding_payment_adjustment_set':"
                      "{'shop_money':{'amount':'-0.02'}}}"),
        ERR_OK);
    assert_string_equal(mon_text(s.o.duties).z, "1.10");
    assert_string_equal(mon_text(s.o.fees).z, "2.20");
    assert_string_equal(mon_text(s.o.cash_rounding).z, "-0.02");
    assert_string_equal(mon_text(s.o.outstanding).z, "0.00"); /* paid, and nothing else is said */
    close_sample(&s);
}

static void a_line_that_an_edit_added_is_seen(void **state)
{
    struct sample s;

    (void)state;
    assert_int_equal(read_text(&s, "{" HEAD "'line_items':[{'price':'5','quantity':1,"
                                   "'current_quantity':2}]}"),
                     ERR_OK);
    assert_true(s.o.edited);
    close_sample(&s);
}

static void the_buyer_is_found_wherever_the_shop_wrote_him(void **state)
{
    struct sample s;

    (void)state;
    assert_int_equal(
        read_text(&s, "{" HEAD ONE_LINE ",'email':'','customer':{'id':9,'email':'c@example.com',"
                      "'last_name':'Example'},'shipping_address':{'company':'Workplace',"
                      "'country_code':'GB'},'payment_terms':{'due_in_days':99999}}"),
        ERR_OK);
    assert_true(str_eq(s.o.party.email, STR("c@example.com")));
    assert_true(str_eq(s.o.party.name, STR("Example")));
    assert_true(str_eq(s.o.party.customer_id, STR("9")) && str_eq(s.o.country, STR("GB")));
    assert_int_equal(s.o.party.company.n, 0); /* a parcel sent to work is no business order */
    assert_int_equal(s.o.due_days, -1);
    close_sample(&s);
    assert_int_equal(read_text(&s, "{" HEAD ONE_LINE ",'company':{'id':1},'billing_address':"
                                   "{'name':'Sam Example','country_code':'Germany'},"
                                   "'shipping_address':{'company':'Example GmbH'}}"),
                     ERR_OK);
    assert_true(s.o.party.is_company && str_eq(s.o.party.company, STR("Example GmbH")));
    assert_true(str_eq(s.o.party.name, STR("Sam Example")));
    assert_int_equal(s.o.country.n, 0);
    close_sample(&s);
}

/* ---- topics ---- */

static void every_topic_is_known_by_its_text(void **state)
{
    enum rul_event event;
    int orders = 0;

    (void)state;
    for (int t = 0; t <= SHP_OTHER; t++) {
        enum shp_topic topic = (enum shp_topic)t;

        assert_int_equal(shp_topic(str_of(shp_topic_text(topic))), topic);
        orders += shp_topic_is_order(topic, &event);
    }
    assert_int_equal(orders, 6);
    assert_int_equal(shp_topic(STR("ORDERS/PAID")), SHP_OTHER);
    assert_int_equal(shp_topic(STR("products/create")), SHP_OTHER);
    assert_string_equal(shp_topic_text(SHP_OTHER), "other");
    assert_true(shp_topic_is_order(SHP_ORDERS_PARTIALLY_FULFILLED, &event));
    assert_int_equal(event, RUL_PARTIALLY_FULFILLED);
    assert_false(shp_topic_is_order(SHP_REFUNDS_CREATE, &event));
}

static void a_shop_is_a_host_name_in_lower_case(void **state)
{
    char out[LIM_STORE_ID + 1], name[LIM_STORE_ID + 2];

    (void)state;
    assert_true(shp_shop(STR("Sample-Store.myshopify.com"), out));
    assert_string_equal(out, "sample-store.myshopify.com");
    assert_false(shp_shop(STR(""), out));
    assert_false(shp_shop(STR("-a.com"), out));
    assert_false(shp_shop(STR(".com"), out));
    assert_false(shp_shop(STR("a.com/x"), out));
    assert_false(shp_shop(STR("a:b"), out));
    assert_false(shp_shop(STR("a\0b"), out));
    assert_string_equal(out, "");
    memset(name, 'a', sizeof(name));
    assert_true(shp_shop((struct str){name, LIM_STORE_ID}, out));
    assert_false(shp_shop((struct str){name, LIM_STORE_ID + 1}, out));
}

/* Each body belongs to its own topic and to no other kind's. */
static void a_body_fits_its_own_topic_only(void **state)
{
    static const struct {
        const char *sample;
        enum shp_topic topic;
        const char *order_id; /* NULL: it is about no order */
    } bodies[] = {
        {"22_con_gift_card_line_and_tip_line", SHP_ORDERS_PAID, "6000000000300"},
        {"01_doc_test_order_cancelled_voided", SHP_ORDERS_PAID, "820982911946154508"},
        {"orders_edited_doc", SHP_ORDERS_EDITED, "820982911946154508"},
        {"refunds_create_doc", SHP_REFUNDS_CREATE, "820982911946154508"},
        {"order_transactions_create_doc", SHP_TRANSACTIONS_CREATE, "820982911946154508"},
        {"app_uninstalled_doc", SHP_APP_UNINSTALLED, NULL},
        {"customers_data_request", SHP_CUSTOMERS_DATA_REQUEST, NULL},
        {"customers_redact", SHP_CUSTOMERS_REDACT, NULL},
        {"shop_redact", SHP_SHOP_REDACT, NULL},
    };
    static const enum shp_topic kinds[] = {
        SHP_ORDERS_PAID,         SHP_ORDERS_EDITED,   SHP_REFUNDS_CREATE,
        SHP_TRANSACTIONS_CREATE, SHP_APP_UNINSTALLED, SHP_CUSTOMERS_DATA_REQUEST,
        SHP_CUSTOMERS_REDACT,    SHP_SHOP_REDACT,
    };
    struct sample s;
    struct str id;

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        open_sample(&s, bodies[i].sample);
        for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
            if (shp_body_fits(kinds[k], s.doc.root) != (kinds[k] == bodies[i].topic))
                fail_msg("%s and %s", bodies[i].sample, shp_topic_text(kinds[k]));
        }
        assert_int_equal(shp_order_id(bodies[i].topic, s.doc.root, &id),
                         bodies[i].order_id != NULL);
        if (bodies[i].order_id)
            assert_true(str_eq(id, str_of(bodies[i].order_id)));
        close_sample(&s);
    }
}

static void an_order_has_its_page_in_the_shops_admin(void **state)
{
    struct arena arena = {NULL, 0};

    (void)state;
    assert_string_equal(shp_order_link(STR("a.myshopify.com"), STR("12"), &arena),
                        "https://a.myshopify.com/admin/orders/12");
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_order_reads_as_expected),
        cmocka_unit_test(the_lines_of_every_sample_add_up_to_its_total),
        cmocka_unit_test(an_order_of_the_needed_fields_alone_is_read),
        cmocka_unit_test(what_an_invoice_can_do_without_may_have_any_type),
        cmocka_unit_test(what_an_invoice_needs_is_named_where_it_is_missing),
        cmocka_unit_test(more_lines_than_the_limit_are_refused),
        cmocka_unit_test(texts_are_cleaned_and_cut_for_people),
        cmocka_unit_test(a_line_is_read_with_all_its_discounts_and_taxes),
        cmocka_unit_test(the_key_alone_makes_a_tip),
        cmocka_unit_test(states_follow_the_shops_words),
        cmocka_unit_test(totals_beside_the_sale_are_read_from_the_shops_money),
        cmocka_unit_test(a_line_that_an_edit_added_is_seen),
        cmocka_unit_test(the_buyer_is_found_wherever_the_shop_wrote_him),
        cmocka_unit_test(every_topic_is_known_by_its_text),
        cmocka_unit_test(a_shop_is_a_host_name_in_lower_case),
        cmocka_unit_test(a_body_fits_its_own_topic_only),
        cmocka_unit_test(an_order_has_its_page_in_the_shops_admin),
    };

    return cmocka_run_group_tests_name("shopify", tests, NULL, NULL);
}
