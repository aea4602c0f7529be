#include "service/sync/shopify_webhooks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "service/base/limits.h"

#define HERE "https://hooks.example.com/webhooks/shopify"

static void an_address_must_be_one_that_reaches_the_receiver(void **state)
{
    static const struct {
        const char *url, *fault; /* what the fault speaks of; NULL: it is good */
    } rows[] = {
        {HERE, NULL},
        {"https://hooks.example.com:8443/webhooks/shopify", NULL},
        {"https://hooks.example.com/behind/a/proxy/webhooks/shopify", NULL},
        {"HTTPS://Hooks.Example.com/webhooks/shopify", NULL},
        {"http://hooks.example.com/webhooks/shopify", "https://"},
        {"hooks.example.com/webhooks/shopify", "https://"},
        {"arn:aws:events:eu-west-1::event-source/aws.partner/shopify.com/1/x", "https://"},
        {"pubsub://project:topic", "https://"},
        {"", "https://"},
        {"https://", "host"},
        {"https:///webhooks/shopify", "host"},
        {"https://hooks example.com/webhooks/shopify", "host"},
        {"https://me:secret@hooks.example.com/webhooks/shopify", "host"},
        {"https://hooks.example.com:0/webhooks/shopify", "host"},
        {"https://hooks.example.com:70000/webhooks/shopify", "host"},
        {"https://hooks.example.com:/webhooks/shopify", "host"},
        {"https://-/webhooks/shopify", "host"},
        {"https://hooks.example.com", "path"},
        {"https://hooks.example.com/", "path"},
        {"https://hooks.example.com/webhooks/amazon", "path"},
        {"https://hooks.example.com/webhooks/shopify/", "path"},
        {"https://hooks.example.com/webhooks/shopify?a=b", "path"},
        {"https://hooks.example.com/?a=/webhooks/shopify", "path"},
        {"https://hooks.example.com/a b/webhooks/shopify", "path"},
        {"https://hooks.example.com/\"/webhooks/shopify", "path"},
        {"https://hooks.example.com/\xc3\xa4/webhooks/shopify", "path"},
    };
    char longest[LIM_HOOK_URL + 2] = "https://h/";
    const size_t end = strlen(SHP_HOOK_PATH);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *fault = shp_hook_fault(str_of(rows[i].url));

        if (!rows[i].fault != !fault || (fault && !strstr(fault, rows[i].fault)))
            fail_msg("%s: %s", rows[i].url, fault ? fault : "no fault");
    }
    memset(longest + 10, 'a', sizeof(longest) - 10);
    memcpy(longest + LIM_HOOK_URL - end, SHP_HOOK_PATH, end);
    assert_null(shp_hook_fault((struct str){longest, LIM_HOOK_URL}));
    memcpy(longest + LIM_HOOK_URL + 1 - end, SHP_HOOK_PATH, end);
    assert_non_null(shp_hook_fault((struct str){longest, LIM_HOOK_URL + 1}));
}

static void a_topic_is_here_elsewhere_or_missing(void **state)
{
    static const struct {
        const char *listed[3]; /* addresses of orders/paid */
        const char *url;
        enum shp_hook_state state;
    } rows[] = {
        {{NULL}, HERE, SHP_HOOK_MISSING},
        {{NULL}, "", SHP_HOOK_MISSING},
        {{HERE}, HERE, SHP_HOOK_HERE},
        {{HERE}, "", SHP_HOOK_HERE},
        {{"https://HOOKS.example.com/webhooks/shopify"}, HERE, SHP_HOOK_HERE},
        {{"https://hooks.example.com/Webhooks/shopify"}, HERE, SHP_HOOK_ELSEWHERE},
        {{"https://old.example.com/webhooks/shopify"}, HERE, SHP_HOOK_ELSEWHERE},
        {{"https://old.example.com/webhooks/shopify"}, "", SHP_HOOK_HERE},
        {{"https://old.example.com/webhooks/shopify", HERE}, HERE, SHP_HOOK_HERE},
        /* what cannot reach the receiver counts for nothing, wherever that is */
        {{"arn:aws:events:eu-west-1::event-source/x"}, "", SHP_HOOK_ELSEWHERE},
        {{"pubsub://project:topic"}, HERE, SHP_HOOK_ELSEWHERE},
        {{"https://other.example.com/hooks"}, "", SHP_HOOK_ELSEWHERE},
        {{"http://hooks.example.com/webhooks/shopify"}, "", SHP_HOOK_ELSEWHERE},
        {{"https://other.example.com/hooks", HERE}, "", SHP_HOOK_HERE},
        {{""}, "", SHP_HOOK_ELSEWHERE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct shp_subscription list[4] = {{STR("ORDERS_UPDATED"), STR(HERE)}};
        size_t n = 1;

        for (size_t k = 0; k < 3 && rows[i].listed[k]; k++)
            list[n++] = (struct shp_subscription){STR("ORDERS_PAID"), str_of(rows[i].listed[k])};
        if (shp_hook_state(list, n, SHP_ORDERS_PAID, str_of(rows[i].url)) != rows[i].state)
            fail_msg("row %zu", i);
    }
}

static void what_is_missing_is_counted_and_named(void **state)
{
    struct shp_subscription list[SHP_HOOKS];
    char names[SHP_HOOKS][64];
    struct buf missing = BUF_CAP(1024);
    size_t n = 0, required = 0;

    (void)state;
    assert_int_equal(shp_hooks_missing(NULL, 0, STR(""), &missing), SHP_HOOKS_REQUIRED);
    for (size_t i = 0; i < SHP_HOOKS; i++) {
        required += shp_hooks[i].required;
        shp_topic_name(shp_hooks[i].topic, names[i]);
        if (shp_hooks[i].topic != SHP_ORDERS_CREATE && shp_hooks[i].required)
            list[n++] = (struct shp_subscription){str_of(names[i]), STR(HERE)};
    }
    assert_int_equal(required, SHP_HOOKS_REQUIRED);
    list[n - 1].uri = STR("pubsub://project:topic");
    buf_reset(&missing);
    assert_int_equal(shp_hooks_missing(list, n, STR(HERE), &missing), 2);
    assert_string_equal(buf_z(&missing), "orders/create, order_transactions/create");
    buf_free(&missing);
}

static void an_address_is_shown_without_what_may_be_a_secret(void **state)
{
    static const char *const rows[][2] = {
        {HERE, HERE},
        {"https://me:secret@h.example/a@b?token=x#y", "https://h.example/a@b"},
        {"https://h.example?token=x", "https://h.example"},
        {"http://me:secret@h.example/a@b", "http://h.example/a@b"},
        {"pubsub://project:topic", "pubsub://project:topic"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf shown = BUF_CAP(1024);

        shp_hook_shown(str_of(rows[i][0]), &shown);
        assert_string_equal(buf_z(&shown), rows[i][1]);
        buf_free(&shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_must_be_one_that_reaches_the_receiver),
        cmocka_unit_test(a_topic_is_here_elsewhere_or_missing),
        cmocka_unit_test(what_is_missing_is_counted_and_named),
        cmocka_unit_test(an_address_is_shown_without_what_may_be_a_secret),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
