/*
 * intake: an order's own data on its way into the queue, whether a webhook brought it or it was
 * read from the shop: the body becomes the neutral order by its platform's adapter, the store's
 * rules decide it for every history, and job_ingest takes it. Verifies nothing and asks nobody.
 * Functions take a connection, so any thread with one of its own may call them.
 */
#pragma once

#include "queue/jobs.h"
#include "queue/settings.h"
#include "service/base/json.h"
#include "service/sync/order.h"

/* How an event came, for the order's trail. Texts may be {NULL,0}. */
struct itk_origin {
    const char *topic; /* of the webhook; "fetch", "reconciliation", "backfill" */
    struct str webhook_id, triggered_at;
};

/* A whole order, read. What the event lacks yet: its `event`, its `delivery`, what the store says
 * (itk_take). Points into itself: it does not move. */
struct itk_order {
    struct order order;
    struct job_event event; /* `unusable` is set where the order lacks what an invoice needs */
    char key[LIM_ORDER_KEY + 1], stamp[ORD_STAMP + 1], paid_day[11];
    struct job_failure failure;
    struct str sentence;
};

/* Reads the order ROOT, which is BODY parsed, of STORE, a store of PLATFORM ("shopify", "amazon").
 * BODY is borrowed, the rest is in ARENA. TRIGGERED_AT breaks ties between equal states, {NULL,0}
 * none. ERR_MISSING, and nothing in OUT: it has no usable id. */
enum err itk_read(const char *platform, const char *store, const struct js_value *root,
                  struct str body, struct str triggered_at, struct arena *arena,
                  struct itk_order *out, struct errinfo *info) MUST_CHECK;

/* Fills in E what the store says: its key, version and connection, the import stamp, and the
 * decision for every history. STATE is NULL for a record without an order. */
void itk_decide(const struct set_store *s, const struct ord_state *state, struct job_event *e);
/* One try with the store as S has it: decides E (O: its order, NULL for a record without one) and
 * takes it. JOB_STALE_SETTINGS: the store has moved on since; renew it, and take it again. */
enum err itk_take(struct rds *r, const struct set_store *s, const struct itk_origin *from,
                  const struct order *o, struct job_event *e, enum job_result *result,
                  enum cat_reason *reason, struct errinfo *info) MUST_CHECK;
/* One try to ask that the order of E, which changed but does not say how, be read from the shop; of
 * E its order, delivery, event, name, link and state count. The results are job_fetch's. */
enum err itk_ask(struct rds *r, const struct set_store *s, const struct itk_origin *from,
                 struct job_event *e, enum job_result *result, enum cat_reason *reason,
                 struct errinfo *info) MUST_CHECK;
/* itk_take as often as the settings change meanwhile, at most three times. *S is renewed in CACHE
 * and stays the caller's to put back. ERR_NOT_FOUND: the store was deleted; ERR_CONFLICT: its
 * settings change all the time. */
enum err itk_take_settled(struct rds *r, struct set_cache *cache, struct set_store **s,
                          const struct itk_origin *from, const struct order *o, struct job_event *e,
                          enum job_result *result, enum cat_reason *reason,
                          struct errinfo *info) MUST_CHECK;
