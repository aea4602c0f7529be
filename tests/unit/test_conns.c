/* conns against a Redis of their own: dropped, linked, held, consented to once, erased in chunks.
 */
#include "queue/conns.h"

#include "queue/settings.h"
#include "queue/tasks.h"
#include "service/base/json.h"
#include "tests/unit/redis_fixture.h"

#define KEY "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
#define P RDS_PREFIX

static struct redis_fixture server;
static struct rds_pool *pool;
static struct rds *r;
static struct cry_keys hook;
static struct errinfo info;

static int start(void **state)
{
    (void)state;
    redis_start(&server);
    if (rds_pool_new(server.url, 2, &pool, &info) != ERR_OK ||
        cry_keys_set(&hook, STR(KEY), STR(""), &info) != ERR_OK)
        fail_msg("%s", info.text);
    r = rds_take(pool, 1000);
    return r ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    rds_give(pool, r);
    rds_pool_free(pool);
    redis_stop(&server);
    return 0;
}

/* acme and bolt: consents of one client; each with an order that waits. */
static int fresh(void **state)
{
    (void)state;
    redis_do(r, "FLUSHALL");
    for (int i = 0; i < 2; i++) {
        const char *name = i ? "bolt" : "acme", *conn = i ? P "conn:bolt" : P "conn:acme";

        redis_do(r, "SADD", P "conns", name);
        redis_do(r, "HSET", conn, "status", "active", "tenant", "t-1", "kind", "authorization_code",
                 "consent", "a-1", "grant", "c-1", "version", "1");
        redis_do(r, "ZADD", i ? P "ready:bolt" : P "ready:acme", "1", "shopify/x/1");
        redis_do(r, "ZADD", P "due", "1", name);
    }
    return 0;
}

static void a_dropped_connection_leaves_the_queue_and_says_why(void **state)
{
    bool changed = false;

    (void)state;
    assert_int_equal(con_drop(r, "acme", "a-0", "worker", "old news", &changed, &info), ERR_OK);
    assert_false(changed); /* another consent is in its place by now */
    redis_says("active", r, "HGET", P "conn:acme", "status");
    assert_int_equal(con_drop(r, "acme", "a-1", "worker", "Gone.", &changed, &info), ERR_OK);
    assert_true(changed);
    redis_says("disconnected", r, "HGET", P "conn:acme", "status");
    redis_says("Gone.", r, "HGET", P "conn:acme", "dropped");
    redis_says(NULL, r, "ZSCORE", P "due", "acme");
    assert_int_equal(redis_int(r, "ZCARD", P "ready:acme"), 1);
    assert_int_equal(redis_int(r, "XLEN", P "log:acme"), 1);
    assert_int_equal(con_drop(r, "acme", "", "worker", "Again.", &changed, &info), ERR_OK);
    assert_false(changed);
    assert_int_equal(con_drop(r, "none", "", "worker", "", NULL, &info), ERR_NOT_FOUND);
}

static void a_refusal_of_another_client_drops_nothing(void **state)
{
    bool changed = true;

    (void)state;
    redis_do(r, "HSET", P "conn:acme", "kind", "client_credentials");
    redis_do(r, "HDEL", P "conn:acme", "consent");
    assert_int_equal(con_drop(r, "acme", "c-0", "worker", "old news", &changed, &info), ERR_OK);
    assert_false(changed);
    redis_do(r, "HSET", P "conn:acme", "grant", "");
    assert_int_equal(con_drop(r, "acme", "c-1", "worker", "old news", &changed, &info), ERR_OK);
    assert_false(changed);
    assert_int_equal(con_drop(r, "acme", "default", "worker", "Gone.", &changed, &info), ERR_OK);
    assert_true(changed);
}

static void linking_resumes_and_refuses_another_organisation(void **state)
{
    struct con_link l = {"acme", "a-2", STR("t-1"), STR("Acme Ltd"), false, "ops"};

    (void)state;
    assert_int_equal(con_drop(r, "acme", "", "worker", "Gone.", NULL, &info), ERR_OK);
    assert_int_equal(con_link(r, &l, &info), ERR_OK);
    redis_says("active", r, "HGET", P "conn:acme", "status");
    redis_says("a-2", r, "HGET", P "conn:acme", "consent");
    redis_says(NULL, r, "HGET", P "conn:acme", "dropped");
    redis_says("1", r, "ZSCORE", P "due", "acme");

    l.tenant = STR("t-2");
    assert_int_equal(con_link(r, &l, &info), ERR_CONFLICT);
    assert_non_null(strstr(info.text, "t-1"));
    l.force = true;
    redis_do(r, "ZADD", P "leases:acme", "1", "token");
    assert_int_equal(con_link(r, &l, &info), ERR_CONFLICT);
    redis_do(r, "DEL", P "leases:acme");
    redis_do(r, "HSET", P "contacts:acme", "mark", "id");
    assert_int_equal(con_link(r, &l, &info), ERR_OK);
    redis_says("t-2", r, "HGET", P "conn:acme", "tenant");
    assert_int_equal(redis_int(r, "EXISTS", P "contacts:acme"), 0);
    l.connection = "none";
    assert_int_equal(con_link(r, &l, &info), ERR_NOT_FOUND);
}

static void a_clients_connections_are_held_and_let_go_together(void **state)
{
    (void)state;
    redis_do(r, "HSET", P "conn:bolt", "status", "paused");
    assert_int_equal(con_hold_client(r, "c-1", 60000, "Wrong secret.", &info), ERR_OK);
    redis_says("Wrong secret.", r, "HGET", P "conn:acme", "why");
    redis_says(NULL, r, "HGET", P "conn:bolt", "why");
    assert_int_equal(con_hold_client(r, "c-2", 0, "", &info), ERR_OK);
    redis_says("Wrong secret.", r, "HGET", P "conn:acme", "why");
    assert_int_equal(con_hold_client(r, "c-1", 0, "", &info), ERR_OK);
    redis_says(NULL, r, "HGET", P "conn:acme", "nb");
}

static void a_state_hands_its_code_to_a_worker_once(void **state)
{
    const struct con_consent c = {"acme", "https://x/oauth/callback", "ada", true};
    char key[CON_STATE], connection[LIM_CONN_NAME + 1], id[37], status[16], context[128];
    struct buf code = BUF_CAP(100);
    struct tsk_task task;
    struct js_doc doc = {0};
    struct str text;

    (void)state;
    con_state_new(key);
    assert_true(con_state_ok(str_of(key)));
    assert_false(con_state_ok(STR("../../etc")));
    assert_int_equal(con_consent_end(r, &hook, key, STR("code"), connection, id, &info),
                     ERR_NOT_FOUND);
    assert_int_equal(con_consent_begin(r, key, &c, &info), ERR_OK);
    assert_int_equal(con_consent_end(r, &hook, key, STR("the-code"), connection, id, &info),
                     ERR_OK);
    assert_string_equal(connection, "acme");
    assert_int_equal(tsk_status(r, id, status, NULL, &info), ERR_OK);
    assert_string_equal(status, "waiting");
    assert_int_equal(con_consent_end(r, &hook, key, STR("the-code"), connection, id, &info),
                     ERR_NOT_FOUND);

    assert_int_equal(tsk_lease(r, 60000, &task, &info), ERR_OK);
    assert_string_equal(task.kind, "consent");
    assert_null(memmem(task.input.p, task.input.n, "the-code", 8));
    assert_int_equal(js_parse(task.input, 16384, &doc, &info), ERR_OK);
    assert_true(js_true(js_get(doc.root, "force")));
    assert_true(js_string(js_get(doc.root, "code"), &text));
    snprintf(context, sizeof context, "task/consent/%s", key);
    assert_int_equal(cry_open(&hook, text, str_of(context), &code, &info), ERR_OK);
    assert_string_equal(buf_z(&code), "the-code");
    js_free(&doc);
    buf_free(&code);
    tsk_free(&task);

    con_state_new(key); /* the person refused */
    assert_int_equal(con_consent_begin(r, key, &c, &info), ERR_OK);
    assert_int_equal(con_consent_end(r, &hook, key, STR(""), connection, id, &info), ERR_OK);
    assert_string_equal(id, "");
    assert_int_equal(tsk_status(r, "none", status, NULL, &info), ERR_NOT_FOUND);
}

static void uninstalling_erases_thousands_in_chunks_and_waits_for_live_leases(void **state)
{
    char order[40], key[64];
    bool leased = false;

    (void)state;
    for (int i = 0; i < 2500; i++) {
        snprintf(order, sizeof order, "shopify/x/%d", i);
        snprintf(key, sizeof key, P "order:%s", order);
        redis_do(r, "HSET", key, "st", "waiting");
        redis_do(r, "ZADD", i % 2 ? P "ready:acme" : P "failed:acme", "1", order);
    }
    redis_do(r, "SADD", P "stores", "shopify/x");
    redis_do(r, "HSET", P "store:shopify/x", "connection", "acme", "doc", "{}", "version", "1",
             "secret:webhook", "sealed", "secret:api_token", "sealed");
    redis_do(r, "ZADD", P "leases:acme", "9999999999999", "token");
    assert_int_equal(con_uninstall(r, "acme", "ada", &leased, &info), ERR_OK);
    assert_true(leased);
    redis_says("uninstalled", r, "HGET", P "conn:acme", "status");
    assert_int_equal(redis_int(r, "EXISTS", P "ready:acme", P "failed:acme"), 0);
    redis_says("skipped", r, "HGET", P "order:shopify/x/2499", "st");
    redis_says(NULL, r, "HGET", P "store:shopify/x", "doc");
    redis_says(NULL, r, "HGET", P "store:shopify/x", "secret:api_token");
    redis_says("sealed", r, "HGET", P "store:shopify/x", "secret:webhook");
    redis_says("2", r, "HGET", P "store:shopify/x", "version");
    redis_says("a-1", r, "HGET", P "conn:acme", "consent");
    redis_do(r, "DEL", P "leases:acme");
    assert_int_equal(con_uninstall(r, "acme", "ada", &leased, &info), ERR_OK);
    assert_false(leased);
    redis_says(NULL, r, "HGET", P "conn:acme", "consent");
    redis_says("t-1", r, "HGET", P "conn:acme", "tenant"); /* its ids still count */
    assert_int_equal(redis_int(r, "XLEN", P "audit"), 1);
    assert_int_equal(con_drop(r, "acme", "", "ada", "", NULL, &info), ERR_CONFLICT);
    assert_int_equal(con_uninstall(r, "none", "ada", &leased, &info), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_dropped_connection_leaves_the_queue_and_says_why, fresh),
        cmocka_unit_test_setup(a_refusal_of_another_client_drops_nothing, fresh),
        cmocka_unit_test_setup(linking_resumes_and_refuses_another_organisation, fresh),
        cmocka_unit_test_setup(a_clients_connections_are_held_and_let_go_together, fresh),
        cmocka_unit_test_setup(a_state_hands_its_code_to_a_worker_once, fresh),
        cmocka_unit_test_setup(uninstalling_erases_thousands_in_chunks_and_waits_for_live_leases,
                               fresh),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
