/*
 * hooks: what the webhook endpoints share: whose a delivery is, and how it is answered.
 * hooks_shopify and hooks_amazon are the endpoints. For them alone; any thread.
 */
#pragma once

#include "handlers/handlers.h"
#include "queue/intake.h"

/* Times that settings may change while one delivery is being decided. */
#define HOOK_TRIES 3

/* One request on its way through. */
struct hook {
    struct srv_env *env;
    struct srv_req *req;
    struct srv_res *res;
    struct errinfo info;
    const char *platform;
    struct set_store *store; /* whose the delivery at hand is */
    const char *result;      /* for the metric */
};

/* Reads store ID of the platform into h->store, from the cache or (REFRESH) from Redis; the one
 * before is put back. A deleted one is ERR_NOT_FOUND. */
enum err hook_load(struct hook *h, const char *id, bool refresh) MUST_CHECK;
/* The same from the cache, and from Redis before giving up: another replica may have set the store
 * up just now. */
enum err hook_find(struct hook *h, const char *id) MUST_CHECK;
/* The same at another version than h->store has, which Redis has just said is out of date. */
enum err hook_renew(struct hook *h, const char *id) MUST_CHECK;
/* Logs, once an hour a store, that a delivery for h->store was refused. */
void hook_alarm(struct hook *h, const char *message);

/* 200 {"result","reason"}. */
void hook_answer(struct hook *h, const char *result, struct str reason);
/* 503 with what h->info says, to be sent again. */
void hook_unavailable(struct hook *h);
