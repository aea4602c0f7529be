#include "handlers/console_files.h"
#include "handlers/handlers.h"

#include "service/base/json.h"
#include "service/base/metrics.h"

/* What the console may load: its own files, from here, and nothing inside them. */
#define POLICY                                                                                     \
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "           \
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "                    \
    "frame-ancestors 'none'\r\n"

/* A healthy Redis gives a connection at once: the pool has room for more than all requests. */
#define READY_WAIT_MS 500

/* One of the console's files. */
static void serve_file(struct srv_req *req, struct srv_res *res, struct str wanted)
{
    const struct console_file *file = console_files;
    struct str known = srv_header(req, "If-None-Match");
    const char *tag = NULL;

    while (file->path && !str_eq(str_of(file->path), wanted))
        file++;
    if (!file->path) {
        srv_problem(res, 404, "Not Found", "There is nothing at %.*s.",
                    STR_FMT(str_cut(req->path, 200)));
        return;
    }
    tag = arena_printf(req->arena, "\"%s\"", file->sha);
    res->extra = arena_printf(req->arena, POLICY "ETag: %s\r\n", tag);
    res->no_cache = true;
    res->content_type = file->type;
    if (str_eq(known, str_of(tag)))
        res->status = 304;
    else
        buf_add(&res->body, file->bytes, file->size);
}

void page_home(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    (void)env;
    serve_file(req, res, str_eq(req->path, STR("/")) ? STR("/index.html") : req->path);
}

void page_openapi(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    (void)env;
    serve_file(req, res, STR("/openapi.json"));
}

void page_healthz(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    struct js_out w;

    (void)req;
    jw_init(&w, &res->body);
    jw_begin_object(&w);
    jw_kz(&w, "status", "ok");
    jw_kz(&w, "program", env->program);
    jw_kz(&w, "version", env->version);
    jw_end_object(&w);
}

void page_readyz(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    struct str ping[] = {STR("PING")};
    struct rds *r = NULL;
    struct rds_reply *reply = NULL;
    struct errinfo info = {0};
    struct js_out w;

    (void)req;
    if (env->draining) {
        srv_problem(res, 503, "Service Unavailable", "This process is stopping.");
        return;
    }
    r = rds_take(env->redis, READY_WAIT_MS);
    if (!r) {
        srv_problem(res, 503, "Service Unavailable", "No connection to Redis is free.");
        return;
    }
    if (rds_call(r, ping, 1, &reply, &info) != ERR_OK) {
        srv_problem(res, 503, "Service Unavailable", "Redis does not answer: %s", info.text);
    } else {
        jw_init(&w, &res->body);
        jw_begin_object(&w);
        jw_kz(&w, "status", "ready");
        jw_end_object(&w);
    }
    rds_free(reply);
    rds_give(env->redis, r);
}

void page_metrics(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    (void)env;
    (void)req;
    res->content_type = "text/plain; version=0.0.4; charset=utf-8";
    met_print(&res->body);
}
