/* shopify_api with an app's pair, against a peer of this process that answers as a shop does. */
#include "service/export/shopify_api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "service/base/metrics.h"
#include "tests/unit/fake_peer.h"

#define TOKEN_OF(token, life) "200 |{\"access_token\":\"" token "\",\"expires_in\":" life "}"
#define TOKEN TOKEN_OF("shpat_first", "86399")
#define TOKEN2 TOKEN_OF("shpat_second", "86399")
#define LIST                                                                                       \
    "200 |{\"data\":{\"orders\":{\"pageInfo\":{\"hasNextPage\":false},\"nodes\":[]},"              \
    "\"shop\":{\"ianaTimezone\":\"Europe/London\"}}}"
#define GONE "401 |{\"errors\":\"[API] Invalid API key or access token\"}"
#define NO_SCOPE                                                                                   \
    "200 |{\"errors\":[{\"message\":\"Access denied for orders\","                                 \
    "\"extensions\":{\"code\":\"ACCESS_DENIED\"}}]}"
#define PAGE(code)                                                                                 \
    "400 Content-Type: text/html\n|<html><title>Oauth error " code ": Told</title></html>"

/* A client, its peer, and the last answer. */
struct talk {
    struct peer peer;
    struct sapi *api;
    struct shc_answer answer;
    struct errinfo info;
};

static const struct sapi_shop one = {"a.myshopify.com", "app&1", {"shpss_s=1", 9}};
static const struct sapi_shop renewed = {"a.myshopify.com", "app&1", {"shpss_s=2", 9}};
static const struct sapi_shop other = {"b.myshopify.com", "app&1", {"shpss_s=1", 9}};

static void begin(struct talk *t, const char *const *answers, size_t n)
{
    struct sapi_options o = {0};

    memset(t, 0, sizeof(*t));
    peer_start_listed(&t->peer, answers, n);
    o.api_url = t->peer.root;
    assert_int_equal(sapi_new(&o, &t->api), ERR_OK);
}

static void end(struct talk *t)
{
    shc_answer_free(&t->answer);
    sapi_free(t->api);
    peer_stop(&t->peer);
}

static enum shc_verdict ask(struct talk *t, const struct sapi_shop *shop)
{
    static struct sapi_page list;

    shc_answer_free(&t->answer);
    assert_int_equal(sapi_orders(t->api, shop, STR("2026-01-01T00:00:00Z"), STR(""), STR(""), &list,
                                 &t->answer, &t->info),
                     ERR_OK);
    return t->answer.verdict;
}

static void a_token_is_asked_for_once_and_kept(void **state)
{
    static const char *const answers[] = {TOKEN, LIST, LIST};
    struct talk t;

    (void)state;
    begin(&t, answers, 3);
    assert_int_equal(ask(&t, &one), SHC_ANSWERED);
    assert_int_equal(ask(&t, &one), SHC_ANSWERED);
    assert_int_equal(t.peer.count, 3);
    assert_true(peer_was_asked(&t.peer, 0, "POST /admin/oauth/access_token HTTP/1.1\r\n"));
    assert_true(peer_was_asked(&t.peer, 0, "\r\nAccept: application/json\r\n"));
    assert_true(
        peer_was_asked(&t.peer, 0, "\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
    assert_true(peer_was_asked(&t.peer, 0,
                               "\r\n\r\ngrant_type=client_credentials&client_id=app%261&"
                               "client_secret=shpss_s%3D1"));
    for (size_t i = 1; i < 3; i++) {
        assert_true(peer_was_asked(&t.peer, i, "\r\nX-Shopify-Access-Token: shpat_first\r\n"));
        assert_false(peer_was_asked(&t.peer, i, "shpss_"));
    }
    end(&t);
}

static void a_token_near_its_end_is_not_kept(void **state)
{
    static const char *const answers[] = {TOKEN_OF("a", "300"), LIST, TOKEN2, LIST};
    struct talk t;

    (void)state;
    begin(&t, answers, 4);
    assert_int_equal(ask(&t, &one), SHC_ANSWERED);
    assert_int_equal(ask(&t, &one), SHC_ANSWERED);
    assert_int_equal(t.peer.count, 4);
    assert_true(peer_was_asked(&t.peer, 3, "shpat_second"));
    end(&t);
}

static void a_token_that_is_taken_no_more_is_asked_for_again_once(void **state)
{
    static const char *const answers[] = {TOKEN, LIST, GONE, TOKEN2, LIST, GONE, TOKEN, GONE};
    struct talk t;

    (void)state;
    begin(&t, answers, 8);
    assert_int_equal(ask(&t, &one), SHC_ANSWERED);
    assert_int_equal(ask(&t, &one), SHC_ANSWERED);
    assert_true(peer_was_asked(&t.peer, 4, "shpat_second"));
    assert_int_equal(ask(&t, &one), SHC_DENIED); /* the new one neither */
    assert_int_equal(t.answer.denied, SHC_NO_CONSENT);
    assert_int_equal(t.peer.count, 8);
    end(&t);
}

static void a_token_that_lacks_a_scope_is_not_kept(void **state)
{
    static const char *const answers[] = {TOKEN, NO_SCOPE, TOKEN2, LIST};
    struct talk t;

    (void)state;
    begin(&t, answers, 4);
    assert_int_equal(ask(&t, &one), SHC_DENIED);
    assert_int_equal(t.answer.denied, SHC_NO_ACCESS);
    assert_int_equal(ask(&t, &one), SHC_ANSWERED);
    end(&t);
}

static bool never(void *arg, int64_t cost, const struct sapi_points *said)
{
    (void)arg, (void)cost, (void)said;
    return false;
}

static void without_a_permit_no_token_is_asked_for(void **state)
{
    struct talk t;

    (void)state;
    begin(&t, NULL, 0);
    sapi_free(t.api);
    const struct sapi_options o = {.api_url = t.peer.root, .permit = never};
    assert_int_equal(sapi_new(&o, &t.api), ERR_OK);
    assert_int_equal(ask(&t, &one), SHC_LIMITED);
    assert_int_equal(t.peer.count, 0);
    end(&t);
}

static void another_pair_or_another_shop_has_a_token_of_its_own(void **state)
{
    static const char *const answers[] = {TOKEN, LIST, TOKEN2, LIST, TOKEN, LIST, LIST, LIST};
    struct talk t;

    (void)state;
    begin(&t, answers, 8);
    assert_int_equal(ask(&t, &one), SHC_ANSWERED);
    assert_int_equal(ask(&t, &renewed), SHC_ANSWERED);
    assert_true(peer_was_asked(&t.peer, 2, "shpss_s%3D2"));
    assert_true(peer_was_asked(&t.peer, 3, "shpat_second"));
    assert_int_equal(ask(&t, &other), SHC_ANSWERED);
    assert_int_equal(ask(&t, &renewed), SHC_ANSWERED);
    assert_int_equal(ask(&t, &other), SHC_ANSWERED);
    assert_int_equal(t.peer.count, 8);
    assert_true(peer_was_asked(&t.peer, 6, "shpat_second"));
    assert_true(peer_was_asked(&t.peer, 7, "shpat_first"));
    end(&t);
}

static void a_token_that_nobody_uses_is_wiped_after_an_hour(void **state)
{
    static const char *const answers[] = {TOKEN, TOKEN2};
    struct sapi_tokens *kept = sapi_tokens_new();
    struct shc_answer answer = {0};
    struct errinfo info = {0};
    struct http *http = NULL;
    struct str token;
    struct peer peer;
    bool fresh = false;

    (void)state;
    peer_start_listed(&peer, answers, 2);
    assert_int_equal(http_new(&http), ERR_OK);
    for (int i = 0; i < 4; i++) { /* after the last of these the hour is over */
        assert_int_equal(sapi_token(kept, http, peer.root, &one, &token, &fresh, &answer, &info),
                         ERR_OK);
        assert_true(str_eq(token, i < 3 ? STR("shpat_first") : STR("shpat_second")));
        assert_true(fresh == (i == 0 || i == 3));
        sapi_tokens_tend(kept, met_now_ns() + (i < 2 ? 3590 : 3610) * INT64_C(1000000000));
    }
    assert_int_equal(peer.count, 2);
    shc_answer_free(&answer);
    sapi_tokens_free(kept);
    http_free(http);
    peer_stop(&peer);
}

/* Each row: what Shopify answers instead of a token. */
static void every_refusal_of_a_token_has_its_verdict(void **state)
{
    static char long_token[24000]; /* no header has room for it */
    static const struct {
        const char *answer;
        enum shc_verdict verdict;
        enum shc_denied denied;
        int64_t wait_ms;
        const char *words;
    } rows[] = {
        {"400 |{\"error\":\"application_cannot_be_found\"}", SHC_DENIED, SHC_NO_CLIENT, -1,
         "no app of this client id. Enter secrets.api_client_id"},
        {PAGE("application_cannot_be_found"), SHC_DENIED, SHC_NO_CLIENT, -1, "no app of this"},
        {"400 |{\"error\":\"invalid_client\",\"error_description\":\"of shpss_s=1\"}", SHC_DENIED,
         SHC_NO_CLIENT, -1, "(invalid_client): the client secret is not the app's"},
        {"401 |{\"error\":\"invalid_client\"}", SHC_DENIED, SHC_NO_CLIENT, -1, "not the app's"},
        {PAGE("app_not_installed"), SHC_DENIED, SHC_NO_CLIENT, -1, "Install it"},
        {PAGE("shop_not_permitted"), SHC_DENIED, SHC_NO_CLIENT, -1, "of the organisation that"},
        {"400 |{\"error\":\"invalid_request\"}", SHC_DENIED, SHC_NO_CLIENT, -1,
         "(invalid_request, status 400). See that the app is installed"},
        {"403 |<html>shpss_s=1", SHC_DENIED, SHC_NO_CLIENT, -1, "(no reason given, status 403)"},
        {"402 |", SHC_DENIED, SHC_NO_ACCESS, -1, "402"},
        {"423 |", SHC_DENIED, SHC_NO_ACCESS, -1, "423"},
        {"404 |<html>", SHC_DOWN, SHC_ALLOWED, -1, "404"},
        {"429 Retry-After: 3\n|", SHC_LIMITED, SHC_ALLOWED, 3000, "429"},
        {"430 |", SHC_LIMITED, SHC_ALLOWED, -1, "430"},
        {"503 |<html>", SHC_DOWN, SHC_ALLOWED, -1, "503"},
        {"200 |<html>", SHC_DOWN, SHC_ALLOWED, -1, "could not be read"},
        {"200 |{\"access_token\":\"\",\"expires_in\":86399}", SHC_DOWN, SHC_ALLOWED, -1,
         "no token that can be read"},
        {"200 |{\"access_token\":\"shpat_x\"}", SHC_DOWN, SHC_ALLOWED, -1, "no token that can be"},
        {TOKEN_OF("shpat_x\\nX-A:b", "86399"), SHC_DOWN, SHC_ALLOWED, -1, "no token that can be"},
        {TOKEN_OF("shpat x", "86399"), SHC_DOWN, SHC_ALLOWED, -1, "no token that can be read"},
        {TOKEN_OF("shpat_x", "-1"), SHC_DOWN, SHC_ALLOWED, -1, "no token that can be read"},
        {TOKEN_OF("shpat_x", "1e400"), SHC_DOWN, SHC_ALLOWED, -1, "no token that can be read"},
        {long_token, SHC_DOWN, SHC_ALLOWED, -1, "no token that can be read"},
        {TOKEN_OF("shpat_x", "0"), SHC_DOWN, SHC_ALLOWED, -1, "no token that can be read"},
    };

    (void)state;
    (void)snprintf(long_token, sizeof(long_token),
                   "200 |{\"access_token\":\"%020000d\",\"expires_in\":86399}", 7);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *answers[] = {rows[i].answer, TOKEN, LIST};
        struct talk t;

        begin(&t, answers, 3);
        print_message("%s\n", rows[i].answer);
        assert_int_equal(ask(&t, &one), rows[i].verdict);
        assert_int_equal(t.answer.denied, rows[i].denied);
        assert_int_equal(t.answer.wait_ms, rows[i].wait_ms);
        if (!shc_contains(t.answer.message, str_of(rows[i].words)))
            fail_msg("%.*s", STR_FMT(t.answer.message));
        assert_false(shc_contains(t.answer.message, STR("shpss_")));
        assert_false(shc_contains(t.answer.message, STR("shpat_")));
        assert_int_equal(t.peer.count, 1);
        assert_int_equal(ask(&t, &one), SHC_ANSWERED); /* nothing of it is kept */
        end(&t);
    }
}

static void a_shop_that_is_not_there_is_down(void **state)
{
    struct talk t;

    (void)state;
    begin(&t, NULL, 0);
    peer_stop(&t.peer);
    assert_int_equal(ask(&t, &one), SHC_DOWN);
    assert_true(shc_contains(t.answer.message, STR("Shopify cannot be reached")));
    shc_answer_free(&t.answer);
    sapi_free(t.api);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_asked_for_once_and_kept),
        cmocka_unit_test(a_token_near_its_end_is_not_kept),
        cmocka_unit_test(a_token_that_is_taken_no_more_is_asked_for_again_once),
        cmocka_unit_test(a_token_that_lacks_a_scope_is_not_kept),
        cmocka_unit_test(without_a_permit_no_token_is_asked_for),
        cmocka_unit_test(another_pair_or_another_shop_has_a_token_of_its_own),
        cmocka_unit_test(a_token_that_nobody_uses_is_wiped_after_an_hour),
        cmocka_unit_test(every_refusal_of_a_token_has_its_verdict),
        cmocka_unit_test(a_shop_that_is_not_there_is_down),
    };
    int failed;

    http_setup();
    failed = cmocka_run_group_tests_name("shopify_api_token", tests, NULL, NULL);
    http_teardown();
    return failed;
}
