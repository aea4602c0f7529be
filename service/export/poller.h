/*
 * poller: the seller's queue at AWS as a way in: takes Amazon's notifications out of it and hands
 * each record to the queue as the webhook does (intake_amazon). Who may put something into the
 * queue is AWS' to say, so a record needs no key, but its seller has to be a store. Owns when a
 * message is deleted: once Redis has all of it, or if it would be of no use any other time either.
 * No loop and no signals: worker_main has those. One struct pol a thread.
 */
#pragma once

#include "queue/settings.h"
#include "service/export/sqs.h"

struct pol;
/* QUEUE is copied, but for its `stop`; STORES and REDIS are borrowed for the poller's life. The
 * errors of sqs_new. */
enum err pol_new(const struct sqs_options *queue, struct rds_pool *redis, struct set_cache *stores,
                 struct pol **out, struct errinfo *info) MUST_CHECK;
/* NULL-safe. */
void pol_free(struct pol *p);
/* One receive, which waits for messages, and what came of them. WAIT_MS: how long to leave the
 * queue alone now. Errors are logged inside, but ERR_UNREACHABLE: Redis is away, and nothing was
 * asked for. */
enum err pol_turn(struct pol *p, int64_t *wait_ms, struct errinfo *info) MUST_CHECK;
