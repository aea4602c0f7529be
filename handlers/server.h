/*
 * server: the only file that knows civetweb. Listeners, the route table (method, path, permission,
 * body limit, handler), reading bodies within caps and deadlines, bearer tokens with two roles,
 * answering, and the drain. Knows no business.
 * srv_start and srv_stop are called by main; everything else runs on civetweb's threads.
 *
 * Ways of stopping: srv_drain makes readiness 503 and refuses new connections' requests with 503 +
 * Connection: close once the grace is over; requests past their body are finished; srv_stop waits
 * for them at most its deadline and closes.
 */
#pragma once

#include "handlers/handlers.h"

enum srv_role { SRV_PUBLIC, SRV_SUPPORT, SRV_ADMIN };

/* PATH: exact, or with '*' as its last segment(s): "/api/v1/stores/" + two free segments is written
 * "/api/v1/stores/{}/{}". METHOD NULL: any (then the handler looks). The table ends with path NULL. */
struct srv_route {
    const char *method;
    const char *path;
    enum srv_role role;
    size_t max_body;
    bool redis; /* the handler needs a connection: 503 when there is none within the deadline */
    srv_handler *handler;
};

struct srv_token {
    char name[32];
    struct str secret;
    enum srv_role role;
};

struct srv_listener {
    const char *name;   /* "webhooks", "api", "ops": for metrics */
    const char *listen; /* host:port; port 0 = any */
    int threads;
    int active;      /* requests past their body at once; 0 = no bound of its own */
    size_t max_body; /* the largest any route may take */
    const struct srv_route *routes;
    const struct srv_token *tokens; /* for roles above SRV_PUBLIC */
    size_t token_count;
};

struct srv;

/* Starts one listener. ERR_CONFIG: the address cannot be bound (INFO says which and why). */
enum err srv_start(const struct srv_listener *l, struct srv_env *env, struct srv **out,
                   struct errinfo *info) MUST_CHECK;
/* The port it listens on. */
int srv_port(const struct srv *s);
/* Stops taking requests, waits at most DEADLINE_MS for those in progress, closes, frees. True if all
 * of them were answered. */
bool srv_stop(struct srv *s, int deadline_ms) MUST_CHECK;
/* Segment I (from 0) of the request's path, e.g. 3 of /api/v1/stores/shopify is "shopify". */
struct str srv_segment(const struct srv_req *req, int i);
