/*
 * export: the worker's path for one lease: load and map each order, build what Xero should hold,
 * make the calls that differ in batches (in the order of export_stages.c), report. A permit
 * stands before every call. No loop over leases and no signals: worker_main has those. One struct
 * exp a thread.
 */
#pragma once

#include "queue/jobs.h"
#include "queue/settings.h"
#include "service/base/crypto.h"
#include "service/export/xero.h"

struct exp_options {
    struct xero_options xero;
    const char *public_url;
    int64_t lease_ms;
    int64_t max_attempts;
    const struct cry_keys *master, *hook;
    const char *worker;           /* who refreshes a token: unique a thread */
    const _Atomic bool *stopping; /* borrowed; ends waits. NULL: never */
};

struct exp;
/* STORES and REDIS are borrowed for the exporter's life, and so are the keys in O; its texts are
 * copied. ERR_NOMEM. */
enum err exp_new(const struct exp_options *o, struct rds_pool *redis, struct set_cache *stores,
                 struct exp **out, struct errinfo *info) MUST_CHECK;
/* NULL-safe. */
void exp_free(struct exp *e);
/* Works one lease to its end and completes it; frees nothing of the lease. STOPPING is looked at
 * between calls: what has not begun is then handed back. Errors are logged inside; the result only
 * says whether Redis could be told (ERR_OK) or the lease has to be left to others. */
enum err exp_run(struct exp *e, struct job_lease *lease, const _Atomic bool *stopping,
                 struct errinfo *info) MUST_CHECK;
/* Does the next waiting task, if there is one: *DID. */
enum err exp_task(struct exp *e, bool *did, struct errinfo *info) MUST_CHECK;
/* Once a day over all workers, whoever calls first: consents that nobody has used for 20 days are
 * refreshed, since Xero ends them after 60, grants that no connection has any more are erased, and
 * what the previous master key sealed is sealed anew. */
enum err exp_keep_alive(struct exp *e, struct errinfo *info) MUST_CHECK;
