/*
 * catalogue: every reason and every error that people can meet, as data: code, sentence, action.
 * Reasons are the sync rules' decisions (the list below); errors are what Xero, the shop or we say
 * when an export fails, matched from Xero's English text (the table in catalogue_rows.c). Pure; any
 * thread.
 */
#pragma once

#include "service/base/buf.h"
#include "service/base/err.h"
#include <stdbool.h>

/* Reason codes of decisions: enum, code, sentence, action. */
#define CAT_REASONS(X)                                                                             \
    X(CAT_XERO_UNINSTALLED, "xero_uninstalled",                                                    \
      "Xero was uninstalled from this connection, so orders are only recorded.",                   \
      "Set the connection up again; then export the order by hand.")                               \
    X(CAT_MANUAL, "manual", "Exported by hand, whatever the sync rules say.", "")                  \
    X(CAT_CANCELLED, "cancelled",                                                                  \
      "The order was cancelled after it had been exported, so its invoice is voided, or the "      \
      "failed list says what stands against it.",                                                  \
      "")                                                                                          \
    X(CAT_REFUNDED, "refunded",                                                                    \
      "Money of an exported order was refunded, so it is compared with Xero again.", "")           \
    X(CAT_MONEY_FOLLOWS, "money_follows",                                                          \
      "The order is in Xero and was paid, so the payment follows.", "")                            \
    X(CAT_KEPT, "kept_for_the_order",                                                              \
      "A payment or refund record was kept with its order; it is used when the order is "          \
      "exported.",                                                                                 \
      "")                                                                                          \
    X(CAT_INVOICE_OFF, "accounting_invoice_off",                                                   \
      "The store's accounting switch was off when the order was first seen.",                      \
      "Export this order by hand if it belongs in Xero; orders first seen from now on follow the " \
      "switch.")                                                                                   \
    X(CAT_TEST_ORDER, "test_order", "It is a test order.",                                         \
      "Switch on export_test_orders in the store's settings if test orders belong in Xero.")       \
    X(CAT_BEFORE_START, "before_start_date",                                                       \
      "The order was created before the store's start date.",                                      \
      "Move start_date in the store's settings, or export this order by hand.")                    \
    X(CAT_FILTERED_TAG, "filtered_tag", "One of its tags is on the store's exclude_tags list.",    \
      "Remove the tag from exclude_tags, or export this order by hand.")                           \
    X(CAT_FILTERED_SOURCE, "filtered_source",                                                      \
      "Its sales channel is on the store's exclude_sources list.",                                 \
      "Remove the channel from exclude_sources, or export this order by hand.")                    \
    X(CAT_FILTERED_GATEWAY, "filtered_gateway",                                                    \
      "Its payment gateway is on the store's exclude_gateways list.",                              \
      "Remove the gateway from exclude_gateways, or export this order by hand.")                   \
    X(CAT_ZERO_VALUE, "zero_value", "The order's total at the sale is 0.",                         \
      "Switch on export_zero_value in the store's settings if free orders belong in Xero.")        \
    X(CAT_NOTHING_TO_INVOICE, "nothing_to_invoice",                                                \
      "Every line was removed from the order, so there is nothing to invoice.", "")                \
    X(CAT_REPLACEMENT, "replacement_order",                                                        \
      "It is a replacement order, which carries no sale of its own.", "")                          \
    X(CAT_UNFULFILLABLE, "unfulfillable", "The marketplace says it cannot be fulfilled.", "")      \
    X(CAT_THIRD_PARTY, "third_party_sale",                                                         \
      "Another party is the seller of this order (merchant of record), or it was sold elsewhere, " \
      "so its invoice is not this store's.",                                                       \
      "Export it by hand if your accountant wants it in these books.")                             \
    X(CAT_CANCELLED_BEFORE, "cancelled_before_export",                                             \
      "The order was cancelled before it reached Xero.", "")                                       \
    X(CAT_FULFILLED, "fulfilled", "The order was fulfilled, which this store exports on.", "")     \
    X(CAT_WAITING_FULFILMENT, "waiting_for_fulfilment",                                            \
      "This store exports only when an order is fulfilled.",                                       \
      "Nothing to do: it is exported when it ships. Or export it by hand.")                        \
    X(CAT_SHIPPED_UNANNOUNCED, "shipped_but_unannounced",                                          \
      "The order has shipped, but the shop's fulfilment message never arrived, and this store "    \
      "exports only on that message.",                                                             \
      "Export this order by hand.")                                                                \
    X(CAT_AUTO_SYNC_OFF, "auto_sync_off", "Automatic sync is off for this store.",                 \
      "Export this order by hand, or set auto_sync in the store's settings.")                      \
    X(CAT_UPDATES_OFF, "updates_off", "The order was edited, and this store ignores edits.",       \
      "Switch on sync_on_updated, or export this order by hand.")                                  \
    X(CAT_FULFILMENT_NO_TRIGGER, "fulfilment_is_no_trigger",                                       \
      "The order is in Xero, and this store does not refresh on fulfilment.", "")                  \
    X(CAT_INCLUDE_UNPAID, "include_unpaid",                                                        \
      "This store exports orders whether they are paid or not.", "")                               \
    X(CAT_PAID, "paid", "The order is paid, which this store exports on.", "")                     \
    X(CAT_UNPAID, "unpaid", "The order is not paid yet, and this store exports paid orders only.", \
      "Nothing to do: it is exported when it is paid. Or export it by hand.")                      \
    X(CAT_UNPRICED, "waiting_for_prices",                                                          \
      "The marketplace has not authorised the payment yet, and states no prices before that.",     \
      "Nothing to do: it is exported when its payment is authorised.")                             \
    X(CAT_DELETED_IN_SHOP, "deleted_in_shop", "The order was deleted in the shop.", "")            \
    X(CAT_FETCH, "waiting_for_fetch",                                                              \
      "The order has to be read from the shop before it can be decided on.",                       \
      "Nothing to do: it is read in its turn, and decided on then.")                               \
    X(CAT_UNUSABLE, "unusable", "The order lacks something that an invoice needs.", "")            \
    X(CAT_STORE_DELETED, "store_deleted",                                                          \
      "The store was removed while the order waited, so the order was taken out of the queue.",    \
      "Set the store up again; then export the order by hand.")                                    \
    X(CAT_DISMISSED, "dismissed",                                                                  \
      "The export failed, and somebody took the order off the failed list.",                       \
      "Export this order by hand if it belongs in Xero after all.")                                \
    X(CAT_NOTHING_TO_EXPORT, "nothing_to_export",                                                  \
      "There is nothing to export for this order: it was cancelled or emptied before it reached "  \
      "Xero.",                                                                                     \
      "")                                                                                          \
    X(CAT_NEVER_RECEIVED, "never_received",                                                        \
      "No message about this order has ever arrived from the shop.",                               \
      "Check the number, and that the shop sends its messages here; then save the order once in "  \
      "the shop, so that it is sent.")

enum cat_reason {
#define CAT_ENUM(id, code, sentence, action) id,
    CAT_REASONS(CAT_ENUM)
#undef CAT_ENUM
        CAT_REASON_COUNT
};

/* Static texts; "" for a number that is no reason. An action may be empty: nothing to do. */
const char *cat_reason_code(enum cat_reason r);
const char *cat_reason_sentence(enum cat_reason r);
const char *cat_reason_action(enum cat_reason r);
/* The reason of a code; CAT_REASON_COUNT if there is none. */
enum cat_reason cat_reason_find(struct str code);

enum cat_fix { CAT_FIX_XERO, CAT_FIX_HERE, CAT_FIX_SHOP, CAT_FIX_WAIT };
enum cat_retry {
    CAT_RETRY_NO,    /* somebody has to do something first: failed list */
    CAT_RETRY_NOW,   /* the same work may succeed at once */
    CAT_RETRY_LATER, /* the same work may succeed after a while */
    CAT_RETRY_HELD,  /* the connection's state, not the order's */
    CAT_LOOK_UP      /* outcome unknown: look before anything is sent again */
};

/* One row of the error catalogue. */
struct cat_row {
    const char *id; /* "account-invalid" */
    /* Normalised text; '*' stands for a variable part, '|' separates alternatives; NULL: there is
     * no text to match, the program itself says when the row holds. */
    const char *pattern;
    const char *cause;
    const char *action;
    enum cat_fix fix_in;
    enum cat_retry retry;
    const char *setting; /* of the store, "mappings.accounts"; NULL where none mends it */
};

/* "xero", "here", "shop", "wait"; "no", "now", "later", "held", "look_up". */
const char *cat_fix_text(enum cat_fix f);
const char *cat_retry_text(enum cat_retry r);
/* Row number I, most specific first; NULL behind the last. */
const struct cat_row *cat_row_at(size_t i);
/* Row by id; never NULL: an unknown id gives the row "unknown". */
const struct cat_row *cat_row_by_id(const char *id);
/* The row that explains one message. Case, quotes, spacing, a leading "* " and a trailing full stop
 * do not matter. Never NULL: text that nothing matches gives the row "unknown", whose action names
 * what to do with text nobody has catalogued. */
const struct cat_row *cat_match(struct str message);
/* The setting of the store that mends what the row explains, as in "mappings.accounts"; NULL where
 * no setting does. */
const char *cat_setting(const struct cat_row *row);
/* Takes the next single message from a text in which several were joined by line ends or "; ";
 * JOINED moves on. False when there is none left. */
bool cat_next(struct str *joined, struct str *message) MUST_CHECK;
