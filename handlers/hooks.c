#include "handlers/handlers.h"

#include <stdio.h>

#include "queue/intake.h"
#include "queue/trail.h"
#include "service/base/json.h"
#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/sync/shopify.h"

/* Times that settings may change while one delivery is being decided. */
#define SETTINGS_TRIES 3

#define RETRY_S 2

/* Orders that the log names of one customer's request. */
#define REQUESTED 100

/* One log line an hour a store for failed signatures. Stores share a slot when their hashes agree:
 * then the line of one stands for both. */
#define ALARMS 256
#define ALARM_MS 3600000

/* One delivery on its way through. */
struct hook {
    struct srv_env *env;
    struct srv_req *req;
    struct srv_res *res;
    struct errinfo info;
    enum shp_topic topic;
    char shop[LIM_STORE_ID + 1];
    struct set_store *store;
    struct js_doc doc;
    const char *result; /* for the metric */
};

/* Shopify's headers come with and without "X-". NAME is the form with it. */
static struct str header(const struct hook *h, const char *name)
{
    struct str value = srv_header(h->req, name);

    return value.p ? value : srv_header(h->req, name + 2);
}

static void answer(struct hook *h, const char *result, struct str reason)
{
    struct js_out w;

    h->result = result;
    jw_init(&w, &h->res->body);
    jw_begin_object(&w);
    jw_kz(&w, "result", result);
    jw_kstr(&w, "reason", reason);
    jw_end_object(&w);
}

static void unavailable(struct hook *h)
{
    h->result = "unavailable";
    h->res->retry_after_s = RETRY_S;
    srv_problem(h->res, 503, "Service Unavailable", "The event could not be stored: %s",
                h->info.text);
}

/* ---- step 2: whose it is ---- */

/* The store anew, or from the cache; the one read before goes. A deleted one is not found. */
static enum err load(struct hook *h, bool refresh)
{
    struct set_store *found = NULL;
    enum err e =
        set_store_get(h->env->stores, h->req->redis, "shopify", h->shop, refresh, &found, &h->info);

    set_store_put(h->store);
    h->store = found;
    return e == ERR_OK && found->deleted ? ERR_NOT_FOUND : e;
}

static void refuse_store(struct hook *h, enum err e)
{
    if (e != ERR_NOT_FOUND) {
        unavailable(h);
        return;
    }
    h->result = "unknown_store";
    srv_problem(h->res, 404, "Not Found", "The shop \"%s\" is not set up here.", h->shop);
}

/* Another replica may have set the store up just now, so one that is not known is read once
 * more. */
static bool find_store(struct hook *h)
{
    enum err e = load(h, false);

    if (e == ERR_NOT_FOUND)
        e = load(h, true);
    if (e != ERR_OK)
        refuse_store(h, e);
    return e == ERR_OK;
}

/* ---- step 3: who sent it ---- */

/* Whether SIGNATURE was made with one of the store's secrets. Each is tried, found or not. */
static bool signed_by_store(const struct hook *h, struct str signature)
{
    const enum set_secret kinds[] = {SET_WEBHOOK, SET_WEBHOOK_PREVIOUS, SET_WEBHOOK_ADMIN};
    uint8_t mac[CRY_HASH];
    int matches = 0;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct str secret = h->store->secret[kinds[i]];

        if (secret.n == 0)
            continue;
        cry_hmac_sha256(secret, h->req->body, mac);
        matches += cry_equal((struct str){(const char *)mac, sizeof mac}, signature);
    }
    return matches > 0;
}

static void refuse_signature(struct hook *h)
{
    static struct log_rate alarms[ALARMS];
    uint8_t hash[CRY_HASH];
    int64_t dropped = 0;

    cry_sha256(str_of(h->store->key), hash);
    if (log_rate_ok(&alarms[hash[0]], ALARM_MS, &dropped))
        log_warn("bad_signature",
                 "A webhook was refused: it is signed with none of the store's secrets.",
                 LOG_Z("store", h->store->key), LOG_INT("more_since", dropped));
    h->result = "bad_signature";
    h->res->extra = "WWW-Authenticate: X-Shopify-Hmac-Sha256\r\n";
    srv_problem(
        h->res, 401, "Unauthorized",
        "The signature in X-Shopify-Hmac-Sha256 was made with none of this store's secrets.");
}

/* A signature that does not fit is tried again with the store as Redis has it now: its secrets may
 * have been changed a moment ago. */
static bool verify(struct hook *h)
{
    struct buf signature = BUF_CAP(64);
    bool good = cry_base64_decode(header(h, "X-Shopify-Hmac-Sha256"), &signature, NULL) == ERR_OK &&
                signature.n == CRY_HASH;
    bool found = good && signed_by_store(h, buf_str(&signature));
    enum err e = found ? ERR_OK : load(h, true);

    if (!found && e == ERR_OK)
        found = good && signed_by_store(h, buf_str(&signature));
    if (e != ERR_OK)
        refuse_store(h, e);
    else if (!found)
        refuse_signature(h);
    buf_free(&signature);
    return found;
}

/* ---- step 4: what it is ---- */

static bool parse(struct hook *h)
{
    if (js_parse(h->req->body, h->req->body.n, &h->doc, &h->info) == ERR_OK &&
        shp_body_fits(h->topic, h->doc.root))
        return true;
    h->result = "malformed";
    srv_problem(h->res, 400, "Bad Request", "%s",
                h->doc.root ? "The body is not one JSON object of the topic in X-Shopify-Topic."
                            : h->info.text);
    return false;
}

/* ---- steps 5 and 6: decide and store ---- */

/* One try, with the store as it is known now. */
static enum err store(struct hook *h, struct job_event *e, const struct order *o,
                      enum job_result *result, enum cat_reason *reason)
{
    const struct itk_origin from = {shp_topic_text(h->topic), header(h, "X-Shopify-Webhook-Id"),
                                    header(h, "X-Shopify-Triggered-At")};

    if (h->topic != SHP_ORDERS_DELETE)
        return itk_take(h->req->redis, h->store, &from, o, e, result, reason, &h->info);
    e->store_key = h->store->key;
    e->store_version = h->store->version;
    return job_delete(h->req->redis, e, result, reason, &h->info);
}

/* Stores E; with a store whose settings have moved on it verifies and decides again. O is NULL for
 * a record without its order. */
static void ingest(struct hook *h, struct job_event *e, const struct order *o)
{
    enum job_result result = JOB_STALE_SETTINGS;
    enum cat_reason reason = CAT_REASON_COUNT;

    for (int try = 0; try < SETTINGS_TRIES && result == JOB_STALE_SETTINGS; try++) {
        struct set_store *fresh = NULL;
        enum err x = ERR_OK;

        if (try > 0) {
            x = set_store_renew(h->env->stores, h->req->redis, "shopify", h->shop,
                                h->store->version, &fresh, &h->info);
            set_store_put(h->store);
            h->store = fresh;
            if (x == ERR_OK && fresh->deleted)
                x = ERR_NOT_FOUND;
            if (x != ERR_OK)
                refuse_store(h, x);
            if (x != ERR_OK || !verify(h))
                return;
        }
        if (store(h, e, o, &result, &reason) != ERR_OK) {
            unavailable(h);
            return;
        }
    }
    if (result == JOB_NO_STORE) {
        refuse_store(h, ERR_NOT_FOUND);
    } else if (result == JOB_STALE_SETTINGS) {
        (void)err_set(&h->info, ERR_CONFLICT, "The store's settings are being changed.");
        unavailable(h);
    } else if (result == JOB_UNUSABLE && e->unusable) {
        answer(h, job_result_text(result), e->unusable->errors[0]);
    } else { /* a record kept for its order is not exported by itself */
        answer(h, job_result_text(result == JOB_KEPT ? JOB_SKIPPED : result),
               str_of(cat_reason_code(reason)));
    }
}

/* What every event has of its delivery. */
static void name_delivery(struct hook *h, struct job_event *e)
{
    struct str webhook = header(h, "X-Shopify-Webhook-Id");

    if (webhook.n > 0)
        e->delivery = str_of(arena_printf(h->req->arena, "%s\n%s\n%.*s", h->shop,
                                          shp_topic_text(h->topic), STR_FMT(webhook)));
    log_ctx_set(h->store->connection, h->store->key, e->order_key,
                arena_printf(h->req->arena, "%.*s", STR_FMT(webhook)));
}

static void refuse_id(struct hook *h, const char *detail)
{
    h->result = "malformed";
    srv_problem(h->res, 400, "Bad Request", "%s", detail);
}

/* The members that an event of a record has. False after answering. */
static bool begin_event(struct hook *h, struct job_event *e, char key[LIM_ORDER_KEY + 1])
{
    struct arena *arena = h->req->arena;
    struct str id = {NULL, 0};

    if (!shp_order_id(h->topic, h->doc.root, &id) ||
        job_order_key(STR("shopify"), str_of(h->shop), id, key) != ERR_OK) {
        refuse_id(h, "The body has no usable order id.");
        return false;
    }
    *e = (struct job_event){.order_key = key, .stamp = "", .name = "", .link = "", .paid_day = ""};
    e->body = h->req->body;
    e->link = shp_order_link(str_of(h->shop), arena_str(arena, id), arena);
    name_delivery(h, e);
    return true;
}

static void take_order(struct hook *h, enum rul_event event)
{
    struct itk_order *in = arena_alloc(h->req->arena, sizeof *in);

    if (itk_read("shopify", h->shop, h->doc.root, h->req->body, header(h, "X-Shopify-Triggered-At"),
                 h->req->arena, in, &h->info) != ERR_OK) {
        refuse_id(h, "The body has no usable order id.");
        return;
    }
    in->event.event = event;
    name_delivery(h, &in->event);
    if (in->event.unusable)
        log_info("order_unusable", h->info.text, LOG_STR("name", in->order.name));
    ingest(h, &in->event, &in->order);
}

/* A refund's or a payment's own message: kept beside its order. */
static void take_record(struct hook *h, enum rul_event event, const char *kind)
{
    char key[LIM_ORDER_KEY + 1];
    struct str id = {NULL, 0};
    struct job_event e;

    if (!begin_event(h, &e, key))
        return;
    if (!shp_record_id(h->doc.root, &id)) {
        refuse_id(h, "The body has no usable id.");
        return;
    }
    e.event = event;
    e.part = arena_printf(h->req->arena, "%s:%.*s", kind, STR_FMT(id));
    ingest(h, &e, NULL);
}

static void take_deletion(struct hook *h)
{
    char key[LIM_ORDER_KEY + 1];
    struct job_event e;

    if (begin_event(h, &e, key))
        ingest(h, &e, NULL);
}

/* ---- notices about the shop or a customer ---- */

/* Tells people of it in the connection's log. */
static void take_notice(struct hook *h, const char *level, const char *event, struct str message)
{
    log_info(event, NULL, LOG_Z("store", h->store->key), LOG_Z("topic", shp_topic_text(h->topic)));
    if (trl_note(h->req->redis, h->store->connection, level, h->store->key, event, message,
                 &h->info) == ERR_OK)
        answer(h, "ignored", STR("logged"));
    else
        unavailable(h);
}

/* Names the orders, not the customer. */
static void take_data_request(struct hook *h)
{
    struct str ids[REQUESTED];
    struct buf text = BUF_CAP(4096);
    size_t n = shp_orders_requested(h->doc.root, ids, REQUESTED);

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
    take_notice(h, "info", "data_requested", buf_str(&text));
    buf_free(&text);
}

static void take_redaction(struct hook *h)
{
    size_t n = shp_orders_to_redact(h->doc.root, NULL, 0);
    struct str *ids = arena_array(h->req->arena, n, sizeof *ids);
    char key[LIM_ORDER_KEY + 1], text[200];

    n = shp_orders_to_redact(h->doc.root, ids, n);
    for (size_t i = 0; i < n; i++) {
        if (job_order_key(STR("shopify"), str_of(h->shop), ids[i], key) == ERR_OK &&
            job_redact(h->req->redis, key, shp_redact, &h->info) != ERR_OK) {
            unavailable(h); /* what is done already is not undone, and is soon done again */
            return;
        }
    }
    (void)snprintf(text, sizeof text,
                   "A buyer's data was erased at their request, from what was stored of the %zu %s "
                   "that the shop named.",
                   n, n == 1 ? "order" : "orders");
    take_notice(h, "info", "data_erased", str_of(text));
}

static void take_topic(struct hook *h)
{
    enum rul_event event = RUL_EVENT_COUNT;

    if (shp_topic_is_order(h->topic, &event)) {
        take_order(h, event);
        return;
    }
    switch (h->topic) {
    case SHP_REFUNDS_CREATE:
        take_record(h, RUL_REFUNDED, "refund");
        return;
    case SHP_TRANSACTIONS_CREATE:
        take_record(h, RUL_TRANSACTION, "txn");
        return;
    case SHP_ORDERS_DELETE:
        take_deletion(h);
        return;
    case SHP_APP_UNINSTALLED:
        take_notice(h, "error", "shop_uninstalled",
                    STR("The shop has uninstalled the app: it sends no more orders. Those it has "
                        "sent are still exported."));
        return;
    case SHP_CUSTOMERS_DATA_REQUEST:
        take_data_request(h);
        return;
    case SHP_CUSTOMERS_REDACT:
        take_redaction(h);
        return;
    case SHP_SHOP_REDACT:
        take_notice(
            h, "error", "shop_erasure",
            STR("The shop, which has uninstalled the app, asks to erase what it sent: delete "
                "the store here. What is stored of its orders then goes with its retention."));
        return;
    default:
        break;
    }
    answer(h, "ignored", STR("topic_not_handled"));
}

void hook_shopify(struct srv_env *env, struct srv_req *req, struct srv_res *res)
{
    struct hook h = {.env = env, .req = req, .res = res};
    int64_t begun = met_now_ns();

    h.topic = shp_topic(header(&h, "X-Shopify-Topic"));
    if (!shp_shop(header(&h, "X-Shopify-Shop-Domain"), h.shop)) {
        h.result = "unknown_store";
        srv_problem(res, 404, "Not Found",
                    "X-Shopify-Shop-Domain is missing or is not the domain of a shop.");
    } else if (find_store(&h) && verify(&h) && parse(&h)) {
        take_topic(&h);
    }
    met_add(MET_WEBHOOKS, 1, "shopify", shp_topic_text(h.topic), h.result);
    met_observe_ns(MET_WEBHOOK_SECONDS, met_now_ns() - begun, "shopify");
    js_free(&h.doc);
    set_store_put(h.store);
}
