#include "queue/jobs.h"

#include "tests/unit/redis_group.h"

#include "queue/scripts.h"
#include "service/base/json.h"
#include "service/base/limits.h"

#define ORDER "shopify/x/1"

/* Every test begins with the store shopify/x on the connection acme and nothing else. */
static int fresh(void **state)
{
    (void)state;
    redis_do(r, "FLUSHALL");
    redis_do(r, "HSET", RDS_PREFIX "store:shopify/x", "version", "1", "connection", "acme");
    redis_do(r, "HSET", RDS_PREFIX "conn:acme", "status", "active", "tenant", "T");
    return 0;
}

static enum job_result ingest(const char *part, const char *stamp, struct str body,
                              const struct job_failure *unusable)
{
    const struct rul_decision paid = {.export_it = true, .lines = true, .reason = CAT_PAID};
    const struct job_event e = {.order_key = ORDER,
                                .store_key = "shopify/x",
                                .store_version = 1,
                                .connection = "acme",
                                .event = RUL_PAID,
                                .stamp = stamp,
                                .part = part,
                                .body = body,
                                .stamp_on = true,
                                .decision = {paid, paid, paid},
                                .name = "#1 \"x\\",
                                .link = "https://x/1",
                                .paid_day = "2026-03-01",
                                .unusable = unusable};
    enum job_result result;
    enum cat_reason reason;
    struct errinfo info = {0};

    if (job_ingest(r, &e, &result, &reason, &info) != ERR_OK)
        fail_msg("%s", info.text);
    return result;
}

/* An order that nothing hurries with, as a backfill brings it. */
static enum job_result ingest_later(const char *key, bool later)
{
    const struct rul_decision paid = {.export_it = true, .lines = true, .reason = CAT_PAID};
    const struct job_event e = {.order_key = key,
                                .store_key = "shopify/x",
                                .store_version = 1,
                                .connection = "acme",
                                .event = RUL_SEEN,
                                .stamp = "1",
                                .part = "order",
                                .body = STR("{}"),
                                .stamp_on = true,
                                .decision = {paid, paid, paid, paid},
                                .name = "",
                                .link = "",
                                .paid_day = "",
                                .later = later};
    enum job_result result;
    enum cat_reason reason;

    assert_int_equal(job_ingest(r, &e, &result, &reason, NULL), ERR_OK);
    return result;
}

static enum err lease(struct job_lease *l)
{
    struct errinfo info = {0};
    int64_t wait = 0;

    return job_lease(r, 60000, 50, l, &wait, &info);
}

static struct str part_of(const struct job_order *o, const char *name)
{
    for (size_t i = 0; i < o->part_count; i++)
        if (str_eq(o->parts[i].name, str_of(name)))
            return o->parts[i].body;
    return (struct str){NULL, 0};
}

/* The order's row on the failed list, which has to be JSON. */
static struct js_doc failed_row(void)
{
    struct errinfo info = {0};
    struct js_doc doc = {0};
    struct rds_reply *row = redis_ask(r, "HGET", RDS_PREFIX "failrow:acme", ORDER);

    if (js_parse(rds_text(row), 1u << 20, &doc, &info) != ERR_OK)
        fail_msg("%s", info.text);
    rds_free(row);
    return doc;
}

static void test_keys_are_made_and_taken_apart(void **state)
{
    char key[LIM_ORDER_KEY + 1];
    struct str p, s, id;

    (void)state;
    assert_int_equal(job_order_key(STR("shopify"), STR("x"), STR("1"), key), ERR_OK);
    assert_string_equal(key, ORDER);
    assert_true(job_order_key_split(str_of(key), &p, &s, &id));
    assert_true(str_eq(p, STR("shopify")) && str_eq(s, STR("x")) && str_eq(id, STR("1")));
    assert_false(job_order_key_split(STR("shopify/x"), &p, &s, &id));
    assert_false(job_order_key_split(STR("shopify/x/1/2"), &p, &s, &id));
    assert_false(job_order_key_split(STR("/x/1"), &p, &s, &id));
    assert_int_equal(job_order_key(STR("shopify"), STR("x"), (struct str){key, LIM_ORDER_KEY}, key),
                     ERR_TOO_BIG);
}

static void test_parts_come_back_byte_for_byte_whatever_their_size(void **state)
{
    static const size_t sizes[] = {0, 1, 199, 200, 4096, 1u << 20, 8u << 20};
    char *body = x_alloc(8u << 20);
    struct job_lease l;
    int64_t fenced = 0;

    (void)state;
    for (size_t i = 0; i < 8u << 20; i++)
        body[i] = (char)(i * 2654435761u >> 13);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct str sent = {body, sizes[i]};
        char stamp[8];

        snprintf(stamp, sizeof stamp, "%zu", i + 1);
        assert_int_equal(ingest("order", stamp, sent, NULL), JOB_QUEUED);
        assert_int_equal(ingest("refund:9", "", STR("{}"), NULL), JOB_QUEUED);
        assert_int_equal(lease(&l), ERR_OK);
        assert_int_equal(l.count, 1);
        assert_true(str_eq(part_of(&l.orders[0], "order"), sent));
        assert_true(str_eq(part_of(&l.orders[0], "refund:9"), STR("{}")));
        const struct job_report done = {.order = STR(ORDER), .outcome = JOB_DONE};
        assert_int_equal(job_complete(r, &l, NULL, 0, &done, 1, -1, 0, NULL, &fenced, NULL),
                         ERR_OK);
        assert_int_equal(fenced, 0);
        job_lease_free(&l);
    }
    x_free(body);
}

static void test_a_snapshot_that_cannot_be_read_leaves_the_order_without_parts(void **state)
{
    static const char *const damaged[] = {"", "X{}", "Z", "Znot zstd at all"};
    struct job_lease l;

    (void)state;
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        fresh(NULL);
        assert_int_equal(ingest("order", "1", STR("{}"), NULL), JOB_QUEUED);
        redis_do(r, "HSET", RDS_PREFIX "snap:" ORDER, "order", damaged[i]);
        assert_int_equal(lease(&l), ERR_OK);
        assert_int_equal(l.count, 1);
        assert_int_equal(l.orders[0].part_count, 0);
        job_lease_free(&l);
    }
}

static void test_a_failed_row_is_json_whatever_it_has_to_say(void **state)
{
    const struct str errors[] = {STR("quote \" back\\slash \n %s \x01 \xff"), STR("")};
    const char *const ids[] = {"lock-date", "unknown"};
    const struct job_failure f = {.failed_export = "Sales invoice",
                                  .exported_item = STR("#1 \"x\\"),
                                  .errors = errors,
                                  .catalogue = ids,
                                  .error_count = 2};
    struct str text = {0};

    (void)state;
    assert_int_equal(ingest("order", "1", STR("{}"), &f), JOB_UNUSABLE);
    struct js_doc doc = failed_row();
    assert_true(js_string(js_at(js_get(doc.root, "export_error"), 0), &text));
    assert_true(str_eq(text, STR("quote \" back\\slash \n %s \x01 \xef\xbf\xbd")));
    assert_true(js_string(js_get(doc.root, "exported_item"), &text));
    assert_true(str_eq(text, STR("#1 \"x\\")));
    assert_true(js_string(js_get(doc.root, "order_link"), &text));
    assert_true(str_eq(text, STR("https://x/1")));
    js_free(&doc);

    /* Every entry of its trail is JSON too. */
    int64_t moved = 0;
    assert_int_equal(job_resync(r, "acme", (struct str[]){STR(ORDER)}, 1, "\"sam\\", &moved, NULL),
                     ERR_OK);
    assert_int_equal(moved, 1);
    struct rds_reply *trail = redis_ask(r, "LRANGE", RDS_PREFIX "trail:" ORDER, "0", "-1");
    assert_int_equal(rds_len(trail), 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(js_parse(rds_text(rds_at(trail, i)), 4096, &doc, NULL), ERR_OK);
        js_free(&doc);
    }
    rds_free(trail);
}

/* Longer than the failed list reads, a row would be shown empty. */
static void test_a_long_failure_stays_short_enough_to_be_shown(void **state)
{
    char *long_text = x_alloc(70000);
    struct str errors[1] = {{long_text, 0}};
    const char *const ids[] = {"lock-date"};
    const struct job_failure f = {.failed_export = "Sales invoice",
                                  .exported_item = STR("#1"),
                                  .errors = errors,
                                  .catalogue = ids,
                                  .error_count = 1};

    (void)state;
    memset(long_text, 'x', 70000);
    for (size_t n = 10000; n <= 70000; n += n < 65000 ? 5000 : 100) {
        fresh(NULL);
        errors[0].n = n;
        assert_int_equal(ingest("order", "1", STR("{}"), &f), JOB_UNUSABLE);
        assert_true(redis_int(r, "HSTRLEN", RDS_PREFIX "failrow:acme", ORDER) < 20000);
        struct js_doc doc = failed_row();
        assert_int_equal(js_len(js_get(doc.root, "export_error")), 1);
        js_free(&doc);
    }
    x_free(long_text);
}

/* The numbers that the scripts go by are those that the rest of the program knows. */
static void test_scripts_keep_the_limits(void **state)
{
    char limits[128], trail[64], deliveries[64];

    (void)state;
    snprintf(limits, sizeof limits, "IN_FLIGHT, MINUTE, MINUTE_MS = %d, %d, %d\n",
             LIM_XERO_INFLIGHT, LIM_XERO_MINUTE, LIM_XERO_MINUTE_MS);
    snprintf(trail, sizeof trail, "local TRAIL = %d\n", LIM_TRAIL);
    snprintf(deliveries, sizeof deliveries, ":sub(-%d))", LIM_DELIVERIES * 8);
    for (const struct script *s = lua_scripts; s->name; s++) {
        assert_non_null(strstr(s->text, limits));
        assert_non_null(strstr(s->text, trail));
        assert_true(strcmp(s->name, "ingest") != 0 || strstr(s->text, deliveries));
    }
}

static void test_what_a_backfill_brings_only_fills_batches_up(void **state)
{
    struct job_lease l;
    struct errinfo info = {0};
    int64_t wait = 0;
    char ends[24];

    (void)state;
    assert_int_equal(ingest_later("shopify/x/7", true), JOB_QUEUED);
    assert_int_equal(ingest_later("shopify/x/8", true), JOB_QUEUED);
    assert_int_equal(redis_int(r, "ZCARD", RDS_PREFIX "later:acme"), 2);
    assert_int_equal(ingest("order", "1", STR("{}"), NULL), JOB_QUEUED);
    assert_int_equal(job_lease(r, 60000, 1, &l, &wait, &info), ERR_OK);
    assert_true(str_eq(l.orders[0].key, STR(ORDER))); /* though it came last */
    job_lease_free(&l);
    /* A message of its own makes one of them live. */
    assert_int_equal(ingest_later("shopify/x/8", false), JOB_QUEUED);
    assert_int_equal(redis_int(r, "ZCARD", RDS_PREFIX "ready:acme"), 1);
    snprintf(ends, sizeof ends, "%lld", (long long)time(NULL) * 1000 + 3600000);
    redis_do(r, "HSET", RDS_PREFIX "conn:acme", "day_left", "5000", "day_max", "5000", "day_end",
             ends); /* what Xero allows is known: more than one call at a time */
    redis_do(r, "ZADD", RDS_PREFIX "due", "0", "acme");
    assert_int_equal(job_lease(r, 60000, 50, &l, &wait, &info), ERR_OK);
    assert_int_equal(l.count, 2);
    assert_true(str_eq(l.orders[0].key, STR("shopify/x/8")));
    assert_true(str_eq(l.orders[1].key, STR("shopify/x/7")));
    job_lease_free(&l);
}

static void test_what_cannot_be_used_and_is_read_the_same_brings_no_order_back(void **state)
{
    const struct str errors[] = {STR_INIT("It has no total.")};
    static const char *const catalogue[] = {"unusable-order"};
    const struct job_failure f = {.failed_export = "Sales invoice",
                                  .exported_item = STR("#1"),
                                  .errors = errors,
                                  .catalogue = catalogue,
                                  .error_count = 1};
    struct job_lease l;

    (void)state;
    assert_int_equal(ingest("order", "1", STR("{}"), NULL), JOB_QUEUED);
    assert_int_equal(lease(&l), ERR_OK);
    int64_t rev = redis_int(r, "HGET", RDS_PREFIX "order:" ORDER, "rev");
    assert_int_equal(ingest("order", "1", STR("{}"), &f), JOB_UNUSABLE);
    assert_int_equal(redis_int(r, "HGET", RDS_PREFIX "order:" ORDER, "rev"), rev);
    /* What differs is looked at. */
    assert_int_equal(ingest("order", "2", STR("{\"a\":1}"), &f), JOB_UNUSABLE);
    assert_int_equal(redis_int(r, "HGET", RDS_PREFIX "order:" ORDER, "rev"), rev + 1);
    job_lease_free(&l);
}

static void test_connections_pause_and_resume(void **state)
{
    struct errinfo info = {0};
    int64_t moved = 0;

    (void)state;
    assert_int_equal(job_pause(r, "none", "sam", &info), ERR_NOT_FOUND);
    assert_int_equal(job_pause(r, "acme", "sam", &info), ERR_OK);
    assert_int_equal(job_pause(r, "acme", "sam", &info), ERR_OK);
    assert_int_equal(ingest("order", "1", STR("{}"), NULL), JOB_HELD);
    assert_int_equal(job_resync(r, "acme", NULL, 0, "sam", &moved, &info), ERR_CONFLICT);
    assert_non_null(strstr(info.text, "paused"));
    assert_int_equal(job_resume(r, "acme", "sam", &info), ERR_OK);
    redis_do(r, "HSET", RDS_PREFIX "conn:acme", "status", "disconnected");
    assert_int_equal(job_pause(r, "acme", "sam", &info), ERR_CONFLICT);
    assert_non_null(strstr(info.text, "dropped"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_keys_are_made_and_taken_apart, fresh),
        cmocka_unit_test_setup(test_parts_come_back_byte_for_byte_whatever_their_size, fresh),
        cmocka_unit_test_setup(test_a_snapshot_that_cannot_be_read_leaves_the_order_without_parts,
                               fresh),
        cmocka_unit_test_setup(test_a_failed_row_is_json_whatever_it_has_to_say, fresh),
        cmocka_unit_test_setup(test_a_long_failure_stays_short_enough_to_be_shown, fresh),
        cmocka_unit_test(test_scripts_keep_the_limits),
        cmocka_unit_test_setup(test_what_a_backfill_brings_only_fills_batches_up, fresh),
        cmocka_unit_test_setup(test_what_cannot_be_used_and_is_read_the_same_brings_no_order_back,
                               fresh),
        cmocka_unit_test_setup(test_connections_pause_and_resume, fresh),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
