#include "handlers/api.h"

#include <stdio.h>

#include "queue/jobs.h"
#include "queue/views.h"
#include "service/base/limits.h"

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
    if (e != ERR_OK)
        api_error(res, e, &info);
    else
        api_export_answer(env, req, res, str_of(connection), str_of(key), wait_s);
}
