#include <stdio.h>

#include "queue/conns.h"
#include "queue/grants.h"
#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/export/export.h"
#include "service/export/export_work.h"

/* A token that ends sooner is replaced before the call. */
#define TOKEN_MARGIN_MS 90000

/* While another worker refreshes: how often and how long it is waited for. */
#define TOKEN_POLL_MS 100
#define TOKEN_WAIT_MS 10000

/* Credentials that were just typed in are on their way for a moment. */
#define GRANT_WAIT_MS 2000
#define GRANT_HOLD_MS 5000

/* The right to refresh lasts a minute: a request that was not sent in the first part of it is not
 * sent any more, since another worker's could then overtake it. */
#define RIGHT_MS 20000

/* An answer that cannot be stored is kept trying for; later, the token before it, which Xero takes
 * for half an hour more, is used again by whoever comes next. */
#define STORE_MS 60000
#define GRACE_MS 1800000

/* What a person has to mend is looked at again after a minute. */
#define MEND_MS 60000

const char *exp_grant_of(const struct set_conn *c)
{
    if (strcmp(c->grant_kind, "authorization_code") == 0)
        return c->consent;
    return exp_client_of(c);
}

const char *exp_client_of(const struct set_conn *c)
{
    return c->grant[0] ? c->grant : GRT_DEFAULT;
}

void exp_token_free(struct exp_token *t)
{
    if (t->access)
        cry_wipe(t->access, strlen(t->access));
    x_free(t->access);
    *t = (struct exp_token){0};
}

/* ---- a new one ---- */

static bool redis_is_away(enum err e)
{
    return e == ERR_UNREACHABLE || e == ERR_TIMEOUT || e == ERR_REDIS || e == ERR_REDIS_FULL;
}

/* Stores what Xero gave; VERSION 0: a consent that begins, of the client in CLIENT. */
static enum err store(struct exp *e, struct rds *r, const char *grant, const char *client,
                      int64_t version, const struct xero_tokens *got, struct errinfo *info)
{
    const struct grt_set set = {buf_str(&got->access), buf_str(&got->refresh), got->expires_s};
    int64_t until = job_now_ms() + STORE_MS;
    enum err x = ERR_OK;

    for (;;) {
        x = client ? grt_put_consent(r, e->master, grant, client, &set, info)
                   : grt_store(r, e->master, grant, version, e->worker, &set, info);
        if (!redis_is_away(x) || job_now_ms() >= until)
            return x;
        exp_nap(TOKEN_POLL_MS);
    }
}

enum err exp_token_new_consent(struct exp *e, struct rds *r, const char *grant, const char *client,
                               const struct xero_tokens *got, struct errinfo *info)
{
    return store(e, r, grant, client, 0, got, info);
}

/* Asks Xero with what the grant has; with the refresh token before the present one where Xero knows
 * nothing of the present: its answer was lost on the way to us, or Redis lost it. */
static enum err ask(struct exp *e, const struct grt_token *t, struct xero_tokens *got,
                    struct errinfo *info)
{
    struct xero_token_ask how = {.client_id = str_of(t->client_id),
                                 .client_secret = buf_str(&t->client_secret)};
    enum err x;

    *got = (struct xero_tokens){0};
    if (!t->consent)
        return xero_ask_token(e->xero, &how, got, info);
    if (t->refresh.n == 0)
        return err_set(info, ERR_NOT_FOUND, "The consent has no refresh token.");
    how.refresh = buf_str(&t->refresh);
    x = xero_ask_token(e->xero, &how, got, info);
    if (x == ERR_DENIED && strcmp(got->refusal, "invalid_grant") == 0 && t->previous.n > 0 &&
        t->age_ms < GRACE_MS) {
        log_warn("token_grace", "Xero does not know the refresh token; the one before it is used.",
                 LOG_Z("error", info->text));
        xero_tokens_free(got);
        how.refresh = buf_str(&t->previous);
        x = xero_ask_token(e->xero, &how, got, info);
    }
    return x;
}

static enum token_state judge(enum err x, bool consent, const char *refusal)
{
    if (x == ERR_NOT_FOUND)
        return TOKEN_MISSING;
    if (x == ERR_CRYPTO)
        return TOKEN_REFUSED;
    if (x != ERR_DENIED)
        return TOKEN_LATER;
    if (strcmp(refusal, "invalid_client") == 0)
        return TOKEN_CLIENT;
    /* A custom connection that was deactivated in Xero is refused in these words. */
    if (strcmp(refusal, "invalid_grant") == 0 ||
        (!consent && strcmp(refusal, "unauthorized_client") == 0))
        return TOKEN_OVER;
    return TOKEN_REFUSED;
}

/* With the right to refresh: asks Xero, stores what it gives, and only then hands it out. */
static enum token_state refresh(struct exp *e, struct rds *r, const char *grant,
                                const struct grt_token *t, struct exp_token *out,
                                struct errinfo *info)
{
    struct xero_tokens got;
    struct errinfo ignored = {0};
    enum err x = ask(e, t, &got, info);
    enum token_state state = judge(x, t->consent, got.refusal);

    if (x != ERR_OK) {
        err_ignore(grt_abandon(r, grant, e->worker, &ignored),
                   "the right ends by itself after a minute");
        goto out;
    }
    x = store(e, r, grant, NULL, t->version, &got, info);
    state = TOKEN_LATER; /* after a conflict the next look finds the other token */
    if (x == ERR_OK) {
        *out =
            (struct exp_token){x_strdup(buf_z(&got.access)), t->version + 1, got.expires_s * 1000};
        state = TOKEN_GOOD;
    } else if (x == ERR_CONFLICT) {
        info->text[0] = '\0';
    } else {
        log_error("token_not_stored",
                  "Xero gave a token that could not be stored; the one before it is used again.",
                  LOG_Z("grant", grant), LOG_Z("error", info->text));
    }
out:
    xero_tokens_free(&got);
    return state;
}

/* One look at the grant: its token, or the right to make a new one and doing so. TOKEN_LATER with
 * *AGAIN: look again after a moment. */
static enum token_state look(struct exp *e, struct rds *r, const char *grant, struct exp_token *out,
                             bool *again, struct errinfo *info)
{
    struct grt_token t = {0}, right = {0};
    int64_t began = job_now_ms();
    enum token_state state = TOKEN_LATER;
    bool mine = false;
    enum err x = grt_get(r, e->master, grant, TOKEN_MARGIN_MS, &t, info);

    *again = false;
    if (x == ERR_OK && t.access) {
        *out = (struct exp_token){t.access, t.version, t.valid_ms};
        t.access = NULL;
        state = TOKEN_GOOD;
        goto out;
    }
    if (x == ERR_OK)
        x = grt_begin(r, e->master, grant, t.version, e->worker, &mine, &right, info);
    if (x != ERR_OK) {
        state = judge(x, t.consent, "");
        goto out;
    }
    *again = !mine;
    if (mine && job_now_ms() - began > RIGHT_MS) {
        err_ignore(grt_abandon(r, grant, e->worker, info), "the right ends by itself");
        *again = true;
    } else if (mine) {
        state = refresh(e, r, grant, &right, out, info);
        *again = state == TOKEN_LATER && info->text[0] == '\0';
    }
out:
    grt_token_free(&right);
    grt_token_free(&t);
    return state;
}

enum token_state exp_token_get(struct exp *e, struct rds *r, const char *grant,
                               struct exp_token *out, struct errinfo *info)
{
    int64_t began = job_now_ms();
    enum token_state state = TOKEN_LATER;
    bool again = true;

    *out = (struct exp_token){0};
    if (!grant[0]) {
        (void)err_set(info, ERR_NOT_FOUND, "Nobody has consented in Xero yet.");
        return TOKEN_MISSING;
    }
    while (again && job_now_ms() - began < TOKEN_WAIT_MS && !(e->stopping && *e->stopping)) {
        info->text[0] = '\0';
        state = look(e, r, grant, out, &again, info);
        if (state == TOKEN_MISSING && job_now_ms() - began < GRANT_WAIT_MS)
            again = true;
        if (again)
            exp_nap(TOKEN_POLL_MS);
    }
    if (state == TOKEN_LATER && !info->text[0])
        (void)err_set(info, ERR_TIMEOUT, "another worker is asking for one.");
    return state;
}

/* ---- a lease's ---- */

void exp_drop(struct work *w, const char *reason, const char *sentence)
{
    struct errinfo info = {0};
    bool changed = false;
    enum err x =
        con_drop(w->redis, w->lease->connection, w->grant, "worker", sentence, &changed, &info);

    if (x != ERR_OK) {
        exp_hold(w, MEND_MS, "%s", sentence);
        log_error("disconnect_failed", "The connection could not be marked as disconnected.",
                  LOG_Z("error", info.text));
        return;
    }
    w->again_ms = 0;
    if (!changed)
        return;
    met_add(MET_DISCONNECTED, 1, reason, NULL, NULL);
    log_error("disconnected", "Xero has dropped the connection; its orders wait. Connect it again.",
              LOG_Z("reason", reason), LOG_Z("error", sentence));
}

/* Xero takes the client's id or secret for wrong: all of its connections wait for the operator. */
static void hold_client(struct work *w, const struct errinfo *why)
{
    struct errinfo sentence = {0}, info = {0};

    (void)err_set(&sentence, ERR_DENIED,
                  "Xero refuses the client id or secret of this connection's app: the operator "
                  "has to mend them. %s",
                  why->text);
    met_add(MET_ALERTS, 1, "client_refused", NULL, NULL);
    log_error("token_refused",
              "Operator: Xero refuses a client id or its secret. All of its connections are held "
              "and tried again in a minute; none is disconnected.",
              LOG_Z("client", exp_client_of(&w->conn)), LOG_Z("error", why->text));
    exp_hold(w, MEND_MS, "%s", sentence.text);
    err_ignore(con_hold_client(w->redis, exp_client_of(&w->conn), MEND_MS, sentence.text, &info),
               "the others meet the same refusal themselves");
}

static void no_token(struct work *w, enum token_state state, const struct errinfo *info)
{
    bool consent = strcmp(w->conn.grant_kind, "authorization_code") == 0;
    struct errinfo sentence = {0};

    switch (state) {
    case TOKEN_MISSING:
        if (consent) {
            exp_drop(w, "no_consent", "Nobody has consented in Xero yet.");
            break;
        }
        exp_hold(w, GRANT_HOLD_MS, "No credentials for Xero are stored for this connection.");
        log_warn("no_credentials", "No credentials for Xero are stored; the connection waits.",
                 LOG_Z("grant", w->grant));
        break;
    case TOKEN_OVER:
        (void)err_set(&sentence, ERR_DENIED, "%s %s", info->text,
                      consent ? "The consent is over: somebody has to consent again."
                              : "Authorise the custom connection in Xero again, then resume.");
        exp_drop(w, "token", sentence.text);
        break;
    case TOKEN_CLIENT:
        hold_client(w, info);
        break;
    case TOKEN_REFUSED:
        exp_hold(w, MEND_MS, "No token for Xero: %s", info->text);
        met_add(MET_ALERTS, 1, "token_refused", NULL, NULL);
        log_error("token_refused",
                  "Xero gives no token; the connection is held and tried again in a minute.",
                  LOG_Z("error", info->text));
        break;
    case TOKEN_LATER:
    case TOKEN_GOOD:
        exp_hold(w, exp_down_ms(w), "No token for Xero in time: %s", info->text);
        break;
    }
}

bool exp_have_token(struct work *w)
{
    struct exp_token t = {0};
    struct errinfo info = {0};
    enum token_state state = TOKEN_GOOD;
    int64_t margin;

    if (w->access && job_now_ms() < w->access_until_ms)
        return true;
    state = exp_token_get(w->e, w->redis, w->grant, &t, &info);
    if (state != TOKEN_GOOD) {
        no_token(w, state, &info);
        return false;
    }
    if (w->access)
        cry_wipe(w->access, strlen(w->access));
    x_free(w->access);
    /* It is used until half of the margin is left, or half of its own short life. */
    margin = TOKEN_MARGIN_MS < t.valid_ms ? TOKEN_MARGIN_MS : t.valid_ms;
    w->access = t.access;
    w->access_version = t.version;
    w->access_until_ms = job_now_ms() + t.valid_ms - margin / 2;
    return true;
}

void exp_expire_token(struct work *w)
{
    struct errinfo info = {0};

    err_ignore(grt_expire(w->redis, w->grant, w->access_version, &info),
               "a token that stays is refused once more");
    w->access_until_ms = 0;
}

/* ---- Xero says no ---- */

bool exp_listed(const struct xero_tenant *tenants, size_t n, const char *tenant)
{
    for (size_t i = 0; i < n; i++) {
        if (!tenant[0] || str_eq_nocase(tenants[i].id, str_of(tenant)))
            return true;
    }
    return false;
}

/* Whether the organisation is still among the app's: a token that is taken for nothing is replaced
 * once. ERR_OK with *THERE, or the errors of xero_tenants. */
static enum err look_for_tenant(struct work *w, bool *there, struct errinfo *info)
{
    struct xero_tenant *tenants = NULL;
    size_t n = 0;
    enum err x = xero_tenants(w->e->xero, w->access, &w->arena, &tenants, &n, info);

    if (x == ERR_DENIED) {
        exp_expire_token(w);
        if (!exp_have_token(w))
            return ERR_STOPPED; /* and that is why it is held, or dropped */
        x = xero_tenants(w->e->xero, w->access, &w->arena, &tenants, &n, info);
    }
    *there = x == ERR_OK && exp_listed(tenants, n, w->conn.tenant);
    return x;
}

static void disconnected(struct work *w, struct str words)
{
    struct errinfo info = {0};
    bool there = false;
    enum err x = look_for_tenant(w, &there, &info);

    if (x == ERR_OK && !there)
        exp_drop(w, "organisation",
                 "The organisation is no longer among those that the app is connected to in Xero.");
    else if (x == ERR_OK || x == ERR_DENIED)
        exp_hold(w, MEND_MS, "Xero refuses the organisation, but says that it is connected: %.*s",
                 STR_FMT(str_cut(words, 120)));
    else if (x != ERR_STOPPED)
        exp_hold(w, exp_down_ms(w), "Xero refused the organisation and cannot be asked why: %s",
                 info.text);
}

enum work_next exp_denied(struct work *w, const struct xero_answer *a)
{
    char sentence[256];

    log_error("xero_denied", "Xero refused the call; the connection's orders wait.",
              LOG_STR("verdict", str_of(xero_verdict_text(a->verdict))),
              LOG_STR("error", a->message));
    if (a->verdict == XERO_CONSENT) {
        (void)snprintf(sentence, sizeof(sentence),
                       "The consent lacks a scope that the call needs: consent again with all of "
                       "LH_XERO_SCOPES. Xero says: %.*s",
                       STR_FMT(str_cut(a->message, 100)));
        exp_drop(w, "scope", sentence);
    } else if (a->verdict == XERO_DISCONNECTED) {
        disconnected(w, a->message);
    } else {
        exp_hold(w, MEND_MS, "Xero refused the connection: %.*s",
                 STR_FMT(str_cut(a->message, 200)));
    }
    return WORK_HAND_BACK;
}
