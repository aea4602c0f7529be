#include "handlers/hooks.h"

#include "service/base/log.h"

#define RETRY_S 2

/* One log line an hour a store for refused deliveries. Stores share a slot when their hashes agree:
 * then the line of one stands for both. */
#define ALARMS 256
#define ALARM_MS 3600000

/* ---- whose it is ---- */

static enum err take_over(struct hook *h, struct set_store *found, enum err e)
{
    set_store_put(h->store);
    h->store = found;
    return e == ERR_OK && found->deleted ? ERR_NOT_FOUND : e;
}

enum err hook_load(struct hook *h, const char *id, bool refresh)
{
    struct set_store *found = NULL;
    enum err e =
        set_store_get(h->env->stores, h->req->redis, h->platform, id, refresh, &found, &h->info);

    return take_over(h, found, e);
}

enum err hook_find(struct hook *h, const char *id)
{
    enum err e = hook_load(h, id, false);

    return e == ERR_NOT_FOUND ? hook_load(h, id, true) : e;
}

enum err hook_renew(struct hook *h, const char *id)
{
    struct set_store *found = NULL;
    enum err e = set_store_renew(h->env->stores, h->req->redis, h->platform, id, h->store->version,
                                 &found, &h->info);

    return take_over(h, found, e);
}

void hook_alarm(struct hook *h, const char *message)
{
    static struct log_rate alarms[ALARMS];
    uint8_t hash[CRY_HASH];
    int64_t dropped = 0;

    cry_sha256(str_of(h->store->key), hash);
    if (log_rate_ok(&alarms[hash[0]], ALARM_MS, &dropped))
        log_warn("bad_signature", message, LOG_Z("store", h->store->key),
                 LOG_INT("more_since", dropped));
}

/* ---- how it is answered ---- */

void hook_answer(struct hook *h, const char *result, struct str reason)
{
    struct js_out w;

    h->result = result;
    jw_init(&w, &h->res->body);
    jw_begin_object(&w);
    jw_kz(&w, "result", result);
    jw_kstr(&w, "reason", reason);
    jw_end_object(&w);
}

void hook_unavailable(struct hook *h)
{
    h->result = "unavailable";
    h->res->retry_after_s = RETRY_S;
    srv_problem(h->res, 503, "Service Unavailable", "The event could not be stored: %s",
                h->info.text);
}
