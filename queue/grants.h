/*
 * grants: clients' pairs, and consents with their one set of tokens each, which all organisations
 * of the consent share: `grant:<id>` in Redis, sealed under the master key, one refresh at a time
 * over all workers, new tokens stored by version before they are used. Linked into the worker only;
 * the receiver's Redis user cannot read these keys. Makes no HTTP call: the caller asks the
 * identity server between grt_begin and grt_store.
 */
#pragma once

#include "queue/rds.h"
#include "service/base/crypto.h"
#include "service/base/limits.h"
#include <stdbool.h>
#include <stdint.h>

struct grt_token {
    char *access;     /* wiped and freed by grt_token_free; NULL: none that is valid */
    int64_t valid_ms; /* from now on, at the time of reading */
    int64_t version;
    char client_id[128];
    char client[80]; /* the grant that holds the client's pair; of a client its own id */
    bool consent;    /* tokens are refreshed by a refresh token, not by the pair alone */
    int64_t age_ms;  /* of a consent: since its refresh token was replaced */
    /* opened only where a refresh is to be made; empty otherwise */
    struct buf client_secret, refresh, previous;
};
/* Wipes; leaves an empty token, accepts one. */
void grt_token_free(struct grt_token *t);

/* The grant's access token if it is valid for at least MARGIN_MS more. ERR_NOT_FOUND: no such grant
 * yet (its credentials are still on their way). */
enum err grt_get(struct rds *r, const struct cry_keys *master, const char *grant, int64_t margin_ms,
                 struct grt_token *out, struct errinfo *info) MUST_CHECK;
/* The right to refresh version VERSION for 60 s. *MINE false: somebody else has it or the version
 * moved on: read again after a moment. With *MINE the client's secret is opened into OUT. */
enum err grt_begin(struct rds *r, const struct cry_keys *master, const char *grant, int64_t version,
                   const char *holder, bool *mine, struct grt_token *out,
                   struct errinfo *info) MUST_CHECK;
/* What Xero gave. REFRESH "": none (client credentials). */
struct grt_set {
    struct str access, refresh;
    int64_t expires_s;
};
/* Stores the new set as version + 1 and gives the right back. ERR_CONFLICT: the version moved on;
 * the set must not be used. May be repeated when Redis could not be reached. */
enum err grt_store(struct rds *r, const struct cry_keys *master, const char *grant, int64_t version,
                   const char *holder, const struct grt_set *set, struct errinfo *info) MUST_CHECK;
/* Gives the right back without a token. */
enum err grt_abandon(struct rds *r, const char *grant, const char *holder,
                     struct errinfo *info) MUST_CHECK;
/* Makes access tokens of VERSION invalid (Xero said so). */
enum err grt_expire(struct rds *r, const char *grant, int64_t version,
                    struct errinfo *info) MUST_CHECK;
/* Creates or replaces a client-credentials grant; its tokens begin anew. */
enum err grt_put_client(struct rds *r, const struct cry_keys *master, const char *grant,
                        const char *client_id, struct str client_secret,
                        struct errinfo *info) MUST_CHECK;
/* Creates the grant of a consent given to the client whose pair the grant CLIENT holds. */
enum err grt_put_consent(struct rds *r, const struct cry_keys *master, const char *grant,
                         const char *client, const struct grt_set *set,
                         struct errinfo *info) MUST_CHECK;
/* The client id and secret of a grant, opened into OUT (free it). ERR_NOT_FOUND, ERR_CRYPTO. */
enum err grt_pair(struct rds *r, const struct cry_keys *master, const char *grant,
                  struct grt_token *out, struct errinfo *info) MUST_CHECK;
/* Erases a grant; there need be none. */
enum err grt_forget(struct rds *r, const char *grant, struct errinfo *info) MUST_CHECK;
/* Ids of all grants, in ARENA. */
enum err grt_list(struct rds *r, struct arena *arena, struct str **ids, size_t *n,
                  struct errinfo *info) MUST_CHECK;
/* True in *SAME if the grant exists with exactly this pair; false also when its secret cannot be
 * opened by these keys any more. */
enum err grt_client_same(struct rds *r, const struct cry_keys *master, const char *grant,
                         const char *client_id, struct str client_secret, bool *same,
                         struct errinfo *info) MUST_CHECK;
#define GRT_SHOP "s-" /* what such an id begins with, and no other */
#define GRT_SHOP_ID (LIM_STORE_ID + 24)
/* What opens a store's shop to a worker is kept like a client's pair, as the grant whose id this
 * writes into OUT. Where it is a token (Shopify's api_token, Amazon's refresh_token), its client id
 * is "". */
void grt_shop_id(const char *store_key, char out[GRT_SHOP_ID]);
/* Creates or replaces it, unless what is there was entered later. ENTERED: the store's version that
 * it came with; "": not known, it replaces. ERR_TOO_BIG: the client id. */
enum err grt_put_shop(struct rds *r, const struct cry_keys *master, const char *store_key,
                      const char *client_id, struct str secret, const char *entered,
                      struct errinfo *info) MUST_CHECK;
/* Opens it into OUT's client_id and client_secret; free it. ERR_NOT_FOUND: there is none (yet);
 * ERR_CRYPTO: these keys do not open it. */
enum err grt_shop(struct rds *r, const struct cry_keys *master, const char *store_key,
                  struct grt_token *out, struct errinfo *info) MUST_CHECK;
/* Id of the grant made from the environment's default pair. */
#define GRT_DEFAULT "default"
