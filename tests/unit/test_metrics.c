#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "service/base/metrics.h"

#define ADDS 5000

/* The printed metrics. Counts stay between tests, so each test counts something of its own. */
static const char *printed(struct buf *out)
{
    buf_reset(out);
    met_print(out);
    assert_int_equal(buf_check(out), ERR_OK);
    return buf_z(out);
}

static void assert_printed(const char *line)
{
    struct buf out = BUF_CAP(1 << 20);

    if (!strstr(printed(&out), line))
        fail_msg("not printed: %s", line);
    buf_free(&out);
}

static void every_metric_has_help_and_type_and_those_without_labels_begin_at_zero(void **state)
{
    (void)state;
#define PRINTED(id, name, type, labels, help)                                                      \
    assert_printed("# HELP ledgerhook_" name " " help "\n# TYPE ledgerhook_" name " ");
    MET_LIST(PRINTED)
#undef PRINTED
    assert_printed("\nledgerhook_poison_orders_total 0\n");
    assert_printed("\nledgerhook_redis_round_trip_seconds_count 0\n");
}

static void label_values_are_told_apart_and_escaped(void **state)
{
    (void)state;
    met_add(MET_WEBHOOKS, 1, "shopify", "orders/create", "accepted");
    met_add(MET_WEBHOOKS, 2, "shopify", "orders/create", "duplicate");
    met_add(MET_WEBHOOKS, 4, "shopify", "a\"b\\c\nd\xff", NULL);
    assert_printed("\nledgerhook_webhooks_total{platform=\"shopify\",topic=\"orders/create\","
                   "result=\"accepted\"} 1\n");
    assert_printed("topic=\"orders/create\",result=\"duplicate\"} 2\n");
    assert_printed("topic=\"a\\\"b\\\\c\\nd?\",result=\"\"} 4\n");
}

static void gauges_go_up_and_down(void **state)
{
    (void)state;
    met_add(MET_ACTIVE, 5, NULL, NULL, NULL);
    met_add(MET_ACTIVE, -3, NULL, NULL, NULL);
    met_gauge_set(MET_BODY_BYTES, 77);
    met_gauge_set(MET_BODY_BYTES, 66);
    assert_printed("\nledgerhook_active_requests 2\n");
    assert_printed("\nledgerhook_body_bytes 66\n");
}

static void a_histogram_counts_up_to_each_bound_and_sums_exactly(void **state)
{
    (void)state;
    met_observe_ns(MET_XERO_SECONDS, 500000, NULL); /* the bound belongs to its bucket */
    met_observe_ns(MET_XERO_SECONDS, 500001, NULL);
    met_observe_ns(MET_XERO_SECONDS, 11000000001, NULL); /* over the last bound */
    met_observe_ns(MET_XERO_SECONDS, -5, NULL);          /* counted as 0 */
    assert_printed("\nledgerhook_xero_call_seconds_bucket{le=\"0.0005\"} 2\n");
    assert_printed("\nledgerhook_xero_call_seconds_bucket{le=\"0.001\"} 3\n");
    assert_printed("\nledgerhook_xero_call_seconds_bucket{le=\"10\"} 3\n");
    assert_printed("\nledgerhook_xero_call_seconds_bucket{le=\"+Inf\"} 4\n");
    assert_printed("\nledgerhook_xero_call_seconds_sum 11.001000002\n");
    assert_printed("\nledgerhook_xero_call_seconds_count 4\n");
    met_observe_ns(MET_WEBHOOK_SECONDS, 3000000, "shopify");
    assert_printed("_duration_seconds_bucket{platform=\"shopify\",le=\"0.005\"} 1\n");
}

static void label_values_beyond_the_room_are_counted_as_other(void **state)
{
    struct buf out = BUF_CAP(1 << 20);
    char value[32];
    int series = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(value, sizeof value, "kind-%d", i);
        met_add(MET_REDIS_ERRORS, 1, value, NULL, NULL);
    }
    for (const char *p = printed(&out); (p = strstr(p, "\nledgerhook_redis_errors_total{")); p++)
        series++;
    assert_int_equal(series, 65);
    assert_printed("\nledgerhook_redis_errors_total{kind=\"other\"} 936\n");
    buf_free(&out);
}

static void *count(void *arg)
{
    (void)arg;
    for (int i = 0; i < ADDS; i++) {
        met_add(MET_EXPORTS, 1, i % 2 ? "done" : "retry", NULL, NULL);
        met_observe_ns(MET_REDIS_SECONDS, 1000, NULL);
    }
    return NULL;
}

static void threads_count_together_without_losing_any(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_printed("\nledgerhook_exports_total{result=\"done\"} 10000\n");
    assert_printed("\nledgerhook_exports_total{result=\"retry\"} 10000\n");
    assert_printed("\nledgerhook_redis_round_trip_seconds_bucket{le=\"0.0005\"} 20000\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_metric_has_help_and_type_and_those_without_labels_begin_at_zero),
        cmocka_unit_test(label_values_are_told_apart_and_escaped),
        cmocka_unit_test(gauges_go_up_and_down),
        cmocka_unit_test(a_histogram_counts_up_to_each_bound_and_sums_exactly),
        cmocka_unit_test(label_values_beyond_the_room_are_counted_as_other),
        cmocka_unit_test(threads_count_together_without_losing_any),
    };

    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
