/*
 * The rules are a table; the first row that matches wins. Each function below is a group of its
 * rows, in their order, and answers whether one of them matched.
 */
#include "service/sync/rules.h"

static bool export_it(struct rul_decision *d, enum cat_reason reason)
{
    *d = (struct rul_decision){.export_it = true, .lines = true, .reason = reason};
    return true;
}

static bool skip(struct rul_decision *d, enum cat_reason reason)
{
    *d = (struct rul_decision){.reason = reason};
    return true;
}

static bool withdraw(struct rul_decision *d, enum cat_reason reason)
{
    *d = (struct rul_decision){.withdraw = true, .reason = reason};
    return true;
}

static bool is_shipment(enum rul_event event)
{
    return event == RUL_PARTIALLY_FULFILLED || event == RUL_FULFILLED;
}

static bool is_listed(struct str word, const struct str *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq_nocase(word, list[i]))
            return true;
    }
    return false;
}

static bool has_listed_tag(const struct ord_state *o, const struct rul_settings *s)
{
    struct str rest = o->tags;

    while (rest.p) {
        struct str tag = str_trim(str_split(&rest, ','));

        if (tag.n > 0 && is_listed(tag, s->exclude_tags, s->tag_count))
            return true;
    }
    return false;
}

static bool has_listed_gateway(const struct ord_state *o, const struct rul_settings *s)
{
    for (size_t i = 0; i < o->gateway_count; i++) {
        if (is_listed(str_trim(o->gateways[i]), s->exclude_gateways, s->gateway_count))
            return true;
    }
    return false;
}

/* Row 3, for an order in Xero: the books follow a cancellation and money, whatever the event. */
static bool books_follow(enum rul_event event, const struct ord_state *o, enum cat_reason *reason)
{
    if (event == RUL_REFUNDED)
        *reason = CAT_REFUNDED;
    else if (event == RUL_TRANSACTION)
        *reason = CAT_MONEY_FOLLOWS;
    else if (o->cancelled)
        *reason = CAT_CANCELLED;
    else if (o->refunded)
        *reason = CAT_REFUNDED;
    else if (o->paid != ORD_UNPAID)
        *reason = CAT_MONEY_FOLLOWS;
    else
        return false;
    return true;
}

/* Rows 5 to 9, for an order that is not in Xero: it does not belong there. */
static bool stays_out(const struct rul_settings *s, const struct ord_state *o,
                      struct rul_decision *d)
{
    if (o->test && !s->export_test_orders)
        return withdraw(d, CAT_TEST_ORDER);
    if (o->created_day[0] && s->start_date[0] && strcmp(o->created_day, s->start_date) < 0)
        return withdraw(d, CAT_BEFORE_START);
    if (has_listed_tag(o, s))
        return withdraw(d, CAT_FILTERED_TAG);
    if (is_listed(str_trim(o->source), s->exclude_sources, s->source_count))
        return withdraw(d, CAT_FILTERED_SOURCE);
    if (has_listed_gateway(o, s))
        return withdraw(d, CAT_FILTERED_GATEWAY);
    if (o->zero_value && !s->export_zero_value)
        return withdraw(d, CAT_ZERO_VALUE);
    if (o->nothing_left)
        return withdraw(d, CAT_NOTHING_TO_INVOICE);
    if (o->replacement)
        return withdraw(d, CAT_REPLACEMENT);
    if (o->unfulfillable)
        return withdraw(d, CAT_UNFULFILLABLE);
    if (o->third_party)
        return withdraw(d, CAT_THIRD_PARTY);
    /* Money that the shop keeps belongs in the books, whether the export or the cancellation was
     * first. */
    if (o->cancelled && !o->kept)
        return withdraw(d, CAT_CANCELLED_BEFORE);
    return false;
}

/* Rows 10 to 12: shipping as the trigger. */
static bool shipping_decides(const struct rul_settings *s, enum rul_event event,
                             const struct ord_state *o, struct rul_decision *d)
{
    bool shipped = o->fulfilment != ORD_UNFULFILLED;

    if (s->only_sync_fulfilled && (is_shipment(event) || (event == RUL_SEEN && shipped)))
        return export_it(d, CAT_FULFILLED);
    if (s->only_sync_fulfilled)
        return skip(d, o->fulfilment == ORD_FULFILLED ? CAT_SHIPPED_UNANNOUNCED
                                                      : CAT_WAITING_FULFILMENT);
    if (s->sync_on_fulfilled && shipped && (event != RUL_UPDATED || s->sync_on_updated))
        return export_it(d, CAT_FULFILLED);
    return false;
}

/* Rows 13 to 15: switches that hold an event back. */
static bool switch_holds(const struct rul_settings *s, enum rul_event event, bool in_xero,
                         struct rul_decision *d)
{
    if (s->auto_sync == RUL_OFF)
        return skip(d, CAT_AUTO_SYNC_OFF);
    if (event == RUL_UPDATED && !s->sync_on_updated)
        return skip(d, CAT_UPDATES_OFF);
    if (is_shipment(event) && !s->sync_on_fulfilled && in_xero)
        return skip(d, CAT_FULFILMENT_NO_TRIGGER);
    return false;
}

/* Rows 16 to 18: payment as the trigger. One of them always matches. */
static bool payment_decides(const struct rul_settings *s, const struct ord_state *o,
                            struct rul_decision *d)
{
    if (s->auto_sync == RUL_INCLUDE_UNPAID && o->unpriced)
        return skip(d, CAT_UNPRICED);
    if (s->auto_sync == RUL_INCLUDE_UNPAID)
        return export_it(d, CAT_INCLUDE_UNPAID);
    if (o->paid == ORD_PAID || (o->paid == ORD_PARTLY_PAID && s->partially_paid_is_paid))
        return export_it(d, CAT_PAID);
    return skip(d, CAT_UNPAID);
}

/* Rows 4 to 18: what the rules say by themselves. */
static void decide_by_itself(const struct rul_settings *s, enum rul_event event,
                             const struct ord_state *o, struct rul_history h,
                             struct rul_decision *d)
{
    if (!h.stamp) {
        skip(d, CAT_INVOICE_OFF);
        return;
    }
    if (event == RUL_REFUNDED || event == RUL_TRANSACTION) {
        skip(d, CAT_KEPT);
        return;
    }
    if (!h.in_xero && stays_out(s, o, d))
        return;
    if (shipping_decides(s, event, o, d) || switch_holds(s, event, h.in_xero, d))
        return;
    payment_decides(s, o, d);
}

struct rul_decision rul_decide(const struct rul_settings *s, enum rul_event event,
                               const struct ord_state *o, struct rul_history h)
{
    struct rul_decision d;
    enum cat_reason reason;

    if (h.uninstalled) {
        skip(&d, CAT_XERO_UNINSTALLED);
        return d;
    }
    if (event == RUL_MANUAL) {
        export_it(&d, CAT_MANUAL);
        return d;
    }
    decide_by_itself(s, event, o, h, &d);
    if (h.in_xero && books_follow(event, o, &reason)) {
        /* The lines change only where a row of their own would have exported. */
        d = (struct rul_decision){.export_it = true, .lines = d.export_it, .reason = reason};
    }
    return d;
}

const char *rul_event_text(enum rul_event e)
{
    static const char *const text[RUL_EVENT_COUNT] = {
        [RUL_CREATED] = "created",         [RUL_PAID] = "paid",
        [RUL_UPDATED] = "updated",         [RUL_PARTIALLY_FULFILLED] = "partially_fulfilled",
        [RUL_FULFILLED] = "fulfilled",     [RUL_CANCELLED] = "cancelled",
        [RUL_MANUAL] = "manual",           [RUL_REFUNDED] = "refunded",
        [RUL_TRANSACTION] = "transaction", [RUL_SEEN] = "seen",
    };

    return (unsigned)e < RUL_EVENT_COUNT ? text[e] : "";
}

const char *rul_auto_sync_text(enum rul_auto_sync a)
{
    static const char *const text[] = {
        [RUL_EXCLUDE_UNPAID] = "exclude_unpaid",
        [RUL_INCLUDE_UNPAID] = "include_unpaid",
        [RUL_OFF] = "off",
    };

    return (unsigned)a < sizeof(text) / sizeof(text[0]) ? text[a] : "";
}
