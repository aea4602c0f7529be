#include "queue/tasks.h"

#include "tests/unit/redis_group.h"

static int fresh(void **state)
{
    (void)state;
    redis_do(r, "FLUSHALL");
    return 0;
}

static void add(const char *input, char id[37])
{
    assert_int_equal(tsk_add(r, "client", str_of(input), id, NULL), ERR_OK);
}

/* Leases the next task, waiting up to 10 s for an earlier lease to end. */
static struct tsk_task lease(int64_t ms)
{
    struct tsk_task t = {0};
    struct errinfo info = {0};

    for (int naps = 0; naps < 2000; naps++) {
        enum err e = tsk_lease(r, ms, &t, &info);
        if (e == ERR_OK)
            return t;
        assert_int_equal(e, ERR_NOT_FOUND);
        redis_nap();
    }
    fail_msg("no task came");
    return t;
}

static const char *task_key(const char *id)
{
    static char key[64];

    snprintf(key, sizeof key, RDS_PREFIX "task:%s", id);
    return key;
}

static void test_a_task_is_leased_once_and_ends_with_its_result(void **state)
{
    char id[37];
    struct tsk_task t, none;
    struct errinfo info = {0};

    (void)state;
    assert_int_equal(tsk_lease(r, 60000, &none, &info), ERR_NOT_FOUND);
    add("{\"a\":1}", id);
    assert_int_equal(redis_int(r, "LLEN", RDS_PREFIX "wake"), 1);
    assert_int_equal(tsk_lease(r, 60000, &t, &info), ERR_OK);
    assert_string_equal(t.id, id);
    assert_string_equal(t.kind, "client");
    assert_true(str_eq(t.input, STR("{\"a\":1}")));
    assert_int_equal(t.attempt, 1);
    assert_int_equal(tsk_lease(r, 60000, &none, &info), ERR_NOT_FOUND);

    /* Ending it may be sent twice; another end is refused. */
    assert_int_equal(tsk_done(r, &t, "done", STR("{\"ok\":true}"), &info), ERR_OK);
    assert_int_equal(tsk_done(r, &t, "done", STR("{\"ok\":true}"), &info), ERR_OK);
    assert_int_equal(tsk_done(r, &t, "failed", STR("{}"), &info), ERR_LOST);
    redis_says("done", r, "HGET", task_key(id), "status");
    redis_says("{\"ok\":true}", r, "HGET", task_key(id), "result");
    redis_says(NULL, r, "HGET", task_key(id), "input");
    int64_t ttl = redis_int(r, "TTL", task_key(id));
    assert_true(ttl > 86000 && ttl <= 86400);
    assert_int_equal(redis_int(r, "ZCARD", RDS_PREFIX "tasks"), 0);
    tsk_free(&t);
}

static void test_tasks_come_in_the_order_they_were_added(void **state)
{
    char id[3][37];

    (void)state;
    for (int i = 0; i < 3; i++) {
        char due[8];
        snprintf(due, sizeof due, "%d", i + 1);
        add("{}", id[i]);
        redis_do(r, "ZADD", RDS_PREFIX "tasks", due, id[i]);
    }
    for (int i = 0; i < 3; i++) {
        struct tsk_task t = lease(60000);
        assert_string_equal(t.id, id[i]);
        tsk_free(&t);
    }
}

static void test_a_dead_workers_task_goes_to_the_next_and_only_that_ends_it(void **state)
{
    char id[37];
    struct errinfo info = {0};

    (void)state;
    add("{}", id);
    struct tsk_task first = lease(1);
    struct tsk_task second = lease(60000);
    assert_string_equal(second.id, id);
    assert_int_equal(second.attempt, 2);
    assert_int_equal(tsk_done(r, &first, "done", STR("{}"), &info), ERR_LOST);
    redis_says("running", r, "HGET", task_key(id), "status");
    assert_int_equal(tsk_done(r, &second, "failed", STR("{\"error\":\"x\"}"), &info), ERR_OK);
    redis_says("failed", r, "HGET", task_key(id), "status");
    tsk_free(&first);
    tsk_free(&second);
}

static void test_a_task_that_kills_its_workers_is_failed_after_five(void **state)
{
    char bad[37], good[37];

    (void)state;
    add("{\"secret\":\"sealed\"}", bad);
    for (int i = 1; i <= 5; i++) {
        struct tsk_task t = lease(1);
        assert_int_equal(t.attempt, i);
        tsk_free(&t);
    }
    add("{}", good);
    struct tsk_task t = lease(60000);
    if (strcmp(t.id, good) != 0)
        fail_msg("task %s was leased a sixth time", t.id);
    tsk_free(&t);
    struct tsk_task none;
    for (int naps = 0; redis_int(r, "ZCARD", RDS_PREFIX "tasks") > 1 && naps < 2000; naps++) {
        assert_int_equal(tsk_lease(r, 60000, &none, NULL), ERR_NOT_FOUND);
        redis_nap();
    }
    redis_says("failed", r, "HGET", task_key(bad), "status");
    redis_says(NULL, r, "HGET", task_key(bad), "input");
    assert_true(redis_int(r, "TTL", task_key(bad)) > 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_task_is_leased_once_and_ends_with_its_result, fresh),
        cmocka_unit_test_setup(test_tasks_come_in_the_order_they_were_added, fresh),
        cmocka_unit_test_setup(test_a_dead_workers_task_goes_to_the_next_and_only_that_ends_it,
                               fresh),
        cmocka_unit_test_setup(test_a_task_that_kills_its_workers_is_failed_after_five, fresh),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
