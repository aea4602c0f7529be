/*
 * intake_amazon: one record that Amazon, or what a seller put behind its queue, sent, on its way
 * into the queue, whether it was posted to us or a worker took it out of the seller's queue at AWS:
 * a notification asks for a fetch, a whole order goes in like any other. Whose the record is, the
 * caller has made sure of. A part of intake.
 */
#pragma once

#include "queue/intake.h"
#include "service/sync/amazon.h"

enum itk_verdict {
    ITK_TAKEN,   /* Redis has it, or there is nothing in it to be kept */
    ITK_BAD,     /* it cannot be read, nor will it ever be */
    ITK_REFUSED, /* the store was deleted, or is no longer `entitled`; no result or reason is set */
    ITK_DOWN     /* Redis did not take it: the same again later */
};

/* The store that a record belongs to, and what became of the record. */
struct itk_amazon {
    struct rds *redis;
    struct set_cache *stores;
    struct set_store *store; /* renewed here when its settings moved on, NULL when that failed; the
                              * caller puts it back */
    /* Asked again of a store that was renewed; NULL: each store is. */
    bool (*entitled)(const void *arg, const struct set_store *store);
    const void *arg;
    struct arena *arena; /* of the reason */

    const char *result; /* of the answer and the metrics: "queued", "ignored", "malformed", ... */
    struct str reason;
    struct errinfo info; /* of ITK_DOWN */
};

/* Takes RECORD for in->store. The thread's log context is empty afterwards. */
enum itk_verdict itk_amazon(struct itk_amazon *in, const struct amz_record *record) MUST_CHECK;
/* The metrics' word for a record: "order", "ORDER_CHANGE", "other". */
const char *itk_amazon_topic(const struct amz_record *record);
