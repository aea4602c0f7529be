/*
 * rules: the one pure function that decides, for one event of one order, whether the order goes to
 * Xero. No I/O, no clock, no JSON; plain structs in, a decision with its reason out. The receiver
 * calls it, the explanation shows it, a text table (tests/data/rules.table) tests every
 * combination.
 */
#pragma once

#include "service/sync/catalogue.h"
#include "service/sync/order.h"
#include <stdbool.h>
#include <stddef.h>

enum rul_event {
    RUL_CREATED,
    RUL_PAID,
    RUL_UPDATED,
    RUL_PARTIALLY_FULFILLED,
    RUL_FULFILLED,
    RUL_CANCELLED,
    RUL_MANUAL,
    RUL_REFUNDED,    /* a refund's own message: carries no order */
    RUL_TRANSACTION, /* a payment's own message: carries no order */
    RUL_SEEN,        /* a fetch, a reconciliation, a backfill: the state alone */
    RUL_EVENT_COUNT
};

enum rul_auto_sync { RUL_EXCLUDE_UNPAID, RUL_INCLUDE_UNPAID, RUL_OFF };

/* A store's sync settings. Texts are borrowed. */
struct rul_settings {
    bool accounting_system_invoice;
    enum rul_auto_sync auto_sync;
    bool sync_on_fulfilled;
    bool only_sync_fulfilled;
    bool sync_on_updated;
    bool partially_paid_is_paid;
    bool export_test_orders;
    bool export_zero_value;
    char start_date[11]; /* "" = no limit */
    const struct str *exclude_tags, *exclude_sources, *exclude_gateways;
    size_t tag_count, source_count, gateway_count;
};

/* What Redis knows of the order at that instant. */
struct rul_history {
    bool uninstalled; /* the connection's Xero was uninstalled */
    bool stamp;       /* the master switch when the order was first seen */
    bool in_xero;     /* has a Xero id, is leased, or has a request whose outcome is not known */
};

struct rul_decision {
    bool export_it;
    bool lines;    /* export: the documents' lines may change too, not only the money */
    bool withdraw; /* skip: a waiting job goes too */
    enum cat_reason reason;
};

/* Always decides, with exactly one reason. O may be NULL for RUL_REFUNDED and RUL_TRANSACTION,
 * which carry no order. */
struct rul_decision rul_decide(const struct rul_settings *s, enum rul_event event,
                               const struct ord_state *o, struct rul_history h);
/* "created", "paid", ... */
const char *rul_event_text(enum rul_event e);
/* "exclude_unpaid", ... */
const char *rul_auto_sync_text(enum rul_auto_sync a);
