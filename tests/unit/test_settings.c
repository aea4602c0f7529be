#include "queue/settings.h"

#include "tests/unit/redis_fixture.h"
#include <pthread.h>
#include <stdatomic.h>

#include "queue/tasks.h"
#include "service/base/json.h"

static struct redis_fixture server;
static struct rds_pool *pool;
static struct rds *r;
static struct cry_keys keys;

#define DOC_OF(prefix)                                                                             \
    "{\"settings\":{\"prefix\":\"" prefix "\"},\"mappings\":{\"accounts\":{\"default\":\"200\"},"  \
    "\"taxes\":{\"default\":\"OUTPUT2\"},\"payments\":{\"default\":\"091\"}}}"

static int start(void **state)
{
    struct errinfo info = {0};

    (void)state;
    redis_start(&server);
    if (rds_pool_new(server.url, 16, &pool, &info) != ERR_OK)
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

/* Every test begins with an empty Redis, one hook key and the connections acme and other. */
static int fresh(void **state)
{
    struct errinfo info = {0};

    (void)state;
    redis_do(r, "FLUSHALL");
    if (cry_keys_set(&keys, STR("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="), STR(""), &info) !=
        ERR_OK)
        fail_msg("%s", info.text);
    for (int i = 0; i < 2; i++) {
        struct set_conn_write w = {.name = i ? "other" : "acme",
                                   .tenant = i ? "tenant-2" : "tenant-1",
                                   .grant_kind = "client_credentials",
                                   .who = "ops"};
        if (set_conn_save(r, &keys, &w, NULL, &info) != ERR_OK)
            fail_msg("%s", info.text);
    }
    return 0;
}

static struct set_store_write write_of(const char *id, int64_t expect)
{
    return (struct set_store_write){.platform = "shopify",
                                    .id = id,
                                    .connection = "acme",
                                    .expect_version = expect,
                                    .document = STR(DOC_OF("A-")),
                                    .added_day = "2026-03-01",
                                    .who = "ops"};
}

/* Saves and asserts what comes of it. */
static int64_t save(const struct set_store_write *w, enum err want)
{
    struct errinfo info = {0};
    int64_t version = 0;
    enum err e = set_store_save(r, &keys, w, &version, &info);

    if (e != want)
        fail_msg("saving %s: %s: %s", w->id, err_text(e), info.text);
    return version;
}

/* The store as Redis has it now. */
static struct set_store *load(const char *id, enum err want)
{
    struct set_cache *c = set_cache_new(&keys, 1);
    struct set_store *s = NULL;
    struct errinfo info = {0};
    enum err e = set_store_get(c, r, "shopify", id, false, &s, &info);

    if (e != want)
        fail_msg("loading %s: %s: %s", id, err_text(e), info.text);
    set_cache_free(c);
    return s;
}

static void assert_text(struct str got, const char *want)
{
    if (!str_eq(got, str_of(want)))
        fail_msg("%.*s is not %s", STR_FMT(got), want);
}

static bool holds(const struct rds_reply *v, const char *needle)
{
    struct str t = rds_text(v);

    if (t.p && memmem(t.p, t.n, needle, strlen(needle)))
        return true;
    for (size_t i = 0; i < rds_len(v); i++)
        if (holds(rds_at(v, i), needle))
            return true;
    return false;
}

/* Whether NEEDLE stands in clear in any key or value. */
static bool in_redis(const char *needle)
{
    struct rds_reply *all = redis_ask(r, "KEYS", "*");
    bool found = holds(all, needle);

    assert_true(rds_len(all) > 0);
    for (size_t i = 0; i < rds_len(all); i++) {
        char key[512];
        snprintf(key, sizeof key, "%.*s", STR_FMT(rds_text(rds_at(all, i))));
        struct rds_reply *type = redis_ask(r, "TYPE", key), *v = NULL;
        struct str t = rds_text(type);
        if (str_eq(t, STR("hash")))
            v = redis_ask(r, "HGETALL", key);
        else if (str_eq(t, STR("stream")))
            v = redis_ask(r, "XRANGE", key, "-", "+");
        else if (str_eq(t, STR("set")))
            v = redis_ask(r, "SMEMBERS", key);
        else if (str_eq(t, STR("list")))
            v = redis_ask(r, "LRANGE", key, "0", "-1");
        else if (str_eq(t, STR("zset")))
            v = redis_ask(r, "ZRANGE", key, "0", "-1");
        else
            v = redis_ask(r, "GET", key);
        found = found || holds(v, needle);
        rds_free(v);
        rds_free(type);
    }
    rds_free(all);
    return found;
}

/* ---- stores ---- */

static void test_a_store_is_read_as_it_was_saved(void **state)
{
    (void)state;
    struct set_store_write w = write_of("x.myshopify.com", 0);
    w.secret[SET_WEBHOOK] = STR("whsec-plain-1");
    w.secret[SET_WEBHOOK_ADMIN] = STR("whsec-plain-2");
    w.secret[SET_API_TOKEN] = STR("shpat-plain-3");
    assert_int_equal(save(&w, ERR_OK), 1);

    struct set_store *s = load("x.myshopify.com", ERR_OK);
    assert_string_equal(s->key, "shopify/x.myshopify.com");
    assert_string_equal(s->platform, "shopify");
    assert_string_equal(s->id, "x.myshopify.com");
    assert_string_equal(s->connection, "acme");
    assert_string_equal(s->added_day, "2026-03-01");
    assert_int_equal(s->version, 1);
    assert_false(s->deleted);
    assert_text(s->document, DOC_OF("A-"));
    assert_text(s->options.invoice.prefix, "A-");
    assert_string_equal(s->options.rules.start_date, "2026-03-01");
    assert_text(s->secret[SET_WEBHOOK], "whsec-plain-1");
    assert_text(s->secret[SET_WEBHOOK_ADMIN], "whsec-plain-2");
    assert_null(s->secret[SET_API_TOKEN].p); /* a worker's */
    assert_true(s->secret_at[SET_API_TOKEN] > 1700000000);
    assert_int_equal(redis_int(r, "ZCARD", RDS_PREFIX "tasks"), 1);
    assert_null(s->secret[SET_WEBHOOK_PREVIOUS].p);
    assert_true(s->secret_at[SET_WEBHOOK] > 1700000000);
    assert_int_equal(s->secret_at[SET_WEBHOOK_PREVIOUS], 0);
    set_store_put(s);
    load("y.myshopify.com", ERR_NOT_FOUND);

    /* Without the key the rest can still be read, and that there is a secret. */
    struct set_cache *c = set_cache_new(NULL, 1);
    assert_int_equal(set_store_get(c, r, "shopify", "x.myshopify.com", false, &s, NULL), ERR_OK);
    assert_null(s->secret[SET_WEBHOOK].p);
    assert_true(s->secret_at[SET_WEBHOOK] > 0);
    set_store_put(s);
    set_cache_free(c);
}

static void test_no_secret_stands_in_clear_in_redis(void **state)
{
    (void)state;
    struct set_store_write w = write_of("x", 0);
    for (int i = 0; i < SET_SECRET_COUNT; i++)
        w.secret[i] = i == SET_API_CLIENT_ID ? STR("app-1") : STR("plain-shop-secret");
    save(&w, ERR_OK);
    w.expect_version = 1;
    w.secret[SET_WEBHOOK] = STR("plain-second-secret");
    save(&w, ERR_OK);
    struct set_conn_write c = {.name = "acme",
                               .tenant = "tenant-1",
                               .grant_kind = "client_credentials",
                               .client_id = "client-1",
                               .client_secret = STR("plain-client-secret"),
                               .who = "ops"};
    assert_int_equal(set_conn_save(r, &keys, &c, NULL, NULL), ERR_OK);
    assert_true(in_redis("client-1")); /* the search itself works */
    assert_true(in_redis("\"prefix\""));
    assert_false(in_redis("plain-"));
}

static void test_secrets_are_kept_replaced_and_cleared_each_on_its_own(void **state)
{
    (void)state;
    struct set_store_write w = write_of("x", 0);
    w.secret[SET_WEBHOOK] = STR("one");
    w.secret[SET_WEBHOOK_ADMIN] = STR("two");
    save(&w, ERR_OK);
    w = write_of("x", 1);
    w.secret[SET_WEBHOOK_PREVIOUS] = STR("three");
    w.clear[SET_WEBHOOK_ADMIN] = true;
    assert_int_equal(save(&w, ERR_OK), 2);

    struct set_store *s = load("x", ERR_OK);
    assert_text(s->secret[SET_WEBHOOK], "one");
    assert_text(s->secret[SET_WEBHOOK_PREVIOUS], "three");
    assert_null(s->secret[SET_WEBHOOK_ADMIN].p);
    assert_int_equal(s->secret_at[SET_WEBHOOK_ADMIN], 0);
    set_store_put(s);
}

static void test_a_pair_goes_to_a_worker_as_one(void **state)
{
    (void)state;
    struct set_store_write w = write_of("x", 0);
    w.secret[SET_WEBHOOK] = STR("one");
    w.secret[SET_API_CLIENT_ID] = STR("app-1");
    w.secret[SET_API_CLIENT_SECRET] = STR("plain-1");
    save(&w, ERR_OK);
    assert_int_equal(redis_int(r, "ZCARD", RDS_PREFIX "tasks"), 1);
    assert_true(in_redis("\"client_id\":\"app-1\""));
    assert_false(in_redis("plain-"));
    struct set_store *s = load("x", ERR_OK);
    assert_true(set_store_reads(s) && !s->secret[SET_API_CLIENT_SECRET].p);
    assert_true(s->secret_at[SET_API_CLIENT_ID] > 0 && s->secret_at[SET_API_CLIENT_SECRET] > 0);
    set_store_put(s);

    w = write_of("x", 1);
    w.secret[SET_API_TOKEN] = STR("plain-2");
    w.clear[SET_API_CLIENT_ID] = w.clear[SET_API_CLIENT_SECRET] = true;
    save(&w, ERR_OK);
    assert_int_equal(redis_int(r, "ZCARD", RDS_PREFIX "tasks"), 2);
    s = load("x", ERR_OK);
    assert_true(s->secret_at[SET_API_TOKEN] > 0);
    assert_int_equal(s->secret_at[SET_API_CLIENT_ID] + s->secret_at[SET_API_CLIENT_SECRET], 0);
    set_store_put(s);
}

static void test_a_sealed_secret_opens_in_its_place_only(void **state)
{
    (void)state;
    struct set_store_write w = write_of("x", 0);
    w.secret[SET_WEBHOOK] = STR("one");
    save(&w, ERR_OK);
    struct rds_reply *sealed = redis_ask(r, "HGET", RDS_PREFIX "store:shopify/x", "secret:webhook");
    char text[512];
    snprintf(text, sizeof text, "%.*s", STR_FMT(rds_text(sealed)));
    rds_free(sealed);
    redis_do(r, "HSET", RDS_PREFIX "store:shopify/x", "secret:webhook_admin", text);
    load("x", ERR_CRYPTO);
}

static void test_of_two_changes_the_second_is_refused(void **state)
{
    (void)state;
    struct set_store_write w = write_of("x", 0);
    save(&w, ERR_OK);
    save(&w, ERR_CONFLICT); /* it exists */
    w.expect_version = 1;
    assert_int_equal(save(&w, ERR_OK), 2);
    w.document = STR(DOC_OF("LATE-"));
    save(&w, ERR_CONFLICT);
    w = write_of("never", 3);
    save(&w, ERR_CONFLICT);
    w = write_of("x", 2);
    w.connection = "nobody";
    save(&w, ERR_NOT_FOUND);
    w = write_of("x/1", 0);
    save(&w, ERR_RANGE);
    w = write_of("", 0);
    save(&w, ERR_RANGE);

    struct set_store *s = load("x", ERR_OK);
    assert_int_equal(s->version, 2);
    assert_text(s->options.invoice.prefix, "A-");
    set_store_put(s);
}

static void test_the_same_change_sent_twice_is_made_once(void **state)
{
    (void)state;
    struct str argv[] = {STR("shopify/x"), STR("change-1"),   STR("0"),          STR("acme"),
                         STR("=A-"),       STR(DOC_OF("A-")), STR("2026-03-01"), STR("ops")};
    for (int i = 0; i < 2; i++) {
        struct rds_reply *reply = NULL;
        assert_int_equal(rds_script(r, "store_save", argv, 8, &reply, NULL), ERR_OK);
        assert_text(rds_text(rds_at(reply, 0)), "ok");
        assert_int_equal(rds_int(rds_at(reply, 1)), 1);
        rds_free(reply);
    }
    for (int i = 0; i < 2; i++) {
        struct rds_reply *reply = NULL;
        struct str del[] = {STR("shopify/x"), STR("change-2"), STR("ops")};
        assert_int_equal(rds_script(r, "store_delete", del, 3, &reply, NULL), ERR_OK);
        assert_text(rds_text(rds_at(reply, 0)), "ok");
        rds_free(reply);
    }
    redis_says("2", r, "HGET", RDS_PREFIX "store:shopify/x", "version");
    for (int i = 0; i < 2; i++) {
        struct rds_reply *reply = NULL;
        struct str conn[] = {STR("third"), STR("change-3"), STR("t"), STR("client_credentials"),
                             STR(""),      STR("0"),        STR("0"), STR("0"),
                             STR("ops")};
        assert_int_equal(rds_script(r, "conn_save", conn, 9, &reply, NULL), ERR_OK);
        assert_text(rds_text(rds_at(reply, 0)), "ok");
        assert_int_equal(rds_int(rds_at(reply, 1)), 1);
        rds_free(reply);
    }
    redis_says("1", r, "HGET", RDS_PREFIX "conn:third", "version");
    /* acme, other, then these three: nothing was written down twice. */
    assert_int_equal(redis_int(r, "XLEN", RDS_PREFIX "audit"), 5);
}

static void test_a_store_with_waiting_orders_stays_with_its_connection(void **state)
{
    static const char *const where[] = {"ready", "later", "lease"};

    (void)state;
    for (int i = 0; i < 3; i++) {
        redis_do(r, "FLUSHDB");
        fresh(NULL);
        struct set_store_write w = write_of("x", 0);
        save(&w, ERR_OK);
        if (i == 2) {
            redis_do(r, "ZADD", RDS_PREFIX "leases:acme", "99999999999999", "token");
            redis_do(r, "HSET", RDS_PREFIX "batch:acme:token", "shopify/x/7", "1");
        } else {
            char key[64];
            snprintf(key, sizeof key, RDS_PREFIX "%s:acme", where[i]);
            /* Many of another store whose name begins alike, then one of ours. */
            struct str load_them[] = {
                STR("EVAL"),
                STR("for i = 1, 2500 do redis.call('ZADD', KEYS[1], i, 'shopify/xx/' .. i) end"),
                STR("1"), str_of(key)};
            struct rds_reply *reply = NULL;
            assert_int_equal(rds_call(r, load_them, 4, &reply, NULL), ERR_OK);
            rds_free(reply);
            redis_do(r, "ZADD", key, "5000", "shopify/x/7");
        }
        w.expect_version = 1;
        w.connection = "other";
        struct errinfo info = {0};
        assert_int_equal(set_store_save(r, &keys, &w, NULL, &info), ERR_CONFLICT);
        assert_non_null(strstr(info.text, "shopify/x/7"));
        w.connection = "acme";
        assert_int_equal(save(&w, ERR_OK), 2);

        redis_do(r, "ZREM", RDS_PREFIX "ready:acme", "shopify/x/7");
        redis_do(r, "ZREM", RDS_PREFIX "later:acme", "shopify/x/7");
        redis_do(r, "DEL", RDS_PREFIX "leases:acme");
        w.expect_version = 2;
        w.connection = "other";
        assert_int_equal(save(&w, ERR_OK), 3);
    }
}

static void test_a_deleted_store_leaves_a_tombstone_and_no_work(void **state)
{
    static const char fill[] =
        "for i = 1, 2500 do "
        "  local P, mine, its = KEYS[1], 'shopify/x/' .. i, 'shopify/xy/' .. i "
        "  local queue = ({[0] = 'later:acme', 'ready:acme', 'failed:acme'})[i % 3] "
        "  for _, O in ipairs({mine, its}) do "
        "    redis.call('ZADD', P .. queue, i, O) "
        "    redis.call('HSET', P .. 'order:' .. O, 'st', i % 3 == 2 and 'failed' or 'waiting') "
        "    if i % 3 == 2 then "
        "      redis.call('HSET', P .. 'order:' .. O, 'fg', 'account-invalid') "
        "      redis.call('HSET', P .. 'failrow:acme', O, '{}') "
        "      redis.call('HINCRBY', P .. 'failgroups:acme', 'account-invalid', 1) "
        "    end "
        "  end "
        "end";

    (void)state;
    struct set_store_write w = write_of("x", 0);
    w.secret[SET_WEBHOOK] = STR("one");
    save(&w, ERR_OK);
    w = write_of("xy", 0);
    save(&w, ERR_OK);
    redis_do(r, "EVAL", fill, "1", RDS_PREFIX);
    redis_do(r, "HSET", RDS_PREFIX "order:shopify/x/1", "st", "leased");
    assert_int_equal(redis_int(r, "HGET", RDS_PREFIX "failgroups:acme", "account-invalid"), 1666);

    assert_int_equal(set_store_delete(r, "shopify", "x", "ops", NULL), ERR_OK);
    struct set_store *s = load("x", ERR_OK);
    assert_true(s->deleted);
    assert_int_equal(s->version, 2);
    assert_null(s->secret[SET_WEBHOOK].p);
    assert_int_equal(s->secret_at[SET_WEBHOOK], 0);
    set_store_put(s);
    redis_says(NULL, r, "HGET", RDS_PREFIX "store:shopify/x", "doc");
    redis_says(NULL, r, "HGET", RDS_PREFIX "store:shopify/x", "secret:webhook");

    /* The other store's orders are all that is left. */
    assert_int_equal(redis_int(r, "ZCARD", RDS_PREFIX "ready:acme"), 834);
    assert_int_equal(redis_int(r, "ZCARD", RDS_PREFIX "later:acme"), 833);
    assert_int_equal(redis_int(r, "ZCARD", RDS_PREFIX "failed:acme"), 833);
    assert_int_equal(redis_int(r, "HLEN", RDS_PREFIX "failrow:acme"), 833);
    assert_int_equal(redis_int(r, "HGET", RDS_PREFIX "failgroups:acme", "account-invalid"), 833);
    assert_int_equal(redis_int(r, "ZSCORE", RDS_PREFIX "ready:acme", "shopify/xy/1"), 1);
    redis_says("leased", r, "HGET", RDS_PREFIX "order:shopify/x/1", "st");
    redis_says("skipped", r, "HGET", RDS_PREFIX "order:shopify/x/2", "st");
    redis_says("store_deleted", r, "HGET", RDS_PREFIX "order:shopify/x/3", "reason");
    redis_says("waiting", r, "HGET", RDS_PREFIX "order:shopify/xy/3", "st");

    struct arena arena = {0};
    struct str *list = NULL;
    size_t n = 0;
    assert_int_equal(set_store_list(r, &arena, &list, &n, NULL), ERR_OK);
    assert_int_equal(n, 1);
    assert_text(list[0], "shopify/xy");
    arena_free(&arena);

    /* Gone is gone; what an earlier call left undone is done; it may be made anew. */
    redis_do(r, "ZADD", RDS_PREFIX "ready:acme", "1", "shopify/x/9");
    assert_int_equal(set_store_delete(r, "shopify", "x", "ops", NULL), ERR_NOT_FOUND);
    redis_says(NULL, r, "ZSCORE", RDS_PREFIX "ready:acme", "shopify/x/9");
    assert_int_equal(set_store_delete(r, "shopify", "never", "ops", NULL), ERR_NOT_FOUND);
    w = write_of("x", 2);
    save(&w, ERR_CONFLICT);
    w = write_of("x", 0);
    w.added_day = "2026-05-05";
    assert_int_equal(save(&w, ERR_OK), 3);
    s = load("x", ERR_OK);
    assert_false(s->deleted);
    assert_string_equal(s->added_day, "2026-05-05");
    assert_null(s->secret[SET_WEBHOOK].p);
    set_store_put(s);
}

static void test_changes_are_in_the_audit(void **state)
{
    (void)state;
    struct set_store_write w = write_of("x", 0);
    w.secret[SET_WEBHOOK] = STR("one");
    save(&w, ERR_OK);
    struct rds_reply *last = redis_ask(r, "XREVRANGE", RDS_PREFIX "audit", "+", "-", "COUNT", "1");
    const struct rds_reply *fields = rds_at(rds_at(last, 0), 1);
    assert_text(rds_field(fields, "who"), "ops");
    assert_text(rds_field(fields, "what"), "create");
    assert_text(rds_field(fields, "object"), "store shopify/x");
    assert_text(rds_field(fields, "old"), "");
    assert_text(rds_field(fields, "new"), "{\"connection\":\"acme\",\"document\":" DOC_OF(
                                              "A-") ",\"secrets\":[\"webhook\"]}");
    rds_free(last);
}

/* ---- the cache ---- */

static _Atomic int64_t clock_ms = 1000000;
static int64_t test_clock(void)
{
    return atomic_load(&clock_ms);
}

/* The cached store's version, or the negative of the error. */
static int64_t version_of(struct set_cache *c, const char *id, bool refresh)
{
    struct set_store *s = NULL;
    enum err e = set_store_get(c, r, "shopify", id, refresh, &s, NULL);
    int64_t version = e == ERR_OK ? s->version : -(int64_t)e;

    set_store_put(s);
    return version;
}

static void test_the_cache_asks_redis_only_when_it_has_to(void **state)
{
    (void)state;
    struct set_store_write w = write_of("x", 0);
    struct set_cache *c = set_cache_new(&keys, 100);
    struct set_store *held = NULL, *s = NULL;

    set_cache_clock(c, test_clock);
    save(&w, ERR_OK);
    assert_int_equal(set_store_get(c, r, "shopify", "x", false, &held, NULL), ERR_OK);
    w.expect_version = 1;
    w.document = STR(DOC_OF("B-"));
    save(&w, ERR_OK);
    assert_int_equal(version_of(c, "x", false), 1);
    assert_int_equal(version_of(c, "x", true), 1); /* read within this second */
    clock_ms += 999;
    assert_int_equal(version_of(c, "x", true), 1);
    clock_ms += 1;
    assert_int_equal(version_of(c, "x", false), 1);
    assert_int_equal(version_of(c, "x", true), 2);

    /* What was handed out stays as it was. */
    assert_int_equal(held->version, 1);
    assert_text(held->options.invoice.prefix, "A-");
    set_store_put(held);

    /* Redis has said that a version is out of date: no rest then. */
    w.expect_version = 2;
    save(&w, ERR_OK);
    assert_int_equal(set_store_renew(c, r, "shopify", "x", 2, &s, NULL), ERR_OK);
    assert_int_equal(s->version, 3);
    set_store_put(s);
    w.expect_version = 3;
    save(&w, ERR_OK);
    assert_int_equal(set_store_renew(c, r, "shopify", "x", 2, &s, NULL), ERR_OK);
    assert_int_equal(s->version, 3); /* the cache had a newer one than that */
    set_store_put(s);
    set_cache_free(c);
}

static void test_a_redis_that_lost_its_last_changes_is_believed(void **state)
{
    struct set_cache *c = set_cache_new(&keys, 100);
    struct set_store_write w = write_of("x", 0);
    struct set_store *s = NULL;

    (void)state;
    set_cache_clock(c, test_clock);
    save(&w, ERR_OK);
    redis_do(r, "HSET", RDS_PREFIX "store:shopify/x", "version", "5");
    assert_int_equal(version_of(c, "x", false), 5);
    redis_do(r, "HSET", RDS_PREFIX "store:shopify/x", "version", "4");
    assert_int_equal(set_store_renew(c, r, "shopify", "x", 5, &s, NULL), ERR_OK);
    assert_int_equal(s->version, 4);
    set_store_put(s);
    redis_do(r, "HSET", RDS_PREFIX "store:shopify/x", "version", "3");
    assert_int_equal(set_store_read(c, r, "shopify", "x", &s, NULL), ERR_OK);
    assert_int_equal(s->version, 3);
    set_store_put(s);
    set_cache_free(c);
}

static void test_unknown_stores_are_remembered_for_a_second(void **state)
{
    (void)state;
    struct set_store_write w = write_of("new", 0);
    struct set_cache *c = set_cache_new(&keys, 100);

    set_cache_clock(c, test_clock);
    assert_int_equal(version_of(c, "new", false), -ERR_NOT_FOUND);
    save(&w, ERR_OK);
    assert_int_equal(version_of(c, "new", false), -ERR_NOT_FOUND);
    assert_int_equal(version_of(c, "new", true), -ERR_NOT_FOUND);
    clock_ms += 1000;
    assert_int_equal(version_of(c, "new", false), 1);
    /* What cannot be a store is not even asked for. */
    redis_do(r, "CONFIG", "RESETSTAT");
    assert_int_equal(version_of(c, "a/b", true), -ERR_NOT_FOUND);
    assert_int_equal(version_of(c, "a\nb", true), -ERR_NOT_FOUND);
    struct rds_reply *stats = redis_ask(r, "INFO", "commandstats");
    assert_false(holds(stats, "cmdstat_hgetall"));
    rds_free(stats);
    set_cache_free(c);
}

static void test_a_full_cache_still_serves_every_store(void **state)
{
    static const size_t sizes[] = {1, 3, 16};
    char id[50][8];

    (void)state;
    for (int i = 0; i < 50; i++) {
        snprintf(id[i], sizeof id[i], "s%d", i);
        struct set_store_write w = write_of(id[i], 0);
        save(&w, ERR_OK);
    }
    for (size_t k = 0; k < 3; k++) {
        struct set_cache *c = set_cache_new(&keys, sizes[k]);
        struct set_store *held = NULL;
        assert_int_equal(set_store_get(c, r, "shopify", "s0", false, &held, NULL), ERR_OK);
        for (int i = 0; i < 150; i++) {
            struct set_store *s = NULL;
            assert_int_equal(set_store_get(c, r, "shopify", id[i % 50], false, &s, NULL), ERR_OK);
            assert_string_equal(s->id, id[i % 50]);
            set_store_put(s);
        }
        assert_string_equal(held->id, "s0");
        set_cache_free(c);
        assert_text(held->options.invoice.prefix, "A-"); /* outlives the cache */
        set_store_put(held);
    }
}

static void test_a_store_that_cannot_be_read_is_an_error_not_an_absence(void **state)
{
    (void)state;
    struct set_store_write w = write_of("x", 0);
    save(&w, ERR_OK);
    redis_do(r, "HSET", RDS_PREFIX "store:shopify/x", "doc", "{\"settings\":{\"auto_sync\":1}}");
    struct errinfo info = {0};
    struct set_cache *c = set_cache_new(&keys, 4);
    struct set_store *s = NULL;
    assert_int_equal(set_store_get(c, r, "shopify", "x", false, &s, &info), ERR_RANGE);
    assert_non_null(strstr(info.text, "shopify/x"));
    assert_non_null(strstr(info.text, "settings.auto_sync"));
    redis_do(r, "HSET", RDS_PREFIX "store:shopify/x", "doc", DOC_OF("A-"));
    assert_int_equal(set_store_get(c, r, "shopify", "x", false, &s, &info), ERR_OK);
    set_store_put(s);
    set_cache_free(c);
}

struct reader {
    struct set_cache *cache;
    _Atomic bool *end;
    int64_t reads;
    bool wrong;
};

/* Reads two stores over and over: versions never go back, a store is always whole. */
static void *read_on(void *arg)
{
    struct reader *me = arg;
    struct rds *own = rds_take(pool, 5000);
    int64_t last[2] = {0};

    for (unsigned i = 0; !atomic_load(me->end) || i < 100; i++) {
        struct set_store *s = NULL;
        const char *id = i % 2 ? "two" : "one";
        enum err e = i % 7 == 3
                         ? set_store_renew(me->cache, own, "shopify", id, last[i % 2], &s, NULL)
                         : set_store_get(me->cache, own, "shopify", id, i % 5 == 0, &s, NULL);
        me->wrong = me->wrong || e != ERR_OK || s->version < last[i % 2] ||
                    strcmp(s->id, id) != 0 || !str_eq(s->secret[SET_WEBHOOK], str_of(id));
        if (e == ERR_OK)
            last[i % 2] = s->version;
        set_store_put(s);
        me->reads++;
        atomic_fetch_add(&clock_ms, 10);
    }
    rds_give(pool, own);
    return NULL;
}

static void test_many_threads_share_the_cache_while_settings_change(void **state)
{
    struct set_cache *c = set_cache_new(&keys, 2);
    struct reader reader[6];
    pthread_t thread[6];
    _Atomic bool end = false;

    (void)state;
    set_cache_clock(c, test_clock);
    for (int i = 0; i < 2; i++) {
        struct set_store_write w = write_of(i ? "two" : "one", 0);
        w.secret[SET_WEBHOOK] = str_of(w.id);
        save(&w, ERR_OK);
    }
    for (int i = 0; i < 6; i++) {
        reader[i] = (struct reader){.cache = c, .end = &end};
        assert_int_equal(pthread_create(&thread[i], NULL, read_on, &reader[i]), 0);
    }
    for (int i = 1; i <= 200; i++) {
        struct set_store_write w = write_of(i % 2 ? "one" : "two", (i + 1) / 2);
        w.secret[SET_WEBHOOK] = str_of(w.id);
        save(&w, ERR_OK);
    }
    atomic_store(&end, true);
    for (int i = 0; i < 6; i++) {
        pthread_join(thread[i], NULL);
        assert_false(reader[i].wrong);
        assert_true(reader[i].reads >= 100);
    }
    clock_ms += 1000;
    assert_int_equal(version_of(c, "one", true), 101);
    set_cache_free(c);
}

/* ---- connections ---- */

static struct set_conn conn(const char *name)
{
    struct set_conn c;
    struct errinfo info = {0};

    if (set_conn_get(r, name, &c, &info) != ERR_OK)
        fail_msg("%s", info.text);
    return c;
}

static void test_a_connection_is_read_as_it_was_saved(void **state)
{
    (void)state;
    redis_do(r, "ZADD", RDS_PREFIX "ready:acme", "1", "a", "2", "b");
    redis_do(r, "ZADD", RDS_PREFIX "later:acme", "1", "c");
    redis_do(r, "ZADD", RDS_PREFIX "failed:acme", "1", "d", "1", "e", "1", "f", "1", "g");
    redis_do(r, "ZADD", RDS_PREFIX "leases:acme", "1", "t");
    redis_do(r, "HSET", RDS_PREFIX "conn:acme", "tenant_name", "Acme Ltd", "day_left", "4321", "nb",
             "1790000000000", "why", "Xero is busy.", "status", "disconnected");
    struct set_conn c = conn("acme");
    assert_string_equal(c.name, "acme");
    assert_int_equal(c.status, SET_DISCONNECTED);
    assert_string_equal(c.tenant, "tenant-1");
    assert_string_equal(c.tenant_name, "Acme Ltd");
    assert_string_equal(c.grant_kind, "client_credentials");
    assert_string_equal(c.grant, "");
    assert_string_equal(c.client_id, "");
    assert_string_equal(c.hold_why, "Xero is busy.");
    assert_int_equal(c.version, 1);
    assert_int_equal(c.day_left, 4321);
    assert_int_equal(c.not_before_ms, 1790000000000);
    assert_int_equal(c.waiting, 3);
    assert_int_equal(c.failed, 4);
    assert_int_equal(c.leased, 1);
    assert_int_equal(conn("other").day_left, -1);
    assert_int_equal(set_conn_get(r, "third", &c, NULL), ERR_NOT_FOUND);
    assert_int_equal(set_conn_get(r, "acme:x", &c, NULL), ERR_NOT_FOUND);

    struct arena arena = {0};
    struct str *list = NULL;
    size_t n = 0;
    assert_int_equal(set_conn_list(r, &arena, &list, &n, NULL), ERR_OK);
    assert_int_equal(n, 2);
    assert_text(list[0], "acme");
    assert_text(list[1], "other");
    arena_free(&arena);
}

static void test_a_connection_changes_its_organisation_only_when_told_to(void **state)
{
    struct errinfo info = {0};
    bool created = true;

    (void)state;
    redis_do(r, "HSET", RDS_PREFIX "conn:acme", "status", "paused", "tenant_name", "Acme",
             "day_left", "7");
    redis_do(r, "HSET", RDS_PREFIX "contacts:acme", "mark", "id");
    struct set_conn_write w = {
        .name = "acme", .tenant = "tenant-9", .grant_kind = "client_credentials", .who = "ops"};
    assert_int_equal(set_conn_save(r, &keys, &w, &created, &info), ERR_CONFLICT);
    assert_non_null(strstr(info.text, "tenant-1"));
    assert_string_equal(conn("acme").tenant, "tenant-1");
    assert_int_equal(redis_int(r, "EXISTS", RDS_PREFIX "contacts:acme"), 1);

    w.force = true;
    redis_do(r, "ZADD", RDS_PREFIX "leases:acme", "1", "token");
    assert_int_equal(set_conn_save(r, &keys, &w, &created, &info), ERR_CONFLICT);
    assert_non_null(strstr(info.text, "being exported"));
    assert_string_equal(conn("acme").tenant, "tenant-1");
    redis_do(r, "DEL", RDS_PREFIX "leases:acme");
    assert_int_equal(set_conn_save(r, &keys, &w, &created, &info), ERR_OK);
    assert_false(created);
    struct set_conn c = conn("acme");
    assert_string_equal(c.tenant, "tenant-9");
    assert_string_equal(c.tenant_name, "");
    assert_int_equal(c.day_left, -1);
    assert_int_equal(c.status, SET_PAUSED); /* stays */
    assert_int_equal(c.version, 2);
    assert_int_equal(redis_int(r, "EXISTS", RDS_PREFIX "contacts:acme"), 0);

    /* After an uninstall it begins anew, with whatever organisation. */
    redis_do(r, "HSET", RDS_PREFIX "conn:acme", "status", "uninstalled");
    redis_do(r, "ZADD", RDS_PREFIX "ready:acme", "1", "shopify/x/1");
    w.tenant = "tenant-1";
    w.force = false;
    assert_int_equal(set_conn_save(r, &keys, &w, &created, &info), ERR_OK);
    assert_int_equal(conn("acme").status, SET_ACTIVE);
    assert_int_equal(redis_int(r, "ZSCORE", RDS_PREFIX "due", "acme"), 1); /* back in line */
    w.name = "Not A Name";
    assert_int_equal(set_conn_save(r, &keys, &w, &created, &info), ERR_RANGE);
}

/* Whether acme has this client and, unless NULL, this grant. */
static void expect_client(const char *client_id, const char *grant)
{
    struct set_conn c = conn("acme");

    assert_string_equal(c.client_id, client_id);
    if (grant)
        assert_string_equal(c.grant, grant);
}

static void acme_grant(char out[80])
{
    struct set_conn c = conn("acme");

    snprintf(out, 80, "%s", c.grant);
}

static void test_a_client_secret_goes_sealed_to_a_worker(void **state)
{
    struct errinfo info = {0};
    struct tsk_task task;
    struct js_doc doc = {0};
    struct buf plain = BUF_CAP(256);
    char grant[80], context[128];
    struct str text;

    (void)state;
    struct set_conn_write w = {.name = "acme",
                               .tenant = "tenant-1",
                               .grant_kind = "client_credentials",
                               .client_secret = STR("very-secret"),
                               .who = "ops"};
    assert_int_equal(set_conn_save(r, &keys, &w, NULL, &info), ERR_MISSING);
    w.client_id = "client-1";
    w.client_secret = (struct str){NULL, 0};
    assert_int_equal(set_conn_save(r, &keys, &w, NULL, &info), ERR_MISSING);
    assert_int_equal(tsk_lease(r, 60000, &task, &info), ERR_NOT_FOUND);
    w.client_secret = STR("very-secret");
    assert_int_equal(set_conn_save(r, &keys, &w, NULL, &info), ERR_OK);
    acme_grant(grant);
    snprintf(context, sizeof context, "task/client/%s", grant);
    assert_true(str_starts(str_of(grant), STR("c-acme-")));
    expect_client("client-1", grant);

    assert_int_equal(tsk_lease(r, 60000, &task, &info), ERR_OK);
    assert_string_equal(task.kind, "client");
    assert_int_equal(js_parse(task.input, 16384, &doc, &info), ERR_OK);
    assert_true(js_string(js_get(doc.root, "connection"), &text));
    assert_text(text, "acme");
    assert_true(js_string(js_get(doc.root, "grant"), &text));
    assert_text(text, grant);
    assert_true(js_string(js_get(doc.root, "client_id"), &text));
    assert_text(text, "client-1");
    assert_true(js_string(js_get(doc.root, "secret"), &text));
    assert_int_equal(cry_open(&keys, text, str_of(context), &plain, &info), ERR_OK);
    assert_text(buf_str(&plain), "very-secret");
    buf_free_secret(&plain);
    js_free(&doc);
    tsk_free(&task);

    /* Left out, both are kept; the secret alone may change; "" goes back to the default pair. */
    w.client_id = NULL;
    w.client_secret = (struct str){NULL, 0};
    assert_int_equal(set_conn_save(r, &keys, &w, NULL, &info), ERR_OK);
    expect_client("client-1", grant);
    w.client_secret = STR("another");
    assert_int_equal(set_conn_save(r, &keys, &w, NULL, &info), ERR_OK);
    expect_client("client-1", grant);
    assert_int_equal(tsk_lease(r, 60000, &task, &info), ERR_OK);
    assert_non_null(memmem(task.input.p, task.input.n, "\"client-1\"", 10));
    tsk_free(&task);
    w.client_id = "client-2"; /* nobody may use the old client's token for it */
    assert_int_equal(set_conn_save(r, &keys, &w, NULL, &info), ERR_OK);
    acme_grant(context);
    assert_string_not_equal(context, grant);
    w.client_id = "";
    w.client_secret = (struct str){NULL, 0};
    assert_int_equal(set_conn_save(r, &keys, &w, NULL, &info), ERR_OK);
    expect_client("", "");
}

static void test_connection_names(void **state)
{
    (void)state;
    assert_true(set_conn_name_ok(STR("acme-uk")));
    assert_true(set_conn_name_ok(STR("0")));
    assert_false(set_conn_name_ok(STR("")));
    assert_false(set_conn_name_ok(STR("-acme")));
    assert_false(set_conn_name_ok(STR("Acme")));
    assert_false(set_conn_name_ok(STR("a:b")));
    assert_true(set_conn_name_ok(
        (struct str){"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 64}));
    assert_false(set_conn_name_ok(
        (struct str){"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 65}));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_store_is_read_as_it_was_saved, fresh),
        cmocka_unit_test_setup(test_no_secret_stands_in_clear_in_redis, fresh),
        cmocka_unit_test_setup(test_secrets_are_kept_replaced_and_cleared_each_on_its_own, fresh),
        cmocka_unit_test_setup(test_a_pair_goes_to_a_worker_as_one, fresh),
        cmocka_unit_test_setup(test_a_sealed_secret_opens_in_its_place_only, fresh),
        cmocka_unit_test_setup(test_of_two_changes_the_second_is_refused, fresh),
        cmocka_unit_test_setup(test_the_same_change_sent_twice_is_made_once, fresh),
        cmocka_unit_test_setup(test_a_store_with_waiting_orders_stays_with_its_connection, fresh),
        cmocka_unit_test_setup(test_a_deleted_store_leaves_a_tombstone_and_no_work, fresh),
        cmocka_unit_test_setup(test_changes_are_in_the_audit, fresh),
        cmocka_unit_test_setup(test_the_cache_asks_redis_only_when_it_has_to, fresh),
        cmocka_unit_test_setup(test_unknown_stores_are_remembered_for_a_second, fresh),
        cmocka_unit_test_setup(test_a_full_cache_still_serves_every_store, fresh),
        cmocka_unit_test_setup(test_a_store_that_cannot_be_read_is_an_error_not_an_absence, fresh),
        cmocka_unit_test_setup(test_a_redis_that_lost_its_last_changes_is_believed, fresh),
        cmocka_unit_test_setup(test_many_threads_share_the_cache_while_settings_change, fresh),
        cmocka_unit_test_setup(test_a_connection_is_read_as_it_was_saved, fresh),
        cmocka_unit_test_setup(test_a_connection_changes_its_organisation_only_when_told_to, fresh),
        cmocka_unit_test_setup(test_a_client_secret_goes_sealed_to_a_worker, fresh),
        cmocka_unit_test(test_connection_names),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
