#include "queue/trail.h"

#include "tests/unit/redis_group.h"

#include "service/base/json.h"
#include "service/sync/catalogue.h"

#define ROWS 2500

static const struct str both[] = {{"alpha", 5}, {"beta", 4}};
static const struct trl_filter any;

/* Row I of ROWS: every fifth is beta's, even ones are of store x, odd ones of xy; 700 fail in the
 * same instant, more than one window; every tenth has an invalid account and an item with a number.
 * */
static const char fill[] =
    "for i = 1, tonumber(ARGV[1]) do "
    "  local C = i % 5 == 0 and 'beta' or 'alpha' "
    "  local O = 'shopify/' .. (i % 2 == 0 and 'x' or 'xy') .. '/' .. i "
    "  local at = 1790000000000 + math.floor(i / 700) * 60000 "
    "  local ten = i % 10 == 0 "
    "  redis.call('ZADD', KEYS[1] .. 'failed:' .. C, at, O) "
    "  redis.call('HSET', KEYS[1] .. 'failrow:' .. C, O, "
    "    '{\"attempts\":2,\"first_failed_at\":1789999999000,\"last_failed_at\":' .. "
    "    string.format('%d', at) .. ',\"order_link\":\"\",\"failed_export\":\"Sales invoice\",' .. "
    "    '\"exported_item\":\"#N' .. i .. '\",\"export_error\":[' .. "
    "    (ten and '\"Account code 999 is not a valid code for this document.\"' "
    "         or '\"The document date cannot be before the period lock date\"') .. "
    "    '],\"catalogue\":[\"' .. (ten and 'account-invalid' or 'lock-date') .. '\"]}') "
    "end";

static int fresh(void **state)
{
    (void)state;
    redis_do(r, "FLUSHALL");
    redis_do(r, "EVAL", fill, "1", RDS_PREFIX, "2500");
    return 0;
}

/* One page, parsed; CURSOR is replaced by the next one, "" at the end. */
struct got {
    struct js_doc doc;
    const struct js_value *rows;
    int64_t count;
};

static struct got page(const struct trl_filter *f, int64_t limit, char cursor[2048])
{
    struct buf out = BUF_CAP(16u << 20);
    struct errinfo info = {0};
    struct got g = {0};
    struct str next = {0};

    if (trl_failed_page(r, f, both, 2, str_of(cursor), limit, &out, &info) != ERR_OK)
        fail_msg("%s", info.text);
    if (js_parse(buf_str(&out), 16u << 20, &g.doc, &info) != ERR_OK)
        fail_msg("%s", info.text);
    g.rows = js_get(g.doc.root, "rows");
    assert_int_equal(js_type(g.rows), JS_ARRAY);
    assert_true(js_int64(js_get(g.doc.root, "count"), &g.count));
    const struct js_value *c = js_get(g.doc.root, "cursor");
    assert_true(js_string(c, &next) || js_type(c) == JS_NULL);
    snprintf(cursor, 2048, "%.*s", STR_FMT(next));
    buf_free(&out);
    return g;
}

static struct str text(const struct js_value *row, const char *key)
{
    struct str s = {0};

    assert_true(js_string(js_get(row, key), &s));
    return s;
}

/* Which of the rows a row is. */
static int64_t number(const struct js_value *row)
{
    struct str order = text(row, "order");
    const char *slash = memrchr(order.p, '/', order.n);
    int64_t i = 0;

    assert_non_null(slash);
    assert_true(str_int64((struct str){slash + 1, (size_t)(order.p + order.n - slash - 1)}, &i));
    assert_true(i >= 1 && i <= ROWS);
    return i;
}

/* Goes through all pages; asserts that no row comes twice and that times never rise. */
static int64_t walk(const struct trl_filter *f, int64_t limit, bool seen[ROWS + 1], int64_t *count)
{
    char cursor[2048] = "", last[32] = "9";
    int64_t n = 0, pages = 0;

    memset(seen, 0, (ROWS + 1) * sizeof *seen);
    do {
        struct got g = page(f, limit, cursor);
        assert_true((int64_t)js_len(g.rows) <= limit);
        for (size_t i = 0; i < js_len(g.rows); i++, n++) {
            const struct js_value *row = js_at(g.rows, i);
            struct str at = text(row, "last_failed_at");
            assert_true(strncmp(last, at.p, at.n) >= 0);
            snprintf(last, sizeof last, "%.*s", STR_FMT(at));
            assert_false(seen[number(row)]);
            seen[number(row)] = true;
        }
        *count = g.count;
        js_free(&g.doc);
        assert_true(++pages < 5000);
    } while (cursor[0]);
    return n;
}

static void test_row_ids_go_there_and_back(void **state)
{
    struct buf id = BUF_CAP(1024), store = BUF_CAP(1024);
    struct str c, o;

    (void)state;
    trl_row_id(STR("acme-uk"), STR("shopify/a?b>c.myshopify.com/820982911946154508"), &id);
    for (size_t i = 0; i < id.n; i++)
        assert_true(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
                           id.p[i]) != NULL);
    assert_true(trl_row_id_read(buf_str(&id), &store, &c, &o));
    assert_true(str_eq(c, STR("acme-uk")));
    assert_true(str_eq(o, STR("shopify/a?b>c.myshopify.com/820982911946154508")));

    static const char *const wrong[] = {"", "a", "YWJj", "YWJj\n", "+/+/", "Cg", "YQo", "%%%%"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(trl_row_id_read(str_of(wrong[i]), &store, &c, &o));
    buf_free(&store);
    buf_free(&id);
}

static void test_a_row_looks_as_the_api_says(void **state)
{
    struct buf want = BUF_CAP(16384), out = BUF_CAP(65536);
    struct errinfo info = {0};
    const struct cat_row *lock = cat_row_by_id("lock-date");
    const struct cat_row *account = cat_row_by_id("account-invalid");
    struct trl_filter f = {.connection = STR("gamma")};
    struct buf id = BUF_CAP(1024);
    struct js_out w;

    (void)state;
    redis_do(r, "ZADD", RDS_PREFIX "failed:gamma", "1790000000500", "shopify/x.com/42");
    redis_do(r, "HSET", RDS_PREFIX "failrow:gamma", "shopify/x.com/42",
             "{\"attempts\":3,\"first_failed_at\":1789990000000,\"last_failed_at\":1790000000500,"
             "\"order_link\":\"https://x.com/admin/orders/42\",\"failed_export\":\"Sales invoice\","
             "\"exported_item\":\"#1042 \\u00e9\",\"export_error\":[\"one\",\"two\",\"three\"],"
             "\"catalogue\":[\"lock-date\",\"account-invalid\",\"lock-date\"]}");
    trl_row_id(STR("gamma"), STR("shopify/x.com/42"), &id);
    buf_printf(&want,
               "{\"count\":1,\"rows\":[{\"id\":\"%s\",\"connection\":\"gamma\","
               "\"store\":\"shopify/x.com\",\"order\":\"shopify/x.com/42\","
               "\"order_link\":\"https://x.com/admin/orders/42\","
               "\"failed_export\":\"Sales invoice\",\"exported_item\":\"#1042 \xc3\xa9\","
               "\"export_error\":[\"one\",\"two\",\"three\"],\"action_required\":",
               buf_z(&id));
    jw_init(&w, &want);
    jw_begin_array(&w);
    jw_z(&w, lock->action);
    jw_z(&w, account->action);
    jw_end_array(&w);
    buf_printf(&want,
               ",\"catalogue\":[\"lock-date\",\"account-invalid\",\"lock-date\"],"
               "\"correlation_id\":null,\"fix_in\":\"%s\","
               "\"attempts\":3,\"first_failed_at\":\"2026-09-21T11:26:40Z\","
               "\"last_failed_at\":\"2026-09-21T14:13:20Z\"}],\"cursor\":null}",
               cat_fix_text(lock->fix_in));
    assert_int_equal(trl_failed_page(r, &f, both, 2, (struct str){NULL, 0}, 100, &out, &info),
                     ERR_OK);
    assert_string_equal(buf_z(&out), buf_z(&want));
    buf_free(&id);
    buf_free(&out);
    buf_free(&want);
}

static void test_pages_hold_every_row_once_newest_first(void **state)
{
    static const int64_t limits[] = {1000, 999, 100, 7};
    bool seen[ROWS + 1];
    int64_t count = 0;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(walk(&any, limits[i], seen, &count), ROWS);
        assert_int_equal(count, ROWS);
    }
    struct trl_filter beta = {.connection = STR("beta")};
    assert_int_equal(walk(&beta, 100, seen, &count), ROWS / 5);
    assert_int_equal(count, ROWS / 5);
    struct trl_filter none = {.connection = STR("nobody")};
    assert_int_equal(walk(&none, 100, seen, &count), 0);
    assert_int_equal(count, 0);
}

static void test_filters_hold_together_and_are_counted(void **state)
{
    static const struct {
        struct trl_filter f;
        int64_t want;
    } rows[] = {
        {{.store = {"shopify/x", 9}}, 1250},
        {{.store = {"shopify/xy", 10}}, 1250},
        {{.store = {"shopify", 7}}, 0},
        {{.error = {"account-invalid", 15}}, 250},
        {{.error = {"account", 7}}, 0},
        {{.q = {"ACCOUNT CODE 999", 16}}, 250},
        {{.q = {"period lock", 11}}, 2250},
        {{.q = {"#n77", 4}}, 11},          /* 77, 770 to 779 */
        {{.q = {"Y/2499", 6}}, 1},         /* of the order's key */
        {{.q = {"exported_item", 13}}, 0}, /* the text, not the JSON around it */
        {{.q = {"(.*)", 4}}, 0},           /* literal */
        {{.connection = {"beta", 4}, .store = {"shopify/x", 9}, .error = {"lock-date", 9}}, 0},
        {{.connection = {"beta", 4}, .store = {"shopify/xy", 10}, .error = {"lock-date", 9}}, 250},
        {{.connection = {"alpha", 5}, .q = {"#N1", 3}, .error = {"lock-date", 9}}, 889},
    };
    bool seen[ROWS + 1];
    int64_t count = 0;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int64_t limit = 50; limit <= 1000; limit += 950) {
            int64_t n = walk(&rows[i].f, limit, seen, &count);
            if (n != rows[i].want || count != n)
                fail_msg("filter %zu: %lld rows, counted %lld, not %lld", i, (long long)n,
                         (long long)count, (long long)rows[i].want);
        }
    /* The first page's count is of all, and stays so on the next. */
    char cursor[2048] = "";
    for (int i = 0; i < 2; i++) {
        struct got g = page(&rows[3].f, 100, cursor);
        assert_int_equal(js_len(g.rows), 100);
        assert_int_equal(g.count, 250);
        js_free(&g.doc);
    }
}

static void test_a_page_looks_at_20000_rows_and_hands_out_a_cursor(void **state)
{
    struct trl_filter f = {.q = STR("the needle")};
    char cursor[2048] = "";

    (void)state;
    redis_do(r, "EVAL", fill, "1", RDS_PREFIX, "25000");
    redis_do(r, "ZADD", RDS_PREFIX "failed:beta", "5", "shopify/x/1");
    redis_do(
        r, "HSET", RDS_PREFIX "failrow:beta", "shopify/x/1",
        "{\"exported_item\":\"#1 The Needle\",\"export_error\":[\"e\"],\"catalogue\":[\"x\"]}");
    struct got g = page(&f, 100, cursor);
    assert_int_equal(js_len(g.rows), 0);
    assert_int_equal(g.count, 0);
    assert_true(cursor[0] != '\0');
    js_free(&g.doc);
    g = page(&f, 100, cursor);
    assert_int_equal(js_len(g.rows), 1);
    assert_int_equal(g.count, 1);
    assert_string_equal(cursor, "");
    js_free(&g.doc);
}

static void test_rows_that_go_or_come_meanwhile_move_nothing(void **state)
{
    char cursor[2048] = "";
    int64_t n = 0;

    (void)state;
    struct got g = page(&any, 500, cursor);
    n += (int64_t)js_len(g.rows);
    /* All that was shown goes, the row of the cursor too, and something new fails. */
    for (size_t i = 0; i < js_len(g.rows); i++) {
        char key[64], order[64];
        snprintf(key, sizeof key, RDS_PREFIX "failed:%.*s",
                 STR_FMT(text(js_at(g.rows, i), "connection")));
        snprintf(order, sizeof order, "%.*s", STR_FMT(text(js_at(g.rows, i), "order")));
        assert_int_equal(redis_int(r, "ZREM", key, order), 1);
    }
    js_free(&g.doc);
    redis_do(r, "ZADD", RDS_PREFIX "failed:alpha", "1800000000000", "shopify/x/new");
    /* A row whose text is gone already is no row. */
    assert_int_equal(redis_int(r, "HDEL", RDS_PREFIX "failrow:alpha", "shopify/xy/1"), 1);
    while (cursor[0]) {
        g = page(&any, 500, cursor);
        n += (int64_t)js_len(g.rows);
        js_free(&g.doc);
    }
    assert_int_equal(n, ROWS - 1);
}

static void test_only_our_cursors_are_taken(void **state)
{
    static const char *const wrong[] = {"x", "MQ", "MQoyCmFscGhh", "LTEKMQphCmI", "!!!!"};
    struct buf out = BUF_CAP(1024);

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct errinfo info = {0};
        assert_int_equal(trl_failed_page(r, &any, both, 2, str_of(wrong[i]), 10, &out, &info),
                         ERR_RANGE);
        assert_true(info.text[0] != '\0');
    }
    assert_int_equal(out.n, 0);
    buf_free(&out);
}

static void test_keys_for_all_come_once_even_if_they_fail_again(void **state)
{
    struct trl_filter f = {.error = STR("lock-date")};
    struct trl_walk at = {0};
    struct str keys[300];
    size_t n = 0, all = 0;

    (void)state;
    do {
        struct arena arena = {0};
        assert_int_equal(trl_failed_next(r, STR("alpha"), &f, &at, 300, &arena, keys, &n, NULL),
                         ERR_OK);
        /* Exported again, and failed again at once: back at the head of the list. */
        for (size_t i = 0; i < n; i++)
            redis_do(r, "ZADD", RDS_PREFIX "failed:alpha", "1800000000000", keys[i].p);
        all += n;
        arena_free(&arena);
        assert_true(all <= ROWS);
    } while (n > 0);
    assert_int_equal(all, 2000); /* beta has the other 250 of 2,250 */
    assert_int_equal(redis_int(r, "ZCOUNT", RDS_PREFIX "failed:alpha", "1800000000000", "+inf"),
                     2000);
}

static void test_keys_of_one_store_come_once_though_the_last_one_leaves(void **state)
{
    struct trl_filter f = {.store = STR("shopify/x")};
    struct trl_walk at = {0};
    struct str keys[100];
    size_t n = 0, all = 0;

    (void)state;
    do {
        struct arena arena = {0};
        assert_int_equal(trl_failed_next(r, STR("beta"), &f, &at, 100, &arena, keys, &n, NULL),
                         ERR_OK);
        if (n > 0)
            redis_do(r, "ZREM", RDS_PREFIX "failed:beta", keys[n - 1].p);
        all += n;
        arena_free(&arena);
        assert_true(all <= ROWS);
    } while (n > 0);
    assert_int_equal(all, 250);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row_ids_go_there_and_back),
        cmocka_unit_test_setup(test_a_row_looks_as_the_api_says, fresh),
        cmocka_unit_test_setup(test_pages_hold_every_row_once_newest_first, fresh),
        cmocka_unit_test_setup(test_filters_hold_together_and_are_counted, fresh),
        cmocka_unit_test_setup(test_a_page_looks_at_20000_rows_and_hands_out_a_cursor, fresh),
        cmocka_unit_test_setup(test_rows_that_go_or_come_meanwhile_move_nothing, fresh),
        cmocka_unit_test_setup(test_only_our_cursors_are_taken, fresh),
        cmocka_unit_test_setup(test_keys_for_all_come_once_even_if_they_fail_again, fresh),
        cmocka_unit_test_setup(test_keys_of_one_store_come_once_though_the_last_one_leaves, fresh),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
