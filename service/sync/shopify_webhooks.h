/*
 * shopify_webhooks: the webhooks that a shop is to send: which topics, to what address, and what
 * the list of an app's subscriptions says of them. Pure; who asks the shop is shopify_api.
 * Webhooks made in the shop's own admin are on no such list.
 */
#pragma once

#include "service/sync/shopify.h"

/* What is subscribed to by the API. The compliance topics are not among them: Shopify takes those
 * from an app's configuration only. */
struct shp_hook {
    enum shp_topic topic;
    bool required; /* an order's whole life is told by these; the others are acted on */
};
#define SHP_HOOKS 11
#define SHP_HOOKS_REQUIRED 8
extern const struct shp_hook shp_hooks[SHP_HOOKS];

/* Where the receiver takes them. */
#define SHP_HOOK_PATH "/webhooks/shopify"

/* A subscription as the shop lists it. TOPIC: "ORDERS_CREATE". */
struct shp_subscription {
    struct str topic, uri;
};
/* "orders/create" -> "ORDERS_CREATE", as GraphQL writes it. */
void shp_topic_name(enum shp_topic topic, char out[64]);

/* NULL if webhooks can reach the receiver at URL: "https://", a host with or without a port, a path
 * that ends as the receiver's and nothing behind it, at most LIM_HOOK_URL bytes. Else what is wrong
 * with it: "must ...". */
const char *shp_hook_fault(struct str url);

enum shp_hook_state {
    SHP_HOOK_MISSING,   /* no subscription */
    SHP_HOOK_ELSEWHERE, /* to other addresses only */
    SHP_HOOK_HERE
};
/* Where TOPIC goes by LIST. URL: where it is to go; "" not known: then anywhere shp_hook_fault has
 * nothing against is here. */
enum shp_hook_state shp_hook_state(const struct shp_subscription *list, size_t n,
                                   enum shp_topic topic, struct str url) MUST_CHECK;
/* The topics that are required and not here, with commas between, into OUT; returns how many. */
size_t shp_hooks_missing(const struct shp_subscription *list, size_t n, struct str url,
                         struct buf *out);
/* URI without what may be a secret: no user, query or fragment; at most LIM_HOOK_URL bytes. */
void shp_hook_shown(struct str uri, struct buf *out);
