/* shopify_api against a peer of this process that answers as a shop does. */
#include "service/export/shopify_api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/fake_peer.h"
#include "tests/unit/shopify_admin.h"
#include "tests/unit/shopify_sample.h"

/* What a shop tells of its points beside its answer. */
#define COST(asked, left)                                                                          \
    "\"extensions\":{\"cost\":{\"requestedQueryCost\":" asked ",\"actualQueryCost\":12,"           \
    "\"throttleStatus\":{\"maximumAvailable\":2000.0,\"currentlyAvailable\":" left LEFT_REST
#define LEFT_REST ",\"restoreRate\":100.0}}}"
#define FEW COST("711", "100")
#define THROTTLED                                                                                  \
    "200 |{\"errors\":[{\"message\":\"Throttled\",\"extensions\":{\"code\":\"THROTTLED\"}}]," FEW  \
    "}"

/* A client, its peer, what its permits were asked for, and the last answer. */
struct talk {
    struct peer peer;
    struct sapi *api;
    struct shc_answer answer;
    struct errinfo info;
    struct buf body;
    int64_t asked[16], left[16]; /* of each permit: its cost, and the points left then */
    size_t permits, allowed;
};

static const struct sapi_shop shop = {"a.myshopify.com", "", {"shpat_secret", 12}};

static bool permit(void *arg, int64_t cost, const struct sapi_points *said)
{
    struct talk *t = arg;

    t->asked[t->permits] = cost;
    t->left[t->permits] = said->available;
    return t->permits++ < t->allowed;
}

static void make(struct talk *t, bool permits)
{
    struct sapi_options o = {.api_url = t->peer.root, .permit = permits ? permit : NULL, .arg = t};

    buf_init(&t->body, LIM_JSON_BYTES);
    t->allowed = 16;
    assert_int_equal(sapi_new(&o, &t->api), ERR_OK);
}

static void begin(struct talk *t, const char *const *answers, size_t n, bool permits)
{
    memset(t, 0, sizeof(*t));
    peer_start_listed(&t->peer, answers, n);
    make(t, permits);
}

static void end(struct talk *t)
{
    shc_answer_free(&t->answer);
    buf_free(&t->body);
    sapi_free(t->api);
    peer_stop(&t->peer);
}

static void ask(struct talk *t, const char *id)
{
    shc_answer_free(&t->answer);
    buf_reset(&t->body);
    assert_int_equal(sapi_order(t->api, &shop, str_of(id), &t->body, &t->answer, &t->info), ERR_OK);
}

/* ---- a whole order ---- */

static void answer_as_shop(void *arg, size_t n, struct str request, struct buf *out)
{
    struct buf body = BUF_CAP(LIM_JSON_BYTES);
    const char *gap = memmem(request.p, request.n, "\r\n\r\n", 4);
    struct str asked = {gap + 4, request.n - (size_t)(gap + 4 - request.p)};

    (void)n;
    admin_answer(arg, asked, &body);
    body.n--; /* the closing brace */
    buf_addz(&body, "," COST("711", "1289") "}");
    buf_printf(out, "HTTP/1.1 200 OK\r\nX-Request-Id: id-1\r\nContent-Length: %zu\r\n\r\n", body.n);
    buf_add_str(out, buf_str(&body));
    buf_free(&body);
}

static void an_order_is_gathered_into_a_webhooks_body(void **state)
{
    static struct admin admin;
    static struct sample s, fetched;
    struct talk t;

    (void)state;
    open_sample(&s, "25_con_all_that_is_read");
    admin.order = s.doc.root;
    memset(&t, 0, sizeof(t));
    peer_start(&t.peer, answer_as_shop, &admin);
    make(&t, true);
    ask(&t, "7");
    assert_int_equal(t.answer.verdict, SHC_ANSWERED);
    assert_string_equal(t.answer.request_id, "id-1");
    assert_int_equal(t.permits, 4);
    assert_int_equal(t.asked[0], 711);
    assert_int_equal(t.left[0], -1);
    assert_int_equal(t.asked[1], 602);
    assert_int_equal(t.left[1], 1289);
    assert_int_equal(sapi_points(t.api)->a_second, 100);
    assert_int_equal(sapi_points(t.api)->maximum, 2000);
    buf_init(&fetched.text, LIM_JSON_BYTES);
    buf_add_str(&fetched.text, buf_str(&t.body));
    parse(&fetched);
    assert_int_equal(read_sample(&fetched), ERR_OK);
    assert_int_equal(fetched.o.refund_count, 2);
    assert_string_equal(fetched.o.created_at, "2026-02-01T04:30:00+00:00"); /* London */
    assert_string_equal(fetched.o.updated_at, "2026-04-01T04:30:00+01:00"); /* in summer */
    close_sample(&fetched);
    close_sample(&s);
    assert_true(peer_was_asked(&t.peer, 0, "POST /admin/api/2026-10/graphql.json HTTP/1.1\r\n"));
    assert_true(peer_was_asked(&t.peer, 0, "\r\nX-Shopify-Access-Token: shpat_secret\r\n"));
    assert_true(peer_was_asked(&t.peer, 0, "\r\nContent-Type: application/json\r\n"));
    assert_true(peer_was_asked(&t.peer, 0, "\"id\":\"gid://shopify/Order/7\",\"first\":25,"));
    assert_true(peer_was_asked(&t.peer, 1, "\"id\":\"gid://shopify/Refund/61\""));
    assert_true(peer_was_asked(&t.peer, 3, "\"id\":\"gid://shopify/Fulfillment/41\""));
    end(&t);
}

/* ---- verdicts ---- */

#define ERRORS(message, code)                                                                      \
    "200 |{\"errors\":[{\"message\":\"" message "\",\"extensions\":{\"code\":\"" code "\"}}]}"

static void every_answer_has_its_verdict(void **state)
{
    static const struct {
        const char *answer;
        enum shc_verdict verdict;
        enum shc_denied denied;
        int64_t wait_ms;
        const char *words;
    } rows[] = {
        {"200 |{\"data\":{\"order\":null}}", SHC_NOT_FOUND, SHC_ALLOWED, -1, "no order 7"},
        {"200 |{\"data\":{}}", SHC_DOWN, SHC_ALLOWED, -1, "not about order 7"},
        {"200 |{\"data\":null}", SHC_DOWN, SHC_ALLOWED, -1, "no data"},
        {"200 |<html>", SHC_DOWN, SHC_ALLOWED, -1, "could not be read"},
        {"401 |{\"errors\":\"[API] Invalid API key\"}", SHC_DENIED, SHC_NO_CONSENT, -1,
         "Invalid API key"},
        {"402 |{\"errors\":\"Unavailable Shop\"}", SHC_DENIED, SHC_NO_ACCESS, -1, "Unavailable"},
        {"403 |{\"errors\":[{\"message\":\"Forbidden\"}]}", SHC_DENIED, SHC_NO_ACCESS, -1,
         "Forbidden"},
        {"404 |{\"errors\":\"Not Found\"}", SHC_DOWN, SHC_ALLOWED, -1, "Not Found"},
        {"429 Retry-After: 2.0\n|{\"errors\":\"Exceeded 2 calls\"}", SHC_LIMITED, SHC_ALLOWED, 2000,
         "Exceeded"},
        {"430 |", SHC_LIMITED, SHC_ALLOWED, -1, "430"},
        {"500 |", SHC_DOWN, SHC_ALLOWED, -1, "500"},
        {"400 |{\"errors\":{\"query\":\"Required parameter missing\"}}", SHC_REFUSED, SHC_ALLOWED,
         -1, "400"},
        {THROTTLED, SHC_LIMITED, SHC_ALLOWED, 6110, "Throttled"},
        {ERRORS("Access denied for order field. Required access: `read_orders` access scope.",
                "ACCESS_DENIED"),
         SHC_DENIED, SHC_NO_ACCESS, -1, "read_orders"},
        {"200 |{\"data\":{\"order\":null},\"errors\":[{\"message\":\"Access denied for order field."
         "\",\"extensions\":{\"code\":\"ACCESS_DENIED\"}}]}",
         SHC_DENIED, SHC_NO_ACCESS, -1, "Access denied"},
        {ERRORS("Internal error", "INTERNAL_SERVER_ERROR"), SHC_DOWN, SHC_ALLOWED, -1, "Internal"},
        {ERRORS("Field 'x' doesn't exist", "undefinedField"), SHC_REFUSED, SHC_ALLOWED, -1,
         "doesn't exist"},
        {"200 |{\"errors\":\"odd\"}", SHC_REFUSED, SHC_ALLOWED, -1, "odd"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct talk t;

        begin(&t, &rows[i].answer, 1, false);
        ask(&t, "7");
        print_message("%s\n", rows[i].answer);
        assert_int_equal(t.answer.verdict, rows[i].verdict);
        assert_int_equal(t.answer.denied, rows[i].denied);
        assert_int_equal(t.answer.wait_ms, rows[i].wait_ms);
        if (!shc_contains(t.answer.message, str_of(rows[i].words)))
            fail_msg("%.*s", STR_FMT(t.answer.message));
        assert_int_equal(t.peer.count, 1);
        end(&t);
    }
}

#define ORDER_7                                                                                    \
    "\"data\":{\"order\":{\"id\":\"gid://shopify/Order/7\",\"updatedAt\":\"2026-01-01T00:00:00Z"   \
    "\",\"lineItems\":{\"nodes\":[]}}}"

static void a_throttled_question_is_asked_again_when_its_caller_waits(void **state)
{
    static const char *const answers[] = {THROTTLED, "200 |{" ORDER_7 "," COST("711", "1990") "}"};
    static const char *const never[] = {THROTTLED, THROTTLED, THROTTLED, THROTTLED};
    struct talk t;

    (void)state;
    begin(&t, answers, 2, true);
    ask(&t, "7");
    assert_int_equal(t.answer.verdict, SHC_ANSWERED);
    assert_int_equal(t.permits, 2);
    assert_int_equal(t.left[1], 100); /* it was told how few there are */
    end(&t);
    begin(&t, never, 4, true);
    ask(&t, "7");
    assert_int_equal(t.answer.verdict, SHC_LIMITED);
    assert_int_equal(t.answer.wait_ms, 6110);
    assert_int_equal(t.peer.count, 3);
    end(&t);
}

static void without_a_permit_no_call_is_made(void **state)
{
    struct talk t;

    (void)state;
    begin(&t, NULL, 0, true);
    t.allowed = 0;
    ask(&t, "7");
    assert_int_equal(t.answer.verdict, SHC_LIMITED);
    assert_int_equal(t.peer.count, 0);
    end(&t);
}

static void a_question_that_is_too_dear_is_made_smaller(void **state)
{
    static const char *const answers[] = {ERRORS("Query cost is 1100", "MAX_COST_EXCEEDED"),
                                          ERRORS("Query cost is 1001", "MAX_COST_EXCEEDED"),
                                          "200 |{" ORDER_7 "}"};
    static const char *const never[] = {
        ERRORS("dear", "MAX_COST_EXCEEDED"), ERRORS("dear", "MAX_COST_EXCEEDED"),
        ERRORS("dear", "MAX_COST_EXCEEDED"), ERRORS("dear", "MAX_COST_EXCEEDED"),
        ERRORS("dear", "MAX_COST_EXCEEDED"), ERRORS("dear", "MAX_COST_EXCEEDED")};
    struct talk t;

    (void)state;
    begin(&t, answers, 3, false);
    ask(&t, "7");
    assert_int_equal(t.answer.verdict, SHC_ANSWERED);
    assert_true(peer_was_asked(&t.peer, 2, "\"first\":6,"));
    end(&t);
    begin(&t, never, 6, false);
    ask(&t, "7");
    assert_int_equal(t.answer.verdict, SHC_REFUSED);
    assert_int_equal(t.peer.count, 5);
    end(&t);
}

static void a_buyer_that_the_app_may_not_see_is_left_out(void **state)
{
    static const char *const answers[] = {
        "200 |{" ORDER_7 ",\"errors\":[{\"message\":\"This app is not approved to access the "
        "Customer object.\",\"extensions\":{\"code\":\"ACCESS_DENIED\"}}]}"};
    struct talk t;

    (void)state;
    begin(&t, answers, 1, false);
    ask(&t, "7");
    assert_int_equal(t.answer.verdict, SHC_ANSWERED);
    assert_true(str_starts(buf_str(&t.body), STR("{\"id\":7,")));
    end(&t);
}

static void nothing_unchecked_gets_into_an_address(void **state)
{
    static const char *const domains[] = {"",
                                          "a b",
                                          "a.myshopify.com/x",
                                          "A.myshopify.com",
                                          "@",
                                          "user@a.myshopify.com",
                                          "a.myshopify.com:80"};
    struct sapi_options own = {.api_url = NULL};
    static struct sapi_page list;
    struct sapi *api = NULL;
    struct talk t;

    (void)state;
    begin(&t, NULL, 0, false);
    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
        const struct sapi_shop odd = {domains[i], "", STR("t")};

        print_message("%s\n", domains[i]);
        assert_int_equal(sapi_order(t.api, &odd, STR("7"), &t.body, &t.answer, &t.info),
                         ERR_SYNTAX);
    }
    assert_int_equal(sapi_order(t.api, &shop, STR("7/x"), &t.body, &t.answer, &t.info), ERR_SYNTAX);
    assert_int_equal(
        sapi_orders(t.api, &shop, STR("yesterday"), STR(""), STR(""), &list, &t.answer, &t.info),
        ERR_SYNTAX);
    assert_int_equal(t.peer.count, 0);
    end(&t);

    /* Without an address for all, a token goes to Shopify's own hosts only. */
    assert_int_equal(sapi_new(&own, &api), ERR_OK);
    for (int i = 0; i < 2; i++) {
        const struct sapi_shop odd = {i ? "shop.example" : ".myshopify.com", "", STR("t")};

        assert_int_equal(sapi_order(api, &odd, STR("7"), &t.body, &t.answer, &t.info), ERR_SYNTAX);
    }
    sapi_free(api);
}

/* ---- lists ---- */

static void orders_are_listed_page_by_page(void **state)
{
    static const char *const answers[] = {
        "200 |{\"data\":{\"orders\":{\"pageInfo\":{\"hasNextPage\":true,\"endCursor\":\"c1\"},"
        "\"nodes\":[{\"id\":\"gid://shopify/Order/12\",\"updatedAt\":\"2026-01-02T00:00:00Z\"},"
        "{\"id\":\"gid://shopify/Order/13\",\"updatedAt\":\"2026-01-03T00:00:00Z\"}]}}}",
        "200 |{\"data\":{\"orders\":{\"pageInfo\":{\"hasNextPage\":false},\"nodes\":[]}}}",
        "200 |{\"data\":{\"orders\":null}}"};
    static struct sapi_page list;
    struct talk t;

    (void)state;
    begin(&t, answers, 3, true);
    for (int i = 0; i < 3; i++) {
        shc_answer_free(&t.answer);
        assert_int_equal(sapi_orders(t.api, &shop, STR("2026-01-01T00:00:00Z"), STR(""),
                                     i == 1 ? STR("c1") : STR(""), &list, &t.answer, &t.info),
                         ERR_OK);
        assert_int_equal(t.answer.verdict, i < 2 ? SHC_ANSWERED : SHC_DOWN);
        assert_int_equal(list.count, i == 0 ? 2 : 0);
        assert_true(str_eq(list.next, i == 0 ? STR("c1") : STR("")));
        if (i == 0)
            assert_true(str_eq(list.orders[1].id, STR("13")));
    }
    assert_int_equal(t.asked[0], 103);
    assert_true(peer_was_asked(&t.peer, 1, "\"after\":\"c1\""));
    end(&t);
}

static void webhooks_are_listed_and_made(void **state)
{
    static const char *const answers[] = {
        "200 |{\"data\":{\"webhookSubscriptions\":{\"nodes\":[{\"topic\":\"ORDERS_PAID\",\"uri\":"
        "\"https://h/1\",\"format\":\"JSON\"},{\"topic\":\"ORDERS_CREATE\",\"uri\":\"https://h/2\","
        "\"format\":\"XML\"}]}}}",
        "200 |{\"data\":{\"webhookSubscriptionCreate\":{\"webhookSubscription\":{\"id\":\"gid://x/1"
        "\"},\"userErrors\":[]}}}",
        "200 |{\"data\":{\"webhookSubscriptionCreate\":{\"webhookSubscription\":null,"
        "\"userErrors\":[{\"message\":\"Address for this topic has already been taken\"}]}}}",
        "200 |{\"data\":{\"webhookSubscriptionCreate\":{\"webhookSubscription\":null,"
        "\"userErrors\":[{\"message\":\"Address is invalid\"}]}}}",
        "200 |{\"data\":{\"webhookSubscriptionCreate\":null},\"errors\":[{\"message\":\"The app is "
        "not approved\",\"extensions\":{\"code\":\"ACCESS_DENIED\"}}]}"};
    static const enum shc_verdict verdicts[] = {SHC_ANSWERED, SHC_ANSWERED, SHC_REFUSED,
                                                SHC_REFUSED};
    struct shp_subscription list[SAPI_SUBSCRIPTIONS];
    struct talk t;
    size_t n;

    (void)state;
    begin(&t, answers, 5, false);
    assert_int_equal(sapi_subscriptions(t.api, &shop, list, &n, &t.answer, &t.info), ERR_OK);
    assert_int_equal(n, 1);
    assert_true(str_eq(list[0].topic, STR("ORDERS_PAID")));
    assert_true(str_eq(list[0].uri, STR("https://h/1")));
    for (size_t i = 0; i < 4; i++) {
        bool fresh = false;

        shc_answer_free(&t.answer);
        assert_int_equal(sapi_subscribe(t.api, &shop, SHP_TRANSACTIONS_CREATE, "https://h/1",
                                        &fresh, &t.answer, &t.info),
                         ERR_OK);
        assert_int_equal(t.answer.verdict, verdicts[i]);
        assert_int_equal(fresh, i == 0);
    }
    assert_true(peer_was_asked(&t.peer, 1,
                               "\"variables\":{\"topic\":\"ORDER_TRANSACTIONS_CREATE\","
                               "\"webhook\":{\"uri\":\"https://h/1\",\"format\":"
                               "\"JSON\"}}}"));
    end(&t);
}

/* ---- the shop's clock ---- */

static void a_zone_knows_summer_and_winter(void **state)
{
    static const struct {
        const char *zone;
        int64_t t;
        int32_t offset;
    } rows[] = {
        {"Europe/London", 1767225600, 0},    /* 2026-01-01 */
        {"Europe/London", 1782864000, 3600}, /* 2026-07-01 */
        {"Europe/London", 1774745999, 0},    /* the second before summer */
        {"Europe/London", 1774746000, 3600}, /* 2026-03-29 01:00 UTC */
        {"America/New_York", 1767225600, -5 * 3600},
        {"America/New_York", 1782864000, -4 * 3600},
        {"Asia/Kolkata", 1767225600, 19800}, /* its last change was in 1945 */
        {"Etc/UTC", 1767225600, 0},
    };
    static const char *const names[] = {"", "../etc/passwd", "/etc/passwd", "Europe/../London",
                                        "Europe/Nowhere"};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sapi_zone z;

        assert_int_equal(sapi_zone_load("/usr/share/zoneinfo", str_of(rows[i].zone), &z), ERR_OK);
        print_message("%s %lld\n", rows[i].zone, (long long)rows[i].t);
        assert_int_equal(sapi_zone_offset(&z, rows[i].t, 19800), rows[i].offset);
        sapi_zone_free(&z);
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct sapi_zone z;

        assert_int_not_equal(sapi_zone_load("/usr/share/zoneinfo", str_of(names[i]), &z), ERR_OK);
        sapi_zone_free(&z);
    }
}

static void a_damaged_zone_is_refused(void **state)
{
    struct buf whole = {0};
    struct sapi_zone z;

    (void)state;
    load("/usr/share/zoneinfo/Europe/London", &whole);
    for (size_t n = 0; n < whole.n; n += 7) {
        struct str part = {whole.p, n};

        if (sapi_zone_read(part, &z) == ERR_OK)
            assert_true(z.count > 0 && n > whole.n / 2); /* only the rule at its end is cut */
        sapi_zone_free(&z);
    }
    for (size_t i = 0; i < whole.n; i++) {
        whole.p[i] = (char)~whole.p[i];
        err_ignore(sapi_zone_read(buf_str(&whole), &z), "it may be one all the same");
        sapi_zone_free(&z);
        whole.p[i] = (char)~whole.p[i];
    }
    buf_free(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_is_gathered_into_a_webhooks_body),
        cmocka_unit_test(every_answer_has_its_verdict),
        cmocka_unit_test(a_throttled_question_is_asked_again_when_its_caller_waits),
        cmocka_unit_test(without_a_permit_no_call_is_made),
        cmocka_unit_test(a_question_that_is_too_dear_is_made_smaller),
        cmocka_unit_test(a_buyer_that_the_app_may_not_see_is_left_out),
        cmocka_unit_test(nothing_unchecked_gets_into_an_address),
        cmocka_unit_test(orders_are_listed_page_by_page),
        cmocka_unit_test(webhooks_are_listed_and_made),
        cmocka_unit_test(a_zone_knows_summer_and_winter),
        cmocka_unit_test(a_damaged_zone_is_refused),
    };
    int failed;

    http_setup();
    failed = cmocka_run_group_tests_name("shopify_api", tests, NULL, NULL);
    http_teardown();
    return failed;
}
