#include <stdio.h>
#include <time.h>

#include "service/base/log.h"
#include "service/base/metrics.h"
#include "service/export/fetcher_parts.h"

/* An order takes several questions, all of which have to be answered: between two of them a thread
 * waits for the shop's points, which refill in seconds. Before the first one it does not. */
#define POINTS_MS 30000
#define SLICE_MS 100

static void print_points(int64_t n, char out[24])
{
    if (n >= 0)
        (void)snprintf(out, 24, "%lld", (long long)n);
}

/* What the shop said of its points, for the queue. */
static void note_points(struct reading *w, const struct sapi_points *said)
{
    if (said->maximum < 0 && said->available < 0 && said->a_second < 0)
        return;
    w->said.kind = FET_COST;
    print_points(said->a_second, w->said.rate);
    print_points(said->maximum, w->said.burst);
    print_points(said->available, w->said.left);
}

static bool stopping(const struct reading *w)
{
    return w->f->stopping && *w->f->stopping;
}

bool ftc_shopify_permit(void *arg, int64_t cost, const struct sapi_points *said)
{
    struct ftc *f = arg;
    struct reading *w = f->at;
    int64_t until = met_now_ns() / 1000000 + POINTS_MS;
    enum read_next next = READ_STOP;

    if (w->calls > 0 && stopping(w)) {
        w->wait_ms = 1; /* the order is read by another worker */
        return false;
    }
    if (w->calls > 0)
        note_points(w, said);
    for (;;) {
        next = ftc_permit(w, FET_COST, cost);
        if (next == READ_GO || w->lost || w->hold_ms > 0 || w->calls == 0)
            break;
        int64_t back = met_now_ns() / 1000000 + w->wait_ms;
        if (back > until)
            break;
        while (met_now_ns() / 1000000 < back && !stopping(w))
            (void)nanosleep(&(struct timespec){.tv_nsec = SLICE_MS * 1000000L}, NULL);
        if (stopping(w))
            break;
        w->wait_ms = 0;
    }
    w->calls += next == READ_GO;
    return next == READ_GO;
}

static enum read_next judge(struct reading *w, enum err e, struct read_page *page,
                            const struct errinfo *info)
{
    if (e != ERR_OK) {
        (void)snprintf(w->why, sizeof(w->why), "%s", info->text);
        return READ_REFUSED;
    }
    if (w->lost || w->wait_ms > 0 || w->hold_ms > 0) /* there was no permit */
        return READ_STOP;
    enum read_next next = ftc_judge(w, FET_COST, &page->answer);
    note_points(w, sapi_points(w->f->shopify));
    return next;
}

static struct sapi_shop shop_of(struct reading *w)
{
    w->calls = 0;
    w->wait_ms = 0;
    return (struct sapi_shop){w->store->id, buf_str(&w->token)};
}

static enum read_next one(struct reading *w, struct str id, struct read_page *page)
{
    const struct sapi_shop shop = shop_of(w);
    struct buf body = BUF_CAP(LIM_JSON_BYTES);
    struct errinfo info = {0};
    enum err e = sapi_order(w->f->shopify, &shop, id, &body, &page->answer, &info);
    enum read_next next = judge(w, e, page, &info);

    if (next == READ_GO) {
        page->orders = arena_array(&page->arena, 1, sizeof(*page->orders));
        page->docs = arena_array(&page->arena, 1, sizeof(*page->docs));
        page->orders[0].body = arena_str(&page->arena, buf_str(&body));
        page->count = 1;
        if (js_parse(page->orders[0].body, LIM_JSON_BYTES, &page->docs[0], &info) == ERR_OK) {
            page->orders[0].root = page->docs[0].root;
        } else {
            (void)snprintf(w->why, sizeof(w->why), "What the shop gave cannot be read: %s",
                           info.text);
            next = READ_REFUSED;
        }
    }
    buf_free(&body);
    return next;
}

static enum read_next some(struct reading *w, const struct read_range *range,
                           struct read_page *page)
{
    const struct sapi_shop shop = shop_of(w);
    struct sapi_page *list = arena_alloc(&page->arena, sizeof(*list));
    struct errinfo info = {0};
    enum err e = sapi_orders(w->f->shopify, &shop, str_of(range->after), str_of(range->before),
                             range->page, list, &page->answer, &info);
    enum read_next next = judge(w, e, page, &info);

    if (next != READ_GO)
        return next;
    page->orders = arena_array(&page->arena, list->count + 1, sizeof(*page->orders));
    for (size_t i = 0; i < list->count; i++) {
        page->orders[i].id = list->orders[i].id;
        memcpy(page->orders[i].stamp, list->orders[i].stamp, sizeof(page->orders[i].stamp));
        (void)snprintf(page->orders[i].created_day, sizeof(page->orders[i].created_day), "%s",
                       list->orders[i].created_day);
    }
    page->count = list->count;
    page->next = list->next;
    return READ_GO;
}

/* ---- subscriptions ---- */

/* What an order's whole life is told by. */
static const enum shp_topic needed[] = {
    SHP_ORDERS_CREATE,    SHP_ORDERS_PAID,      SHP_ORDERS_UPDATED, SHP_ORDERS_PARTIALLY_FULFILLED,
    SHP_ORDERS_FULFILLED, SHP_ORDERS_CANCELLED, SHP_REFUNDS_CREATE, SHP_TRANSACTIONS_CREATE};
#define NEEDED (sizeof(needed) / sizeof(needed[0]))

/* The needed topics that are not in LIST; returns how many. */
static size_t name_missing(const struct sapi_subscription *list, size_t n, struct buf *out)
{
    size_t missing = 0;

    for (size_t i = 0; i < NEEDED; i++) {
        bool there = false;

        for (size_t k = 0; k < n && !there; k++)
            there = sapi_is_topic(list[k].topic, needed[i]);
        if (!there)
            buf_printf(out, "%s%s", missing++ > 0 ? ", " : "", shp_topic_text(needed[i]));
    }
    return missing;
}

/* Tells people, once for each change of what is missing. Webhooks of the shop's own admin are not
 * seen by an app, so an app without any subscription is no fault by itself. */
static void tell(struct reading *w, struct str missing, size_t n)
{
    struct str key = str_of(arena_printf(&w->arena, RDS_PREFIX "seller:%s", w->store->key));
    struct rds_reply *before = NULL, *set = NULL;
    struct errinfo info = {0};
    enum err e = rds_call(w->r, (struct str[]){STR("HGET"), key, STR("hooks")}, 3, &before, &info);

    if (e == ERR_OK && !str_eq(rds_text(before), missing) && (n > 0 || rds_text(before).n > 0)) {
        if (n == 0)
            ftc_note(w, "info", "webhooks_complete", "All webhooks are subscribed to again.");
        else if (n == NEEDED)
            ftc_note(w, "info", "webhooks_missing",
                     "The app of secrets.api_token has subscribed to no webhook of orders. That is "
                     "as it should be only if the shop's own admin sends them.");
        else
            ftc_note(w, "error", "webhooks_missing",
                     "The app has no subscription to these webhooks: %.*s. Their orders are found "
                     "by the reconciliation only; subscribe to them again.",
                     STR_FMT(missing));
        e = rds_call(w->r, (struct str[]){STR("HSET"), key, STR("hooks"), missing}, 4, &set, &info);
    }
    if (e != ERR_OK)
        log_warn("webhooks_not_told", info.text, LOG_Z("store", w->store->key));
    rds_free(before);
    rds_free(set);
}

static void look(struct reading *w)
{
    const struct sapi_shop shop = shop_of(w);
    struct sapi_subscription list[SAPI_SUBSCRIPTIONS];
    struct buf missing = BUF_CAP(1024);
    struct shc_answer answer = {0};
    struct errinfo info = {0};
    size_t n = 0;
    enum err e = sapi_subscriptions(w->f->shopify, &shop, list, &n, &answer, &info);

    if (e == ERR_OK && answer.verdict == SHC_ANSWERED) {
        size_t count = name_missing(list, n, &missing);

        note_points(w, sapi_points(w->f->shopify));
        tell(w, buf_str(&missing), count);
    }
    w->wait_ms = 0; /* it can wait for the next pass */
    shc_answer_free(&answer);
    buf_free(&missing);
}

const struct shop ftc_shopify = {"shopify", one, some, look};
