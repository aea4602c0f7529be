#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "service/sync/order.h"

static void a_day_is_the_one_that_was_written(void **state)
{
    static const struct {
        const char *text, *day;
    } cases[] = {
        {"2026-09-01T10:00:00-07:00", "2026-09-01"},
        {"2026-09-01T23:59:59+14:00", "2026-09-01"}, /* 31 August in UTC: the shop's day counts */
        {"2026-09-01", "2026-09-01"},
        {"2024-02-29T00:00:00Z", "2024-02-29"},
        {"2000-02-29T00:00:00Z", "2000-02-29"},
        {"2026-09-01 10:00", "2026-09-01"},
        {"2026-02-29T00:00:00Z", ""},
        {"1900-02-29", ""},
        {"2026-13-01", ""},
        {"2026-00-10", ""},
        {"2026-04-31", ""},
        {"2026-09-0", ""},
        {"2026-09-011", ""},
        {"2026/09/01", ""},
        {"0000-01-01", ""},
        {" 2026-09-01", ""},
        {"", ""},
    };
    char day[11];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(ord_day(str_of(cases[i].text), day), cases[i].day[0] != '\0');
        assert_string_equal(day, cases[i].day);
    }
}

static void a_time_is_read_to_the_second_and_nanosecond(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
        int32_t ns;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0, 0},
        {"1969-12-31T23:59:59Z", -1, 0},
        {"2026-09-01T17:00:00.213246776Z", 1788282000, 213246776},
        {"2026-09-01T10:00:00-07:00", 1788282000, 0},
        {"2026-09-02T02:30:00+09:30", 1788282000, 0},
        {"2026-09-01t17:00:00.5z", 1788282000, 500000000},
        {"2026-09-01T17:00:00.1234567899Z", 1788282000, 123456789},
        {"2016-12-31T23:59:60Z", 1483228800, 0},
        {"2000-02-29T12:00:00+00:00", 951825600, 0},
        {"9999-12-31T23:59:59Z", 253402300799, 0},
    };
    static const char *const bad[] = {
        "",
        "2026-09-01",
        "2026-09-01T17:00Z",
        "2026-09-01T17:00:00",
        "2026-09-01T17:00:00.Z",
        "2026-09-01T24:00:00Z",
        "2026-09-01T17:60:00Z",
        "2026-09-01T17:00:61Z",
        "2026-09-01T17:00:00+24:00",
        "2026-09-01T17:00:00+01:60",
        "2026-09-01T17:00:00+0100",
        "2026-09-01T17:00:00Zx",
        "2026-02-30T17:00:00Z",
    };
    int64_t seconds;
    int32_t ns;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (!ord_time(str_of(cases[i].text), &seconds, &ns))
            fail_msg("not read: %s", cases[i].text);
        assert_int_equal(seconds, cases[i].seconds);
        assert_int_equal(ns, cases[i].ns);
        assert_true(ord_time(str_of(cases[i].text), &seconds, NULL));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (ord_time(str_of(bad[i]), &seconds, &ns))
            fail_msg("read although it is no time: %s", bad[i]);
    }
    assert_false(ord_time((struct str){"2026-09-01T17:00:00\0Z", 21}, &seconds, &ns));
}

static void days_add_up_as_the_c_library_counts_them(void **state)
{
    char day[11] = "1999-12-31", sum[11], back[11];

    (void)state;
    for (int64_t n = 0; n < 150000; n += 13) {
        time_t at = (time_t)(946598400 + n * 86400); /* 1999-12-31 */
        struct tm tm;
        char wanted[64];

        assert_non_null(gmtime_r(&at, &tm));
        snprintf(wanted, sizeof(wanted), "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday);
        assert_true(ord_day_add(day, n, sum));
        assert_string_equal(sum, wanted);
        assert_true(ord_day_add(sum, -n, back));
        assert_string_equal(back, day);
    }
    assert_true(ord_day_add(day, 1, day)); /* into itself */
    assert_string_equal(day, "2000-01-01");
}

static void days_end_where_four_digits_end(void **state)
{
    const char none[11] = "";
    char sum[11];

    (void)state;
    assert_true(ord_day_add("9999-12-30", 1, sum));
    assert_string_equal(sum, "9999-12-31");
    assert_false(ord_day_add("9999-12-31", 1, sum));
    assert_string_equal(sum, "");
    assert_true(ord_day_add("0001-01-02", -1, sum));
    assert_string_equal(sum, "0001-01-01");
    assert_false(ord_day_add("0001-01-01", -1, sum));
    assert_false(ord_day_add("2026-09-01", INT64_MAX, sum));
    assert_false(ord_day_add("2026-09-01", INT64_MIN, sum));
    assert_false(ord_day_add("2026-09-31", 1, sum));
    assert_false(ord_day_add(none, 1, sum));
}

/* ---- stamps ---- */

static struct order order_at(const char *updated, const char *status, enum ord_paid paid)
{
    struct order o = {.shop_status = str_of(status), .state = {.paid = paid}};

    snprintf(o.updated_at, sizeof(o.updated_at), "%s", updated);
    return o;
}

static void a_stamp_is_35_digits(void **state)
{
    struct order o = order_at("2026-09-01T17:00:00Z", "paid", ORD_PAID);
    char stamp[ORD_STAMP + 1];

    (void)state;
    o.state.fulfilment = ORD_FULFILLED;
    ord_stamp(&o, STR("2026-09-01T17:00:01.000000007Z"), stamp);
    assert_string_equal(stamp, "00178828200040"
                               "2"
                               "01788282001"
                               "000000007");
    assert_int_equal(strlen(stamp), ORD_STAMP);
    ord_stamp(&o, STR("no time"), stamp);
    assert_string_equal(stamp, "00178828200040200000000000000000000");
    ord_stamp(&o, STR("1969-12-31T23:59:58Z"), stamp);
    assert_string_equal(stamp, "00178828200040200000000000000000000");
    ord_stamp(&o, STR("9999-12-31T00:00:00Z"), stamp);
    assert_int_equal(strlen(stamp), ORD_STAMP);
}

static void an_order_without_updated_at_has_no_stamp(void **state)
{
    struct order o = order_at("", "paid", ORD_PAID);
    char stamp[ORD_STAMP + 1];

    (void)state;
    ord_stamp(&o, STR("2026-09-01T17:00:01Z"), stamp);
    assert_string_equal(stamp, "");
    o = order_at("1969-12-31T23:59:59Z", "paid", ORD_PAID);
    ord_stamp(&o, STR("2026-09-01T17:00:01Z"), stamp);
    assert_string_equal(stamp, "");
}

static void a_further_state_wins_within_a_second(void **state)
{
    /* From the furthest to the least far. */
    static const struct {
        const char *status;
        enum ord_paid paid;
        bool cancelled;
    } ranks[] = {
        {"pending", ORD_UNPAID, true},
        {"refunded", ORD_PAID, false},
        {"partially_refunded", ORD_PAID, false},
        {"paid", ORD_PAID, false},
        {"partially_paid", ORD_PARTLY_PAID, false},
        {"voided", ORD_UNPAID, false},
        {"authorized", ORD_UNPAID, false},
        {"pending", ORD_UNPAID, false},
    };
    char stamp[ORD_STAMP + 1], before[ORD_STAMP + 1] = "9";

    (void)state;
    for (size_t i = 0; i < sizeof(ranks) / sizeof(ranks[0]); i++) {
        struct order o = order_at("2026-09-01T17:00:00Z", ranks[i].status, ranks[i].paid);

        o.state.cancelled = ranks[i].cancelled;
        /* Neither shipping nor a later delivery makes up for money. */
        o.state.fulfilment = ORD_FULFILLED;
        ord_stamp(&o, STR("2026-09-02T00:00:00Z"), stamp);
        assert_true(strcmp(stamp, before) < 0);
        o.state.fulfilment = ORD_UNFULFILLED;
        ord_stamp(&o, STR(""), before);
        assert_true(strcmp(before, stamp) < 0);
    }
}

static void a_later_change_wins_over_any_state(void **state)
{
    struct order paid = order_at("2026-09-01T10:00:00-07:00", "refunded", ORD_PAID);
    struct order later = order_at("2026-09-01T17:00:01Z", "pending", ORD_UNPAID);
    char a[ORD_STAMP + 1], b[ORD_STAMP + 1];

    (void)state;
    ord_stamp(&paid, STR("2026-09-09T00:00:00Z"), a);
    ord_stamp(&later, STR(""), b);
    assert_true(strcmp(a, b) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_is_the_one_that_was_written),
        cmocka_unit_test(a_time_is_read_to_the_second_and_nanosecond),
        cmocka_unit_test(days_add_up_as_the_c_library_counts_them),
        cmocka_unit_test(days_end_where_four_digits_end),
        cmocka_unit_test(a_stamp_is_35_digits),
        cmocka_unit_test(an_order_without_updated_at_has_no_stamp),
        cmocka_unit_test(a_further_state_wins_within_a_second),
        cmocka_unit_test(a_later_change_wins_over_any_state),
    };

    return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
