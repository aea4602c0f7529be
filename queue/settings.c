#include "queue/settings.h"

#include "queue/tasks.h"
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* DESIGN of the cache. Buckets of a few slots, each bucket with a lock of its own; a store may
 * stand in its bucket only, so that a hit is one hash, one lock and a few comparisons. A bucket's
 * clock hand throws out what was not used since it last came by. Stores are read from Redis outside
 * any lock; of two readers the one with the newer version wins, unless Redis itself has gone back
 * (a failover, a restored copy) and says that the cached version is not its own. Ids that Redis
 * does not know stand in a table apart, so that strangers cannot drive out stores. */
#define WAYS 8
#define ABSENT 256
#define REST_MS 1000 /* between two readings that strangers can cause, for one store */

#define ANY_VERSION (-1)

#define SECRET_MAX ((size_t)4096)
#define STORE_KEY (LIM_STORE_ID + 20)

struct slot {
    struct set_store *store;
    int64_t read_ms;
    bool used;
};

struct bucket {
    pthread_mutex_t lock; /* of the rest of it */
    size_t hand;
    struct slot slot[WAYS];
};

struct absent {
    char key[STORE_KEY];
    int64_t at_ms;
};

struct set_cache {
    const struct cry_keys *keys;
    int64_t (*now_ms)(void);
    uint64_t seed;
    size_t ways, bucket_count;
    struct bucket *buckets;
    pthread_mutex_t absent_lock; /* of absent */
    struct absent absent[ABSENT];
};

/* ---- one store, from Redis ---- */

static void store_free(struct set_store *s)
{
    for (int i = 0; i < SET_SECRET_COUNT; i++)
        if (s->secret[i].p)
            cry_wipe((void *)(uintptr_t)s->secret[i].p, s->secret[i].n);
    arena_free(&s->arena);
    x_free(s);
}

void set_store_put(struct set_store *s)
{
    if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
        store_free(s);
}

/* A platform is a word, an id what a domain or a seller id is made of: neither leaves its key. */
static bool store_key(const char *platform, const char *id, char out[STORE_KEY])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    static const char more[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    size_t p = strlen(platform), n = strlen(id);

    if (p == 0 || p >= sizeof((struct set_store *)0)->platform || strspn(platform, letters) != p)
        return false;
    if (n == 0 || n > LIM_STORE_ID || strspn(id, more) != n)
        return false;
    snprintf(out, STORE_KEY, "%s/%s", platform, id);
    return true;
}

static enum err read_document(struct set_store *s, struct str text, struct errinfo *info)
{
    struct buf canonical = BUF_CAP(LIM_API_BODY);
    struct opt_errors errors = {0};
    struct js_doc doc = {0};
    enum err e = js_parse(text, LIM_API_BODY, &doc, info);

    if (e != ERR_OK)
        goto out;
    e = opt_read(doc.root, NULL, s->added_day, STR(""), &s->arena, &s->options, &errors,
                 &canonical);
    if (e != ERR_OK && errors.count > 0)
        err_set(info, e, "%.*s %.*s", STR_FMT(errors.rows[0].field),
                STR_FMT(errors.rows[0].message));
    s->document = arena_str(&s->arena, text);
out:
    js_free(&doc);
    buf_free(&canonical);
    return e == ERR_OK ? ERR_OK : err_prefix(info, e, "The settings of store %s", s->key);
}

/* The settings were erased with the connection's Xero: what the defaults say is never carried out,
 * but each delivery is still verified, and skipped with its reason. */
static enum err defaults(struct set_store *s, struct errinfo *info)
{
    struct buf canonical = BUF_CAP(LIM_API_BODY);
    struct opt_errors errors = {0};
    struct js_doc doc = {0};
    enum err e = js_parse(STR("{}"), LIM_API_BODY, &doc, info);

    s->options = (struct opt_store){0};
    s->document = (struct str){NULL, 0};
    if (e == ERR_OK)
        err_ignore(opt_read(doc.root, NULL, s->added_day, STR(""), &s->arena, &s->options, &errors,
                            &canonical),
                   "the mappings are missing, and nothing is exported by them");
    js_free(&doc);
    buf_free(&canonical);
    return e;
}

static void secret_context(const char *store, enum set_secret which, struct buf *out)
{
    buf_printf(out, "store/%s/%s", store, set_secret_text(which));
}

static enum err read_secrets(struct set_store *s, const struct cry_keys *keys,
                             const struct rds_reply *hash, struct errinfo *info)
{
    struct buf context = BUF_CAP(512), plain = BUF_CAP(SECRET_MAX);
    enum err e = ERR_OK;

    for (int i = 0; i < SET_SECRET_COUNT && e == ERR_OK; i++) {
        char field[64];

        snprintf(field, sizeof field, "secret_at:%s", set_secret_text(i));
        if (!str_int64(rds_field(hash, field), &s->secret_at[i]))
            s->secret_at[i] = 0;
        snprintf(field, sizeof field, "secret:%s", set_secret_text(i));
        struct str sealed = rds_field(hash, field);
        if (!keys || !sealed.p || set_secret_is_workers(i))
            continue;
        buf_reset(&context);
        buf_reset(&plain);
        secret_context(s->key, i, &context);
        e = cry_open(keys, sealed, buf_str(&context), &plain, info);
        if (e != ERR_OK)
            e = err_prefix(info, e, "The secret %s of store %s", set_secret_text(i), s->key);
        else
            s->secret[i] = arena_str(&s->arena, buf_str(&plain));
    }
    buf_free_secret(&plain);
    buf_free(&context);
    return e;
}

/* *OUT is left alone unless it is ERR_OK. LOOK: a document that cannot be read is no error. */
static enum err store_read(struct rds *r, const struct cry_keys *keys, const char *key, bool look,
                           struct set_store **out, struct errinfo *info)
{
    char redis_key[sizeof RDS_PREFIX + STORE_KEY + 8];
    struct rds_reply *hash = NULL;
    struct set_store *s = NULL;
    const char *slash = strchr(key, '/');
    enum err e = ERR_OK;

    snprintf(redis_key, sizeof redis_key, RDS_PREFIX "store:%s", key);
    e = rds_call(r, (struct str[]){STR("HGETALL"), str_of(redis_key)}, 2, &hash, info);
    if (e != ERR_OK)
        return e;
    if (rds_len(hash) == 0) {
        e = err_set(info, ERR_NOT_FOUND, "There is no store %s.", key);
        goto out;
    }
    s = x_alloc(sizeof *s);
    atomic_init(&s->refs, 1);
    snprintf(s->key, sizeof s->key, "%s", key);
    snprintf(s->platform, sizeof s->platform, "%.*s", (int)(slash - key), key);
    snprintf(s->id, sizeof s->id, "%s", slash + 1);
    snprintf(s->connection, sizeof s->connection, "%.*s", STR_FMT(rds_field(hash, "connection")));
    snprintf(s->added_day, sizeof s->added_day, "%.*s", STR_FMT(rds_field(hash, "added_day")));
    s->deleted = rds_field(hash, "deleted").p != NULL;
    if (!str_int64(rds_field(hash, "version"), &s->version))
        e = err_set(info, ERR_INTERNAL, "Store %s has no version in Redis.", key);
    if (e == ERR_OK && !s->deleted)
        e = read_document(s, rds_field(hash, "doc"), info);
    if (e != ERR_OK && rds_field(hash, "erased").p) {
        s->damaged = true;
        e = defaults(s, info);
    } else if (e != ERR_OK && look) {
        s->damaged = true;
        s->options = (struct opt_store){0};
        s->document = (struct str){NULL, 0};
        e = ERR_OK;
    }
    if (e == ERR_OK && !s->deleted)
        e = read_secrets(s, keys, hash, info);
out:
    rds_free(hash);
    if (e == ERR_OK)
        *out = s;
    else if (s)
        store_free(s);
    return e;
}

/* ---- the cache ---- */

static int64_t monotonic_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct set_cache *set_cache_new(const struct cry_keys *keys, size_t max)
{
    struct set_cache *c = x_alloc(sizeof *c);

    assert(max > 0);
    c->keys = keys;
    c->now_ms = monotonic_ms;
    cry_random(&c->seed, sizeof c->seed);
    c->ways = max < WAYS ? max : WAYS;
    c->bucket_count = max / c->ways;
    c->buckets = x_alloc(c->bucket_count * sizeof *c->buckets);
    for (size_t i = 0; i < c->bucket_count; i++)
        pthread_mutex_init(&c->buckets[i].lock, NULL);
    pthread_mutex_init(&c->absent_lock, NULL);
    return c;
}

void set_cache_free(struct set_cache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->bucket_count; i++) {
        for (size_t j = 0; j < WAYS; j++)
            set_store_put(c->buckets[i].slot[j].store);
        pthread_mutex_destroy(&c->buckets[i].lock);
    }
    pthread_mutex_destroy(&c->absent_lock);
    x_free(c->buckets);
    x_free(c);
}

void set_cache_clock(struct set_cache *c, int64_t (*now_ms)(void))
{
    c->now_ms = now_ms;
}

/* FNV-1a from a secret start. */
static uint64_t hash_of(const struct set_cache *c, const char *key)
{
    uint64_t h = c->seed;

    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * 0x100000001b3u;
    return h ^ (h >> 29);
}

static struct bucket *bucket_of(struct set_cache *c, const char *key)
{
    return &c->buckets[hash_of(c, key) % c->bucket_count];
}

/* The slot of KEY, or NULL. */
static struct slot *slot_of(struct bucket *b, size_t ways, const char *key)
{
    for (size_t i = 0; i < ways; i++)
        if (b->slot[i].store && strcmp(b->slot[i].store->key, key) == 0)
            return &b->slot[i];
    return NULL;
}

/* A slot to put something in; *OUT is what has to leave for it. */
static struct slot *slot_for(struct bucket *b, size_t ways, struct set_store **out)
{
    struct slot *s = NULL;

    for (size_t i = 0; i < ways && !s; i++)
        if (!b->slot[i].store)
            s = &b->slot[i];
    while (!s) {
        struct slot *at = &b->slot[b->hand++ % ways];
        if (!at->used)
            s = at;
        at->used = false;
    }
    *out = s->store;
    return s;
}

/* The cached store, counted, unless it has to be read: because it is at version SEEN (0: whatever
 * it is), or because REFRESH is wanted and its second is over; who is told so is the one to read
 * it. */
static struct set_store *cached(struct set_cache *c, const char *key, bool refresh, int64_t seen)
{
    struct bucket *b = bucket_of(c, key);
    struct set_store *found = NULL;
    int64_t now = refresh ? c->now_ms() : 0;

    pthread_mutex_lock(&b->lock);
    struct slot *s = slot_of(b, c->ways, key);
    if (s && refresh && now - s->read_ms >= REST_MS) {
        s->read_ms = now;
    } else if (s && s->store->version != seen) {
        found = s->store;
        atomic_fetch_add_explicit(&found->refs, 1, memory_order_relaxed);
        s->used = true;
    }
    pthread_mutex_unlock(&b->lock);
    return found;
}

/* Puts FRESH into the cache and returns it, or what another thread has put there meanwhile if that
 * is newer and not at version SEEN (ANY_VERSION: never). Takes FRESH; the result is counted for the
 * caller. */
static struct set_store *cache_store(struct set_cache *c, struct set_store *fresh, int64_t seen)
{
    struct bucket *b = bucket_of(c, fresh->key);
    struct set_store *leaves = NULL, *stays = fresh;

    pthread_mutex_lock(&b->lock);
    struct slot *s = slot_of(b, c->ways, fresh->key);
    if (s && s->store->version > fresh->version && s->store->version != seen &&
        seen != ANY_VERSION) {
        stays = s->store;
        leaves = fresh;
    } else {
        if (s)
            leaves = s->store;
        else
            s = slot_for(b, c->ways, &leaves);
        s->store = fresh;
    }
    s->read_ms = c->now_ms();
    s->used = true;
    atomic_fetch_add_explicit(&stays->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&b->lock);
    set_store_put(leaves);
    return stays;
}

/* KEY could not be read (its next reader need not wait) or, if GONE, Redis has forgotten it. */
static void cache_miss(struct set_cache *c, const char *key, bool gone)
{
    struct bucket *b = bucket_of(c, key);
    struct set_store *leaves = NULL;

    pthread_mutex_lock(&b->lock);
    struct slot *s = slot_of(b, c->ways, key);
    if (s && gone) {
        leaves = s->store;
        *s = (struct slot){0};
    } else if (s) {
        s->read_ms = c->now_ms() - REST_MS;
    }
    pthread_mutex_unlock(&b->lock);
    set_store_put(leaves);
    if (!gone)
        return;

    struct absent *a = &c->absent[hash_of(c, key) % ABSENT];
    pthread_mutex_lock(&c->absent_lock);
    snprintf(a->key, sizeof a->key, "%s", key);
    a->at_ms = c->now_ms();
    pthread_mutex_unlock(&c->absent_lock);
}

static bool known_absent(struct set_cache *c, const char *key)
{
    struct absent *a = &c->absent[hash_of(c, key) % ABSENT];
    int64_t now = c->now_ms();

    pthread_mutex_lock(&c->absent_lock);
    bool is = strcmp(a->key, key) == 0 && now - a->at_ms < REST_MS;
    pthread_mutex_unlock(&c->absent_lock);
    return is;
}

static enum err get(struct set_cache *c, struct rds *r, const char *platform, const char *id,
                    bool refresh, int64_t seen, struct set_store **out, struct errinfo *info)
{
    char key[STORE_KEY];
    struct set_store *fresh = NULL;

    *out = NULL;
    if (!store_key(platform, id, key))
        return err_set(info, ERR_NOT_FOUND, "There is no such store.");
    *out = cached(c, key, refresh, seen);
    if (*out)
        return ERR_OK;
    if (known_absent(c, key))
        return err_set(info, ERR_NOT_FOUND, "There is no store %s.", key);
    enum err e = store_read(r, c->keys, key, false, &fresh, info);
    if (fresh)
        *out = cache_store(c, fresh, seen);
    else
        cache_miss(c, key, e == ERR_NOT_FOUND);
    return e;
}

enum err set_store_get(struct set_cache *c, struct rds *r, const char *platform, const char *id,
                       bool refresh, struct set_store **out, struct errinfo *info)
{
    return get(c, r, platform, id, refresh, 0, out, info);
}

enum err set_store_renew(struct set_cache *c, struct rds *r, const char *platform, const char *id,
                         int64_t seen, struct set_store **out, struct errinfo *info)
{
    return get(c, r, platform, id, false, seen, out, info);
}

static void forget_absent(struct set_cache *c, const char *key)
{
    struct absent *a = &c->absent[hash_of(c, key) % ABSENT];

    pthread_mutex_lock(&c->absent_lock);
    if (strcmp(a->key, key) == 0)
        a->key[0] = '\0';
    pthread_mutex_unlock(&c->absent_lock);
}

enum err set_store_read(struct set_cache *c, struct rds *r, const char *platform, const char *id,
                        struct set_store **out, struct errinfo *info)
{
    char key[STORE_KEY];
    struct set_store *fresh = NULL;
    enum err e = ERR_OK;

    *out = NULL;
    if (!store_key(platform, id, key))
        return err_set(info, ERR_NOT_FOUND, "There is no such store.");
    e = store_read(r, c->keys, key, false, &fresh, info);
    if (!fresh) {
        cache_miss(c, key, e == ERR_NOT_FOUND);
        return e;
    }
    forget_absent(c, key);
    *out = cache_store(c, fresh, ANY_VERSION);
    return ERR_OK;
}

enum err set_store_look(struct rds *r, const char *platform, const char *id, struct set_store **out,
                        struct errinfo *info)
{
    char key[STORE_KEY];

    *out = NULL;
    if (!store_key(platform, id, key))
        return err_set(info, ERR_NOT_FOUND, "There is no such store.");
    return store_read(r, NULL, key, true, out, info);
}

/* ---- changing a store ---- */

/* A secret that stays, sealed by the key before the present one: sealed anew into ARGS, so that the
 * old key can go. One that cannot be opened is left as it is. */
static void reseal(const struct cry_keys *keys, const char *name, struct str sealed,
                   struct str context, struct rds_args *args)
{
    struct buf plain = BUF_CAP(SECRET_MAX), anew = BUF_CAP(SECRET_MAX * 2);

    if (sealed.n > 0 && !cry_sealed_by_current(keys, sealed) &&
        cry_open(keys, sealed, context, &plain, NULL) == ERR_OK &&
        cry_seal(keys, buf_str(&plain), context, &anew) == ERR_OK) {
        rds_argz(args, arena_printf(args->arena, "=%s", name));
        rds_arg(args, arena_str(args->arena, buf_str(&anew)));
    }
    buf_free(&anew);
    buf_free_secret(&plain);
}

/* What a worker's secret leaves in the store's hash. */
#define WITH_A_WORKER "with a worker"

/* STORED: the store's hash as it is. */
static enum err seal_secrets(const struct cry_keys *keys, const char *key,
                             const struct set_store_write *w, const struct rds_reply *stored,
                             struct rds_args *args, struct errinfo *info)
{
    struct buf context = BUF_CAP(512), sealed = BUF_CAP(SECRET_MAX * 2);
    enum err e = ERR_OK;

    for (int i = 0; i < SET_SECRET_COUNT && e == ERR_OK; i++) {
        buf_reset(&context);
        buf_reset(&sealed);
        secret_context(key, i, &context);
        if (!w->secret[i].p && !w->clear[i]) {
            char field[64];

            snprintf(field, sizeof field, "secret:%s", set_secret_text(i));
            if (!set_secret_is_workers(i))
                reseal(keys, set_secret_text(i), rds_field(stored, field), buf_str(&context), args);
            continue;
        }
        if (w->secret[i].n > SECRET_MAX)
            e = err_set(info, ERR_TOO_BIG, "The secret %s is longer than 4 KiB.",
                        set_secret_text(i));
        else if (w->secret[i].p && set_secret_is_workers(i))
            buf_addz(&sealed, WITH_A_WORKER);
        else if (w->secret[i].p)
            e = cry_seal(keys, w->secret[i], buf_str(&context), &sealed);
        rds_argz(args, set_secret_text(i));
        rds_arg(args, arena_str(args->arena, buf_str(&sealed)));
    }
    buf_free(&sealed);
    buf_free(&context);
    return e;
}

static enum err saved(const struct rds_reply *reply, const struct set_store_write *w,
                      int64_t *version, struct errinfo *info)
{
    struct str word = rds_text(rds_at(reply, 0));
    struct str detail = rds_text(rds_at(reply, 1));

    if (str_eq(word, STR("ok"))) {
        if (version)
            *version = rds_int(rds_at(reply, 1));
        return ERR_OK;
    }
    if (str_eq(word, STR("no_conn")))
        return err_set(info, ERR_NOT_FOUND, "There is no connection %s.", w->connection);
    if (str_eq(word, STR("prefix")))
        return err_set(
            info, ERR_EXISTS,
            "The prefix is used on this connection already, by %.*s: invoice numbers would be "
            "taken twice.",
            STR_FMT(detail));
    if (str_eq(word, STR("busy")))
        return err_set(info, ERR_CONFLICT,
                       "The store stays with connection %.*s while orders of it wait or are being "
                       "exported there, %.*s for one.",
                       STR_FMT(rds_text(rds_at(reply, 2))), STR_FMT(detail));
    if (rds_int(rds_at(reply, 1)) == 0)
        return err_set(info, ERR_CONFLICT, "The store was deleted, or was never there.");
    return err_set(info, ERR_CONFLICT,
                   "Somebody else has changed the store: it is at version %.*s now. Read it again.",
                   STR_FMT(detail));
}

/* What opens the shop now, or that nothing does any more, goes to a worker, as one task. */
static enum err send_shop(struct rds *r, const struct cry_keys *keys, const char *key,
                          const struct set_store_write *w, int64_t version, struct errinfo *info)
{
    struct str secret = {NULL, 0}, client_id = w->secret[SET_API_CLIENT_ID];
    bool changed = false;
    char entered[24];

    for (int i = 0; i < SET_SECRET_COUNT; i++) {
        if (!set_secret_is_workers(i))
            continue;
        changed = changed || w->secret[i].p || w->clear[i];
        if (w->secret[i].p && i != SET_API_CLIENT_ID)
            secret = w->secret[i];
    }
    if (!changed)
        return ERR_OK;
    (void)snprintf(entered, sizeof(entered), "%lld", (long long)version);
    const struct str members[] = {STR("store"),     str_of(key),
                                  STR("client_id"), client_id.p ? client_id : STR(""),
                                  STR("version"),   str_of(entered)};
    return tsk_add_secret(r, keys, "shop", str_of(key), secret, members, 6, info);
}

enum err set_store_save(struct rds *r, const struct cry_keys *keys, const struct set_store_write *w,
                        int64_t *version, struct errinfo *info)
{
    char key[STORE_KEY], change[37];
    struct rds_reply *stored = NULL, *reply = NULL;
    struct arena arena = {0};
    struct rds_args args;
    enum err e = ERR_OK;

    if (!store_key(w->platform, w->id, key))
        return err_set(info, ERR_RANGE, "This is no store's platform and id.");
    struct str redis_key = str_of(arena_printf(&arena, RDS_PREFIX "store:%s", key));
    cry_uuid(change);
    rds_args_init(&args, &arena);
    rds_argz(&args, key);
    rds_argz(&args, change);
    rds_argi(&args, w->expect_version);
    rds_argz(&args, w->connection);
    rds_argz(&args, w->prefix.p ? arena_printf(&arena, "=%.*s", STR_FMT(w->prefix)) : "");
    rds_arg(&args, w->document);
    rds_argz(&args, w->added_day ? w->added_day : "");
    rds_argz(&args, w->who);
    e = rds_call(r, (struct str[]){STR("HGETALL"), redis_key}, 2, &stored, info);
    if (e == ERR_OK)
        e = seal_secrets(keys, key, w, stored, &args, info);
    if (e == ERR_OK)
        e = rds_script(r, "store_save", args.v, args.n, &reply, info);
    if (e == ERR_OK)
        e = saved(reply, w, version, info);
    if (e == ERR_OK)
        e = send_shop(r, keys, key, w, rds_int(rds_at(reply, 1)), info);
    rds_free(stored);
    rds_free(reply);
    arena_free(&arena);
    return e;
}

/* Takes the orders of a deleted store out of one queue of its connection. */
static enum err withdraw(struct rds *r, const char *key, struct str connection, const char *queue,
                         struct errinfo *info)
{
    char cursor[24] = "0";
    enum err e = ERR_OK;

    do {
        struct rds_reply *reply = NULL;
        struct str argv[] = {str_of(key), connection, str_of(queue), str_of(cursor)};

        e = rds_script(r, "store_withdraw", argv, 4, &reply, info);
        if (e == ERR_OK)
            snprintf(cursor, sizeof cursor, "%.*s", STR_FMT(rds_text(rds_at(reply, 0))));
        rds_free(reply);
    } while (e == ERR_OK && strcmp(cursor, "0") != 0);
    return e;
}

enum err set_store_delete(struct rds *r, const char *platform, const char *id, const char *who,
                          struct errinfo *info)
{
    static const char *const queues[] = {"ready", "later", "failed"};
    char key[STORE_KEY], change[37];
    struct rds_reply *reply = NULL;
    enum err e = ERR_OK;

    if (!store_key(platform, id, key))
        return err_set(info, ERR_NOT_FOUND, "There is no such store.");
    cry_uuid(change);
    e = rds_script(r, "store_delete", (struct str[]){str_of(key), str_of(change), str_of(who)}, 3,
                   &reply, info);
    if (e != ERR_OK)
        return e;
    struct str word = rds_text(rds_at(reply, 0));
    for (size_t i = 0; i < 3 && e == ERR_OK && !str_eq(word, STR("none")); i++)
        e = withdraw(r, key, rds_text(rds_at(reply, 1)), queues[i], info);
    if (e == ERR_OK && !str_eq(word, STR("none"))) /* what opened its shop is with the workers */
        e = tsk_add_secret(r, NULL, "shop", str_of(key), (struct str){NULL, 0},
                           (struct str[]){STR("store"), str_of(key)}, 2, info);
    if (e == ERR_OK && !str_eq(word, STR("ok")))
        e = err_set(info, ERR_NOT_FOUND, "There is no store %s.", key);
    rds_free(reply);
    return e;
}

/* ---- lists ---- */

static int compare_str(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static enum err members(struct rds *r, struct str key, struct arena *arena, struct str **out,
                        size_t *n, struct errinfo *info)
{
    struct rds_reply *reply = NULL;
    enum err e = rds_call(r, (struct str[]){STR("SMEMBERS"), key}, 2, &reply, info);

    *out = NULL;
    *n = 0;
    if (e != ERR_OK)
        return e;
    *n = rds_len(reply);
    *out = arena_array(arena, *n, sizeof **out);
    for (size_t i = 0; i < *n; i++)
        (*out)[i] = arena_str(arena, rds_text(rds_at(reply, i)));
    rds_free(reply);
    if (*n > 1)
        qsort(*out, *n, sizeof **out, compare_str);
    return ERR_OK;
}

enum err set_store_list(struct rds *r, struct arena *arena, struct str **keys, size_t *n,
                        struct errinfo *info)
{
    return members(r, STR(RDS_PREFIX "stores"), arena, keys, n, info);
}

enum err set_conn_list(struct rds *r, struct arena *arena, struct str **names, size_t *n,
                       struct errinfo *info)
{
    return members(r, STR(RDS_PREFIX "conns"), arena, names, n, info);
}

/* ---- connections ---- */

static const char *const status_texts[] = {"active", "paused", "disconnected", "uninstalled"};

const char *set_conn_status_text(enum set_conn_status s)
{
    return (size_t)s < sizeof status_texts / sizeof *status_texts ? status_texts[s] : "";
}

bool set_conn_name_ok(struct str name)
{
    if (name.n == 0 || name.n > LIM_CONN_NAME || name.p[0] == '-')
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (!(name.p[i] >= 'a' && name.p[i] <= 'z') && !(name.p[i] >= '0' && name.p[i] <= '9') &&
            name.p[i] != '-')
            return false;
    return true;
}

static int64_t number(const struct rds_reply *hash, const char *field, int64_t otherwise)
{
    int64_t n = 0;

    return str_int64(rds_field(hash, field), &n) ? n : otherwise;
}

/* When the day's calls are used up if the rest of the day goes as it has gone; 0: not before its
 * end, or Xero has said nothing of this day yet. */
static int64_t runs_out(const struct rds_reply *hash, int64_t now_ms)
{
    const int64_t day_ms = 86400000;
    int64_t left = number(hash, "day_left", -1), ends = number(hash, "day_end", 0);
    int64_t used = number(hash, "day_max", 0) - left, passed = now_ms - (ends - day_ms);

    if (left < 0 || ends <= now_ms || used <= 0 || passed <= 0)
        return 0;
    int64_t at = now_ms + left * passed / used;

    return at < ends ? at : 0;
}

static void read_conn(const struct rds_reply *hash, struct set_conn *out)
{
    struct str status = rds_field(hash, "status");

    for (int i = 0; i <= SET_UNINSTALLED; i++)
        if (str_eq(status, str_of(status_texts[i])))
            out->status = i;
    snprintf(out->tenant, sizeof out->tenant, "%.*s", STR_FMT(rds_field(hash, "tenant")));
    snprintf(out->tenant_name, sizeof out->tenant_name, "%.*s",
             STR_FMT(str_cut(rds_field(hash, "tenant_name"), sizeof out->tenant_name - 1)));
    snprintf(out->grant_kind, sizeof out->grant_kind, "%.*s", STR_FMT(rds_field(hash, "kind")));
    snprintf(out->grant, sizeof out->grant, "%.*s", STR_FMT(rds_field(hash, "grant")));
    snprintf(out->client_id, sizeof out->client_id, "%.*s", STR_FMT(rds_field(hash, "client_id")));
    snprintf(out->consent, sizeof out->consent, "%.*s", STR_FMT(rds_field(hash, "consent")));
    snprintf(out->dropped, sizeof out->dropped, "%.*s",
             STR_FMT(str_cut(rds_field(hash, "dropped"), sizeof out->dropped - 1)));
    snprintf(out->hold_why, sizeof out->hold_why, "%.*s",
             STR_FMT(str_cut(rds_field(hash, "why"), sizeof out->hold_why - 1)));
    out->version = number(hash, "version", 0);
    out->day_left = number(hash, "day_left", -1);
    out->runs_out_ms = runs_out(hash, (int64_t)time(NULL) * 1000);
    out->not_before_ms = number(hash, "nb", 0);
}

enum err set_conn_get(struct rds *r, const char *name, struct set_conn *out, struct errinfo *info)
{
    static const char *const counted[] = {"ready", "later", "failed", "leases"};
    struct str argv[5][2];
    struct rds_command commands[5];
    struct rds_reply *reply[5] = {0};
    struct arena arena = {0};
    enum err e = ERR_OK;

    *out = (struct set_conn){0};
    if (!set_conn_name_ok(str_of(name)))
        return err_set(info, ERR_NOT_FOUND, "There is no such connection.");
    for (int i = 0; i < 5; i++) {
        const char *kind = i == 0 ? "conn" : counted[i - 1];

        argv[i][0] = i == 0 ? STR("HGETALL") : STR("ZCARD");
        argv[i][1] = str_of(arena_printf(&arena, RDS_PREFIX "%s:%s", kind, name));
        commands[i] = (struct rds_command){argv[i], 2};
    }
    e = rds_pipeline(r, commands, 5, reply, info);
    if (e == ERR_OK && rds_len(reply[0]) == 0)
        e = err_set(info, ERR_NOT_FOUND, "There is no connection %s.", name);
    if (e == ERR_OK) {
        snprintf(out->name, sizeof out->name, "%s", name);
        read_conn(reply[0], out);
        out->waiting = rds_int(reply[1]) + rds_int(reply[2]);
        out->failed = rds_int(reply[3]);
        out->leased = rds_int(reply[4]);
    }
    for (int i = 0; i < 5; i++)
        rds_free(reply[i]);
    arena_free(&arena);
    return e;
}

enum err set_conn_ready(const struct set_conn *c, struct errinfo *info)
{
    switch (c->status) {
    case SET_ACTIVE:
        return ERR_OK;
    case SET_PAUSED:
        return err_set(
            info, ERR_CONFLICT,
            "The connection %s is paused, so nothing is exported to it. Resume it first.", c->name);
    case SET_DISCONNECTED:
        return err_set(info, ERR_CONFLICT,
                       "The Xero connection %s has been dropped: %s Its orders wait, none is lost. "
                       "Reconnect it first.",
                       c->name, c->dropped);
    case SET_UNINSTALLED:
        break;
    }
    return err_set(info, ERR_CONFLICT,
                   "Xero was uninstalled from the connection %s. Set it up again first.", c->name);
}

static enum err send_client(struct rds *r, const struct cry_keys *keys, const char *connection,
                            struct str client_id, struct str grant, struct str secret,
                            struct errinfo *info)
{
    const struct str members[] = {STR("connection"), str_of(connection), STR("grant"), grant,
                                  STR("client_id"),  client_id};

    return tsk_add_secret(r, keys, "client", grant, secret, members, 6, info);
}

static enum err conn_refusal(const struct rds_reply *reply, struct errinfo *info)
{
    struct str word = rds_text(rds_at(reply, 0));

    if (str_eq(word, STR("ok")))
        return ERR_OK;
    if (str_eq(word, STR("tenant")))
        return err_set(
            info, ERR_CONFLICT,
            "The connection exports to the Xero organisation %.*s. To point it at another "
            "one, say so with \"force\":true.",
            STR_FMT(rds_text(rds_at(reply, 1))));
    if (str_eq(word, STR("leased")))
        return err_set(info, ERR_CONFLICT,
                       "Orders are being exported to the connection's present Xero organisation. "
                       "Try again when they have arrived; a paused connection must be resumed "
                       "for that.");
    if (str_eq(word, STR("no_secret")))
        return err_set(info, ERR_MISSING, "A new client_id needs its client_secret.");
    return err_set(info, ERR_MISSING, "A client_secret needs its client_id.");
}

enum err set_conn_save(struct rds *r, const struct cry_keys *keys, const struct set_conn_write *w,
                       bool *created, struct errinfo *info)
{
    struct rds_reply *reply = NULL;
    char change[37];
    enum err e = ERR_OK;

    if (!set_conn_name_ok(str_of(w->name)))
        return err_set(info, ERR_RANGE,
                       "A connection's name is 1 to 64 of a-z, 0-9 and -, not beginning with -.");
    if (w->client_secret.n > SECRET_MAX)
        return err_set(info, ERR_TOO_BIG, "The client_secret is longer than 4 KiB.");
    cry_uuid(change);
    struct str argv[] = {str_of(w->name),
                         str_of(change),
                         str_of(w->tenant),
                         str_of(w->grant_kind),
                         str_of(w->client_id),
                         str_of(w->client_id ? "1" : "0"),
                         str_of(w->client_secret.p ? "1" : "0"),
                         str_of(w->force ? "1" : "0"),
                         str_of(w->who)};
    e = rds_script(r, "conn_save", argv, sizeof argv / sizeof *argv, &reply, info);
    if (e == ERR_OK)
        e = conn_refusal(reply, info);
    if (e != ERR_OK)
        goto out;
    if (created)
        *created = rds_int(rds_at(reply, 1)) == 1;
    if (w->client_secret.p)
        e = send_client(r, keys, w->name, rds_text(rds_at(reply, 2)), rds_text(rds_at(reply, 3)),
                        w->client_secret, info);
out:
    rds_free(reply);
    return e;
}
