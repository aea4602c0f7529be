#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "handlers/server.h"
#include "queue/grants.h"
#include "queue/jobs.h"
#include "service/base/config.h"
#include "service/base/limits.h"
#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/base/process.h"
#include "service/export/export.h"
#include "service/export/fetcher.h"
#include "service/export/poller.h"

#define PROGRAM "ledgerhook-worker"

enum { EXIT_STOPPED = 0, EXIT_OTHER = 1, EXIT_CONFIG = 2, EXIT_REDIS = 3 };

#define OPS_THREADS 4
#define STACK_BYTES (512u << 10)

/* Stores kept in memory with their settings; a store takes about 10 KB. */
#define CACHED_STORES 1024

/* Tries to reach Redis at start: pauses of 0.1 s doubled up to 2 s, about 10 s in all. */
#define REDIS_TRIES 10
#define REDIS_PAUSE_MS 100
#define REDIS_PAUSE_MAX_MS 2000

/* While Redis is away each thread tries again after 0.2 to 1 s. */
#define AWAY_MS 200
#define AWAY_JITTER_MS 800

/* Orders of one store that are read under one lease, at most. */
#define FETCH_BATCH 20

/* An idle thread looks this often whether it is to stop. */
#define IDLE_MS 1000

/* Tasks of the receiver are looked for this often, and the queue is swept every SWEEP_TURNS
 * times. */
#define UPKEEP_MS 500
#define SWEEP_TURNS 10

struct worker;

/* One thread, with an exporter of its own or, to read from shops, a fetcher, or a poller of
 * Amazon's queue. */
struct hand {
    struct worker *worker;
    struct exp *exp;
    struct ftc *ftc;
    struct pol *pol;
    char name[64];
    pthread_t thread;
    bool started;
};

/* All that the process holds, in the order in which it is made. */
struct worker {
    struct cfg cfg;
    struct cry_keys hook_keys, master_keys;
    struct srv_env env;
    struct set_cache *stores;
    struct srv *ops;
    struct hand *hands; /* the exporters, then one for upkeep, the fetchers, the poller */
    size_t hand_count;
    sigset_t signals;
    _Atomic bool stopping;
};

static const struct srv_route ops_routes[] = {
    {"GET", "/healthz", SRV_PUBLIC, 0, false, page_healthz},
    {"GET", "/readyz", SRV_PUBLIC, 0, false, page_readyz},
    {"GET", "/metrics", SRV_PUBLIC, 0, false, page_metrics},
    {NULL, NULL, SRV_PUBLIC, 0, false, NULL},
};

static void nap(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};

    (void)nanosleep(&t, NULL);
}

/* Redis is away: wait a little, each thread for a time of its own. */
static void wait_for_redis(const char *why)
{
    static struct log_rate rate;
    int64_t dropped = 0;
    uint32_t dice = 0;

    if (log_rate_ok(&rate, 5000, &dropped))
        log_warn("redis_away", "Redis cannot be used; it is tried again.", LOG_Z("error", why),
                 LOG_INT("dropped", dropped));
    cry_random(&dice, sizeof(dice));
    nap(AWAY_MS + dice % AWAY_JITTER_MS);
}

/* ---- the threads ---- */

/* Waits for work to be told on WAKE for at most WAIT_MS, or until the process is to stop. */
static void wait_for_work(const struct worker *wk, struct rds *r, const char *wake, int64_t wait_ms)
{
    int64_t until = job_now_ms() + wait_ms;

    while (!wk->stopping) {
        int64_t now = job_now_ms(), slice = until - now < IDLE_MS ? until - now : IDLE_MS;

        if (slice <= 0 || rds_wait_list(r, wake, (int)slice))
            return;
        if (job_now_ms() - now < slice / 2) /* it failed rather than waited */
            wait_for_redis("waiting for work failed");
    }
}

/* One lease from its taking to its end, or a wait for one. */
static void work_once(struct hand *h)
{
    const struct worker *wk = h->worker;
    struct rds *r = rds_take(wk->env.redis, IDLE_MS);
    struct job_lease lease = {0};
    struct errinfo info = {0};
    int64_t wait_ms = IDLE_MS;
    enum err e;

    if (!r)
        return;
    e = job_lease(r, wk->cfg.lease_s * 1000, LIM_XERO_BATCH, &lease, &wait_ms, &info);
    if (e == ERR_NOT_FOUND)
        wait_for_work(wk, r, job_wake_key(), wait_ms);
    rds_give(wk->env.redis, r);
    if (e == ERR_NOT_FOUND)
        return;
    if (e != ERR_OK) {
        wait_for_redis(info.text);
        return;
    }
    e = exp_run(h->exp, &lease, &wk->stopping, &info);
    if (e != ERR_OK)
        log_warn("lease_left", "A lease ended without a report; the next owner settles it.",
                 LOG_Z("connection", lease.connection), LOG_Z("error", info.text));
    job_lease_free(&lease);
}

static void *export_orders(void *arg)
{
    struct hand *h = arg;

    while (!h->worker->stopping)
        work_once(h);
    return NULL;
}

/* One lease of a store from its taking to its end, or a wait for one. */
static void read_once(struct hand *h)
{
    const struct worker *wk = h->worker;
    struct rds *r = rds_take(wk->env.redis, IDLE_MS);
    struct fet_lease lease = {0};
    struct errinfo info = {0};
    int64_t wait_ms = IDLE_MS;
    enum err e;

    if (!r)
        return;
    ftc_tend(h->ftc);
    e = fet_lease(r, h->name, wk->cfg.lease_s * 1000, FETCH_BATCH, &lease, &wait_ms, &info);
    if (e == ERR_NOT_FOUND)
        wait_for_work(wk, r, fet_wake_key(), wait_ms);
    rds_give(wk->env.redis, r);
    if (e == ERR_NOT_FOUND)
        return;
    if (e != ERR_OK) {
        wait_for_redis(info.text);
        return;
    }
    e = ftc_run(h->ftc, &lease, &info);
    if (e != ERR_OK)
        log_warn("lease_left", "What was read from a shop is read again when the lease ends.",
                 LOG_Z("store", lease.store), LOG_Z("error", info.text));
    fet_lease_free(&lease);
}

static void *read_orders(void *arg)
{
    struct hand *h = arg;

    while (!h->worker->stopping)
        read_once(h);
    return NULL;
}

static enum err sweep(struct worker *wk, struct errinfo *info)
{
    const struct job_upkeep upkeep = {wk->cfg.retention_days, wk->cfg.log_days, wk->cfg.day_reserve,
                                      wk->cfg.linger_max_s};
    struct rds *r = rds_take(wk->env.redis, IDLE_MS);
    int64_t repairs = 0, stores = 0;
    bool did = false;
    enum err e;

    if (!r)
        return ERR_OK;
    e = job_sweep(r, &upkeep, &did, &repairs, info);
    if (e == ERR_OK)
        e = fet_sweep(r, wk->cfg.reconcile_s > 0, &stores, info);
    rds_give(wk->env.redis, r);
    if (e == ERR_OK && repairs + stores > 0)
        log_error("queue_repaired",
                  "Connections with waiting orders, or stores with orders to be read, were missing "
                  "from the queue; they were put back. Please report this.",
                  LOG_INT("repairs", repairs), LOG_INT("stores", stores));
    return e;
}

/* Does what the receiver asks for, keeps the queue tidy and the consents alive. */
static void *keep_up(void *arg)
{
    struct hand *h = arg;

    for (unsigned turn = 0; !h->worker->stopping; turn++) {
        struct errinfo info = {0};
        bool did = true;
        enum err e = ERR_OK;

        while (e == ERR_OK && did && !h->worker->stopping)
            e = exp_task(h->exp, &did, &info);
        if (e == ERR_OK && turn % SWEEP_TURNS == 0)
            e = sweep(h->worker, &info);
        if (e == ERR_OK && turn % SWEEP_TURNS == 0)
            e = exp_keep_alive(h->exp, &info);
        if (e != ERR_OK)
            wait_for_redis(info.text);
        else
            nap(UPKEEP_MS);
    }
    return NULL;
}

/* Takes Amazon's notifications out of the seller's queue. */
static void *poll_queue(void *arg)
{
    struct hand *h = arg;
    const struct worker *wk = h->worker;

    while (!wk->stopping) {
        struct errinfo info = {0};
        int64_t wait_ms = 0;

        if (pol_turn(h->pol, &wait_ms, &info) != ERR_OK)
            wait_for_redis(info.text);
        for (; wait_ms > 0 && !wk->stopping; wait_ms -= IDLE_MS)
            nap(wait_ms < IDLE_MS ? wait_ms : IDLE_MS);
    }
    return NULL;
}

static enum err new_poller(struct worker *wk, struct hand *h, struct errinfo *info)
{
    const struct cfg *cfg = &wk->cfg;
    const struct sqs_options o = {.queue_url = cfg->amazon_sqs_url,
                                  .region = cfg->aws_region,
                                  .key_id = cfg->aws_key_id,
                                  .secret = cfg->aws_secret,
                                  .session_token = cfg->aws_session_token,
                                  .stop = &wk->stopping};

    return pol_new(&o, wk->env.redis, wk->stores, &h->pol, info);
}

static enum err new_fetcher(struct worker *wk, struct hand *h, struct errinfo *info)
{
    const struct cfg *cfg = &wk->cfg;
    const struct ftc_options o = {
        .amazon = {.api_url = cfg->amazon_api_url,
                   .lwa_url = cfg->amazon_lwa_url,
                   .client_id = cfg->amazon_client_id,
                   .client_secret = cfg->amazon_client_secret},
        .shopify_url = cfg->shopify_api_url,
        .lease_ms = cfg->lease_s * 1000,
        .reconcile_ms = cfg->reconcile_s * 1000,
        .max_attempts = cfg->max_attempts,
        .master = &wk->master_keys,
        .stopping = &wk->stopping,
    };

    return ftc_new(&o, wk->env.redis, wk->stores, &h->ftc, info);
}

static enum err new_exporter(struct worker *wk, struct hand *h, struct errinfo *info)
{
    const struct cfg *cfg = &wk->cfg;
    const struct exp_options o = {
        .xero = {cfg->xero_api_url, cfg->xero_identity_url, cfg->xero_scopes},
        .public_url = cfg->public_url,
        .lease_ms = cfg->lease_s * 1000,
        .max_attempts = cfg->max_attempts,
        .master = &wk->master_keys,
        .hook = &wk->hook_keys,
        .worker = h->name,
        .stopping = &wk->stopping,
    };

    return exp_new(&o, wk->env.redis, wk->stores, &h->exp, info);
}

static enum err start_hand(struct worker *wk, struct hand *h, const char *process, size_t n,
                           void *(*job)(void *), struct errinfo *info)
{
    pthread_attr_t attr;
    enum err e;
    int failed;

    (void)snprintf(h->name, sizeof(h->name), "%s-%zu", process, n);
    h->worker = wk;
    e = job == read_orders  ? new_fetcher(wk, h, info)
        : job == poll_queue ? new_poller(wk, h, info)
                            : new_exporter(wk, h, info);
    if (e != ERR_OK)
        return e;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    failed = pthread_create(&h->thread, &attr, job, h);
    pthread_attr_destroy(&attr);
    h->started = failed == 0;
    return failed
               ? err_set(info, ERR_NOMEM,
                         "Thread %zu of LH_WORKERS, LH_FETCHERS and the others cannot be started.",
                         n)
               : ERR_OK;
}

static enum err start_hands(struct worker *wk, struct errinfo *info)
{
    size_t n = (size_t)wk->cfg.workers, fetchers = (size_t)wk->cfg.fetchers;
    size_t poller = n + 1 + fetchers;
    char process[37];
    enum err e = ERR_OK;

    cry_uuid(process);
    wk->hand_count = poller + (wk->cfg.amazon_sqs_url ? 1 : 0);
    wk->hands = x_alloc(wk->hand_count * sizeof(*wk->hands));
    for (size_t i = 0; i < n && e == ERR_OK; i++)
        e = start_hand(wk, &wk->hands[i], process, i + 1, export_orders, info);
    if (e == ERR_OK)
        e = start_hand(wk, &wk->hands[n], process, n + 1, keep_up, info);
    for (size_t i = n + 1; i < poller && e == ERR_OK; i++)
        e = start_hand(wk, &wk->hands[i], process, i + 1, read_orders, info);
    if (e == ERR_OK && poller < wk->hand_count)
        e = start_hand(wk, &wk->hands[poller], process, poller + 1, poll_queue, info);
    return e;
}

/* ---- start ---- */

static enum err configure(struct worker *wk, struct errinfo *info)
{
    const struct cfg *cfg = &wk->cfg;
    enum log_level level = LOG_INFO;
    enum err e;

    if (log_level_parse(str_of(cfg->log_level), &level))
        log_setup(level, strcmp(cfg->log_format, "json") == 0, PROGRAM);
    e = cry_keys_set(&wk->hook_keys, cfg->hook_key, cfg->hook_key_previous, info);
    if (e == ERR_OK)
        e = cry_keys_set(&wk->master_keys, cfg->master_key, cfg->master_key_previous, info);
    if (e != ERR_OK)
        return e;
    wk->env.version = LH_VERSION;
    wk->env.program = PROGRAM;
    return rds_pool_new(cfg->redis_url, (int)(cfg->workers + cfg->fetchers) + 2 + OPS_THREADS,
                        &wk->env.redis, info);
}

/* Waits PAUSE_MS; true if somebody wants the process to stop. */
static bool stop_asked(const struct worker *wk, int pause_ms)
{
    struct timespec pause = {.tv_sec = pause_ms / 1000,
                             .tv_nsec = (int64_t)(pause_ms % 1000) * 1000000};

    return sigtimedwait(&wk->signals, NULL, &pause) > 0;
}

static bool is_away(enum err e)
{
    return e == ERR_UNREACHABLE || e == ERR_TIMEOUT;
}

/* The environment's client pair becomes the default grant, if it is another than the stored one. */
static enum err store_default_client(struct worker *wk, struct rds *r, struct errinfo *info)
{
    const struct cfg *cfg = &wk->cfg;
    struct arena arena = {0};
    const char *id;
    bool same = true;
    enum err e = ERR_OK;

    if (cfg->xero_client_id.n == 0)
        return ERR_OK;
    id = arena_str(&arena, cfg->xero_client_id).p;
    e = grt_client_same(r, &wk->master_keys, GRT_DEFAULT, id, cfg->xero_client_secret, &same, info);
    if (e == ERR_OK && !same) {
        e = grt_put_client(r, &wk->master_keys, GRT_DEFAULT, id, cfg->xero_client_secret, info);
        if (e == ERR_OK)
            log_info("client_stored", "The default client for Xero was taken from the environment.",
                     LOG_Z("client_id", id), LOG_SECRET("client_secret"));
    }
    arena_free(&arena);
    return e;
}

static void log_warnings(const struct buf *warnings)
{
    for (struct str rest = buf_str(warnings); rest.p;) {
        struct str line = str_split(&rest, '\n');

        if (line.n > 0)
            log_warn("redis_unsafe", NULL, LOG_STR("warning", line));
    }
}

/* Returns the exit code, or -1: Redis is there and may be used. */
static int check_redis(struct worker *wk, bool only_check)
{
    struct buf warnings = BUF_CAP(4096);
    struct errinfo info = {0};
    enum err e = ERR_UNREACHABLE;
    int pause_ms = REDIS_PAUSE_MS, code = -1;

    for (int try = 1; try <= REDIS_TRIES && code < 0; try++) {
        struct rds *r = rds_take(wk->env.redis, 0);

        buf_reset(&warnings);
        e = r ? rds_check(r, wk->cfg.redis_unsafe != 0, &warnings, &info) : ERR_UNREACHABLE;
        if (e == ERR_OK && !only_check)
            e = store_default_client(wk, r, &info);
        if (r)
            rds_give(wk->env.redis, r);
        if (!is_away(e))
            break;
        log_warn("redis_unreachable", info.text, LOG_INT("try", try),
                 LOG_INT("tries", REDIS_TRIES));
        if (try < REDIS_TRIES && stop_asked(wk, pause_ms))
            code = EXIT_STOPPED;
        pause_ms = pause_ms * 2 < REDIS_PAUSE_MAX_MS ? pause_ms * 2 : REDIS_PAUSE_MAX_MS;
    }
    if (e == ERR_OK) {
        log_warnings(&warnings);
    } else if (code < 0) {
        code = is_away(e) ? EXIT_REDIS : EXIT_CONFIG;
        log_error("redis_refused", info.text, LOG_INT("exit", code));
    }
    buf_free(&warnings);
    return code;
}

/* ---- stop ---- */

/* Calls in flight end and are reported, what has not begun goes back. False: some thread was not
 * done within LH_DRAIN; its lease is settled by others. */
static bool drain(struct worker *wk, int64_t drain_ms)
{
    struct timespec until;
    bool all = true;

    wk->stopping = true;
    wk->env.draining = true;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += drain_ms / 1000;
    for (size_t i = 0; i < wk->hand_count; i++) {
        struct hand *h = &wk->hands[i];

        if (h->started && pthread_timedjoin_np(h->thread, NULL, &until) != 0) {
            all = false;
            continue;
        }
        exp_free(h->exp);
        ftc_free(h->ftc);
        pol_free(h->pol);
        h->exp = NULL;
        h->ftc = NULL;
        h->pol = NULL;
    }
    return all && (!wk->ops || srv_stop(wk->ops, 1000));
}

static int work(struct worker *wk)
{
    int signal = 0;

    log_info("started", "Orders are exported.", LOG_Z("version", LH_VERSION),
             LOG_INT("threads", wk->cfg.workers), LOG_INT("fetchers", wk->cfg.fetchers),
             LOG_INT("pollers", wk->cfg.amazon_sqs_url ? 1 : 0),
             LOG_INT("ops_port", srv_port(wk->ops)));
    while (sigwait(&wk->signals, &signal) != 0)
        continue;
    wk->stopping = true;
    log_info("draining", "Asked to stop: calls in flight are ended, the rest goes back.",
             LOG_INT("signal", signal), LOG_INT("drain_s", wk->cfg.drain_s));
    if (!drain(wk, wk->cfg.drain_s * 1000)) {
        log_warn("stopped", "Some calls had not ended when the drain was over; others settle them.",
                 LOG_INT("drain_s", wk->cfg.drain_s));
        _exit(EXIT_STOPPED); /* their threads still use what would be freed */
    }
    log_info("stopped", "All that had begun was finished.", LOG_INT("signal", signal));
    return EXIT_STOPPED;
}

static enum err start(struct worker *wk, struct errinfo *info)
{
    struct srv_listener ops = {
        .name = "ops", .listen = wk->cfg.ops_listen, .threads = OPS_THREADS, .routes = ops_routes};
    enum err e;

    wk->stores = set_cache_new(NULL, CACHED_STORES); /* no key: webhook secrets stay closed here */
    e = srv_start(&ops, &wk->env, &wk->ops, info);
    return e == ERR_OK ? start_hands(wk, info) : e;
}

static int run(struct worker *wk, bool only_check)
{
    struct errinfo info = {0};
    enum err e = configure(wk, &info);
    int code = EXIT_CONFIG;

    if (e != ERR_OK) {
        (void)fprintf(stderr, "%s: %s\n", PROGRAM, info.text);
        goto out;
    }
    code = check_redis(wk, only_check);
    if (code >= 0)
        goto out;
    if (only_check) {
        code = EXIT_STOPPED;
        goto out;
    }
    e = start(wk, &info);
    if (e == ERR_OK) {
        code = work(wk);
    } else {
        code = e == ERR_CONFIG ? EXIT_CONFIG : EXIT_OTHER;
        log_error("start_failed", info.text, LOG_INT("exit", code));
        if (!drain(wk, 0))
            _exit(code);
    }
out:
    x_free(wk->hands);
    set_cache_free(wk->stores);
    rds_pool_free(wk->env.redis);
    cry_keys_wipe(&wk->hook_keys);
    cry_keys_wipe(&wk->master_keys);
    return code;
}

int main(int argc, char **argv)
{
    static struct worker wk;
    struct buf text = BUF_CAP(64u << 10);
    const char *option = argc > 1 ? argv[1] : "";
    bool only_check = strcmp(option, "--check") == 0, health = strcmp(option, "--health") == 0;
    int code = EXIT_CONFIG;

    if (argc > 2 || (argc == 2 && !only_check && !health && strcmp(option, "--help") != 0 &&
                     strcmp(option, "--version") != 0)) {
        (void)fprintf(stderr, "usage: %s [--help | --check | --version | --health]\n", PROGRAM);
        return EXIT_CONFIG;
    }
    if (strcmp(option, "--version") == 0) {
        (void)printf("%s %s\n", PROGRAM, LH_VERSION);
        return EXIT_STOPPED;
    }
    if (strcmp(option, "--help") == 0) {
        cfg_help(CFG_WORKER, &text);
        (void)fwrite(buf_z(&text), 1, text.n, stdout);
        buf_free(&text);
        return EXIT_STOPPED;
    }
    proc_forbid_dumps();
    (void)signal(SIGPIPE, SIG_IGN);
    sigemptyset(&wk.signals); /* blocked in all threads, waited for by this one */
    sigaddset(&wk.signals, SIGTERM);
    sigaddset(&wk.signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &wk.signals, NULL);
    http_setup();
    if (cfg_load(CFG_WORKER, environ, &wk.cfg, &text) != ERR_OK)
        (void)fwrite(buf_z(&text), 1, text.n, stderr);
    else
        code = health ? proc_ask_health(wk.cfg.ops_listen) : run(&wk, only_check);
    if (code == EXIT_STOPPED && only_check)
        (void)printf("%s: the configuration and Redis are in order\n", PROGRAM);
    http_teardown();
    cfg_free(&wk.cfg);
    buf_free(&text);
    return code;
}
