/*
 * metrics: every counter, gauge and histogram of both programs, declared once with help text in the
 * table of metrics.c, printed as Prometheus text. Counting is lock-free and may be done from any
 * thread. Labels are a small closed set: a new label value beyond the table's room is counted as
 * "other", so that nothing from outside can grow memory.
 */
#pragma once

#include "service/base/buf.h"
#include <stdint.h>

/* name, type (COUNTER, GAUGE, HISTOGRAM of seconds), label names separated by a comma or "", help.
 * The Prometheus name is "ledgerhook_" plus the lower-case name given here. */
#define MET_LIST(X)                                                                                \
    X(MET_WEBHOOKS, "webhooks_total", COUNTER, "platform,topic,result",                            \
      "Webhook deliveries answered, by platform, topic and result.")                               \
    X(MET_WEBHOOK_SECONDS, "webhook_duration_seconds", HISTOGRAM, "platform",                      \
      "Time from the end of the body to the answer.")                                              \
    X(MET_HTTP_REQUESTS, "http_requests_total", COUNTER, "listener,status",                        \
      "HTTP requests answered, by listener and status code.")                                      \
    X(MET_ACTIVE, "active_requests", GAUGE, "", "Requests past their body at this moment.")        \
    X(MET_BODY_BYTES, "body_bytes", GAUGE, "", "Bytes of request bodies held in memory.")          \
    X(MET_REDIS_SECONDS, "redis_round_trip_seconds", HISTOGRAM, "",                                \
      "Time of one Redis round trip.")                                                             \
    X(MET_REDIS_ERRORS, "redis_errors_total", COUNTER, "kind",                                     \
      "Redis round trips that failed, by kind.")                                                   \
    X(MET_EXPORTS, "exports_total", COUNTER, "result",                                             \
      "Orders reported by this worker, by result (done, retry, failed).")                          \
    X(MET_LEASES, "leases_total", COUNTER, "kind", "Leases taken, by kind (fresh, settling).")     \
    X(MET_FENCED, "fenced_completions_total", COUNTER, "",                                         \
      "Orders whose completion was refused because the lease had passed to another worker.")       \
    X(MET_POISON, "poison_orders_total", COUNTER, "",                                              \
      "Orders failed because leases holding only them died three times.")                          \
    X(MET_REPAIRS, "queue_repairs_total", COUNTER, "",                                             \
      "Lanes the sweep had to put back into the due set; anything above 0 is a fault.")            \
    X(MET_XERO_CALLS, "xero_calls_total", COUNTER, "endpoint,status",                              \
      "Calls to Xero, by endpoint and HTTP status (0: no answer).")                                \
    X(MET_XERO_SECONDS, "xero_call_seconds", HISTOGRAM, "", "Time of one call to Xero.")           \
    X(MET_XERO_BATCH, "xero_batch_documents_total", COUNTER, "endpoint",                           \
      "Documents sent to Xero, by endpoint.")                                                      \
    X(MET_SHOP_CALLS, "shop_calls_total", COUNTER, "kind,status",                                  \
      "Calls to shops and Amazon's queue, by kind and HTTP status (0: no answer).")                \
    X(MET_SHOP_SECONDS, "shop_call_seconds", HISTOGRAM, "kind", "Time of one such call, by kind.") \
    X(MET_FETCHES, "fetched_orders_total", COUNTER, "platform,why,result",                         \
      "Orders read from shops, by platform, what asked for them, and result.")                     \
    X(MET_MESSAGES, "amazon_queue_records_total", COUNTER, "topic,result",                         \
      "Records read from Amazon's queue, by topic and result.")                                    \
    X(MET_TOKENS, "token_requests_total", COUNTER, "result",                                       \
      "Access tokens asked for, by result.")                                                       \
    X(MET_DISCONNECTED, "disconnections_total", COUNTER, "reason",                                 \
      "Connections that Xero dropped, by what it said.")                                           \
    X(MET_ALERTS, "operator_alerts_total", COUNTER, "kind",                                        \
      "What only the operator can mend, by kind (client_refused, queue_refused, ...).")

enum met_id {
#define MET_ENUM(id, name, type, labels, help) id,
    MET_LIST(MET_ENUM)
#undef MET_ENUM
        MET_COUNT
};

/* Adds N to a counter or a gauge. L1..L3: label values in the table's order; NULL ends. */
void met_add(enum met_id id, int64_t n, const char *l1, const char *l2, const char *l3);
void met_gauge_set(enum met_id id, int64_t value);
/* One observation of NS nanoseconds in a histogram of seconds. */
void met_observe_ns(enum met_id id, int64_t ns, const char *l1);
/* Appends all metrics as Prometheus text format 0.0.4. */
void met_print(struct buf *out);
/* Monotonic nanoseconds, for durations. */
int64_t met_now_ns(void);
