#include "handlers/api.h"

#include <time.h>

#include "queue/conns.h"
#include "queue/jobs.h"
#include "queue/tasks.h"
#include "queue/views.h"
#include "service/base/limits.h"
#include "service/base/metrics.h"

/* Room in struct set_conn, and what Xero uses: tenants are GUIDs, client ids 32 hex digits. */
#define TENANT_MAX 63
#define CLIENT_ID_MAX 127
#define CLIENT_SECRET_MAX 512

/* How long a resume waits for a new token, and how often it looks. */
#define RECONNECT_NS INT64_C(10000000000)
#define POLL_NS 50000000

static const char *const fields[] = {"tenant",        "grant", "client_id",
                                     "client_secret", "force", NULL};

/* ---- what is shown ---- */

static void write_conn(struct js_out *w, const struct set_conn *c, const struct view_unread *unread,
                       size_t n)
{
    int64_t held_until = c->not_before_ms / 1000, to_be_read = 0;
    bool held = held_until > (int64_t)time(NULL);

    for (size_t i = 0; i < n; i++)
        if (str_eq(unread[i].connection, str_of(c->name)))
            to_be_read = unread[i].orders;
    jw_begin_object(w);
    jw_kz(w, "name", c->name);
    jw_kz(w, "status", set_conn_status_text(c->status));
    jw_kz(w, "tenant", c->tenant[0] ? c->tenant : NULL);
    jw_kz(w, "tenant_name", c->tenant_name[0] ? c->tenant_name : NULL);
    jw_kz(w, "grant", c->grant_kind);
    jw_kz(w, "client_id", c->client_id[0] ? c->client_id : NULL);
    if (c->day_left >= 0)
        jw_kint(w, "calls_left_today", c->day_left);
    else
        jw_kz(w, "calls_left_today", NULL);
    api_time(w, "runs_out_at", c->runs_out_ms / 1000);
    api_time(w, "held_until", held ? held_until : 0);
    if (c->status == SET_DISCONNECTED)
        jw_kz(w, "held_because", c->dropped);
    else
        jw_kz(w, "held_because", held && c->hold_why[0] ? c->hold_why : NULL);
    jw_kint(w, "waiting", c->waiting);
    jw_kint(w, "to_be_read", to_be_read);
    jw_kint(w, "exporting", c->leased);
    jw_kint(w, "failed", c->failed);
    jw_end_object(w);
}

/* Answers with the connection as it is now. */
static void show(struct srv_req *req, struct srv_res *res, const char *name, int status)
{
    struct set_conn c;
    struct errinfo info = {0};
    struct view_unread *unread = NULL;
    size_t n = 0;
    struct js_out w;
    enum err e = set_conn_get(req->redis, name, &c, &info);

    if (e == ERR_OK)
        e = view_unread(req->redis, str_of(name), req->arena, &unread, &n, &info);
    if (e != ERR_OK) {
        api_error(res, e, &info);
        return;
    }
    res->status = status;
    jw_init(&w, &res->body);
    write_conn(&w, &c, unread, n);
}

/* The cursor is the name of the page's last connection; names are sorted. */
void api_connections(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    struct str after = {NULL, 0}, *names = NULL, last = {NULL, 0};
    struct errinfo info = {0};
    struct view_unread *unread = NULL;
    size_t n = 0, unread_count = 0;
    int64_t limit = 0, shown = 0;
    struct js_out w;
    enum err e = ERR_OK;

    (void)env;
    if (!api_limit(req, &limit, res) || !api_after(req, "connections", &after, res))
        return;
    e = set_conn_list(req->redis, req->arena, &names, &n, &info);
    if (e == ERR_OK)
        e = view_unread(req->redis, STR(""), req->arena, &unread, &unread_count, &info);
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
            write_conn(&w, &c, unread, unread_count);
        if (e == ERR_NOT_FOUND)
            e = ERR_OK;
        shown++;
        last = i + 1 < n ? names[i] : (struct str){NULL, 0};
    }
    jw_end_array(&w);
    api_cursor(&w, "connections", shown == limit ? last : (struct str){NULL, 0});
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
    if (!before && js_is_null(js_get(root, "grant")))
        w->grant_kind = "client_credentials";
    if (!before && js_is_null(js_get(root, "tenant"))) {
        w->tenant = ""; /* the consent will tell */
        if (w->grant_kind && strcmp(w->grant_kind, "authorization_code") != 0)
            opt_complain(errors, arena, STR("tenant"),
                         "is required: the id of a Xero organisation");
    }
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
    js_free_secret(&doc);
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

/* ---- pause, resume, disconnect, uninstall ---- */

/* One verb on its way. */
struct verb {
    struct srv_env *env;
    struct srv_req *req;
    struct srv_res *res;
    const char *name;
    struct set_conn before;
    struct errinfo info;
};

/* Hands the workers a task about the connection as it was. */
static enum err ask_worker(struct verb *v, const char *kind, char task[37])
{
    bool consent = strcmp(v->before.grant_kind, "authorization_code") == 0;
    struct buf input = BUF_CAP(LIM_API_BODY);
    struct js_out w;
    enum err e;

    jw_init(&w, &input);
    jw_begin_object(&w);
    jw_kz(&w, "connection", v->name);
    jw_kz(&w, "who", v->req->who);
    jw_kz(&w, "tenant", v->before.tenant);
    jw_kz(&w, "client", v->before.grant);
    jw_kz(&w, "consent", consent ? v->before.consent : "");
    jw_end_object(&w);
    e = buf_check(&input);
    if (e == ERR_OK)
        e = tsk_add(v->req->redis, kind, buf_str(&input), task, &v->info);
    buf_free(&input);
    return e;
}

/* Waits for the task that asks Xero for a new token. ERR_TIMEOUT: RES says where to look. */
static enum err wait_for_worker(struct verb *v, const char *task)
{
    int64_t until_ns = met_now_ns() + RECONNECT_NS;
    char status[16] = "";
    struct errinfo error = {0};
    struct js_out w;
    enum err e = ERR_OK;

    while (e == ERR_OK && met_now_ns() < until_ns && !v->env->draining) {
        struct timespec pause = {.tv_nsec = POLL_NS};

        e = tsk_status(v->req->redis, task, status, &error, &v->info);
        if (e == ERR_OK && strcmp(status, "done") == 0)
            return ERR_OK;
        if (e == ERR_OK && strcmp(status, "failed") == 0)
            return err_set(&v->info, ERR_CONFLICT, "The connection is still dropped: %s",
                           error.text);
        (void)nanosleep(&pause, NULL);
    }
    if (e != ERR_OK)
        return e;
    v->res->status = 202;
    jw_init(&w, &v->res->body);
    jw_begin_object(&w);
    jw_kz(&w, "task", task);
    jw_kz(&w, "message", "Xero is being asked for a new token.");
    jw_end_object(&w);
    return ERR_TIMEOUT;
}

static enum err resume(struct verb *v)
{
    char task[37];
    enum err e = ERR_OK;

    if (v->before.status != SET_DISCONNECTED)
        return job_resume(v->req->redis, v->name, v->req->who, &v->info);
    if (strcmp(v->before.grant_kind, "authorization_code") == 0)
        return err_set(&v->info, ERR_CONFLICT,
                       "The Xero connection has been dropped: %s Somebody has to consent again: "
                       "GET /api/v1/connections/%s/connect answers where.",
                       v->before.dropped, v->name);
    e = ask_worker(v, "reconnect", task);
    return e == ERR_OK ? wait_for_worker(v, task) : e;
}

static enum err disconnect(struct verb *v)
{
    char task[37];
    bool changed = false;
    enum err e = con_drop(v->req->redis, v->name, "", v->req->who, "It was disconnected by hand.",
                          &changed, &v->info);

    return e == ERR_OK && changed ? ask_worker(v, "leave", task) : e;
}

/* 422, with what would be erased. */
static enum err refuse_uninstall(struct verb *v)
{
    struct str *keys = NULL;
    size_t n = 0, stores = 0;
    enum err e = set_store_list(v->req->redis, v->req->arena, &keys, &n, &v->info);

    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        struct str rest = keys[i], platform = str_split(&rest, '/');
        struct set_store *s = NULL;

        e = set_store_look(v->req->redis, arena_printf(v->req->arena, "%.*s", STR_FMT(platform)),
                           arena_printf(v->req->arena, "%.*s", STR_FMT(rest)), &s, &v->info);
        stores += e == ERR_OK && !s->deleted && strcmp(s->connection, v->name) == 0;
        e = e == ERR_NOT_FOUND ? ERR_OK : e;
        set_store_put(s);
    }
    if (e == ERR_OK)
        api_refuse(v->res, v->req->arena, "confirm",
                   arena_printf(v->req->arena,
                                "must be \"%s\". Uninstalling erases for good: the settings and "
                                "mappings of %zu stores, the consent, credentials and tokens, "
                                "contacts mapped or remembered, %lld waiting orders and the "
                                "failed list of %lld. The stores and their webhook secrets, and "
                                "the Xero ids of what was exported, stay. GET "
                                "/api/v1/connections/%s/backup gives settings and mappings first",
                                v->name, stores, (long long)v->before.waiting,
                                (long long)v->before.failed, v->name));
    return e;
}

/* DONE false: RES is a refusal already. */
static enum err uninstall(struct verb *v, const struct js_doc *doc, bool *done)
{
    struct str confirm = STR("");
    char task[37];
    bool leased = false;
    enum err e = ERR_OK;

    if (!js_string(js_get(doc->root, "confirm"), &confirm) || !str_eq(confirm, str_of(v->name))) {
        *done = false;
        return refuse_uninstall(v);
    }
    e = con_uninstall(v->req->redis, v->name, v->req->who, &leased, &v->info);
    if (e == ERR_OK && v->before.status != SET_UNINSTALLED)
        e = ask_worker(v, "leave", task);
    return e;
}

void api_connection_verb(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    static const char *const none[] = {NULL}, *const confirm[] = {"confirm", NULL};
    struct str verb = srv_segment(req, 4);
    struct verb v = {.env = env, .req = req, .res = res};
    struct opt_errors errors = {0};
    struct js_doc doc = {0};
    bool done = true, last = str_eq(verb, STR("uninstall"));
    enum err e = ERR_OK;

    v.name = arena_printf(req->arena, "%.*s", STR_FMT(srv_segment(req, 3)));
    if (!api_read(req, true, &doc, res))
        goto out;
    api_name_unknown(doc.root, "", last ? confirm : none, req->arena, &errors);
    if (api_refused(&errors, res))
        goto out;
    e = set_conn_get(req->redis, v.name, &v.before, &v.info);
    if (e == ERR_OK && str_eq(verb, STR("pause")))
        e = job_pause(req->redis, v.name, req->who, &v.info);
    else if (e == ERR_OK && str_eq(verb, STR("resume")))
        e = resume(&v);
    else if (e == ERR_OK && str_eq(verb, STR("disconnect")))
        e = disconnect(&v);
    else if (e == ERR_OK)
        e = uninstall(&v, &doc, &done);
    if (e != ERR_OK && res->status != 202)
        api_error(res, e, &v.info);
    else if (e == ERR_OK && done)
        show(req, res, v.name, 200);
out:
    js_free(&doc);
}
