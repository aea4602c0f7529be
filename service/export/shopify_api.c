#include "service/export/shopify_api.h"

#include <stdio.h>

#include "service/base/limits.h"
#include "service/base/metrics.h"

#define CONNECT_MS 5000
#define TOTAL_MS 30000

#define ASK_MAX (64u << 10)
#define LINE_MAX (4u << 10)

/* How often a question that the shop has no points for is asked again, where the caller waits. */
#define THROTTLED_MAX 3

#define WHO "Shopify"

/* Points of the two questions about webhooks: 100 of them; a change. */
#define SUBSCRIPTIONS_COST 102
#define SUBSCRIBE_COST 10

struct sapi {
    struct http *http;
    struct sapi_tokens *tokens;
    char *api_url, *zones;
    sapi_permit_fn *permit;
    void *arg;
    struct sapi_points points;
    char zone_name[80]; /* of ZONE */
    struct sapi_zone zone;
    int32_t offset; /* the shop's present one: where the zone is not known */
};

static const struct sapi_points unknown = {-1, -1, -1, -1, -1};

enum err sapi_new(const struct sapi_options *o, struct sapi **out)
{
    struct sapi *s = x_alloc(sizeof(*s));
    enum err e = http_new(&s->http);

    *out = NULL;
    if (e != ERR_OK) {
        x_free(s);
        return e;
    }
    s->api_url = o->api_url && *o->api_url ? x_strdup(o->api_url) : NULL;
    s->tokens = sapi_tokens_new();
    s->zones = x_strdup(o->zones ? o->zones : "/usr/share/zoneinfo");
    s->permit = o->permit;
    s->arg = o->arg;
    s->points = unknown;
    *out = s;
    return ERR_OK;
}

void sapi_free(struct sapi *s)
{
    if (!s)
        return;
    http_free(s->http);
    sapi_tokens_free(s->tokens);
    sapi_zone_free(&s->zone);
    x_free(s->api_url);
    x_free(s->zones);
    x_free(s);
}

void sapi_until(struct sapi *s, int64_t until_ms)
{
    http_until(s->http, until_ms);
}

const struct sapi_points *sapi_points(const struct sapi *s)
{
    return &s->points;
}

void sapi_tend(struct sapi *s)
{
    sapi_tokens_tend(s->tokens, met_now_ns());
}

/* ---- what an answer means ---- */

/* Whole points: what is behind a decimal point does not count. */
static int64_t points_of(const struct js_value *cost, const char *path)
{
    struct str text, whole;
    int64_t n = -1;

    if (!js_text(js_path(cost, path), &text))
        return -1;
    whole = str_split(&text, '.');
    return str_int64(whole, &n) && n >= 0 ? n : -1;
}

static void read_points(const struct js_value *root, struct sapi_points *p)
{
    const struct js_value *cost = js_path(root, "extensions.cost");

    *p = (struct sapi_points){
        .maximum = points_of(cost, "throttleStatus.maximumAvailable"),
        .available = points_of(cost, "throttleStatus.currentlyAvailable"),
        .a_second = points_of(cost, "throttleStatus.restoreRate"),
        .requested = points_of(cost, "requestedQueryCost"),
        .actual = points_of(cost, "actualQueryCost"),
    };
}

/* How long until the points that were asked for are there. */
static int64_t wait_for(const struct sapi_points *p)
{
    int64_t missing = p->requested - p->available;

    if (p->a_second <= 0 || p->requested < 0 || p->available < 0 || missing > 1000000)
        return -1;
    return missing <= 0 ? 0 : (missing * 1000 + p->a_second - 1) / p->a_second;
}

/* One of "errors". PART: there is data beside it. False: it changes nothing. */
static bool judge_error(const struct js_value *error, bool part, struct shc_answer *out,
                        bool *too_dear)
{
    struct str code = shc_text(js_get(error, "extensions"), "code");
    struct str words = shc_text(error, "message");

    /* The app was not approved for data of customers: those members are null, as in webhooks. */
    if (part && str_eq(code, STR("ACCESS_DENIED")) && shc_contains(words, STR("not approved")))
        return false;
    out->verdict = SHC_REFUSED;
    out->denied = SHC_ALLOWED;
    if (str_eq(code, STR("THROTTLED")))
        out->verdict = SHC_LIMITED;
    else if (str_eq(code, STR("MAX_COST_EXCEEDED")))
        *too_dear = true;
    else if (str_eq(code, STR("INTERNAL_SERVER_ERROR")) || str_eq(code, STR("TIMEOUT")))
        out->verdict = SHC_DOWN;
    else if (str_eq(code, STR("ACCESS_DENIED")) || str_eq(code, STR("SHOP_INACTIVE")))
        out->verdict = SHC_DENIED;
    if (out->verdict == SHC_DENIED)
        out->denied = SHC_NO_ACCESS;
    shc_say(out, words.n > 0 ? words : STR("Shopify refused this without saying why."));
    return true;
}

/* Statuses beside 200 that mean something else here than elsewhere. */
static void judge_status(struct shc_answer *out)
{
    const struct js_value *errors = js_get(out->doc.root, "errors");

    shc_say(out, js_type(errors) == JS_TEXT ? shc_text(out->doc.root, "errors")
                                            : shc_text(js_at(errors, 0), "message"));
    if (out->status == 401)
        out->denied = SHC_NO_CONSENT;
    if (out->status == 402 || out->status == 423) { /* frozen, locked */
        out->verdict = SHC_DENIED;
        out->denied = SHC_NO_ACCESS;
    }
    if (out->status == 404) /* of the address, not of an order */
        out->verdict = SHC_DOWN;
    if (out->status == 430)
        out->verdict = SHC_LIMITED;
}

void sapi_judge(struct shc_answer *out, struct sapi_points *points, bool *too_dear)
{
    const struct js_value *errors = js_get(out->doc.root, "errors");
    bool part = js_type(js_get(out->doc.root, "data")) == JS_OBJECT;

    *too_dear = false;
    read_points(out->doc.root, points);
    if (out->status == 0)
        return;
    if (out->verdict != SHC_ANSWERED) {
        judge_status(out);
    } else if (js_type(errors) == JS_TEXT) {
        out->verdict = SHC_REFUSED;
        shc_say(out, shc_text(out->doc.root, "errors"));
    } else {
        size_t i = 0;

        while (i < js_len(errors) && !judge_error(js_at(errors, i), part, out, too_dear))
            i++;
        if (i == js_len(errors) && !part) {
            out->verdict = SHC_DOWN;
            shc_say(out, STR("Shopify's answer has no data."));
        }
    }
    if (out->verdict == SHC_LIMITED && out->wait_ms < 0)
        out->wait_ms = wait_for(points);
}

/* ---- calls ---- */

static enum err check_shop(const struct sapi *s, const struct sapi_shop *shop, struct errinfo *info)
{
    static const struct str suffix = STR_INIT(".myshopify.com");
    struct str domain = str_of(shop->domain);
    char host[LIM_STORE_ID + 1];

    if (!shp_shop(domain, host) || !str_eq(domain, str_of(host)))
        return err_set(info, ERR_SYNTAX, "\"%.*s\" is no shop's domain.",
                       STR_FMT(str_cut(domain, 64)));
    if (!s->api_url && (domain.n <= suffix.n ||
                        !str_eq((struct str){domain.p + domain.n - suffix.n, suffix.n}, suffix)))
        return err_set(info, ERR_SYNTAX,
                       "A shop is read at its own address below myshopify.com, not at %s.", host);
    return ERR_OK;
}

static void begin(struct shc_answer *out)
{
    *out = (struct shc_answer){.wait_ms = -1, .rate_micro = -1};
}

static enum err send(struct sapi *s, const char *root, struct str token, const struct buf *ask,
                     const char *kind, struct shc_answer *out, struct errinfo *info)
{
    struct buf url = BUF_CAP(LINE_MAX);
    const struct http_header headers[] = {
        {"Accept", STR("application/json")},
        {"Content-Type", STR("application/json")},
        {"X-Shopify-Access-Token", token},
    };
    struct http_request req = {.method = "POST",
                               .headers = headers,
                               .header_count = 3,
                               .body = buf_str(ask),
                               .connect_ms = CONNECT_MS,
                               .total_ms = TOTAL_MS,
                               .max_answer = LIM_SHOPIFY_ANSWER};
    enum err e = ERR_OK;

    buf_printf(&url, "%s/admin/api/" SAPI_VERSION "/graphql.json", root);
    if (buf_check(&url) != ERR_OK || buf_check(ask) != ERR_OK)
        e = err_set(info, ERR_TOO_BIG, "The question to Shopify is too long.");
    req.url = buf_z(&url);
    if (e == ERR_OK)
        e = shc_call(s->http, &req, kind, WHO, out, info);
    buf_free(&url);
    return e;
}

/* One question, and its points. */
struct question {
    const struct buf *ask;
    int64_t cost;
    const char *kind; /* the metrics' word */
};

/* It with its permit and a token, of which FRESH is told; while the shop has no points for it,
 * again. */
static enum err put(struct sapi *s, const struct sapi_shop *shop, const struct question *q,
                    bool *fresh, struct shc_answer *out, bool *too_dear, struct errinfo *info)
{
    char own[LIM_STORE_ID + 16];
    const char *root = s->api_url ? s->api_url : own;
    struct str token;
    enum err e = ERR_OK;

    (void)snprintf(own, sizeof(own), "https://%s", shop->domain);
    *too_dear = false;
    for (int i = 0; i < THROTTLED_MAX; i++) {
        int64_t wait_ms = out->wait_ms;

        shc_answer_free(out);
        if (s->permit && !s->permit(s->arg, q->cost, &s->points)) {
            out->verdict = SHC_LIMITED;
            out->wait_ms = wait_ms;
            shc_say(out, STR("Nothing more may be asked of the shop at present."));
            return ERR_OK;
        }
        e = sapi_token(s->tokens, s->http, root, shop, &token, fresh, out, info);
        if (e != ERR_OK || token.n == 0)
            return e;
        e = send(s, root, token, q->ask, q->kind, out, info);
        if (e != ERR_OK)
            return e;
        sapi_judge(out, &s->points, too_dear);
        if (out->verdict != SHC_LIMITED || !s->permit)
            break;
    }
    return e;
}

/* It as a whole. A token that the shop takes no more is asked for again, once; one that lacks
 * something is not kept, so that what was mended at the shop counts from the next call on. */
static enum err call(struct sapi *s, const struct sapi_shop *shop, const struct question *q,
                     struct shc_answer *out, bool *too_dear, struct errinfo *info)
{
    bool fresh = false, again = true;
    enum err e = ERR_OK;

    for (int i = 0; i < 2 && again; i++) {
        e = put(s, shop, q, &fresh, out, too_dear, info);
        again = e == ERR_OK && out->denied == SHC_NO_CONSENT && shop->client_id[0] && !fresh;
        if (e == ERR_OK && out->verdict == SHC_DENIED)
            sapi_token_drop(s->tokens, shop);
    }
    return e;
}

/* ---- an order ---- */

static int32_t offset_at(void *arg, int64_t t)
{
    const struct sapi *s = arg;

    return s->zone_name[0] ? sapi_zone_offset(&s->zone, t, s->offset) : s->offset;
}

/* The shop's clock, kept for its next order. */
static void learn_zone(struct sapi *s, const struct js_value *shop)
{
    struct str name = shp_shop_zone(shop);

    s->offset = shp_shop_offset(shop);
    if (str_eq(name, str_of(s->zone_name)))
        return;
    sapi_zone_free(&s->zone);
    s->zone_name[0] = '\0';
    if (sapi_zone_load(s->zones, name, &s->zone) == ERR_OK)
        (void)snprintf(s->zone_name, sizeof(s->zone_name), "%.*s", STR_FMT(name));
}

/* What of the answer's data the gatherer makes. */
static enum err take(struct shp_gather *g, struct shc_answer *out)
{
    struct errinfo why = {0};
    enum err e = shp_gather_take(g, &out->doc, out->http.body.n, &why);

    if (e == ERR_OK)
        return ERR_OK;
    out->verdict = e == ERR_NOT_FOUND ? SHC_NOT_FOUND : e == ERR_TOO_BIG ? SHC_REFUSED : SHC_DOWN;
    shc_say(out, str_of(why.text));
    return e;
}

enum err sapi_order(struct sapi *s, const struct sapi_shop *shop, struct str order_id,
                    struct buf *body, struct shc_answer *out, struct errinfo *info)
{
    struct shp_gather *g = NULL;
    struct buf ask = BUF_CAP(ASK_MAX);
    bool too_dear = false;
    enum err e = check_shop(s, shop, info);

    begin(out);
    if (e == ERR_OK)
        e = shp_gather_new(order_id, &g, info);
    while (e == ERR_OK && shp_gather_ask(g, &ask)) {
        const struct question q = {&ask, shp_gather_cost(g), "shopify_order"};

        e = call(s, shop, &q, out, &too_dear, info);
        buf_reset(&ask);
        if (e == ERR_OK && too_dear && shp_gather_smaller(g))
            continue;
        if (e != ERR_OK || out->verdict != SHC_ANSWERED || take(g, out) != ERR_OK)
            goto out;
    }
    if (e == ERR_OK) {
        learn_zone(s, shp_gather_shop(g));
        shp_gather_write(g, offset_at, s, body);
        if (buf_check(body) != ERR_OK) {
            out->verdict = SHC_REFUSED;
            shc_say(out, STR("The order is larger than what is read of one order."));
        }
    }
out:
    shp_gather_free(g);
    buf_free(&ask);
    return e;
}

/* ---- lists ---- */

/* One question by itself: ASK into OUT. */
static enum err ask_once(struct sapi *s, const struct sapi_shop *shop, const struct buf *ask,
                         int64_t cost, const char *kind, struct shc_answer *out,
                         struct errinfo *info)
{
    const struct question q = {ask, cost, kind};
    bool too_dear = false;

    return call(s, shop, &q, out, &too_dear, info);
}

static void unreadable(struct shc_answer *out, const char *why)
{
    out->verdict = SHC_DOWN;
    shc_say(out, str_of(why));
}

enum err sapi_orders(struct sapi *s, const struct sapi_shop *shop, struct str after,
                     struct str before, struct str page, struct sapi_page *list,
                     struct shc_answer *out, struct errinfo *info)
{
    struct buf ask = BUF_CAP(ASK_MAX);
    struct errinfo why = {0};
    enum err e = check_shop(s, shop, info);

    begin(out);
    list->count = 0;
    list->next = STR("");
    if (e == ERR_OK && !shp_list_ask(after, before, page, &ask))
        e = err_set(info, ERR_SYNTAX, "The times of a search for orders are none.");
    if (e == ERR_OK)
        e = ask_once(s, shop, &ask, SHP_LIST_COST, "shopify_orders", out, info);
    if (e == ERR_OK && out->verdict == SHC_ANSWERED) {
        learn_zone(s, js_path(out->doc.root, "data.shop"));
        if (shp_list_take(js_get(out->doc.root, "data"), offset_at, s, list->orders, &list->count,
                          &list->next, &why) != ERR_OK)
            unreadable(out, why.text);
    }
    buf_free(&ask);
    return e;
}

/* ---- webhooks ---- */

static const char ask_subscriptions[] =
    "query Webhooks{webhookSubscriptions(first:100){nodes{topic uri format}}}";

static const char ask_subscribe[] =
    "mutation Webhook($topic:WebhookSubscriptionTopic!,$webhook:WebhookSubscriptionInput!){"
    "webhookSubscriptionCreate(topic:$topic,webhookSubscription:$webhook){"
    "webhookSubscription{id}userErrors{field message}}}";

enum err sapi_subscriptions(struct sapi *s, const struct sapi_shop *shop,
                            struct shp_subscription list[SAPI_SUBSCRIPTIONS], size_t *n,
                            struct shc_answer *out, struct errinfo *info)
{
    struct buf ask = BUF_CAP(ASK_MAX);
    struct js_out w;
    enum err e = check_shop(s, shop, info);
    const struct js_value *nodes = NULL;

    begin(out);
    *n = 0;
    jw_init(&w, &ask);
    jw_begin_object(&w);
    jw_kz(&w, "query", ask_subscriptions);
    jw_end_object(&w);
    if (e == ERR_OK)
        e = ask_once(s, shop, &ask, SUBSCRIPTIONS_COST, "shopify_webhooks", out, info);
    buf_free(&ask);
    if (e != ERR_OK || out->verdict != SHC_ANSWERED)
        return e;
    nodes = js_path(out->doc.root, "data.webhookSubscriptions.nodes");
    if (js_type(nodes) != JS_ARRAY)
        unreadable(out, "Shopify's answer has no list of webhooks.");
    for (size_t i = 0; i < js_len(nodes) && *n < SAPI_SUBSCRIPTIONS; i++) {
        const struct js_value *v = js_at(nodes, i);

        if (str_eq(shc_text(v, "format"), STR("JSON"))) /* no other is read here */
            list[(*n)++] = (struct shp_subscription){shc_text(v, "topic"), shc_text(v, "uri")};
    }
    return e;
}

enum err sapi_subscribe(struct sapi *s, const struct sapi_shop *shop, enum shp_topic topic,
                        const char *uri, bool *fresh, struct shc_answer *out, struct errinfo *info)
{
    struct buf ask = BUF_CAP(ASK_MAX);
    const struct js_value *made;
    struct js_out w;
    struct str words;
    char name[64];
    enum err e = check_shop(s, shop, info);

    begin(out);
    *fresh = false;
    shp_topic_name(topic, name);
    jw_init(&w, &ask);
    jw_begin_object(&w);
    jw_kz(&w, "query", ask_subscribe);
    jw_key(&w, "variables");
    jw_begin_object(&w);
    jw_kz(&w, "topic", name);
    jw_key(&w, "webhook");
    jw_begin_object(&w);
    jw_kz(&w, "uri", uri);
    jw_kz(&w, "format", "JSON");
    jw_end_object(&w);
    jw_end_object(&w);
    jw_end_object(&w);
    if (e == ERR_OK)
        e = ask_once(s, shop, &ask, SUBSCRIBE_COST, "shopify_webhooks", out, info);
    buf_free(&ask);
    if (e != ERR_OK || out->verdict != SHC_ANSWERED)
        return e;
    made = js_get(js_path(out->doc.root, "data"), "webhookSubscriptionCreate");
    words = shc_text(js_at(js_get(made, "userErrors"), 0), "message");
    if (words.n == 0 && js_is_null(js_get(made, "webhookSubscription"))) /* what was let pass */
        words = shc_text(js_at(js_get(out->doc.root, "errors"), 0), "message");
    *fresh = words.n == 0;
    if (words.n > 0 && !shc_contains(words, STR("already been taken"))) {
        out->verdict = SHC_REFUSED;
        shc_say(out, words);
    } else if (*fresh && js_is_null(js_get(made, "webhookSubscription"))) {
        unreadable(out, "Shopify's answer has no webhook.");
    }
    return e;
}
