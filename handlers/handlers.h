/*
 * handlers: what the server hands to a handler and what a handler answers, and the handlers. A
 * handler gets bytes and fills an answer; it never touches a socket and never checks a permission
 * (that is a column of the route table). Handlers run on any of the server's threads at the same
 * time.
 */
#pragma once

#include "queue/rds.h"
#include "queue/settings.h"
#include "service/base/buf.h"
#include "service/base/crypto.h"
#include <stdbool.h>
#include <stdint.h>

/* What all handlers of one process share; set up by main, read-only afterwards. */
struct srv_env {
    struct rds_pool *redis;
    struct set_cache *stores;
    const struct cry_keys *hook_keys;
    const char *version;
    const char *program; /* "ledgerhook-receiver" */
    /* of the receiver, for the consent in Xero; NULL or "" where not set */
    const char *public_url, *xero_login_url, *xero_scopes;
    struct str xero_client_id;
    _Atomic bool draining;
};

struct srv_req {
    const char *method;
    struct str path;  /* decoded, without the query */
    struct str query; /* raw */
    struct str body;
    const char *who; /* name of the API token; "" where no permission is needed */
    bool admin;
    struct rds *redis;   /* a connection for this request; NULL on routes that need none */
    struct arena *arena; /* ends with the request */
    const void *conn;    /* private to server */
};

/* Value of a request header, any case; {NULL,0} if absent; cut off beyond LIM_HEADER: then
 * absent. */
struct str srv_header(const struct srv_req *req, const char *name);
/* Decoded value of the first query parameter of that name in the request's arena; {NULL,0} if
 * absent or not well formed. */
struct str srv_query(const struct srv_req *req, const char *name);
/* Segment I (from 0) of the request's path: 2 of /api/v1/stores/shopify is "stores"; {NULL,0}
 * behind the last. Borrowed. */
struct str srv_segment(const struct srv_req *req, int i);
/* Undoes %XX (and '+' for a blank where PLUS). False, and nothing appended, for an escape that is
 * cut off or no hex, for NUL and control characters, and for what is not UTF-8. */
bool srv_unescape(struct str text, bool plus, struct buf *out) MUST_CHECK;

struct srv_res {
    int status;               /* 0 = 200 */
    const char *content_type; /* NULL = application/json */
    struct buf body;          /* init'ed by the server */
    int retry_after_s;        /* > 0: Retry-After */
    const char *extra;        /* further header lines, each ended by CRLF; NULL none */
    bool no_cache;            /* may be kept but asked for again (with its ETag); else never kept */
};

typedef void srv_handler(struct srv_env *env, struct srv_req *req, struct srv_res *res);

/* hooks: POST /webhooks/shopify, POST /webhooks/amazon */
srv_handler hook_shopify, hook_amazon;

/* api: everything under /api/v1; routes inside by api_routes */
srv_handler api_stores, api_store, api_connections, api_connection, api_connection_verb, api_failed,
    api_failed_export, api_failed_one, api_failed_groups, api_queue, api_synced, api_log,
    api_catalogue, api_task, api_task_verb, api_backfill, api_check, api_orders, api_order,
    api_order_export;

/* the consent: an address to begin at, and where Xero sends the browser back to */
srv_handler api_connect, api_callback;
/* one connection's settings and mappings as a file */
srv_handler api_backup;
/* which Xero contact a customer is */
srv_handler api_contact;

/* pages: / , the API's description, health, readiness, metrics */
srv_handler page_home, page_openapi, page_healthz, page_readyz, page_metrics;

/* An application/problem+json answer (RFC 9457): TITLE names the kind, DETAIL says what, where and
 * what to do. For handlers and server alike. */
void srv_problem(struct srv_res *res, int status, const char *title, const char *fmt, ...)
    PRINTF(4, 5);
