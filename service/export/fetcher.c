#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "queue/trail.h"
#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/export/fetcher_parts.h"

#define REDIS_WAIT_MS 5000
#define TELL_PAUSE_MS 200

/* A shop that is away is asked again after 5 s, doubled with each failure up to 5 min, less up to
 * half of it by chance. */
#define AWAY_MS 5000

/* A secret that was entered goes to a worker as a task, which takes a moment; one that is not here
 * after so many seconds could not be opened. */
#define ON_ITS_WAY_MS 1000
#define ON_ITS_WAY_S 60
#define AWAY_MAX_MS 300000
/* What somebody has to mend is tried again all the same: it may have been mended on the other
 * side. A new token lets the lane go at once. */
#define DENIED_MS 900000

static const struct shop *const shops[] = {&ftc_amazon, &ftc_shopify};

enum err ftc_new(const struct ftc_options *o, struct rds_pool *redis, struct set_cache *stores,
                 struct ftc **out, struct errinfo *info)
{
    struct ftc *f = x_alloc(sizeof(*f));

    f->redis = redis;
    f->stores = stores;
    f->master = o->master;
    f->lease_ms = o->lease_ms;
    f->reconcile_ms = o->reconcile_ms;
    f->max_attempts = o->max_attempts;
    f->stopping = o->stopping;
    const struct sapi_options shopify = {
        .api_url = o->shopify_url, .permit = ftc_shopify_permit, .arg = f};
    enum err e = aapi_new(&o->amazon, &f->amazon);

    if (e == ERR_OK)
        e = sapi_new(&shopify, &f->shopify);
    if (e != ERR_OK) {
        ftc_free(f);
        return err_set(info, e, "The clients of shops cannot be made.");
    }
    *out = f;
    return ERR_OK;
}

void ftc_free(struct ftc *f)
{
    if (!f)
        return;
    aapi_free(f->amazon);
    sapi_free(f->shopify);
    x_free(f);
}

void ftc_tend(struct ftc *f)
{
    sapi_tend(f->shopify);
}

void ftc_page_free(struct read_page *p)
{
    for (size_t i = 0; p->docs && i < p->count; i++)
        js_free(&p->docs[i]);
    shc_answer_free(&p->answer);
    arena_free(&p->arena);
    *p = (struct read_page){0};
}

/* ---- the lane ---- */

static void hold(struct reading *w, int64_t ms, bool logged, struct str why)
{
    w->hold_ms = ms;
    w->logged = logged;
    (void)snprintf(w->why, sizeof(w->why), "%.*s", STR_FMT(str_cut(why, sizeof(w->why) - 1)));
}

static int64_t away_ms(const struct reading *w)
{
    int64_t ms = AWAY_MS;
    uint32_t dice = 0;

    /* A shop that gave something under this lease is not away. */
    for (int64_t i = 0; w->report_count == 0 && i < w->lease->failures && ms < AWAY_MAX_MS; i++)
        ms *= 2;
    if (ms > AWAY_MAX_MS)
        ms = AWAY_MAX_MS;
    cry_random(&dice, sizeof(dice));
    return ms - dice % (ms / 2);
}

enum read_next ftc_no_redis(struct reading *w, const struct errinfo *info)
{
    log_warn("fetch_not_stored", "Redis did not take what a shop gave; it is read again.",
             LOG_Z("store", w->lease->store), LOG_Z("error", info->text));
    hold(w, AWAY_MS, false, STR("Redis did not take what the shop gave."));
    return READ_STOP;
}

enum read_next ftc_permit(struct reading *w, const char *kind, int64_t cost)
{
    enum fet_permit permit = FET_LOST;
    struct errinfo info = {0};
    enum err e = fet_permit(w->r, w->lease, w->f->lease_ms, kind, cost, &w->said, &permit,
                            &w->wait_ms, &info);

    if (e != ERR_OK)
        return ftc_no_redis(w, &info);
    w->said = (struct fet_said){0};
    w->lost = permit == FET_LOST;
    /* Whatever is asked now, there is time to tell what came of it. */
    aapi_until(w->f->amazon, w->lease->until_ms - w->f->lease_ms / 4);
    sapi_until(w->f->shopify, w->lease->until_ms - w->f->lease_ms / 4);
    return permit == FET_GO ? READ_GO : READ_STOP;
}

/* What somebody can do about a refusal; shops only say what they refuse. "": the message has it. */
static const char *advice(const struct reading *w, enum shc_denied denied)
{
    bool amazon = strcmp(w->store->platform, "amazon") == 0;
    bool app = w->opens.client_id[0] != '\0';

    switch (denied) {
    case SHC_ALLOWED:
        break;
    case SHC_NO_CLIENT:
        return amazon ? "See LH_AMAZON_CLIENT_ID and LH_AMAZON_CLIENT_SECRET of the workers." : "";
    case SHC_NO_CONSENT:
        return amazon ? "Enter a new secrets.refresh_token of the seller."
               : app  ? "See whether the app is still installed on the shop."
                      : "Enter a new secrets.api_token, or the app's secrets.api_client_id and "
                        "secrets.api_client_secret.";
    case SHC_NO_ACCESS:
        return amazon ? "See whether settings.region is the seller's, and the app's roles."
                      : "See which scopes the app has, and whether the shop is open.";
    }
    return "";
}

static void deny(struct reading *w, const struct shc_answer *a)
{
    struct str said = a->message;
    const char *end = said.n > 0 && said.p[said.n - 1] != '.' ? "." : "";

    w->denied = true;
    met_add(MET_ALERTS, 1, "shop_refused", NULL, NULL);
    struct str why =
        str_of(arena_printf(&w->arena, "%.*s%s %s", STR_FMT(said), end, advice(w, a->denied)));
    hold(w, DENIED_MS, true, str_trim(why));
}

enum read_next ftc_judge(struct reading *w, const char *kind, const struct shc_answer *a)
{
    if (a->rate_micro > 0) {
        w->said.kind = kind;
        (void)snprintf(w->said.rate, sizeof(w->said.rate), "%lld.%06lld",
                       (long long)(a->rate_micro / 1000000), (long long)(a->rate_micro % 1000000));
    }
    switch (a->verdict) {
    case SHC_ANSWERED:
        return READ_GO;
    case SHC_NOT_FOUND:
        return READ_NONE;
    case SHC_REFUSED:
        (void)snprintf(w->why, sizeof(w->why), "%.*s", STR_FMT(a->message));
        return READ_REFUSED;
    case SHC_LIMITED:
        w->said.kind = kind;
        (void)snprintf(w->said.left, sizeof(w->said.left), "0");
        hold(w, a->wait_ms > 0 ? a->wait_ms : away_ms(w), false,
             STR("The shop takes no more calls for the moment."));
        return READ_STOP;
    case SHC_DENIED:
        deny(w, a);
        return READ_STOP;
    case SHC_DOWN:
        break;
    }
    w->away = true;
    hold(w, away_ms(w), true, a->message);
    return READ_STOP;
}

void ftc_report(struct reading *w, struct fet_report report)
{
    w->reports[w->report_count++] = report;
}

void ftc_note(struct reading *w, const char *level, const char *event, const char *fmt, ...)
{
    char text[1024];
    struct errinfo info = {0};
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (trl_note(w->r, w->store->connection, level, w->store->key, event, str_of(text), &info) !=
        ERR_OK)
        log_warn("note_lost", info.text, LOG_Z("store", w->store->key), LOG_Z("event", event));
}

/* ---- orders ---- */

/* As an event of the queue; counts what became of it. */
static enum read_next ingest(struct reading *w, struct job_event *e, const struct order *o,
                             const char *topic)
{
    const struct itk_origin from = {topic, {NULL, 0}, {NULL, 0}};
    enum job_result result = JOB_NO_STORE;
    enum cat_reason reason = CAT_REASON_COUNT;
    struct errinfo info = {0};
    enum err x =
        itk_take_settled(w->r, w->f->stores, &w->store, &from, o, e, &result, &reason, &info);

    if (x == ERR_NOT_FOUND) {
        w->lost = true; /* nothing of the store is read any more */
        return READ_STOP;
    }
    if (x != ERR_OK)
        return ftc_no_redis(w, &info);
    met_add(MET_FETCHES, 1, w->shop->platform, topic, job_result_text(result));
    log_debug("order_fetched", NULL, LOG_Z("order", e->order_key), LOG_Z("topic", topic),
              LOG_Z("result", job_result_text(result)));
    return READ_GO;
}

enum read_next ftc_take(struct reading *w, const struct read_order *order, const char *topic,
                        struct str wanted, enum read_how how)
{
    struct arena arena = {0};
    struct itk_order *in = arena_alloc(&arena, sizeof(*in));
    struct errinfo info = {0};
    enum read_next next = READ_REFUSED;
    enum err x = itk_read(w->shop->platform, w->store->id, order->root, order->body,
                          (struct str){NULL, 0}, &arena, in, &info);

    if (x != ERR_OK) {
        (void)snprintf(w->why, sizeof(w->why), "What the shop gave cannot be read: %s", info.text);
        log_error("order_unreadable", w->why, LOG_Z("store", w->store->key));
    } else if (wanted.n > 0 && !str_eq(in->order.id, wanted)) {
        (void)snprintf(w->why, sizeof(w->why), "The shop gave another order than was asked for.");
    } else if (how == READ_PARTS && in->event.unusable) {
        (void)snprintf(w->why, sizeof(w->why), "%.*s", STR_FMT(in->sentence));
    } else {
        in->event.event = RUL_SEEN;
        in->event.later = how == READ_LATER;
        in->event.fuller = how == READ_WHOLE || how == READ_PARTS;
        next = ingest(w, &in->event, &in->order, topic);
    }
    arena_free(&arena);
    return next;
}

/* An order that the shop does not give: a row on the failed list if it is known here, since
 * somebody or something asked for it. */
static enum read_next park(struct reading *w, const struct fet_item *item, const char *row,
                           struct str sentence)
{
    struct job_failure failure = {
        .failed_export = "Sales invoice", .errors = &sentence, .catalogue = &row, .error_count = 1};
    struct job_event e = {.stamp = "", .part = "", .name = "", .link = "", .paid_day = ""};
    const struct order nothing = {0};
    char key[LIM_ORDER_KEY + 1];
    struct errinfo info = {0};
    struct rds_reply *name = NULL;
    enum read_next next = READ_GO;

    if (job_order_key(str_of(w->shop->platform), str_of(w->store->id), item->id, key) != ERR_OK)
        return READ_GO;
    struct str record = str_of(arena_printf(&w->arena, RDS_PREFIX "order:%s", key));
    struct str argv[] = {STR("HMGET"), record, STR("name"), STR("on")};
    if (rds_call(w->r, argv, 4, &name, &info) != ERR_OK)
        return ftc_no_redis(w, &info);
    e.order_key = key;
    e.event = RUL_SEEN;
    e.unusable = &failure;
    failure.exported_item = rds_text(rds_at(name, 0)).n > 0 ? rds_text(rds_at(name, 0)) : item->id;
    if (rds_type(rds_at(name, 1)) != RDS_NIL)
        next = ingest(w, &e, &nothing, "fetch");
    else
        ftc_note(w, "error", "order_not_fetched", "Order %.*s: %.*s", STR_FMT(item->id),
                 STR_FMT(sentence));
    rds_free(name);
    return next;
}

/* Somebody wants it in Xero whatever the rules. */
static void export_by_hand(struct reading *w, const struct fet_item *item)
{
    struct str who = item->state, what = str_split(&who, ':');
    bool again = str_eq(what, STR(FET_EXPORT_AGAIN));
    char key[LIM_ORDER_KEY + 1], connection[LIM_CONN_NAME + 1];
    struct errinfo info = {0};

    if (who.n == 0 || (!again && !str_eq(what, STR(FET_EXPORT))))
        return;
    enum err e = job_order_key(str_of(w->shop->platform), str_of(w->store->id), item->id, key);
    if (e == ERR_OK)
        e = job_export(w->r, key, again, arena_str(&w->arena, who).p, connection, &info);
    if (e == ERR_EXISTS && !again) /* the rules wanted it too */
        e = ERR_OK;
    if (e != ERR_OK)
        ftc_note(w, "error", "order_not_exported", "Order %.*s was read from the shop: %s",
                 STR_FMT(item->id), info.text);
}

/* What put an order on the lane: the topic of a pass, which may wait, or "fetch"; HOW it is
 * wanted. */
static const char *topic_of(const struct fet_item *item, enum read_how *how)
{
    static const char *const passes[] = {"reconciliation", "backfill"};

    *how = READ_LATER;
    for (size_t i = 0; i < 2; i++) {
        if (str_eq(item->state, str_of(passes[i])))
            return passes[i];
    }
    *how = str_eq(item->state, STR(FET_PARTS)) ? READ_PARTS
           : item->state.n > 0                 ? READ_WHOLE
                                               : READ_LIVE;
    return "fetch";
}

static enum read_next fetch_order(struct reading *w, const struct fet_item *item)
{
    enum read_how how = READ_LIVE;
    const char *topic = topic_of(item, &how);
    struct str none = STR("The shop knows no order of this number.");
    struct read_page page = {0};
    enum read_next next = w->shop->one(w, item->id, &page);
    bool read = false;

    if (next == READ_GO && page.count == 1) {
        next = ftc_take(w, &page.orders[0], topic, item->id, how);
        read = next == READ_GO;
    }
    if (how == READ_PARTS && (next == READ_NONE || next == READ_REFUSED))
        next = READ_GO; /* the order stands as it is */
    if (next == READ_NONE)
        next = park(w, item, "not-in-shop", none);
    else if (next == READ_REFUSED)
        next = park(w, item, "unusable-order", str_of(w->why));
    if (next == READ_GO) {
        if (read)
            export_by_hand(w, item);
        ftc_report(w, (struct fet_report){.item = item->id, .outcome = FET_DONE});
    }
    ftc_page_free(&page);
    return next;
}

/* ---- one lease ---- */

static bool stopping(const struct reading *w)
{
    return w->f->stopping && *w->f->stopping;
}

static enum read_next work_item(struct reading *w, const struct fet_item *item)
{
    w->calls = 0;
    if (str_eq(item->id, STR(FET_RECONCILE)))
        return ftc_reconcile(w, item);
    if (str_starts(item->id, STR(FET_BACKFILL)))
        return ftc_backfill(w, item);
    if (str_starts(item->id, STR(FET_CHECK)))
        return ftc_check(w, item);
    return fetch_order(w, item);
}

/* The shop failed at ITEM. If that was an order, and the first thing it failed at since it answered
 * others, that is a try; after the last one the order is given up, so that people see it. True: it
 * was. */
static bool give_up(struct reading *w, const struct fet_item *item)
{
    struct errinfo info = {0};
    enum read_how how = READ_LIVE;
    int64_t tries = 0;

    if (item->id.p[0] == '*' || (w->lease->failures > 0 && w->report_count == 0))
        return false;
    if (fet_tried(w->r, w->lease, item, &tries, &info) != ERR_OK || tries < w->f->max_attempts)
        return false;
    (void)topic_of(item, &how);
    if (how == READ_PARTS) /* the order stands as it is */
        return true;
    return park(w, item, "shop-fails-at-order",
                str_of(arena_printf(&w->arena,
                                    "The shop failed %lld times at this order, while it answered "
                                    "other questions: %s",
                                    (long long)tries, w->why))) == READ_GO;
}

/* What a shop fails to answer goes behind what else is due, and farther the longer that lasts: it
 * may be what the shop fails at, and nothing waits for that. */
static enum read_next work_one(struct reading *w, const struct fet_item *item)
{
    size_t before = w->report_count;
    enum read_next next = work_item(w, item);
    struct fet_report report = {.item = item->id, .outcome = FET_DONE};

    if (!w->away || w->report_count > before)
        return next;
    if (!give_up(w, item)) {
        report.outcome = FET_AGAIN;
        report.delay_ms = w->lease->failures > 0 ? 2 * w->hold_ms : w->hold_ms;
    }
    ftc_report(w, report);
    return next;
}

/* When somebody entered what opens the shop, although it is not here; 0: nobody did. By the store
 * as it is now, since the one at hand may be older than that by a second. */
static int64_t entered_at(struct reading *w)
{
    static const enum set_secret opening[] = {SET_API_TOKEN, SET_API_CLIENT_SECRET,
                                              SET_REFRESH_TOKEN};
    struct set_store *now = NULL;
    struct errinfo info = {0};
    enum err e = set_store_read(w->f->stores, w->r, w->store->platform, w->store->id, &now, &info);
    const struct set_store *s = e == ERR_OK ? now : w->store;
    int64_t at = 0;

    for (size_t i = 0; i < sizeof(opening) / sizeof(opening[0]); i++) {
        if (s->secret_at[opening[i]] > at)
            at = s->secret_at[opening[i]];
    }
    set_store_put(now);
    return at;
}

/* Whether what was entered AT may still come, by the clock that AT is of. */
static bool is_on_its_way(struct reading *w, int64_t at)
{
    struct rds_reply *now = NULL;
    struct errinfo info = {0};
    enum err e = rds_call(w->r, (struct str[]){STR("TIME")}, 1, &now, &info);
    bool is = at > 0 && (e != ERR_OK || rds_int(rds_at(now, 0)) - at < ON_ITS_WAY_S);

    rds_free(now);
    return is;
}

/* Nothing opens the shop. */
static void hold_shut(struct reading *w, bool entered)
{
    bool amazon = strcmp(w->store->platform, "amazon") == 0;
    struct str why =
        entered ? STR("What opens the shop was entered, but no worker could keep it: see whether "
                      "LH_HOOK_KEY is the same everywhere, and enter it again.")
        : amazon
            ? STR("Orders cannot be read from Amazon: enter the seller's secrets.refresh_token.")
            : STR("Orders cannot be read from the shop: enter the app's secrets.api_client_id and "
                  "secrets.api_client_secret, or its secrets.api_token.");

    w->denied = true;
    hold(w, DENIED_MS, true, why);
}

/* The store and what opens its shop. READ_STOP: there is nothing to open it with. */
static enum read_next prepare(struct reading *w)
{
    struct str rest = str_of(w->lease->store), platform = str_split(&rest, '/');
    struct errinfo info = {0};
    enum err e = set_store_get(w->f->stores, w->r, arena_str(&w->arena, platform).p,
                               arena_str(&w->arena, rest).p, true, &w->store, &info);

    if (e == ERR_NOT_FOUND || (e == ERR_OK && w->store->deleted)) {
        w->lost = true;
        return READ_STOP;
    }
    if (e != ERR_OK)
        return ftc_no_redis(w, &info);
    for (size_t i = 0; i < sizeof(shops) / sizeof(shops[0]); i++) {
        if (strcmp(shops[i]->platform, w->store->platform) == 0)
            w->shop = shops[i];
    }
    if (!w->shop) {
        hold(w, DENIED_MS, true, STR("Orders of this platform are not read from the shop."));
        return READ_STOP;
    }
    e = grt_shop(w->r, w->f->master, w->store->key, &w->opens, &info);
    if (e == ERR_OK)
        return READ_GO;
    if (e != ERR_NOT_FOUND && e != ERR_CRYPTO)
        return ftc_no_redis(w, &info);
    int64_t at = e == ERR_NOT_FOUND ? entered_at(w) : 0;
    if (is_on_its_way(w, at))
        hold(w, ON_ITS_WAY_MS, false,
             STR("What opens the shop was entered a moment ago, and is on its way here."));
    else
        hold_shut(w, at > 0);
    return READ_STOP;
}

/* Tells the queue how the lease ended; tries until it would have ended by itself. */
static enum err tell(struct reading *w, struct errinfo *info)
{
    const struct timespec pause = {.tv_nsec = TELL_PAUSE_MS * 1000000L};
    struct fet_end end = {.hold_ms = w->hold_ms,
                          .why = w->logged ? w->why : "",
                          .refused = w->denied,
                          .said = &w->said,
                          .reconciled_to = w->reconciled_to,
                          .reports = w->reports};
    enum err e;

    end.count = w->report_count;
    for (;;) {
        e = fet_done(w->r, w->lease, &end, info);
        if (e != ERR_UNREACHABLE && e != ERR_REDIS_FULL)
            break;
        if (met_now_ns() / 1000000 > w->lease->until_ms || stopping(w))
            break;
        (void)nanosleep(&pause, NULL);
    }
    return e;
}

/* The lease passed to another worker, or its store is gone: whoever has it now reads it again. */
static enum err let_go(struct reading *w, struct errinfo *info)
{
    log_warn("lease_lost", "The lease passed to another worker, or its store is gone; it stops.",
             LOG_Z("store", w->lease->store), LOG_Z("token", w->lease->token));
    return fet_alive(w->r, w->lease, info);
}

enum err ftc_run(struct ftc *f, struct fet_lease *lease, struct errinfo *info)
{
    struct reading w = {.f = f, .lease = lease, .r = rds_take(f->redis, REDIS_WAIT_MS)};
    enum read_next next;
    enum err e = ERR_OK;

    if (!w.r)
        return err_set(info, ERR_UNREACHABLE, "No connection to Redis is free.");
    f->at = &w;
    w.reports = arena_array(&w.arena, lease->count + 1, sizeof(*w.reports));
    next = prepare(&w);
    if (w.denied && str_starts(lease->items[0].id, STR(FET_CHECK))) /* that is its answer */
        next = ftc_check(&w, &lease->items[0]);
    for (size_t i = 0; i < lease->count && next == READ_GO && !stopping(&w); i++)
        next = work_one(&w, &lease->items[i]);
    if (w.hold_ms > 0)
        log_warn("shop_held", w.why, LOG_Z("store", lease->store), LOG_INT("ms", w.hold_ms));
    e = w.lost ? ERR_LOST : tell(&w, info);
    if (e == ERR_LOST)
        e = let_go(&w, info);
    f->at = NULL;
    set_store_put(w.store);
    grt_token_free(&w.opens);
    arena_free(&w.arena);
    rds_give(f->redis, w.r);
    return e;
}
