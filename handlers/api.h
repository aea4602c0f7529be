/*
 * api: what the REST calls have in common: reading a JSON body and naming its unknown fields, the
 * answers for what was wrong with it, and the status that an error of the layers below becomes. The
 * calls themselves are in api_stores, api_connections, api_contacts, api_failed, api_queue,
 * api_tasks and api_orders.
 * No state: any thread.
 */
#pragma once

#include "handlers/handlers.h"
#include "service/base/json.h"
#include "service/sync/options.h"

/* The body as one JSON object; an empty body counts as {} where MAY_BE_EMPTY. False: RES says what
 * is wrong. Free DOC in any case. */
bool api_read(const struct srv_req *req, bool may_be_empty, struct js_doc *doc,
              struct srv_res *res) MUST_CHECK;
/* Complains of every member of OBJECT whose name is not in NAMES (ended by NULL). PREFIX
 * ("secrets.", "") goes in front of the names in the complaints. */
void api_name_unknown(const struct js_value *object, const char *prefix, const char *const *names,
                      struct arena *arena, struct opt_errors *errors);
/* True if there are complaints; RES is then a 422 that names every field. */
bool api_refused(const struct opt_errors *errors, struct srv_res *res) MUST_CHECK;
/* 422 for one field. */
void api_refuse(struct srv_res *res, struct arena *arena, const char *field, const char *message);
/* 404, 409, 422, 503 or 500 for an error of the queue's layers. */
void api_error(struct srv_res *res, enum err e, const struct errinfo *info);
/* The query's LIMIT, LIM_PAGE without one. False: RES is a 422. */
bool api_limit(const struct srv_req *req, int64_t *limit, struct srv_res *res) MUST_CHECK;
/* The place behind which a page of LIST, which is sorted by name, goes on: {NULL,0} at its start.
 * False: RES is a 422. */
bool api_after(const struct srv_req *req, const char *list, struct str *after,
               struct srv_res *res) MUST_CHECK;
/* The member "cursor" that api_after reads: behind LAST of LIST; null for {NULL,0}. */
void api_cursor(struct js_out *w, const char *list, struct str last);
/* The query's WAIT in seconds, 0 without one. False: RES is a 422. */
bool api_wait(const struct srv_req *req, int64_t *wait_s, struct srv_res *res) MUST_CHECK;
/* Waits at most WAIT_S for an order that was made ready just now, and answers what became of it. */
void api_export_answer(struct srv_env *env, struct srv_req *req, struct srv_res *res,
                       struct str connection, struct str order, int64_t wait_s);
/* Key and RFC 3339 text of Unix SECONDS; null for 0. */
void api_time(struct js_out *w, const char *key, int64_t seconds);
/* A member's text copied into ARENA as a C string; NULL if it is absent, null, not a string, or
 * holds a control character, the last two after a complaint; longer than MAX bytes is a complaint
 * too. */
char *api_text(const struct js_value *object, const char *name, size_t max, struct arena *arena,
               struct opt_errors *errors);
