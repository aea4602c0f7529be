#include <stdio.h>

#include "queue/conns.h"
#include "queue/fetch.h"
#include "queue/grants.h"
#include "queue/tasks.h"
#include "service/base/log.h"
#include "service/export/export.h"
#include "service/export/export_work.h"

#define REDIS_WAIT_MS 5000
#define TASK_LEASE_MS 60000

#define CODE_TRIES 3
#define CODE_PAUSE_MS 500

/* Consents are refreshed long before the 60 days after which Xero ends an unused one; looked at
 * once a day. */
#define KEEP_MS (INT64_C(20) * 86400000)
#define LOOK_MS "86400000"
#define NEW_MS 3600000

/* One task at work. */
struct job {
    struct exp *e;
    struct rds *r;
    const struct tsk_task *t;
    struct js_doc input;
    struct arena arena;
    struct buf result; /* JSON members without braces, for who asked */
};

/* A text of the task's input, zero-terminated; "" if it has none. */
static const char *input(struct job *j, const char *key)
{
    struct str text = STR("");

    if (!js_string(js_get(j->input.root, key), &text))
        return "";
    return arena_str(&j->arena, text).p;
}

static enum err lacks(struct errinfo *info)
{
    return err_set(info, ERR_MISSING, "The task lacks what it needs.");
}

/* A client id and secret that an admin typed in: sealed under the hook key on its way, kept
 * under the master key from here on. */
static enum err store_client(struct job *j, struct errinfo *info)
{
    const char *grant = input(j, "grant"), *client_id = input(j, "client_id");
    struct str sealed = str_of(input(j, "secret"));
    struct str context = str_of(arena_printf(&j->arena, "task/client/%s", grant));
    struct buf secret = BUF_CAP(LIM_API_BODY);
    enum err x = ERR_OK;

    if (!grant[0] || !client_id[0] || sealed.n == 0)
        return lacks(info);
    x = cry_open(j->e->hook, sealed, context, &secret, info);
    if (x == ERR_OK)
        x = grt_put_client(j->r, j->e->master, grant, client_id, buf_str(&secret), info);
    if (x == ERR_OK)
        x = con_hold_client(j->r, grant, 0, "", info);
    buf_free_secret(&secret);
    return x;
}

/* Whether what opens the store's shop is to be kept: the store is there, and nobody removed it. */
static enum err opens_shop(struct job *j, struct str store, bool *opens, struct errinfo *info)
{
    struct str key = str_of(arena_printf(&j->arena, RDS_PREFIX "store:%.*s", STR_FMT(store)));
    struct str argv[] = {STR("HMGET"), key, STR("secret_at:api_token"),
                         STR("secret_at:api_client_secret"), STR("secret_at:refresh_token")};
    struct rds_reply *reply = NULL;
    enum err x = rds_call(j->r, argv, 5, &reply, info);

    *opens = false;
    for (size_t i = 0; i < rds_len(reply); i++)
        *opens = *opens || rds_text(rds_at(reply, i)).n > 0;
    rds_free(reply);
    return x;
}

/* What opens a shop, or that nothing does any more. Tasks overtake each other: what was entered
 * before what is kept changes nothing, and of a store that has nothing any more nothing stays. */
static enum err store_shop(struct job *j, struct errinfo *info)
{
    const char *store = input(j, "store");
    struct str sealed = str_of(input(j, "secret"));
    struct str context = str_of(arena_printf(&j->arena, "task/shop/%s", store));
    struct buf secret = BUF_CAP(LIM_API_BODY);
    char grant[GRT_SHOP_ID];
    bool opens = false;
    enum err x = ERR_OK;

    if (!store[0])
        return lacks(info);
    grt_shop_id(store, grant);
    if (sealed.n > 0) {
        x = cry_open(j->e->hook, sealed, context, &secret, info);
        if (x == ERR_OK)
            x = grt_put_shop(j->r, j->e->master, store, input(j, "client_id"), buf_str(&secret),
                             input(j, "version"), info);
    }
    if (x == ERR_OK)
        x = opens_shop(j, str_of(store), &opens, info);
    if (x == ERR_OK && !opens)
        x = grt_forget(j->r, grant, info);
    else if (x == ERR_OK && sealed.n > 0)
        x = fet_release(j->r, store, info);
    buf_free_secret(&secret);
    return x;
}

/* ---- grants that nobody has any more ---- */

struct used {
    struct str *grants;
    size_t n;
};

static enum err find_used(struct job *j, struct used *used, struct errinfo *info)
{
    struct str *names = NULL, *stores = NULL;
    size_t n = 0, m = 0;
    enum err x = set_conn_list(j->r, &j->arena, &names, &n, info);

    if (x == ERR_OK)
        x = set_store_list(j->r, &j->arena, &stores, &m, info);
    used->grants = arena_array(&j->arena, 2 * n + m + 1, sizeof(*used->grants));
    used->grants[used->n++] = STR(GRT_DEFAULT);
    for (size_t i = 0; i < m && x == ERR_OK; i++) {
        char grant[GRT_SHOP_ID];
        bool opens = false;

        grt_shop_id(stores[i].p, grant);
        x = opens_shop(j, stores[i], &opens, info);
        if (opens)
            used->grants[used->n++] = arena_str(&j->arena, str_of(grant));
    }
    for (size_t i = 0; i < n && x == ERR_OK; i++) {
        struct set_conn c;

        x = set_conn_get(j->r, names[i].p, &c, info);
        if (x == ERR_OK) {
            used->grants[used->n++] = arena_str(&j->arena, str_of(c.grant));
            used->grants[used->n++] = arena_str(&j->arena, str_of(c.consent));
        }
        x = x == ERR_NOT_FOUND ? ERR_OK : x;
    }
    return x;
}

/* Erases GRANT unless a connection has it. */
static enum err erase_unused(struct job *j, const struct used *used, struct str grant,
                             struct errinfo *info)
{
    for (size_t i = 0; i < used->n; i++) {
        if (str_eq(used->grants[i], grant))
            return ERR_OK;
    }
    log_info("grant_erased", "A consent or client that no connection has was erased.",
             LOG_STR("grant", grant));
    return grt_forget(j->r, arena_str(&j->arena, grant).p, info);
}

/* ---- the consent ---- */

/* Redeems the code, once, and stores what it gives. A task that is done again finds it there. */
static enum err redeem(struct job *j, const struct set_conn *c, const char *grant,
                       struct errinfo *info)
{
    struct str context = str_of(arena_printf(&j->arena, "task/consent/%s", input(j, "state")));
    struct str sealed = str_of(input(j, "code"));
    struct grt_token client = {0}, there = {0};
    struct xero_token_ask ask = {.redirect_uri = str_of(input(j, "redirect_uri"))};
    struct xero_tokens got = {0};
    struct buf code = BUF_CAP(LIM_API_BODY);
    enum err x = grt_get(j->r, j->e->master, grant, 0, &there, info);

    if (x != ERR_NOT_FOUND)
        goto out;
    x = cry_open(j->e->hook, sealed, context, &code, info);
    if (x == ERR_OK)
        x = grt_pair(j->r, j->e->master, exp_client_of(c), &client, info);
    if (x != ERR_OK)
        goto out;
    ask.client_id = str_of(client.client_id);
    ask.client_secret = buf_str(&client.client_secret);
    ask.code = buf_str(&code);
    for (int try = 1; try <= CODE_TRIES; try++) {
        xero_tokens_free(&got);
        x = xero_ask_token(j->e->xero, &ask, &got, info);
        if (x == ERR_OK || x == ERR_DENIED)
            break;
        exp_nap(CODE_PAUSE_MS);
    }
    if (x == ERR_OK && got.refresh.n == 0)
        x = err_set(info, ERR_DENIED,
                    "Xero gave no refresh token: LH_XERO_SCOPES has to hold offline_access.");
    else if (x == ERR_OK)
        x = exp_token_new_consent(j->e, j->r, grant, exp_client_of(c), &got, info);
    else if (x != ERR_DENIED)
        x = err_set(info, ERR_REMOTE,
                    "Xero's identity server could not be asked; consent again in a while.");
out:
    grt_token_free(&there);
    grt_token_free(&client);
    xero_tokens_free(&got);
    buf_free_secret(&code);
    return x;
}

/* Which organisation of the consent is the connection's: the one it has, else the only new one.
 * Xero lists those of earlier consents too, so with FORCE the new one goes first. */
static enum err choose(const struct set_conn *c, bool force, struct str event,
                       const struct xero_tenant *tenants, size_t n, struct xero_tenant *out,
                       struct errinfo *info)
{
    const struct xero_tenant *present = NULL;
    size_t found = 0, of_event = 0;

    for (size_t i = 0; i < n; i++) {
        if (c->tenant[0] && str_eq_nocase(tenants[i].id, str_of(c->tenant)))
            present = &tenants[i];
        of_event += event.n > 0 && str_eq(tenants[i].event, event);
    }
    if (present && (!force || of_event == 0 || str_eq(present->event, event))) {
        *out = *present;
        out->id = str_of(c->tenant);
        return ERR_OK;
    }
    for (size_t i = 0; i < n; i++) {
        if (of_event == 0 || str_eq(tenants[i].event, event)) {
            *out = tenants[i];
            found++;
        }
    }
    if (found == 0)
        return err_set(info, ERR_CONFLICT, "The consent covers no organisation.");
    if (c->tenant[0] && !force)
        return err_set(info, ERR_CONFLICT,
                       "The connection exports to the Xero organisation %s, and the consent is "
                       "for %.*s (%.*s). Consent for the same one, or begin with ?force=true.",
                       c->tenant, STR_FMT(str_cut(out->name, 100)), STR_FMT(str_cut(out->id, 64)));
    if (found > 1)
        return err_set(info, ERR_CONFLICT,
                       "The consent covers %zu organisations. Name the connection's \"tenant\" "
                       "first, then consent again.",
                       found);
    return ERR_OK;
}

static enum err link_one(struct job *j, const struct set_conn *c, const char *grant,
                         const struct xero_tenant *tenant, bool force, const char *who,
                         struct errinfo *info)
{
    const struct con_link l = {c->name, grant, tenant->id, tenant->name, force, who};
    enum err x = con_link(j->r, &l, info);

    if (x == ERR_OK)
        log_info("connected", "The connection is with its Xero organisation.",
                 LOG_Z("connection", c->name), LOG_STR("tenant", tenant->id));
    return x;
}

/* Other connections of the client that wait for a consent, and whose organisation this one covers,
 * share its tokens. */
static enum err link_others(struct job *j, const struct set_conn *first, const char *grant,
                            const struct xero_tenant *tenants, size_t n, const char *who,
                            struct errinfo *info)
{
    struct str *names = NULL;
    size_t count = 0;
    enum err x = set_conn_list(j->r, &j->arena, &names, &count, info);

    for (size_t i = 0; i < count && x == ERR_OK; i++) {
        struct set_conn c;

        x = set_conn_get(j->r, names[i].p, &c, info);
        for (size_t k = 0; k < n && x == ERR_OK; k++) {
            struct xero_tenant same = tenants[k];

            if (c.status != SET_DISCONNECTED || strcmp(c.name, first->name) == 0 ||
                strcmp(c.grant_kind, "authorization_code") != 0 ||
                strcmp(exp_client_of(&c), exp_client_of(first)) != 0 ||
                !str_eq_nocase(same.id, str_of(c.tenant)))
                continue;
            same.id = str_of(c.tenant);
            x = link_one(j, &c, grant, &same, false, who, info);
        }
        x = x == ERR_NOT_FOUND || x == ERR_CONFLICT ? ERR_OK : x;
    }
    return x;
}

static enum err tenants_of(struct job *j, const char *grant, struct xero_tenant **tenants,
                           size_t *n, struct str *event, struct errinfo *info)
{
    struct exp_token token = {0};
    enum token_state state = exp_token_get(j->e, j->r, grant, &token, info);
    enum err x = ERR_DENIED;

    if (state == TOKEN_GOOD) {
        x = xero_tenants(j->e->xero, token.access, &j->arena, tenants, n, info);
        *event = xero_token_event(token.access, &j->arena);
        if (x != ERR_OK)
            x = err_prefix(info, ERR_REMOTE, "Xero's list of organisations");
    }
    exp_token_free(&token);
    return x;
}

static enum err consent(struct job *j, struct errinfo *info)
{
    const char *grant = arena_printf(&j->arena, "a-%s", j->t->id), *who = input(j, "who");
    bool force = js_true(js_get(j->input.root, "force"));
    struct xero_tenant *tenants = NULL, tenant = {0};
    struct str event = STR("");
    struct errinfo ignored = {0};
    struct set_conn c;
    size_t n = 0;
    enum err x = set_conn_get(j->r, input(j, "connection"), &c, info);

    if (x != ERR_OK)
        return x;
    x = redeem(j, &c, grant, info);
    if (x == ERR_OK)
        x = tenants_of(j, grant, &tenants, &n, &event, info);
    if (x == ERR_OK)
        x = choose(&c, force, event, tenants, n, &tenant, info);
    if (x == ERR_OK)
        x = link_one(j, &c, grant, &tenant, force, who, info);
    if (x == ERR_CONFLICT || x == ERR_DENIED || x == ERR_REMOTE)
        err_ignore(con_consent_failed(j->r, c.name, info->text, &ignored),
                   "the task's own result says it too");
    if (x == ERR_CONFLICT || x == ERR_DENIED)
        err_ignore(grt_forget(j->r, grant, &ignored), "the daily look erases it");
    if (x != ERR_OK)
        return x;
    buf_printf(&j->result, "\"connection\":\"%s\",\"tenant\":", c.name);
    buf_add_quoted(&j->result, tenant.id);
    buf_addz(&j->result, ",\"tenant_name\":");
    buf_add_quoted(&j->result, tenant.name);
    return link_others(j, &c, grant, tenants, n, who, info);
}

/* ---- reconnecting and leaving ---- */

/* Client credentials: a new token, and whether the organisation is there. */
static enum err reconnect(struct job *j, struct errinfo *info)
{
    struct xero_tenant *tenants = NULL, tenant = {0};
    struct grt_token old = {0};
    struct str event;
    struct set_conn c;
    size_t n = 0;
    enum err x = set_conn_get(j->r, input(j, "connection"), &c, info);

    if (x == ERR_OK)
        x = grt_get(j->r, j->e->master, exp_grant_of(&c), 0, &old, info);
    if (x == ERR_OK)
        x = grt_expire(j->r, exp_grant_of(&c), old.version, info);
    grt_token_free(&old);
    if (x == ERR_OK)
        x = tenants_of(j, exp_grant_of(&c), &tenants, &n, &event, info);
    if (x != ERR_OK)
        return x;
    for (size_t i = 0; i < n && tenant.id.n == 0; i++) {
        if (exp_listed(&tenants[i], 1, c.tenant))
            tenant = tenants[i];
    }
    if (tenant.id.n == 0)
        return err_set(info, ERR_CONFLICT,
                       "Xero gives a token, but not for the organisation %s. Authorise the custom "
                       "connection for it in Xero, then resume.",
                       c.tenant);
    tenant.id = str_of(c.tenant);
    return link_one(j, &c, "", &tenant, false, input(j, "who"), info);
}

/* Erases what opened the shops of stores that have nothing to open them with any more. */
static enum err erase_shops(struct job *j, const struct used *used, struct errinfo *info)
{
    struct str *ids = NULL;
    size_t n = 0;
    enum err x = grt_list(j->r, &j->arena, &ids, &n, info);

    for (size_t i = 0; i < n && x == ERR_OK; i++) {
        if (str_starts(ids[i], STR(GRT_SHOP)))
            x = erase_unused(j, used, ids[i], info);
    }
    return x;
}

/* By hand: tells Xero that the connection is over, where a consent made it, and erases what no
 * connection has any more. */
static enum err leave(struct job *j, struct errinfo *info)
{
    const char *consent_grant = input(j, "consent"), *tenant = input(j, "tenant");
    struct xero_tenant *tenants = NULL;
    struct exp_token token = {0};
    struct used used = {0};
    struct set_conn c;
    size_t n = 0;
    enum err x = set_conn_get(j->r, input(j, "connection"), &c, info);

    if (x != ERR_OK)
        return x;
    if (consent_grant[0] && (c.status == SET_DISCONNECTED || c.status == SET_UNINSTALLED) &&
        exp_token_get(j->e, j->r, consent_grant, &token, info) == TOKEN_GOOD &&
        xero_tenants(j->e->xero, token.access, &j->arena, &tenants, &n, info) == ERR_OK) {
        for (size_t i = 0; i < n; i++) {
            if (tenant[0] && exp_listed(&tenants[i], 1, tenant) &&
                xero_leave(j->e->xero, token.access, tenants[i].connection, info) != ERR_OK)
                log_warn("leave_failed",
                         "Xero could not be told that the connection is over; it may be removed "
                         "in Xero by hand.",
                         LOG_Z("connection", c.name), LOG_Z("error", info->text));
        }
    }
    exp_token_free(&token);
    if (c.status == SET_UNINSTALLED) {
        x = find_used(j, &used, info);
        if (x == ERR_OK && consent_grant[0])
            x = erase_unused(j, &used, str_of(consent_grant), info);
        if (x == ERR_OK && input(j, "client")[0])
            x = erase_unused(j, &used, str_of(input(j, "client")), info);
        if (x == ERR_OK)
            x = erase_shops(j, &used, info);
    }
    return x;
}

/* ---- all ---- */

static enum err do_task(struct job *j, struct errinfo *info)
{
    static const struct {
        const char *kind;
        enum err (*run)(struct job *j, struct errinfo *info);
    } kinds[] = {{"client", store_client},
                 {"shop", store_shop},
                 {"consent", consent},
                 {"reconnect", reconnect},
                 {"leave", leave}};
    enum err x = js_parse(j->t->input, LIM_API_BODY, &j->input, info);

    if (x != ERR_OK)
        return x;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(j->t->kind, kinds[i].kind) == 0)
            return kinds[i].run(j, info);
    }
    return err_set(info, ERR_UNSUPPORTED, "This worker knows no task of kind %s.", j->t->kind);
}

static enum err end_task(struct exp *e, struct rds *r, const struct tsk_task *t,
                         struct errinfo *info)
{
    struct job j = {.e = e, .r = r, .t = t, .result = BUF_CAP(LIM_API_BODY)};
    struct buf result = BUF_CAP(LIM_API_BODY);
    struct errinfo why = {0};
    enum err x = do_task(&j, &why);

    if (x == ERR_UNREACHABLE || x == ERR_REDIS || x == ERR_REDIS_FULL) {
        *info = why;
        goto out; /* its lease ends, and it is taken again */
    }
    if (x != ERR_OK)
        log_error("task_failed", "A task failed.", LOG_Z("task", t->id), LOG_Z("kind", t->kind),
                  LOG_Z("error", why.text));
    buf_addc(&result, '{');
    if (x == ERR_OK) {
        buf_add_str(&result, buf_str(&j.result));
    } else {
        buf_addz(&result, "\"error\":");
        buf_add_quoted(&result, str_of(why.text));
    }
    buf_addc(&result, '}');
    x = tsk_done(r, t, x == ERR_OK ? "done" : "failed", buf_str(&result), info);
out:
    buf_free(&result);
    buf_free(&j.result);
    js_free(&j.input);
    arena_free(&j.arena);
    return x;
}

enum err exp_task(struct exp *e, bool *did, struct errinfo *info)
{
    struct rds *r = rds_take(e->redis, REDIS_WAIT_MS);
    struct tsk_task task = {0};
    enum err x;

    *did = false;
    if (!r)
        return err_set(info, ERR_UNREACHABLE, "No connection to Redis is free.");
    x = tsk_lease(r, TASK_LEASE_MS, &task, info);
    if (x == ERR_OK) {
        *did = true;
        x = end_task(e, r, &task, info);
        tsk_free(&task);
    } else if (x == ERR_NOT_FOUND) {
        x = ERR_OK;
    }
    rds_give(e->redis, r);
    return x;
}

/* ---- every day ---- */

/* One grant: sealed anew after a change of the key, erased if it is nobody's, refreshed if it is a
 * consent that was not for long. */
static enum err keep(struct job *j, const struct used *used, struct str id, struct errinfo *info)
{
    struct exp_token token = {0};
    struct grt_token t = {0}, pair = {0};
    struct errinfo ignored = {0};
    const char *grant = arena_str(&j->arena, id).p;
    enum err x = grt_get(j->r, j->e->master, grant, 0, &t, info);

    if (x != ERR_OK)
        goto out;
    err_ignore(grt_pair(j->r, j->e->master, grant, &pair, &ignored),
               "opening is what seals anew; who needs it meets the error");
    /* A consent that was just given is not its connection's yet: it is looked at tomorrow. */
    if (!t.consent || t.age_ms > NEW_MS)
        x = erase_unused(j, used, id, info);
    if (x != ERR_OK || !t.consent || t.age_ms < KEEP_MS)
        goto out;
    x = grt_expire(j->r, grant, t.version, info);
    if (x == ERR_OK && exp_token_get(j->e, j->r, grant, &token, info) == TOKEN_GOOD)
        log_info("consent_kept", "A consent that was not used for long was refreshed.",
                 LOG_Z("grant", grant));
out:
    exp_token_free(&token);
    grt_token_free(&pair);
    grt_token_free(&t);
    return x == ERR_NOT_FOUND ? ERR_OK : x;
}

static enum err keep_all(struct job *j, struct errinfo *info)
{
    struct str *ids = NULL;
    struct used used = {0};
    size_t n = 0;
    enum err x = grt_list(j->r, &j->arena, &ids, &n, info);

    if (x == ERR_OK)
        x = find_used(j, &used, info);
    for (size_t i = 0; i < n && x == ERR_OK && !(j->e->stopping && *j->e->stopping); i++)
        x = keep(j, &used, ids[i], info);
    return x;
}

enum err exp_keep_alive(struct exp *e, struct errinfo *info)
{
    const struct str mine[] = {
        STR("SET"), STR(RDS_PREFIX "keepalive"), STR("1"), STR("NX"), STR("PX"), STR(LOOK_MS)};
    struct job j = {.e = e, .r = rds_take(e->redis, REDIS_WAIT_MS)};
    struct rds_reply *reply = NULL;
    enum err x;

    if (!j.r)
        return err_set(info, ERR_UNREACHABLE, "No connection to Redis is free.");
    x = rds_call(j.r, mine, sizeof(mine) / sizeof(mine[0]), &reply, info);
    if (x == ERR_OK && rds_type(reply) != RDS_NIL)
        x = keep_all(&j, info);
    rds_free(reply);
    rds_give(e->redis, j.r);
    arena_free(&j.arena);
    return x;
}
