#include "handlers/api.h"

#include <stdio.h>
#include <time.h>

#include "queue/fetch.h"
#include "queue/jobs.h"
#include "queue/views.h"
#include "service/base/limits.h"
#include "service/base/metrics.h"

/* The order's key from /api/v1/orders/{platform}/{store}/{order}. False: RES is a 404. */
static bool read_key(struct srv_req *req, struct srv_res *res, char key[LIM_ORDER_KEY + 1])
{
    struct str platform = srv_segment(req, 3), store = srv_segment(req, 4);
    struct str parts[3], made = {NULL, 0};

    if ((str_eq(platform, STR("shopify")) || str_eq(platform, STR("amazon"))) &&
        job_order_key(platform, store, srv_segment(req, 5), key) == ERR_OK) {
        made = str_of(key);
        if (job_order_key_split(made, &parts[0], &parts[1], &parts[2]))
            return true;
    }
    srv_problem(res, 404, "Not Found",
                "This is not the address of an order: /orders/{shopify or amazon}/{store}/{order}, "
                "the order by its id in the shop.");
    return false;
}

void api_order(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    char key[LIM_ORDER_KEY + 1];
    struct errinfo info = {0};
    enum err e = ERR_OK;

    (void)env;
    if (!read_key(req, res, key))
        return;
    e = view_order(req->redis, str_of(key), &res->body, &info);
    if (e != ERR_OK)
        api_error(res, e, &info);
}

/* Orders by name; the cursor is the key of the page's last order. */
void api_orders(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    struct str name = str_trim(srv_query(req, "name")), one = srv_query(req, "store");
    struct str cursor = srv_query(req, "cursor"), *stores = &one, parts[3];
    struct errinfo info = {0};
    int64_t limit = 0;
    size_t n = 1;
    enum err e = ERR_OK;

    (void)env;
    if (name.n == 0 || name.n > LIM_NAME) {
        api_refuse(res, req->arena, "name", "is required: an order's name as the shop shows it");
        return;
    }
    if (cursor.n > 0 && !job_order_key_split(cursor, &parts[0], &parts[1], &parts[2])) {
        api_refuse(res, req->arena, "cursor", "is not one that this list gave");
        return;
    }
    if (!api_limit(req, &limit, res))
        return;
    if (one.n == 0)
        e = set_store_list(req->redis, req->arena, &stores, &n, &info);
    if (e == ERR_OK)
        e = view_named(req->redis, name, stores, n, cursor, limit, &res->body, &info);
    if (e != ERR_OK)
        api_error(res, e, &info);
}

/* The body: {} or {"again":true}. False: RES is a refusal. */
static bool read_body(struct srv_req *req, struct srv_res *res, bool *again)
{
    static const char *const fields[] = {"again", NULL};
    struct opt_errors errors = {0};
    struct js_doc doc = {0};
    bool good = api_read(req, true, &doc, res);

    *again = false;

    if (good) {
        const struct js_value *v = js_get(doc.root, "again");

        api_name_unknown(doc.root, "", fields, req->arena, &errors);
        if (!js_is_null(v) && !js_bool(v, again))
            opt_complain(&errors, req->arena, STR("again"), "must be true or false");
        good = !api_refused(&errors, res);
    }
    js_free(&doc);
    return good;
}

/* ---- an order that has to be read from its shop first ---- */

#define FETCH_POLL_NS 50000000

/* Asks for it if somebody entered what opens the shop. False: it cannot be read. */
static bool ask(struct srv_req *req, struct str store_key, struct str id, bool again,
                struct errinfo *info)
{
    struct str rest = store_key, platform = str_split(&rest, '/');
    struct str state =
        str_of(arena_printf(req->arena, "%s:%s", again ? FET_EXPORT_AGAIN : FET_EXPORT, req->who));
    const char *key = arena_str(req->arena, store_key).p;
    struct set_store *s = NULL;
    bool asked = set_store_look(req->redis, arena_str(req->arena, platform).p,
                                arena_str(req->arena, rest).p, &s, info) == ERR_OK &&
                 !s->deleted && set_store_reads(s) &&
                 fet_ask(req->redis, key, id, state, false, info) == ERR_OK;

    set_store_put(s);
    return asked;
}

/* Waits until the order was read, at most until UNTIL_NS. False: it is still to be. */
static bool wait_for_fetch(struct srv_env *env, struct srv_req *req, const char *store_key,
                           struct str id, int64_t until_ns)
{
    const struct timespec pause = {.tv_nsec = FETCH_POLL_NS};
    struct errinfo info = {0};
    bool waits = true;

    while (fet_waits(req->redis, store_key, id, &waits, &info) == ERR_OK && waits &&
           met_now_ns() < until_ns && !env->draining)
        (void)nanosleep(&pause, NULL);
    return !waits;
}

/* "It is being read": the shape of every export's answer. */
static void answer_reading(struct srv_res *res)
{
    struct js_out w;

    res->status = 202;
    jw_init(&w, &res->body);
    jw_begin_object(&w);
    jw_kint(&w, "exported", 0);
    jw_kint(&w, "failed", 0);
    jw_kint(&w, "waiting", 1);
    jw_kz(&w, "message", "The order is being read from the shop, and is exported then.");
    jw_key(&w, "results");
    jw_begin_array(&w);
    jw_end_array(&w);
    jw_end_object(&w);
}

/* The order's data is not here: it is read from the shop, and the worker that reads it exports it.
 * False: nobody entered what opens the shop. */
static bool fetch_and_export(struct srv_env *env, struct srv_req *req, struct srv_res *res,
                             const char *key, bool again, int64_t wait_s)
{
    struct str platform, store, id, order = str_of(key);
    int64_t until_ns = met_now_ns() + wait_s * 1000000000, left_s = 0;
    char connection[LIM_CONN_NAME + 1];
    struct errinfo info = {0};

    if (!job_order_key_split(order, &platform, &store, &id))
        return false;
    struct str store_key = arena_str(req->arena, (struct str){key, order.n - id.n - 1});
    if (!ask(req, store_key, id, again, &info))
        return false;
    if (!wait_for_fetch(env, req, store_key.p, id, until_ns)) {
        answer_reading(res);
        return true;
    }
    left_s = (until_ns - met_now_ns()) / 1000000000;
    /* The worker has done the same, unless the shop has no such order or the rules were faster. */
    enum err e = job_export(req->redis, key, again, req->who, connection, &info);

    if (e == ERR_EXISTS && !again)
        e = ERR_OK;
    if (e == ERR_NOT_FOUND)
        srv_problem(res, 404, "Not Found",
                    "The order was asked for in the shop, and is not there: check its number. The "
                    "connection's log says what the shop answered.");
    else if (e != ERR_OK)
        api_error(res, e, &info);
    else
        api_export_answer(env, req, res, str_of(connection), order, left_s > 0 ? left_s : 0);
    return true;
}

void api_order_export(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    char key[LIM_ORDER_KEY + 1], connection[LIM_CONN_NAME + 1];
    struct errinfo info = {0};
    int64_t wait_s = 0;
    bool again = false;
    enum err e = ERR_OK;

    if (!read_key(req, res, key) || !api_wait(req, &wait_s, res) || !read_body(req, res, &again))
        return;
    e = job_export(req->redis, key, again, req->who, connection, &info);
    if (e == ERR_NOT_FOUND && fetch_and_export(env, req, res, key, again, wait_s))
        return;
    if (e != ERR_OK)
        api_error(res, e, &info);
    else
        api_export_answer(env, req, res, str_of(connection), str_of(key), wait_s);
}
