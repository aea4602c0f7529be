/*
 * conns: what happens to a connection besides being configured: Xero drops it, a consent begins,
 * comes back and links it, an operator's mistake holds all of a client's, it is uninstalled. Each
 * is one script. Asks Xero nothing and opens no token; settings reads and saves connections, jobs
 * pauses and resumes them.
 * Functions take a connection to Redis, so any thread with one of its own may call them.
 */
#pragma once

#include "queue/rds.h"
#include "service/base/crypto.h"
#include "service/base/limits.h"
#include <stdbool.h>
#include <stdint.h>

/* The connection is dropped, by Xero or by hand: orders wait, an error entry in its log says
 * SENTENCE. GRANT: the one that was refused, or ""; if the connection has another by now nothing
 * happens. ERR_NOT_FOUND; ERR_CONFLICT: uninstalled. *CHANGED may be NULL. */
enum err con_drop(struct rds *r, const char *connection, const char *grant, const char *who,
                  const char *sentence, bool *changed, struct errinfo *info) MUST_CHECK;

struct con_link {
    const char *connection;
    const char *consent; /* grant of the consent; "" with client credentials */
    struct str tenant, tenant_name;
    bool force; /* another tenant than before is wanted */
    const char *who;
};
/* Xero has said yes: disconnected becomes active, paused stays. ERR_NOT_FOUND; ERR_CONFLICT:
 * another organisation than before without FORCE or while orders go there, or uninstalled. */
enum err con_link(struct rds *r, const struct con_link *l, struct errinfo *info) MUST_CHECK;

/* Holds all connections of the client in GRANT for MS, or lets them go (MS 0). */
enum err con_hold_client(struct rds *r, const char *grant, int64_t ms, const char *why,
                         struct errinfo *info) MUST_CHECK;

/* ---- the consent ---- */

#define CON_STATE 65
/* Random hex digits: who comes back from Xero with them was sent there by us. */
void con_state_new(char state[CON_STATE]);
bool con_state_ok(struct str state) MUST_CHECK;

struct con_consent {
    const char *connection, *redirect_uri, *who;
    bool force;
};
/* Remembers STATE for a quarter of an hour. */
enum err con_consent_begin(struct rds *r, const char *state, const struct con_consent *c,
                           struct errinfo *info) MUST_CHECK;
/* Takes STATE, once, and hands CODE, sealed under the hook key, to a worker: TASK is its id. CODE
 * "": the person refused, TASK becomes "". CONNECTION gets the name. ERR_NOT_FOUND: there is no
 * such state, or not any more. */
enum err con_consent_end(struct rds *r, const struct cry_keys *hook, const char *state,
                         struct str code, char connection[LIM_CONN_NAME + 1], char task[37],
                         struct errinfo *info) MUST_CHECK;

/* Says in the connection's log why a consent connected nothing. */
enum err con_consent_failed(struct rds *r, const char *connection, const char *sentence,
                            struct errinfo *info) MUST_CHECK;

/* ---- uninstall ---- */

/* Status first, then all that the connection held is erased but stores' identity and webhook
 * secrets and order records. *LEASED: orders are on their way yet, the last of them finishes it.
 * May be repeated. ERR_NOT_FOUND. */
enum err con_uninstall(struct rds *r, const char *connection, const char *who, bool *leased,
                       struct errinfo *info) MUST_CHECK;
