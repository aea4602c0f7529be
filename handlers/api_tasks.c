#include "handlers/api.h"

#include <stdio.h>

#include "queue/fetch.h"
#include "queue/views.h"
#include "service/base/limits.h"

/* ---- what a worker was asked to do ---- */

void api_task(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    struct errinfo info = {0};
    enum err e = view_task(req->redis, srv_segment(req, 3), &res->body, &info);

    (void)env;
    if (e != ERR_OK)
        api_error(res, e, &info);
}

void api_task_verb(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    const char *id = arena_str(req->arena, str_cut(srv_segment(req, 3), 36)).p;
    const char *what = arena_str(req->arena, srv_segment(req, 4)).p;
    struct errinfo info = {0};
    enum err e = fet_backfill_set(req->redis, id, what, req->who, &info);

    if (e != ERR_OK)
        api_error(res, e, &info);
    else
        api_task(env, req, res);
}

/* ---- backfill ---- */

/* A day of the body; NULL after a complaint. */
static const char *read_day(const struct js_doc *doc, const char *name, struct arena *arena,
                            struct opt_errors *errors)
{
    struct str text = {NULL, 0};
    char *day = arena_alloc(arena, 11);

    if (js_string(js_get(doc->root, name), &text) && text.n == 10 && ord_day(text, day))
        return day;
    opt_complain(errors, arena, str_of(name), "must be a date like \"2026-01-31\"");
    return NULL;
}

/* The range of days as a worker takes it. False: RES is a refusal. */
static bool read_range(struct srv_req *req, struct srv_res *res, struct buf *input)
{
    static const char *const fields[] = {"from", "to", NULL};
    struct opt_errors errors = {0};
    struct js_doc doc = {0};
    bool good = api_read(req, false, &doc, res);

    if (good) {
        const char *from = read_day(&doc, "from", req->arena, &errors);
        const char *to = read_day(&doc, "to", req->arena, &errors);
        struct js_out w;

        api_name_unknown(doc.root, "", fields, req->arena, &errors);
        if (from && to && strcmp(from, to) > 0)
            opt_complain(&errors, req->arena, STR("to"), "must not be before from");
        good = !api_refused(&errors, res);
        jw_init(&w, input);
        jw_begin_object(&w);
        jw_kz(&w, "from", from);
        jw_kz(&w, "to", to);
        jw_end_object(&w);
    }
    js_free(&doc);
    return good;
}

/* The store of the path, if its orders can be read from the shop. False: RES is a refusal. */
static bool find_store(struct srv_req *req, struct srv_res *res, char key[LIM_STORE_ID + 20])
{
    const char *platform = arena_str(req->arena, srv_segment(req, 3)).p;
    const char *id = arena_str(req->arena, srv_segment(req, 4)).p;
    struct set_store *s = NULL;
    struct errinfo info = {0};
    enum err e = set_store_look(req->redis, platform, id, &s, &info);
    bool good = e == ERR_OK && !s->deleted && set_store_reads(s);

    if (e == ERR_OK && s->deleted)
        e = err_set(&info, ERR_NOT_FOUND, "The store %s was deleted.", s->key);
    else if (e == ERR_OK && !good)
        e = err_set(&info, ERR_CONFLICT,
                    "Orders cannot be read from %s: enter its secrets.%s first.", s->key,
                    strcmp(platform, "amazon") == 0 ? "refresh_token" : "api_token");
    if (good)
        (void)snprintf(key, LIM_STORE_ID + 20, "%s", s->key);
    else
        api_error(res, e, &info);
    set_store_put(s);
    return good;
}

void api_backfill(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    struct buf input = BUF_CAP(256);
    char key[LIM_STORE_ID + 20], id[37];
    struct errinfo info = {0};
    struct js_out w;

    (void)env;
    if (find_store(req, res, key) && read_range(req, res, &input)) {
        enum err e = fet_backfill(req->redis, key, buf_str(&input), req->who, id, &info);

        if (e != ERR_OK) {
            api_error(res, e, &info);
        } else {
            res->status = 202;
            jw_init(&w, &res->body);
            jw_begin_object(&w);
            jw_kz(&w, "task", id);
            jw_kz(&w, "message", "The orders are read behind those that the shop announces.");
            jw_end_object(&w);
        }
    }
    buf_free(&input);
}
