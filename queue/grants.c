#include "queue/grants.h"

#include <stdio.h>

#define REFRESH_MS 60000

/* Xero's access tokens are about 2 KB; sealed and in base64 a third more. */
#define SECRET_MAX (16u << 10)

/* Where the fields of the script's answer stand. */
enum {
    G_DONE,
    G_VERSION,
    G_VALID,
    G_CLIENT_ID,
    G_SECRET,
    G_ACCESS,
    G_KIND,
    G_CLIENT,
    G_REFRESH,
    G_PREVIOUS,
    G_AGE,
    G_COUNT
};

void grt_token_free(struct grt_token *t)
{
    if (t->access)
        cry_wipe(t->access, strlen(t->access));
    x_free(t->access);
    buf_free_secret(&t->client_secret);
    buf_free_secret(&t->refresh);
    buf_free_secret(&t->previous);
    *t = (struct grt_token){0};
}

/* What a sealed text is for, so that one put into another place does not open. */
static char *context(struct arena *a, const char *grant, const char *what)
{
    /* The script moves the refresh token to "previous" as it is. */
    return arena_printf(a, "grant/%s/%s", grant, strcmp(what, "previous") == 0 ? "refresh" : what);
}

static enum err seal(const struct cry_keys *master, const char *grant, const char *what,
                     struct str secret, struct buf *out, struct errinfo *info)
{
    struct arena arena = {0};
    enum err e;

    *out = BUF_CAP(SECRET_MAX);
    e = cry_seal(master, secret, str_of(context(&arena, grant, what)), out);
    if (e != ERR_OK)
        e = err_set(info, e, "The %s of grant %s cannot be sealed.", what, grant);
    arena_free(&arena);
    return e;
}

static enum err open_sealed(const struct cry_keys *master, const char *grant, const char *what,
                            struct str sealed, struct buf *out, struct errinfo *info)
{
    struct arena arena = {0};
    enum err e;

    *out = BUF_CAP(SECRET_MAX);
    e = cry_open(master, sealed, str_of(context(&arena, grant, what)), out, info);
    arena_free(&arena);
    return e;
}

struct number {
    char z[24];
};

static struct str number(int64_t n, struct number *room)
{
    (void)snprintf(room->z, sizeof(room->z), "%lld", (long long)n);
    return str_of(room->z);
}

/* One run of the script: ARGV behind the grant's id. */
static enum err run(struct rds *r, const char *grant, const struct str *argv, size_t argc,
                    struct rds_reply **reply, struct errinfo *info)
{
    struct str full[8] = {str_of(grant)};
    enum err e;

    memcpy(full + 1, argv, argc * sizeof(*argv));
    e = rds_script(r, "grant", full, argc + 1, reply, info);
    if (e == ERR_OK && rds_len(*reply) < G_COUNT) {
        rds_free(*reply);
        *reply = NULL;
        return err_set(info, ERR_NOT_FOUND, "There is no grant %s.", grant);
    }
    return e;
}

static bool done(const struct rds_reply *reply)
{
    return rds_int(rds_at(reply, G_DONE)) == 1;
}

static void take_head(const struct rds_reply *reply, struct grt_token *out)
{
    struct str client_id = rds_text(rds_at(reply, G_CLIENT_ID));
    struct str client = rds_text(rds_at(reply, G_CLIENT));

    out->version = rds_int(rds_at(reply, G_VERSION));
    out->age_ms = rds_int(rds_at(reply, G_AGE));
    out->consent = str_eq(rds_text(rds_at(reply, G_KIND)), STR("authorization_code"));
    (void)snprintf(out->client_id, sizeof(out->client_id), "%.*s", STR_FMT(client_id));
    (void)snprintf(out->client, sizeof(out->client), "%.*s", STR_FMT(client));
}

enum err grt_get(struct rds *r, const struct cry_keys *master, const char *grant, int64_t margin_ms,
                 struct grt_token *out, struct errinfo *info)
{
    struct rds_reply *reply = NULL;
    struct buf access = {0};
    struct str sealed;
    int64_t valid_ms = 0;
    enum err e;

    *out = (struct grt_token){0};
    e = run(r, grant, (struct str[]){STR("get")}, 1, &reply, info);
    if (e != ERR_OK)
        return e;
    take_head(reply, out);
    valid_ms = rds_int(rds_at(reply, G_VALID));
    sealed = rds_text(rds_at(reply, G_ACCESS));
    /* A token sealed by a key that is gone is as good as none: a new one is asked for. */
    if (sealed.n > 0 && valid_ms > margin_ms &&
        open_sealed(master, grant, "access", sealed, &access, NULL) == ERR_OK) {
        out->access = x_strdup(buf_z(&access));
        out->valid_ms = valid_ms;
    }
    buf_free_secret(&access);
    rds_free(reply);
    return ERR_OK;
}

/* Opens one secret that is to be used, and seals it anew if the key before it was used. What is not
 * stored stays empty. */
static enum err open_one(struct rds *r, const struct cry_keys *master, const char *grant,
                         const char *field, struct str sealed, struct buf *out,
                         struct errinfo *info)
{
    struct buf anew = {0};
    struct errinfo ignored = {0};
    enum err e = ERR_OK;

    if (sealed.n == 0)
        return ERR_OK;
    e = open_sealed(master, grant, field, sealed, out, info);
    if (e != ERR_OK)
        return err_prefix(info, e, "The %s of grant %s", field, grant);
    if (!cry_sealed_by_current(master, sealed) &&
        seal(master, grant, field, buf_str(out), &anew, &ignored) == ERR_OK) {
        struct rds_reply *reply = NULL;

        err_ignore(run(r, grant,
                       (struct str[]){STR("reseal"), str_of(field), sealed, buf_str(&anew)}, 4,
                       &reply, &ignored),
                   "it is sealed anew the next time");
        rds_free(reply);
    }
    buf_free(&anew);
    return ERR_OK;
}

static enum err open_all(struct rds *r, const struct cry_keys *master, const char *grant,
                         const struct rds_reply *reply, struct grt_token *out, struct errinfo *info)
{
    struct str secret = rds_text(rds_at(reply, G_SECRET));
    enum err e = ERR_OK;

    if (secret.n == 0)
        return err_set(info, ERR_NOT_FOUND, "The client of grant %s has no secret here.", grant);
    e = open_one(r, master, out->client, "secret", secret, &out->client_secret, info);
    if (e == ERR_OK)
        e = open_one(r, master, grant, "refresh", rds_text(rds_at(reply, G_REFRESH)), &out->refresh,
                     info);
    if (e == ERR_OK) /* a spare one that cannot be opened is none */
        err_ignore(open_one(r, master, grant, "previous", rds_text(rds_at(reply, G_PREVIOUS)),
                            &out->previous, NULL),
                   "the present one is what matters");
    return e;
}

enum err grt_pair(struct rds *r, const struct cry_keys *master, const char *grant,
                  struct grt_token *out, struct errinfo *info)
{
    struct rds_reply *reply = NULL;
    enum err e = run(r, grant, (struct str[]){STR("get")}, 1, &reply, info);

    *out = (struct grt_token){0};
    if (e != ERR_OK)
        return e;
    take_head(reply, out);
    e = open_all(r, master, grant, reply, out, info);
    rds_free(reply);
    if (e != ERR_OK)
        grt_token_free(out);
    return e;
}

enum err grt_begin(struct rds *r, const struct cry_keys *master, const char *grant, int64_t version,
                   const char *holder, bool *mine, struct grt_token *out, struct errinfo *info)
{
    struct rds_reply *reply = NULL;
    struct number v = {""}, ms = {""};
    enum err e;

    *mine = false;
    *out = (struct grt_token){0};
    e = run(
        r, grant,
        (struct str[]){STR("begin"), number(version, &v), str_of(holder), number(REFRESH_MS, &ms)},
        4, &reply, info);
    if (e != ERR_OK)
        return e;
    take_head(reply, out);
    if (done(reply)) {
        e = open_all(r, master, grant, reply, out, info);
        *mine = e == ERR_OK;
    }
    rds_free(reply);
    if (e != ERR_OK)
        grt_token_free(out);
    return e;
}

/* Both tokens of SET sealed; REFRESH stays empty if there is none. */
static enum err seal_set(const struct cry_keys *master, const char *grant,
                         const struct grt_set *set, struct buf *access, struct buf *refresh,
                         struct errinfo *info)
{
    enum err e = seal(master, grant, "access", set->access, access, info);

    *refresh = BUF_CAP(SECRET_MAX);
    if (e == ERR_OK && set->refresh.n > 0)
        e = seal(master, grant, "refresh", set->refresh, refresh, info);
    return e;
}

enum err grt_store(struct rds *r, const struct cry_keys *master, const char *grant, int64_t version,
                   const char *holder, const struct grt_set *set, struct errinfo *info)
{
    struct rds_reply *reply = NULL;
    struct buf access = {0}, refresh = {0};
    struct number v = {""}, ms = {""};
    enum err e = seal_set(master, grant, set, &access, &refresh, info);

    if (e != ERR_OK)
        goto out;
    e = run(r, grant,
            (struct str[]){STR("store"), number(version, &v), str_of(holder), buf_str(&access),
                           number(set->expires_s * 1000, &ms), buf_str(&refresh)},
            6, &reply, info);
    if (e == ERR_OK && !done(reply))
        e = err_set(info, ERR_CONFLICT, "Grant %s has another token since.", grant);
out:
    rds_free(reply);
    buf_free(&access);
    buf_free(&refresh);
    return e;
}

enum err grt_put_consent(struct rds *r, const struct cry_keys *master, const char *grant,
                         const char *client, const struct grt_set *set, struct errinfo *info)
{
    struct rds_reply *reply = NULL;
    struct buf access = {0}, refresh = {0};
    struct number ms = {""};
    enum err e = seal_set(master, grant, set, &access, &refresh, info);

    if (e == ERR_OK)
        e = run(r, grant,
                (struct str[]){STR("consent"), str_of(client), buf_str(&access),
                               number(set->expires_s * 1000, &ms), buf_str(&refresh)},
                5, &reply, info);
    rds_free(reply);
    buf_free(&access);
    buf_free(&refresh);
    return e;
}

enum err grt_forget(struct rds *r, const char *grant, struct errinfo *info)
{
    struct rds_reply *reply = NULL;
    enum err e = run(r, grant, (struct str[]){STR("forget")}, 1, &reply, info);

    rds_free(reply);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

enum err grt_list(struct rds *r, struct arena *arena, struct str **ids, size_t *n,
                  struct errinfo *info)
{
    struct rds_reply *reply = NULL;
    enum err e =
        rds_call(r, (struct str[]){STR("SMEMBERS"), STR(RDS_PREFIX "grants")}, 2, &reply, info);

    *ids = NULL;
    *n = 0;
    if (e != ERR_OK)
        return e;
    *n = rds_len(reply);
    *ids = arena_array(arena, *n + 1, sizeof(**ids));
    for (size_t i = 0; i < *n; i++)
        (*ids)[i] = arena_str(arena, rds_text(rds_at(reply, i)));
    rds_free(reply);
    return ERR_OK;
}

enum err grt_abandon(struct rds *r, const char *grant, const char *holder, struct errinfo *info)
{
    struct rds_reply *reply = NULL;
    enum err e = run(r, grant, (struct str[]){STR("abandon"), str_of(holder)}, 2, &reply, info);

    rds_free(reply);
    return e;
}

enum err grt_expire(struct rds *r, const char *grant, int64_t version, struct errinfo *info)
{
    struct rds_reply *reply = NULL;
    struct number v = {""};
    enum err e = run(r, grant, (struct str[]){STR("expire"), number(version, &v)}, 2, &reply, info);

    rds_free(reply);
    return e;
}

static enum err put(struct rds *r, const struct cry_keys *master, const char *grant,
                    const char *kind, const char *client_id, struct str secret, const char *entered,
                    struct errinfo *info)
{
    struct rds_reply *reply = NULL;
    struct buf sealed = {0};
    enum err e = ERR_OK;

    if (strlen(client_id) >= sizeof(((struct grt_token *)0)->client_id))
        return err_set(info, ERR_TOO_BIG, "The client id of grant %s is too long.", grant);
    e = seal(master, grant, "secret", secret, &sealed, info);
    if (e == ERR_OK)
        e = run(r, grant,
                (struct str[]){STR("put"), str_of(kind), str_of(client_id), buf_str(&sealed),
                               str_of(entered)},
                5, &reply, info);
    rds_free(reply);
    buf_free_secret(&sealed);
    return e;
}

enum err grt_put_client(struct rds *r, const struct cry_keys *master, const char *grant,
                        const char *client_id, struct str client_secret, struct errinfo *info)
{
    return put(r, master, grant, "client_credentials", client_id, client_secret, "", info);
}

void grt_shop_id(const char *store_key, char out[GRT_SHOP_ID])
{
    (void)snprintf(out, GRT_SHOP_ID, GRT_SHOP "%s", store_key);
}

enum err grt_put_shop(struct rds *r, const struct cry_keys *master, const char *store_key,
                      const char *client_id, struct str secret, const char *entered,
                      struct errinfo *info)
{
    char id[GRT_SHOP_ID];

    grt_shop_id(store_key, id);
    return put(r, master, id, "shop", client_id, secret, entered, info);
}

enum err grt_shop(struct rds *r, const struct cry_keys *master, const char *store_key,
                  struct grt_token *out, struct errinfo *info)
{
    char id[GRT_SHOP_ID];

    grt_shop_id(store_key, id);
    return grt_pair(r, master, id, out, info);
}

enum err grt_client_same(struct rds *r, const struct cry_keys *master, const char *grant,
                         const char *client_id, struct str client_secret, bool *same,
                         struct errinfo *info)
{
    struct rds_reply *reply = NULL;
    struct buf secret = {0};
    enum err e;

    *same = false;
    e = run(r, grant, (struct str[]){STR("get")}, 1, &reply, info);
    if (e == ERR_NOT_FOUND)
        return ERR_OK;
    if (e != ERR_OK)
        return e;
    if (open_sealed(master, grant, "secret", rds_text(rds_at(reply, G_SECRET)), &secret, NULL) ==
        ERR_OK)
        *same = str_eq(rds_text(rds_at(reply, G_CLIENT_ID)), str_of(client_id)) &&
                cry_equal(buf_str(&secret), client_secret);
    buf_free_secret(&secret);
    rds_free(reply);
    return ERR_OK;
}
