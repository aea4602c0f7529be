#include "service/sync/shopify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct body {
    struct buf text;
    struct js_doc doc;
};

/* TEXT has ' for ". */
static const struct js_value *read_body(struct body *b, const char *text)
{
    *b = (struct body){.text = BUF_CAP(4000)};
    for (const char *c = text; *c; c++)
        buf_addc(&b->text, *c == '\'' ? '"' : *c);
    assert_int_equal(js_parse(buf_str(&b->text), 4000, &b->doc, NULL), ERR_OK);
    return b->doc.root;
}

static void free_body(struct body *b)
{
    js_free(&b->doc);
    buf_free(&b->text);
}

static void a_body_fits_its_topic_alone(void **state)
{
    static const struct {
        const char *text;
        bool paid, deleted;
    } table[] = {
        {"{'id':'12','financial_status':'paid'}", true, false}, /* lines may be missing */
        {"{'id':'12'}", false, true},
        {"{'id':'012','financial_status':'paid'}", false, false}, /* two texts for one id */
        {"{'id':'12','order_id':3}", false, false},
        {"{'id':'12','line_items':[]}", true, false}, /* an order is no deletion */
        {"{'id':'12','myshopify_domain':'x'}", false, false},
        {"[1]", false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct body b;
        const struct js_value *root = read_body(&b, table[i].text);

        if (shp_body_fits(SHP_ORDERS_PAID, root) != table[i].paid ||
            shp_body_fits(SHP_ORDERS_DELETE, root) != table[i].deleted)
            fail_msg("%s", table[i].text);
        assert_int_equal(shp_body_fits(SHP_OTHER, root), js_type(root) == JS_OBJECT);
        free_body(&b);
    }
}

static void the_orders_of_a_data_request_are_counted_and_listed(void **state)
{
    struct body b;
    struct str ids[2];
    const struct js_value *root = read_body(&b, "{'orders_requested':['12',null,13,'14',{}]}");

    (void)state;
    assert_int_equal(shp_orders_requested(root, ids, 2), 3);
    assert_true(str_eq(ids[0], STR("12")) && str_eq(ids[1], STR("13")));
    assert_int_equal(shp_orders_requested(js_get(root, "x"), ids, 2), 0);
    free_body(&b);
}

static void the_id_of_a_deletion_is_its_orders(void **state)
{
    struct body b;
    struct str id = {NULL, 0};
    const struct js_value *root = read_body(&b, "{'id':9007199254740993}");

    (void)state;
    assert_true(shp_order_id(SHP_ORDERS_DELETE, root, &id));
    assert_true(str_eq(id, STR("9007199254740993")));
    assert_true(shp_record_id(root, &id) && str_eq(id, STR("9007199254740993")));
    free_body(&b);
}

static void what_a_gateway_says_of_a_payment_goes_with_its_buyer(void **state)
{
    struct buf out = BUF_CAP(4000);
    struct body b;

    (void)state;
    read_body(&b, "{'id':1,'confirmation_number':'P0HN','refunds':[{'id':2,'transactions':[{'id':3,"
                  "'amount':'1.00','authorization':'jane@example.com','payment_id':'c9.3',"
                  "'message':'Declined for Jane Roe','error_code':null,'kind':'refund'}]}]}");
    assert_true(shp_redact(buf_str(&b.text), &out));
    assert_string_equal(buf_z(&out),
                        "{\"id\":1,\"refunds\":[{\"id\":2,\"transactions\":[{\"id\":3,"
                        "\"amount\":\"1.00\",\"error_code\":null,\"kind\":\"refund\"}]}]}");
    buf_free(&out);
    free_body(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_fits_its_topic_alone),
        cmocka_unit_test(the_orders_of_a_data_request_are_counted_and_listed),
        cmocka_unit_test(the_id_of_a_deletion_is_its_orders),
        cmocka_unit_test(what_a_gateway_says_of_a_payment_goes_with_its_buyer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
