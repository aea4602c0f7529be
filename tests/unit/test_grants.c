/* grants against a Redis of their own: sealed, refreshed by one at a time, stored by version. */
#include "queue/grants.h"

#include "tests/unit/redis_fixture.h"

#define KEY_A "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
#define KEY_B "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="

static struct redis_fixture server;
static struct rds_pool *pool;
static struct rds *r;
static struct cry_keys master;
static struct errinfo info;

static int start(void **state)
{
    (void)state;
    redis_start(&server);
    if (rds_pool_new(server.url, 2, &pool, &info) != ERR_OK ||
        cry_keys_set(&master, STR(KEY_A), STR(""), &info) != ERR_OK)
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

static int fresh(void **state)
{
    (void)state;
    redis_do(r, "FLUSHALL");
    return 0;
}

static void put(const char *grant)
{
    assert_int_equal(grt_put_client(r, &master, grant, "id-1", STR("s3cret"), &info), ERR_OK);
}

/* The version; checks the token that is valid, NULL for none. */
static int64_t version(const char *grant, const char *access)
{
    struct grt_token t;
    int64_t v = 0;

    assert_int_equal(grt_get(r, &master, grant, 90000, &t, &info), ERR_OK);
    if (access)
        assert_string_equal(t.access, access);
    else
        assert_null(t.access);
    assert_string_equal(t.client_id, "id-1");
    assert_int_equal(t.client_secret.n, 0); /* opened only for a refresh */
    v = t.version;
    grt_token_free(&t);
    return v;
}

static bool begin(const char *grant, int64_t v, const char *holder)
{
    struct grt_token t;
    bool mine = false;

    assert_int_equal(grt_begin(r, &master, grant, v, holder, &mine, &t, &info), ERR_OK);
    if (mine)
        assert_true(str_eq(buf_str(&t.client_secret), STR("s3cret")));
    else
        assert_int_equal(t.client_secret.n, 0);
    grt_token_free(&t);
    return mine;
}

static enum err store(int64_t v, const char *holder, const char *access, int64_t expires_s)
{
    const struct grt_set set = {str_of(access), STR(""), expires_s};

    return grt_store(r, &master, "g", v, holder, &set, &info);
}

static void a_grant_that_is_not_there_yet_is_not_found(void **state)
{
    struct grt_token t;

    (void)state;
    assert_int_equal(grt_get(r, &master, "none", 0, &t, &info), ERR_NOT_FOUND);
    assert_int_equal(grt_expire(r, "none", 1, &info), ERR_NOT_FOUND);
}

static void one_holder_refreshes_and_the_token_is_there_for_all(void **state)
{
    int64_t v = 0;

    (void)state;
    put("g");
    v = version("g", NULL);
    assert_true(begin("g", v, "a"));
    assert_false(begin("g", v, "b"));
    assert_true(begin("g", v, "a")); /* sent twice */
    assert_int_equal(store(v, "a", "token", 1800), ERR_OK);
    assert_int_equal(version("g", "token"), v + 1);
    assert_false(begin("g", v, "b")); /* the version moved on */
    assert_true(begin("g", v + 1, "b"));
}

static void a_token_for_an_older_version_is_not_stored(void **state)
{
    int64_t v = 0;

    (void)state;
    put("g");
    v = version("g", NULL);
    assert_true(begin("g", v, "a"));
    put("g"); /* new credentials meanwhile */
    assert_int_equal(store(v, "a", "old", 1800), ERR_CONFLICT);
    version("g", NULL);
}

static void a_right_given_back_or_a_token_called_expired_lets_the_next_one_refresh(void **state)
{
    int64_t v = 0;

    (void)state;
    put("g");
    v = version("g", NULL);
    assert_true(begin("g", v, "a"));
    assert_int_equal(grt_abandon(r, "g", "b", &info), ERR_OK); /* not b's to give back */
    assert_false(begin("g", v, "b"));
    assert_int_equal(grt_abandon(r, "g", "a", &info), ERR_OK);
    assert_true(begin("g", v, "b"));
    assert_int_equal(store(v, "b", "token", 1800), ERR_OK);
    assert_int_equal(grt_expire(r, "g", v, &info), ERR_OK); /* of a version long gone */
    version("g", "token");
    assert_int_equal(grt_expire(r, "g", v + 1, &info), ERR_OK);
    version("g", NULL);
}

static void a_token_that_ends_within_the_margin_is_none(void **state)
{
    int64_t v = 0;

    (void)state;
    put("g");
    v = version("g", NULL);
    assert_int_equal(store(v, "a", "token", 60), ERR_OK);
    version("g", NULL);
}

static void nothing_secret_is_readable_in_redis_or_under_another_key(void **state)
{
    struct cry_keys other;
    struct grt_token t;
    struct rds_reply *reply;
    bool same = true, mine = true;
    int64_t v = 0;

    (void)state;
    put("g");
    v = version("g", NULL);
    assert_int_equal(store(v, "a", "token", 1800), ERR_OK);
    reply = redis_ask(r, "HGETALL", RDS_PREFIX "grant:g");
    for (size_t i = 0; i < rds_len(reply); i++) {
        struct str text = rds_text(rds_at(reply, i));

        assert_null(memmem(text.p, text.n, "s3cret", 6));
        assert_null(memmem(text.p, text.n, "token", 5));
    }
    rds_free(reply);

    assert_int_equal(cry_keys_set(&other, STR(KEY_B), STR(""), &info), ERR_OK);
    assert_int_equal(grt_get(r, &other, "g", 0, &t, &info), ERR_OK);
    assert_null(t.access);
    grt_token_free(&t);
    assert_int_equal(grt_begin(r, &other, "g", v + 1, "b", &mine, &t, &info), ERR_CRYPTO);
    assert_false(mine);
    assert_int_equal(grt_client_same(r, &other, "g", "id-1", STR("s3cret"), &same, &info), ERR_OK);
    assert_false(same);
    cry_keys_wipe(&other);
}

static void a_pair_is_known_again(void **state)
{
    bool same = true;

    (void)state;
    assert_int_equal(grt_client_same(r, &master, "g", "id-1", STR("s3cret"), &same, &info), ERR_OK);
    assert_false(same);
    put("g");
    assert_int_equal(grt_client_same(r, &master, "g", "id-1", STR("s3cret"), &same, &info), ERR_OK);
    assert_true(same);
    assert_int_equal(grt_client_same(r, &master, "g", "id-2", STR("s3cret"), &same, &info), ERR_OK);
    assert_false(same);
    assert_int_equal(grt_client_same(r, &master, "g", "id-1", STR("s3creT"), &same, &info), ERR_OK);
    assert_false(same);
}

/* ---- consents ---- */

static void put_consent(const char *grant, const char *access, const char *refresh)
{
    const struct grt_set set = {str_of(access), str_of(refresh), 1800};

    assert_int_equal(grt_put_consent(r, &master, grant, "client", &set, &info), ERR_OK);
}

/* Checks what whoever refreshes GRANT is given. */
static void expect_right(const struct cry_keys *keys, const char *grant, int64_t v,
                         const char *refresh, const char *previous)
{
    struct grt_token t;
    bool mine = false;

    assert_int_equal(grt_begin(r, keys, grant, v, "a", &mine, &t, &info), ERR_OK);
    assert_true(mine && t.consent);
    assert_string_equal(buf_z(&t.client_secret), "s3cret");
    assert_string_equal(t.client_id, "id-1");
    assert_string_equal(buf_z(&t.refresh), refresh);
    assert_string_equal(buf_z(&t.previous), previous);
    grt_token_free(&t);
}

static void a_consent_takes_the_pair_of_its_client_and_keeps_the_refresh_token_before(void **state)
{
    const struct grt_set next = {STR("access-2"), STR("refresh-2"), 1800};
    int64_t v = 0;

    (void)state;
    put("client");
    put_consent("g", "access-1", "refresh-1");
    v = version("g", "access-1");
    expect_right(&master, "g", v, "refresh-1", "");
    assert_int_equal(grt_store(r, &master, "g", v, "a", &next, &info), ERR_OK);
    assert_int_equal(version("g", "access-2"), v + 1);
    expect_right(&master, "g", v + 1, "refresh-2", "refresh-1");
    assert_int_equal(grt_store(r, &master, "g", v, "b", &next, &info), ERR_CONFLICT);
}

static void a_grant_can_be_listed_and_forgotten(void **state)
{
    struct arena arena = {0};
    struct grt_token t;
    struct str *ids = NULL;
    size_t n = 0;

    (void)state;
    put("client");
    put_consent("g", "access-1", "refresh-1");
    assert_int_equal(grt_list(r, &arena, &ids, &n, &info), ERR_OK);
    assert_int_equal(n, 2);
    assert_int_equal(grt_forget(r, "client", &info), ERR_OK);
    assert_int_equal(grt_pair(r, &master, "g", &t, &info), ERR_NOT_FOUND);
    assert_int_equal(grt_forget(r, "g", &info), ERR_OK);
    assert_int_equal(grt_forget(r, "g", &info), ERR_OK);
    assert_int_equal(grt_get(r, &master, "g", 0, &t, &info), ERR_NOT_FOUND);
    assert_int_equal(grt_list(r, &arena, &ids, &n, &info), ERR_OK);
    assert_int_equal(n, 0);
    arena_free(&arena);
}

static void what_the_previous_key_sealed_opens_and_is_sealed_anew(void **state)
{
    struct cry_keys both, later;

    (void)state;
    assert_int_equal(cry_keys_set(&both, STR(KEY_B), STR(KEY_A), &info), ERR_OK);
    assert_int_equal(cry_keys_set(&later, STR(KEY_B), STR(""), &info), ERR_OK);
    put("client");
    put_consent("g", "access-1", "refresh-1");
    expect_right(&both, "g", version("g", "access-1"), "refresh-1", "");
    expect_right(&later, "g", version("g", "access-1"), "refresh-1", ""); /* without the old key */
    cry_keys_wipe(&both);
    cry_keys_wipe(&later);
}

static void what_opens_a_shop_is_kept_sealed_and_by_store(void **state)
{
    struct grt_token token = {0};
    char id[GRT_SHOP_ID], long_id[200] = "";

    (void)state;
    assert_int_equal(grt_shop(r, &master, "amazon/A1", &token, &info), ERR_NOT_FOUND);
    assert_int_equal(grt_put_shop(r, &master, "amazon/A1", "", STR("Atzr|one"), "", &info), ERR_OK);
    assert_int_equal(grt_put_shop(r, &master, "amazon/A2", "", STR("Atzr|two"), "", &info), ERR_OK);
    assert_int_equal(grt_put_shop(r, &master, "amazon/A1", "", STR("Atzr|three"), "", &info),
                     ERR_OK);
    assert_int_equal(grt_shop(r, &master, "amazon/A1", &token, &info), ERR_OK);
    assert_true(str_eq(buf_str(&token.client_secret), STR("Atzr|three")));
    assert_string_equal(token.client_id, "");
    grt_token_free(&token);

    /* Put into another store's place it does not open. */
    struct rds_reply *sealed = redis_ask(r, "HGET", RDS_PREFIX "grant:s-amazon/A1", "secret");
    char *text = x_alloc(rds_text(sealed).n + 1);
    memcpy(text, rds_text(sealed).p, rds_text(sealed).n);
    redis_do(r, "HSET", RDS_PREFIX "grant:s-amazon/A2", "secret", text);
    assert_int_equal(grt_shop(r, &master, "amazon/A2", &token, &info), ERR_CRYPTO);
    grt_token_free(&token);
    rds_free(sealed);
    x_free(text);

    /* A pair in the token's place, and a token in the pair's. */
    assert_int_equal(grt_put_shop(r, &master, "amazon/A1", "app", STR("app's"), "", &info), ERR_OK);
    assert_int_equal(grt_shop(r, &master, "amazon/A1", &token, &info), ERR_OK);
    assert_string_equal(token.client_id, "app");
    assert_true(str_eq(buf_str(&token.client_secret), STR("app's")));
    grt_token_free(&token);
    assert_int_equal(grt_put_shop(r, &master, "amazon/A1", "", STR("Atzr|four"), "", &info),
                     ERR_OK);
    assert_int_equal(grt_shop(r, &master, "amazon/A1", &token, &info), ERR_OK);
    assert_string_equal(token.client_id, "");
    grt_token_free(&token);
    memset(long_id, 'a', sizeof(long_id) - 1);
    assert_int_equal(grt_put_shop(r, &master, "amazon/A1", long_id, STR("x"), "", &info),
                     ERR_TOO_BIG);

    /* What was entered before what is there comes too late. */
    assert_int_equal(grt_put_shop(r, &master, "amazon/A1", "", STR("Atzr|10"), "10", &info),
                     ERR_OK);
    assert_int_equal(grt_put_shop(r, &master, "amazon/A1", "app", STR("9's"), "9", &info), ERR_OK);
    assert_int_equal(grt_shop(r, &master, "amazon/A1", &token, &info), ERR_OK);
    assert_true(str_eq(buf_str(&token.client_secret), STR("Atzr|10")));
    assert_string_equal(token.client_id, "");
    grt_token_free(&token);

    grt_shop_id("amazon/A1", id);
    assert_int_equal(grt_forget(r, id, &info), ERR_OK);
    assert_int_equal(grt_shop(r, &master, "amazon/A1", &token, &info), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_grant_that_is_not_there_yet_is_not_found, fresh),
        cmocka_unit_test_setup(one_holder_refreshes_and_the_token_is_there_for_all, fresh),
        cmocka_unit_test_setup(a_token_for_an_older_version_is_not_stored, fresh),
        cmocka_unit_test_setup(
            a_right_given_back_or_a_token_called_expired_lets_the_next_one_refresh, fresh),
        cmocka_unit_test_setup(a_token_that_ends_within_the_margin_is_none, fresh),
        cmocka_unit_test_setup(nothing_secret_is_readable_in_redis_or_under_another_key, fresh),
        cmocka_unit_test_setup(a_pair_is_known_again, fresh),
        cmocka_unit_test_setup(what_opens_a_shop_is_kept_sealed_and_by_store, fresh),
        cmocka_unit_test_setup(
            a_consent_takes_the_pair_of_its_client_and_keeps_the_refresh_token_before, fresh),
        cmocka_unit_test_setup(a_grant_can_be_listed_and_forgotten, fresh),
        cmocka_unit_test_setup(what_the_previous_key_sealed_opens_and_is_sealed_anew, fresh),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
