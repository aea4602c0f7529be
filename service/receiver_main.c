#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "handlers/server.h"
#include "service/base/config.h"
#include "service/base/limits.h"
#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/base/process.h"

#define PROGRAM "ledgerhook-receiver"

enum { EXIT_STOPPED = 0, EXIT_OTHER = 1, EXIT_CONFIG = 2, EXIT_REDIS = 3 };

/* Threads of the listeners that are not for webhooks; each may hold a connection to Redis. */
#define API_THREADS 32
#define OPS_THREADS 4

/* Stores kept in memory with their settings; a store takes about 10 KB. */
#define CACHED_STORES 1024

/* Tries to reach Redis at start: pauses of 0.1 s doubled up to 2 s, about 10 s in all. */
#define REDIS_TRIES 10
#define REDIS_PAUSE_MS 100
#define REDIS_PAUSE_MAX_MS 2000

/* Of LH_DRAIN, the part in which all is still served: until nobody sends us requests any more,
 * because readiness has been seen to be 503. */
#define GRACE_SHARE 5

static const struct srv_route ops_routes[] = {
    {"GET", "/healthz", SRV_PUBLIC, 0, false, page_healthz},
    {"GET", "/readyz", SRV_PUBLIC, 0, false, page_readyz},
    {"GET", "/metrics", SRV_PUBLIC, 0, false, page_metrics},
    {NULL, NULL, SRV_PUBLIC, 0, false, NULL},
};

#define STORE "/api/v1/stores/{}/{}"
#define CONNECTION "/api/v1/connections/{}"
#define CONTACT "/api/v1/connections/{}/contacts/{}/{}/{}"
#define ORDER "/api/v1/orders/{}/{}/{}"

static const struct srv_route api_routes[] = {
    {"GET", "/api/v1/stores", SRV_SUPPORT, 0, true, api_stores},
    {"GET", STORE, SRV_SUPPORT, 0, true, api_store},
    {"PUT", STORE, SRV_ADMIN, LIM_API_BODY, true, api_store},
    {"PATCH", STORE, SRV_ADMIN, LIM_API_BODY, true, api_store},
    {"DELETE", STORE, SRV_ADMIN, LIM_API_BODY, true, api_store},
    {"GET", "/api/v1/connections", SRV_SUPPORT, 0, true, api_connections},
    {"GET", CONNECTION, SRV_SUPPORT, 0, true, api_connection},
    {"PUT", CONNECTION, SRV_ADMIN, LIM_API_BODY, true, api_connection},
    {"PATCH", CONNECTION, SRV_ADMIN, LIM_API_BODY, true, api_connection},
    {"POST", CONNECTION "/pause", SRV_ADMIN, LIM_API_BODY, true, api_connection_verb},
    {"POST", CONNECTION "/resume", SRV_ADMIN, LIM_API_BODY, true, api_connection_verb},
    {"POST", CONNECTION "/disconnect", SRV_ADMIN, LIM_API_BODY, true, api_connection_verb},
    {"POST", CONNECTION "/uninstall", SRV_ADMIN, LIM_API_BODY, true, api_connection_verb},
    {"GET", CONNECTION "/connect", SRV_ADMIN, 0, true, api_connect},
    {"GET", "/oauth/callback", SRV_PUBLIC, 0, true, api_callback},
    {"GET", CONNECTION "/backup", SRV_ADMIN, 0, true, api_backup},
    {"PUT", CONNECTION "/backup", SRV_ADMIN, LIM_BACKUP, true, api_backup},
    {"GET", CONTACT, SRV_SUPPORT, 0, true, api_contact},
    {"PUT", CONTACT, SRV_ADMIN, LIM_API_BODY, true, api_contact},
    {"DELETE", CONTACT, SRV_ADMIN, LIM_API_BODY, true, api_contact},
    {"GET", "/api/v1/failed", SRV_SUPPORT, 0, true, api_failed},
    {"DELETE", "/api/v1/failed", SRV_SUPPORT, LIM_API_BODY, true, api_failed},
    {"POST", "/api/v1/failed/export", SRV_SUPPORT, LIM_API_BODY, true, api_failed_export},
    {"POST", "/api/v1/failed/{}/export", SRV_SUPPORT, LIM_API_BODY, true, api_failed_one},
    {"DELETE", "/api/v1/failed/{}", SRV_SUPPORT, LIM_API_BODY, true, api_failed_one},
    {"GET", "/api/v1/failed/groups", SRV_SUPPORT, 0, true, api_failed_groups},
    {"GET", "/api/v1/queue", SRV_SUPPORT, 0, true, api_queue},
    {"GET", "/api/v1/synced", SRV_SUPPORT, 0, true, api_synced},
    {"GET", "/api/v1/log", SRV_SUPPORT, 0, true, api_log},
    {"GET", "/api/v1/orders", SRV_SUPPORT, 0, true, api_orders},
    {"GET", ORDER, SRV_SUPPORT, 0, true, api_order},
    {"POST", ORDER "/export", SRV_SUPPORT, LIM_API_BODY, true, api_order_export},
    {"GET", "/api/v1/catalogue", SRV_SUPPORT, 0, false, api_catalogue},
    {"POST", STORE "/backfill", SRV_ADMIN, LIM_API_BODY, true, api_backfill},
    {"POST", STORE "/check", SRV_ADMIN, LIM_API_BODY, true, api_check},
    {"GET", "/api/v1/tasks/{}", SRV_SUPPORT, 0, true, api_task},
    {"POST", "/api/v1/tasks/{}/pause", SRV_ADMIN, LIM_API_BODY, true, api_task_verb},
    {"POST", "/api/v1/tasks/{}/resume", SRV_ADMIN, LIM_API_BODY, true, api_task_verb},
    {"POST", "/api/v1/tasks/{}/cancel", SRV_ADMIN, LIM_API_BODY, true, api_task_verb},
    {"GET", "/api/v1/openapi.json", SRV_PUBLIC, 0, false, page_openapi},
    {"GET", "/", SRV_PUBLIC, 0, false, page_home},
    {"GET", "/{}", SRV_PUBLIC, 0, false, page_home},
    {NULL, NULL, SRV_PUBLIC, 0, false, NULL},
};

#define TOKENS_MAX 64

/* All that the process holds, in the order in which it is made. */
struct receiver {
    struct cfg cfg;
    struct cry_keys hook_keys;
    struct srv_env env;
    struct srv_token tokens[TOKENS_MAX];
    size_t token_count;
    struct srv_route hook_routes[3]; /* the body's limit is a setting */
    struct srv *hooks, *api, *ops;
    sigset_t signals;
};

/* ---- options ---- */

static void print(const struct buf *text)
{
    (void)fwrite(buf_z(text), 1, text->n, stdout);
    (void)fflush(stdout);
}

/* ---- start ---- */

static void add_tokens(struct receiver *rc, struct str list, enum srv_role role, const char *name)
{
    while (list.p && rc->token_count < TOKENS_MAX) {
        struct srv_token *t = &rc->tokens[rc->token_count++];
        struct str secret = str_split(&list, ','), own = str_of(name);

        if (memchr(secret.p, ':', secret.n))
            own = str_split(&secret, ':');
        (void)snprintf(t->name, sizeof t->name, "%.*s", STR_FMT(own));
        t->secret = secret;
        t->role = role;
    }
}

static enum err configure(struct receiver *rc, struct errinfo *info)
{
    const struct cfg *cfg = &rc->cfg;
    enum log_level level = LOG_INFO;
    enum err e = ERR_OK;

    if (log_level_parse(str_of(cfg->log_level), &level))
        log_setup(level, strcmp(cfg->log_format, "json") == 0, PROGRAM);
    e = cry_keys_set(&rc->hook_keys, cfg->hook_key, cfg->hook_key_previous, info);
    if (e != ERR_OK)
        return e;
    add_tokens(rc, cfg->admin_token, SRV_ADMIN, "admin");
    add_tokens(rc, cfg->support_token, SRV_SUPPORT, "support");
    rc->hook_routes[0] = (struct srv_route){
        "POST", "/webhooks/shopify", SRV_PUBLIC, (size_t)cfg->max_body, true, hook_shopify};
    rc->hook_routes[1] = (struct srv_route){
        "POST", "/webhooks/amazon", SRV_PUBLIC, (size_t)cfg->max_body, true, hook_amazon};
    rc->env.hook_keys = &rc->hook_keys;
    rc->env.version = LH_VERSION;
    rc->env.program = PROGRAM;
    rc->env.public_url = cfg->public_url;
    rc->env.xero_login_url = cfg->xero_login_url;
    rc->env.xero_scopes = cfg->xero_scopes;
    rc->env.xero_client_id = cfg->xero_client_id;
    return rds_pool_new(cfg->redis_url, (int)cfg->active + API_THREADS + OPS_THREADS,
                        &rc->env.redis, info);
}

/* Waits PAUSE_MS; true if somebody wants the process to stop. */
static bool stop_asked(const struct receiver *rc, int pause_ms)
{
    struct timespec pause = {.tv_sec = pause_ms / 1000,
                             .tv_nsec = (int64_t)(pause_ms % 1000) * 1000000};

    return sigtimedwait(&rc->signals, NULL, &pause) > 0;
}

/* Returns the exit code, or -1: Redis is there and may be used. */
static int check_redis(struct receiver *rc)
{
    struct buf warnings = BUF_CAP(4096);
    struct errinfo info = {0};
    enum err e = ERR_UNREACHABLE;
    int pause_ms = REDIS_PAUSE_MS, code = -1;

    for (int try = 1; try <= REDIS_TRIES && code < 0; try++) {
        struct rds *r = rds_take(rc->env.redis, 0);

        buf_reset(&warnings);
        e = r ? rds_check(r, rc->cfg.redis_unsafe != 0, &warnings, &info) : ERR_UNREACHABLE;
        if (r)
            rds_give(rc->env.redis, r);
        if (e != ERR_UNREACHABLE && e != ERR_TIMEOUT)
            break;
        log_warn("redis_unreachable", info.text, LOG_INT("try", try),
                 LOG_INT("tries", REDIS_TRIES));
        if (try < REDIS_TRIES && stop_asked(rc, pause_ms))
            code = EXIT_STOPPED;
        pause_ms = pause_ms * 2 < REDIS_PAUSE_MAX_MS ? pause_ms * 2 : REDIS_PAUSE_MAX_MS;
    }
    if (e == ERR_OK) {
        for (struct str rest = buf_str(&warnings); rest.p;) {
            struct str line = str_split(&rest, '\n');

            if (line.n > 0)
                log_warn("redis_unsafe", NULL, LOG_STR("warning", line));
        }
    } else if (code < 0) {
        code = e == ERR_UNREACHABLE || e == ERR_TIMEOUT ? EXIT_REDIS : EXIT_CONFIG;
        log_error("redis_refused", info.text, LOG_INT("exit", code));
    }
    buf_free(&warnings);
    return code;
}

static enum err listen_all(struct receiver *rc, struct errinfo *info)
{
    const struct cfg *cfg = &rc->cfg;
    struct srv_listener hooks = {.name = "webhooks",
                                 .listen = cfg->listen,
                                 .threads = (int)cfg->threads,
                                 .active = (int)cfg->active,
                                 .keep_alive = true,
                                 .routes = rc->hook_routes};
    struct srv_listener api = {.name = "api",
                               .listen = cfg->api_listen,
                               .threads = API_THREADS,
                               .routes = api_routes,
                               .tokens = rc->tokens,
                               .token_count = rc->token_count};
    struct srv_listener ops = {
        .name = "ops", .listen = cfg->ops_listen, .threads = OPS_THREADS, .routes = ops_routes};
    enum err e = srv_start(&ops, &rc->env, &rc->ops, info);

    if (e == ERR_OK)
        e = srv_start(&api, &rc->env, &rc->api, info);
    if (e == ERR_OK)
        e = srv_start(&hooks, &rc->env, &rc->hooks, info);
    return e;
}

/* ---- stop ---- */

/* Stops one listener; true if everything it had begun was answered. */
static bool stop(struct srv *s, int64_t until_ms)
{
    int64_t left = until_ms - met_now_ns() / 1000000;

    return !s || srv_stop(s, left > 0 ? (int)left : 0);
}

/* Serves on for the grace, then lets what has begun end. False: it did not, within LH_DRAIN. */
static bool drain(struct receiver *rc, int signal)
{
    int64_t drain_ms = rc->cfg.drain_s * 1000;
    int64_t until_ms = met_now_ns() / 1000000 + drain_ms;
    bool all = true;

    rc->env.draining = true;
    log_info("draining", "Asked to stop: requests that have begun are finished.",
             LOG_INT("signal", signal), LOG_INT("drain_s", rc->cfg.drain_s));
    if (signal == SIGTERM) /* a second signal ends the grace */
        (void)stop_asked(rc, (int)(drain_ms / GRACE_SHARE));
    all = stop(rc->hooks, until_ms);
    all = stop(rc->api, until_ms) && all;
    return stop(rc->ops, until_ms) && all;
}

static int serve(struct receiver *rc)
{
    int signal = 0;

    log_info("started", "Webhooks are taken.", LOG_Z("version", LH_VERSION),
             LOG_INT("webhooks_port", srv_port(rc->hooks)), LOG_INT("api_port", srv_port(rc->api)),
             LOG_INT("ops_port", srv_port(rc->ops)));
    while (sigwait(&rc->signals, &signal) != 0)
        continue;
    if (!drain(rc, signal)) {
        log_warn("stopped", "Some requests had not ended when the drain was over.",
                 LOG_INT("drain_s", rc->cfg.drain_s));
        _exit(EXIT_STOPPED); /* their threads still use what would be freed */
    }
    log_info("stopped", "All that had begun was finished.", LOG_INT("signal", signal));
    return EXIT_STOPPED;
}

static int run(struct receiver *rc, bool only_check)
{
    struct errinfo info = {0};
    enum err e = configure(rc, &info);
    int code = EXIT_CONFIG;

    if (e != ERR_OK) {
        (void)fprintf(stderr, "%s: %s\n", PROGRAM, info.text);
        goto out;
    }
    code = check_redis(rc);
    if (code >= 0)
        goto out;
    if (only_check) {
        code = EXIT_STOPPED;
        goto out;
    }
    rc->env.stores = set_cache_new(&rc->hook_keys, CACHED_STORES);
    e = listen_all(rc, &info);
    if (e == ERR_OK) {
        code = serve(rc);
    } else {
        log_error("start_failed", info.text, LOG_INT("exit", EXIT_CONFIG));
        code = EXIT_CONFIG;
        if (!stop(rc->hooks, 0) || !stop(rc->api, 0) || !stop(rc->ops, 0))
            _exit(code);
    }
out:
    set_cache_free(rc->env.stores);
    rds_pool_free(rc->env.redis);
    cry_keys_wipe(&rc->hook_keys);
    return code;
}

int main(int argc, char **argv)
{
    static struct receiver rc;
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
        cfg_help(CFG_RECEIVER, &text);
        print(&text);
        buf_free(&text);
        return EXIT_STOPPED;
    }
    proc_forbid_dumps();
    (void)signal(SIGPIPE, SIG_IGN);
    sigemptyset(&rc.signals); /* blocked in all threads, waited for by this one */
    sigaddset(&rc.signals, SIGTERM);
    sigaddset(&rc.signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &rc.signals, NULL);
    if (cfg_load(CFG_RECEIVER, environ, &rc.cfg, &text) != ERR_OK)
        (void)fwrite(buf_z(&text), 1, text.n, stderr);
    else
        code = health ? proc_ask_health(rc.cfg.ops_listen) : run(&rc, only_check);
    if (code == EXIT_STOPPED && only_check)
        (void)printf("%s: the configuration and Redis are in order\n", PROGRAM);
    cfg_free(&rc.cfg);
    buf_free(&text);
    return code;
}
