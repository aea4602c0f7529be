/* amazon_api against a peer of this process that answers as Amazon does. */
#include "service/export/amazon_api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/fake_peer.h"

#define ID "113-1234567-1234567"
#define TOKEN "200 |{\"access_token\":\"Atza|first\",\"token_type\":\"bearer\",\"expires_in\":3600}"
#define TOKEN2                                                                                     \
    "200 |{\"access_token\":\"Atza|second\",\"token_type\":\"bearer\",\"expires_in\":3600}"
#define ORDER                                                                                      \
    "200 x-amzn-RateLimit-Limit: 0.5\nx-amzn-RequestId: req-1\n|{\"order\":{\"orderId\":\"" ID     \
    "\"}}"
#define EXPIRED                                                                                    \
    "403 |{\"errors\":[{\"code\":\"Unauthorized\",\"message\":\"Access to requested resource is "  \
    "denied.\",\"details\":\"The access token you provided has expired.\"}]}"

/* A client and its peer, and the last answer. */
struct talk {
    struct peer peer;
    struct aapi *api;
    struct shc_answer answer;
    struct errinfo info;
    int calls;
};

static const struct aapi_seller seller = {"A1SELLER", "eu", {"Atzr|refresh&1", 14}};

static void begin(struct talk *t, const char *const *answers, size_t n)
{
    struct aapi_options o = {.client_id = STR("amzn1.app"), .client_secret = STR("s3cret")};

    memset(t, 0, sizeof(*t));
    peer_start_listed(&t->peer, answers, n);
    o.api_url = o.lwa_url = t->peer.root;
    assert_int_equal(aapi_new(&o, &t->api), ERR_OK);
}

static void end(struct talk *t)
{
    shc_answer_free(&t->answer);
    aapi_free(t->api);
    peer_stop(&t->peer);
}

static void ask(struct talk *t)
{
    shc_answer_free(&t->answer);
    assert_int_equal(aapi_order(t->api, &seller, STR(ID), &t->answer, &t->calls, &t->info), ERR_OK);
}

static void an_order_is_fetched_with_a_token_that_is_asked_for_once(void **state)
{
    static const char *const answers[] = {TOKEN, ORDER, ORDER};
    struct talk t;

    (void)state;
    begin(&t, answers, 3);
    ask(&t);
    assert_int_equal(t.answer.verdict, SHC_ANSWERED);
    assert_int_equal(t.answer.rate_micro, 500000);
    assert_string_equal(t.answer.request_id, "req-1");
    assert_true(str_eq(buf_str(&t.answer.http.body), STR("{\"order\":{\"orderId\":\"" ID "\"}}")));
    assert_int_equal(t.calls, 1);
    ask(&t);
    assert_int_equal(t.answer.verdict, SHC_ANSWERED);
    assert_int_equal(t.peer.count, 3);
    assert_true(peer_was_asked(&t.peer, 0, "POST /auth/o2/token HTTP/1.1\r\n"));
    assert_true(peer_was_asked(&t.peer, 0,
                               "\r\n\r\ngrant_type=refresh_token&refresh_token=Atzr%7Crefresh%261&"
                               "client_id=amzn1.app&client_secret=s3cret"));
    assert_true(peer_was_asked(&t.peer, 1,
                               "GET /orders/2026-01-01/orders/" ID "?includedData=BUYER,RECIPIENT,"
                               "PROCEEDS,PROMOTION,FULFILLMENT,PACKAGES,TAX,PAYMENT HTTP/1.1\r\n"));
    assert_true(peer_was_asked(&t.peer, 1, "\r\nx-amz-access-token: Atza|first\r\n"));
    assert_true(peer_was_asked(&t.peer, 1, "\r\nUser-Agent: ledgerhook/" LH_VERSION " (Language="));
    assert_true(peer_was_asked(&t.peer, 1, "\r\nx-amz-date: 20"));
    assert_false(peer_was_asked(&t.peer, 1, "s3cret"));
    end(&t);
}

static void a_token_near_its_end_is_not_kept(void **state)
{
    static const char *const answers[] = {"200 |{\"access_token\":\"a\",\"expires_in\":300}", ORDER,
                                          TOKEN2, ORDER};
    struct talk t;

    (void)state;
    begin(&t, answers, 4);
    ask(&t);
    ask(&t);
    assert_int_equal(t.peer.count, 4);
    assert_true(peer_was_asked(&t.peer, 3, "Atza|second"));
    end(&t);
}

static void a_token_that_ended_before_its_time_is_asked_for_again_once(void **state)
{
    static const char *const answers[] = {TOKEN, ORDER, EXPIRED, TOKEN2, ORDER};
    struct talk t;

    (void)state;
    begin(&t, answers, 5);
    ask(&t);
    ask(&t);
    assert_int_equal(t.answer.verdict, SHC_ANSWERED);
    assert_int_equal(t.calls, 2);
    assert_true(peer_was_asked(&t.peer, 4, "Atza|second"));
    end(&t);
}

static void without_the_role_to_see_buyers_the_order_comes_without_them(void **state)
{
    static const char *const answers[] = {TOKEN, EXPIRED, ORDER, ORDER};
    struct talk t;

    (void)state;
    begin(&t, answers, 4);
    ask(&t);
    assert_int_equal(t.answer.verdict, SHC_ANSWERED);
    assert_int_equal(t.calls, 2);
    ask(&t); /* remembered */
    assert_int_equal(t.calls, 1);
    assert_int_equal(t.peer.count, 4);
    assert_true(peer_was_asked(&t.peer, 3, "?includedData=PROCEEDS,PROMOTION,"));
    end(&t);
}

/* Each row: what Amazon answers, the token first or, where ONLY_TOKEN, instead. */
static void every_answer_has_its_verdict(void **state)
{
    static const struct {
        const char *answer;
        bool only_token;
        enum shc_verdict verdict;
        enum shc_denied denied;
        int64_t wait_ms;
        const char *words;
    } rows[] = {
        {"404 |{\"errors\":[{\"code\":\"NotFound\",\"message\":\"No such order\"}]}", false,
         SHC_NOT_FOUND, SHC_ALLOWED, -1, "No such order"},
        {"429 |{\"errors\":[{\"code\":\"QuotaExceeded\",\"message\":\"You exceeded your quota\"}]}",
         false, SHC_LIMITED, SHC_ALLOWED, -1, "You exceeded your quota"},
        {"429 Retry-After: 2.5\n|", false, SHC_LIMITED, SHC_ALLOWED, 2500, "status 429"},
        {EXPIRED, false, SHC_DENIED, SHC_NO_ACCESS, -1, "has expired"},
        {"400 |{\"errors\":[{\"code\":\"InvalidInput\",\"message\":\"bad\",\"details\":\"why\"}]}",
         false, SHC_REFUSED, SHC_ALLOWED, -1, "bad why"},
        {"503 Retry-After: 7\n|<html>", false, SHC_DOWN, SHC_ALLOWED, 7000, "status 503"},
        {"200 |<html>", false, SHC_DOWN, SHC_ALLOWED, -1, "could not be read"},
        {"200 |{\"payload\":{}}", false, SHC_DOWN, SHC_ALLOWED, -1, "has no order"},
        {"302 Location: http://127.0.0.1:1/\n|", false, SHC_REFUSED, SHC_ALLOWED, -1, "302"},
        {"400 |{\"error\":\"invalid_grant\",\"error_description\":\"Not yours\"}", true, SHC_DENIED,
         SHC_NO_CONSENT, -1, "the seller's token: invalid_grant. Not yours"},
        {"401 |{\"error\":\"invalid_client\"}", true, SHC_DENIED, SHC_NO_CLIENT, -1,
         "the app's id or secret: invalid_client"},
        {"400 |{\"error\":\"unauthorized_client\"}", true, SHC_DENIED, SHC_NO_CLIENT, -1, "app's"},
        {"429 Retry-After: 1\n|{}", true, SHC_LIMITED, SHC_ALLOWED, 1000, "Login with Amazon"},
        {"500 |{}", true, SHC_DOWN, SHC_ALLOWED, -1, "Login with Amazon"},
        {"404 |{}", true, SHC_DOWN, SHC_ALLOWED, -1, "Login with Amazon"},
        {"200 |{\"access_token\":\"\",\"expires_in\":3600}", true, SHC_DOWN, SHC_ALLOWED, -1,
         "could not be read"},
        {"200 |{\"access_token\":\"a\\nx-b: c\",\"expires_in\":3600}", true, SHC_DOWN, SHC_ALLOWED,
         -1, "could not be read"},
        {"200 |{\"access_token\":\"a\"}", true, SHC_DOWN, SHC_ALLOWED, -1, "could not be read"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *answers[] = {rows[i].only_token ? rows[i].answer : TOKEN, rows[i].answer,
                                 rows[i].answer};
        struct talk t;

        begin(&t, answers, 3);
        ask(&t);
        print_message("%s\n", rows[i].answer);
        assert_int_equal(t.answer.verdict, rows[i].verdict);
        assert_int_equal(t.answer.denied, rows[i].denied);
        assert_int_equal(t.answer.wait_ms, rows[i].wait_ms);
        if (!shc_contains(t.answer.message, str_of(rows[i].words)))
            fail_msg("%.*s", STR_FMT(t.answer.message));
        assert_false(shc_contains(t.answer.message, STR("Atz")));
        assert_false(shc_contains(t.answer.message, STR("s3cret")));
        if (rows[i].only_token)
            assert_int_equal(t.peer.count, 1);
        end(&t);
    }
}

static void a_peer_that_is_not_there_is_down(void **state)
{
    struct talk t;

    (void)state;
    begin(&t, NULL, 0);
    peer_stop(&t.peer);
    ask(&t);
    assert_int_equal(t.answer.verdict, SHC_DOWN);
    assert_true(shc_contains(t.answer.message, STR("cannot be reached")));
    shc_answer_free(&t.answer);
    aapi_free(t.api);
}

static void nothing_unchecked_gets_into_an_address(void **state)
{
    static const char *const ids[] = {
        "",
        "1",
        "113-1234567-123456",
        "113-1234567-12345678",
        "../../../../x/1234",
        "113-1234567-1234567?",
        "113-1234567-123456a",
    };
    struct aapi_seller odd = seller;
    struct aapi_search which = {STR("yesterday"), STR(""), STR("")};
    struct str page;
    struct talk t;

    (void)state;
    begin(&t, NULL, 0);
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        assert_int_equal(aapi_order(t.api, &seller, str_of(ids[i]), &t.answer, &t.calls, &t.info),
                         ERR_SYNTAX);
    assert_int_equal(aapi_search(t.api, &seller, &which, &t.answer, &page, &t.calls, &t.info),
                     ERR_SYNTAX);
    assert_int_equal(t.peer.count, 0);
    assert_true(aapi_region(STR("na")) && aapi_region(STR("eu")) && aapi_region(STR("fe")));
    assert_false(aapi_region(STR("us")) || aapi_region(STR("")));
    end(&t);

    /* Without an address of its own, the region is all that may choose the host. */
    struct aapi_options o = {.lwa_url = "http://127.0.0.1:1", .client_id = STR("a")};

    odd.region = "evil.example";
    assert_int_equal(aapi_new(&o, &t.api), ERR_OK);
    assert_int_equal(aapi_order(t.api, &odd, STR(ID), &t.answer, &t.calls, &t.info), ERR_SYNTAX);
    aapi_free(t.api);
}

static void orders_are_searched_page_by_page(void **state)
{
    static const char *const answers[] = {
        TOKEN,
        "200 x-amzn-RateLimit-Limit: 0.0056\n|{\"orders\":[{\"orderId\":\"" ID "\"}],"
        "\"pagination\":{\"nextToken\":\"a+b/c=\"}}",
        "200 |{\"orders\":[]}",
        "200 |{\"order\":{}}",
    };
    struct aapi_search which = {STR("2026-11-01T00:00:00Z"), STR("2026-11-02T00:00:00Z"), STR("")};
    struct str page;
    struct talk t;

    (void)state;
    begin(&t, answers, 4);
    assert_int_equal(aapi_search(t.api, &seller, &which, &t.answer, &page, &t.calls, &t.info),
                     ERR_OK);
    assert_int_equal(t.answer.verdict, SHC_ANSWERED);
    assert_int_equal(t.answer.rate_micro, 5600);
    assert_true(str_eq(page, STR("a+b/c=")));
    assert_true(peer_was_asked(&t.peer, 1,
                               "GET /orders/2026-01-01/orders?maxResultsPerPage=100&"
                               "lastUpdatedAfter=2026-11-01T00%3A00%3A00Z&"
                               "lastUpdatedBefore=2026-11-02T00%3A00%3A00Z&includedData=BUYER,"));
    which.page = STR("a+b/c=");
    shc_answer_free(&t.answer);
    assert_int_equal(aapi_search(t.api, &seller, &which, &t.answer, &page, &t.calls, &t.info),
                     ERR_OK);
    assert_int_equal(t.answer.verdict, SHC_ANSWERED);
    assert_int_equal(page.n, 0);
    assert_true(peer_was_asked(&t.peer, 2, "&paginationToken=a%2Bb%2Fc%3D&includedData="));
    shc_answer_free(&t.answer);
    assert_int_equal(aapi_search(t.api, &seller, &which, &t.answer, &page, &t.calls, &t.info),
                     ERR_OK);
    assert_int_equal(t.answer.verdict, SHC_DOWN);
    end(&t);
}

static void a_new_consent_is_not_answered_with_the_old_ones_token(void **state)
{
    static const char *const answers[] = {TOKEN, ORDER, TOKEN2, ORDER};
    struct aapi_seller renewed = seller;
    struct talk t;

    (void)state;
    begin(&t, answers, 4);
    ask(&t);
    shc_answer_free(&t.answer);
    renewed.refresh_token = STR("Atzr|another");
    assert_int_equal(aapi_order(t.api, &renewed, STR(ID), &t.answer, &t.calls, &t.info), ERR_OK);
    assert_true(peer_was_asked(&t.peer, 3, "Atza|second"));
    end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_is_fetched_with_a_token_that_is_asked_for_once),
        cmocka_unit_test(a_token_near_its_end_is_not_kept),
        cmocka_unit_test(a_token_that_ended_before_its_time_is_asked_for_again_once),
        cmocka_unit_test(without_the_role_to_see_buyers_the_order_comes_without_them),
        cmocka_unit_test(every_answer_has_its_verdict),
        cmocka_unit_test(a_peer_that_is_not_there_is_down),
        cmocka_unit_test(nothing_unchecked_gets_into_an_address),
        cmocka_unit_test(orders_are_searched_page_by_page),
        cmocka_unit_test(a_new_consent_is_not_answered_with_the_old_ones_token),
    };
    int failed;

    http_setup();
    failed = cmocka_run_group_tests_name("amazon_api", tests, NULL, NULL);
    http_teardown();
    return failed;
}
