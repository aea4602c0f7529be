#include "handlers/api.h"

#include "queue/conns.h"

/* The page loads nothing, and the address with the code in it goes to nobody. */
#define PAGE_HEADERS                                                                               \
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "    \
    "form-action 'none'; frame-ancestors 'none'\r\nReferrer-Policy: no-referrer\r\n"

#define CALLBACK "/oauth/callback"

/* ---- on the way to Xero ---- */

static void add_parameter(struct buf *url, const char *name, struct str value)
{
    buf_printf(url, "%s=", name);
    buf_add_percent(url, value);
}

/* The address of Xero's consent page. */
static void write_url(const struct srv_env *env, struct str client_id, const char *redirect_uri,
                      const char *state, struct buf *url)
{
    buf_printf(url, "%s/identity/connect/authorize?response_type=code", env->xero_login_url);
    add_parameter(url, "&client_id", client_id);
    add_parameter(url, "&redirect_uri", str_of(redirect_uri));
    add_parameter(url, "&scope", str_of(env->xero_scopes));
    add_parameter(url, "&state", str_of(state));
}

/* NULL, or why nobody can consent for this connection. */
static const char *obstacle(const struct srv_env *env, const struct set_conn *c)
{
    if (strcmp(c->grant_kind, "authorization_code") != 0)
        return "This connection uses client credentials: nobody has to consent. POST /resume asks "
               "Xero for a new token.";
    if (!env->public_url || !env->public_url[0])
        return "LH_PUBLIC_URL is not set: Xero would not know where to send the browser back to. "
               "Set it to the https address under which browsers reach this API, and register "
               "that address with " CALLBACK " as the app's redirect URI in Xero.";
    if (!c->client_id[0] && env->xero_client_id.n == 0)
        return "No Xero app is known: PUT the connection with client_id and client_secret, or set "
               "LH_XERO_CLIENT_ID.";
    return NULL;
}

void api_connect(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    struct str segment = srv_segment(req, 3);
    const char *name = arena_printf(req->arena, "%.*s", STR_FMT(segment));
    struct con_consent consent = {.connection = name, .who = req->who};
    struct buf url = BUF_CAP(16u << 10);
    struct errinfo info = {0};
    char state[CON_STATE];
    struct set_conn c;
    struct js_out w;
    enum err e = set_conn_get(req->redis, name, &c, &info);

    if (e == ERR_OK && c.status == SET_UNINSTALLED)
        e = set_conn_ready(&c, &info);
    if (e == ERR_OK && obstacle(env, &c))
        e = err_set(&info, ERR_MISSING, "%s", obstacle(env, &c));
    if (e != ERR_OK)
        goto out;
    con_state_new(state);
    consent.redirect_uri = arena_printf(req->arena, "%s" CALLBACK, env->public_url);
    consent.force = str_eq(srv_query(req, "force"), STR("true"));
    write_url(env, c.client_id[0] ? str_of(c.client_id) : env->xero_client_id, consent.redirect_uri,
              state, &url);
    e = buf_check(&url);
    if (e == ERR_OK)
        e = con_consent_begin(req->redis, state, &consent, &info);
    if (e == ERR_OK) {
        jw_init(&w, &res->body);
        jw_begin_object(&w);
        jw_kstr(&w, "url", buf_str(&url));
        jw_end_object(&w);
    }
out:
    if (e != ERR_OK)
        api_error(res, e, &info);
    buf_free(&url);
}

/* ---- and back ---- */

/* Texts are ours, a connection's name is made of a-z, 0-9 and -: nothing needs escaping. */
static void page(struct srv_res *res, int status, const char *title, const char *text)
{
    res->status = status;
    res->content_type = "text/html; charset=utf-8";
    res->extra = PAGE_HEADERS;
    buf_reset(&res->body);
    buf_printf(&res->body,
               "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"
               "<meta name=\"viewport\" content=\"width=device-width\">"
               "<title>%s - ledgerhook</title>"
               "<style>body{font:1rem/1.5 sans-serif;max-width:40rem;margin:3rem auto;"
               "padding:0 1rem}</style></head>\n<body><main>\n<h1>%s</h1>\n<p>%s</p>\n"
               "</main></body>\n</html>\n",
               title, title, text);
}

void api_callback(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    struct str state = srv_query(req, "state"), code = srv_query(req, "code");
    const char *z = arena_printf(req->arena, "%.*s", STR_FMT(state));
    char connection[LIM_CONN_NAME + 1], task[37];
    struct errinfo info = {0};
    enum err e = ERR_NOT_FOUND;

    if (con_state_ok(state))
        e = con_consent_end(req->redis, env->hook_keys, z, code, connection, task, &info);
    if (e == ERR_NOT_FOUND || e == ERR_TOO_BIG)
        page(res, 400, "Nothing was connected",
             "This consent was not begun here, was used already, or was begun more than a quarter "
             "of an hour ago. Begin again from the connection.");
    else if (e != ERR_OK)
        page(res, 503, "Not yet",
             "ledgerhook cannot take the answer at this moment. Load this page again in a few "
             "seconds; Xero's answer is good for five minutes.");
    else if (!task[0])
        page(res, 200, "Nothing was connected",
             arena_printf(req->arena,
                          "The consent was refused in Xero. The connection %s is as it was.",
                          connection));
    else
        page(res, 200, "Thank you",
             arena_printf(req->arena,
                          "Xero's answer for the connection %s has arrived and is being checked: "
                          "it is connected if this is the right organisation, and its waiting "
                          "orders then go on. What came of it stands under "
                          "<code>/api/v1/connections/%s</code> and "
                          "<code>/api/v1/tasks/%s</code>. You can close this window.",
                          connection, connection, task));
}
