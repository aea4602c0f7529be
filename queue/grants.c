#include "queue/grants.h"

#include <stdio.h>

#define REFRESH_MS 60000

/* Xero's access tokens are about 2 KB; sealed and in base64 a third more. */
#define SECRET_MAX (16u << 10)

/* Where the fields of the script's answer stand. */
enum { G_DONE, G_VERSION, G_VALID, G_CLIENT, G_SECRET, G_ACCESS, G_COUNT };

void grt_token_free(struct grt_token *t)
{
    if (t->access)
        cry_wipe(t->access, strlen(t->access));
    x_free(t->access);
    buf_free_secret(&t->client_secret);
    *t = (struct grt_token){0};
}

/* What a sealed text is for, so that one put into another place does not open. */
static char *context(struct arena *a, const char *grant, const char *what)
{
    return arena_printf(a, "grant/%s/%s", grant, what);
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
    struct str client = rds_text(rds_at(reply, G_CLIENT));

    out->version = rds_int(rds_at(reply, G_VERSION));
    (void)snprintf(out->client_id, sizeof(out->client_id), "%.*s", STR_FMT(client));
}

struct number {
    char z[24];
};

static struct str number(int64_t n, struct number *room)
{
    (void)snprintf(room->z, sizeof(room->z), "%lld", (long long)n);
    return str_of(room->z);
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
        e = open_sealed(master, grant, "secret", rds_text(rds_at(reply, G_SECRET)),
                        &out->client_secret, info);
        if (e != ERR_OK)
            e = err_prefix(info, e, "client secret of grant %s", grant);
        else
            *mine = true;
    }
    rds_free(reply);
    if (e != ERR_OK)
        grt_token_free(out);
    return e;
}

enum err grt_store(struct rds *r, const struct cry_keys *master, const char *grant, int64_t version,
                   const char *holder, struct str access, int64_t expires_s, struct errinfo *info)
{
    struct rds_reply *reply = NULL;
    struct buf sealed = {0};
    struct number v = {""}, ms = {""};
    enum err e;

    e = seal(master, grant, "access", access, &sealed, info);
    if (e != ERR_OK)
        goto out;
    e = run(r, grant,
            (struct str[]){STR("store"), number(version, &v), str_of(holder), buf_str(&sealed),
                           number(expires_s * 1000, &ms)},
            5, &reply, info);
    if (e == ERR_OK && !done(reply))
        e = err_set(info, ERR_CONFLICT, "Grant %s has another token since.", grant);
out:
    rds_free(reply);
    buf_free_secret(&sealed);
    return e;
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

enum err grt_put_client(struct rds *r, const struct cry_keys *master, const char *grant,
                        const char *client_id, struct str client_secret, struct errinfo *info)
{
    struct rds_reply *reply = NULL;
    struct buf sealed = {0};
    enum err e;

    if (strlen(client_id) >= sizeof(((struct grt_token *)0)->client_id))
        return err_set(info, ERR_TOO_BIG, "The client id of grant %s is too long.", grant);
    e = seal(master, grant, "secret", client_secret, &sealed, info);
    if (e == ERR_OK)
        e = run(r, grant,
                (struct str[]){STR("put"), STR("client_credentials"), str_of(client_id),
                               buf_str(&sealed)},
                4, &reply, info);
    rds_free(reply);
    buf_free_secret(&sealed);
    return e;
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
        *same = str_eq(rds_text(rds_at(reply, G_CLIENT)), str_of(client_id)) &&
                cry_equal(buf_str(&secret), client_secret);
    buf_free_secret(&secret);
    rds_free(reply);
    return ERR_OK;
}
