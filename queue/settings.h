/*
 * settings: stores and connections as they stand in Redis, with versions, sealed webhook secrets,
 * and a bounded cache for the accept path. Does not know what a setting means (options does) and
 * holds no key that opens a Xero token.
 * The cache may be used by any thread; what it hands out is immutable and counted.
 */
#pragma once

#include "queue/rds.h"
#include "service/base/crypto.h"
#include "service/base/limits.h"
#include "service/sync/options.h"
#include <stdbool.h>
#include <stdint.h>

enum set_secret {
    SET_WEBHOOK,
    SET_WEBHOOK_PREVIOUS,
    SET_WEBHOOK_ADMIN,
    SET_API_TOKEN,
    SET_API_CLIENT_ID, /* with the next, instead of a token: the app's pair, which gets tokens */
    SET_API_CLIENT_SECRET,
    SET_API_KEY_HEADER, /* which header carries the key; not set: x-api-key */
    SET_API_KEY,
    SET_API_KEY_PREVIOUS,
    SET_REFRESH_TOKEN,
    SET_SECRET_COUNT
};
/* "webhook", ...: the names in the API and in Redis. */
const char *set_secret_text(enum set_secret s);
/* Whether stores of PLATFORM have such a secret. */
bool set_secret_of(enum set_secret s, const char *platform) MUST_CHECK;
/* Whether it opens the shop to a worker (api_token, api_client_*, refresh_token): it goes to a
 * worker as the task "shop" and is kept with the grants; of it the store's hash has only since when
 * it is set. All but an app's id, which is none, are sealed on the way. */
bool set_secret_is_workers(enum set_secret s) MUST_CHECK;

struct set_store;
/* Whether somebody entered what opens the store's shop to a worker. */
bool set_store_reads(const struct set_store *s) MUST_CHECK;

/* One store, read whole. Immutable; set_store_put gives it back. */
struct set_store {
    char platform[16], id[LIM_STORE_ID + 1];
    char key[LIM_STORE_ID + 20]; /* "shopify/<id>" */
    char connection[LIM_CONN_NAME + 1];
    int64_t version;
    char added_day[11];
    bool deleted; /* a tombstone: known once, gone now */
    bool damaged; /* no document, and empty options: it cannot be read (from set_store_look alone);
                     or it was erased with the connection's Xero */
    struct opt_store options;
    struct str document; /* canonical settings and mappings JSON */
    struct str
        secret[SET_SECRET_COUNT]; /* opened; {NULL,0} = not set, no key given, or a worker's */
    int64_t secret_at[SET_SECRET_COUNT]; /* Unix seconds since when set; 0 not set */
    struct arena arena;                  /* private */
    _Atomic int refs;                    /* private */
};

struct set_cache;

/* KEYS (borrowed for the cache's life; NULL: secrets stay closed) opens the secrets. MAX stores. */
struct set_cache *set_cache_new(const struct cry_keys *keys, size_t max);
void set_cache_free(struct set_cache *c);
/* The clock in ms that the cache goes by, monotonic unless a test gives its own. Before any use. */
void set_cache_clock(struct set_cache *c, int64_t (*now_ms)(void));

/* The store, from the cache or from Redis. REFRESH reads Redis again unless that was done for this
 * store within the last second. ERR_NOT_FOUND: no such store (a tombstone is found, with
 * `deleted`). Unknown ids are remembered for a second, so that strangers cannot make us ask Redis
 * each time. */
enum err set_store_get(struct set_cache *c, struct rds *r, const char *platform, const char *id,
                       bool refresh, struct set_store **out, struct errinfo *info) MUST_CHECK;
/* The store at another version than SEEN, which Redis has just said is out of date: from the cache
 * if it has one already, else from Redis, at once (REFRESH's rest of a second is for strangers). */
enum err set_store_renew(struct set_cache *c, struct rds *r, const char *platform, const char *id,
                         int64_t seen, struct set_store **out, struct errinfo *info) MUST_CHECK;
/* The store as Redis has it now, whatever the cache knows, which learns of it. The errors of
 * set_store_get. */
enum err set_store_read(struct set_cache *c, struct rds *r, const char *platform, const char *id,
                        struct set_store **out, struct errinfo *info) MUST_CHECK;
/* The store as Redis has it now, for what people see and change: without its secrets, and also if
 * its settings cannot be read, so that one store's damage neither hides the others nor stands in
 * the way of its own mending. The other errors of set_store_get. */
enum err set_store_look(struct rds *r, const char *platform, const char *id, struct set_store **out,
                        struct errinfo *info) MUST_CHECK;
void set_store_put(struct set_store *s);

/* What a store is to become. */
struct set_store_write {
    const char *platform, *id, *connection;
    int64_t expect_version; /* 0: must not exist (a tombstone may); else what was read */
    struct str prefix;      /* of its invoices' numbers, the connection's only; {NULL,0}: none */
    struct str document;    /* canonical */
    const char *added_day;  /* for a new one */
    struct str secret[SET_SECRET_COUNT]; /* plain; {NULL,0} keeps what is there */
    bool clear[SET_SECRET_COUNT];        /* removes it */
    const char *who;                     /* token name, for the audit */
};
/* Stores it and bumps the version. ERR_CONFLICT: another change came between, or the connection may
 * not be changed while orders of the store wait (INFO says which); ERR_EXISTS: another store of the
 * connection has the prefix in any case (INFO says which); ERR_NOT_FOUND: no such
 * connection; ERR_RANGE: not a store's platform and id; ERR_TOO_BIG: a secret over 4 KiB. An error
 * after which the store is stored and only what is a worker's is not with one yet is mended by the
 * same secret again. VERSION may be NULL. */
enum err set_store_save(struct rds *r, const struct cry_keys *keys, const struct set_store_write *w,
                        int64_t *version, struct errinfo *info) MUST_CHECK;
/* Leaves a tombstone: secrets and settings go, then waiting orders are withdrawn and failed ones
 * leave the list, in chunks, and a worker is asked to forget what opened the shop. ERR_NOT_FOUND:
 * there is none, or none any more (what an earlier call had to leave undone is done first). */
enum err set_store_delete(struct rds *r, const char *platform, const char *id, const char *who,
                          struct errinfo *info) MUST_CHECK;
/* Keys ("shopify/x") of all live stores, sorted, in ARENA. */
enum err set_store_list(struct rds *r, struct arena *arena, struct str **keys, size_t *n,
                        struct errinfo *info) MUST_CHECK;

enum set_conn_status { SET_ACTIVE, SET_PAUSED, SET_DISCONNECTED, SET_UNINSTALLED };
/* "active", ...: as in the API and in Redis. */
const char *set_conn_status_text(enum set_conn_status s);

struct set_conn {
    char name[LIM_CONN_NAME + 1];
    enum set_conn_status status;
    char tenant[64], tenant_name[256];
    char grant_kind[32]; /* "client_credentials", "authorization_code" */
    char grant[80];      /* id of the client's grant; "" = the environment's default pair */
    char client_id[128]; /* "" = the environment's */
    char consent[80];    /* authorization_code: id of the consent's grant; "" none yet */
    char dropped[256];   /* disconnected: why */
    int64_t version;
    int64_t day_left;      /* Xero's newest word less the permits since; -1 unknown */
    int64_t runs_out_ms;   /* Unix ms at which they end at the pace of this day; 0 not before it */
    int64_t not_before_ms; /* Unix ms; 0 none */
    char hold_why[256];    /* why it is held until then */
    int64_t waiting, failed, leased;
};
/* [a-z0-9][a-z0-9-]{0,63} */
bool set_conn_name_ok(struct str name) MUST_CHECK;
enum err set_conn_get(struct rds *r, const char *name, struct set_conn *out,
                      struct errinfo *info) MUST_CHECK;
enum err set_conn_list(struct rds *r, struct arena *arena, struct str **names, size_t *n,
                       struct errinfo *info) MUST_CHECK;

/* ERR_CONFLICT with the reason and what to do unless exports may be asked for: the answer to every
 * export request while the connection is paused, disconnected or uninstalled. */
enum err set_conn_ready(const struct set_conn *c, struct errinfo *info) MUST_CHECK;

struct set_conn_write {
    const char *name;
    const char *tenant; /* "" keeps what there is, or waits for a consent to tell */
    const char *grant_kind;
    const char *client_id;    /* NULL keeps; "" goes back to the environment's pair */
    struct str client_secret; /* plain; goes to a worker under the hook key; {NULL,0} keeps */
    bool force;               /* another tenant than before is wanted */
    const char *who;
};
/* Creates or replaces; status stays as it is (after an uninstall it begins anew, with
 * authorization_code it is disconnected until somebody consents). ERR_CONFLICT:
 * another tenant than before without FORCE, or while orders are leased; ERR_MISSING: a client_id
 * that is new without its secret, or a secret without a client_id; ERR_RANGE: not a connection's
 * name. An error after which the connection is stored and only its secret is not yet with a worker
 * is mended by the same call again. *CREATED may be NULL. */
enum err set_conn_save(struct rds *r, const struct cry_keys *keys, const struct set_conn_write *w,
                       bool *created, struct errinfo *info) MUST_CHECK;
