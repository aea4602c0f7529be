/*
 * DESIGN: what arrives is taken off its wrappings one at a time, whichever they are and in whatever
 * order they come: a text that holds JSON is parsed, an object that only carries something is
 * stepped into. Both are counted. Everything found stays where it is in the parsed documents.
 */
#include "service/sync/amazon.h"

#include "service/sync/amazon_parts.h"

/* ---- the bounded scan ---- */

bool amz_seller(struct str text, char out[AMZ_SELLER + 1])
{
    out[0] = '\0';
    if (text.n < 5 || text.n > AMZ_SELLER)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (!(text.p[i] >= 'A' && text.p[i] <= 'Z') && !(text.p[i] >= '0' && text.p[i] <= '9'))
            return false;
    }
    memcpy(out, text.p, text.n);
    out[text.n] = '\0';
    return true;
}

static void skip(struct str *rest, const char *any_of)
{
    while (rest->n > 0 && rest->p[0] != '\0' && strchr(any_of, rest->p[0])) {
        rest->p++;
        rest->n--;
    }
}

static bool take(struct str *rest, char c)
{
    if (rest->n == 0 || rest->p[0] != c)
        return false;
    rest->p++;
    rest->n--;
    return true;
}

/* A quotation mark; within JSON within JSON it is escaped. */
static bool take_quote(struct str *rest)
{
    skip(rest, "\\");
    return take(rest, '"');
}

/* REST stands behind the name "SellerId": its value, as long as it may be one. */
static struct str seller_value(struct str *rest)
{
    struct str value = {NULL, 0};

    if (!take_quote(rest))
        return value;
    skip(rest, " \t\r\n\\");
    if (!take(rest, ':'))
        return value;
    skip(rest, " \t\r\n");
    if (!take_quote(rest))
        return value;
    value.p = rest->p;
    while (rest->n > 0 && value.n <= AMZ_SELLER && rest->p[0] != '"' && rest->p[0] != '\\') {
        rest->p++;
        rest->n--;
        value.n++;
    }
    return value;
}

size_t amz_scan_sellers(struct str body, char (*out)[AMZ_SELLER + 1], size_t max)
{
    static const char name[] = "ellerId";
    size_t found = 0;

    while (body.n > 0 && found < max) {
        const char *at = memmem(body.p, body.n, name, sizeof name - 1);
        size_t known = 0;
        bool whole;

        if (!at)
            break;
        whole = at >= body.p + 2 && (at[-1] == 'S' || at[-1] == 's') && at[-2] == '"';
        body.n -= (size_t)(at - body.p) + sizeof name - 1;
        body.p = at + sizeof name - 1;
        if (!whole || !amz_seller(seller_value(&body), out[found]))
            continue;
        while (strcmp(out[known], out[found]) != 0)
            known++;
        found += known == found;
    }
    return found;
}

/* ---- names in both spellings ---- */

/* Member NAME, or the same name with a small first letter: notifications other than the oldest
 * write theirs so. */
static const struct js_value *get(const struct js_value *v, const char *name)
{
    const struct js_value *found = js_get(v, name);
    char small[64];

    if (found || strlen(name) >= sizeof small)
        return found;
    memcpy(small, name, strlen(name) + 1);
    small[0] = (char)(small[0] | 0x20);
    return js_get(v, small);
}

static struct str get_text(const struct js_value *v, const char *name)
{
    struct str text = {NULL, 0};

    return js_string(get(v, name), &text) ? text : (struct str){NULL, 0};
}

/* ---- wrappings ---- */

/* Where V is a text, the JSON in it; parsed into one of DOCS. */
static enum err open_text(const struct js_value **v, struct js_doc *docs, size_t *count,
                          struct errinfo *info)
{
    struct str text;
    enum err e = ERR_OK;

    while (e == ERR_OK && js_string(*v, &text)) {
        if (*count == AMZ_TEXTS)
            return err_set(info, ERR_TOO_BIG, "It is JSON in text more than %d deep.", AMZ_TEXTS);
        e = js_parse(text, text.n, &docs[*count], info);
        if (e == ERR_OK)
            *v = docs[(*count)++].root;
    }
    return e;
}

static void free_docs(struct js_doc *docs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        js_free(&docs[i]);
}

/* The list in V, if V is a batch. */
static const struct js_value *list_of(const struct js_value *v)
{
    if (js_type(v) == JS_ARRAY)
        return v;
    if (js_type(js_get(v, "Records")) == JS_ARRAY)
        return js_get(v, "Records");
    return js_type(js_get(v, "orders")) == JS_ARRAY ? js_get(v, "orders") : NULL;
}

enum err amz_open(struct str body, struct amz_body *out, struct errinfo *info)
{
    const struct js_value *v = NULL, *list = NULL;
    enum err e;

    *out = (struct amz_body){.count = 1};
    e = js_parse(body, body.n, &out->docs[0], info);
    if (e != ERR_OK)
        return e;
    out->doc_count = 1;
    v = out->docs[0].root;
    for (int i = 0; e == ERR_OK && i < AMZ_WRAPPINGS; i++) {
        e = open_text(&v, out->docs, &out->doc_count, info);
        list = list_of(v);
        if (list || !js_get(v, "data"))
            break;
        v = js_get(v, "data");
    }
    out->batch = list != NULL;
    out->root = list ? list : v;
    if (list)
        out->count = js_len(list);
    if (e == ERR_OK && out->count > AMZ_RECORDS)
        e = err_set(info, ERR_TOO_BIG, "The body has %zu records; at most %d are taken.",
                    out->count, AMZ_RECORDS);
    if (e != ERR_OK)
        amz_body_free(out);
    return e;
}

void amz_body_free(struct amz_body *b)
{
    free_docs(b->docs, b->doc_count);
    b->doc_count = 0;
}

/* Where a notification or a forwarder names the seller: in its payload, or one level deeper. */
static bool find_seller(struct str key, const struct js_value *v, void *arg)
{
    struct str *seller = arg;

    (void)key;
    if (js_type(v) == JS_OBJECT)
        *seller = get_text(v, "SellerId");
    return seller->n == 0;
}

static struct str seller_of(const struct js_value *v)
{
    const struct js_value *payload = get(v, "Payload");
    struct str seller = get_text(v, "SellerId");

    if (seller.n == 0)
        seller = get_text(payload, "SellerId");
    if (seller.n == 0)
        js_each(payload, find_seller, &seller);
    return seller;
}

/* What V carries, if it is one of the wrappings; NULL: it is none. An envelope's id is noted. */
static const struct js_value *inside(const struct js_value *v, struct amz_record *out)
{
    const struct js_value *detail = js_get(v, "detail"), *body = js_get(v, "body");
    struct str id = get_text(v, detail ? "id" : "messageId");

    if (id.n > 0 && (detail || body))
        out->id = id;
    return detail ? detail : body ? body : js_get(v, "data");
}

/* An order of 2026-01-01, as its API returns it or already without that. */
static const struct js_value *order_of(const struct js_value *v)
{
    const struct js_value *payload = js_get(v, "payload");

    if (js_get(v, "order"))
        return js_get(v, "order");
    if (js_get(payload, "order"))
        return js_get(payload, "order");
    return js_get(v, "orderId") && js_get(v, "orderItems") ? v : NULL;
}

/* Whether V is a record itself. */
static bool is_record(const struct js_value *v, struct amz_record *out)
{
    const struct js_value *order = order_of(v);

    out->type = get_text(v, "NotificationType");
    if (out->type.n > 0) {
        out->kind = str_eq(out->type, STR("ORDER_CHANGE")) ? AMZ_NOTICE : AMZ_OTHER;
        out->root = v;
    } else if (js_get(v, "orderResponse")) {
        out->kind = AMZ_ORDER;
        out->root = js_get(v, "orderResponse");
        out->items = js_get(v, "orderItemsResponse");
    } else if (order) {
        out->kind = AMZ_ORDER;
        out->root = order;
    } else {
        return false;
    }
    out->seller = seller_of(v);
    return true;
}

enum err amz_record(const struct amz_body *b, size_t i, struct amz_record *out,
                    struct errinfo *info)
{
    const struct js_value *v = b->batch ? js_at(b->root, i) : b->root;
    enum err e = ERR_OK;

    *out = (struct amz_record){.kind = AMZ_OTHER};
    for (int k = 0; e == ERR_OK && k < AMZ_WRAPPINGS; k++) {
        e = open_text(&v, out->docs, &out->doc_count, info);
        if (e == ERR_OK && is_record(v, out)) {
            e = open_text(&out->root, out->docs, &out->doc_count, info);
            if (e == ERR_OK)
                e = open_text(&out->items, out->docs, &out->doc_count, info);
            return e;
        }
        if (e == ERR_OK)
            v = inside(v, out);
    }
    return e != ERR_OK ? e
                       : err_set(info, ERR_TYPE,
                                 "It is neither a notification nor an order of Amazon's, nor "
                                 "something that holds one.");
}

void amz_record_free(struct amz_record *r)
{
    free_docs(r->docs, r->doc_count);
    r->doc_count = 0;
}

/* ---- what both notifications and orders say ---- */

bool amz_is_order_id(struct str text)
{
    if (text.n != 19)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        bool dash = i == 3 || i == 11;

        if (dash ? text.p[i] != '-' : text.p[i] < '0' || text.p[i] > '9')
            return false;
    }
    return true;
}

/* Equal but for case and underscores: PARTIALLY_SHIPPED is PartiallyShipped. */
static bool is_same_word(struct str word, const char *other)
{
    for (size_t i = 0; i < word.n; i++) {
        if (word.p[i] == '_')
            continue;
        if (*other == '\0' || (word.p[i] | 0x20) != (*other | 0x20))
            return false;
        other++;
    }
    return *other == '\0';
}

bool amz_status(struct str word, struct ord_state *state, enum rul_event *event)
{
    static const struct {
        const char *word;
        enum ord_paid paid;
        enum ord_fulfilment fulfilment;
        enum rul_event event;
        bool cancelled, unfulfillable, unpriced;
    } known[] = {
        {"PendingAvailability", ORD_UNPAID, ORD_UNFULFILLED, RUL_CREATED, .unpriced = true},
        {"Pending", ORD_UNPAID, ORD_UNFULFILLED, RUL_CREATED, .unpriced = true},
        {"Unshipped", ORD_PAID, ORD_UNFULFILLED, RUL_PAID, .cancelled = false},
        {"PartiallyShipped", ORD_PAID, ORD_PARTLY_FULFILLED, RUL_PARTIALLY_FULFILLED,
         .cancelled = false},
        {"Shipped", ORD_PAID, ORD_FULFILLED, RUL_FULFILLED, .cancelled = false},
        {"InvoiceUnconfirmed", ORD_PAID, ORD_FULFILLED, RUL_FULFILLED, .cancelled = false},
        {"Canceled", ORD_UNPAID, ORD_UNFULFILLED, RUL_CANCELLED, .cancelled = true},
        {"Cancelled", ORD_UNPAID, ORD_UNFULFILLED, RUL_CANCELLED, .cancelled = true},
        {"Unfulfillable", ORD_UNPAID, ORD_UNFULFILLED, RUL_UPDATED, .unfulfillable = true},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!is_same_word(word, known[i].word))
            continue;
        state->paid = known[i].paid;
        state->fulfilment = known[i].fulfilment;
        state->cancelled = known[i].cancelled;
        state->unfulfillable = known[i].unfulfillable;
        state->unpriced = known[i].unpriced;
        *event = known[i].event;
        return true;
    }
    return false;
}

/* ---- notifications ---- */

enum err amz_read_notice(const struct amz_record *r, struct amz_notice *out, struct errinfo *info)
{
    const struct js_value *change = get(get(r->root, "Payload"), "OrderChangeNotification");
    const struct js_value *summary = get(change, "Summary");
    struct str purchased = get_text(summary, "PurchaseDate");

    *out = (struct amz_notice){.event = RUL_UPDATED};
    out->id = get_text(get(r->root, "NotificationMetadata"), "NotificationId");
    if (out->id.n == 0)
        out->id = r->id;
    out->order_id = get_text(change, "AmazonOrderId");
    out->change = get_text(change, "OrderChangeType");
    out->status = get_text(summary, "OrderStatus");
    out->marketplace = get_text(summary, "MarketplaceId");
    amz_time(get(change, "OrderChangeTrigger"), "TimeOfOrderChange", out->time);
    if (!out->time[0])
        amz_time(r->root, get(r->root, "EventTime") ? "EventTime" : "eventTime", out->time);
    if (!amz_is_order_id(out->order_id))
        return err_set(info, ERR_MISSING, "AmazonOrderId is missing, or is not 3-7-7 digits.");
    if (out->status.n == 0)
        return err_set(info, ERR_MISSING, "Summary.OrderStatus is missing.");
    if (!amz_status(out->status, &out->state, &out->event) ||
        !str_eq(out->change, STR("OrderStatusChange")))
        out->event = RUL_UPDATED;
    if (!ord_day(purchased, out->state.created_day))
        out->state.created_day[0] = '\0';
    return ERR_OK;
}
