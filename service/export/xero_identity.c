#include <stdio.h>

#include "service/base/crypto.h"
#include "service/base/limits.h"
#include "service/base/metrics.h"
#include "service/export/xero_parts.h"

#define IDENTITY_MS 10000

/* Xero's token answers are about 2 KB; a list of organisations has 400 bytes for each. */
#define TOKEN_ANSWER_MAX (64u << 10)
#define TENANTS_ANSWER_MAX (4u << 20)

void xero_tokens_free(struct xero_tokens *t)
{
    buf_free_secret(&t->access);
    buf_free_secret(&t->refresh);
    *t = (struct xero_tokens){0};
}

/* ---- tokens ---- */

/* The scopes that mean something without a user: no refresh token and no sign-in. */
static void add_scopes(struct buf *body, const char *scopes)
{
    static const char *const users[] = {"offline_access", "openid", "profile", "email"};
    struct str rest = str_of(scopes);
    bool first = true;

    while (rest.p) {
        struct str scope = str_trim(str_split(&rest, ' '));
        bool skip = scope.n == 0;

        for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
            skip = skip || str_eq(scope, str_of(users[i]));
        if (skip)
            continue;
        buf_addz(body, first ? "&scope=" : "%20");
        buf_add_percent(body, scope);
        first = false;
    }
}

static void write_ask(const struct xero_token_ask *ask, const char *scopes, struct buf *body)
{
    if (ask->code.p) {
        buf_addz(body, "grant_type=authorization_code&code=");
        buf_add_percent(body, ask->code);
        buf_addz(body, "&redirect_uri=");
        buf_add_percent(body, ask->redirect_uri);
    } else if (ask->refresh.p) {
        buf_addz(body, "grant_type=refresh_token&refresh_token=");
        buf_add_percent(body, ask->refresh);
    } else {
        buf_addz(body, "grant_type=client_credentials");
        add_scopes(body, scopes);
    }
}

static enum err read_tokens(const struct http_answer *answer, struct xero_tokens *out,
                            struct errinfo *info)
{
    struct js_doc doc = {0};
    struct str access = {NULL, 0}, refresh = {NULL, 0}, error;
    enum err e = ERR_OK;

    if (answer->body.n > 0)
        err_ignore(js_parse(buf_str(&answer->body), TOKEN_ANSWER_MAX, &doc, NULL),
                   "no JSON is judged by the status");
    error = xero_text(doc.root, "error");
    if (answer->status == 200 && js_string(js_get(doc.root, "access_token"), &access) &&
        access.n > 0 && js_int64(js_get(doc.root, "expires_in"), &out->expires_s) &&
        out->expires_s > 0) {
        buf_add_str(&out->access, access);
        if (js_string(js_get(doc.root, "refresh_token"), &refresh))
            buf_add_str(&out->refresh, refresh);
        e = buf_check(&out->access);
        if (e == ERR_OK)
            e = buf_check(&out->refresh);
    } else if (answer->status == 400 || answer->status == 401 || answer->status == 403) {
        (void)snprintf(out->refusal, sizeof(out->refusal), "%.*s",
                       STR_FMT(str_cut(error, sizeof(out->refusal) - 1)));
        e = err_set(info, ERR_DENIED, "Xero's identity server refused the token: %s.",
                    out->refusal[0] ? out->refusal : "no reason given");
    } else {
        e = err_set(info, ERR_REMOTE, "Xero's identity server answered with status %d.",
                    answer->status);
    }
    js_free_secret(&doc);
    return e;
}

enum err xero_ask_token(struct xero *x, const struct xero_token_ask *ask, struct xero_tokens *out,
                        struct errinfo *info)
{
    struct buf url = BUF_CAP(URL_MAX), body = BUF_CAP(URL_MAX);
    struct http_answer answer = {0};
    const struct http_header headers[] = {
        {"Accept", STR("application/json")},
        {"Content-Type", STR("application/x-www-form-urlencoded")},
    };
    struct http_request req = {.method = "POST",
                               .headers = headers,
                               .header_count = 2,
                               .basic_user = ask->client_id,
                               .basic_password = ask->client_secret,
                               .connect_ms = CONNECT_MS,
                               .total_ms = IDENTITY_MS,
                               .max_answer = TOKEN_ANSWER_MAX};
    enum err e = ERR_OK;

    *out = (struct xero_tokens){.access = BUF_CAP(TOKEN_ANSWER_MAX),
                                .refresh = BUF_CAP(TOKEN_ANSWER_MAX)};
    buf_printf(&url, "%s/connect/token", x->identity_url);
    write_ask(ask, x->scopes, &body);
    if (buf_check(&url) != ERR_OK || buf_check(&body) != ERR_OK) {
        e = err_set(info, ERR_TOO_BIG, "The request for a token is too long.");
        goto out;
    }
    req.url = buf_z(&url);
    req.body = buf_str(&body);
    e = http_send(x->http, &req, &answer, info);
    if (e == ERR_OK)
        e = read_tokens(&answer, out, info);
    else if (e == ERR_IO || e == ERR_TOO_BIG)
        e = ERR_REMOTE;
    met_add(MET_TOKENS, 1, e == ERR_OK ? "ok" : e == ERR_DENIED ? "denied" : "failed", NULL, NULL);
out:
    buf_free_secret(&answer.body);
    http_answer_free(&answer);
    buf_free_secret(&body);
    buf_free(&url);
    return e;
}

/* ---- organisations ---- */

/* One call to /connections. ERR_OK: Xero answered; else the errors of xero_tenants. */
static enum err call(struct xero *x, const char *method, const char *access_token, struct str id,
                     struct http_answer *answer, struct errinfo *info)
{
    struct buf url = BUF_CAP(URL_MAX), bearer = BUF_CAP(URL_MAX);
    struct http_header headers[] = {{"Authorization", {NULL, 0}},
                                    {"Accept", STR("application/json")}};
    struct http_request req = {.method = method,
                               .headers = headers,
                               .header_count = 2,
                               .connect_ms = CONNECT_MS,
                               .total_ms = IDENTITY_MS,
                               .max_answer = TENANTS_ANSWER_MAX};
    enum err e = ERR_OK;

    buf_printf(&url, "%s/connections%s", x->api_url, id.n > 0 ? "/" : "");
    buf_add_percent(&url, id);
    buf_printf(&bearer, "Bearer %s", access_token);
    if (buf_check(&url) != ERR_OK || buf_check(&bearer) != ERR_OK) {
        e = err_set(info, ERR_TOO_BIG, "The address of a call to Xero or its token is too long.");
        goto out;
    }
    headers[0].value = buf_str(&bearer);
    req.url = buf_z(&url);
    e = http_send(x->http, &req, answer, info);
    if (e == ERR_IO || e == ERR_TOO_BIG)
        e = ERR_REMOTE;
    else if (e == ERR_OK && (answer->status == 401 || answer->status == 403))
        e = err_set(info, ERR_DENIED, "Xero refused the token with status %d.", answer->status);
    else if (e == ERR_OK && answer->status == 404)
        e = err_set(info, ERR_NOT_FOUND, "Xero knows no such connection.");
    else if (e == ERR_OK && (answer->status < 200 || answer->status > 299))
        e = err_set(info, ERR_REMOTE, "Xero answered /connections with status %d.", answer->status);
out:
    buf_free_secret(&bearer);
    buf_free(&url);
    return e;
}

enum err xero_tenants(struct xero *x, const char *access_token, struct arena *arena,
                      struct xero_tenant **out, size_t *n, struct errinfo *info)
{
    struct http_answer answer = {0};
    struct js_doc doc = {0};
    enum err e = call(x, "GET", access_token, STR(""), &answer, info);

    *out = NULL;
    *n = 0;
    if (e == ERR_NOT_FOUND)
        e = ERR_REMOTE;
    if (e == ERR_OK && (js_parse(buf_str(&answer.body), TENANTS_ANSWER_MAX, &doc, NULL) != ERR_OK ||
                        js_type(doc.root) != JS_ARRAY))
        e = err_set(info, ERR_REMOTE, "Xero's list of organisations could not be read.");
    if (e != ERR_OK)
        goto out;
    *out = arena_array(arena, js_len(doc.root) + 1, sizeof(**out));
    for (size_t i = 0; i < js_len(doc.root); i++) {
        const struct js_value *v = js_at(doc.root, i);

        if (str_eq_nocase(xero_text(v, "tenantType"), STR("ORGANISATION")))
            (*out)[(*n)++] = (struct xero_tenant){arena_str(arena, xero_text(v, "id")),
                                                  arena_str(arena, xero_text(v, "tenantId")),
                                                  arena_str(arena, xero_text(v, "tenantName")),
                                                  arena_str(arena, xero_text(v, "authEventId"))};
    }
out:
    js_free(&doc);
    http_answer_free(&answer);
    return e;
}

enum err xero_leave(struct xero *x, const char *access_token, struct str connection,
                    struct errinfo *info)
{
    struct http_answer answer = {0};
    enum err e = call(x, "DELETE", access_token, connection, &answer, info);

    http_answer_free(&answer);
    return e;
}

struct str xero_token_event(const char *access_token, struct arena *arena)
{
    struct str rest = str_of(access_token), event = STR("");
    struct buf base64 = BUF_CAP(TOKEN_ANSWER_MAX), json = BUF_CAP(TOKEN_ANSWER_MAX);
    struct js_doc doc = {0};

    (void)str_split(&rest, '.');
    struct str claims = rest.p ? str_split(&rest, '.') : rest;

    for (size_t i = 0; claims.p && i < claims.n; i++)
        buf_addc(&base64, claims.p[i] == '-' ? '+' : claims.p[i] == '_' ? '/' : claims.p[i]);
    while (base64.n % 4 != 0 && !base64.failed)
        buf_addc(&base64, '=');
    if (buf_check(&base64) == ERR_OK &&
        cry_base64_decode(buf_str(&base64), &json, NULL) == ERR_OK &&
        js_parse(buf_str(&json), TOKEN_ANSWER_MAX, &doc, NULL) == ERR_OK)
        event = arena_str(arena, xero_text(doc.root, "authentication_event_id"));
    js_free(&doc);
    buf_free_secret(&json);
    buf_free_secret(&base64);
    return event;
}
