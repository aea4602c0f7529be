#include "handlers/api.h"

#include <time.h>

#include "queue/jobs.h"
#include "service/base/limits.h"

/* Room in struct set_conn, and what Xero uses: tenants are GUIDs, client ids 32 hex digits. */
#define TENANT_MAX 63
#define CLIENT_ID_MAX 127
#define CLIENT_SECRET_MAX 512

static const char *const fields[] = {"tenant",        "grant", "client_id",
                                     "client_secret", "force", NULL};

/* ---- what is shown ---- */

static void write_conn(struct js_out *w, const struct set_conn *c)
{
    int64_t held_until = c->not_before_ms / 1000;
    bool held = held_until > (int64_t)time(NULL);

    jw_begin_object(w);
    jw_kz(w, "name", c->name);
    jw_kz(w, "status", set_conn_status_text(c->status));
    jw_kz(w, "tenant", c->tenant);
    jw_kz(w, "tenant_name", c->tenant_name[0] ? c->tenant_name : NULL);
    jw_kz(w, "grant", c->grant_kind);
    jw_kz(w, "client_id", c->client_id[0] ? c->client_id : NULL);
    if (c->day_left >= 0)
        jw_kint(w, "calls_left_today", c->day_left);
    else
        jw_kz(w, "calls_left_today", NULL);
    jw_kz(w, "runs_out_at", NULL); /* nobody measures the pace yet: not known */
    api_time(w, "held_until", held ? held_until : 0);
    jw_kz(w, "held_because", held && c->hold_why[0] ? c->hold_why : NULL);
    jw_kint(w, "waiting", c->waiting);
    jw_kint(w, "exporting", c->leased);
    jw_kint(w, "failed", c->failed);
    jw_end_object(w);
}

/* Answers with the connection as it is now. */
static void show(struct srv_req *req, struct srv_res *res, const char *name, int status)
{
    struct set_conn c;
    struct errinfo info = {0};
    struct js_out w;
    enum err e = set_conn_get(req->redis, name, &c, &info);

    if (e != ERR_OK) {
        api_error(res, e, &info);
        return;
    }
    res->status = status;
    jw_init(&w, &res->body);
    write_conn(&w, &c);
}

/* The cursor is the name of the page's last connection; names are sorted. */
void api_connections(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    struct str after = srv_query(req, "cursor"), *names = NULL, last = {NULL, 0};
    struct errinfo info = {0};
    size_t n = 0;
    int64_t limit = 0, shown = 0;
    struct js_out w;
    enum err e = ERR_OK;

    (void)env;
    if (!api_limit(req, &limit, res))
        return;
    if (after.n > 0 && !set_conn_name_ok(after)) {
        api_refuse(res, req->arena, "cursor", "is not one that this list gave");
        return;
    }
    e = set_conn_list(req->redis, req->arena, &names, &n, &info);
    jw_init(&w, &res->body);
    jw_begin_object(&w);
    jw_kint(&w, "count", (int64_t)n);
    jw_key(&w, "rows");
    jw_begin_array(&w);
    for (size_t i = 0; i < n && e == ERR_OK && shown < limit; i++) {
        struct set_conn c;

        if (after.n > 0 && str_compare(names[i], after) <= 0)
            continue;
        e = set_conn_get(req->redis, arena_printf(req->arena, "%.*s", STR_FMT(names[i])), &c,
                         &info);
        if (e == ERR_OK)
            write_conn(&w, &c);
        if (e == ERR_NOT_FOUND)
            e = ERR_OK;
        shown++;
        last = i + 1 < n ? names[i] : (struct str){NULL, 0};
    }
    jw_end_array(&w);
    jw_key(&w, "cursor");
    if (last.p && shown == limit)
        jw_str(&w, last);
    else
        jw_null(&w);
    jw_end_object(&w);
    if (e != ERR_OK)
        api_error(res, e, &info);
}

/* ---- what is changed ---- */

static bool is_tenant(const char *s)
{
    for (; *s; s++) {
        if (!((*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
              *s == '-'))
            return false;
    }
    return true;
}

/* Reads a PUT, or a PATCH over BEFORE (NULL for a PUT). */
static void read_conn(const struct js_value *root, const struct set_conn *before,
                      struct arena *arena, struct set_conn_write *w, struct opt_errors *errors)
{
    const struct js_value *force = js_get(root, "force");
    const char *secret = NULL;

    api_name_unknown(root, "", fields, arena, errors);
    w->tenant = api_text(root, "tenant", TENANT_MAX, arena, errors);
    w->grant_kind = api_text(root, "grant", 31, arena, errors);
    w->client_id = api_text(root, "client_id", CLIENT_ID_MAX, arena, errors);
    secret = api_text(root, "client_secret", CLIENT_SECRET_MAX, arena, errors);
    w->client_secret = str_of(secret);
    if (!js_is_null(force) && !js_bool(force, &w->force))
        opt_complain(errors, arena, STR("force"), "must be true or false");
    if (w->tenant && !is_tenant(w->tenant))
        opt_complain(errors, arena, STR("tenant"), "must be the id of a Xero organisation");
    if (w->grant_kind && strcmp(w->grant_kind, "client_credentials") != 0 &&
        strcmp(w->grant_kind, "authorization_code") != 0)
        opt_complain(errors, arena, STR("grant"),
                     "must be client_credentials or authorization_code");
    if (before && js_is_null(js_get(root, "tenant")))
        w->tenant = before->tenant;
    if (before && js_is_null(js_get(root, "grant")))
        w->grant_kind = before->grant_kind;
    if (!before && js_is_null(js_get(root, "tenant")))
        opt_complain(errors, arena, STR("tenant"), "is required: the id of a Xero organisation");
    if (!before && js_is_null(js_get(root, "grant")))
        w->grant_kind = "client_credentials";
}

static void change(struct srv_env *env, struct srv_req *req, struct srv_res *res, const char *name,
                   const struct set_conn *before)
{
    struct set_conn_write w = {.name = name, .who = req->who};
    struct opt_errors errors = {0};
    struct errinfo info = {0};
    struct js_doc doc = {0};
    bool created = false;
    enum err e = ERR_OK;

    if (!api_read(req, false, &doc, res))
        goto out;
    read_conn(doc.root, before, req->arena, &w, &errors);
    if (api_refused(&errors, res))
        goto out;
    e = set_conn_save(req->redis, env->hook_keys, &w, &created, &info);
    if (e == ERR_MISSING)
        api_refuse(res, req->arena, w.client_id ? "client_secret" : "client_id", info.text);
    else if (e != ERR_OK)
        api_error(res, e, &info);
    else
        show(req, res, name, created ? 201 : 200);
out:
    js_free(&doc);
}

void api_connection(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    struct str segment = srv_segment(req, 3);
    const char *name = arena_printf(req->arena, "%.*s", STR_FMT(segment));
    struct set_conn before;
    struct errinfo info = {0};
    enum err e = ERR_OK;

    if (!set_conn_name_ok(segment)) {
        if (strcmp(req->method, "PUT") == 0)
            api_refuse(res, req->arena, "name",
                       "must be 1 to 64 of a-z, 0-9 and -, not beginning with -");
        else
            srv_problem(res, 404, "Not Found", "There is no such connection.");
    } else if (strcmp(req->method, "GET") == 0) {
        show(req, res, name, 200);
    } else if (strcmp(req->method, "PUT") == 0) {
        change(env, req, res, name, NULL);
    } else {
        e = set_conn_get(req->redis, name, &before, &info);
        if (e != ERR_OK)
            api_error(res, e, &info);
        else
            change(env, req, res, name, &before);
    }
}

void api_connection_verb(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    static const char *const none[] = {NULL};
    struct str name = srv_segment(req, 3);
    const char *z = arena_printf(req->arena, "%.*s", STR_FMT(name));
    struct opt_errors errors = {0};
    struct errinfo info = {0};
    struct js_doc doc = {0};
    enum err e = ERR_NOT_FOUND;

    (void)env;
    if (!api_read(req, true, &doc, res))
        goto out;
    api_name_unknown(doc.root, "", none, req->arena, &errors);
    if (api_refused(&errors, res))
        goto out;
    if (!set_conn_name_ok(name))
        (void)err_set(&info, e, "There is no such connection.");
    else if (str_eq(srv_segment(req, 4), STR("pause")))
        e = job_pause(req->redis, z, req->who, &info);
    else
        e = job_resume(req->redis, z, req->who, &info);
    if (e != ERR_OK)
        api_error(res, e, &info);
    else
        show(req, res, z, 200);
out:
    js_free(&doc);
}
