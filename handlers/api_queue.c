#include "handlers/api.h"

#include "queue/views.h"
#include "service/base/limits.h"
#include "service/sync/catalogue.h"

/* Reads the page that was asked for. False: RES is a refusal. */
static bool read_page(struct srv_req *req, struct srv_res *res, struct view_page *p)
{
    struct errinfo info = {0};
    struct str *names = NULL;
    enum err e = ERR_OK;

    *p = (struct view_page){.filter = {srv_query(req, "connection"), srv_query(req, "store")},
                            .cursor = srv_query(req, "cursor")};
    if (!api_limit(req, &p->limit, res))
        return false;
    if (p->filter.connection.n > 0 && !set_conn_name_ok(p->filter.connection)) {
        api_refuse(res, req->arena, "connection", "is not a connection's name");
        return false;
    }
    e = set_conn_list(req->redis, req->arena, &names, &p->connection_count, &info);
    p->connections = names;
    if (e != ERR_OK)
        api_error(res, e, &info);
    return e == ERR_OK;
}

static void answer(struct srv_req *req, struct srv_res *res, enum err e, const struct errinfo *info)
{
    if (e == ERR_RANGE)
        api_refuse(res, req->arena, "cursor", "is not one that this list gave");
    else if (e != ERR_OK)
        api_error(res, e, info);
}

static void show(struct srv_req *req, struct srv_res *res,
                 enum err (*view)(struct rds *r, const struct view_page *p, struct buf *out,
                                  struct errinfo *info))
{
    struct errinfo info = {0};
    struct view_page p;

    if (read_page(req, res, &p))
        answer(req, res, view(req->redis, &p, &res->body, &info), &info);
}

void api_queue(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    (void)env;
    show(req, res, view_queue);
}

void api_synced(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    (void)env;
    show(req, res, view_synced);
}

void api_failed_groups(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    (void)env;
    show(req, res, view_groups);
}

void api_log(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    struct str level = srv_query(req, "level"), q = srv_query(req, "q");
    struct errinfo info = {0};
    struct view_page p;

    (void)env;
    if (str_eq(level, STR("all")))
        level = STR("");
    if (level.n > 0 && !str_eq(level, STR("error")) && !str_eq(level, STR("info")))
        api_refuse(res, req->arena, "level", "must be all, error or info");
    else if (read_page(req, res, &p))
        answer(req, res, view_log(req->redis, &p, level, q, &res->body, &info), &info);
}

/* ---- the catalogue ---- */

static void write_reasons(struct js_out *w)
{
    jw_key(w, "reasons");
    jw_begin_array(w);
    for (int r = 0; r < CAT_REASON_COUNT; r++) {
        jw_begin_object(w);
        jw_kz(w, "reason", cat_reason_code((enum cat_reason)r));
        jw_kz(w, "sentence", cat_reason_sentence((enum cat_reason)r));
        jw_kz(w, "action", cat_reason_action((enum cat_reason)r));
        jw_end_object(w);
    }
    jw_end_array(w);
}

/* All of it at once: it has about a hundred rows. */
void api_catalogue(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    const struct cat_row *row = NULL;
    struct js_out w;
    int64_t n = 0;

    (void)env;
    (void)req;
    while (cat_row_at((size_t)n))
        n++;
    jw_init(&w, &res->body);
    jw_begin_object(&w);
    jw_kint(&w, "count", n);
    jw_key(&w, "rows");
    jw_begin_array(&w);
    for (size_t i = 0; (row = cat_row_at(i)); i++) {
        jw_begin_object(&w);
        jw_kz(&w, "id", row->id);
        jw_kz(&w, "pattern", row->pattern);
        jw_kz(&w, "cause", row->cause);
        jw_kz(&w, "action", row->action);
        jw_kz(&w, "fix_in", cat_fix_text(row->fix_in));
        jw_kz(&w, "retry", cat_retry_text(row->retry));
        jw_kz(&w, "setting", cat_setting(row));
        jw_end_object(&w);
    }
    jw_end_array(&w);
    write_reasons(&w);
    jw_kz(&w, "cursor", NULL);
    jw_end_object(&w);
}
