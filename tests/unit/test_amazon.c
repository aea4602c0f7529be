#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/amazon_sample.h"

/* ---- the scan ---- */

static void check_scan(const char *text, const char *wanted)
{
    char found[3][AMZ_SELLER + 1];
    struct buf got = BUF_CAP(1000);
    struct sample s;
    size_t n;

    begin(&s);
    write_text(&s, text);
    n = amz_scan_sellers(buf_str(&s.text), found, 3);
    for (size_t i = 0; i < n; i++)
        buf_printf(&got, "%s%s", i ? " " : "", found[i]);
    if (strcmp(buf_z(&got), wanted) != 0)
        fail_msg("%s: found \"%s\"", text, buf_z(&got));
    buf_free(&got);
    end(&s);
}

static void sellers_are_found_in_bytes_of_any_form(void **state)
{
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"{'SellerId':'A000SAMPLESELL'}", "A000SAMPLESELL"},
        {"{'sellerId' :\n 'A000SAMPLESELL'}", "A000SAMPLESELL"},
        {"'{\\'SellerId\\':\\'A000SAMPLESELL\\'}'", "A000SAMPLESELL"},
        {"\\\\\\'SellerId\\\\\\':\\\\\\'A000SAMPLESELL\\\\\\'", "A000SAMPLESELL"},
        {"'SellerId':'AAAAA' 'SellerId':'BBBBB' 'SellerId':'AAAAA'", "AAAAA BBBBB"},
        {"'SellerId':'AAAAA' 'SellerId':'BBBBB' 'SellerId':'CCCCC' 'SellerId':'DDDDD'",
         "AAAAA BBBBB CCCCC"},
        {"'SellerId':'a/../b' 'SellerId':'AAAAA", "AAAAA"},
        {"'SellerId':'AAAA'", ""},
        {"'SellerId':'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'", ""},
        {"'ResellerId':'AAAAA'", ""},
        {"'SellerId':", ""},
        {"'SellerId':12345", ""},
        {"'SellerId", ""},
        {"SellerId", ""},
        {"ellerId':'AAAAA'", ""},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check_scan(cases[i].text, cases[i].wanted);
}

/* ---- wrappings ---- */

struct wrapped {
    const char *name;
    size_t count;
    bool batch;
    enum amz_kind kind;
    const char *id, *seller;
};

static void every_sample_is_taken_out_of_its_wrappings(void **state)
{
    static const struct wrapped cases[] = {
        {"notifications/01_order_change_official_buyer_cancel", 1, false, AMZ_NOTICE, "",
         "A3TH9S8BH6GOGM"},
        {"notifications/02_unshipped_mfn", 1, false, AMZ_NOTICE, "", "A000SAMPLESELL"},
        {"envelopes/01_sqs_records_batch", 2, true, AMZ_NOTICE,
         "4616ca1e-631b-594a-8a56-322bc27a77ea", "A000SAMPLESELL"},
        {"envelopes/02_pipes_api_destination_wrapped", 1, false, AMZ_NOTICE, "", "A000SAMPLESELL"},
        {"envelopes/03_eventbridge_partner_style_envelope", 1, false, AMZ_NOTICE,
         "afce4055-fd4a-5b7a-aef2-7bf405e935cf", "A000SAMPLESELL"},
        {"envelopes/04_eventbridge_from_pipe_envelope", 1, false, AMZ_NOTICE,
         "158cb277-0a49-5a3e-b72d-e873e56bf48b", "A000SAMPLESELL"},
        {"envelopes/05_eventbridge_other_type_ignored", 1, false, AMZ_OTHER,
         "18592bdc-c4c0-5a32-85e4-16796c847cbe", "A000SAMPLESELL"},
        {"envelopes/06_double_encoded_body", 1, false, AMZ_NOTICE, "", "A000SAMPLESELL"},
        {"envelopes/07_enriched_forward", 1, false, AMZ_ORDER, "", ""},
        {"orders_2026-01-01/getOrder_01_gbp_103_97", 1, false, AMZ_ORDER, "", ""},
        {"orders_2026-01-01/searchOrders_06_jpy_19940", 1, true, AMZ_ORDER, "", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct wrapped *w = &cases[i];
        struct sample s;

        begin(&s);
        load_named(w->name, &s.text);
        if (open_record(&s, 0) != ERR_OK)
            fail_msg("%s: %s", w->name, s.info.text);
        if (s.body.count != w->count || s.body.batch != w->batch || s.record.kind != w->kind ||
            !str_eq(s.record.id, str_of(w->id)) || !str_eq(s.record.seller, str_of(w->seller)))
            fail_msg("%s: %zu records, kind %d, id %.*s, seller %.*s", w->name, s.body.count,
                     s.record.kind, STR_FMT(s.record.id), STR_FMT(s.record.seller));
        end(&s);
    }
}

#define NOTICE                                                                                     \
    "{'notificationType':'ORDER_CHANGE','payload':{'orderChangeNotification':{'sellerId':'AAAAA'," \
    "'amazonOrderId':'250-0000002-0000002','orderChangeType':'OrderStatusChange',"                 \
    "'summary':{'orderStatus':'Shipped'}}},'notificationMetadata':{'notificationId':'n1'}}"

static void wrappings_may_come_in_any_order(void **state)
{
    static const char *const cases[] = {
        NOTICE,
        "{'data':" NOTICE "}",
        "{'data':{'detail':" NOTICE "}}",
        "{'id':'e1','detail':{'messageId':'m1','body':" NOTICE "}}",
        "{'Records':[{'messageId':'m1','body':" NOTICE "}]}",
        "{'data':{'Records':[{'messageId':'m1','body':{'data':" NOTICE "}}]}}",
        "[" NOTICE "]",
        "{'data':[" NOTICE "]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct amz_notice n;
        struct sample s;

        begin(&s);
        write_text(&s, cases[i]);
        if (open_record(&s, 0) != ERR_OK || s.record.kind != AMZ_NOTICE)
            fail_msg("%s: %s", cases[i], s.info.text);
        assert_true(str_eq(s.record.seller, STR("AAAAA")));
        assert_int_equal(amz_read_notice(&s.record, &n, &s.info), ERR_OK);
        assert_true(str_eq(n.id, STR("n1")));
        assert_int_equal(n.event, RUL_FULFILLED);
        end(&s);
    }
}

/* TEXT as a JSON string, TIMES over. */
static void encode(struct buf *text, int times)
{
    for (int i = 0; i < times; i++) {
        struct buf quoted = BUF_CAP(LIM_JSON_BYTES);

        buf_add_quoted(&quoted, buf_str(text));
        buf_reset(text);
        buf_add_str(text, buf_str(&quoted));
        buf_free(&quoted);
    }
}

static void text_in_text_is_read_to_its_limit(void **state)
{
    (void)state;
    for (int times = 0; times <= AMZ_TEXTS; times++) {
        struct sample s;
        enum err e;

        begin(&s);
        write_text(&s, NOTICE);
        encode(&s.text, times);
        e = open_record(&s, 0);
        assert_int_equal(e, times < AMZ_TEXTS ? ERR_OK : ERR_TOO_BIG);
        end(&s);
    }
}

static void a_forwarder_may_encode_the_parts_of_an_order(void **state)
{
    struct sample s;
    struct str id;

    (void)state;
    begin(&s);
    write_text(&s, "{'SellerId':'AAAAA','orderResponse':"
                   "'{\\'payload\\':{\\'AmazonOrderId\\':\\'250-0000002-0000002\\'}}',"
                   "'orderItemsResponse':'{\\'payload\\':{\\'OrderItems\\':[]}}'}");
    assert_int_equal(open_record(&s, 0), ERR_OK);
    assert_true(s.record.kind == AMZ_ORDER && str_eq(s.record.seller, STR("AAAAA")));
    assert_true(amz_order_id(&s.record, &id) && str_eq(id, STR("250-0000002-0000002")));
    end(&s);
}

static void what_is_no_record_is_refused(void **state)
{
    static const struct {
        const char *text;
        enum err e;
    } cases[] = {
        {"", ERR_SYNTAX},
        {"not json", ERR_SYNTAX},
        {"'not json'", ERR_SYNTAX},
        {"{}", ERR_TYPE},
        {"null", ERR_TYPE},
        {"17", ERR_TYPE},
        {"{'Type':'Notification','Message':'{}'}", ERR_TYPE},
        {"{'data':{'data':{'data':{'data':{'data':{'data':{'data':{}}}}}}}}", ERR_TYPE},
        {"{'data':{'data':{'data':{'data':{'data':{'data':{'data':{'data':{'data':{'data':{'data':"
         "{'data':{'data':" NOTICE "}}}}}}}}}}}}}",
         ERR_TYPE},
        {"{'Records':[{'messageId':'m1','body':'no'}]}", ERR_SYNTAX},
        {"{'Records':[{'messageId':'m1'}]}", ERR_TYPE},
        {"[[" NOTICE "]]", ERR_TYPE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sample s;
        enum err e;

        begin(&s);
        write_text(&s, cases[i].text);
        e = open_record(&s, 0);
        if (e != cases[i].e || !s.info.text[0])
            fail_msg("%s: %s %s", cases[i].text, err_text(e), s.info.text);
        end(&s);
    }
}

static void a_bad_record_keeps_its_envelopes_id(void **state)
{
    struct sample s;

    (void)state;
    begin(&s);
    write_text(&s,
               "{'Records':[{'messageId':'m1','body':'no'},{'messageId':'m2','body':" NOTICE "}]}");
    assert_int_equal(open_record(&s, 0), ERR_SYNTAX);
    assert_true(str_eq(s.record.id, STR("m1")));
    amz_record_free(&s.record);
    assert_int_equal(amz_record(&s.body, 1, &s.record, &s.info), ERR_OK);
    assert_true(str_eq(s.record.id, STR("m2")));
    end(&s);
}

static void more_records_than_the_limit_are_refused(void **state)
{
    (void)state;
    for (size_t n = AMZ_RECORDS; n <= AMZ_RECORDS + 1; n++) {
        struct sample s;

        begin(&s);
        buf_addc(&s.text, '[');
        for (size_t i = 0; i < n; i++)
            buf_addz(&s.text, i ? ",1" : "1");
        buf_addc(&s.text, ']');
        assert_int_equal(amz_open(buf_str(&s.text), &s.body, &s.info),
                         n > AMZ_RECORDS ? ERR_TOO_BIG : ERR_OK);
        end(&s);
    }
}

/* ---- notifications ---- */

static void every_notification_says_what_happened(void **state)
{
    static const struct {
        const char *name, *id, *order, *status;
        enum rul_event event;
        enum ord_paid paid;
        enum ord_fulfilment fulfilment;
        bool cancelled;
    } cases[] = {
        {"01_order_change_official_buyer_cancel", "d0e9e693-c3ad-4373-979f-ed4ec98dd746",
         "903-8868176-2219830", "Unshipped", RUL_UPDATED, ORD_PAID, ORD_UNFULFILLED, false},
        {"02_unshipped_mfn", "c93a15ad-37d4-5d88-a2eb-70fad949dadc", "250-0000002-0000002",
         "Unshipped", RUL_PAID, ORD_PAID, ORD_UNFULFILLED, false},
        {"03_shipped_afn", NULL, "250-0000003-0000003", "Shipped", RUL_FULFILLED, ORD_PAID,
         ORD_FULFILLED, false},
        {"04_partially_shipped", NULL, "250-0000004-0000004", "PartiallyShipped",
         RUL_PARTIALLY_FULFILLED, ORD_PAID, ORD_PARTLY_FULFILLED, false},
        {"05_pending", NULL, "250-0000005-0000005", "Pending", RUL_CREATED, ORD_UNPAID,
         ORD_UNFULFILLED, false},
        {"06_canceled", NULL, "250-0000006-0000006", "Canceled", RUL_CANCELLED, ORD_UNPAID,
         ORD_UNFULFILLED, true},
        {"07_no_metadata", "", "250-0000007-0000007", "Unshipped", RUL_PAID, ORD_PAID,
         ORD_UNFULFILLED, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char name[200];
        struct amz_notice n;
        struct sample s;

        begin(&s);
        snprintf(name, sizeof(name), "notifications/%s", cases[i].name);
        load_named(name, &s.text);
        assert_int_equal(open_record(&s, 0), ERR_OK);
        if (amz_read_notice(&s.record, &n, &s.info) != ERR_OK)
            fail_msg("%s: %s", cases[i].name, s.info.text);
        if (!str_eq(n.order_id, str_of(cases[i].order)) ||
            !str_eq(n.status, str_of(cases[i].status)) || n.event != cases[i].event ||
            n.state.paid != cases[i].paid || n.state.fulfilment != cases[i].fulfilment ||
            n.state.cancelled != cases[i].cancelled)
            fail_msg("%s: order %.*s status %.*s event %s", cases[i].name, STR_FMT(n.order_id),
                     STR_FMT(n.status), rul_event_text(n.event));
        if (cases[i].id)
            assert_true(str_eq(n.id, str_of(cases[i].id)));
        assert_true(n.state.created_day[0] && n.time[0]);
        end(&s);
    }
}

static void a_notification_needs_an_order_and_a_status(void **state)
{
    static const char *const cases[] = {
        "{'NotificationType':'ORDER_CHANGE'}",
        "{'NotificationType':'ORDER_CHANGE','Payload':{'OrderChangeNotification':{"
        "'AmazonOrderId':'250-0000002-000000x','Summary':{'OrderStatus':'Shipped'}}}}",
        "{'NotificationType':'ORDER_CHANGE','Payload':{'OrderChangeNotification':{"
        "'AmazonOrderId':2500000002000000,'Summary':{'OrderStatus':'Shipped'}}}}",
        "{'NotificationType':'ORDER_CHANGE','Payload':{'OrderChangeNotification':{"
        "'AmazonOrderId':'250-0000002-0000002','Summary':{}}}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct amz_notice n;
        struct sample s;

        begin(&s);
        write_text(&s, cases[i]);
        assert_int_equal(open_record(&s, 0), ERR_OK);
        assert_int_equal(amz_read_notice(&s.record, &n, &s.info), ERR_MISSING);
        end(&s);
    }
}

static void a_status_that_is_new_to_us_is_a_change_of_the_order(void **state)
{
    struct amz_notice n;
    struct sample s;

    (void)state;
    begin(&s);
    write_text(&s, "{'NotificationType':'ORDER_CHANGE','Payload':{'OrderChangeNotification':{"
                   "'AmazonOrderId':'250-0000002-0000002','OrderChangeType':'OrderStatusChange',"
                   "'Summary':{'OrderStatus':'Teleported'}}}}");
    assert_int_equal(open_record(&s, 0), ERR_OK);
    assert_int_equal(amz_read_notice(&s.record, &n, &s.info), ERR_OK);
    assert_int_equal(n.event, RUL_UPDATED);
    assert_int_equal(n.state.paid, ORD_UNPAID);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sellers_are_found_in_bytes_of_any_form),
        cmocka_unit_test(every_sample_is_taken_out_of_its_wrappings),
        cmocka_unit_test(wrappings_may_come_in_any_order),
        cmocka_unit_test(text_in_text_is_read_to_its_limit),
        cmocka_unit_test(a_forwarder_may_encode_the_parts_of_an_order),
        cmocka_unit_test(what_is_no_record_is_refused),
        cmocka_unit_test(a_bad_record_keeps_its_envelopes_id),
        cmocka_unit_test(more_records_than_the_limit_are_refused),
        cmocka_unit_test(every_notification_says_what_happened),
        cmocka_unit_test(a_notification_needs_an_order_and_a_status),
        cmocka_unit_test(a_status_that_is_new_to_us_is_a_change_of_the_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
