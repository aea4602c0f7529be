#include "queue/rds.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <hiredis/hiredis.h>

#include "queue/scripts.h"
#include "service/base/limits.h"
#include "service/base/metrics.h"

struct address {
    char *unix_path; /* NULL: TCP */
    char *host;
    int port;
    char *user, *password; /* NULL: no AUTH */
};

struct rds {
    redisContext *c; /* NULL: not connected */
    const struct address *address;
    bool fresh; /* nothing was sent on this connection yet */
    struct rds *next_free;
};

/* `lock` guards `free` and `made`; the address never changes. */
struct rds_pool {
    struct address address;
    int max, made;
    struct rds *free;
    pthread_mutex_t lock;
    pthread_cond_t given;
};

/* ---- address ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Copy of S with %xx decoded. */
static char *decoded(struct str s)
{
    char *out = x_alloc(s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '%' && i + 2 < s.n && hex_digit(s.p[i + 1]) >= 0 &&
            hex_digit(s.p[i + 2]) >= 0) {
            out[n++] = (char)(hex_digit(s.p[i + 1]) * 16 + hex_digit(s.p[i + 2]));
            i += 2;
        } else {
            out[n++] = s.p[i];
        }
    }
    return out;
}

static void read_login(struct str login, struct address *a)
{
    struct str rest = login;
    struct str user = str_split(&rest, ':');
    if (!rest.p)
        return; /* a user without a password says nothing to Redis */
    if (user.n > 0)
        a->user = decoded(user);
    a->password = decoded(rest);
}

static enum err read_address(const char *url, struct address *a, struct errinfo *info)
{
    struct str rest = str_of(url ? url : "");
    bool is_unix = str_starts(rest, STR("unix://"));
    if (!is_unix && !str_starts(rest, STR("redis://")))
        return err_set(info, ERR_CONFIG,
                       "LH_REDIS_URL must begin with redis:// or unix://, for example "
                       "redis://127.0.0.1:6379.");
    size_t skip = is_unix ? 7 : 8;
    rest = (struct str){rest.p + skip, rest.n - skip};
    const char *at = memrchr(rest.p, '@', rest.n);
    if (at) {
        read_login((struct str){rest.p, (size_t)(at - rest.p)}, a);
        rest = (struct str){at + 1, rest.n - (size_t)(at + 1 - rest.p)};
    }
    if (is_unix) {
        if (rest.n < 2 || rest.p[0] != '/')
            return err_set(info, ERR_CONFIG, "LH_REDIS_URL: unix:// needs an absolute path.");
        a->unix_path = decoded(rest);
        return ERR_OK;
    }
    struct str db = rest;
    struct str place = str_split(&db, '/');
    if (db.p && db.n > 0 && !str_eq(db, STR("0")))
        return err_set(info, ERR_CONFIG, "LH_REDIS_URL: only database 0 is supported.");
    struct str port = {NULL, 0};
    const char *colon = place.n ? memrchr(place.p, ':', place.n) : NULL;
    if (colon && memchr(colon, ']', place.n - (size_t)(colon - place.p)) == NULL) {
        port = (struct str){colon + 1, place.n - (size_t)(colon + 1 - place.p)};
        place.n = (size_t)(colon - place.p);
    }
    if (place.n > 2 && place.p[0] == '[' && place.p[place.n - 1] == ']')
        place = (struct str){place.p + 1, place.n - 2};
    int64_t number = 6379;
    if (place.n == 0 || (port.p && (!str_int64(port, &number) || number < 1 || number > 65535)))
        return err_set(info, ERR_CONFIG,
                       "LH_REDIS_URL must be redis://[user:password@]host[:port].");
    a->host = decoded(place);
    a->port = (int)number;
    return ERR_OK;
}

static void free_address(struct address *a)
{
    x_free(a->unix_path);
    x_free(a->host);
    x_free(a->user);
    if (a->password)
        explicit_bzero(a->password, strlen(a->password));
    x_free(a->password);
    *a = (struct address){0};
}

/* ---- pool ---- */

enum err rds_pool_new(const char *url, int max, struct rds_pool **out, struct errinfo *info)
{
    struct rds_pool *pool = x_alloc(sizeof *pool);
    enum err e = read_address(url, &pool->address, info);
    if (e != ERR_OK) {
        free_address(&pool->address);
        x_free(pool);
        return e;
    }
    pool->max = max;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->given, &attr);
    pthread_condattr_destroy(&attr);
    *out = pool;
    return ERR_OK;
}

static void disconnect(struct rds *r)
{
    if (r->c)
        redisFree(r->c);
    r->c = NULL;
}

void rds_pool_free(struct rds_pool *pool)
{
    if (!pool)
        return;
    while (pool->free) {
        struct rds *r = pool->free;
        pool->free = r->next_free;
        disconnect(r);
        x_free(r);
    }
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->given);
    free_address(&pool->address);
    x_free(pool);
}

struct rds *rds_take(struct rds_pool *pool, int wait_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    struct rds *r = NULL;
    pthread_mutex_lock(&pool->lock);
    while (!pool->free && pool->made >= pool->max) {
        if (pthread_cond_timedwait(&pool->given, &pool->lock, &until) == ETIMEDOUT)
            break;
    }
    if (pool->free) {
        r = pool->free;
        pool->free = r->next_free;
    } else if (pool->made < pool->max) {
        pool->made++;
        r = x_alloc(sizeof *r);
        r->address = &pool->address;
    }
    pthread_mutex_unlock(&pool->lock);
    return r;
}

void rds_give(struct rds_pool *pool, struct rds *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&pool->lock);
    r->next_free = pool->free;
    pool->free = r;
    pthread_cond_signal(&pool->given);
    pthread_mutex_unlock(&pool->lock);
}

/* ---- talking ---- */

/* Refusals that end when Redis has loaded, failed over or got its disk back: as if it were away. */
static bool passing(const char *text)
{
    static const char *const kinds[] = {"LOADING", "READONLY",   "MASTERDOWN",
                                        "MISCONF", "NOREPLICAS", "BUSY"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strncmp(text, kinds[i], strlen(kinds[i])) == 0)
            return true;
    return false;
}

static enum err refusal(struct rds *r, const redisReply *reply, struct errinfo *info)
{
    if (strncmp(reply->str, "OOM", 3) == 0) {
        met_add(MET_REDIS_ERRORS, 1, "full", NULL, NULL);
        return err_set(info, ERR_REDIS_FULL, "Redis is full (maxmemory): %.200s", reply->str);
    }
    if (strncmp(reply->str, "NOPERM", 6) == 0) {
        met_add(MET_REDIS_ERRORS, 1, "denied", NULL, NULL);
        return err_set(info, ERR_DENIED, "Redis does not permit it: %.200s", reply->str);
    }
    if (passing(reply->str)) {
        met_add(MET_REDIS_ERRORS, 1, "unavailable", NULL, NULL);
        disconnect(r);
        return err_set(info, ERR_UNREACHABLE, "Redis cannot serve now: %.200s", reply->str);
    }
    met_add(MET_REDIS_ERRORS, 1, "refused", NULL, NULL);
    return err_set(info, ERR_REDIS, "Redis refused: %.300s", reply->str);
}

static enum err broken(struct rds *r, struct errinfo *info)
{
    met_add(MET_REDIS_ERRORS, 1, "unreachable", NULL, NULL);
    enum err e = err_set(info, ERR_UNREACHABLE, "Redis at %s does not answer: %s.",
                         r->address->unix_path ? r->address->unix_path : r->address->host,
                         r->c && r->c->err ? r->c->errstr : "no memory for a connection");
    disconnect(r);
    return e;
}

static enum err login(struct rds *r, struct errinfo *info)
{
    const struct address *a = r->address;
    if (!a->password)
        return ERR_OK;
    const char *argv[] = {"AUTH", a->user ? a->user : "default", a->password};
    redisReply *reply = redisCommandArgv(r->c, 3, argv, NULL);
    enum err e = ERR_OK;
    if (!reply)
        return broken(r, info);
    if (reply->type == REDIS_REPLY_ERROR) {
        e = err_set(info, ERR_DENIED, "Redis refused the user or password in LH_REDIS_URL: %.100s",
                    reply->str);
        disconnect(r);
    }
    freeReplyObject(reply);
    return e;
}

static struct timeval time_of(int64_t ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static enum err connected(struct rds *r, struct errinfo *info)
{
    if (r->c)
        return ERR_OK;
    const struct address *a = r->address;
    struct timeval connect_wait = time_of(LIM_REDIS_CONNECT_MS);
    r->c = a->unix_path ? redisConnectUnixWithTimeout(a->unix_path, connect_wait)
                        : redisConnectWithTimeout(a->host, a->port, connect_wait);
    if (!r->c || r->c->err)
        return broken(r, info);
    fcntl(r->c->fd, F_SETFD, FD_CLOEXEC);
    if (redisSetTimeout(r->c, time_of(LIM_REDIS_ANSWER_MS)) != REDIS_OK)
        return broken(r, info);
    if (!a->unix_path)
        redisEnableKeepAlive(r->c); /* on a unix socket this marks the connection as broken */
    r->fresh = true;
    return login(r, info);
}

/* hiredis wants two arrays; small calls need no allocation. */
struct vector {
    const char *p_small[32];
    size_t n_small[32];
    const char **p;
    size_t *n;
};

static void vector_init(struct vector *v, const struct str *argv, size_t argc)
{
    bool small = argc <= sizeof v->p_small / sizeof v->p_small[0];
    v->p = small ? v->p_small : x_alloc(argc * sizeof *v->p);
    v->n = small ? v->n_small : x_alloc(argc * sizeof *v->n);
    for (size_t i = 0; i < argc; i++) {
        v->p[i] = argv[i].p ? argv[i].p : "";
        v->n[i] = argv[i].n;
    }
}

static void vector_free(struct vector *v)
{
    if (v->p != v->p_small) {
        x_free(v->p);
        x_free(v->n);
    }
}

static redisReply *exchange(struct rds *r, const struct str *argv, size_t argc)
{
    struct vector v;
    vector_init(&v, argv, argc);
    redisReply *reply = redisCommandArgv(r->c, (int)argc, v.p, v.n);
    vector_free(&v);
    return reply;
}

/* True if the connection had been closed behind our back: then the command is worth a second try on
 * a new one. A deadline that passed is not: that would double the wait. */
static bool was_closed(const struct rds *r)
{
    return r->c && !r->fresh &&
           (r->c->err == REDIS_ERR_EOF ||
            (r->c->err == REDIS_ERR_IO && errno != EAGAIN && errno != EINTR));
}

enum err rds_call(struct rds *r, const struct str *argv, size_t argc, struct rds_reply **reply,
                  struct errinfo *info)
{
    *reply = NULL;
    int64_t start = met_now_ns();
    redisReply *got = NULL;
    for (int try = 0; try < 2 && !got; try++) {
        enum err e = connected(r, info);
        if (e != ERR_OK)
            return e;
        got = exchange(r, argv, argc);
        if (!got && !(try == 0 && was_closed(r)))
            return broken(r, info);
        if (!got)
            disconnect(r);
    }
    if (!got)
        return broken(r, info);
    r->fresh = false;
    met_observe_ns(MET_REDIS_SECONDS, met_now_ns() - start, NULL);
    if (got->type == REDIS_REPLY_ERROR) {
        enum err e = refusal(r, got, info);
        freeReplyObject(got);
        return e;
    }
    *reply = (struct rds_reply *)got;
    return ERR_OK;
}

/* Sends all, then reads all. False: the connection broke. */
static bool exchange_all(struct rds *r, const struct rds_command *commands, size_t n,
                         struct rds_reply **replies)
{
    for (size_t i = 0; i < n; i++) {
        struct vector v;
        vector_init(&v, commands[i].argv, commands[i].argc);
        int rc = redisAppendCommandArgv(r->c, (int)commands[i].argc, v.p, v.n);
        vector_free(&v);
        if (rc != REDIS_OK)
            return false;
    }
    for (size_t i = 0; i < n; i++) {
        void *got = NULL;
        if (redisGetReply(r->c, &got) != REDIS_OK)
            return false;
        replies[i] = got;
    }
    return true;
}

static void free_all(struct rds_reply **replies, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        rds_free(replies[i]);
        replies[i] = NULL;
    }
}

enum err rds_pipeline(struct rds *r, const struct rds_command *commands, size_t n,
                      struct rds_reply **replies, struct errinfo *info)
{
    memset(replies, 0, n * sizeof *replies);
    int64_t start = met_now_ns();
    bool done = false;
    for (int try = 0; try < 2 && !done; try++) {
        enum err e = connected(r, info);
        if (e != ERR_OK)
            return e;
        done = exchange_all(r, commands, n, replies);
        if (!done) {
            free_all(replies, n);
            if (try > 0 || !was_closed(r))
                return broken(r, info);
            disconnect(r);
        }
    }
    r->fresh = false;
    met_observe_ns(MET_REDIS_SECONDS, met_now_ns() - start, NULL);
    for (size_t i = 0; i < n; i++) {
        const redisReply *got = (const redisReply *)replies[i];
        if (got->type == REDIS_REPLY_ERROR) {
            enum err e = refusal(r, got, info);
            free_all(replies, n);
            return e;
        }
    }
    return ERR_OK;
}

static const struct script *find_script(const char *name)
{
    for (const struct script *s = lua_scripts; s->name; s++)
        if (strcmp(s->name, name) == 0)
            return s;
    return NULL;
}

enum err rds_script(struct rds *r, const char *name, const struct str *argv, size_t argc,
                    struct rds_reply **reply, struct errinfo *info)
{
    struct errinfo own = {0};
    if (!info)
        info = &own;
    *reply = NULL;
    const struct script *s = find_script(name);
    if (!s)
        return err_set(info, ERR_INTERNAL, "There is no script %s.", name);
    struct str *full = x_alloc((argc + 4) * sizeof *full);
    full[0] = STR("EVALSHA");
    full[1] = (struct str){s->sha1, 40};
    full[2] = STR("1");
    full[3] = STR(RDS_PREFIX);
    if (argc > 0)
        memcpy(full + 4, argv, argc * sizeof *argv);
    enum err e = rds_call(r, full, argc + 4, reply, info);
    if (e == ERR_REDIS && strstr(info->text, "NOSCRIPT")) {
        full[0] = STR("EVAL");
        full[1] = (struct str){s->text, s->size};
        e = rds_call(r, full, argc + 4, reply, info);
    }
    x_free(full);
    return e == ERR_OK ? ERR_OK : err_prefix(info, e, "script %s", name);
}

bool rds_wait_list(struct rds *r, const char *key, int timeout_ms)
{
    struct errinfo info = {0};
    if (connected(r, &info) != ERR_OK)
        return false;
    redisSetTimeout(r->c, time_of(timeout_ms + LIM_REDIS_ANSWER_MS));
    char seconds[32];
    snprintf(seconds, sizeof seconds, "%d.%03d", timeout_ms / 1000, timeout_ms % 1000);
    struct str argv[] = {STR("BLPOP"), str_of(key), str_of(seconds)};
    redisReply *got = exchange(r, argv, 3);
    bool came = got && got->type == REDIS_REPLY_ARRAY;
    if (!got) {
        disconnect(r);
        return false;
    }
    freeReplyObject(got);
    r->fresh = false;
    redisSetTimeout(r->c, time_of(LIM_REDIS_ANSWER_MS));
    return came;
}

/* ---- replies ---- */

enum rds_type rds_type(const struct rds_reply *v)
{
    const redisReply *reply = (const redisReply *)v;
    if (!reply)
        return RDS_NIL;
    switch (reply->type) {
    case REDIS_REPLY_STRING:
        return RDS_TEXT;
    case REDIS_REPLY_STATUS:
        return RDS_STATUS;
    case REDIS_REPLY_INTEGER:
        return RDS_INT;
    case REDIS_REPLY_ARRAY:
        return RDS_LIST;
    default:
        return RDS_NIL;
    }
}

struct str rds_text(const struct rds_reply *v)
{
    const redisReply *reply = (const redisReply *)v;
    enum rds_type type = rds_type(v);
    if (type != RDS_TEXT && type != RDS_STATUS)
        return (struct str){NULL, 0};
    return (struct str){reply->str, reply->len};
}

int64_t rds_int(const struct rds_reply *v)
{
    int64_t number = 0;
    if (rds_type(v) == RDS_INT)
        return ((const redisReply *)v)->integer;
    return str_int64(rds_text(v), &number) ? number : 0;
}

size_t rds_len(const struct rds_reply *v)
{
    return rds_type(v) == RDS_LIST ? ((const redisReply *)v)->elements : 0;
}

const struct rds_reply *rds_at(const struct rds_reply *v, size_t i)
{
    if (i >= rds_len(v))
        return NULL;
    return (const struct rds_reply *)((const redisReply *)v)->element[i];
}

struct str rds_field(const struct rds_reply *v, const char *name)
{
    struct str wanted = str_of(name);
    for (size_t i = 0; i + 1 < rds_len(v); i += 2)
        if (str_eq(rds_text(rds_at(v, i)), wanted))
            return rds_text(rds_at(v, i + 1));
    return (struct str){NULL, 0};
}

void rds_free(struct rds_reply *v)
{
    if (v)
        freeReplyObject(v);
}

/* ---- the check at start ---- */

/* The value behind NAME: in INFO's text; {NULL,0} if it is not there. */
static struct str info_value(struct str text, const char *name)
{
    struct str wanted = str_of(name);
    while (text.p) {
        struct str value = str_trim(str_split(&text, '\n'));
        struct str key = str_split(&value, ':');
        if (value.p && str_eq(key, wanted))
            return value;
    }
    return (struct str){NULL, 0};
}

static enum err persistence_fault(struct str text, struct errinfo *info)
{
    if (!str_eq(info_value(text, "aof_enabled"), STR("1")))
        return err_set(
            info, ERR_CONFIG,
            "Redis keeps no append-only file, so a restart would lose accepted orders. Set "
            "\"appendonly yes\" (and \"appendfsync always\") in redis.conf, or "
            "LH_REDIS_UNSAFE=1 to run all the same.");
    struct str policy = info_value(text, "maxmemory_policy");
    if (!str_eq(policy, STR("noeviction")))
        return err_set(
            info, ERR_CONFIG,
            "Redis may evict accepted orders (maxmemory-policy is %.*s). Set "
            "\"maxmemory-policy noeviction\" in redis.conf, or LH_REDIS_UNSAFE=1 to run all "
            "the same.",
            STR_FMT(policy));
    return ERR_OK;
}

static enum err check_info(struct str text, bool unsafe, struct buf *warnings, struct errinfo *info)
{
    struct str version = info_value(text, "redis_version");
    struct str major = str_split(&version, '.');
    int64_t number = 0;
    if (!str_int64(major, &number) || number < 7)
        return err_set(info, ERR_CONFIG, "Redis must be 7.0 or newer; this one says it is %.*s.",
                       STR_FMT(major));
    if (str_eq(info_value(text, "loading"), STR("1"))) /* meanwhile it says aof_enabled:0 */
        return err_set(info, ERR_UNREACHABLE, "Redis is still loading its data.");
    if (str_eq(info_value(text, "cluster_enabled"), STR("1")))
        return err_set(
            info, ERR_CONFIG,
            "Redis is a cluster node. Use a single primary: set \"cluster-enabled no\" in "
            "redis.conf, or point LH_REDIS_URL elsewhere.");
    if (!str_eq(info_value(text, "role"), STR("master")))
        return err_set(
            info, ERR_CONFIG,
            "Redis is a replica, which takes no writes. Point LH_REDIS_URL at the primary.");
    struct errinfo fault = {0};
    if (persistence_fault(text, &fault) != ERR_OK) {
        if (!unsafe) {
            *info = fault;
            return ERR_CONFIG;
        }
        buf_printf(warnings, "%s\n", fault.text);
    }
    return ERR_OK;
}

enum err rds_check(struct rds *r, bool unsafe, struct buf *warnings, struct errinfo *info)
{
    struct rds_reply *reply = NULL;
    struct str info_command[] = {STR("INFO")};
    enum err e = rds_call(r, info_command, 1, &reply, info);
    if (e != ERR_OK)
        return e;
    e = check_info(rds_text(reply), unsafe, warnings, info);
    rds_free(reply);
    if (e != ERR_OK)
        return e;
    /* INFO does not tell appendfsync; where CONFIG is not permitted the warning is left out. */
    struct str get[] = {STR("CONFIG"), STR("GET"), STR("appendfsync")};
    struct errinfo unused = {0};
    if (rds_call(r, get, 3, &reply, &unused) == ERR_OK) {
        struct str fsync = rds_text(rds_at(reply, 1));
        if (fsync.p && !str_eq(fsync, STR("always")))
            buf_printf(
                warnings,
                "Redis syncs its append-only file \"%.*s\": a power cut can lose the last second "
                "of accepted orders. \"appendfsync always\" in redis.conf loses none.\n",
                STR_FMT(fsync));
        rds_free(reply);
    }
    return ERR_OK;
}

/* ---- arguments ---- */

void rds_args_init(struct rds_args *a, struct arena *arena)
{
    *a = (struct rds_args){.arena = arena};
}

void rds_arg(struct rds_args *a, struct str s)
{
    if (a->n == a->room) {
        size_t room = a->room ? a->room * 2 : 32;
        struct str *v = arena_array(a->arena, room, sizeof *v);
        if (a->n > 0)
            memcpy(v, a->v, a->n * sizeof *v);
        a->v = v;
        a->room = room;
    }
    a->v[a->n++] = s;
}

void rds_argz(struct rds_args *a, const char *z)
{
    rds_arg(a, str_of(z));
}

void rds_argi(struct rds_args *a, int64_t i)
{
    rds_argz(a, arena_printf(a->arena, "%lld", (long long)i));
}
