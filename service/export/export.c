#include "service/export/export.h"

#include "service/base/log.h"
#include "service/export/export_work.h"

/* A connection to Redis for one lease; every thread of the worker has one. */
#define REDIS_WAIT_MS 5000

enum err exp_new(const struct exp_options *o, struct rds_pool *redis, struct set_cache *stores,
                 struct exp **out, struct errinfo *info)
{
    struct exp *e = x_alloc(sizeof(*e));
    enum err x = xero_new(&o->xero, &e->xero);

    *out = NULL;
    if (x != ERR_OK) {
        x_free(e);
        return err_set(info, x, "The client for Xero cannot be made: %s.", err_text(x));
    }
    e->redis = redis;
    e->stores = stores;
    e->master = o->master;
    e->hook = o->hook;
    e->public_url = x_strdup(o->public_url ? o->public_url : "");
    e->worker = x_strdup(o->worker);
    e->lease_ms = o->lease_ms;
    e->max_attempts = o->max_attempts;
    e->stopping = o->stopping;
    *out = e;
    return ERR_OK;
}

void exp_free(struct exp *e)
{
    if (!e)
        return;
    xero_free(e->xero);
    x_free(e->public_url);
    x_free(e->worker);
    x_free(e);
}

/* ---- one lease ---- */

static enum work_next open_lease(struct work *w)
{
    struct errinfo info = {0};
    enum err e = set_conn_get(w->redis, w->lease->connection, &w->conn, &info);

    if (e != ERR_OK) {
        log_error("connection", "The connection cannot be read; its orders go back.",
                  LOG_Z("error", info.text));
        w->again_ms = 5000;
        return WORK_HAND_BACK;
    }
    w->grant = exp_grant_of(&w->conn);
    for (size_t i = 0; i < w->count; i++)
        exp_read_docs(w, &w->orders[i]);
    return WORK_GO;
}

/* What others left in doubt first, then the orders as they stand. */
static enum work_next work_lease(struct work *w)
{
    enum work_next next = open_lease(w);

    if (next == WORK_GO)
        next = exp_settle_lease(w);
    if (next == WORK_GO)
        next = exp_resolve_doubts(w);
    for (size_t i = 0; i < w->count && next == WORK_GO; i++) {
        if (!w->orders[i].ended)
            exp_load(w, &w->orders[i]);
    }
    return next == WORK_GO ? exp_stages(w) : next;
}

static void free_work(struct work *w)
{
    for (size_t i = 0; i < w->count; i++) {
        if (w->orders[i].store)
            set_store_put(w->orders[i].store);
    }
    if (w->access)
        cry_wipe(w->access, strlen(w->access));
    x_free(w->access);
    arena_free(&w->arena);
}

enum err exp_run(struct exp *e, struct job_lease *lease, const _Atomic bool *stopping,
                 struct errinfo *info)
{
    struct work *w = x_alloc(sizeof(*w));
    enum work_next next = WORK_GO;
    enum err x = ERR_OK;

    *w = (struct work){.e = e, .lease = lease, .stopping = stopping, .day_left = -1};
    w->redis = rds_take(e->redis, REDIS_WAIT_MS);
    if (!w->redis) {
        x_free(w);
        return err_set(info, ERR_UNREACHABLE, "No connection to Redis is free.");
    }
    w->count = lease->count;
    w->orders = arena_array(&w->arena, w->count + 1, sizeof(*w->orders));
    for (size_t i = 0; i < w->count; i++)
        w->orders[i].o = &lease->orders[i];
    log_ctx_set(lease->connection, NULL, NULL, lease->token);

    next = work_lease(w);
    if (next == WORK_LET_GO) {
        x = err_set(info, ERR_LOST, "The lease %s is left to other workers.", lease->token);
    } else {
        exp_end_all(w, next);
        x = exp_complete(w, info);
    }
    log_ctx_clear();
    rds_give(e->redis, w->redis);
    free_work(w);
    x_free(w);
    return x;
}
