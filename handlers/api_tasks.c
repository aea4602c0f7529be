#include "handlers/api.h"

#include <stdio.h>
#include <time.h>

#include "queue/fetch.h"
#include "queue/tasks.h"
#include "queue/views.h"
#include "service/base/limits.h"
#include "service/base/metrics.h"
#include "service/sync/shopify_webhooks.h"

/* How often a task that is waited for is looked at. */
#define TASK_POLL_NS 50000000

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
    enum err e = fet_task_set(req->redis, id, what, req->who, &info);

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
        e = err_set(&info, ERR_CONFLICT, "Orders cannot be read from %s: enter %s first.", s->key,
                    strcmp(platform, "amazon") == 0
                        ? "its secrets.refresh_token"
                        : "the app's secrets.api_client_id and secrets.api_client_secret, or its "
                          "secrets.api_token,");
    if (good)
        (void)snprintf(key, LIM_STORE_ID + 20, "%s", s->key);
    else
        api_error(res, e, &info);
    set_store_put(s);
    return good;
}

/* Adds the task. False: RES is a refusal. */
static bool add_task(struct srv_req *req, struct srv_res *res, const char *kind,
                     const char *store_key, const struct buf *input, char id[37])
{
    struct errinfo info = {0};
    enum err e = fet_task_add(req->redis, kind, store_key, buf_str(input), req->who, id, &info);

    if (e != ERR_OK)
        api_error(res, e, &info);
    return e == ERR_OK;
}

static void answer_started(struct srv_res *res, const char *id, const char *message)
{
    struct js_out w;

    res->status = 202;
    jw_init(&w, &res->body);
    jw_begin_object(&w);
    jw_kz(&w, "task", id);
    jw_kz(&w, "message", message);
    jw_end_object(&w);
}

void api_backfill(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    struct buf input = BUF_CAP(256);
    char key[LIM_STORE_ID + 20], id[37];

    (void)env;
    if (find_store(req, res, key) && read_range(req, res, &input) &&
        add_task(req, res, "backfill", key, &input, id))
        answer_started(res, id, "The orders are read behind those that the shop announces.");
    buf_free(&input);
}

/* ---- check ---- */

/* Where webhooks are to go: URL of the body if there is one, else below our public name; "" not
 * known, which is a complaint where they are to be made. */
static const char *choose_url(const struct srv_env *env, struct srv_req *req, bool create,
                              const char *url, struct opt_errors *errors)
{
    const char *fault = url ? shp_hook_fault(str_of(url)) : NULL;

    if (fault)
        opt_complain(errors, req->arena, STR("url"), "%s", fault);
    if (url)
        return url;
    if (env->public_url && env->public_url[0])
        url = arena_printf(req->arena, "%s" SHP_HOOK_PATH, env->public_url);
    if (url && !shp_hook_fault(str_of(url)))
        return url;
    if (create)
        opt_complain(errors, req->arena, STR("url"),
                     "must say where webhooks are to be sent, since LH_PUBLIC_URL is not set to an "
                     "https address: https://<your public name>" SHP_HOOK_PATH);
    return "";
}

/* A check's body as a worker takes it. WEBHOOKS: the platform sends any. */
static bool judge_check(const struct srv_env *env, struct srv_req *req, const struct js_doc *doc,
                        bool webhooks, struct opt_errors *errors, struct buf *input)
{
    static const char *const fields[] = {"create_webhooks", "url", NULL};
    static const char none[] = "must be left out: Amazon sends no webhooks, and its notifications "
                               "are set up at Amazon";
    const struct js_value *wanted = js_get(doc->root, fields[0]);
    const char *url = api_text(doc->root, fields[1], LIM_HOOK_URL, req->arena, errors);
    bool create = false;
    struct js_out w;

    api_name_unknown(doc->root, "", fields, req->arena, errors);
    if (js_type(wanted) != JS_ABSENT && !js_bool(wanted, &create))
        opt_complain(errors, req->arena, STR("create_webhooks"), "must be true or false");
    if (!webhooks && create)
        opt_complain(errors, req->arena, STR("create_webhooks"), none);
    if (!webhooks && url)
        opt_complain(errors, req->arena, STR("url"), none);
    if (webhooks && errors->count == 0)
        url = choose_url(env, req, create, url, errors);
    jw_init(&w, input);
    jw_begin_object(&w);
    jw_kbool(&w, "create_webhooks", create);
    jw_kz(&w, "url", url ? url : "");
    jw_end_object(&w);
    return errors->count == 0;
}

/* False: RES is a refusal. */
static bool read_check(const struct srv_env *env, struct srv_req *req, struct srv_res *res,
                       struct buf *input)
{
    bool webhooks = str_eq(srv_segment(req, 3), STR("shopify"));
    struct opt_errors errors = {0};
    struct js_doc doc = {0};
    bool good = api_read(req, true, &doc, res);

    if (good && !judge_check(env, req, &doc, webhooks, &errors, input))
        good = !api_refused(&errors, res);
    js_free(&doc);
    return good;
}

/* Answers with task ID if it ends within WAIT_S. False: it is still to end. */
static bool wait_for_task(struct srv_env *env, struct srv_req *req, struct srv_res *res,
                          const char *id, int64_t wait_s)
{
    const struct timespec pause = {.tv_nsec = TASK_POLL_NS};
    int64_t until_ns = met_now_ns() + wait_s * 1000000000;
    struct errinfo info = {0};
    char status[16] = "waiting";
    enum err e = ERR_OK;

    while (met_now_ns() < until_ns && !env->draining) {
        (void)nanosleep(&pause, NULL);
        e = tsk_status(req->redis, id, status, NULL, &info);
        if (e != ERR_OK || (strcmp(status, "waiting") != 0 && strcmp(status, "paused") != 0))
            break;
    }
    if (e == ERR_OK && (strcmp(status, "waiting") == 0 || strcmp(status, "paused") == 0))
        return false;
    if (e == ERR_OK)
        e = view_task(req->redis, str_of(id), &res->body, &info);
    if (e != ERR_OK)
        api_error(res, e, &info);
    return true;
}

void api_check(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    struct buf input = BUF_CAP(2 * (size_t)LIM_HOOK_URL);
    char key[LIM_STORE_ID + 20], id[37];
    int64_t wait_s = 0;

    if (find_store(req, res, key) && api_wait(req, &wait_s, res) &&
        read_check(env, req, res, &input) && add_task(req, res, "check", key, &input, id) &&
        !wait_for_task(env, req, res, id, wait_s))
        answer_started(res, id, "The shop is asked before any order is read.");
    buf_free(&input);
}
