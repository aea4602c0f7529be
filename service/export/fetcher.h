/*
 * fetcher: the worker's path for one fetch lease: asks the shop for what the lease names, an order
 * or a page of what has changed, and hands each order to the queue by the same way in as a webhook
 * (intake), as `seen`. A permit stands before every call. Owns what a shop's refusal means for its
 * lane. No loop over leases and no signals: worker_main has those. One struct ftc a thread.
 */
#pragma once

#include "queue/fetch.h"
#include "queue/settings.h"
#include "service/base/crypto.h"
#include "service/export/amazon_api.h"
#include "service/export/shopify_api.h"

struct ftc_options {
    struct aapi_options amazon;
    const char *shopify_url; /* root without path for all shops; NULL: each shop's own domain */
    int64_t lease_ms, reconcile_ms;
    int64_t max_attempts;          /* of an order at which the shop fails while it gives others */
    const struct cry_keys *master; /* opens what opens the shops */
    const _Atomic bool *stopping;  /* borrowed; looked at between orders. NULL: never */
};

struct ftc;
/* STORES and REDIS are borrowed for the fetcher's life, and so are the keys in O. ERR_NOMEM. */
enum err ftc_new(const struct ftc_options *o, struct rds_pool *redis, struct set_cache *stores,
                 struct ftc **out, struct errinfo *info) MUST_CHECK;
/* NULL-safe. */
void ftc_free(struct ftc *f);
/* Wipes shops' tokens that nobody needs any more: to be called between leases. */
void ftc_tend(struct ftc *f);
/* Works one lease to its end and tells the queue; frees nothing of the lease. Errors are logged
 * inside; the result only says whether Redis could be told (ERR_OK), or the lease has to end by
 * itself, after which its items are read again. */
enum err ftc_run(struct ftc *f, struct fet_lease *lease, struct errinfo *info) MUST_CHECK;
