#include "handlers/hooks.h"

#include <stdio.h>

#include "queue/intake.h"
#include "queue/trail.h"
#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/sync/shopify.h"

/* Orders that the log names of one customer's request. */
#define REQUESTED 100

/* One delivery on its way through. */
struct delivery {
    struct hook h;
    enum shp_topic topic;
    char shop[LIM_STORE_ID + 1];
    struct js_doc doc;
};

/* Shopify's headers come with and without "X-". NAME is the form with it. */
static struct str header(const struct delivery *d, const char *name)
{
    struct str value = srv_header(d->h.req, name);

    return value.p ? value : srv_header(d->h.req, name + 2);
}

/* ---- step 2: whose it is ---- */

static void refuse_store(struct delivery *d, enum err e)
{
    if (e != ERR_NOT_FOUND) {
        hook_unavailable(&d->h);
        return;
    }
    d->h.result = "unknown_store";
    srv_problem(d->h.res, 404, "Not Found", "The shop \"%s\" is not set up here.", d->shop);
}

static bool find_store(struct delivery *d)
{
    enum err e = hook_find(&d->h, d->shop);

    if (e != ERR_OK)
        refuse_store(d, e);
    return e == ERR_OK;
}

/* ---- step 3: who sent it ---- */

/* Whether SIGNATURE was made with one of the store's secrets. Each is tried, found or not. */
static bool signed_by_store(const struct delivery *d, struct str signature)
{
    const enum set_secret kinds[] = {SET_WEBHOOK, SET_WEBHOOK_PREVIOUS, SET_WEBHOOK_ADMIN};
    uint8_t mac[CRY_HASH];
    int matches = 0;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct str secret = d->h.store->secret[kinds[i]];

        if (secret.n == 0)
            continue;
        cry_hmac_sha256(secret, d->h.req->body, mac);
        matches += cry_equal((struct str){(const char *)mac, sizeof mac}, signature);
    }
    return matches > 0;
}

static void refuse_signature(struct delivery *d)
{
    hook_alarm(&d->h, "A webhook was refused: it is signed with none of the store's secrets.");
    d->h.result = "bad_signature";
    d->h.res->extra = "WWW-Authenticate: X-Shopify-Hmac-Sha256\r\n";
    srv_problem(
        d->h.res, 401, "Unauthorized",
        "The signature in X-Shopify-Hmac-Sha256 was made with none of this store's secrets.");
}

/* A signature that does not fit is tried again with the store as Redis has it now: its secrets may
 * have been changed a moment ago. */
static bool verify(struct delivery *d)
{
    struct buf signature = BUF_CAP(64);
    bool good = cry_base64_decode(header(d, "X-Shopify-Hmac-Sha256"), &signature, NULL) == ERR_OK &&
                signature.n == CRY_HASH;
    bool found = good && signed_by_store(d, buf_str(&signature));
    enum err e = found ? ERR_OK : hook_load(&d->h, d->shop, true);

    if (!found && e == ERR_OK)
        found = good && signed_by_store(d, buf_str(&signature));
    if (e != ERR_OK)
        refuse_store(d, e);
    else if (!found)
        refuse_signature(d);
    buf_free(&signature);
    return found;
}

/* ---- step 4: what it is ---- */

static bool parse(struct delivery *d)
{
    if (js_parse(d->h.req->body, d->h.req->body.n, &d->doc, &d->h.info) == ERR_OK &&
        shp_body_fits(d->topic, d->doc.root))
        return true;
    d->h.result = "malformed";
    srv_problem(d->h.res, 400, "Bad Request", "%s",
                d->doc.root ? "The body is not one JSON object of the topic in X-Shopify-Topic."
                            : d->h.info.text);
    return false;
}

/* ---- steps 5 and 6: decide and store ---- */

/* One try, with the store as it is known now. */
static enum err store(struct delivery *d, struct job_event *e, const struct order *o,
                      enum job_result *result, enum cat_reason *reason)
{
    const struct itk_origin from = {shp_topic_text(d->topic), header(d, "X-Shopify-Webhook-Id"),
                                    header(d, "X-Shopify-Triggered-At")};

    if (d->topic == SHP_ORDERS_EDITED)
        return itk_ask(d->h.req->redis, d->h.store, &from, e, result, reason, &d->h.info);
    if (d->topic != SHP_ORDERS_DELETE)
        return itk_take(d->h.req->redis, d->h.store, &from, o, e, result, reason, &d->h.info);
    e->store_key = d->h.store->key;
    e->store_version = d->h.store->version;
    return job_delete(d->h.req->redis, e, result, reason, &d->h.info);
}

/* Stores E; with a store whose settings have moved on it verifies and decides again. O is NULL for
 * a record without its order. */
static void ingest(struct delivery *d, struct job_event *e, const struct order *o)
{
    enum job_result result = JOB_STALE_SETTINGS;
    enum cat_reason reason = CAT_REASON_COUNT;

    for (int try = 0; try < HOOK_TRIES && result == JOB_STALE_SETTINGS; try++) {
        if (try > 0) {
            enum err x = hook_renew(&d->h, d->shop);

            if (x != ERR_OK)
                refuse_store(d, x);
            if (x != ERR_OK || !verify(d))
                return;
        }
        if (store(d, e, o, &result, &reason) != ERR_OK) {
            hook_unavailable(&d->h);
            return;
        }
    }
    if (result == JOB_NO_STORE) {
        refuse_store(d, ERR_NOT_FOUND);
    } else if (result == JOB_STALE_SETTINGS) {
        (void)err_set(&d->h.info, ERR_CONFLICT, "The store's settings are being changed.");
        hook_unavailable(&d->h);
    } else if (result == JOB_UNUSABLE && e->unusable) {
        hook_answer(&d->h, job_result_text(result), e->unusable->errors[0]);
    } else { /* a record kept for its order is not exported by itself */
        hook_answer(&d->h, job_result_text(result == JOB_KEPT ? JOB_SKIPPED : result),
                    str_of(cat_reason_code(reason)));
    }
}

/* What every event has of its delivery. */
static void name_delivery(struct delivery *d, struct job_event *e)
{
    struct str webhook = header(d, "X-Shopify-Webhook-Id");

    if (webhook.n > 0)
        e->delivery = str_of(arena_printf(d->h.req->arena, "%s\n%s\n%.*s", d->shop,
                                          shp_topic_text(d->topic), STR_FMT(webhook)));
    log_ctx_set(d->h.store->connection, d->h.store->key, e->order_key,
                arena_printf(d->h.req->arena, "%.*s", STR_FMT(webhook)));
}

static void refuse_id(struct delivery *d, const char *detail)
{
    d->h.result = "malformed";
    srv_problem(d->h.res, 400, "Bad Request", "%s", detail);
}

/* The members that an event of a record has. False after answering. */
static bool begin_event(struct delivery *d, struct job_event *e, char key[LIM_ORDER_KEY + 1])
{
    struct arena *arena = d->h.req->arena;
    struct str id = {NULL, 0};

    if (!shp_order_id(d->topic, d->doc.root, &id) ||
        job_order_key(STR("shopify"), str_of(d->shop), id, key) != ERR_OK) {
        refuse_id(d, "The body has no usable order id.");
        return false;
    }
    *e = (struct job_event){.order_key = key, .stamp = "", .name = "", .link = "", .paid_day = ""};
    e->body = d->h.req->body;
    e->link = shp_order_link(str_of(d->shop), arena_str(arena, id), arena);
    name_delivery(d, e);
    return true;
}

static void take_order(struct delivery *d, enum rul_event event)
{
    struct itk_order *in = arena_alloc(d->h.req->arena, sizeof *in);

    if (itk_read("shopify", d->shop, d->doc.root, d->h.req->body,
                 header(d, "X-Shopify-Triggered-At"), d->h.req->arena, in, &d->h.info) != ERR_OK) {
        refuse_id(d, "The body has no usable order id.");
        return;
    }
    in->event.event = event;
    name_delivery(d, &in->event);
    if (in->event.unusable)
        log_info("order_unusable", d->h.info.text, LOG_STR("name", in->order.name));
    ingest(d, &in->event, &in->order);
}

/* A refund's or a payment's own message: kept beside its order. */
static void take_record(struct delivery *d, enum rul_event event, const char *kind)
{
    char key[LIM_ORDER_KEY + 1];
    struct str id = {NULL, 0};
    struct job_event e;

    if (!begin_event(d, &e, key))
        return;
    if (!shp_record_id(d->doc.root, &id)) {
        refuse_id(d, "The body has no usable id.");
        return;
    }
    e.event = event;
    e.part = arena_printf(d->h.req->arena, "%s:%.*s", kind, STR_FMT(id));
    ingest(d, &e, NULL);
}

static void take_deletion(struct delivery *d)
{
    char key[LIM_ORDER_KEY + 1];
    struct job_event e;

    if (begin_event(d, &e, key))
        ingest(d, &e, NULL);
}

/* An edit's own message has no money in it: the order is read from the shop where that is possible;
 * else the edit is left to orders/updated. */
static void take_edit(struct delivery *d)
{
    char key[LIM_ORDER_KEY + 1];
    struct job_event e;

    if (!set_store_reads(d->h.store)) {
        hook_answer(&d->h, "ignored", STR("topic_not_handled"));
    } else if (begin_event(d, &e, key)) {
        e.event = RUL_UPDATED;
        ingest(d, &e, NULL);
    }
}

/* ---- notices about the shop or a customer ---- */

/* Tells people of it in the connection's log. */
static void take_notice(struct delivery *d, const char *level, const char *event,
                        struct str message)
{
    log_info(event, NULL, LOG_Z("store", d->h.store->key),
             LOG_Z("topic", shp_topic_text(d->topic)));
    if (trl_note(d->h.req->redis, d->h.store->connection, level, d->h.store->key, event, message,
                 &d->h.info) == ERR_OK)
        hook_answer(&d->h, "ignored", STR("logged"));
    else
        hook_unavailable(&d->h);
}

/* Names the orders, not the customer. */
static void take_data_request(struct delivery *d)
{
    struct str ids[REQUESTED];
    struct buf text = BUF_CAP(4096);
    size_t n = shp_orders_requested(d->doc.root, ids, REQUESTED);

    buf_addz(&text,
             "The shop passes on a customer's request for their data. Stored here is only what "
             "the shop sent of these orders: ");
    for (size_t i = 0; i < n && i < REQUESTED; i++)
        buf_printf(&text, "%s%.*s", i > 0 ? ", " : "", STR_FMT(ids[i]));
    if (n == 0)
        buf_addz(&text, "none");
    if (n > REQUESTED)
        buf_printf(&text, " and %zu more", n - REQUESTED);
    buf_addc(&text, '.');
    take_notice(d, "info", "data_requested", buf_str(&text));
    buf_free(&text);
}

static void take_redaction(struct delivery *d)
{
    size_t n = shp_orders_to_redact(d->doc.root, NULL, 0);
    struct str *ids = arena_array(d->h.req->arena, n, sizeof *ids);
    char key[LIM_ORDER_KEY + 1], text[200];

    n = shp_orders_to_redact(d->doc.root, ids, n);
    for (size_t i = 0; i < n; i++) {
        if (job_order_key(STR("shopify"), str_of(d->shop), ids[i], key) == ERR_OK &&
            job_redact(d->h.req->redis, key, shp_redact, &d->h.info) != ERR_OK) {
            hook_unavailable(
                &d->h); /* what is done already is not undone, and is soon done again */
            return;
        }
    }
    (void)snprintf(text, sizeof text,
                   "A buyer's data was erased at their request, from what was stored of the %zu %s "
                   "that the shop named.",
                   n, n == 1 ? "order" : "orders");
    take_notice(d, "info", "data_erased", str_of(text));
}

static void take_topic(struct delivery *d)
{
    enum rul_event event = RUL_EVENT_COUNT;

    if (shp_topic_is_order(d->topic, &event)) {
        take_order(d, event);
        return;
    }
    switch (d->topic) {
    case SHP_REFUNDS_CREATE:
        take_record(d, RUL_REFUNDED, "refund");
        return;
    case SHP_TRANSACTIONS_CREATE:
        take_record(d, RUL_TRANSACTION, "txn");
        return;
    case SHP_ORDERS_DELETE:
        take_deletion(d);
        return;
    case SHP_ORDERS_EDITED:
        take_edit(d);
        return;
    case SHP_APP_UNINSTALLED:
        take_notice(d, "error", "shop_uninstalled",
                    STR("The shop has uninstalled the app: it sends no more orders. Those it has "
                        "sent are still exported."));
        return;
    case SHP_CUSTOMERS_DATA_REQUEST:
        take_data_request(d);
        return;
    case SHP_CUSTOMERS_REDACT:
        take_redaction(d);
        return;
    case SHP_SHOP_REDACT:
        take_notice(
            d, "error", "shop_erasure",
            STR("The shop, which has uninstalled the app, asks to erase what it sent: delete "
                "the store here. What is stored of its orders then goes with its retention."));
        return;
    default:
        break;
    }
    hook_answer(&d->h, "ignored", STR("topic_not_handled"));
}

void hook_shopify(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    struct delivery d = {.h = {.env = env, .req = req, .res = res, .platform = "shopify"}};
    int64_t begun = met_now_ns();

    d.topic = shp_topic(header(&d, "X-Shopify-Topic"));
    if (!shp_shop(header(&d, "X-Shopify-Shop-Domain"), d.shop)) {
        d.h.result = "unknown_store";
        srv_problem(res, 404, "Not Found",
                    "X-Shopify-Shop-Domain is missing or is not the domain of a shop.");
    } else if (find_store(&d) && verify(&d) && parse(&d)) {
        take_topic(&d);
    }
    met_add(MET_WEBHOOKS, 1, "shopify", shp_topic_text(d.topic), d.h.result);
    met_observe_ns(MET_WEBHOOK_SECONDS, met_now_ns() - begun, "shopify");
    js_free(&d.doc);
    set_store_put(d.h.store);
}
