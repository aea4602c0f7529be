/*
 * server: the only file that knows civetweb. Listeners, the route table (method, path, permission,
 * body limit, handler), reading bodies within caps and deadlines, bearer tokens with two roles,
 * answering, and the drain. Knows no business. srv_start and srv_stop are called by main;
 * everything else runs on civetweb's threads.
 *
 * Ways of stopping: once `draining` of the environment is set every answer closes its connection,
 * and readiness is 503, but all is still served; srv_stop refuses what comes then with 503, lets
 * requests that have begun finish, at most until its deadline, and closes.
 */
#pragma once

#include "handlers/handlers.h"

enum srv_role { SRV_PUBLIC, SRV_SUPPORT, SRV_ADMIN };

/* PATH: exact; {} stands for any one segment, as in "/api/v1/stores/{}/{}". METHOD NULL: any (then
 * the handler looks). The table ends with path NULL. */
/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): in the order in which a table reads */
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
    bool keep_alive; /* connections may be used again */
    const struct srv_route *routes;
    const struct srv_token *tokens; /* for roles above SRV_PUBLIC */
    size_t token_count;
};

struct srv;

/* Starts one listener; L's texts, routes and tokens are borrowed until it has stopped. ERR_CONFIG:
 * the address cannot be bound (INFO says which and why). */
enum err srv_start(const struct srv_listener *l, struct srv_env *env, struct srv **out,
                   struct errinfo *info) MUST_CHECK;
/* The port it listens on. */
int srv_port(const struct srv *s);
/* Stops taking requests, waits at most DEADLINE_MS for those in progress, closes, frees. True if
 * all of them were answered; if not, those still run and nothing is freed: the process must end. */
bool srv_stop(struct srv *s, int deadline_ms) MUST_CHECK;

/* ---- what needs no socket, for the tests ---- */

/* The route of METHOD (HEAD stands for GET) and PATH. NULL: ALLOW then holds the methods which the
 * path has ("GET, HEAD, PUT"), nothing if there is no such path. */
const struct srv_route *srv_route_find(const struct srv_route *routes, const char *method,
                                       struct str path, struct buf *allow);
/* The token that GIVEN equals, or NULL. Looks at every token, found or not. */
const struct srv_token *srv_token_find(const struct srv_token *tokens, size_t n, struct str given);
