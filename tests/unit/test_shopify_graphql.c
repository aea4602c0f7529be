/* shopify_graphql: the same order by a webhook and by GraphQL is the same order. */
#include "service/sync/shopify_graphql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/shopify_admin.h"
#include "tests/unit/shopify_dump.h"
#include "tests/unit/shopify_sample.h"

/* ---- an order by its webhook, and by GraphQL ---- */

/* Gathers the order of A by questions of a page size halved HALVES times; the body into OUT.
 * Returns how many questions it took. */
static int gather(struct admin *a, int halves, struct buf *out)
{
    struct shp_gather *g = NULL;
    struct errinfo info = {0};
    struct buf ask = BUF_CAP(1u << 20), answer = BUF_CAP(LIM_JSON_BYTES);
    int n = 0;

    assert_int_equal(shp_gather_new(adm_text(a->order, "id"), &g, &info), ERR_OK);
    while (halves-- > 0)
        assert_true(shp_gather_smaller(g));
    while (shp_gather_ask(g, &ask)) {
        struct js_doc doc = {0};

        buf_reset(&answer);
        admin_answer(a, buf_str(&ask), &answer);
        assert_int_equal(js_parse(buf_str(&answer), LIM_JSON_BYTES, &doc, &info), ERR_OK);
        if (shp_gather_take(g, &doc, answer.n, &info) != ERR_OK)
            fail_msg("%s", info.text);
        assert_null(doc.root);
        buf_reset(&ask);
        n++;
    }
    assert_true(str_eq(shp_shop_zone(shp_gather_shop(g)), STR("Europe/London")));
    assert_int_equal(shp_shop_offset(shp_gather_shop(g)), 3600);
    shp_gather_write(g, admin_offset, a, out);
    assert_int_equal(buf_check(out), ERR_OK);
    shp_gather_free(g);
    buf_free(&ask);
    buf_free(&answer);
    return n;
}

/* All that the .expect files do not show. */
static void print_rest(const struct order *o, struct buf *b)
{
    char stamp[ORD_STAMP + 1];

    ord_stamp(o, STR("2026-09-01T10:00:00Z"), stamp);
    buf_printf(b, "stamp: %s\ncreated: %s\nupdated: %s\n", stamp, o->created_at, o->updated_at);
    buf_printf(b, "company: %.*s\nedited: %d\nduties included: %d\n", STR_FMT(o->party.company_id),
               o->edited, o->duties_included);
    for (size_t i = 0; i < o->line_count; i++)
        buf_printf(b, "more: %.*s, %.*s\n", STR_FMT(o->lines[i].vendor),
                   STR_FMT(o->lines[i].product_type));
    for (size_t i = 0; i < o->payment_count; i++) {
        const struct ord_transaction *t = &o->payments[i];

        buf_printf(b, "payment: %.*s %.*s %s %s %s\n", STR_FMT(t->id), STR_FMT(t->gateway),
                   mon_text(t->amount).z, t->amount.currency, t->day);
    }
}

static void dump(const struct js_value *root, enum shp_money money, struct buf *out)
{
    struct arena arena = {NULL, 0};
    struct errinfo info = {0};
    struct order o;

    if (shp_read_order(root, STR("a.myshopify.com"), money, &arena, &o, &info) == ERR_OK) {
        print_order(&o, out);
        print_rest(&o, out);
    } else {
        buf_printf(out, "cannot be read: %s\n", info.text);
    }
    arena_free(&arena);
}

static int check(const char *name, const struct js_value *webhook, int halves)
{
    struct admin a = {.order = webhook};
    struct buf body = BUF_CAP(LIM_JSON_BYTES);
    struct js_doc doc = {0};
    int n = gather(&a, halves, &body);

    assert_int_equal(js_parse(buf_str(&body), LIM_JSON_BYTES, &doc, NULL), ERR_OK);
    assert_true(shp_body_fits(SHP_ORDERS_UPDATED, doc.root));
    for (int money = SHP_SHOP_MONEY; money <= SHP_PRESENTMENT_MONEY; money++) {
        struct buf wanted = BUF_CAP(LIM_JSON_BYTES), got = BUF_CAP(LIM_JSON_BYTES);

        dump(webhook, (enum shp_money)money, &wanted);
        dump(doc.root, (enum shp_money)money, &got);
        compare(name, buf_str(&wanted), buf_str(&got));
        buf_free(&wanted);
        buf_free(&got);
    }
    js_free(&doc);
    buf_free(&body);
    return n;
}

static void every_sample_order_is_the_same_by_both_ways(void **state)
{
    static const char *const samples[] = {
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

    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        struct sample s;

        open_sample(&s, samples[i]);
        check(samples[i], s.doc.root, 0);
        check(samples[i], s.doc.root, 4); /* a line a page */
        close_sample(&s);
    }
}

/* ---- what no sample has ---- */

static void an_order_with_all_that_is_read_is_the_same_by_both_ways(void **state)
{
    struct sample s;

    (void)state;
    open_sample(&s, "25_con_all_that_is_read");
    assert_int_equal(check("much", s.doc.root, 0), 4); /* the order, two refunds, one shipment */
    assert_int_equal(check("much", s.doc.root, 4), 8); /* a page a line: 3, 2 + 1, 2 */
    close_sample(&s);
}

/* The body of ORDER by GraphQL, read in the shop's money. */
static enum err fetched(struct sample *s, const char *order, shp_offset_fn *offset)
{
    struct sample webhook;
    struct admin a = {.order = NULL};
    struct shp_gather *g = NULL;
    struct buf ask = BUF_CAP(1u << 20), answer = BUF_CAP(1u << 20);
    struct js_doc doc = {0};

    memset(s, 0, sizeof(*s));
    buf_init(&s->text, LIM_JSON_BYTES);
    (void)!read_text(&webhook, order);
    a.order = webhook.doc.root;
    assert_int_equal(shp_gather_new(adm_text(a.order, "id"), &g, NULL), ERR_OK);
    while (shp_gather_ask(g, &ask)) {
        admin_answer(&a, buf_str(&ask), &answer);
        assert_int_equal(js_parse(buf_str(&answer), LIM_JSON_BYTES, &doc, NULL), ERR_OK);
        assert_int_equal(shp_gather_take(g, &doc, answer.n, NULL), ERR_OK);
        buf_reset(&ask);
        buf_reset(&answer);
    }
    shp_gather_write(g, offset, &a, &s->text);
    shp_gather_free(g);
    buf_free(&ask);
    buf_free(&answer);
    close_sample(&webhook);
    parse(s);
    return read_sample(s);
}

static void days_are_those_of_the_shops_clock(void **state)
{
    static const char order[] = "{" HEAD ONE_LINE ",'created_at':'2026-01-31T23:30:00-05:00'}";
    struct sample s;

    (void)state;
    assert_int_equal(fetched(&s, order, admin_offset), ERR_OK);
    assert_string_equal(s.o.created_at, "2026-01-31T23:30:00-05:00");
    assert_string_equal(s.o.state.created_day, "2026-01-31");
    close_sample(&s);
    assert_int_equal(fetched(&s, order, NULL), ERR_OK);
    assert_string_equal(s.o.created_at, "2026-02-01T04:30:00Z");
    close_sample(&s);
}

#define TIP(id, title, price)                                                                      \
    "{'id':" id ",'title':'" title "','quantity':1,'price':'" price "','requires_shipping':false}"

static void tips_are_found_by_their_total(void **state)
{
    static const struct {
        const char *tip, *lines;
        enum ord_line_kind kinds[3];
    } rows[] = {
        {"3.00", TIP("1", "Tip", "3.00"), {ORD_TIP}},
        {"3.00", TIP("1", "Tip", "1.00") "," TIP("2", "Propina", "2.00"), {ORD_TIP, ORD_TIP}},
        {"3.00", TIP("1", "Work", "9.00") "," TIP("2", "Tip", "3.00"), {ORD_PRODUCT, ORD_TIP}},
        /* two that might be: nothing is guessed, and the order does not add up */
        {"3.00", TIP("1", "Work", "3.00") "," TIP("2", "Tip", "3.00"), {ORD_PRODUCT, ORD_PRODUCT}},
        {"0.00", TIP("1", "Work", "3.00"), {ORD_PRODUCT}},
        {"3.00", TIP("1", "Work", "4.00"), {ORD_PRODUCT}},
        {"3.00",
         "{'id':1,'title':'Mug','quantity':1,'price':'3.00','product_id':9,"
         "'requires_shipping':false}",
         {ORD_PRODUCT}},
        {"3.00",
         "{'id':1,'title':'Mug','quantity':1,'price':'3.00','requires_shipping':false,"
         "'tax_lines':[{'title':'VAT','rate':0.2,'price':'0.50'}]}",
         {ORD_PRODUCT}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[1000];
        struct sample s;

        (void)snprintf(text, sizeof(text), "{" HEAD "'total_tip_received':'%s','line_items':[%s]}",
                       rows[i].tip, rows[i].lines);
        print_message("%s: %s\n", rows[i].tip, rows[i].lines);
        assert_int_equal(fetched(&s, text, NULL), ERR_OK);
        for (size_t k = 0; k < s.o.line_count; k++)
            assert_int_equal(s.o.lines[k].kind, rows[i].kinds[k]);
        close_sample(&s);
    }
}

/* ---- answers that are not what was asked for ---- */

/* What becomes of an answer, in which ' stands for ", to the first question about order 1. */
static enum err take(struct shp_gather *g, const char *text)
{
    struct js_doc doc = {0};
    struct errinfo info = {0};
    enum err e;

    parse_record(&doc, text);
    e = shp_gather_take(g, &doc, strlen(text), &info);
    assert_null(doc.root);
    assert_int_equal(info.text[0] != '\0', e != ERR_OK);
    return e;
}

#define ORDER_1(more) "{'data':{'order':{'id':'gid://shopify/Order/1'" more "}}}"
#define NO_MORE ",'updatedAt':'2026-01-01T00:00:00Z','lineItems':{'nodes':[]}"

static void an_answer_that_was_not_asked_for_is_refused(void **state)
{
    static const struct {
        const char *answer;
        enum err e;
    } rows[] = {
        {"{'data':{'order':null}}", ERR_NOT_FOUND},
        {"{'data':{}}", ERR_MISSING},
        {"{'data':null}", ERR_MISSING},
        {"{}", ERR_MISSING},
        {"[]", ERR_MISSING},
        {"{'data':{'order':{'id':'gid://shopify/Order/2','lineItems':{'nodes':[]}}}}", ERR_MISSING},
        {ORDER_1(""), ERR_MISSING},
        {ORDER_1(",'lineItems':{'pageInfo':{'hasNextPage':true},'nodes':[]}"), ERR_MISSING},
        {ORDER_1(NO_MORE ",'shippingLines':{'pageInfo':{'hasNextPage':true}}"), ERR_TOO_BIG},
        {ORDER_1(NO_MORE), ERR_OK},
    };
    static const char *const ids[] = {"", "0", "-1", "x", "1/2", "01", "99999999999999999999"};
    struct shp_gather *g = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(shp_gather_new(STR("1"), &g, NULL), ERR_OK);
        print_message("%s\n", rows[i].answer);
        assert_int_equal(take(g, rows[i].answer), rows[i].e);
        shp_gather_free(g);
    }
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        assert_int_equal(shp_gather_new(str_of(ids[i]), &g, NULL), ERR_SYNTAX);
        assert_null(g);
    }
}

static void an_order_that_changes_meanwhile_is_read_anew(void **state)
{
    static const char first[] = ORDER_1(",'updatedAt':'2026-01-01T00:00:00Z','lineItems':{'pageInfo"
                                        "':{'hasNextPage':true,'endCursor':'c'},'nodes':[]}");
    static const char second[] = "{'data':{'order':{'updatedAt':'2026-01-01T00:00:01Z','lineItems':"
                                 "{'nodes':[]}}}}";
    struct shp_gather *g = NULL;
    struct buf ask = BUF_CAP(1u << 20);

    (void)state;
    assert_int_equal(shp_gather_new(STR("1"), &g, NULL), ERR_OK);
    for (int i = 0; i < 3; i++) {
        buf_reset(&ask);
        assert_true(shp_gather_ask(g, &ask));
        assert_non_null(strstr(ask.p, "{\"query\":\"query Order("));
        assert_int_equal(take(g, first), ERR_OK);
        buf_reset(&ask);
        assert_true(shp_gather_ask(g, &ask));
        assert_non_null(strstr(ask.p, "\"after\":\"c\"}}"));
        assert_int_equal(take(g, second), i < 2 ? ERR_OK : ERR_CONFLICT);
    }
    shp_gather_free(g);
    buf_free(&ask);
}

static void an_order_without_end_is_given_up(void **state)
{
    static const char page[] = "{'data':{'order':{'id':'gid://shopify/Order/1','updatedAt':'2026-01"
                               "-01T00:00:00Z','lineItems':{'pageInfo':{'hasNextPage':true,"
                               "'endCursor':'c'},'nodes':[]}}}}";
    struct shp_gather *g = NULL;
    int n = 0;

    (void)state;
    assert_int_equal(shp_gather_new(STR("1"), &g, NULL), ERR_OK);
    while (take(g, page) == ERR_OK)
        n++;
    assert_int_equal(n, SHP_QUESTIONS);
    shp_gather_free(g);
}

static void a_page_can_be_made_smaller_until_it_is_one_line(void **state)
{
    struct shp_gather *g = NULL;
    int n = 0;

    (void)state;
    assert_int_equal(shp_gather_new(STR("1"), &g, NULL), ERR_OK);
    while (shp_gather_smaller(g))
        n++;
    assert_int_equal(n, 4); /* 25, 12, 6, 3, 1 */
    shp_gather_free(g);
}

/* ---- lists ---- */

static int32_t five_behind(void *arg, int64_t t)
{
    (void)arg;
    (void)t;
    return -5 * 3600;
}

static void orders_are_listed_by_their_last_change(void **state)
{
    struct shp_listed list[SHP_LISTED];
    struct buf ask = BUF_CAP(4096);
    struct js_doc doc;
    struct str cursor;
    size_t n;

    (void)state;
    assert_true(shp_list_ask(STR("2026-01-01T00:00:00Z"), STR("2026-02-01T00:00:00+01:00"),
                             STR("c\"1"), &ask));
    assert_non_null(strstr(ask.p, "\"variables\":{\"query\":\"updated_at:>='2026-01-01T00:00:00Z' "
                                  "AND updated_at:<='2026-02-01T00:00:00+01:00'\",\"first\":100,"
                                  "\"after\":\"c\\\"1\"}}"));
    assert_false(shp_list_ask(STR("' OR id:1"), STR(""), STR(""), &ask));
    assert_false(shp_list_ask(STR("2026-01-01T00:00:00Z"), STR("x"), STR(""), &ask));
    buf_free(&ask);

    parse_record(&doc, "{'orders':{'pageInfo':{'hasNextPage':true,'endCursor':'c2'},'nodes':["
                       "{'id':'gid://shopify/Order/12','updatedAt':'2026-01-02T00:00:00Z',"
                       "'displayFinancialStatus':'PAID','cancelledAt':null,"
                       "'createdAt':'2026-01-01T04:59:59Z'}]}}");
    assert_int_equal(shp_list_take(doc.root, five_behind, NULL, list, &n, &cursor, NULL), ERR_OK);
    assert_int_equal(n, 1);
    assert_true(str_eq(list[0].id, STR("12")) && str_eq(cursor, STR("c2")));
    assert_true(str_starts(str_of(list[0].stamp), STR("00176731200040"))); /* paid */
    assert_string_equal(list[0].created_day, "2025-12-31");                /* in the shop */
    js_free(&doc);
    parse_record(&doc, "{'orders':{'nodes':[{'id':'gid://shopify/Order/x'}]}}");
    assert_int_equal(shp_list_take(doc.root, NULL, NULL, list, &n, &cursor, NULL), ERR_MISSING);
    js_free(&doc);
    parse_record(&doc, "{'orders':null}");
    assert_int_equal(shp_list_take(doc.root, NULL, NULL, list, &n, &cursor, NULL), ERR_MISSING);
    js_free(&doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_order_is_the_same_by_both_ways),
        cmocka_unit_test(an_order_with_all_that_is_read_is_the_same_by_both_ways),
        cmocka_unit_test(days_are_those_of_the_shops_clock),
        cmocka_unit_test(tips_are_found_by_their_total),
        cmocka_unit_test(an_answer_that_was_not_asked_for_is_refused),
        cmocka_unit_test(an_order_that_changes_meanwhile_is_read_anew),
        cmocka_unit_test(an_order_without_end_is_given_up),
        cmocka_unit_test(a_page_can_be_made_smaller_until_it_is_one_line),
        cmocka_unit_test(orders_are_listed_by_their_last_change),
    };

    return cmocka_run_group_tests_name("shopify_graphql", tests, NULL, NULL);
}
