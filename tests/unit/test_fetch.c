#include "queue/fetch.h"

#include <pthread.h>

#include "service/base/metrics.h"
#include "tests/unit/redis_group.h"

#define A "amazon/A1AAAAAAAAAAA"
#define B "amazon/B1BBBBBBBBBBB"
#define SHOP "shopify/a.myshopify.com"

static int fresh(void **state)
{
    (void)state;
    redis_do(r, "FLUSHALL");
    for (int i = 0; i < 3; i++) {
        const char *stores[] = {A, B, SHOP};
        char key[128];

        snprintf(key, sizeof key, RDS_PREFIX "store:%s", stores[i]);
        redis_do(r, "HSET", key, "version", "1", "connection", "c");
        redis_do(r, "SADD", RDS_PREFIX "stores", stores[i]);
    }
    return 0;
}

static void ask(const char *store, const char *id)
{
    assert_int_equal(fet_ask(r, store, str_of(id), STR(""), false, NULL), ERR_OK);
}

static bool waits(const char *store, const char *id)
{
    bool is = false;

    assert_int_equal(fet_waits(r, store, str_of(id), &is, NULL), ERR_OK);
    return is;
}

static bool lease_once(struct fet_lease *l, int64_t ms, int max)
{
    struct errinfo info = {0};
    int64_t wait = 0;
    enum err e = fet_lease(r, "one", ms, max, l, &wait, &info);

    if (e != ERR_OK && e != ERR_NOT_FOUND)
        fail_msg("%s", info.text);
    return e == ERR_OK;
}

/* The next lease, within 10 s. */
static struct fet_lease lease(int64_t ms, int max)
{
    struct fet_lease l = {0};

    for (int naps = 0; naps < 2000; naps++) {
        if (lease_once(&l, ms, max))
            return l;
        redis_nap();
    }
    fail_msg("nothing was leased");
    return l;
}

static void nothing_due(void)
{
    struct fet_lease l;

    if (lease_once(&l, 60000, 20))
        fail_msg("%.*s of %s was leased", STR_FMT(l.items[0].id), l.store);
}

static enum fet_permit permit(struct fet_lease *l, const char *kind, int64_t cost,
                              const struct fet_said *said)
{
    enum fet_permit p = FET_LOST;
    int64_t wait = 0;

    assert_int_equal(fet_permit(r, l, 60000, kind, cost, said, &p, &wait, NULL), ERR_OK);
    assert_true(p != FET_WAIT || wait > 0);
    return p;
}

static void done(struct fet_lease *l, const struct fet_end *end)
{
    struct errinfo info = {0};

    if (fet_done(r, l, end, &info) != ERR_OK)
        fail_msg("%s", info.text);
    fet_lease_free(l);
}

/* Ends a lease, all of whose items are done. */
static void all_done(struct fet_lease *l)
{
    struct fet_report reports[20] = {0};

    assert_true(l->count <= 20);
    for (size_t i = 0; i < l->count; i++)
        reports[i] = (struct fet_report){.item = l->items[i].id, .outcome = FET_DONE};
    done(l, &(struct fet_end){.reports = reports, .count = l->count});
}

static void one_done(struct fet_lease *l, const struct fet_report *report)
{
    struct fet_report one = *report;

    one.item = l->items[0].id;
    done(l, &(struct fet_end){.reports = &one, .count = 1});
}

static void test_an_order_asked_for_twice_is_read_once(void **state)
{
    (void)state;
    ask(A, "1");
    ask(A, "1");
    ask(A, "2");
    assert_true(redis_int(r, "LLEN", RDS_PREFIX "fetchwake") > 0);
    assert_true(waits(A, "1") && waits(A, "2") && !waits(A, "3") && !waits(B, "1"));
    struct fet_lease l = lease(60000, 20);
    assert_true(waits(A, "1") && waits(A, "2") && !waits(A, "3"));
    assert_string_equal(l.store, A);
    assert_int_equal(l.count, 2);
    assert_true(str_eq(l.items[0].id, STR("1")));
    nothing_due(); /* one lease a store */
    ask(A, "1");   /* it changed again while it is read */
    all_done(&l);
    l = lease(60000, 20);
    assert_int_equal(l.count, 1);
    assert_true(str_eq(l.items[0].id, STR("1")));
    all_done(&l);
    nothing_due();
    assert_false(waits(A, "1"));
    assert_int_equal(redis_int(r, "ZCARD", RDS_PREFIX "fetchdue"), 0);
}

static void delete_store(const char *store)
{
    struct rds_reply *reply = NULL;
    struct str argv[] = {str_of(store), STR("change"), STR("admin")};

    assert_int_equal(rds_script(r, "store_delete", argv, 3, &reply, NULL), ERR_OK);
    rds_free(reply);
}

static void test_an_unknown_or_deleted_store_is_not_read(void **state)
{
    (void)state;
    assert_int_equal(fet_ask(r, "amazon/NONE", STR("1"), STR(""), false, NULL), ERR_NOT_FOUND);
    ask(A, "1");
    struct fet_lease l = lease(60000, 20);
    ask(A, "2");
    delete_store(A);
    assert_int_equal(permit(&l, FET_ORDER, 1, NULL), FET_LOST);
    fet_lease_free(&l);
    assert_int_equal(redis_int(r, "ZCARD", RDS_PREFIX "fetchdue"), 0);
    assert_int_equal(redis_int(r, "EXISTS", RDS_PREFIX "fetch:" A), 0);
}

static void test_no_more_orders_are_leased_than_there_are_calls(void **state)
{
    char id[8];

    (void)state;
    for (int i = 100; i < 150; i++) {
        snprintf(id, sizeof id, "%d", i);
        ask(A, id);
    }
    struct fet_lease l = lease(60000, 100);
    assert_int_equal(l.count, 29); /* one less than Amazon's burst, which begins later than ours */
    for (int i = 0; i < 29; i++)
        assert_int_equal(permit(&l, FET_ORDER, 1, NULL), FET_GO);
    assert_int_equal(permit(&l, FET_ORDER, 1, NULL), FET_WAIT);
    done(&l, &(struct fet_end){0}); /* nothing was read after all */
    nothing_due();                  /* the next call is two seconds away */
    assert_int_equal(redis_int(r, "ZCARD", RDS_PREFIX "fetch:" A), 50);
    ask(B, "1"); /* which is no other seller's business */
    l = lease(60000, 20);
    assert_string_equal(l.store, B);
    all_done(&l);
}

static void test_the_shops_word_on_its_limits_counts(void **state)
{
    struct fet_said slower = {.kind = FET_COST, .rate = "0.01", .burst = "40", .left = "15"};

    (void)state;
    ask(SHOP, "1");
    struct fet_lease l = lease(60000, 20);
    assert_int_equal(permit(&l, FET_COST, 900, NULL), FET_GO);
    assert_int_equal(permit(&l, FET_COST, 10, &slower), FET_GO);
    assert_int_equal(permit(&l, FET_COST, 10, NULL), FET_WAIT);
    /* What no bucket can hold goes once it is full, else it would wait for ever. */
    snprintf(slower.left, sizeof slower.left, "40");
    assert_int_equal(permit(&l, FET_COST, 900, &slower), FET_GO);
    all_done(&l);
}

static void test_a_dead_lease_is_taken_over_and_the_dead_is_refused(void **state)
{
    struct errinfo info = {0};

    (void)state;
    ask(A, "1");
    struct fet_lease dead = lease(1, 20);
    struct fet_lease next = lease(60000, 20);
    assert_int_equal(next.count, 1);
    assert_true(str_eq(next.items[0].id, STR("1")));
    assert_int_equal(permit(&dead, FET_ORDER, 1, NULL), FET_LOST);
    assert_int_equal(fet_done(r, &dead, &(struct fet_end){0}, &info), ERR_LOST);
    fet_lease_free(&dead);
    struct fet_end end = {.reports = &(struct fet_report){.item = next.items[0].id}, .count = 1};
    assert_int_equal(fet_done(r, &next, &end, &info), ERR_OK);
    assert_int_equal(fet_done(r, &next, &end, &info), ERR_LOST); /* sent twice */
    fet_lease_free(&next);
    nothing_due();
}

static void test_what_kills_its_workers_is_dropped_and_its_neighbours_are_read(void **state)
{
    bool healthy = false;
    int deaths = 0;

    (void)state;
    redis_do(r, "HSET", RDS_PREFIX "order:" A "/bad", "on", "1", "st", "skipped", "name", "1-2-3");
    ask(A, "bad");
    ask(A, "good");
    while (!healthy || redis_int(r, "ZCARD", RDS_PREFIX "fetchlease:" A) > 0 ||
           redis_int(r, "ZCARD", RDS_PREFIX "fetch:" A) > 0) {
        struct fet_lease l;
        bool bad = false;

        if (!lease_once(&l, 20, 20)) {
            redis_nap();
            continue;
        }
        for (size_t i = 0; i < l.count; i++)
            bad = bad || str_eq(l.items[i].id, STR("bad"));
        deaths += bad;
        assert_true(deaths < 6);
        healthy = healthy || !bad;
        if (bad)
            fet_lease_free(&l);
        else
            all_done(&l);
    }
    assert_int_equal(deaths, 4); /* together once, then alone three times */
    assert_int_equal(redis_int(r, "XLEN", RDS_PREFIX "log:c"), 1);
    /* People see it, as an order at which the shop always fails. */
    assert_int_equal(redis_int(r, "ZCARD", RDS_PREFIX "failed:c"), 1);
    assert_int_equal(redis_int(r, "HEXISTS", RDS_PREFIX "failrow:c", A "/bad"), 1);
    redis_says("1", r, "HGET", RDS_PREFIX "failgroups:c", "poison");
    redis_says("failed", r, "HGET", RDS_PREFIX "order:" A "/bad", "st");
}

static void test_who_waits_or_comes_late_lives(void **state)
{
    struct fet_said said = {.kind = FET_COST, .rate = "0.001", .burst = "1000", .left = "0"};

    (void)state;
    ask(SHOP, "1");
    struct fet_lease l = lease(1000, 20);
    int64_t until = l.until_ms;
    assert_int_equal(permit(&l, FET_COST, 700, &said), FET_WAIT); /* for another minute */
    assert_true(l.until_ms > until);
    fet_lease_free(&l);
    ask(A, "1");
    l = lease(1, 20);
    for (int i = 0; i < 5; i++) { /* its lease ends, another's begins, and then it comes back */
        struct fet_lease next = lease(1, 20);

        redis_says("1", r, "HGET", RDS_PREFIX "fetchdied:" A, "1");
        assert_int_equal(fet_alive(r, &l, NULL), ERR_OK);
        fet_lease_free(&l);
        l = next;
    }
    fet_lease_free(&l);
}

static void test_a_held_store_waits_and_is_logged_once(void **state)
{
    (void)state;
    for (int i = 1; i <= 2; i++) {
        ask(A, "1");
        struct fet_lease l = lease(60000, 20);
        assert_int_equal(l.failures, i - 1);
        done(&l, &(struct fet_end){.hold_ms = 60000, .why = "Amazon is away."});
        nothing_due();
        if (i == 1) /* until its time comes */
            redis_do(r, "HDEL", RDS_PREFIX "seller:" A, "nb");
    }
    assert_int_equal(redis_int(r, "XLEN", RDS_PREFIX "log:c"), 1);
    assert_int_equal(fet_release(r, A, NULL), ERR_OK);
    struct fet_lease l = lease(60000, 20);
    assert_int_equal(l.failures, 0);
    all_done(&l);
}

static void test_what_may_wait_comes_after_what_was_asked_for(void **state)
{
    int64_t repairs = 0;

    (void)state;
    redis_do(r, "HSET", RDS_PREFIX "store:" A, "secret_at:refresh_token", "1");
    assert_int_equal(fet_sweep(r, true, &repairs, NULL), ERR_OK);
    assert_int_equal(repairs, 0);
    ask(A, "1");
    struct fet_lease l = lease(60000, 20);
    assert_true(str_eq(l.items[0].id, STR("1")));
    all_done(&l);
    l = lease(60000, 20);
    assert_int_equal(l.count, 1);
    assert_true(str_eq(l.items[0].id, STR(FET_RECONCILE)));
    assert_int_equal(l.items[0].state.n, 0);
    struct fet_report page = {
        .item = l.items[0].id, .outcome = FET_AGAIN, .delay_ms = 0, .state = STR("page 2")};
    done(&l, &(struct fet_end){
                 .reports = &page, .count = 1, .reconciled_to = STR("2026-01-31T00:00:00Z")});
    redis_says("2026-01-31T00:00:00Z", r, "HGET", RDS_PREFIX "store:" A, "reconciled_to");
    l = lease(60000, 20);
    assert_true(str_eq(l.items[0].state, STR("page 2")));
    one_done(&l, &(struct fet_report){.outcome = FET_AGAIN, .delay_ms = 900000});
    nothing_due();
    /* An order that may wait goes behind; asked for by somebody else, it does not. */
    assert_int_equal(fet_ask(r, A, STR("8"), STR("backfill"), true, NULL), ERR_OK);
    assert_int_equal(fet_ask(r, A, STR("7"), STR(""), false, NULL), ERR_OK);
    assert_int_equal(fet_ask(r, A, STR("7"), STR("backfill"), true, NULL), ERR_OK);
    l = lease(60000, 20);
    assert_true(l.count == 1 && str_eq(l.items[0].id, STR("7")) && l.items[0].state.n == 0);
    all_done(&l);
    l = lease(60000, 20);
    assert_true(str_eq(l.items[0].id, STR("8")) && str_eq(l.items[0].state, STR("backfill")));
    all_done(&l);
    nothing_due();
    /* No token any more: no reconciliation either. */
    redis_do(r, "HDEL", RDS_PREFIX "store:" A, "secret_at:refresh_token");
    redis_do(r, "DEL", RDS_PREFIX "fetchsweep");
    assert_int_equal(fet_sweep(r, true, &repairs, NULL), ERR_OK);
    assert_int_equal(redis_int(r, "ZCARD", RDS_PREFIX "fetchlater:" A), 0);
}

static void ask_by_hand(const char *id)
{
    assert_int_equal(fet_ask(r, SHOP, str_of(id), STR("export:me"), false, NULL), ERR_OK);
}

static void test_who_asks_by_hand_gets_it_whoever_else_asks(void **state)
{
    struct fet_lease l;

    (void)state;
    /* While it is read for a pass. */
    assert_int_equal(fet_ask(r, SHOP, STR("1"), STR("backfill"), true, NULL), ERR_OK);
    l = lease(60000, 20);
    ask_by_hand("1");
    all_done(&l);
    l = lease(60000, 20);
    assert_true(str_eq(l.items[0].state, STR("export:me")));
    /* While it is read by hand a pass wants it too, and its worker dies. */
    assert_int_equal(fet_ask(r, SHOP, STR("1"), STR("backfill"), true, NULL), ERR_OK);
    done(&l, &(struct fet_end){0});
    l = lease(60000, 20);
    assert_true(str_eq(l.items[0].state, STR("export:me")));
    all_done(&l);
    nothing_due();
    /* While it waits for a pass; then it is read once, and not as the pass would have it. */
    assert_int_equal(fet_ask(r, SHOP, STR("1"), STR("backfill"), true, NULL), ERR_OK);
    ask(SHOP, "1");
    l = lease(60000, 20);
    assert_int_equal(l.items[0].state.n, 0);
    all_done(&l);
    nothing_due();
    assert_int_equal(redis_int(r, "EXISTS", RDS_PREFIX "fetchstate:" SHOP), 0);
}

static void test_what_may_wait_does_not_spend_what_an_order_waits_for(void **state)
{
    struct fet_said said = {.kind = FET_COST, .rate = "500", .burst = "1000", .left = "200"};
    struct fet_lease l;

    (void)state;
    ask(SHOP, "2");
    ask(SHOP, "1");
    assert_int_equal(fet_ask(r, SHOP, STR(FET_RECONCILE), STR(""), true, NULL), ERR_OK);
    l = lease(60000, 20);
    assert_int_equal(permit(&l, FET_COST, 700, &said), FET_WAIT);
    done(&l, &(struct fet_end){0});
    nothing_due(); /* 200 points would be enough for a page */
    l = lease(60000, 20);
    assert_int_equal(l.count, 2);
    assert_int_equal(permit(&l, FET_COST, 700, NULL), FET_GO);
    all_done(&l);
    l = lease(60000, 20);
    assert_true(str_eq(l.items[0].id, STR(FET_RECONCILE)));
    all_done(&l);
}

static void test_what_was_not_read_goes_back_to_its_place(void **state)
{
    (void)state;
    assert_int_equal(fet_ask(r, A, STR("1"), STR(""), true, NULL), ERR_OK);
    redis_nap();
    assert_int_equal(fet_ask(r, A, STR("0"), STR(""), true, NULL), ERR_OK);
    for (int i = 0; i < 2; i++) {
        struct fet_lease l = lease(i == 0 ? 1 : 60000, 20);

        assert_true(str_eq(l.items[0].id, STR("1")));
        if (i == 0)
            fet_lease_free(&l); /* its worker dies */
        else
            done(&l, &(struct fet_end){0});
    }
    struct fet_lease l = lease(60000, 20);
    assert_true(str_eq(l.items[0].id, STR("1")));
    all_done(&l);
}

static void status(const char *want, const char *id)
{
    char key[64];

    snprintf(key, sizeof key, RDS_PREFIX "task:%s", id);
    redis_says(want, r, "HGET", key, "status");
}

static void test_a_deleted_stores_reading_ends_even_if_it_comes_back(void **state)
{
    struct fet_end end = {.reconciled_to = STR("2026-01-31T00:00:00Z")};
    char paused[37], running[37];

    (void)state;
    assert_int_equal(fet_task_add(r, "backfill", A, STR("{\"from\":1}"), "admin", paused, NULL),
                     ERR_OK);
    assert_int_equal(fet_task_set(r, paused, "pause", "admin", NULL), ERR_OK);
    assert_int_equal(fet_task_add(r, "check", A, STR("{\"from\":2}"), "admin", running, NULL),
                     ERR_OK);
    struct fet_lease l = lease(60000, 20);
    delete_store(A);
    status("cancelled", paused);
    status("cancelled", running);
    redis_do(r, "HDEL", RDS_PREFIX "store:" A, "deleted"); /* it is added again */
    assert_int_equal(permit(&l, FET_SEARCH, 1, NULL), FET_LOST);
    assert_int_equal(fet_done(r, &l, &end, NULL), ERR_LOST);
    fet_lease_free(&l);
    assert_int_equal(redis_int(r, "HEXISTS", RDS_PREFIX "store:" A, "reconciled_to"), 0);
    assert_int_equal(fet_task_set(r, paused, "resume", "admin", NULL), ERR_CONFLICT);
    nothing_due();
    redis_do(r, "SADD", RDS_PREFIX "stores", A);
}

/* A look for something to do, which there is not: ms until WHO should look again. */
static int64_t idle_ms(const char *who)
{
    struct fet_lease l;
    int64_t wait = 0;

    assert_int_equal(fet_lease(r, who, 60000, 20, &l, &wait, NULL), ERR_NOT_FOUND);
    return wait;
}

/* How often the bell rang since the last time. */
static int64_t rings(void)
{
    int64_t n = redis_int(r, "LLEN", RDS_PREFIX "fetchwake");

    redis_do(r, "DEL", RDS_PREFIX "fetchwake");
    return n;
}

static void test_one_alone_waits_for_a_lanes_time(void **state)
{
    (void)state;
    redis_do(r, "HSET", RDS_PREFIX "seller:" A, "order:tokens", "-1", "order:at", "9999999999999");
    assert_true(idle_ms("one") == 5000 && idle_ms("two") == 5000);
    ask(A, "1");
    assert_int_equal(rings(), 1); /* nobody knows of its time, in four seconds */
    int64_t wait = idle_ms("one");
    assert_true(wait > 0 && wait <= 4000);
    assert_int_equal(idle_ms("two"), 5000);
    assert_true(idle_ms("one") <= wait); /* woken in between, it waits again */
    ask(A, "2");
    assert_int_equal(rings(), 0);
    /* Another one takes what comes: the first still waits. */
    ask(B, "1");
    assert_int_equal(rings(), 1);
    struct fet_lease l;
    assert_int_equal(fet_lease(r, "two", 60000, 20, &l, &wait, NULL), ERR_OK);
    all_done(&l);
    assert_int_equal(rings(), 0);
    /* Who waits takes it: another one has to wait instead. */
    ask(B, "1");
    assert_int_equal(rings(), 1);
    assert_int_equal(fet_lease(r, "one", 60000, 20, &l, &wait, NULL), ERR_OK);
    assert_int_equal(rings(), 1);
    assert_true(idle_ms("two") <= 4000);
    all_done(&l);
    assert_int_equal(rings(), 0);
    assert_int_equal(idle_ms("one"), 5000);
    /* An earlier time is told. */
    redis_do(r, "HSET", RDS_PREFIX "seller:" B, "order:tokens", "0.5", "order:at", "9999999999999");
    ask(B, "2");
    assert_int_equal(rings(), 1);
    assert_true(idle_ms("one") <= 1000);
    /* Who has put a lane back to an earlier time, and takes another one, hands that on too. */
    fresh(NULL);
    redis_do(r, "HSET", RDS_PREFIX "seller:" A, "order:tokens", "-1", "order:at", "9999999999999");
    ask(A, "1");
    ask(B, "1");
    assert_int_equal(fet_lease(r, "two", 60000, 20, &l, &wait, NULL), ERR_OK);
    assert_true(idle_ms("one") <= 4000);
    ask(SHOP, "1");
    done(&l, &(struct fet_end){.hold_ms = 1000});
    (void)rings();
    assert_int_equal(fet_lease(r, "two", 60000, 20, &l, &wait, NULL), ERR_OK);
    assert_string_equal(l.store, SHOP);
    assert_int_equal(rings(), 1);
    all_done(&l);
}

static void test_a_lost_lane_is_put_back_and_counted(void **state)
{
    int64_t repairs = 0;

    (void)state;
    ask(A, "1");
    redis_do(r, "DEL", RDS_PREFIX "fetchdue");
    nothing_due();
    assert_int_equal(fet_sweep(r, true, &repairs, NULL), ERR_OK);
    assert_int_equal(repairs, 1);
    struct fet_lease l = lease(60000, 20);
    all_done(&l);
}

static void test_a_backfill_is_paused_resumed_and_ends_its_task(void **state)
{
    char id[37], key[64];

    (void)state;
    assert_int_equal(fet_task_add(r, "backfill", A, STR("{\"from\":1}"), "admin", id, NULL),
                     ERR_OK);
    snprintf(key, sizeof key, RDS_PREFIX "task:%s", id);
    status("waiting", id);
    struct fet_lease l = lease(60000, 20);
    assert_true(str_starts(l.items[0].id, STR(FET_BACKFILL)));
    assert_true(str_eq(l.items[0].state, STR("{\"from\":1}")));
    /* Paused in the middle of a page: where it stands is kept. */
    assert_int_equal(fet_task_set(r, id, "pause", "admin", NULL), ERR_OK);
    assert_int_equal(fet_task_set(r, id, "pause", "admin", NULL), ERR_OK);
    one_done(&l, &(struct fet_report){.outcome = FET_AGAIN,
                                      .state = STR("{\"page\":2}"),
                                      .progress = STR("{\"done\":5}")});
    redis_says("{\"done\":5}", r, "HGET", key, "progress");
    status("paused", id);
    nothing_due();
    assert_int_equal(fet_task_set(r, id, "resume", "admin", NULL), ERR_OK);
    l = lease(60000, 20);
    assert_true(str_eq(l.items[0].state, STR("{\"page\":2}")));
    one_done(&l, &(struct fet_report){.outcome = FET_DONE,
                                      .progress = STR("{\"done\":9}"),
                                      .result = STR("{\"done\":9}")});
    status("done", id);
    redis_says("{\"done\":9}", r, "HGET", key, "result");
    assert_true(redis_int(r, "TTL", key) > 0);
    assert_int_equal(redis_int(r, "EXISTS", RDS_PREFIX "fetchstate:" A), 0);
    assert_int_equal(fet_task_set(r, id, "pause", "admin", NULL), ERR_CONFLICT);
    assert_int_equal(fet_task_set(r, "no", "pause", "admin", NULL), ERR_NOT_FOUND);
}

/* Of A's lane: a backfill and a check that were refused; with MENDED, it got another token while
 * they were. */
static void refuse(const char *kind, bool mended)
{
    char id[37];

    fresh(NULL);
    assert_int_equal(fet_task_add(r, kind, A, STR("{\"from\":1}"), "admin", id, NULL), ERR_OK);
    struct fet_lease l = lease(60000, 20);
    if (mended)
        assert_int_equal(fet_release(r, A, NULL), ERR_OK);
    struct fet_report report = {
        .item = l.items[0].id, .outcome = FET_FAILED, .result = STR("{\"error\":\"no\"}")};
    done(&l, &(struct fet_end){.hold_ms = 60000,
                               .why = "Enter a new token.",
                               .refused = true,
                               .reports = &report,
                               .count = 1});
    assert_int_equal(redis_int(r, "HEXISTS", RDS_PREFIX "seller:" A, "nb"), !mended);
    status(mended ? "waiting" : "failed", id);
    if (!mended)
        return;
    l = lease(60000, 20);
    assert_true(str_eq(l.items[0].state, STR("{\"from\":1}")));
    one_done(&l, &(struct fet_report){.outcome = FET_DONE});
    status("done", id);
}

static void test_a_refusal_counts_only_for_the_token_that_it_was_of(void **state)
{
    struct fet_lease l;

    (void)state;
    refuse("backfill", false);
    refuse("backfill", true);
    refuse("check", false);
    refuse("check", true);
    /* A shop that is away is so whatever the token, and the next refusal counts. */
    for (int refused = 0; refused < 2; refused++) {
        ask(A, "1");
        l = lease(60000, 20);
        if (!refused)
            assert_int_equal(fet_release(r, A, NULL), ERR_OK);
        done(&l, &(struct fet_end){.hold_ms = 60000, .why = "Why", .refused = refused});
        assert_int_equal(redis_int(r, "HEXISTS", RDS_PREFIX "seller:" A, "nb"), 1);
        assert_int_equal(fet_release(r, A, NULL), ERR_OK);
    }
}

static void test_tries_are_counted_only_under_a_lease(void **state)
{
    int64_t tries = 0;

    (void)state;
    ask(A, "1");
    struct fet_lease l = lease(60000, 20);
    for (int i = 1; i <= 2; i++) {
        assert_int_equal(fet_tried(r, &l, &l.items[0], &tries, NULL), ERR_OK);
        assert_int_equal(tries, i);
    }
    delete_store(A);
    assert_int_equal(fet_tried(r, &l, &l.items[0], &tries, NULL), ERR_OK);
    assert_int_equal(tries, 0);
    assert_int_equal(redis_int(r, "EXISTS", RDS_PREFIX "fetchtries:" A), 0);
    fet_lease_free(&l);
}

static void test_a_check_is_made_at_once_though_the_lease_before_it_is_refused(void **state)
{
    struct fet_end refused = {.hold_ms = 900000, .why = "Enter a new token.", .refused = true};
    struct fet_end limited = {.hold_ms = 900000, .why = ""};
    char id[37];

    (void)state;
    ask(A, "1");
    struct fet_lease l = lease(60000, 20);
    assert_int_equal(fet_task_add(r, "check", A, STR("{}"), "admin", id, NULL), ERR_OK);
    done(&l, &refused);
    l = lease(60000, 20);
    assert_true(str_starts(l.items[0].id, STR(FET_CHECK)));
    /* Its own refusal holds the rest; the shop's own limit holds a check, too. */
    refused.reports = &(struct fet_report){.item = l.items[0].id};
    refused.count = 1;
    done(&l, &refused);
    nothing_due();
    assert_int_equal(fet_task_add(r, "check", A, STR("{}"), "admin", id, NULL), ERR_OK);
    l = lease(60000, 20);
    done(&l, &limited);
    nothing_due();
}

static void test_a_cancelled_backfill_leaves_nothing(void **state)
{
    char id[37];

    (void)state;
    assert_int_equal(fet_task_add(r, "backfill", A, STR("{}"), "admin", id, NULL), ERR_OK);
    struct fet_lease l = lease(60000, 20);
    assert_int_equal(fet_task_set(r, id, "cancel", "admin", NULL), ERR_OK);
    one_done(&l, &(struct fet_report){.outcome = FET_AGAIN, .state = STR("{\"page\":2}")});
    nothing_due();
    status("cancelled", id);
    assert_int_equal(redis_int(r, "EXISTS", RDS_PREFIX "fetchstate:" A), 0);
    assert_int_equal(fet_task_set(r, id, "resume", "admin", NULL), ERR_CONFLICT);
    /* Cancelled, and paused, while it is read by a worker that dies. */
    static const char *const set[] = {"cancel", "pause"};

    for (int i = 0; i < 2; i++) {
        assert_int_equal(fet_task_add(r, "backfill", A, STR("{}"), "admin", id, NULL), ERR_OK);
        l = lease(1, 20);
        fet_lease_free(&l);
        assert_int_equal(fet_task_set(r, id, set[i], "admin", NULL), ERR_OK);
        ask(A, "1"); /* what the next worker finds */
        l = lease(60000, 20);
        assert_true(str_eq(l.items[0].id, STR("1")));
        all_done(&l);
        nothing_due();
    }
}

static int64_t left(const char *key)
{
    return redis_int(r, "EXISTS", key);
}

static void test_a_check_goes_before_waiting_orders_and_ends_its_task(void **state)
{
    char id[37], key[64];

    (void)state;
    ask(A, "1");
    ask(A, "2");
    assert_int_equal(fet_task_add(r, "check", A, STR("{\"url\":1}"), "admin", id, NULL), ERR_OK);
    snprintf(key, sizeof key, RDS_PREFIX "task:%s", id);
    struct fet_lease l = lease(60000, 20);
    assert_int_equal(l.count, 1);
    assert_true(str_starts(l.items[0].id, STR(FET_CHECK)));
    assert_true(str_eq(l.items[0].state, STR("{\"url\":1}")));
    one_done(&l, &(struct fet_report){.outcome = FET_AGAIN, .delay_ms = 600000});
    status("waiting", id);
    l = lease(60000, 20); /* what waits for the shop is not waited for by orders */
    assert_int_equal(l.count, 2);
    done(&l, &(struct fet_end){0});
    assert_int_equal(fet_task_set(r, id, "cancel", "admin", NULL), ERR_OK);
    status("cancelled", id);
    assert_int_equal(left(RDS_PREFIX "fetchfirst:" A) + left(RDS_PREFIX "fetchstate:" A), 0);

    assert_int_equal(fet_task_add(r, "check", A, STR("{}"), "admin", id, NULL), ERR_OK);
    l = lease(60000, 20);
    one_done(&l, &(struct fet_report){.outcome = FET_DONE, .result = STR("{\"good\":1}")});
    status("done", id);
    snprintf(key, sizeof key, RDS_PREFIX "task:%s", id);
    redis_says("{\"good\":1}", r, "HGET", key, "result");
    assert_int_equal(redis_int(r, "HEXISTS", key, "progress"), 0);
    assert_int_equal(left(RDS_PREFIX "fetchstate:" A), 0);
    assert_int_equal(fet_task_set(r, id, "cancel", "admin", NULL), ERR_CONFLICT);
}

static void test_a_check_is_made_where_a_refusal_holds_the_store_but_not_against_a_limit(
    void **state)
{
    char id[37];

    (void)state;
    for (int limit = 0; limit < 2; limit++) {
        fresh(NULL);
        ask(A, "1");
        struct fet_lease l = lease(60000, 20);
        struct fet_end end = {.hold_ms = 600000, .why = limit ? "" : "The token is wrong."};

        assert_int_equal(fet_done(r, &l, &end, NULL), ERR_OK);
        fet_lease_free(&l);
        nothing_due();
        assert_int_equal(fet_task_add(r, "check", A, STR("{}"), "admin", id, NULL), ERR_OK);
        if (limit) {
            nothing_due();
            continue;
        }
        l = lease(60000, 20);
        assert_true(str_starts(l.items[0].id, STR(FET_CHECK)));
        done(&l, &(struct fet_end){0});
    }
}

static void test_a_task_that_kills_its_workers_fails(void **state)
{
    char id[37];

    (void)state;
    assert_int_equal(fet_task_add(r, "check", A, STR("{}"), "admin", id, NULL), ERR_OK);
    for (int death = 0; death < 3; death++) {
        struct fet_lease l = lease(1, 20);

        assert_true(str_starts(l.items[0].id, STR(FET_CHECK)));
        fet_lease_free(&l);
    }
    for (int naps = 0; naps < 2000 && left(RDS_PREFIX "fetchlease:" A); naps++) {
        nothing_due();
        redis_nap();
    }
    status("failed", id);
    assert_int_equal(left(RDS_PREFIX "fetchfirst:" A) + left(RDS_PREFIX "fetchstate:" A), 0);
}

/* ---- several workers ---- */

#define RUN_MS 600
#define THREADS 8

static struct rds_pool *many;
static _Atomic int given[2]; /* permits, by seller */

/* One worker: leases, takes what permits it gets, hands back the rest. */
static void *work(void *arg)
{
    struct rds *own = rds_take(many, 5000);
    int64_t end = met_now_ns() / 1000000 + RUN_MS, now;

    assert_non_null(own);
    while ((now = met_now_ns() / 1000000) < end) {
        struct fet_report reports[20] = {0};
        struct fet_lease l;
        int64_t wait = 0;
        size_t n = 0;

        if (fet_lease(own, arg, 60000, 3, &l, &wait, NULL) != ERR_OK) {
            if (!rds_wait_list(own, fet_wake_key(), (int)(wait < end - now ? wait : end - now)))
                redis_nap();
            continue;
        }
        for (; n < l.count; n++) {
            enum fet_permit p = FET_LOST;

            assert_int_equal(fet_permit(own, &l, 60000, FET_ORDER, 1, NULL, &p, &wait, NULL),
                             ERR_OK);
            if (p != FET_GO)
                break;
            given[strcmp(l.store, A) == 0 ? 0 : 1]++;
            reports[n] = (struct fet_report){.item = l.items[n].id};
        }
        assert_int_equal(fet_done(own, &l, &(struct fet_end){.reports = reports, .count = n}, NULL),
                         ERR_OK);
        fet_lease_free(&l);
    }
    rds_give(many, own);
    return NULL;
}

static void test_workers_together_keep_to_each_sellers_limit(void **state)
{
    char names[][2] = {"1", "2", "3", "4", "5", "6", "7", "8"};
    pthread_t threads[THREADS];
    char id[8];

    (void)state;
    for (int i = 1000; i < 1400; i++) {
        snprintf(id, sizeof id, "%d", i);
        ask(A, id);
        if (i < 1040)
            ask(B, id);
    }
    redis_do(r, "HSET", RDS_PREFIX "seller:" A, "order:rate", "50", "order:burst", "5");
    redis_do(r, "HSET", RDS_PREFIX "seller:" B, "order:rate", "1000", "order:burst", "100");
    assert_int_equal(rds_pool_new(server.url, THREADS, &many, NULL), ERR_OK);
    int64_t begun = met_now_ns() / 1000000;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, names[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    int64_t ms = met_now_ns() / 1000000 - begun;
    rds_pool_free(many);
    assert_true(given[0] <= 5 + ms * 50 / 1000 + 1);
    assert_true(given[0] >= 5 + RUN_MS * 50 / 1000 / 2); /* and they do use it */
    assert_int_equal(given[1], 40);                      /* the other seller was not slowed */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_an_order_asked_for_twice_is_read_once, fresh),
        cmocka_unit_test_setup(test_an_unknown_or_deleted_store_is_not_read, fresh),
        cmocka_unit_test_setup(test_no_more_orders_are_leased_than_there_are_calls, fresh),
        cmocka_unit_test_setup(test_the_shops_word_on_its_limits_counts, fresh),
        cmocka_unit_test_setup(test_a_dead_lease_is_taken_over_and_the_dead_is_refused, fresh),
        cmocka_unit_test_setup(test_what_kills_its_workers_is_dropped_and_its_neighbours_are_read,
                               fresh),
        cmocka_unit_test_setup(test_who_waits_or_comes_late_lives, fresh),
        cmocka_unit_test_setup(test_a_held_store_waits_and_is_logged_once, fresh),
        cmocka_unit_test_setup(test_what_may_wait_comes_after_what_was_asked_for, fresh),
        cmocka_unit_test_setup(test_who_asks_by_hand_gets_it_whoever_else_asks, fresh),
        cmocka_unit_test_setup(test_what_may_wait_does_not_spend_what_an_order_waits_for, fresh),
        cmocka_unit_test_setup(test_what_was_not_read_goes_back_to_its_place, fresh),
        cmocka_unit_test_setup(test_a_deleted_stores_reading_ends_even_if_it_comes_back, fresh),
        cmocka_unit_test_setup(test_one_alone_waits_for_a_lanes_time, fresh),
        cmocka_unit_test_setup(test_a_lost_lane_is_put_back_and_counted, fresh),
        cmocka_unit_test_setup(test_a_backfill_is_paused_resumed_and_ends_its_task, fresh),
        cmocka_unit_test_setup(test_a_refusal_counts_only_for_the_token_that_it_was_of, fresh),
        cmocka_unit_test_setup(test_tries_are_counted_only_under_a_lease, fresh),
        cmocka_unit_test_setup(test_a_check_is_made_at_once_though_the_lease_before_it_is_refused,
                               fresh),
        cmocka_unit_test_setup(test_a_cancelled_backfill_leaves_nothing, fresh),
        cmocka_unit_test_setup(test_a_check_goes_before_waiting_orders_and_ends_its_task, fresh),
        cmocka_unit_test_setup(
            test_a_check_is_made_where_a_refusal_holds_the_store_but_not_against_a_limit, fresh),
        cmocka_unit_test_setup(test_a_task_that_kills_its_workers_fails, fresh),
        cmocka_unit_test_setup(test_workers_together_keep_to_each_sellers_limit, fresh),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
